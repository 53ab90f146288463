/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the suites share: opening a device, memory, queues and commands. */
#ifndef NPU_UTIL_H
#define NPU_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <drm/npu_accel.h>
#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_tile.h>

/* libdrm's drm.h has these from 2.4.116 on. */
#ifndef DRM_IOCTL_SYNCOBJ_EVENTFD
struct drm_syncobj_eventfd {
	__u32 handle;
	__u32 flags;
	__u64 point;
	__s32 fd;
	__u32 pad;
};
#define DRM_IOCTL_SYNCOBJ_EVENTFD DRM_IOWR(0xCF, struct drm_syncobj_eventfd)
#endif

/* Where tests that need one address put things. */
#define TEST_VA 0x200000000ULL

/* Long enough for any test that works; a test fails when it passes. */
#define WAIT_NS 30000000000LL

/**
 * struct npu_mem - a buffer, where it is mapped for the device, and for the CPU
 */
struct npu_mem {
	uint32_t handle;
	uint64_t size;
	uint64_t va;
	void *cpu;
};

/** npu_open() - open the first NPU, or the one that NPU_TEST_NODE names; -1 if there is none */
int npu_open(void);
/** npu_open_nth() - open the nth NPU; -1 if there is none */
int npu_open_nth(unsigned int n);

/* ioctl() that gives 0 or a negative errno, and restarts when interrupted. */
int npu_ioctl(int fd, unsigned long request, void *arg);

/** write_file() - write a text to a file; 0, or a negative errno */
int write_file(const char *path, const char *text);

#define NPU_NAME_SIZE 32

/** npu_name() - the device's name on its bus */
int npu_name(int fd, char name[NPU_NAME_SIZE]);
/** npu_driver_write() - "bind" or "unbind" the device of a name */
int npu_driver_write(const char *file, const char *name);
/** npu_reset_device() - reset it by its sysfs file, as an administrator would */
int npu_reset_device(int fd);
/** npu_debugfs_open() - a file of the device's debugfs folder; NULL if there is none */
FILE *npu_debugfs_open(int fd, const char *name);

int npu_query(int fd, uint32_t type, void *data, uint32_t size);
int npu_vm_create(int fd, uint32_t *vm);
int npu_vm_destroy(int fd, uint32_t vm);
int npu_vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va, uint64_t size,
	       uint32_t flags);
int npu_vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size);
/** npu_vm_bind() - do @count operations at once */
int npu_vm_bind(int fd, uint32_t vm, const struct drm_npu_vm_bind_op *ops, uint32_t count);
/** npu_vm_bind_async() - do them when waits have happened, then signal */
int npu_vm_bind_async(int fd, uint32_t vm, const struct drm_npu_vm_bind_op *ops, uint32_t count,
		      const struct drm_npu_sync *syncs, uint32_t num_syncs);
int npu_bo_create(int fd, uint64_t size, uint32_t placement, uint32_t *handle);
/** npu_bo_create_in() - a buffer that is private to a VM */
int npu_bo_create_in(int fd, uint32_t vm, uint64_t size, uint32_t placement, uint32_t *handle);
void *npu_bo_mmap(int fd, uint32_t handle, uint64_t size);
int npu_bo_close(int fd, uint32_t handle);
/* A dma-buf of a buffer, and a buffer of a dma-buf. */
int npu_export(int fd, uint32_t handle, int *dmabuf);
int npu_import(int fd, int dmabuf, uint32_t *handle);
/** npu_udmabuf() - a dma-buf of memory of this process; -ENODEV if the kernel makes none */
int npu_udmabuf(uint64_t size);
int npu_queue_create(int fd, uint32_t vm, uint32_t *queue);
int npu_queue_destroy(int fd, uint32_t queue);
int npu_queue_state(int fd, uint32_t queue, struct drm_npu_queue_get_state *state);

/** npu_mem_create() - buffer, mapped at @va of @vm and for the CPU */
int npu_mem_create(int fd, uint32_t vm, uint64_t size, uint32_t placement, uint64_t va,
		   struct npu_mem *mem);
void npu_mem_destroy(int fd, uint32_t vm, struct npu_mem *mem);

/**
 * struct npu_ctx - a device file with a VM, a queue, a command list and data
 * @list: system memory for commands, mapped at TEST_VA
 * @data: HBM, mapped at TEST_VA + 1 GiB
 */
struct npu_ctx {
	int fd;
	uint32_t vm;
	uint32_t queue;
	struct npu_mem list;
	struct npu_mem data;
};

#define CTX_LIST_SIZE 0x10000
#define CTX_DATA_SIZE 0x400000
#define CTX_DATA_VA (TEST_VA + 0x40000000ULL)

/** npu_ctx_open() - 0, or a negative errno; -ENODEV: no NPU */
int npu_ctx_open(struct npu_ctx *ctx);
void npu_ctx_close(struct npu_ctx *ctx);
/** npu_ctx_run() - run the first @count commands of the list and wait */
int npu_ctx_run(struct npu_ctx *ctx, uint32_t count);
/** npu_ctx_works() - a copy on the queue gives the right bytes */
bool npu_ctx_works(struct npu_ctx *ctx);
/** npu_ctx_start_waiting() - a job that waits for the first word of the context's data */
int npu_ctx_start_waiting(struct npu_ctx *ctx, uint32_t *syncobj);
/** npu_ctx_finish() - wait for a job; 0, or the error of its fence */
int npu_ctx_finish(struct npu_ctx *ctx, uint32_t syncobj);
/** npu_ctx_release() - let the job that waits go on, and wait for it */
int npu_ctx_release(struct npu_ctx *ctx, uint32_t syncobj);
static inline struct npu_cmd *npu_ctx_cmd(struct npu_ctx *ctx, unsigned int index)
{
	return (struct npu_cmd *)ctx->list.cpu + index;
}

int npu_syncobj_create(int fd, uint32_t *handle);
int npu_syncobj_destroy(int fd, uint32_t handle);
/** npu_syncobj_wait() - wait for a binary syncobj (point 0) or a timeline point */
int npu_syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t timeout_ns);
/** npu_syncobj_error() - error of the fence in a signalled binary syncobj, 0 if none */
int npu_syncobj_error(int fd, uint32_t handle);

/** npu_submit() - one job of @count commands at @list, signalling @syncobj if not zero */
int npu_submit(int fd, uint32_t queue, uint64_t list, uint32_t count, uint32_t syncobj);
int npu_submit_syncs(int fd, uint32_t queue, const struct drm_npu_job *jobs, uint32_t num_jobs,
		     const struct drm_npu_sync *syncs, uint32_t num_syncs);
/** npu_run() - submit and wait; 0, or what submit or the wait returned */
int npu_run(int fd, uint32_t queue, uint64_t list, uint32_t count);

/* Writers of commands. */
void cmd_nop(struct npu_cmd *cmd);
void cmd_copy(struct npu_cmd *cmd, uint64_t dst, uint64_t src, uint64_t size);
void cmd_fill(struct npu_cmd *cmd, uint64_t dst, uint64_t size, uint32_t pattern);
void cmd_write(struct npu_cmd *cmd, uint64_t va, uint64_t value);
void cmd_timestamp(struct npu_cmd *cmd, uint64_t va);
void cmd_sem_wait(struct npu_cmd *cmd, uint64_t va, uint64_t value);
void cmd_sem_signal(struct npu_cmd *cmd, uint64_t va, uint64_t value);
/* Goes on @offset commands from here if the word is not @value. */
void cmd_branch(struct npu_cmd *cmd, uint64_t va, uint64_t value, int32_t offset);
void cmd_kernel(struct npu_cmd *cmd, uint64_t entry, uint64_t args, uint32_t blocks);

/* Instructions of small kernels. */
#define RV_ECALL 0x00000073
#define RV_LOOP 0x0000006f /* j . */
#define RV_ILLEGAL 0x00000000
#define RV_A0 10
#define RV_T0 5
uint32_t rv_ld(unsigned int rd, unsigned int rs1, int offset);
uint32_t rv_sd(unsigned int rs2, unsigned int rs1, int offset);

#endif

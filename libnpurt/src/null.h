/* SPDX-License-Identifier: MIT */
/*
 * The null device: driver and device in this process. Buffers are ordinary memory, a thread
 * for each open device executes commands as docs/hardware.md says, but no kernels.
 */
#ifndef NPURT_NULL_H
#define NPURT_NULL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <npu/npu_queue.h>

#include "kmd.h"
#include "thread.h"

#define NULL_PAGE 4096u
#define NULL_HBM_BYTES (1ULL << 30)
#define NULL_CORES 4
#define NULL_CORE_MASK ((1ULL << NULL_CORES) - 1)
#define NULL_TICKS_PER_S 50000000ULL
#define NULL_VA_START (1ULL << 32)
#define NULL_VA_END (1ULL << 48)
#define NULL_MAX_QUEUES 4096u
#define NULL_MAX_VMS 1024u

/* Objects by id, from 1. */
struct null_table {
	void **slots;
	uint32_t size;
	uint32_t first; /* none below it is free */
	uint32_t count;
};

struct null_bo {
	uint64_t size;
	uint32_t placement;
	uint32_t vm_id; /* the only VM that it is for, or zero */
	int fd; /* of a memory file, if others may import it, or -1 */
	ino_t inode; /* of that file */
	bool imported;
	bool unwanted; /* DRM_NPU_BO_DONTNEED */
	char label[64];
	unsigned int refs; /* of the handle, mappings and CPU mappings */
};

/* A range of device addresses. Without a buffer it is user memory, or sparse. */
struct null_mapping {
	uint64_t va, size;
	struct null_bo *bo;
	uint8_t *bytes; /* NULL: sparse */
	uint32_t flags; /* DRM_NPU_VM_BIND_OP_* */
};

struct null_vm {
	struct null_mapping *mappings; /* by address */
	uint32_t count, capacity;
	unsigned int queues;
	unsigned int busy; /* commands at work on its memory */
	uint64_t faults, fault_address;
	uint32_t fault_access, fault_status;
};

/* Of a timeline; in a memory file when others may have it, too. */
struct null_timeline {
	uint32_t magic;
	_Atomic uint32_t changes; /* a futex */
	_Atomic uint64_t submitted, signalled; /* points */
	_Atomic uint64_t failed; /* the last one whose work failed */
	_Atomic int32_t status; /* with this negative errno */
};

struct null_sync;
struct null_syncobj {
	struct null_timeline *_Atomic timeline;
	struct null_timeline own; /* until it is exported */
	int fd; /* of the memory file, or -1 */
	struct null_sync *first, **last; /* signals to come of jobs, by point */
	unsigned int refs; /* of the handle, of jobs, waits and eventfds */
};

struct null_sync {
	struct null_syncobj *syncobj;
	struct null_sync *next; /* of signals to come */
	uint64_t point;
	bool signal;
};

struct null_eventfd {
	struct null_eventfd *next;
	struct null_syncobj *syncobj;
	uint64_t point;
	int fd;
};

struct null_job {
	struct null_job *next;
	struct drm_npu_job job;
	uint32_t num_syncs;
	struct null_sync syncs[];
};

struct null_queue {
	struct null_queue *next; /* in the list of those that have jobs */
	struct null_vm *vm;
	uint32_t class, timeout_ms;
	struct null_job *first, **last;
	uint32_t index; /* of the command to execute next */
	uint64_t deadline; /* of that command, once it has been looked at */
	uint64_t loop_start; /* when a branch of the job first went back; 0: none has */
	uint64_t commands_done, moved_ns; /* when one last ended, or the first job came */
	struct drm_npu_queue_get_state state;
};

struct null_file {
	struct kmd_file base;
	unsigned int device;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t work; /* for the thread */
	pthread_cond_t done; /* something ended */
	struct null_table bos, vms, queues, syncobjs;
	struct null_eventfd *eventfds; /* to be signalled */
	unsigned int num_bos; /* with those that have lost their handle */
	struct null_queue *ready, **ready_tail;
	unsigned int num_ready;
	struct null_queue *running;
	struct rt_thread thread;
	bool has_thread, stop;
	uint64_t jobs_done, jobs_failed;
	uint32_t resets;
	bool wedged;
};

uint64_t null_now_ns(void);
uint64_t null_now_ticks(void);

/* null_table.c */
uint32_t null_insert(struct null_table *table, void *object);
void *null_find(const struct null_table *table, uint32_t id);
void *null_remove(struct null_table *table, uint32_t id);
void null_table_free(struct null_table *table);

/* null_bo.c: buffers, under the file's lock. */
uint64_t null_hbm_used(const struct null_file *file);
uint64_t null_system_used(const struct null_file *file);
uint8_t *null_bo_bytes(struct null_bo *bo);
struct null_bo *null_bo_of(void *bytes);
void null_bo_put(struct null_file *file, struct null_bo *bo);
int null_bo_create(struct null_file *file, struct drm_npu_bo_create *args);
int null_bo_close(struct null_file *file, uint32_t handle);
int null_bo_madvise(struct null_file *file, struct drm_npu_bo_madvise *args);
int null_bo_set_label(struct null_file *file, const struct drm_npu_bo_set_label *args);
int null_bo_export(struct null_file *file, uint32_t handle, int *fd);
int null_bo_import(struct null_file *file, int fd, uint32_t *handle);

/* null_vm.c: address spaces, under the file's lock. */
int null_vm_create(struct null_file *file, struct drm_npu_vm_create *args);
int null_vm_destroy(struct null_file *file, uint32_t id);
int null_vm_bind(struct null_file *file, struct drm_npu_vm_bind *args);
int null_vm_get_state(struct null_file *file, struct drm_npu_vm_get_state *args);

/*
 * The memory at @va, and in *@bytes, which holds how much is wanted, how much there is in
 * one piece; NULL if it is not mapped for that access.
 */
void *null_translate(struct null_vm *vm, uint64_t va, enum npu_access access, uint64_t *bytes);

/* null_exec.c: one command. */

struct null_task {
	struct null_file *file;
	struct null_queue *queue;
	struct npu_cmd cmd;
	uint64_t address; /* of a fault */
	enum npu_access access;
};

/* An enum npu_status, or this: the command has to be looked at again. */
#define NULL_AGAIN NPU_ST_COUNT

/* Under the file's lock, which it lets go of while it works on data. */
uint32_t null_fetch(struct null_task *task, uint64_t list, uint32_t index);
uint32_t null_execute(struct null_task *task);

/* null_reduce.c */
uint32_t null_dtype_size(uint32_t type); /* 0: there is no such type */
void null_reduce(void *dst, const void *src, uint64_t bytes, uint32_t type, uint32_t op);

/* null_queue.c: under the file's lock. */
/* The time that @cmd of the queue's first job may take. */
uint64_t null_timeout_ns(const struct null_queue *queue, const struct npu_cmd *cmd);
int null_queue_create(struct null_file *file, struct drm_npu_queue_create *args);
int null_queue_destroy(struct null_file *file, uint32_t id);
int null_queue_get_state(struct null_file *file, struct drm_npu_queue_get_state *args);
int null_submit(struct null_file *file, const struct drm_npu_submit *args);
void null_stop(struct null_file *file);
int null_start(struct null_file *file);

/* null_sync.c */

int null_syncobj_create(struct kmd_file *file, uint32_t *handle);
void null_syncobj_destroy(struct kmd_file *file, uint32_t handle);
int null_syncobj_wait(struct kmd_file *file, uint32_t handle, uint64_t point, int64_t deadline,
		      uint32_t flags);
int null_syncobj_export(struct kmd_file *file, uint32_t handle, int *fd);
int null_syncobj_import(struct kmd_file *file, int fd, uint32_t *handle);
int null_syncobj_query(struct kmd_file *file, uint32_t handle, uint64_t *point);
int null_syncobj_signal(struct kmd_file *file, uint32_t handle, uint64_t point);
int null_syncobj_eventfd(struct kmd_file *file, uint32_t handle, uint64_t point, int eventfd);
int null_syncobj_status(struct kmd_file *file, uint32_t handle, uint64_t point, int *status);

/* Under the file's lock. */
void null_syncobj_put(struct null_syncobj *syncobj);
void null_syncobjs_close(struct null_file *file);
uint64_t null_submitted(struct null_syncobj *syncobj);
uint64_t null_signalled(struct null_syncobj *syncobj);
/* The signal will come, and has come, with 0 or a negative errno. */
void null_announce(struct null_sync *signal);
void null_signal(struct null_sync *signal, int status);
/* Signals the eventfds whose time it is. */
void null_serve_eventfds(struct null_file *file);

/* For tests: what a program cannot bring about by itself. */

/*
 * Stands for the AI cores: gets a launch and its arguments, gives an enum npu_status or
 * NULL_AGAIN, to be asked again later. NULL: every kernel ends well at once.
 */
typedef uint32_t (*null_kernel_fn)(const struct npu_cmd_kernel *kernel, const void *args);
void null_set_kernel(null_kernel_fn run);

/* The device cannot read these bytes any more; NULL: it can read all. */
void null_poison(const void *bytes);

/* No reset helps any more. */
void null_wedge(struct kmd_file *file);

/* Stops the file's queues as a reset of the device does. */
void null_reset(struct kmd_file *file);

/* Buffers with that label. */
unsigned int null_labels(struct kmd_file *file, const char *label);

/* What is still there: buffers, address spaces, queues, syncobjs. */
unsigned int null_objects(struct kmd_file *file);

#endif /* NPURT_NULL_H */

// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "npu_util.h"

#define MAX_NODES 64

static bool is_npu(unsigned int minor)
{
	char path[64], target[256];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/class/accel/accel%u/device/driver", minor);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	base = strrchr(target, '/');
	return base && !strcmp(base, "/npu");
}

int npu_open_nth(unsigned int n)
{
	char path[32];

	for (unsigned int minor = 0; minor < MAX_NODES; minor++) {
		if (!is_npu(minor) || n--)
			continue;
		snprintf(path, sizeof(path), "/dev/accel/accel%u", minor);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	errno = ENODEV;
	return -1;
}

int npu_open(void)
{
	const char *node = getenv("NPU_TEST_NODE");

	return node ? open(node, O_RDWR | O_CLOEXEC) : npu_open_nth(0);
}

int npu_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? -errno : 0;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int npu_name(int fd, char name[NPU_NAME_SIZE])
{
	char path[64], link[256];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device", major(st.st_rdev),
		 minor(st.st_rdev));
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return -errno;
	link[len] = '\0';
	snprintf(name, NPU_NAME_SIZE, "%s", strrchr(link, '/') + 1);
	return 0;
}

int npu_driver_write(const char *file, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/npu/%s", file);
	return write_file(path, name);
}

int npu_reset_device(int fd)
{
	char name[NPU_NAME_SIZE], path[64];
	int ret = npu_name(fd, name);

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", name);
	return write_file(path, "1");
}

FILE *npu_debugfs_open(int fd, const char *name)
{
	char device[NPU_NAME_SIZE], path[320];

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (npu_name(fd, device))
		return NULL;
	snprintf(path, sizeof(path), "/sys/kernel/debug/accel/%s/%s", device, name);
	return fopen(path, "r");
}

int npu_query(int fd, uint32_t type, void *data, uint32_t size)
{
	struct drm_npu_dev_query query = {
		.type = type,
		.size = size,
		.pointer = (uintptr_t)data,
	};

	return npu_ioctl(fd, DRM_IOCTL_NPU_DEV_QUERY, &query);
}

int npu_vm_create(int fd, uint32_t *vm)
{
	struct drm_npu_vm_create create = { 0 };
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_VM_CREATE, &create);

	*vm = create.id;
	return ret;
}

int npu_vm_destroy(int fd, uint32_t vm)
{
	struct drm_npu_vm_destroy destroy = { .id = vm };

	return npu_ioctl(fd, DRM_IOCTL_NPU_VM_DESTROY, &destroy);
}

int npu_vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va, uint64_t size,
	       uint32_t flags)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.flags = flags,
		.bo_handle = handle,
		.bo_offset = offset,
		.va = va,
		.size = size,
	};

	return npu_vm_bind(fd, vm, &op, 1);
}

int npu_vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_UNMAP,
		.va = va,
		.size = size,
	};

	return npu_vm_bind(fd, vm, &op, 1);
}

static int vm_bind(int fd, uint32_t vm, uint32_t flags, const struct drm_npu_vm_bind_op *ops,
		   uint32_t count, const struct drm_npu_sync *syncs, uint32_t num_syncs)
{
	struct drm_npu_vm_bind bind = {
		.vm_id = vm,
		.flags = flags,
		.ops = { .stride = sizeof(*ops), .count = count, .array = (uintptr_t)ops },
		.syncs = { .stride = sizeof(*syncs), .count = num_syncs,
			   .array = (uintptr_t)syncs },
	};

	return npu_ioctl(fd, DRM_IOCTL_NPU_VM_BIND, &bind);
}

int npu_vm_bind(int fd, uint32_t vm, const struct drm_npu_vm_bind_op *ops, uint32_t count)
{
	return vm_bind(fd, vm, 0, ops, count, NULL, 0);
}

int npu_vm_bind_async(int fd, uint32_t vm, const struct drm_npu_vm_bind_op *ops, uint32_t count,
		      const struct drm_npu_sync *syncs, uint32_t num_syncs)
{
	return vm_bind(fd, vm, DRM_NPU_VM_BIND_ASYNC, ops, count, syncs, num_syncs);
}

int npu_bo_create(int fd, uint64_t size, uint32_t placement, uint32_t *handle)
{
	return npu_bo_create_in(fd, 0, size, placement, handle);
}

int npu_bo_create_in(int fd, uint32_t vm, uint64_t size, uint32_t placement, uint32_t *handle)
{
	struct drm_npu_bo_create create = { .size = size, .placement = placement, .vm_id = vm };
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_BO_CREATE, &create);

	*handle = create.handle;
	return ret;
}

void *npu_bo_mmap(int fd, uint32_t handle, uint64_t size)
{
	struct drm_npu_bo_mmap_offset arg = { .handle = handle };
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg);

	if (ret) {
		errno = -ret;
		return MAP_FAILED;
	}
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, arg.offset);
}

int npu_bo_close(int fd, uint32_t handle)
{
	struct drm_gem_close close = { .handle = handle };

	return npu_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &close);
}

int npu_export(int fd, uint32_t handle, int *dmabuf)
{
	struct drm_prime_handle args = { .handle = handle, .flags = O_RDWR | O_CLOEXEC, .fd = -1 };
	int ret = npu_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	*dmabuf = args.fd;
	return ret;
}

int npu_import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int ret = npu_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	*handle = args.handle;
	return ret;
}

int npu_udmabuf(uint64_t size)
{
	struct udmabuf_create create = { .size = size, .flags = UDMABUF_FLAGS_CLOEXEC };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), dmabuf;

	if (device < 0)
		return -ENODEV;
	create.memfd = syscall(SYS_memfd_create, "npu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(create.memfd, size) || fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	dmabuf = ioctl(device, UDMABUF_CREATE, &create);
	if (dmabuf < 0)
		dmabuf = -errno;
	close(create.memfd);
	close(device);
	return dmabuf;
}

int npu_queue_create(int fd, uint32_t vm, uint32_t *queue)
{
	struct drm_npu_queue_create create = {
		.vm_id = vm,
		.engine_class = DRM_NPU_ENGINE_COMPUTE,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
	};
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create);

	*queue = create.id;
	return ret;
}

int npu_queue_destroy(int fd, uint32_t queue)
{
	struct drm_npu_queue_destroy destroy = { .id = queue };

	return npu_ioctl(fd, DRM_IOCTL_NPU_QUEUE_DESTROY, &destroy);
}

int npu_queue_state(int fd, uint32_t queue, struct drm_npu_queue_get_state *state)
{
	memset(state, 0, sizeof(*state));
	state->id = queue;
	return npu_ioctl(fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, state);
}

int npu_mem_create(int fd, uint32_t vm, uint64_t size, uint32_t placement, uint64_t va,
		   struct npu_mem *mem)
{
	int ret;

	*mem = (struct npu_mem){ .size = size, .va = va };
	ret = npu_bo_create(fd, size, placement, &mem->handle);
	if (ret)
		return ret;
	mem->cpu = npu_bo_mmap(fd, mem->handle, size);
	if (mem->cpu == MAP_FAILED)
		return -errno;
	return npu_vm_map(fd, vm, mem->handle, 0, va, size, 0);
}

void npu_mem_destroy(int fd, uint32_t vm, struct npu_mem *mem)
{
	npu_vm_unmap(fd, vm, mem->va, mem->size);
	munmap(mem->cpu, mem->size);
	npu_bo_close(fd, mem->handle);
}

int npu_syncobj_create(int fd, uint32_t *handle)
{
	struct drm_syncobj_create create = { 0 };
	int ret = npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &create);

	*handle = create.handle;
	return ret;
}

int npu_syncobj_destroy(int fd, uint32_t handle)
{
	struct drm_syncobj_destroy destroy = { .handle = handle };

	return npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

static int64_t deadline_ns(int64_t timeout_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return timeout_ns ? now.tv_sec * 1000000000LL + now.tv_nsec + timeout_ns : 0;
}

int npu_syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t timeout_ns)
{
	struct drm_syncobj_timeline_wait wait = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
		.timeout_nsec = deadline_ns(timeout_ns),
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};

	return npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
}

int npu_syncobj_error(int fd, uint32_t handle)
{
	struct drm_syncobj_handle export = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	struct sync_file_info info = { 0 };
	int ret = npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &export);

	if (ret)
		return ret;
	ret = npu_ioctl(export.fd, SYNC_IOC_FILE_INFO, &info);
	close(export.fd);
	if (ret)
		return ret;
	return info.status < 0 ? info.status : 0;
}

int npu_submit_syncs(int fd, uint32_t queue, const struct drm_npu_job *jobs, uint32_t num_jobs,
		     const struct drm_npu_sync *syncs, uint32_t num_syncs)
{
	struct drm_npu_submit submit = {
		.queue_id = queue,
		.jobs = { .stride = sizeof(*jobs), .count = num_jobs, .array = (uintptr_t)jobs },
		.syncs = { .stride = sizeof(*syncs), .count = num_syncs, .array = (uintptr_t)syncs },
	};

	return npu_ioctl(fd, DRM_IOCTL_NPU_SUBMIT, &submit);
}

int npu_submit(int fd, uint32_t queue, uint64_t list, uint32_t count, uint32_t syncobj)
{
	struct drm_npu_job job = { .list = list, .count = count };
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = syncobj };

	return npu_submit_syncs(fd, queue, &job, 1, &sync, !!syncobj);
}

int npu_run(int fd, uint32_t queue, uint64_t list, uint32_t count)
{
	uint32_t syncobj;
	int ret = npu_syncobj_create(fd, &syncobj);

	if (ret)
		return ret;
	ret = npu_submit(fd, queue, list, count, syncobj);
	if (!ret)
		ret = npu_syncobj_wait(fd, syncobj, 0, WAIT_NS);
	if (!ret)
		ret = npu_syncobj_error(fd, syncobj);
	npu_syncobj_destroy(fd, syncobj);
	return ret;
}

int npu_ctx_open(struct npu_ctx *ctx)
{
	int ret;

	memset(ctx, 0, sizeof(*ctx));
	ctx->fd = npu_open();
	if (ctx->fd < 0)
		return -errno;
	ret = npu_vm_create(ctx->fd, &ctx->vm);
	if (!ret)
		ret = npu_mem_create(ctx->fd, ctx->vm, CTX_LIST_SIZE, DRM_NPU_BO_SYSTEM, TEST_VA,
				     &ctx->list);
	if (!ret)
		ret = npu_mem_create(ctx->fd, ctx->vm, CTX_DATA_SIZE, DRM_NPU_BO_HBM, CTX_DATA_VA,
				     &ctx->data);
	if (!ret)
		ret = npu_queue_create(ctx->fd, ctx->vm, &ctx->queue);
	return ret;
}

void npu_ctx_close(struct npu_ctx *ctx)
{
	if (ctx->fd < 0)
		return;
	if (ctx->list.cpu)
		munmap(ctx->list.cpu, CTX_LIST_SIZE);
	if (ctx->data.cpu)
		munmap(ctx->data.cpu, CTX_DATA_SIZE);
	close(ctx->fd);
}

int npu_ctx_run(struct npu_ctx *ctx, uint32_t count)
{
	return npu_run(ctx->fd, ctx->queue, ctx->list.va, count);
}

bool npu_ctx_works(struct npu_ctx *ctx)
{
	volatile uint64_t *data = ctx->data.cpu;

	data[0] = 0x1122334455667788;
	data[512] = 0;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va + 4096, ctx->data.va, 8);
	return !npu_ctx_run(ctx, 1) && data[512] == data[0];
}

int npu_ctx_start_waiting(struct npu_ctx *ctx, uint32_t *syncobj)
{
	/* It outlasts what others do meanwhile: recovery of another queue takes seconds. */
	const struct drm_npu_job job = {
		.list = ctx->list.va,
		.count = 2,
		.timeout_ms = 2 * WAIT_NS / 1000000,
	};
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };
	int ret;

	*(volatile uint64_t *)ctx->data.cpu = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	cmd_write(npu_ctx_cmd(ctx, 1), ctx->data.va + 8, 99);
	ret = npu_syncobj_create(ctx->fd, syncobj);
	if (ret)
		return ret;
	sync.handle = *syncobj;
	return npu_submit_syncs(ctx->fd, ctx->queue, &job, 1, &sync, 1);
}

int npu_ctx_finish(struct npu_ctx *ctx, uint32_t syncobj)
{
	return npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS) ?:
	       npu_syncobj_error(ctx->fd, syncobj);
}

int npu_ctx_release(struct npu_ctx *ctx, uint32_t syncobj)
{
	volatile uint64_t *data = ctx->data.cpu;

	data[0] = 1;
	return npu_ctx_finish(ctx, syncobj) ?: data[1] == 99 ? 0 : -EBADMSG;
}

void cmd_nop(struct npu_cmd *cmd)
{
	*cmd = (struct npu_cmd){ .opcode = NPU_CMD_NOP };
}

void cmd_copy(struct npu_cmd *cmd, uint64_t dst, uint64_t src, uint64_t size)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_COPY,
		.copy = { .dst = dst, .src = src, .row_bytes = size, .rows = 1 },
	};
}

void cmd_fill(struct npu_cmd *cmd, uint64_t dst, uint64_t size, uint32_t pattern)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_FILL,
		.fill = { .dst = dst, .row_bytes = size, .rows = 1, .pattern = pattern,
			  .pattern_bytes = 4 },
	};
}

void cmd_write(struct npu_cmd *cmd, uint64_t va, uint64_t value)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_WRITE,
		.write = { .address = va, .value = value, .bytes = 8 },
	};
}

void cmd_timestamp(struct npu_cmd *cmd, uint64_t va)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_TIMESTAMP,
		.write = { .address = va, .bytes = 8 },
	};
}

void cmd_sem_wait(struct npu_cmd *cmd, uint64_t va, uint64_t value)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_SEM_WAIT,
		.sem = { .address = va, .value = value, .op = NPU_SEM_GE },
	};
}

void cmd_sem_signal(struct npu_cmd *cmd, uint64_t va, uint64_t value)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_SEM_SIGNAL,
		.sem = { .address = va, .value = value, .op = NPU_SEM_SET },
	};
}

void cmd_branch(struct npu_cmd *cmd, uint64_t va, uint64_t value, int32_t offset)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_BRANCH,
		.branch = { .address = va, .value = value, .op = NPU_SEM_NE, .offset = offset },
	};
}

void cmd_kernel(struct npu_cmd *cmd, uint64_t entry, uint64_t args, uint32_t blocks)
{
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_KERNEL,
		.kernel = { .entry = entry, .args = args, .blocks = blocks },
	};
}

uint32_t rv_ld(unsigned int rd, unsigned int rs1, int offset)
{
	return (uint32_t)(offset & 0xfff) << 20 | rs1 << 15 | 3 << 12 | rd << 7 | 0x03;
}

uint32_t rv_sd(unsigned int rs2, unsigned int rs1, int offset)
{
	return (uint32_t)(offset >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | 3 << 12 |
	       (offset & 0x1f) << 7 | 0x23;
}

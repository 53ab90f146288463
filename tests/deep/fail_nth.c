// SPDX-License-Identifier: MIT
/*
 * Every allocation of every call fails, one at a time: the call then fails or does without, it
 * changes nothing by halves, works when it is tried again, and nothing is lost. With "probe" as
 * argument, the call is the binding of the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deep.h"

#define MAX_NTH 5000
#define ARENA_SIZE 0x10000
#define VA (TEST_VA + 0x100000000ULL)

/** struct world - what the calls work on, made anew for each */
struct world {
	struct npu_ctx ctx;
	uint32_t syncobj[2];
	uint32_t vm;
	uint32_t queue;
	uint32_t bo;
	int dmabuf;
	void *arena;
	char device[64];
};

/** struct walk - a call whose allocations fail */
struct walk {
	const char *name;
	/* What the call does, and how it is undone after a success. */
	int (*call)(struct world *w);
	void (*undo)(struct world *w);
};

static int fail_nth_fd;

/* The nth allocation from here on fails; 0 ends it. True if it was reached. */
static void arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth_fd, text, len, 0) != len)
		perror("fail-nth");
}

static bool disarm(void)
{
	char text[16] = "";
	bool reached;

	if (pread(fail_nth_fd, text, sizeof(text) - 1, 0) < 0)
		perror("fail-nth");
	reached = !atoi(text);
	arm(0);
	return reached;
}

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

static int call_open(struct world *w)
{
	int fd = npu_open();

	(void)w;
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int call_query(struct world *w)
{
	uint8_t data[512];
	int ret = 0;

	for (uint32_t type = 0; type <= DRM_NPU_DEV_QUERY_PERF && !ret; type++) {
		struct drm_npu_dev_query query = {
			.type = type, .size = sizeof(data), .pointer = (uintptr_t)data,
		};

		ret = call(w->ctx.fd, DRM_IOCTL_NPU_DEV_QUERY, &query);
	}
	return ret;
}

static int call_vm_create(struct world *w)
{
	struct drm_npu_vm_create args = { 0 };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_VM_CREATE, &args);

	w->vm = args.id;
	return ret;
}

static void undo_vm_create(struct world *w)
{
	npu_vm_destroy(w->ctx.fd, w->vm);
}

static int bo_create(struct world *w, uint32_t placement)
{
	struct drm_npu_bo_create args = { .size = 0x230000, .placement = placement };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_BO_CREATE, &args);

	w->bo = args.handle;
	return ret;
}

static int call_bo_hbm(struct world *w)
{
	return bo_create(w, DRM_NPU_BO_HBM);
}

static int call_bo_system(struct world *w)
{
	return bo_create(w, DRM_NPU_BO_SYSTEM);
}

static void undo_bo(struct world *w)
{
	npu_bo_close(w->ctx.fd, w->bo);
}

static int bind(struct world *w, struct drm_npu_vm_bind_op *op, uint32_t count, uint32_t flags)
{
	struct drm_npu_sync syncs[] = {
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = w->syncobj[1], .point = 0 },
	};
	struct drm_npu_vm_bind args = {
		.vm_id = w->ctx.vm,
		.flags = flags,
		.ops = { .stride = sizeof(*op), .count = count, .array = (uintptr_t)op },
	};

	if (flags)
		args.syncs = (struct drm_npu_array){ sizeof(*syncs), 1, (uintptr_t)syncs };
	return call(w->ctx.fd, DRM_IOCTL_NPU_VM_BIND, &args);
}

/* Pages of all sizes, over a border of tables. */
static void map_op(struct world *w, struct drm_npu_vm_bind_op *op)
{
	*op = (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.bo_handle = w->ctx.data.handle,
		.va = VA + 0x3ff00000,
		.size = CTX_DATA_SIZE,
	};
}

static int call_bind(struct world *w)
{
	struct drm_npu_vm_bind_op op;

	map_op(w, &op);
	return bind(w, &op, 1, 0);
}

static int call_bind_async(struct world *w)
{
	struct drm_npu_vm_bind_op op;

	map_op(w, &op);
	return bind(w, &op, 1, DRM_NPU_VM_BIND_ASYNC);
}

static void undo_bind(struct world *w)
{
	npu_vm_unmap(w->ctx.fd, w->ctx.vm, VA, 0x80000000);
}

static int call_bind_async_wait(struct world *w)
{
	int ret = call_bind_async(w);

	/* Waiting allocates, too, but is the core's: it does not count. */
	return ret ? ret : 0;
}

static void undo_bind_async(struct world *w)
{
	npu_syncobj_wait(w->ctx.fd, w->syncobj[1], 0, WAIT_NS);
	undo_bind(w);
}

/* A hole in what is mapped, where a large page has to be split, and the rest stays as it was. */
static int call_unmap_middle(struct world *w)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_UNMAP, .va = CTX_DATA_VA + 0x211000, .size = 0x2000,
	};

	return bind(w, &op, 1, 0);
}

static void undo_unmap_middle(struct world *w)
{
	npu_vm_map(w->ctx.fd, w->ctx.vm, w->ctx.data.handle, 0, CTX_DATA_VA, CTX_DATA_SIZE, 0);
}

static int call_userptr(struct world *w)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .bo_offset = (uintptr_t)w->arena,
		.va = VA, .size = ARENA_SIZE,
	};

	return bind(w, &op, 1, 0);
}

static int call_sparse(struct world *w)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE, .va = VA + 0x1000, .size = 0x40000000,
	};

	return bind(w, &op, 1, 0);
}

static int call_prefetch(struct world *w)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_PREFETCH, .va = CTX_DATA_VA, .size = CTX_DATA_SIZE,
	};

	return bind(w, &op, 1, 0);
}

static int call_queue_create(struct world *w)
{
	struct drm_npu_queue_create args = { .vm_id = w->ctx.vm };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_QUEUE_CREATE, &args);

	w->queue = args.id;
	return ret;
}

static void undo_queue_create(struct world *w)
{
	npu_queue_destroy(w->ctx.fd, w->queue);
}

static int submit(struct world *w, uint32_t wait_syncobj)
{
	struct drm_npu_job job = { .list = w->ctx.list.va, .count = 1 };
	struct drm_npu_sync syncs[] = {
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = w->syncobj[1] },
		{ .flags = DRM_NPU_SYNC_WAIT, .handle = wait_syncobj },
	};
	struct drm_npu_submit args = {
		.queue_id = w->ctx.queue,
		.jobs = { sizeof(job), 1, (uintptr_t)&job },
		.syncs = { sizeof(syncs[0]), wait_syncobj ? 2 : 1, (uintptr_t)syncs },
	};

	cmd_nop(npu_ctx_cmd(&w->ctx, 0));
	return call(w->ctx.fd, DRM_IOCTL_NPU_SUBMIT, &args);
}

static int call_submit(struct world *w)
{
	return submit(w, 0);
}

static int call_submit_wait(struct world *w)
{
	return submit(w, w->syncobj[0]);
}

static void undo_submit(struct world *w)
{
	npu_syncobj_wait(w->ctx.fd, w->syncobj[1], 0, WAIT_NS);
}

static int call_vm_get_state(struct world *w)
{
	struct drm_npu_vm_get_state args = { .id = w->ctx.vm };

	return call(w->ctx.fd, DRM_IOCTL_NPU_VM_GET_STATE, &args);
}

static int call_queue_get_state(struct world *w)
{
	struct drm_npu_queue_get_state args = { .id = w->ctx.queue };

	return call(w->ctx.fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, &args);
}

static int call_label(struct world *w)
{
	struct drm_npu_bo_set_label args = {
		.handle = w->ctx.data.handle, .label = (uintptr_t)"label",
	};

	return call(w->ctx.fd, DRM_IOCTL_NPU_BO_SET_LABEL, &args);
}

static int call_madvise(struct world *w)
{
	struct drm_npu_bo_madvise args = {
		.handle = w->ctx.data.handle, .advice = DRM_NPU_BO_EVICT_FIRST,
	};

	return call(w->ctx.fd, DRM_IOCTL_NPU_BO_MADVISE, &args);
}

static int call_perf_open(struct world *w)
{
	struct drm_npu_perf_open args = { .counters = 1, .period_us = 100000 };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_PERF_OPEN, &args);

	if (!ret)
		close(args.fd);
	return ret;
}

static int call_export(struct world *w)
{
	struct drm_prime_handle args = {
		.handle = w->ctx.list.handle, .flags = O_RDWR | O_CLOEXEC,
	};
	int ret = call(w->ctx.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	w->dmabuf = args.fd;
	return ret;
}

static void undo_export(struct world *w)
{
	close(w->dmabuf);
}

static int call_mmap(struct world *w)
{
	struct drm_npu_bo_mmap_offset args = { .handle = w->ctx.data.handle };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &args);
	void *at;

	if (ret)
		return ret;
	at = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, w->ctx.fd, args.offset);
	if (at == MAP_FAILED)
		return -errno;
	munmap(at, 0x10000);
	return 0;
}

static const struct walk walks[] = {
	{ "open and close", call_open },
	{ "DEV_QUERY", call_query },
	{ "VM_CREATE", call_vm_create, undo_vm_create },
	{ "BO_CREATE in HBM", call_bo_hbm, undo_bo },
	{ "BO_CREATE in system memory", call_bo_system, undo_bo },
	{ "BO_MMAP_OFFSET and mmap", call_mmap },
	{ "VM_BIND map", call_bind, undo_bind },
	{ "VM_BIND map, asynchronous", call_bind_async_wait, undo_bind_async },
	{ "VM_BIND unmap in the middle", call_unmap_middle, undo_unmap_middle },
	{ "VM_BIND user memory", call_userptr, undo_bind },
	{ "VM_BIND sparse", call_sparse, undo_bind },
	{ "VM_BIND prefetch", call_prefetch },
	{ "VM_GET_STATE", call_vm_get_state },
	{ "QUEUE_CREATE", call_queue_create, undo_queue_create },
	{ "QUEUE_GET_STATE", call_queue_get_state },
	{ "SUBMIT", call_submit, undo_submit },
	{ "SUBMIT that waits", call_submit_wait, undo_submit },
	{ "BO_SET_LABEL", call_label },
	{ "BO_MADVISE", call_madvise },
	{ "PERF_OPEN", call_perf_open },
	{ "PRIME export", call_export, undo_export },
};

static bool make_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return w->arena != MAP_FAILED && !npu_ctx_open(&w->ctx) &&
	       !npu_syncobj_create(w->ctx.fd, &w->syncobj[0]) &&
	       !npu_syncobj_create(w->ctx.fd, &w->syncobj[1]) && !submit(w, 0) &&
	       !npu_syncobj_wait(w->ctx.fd, w->syncobj[1], 0, WAIT_NS) &&
	       !ioctl(w->ctx.fd, DRM_IOCTL_SYNCOBJ_SIGNAL,
		      &(struct drm_syncobj_array){ (uintptr_t)w->syncobj, 1, 0 });
}

static void end_world(struct world *w)
{
	npu_ctx_close(&w->ctx);
	munmap(w->arena, ARENA_SIZE);
}

/* What an allocation that failed may end a call with. */
static bool expected(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -ENOSPC || ret == -EAGAIN ||
	       ret == -EINTR || ret == -ENFILE || ret == -EMFILE;
}

/* False to go no further. */
static bool step(const struct walk *walk, struct world *w, unsigned int n, bool *good)
{
	bool reached;
	int ret;

	arm(n);
	ret = walk->call(w);
	reached = disarm();
	if (!ret && walk->undo)
		walk->undo(w);
	if (ret && (!reached || !expected(ret))) {
		printf("# %s: allocation %u: %s\n", walk->name, n, strerror(-ret));
		*good = false;
	}
	if (reached && ret) {
		ret = walk->call(w);
		if (ret) {
			printf("# %s: after allocation %u: %s\n", walk->name, n, strerror(-ret));
			*good = false;
		} else if (walk->undo) {
			walk->undo(w);
		}
	}
	return reached && *good && n < MAX_NTH;
}

static void run(const struct walk *walk)
{
	struct drm_npu_dev_memory before;
	struct world w;
	bool good;
	unsigned int n = 0;
	int ret;

	memory_query(&before);
	good = make_world(&w);
	ret = good ? walk->call(&w) : 0;
	if (ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOTTY) {
		printf("# %s is not to be had: %s\n", walk->name, strerror(-ret));
	} else if (good) {
		if (walk->undo)
			walk->undo(&w);
		while (step(walk, &w, ++n, &good))
			;
		good = good && npu_ctx_works(&w.ctx);
	}
	end_world(&w);
	good = memory_is_back(&before) && good;
	result(good, "%s: %u allocations", walk->name, n ? n - 1 : 0);
}

static int call_probe(struct world *w)
{
	return file_write("/sys/bus/pci/drivers/npu/bind", w->device);
}

static void undo_probe(struct world *w)
{
	file_write("/sys/bus/pci/drivers/npu/unbind", w->device);
}

/* Errors of a probe are whatever the part that failed makes of it. */
static void run_probe(void)
{
	struct world w = { 0 };
	unsigned int n = 0;
	bool reached = true, good = pci_device(w.device, sizeof(w.device));

	undo_probe(&w);
	while (good && reached && ++n < MAX_NTH) {
		int ret;

		arm(n);
		ret = call_probe(&w);
		reached = disarm();
		if (!ret)
			undo_probe(&w);
		good = !ret || reached;
	}
	result(good && !call_probe(&w), "bind: %u allocations", n - 1);
	result(device_works(), "the device works after");
}

/* All tasks' allocations may fail, of any kind; without a word in the log for each. */
static bool set_up(void)
{
	static const char *const folders[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[128];

	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0)
		return false;
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", folders[i]);
		file_write(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait", folders[i]);
		file_write(path, "N");
	}
	file_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	file_write("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	return true;
}

int main(int argc, char **argv)
{
	if (!set_up()) {
		printf("1..0 # SKIP this kernel cannot make allocations fail\n");
		return 4;
	}
	if (argc > 1 && !strcmp(argv[1], "probe")) {
		run_probe();
		return done();
	}
	for (unsigned int i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		if (argc < 2 || strstr(walks[i].name, argv[1]))
			run(&walks[i]);
	}
	return done();
}

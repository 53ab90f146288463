// SPDX-License-Identifier: MIT
/*
 * Every allocation of every call fails, one at a time: the call then fails or does without, it
 * changes nothing by halves, works when it is tried again, and nothing is lost. With "probe" as
 * argument, the call is the binding of the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deep.h"

#define MAX_NTH 5000
#define MAX_PROBES 150
#define ARENA_SIZE 0x10000
#define VA (TEST_VA + 0x100000000ULL)

/** struct world - what the calls work on, made anew for each */
struct world {
	struct npu_ctx ctx;
	uint32_t syncobj[2];
	uint32_t vm;
	uint32_t queue;
	uint32_t bo;
	/* Another file, whose buffers fill HBM. */
	int other;
	uint32_t filler;
	uint32_t imported;
	int dmabuf;
	int foreign;
	int memfd;
	void *arena;
	uint8_t *cpu;
	/* Of the device file; and the device's PCI address. */
	char node[64];
	char device[64];
};

/** struct walk - a call whose allocations fail */
struct walk {
	const char *name;
	/* What the call does, and how it is undone after a success. */
	int (*call)(struct world *w);
	void (*undo)(struct world *w);
	/* What comes before each call, and is undone by nothing but it; and before a second try. */
	int (*prepare)(struct world *w);
	int (*again)(struct world *w);
};

/* What fails, by its folder in debugfs. */
static const char *const folders[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

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

	/* It may be this one that fails: then the call did not get there. */
	reached = pread(fail_nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (pwrite(fail_nth_fd, "0", 1, 0) != 1)
		;
	return reached;
}

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

static int call_open(struct world *w)
{
	int fd = open(w->node, O_RDWR | O_CLOEXEC);

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

static int call_vm_destroy(struct world *w)
{
	return call(w->ctx.fd, DRM_IOCTL_NPU_VM_DESTROY, &(struct drm_npu_vm_destroy){ w->vm });
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

static int bind_op(struct world *w, uint32_t flags, struct drm_npu_vm_bind_op op)
{
	return bind(w, &op, 1, flags);
}

/* Pages of all sizes, over a border of tables. */
static int bind_map(struct world *w, uint32_t flags)
{
	return bind_op(w, flags, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP, .bo_handle = w->ctx.data.handle,
		.va = VA + 0x3ff00000, .size = CTX_DATA_SIZE,
	});
}

/* A hole in what is mapped, where a large page has to be split, and the rest stays as it was. */
static int bind_unmap(struct world *w, uint32_t flags)
{
	return bind_op(w, flags, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_UNMAP, .va = CTX_DATA_VA + 0x211000, .size = 0x2000,
	});
}

static int bind_userptr(struct world *w, uint32_t flags)
{
	return bind_op(w, flags, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .bo_offset = (uintptr_t)w->arena,
		.va = VA, .size = ARENA_SIZE,
	});
}

static int bind_sparse(struct world *w, uint32_t flags)
{
	return bind_op(w, flags, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE, .va = VA + 0x1000, .size = 0x40000000,
	});
}

static int bind_prefetch(struct world *w, uint32_t flags)
{
	return bind_op(w, flags, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_PREFETCH, .va = CTX_DATA_VA, .size = CTX_DATA_SIZE,
	});
}

static int call_map(struct world *w)
{
	return bind_map(w, 0);
}

static int call_map_async(struct world *w)
{
	return bind_map(w, DRM_NPU_VM_BIND_ASYNC);
}

static int call_unmap(struct world *w)
{
	return bind_unmap(w, 0);
}

static int call_unmap_async(struct world *w)
{
	return bind_unmap(w, DRM_NPU_VM_BIND_ASYNC);
}

static int call_userptr(struct world *w)
{
	return bind_userptr(w, 0);
}

static int call_userptr_async(struct world *w)
{
	return bind_userptr(w, DRM_NPU_VM_BIND_ASYNC);
}

static int call_sparse(struct world *w)
{
	return bind_sparse(w, 0);
}

static int call_sparse_async(struct world *w)
{
	return bind_sparse(w, DRM_NPU_VM_BIND_ASYNC);
}

static int call_prefetch(struct world *w)
{
	return bind_prefetch(w, 0);
}

static int call_prefetch_async(struct world *w)
{
	return bind_prefetch(w, DRM_NPU_VM_BIND_ASYNC);
}

static void undo_map(struct world *w)
{
	npu_vm_unmap(w->ctx.fd, w->ctx.vm, VA, 0x80000000);
}

/* Waiting allocates, too, but is the core's: it does not count. */
static void undo_async(struct world *w)
{
	npu_syncobj_wait(w->ctx.fd, w->syncobj[1], 0, WAIT_NS);
}

static void undo_map_async(struct world *w)
{
	undo_async(w);
	undo_map(w);
}

static void undo_unmap(struct world *w)
{
	npu_vm_map(w->ctx.fd, w->ctx.vm, w->ctx.data.handle, 0, CTX_DATA_VA, CTX_DATA_SIZE, 0);
}

static void undo_unmap_async(struct world *w)
{
	undo_async(w);
	undo_unmap(w);
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

static int call_queue_destroy(struct world *w)
{
	return call(w->ctx.fd, DRM_IOCTL_NPU_QUEUE_DESTROY,
		    &(struct drm_npu_queue_destroy){ w->queue });
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

/* Pages of shared memory, which another driver exports. */
static int make_foreign(void)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = ARENA_SIZE };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd = -1;

	create.memfd = memfd_create("fail_nth", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (!ftruncate(create.memfd, ARENA_SIZE) &&
	    !fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = ioctl(device, UDMABUF_CREATE, &create);
	close(create.memfd);
	close(device);
	return fd;
}

/* Then the device is told of the pages when they are mapped. */
static int call_import(struct world *w)
{
	struct drm_prime_handle args = { .fd = w->foreign };
	int ret = call(w->ctx.fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	w->imported = args.handle;
	return ret;
}

static void undo_import(struct world *w)
{
	npu_bo_close(w->ctx.fd, w->imported);
}

/* The same pages may still be mapped: TTM lets go of what is imported in the background. */
static int renew_foreign(struct world *w)
{
	close(w->foreign);
	w->foreign = make_foreign();
	return w->foreign < 0 ? -EOPNOTSUPP : 0;
}

static int prepare_map_import(struct world *w)
{
	return renew_foreign(w) ?: call_import(w);
}

static int call_map_import(struct world *w)
{
	return bind_op(w, 0, (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP, .bo_handle = w->imported, .va = VA,
		.size = ARENA_SIZE,
	});
}

static void undo_map_import(struct world *w)
{
	undo_map(w);
	undo_import(w);
}

static int call_mmap(struct world *w)
{
	struct drm_npu_bo_mmap_offset args = { .handle = w->ctx.data.handle };
	int ret = call(w->ctx.fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &args);
	void *at;

	if (ret)
		return ret;
	at = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->ctx.fd, args.offset);
	if (at == MAP_FAILED)
		return -errno;
	munmap(at, ARENA_SIZE);
	return 0;
}

static int prepare_fault(struct world *w)
{
	w->cpu = npu_bo_mmap(w->ctx.fd, w->ctx.data.handle, ARENA_SIZE);
	return w->cpu == MAP_FAILED ? -errno : 0;
}

/* The kernel touches the page: where it cannot be had, that is an error and not a signal. */
static int call_fault(struct world *w)
{
	return pwrite(w->memfd, w->cpu, 8, 0) == 8 ? 0 : -errno;
}

static void undo_fault(struct world *w)
{
	munmap(w->cpu, ARENA_SIZE);
}

/* All of HBM but what page tables may need is another's, and idle. */
static int prepare_eviction(struct world *w)
{
	struct drm_npu_dev_memory memory;
	uint64_t size;

	memory_query(&memory);
	size = memory.hbm_size / 4 * 3;
	return size > 1ULL << 28 ? -EOPNOTSUPP :
	       npu_bo_create(w->other, size, DRM_NPU_BO_HBM, &w->filler);
}

static int call_evict(struct world *w)
{
	struct drm_npu_dev_memory memory;
	struct drm_npu_bo_create args = { .placement = DRM_NPU_BO_HBM };
	int ret;

	ret = npu_query(w->other, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory));
	if (ret)
		return ret;
	args.size = memory.hbm_size / 2;
	ret = call(w->ctx.fd, DRM_IOCTL_NPU_BO_CREATE, &args);
	w->bo = args.handle;
	return ret;
}

static void undo_evict(struct world *w)
{
	npu_bo_close(w->ctx.fd, w->bo);
	npu_bo_close(w->other, w->filler);
}

/* The other way round: what the VM needs has been moved out, and has to come back. */
static int prepare_return(struct world *w)
{
	struct drm_npu_dev_memory memory;
	int ret;

	memory_query(&memory);
	ret = memory.hbm_size > 1ULL << 28 ? -EOPNOTSUPP :
	      npu_bo_create(w->other, memory.hbm_size - CTX_DATA_SIZE, DRM_NPU_BO_HBM,
			    &w->filler);
	if (!ret)
		npu_bo_close(w->other, w->filler);
	return ret;
}

static int call_fdinfo(struct world *w)
{
	char path[64], text[4096];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->ctx.fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static const struct walk walks[] = {
	{ "open and close", call_open },
	{ "DEV_QUERY", call_query },
	{ "VM_CREATE", call_vm_create, undo_vm_create },
	{ "BO_CREATE in HBM", call_bo_hbm, undo_bo },
	{ "BO_CREATE in system memory", call_bo_system, undo_bo },
	{ "BO_CREATE that evicts", call_evict, undo_evict, prepare_eviction },
	{ "BO_MMAP_OFFSET and mmap", call_mmap },
	{ "page fault", call_fault, undo_fault, prepare_fault },
	{ "VM_BIND map", call_map, undo_map },
	{ "VM_BIND map, asynchronous", call_map_async, undo_map_async },
	{ "VM_BIND unmap in the middle", call_unmap, undo_unmap },
	{ "VM_BIND unmap, asynchronous", call_unmap_async, undo_unmap_async },
	{ "VM_BIND user memory", call_userptr, undo_map },
	{ "VM_BIND user memory, asynchronous", call_userptr_async, undo_map_async },
	{ "VM_BIND sparse", call_sparse, undo_map },
	{ "VM_BIND sparse, asynchronous", call_sparse_async, undo_map_async },
	{ "VM_BIND prefetch", call_prefetch },
	{ "VM_BIND prefetch, asynchronous", call_prefetch_async, undo_async },
	{ "VM_BIND prefetch of what was evicted", call_prefetch, NULL, prepare_return },
	{ "VM_BIND map of what is imported", call_map_import, undo_map_import,
	  prepare_map_import },
	{ "VM_GET_STATE", call_vm_get_state },
	{ "VM_DESTROY", call_vm_destroy, NULL, call_vm_create },
	{ "QUEUE_CREATE", call_queue_create, undo_queue_create },
	{ "QUEUE_GET_STATE", call_queue_get_state },
	{ "QUEUE_DESTROY", call_queue_destroy, NULL, call_queue_create },
	{ "SUBMIT", call_submit, undo_async },
	{ "SUBMIT that waits", call_submit_wait, undo_async },
	{ "SUBMIT with what was evicted", call_submit, undo_async, prepare_return },
	{ "BO_SET_LABEL", call_label },
	{ "BO_MADVISE", call_madvise },
	{ "PERF_OPEN", call_perf_open },
	{ "PRIME export", call_export, undo_export },
	{ "PRIME import", call_import, undo_import, renew_foreign, renew_foreign },
	{ "fdinfo", call_fdinfo },
};

static bool make_world(struct world *w)
{
	char link[64];

	memset(w, 0, sizeof(*w));
	w->arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	w->other = npu_open();
	snprintf(link, sizeof(link), "/proc/self/fd/%d", w->other);
	if (readlink(link, w->node, sizeof(w->node) - 1) < 0)
		return false;
	w->foreign = make_foreign();
	w->memfd = memfd_create("fail_nth", MFD_CLOEXEC);
	return w->arena != MAP_FAILED && pwrite(w->memfd, w->arena, 8, 0) == 8 &&
	       !npu_ctx_open(&w->ctx) &&
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
	/* Files, too, that a call has made and could not tell of. */
	close_range(fail_nth_fd + 1, ~0u, 0);
}

/* What an allocation that failed may end a call with. */
static bool expected(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -ENOSPC || ret == -EAGAIN ||
	       ret == -EINTR || ret == -ENFILE || ret == -EMFILE;
}

/* What is mapped in the VM, and what it had from the start. */
static uint64_t mapped(struct world *w)
{
	struct drm_npu_vm_get_state state = { .id = w->ctx.vm };

	return npu_ioctl(w->ctx.fd, DRM_IOCTL_NPU_VM_GET_STATE, &state) ? ~0ULL :
	       state.mapped + state.sparse;
}

static int ready(const struct walk *walk, struct world *w)
{
	return walk->prepare ? walk->prepare(w) : 0;
}

static void undo(const struct walk *walk, struct world *w)
{
	if (walk->undo)
		walk->undo(w);
}

/*
 * After a failure nothing has changed, and the same call works. But the last thing that can fail is
 * to tell user space what has been done.
 */
static bool unharmed(const struct walk *walk, struct world *w, unsigned int n, uint64_t before,
		     int error)
{
	uint64_t now = mapped(w);
	int ret;

	if (now != before && error == -EFAULT) {
		undo(walk, w);
		return mapped(w) == before;
	}
	if (now != before) {
		printf("# %s: allocation %u: %" PRIu64 " bytes mapped, and before %" PRIu64 "\n",
		       walk->name, n, now, before);
		return false;
	}
	ret = walk->again ? walk->again(w) : 0;
	if (!ret)
		ret = walk->call(w);
	if (ret == -ENOENT && error == -EFAULT)
		return true;
	if (ret) {
		printf("# %s: after allocation %u: %s\n", walk->name, n, strerror(-ret));
		return false;
	}
	undo(walk, w);
	return true;
}

/* False to go no further. */
static bool step(const struct walk *walk, struct world *w, unsigned int n, bool *good)
{
	uint64_t before;
	bool reached;
	int ret = ready(walk, w);

	if (ret) {
		printf("# %s: before allocation %u: %s\n", walk->name, n, strerror(-ret));
		*good = false;
		return false;
	}
	before = mapped(w);
	arm(n);
	ret = walk->call(w);
	reached = disarm();
	if (!ret) {
		undo(walk, w);
	} else if (!reached || !expected(ret)) {
		printf("# %s: allocation %u: %s\n", walk->name, n, strerror(-ret));
		*good = false;
	} else {
		*good = unharmed(walk, w, n, before, ret);
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
	ret = good ? ready(walk, &w) ?: walk->call(&w) : 0;
	if (ret == -EOPNOTSUPP) {
		skip(walk->name);
	} else if (ret) {
		printf("# %s: %s\n", walk->name, strerror(-ret));
		good = false;
	} else if (good) {
		undo(walk, &w);
		while (step(walk, &w, ++n, &good))
			;
		good = good && npu_ctx_works(&w.ctx);
	}
	end_world(&w);
	good = memory_is_back(&before) && good;
	if (ret != -EOPNOTSUPP)
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

/* Addresses of a function of the driver, for fault injection; false if there is none. */
static bool find_function(const char *name, unsigned long *start, unsigned long *end)
{
	char symbol[128], line[512];
	unsigned long at;
	FILE *f;

	*start = 0;
	*end = ~0UL;
	for (int pass = 0; pass < 2; pass++) {
		f = fopen("/proc/kallsyms", "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx %*c %127s", &at, symbol) != 2)
				continue;
			if (!strcmp(symbol, name))
				*start = at;
			else if (pass && at > *start && at < *end)
				*end = at;
		}
		if (f)
			fclose(f);
	}
	return *start;
}

/* Says of code from @start to @end, and what that calls, what is in the name of two files. */
static void set_range(const char *kind, unsigned long start, unsigned long end)
{
	char path[128], text[32];

	for (unsigned int i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s-start", folders[i], kind);
		snprintf(text, sizeof(text), "0x%lx", start);
		file_write(path, text);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s-end", folders[i], kind);
		snprintf(text, sizeof(text), "0x%lx", end);
		file_write(path, text);
	}
}

/*
 * Only what npu_device_init() and those that it calls ask for: when the DRM core cannot have a
 * minor's device, it drops a reference to an error pointer. And when a file of an interrupt in
 * /proc cannot be made, the kernel says nothing, and warns of it when the interrupt is freed.
 */
static bool choose_for_probe(void)
{
	unsigned long start, end;

	if (!find_function("npu_device_init", &start, &end))
		return false;
	set_range("require", start, end);
	if (!find_function("register_irq_proc", &start, &end))
		return false;
	set_range("reject", start, end);
	return true;
}

/* How many allocations a bind has: what is left of more than there are. */
static unsigned int count_probe(struct world *w)
{
	const unsigned int many = 1000000;
	char text[16] = "";

	arm(many);
	if (!call_probe(w) && pread(fail_nth_fd, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	arm(0);
	undo_probe(w);
	return text[0] ? many - atoi(text) : 0;
}

/*
 * Each bind boots the device, and has more allocations than there is time for: some of them, all
 * over it. Errors are whatever the part that failed makes of it.
 */
static void run_probe(void)
{
	unsigned int n, count, step, tried = 0;
	bool good, reached = true;
	struct world w = { 0 };

	good = pci_device(w.device, sizeof(w.device)) && choose_for_probe();
	undo_probe(&w);
	count = count_probe(&w);
	step = 1 + count / MAX_PROBES;
	for (n = 1; good && reached && n <= count; n += step, tried++) {
		int ret;

		arm(n);
		ret = call_probe(&w);
		reached = disarm();
		if (!ret)
			undo_probe(&w);
		good = !ret || reached;
	}
	result(good && tried && !call_probe(&w), "bind: %u of %u allocations", tried, count);
	result(device_works(), "the device works after");
}

/*
 * DRM's buddy allocator frees a block that is still in its tree when it cannot have memory for the
 * halves of it: where that is asked for, nothing fails.
 */
static void spare_buddy(void)
{
	char line[512];
	unsigned long start, size;
	FILE *f = fopen("/proc/modules", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "drm_buddy %lu %*d %*s %*s %lx", &size, &start) == 2)
			set_range("reject", start, start + size);
	}
	if (f)
		fclose(f);
}

/* All tasks' allocations may fail, of any kind; without a word in the log for each. */
static bool set_up(void)
{
	char path[128];

	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0)
		return false;
	for (unsigned int i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", folders[i]);
		file_write(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait", folders[i]);
		file_write(path, "N");
	}
	spare_buddy();
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

// SPDX-License-Identifier: MIT
#include "fake_kmd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmd.h"

#define FAKE_FD 1000
#define MAX_OBJECTS 4096
#define MAX_JOBS 1024
#define PAGE 4096u
#define HBM_BYTES (1ULL << 30)
#define TICKS_PER_S 50000000ULL
#define DEFAULT_TIMEOUT_MS 10000

struct bo {
	uint8_t *bytes;
	uint64_t size;
	uint32_t placement, flags;
	uint32_t vm_id; /* the only VM that it is for, or zero */
	unsigned int mappings;
	bool closed;
};

struct mapping {
	struct mapping *next;
	struct bo *bo;
	uint64_t va, size, offset;
	uint32_t flags;
};

struct vm {
	struct mapping *mappings;
	unsigned int queues;
	unsigned int busy; /* commands at work on its memory */
};

struct syncobj {
	uint64_t submitted, signalled;
};

struct job {
	uint64_t list;
	uint32_t count;
	struct syncobj *syncobj;
	uint64_t point;
};

struct queue {
	pthread_t thread;
	struct vm *vm;
	uint32_t class, timeout_ms;
	bool stop;
	struct job jobs[MAX_JOBS];
	unsigned int head, tail;
	struct drm_npu_queue_get_state state;
};

/* One lock and one condition for all: what it simulates is small. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *bos[MAX_OBJECTS], *vms[MAX_OBJECTS], *queues[MAX_OBJECTS], *syncobjs[MAX_OBJECTS];
static unsigned int files, orphans;
static uint64_t hbm_used, system_used;
static fake_kernel_fn run_kernel;
static unsigned long fail_request;
static int fail_errno;
static unsigned int calls[256];

static void init_once(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ticks(void)
{
	return now_ns() / (1000000000 / TICKS_PER_S);
}

/* False when the deadline has passed. */
static bool wait_change(uint64_t deadline)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / 1000000000),
		.tv_nsec = (long)(deadline % 1000000000),
	};

	return pthread_cond_timedwait(&changed, &lock, &ts) != ETIMEDOUT;
}

static uint32_t insert(void **table, void *object)
{
	for (uint32_t i = 1; i < MAX_OBJECTS; i++) {
		if (!table[i]) {
			table[i] = object;
			return i;
		}
	}
	return 0;
}

static void *find(void **table, uint32_t id)
{
	return id < MAX_OBJECTS ? table[id] : NULL;
}

/* The device: translation, commands, queues. */

struct task {
	struct queue *queue;
	uint32_t index;
	const struct npu_cmd *cmd;
	uint64_t address;
	enum npu_access access;
};

static void *translate(struct task *task, uint64_t va, uint64_t bytes, enum npu_access access)
{
	for (struct mapping *m = task->queue->vm->mappings; m; m = m->next) {
		if (va < m->va || va - m->va >= m->size || bytes > m->size - (va - m->va))
			continue;
		if (access == NPU_ACCESS_WRITE && m->flags & DRM_NPU_VM_BIND_OP_READONLY)
			break;
		if (access == NPU_ACCESS_EXEC && m->flags & DRM_NPU_VM_BIND_OP_NOEXEC)
			break;
		return m->bo->bytes + m->offset + (va - m->va);
	}
	task->address = va;
	task->access = access;
	return NULL;
}

static uint32_t mmu_status(const struct task *task)
{
	static const uint32_t by_access[] = {
		[NPU_ACCESS_READ] = NPU_ST_MMU_READ,
		[NPU_ACCESS_WRITE] = NPU_ST_MMU_WRITE,
		[NPU_ACCESS_EXEC] = NPU_ST_MMU_EXEC,
	};

	return by_access[task->access];
}

/* Work on data goes on without the lock; an address space keeps its buffers meanwhile. */
static void begin_work(struct task *task)
{
	task->queue->vm->busy++;
	pthread_mutex_unlock(&lock);
}

static void end_work(struct task *task)
{
	pthread_mutex_lock(&lock);
	task->queue->vm->busy--;
	pthread_cond_broadcast(&changed);
}

static uint32_t do_copy(struct task *task)
{
	const struct npu_cmd_copy *c = &task->cmd->copy;

	for (uint64_t row = 0; row < c->rows; row++) {
		const void *src =
			translate(task, c->src + row * c->src_pitch, c->row_bytes, NPU_ACCESS_READ);
		void *dst = src ? translate(task, c->dst + row * c->dst_pitch, c->row_bytes,
					    NPU_ACCESS_WRITE)
				: NULL;

		if (!dst)
			return mmu_status(task);
		begin_work(task);
		memcpy(dst, src, c->row_bytes);
		end_work(task);
	}
	return NPU_ST_OK;
}

static uint32_t do_fill(struct task *task)
{
	const struct npu_cmd_fill *f = &task->cmd->fill;

	if (!f->pattern_bytes || f->pattern_bytes > 8 || f->dst % f->pattern_bytes)
		return NPU_ST_CMD_INVALID;
	for (uint64_t row = 0; row < f->rows; row++) {
		uint8_t *dst = translate(task, f->dst + row * f->dst_pitch, f->row_bytes,
					 NPU_ACCESS_WRITE);

		if (!dst)
			return mmu_status(task);
		begin_work(task);
		for (uint64_t i = 0; i < f->row_bytes; i += f->pattern_bytes)
			memcpy(dst + i, &f->pattern, f->pattern_bytes);
		end_work(task);
	}
	return NPU_ST_OK;
}

static uint32_t do_sem_wait(struct task *task)
{
	const uint32_t own_us = task->cmd->timeout_us;
	const uint64_t deadline =
		now_ns() + (own_us ? own_us * 1000ULL : task->queue->timeout_ms * 1000000ULL);

	for (;;) {
		_Atomic uint64_t *sem = translate(task, task->cmd->sem.address, 8, NPU_ACCESS_READ);

		if (task->queue->stop)
			return NPU_ST_ABORTED;
		if (!sem)
			return mmu_status(task);
		if (atomic_load(sem) >= task->cmd->sem.value)
			return NPU_ST_OK;
		if (!wait_change(deadline))
			return NPU_ST_TIMEOUT;
	}
}

static uint32_t do_store(struct task *task, uint64_t address, uint64_t value)
{
	_Atomic uint64_t *word = translate(task, address, 8, NPU_ACCESS_WRITE);

	if (!word)
		return mmu_status(task);
	atomic_store(word, value);
	pthread_cond_broadcast(&changed);
	return NPU_ST_OK;
}

static uint32_t do_kernel(struct task *task)
{
	const struct npu_cmd_kernel *kernel = &task->cmd->kernel;
	const fake_kernel_fn run = run_kernel;
	const void *args = NULL;
	uint32_t status = NPU_ST_OK;

	if (task->queue->class == DRM_NPU_ENGINE_COPY)
		return NPU_ST_ENGINE;
	if (!translate(task, kernel->entry, 4, NPU_ACCESS_EXEC))
		return mmu_status(task);
	if (kernel->args) {
		args = translate(task, kernel->args, 1, NPU_ACCESS_READ);
		if (!args)
			return mmu_status(task);
	}
	if (run) {
		begin_work(task);
		status = run(kernel, args);
		end_work(task);
	}
	return status;
}

static uint32_t execute(struct task *task)
{
	const struct npu_cmd *cmd = task->cmd;

	switch (cmd->opcode) {
	case NPU_CMD_KERNEL:
		return do_kernel(task);
	case NPU_CMD_COPY:
		return do_copy(task);
	case NPU_CMD_FILL:
		return do_fill(task);
	case NPU_CMD_SEM_WAIT:
		return do_sem_wait(task);
	case NPU_CMD_SEM_SIGNAL:
		return do_store(task, cmd->sem.address, cmd->sem.value);
	case NPU_CMD_WRITE:
		return do_store(task, cmd->write.address, cmd->write.value);
	case NPU_CMD_TIMESTAMP:
		return do_store(task, cmd->write.address, now_ticks());
	default:
		return NPU_ST_CMD_INVALID;
	}
}

static void stop_queue(struct task *task, uint32_t status)
{
	struct drm_npu_queue_get_state *state = &task->queue->state;

	state->state = status == NPU_ST_TIMEOUT ? DRM_NPU_QUEUE_TIMEOUT : DRM_NPU_QUEUE_FAULT;
	state->fault_status = status;
	state->fault_command = task->index;
	state->fault_access = task->access;
	state->fault_unit = task->cmd->opcode == NPU_CMD_KERNEL ? NPU_UNIT_SCALAR
			    : task->cmd->opcode == NPU_CMD_COPY ? NPU_UNIT_SDMA
								: NPU_UNIT_SCHED;
	state->fault_pc = task->cmd->opcode == NPU_CMD_KERNEL ? task->cmd->kernel.entry : 0;
	state->fault_address = task->address;
	state->fault_tag = task->cmd->tag;
	state->fault_timestamp = now_ticks();
}

static void run_job(struct queue *queue, const struct job *job)
{
	for (uint32_t i = 0; i < job->count && queue->state.state == DRM_NPU_QUEUE_OK; i++) {
		struct task task = { .queue = queue, .index = i };
		struct npu_cmd *cmd = translate(&task, job->list + i * sizeof(*cmd), sizeof(*cmd),
						NPU_ACCESS_READ);
		struct npu_cmd copy = { 0 };
		uint32_t status;

		task.cmd = &copy;
		if (cmd)
			copy = *cmd;
		status = cmd ? execute(&task) : mmu_status(&task);
		if (queue->stop)
			return;
		if (status)
			stop_queue(&task, status);
	}
}

static void *queue_thread(void *arg)
{
	struct queue *queue = arg;

	pthread_mutex_lock(&lock);
	for (;;) {
		struct job job;

		if (queue->head == queue->tail) {
			if (queue->stop)
				break;
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		job = queue->jobs[queue->tail % MAX_JOBS];
		if (!queue->stop)
			run_job(queue, &job);
		job.syncobj->signalled = job.point;
		queue->tail++;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* The driver: ioctls, under the lock. */

static int query_info(struct drm_npu_dev_info *info)
{
	*info = (struct drm_npu_dev_info){
		.name = "simulated NPU",
		.serial = 42,
		.hw_version = 0x10000,
		.num_cores = 4,
		.va_start = 0x100000000ULL,
		.va_end = 1ULL << 48,
		.timestamp_frequency = TICKS_PER_S,
		.page_sizes = PAGE,
		.core_mask = 0xf,
		.max_queues = MAX_OBJECTS,
		.max_priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
	};
	return sizeof(*info);
}

static int dev_query(struct drm_npu_dev_query *args)
{
	union {
		struct drm_npu_dev_info info;
		struct drm_npu_dev_memory memory;
		struct drm_npu_dev_firmware firmware;
		struct drm_npu_dev_timestamp timestamp;
		struct drm_npu_dev_telemetry telemetry;
	} u = { 0 };
	uint32_t size;

	switch (args->type) {
	case DRM_NPU_DEV_QUERY_INFO:
		size = (uint32_t)query_info(&u.info);
		break;
	case DRM_NPU_DEV_QUERY_MEMORY:
		u.memory.hbm_size = u.memory.hbm_physical = HBM_BYTES;
		u.memory.hbm_used = hbm_used;
		u.memory.system_used = system_used;
		size = sizeof(u.memory);
		break;
	case DRM_NPU_DEV_QUERY_FIRMWARE:
		strcpy(u.firmware.version, "simulated");
		u.firmware.abi_major = 1;
		size = sizeof(u.firmware);
		break;
	case DRM_NPU_DEV_QUERY_TIMESTAMP:
		u.timestamp.cpu_before = now_ns();
		u.timestamp.device = now_ticks();
		u.timestamp.cpu_after = now_ns();
		size = sizeof(u.timestamp);
		break;
	case DRM_NPU_DEV_QUERY_TELEMETRY:
		u.telemetry.samples = 1;
		u.telemetry.temperature_mc = 40000;
		size = sizeof(u.telemetry);
		break;
	default:
		return -EINVAL;
	}
	args->size = args->size < size ? args->size : size;
	memcpy((void *)(uintptr_t)args->pointer, &u, args->size);
	return 0;
}

static int bo_create(struct drm_npu_bo_create *args)
{
	const uint64_t size = (args->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint64_t *used = args->placement == DRM_NPU_BO_HBM ? &hbm_used : &system_used;
	struct bo *bo;

	if (!args->size || args->placement > DRM_NPU_BO_SYSTEM)
		return -EINVAL;
	if (args->vm_id && !find(vms, args->vm_id))
		return -ENOENT;
	if (args->placement == DRM_NPU_BO_HBM && (size < args->size || size > HBM_BYTES - hbm_used))
		return -ENOSPC;
	bo = calloc(1, sizeof(*bo));
	if (bo)
		bo->bytes = aligned_alloc(PAGE, size);
	if (!bo || !bo->bytes) {
		free(bo);
		return -ENOMEM;
	}
	memset(bo->bytes, 0, size);
	bo->size = size;
	bo->placement = args->placement;
	bo->flags = args->flags;
	bo->vm_id = args->vm_id;
	*used += size;
	args->size = size;
	args->handle = insert(bos, bo);
	return 0;
}

static void put_bo(struct bo *bo)
{
	if (!bo->closed || bo->mappings)
		return;
	*(bo->placement == DRM_NPU_BO_HBM ? &hbm_used : &system_used) -= bo->size;
	free(bo->bytes);
	free(bo);
	orphans--;
}

static int bo_close(struct drm_gem_close *args)
{
	struct bo *bo = find(bos, args->handle);

	if (!bo)
		return -EINVAL;
	bos[args->handle] = NULL;
	bo->closed = true;
	orphans++;
	put_bo(bo);
	return 0;
}

static int vm_create(struct drm_npu_vm_create *args)
{
	args->id = insert(vms, calloc(1, sizeof(struct vm)));
	return args->id ? 0 : -ENOMEM;
}

static void unmap_range(struct vm *vm, uint64_t va, uint64_t size)
{
	struct mapping **link = &vm->mappings;

	while (*link) {
		struct mapping *m = *link;

		if (m->va >= va + size || va >= m->va + m->size) {
			link = &m->next;
			continue;
		}
		*link = m->next;
		m->bo->mappings--;
		put_bo(m->bo);
		free(m);
	}
}

static int vm_destroy(struct drm_npu_vm_destroy *args)
{
	struct vm *vm = find(vms, args->id);

	if (!vm)
		return -ENOENT;
	if (vm->queues)
		return -EBUSY;
	unmap_range(vm, 0, UINT64_MAX);
	free(vm);
	vms[args->id] = NULL;
	return 0;
}

static int vm_map(struct vm *vm, const struct drm_npu_vm_bind_op *op)
{
	struct bo *bo = find(bos, op->bo_handle);
	struct mapping *m;

	if (!bo)
		return -ENOENT;
	if ((op->va | op->size | op->bo_offset) % PAGE || !op->size ||
	    op->bo_offset + op->size > bo->size || (bo->vm_id && find(vms, bo->vm_id) != vm))
		return -EINVAL;
	unmap_range(vm, op->va, op->size);
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct mapping){ vm->mappings, bo, op->va, op->size, op->bo_offset, op->flags };
	vm->mappings = m;
	bo->mappings++;
	return 0;
}

static int vm_bind(struct drm_npu_vm_bind *args)
{
	const struct drm_npu_vm_bind_op *ops = (void *)(uintptr_t)args->ops.array;
	struct vm *vm = find(vms, args->vm_id);

	if (!vm)
		return -ENOENT;
	for (uint32_t i = 0; i < args->ops.count; i++) {
		int err = 0;

		if (ops[i].op == DRM_NPU_VM_BIND_OP_MAP) {
			err = vm_map(vm, &ops[i]);
		} else {
			while (vm->busy)
				pthread_cond_wait(&changed, &lock);
			unmap_range(vm, ops[i].va, ops[i].size);
		}
		if (err) {
			args->ops.count = i;
			return err;
		}
	}
	return 0;
}

static int bo_mmap_offset(struct drm_npu_bo_mmap_offset *args)
{
	if (!find(bos, args->handle))
		return -ENOENT;
	args->offset = (uint64_t)args->handle << 32;
	return 0;
}

static int queue_create(struct drm_npu_queue_create *args)
{
	struct vm *vm = find(vms, args->vm_id);
	struct queue *queue;

	if (!vm)
		return -ENOENT;
	if (args->priority > DRM_NPU_QUEUE_PRIORITY_NORMAL)
		return -EACCES;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->vm = vm;
	queue->class = args->engine_class;
	queue->timeout_ms = args->timeout_ms ? args->timeout_ms : DEFAULT_TIMEOUT_MS;
	args->id = insert(queues, queue);
	if (!args->id || pthread_create(&queue->thread, NULL, queue_thread, queue)) {
		queues[args->id] = NULL;
		free(queue);
		return -EAGAIN;
	}
	vm->queues++;
	return 0;
}

static int queue_destroy(struct drm_npu_queue_destroy *args)
{
	struct queue *queue = find(queues, args->id);

	if (!queue)
		return -ENOENT;
	queues[args->id] = NULL;
	queue->stop = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(queue->thread, NULL);
	pthread_mutex_lock(&lock);
	queue->vm->queues--;
	free(queue);
	return 0;
}

static int queue_get_state(struct drm_npu_queue_get_state *args)
{
	struct queue *queue = find(queues, args->id);
	const uint32_t id = args->id;

	if (!queue)
		return -ENOENT;
	*args = queue->state;
	args->id = id;
	return 0;
}

static int submit(struct drm_npu_submit *args)
{
	const struct drm_npu_job *jobs = (void *)(uintptr_t)args->jobs.array;
	const struct drm_npu_sync *syncs = (void *)(uintptr_t)args->syncs.array;
	struct queue *queue = find(queues, args->queue_id);
	struct syncobj *syncobj;

	if (!queue)
		return -ENOENT;
	if (queue->state.state != DRM_NPU_QUEUE_OK)
		return -ECANCELED;
	if (args->jobs.count != 1 || args->syncs.count != 1 || jobs[0].list % 64 || !jobs[0].count)
		return -EINVAL;
	syncobj = find(syncobjs, syncs[0].handle);
	if (!syncobj || syncs[0].flags != DRM_NPU_SYNC_SIGNAL ||
	    syncs[0].point <= syncobj->submitted)
		return -EINVAL;
	while (queue->head - queue->tail == MAX_JOBS)
		pthread_cond_wait(&changed, &lock);
	syncobj->submitted = syncs[0].point;
	queue->jobs[queue->head++ % MAX_JOBS] =
		(struct job){ jobs[0].list, jobs[0].count, syncobj, syncs[0].point };
	pthread_cond_broadcast(&changed);
	return 0;
}

static int dispatch(unsigned long request, void *arg)
{
	switch (request) {
	case DRM_IOCTL_NPU_DEV_QUERY:
		return dev_query(arg);
	case DRM_IOCTL_NPU_VM_CREATE:
		return vm_create(arg);
	case DRM_IOCTL_NPU_VM_DESTROY:
		return vm_destroy(arg);
	case DRM_IOCTL_NPU_VM_BIND:
		return vm_bind(arg);
	case DRM_IOCTL_NPU_BO_CREATE:
		return bo_create(arg);
	case DRM_IOCTL_NPU_BO_MMAP_OFFSET:
		return bo_mmap_offset(arg);
	case DRM_IOCTL_NPU_QUEUE_CREATE:
		return queue_create(arg);
	case DRM_IOCTL_NPU_QUEUE_DESTROY:
		return queue_destroy(arg);
	case DRM_IOCTL_NPU_QUEUE_GET_STATE:
		return queue_get_state(arg);
	case DRM_IOCTL_NPU_SUBMIT:
		return submit(arg);
	case DRM_IOCTL_GEM_CLOSE:
		return bo_close(arg);
	default:
		return -ENOTTY;
	}
}

/* kmd.h */

int kmd_enumerate(struct kmd_node *nodes, unsigned int max)
{
	if (!max)
		return 0;
	snprintf(nodes[0].path, sizeof(nodes[0].path), "/dev/accel/accel0");
	snprintf(nodes[0].bus_id, sizeof(nodes[0].bus_id), "0000:00:04.0");
	return 1;
}

int kmd_open(const char *path, uint32_t *driver_major, uint32_t *driver_minor)
{
	(void)path;
	pthread_once(&once, init_once);
	*driver_major = 1;
	*driver_minor = 1;
	pthread_mutex_lock(&lock);
	files++;
	pthread_mutex_unlock(&lock);
	return FAKE_FD;
}

void kmd_close(int fd)
{
	(void)fd;
	pthread_mutex_lock(&lock);
	files--;
	pthread_mutex_unlock(&lock);
}

int kmd_ioctl(int fd, unsigned long request, void *arg)
{
	int err;

	if (fd != FAKE_FD)
		return -EBADF;
	pthread_mutex_lock(&lock);
	calls[request % 256]++;
	if (fail_request && fail_request == request) {
		err = -fail_errno;
		fail_request = 0;
	} else {
		err = dispatch(request, arg);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

int kmd_mmap(int fd, uint64_t offset, size_t bytes, void **pointer)
{
	struct bo *bo;
	int err = 0;

	(void)fd;
	pthread_mutex_lock(&lock);
	bo = find(bos, (uint32_t)(offset >> 32));
	if (!bo || bytes > bo->size)
		err = -EINVAL;
	else
		*pointer = bo->bytes;
	pthread_mutex_unlock(&lock);
	return err;
}

void kmd_munmap(void *pointer, size_t bytes)
{
	(void)pointer;
	(void)bytes;
}

int kmd_syncobj_create(int fd, uint32_t *handle)
{
	(void)fd;
	pthread_mutex_lock(&lock);
	*handle = insert(syncobjs, calloc(1, sizeof(struct syncobj)));
	pthread_mutex_unlock(&lock);
	return *handle ? 0 : -ENOMEM;
}

void kmd_syncobj_destroy(int fd, uint32_t handle)
{
	(void)fd;
	pthread_mutex_lock(&lock);
	free(find(syncobjs, handle));
	syncobjs[handle] = NULL;
	pthread_mutex_unlock(&lock);
}

int kmd_syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t deadline)
{
	struct syncobj *syncobj;
	int err = 0;

	(void)fd;
	pthread_mutex_lock(&lock);
	syncobj = find(syncobjs, handle);
	if (!syncobj)
		err = -ENOENT;
	else if (point > syncobj->submitted)
		err = -EINVAL;
	while (!err && syncobj->signalled < point) {
		if (!wait_change((uint64_t)deadline))
			err = -ETIME;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* fake_kmd.h */

void fake_fail_next(unsigned long request, int err)
{
	pthread_mutex_lock(&lock);
	fail_request = request;
	fail_errno = err;
	pthread_mutex_unlock(&lock);
}

unsigned int fake_calls(unsigned long request)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	n = calls[request % 256];
	pthread_mutex_unlock(&lock);
	return n;
}

void fake_set_kernel(fake_kernel_fn run)
{
	pthread_mutex_lock(&lock);
	run_kernel = run;
	pthread_mutex_unlock(&lock);
}

void fake_reset(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < MAX_OBJECTS; i++) {
		struct queue *queue = queues[i];

		if (queue) {
			queue->state.state = DRM_NPU_QUEUE_LOST;
			queue->state.reset_count++;
		}
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned int fake_leaks(void)
{
	unsigned int leaks;

	pthread_mutex_lock(&lock);
	leaks = files + orphans;
	for (unsigned int i = 0; i < MAX_OBJECTS; i++)
		leaks += !!bos[i] + !!vms[i] + !!queues[i] + !!syncobjs[i];
	pthread_mutex_unlock(&lock);
	return leaks;
}

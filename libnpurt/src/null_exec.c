// SPDX-License-Identifier: MIT
/*
 * Null device: what commands do.
 */
#include "null.h"

#include <string.h>

static _Atomic(null_kernel_fn) kernel_fn;
static _Atomic(const uint8_t *) poison;

void null_poison(const void *bytes)
{
	atomic_store(&poison, bytes);
}

void null_set_kernel(null_kernel_fn run)
{
	atomic_store(&kernel_fn, run);
}

static uint32_t mmu_status(const struct null_task *task)
{
	static const uint32_t by_access[] = {
		[NPU_ACCESS_READ] = NPU_ST_MMU_READ,
		[NPU_ACCESS_WRITE] = NPU_ST_MMU_WRITE,
		[NPU_ACCESS_EXEC] = NPU_ST_MMU_EXEC,
	};

	return by_access[task->access];
}

static void *translate(struct null_task *task, uint64_t va, enum npu_access access, uint64_t *bytes)
{
	void *memory = null_translate(task->queue->vm, va, access, bytes);

	if (!memory) {
		task->address = va;
		task->access = access;
	}
	return memory;
}

/* An aligned word, which is always in one piece. */
static void *word_at(struct null_task *task, uint64_t va, enum npu_access access)
{
	uint64_t bytes = sizeof(uint64_t);

	return translate(task, va, access, &bytes);
}

/* Data are worked on without the lock; the address space keeps its buffers meanwhile. */
static void begin_work(struct null_task *task)
{
	task->queue->vm->busy++;
	pthread_mutex_unlock(&task->file->lock);
}

static void end_work(struct null_task *task)
{
	pthread_mutex_lock(&task->file->lock);
	task->queue->vm->busy--;
	pthread_cond_broadcast(&task->file->done);
}

uint32_t null_fetch(struct null_task *task, uint64_t list, uint32_t index)
{
	uint64_t bytes = sizeof(task->cmd);
	const void *cmd = translate(task, list + index * bytes, NPU_ACCESS_READ, &bytes);

	if (!cmd)
		return mmu_status(task);
	memcpy(&task->cmd, cmd, sizeof(task->cmd));
	return NPU_ST_OK;
}

static bool is_poisoned(const uint8_t *from, uint64_t bytes)
{
	const uint8_t *at = atomic_load(&poison);

	return at && at >= from && at < from + bytes;
}

static uint32_t copy_row(struct null_task *task, uint64_t dst, uint64_t src, uint64_t row_bytes)
{
	while (row_bytes) {
		uint64_t bytes = row_bytes;
		const void *from = translate(task, src, NPU_ACCESS_READ, &bytes);
		void *to = from ? translate(task, dst, NPU_ACCESS_WRITE, &bytes) : NULL;

		if (!to)
			return mmu_status(task);
		if (is_poisoned(from, bytes)) {
			task->address = src;
			task->access = NPU_ACCESS_READ;
			return NPU_ST_HBM_ECC;
		}
		begin_work(task);
		memmove(to, from, bytes);
		end_work(task);
		dst += bytes;
		src += bytes;
		row_bytes -= bytes;
	}
	return NPU_ST_OK;
}

static uint32_t do_copy(struct null_task *task)
{
	const struct npu_cmd_copy *c = &task->cmd.copy;
	uint32_t status = NPU_ST_OK;

	for (uint64_t row = 0; row < c->rows && !status; row++)
		status = copy_row(task, c->dst + row * c->dst_pitch, c->src + row * c->src_pitch,
				  c->row_bytes);
	return status;
}

static uint32_t fill_row(struct null_task *task, uint64_t dst, uint64_t row_bytes)
{
	const struct npu_cmd_fill *f = &task->cmd.fill;

	while (row_bytes) {
		uint64_t bytes = row_bytes;
		uint8_t *to = translate(task, dst, NPU_ACCESS_WRITE, &bytes);

		if (!to)
			return mmu_status(task);
		begin_work(task);
		for (uint64_t i = 0; i < bytes; i += f->pattern_bytes)
			memcpy(to + i, &f->pattern, f->pattern_bytes);
		end_work(task);
		dst += bytes;
		row_bytes -= bytes;
	}
	return NPU_ST_OK;
}

static uint32_t do_fill(struct null_task *task)
{
	const struct npu_cmd_fill *f = &task->cmd.fill;
	const uint32_t n = f->pattern_bytes;
	uint32_t status = NPU_ST_OK;

	if ((n != 1 && n != 2 && n != 4 && n != 8) || f->dst % n || f->row_bytes % n ||
	    (f->rows > 1 && f->dst_pitch % n))
		return NPU_ST_CMD_INVALID;
	for (uint64_t row = 0; row < f->rows && !status; row++)
		status = fill_row(task, f->dst + row * f->dst_pitch, f->row_bytes);
	return status;
}

static bool condition_met(uint64_t memory, uint32_t condition, uint64_t value)
{
	switch (condition) {
	case NPU_SEM_GE:
		return memory >= value;
	case NPU_SEM_EQ:
		return memory == value;
	default:
		return memory != value;
	}
}

static uint32_t do_sem_wait(struct null_task *task)
{
	const struct npu_cmd_sem *sem = &task->cmd.sem;
	_Atomic uint64_t *word;

	if (sem->op > NPU_SEM_NE || sem->address % 8)
		return NPU_ST_CMD_INVALID;
	word = word_at(task, sem->address, NPU_ACCESS_READ);
	if (!word)
		return mmu_status(task);
	return condition_met(atomic_load(word), sem->op, sem->value) ? NPU_ST_OK : NULL_AGAIN;
}

/* The target becomes the next command: the queue goes one on from its index. */
static uint32_t do_branch(struct null_task *task)
{
	const struct npu_cmd_branch *b = &task->cmd.branch;
	struct null_queue *queue = task->queue;
	const int64_t target = (int64_t)queue->index + (int32_t)b->offset;
	_Atomic uint64_t *word;

	if (b->op > NPU_SEM_NE || b->address % 8 || !b->offset || target < 0 ||
	    target > queue->first->job.count)
		return NPU_ST_CMD_INVALID;
	word = word_at(task, b->address, NPU_ACCESS_READ);
	if (!word)
		return mmu_status(task);
	if (!condition_met(atomic_load(word), b->op, b->value))
		return NPU_ST_OK;
	if (target <= queue->index) {
		const uint64_t now = null_now_ns();

		if (!queue->loop_start)
			queue->loop_start = now;
		if (now - queue->loop_start >= null_timeout_ns(queue, &task->cmd))
			return NPU_ST_TIMEOUT;
	}
	queue->index = (uint32_t)target - 1;
	return NPU_ST_OK;
}

static uint32_t do_reduce(struct null_task *task)
{
	const struct npu_cmd_reduce *r = &task->cmd.reduce;
	const uint32_t size = null_dtype_size(r->type);
	uint64_t left = r->bytes, at = 0;

	if (!size || r->op > NPU_REDUCE_MAX || (r->dst | r->src | r->bytes) % size)
		return NPU_ST_CMD_INVALID;
	while (left) {
		uint64_t bytes = left;
		const void *src = translate(task, r->src + at, NPU_ACCESS_READ, &bytes);
		void *dst = src ? translate(task, r->dst + at, NPU_ACCESS_WRITE, &bytes) : NULL;

		if (!dst)
			return mmu_status(task);
		begin_work(task);
		null_reduce(dst, src, bytes, r->type, r->op);
		end_work(task);
		at += bytes;
		left -= bytes;
	}
	return NPU_ST_OK;
}

static uint32_t do_sem_signal(struct null_task *task)
{
	const struct npu_cmd_sem *sem = &task->cmd.sem;
	_Atomic uint64_t *word;
	uint64_t old;

	if (sem->op > NPU_SEM_MAX || sem->address % 8)
		return NPU_ST_CMD_INVALID;
	word = word_at(task, sem->address, NPU_ACCESS_WRITE);
	if (!word)
		return mmu_status(task);
	old = atomic_load(word);
	if (sem->op == NPU_SEM_ADD)
		atomic_fetch_add(word, sem->value);
	else if (sem->op == NPU_SEM_SET)
		atomic_store(word, sem->value);
	else
		while (old < sem->value && !atomic_compare_exchange_weak(word, &old, sem->value))
			;
	return NPU_ST_OK;
}

static uint32_t do_write(struct null_task *task, uint64_t value)
{
	const struct npu_cmd_write *w = &task->cmd.write;
	void *word;

	if ((w->bytes != 4 && w->bytes != 8) || w->address % w->bytes)
		return NPU_ST_CMD_INVALID;
	word = word_at(task, w->address, NPU_ACCESS_WRITE);
	if (!word)
		return mmu_status(task);
	if (w->bytes == 8)
		atomic_store((_Atomic uint64_t *)word, value);
	else
		atomic_store((_Atomic uint32_t *)word, (uint32_t)value);
	return NPU_ST_OK;
}

/* A kernel does not compute: it must be there, with its arguments, and ends. */
static uint32_t do_kernel(struct null_task *task)
{
	const struct npu_cmd_kernel *kernel = &task->cmd.kernel;
	const null_kernel_fn run = atomic_load(&kernel_fn);
	const void *args = NULL;
	uint32_t status;

	if (!kernel->blocks || kernel->entry % 2)
		return NPU_ST_CMD_INVALID;
	if (task->queue->class == DRM_NPU_ENGINE_COPY)
		return NPU_ST_ENGINE;
	if (!word_at(task, kernel->entry, NPU_ACCESS_EXEC))
		return mmu_status(task);
	if (kernel->args) {
		args = word_at(task, kernel->args, NPU_ACCESS_READ);
		if (!args)
			return mmu_status(task);
	}
	if (!run)
		return NPU_ST_OK;
	begin_work(task);
	status = run(kernel, args);
	end_work(task);
	return status;
}

uint32_t null_execute(struct null_task *task)
{
	switch (task->cmd.opcode) {
	case NPU_CMD_NOP:
	case NPU_CMD_BARRIER:
		return NPU_ST_OK;
	case NPU_CMD_KERNEL:
		return do_kernel(task);
	case NPU_CMD_COPY:
		return do_copy(task);
	case NPU_CMD_FILL:
		return do_fill(task);
	case NPU_CMD_SEM_WAIT:
		return do_sem_wait(task);
	case NPU_CMD_SEM_SIGNAL:
		return do_sem_signal(task);
	case NPU_CMD_WRITE:
		return do_write(task, task->cmd.write.value);
	case NPU_CMD_TIMESTAMP:
		return do_write(task, null_now_ticks());
	case NPU_CMD_BRANCH:
		return do_branch(task);
	case NPU_CMD_REDUCE:
		return do_reduce(task);
	default:
		return NPU_ST_CMD_INVALID;
	}
}

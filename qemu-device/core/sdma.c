// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System DMA: copies, fills and reductions, in chunks of about CHUNK bytes so that they can be shared among
 * workers, stopped, and taken turns with.
 */
#include <string.h>

#include "npu_internal.h"

#define CHUNK		0x100000ULL
#define ROW_COST	64	/* what a short row counts as, in bytes */

/* Rows and the columns of them that a chunk covers. */
struct sdma_part {
	uint64_t row, rows;
	uint64_t column, bytes;
};

static void shape(const struct npu_cmd *cmd, uint64_t *row_bytes, uint64_t *rows)
{
	if (cmd->opcode == NPU_CMD_COPY) {
		*row_bytes = cmd->copy.row_bytes;
		*rows = cmd->copy.rows;
	} else if (cmd->opcode == NPU_CMD_REDUCE) {
		*row_bytes = cmd->reduce.bytes;
		*rows = 1;
	} else {
		*row_bytes = cmd->fill.row_bytes;
		*rows = cmd->fill.rows;
	}
}

static uint64_t chunks_per_row(uint64_t row_bytes)
{
	return (row_bytes + CHUNK - 1) / CHUNK;
}

static uint64_t rows_per_chunk(uint64_t row_bytes)
{
	return CHUNK / npu_max(row_bytes, ROW_COST);
}

uint64_t npu_sdma_units(const struct npu_cmd *cmd)
{
	uint64_t row_bytes, rows, units;

	shape(cmd, &row_bytes, &rows);
	if (!row_bytes || !rows)
		return 0;
	if (row_bytes < CHUNK)
		return (rows - 1) / rows_per_chunk(row_bytes) + 1;
	if (__builtin_mul_overflow(rows, chunks_per_row(row_bytes), &units))
		return UINT64_MAX; /* cannot be lived to see */
	return units;
}

/* Rows that overlap at the destination are written one after the other: the last one stays. */
bool npu_sdma_in_order(const struct npu_cmd *cmd)
{
	switch (cmd->opcode) {
	case NPU_CMD_COPY:
		return cmd->copy.rows > 1 && cmd->copy.dst_pitch < cmd->copy.row_bytes;
	case NPU_CMD_FILL:
		return cmd->fill.rows > 1 && cmd->fill.dst_pitch < cmd->fill.row_bytes;
	default:
		return false;
	}
}

static struct sdma_part part_of(const struct npu_cmd *cmd, uint64_t unit)
{
	struct sdma_part part = { .rows = 1 };
	uint64_t row_bytes, rows, n;

	shape(cmd, &row_bytes, &rows);
	if (row_bytes < CHUNK) {
		n = rows_per_chunk(row_bytes);
		part.row = unit * n;
		part.rows = npu_min(n, rows - part.row);
		part.bytes = row_bytes;
	} else {
		n = chunks_per_row(row_bytes);
		part.row = unit / n;
		part.column = unit % n * CHUNK;
		part.bytes = npu_min(CHUNK, row_bytes - part.column);
	}
	return part;
}

/* It may be a semaphore: who looks at it meanwhile is to see all of it or nothing. */
static bool is_word(const void *at, uint64_t len)
{
	return len == sizeof(uint64_t) && !((uintptr_t)at & (sizeof(uint64_t) - 1));
}

static void copy_memory(void *dst, const void *src, uint64_t len)
{
	if (is_word(dst, len) && is_word(src, len))
		npu_store_release((uint64_t *)dst, npu_load((const uint64_t *)src));
	else
		memmove(dst, src, len);
}

/* @dst is where a pattern begins, and @len a multiple of it. */
static void fill_memory(uint8_t *dst, uint64_t word, uint64_t len)
{
	if (is_word(dst, len)) {
		npu_store_release((uint64_t *)dst, word);
		return;
	}
	if (word == (word & 0xff) * 0x0101010101010101ULL) {
		memset(dst, word & 0xff, len);
		return;
	}
	for (; len >= sizeof(word); dst += sizeof(word), len -= sizeof(word))
		memcpy(dst, &word, sizeof(word));
	memcpy(dst, &word, len);
}

static bool fill_bus(struct npu_worker *worker, uint64_t dst, uint64_t word, uint64_t len)
{
	uint64_t n;

	fill_memory(worker->bounce, word, npu_min(len, NPU_BOUNCE_SIZE));
	for (; len; dst += n, len -= n) {
		n = npu_min(len, NPU_BOUNCE_SIZE);
		if (npu_dma_write(worker->core, dst, worker->bounce, n))
			return false;
	}
	return true;
}

static bool fill_run(struct npu_worker *worker, const struct npu_run *run, uint64_t word,
		     uint64_t len)
{
	if (!run->host)
		return fill_bus(worker, run->phys, word, len);
	fill_memory(run->host, word, len);
	return true;
}

/* Between two places on the bus. */
static bool copy_bus(struct npu_worker *worker, uint64_t dst, uint64_t src, uint64_t len,
		     bool *reading)
{
	uint64_t n;

	for (; len; dst += n, src += n, len -= n) {
		n = npu_min(len, NPU_BOUNCE_SIZE);
		*reading = true;
		if (npu_dma_read(worker->core, src, worker->bounce, n))
			return false;
		*reading = false;
		if (npu_dma_write(worker->core, dst, worker->bounce, n))
			return false;
	}
	return true;
}

/* @hbm counts what is there. */
static void count_run(struct npu_worker *worker, const struct npu_run *run, uint64_t *hbm,
		      uint64_t len)
{
	if (run->host)
		npu_count(hbm, len);
	else if (!run->sparse)
		npu_count(&worker->count.bus, len);
}

static bool copy_run(struct npu_worker *worker, const struct npu_run *dst,
		     const struct npu_run *src, uint64_t len, bool *reading)
{
	struct npu_core *core = worker->core;

	count_run(worker, src, &worker->count.hbm_read, len);
	count_run(worker, dst, &worker->count.hbm_write, len);
	*reading = !src->host;
	if (dst->sparse)
		return true;
	if (src->sparse)
		return fill_run(worker, dst, 0, len);
	if (src->host && dst->host)
		copy_memory(dst->host, src->host, len);
	else if (dst->host)
		return !npu_dma_read(core, src->phys, dst->host, len);
	else if (src->host)
		return !npu_dma_write(core, dst->phys, src->host, len);
	else
		return copy_bus(worker, dst->phys, src->phys, len, reading);
	return true;
}

/* One row; @ahead bytes of destination and source are wanted in this and the rows to come. */
static bool copy_row(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *dst, struct npu_cursor *src, uint64_t dst_va,
		     uint64_t src_va, uint64_t len, uint64_t dst_ahead, uint64_t src_ahead,
		     struct npu_error *error)
{
	struct npu_run d, s;
	bool reading;
	uint64_t n;

	for (; len; dst_va += n, src_va += n, dst_ahead -= n, src_ahead -= n, len -= n) {
		if (!npu_cursor_seek(worker, view, src, src_va, src_ahead, &s, error) ||
		    !npu_cursor_seek(worker, view, dst, dst_va, dst_ahead, &d, error))
			return false;
		n = npu_min(len, npu_min(s.len, d.len));
		if (!copy_run(worker, &d, &s, n, &reading))
			return npu_bus_error(error,
					     reading ? NPU_ACCESS_READ : NPU_ACCESS_WRITE,
					     reading ? src_va : dst_va);
	}
	return true;
}

static bool copy_part(struct npu_worker *worker, const struct npu_view *view,
		      const struct npu_cmd_copy *c, const struct sdma_part *part,
		      struct npu_error *error)
{
	struct npu_cursor dst = { .access = NPU_ACCESS_WRITE };
	struct npu_cursor src = { .access = NPU_ACCESS_READ };
	uint64_t i;

	for (i = 0; i < part->rows; i++) {
		uint64_t row = part->row + i, left = part->rows - 1 - i;

		if (!copy_row(worker, view, &dst, &src,
			      c->dst + row * c->dst_pitch + part->column,
			      c->src + row * c->src_pitch + part->column, part->bytes,
			      npu_min(left * c->dst_pitch, CHUNK) + part->bytes,
			      npu_min(left * c->src_pitch, CHUNK) + part->bytes, error))
			return false;
	}
	return true;
}

static uint64_t pattern_word(const struct npu_cmd_fill *f)
{
	switch (f->pattern_bytes) {
	case 1:
		return (f->pattern & 0xff) * 0x0101010101010101ULL;
	case 2:
		return (f->pattern & 0xffff) * 0x0001000100010001ULL;
	case 4:
		return (f->pattern & 0xffffffff) * 0x0000000100000001ULL;
	default:
		return f->pattern;
	}
}

static bool fill_row(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *cursor, uint64_t va, uint64_t word, uint64_t len,
		     uint64_t ahead, struct npu_error *error)
{
	struct npu_run run;
	uint64_t n;

	for (; len; va += n, ahead -= n, len -= n) {
		if (!npu_cursor_seek(worker, view, cursor, va, ahead, &run, error))
			return false;
		n = npu_min(len, run.len);
		count_run(worker, &run, &worker->count.hbm_write, n);
		if (!run.sparse && !fill_run(worker, &run, word, n))
			return npu_bus_error(error, NPU_ACCESS_WRITE, va);
	}
	return true;
}

static bool fill_part(struct npu_worker *worker, const struct npu_view *view,
		      const struct npu_cmd_fill *f, const struct sdma_part *part,
		      struct npu_error *error)
{
	struct npu_cursor cursor = { .access = NPU_ACCESS_WRITE };
	uint64_t word = pattern_word(f), i;

	for (i = 0; i < part->rows; i++) {
		uint64_t row = part->row + i, left = part->rows - 1 - i;

		if (!fill_row(worker, view, &cursor, f->dst + row * f->dst_pitch + part->column,
			      word, part->bytes, npu_min(left * f->dst_pitch, CHUNK) + part->bytes,
			      error))
			return false;
	}
	return true;
}

/* @traffic is what it moves, for who models the time. */
static bool run_part(struct npu_worker *worker, uint32_t context, const struct npu_cmd *cmd,
		     const struct sdma_part *part, struct npu_traffic *traffic,
		     struct npu_error *error)
{
	const struct npu_counters *count = &worker->count;
	struct npu_traffic before = { .hbm = count->hbm_read + count->hbm_write,
				      .bus = count->bus };
	struct npu_view view;
	bool ok;

	npu_section_enter(worker, context, &view);
	if (cmd->opcode == NPU_CMD_COPY)
		ok = copy_part(worker, &view, &cmd->copy, part, error);
	else if (cmd->opcode == NPU_CMD_REDUCE)
		ok = npu_reduce_part(worker, &view, &cmd->reduce, part->column, part->bytes,
				     error);
	else
		ok = fill_part(worker, &view, &cmd->fill, part, error);
	npu_section_leave(worker);
	*traffic = (struct npu_traffic){
		.bytes = part->rows * npu_max(part->bytes, ROW_COST),
		.hbm = count->hbm_read + count->hbm_write - before.hbm,
		.bus = count->bus - before.bus,
	};
	error->unit = NPU_UNIT_SDMA;
	npu_code_changed(worker->core);
	return ok;
}

/* What the engine was busy; if time is modelled it is counted as that is booked. */
static uint64_t busy_ns(struct npu_core *core, uint64_t ns)
{
	return core->timing ? 0 : ns;
}

/* In sync mode time is what a part is deemed to take. */
static uint64_t part_ns(struct npu_core *core, const struct sdma_part *part, uint64_t start)
{
	if (core->cfg.sync)
		return part->rows * npu_max(part->bytes, ROW_COST) / 8;
	return npu_host_ns() - start;
}

bool npu_sdma_inline(struct npu_worker *worker, struct npu_queue *queue,
		     const struct npu_cmd *cmd, struct npu_error *error)
{
	struct sdma_part part = part_of(cmd, 0);
	uint64_t start = npu_host_ns(), ns;
	struct npu_traffic traffic;
	bool ok;

	ok = run_part(worker, queue->cfg.context, cmd, &part, &traffic, error);
	if (worker->core->timing)
		npu_timing_copy(worker, queue, cmd, &traffic);
	ns = busy_ns(worker->core, part_ns(worker->core, &part, start));
	__atomic_fetch_add(&queue->sdma_ns, ns, __ATOMIC_RELAXED);
	npu_count(&worker->count.sdma_ns, ns);
	if (npu_load(&worker->core->sem_waiting)) {
		pthread_mutex_lock(&worker->core->lock);
		npu_sem_after_task(worker->core);
		pthread_mutex_unlock(&worker->core->lock);
	}
	return ok;
}

/* Returns with the lock. */
void npu_sdma_unit(struct npu_worker *worker, struct npu_task *task, uint64_t unit)
{
	struct sdma_part part = part_of(&task->cmd, unit);
	struct npu_core *core = worker->core;
	struct npu_error error = { .status = NPU_ST_OK };
	uint64_t start = npu_host_ns(), ns;
	struct npu_traffic traffic;

	run_part(worker, task->queue->cfg.context, &task->cmd, &part, &traffic, &error);
	if (task->booking)
		npu_timing_moved(task->booking, &traffic);
	ns = part_ns(core, &part, start);
	npu_count(&worker->count.sdma_ns, busy_ns(core, ns));
	if (core->cfg.sync)
		task->sync_ns += ns;
	if (error.status == NPU_ST_OK && npu_task_timed_out(core, task)) {
		error.status = NPU_ST_TIMEOUT;
		error.unit = NPU_UNIT_SDMA;
	}
	npu_task_unit_end(worker, task, NULL, busy_ns(core, ns),
			  error.status == NPU_ST_OK ? NULL : &error);
}

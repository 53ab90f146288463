/* SPDX-License-Identifier: MIT */
/*
 * Rows of tensors on their way through UB. Work is done on groups of rows, in fp32: what is
 * stored in half precision is brought to a stage and converted from there, and back. A row that
 * is too long for UB comes in pieces, and is a group of its own.
 */
#ifndef OP_ROWS_H
#define OP_ROWS_H

#include "ub_ring.h"
#include "npu_op_rows.h"

#define ROWS_SLOT (NPU_UB_SIZE / UB_SLOTS)
#define ROWS_MOST 128 /* rows of a group */
#define ROWS_STATS (ROWS_MOST * NPU_TILE_ALIGN) /* an element for each row, 32 bytes apart */

/* How rows are cut: groups of up to @most, columns in @pieces of up to @width. */
struct rows_plan {
	uint64_t cols, width, pieces, most;
};

/* What is in UB: columns @begin to @begin + @count of rows @first to @first + @rows. */
struct rows_group {
	const struct npu_op_outer *outer;
	uint64_t first;
	uint64_t rows, begin, count;
	uint64_t pitch; /* bytes from row to row, in fp32 */
	uint64_t slot;
};

/*
 * rows_begin() - all is free; the arrays of an element a row, @bytes at @stats of each of the slots,
 * which are @slot_bytes apart, are zero, so that operations on them and on what is between elements
 * at once see numbers.
 */
static inline void rows_begin(uint64_t slot_bytes, uint64_t stats, uint64_t bytes)
{
	ub_begin();
	for (unsigned int slot = 0; slot < UB_SLOTS; slot++)
		npu_vdup(NPU_UB_BASE + slot * slot_bytes + stats, 0, bytes / 4, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
}

/* rows_plan() - for fp32 arrays of @bytes each, and stages of half of that. */
static inline struct rows_plan rows_plan(uint64_t cols, uint64_t bytes)
{
	const uint64_t width = npu_min(cols, bytes / 4);
	const uint64_t fit =
		npu_min(bytes / npu_align(width * 4), bytes / 2 / npu_align(width * 2));

	return (struct rows_plan){
		.cols = cols,
		.width = width,
		.pieces = npu_ceil_div(cols, width),
		.most = cols > width ? 1 : npu_min(fit, ROWS_MOST),
	};
}

/* rows_piece() - turn to a piece of the group's rows. */
static inline void rows_piece(struct rows_group *g, const struct rows_plan *plan, uint64_t piece)
{
	g->begin = piece * plan->width;
	g->count = npu_min(plan->width, plan->cols - g->begin);
	g->pitch = npu_align(g->count * 4);
}

/* Address of a row, and how many from there on are a constant stride apart. */
static inline npu_addr rows_at(const struct npu_op_outer *outer, const struct npu_op_rows *view,
			       uint64_t row, uint64_t *run)
{
	uint64_t i = row, address = view->base;

	*run = outer->shape[0];
	if (i < *run && !(view->stride[0] >> 32)) {
		*run -= i;
		return address + i * view->stride[0];
	}
	for (unsigned int d = 0; i && d < NPU_OP_OUTER_DIMS; d++) {
		const uint64_t extent = outer->shape[d];

		if (extent == 1)
			continue;
		address += (d + 1 < NPU_OP_OUTER_DIMS ? i % extent : i) * view->stride[d];
		if (!d)
			*run = extent - i % extent;
		i /= extent;
	}
	if (view->stride[0] >> 32)
		*run = 1;
	return address;
}

/* Columns begin to begin + count of the group's rows, between memory and UB. */
static inline void rows_move(const struct rows_group *g, const struct npu_op_rows *view,
			     uint64_t bytes, npu_addr local, uint64_t pitch, int store)
{
	uint64_t run, n;

	for (uint64_t r = 0; r < g->rows; r += n, local += n * pitch) {
		const npu_addr at = rows_at(g->outer, view, g->first + r, &run) + g->begin * bytes;

		n = npu_min(run, g->rows - r);
		if (store)
			npu_copy_2d(at, local, g->count * bytes, n, view->stride[0], pitch);
		else
			npu_copy_2d(local, at, g->count * bytes, n, pitch, view->stride[0]);
	}
}

/* rows_fetch() - MTE2 brings the group to @data, or to @stage if it has to be converted. */
static inline void rows_fetch(const struct rows_group *g, const struct npu_op_rows *view,
			      uint32_t dtype, npu_addr data, npu_addr stage)
{
	if (dtype == NPU_F32)
		rows_move(g, view, 4, data, g->pitch, 0);
	else
		rows_move(g, view, 2, stage, npu_align(g->count * 2), 0);
}

/* rows_widen() - the vector engine converts what rows_fetch() has brought. */
static inline void rows_widen(const struct rows_group *g, uint32_t dtype, npu_addr data,
			      npu_addr stage)
{
	if (dtype == NPU_F32)
		return;
	npu_vec_rows(g->rows, g->pitch, npu_align(g->count * 2), 0);
	npu_vcast(data, stage, g->count, dtype, NPU_F32, 0);
}

/* rows_narrow() - and converts what rows_put() is to store. */
static inline void rows_narrow(const struct rows_group *g, uint32_t dtype, npu_addr data,
			       npu_addr stage)
{
	if (dtype == NPU_F32)
		return;
	npu_vec_rows(g->rows, npu_align(g->count * 2), g->pitch, 0);
	npu_vcast(stage, data, g->count, NPU_F32, dtype, 0);
}

/* rows_put() - MTE3 stores the group. */
static inline void rows_put(const struct rows_group *g, const struct npu_op_rows *view,
			    uint32_t dtype, npu_addr data, npu_addr stage)
{
	if (dtype == NPU_F32)
		rows_move(g, view, 4, data, g->pitch, 1);
	else
		rows_move(g, view, 2, stage, npu_align(g->count * 2), 1);
}

/* rows_fetch_stats() - MTE2 brings an element for each row; nothing if there is no such operand. */
static inline void rows_fetch_stats(const struct rows_group *g, const struct npu_op_rows *view,
				    npu_addr stats)
{
	struct rows_group one = *g;

	one.begin = 0;
	one.count = 1;
	if (view->base)
		rows_move(&one, view, 4, stats, NPU_TILE_ALIGN, 0);
}

static inline void rows_put_stats(const struct rows_group *g, const struct npu_op_rows *view,
				  npu_addr stats)
{
	struct rows_group one = *g;

	one.begin = 0;
	one.count = 1;
	if (view->base)
		rows_move(&one, view, 4, stats, NPU_TILE_ALIGN, 1);
}

/* rows_reload() - the slot's arrays may be fetched anew: all that used them is done. */
static inline void rows_reload(void)
{
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
}

/* rows_restage() - the vector engine may write anew what MTE3 has stored. */
static inline void rows_restage(void)
{
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

/*
 * rows_vector() - one row that all rows share, such as a weight, of which the group's columns
 * come to @data; MTE2 and the vector engine are done with it when this returns.
 */
static inline void rows_vector(const struct rows_group *g, npu_addr vector, uint32_t dtype,
			       npu_addr data, npu_addr stage)
{
	const uint64_t bytes = npu_dtype_bytes(dtype);

	npu_copy(dtype == NPU_F32 ? data : stage, vector + g->begin * bytes, g->count * bytes);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	if (dtype != NPU_F32) {
		npu_vec_one_row();
		npu_vcast(data, stage, g->count, dtype, NPU_F32, 0);
	}
}

/* The vector operations that follow are on arrays of the group; src1 is of the same pitch. */
static inline void rows_arrays(const struct rows_group *g)
{
	npu_vec_rows(g->rows, g->pitch, g->pitch, g->pitch);
}

/* ... src1 is one row for all of them. */
static inline void rows_arrays_row(const struct rows_group *g)
{
	npu_vec_rows(g->rows, g->pitch, g->pitch, 0);
}

/* ... src1 is an element for each row. */
static inline void rows_arrays_stats(const struct rows_group *g)
{
	npu_vec_rows(g->rows, g->pitch, g->pitch, NPU_TILE_ALIGN);
}

/* ... the result is an element for each row. */
static inline void rows_reduction(const struct rows_group *g)
{
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, 0);
}

/* The elements of each row, and those between them, are one array of this many. */
static inline uint64_t rows_stats(const struct rows_group *g)
{
	npu_vec_one_row();
	return g->rows * (NPU_TILE_ALIGN / 4);
}

/*
 * rows_dot() - the sum of products of arrays a and b in each row, added to what earlier pieces have
 * left in @sum; @part is for the sum of a piece
 */
static inline void rows_dot(const struct rows_group *g, npu_addr sum, npu_addr part, npu_addr a,
			    npu_addr b, uint64_t piece)
{
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, g->pitch);
	npu_vdot(piece ? part : sum, a, b, g->count, NPU_F32);
	if (piece)
		npu_vadd(sum, sum, part, rows_stats(g), NPU_F32);
}

#endif /* OP_ROWS_H */

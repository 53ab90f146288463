/* SPDX-License-Identifier: MIT */
/* Reductions along rows, and the sum of everything. */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

/*
 * A slot holds a group of rows, or a part of one long row, and behind it the results of
 * each row, 32 bytes apart as the engines want them.
 */
#define DATA 0x10000
#define MOST_ROWS 256
#define RESULTS (MOST_ROWS * NPU_TILE_ALIGN)
#define MOST_COLS (DATA / 4)
#define SLOT (DATA + 3 * RESULTS)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");

struct group {
	npu_addr data, result, best, index;
	uint32_t rows, pitch;
};

/* A vector operation on the single results of each row. */
static void each_result(const struct group *g)
{
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, NPU_TILE_ALIGN, NPU_TILE_ALIGN);
}

/* Reduce the part of the rows that begins at column c into result, or combine it with that. */
static void reduce_part(const struct group *g, uint32_t op, uint32_t c, uint32_t width)
{
	const npu_addr to = c ? g->best : g->result;

	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, 0);
	if (op == NPU_REDUCE_SUM)
		npu_vsum(to, g->data, width, NPU_F32);
	else
		npu_vredmax(to, g->data, width, NPU_F32);
	if (!c)
		return;
	each_result(g);
	if (op == NPU_REDUCE_SUM)
		npu_vadd(g->result, g->result, g->best, 1, NPU_F32);
	else
		npu_vmax(g->result, g->result, g->best, 1, NPU_F32);
}

/* The greatest so far is in result, its index in index; the scalar unit joins the parts. */
static void argmax_part(const struct group *g, uint32_t c, uint32_t width, float *greatest)
{
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, 0);
	npu_vargmax(g->index, g->data, width, NPU_F32);
	if (width == MOST_COLS || c) {
		npu_vredmax(g->best, g->data, width, NPU_F32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_S);
		if (!c || npu_load_f32(g->best) > *greatest) {
			*greatest = npu_load_f32(g->best);
			npu_store_s32(g->result, npu_load_s32(g->index) + c);
		}
		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	} else {
		each_result(g);
		npu_vmov(g->result, g->index, 1, NPU_S32);
	}
}

static struct group group_at(unsigned int slot, uint32_t rows, uint32_t pitch)
{
	const npu_addr data = NPU_UB_BASE + slot * SLOT, result = data + DATA;

	return (struct group){ data, result, result + RESULTS, result + 2 * RESULTS,
			       rows, pitch };
}

NPU_ARGS(reduce_rows, struct npu_reduce_args, in(x), out(out), value(rows), value(cols),
	 value(ldx), value(op));

NPU_KERNEL(reduce_rows, struct npu_reduce_args)
{
	const struct npu_span mine = npu_split(args->rows, 1, block, blocks);
	const uint32_t cols = args->cols, width = npu_min(cols, MOST_COLS);
	const uint32_t pitch = npu_align(width * 4), most = npu_min(DATA / pitch, MOST_ROWS);
	const uint64_t ldx = (uint64_t)args->ldx * 4;
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t r = mine.begin; r < mine.end; r += most, slot = !slot) {
		const struct group g = group_at(slot, npu_min(most, mine.end - r), pitch);
		float greatest = 0;

		ub_acquire(slot);
		for (uint32_t c = 0; c < cols; c += width) {
			const uint32_t w = npu_min(width, cols - c);

			if (c)
				ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
			npu_copy_2d(g.data, args->x + r * ldx + c * 4ull, w * 4, g.rows, pitch,
				    ldx);
			ub_loaded(slot);
			if (args->op == NPU_REDUCE_ARGMAX)
				argmax_part(&g, c, w, &greatest);
			else
				reduce_part(&g, args->op, c, w);
		}
		ub_computed(slot);
		npu_copy_2d(args->out + r * 4, g.result, 4, g.rows, 4, NPU_TILE_ALIGN);
		ub_release(slot);
	}
	ub_end();
}

#define SUM_CHUNK 8192
#define SUM_SLOT (SUM_CHUNK * 4)
#define SUM_TOTAL (NPU_UB_BASE + UB_SLOTS * SUM_SLOT)
_Static_assert((UB_SLOTS + 1) * SUM_SLOT <= NPU_UB_SIZE, "UB overflows");

NPU_ARGS(sum, struct npu_sum_args, in(x), out(out), value(count));

/* Chunks are added element by element; the elements of the last sum at the end. */
NPU_KERNEL(sum, struct npu_sum_args)
{
	const struct npu_span mine = npu_split(args->count, 1024, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	npu_vdup(SUM_TOTAL, 0, SUM_CHUNK, NPU_F32);
	for (uint64_t i = mine.begin; i < mine.end; i += SUM_CHUNK, slot = !slot) {
		const uint32_t n = npu_min(SUM_CHUNK, mine.end - i);
		const npu_addr at = NPU_UB_BASE + slot * SUM_SLOT;

		ub_acquire(slot);
		npu_copy(at, args->x + i * 4, n * 4);
		ub_loaded(slot);
		npu_vadd(SUM_TOTAL, SUM_TOTAL, at, n, NPU_F32);
		ub_computed(slot);
		ub_release(slot);
	}
	ub_end();
	npu_vsum(NPU_UB_BASE, SUM_TOTAL, SUM_CHUNK, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy(args->out + block * 4ull, NPU_UB_BASE, 4);
}

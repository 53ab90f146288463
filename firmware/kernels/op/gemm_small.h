/* SPDX-License-Identifier: MIT */
/*
 * Products that are one tile and one chunk of k, and that FIXPIPE stores by itself. Such a product
 * takes the cube less time than the general way of gemm_tile.h takes to get there: so all but the
 * addresses is worked out once for many. Both operands of a product have a slot of L1 together.
 */
#ifndef OP_GEMM_SMALL_H
#define OP_GEMM_SMALL_H

#include "gemm_output.h"

#define SMALL_SLOTS 3 /* of L1: one more than there are halves of L0, as in gemm_tile.h */
#define SMALL_HALVES 2 /* of L0A, L0B and L0C */

/* A matrix of each product: where the first is, how far it is to the next, and how it is loaded. */
struct small_operand {
	npu_addr src;
	uint64_t stride;
	uint32_t copy_bytes, copy_rows, src_pitch;
	uint32_t rows, cols, l1_pitch, l0_pitch;
	int transpose;
};

static inline struct small_operand small_operand_of(const struct gemm *g,
						    const struct gemm_operand *op, uint32_t extent,
						    int k_rows, uint64_t stride)
{
	const uint32_t rows = op->k_rows ? g->k : extent, cols = op->k_rows ? extent : g->k;
	const uint32_t row_bytes = cols << g->shift;
	const int dense = op->pitch == row_bytes && op->l1_pitch == row_bytes;
	const int transpose = !op->k_rows != !k_rows;

	return (struct small_operand){
		.src = op->base,
		.stride = stride,
		.copy_bytes = dense ? rows * row_bytes : row_bytes,
		.copy_rows = dense ? 1 : rows,
		.src_pitch = op->pitch,
		.rows = rows,
		.cols = cols,
		.l1_pitch = op->l1_pitch,
		.l0_pitch = npu_align((transpose ? rows : cols) << g->shift),
		.transpose = transpose,
	};
}

static inline void small_copy(const struct small_operand *op, npu_addr l1)
{
	npu_copy_2d(l1, op->src, op->copy_bytes, op->copy_rows, op->l1_pitch, op->src_pitch);
}

static inline void small_load0(const struct small_operand *op, npu_addr l0, npu_addr l1,
			       uint32_t in)
{
	npu_load0(l0, l1, op->rows, op->cols, op->l0_pitch, op->l1_pitch, in, op->transpose);
}

/* small_fits() - can all products of @g, which has been planned, be done so? */
static inline int small_fits(const struct gemm *g, const struct output *o)
{
	return o->direct && g->tiles_m == 1 && g->tiles_n == 1 && g->parts == 1 && g->k &&
	       g->k <= g->step && g->a_halves && g->b_halves && g->c_halves;
}

/* small_begin(), small_end() - all buffers are free before the first product and after the last */
static inline void small_begin(void)
{
	for (uint32_t slot = 0; slot < SMALL_SLOTS; slot++)
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	for (uint32_t half = 0; half < SMALL_HALVES; half++) {
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
	}
}

static inline void small_end(void)
{
	for (uint32_t slot = 0; slot < SMALL_SLOTS; slot++)
		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	for (uint32_t half = 0; half < SMALL_HALVES; half++) {
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
	}
}

/* small_run() - @count products from that which @g has entered on, that lie evenly */
static inline void small_run(struct gemm *g, const struct output *o, uint64_t a_stride,
			     uint64_t b_stride, uint64_t c_stride, uint64_t count)
{
	const uint32_t m = g->m, n = g->n, k = g->k, in = g->in;
	const uint64_t a_bytes = g->a.chunk_bytes, slot_bytes = a_bytes + g->b.chunk_bytes;
	struct small_operand a = small_operand_of(g, &g->a, m, 0, a_stride);
	struct small_operand b = small_operand_of(g, &g->b, n, 1, b_stride);
	const struct output_direct direct = output_direct_of(o, g, m, n);
	uint64_t slot = g->a.turn, half = g->a_half;
	npu_addr c = o->c;

	for (; count; count--, a.src += a.stride, b.src += b.stride, c += c_stride) {
		const npu_addr l1 = NPU_L1_BASE + slot * slot_bytes;
		const npu_addr l0a = NPU_L0A_BASE + half * (NPU_L0A_SIZE / SMALL_HALVES);
		const npu_addr l0b = NPU_L0B_BASE + half * (NPU_L0B_SIZE / SMALL_HALVES);
		const npu_addr l0c = NPU_L0C_BASE + half * (NPU_L0C_SIZE / SMALL_HALVES);

		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
		small_copy(&a, l1);
		small_copy(&b, l1 + a_bytes);
		npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
		npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		small_load0(&a, l0a, l1, in);
		small_load0(&b, l0b, l1 + a_bytes, in);
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
		npu_mmad(l0c, l0a, l0b, m, n, k, in, 1);
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_FIX, half);
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_FIX, half);
		output_direct(&direct, c, l0c);
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
		half = !half;
		slot = slot + 1 < SMALL_SLOTS ? slot + 1 : 0;
	}
	g->a.turn = slot;
	g->a_half = half;
}

#endif /* OP_GEMM_SMALL_H */

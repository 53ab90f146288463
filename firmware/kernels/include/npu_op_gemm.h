/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that multiply matrices, for the kernel and the library. */
#ifndef NPU_OP_GEMM_H
#define NPU_OP_GEMM_H

#include "npu_kernels.h"

enum npu_op_activation { /* as enum npuop_activation */
			 NPU_OP_ACT_NONE = 0,
			 NPU_OP_ACT_RELU = 1,
			 NPU_OP_ACT_GELU = 2,
			 NPU_OP_ACT_GELU_TANH = 3,
			 NPU_OP_ACT_SILU = 4,
			 NPU_OP_ACT_COUNT
};

#define NPU_OP_GEMM_K_ROWS_A 0x1 /* A is stored with a row for each k */
#define NPU_OP_GEMM_K_ROWS_B 0x2 /* so is B, as it is written */
#define NPU_OP_GEMM_ACCUMULATE 0x4
#define NPU_OP_GEMM_SCALES_M 0x8 /* scale_m is an element a row of C, not one for all */
#define NPU_OP_GEMM_SCALES_N 0x10 /* scale_n is an element a column of C, not one for all */
#define NPU_OP_GEMM_BIAS_M 0x20 /* bias is an element a row of C, not a column */
#define NPU_OP_GEMM_S4_A 0x40 /* op_gemm_s4: A is the one of 4 bits, not B */

/**
 * struct npu_op_output - what becomes of sums on their way to memory
 * @c: where they go
 * @pre: takes the values before the activation; 0: none
 * @bias: an element a column, or a row with BIAS_M; 0: none
 * @scale_m: F32 factors of sums of integers; 0: none
 * @scale_n: likewise
 * @ldc: bytes from row to row of C
 * @ld_pre: of pre
 * @dtype: of c and pre
 * @bias_dtype: of bias
 * @flags: NPU_OP_GEMM_*
 * @activation: enum npu_op_activation
 * @scale: factor of the sums
 * @rsvd: zero
 */
struct npu_op_output {
	uint64_t c, pre, bias, scale_m, scale_n;
	uint64_t ldc, ld_pre;
	uint32_t dtype, bias_dtype;
	uint32_t flags, activation;
	float scale;
	uint32_t rsvd;
};

#define NPU_OP_GEMM_BATCH 4

/**
 * struct npu_op_gemm_args - "op_gemm": C = activation(scale A B + bias), for each of a batch;
 * "op_gemm_s4": the same with a B, or A, of 4 bits, two elements in a byte of its rows
 * @a: A
 * @b: B
 * @scale_s4: op_gemm_s4: F32 factors, one for each @group of k of each n, or m
 * @lda: bytes from row to row of A, as it is stored
 * @ldb: of B
 * @scale_row: bytes from group to group in scale_s4
 * @scale_col: from n to n, or m to m; 4 if the matrix of 4 bits has a row for each k
 * @batch: extents of the batch's dimensions, innermost first
 * @a_stride: bytes from product to product along each of them
 * @b_stride: of B
 * @scale_stride: of scale_s4
 * @c_stride: of C
 * @pre_stride: of pre
 * @out: what becomes of the sums; its addresses are those of the first product
 * @m: rows of C
 * @n: columns of C
 * @k: length of the sums
 * @in: dtype of A and B, or of that which is not of 4 bits
 * @group: see @scale_s4
 * @tile_m: rows of a tile of C, a multiple of 8 up to NPU_GEMM_TILE_M
 * @tile_n: columns of it, a multiple of 32 up to NPU_GEMM_TILE_N
 * @rsvd: zero
 */
struct npu_op_gemm_args {
	uint64_t a, b, scale_s4;
	uint64_t lda, ldb, scale_row, scale_col;
	uint64_t batch[NPU_OP_GEMM_BATCH];
	uint64_t a_stride[NPU_OP_GEMM_BATCH], b_stride[NPU_OP_GEMM_BATCH];
	uint64_t scale_stride[NPU_OP_GEMM_BATCH];
	uint64_t c_stride[NPU_OP_GEMM_BATCH], pre_stride[NPU_OP_GEMM_BATCH];
	struct npu_op_output out;
	uint32_t m, n, k;
	uint32_t in;
	uint32_t group;
	uint32_t tile_m, tile_n;
	uint32_t rsvd;
};

/* npu_op_output_is_direct() - does FIXPIPE do all with sums of the dtype @sum? */
static inline int npu_op_output_is_direct(const struct npu_op_output *out, uint32_t sum)
{
	if (out->bias || out->pre || out->flags & NPU_OP_GEMM_ACCUMULATE ||
	    out->flags & (NPU_OP_GEMM_SCALES_M | NPU_OP_GEMM_SCALES_N) ||
	    out->activation > NPU_OP_ACT_RELU)
		return 0;
	return sum == NPU_F32 ? out->scale == 1 : out->dtype != NPU_BF16;
}

#define NPU_OP_GEMM_SMALL_K 1024

/**
 * struct npu_op_gemm_small_step - an instruction for each product of a turn, or one for all
 * @operands: its last two, for one product
 * @each: what the first of these grows by for each other product; 0: each has one of its own
 */
struct npu_op_gemm_small_step {
	uint64_t operands[2];
	uint64_t each;
};

/**
 * struct npu_op_gemm_small_args - "op_gemm_small": products of one tile each, which fit L0 as they
 * are, and whose sums npu_op_output_is_direct(). A few go through the buffers together, as a turn.
 * @gemm: as of op_gemm
 * @copy_a: COPY of A to L1, @copy_b: of B
 * @load_a: LOAD0 of A, @load_b: of B
 * @fixpipe: FIXPIPE, without SCALE
 * @mmad: last operand of MMAD
 * @a_l1: bytes of a product's A in L1, @b_l1: of B
 * @a_l0: bytes in L0A, @b_l0: in L0B, @c_l0: of C in L0C
 * @turn: products of a turn
 * @halves: of L0A and L0B, 2 if two turns fit them, else 1; L1 has room for one more
 * @c_halves: likewise of L0C
 */
struct npu_op_gemm_small_args {
	struct npu_op_gemm_args gemm;
	struct npu_op_gemm_small_step copy_a, copy_b, load_a, load_b, fixpipe;
	uint64_t mmad;
	uint32_t a_l1, b_l1;
	uint32_t a_l0, b_l0, c_l0;
	uint32_t turn;
	uint32_t halves, c_halves;
};

#define NPU_OP_GEMM_THIN_ROWS 8
#define NPU_OP_GEMM_THIN_BYTES 0x20000
#define NPU_OP_GEMM_NORM_BYTES 0xf000
#define NPU_OP_GEMM_THIN_NORM 0x1 /* rows of A are normalised first */

/**
 * struct npu_op_gemm_thin_args - "op_gemm_thin": one product of few rows, by a B as it is written
 * @gemm: as of op_gemm, with K_ROWS_B; m is at most NPU_OP_GEMM_THIN_ROWS, and the rows of A,
 *	each padded to 32 bytes, have at most NPU_OP_GEMM_THIN_BYTES; k is not 0, in not S8; tiles
 *	are not used
 * @gamma: F32 factors of the normalised elements; 0: none
 * @eps: is added to the mean of squares
 * @flags: NPU_OP_GEMM_THIN_NORM, for an A of F32 that has at most NPU_OP_GEMM_NORM_BYTES
 */
struct npu_op_gemm_thin_args {
	struct npu_op_gemm_args gemm;
	uint64_t gamma;
	float eps;
	uint32_t flags;
};

#endif /* NPU_OP_GEMM_H */

// SPDX-License-Identifier: MIT
/* Products of one tile, for which a kernel finds everything but addresses worked out. */
#include "gemm.h"

#define HALVES 2

/* A matrix of each product as it is stored, and as the cube takes it. */
struct operand {
	uint32_t dtype;
	uint64_t ld, stride;
	uint32_t rows, cols;
	bool transpose;
};

static uint64_t row_bytes(const struct operand *x)
{
	return npuop_dtype_bytes(x->dtype, x->cols);
}

static uint64_t l1_bytes(const struct operand *x)
{
	return x->rows * op_padded(row_bytes(x));
}

static uint64_t l0_pitch(const struct operand *x)
{
	return op_padded(npuop_dtype_bytes(x->dtype, x->transpose ? x->rows : x->cols));
}

static uint64_t l0_bytes(const struct operand *x)
{
	return (x->transpose ? x->cols : x->rows) * l0_pitch(x);
}

/* Does each matrix begin where the rows of the one before it would go on? */
static bool goes_on(uint64_t stride, uint32_t rows, uint64_t ld)
{
	return stride == rows * ld && ld <= UINT32_MAX;
}

/* Rows without gaps are one, which takes less to bring. */
static struct npu_op_gemm_small_step copy(const struct operand *x)
{
	const uint64_t row = row_bytes(x), pitch = op_padded(row);
	const bool dense = x->ld == row && pitch == row;
	const uint64_t all = dense ? NPU_PREP(NPU_COPY_ROW_BYTES, x->rows * row)
				   : NPU_PREP(NPU_COPY_ROWS, x->rows);

	return (struct npu_op_gemm_small_step){
		.operands = { all | (dense ? NPU_PREP(NPU_COPY_ROWS, 1)
					   : NPU_PREP(NPU_COPY_ROW_BYTES, row)),
			      NPU_PREP(NPU_COPY_DST_PITCH, pitch) |
				      NPU_PREP(NPU_COPY_SRC_PITCH, x->ld) },
		.each = goes_on(x->stride, x->rows, x->ld) ? all : 0,
	};
}

static struct npu_op_gemm_small_step load0(const struct operand *x)
{
	const uint64_t all = NPU_PREP(NPU_LOAD0_ROWS, x->rows);

	return (struct npu_op_gemm_small_step){
		.operands = { all | NPU_PREP(NPU_LOAD0_COLS, x->cols) |
				      NPU_PREP(NPU_LOAD0_SRC_PITCH, op_padded(row_bytes(x))),
			      NPU_PREP(NPU_LOAD0_DST_PITCH, l0_pitch(x)) |
				      NPU_PREP(NPU_LOAD0_DTYPE, x->dtype) |
				      (x->transpose ? NPU_LOAD0_TRANSPOSE : 0) },
		.each = x->transpose ? 0 : all,
	};
}

static struct npu_op_gemm_small_step fixpipe(const struct npu_op_gemm_args *gemm, uint32_t sum)
{
	const struct npu_op_output *out = &gemm->out;
	const uint64_t all = NPU_PREP(NPU_FIXPIPE_ROWS, gemm->m);

	return (struct npu_op_gemm_small_step){
		.operands = { all | NPU_PREP(NPU_FIXPIPE_COLS, gemm->n) |
				      NPU_PREP(NPU_FIXPIPE_DST_PITCH, out->ldc),
			      NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, sum) |
				      NPU_PREP(NPU_FIXPIPE_DST_DTYPE, out->dtype) |
				      (out->activation == NPU_OP_ACT_RELU ? NPU_FIXPIPE_RELU : 0) },
		.each = goes_on(gemm->c_stride[0], gemm->m, out->ldc) ? all : 0,
	};
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Products of a turn: as many as fit half of L0, if there are so many in a row. */
static bool plan_turn(struct npu_op_gemm_small_args *args)
{
	const uint64_t l0 = min(NPU_L0A_SIZE / args->a_l0, NPU_L0B_SIZE / args->b_l0);
	const uint64_t l0c = NPU_L0C_SIZE / args->c_l0, row = args->gemm.batch[0];

	args->halves = l0 < HALVES ? 1 : HALVES;
	args->c_halves = l0c < HALVES ? 1 : HALVES;
	args->turn = (uint32_t)min(min(l0 / args->halves, l0c / args->c_halves), row);
	return args->turn &&
	       (args->halves + 1) * args->turn * (args->a_l1 + args->b_l1) <= NPU_L1_SIZE;
}

bool op_gemm_small(const struct npu_op_gemm_args *gemm, struct npu_op_gemm_small_args *args)
{
	const bool a_k_rows = gemm->out.flags & NPU_OP_GEMM_K_ROWS_A;
	const bool b_k_rows = gemm->out.flags & NPU_OP_GEMM_K_ROWS_B;
	const uint32_t m = gemm->m, n = gemm->n, k = gemm->k, in = gemm->in;
	const uint32_t sum = in == NPU_S8 ? NPU_S32 : NPU_F32;
	const struct operand a = {
		in, gemm->lda, gemm->a_stride[0], a_k_rows ? k : m, a_k_rows ? m : k, a_k_rows
	};
	const struct operand b = {
		in, gemm->ldb, gemm->b_stride[0], b_k_rows ? k : n, b_k_rows ? n : k, !b_k_rows
	};

	if (!npu_op_output_is_direct(&gemm->out, sum) || gemm->tile_m < m || gemm->tile_n < n ||
	    !k || k > NPU_OP_GEMM_SMALL_K)
		return false;
	*args = (struct npu_op_gemm_small_args){
		.gemm = *gemm,
		.copy_a = copy(&a),
		.copy_b = copy(&b),
		.load_a = load0(&a),
		.load_b = load0(&b),
		.fixpipe = fixpipe(gemm, sum),
		.mmad = NPU_PREP(NPU_MMAD_M, m) | NPU_PREP(NPU_MMAD_N, n) |
			NPU_PREP(NPU_MMAD_K, k) | NPU_PREP(NPU_MMAD_DTYPE, in) | NPU_MMAD_INIT,
		.a_l1 = (uint32_t)l1_bytes(&a),
		.b_l1 = (uint32_t)l1_bytes(&b),
		.a_l0 = (uint32_t)l0_bytes(&a),
		.b_l0 = (uint32_t)l0_bytes(&b),
		.c_l0 = m * (uint32_t)op_padded(n * 4),
	};
	return plan_turn(args);
}

/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that normalise rows, for the kernels and the library. */
#ifndef NPU_OP_NORM_H
#define NPU_OP_NORM_H

#include "npu_op_rows.h"

#define NPU_OP_NORM_WIDTH 6464 /* elements of a row of op_norm that has one sum, not one a piece */

/**
 * struct npu_op_softmax_args - "op_softmax": out = softmax(x) in each row
 * @outer: rows
 * @x: rows of @cols
 * @out: rows of @cols; may be @x
 * @cols: not 0
 * @dtype: of both: F32, F16 or BF16
 * @log: the logarithm of it
 * @rsvd: zero
 */
struct npu_op_softmax_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, out;
	uint32_t cols;
	uint32_t dtype;
	uint32_t log;
	uint32_t rsvd;
};

/**
 * struct npu_op_softmax_backward_args - "op_softmax_backward": grad_x = y (grad - sum(grad y))
 * @outer: rows
 * @y: rows of @cols, a softmax
 * @grad: rows of @cols
 * @grad_x: rows of @cols; may be @y or @grad
 * @cols: not 0
 * @dtype: of all: F32, F16 or BF16
 */
struct npu_op_softmax_backward_args {
	struct npu_op_outer outer;
	struct npu_op_rows y, grad, grad_x;
	uint32_t cols;
	uint32_t dtype;
};

#define NPU_OP_NORM_RMS 0x1 /* do not subtract the mean */

/**
 * struct npu_op_norm_args - "op_norm": out = (x - mean) * rstd * gamma + beta in each row
 * @outer: rows
 * @x: rows of @cols
 * @out: rows of @cols; may be @x
 * @mean: rows of 1, F32; base 0: not wanted
 * @rstd: likewise
 * @gamma: @cols elements; 0: none
 * @beta: likewise
 * @cols: not 0
 * @dtype: of x and out: F32, F16 or BF16
 * @weight_dtype: of gamma and beta, likewise
 * @flags: NPU_OP_NORM_*
 * @eps: rstd = 1 / sqrt(mean of squares + eps)
 * @rsvd: zero
 */
struct npu_op_norm_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, out, mean, rstd;
	uint64_t gamma, beta;
	uint32_t cols;
	uint32_t dtype, weight_dtype;
	uint32_t flags;
	float eps;
	uint32_t rsvd;
};

/**
 * struct npu_op_norm_backward_args - "op_norm_backward"
 * @outer: rows
 * @x: rows of @cols
 * @grad: rows of @cols
 * @grad_x: rows of @cols; may be @x or @grad
 * @mean: rows of 1, F32; not used for RMS
 * @rstd: rows of 1, F32
 * @gamma: @cols elements; 0: none
 * @partial: for each chunk of rows @cols sums of grad * (x - mean) * rstd, F32, then for each
 *	chunk @cols sums of grad, F32; 0: not wanted
 * @chunk: rows of a chunk
 * @cols: not 0
 * @dtype: of x, grad and grad_x: F32, F16 or BF16
 * @weight_dtype: of gamma, likewise
 * @flags: NPU_OP_NORM_*
 */
struct npu_op_norm_backward_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, grad, grad_x, mean, rstd;
	uint64_t gamma, partial;
	uint64_t chunk;
	uint32_t cols;
	uint32_t dtype, weight_dtype;
	uint32_t flags;
};

/**
 * struct npu_op_column_sum_args - "op_column_sum": sums of columns, in ascending order of rows
 * @x: @rows rows of @cols, dense, F32
 * @out: @cols sums, F32
 * @rows: rows
 * @cols: columns
 */
struct npu_op_column_sum_args {
	uint64_t x, out;
	uint32_t rows, cols;
};

#endif /* NPU_OP_NORM_H */

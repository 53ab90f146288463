/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that choose elements of rows, for the kernels and the library. */
#ifndef NPU_OP_SAMPLE_H
#define NPU_OP_SAMPLE_H

#include "npu_op_rows.h"

#define NPU_OP_TOP_K 1024 /* at most */

/**
 * struct npu_op_top_k_args - "op_top_k": the greatest elements of each row, in descending order
 * @outer: rows
 * @x: rows of @cols
 * @values: rows of @k, of x's type
 * @index: rows of @k, S32
 * @cols: at least @k
 * @k: 1 to NPU_OP_TOP_K
 * @dtype: of x: F32, F16 or BF16
 * @rsvd: zero
 */
struct npu_op_top_k_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, values, index;
	uint32_t cols, k;
	uint32_t dtype;
	uint32_t rsvd;
};

/**
 * struct npu_op_sample_args - "op_sample": one element of each row, by chance
 * @outer: rows
 * @logits: rows of @cols
 * @index: rows of 1, S32
 * @seed: of the random numbers, one a row
 * @counter: likewise
 * @control: device address of an S32 that is added to @counter; 0: none
 * @inverse_temperature: 0: the greatest
 * @top_p: above 0 and below 1, or 1 for all
 * @top_k: 0: all
 * @cols: classes, not 0
 * @dtype: of logits: F32, F16 or BF16
 * @rsvd: zero
 */
struct npu_op_sample_args {
	struct npu_op_outer outer;
	struct npu_op_rows logits, index;
	uint64_t seed, counter, control;
	float inverse_temperature;
	float top_p;
	uint32_t top_k;
	uint32_t cols;
	uint32_t dtype;
	uint32_t rsvd;
};

#endif /* NPU_OP_SAMPLE_H */

/* SPDX-License-Identifier: MIT */
/* Arguments of the cross entropy kernel, for the kernel and the library. */
#ifndef NPU_OP_CROSS_ENTROPY_H
#define NPU_OP_CROSS_ENTROPY_H

#include "npu_op_rows.h"

/**
 * struct npu_op_cross_entropy_args - "op_cross_entropy": losses, and gradients of logits
 * @outer: rows
 * @logits: rows of @cols
 * @labels: rows of 1, S32; a negative one leaves its row out, one beyond @cols traps with it
 * @loss: rows of 1, F32; base 0: not wanted
 * @grad: rows of @cols; may be @logits; base 0: not wanted
 * @cols: classes, not 0
 * @dtype: of logits and grad: F32, F16 or BF16
 * @scale: of grad
 * @rsvd: zero
 */
struct npu_op_cross_entropy_args {
	struct npu_op_outer outer;
	struct npu_op_rows logits, labels, loss, grad;
	uint32_t cols;
	uint32_t dtype;
	float scale;
	uint32_t rsvd;
};

#endif /* NPU_OP_CROSS_ENTROPY_H */

/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that quantise, for the kernels and the library. */
#ifndef NPU_OP_QUANT_H
#define NPU_OP_QUANT_H

#include "npu/npu_types.h"

#define NPU_OP_QUANT_S4 0x1 /* q has two elements in a byte */
#define NPU_OP_QUANT_BY_ROW 0x2 /* a scale is for a row, not for a column */

/**
 * struct npu_op_quant_args - "op_quant_scales": scale = greatest |x| / @divisor of each row, or of
 * each column of a group of rows; "op_quantize": q = x / scale; "op_dequantize": x = q scale
 * @x: rows x cols
 * @q: likewise, S8 or S4; not for op_quant_scales
 * @scale: F32
 * @ldx: bytes from row to row of x
 * @ldq: of q
 * @ld_scale: of scale: from one row's to the next with BY_ROW, 0 for one for all; else from group
 *	to group
 * @rows: rows
 * @group: rows of a group; all without one
 * @cols: columns, even for S4
 * @dtype: of x: F32, F16, BF16
 * @flags: NPU_OP_QUANT_*
 * @divisor: the greatest number that q takes; 1 for the greatest |x| itself
 */
struct npu_op_quant_args {
	uint64_t x, q, scale;
	uint64_t ldx, ldq, ld_scale;
	uint64_t rows, group;
	uint32_t cols;
	uint32_t dtype;
	uint32_t flags;
	float divisor;
};

#endif /* NPU_OP_QUANT_H */

/* SPDX-License-Identifier: MIT */
/* Arguments of firmware/kernels/op/transpose.c, for the kernel and the library. */
#ifndef NPU_OP_TRANSPOSE_H
#define NPU_OP_TRANSPOSE_H

#include "npu/npu_types.h"

#define NPU_OP_TRANSPOSE_OUTER 5
#define NPU_OP_TRANSPOSE_ROWS 256 /* of a tile */
#define NPU_OP_TRANSPOSE_BYTES 128 /* of a row of a tile, of what x is */

/**
 * struct npu_op_transpose_args - "op_transpose": matrices whose columns are neighbours in x, and
 * whose rows are in out; strides are in bytes, those of the matrix have 32 bits
 * @outer: extents of outer dimensions
 * @rows: of the matrix in out
 * @cols: likewise
 * @col_x: from column to column in x
 * @row_out: from row to row in out
 * @x_dtype: of npu/npu_tile.h
 * @out_dtype: what VCAST makes of that
 */
struct npu_op_transpose_args {
	uint64_t x, out;
	uint64_t outer[NPU_OP_TRANSPOSE_OUTER];
	uint64_t outer_x[NPU_OP_TRANSPOSE_OUTER];
	uint64_t outer_out[NPU_OP_TRANSPOSE_OUTER];
	uint64_t rows, cols;
	uint64_t col_x, row_out;
	uint32_t x_dtype, out_dtype;
};

#endif /* NPU_OP_TRANSPOSE_H */

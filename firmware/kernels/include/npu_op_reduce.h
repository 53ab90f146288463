/* SPDX-License-Identifier: MIT */
/* Arguments of firmware/kernels/op/reduce.c, for the kernel and the library. */
#ifndef NPU_OP_REDUCE_H
#define NPU_OP_REDUCE_H

#include "npu/npu_types.h"

#define NPU_OP_REDUCE_OUTER 7
#define NPU_OP_REDUCE_TILE 8192 /* elements of a tile with what pads its rows, at most */
#define NPU_OP_REDUCE_RESULTS 4096 /* of a tile of columns, at most */
#define NPU_OP_REDUCE_ROWS 512 /* of a tile of which each row has a result, at most */

enum npu_op_reduce {
	NPU_OP_SUM = 0,
	NPU_OP_GREATEST = 1,
	NPU_OP_LEAST = 2,
	NPU_OP_ARG_GREATEST = 3,
	NPU_OP_ARG_LEAST = 4,
};

/**
 * struct npu_op_reduce_args - "op_reduce": of a matrix in each place of outer dimensions, each
 * row or each column becomes one element
 * @kept: outer dimensions, in which out has the same places
 * @kept_x: strides of x in bytes, as all strides
 * @reduced: outer dimensions that become one with what is reduced of the matrix, in their order
 * @rows: of the matrix
 * @cols: likewise; neighbours in x
 * @row_x: stride of x
 * @out_stride: from result to result of a matrix; of columns they are neighbours
 * @tile_rows: rows of a tile; 1 if their stride has more than 32 bits
 * @tile_cols: columns of a tile
 * @columns: each column becomes an element, else each row
 * @op: enum npu_op_reduce; those of indices go with a single reduced dimension
 * @square: reduce the squares
 * @x_dtype: what x is
 * @dtype: F32 or S32: what it is converted to, and reduced in
 * @divisor: of the result; 0: none
 */
struct npu_op_reduce_args {
	uint64_t x, out;
	uint64_t kept[NPU_OP_REDUCE_OUTER];
	uint64_t kept_x[NPU_OP_REDUCE_OUTER];
	uint64_t kept_out[NPU_OP_REDUCE_OUTER];
	uint64_t reduced[NPU_OP_REDUCE_OUTER];
	uint64_t reduced_x[NPU_OP_REDUCE_OUTER];
	uint64_t rows, cols;
	uint64_t row_x;
	uint64_t out_stride;
	uint32_t tile_rows, tile_cols;
	uint32_t columns;
	uint32_t op;
	uint32_t square;
	uint32_t x_dtype, dtype, out_dtype;
	float divisor;
	uint32_t rsvd;
};

#endif /* NPU_OP_REDUCE_H */

/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that work by index, for the kernels and the library. */
#ifndef NPU_OP_GATHER_H
#define NPU_OP_GATHER_H

#include "npu_op_rows.h"

/**
 * struct npu_op_gather_args - "op_gather": each row of out is one that an index names
 * @outer: rows
 * @x: its strides are those of out's rows, 0 along the index
 * @index: rows of 1, S32; one that is not in 0..@count - 1 traps with its row
 * @out: rows of @row_bytes
 * @x_stride: bytes from what an index names to what the next does
 * @count: rows of x that an index chooses from
 * @row_bytes: of a row, dense in x and out
 */
struct npu_op_gather_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, index, out;
	uint64_t x_stride, count;
	uint64_t row_bytes;
};

/**
 * struct npu_op_scatter_add_args - "op_scatter_add": rows of grad add up in those of a table
 * @outer: rows of index and grad
 * @index: rows of 1, S32; one that is not in 0..@count - 1 traps with its row
 * @grad: rows of @cols
 * @table: @count rows of @cols, F32, @table_pitch bytes apart; overwritten
 * @table_pitch: less than 4 GiB
 * @count: rows of the table
 * @cols: columns
 * @dtype: of grad: F32, F16 or BF16
 */
struct npu_op_scatter_add_args {
	struct npu_op_outer outer;
	struct npu_op_rows index, grad;
	uint64_t table, table_pitch, count;
	uint32_t cols;
	uint32_t dtype;
};

#endif /* NPU_OP_GATHER_H */

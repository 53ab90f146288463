/* SPDX-License-Identifier: MIT */
/* Arguments of firmware/kernels/op/s4_rows.c, for the kernel and the library. */
#ifndef NPU_OP_S4_ROWS_H
#define NPU_OP_S4_ROWS_H

#include "npu_op_rows.h"

/**
 * struct npu_op_s4_rows_args - "op_s4_rows": rows of 4 bits, wherever in a byte they begin, are
 * copied to where each begins with one
 * @outer: rows
 * @x: its strides are in elements, of which two are a byte
 * @out: likewise; they are even
 * @cols: elements of a row
 */
struct npu_op_s4_rows_args {
	struct npu_op_outer outer;
	struct npu_op_rows x, out;
	uint64_t cols;
};

#endif /* NPU_OP_S4_ROWS_H */

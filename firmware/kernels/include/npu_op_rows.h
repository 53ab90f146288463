/* SPDX-License-Identifier: MIT */
/*
 * Operands that kernels of operators take row by row. A row is the last dimension, dense; the
 * dimensions before it are shared by all operands of a launch, and may have any strides.
 */
#ifndef NPU_OP_ROWS_H
#define NPU_OP_ROWS_H

#include "npu/npu_types.h"

#define NPU_OP_OUTER_DIMS 5

/**
 * struct npu_op_outer - the dimensions before the last one
 * @rows: their product
 * @shape: their extents, the innermost first; 1 where there are less
 */
struct npu_op_outer {
	uint64_t rows;
	uint64_t shape[NPU_OP_OUTER_DIMS];
};

/**
 * struct npu_op_rows - an operand
 * @base: device address of its first row; 0: there is none
 * @stride: bytes from one to the next along each dimension of the struct npu_op_outer
 */
struct npu_op_rows {
	uint64_t base;
	uint64_t stride[NPU_OP_OUTER_DIMS];
};

#endif /* NPU_OP_ROWS_H */

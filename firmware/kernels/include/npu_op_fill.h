/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that fill tensors, for the kernel and the library. */
#ifndef NPU_OP_FILL_H
#define NPU_OP_FILL_H

#include "npu/npu_types.h"

/**
 * struct npu_op_fill_args - "op_fill": @count elements from @out on take the bits @pattern
 * @out: device address
 * @count: elements
 * @pattern: bits of an element
 * @dtype: of npu/npu_tile.h
 */
struct npu_op_fill_args {
	uint64_t out;
	uint64_t count;
	uint32_t pattern;
	uint32_t dtype;
};

#endif /* NPU_OP_FILL_H */

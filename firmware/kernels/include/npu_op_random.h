/* SPDX-License-Identifier: MIT */
/* Arguments of firmware/kernels/op/random.c, for the kernel and the library. */
#ifndef NPU_OP_RANDOM_H
#define NPU_OP_RANDOM_H

#include "npu/npu_types.h"

enum npu_op_random {
	NPU_OP_UNIFORM = 0, /* min(u * scale + offset, most), u in [0, 1) */
	NPU_OP_NORMAL = 1, /* z * scale + offset */
	NPU_OP_DROPOUT = 2, /* number >= threshold ? x * scale : 0 */
};

/**
 * struct npu_op_random_args - "op_random": numbers of a stream of Philox, see op/philox.h
 * @out: device address of @count elements
 * @x: of as many, for DROPOUT
 * @counter: high half of Philox's counter
 * @control: device address of an S32 to be added to that, or 0
 * @out_dtype: a float type
 * @x_dtype: likewise
 * @threshold: of the number as a signed one
 */
struct npu_op_random_args {
	uint64_t out;
	uint64_t x;
	uint64_t count;
	uint64_t seed;
	uint64_t counter;
	uint64_t control;
	uint32_t mode;
	uint32_t out_dtype;
	uint32_t x_dtype;
	int32_t threshold;
	float scale;
	float offset;
	float most;
	uint32_t rsvd;
};

#endif /* NPU_OP_RANDOM_H */

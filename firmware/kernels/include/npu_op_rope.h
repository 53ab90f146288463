/* SPDX-License-Identifier: MIT */
/* Arguments of the kernel of rotary position embedding, for the kernel and the library. */
#ifndef NPU_OP_ROPE_H
#define NPU_OP_ROPE_H

#include "npu/npu_types.h"

#define NPU_OP_ROPE_INVERSE 0x1
#define NPU_OP_ROPE_INTERLEAVED 0x2
#define NPU_OP_ROPE_DIM 1024 /* at most */

/**
 * struct npu_op_rope_view - a tensor [batch, positions, heads, dim], its last dimension dense
 * @base: device address
 * @batch: bytes from sequence to sequence
 * @position: bytes from position to position, less than 4 GiB
 * @head: bytes from head to head
 */
struct npu_op_rope_view {
	uint64_t base;
	uint64_t batch, position, head;
};

/**
 * struct npu_op_rope_args - "op_rope": pairs of elements turn by an angle of their position
 * @x: what turns
 * @out: may be @x
 * @position: S32, of each position of each sequence; 0: 0, 1, 2, ...
 * @position_batch: bytes from sequence to sequence
 * @position_stride: bytes from one to the next
 * @ratio: of the frequency of a pair to that of the one before
 * @batch: sequences
 * @positions: of a sequence
 * @heads: heads
 * @pairs: half of dim, 1 to NPU_OP_ROPE_DIM / 2
 * @dtype: F32, F16 or BF16
 * @flags: NPU_OP_ROPE_*
 */
struct npu_op_rope_args {
	struct npu_op_rope_view x, out;
	uint64_t position, position_batch, position_stride;
	double ratio;
	uint32_t batch, positions, heads, pairs;
	uint32_t dtype;
	uint32_t flags;
};

#endif /* NPU_OP_ROPE_H */

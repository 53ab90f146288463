/* SPDX-License-Identifier: MIT */
/* Walks over strided tensors: how one is cut for the kernels of firmware/kernels/op/walk.h. */
#ifndef OP_WALK_H
#define OP_WALK_H

#include <npu_op_elementwise.h>

#include "internal.h"

#define OP_WALK_TENSORS 5 /* those of Adam */
#define OP_WALK_DIMS 8 /* those of tensors, one that is split, and single elements as rows */

/**
 * struct op_dims - the dimensions of a walk, the innermost last, as few as do
 * @extent: none is 1
 * @stride: of each tensor, in bytes
 */
struct op_dims {
	uint32_t count;
	uint64_t extent[OP_WALK_DIMS];
	uint64_t stride[OP_WALK_DIMS][OP_WALK_TENSORS];
};

static inline uint64_t op_divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static inline bool op_is_float(uint32_t dtype)
{
	return OP_FLOATS & OP_TYPE(dtype);
}

/* op_dtype_size() - bytes of an element, which is not S4. */
uint32_t op_dtype_size(uint32_t dtype);

/*
 * op_dims() - @tensors, all of which have been checked, over the shape of the first; in the
 * order of its strides, with dimensions joined that are one for all of them
 */
struct op_dims op_dims(const npuop_tensor *const *tensors, uint32_t count);

/* op_walk() - the walk of @dims, and its operands */
struct npu_op_walk op_walk(const struct op_dims *dims, const npuop_tensor *const *tensors,
			   struct npu_op_operand *const *operands, uint32_t count);

/* op_walk_tiles() - how many there are */
uint64_t op_walk_tiles(const struct npu_op_walk *walk);

/* op_repeats() - can @tensor be repeated to the shape of @to? */
int op_repeats(npuop *ops, const char *name, const npuop_tensor *tensor, const char *to_name,
	       const npuop_tensor *to);

/*
 * op_over() - may @out be written while @in is read? Yes if they are apart, or the same elements
 * in the same places.
 */
int op_over(npuop *ops, const npuop_tensor *out, const char *in_name, const npuop_tensor *in);

#endif /* OP_WALK_H */

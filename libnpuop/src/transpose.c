// SPDX-License-Identifier: MIT
#include <npu_op_transpose.h>

#include "transpose.h"
#include "walk.h"

#define ALIGN 64
#define LEAST 1024 /* elements that are worth a launch of their own */

#define OUT 0
#define X 1

/* The dimension in which elements of x are neighbours; OP_WALK_DIMS if there is none. */
static uint32_t row_dim(const struct op_dims *d, uint32_t bytes)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (d->stride[i][X] == bytes)
			return i;
	return OP_WALK_DIMS;
}

static bool can_transpose(const struct op_dims *d, const npuop_tensor *x, const npuop_tensor *out)
{
	const uint32_t bytes = op_dtype_size(x->dtype), last = d->count - 1;
	const uint32_t row = row_dim(d, bytes);

	return d->count >= 2 && row < last && d->stride[last][OUT] == op_dtype_size(out->dtype) &&
	       d->stride[last][X] != bytes && d->stride[last][X] != 0 &&
	       d->stride[last][X] <= UINT32_MAX && d->stride[row][OUT] <= UINT32_MAX;
}

bool op_transpose(npuop *ops, const npuop_tensor *x, const npuop_tensor *out, int *err)
{
	const npuop_tensor *tensors[] = { out, x };
	const uint32_t bytes = op_dtype_size(x->dtype);
	struct npu_op_transpose_args args = {
		.x = op_address(x),
		.out = op_address(out),
		.x_dtype = x->dtype,
		.out_dtype = out->dtype,
	};
	const struct op_dims d = op_dims(tensors, 2);
	const uint32_t row = row_dim(&d, bytes);
	uint32_t outer = 0;
	uint64_t units;

	if (!npuop_tensor_elements(out) || !can_transpose(&d, x, out))
		return false;
	args.rows = d.extent[row];
	args.row_out = d.stride[row][OUT];
	args.cols = d.extent[d.count - 1];
	args.col_x = d.stride[d.count - 1][X];
	units = op_divide_up(args.rows, NPU_OP_TRANSPOSE_ROWS) *
		op_divide_up(args.cols, NPU_OP_TRANSPOSE_BYTES / bytes);
	for (uint32_t i = 0; i < NPU_OP_TRANSPOSE_OUTER; i++)
		args.outer[i] = 1;
	for (uint32_t i = 0; i < d.count - 1; i++) {
		if (i == row)
			continue;
		units *= d.extent[i];
		args.outer[outer] = d.extent[i];
		args.outer_x[outer] = d.stride[i][X];
		args.outer_out[outer++] = d.stride[i][OUT];
	}
	*err = op_launch(ops, OP_KERNEL_op_transpose, op_blocks(ops, units, 1), &args,
			 sizeof(args));
	return true;
}

/* Dense, with the dimensions of @x in the order that those of @out have in memory. */
static npuop_tensor laid_out_as(const npuop_tensor *out, const npuop_tensor *x)
{
	const uint32_t missing = out->rank - x->rank;
	npuop_tensor t = *x;
	uint64_t stride = 1;
	uint32_t done = 0;

	for (uint32_t n = 0; n < x->rank; n++) {
		uint32_t next = NPUOP_MAX_RANK;

		for (uint32_t i = 0; i < x->rank; i++)
			if (!(done & 1u << i) &&
			    (next == NPUOP_MAX_RANK ||
			     out->stride[missing + i] < out->stride[missing + next]))
				next = i;
		done |= 1u << next;
		t.stride[next] = stride;
		stride *= t.shape[next];
	}
	return t;
}

bool op_turn(npuop *ops, const npuop_tensor *out, const npuop_tensor *x, uint64_t *used,
	     npuop_tensor *turned, int *err)
{
	const npuop_tensor *tensors[] = { out, x };
	const struct op_dims d = op_dims(tensors, 2);
	const uint64_t count = npuop_tensor_elements(x), room = npurt_memory_size(ops->workspace);
	const uint64_t bytes = npuop_dtype_bytes(x->dtype, count);

	if (count < LEAST || count > room || bytes > room - *used || !can_transpose(&d, x, out))
		return false;
	*turned = laid_out_as(out, x);
	turned->memory = ops->workspace;
	turned->offset = *used;
	if (!op_transpose(ops, x, turned, err))
		return false;
	*used += op_divide_up(bytes, ALIGN) * ALIGN;
	if (*used > room)
		*used = room;
	return true;
}

// SPDX-License-Identifier: MIT
/* npuop_rope() */
#include <inttypes.h>
#include <math.h>

#include <npu_op_rope.h>

#include "rows.h"
#include "stage.h"

#define LEAST 8192 /* elements that are worth a block */

static int check_view(npuop *ops, const char *name, const npuop_tensor *t)
{
	int err = op_rank(ops, name, t, 4);

	if (!err && t->shape[1] > 1 && t->stride[1] > UINT32_MAX / 4)
		err = op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			      "%s: positions that are %" PRIu64 " elements apart", name,
			      t->stride[1]);
	return err;
}

static int check(npuop *ops, const npuop_tensor *x, const npuop_tensor *position,
		 const npuop_tensor *out)
{
	int err;

	if ((err = op_read(ops, "x", x, OP_FLOATS)) || (err = check_view(ops, "x", x)) ||
	    (err = op_write(ops, "out", out, OP_TYPE(x->dtype))) ||
	    (err = op_same(ops, "out", out, "x", x)) || (err = check_view(ops, "out", out)) ||
	    (err = op_in_place(ops, "out", out, "x", x)))
		return err;
	if (position && ((err = op_read(ops, "position", position, OP_TYPE(NPUOP_S32))) ||
			 (err = op_shape(ops, "position", position, 2, x->shape)) ||
			 (err = op_apart(ops, "out", out, "position", position))))
		return err;
	if (x->shape[3] % 2)
		return op_fail(ops, NPURT_ERROR_INVALID, "x: dim %" PRIu64 " is odd", x->shape[3]);
	if (x->shape[3] > NPU_OP_ROPE_DIM)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "x: dim %" PRIu64 ", more than %u",
			       x->shape[3], NPU_OP_ROPE_DIM);
	if (x->shape[0] > UINT32_MAX || x->shape[1] > INT32_MAX || x->shape[2] > UINT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "x: too many positions");
	return 0;
}

static int check_angles(npuop *ops, float base, uint32_t flags)
{
	const uint32_t unknown = flags & ~(NPUOP_ROPE_INVERSE | NPUOP_ROPE_INTERLEAVED);

	if (unknown)
		return op_fail(ops, NPURT_ERROR_INVALID, "flags has unknown bits 0x%x", unknown);
	if (!(base >= 1) || isinf(base))
		return op_fail(ops, NPURT_ERROR_INVALID, "base: %g is not 1 or more", (double)base);
	return 0;
}

static struct npu_op_rope_view view_of(const npuop_tensor *t)
{
	const uint64_t bytes = npuop_dtype_bytes(t->dtype, 1);

	return (struct npu_op_rope_view){
		.base = op_address(t),
		.batch = t->stride[0] * bytes,
		.position = t->stride[1] * bytes,
		.head = t->stride[2] * bytes,
	};
}

int npuop_rope(npuop *ops, const npuop_tensor *x, const npuop_tensor *position, float base,
	       uint32_t flags, const npuop_tensor *out)
{
	struct npu_op_rope_args args;
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	int err;

	if ((err = check(ops, x, position, out)) || (err = check_angles(ops, base, flags)))
		return err;
	if (!npuop_tensor_elements(x))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &x, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	args = (struct npu_op_rope_args){
		.x = view_of(x),
		.out = view_of(to),
		.position = op_address(position),
		.position_batch = position ? position->stride[0] * 4 : 0,
		.position_stride = position ? position->stride[1] * 4 : 0,
		.ratio = pow((double)base, -2.0 / (double)x->shape[3]),
		.batch = (uint32_t)x->shape[0],
		.positions = (uint32_t)x->shape[1],
		.heads = (uint32_t)x->shape[2],
		.pairs = (uint32_t)(x->shape[3] / 2),
		.dtype = x->dtype,
		.flags = (flags & NPUOP_ROPE_INVERSE ? NPU_OP_ROPE_INVERSE : 0) |
			 (flags & NPUOP_ROPE_INTERLEAVED ? NPU_OP_ROPE_INTERLEAVED : 0),
	};
	err = op_launch(ops, OP_KERNEL_op_rope, op_blocks(ops, npuop_tensor_elements(x), LEAST),
			&args, sizeof(args));
	return err ? err : op_unstage(ops, to, out);
}

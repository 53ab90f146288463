// SPDX-License-Identifier: MIT
/* npuop_fill() */
#include <npu_op_fill.h>

#include "internal.h"

#define LEAST 16384 /* elements that are worth a block */

static uint32_t float_bits(float value)
{
	uint32_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

int npuop_fill(npuop *ops, double value, const npuop_tensor *out)
{
	struct npu_op_fill_args args = { 0 };
	int err = op_write(ops, "out", out, OP_TYPE(NPUOP_F32));

	if (!err)
		err = op_dense(ops, "out", out);
	if (err)
		return err;
	args.out = op_address(out);
	args.count = npuop_tensor_elements(out);
	args.pattern = float_bits((float)value);
	args.dtype = out->dtype;
	if (!args.count)
		return 0;
	return op_launch(ops, OP_KERNEL_op_fill, op_blocks(ops, args.count, LEAST), &args,
			 sizeof(args));
}

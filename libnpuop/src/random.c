// SPDX-License-Identifier: MIT
/* npuop_random_uniform(), npuop_random_normal(), npuop_dropout() */
#include <math.h>

#include <npu_op_random.h>

#include "stage.h"
#include "walk.h"

#define LEAST 8192 /* numbers that are worth a block: a group of them */

/* The attributes and the result of all three. */
static int take(npuop *ops, const npuop_random_attr *attr, const npuop_tensor *out,
		struct npu_op_random_args *args)
{
	npuop_random_attr own;
	int err;

	if (!attr)
		return op_fail(ops, NPURT_ERROR_INVALID, "attr is NULL");
	err = op_take(ops, "npuop_random_attr", 0, &own, sizeof(own), attr);
	if (!err)
		err = op_write(ops, "out", out, OP_FLOATS);
	if (!err && own.control) {
		const uint64_t shape[] = { 1 };

		err = op_read(ops, "control", own.control, OP_TYPE(NPUOP_S32));
		if (!err)
			err = op_shape(ops, "control", own.control, 1, shape);
		if (!err)
			err = op_apart(ops, "control", own.control, "out", out);
	}
	if (err)
		return err;
	args->out_dtype = out->dtype;
	args->count = npuop_tensor_elements(out);
	args->seed = own.seed;
	args->counter = own.counter;
	args->control = op_address(own.control);
	return 0;
}

/* A number is its element's by its place in the tensor: views are made of dense ones. */
static int launch(npuop *ops, struct npu_op_random_args *args, const npuop_tensor *x,
		  const npuop_tensor *out)
{
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	int err;

	if (!args->count)
		return 0;
	if ((x && !op_is_dense(x) && (err = op_stage(ops, &stage, &x, true))) ||
	    (!op_is_dense(out) && (err = op_stage(ops, &stage, &to, false))))
		return err;
	args->out = op_address(to);
	args->x = op_address(x);
	err = op_launch(ops, OP_KERNEL_op_random, op_blocks(ops, args->count, LEAST), args,
			sizeof(*args));
	return err ? err : op_unstage(ops, to, out);
}

/* The greatest number of a type below @high. */
static float below(float high, uint32_t dtype)
{
	const int bits = dtype == NPUOP_F16 ? 11 : dtype == NPUOP_BF16 ? 8 : 24;
	float most = nextafterf(high, -INFINITY);
	int exponent;

	if (bits == 24)
		return most;
	/* Down to a multiple of the type's step at that size; fp16 has no smaller one than 2^-24. */
	frexpf(most, &exponent);
	exponent -= bits;
	if (dtype == NPUOP_F16 && exponent < -24)
		exponent = -24;
	return ldexpf(floorf(ldexpf(most, -exponent)), exponent);
}

int npuop_random_uniform(npuop *ops, const npuop_random_attr *attr, float low, float high,
			 const npuop_tensor *out)
{
	struct npu_op_random_args args = { .mode = NPU_OP_UNIFORM };
	int err = take(ops, attr, out, &args);

	if (err)
		return err;
	if (!isfinite(low) || !isfinite(high) || !isfinite(high - low) || low >= high)
		return op_fail(ops, NPURT_ERROR_INVALID,
			       "high: from %g to %g is no range of numbers", (double)low,
			       (double)high);
	args.scale = high - low;
	args.offset = low;
	args.most = below(high, out->dtype);
	if (args.most < low)
		return op_fail(ops, NPURT_ERROR_INVALID, "high: the type has no number below %g",
			       (double)high);
	return launch(ops, &args, NULL, out);
}

int npuop_random_normal(npuop *ops, const npuop_random_attr *attr, float mean, float deviation,
			const npuop_tensor *out)
{
	struct npu_op_random_args args = { .mode = NPU_OP_NORMAL };
	int err = take(ops, attr, out, &args);

	if (err)
		return err;
	if (!isfinite(mean))
		return op_fail(ops, NPURT_ERROR_INVALID, "mean is %g", (double)mean);
	if (!isfinite(deviation) || deviation < 0)
		return op_fail(ops, NPURT_ERROR_INVALID, "deviation is %g", (double)deviation);
	args.scale = deviation;
	args.offset = mean;
	return launch(ops, &args, NULL, out);
}

int npuop_dropout(npuop *ops, const npuop_random_attr *attr, float p, const npuop_tensor *x,
		  const npuop_tensor *out)
{
	struct npu_op_random_args args = { .mode = NPU_OP_DROPOUT };
	int err = take(ops, attr, out, &args);

	if (!err)
		err = op_read(ops, "x", x, OP_FLOATS);
	if (!err)
		err = op_same(ops, "x", x, "out", out);
	if (!err)
		err = op_over(ops, out, "x", x);
	if (err)
		return err;
	if (!(p >= 0 && p <= 1))
		return op_fail(ops, NPURT_ERROR_INVALID, "p is %g, not in [0, 1]", (double)p);
	if (p == 1)
		return npuop_fill(ops, 0, out);
	args.x_dtype = x->dtype;
	args.threshold = (int32_t)(int64_t)((double)p * 0x1p32 - 0x1p31);
	args.scale = (float)(1 / (1 - (double)p));
	return launch(ops, &args, x, out);
}

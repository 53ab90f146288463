// SPDX-License-Identifier: MIT
/* Pooling: npuop_pool2d() and its backward. */
#include <npu_op_pool.h>

#include "internal.h"

#define LEAST 16384 /* elements that are worth a block */
#define STRIP_BYTES (NPU_OP_POOL_STRIP * 32) /* of pixels in UB */
#define PIECE_MAX 256 /* channels of which a mask of bits has 32 bytes */

enum { BATCH, HEIGHT, WIDTH, CHANNELS };

static int check_images(npuop *ops, const char *name, const npuop_tensor *t, bool written)
{
	int err = (written ? op_write : op_read)(ops, name, t, OP_FLOATS);

	if (!err)
		err = op_rank(ops, name, t, 4);
	if (!err)
		err = op_inner(ops, name, t);
	if (err)
		return err;
	for (int i = 0; i < 4; i++)
		if (t->shape[i] > INT32_MAX || (i == WIDTH && t->stride[i] > UINT32_MAX / 4))
			return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
				       "%s: a dimension or stride that is too large", name);
	return 0;
}

/* Windows, and the result's shape. */
static int take_windows(npuop *ops, const npuop_pool_attr *attr, const npuop_tensor *x,
			struct npu_op_pool_args *args, uint64_t *shape)
{
	npuop_pool_attr own;
	int err = op_take(ops, "npuop_pool_attr", 0, &own, sizeof(own), attr);

	if (err)
		return err;
	shape[BATCH] = x->shape[BATCH];
	shape[CHANNELS] = x->shape[CHANNELS];
	for (int d = 0; d < 2; d++) {
		const uint64_t padded = x->shape[HEIGHT + d] + 2ULL * own.pad[d];

		if (!own.window[d] || own.window[d] > UINT16_MAX || own.stride[d] > UINT16_MAX)
			return op_fail(ops, NPURT_ERROR_INVALID,
				       "npuop_pool_attr: window or stride of 0 or more than 65535");
		if (own.pad[d] >= own.window[d])
			return op_fail(ops, NPURT_ERROR_INVALID,
				       "npuop_pool_attr: pad is not less than the window");
		args->window[d] = own.window[d];
		args->step[d] = own.stride[d] ? own.stride[d] : own.window[d];
		args->pad[d] = own.pad[d];
		args->extent[d] = (uint32_t)x->shape[HEIGHT + d];
		shape[HEIGHT + d] = padded < own.window[d] || !x->shape[HEIGHT + d]
					    ? 0
					    : (padded - own.window[d]) / args->step[d] + 1;
		args->out[d] = (uint32_t)shape[HEIGHT + d];
	}
	return 0;
}

static int take_op(npuop *ops, enum npuop_pool_op op, struct npu_op_pool_args *args)
{
	if (op != NPUOP_POOL_MAX && op != NPUOP_POOL_MEAN)
		return op_fail(ops, NPURT_ERROR_INVALID, "op: there is no %u", op);
	args->flags = op == NPUOP_POOL_MEAN ? NPU_OP_POOL_MEAN : 0;
	return 0;
}

static void take_strides(const npuop_tensor *t, uint64_t *stride)
{
	for (int i = 0; i < 3; i++)
		stride[i] = npuop_dtype_bytes(t->dtype, t->stride[i]);
}

/* Strips of a row, as even as may be. */
static uint32_t strip_of(uint32_t columns)
{
	const uint32_t strips = columns ? (columns - 1) / NPU_OP_POOL_STRIP + 1 : 1;

	return columns ? (columns - 1) / strips + 1 : 1;
}

/* @rows of all images, of any strip and channels, are the units of work. */
static int launch(npuop *ops, enum op_kernel kernel, const npuop_tensor *x, const npuop_tensor *y,
		  uint64_t rows, uint32_t columns, struct npu_op_pool_args *args)
{
	uint32_t width, strip, fits;
	uint64_t elements, units;

	args->x = op_address(x);
	args->y = op_address(y);
	take_strides(x, args->stride_x);
	take_strides(y, args->stride_y);
	args->batch = (uint32_t)x->shape[BATCH];
	args->channels = (uint32_t)x->shape[CHANNELS];
	args->strip[0] = strip_of(args->extent[1]);
	args->strip[1] = strip_of(args->out[1]);
	width = args->strip[0] > args->strip[1] ? args->strip[0] : args->strip[1];
	fits = STRIP_BYTES / width / 32 * 8;
	args->piece = fits < PIECE_MAX ? fits : PIECE_MAX;
	args->dtype = x->dtype;
	args->dtype_y = y->dtype;
	strip = strip_of(columns);
	elements = (uint64_t)width * args->piece * args->window[0];
	units = args->batch * rows * ((columns + strip - 1) / strip) *
		((args->channels + args->piece - 1) / args->piece);
	return op_launch(ops, kernel, op_blocks(ops, units, LEAST / (elements + 1) + 1), args,
			 sizeof(*args));
}

/* What both functions take: images, windows, and @y, an element for each window. */
static int check(npuop *ops, enum npuop_pool_op op, const npuop_pool_attr *attr,
		 const npuop_tensor *x, const char *y_name, const npuop_tensor *y, bool y_written,
		 struct npu_op_pool_args *args)
{
	uint64_t shape[4];
	int err;

	if ((err = take_op(ops, op, args)) || (err = check_images(ops, "x", x, false)) ||
	    (err = check_images(ops, y_name, y, y_written)) ||
	    (err = take_windows(ops, attr, x, args, shape)))
		return err;
	return op_shape(ops, y_name, y, 4, shape);
}

int npuop_pool2d(npuop *ops, enum npuop_pool_op op, const npuop_pool_attr *attr,
		 const npuop_tensor *x, const npuop_tensor *out)
{
	struct npu_op_pool_args args = { 0 };
	int err;

	if ((err = check(ops, op, attr, x, "out", out, true, &args)) ||
	    (err = op_apart(ops, "out", out, "x", x)))
		return err;
	if (!npuop_tensor_elements(out))
		return 0;
	return launch(ops, OP_KERNEL_op_pool, x, out, args.out[0], args.out[1], &args);
}

int npuop_pool2d_backward(npuop *ops, enum npuop_pool_op op, const npuop_pool_attr *attr,
			  const npuop_tensor *x, const npuop_tensor *grad,
			  const npuop_tensor *grad_x)
{
	struct npu_op_pool_args args = { 0 };
	int err;

	if ((err = check(ops, op, attr, x, "grad", grad, false, &args)) ||
	    (err = check_images(ops, "grad_x", grad_x, true)) ||
	    (err = op_same(ops, "grad_x", grad_x, "x", x)) ||
	    (err = op_apart(ops, "grad_x", grad_x, "x", x)) ||
	    (err = op_apart(ops, "grad_x", grad_x, "grad", grad)))
		return err;
	if (!npuop_tensor_elements(grad_x))
		return 0;
	args.grad_x = op_address(grad_x);
	args.dtype_grad_x = grad_x->dtype;
	take_strides(grad_x, args.stride_grad_x);
	return launch(ops, OP_KERNEL_op_pool_backward, x, grad, args.extent[0], args.extent[1],
		      &args);
}

// SPDX-License-Identifier: MIT
/* Convolutions: npuop_conv2d() and its backward. */
#include <inttypes.h>

#include <npu_op_conv.h>

#include "gemm.h"

#define MOST INT32_MAX /* pixels, channels */
#define UNIT 32 /* bytes that the channels of a tap are rounded up to */

/* Images of a batch, rows, columns, channels; weights of kernel rows and columns, in and out. */
enum { BATCH, HEIGHT, WIDTH, CHANNELS };
enum { K_ROWS, K_COLS, K_IN, K_OUT };

struct operand {
	const char *name;
	const npuop_tensor *tensor;
};

/* The three tensors of a convolution, whichever of them is the result. */
struct conv {
	npuop *ops;
	npuop_conv_attr attr;
	struct operand x, w, y;
};

static uint32_t or_one(uint32_t value)
{
	return value ? value : 1;
}

static int check_tensor(npuop *ops, const struct operand *o, uint32_t types, bool written)
{
	const npuop_tensor *t = o->tensor;
	int err;

	if ((err = (written ? op_write : op_read)(ops, o->name, t, types)) ||
	    (err = op_rank(ops, o->name, t, 4)) || (err = op_inner(ops, o->name, t)))
		return err;
	for (int i = 0; i < 4; i++)
		if (t->shape[i] > MOST || t->stride[i] > UINT32_MAX / 8)
			return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
				       "%s: a dimension or stride that is too large", o->name);
	return 0;
}

/* Extent of the result along a dimension of the images. */
static uint64_t out_extent(const struct conv *c, int d)
{
	const uint64_t padded = c->x.tensor->shape[HEIGHT + d] + 2ULL * c->attr.pad[d];
	const uint64_t span = (c->w.tensor->shape[d] - 1) * or_one(c->attr.dilation[d]) + 1;

	return padded < span ? 0 : (padded - span) / or_one(c->attr.stride[d]) + 1;
}

/* The rows of a matrix of pixels are a constant stride apart. */
static int check_pixels(npuop *ops, const struct operand *o)
{
	const npuop_tensor *t = o->tensor;
	const uint64_t row = t->stride[WIDTH] * t->shape[WIDTH], image = row * t->shape[HEIGHT];

	if ((t->shape[HEIGHT] > 1 && t->stride[HEIGHT] != row) ||
	    (t->shape[BATCH] > 1 && t->stride[BATCH] != image))
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "%s: pixels are not a constant stride apart", o->name);
	if (t->shape[BATCH] * t->shape[HEIGHT] > MOST ||
	    t->shape[BATCH] * t->shape[HEIGHT] * t->shape[WIDTH] > MOST)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: more than 2^31 - 1 pixels",
			       o->name);
	return 0;
}

static int check_geometry(const struct conv *c)
{
	uint64_t y[4], w[4] = { c->w.tensor->shape[K_ROWS], c->w.tensor->shape[K_COLS],
				c->x.tensor->shape[CHANNELS], c->w.tensor->shape[K_OUT] };
	int err = op_shape(c->ops, c->w.name, c->w.tensor, 4, w);

	if (err)
		return err;
	if (!w[K_ROWS] || !w[K_COLS])
		return op_fail(c->ops, NPURT_ERROR_INVALID, "%s: a kernel without taps", c->w.name);
	for (int d = 0; d < 2; d++)
		if (c->attr.stride[d] > UINT16_MAX || c->attr.pad[d] > UINT16_MAX ||
		    c->attr.dilation[d] > UINT16_MAX || c->w.tensor->shape[d] > UINT16_MAX)
			return op_fail(c->ops, NPURT_ERROR_UNSUPPORTED,
				       "npuop_conv_attr: more than 65535");
	y[BATCH] = c->x.tensor->shape[BATCH];
	y[HEIGHT] = out_extent(c, 0);
	y[WIDTH] = out_extent(c, 1);
	y[CHANNELS] = c->w.tensor->shape[K_OUT];
	return op_shape(c->ops, c->y.name, c->y.tensor, 4, y);
}

/*
 * @a and @b are read, and of one type; @result is written. The pixels of @rows are those of a
 * matrix.
 */
static int check(const struct conv *c, const struct operand *a, const struct operand *b,
		 const struct operand *result, uint32_t result_types, const struct operand *rows)
{
	npuop *ops = c->ops;
	int err;

	if ((err = check_tensor(ops, a, OP_FLOATS, false)) ||
	    (err = check_tensor(ops, b, OP_TYPE(a->tensor->dtype), false)) ||
	    (err = check_tensor(ops, result, result_types, true)) || (err = check_geometry(c)) ||
	    (err = check_pixels(ops, rows)) ||
	    (err = op_apart(ops, result->name, result->tensor, a->name, a->tensor)))
		return err;
	return op_apart(ops, result->name, result->tensor, b->name, b->tensor);
}

static uint64_t bytes(const npuop_tensor *t, uint64_t elements)
{
	return npuop_dtype_bytes(t->dtype, elements);
}

/* Patches of @t, whose pixels are met by taps from a grid that is @grid's. */
static struct npu_op_patches patches_of(const struct conv *c, const npuop_tensor *t,
					const npuop_tensor *grid)
{
	const uint32_t unit = UNIT / (uint32_t)bytes(t, 1);
	struct npu_op_patches p = {
		.image = op_address(t),
		.stride = { bytes(t, t->stride[BATCH]), bytes(t, t->stride[HEIGHT]),
			    bytes(t, t->stride[WIDTH]) },
		.channels = (uint32_t)t->shape[CHANNELS],
		.dtype = t->dtype,
	};

	p.tap_channels = (p.channels + unit - 1) / unit * unit;
	p.gaps = p.tap_channels != p.channels;
	for (int d = 0; d < 2; d++) {
		const int32_t pad = (int32_t)c->attr.pad[d];
		const int32_t dilation = (int32_t)or_one(c->attr.dilation[d]);
		const uint32_t stride = or_one(c->attr.stride[d]);
		const bool forward = t == c->x.tensor;

		p.extent[d] = (uint32_t)t->shape[HEIGHT + d];
		p.grid[d] = (uint32_t)grid->shape[HEIGHT + d];
		p.taps[d] = (uint32_t)c->w.tensor->shape[d];
		p.mul[d] = forward ? stride : 1;
		p.div[d] = forward ? 1 : stride;
		p.offset[d] = forward ? -pad : pad;
		p.step[d] = forward ? dilation : -dilation;
		p.gaps |= !forward || pad;
	}
	return p;
}

static uint64_t pixels(const npuop_tensor *t)
{
	return t->shape[BATCH] * t->shape[HEIGHT] * t->shape[WIDTH];
}

/* @result = patches of @image x weights */
static int launch(const struct conv *c, const npuop_tensor *image, const npuop_tensor *result,
		  struct npu_op_conv_args *args)
{
	uint64_t tiles;
	double k;

	args->patches = patches_of(c, image, result);
	args->weight = op_address(c->w.tensor);
	args->tap_stride[0] = bytes(c->w.tensor, c->w.tensor->stride[K_ROWS]);
	args->tap_stride[1] = bytes(c->w.tensor, c->w.tensor->stride[K_COLS]);
	args->ld = bytes(c->w.tensor, c->w.tensor->stride[K_IN]);
	args->out.c = op_address(result);
	args->out.ldc = bytes(result, result->stride[WIDTH]);
	args->out.dtype = result->dtype;
	args->out.scale = 1;
	args->m = (uint32_t)pixels(result);
	args->n = (uint32_t)result->shape[CHANNELS];
	k = (double)args->patches.taps[0] * args->patches.taps[1] * args->patches.tap_channels;
	tiles = op_tiles(c->ops, 1, args->m, args->n, &args->tile_m, &args->tile_n);
	return op_launch(c->ops, OP_KERNEL_op_conv,
			 op_tile_blocks(c->ops, tiles, 2.0 * args->tile_m * args->tile_n * k), args,
			 sizeof(*args));
}

int npuop_conv2d(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *x,
		 const npuop_tensor *weight, const npuop_tensor *out)
{
	struct conv c = {
		.ops = ops,
		.x = { "x", x },
		.w = { "weight", weight },
		.y = { "out", out },
	};
	struct npu_op_conv_args args = { .out.flags = NPU_OP_GEMM_K_ROWS_B };
	int err;

	if ((err = op_take(ops, "npuop_conv_attr", 0, &c.attr, sizeof(c.attr), attr)) ||
	    (err = check(&c, &c.x, &c.w, &c.y, OP_FLOATS, &c.y)) ||
	    (err = op_activation(ops, c.attr.activation)) ||
	    (err = op_bias(ops, c.attr.bias, weight->shape[K_OUT], out->dtype, &args.out)) ||
	    (c.attr.bias && (err = op_apart(ops, "out", out, "bias", c.attr.bias))))
		return err;
	if (!npuop_tensor_elements(out))
		return 0;
	args.out.activation = c.attr.activation;
	return launch(&c, x, out, &args);
}

/* Activation and bias are the forward's. */
static int take_backward(struct conv *c, const npuop_conv_attr *attr)
{
	int err = op_take(c->ops, "npuop_conv_attr", 0, &c->attr, sizeof(c->attr), attr);

	if (!err && (c->attr.activation || c->attr.bias))
		err = op_fail(c->ops, NPURT_ERROR_INVALID,
			      "npuop_conv_attr: activation and bias are not for the backward");
	return err;
}

int npuop_conv2d_backward_input(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *grad,
				const npuop_tensor *weight, const npuop_tensor *grad_x)
{
	struct conv c = {
		.ops = ops,
		.x = { "grad_x", grad_x },
		.w = { "weight", weight },
		.y = { "grad", grad },
	};
	struct npu_op_conv_args args = { 0 };
	int err;

	if ((err = take_backward(&c, attr)) || (err = check(&c, &c.y, &c.w, &c.x, OP_FLOATS, &c.x)))
		return err;
	if (!npuop_tensor_elements(grad_x))
		return 0;
	return launch(&c, grad, grad_x, &args);
}

static int launch_weight(const struct conv *c)
{
	struct npu_op_conv_weight_args args = {
		.patches = patches_of(c, c->x.tensor, c->y.tensor),
		.b = op_address(c->y.tensor),
		.ldb = bytes(c->y.tensor, c->y.tensor->stride[WIDTH]),
		.c = op_address(c->w.tensor),
		.tap_stride = { bytes(c->w.tensor, c->w.tensor->stride[K_ROWS]),
				bytes(c->w.tensor, c->w.tensor->stride[K_COLS]) },
		.ldc = bytes(c->w.tensor, c->w.tensor->stride[K_IN]),
		.n = (uint32_t)c->w.tensor->shape[K_OUT],
		.k = (uint32_t)pixels(c->y.tensor),
	};
	const uint32_t rows =
		args.patches.taps[0] * args.patches.taps[1] * args.patches.tap_channels;
	uint64_t tiles = op_tiles(c->ops, 1, rows, args.n, &args.tile_m, &args.tile_n);

	/* The channels of a tap begin at 32 bytes. */
	args.tile_m = (args.tile_m + 31) / 32 * 32;
	tiles = (rows + args.tile_m - 1) / args.tile_m * ((args.n + args.tile_n - 1) / args.tile_n);
	return op_launch(c->ops, OP_KERNEL_op_conv_weight,
			 op_tile_blocks(c->ops, tiles, 2.0 * args.tile_m * args.tile_n * args.k),
			 &args, sizeof(args));
}

static int launch_bias(const struct conv *c, const npuop_tensor *grad_bias)
{
	struct npu_op_column_sums_args args = {
		.x = op_address(c->y.tensor),
		.ld = bytes(c->y.tensor, c->y.tensor->stride[WIDTH]),
		.out = op_address(grad_bias),
		.rows = (uint32_t)pixels(c->y.tensor),
		.cols = (uint32_t)c->y.tensor->shape[CHANNELS],
		.dtype = c->y.tensor->dtype,
	};
	uint32_t tile_m;
	const uint64_t tiles = op_tiles(c->ops, 1, 1, args.cols, &tile_m, &args.tile_n);

	return op_launch(c->ops, OP_KERNEL_op_column_sums,
			 op_tile_blocks(c->ops, tiles, 2.0 * args.tile_n * args.rows), &args,
			 sizeof(args));
}

static int check_grad_bias(const struct conv *c, const npuop_tensor *grad_bias)
{
	int err;

	if ((err = op_write(c->ops, "grad_bias", grad_bias, OP_TYPE(NPUOP_F32))) ||
	    (err = op_shape(c->ops, "grad_bias", grad_bias, 1, &c->w.tensor->shape[K_OUT])) ||
	    (err = op_inner(c->ops, "grad_bias", grad_bias)) ||
	    (err = op_apart(c->ops, "grad_bias", grad_bias, "grad", c->y.tensor)))
		return err;
	return op_apart(c->ops, "grad_bias", grad_bias, "grad_weight", c->w.tensor);
}

int npuop_conv2d_backward_weight(npuop *ops, const npuop_conv_attr *attr, const npuop_tensor *x,
				 const npuop_tensor *grad, const npuop_tensor *grad_weight,
				 const npuop_tensor *grad_bias)
{
	struct conv c = {
		.ops = ops,
		.x = { "x", x },
		.w = { "grad_weight", grad_weight },
		.y = { "grad", grad },
	};
	int err;

	if ((err = take_backward(&c, attr)) ||
	    (err = check(&c, &c.x, &c.y, &c.w, OP_TYPE(NPUOP_F32), &c.y)) ||
	    (grad_bias && (err = check_grad_bias(&c, grad_bias))))
		return err;
	if (npuop_tensor_elements(grad_weight))
		err = launch_weight(&c);
	if (!err && grad_bias && grad_bias->shape[0])
		err = launch_bias(&c, grad_bias);
	return err;
}

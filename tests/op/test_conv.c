// SPDX-License-Identifier: MIT
/*
 * Convolutions against plain loops in double precision. A sum of n products of numbers within 1 has
 * an error of at most n^2 / 2 units of 2^-24; it is random, and far from that, so that n of them
 * are allowed. The result's rounding to its type comes on top, and the error of an activation.
 */
#include "op_test.h"

struct test_case {
	uint64_t batch, h, w, channels, out_channels, kernel[2];
	uint32_t stride[2], pad[2], dilation[2];
	enum npuop_dtype in, out;
	bool bias;
	enum npuop_activation activation;
	bool bias_half; /* of out's type */
	bool edges; /* some elements are no common numbers */
};

static uint64_t out_extent(const struct test_case *t, uint64_t extent, int d)
{
	const int64_t rest = (int64_t)(extent + 2 * t->pad[d]) -
			     (int64_t)((t->kernel[d] - 1) * t->dilation[d] + 1);

	return rest < 0 ? 0 : (uint64_t)rest / t->stride[d] + 1;
}

/* The four tensors, and what is wanted of them. */
struct tensors {
	npuop_tensor x, w, y, bias;
	double *x_sum, *w_sum, *y_sum, *bias_sum;
};

static double *zeros(const npuop_tensor *t)
{
	return calloc(npuop_tensor_elements(t) + 1, sizeof(double));
}

/* What one output pixel adds to each sum through one tap; beyond the image there are zeros. */
static void tap(const struct test_case *t, struct tensors *o, uint64_t pixel, uint64_t ky,
		uint64_t kx)
{
	const uint64_t oh = o->y.shape[1], ow = o->y.shape[2];
	const int64_t iy =
		(int64_t)(pixel / ow % oh * t->stride[0] + ky * t->dilation[0]) - t->pad[0];
	const int64_t ix = (int64_t)(pixel % ow * t->stride[1] + kx * t->dilation[1]) - t->pad[1];
	const uint64_t x0 =
		((pixel / ow / oh * t->h + (uint64_t)iy) * t->w + (uint64_t)ix) * t->channels;
	const uint64_t w0 = (ky * t->kernel[1] + kx) * t->channels;
	const bool inside = iy >= 0 && ix >= 0 && iy < (int64_t)t->h && ix < (int64_t)t->w;

	for (uint64_t c = 0; c < t->channels; c++) {
		const double x = inside ? tensor_get(&o->x, x0 + c) : 0;

		for (uint64_t n = 0; n < t->out_channels; n++) {
			const uint64_t w = (w0 + c) * t->out_channels + n;
			const uint64_t y = pixel * t->out_channels + n;
			const double weight = tensor_get(&o->w, w), grad = tensor_get(&o->y, y);

			o->y_sum[y] += x * weight;
			o->w_sum[w] += x * grad;
			if (inside)
				o->x_sum[x0 + c] += grad * weight;
		}
	}
}

/* Does an output pixel meet pixel @at of the image, along dimension @d, through tap @k? */
static bool meets(const struct test_case *t, const struct tensors *o, int d, uint64_t at,
		  uint64_t k)
{
	const int64_t from = (int64_t)(at + t->pad[d]) - (int64_t)(k * t->dilation[d]);

	return from >= 0 && from % t->stride[d] == 0 &&
	       from / t->stride[d] < (int64_t)o->y.shape[1 + d];
}

/* Taps through which no output pixel meets one of the image: zeros times their weights. */
static void add_gaps(const struct test_case *t, struct tensors *o)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(&o->x); i++) {
		const uint64_t c = i % t->channels, pixel = i / t->channels;

		for (uint64_t k = 0; k < t->kernel[0] * t->kernel[1]; k++) {
			const uint64_t w = (k * t->channels + c) * t->out_channels;

			if (meets(t, o, 0, pixel / t->w % t->h, k / t->kernel[1]) &&
			    meets(t, o, 1, pixel % t->w, k % t->kernel[1]))
				continue;
			for (uint64_t n = 0; n < t->out_channels; n++)
				o->x_sum[i] += 0 * tensor_get(&o->w, w + n);
		}
	}
}

/* All sums; o->y holds the gradient. */
static void reference(const struct test_case *t, struct tensors *o)
{
	const uint64_t pixels = o->y.shape[0] * o->y.shape[1] * o->y.shape[2];

	for (uint64_t pixel = 0; pixel < pixels; pixel++) {
		for (uint64_t k = 0; k < t->kernel[0] * t->kernel[1]; k++)
			tap(t, o, pixel, k / t->kernel[1], k % t->kernel[1]);
		for (uint64_t n = 0; n < t->out_channels; n++)
			o->bias_sum[n] += tensor_get(&o->y, pixel * t->out_channels + n);
	}
	add_gaps(t, o);
	for (uint64_t i = 0; i < pixels * t->out_channels; i++) {
		if (t->bias)
			o->y_sum[i] += tensor_get(&o->bias, i % t->out_channels);
		o->y_sum[i] = activated(t->activation, o->y_sum[i]);
	}
}

static double relative(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F16 ? 0x1p-11 : dtype == NPUOP_BF16 ? 0x1p-8 : 0x1p-23;
}

/* Images between whose pixels, all a constant stride apart, there is memory of others. */
static npuop_tensor pixels_apart(enum npuop_dtype dtype, const uint64_t *shape, uint64_t gap)
{
	npuop_tensor wide =
		tensor_random(dtype, SHAPE(shape[0], shape[1], shape[2], shape[3] + gap));

	return npuop_tensor_slice(&wide, 3, gap, shape[3]);
}

static struct tensors tensors_new(const struct test_case *t)
{
	const uint64_t oh = out_extent(t, t->h, 0), ow = out_extent(t, t->w, 1);
	const enum npuop_dtype bias_type = t->bias_half ? t->out : NPUOP_F32;
	const uint64_t y[] = { t->batch, oh, ow, t->out_channels };
	struct tensors o = {
		.x = tensor_rows(t->in, SHAPE(t->batch, t->h, t->w, t->channels), true),
		.w = tensor_rows(t->in,
				 SHAPE(t->kernel[0], t->kernel[1], t->channels, t->out_channels),
				 true),
		.y = pixels_apart(t->in, y, 2),
		.bias = tensor_random(bias_type, SHAPE(t->out_channels)),
	};

	if (t->edges) {
		put_edges(&o.x, 200, false);
		put_edges(&o.w, 200, false);
		put_edges(&o.y, 200, false);
	}
	o.x_sum = zeros(&o.x);
	o.w_sum = zeros(&o.w);
	o.y_sum = zeros(&o.y);
	o.bias_sum = zeros(&o.bias);
	reference(t, &o);
	return o;
}

static void tensors_free(struct tensors *o)
{
	free(o->x_sum);
	free(o->w_sum);
	free(o->y_sum);
	free(o->bias_sum);
	tensor_free(&o->x);
	tensor_free(&o->w);
	tensor_free(&o->y);
	tensor_free(&o->bias);
}

static void check_forward(const struct test_case *t, const struct tensors *o, const npuop_tensor *y)
{
	const double products = (double)(t->kernel[0] * t->kernel[1] * t->channels);
	const double own = t->activation <= NPUOP_ACT_RELU ? 0 : 0x1p-21;

	/* The slopes of activations are below 1.2. */
	close_to(y, o->y_sum, 1.2 * products * 0x1p-24 + own, relative(t->out) + own,
		 "%llu images %llux%llux%llu, kernel %llux%llu, %llu out, stride %u %u, pad %u %u, "
		 "dilation %u %u, type %u to %u, activation %u%s",
		 (unsigned long long)t->batch, (unsigned long long)t->h, (unsigned long long)t->w,
		 (unsigned long long)t->channels, (unsigned long long)t->kernel[0],
		 (unsigned long long)t->kernel[1], (unsigned long long)t->out_channels,
		 t->stride[0], t->stride[1], t->pad[0], t->pad[1], t->dilation[0], t->dilation[1],
		 t->in, t->out, t->activation, t->edges ? ", edges" : "");
}

static void run_case(const struct test_case *t)
{
	struct tensors o = tensors_new(t);
	npuop_tensor y = pixels_apart(t->out, o.y.shape, 3), x = pixels_apart(t->out, o.x.shape, 5);
	npuop_tensor w = tensor_rows(NPUOP_F32, 4, o.w.shape, false);
	npuop_tensor grad = tensor_rows(t->in, 4, o.y.shape, false);
	npuop_tensor bias = tensor_random(NPUOP_F32, 1, o.bias.shape);
	const npuop_conv_attr back = {
		.size = sizeof(back),
		.stride = { t->stride[0], t->stride[1] },
		.pad = { t->pad[0], t->pad[1] },
		.dilation = { t->dilation[0], t->dilation[1] },
	};
	npuop_conv_attr attr = back;
	const double taps = (double)(t->kernel[0] * t->kernel[1]) * 0x1p-24;
	const double pixels = (double)(o.y.shape[0] * o.y.shape[1] * o.y.shape[2]) * 0x1p-24;

	attr.bias = t->bias ? &o.bias : NULL;
	attr.activation = t->activation;
	NEED(npuop_copy(fx.ops, &o.y, &grad));
	NEED(npuop_conv2d(fx.ops, &attr, &o.x, &o.w, &y));
	NEED(npuop_conv2d_backward_input(fx.ops, &back, &grad, &o.w, &x));
	NEED(npuop_conv2d_backward_weight(fx.ops, &back, &o.x, &o.y, &w, &bias));
	sync_stream();
	check_forward(t, &o, &y);
	close_to(&x, o.x_sum, taps * (double)t->out_channels, relative(t->out), "its input's");
	close_to(&w, o.w_sum, pixels, 0x1p-22, "its weights'");
	close_to(&bias, o.bias_sum, pixels, 0x1p-22, "its bias' gradient");
	tensors_free(&o);
	tensor_free(&x);
	tensor_free(&w);
	tensor_free(&y);
	tensor_free(&grad);
	tensor_free(&bias);
}

static void test_random(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct test_case t = {
			.batch = 1 + rnd_below(3),
			.h = 1 + rnd_below(12),
			.w = 1 + rnd_below(12),
			.channels = 1 + rnd_below(20),
			.out_channels = 1 + rnd_below(36),
			.in = rnd_below(3),
			.out = rnd_below(3),
			.bias = rnd() & 1,
			.activation = rnd_below(5),
			.bias_half = rnd() & 1,
			.edges = i % 3 == 2,
		};

		for (int d = 0; d < 2; d++) {
			t.kernel[d] = 1 + rnd_below(4);
			t.stride[d] = 1 + rnd_below(3);
			t.pad[d] = (uint32_t)rnd_below(3);
			t.dilation[d] = 1 + rnd_below(2);
		}
		run_case(&t);
	}
}

static void test_shapes(void)
{
	static const struct test_case cases[] = {
		/* several tiles of pixels, and of taps */
		{ 2,
		  14,
		  15,
		  16,
		  24,
		  { 3, 3 },
		  { 1, 1 },
		  { 1, 1 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = true,
		  .activation = NPUOP_ACT_RELU },
		{ 1,
		  9,
		  9,
		  48,
		  40,
		  { 5, 5 },
		  { 2, 2 },
		  { 2, 2 },
		  { 1, 1 },
		  NPUOP_F16,
		  NPUOP_F16,
		  .bias = true,
		  .activation = NPUOP_ACT_NONE },
		/* the kernel is larger than the image */
		{ 1,
		  2,
		  2,
		  3,
		  4,
		  { 3, 3 },
		  { 1, 1 },
		  { 0, 0 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = false,
		  .activation = NPUOP_ACT_NONE },
		{ 0,
		  5,
		  5,
		  3,
		  4,
		  { 3, 3 },
		  { 1, 1 },
		  { 0, 0 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = false,
		  .activation = NPUOP_ACT_NONE },
		{ 2,
		  5,
		  5,
		  3,
		  0,
		  { 3, 3 },
		  { 1, 1 },
		  { 0, 0 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = false,
		  .activation = NPUOP_ACT_NONE },
		{ 2,
		  5,
		  5,
		  0,
		  3,
		  { 3, 3 },
		  { 1, 1 },
		  { 1, 1 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = true,
		  .activation = NPUOP_ACT_NONE },
		/* nothing but padding */
		{ 2,
		  0,
		  5,
		  3,
		  4,
		  { 3, 3 },
		  { 1, 1 },
		  { 2, 2 },
		  { 1, 1 },
		  NPUOP_F16,
		  NPUOP_F32,
		  .bias = true,
		  .activation = NPUOP_ACT_NONE },
		/* padding beyond the kernel */
		{ 1,
		  3,
		  3,
		  2,
		  2,
		  { 2, 2 },
		  { 3, 3 },
		  { 5, 5 },
		  { 1, 1 },
		  NPUOP_F32,
		  NPUOP_F32,
		  .bias = false,
		  .activation = NPUOP_ACT_NONE },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		run_case(&cases[i]);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(2, 8, 8, 3));
	npuop_tensor w = tensor_new(NPUOP_F32, SHAPE(3, 3, 3, 4)), few = w;
	npuop_tensor y = tensor_new(NPUOP_F32, SHAPE(2, 6, 6, 4)), apart = y;
	npuop_tensor bias = tensor_new(NPUOP_F32, SHAPE(4)),
		     half = tensor_new(NPUOP_F16, 4, w.shape);
	const npuop_tensor turned = npuop_tensor_transpose(&x, 2, 3);
	npuop_conv_attr attr = { .size = sizeof(attr) };

	REFUSED(npuop_conv2d(fx.ops, NULL, &turned, &w, &y), "x: the last dimension");
	REFUSED(npuop_conv2d(fx.ops, NULL, NULL, &w, &y), "x is NULL");
	REFUSED(npuop_conv2d(fx.ops, NULL, &bias, &w, &y), "x: rank 1");
	REFUSED(npuop_conv2d(fx.ops, NULL, &x, &half, &y), "weight: F16");
	few.shape[2] = 2;
	REFUSED(npuop_conv2d(fx.ops, NULL, &x, &few, &y), "weight: shape [3, 3, 2, 4]");
	few = w;
	few.shape[1] = 0;
	REFUSED(npuop_conv2d(fx.ops, NULL, &x, &few, &y), "weight: a kernel without taps");
	attr.pad[0] = 1;
	REFUSED(npuop_conv2d(fx.ops, &attr, &x, &w, &y), "out: shape [2, 6, 6, 4], not [2, 8,");
	attr.pad[0] = 0;
	apart.shape[2] = 5;
	apart.shape[1] = 6;
	x.shape[2] = 7;
	REFUSED(npuop_conv2d(fx.ops, &attr, &x, &w, &apart), "out: pixels are not");
	x.shape[2] = 8;
	attr.bias = &x;
	REFUSED(npuop_conv2d(fx.ops, &attr, &x, &w, &y), "bias: shape");
	REFUSED(npuop_conv2d_backward_input(fx.ops, &attr, &y, &w, &x), "npuop_conv_attr");
	attr.bias = NULL;
	REFUSED(npuop_conv2d_backward_input(fx.ops, &attr, &x, &w, &y), "weight: shape");
	REFUSED(npuop_conv2d_backward_weight(fx.ops, &attr, &x, &y, &half, NULL),
		"grad_weight: F16");
	REFUSED(npuop_conv2d_backward_weight(fx.ops, &attr, &x, &y, &w, &y), "grad_bias: shape");
	tensor_free(&x);
	tensor_free(&w);
	tensor_free(&y);
	tensor_free(&bias);
	tensor_free(&half);
}

int main(void)
{
	op_begin();
	test_shapes();
	test_random();
	test_refused();
	return op_end();
}

// SPDX-License-Identifier: MIT
/*
 * Pooling against plain loops. The greatest and sums are exact, as all are few eighths; a mean
 * rounds once. Its gradient adds up parts of windows, which together are within 1: each addition
 * is off by 2^-24, and each part by less.
 */
#include "op_test.h"

#define WINDOW_MAX 2048 /* pixels */

struct test_case {
	uint64_t batch, h, w, channels;
	uint32_t window[2], stride[2], pad[2];
	enum npuop_dtype in, out;
};

static uint64_t out_extent(const struct test_case *t, uint64_t extent, int d)
{
	return extent + 2 * t->pad[d] < t->window[d]
		       ? 0
		       : (extent + 2 * t->pad[d] - t->window[d]) / t->stride[d] + 1;
}

struct tensors {
	npuop_tensor x, grad;
	double *max, *mean, *max_grad, *mean_grad;
};

/* Indices in x of the pixels of a window, in order; how many. */
static unsigned int window(const struct test_case *t, const npuop_tensor *y, uint64_t i,
			   uint64_t *pixels)
{
	const uint64_t c = i % t->channels, ox = i / t->channels % y->shape[2];
	const uint64_t oy = i / t->channels / y->shape[2] % y->shape[1];
	const uint64_t b = i / t->channels / y->shape[2] / y->shape[1];
	unsigned int n = 0;

	for (uint64_t k = 0; k < t->window[0] * t->window[1]; k++) {
		const int64_t iy = (int64_t)(oy * t->stride[0] + k / t->window[1]) - t->pad[0];
		const int64_t ix = (int64_t)(ox * t->stride[1] + k % t->window[1]) - t->pad[1];

		if (iy >= 0 && ix >= 0 && iy < (int64_t)t->h && ix < (int64_t)t->w)
			pixels[n++] =
				((b * t->h + (uint64_t)iy) * t->w + (uint64_t)ix) * t->channels + c;
	}
	return n;
}

static void reference(const struct test_case *t, struct tensors *o)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(&o->grad); i++) {
		uint64_t pixels[WINDOW_MAX] = { 0 }, greatest = 0;
		const unsigned int n = window(t, &o->grad, i, pixels);
		const double grad = tensor_get(&o->grad, i);

		o->max[i] = tensor_get(&o->x, pixels[0]);
		for (unsigned int j = 0; j < n; j++) {
			const double x = tensor_get(&o->x, pixels[j]);

			if (!isnan(o->max[i]) && (isnan(x) || x > o->max[i])) {
				o->max[i] = x;
				greatest = j;
			}
			o->mean[i] += x;
			o->mean_grad[pixels[j]] += grad / n;
		}
		o->mean[i] /= n;
		o->max_grad[pixels[greatest]] += grad;
	}
}

static double relative(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F16 ? 0x1p-11 : dtype == NPUOP_BF16 ? 0x1p-8 : 0x1p-23;
}

/* Half of the least number: what rounding to it is off by. */
static double least(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F16 ? 0x1p-25 : dtype == NPUOP_BF16 ? 0x1p-134 : 0x1p-150;
}

/* Few values, so that there are equal ones; some that are no numbers. */
static void fill(const npuop_tensor *x, bool edges)
{
	static const double edge[] = {
		NAN, INFINITY, -INFINITY, -0.0, 0x1p-149, -0x1p-140, 0x1p-15
	};

	for (uint64_t i = 0; i < npuop_tensor_elements(x); i++)
		tensor_set(x, i,
			   edges && rnd_below(4) == 0 ? edge[rnd_below(COUNT(edge))]
						      : (double)rnd_below(8) / 8);
}

static void run_case(const struct test_case *t, bool edges)
{
	const uint64_t oh = out_extent(t, t->h, 0), ow = out_extent(t, t->w, 1);
	struct tensors o = {
		.x = tensor_rows(t->in, SHAPE(t->batch, t->h, t->w, t->channels), true),
		.grad = tensor_rows(t->in, SHAPE(t->batch, oh, ow, t->channels), true),
	};
	npuop_tensor y = tensor_rows(t->out, 4, o.grad.shape, false);
	npuop_tensor grad_x = tensor_rows(t->out, 4, o.x.shape, false);
	const npuop_pool_attr attr = {
		.size = sizeof(attr),
		.window = { t->window[0], t->window[1] },
		.stride = { t->stride[0], t->stride[1] },
		.pad = { t->pad[0], t->pad[1] },
	};
	const uint64_t in = npuop_tensor_elements(&o.x) + 1, out = oh * ow * t->batch * t->channels;

	const double parts = t->window[0] * t->window[1] * 0x1p-23;

	fill(&o.x, edges);
	fill(&o.grad, edges);
	o.max = calloc(out + 1, sizeof(double));
	o.mean = calloc(out + 1, sizeof(double));
	o.max_grad = calloc(in, sizeof(double));
	o.mean_grad = calloc(in, sizeof(double));
	reference(t, &o);
	for (uint64_t i = 0; i < out; i++)
		o.max[i] = round_to(t->out, o.max[i]);
	NEED(npuop_pool2d(fx.ops, NPUOP_POOL_MAX, &attr, &o.x, &y));
	sync_stream();
	close_to(&y, o.max, 0, 0,
		 "%llu images %llux%llux%llu, windows %ux%u, stride %u %u, pad %u %u"
		 ", type %u to %u",
		 (unsigned long long)t->batch, (unsigned long long)t->h, (unsigned long long)t->w,
		 (unsigned long long)t->channels, t->window[0], t->window[1], t->stride[0],
		 t->stride[1], t->pad[0], t->pad[1], t->in, t->out);
	NEED(npuop_pool2d_backward(fx.ops, NPUOP_POOL_MAX, &attr, &o.x, &o.grad, &grad_x));
	sync_stream();
	close_to(&grad_x, o.max_grad, least(t->out), relative(t->out), "its gradient");
	NEED(npuop_pool2d(fx.ops, NPUOP_POOL_MEAN, &attr, &o.x, &y));
	sync_stream();
	close_to(&y, o.mean, least(t->out), relative(t->out), "the mean");
	NEED(npuop_pool2d_backward(fx.ops, NPUOP_POOL_MEAN, &attr, &o.x, &o.grad, &grad_x));
	sync_stream();
	close_to(&grad_x, o.mean_grad, parts, relative(t->out), "its gradient");
	free(o.max);
	free(o.mean);
	free(o.max_grad);
	free(o.mean_grad);
	tensor_free(&o.x);
	tensor_free(&o.grad);
	tensor_free(&y);
	tensor_free(&grad_x);
}

static void test_random(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct test_case t = {
			.batch = 1 + rnd_below(3),
			.h = 5 + rnd_below(8),
			.w = 5 + rnd_below(8),
			.channels = 1 + rnd_below(20),
			.in = rnd_below(3),
			.out = rnd_below(3),
		};

		for (int d = 0; d < 2; d++) {
			t.window[d] = 1 + rnd_below(5);
			t.stride[d] = 1 + rnd_below(4);
			t.pad[d] = (uint32_t)rnd_below(t.window[d]);
		}
		run_case(&t, i % 4 == 0);
	}
}

static void test_shapes(void)
{
	static const struct test_case cases[] = {
		{ 2, 8, 8, 300, { 2, 2 }, { 2, 2 }, { 0, 0 }, NPUOP_F32, NPUOP_F32 },
		{ 1, 2, 768, 9, { 2, 2 }, { 2, 2 }, { 0, 0 }, NPUOP_F16, NPUOP_F16 },
		/* Wider than a strip: of windows in two, beside each other, far apart, of all columns. */
		{ 1, 3, 1000, 9, { 2, 3 }, { 1, 1 }, { 1, 2 }, NPUOP_F16, NPUOP_F16 },
		{ 2, 2, 2001, 1, { 2, 2 }, { 2, 2 }, { 0, 1 }, NPUOP_F32, NPUOP_BF16 },
		{ 1, 2, 1700, 2, { 1, 3 }, { 1, 701 }, { 0, 0 }, NPUOP_BF16, NPUOP_F32 },
		{ 1, 2, 900, 3, { 2, 900 }, { 1, 1 }, { 0, 0 }, NPUOP_F32, NPUOP_F32 },
		{ 1, 1, 1601, 1, { 1, 800 }, { 1, 1 }, { 0, 399 }, NPUOP_F32, NPUOP_F32 },
		{ 1, 2, 2, 3, { 3, 3 }, { 1, 1 }, { 0, 0 }, NPUOP_F32, NPUOP_F32 },
		{ 0, 8, 8, 3, { 2, 2 }, { 2, 2 }, { 0, 0 }, NPUOP_F32, NPUOP_F32 },
		{ 1, 8, 8, 0, { 2, 2 }, { 2, 2 }, { 0, 0 }, NPUOP_F32, NPUOP_F32 },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		run_case(&cases[i], false);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	const npuop_pool_attr attr = { .size = sizeof(attr),
				       .window = { 2, 3 },
				       .stride = { 1, 2 } };
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(2, 3, 1000, 9));
	npuop_tensor grad = tensor_random(NPUOP_F32, SHAPE(2, 2, 499, 9));
	npuop_tensor y[2], grad_x[2];

	for (int i = 0; i < 2; i++) {
		y[i] = tensor_new(NPUOP_F32, 4, grad.shape);
		grad_x[i] = tensor_new(NPUOP_F32, 4, x.shape);
	}
	for (uint32_t blocks = 0; blocks < 30; blocks += 7) {
		const int i = blocks != 0;

		shim_force_blocks(blocks);
		NEED(npuop_pool2d(fx.ops, NPUOP_POOL_MEAN, &attr, &x, &y[i]));
		NEED(npuop_pool2d_backward(fx.ops, NPUOP_POOL_MEAN, &attr, &x, &grad, &grad_x[i]));
		if (i)
			ok(same_bits(&y[0], &y[1]) && same_bits(&grad_x[0], &grad_x[1]),
			   "the same bits of %u blocks", blocks);
	}
	shim_force_blocks(0);
	for (int i = 0; i < 2; i++) {
		tensor_free(&y[i]);
		tensor_free(&grad_x[i]);
	}
	tensor_free(&x);
	tensor_free(&grad);
}
#endif

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(2, 8, 8, 3)),
		     y = tensor_new(NPUOP_F32, SHAPE(2, 4, 4, 3));
	const npuop_tensor turned = npuop_tensor_transpose(&x, 2, 3);
	npuop_pool_attr attr = { .size = sizeof(attr), .window = { 2, 2 } };

	REFUSED(npuop_pool2d(fx.ops, 0, &attr, &turned, &y), "x: the last dimension");
	REFUSED(npuop_pool2d(fx.ops, 2, &attr, &x, &y), "op: there is no 2");
	REFUSED(npuop_pool2d(fx.ops, 0, &attr, &x, &x),
		"out: shape [2, 8, 8, 3], not [2, 4, 4, 3]");
	REFUSED(npuop_pool2d(fx.ops, 0, NULL, &x, &y), "npuop_pool_attr: window");
	REFUSED(npuop_pool2d_backward(fx.ops, 0, &attr, &x, &x, &x), "grad: shape");
	REFUSED(npuop_pool2d_backward(fx.ops, 0, &attr, &x, &y, &x), "grad_x lies over x");
	attr.pad[1] = 2;
	REFUSED(npuop_pool2d(fx.ops, 0, &attr, &x, &y), "npuop_pool_attr: pad");
	tensor_free(&x);
	tensor_free(&y);
}

int main(void)
{
	op_begin();
	test_shapes();
	test_random();
#ifdef OP_SHIM
	test_blocks();
#endif
	test_refused();
	return op_end();
}

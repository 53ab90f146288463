// SPDX-License-Identifier: MIT
/*
 * npuop_gemm(): sums in the documented order, so before the activation the same bits are expected.
 * Activations are compared with double precision: the vector engine's functions are within 2 ulp,
 * and 1 + erf(x) or 1 + tanh(x) cancels to an error of the last place of 1.
 */
#include <float.h>

#include "op_test.h"

#define PAD 3 /* rows and columns of memory beyond a matrix */
#define GUARD 77 /* what is there, around C */

struct test_case {
	uint64_t b0, b1, m, n, k;
	enum npuop_dtype in, out;
	bool a_turned, b_turned, c_turned, pre_turned; /* stored the other way round */
	bool strided; /* some matrices have no neighbours */
	bool a_repeated, b_repeated; /* along b1 */
	bool bias, bias_half, pre, accumulate;
	bool scales_m, scales_n;
	float scale;
	enum npuop_activation activation;
	bool edges; /* some elements are no common numbers */
	bool dense; /* no memory beyond the matrices */
};

/*
 * A view of rows x cols in random memory that is @pad larger, and all of that memory; elements are
 * @step apart.
 */
struct matrix {
	npuop_tensor all, view;
	uint64_t pad, step;
};

/* Elements @step apart; 0: next to each other, and no memory beyond. */
static struct matrix matrix_new(enum npuop_dtype dtype, uint64_t b0, uint64_t b1, uint64_t rows,
				uint64_t cols, bool turned, uint64_t step)
{
	const uint64_t last = turned ? rows : cols, pad = step ? PAD : 0;
	const uint64_t shape[4] = { b0, b1, (turned ? cols : rows) + pad,
				    last * (step ? step : 1) + pad };
	struct matrix x = { .all = tensor_random(dtype, 4, shape),
			    .pad = pad,
			    .step = step ? step : 1 };

	x.view = npuop_tensor_slice(&x.all, 2, pad / 3, shape[2] - pad);
	x.view = npuop_tensor_slice(&x.view, 3, pad - pad / 3, last);
	x.view.stride[3] = x.step;
	if (turned)
		x.view = npuop_tensor_transpose(&x.view, 2, 3);
	return x;
}

static void guard(const struct matrix *x)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(&x->all); i++)
		tensor_set(&x->all, i, GUARD);
}

/* Nothing but the view has changed. */
static bool guarded(const struct matrix *x)
{
	const uint64_t rows = x->all.shape[2], cols = x->all.shape[3];
	const uint64_t above = x->pad / 3, left = x->pad - above;

	for (uint64_t i = 0; i < npuop_tensor_elements(&x->all); i++) {
		const uint64_t row = i / cols % rows, col = i % cols;
		const bool inside = row >= above && row < above + rows - x->pad && col >= left &&
				    col < left + cols - x->pad && (col - left) % x->step == 0;

		if (!inside && tensor_get(&x->all, i) != GUARD)
			return false;
	}
	return true;
}

/* What one test case has in memory; elements of A and B, which are read again and again. */
struct operands {
	struct matrix a, b, c, pre;
	npuop_tensor bias, scale_a, scale_b;
	double *a_values, *b_values;
};

static uint64_t at(const npuop_tensor *x, uint64_t i0, uint64_t i1, uint64_t row, uint64_t col)
{
	return ((i0 * x->shape[1] + i1 % x->shape[1]) * x->shape[2] + row) * x->shape[3] + col;
}

/* The sum as the cube makes it, times the scales, plus the bias, all in fp32. */
static float before_activation(const struct test_case *t, const struct operands *o, uint64_t i0,
			       uint64_t i1, uint64_t row, uint64_t col)
{
	float sum = 0;
	int32_t whole = 0;

	for (uint64_t k = 0; k < t->k; k++) {
		const double x = o->a_values[at(&o->a.view, i0, i1, row, k)];
		const double y = o->b_values[at(&o->b.view, i0, i1, k, col)];

		if (t->in == NPUOP_S8)
			whole += (int32_t)x * (int32_t)y;
		else
			sum = fmaf((float)x, (float)y, sum);
	}
	if (t->in == NPUOP_S8)
		sum = (float)whole;
	sum *= t->scale;
	/* Of a transposed C the columns are its rows. */
	if (t->c_turned && t->scales_n)
		sum *= (float)tensor_get(&o->scale_b, col);
	if (t->scales_m)
		sum *= (float)tensor_get(&o->scale_a, row);
	if (!t->c_turned && t->scales_n)
		sum *= (float)tensor_get(&o->scale_b, col);
	if (t->bias)
		sum += (float)tensor_get(&o->bias, col);
	return sum;
}

static double tolerance(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F16 ? 0x1p-11 : dtype == NPUOP_BF16 ? 0x1p-8 : 0x1p-23;
}

/* Saturates as conversion to S8 does. */
static double as_type(enum npuop_dtype dtype, double x)
{
	if (dtype == NPUOP_S8)
		return isnan(x) ? 0 : fmin(fmax(nearbyint(x), -128), 127);
	return round_to(dtype, x);
}

static void check(const struct test_case *t, const struct operands *o, const double *old)
{
	const uint64_t count = npuop_tensor_elements(&o->c.view);
	double *want = malloc((count + 1) * sizeof(*want)),
	       *pre = malloc((count + 1) * sizeof(*pre));
	const bool exact = t->activation <= NPUOP_ACT_RELU;
	/* Next to the middle of two integers either one will do. */
	const double absolute = exact ? 0 : t->out == NPUOP_S8 ? 1 : 0x1p-21;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t col = i % t->n, row = i / t->n % t->m, b = i / t->n / t->m;
		const float x = before_activation(t, o, b / t->b1, b % t->b1, row, col);

		pre[i] = as_type(t->out, x);
		want[i] = activated(t->activation, x);
		if (t->accumulate)
			want[i] = (float)old[i] + (float)want[i];
		want[i] = as_type(t->out, want[i]);
	}
	close_to(
		&o->c.view, want, absolute, exact ? 0 : 4 * tolerance(t->out),
		"%llux%llu products %llux%llux%llu, type %u to %u, stored %d%d%d%s, activation %u%s%s%s",
		(unsigned long long)t->b0, (unsigned long long)t->b1, (unsigned long long)t->m,
		(unsigned long long)t->n, (unsigned long long)t->k, t->in, t->out, t->a_turned,
		t->b_turned, t->c_turned, t->strided ? " with gaps" : "", t->activation,
		t->bias ? ", bias" : "", t->accumulate ? ", accumulate" : "",
		t->scales_m || t->scales_n ? ", scales" : "");
	if (t->pre)
		close_to(&o->pre.view, pre, 0, 0, "and the values before");
	if (!guarded(&o->c) || (t->pre && !guarded(&o->pre)))
		ok(false, "and nothing else is written");
	free(want);
	free(pre);
}

/* Of elements of an operand, 0 if they are dense. */
static uint64_t random_step(const struct test_case *t)
{
	if (t->dense)
		return 0;
	return t->strided ? 1 + rnd_below(3) : 1;
}

static void run_case(const struct test_case *t)
{
	const enum npuop_dtype bias_type = t->bias_half ? t->out : NPUOP_F32;
	struct operands o = {
		.a = matrix_new(t->in, t->b0, t->a_repeated ? 1 : t->b1, t->m, t->k, t->a_turned,
				random_step(t)),
		.b = matrix_new(t->in, t->b0, t->b_repeated ? 1 : t->b1, t->k, t->n, t->b_turned,
				random_step(t)),
		.c = matrix_new(t->out, t->b0, t->b1, t->m, t->n, t->c_turned, random_step(t)),
		.pre = matrix_new(t->out, t->b0, t->b1, t->m, t->n, t->pre_turned, random_step(t)),
		.bias = tensor_random(bias_type, SHAPE(t->n)),
		.scale_a = tensor_random(NPUOP_F32, SHAPE(t->m)),
		.scale_b = tensor_random(NPUOP_F32, SHAPE(t->n)),
	};
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.flags = t->accumulate ? NPUOP_GEMM_ACCUMULATE : 0,
		.activation = t->activation,
		.scale = t->scale == 1 ? 0 : t->scale,
		.bias = t->bias ? &o.bias : NULL,
		.scale_a = t->scales_m ? &o.scale_a : NULL,
		.scale_b = t->scales_n ? &o.scale_b : NULL,
		.pre = t->pre ? &o.pre.view : NULL,
	};
	const uint64_t count = npuop_tensor_elements(&o.c.view);
	double *old = malloc((count + 1) * sizeof(*old));

	if (t->edges && t->in != NPUOP_S8) {
		put_edges(&o.a.view, 20, true);
		put_edges(&o.b.view, 20, true);
	}
	if (t->edges) {
		put_edges(&o.scale_a, 10, true);
		put_edges(&o.scale_b, 10, true);
		put_edges(&o.bias, 20, true);
	}
	guard(&o.c);
	guard(&o.pre);
	for (uint64_t i = 0; i < count && t->accumulate; i++)
		tensor_set(&o.c.view, i, rnd_uniform());
	if (t->edges && t->accumulate)
		put_edges(&o.c.view, 20, true);
	for (uint64_t i = 0; i < count; i++)
		old[i] = tensor_get(&o.c.view, i);
	o.a_values = tensor_values(&o.a.view);
	o.b_values = tensor_values(&o.b.view);
	NEED(npuop_gemm(fx.ops, &attr, &o.a.view, &o.b.view, &o.c.view));
	sync_stream();
	check(t, &o, old);
	free(old);
	free(o.a_values);
	free(o.b_values);
	tensor_free(&o.a.all);
	tensor_free(&o.b.all);
	tensor_free(&o.c.all);
	tensor_free(&o.pre.all);
	tensor_free(&o.bias);
	tensor_free(&o.scale_a);
	tensor_free(&o.scale_b);
}

static void test_random(void)
{
	for (int i = 0; i < 2 * ROUNDS; i++) {
		struct test_case t = {
			.b0 = 1 + rnd_below(2),
			.b1 = 1 + rnd_below(3),
			.m = 1 + rnd_below(i % 4 ? 40 : 150),
			.n = 1 + rnd_below(i % 4 ? 70 : 300),
			.k = rnd_below(i % 5 ? 80 : 400),
			.in = rnd_below(3),
			.out = rnd_below(3),
			.a_turned = rnd() & 1,
			.b_turned = rnd() & 1,
			.c_turned = rnd_below(4) == 0,
			.bias = rnd() & 1,
			.bias_half = rnd() & 1,
			.pre = rnd_below(4) == 0,
			.scale = rnd() & 1 ? 1 : 0.37f,
			.activation = rnd_below(5),
		};

		t.a_repeated = rnd_below(3) == 0;
		t.b_repeated = !t.a_repeated && rnd_below(2);
		t.pre_turned = rnd_below(4) ? t.c_turned : !t.c_turned;
		t.strided = rnd_below(4) == 0;
		t.accumulate = t.out == NPUOP_F32 && rnd() & 1;
		run_case(&t);
	}
}

static void test_integers(void)
{
	static const enum npuop_dtype outs[] = { NPUOP_S32, NPUOP_S8, NPUOP_F32, NPUOP_F16,
						 NPUOP_BF16 };

	for (int i = 0; i < ROUNDS; i++) {
		struct test_case t = {
			.b0 = 1,
			.b1 = 1 + rnd_below(2),
			.m = 1 + rnd_below(40),
			.n = 1 + rnd_below(70),
			.k = rnd_below(300),
			.in = NPUOP_S8,
			.out = outs[i % 5],
			.a_turned = rnd() & 1,
			.b_turned = rnd() & 1,
			.c_turned = rnd_below(4) == 0,
			.scale = 1,
			.activation = rnd() & 1,
		};

		if (t.out != NPUOP_S32) {
			t.activation = rnd_below(5);
			t.pre = rnd_below(3) == 0;
			t.pre_turned = t.c_turned;
			t.bias_half = t.out != NPUOP_S8 && rnd() & 1;
			t.scale = 0x1p-12f;
			t.scales_m = rnd() & 1;
			t.scales_n = rnd() & 1;
			t.bias = rnd() & 1;
			t.edges = rnd_below(3) == 0;
		}
		/* A transposed C that is copied is none: scales have another order. */
		t.strided = !t.c_turned && rnd_below(3) == 0;
		run_case(&t);
	}
}

/* Many small products, which share instructions where they lie one behind the other. */
static void test_batches(void)
{
	for (int i = 0; i < 2 * ROUNDS; i++) {
		const uint64_t size = i % 8 ? 12 : 68;
		struct test_case t = {
			.b0 = 1 + rnd_below(2),
			.b1 = i % 8 ? 20 + rnd_below(50) : 1 + rnd_below(20),
			.m = 1 + rnd_below(size),
			.n = 1 + rnd_below(size),
			.k = 1 + rnd_below(size),
			.in = rnd_below(4) == 0 ? NPUOP_S8 : rnd_below(3),
			.out = rnd_below(3),
			.a_turned = rnd_below(4) == 0,
			.b_turned = rnd_below(4) == 0,
			.c_turned = rnd_below(4) == 0,
			.a_repeated = rnd_below(6) == 0,
			.scale = 1,
			.activation = rnd() & 1,
			.dense = i % 4,
		};

		/* Rows of 32 bytes have no gaps in the core's buffers either. */
		if (i % 4 == 1)
			t.n = t.k = 32;
		if (t.in == NPUOP_S8)
			t.out = NPUOP_S32;
		run_case(&t);
	}
}

/* More of k than L1 holds, several tiles in both directions, and dimensions of 1. */
static void test_shapes(void)
{
	static const struct test_case cases[] = {
		{ 1, 1, 260, 520, 3, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 1, 1, 20, 40, 4000, NPUOP_F16, NPUOP_F32, .scale = 1 },
		{ 1, 1, 140, 270, 900, NPUOP_F32, NPUOP_F32, .scale = 1, .b_turned = true },
		{ 1, 1, 1, 600, 300, NPUOP_F16, NPUOP_F16, .scale = 1, .bias = true },
		{ 1, 1, 600, 1, 300, NPUOP_BF16, NPUOP_F32, .scale = 1, .bias = true },
		{ 1, 1, 1, 1, 1000, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 1, 1, 300, 300, 1, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 1, 30, 16, 16, 16, NPUOP_F16, NPUOP_F32, .scale = 1 },
		{ 1, 1, 0, 5, 5, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 1, 1, 5, 0, 5, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 0, 1, 5, 5, 5, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 2, 0, 5, 5, 5, NPUOP_F32, NPUOP_F32, .scale = 1 },
		{ 1, 1, 5, 5, 0, NPUOP_F32, NPUOP_F32, .scale = 1, .bias = true },
		{ 1, 1, 5, 5, 0, NPUOP_F16, NPUOP_F16, .scale = 1, .pre = true },
		{ 1, 1, 50, 5, 0, NPUOP_F32, NPUOP_F32, .scale = 1, .accumulate = true },
		{ 1, 30, 5, 6, 0, NPUOP_BF16, NPUOP_F32, .scale = 1, .dense = true },
		{ 1, 1, 5, 7, 0, NPUOP_S8, NPUOP_S32, .scale = 1 },
		{ 1, 1, 5, 7, 0, NPUOP_S8, NPUOP_F16, .scale = 3, .bias = true, .scales_m = true },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		run_case(&cases[i]);
}

/*
 * Infinities, NaN, denormals and zeros, which activations take as well: in all kernels, those of
 * few rows and of many small products too.
 */
static void test_edges(void)
{
	for (int i = 0; i < 15; i++) {
		struct test_case t = {
			.b0 = 1,
			.b1 = 1,
			.m = 30,
			.n = 33,
			.k = 1 + i % 4,
			.in = i % 3,
			.out = i / 3 % 3,
			.scale = 1,
			.activation = i % 5,
			.bias = true,
			.accumulate = i < 3,
			.edges = true,
		};

		run_case(&t);
		t.m = 1 + i % 8;
		t.n = 400;
		run_case(&t);
		t.b1 = 40;
		t.m = t.n = 10;
		t.bias = t.accumulate = false;
		t.activation = i % 2;
		t.dense = true;
		run_case(&t);
	}
}

/* One scale for all of A and one for all of B. */
/* An activation of the largest number is that number. */
static void test_largest(void)
{
	static const enum npuop_activation activations[] = { NPUOP_ACT_GELU, NPUOP_ACT_GELU_TANH,
							     NPUOP_ACT_SILU };
	npuop_tensor a = tensor_new(NPUOP_F32, SHAPE(1, 1));
	npuop_tensor b = tensor_new(NPUOP_F32, SHAPE(1, 1));
	npuop_tensor c = tensor_new(NPUOP_F32, SHAPE(1, 1));

	tensor_set(&a, 0, FLT_MAX);
	tensor_set(&b, 0, 1);
	for (size_t i = 0; i < COUNT(activations); i++) {
		const npuop_gemm_attr attr = { .size = sizeof(attr),
					       .activation = activations[i] };

		NEED(npuop_gemm(fx.ops, &attr, &a, &b, &c));
		sync_stream();
		ok(tensor_get(&c, 0) == FLT_MAX, "the largest number, activation %u",
		   activations[i]);
	}
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&c);
}

static void test_one_scale(void)
{
	npuop_tensor a = tensor_random(NPUOP_S8, SHAPE(33, 40));
	npuop_tensor b = tensor_random(NPUOP_S8, SHAPE(40, 50));
	npuop_tensor c = tensor_new(NPUOP_F32, SHAPE(33, 50));
	npuop_tensor s = tensor_new(NPUOP_F32, SHAPE(1)), r = tensor_new(NPUOP_F32, SHAPE(1));
	const npuop_gemm_attr attr = { .size = sizeof(attr), .scale_a = &s, .scale_b = &r };
	double want[33 * 50] = { 0 };

	tensor_set(&s, 0, 0.5);
	tensor_set(&r, 0, 0.25);
	for (int i = 0; i < 33 * 50 * 40; i++)
		want[i / 40] += tensor_get(&a, i / 40 / 50 * 40 + i % 40) *
				tensor_get(&b, i % 40 * 50 + i / 40 % 50) / 8;
	NEED(npuop_gemm(fx.ops, &attr, &a, &b, &c));
	sync_stream();
	close_to(&c, want, 0, 0, "one scale for each matrix");
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&c);
	tensor_free(&s);
	tensor_free(&r);
}

struct s4_case {
	uint64_t batch, m, n, k;
	uint32_t group;
	enum npuop_dtype in;
	bool turned, scale_turned, c_turned; /* stored the other way round */
	bool repeated; /* one B for all of the batch */
	bool odd; /* elements from row to row of B */
	enum npuop_dtype out;
	bool bias, bias_half, pre, accumulate;
	float scale; /* 0: 1 */
	enum npuop_activation activation;
	bool edges; /* some of A and of the scales are no common numbers */
};

/* [batch, rows, cols], stored so or the other way round, in rows of even length or of @odd. */
static struct matrix s4_matrix(enum npuop_dtype dtype, uint64_t batch, uint64_t rows, uint64_t cols,
			       bool turned, bool odd)
{
	const uint64_t shape[3] = { batch, turned ? cols : rows, turned ? rows : cols };
	const uint64_t pitch = odd ? shape[2] | 1 : (shape[2] + 1) & ~(uint64_t)1;
	const uint64_t count = (batch * shape[1] * pitch + 1) & ~(uint64_t)1;
	struct matrix x = { .all = tensor_random(dtype, 1, &count) };

	x.view = npuop_tensor_dense(x.all.memory, 0, dtype, 3, shape);
	x.view.stride[1] = pitch;
	x.view.stride[0] = shape[1] * pitch;
	if (turned)
		x.view = npuop_tensor_transpose(&x.view, 1, 2);
	return x;
}

struct s4_operands {
	npuop_tensor a, bias;
	struct matrix b, scale, c, pre;
	double *a_values, *b_values, *scales;
};

/* Each element of B times its scale is rounded to A's type. */
static float s4_sum(const struct s4_case *t, const struct s4_operands *o, uint64_t batch,
		    uint64_t row, uint64_t col)
{
	const uint64_t from = t->repeated ? 0 : batch;
	float sum = 0;

	for (uint64_t k = 0; k < t->k; k++) {
		const uint64_t groups = t->k / t->group, group = from * groups + k / t->group;
		const float s = (float)o->scales[group * t->n + col];
		const float w = (float)o->b_values[(from * t->k + k) * t->n + col] * s;

		sum = fmaf((float)o->a_values[(batch * t->m + row) * t->k + k],
			   (float)round_to(t->in, w), sum);
	}
	return sum;
}

static void s4_check(const struct s4_case *t, const struct s4_operands *o, const double *old)
{
	const uint64_t count = npuop_tensor_elements(&o->c.view);
	const bool exact = t->activation <= NPUOP_ACT_RELU;
	double *want = numbers(count), *pre = numbers(count);

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t col = i % t->n, row = i / t->n % t->m, batch = i / t->n / t->m;
		float x = s4_sum(t, o, batch, row, col);

		if (t->scale != 0)
			x *= t->scale;
		if (t->bias)
			x += (float)tensor_get(&o->bias, col);
		pre[i] = round_to(t->out, x);
		want[i] = activated(t->activation, x);
		if (t->accumulate)
			want[i] = (float)old[i] + (float)want[i];
		want[i] = round_to(t->out, want[i]);
	}
	close_to(&o->c.view, want, exact ? 0 : 0x1p-21, exact ? 0 : 4 * tolerance(t->out),
		 "4 bits, %llu products %llux%llux%llu, groups of %u, type %u to %u, "
		 "stored %d%d%d%s%s, activation %u%s%s%s",
		 (unsigned long long)t->batch, (unsigned long long)t->m, (unsigned long long)t->n,
		 (unsigned long long)t->k, t->group, t->in, t->out, t->turned, t->scale_turned,
		 t->c_turned, t->repeated ? ", one B" : "", t->odd ? ", of odd rows" : "",
		 t->activation, t->bias ? ", bias" : "", t->accumulate ? ", accumulate" : "",
		 t->edges ? ", edges" : "");
	if (t->pre)
		close_to(&o->pre.view, pre, 0, 0, "and the values before");
	free(want);
	free(pre);
}

static void s4_case(const struct s4_case *t)
{
	const uint64_t own = t->repeated ? 1 : t->batch;
	struct s4_operands o = {
		.a = tensor_random(t->in, SHAPE(t->batch, t->m, t->k)),
		.bias = tensor_random(t->bias_half ? t->out : NPUOP_F32, SHAPE(t->n)),
		.b = s4_matrix(NPUOP_S4, own, t->k, t->n, t->turned, t->odd),
		.scale = s4_matrix(NPUOP_F32, own, t->k / t->group, t->n, t->scale_turned, t->odd),
		.c = s4_matrix(t->out, t->batch, t->m, t->n, t->c_turned, false),
		.pre = s4_matrix(t->out, t->batch, t->m, t->n, t->c_turned, false),
	};
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.flags = t->accumulate ? NPUOP_GEMM_ACCUMULATE : 0,
		.activation = t->activation,
		.scale = t->scale,
		.scale_b = &o.scale.view,
		.group = t->group,
		.bias = t->bias ? &o.bias : NULL,
		.pre = t->pre ? &o.pre.view : NULL,
	};
	double *old = tensor_values(&o.c.view);

	if (t->edges) {
		put_edges(&o.a, 4 * t->k + 1, true);
		put_edges(&o.scale.view, 8 * t->k / t->group + 1, true);
	}
	o.a_values = tensor_values(&o.a);
	o.b_values = tensor_values(&o.b.view);
	o.scales = tensor_values(&o.scale.view);
	NEED(npuop_gemm(fx.ops, &attr, &o.a, &o.b.view, &o.c.view));
	sync_stream();
	s4_check(t, &o, old);
	free(old);
	free(o.a_values);
	free(o.b_values);
	free(o.scales);
	tensor_free(&o.a);
	tensor_free(&o.bias);
	tensor_free(&o.b.all);
	tensor_free(&o.scale.all);
	tensor_free(&o.c.all);
	tensor_free(&o.pre.all);
}

/* A weight [outputs, inputs] whose rows are quantised in groups: its product is that of halves. */
static void test_s4_weight(void)
{
	const uint64_t n = 40, k = 96, group = 32, rows[] = { n * k / group, group };
	const uint64_t row_scales[] = { rows[0], 1 };
	npuop_tensor a = tensor_random(NPUOP_F16, SHAPE(7, k));
	npuop_tensor w = tensor_random(NPUOP_F32, SHAPE(n, k));
	npuop_tensor halves = tensor_new(NPUOP_F16, SHAPE(n, k));
	npuop_tensor q = tensor_new(NPUOP_S4, SHAPE(n, k));
	npuop_tensor scale = tensor_new(NPUOP_F32, SHAPE(n, k / group));
	npuop_tensor c[2] = { tensor_new(NPUOP_F32, SHAPE(7, n)),
			      tensor_new(NPUOP_F32, SHAPE(7, n)) };
	const npuop_tensor w_rows = npuop_tensor_reshape(&w, 2, rows);
	const npuop_tensor halves_rows = npuop_tensor_reshape(&halves, 2, rows);
	const npuop_tensor q_rows = npuop_tensor_reshape(&q, 2, rows);
	const npuop_tensor scale_rows = npuop_tensor_reshape(&scale, 2, row_scales);
	const npuop_tensor halves_t = npuop_tensor_transpose(&halves, 0, 1);
	const npuop_tensor q_t = npuop_tensor_transpose(&q, 0, 1);
	const npuop_tensor scale_t = npuop_tensor_transpose(&scale, 0, 1);
	const npuop_gemm_attr attr = { .size = sizeof(attr), .scale_b = &scale_t, .group = group };

	NEED(npuop_quantize(fx.ops, &w_rows, &q_rows, &scale_rows));
	NEED(npuop_dequantize(fx.ops, &q_rows, &scale_rows, &halves_rows));
	NEED(npuop_gemm(fx.ops, NULL, &a, &halves_t, &c[0]));
	NEED(npuop_gemm(fx.ops, &attr, &a, &q_t, &c[1]));
	sync_stream();
	ok(same_bits(&c[0], &c[1]), "4 bits: a quantised weight, stored by outputs");
	for (size_t i = 0; i < 2; i++)
		tensor_free(&c[i]);
	tensor_free(&a);
	tensor_free(&w);
	tensor_free(&halves);
	tensor_free(&q);
	tensor_free(&scale);
}

static void test_s4(void)
{
	static const struct s4_case cases[] = {
		{ 1, 140, 302, 192, 64, .in = NPUOP_BF16, .bias = true },
		{ 1, 1, 514, 1024, 1024, .in = NPUOP_F16 },
		{ 1, 3, 300, 2048, 512, .in = NPUOP_F16, .turned = true, .scale_turned = true },
		{ 1, 140, 70, 1056, 96, .in = NPUOP_F16, .turned = true, .c_turned = true },
		{ 1, 5, 1, 64, 32, .in = NPUOP_F16 },
		{ 1, 1, 70001, 32, 32, .in = NPUOP_F16, .bias = true, .odd = true },
		{ 1, 5, 65, 64, 32, .in = NPUOP_F16, .bias = true, .odd = true },
		{ 1, 5, 8, 0, 32, .in = NPUOP_F16, .bias = true, .turned = true },
		{ 1, 0, 8, 32, 32, .in = NPUOP_F16 },
		{ 1, 5, 0, 32, 32, .in = NPUOP_F16 },
		{ 0, 5, 8, 32, 32, .in = NPUOP_F16 },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		s4_case(&cases[i]);
	for (int i = 0; i < ROUNDS; i++) {
		struct s4_case t = {
			.batch = 1 + rnd_below(3),
			.m = 1 + rnd_below(i % 8 ? 20 : 150),
			.n = 1 + rnd_below(i % 8 ? 50 : 300),
			.group = 32 * (uint32_t)(1 + rnd_below(3)),
			.in = rnd() & 1 ? NPUOP_F16 : NPUOP_BF16,
			.turned = rnd() & 1,
			.c_turned = rnd_below(3) == 0,
			.repeated = rnd() & 1,
			.odd = rnd_below(3) == 0,
			.out = rnd_below(3),
			.bias = rnd() & 1,
			.bias_half = rnd() & 1,
			.pre = rnd_below(3) == 0,
			.scale = rnd() & 1 ? 0 : 0.37f,
			.activation = rnd_below(5),
			.edges = rnd_below(4) == 0,
		};

		t.accumulate = t.out == NPUOP_F32 && rnd() & 1;
		t.k = t.group * (1 + rnd_below(5));
		t.scale_turned = t.turned && rnd() & 1;
		s4_case(&t);
	}
}

/* Few rows are a kernel of their own: all the types, large enough for all its loops. */
static void test_few_rows(void)
{
	static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

	for (uint32_t i = 0; i < 9; i++) {
		const struct test_case t = {
			.b0 = 1,
			.b1 = 1,
			.in = types[i % 3],
			.scale = 1,
			.out = types[(i + i / 3) % 3],
			.m = 1 + i % 8,
			.n = 1 + rnd_below(i % 2 ? 2500 : 400),
			.k = 1 + rnd_below(i % 2 ? 200 : 1500),
			.activation = i % (NPUOP_ACT_SILU + 1),
			.bias = i % 2,
		};

		run_case(&t);
	}
}

/* The bits are those of a norm and a product one after the other. */
static void test_norm(uint32_t round)
{
	static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F32, NPUOP_F16, NPUOP_BF16 };
	const enum npuop_dtype dtype = types[round % 4];
	const bool in_pieces = round % 4 == 1; /* rows that a norm does not read at once */
	const uint64_t m = 1 + rnd_below(in_pieces ? 2 : round % 3 ? 8 : 40);
	const uint64_t k = (in_pieces ? 6465 : 1) + rnd_below(600);
	const uint64_t n = 1 + rnd_below(400), batch = 1 + round % 5 / 4;
	npuop_tensor a = tensor_random(dtype, SHAPE(batch, round % 9 ? m : k, round % 9 ? k : m));
	npuop_tensor b = tensor_random(dtype, SHAPE(k, n));
	npuop_tensor gamma = tensor_random(round % 8 ? NPUOP_F32 : dtype, SHAPE(k));
	npuop_tensor rows = tensor_new(dtype, SHAPE(batch, m, k));
	npuop_tensor c[2] = { tensor_new(dtype, SHAPE(batch, m, n)),
			      tensor_new(dtype, SHAPE(batch, m, n)) };
	npuop_gemm_attr attr = { .size = sizeof(attr), .activation = round % (NPUOP_ACT_SILU + 1) };
	const npuop_tensor *factors = round % 7 ? &gamma : NULL;

	if (round % 5 == 3) {
		put_edges(&a, batch * m * k / 3 + 1, true);
		put_edges(&gamma, k, true);
		put_edges(&b, k * n / 3 + 1, true);
	}
	if (round % 9 == 0)
		a = npuop_tensor_transpose(&a, 1, 2);
	NEED(npuop_rms_norm(fx.ops, &a, factors, 1e-5f, &rows, NULL));
	NEED(npuop_gemm(fx.ops, &attr, &rows, &b, &c[0]));
	attr.flags = NPUOP_GEMM_RMS_NORM;
	attr.gamma = factors;
	attr.eps = 1e-5f;
	NEED(npuop_gemm(fx.ops, &attr, &a, &b, &c[1]));
	sync_stream();
	ok(same_bits(&c[0], &c[1]), "normalised: %llu x %llu x %llu x %llu",
	   (unsigned long long)batch, (unsigned long long)m, (unsigned long long)n,
	   (unsigned long long)k);
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&gamma);
	tensor_free(&rows);
	tensor_free(&c[0]);
	tensor_free(&c[1]);
}

/* The product of normalised rows of nothing is the bias. */
static void test_norm_empty(void)
{
	npuop_tensor a = tensor_new(NPUOP_F32, SHAPE(5, 0)), b = tensor_new(NPUOP_F32, SHAPE(0, 7));
	npuop_tensor c = tensor_random(NPUOP_F32, SHAPE(5, 7));
	npuop_tensor bias = tensor_random(NPUOP_F32, SHAPE(7));
	const npuop_gemm_attr attr = {
		.size = sizeof(attr), .flags = NPUOP_GEMM_RMS_NORM, .bias = &bias, .eps = 1e-5f
	};
	double want[5 * 7];

	for (uint64_t i = 0; i < COUNT(want); i++)
		want[i] = tensor_get(&bias, i % 7);
	NEED(npuop_gemm(fx.ops, &attr, &a, &b, &c));
	sync_stream();
	close_to(&c, want, 0, 0, "normalised: rows of nothing");
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&c);
	tensor_free(&bias);
}

#ifdef OP_SHIM
static void same_for_blocks(const char *what, const npuop_gemm_attr *attr, const npuop_tensor *a,
			    const npuop_tensor *b)
{
	const uint64_t batch = a->shape[0], m = a->shape[1], n = b->shape[2];
	npuop_tensor c[2] = { tensor_new(NPUOP_F32, SHAPE(batch, m, n)),
			      tensor_new(NPUOP_F32, SHAPE(batch, m, n)) };

	NEED(npuop_gemm(fx.ops, attr, a, b, &c[0]));
	for (uint32_t blocks = 1; blocks < 40; blocks += 6) {
		shim_force_blocks(blocks);
		NEED(npuop_gemm(fx.ops, attr, a, b, &c[1]));
		ok(same_bits(&c[0], &c[1]), "%s: the same bits with %u blocks", what, blocks);
	}
	shim_force_blocks(0);
	tensor_free(&c[0]);
	tensor_free(&c[1]);
}

static void test_blocks(void)
{
	npuop_tensor a = tensor_random(NPUOP_F16, SHAPE(3, 300, 96));
	npuop_tensor b = tensor_random(NPUOP_F16, SHAPE(3, 96, 270));
	npuop_tensor s4 = tensor_random(NPUOP_S4, SHAPE(3, 270, 96));
	npuop_tensor scale = tensor_random(NPUOP_F32, SHAPE(3, 3, 270));
	const npuop_gemm_attr gelu = { .size = sizeof(gelu), .activation = NPUOP_ACT_GELU };
	const npuop_gemm_attr scales = { .size = sizeof(scales), .scale_b = &scale, .group = 32 };
	const npuop_gemm_attr norm = { .size = sizeof(norm), .flags = NPUOP_GEMM_RMS_NORM };
	npuop_tensor turned = npuop_tensor_transpose(&s4, 1, 2);
	struct matrix odd = s4_matrix(NPUOP_S4, 3, 96, 270, true, true);
	npuop_tensor few = tensor_random(NPUOP_F32, SHAPE(1, 5, 96));
	npuop_tensor many[] = { tensor_random(NPUOP_F32, SHAPE(100, 20, 24)),
				tensor_random(NPUOP_F32, SHAPE(100, 24, 40)) };
	npuop_tensor wide = tensor_random(NPUOP_F32, SHAPE(1, 96, 700));

	same_for_blocks("fp16", &gelu, &a, &b);
	same_for_blocks("4 bits", &scales, &a, &turned);
	same_for_blocks("4 bits of odd rows", &scales, &a, &odd.view);
	same_for_blocks("few rows", &norm, &few, &wide);
	same_for_blocks("small products", NULL, &many[0], &many[1]);
	tensor_free(&many[0]);
	tensor_free(&many[1]);
	tensor_free(&few);
	tensor_free(&wide);
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&s4);
	tensor_free(&odd.all);
	tensor_free(&scale);
}
#endif

static void test_refused(void)
{
	npuop_tensor a = tensor_new(NPUOP_F32, SHAPE(4, 6)), b = tensor_new(NPUOP_F32, SHAPE(6, 8));
	npuop_tensor c = tensor_new(NPUOP_F32, SHAPE(4, 8)), s = tensor_new(NPUOP_F32, SHAPE(4));
	npuop_tensor half = tensor_new(NPUOP_F16, SHAPE(6, 8)), part, batch = c, s4 = half;
	npuop_gemm_attr attr = { .size = sizeof(attr) };

	REFUSED(npuop_gemm(fx.ops, NULL, NULL, &b, &c), "a is NULL");
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &a, &c), "b: 4 rows, not 6");
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &half, &c), "b: F16");
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &b, &b), "c: 6 rows, not 4");
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &s, &c), "b: rank 1");
	batch.rank = 3;
	batch.shape[0] = 1;
	batch.shape[1] = 4;
	batch.shape[2] = 8;
	batch.stride[0] = batch.stride[1] = 8;
	batch.stride[2] = 1;
	NEED(npuop_gemm(fx.ops, NULL, &a, &b, &batch));
	sync_stream();
	batch.shape[0] = 2;
	batch.shape[1] = 2;
	batch.stride[0] = 16;
	part = npuop_tensor_slice(&a, 0, 0, 2);
	REFUSED(npuop_gemm(fx.ops, NULL, &part, &b, &batch), "c: a batch of 2");
	attr.bias = &s;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "bias: shape [4], not [8]");
	part = b;
	part.rank = 1;
	part.shape[0] = 8;
	part.stride[0] = 2;
	attr.bias = &part;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "bias: the last dimension");
	attr.bias = NULL;
	attr.scale_a = &s;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "scale_a: is for integers");
	attr.scale_a = NULL;
	attr.activation = 9;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "activation: there is no 9");
	attr.activation = 0;
	attr.pre = &c;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "pre lies over c");
	attr.pre = NULL;
	attr.gamma = &s;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "gamma: is for");
	attr.flags = NPUOP_GEMM_RMS_NORM;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "gamma: shape [4], not [6]");
	attr.gamma = NULL;
	attr.flags = 8;
	REFUSED(npuop_gemm(fx.ops, &attr, &a, &b, &c), "npuop_gemm_attr.flags");
	attr.flags = 0;
	part = npuop_tensor_slice(&b, 0, 1, 4);
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &b, &part), "c lies over b");
	s4.dtype = NPUOP_S4;
	a.dtype = NPUOP_F16;
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &s4, &c), "group: 0, not");
	s4.stride[0] = 16;
	s4.stride[1] = 2;
	REFUSED(npuop_gemm(fx.ops, NULL, &a, &s4, &c), "b: neither");
	a.dtype = NPUOP_F32;
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&c);
	tensor_free(&s);
	tensor_free(&half);
}

int main(void)
{
	op_begin();
	test_shapes();
	test_random();
	test_integers();
	test_batches();
	test_edges();
	test_largest();
	test_one_scale();
	test_s4();
	test_s4_weight();
	test_few_rows();
	for (uint32_t i = 0; i < ROUNDS; i++)
		test_norm(i);
	test_norm_empty();
#ifdef OP_SHIM
	test_blocks();
#endif
	test_refused();
	return op_end();
}

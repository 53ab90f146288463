// SPDX-License-Identifier: MIT
/*
 * Elementwise operators, against double. A single operation is rounded to fp32 and then to the
 * type, and so is the reference: they are equal. A function is within what npuop_elementwise(3)
 * states, and half a unit of the last place of the type.
 */
#include <float.h>

#include "op_test.h"

static const enum npuop_dtype types[] = {
	NPUOP_F32, NPUOP_F16, NPUOP_BF16, NPUOP_S32, NPUOP_S16, NPUOP_S8, NPUOP_U8,
};

static bool is_float(enum npuop_dtype dtype)
{
	return dtype <= NPUOP_BF16;
}

static const double specials[] = {
	0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, -1e-40, 1, -1, 65504, 1e30, -1e30, 3e-8,
};

/* Floats within @range with some special ones; integers of any value, or small ones. */
static void fill_random(const npuop_tensor *t, double range, bool special)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++) {
		double value = rnd_uniform() * range;

		if (!is_float(t->dtype))
			value = rnd() & 1 ? (double)(int32_t)rnd() : (double)rnd_below(4);
		else if (special && !rnd_below(8))
			value = specials[rnd_below(COUNT(specials))];
		tensor_set(t, i, value);
	}
}

/* Floats of all sizes that the type has, most of them where functions are no constants. */
static void fill_sizes(const npuop_tensor *t)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++) {
		const int exponent =
			t->dtype == NPUOP_F16 ? (int)rnd_below(42) - 26 : (int)rnd_below(279) - 150;
		const double value = rnd_uniform();

		if (!rnd_below(8))
			tensor_set(t, i, specials[rnd_below(COUNT(specials))]);
		else if (rnd_below(3))
			tensor_set(t, i, value * (rnd_below(4) ? 7 : 110));
		else
			tensor_set(t, i, ldexp(value, exponent));
	}
}

static void random_shape(uint32_t *rank, uint64_t *shape)
{
	static const uint64_t limit[] = { 1, 12000, 150, 24, 12, 7, 5 };

	*rank = (uint32_t)rnd_below(NPUOP_MAX_RANK + 1);
	for (uint32_t i = 0; i < *rank; i++)
		shape[i] = rnd_below(30) ? 1 + rnd_below(limit[*rank]) : rnd_below(2);
}

/* Of one to repeat to @shape: fewer dimensions, some of them 1. */
static npuop_tensor repeated_view(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	const uint32_t missing = rnd_below(3) ? 0 : (uint32_t)rnd_below(rank + 1);
	uint64_t own[NPUOP_MAX_RANK];

	for (uint32_t i = missing; i < rank; i++)
		own[i - missing] = rnd_below(4) ? shape[i] : 1;
	return tensor_view(dtype, rank - missing, own, true);
}

/* The view of @t with all of @rank and @shape, as the operators are to see it. */
static npuop_tensor spread(const npuop_tensor *t, uint32_t rank, const uint64_t *shape)
{
	const uint32_t missing = rank - t->rank;
	npuop_tensor wide = *t;

	wide.rank = rank;
	for (uint32_t i = 0; i < rank; i++) {
		const bool repeats = i < missing || t->shape[i - missing] == 1;

		wide.shape[i] = shape[i];
		wide.stride[i] = repeats ? 0 : t->stride[i - missing];
	}
	return wide;
}

/* As arithmetic leaves it: in fp32 first; integers wrap. */
static double rounded(enum npuop_dtype dtype, double value)
{
	if (is_float(dtype))
		return round_to(dtype, (double)(float)value);
	return round_to(dtype, (double)(int32_t)(int64_t)value);
}

static double *new_values(const npuop_tensor *t)
{
	return malloc((npuop_tensor_elements(t) + 1) * sizeof(double));
}

static double unary(enum npuop_unary_op op, double x)
{
	switch (op) {
	case NPUOP_NEG:
		return -x;
	case NPUOP_ABS:
		return fabs(x);
	case NPUOP_RELU:
		return x > 0 || isnan(x) ? x : 0;
	case NPUOP_EXP:
		return exp(x);
	case NPUOP_LN:
		return log(x);
	case NPUOP_SQRT:
		return sqrt(x);
	case NPUOP_RSQRT:
		return 1 / sqrt(x);
	case NPUOP_RECIP:
		return 1 / x;
	case NPUOP_TANH:
		return tanh(x);
	case NPUOP_ERF:
		return erf(x);
	case NPUOP_SQUARE:
		return x * x;
	case NPUOP_SIGMOID:
		return 1 / (1 + exp(-x));
	case NPUOP_SILU:
		return x / (1 + exp(-x));
	case NPUOP_GELU:
		return x * (1 + erf(x * M_SQRT1_2)) / 2;
	default:
		return x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
	}
}

static bool exact(enum npuop_unary_op op)
{
	return op <= NPUOP_RELU || op == NPUOP_SQRT || op == NPUOP_RECIP || op == NPUOP_SQUARE;
}

/* Half a unit of the last place, of a type that is rounded to after F32. */
static double rounding(enum npuop_dtype dtype, double value)
{
	return dtype == NPUOP_F32 ? 0 : ulp(dtype, value) / 2;
}

static double bound(enum npuop_unary_op op, enum npuop_dtype to, double x, double want)
{
	static const struct {
		double units, of_x, overflow; /* that is what is left where exp(-x) is infinite */
	} stated[] = {
		[NPUOP_EXP] = { .units = 1.4 },
		[NPUOP_LN] = { .units = 1.4 },
		[NPUOP_RSQRT] = { .units = 1.5 },
		[NPUOP_TANH] = { .units = 1.4 },
		[NPUOP_ERF] = { .units = 1.4 },
		[NPUOP_SIGMOID] = { .units = 3, .overflow = 3e-39 },
		[NPUOP_SILU] = { .units = 3, .overflow = 3e-37 },
		[NPUOP_GELU] = { .of_x = 2e-7 },
		[NPUOP_GELU_TANH] = { .of_x = 2e-7 },
	};

	if (exact(op) || !isfinite(want))
		return 0;
	if (isinf(x))
		return rounding(to, want);
	return stated[op].units * ulp(NPUOP_F32, want) + stated[op].of_x * fabs(x) +
	       (x < -88.72 ? stated[op].overflow : 0) + 0x1p-149 + rounding(to, want);
}

static void run_unary(enum npuop_unary_op op, enum npuop_dtype from, enum npuop_dtype to)
{
	uint64_t shape[NPUOP_MAX_RANK];
	npuop_tensor x, out;
	double *want, *bounds;
	uint32_t rank;

	random_shape(&rank, shape);
	x = tensor_view(from, rank, shape, true);
	out = tensor_view(to, rank, shape, false);
	want = new_values(&out);
	bounds = new_values(&out);
	if (is_float(from))
		fill_sizes(&x);
	else
		fill_random(&x, 0, false);
	for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++) {
		const double value = tensor_get(&x, i);

		want[i] = unary(op, value);
		want[i] = exact(op) || !isfinite(rounded(to, want[i])) ? rounded(to, want[i])
								       : want[i];
		bounds[i] = bound(op, to, value, want[i]);
	}
	NEED(npuop_unary(fx.ops, op, &x, &out));
	sync_stream();
	within(&out, want, bounds, "unary %d, type %d to %d, rank %u", op, from, to, rank);
	free(want);
	free(bounds);
	tensor_free(&x);
	tensor_free(&out);
}

static void test_unary(void)
{
	for (int round = 0; round < ROUNDS / 3; round++)
		for (int op = 0; op <= NPUOP_GELU_TANH; op++)
			run_unary(op, types[rnd_below(3)], types[rnd_below(3)]);
	for (size_t i = 3; i < COUNT(types) - 1; i++)
		for (int op = 0; op <= NPUOP_RELU; op++)
			run_unary(op, types[i], types[i]);
	run_unary(NPUOP_SQUARE, NPUOP_S8, NPUOP_S8);
}

/* The derivative; its formulas in double have no limits at infinity either. */
static double slope(enum npuop_unary_op op, double x)
{
	const double s = 1 / (1 + exp(-x)), pi = M_PI;
	double t;

	if (op >= NPUOP_SILU && fabs(x) > 700)
		return x > 0;
	switch (op) {
	case NPUOP_RELU:
		return x > 0;
	case NPUOP_TANH:
		return 1 - tanh(x) * tanh(x);
	case NPUOP_SIGMOID:
		return s * (1 - s);
	case NPUOP_SILU:
		return s + x * s * (1 - s);
	case NPUOP_GELU:
		return erfc(-x * M_SQRT1_2) / 2 + x * exp(-x * x / 2) / sqrt(2 * pi);
	default:
		t = tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x));
		return (1 + t + x * (1 - t * t) * sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)) / 2;
	}
}

/* @edges: of x; else of the gradient, where no derivative is 0 or next to it. */
static void run_backward(enum npuop_unary_op op, enum npuop_dtype dtype, bool edges)
{
	uint64_t shape[NPUOP_MAX_RANK];
	npuop_tensor x, grad, out;
	double *want, *bounds;
	uint32_t rank;

	random_shape(&rank, shape);
	x = tensor_view(types[rnd_below(3)], rank, shape, true);
	grad = tensor_view(types[rnd_below(3)], rank, shape, true);
	out = tensor_view(dtype, rank, shape, false);
	want = new_values(&out);
	bounds = new_values(&out);
	for (uint64_t i = 0; i < npuop_tensor_elements(&x) && !edges; i++)
		tensor_set(&x, i, 0.5 + rnd_uniform() / 2);
	if (edges)
		fill_sizes(&x);
	fill_random(&grad, 2, !edges);
	for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++) {
		const double value = tensor_get(&x, i), g = tensor_get(&grad, i);

		want[i] = op == NPUOP_RELU && !(value > 0) ? 0 : g * slope(op, value);
		if (!isfinite(rounded(dtype, want[i])))
			want[i] = rounded(dtype, want[i]);
		bounds[i] = op == NPUOP_RELU ? 0 : 2e-6 * fabs(g) + 0x1p-149;
		bounds[i] += rounding(dtype, want[i]);
	}
	NEED(npuop_unary_backward(fx.ops, op, &x, &grad, &out));
	sync_stream();
	within(&out, want, bounds, "backward %d to type %d, rank %u, edges of %s", op, dtype, rank,
	       edges ? "x" : "the gradient");
	free(want);
	free(bounds);
	tensor_free(&x);
	tensor_free(&grad);
	tensor_free(&out);
}

static void test_backward(void)
{
	static const enum npuop_unary_op ops[] = {
		NPUOP_RELU, NPUOP_TANH, NPUOP_SIGMOID, NPUOP_SILU, NPUOP_GELU, NPUOP_GELU_TANH,
	};

	for (int round = 0; round < ROUNDS * 2; round++)
		run_backward(ops[(unsigned int)round / 2 % COUNT(ops)], types[rnd_below(3)],
			     round % 2);
}

/* Where a step of the formula overflows the result need not. */
static void test_limits(void)
{
	static const double x[] = { INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 2e13, -2e13, 1e-40 };
	npuop_tensor in = tensor_new(NPUOP_F32, SHAPE(COUNT(x)));
	npuop_tensor one = tensor_new(NPUOP_F32, SHAPE(COUNT(x)));
	npuop_tensor out = tensor_new(NPUOP_F32, SHAPE(COUNT(x)));

	for (size_t i = 0; i < COUNT(x); i++) {
		tensor_set(&in, i, x[i]);
		tensor_set(&one, i, 1);
	}
	for (int op = NPUOP_SILU; op <= NPUOP_GELU_TANH; op++) {
		const double slopes[] = { 1, 0, 1, 0, 1, 0, 0.5 };
		const double values[] = { INFINITY, NAN, FLT_MAX, 0, x[4], 0, x[6] / 2 };

		NEED(npuop_unary_backward(fx.ops, (enum npuop_unary_op)op, &in, &one, &out));
		sync_stream();
		close_to(&out, slopes, 0, 0, "the derivative of %d at its limits", op);
		NEED(npuop_unary(fx.ops, (enum npuop_unary_op)op, &in, &out));
		sync_stream();
		close_to(&out, values, 0x1p-149, 0x1p-24, "the function %d at its limits", op);
	}
	tensor_free(&in);
	tensor_free(&one);
	tensor_free(&out);
}

static double binary(enum npuop_binary_op op, double x, double y)
{
	switch (op) {
	case NPUOP_ADD:
		return x + y;
	case NPUOP_SUB:
		return x - y;
	case NPUOP_MUL:
		return x * y;
	case NPUOP_DIV:
		return x / y;
	case NPUOP_MAX:
		return isnan(x) || isnan(y) ? NAN : x > y ? x : y;
	case NPUOP_MIN:
		return isnan(x) || isnan(y) ? NAN : x < y ? x : y;
	case NPUOP_EQ:
		return x == y;
	case NPUOP_NE:
		return x != y;
	case NPUOP_LT:
		return x < y;
	case NPUOP_LE:
		return x <= y;
	case NPUOP_GT:
		return x > y;
	default:
		return x >= y;
	}
}

/* Products of S32 are not exact in double. */
static double wrapped(enum npuop_binary_op op, enum npuop_dtype dtype, double x, double y)
{
	if (dtype == NPUOP_S32 && op == NPUOP_MUL)
		return (double)(int32_t)((uint32_t)(int32_t)x * (uint32_t)(int32_t)y);
	return binary(op, x, y);
}

/* @y: a tensor, or NULL for the scalar */
static void check_binary(enum npuop_binary_op op, const npuop_tensor *x, const npuop_tensor *y,
			 double scalar, const npuop_tensor *out, const char *what)
{
	const npuop_tensor wide_x = spread(x, out->rank, out->shape);
	const npuop_tensor wide_y = y ? spread(y, out->rank, out->shape) : wide_x;
	double *want = new_values(out);

	for (uint64_t i = 0; i < npuop_tensor_elements(out); i++) {
		const double b = y ? tensor_get(&wide_y, i) : scalar;

		want[i] = wrapped(op, x->dtype, tensor_get(&wide_x, i), b);
		want[i] = rounded(out->dtype, want[i]);
	}
	if (y)
		NEED(npuop_binary(fx.ops, op, x, y, out));
	else
		NEED(npuop_binary_scalar(fx.ops, op, x, scalar, out));
	sync_stream();
	close_to(out, want, 0, 0, "%s %d of types %d, %d to %d, rank %u", what, op, x->dtype,
		 y ? y->dtype : x->dtype, out->dtype, out->rank);
	free(want);
}

static void run_binary(enum npuop_binary_op op, enum npuop_dtype x_type, enum npuop_dtype y_type,
		       enum npuop_dtype out_type)
{
	uint64_t shape[NPUOP_MAX_RANK];
	npuop_tensor x, y, out;
	uint32_t rank;

	random_shape(&rank, shape);
	x = repeated_view(x_type, rank, shape);
	y = repeated_view(y_type, rank, shape);
	out = tensor_view(op < NPUOP_EQ ? out_type : NPUOP_U8, rank, shape, false);
	fill_random(&x, 10, true);
	fill_random(&y, 10, true);
	check_binary(op, &x, &y, 0, &out, "binary");
	check_binary(op, &x, NULL, 3, &out, "scalar");
	tensor_free(&x);
	tensor_free(&y);
	tensor_free(&out);
}

static void test_binary(void)
{
	for (int round = 0; round < ROUNDS / 4; round++)
		for (int op = 0; op <= NPUOP_GE; op++)
			run_binary(op, types[rnd_below(3)], types[rnd_below(3)],
				   types[rnd_below(3)]);
	for (size_t i = 3; i < COUNT(types); i++)
		for (int op = 0; op <= NPUOP_GE; op++)
			if (op != NPUOP_DIV)
				run_binary(op, types[i], types[i], types[i]);
}

static void test_in_place(void)
{
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(70, 300));
	npuop_tensor y = tensor_random(NPUOP_F32, SHAPE(300));
	npuop_tensor turned = npuop_tensor_transpose(&x, 0, 1);

	check_binary(NPUOP_ADD, &x, &y, 0, &x, "in place");
	check_binary(NPUOP_MUL, &turned, &turned, 0, &turned, "in place");
	REFUSED(npuop_binary(fx.ops, NPUOP_ADD, &y, &x, &y), "y: shape");
	x.shape[1] = 70;
	turned = npuop_tensor_transpose(&x, 0, 1);
	REFUSED(npuop_binary(fx.ops, NPUOP_ADD, &x, &x, &turned), "out lies over x");
	tensor_free(&x);
	tensor_free(&y);
}

static void test_select(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		const enum npuop_dtype dtype = types[(unsigned int)round % COUNT(types)];
		uint64_t shape[NPUOP_MAX_RANK];
		npuop_tensor mask, x, y, out, wide[3];
		uint32_t rank;
		double *want;

		random_shape(&rank, shape);
		mask = repeated_view(NPUOP_U8, rank, shape);
		x = repeated_view(dtype, rank, shape);
		y = repeated_view(is_float(dtype) ? NPUOP_F32 : dtype, rank, shape);
		out = tensor_view(dtype, rank, shape, false);
		want = new_values(&out);
		for (uint64_t i = 0; i < npuop_tensor_elements(&mask); i++)
			tensor_set(&mask, i, (double)(rnd_below(2) * rnd_below(256)));
		fill_random(&x, 10, true);
		fill_random(&y, 10, true);
		wide[0] = spread(&mask, rank, shape);
		wide[1] = spread(&x, rank, shape);
		wide[2] = spread(&y, rank, shape);
		for (uint64_t i = 0; i < npuop_tensor_elements(&out); i++)
			want[i] = rounded(
				dtype, tensor_get(&wide[tensor_get(&wide[0], i) != 0 ? 1 : 2], i));
		NEED(npuop_select(fx.ops, &mask, &x, &y, &out));
		sync_stream();
		close_to(&out, want, 0, 0, "select of type %d, rank %u", dtype, rank);
		free(want);
		tensor_free(&mask);
		tensor_free(&x);
		tensor_free(&y);
		tensor_free(&out);
	}
}

static void test_fill(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		const enum npuop_dtype dtype = types[(unsigned int)round % COUNT(types)];
		const double value = is_float(dtype) ? -2.3 : 77;
		uint64_t shape[NPUOP_MAX_RANK];
		npuop_tensor out;
		uint32_t rank;
		double *want;

		random_shape(&rank, shape);
		out = tensor_view(dtype, rank, shape, false);
		want = new_values(&out);
		for (uint64_t i = 0; i < npuop_tensor_elements(&out); i++)
			want[i] = rounded(dtype, value);
		NEED(npuop_fill(fx.ops, value, &out));
		sync_stream();
		close_to(&out, want, 0, 0, "fill of type %d, rank %u", dtype, rank);
		free(want);
		tensor_free(&out);
	}
}

/* What lies between the elements of a view is not the operator's. */
static void test_gaps(void)
{
	npuop_tensor all = tensor_random(NPUOP_F16, SHAPE(40, 33));
	npuop_tensor part = npuop_tensor_slice(&all, 1, 3, 7);
	double *want = new_values(&all);

	for (uint64_t i = 0; i < npuop_tensor_elements(&all); i++)
		want[i] = i % 33 >= 3 && i % 33 < 10 ? 5 : tensor_get(&all, i);
	NEED(npuop_fill(fx.ops, 5, &part));
	sync_stream();
	close_to(&all, want, 0, 0, "a slice, and nothing else");
	free(want);
	tensor_free(&all);
}

static void test_refused(void)
{
	npuop_tensor f = tensor_new(NPUOP_F32, SHAPE(4, 4)), g = tensor_new(NPUOP_F32, SHAPE(4, 4));
	npuop_tensor i = tensor_new(NPUOP_S32, SHAPE(4, 4)), u = tensor_new(NPUOP_U8, SHAPE(4, 4));
	npuop_tensor small = tensor_new(NPUOP_F32, SHAPE(3)), far = f, s4 = u;

	far.shape[0] = 5;
	s4.dtype = NPUOP_S4;
	REFUSED(npuop_fill(fx.ops, 0, NULL), "out is NULL");
	REFUSED(npuop_fill(fx.ops, 0, &far), "out: 80 bytes");
	REFUSED(npuop_fill(fx.ops, 256, &u), "value: 256");
	REFUSED(npuop_fill(fx.ops, 0.5, &i), "value: 0.5");
	REFUSED(npuop_fill(fx.ops, NAN, &i), "value: nan");
	REFUSED(npuop_fill(fx.ops, 0, &s4), "out: S4");
	REFUSED(npuop_unary(fx.ops, 99, &f, &g), "op:");
	REFUSED(npuop_unary(fx.ops, NPUOP_EXP, &i, &i), "out: S32");
	REFUSED(npuop_unary(fx.ops, NPUOP_NEG, &u, &u), "out: U8");
	REFUSED(npuop_unary(fx.ops, NPUOP_NEG, &f, &i), "out: its type");
	REFUSED(npuop_unary(fx.ops, NPUOP_NEG, &small, &f), "x: shape [3], not [4, 4]");
	REFUSED(npuop_unary_backward(fx.ops, NPUOP_EXP, &f, &f, &g), "op:");
	REFUSED(npuop_unary_backward(fx.ops, NPUOP_RELU, &f, &small, &g), "grad: shape");
	REFUSED(npuop_binary(fx.ops, NPUOP_ADD, &f, &small, &g), "y: shape [3], not [4, 4]");
	REFUSED(npuop_binary(fx.ops, NPUOP_ADD, &f, &i, &g), "y: its type");
	REFUSED(npuop_binary(fx.ops, NPUOP_DIV, &i, &i, &i), "out: S32");
	REFUSED(npuop_binary(fx.ops, NPUOP_LT, &f, &f, &g), "out: F32");
	REFUSED(npuop_binary(fx.ops, 12, &f, &f, &g), "op:");
	REFUSED(npuop_binary_scalar(fx.ops, NPUOP_ADD, &i, 0.5, &i), "y: 0.5");
	REFUSED(npuop_select(fx.ops, &f, &f, &f, &g), "mask: F32");
	REFUSED(npuop_copy(fx.ops, &small, &f), "x: shape");
	tensor_free(&f);
	tensor_free(&g);
	tensor_free(&i);
	tensor_free(&u);
	tensor_free(&small);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(50, 1003)), out[2];
	npuop_tensor y = tensor_random(NPUOP_F32, SHAPE(50, 1));

	for (int i = 0; i < 2; i++) {
		out[i] = tensor_new(NPUOP_F32, SHAPE(50, 1003));
		shim_force_blocks(i ? 7 : 1);
		NEED(npuop_binary(fx.ops, NPUOP_DIV, &x, &y, &out[i]));
	}
	shim_force_blocks(0);
	ok(same_bits(&out[0], &out[1]), "the same bits of any number of blocks");
	tensor_free(&x);
	tensor_free(&y);
	tensor_free(&out[0]);
	tensor_free(&out[1]);
}
#endif

int main(void)
{
	op_begin();
	test_unary();
	test_backward();
	test_limits();
	test_binary();
	test_in_place();
	test_select();
	test_fill();
	test_gaps();
	test_refused();
#ifdef OP_SHIM
	test_blocks();
#endif
	return op_end();
}

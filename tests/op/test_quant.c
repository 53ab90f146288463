// SPDX-License-Identifier: MIT
/* Quantisation: all of it is exact, as each step is one operation in fp32. */
#include "op_test.h"

/* Columns of memory beyond a matrix. */
#define PAD 6

enum kind { ALL, ROW, COLUMN, GROUPS, KINDS };

static npuop_tensor padded(enum npuop_dtype dtype, uint64_t rows, uint64_t cols)
{
	npuop_tensor t = tensor_random(dtype, SHAPE(rows, cols + PAD));

	return npuop_tensor_slice(&t, 1, 2, cols);
}

static npuop_tensor scale_tensor(enum kind kind, uint64_t rows, uint64_t cols, uint64_t groups)
{
	switch (kind) {
	case ALL:
		return tensor_random(NPUOP_F32, SHAPE(1));
	case ROW:
		return tensor_random(NPUOP_F32, SHAPE(rows, 1));
	case COLUMN:
		return tensor_random(NPUOP_F32, SHAPE(1, cols));
	default:
		return tensor_random(NPUOP_F32, SHAPE(groups, cols));
	}
}

/* Index of an element's scale. */
static uint64_t scale_of(enum kind kind, uint64_t rows, uint64_t cols, uint64_t groups, uint64_t i)
{
	const uint64_t row = i / cols, col = i % cols;

	return kind == ALL	? 0
	       : kind == ROW	? row
	       : kind == COLUMN ? col
				: row / (rows / groups) * cols + col;
}

/* Some elements are the edges of floats; of some rows the others are zeros. */
static void put_specials(const npuop_tensor *x)
{
	npuop_tensor special = tensor_special(x->dtype, 2, x->shape);
	const uint64_t cols = x->shape[1];

	for (uint64_t i = 0; i < npuop_tensor_elements(x); i++) {
		const double v = tensor_get(&special, i);

		if (rnd_below(cols) == 0)
			tensor_set(x, i, v);
		else if (i / cols % 3 == 0)
			tensor_set(x, i, rnd_below(4) ? 0 : -0x1p-149 * (double)rnd_below(500));
	}
	tensor_free(&special);
}

static void run_case(enum kind kind, enum npuop_dtype dtype, enum npuop_dtype small, uint64_t rows,
		     uint64_t cols, uint64_t groups, bool edges)
{
	const uint64_t count = rows * cols;
	npuop_tensor x = padded(dtype, rows, cols), q = padded(small, rows, cols);
	npuop_tensor back = padded(dtype, rows, cols);
	npuop_tensor scale = scale_tensor(kind, rows, cols, groups);
	const float divisor = small == NPUOP_S4 ? 7 : 127;
	double *scales = calloc(npuop_tensor_elements(&scale) + 1, sizeof(double));
	double *want = calloc(count + 1, sizeof(double)),
	       *want_back = calloc(count + 1, sizeof(double));

	if (edges)
		put_specials(&x);
	for (uint64_t i = 0; i < count; i++) {
		double *s = &scales[scale_of(kind, rows, cols, groups, i)];
		const double v = fabs(tensor_get(&x, i));

		*s = isnan(*s) || isnan(v) ? NAN : fmax(*s, v);
	}
	for (uint64_t i = 0; i < npuop_tensor_elements(&scale); i++)
		scales[i] = (float)scales[i] / divisor;
	for (uint64_t i = 0; i < count; i++) {
		const float s = (float)scales[scale_of(kind, rows, cols, groups, i)];
		const float y = (float)tensor_get(&x, i) / s;

		want[i] = isnan(y) ? 0 : nearbyintf(fminf(fmaxf(y, -divisor), divisor));
		want_back[i] = round_to(dtype, (float)want[i] * s);
	}
	NEED(npuop_quantize(fx.ops, &x, &q, &scale));
	NEED(npuop_dequantize(fx.ops, &q, &scale, &back));
	sync_stream();
	close_to(&scale, scales, 0, 0, "scales of %llux%llu, kind %u, type %u, to %u%s",
		 (unsigned long long)rows, (unsigned long long)cols, kind, dtype, small,
		 edges ? ", edges" : "");
	close_to(&q, want, 0, 0, "and integers");
	close_to(&back, want_back, 0, 0, "and back");
	free(scales);
	free(want);
	free(want_back);
	tensor_free(&x);
	tensor_free(&q);
	tensor_free(&back);
	tensor_free(&scale);
}

static void test_random(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t groups = 1 + rnd_below(3);

		run_case(i % KINDS, rnd_below(3), rnd() & 1 ? NPUOP_S8 : NPUOP_S4,
			 groups * (1 + rnd_below(40)), 2 * (1 + rnd_below(50)), groups, i % 3 == 2);
	}
	run_case(ALL, NPUOP_F32, NPUOP_S8, 700, 3, 1, false);
	run_case(ROW, NPUOP_F16, NPUOP_S8, 3, 5001, 1, true);
	run_case(GROUPS, NPUOP_F32, NPUOP_S4, 600, 2100, 2, true);
	run_case(ROW, NPUOP_F32, NPUOP_S8, 0, 5, 1, false);
}

/* Zeros, and numbers that have no scale. */
static void test_edges(void)
{
	static const double in[] = { 0,	  0, 0, -0.0, 1,	INFINITY,  0, -1,
				     NAN, 1, 2, 3,    0x1p-149, -0x1p-149, 0, 0 };
	static const double scales[] = { 0, INFINITY, NAN, 0 };
	static const double want[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, -127, 0, 0 };
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(4, 4)), q = tensor_new(NPUOP_S8, SHAPE(4, 4));
	npuop_tensor scale = tensor_new(NPUOP_F32, SHAPE(4, 1));

	for (uint64_t i = 0; i < 16; i++)
		tensor_set(&x, i, in[i]);
	NEED(npuop_quantize(fx.ops, &x, &q, &scale));
	sync_stream();
	close_to(&scale, scales, 0, 0, "scales of zeros, infinities, NaN and the least number");
	close_to(&q, want, 0, 0, "and integers");
	tensor_free(&x);
	tensor_free(&q);
	tensor_free(&scale);
}

/* Of no rows, and of rows of nothing, whose scale is 0. */
static void test_empty(void)
{
	static const double none[8] = { 0 };
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(0, 8)), q = tensor_new(NPUOP_S8, SHAPE(0, 8));
	npuop_tensor groups = tensor_new(NPUOP_F32, SHAPE(0, 8));
	npuop_tensor x0 = tensor_new(NPUOP_F32, SHAPE(3, 0)),
		     q0 = tensor_new(NPUOP_S8, SHAPE(3, 0));
	npuop_tensor rows = tensor_random(NPUOP_F32, SHAPE(3, 1));
	npuop_tensor all = tensor_random(NPUOP_F32, SHAPE(1));
	npuop_tensor columns = tensor_random(NPUOP_F32, SHAPE(1, 8));

	ok(!npuop_quantize(fx.ops, &x, &q, &groups), "no rows");
	ok(!npuop_dequantize(fx.ops, &q, &groups, &x), "and back");
	NEED(npuop_quantize(fx.ops, &x0, &q0, &rows));
	NEED(npuop_dequantize(fx.ops, &q0, &rows, &x0));
	NEED(npuop_quantize(fx.ops, &x, &q, &columns));
	NEED(npuop_quantize(fx.ops, &x0, &q0, &all));
	sync_stream();
	close_to(&rows, none, 0, 0, "rows of nothing");
	close_to(&columns, none, 0, 0, "columns of nothing");
	close_to(&all, none, 0, 0, "all of nothing");
	tensor_free(&x);
	tensor_free(&q);
	tensor_free(&groups);
	tensor_free(&x0);
	tensor_free(&q0);
	tensor_free(&rows);
	tensor_free(&all);
	tensor_free(&columns);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(6, 4)), q = tensor_new(NPUOP_S8, SHAPE(6, 4));
	npuop_tensor s = tensor_new(NPUOP_F32, SHAPE(4, 4)),
		     odd = tensor_new(NPUOP_S4, SHAPE(6, 5));
	npuop_tensor odd_x = tensor_new(NPUOP_F32, SHAPE(6, 5));
	const npuop_tensor turned = npuop_tensor_transpose(&x, 0, 1);

	REFUSED(npuop_quantize(fx.ops, NULL, &q, &s), "x is NULL");
	REFUSED(npuop_quantize(fx.ops, &q, &q, &s), "x: S8");
	REFUSED(npuop_quantize(fx.ops, &x, &x, &s), "q: F32");
	REFUSED(npuop_quantize(fx.ops, &x, &q, &s), "scale: shape [4, 4], neither");
	REFUSED(npuop_quantize(fx.ops, &odd_x, &odd, &s), "q: rows of S4 are even");
	REFUSED(npuop_quantize(fx.ops, &turned, &q, &s), "x: the last dimension");
	REFUSED(npuop_dequantize(fx.ops, &q, &x, &x), "out lies over scale");
	tensor_free(&x);
	tensor_free(&q);
	tensor_free(&s);
	tensor_free(&odd);
	tensor_free(&odd_x);
}

int main(void)
{
	op_begin();
	test_random();
	test_edges();
	test_empty();
	test_refused();
	return op_end();
}

// SPDX-License-Identifier: MIT
/*
 * Reductions, against double. A sum in fp32 is off by less than 600 2^-24 of the sum of
 * magnitudes, see npuop_reduce(3), and as a rule by far less. The bound here is 50 2^-24 of that,
 * which a lost or doubled element would break.
 */
#include <float.h>

#include "op_test.h"

static bool is_float(enum npuop_dtype dtype)
{
	return dtype <= NPUOP_BF16;
}

/* Index of the result that element @i of x goes to; @at: its place in the reduced dimension. */
static uint64_t target(const npuop_tensor *x, const npuop_tensor *out, uint64_t i, uint64_t *at)
{
	uint64_t index = 0, step = 1;

	*at = 0;
	for (uint32_t d = x->rank; d--; i /= x->shape[d]) {
		const uint64_t here = i % x->shape[d];

		if (out->shape[d] == x->shape[d]) {
			index += here * step;
			step *= out->shape[d];
		} else {
			*at = here;
		}
	}
	return index;
}

struct want {
	double *value, *magnitude, *index;
};

static bool is_max(enum npuop_reduce_op op)
{
	return op == NPUOP_REDUCE_MAX || op == NPUOP_REDUCE_ARGMAX;
}

static void add(struct want *w, enum npuop_reduce_op op, uint64_t to, uint64_t at, double x)
{
	double *value = &w->value[to];

	switch (op) {
	case NPUOP_REDUCE_SUM:
	case NPUOP_REDUCE_MEAN:
		*value += x;
		w->magnitude[to] += fabs(x);
		return;
	case NPUOP_REDUCE_SUMSQ:
		*value += x * x;
		w->magnitude[to] += x * x;
		return;
	default:
		break;
	}
	if (isnan(*value) || (!at && w->index[to] >= 0))
		at = UINT64_MAX;
	if (w->index[to] < 0 ||
	    (!isnan(*value) && (isnan(x) || (is_max(op) ? x > *value : x < *value)))) {
		*value = x;
		w->index[to] = (double)at;
	}
}

static struct want reference(enum npuop_reduce_op op, const npuop_tensor *x,
			     const npuop_tensor *out)
{
	const uint64_t results = npuop_tensor_elements(out), count = npuop_tensor_elements(x);
	struct want w = {
		calloc(results + 1, sizeof(double)),
		calloc(results + 1, sizeof(double)),
		calloc(results + 1, sizeof(double)),
	};

	for (uint64_t i = 0; i < results; i++)
		w.index[i] = -1;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at, to = target(x, out, i, &at);

		add(&w, op, to, at, tensor_get(x, i));
	}
	return w;
}

static void check(enum npuop_reduce_op op, const npuop_tensor *x, const npuop_tensor *out,
		  const char *what)
{
	const uint64_t results = npuop_tensor_elements(out);
	const double each = results ? (double)npuop_tensor_elements(x) / (double)results : 1;
	struct want w = reference(op, x, out);
	uint64_t wrong = results;
	double wanted = 0;

	NEED(npuop_reduce(fx.ops, op, x, out));
	sync_stream();
	for (uint64_t i = results; i--;) {
		const double got = tensor_get(out, i);
		double want = w.value[i], bound = w.magnitude[i] * 50 * 0x1p-24;

		if (op == NPUOP_REDUCE_ARGMAX || op == NPUOP_REDUCE_ARGMIN)
			want = w.index[i];
		if (op == NPUOP_REDUCE_MEAN) {
			want /= each;
			bound /= each;
		}
		if (!is_float(x->dtype)) /* wraps */
			want = round_to(out->dtype, (double)(int32_t)(uint32_t)(int64_t)want);
		else if (out->dtype == NPUOP_F16 || out->dtype == NPUOP_BF16)
			bound +=
				fabs(want) * (out->dtype == NPUOP_F16 ? 0x1p-11 : 0x1p-8) + 0x1p-25;
		if (isnan(want) ? !isnan(got)
				: !(got == want || (isfinite(want) && fabs(got - want) <= bound))) {
			wrong = i;
			wanted = want;
		}
	}
	if (!ok(wrong == results, "%s: reduce %d of type %d to %d, rank %u, %g to %llu", what, op,
		x->dtype, out->dtype, x->rank, (double)npuop_tensor_elements(x),
		(unsigned long long)results))
		printf("# element %llu is %.9g, not %.9g\n", (unsigned long long)wrong,
		       tensor_get(out, wrong), wanted);
	free(w.value);
	free(w.magnitude);
	free(w.index);
}

/* @rare: one in so many is no usual number; few of sums would be any otherwise */
static void fill_random(const npuop_tensor *t, bool special, uint64_t rare)
{
	static const double specials[] = { INFINITY, -INFINITY, NAN, 1e-40, -1e-40, -0.0 };

	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++) {
		double value = is_float(t->dtype) ? rnd_uniform() : (double)rnd_below(200) - 60;

		if (special && !rnd_below(rare))
			value = specials[rnd_below(COUNT(specials))];
		if (special && !rnd_below(3)) /* equals, of which the first counts */
			value = rnd_below(2) ? 1 : -1;
		tensor_set(t, i, value);
	}
}

static enum npuop_dtype result_type(enum npuop_reduce_op op, enum npuop_dtype x)
{
	if (op >= NPUOP_REDUCE_ARGMAX)
		return NPUOP_S32;
	if (is_float(x))
		return (enum npuop_dtype)rnd_below(3);
	return op == NPUOP_REDUCE_MAX || op == NPUOP_REDUCE_MIN ? x : NPUOP_S32;
}

static void test_random(void)
{
	static const uint64_t limit[] = { 1, 60000, 300, 40, 14, 8, 6 };
	static const enum npuop_dtype types[] = {
		NPUOP_F32, NPUOP_F16, NPUOP_BF16, NPUOP_S32, NPUOP_S16, NPUOP_S8, NPUOP_U8,
	};

	for (int round = 0; round < ROUNDS * 7; round++) {
		const enum npuop_reduce_op op = (enum npuop_reduce_op)(round % 7);
		const enum npuop_dtype dtype =
			types[op == NPUOP_REDUCE_MEAN ? rnd_below(3) : rnd_below(COUNT(types))];
		const uint32_t rank = (uint32_t)rnd_below(NPUOP_MAX_RANK + 1);
		const uint32_t one = rank ? (uint32_t)rnd_below(rank) : 0;
		uint64_t shape[NPUOP_MAX_RANK], to[NPUOP_MAX_RANK];
		npuop_tensor x, out;

		for (uint32_t i = 0; i < rank; i++) {
			shape[i] = 1 + rnd_below(limit[rank]);
			to[i] = op >= NPUOP_REDUCE_ARGMAX ? i != one : rnd_below(2);
			to[i] = to[i] ? shape[i] : 1;
		}
		x = tensor_view(dtype, rank, shape, true);
		out = tensor_view(result_type(op, dtype), rank, to, false);
		fill_random(&x, is_float(dtype), 20 << rnd_below(10));
		check(op, &x, &out, "random");
		tensor_free(&x);
		tensor_free(&out);
	}
}

/* Large enough to be cut into parts, of which the last is a shorter one. */
static void test_parts(void)
{
	static const struct {
		uint64_t shape[3], to[3];
	} cases[] = {
		{ { 1, 1, 300007 }, { 1, 1, 1 } },  { { 1, 20011, 7 }, { 1, 1, 7 } },
		{ { 1, 9001, 33 }, { 1, 1, 33 } },  { { 3, 5, 20011 }, { 3, 5, 1 } },
		{ { 2, 9001, 17 }, { 2, 1, 17 } },  { { 40, 300, 25 }, { 1, 300, 1 } },
		{ { 700, 3, 130 }, { 1, 1, 130 } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		npuop_tensor x = tensor_random(i & 1 ? NPUOP_F16 : NPUOP_F32, 3, cases[i].shape);
		npuop_tensor out = tensor_new(NPUOP_F32, 3, cases[i].to);

		check(NPUOP_REDUCE_SUM, &x, &out, "parts");
		check(NPUOP_REDUCE_SUMSQ, &x, &out, "parts");
		check(NPUOP_REDUCE_MEAN, &x, &out, "parts");
		check(NPUOP_REDUCE_MIN, &x, &out, "parts");
		tensor_free(&x);
		tensor_free(&out);
	}
}

/* Of each three elements, in a row and in a column; what overflows does so in any order. */
static void test_edges(void)
{
	static const struct {
		enum npuop_reduce_op op;
		double x[3], want;
	} cases[] = {
		{ NPUOP_REDUCE_SUM, { FLT_MAX, FLT_MAX, 1 }, INFINITY },
		{ NPUOP_REDUCE_SUM, { -FLT_MAX, -FLT_MAX, 1 }, -INFINITY },
		{ NPUOP_REDUCE_SUM, { INFINITY, -INFINITY, 1 }, NAN },
		{ NPUOP_REDUCE_SUM, { 0x1p-149, 0x1p-149, 0x1p-149 }, 3 * 0x1p-149 },
		{ NPUOP_REDUCE_MEAN, { FLT_MAX, FLT_MAX, 1 }, INFINITY },
		{ NPUOP_REDUCE_MEAN, { -INFINITY, FLT_MAX, 1 }, -INFINITY },
		{ NPUOP_REDUCE_MEAN, { 0x1p-149, 0x1p-149, 0x1p-149 }, 0x1p-149 },
		{ NPUOP_REDUCE_SUMSQ, { 1e20, 0, 0 }, INFINITY },
		{ NPUOP_REDUCE_SUMSQ, { -INFINITY, 1, 1 }, INFINITY },
		{ NPUOP_REDUCE_SUMSQ, { 1e-40, 1, 1e-40 }, 1 },
		{ NPUOP_REDUCE_MAX, { -FLT_MAX, -INFINITY, -INFINITY }, -FLT_MAX },
		{ NPUOP_REDUCE_MAX, { -0x1p-149, -1e-40, -1 }, -0x1p-149 },
		{ NPUOP_REDUCE_MIN, { INFINITY, INFINITY, INFINITY }, INFINITY },
		{ NPUOP_REDUCE_MIN, { 1, NAN, -INFINITY }, NAN },
		{ NPUOP_REDUCE_ARGMAX, { -INFINITY, -INFINITY, -FLT_MAX }, 2 },
		{ NPUOP_REDUCE_ARGMAX, { INFINITY, NAN, NAN }, 1 },
		{ NPUOP_REDUCE_ARGMIN, { INFINITY, INFINITY, INFINITY }, 0 },
		{ NPUOP_REDUCE_ARGMIN, { 0x1p-149, 0, -0x1p-149 }, 2 },
	};

	for (size_t i = 0; i < COUNT(cases) * 2; i++) {
		const double *v = cases[i / 2].x, want[] = { cases[i / 2].want, cases[i / 2].want };
		const enum npuop_reduce_op op = cases[i / 2].op;
		const uint64_t rows[] = { 2, 3 }, one[] = { 2, 1 };
		npuop_tensor x = tensor_new(NPUOP_F32, 2, rows), view = x;
		npuop_tensor out =
			tensor_new(op >= NPUOP_REDUCE_ARGMAX ? NPUOP_S32 : NPUOP_F32, 2, one);
		npuop_tensor to = out;

		if (i & 1) {
			view = npuop_tensor_dense(x.memory, 0, NPUOP_F32, SHAPE(3, 2));
			to = npuop_tensor_transpose(&out, 0, 1);
		}
		for (uint64_t at = 0; at < 6; at++)
			tensor_set(&view, at, v[i & 1 ? at / 2 : at % 3]);
		NEED(npuop_reduce(fx.ops, op, &view, &to));
		sync_stream();
		close_to(&out, want, 0, 0, "reduce %d of %g, %g, %g in a %s", op, v[0], v[1], v[2],
			 i & 1 ? "column" : "row");
		tensor_free(&x);
		tensor_free(&out);
	}
}

static void test_empty(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(3, 0)),
		     out = tensor_random(NPUOP_F32, SHAPE(3, 1));
	npuop_tensor none = tensor_new(NPUOP_F32, SHAPE(0, 4)),
		     to = tensor_new(NPUOP_F32, SHAPE(0, 1));
	const double zero[3] = { 0 }, nan[3] = { NAN, NAN, NAN };

	NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &out));
	sync_stream();
	close_to(&out, zero, 0, 0, "the sum of nothing");
	NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_MEAN, &x, &out));
	sync_stream();
	close_to(&out, nan, 0, 0, "the mean of nothing");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_MAX, &x, &out), "x: there is no element");
	ok(!npuop_reduce(fx.ops, NPUOP_REDUCE_MAX, &none, &to), "no results");
	tensor_free(&x);
	tensor_free(&out);
	tensor_free(&none);
	tensor_free(&to);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(3, 4)), s = tensor_new(NPUOP_S32, SHAPE(3, 4));
	npuop_tensor out = tensor_new(NPUOP_F32, SHAPE(3, 1)),
		     one = tensor_new(NPUOP_F32, SHAPE(1));
	npuop_tensor bad = tensor_new(NPUOP_F32, SHAPE(2, 1)),
		     all = tensor_new(NPUOP_S32, SHAPE(1, 1));
	const npuop_tensor part = npuop_tensor_slice(&x, 1, 0, 1);

	REFUSED(npuop_reduce(fx.ops, 7, &x, &out), "op:");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, NULL, &out), "x is NULL");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &one), "out: rank 1, not 2");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &bad), "out: shape [2, 1], not [3, 4]");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &part), "out lies over x");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &s, &out), "out: F32");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_MEAN, &s, &out), "x: S32");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_ARGMAX, &x, &out), "out: F32");
	REFUSED(npuop_reduce(fx.ops, NPUOP_REDUCE_ARGMAX, &x, &all), "out: 2 dimensions");
	tensor_free(&x);
	tensor_free(&s);
	tensor_free(&out);
	tensor_free(&one);
	tensor_free(&bad);
	tensor_free(&all);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	static const uint64_t shapes[][2] = { { 1, 1 }, { 1, 777 }, { 900, 1 } };
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(900, 777));

	for (size_t s = 0; s < COUNT(shapes); s++) {
		npuop_tensor out[2];

		for (int i = 0; i < 2; i++) {
			out[i] = tensor_new(NPUOP_F32, 2, shapes[s]);
			shim_force_blocks(i ? 11 : 1);
			NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &out[i]));
		}
		shim_force_blocks(0);
		ok(same_bits(&out[0], &out[1]), "%llu sums: the same bits of any number of blocks",
		   (unsigned long long)npuop_tensor_elements(&out[0]));
		tensor_free(&out[0]);
		tensor_free(&out[1]);
	}
	tensor_free(&x);
}
#endif

int main(void)
{
	op_begin();
	test_random();
	test_parts();
	test_edges();
	test_empty();
	test_refused();
#ifdef OP_SHIM
	test_blocks();
#endif
	return op_end();
}

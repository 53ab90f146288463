// SPDX-License-Identifier: MIT
/* Copies: every bit arrives, in its place; conversions are those of the vector engine. */
#include "op_test.h"

static const enum npuop_dtype types[] = {
	NPUOP_F32, NPUOP_F16, NPUOP_BF16, NPUOP_S32, NPUOP_S16, NPUOP_S8, NPUOP_U8,
};

static bool is_float(enum npuop_dtype dtype)
{
	return dtype <= NPUOP_BF16;
}

/* Any bits, NaN of all kinds among them. */
static void fill_bits(const npuop_tensor *t)
{
	const uint64_t size = npurt_memory_size(t->memory);
	void *pointer;
	uint8_t *at;

	NEED(npurt_memory_map(t->memory, &pointer));
	at = pointer;
	for (uint64_t i = 0; i < size; i++)
		at[i] = (uint8_t)(rnd() >> 13);
}

static void random_shape(uint32_t *rank, uint64_t *shape)
{
	static const uint64_t limit[] = { 1, 12000, 400, 40, 14, 8, 6 };

	*rank = (uint32_t)rnd_below(NPUOP_MAX_RANK + 1);
	for (uint32_t i = 0; i < *rank; i++)
		shape[i] = rnd_below(30) ? 1 + rnd_below(limit[*rank]) : rnd_below(2);
}

static void test_bits(void)
{
	for (int round = 0; round < ROUNDS * 4; round++) {
		const enum npuop_dtype dtype = types[(unsigned int)round % COUNT(types)];
		uint64_t shape[NPUOP_MAX_RANK];
		npuop_tensor x, out;
		uint32_t rank;

		random_shape(&rank, shape);
		x = tensor_view(dtype, rank, shape, true);
		out = tensor_view(dtype, rank, shape, false);
		fill_bits(&x);
		fill_bits(&out);
		NEED(npuop_copy(fx.ops, &x, &out));
		sync_stream();
		ok(same_bits(&x, &out), "copy of type %d, rank %u, %llu elements", dtype, rank,
		   (unsigned long long)npuop_tensor_elements(&x));
		tensor_free(&x);
		tensor_free(&out);
	}
}

/* A matrix to its transposed, of sizes around those of tiles; nothing else is written. */
static void test_transpose(void)
{
	static const uint64_t sizes[] = { 1, 2, 31, 33, 129, 255, 257, 600 };

	for (int round = 0; round < ROUNDS; round++) {
		const enum npuop_dtype dtype = types[(unsigned int)round % COUNT(types)];
		const uint64_t rows = sizes[rnd_below(COUNT(sizes))];
		const uint64_t cols = sizes[rnd_below(COUNT(sizes))];
		npuop_tensor x = tensor_new(dtype, SHAPE(2, rows, cols));
		npuop_tensor out = tensor_new(dtype, SHAPE(2, cols, rows + 1));
		const npuop_tensor turned = npuop_tensor_transpose(&x, 1, 2);
		const npuop_tensor part = npuop_tensor_slice(&out, 2, 0, rows);
		const npuop_tensor rest = npuop_tensor_slice(&out, 2, rows, 1);
		bool untouched = true;

		fill_bits(&x);
		NEED(npuop_copy(fx.ops, &turned, &part));
		sync_stream();
		for (uint64_t i = 0; i < npuop_tensor_elements(&rest); i++)
			untouched &= tensor_get(&rest, i) == 0;
		ok(same_bits(&turned, &part) && untouched, "transpose of %llu x %llu of type %d",
		   (unsigned long long)rows, (unsigned long long)cols, dtype);
		tensor_free(&x);
		tensor_free(&out);
	}
}

/* To nearest even; integers saturate, and take NaN for 0. */
static double converted(enum npuop_dtype from, enum npuop_dtype to, double x)
{
	static const double lows[] = { 0, 0, 0, INT32_MIN, INT8_MIN, 0, INT16_MIN };
	static const double highs[] = { 0, 0, 0, INT32_MAX, INT8_MAX, UINT8_MAX, INT16_MAX };

	if (is_float(to))
		return round_to(to, is_float(from) ? x : (double)(float)x);
	if (isnan(x))
		return 0;
	return fmin(fmax(nearbyint(x), lows[to]), highs[to]);
}

static void test_types(void)
{
	static const double specials[] = {
		NAN, INFINITY, -INFINITY, -0.0, 1e9, -1e9, 3e9, 0.5, 2.5
	};

	for (unsigned int round = 0; round < COUNT(types) * COUNT(types) * 2; round++) {
		const enum npuop_dtype from = types[round % COUNT(types)];
		const enum npuop_dtype to = types[round / COUNT(types) % COUNT(types)];
		uint64_t shape[NPUOP_MAX_RANK];
		npuop_tensor x, out;
		uint32_t rank;
		double *want;

		random_shape(&rank, shape);
		x = tensor_view(from, rank, shape, true);
		out = tensor_view(to, rank, shape, false);
		want = malloc((npuop_tensor_elements(&x) + 1) * sizeof(*want));
		for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++) {
			double value = rnd_uniform() * (rnd_below(2) ? 200 : 70000);

			if (!is_float(from))
				value = (double)(int32_t)rnd();
			else if (!rnd_below(4))
				value = specials[rnd_below(COUNT(specials))];
			tensor_set(&x, i, value);
		}
		for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++)
			want[i] = converted(from, to, tensor_get(&x, i));
		NEED(npuop_copy(fx.ops, &x, &out));
		sync_stream();
		close_to(&out, want, 0, 0, "copy of type %d to %d, rank %u", from, to, rank);
		free(want);
		tensor_free(&x);
		tensor_free(&out);
	}
}

/* Windows that slide over a vector, by one and by three: elements are in several places. */
static void test_windows(void)
{
	for (uint64_t step = 1; step <= 3; step += 2) {
		npuop_tensor all = tensor_random(NPUOP_F32, SHAPE(1000));
		npuop_tensor out = tensor_new(NPUOP_F32, SHAPE(300, 90)), x = all, turned;

		x.rank = 2;
		x.shape[0] = 300;
		x.stride[0] = step;
		x.shape[1] = 90;
		x.stride[1] = 1;
		NEED(npuop_copy(fx.ops, &x, &out));
		sync_stream();
		ok(same_bits(&x, &out), "windows by %llu", (unsigned long long)step);
		turned = npuop_tensor_transpose(&x, 0, 1);
		out = npuop_tensor_reshape(&out, SHAPE(90, 300));
		NEED(npuop_copy(fx.ops, &turned, &out));
		sync_stream();
		ok(same_bits(&turned, &out), "their transposed");
		tensor_free(&all);
		tensor_free(&out);
	}
}

/* Two tensors side by side. */
static void test_concatenate(void)
{
	npuop_tensor a = tensor_random(NPUOP_F16, SHAPE(50, 13)),
		     b = tensor_random(NPUOP_F16, SHAPE(50, 70));
	npuop_tensor out = tensor_new(NPUOP_F16, SHAPE(50, 83));
	const npuop_tensor left = npuop_tensor_slice(&out, 1, 0, 13);
	const npuop_tensor right = npuop_tensor_slice(&out, 1, 13, 70);

	NEED(npuop_copy(fx.ops, &a, &left));
	NEED(npuop_copy(fx.ops, &b, &right));
	sync_stream();
	ok(same_bits(&a, &left) && same_bits(&b, &right), "two copies make one tensor");
	tensor_free(&a);
	tensor_free(&b);
	tensor_free(&out);
}

/* An operand that lies the other way goes through the workspace, or by elements if it is too large. */
static void test_turned(void)
{
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(90, 301)),
		     y = tensor_random(NPUOP_F32, SHAPE(301, 90));
	npuop_tensor row = tensor_random(NPUOP_F32, SHAPE(301, 1, 40)),
		     out = tensor_new(NPUOP_F32, SHAPE(40, 90, 301));
	const npuop_tensor turned = npuop_tensor_transpose(&y, 0, 1);
	const npuop_tensor turned_row = npuop_tensor_transpose(&row, 0, 2);
	npuop_tensor flat = npuop_tensor_slice(&out, 0, 0, 1);
	double *want = malloc(npuop_tensor_elements(&out) * sizeof(*want));

	flat = npuop_tensor_reshape(&flat, SHAPE(90, 301));
	for (uint64_t i = 0; i < 90 * 301; i++)
		want[i] = (double)(float)(tensor_get(&x, i) + tensor_get(&turned, i));
	NEED(npuop_binary(fx.ops, NPUOP_ADD, &x, &turned, &flat));
	sync_stream();
	close_to(&flat, want, 0, 0, "an operand that is transposed");
	for (uint64_t i = 0; i < npuop_tensor_elements(&out); i++)
		want[i] = (double)(float)(tensor_get(&turned, i % (90 * 301)) *
					  tensor_get(&turned_row, i / (90 * 301) * 301 + i % 301));
	NEED(npuop_binary(fx.ops, NPUOP_MUL, &turned, &turned_row, &out));
	sync_stream();
	close_to(&out, want, 0, 0, "two that are, and repeated");
	free(want);
	tensor_free(&x);
	tensor_free(&y);
	tensor_free(&row);
	tensor_free(&out);
}

/* Strides by which the last element is 2^59 from the first, whose bits 64 bits do not count. */
static void test_far(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(2)),
		     out = tensor_new(NPUOP_F32, SHAPE(2, 1001));

	x.rank = 2;
	x.shape[1] = 1001;
	x.stride[0] = (1ULL << 59) - 1000;
	x.stride[1] = 1;
	REFUSED(npuop_copy(fx.ops, &x, &out), "x");
	x.shape[0] = 1;
	REFUSED(npuop_copy(fx.ops, &x, &out), "x");
	tensor_free(&x);
	tensor_free(&out);
}

/* Views of what is no tensor are none. */
static void test_views(void)
{
	npuop_tensor x = tensor_new(NPUOP_S4, SHAPE(4, 4)), no = x;
	npuop_tensor view = npuop_tensor_slice(&x, 1, 1, 2);

	REFUSED(npuop_copy(fx.ops, &view, &view), "out");
	no.rank = 100;
	view = npuop_tensor_transpose(&no, 60, 70);
	REFUSED(npuop_copy(fx.ops, &view, &view), "out");
	view = npuop_tensor_slice(&no, 60, 0, 0);
	REFUSED(npuop_copy(fx.ops, &view, &view), "out");
	view = npuop_tensor_reshape(&no, SHAPE(16));
	REFUSED(npuop_copy(fx.ops, &view, &view), "out");
	ok(view.dtype > 31 && npuop_tensor_slice(&x, 1, 2, 2).dtype == NPUOP_S4, "even ones are");
	tensor_free(&x);
}

int main(void)
{
	op_begin();
	test_bits();
	test_transpose();
	test_types();
	test_windows();
	test_concatenate();
	test_turned();
	test_far();
	test_views();
	return op_end();
}

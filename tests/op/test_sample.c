// SPDX-License-Identifier: MIT
/*
 * top_k, which is exact, and sampling: which elements are chosen never is exact, as weights are
 * rounded, so the counts of many draws are held against the probabilities.
 */
#include "op_test.h"

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

static bool before(const double *x, uint64_t a, uint64_t b)
{
	if (isnan(x[a]) || isnan(x[b]))
		return isnan(x[a]) && (!isnan(x[b]) || a < b);
	return x[a] != x[b] ? x[a] > x[b] : a < b;
}

/* Columns in descending order; of equals the first one first. */
static void order(const double *x, uint64_t n, uint64_t k, uint64_t *out)
{
	bool *taken = calloc(n, sizeof(*taken));

	for (uint64_t i = 0; i < k; i++) {
		uint64_t best = n;

		for (uint64_t c = 0; c < n; c++)
			if (!taken[c] && (best == n || before(x, c, best)))
				best = c;
		taken[best] = true;
		out[i] = best;
	}
	free(taken);
}

static void test_top_k(uint32_t round)
{
	static const uint64_t widths[] = { 1, 5, 64, 300, 16384, 16385, 40000 };
	const uint64_t cols = widths[round % COUNT(widths)], rows = 1 + rnd_below(3);
	const uint64_t k = 1 + rnd_below(cols < 50 ? cols : 50);
	npuop_tensor x = tensor_any(types[round % 3], SHAPE(rows, cols));
	npuop_tensor value = tensor_any(x.dtype, SHAPE(rows, k));
	npuop_tensor index = tensor_any(NPUOP_S32, SHAPE(rows, k));
	npuop_tensor copy = tensor_new(x.dtype, SHAPE(rows, k));
	double *v, *want = numbers(rows * k), *want_index = numbers(rows * k);
	uint64_t places[50];

	for (uint64_t i = 0; i < rows * cols / 2; i++)
		tensor_set(&x, rnd_below(rows * cols), (double)rnd_below(3) - 1);
	if (round % 2) {
		static const double specials[] = { NAN, -NAN, INFINITY, -INFINITY, -0.0, 0, 1e-40 };

		for (int i = 0; i < 10; i++)
			tensor_set(&x, rnd_below(rows * cols),
				   specials[rnd_below(COUNT(specials))]);
	}
	v = tensor_values(&x);
	for (uint64_t r = 0; r < rows; r++) {
		order(v + r * cols, cols, k, places);
		for (uint64_t i = 0; i < k; i++) {
			want_index[r * k + i] = (double)places[i];
			want[r * k + i] = v[r * cols + places[i]];
			tensor_set(&copy, r * k + i, want[r * k + i]);
		}
	}
	NEED(npuop_top_k(fx.ops, &x, &value, &index));
	sync_stream();
	close_to(&value, want, 0, 0, "top %llu of %llu", (unsigned long long)k,
		 (unsigned long long)cols);
	close_to(&index, want_index, 0, 0, "their columns");
	ok(same_bits(&value, &copy), "and their signs");
	free(v);
	free(want);
	free(want_index);
	tensor_free(&x);
	tensor_free(&value);
	tensor_free(&index);
	tensor_free(&copy);
}

/* Probabilities of the columns as npuop_sample() has them. */
static void probabilities(const double *x, uint64_t n, const npuop_sample_attr *attr, double *p)
{
	uint64_t *places = malloc(n * sizeof(*places)), kept = attr->top_k ? attr->top_k : n;
	double sum = 0, part = 0;

	order(x, n, n, places);
	kept = kept < n ? kept : n;
	for (uint64_t i = 0; i < n; i++)
		p[i] = 0;
	for (uint64_t i = 0; i < kept; i++)
		sum += p[places[i]] = exp((x[places[i]] - x[places[0]]) / attr->temperature);
	for (uint64_t i = 0; i < kept && attr->top_p > 0; i++) {
		part += p[places[i]];
		if (part >= attr->top_p * sum)
			kept = i + 1;
	}
	sum = 0;
	for (uint64_t i = 0; i < kept; i++)
		sum += p[places[i]];
	for (uint64_t i = 0; i < n; i++)
		p[places[i]] = i < kept ? p[places[i]] / sum : 0;
	free(places);
}

/*
 * Draws of a distribution, as rows that are one. Some classes but the first are masked. What
 * cannot be drawn is not, and the empirical
 * distribution is nowhere farther than 2.6 / sqrt(n) from the true one, which Kolmogorov's
 * bound 2 exp(-2 2.6^2) gives to one in 370000 right generators.
 */
static void check_draws(const npuop_sample_attr *attr, uint64_t draws, uint64_t cols,
			const char *what)
{
	npuop_tensor row = tensor_any(NPUOP_F32, SHAPE(1, cols)), x = row;
	npuop_tensor index = tensor_any(NPUOP_S32, SHAPE(draws));
	double *v, *p = numbers(cols), *count = numbers(cols), drawn = 0, due = 0;
	bool pass = true;

	for (uint64_t c = 0; c < cols; c++)
		tensor_set(&row, c, c && !rnd_below(8) ? -INFINITY : (double)rnd_below(64) / 16);
	v = tensor_values(&row);
	x.shape[0] = draws;
	x.stride[0] = 0;
	probabilities(v, cols, attr, p);
	NEED(npuop_sample(fx.ops, attr, &x, &index));
	sync_stream();
	for (uint64_t i = 0; i < draws; i++)
		count[(uint64_t)tensor_get(&index, i) % cols]++;
	for (uint64_t c = 0; c < cols; c++) {
		drawn += count[c] / (double)draws;
		due += p[c];
		pass = pass && (p[c] > 0 || count[c] == 0);
		pass = pass && fabs(drawn - due) <= 2.6 / sqrt((double)draws);
	}
	ok(pass, "draws of %llu classes: %s", (unsigned long long)cols, what);
	free(v);
	free(p);
	free(count);
	tensor_free(&row);
	tensor_free(&index);
}

static npuop_sample_attr attr_of(float temperature, uint32_t top_k, float top_p)
{
	return (npuop_sample_attr){
		.size = sizeof(npuop_sample_attr),
		.temperature = temperature,
		.top_k = top_k,
		.top_p = top_p,
		.random = { .size = sizeof(npuop_random_attr), .seed = 1234 },
	};
}

static void test_draws(void)
{
	const uint64_t n = ROUNDS * 50;
	npuop_sample_attr attr = attr_of(1, 0, 0);

	check_draws(&attr, n, 1, "one class");
	check_draws(&attr, n, 20, "all");
	check_draws(&attr, n / 20, 13000, "in pieces");
	attr = attr_of(0.5f, 7, 0);
	check_draws(&attr, n, 50, "the 7 greatest, of which some are equal");
	attr = attr_of(2, 0, 0.6f);
	check_draws(&attr, n, 50, "the greatest with 0.6 of all");
	attr = attr_of(1.5f, 10, 0.7f);
	check_draws(&attr, n, 300, "both");
}

/* Equal numbers for an equal seed and counter, others for others; control adds to the counter. */
static void test_counter(void)
{
	npuop_tensor x = tensor_random(NPUOP_F16, SHAPE(64, 200));
	npuop_tensor control = tensor_new(NPUOP_S32, SHAPE(1));
	npuop_tensor out[4];
	npuop_sample_attr attr = attr_of(1, 0, 0);

	tensor_set(&control, 0, 3);
	for (int i = 0; i < 4; i++) {
		out[i] = tensor_new(NPUOP_S32, SHAPE(64));
		attr.random.counter = i == 1 ? 5 : i == 2 ? 2 : 5 - (i == 3) * 5;
		attr.random.control = i == 2 ? &control : NULL;
		if (i == 0)
			attr.random.counter = 5;
		NEED(npuop_sample(fx.ops, &attr, &x, &out[i]));
	}
	sync_stream();
	ok(same_bits(&out[0], &out[1]), "the same counter, the same choice");
	ok(same_bits(&out[0], &out[2]), "control adds to the counter");
	ok(!same_bits(&out[0], &out[3]), "another counter, another choice");
	for (int i = 0; i < 4; i++)
		tensor_free(&out[i]);
	tensor_free(&x);
	tensor_free(&control);
}

static void test_greatest(enum npuop_dtype dtype)
{
	npuop_tensor x = tensor_random(dtype, SHAPE(7, 30000)),
		     index = tensor_new(NPUOP_S32, SHAPE(7));
	const npuop_sample_attr attr = attr_of(0, 0, 0), warm = attr_of(1, 0, 0);
	const double want[] = { 29000, 100, 200, 0, 400, 25000, 500 }, odd[] = { 200, 0, 400 };
	npuop_tensor rows = npuop_tensor_slice(&x, 0, 2, 3),
		     places = npuop_tensor_slice(&index, 0, 2, 3);

	tensor_set(&x, 29000, 2);
	tensor_set(&x, 30000 + 100, 3);
	tensor_set(&x, 30000 + 20000, 3);
	tensor_set(&x, 60000 + 200, NAN);
	for (uint64_t c = 0; c < 30000; c++)
		tensor_set(&x, 90000 + c, -INFINITY);
	tensor_set(&x, 120000 + 400, INFINITY);
	tensor_set(&x, 120000 + 500, INFINITY);
	/* Among negative numbers a denormal, and zeros, which are equal. */
	for (uint64_t c = 0; c < 60000; c++)
		tensor_set(&x, 150000 + c, -1);
	tensor_set(&x, 150000 + 3, -0.0);
	tensor_set(&x, 150000 + 25000, dtype == NPUOP_F16 ? 0x1p-24 : 0x1p-133);
	tensor_set(&x, 180000 + 500, -0.0);
	tensor_set(&x, 180000 + 600, 0);
	NEED(npuop_sample(fx.ops, &attr, &x, &index));
	sync_stream();
	close_to(&index, want, 0, 0, "temperature 0: the first of the greatest");
	NEED(npuop_sample(fx.ops, &warm, &rows, &places));
	sync_stream();
	close_to(&places, odd, 0, 0, "NaN, no finite logit, an infinite one");
	tensor_free(&x);
	tensor_free(&index);
}

/* The greatest of no columns, none of some, and no rows. */
static void test_empty(void)
{
	npuop_tensor x = tensor_new(NPUOP_F16, SHAPE(4, 6)),
		     none = tensor_new(NPUOP_F16, SHAPE(4, 0));
	npuop_tensor one = tensor_new(NPUOP_F16, SHAPE(4, 1));
	npuop_tensor no_rows = tensor_new(NPUOP_F16, SHAPE(0, 6));
	npuop_tensor index = tensor_new(NPUOP_S32, SHAPE(4, 1)),
		     no_index = tensor_new(NPUOP_S32, SHAPE(4, 0)),
		     index_of_none = tensor_new(NPUOP_S32, SHAPE(0, 6));
	const npuop_tensor places = npuop_tensor_reshape(&index, SHAPE(4));
	const npuop_tensor no_places = npuop_tensor_slice(&places, 0, 0, 0);
	const npuop_sample_attr attr = attr_of(1, 0, 0);
	npuop_tensor no_values = tensor_new(NPUOP_F16, SHAPE(0, 6));

	ok(!npuop_top_k(fx.ops, &x, &none, &no_index), "the greatest 0");
	ok(!npuop_top_k(fx.ops, &one, &none, &no_index), "the greatest 0 of 1");
	ok(!npuop_top_k(fx.ops, &none, &none, &no_index), "the greatest 0 of 0");
	REFUSED(npuop_top_k(fx.ops, &none, &one, &index), "values: 1 of rows of 0");
	ok(!npuop_top_k(fx.ops, &no_rows, &no_values, &index_of_none), "the greatest of no rows");
	ok(!npuop_sample(fx.ops, &attr, &no_rows, &no_places), "a choice for no rows");
	REFUSED(npuop_sample(fx.ops, &attr, &none, &places), "logits: no classes");
	sync_stream();
	tensor_free(&x);
	tensor_free(&none);
	tensor_free(&one);
	tensor_free(&no_rows);
	tensor_free(&index);
	tensor_free(&no_index);
	tensor_free(&index_of_none);
	tensor_free(&no_values);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(4, 6)),
		     index = tensor_new(NPUOP_S32, SHAPE(4));
	npuop_tensor v = tensor_new(NPUOP_F32, SHAPE(4, 7)), i = tensor_new(NPUOP_S32, SHAPE(4, 7));
	const npuop_tensor one = npuop_tensor_slice(&index, 0, 1, 1);
	npuop_sample_attr attr = attr_of(-1, 0, 0);

	REFUSED(npuop_top_k(fx.ops, &x, &v, &i), "values: 7 of rows of 6");
	REFUSED(npuop_top_k(fx.ops, &x, &v, &index), "index: shape");
	REFUSED(npuop_top_k(fx.ops, &i, &v, &i), "x: S32");
	REFUSED(npuop_sample(fx.ops, &attr, &x, &index), "temperature");
	attr = attr_of(1, 0, 1.5f);
	REFUSED(npuop_sample(fx.ops, &attr, &x, &index), "top_p");
	attr = attr_of(1, 0, 0);
	REFUSED(npuop_sample(fx.ops, &attr, &x, &i), "index: shape");
	attr.random.control = &i;
	REFUSED(npuop_sample(fx.ops, &attr, &x, &index), "control: shape");
	attr.random.control = &one;
	REFUSED(npuop_sample(fx.ops, &attr, &x, &index), "index lies over control");
	attr.random.control = NULL;
	attr.random.flags = 2;
	REFUSED(npuop_sample(fx.ops, &attr, &x, &index), "random.flags");
	tensor_free(&x);
	tensor_free(&index);
	tensor_free(&v);
	tensor_free(&i);
}

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++)
		test_top_k(i);
	test_draws();
	test_counter();
	for (size_t i = 0; i < COUNT(types); i++)
		test_greatest(types[i]);
	test_empty();
	test_refused();
	return op_end();
}

// SPDX-License-Identifier: MIT
/*
 * Softmax, layer and RMS norm, with their backwards, against plain C in double precision.
 *
 * Tolerances: results are rounded once to their type, half a unit in the last place (u): 2^-24 of
 * F32, 2^-11 of F16, 2^-8 of BF16, relative to the result. Before that, arithmetic in fp32: a
 * sum of n terms in 64 lanes has an error of at most (n / 64 + 6) 2^-24 of the sum of magnitudes,
 * and a handful of operations add 2^-24 each. With n up to 20000 that is below 400 * 2^-24 =
 * 2.4e-5 of the greatest term, and in practice a hundredth of it.
 */
#include "op_test.h"

struct shape {
	uint32_t rank;
	uint64_t dim[4];
};

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

static double unit(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F32 ? 0x1p-24 : dtype == NPUOP_F16 ? 0x1p-11 : 0x1p-8;
}

/* Half of the least denormal of F16; those of the others do not matter. */
static double tiny(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F16 ? 0x1p-25 : 0;
}

static struct shape random_shape(uint32_t round)
{
	static const uint64_t cols[] = { 1,   2,   7,	 8,    31,   64,   100,	 129,
					 256, 768, 3520, 3521, 5504, 5505, 7000, 20000 };
	const uint64_t width = cols[round % COUNT(cols)];
	struct shape s = { .rank = 1 + (uint32_t)rnd_below(4) };

	/* The workspace has room for copies of all operands. */
	for (uint32_t i = 0; i + 1 < s.rank; i++)
		s.dim[i] = 1 + rnd_below(width > 1000 ? 4 : 9);
	s.dim[s.rank - 1] = width;
	return s;
}

/*
 * A view with the shape of @s: dense, or with gaps in the first dimension, or with the first or
 * last two of another order in memory. @whole is what to free.
 */
static npuop_tensor view_of(enum npuop_dtype dtype, const struct shape *s, npuop_tensor *whole)
{
	uint64_t shape[NPUOP_MAX_RANK];
	const uint64_t how = rnd_below(4);

	memcpy(shape, s->dim, sizeof(s->dim));
	if (how == 1 && s->rank > 1) {
		shape[0] += 2;
		shape[s->rank - 1] += 3;
		*whole = tensor_random(dtype, s->rank, shape);
		const npuop_tensor part = npuop_tensor_slice(whole, 0, 1, s->dim[0]);

		return npuop_tensor_slice(&part, s->rank - 1, 2, s->dim[s->rank - 1]);
	}
	if (how == 2 && s->rank > 2) {
		shape[0] = s->dim[1];
		shape[1] = s->dim[0];
		*whole = tensor_random(dtype, s->rank, shape);
		return npuop_tensor_transpose(whole, 0, 1);
	}
	if (how == 3 && s->rank > 1) {
		shape[s->rank - 2] = s->dim[s->rank - 1];
		shape[s->rank - 1] = s->dim[s->rank - 2];
		*whole = tensor_random(dtype, s->rank, shape);
		return npuop_tensor_transpose(whole, s->rank - 2, s->rank - 1);
	}
	*whole = tensor_random(dtype, s->rank, shape);
	return *whole;
}

static void ref_softmax(const double *x, uint64_t rows, uint64_t cols, bool log, double *out)
{
	for (uint64_t r = 0; r < rows; r++, x += cols, out += cols) {
		double max = -INFINITY, sum = 0;

		for (uint64_t c = 0; c < cols; c++)
			max = x[c] > max || isnan(x[c]) ? x[c] : max;
		for (uint64_t c = 0; c < cols; c++)
			sum += exp(x[c] - max);
		for (uint64_t c = 0; c < cols; c++)
			out[c] = log ? x[c] - max - (double)logl(sum) : exp(x[c] - max) / sum;
	}
}

static void test_softmax(uint32_t round)
{
	const enum npuop_dtype dtype = types[round % 3];
	const struct shape s = random_shape(round);
	const bool log = rnd_below(2);
	npuop_tensor x_whole, out_whole;
	npuop_tensor x = view_of(dtype, &s, &x_whole), out = view_of(dtype, &s, &out_whole);
	const uint64_t n = npuop_tensor_elements(&x), cols = s.dim[s.rank - 1];
	double *in, *want = numbers(n);

	for (uint64_t i = 0; i < n; i++)
		tensor_set(&x, i, rnd_uniform() * 8);
	in = tensor_values(&x);
	ref_softmax(in, n / cols, cols, log, want);
	NEED(npuop_softmax(fx.ops, &x, log, &out));
	sync_stream();
	/* exp, sum, reciprocal and product: the sum's error is relative, all terms are positive */
	close_to(&out, want, tiny(dtype) + (log ? 1e-5 : 1e-8), (log ? 2e-7 : 1e-5) + unit(dtype),
		 "softmax%s, %llu of %llu", log ? " log" : "", (unsigned long long)(n / cols),
		 (unsigned long long)cols);
	free(in);
	free(want);
	tensor_free(&x_whole);
	tensor_free(&out_whole);
}

/* A few elements become what random ones never are; none so large that its square overflows. */
static void add_specials(const npuop_tensor *t)
{
	static const double specials[] = { INFINITY, -INFINITY, NAN, 0, -0.0, 1e-40, -1e-40 };
	const uint64_t count = npuop_tensor_elements(t);

	for (uint64_t i = 1 + rnd_below(4); i--;)
		tensor_set(t, rnd_below(count), specials[rnd_below(COUNT(specials))]);
}

static void test_softmax_backward(uint32_t round)
{
	const enum npuop_dtype dtype = types[round % 3];
	const struct shape s = random_shape(round);
	npuop_tensor y_whole, grad_whole, out_whole;
	npuop_tensor y = view_of(dtype, &s, &y_whole), grad = view_of(dtype, &s, &grad_whole);
	npuop_tensor out = view_of(dtype, &s, &out_whole);
	const uint64_t n = npuop_tensor_elements(&y), cols = s.dim[s.rank - 1];
	double *p, *g, *want = numbers(n), *bound = numbers(n);

	for (uint64_t i = 0; i < n; i++)
		tensor_set(&y, i, (rnd_uniform() + 1) / (double)cols);
	if (round % 2) {
		add_specials(&y);
		add_specials(&grad);
	}
	p = tensor_values(&y);
	g = tensor_values(&grad);
	for (uint64_t r = 0; r < n; r += cols) {
		double sum = 0, most = 0;

		for (uint64_t c = r; c < r + cols; c++) {
			sum += p[c] * g[c];
			most = fmax(most, fabs(g[c]));
		}
		for (uint64_t c = r; c < r + cols; c++) {
			want[c] = p[c] * (g[c] - sum);
			bound[c] = 1e-5 * fabs(p[c]) * most + ulp(dtype, want[c]) / 2;
		}
	}
	NEED(npuop_softmax_backward(fx.ops, &y, &grad, &out));
	sync_stream();
	within(&out, want, bound, "softmax backward, %llu of %llu%s",
	       (unsigned long long)(n / cols), (unsigned long long)cols,
	       round % 2 ? ", with special values" : "");
	free(p);
	free(g);
	free(want);
	free(bound);
	tensor_free(&y_whole);
	tensor_free(&grad_whole);
	tensor_free(&out_whole);
}

/* A norm with its operands, and what plain C makes of them. */
struct norm {
	enum npuop_dtype dtype, weight_dtype;
	bool rms, weights;
	uint64_t rows, cols;
	npuop_tensor x_whole, out_whole, grad_whole, dx_whole;
	npuop_tensor x, out, grad, dx, gamma, beta, mean, rstd, dgamma, dbeta;
	double *xv, *gv, *gammav, *betav, *meanv, *rstdv;
};

#define EPS 1e-3

static void norm_new(struct norm *n, uint32_t round, bool special)
{
	const struct shape s = random_shape(round);

	memset(n, 0, sizeof(*n));
	n->dtype = types[round % 3];
	n->weight_dtype = rnd_below(2) ? n->dtype : NPUOP_F32;
	n->rms = rnd_below(2);
	n->weights = rnd_below(4) != 0;
	n->x = view_of(n->dtype, &s, &n->x_whole);
	n->out = view_of(n->dtype, &s, &n->out_whole);
	n->grad = view_of(n->dtype, &s, &n->grad_whole);
	n->dx = view_of(n->dtype, &s, &n->dx_whole);
	n->cols = s.dim[s.rank - 1];
	n->rows = npuop_tensor_elements(&n->x) / n->cols;
	n->gamma = tensor_random(n->weight_dtype, 1, &n->cols);
	n->beta = tensor_random(n->weight_dtype, 1, &n->cols);
	n->dgamma = tensor_random(NPUOP_F32, 1, &n->cols);
	n->dbeta = tensor_random(NPUOP_F32, 1, &n->cols);
	n->mean = tensor_new(NPUOP_F32, s.rank - 1, s.dim);
	n->rstd = tensor_new(NPUOP_F32, s.rank - 1, s.dim);
	if (special) {
		add_specials(&n->x);
		add_specials(&n->grad);
		add_specials(&n->gamma);
	}
	n->xv = tensor_values(&n->x);
	n->gv = tensor_values(&n->grad);
	n->gammav = tensor_values(&n->gamma);
	n->betav = tensor_values(&n->beta);
	n->meanv = numbers(n->rows);
	n->rstdv = numbers(n->rows);
	for (uint64_t c = 0; !n->weights && c < n->cols; c++) {
		n->gammav[c] = 1;
		n->betav[c] = 0;
	}
}

static void norm_free(struct norm *n)
{
	npuop_tensor *const tensors[] = { &n->x_whole, &n->out_whole, &n->grad_whole, &n->dx_whole,
					  &n->gamma,   &n->beta,      &n->mean,	      &n->rstd,
					  &n->dgamma,  &n->dbeta };
	double *const arrays[] = { n->xv, n->gv, n->gammav, n->betav, n->meanv, n->rstdv };

	for (size_t i = 0; i < COUNT(tensors); i++)
		tensor_free(tensors[i]);
	for (size_t i = 0; i < COUNT(arrays); i++)
		free(arrays[i]);
}

static int norm_forward(struct norm *n)
{
	const npuop_tensor *gamma = n->weights ? &n->gamma : NULL;

	if (n->rms)
		return npuop_rms_norm(fx.ops, &n->x, gamma, EPS, &n->out, &n->rstd);
	return npuop_layer_norm(fx.ops, &n->x, gamma, n->weights ? &n->beta : NULL, EPS, &n->out,
				&n->mean, &n->rstd);
}

static int norm_backward(struct norm *n)
{
	const npuop_tensor *gamma = n->weights ? &n->gamma : NULL;

	if (n->rms)
		return npuop_rms_norm_backward(fx.ops, &n->x, gamma, &n->rstd, &n->grad, &n->dx,
					       &n->dgamma);
	return npuop_layer_norm_backward(fx.ops, &n->x, gamma, &n->mean, &n->rstd, &n->grad, &n->dx,
					 &n->dgamma, &n->dbeta);
}

static void check_forward(struct norm *n)
{
	double *want = numbers(n->rows * n->cols);

	for (uint64_t r = 0; r < n->rows; r++) {
		const double *x = n->xv + r * n->cols;
		double mean = 0, var = 0;

		for (uint64_t c = 0; c < n->cols && !n->rms; c++)
			mean += x[c] / (double)n->cols;
		for (uint64_t c = 0; c < n->cols; c++)
			var += (x[c] - mean) * (x[c] - mean) / (double)n->cols;
		n->meanv[r] = mean;
		n->rstdv[r] = 1 / sqrt(var + EPS);
		for (uint64_t c = 0; c < n->cols; c++)
			want[r * n->cols + c] = (x[c] - mean) * n->rstdv[r] * n->gammav[c] +
						(n->rms ? 0 : n->betav[c]);
	}
	/* values up to about 2, rstd up to 32; x - mean is exact to 2^-24 of x, times rstd */
	close_to(&n->out, want, 2e-5, unit(n->dtype), "%s norm, %llu of %llu",
		 n->rms ? "rms" : "layer", (unsigned long long)n->rows,
		 (unsigned long long)n->cols);
	if (!n->rms)
		close_to(&n->mean, n->meanv, 1e-6, 0, "its mean");
	close_to(&n->rstd, n->rstdv, 0, 1e-5, "its rstd");
	free(want);
}

static void check_backward(struct norm *n)
{
	double *want = numbers(n->rows * n->cols), *dgamma = numbers(n->cols);
	double *dbeta = numbers(n->cols);

	for (uint64_t r = 0; r < n->rows; r++) {
		const double *x = n->xv + r * n->cols, *g = n->gv + r * n->cols;
		double *dx = want + r * n->cols, a = 0, b = 0;

		for (uint64_t c = 0; c < n->cols; c++) {
			const double xhat = (x[c] - n->meanv[r]) * n->rstdv[r];

			a += n->rms ? 0 : g[c] * n->gammav[c] / (double)n->cols;
			b += g[c] * n->gammav[c] * xhat / (double)n->cols;
			dgamma[c] += g[c] * xhat;
			dbeta[c] += g[c];
		}
		for (uint64_t c = 0; c < n->cols; c++)
			dx[c] = (g[c] * n->gammav[c] - a - (x[c] - n->meanv[r]) * n->rstdv[r] * b) *
				n->rstdv[r];
	}
	close_to(&n->dx, want, 1e-4, unit(n->dtype), "its backward");
	/* up to 729 rows, terms below 2 */
	close_to(&n->dgamma, dgamma, 2e-4, 0, "its gradient of gamma");
	if (!n->rms)
		close_to(&n->dbeta, dbeta, 1e-4, 0, "its gradient of beta");
	free(want);
	free(dgamma);
	free(dbeta);
}

static void test_norm(uint32_t round, bool special)
{
	struct norm n;

	norm_new(&n, round, special);
	NEED(norm_forward(&n));
	NEED(norm_backward(&n));
	sync_stream();
	check_forward(&n);
	check_backward(&n);
	norm_free(&n);
}

/* In place, and the sum over many rows. */
static void test_in_place(void)
{
	struct norm n;
	double *want;
	npuop_tensor y = tensor_random(NPUOP_F32, SHAPE(300, 40));
	npuop_tensor copy = tensor_new(NPUOP_F32, SHAPE(300, 40));

	for (uint64_t i = 0; i < 300 * 40; i++)
		tensor_set(&copy, i, tensor_get(&y, i));
	NEED(npuop_softmax(fx.ops, &copy, 0, &copy));
	want = numbers(300 * 40);
	double *v = tensor_values(&y);

	ref_softmax(v, 300, 40, false, want);
	sync_stream();
	close_to(&copy, want, 1e-8, 1e-5, "softmax in place");
	free(v);
	free(want);
	tensor_free(&y);
	tensor_free(&copy);

	memset(&n, 0, sizeof(n));
	do {
		if (n.cols)
			norm_free(&n);
		norm_new(&n, 8, false);
	} while (n.rms || n.rows < 40);
	NEED(npuop_layer_norm(fx.ops, &n.x, NULL, NULL, EPS, &n.x, NULL, NULL));
	sync_stream();
	n.weights = false;
	for (uint64_t c = 0; c < n.cols; c++) {
		n.gammav[c] = 1;
		n.betav[c] = 0;
	}
	NEED(npuop_layer_norm(fx.ops, &n.grad, NULL, NULL, EPS, &n.out, &n.mean, &n.rstd));
	free(n.xv);
	n.xv = tensor_values(&n.grad);
	sync_stream();
	check_forward(&n);
	norm_free(&n);
}

static void test_edges(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(6, 10)),
		     out = tensor_new(NPUOP_F32, SHAPE(6, 10));
	npuop_tensor none = tensor_new(NPUOP_F32, SHAPE(4, 0));
	npuop_tensor scalar = tensor_random(NPUOP_F16, 0, NULL);
	npuop_tensor no_rows = tensor_new(NPUOP_F32, SHAPE(0, 10));
	npuop_tensor stats = tensor_new(NPUOP_F32, SHAPE(0)),
		     sums = tensor_random(NPUOP_F32, SHAPE(10));
	double *v, *want = numbers(60), one = 1;

	for (uint64_t i = 0; i < 60; i++)
		tensor_set(&x, i, (double)i / 7);
	tensor_set(&x, 3, -INFINITY);
	tensor_set(&x, 14, NAN);
	tensor_set(&x, 25, INFINITY);
	for (uint64_t i = 30; i < 40; i++)
		tensor_set(&x, i, -INFINITY);
	for (uint64_t i = 40; i < 50; i++)
		tensor_set(&x, i, i == 45 ? 1e-40 : -0.0);
	for (uint64_t i = 50; i < 60; i++)
		tensor_set(&x, i, i == 55 ? 3e38 : -3e38);
	v = tensor_values(&x);
	for (int log = 0; log < 2; log++) {
		ref_softmax(v, 6, 10, log, want);
		for (uint64_t i = 0; i < 60; i++) /* -6e38 is -inf */
			want[i] = (float)want[i];
		NEED(npuop_softmax(fx.ops, &x, log, &out));
		sync_stream();
		close_to(&out, want, log ? 1e-5 : 1e-8, log ? 2e-7 : 1e-5,
			 "softmax%s of infinities, NaN and denormals", log ? " log" : "");
	}
	NEED(npuop_softmax(fx.ops, &none, 0, &none));
	NEED(npuop_softmax(fx.ops, &scalar, 0, &scalar));
	NEED(npuop_layer_norm_backward(fx.ops, &no_rows, NULL, &stats, &stats, &no_rows, &no_rows,
				       &sums, NULL));
	sync_stream();
	close_to(&scalar, &one, 0, 0, "softmax of a scalar");
	memset(want, 0, 10 * sizeof(*want));
	close_to(&sums, want, 0, 0, "the gradient of gamma over no rows");
	free(v);
	free(want);
	tensor_free(&x);
	tensor_free(&out);
	tensor_free(&none);
	tensor_free(&scalar);
	tensor_free(&no_rows);
	tensor_free(&stats);
	tensor_free(&sums);
}

/* The maximum of a row in pieces is that of all pieces. */
static void test_wide(void)
{
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(2, 20000));
	double *v, *want = numbers(2 * 20000);

	for (uint64_t i = 0; i < 10000; i++) {
		tensor_set(&x, i, -300);
		tensor_set(&x, 30000 + i, -300);
	}
	for (int log = 0; log < 2; log++) {
		v = tensor_values(&x);
		ref_softmax(v, 2, 20000, log, want);
		NEED(npuop_softmax(fx.ops, &x, log, &x));
		sync_stream();
		close_to(&x, want, log ? 1e-5 : 1e-8, log ? 2e-7 : 1e-5,
			 "softmax%s of pieces far apart", log ? " log" : "");
		free(v);
	}
	free(want);
	tensor_free(&x);
}

/* Squares that overflow, then sums too, and denormals, whose squares vanish beside eps. */
static void test_large(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(3, 4)), rstd = tensor_new(NPUOP_F32, SHAPE(3));
	npuop_tensor out = tensor_new(NPUOP_F32, SHAPE(3, 4));
	const double rows[] = { 1e20, 3e38, 1e-40 };

	for (int rms = 0; rms < 2; rms++) {
		const double many = rms ? 0 : NAN, small = rms ? rows[2] / sqrt(EPS) : 0;
		const double want[] = { 0,    0,    0,	   0,	  many,	 many,
					many, many, small, small, small, small };
		const double want_rstd[] = { 0, 0, 1 / sqrt(EPS) };

		for (uint64_t i = 0; i < 12; i++)
			tensor_set(&x, i, i / 4 ? rows[i / 4] : i % 4 ? 1 : rows[0]);
		if (rms)
			NEED(npuop_rms_norm(fx.ops, &x, NULL, EPS, &out, &rstd));
		else
			NEED(npuop_layer_norm(fx.ops, &x, NULL, NULL, EPS, &out, NULL, &rstd));
		sync_stream();
		close_to(&out, want, 0, 1e-4, "%s norm of large and small numbers",
			 rms ? "rms" : "layer");
		close_to(&rstd, want_rstd, 0, 1e-6, "its rstd");
	}
	tensor_free(&x);
	tensor_free(&rstd);
	tensor_free(&out);
}

/* Rows of no elements have no mean. */
static void test_empty_rows(void)
{
	const double nan[3] = { NAN, NAN, NAN };
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(3, 0));
	npuop_tensor mean = tensor_new(NPUOP_F32, SHAPE(3)), rstd = tensor_new(NPUOP_F32, SHAPE(3));

	NEED(npuop_layer_norm(fx.ops, &x, NULL, NULL, 1e-5f, &x, &mean, &rstd));
	sync_stream();
	close_to(&mean, nan, 0, 0, "mean of empty rows");
	close_to(&rstd, nan, 0, 0, "rstd of empty rows");
	tensor_free(&x);
	tensor_free(&mean);
	tensor_free(&rstd);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(4, 6)), y = tensor_new(NPUOP_F32, SHAPE(4, 5));
	npuop_tensor half = tensor_new(NPUOP_F16, SHAPE(4, 6)),
		     s = tensor_new(NPUOP_S32, SHAPE(4, 6));
	npuop_tensor stats = tensor_new(NPUOP_F32, SHAPE(4)),
		     big = tensor_new(NPUOP_F32, SHAPE(30));
	npuop_tensor large = tensor_new(NPUOP_F16, SHAPE(9 << 10, 1 << 10));
	const npuop_tensor turned = npuop_tensor_transpose(&large, 0, 1);
	npuop_tensor a = npuop_tensor_dense(big.memory, 0, NPUOP_F32, SHAPE(4, 6)), b = a;

	const npuop_tensor head = npuop_tensor_dense(big.memory, 0, NPUOP_F32, SHAPE(4));
	const npuop_tensor row = npuop_tensor_dense(big.memory, 0, NPUOP_F32, SHAPE(6));

	b.offset = 8;
	REFUSED(npuop_softmax(fx.ops, NULL, 0, &x), "x is NULL");
	REFUSED(npuop_softmax(fx.ops, &s, 0, &s), "x: S32");
	REFUSED(npuop_softmax(fx.ops, &x, 0, &y), "out: shape [4, 5], not [4, 6]");
	REFUSED(npuop_softmax(fx.ops, &x, 0, &half), "out: F16");
	REFUSED(npuop_softmax(fx.ops, &turned, 0, &turned), "workspace: it has 16777216 bytes");
	REFUSED(npuop_softmax(fx.ops, &a, 0, &b), "out lies over x");
	REFUSED(npuop_softmax_backward(fx.ops, &x, &y, &x), "grad: shape");
	REFUSED(npuop_layer_norm(fx.ops, &x, &stats, NULL, 0, &x, NULL, NULL), "gamma: shape");
	REFUSED(npuop_layer_norm(fx.ops, &x, NULL, NULL, 0, &x, &y, NULL), "mean: shape");
	REFUSED(npuop_layer_norm_backward(fx.ops, &x, NULL, NULL, &stats, &x, &x, NULL, NULL),
		"mean is NULL");
	REFUSED(npuop_rms_norm_backward(fx.ops, &x, NULL, &stats, &x, &x, &stats),
		"grad_gamma: shape");
	REFUSED(npuop_softmax(NULL, &x, 0, &x), "");
	REFUSED(npuop_layer_norm(fx.ops, &x, NULL, NULL, 0, &a, &stats, &stats),
		"rstd lies over mean");
	REFUSED(npuop_rms_norm(fx.ops, &x, NULL, 0, &a, &head), "rstd lies over out");
	REFUSED(npuop_rms_norm(fx.ops, &x, &row, 0, &a, NULL), "out lies over gamma");
	REFUSED(npuop_rms_norm_backward(fx.ops, &x, NULL, &head, &x, &a, NULL),
		"grad_x lies over rstd");
	REFUSED(npuop_rms_norm_backward(fx.ops, &x, NULL, &stats, &x, &a, &row),
		"grad_gamma lies over grad_x");
	REFUSED(npuop_layer_norm_backward(fx.ops, &x, NULL, &stats, &stats, &x, &x, &row, &row),
		"grad_beta lies over grad_gamma");
	tensor_free(&x);
	tensor_free(&y);
	tensor_free(&half);
	tensor_free(&s);
	tensor_free(&stats);
	tensor_free(&big);
	tensor_free(&large);
}

#ifdef OP_SHIM
/* The results of a norm and its backward do not depend on the number of blocks. */
static void test_blocks(void)
{
	static const uint32_t blocks[] = { 1, 5, 24 };
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(200, 129));
	npuop_tensor grad = tensor_random(NPUOP_F32, SHAPE(200, 129));
	npuop_tensor out[3], dx[3], dgamma[3], mean = tensor_new(NPUOP_F32, SHAPE(200));
	npuop_tensor rstd = tensor_new(NPUOP_F32, SHAPE(200));

	for (int i = 0; i < 3; i++) {
		out[i] = tensor_new(NPUOP_F32, SHAPE(200, 129));
		dx[i] = tensor_new(NPUOP_F32, SHAPE(200, 129));
		dgamma[i] = tensor_new(NPUOP_F32, SHAPE(129));
		shim_force_blocks(blocks[i]);
		NEED(npuop_layer_norm(fx.ops, &x, NULL, NULL, EPS, &out[i], &mean, &rstd));
		NEED(npuop_layer_norm_backward(fx.ops, &x, NULL, &mean, &rstd, &grad, &dx[i],
					       &dgamma[i], NULL));
		NEED(npuop_softmax(fx.ops, &out[i], 0, &out[i]));
	}
	shim_force_blocks(0);
	ok(same_bits(&out[0], &out[1]) && same_bits(&out[0], &out[2]), "any blocks: norm, softmax");
	ok(same_bits(&dx[0], &dx[1]) && same_bits(&dx[0], &dx[2]), "any blocks: backward");
	ok(same_bits(&dgamma[0], &dgamma[1]) && same_bits(&dgamma[0], &dgamma[2]),
	   "any blocks: gradient of gamma");
	for (int i = 0; i < 3; i++) {
		tensor_free(&out[i]);
		tensor_free(&dx[i]);
		tensor_free(&dgamma[i]);
	}
	tensor_free(&x);
	tensor_free(&grad);
	tensor_free(&mean);
	tensor_free(&rstd);
}
#endif

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		test_softmax(i);
		test_softmax_backward(i);
		test_norm(i, false);
		test_norm(i, true);
	}
	test_in_place();
	test_edges();
	test_wide();
	test_large();
	test_empty_rows();
	test_refused();
#ifdef OP_SHIM
	test_blocks();
#endif
	return op_end();
}

// SPDX-License-Identifier: MIT
/*
 * Cross entropy against plain C in double precision. Losses are differences of fp32 numbers of up
 * to about 20, so within a few 2^-20. Gradients have the relative error of the sum, 1e-5 at most,
 * less scale at the label, and are rounded to their type.
 */
#include <float.h>

#include "op_test.h"

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

static double unit(enum npuop_dtype dtype)
{
	return dtype == NPUOP_F32 ? 0x1p-24 : dtype == NPUOP_F16 ? 0x1p-11 : 0x1p-8;
}

/* Which overflows as it does in fp32. */
static double difference(double x, double max)
{
	const double d = x - max;

	return d < -FLT_MAX ? -INFINITY : d;
}

static void reference(const double *x, const npuop_tensor *labels, uint64_t rows, uint64_t cols,
		      double scale, double *loss, double *grad)
{
	for (uint64_t r = 0; r < rows; r++, x += cols, grad += cols) {
		const int64_t label = (int64_t)tensor_get(labels, r);
		double max = -INFINITY, sum = 0;

		if (label < 0)
			continue;
		for (uint64_t c = 0; c < cols; c++)
			max = isnan(x[c]) ? NAN : fmax(max, x[c]);
		for (uint64_t c = 0; c < cols; c++)
			sum += exp(difference(x[c], max));
		loss[r] = log(sum) - difference(x[label], max);
		for (uint64_t c = 0; c < cols; c++)
			grad[c] =
				(exp(difference(x[c], max)) / sum - ((int64_t)c == label)) * scale;
	}
}

/*
 * Of one row in four half the classes are masked, labels among them; of another all; and one has
 * the edges of floats.
 */
static void edge_row(const npuop_tensor *x, uint64_t row)
{
	const npuop_tensor one = npuop_tensor_slice(x, 0, row, 1);
	const uint64_t cols = x->shape[1], kind = row % 4;

	for (uint64_t c = 0; c < cols && kind < 2; c++)
		if (kind || rnd_below(2))
			tensor_set(&one, c, -INFINITY);
	if (kind == 2)
		put_edges(&one, cols / 2 + 1, true);
	if (kind == 2 && rnd_below(4) == 0) {
		const uint64_t at = rnd_below(cols);

		tensor_set(&one, at, FLT_MAX);
		tensor_set(&one, (at + 1) % cols, -FLT_MAX);
	}
}

static void test_cross_entropy(uint32_t round, bool edges)
{
	static const uint64_t classes[] = { 1, 2, 10, 65, 256, 1000, 12800, 12801, 50257 };
	const uint64_t cols = classes[round % COUNT(classes)];
	const uint64_t rows = 1 + rnd_below(cols > 2000 ? 4 : 300);
	const enum npuop_dtype dtype = types[round % 3];
	const float scale = 1.0f / (float)rows;
	npuop_tensor whole = tensor_any(dtype, SHAPE(rows, cols + 5));
	npuop_tensor x = npuop_tensor_slice(&whole, 1, 3, cols);
	npuop_tensor labels = tensor_new(NPUOP_S32, SHAPE(rows));
	npuop_tensor loss = tensor_any(NPUOP_F32, SHAPE(rows));
	npuop_tensor grad = tensor_any(dtype, SHAPE(rows, cols));
	double *v, *want = numbers(rows), *want_grad = numbers(rows * cols);

	for (uint64_t i = 0; i < rows * cols; i++)
		tensor_set(&x, i, rnd_uniform() * 10);
	for (uint64_t i = 0; i < rows && edges; i++)
		edge_row(&x, i);
	for (uint64_t i = 0; i < rows; i++) {
		const bool out = rnd_below(5) == 0;

		tensor_set(&labels, i, out ? -1 - (double)rnd_below(100) : (double)rnd_below(cols));
		if (out)
			tensor_set(&x, i * cols, NAN);
	}
	v = tensor_values(&x);
	reference(v, &labels, rows, cols, scale, want, want_grad);
	NEED(npuop_cross_entropy(fx.ops, &x, &labels, &loss, scale, round % 4 ? &grad : NULL));
	if (round % 4 == 0)
		NEED(npuop_cross_entropy(fx.ops, &x, &labels, NULL, scale, &x));
	sync_stream();
	close_to(&loss, want, 1e-5, 1e-6, "cross entropy, %llu of %llu%s", (unsigned long long)rows,
		 (unsigned long long)cols, edges ? ", edges" : "");
	close_to(round % 4 ? &grad : &x, want_grad,
		 1e-6 * scale + (dtype == NPUOP_F16 ? 0x1p-25 : 0), 1e-5 + unit(dtype),
		 round % 4 ? "its gradient" : "its gradient, in place");
	free(v);
	free(want);
	free(want_grad);
	tensor_free(&whole);
	tensor_free(&labels);
	tensor_free(&loss);
	tensor_free(&grad);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(4, 6)),
		     labels = tensor_new(NPUOP_S32, SHAPE(4));
	npuop_tensor loss = tensor_new(NPUOP_F32, SHAPE(5)),
		     none = tensor_new(NPUOP_F32, SHAPE(4, 0));
	npuop_tensor no_rows = tensor_new(NPUOP_F32, SHAPE(0, 6));
	npuop_tensor no_labels = tensor_new(NPUOP_S32, SHAPE(0));

	REFUSED(npuop_cross_entropy(fx.ops, &x, &x, NULL, 1, NULL), "labels: F32");
	REFUSED(npuop_cross_entropy(fx.ops, &x, &labels, &loss, 1, NULL),
		"loss: shape [5], not [4]");
	REFUSED(npuop_cross_entropy(fx.ops, &none, &labels, NULL, 1, NULL), "logits: no classes");
	REFUSED(npuop_cross_entropy(fx.ops, &x, &labels, NULL, 1, &none), "grad: shape");
	NEED(npuop_cross_entropy(fx.ops, &no_rows, &no_labels, NULL, 1, &no_rows));
#ifdef OP_SHIM
	shim_expect_fault = true;
	shim_fault = NPU_ST_OK;
	tensor_set(&labels, 2, 6);
	NEED(npuop_cross_entropy(fx.ops, &x, &labels, NULL, 1, &x));
	ok(shim_fault == NPU_ST_KERNEL_TRAP, "a label that is no class ends the task");
	shim_expect_fault = false;
#endif
	tensor_free(&x);
	tensor_free(&labels);
	tensor_free(&loss);
	tensor_free(&none);
	tensor_free(&no_rows);
	tensor_free(&no_labels);
}

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++)
		test_cross_entropy(i, false);
	for (uint32_t i = 0; i < ROUNDS; i++)
		test_cross_entropy(i, true);
	test_refused();
	return op_end();
}

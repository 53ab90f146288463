// SPDX-License-Identifier: MIT
/* Normalisation beside loops of plain C of the same algorithm, on one core. */
#include "bench_native.h"
#include "native.h"

struct rows {
	uint64_t n, cols;
	npuop_tensor x, grad, out, gamma, beta, mean, rstd, dgamma, dbeta;
};

static struct native_rows native_of(const struct rows *b)
{
	return (struct native_rows){
		.rows = b->n,
		.cols = b->cols,
		.x = bench_data(&b->x),
		.grad = bench_data(&b->grad),
		.gamma = bench_data(&b->gamma),
		.beta = bench_data(&b->beta),
		.out = bench_data(&b->out),
		.mean = bench_data(&b->mean),
		.rstd = bench_data(&b->rstd),
		.grad_gamma = bench_data(&b->dgamma),
		.grad_beta = bench_data(&b->dbeta),
	};
}

static void plain_softmax(void *arg)
{
	const struct native_rows rows = native_of(arg);

	native_softmax(&rows);
}

static void npu_softmax(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_softmax(fx.ops, &b->x, 0, &b->out));
}

static void plain_layer_norm(void *arg)
{
	const struct native_rows rows = native_of(arg);

	native_layer_norm(&rows);
}

static void npu_layer_norm(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_layer_norm(fx.ops, &b->x, &b->gamma, &b->beta, NATIVE_EPS, &b->out, &b->mean,
			      &b->rstd));
}

static void plain_rms_norm(void *arg)
{
	const struct native_rows rows = native_of(arg);

	native_rms_norm(&rows);
}

static void npu_rms_norm(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_rms_norm(fx.ops, &b->x, &b->gamma, NATIVE_EPS, &b->out, &b->rstd));
}

static void plain_layer_norm_backward(void *arg)
{
	const struct native_rows rows = native_of(arg);

	native_layer_norm_backward(&rows);
}

static void npu_layer_norm_backward(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_layer_norm_backward(fx.ops, &b->x, &b->gamma, &b->mean, &b->rstd, &b->grad,
				       &b->out, &b->dgamma, &b->dbeta));
}

int main(void)
{
	static const uint64_t shapes[][2] = { { 4096, 64 },  { 4096, 128 }, { 4096, 256 },
					      { 2048, 384 }, { 4096, 768 }, { 256, 4096 } };
	char what[64];

	op_begin();
	printf("# %-42s %9s %9s\n", "F32, rows x columns", "C", "NPU");
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct rows b = { .n = shapes[i][0], .cols = shapes[i][1] };
		npuop_tensor *const matrices[] = { &b.x, &b.grad, &b.out };
		npuop_tensor *const rows[] = { &b.gamma, &b.beta, &b.dgamma, &b.dbeta };

		for (size_t j = 0; j < COUNT(matrices); j++)
			*matrices[j] = tensor_random(NPUOP_F32, 2, shapes[i]);
		for (size_t j = 0; j < COUNT(rows); j++)
			*rows[j] = tensor_random(NPUOP_F32, 1, &b.cols);
		b.mean = tensor_new(NPUOP_F32, 1, &b.n);
		b.rstd = tensor_new(NPUOP_F32, 1, &b.n);
		snprintf(what, sizeof(what), "softmax %llu x %llu", (unsigned long long)b.n,
			 (unsigned long long)b.cols);
		bench(what, plain_softmax, npu_softmax, &b);
		bench("  layer norm", plain_layer_norm, npu_layer_norm, &b);
		bench("  RMS norm", plain_rms_norm, npu_rms_norm, &b);
		bench("  layer norm backward", plain_layer_norm_backward, npu_layer_norm_backward,
		      &b);
		for (size_t j = 0; j < COUNT(matrices); j++)
			tensor_free(matrices[j]);
		for (size_t j = 0; j < COUNT(rows); j++)
			tensor_free(rows[j]);
		tensor_free(&b.mean);
		tensor_free(&b.rstd);
	}
	NEED(npuop_destroy(fx.ops));
	return 0;
}

// SPDX-License-Identifier: MIT
/* Normalisation beside loops of plain C of the same algorithm, on one core. */
#include "bench_native.h"

struct rows {
	uint64_t n, cols;
	npuop_tensor x, grad, out, gamma, beta, mean, rstd, dgamma, dbeta;
};

static void native_softmax(void *arg)
{
	const struct rows *b = arg;
	const float *x = bench_data(&b->x);
	float *out = bench_data(&b->out);

	for (uint64_t r = 0; r < b->n; r++, x += b->cols, out += b->cols) {
		float max = x[0], sum = 0;

		for (uint64_t c = 0; c < b->cols; c++)
			max = x[c] > max ? x[c] : max;
		for (uint64_t c = 0; c < b->cols; c++) {
			out[c] = expf(x[c] - max);
			sum += out[c];
		}
		sum = 1 / sum;
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] *= sum;
	}
}

static void npu_softmax(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_softmax(fx.ops, &b->x, 0, &b->out));
}

static void native_layer_norm(void *arg)
{
	const struct rows *b = arg;
	const float *x = bench_data(&b->x), *gamma = bench_data(&b->gamma);
	const float *beta = bench_data(&b->beta);
	float *out = bench_data(&b->out), *means = bench_data(&b->mean);
	float *rstds = bench_data(&b->rstd);

	for (uint64_t r = 0; r < b->n; r++, x += b->cols, out += b->cols) {
		float mean = 0, var = 0, rstd;

		for (uint64_t c = 0; c < b->cols; c++)
			mean += x[c];
		mean /= (float)b->cols;
		for (uint64_t c = 0; c < b->cols; c++)
			var += (x[c] - mean) * (x[c] - mean);
		rstd = 1 / sqrtf(var / (float)b->cols + 1e-5f);
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] = (x[c] - mean) * rstd * gamma[c] + beta[c];
		means[r] = mean;
		rstds[r] = rstd;
	}
}

static void npu_layer_norm(void *arg)
{
	struct rows *b = arg;

	NEED(npuop_layer_norm(fx.ops, &b->x, &b->gamma, &b->beta, 1e-5f, &b->out, &b->mean,
			      &b->rstd));
}

static void native_layer_norm_backward(void *arg)
{
	const struct rows *b = arg;
	const float *x = bench_data(&b->x), *grad = bench_data(&b->grad);
	const float *gamma = bench_data(&b->gamma);
	const float *means = bench_data(&b->mean), *rstds = bench_data(&b->rstd);
	float *out = bench_data(&b->out), *dgamma = bench_data(&b->dgamma);
	float *dbeta = bench_data(&b->dbeta);

	memset(dgamma, 0, b->cols * sizeof(*dgamma));
	memset(dbeta, 0, b->cols * sizeof(*dbeta));
	for (uint64_t r = 0; r < b->n; r++, x += b->cols, grad += b->cols, out += b->cols) {
		const float mean = means[r], rstd = rstds[r];
		float sum = 0, dot = 0;

		for (uint64_t c = 0; c < b->cols; c++) {
			const float xhat = (x[c] - mean) * rstd, g = grad[c] * gamma[c];

			dgamma[c] += grad[c] * xhat;
			dbeta[c] += grad[c];
			sum += g;
			dot += g * xhat;
		}
		sum /= (float)b->cols;
		dot /= (float)b->cols;
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] = (grad[c] * gamma[c] - sum - (x[c] - mean) * rstd * dot) * rstd;
	}
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
					      { 2048, 384 }, { 1024, 768 }, { 256, 4096 } };
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
		bench(what, native_softmax, npu_softmax, &b);
		bench("  layer norm", native_layer_norm, npu_layer_norm, &b);
		bench("  layer norm backward", native_layer_norm_backward, npu_layer_norm_backward,
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

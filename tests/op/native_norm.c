// SPDX-License-Identifier: MIT
/* Normalisation of rows. */
#include <math.h>
#include <string.h>

#include "native.h"

void native_softmax(const struct native_rows *b)
{
	const float *x = b->x;
	float *out = b->out;

	for (uint64_t r = 0; r < b->rows; r++, x += b->cols, out += b->cols) {
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

void native_layer_norm(const struct native_rows *b)
{
	const float *x = b->x, *gamma = b->gamma, *beta = b->beta;
	float *out = b->out;

	for (uint64_t r = 0; r < b->rows; r++, x += b->cols, out += b->cols) {
		float mean = 0, var = 0, rstd;

		for (uint64_t c = 0; c < b->cols; c++)
			mean += x[c];
		mean /= (float)b->cols;
		for (uint64_t c = 0; c < b->cols; c++)
			var += (x[c] - mean) * (x[c] - mean);
		rstd = 1 / sqrtf(var / (float)b->cols + NATIVE_EPS);
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] = (x[c] - mean) * rstd * gamma[c] + beta[c];
		b->mean[r] = mean;
		b->rstd[r] = rstd;
	}
}

void native_layer_norm_backward(const struct native_rows *b)
{
	const float *x = b->x, *grad = b->grad, *gamma = b->gamma;
	float *out = b->out, *grad_gamma = b->grad_gamma, *grad_beta = b->grad_beta;

	memset(grad_gamma, 0, b->cols * sizeof(*grad_gamma));
	memset(grad_beta, 0, b->cols * sizeof(*grad_beta));
	for (uint64_t r = 0; r < b->rows; r++, x += b->cols, grad += b->cols, out += b->cols) {
		const float mean = b->mean[r], rstd = b->rstd[r];
		float sum = 0, dot = 0;

		for (uint64_t c = 0; c < b->cols; c++) {
			const float xhat = (x[c] - mean) * rstd, g = grad[c] * gamma[c];

			grad_gamma[c] += grad[c] * xhat;
			grad_beta[c] += grad[c];
			sum += g;
			dot += g * xhat;
		}
		sum /= (float)b->cols;
		dot /= (float)b->cols;
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] = (grad[c] * gamma[c] - sum - (x[c] - mean) * rstd * dot) * rstd;
	}
}

void native_rms_norm(const struct native_rows *b)
{
	const float *x = b->x, *gamma = b->gamma;
	float *out = b->out;

	for (uint64_t r = 0; r < b->rows; r++, x += b->cols, out += b->cols) {
		float sum = 0, rstd;

		for (uint64_t c = 0; c < b->cols; c++)
			sum += x[c] * x[c];
		rstd = 1 / sqrtf(sum / (float)b->cols + NATIVE_EPS);
		for (uint64_t c = 0; c < b->cols; c++)
			out[c] = x[c] * rstd * gamma[c];
		b->rstd[r] = rstd;
	}
}

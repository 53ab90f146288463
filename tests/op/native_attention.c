// SPDX-License-Identifier: MIT
/*
 * Attention: blocks of keys, an online softmax, keys transposed so that all inner loops are along
 * rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

#define KEYS 64 /* of a block: all that it works on is in the L1 cache */
#define DIM NATIVE_MAX_DIM

static void transpose(const float *x, uint64_t rows, uint64_t cols, float (*out)[KEYS])
{
	for (uint64_t r = 0; r < rows; r++)
		for (uint64_t c = 0; c < cols; c++)
			out[c][r] = x[r * cols + c];
}

/* row of scores: s = scale q k' */
static void score(const float *restrict q, float (*restrict kt)[KEYS], uint64_t dim, float scale,
		  float *restrict s)
{
	float sum[KEYS] = { 0 };

	for (uint64_t d = 0; d < dim; d++)
		for (uint64_t j = 0; j < KEYS; j++)
			sum[j] += q[d] * kt[d][j];
	for (uint64_t j = 0; j < KEYS; j++)
		s[j] = sum[j] * scale;
}

/* out += p v */
static void weigh(const float *restrict p, const float *restrict v, uint64_t count, uint64_t dim,
		  float *restrict out)
{
	float sum[DIM];

	memcpy(sum, out, dim * sizeof(*out));
	for (uint64_t j = 0; j < count; j++)
		for (uint64_t d = 0; d < dim; d++)
			sum[d] += p[j] * v[j * dim + d];
	memcpy(out, sum, dim * sizeof(*out));
}

/* Of a block of keys from @first, those that query @row sees. */
static uint64_t seen(const struct native_attention *a, uint64_t row, uint64_t first)
{
	const uint64_t end = a->causal ? row + 1 + a->keys - a->queries : a->keys;

	if (end <= first)
		return 0;
	return end - first < KEYS ? end - first : KEYS;
}

static uint64_t block_keys(const struct native_attention *a, uint64_t first)
{
	return a->keys - first < KEYS ? a->keys - first : KEYS;
}

/* One row and one block of keys. */
static void attend(const float *q, float (*kt)[KEYS], const float *v, uint64_t count, uint64_t dim,
		   float scale, float *max, float *sum, float *out)
{
	float s[KEYS], most = *max, alpha, total = 0;

	score(q, kt, dim, scale, s);
	for (uint64_t j = 0; j < count; j++)
		most = s[j] > most ? s[j] : most;
	alpha = expf(*max - most);
	for (uint64_t j = 0; j < count; j++) {
		s[j] = expf(s[j] - most);
		total += s[j];
	}
	*max = most;
	*sum = *sum * alpha + total;
	for (uint64_t d = 0; d < dim; d++)
		out[d] *= alpha;
	weigh(s, v, count, dim, out);
}

void native_attention(const struct native_attention *a)
{
	const float scale = 1 / sqrtf((float)a->dim);
	float *max = malloc(a->queries * sizeof(*max)), *sum = calloc(a->queries, sizeof(*sum));
	float kt[DIM][KEYS] = { 0 };

	memset(a->out, 0, a->queries * a->dim * sizeof(*a->out));
	for (uint64_t i = 0; i < a->queries; i++)
		max[i] = -1e30f;
	for (uint64_t j = 0; j < a->keys; j += KEYS) {
		transpose(a->k + j * a->dim, block_keys(a, j), a->dim, kt);
		for (uint64_t i = 0; i < a->queries; i++)
			if (seen(a, i, j))
				attend(a->q + i * a->dim, kt, a->v + j * a->dim, seen(a, i, j),
				       a->dim, scale, &max[i], &sum[i], a->out + i * a->dim);
	}
	for (uint64_t i = 0; i < a->queries; i++) {
		for (uint64_t d = 0; d < a->dim; d++)
			a->out[i * a->dim + d] /= sum[i];
		a->lse[i] = max[i] + logf(sum[i]);
	}
	free(max);
	free(sum);
}

/* One row and one block of keys, from @first, backward. */
static void attend_backward(const struct native_attention *a, uint64_t row, uint64_t first,
			    float (*kt)[KEYS], float (*vt)[KEYS], float scale)
{
	const uint64_t dim = a->dim, count = seen(a, row, first);
	const float *q = a->q + row * dim, *grad = a->grad + row * dim, *out = a->out + row * dim;
	float *grad_k = a->grad_k + first * dim, *grad_v = a->grad_v + first * dim;
	const float lse = a->lse[row];
	float p[KEYS], ds[KEYS], delta = 0;

	for (uint64_t d = 0; d < dim; d++)
		delta += out[d] * grad[d];
	score(q, kt, dim, scale, p);
	score(grad, vt, dim, 1, ds);
	for (uint64_t j = 0; j < count; j++) {
		p[j] = expf(p[j] - lse);
		ds[j] = p[j] * (ds[j] - delta) * scale;
	}
	weigh(ds, a->k + first * dim, count, dim, a->grad_q + row * dim);
	for (uint64_t j = 0; j < count; j++)
		for (uint64_t d = 0; d < dim; d++) {
			grad_k[j * dim + d] += ds[j] * q[d];
			grad_v[j * dim + d] += p[j] * grad[d];
		}
}

void native_attention_backward(const struct native_attention *a)
{
	const float scale = 1 / sqrtf((float)a->dim);
	float kt[DIM][KEYS] = { 0 }, vt[DIM][KEYS] = { 0 };

	memset(a->grad_q, 0, a->queries * a->dim * sizeof(float));
	memset(a->grad_k, 0, a->keys * a->dim * sizeof(float));
	memset(a->grad_v, 0, a->keys * a->dim * sizeof(float));
	for (uint64_t j = 0; j < a->keys; j += KEYS) {
		transpose(a->k + j * a->dim, block_keys(a, j), a->dim, kt);
		transpose(a->v + j * a->dim, block_keys(a, j), a->dim, vt);
		for (uint64_t i = 0; i < a->queries; i++)
			if (seen(a, i, j))
				attend_backward(a, i, j, kt, vt, scale);
	}
}

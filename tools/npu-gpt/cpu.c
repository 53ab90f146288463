// SPDX-License-Identifier: MIT
/*
 * The model in plain C: the peer that npu-gpt --bench compares the NPU with. Matrix products are
 * OpenBLAS's, with as many threads as it has; all else are loops that the compiler vectorises,
 * spread over the same number of threads.
 */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

/* What the backward needs of a layer. */
struct layer {
	float *x; /* before the layer */
	float *rstd1, *norm1; /* norm1: normalised and weighted */
	float *qkv; /* q and k after rope */
	float *probabilities; /* batch x heads x context x context */
	float *attention;
	float *middle; /* x between its halves */
	float *rstd2, *norm2;
	float *up, *gelu; /* before and after the activation */
};

struct cpu_gpt {
	const struct gpt_params *params;
	uint32_t batch;
	size_t rows; /* batch x context */
	float *values, *grads, *moment1, *moment2;
	struct layer *layers;
	float *x, *rstd, *norm, *logits; /* of the end */
	float *grad_x, *grad_norm, *grad_qkv, *grad_up, *scratch;
	float *cosines, *sines; /* context x head dim / 2 */
};

/* One array for all; calloc, so that the pages come when they are used. */
static float *floats(size_t count)
{
	return calloc(count, sizeof(float));
}

/* grad_x += the gradient through the norm; grad_gain +=. */
static void norm_backward(const float *x, const float *gain, const float *rstd, const float *grad,
			  size_t rows, size_t dim, float *grad_x, float *grad_gain)
{
#pragma omp parallel for
	for (size_t r = 0; r < rows; r++) {
		const float *in = x + r * dim, *g = grad + r * dim;
		float sum = 0, scale;

		for (size_t i = 0; i < dim; i++)
			sum += g[i] * gain[i] * in[i];
		scale = sum * rstd[r] * rstd[r] / (float)dim;
		for (size_t i = 0; i < dim; i++)
			grad_x[r * dim + i] += rstd[r] * (g[i] * gain[i] - in[i] * scale);
	}
	for (size_t r = 0; r < rows; r++)
		for (size_t i = 0; i < dim; i++)
			grad_gain[i] += grad[r * dim + i] * x[r * dim + i] * rstd[r];
}

/* Turn q and k of each row by its position; @direction -1 turns back. */
static void rope(const struct cpu_gpt *gpt, float *qkv, float direction)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const size_t half = gpt_head_dim(shape) / 2;

#pragma omp parallel for
	for (size_t r = 0; r < gpt->rows; r++) {
		const float *c = gpt->cosines + r % shape->context * half;
		const float *s = gpt->sines + r % shape->context * half;

		for (size_t h = 0; h < 2 * (size_t)shape->heads; h++) {
			float *at = qkv + r * 3 * shape->dim + h * 2 * half;

			for (size_t i = 0; i < half; i++) {
				const float a = at[i], b = at[half + i], t = direction * s[i];

				at[i] = a * c[i] - b * t;
				at[half + i] = b * c[i] + a * t;
			}
		}
	}
}

/* Where a head's q, k and v of a sequence begin in qkv; rows are 3 dim apart. */
struct head {
	size_t q, k, v, out, probabilities;
};

static struct head head_of(const struct cpu_gpt *gpt, size_t sequence, size_t head)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const size_t t = shape->context, row = sequence * t, at = head * gpt_head_dim(shape);
	const size_t q = row * 3 * shape->dim + at;

	return (struct head){ q, q + shape->dim, q + 2 * (size_t)shape->dim, row * shape->dim + at,
			      (sequence * shape->heads + head) * t * t };
}

static void softmax_causal(float *scores, size_t t, float scale)
{
	for (size_t i = 0; i < t; i++) {
		float *row = scores + i * t, most = -INFINITY, sum = 0;

		for (size_t j = 0; j <= i; j++)
			most = row[j] > most ? row[j] : most;
		for (size_t j = 0; j <= i; j++)
			sum += row[j] = expf((row[j] - most) * scale);
		for (size_t j = 0; j <= i; j++)
			row[j] /= sum;
		memset(row + i + 1, 0, (t - i - 1) * sizeof(*row));
	}
}

static void attention_forward(struct cpu_gpt *gpt, struct layer *l)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const int t = (int)shape->context, d = (int)gpt_head_dim(shape), dim = (int)shape->dim;

	openblas_set_num_threads(1);
#pragma omp parallel for collapse(2)
	for (size_t s = 0; s < gpt->batch; s++)
		for (size_t n = 0; n < shape->heads; n++) {
			const struct head h = head_of(gpt, s, n);
			float *p = l->probabilities + h.probabilities;

			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, 1,
				    l->qkv + h.q, 3 * dim, l->qkv + h.k, 3 * dim, 0, p, t);
			softmax_causal(p, (size_t)t, 1 / sqrtf((float)d));
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, d, t, 1, p, t,
				    l->qkv + h.v, 3 * dim, 0, l->attention + h.out, dim);
		}
	openblas_set_num_threads(omp_get_max_threads());
}

/* grad of attention's output in grad_norm; to grad_qkv, scratch by head. */
static void attention_backward(struct cpu_gpt *gpt, struct layer *l)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const int t = (int)shape->context, d = (int)gpt_head_dim(shape), dim = (int)shape->dim;
	const float scale = 1 / sqrtf((float)d), *grad = gpt->grad_norm;

	openblas_set_num_threads(1);
#pragma omp parallel for collapse(2)
	for (size_t s = 0; s < gpt->batch; s++)
		for (size_t n = 0; n < shape->heads; n++) {
			const struct head h = head_of(gpt, s, n);
			const float *p = l->probabilities + h.probabilities;
			float *dp = gpt->scratch + h.probabilities;

			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, t, d, t, 1, p, t,
				    grad + h.out, dim, 0, gpt->grad_qkv + h.v, 3 * dim);
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, 1,
				    grad + h.out, dim, l->qkv + h.v, 3 * dim, 0, dp, t);
			for (int i = 0; i < t; i++) {
				float sum = 0;

				for (int j = 0; j <= i; j++)
					sum += dp[i * t + j] * p[i * t + j];
				for (int j = 0; j < t; j++)
					dp[i * t + j] =
						p[i * t + j] * (dp[i * t + j] - sum) * scale;
			}
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, d, t, 1, dp, t,
				    l->qkv + h.k, 3 * dim, 0, gpt->grad_qkv + h.q, 3 * dim);
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, t, d, t, 1, dp, t,
				    l->qkv + h.q, 3 * dim, 0, gpt->grad_qkv + h.k, 3 * dim);
		}
	openblas_set_num_threads(omp_get_max_threads());
}

static void gelu_backward(const float *x, size_t count, float *grad)
{
#pragma omp parallel for simd
	for (size_t i = 0; i < count; i++) {
		const float v = x[i], t = tanhf(GELU_A * (v + GELU_B * v * v * v));

		grad[i] *=
			0.5f * (1 + t) + 0.5f * v * (1 - t * t) * GELU_A * (1 + 3 * GELU_B * v * v);
	}
}

static void embed(struct cpu_gpt *gpt, const uint8_t *bytes, float *x)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const float *table = gpt->values + gpt_embedding(gpt->params);

	for (size_t r = 0; r < gpt->rows; r++) {
		const size_t at = r / shape->context * (shape->context + 1) + r % shape->context;

		memcpy(x + r * shape->dim, table + (size_t)bytes[at] * shape->dim,
		       shape->dim * sizeof(*x));
	}
}

static void layer_forward(struct cpu_gpt *gpt, uint32_t index, float *out)
{
	const struct gpt_params *params = gpt->params;
	const size_t dim = params->shape.dim, rows = gpt->rows;
	const float *w = gpt->values;
	struct layer *l = &gpt->layers[index];

	cpu_norm(l->x, w + gpt_vector(params, index, GPT_NORM1), rows, dim, l->rstd1, l->norm1);
	cpu_product(false, false, rows, 3 * dim, dim, l->norm1,
		    w + gpt_matrix(params, index, GPT_QKV), 0, l->qkv);
	rope(gpt, l->qkv, 1);
	attention_forward(gpt, l);
	memcpy(l->middle, l->x, rows * dim * sizeof(float));
	cpu_product(false, false, rows, dim, dim, l->attention,
		    w + gpt_matrix(params, index, GPT_OUT), 1, l->middle);
	cpu_norm(l->middle, w + gpt_vector(params, index, GPT_NORM2), rows, dim, l->rstd2,
		 l->norm2);
	cpu_product(false, false, rows, GPT_MLP * dim, dim, l->norm2,
		    w + gpt_matrix(params, index, GPT_UP), 0, l->up);
	cpu_gelu(l->up, rows * GPT_MLP * dim, l->gelu);
	memcpy(out, l->middle, rows * dim * sizeof(float));
	cpu_product(false, false, rows, dim, GPT_MLP * dim, l->gelu,
		    w + gpt_matrix(params, index, GPT_DOWN), 1, out);
}

/* Mean loss; with @grad the logits become its gradient. */
static float cross_entropy(struct cpu_gpt *gpt, const uint8_t *bytes, bool grad)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const float share = 1 / (float)gpt->rows;
	double loss = 0;

#pragma omp parallel for reduction(+ : loss)
	for (size_t r = 0; r < gpt->rows; r++) {
		const size_t at = r / shape->context * (shape->context + 1) + r % shape->context;
		const uint8_t label = bytes[at + 1];
		float *row = gpt->logits + r * GPT_VOCABULARY, most = row[0], sum = 0;

		for (int i = 1; i < GPT_VOCABULARY; i++)
			most = row[i] > most ? row[i] : most;
		loss -= row[label] - most;
		for (int i = 0; i < GPT_VOCABULARY; i++)
			sum += row[i] = expf(row[i] - most);
		loss += logf(sum);
		for (int i = 0; grad && i < GPT_VOCABULARY; i++)
			row[i] *= share / sum;
		if (grad)
			row[label] -= share;
	}
	return (float)(loss / (double)gpt->rows);
}

static float forward(struct cpu_gpt *gpt, const uint8_t *bytes, bool grad)
{
	const struct gpt_params *params = gpt->params;
	const uint32_t layers = params->shape.layers;
	const size_t dim = params->shape.dim;

	embed(gpt, bytes, gpt->layers[0].x);
	for (uint32_t i = 0; i < layers; i++)
		layer_forward(gpt, i, i + 1 < layers ? gpt->layers[i + 1].x : gpt->x);
	cpu_norm(gpt->x, gpt->values + gpt_last_norm(params), gpt->rows, dim, gpt->rstd, gpt->norm);
	cpu_product(false, false, gpt->rows, GPT_VOCABULARY, dim, gpt->norm,
		    gpt->values + gpt_head(params), 0, gpt->logits);
	return cross_entropy(gpt, bytes, grad);
}

/* grad_x is of the layer's output, and becomes that of its input. */
static void layer_backward(struct cpu_gpt *gpt, uint32_t index)
{
	const struct gpt_params *params = gpt->params;
	const size_t dim = params->shape.dim, inner = GPT_MLP * dim, rows = gpt->rows;
	const float *w = gpt->values;
	struct layer *l = &gpt->layers[index];
	float *g = gpt->grads;

	cpu_product(true, false, inner, dim, rows, l->gelu, gpt->grad_x, 1,
		    g + gpt_matrix(params, index, GPT_DOWN));
	cpu_product(false, true, rows, inner, dim, gpt->grad_x,
		    w + gpt_matrix(params, index, GPT_DOWN), 0, gpt->grad_up);
	gelu_backward(l->up, rows * inner, gpt->grad_up);
	cpu_product(true, false, dim, inner, rows, l->norm2, gpt->grad_up, 1,
		    g + gpt_matrix(params, index, GPT_UP));
	cpu_product(false, true, rows, dim, inner, gpt->grad_up,
		    w + gpt_matrix(params, index, GPT_UP), 0, gpt->grad_norm);
	norm_backward(l->middle, w + gpt_vector(params, index, GPT_NORM2), l->rstd2, gpt->grad_norm,
		      rows, dim, gpt->grad_x, g + gpt_vector(params, index, GPT_NORM2));
	cpu_product(true, false, dim, dim, rows, l->attention, gpt->grad_x, 1,
		    g + gpt_matrix(params, index, GPT_OUT));
	cpu_product(false, true, rows, dim, dim, gpt->grad_x,
		    w + gpt_matrix(params, index, GPT_OUT), 0, gpt->grad_norm);
	attention_backward(gpt, l);
	rope(gpt, gpt->grad_qkv, -1);
	cpu_product(true, false, dim, 3 * dim, rows, l->norm1, gpt->grad_qkv, 1,
		    g + gpt_matrix(params, index, GPT_QKV));
	cpu_product(false, true, rows, dim, 3 * dim, gpt->grad_qkv,
		    w + gpt_matrix(params, index, GPT_QKV), 0, gpt->grad_norm);
	norm_backward(l->x, w + gpt_vector(params, index, GPT_NORM1), l->rstd1, gpt->grad_norm,
		      rows, dim, gpt->grad_x, g + gpt_vector(params, index, GPT_NORM1));
}

static void backward(struct cpu_gpt *gpt, const uint8_t *bytes)
{
	const struct gpt_params *params = gpt->params;
	const struct gpt_shape *shape = &params->shape;
	const size_t dim = shape->dim;
	float *table = gpt->grads + gpt_embedding(params);

	memset(gpt->grads, 0, params->floats * sizeof(float));
	memset(gpt->grad_x, 0, gpt->rows * dim * sizeof(float));
	cpu_product(true, false, dim, GPT_VOCABULARY, gpt->rows, gpt->norm, gpt->logits, 1,
		    gpt->grads + gpt_head(params));
	cpu_product(false, true, gpt->rows, dim, GPT_VOCABULARY, gpt->logits,
		    gpt->values + gpt_head(params), 0, gpt->grad_norm);
	norm_backward(gpt->x, gpt->values + gpt_last_norm(params), gpt->rstd, gpt->grad_norm,
		      gpt->rows, dim, gpt->grad_x, gpt->grads + gpt_last_norm(params));
	for (uint32_t i = shape->layers; i--;)
		layer_backward(gpt, i);
	for (size_t r = 0; r < gpt->rows; r++) {
		const size_t at = r / shape->context * (shape->context + 1) + r % shape->context;
		float *row = table + (size_t)bytes[at] * dim;

		for (size_t i = 0; i < dim; i++)
			row[i] += gpt->grad_x[r * dim + i];
	}
}

static void adam(struct cpu_gpt *gpt, float rate, uint64_t step)
{
	const float scale1 = 1 / (1 - powf(GPT_BETA1, (float)step));
	const float scale2 = 1 / (1 - powf(GPT_BETA2, (float)step));
	float *w = gpt->values, *m = gpt->moment1, *v = gpt->moment2;

#pragma omp parallel for simd
	for (size_t i = 0; i < gpt->params->floats; i++) {
		const float g = gpt->grads[i];
		const float decay = i < gpt->params->matrices ? GPT_WEIGHT_DECAY : 0;

		m[i] = GPT_BETA1 * m[i] + (1 - GPT_BETA1) * g;
		v[i] = GPT_BETA2 * v[i] + (1 - GPT_BETA2) * g * g;
		w[i] -= rate *
			(m[i] * scale1 / (sqrtf(v[i] * scale2) + GPT_ADAM_EPSILON) + decay * w[i]);
	}
}

float cpu_gpt_step(struct cpu_gpt *gpt, const uint8_t *bytes, float rate, uint64_t step)
{
	const float loss = forward(gpt, bytes, true);

	backward(gpt, bytes);
	adam(gpt, rate, step);
	return loss;
}

float cpu_gpt_loss(struct cpu_gpt *gpt, const uint8_t *bytes)
{
	return forward(gpt, bytes, false);
}

static void layer_init(struct layer *l, const struct gpt_shape *shape, size_t batch)
{
	const size_t rows = batch * shape->context, size = rows * shape->dim;

	*l = (struct layer){
		.x = floats(size),
		.rstd1 = floats(rows),
		.norm1 = floats(size),
		.qkv = floats(3 * size),
		.probabilities = floats(rows * shape->heads * shape->context),
		.attention = floats(size),
		.middle = floats(size),
		.rstd2 = floats(rows),
		.norm2 = floats(size),
		.up = floats(GPT_MLP * size),
		.gelu = floats(GPT_MLP * size),
	};
}

static void rope_tables(struct cpu_gpt *gpt)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const size_t half = gpt_head_dim(shape) / 2;

	gpt->cosines = floats(shape->context * half);
	gpt->sines = floats(shape->context * half);
	for (size_t t = 0; t < shape->context; t++)
		for (size_t i = 0; i < half; i++) {
			const double angle =
				(double)t * pow(GPT_ROPE_BASE, -(double)i / (double)half);

			gpt->cosines[t * half + i] = (float)cos(angle);
			gpt->sines[t * half + i] = (float)sin(angle);
		}
}

struct cpu_gpt *cpu_gpt_new(const struct gpt_params *params, uint32_t batch, const float *values)
{
	const struct gpt_shape *shape = &params->shape;
	const size_t rows = (size_t)batch * shape->context, size = rows * shape->dim;
	struct cpu_gpt *gpt = calloc(1, sizeof(*gpt));

	*gpt = (struct cpu_gpt){
		.params = params,
		.batch = batch,
		.rows = rows,
		.values = floats(params->floats),
		.grads = floats(params->floats),
		.moment1 = floats(params->floats),
		.moment2 = floats(params->floats),
		.layers = calloc(shape->layers, sizeof(*gpt->layers)),
		.x = floats(size),
		.rstd = floats(rows),
		.norm = floats(size),
		.logits = floats(rows * GPT_VOCABULARY),
		.grad_x = floats(size),
		.grad_norm = floats(size),
		.grad_qkv = floats(3 * size),
		.grad_up = floats(GPT_MLP * size),
		.scratch = floats(rows * shape->heads * shape->context),
	};
	for (uint32_t i = 0; i < shape->layers; i++)
		layer_init(&gpt->layers[i], shape, batch);
	rope_tables(gpt);
	memcpy(gpt->values, values, params->floats * sizeof(float));
	return gpt;
}

static void layer_fini(struct layer *l)
{
	float *const all[] = { l->x,	     l->rstd1,	l->norm1, l->qkv,   l->probabilities,
			       l->attention, l->middle, l->rstd2, l->norm2, l->up,
			       l->gelu };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

void cpu_gpt_free(struct cpu_gpt *gpt)
{
	float *const all[] = { gpt->values,  gpt->grads,     gpt->moment1,  gpt->moment2,
			       gpt->x,	     gpt->rstd,	     gpt->norm,	    gpt->logits,
			       gpt->grad_x,  gpt->grad_norm, gpt->grad_qkv, gpt->grad_up,
			       gpt->scratch, gpt->cosines,   gpt->sines };

	for (uint32_t i = 0; i < gpt->params->shape.layers; i++)
		layer_fini(&gpt->layers[i]);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
	free(gpt->layers);
	free(gpt);
}

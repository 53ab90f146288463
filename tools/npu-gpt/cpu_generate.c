// SPDX-License-Identifier: MIT
/*
 * Generation in plain C with OpenBLAS, greedily: the peer of npu_generate.c. All sequences go
 * through the layers together; keys and values are kept by layer, sequence and position.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

struct cpu_decoder {
	const struct gpt_params *params;
	const float *values;
	uint32_t sequences;
	uint32_t *lengths;
	float *keys, *cache; /* layers x sequences x context x dim */
	float *x, *norm, *qkv, *attention, *inner, *scores, *logits;
};

static void turn(const struct gpt_shape *shape, float *at, uint32_t position)
{
	const size_t half = gpt_head_dim(shape) / 2;

	for (size_t h = 0; h < 2 * (size_t)shape->heads; h++, at += 2 * half)
		for (size_t i = 0; i < half; i++) {
			const float angle =
				(float)position * powf(GPT_ROPE_BASE, -(float)i / (float)half);
			const float c = cosf(angle), s = sinf(angle), a = at[i], b = at[half + i];

			at[i] = a * c - b * s;
			at[half + i] = b * c + a * s;
		}
}

/* One query over the keys and values of its sequence. */
static void attend_head(const float *q, const float *keys, const float *values, size_t count,
			size_t dim, size_t pitch, float *scores, float *out)
{
	const float scale = 1 / sqrtf((float)dim);
	float most = -INFINITY, sum = 0;

	for (size_t j = 0; j < count; j++) {
		float score = 0;

		for (size_t i = 0; i < dim; i++)
			score += q[i] * keys[j * pitch + i];
		scores[j] = score * scale;
		most = scores[j] > most ? scores[j] : most;
	}
	memset(out, 0, dim * sizeof(*out));
	for (size_t j = 0; j < count; j++) {
		const float p = expf(scores[j] - most);

		sum += p;
		for (size_t i = 0; i < dim; i++)
			out[i] += p * values[j * pitch + i];
	}
	for (size_t i = 0; i < dim; i++)
		out[i] /= sum;
}

static void attend(struct cpu_decoder *d, uint32_t layer, uint32_t first, uint32_t rows)
{
	const struct gpt_shape *shape = &d->params->shape;
	const size_t dim = shape->dim, head = gpt_head_dim(shape);

	for (uint32_t r = 0; r < rows; r++) {
		const uint32_t s = first + r, position = d->lengths[s];
		const size_t at = ((size_t)layer * d->sequences + s) * shape->context * dim;
		float *qkv = d->qkv + (size_t)r * 3 * dim;

		turn(shape, qkv, position);
		memcpy(d->keys + at + position * dim, qkv + dim, dim * sizeof(float));
		memcpy(d->cache + at + position * dim, qkv + 2 * dim, dim * sizeof(float));
		for (size_t h = 0; h < shape->heads; h++)
			attend_head(qkv + h * head, d->keys + at + h * head,
				    d->cache + at + h * head, position + 1, head, dim, d->scores,
				    d->attention + r * dim + h * head);
	}
}

/* A position of each of @rows sequences from @first on. */
static void forward(struct cpu_decoder *d, uint32_t first, uint32_t rows, const int32_t *bytes)
{
	const struct gpt_params *params = d->params;
	const size_t dim = params->shape.dim;
	const float *w = d->values;

	for (uint32_t r = 0; r < rows; r++)
		memcpy(d->x + r * dim, w + gpt_embedding(params) + (size_t)bytes[r] * dim,
		       dim * sizeof(float));
	for (uint32_t i = 0; i < params->shape.layers; i++) {
		cpu_norm(d->x, w + gpt_vector(params, i, GPT_NORM1), rows, dim, NULL, d->norm);
		cpu_product(false, false, rows, 3 * dim, dim, d->norm,
			    w + gpt_matrix(params, i, GPT_QKV), 0, d->qkv);
		attend(d, i, first, rows);
		cpu_product(false, false, rows, dim, dim, d->attention,
			    w + gpt_matrix(params, i, GPT_OUT), 1, d->x);
		cpu_norm(d->x, w + gpt_vector(params, i, GPT_NORM2), rows, dim, NULL, d->norm);
		cpu_product(false, false, rows, GPT_MLP * dim, dim, d->norm,
			    w + gpt_matrix(params, i, GPT_UP), 0, d->inner);
		cpu_gelu(d->inner, rows * GPT_MLP * dim, d->inner);
		cpu_product(false, false, rows, dim, GPT_MLP * dim, d->inner,
			    w + gpt_matrix(params, i, GPT_DOWN), 1, d->x);
	}
	cpu_norm(d->x, w + gpt_last_norm(params), rows, dim, NULL, d->norm);
	cpu_product(false, false, rows, GPT_VOCABULARY, dim, d->norm, w + gpt_head(params), 0,
		    d->logits + (size_t)first * GPT_VOCABULARY);
	for (uint32_t r = 0; r < rows; r++)
		d->lengths[first + r]++;
}

/* Position by position: a prompt is short, and its time is told apart. */
void cpu_decoder_prompt(struct cpu_decoder *d, uint32_t sequence, const int32_t *bytes,
			uint32_t count)
{
	d->lengths[sequence] = 0;
	for (uint32_t i = 0; i < count; i++)
		forward(d, sequence, 1, bytes + i);
}

void cpu_decoder_step(struct cpu_decoder *d, int32_t *bytes)
{
	for (uint32_t s = 0; s < d->sequences; s++) {
		const float *row = d->logits + (size_t)s * GPT_VOCABULARY;

		bytes[s] = 0;
		for (int32_t i = 1; i < GPT_VOCABULARY; i++)
			if (row[i] > row[bytes[s]])
				bytes[s] = i;
	}
	forward(d, 0, d->sequences, bytes);
}

struct cpu_decoder *cpu_decoder_new(const struct gpt_params *params, const float *values,
				    uint32_t sequences)
{
	const struct gpt_shape *shape = &params->shape;
	const size_t part = (size_t)sequences * shape->dim;
	const size_t cached = part * shape->layers * shape->context;
	struct cpu_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct cpu_decoder){
		.params = params,
		.values = values,
		.sequences = sequences,
		.lengths = calloc(sequences, sizeof(*d->lengths)),
		.keys = calloc(cached, sizeof(float)),
		.cache = calloc(cached, sizeof(float)),
		.x = calloc(part, sizeof(float)),
		.norm = calloc(part, sizeof(float)),
		.qkv = calloc(3 * part, sizeof(float)),
		.attention = calloc(part, sizeof(float)),
		.inner = calloc(GPT_MLP * part, sizeof(float)),
		.scores = calloc(shape->context, sizeof(float)),
		.logits = calloc((size_t)sequences * GPT_VOCABULARY, sizeof(float)),
	};
	if (d->lengths && d->keys && d->cache && d->x && d->norm && d->qkv && d->attention &&
	    d->inner && d->scores && d->logits)
		return d;
	cpu_decoder_free(d);
	return NULL;
}

void cpu_decoder_free(struct cpu_decoder *d)
{
	if (!d)
		return;
	free(d->lengths);
	free(d->keys);
	free(d->cache);
	free(d->x);
	free(d->norm);
	free(d->qkv);
	free(d->attention);
	free(d->inner);
	free(d->scores);
	free(d->logits);
	free(d);
}

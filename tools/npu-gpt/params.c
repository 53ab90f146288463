// SPDX-License-Identifier: MIT
/* What is trained: names, shapes and places of the parameters, and their start. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

#define DEVIATION 0.02f

const char *gpt_shape_error(const struct gpt_shape *shape)
{
	if (!shape->dim || shape->dim > GPT_MAX_DIM)
		return "dim is not 1 to 4096";
	if (!shape->layers || shape->layers > GPT_MAX_LAYERS)
		return "layers are not 1 to 128";
	if (!shape->heads || shape->dim % shape->heads)
		return "heads do not divide dim";
	if (gpt_head_dim(shape) % 16 || gpt_head_dim(shape) > GPT_MAX_HEAD_DIM)
		return "dim / heads is not a multiple of 16 up to 256";
	if (shape->context < 2 || shape->context > GPT_MAX_CONTEXT)
		return "context is not 2 to 8192";
	return NULL;
}

static void add(struct gpt_params *params, uint32_t rows, uint32_t cols, const char *name,
		uint32_t layer)
{
	struct gpt_tensor *tensor = &params->tensors[params->count++];

	*tensor = (struct gpt_tensor){ .rows = rows, .cols = cols, .offset = params->floats };
	/* Names of layers have a place for their number. */
	snprintf(tensor->name, sizeof(tensor->name), name, layer);
	params->floats += (size_t)(rows ? rows : 1) * cols;
}

int params_init(struct gpt_params *params, const struct gpt_shape *shape)
{
	const uint32_t dim = shape->dim, layers = shape->layers;

	*params = (struct gpt_params){ .shape = *shape };
	params->tensors = calloc(3 + (size_t)layers * (GPT_LAYER_MATRICES + GPT_LAYER_VECTORS),
				 sizeof(*params->tensors));
	if (!params->tensors)
		return -1;
	add(params, GPT_VOCABULARY, dim, "embedding.weight", 0);
	for (uint32_t i = 0; i < layers; i++) {
		add(params, dim, 3 * dim, "layers.%u.attention.qkv.weight", i);
		add(params, dim, dim, "layers.%u.attention.out.weight", i);
		add(params, dim, GPT_MLP * dim, "layers.%u.mlp.up.weight", i);
		add(params, GPT_MLP * dim, dim, "layers.%u.mlp.down.weight", i);
	}
	add(params, dim, GPT_VOCABULARY, "head.weight", 0);
	params->matrices = params->floats;
	for (uint32_t i = 0; i < layers; i++) {
		add(params, 0, dim, "layers.%u.attention.norm.weight", i);
		add(params, 0, dim, "layers.%u.mlp.norm.weight", i);
	}
	add(params, 0, dim, "norm.weight", 0);
	return 0;
}

void params_fini(struct gpt_params *params)
{
	free(params->tensors);
}

size_t gpt_embedding(const struct gpt_params *params)
{
	return params->tensors[0].offset;
}

size_t gpt_matrix(const struct gpt_params *params, uint32_t layer, enum gpt_matrix which)
{
	return params->tensors[1 + layer * GPT_LAYER_MATRICES + which].offset;
}

size_t gpt_head(const struct gpt_params *params)
{
	return params->tensors[1 + params->shape.layers * GPT_LAYER_MATRICES].offset;
}

size_t gpt_vector(const struct gpt_params *params, uint32_t layer, enum gpt_vector which)
{
	const uint32_t first = 2 + params->shape.layers * GPT_LAYER_MATRICES;

	return params->tensors[first + layer * GPT_LAYER_VECTORS + which].offset;
}

size_t gpt_last_norm(const struct gpt_params *params)
{
	return params->tensors[params->count - 1].offset;
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Box and Muller, one of the two. */
static float normal(uint64_t *state)
{
	const double u = (double)((next(state) >> 11) + 1) * 0x1p-53;
	const double v = (double)(next(state) >> 11) * 0x1p-53;

	return (float)(sqrt(-2 * log(u)) * cos(2 * M_PI * v));
}

static bool adds_to_x(const struct gpt_tensor *tensor)
{
	return strstr(tensor->name, ".out.") || strstr(tensor->name, ".down.");
}

void params_random(const struct gpt_params *params, float *values, uint64_t seed)
{
	const float less = 1 / sqrtf(2.0f * (float)params->shape.layers);
	uint64_t state = seed;

	for (unsigned int i = 0; i < params->count; i++) {
		const struct gpt_tensor *tensor = &params->tensors[i];
		const float deviation = DEVIATION * (adds_to_x(tensor) ? less : 1);
		float *at = values + tensor->offset;
		size_t count = (size_t)(tensor->rows ? tensor->rows : 1) * tensor->cols;

		for (; count; count--)
			*at++ = tensor->rows ? deviation * normal(&state) : 1;
	}
}

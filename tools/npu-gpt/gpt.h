/* SPDX-License-Identifier: MIT */
/*
 * npu-gpt: a transformer that learns to write from a text, byte by byte.
 *
 *	x = embedding of the bytes
 *	each layer:	x += attention(rope(q), rope(k), v) * out,  q, k, v = norm(x) * qkv
 *			x += gelu(norm(x) * up) * down
 *	logits = norm(x) * head
 *
 * with RMS norms and causal attention, trained by AdamW on the cross entropy of the next byte.
 */
#ifndef GPT_H
#define GPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GPT_VOCABULARY = 256,
	GPT_MLP = 4, /* inner width, in dims */
	NGRAM_MAX = 6,
	GPT_MAX_DIM = 4096,
	GPT_MAX_LAYERS = 128,
	GPT_MAX_CONTEXT = 8192,
	GPT_MAX_HEAD_DIM = 256,
};

#define GPT_EPSILON 1e-5f /* of norms */
#define GPT_ROPE_BASE 10000.0f
#define GPT_BETA1 0.9f
#define GPT_BETA2 0.95f
#define GPT_ADAM_EPSILON 1e-8f
#define GPT_WEIGHT_DECAY 0.1f /* of matrices */

struct gpt_shape {
	uint32_t dim, layers, heads;
	uint32_t context; /* bytes of a sequence */
};

static inline uint32_t gpt_head_dim(const struct gpt_shape *shape)
{
	return shape->dim / shape->heads;
}

/* gpt_shape_error() - what is wrong with a shape; NULL: nothing. params.c */
const char *gpt_shape_error(const struct gpt_shape *shape);

struct text {
	uint8_t *data;
	size_t bytes;
};

/**
 * struct gpt_tensor - a parameter: @rows x @cols floats at @offset of all, in floats
 * @name: as the file of a checkpoint has it
 * @rows: 0: a vector of @cols
 */
struct gpt_tensor {
	char name[48];
	uint32_t rows, cols;
	size_t offset;
};

/* Parameters, all in one array: matrices first, which alone decay. params.c */
struct gpt_params {
	struct gpt_shape shape;
	struct gpt_tensor *tensors;
	unsigned int count;
	size_t matrices; /* floats of the matrices */
	size_t floats; /* of all */
};

/* Tensors of a layer, in the order of gpt_params.tensors. */
enum gpt_matrix { GPT_QKV, GPT_OUT, GPT_UP, GPT_DOWN, GPT_LAYER_MATRICES };
enum gpt_vector { GPT_NORM1, GPT_NORM2, GPT_LAYER_VECTORS };

int params_init(struct gpt_params *params, const struct gpt_shape *shape);
void params_fini(struct gpt_params *params);
/* Normal with a deviation of 0.02, of what adds to x less by the number of layers; norms are 1. */
void params_random(const struct gpt_params *params, float *values, uint64_t seed);

size_t gpt_embedding(const struct gpt_params *params);
size_t gpt_head(const struct gpt_params *params);
size_t gpt_last_norm(const struct gpt_params *params);
size_t gpt_matrix(const struct gpt_params *params, uint32_t layer, enum gpt_matrix which);
size_t gpt_vector(const struct gpt_params *params, uint32_t layer, enum gpt_vector which);

/* What training leaves behind, each as large as the parameters. */
enum gpt_state {
	GPT_VALUES,
	GPT_MOMENT1,
	GPT_MOMENT2,
	GPT_STATES,
};

/* n-grams of bytes with backoff. ngram.c */
struct ngram;
struct ngram *ngram_new(const struct text *text, unsigned int order);
void ngram_free(struct ngram *model);
double ngram_loss(const struct ngram *model, const struct text *text); /* nats a byte */

/* Text, and sequences from it. text.c */

int text_load(const char *path, struct text *text);
void text_free(struct text *text);
/*
 * text_batch() - @count sequences of context + 1 bytes from places that @seed and @step choose
 */
void text_batch(const struct text *text, uint32_t count, uint32_t context, uint64_t seed,
		uint64_t step, uint8_t *bytes);

/* Checkpoints: safetensors. checkpoint.c */

/**
 * struct checkpoint - a training that can go on
 * @step: that were done
 * @seed: of its start and its batches
 * @state: params.floats each, by the caller
 */
struct checkpoint {
	struct gpt_shape shape;
	uint64_t step, seed;
	float *state[GPT_STATES];
};

int checkpoint_save(const char *path, const struct gpt_params *params,
		    const struct checkpoint *checkpoint);
/* Only the shape, step and seed; then params_init(), and all of it. */
int checkpoint_head(const char *path, struct checkpoint *checkpoint);
int checkpoint_load(const char *path, const struct gpt_params *params,
		    struct checkpoint *checkpoint);

/* The same model in plain C with OpenBLAS. cpu.c */
struct cpu_gpt;
struct cpu_gpt *cpu_gpt_new(const struct gpt_params *params, uint32_t batch, const float *values);
void cpu_gpt_free(struct cpu_gpt *gpt);
/* @bytes: batch x (context + 1); returns the mean loss before the step. */
float cpu_gpt_step(struct cpu_gpt *gpt, const uint8_t *bytes, float rate, uint64_t step);
/* Mean loss, without a step. */
float cpu_gpt_loss(struct cpu_gpt *gpt, const uint8_t *bytes);

/* Generation on the CPU, greedily. cpu_generate.c */
struct cpu_decoder;
struct cpu_decoder *cpu_decoder_new(const struct gpt_params *params, const float *values,
				    uint32_t sequences);
void cpu_decoder_free(struct cpu_decoder *decoder);
void cpu_decoder_prompt(struct cpu_decoder *decoder, uint32_t sequence, const int32_t *bytes,
			uint32_t count);
void cpu_decoder_step(struct cpu_decoder *decoder, int32_t *bytes);

/* The model on the NPU; false is an error, of which it has been told. npu.c, npu_train.c */
struct npu_gpt;
struct npu_gpt *npu_gpt_new(const struct gpt_params *params, const char *device, uint32_t batch);
void npu_gpt_free(struct npu_gpt *gpt);
bool npu_gpt_set(struct npu_gpt *gpt, enum gpt_state which, const float *values);
bool npu_gpt_get(struct npu_gpt *gpt, enum gpt_state which, float *values);
bool npu_gpt_step(struct npu_gpt *gpt, const uint8_t *bytes, float rate, uint64_t step,
		  float *loss);
/* Mean loss of the positions from @from on. */
bool npu_gpt_loss(struct npu_gpt *gpt, const uint8_t *bytes, uint32_t from, float *loss);

/* Generation on the NPU. npu_generate.c */

/* How the next byte is chosen: see npuop_sample(3). */
struct gpt_choice {
	float temperature, top_p;
	uint32_t top_k;
	uint64_t seed;
};

struct npu_decoder;
struct npu_decoder *npu_decoder_new(struct npu_gpt *gpt, uint32_t sequences,
				    const struct gpt_choice *choice);
void npu_decoder_free(struct npu_decoder *decoder);
/* @sequence begins anew with @count bytes, 1 to the context's. */
bool npu_decoder_prompt(struct npu_decoder *decoder, uint32_t sequence, const int32_t *bytes,
			uint32_t count);
/*
 * The next byte of each sequence; all have a prompt, and room in the context. @more: steps, at
 * least, that are asked for next, before any prompt: they may begin already
 */
bool npu_decoder_step(struct npu_decoder *decoder, uint32_t more, int32_t *bytes);

/* The program. main.c, train.c, generate.c */

struct options {
	const char *text, *load, *save, *device;
	struct gpt_shape shape;
	uint32_t batch, steps, stop; /* @stop: after so many steps of the schedule; 0: at its end */
	float rate;
	uint64_t seed;
	struct gpt_choice choice;
	const char **prompts;
	uint32_t count, bytes; /* sequences, and bytes of each */
	uint32_t every; /* steps to tell of; 0: by time */
	bool cpu; /* train on the CPU instead */
};

int train(const struct options *options);
int generate(const struct options *options);

double now_seconds(void);

#endif /* GPT_H */

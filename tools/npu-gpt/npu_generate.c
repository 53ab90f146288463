// SPDX-License-Identifier: MIT
/*
 * Generation on the NPU: keys and values of all positions are kept in pages. A prompt goes
 * through the layers at once; then each step takes the next byte of every sequence, by one graph
 * in which also the choice of the byte and the lengths stay on the device. So the next step can
 * begin before the CPU has the bytes of the last one.
 */
#include <stdlib.h>
#include <string.h>

#include "npu.h"

enum cache_buffer {
	CACHE_KEYS, /* layers x pages x NPU_PAGE x dim */
	CACHE_VALUES,
	CACHE_TABLE, /* S32, sequences x pages of a sequence */
	CACHE_COUNTS, /* S32: length of each sequence, and the counter of random numbers */
	CACHE_BYTES, /* chosen last */
	CACHE_TAKEN, /* of the last STEPS_AHEAD steps, for the CPU */
	CACHE_LOGITS, /* sequences x GPT_VOCABULARY */
	CACHE_ROPE, /* positions x head dim: cosines and sines */
	CACHE_COUNT
};

#define STEPS_AHEAD 4 /* that the NPU may have got while the CPU waits for the first of them */

/* @begun: steps so far; @ended: those whose bytes the CPU has */
struct npu_decoder {
	struct npu_gpt *gpt;
	struct gpt_choice choice;
	uint32_t sequences, pages; /* pages of a sequence */
	npurt_memory *memory[CACHE_COUNT];
	npurt_graph_exec *step;
	uint64_t begun, ended;
	npurt_event *done[STEPS_AHEAD];
	const int32_t *taken;
};

/* Which sequences take a pass, and how many new positions each of them has. */
struct pass {
	uint64_t first, sequences, positions;
	bool goes_on; /* with one position each; else from position 0 on */
	npuop_tensor table, lengths;
};

static npuop_tensor numbers(const struct npu_decoder *d, enum cache_buffer buffer, uint32_t rank,
			    const uint64_t *shape)
{
	return npuop_tensor_dense(d->memory[buffer], 0, NPUOP_S32, rank, shape);
}

static npuop_tensor lengths_of(const struct npu_decoder *d)
{
	const uint64_t n = d->sequences;

	return numbers(d, CACHE_COUNTS, 1, &n);
}

static uint64_t positions_of(const struct npu_decoder *d)
{
	return (uint64_t)d->pages * NPU_PAGE;
}

static npuop_tensor rope_of(const struct npu_decoder *d)
{
	return npuop_tensor_dense(d->memory[CACHE_ROPE], 0, NPUOP_F32, 2,
				  (uint64_t[]){ positions_of(d),
						gpt_head_dim(&d->gpt->params->shape) });
}

static npuop_tensor cache(const struct npu_decoder *d, enum cache_buffer buffer, uint32_t layer)
{
	const struct gpt_shape *shape = &d->gpt->params->shape;
	const uint64_t pages = (uint64_t)d->sequences * d->pages;
	const uint64_t extent[] = { pages, NPU_PAGE, shape->heads, gpt_head_dim(shape) };

	return npuop_tensor_dense(d->memory[buffer],
				  layer * pages * NPU_PAGE * shape->dim * sizeof(float), NPUOP_F32,
				  4, extent);
}

/* q, k or v of the rows as [sequences, positions, heads, head dim]. */
static npuop_tensor by_position(const struct npu_gpt *gpt, const struct pass *pass, uint32_t which,
				uint64_t parts)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint64_t pitch = 3 * (uint64_t)shape->dim, dim = gpt_head_dim(shape);

	return (npuop_tensor){
		.memory = gpt->memory[BUF_QKV],
		.offset = which * (uint64_t)shape->dim * sizeof(float),
		.dtype = NPUOP_F32,
		.rank = 4,
		.shape = { pass->sequences, pass->positions, parts * shape->heads, dim },
		.stride = { pass->positions * pitch, pitch, dim, 1 },
	};
}

static void attend(struct npu_decoder *d, uint32_t layer, const struct pass *pass)
{
	static const npuop_attention_attr causal = { .size = sizeof(causal),
						     .flags = NPUOP_ATTENTION_CAUSAL };
	struct npu_gpt *gpt = d->gpt;
	const uint64_t dim = gpt->params->shape.dim;
	const npuop_tensor turn = by_position(gpt, pass, 0, 2);
	const npuop_tensor k = by_position(gpt, pass, 1, 1), v = by_position(gpt, pass, 2, 1);
	const npuop_tensor keys = cache(d, CACHE_KEYS, layer);
	const npuop_tensor values = cache(d, CACHE_VALUES, layer);
	const npuop_tensor q =
		npu_heads(gpt, BUF_QKV, 0, pass->sequences, pass->positions, 3 * dim);
	const npuop_tensor out =
		npu_heads(gpt, BUF_ATTENTION, 0, pass->sequences, pass->positions, dim);

	if (pass->goes_on) {
		const npuop_tensor rope = rope_of(d);

		NPU_DO(gpt,
		       npuop_attention_decode(gpt->ops, &causal, &q, &k, &v, &rope, &pass->table,
					      &pass->lengths, &keys, &values, &out));
		return;
	}
	NPU_DO(gpt, npuop_rope(gpt->ops, &turn, NULL, GPT_ROPE_BASE, 0, &turn));
	NPU_DO(gpt,
	       npuop_cache_append(gpt->ops, &k, &v, &pass->table, &pass->lengths, &keys, &values));
	NPU_DO(gpt, npuop_attention_paged(gpt->ops, &causal, &q, &keys, &values, &pass->table,
					  &pass->lengths, &out));
}

/* out = activation(RMS norm of x * w) */
static void norm_product(struct npu_gpt *gpt, const npuop_tensor *x, const npuop_tensor *gain,
			 const npuop_tensor *w, uint32_t activation, const npuop_tensor *out)
{
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.flags = NPUOP_GEMM_RMS_NORM,
		.activation = activation,
		.gamma = gain,
		.eps = GPT_EPSILON,
	};

	NPU_DO(gpt, npuop_gemm(gpt->ops, &attr, x, w, out));
}

/* x += in * w */
static void add_product(struct npu_gpt *gpt, const npuop_tensor *in, const npuop_tensor *w,
			const npuop_tensor *x)
{
	static const npuop_gemm_attr add = { .size = sizeof(add), .flags = NPUOP_GEMM_ACCUMULATE };

	NPU_DO(gpt, npuop_gemm(gpt->ops, &add, in, w, x));
}

static void layer_forward(struct npu_decoder *d, uint32_t layer, const struct pass *pass)
{
	struct npu_gpt *gpt = d->gpt;
	const uint64_t rows = pass->sequences * pass->positions, dim = gpt->params->shape.dim;
	const npuop_tensor x = npu_matrix(gpt, BUF_X, 0, rows, dim);
	const npuop_tensor qkv = npu_matrix(gpt, BUF_QKV, 0, rows, 3 * dim);
	const npuop_tensor attention = npu_matrix(gpt, BUF_ATTENTION, 0, rows, dim);
	const npuop_tensor inner = npu_matrix(gpt, BUF_GELU, 0, rows, GPT_MLP * dim);
	const npuop_tensor gain1 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM1);
	const npuop_tensor gain2 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM2);
	const npuop_tensor w_qkv = npu_weight(gpt, BUF_VALUES, layer, GPT_QKV);
	const npuop_tensor w_out = npu_weight(gpt, BUF_VALUES, layer, GPT_OUT);
	const npuop_tensor w_up = npu_weight(gpt, BUF_VALUES, layer, GPT_UP);
	const npuop_tensor w_down = npu_weight(gpt, BUF_VALUES, layer, GPT_DOWN);

	norm_product(gpt, &x, &gain1, &w_qkv, NPUOP_ACT_NONE, &qkv);
	attend(d, layer, pass);
	add_product(gpt, &attention, &w_out, &x);
	norm_product(gpt, &x, &gain2, &w_up, NPUOP_ACT_GELU_TANH, &inner);
	add_product(gpt, &inner, &w_down, &x);
}

/* From the bytes in @tokens to the logits of each sequence's last position. */
static void forward(struct npu_decoder *d, const struct pass *pass, const npuop_tensor *tokens)
{
	struct npu_gpt *gpt = d->gpt;
	const struct gpt_params *params = gpt->params;
	const uint64_t rows = pass->sequences * pass->positions, dim = params->shape.dim;
	const uint64_t all[] = { d->sequences, GPT_VOCABULARY };
	const npuop_tensor table =
		npu_matrix(gpt, BUF_VALUES, gpt_embedding(params), GPT_VOCABULARY, dim);
	const npuop_tensor gamma = npu_vector(gpt, BUF_VALUES, gpt_last_norm(params), dim);
	const npuop_tensor head =
		npu_matrix(gpt, BUF_VALUES, gpt_head(params), dim, GPT_VOCABULARY);
	const npuop_tensor x = npu_matrix(gpt, BUF_X, 0, rows, dim);
	const npuop_tensor logits =
		npuop_tensor_dense(d->memory[CACHE_LOGITS], 0, NPUOP_F32, 2, all);
	const npuop_tensor own = npuop_tensor_slice(&logits, 0, pass->first, pass->sequences);
	npuop_tensor last =
		npu_matrix(gpt, BUF_X, (pass->positions - 1) * dim, pass->sequences, dim);

	last.stride[0] = pass->positions * dim;
	NPU_DO(gpt, npuop_embedding(gpt->ops, &table, tokens, &x));
	for (uint32_t i = 0; i < params->shape.layers; i++)
		layer_forward(d, i, pass);
	norm_product(gpt, &last, &gamma, &head, NPUOP_ACT_NONE, &own);
}

/* A position of each sequence: choose a byte by the logits, and put it through the layers. */
static void decode(struct npu_decoder *d)
{
	struct npu_gpt *gpt = d->gpt;
	const uint64_t n = d->sequences;
	const npuop_tensor logits = npuop_tensor_dense(d->memory[CACHE_LOGITS], 0, NPUOP_F32, 2,
						       (uint64_t[]){ n, GPT_VOCABULARY });
	const npuop_tensor bytes = numbers(d, CACHE_BYTES, 1, &n);
	const npuop_tensor counts = numbers(d, CACHE_COUNTS, 1, (uint64_t[]){ n + 1 });
	const npuop_tensor counter = npuop_tensor_slice(&counts, 0, n, 1);
	const npuop_sample_attr choice = {
		.size = sizeof(choice),
		.temperature = d->choice.temperature,
		.top_p = d->choice.top_p,
		.top_k = d->choice.top_k,
		.random = { .size = sizeof(choice.random),
			    .seed = d->choice.seed,
			    .control = &counter },
	};
	const struct pass pass = {
		.sequences = n,
		.positions = 1,
		.goes_on = true,
		.lengths = lengths_of(d),
		.table = numbers(d, CACHE_TABLE, 2, (uint64_t[]){ n, d->pages }),
	};

	NPU_DO(gpt, npuop_sample(gpt->ops, &choice, &logits, &bytes));
	NPU_DO(gpt, npuop_binary_scalar(gpt->ops, NPUOP_ADD, &counts, 1, &counts));
	forward(d, &pass, &bytes);
}

static void capture_step(struct npu_decoder *d)
{
	struct npu_gpt *gpt = d->gpt;

	if (!NPU_DO(gpt, npurt_stream_begin_capture(gpt->stream, 0)))
		return;
	decode(d);
	npu_end_capture(gpt, &d->step);
}

static void begin_step(struct npu_decoder *d)
{
	const uint64_t bytes = d->sequences * sizeof(*d->taken), slot = d->begun % STEPS_AHEAD;
	struct npu_gpt *gpt = d->gpt;

	if (!d->step)
		capture_step(d);
	NPU_DO(gpt, npurt_graph_launch(d->step, gpt->stream));
	NPU_DO(gpt, npurt_memcpy_async(gpt->stream, d->memory[CACHE_TAKEN], slot * bytes,
				       d->memory[CACHE_BYTES], 0, bytes));
	NPU_DO(gpt, npurt_event_record(d->done[slot], gpt->stream));
	NPU_DO(gpt, npurt_stream_flush(gpt->stream));
	d->begun++;
}

bool npu_decoder_step(struct npu_decoder *d, uint32_t more, int32_t *bytes)
{
	const uint64_t ahead = more < STEPS_AHEAD ? more + 1 : STEPS_AHEAD;
	const uint64_t slot = d->ended % STEPS_AHEAD;
	struct npu_gpt *gpt = d->gpt;

	while (d->begun < d->ended + ahead)
		begin_step(d);
	NPU_DO(gpt, npurt_event_wait(d->done[slot], NPURT_INFINITE));
	if (gpt->error)
		return false;
	memcpy(bytes, d->taken + slot * d->sequences, d->sequences * sizeof(*bytes));
	d->ended++;
	return true;
}

bool npu_decoder_prompt(struct npu_decoder *d, uint32_t sequence, const int32_t *bytes,
			uint32_t count)
{
	struct npu_gpt *gpt = d->gpt;
	const int32_t length = (int32_t)count;
	const uint64_t all = d->sequences, rows = count;
	const npuop_tensor table = numbers(d, CACHE_TABLE, 2, (uint64_t[]){ all, d->pages });
	const npuop_tensor lengths = lengths_of(d);
	const npuop_tensor tokens =
		npuop_tensor_dense(gpt->memory[BUF_TOKENS], 0, NPUOP_S32, 1, &rows);
	const struct pass pass = {
		.first = sequence,
		.sequences = 1,
		.positions = count,
		.table = npuop_tensor_slice(&table, 0, sequence, 1),
		.lengths = npuop_tensor_slice(&lengths, 0, sequence, 1),
	};

	npu_upload_numbers(gpt, BUF_TOKENS, bytes, count);
	NPU_DO(gpt, npurt_upload(gpt->stream, d->memory[CACHE_COUNTS], sequence * sizeof(length),
				 &length, sizeof(length)));
	forward(d, &pass, &tokens);
	NPU_DO(gpt, npurt_stream_synchronize(gpt->stream));
	return !gpt->error;
}

/* Each sequence has pages of its own, in order. */
static void upload_table(struct npu_decoder *d)
{
	const uint32_t count = d->sequences * d->pages;
	int32_t *table = malloc(count * sizeof(*table));

	if (!table) {
		npu_check(d->gpt, NPURT_ERROR_HOST_MEMORY, "page table");
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		table[i] = (int32_t)i;
	NPU_DO(d->gpt, npurt_upload(d->gpt->stream, d->memory[CACHE_TABLE], 0, table,
				    count * sizeof(*table)));
	free(table);
}

/* As npuop_rope() turns pairs (1, 0). */
static void fill_rope(struct npu_decoder *d)
{
	struct npu_gpt *gpt = d->gpt;
	const npuop_tensor rope = rope_of(d);
	const uint64_t dim = rope.shape[1];
	const npuop_tensor ones = npuop_tensor_slice(&rope, 1, 0, dim / 2);
	const npuop_tensor zeros = npuop_tensor_slice(&rope, 1, dim / 2, dim / 2);
	const npuop_tensor turn = npuop_tensor_dense(rope.memory, 0, NPUOP_F32, 4,
						     (uint64_t[]){ 1, rope.shape[0], 1, dim });

	NPU_DO(gpt, npuop_fill(gpt->ops, 1, &ones));
	NPU_DO(gpt, npuop_fill(gpt->ops, 0, &zeros));
	NPU_DO(gpt, npuop_rope(gpt->ops, &turn, NULL, GPT_ROPE_BASE, 0, &turn));
}

struct npu_decoder *npu_decoder_new(struct npu_gpt *gpt, uint32_t sequences,
				    const struct gpt_choice *choice)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint32_t pages = (shape->context + NPU_PAGE - 1) / NPU_PAGE;
	const uint64_t cached = (uint64_t)shape->layers * sequences * pages * NPU_PAGE * shape->dim;
	const uint64_t words[CACHE_COUNT] = {
		[CACHE_KEYS] = cached,
		[CACHE_VALUES] = cached,
		[CACHE_TABLE] = (uint64_t)sequences * pages,
		[CACHE_COUNTS] = sequences + 1,
		[CACHE_BYTES] = sequences,
		[CACHE_TAKEN] = (uint64_t)STEPS_AHEAD * sequences,
		[CACHE_LOGITS] = (uint64_t)sequences * GPT_VOCABULARY,
		[CACHE_ROPE] = (uint64_t)pages * NPU_PAGE * gpt_head_dim(shape),
	};
	const int32_t zero = 0;
	struct npu_decoder *d = calloc(1, sizeof(*d));
	void *taken = NULL;

	if (!d)
		return NULL;
	*d = (struct npu_decoder){
		.gpt = gpt, .choice = *choice, .sequences = sequences, .pages = pages
	};
	for (int i = 0; i < CACHE_COUNT; i++) {
		const npurt_memory_attr attr = {
			.size = sizeof(attr),
			.placement = i == CACHE_TAKEN ? NPURT_PLACE_HOST : NPURT_PLACE_HBM,
		};

		NPU_DO(gpt, npurt_memory_create(gpt->context, words[i] * 4, &attr, &d->memory[i]));
	}
	NPU_DO(gpt, npurt_memory_map(d->memory[CACHE_TAKEN], &taken));
	d->taken = taken;
	for (int i = 0; i < STEPS_AHEAD; i++)
		NPU_DO(gpt, npurt_event_create(gpt->context, NULL, &d->done[i]));
	upload_table(d);
	NPU_DO(gpt, npurt_upload(gpt->stream, d->memory[CACHE_COUNTS], sequences * sizeof(zero),
				 &zero, sizeof(zero)));
	fill_rope(d);
	if (!gpt->error)
		return d;
	npu_decoder_free(d);
	return NULL;
}

void npu_decoder_free(struct npu_decoder *d)
{
	if (!d)
		return;
	npurt_stream_synchronize(d->gpt->stream);
	if (d->step)
		npurt_graph_exec_destroy(d->step);
	for (int i = 0; i < STEPS_AHEAD; i++)
		if (d->done[i])
			npurt_event_destroy(d->done[i]);
	for (int i = 0; i < CACHE_COUNT; i++)
		if (d->memory[i])
			npurt_memory_destroy(d->memory[i]);
	free(d);
}

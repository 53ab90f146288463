// SPDX-License-Identifier: MIT
/* Text from a checkpoint: several sequences side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

/* A sequence as it grows; what the model sees is the end of it. */
struct sequence {
	int32_t *bytes;
	size_t count, seen; /* @seen: since its last prompt, with it */
};

struct writing {
	const struct options *options;
	struct gpt_params params;
	struct checkpoint state;
	struct npu_gpt *npu;
	struct npu_decoder *decoder;
	struct cpu_decoder *cpu; /* in place of both */
	struct sequence *sequences;
	uint32_t count;
	double prefill_seconds, decode_seconds;
	size_t prefill_bytes, decode_bytes;
};

static bool load(struct writing *w)
{
	const struct options *options = w->options;

	if (checkpoint_head(options->load, &w->state) || params_init(&w->params, &w->state.shape))
		return false;
	for (int s = 0; s < GPT_STATES; s++) {
		w->state.state[s] = malloc(w->params.floats * sizeof(float));
		if (!w->state.state[s])
			return false;
	}
	return !checkpoint_load(options->load, &w->params, &w->state);
}

static bool prepare_npu(struct writing *w)
{
	const uint32_t rows = (w->count + w->params.shape.context - 1) / w->params.shape.context;

	w->npu = npu_gpt_new(&w->params, w->options->device, rows ? rows : 1);
	if (!w->npu || !npu_gpt_set(w->npu, GPT_VALUES, w->state.state[GPT_VALUES]))
		return false;
	w->decoder = npu_decoder_new(w->npu, w->count, &w->options->choice);
	return w->decoder;
}

static bool prepare_cpu(struct writing *w)
{
	w->cpu = cpu_decoder_new(&w->params, w->state.state[GPT_VALUES], w->count);
	return w->cpu;
}

static bool prepare_sequences(struct writing *w)
{
	w->sequences = calloc(w->count, sizeof(*w->sequences));
	for (uint32_t i = 0; w->sequences && i < w->count; i++) {
		const char *prompt = w->options->prompts[i % w->options->count];
		struct sequence *s = &w->sequences[i];

		s->count = strlen(prompt);
		s->bytes = malloc((s->count + w->options->bytes) * sizeof(*s->bytes));
		if (!s->bytes)
			return false;
		for (size_t j = 0; j < s->count; j++)
			s->bytes[j] = (uint8_t)prompt[j];
	}
	return w->sequences;
}

/* Show the model the last @most bytes of a sequence. */
static bool prompt(struct writing *w, uint32_t index, size_t most)
{
	struct sequence *s = &w->sequences[index];
	const double begin = now_seconds();

	s->seen = s->count < most ? s->count : most;
	if (w->cpu)
		cpu_decoder_prompt(w->cpu, index, s->bytes + s->count - s->seen, (uint32_t)s->seen);
	else if (!npu_decoder_prompt(w->decoder, index, s->bytes + s->count - s->seen,
				     (uint32_t)s->seen))
		return false;
	w->prefill_seconds += now_seconds() - begin;
	w->prefill_bytes += s->seen;
	return true;
}

/* A sequence that fills the context begins anew with its last half. @left: steps, with this one */
static bool step(struct writing *w, uint32_t left, int32_t *bytes)
{
	const uint32_t context = w->params.shape.context;
	double begin;

	for (uint32_t i = 0; i < w->count; i++) {
		const struct sequence *s = &w->sequences[i];

		if (s->seen == context && !prompt(w, i, context / 2))
			return false;
		if (left > context - s->seen)
			left = context - (uint32_t)s->seen;
	}
	begin = now_seconds();
	if (w->cpu)
		cpu_decoder_step(w->cpu, bytes);
	else if (!npu_decoder_step(w->decoder, left - 1, bytes))
		return false;
	w->decode_seconds += now_seconds() - begin;
	w->decode_bytes += w->count;
	for (uint32_t i = 0; i < w->count; i++) {
		struct sequence *s = &w->sequences[i];

		s->bytes[s->count++] = bytes[i];
		s->seen++;
	}
	return true;
}

static bool write_all(struct writing *w)
{
	int32_t *bytes = malloc(w->count * sizeof(*bytes));
	bool good = bytes;

	for (uint32_t i = 0; good && i < w->count; i++)
		good = prompt(w, i, w->params.shape.context - 1);
	for (uint32_t i = 0; good && i < w->options->bytes; i++)
		good = step(w, w->options->bytes - i, bytes);
	free(bytes);
	return good;
}

static void print(const struct writing *w)
{
	for (uint32_t i = 0; i < w->count; i++) {
		const struct sequence *s = &w->sequences[i];

		printf("--- %u\n", i + 1);
		for (size_t j = 0; j < s->count; j++)
			putchar(s->bytes[j]);
		putchar('\n');
	}
	fprintf(stderr,
		"prefill: %zu bytes, %.0f bytes/s; decode: %zu bytes of %u sequences, "
		"%.0f bytes/s\n",
		w->prefill_bytes, (double)w->prefill_bytes / w->prefill_seconds, w->decode_bytes,
		w->count, (double)w->decode_bytes / w->decode_seconds);
}

static void finish(struct writing *w)
{
	npu_decoder_free(w->decoder);
	cpu_decoder_free(w->cpu);
	npu_gpt_free(w->npu);
	for (uint32_t i = 0; w->sequences && i < w->count; i++)
		free(w->sequences[i].bytes);
	free(w->sequences);
	for (int s = 0; s < GPT_STATES; s++)
		free(w->state.state[s]);
	params_fini(&w->params);
}

int generate(const struct options *options)
{
	struct writing w = { .options = options, .count = options->count };
	const bool good = load(&w) && (options->cpu ? prepare_cpu(&w) : prepare_npu(&w)) &&
			  prepare_sequences(&w) && write_all(&w);

	if (good)
		print(&w);
	finish(&w);
	return good ? 0 : 2;
}

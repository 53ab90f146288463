// SPDX-License-Identifier: MIT
/* Training: the schedule, progress, the held-out text, and checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

#define HELD_OUT 0.05 /* of the text, at its end */
#define WARM_UP 0.05 /* of the steps */
#define LEAST_RATE 0.05f /* of the rate, at the end */
#define ORDER 5 /* of the n-grams to beat */
#define REPORT_SECONDS 5

struct training {
	const struct options *options;
	struct gpt_params params;
	struct text all, train, held_out;
	struct checkpoint state;
	struct npu_gpt *npu; /* or ... */
	struct cpu_gpt *cpu;
	uint8_t *bytes; /* of a batch */
};

/* Up in a straight line, down as a cosine. */
static float rate_at(const struct options *options, uint64_t step)
{
	const float warm = WARM_UP * (float)options->steps;
	const float past = ((float)step - warm) / ((float)options->steps - warm);

	if ((float)step < warm)
		return options->rate * (float)step / warm;
	return options->rate * (LEAST_RATE + (1 - LEAST_RATE) * (1 + cosf((float)M_PI * past)) / 2);
}

static void next_batch(struct training *t, uint64_t step)
{
	text_batch(&t->train, t->options->batch, t->params.shape.context, t->state.seed, step,
		   t->bytes);
}

/*
 * Mean loss of the held-out text, in windows that overlap by half: of each the second half counts,
 * so that every byte has at least half a context before it.
 */
static bool held_out_loss(struct training *t, float *loss)
{
	const uint32_t context = t->params.shape.context, batch = t->options->batch;
	const uint32_t half = context / 2;
	const size_t windows = (t->held_out.bytes - 1 - context) / half + 1,
		     batches = windows / batch;
	double sum = 0;

	for (size_t i = 0; i < batches; i++) {
		float mean;

		for (uint32_t w = 0; w < batch; w++)
			memcpy(t->bytes + (size_t)w * (context + 1),
			       t->held_out.data + (i * batch + w) * half, context + 1);
		if (!npu_gpt_loss(t->npu, t->bytes, half, &mean))
			return false;
		sum += mean;
	}
	*loss = batches ? (float)(sum / (double)batches) : NAN;
	return true;
}

static void print_progress(const struct training *t, uint64_t step, float loss, double begin,
			   uint64_t first)
{
	const double each = (now_seconds() - begin) / (double)(step - first);
	const uint64_t left = t->options->steps - step;

	printf("step %6" PRIu64 " of %u  loss %.4f  %6.0f bytes/s  %3.0f s left\n", step,
	       t->options->steps, loss, t->options->batch * t->params.shape.context / each,
	       (double)left * each);
	fflush(stdout);
}

static bool step_model(struct training *t, uint64_t step, float *loss)
{
	const float rate = rate_at(t->options, step);

	next_batch(t, step);
	if (t->npu)
		return npu_gpt_step(t->npu, t->bytes, rate, step, loss);
	*loss = cpu_gpt_step(t->cpu, t->bytes, rate, step);
	return true;
}

/* Is this a step to tell of: one of --every, or the first after a while? */
static bool tells(const struct training *t, uint64_t step, double told)
{
	if (t->options->every)
		return step % t->options->every == 0;
	return step == 1 || now_seconds() - told >= REPORT_SECONDS;
}

static bool run_steps(struct training *t)
{
	const uint64_t first = t->state.step;
	const uint64_t end = t->options->stop ? t->options->stop : t->options->steps;
	const double begin = now_seconds();
	double told = begin, second = begin;

	while (t->state.step < end) {
		const uint64_t step = t->state.step + 1;
		float loss;

		if (!step_model(t, step, &loss))
			return false;
		t->state.step = step;
		if (step == first + 1)
			second = now_seconds();
		if (step == end || tells(t, step, told)) {
			told = now_seconds();
			print_progress(t, step, loss, begin, first);
		}
	}
	if (end > first + 1)
		printf("%.6f s a step, the first one aside\n",
		       (now_seconds() - second) / (double)(end - first - 1));
	return true;
}

static int compare_with_ngrams(struct training *t)
{
	struct ngram *model = ngram_new(&t->train, ORDER);
	double ngrams;
	float loss;

	if (!model) {
		fprintf(stderr, "npu-gpt: out of memory\n");
		return 2;
	}
	ngrams = ngram_loss(model, &t->held_out);
	ngram_free(model);
	if (!held_out_loss(t, &loss))
		return 2;
	printf("held-out text, %zu bytes: loss %.4f nats a byte; %d-grams with backoff %.4f: %s\n",
	       t->held_out.bytes, loss, ORDER, ngrams, loss < ngrams ? "better" : "NOT better");
	return loss < ngrams ? 0 : 1;
}

static bool save(struct training *t)
{
	for (enum gpt_state s = 0; s < GPT_STATES; s++)
		if (!npu_gpt_get(t->npu, s, t->state.state[s]))
			return false;
	return !checkpoint_save(t->options->save, &t->params, &t->state);
}

static bool prepare_text(struct training *t)
{
	const size_t need = 2 * (size_t)t->params.shape.context;

	if (text_load(t->options->text, &t->all))
		return false;
	t->train.bytes = (size_t)((double)t->all.bytes * (1 - HELD_OUT));
	t->train.data = t->all.data;
	t->held_out.bytes = t->all.bytes - t->train.bytes;
	t->held_out.data = t->all.data + t->train.bytes;
	if (t->held_out.bytes >= need)
		return true;
	fprintf(stderr, "npu-gpt: %s: too short for a context of %u bytes\n", t->options->text,
		t->params.shape.context);
	return false;
}

/* A new start, or the one of a checkpoint. */
static bool prepare_state(struct training *t)
{
	const struct options *options = t->options;

	t->state = (struct checkpoint){ .shape = options->shape, .seed = options->seed };
	if (options->load && checkpoint_head(options->load, &t->state))
		return false;
	if (params_init(&t->params, &t->state.shape))
		return false;
	for (int s = 0; s < GPT_STATES; s++) {
		t->state.state[s] = calloc(t->params.floats, sizeof(float));
		if (!t->state.state[s]) {
			fprintf(stderr, "npu-gpt: out of memory\n");
			return false;
		}
	}
	if (options->load)
		return !checkpoint_load(options->load, &t->params, &t->state);
	params_random(&t->params, t->state.state[GPT_VALUES], options->seed);
	return true;
}

static bool prepare_model(struct training *t)
{
	t->bytes = malloc((size_t)t->options->batch * (t->params.shape.context + 1));
	if (t->bytes && t->options->cpu) {
		t->cpu = cpu_gpt_new(&t->params, t->options->batch, t->state.state[GPT_VALUES]);
		return t->cpu;
	}
	t->npu = t->bytes ? npu_gpt_new(&t->params, t->options->device, t->options->batch) : NULL;
	for (enum gpt_state s = 0; t->npu && s < GPT_STATES; s++)
		if (!npu_gpt_set(t->npu, s, t->state.state[s]))
			return false;
	return t->npu;
}

static void finish(struct training *t)
{
	npu_gpt_free(t->npu);
	if (t->cpu)
		cpu_gpt_free(t->cpu);
	free(t->bytes);
	for (int s = 0; s < GPT_STATES; s++)
		free(t->state.state[s]);
	params_fini(&t->params);
	text_free(&t->all);
}

int train(const struct options *options)
{
	struct training t = { .options = options };
	int status = 2;

	if (!prepare_state(&t) || !prepare_text(&t) || !prepare_model(&t)) {
		finish(&t);
		return status;
	}
	printf("%zu parameters: dim %u, %u layers, %u heads, context %u; %zu bytes to learn from\n",
	       t.params.floats, t.params.shape.dim, t.params.shape.layers, t.params.shape.heads,
	       t.params.shape.context, t.train.bytes);
	if (run_steps(&t) && (!options->save || save(&t)))
		status = t.npu && t.state.step == options->steps ? compare_with_ngrams(&t) : 0;
	finish(&t);
	return status;
}

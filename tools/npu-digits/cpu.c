// SPDX-License-Identifier: MIT
/* The reference: the same training in plain C, without the NPU or its kernels. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

/* A mini-batch on its way through the network. */
struct pass {
	unsigned int rows;
	float (*x)[INPUTS];
	int32_t *labels;
	float (*hidden)[HIDDEN];
	float (*hidden_grad)[HIDDEN];
	float (*logits)[CLASSES]; /* then their gradient */
};

struct trainer {
	bool half;
	struct parameters *w;
	struct parameters operand; /* weights as the products see them: rounded to fp16 or not */
	struct parameters grad, velocity;
	struct pass pass;
};

/* An operand of a matrix product. */
static float operand(const struct trainer *t, float value)
{
	return t->half ? (float)(_Float16)value : value;
}

static void round_weights(struct trainer *t)
{
	const float *from = (const float *)t->w;
	float *to = (float *)&t->operand;

	for (size_t i = 0; i < PARAMETERS; i++)
		to[i] = operand(t, from[i]);
}

static void forward(struct trainer *t)
{
	const struct pass *p = &t->pass;

	for (unsigned int r = 0; r < p->rows; r++) {
		float *hidden = p->hidden[r], *logits = p->logits[r];

		memset(hidden, 0, sizeof(p->hidden[r]));
		for (unsigned int k = 0; k < INPUTS; k++) {
			const float x = p->x[r][k];

			if (x == 0)
				continue;
			for (unsigned int j = 0; j < HIDDEN; j++)
				hidden[j] += x * t->operand.w1[k][j];
		}
		memset(logits, 0, sizeof(p->logits[r]));
		for (unsigned int k = 0; k < HIDDEN; k++) {
			float h;

			hidden[k] = fmaxf(hidden[k] + t->w->b1[k], 0);
			if (hidden[k] == 0)
				continue;
			h = operand(t, hidden[k]);
			for (unsigned int j = 0; j < CLASSES; j++)
				logits[j] += h * t->operand.w2[k][j];
		}
		for (unsigned int j = 0; j < CLASSES; j++)
			logits[j] += t->w->b2[j];
	}
}

/* Logits become their gradient; returns the sum of the losses. */
static double softmax(const struct pass *p)
{
	double loss = 0;

	for (unsigned int r = 0; r < p->rows; r++) {
		float *logits = p->logits[r], max = logits[0], sum = 0;

		for (unsigned int j = 1; j < CLASSES; j++)
			max = fmaxf(max, logits[j]);
		for (unsigned int j = 0; j < CLASSES; j++)
			sum += expf(logits[j] - max);
		loss += logf(sum) + max - logits[p->labels[r]];
		for (unsigned int j = 0; j < CLASSES; j++)
			logits[j] = expf(logits[j] - max) / sum;
		logits[p->labels[r]] -= 1;
	}
	return loss;
}

static void backward_row(struct trainer *t, unsigned int r)
{
	const struct pass *p = &t->pass;
	const float *hidden = p->hidden[r];
	float *hidden_grad = p->hidden_grad[r], logits_grad[CLASSES];

	for (unsigned int j = 0; j < CLASSES; j++) {
		t->grad.b2[j] += p->logits[r][j];
		logits_grad[j] = operand(t, p->logits[r][j]);
	}
	for (unsigned int k = 0; k < HIDDEN; k++) {
		float h, sum = 0;

		hidden_grad[k] = 0;
		if (hidden[k] == 0)
			continue;
		h = operand(t, hidden[k]);
		for (unsigned int j = 0; j < CLASSES; j++) {
			sum += logits_grad[j] * t->operand.w2[k][j];
			t->grad.w2[k][j] += h * logits_grad[j];
		}
		t->grad.b1[k] += sum;
		hidden_grad[k] = operand(t, sum);
	}
	for (unsigned int k = 0; k < INPUTS; k++) {
		const float x = p->x[r][k];

		if (x == 0)
			continue;
		for (unsigned int j = 0; j < HIDDEN; j++)
			t->grad.w1[k][j] += x * hidden_grad[j];
	}
}

static void backward(struct trainer *t)
{
	memset(&t->grad, 0, sizeof(t->grad));
	for (unsigned int r = 0; r < t->pass.rows; r++)
		backward_row(t, r);
}

static void update(struct trainer *t, float rate, float momentum)
{
	const float *grad = (const float *)&t->grad;
	float *velocity = (float *)&t->velocity, *w = (float *)t->w;

	for (size_t i = 0; i < PARAMETERS; i++) {
		velocity[i] = momentum * velocity[i] + grad[i];
		w[i] -= rate * velocity[i];
	}
	round_weights(t);
}

static void gather(struct pass *p, const struct images *images, const unsigned int *order,
		   unsigned int rows)
{
	p->rows = rows;
	for (unsigned int r = 0; r < rows; r++) {
		const unsigned int image = order ? order[r] : r;

		memcpy(p->x[r], images->pixels[image], sizeof(p->x[r]));
		p->labels[r] = images->labels[image];
	}
}

static double train_epoch(struct trainer *t, const struct settings *settings,
			  const struct images *images, const unsigned int *order)
{
	double loss = 0;

	for (unsigned int at = 0; at < images->count; at += settings->batch) {
		const unsigned int left = images->count - at;
		const unsigned int rows = left < settings->batch ? left : settings->batch;

		gather(&t->pass, images, order + at, rows);
		forward(t);
		loss += softmax(&t->pass);
		backward(t);
		update(t, settings->rate / rows, settings->momentum);
	}
	return loss / images->count;
}

static void predict(struct trainer *t, const struct images *images, int32_t *predicted)
{
	gather(&t->pass, images, NULL, images->count);
	forward(t);
	for (unsigned int r = 0; r < images->count; r++) {
		const float *logits = t->pass.logits[r];

		predicted[r] = 0;
		for (int32_t j = 1; j < CLASSES; j++)
			if (logits[j] > logits[predicted[r]])
				predicted[r] = j;
	}
}

static bool pass_alloc(struct pass *p, unsigned int rows)
{
	p->x = calloc(rows, sizeof(*p->x));
	p->labels = calloc(rows, sizeof(*p->labels));
	p->hidden = calloc(rows, sizeof(*p->hidden));
	p->hidden_grad = calloc(rows, sizeof(*p->hidden_grad));
	p->logits = calloc(rows, sizeof(*p->logits));
	return p->x && p->labels && p->hidden && p->hidden_grad && p->logits;
}

static void pass_free(struct pass *p)
{
	free(p->x);
	free(p->labels);
	free(p->hidden);
	free(p->hidden_grad);
	free(p->logits);
}

int cpu_train(const struct settings *settings, const struct dataset *data, struct result *result)
{
	const unsigned int rows = settings->batch > data->test.count ? settings->batch :
								       data->test.count;
	unsigned int *order = calloc(data->train.count, sizeof(*order));
	struct trainer *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;
	double start;

	if (!order || !t || !pass_alloc(&t->pass, rows))
		goto out;
	t->half = settings->half;
	t->w = &result->weights;
	parameters_init(t->w, settings->seed);
	round_weights(t);
	start = now_seconds();
	for (unsigned int epoch = 0; epoch < settings->epochs; epoch++) {
		shuffle(order, data->train.count, settings->seed, epoch);
		result->loss[epoch] = (float)train_epoch(t, settings, &data->train, order);
	}
	result->seconds = now_seconds() - start;
	predict(t, &data->test, result->predicted);
	err = 0;
out:
	if (t)
		pass_free(&t->pass);
	free(t);
	free(order);
	return err;
}

// SPDX-License-Identifier: MIT
/* The n-grams that npu-gpt's loss is held against: were they worse, the loss would look better. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"
#include "tap.h"

#define ORDER 5 /* that of npu-gpt */

static uint32_t state = 1;

static uint32_t chance(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

static struct ngram *model_of(const void *bytes, size_t count, unsigned int order)
{
	struct ngram *model = ngram_new(&(struct text){ (uint8_t *)bytes, count }, order);

	if (!model) {
		printf("Bail out! out of memory\n");
		exit(1);
	}
	return model;
}

/* -ln P of all @count bytes, each after those in front of it. */
static double surprise(const struct ngram *model, const void *bytes, size_t count)
{
	return ngram_loss(model, &(struct text){ (uint8_t *)bytes, count }) * (double)count;
}

/* P(@next | @context) */
static double after(const struct ngram *model, const char *context, size_t length, int next)
{
	char bytes[32];

	memcpy(bytes, context, length);
	bytes[length] = (char)next;
	return exp(surprise(model, bytes, length) - surprise(model, bytes, length + 1));
}

#define AFTER(model, context, next) after(model, context, sizeof(context) - 1, next)

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * b;
}

static void test_by_hand(void)
{
	/*
	 * Different bytes in front: of a 2 (the begin of the text is one), b 1, c 1: 4 of 3 types.
	 * After a: b twice, c once, 2 types. After b: a twice.
	 */
	struct ngram *model = model_of("ababac", 6, 2);
	const double none = 0.75 * 3 / 4 / 256;
	const double a = (2 - 0.75) / 4 + none, b = (1 - 0.75) / 4 + none, c = b;

	ok(near(AFTER(model, "", 'a'), a) && near(AFTER(model, "", 'c'), c) &&
	   near(AFTER(model, "", 'z'), none), "without a context, seen and unseen bytes");
	ok(near(AFTER(model, "a", 'b'), (2 - 0.75 + 0.75 * 2 * b) / 3) &&
	   near(AFTER(model, "a", 'c'), (1 - 0.75 + 0.75 * 2 * c) / 3) &&
	   near(AFTER(model, "b", 'a'), (2 - 0.75 + 0.75 * a) / 2),
	   "bytes that have followed a context");
	ok(near(AFTER(model, "a", 'a'), 0.75 * 2 * a / 3) &&
	   near(AFTER(model, "b", 'z'), 0.75 * none / 2), "bytes that have not");
	ok(near(AFTER(model, "z", 'a'), a) && near(AFTER(model, "c", 'z'), none),
	   "contexts that nothing has followed");
	ngram_free(model);
}

/* Texts of few and of all bytes, of which the tables grow; contexts from them and others. */
static void test_sums(void)
{
	static uint8_t text[30000];
	char context[8];

	for (unsigned int order = 1; order <= NGRAM_MAX; order++) {
		const uint32_t bytes = order % 2 ? 256 : 3;
		double worst = 0;
		struct ngram *model;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (uint8_t)(255 - chance(1 + chance(bytes)));
		model = model_of(text, sizeof(text), order);
		for (unsigned int round = 0; round < 100; round++) {
			const size_t length = round % 8;
			double sum = 0;

			memcpy(context, text + chance(sizeof(text) - 8), length);
			if (round % 3 == 0 && length)
				context[chance((uint32_t)length)] = (char)chance(256);
			for (int next = 0; next < 256; next++)
				sum += after(model, context, length, next);
			worst = fmax(worst, fabs(sum - 1));
		}
		ok(worst < 1e-9, "order %u: after seen and unseen contexts probabilities add up to 1",
		   order);
		ngram_free(model);
	}
}

/* What follows is told by the first byte of the context alone, and by none in front of it. */
static void test_whole_context(void)
{
	for (unsigned int order = 2; order <= NGRAM_MAX; order++) {
		const size_t words = 50, size = order;
		char text[2 * 50 * NGRAM_MAX + 1], p[NGRAM_MAX], q[NGRAM_MAX], longer[NGRAM_MAX + 1];
		struct ngram *model, *shorter;

		memset(text, '-', sizeof(text));
		for (size_t i = 0; i < 2 * words; i++) {
			text[i * size] = i % 2 ? 'q' : 'p';
			text[(i + 1) * size - 1] = i % 2 ? 'z' : 'y';
		}
		memset(p, '-', sizeof(p));
		memset(q, '-', sizeof(q));
		p[0] = 'p';
		q[0] = 'q';
		model = model_of(text, 2 * words * size, order);
		shorter = model_of(text, 2 * words * size, order - 1);
		longer[0] = '?';
		memcpy(longer + 1, p, order - 1);
		ok(after(model, p, order - 1, 'y') > 0.97 && after(model, q, order - 1, 'z') > 0.97 &&
		   after(model, p, order - 1, 'z') < 0.02,
		   "order %u: the furthest byte of the context decides", order);
		ok(near(after(shorter, p, order - 1, 'y'), after(shorter, q, order - 1, 'y')) &&
		   near(after(model, longer, order, 'y'), after(model, p, order - 1, 'y')),
		   "order %u: one further away does not count", order);
		ngram_free(model);
		ngram_free(shorter);
	}
}

/* A source of known entropy: the byte after two others is one of two, by 9 to 1. */
static void test_entropy(void)
{
	const double entropy = -0.9 * log(0.9) - 0.1 * log(0.1);
	static uint8_t text[400000];
	const size_t train = sizeof(text) * 3 / 4;
	struct ngram *model;
	double loss;

	for (size_t i = 2; i < sizeof(text); i++) {
		const unsigned int usual = text[i - 1] ^ text[i - 2];

		text[i] = (uint8_t)((chance(10) ? usual : usual + 1) & 1);
	}
	model = model_of(text, train, ORDER);
	loss = surprise(model, text + train, sizeof(text) - train) / (double)(sizeof(text) - train);
	ok(fabs(loss - entropy) < 0.01, "text that was not seen has the entropy of its source: %.4f",
	   loss);
	ngram_free(model);
	model = model_of(text, train, 2);
	loss = surprise(model, text + train, sizeof(text) - train) / (double)(sizeof(text) - train);
	ok(loss > 0.6, "of one byte of context it has no more than guesses: %.4f", loss);
	ngram_free(model);
}

int main(void)
{
	test_by_hand();
	test_sums();
	test_whole_context();
	test_entropy();
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * The model to beat: n-grams of bytes with backoff, interpolated Kneser-Ney smoothing:
 *
 *	P(c | h) = max(N(h c) - D, 0) / N(h) + D * T(h) / N(h) * P(c | h without its first byte)
 *
 * N counts occurrences in the longest n-grams, and in all shorter ones different bytes in front;
 * T(h) is how many different bytes follow h. The last step down is to the uniform distribution.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

#define DISCOUNT 0.75
#define LOAD 2 /* slots an entry */

/* A string of @length bytes, and what is known of it. */
struct entry {
	uint64_t key; /* its bytes, the last one lowest, plus one; 0: free */
	uint32_t count; /* N of it as an n-gram */
	uint32_t total; /* sum of N of the n-grams that it is the context of */
	uint32_t types; /* how many they are */
};

struct table {
	struct entry *slots;
	size_t mask, used;
};

struct ngram {
	unsigned int order;
	struct table tables[NGRAM_MAX + 1]; /* by length of the string */
};

static uint64_t hash(uint64_t key)
{
	key ^= key >> 29;
	key *= 0xbf58476d1ce4e5b9;
	return key ^ key >> 32;
}

static struct entry *find(const struct table *table, uint64_t key)
{
	size_t i = hash(key) & table->mask;

	while (table->slots[i].key && table->slots[i].key != key)
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static bool grow(struct table *table)
{
	const size_t slots = table->slots ? (table->mask + 1) * 2 : 1024;
	const struct table old = *table;

	*table = (struct table){ calloc(slots, sizeof(*table->slots)), slots - 1, old.used };
	if (!table->slots) {
		*table = old;
		return false;
	}
	for (size_t i = 0; old.slots && i <= old.mask; i++)
		if (old.slots[i].key)
			*find(table, old.slots[i].key) = old.slots[i];
	free(old.slots);
	return true;
}

/* The entry of a string, a new one if there is none; NULL if there is no memory. */
static struct entry *get(struct table *table, uint64_t key)
{
	struct entry *entry;

	if ((!table->slots || table->used * LOAD > table->mask) && !grow(table))
		return NULL;
	entry = find(table, key);
	if (!entry->key) {
		entry->key = key;
		table->used++;
	}
	return entry;
}

/* The last @length bytes before @end. */
static uint64_t key_of(const uint8_t *end, unsigned int length)
{
	uint64_t key = 0;

	for (unsigned int i = length; i; i--)
		key = key << 8 | end[-(int)i];
	return key + 1;
}

/*
 * Count the n-gram of @length bytes that ends at @end. A new one is another byte in front of the
 * next shorter one, which counts in turn.
 */
static bool count(struct ngram *model, const uint8_t *end, unsigned int length)
{
	for (bool first = true; length; length--) {
		struct entry *entry = get(&model->tables[length], key_of(end, length));
		struct entry *context =
			get(&model->tables[length - 1], key_of(end - 1, length - 1));

		if (!entry || !context)
			return false;
		first = !entry->count++;
		context->total++;
		context->types += first;
		if (!first)
			break;
	}
	return true;
}

struct ngram *ngram_new(const struct text *text, unsigned int order)
{
	struct ngram *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->order = order;
	for (size_t i = 1; i <= text->bytes; i++) {
		const unsigned int length = i < order ? (unsigned int)i : order;

		if (!count(model, text->data + i, length)) {
			ngram_free(model);
			return NULL;
		}
	}
	return model;
}

void ngram_free(struct ngram *model)
{
	for (unsigned int i = 0; model && i <= NGRAM_MAX; i++)
		free(model->tables[i].slots);
	free(model);
}

/* The probability of the byte before @end, of which @length - 1 bytes in front are known. */
static double probability(const struct ngram *model, const uint8_t *end, unsigned int length)
{
	const struct entry *context, *entry;
	double lower, seen;

	if (!length)
		return 1.0 / 256;
	lower = probability(model, end, length - 1);
	context = find(&model->tables[length - 1], key_of(end - 1, length - 1));
	if (!context->total)
		return lower;
	entry = find(&model->tables[length], key_of(end, length));
	seen = entry->count > DISCOUNT ? entry->count - DISCOUNT : 0;
	return (seen + DISCOUNT * context->types * lower) / context->total;
}

double ngram_loss(const struct ngram *model, const struct text *text)
{
	double sum = 0;

	for (size_t i = 1; i <= text->bytes; i++) {
		const unsigned int length = i < model->order ? (unsigned int)i : model->order;

		sum -= log(probability(model, text->data + i, length));
	}
	return text->bytes ? sum / (double)text->bytes : 0;
}

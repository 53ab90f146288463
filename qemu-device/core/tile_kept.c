// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ring of memory, and a table of what is in it. What comes for the first time is only noted,
 * unless most of its kind have come again lately.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tile_isa.h"
#include "tile_kept.h"

#define RING_BYTES ((uint64_t)48 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define SETS 1024
#define WAYS 4
/* What has been found stays as it is while as much as this is put into the ring. */
#define RING_SLACK ((uint64_t)4 << 20)
/* Written memory is looked up in a filter of granules: false hits cost no more than the ring. */
#define GRANULE 16 /* bits of an address within */
#define GRANULES (1u << 16)
/* What is wider is not kept, and not looked for: the filter takes a step for each granule. */
#define SPAN_MAX ((uint64_t)64 << 20)

struct entry {
	struct tile_kept_key key;
	uint64_t epoch;
	uint64_t at; /* in all that has been put into the ring in this epoch */
	bool again; /* it has come more than once */
	struct tile_form form;
};

/* How many of A or B have come, and come again; whether they are kept at first sight. */
struct habit {
	unsigned int noted, again;
	bool keep;
};

struct tile_kept {
	uint8_t *ring;
	uint64_t epoch, head;
	const uint8_t *first, *last; /* all that has been noted is from here to there */
	struct entry entries[SETS][WAYS];
	unsigned int next_victim;
	const struct entry *recent; /* found last */
	struct habit habits[2];
	uint64_t granules[GRANULES / 64];
};

struct tile_kept *tile_kept_new(void)
{
	struct tile_kept *kept = calloc(1, sizeof(*kept));

	if (kept && posix_memalign((void **)&kept->ring, HUGE_PAGE, RING_BYTES)) {
		free(kept);
		return NULL;
	}
	if (!kept)
		return NULL;
	kept->epoch = 1;
	/* Better than none, but no need. */
	madvise(kept->ring, RING_BYTES, MADV_HUGEPAGE);
	return kept;
}

void tile_kept_free(struct tile_kept *kept)
{
	if (kept)
		free(kept->ring);
	free(kept);
}

static bool comes_again(const struct habit *habit)
{
	return 2 * habit->again >= habit->noted;
}

void tile_kept_drop(struct tile_kept *kept)
{
	if (!kept->last)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		struct habit *habit = &kept->habits[i];

		if (habit->noted)
			habit->keep = comes_again(habit);
		habit->noted = 0;
		habit->again = 0;
	}
	kept->epoch++;
	kept->head = 0;
	kept->first = NULL;
	kept->last = NULL;
	memset(kept->granules, 0, sizeof(kept->granules));
}

static uint64_t *granule_word(struct tile_kept *kept, uintptr_t granule)
{
	return &kept->granules[granule % GRANULES / 64];
}

static uint64_t granule_bit(uintptr_t granule)
{
	return 1ULL << granule % 64;
}

void tile_kept_written(struct tile_kept *kept, const uint8_t *host, uint64_t span)
{
	const uintptr_t end = ((uintptr_t)host + span - 1) >> GRANULE;
	bool met = span > SPAN_MAX;

	if (!kept->last || host >= kept->last || host + span <= kept->first)
		return;
	for (uintptr_t i = (uintptr_t)host >> GRANULE; i <= end && !met; i++)
		met = *granule_word(kept, i) & granule_bit(i);
	if (met)
		tile_kept_drop(kept);
}

static uint64_t span_of(const struct tile_kept_key *key)
{
	return (key->rows - 1) * key->pitch + key->row_bytes;
}

static void note(struct tile_kept *kept, const struct tile_kept_key *key)
{
	const uint8_t *last = key->src + span_of(key);
	const uintptr_t end = (uintptr_t)(last - 1) >> GRANULE;

	if (!kept->first || key->src < kept->first)
		kept->first = key->src;
	if (last > kept->last)
		kept->last = last;
	for (uintptr_t i = (uintptr_t)key->src >> GRANULE; i <= end; i++)
		*granule_word(kept, i) |= granule_bit(i);
}

static unsigned int set_of(const struct tile_kept_key *key)
{
	uint64_t hash = (uintptr_t)key->src ^ (uint64_t)key->rows << 40 ^
			(uint64_t)key->row_bytes << 48 ^ (uint64_t)key->is_b << 63;

	hash *= 0x9e3779b97f4a7c15ULL;
	return hash >> 32 & (SETS - 1);
}

static bool same_key(const struct tile_kept_key *a, const struct tile_kept_key *b)
{
	return a->src == b->src && a->pitch == b->pitch && a->rows == b->rows &&
	       a->row_bytes == b->row_bytes && a->dtype == b->dtype && a->is_b == b->is_b &&
	       a->isa == b->isa;
}

/* Room in the ring, over what is oldest in it. */
static void place(struct tile_kept *kept, struct entry *entry, size_t floats)
{
	const uint64_t bytes = (floats * sizeof(float) + TILE_LINE - 1) & ~(uint64_t)(TILE_LINE - 1);

	if (kept->head % RING_BYTES + bytes > RING_BYTES)
		kept->head += RING_BYTES - kept->head % RING_BYTES;
	entry->at = kept->head;
	entry->form = (struct tile_form){
		.data = (float *)(kept->ring + kept->head % RING_BYTES),
	};
	kept->head += bytes;
}

/* Has it been overwritten since, or may it be soon? */
static bool is_lost(const struct tile_kept *kept, const struct entry *entry)
{
	return kept->head + RING_SLACK > entry->at + RING_BYTES;
}

static struct entry *choose_victim(struct tile_kept *kept, struct entry *set)
{
	for (unsigned int i = 0; i < WAYS; i++)
		if (set[i].epoch != kept->epoch)
			return &set[i];
	if (&set[++kept->next_victim % WAYS] == kept->recent)
		kept->next_victim++;
	return &set[kept->next_victim % WAYS];
}

static struct tile_form *form_of(struct tile_kept *kept, struct entry *entry, size_t floats)
{
	if (!entry->form.data || is_lost(kept, entry))
		place(kept, entry, floats);
	kept->recent = entry;
	return &entry->form;
}

struct tile_form *tile_kept_find(struct tile_kept *kept, const struct tile_kept_key *key,
				 size_t floats)
{
	struct entry *set = kept->entries[set_of(key)], *entry;
	struct habit *habit = &kept->habits[key->is_b];

	for (entry = set; entry < set + WAYS; entry++) {
		if (entry->epoch != kept->epoch || !same_key(&entry->key, key))
			continue;
		habit->again += !entry->again;
		habit->keep |= comes_again(habit);
		entry->again = true;
		return form_of(kept, entry, floats);
	}
	if (span_of(key) > SPAN_MAX)
		return NULL;
	entry = choose_victim(kept, set);
	*entry = (struct entry){ .key = *key, .epoch = kept->epoch };
	habit->noted++;
	note(kept, key);
	return habit->keep ? form_of(kept, entry, floats) : NULL;
}

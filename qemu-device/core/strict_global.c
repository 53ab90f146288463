// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict mode: what the blocks of a task have written to global memory, to the byte, as
 * neighbours share words: segments, sorted, by page. Blocks run in any order, so that none may
 * write or read what another one writes. Within a block it is flags that order accesses.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "strict_internal.h"

#define SEGMENTS_MIN 2
#define PAGES_MIN 64

/* Bytes @start to @end - 1 of a page, as they were last written. */
struct segment {
	uint64_t event;
	uint16_t start, end, block;
};

struct page {
	uint64_t number; /* of its first byte, in pages; 0: this place is free */
	unsigned int count, room;
	struct segment *segments;
};

/* A hash table, at most half full, with linear probing. */
struct strict_task {
	pthread_mutex_t lock;
	struct page *pages;
	size_t count, room; /* @room is a power of two */
	size_t *budget, used; /* bytes */
	uint64_t first, last; /* pages written, for a look without the lock (atomic) */
	bool full;
};

struct strict_task *strict_task_new(size_t *budget)
{
	struct strict_task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	pthread_mutex_init(&task->lock, NULL);
	task->budget = budget;
	task->first = UINT64_MAX;
	return task;
}

void strict_task_free(struct strict_task *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->room; i++)
		free(task->pages[i].segments);
	free(task->pages);
	__atomic_fetch_add(task->budget, task->used, __ATOMIC_RELAXED);
	pthread_mutex_destroy(&task->lock);
	free(task);
}

bool strict_task_full(const struct strict_task *task)
{
	return __atomic_load_n(&task->full, __ATOMIC_RELAXED);
}

static bool charge(struct strict_task *task, size_t bytes)
{
	size_t left = __atomic_load_n(task->budget, __ATOMIC_RELAXED);

	do {
		if (left < bytes)
			return false;
	} while (!__atomic_compare_exchange_n(task->budget, &left, left - bytes, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	task->used += bytes;
	return true;
}

static void uncharge(struct strict_task *task, size_t bytes)
{
	__atomic_fetch_add(task->budget, bytes, __ATOMIC_RELAXED);
	task->used -= bytes;
}

/* @old with zeros behind it, within the budget; NULL: @old is as it was. */
static void *grow(struct strict_task *task, void *old, size_t old_bytes, size_t bytes)
{
	void *grown = NULL;

	if (charge(task, bytes - old_bytes)) {
		grown = realloc(old, bytes);
		if (!grown)
			uncharge(task, bytes - old_bytes);
	}
	if (!grown) {
		__atomic_store_n(&task->full, true, __ATOMIC_RELAXED);
		return NULL;
	}
	memset((char *)grown + old_bytes, 0, bytes - old_bytes);
	return grown;
}

/* The place of a page, which is free if the page is not there. */
static struct page *place(struct page *pages, size_t room, uint64_t number)
{
	size_t i = (number * 0x9e3779b97f4a7c15ull >> 20) & (room - 1);

	while (pages[i].number && pages[i].number != number)
		i = (i + 1) & (room - 1);
	return &pages[i];
}

static bool grow_table(struct strict_task *task)
{
	size_t room = task->room ? task->room * 2 : PAGES_MIN;
	struct page *pages = grow(task, NULL, 0, room * sizeof(*pages));

	if (!pages)
		return false;
	for (size_t i = 0; i < task->room; i++)
		if (task->pages[i].number)
			*place(pages, room, task->pages[i].number) = task->pages[i];
	uncharge(task, task->room * sizeof(*pages));
	free(task->pages);
	task->pages = pages;
	task->room = room;
	return true;
}

static struct page *add_page(struct strict_task *task, uint64_t number)
{
	struct page *page = task->room ? place(task->pages, task->room, number) : NULL;

	if (page && page->number)
		return page;
	if (task->count >= task->room / 2) {
		if (!grow_table(task))
			return NULL;
		page = place(task->pages, task->room, number);
	}
	task->count++;
	page->number = number;
	if (number < task->first)
		__atomic_store_n(&task->first, number, __ATOMIC_RELAXED);
	if (number > task->last)
		__atomic_store_n(&task->last, number, __ATOMIC_RELAXED);
	return page;
}

/* The first segment that ends after @start. */
static unsigned int find_segment(const struct page *page, unsigned int start)
{
	unsigned int low = 0, high = page->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (page->segments[middle].end > start)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Put @new in the place of @drop segments from @at on, which are of its block, and of which the
 * first and the last may reach out of it.
 */
static void replace(struct strict_task *task, struct page *page, unsigned int at,
		    unsigned int drop, const struct segment *new)
{
	struct segment parts[3], *from = page->segments + at;
	unsigned int count = 0, room;

	if (drop && from[0].start < new->start) {
		parts[count] = from[0];
		parts[count++].end = new->start;
	}
	parts[count++] = *new;
	if (drop && from[drop - 1].end > new->end) {
		parts[count] = from[drop - 1];
		parts[count++].start = new->end;
	}
	if (page->count + count - drop > page->room) {
		room = page->room ? page->room * 2 : SEGMENTS_MIN;
		from = grow(task, page->segments, page->room * sizeof(*from),
			    room * sizeof(*from));
		if (!from)
			return;
		page->segments = from;
		page->room = room;
		from += at;
	}
	memmove(from + count, from + drop, (page->count - at - drop) * sizeof(*from));
	memcpy(from, parts, count * sizeof(*from));
	page->count += count - drop;
}

/* Bytes that follow on what the same instruction has written are one segment with it. */
static void remember(struct strict_task *task, struct page *page, unsigned int at,
		     unsigned int drop, const struct segment *new)
{
	struct segment *before = at ? &page->segments[at - 1] : NULL;

	if (!drop && before && before->end == new->start && before->event == new->event &&
	    before->block == new->block)
		before->end = new->end;
	else
		replace(task, page, at, drop, new);
}

/* May @access come after the write of @segment? */
static bool ordered(const struct strict_access *access, const struct segment *segment,
		    struct strict_clash *clash)
{
	if (segment->block != access->block)
		clash->status = NPU_ST_STRICT_OVERLAP;
	else if (!strict_seen(access->clock, access->pipe, segment->event))
		clash->status = NPU_ST_STRICT_FLAG;
	else
		return true;
	clash->event = segment->event;
	clash->access = NPU_ACCESS_WRITE;
	clash->block = segment->block;
	return false;
}

/* Bytes @start to @end - 1 of a page. */
static bool access_page(struct strict_task *task, const struct strict_access *access,
			uint64_t number, unsigned int start, unsigned int end,
			struct strict_clash *clash)
{
	bool write = access->access == NPU_ACCESS_WRITE;
	const struct segment new = { access->event, start, end, access->block };
	struct page *page = write ? add_page(task, number) :
				    place(task->pages, task->room, number);
	unsigned int at, i;

	if (!page || !page->number)
		return true;
	at = find_segment(page, start);
	for (i = at; i < page->count && page->segments[i].start < end; i++) {
		const struct segment *segment = &page->segments[i];

		if (ordered(access, segment, clash))
			continue;
		clash->address = segment->start > start ? segment->start : start;
		clash->bytes = (segment->end < end ? segment->end : end) - clash->address;
		clash->address += number * NPU_PAGE_SIZE;
		return false;
	}
	if (write)
		remember(task, page, at, i - at, &new);
	return true;
}

static bool access_row(struct strict_task *task, const struct strict_access *access,
		       uint64_t address, uint64_t bytes, struct strict_clash *clash)
{
	while (bytes) {
		uint64_t start = address % NPU_PAGE_SIZE, left = NPU_PAGE_SIZE - start;
		uint64_t part = bytes < left ? bytes : left;

		if (!access_page(task, access, address / NPU_PAGE_SIZE, start, start + part,
				 clash))
			return false;
		address += part;
		bytes -= part;
	}
	return true;
}

bool strict_global_untouched(const struct strict_task *task, uint64_t first, uint64_t last)
{
	return last / NPU_PAGE_SIZE < __atomic_load_n(&task->first, __ATOMIC_RELAXED) ||
	       first / NPU_PAGE_SIZE > __atomic_load_n(&task->last, __ATOMIC_RELAXED);
}

bool strict_global_access(struct strict_task *task, const struct strict_access *access,
			  const struct tile_rect *rect, struct strict_clash *clash)
{
	uint64_t rows = rect->pitch ? rect->rows : 1;
	uint64_t last = rect->address + (rows - 1) * rect->pitch + rect->row_bytes - 1;
	bool ok = true;

	if (access->access != NPU_ACCESS_WRITE &&
	    strict_global_untouched(task, rect->address, last))
		return true;
	pthread_mutex_lock(&task->lock);
	for (uint64_t row = 0; ok && row < rows; row++)
		ok = access_row(task, access, rect->address + row * rect->pitch, rect->row_bytes,
				clash);
	pthread_mutex_unlock(&task->lock);
	return ok;
}

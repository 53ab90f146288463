// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of pages, as an open hash table. */
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mmu.h>

#include "timing_pages.h"

#define FIRST_SIZE 256
#define HASH 0x9e3779b97f4a7c15ULL

/* Empty tables are kept for the next block while they are small. */
#define KEEP_SIZE 4096

void npu_pages_start(struct npu_pages *pages, uint64_t limit)
{
	if (pages->size > KEEP_SIZE)
		npu_pages_free(pages);
	if (pages->count)
		memset(pages->table, 0, pages->size * sizeof(*pages->table));
	pages->bytes = 0;
	pages->limit = limit / NPU_PAGE_SIZE;
	pages->full = false;
	pages->count = 0;
	pages->last = 0;
}

void npu_pages_free(struct npu_pages *pages)
{
	free(pages->table);
	*pages = (struct npu_pages){ 0 };
}

/* Page numbers are never 0: below NPU_VA_START there is no global memory. */
static void insert(uint64_t *table, size_t size, uint64_t page, size_t *count)
{
	size_t i = page * HASH >> 32 & (size - 1);

	while (table[i] && table[i] != page)
		i = (i + 1) & (size - 1);
	*count += !table[i];
	table[i] = page;
}

/* At most three quarters of a table are in use. */
static bool grow(struct npu_pages *pages)
{
	size_t size = pages->size ? 2 * pages->size : FIRST_SIZE, count = 0, i;
	uint64_t *table = calloc(size, sizeof(*table));

	if (!table)
		return false;
	for (i = 0; i < pages->size; i++)
		if (pages->table[i])
			insert(table, size, pages->table[i], &count);
	free(pages->table);
	pages->table = table;
	pages->size = size;
	return true;
}

static void add(struct npu_pages *pages, uint64_t page)
{
	if (pages->full || page == pages->last)
		return;
	if (4 * (pages->count + 1) > 3 * pages->size && !grow(pages)) {
		pages->full = true;
		return;
	}
	insert(pages->table, pages->size, page, &pages->count);
	pages->last = page;
	pages->full = pages->count > pages->limit;
}

void npu_pages_touch(struct npu_pages *pages, uint64_t va, uint64_t row_bytes, uint64_t rows,
		     uint64_t pitch)
{
	uint64_t page, end;

	pages->bytes += row_bytes * rows;
	for (; rows && !pages->full; rows--, va += pitch) {
		end = (va + row_bytes - 1) / NPU_PAGE_SIZE;
		for (page = va / NPU_PAGE_SIZE; page <= end && !pages->full; page++)
			add(pages, page);
	}
}

void npu_pages_merge(struct npu_pages *pages, const struct npu_pages *from)
{
	size_t i;

	pages->bytes += from->bytes;
	pages->full |= from->full;
	for (i = 0; i < from->size && !pages->full; i++)
		if (from->table[i])
			add(pages, from->table[i]);
}

uint64_t npu_pages_again(const struct npu_pages *pages)
{
	uint64_t once = pages->count * NPU_PAGE_SIZE;

	return pages->full || once >= pages->bytes ? 0 : pages->bytes - once;
}

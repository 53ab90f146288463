/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory is touched, and how much of that more than once: a set of pages. */
#ifndef TIMING_PAGES_H
#define TIMING_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct npu_pages - a set of pages
 * @bytes: touched, as often as they were
 * @limit: pages that it takes note of
 * @full: there were more, or there is no memory to note them
 * @count: pages in it
 * @size: of @table, a power of two, or 0
 * @table: hash table; 0 is a free slot
 * @last: page that was added last
 */
struct npu_pages {
	uint64_t bytes;
	uint64_t limit;
	bool full;
	size_t count, size;
	uint64_t *table;
	uint64_t last;
};

/* npu_pages_start() - empty, to note @limit bytes of memory at most. */
void npu_pages_start(struct npu_pages *pages, uint64_t limit);
void npu_pages_free(struct npu_pages *pages);

/* npu_pages_touch() - @rows rows of @row_bytes, not 0, at @va, @pitch apart. */
void npu_pages_touch(struct npu_pages *pages, uint64_t va, uint64_t row_bytes, uint64_t rows,
		     uint64_t pitch);

/* npu_pages_merge() - add what is in @from. */
void npu_pages_merge(struct npu_pages *pages, const struct npu_pages *from);

/* npu_pages_again() - bytes that had been touched before; 0 if there were too many pages. */
uint64_t npu_pages_again(const struct npu_pages *pages);

#endif /* TIMING_PAGES_H */

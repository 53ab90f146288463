/* SPDX-License-Identifier: MIT */
/* What operations read and write. */
#ifndef NPURT_USES_H
#define NPURT_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"

/* Rows of bytes. */
struct rt_area {
	uint64_t start, row_bytes, rows, pitch;
};

/* How much of its area an operation uses. */
enum rt_extent {
	RT_USES_ALL,
	RT_USES_SOME, /* but what? A kernel has a pointer, and memory ends somewhere. */
	RT_USES_PERHAPS, /* if it is done at all, or as others expect it to */
};

/* A kernel's of an address where nothing is has no bytes. */
struct rt_use {
	struct rt_area area;
	bool write;
	enum rt_extent extent;
	const char *argument; /* of a kernel; NULL: not by one */
};

/* Calls @fn for each until it gives an error, and gives that. Takes the context's lock. */
typedef int (*rt_use_fn)(const struct rt_use *use, void *data);
int rt_uses_of(npurt_context *context, const struct rt_op *op, rt_use_fn fn, void *data);

static inline uint64_t rt_area_end(const struct rt_area *area)
{
	return area->start + (area->rows - 1) * area->pitch + area->row_bytes;
}

/* Have they bytes in common, for sure? */
bool rt_uses_meet(const struct rt_use *a, const struct rt_use *b);

/* The memory object of the program's at an address; false: there is none. */
struct rt_found {
	const npurt_memory *memory; /* to be looked up, not at */
	uint64_t start, bytes;
	bool readonly; /* for the device */
};

bool rt_find_memory(npurt_context *context, uint64_t address, struct rt_found *found);

#endif /* NPURT_USES_H */

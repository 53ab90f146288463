// SPDX-License-Identifier: MIT
/*
 * Device addresses of a context: first fit over a list of holes. A context has
 * few holes at a time, so the list stays short.
 */
#include "internal.h"

#include <stdlib.h>

struct rt_hole {
	struct rt_hole *next;
	uint64_t start, end;
};

static struct rt_hole *new_hole(uint64_t start, uint64_t end, struct rt_hole *next)
{
	struct rt_hole *hole = malloc(sizeof(*hole));

	if (hole) {
		hole->start = start;
		hole->end = end;
		hole->next = next;
	}
	return hole;
}

int rt_va_init(struct rt_va *va, uint64_t start, uint64_t end)
{
	va->holes = new_hole(start, end, NULL);
	return va->holes ? 0 : NPURT_ERROR_HOST_MEMORY;
}

void rt_va_fini(struct rt_va *va)
{
	while (va->holes) {
		struct rt_hole *next = va->holes->next;

		free(va->holes);
		va->holes = next;
	}
}

/* Cuts [start, end) out of the hole; the hole goes if nothing is left of it. */
static bool cut(struct rt_hole **link, uint64_t start, uint64_t end)
{
	struct rt_hole *hole = *link;

	if (start > hole->start && end < hole->end) {
		struct rt_hole *after = new_hole(end, hole->end, hole->next);

		if (!after)
			return false;
		hole->next = after;
		hole->end = start;
	} else if (start > hole->start) {
		hole->end = start;
	} else if (end < hole->end) {
		hole->start = end;
	} else {
		*link = hole->next;
		free(hole);
	}
	return true;
}

uint64_t rt_va_alloc(struct rt_va *va, uint64_t bytes, uint64_t alignment)
{
	for (struct rt_hole **link = &va->holes; *link; link = &(*link)->next) {
		const uint64_t start = rt_align((*link)->start, alignment);

		if (start < (*link)->end && (*link)->end - start >= bytes)
			return cut(link, start, start + bytes) ? start : 0;
	}
	return 0;
}

void rt_va_free(struct rt_va *va, uint64_t start, uint64_t bytes)
{
	struct rt_hole **link = &va->holes, *before = NULL, *hole;
	const uint64_t end = start + bytes;

	while (*link && (*link)->start < start) {
		before = *link;
		link = &(*link)->next;
	}
	hole = *link;
	if (before && before->end == start) {
		before->end = end;
		if (hole && hole->start == end) {
			before->end = hole->end;
			before->next = hole->next;
			free(hole);
		}
	} else if (hole && hole->start == end) {
		hole->start = start;
	} else {
		/* Without memory for the hole its addresses stay unused: no harm in 256 TiB. */
		hole = new_hole(start, end, *link);
		if (hole)
			*link = hole;
	}
}

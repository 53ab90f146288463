// SPDX-License-Identifier: MIT
/*
 * Clocks: which operations of each stream somebody has seen the end of, or comes after.
 */
#include "validate.h"

#include <stdlib.h>
#include <string.h>

#define STEP 16 /* numbers */

static bool grow(struct rt_order *clock, unsigned int size)
{
	uint64_t *seen;

	if (size <= clock->size)
		return true;
	seen = realloc(clock->seen, size * sizeof(*seen));
	if (!seen) {
		clock->unknown = true;
		return false;
	}
	memset(seen + clock->size, 0, (size - clock->size) * sizeof(*seen));
	clock->seen = seen;
	clock->size = size;
	return true;
}

uint64_t *rt_order_at(struct rt_order *clock, unsigned int number)
{
	return grow(clock, (number / STEP + 1) * STEP) ? &clock->seen[number] : NULL;
}

bool rt_order_before(const struct rt_order *clock, unsigned int number, uint64_t index)
{
	return clock->unknown || (number < clock->size && clock->seen[number] >= index);
}

void rt_order_merge(struct rt_order *to, const struct rt_order *from)
{
	to->unknown |= from->unknown;
	if (!grow(to, from->size))
		return;
	for (unsigned int i = 0; i < from->size; i++) {
		if (to->seen[i] < from->seen[i])
			to->seen[i] = from->seen[i];
	}
}

void rt_order_clear(struct rt_order *clock)
{
	free(clock->seen);
	*clock = (struct rt_order){ 0 };
}

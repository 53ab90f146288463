// SPDX-License-Identifier: MIT
/*
 * Device addresses of a context: first fit over holes. These are in a tree by address, a treap:
 * it stays balanced by giving each a random weight, heavier ones above. Each knows the largest
 * hole below it, so that what is too small is passed over.
 */
#include "internal.h"

#include <stdlib.h>

struct rt_hole {
	struct rt_hole *left, *right;
	uint64_t start, end;
	uint64_t largest; /* of it and those below */
	uint32_t weight;
};

static uint64_t largest(const struct rt_hole *hole)
{
	return hole ? hole->largest : 0;
}

static void update(struct rt_hole *hole)
{
	hole->largest = hole->end - hole->start;
	if (hole->largest < largest(hole->left))
		hole->largest = hole->left->largest;
	if (hole->largest < largest(hole->right))
		hole->largest = hole->right->largest;
}

/* Those that begin before @address, and the others. */
static void split(struct rt_hole *tree, uint64_t address, struct rt_hole **low,
		  struct rt_hole **high)
{
	if (!tree) {
		*low = *high = NULL;
		return;
	}
	if (tree->start < address) {
		split(tree->right, address, &tree->right, high);
		*low = tree;
	} else {
		split(tree->left, address, low, &tree->left);
		*high = tree;
	}
	update(tree);
}

static struct rt_hole *merge(struct rt_hole *low, struct rt_hole *high)
{
	if (!low || !high)
		return low ? low : high;
	if (low->weight > high->weight) {
		low->right = merge(low->right, high);
		update(low);
		return low;
	}
	high->left = merge(low, high->left);
	update(high);
	return high;
}

static struct rt_hole *new_hole(struct rt_va *va)
{
	struct rt_hole *hole = malloc(sizeof(*hole));

	if (hole)
		hole->weight = va->seed = va->seed * 1664525 + 1013904223;
	return hole;
}

static void add(struct rt_va *va, struct rt_hole *hole, uint64_t start, uint64_t end)
{
	struct rt_hole *low, *high;

	hole->left = hole->right = NULL;
	hole->start = start;
	hole->end = end;
	update(hole);
	split(va->holes, start, &low, &high);
	va->holes = merge(merge(low, hole), high);
}

static void take(struct rt_va *va, const struct rt_hole *hole)
{
	struct rt_hole *low, *rest, *same, *high;

	split(va->holes, hole->start, &low, &rest);
	split(rest, hole->start + 1, &same, &high);
	va->holes = merge(low, high);
}

int rt_va_init(struct rt_va *va, uint64_t start, uint64_t end)
{
	struct rt_hole *hole = new_hole(va);

	va->holes = NULL;
	va->used = 0;
	if (!hole)
		return NPURT_ERROR_HOST_MEMORY;
	add(va, hole, start, end);
	return 0;
}

void rt_va_fini(struct rt_va *va)
{
	while (va->holes) {
		struct rt_hole *hole = va->holes;

		take(va, hole);
		free(hole);
	}
}

static uint64_t aligned_start(const struct rt_hole *hole, uint64_t alignment)
{
	return rt_align(hole->start, alignment);
}

/* The first one with room for @bytes. */
static struct rt_hole *find(struct rt_hole *tree, uint64_t bytes, uint64_t alignment)
{
	struct rt_hole *found;
	uint64_t start;

	if (largest(tree) < bytes)
		return NULL;
	found = find(tree->left, bytes, alignment);
	if (found)
		return found;
	start = aligned_start(tree, alignment);
	if (start < tree->end && tree->end - start >= bytes)
		return tree;
	return find(tree->right, bytes, alignment);
}

uint64_t rt_va_alloc(struct rt_va *va, uint64_t bytes, uint64_t alignment)
{
	struct rt_hole *hole = find(va->holes, bytes, alignment), *after;
	uint64_t start, from, end;

	if (!hole)
		return 0;
	from = hole->start;
	end = hole->end;
	start = aligned_start(hole, alignment);
	if (start > from && start + bytes < end) {
		after = new_hole(va);
		if (!after)
			return 0;
		take(va, hole);
		va->used += bytes;
		add(va, hole, from, start);
		add(va, after, start + bytes, end);
		return start;
	}
	take(va, hole);
	va->used += bytes;
	if (start > from)
		add(va, hole, from, start);
	else if (start + bytes < end)
		add(va, hole, start + bytes, end);
	else
		free(hole);
	return start;
}

/* The last one that begins before @address, and the first one that does not. */
static void neighbours(struct rt_hole *tree, uint64_t address, struct rt_hole **before,
		       struct rt_hole **after)
{
	*before = *after = NULL;
	while (tree) {
		if (tree->start < address) {
			*before = tree;
			tree = tree->right;
		} else {
			*after = tree;
			tree = tree->left;
		}
	}
}

void rt_va_free(struct rt_va *va, uint64_t start, uint64_t bytes)
{
	struct rt_hole *before, *after, *hole;
	uint64_t end = start + bytes;

	va->used -= bytes;
	neighbours(va->holes, start, &before, &after);
	if (before && before->end != start)
		before = NULL;
	if (after && after->start != end)
		after = NULL;
	if (before) {
		start = before->start;
		take(va, before);
	}
	if (after) {
		end = after->end;
		take(va, after);
	}
	hole = before ? before : after ? after : new_hole(va);
	if (before && after)
		free(after);
	/* Without memory for the hole its addresses stay unused: no harm in 256 TiB. */
	if (hole)
		add(va, hole, start, end);
}

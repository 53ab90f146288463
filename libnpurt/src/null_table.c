// SPDX-License-Identifier: MIT
/*
 * Null device: objects by id, the lowest that is free first.
 */
#include "null.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct null_table *table)
{
	const uint32_t size = table->size ? 2 * table->size : 64;
	void **slots = realloc(table->slots, size * sizeof(*slots));

	if (!slots)
		return false;
	memset(slots + table->size, 0, (size - table->size) * sizeof(*slots));
	table->slots = slots;
	table->size = size;
	return true;
}

uint32_t null_insert(struct null_table *table, void *object)
{
	uint32_t id = table->first ? table->first : 1;

	if (!object)
		return 0;
	while (id < table->size && table->slots[id])
		id++;
	if (id >= table->size && !grow(table))
		return 0;
	table->slots[id] = object;
	table->first = id + 1;
	table->count++;
	return id;
}

void *null_find(const struct null_table *table, uint32_t id)
{
	return id < table->size ? table->slots[id] : NULL;
}

void *null_remove(struct null_table *table, uint32_t id)
{
	void *object = null_find(table, id);

	if (object) {
		table->slots[id] = NULL;
		table->count--;
		if (id < table->first)
			table->first = id;
	}
	return object;
}

void null_table_free(struct null_table *table)
{
	free(table->slots);
	memset(table, 0, sizeof(*table));
}

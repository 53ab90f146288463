// SPDX-License-Identifier: MIT
/*
 * Slots: a 64-bit semaphore and a timestamp in system memory, for events and
 * for the progress of streams. The value of a slot only grows, over all of its
 * owners, so a late waiter of a former owner is never stuck.
 */
#include "internal.h"

#include <stdlib.h>

#define SLOT_BYTES 16
#define PAGE_BYTES 16384u
#define PAGE_SLOTS (PAGE_BYTES / SLOT_BYTES)

struct rt_slot_page {
	struct rt_slot_page *next;
	npurt_memory *memory;
	struct rt_slot slots[PAGE_SLOTS];
};

void rt_slot_pool_init(struct rt_slot_pool *pool)
{
	pool->pages = NULL;
	pool->free = NULL;
	pool->free_tail = &pool->free;
}

void rt_slot_pool_fini(struct rt_slot_pool *pool)
{
	while (pool->pages) {
		struct rt_slot_page *next = pool->pages->next;

		rt_memory_destroy(pool->pages->memory);
		free(pool->pages);
		pool->pages = next;
	}
}

/* Under the context's lock. Freed last, taken last: by then it is idle. */
static void push(struct rt_slot_pool *pool, struct rt_slot *slot)
{
	slot->next = NULL;
	*pool->free_tail = slot;
	pool->free_tail = &slot->next;
}

static struct rt_slot *pop_idle(struct rt_slot_pool *pool)
{
	for (struct rt_slot **link = &pool->free; *link; link = &(*link)->next) {
		struct rt_slot *slot = *link;

		if (!slot->abandoned && rt_slot_value(slot) < slot->target)
			continue;
		*link = slot->next;
		if (!slot->next)
			pool->free_tail = link;
		slot->abandoned = false;
		return slot;
	}
	return NULL;
}

static int add_page(npurt_context *context)
{
	const struct rt_memory_desc desc = {
		.bytes = PAGE_BYTES,
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: events",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	struct rt_slot_page *page = calloc(1, sizeof(*page));
	void *map;
	int err;

	if (!page)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate event slots");
	err = rt_memory_create(context, &desc, &page->memory);
	if (err)
		goto fail_page;
	err = rt_memory_map(page->memory, &map);
	if (err)
		goto fail_memory;

	pthread_mutex_lock(&context->lock);
	page->next = context->slots.pages;
	context->slots.pages = page;
	for (unsigned int i = 0; i < PAGE_SLOTS; i++) {
		struct rt_slot *slot = &page->slots[i];

		slot->value = (_Atomic uint64_t *)map + 2 * i;
		slot->time = slot->value + 1;
		slot->va = page->memory->va + SLOT_BYTES * i;
		push(&context->slots, slot);
	}
	pthread_mutex_unlock(&context->lock);
	return 0;

fail_memory:
	rt_memory_destroy(page->memory);
fail_page:
	free(page);
	return err;
}

int rt_slot_get(npurt_context *context, struct rt_slot **result)
{
	for (;;) {
		struct rt_slot *slot;
		int err;

		pthread_mutex_lock(&context->lock);
		slot = pop_idle(&context->slots);
		pthread_mutex_unlock(&context->lock);
		if (slot) {
			*result = slot;
			return 0;
		}
		err = add_page(context);
		if (err)
			return err;
	}
}

void rt_slot_put(npurt_context *context, struct rt_slot *slot, bool abandoned)
{
	pthread_mutex_lock(&context->lock);
	slot->abandoned = abandoned;
	push(&context->slots, slot);
	pthread_mutex_unlock(&context->lock);
}

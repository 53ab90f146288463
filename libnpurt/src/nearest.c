// SPDX-License-Identifier: MIT
/*
 * What is, or was, at an address: for reports of faults.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEAR_BYTES (1ULL << 20)

void rt_memory_bury(const npurt_memory *memory)
{
	npurt_context *context = memory->context;
	struct rt_grave *grave = &context->graves[context->next_grave++ % RT_GRAVES];

	grave->va = memory->va;
	grave->bytes = memory->bytes;
	grave->tag = memory->tag;
	memcpy(grave->label, memory->label, sizeof(grave->label));
}

bool rt_memory_there(npurt_context *context, uint64_t address)
{
	struct rt_list *node;
	bool there = false;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory) {
		const npurt_memory *memory = rt_container(node, npurt_memory, link);

		there |= address >= memory->va && address - memory->va < memory->bytes;
	}
	pthread_mutex_unlock(&context->lock);
	return there;
}

bool rt_memory_peek(npurt_context *context, uint64_t address, uint64_t *words, unsigned int count)
{
	const uint64_t bytes = count * sizeof(*words);
	struct rt_list *node;
	bool found = false;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory) {
		const npurt_memory *memory = rt_container(node, npurt_memory, link);
		const uint64_t offset = address - memory->base;
		const _Atomic uint64_t *from;

		/* HBM may be out of reach. */
		if (found || !memory->map || memory->placement != NPURT_PLACE_HOST ||
		    address % sizeof(*words) || offset >= memory->bo_bytes ||
		    bytes > memory->bo_bytes - offset)
			continue;
		from = (const _Atomic uint64_t *)memory->map + offset / sizeof(*words);
		for (unsigned int i = 0; i < count; i++)
			words[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
		found = true;
	}
	pthread_mutex_unlock(&context->lock);
	return found;
}

static uint64_t distance(const npurt_memory *memory, uint64_t address)
{
	if (address < memory->va)
		return memory->va - address;
	if (address < memory->va + memory->bytes)
		return 0;
	return address - (memory->va + memory->bytes) + 1;
}

/* @except: one that is not meant, nor what is on its side of the address. */
static bool on_side(const npurt_memory *memory, const npurt_memory *except, uint64_t address)
{
	return !except || (memory->va > address) != (except->va > address);
}

static const npurt_memory *find_nearest(npurt_context *context, uint64_t address,
					const npurt_memory *except)
{
	const npurt_memory *best = NULL;
	struct rt_list *node;

	rt_list_for_each(node, &context->memory) {
		const npurt_memory *memory = rt_container(node, npurt_memory, link);

		if (!on_side(memory, except, address))
			continue;
		/* A part rather than the whole. */
		if (!best || distance(memory, address) < distance(best, address) ||
		    (best->backing && distance(memory, address) == distance(best, address)))
			best = memory;
	}
	return best && distance(best, address) <= NEAR_BYTES ? best : NULL;
}

/* The latest owner of the address. */
static const struct rt_grave *find_grave(const npurt_context *context, uint64_t address)
{
	for (unsigned int i = 1; i <= RT_GRAVES; i++) {
		const struct rt_grave *grave =
			&context->graves[(context->next_grave - i) % RT_GRAVES];

		if (address >= grave->va && address - grave->va < grave->bytes)
			return grave;
	}
	return NULL;
}

/* ", tag 'weights'", or nothing. */
static void add_tag(const npurt_context *context, const struct rt_tag *tag, char *text, size_t size)
{
	const size_t used = strlen(text);

	if (tag && tag != &context->untagged)
		snprintf(text + used, size - used, ", tag '%s'", tag->name);
}

static void describe_outside(const npurt_context *context, const npurt_memory *near,
			     uint64_t address, char *text, size_t size)
{
	if (address < near->va)
		snprintf(text, size, "%" PRIu64 " bytes before '%s'", near->va - address,
			 near->label);
	else
		snprintf(text, size, "%" PRIu64 " bytes past the end of '%s' (%" PRIu64 " bytes)",
			 address - near->va - near->bytes, near->label, near->bytes);
	add_tag(context, near->tag, text, size);
}

void rt_memory_describe(npurt_context *context, uint64_t address, char *text, size_t size)
{
	const npurt_memory *near;
	const struct rt_grave *grave;

	text[0] = '\0';
	pthread_mutex_lock(&context->lock);
	near = find_nearest(context, address, NULL);
	grave = find_grave(context, address);
	if (near && !distance(near, address) && !(near->backing && grave)) {
		snprintf(text, size, "%" PRIu64 " bytes into '%s'", address - near->va,
			 near->label);
		add_tag(context, near->tag, text, size);
	} else if (grave) {
		snprintf(text, size, "%" PRIu64 " bytes into '%s', which was destroyed",
			 address - grave->va, grave->label);
		add_tag(context, grave->tag, text, size);
	} else if (near) {
		describe_outside(context, near, address, text, size);
	}
	pthread_mutex_unlock(&context->lock);
}

void rt_memory_describe_other(npurt_context *context, uint64_t address, char *text, size_t size)
{
	const npurt_memory *near, *other;

	text[0] = '\0';
	pthread_mutex_lock(&context->lock);
	near = find_nearest(context, address, NULL);
	other = near && distance(near, address) ? find_nearest(context, address, near) : NULL;
	if (other && !find_grave(context, address))
		describe_outside(context, other, address, text, size);
	pthread_mutex_unlock(&context->lock);
}

// SPDX-License-Identifier: MIT
/*
 * Who holds memory: counted by tag as objects come and go, and told when there is no more.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNTAGGED "untagged"
#define TOP 4 /* holders and processes that a message names */

/* Holders by tag, of one or several contexts. */
struct holders {
	npurt_memory_holder *items;
	size_t count, room;
};

void rt_tags_init(npurt_context *context)
{
	rt_list_init(&context->tags);
	rt_label_copy(context->untagged.name, UNTAGGED);
	rt_list_add(&context->tags, &context->untagged.link);
}

void rt_tags_fini(npurt_context *context)
{
	while (context->tags.next != &context->tags) {
		struct rt_tag *tag = rt_container(context->tags.next, struct rt_tag, link);

		rt_list_del(&tag->link);
		if (tag != &context->untagged)
			free(tag);
	}
}

struct rt_tag *rt_tag_find(npurt_context *context, const char *name)
{
	struct rt_list *node;
	struct rt_tag *tag;

	if (!name || !name[0])
		return &context->untagged;
	rt_list_for_each(node, &context->tags) {
		tag = rt_container(node, struct rt_tag, link);
		if (strncmp(tag->name, name, sizeof(tag->name) - 1) == 0)
			return tag;
	}
	tag = calloc(1, sizeof(*tag));
	if (!tag)
		return &context->untagged;
	rt_label_copy(tag->name, name);
	rt_list_add(&context->tags, &tag->link);
	return tag;
}

static uint64_t *counter(struct rt_tag *tag, enum rt_holding holding)
{
	switch (holding) {
	case RT_HOLDING_HBM:
		return &tag->hbm_bytes;
	case RT_HOLDING_HOST:
		return &tag->host_bytes;
	default:
		return &tag->foreign_bytes;
	}
}

void rt_tag_add(struct rt_tag *tag, enum rt_holding holding, uint64_t bytes)
{
	tag->objects++;
	*counter(tag, holding) += bytes;
	if (tag->hbm_bytes > tag->hbm_peak_bytes)
		tag->hbm_peak_bytes = tag->hbm_bytes;
}

void rt_tag_sub(struct rt_tag *tag, enum rt_holding holding, uint64_t bytes)
{
	tag->objects--;
	*counter(tag, holding) -= bytes;
}

static npurt_memory_holder *find_holder(struct holders *holders, const char *tag)
{
	npurt_memory_holder *holder;

	for (size_t i = 0; i < holders->count; i++) {
		if (strcmp(holders->items[i].tag, tag) == 0)
			return &holders->items[i];
	}
	if (holders->count == holders->room) {
		const size_t room = holders->room ? 2 * holders->room : 16;
		npurt_memory_holder *grown =
			realloc(holders->items, room * sizeof(*holders->items));

		if (!grown)
			return NULL;
		holders->items = grown;
		holders->room = room;
	}
	holder = &holders->items[holders->count++];
	*holder = (npurt_memory_holder){ .size = sizeof(*holder) };
	rt_label_copy(holder->tag, tag);
	return holder;
}

/* A tag that nothing has any more is told for its peak. */
static bool collect(npurt_context *context, struct holders *holders)
{
	struct rt_list *node;
	bool complete = true;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->tags) {
		const struct rt_tag *tag = rt_container(node, struct rt_tag, link);
		npurt_memory_holder *holder;

		if (!tag->objects && !tag->hbm_peak_bytes)
			continue;
		holder = find_holder(holders, tag->name);
		if (!holder) {
			complete = false;
			break;
		}
		holder->objects += tag->objects;
		holder->hbm_bytes += tag->hbm_bytes;
		holder->hbm_peak_bytes += tag->hbm_peak_bytes;
		holder->host_bytes += tag->host_bytes;
		holder->foreign_bytes += tag->foreign_bytes;
	}
	pthread_mutex_unlock(&context->lock);
	return complete;
}

static int compare_holders(const void *a, const void *b)
{
	const npurt_memory_holder *x = a, *y = b;

	if (x->hbm_bytes != y->hbm_bytes)
		return x->hbm_bytes < y->hbm_bytes ? 1 : -1;
	if (x->host_bytes != y->host_bytes)
		return x->host_bytes < y->host_bytes ? 1 : -1;
	return strcmp(x->tag, y->tag);
}

static void sort(struct holders *holders)
{
	if (holders->count)
		qsort(holders->items, holders->count, sizeof(*holders->items), compare_holders);
}

int npurt_context_memory_report(npurt_context *context, npurt_memory_report_fn fn, void *data)
{
	struct holders holders = { 0 };
	bool complete;

	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	if (!fn)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "fn is NULL");
	complete = collect(context, &holders);
	sort(&holders);
	for (size_t i = 0; complete && i < holders.count; i++)
		fn(&holders.items[i], data);
	free(holders.items);
	return complete ? 0
			: rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY,
				  "allocate a report of memory");
}

/* Messages. */

struct text {
	char *at;
	size_t left;
};

static void say(struct text *text, const char *format, ...) RT_PRINTF(2, 3);

static void say(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (n > 0) {
		const size_t used = rt_min((uint64_t)n, text->left ? text->left - 1 : 0);

		text->at += used;
		text->left -= used;
	}
}

static void say_bytes(struct text *text, uint64_t bytes)
{
	if (bytes >= 10ULL << 20)
		say(text, "%" PRIu64 " MiB", bytes >> 20);
	else
		say(text, "%" PRIu64 " KiB", (bytes + 1023) >> 10);
}

static void say_device(struct text *text, npurt_device *device)
{
	struct drm_npu_dev_memory memory = { 0 };
	struct drm_npu_dev_query query = {
		.type = DRM_NPU_DEV_QUERY_MEMORY,
		.size = sizeof(memory),
		.pointer = (uintptr_t)&memory,
	};

	if (kmd_ioctl(device->kmd, DRM_IOCTL_NPU_DEV_QUERY, &query))
		return;
	say(text, "; ");
	say_bytes(text, memory.hbm_used);
	say(text, " of ");
	say_bytes(text, memory.hbm_size);
	say(text, " of HBM are in use");
}

static void say_holders(struct text *text, npurt_device *device)
{
	struct holders holders = { 0 };
	struct rt_list *node;

	pthread_mutex_lock(&device->lock);
	rt_list_for_each(node, &device->context_list)
		collect(rt_container(node, npurt_context, link), &holders);
	pthread_mutex_unlock(&device->lock);
	sort(&holders);
	for (size_t i = 0; i < holders.count && i < TOP && holders.items[i].hbm_bytes; i++) {
		say(text, "%s'%s' ", i ? ", " : "; of this process: ", holders.items[i].tag);
		say_bytes(text, holders.items[i].hbm_bytes);
		say(text, " in %" PRIu64, holders.items[i].objects);
	}
	free(holders.items);
}

static void say_processes(struct text *text, npurt_device *device)
{
	struct rt_process processes[TOP];
	const unsigned int n = rt_processes(device->node.bus_id, processes, TOP);

	for (unsigned int i = 0; i < n; i++) {
		say(text, "%s%s (%d) ", i ? ", " : "; of others: ", processes[i].name,
		    processes[i].pid);
		say_bytes(text, processes[i].hbm_bytes);
	}
}

int rt_fail_memory(struct rt_diag *diag, int err, const char *format, ...)
{
	char buffer[sizeof(diag->text)];
	struct text text = { buffer, sizeof(buffer) };
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, sizeof(buffer) / 2, format, args);
	va_end(args);
	if (err != -ENOSPC)
		return rt_fail_errno(diag, err, "%s", buffer);
	n = (int)rt_min(n < 0 ? 0 : (uint64_t)n, sizeof(buffer) / 2 - 1);
	text.at += n;
	text.left -= (size_t)n;
	say_device(&text, diag->device);
	say_holders(&text, diag->device);
	say_processes(&text, diag->device);
	return rt_fail(diag, NPURT_ERROR_DEVICE_MEMORY, "%s", buffer);
}

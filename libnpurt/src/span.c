// SPDX-License-Identifier: MIT
/*
 * Tasks that are timed: from the timestamps that the device wrote to records.
 */
#include "trace.h"

#include <stdlib.h>

#include "internal.h"

#define FIRST_SIZE 64

static atomic_ullong stream_numbers;

uint32_t rt_span_kind(enum npurt_command command)
{
	switch (command) {
	case NPURT_COMMAND_KERNEL:
		return NPURT_TRACE_KERNEL;
	case NPURT_COMMAND_COPY:
	case NPURT_COMMAND_FILL:
	case NPURT_COMMAND_REDUCE:
		return NPURT_TRACE_COPY;
	default:
		return NPURT_TRACE_SYNC;
	}
}

static void describe_op(struct rt_trace_entry *entry, const struct rt_op *op)
{
	npurt_trace_record *r = &entry->record;

	r->command = op->kind;
	r->tag = op->tag;
	rt_op_label(op, entry->label);
	switch (op->kind) {
	case NPURT_COMMAND_KERNEL:
		r->bytes = op->kernel.args_bytes;
		r->blocks = op->kernel.blocks;
		strncpy(entry->name, op->kernel.kernel->name, sizeof(entry->name) - 1);
		break;
	case NPURT_COMMAND_COPY:
		r->bytes = op->copy.row_bytes * op->copy.rows;
		break;
	case NPURT_COMMAND_FILL:
		r->bytes = op->fill.row_bytes * op->fill.rows;
		break;
	case NPURT_COMMAND_REDUCE:
		r->bytes = op->reduce.bytes;
		break;
	default:
		break;
	}
}

/* The ring, with room for one more. */
static struct rt_spans *spans_of(npurt_stream *stream)
{
	struct rt_spans *spans = stream->spans;
	unsigned int size;
	struct rt_span *ring;

	if (!spans) {
		spans = stream->spans = calloc(1, sizeof(*spans));
		if (!spans)
			return NULL;
		spans->number = atomic_fetch_add(&stream_numbers, 1) + 1;
	}
	if (spans->count < spans->size)
		return spans;
	size = spans->size ? 2 * spans->size : FIRST_SIZE;
	ring = calloc(size, sizeof(*ring));
	if (!ring)
		return NULL;
	for (unsigned int i = 0; i < spans->count; i++)
		ring[i] = spans->ring[(spans->first + i) % spans->size];
	free(spans->ring);
	spans->ring = ring;
	spans->size = size;
	spans->first = 0;
	return spans;
}

struct rt_trace_entry *rt_span_entry(npurt_stream *stream, uint32_t kind, const struct rt_op *op)
{
	const struct rt_call *call = rt_call_current();
	struct rt_trace_entry *entry;
	struct rt_spans *spans;

	/* What a callback does is not traced: it would never end. */
	if (!call || !(atomic_load(&stream->context->device->hub.kinds) & kind))
		return NULL;
	spans = spans_of(stream);
	entry = spans ? calloc(1, sizeof(*entry)) : NULL;
	if (!entry)
		return NULL;
	entry->record.kind = kind;
	entry->record.stream = spans->number;
	entry->record.stream_id = stream->id;
	entry->record.thread = call->thread;
	entry->record.call = call->id;
	entry->record.call_ns = call->begin_ns;
	memcpy(entry->stream_label, stream->label, sizeof(entry->stream_label));
	describe_op(entry, op);
	return entry;
}

void rt_span_add(npurt_stream *stream, struct rt_trace_entry *entry, uint64_t point,
		 const void *stamps)
{
	struct rt_spans *spans = stream->spans;

	spans->ring[(spans->first + spans->count++) % spans->size] = (struct rt_span){
		.point = point,
		.stamps = stamps,
		.entry = entry,
	};
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* False if it never began. Clocks are calibrated now and then: what is in order stays so. */
static bool set_times(npurt_stream *stream, const struct rt_span *span)
{
	npurt_device *device = stream->context->device;
	struct rt_spans *spans = stream->spans;
	npurt_trace_record *r = &span->entry->record;
	const uint64_t begin = atomic_load(&span->stamps[0]);
	const uint64_t end = atomic_load(&span->stamps[1]);

	if (!begin)
		return false;
	r->device_begin_ns = rt_ticks_to_ns(device, begin);
	r->device_end_ns = end ? rt_ticks_to_ns(device, end) : r->device_begin_ns;
	r->begin_ns = later(rt_trace_to_monotonic(device, r->device_begin_ns), spans->last_ns);
	r->end_ns = later(rt_trace_to_monotonic(device, r->device_end_ns), r->begin_ns);
	spans->last_ns = r->end_ns;
	if (!end)
		r->result = stream->error ? stream->error : NPURT_ERROR_STREAM_LOST;
	return true;
}

void rt_spans_harvest(npurt_stream *stream, bool all)
{
	struct rt_spans *spans = stream->spans;
	const uint64_t done = rt_slot_value(stream->progress);

	while (spans && spans->count) {
		struct rt_span *span = &spans->ring[spans->first];

		if (span->point > done && !all && !stream->error)
			break;
		if (set_times(stream, span))
			rt_trace_put(stream->context->device, span->entry);
		else
			free(span->entry);
		spans->first = (spans->first + 1) % spans->size;
		spans->count--;
	}
}

void rt_spans_fini(npurt_stream *stream)
{
	if (!stream->spans)
		return;
	rt_spans_harvest(stream, true);
	free(stream->spans->ring);
	free(stream->spans);
	stream->spans = NULL;
}

// SPDX-License-Identifier: MIT
/*
 * Events: a record is a timestamp and a signal of a slot. A wait of another
 * stream is the device's own, so it costs the CPU nothing.
 */
#include "internal.h"

#include <stdlib.h>

/* A host wait ends with the event's batch; one in the midst of a batch is polled for. */
#define POLL_NS 500000

struct npurt_event {
	npurt_context *context;
	pthread_mutex_t lock; /* of all that follows */
	struct rt_slot *slot; /* NULL: never recorded */
	uint64_t target;
	npurt_stream *stream; /* of the last record, a reference */
	uint64_t point;
	char label[NPURT_LABEL_SIZE];
};

/* The last record. */
struct record {
	struct rt_slot *slot;
	uint64_t target;
	npurt_stream *stream;
	uint64_t point;
};

static bool happened(const struct record *record)
{
	return !record->slot || rt_slot_value(record->slot) >= record->target;
}

/* Takes a reference to the stream: release() gives it back. */
static void capture(npurt_event *event, struct record *record)
{
	pthread_mutex_lock(&event->lock);
	record->slot = event->slot;
	record->target = event->target;
	record->point = event->point;
	record->stream = event->stream ? rt_stream_get(event->stream) : NULL;
	pthread_mutex_unlock(&event->lock);
}

static void release(struct record *record)
{
	if (record->stream)
		rt_stream_put(record->stream);
}

int npurt_event_create(npurt_context *context, const npurt_event_attr *attr, npurt_event **result)
{
	npurt_event_attr a;
	npurt_event *event;
	int err;

	if (!context || !result)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&context->diag, "npurt_event_attr", 0, &a, sizeof(a), attr);
	if (err)
		return err;
	event = calloc(1, sizeof(*event));
	if (!event)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate an event");
	event->context = context;
	rt_label_copy(event->label, a.label);
	pthread_mutex_init(&event->lock, NULL);

	pthread_mutex_lock(&context->lock);
	context->num_events++;
	pthread_mutex_unlock(&context->lock);
	*result = event;
	return 0;
}

static void drop_slot(npurt_event *event)
{
	if (event->slot)
		rt_slot_put(event->context, event->slot, event->stream->error != 0);
	event->slot = NULL;
}

int npurt_event_destroy(npurt_event *event)
{
	npurt_context *context;

	if (!event)
		return NPURT_ERROR_INVALID;
	context = event->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	drop_slot(event);
	if (event->stream)
		rt_stream_put(event->stream);
	pthread_mutex_destroy(&event->lock);
	free(event);

	pthread_mutex_lock(&context->lock);
	context->num_events--;
	pthread_mutex_unlock(&context->lock);
	return 0;
}

/*
 * A slot's signals must come in order. They do on one stream; a record on another
 * one, while the last is still to come, takes a fresh slot.
 */
static int pick_slot(npurt_event *event, npurt_stream *stream, struct rt_slot **slot)
{
	*slot = event->slot;
	if (*slot && (event->stream == stream || rt_slot_value(*slot) >= event->target))
		return 0;
	return rt_slot_get(event->context, slot);
}

static int put_commands(npurt_event *event, npurt_stream *stream, struct rt_slot *slot)
{
	struct rt_command c;
	int err = rt_stream_command(stream, NPURT_COMMAND_EVENT_RECORD, 0, &c);

	if (err)
		return err;
	rt_label_copy(c.task->label, event->label);
	c.cmd->opcode = NPU_CMD_TIMESTAMP;
	c.cmd->write.address = slot->va + sizeof(*slot->value);
	c.cmd->write.bytes = 8;

	err = rt_stream_command(stream, NPURT_COMMAND_EVENT_RECORD, 0, &c);
	if (err)
		return err;
	rt_label_copy(c.task->label, event->label);
	c.cmd->opcode = NPU_CMD_SEM_SIGNAL;
	c.cmd->sem.address = slot->va;
	c.cmd->sem.value = ++slot->target;
	c.cmd->sem.op = NPU_SEM_SET;
	return 0;
}

static void set_record(npurt_event *event, npurt_stream *stream, struct rt_slot *slot)
{
	if (event->slot != slot)
		drop_slot(event);
	if (event->stream != stream) {
		if (event->stream)
			rt_stream_put(event->stream);
		event->stream = rt_stream_get(stream);
	}
	event->slot = slot;
	event->target = slot->target;
	event->point = stream->submitted + 1;
}

static int record(npurt_event *event, npurt_stream *stream)
{
	struct rt_slot *slot;
	int err = pick_slot(event, stream, &slot);

	if (err)
		return err;
	err = put_commands(event, stream, slot);
	if (!err)
		set_record(event, stream, slot);
	else if (slot != event->slot)
		rt_slot_put(event->context, slot, false);
	return err;
}

int npurt_event_record(npurt_event *event, npurt_stream *stream)
{
	int err;

	if (!event)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	if (event->context != stream->context) {
		err = rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			      "event '%s' is of another context than stream %u", event->label,
			      stream->id);
		goto out;
	}
	pthread_mutex_lock(&event->lock);
	err = record(event, stream);
	pthread_mutex_unlock(&event->lock);
out:
	rt_stream_leave(stream);
	return err;
}

static int put_wait(npurt_stream *stream, const npurt_event *event, const struct record *record)
{
	struct rt_command c;
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_stream_command(stream, NPURT_COMMAND_EVENT_WAIT, 0, &c);
	if (!err) {
		rt_label_copy(c.task->label, event->label);
		c.task->other_stream = record->stream->id;
		c.cmd->opcode = NPU_CMD_SEM_WAIT;
		c.cmd->timeout_us = stream->wait_timeout_us;
		c.cmd->sem.address = record->slot->va;
		c.cmd->sem.value = record->target;
		c.cmd->sem.op = NPU_SEM_GE;
	}
	rt_stream_leave(stream);
	return err;
}

int npurt_stream_wait_event(npurt_stream *stream, npurt_event *event)
{
	struct record record;
	int err;

	if (!event)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	rt_stream_leave(stream);
	if (event->context != stream->context)
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			       "event '%s' is of another context than stream %u", event->label,
			       stream->id);

	capture(event, &record);
	if (happened(&record) || record.stream == stream)
		goto out;
	/* What is waited for must be with the device before the wait is. */
	err = rt_stream_flush_to(record.stream, record.point);
	if (err)
		rt_fail(&stream->diag, err,
			"event '%s' will not happen: stream %u, where it was recorded, has failed",
			event->label, record.stream->id);
	else
		err = put_wait(stream, event, &record);
out:
	release(&record);
	return err;
}

static int wait_record(const struct record *record, int64_t deadline)
{
	int err;

	if (happened(record))
		return 0;
	err = rt_stream_flush_to(record->stream, record->point);
	while (!err && !happened(record)) {
		const int64_t poll = rt_deadline(POLL_NS);

		err = rt_stream_wait_until(record->stream, record->point,
					   poll < deadline ? poll : deadline);
		if (err == NPURT_ERROR_TIMED_OUT && poll < deadline)
			err = 0;
	}
	return happened(record) ? 0 : err;
}

static int check_event(const npurt_event *event)
{
	if (!event)
		return NPURT_ERROR_INVALID;
	return rt_forked(event->context->device) ? NPURT_ERROR_FORKED : 0;
}

static int wait_event(npurt_event *event, int64_t deadline)
{
	struct record record;
	char text[256];
	int err = check_event(event);

	if (err)
		return err;
	capture(event, &record);
	err = wait_record(&record, deadline);
	if (err && err != NPURT_ERROR_TIMED_OUT) {
		rt_diag_copy(&record.stream->diag, text, sizeof(text));
		rt_fail(&event->context->diag, err, "event '%s' will not happen: stream %u: %s",
			event->label, record.stream->id, text);
	}
	release(&record);
	return err;
}

int npurt_event_query(npurt_event *event)
{
	int err = wait_event(event, 0);

	return err == NPURT_ERROR_TIMED_OUT ? NPURT_ERROR_NOT_READY : err;
}

int npurt_event_wait(npurt_event *event, uint64_t timeout_ns)
{
	return wait_event(event, rt_deadline(timeout_ns));
}

/* Ticks of the last record, if it has happened. */
static int event_ticks(npurt_event *event, uint64_t *ticks)
{
	struct record record;
	int err = check_event(event);

	if (err)
		return err;
	capture(event, &record);
	if (!record.slot)
		err = rt_fail(&event->context->diag, NPURT_ERROR_INVALID,
			      "event '%s' was never recorded", event->label);
	else if (!happened(&record))
		err = NPURT_ERROR_NOT_READY;
	else
		*ticks = atomic_load_explicit(record.slot->time, memory_order_relaxed);
	release(&record);
	return err;
}

int npurt_event_time(npurt_event *event, uint64_t *device_ns)
{
	uint64_t ticks = 0;
	int err;

	if (!device_ns)
		return NPURT_ERROR_INVALID;
	err = event_ticks(event, &ticks);
	if (!err)
		*device_ns = rt_ticks_to_ns(event->context->device, ticks);
	return err;
}

int npurt_event_elapsed(npurt_event *start, npurt_event *end, int64_t *ns)
{
	uint64_t from, to;
	int err;

	if (!ns)
		return NPURT_ERROR_INVALID;
	err = npurt_event_time(start, &from);
	if (!err)
		err = npurt_event_time(end, &to);
	if (!err)
		*ns = (int64_t)(to - from);
	return err;
}

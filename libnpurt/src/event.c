// SPDX-License-Identifier: MIT
/*
 * Events: a record is a timestamp and a signal of a slot. A wait of another
 * stream is the device's own, so it costs the CPU nothing.
 */
#include "event.h"

#include <inttypes.h>
#include <stdlib.h>

/* A host wait ends with the event's batch; one in the midst of a batch is polled for. */
#define POLL_NS 500000

int rt_record_outcome(const struct rt_record *record)
{
	if (rt_slot_value(record->stream->progress) < record->point || rt_happened(record))
		return 0;
	return rt_stream_outcome(record->stream, record->point);
}

/* What others wait for must be with the device before they do; an error if it will not happen. */
static int flush(const struct rt_record *record)
{
	int err = rt_record_outcome(record);

	if (!err)
		err = rt_stream_flush_to(record->stream, record->point);
	/* The stream may have gone on without it. */
	return err ? err : rt_record_outcome(record);
}

/* Takes a reference to the stream. */
void rt_record_get(npurt_event *event, struct rt_record *record)
{
	pthread_mutex_lock(&event->lock);
	rt_record_get_locked(event, record);
	pthread_mutex_unlock(&event->lock);
}

void rt_record_put(struct rt_record *record)
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
		rt_slot_put(event->context, event->slot,
			    event->stream->error ||
				    rt_stream_outcome(event->stream, event->point));
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
	rt_frontier_clear(&event->frontier);
	if (event->stream)
		rt_stream_put(event->stream);
	if (event->timeline)
		rt_syncobj_put(event->timeline);
	pthread_mutex_destroy(&event->lock);
	rt_object_free(event);

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

static int put_record(npurt_event *event, npurt_stream *stream, struct rt_slot *slot)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_EVENT_RECORD,
		.name = event->label,
		.event = { .slot = slot, .target = slot->target + 1 },
	};
	int err = rt_stream_add(stream, &op);

	if (!err)
		slot->target++;
	return err;
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
	err = put_record(event, stream, slot);
	if (!err)
		set_record(event, stream, slot);
	else if (slot != event->slot)
		rt_slot_put(event->context, slot, false);
	/* Nobody else can flush this stream: what others may wait for is handed over now. */
	if (!err && event->timeline)
		err = rt_stream_signal_syncobj(stream, event->timeline, event->records + 1);
	event->records += !err;
	return err;
}

int rt_event_check_use(npurt_stream *stream, const npurt_event *event)
{
	return event->context == stream->context
		       ? 0
		       : rt_fail(&stream->diag, NPURT_ERROR_INVALID,
				 "event '%s' is of another context than stream %u", event->label,
				 stream->id);
}

int npurt_event_record(npurt_event *event, npurt_stream *stream)
{
	int err;

	if (!event)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = rt_event_check_use(stream, event);
	if (!err && event->imported)
		err = rt_fail(
			&stream->diag, NPURT_ERROR_ACCESS,
			"event '%s' is imported: only where it was created it can be recorded",
			event->label);
	if (err)
		goto out;
	pthread_mutex_lock(&event->lock);
	if (rt_stream_capturing(stream)) {
		err = rt_capture_record(stream, &event->frontier);
	} else {
		rt_frontier_clear(&event->frontier);
		err = record(event, stream);
	}
	pthread_mutex_unlock(&event->lock);
out:
	rt_stream_leave(stream);
	return err;
}

static int put_wait(npurt_stream *stream, const npurt_event *event, const struct rt_record *record)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_EVENT_WAIT,
		.timeout_us = stream->wait_timeout_us,
		.name = event->label,
		.event = { record->slot, record->target, record->stream->id },
	};
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_stream_add(stream, &op);
	rt_stream_leave(stream);
	return err;
}

/* Under the stream's lock; done if the wait is a part of a capture. */
static int captured_wait(npurt_stream *stream, npurt_event *event, bool *done)
{
	struct rt_frontier copy = { 0 };
	int err;

	pthread_mutex_lock(&event->lock);
	err = rt_capture_copy(&copy, &event->frontier);
	pthread_mutex_unlock(&event->lock);
	*done = copy.capture || rt_stream_capturing(stream);
	if (err)
		err = rt_fail(&stream->diag, err, "capture a wait");
	/* What the stream was given before is no part of it. */
	else if (*done && !rt_stream_capturing(stream))
		err = rt_stream_flush(stream);
	if (*done && !err)
		err = rt_capture_wait(stream, &copy, event->label);
	rt_frontier_clear(&copy);
	return err;
}

int npurt_stream_wait_event(npurt_stream *stream, npurt_event *event)
{
	struct rt_record record;
	bool done = false;
	int err;

	if (!event)
		return NPURT_ERROR_INVALID;
	if (event->imported)
		return rt_event_wait_imported(stream, event);
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = rt_event_check_use(stream, event);
	if (!err)
		err = captured_wait(stream, event, &done);
	rt_stream_leave(stream);
	if (err || done)
		return err;

	rt_record_get(event, &record);
	if (rt_happened(&record) || record.stream == stream)
		goto out;
	err = flush(&record);
	if (err)
		rt_fail(&stream->diag, err,
			"event '%s' will not happen: stream %u, where it was recorded, has failed",
			event->label, record.stream->id);
	else
		err = put_wait(stream, event, &record);
out:
	rt_record_put(&record);
	return err;
}

static int wait_record(const struct rt_record *record, int64_t deadline)
{
	int err;

	if (rt_happened(record))
		return 0;
	err = flush(record);
	while (!err && !rt_happened(record)) {
		const int64_t poll = rt_deadline(POLL_NS);

		err = rt_stream_wait_until(record->stream, record->point,
					   poll < deadline ? poll : deadline);
		if (err == NPURT_ERROR_TIMED_OUT && poll < deadline)
			err = 0;
		else if (!err)
			err = rt_record_outcome(record);
	}
	return rt_happened(record) ? 0 : err;
}

int rt_event_check(const npurt_event *event)
{
	if (!event)
		return NPURT_ERROR_INVALID;
	if (rt_forked(event->context->device))
		return NPURT_ERROR_FORKED;
	return rt_host_function_refuse(&event->context->diag);
}

static int wait_event(npurt_event *event, int64_t deadline)
{
	struct rt_record record;
	char text[256];
	int err = rt_event_check(event);

	if (err)
		return err;
	if (event->imported)
		return rt_event_wait_point(event, 0, deadline);
	rt_record_get(event, &record);
	err = wait_record(&record, deadline);
	if (err && err != NPURT_ERROR_TIMED_OUT) {
		rt_diag_copy(&record.stream->diag, text, sizeof(text));
		rt_fail(&event->context->diag, err, "event '%s' will not happen: stream %u: %s",
			event->label, record.stream->id, text);
	}
	rt_record_put(&record);
	rt_print_drain(event->context);
	return err;
}

int npurt_event_query(npurt_event *event)
{
	int err = wait_event(event, 0);

	return err == NPURT_ERROR_TIMED_OUT ? NPURT_ERROR_NOT_READY : err;
}

/* What the stream is at that has the event. */
static int explain_late(npurt_event *event, uint64_t timeout_ns)
{
	struct rt_record record;
	char text[512] = "it was imported";

	rt_record_get(event, &record);
	if (record.stream)
		rt_hang_describe(record.stream, text, sizeof(text));
	rt_record_put(&record);
	return rt_fail(&event->context->diag, NPURT_ERROR_TIMED_OUT,
		       "event '%s' did not happen within %" PRIu64 " ns: %s", event->label,
		       timeout_ns, text);
}

int npurt_event_wait(npurt_event *event, uint64_t timeout_ns)
{
	int err = wait_event(event, rt_deadline(timeout_ns));

	return err == NPURT_ERROR_TIMED_OUT ? explain_late(event, timeout_ns) : err;
}

/* Ticks of the last record, if it has happened. */
static int event_ticks(npurt_event *event, uint64_t *ticks)
{
	struct rt_record record;
	int err = rt_event_check(event);

	if (err)
		return err;
	if (event->imported)
		return rt_fail(&event->context->diag, NPURT_ERROR_UNSUPPORTED,
			       "event '%s' is imported: its time is known where it was created",
			       event->label);
	rt_record_get(event, &record);
	if (!record.slot)
		err = rt_fail(&event->context->diag, NPURT_ERROR_INVALID,
			      "event '%s' was never recorded", event->label);
	else if (!rt_happened(&record))
		err = NPURT_ERROR_NOT_READY;
	else
		*ticks = atomic_load_explicit(record.slot->time, memory_order_relaxed);
	rt_record_put(&record);
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

int npurt_event_time_monotonic(npurt_event *event, uint64_t *ns, uint64_t *error_ns)
{
	uint64_t ticks = 0, error;
	int err;

	if (!ns)
		return NPURT_ERROR_INVALID;
	err = event_ticks(event, &ticks);
	if (err)
		return err;
	return rt_clock_to_monotonic(event->context->device, ticks, ns,
				     error_ns ? error_ns : &error);
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

/* By a point that is there already: the kernel looks at what @eventfd is, and signals it. */
static int signal_at_once(npurt_event *event, int eventfd)
{
	npurt_device *device = event->context->device;
	uint32_t handle;
	int err = kmd_syncobj_create(device->kmd, &handle);

	if (err)
		return err;
	err = kmd_syncobj_signal(device->kmd, handle, 1);
	if (!err)
		err = kmd_syncobj_eventfd(device->kmd, handle, 1, eventfd);
	kmd_syncobj_destroy(device->kmd, handle);
	return err;
}

static int signal_failed(npurt_event *event, int eventfd, int err)
{
	return rt_fail_errno(&event->context->diag, err, "eventfd %d of event '%s'", eventfd,
			     event->label);
}

/* A stream that goes on after a fault hands the batch over again, with another fence. */
static int signal_later(npurt_event *event, const struct rt_record *record, int eventfd)
{
	npurt_stream *stream = record->stream;
	int flushed, err = 0;

	pthread_mutex_lock(&stream->lock);
	flushed = rt_stream_flush_to_locked(stream, record->point);
	if (!flushed)
		err = kmd_syncobj_eventfd(event->context->device->kmd, stream->syncobj,
					  rt_stream_fence(stream, record->point), eventfd);
	pthread_mutex_unlock(&stream->lock);
	if (flushed)
		return rt_fail(&event->context->diag, flushed,
			       "event '%s' will not happen: stream %u has failed", event->label,
			       stream->id);
	return err ? signal_failed(event, eventfd, err) : 0;
}

static int signal_own(npurt_event *event, const struct rt_record *record, int eventfd)
{
	int err;

	if (!rt_happened(record))
		return signal_later(event, record, eventfd);
	err = signal_at_once(event, eventfd);
	return err ? signal_failed(event, eventfd, err) : 0;
}

int npurt_event_eventfd(npurt_event *event, int eventfd)
{
	struct rt_record record;
	int err = rt_event_check(event);

	if (err)
		return err;
	if (event->imported)
		return rt_event_eventfd_imported(event, eventfd);
	rt_record_get(event, &record);
	err = signal_own(event, &record, eventfd);
	rt_record_put(&record);
	return err;
}

// SPDX-License-Identifier: MIT
/*
 * Events for others: a record has a number, which is its point on the event's timeline, a
 * syncobj that other contexts, devices and processes get by a file descriptor.
 *
 * An event has a timeline from the first time on that somebody asks for it. Only who created
 * the event records it, so numbers grow.
 */
#include "event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last record happened, or will: gives the timeline its point. Under the event's lock. */
static int put_last_record(npurt_event *event, struct rt_syncobj *timeline)
{
	npurt_device *device = event->context->device;
	npurt_stream *stream = event->stream;
	struct rt_record record = { event->slot, event->target, stream, event->point };
	int err;

	if (!event->records)
		return 0;
	if (rt_happened(&record)) {
		err = kmd_syncobj_signal(device->kmd, timeline->handle, event->records);
		return err ? rt_fail_errno(&event->context->diag, err, "signal event '%s'",
					   event->label)
			   : 0;
	}
	err = rt_record_outcome(&record);
	if (!err)
		err = stream->error;
	if (!err)
		err = rt_stream_signal_syncobj(stream, timeline, event->records);
	/* The stream may have gone on without it. */
	if (!err)
		err = rt_record_outcome(&record);
	return err ? rt_fail(&event->context->diag, err,
			     "event '%s' will not happen: stream %u, where it was recorded, has "
			     "failed",
			     event->label, stream->id)
		   : 0;
}

static int new_timeline(npurt_context *context, struct rt_syncobj **timeline)
{
	npurt_device *device = context->device;
	uint32_t handle;
	int err = kmd_syncobj_create(device->kmd, &handle);

	if (err)
		return rt_fail_errno(&context->diag, err, "create a syncobj");
	*timeline = rt_syncobj_new(device, handle);
	return *timeline ? 0
			 : rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a timeline");
}

/* Under the locks of the event and of the stream where it was recorded last. */
static int add_timeline(npurt_event *event)
{
	struct rt_syncobj *timeline;
	int err = new_timeline(event->context, &timeline);

	if (err)
		return err;
	err = put_last_record(event, timeline);
	if (err)
		rt_syncobj_put(timeline);
	else
		event->timeline = timeline;
	return err;
}

/* A stream's lock comes before an event's: another record may come in between. */
static int try_share(npurt_event *event, bool *again)
{
	struct rt_record record;
	int err = 0;

	rt_record_get(event, &record);
	if (record.stream)
		pthread_mutex_lock(&record.stream->lock);
	pthread_mutex_lock(&event->lock);
	*again = event->stream != record.stream;
	if (!*again && !event->timeline)
		err = add_timeline(event);
	pthread_mutex_unlock(&event->lock);
	if (record.stream)
		pthread_mutex_unlock(&record.stream->lock);
	rt_record_put(&record);
	return err;
}

/* Once there is a timeline, it stays. */
static int share(npurt_event *event)
{
	bool again = !event->imported;
	int err = rt_event_check(event);

	while (!err && again)
		err = try_share(event, &again);
	return err;
}

int npurt_event_export_fd(npurt_event *event, int *fd)
{
	int err = event && fd ? share(event) : NPURT_ERROR_INVALID;

	if (err)
		return err;
	err = kmd_syncobj_export(event->context->device->kmd, event->timeline->handle, fd);
	return err ? rt_fail_errno(&event->context->diag, err, "export event '%s'", event->label)
		   : 0;
}

static int import_timeline(npurt_event *event, int fd)
{
	npurt_context *context = event->context;
	uint32_t handle;
	int err = kmd_syncobj_import(context->device->kmd, fd, &handle);

	/* What the kernel says of a descriptor that is no syncobj. */
	if (err == -EINVAL || err == -EBADF || err == -ENOENT)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "descriptor %d is no event's",
			       fd);
	if (err)
		return rt_fail_errno(&context->diag, err, "import an event");
	event->timeline = rt_syncobj_new(context->device, handle);
	return event->timeline
		       ? 0
		       : rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "import an event");
}

int npurt_event_import_fd(npurt_context *context, int fd, const npurt_event_attr *attr,
			  npurt_event **result)
{
	npurt_event *event;
	int err;

	if (!result)
		return NPURT_ERROR_INVALID;
	err = npurt_event_create(context, attr, &event);
	if (err)
		return err;
	event->imported = true;
	err = import_timeline(event, fd);
	if (err)
		npurt_event_destroy(event);
	else
		*result = event;
	return err;
}

/* The number of the last record. */
static int last_point(npurt_event *event, uint64_t *point)
{
	int err;

	if (!event->imported) {
		pthread_mutex_lock(&event->lock);
		*point = event->records;
		pthread_mutex_unlock(&event->lock);
		return 0;
	}
	err = kmd_syncobj_query(event->context->device->kmd, event->timeline->handle, point);
	return err ? rt_fail_errno(&event->context->diag, err, "last record of event '%s'",
				   event->label)
		   : 0;
}

int npurt_event_get_point(npurt_event *event, uint64_t *point)
{
	int err = rt_event_check(event);

	if (err)
		return err;
	return point ? last_point(event, point) : NPURT_ERROR_INVALID;
}

/* Waiting on the host: also for records that have not been made. */

static int wait_timeline(npurt_event *event, uint64_t point, int64_t deadline, uint32_t flags)
{
	const int err = kmd_syncobj_wait_flags(event->context->device->kmd, event->timeline->handle,
					       point, deadline, flags);

	if (err == -ETIME)
		return NPURT_ERROR_TIMED_OUT;
	return err ? rt_fail_errno(&event->context->diag, err,
				   "wait for record %" PRIu64 " of event '%s'", point, event->label)
		   : 0;
}

/* How did it end? Of what others did there is no more than an errno. */
static int check_ended(npurt_event *event, uint64_t point)
{
	struct rt_diag *diag = &event->context->diag;
	int status, err;

	err = kmd_syncobj_status(event->context->device->kmd, event->timeline->handle, point,
				 &status);
	if (err)
		return rt_fail_errno(diag, err, "status of record %" PRIu64 " of event '%s'", point,
				     event->label);
	if (!status)
		return 0;
	return rt_fail(diag,
		       status == -ETIME	      ? NPURT_ERROR_STREAM_TIMEOUT
		       : status == -ECANCELED ? NPURT_ERROR_CANCELED
					      : NPURT_ERROR_STREAM_FAULT,
		       "the stream that made record %" PRIu64 " of event '%s' failed before it: %s",
		       point, event->label, strerror(-status));
}

int rt_event_wait_point(npurt_event *event, uint64_t point, int64_t deadline)
{
	int err = point ? 0 : last_point(event, &point);

	if (err)
		return err;
	if (!point)
		point = 1;
	err = wait_timeline(event, point, deadline, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT);
	return err ? err : check_ended(event, point);
}

int npurt_event_wait_point(npurt_event *event, uint64_t point, uint64_t timeout_ns)
{
	int err = event && point ? share(event) : NPURT_ERROR_INVALID;

	return err ? err : rt_event_wait_point(event, point, rt_deadline(timeout_ns));
}

int npurt_event_wait_recorded(npurt_event *event, uint64_t point, uint64_t timeout_ns)
{
	int err = event && point ? share(event) : NPURT_ERROR_INVALID;

	return err ? err
		   : wait_timeline(event, point, rt_deadline(timeout_ns),
				   DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE);
}

int rt_event_eventfd_imported(npurt_event *event, int eventfd)
{
	npurt_context *context = event->context;
	uint64_t point;
	int err = last_point(event, &point);

	if (err)
		return err;
	err = kmd_syncobj_eventfd(context->device->kmd, event->timeline->handle, point ? point : 1,
				  eventfd);
	return err ? rt_fail_errno(&context->diag, err, "eventfd %d of event '%s'", eventfd,
				   event->label)
		   : 0;
}

/* Waiting on the device: for records that have been made. */

/* Under the stream's lock; @point 0: the last record. */
static int check_point(npurt_stream *stream, npurt_event *event, uint64_t *point)
{
	uint64_t last;
	int err = last_point(event, &last);

	if (err)
		return err;
	if (!*point)
		*point = last;
	if (*point && *point <= last)
		return 0;
	return rt_fail(&stream->diag, NPURT_ERROR_NOT_READY,
		       "event '%s' has %" PRIu64
		       " records by now: a stream can wait for those only; "
		       "npurt_event_wait_recorded() waits for the next",
		       event->label, last);
}

static int stream_wait(npurt_stream *stream, npurt_event *event, uint64_t point)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_event_check_use(stream, event);
	if (!err)
		err = rt_capture_refuse(stream, "a wait for a record of others");
	if (!err)
		err = check_point(stream, event, &point);
	if (!err)
		err = rt_stream_wait_syncobj(stream, event->timeline, point);
	rt_stream_leave(stream);
	return err;
}

int rt_event_wait_imported(npurt_stream *stream, npurt_event *event)
{
	return stream_wait(stream, event, 0);
}

int npurt_stream_wait_event_point(npurt_stream *stream, npurt_event *event, uint64_t point)
{
	int err = event && point ? share(event) : NPURT_ERROR_INVALID;

	return err ? err : stream_wait(stream, event, point);
}

// SPDX-License-Identifier: MIT
/*
 * Queues of streams: what becomes of a stream when its queue has stopped, or the caller wants
 * it to stop, and how it works again.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Queues. */

static int create_failed(npurt_stream *stream, struct rt_diag *diag, int err)
{
	const npurt_stream_attr *attr = &stream->attr;

	if (err == -ENOSPC || err == -EBUSY || err == -EMFILE)
		return rt_fail_limit(diag, RT_LIMIT_QUEUES, "create a queue for a stream");
	return rt_fail_errno(diag, err, "create a queue (priority %d, core mask 0x%" PRIx64 ")",
			     attr->priority, attr->core_mask);
}

int rt_queue_create(npurt_stream *stream, struct rt_diag *diag)
{
	const npurt_stream_attr *attr = &stream->attr;
	struct drm_npu_queue_create args = {
		.vm_id = stream->context->vm_id,
		.engine_class = attr->flags & NPURT_STREAM_COPY_ONLY ? DRM_NPU_ENGINE_COPY
								     : DRM_NPU_ENGINE_COMPUTE,
		.priority = (uint32_t)(attr->priority + DRM_NPU_QUEUE_PRIORITY_NORMAL),
		.core_mask = attr->core_mask,
		.timeout_ms = attr->timeout_ms,
	};
	bool aborted;
	int err = 0;

	pthread_mutex_lock(&stream->queue_lock);
	aborted = stream->aborted;
	if (!aborted)
		err = kmd_ioctl(stream->context->device->kmd, DRM_IOCTL_NPU_QUEUE_CREATE, &args);
	if (!aborted && !err) {
		stream->queue_id = args.id;
		stream->has_queue = true;
	}
	pthread_mutex_unlock(&stream->queue_lock);
	if (aborted)
		return rt_stream_canceled(stream);
	return err ? create_failed(stream, diag, err) : 0;
}

/* Under the queue's lock: what has not ended is stopped, and all fences signal. */
static void destroy_queue(npurt_stream *stream)
{
	struct drm_npu_queue_destroy args = { .id = stream->queue_id };
	int err;

	if (!stream->has_queue)
		return;
	stream->has_queue = false;
	err = kmd_ioctl(stream->context->device->kmd, DRM_IOCTL_NPU_QUEUE_DESTROY, &args);
	if (err)
		rt_log(stream->context->device, NPURT_LOG_WARNING,
		       "destroy the queue of stream %u: errno %d", stream->id, -err);
}

void rt_queue_destroy(npurt_stream *stream)
{
	pthread_mutex_lock(&stream->queue_lock);
	destroy_queue(stream);
	pthread_mutex_unlock(&stream->queue_lock);
}

/* After a fault. */

/* What came after batch @lost has done nothing yet. */
static int submit_again(npurt_stream *stream, uint64_t lost)
{
	stream->fence_offset += stream->submitted - lost;
	for (uint64_t point = lost + 1; point <= stream->submitted; point++) {
		const struct rt_batch *batch = rt_batch_from(stream, point);
		const struct rt_work work = {
			.jobs = batch->jobs,
			.num_jobs = batch->num_jobs,
			.num_syncs = batch->num_waits,
			.syncs = batch->waits,
		};
		const int err = rt_stream_submit(stream, point, &work);

		/* It has stopped again: what remains is handed over after that. */
		if (err == -ECANCELED)
			return 0;
		if (err)
			return rt_fail_errno(&stream->diag, err,
					     "submit again to stream %u", stream->id);
	}
	return 0;
}

/* The batch that it stopped in is lost, the next ones go to another queue. */
static int go_on(npurt_stream *stream, int error)
{
	const uint64_t lost = rt_slot_value(stream->progress) + 1;
	int err;

	rt_queue_destroy(stream);
	err = rt_queue_create(stream, &stream->diag);
	if (err)
		return err;
	stream->faults++;
	if (lost > stream->submitted)
		return 0;
	if (!stream->first_error)
		stream->first_error = error;
	rt_stream_lose(stream, lost, lost, error);
	return submit_again(stream, lost);
}

void rt_stream_stopped(npurt_stream *stream, const struct drm_npu_queue_get_state *state)
{
	npurt_fault fault;
	int error;

	rt_fault_collect(stream, state, &fault);
	error = rt_fail(&stream->diag, fault.error, "%s", fault.message);
	if (!stream->first_error)
		stream->fault = fault;
	if (error == NPURT_ERROR_CONTEXT_LOST)
		rt_context_lose(stream->context, &fault);
	else if (stream->attr.failure_mode == NPURT_FAIL_CONTINUE)
		error = go_on(stream, error);
	if (!stream->error)
		stream->error = error;
}

/* Abort and reset. */

int rt_stream_canceled(npurt_stream *stream)
{
	npurt_fault *fault = &stream->fault;

	if (stream->error)
		return stream->error;
	if (!stream->first_error) {
		*fault = (npurt_fault){
			.size = sizeof(*fault),
			.error = NPURT_ERROR_CANCELED,
		};
		snprintf(fault->message, sizeof(fault->message),
			 "stream %u%s%s%s was aborted by the caller with %u commands that had not "
			 "ended", stream->id, stream->label[0] ? " '" : "", stream->label,
			 stream->label[0] ? "'" : "", rt_stream_commands(stream));
		rt_diag_keep(&stream->diag, fault->message);
	}
	rt_capture_leave(stream);
	rt_stream_lose_rest(stream, NPURT_ERROR_CANCELED);
	stream->error = NPURT_ERROR_CANCELED;
	return stream->error;
}

static int check_stream(const npurt_stream *stream)
{
	if (!stream)
		return NPURT_ERROR_INVALID;
	return rt_forked(stream->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_stream_abort(npurt_stream *stream)
{
	int err = check_stream(stream);

	if (err)
		return err;
	/* Who has the stream's lock may be waiting for what is to be stopped. */
	pthread_mutex_lock(&stream->queue_lock);
	if (!stream->error) {
		stream->aborted = true;
		destroy_queue(stream);
	}
	pthread_mutex_unlock(&stream->queue_lock);
	pthread_mutex_lock(&stream->lock);
	rt_stream_check(stream);
	pthread_mutex_unlock(&stream->lock);
	return 0;
}

/* All that the stream has not done is lost, what was not flushed too. */
static void forget(npurt_stream *stream, int error)
{
	/* What is in the open batch is known by this number. */
	stream->submitted = rt_stream_open_point(stream);
	stream->progress->target = stream->submitted;
	rt_stream_lose_rest(stream, error);
	stream->ended = stream->handed = stream->commands;
	stream->chunk = NULL;
	stream->num_jobs = 0;
	rt_stream_drop_syncs(stream);
	stream->auto_flush = 1;
}

int rt_stream_reset(npurt_stream *stream)
{
	const int error = stream->error;
	int err;

	if (error) {
		/* The error, which stays until the end, keeps another abort out. */
		pthread_mutex_lock(&stream->queue_lock);
		destroy_queue(stream);
		stream->aborted = false;
		pthread_mutex_unlock(&stream->queue_lock);
		err = rt_queue_create(stream, &stream->diag);
		if (err)
			return err;
		forget(stream, error);
	}
	stream->reset_point = stream->submitted;
	memset(&stream->fault, 0, sizeof(stream->fault));
	stream->first_error = 0;
	stream->error = 0;
	return 0;
}

int npurt_stream_reset(npurt_stream *stream)
{
	int err = check_stream(stream);

	if (!err)
		err = rt_host_function_refuse(&stream->diag);
	if (err)
		return err;
	if (stream->context->error)
		return rt_context_refuse(stream->context, &stream->diag);
	pthread_mutex_lock(&stream->lock);
	err = rt_stream_reset(stream);
	pthread_mutex_unlock(&stream->lock);
	return err;
}

/* State. */

static uint32_t state_of(npurt_stream *stream, uint32_t used)
{
	if (stream->error)
		return NPURT_STREAM_FAILED;
	if (rt_stream_capturing(stream))
		return NPURT_STREAM_CAPTURING;
	return used ? NPURT_STREAM_BUSY : NPURT_STREAM_IDLE;
}

int npurt_stream_get_info(npurt_stream *stream, npurt_stream_info *info)
{
	npurt_stream_info all = { .size = sizeof(all) };
	int err = check_stream(stream);

	if (!err)
		err = rt_host_function_refuse(&stream->diag);
	if (err)
		return err;
	pthread_mutex_lock(&stream->lock);
	rt_stream_check(stream);
	all.id = stream->id;
	all.depth_used = rt_stream_commands(stream);
	all.state = state_of(stream, all.depth_used);
	all.error = stream->error ? stream->error : stream->first_error;
	all.priority = stream->attr.priority;
	all.failure_mode = stream->attr.failure_mode;
	all.depth = stream->attr.depth;
	all.batched = (uint32_t)(stream->commands - stream->handed);
	all.submitted = stream->handed;
	all.done = stream->ended;
	all.batches = stream->submitted;
	all.faults = stream->faults + (stream->error != 0);
	all.core_mask = stream->attr.core_mask;
	all.timeout_ms = stream->attr.timeout_ms;
	all.wait_timeout_ms = stream->attr.wait_timeout_ms;
	memcpy(all.label, stream->label, sizeof(all.label));
	pthread_mutex_unlock(&stream->lock);
	return rt_attr_give(&stream->diag, "npurt_stream_info", info, &all, sizeof(all));
}

// SPDX-License-Identifier: MIT
/*
 * Streams: making and ending them, batches, waiting.
 *
 * Commands are written straight into a chunk that the device reads. A flush
 * closes the batch with a write of its number to the stream's progress slot and
 * hands it over with one ioctl that signals the same number on a timeline syncobj.
 * So the slot tells without a system call what has ended well, and the syncobj is
 * for sleeping; a batch whose fence signalled but whose number is missing failed.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WAIT_TIMEOUT_MS 30000
#define MAX_TIMEOUT_MS (UINT32_MAX / 1000)
#define MAX_AUTO_FLUSH 64
#define ARGS_ALIGN 64
#define SPIN_NS 50000 /* about what it takes to sleep and be woken */
#define SPIN_LOOKS 32 /* between looks at the clock */

/* Chunks. */

static int create_chunk(npurt_stream *stream, struct rt_chunk *chunk)
{
	const struct rt_memory_desc desc = {
		.bytes = RT_CHUNK_BYTES,
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: commands",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	npurt_context *context = stream->context;
	void *map;
	int err;

	chunk->tasks = calloc(RT_CHUNK_COMMANDS, sizeof(*chunk->tasks));
	if (!chunk->tasks)
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "allocate a command chunk");
	err = rt_memory_create(context, &desc, &chunk->memory);
	if (err)
		goto fail_tasks;
	err = rt_memory_map(chunk->memory, &map);
	if (err)
		goto fail_memory;
	chunk->commands = map;
	return 0;

fail_memory:
	rt_memory_destroy(chunk->memory);
fail_tasks:
	free(chunk->tasks);
	memset(chunk, 0, sizeof(*chunk));
	return err;
}

static void destroy_chunks(npurt_stream *stream)
{
	for (unsigned int i = 0; i < stream->num_chunks; i++) {
		rt_memory_destroy(stream->chunks[i].memory);
		free(stream->chunks[i].tasks);
	}
	stream->num_chunks = 0;
}

/* One that the device has done with; else a new one; else waits for the oldest. */
static int pick_chunk(npurt_stream *stream, struct rt_chunk **result)
{
	const uint64_t done = rt_slot_value(stream->progress);
	struct rt_chunk *oldest = &stream->chunks[0];
	int err;

	for (unsigned int i = 0; i < stream->num_chunks; i++) {
		struct rt_chunk *chunk = &stream->chunks[i];

		if (chunk->point < oldest->point)
			oldest = chunk;
	}
	if (stream->num_chunks && oldest->point <= done) {
		*result = oldest;
		return 0;
	}
	if (stream->num_chunks < RT_MAX_CHUNKS) {
		*result = &stream->chunks[stream->num_chunks];
		err = create_chunk(stream, *result);
		if (!err)
			stream->num_chunks++;
		if (!err || !stream->num_chunks)
			return err;
	}
	*result = oldest;
	return rt_stream_wait_locked(stream, oldest->point);
}

static int open_chunk(npurt_stream *stream)
{
	struct rt_chunk *chunk;
	int err = pick_chunk(stream, &chunk);

	if (err)
		return err;
	chunk->first = chunk->next = 0;
	chunk->args = RT_CHUNK_BYTES;
	stream->chunk = chunk;
	return 0;
}

/* A batch needs one more command than it was given, to tell its progress. */
static bool fits(const struct rt_chunk *chunk, size_t args_bytes)
{
	return (chunk->next + 2) * sizeof(struct npu_cmd) + rt_align(args_bytes, ARGS_ALIGN) <=
	       chunk->args;
}

static struct npu_cmd *next_command(npurt_stream *stream, enum npurt_command command,
				    struct rt_task **task)
{
	struct rt_chunk *chunk = stream->chunk;
	struct npu_cmd *cmd = &chunk->commands[chunk->next];

	*task = &chunk->tasks[chunk->next++];
	memset(*task, 0, sizeof(**task));
	(*task)->sequence = ++stream->sequence;
	(*task)->command = command;
	memset(cmd, 0, sizeof(*cmd));
	cmd->tag = stream->sequence;
	return cmd;
}

int rt_stream_command(npurt_stream *stream, enum npurt_command command, size_t args_bytes,
		      struct rt_command *out)
{
	int err;

	if (!stream->chunk || !fits(stream->chunk, args_bytes)) {
		err = rt_stream_flush(stream);
		if (!err)
			err = open_chunk(stream);
		if (err)
			return err;
	}
	out->cmd = next_command(stream, command, &out->task);
	stream->chunk->args -= rt_align(args_bytes, ARGS_ALIGN);
	out->args = (uint8_t *)stream->chunk->commands + stream->chunk->args;
	out->args_va = stream->chunk->memory->va + stream->chunk->args;
	return 0;
}

/* Batches. */

static uint32_t pending(const npurt_stream *stream)
{
	return stream->chunk ? stream->chunk->next - stream->chunk->first : 0;
}

static int submit(npurt_stream *stream, uint64_t list, uint32_t count, uint64_t point)
{
	struct drm_npu_job job = { .list = list, .count = count };
	struct drm_npu_sync sync = {
		.flags = DRM_NPU_SYNC_SIGNAL,
		.handle = stream->syncobj,
		.point = point,
	};
	struct drm_npu_submit args = {
		.queue_id = stream->queue_id,
		.jobs = { sizeof(job), 1, (uintptr_t)&job },
		.syncs = { sizeof(sync), 1, (uintptr_t)&sync },
	};

	return kmd_ioctl(stream->context->device->fd, DRM_IOCTL_NPU_SUBMIT, &args);
}

static int submit_failed(npurt_stream *stream, int err)
{
	int error = 0;

	if (err == -ECANCELED)
		error = rt_stream_check(stream);
	if (error)
		return error;
	error = rt_fail_errno(&stream->diag, err, "submit to stream %u", stream->id);
	if (error == NPURT_ERROR_DEVICE_LOST)
		stream->error = error;
	return error;
}

int rt_stream_flush(npurt_stream *stream)
{
	const uint64_t point = stream->submitted + 1;
	struct rt_chunk *chunk = stream->chunk;
	struct rt_task *task;
	struct npu_cmd *cmd;
	int err;

	if (stream->error)
		return stream->error;
	if (!pending(stream))
		return 0;

	cmd = next_command(stream, NPURT_COMMAND_PROGRESS, &task);
	cmd->opcode = NPU_CMD_WRITE;
	cmd->write.address = stream->progress->va;
	cmd->write.value = point;
	cmd->write.bytes = 8;
	err = submit(stream, chunk->memory->va + chunk->first * sizeof(*cmd),
		     chunk->next - chunk->first, point);
	if (err) {
		chunk->next--;
		return submit_failed(stream, err);
	}
	stream->submitted = point;
	stream->progress->target = point;
	chunk->point = point;
	chunk->first = chunk->next;
	return 0;
}

int rt_stream_kick(npurt_stream *stream)
{
	if (stream->flags & NPURT_STREAM_NO_AUTO_FLUSH || pending(stream) < stream->auto_flush ||
	    rt_slot_value(stream->progress) < stream->submitted)
		return 0;
	stream->auto_flush = (uint32_t)rt_min(2 * stream->auto_flush, MAX_AUTO_FLUSH);
	/* The command is in the batch already: what passes comes up again at the next flush. */
	rt_stream_flush(stream);
	return stream->error;
}

int rt_stream_flush_to(npurt_stream *stream, uint64_t point)
{
	int err;

	pthread_mutex_lock(&stream->lock);
	err = stream->submitted < point ? rt_stream_flush(stream) : stream->error;
	pthread_mutex_unlock(&stream->lock);
	return err;
}

/* Waiting. */

int rt_stream_check(npurt_stream *stream)
{
	struct drm_npu_queue_get_state state = { .id = stream->queue_id };
	int err;

	if (stream->error)
		return stream->error;
	err = kmd_ioctl(stream->context->device->fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, &state);
	if (err)
		return rt_fail_errno(&stream->diag, err, "state of stream %u", stream->id);
	if (state.state == DRM_NPU_QUEUE_OK)
		return 0;
	rt_fault_collect(stream, &state);
	stream->error = stream->fault.error;
	return rt_fail(&stream->diag, stream->error, "%s", stream->fault.message);
}

/*
 * The device tells its progress in memory before it interrupts. Short work ends within the
 * time that going to sleep takes: look for about as long before doing so.
 */
static bool spin_until(npurt_stream *stream, uint64_t point)
{
	const int64_t end = rt_deadline(SPIN_NS);

	do {
		for (int i = 0; i < SPIN_LOOKS; i++) {
			if (rt_slot_value(stream->progress) >= point)
				return true;
			rt_cpu_relax();
		}
	} while (rt_deadline(0) < end);
	return false;
}

/* Nothing to report unless the fence signalled and the work is not done. */
static int sleep_until(npurt_stream *stream, uint64_t point, int64_t deadline)
{
	int err;

	if (deadline && spin_until(stream, point))
		return 0;
	err = kmd_syncobj_wait(stream->context->device->fd, stream->syncobj, point, deadline);
	if (rt_slot_value(stream->progress) >= point)
		return 0;
	if (err == -ETIME)
		return NPURT_ERROR_TIMED_OUT;
	return err ? rt_fail_errno(&stream->diag, err, "wait for stream %u", stream->id) : 1;
}

static int explain_missing(npurt_stream *stream, uint64_t point)
{
	int err = rt_stream_check(stream);

	return err ? err
		   : rt_fail(&stream->diag, NPURT_ERROR_SYSTEM,
			     "batch %" PRIu64 " of stream %u ended without its last command", point,
			     stream->id);
}

int rt_stream_wait_locked(npurt_stream *stream, uint64_t point)
{
	int err;

	if (rt_slot_value(stream->progress) >= point)
		return 0;
	err = sleep_until(stream, point, INT64_MAX);
	return err > 0 ? explain_missing(stream, point) : err;
}

int rt_stream_wait_until(npurt_stream *stream, uint64_t point, int64_t deadline)
{
	int err;

	if (rt_slot_value(stream->progress) >= point)
		return 0;
	err = sleep_until(stream, point, deadline);
	if (err <= 0)
		return err;
	pthread_mutex_lock(&stream->lock);
	err = explain_missing(stream, point);
	pthread_mutex_unlock(&stream->lock);
	return err;
}

int rt_stream_enter(npurt_stream *stream)
{
	if (!stream)
		return NPURT_ERROR_INVALID;
	if (rt_forked(stream->context->device))
		return NPURT_ERROR_FORKED;
	pthread_mutex_lock(&stream->lock);
	if (stream->error) {
		pthread_mutex_unlock(&stream->lock);
		return stream->error;
	}
	return 0;
}

void rt_stream_leave(npurt_stream *stream)
{
	pthread_mutex_unlock(&stream->lock);
}

/* Life. */

static int create_queue(npurt_stream *stream, const npurt_stream_attr *attr)
{
	struct drm_npu_queue_create args = {
		.vm_id = stream->context->vm_id,
		.engine_class = attr->flags & NPURT_STREAM_COPY_ONLY ? DRM_NPU_ENGINE_COPY
								     : DRM_NPU_ENGINE_COMPUTE,
		.priority = (uint32_t)(attr->priority + DRM_NPU_QUEUE_PRIORITY_NORMAL),
		.core_mask = attr->core_mask,
		.timeout_ms = attr->timeout_ms,
	};
	npurt_device *device = stream->context->device;
	int err = kmd_ioctl(device->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &args);

	if (err == -ENOSPC || err == -EBUSY || err == -EMFILE)
		return rt_fail(&stream->context->diag, NPURT_ERROR_RESOURCE,
			       "no queue left for a stream; the device has %u for all processes",
			       device->info.max_queues);
	if (err)
		return rt_fail_errno(&stream->context->diag, err,
				     "create a queue (priority %d, core mask 0x%" PRIx64 ")",
				     attr->priority, attr->core_mask);
	stream->queue_id = args.id;
	return 0;
}

static void destroy_queue(npurt_stream *stream)
{
	struct drm_npu_queue_destroy args = { .id = stream->queue_id };
	int err = kmd_ioctl(stream->context->device->fd, DRM_IOCTL_NPU_QUEUE_DESTROY, &args);

	if (err)
		rt_log(stream->context->device, NPURT_LOG_WARNING,
		       "destroy the queue of stream %u: errno %d", stream->id, -err);
}

static int take_attr(npurt_context *context, npurt_stream_attr *a, const npurt_stream_attr *attr)
{
	struct rt_diag *diag = &context->diag;
	int err = rt_attr_take(diag, "npurt_stream_attr",
			       NPURT_STREAM_COPY_ONLY | NPURT_STREAM_NO_AUTO_FLUSH, a, sizeof(*a),
			       attr);

	if (err)
		return err;
	if (a->priority < NPURT_PRIORITY_LOW || a->priority > NPURT_PRIORITY_REALTIME)
		return rt_fail(diag, NPURT_ERROR_INVALID, "npurt_stream_attr.priority is %d",
			       a->priority);
	if (a->timeout_ms > MAX_TIMEOUT_MS || a->wait_timeout_ms > MAX_TIMEOUT_MS)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "a time-out in npurt_stream_attr is above %u ms", MAX_TIMEOUT_MS);
	if (!a->wait_timeout_ms)
		a->wait_timeout_ms = DEFAULT_WAIT_TIMEOUT_MS;
	return 0;
}

static npurt_stream *new_stream(npurt_context *context, const npurt_stream_attr *a)
{
	npurt_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->context = context;
	stream->id = atomic_fetch_add(&context->next_stream_id, 1) + 1;
	stream->flags = a->flags;
	stream->wait_timeout_us = a->wait_timeout_ms * 1000;
	stream->auto_flush = 1;
	atomic_init(&stream->refs, 1);
	rt_label_copy(stream->label, a->label);
	rt_diag_init(&stream->diag, context->device);
	pthread_mutex_init(&stream->lock, NULL);
	return stream;
}

static void free_stream(npurt_stream *stream)
{
	pthread_mutex_destroy(&stream->lock);
	rt_diag_fini(&stream->diag);
	free(stream);
}

int npurt_stream_create(npurt_context *context, const npurt_stream_attr *attr,
			npurt_stream **result)
{
	npurt_stream_attr a;
	npurt_stream *stream;
	int err;

	if (!context || !result)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = take_attr(context, &a, attr);
	if (err)
		return err;
	stream = new_stream(context, &a);
	if (!stream)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a stream");

	err = rt_slot_get(context, &stream->progress);
	if (err)
		goto fail_stream;
	stream->submitted = rt_slot_value(stream->progress);
	err = kmd_syncobj_create(context->device->fd, &stream->syncobj);
	if (err) {
		err = rt_fail_errno(&context->diag, err, "create a syncobj");
		goto fail_slot;
	}
	err = create_queue(stream, &a);
	if (err)
		goto fail_syncobj;

	pthread_mutex_lock(&context->lock);
	context->num_streams++;
	pthread_mutex_unlock(&context->lock);
	*result = stream;
	return 0;

fail_syncobj:
	kmd_syncobj_destroy(context->device->fd, stream->syncobj);
fail_slot:
	rt_slot_put(context, stream->progress, false);
fail_stream:
	free_stream(stream);
	return err;
}

npurt_stream *rt_stream_get(npurt_stream *stream)
{
	atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
	return stream;
}

void rt_stream_put(npurt_stream *stream)
{
	if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
		return;
	kmd_syncobj_destroy(stream->context->device->fd, stream->syncobj);
	rt_slot_put(stream->context, stream->progress, true);
	free_stream(stream);
}

int npurt_stream_destroy(npurt_stream *stream)
{
	npurt_context *context;

	if (!stream)
		return NPURT_ERROR_INVALID;
	context = stream->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;

	/* Events that were recorded here may keep the object, but not the queue. */
	pthread_mutex_lock(&stream->lock);
	destroy_queue(stream);
	if (!stream->error)
		stream->error = NPURT_ERROR_STREAM_LOST;
	destroy_chunks(stream);
	stream->chunk = NULL;
	if (stream->staging)
		rt_staging_destroy(stream->staging);
	stream->staging = NULL;
	pthread_mutex_unlock(&stream->lock);

	pthread_mutex_lock(&context->lock);
	context->num_streams--;
	pthread_mutex_unlock(&context->lock);
	rt_stream_put(stream);
	return 0;
}

int npurt_stream_flush(npurt_stream *stream)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_stream_flush(stream);
	rt_stream_leave(stream);
	return err;
}

/* Flushes for a wait; the next command finds an idle stream again. */
static int close_batch(npurt_stream *stream, uint64_t *point)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_stream_flush(stream);
	*point = stream->submitted;
	stream->auto_flush = 1;
	rt_stream_leave(stream);
	return err;
}

int npurt_stream_query(npurt_stream *stream)
{
	uint64_t point;
	int err = close_batch(stream, &point);

	if (err)
		return err;
	err = rt_stream_wait_until(stream, point, 0);
	return err == NPURT_ERROR_TIMED_OUT ? NPURT_ERROR_NOT_READY : err;
}

int npurt_stream_wait(npurt_stream *stream, uint64_t timeout_ns)
{
	uint64_t point;
	int err = close_batch(stream, &point);

	if (err)
		return err;
	err = rt_stream_wait_until(stream, point, rt_deadline(timeout_ns));
	if (err != NPURT_ERROR_TIMED_OUT)
		return err;
	return rt_fail(&stream->diag, err,
		       "stream %u has %" PRIu64 " batches that did not end within %" PRIu64 " ns",
		       stream->id, point - rt_slot_value(stream->progress), timeout_ns);
}

int npurt_stream_synchronize(npurt_stream *stream)
{
	return npurt_stream_wait(stream, NPURT_INFINITE);
}

int npurt_stream_error_message(npurt_stream *stream, char *text, size_t size)
{
	return stream ? rt_diag_copy(&stream->diag, text, size) : NPURT_ERROR_INVALID;
}

int npurt_stream_get_fault(npurt_stream *stream, npurt_fault *fault)
{
	int err;

	if (!stream)
		return NPURT_ERROR_INVALID;
	if (rt_forked(stream->context->device))
		return NPURT_ERROR_FORKED;
	pthread_mutex_lock(&stream->lock);
	err = rt_stream_check(stream);
	if (stream->fault.error)
		err = rt_attr_give(&stream->diag, "npurt_fault", fault, &stream->fault,
				   sizeof(stream->fault));
	else if (!err)
		err = NPURT_ERROR_NOT_READY;
	pthread_mutex_unlock(&stream->lock);
	return err;
}

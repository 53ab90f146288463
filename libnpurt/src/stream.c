// SPDX-License-Identifier: MIT
/*
 * Streams: making and ending them, batches, waiting.
 *
 * Commands are written straight into a chunk that the device reads. A flush
 * closes the batch with a write of its number to the stream's progress slot and
 * hands it over with one ioctl that signals that number on a timeline syncobj, too.
 * So the slot tells without a system call what has ended well, and the syncobj is
 * for sleeping; a batch whose fence signalled but whose number is missing failed.
 */
#include "internal.h"
#include "race.h"

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
		rt_strict_review(stream->chunks[i].memory, stream->chunks[i].next);
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
	/* The timestamps in it are about to be overwritten. */
	if (stream->spans)
		rt_spans_harvest(stream, false);
	rt_strict_review(chunk->memory, chunk->next);
	chunk->first = chunk->cut = chunk->next = 0;
	chunk->args = RT_CHUNK_BYTES;
	stream->chunk = chunk;
	return 0;
}

/* A batch needs one more command than it was given, to tell its progress. */
static bool fits(const struct rt_chunk *chunk, uint32_t commands, uint32_t args_bytes)
{
	return (chunk->next + commands + 1) * sizeof(struct npu_cmd) + args_bytes <= chunk->args;
}

/* Behind what is in the chunk, where there is room. */
static inline void write_op(npurt_stream *stream, const struct rt_op *op, uint32_t commands,
			    uint32_t args_bytes)
{
	struct rt_chunk *chunk = stream->chunk;
	const uint32_t args = chunk->args - args_bytes;
	struct rt_encoder encoder = {
		.cmd = &chunk->commands[chunk->next],
		.task = &chunk->tasks[chunk->next],
		.sequence = stream->sequence + 1,
		.args = (uint8_t *)chunk->commands + args,
		.args_va = chunk->memory->va + args,
	};

	chunk->args = args;
	chunk->next += commands;
	stream->sequence += commands;
	rt_encode(&encoder, op);
}

/* Behind what is there, at the end of the chunk or of a new one. */
static int make_space(npurt_stream *stream, uint32_t commands, uint32_t args_bytes)
{
	int err;

	if (stream->chunk && fits(stream->chunk, commands, args_bytes))
		return 0;
	err = rt_stream_flush(stream);
	return err ? err : open_chunk(stream);
}

static inline int add(npurt_stream *stream, const struct rt_op *op)
{
	const uint32_t commands = rt_op_commands(op);
	const uint32_t args_bytes = (uint32_t)rt_align(rt_op_args_bytes(op), ARGS_ALIGN);
	int err;

	err = rt_stream_check_depth(stream);
	if (err)
		return err;
	if (!stream->chunk || !fits(stream->chunk, commands, args_bytes)) {
		err = make_space(stream, commands, args_bytes);
		if (err)
			return err;
	}
	write_op(stream, op, commands, args_bytes);
	stream->commands++;
	return 0;
}

/* Traces: a timestamp before and behind. */

/* Room for both, among the arguments; gives their address. */
static uint64_t take_stamps(npurt_stream *stream, void **stamps)
{
	struct rt_chunk *chunk = stream->chunk;

	chunk->args -= RT_STAMP_BYTES;
	*stamps = (uint8_t *)chunk->commands + chunk->args;
	memset(*stamps, 0, RT_STAMP_BYTES);
	return chunk->memory->va + chunk->args;
}

static void write_stamp(npurt_stream *stream, uint64_t va)
{
	const struct rt_op stamp = {
		.kind = NPURT_COMMAND_TIMESTAMP,
		.write = { .address = va, .bytes = 8 },
	};

	write_op(stream, &stamp, 1, 0);
}

static int add_timed(npurt_stream *stream, const struct rt_op *op, struct rt_trace_entry *entry)
{
	const uint32_t commands = rt_op_commands(op);
	const uint32_t args_bytes = (uint32_t)rt_align(rt_op_args_bytes(op), ARGS_ALIGN);
	int err = rt_stream_check_depth(stream);
	void *stamps;
	uint64_t va;

	if (!err)
		err = make_space(stream, commands + 2, args_bytes + RT_STAMP_BYTES);
	if (err) {
		free(entry);
		return err;
	}
	va = take_stamps(stream, &stamps);
	write_stamp(stream, va);
	write_op(stream, op, commands, args_bytes);
	write_stamp(stream, va + 8);
	stream->commands++;
	rt_span_add(stream, entry, stream->submitted + 1, stamps);
	return 0;
}

/* Captured, or watched: with the place where the program asked for it, and timed. */
static __attribute__((noinline, cold)) int add_slowly(npurt_stream *stream, const struct rt_op *op)
{
	const bool validated = rt_watched() & RT_WATCH_VALIDATE;
	struct rt_trace_entry *entry;
	struct rt_op own = *op;
	int err = 0;

	if (!own.site.file)
		own.site = rt_call_site();
	if (rt_stream_capturing(stream))
		return rt_capture_add(stream, &own, NULL, 0);
	if (validated)
		err = rt_race_check_op(stream, op);
	if (err)
		return err;
	entry = rt_span_entry(stream, rt_span_kind(op->kind), op);
	err = entry ? add_timed(stream, &own, entry) : add(stream, &own);
	if (validated)
		rt_race_placed(stream, stream->submitted + !err,
			       !err && op->kind == NPURT_COMMAND_WAIT);
	return err;
}

int rt_stream_add(npurt_stream *stream, const struct rt_op *op)
{
	if (rt_unlikely((uintptr_t)stream->frontier.capture | rt_watched()))
		return add_slowly(stream, op);
	return add(stream, op);
}

/* Batches. */

static uint32_t pending(const npurt_stream *stream)
{
	return stream->chunk ? stream->chunk->next - stream->chunk->first + stream->num_jobs : 0;
}

/* A wait for others is work, too. */
static bool has_batch(const npurt_stream *stream)
{
	return pending(stream) || stream->num_syncs;
}

int rt_stream_submit(npurt_stream *stream, uint64_t point, const struct rt_work *work)
{
	struct drm_npu_sync all[RT_MAX_SYNCS + 1] = { {
		.flags = DRM_NPU_SYNC_SIGNAL,
		.handle = stream->syncobj,
		.point = rt_stream_fence(stream, point),
	} };
	struct drm_npu_submit args = {
		.jobs = { sizeof(work->jobs[0]), work->num_jobs, (uintptr_t)work->jobs },
		.syncs = { sizeof(all[0]), 1 + work->num_syncs, (uintptr_t)all },
	};
	int err = -ECANCELED;

	rt_syncs_fill(work->syncs, work->num_syncs, &all[1]);
	pthread_mutex_lock(&stream->queue_lock);
	args.queue_id = stream->queue_id;
	if (stream->has_queue)
		err = kmd_ioctl(stream->context->device->kmd, DRM_IOCTL_NPU_SUBMIT, &args);
	pthread_mutex_unlock(&stream->queue_lock);
	return err;
}

/* The queue had stopped, and now there is another one. */
static bool goes_on(npurt_stream *stream)
{
	const uint64_t before = stream->faults;

	return !rt_stream_check(stream) && stream->faults != before;
}

static int submit_failed(npurt_stream *stream, int err)
{
	int error = 0;

	if (err == -ECANCELED)
		error = rt_stream_check(stream);
	if (error)
		return error;
	error = rt_fail_memory(&stream->diag, err,
			       "submit to stream %u, whose context's memory must fit into HBM",
			       stream->id);
	if (error == NPURT_ERROR_DEVICE_LOST)
		stream->error = error;
	return error;
}

/* A job of what was added since the last one. */
static void cut_job(npurt_stream *stream)
{
	struct rt_chunk *chunk = stream->chunk;

	stream->jobs[stream->num_jobs++] = (struct drm_npu_job){
		.list = chunk->memory->va + chunk->cut * sizeof(struct npu_cmd),
		.count = chunk->next - chunk->cut,
	};
	chunk->cut = chunk->next;
}

/* Its jobs are complete. */
static int submit_open(npurt_stream *stream, const struct rt_batch *batch)
{
	const struct rt_work work = {
		.jobs = stream->jobs,
		.num_jobs = stream->num_jobs,
		.num_syncs = stream->num_syncs,
		.syncs = stream->syncs,
	};
	int err;

	do {
		err = rt_stream_submit(stream, batch->point, &work);
	} while (err == -ECANCELED && goes_on(stream));
	return err ? submit_failed(stream, err) : 0;
}

/* What is open, then the number of the batch. */
static int hand_over(npurt_stream *stream)
{
	const struct rt_op progress = {
		.kind = NPURT_COMMAND_PROGRESS,
		.write = { .address = stream->progress->va, .value = stream->submitted + 1,
			   .bytes = 8 },
	};
	struct rt_chunk *chunk = stream->chunk;
	const uint32_t cut = chunk->cut, end = chunk->next;
	struct rt_batch *batch;
	int err;

	write_op(stream, &progress, 1, 0);
	cut_job(stream);
	batch = rt_batch_open(stream);
	err = batch ? submit_open(stream, batch)
		    : rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "allocate a batch");
	if (err) {
		chunk->next = end;
		chunk->cut = cut;
		stream->num_jobs--;
		if (batch)
			rt_batch_drop(batch);
		return err;
	}
	rt_stream_drop_syncs(stream);
	rt_batch_close(stream);
	stream->num_jobs = 0;
	stream->handed = batch->commands;
	stream->submitted = batch->point;
	stream->progress->target = batch->point;
	chunk->point = batch->point;
	chunk->first = chunk->next;
	return 0;
}

int rt_stream_flush(npurt_stream *stream)
{
	if (stream->error)
		return stream->error;
	return has_batch(stream) ? hand_over(stream) : 0;
}

/* For @commands besides the one that ends a batch, and for a list, with its jobs. */
static int make_list_space(npurt_stream *stream, uint32_t commands, uint32_t args_bytes)
{
	int err = 0;

	if (stream->num_jobs + 3 > RT_BATCH_JOBS)
		err = rt_stream_flush(stream);
	return err ? err : make_space(stream, commands, args_bytes);
}

static void put_list(npurt_stream *stream, uint64_t list, uint32_t count)
{
	if (stream->chunk->next > stream->chunk->cut)
		cut_job(stream);
	stream->jobs[stream->num_jobs++] = (struct drm_npu_job){ .list = list, .count = count };
	stream->commands++;
}

static int add_list(npurt_stream *stream, uint64_t list, uint32_t count)
{
	int err = make_list_space(stream, 0, 0);

	if (!err)
		put_list(stream, list, count);
	return err;
}

static __attribute__((noinline, cold)) int add_list_watched(npurt_stream *stream, uint64_t list,
							    uint32_t count, const char *label)
{
	const struct rt_op op = { .kind = NPURT_COMMAND_UNKNOWN, .name = label };
	struct rt_trace_entry *entry = rt_span_entry(stream, NPURT_TRACE_GRAPH, &op);
	void *stamps;
	uint64_t va;
	int err;

	if (!entry)
		return add_list(stream, list, count);
	err = make_list_space(stream, 2, RT_STAMP_BYTES);
	if (err) {
		free(entry);
		return err;
	}
	va = take_stamps(stream, &stamps);
	write_stamp(stream, va);
	put_list(stream, list, count);
	write_stamp(stream, va + 8);
	rt_span_add(stream, entry, stream->submitted + 1, stamps);
	return 0;
}

int rt_stream_add_list(npurt_stream *stream, uint64_t list, uint32_t count, const char *label)
{
	int err = rt_stream_check_depth(stream);

	if (err)
		return err;
	if (rt_unlikely(rt_watched()))
		return add_list_watched(stream, list, count, label);
	return add_list(stream, list, count);
}

int rt_stream_run_list(npurt_stream *stream, uint64_t list, uint32_t count, const char *label)
{
	int err = rt_stream_add_list(stream, list, count, label);

	if (err)
		return err;
	err = rt_stream_flush(stream);
	if (err) {
		stream->num_jobs--;
		stream->commands--;
	}
	return err;
}

/* For the command that ends a batch. */
static int make_room(npurt_stream *stream)
{
	return make_space(stream, 0, 0);
}

int rt_stream_wait_syncobj(npurt_stream *stream, struct rt_syncobj *syncobj, uint64_t point)
{
	int err;

	/* A batch waits before its first command. */
	if (pending(stream) || stream->num_syncs == RT_MAX_SYNCS - 1) {
		err = rt_stream_flush(stream);
		if (err)
			return err;
	}
	err = make_room(stream);
	if (!err)
		rt_stream_add_sync(stream, DRM_NPU_SYNC_WAIT, syncobj, point);
	return err;
}

int rt_stream_signal_syncobj(npurt_stream *stream, struct rt_syncobj *syncobj, uint64_t point)
{
	int err = make_room(stream);

	if (err)
		return err;
	rt_stream_add_sync(stream, DRM_NPU_SYNC_SIGNAL, syncobj, point);
	err = hand_over(stream);
	if (err)
		rt_stream_drop_last_sync(stream);
	return err;
}

static bool may_start(const npurt_stream *stream)
{
	return !(stream->flags & NPURT_STREAM_NO_AUTO_FLUSH) &&
	       rt_slot_value(stream->progress) >= stream->submitted;
}

int rt_stream_start(npurt_stream *stream)
{
	/* The work is in the batch already: what passes comes up again at the next flush. */
	if (may_start(stream))
		rt_stream_flush(stream);
	return stream->error;
}

int rt_stream_kick(npurt_stream *stream)
{
	if (pending(stream) < stream->auto_flush || !may_start(stream))
		return 0;
	stream->auto_flush = (uint32_t)rt_min(2 * stream->auto_flush, MAX_AUTO_FLUSH);
	return rt_stream_start(stream);
}

int rt_stream_flush_to_locked(npurt_stream *stream, uint64_t point)
{
	return stream->submitted < point ? rt_stream_flush(stream) : stream->error;
}

int rt_stream_flush_to(npurt_stream *stream, uint64_t point)
{
	int err;

	pthread_mutex_lock(&stream->lock);
	err = rt_stream_flush_to_locked(stream, point);
	pthread_mutex_unlock(&stream->lock);
	return err;
}

/* Waiting. */

/* -ECANCELED if it has been taken away. */
static int queue_state(npurt_stream *stream, struct drm_npu_queue_get_state *state)
{
	int err = -ECANCELED;

	pthread_mutex_lock(&stream->queue_lock);
	state->id = stream->queue_id;
	if (stream->has_queue)
		err = kmd_ioctl(stream->context->device->kmd, DRM_IOCTL_NPU_QUEUE_GET_STATE, state);
	pthread_mutex_unlock(&stream->queue_lock);
	return err;
}

int rt_stream_check(npurt_stream *stream)
{
	struct drm_npu_queue_get_state state = { 0 };
	int err;

	/* One that goes on may have stopped again at once. */
	while (!stream->error) {
		err = queue_state(stream, &state);
		if (err == -ECANCELED)
			return rt_stream_canceled(stream);
		if (err)
			return rt_fail_errno(&stream->diag, err, "state of stream %u", stream->id);
		if (state.state == DRM_NPU_QUEUE_OK)
			return 0;
		rt_stream_stopped(stream, &state);
	}
	return stream->error;
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

static int wait_failed(npurt_stream *stream, int err)
{
	return rt_fail_errno(&stream->diag, err, "wait for stream %u", stream->id);
}

/*
 * 1 if the work is not done, and its fence, which is @offset from the batch, has signalled or is
 * not there: who has the lock is about to hand the batch over again.
 */
static int sleep_until(npurt_stream *stream, uint64_t point, uint64_t offset, int64_t deadline)
{
	int err;

	if (deadline && spin_until(stream, point))
		return 0;
	err = rt_coll_syncobj_wait(stream, point + offset, deadline);
	if (rt_slot_value(stream->progress) >= point)
		return 0;
	if (err == -ETIME)
		return NPURT_ERROR_TIMED_OUT;
	return !err || err == -EINVAL ? 1 : wait_failed(stream, err);
}

/* Under the lock: 0 if it has ended, or was handed over again. */
static int explain_missing(npurt_stream *stream, uint64_t point, uint64_t offset)
{
	const int fence = kmd_syncobj_wait(stream->context->device->kmd, stream->syncobj,
					   point + offset, 0);
	int err = rt_stream_check(stream);

	if (err || stream->fence_offset != offset || rt_slot_value(stream->progress) >= point ||
	    fence == -ETIME)
		return err;
	if (fence)
		return wait_failed(stream, fence);
	return rt_fail(&stream->diag, NPURT_ERROR_SYSTEM,
		       "batch %" PRIu64 " of stream %u ended without its last command", point,
		       stream->id);
}

/* The lock's holder sleeps: a report of a hang may look at the stream meanwhile. */
static void set_parked(npurt_stream *stream, bool parked)
{
	pthread_mutex_lock(&stream->park_lock);
	stream->parked = parked;
	pthread_mutex_unlock(&stream->park_lock);
}

int rt_stream_wait_locked(npurt_stream *stream, uint64_t point)
{
	int err = 0;

	while (!err && rt_slot_value(stream->progress) < point) {
		const uint64_t offset = stream->fence_offset;

		set_parked(stream, true);
		err = sleep_until(stream, point, offset, INT64_MAX);
		set_parked(stream, false);
		if (err > 0)
			err = explain_missing(stream, point, offset);
	}
	return err;
}

int rt_stream_wait_until(npurt_stream *stream, uint64_t point, int64_t deadline)
{
	int err = 0;

	while (!err && rt_slot_value(stream->progress) < point) {
		const uint64_t offset = stream->fence_offset;

		err = sleep_until(stream, point, offset, deadline);
		if (err <= 0)
			continue;
		pthread_mutex_lock(&stream->lock);
		err = explain_missing(stream, point, offset);
		pthread_mutex_unlock(&stream->lock);
	}
	/* Other ranks need not wait for what this stream was to do for them. */
	if (err && err != NPURT_ERROR_TIMED_OUT)
		rt_coll_watch(stream->context);
	return err;
}

int rt_stream_enter(npurt_stream *stream)
{
	int err;

	if (!stream)
		return NPURT_ERROR_INVALID;
	if (rt_forked(stream->context->device))
		return NPURT_ERROR_FORKED;
	err = rt_host_function_refuse(&stream->diag);
	if (err)
		return err;
	if (stream->context->error)
		return rt_context_refuse(stream->context, &stream->diag);
	pthread_mutex_lock(&stream->lock);
	err = stream->error;
	if (!err)
		return 0;
	if (stream->fault.error)
		rt_diag_keep(&stream->diag, stream->fault.message);
	pthread_mutex_unlock(&stream->lock);
	return err;
}

void rt_stream_leave(npurt_stream *stream)
{
	pthread_mutex_unlock(&stream->lock);
}

/* Life. */

static int take_attr(npurt_context *context, npurt_stream_attr *a, const npurt_stream_attr *attr)
{
	struct rt_diag *diag = &context->diag;
	int err = rt_attr_take(diag, "npurt_stream_attr",
			       NPURT_STREAM_COPY_ONLY | NPURT_STREAM_NO_AUTO_FLUSH |
				       NPURT_STREAM_DEPTH_WAIT,
			       a, sizeof(*a), attr);

	if (err)
		return err;
	if (a->priority < NPURT_PRIORITY_LOW || a->priority > NPURT_PRIORITY_REALTIME)
		return rt_fail(diag, NPURT_ERROR_INVALID, "npurt_stream_attr.priority is %d",
			       a->priority);
	if (a->failure_mode > NPURT_FAIL_CONTINUE)
		return rt_fail(diag, NPURT_ERROR_INVALID, "npurt_stream_attr.failure_mode is %u",
			       a->failure_mode);
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
	stream->attr = *a;
	stream->attr.label = NULL;
	stream->wait_timeout_us = a->wait_timeout_ms * 1000;
	stream->auto_flush = 1;
	atomic_init(&stream->refs, 1);
	rt_label_copy(stream->label, a->label);
	rt_diag_init(&stream->diag, context->device);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_mutex_init(&stream->queue_lock, NULL);
	pthread_mutex_init(&stream->park_lock, NULL);
	return stream;
}

static void free_stream(npurt_stream *stream)
{
	rt_frontier_clear(&stream->frontier);
	rt_batches_free(&stream->batches);
	pthread_mutex_destroy(&stream->queue_lock);
	pthread_mutex_destroy(&stream->lock);
	pthread_mutex_destroy(&stream->park_lock);
	rt_diag_fini(&stream->diag);
	rt_object_free(stream);
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
	err = kmd_syncobj_create(context->device->kmd, &stream->syncobj);
	if (err) {
		err = rt_fail_errno(&context->diag, err, "create a syncobj");
		goto fail_slot;
	}
	err = rt_queue_create(stream, &context->diag);
	if (err)
		goto fail_syncobj;

	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->streams, &stream->link);
	context->num_streams++;
	pthread_mutex_unlock(&context->lock);
	*result = stream;
	return 0;

fail_syncobj:
	kmd_syncobj_destroy(context->device->kmd, stream->syncobj);
fail_slot:
	rt_slot_put(context, stream->progress, false);
fail_stream:
	free_stream(stream);
	return err;
}

uint64_t rt_stream_open_point(const npurt_stream *stream)
{
	return stream->submitted + has_batch(stream);
}

bool rt_stream_in_flight(npurt_stream *stream)
{
	bool in_flight;

	pthread_mutex_lock(&stream->lock);
	in_flight = !stream->error && rt_slot_value(stream->progress) < stream->submitted;
	pthread_mutex_unlock(&stream->lock);
	return in_flight;
}

uint64_t rt_stream_last_point(npurt_stream *stream)
{
	uint64_t point;

	pthread_mutex_lock(&stream->lock);
	point = rt_stream_open_point(stream);
	pthread_mutex_unlock(&stream->lock);
	return point;
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
	kmd_syncobj_destroy(stream->context->device->kmd, stream->syncobj);
	rt_slot_put(stream->context, stream->progress, true);
	if (stream->host_slot)
		rt_slot_put(stream->context, stream->host_slot, true);
	free_stream(stream);
}

int npurt_stream_destroy(npurt_stream *stream)
{
	npurt_context *context;
	int err;

	if (!stream)
		return NPURT_ERROR_INVALID;
	context = stream->context;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;

	err = rt_host_function_refuse(&stream->diag);
	if (err)
		return err;

	/* Events that were recorded here may keep the object, but not the queue. */
	pthread_mutex_lock(&stream->lock);
	rt_capture_leave(stream);
	rt_queue_destroy(stream);
	rt_stream_drop_syncs(stream);
	if (!stream->error)
		stream->error = NPURT_ERROR_STREAM_LOST;
	rt_stream_lose_rest(stream, stream->error);
	rt_spans_fini(stream);
	destroy_chunks(stream);
	stream->chunk = NULL;
	if (stream->staging)
		rt_staging_destroy(stream->staging);
	stream->staging = NULL;
	pthread_mutex_unlock(&stream->lock);
	rt_host_functions_finish(stream);

	pthread_mutex_lock(&context->lock);
	rt_list_del(&stream->link);
	context->num_streams--;
	pthread_mutex_unlock(&context->lock);
	rt_print_drain(context);
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

/* What a caller waits for. */
struct goal {
	uint64_t point;
	bool known; /* its loss was cleared by a reset */
};

/* Flushes for a wait; the next command finds an idle stream again. */
static int close_batch(npurt_stream *stream, struct goal *goal)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_capture_refuse(stream, "a wait or query");
	if (!err)
		err = rt_stream_flush(stream);
	goal->point = stream->submitted;
	goal->known = goal->point <= stream->reset_point;
	stream->auto_flush = 1;
	rt_stream_leave(stream);
	return err;
}

/* A stream that goes on tells its first fault when it is waited for, until a reset. */
static int first_error(npurt_stream *stream, const struct goal *goal)
{
	int err = stream->first_error;

	if (!err)
		return goal->known ? 0 : rt_stream_outcome(stream, goal->point);
	pthread_mutex_lock(&stream->lock);
	if (stream->fault.error == err)
		rt_diag_keep(&stream->diag, stream->fault.message);
	pthread_mutex_unlock(&stream->lock);
	return err;
}

static int wait_until(npurt_stream *stream, struct goal *goal, int64_t deadline)
{
	int err = rt_stream_wait_until(stream, goal->point, deadline);

	if (!err)
		err = first_error(stream, goal);
	rt_print_drain(stream->context);
	return err;
}

int npurt_stream_query(npurt_stream *stream)
{
	struct goal goal;
	int err = close_batch(stream, &goal);

	if (err)
		return err;
	err = wait_until(stream, &goal, 0);
	return err == NPURT_ERROR_TIMED_OUT ? NPURT_ERROR_NOT_READY : err;
}

int npurt_stream_wait(npurt_stream *stream, uint64_t timeout_ns)
{
	char text[512];
	struct goal goal;
	int err = close_batch(stream, &goal);

	if (err)
		return err;
	err = wait_until(stream, &goal, rt_deadline(timeout_ns));
	if (err != NPURT_ERROR_TIMED_OUT)
		return err;
	rt_hang_describe(stream, text, sizeof(text));
	return rt_fail(&stream->diag, err,
		       "stream %u has %" PRIu64 " batches that did not end within %" PRIu64 " ns: %s",
		       stream->id, goal.point - rt_slot_value(stream->progress), timeout_ns, text);
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
	err = rt_host_function_refuse(&stream->diag);
	if (err)
		return err;
	pthread_mutex_lock(&stream->lock);
	err = rt_stream_check(stream);
	if (stream->fault.error)
		err = rt_attr_give(&stream->diag, "npurt_fault", fault, &stream->fault,
				   sizeof(stream->fault));
	else if (!err)
		err = NPURT_ERROR_NOT_READY;
	pthread_mutex_unlock(&stream->lock);
	rt_print_drain(stream->context);
	return err;
}

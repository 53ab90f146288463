// SPDX-License-Identifier: MIT
/*
 * What a stream has in flight: its batches, oldest first, with what it takes to hand one over
 * again, and the commands in them, which a stream may have only so many of. And the last of
 * those that were lost.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>

#define FIRST_SIZE 16u

static struct rt_batch *batch_at(const struct rt_batches *batches, uint32_t index)
{
	return &batches->ring[(batches->first + index) & (batches->size - 1)];
}

void rt_batch_drop(struct rt_batch *batch)
{
	while (batch->num_waits)
		rt_syncobj_put(batch->waits[--batch->num_waits].syncobj);
	free(batch->waits);
	free(batch->jobs);
	batch->waits = NULL;
	batch->jobs = NULL;
}

void rt_batches_free(struct rt_batches *batches)
{
	for (uint32_t i = 0; i < batches->count; i++)
		rt_batch_drop(batch_at(batches, i));
	free(batches->ring);
	memset(batches, 0, sizeof(*batches));
}

/* Forgets what has ended. */
static void trim(npurt_stream *stream)
{
	struct rt_batches *batches = &stream->batches;
	const uint64_t done = rt_slot_value(stream->progress);

	while (batches->count && batch_at(batches, 0)->point <= done) {
		stream->ended = batch_at(batches, 0)->commands;
		rt_batch_drop(batch_at(batches, 0));
		batches->first++;
		batches->count--;
	}
}

static bool grow(struct rt_batches *batches)
{
	const uint32_t size = batches->size ? 2 * batches->size : FIRST_SIZE;
	struct rt_batch *ring = malloc(size * sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < batches->count; i++)
		ring[i] = *batch_at(batches, i);
	free(batches->ring);
	batches->ring = ring;
	batches->size = size;
	batches->first = 0;
	return true;
}

/* What it waits for is told again if it is handed over again; what it signals is not. */
static bool keep_work(const npurt_stream *stream, struct rt_batch *batch)
{
	if (stream->attr.failure_mode != NPURT_FAIL_CONTINUE)
		return true;
	batch->jobs = malloc(stream->num_jobs * sizeof(batch->jobs[0]));
	batch->waits = malloc((stream->num_syncs + 1) * sizeof(batch->waits[0]));
	if (!batch->jobs || !batch->waits)
		return false;
	batch->num_jobs = stream->num_jobs;
	memcpy(batch->jobs, stream->jobs, stream->num_jobs * sizeof(batch->jobs[0]));
	for (unsigned int i = 0; i < stream->num_syncs; i++) {
		if (stream->syncs[i].flags != DRM_NPU_SYNC_WAIT)
			continue;
		batch->waits[batch->num_waits++] = stream->syncs[i];
		rt_syncobj_get(stream->syncs[i].syncobj);
	}
	return true;
}

struct rt_batch *rt_batch_open(npurt_stream *stream)
{
	struct rt_batches *batches = &stream->batches;
	struct rt_batch *batch;

	trim(stream);
	if (batches->count == batches->size && !grow(batches))
		return NULL;
	batch = batch_at(batches, batches->count);
	*batch = (struct rt_batch){
		.point = stream->submitted + 1,
		.commands = stream->commands,
	};
	if (keep_work(stream, batch))
		return batch;
	rt_batch_drop(batch);
	return NULL;
}

void rt_batch_close(npurt_stream *stream)
{
	stream->batches.count++;
}

struct rt_batch *rt_batch_from(npurt_stream *stream, uint64_t point)
{
	struct rt_batches *batches = &stream->batches;

	for (uint32_t i = 0; i < batches->count; i++) {
		if (batch_at(batches, i)->point >= point)
			return batch_at(batches, i);
	}
	return NULL;
}

uint32_t rt_stream_commands(npurt_stream *stream)
{
	trim(stream);
	return (uint32_t)(stream->commands - stream->ended);
}

static int limit_reached(npurt_stream *stream, uint32_t used)
{
	return rt_fail(&stream->diag, NPURT_ERROR_LIMIT,
		       "stream %u%s%s%s: its depth of %u commands is reached, %u have not ended",
		       stream->id, stream->label[0] ? " '" : "", stream->label,
		       stream->label[0] ? "'" : "", stream->attr.depth, used);
}

int rt_stream_check_depth(npurt_stream *stream)
{
	const struct rt_batch *oldest;
	uint32_t used;
	int err = 0;

	if (!stream->attr.depth || stream->commands - stream->ended < stream->attr.depth)
		return 0;
	while (!err && (used = rt_stream_commands(stream)) >= stream->attr.depth) {
		if (!(stream->flags & NPURT_STREAM_DEPTH_WAIT))
			return limit_reached(stream, used);
		err = rt_stream_flush(stream);
		oldest = rt_batch_from(stream, 0);
		if (!err && oldest)
			err = rt_stream_wait_locked(stream, oldest->point);
	}
	return err;
}

/* Losses. */

void rt_stream_lose(npurt_stream *stream, uint64_t first, uint64_t last, int error)
{
	struct rt_loss *loss;

	pthread_mutex_lock(&stream->queue_lock);
	loss = &stream->losses[stream->num_losses++ % RT_LOSSES];
	stream->forgotten = loss->last;
	*loss = (struct rt_loss){ first, last, error };
	pthread_mutex_unlock(&stream->queue_lock);
	/* Nobody waits for it any more, on the device neither. */
	atomic_store_explicit(stream->progress->value, last, memory_order_release);
	trim(stream);
}

void rt_stream_lose_rest(npurt_stream *stream, int error)
{
	const uint64_t done = rt_slot_value(stream->progress);

	if (done < stream->submitted)
		rt_stream_lose(stream, done + 1, stream->submitted, error);
}

int rt_stream_outcome(npurt_stream *stream, uint64_t point)
{
	int error = 0;

	if (!atomic_load_explicit(&stream->num_losses, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&stream->queue_lock);
	if (point <= stream->forgotten)
		error = NPURT_ERROR_STREAM_LOST;
	for (unsigned int i = 0; i < RT_LOSSES && i < stream->num_losses; i++) {
		if (point >= stream->losses[i].first && point <= stream->losses[i].last)
			error = stream->losses[i].error;
	}
	pthread_mutex_unlock(&stream->queue_lock);
	return error;
}

// SPDX-License-Identifier: MIT
/*
 * What streams are at. A report waits for nobody: who hangs may hold a stream's lock for ever.
 * So it takes those that are free, looks past one whose holder sleeps, and else does without.
 */
#include "hang.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HOLD_TRIES 4
#define HOLD_NS 5000000 /* of each */
#define NS_PER_S 1000000000

static bool lock_soon(pthread_mutex_t *lock)
{
	struct timespec ts;

	if (pthread_mutex_trylock(lock) == 0)
		return true;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += HOLD_NS;
	if (ts.tv_nsec >= NS_PER_S) {
		ts.tv_nsec -= NS_PER_S;
		ts.tv_sec++;
	}
	return pthread_mutex_timedlock(lock, &ts) == 0;
}

enum rt_hold rt_hang_hold(npurt_stream *stream)
{
	for (int i = 0; i < HOLD_TRIES; i++) {
		if (lock_soon(&stream->lock))
			return RT_HOLD_LOCK;
		pthread_mutex_lock(&stream->park_lock);
		if (stream->parked)
			return RT_HOLD_PARKED;
		pthread_mutex_unlock(&stream->park_lock);
	}
	return RT_HOLD_NONE;
}

void rt_hang_release(npurt_stream *stream, enum rt_hold hold)
{
	if (hold == RT_HOLD_LOCK)
		pthread_mutex_unlock(&stream->lock);
	else if (hold == RT_HOLD_PARKED)
		pthread_mutex_unlock(&stream->park_lock);
}

/* Each batch ends with the write of its number, which is a command, too. */
uint64_t rt_hang_ended(const struct rt_look *look)
{
	const npurt_stream *stream = look->stream;
	const npurt_hang *hang = &look->hang;
	uint64_t ended = 0;

	if (hang->sequence && !look->in_graph)
		return hang->sequence - 1;
	for (unsigned int i = 0; i < stream->num_chunks; i++) {
		const struct rt_chunk *chunk = &stream->chunks[i];

		for (unsigned int j = 0; j < RT_CHUNK_COMMANDS; j++) {
			const struct rt_task *task = &chunk->tasks[j];

			if (task->sequence > ended && task->command == NPURT_COMMAND_PROGRESS &&
			    chunk->commands[j].write.value <= hang->done)
				ended = task->sequence;
		}
	}
	return ended;
}

static void see_wait(struct rt_look *look, const struct npu_cmd *cmd)
{
	npurt_hang *hang = &look->hang;

	look->waits = true;
	hang->address = cmd->sem.address;
	hang->value = cmd->sem.value;
	hang->condition = cmd->sem.op;
	look->reads = rt_memory_peek(hang->context, hang->address, &hang->found, 1);
}

static void see_task(struct rt_look *look, const struct rt_task *task)
{
	npurt_hang *hang = &look->hang;

	hang->command = task->command;
	hang->tag = task->tag;
	memcpy(hang->object, task->label, sizeof(hang->object));
	look->recorder = task->other_stream;
	rt_site_describe(&task->site, hang->site, sizeof(hang->site));
	if (task->kernel &&
	    !rt_kernel_name(hang->context, task->kernel, hang->kernel, sizeof(hang->kernel)))
		hang->kernel[0] = '\0';
}

/* While the stream is held: from the address of the command to what it is. */
static void see_command(struct rt_look *look, uint64_t address)
{
	const struct rt_task *task;
	npurt_hang *hang = &look->hang;
	struct rt_task own;
	union {
		struct npu_cmd cmd;
		uint64_t words[sizeof(struct npu_cmd) / sizeof(uint64_t)];
	} u;

	if (!address ||
	    !rt_memory_peek(hang->context, address, u.words, RT_ARRAY_SIZE(u.words)))
		return;
	if (hang->activity == NPURT_ACTIVITY_WAITING && u.cmd.opcode == NPU_CMD_SEM_WAIT)
		see_wait(look, &u.cmd);
	task = rt_stream_find_task(look->stream, u.cmd.tag);
	hang->sequence = u.cmd.tag;
	look->in_graph = u.cmd.tag & RT_GRAPH_TAG;
	if (look->in_graph &&
	    rt_graph_find_task(hang->context, u.cmd.tag, &own, look->graph)) {
		task = &own;
		hang->sequence = (uint32_t)u.cmd.tag + 1;
	}
	if (rt_is_collective(u.cmd.tag) && rt_coll_find_task(hang->context, u.cmd.tag, &own)) {
		task = &own;
		hang->sequence = own.sequence;
		look->in_graph = true;
	}
	if (task)
		see_task(look, task);
}

/* False if the queue is gone. */
static bool see_queue(struct rt_look *look, struct drm_npu_queue_get_state *state)
{
	npurt_stream *stream = look->stream;
	npurt_hang *hang = &look->hang;
	int err = -ENOENT;

	pthread_mutex_lock(&stream->queue_lock);
	*state = (struct drm_npu_queue_get_state){
		.id = stream->queue_id,
		.flags = DRM_NPU_QUEUE_STATE_ACTIVITY,
	};
	if (stream->has_queue)
		err = kmd_ioctl(hang->context->device->kmd, DRM_IOCTL_NPU_QUEUE_GET_STATE, state);
	pthread_mutex_unlock(&stream->queue_lock);
	hang->activity = NPURT_ACTIVITY_UNKNOWN;
	if (err)
		return false;
	hang->activity = state->activity;
	hang->queue = state->number;
	hang->progress = state->commands_done;
	hang->still_ns = state->still_ns;
	hang->cores = state->cores;
	hang->pc = state->pc;
	if (state->waits_for != DRM_NPU_QUEUE_NONE)
		hang->waits_for_queue = state->waits_for;
	rt_module_describe(hang->context, hang->pc, hang->location, sizeof(hang->location));
	return true;
}

/* While the stream is held. */
static void see_stream(struct rt_look *look)
{
	const npurt_stream *stream = look->stream;
	npurt_hang *hang = &look->hang;
	struct drm_npu_queue_get_state state;

	hang->submitted = stream->submitted;
	hang->batched = (uint32_t)(stream->commands - stream->handed);
	if (see_queue(look, &state))
		see_command(look, state.command);
	if (hang->activity == NPURT_ACTIVITY_UNKNOWN && hang->done == hang->submitted)
		hang->activity = NPURT_ACTIVITY_IDLE;
}

static void look_at(struct rt_look *look, npurt_stream *stream)
{
	npurt_hang *hang = &look->hang;
	enum rt_hold hold;

	look->stream = stream;
	hang->size = sizeof(*hang);
	hang->context = stream->context;
	hang->stream = stream;
	hang->stream_id = stream->id;
	hang->error = stream->error;
	hang->done = rt_slot_value(stream->progress);
	memcpy(hang->label, stream->label, sizeof(hang->label));
	hold = rt_hang_hold(stream);
	if (hold == RT_HOLD_NONE) {
		hang->activity = NPURT_ACTIVITY_UNKNOWN;
		hang->flags = NPURT_HANG_IN_CALL;
	} else {
		see_stream(look);
		rt_hang_release(stream, hold);
	}
	if (hang->error)
		hang->activity = NPURT_ACTIVITY_STOPPED;
}

/* The streams of a device. Its lock keeps contexts, references keep streams. */

/* At most @room of them; gives their number. */
static size_t get_streams(const npurt_device *device, struct rt_look *looks, size_t room)
{
	struct rt_list *node, *inner;
	unsigned int number = 0;
	size_t n = 0;

	rt_list_for_each(node, &device->context_list) {
		npurt_context *context = rt_container(node, npurt_context, link);

		number++;
		pthread_mutex_lock(&context->lock);
		rt_list_for_each(inner, &context->streams) {
			if (n == room)
				break;
			looks[n].context = number;
			looks[n++].stream = rt_stream_get(rt_container(inner, npurt_stream, link));
		}
		pthread_mutex_unlock(&context->lock);
	}
	return n;
}

static void put_streams(struct rt_look *looks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rt_stream_put(looks[i].stream);
}

/* All streams of the device as they are now; *@looks is the caller's to free. */
static int look_at_all(npurt_device *device, struct rt_look **looks, size_t *count)
{
	struct rt_look *all;
	bool linked = false;
	size_t n;

	pthread_mutex_lock(&device->lock);
	n = rt_count_streams(device);
	all = calloc(n ? n : 1, sizeof(*all));
	if (all) {
		n = get_streams(device, all, n);
		for (size_t i = 0; i < n; i++)
			look_at(&all[i], all[i].stream);
		linked = rt_hang_link(all, n);
		for (size_t i = 0; i < n; i++)
			rt_hang_say(&all[i]);
		put_streams(all, n);
	}
	pthread_mutex_unlock(&device->lock);
	if (!linked) {
		free(all);
		return rt_fail(&device->diag, NPURT_ERROR_HOST_MEMORY,
			       "allocate a report of %zu streams", n);
	}
	*looks = all;
	*count = n;
	return 0;
}

void rt_hang_describe(npurt_stream *stream, char *text, size_t size)
{
	struct rt_look look = { 0 };

	look_at(&look, stream);
	rt_hang_say(&look);
	snprintf(text, size, "%s", look.hang.message);
}

int rt_hang_looks(npurt_device *device, struct rt_look **looks, size_t *count)
{
	if (!device)
		return NPURT_ERROR_INVALID;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	return look_at_all(device, looks, count);
}

int npurt_hang_report(npurt_device *device, npurt_hang_fn fn, void *data)
{
	struct rt_look *looks;
	size_t count;
	int err;

	if (device && !rt_forked(device) && !fn)
		return rt_fail(&device->diag, NPURT_ERROR_INVALID, "fn is NULL");
	err = rt_hang_looks(device, &looks, &count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		fn(&looks[i].hang, data);
	free(looks);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Collectives that do not end well. A failure of one rank is that of all: it is told in the
 * control block, where the devices of all ranks see it. Who waits for a stream looks after
 * the other ranks meanwhile, so that the failure of a rank whose own thread does not care is
 * found before the time-out of those that wait for it.
 */
#include "coll.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_NS 10000000 /* between looks at the other ranks */

static const char *const kind_names[] = {
	[RT_COLL_ALL_REDUCE] = "all-reduce",
	[RT_COLL_ALL_GATHER] = "all-gather",
	[RT_COLL_REDUCE_SCATTER] = "reduce-scatter",
	[RT_COLL_BROADCAST] = "broadcast",
	[RT_COLL_ALL_TO_ALL] = "all-to-all",
	[RT_COLL_SEND_RECEIVE] = "send or receive",
};

const char *rt_coll_kind_name(enum rt_coll_kind kind)
{
	return kind_names[kind];
}

/* "all-reduce 7"; sends and receives have the number of the operation before them. */
static void name_pending(const struct rt_coll_pending *pending, char *text, size_t size)
{
	const uint64_t name = atomic_load(&pending->name);
	const enum rt_coll_kind kind = (enum rt_coll_kind)(name & 0xff);

	if (kind == RT_COLL_SEND_RECEIVE)
		snprintf(text, size, "%s after operation %" PRIu64, kind_names[kind], name >> 8);
	else
		snprintf(text, size, "%s %" PRIu64, kind_names[kind], name >> 8);
}

/* Lets all devices go on, to find that it has failed. */
static void release_all(const npurt_communicator *comm)
{
	struct rt_coll_block *block = comm->block;
	const size_t ranks = comm->group->ranks;

	for (size_t i = 0; i < ranks * ranks; i++) {
		atomic_store(&block->words[i].full, UINT64_MAX);
		atomic_store(&block->words[i].taken, UINT64_MAX);
	}
	for (size_t i = 0; i < ranks; i++)
		atomic_store(&block->ranks[i].turn, UINT64_MAX);
}

void rt_coll_fail(npurt_communicator *comm, const char *format, ...)
{
	struct rt_coll_block *block = comm->block;
	uint64_t none = 0;
	va_list args;
	size_t used;

	if (!atomic_compare_exchange_strong(&block->claimed, &none, 1)) {
		/* For those who now want the text. */
		while (!atomic_load(&block->failed))
			sched_yield();
		return;
	}
	used = (size_t)snprintf(block->text, sizeof(block->text), "communicator%s%s: ",
				comm->group->label[0] ? " " : "", comm->group->label);
	va_start(args, format);
	vsnprintf(block->text + used, sizeof(block->text) - used, format, args);
	va_end(args);
	atomic_store(&block->failed, 1);
	release_all(comm);
	rt_log(comm->context->device, NPURT_LOG_ERROR, "%s", block->text);
}

int rt_coll_failure(npurt_communicator *comm)
{
	return rt_fail(&comm->diag, NPURT_ERROR_COLLECTIVE, "%s", comm->block->text);
}

void rt_coll_missing(npurt_communicator *comm, uint64_t sequence, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < comm->group->ranks && used < size; i++) {
		if (atomic_load(&comm->block->ranks[i].issued) < sequence)
			used += (size_t)snprintf(text + used, size - used, "%s%u",
						 used ? ", " : "; it was not called by rank ", i);
	}
}

/* One of the context's, if it is still there. */
static npurt_communicator *find(npurt_context *context, uint32_t id)
{
	npurt_communicator *found = NULL;
	struct rt_list *node;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->communicators) {
		npurt_communicator *comm = rt_container(node, npurt_communicator, link);

		if (comm->id != id)
			continue;
		found = comm;
		break;
	}
	pthread_mutex_unlock(&context->lock);
	return found;
}

bool rt_coll_find_task(npurt_context *context, uint64_t tag, struct rt_task *task)
{
	const npurt_communicator *comm = find(context, tag >> RT_COLL_ID_SHIFT & RT_COLL_MAX_ID);
	const enum rt_coll_task what = tag >> RT_COLL_TASK_SHIFT & 0xf;
	char operation[64], text[96];

	if (!comm)
		return false;
	name_pending(&comm->pending[rt_coll_number(tag) % RT_COLL_AHEAD], operation,
		     sizeof(operation));
	if (what == RT_COLL_WAITS_FOR_DATA || what == RT_COLL_WAITS_FOR_ROOM)
		snprintf(text, sizeof(text), "%s, waits for rank %u", operation,
			 (unsigned int)tag & 0xfff);
	else
		snprintf(text, sizeof(text), "%s", operation);
	*task = (struct rt_task){
		.sequence = rt_coll_number(tag) + 1,
		.command = NPURT_COMMAND_COLLECTIVE,
	};
	rt_label_copy(task->label, text);
	return true;
}

static void fail_wait(npurt_communicator *comm, const struct rt_coll_pending *pending,
		      enum rt_coll_task task, unsigned int peer)
{
	const uint64_t name = atomic_load(&pending->name);
	char missing[128] = "", operation[64];

	name_pending(pending, operation, sizeof(operation));
	if (task == RT_COLL_WAITS_FOR_TURN) {
		rt_coll_fail(comm, "%s: time-out: rank %u waited for its operation before on another "
			     "stream", operation, comm->rank);
		return;
	}
	if ((name & 0xff) != RT_COLL_SEND_RECEIVE)
		rt_coll_missing(comm, name >> 8, missing, sizeof(missing));
	rt_coll_fail(comm, "%s: time-out: rank %u waited %u ms for rank %u%s%s", operation,
		     comm->rank, comm->group->timeout_us / 1000, peer,
		     task == RT_COLL_WAITS_FOR_ROOM ? " to take data" : "", missing);
}

/*
 * The stream stopped in an operation, for which @fault has what the device says. If the reason
 * is another rank, it becomes the failure of the communicator.
 */
void rt_coll_explain(npurt_stream *stream, uint64_t tag, npurt_fault *fault)
{
	npurt_communicator *comm = find(stream->context, tag >> RT_COLL_ID_SHIFT & RT_COLL_MAX_ID);
	const uint32_t number = rt_coll_number(tag);
	const enum rt_coll_task task = tag >> RT_COLL_TASK_SHIFT & 0xf;
	const struct rt_coll_pending *pending;
	char operation[64];

	if (!comm) {
		snprintf(fault->message, sizeof(fault->message),
			 "stream %u: a collective of a communicator that was destroyed",
			 stream->id);
		fault->error = NPURT_ERROR_COLLECTIVE;
		return;
	}
	pending = &comm->pending[number % RT_COLL_AHEAD];
	memcpy(fault->label, comm->group->label, NPURT_LABEL_SIZE);
	if (task == RT_COLL_MOVES || fault->status != NPU_ST_TIMEOUT) {
		name_pending(pending, operation, sizeof(operation));
		rt_coll_fail(comm, "%s: rank %u: %s", operation, comm->rank, fault->message);
		return;
	}
	if (task != RT_COLL_LOOKS)
		fail_wait(comm, pending, task, (unsigned int)tag & 0xfff);
	fault->error = NPURT_ERROR_COLLECTIVE;
	snprintf(fault->message, sizeof(fault->message), "%.*s", RT_COLL_TEXT - 1,
		 comm->block->text);
}

/* Looking after others. */

static bool done(const npurt_communicator *comm)
{
	return atomic_load(&comm->block->ranks[comm->rank].done) > comm->oldest;
}

void rt_coll_forget(npurt_communicator *comm)
{
	struct rt_coll_pending *pending = &comm->pending[comm->oldest++ % RT_COLL_AHEAD];
	unsigned int i = 0;

	rt_stream_put(pending->stream);
	pending->stream = NULL;
	while (i < RT_COLL_SPARE && comm->spare[i])
		i++;
	if (i < RT_COLL_SPARE)
		comm->spare[i] = pending->list;
	else
		rt_memory_destroy(pending->list);
}

void rt_coll_reap(npurt_communicator *comm)
{
	while (comm->oldest < comm->issued &&
	       (done(comm) || comm->pending[comm->oldest % RT_COLL_AHEAD].stream->error))
		rt_coll_forget(comm);
}

/* Under the communicator's lock: has the stream of its oldest operation failed? */
static void look_at(npurt_communicator *comm)
{
	const struct rt_coll_pending *pending;
	char operation[64], text[RT_COLL_TEXT];
	npurt_stream *stream;
	int err;

	if (comm->oldest == comm->issued || done(comm))
		return;
	pending = &comm->pending[comm->oldest % RT_COLL_AHEAD];
	stream = pending->stream;
	/* Its holder will find out by himself. */
	if (pthread_mutex_trylock(&stream->lock))
		return;
	err = rt_stream_check(stream);
	if (err)
		rt_diag_copy(&stream->diag, text, sizeof(text));
	else if (rt_slot_value(stream->progress) >= pending->point && !done(comm))
		snprintf(text, sizeof(text), "stream %u dropped it", stream->id);
	else
		text[0] = '\0';
	pthread_mutex_unlock(&stream->lock);
	name_pending(pending, operation, sizeof(operation));
	if (err || text[0])
		rt_coll_fail(comm, "%s: rank %u: %s", operation, comm->rank, text);
}

void rt_coll_look_after(struct rt_coll_group *group)
{
	pthread_mutex_lock(&group->lock);
	for (unsigned int i = 0; i < group->ranks; i++) {
		npurt_communicator *comm = group->members[i];

		if (!comm || rt_coll_failed(comm) || pthread_mutex_trylock(&comm->lock))
			continue;
		look_at(comm);
		pthread_mutex_unlock(&comm->lock);
	}
	pthread_mutex_unlock(&group->lock);
}

void rt_coll_group_put(struct rt_coll_group *group)
{
	if (atomic_fetch_sub(&group->refs, 1) != 1)
		return;
	for (size_t i = 0; group->transfers && i < (size_t)group->ranks * group->ranks; i++)
		free(group->transfers[i]);
	free(group->transfers);
	free(group->members);
	pthread_mutex_destroy(&group->lock);
	free(group);
}

/* The @nth of those that have a rank in @context, with a reference. */
static struct rt_coll_group *nth_group(npurt_context *context, unsigned int nth)
{
	struct rt_coll_group *group = NULL;
	struct rt_list *node;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->communicators) {
		if (nth--)
			continue;
		group = rt_container(node, npurt_communicator, link)->group;
		atomic_fetch_add(&group->refs, 1);
		break;
	}
	pthread_mutex_unlock(&context->lock);
	return group;
}

void rt_coll_watch(npurt_context *context)
{
	struct rt_coll_group *group;

	for (unsigned int i = 0; (group = nth_group(context, i)) != NULL; i++) {
		rt_coll_look_after(group);
		rt_coll_group_put(group);
	}
}

int rt_coll_syncobj_wait(npurt_stream *stream, uint64_t point, int64_t deadline)
{
	npurt_context *context = stream->context;
	int err;

	do {
		const bool watch = atomic_load(&context->num_communicators) != 0;
		const int64_t look = rt_deadline(LOOK_NS);
		const int64_t until = watch && look < deadline ? look : deadline;

		err = kmd_syncobj_wait(context->device->kmd, stream->syncobj, point, until);
		if (err != -ETIME)
			break;
		if (watch)
			rt_coll_watch(context);
		if (until == deadline)
			break;
	} while (true);
	return err;
}

// SPDX-License-Identifier: MIT
/*
 * Communicators: making and ending them.
 */
#include "coll.h"

#include <inttypes.h>
#include <stdlib.h>

#define DEFAULT_TIMEOUT_MS 30000
#define MAX_TIMEOUT_MS (UINT32_MAX / 1000)
#define DEFAULT_BUFFER_BYTES (1u << 20)
#define MIN_BUFFER_BYTES (RT_COLL_SLOTS * 4096u)
#define MAX_BUFFER_BYTES (1ULL << 30)
#define HW_VERSION_REDUCE 0x00010001u

_Static_assert(RT_COLL_MAX_RANKS <= 1 << RT_COLL_TASK_SHIFT, "a tag has room for a rank");

/* Groups. */

static struct rt_coll_group *new_group(const npurt_communicator_attr *a, unsigned int ranks)
{
	struct rt_coll_group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	pthread_mutex_init(&group->lock, NULL);
	atomic_init(&group->refs, 1);
	group->ranks = ranks;
	group->timeout_us = a->timeout_ms * 1000;
	group->slot_bytes = a->buffer_bytes / RT_COLL_SLOTS & ~(uint64_t)63;
	group->placement = a->flags & NPURT_COMMUNICATOR_HBM ? NPURT_PLACE_HBM : NPURT_PLACE_HOST;
	rt_label_copy(group->label, a->label);
	group->members = calloc(ranks, sizeof(*group->members));
	group->transfers = calloc((size_t)ranks * ranks, sizeof(*group->transfers));
	if (group->members && group->transfers)
		return group;
	rt_coll_group_put(group);
	return NULL;
}

static int take_attr(struct rt_diag *diag, npurt_communicator_attr *a,
		     const npurt_communicator_attr *attr)
{
	int err = rt_attr_take(diag, "npurt_communicator_attr", NPURT_COMMUNICATOR_HBM, a,
			       sizeof(*a), attr);

	if (err)
		return err;
	if (!a->timeout_ms)
		a->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!a->buffer_bytes)
		a->buffer_bytes = DEFAULT_BUFFER_BYTES;
	if (a->timeout_ms > MAX_TIMEOUT_MS)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "npurt_communicator_attr.timeout_ms is above %u", MAX_TIMEOUT_MS);
	if (a->buffer_bytes < MIN_BUFFER_BYTES || a->buffer_bytes > MAX_BUFFER_BYTES)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "npurt_communicator_attr.buffer_bytes is %" PRIu64
			       ", not from %u to %llu", a->buffer_bytes, MIN_BUFFER_BYTES,
			       MAX_BUFFER_BYTES);
	return 0;
}

/* Ranks. */

static npurt_communicator *new_rank(npurt_context *context, struct rt_coll_group *group,
				    unsigned int rank)
{
	npurt_communicator *comm = calloc(1, sizeof(*comm));

	if (!comm)
		return NULL;
	comm->out = calloc(group->ranks, sizeof(*comm->out));
	comm->in = calloc(group->ranks, sizeof(*comm->in));
	comm->saved = calloc(group->ranks, 2 * sizeof(*comm->saved));
	if (!comm->out || !comm->in || !comm->saved) {
		free(comm->out);
		free(comm->in);
		free(comm->saved);
		free(comm);
		return NULL;
	}
	comm->context = context;
	comm->rank = rank;
	comm->group = group;
	atomic_fetch_add(&group->refs, 1);
	comm->id = atomic_fetch_add(&context->next_communicator_id, 1) & RT_COLL_MAX_ID;
	rt_diag_init(&comm->diag, context->device);
	pthread_mutex_init(&comm->lock, NULL);
	return comm;
}

/* Nothing of it is on a stream. */
static void free_rank(npurt_communicator *comm)
{
	for (unsigned int i = 0; i < RT_COLL_SPARE; i++) {
		if (comm->spare[i])
			rt_memory_destroy(comm->spare[i]);
	}
	if (comm->stream)
		rt_stream_put(comm->stream);
	rt_coll_links_destroy(comm);
	if (comm->control)
		rt_memory_destroy(comm->control);
	rt_coll_group_put(comm->group);
	pthread_mutex_destroy(&comm->lock);
	rt_diag_fini(&comm->diag);
	free(comm->out);
	free(comm->in);
	free(comm->saved);
	free(comm->commands);
	rt_object_free(comm);
}

static void publish(npurt_communicator *comm)
{
	npurt_context *context = comm->context;

	comm->group->members[comm->rank] = comm;
	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->communicators, &comm->link);
	pthread_mutex_unlock(&context->lock);
	atomic_fetch_add(&context->num_communicators, 1);
}

static int check_contexts(npurt_context *const *contexts, unsigned int ranks)
{
	for (unsigned int i = 0; i < ranks; i++) {
		if (!contexts[i])
			return rt_fail(&contexts[0]->diag, NPURT_ERROR_INVALID,
				       "the context of rank %u is NULL", i);
		for (unsigned int j = 0; j < i; j++) {
			if (contexts[i] == contexts[j])
				return rt_fail(&contexts[0]->diag, NPURT_ERROR_INVALID,
					       "ranks %u and %u have the same context", j, i);
		}
		if (contexts[i]->device->info.hw_version < HW_VERSION_REDUCE)
			return rt_fail(&contexts[0]->diag, NPURT_ERROR_UNSUPPORTED,
				       "device %s of rank %u has no reductions",
				       contexts[i]->device->node.bus_id, i);
	}
	return 0;
}

/* The failure is told in the first context, as the caller has no communicator. */
static int create_ranks(npurt_context *const *contexts, struct rt_coll_group *group,
			npurt_communicator **comms)
{
	struct rt_diag *diag = &contexts[0]->diag;
	char text[RT_COLL_TEXT];
	int err;

	for (unsigned int i = 0; i < group->ranks; i++) {
		comms[i] = new_rank(contexts[i], group, i);
		if (!comms[i])
			return rt_fail(diag, NPURT_ERROR_HOST_MEMORY,
				       "allocate the communicator of rank %u", i);
		err = rt_coll_block_create(comms[i], comms[0]);
		if (err) {
			rt_diag_copy(&contexts[i]->diag, text, sizeof(text));
			return rt_fail(diag, err, "communicator of rank %u: %s", i, text);
		}
	}
	return 0;
}

int npurt_communicator_create(npurt_context *const *contexts, unsigned int ranks,
			      const npurt_communicator_attr *attr,
			      npurt_communicator **communicators)
{
	npurt_communicator_attr a;
	struct rt_coll_group *group;
	struct rt_diag *diag;
	int err;

	if (!contexts || !ranks || !contexts[0] || !communicators)
		return NPURT_ERROR_INVALID;
	if (rt_forked(contexts[0]->device))
		return NPURT_ERROR_FORKED;
	diag = &contexts[0]->diag;
	if (ranks > RT_COLL_MAX_RANKS)
		return rt_fail(diag, NPURT_ERROR_LIMIT,
			       "%u ranks, and a communicator may have %u", ranks,
			       RT_COLL_MAX_RANKS);
	err = take_attr(diag, &a, attr);
	if (!err)
		err = check_contexts(contexts, ranks);
	if (err)
		return err;
	group = new_group(&a, ranks);
	if (!group)
		return rt_fail(diag, NPURT_ERROR_HOST_MEMORY, "allocate a communicator");
	memset(communicators, 0, ranks * sizeof(*communicators));
	err = create_ranks(contexts, group, communicators);
	for (unsigned int i = 0; i < ranks; i++) {
		if (!err)
			publish(communicators[i]);
		else if (communicators[i])
			free_rank(communicators[i]);
		if (err)
			communicators[i] = NULL;
	}
	rt_coll_group_put(group);
	return err;
}

static int check_comm(const npurt_communicator *comm)
{
	if (!comm)
		return NPURT_ERROR_INVALID;
	return rt_forked(comm->context->device) ? NPURT_ERROR_FORKED : 0;
}

/* Nobody finds it any more; who has found it has done with it. */
static void withdraw(npurt_communicator *comm)
{
	npurt_context *context = comm->context;
	struct rt_coll_group *group = comm->group;

	pthread_mutex_lock(&group->lock);
	group->members[comm->rank] = NULL;
	pthread_mutex_unlock(&group->lock);
	atomic_fetch_sub(&context->num_communicators, 1);
	pthread_mutex_lock(&context->lock);
	rt_list_del(&comm->link);
	pthread_mutex_unlock(&context->lock);
}

/* The stream and point of what is to end next, with a reference to the former; NULL: nothing. */
static npurt_stream *next_to_end(npurt_communicator *comm, uint64_t *point)
{
	const struct rt_coll_pending *pending;
	npurt_stream *stream = NULL;

	pthread_mutex_lock(&comm->lock);
	rt_coll_reap(comm);
	if (comm->oldest != comm->issued) {
		pending = &comm->pending[comm->oldest % RT_COLL_AHEAD];
		stream = rt_stream_get(pending->stream);
		*point = pending->point;
	}
	pthread_mutex_unlock(&comm->lock);
	return stream;
}

/* Its own operations end: the device must not find their memory gone. */
static void finish(npurt_communicator *comm)
{
	npurt_stream *stream;
	uint64_t point;

	while ((stream = next_to_end(comm, &point)) != NULL) {
		rt_coll_fail(comm, "rank %u: its communicator was destroyed before its operations "
			     "had ended", comm->rank);
		rt_stream_wait_until(stream, point, INT64_MAX);
		rt_stream_put(stream);
		pthread_mutex_lock(&comm->lock);
		rt_coll_forget(comm);
		pthread_mutex_unlock(&comm->lock);
	}
}

/* Others may have asked for what this rank now never does. */
static void leave(npurt_communicator *comm)
{
	struct rt_coll_block *block = comm->block;
	const uint64_t own = atomic_load(&block->ranks[comm->rank].issued);

	atomic_store(&block->gone, comm->rank + 1);
	for (unsigned int i = 0; i < comm->group->ranks; i++) {
		const uint64_t other = atomic_load(&block->ranks[i].issued);

		if (other > own)
			rt_coll_fail(comm, "rank %u: its communicator was destroyed after "
				     "operation %" PRIu64 ", rank %u had called operation %" PRIu64,
				     comm->rank, own, i, other);
	}
}

int npurt_communicator_destroy(npurt_communicator *comm)
{
	int err = check_comm(comm);

	if (err)
		return err;
	finish(comm);
	leave(comm);
	withdraw(comm);
	free_rank(comm);
	return 0;
}

int npurt_communicator_abort(npurt_communicator *comm)
{
	int err = check_comm(comm);

	if (!err)
		rt_coll_fail(comm, "rank %u aborted it after its operation %" PRIu64, comm->rank,
			     atomic_load(&comm->block->ranks[comm->rank].issued));
	return err;
}

int npurt_communicator_query(npurt_communicator *comm)
{
	int err = check_comm(comm);

	if (err)
		return err;
	rt_coll_look_after(comm->group);
	if (rt_coll_failed(comm))
		return rt_coll_failure(comm);
	pthread_mutex_lock(&comm->lock);
	rt_coll_reap(comm);
	err = comm->oldest == comm->issued ? 0 : NPURT_ERROR_NOT_READY;
	pthread_mutex_unlock(&comm->lock);
	return err;
}

int npurt_communicator_get_info(npurt_communicator *comm, npurt_communicator_info *info)
{
	npurt_communicator_info all = { .size = sizeof(all) };
	int err = check_comm(comm);

	if (err)
		return err;
	all.rank = comm->rank;
	all.ranks = comm->group->ranks;
	all.operations = atomic_load(&comm->block->ranks[comm->rank].issued);
	pthread_mutex_lock(&comm->lock);
	rt_coll_reap(comm);
	all.pending = comm->issued - comm->oldest;
	pthread_mutex_unlock(&comm->lock);
	pthread_mutex_lock(&comm->group->lock);
	for (unsigned int i = 0; i < comm->group->ranks; i++)
		all.buffer_bytes += comm->in[i].inbox ? comm->in[i].inbox->bo_bytes : 0;
	pthread_mutex_unlock(&comm->group->lock);
	memcpy(all.label, comm->group->label, sizeof(all.label));
	return rt_attr_give(&comm->diag, "npurt_communicator_info", info, &all, sizeof(all));
}

int npurt_communicator_error_message(npurt_communicator *comm, char *text, size_t size)
{
	return comm ? rt_diag_copy(&comm->diag, text, size) : NPURT_ERROR_INVALID;
}

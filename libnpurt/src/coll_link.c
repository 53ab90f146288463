// SPDX-License-Identifier: MIT
/*
 * Collectives: the memory that ranks share. Who owns it may go first: those who imported it
 * keep it.
 */
#include "coll.h"

static int create_shared(npurt_context *context, uint64_t bytes, enum npurt_placement placement,
			 const char *label, npurt_memory **memory)
{
	const struct rt_memory_desc desc = {
		.bytes = rt_align(bytes, RT_PAGE),
		.placement = placement,
		.exportable = true,
		.label = label,
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};

	return rt_memory_create(context, &desc, memory);
}

static int map_block(npurt_communicator *comm)
{
	void *map;
	int err = rt_memory_map(comm->control, &map);

	if (err) {
		rt_memory_destroy(comm->control);
		comm->control = NULL;
		return err;
	}
	comm->block = map;
	return 0;
}

int rt_coll_block_create(npurt_communicator *comm, npurt_communicator *first)
{
	const size_t ranks = comm->group->ranks;
	const uint64_t bytes = sizeof(*comm->block) + ranks * ranks * sizeof(comm->block->words[0]);
	int err;

	if (comm == first)
		err = create_shared(comm->context, bytes, NPURT_PLACE_HOST,
				    "npurt: collectives", &comm->control);
	else
		err = rt_memory_import(comm->context, first->control, &comm->control);
	return err ? err : map_block(comm);
}

uint64_t rt_coll_address(const npurt_communicator *comm, const void *word)
{
	return comm->control->va + (uint64_t)((const char *)word - (const char *)comm->block);
}

/* What @context failed with becomes what @comm failed with. */
static int failed_in(npurt_communicator *comm, npurt_context *context, unsigned int peer, int err)
{
	char text[RT_COLL_TEXT];

	rt_diag_copy(&context->diag, text, sizeof(text));
	return rt_fail(&comm->diag, err, "rank %u, memory for data from or to rank %u: %s",
		       comm->rank, peer, text);
}

/*
 * Both ends at once, under the group's lock: the driver cannot move memory that is shared for
 * the first time while a job of the receiver's waits for what will come there.
 */
static int make_link(npurt_communicator *from, npurt_communicator *to, npurt_context **context)
{
	const struct rt_coll_group *group = from->group;
	struct rt_coll_end *out = &from->out[to->rank], *in = &to->in[from->rank];
	int err = 0;

	*context = to->context;
	if (!in->inbox)
		err = create_shared(to->context, RT_COLL_SLOTS * group->slot_bytes,
				    group->placement, "npurt: collectives", &in->inbox);
	if (err || out->inbox)
		return err;
	*context = from->context;
	return rt_memory_import(from->context, in->inbox, &out->inbox);
}

static int link_ranks(npurt_communicator *comm, unsigned int from, unsigned int to)
{
	struct rt_coll_group *group = comm->group;
	const unsigned int peer = comm->rank == from ? to : from;
	npurt_context *context;
	int err = 0;

	pthread_mutex_lock(&group->lock);
	if (group->members[peer])
		err = make_link(group->members[from], group->members[to], &context);
	else
		err = NPURT_ERROR_COLLECTIVE;
	pthread_mutex_unlock(&group->lock);
	if (err == NPURT_ERROR_COLLECTIVE)
		return rt_fail(&comm->diag, err, "the communicator of rank %u was destroyed", peer);
	return err ? failed_in(comm, context, peer, err) : 0;
}

int rt_coll_link_in(npurt_communicator *comm, unsigned int peer)
{
	int err = comm->in[peer].ready ? 0 : link_ranks(comm, peer, comm->rank);

	comm->in[peer].ready = !err;
	return err;
}

int rt_coll_link_out(npurt_communicator *comm, unsigned int peer)
{
	int err = comm->out[peer].ready ? 0 : link_ranks(comm, comm->rank, peer);

	comm->out[peer].ready = !err;
	return err;
}

void rt_coll_links_destroy(npurt_communicator *comm)
{
	for (unsigned int i = 0; i < comm->group->ranks; i++) {
		if (comm->out[i].inbox)
			rt_memory_destroy(comm->out[i].inbox);
		if (comm->in[i].inbox)
			rt_memory_destroy(comm->in[i].inbox);
	}
}

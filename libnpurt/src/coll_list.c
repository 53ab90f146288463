// SPDX-License-Identifier: MIT
/*
 * Collectives: the list of commands of one rank.
 */
#include "coll.h"

#include <stdlib.h>

#define LOOK_US 1 /* a word that says whether to go on does so at once */

/* Where commands go when there is no room. */
static struct npu_cmd *add(struct rt_coll_list *list, struct npu_cmd *spill, uint8_t opcode,
			   enum rt_coll_task task, unsigned int peer)
{
	npurt_communicator *comm = list->comm;
	struct npu_cmd *cmd = spill;

	if (!list->err && list->count == comm->capacity) {
		const uint32_t capacity = comm->capacity ? 2 * comm->capacity : 256;
		struct npu_cmd *more = realloc(comm->commands, capacity * sizeof(*more));

		if (more) {
			comm->commands = more;
			comm->capacity = capacity;
		} else {
			list->err = rt_fail(&comm->diag, NPURT_ERROR_HOST_MEMORY,
					    "allocate a list of %u commands", capacity);
		}
	}
	if (!list->err)
		cmd = &comm->commands[list->count++];
	memset(cmd, 0, sizeof(*cmd));
	cmd->opcode = opcode;
	cmd->tag = list->tag | (uint64_t)task << RT_COLL_TASK_SHIFT | peer;
	return cmd;
}

static void add_sem(struct rt_coll_list *list, uint8_t opcode, enum rt_coll_task task,
		    unsigned int peer, struct npu_cmd_sem sem, uint32_t timeout_us)
{
	struct npu_cmd spill, *cmd = add(list, &spill, opcode, task, peer);

	cmd->timeout_us = timeout_us;
	cmd->sem = sem;
}

/* Ends the list, and its stream, if the communicator has failed. */
static void look(struct rt_coll_list *list)
{
	const npurt_communicator *comm = list->comm;

	add_sem(list, NPU_CMD_SEM_WAIT, RT_COLL_LOOKS, 0,
		(struct npu_cmd_sem){
			.address = rt_coll_address(comm, &comm->block->failed),
			.op = NPU_SEM_EQ,
		},
		LOOK_US);
}

static void wait_for(struct rt_coll_list *list, enum rt_coll_task task, unsigned int peer,
		     const void *word, uint64_t value)
{
	add_sem(list, NPU_CMD_SEM_WAIT, task, peer,
		(struct npu_cmd_sem){
			.address = rt_coll_address(list->comm, word),
			.value = value,
			.op = NPU_SEM_GE,
		},
		list->comm->group->timeout_us);
	look(list);
}

/* Never back: a failure leaves the greatest number in all words. */
static void tell(struct rt_coll_list *list, unsigned int peer, const void *word, uint64_t value)
{
	add_sem(list, NPU_CMD_SEM_SIGNAL, RT_COLL_MOVES, peer,
		(struct npu_cmd_sem){
			.address = rt_coll_address(list->comm, word),
			.value = value,
			.op = NPU_SEM_MAX,
		},
		0);
}

static struct rt_coll_words *words_of(const npurt_communicator *comm, unsigned int from,
				      unsigned int to)
{
	return &comm->block->words[(size_t)from * comm->group->ranks + to];
}

static uint64_t slot(const npurt_communicator *comm, const struct rt_coll_end *end)
{
	return end->inbox->va + end->pieces % RT_COLL_SLOTS * comm->group->slot_bytes;
}

uint64_t rt_coll_room(struct rt_coll_list *list, unsigned int peer)
{
	npurt_communicator *comm = list->comm;
	const struct rt_coll_end *out = &comm->out[peer];

	if (!list->err)
		list->err = rt_coll_link_out(comm, peer);
	if (list->err)
		return 0;
	if (out->pieces >= RT_COLL_SLOTS)
		wait_for(list, RT_COLL_WAITS_FOR_ROOM, peer,
			 &words_of(comm, comm->rank, peer)->taken,
			 out->pieces - RT_COLL_SLOTS + 1);
	return slot(comm, out);
}

void rt_coll_post(struct rt_coll_list *list, unsigned int peer)
{
	const npurt_communicator *comm = list->comm;

	tell(list, peer, &words_of(comm, comm->rank, peer)->full, ++comm->out[peer].pieces);
}

uint64_t rt_coll_take(struct rt_coll_list *list, unsigned int peer)
{
	npurt_communicator *comm = list->comm;
	const struct rt_coll_end *in = &comm->in[peer];

	if (!list->err)
		list->err = rt_coll_link_in(comm, peer);
	if (list->err)
		return 0;
	wait_for(list, RT_COLL_WAITS_FOR_DATA, peer, &words_of(comm, peer, comm->rank)->full,
		 in->pieces + 1);
	return slot(comm, in);
}

void rt_coll_release(struct rt_coll_list *list, unsigned int peer)
{
	const npurt_communicator *comm = list->comm;

	tell(list, peer, &words_of(comm, peer, comm->rank)->taken, ++comm->in[peer].pieces);
}

void rt_coll_copy(struct rt_coll_list *list, uint64_t dst, uint64_t src, uint64_t bytes)
{
	struct npu_cmd spill;

	if (!bytes || dst == src)
		return;
	add(list, &spill, NPU_CMD_COPY, RT_COLL_MOVES, 0)->copy = (struct npu_cmd_copy){
		.dst = dst,
		.src = src,
		.row_bytes = bytes,
		.rows = 1,
	};
}

void rt_coll_reduce(struct rt_coll_list *list, const struct rt_coll_op *op, uint64_t dst,
		    uint64_t src, uint64_t bytes)
{
	struct npu_cmd spill;

	if (!bytes)
		return;
	add(list, &spill, NPU_CMD_REDUCE, RT_COLL_MOVES, 0)->reduce = (struct npu_cmd_reduce){
		.dst = dst,
		.src = src,
		.bytes = bytes,
		.type = op->dtype,
		.op = op->op,
	};
}

/* Operations of a rank follow each other, whichever streams they are on. */
void rt_coll_begin(struct rt_coll_list *list, bool other_stream)
{
	const npurt_communicator *comm = list->comm;

	if (other_stream)
		wait_for(list, RT_COLL_WAITS_FOR_TURN, comm->rank,
			 &comm->block->ranks[comm->rank].turn, comm->issued);
	else
		look(list);
}

void rt_coll_end(struct rt_coll_list *list)
{
	const npurt_communicator *comm = list->comm;
	struct rt_coll_rank *rank = &comm->block->ranks[comm->rank];

	tell(list, comm->rank, &rank->turn, comm->issued + 1);
	tell(list, comm->rank, &rank->done, comm->issued + 1);
}

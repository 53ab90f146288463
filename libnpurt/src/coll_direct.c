// SPDX-License-Identifier: MIT
/*
 * Collectives in one step: each rank sends to every other one what that wants, a piece at
 * most. For little data and few ranks.
 *
 * Parts are combined in the order of ranks at every rank, so all have the same sum.
 */
#include "coll.h"

static void send_piece(struct rt_coll_list *list, unsigned int peer, uint64_t src, uint64_t bytes)
{
	rt_coll_copy(list, rt_coll_room(list, peer), src, bytes);
	rt_coll_post(list, peer);
}

/* To each rank, beginning with the next one, what is at @src + its number * @stride. */
static void send_all(struct rt_coll_list *list, uint64_t src, uint64_t stride, uint64_t bytes)
{
	const unsigned int ranks = list->comm->group->ranks;

	for (unsigned int i = 1; i < ranks && !list->err; i++) {
		const unsigned int peer = (list->comm->rank + i) % ranks;

		send_piece(list, peer, src + peer * stride, bytes);
	}
}

/* What comes from each goes to @dst + its number * @stride. */
static void receive_all(struct rt_coll_list *list, uint64_t dst, uint64_t stride, uint64_t bytes)
{
	const unsigned int ranks = list->comm->group->ranks;

	for (unsigned int i = 1; i < ranks && !list->err; i++) {
		const unsigned int peer = (list->comm->rank + ranks - i) % ranks;

		rt_coll_copy(list, dst + peer * stride, rt_coll_take(list, peer), bytes);
		rt_coll_release(list, peer);
	}
}

/*
 * The sum grows where the part of the first other rank is: @own may be where the result goes.
 * That rank 0 begins with the part of rank 1 makes no difference, as a + b is b + a.
 */
static void combine(struct rt_coll_list *list, const struct rt_coll_op *op, uint64_t own)
{
	const npurt_communicator *comm = list->comm;
	const unsigned int ranks = comm->group->ranks, start = comm->rank ? 0 : 1;
	const uint64_t sum = rt_coll_take(list, start);

	for (unsigned int peer = 0; peer < ranks && !list->err; peer++) {
		if (peer == start)
			continue;
		if (peer == comm->rank) {
			rt_coll_reduce(list, op, sum, own, op->bytes);
			continue;
		}
		rt_coll_reduce(list, op, sum, rt_coll_take(list, peer), op->bytes);
		rt_coll_release(list, peer);
	}
	rt_coll_copy(list, op->dst, sum, op->bytes);
	rt_coll_release(list, start);
}

static void all_reduce(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	send_all(list, op->src, 0, op->bytes);
	combine(list, op, op->src);
}

static void reduce_scatter(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	send_all(list, op->src, op->bytes, op->bytes);
	combine(list, op, op->src + list->comm->rank * op->bytes);
}

static void all_gather(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	send_all(list, op->src, 0, op->bytes);
	rt_coll_copy(list, op->dst + list->comm->rank * op->bytes, op->src, op->bytes);
	receive_all(list, op->dst, op->bytes, op->bytes);
}

static void broadcast(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	if (list->comm->rank == op->root) {
		send_all(list, op->src, 0, op->bytes);
		rt_coll_copy(list, op->dst, op->src, op->bytes);
		return;
	}
	rt_coll_copy(list, op->dst, rt_coll_take(list, op->root), op->bytes);
	rt_coll_release(list, op->root);
}

/* All is sent before anything comes, so it may be done in place. */
static void all_to_all(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const uint64_t own = list->comm->rank * op->bytes;

	send_all(list, op->src, op->bytes, op->bytes);
	rt_coll_copy(list, op->dst + own, op->src + own, op->bytes);
	receive_all(list, op->dst, op->bytes, op->bytes);
}

const struct rt_coll_algorithm rt_coll_direct = {
	.name = "direct",
	.write = {
		[RT_COLL_ALL_REDUCE] = all_reduce,
		[RT_COLL_ALL_GATHER] = all_gather,
		[RT_COLL_REDUCE_SCATTER] = reduce_scatter,
		[RT_COLL_BROADCAST] = broadcast,
		[RT_COLL_ALL_TO_ALL] = all_to_all,
	},
};

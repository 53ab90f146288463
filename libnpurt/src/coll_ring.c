// SPDX-License-Identifier: MIT
/*
 * Collectives on a ring: each rank sends to the next one only, so that every way between two
 * carries the same, and less than twice the data, whatever the number of ranks. For much
 * data.
 *
 * Data go round in slabs: of each rank's chunk as much as half of an inbox has room for. With
 * chunks of fewer pieces than an inbox has, a rank that holds one while it waits for room for
 * it at the next is never one of a circle of such: what it waits for came before.
 */
#include "coll.h"

#define CHUNK_PIECES (RT_COLL_SLOTS / 2)

static unsigned int before(const npurt_communicator *comm, unsigned int steps)
{
	const unsigned int ranks = comm->group->ranks;

	return (comm->rank + ranks - steps % ranks) % ranks;
}

static uint64_t chunk_bytes(const npurt_communicator *comm, const struct rt_coll_op *op)
{
	const uint64_t slot = comm->group->slot_bytes;

	return CHUNK_PIECES * (slot - slot % op->element);
}

/* Where the chunk of a rank is in a slab, in bytes. */
struct chunk {
	uint64_t offset, bytes;
};

struct slab {
	struct rt_coll_list *list;
	const struct rt_coll_op *op;
	uint64_t start, bytes; /* of all chunks together, or of each if they lie apart */
	bool apart; /* chunks of op->bytes */
};

/* Elements of one slab of an all-reduce are dealt out evenly. */
static struct chunk chunk_of(const struct slab *slab, unsigned int rank)
{
	const unsigned int ranks = slab->list->comm->group->ranks;
	const uint64_t element = slab->op->element, count = slab->bytes / element;
	uint64_t from, to;

	if (slab->apart)
		return (struct chunk){ rank * slab->op->bytes + slab->start, slab->bytes };
	from = count / ranks * rank + rt_min(rank, count % ranks);
	to = from + count / ranks + (rank < count % ranks);
	return (struct chunk){ slab->start + from * element, (to - from) * element };
}

/* The next piece of a chunk, zero at its end. */
static uint64_t piece_bytes(const struct slab *slab, const struct chunk *chunk, uint64_t at)
{
	const uint64_t most = chunk_bytes(slab->list->comm, slab->op) / CHUNK_PIECES;

	return rt_min(most, chunk->bytes - at);
}

#define for_each_piece(slab, chunk, at, n) \
	for ((at) = 0; ((n) = piece_bytes(slab, chunk, at)) != 0; (at) += (n))

static void put(struct rt_coll_list *list, uint64_t src, uint64_t bytes)
{
	const unsigned int next = before(list->comm, list->comm->group->ranks - 1);

	rt_coll_copy(list, rt_coll_room(list, next), src, bytes);
	rt_coll_post(list, next);
}

static void send_chunk(const struct slab *slab, unsigned int rank, uint64_t src)
{
	const struct chunk chunk = chunk_of(slab, rank);
	uint64_t at, n;

	for_each_piece(slab, &chunk, at, n)
		put(slab->list, src + chunk.offset + at, n);
}

/*
 * Chunk c starts at rank c + 1 and takes a rank's part with it at each. At rank c it is
 * complete: it goes to @dst, and if @on, the chunks then go round once more.
 */
static void reduce_slab(const struct slab *slab, uint64_t dst, bool on)
{
	struct rt_coll_list *list = slab->list;
	const npurt_communicator *comm = list->comm;
	const unsigned int ranks = comm->group->ranks;
	uint64_t at, n;

	send_chunk(slab, before(comm, 1), slab->op->src);
	for (unsigned int step = 1; step < ranks; step++) {
		const struct chunk chunk = chunk_of(slab, before(comm, 1 + step));
		const bool last = step == ranks - 1;

		for_each_piece(slab, &chunk, at, n) {
			const uint64_t piece = rt_coll_take(list, before(comm, 1));

			rt_coll_reduce(list, slab->op, piece, slab->op->src + chunk.offset + at, n);
			if (!last || on)
				put(list, piece, n);
			if (last)
				rt_coll_copy(list, dst + at, piece, n);
			rt_coll_release(list, before(comm, 1));
		}
	}
}

/* Chunks that are complete go round, each rank's own having been sent. */
static void gather_slab(const struct slab *slab)
{
	struct rt_coll_list *list = slab->list;
	const npurt_communicator *comm = list->comm;
	const unsigned int ranks = comm->group->ranks;
	uint64_t at, n;

	for (unsigned int step = 1; step < ranks; step++) {
		const struct chunk chunk = chunk_of(slab, before(comm, step));

		for_each_piece(slab, &chunk, at, n) {
			const uint64_t piece = rt_coll_take(list, before(comm, 1));

			if (step < ranks - 1)
				put(list, piece, n);
			rt_coll_copy(list, slab->op->dst + chunk.offset + at, piece, n);
			rt_coll_release(list, before(comm, 1));
		}
	}
}

static void all_reduce(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const npurt_communicator *comm = list->comm;
	const uint64_t most = comm->group->ranks * chunk_bytes(comm, op);
	struct slab slab = { .list = list, .op = op };

	for (; slab.start < op->bytes && !list->err; slab.start += slab.bytes) {
		slab.bytes = rt_min(op->bytes - slab.start, most);
		reduce_slab(&slab, op->dst + chunk_of(&slab, comm->rank).offset, true);
		gather_slab(&slab);
	}
}

static void reduce_scatter(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const uint64_t most = chunk_bytes(list->comm, op);
	struct slab slab = { .list = list, .op = op, .apart = true };

	for (; slab.start < op->bytes && !list->err; slab.start += slab.bytes) {
		slab.bytes = rt_min(op->bytes - slab.start, most);
		reduce_slab(&slab, op->dst + slab.start, false);
	}
}

static void all_gather(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const uint64_t most = chunk_bytes(list->comm, op);
	const uint64_t own = list->comm->rank * op->bytes;
	struct slab slab = { .list = list, .op = op, .apart = true };

	rt_coll_copy(list, op->dst + own, op->src, op->bytes);
	for (; slab.start < op->bytes && !list->err; slab.start += slab.bytes) {
		slab.bytes = rt_min(op->bytes - slab.start, most);
		send_chunk(&slab, list->comm->rank, op->src - own);
		gather_slab(&slab);
	}
}

/* The root's pieces go on from rank to rank until the one before the root. */
static void broadcast(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const npurt_communicator *comm = list->comm;
	const bool root = comm->rank == op->root;
	const bool last = before(comm, comm->group->ranks - 1) == op->root;
	uint64_t at, n;

	if (root)
		rt_coll_copy(list, op->dst, op->src, op->bytes);
	for (at = 0; at < op->bytes && !list->err; at += n) {
		uint64_t piece = op->src + at;

		n = rt_min(comm->group->slot_bytes, op->bytes - at);
		if (!root)
			piece = rt_coll_take(list, before(comm, 1));
		if (!last)
			put(list, piece, n);
		if (root)
			continue;
		rt_coll_copy(list, op->dst + at, piece, n);
		rt_coll_release(list, before(comm, 1));
	}
}

/*
 * Ranks exchange what they have for each other two by two, a piece at a time: what comes takes
 * the place of what has just gone, so it may be done in place. In round s rank r's other one is
 * s - r, whose other one is r.
 */
static void all_to_all(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const npurt_communicator *comm = list->comm;
	const unsigned int ranks = comm->group->ranks;

	for (unsigned int round = 0; round < ranks; round++) {
		const unsigned int peer = (round + ranks - comm->rank) % ranks;
		const uint64_t src = op->src + peer * op->bytes, dst = op->dst + peer * op->bytes;
		uint64_t n;

		if (peer == comm->rank) {
			rt_coll_copy(list, dst, src, op->bytes);
			continue;
		}
		for (uint64_t at = 0; at < op->bytes && !list->err; at += n) {
			n = rt_min(comm->group->slot_bytes, op->bytes - at);
			rt_coll_copy(list, rt_coll_room(list, peer), src + at, n);
			rt_coll_post(list, peer);
			rt_coll_copy(list, dst + at, rt_coll_take(list, peer), n);
			rt_coll_release(list, peer);
		}
	}
}

const struct rt_coll_algorithm rt_coll_ring = {
	.name = "ring",
	.write = {
		[RT_COLL_ALL_REDUCE] = all_reduce,
		[RT_COLL_ALL_GATHER] = all_gather,
		[RT_COLL_REDUCE_SCATTER] = reduce_scatter,
		[RT_COLL_BROADCAST] = broadcast,
		[RT_COLL_ALL_TO_ALL] = all_to_all,
	},
};

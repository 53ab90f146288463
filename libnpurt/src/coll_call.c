// SPDX-License-Identifier: MIT
/*
 * Collectives: what ranks are asked for is checked, by itself and against what other ranks were
 * asked for, written as a list of commands, and put on a stream.
 */
#include "coll.h"
#include "race.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECT_BYTES (64u << 10)
#define DIRECT_RANKS 16
#define LIST_BYTES (16u << 10)

static const uint8_t element_bytes[] = {
	[NPURT_F32] = 4, [NPURT_F16] = 2, [NPURT_BF16] = 2, [NPURT_S32] = 4,
	[NPURT_S8] = 1,	 [NPURT_U8] = 1,  [NPURT_S16] = 2,
};

/* A call: where its data are is checked once the stream is known to be good. */
struct call {
	npurt_communicator *comm;
	npurt_stream *stream;
	struct rt_coll_op op;
	uint64_t count; /* of elements, or of bytes, as the caller has it */
	struct rt_region dst, src; /* memory NULL: not used by this rank */
	uint64_t dst_bytes, src_bytes;
	bool uses_dst, uses_src;
};

/* Checks. */

static int check_type(struct call *call)
{
	struct rt_diag *diag = &call->comm->diag;

	if ((unsigned int)call->op.dtype >= RT_ARRAY_SIZE(element_bytes))
		return rt_fail(diag, NPURT_ERROR_INVALID, "dtype is %d", (int)call->op.dtype);
	if ((unsigned int)call->op.op > NPURT_REDUCE_MAX)
		return rt_fail(diag, NPURT_ERROR_INVALID, "op is %d", (int)call->op.op);
	call->op.element = element_bytes[call->op.dtype];
	if ((rt_region_address(&call->dst) | rt_region_address(&call->src)) % call->op.element)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "an address is not a multiple of the element's %u bytes",
			       call->op.element);
	return 0;
}

/* Bytes of a rank's part, and of @parts of them. */
static int measure(struct call *call, uint64_t *bytes, unsigned int parts)
{
	if (__builtin_mul_overflow(call->count, (uint64_t)call->op.element, &call->op.bytes) ||
	    __builtin_mul_overflow(call->op.bytes, (uint64_t)parts, bytes))
		return rt_fail(&call->comm->diag, NPURT_ERROR_RANGE,
			       "%" PRIu64 " elements of %u ranks", call->count, parts);
	return 0;
}

static int check_region(struct call *call, const char *name, const struct rt_region *region,
			bool write, uint64_t bytes)
{
	return bytes ? rt_region_check(&call->comm->diag, call->comm->context, name, region, write,
				       bytes, 1)
		     : 0;
}

/* In place: where the result of a rank's part takes the place of that part. */
static bool in_place(const struct call *call)
{
	const struct rt_coll_op *op = &call->op;
	const uint64_t own = call->comm->rank * op->bytes;

	switch (op->kind) {
	case RT_COLL_ALL_GATHER:
		return op->src == op->dst + own;
	case RT_COLL_REDUCE_SCATTER:
		return op->dst == op->src + own;
	case RT_COLL_SEND_RECEIVE:
		return false;
	default:
		return op->src == op->dst;
	}
}

static int check_regions(struct call *call)
{
	int err = 0;

	if (call->uses_dst)
		err = check_region(call, "dst", &call->dst, true, call->dst_bytes);
	if (!err && call->uses_src)
		err = check_region(call, "src", &call->src, false, call->src_bytes);
	if (err)
		return err;
	call->op.dst = rt_region_address(&call->dst);
	call->op.src = rt_region_address(&call->src);
	if (call->uses_dst && call->uses_src && call->dst.memory == call->src.memory &&
	    call->dst.offset < call->src.offset + call->src_bytes &&
	    call->src.offset < call->dst.offset + call->dst_bytes && !in_place(call))
		return rt_fail(&call->comm->diag, NPURT_ERROR_INVALID,
			       "source and destination overlap in '%s', and are not in place",
			       call->dst.memory->label);
	return 0;
}

static int check_stream(struct call *call)
{
	npurt_communicator *comm = call->comm;

	if (call->stream->context != comm->context)
		return rt_fail(&comm->diag, NPURT_ERROR_INVALID,
			       "stream %u is not of the context of rank %u", call->stream->id,
			       comm->rank);
	if (rt_stream_capturing(call->stream))
		return rt_fail(&comm->diag, NPURT_ERROR_CAPTURE,
			       "a collective on stream %u, which is being captured",
			       call->stream->id);
	return 0;
}

/* Agreement with the other ranks, under the group's lock. */

static void describe(const struct rt_coll_record *record, char *text, size_t size)
{
	static const char *const types[] = { "f32", "f16", "bf16", "s32", "s8", "u8", "s16" };
	static const char *const ops[] = { "add", "min", "max" };

	switch (record->kind) {
	case RT_COLL_ALL_REDUCE:
	case RT_COLL_REDUCE_SCATTER:
		snprintf(text, size, "%s of %" PRIu64 " bytes, %s, %s",
			 rt_coll_kind_name(record->kind), record->bytes, types[record->dtype],
			 ops[record->op]);
		break;
	case RT_COLL_BROADCAST:
		snprintf(text, size, "%s of %" PRIu64 " bytes from rank %u",
			 rt_coll_kind_name(record->kind), record->bytes, record->root);
		break;
	default:
		snprintf(text, size, "%s of %" PRIu64 " bytes", rt_coll_kind_name(record->kind),
			 record->bytes);
		break;
	}
}

static bool same(const struct rt_coll_record *a, const struct rt_coll_record *b)
{
	return a->kind == b->kind && a->bytes == b->bytes && a->dtype == b->dtype &&
	       a->op == b->op && a->root == b->root;
}

/* The record of the operation that comes next can be used if all have done with its last use. */
static int check_ahead(npurt_communicator *comm)
{
	for (unsigned int i = 0; i < comm->group->ranks; i++) {
		const uint64_t issued = atomic_load(&comm->block->ranks[i].issued);

		if (comm->sequence >= issued + RT_COLL_AHEAD)
			return rt_fail(&comm->diag, NPURT_ERROR_LIMIT,
				       "rank %u is %u operations ahead of rank %u, which is the "
				       "most that it may", comm->rank, RT_COLL_AHEAD, i);
	}
	return 0;
}

static int agree(npurt_communicator *comm, const struct rt_coll_op *op)
{
	const struct rt_coll_record own = {
		.sequence = comm->sequence + 1,
		.bytes = op->bytes,
		.kind = op->kind,
		.dtype = op->dtype,
		.op = op->op,
		.root = op->root,
		.first = comm->rank,
	};
	struct rt_coll_record *record = &comm->block->records[own.sequence % RT_COLL_AHEAD];
	char this[96], that[96];
	int err = check_ahead(comm);

	if (err)
		return err;
	if (record->sequence != own.sequence || !record->callers)
		*record = own;
	if (!same(record, &own)) {
		describe(&own, this, sizeof(this));
		describe(record, that, sizeof(that));
		return rt_fail(&comm->diag, NPURT_ERROR_INVALID,
			       "operation %" PRIu64 " is %s at rank %u, and %s at rank %u",
			       own.sequence, this, comm->rank, that, record->first);
	}
	record->callers++;
	return 0;
}

static void disagree(npurt_communicator *comm)
{
	comm->block->records[(comm->sequence + 1) % RT_COLL_AHEAD].callers--;
}

/* One side of a transfer from rank @from to rank @to. */
static int agree_transfer(npurt_communicator *comm, unsigned int from, unsigned int to,
			  uint64_t bytes)
{
	struct rt_coll_transfers **place =
		&comm->group->transfers[(size_t)from * comm->group->ranks + to];
	const bool sends = comm->rank == from;
	struct rt_coll_transfers *t = *place;
	uint64_t own, other;
	unsigned int at;

	if (!t)
		t = *place = calloc(1, sizeof(*t));
	if (!t)
		return rt_fail(&comm->diag, NPURT_ERROR_HOST_MEMORY, "allocate a transfer");
	own = sends ? t->sends : t->receives;
	other = sends ? t->receives : t->sends;
	at = own % RT_COLL_TRANSFERS;
	if (own >= other + RT_COLL_TRANSFERS)
		return rt_fail(&comm->diag, NPURT_ERROR_LIMIT,
			       "rank %u is %u transfers from rank %u to rank %u ahead of the other, "
			       "which is the most that it may",
			       comm->rank, RT_COLL_TRANSFERS, from, to);
	if (own >= other) {
		t->bytes[at] = bytes;
		t->after[at] = comm->sequence;
	} else if (t->bytes[at] != bytes || t->after[at] != comm->sequence) {
		return rt_fail(&comm->diag, NPURT_ERROR_INVALID,
			       "transfer %" PRIu64 " from rank %u to rank %u is of %" PRIu64
			       " bytes, after operation %" PRIu64 ", at rank %u, and of %" PRIu64
			       " bytes, after operation %" PRIu64 ", at the other",
			       own + 1, from, to, bytes, comm->sequence, comm->rank, t->bytes[at],
			       t->after[at]);
	}
	return 0;
}

static void count_transfer(npurt_communicator *comm, unsigned int from, unsigned int to)
{
	struct rt_coll_transfers *t =
		comm->group->transfers[(size_t)from * comm->group->ranks + to];

	if (comm->rank == from)
		t->sends++;
	else
		t->receives++;
}

static int agree_transfers(npurt_communicator *comm, const struct rt_coll_op *op)
{
	int err = 0;

	if (op->to != RT_COLL_NOBODY)
		err = agree_transfer(comm, comm->rank, op->to, op->bytes);
	if (!err && op->from != RT_COLL_NOBODY)
		err = agree_transfer(comm, op->from, comm->rank, op->receive_bytes);
	if (err)
		return err;
	if (op->to != RT_COLL_NOBODY)
		count_transfer(comm, comm->rank, op->to);
	if (op->from != RT_COLL_NOBODY)
		count_transfer(comm, op->from, comm->rank);
	return 0;
}

static void disagree_transfers(npurt_communicator *comm, const struct rt_coll_op *op)
{
	const size_t ranks = comm->group->ranks;

	if (op->to != RT_COLL_NOBODY)
		comm->group->transfers[comm->rank * ranks + op->to]->sends--;
	if (op->from != RT_COLL_NOBODY)
		comm->group->transfers[op->from * ranks + comm->rank]->receives--;
}

static int agree_on(npurt_communicator *comm, const struct rt_coll_op *op)
{
	int err;

	pthread_mutex_lock(&comm->group->lock);
	err = op->kind == RT_COLL_SEND_RECEIVE ? agree_transfers(comm, op) : agree(comm, op);
	pthread_mutex_unlock(&comm->group->lock);
	return err;
}

static void take_back(npurt_communicator *comm, const struct rt_coll_op *op)
{
	pthread_mutex_lock(&comm->group->lock);
	if (op->kind == RT_COLL_SEND_RECEIVE)
		disagree_transfers(comm, op);
	else
		disagree(comm);
	pthread_mutex_unlock(&comm->group->lock);
}

/* The list. */

static void write_alone(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	rt_coll_copy(list, op->dst, op->src, op->bytes);
}

/* Both ways in turn, a piece at a time, so that two ranks can exchange what no inbox holds. */
static void write_transfers(struct rt_coll_list *list, const struct rt_coll_op *op)
{
	const uint64_t slot = list->comm->group->slot_bytes;
	const uint64_t send = op->to != RT_COLL_NOBODY ? op->bytes : 0;
	const uint64_t receive = op->from != RT_COLL_NOBODY ? op->receive_bytes : 0;

	for (uint64_t at = 0; (at < send || at < receive) && !list->err; at += slot) {
		if (at < send) {
			rt_coll_copy(list, rt_coll_room(list, op->to), op->src + at,
				     rt_min(slot, send - at));
			rt_coll_post(list, op->to);
		}
		if (at < receive) {
			rt_coll_copy(list, op->dst + at, rt_coll_take(list, op->from),
				     rt_min(slot, receive - at));
			rt_coll_release(list, op->from);
		}
	}
}

static const struct rt_coll_algorithm *choose(const npurt_communicator *comm, uint64_t bytes)
{
	return comm->group->ranks <= DIRECT_RANKS && bytes <= DIRECT_BYTES &&
			       bytes <= comm->group->slot_bytes
		       ? &rt_coll_direct
		       : &rt_coll_ring;
}

static int write_list(struct rt_coll_list *list, const struct call *call)
{
	npurt_communicator *comm = list->comm;
	const struct rt_coll_op *op = &call->op;

	rt_coll_begin(list, comm->stream && comm->stream != call->stream);
	if (op->kind == RT_COLL_SEND_RECEIVE)
		write_transfers(list, op);
	else if (comm->group->ranks == 1)
		write_alone(list, op);
	else
		choose(comm, op->bytes)->write[op->kind](list, op);
	rt_coll_end(list);
	return list->err;
}

static int failed_in_context(npurt_communicator *comm, int err)
{
	char text[RT_COLL_TEXT];

	rt_diag_copy(&comm->context->diag, text, sizeof(text));
	return rt_fail(&comm->diag, err, "rank %u, list of commands: %s", comm->rank, text);
}

/* Memory for @bytes: one that is kept, or a new one. */
static int get_memory(npurt_communicator *comm, uint64_t bytes, npurt_memory **memory)
{
	const struct rt_memory_desc desc = {
		.bytes = rt_align(bytes, LIST_BYTES),
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: collective",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	int err;

	for (unsigned int i = 0; i < RT_COLL_SPARE; i++) {
		if (!comm->spare[i] || comm->spare[i]->bytes < bytes)
			continue;
		*memory = comm->spare[i];
		comm->spare[i] = NULL;
		return 0;
	}
	err = rt_memory_create(comm->context, &desc, memory);
	return err ? failed_in_context(comm, err) : 0;
}

/* Under the locks of stream and communicator. */
static int submit(struct rt_coll_list *list, const struct call *call)
{
	npurt_communicator *comm = list->comm;
	const uint64_t bytes = list->count * sizeof(struct npu_cmd);
	struct rt_coll_pending *pending = &comm->pending[comm->issued % RT_COLL_AHEAD];
	char text[RT_COLL_TEXT], label[NPURT_LABEL_SIZE] = "";
	npurt_memory *memory;
	void *map;
	int err = get_memory(comm, bytes, &memory);

	if (err)
		return err;
	err = rt_memory_map(memory, &map);
	if (err) {
		failed_in_context(comm, err);
		goto fail;
	}
	memcpy(map, comm->commands, bytes);
	atomic_store(&pending->name,
		     (comm->sequence + (call->op.kind != RT_COLL_SEND_RECEIVE)) << 8 |
			     call->op.kind);
	snprintf(label, sizeof(label), "%s", rt_coll_kind_name(call->op.kind));
	err = rt_stream_run_list(call->stream, memory->va, list->count, label);
	if (err) {
		rt_diag_copy(&call->stream->diag, text, sizeof(text));
		rt_fail(&comm->diag, err, "rank %u: %s", comm->rank, text);
		goto fail;
	}
	pending->stream = rt_stream_get(call->stream);
	pending->point = call->stream->submitted;
	pending->list = memory;
	return 0;

fail:
	rt_memory_destroy(memory);
	return err;
}

static void save_pieces(npurt_communicator *comm)
{
	for (unsigned int i = 0; i < comm->group->ranks; i++) {
		comm->saved[2 * i] = comm->out[i].pieces;
		comm->saved[2 * i + 1] = comm->in[i].pieces;
	}
}

static void restore_pieces(npurt_communicator *comm)
{
	for (unsigned int i = 0; i < comm->group->ranks; i++) {
		comm->out[i].pieces = comm->saved[2 * i];
		comm->in[i].pieces = comm->saved[2 * i + 1];
	}
}

static void set_last_stream(npurt_communicator *comm, npurt_stream *stream)
{
	if (comm->stream == stream)
		return;
	if (comm->stream)
		rt_stream_put(comm->stream);
	comm->stream = rt_stream_get(stream);
}

/* For $NPURT_VALIDATE. */
static int check_races(const struct call *call)
{
	const struct rt_use uses[] = {
		{ .area = { call->op.dst, call->dst_bytes, 1, 0 }, .write = true },
		{ .area = { call->op.src, call->src_bytes, 1, 0 } },
	};
	const npurt_stream *last = call->comm->stream;

	return rt_race_check_collective(call->stream, last ? last->id : 0, uses,
					RT_ARRAY_SIZE(uses));
}

static int enqueue(npurt_communicator *comm, const struct call *call)
{
	struct rt_coll_list list = {
		.comm = comm,
		.tag = RT_COLL_TAG | (uint64_t)comm->id << RT_COLL_ID_SHIFT |
		       (comm->issued & UINT32_MAX) << RT_COLL_NUMBER_SHIFT,
	};
	const bool watched = rt_watched() & RT_WATCH_VALIDATE;
	int err = 0;

	if (comm->issued - comm->oldest == RT_COLL_AHEAD)
		return rt_fail(&comm->diag, NPURT_ERROR_LIMIT,
			       "rank %u has %u operations that have not ended, which is the most "
			       "that it may", comm->rank, RT_COLL_AHEAD);
	if (rt_unlikely(watched))
		err = check_races(call);
	save_pieces(comm);
	if (!err)
		err = write_list(&list, call);
	if (!err)
		err = submit(&list, call);
	if (rt_unlikely(watched))
		rt_race_placed(call->stream, call->stream->submitted, true);
	if (err) {
		restore_pieces(comm);
		return err;
	}
	comm->issued++;
	set_last_stream(comm, call->stream);
	return 0;
}

/* Does a rank have anything to do? */
static bool is_empty(const struct rt_coll_op *op)
{
	return !op->bytes && !op->receive_bytes;
}

/* Under the locks of stream and communicator. */
static int run(struct call *call)
{
	npurt_communicator *comm = call->comm;
	const uint64_t gone = atomic_load(&comm->block->gone);
	int err;

	if (rt_coll_failed(comm))
		return rt_coll_failure(comm);
	if (gone)
		return rt_fail(&comm->diag, NPURT_ERROR_COLLECTIVE,
			       "the communicator of rank %u was destroyed",
			       (unsigned int)gone - 1);
	err = check_stream(call);
	if (!err)
		err = check_regions(call);
	if (!err)
		err = agree_on(comm, &call->op);
	if (err)
		return err;
	rt_coll_reap(comm);
	if (!is_empty(&call->op))
		err = enqueue(comm, call);
	if (err) {
		take_back(comm, &call->op);
		return err;
	}
	if (call->op.kind != RT_COLL_SEND_RECEIVE) {
		comm->sequence++;
		atomic_store(&comm->block->ranks[comm->rank].issued, comm->sequence);
	}
	return 0;
}

static int check_call(const struct call *call)
{
	const npurt_communicator *comm = call->comm;

	if (!comm)
		return NPURT_ERROR_INVALID;
	return rt_forked(comm->context->device) ? NPURT_ERROR_FORKED : 0;
}

static int start(struct call *call)
{
	npurt_communicator *comm = call->comm;
	char text[RT_COLL_TEXT];
	int err;

	if (rt_coll_failed(comm))
		return rt_coll_failure(comm);
	if (!call->stream)
		return rt_fail(&comm->diag, NPURT_ERROR_INVALID, "stream is NULL");
	err = rt_stream_enter(call->stream);
	if (err) {
		rt_diag_copy(&call->stream->diag, text, sizeof(text));
		return rt_fail(&comm->diag, err, "rank %u: stream %u has failed: %s", comm->rank,
			       call->stream->id, text);
	}
	pthread_mutex_lock(&comm->lock);
	err = run(call);
	pthread_mutex_unlock(&comm->lock);
	rt_stream_leave(call->stream);
	return err;
}

/* The interface. */

int npurt_all_reduce_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			   uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
			   uint64_t count, enum npurt_dtype dtype, enum npurt_reduce_op op)
{
	struct call call = {
		.comm = comm, .stream = stream, .count = count,
		.op = { .kind = RT_COLL_ALL_REDUCE, .dtype = dtype, .op = op },
		.dst = { dst, dst_offset, 0 }, .src = { src, src_offset, 0 },
		.uses_dst = true, .uses_src = true,
	};
	int err = check_call(&call);

	if (!err)
		err = check_type(&call);
	if (!err)
		err = measure(&call, &call.dst_bytes, 1);
	call.src_bytes = call.dst_bytes;
	return err ? err : start(&call);
}

int npurt_reduce_scatter_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			       uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
			       uint64_t count, enum npurt_dtype dtype, enum npurt_reduce_op op)
{
	struct call call = {
		.comm = comm, .stream = stream, .count = count,
		.op = { .kind = RT_COLL_REDUCE_SCATTER, .dtype = dtype, .op = op },
		.dst = { dst, dst_offset, 0 }, .src = { src, src_offset, 0 },
		.uses_dst = true, .uses_src = true,
	};
	int err = check_call(&call);

	if (!err)
		err = check_type(&call);
	if (!err)
		err = measure(&call, &call.src_bytes, comm->group->ranks);
	call.dst_bytes = call.op.bytes;
	return err ? err : start(&call);
}

/* Of which @dst has @bytes from each rank. */
static int take_parts(struct call *call, enum rt_coll_kind kind, npurt_memory *dst,
		      uint64_t dst_offset, npurt_memory *src, uint64_t src_offset, uint64_t bytes)
{
	int err;

	call->op.kind = kind;
	call->op.element = 1;
	call->count = bytes;
	call->dst = (struct rt_region){ dst, dst_offset, 0 };
	call->src = (struct rt_region){ src, src_offset, 0 };
	call->uses_dst = call->uses_src = true;
	err = check_call(call);
	return err ? err : measure(call, &call->dst_bytes, call->comm->group->ranks);
}

int npurt_all_gather_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			   uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
			   uint64_t bytes)
{
	struct call call = { .comm = comm, .stream = stream };
	int err = take_parts(&call, RT_COLL_ALL_GATHER, dst, dst_offset, src, src_offset, bytes);

	call.src_bytes = bytes;
	return err ? err : start(&call);
}

int npurt_all_to_all_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			   uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
			   uint64_t bytes)
{
	struct call call = { .comm = comm, .stream = stream };
	int err = take_parts(&call, RT_COLL_ALL_TO_ALL, dst, dst_offset, src, src_offset, bytes);

	call.src_bytes = call.dst_bytes;
	return err ? err : start(&call);
}

static int check_rank(npurt_communicator *comm, const char *name, unsigned int rank)
{
	if (rank < comm->group->ranks)
		return 0;
	return rt_fail(&comm->diag, NPURT_ERROR_INVALID, "%s is %u, and there are %u ranks", name,
		       rank, comm->group->ranks);
}

int npurt_broadcast_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			  uint64_t dst_offset, npurt_memory *src, uint64_t src_offset,
			  uint64_t bytes, unsigned int root)
{
	struct call call = {
		.comm = comm, .stream = stream, .count = bytes,
		.op = { .kind = RT_COLL_BROADCAST, .element = 1, .root = root },
		.dst = { dst, dst_offset, 0 }, .uses_dst = true, .dst_bytes = bytes,
	};
	int err = check_call(&call);

	if (!err)
		err = check_rank(comm, "root", root);
	if (err)
		return err;
	call.op.bytes = bytes;
	if (comm->rank == root) {
		call.src = (struct rt_region){ src, src_offset, 0 };
		call.uses_src = true;
		call.src_bytes = bytes;
	}
	return start(&call);
}

static int check_peer(npurt_communicator *comm, unsigned int peer)
{
	int err = check_rank(comm, "the other rank", peer);

	if (!err && peer == comm->rank)
		err = rt_fail(&comm->diag, NPURT_ERROR_INVALID,
			      "rank %u would send to, or receive from, itself", peer);
	return err;
}

static int transfer(struct call *call)
{
	const struct rt_coll_op *op = &call->op;
	int err = check_call(call);

	if (!err && op->to != RT_COLL_NOBODY)
		err = check_peer(call->comm, op->to);
	if (!err && op->from != RT_COLL_NOBODY)
		err = check_peer(call->comm, op->from);
	call->uses_src = op->to != RT_COLL_NOBODY;
	call->uses_dst = op->from != RT_COLL_NOBODY;
	call->src_bytes = op->bytes;
	call->dst_bytes = op->receive_bytes;
	return err ? err : start(call);
}

int npurt_send_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *src,
		     uint64_t src_offset, uint64_t bytes, unsigned int to)
{
	struct call call = {
		.comm = comm, .stream = stream, .src = { src, src_offset, 0 },
		.op = { .kind = RT_COLL_SEND_RECEIVE, .to = to, .from = RT_COLL_NOBODY,
			.bytes = bytes },
	};

	return transfer(&call);
}

int npurt_receive_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			uint64_t dst_offset, uint64_t bytes, unsigned int from)
{
	struct call call = {
		.comm = comm, .stream = stream, .dst = { dst, dst_offset, 0 },
		.op = { .kind = RT_COLL_SEND_RECEIVE, .to = RT_COLL_NOBODY, .from = from,
			.receive_bytes = bytes },
	};

	return transfer(&call);
}

int npurt_send_receive_async(npurt_communicator *comm, npurt_stream *stream, npurt_memory *dst,
			     uint64_t dst_offset, uint64_t receive_bytes, unsigned int from,
			     npurt_memory *src, uint64_t src_offset, uint64_t send_bytes,
			     unsigned int to)
{
	struct call call = {
		.comm = comm, .stream = stream,
		.dst = { dst, dst_offset, 0 }, .src = { src, src_offset, 0 },
		.op = { .kind = RT_COLL_SEND_RECEIVE, .to = to, .from = from, .bytes = send_bytes,
			.receive_bytes = receive_bytes },
	};

	return transfer(&call);
}

/* SPDX-License-Identifier: MIT */
/*
 * Collectives. A rank is a context with a communicator; ranks of one communicator share a
 * control block, and each has an inbox for every rank that sends to it. An operation is a list
 * of commands for each rank by itself, put on its stream with one call of the kernel: pieces
 * of data are copied to the inbox of another rank, and semaphores in the control block tell
 * it so, and when the room is free again. So no rank's call waits for another one's.
 *
 * Behind every wait for a semaphore comes a look at the block's word that says whether the
 * communicator has failed: then the command fails, and with it the stream, as by a fault. To
 * fail is to set that word and to let every wait pass.
 *
 * Locks: a stream's, then a communicator's, then the group's; the context's and device's last.
 * Who looks after all ranks of a group tries the locks of communicators and streams only.
 */
#ifndef NPURT_COLL_H
#define NPURT_COLL_H

#include "internal.h"

#define RT_COLL_MAX_RANKS 384
#define RT_COLL_SLOTS 4 /* pieces in an inbox */
#define RT_COLL_AHEAD 1024 /* operations that a rank may be ahead of another */
#define RT_COLL_TRANSFERS 64 /* the same of sends and receives of two ranks */
#define RT_COLL_TEXT 512

enum rt_coll_kind {
	RT_COLL_ALL_REDUCE,
	RT_COLL_ALL_GATHER,
	RT_COLL_REDUCE_SCATTER,
	RT_COLL_BROADCAST,
	RT_COLL_ALL_TO_ALL,
	RT_COLL_SEND_RECEIVE, /* or one of the two; the first that is not of all ranks */
};

/* What a rank asks for. */
struct rt_coll_op {
	enum rt_coll_kind kind;
	enum npurt_dtype dtype;
	enum npurt_reduce_op op;
	uint32_t element; /* bytes */
	uint64_t bytes; /* of a rank's part; of an all-reduce, or a broadcast, all */
	unsigned int root;
	uint64_t dst, src; /* addresses */
	/* Of RT_COLL_SEND_RECEIVE; RT_COLL_NOBODY: there is none. */
	unsigned int to, from;
	uint64_t receive_bytes;
};

#define RT_COLL_NOBODY UINT32_MAX

/* The control block, in system memory that all ranks' devices and the CPU share. */

struct rt_coll_words {
	_Atomic uint64_t full; /* pieces that are in the inbox, ever */
	_Atomic uint64_t taken; /* of them those whose room is free again */
};

struct rt_coll_rank {
	_Atomic uint64_t issued; /* operations of all ranks that it was asked for */
	_Atomic uint64_t turn; /* its operations that have ended, for its own next one */
	_Atomic uint64_t done; /* the same, but a failure leaves it alone */
	uint64_t rsvd[5];
};

struct rt_coll_record {
	uint64_t sequence;
	uint64_t bytes;
	uint32_t kind, dtype, op, root;
	uint32_t first; /* rank */
	uint32_t callers;
	uint64_t rsvd[3];
};

struct rt_coll_block {
	_Atomic uint64_t failed; /* what the device looks at */
	_Atomic uint64_t claimed; /* by who writes the text */
	_Atomic uint64_t gone; /* 1 + a rank whose communicator was destroyed */
	char text[RT_COLL_TEXT];
	uint64_t rsvd[5];
	struct rt_coll_record records[RT_COLL_AHEAD];
	struct rt_coll_rank ranks[RT_COLL_MAX_RANKS];
	struct rt_coll_words words[]; /* of sender * ranks + receiver */
};

/* Sends and receives of one rank to another: what the first of the two asked for. */
struct rt_coll_transfers {
	uint64_t sends, receives;
	uint64_t bytes[RT_COLL_TRANSFERS];
	uint64_t after[RT_COLL_TRANSFERS]; /* operations of all ranks */
};

/* Ranks of one process that belong together. */
struct rt_coll_group {
	atomic_uint refs; /* of members, and of who looks after it */
	unsigned int ranks;
	uint32_t timeout_us;
	uint64_t slot_bytes;
	enum npurt_placement placement; /* of inboxes */
	char label[NPURT_LABEL_SIZE];
	pthread_mutex_t lock; /* of all that follows */
	npurt_communicator **members;
	struct rt_coll_transfers **transfers; /* by sender * ranks + receiver */
};

/* One end of the way from one rank to another. */
struct rt_coll_end {
	npurt_memory *inbox; /* the receiver's, or the sender's import of it; NULL: not yet */
	bool ready; /* known to this rank to be there, as is the other end */
	uint64_t pieces; /* that were sent, or taken */
};

/* An operation that has been put on a stream. */
struct rt_coll_pending {
	npurt_stream *stream; /* a reference; NULL: none */
	uint64_t point;
	npurt_memory *list;
	_Atomic uint64_t name; /* sequence << 8 | kind */
};

#define RT_COLL_SPARE 8 /* lists that are kept to be used again */

struct npurt_communicator {
	npurt_context *context;
	struct rt_list link; /* in context->communicators */
	struct rt_coll_group *group;
	uint32_t id;
	unsigned int rank;
	struct rt_diag diag;
	npurt_memory *control;
	struct rt_coll_block *block;
	pthread_mutex_t lock; /* of all that follows */
	struct rt_coll_end *out, *in; /* by rank */
	uint64_t *saved; /* numbers of pieces, while an operation is tried */
	uint64_t issued; /* operations of all kinds that were put on streams */
	uint64_t sequence; /* of those of all ranks that were asked for */
	npurt_stream *stream; /* of the last, a reference */
	struct rt_coll_pending pending[RT_COLL_AHEAD]; /* by number */
	uint64_t oldest; /* pending */
	npurt_memory *spare[RT_COLL_SPARE];
	struct npu_cmd *commands; /* the list that is being written */
	uint32_t capacity;
};

/* coll_link.c */

int rt_coll_block_create(npurt_communicator *comm, npurt_communicator *first);
/* Makes what is needed to send to, or receive from, @peer; under the lock. */
int rt_coll_link_out(npurt_communicator *comm, unsigned int peer);
int rt_coll_link_in(npurt_communicator *comm, unsigned int peer);
void rt_coll_links_destroy(npurt_communicator *comm);
/* Address of a word of the control block. */
uint64_t rt_coll_address(const npurt_communicator *comm, const void *word);

/* coll_list.c: writes the commands of a rank. */

/* What a command is for, in its tag: with RT_COLL_TAG, communicator, number, and rank. */
enum rt_coll_task {
	RT_COLL_MOVES,
	RT_COLL_LOOKS,
	RT_COLL_WAITS_FOR_ROOM,
	RT_COLL_WAITS_FOR_DATA,
	RT_COLL_WAITS_FOR_TURN,
};

#define RT_COLL_TASK_SHIFT 12
#define RT_COLL_ID_SHIFT 48
#define RT_COLL_MAX_ID 0x3fffu

struct rt_coll_list {
	npurt_communicator *comm;
	uint64_t tag;
	uint32_t count;
	int err; /* the first; what follows is not written */
};

/* Room in the inbox of @peer for a piece, when there is. */
uint64_t rt_coll_room(struct rt_coll_list *list, unsigned int peer);
/* It has been filled. */
void rt_coll_post(struct rt_coll_list *list, unsigned int peer);
/* The next piece that @peer sends, when it is there. */
uint64_t rt_coll_take(struct rt_coll_list *list, unsigned int peer);
/* The oldest that was taken is no longer needed. */
void rt_coll_release(struct rt_coll_list *list, unsigned int peer);
void rt_coll_copy(struct rt_coll_list *list, uint64_t dst, uint64_t src, uint64_t bytes);
void rt_coll_reduce(struct rt_coll_list *list, const struct rt_coll_op *op, uint64_t dst,
		    uint64_t src, uint64_t bytes);
void rt_coll_begin(struct rt_coll_list *list, bool other_stream);
void rt_coll_end(struct rt_coll_list *list);

/* An algorithm: writes what the list's rank does. Both give the same, in their own time. */
struct rt_coll_algorithm {
	const char *name;
	void (*write[RT_COLL_SEND_RECEIVE])(struct rt_coll_list *list, const struct rt_coll_op *op);
};

extern const struct rt_coll_algorithm rt_coll_direct, rt_coll_ring;

/* coll_fail.c */

const char *rt_coll_kind_name(enum rt_coll_kind kind);
static inline bool rt_coll_failed(const npurt_communicator *comm)
{
	return atomic_load(&comm->block->failed);
}
/* Only the first failure of a group counts. */
void rt_coll_fail(npurt_communicator *comm, const char *format, ...) RT_PRINTF(2, 3);
/* For a call on a communicator that has failed. */
int rt_coll_failure(npurt_communicator *comm);
/* "rank 2 has not called all-reduce 7", or empty if all have. */
void rt_coll_missing(npurt_communicator *comm, uint64_t sequence, char *text, size_t size);
/* Looks at all ranks of the process. */
void rt_coll_look_after(struct rt_coll_group *group);
void rt_coll_group_put(struct rt_coll_group *group);
/* Under the communicator's lock: forgets operations that have ended, or the oldest one. */
void rt_coll_reap(npurt_communicator *comm);
void rt_coll_forget(npurt_communicator *comm);

#endif /* NPURT_COLL_H */

/* SPDX-License-Identifier: MIT */
/*
 * Races, for $NPURT_VALIDATE: all under the table's lock but for what is called from the paths
 * of commands, which is under a stream's lock and takes it.
 */
#ifndef NPURT_RACE_H
#define NPURT_RACE_H

#include "uses.h"
#include "validate.h"

#define RT_WHO_BYTES (RT_PLACE_BYTES + 128)

/* Who is about to use memory: a part of what the call puts on the stream. */
struct rt_user {
	const struct rt_call *call;
	npurt_stream *stream;
	struct rt_handle_record *record; /* of the stream */
	uint64_t index; /* of the stream's operations */
	struct rt_site site;
	bool perhaps; /* the device decides whether it is done */
	char who[RT_WHO_BYTES];
};

/* Of what comes next on @stream; false if there is nothing to look at. */
bool rt_race_begin(struct rt_user *user, npurt_stream *stream);
/* An error if it is not in order with what others have in flight. */
int rt_race_check(struct rt_user *user, const struct rt_op *op);
/* Then it is in flight itself. */
void rt_race_add(struct rt_user *user, const struct rt_op *op);

/* validate_args.c: likewise if the kernel's arguments cannot be right. */
int rt_validate_args(const struct rt_user *user, const struct rt_op_kernel *kernel);

/* From the paths of commands. */

int rt_race_check_op(npurt_stream *stream, const struct rt_op *op);
/* @after: a stream that the operation is in order with; 0: none. */
int rt_race_check_collective(npurt_stream *stream, uint32_t after, const struct rt_use *uses,
			     unsigned int count);
/*
 * Memory that the CPU is about to read, for @stream, or is to change when @stream has got
 * there.
 */
int rt_race_check_host(const npurt_stream *stream, const void *host, uint64_t bytes, bool change);
/*
 * What was checked last is in batch @point, or one that is over if it has failed; @waits: for
 * what others do, as told by values in memory.
 */
void rt_race_placed(npurt_stream *stream, uint64_t point, bool waits);

/* From calls. */

/* Memory that is to go, */
int rt_race_check_memory(const struct rt_call *call, const npurt_memory *memory);
/* when @stream gets there. */
int rt_race_check_free(const struct rt_call *call, const npurt_memory *memory,
		       const npurt_stream *stream);
/* What a call that went well has put in order. */
void rt_race_after(const struct rt_call *call);
void rt_race_forget(struct rt_handle_record *stream);

/* With the table, which begins anew. */
void rt_race_after_fork(void);

#endif /* NPURT_RACE_H */

/* SPDX-License-Identifier: MIT */
/*
 * Reports of hangs: what each stream is at (hang.c), who is to end its wait (hang_link.c), and
 * both as text (hang_text.c).
 */
#ifndef NPURT_HANG_PRIVATE_H
#define NPURT_HANG_PRIVATE_H

#include "graph.h"

/* A stream, and what was seen of it. */
struct rt_look {
	npurt_stream *stream; /* a reference */
	npurt_hang hang;
	unsigned int context; /* number of its context, from 1 */
	char graph[NPURT_LABEL_SIZE]; /* that the command is of */
	uint32_t recorder; /* of a wait for an event: id of the stream that has it */
	bool in_graph; /* the command is not one of the stream's own */
	bool waits; /* for a word in memory */
	bool reads; /* the word could be read */
	bool linked; /* it was looked for who is to end the wait */
	bool told; /* as one of a circle */
	struct rt_look *next; /* the stream that it waits for */
};

/* How a stream is kept from changing while it is looked at. */
enum rt_hold {
	RT_HOLD_NONE, /* a thread is busy with it */
	RT_HOLD_LOCK,
	RT_HOLD_PARKED,
};

enum rt_hold rt_hang_hold(npurt_stream *stream);
void rt_hang_release(npurt_stream *stream, enum rt_hold hold);
/* While it is held: the last command that is known to have ended. */
uint64_t rt_hang_ended(const struct rt_look *look);

/* hang_link.c: all of one device; false without memory. */
bool rt_hang_link(struct rt_look *looks, size_t count);

/* All streams of the device; *@looks is to be freed. */
int rt_hang_looks(npurt_device *device, struct rt_look **looks, size_t *count);

/* hang_text.c */
void rt_hang_say(struct rt_look *look);

#endif /* NPURT_HANG_PRIVATE_H */

/* SPDX-License-Identifier: MIT */
/*
 * $NPURT_VALIDATE: a table of all handles that the program has or had, and of what its streams
 * have in flight. Nothing of it exists unless it is asked for.
 */
#ifndef NPURT_VALIDATE_H
#define NPURT_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "command.h"

#define RT_PLACE_BYTES 160

/* order.c: the last operation of each stream that somebody comes after, by the stream's number. */
struct rt_order {
	uint64_t *seen;
	unsigned int size;
	bool unknown; /* without memory: it counts as after everything */
};

/* NULL without memory. */
uint64_t *rt_order_at(struct rt_order *clock, unsigned int number);
bool rt_order_before(const struct rt_order *clock, unsigned int number, uint64_t index);
void rt_order_merge(struct rt_order *to, const struct rt_order *from);
void rt_order_clear(struct rt_order *clock);

/* A handle. One that was destroyed stays until its address is used again. */
struct rt_handle_record {
	struct rt_handle_record *next; /* of the same hash */
	const void *address;
	enum rt_object kind;
	bool alive;
	uint64_t born, died; /* in the order of all that happens to handles */
	uint64_t changed; /* the same; executable or node of a graph: last update */
	const char *maker, *destroyer; /* functions */
	struct rt_site made, destroyed;
	char label[NPURT_LABEL_SIZE];
	npurt_device *device;
	const void *context; /* that it belongs to; NULL: none */
	const void *parent; /* handle that it was made from */
	uint64_t start, bytes; /* of memory, for the device */
	bool recorded; /* event: it may happen */
	struct rt_site waited; /* event: where it was first waited for before that */
	bool foreign; /* event: others may record it */
	unsigned int number; /* stream: in clocks, from 1; 0: not yet */
	struct rt_order clock; /* of a stream, of an event's last record */
	bool waits; /* for values in memory: after that clock, and maybe after all others */
	uint64_t waits_until; /* stream: the batch that ends that */
};

/* validate.c, from call.c: an error if the call must not go on. */
int rt_validate_enter(struct rt_call *call);
void rt_validate_leave(struct rt_call *call, int result);

/*
 * In the child: a table that somebody had locked may be half written, and begins anew. That is
 * no loss, as the handles do not work there.
 */
void rt_validate_after_fork(void);

/* Under the table's lock. */
void rt_validate_lock(void);
void rt_validate_unlock(void);
struct rt_handle_record *rt_validate_find(const void *address);
/* Calls @fn for each one. */
void rt_validate_for_each(void (*fn)(struct rt_handle_record *record, void *data), void *data);
/*
 * Tells it in the log and as the error message of what the call is about; gives the error, or 0
 * if the program wants no more than to be told.
 */
int rt_validate_report(const struct rt_call *call, npurt_device *device, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The node of a graph is freed, and its handle with it. */
void rt_validate_gone(const void *object);
/* ", made by npurt_memory_create at program+0x1234", or empty. */
void rt_validate_memory_maker(npurt_context *context, uint64_t address, char *text, size_t size);
/* "made by npurt_stream_create at program+0x1234", in turn in one of two buffers. */
const char *rt_validate_maker(const struct rt_handle_record *record);

#endif /* NPURT_VALIDATE_H */

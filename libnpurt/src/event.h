/* SPDX-License-Identifier: MIT */
/* Events, for event.c and event_share.c. */
#ifndef NPURT_EVENT_H
#define NPURT_EVENT_H

#include "internal.h"

struct npurt_event {
	npurt_context *context;
	bool imported; /* the records are another one's: of all that follows it has a timeline */
	pthread_mutex_t lock; /* of all that follows */
	struct rt_slot *slot; /* NULL: never recorded */
	uint64_t target;
	npurt_stream *stream; /* of the last record, a reference */
	uint64_t point;
	uint64_t records;
	struct rt_syncobj *timeline; /* of the numbers of records, once others may wait for them */
	struct rt_frontier frontier; /* of the last record, if that was captured */
	char label[NPURT_LABEL_SIZE];
};

/* The last record. */
struct rt_record {
	struct rt_slot *slot;
	uint64_t target;
	npurt_stream *stream;
	uint64_t point;
};

static inline bool rt_happened(const struct rt_record *record)
{
	return !record->slot || rt_slot_value(record->slot) >= record->target;
}

/* Takes a reference to the stream; under the event's lock. */
static inline void rt_record_get_locked(npurt_event *event, struct rt_record *record)
{
	*record = (struct rt_record){
		.slot = event->slot,
		.target = event->target,
		.stream = event->stream ? rt_stream_get(event->stream) : NULL,
		.point = event->point,
	};
}

/* event.c */

void rt_record_get(npurt_event *event, struct rt_record *record);
void rt_record_put(struct rt_record *record);
/* 0 if it has happened, or may still; else why it never will. With or without locks. */
int rt_record_outcome(const struct rt_record *record);
int rt_event_check(const npurt_event *event);
/* Under the stream's lock: are they of one context? */
int rt_event_check_use(npurt_stream *stream, const npurt_event *event);

/* event_share.c */

/* For a record by its number, 0: the last; NPURT_ERROR_TIMED_OUT comes without a message. */
int rt_event_wait_point(npurt_event *event, uint64_t point, int64_t deadline);
int rt_event_eventfd_imported(npurt_event *event, int eventfd);
int rt_event_wait_imported(npurt_stream *stream, npurt_event *event);

#endif /* NPURT_EVENT_H */

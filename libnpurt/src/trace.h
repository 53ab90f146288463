/* SPDX-License-Identifier: MIT */
/*
 * Traces: records of calls and tasks on their way to those who subscribed.
 *
 * A task that is traced lies between two timestamps, which the device writes next to the
 * task's arguments. When its batch has ended the stream makes a record of them. Records wait
 * in the device's hub until a call of the program is about to return, with no lock held, and
 * are delivered then by its thread.
 */
#ifndef NPURT_TRACE_H
#define NPURT_TRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <npurt/npurt.h>

#include "call.h"
#include "command.h"

/* A record and the texts that it points to. */
struct rt_trace_entry {
	struct rt_trace_entry *next;
	npurt_trace_record record;
	char name[64];
	char label[NPURT_LABEL_SIZE];
	char stream_label[NPURT_LABEL_SIZE];
};

/* trace.c: of a device. */
struct rt_trace_hub {
	_Atomic uint32_t kinds; /* NPURT_TRACE_*, of all subscribers */
	pthread_mutex_t lock; /* of all that follows; an innermost lock */
	pthread_cond_t idle;
	npurt_trace *traces;
	bool delivering; /* a thread goes through traces */
	unsigned int waiters; /* threads that want to change traces */
	struct rt_trace_entry *first, **last; /* to be delivered */
	unsigned int num_entries;
	uint64_t lost;
	int64_t to_monotonic; /* from device time, at calibrated_ns */
	uint64_t calibrated_ns;
	npurt_trace *file;
};

void rt_trace_hub_init(npurt_device *device);
/* $NPURT_TRACE; gives a warning if that cannot be. */
void rt_trace_open_file(npurt_device *device);
/* Subscribers of the program. */
unsigned int rt_trace_subscribers(npurt_device *device);
/* Delivers what there is, the call that closes the device too. */
void rt_trace_hub_fini(npurt_device *device);
void rt_trace_after_fork(void);
/* The thread is in a callback. */
bool rt_trace_delivering(void);
npurt_device *rt_trace_device(const npurt_trace *trace);
void rt_trace_leave(const struct rt_call *call, int result);
/* Takes @entry over. */
void rt_trace_put(npurt_device *device, struct rt_trace_entry *entry);
uint64_t rt_trace_to_monotonic(npurt_device *device, uint64_t device_ns);
uint64_t rt_now_ns(void);

/* span.c: tasks of a stream that are timed, under the stream's lock. */

/* Two timestamps, written by the device. */
#define RT_STAMP_BYTES 64u

struct rt_span {
	uint64_t point; /* batch that it is in */
	const _Atomic uint64_t *stamps; /* ticks; 0: not yet */
	struct rt_trace_entry *entry;
};

struct rt_spans {
	struct rt_span *ring;
	unsigned int size, first, count;
	uint64_t number; /* of the stream, in traces */
	uint64_t last_ns; /* end of the last task */
};

/* An entry for @op, of which @kind tells; NULL if nobody wants it. */
struct rt_trace_entry *rt_span_entry(npurt_stream *stream, uint32_t kind, const struct rt_op *op);
/* NPURT_TRACE_* of an operation. */
uint32_t rt_span_kind(enum npurt_command command);
/* Takes @entry over. The stamps are zero. */
void rt_span_add(npurt_stream *stream, struct rt_trace_entry *entry, uint64_t point,
		 const void *stamps);
/* Makes records of what has ended; with @all of the rest too, as failed. */
void rt_spans_harvest(npurt_stream *stream, bool all);
void rt_spans_fini(npurt_stream *stream);

/* trace_file.c: $NPURT_TRACE. */
struct rt_trace_file;
/* @data for rt_trace_file_record(); NULL if there is none. */
struct rt_trace_file *rt_trace_file_open(npurt_device *device, const char *path);
void rt_trace_file_record(const npurt_trace_record *record, void *data);
void rt_trace_file_close(struct rt_trace_file *file);
void rt_trace_file_after_fork(void);

#endif /* NPURT_TRACE_H */

// SPDX-License-Identifier: MIT
/* Events: records, waits on the host and on the device, times. */
#include "rt_gate.h"

#include <time.h>

static npurt_event *event(npurt_context *context, const char *label)
{
	npurt_event_attr attr = { .size = sizeof(attr), .label = label };
	npurt_event *e = NULL;

	NEED(npurt_event_create(context, &attr, &e));
	return e;
}

static void test_unrecorded(struct fixture *f)
{
	npurt_event *e = event(f->context, "never"), *r = event(f->context, "recorded");
	uint64_t ns;
	int64_t elapsed;

	WORKS(npurt_event_query(e));
	WORKS(npurt_event_wait(e, 0));
	WORKS(npurt_stream_wait_event(f->stream, e));
	GIVES(npurt_event_time(e, &ns), NPURT_ERROR_INVALID);
	NEED(npurt_event_record(r, f->stream));
	WORKS(npurt_event_wait(r, NPURT_INFINITE));
	GIVES(npurt_event_elapsed(e, r, &elapsed), NPURT_ERROR_INVALID);
	GIVES(npurt_event_record(NULL, f->stream), NPURT_ERROR_INVALID);
	GIVES(npurt_event_record(e, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_wait_event(f->stream, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_event_destroy(e));
	NEED(npurt_event_destroy(r));
}

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

/* The host's clock before and after has the event between them. */
static void test_monotonic(struct fixture *f)
{
	npurt_event *e = event(f->context, "timed");
	uint64_t last = 0, ns = 0, error = 0;
	bool between = true, in_order = true;

	GIVES(npurt_event_time_monotonic(e, &ns, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_event_time_monotonic(e, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_event_time_monotonic(NULL, &ns, NULL), NPURT_ERROR_INVALID);
	for (int i = 0; i < 100; i++) {
		const uint64_t before = monotonic();
		uint64_t after;

		NEED(npurt_event_record(e, f->stream));
		NEED(npurt_event_wait(e, NPURT_INFINITE));
		after = monotonic();
		NEED(npurt_event_time_monotonic(e, &ns, &error));
		between &= ns + error >= before && ns - error <= after;
		in_order &= ns + error >= last;
		last = ns - error;
	}
	ok(between, "an event is between what the host's clock was before and after it");
	ok(in_order, "and after the one before it");
	printf("# the last one is known to within %llu ns\n", (unsigned long long)error);
	NEED(npurt_event_destroy(e));
}

static void test_times(struct fixture *f)
{
	npurt_event *start = event(f->context, "start"), *end = event(f->context, "end");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 32 << 20, "timed");
	uint64_t before, after, at = 0;
	int64_t ns = 0;

	NEED(npurt_device_get_time(f->device, &before, NULL));
	NEED(npurt_event_record(start, f->stream));
	for (int i = 0; i < 8; i++)
		NEED(npurt_fill_async(f->stream, m, 0, 5, 1, 32 << 20));
	NEED(npurt_event_record(end, f->stream));
	WORKS(npurt_event_wait(end, NPURT_INFINITE));
	NEED(npurt_device_get_time(f->device, &after, NULL));
	WORKS(npurt_event_elapsed(start, end, &ns));
	/* No memory of today writes 256 MiB in 100 us. */
	ok(ns > 100000 && (uint64_t)ns <= after - before, "work takes time: %lld ns of %llu",
	   (long long)ns, (unsigned long long)(after - before));
	WORKS(npurt_event_elapsed(end, start, &ns));
	ok(ns < 0, "and less than none backwards");
	WORKS(npurt_event_time(start, &at));
	ok(at >= before && at <= after, "a time is the device's time");
	NEED(npurt_memory_destroy(m));
	NEED(npurt_event_destroy(start));
	NEED(npurt_event_destroy(end));
}

/*
 * A hand-over between two streams, again and again: one copies the other's last word.
 * Without the waits the words would not be in sequence.
 */
static void test_ping_pong(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096 * 256, "ping-pong");
	const uint32_t *words = mapped(m);
	npurt_event *ping = event(f->context, "ping"), *pong = event(f->context, "pong");
	npurt_stream *other;
	bool all = true;

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_fill_async(f->stream, m, 0, 0xabcd, 4, 4096));
	for (uint64_t i = 1; i < 256; i++) {
		npurt_stream *stream = i % 2 ? other : f->stream;
		npurt_stream *last = i % 2 ? f->stream : other;
		npurt_event *e = i % 2 ? ping : pong;

		NEED(npurt_event_record(e, last));
		NEED(npurt_stream_wait_event(stream, e));
		NEED(npurt_memcpy_async(stream, m, 4096 * i, m, 4096 * (i - 1), 4096));
	}
	WORKS(npurt_stream_synchronize(other));
	for (int i = 0; i < 1024 * 256; i++)
		all &= words[i] == 0xabcd;
	ok(all, "each step saw the one before it");
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_event_destroy(ping));
	NEED(npurt_event_destroy(pong));
	NEED(npurt_memory_destroy(m));
}

/* A wait is for the record before it, whatever becomes of the event later. */
static void test_rerecord(struct fixture *f)
{
	struct gate g = gate_make(f->context);
	npurt_memory *flag = memory(f->context, NPURT_PLACE_HOST, 4096, "flag");
	const volatile uint32_t *word = mapped(flag);
	npurt_event *e = event(f->context, "again");
	npurt_stream *slow, *quick;

	NEED(npurt_stream_create(f->context, NULL, &slow));
	NEED(npurt_stream_create(f->context, NULL, &quick));
	NEED(npurt_graph_launch(g.exec, slow));
	NEED(npurt_fill_async(slow, flag, 0, 1, 4, 4));
	NEED(npurt_event_record(e, slow));
	NEED(npurt_stream_wait_event(f->stream, e));
	/* Recorded elsewhere, where it happens at once. */
	NEED(npurt_event_record(e, quick));
	WORKS(npurt_event_wait(e, NPURT_INFINITE));
	NEED(npurt_memcpy_async(f->stream, flag, 4, flag, 0, 4));
	NEED(npurt_stream_flush(f->stream));
	GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	gate_open(&g, true);
	NEED(npurt_stream_synchronize(f->stream));
	ok(word[1] == 1, "a wait keeps to the record that it was made for");
	NEED(npurt_stream_synchronize(slow));
	NEED(npurt_event_record(e, slow));
	WORKS(npurt_event_wait(e, NPURT_INFINITE));
	NEED(npurt_stream_destroy(slow));
	NEED(npurt_stream_destroy(quick));
	NEED(npurt_event_destroy(e));
	gate_free(&g);
	NEED(npurt_memory_destroy(flag));
}

static void test_lifetimes(struct fixture *f)
{
	npurt_event *early = event(f->context, "outlives its stream");
	npurt_event *lost = event(f->context, "lost"), *gone = event(f->context, "gone");
	npurt_stream_attr lazy = { .size = sizeof(lazy), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_stream *stream;
	char text[256] = "";
	uint64_t ns;

	NEED(npurt_stream_create(f->context, &lazy, &stream));
	NEED(npurt_event_record(early, stream));
	NEED(npurt_stream_synchronize(stream));
	NEED(npurt_event_record(lost, stream));
	NEED(npurt_event_record(gone, stream));
	WORKS(npurt_event_destroy(gone));
	WORKS(npurt_stream_destroy(stream));
	WORKS(npurt_event_query(early));
	WORKS(npurt_event_time(early, &ns));
	WORKS(npurt_stream_wait_event(f->stream, early));
	GIVES(npurt_event_wait(lost, NPURT_INFINITE), NPURT_ERROR_STREAM_LOST);
	GIVES(npurt_stream_wait_event(f->stream, lost), NPURT_ERROR_STREAM_LOST);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "'lost'"), "the message names the event: %s", text);
	WORKS(npurt_event_record(lost, f->stream));
	WORKS(npurt_event_wait(lost, NPURT_INFINITE));
	WORKS(npurt_event_destroy(lost));
	WORKS(npurt_event_destroy(early));
}

#define EVENTS 3000

static void test_many(struct fixture *f)
{
	npurt_event **events = calloc(EVENTS, sizeof(*events));
	uint64_t last = 0;
	bool ordered = true;

	for (int i = 0; i < EVENTS; i++) {
		events[i] = event(f->context, "one of many");
		NEED(npurt_event_record(events[i], f->stream));
	}
	NEED(npurt_stream_synchronize(f->stream));
	for (int i = 0; i < EVENTS; i++) {
		uint64_t ns = 0;

		ordered &= npurt_event_time(events[i], &ns) == 0 && ns >= last;
		last = ns;
		NEED(npurt_event_destroy(events[i]));
	}
	ok(ordered, "%d events in flight happen in order", EVENTS);
	free(events);
}

static void test_contexts(struct fixture *f)
{
	npurt_context *other;
	npurt_event *foreign;

	NEED(npurt_context_create(f->device, NULL, &other));
	foreign = event(other, "foreign");
	GIVES(npurt_event_record(foreign, f->stream), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_wait_event(f->stream, foreign), NPURT_ERROR_INVALID);
	GIVES(npurt_context_destroy(other), NPURT_ERROR_BUSY);
	WORKS(npurt_event_destroy(foreign));
	WORKS(npurt_context_destroy(other));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_unrecorded(&f);
	test_times(&f);
	test_monotonic(&f);
	test_ping_pong(&f);
	test_rerecord(&f);
	test_lifetimes(&f);
	test_many(&f);
	test_contexts(&f);
	fixture_close(&f);
	return rt_done();
}

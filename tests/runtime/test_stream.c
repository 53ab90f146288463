// SPDX-License-Identifier: MIT
/* Streams: order, waiting, attributes, many at once, several threads. */
#include "rt_gate.h"

#include <pthread.h>
#include <sched.h>

static void test_attributes(npurt_context *context)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .priority = 3 };
	npurt_stream *stream = NULL;

	GIVES(npurt_stream_create(context, &attr, &stream), NPURT_ERROR_INVALID);
	attr.priority = -2;
	GIVES(npurt_stream_create(context, &attr, &stream), NPURT_ERROR_INVALID);
	attr = (npurt_stream_attr){ .size = sizeof(attr), .flags = 0x100 };
	GIVES(npurt_stream_create(context, &attr, &stream), NPURT_ERROR_INVALID);
	attr = (npurt_stream_attr){ .size = sizeof(attr), .timeout_ms = UINT32_MAX };
	GIVES(npurt_stream_create(context, &attr, &stream), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_create(context, NULL, NULL), NPURT_ERROR_INVALID);
	attr = (npurt_stream_attr){
		.size = sizeof(attr),
		.flags = NPURT_STREAM_COPY_ONLY | NPURT_STREAM_NO_AUTO_FLUSH,
		.priority = NPURT_PRIORITY_LOW,
		.timeout_ms = 1000,
		.label = "low",
	};
	WORKS(npurt_stream_create(context, &attr, &stream));
	WORKS(npurt_stream_destroy(stream));
	GIVES(npurt_stream_destroy(NULL), NPURT_ERROR_INVALID);
}

/* What the device's properties promise, and no more. */
static void test_priorities(struct fixture *f)
{
	npurt_device_properties p = { .size = sizeof(p) };
	npurt_stream *stream;

	NEED(npurt_device_get_properties(f->device, &p));
	ok(p.max_priority >= NPURT_PRIORITY_NORMAL, "anyone may have the normal priority");
	for (int32_t i = NPURT_PRIORITY_LOW; i <= NPURT_PRIORITY_REALTIME; i++) {
		npurt_stream_attr attr = { .size = sizeof(attr), .priority = i };
		int want = i <= p.max_priority ? 0 : NPURT_ERROR_ACCESS;
		int err = npurt_stream_create(f->context, &attr, &stream);

		ok(err == want, "a stream of priority %d gives %s", i, npurt_error_name(want));
		if (!err)
			NEED(npurt_stream_destroy(stream));
	}
}

static void test_empty(npurt_stream *stream)
{
	WORKS(npurt_stream_query(stream));
	WORKS(npurt_stream_flush(stream));
	WORKS(npurt_stream_synchronize(stream));
	WORKS(npurt_stream_wait(stream, 0));
	GIVES(npurt_stream_synchronize(NULL), NPURT_ERROR_INVALID);
}

/* Each fill overwrites the last one: only in order is the end right. */
static void test_order(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "order");
	const uint32_t *words = mapped(m);
	bool all = true;

	for (uint32_t i = 1; i <= 5000; i++)
		NEED(npurt_fill_async(f->stream, m, 0, i, 4, 4096));
	WORKS(npurt_stream_synchronize(f->stream));
	for (int i = 0; i < 1024; i++)
		all &= words[i] == 5000;
	ok(all, "5000 fills end in order");
	WORKS(npurt_stream_query(f->stream));
	NEED(npurt_memory_destroy(m));
}

/* What is flushed begins without anybody waiting. */
static void test_flush(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "flushed");
	const volatile uint32_t *word = mapped(m);
	int err = NPURT_ERROR_NOT_READY;

	NEED(npurt_fill_async(f->stream, m, 0, 77, 4, 4));
	WORKS(npurt_stream_flush(f->stream));
	while (err == NPURT_ERROR_NOT_READY) {
		sched_yield();
		err = npurt_stream_query(f->stream);
	}
	ok(err == 0 && *word == 77, "a flushed command ends by itself");
	NEED(npurt_memory_destroy(m));
}

static void test_wait_timeout(struct fixture *f)
{
	struct gate g = gate_make(f->context);
	npurt_event *event;
	char text[256] = "";
	int err;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_graph_launch(g.exec, f->stream));
	NEED(npurt_event_record(event, f->stream));
	err = npurt_stream_wait(f->stream, 0);
	ok(err == NPURT_ERROR_TIMED_OUT, "a wait gives up when its time is over");
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "did not end"), "and says so: %s", text);
	GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	GIVES(npurt_event_query(event), NPURT_ERROR_NOT_READY);
	GIVES(npurt_event_wait(event, 1000), NPURT_ERROR_TIMED_OUT);
	gate_open(&g, true);
	WORKS(npurt_stream_synchronize(f->stream));
	WORKS(npurt_event_query(event));
	NEED(npurt_event_destroy(event));
	gate_free(&g);
}

static void test_destroy_busy(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 64 << 20, "large");
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	for (int i = 0; i < 16; i++)
		NEED(npurt_fill_async(stream, m, 0, 1, 8, 64 << 20));
	NEED(npurt_stream_flush(stream));
	WORKS(npurt_stream_destroy(stream));
	WORKS(npurt_memory_destroy(m));
}

#define STREAMS 40

static void test_many(npurt_context *context)
{
	npurt_stream *streams[STREAMS];
	npurt_memory *m = memory(context, NPURT_PLACE_HOST, STREAMS * 4096, "many streams");
	const uint32_t *words = mapped(m);
	bool all = true;

	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_stream_create(context, NULL, &streams[i]));
	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_fill_async(streams[i], m, 4096 * i, i + 1, 4, 4096));
	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_stream_synchronize(streams[i]));
	for (uint32_t i = 0; i < STREAMS; i++)
		all &= words[1024 * i] == i + 1 && words[1024 * i + 1023] == i + 1;
	ok(all, "%d streams at once", STREAMS);
	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_stream_destroy(streams[i]));
	NEED(npurt_memory_destroy(m));
}

#define THREADS 4
#define PART 4096

struct worker {
	struct fixture *f;
	npurt_stream *stream; /* NULL: one of its own */
	npurt_memory *memory;
	uint32_t index;
	int err;
};

/* Adds its own part, and makes and breaks objects of the shared context meanwhile. */
static void *work(void *arg)
{
	struct worker *w = arg;
	npurt_stream *stream = w->stream;
	npurt_event *event = NULL;
	uint32_t data[PART / 4];
	int err = stream ? 0 : npurt_stream_create(w->f->context, NULL, &stream);

	for (uint32_t i = 0; i < 200 && !err; i++) {
		npurt_memory *m = NULL;

		for (uint32_t j = 0; j < PART / 4; j++)
			data[j] = w->index << 16 | i;
		err = npurt_memory_create(w->f->context, PART, NULL, &m);
		if (!err)
			err = npurt_event_create(w->f->context, NULL, &event);
		if (!err)
			err = npurt_upload(stream, m, 0, data, PART);
		if (!err)
			err = npurt_memcpy_async(stream, w->memory, w->index * PART, m, 0, PART);
		if (!err)
			err = npurt_event_record(event, stream);
		if (!err)
			err = npurt_event_wait(event, 30 * S);
		if (event)
			npurt_event_destroy(event);
		event = NULL;
		if (m)
			npurt_memory_destroy(m);
	}
	if (!w->stream && stream) {
		if (!err)
			err = npurt_stream_synchronize(stream);
		npurt_stream_destroy(stream);
	}
	w->err = err;
	return NULL;
}

static void test_threads(struct fixture *f, npurt_stream *stream, const char *name)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, THREADS * PART, "threads");
	const uint32_t *words = mapped(m);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	bool all = true;

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ f, stream, m, i, 0 };
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all &= workers[i].err == 0;
	}
	ok(all, "%s: no call of %d threads fails", name, THREADS);
	for (uint32_t i = 0; i < THREADS * PART / 4; i++)
		all &= words[i] == (i / (PART / 4) << 16 | 199);
	ok(all, "%s: each thread's last write is there", name);
	NEED(npurt_memory_destroy(m));
}

#define WHOLE (3 << 20)

/* Of many pieces, each of which waits for room. */
static void *upload_whole(void *arg)
{
	struct worker *w = arg;
	uint32_t *data = malloc(WHOLE);

	w->err = data ? 0 : NPURT_ERROR_HOST_MEMORY;
	for (uint32_t i = 0; i < 8 && !w->err; i++) {
		for (uint32_t j = 0; j < WHOLE / 4; j++)
			data[j] = w->index << 16 | i;
		w->err = npurt_upload(w->stream, w->memory, 0, data, WHOLE);
	}
	free(data);
	return NULL;
}

/* Whichever call came last, all of it did. */
static void test_whole_calls(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, WHOLE, "whole");
	uint32_t *data = calloc(1, WHOLE);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	bool all = true;

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ f, f->stream, m, i, 0 };
		pthread_create(&threads[i], NULL, upload_whole, &workers[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all &= workers[i].err == 0;
	}
	NEED(data ? npurt_download(f->stream, data, m, 0, WHOLE) : NPURT_ERROR_HOST_MEMORY);
	for (uint32_t i = 0; i < WHOLE / 4; i++)
		all &= data[i] == data[0];
	ok(all && (data[0] & 0xffff) == 7, "uploads of %d threads do not mix", THREADS);
	free(data);
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_attributes(f.context);
	test_priorities(&f);
	test_empty(f.stream);
	test_order(&f);
	test_flush(&f);
	test_wait_timeout(&f);
	test_destroy_busy(&f);
	test_many(f.context);
	test_threads(&f, NULL, "a stream each");
	test_threads(&f, f.stream, "one stream");
	test_whole_calls(&f);
	fixture_close(&f);
	return rt_done();
}

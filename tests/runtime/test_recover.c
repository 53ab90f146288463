// SPDX-License-Identifier: MIT
/* Streams that stop, go on after a fault, are aborted and reset; values and depth. */
#include "rt_gate.h"

#include <pthread.h>
#include <stdatomic.h>

static npurt_stream *stream_of(npurt_context *context, const npurt_stream_attr *attr)
{
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, attr, &stream));
	return stream;
}

static npurt_stream_info info_of(npurt_stream *stream)
{
	npurt_stream_info info = { .size = sizeof(info) };

	NEED(npurt_stream_get_info(stream, &info));
	return info;
}

/* A batch of its own, with a fill of memory that is gone when the device gets there. */
static void add_fault(struct fixture *f, npurt_stream *stream)
{
	npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");

	NEED(npurt_fill_async(stream, victim, 0, 0, 1, 4096));
	NEED(npurt_memory_destroy(victim));
	NEED(npurt_stream_flush(stream));
}

static void test_values(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "values");
	_Atomic uint64_t *words = mapped(m);
	npurt_stream *other = stream_of(f->context, NULL);
	npurt_fault fault = { .size = sizeof(fault) };

	WORKS(npurt_write_value_async(f->stream, m, 0, 0x1122334455667788, 8));
	WORKS(npurt_write_value_async(f->stream, m, 12, 0xffffffffaabbccdd, 4));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(words[0] == 0x1122334455667788 && words[1] == 0xaabbccdd00000000,
	   "values of 8 and 4 bytes are written, and nothing beside them");

	WORKS(npurt_wait_value_async(f->stream, m, 64, 7, NPURT_CONDITION_GE, 20000));
	WORKS(npurt_write_value_async(f->stream, m, 72, 1, 8));
	WORKS(npurt_stream_flush(f->stream));
	GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	WORKS(npurt_write_value_async(other, m, 64, 6, 8));
	WORKS(npurt_stream_synchronize(other));
	GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	ok(words[9] == 0, "what comes after a wait has not been done");
	WORKS(npurt_write_value_async(other, m, 64, 9, 8));
	WORKS(npurt_stream_flush(other));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(words[9] == 1, "it is when another stream writes the value");

	WORKS(npurt_wait_value_async(f->stream, m, 80, 5, NPURT_CONDITION_EQ, 20000));
	WORKS(npurt_wait_value_async(f->stream, m, 80, 6, NPURT_CONDITION_NE, 20000));
	WORKS(npurt_stream_flush(f->stream));
	words[10] = 5;
	WORKS(npurt_stream_synchronize(f->stream));

	GIVES(npurt_write_value_async(f->stream, m, 4, 0, 8), NPURT_ERROR_INVALID);
	GIVES(npurt_write_value_async(f->stream, m, 0, 0, 2), NPURT_ERROR_INVALID);
	GIVES(npurt_write_value_async(f->stream, m, 4096, 0, 8), NPURT_ERROR_RANGE);
	GIVES(npurt_write_value_async(f->stream, NULL, 0, 0, 8), NPURT_ERROR_INVALID);
	GIVES(npurt_wait_value_async(f->stream, m, 0, 0, 3, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_wait_value_async(f->stream, m, 0, 0, 0, UINT32_MAX), NPURT_ERROR_INVALID);

	WORKS(npurt_wait_value_async(other, m, 88, 1, NPURT_CONDITION_EQ, 50));
	GIVES(npurt_stream_synchronize(other), NPURT_ERROR_STREAM_TIMEOUT);
	WORKS(npurt_stream_get_fault(other, &fault));
	ok(fault.command == NPURT_COMMAND_WAIT && strstr(fault.message, "'values'"),
	   "a wait that takes too long is named: %s", fault.message);
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(m));
}

static void test_depth(struct fixture *f, bool flush)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = flush ? 0 : NPURT_STREAM_NO_AUTO_FLUSH,
		.depth = 8,
		.label = "shallow",
	};
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "gate");
	_Atomic uint64_t *gate = mapped(m);
	npurt_stream *stream = stream_of(f->context, &attr);
	npurt_stream_info info;
	char text[256];

	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 20000));
	for (int i = 1; i < 8; i++)
		NEED(npurt_fill_async(stream, m, 8, (uint64_t)i, 8, 8));
	GIVES(npurt_fill_async(stream, m, 8, 9, 8, 8), NPURT_ERROR_LIMIT);
	NEED(npurt_stream_error_message(stream, text, sizeof(text)));
	ok(strstr(text, "'shallow'") && strstr(text, "depth of 8") && strstr(text, "8 have not"),
	   "whose limit it is, and how much is used: %s", text);
	info = info_of(stream);
	ok(info.depth == 8 && info.depth_used == 8 && info.done == 0 &&
		   info.submitted + info.batched == 8 && info.state == NPURT_STREAM_BUSY &&
		   strcmp(info.label, "shallow") == 0,
	   "the stream tells so, too");
	gate[0] = 1;
	WORKS(npurt_stream_synchronize(stream));
	info = info_of(stream);
	ok(info.depth_used == 0 && info.done == 8 && info.submitted == 8 && !info.batched &&
		   info.state == NPURT_STREAM_IDLE && gate[1] == 7,
	   "all eight have ended, and the ninth is not there");
	WORKS(npurt_fill_async(stream, m, 8, 9, 8, 8));
	WORKS(npurt_stream_synchronize(stream));
	ok(gate[1] == 9, "then there is room again");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* Uploads that a full stream does not take leave nothing behind. */
static void test_depth_uploads(struct fixture *f)
{
	static uint8_t data[512 << 10], back[sizeof(data)];
	const npurt_stream_attr attr = { .size = sizeof(attr), .depth = 1 };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, sizeof(data), "uploaded");
	npurt_stream *stream = stream_of(f->context, &attr);
	struct gate g = gate_make(f->context);
	unsigned int refused = 0;

	randomise(data, sizeof(data), 1);
	NEED(npurt_graph_launch(g.exec, stream));
	for (unsigned int i = 0; i < 20; i++)
		refused += npurt_upload(stream, m, 0, data, sizeof(data)) == NPURT_ERROR_LIMIT;
	ok(refused == 20, "20 uploads are too much for a stream that is full (%u)", refused);
	gate_open(&g, true);
	WORKS(npurt_stream_synchronize(stream));
	WORKS(npurt_upload(stream, m, 0, data, sizeof(data)));
	NEED(npurt_stream_synchronize(stream));
	NEED(npurt_download(f->stream, back, m, 0, sizeof(back)));
	ok(memcmp(data, back, sizeof(data)) == 0, "then one works");
	NEED(npurt_stream_destroy(stream));
	gate_free(&g);
	NEED(npurt_memory_destroy(m));
}

/* It never has more than two in flight, and all are done, in order. */
static void test_depth_wait(struct fixture *f)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_DEPTH_WAIT,
		.depth = 2,
	};
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "order");
	npurt_stream *stream = stream_of(f->context, &attr);
	uint32_t most = 0;

	for (uint32_t i = 1; i <= 300; i++) {
		uint32_t used;

		NEED(npurt_fill_async(stream, m, 0, i, 4, 4096));
		used = info_of(stream).depth_used;
		most = used > most ? used : most;
	}
	WORKS(npurt_stream_synchronize(stream));
	ok(most <= 2 && *(uint32_t *)mapped(m) == 300, "a full stream can be waited for");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static void test_continue(struct fixture *f)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_NO_AUTO_FLUSH,
		.failure_mode = NPURT_FAIL_CONTINUE,
		.label = "stubborn",
	};
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "results");
	_Atomic uint64_t *words = mapped(m);
	npurt_stream *stream = stream_of(f->context, &attr);
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_event *bad, *good;

	NEED(npurt_event_create(f->context, NULL, &bad));
	NEED(npurt_event_create(f->context, NULL, &good));
	/* Held at the gate, so that the batches behind the one that fails are there already. */
	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 20000));
	NEED(npurt_stream_flush(stream));
	add_fault(f, stream);
	NEED(npurt_event_record(bad, stream));
	NEED(npurt_stream_flush(stream));
	for (uint64_t i = 1; i <= 20; i++) {
		NEED(npurt_write_value_async(stream, m, 8 * i, i, 8));
		NEED(npurt_stream_flush(stream));
	}
	add_fault(f, stream);
	NEED(npurt_write_value_async(stream, m, 8 * 21, 21, 8));
	NEED(npurt_event_record(good, stream));
	NEED(npurt_stream_flush(stream));
	words[0] = 1;
	WORKS(npurt_event_wait(good, 20 * S));
	ok(words[1] == 1 && words[20] == 20 && words[21] == 21,
	   "batches behind two that failed are done");
	WORKS(npurt_event_wait(bad, 20 * S));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_stream_query(stream), NPURT_ERROR_STREAM_FAULT);
	WORKS(npurt_stream_get_fault(stream, &fault));
	ok(fault.error == NPURT_ERROR_STREAM_FAULT && fault.sequence == 3 &&
		   strstr(fault.message, "'stubborn'"),
	   "the first fault stays: %s", fault.message);
	ok(info_of(stream).faults == 2 && info_of(stream).error == NPURT_ERROR_STREAM_FAULT &&
		   info_of(stream).state == NPURT_STREAM_IDLE,
	   "there were two");
	WORKS(npurt_write_value_async(stream, m, 8, 77, 8));
	WORKS(npurt_stream_reset(stream));
	WORKS(npurt_stream_synchronize(stream));
	ok(words[1] == 77, "a reset of a stream that goes on drops no work");
	GIVES(npurt_stream_get_fault(stream, &fault), NPURT_ERROR_NOT_READY);
	NEED(npurt_event_destroy(bad));
	NEED(npurt_event_destroy(good));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* Each failed batch takes its events with it, and others' are good. */
static void test_lost_event(struct fixture *f)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_NO_AUTO_FLUSH,
		.failure_mode = NPURT_FAIL_CONTINUE,
	};
	npurt_stream *stream = stream_of(f->context, &attr);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");
	npurt_memory *target = memory(f->context, NPURT_PLACE_HOST, 4096, "target");
	npurt_event *event;
	uint32_t value = 0;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_fill_async(stream, m, 0, 1, 1, 4096));
	NEED(npurt_event_record(event, stream));
	NEED(npurt_memory_destroy(m));
	GIVES(npurt_event_wait(event, 20 * S), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_event_query(event), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_stream_wait_event(f->stream, event), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_fill_async(stream, target, 0, 5, 4, 4096));
	WORKS(npurt_download(stream, &value, target, 0, sizeof(value)));
	ok(value == 5, "a download of work that came later is good");
	WORKS(npurt_event_record(event, stream));
	WORKS(npurt_event_wait(event, 20 * S));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(target));
}

struct waiter {
	npurt_stream *stream;
	npurt_memory *memory;
	int err;
};

/* Holds the stream's lock while it waits. */
static void *download(void *arg)
{
	struct waiter *w = arg;
	uint64_t value;

	w->err = npurt_download(w->stream, &value, w->memory, 8, sizeof(value));
	return NULL;
}

static void test_abort(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "never");
	_Atomic uint64_t *words = mapped(m);
	npurt_stream *stream = stream_of(f->context, NULL), *other = stream_of(f->context, NULL);
	struct waiter waiter = { stream, m, 0 };
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_event *event, *before;
	pthread_t thread;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_event_create(f->context, NULL, &before));
	NEED(npurt_write_value_async(stream, m, 64, 1, 8));
	NEED(npurt_event_record(before, stream));
	NEED(npurt_event_wait(before, 20 * S));
	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_write_value_async(stream, m, 8, 1, 8));
	NEED(npurt_event_record(event, stream));
	NEED(npurt_wait_value_async(other, m, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_write_value_async(other, m, 16, 1, 8));
	NEED(npurt_stream_flush(other));
	pthread_create(&thread, NULL, download, &waiter);
	while (info_of(other).submitted < 2)
		;
	WORKS(npurt_stream_abort(stream));
	pthread_join(thread, NULL);
	ok(waiter.err == NPURT_ERROR_CANCELED, "who waited in another thread is told");
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_CANCELED);
	GIVES(npurt_event_wait(event, 20 * S), NPURT_ERROR_CANCELED);
	WORKS(npurt_event_wait(before, 20 * S));
	GIVES(npurt_fill_async(stream, m, 8, 1, 1, 1), NPURT_ERROR_CANCELED);
	WORKS(npurt_stream_get_fault(stream, &fault));
	ok(fault.error == NPURT_ERROR_CANCELED && strstr(fault.message, "aborted"),
	   "why it stopped: %s", fault.message);
	WORKS(npurt_stream_abort(stream));
	ok(info_of(stream).state == NPURT_STREAM_FAILED &&
		   info_of(stream).error == NPURT_ERROR_CANCELED,
	   "the stream's state tells so");

	WORKS(npurt_stream_reset(stream));
	WORKS(npurt_stream_synchronize(stream));
	GIVES(npurt_event_wait(event, 20 * S), NPURT_ERROR_CANCELED);
	GIVES(npurt_stream_wait_event(f->stream, event), NPURT_ERROR_CANCELED);
	WORKS(npurt_write_value_async(stream, m, 24, 1, 8));
	WORKS(npurt_stream_synchronize(stream));
	ok(words[3] == 1 && words[1] == 0, "after a reset it works, without what was aborted");
	GIVES(npurt_event_wait(event, 20 * S), NPURT_ERROR_CANCELED);
	WORKS(npurt_event_record(event, stream));
	WORKS(npurt_event_wait(event, 20 * S));

	GIVES(npurt_stream_query(other), NPURT_ERROR_NOT_READY);
	words[0] = 1;
	WORKS(npurt_stream_synchronize(other));
	ok(words[2] == 1, "another stream that waited for the same was not disturbed");
	GIVES(npurt_stream_abort(NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_reset(NULL), NPURT_ERROR_INVALID);
	NEED(npurt_event_destroy(event));
	NEED(npurt_event_destroy(before));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* An event that was lost does not come because its stream has lost much since. */
static void test_lost_long_ago(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "never");
	npurt_stream *stream = stream_of(f->context, NULL);
	npurt_event *event;

	NEED(npurt_event_create(f->context, NULL, &event));
	for (unsigned int i = 0; i < 40; i++) {
		NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 60000));
		if (!i)
			NEED(npurt_event_record(event, stream));
		NEED(npurt_stream_flush(stream));
		NEED(npurt_stream_abort(stream));
		NEED(npurt_stream_reset(stream));
	}
	GIVES(npurt_stream_wait_event(f->stream, event), NPURT_ERROR_STREAM_LOST);
	GIVES(npurt_event_query(event), NPURT_ERROR_STREAM_LOST);
	WORKS(npurt_event_record(event, stream));
	WORKS(npurt_event_wait(event, 20 * S));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* All that a stream can have when it fails works again after a reset, as often as one likes. */
static void test_reset(struct fixture *f)
{
	static uint8_t data[3 << 20];
	const npurt_stream_attr attr = { .size = sizeof(attr), .label = "phoenix",
					 .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, sizeof(data), "data");
	npurt_stream *stream = stream_of(f->context, &attr);
	const uint32_t id = info_of(stream).id;
	npurt_event *event;
	bool all = true;

	NEED(npurt_event_create(f->context, NULL, &event));
	for (unsigned int i = 0; i < 12; i++) {
		npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");

		NEED(npurt_upload(stream, m, 0, data, sizeof(data)));
		NEED(npurt_stream_synchronize(stream));
		memset(data, (int)i + 1, sizeof(data));
		NEED(npurt_fill_async(stream, victim, 0, 1, 1, 4096));
		NEED(npurt_memory_destroy(victim));
		/* Whoever finds the fault first. */
		npurt_upload(stream, m, 0, data, sizeof(data));
		npurt_event_record(event, stream);
		all &= npurt_stream_synchronize(stream) == NPURT_ERROR_STREAM_FAULT;
		all &= npurt_stream_reset(stream) == 0;
		all &= npurt_upload(stream, m, 0, data, sizeof(data)) == 0;
		memset(data, 0, sizeof(data));
		all &= npurt_download(stream, data, m, 0, sizeof(data)) == 0;
		for (size_t j = 0; j < sizeof(data); j += 4096)
			all &= data[j] == i + 1;
	}
	ok(all, "12 faults and resets of one stream");
	ok(info_of(stream).id == id && info_of(stream).state == NPURT_STREAM_IDLE,
	   "it is still the same stream");
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static void test_attributes(struct fixture *f)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .failure_mode = 2 };
	npurt_stream_info info = { .size = sizeof(info) };
	npurt_stream *stream = NULL;

	GIVES(npurt_stream_create(f->context, &attr, &stream), NPURT_ERROR_INVALID);
	attr = (npurt_stream_attr){ .size = sizeof(attr), .priority = NPURT_PRIORITY_LOW,
				    .timeout_ms = 1234, .wait_timeout_ms = 567, .core_mask = 1,
				    .failure_mode = NPURT_FAIL_CONTINUE };
	stream = stream_of(f->context, &attr);
	info = info_of(stream);
	ok(info.priority == NPURT_PRIORITY_LOW && info.timeout_ms == 1234 &&
		   info.wait_timeout_ms == 567 && info.core_mask == 1 && !info.depth &&
		   info.failure_mode == NPURT_FAIL_CONTINUE && info.state == NPURT_STREAM_IDLE,
	   "attributes can be read back");
	NEED(npurt_stream_begin_capture(stream, 0));
	ok(info_of(stream).state == NPURT_STREAM_CAPTURING, "a capture is told");
	NEED(npurt_stream_destroy(stream));
	GIVES(npurt_stream_get_info(NULL, &info), NPURT_ERROR_INVALID);
	info.size = 4;
	GIVES(npurt_stream_get_info(f->stream, &info), NPURT_ERROR_INVALID);
}

int main(void)
{
	struct fixture f = fixture_open();

	test_attributes(&f);
	test_values(&f);
	test_depth(&f, true);
	test_depth(&f, false);
	test_depth_wait(&f);
	test_depth_uploads(&f);
	test_continue(&f);
	test_lost_event(&f);
	test_abort(&f);
	test_lost_long_ago(&f);
	test_reset(&f);
	fixture_close(&f);
	return rt_done();
}

// SPDX-License-Identifier: MIT
/* Events by file descriptor: other contexts, other open devices, other processes. */
#include "rt_gate.h"
#include "rt_process.h"

#include <fcntl.h>
#include <pthread.h>

#define BYTES 65536

/* Memory that both sides have. */
struct side {
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *shared;
	npurt_event *event;
};

static npurt_event *event(npurt_context *context, const char *label)
{
	npurt_event_attr attr = { .size = sizeof(attr), .label = label };
	npurt_event *e = NULL;

	NEED(npurt_event_create(context, &attr, &e));
	return e;
}

static npurt_event *import(npurt_context *context, npurt_event *event)
{
	npurt_event_attr attr = { .size = sizeof(attr), .label = "imported" };
	npurt_event *e = NULL;
	int fd;

	NEED(npurt_event_export_fd(event, &fd));
	NEED(npurt_event_import_fd(context, fd, &attr, &e));
	close(fd);
	return e;
}

static uint64_t point_of(npurt_event *event)
{
	uint64_t point = UINT64_MAX;

	NEED(npurt_event_get_point(event, &point));
	return point;
}

static bool has(const struct side *s, uint8_t value)
{
	static uint8_t bytes[BYTES];

	NEED(npurt_download(s->stream, bytes, s->shared, 0, BYTES));
	for (int i = 0; i < BYTES; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

static struct side exporter(struct fixture *f)
{
	npurt_memory_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_MEMORY_EXPORTABLE,
		.label = "shared",
	};
	struct side s = { .context = f->context, .stream = f->stream };

	NEED(npurt_memory_create(s.context, BYTES, &attr, &s.shared));
	s.event = event(s.context, "exported");
	return s;
}

static struct side importer(npurt_context *context, const struct side *from)
{
	struct side s = { .context = context };
	int fd;

	NEED(npurt_stream_create(context, NULL, &s.stream));
	NEED(npurt_memory_export_fd(from->shared, &fd));
	NEED(npurt_memory_import_fd(context, fd, NULL, &s.shared));
	close(fd);
	s.event = import(context, from->event);
	return s;
}

static void side_free(struct side *s)
{
	NEED(npurt_event_destroy(s->event));
	NEED(npurt_memory_destroy(s->shared));
}

/* What one side fills after the gate the other one copies, in that order. */
static void test_device_wait(struct fixture *f, npurt_context *context, const char *where)
{
	struct side a = exporter(f), b = importer(context, &a);
	npurt_memory *copy = memory(context, NPURT_PLACE_HBM, BYTES, "copy");
	struct gate g = gate_make(a.context);

	for (int round = 1; round <= 3; round++) {
		gate_open(&g, false);
		NEED(npurt_graph_launch(g.exec, a.stream));
		NEED(npurt_fill_async(a.stream, a.shared, 0, (uint64_t)round, 1, BYTES));
		NEED(npurt_event_record(a.event, a.stream));
		WORKS(npurt_stream_wait_event(b.stream, b.event));
		NEED(npurt_memcpy_async(b.stream, copy, 0, b.shared, 0, BYTES));
		NEED(npurt_stream_flush(b.stream));
		GIVES(npurt_event_query(b.event), NPURT_ERROR_NOT_READY);
		GIVES(npurt_stream_query(b.stream), NPURT_ERROR_NOT_READY);
		GIVES(npurt_event_wait(b.event, MS), NPURT_ERROR_TIMED_OUT);
		gate_open(&g, true);
		WORKS(npurt_event_wait(b.event, NPURT_INFINITE));
		WORKS(npurt_event_query(b.event));
		ok(point_of(b.event) == (uint64_t)round && point_of(a.event) == (uint64_t)round,
		   "%s: both know that it is record %d", where, round);
		NEED(npurt_memcpy_async(b.stream, b.shared, 0, copy, 0, BYTES));
		ok(has(&b, (uint8_t)round), "%s: the copy came after the fill", where);
	}
	NEED(npurt_stream_synchronize(a.stream));
	NEED(npurt_memory_destroy(copy));
	NEED(npurt_stream_destroy(b.stream));
	side_free(&b);
	gate_free(&g);
	side_free(&a);
}

/* Nothing but the wait is on the stream: a synchronize is for that, too. */
static void test_wait_alone(struct fixture *f, npurt_context *context)
{
	struct side a = exporter(f), b = importer(context, &a);
	struct gate g = gate_make(a.context);

	NEED(npurt_graph_launch(g.exec, a.stream));
	NEED(npurt_event_record(a.event, a.stream));
	NEED(npurt_stream_wait_event(b.stream, b.event));
	NEED(npurt_event_destroy(b.event));
	GIVES(npurt_stream_wait(b.stream, MS), NPURT_ERROR_TIMED_OUT);
	gate_open(&g, true);
	WORKS(npurt_stream_synchronize(b.stream));
	ok(npurt_event_query(a.event) == NPURT_SUCCESS,
	   "a stream waits, though nothing follows and the event is gone");
	b.event = import(context, a.event);
	WORKS(npurt_stream_wait_event(b.stream, b.event));
	NEED(npurt_stream_destroy(b.stream));
	side_free(&b);
	gate_free(&g);
	side_free(&a);
}

static void *wait_first(void *arg)
{
	npurt_event *e = arg;

	return (void *)(intptr_t)(npurt_event_wait_recorded(e, 1, NPURT_INFINITE) ||
				  npurt_event_wait_point(e, 1, NPURT_INFINITE));
}

static void test_before_record(struct fixture *f, npurt_context *context)
{
	struct side a = exporter(f), b = importer(context, &a);
	char text[256];
	pthread_t thread;
	void *failed;

	ok(point_of(b.event) == 0, "an event that was never recorded has no records");
	GIVES(npurt_event_query(b.event), NPURT_ERROR_NOT_READY);
	GIVES(npurt_event_wait(b.event, MS), NPURT_ERROR_TIMED_OUT);
	GIVES(npurt_event_wait_recorded(b.event, 1, MS), NPURT_ERROR_TIMED_OUT);
	GIVES(npurt_stream_wait_event(b.stream, b.event), NPURT_ERROR_NOT_READY);
	NEED(npurt_stream_error_message(b.stream, text, sizeof(text)));
	ok(strstr(text, "'imported' has 0 records"), "the message tells: %s", text);
	need(pthread_create(&thread, NULL, wait_first, b.event), "pthread_create");
	NEED(npurt_event_record(a.event, a.stream));
	pthread_join(thread, &failed);
	ok(!failed, "a host wait that was there before the record ends with it");
	GIVES(npurt_stream_wait_event_point(b.stream, b.event, 2), NPURT_ERROR_NOT_READY);
	WORKS(npurt_stream_wait_event_point(b.stream, b.event, 1));
	WORKS(npurt_stream_synchronize(b.stream));
	NEED(npurt_stream_destroy(b.stream));
	side_free(&b);
	side_free(&a);
}

/* An event that becomes shared after it was recorded, done or not. */
static void test_late_export(struct fixture *f, npurt_context *context)
{
	npurt_event *e = event(f->context, "late"), *i;
	struct gate g = gate_make(f->context);

	NEED(npurt_event_record(e, f->stream));
	NEED(npurt_event_record(e, f->stream));
	NEED(npurt_event_wait(e, NPURT_INFINITE));
	i = import(context, e);
	ok(point_of(i) == 2, "records from before the export count");
	WORKS(npurt_event_query(i));
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));

	e = event(f->context, "late and not done");
	NEED(npurt_graph_launch(g.exec, f->stream));
	NEED(npurt_event_record(e, f->stream));
	i = import(context, e);
	ok(point_of(i) == 1, "also one that has not happened");
	GIVES(npurt_event_query(i), NPURT_ERROR_NOT_READY);
	gate_open(&g, true);
	WORKS(npurt_event_wait(i, NPURT_INFINITE));
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_synchronize(f->stream));
	gate_free(&g);
}

/* Records of two streams, of which the second one gets there first. */
static void test_two_streams(struct fixture *f)
{
	npurt_event *e = event(f->context, "of two"), *i = import(f->context, e);
	struct gate g = gate_make(f->context);
	npurt_stream *other;

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_graph_launch(g.exec, f->stream));
	NEED(npurt_event_record(e, f->stream));
	NEED(npurt_event_record(e, other));
	WORKS(npurt_stream_synchronize(other));
	WORKS(npurt_event_query(e));
	GIVES(npurt_event_wait_point(e, 1, 0), NPURT_ERROR_TIMED_OUT);
	ok(npurt_event_wait_point(i, 2, 0) == NPURT_ERROR_TIMED_OUT,
	   "for others a record stands for those before it, too");
	gate_open(&g, true);
	WORKS(npurt_event_wait_point(i, 2, NPURT_INFINITE));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	gate_free(&g);
}

/* More events than one submit takes. */
static void test_many(struct fixture *f)
{
	npurt_event *e[40], *i[40];
	struct gate g = gate_make(f->context);
	npurt_stream *other;

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_graph_launch(g.exec, f->stream));
	for (unsigned int n = 0; n < COUNT(e); n++) {
		e[n] = event(f->context, "one of many");
		i[n] = import(f->context, e[n]);
		NEED(npurt_event_record(e[n], f->stream));
		NEED(npurt_stream_wait_event(other, i[n]));
		NEED(npurt_stream_wait_event(other, i[n]));
	}
	GIVES(npurt_stream_query(other), NPURT_ERROR_NOT_READY);
	gate_open(&g, true);
	WORKS(npurt_stream_synchronize(other));
	ok(npurt_event_query(i[COUNT(i) - 1]) == 0, "a stream waits for %zu events", COUNT(i));
	for (unsigned int n = 0; n < COUNT(e); n++) {
		NEED(npurt_event_destroy(i[n]));
		NEED(npurt_event_destroy(e[n]));
	}
	NEED(npurt_stream_destroy(other));
	gate_free(&g);
}

/* What comes before the record fails: the other side is told. */
static void test_failure(struct fixture *f, npurt_context *context)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "never written");
	npurt_event *e = event(f->context, "exported"), *i = import(context, e);
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_stream *stream, *other;
	char text[256];

	NEED(npurt_stream_create(f->context, &attr, &stream));
	NEED(npurt_stream_create(context, NULL, &other));
	NEED(npurt_event_record(e, f->stream));
	WORKS(npurt_event_wait(i, NPURT_INFINITE));
	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_GE, 1));
	NEED(npurt_event_record(e, stream));
	NEED(npurt_stream_wait_event(other, i));
	GIVES(npurt_event_wait(i, NPURT_INFINITE), NPURT_ERROR_STREAM_TIMEOUT);
	NEED(npurt_context_error_message(context, text, sizeof(text)));
	ok(strstr(text, "record 2 of event 'imported'"), "the message tells: %s", text);
	GIVES(npurt_event_query(i), NPURT_ERROR_STREAM_TIMEOUT);
	WORKS(npurt_stream_synchronize(other));
	NEED(npurt_event_record(e, f->stream));
	WORKS(npurt_event_wait(i, NPURT_INFINITE));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	NEED(npurt_memory_destroy(m));
}

/* What was lost before it is exported has not happened for others, either. */
static void test_lost(struct fixture *f)
{
	npurt_event *e = event(f->context, "lost"), *i;
	struct gate g = gate_make(f->context);
	npurt_stream *stream;
	int fd;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_graph_launch(g.exec, stream));
	NEED(npurt_event_record(e, stream));
	NEED(npurt_stream_flush(stream));
	NEED(npurt_stream_abort(stream));
	NEED(npurt_stream_reset(stream));
	GIVES(npurt_event_wait(e, NPURT_INFINITE), NPURT_ERROR_CANCELED);
	GIVES(npurt_event_export_fd(e, &fd), NPURT_ERROR_CANCELED);
	GIVES(npurt_event_wait_point(e, 1, NPURT_INFINITE), NPURT_ERROR_CANCELED);
	NEED(npurt_event_record(e, stream));
	i = import(f->context, e);
	WORKS(npurt_event_wait(i, NPURT_INFINITE));
	ok(point_of(i) == 2, "what is recorded anew can be exported");
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_destroy(stream));
	gate_free(&g);
}

/* The same on a stream that goes on, of which the library may not have noticed. */
static void test_lost_unnoticed(struct fixture *f)
{
	const npurt_stream_attr attr = { .size = sizeof(attr),
					 .flags = NPURT_STREAM_NO_AUTO_FLUSH,
					 .failure_mode = NPURT_FAIL_CONTINUE };
	npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "other work");
	npurt_event *e = event(f->context, "lost");
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, &attr, &stream));
	NEED(npurt_fill_async(stream, victim, 0, 1, 1, 4096));
	NEED(npurt_memory_destroy(victim));
	NEED(npurt_event_record(e, stream));
	NEED(npurt_stream_flush(stream));
	NEED(npurt_fill_async(f->stream, m, 0, 1, 1, 4096));
	NEED(npurt_stream_synchronize(f->stream));
	ok(npurt_event_wait_point(e, 1, NPURT_INFINITE) != 0,
	   "an event that was lost has not happened because its stream goes on");
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static void test_arguments(struct fixture *f)
{
	npurt_event *e = event(f->context, "exported"), *i = import(f->context, e), *none;
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	npurt_memory *m;
	uint64_t value;
	int fd, pipes[2];

	GIVES(npurt_event_record(i, f->stream), NPURT_ERROR_ACCESS);
	GIVES(npurt_event_time(i, &value), NPURT_ERROR_UNSUPPORTED);
	GIVES(npurt_event_export_fd(NULL, &fd), NPURT_ERROR_INVALID);
	GIVES(npurt_event_export_fd(e, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_event_get_point(e, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_event_get_point(NULL, &value), NPURT_ERROR_INVALID);
	GIVES(npurt_event_wait_point(i, 0, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_event_wait_point(NULL, 1, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_event_wait_recorded(i, 0, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_wait_event_point(f->stream, i, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_wait_event_point(NULL, i, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_event_import_fd(f->context, -1, NULL, &none), NPURT_ERROR_INVALID);
	need(pipe(pipes), "pipe");
	GIVES(npurt_event_import_fd(f->context, pipes[0], NULL, &none), NPURT_ERROR_INVALID);
	close(pipes[0]);
	close(pipes[1]);

	NEED(npurt_memory_create(f->context, BYTES, &attr, &m));
	NEED(npurt_memory_export_fd(m, &fd));
	GIVES(npurt_event_import_fd(f->context, fd, NULL, &none), NPURT_ERROR_INVALID);
	close(fd);
	NEED(npurt_memory_destroy(m));
	NEED(npurt_event_export_fd(i, &fd));
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "an import can be exported, close-on-exec");
	GIVES(npurt_memory_import_fd(f->context, fd, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_event_import_fd(f->context, fd, NULL, NULL), NPURT_ERROR_INVALID);
	close(fd);
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
}

static void test_capture(struct fixture *f)
{
	npurt_event *e = event(f->context, "exported"), *i = import(f->context, e);
	npurt_graph *graph;

	NEED(npurt_event_record(e, f->stream));
	NEED(npurt_stream_begin_capture(f->stream, 0));
	GIVES(npurt_stream_wait_event(f->stream, i), NPURT_ERROR_CAPTURE);
	NEED(npurt_stream_end_capture(f->stream, &graph));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
}

/* Another process: waits on its device for what the parent is still to do. */
static int child(int memory_fd, int event_fd, int parent)
{
	struct fixture f = fixture_open();
	struct side s = { .context = f.context, .stream = f.stream };
	char byte = 0;
	bool good;

	NEED(npurt_memory_import_fd(s.context, memory_fd, NULL, &s.shared));
	NEED(npurt_event_import_fd(s.context, event_fd, NULL, &s.event));
	NEED(npurt_event_wait_recorded(s.event, 1, NPURT_INFINITE));
	NEED(npurt_stream_wait_event(s.stream, s.event));
	if (npurt_event_query(s.event) != NPURT_ERROR_NOT_READY || write(parent, &byte, 1) != 1)
		return 2;
	good = has(&s, 0x5a);
	side_free(&s);
	fixture_free(&f);
	return good ? 0 : 3;
}

static void test_process(struct fixture *f)
{
	struct side s = exporter(f);
	struct gate g = gate_make(s.context);
	int fds[3], ends[2], status;
	char byte;
	pid_t pid;

	NEED(npurt_memory_export_fd(s.shared, &fds[0]));
	NEED(npurt_event_export_fd(s.event, &fds[1]));
	process_sockets(ends);
	fds[2] = ends[1];
	pid = process_start(fds, COUNT(fds));
	NEED(npurt_graph_launch(g.exec, s.stream));
	NEED(npurt_fill_async(s.stream, s.shared, 0, 0x5a, 1, BYTES));
	NEED(npurt_event_record(s.event, s.stream));
	close(ends[1]);
	ok(read(ends[0], &byte, 1) == 1, "another process waits for the event");
	gate_open(&g, true);
	status = process_wait(pid);
	ok(!status, "its stream used the data after the event (%d)", status);
	close(ends[0]);
	close(fds[0]);
	close(fds[1]);
	NEED(npurt_stream_synchronize(s.stream));
	gate_free(&g);
	side_free(&s);
}

int main(int argc, char **argv)
{
	npurt_device *again;
	npurt_context *context, *far;
	unsigned int count;
	struct fixture f;

	if (argc > 3)
		return child(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]));
	f = fixture_open();
	NEED(npurt_context_create(f.device, NULL, &context));
	NEED(npurt_device_count(&count));
	NEED(npurt_device_open(count - 1, NULL, &again));
	NEED(npurt_context_create(again, NULL, &far));
	test_process(&f);
	test_device_wait(&f, f.context, "one context");
	test_device_wait(&f, context, "two contexts");
	test_device_wait(&f, far, count > 1 ? "two NPUs" : "two open devices");
	test_wait_alone(&f, far);
	test_before_record(&f, far);
	test_late_export(&f, far);
	test_two_streams(&f);
	test_many(&f);
	test_failure(&f, far);
	test_lost(&f);
	test_lost_unnoticed(&f);
	test_arguments(&f);
	test_capture(&f);
	NEED(npurt_context_destroy(far));
	NEED(npurt_device_close(again));
	NEED(npurt_context_destroy(context));
	fixture_close(&f);
	return rt_done();
}

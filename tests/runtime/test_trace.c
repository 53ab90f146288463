// SPDX-License-Identifier: MIT
/* Traces: records of calls and tasks, several subscribers, threads, callbacks that call. */
#include "rt_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#define MAX_RECORDS 65536

/* What a subscriber has got. */
struct log {
	npurt_trace_record *records;
	char (*names)[64];
	unsigned int count;
	atomic_int inside; /* callbacks */
	bool overlapped, cut;
};

static void keep(const npurt_trace_record *record, void *data)
{
	struct log *log = data;

	log->overlapped |= atomic_fetch_add(&log->inside, 1) != 0;
	log->cut |= record->size != sizeof(*record) || record->lost || log->count == MAX_RECORDS;
	if (log->count < MAX_RECORDS) {
		log->records[log->count] = *record;
		snprintf(log->names[log->count], sizeof(log->names[0]), "%s",
			 record->name[0] ? record->name : record->label);
		log->count++;
	}
	atomic_fetch_sub(&log->inside, 1);
}

static void log_init(struct log *log)
{
	memset(log, 0, sizeof(*log));
	log->records = calloc(MAX_RECORDS, sizeof(log->records[0]));
	log->names = calloc(MAX_RECORDS, sizeof(log->names[0]));
	NEED(log->records && log->names ? 0 : NPURT_ERROR_HOST_MEMORY);
}

static void log_free(struct log *log)
{
	free(log->records);
	free(log->names);
}

static npurt_trace *subscribe(npurt_device *device, uint32_t kinds, npurt_trace_fn fn, void *data)
{
	npurt_trace_attr attr = { .size = sizeof(attr), .kinds = kinds, .fn = fn, .data = data };
	npurt_trace *trace = NULL;

	NEED(npurt_trace_subscribe(device, &attr, &trace));
	return trace;
}

static unsigned int count_kind(const struct log *log, uint32_t kind)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < log->count; i++)
		count += log->records[i].kind == kind;
	return count;
}

static const npurt_trace_record *find(const struct log *log, uint32_t kind, const char *name)
{
	for (unsigned int i = 0; i < log->count; i++) {
		if (log->records[i].kind == kind && strcmp(log->names[i], name) == 0)
			return &log->records[i];
	}
	return NULL;
}

/* Tasks of one stream come one after the other, and each ends after it began. */
static bool in_order(const struct log *log)
{
	for (unsigned int i = 0; i < log->count; i++) {
		const npurt_trace_record *a = &log->records[i], *b = a + 1;

		if (!a->begin_ns || a->begin_ns > a->end_ns)
			return false;
		while (b < log->records + log->count && b->stream != a->stream)
			b++;
		if (a->stream && b < log->records + log->count &&
		    (b->begin_ns < a->end_ns || b->device_begin_ns < a->device_end_ns))
			return false;
	}
	return true;
}

/* The call that put the task on its stream. */
static bool has_call(const struct log *log, const npurt_trace_record *task)
{
	for (unsigned int i = 0; i < log->count; i++) {
		const npurt_trace_record *call = &log->records[i];

		if (call->kind == NPURT_TRACE_CALL && call->call == task->call)
			return call->begin_ns == task->call_ns && call->thread == task->thread;
	}
	return false;
}

static npurt_graph_exec *three_fills(struct fixture *f, npurt_memory *m)
{
	npurt_graph_attr attr = { .size = sizeof(attr), .label = "three fills" };
	npurt_graph *graph = NULL;
	npurt_graph_exec *exec = NULL;

	NEED(npurt_graph_create(f->context, &attr, &graph));
	for (uint64_t i = 0; i < 3; i++)
		NEED(npurt_graph_add_fill(graph, NULL, 0, m, 64 * i, i, 8, 64, NULL));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_destroy(graph));
	return exec;
}

/* A fill, a copy, a graph, an event. */
static void some_work(struct fixture *f, npurt_memory *m, npurt_graph_exec *exec)
{
	npurt_event *event = NULL;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_fill_async(f->stream, m, 0, 1, 8, 1024));
	NEED(npurt_memcpy_async(f->stream, m, 2048, m, 0, 512));
	NEED(npurt_graph_launch(exec, f->stream));
	NEED(npurt_event_record(event, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_event_destroy(event));
}

static void test_filters(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "traced");
	npurt_graph_exec *exec = three_fills(f, m);
	const npurt_trace_record *task, *call;
	npurt_trace *traces[3];
	uint64_t before, after;
	struct log logs[3];

	for (unsigned int i = 0; i < 3; i++)
		log_init(&logs[i]);
	NEED(npurt_device_get_time(f->device, NULL, &before));
	traces[0] = subscribe(f->device, NPURT_TRACE_CALL, keep, &logs[0]);
	traces[1] = subscribe(f->device, NPURT_TRACE_COPY | NPURT_TRACE_GRAPH, keep, &logs[1]);
	traces[2] = subscribe(f->device, NPURT_TRACE_ALL, keep, &logs[2]);
	some_work(f, m, exec);
	WORKS(npurt_trace_unsubscribe(traces[1]));
	some_work(f, m, exec);
	GIVES(npurt_device_close(f->device), NPURT_ERROR_BUSY);
	WORKS(npurt_trace_unsubscribe(traces[0]));
	WORKS(npurt_trace_unsubscribe(traces[2]));
	some_work(f, m, exec);
	NEED(npurt_device_get_time(f->device, NULL, &after));

	ok(count_kind(&logs[0], NPURT_TRACE_CALL) == logs[0].count && logs[0].count >= 18,
	   "one gets the calls, %u of them", logs[0].count);
	ok(count_kind(&logs[1], NPURT_TRACE_COPY) == 2 &&
		   count_kind(&logs[1], NPURT_TRACE_GRAPH) == 1 && logs[1].count == 3,
	   "another one copies and graphs, until it ends");
	ok(count_kind(&logs[2], NPURT_TRACE_COPY) == 4 &&
		   count_kind(&logs[2], NPURT_TRACE_GRAPH) == 2 &&
		   count_kind(&logs[2], NPURT_TRACE_SYNC) == 2,
	   "a third one all of it");
	ok(in_order(&logs[1]) && in_order(&logs[2]), "the tasks of a stream are in order");
	task = find(&logs[2], NPURT_TRACE_COPY, "traced");
	call = find(&logs[2], NPURT_TRACE_CALL, "npurt_fill_async");
	ok(task && task->command == NPURT_COMMAND_FILL && task->bytes == 1024 && !task->result,
	   "a task tells its label and size");
	ok(task && call && task->call == call->call && has_call(&logs[2], task),
	   "and the call that it comes from");
	task = find(&logs[2], NPURT_TRACE_GRAPH, "three fills");
	call = find(&logs[2], NPURT_TRACE_CALL, "npurt_graph_launch");
	ok(task && call && task->call == call->call, "so does the launch of a graph");
	ok(task && task->begin_ns > before && task->end_ns < after &&
		   task->device_end_ns - task->device_begin_ns <= after - before,
	   "times are those of CLOCK_MONOTONIC");
	ok(!logs[0].cut && !logs[1].cut && !logs[2].cut, "all of it");
	for (unsigned int i = 0; i < 3; i++)
		log_free(&logs[i]);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_memory_destroy(m));
}

/* More than there is room for at a time. */
static void test_many(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "many");
	npurt_trace *trace;
	bool numbered = true;
	struct log log;

	log_init(&log);
	trace = subscribe(f->device, NPURT_TRACE_COPY, keep, &log);
	for (uint64_t i = 0; i < 10000; i++)
		NEED(npurt_fill_async(f->stream, m, 0, i, 8, 8 + 8 * (i % 100)));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_trace_unsubscribe(trace));
	for (unsigned int i = 0; i < log.count; i++)
		numbered &= log.records[i].bytes == 8 + 8 * (i % 100);
	ok(log.count == 10000 && numbered && in_order(&log) && !log.cut,
	   "10000 tasks without a wait, all told, in order");
	log_free(&log);
	NEED(npurt_memory_destroy(m));
}

struct worker {
	pthread_t thread;
	npurt_context *context;
	int err;
};

/* Some of the work, on a stream that comes and goes. */
static int fill(npurt_context *context, npurt_memory *m)
{
	npurt_stream *stream = NULL;
	int err = 0;

	NEED(npurt_stream_create(context, NULL, &stream));
	for (unsigned int i = 0; i < 25 && !err; i++)
		err = npurt_fill_async(stream, m, 0, i, 8, 4096);
	if (!err)
		err = npurt_stream_synchronize(stream);
	NEED(npurt_stream_destroy(stream));
	return err;
}

static void *work(void *data)
{
	struct worker *w = data;
	npurt_memory *m = memory(w->context, NPURT_PLACE_HOST, 4096, "worker");

	for (unsigned int i = 0; i < 20 && !w->err; i++)
		w->err = fill(w->context, m);
	NEED(npurt_memory_destroy(m));
	return NULL;
}

static void test_threads(struct fixture *f)
{
	struct worker workers[4] = { 0 };
	npurt_trace *trace, *other;
	struct log log, none;
	bool calls = true;
	int err = 0;

	log_init(&log);
	log_init(&none);
	trace = subscribe(f->device, NPURT_TRACE_COPY | NPURT_TRACE_CALL, keep, &log);
	for (unsigned int i = 0; i < COUNT(workers); i++) {
		workers[i].context = f->context;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	/* Others come and go meanwhile. */
	for (unsigned int i = 0; i < 50; i++) {
		other = subscribe(f->device, NPURT_TRACE_KERNEL, keep, &none);
		NEED(npurt_trace_unsubscribe(other));
	}
	for (unsigned int i = 0; i < COUNT(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		err |= workers[i].err;
	}
	NEED(npurt_trace_unsubscribe(trace));
	for (unsigned int i = 0; i < log.count; i += 97)
		calls &= log.records[i].kind == NPURT_TRACE_CALL || has_call(&log, &log.records[i]);
	ok(!err && count_kind(&log, NPURT_TRACE_COPY) == 2000 && calls && in_order(&log),
	   "the tasks of four threads are all told");
	ok(!log.overlapped && !log.cut && !none.count, "callbacks come one at a time");
	log_free(&log);
	log_free(&none);
}

/* A callback that uses the library. */
struct busy {
	struct fixture *f;
	npurt_memory *m;
	npurt_trace *trace;
	npurt_stream *stream;
	unsigned int count;
	int subscribe, unsubscribe, fill;
};

static void call_in_callback(const npurt_trace_record *record, void *data)
{
	struct busy *b = data;
	npurt_trace_attr attr = { .size = sizeof(attr), .kinds = NPURT_TRACE_ALL,
				  .fn = call_in_callback };
	npurt_trace *trace = NULL;

	(void)record;
	if (b->count++)
		return;
	b->subscribe = npurt_trace_subscribe(b->f->device, &attr, &trace);
	b->unsubscribe = npurt_trace_unsubscribe(b->trace);
	b->fill = npurt_fill_async(b->stream, b->m, 0, 1, 8, 64);
}

static void test_callback(struct fixture *f)
{
	struct busy b = { .f = f, .m = memory(f->context, NPURT_PLACE_HOST, 4096, "busy") };
	unsigned int before;

	NEED(npurt_stream_create(f->context, NULL, &b.stream));
	b.trace = subscribe(f->device, NPURT_TRACE_COPY, call_in_callback, &b);
	NEED(npurt_fill_async(f->stream, b.m, 1024, 1, 8, 64));
	NEED(npurt_stream_synchronize(f->stream));
	ok(b.count == 1 && !b.fill, "a callback may put work on streams");
	before = b.count;
	NEED(npurt_stream_synchronize(b.stream));
	ok(b.count == before, "which is not traced");
	ok(b.subscribe == NPURT_ERROR_BUSY && b.unsubscribe == NPURT_ERROR_BUSY,
	   "but not change who subscribes");
	WORKS(npurt_trace_unsubscribe(b.trace));
	NEED(npurt_stream_destroy(b.stream));
	NEED(npurt_memory_destroy(b.m));
}

/* A thread that is kept in a callback, and calls that have ended meanwhile. */
struct slow {
	npurt_device *device;
	sem_t inside, go;
	unsigned int count;
};

static void be_slow(const npurt_trace_record *record, void *data)
{
	struct slow *s = data;

	s->count += strcmp(record->name, "npurt_device_get_memory_info") == 0;
	if (strcmp(record->name, "npurt_device_get_properties") != 0)
		return;
	sem_post(&s->inside);
	sem_wait(&s->go);
	usleep(50000);
}

static void *call_once(void *data)
{
	npurt_device_properties properties = { .size = sizeof(properties) };
	struct slow *s = data;

	NEED(npurt_device_get_properties(s->device, &properties));
	return NULL;
}

static void test_unsubscribe(struct fixture *f)
{
	npurt_memory_info info = { .size = sizeof(info) };
	struct slow s = { .device = f->device };
	npurt_trace *trace;
	pthread_t thread;

	sem_init(&s.inside, 0, 0);
	sem_init(&s.go, 0, 0);
	trace = subscribe(f->device, NPURT_TRACE_CALL, be_slow, &s);
	pthread_create(&thread, NULL, call_once, &s);
	sem_wait(&s.inside);
	for (unsigned int i = 0; i < 5; i++)
		NEED(npurt_device_get_memory_info(f->device, &info));
	sem_post(&s.go);
	WORKS(npurt_trace_unsubscribe(trace));
	ok(s.count == 5, "what has ended is delivered, with another thread in a callback: %u",
	   s.count);
	pthread_join(thread, NULL);
}

static void test_failure(struct fixture *f)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");
	const npurt_trace_record *task;
	npurt_stream *stream = NULL;
	npurt_trace *trace;
	struct log log;

	log_init(&log);
	trace = subscribe(f->device, NPURT_TRACE_COPY, keep, &log);
	NEED(npurt_stream_create(f->context, &attr, &stream));
	NEED(npurt_fill_async(stream, m, 0, 0, 1, 4096));
	NEED(npurt_memory_destroy(m));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_trace_unsubscribe(trace));
	task = find(&log, NPURT_TRACE_COPY, "victim");
	ok(task && task->result == NPURT_ERROR_STREAM_FAULT && task->begin_ns == task->end_ns,
	   "a task that failed tells so");
	log_free(&log);
}

static void test_arguments(struct fixture *f)
{
	npurt_trace_attr attr = { .size = sizeof(attr), .kinds = NPURT_TRACE_ALL, .fn = keep };
	npurt_trace *trace = NULL;

	GIVES(npurt_trace_subscribe(NULL, &attr, &trace), NPURT_ERROR_INVALID);
	GIVES(npurt_trace_subscribe(f->device, &attr, NULL), NPURT_ERROR_INVALID);
	attr.kinds = 0;
	GIVES(npurt_trace_subscribe(f->device, &attr, &trace), NPURT_ERROR_INVALID);
	attr.kinds = NPURT_TRACE_ALL + 1;
	GIVES(npurt_trace_subscribe(f->device, &attr, &trace), NPURT_ERROR_INVALID);
	attr.kinds = NPURT_TRACE_ALL;
	attr.fn = NULL;
	GIVES(npurt_trace_subscribe(f->device, &attr, &trace), NPURT_ERROR_INVALID);
	GIVES(npurt_trace_unsubscribe(NULL), NPURT_ERROR_INVALID);
}

static void test_close(void)
{
	npurt_device *device = NULL;
	npurt_trace *trace;
	struct log log;

	log_init(&log);
	NEED(npurt_device_open(0, NULL, &device));
	trace = subscribe(device, NPURT_TRACE_CALL, keep, &log);
	GIVES(npurt_device_close(device), NPURT_ERROR_BUSY);
	WORKS(npurt_trace_unsubscribe(trace));
	WORKS(npurt_device_close(device));
	ok(log.count && log.records[log.count - 1].result == NPURT_ERROR_BUSY,
	   "a device is not closed while it is traced");
	log_free(&log);
}

int main(void)
{
	struct fixture f = fixture_open();

	test_arguments(&f);
	test_close();
	test_filters(&f);
	test_many(&f);
	test_threads(&f);
	test_callback(&f);
	test_unsubscribe(&f);
	test_failure(&f);
	fixture_close(&f);
	return rt_done();
}

// SPDX-License-Identifier: MIT
/* What NPURT_VALIDATE finds, each with the places in the program; and what is right. */
#define PROGRAM "test_validate"
#include "rt_findings.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_handles(struct fixture *f)
{
	npurt_stream *stream = rt_lazy_stream(f->context);
	npurt_event *event = new_event(f->context);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_context *other = NULL;

	NEED(npurt_stream_destroy(stream));
	GIVES(npurt_stream_flush(stream), NPURT_ERROR_VALIDATE);
	tells("npurt_stream_flush", "npurt_stream_create",
	      "destroyed by npurt_stream_destroy at test_validate+0x");
	NEED(npurt_event_destroy(event));
	GIVES(npurt_event_destroy(event), NPURT_ERROR_VALIDATE);
	tells("npurt_event_destroy", "npurt_event_create", "destroyed by npurt_event_destroy");
	ok(!npurt_memory_size(NULL), "NULL is no finding");
	GIVES(npurt_event_query((npurt_event *)(void *)m), NPURT_ERROR_VALIDATE);
	tells("npurt_event_query", "npurt_memory_create", "not of kind 'event', but 'memory'");

	NEED(npurt_context_create(f->device, NULL, &other));
	stream = rt_lazy_stream(other);
	GIVES(npurt_fill_async(stream, m, 0, 1, 8, 64), NPURT_ERROR_VALIDATE);
	tells("npurt_fill_async", "npurt_memory_create", "is of another context than the stream");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_context_destroy(other));
	NEED(npurt_memory_destroy(m));
}

static void test_event(struct fixture *f)
{
	npurt_event *never = new_event(f->context), *later = new_event(f->context);

	WORKS(npurt_stream_wait_event(f->stream, never));
	WORKS(npurt_stream_wait_event(f->stream, later));
	WORKS(npurt_event_record(later, f->stream));
	WORKS(npurt_event_wait(later, NPURT_INFINITE));
	num_texts = 0;
	WORKS(npurt_event_destroy(later));
	ok(!num_texts, "what is recorded after a wait is no finding");
	WORKS(npurt_event_destroy(never));
	tells("npurt_event_destroy", "npurt_event_create",
	      "was waited for at test_validate+0x");
}

static void test_leaks(struct fixture *f)
{
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph = NULL;
	npurt_context *context;
	npurt_memory *m;

	NEED(npurt_context_create(f->device, NULL, &context));
	m = memory(context, NPURT_PLACE_HOST, 4096, "left");
	NEED(npurt_graph_create(context, NULL, &graph));
	NEED(npurt_graph_add_fill(graph, NULL, 0, m, 0, 1, 8, 64, NULL));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	num_texts = 0;
	GIVES(npurt_context_destroy(context), NPURT_ERROR_BUSY);
	ok(num_texts >= 3 &&
		   told("memory 'left' left over, made by npurt_memory_create at test_validate+0x") &&
		   told("graph left over, made by npurt_graph_create") &&
		   told("graph exec left over, made by npurt_graph_instantiate"),
	   "all that is left over is told");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_memory_destroy(m));
	num_texts = 0;
	WORKS(npurt_context_destroy(context));
	GIVES(npurt_context_destroy(context), NPURT_ERROR_VALIDATE);
	ok(num_texts == 1, "and nothing is, when nothing is");
}

/* Two streams, some memory, an event. */
/* Nothing of the parent's is the child's to let go of. */
static void test_fork(struct fixture *f)
{
	int status = -1;
	pid_t child;

	rt_settle(f);
	num_texts = 0;
	child = fork();
	if (!child)
		_exit(npurt_context_destroy(f->context) != NPURT_ERROR_FORKED ||
		      told("left over"));
	ok(waitpid(child, &status, 0) == child && !status,
	   "a child is told that it is one, and of nothing else");
}

/* A thread that is kept in the midst of a report. */
struct reporter {
	sem_t inside, go;
	npurt_device *device;
};

static void hold(enum npurt_log_level level, const char *text, void *data)
{
	struct reporter *r = data;

	if (level != NPURT_LOG_ERROR || !strstr(text, "destroyed"))
		return;
	sem_post(&r->inside);
	sem_wait(&r->go);
}

static void *report(void *arg)
{
	struct reporter *r = arg;
	npurt_context *context = NULL;
	npurt_event *event;

	NEED(npurt_context_create(r->device, NULL, &context));
	event = new_event(context);
	NEED(npurt_event_destroy(event));
	npurt_event_query(event);
	NEED(npurt_context_destroy(context));
	return NULL;
}

/* What another thread has locked is not locked in a child. */
static void test_fork_meanwhile(struct fixture *f)
{
	struct reporter r = { .device = NULL };
	const npurt_device_attr attr = {
		.size = sizeof(attr), .log = hold, .log_data = &r, .log_level = NPURT_LOG_ERROR,
	};
	npurt_device *device = NULL;
	pthread_t thread;
	int status = -1;
	pid_t child;

	sem_init(&r.inside, 0, 0);
	sem_init(&r.go, 0, 0);
	rt_settle(f);
	NEED(npurt_device_open(0, &attr, &r.device));
	need(pthread_create(&thread, NULL, report, &r), "pthread_create");
	sem_wait(&r.inside);
	child = fork();
	if (!child) {
		alarm(60);
		if (npurt_stream_query(f->stream) != NPURT_ERROR_FORKED ||
		    npurt_device_open(0, NULL, &device) || npurt_device_close(device))
			_exit(1);
		/* Without a look for leaks: it gives up what the parent's thread was at. */
		raise(SIGKILL);
	}
	ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
		   WTERMSIG(status) == SIGKILL,
	   "a child that was forked during a report can call, and open a device");
	sem_post(&r.go);
	pthread_join(thread, NULL);
	NEED(npurt_device_close(r.device));
}

static void test_streams(struct fixture *f)
{
	npurt_stream *a = rt_lazy_stream(f->context), *b = rt_lazy_stream(f->context);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "shared");
	npurt_event *event = new_event(f->context);

	WORKS(npurt_fill_async(a, m, 0, 1, 8, 1024));
	GIVES(npurt_fill_async(b, m, 512, 2, 8, 1024), NPURT_ERROR_VALIDATE);
	ok(told("what npurt_fill_async at test_validate+0x") && told("0 bytes into 'shared'"),
	   "%s", texts[num_texts - 1]);
	GIVES(npurt_memcpy_async(b, m, 2048, m, 512, 64), NPURT_ERROR_VALIDATE);
	WORKS(npurt_fill_async(b, m, 1024, 2, 8, 1024));
	WORKS(npurt_memcpy_async(a, m, 2048, m, 0, 512));
	/* In order by an event: what was recorded before it, and not what came later. */
	WORKS(npurt_event_record(event, a));
	WORKS(npurt_stream_wait_event(b, event));
	WORKS(npurt_fill_async(a, m, 4000, 1, 8, 8));
	WORKS(npurt_fill_async(b, m, 0, 2, 8, 1024));
	GIVES(npurt_fill_async(b, m, 4000, 2, 8, 8), NPURT_ERROR_VALIDATE);
	/* In order by the program. */
	WORKS(npurt_stream_synchronize(b));
	WORKS(npurt_stream_synchronize(a));
	WORKS(npurt_fill_async(a, m, 0, 3, 8, 4096));
	NEED(npurt_stream_synchronize(a));
	/* Two that read; columns that do not meet. */
	WORKS(npurt_memcpy_async(a, m, 1024, m, 0, 512));
	WORKS(npurt_memcpy_async(b, m, 2048, m, 0, 512));
	WORKS(npurt_fill_2d_async(a, m, 3072, 64, 1, 8, 32, 8));
	WORKS(npurt_fill_2d_async(b, m, 3072 + 32, 64, 1, 8, 32, 8));
	NEED(npurt_stream_synchronize(a));
	NEED(npurt_stream_synchronize(b));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(a));
	NEED(npurt_stream_destroy(b));
	NEED(npurt_memory_destroy(m));
}

/* Memory of the process that a copy is to read or write. */
static void test_host(struct fixture *f)
{
	static uint8_t host[8192] __attribute__((aligned(4096)));
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "on the device"), *r = NULL;
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "of the process" };
	npurt_memory *other = memory(f->context, NPURT_PLACE_HBM, 4096, "other");
	npurt_stream *stream = rt_lazy_stream(f->context);

	NEED(npurt_memory_register(f->context, host, sizeof(host), &attr, &r));
	NEED(npurt_memcpy_async(stream, r, 0, m, 0, 4096));
	GIVES(npurt_upload(f->stream, m, 0, host, 64), NPURT_ERROR_VALIDATE);
	ok(told("the CPU would read what npurt_memcpy_async"), "%s", texts[num_texts - 1]);
	WORKS(npurt_upload(f->stream, other, 0, host + 4096, 64));
	GIVES(npurt_memory_destroy(r), NPURT_ERROR_VALIDATE);
	ok(told("npurt_memory_destroy at test_validate+0x") &&
		   told("it would take away what npurt_memcpy_async"),
	   "%s", texts[num_texts - 1]);
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_stream_synchronize(stream));
	WORKS(npurt_upload(f->stream, other, 0, host, 64));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memcpy_async(stream, m, 0, r, 0, 4096));
	GIVES(npurt_download(f->stream, host, r, 4096, 64), NPURT_ERROR_VALIDATE);
	ok(told("the CPU would change what npurt_memcpy_async"), "%s", texts[num_texts - 1]);
	NEED(npurt_stream_synchronize(stream));
	WORKS(npurt_memory_destroy(r));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(other));
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = findings_open();

	test_handles(&f);
	test_event(&f);
	test_leaks(&f);
	test_fork(&f);
	test_fork_meanwhile(&f);
	test_streams(&f);
	test_host(&f);
	fixture_close(&f);
	return rt_done();
}

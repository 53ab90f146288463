// SPDX-License-Identifier: MIT
/* Host functions: order, errors, what they must not do, and in graphs. */
#include "rt_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static npurt_stream *stream_of(npurt_context *context, const npurt_stream_attr *attr)
{
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, attr, &stream));
	return stream;
}

/* What a function saw when it was called. */
struct seen {
	_Atomic uint64_t *word;
	uint64_t value;
	_Atomic int calls;
	int error;
	_Atomic int go; /* it returns when this is set */
};

static void look(void *data, int error)
{
	struct seen *seen = data;

	seen->value = seen->word ? *seen->word : 0;
	seen->error = error;
	seen->calls++;
	while (!seen->go)
		usleep(100);
}

static void test_order(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "word");
	_Atomic uint64_t *words = mapped(m);
	struct seen first = { .word = words }, second = { .word = words, .go = 1 };
	npurt_event *before, *after;

	NEED(npurt_event_create(f->context, NULL, &before));
	NEED(npurt_event_create(f->context, NULL, &after));
	WORKS(npurt_write_value_async(f->stream, m, 0, 11, 8));
	WORKS(npurt_event_record(before, f->stream));
	WORKS(npurt_stream_host_function(f->stream, look, &first));
	WORKS(npurt_write_value_async(f->stream, m, 0, 12, 8));
	WORKS(npurt_stream_host_function(f->stream, look, &second));
	WORKS(npurt_event_record(after, f->stream));
	WORKS(npurt_stream_flush(f->stream));
	WORKS(npurt_event_wait(before, 20 * S));
	while (!first.calls)
		sched_yield();
	ok(first.value == 11 && !first.error, "it is called after what came before");
	GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	GIVES(npurt_event_query(after), NPURT_ERROR_NOT_READY);
	ok(words[0] == 11 && !second.calls, "what comes after it waits until it returns");
	first.go = 1;
	WORKS(npurt_stream_synchronize(f->stream));
	WORKS(npurt_event_query(after));
	ok(second.value == 12 && second.calls == 1 && first.calls == 1,
	   "then it goes on, and each is called once");
	GIVES(npurt_stream_host_function(f->stream, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_stream_host_function(NULL, look, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_event_destroy(before));
	NEED(npurt_event_destroy(after));
	NEED(npurt_memory_destroy(m));
}

#define STREAMS 6
#define CALLS 60

struct counted {
	_Atomic uint32_t *next;
	uint32_t number;
	atomic_uint *wrong;
};

static void count_call(void *data, int error)
{
	struct counted *c = data;

	if (error || *c->next != c->number)
		++*c->wrong;
	++*c->next;
}

/* All of them at once, each with data of the device's between the calls. */
static void test_many(struct fixture *f)
{
	static struct counted calls[STREAMS][CALLS];
	static _Atomic uint32_t next[STREAMS];
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 8 * STREAMS, "counters");
	npurt_stream *streams[STREAMS];
	atomic_uint wrong = 0;

	for (unsigned int i = 0; i < STREAMS; i++)
		streams[i] = stream_of(f->context, NULL);
	for (unsigned int j = 0; j < CALLS; j++) {
		for (unsigned int i = 0; i < STREAMS; i++) {
			calls[i][j] = (struct counted){ &next[i], j, &wrong };
			NEED(npurt_write_value_async(streams[i], m, 8 * i, j, 8));
			NEED(npurt_stream_host_function(streams[i], count_call, &calls[i][j]));
		}
	}
	for (unsigned int i = 0; i < STREAMS; i++)
		NEED(npurt_stream_synchronize(streams[i]));
	for (unsigned int i = 0; i < STREAMS; i++)
		wrong += next[i] != CALLS;
	ok(!wrong, "%d calls on %d streams, in the order of each", STREAMS * CALLS, STREAMS);
	for (unsigned int i = 0; i < STREAMS; i++)
		NEED(npurt_stream_destroy(streams[i]));
	NEED(npurt_memory_destroy(m));
}

static void add_fault(struct fixture *f, npurt_stream *stream)
{
	npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");

	NEED(npurt_fill_async(stream, victim, 0, 0, 1, 4096));
	NEED(npurt_memory_destroy(victim));
	NEED(npurt_stream_flush(stream));
}

static void test_errors(struct fixture *f)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "gate");
	_Atomic uint64_t *words = mapped(m);
	struct seen a = { .go = 1 }, b = { .go = 1 }, c = { .go = 1 }, d = { .go = 1 };
	npurt_stream *stream = stream_of(f->context, &attr);

	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 20000));
	add_fault(f, stream);
	WORKS(npurt_stream_host_function(stream, look, &a));
	words[0] = 1;
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	while (!a.calls)
		sched_yield();
	ok(a.error == NPURT_ERROR_STREAM_FAULT, "the function is told that work before it failed");
	WORKS(npurt_stream_reset(stream));

	NEED(npurt_wait_value_async(stream, m, 8, 1, NPURT_CONDITION_EQ, 20000));
	WORKS(npurt_stream_host_function(stream, look, &b));
	WORKS(npurt_stream_host_function(stream, look, &b));
	WORKS(npurt_stream_abort(stream));
	while (b.calls < 2)
		sched_yield();
	ok(b.error == NPURT_ERROR_CANCELED, "... or stopped");
	WORKS(npurt_stream_reset(stream));
	WORKS(npurt_stream_host_function(stream, look, &c));
	WORKS(npurt_stream_synchronize(stream));
	ok(c.calls == 1 && !c.error, "after a reset there is no error");

	NEED(npurt_wait_value_async(stream, m, 8, 1, NPURT_CONDITION_EQ, 20000));
	WORKS(npurt_stream_host_function(stream, look, &d));
	WORKS(npurt_stream_destroy(stream));
	ok(d.calls == 1 && d.error, "a stream that is destroyed makes its calls first, with %s",
	   npurt_error_name(d.error));
	ok(a.calls == 1 && b.calls == 2, "each is called once");

	attr.failure_mode = NPURT_FAIL_CONTINUE;
	stream = stream_of(f->context, &attr);
	a = (struct seen){ .go = 1 };
	b = (struct seen){ .go = 1 };
	words[0] = 0;
	NEED(npurt_wait_value_async(stream, m, 0, 1, NPURT_CONDITION_EQ, 20000));
	NEED(npurt_stream_flush(stream));
	add_fault(f, stream);
	WORKS(npurt_stream_host_function(stream, look, &a));
	NEED(npurt_write_value_async(stream, m, 16, 7, 8));
	WORKS(npurt_stream_host_function(stream, look, &b));
	words[0] = 1;
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	ok(a.calls == 1 && b.calls == 1 && a.error == NPURT_ERROR_STREAM_FAULT && words[2] == 7,
	   "a stream that goes on makes its calls, too");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

struct attempt {
	struct fixture *f;
	npurt_memory *memory;
	npurt_stream *other;
	npurt_event *event;
	int add, wait, event_wait, destroy, reset, unload;
	char text[128];
};

static void try_all(void *data, int error)
{
	struct attempt *a = data;
	npurt_stream_info info = { .size = sizeof(info) };

	(void)error;
	a->add = npurt_fill_async(a->other, a->memory, 0, 1, 1, 1);
	a->wait = npurt_stream_synchronize(a->f->stream);
	npurt_stream_error_message(a->f->stream, a->text, sizeof(a->text));
	a->event_wait = npurt_event_wait(a->event, NPURT_INFINITE);
	a->destroy = npurt_stream_destroy(a->f->stream);
	a->reset = npurt_stream_reset(a->f->stream);
	a->unload = npurt_stream_get_info(a->f->stream, &info);
}

/* What could wait for the function itself is refused, and so is what could wait for that. */
static void test_refusals(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "memory");
	struct attempt a = { .f = f, .memory = m, .other = stream_of(f->context, NULL) };

	NEED(npurt_event_create(f->context, NULL, &a.event));
	WORKS(npurt_stream_host_function(f->stream, try_all, &a));
	NEED(npurt_event_record(a.event, f->stream));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(a.add == NPURT_ERROR_INVALID && a.wait == NPURT_ERROR_INVALID &&
		   a.event_wait == NPURT_ERROR_INVALID && a.destroy == NPURT_ERROR_INVALID &&
		   a.reset == NPURT_ERROR_INVALID && a.unload == NPURT_ERROR_INVALID,
	   "a host function cannot use streams and events");
	ok(strstr(a.text, "host function") != NULL, "it is told why: %s", a.text);
	NEED(npurt_event_destroy(a.event));
	NEED(npurt_stream_destroy(a.other));
	NEED(npurt_memory_destroy(m));
}

static void nap(void *data, int error)
{
	(void)error;
	usleep(20000);
	++*(_Atomic int *)data;
}

/* A download holds the stream's lock; a function that takes too long ends the stream. */
static void test_waits(struct fixture *f)
{
	const npurt_stream_attr hasty = { .size = sizeof(hasty), .wait_timeout_ms = 1000 };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "data");
	npurt_stream *stream = stream_of(f->context, &hasty);
	npurt_fault fault = { .size = sizeof(fault) };
	struct seen slow = { 0 };
	_Atomic int naps = 0;
	uint64_t value = 0;

	NEED(npurt_fill_async(f->stream, m, 0, 5, 8, 4096));
	NEED(npurt_stream_host_function(f->stream, nap, &naps));
	WORKS(npurt_download(f->stream, &value, m, 0, sizeof(value)));
	ok(naps == 1 && value == 5, "a download waits for the function before it");

	WORKS(npurt_stream_host_function(stream, look, &slow));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_TIMEOUT);
	WORKS(npurt_stream_get_fault(stream, &fault));
	ok(fault.command == NPURT_COMMAND_HOST_FUNCTION && strstr(fault.message, "host function"),
	   "one that takes too long is named: %s", fault.message);
	slow.go = 1;
	WORKS(npurt_stream_reset(stream));
	NEED(npurt_stream_host_function(stream, nap, &naps));
	WORKS(npurt_stream_synchronize(stream));
	ok(naps == 2, "and the stream can be used again");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* Adds what a word holds to a sum. */
struct adder {
	_Atomic uint64_t *words;
	uint64_t sum;
};

static void add_word(void *data, int error)
{
	struct adder *adder = data;

	adder->sum += error ? 1000000 : adder->words[0];
	adder->words[1] = adder->sum;
}

static uint32_t submits(npurt_graph_exec *exec, uint32_t *host_functions)
{
	npurt_graph_exec_info info = { .size = sizeof(info) };

	NEED(npurt_graph_exec_get_info(exec, &info));
	*host_functions = info.host_functions;
	return info.submits;
}

/* word 0 counts up by a reduction; the host adds it up; the device copies the sum. */
static void test_graph(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	_Atomic uint64_t *words = mapped(m);
	struct adder adder = { words, 0 };
	npurt_graph_node *nodes[3];
	npurt_graph_exec *exec;
	npurt_graph *graph, *outer, *loop;
	npurt_graph_loop body = { .size = sizeof(body), .rounds = 2 };
	uint32_t hosts;

	words[8] = 1;
	NEED(npurt_graph_create(f->context, NULL, &graph));
	NEED(npurt_graph_create(f->context, NULL, &outer));
	NEED(npurt_graph_create(f->context, NULL, &loop));
	WORKS(npurt_graph_add_reduce(graph, NULL, 0, m, 0, m, 64, 2, NPURT_S32, NPURT_REDUCE_ADD,
				     &nodes[0]));
	GIVES(npurt_graph_add_reduce(graph, NULL, 0, m, 0, m, 64, 2, 99, NPURT_REDUCE_ADD, NULL),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_graph_add_reduce(graph, NULL, 0, m, 0, m, 64, 9999, NPURT_S32,
				     NPURT_REDUCE_ADD, NULL), NPURT_ERROR_RANGE);
	WORKS(npurt_graph_add_host_function(graph, &nodes[0], 1, add_word, &adder, &nodes[1]));
	GIVES(npurt_graph_add_host_function(graph, NULL, 0, NULL, NULL, NULL),
	      NPURT_ERROR_INVALID);
	NEED(npurt_graph_add_copy(graph, &nodes[1], 1, m, 16, m, 8, 8, NULL));
	NEED(npurt_graph_add_child(outer, NULL, 0, graph, &nodes[0]));
	NEED(npurt_graph_add_child(outer, &nodes[0], 1, graph, NULL));
	body.body = graph;
	NEED(npurt_graph_add_loop(loop, NULL, 0, &body, NULL));
	GIVES(npurt_graph_instantiate(loop, NULL, &exec), NPURT_ERROR_UNSUPPORTED);

	WORKS(npurt_graph_instantiate(outer, NULL, &exec));
	ok(submits(exec, &hosts) == 3 && hosts == 2,
	   "two host functions make three calls of the kernel, and the graph says so");
	for (int i = 0; i < 10; i++)
		NEED(npurt_graph_launch(exec, f->stream));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(words[0] == 20 && adder.sum == 210 && words[2] == 210,
	   "20 reductions, host functions and copies, in order");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_destroy(outer));
	NEED(npurt_graph_destroy(loop));
	NEED(npurt_memory_destroy(m));
}

static void test_capture(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	_Atomic uint64_t *words = mapped(m);
	struct adder adder = { words, 0 };
	npurt_graph_exec *exec;
	npurt_graph *graph;
	uint32_t hosts;

	NEED(npurt_stream_begin_capture(f->stream, 0));
	NEED(npurt_write_value_async(f->stream, m, 0, 4, 8));
	WORKS(npurt_stream_host_function(f->stream, add_word, &adder));
	NEED(npurt_stream_end_capture(f->stream, &graph));
	ok(!adder.sum, "a function that is captured is not called");
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	ok(submits(exec, &hosts) == 2 && hosts == 1, "the wait at the end is a call, too");
	NEED(npurt_graph_launch(exec, f->stream));
	NEED(npurt_graph_launch(exec, f->stream));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(adder.sum == 8 && words[1] == 8, "it is in each launch");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_order(&f);
	test_many(&f);
	test_errors(&f);
	test_refusals(&f);
	test_waits(&f);
	test_graph(&f);
	test_capture(&f);
	fixture_close(&f);
	return rt_done();
}

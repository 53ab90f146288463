// SPDX-License-Identifier: MIT
/*
 * Graphs: results against the same commands given to a stream, captures and their mistakes,
 * conditions and loops, updates, and what outlives what.
 */
#include "rt_gate.h"

#include <unistd.h>

#include "modules/rt_kernels.h"

#define WORDS 64
#define BYTES (WORDS * 8)
#define BUFFERS 6
#define MANY 200

static npurt_graph_exec *instantiate(npurt_graph *graph)
{
	npurt_graph_exec *exec = NULL;

	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	return exec;
}

static void run(npurt_graph *graph, npurt_stream *stream)
{
	npurt_graph_exec *exec = instantiate(graph);

	NEED(npurt_graph_launch(exec, stream));
	NEED(npurt_stream_synchronize(stream));
	NEED(npurt_graph_exec_destroy(exec));
}

static npurt_graph *new_graph(struct fixture *f, const char *label)
{
	npurt_graph_attr attr = { .size = sizeof(attr), .label = label };
	npurt_graph *graph = NULL;

	NEED(npurt_graph_create(f->context, &attr, &graph));
	return graph;
}

/* Random DAGs over some buffers, with edges where one uses what another has written. */

struct world {
	npurt_memory *buffers[BUFFERS];
	uint8_t want[BUFFERS][BYTES];
	npurt_graph_node *users[BUFFERS][64]; /* since the last write, which is the first */
	unsigned int num_users[BUFFERS];
	uint64_t seed;
};

static unsigned int pick(struct world *w, unsigned int below)
{
	return rt_random(&w->seed) % below;
}

static unsigned int add_deps(struct world *w, unsigned int buffer, bool write,
			     npurt_graph_node **deps, unsigned int n)
{
	const unsigned int users = w->num_users[buffer];

	for (unsigned int i = 0; i < (write ? users : users > 0); i++)
		deps[n++] = w->users[buffer][i];
	return n;
}

static void add_user(struct world *w, unsigned int buffer, bool write, npurt_graph_node *node)
{
	if (write)
		w->num_users[buffer] = 0;
	else if (!w->num_users[buffer])
		return;
	if (w->num_users[buffer] < COUNT(w->users[buffer]))
		w->users[buffer][w->num_users[buffer]++] = node;
}

static void add_random(struct world *w, npurt_graph *graph)
{
	const unsigned int dst = pick(w, BUFFERS), src = (dst + 1 + pick(w, BUFFERS - 1)) % BUFFERS;
	const unsigned int at = pick(w, WORDS) * 8, bytes = 8 + pick(w, WORDS - at / 8) * 8;
	npurt_graph_node *deps[128], *node;
	unsigned int n = add_deps(w, dst, true, deps, 0);
	uint64_t value = rt_random(&w->seed);

	switch (pick(w, 3)) {
	case 0:
		n = add_deps(w, src, false, deps, n);
		NEED(npurt_graph_add_copy(graph, deps, n, w->buffers[dst], at, w->buffers[src], at,
					  bytes, &node));
		memcpy(w->want[dst] + at, w->want[src] + at, bytes);
		/* Its reader is also one to wait for; the first user is the writer. */
		if (w->num_users[src])
			add_user(w, src, false, node);
		else
			w->users[src][w->num_users[src]++] = node;
		break;
	case 1:
		NEED(npurt_graph_add_fill(graph, deps, n, w->buffers[dst], at, value, 8, bytes,
					  &node));
		for (unsigned int i = 0; i < bytes; i += 8)
			memcpy(w->want[dst] + at + i, &value, 8);
		break;
	default:
		NEED(npurt_graph_add_write(graph, deps, n, w->buffers[dst], at, value, 8, &node));
		memcpy(w->want[dst] + at, &value, 8);
		break;
	}
	add_user(w, dst, true, node);
}

static void test_random(struct fixture *f, uint64_t seed)
{
	static struct world w;
	npurt_graph *graph = new_graph(f, "random");
	npurt_graph_exec_info info = { .size = sizeof(info) };
	npurt_graph_exec *exec;
	unsigned int wrong = 0;

	memset(&w, 0, sizeof(w));
	w.seed = seed;
	for (unsigned int i = 0; i < BUFFERS; i++)
		w.buffers[i] = memory(f->context, i % 2, BYTES, "random");
	for (unsigned int i = 0; i < 40; i++)
		add_random(&w, graph);
	exec = instantiate(graph);
	NEED(npurt_graph_launch(exec, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	for (unsigned int i = 0; i < BUFFERS; i++)
		wrong += memcmp(mapped(w.buffers[i]), w.want[i], BYTES) != 0;
	NEED(npurt_graph_exec_get_info(exec, &info));
	ok(!wrong && info.nodes == 40 && info.barriers < info.commands && !info.streams,
	   "seed %u: 40 nodes in %u steps leave what they should", (unsigned int)seed,
	   info.barriers);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	for (unsigned int i = 0; i < BUFFERS; i++)
		NEED(npurt_memory_destroy(w.buffers[i]));
}

/* Capture. */

struct streams {
	npurt_stream *a, *b;
	npurt_event *fork, *join;
	npurt_memory *m;
	volatile uint64_t *words;
};

static struct streams streams_new(struct fixture *f)
{
	struct streams s;

	NEED(npurt_stream_create(f->context, NULL, &s.a));
	NEED(npurt_stream_create(f->context, NULL, &s.b));
	NEED(npurt_event_create(f->context, NULL, &s.fork));
	NEED(npurt_event_create(f->context, NULL, &s.join));
	s.m = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	s.words = mapped(s.m);
	return s;
}

static void streams_free(struct streams *s)
{
	NEED(npurt_event_destroy(s->fork));
	NEED(npurt_event_destroy(s->join));
	NEED(npurt_stream_destroy(s->a));
	NEED(npurt_stream_destroy(s->b));
	NEED(npurt_memory_destroy(s->m));
}

static void test_capture(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph_node_info info = { .size = sizeof(info) };
	npurt_graph_node *node;
	npurt_graph_exec *exec;
	npurt_graph *graph;
	uint64_t host = 7;
	int capturing = 0;

	WORKS(npurt_stream_begin_capture(s.a, 0));
	NEED(npurt_fill_async(s.a, s.m, 0, 1, 8, 8));
	NEED(npurt_event_record(s.fork, s.a));
	NEED(npurt_stream_wait_event(s.b, s.fork));
	NEED(npurt_stream_is_capturing(s.b, &capturing));
	ok(capturing, "a stream that waits for an event of the capture joins it");
	NEED(npurt_memcpy_async(s.b, s.m, 8, s.m, 0, 8));
	NEED(npurt_upload(s.a, s.m, 16, &host, 8));
	host = 0;
	NEED(npurt_event_record(s.join, s.b));
	NEED(npurt_stream_wait_event(s.a, s.join));
	NEED(npurt_memcpy_async(s.a, s.m, 24, s.m, 8, 16));
	WORKS(npurt_stream_end_capture(s.a, &graph));
	NEED(npurt_stream_is_capturing(s.b, &capturing));
	ok(!capturing, "it leaves when the capture ends");
	ok(npurt_graph_node_count(graph) == 4 && !s.words[0], "nothing has run, four nodes are there");
	NEED(npurt_graph_get_node(graph, 3, &node));
	NEED(npurt_graph_node_get_info(node, &info));
	ok(info.command == NPURT_COMMAND_COPY && info.num_dependencies == 2 && info.level == 2 &&
		   strcmp(info.label, "words") == 0,
	   "the last one depends on both streams");
	exec = instantiate(graph);
	for (unsigned int i = 0; i < 3; i++) {
		memset((void *)s.words, 0, 64);
		NEED(npurt_graph_launch(exec, i % 2 ? s.a : s.b));
		NEED(npurt_stream_synchronize(i % 2 ? s.a : s.b));
		ok(s.words[0] == 1 && s.words[1] == 1 && s.words[2] == 7 && s.words[3] == 1 &&
			   s.words[4] == 7,
		   "launch %u does all of it", i);
	}
	NEED(npurt_graph_get_node(graph, 2, &node));
	host = 9;
	WORKS(npurt_graph_exec_update_upload(exec, node, &host, 8));
	NEED(npurt_graph_launch(exec, s.a));
	NEED(npurt_stream_synchronize(s.a));
	ok(s.words[4] == 9, "with other data once they are updated");
	GIVES(npurt_graph_exec_update_upload(exec, node, &host, 4), NPURT_ERROR_INVALID);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	streams_free(&s);
}

static void test_capture_errors(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *graph = NULL;
	char text[256];

	GIVES(npurt_stream_end_capture(s.a, &graph), NPURT_ERROR_CAPTURE);
	GIVES(npurt_stream_begin_capture(s.a, 1), NPURT_ERROR_INVALID);
	NEED(npurt_event_record(s.join, s.b));
	NEED(npurt_stream_begin_capture(s.a, 0));
	GIVES(npurt_stream_begin_capture(s.a, 0), NPURT_ERROR_CAPTURE);
	GIVES(npurt_stream_synchronize(s.a), NPURT_ERROR_CAPTURE);
	GIVES(npurt_stream_query(s.a), NPURT_ERROR_CAPTURE);
	GIVES(npurt_download(s.a, text, s.m, 0, 8), NPURT_ERROR_CAPTURE);
	GIVES(npurt_stream_wait_event(s.a, s.join), NPURT_ERROR_CAPTURE);
	NEED(npurt_event_record(s.fork, s.a));
	NEED(npurt_stream_wait_event(s.b, s.fork));
	GIVES(npurt_stream_end_capture(s.b, &graph), NPURT_ERROR_CAPTURE);
	NEED(npurt_fill_async(s.b, s.m, 0, 1, 8, 8));
	GIVES(npurt_stream_end_capture(s.a, &graph), NPURT_ERROR_CAPTURE);
	NEED(npurt_stream_error_message(s.a, text, sizeof(text)));
	ok(strstr(text, "'words'") && !graph, "a stream that is not joined is named: %s", text);
	NEED(npurt_stream_synchronize(s.a));
	NEED(npurt_stream_synchronize(s.b));
	ok(!s.words[0], "what was captured in vain does not run");

	NEED(npurt_stream_begin_capture(s.a, 0));
	NEED(npurt_event_record(s.fork, s.a));
	NEED(npurt_stream_wait_event(s.b, s.fork));
	NEED(npurt_stream_destroy(s.b));
	GIVES(npurt_stream_end_capture(s.a, &graph), NPURT_ERROR_CAPTURE);
	NEED(npurt_stream_create(f->context, NULL, &s.b));
	NEED(npurt_stream_begin_capture(s.a, 0));
	NEED(npurt_event_record(s.fork, s.a));
	NEED(npurt_stream_wait_event(s.b, s.fork));
	NEED(npurt_stream_destroy(s.a));
	NEED(npurt_fill_async(s.b, s.m, 0, 5, 8, 8));
	NEED(npurt_stream_synchronize(s.b));
	ok(s.words[0] == 5, "when its first stream is destroyed a capture is over");
	NEED(npurt_stream_create(f->context, NULL, &s.a));
	streams_free(&s);
}

/* Conditions and loops. */

static npurt_graph *writes(struct fixture *f, npurt_memory *m, uint64_t offset, uint64_t value)
{
	npurt_graph *graph = new_graph(f, "writes");

	NEED(npurt_graph_add_write(graph, NULL, 0, m, offset, value, 8, NULL));
	return graph;
}

static void test_condition(struct fixture *f)
{
	static const struct {
		uint32_t condition;
		uint64_t word;
		bool holds;
	} cases[] = {
		{ NPURT_CONDITION_EQ, 5, true }, { NPURT_CONDITION_EQ, 6, false },
		{ NPURT_CONDITION_NE, 6, true }, { NPURT_CONDITION_NE, 5, false },
		{ NPURT_CONDITION_GE, 5, true }, { NPURT_CONDITION_GE, 4, false },
	};
	struct streams s = streams_new(f);
	npurt_graph *yes = writes(f, s.m, 8, 1), *no = writes(f, s.m, 8, 2);

	for (unsigned int i = 0; i < 2 * COUNT(cases); i++) {
		const npurt_graph_conditional c = {
			.size = sizeof(c), .memory = s.m, .value = 5,
			.condition = cases[i / 2].condition, .body = yes,
			.otherwise = i % 2 ? no : NULL,
		};
		npurt_graph *graph = new_graph(f, "if");
		npurt_graph_node *node;
		unsigned int want = cases[i / 2].holds ? 1 : i % 2 ? 2 : 0;

		NEED(npurt_graph_add_conditional(graph, NULL, 0, &c, &node));
		NEED(npurt_graph_add_write(graph, &node, 1, s.m, 16, 3, 8, NULL));
		s.words[0] = cases[i / 2].word;
		s.words[1] = s.words[2] = 0;
		run(graph, s.a);
		ok(s.words[1] == want && s.words[2] == 3, "condition %u of %u%s",
		   cases[i / 2].condition, (unsigned int)cases[i / 2].word,
		   i % 2 ? ", or else" : "");
		NEED(npurt_graph_destroy(graph));
	}
	NEED(npurt_graph_destroy(yes));
	NEED(npurt_graph_destroy(no));
	streams_free(&s);
}

/* Each round moves a row of words on: as many rounds, so many words. */
static void test_loops(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *inner = new_graph(f, "inner"), *outer = new_graph(f, "outer");
	npurt_graph *graph = new_graph(f, "loops");
	npurt_graph_loop loop = { .size = sizeof(loop), .rounds = 5, .body = inner };
	npurt_graph_node *node;

	/* words[1 ... 30] = words[0 ... 29], by way of the second half of the page. */
	NEED(npurt_graph_add_copy(inner, NULL, 0, s.m, 2048, s.m, 0, 240, &node));
	NEED(npurt_graph_add_copy(inner, &node, 1, s.m, 8, s.m, 2048, 240, NULL));
	NEED(npurt_graph_add_loop(outer, NULL, 0, &loop, NULL));
	loop.body = outer;
	loop.rounds = 3;
	loop.memory = s.m;
	loop.offset = 1024;
	NEED(npurt_graph_add_loop(graph, NULL, 0, &loop, NULL));
	s.words[0] = 1;
	run(graph, s.a);
	ok(s.words[15] == 1 && s.words[16] == 0 && s.words[128] == 3,
	   "three rounds of five rounds, and the word that counts them");
	NEED(npurt_graph_destroy(graph));

	/* While the word behind the row is zero. */
	graph = new_graph(f, "while");
	loop = (npurt_graph_loop){
		.size = sizeof(loop), .memory = s.m, .offset = 8 * 20,
		.condition = NPURT_CONDITION_EQ, .body = inner,
	};
	NEED(npurt_graph_add_loop(graph, NULL, 0, &loop, NULL));
	memset((void *)s.words, 0, 2048);
	s.words[0] = 1;
	run(graph, s.a);
	ok(s.words[20] == 1 && s.words[21] == 0, "a loop goes on while a word is so");
	run(graph, s.a);
	ok(s.words[21] == 0, "and not at all if it is not");
	NEED(npurt_graph_destroy(graph));

	loop.offset = 8 * 100;
	loop.timeout_ms = 50;
	graph = new_graph(f, "endless");
	NEED(npurt_graph_add_loop(graph, NULL, 0, &loop, NULL));
	{
		npurt_fault fault = { .size = sizeof(fault) };
		npurt_graph_exec *exec = instantiate(graph);

		NEED(npurt_graph_launch(exec, s.b));
		GIVES(npurt_stream_synchronize(s.b), NPURT_ERROR_STREAM_TIMEOUT);
		NEED(npurt_stream_get_fault(s.b, &fault));
		ok(fault.command == NPURT_COMMAND_BRANCH && strstr(fault.message, "'endless'"),
		   "an endless loop times out: %s", fault.message);
		NEED(npurt_graph_exec_destroy(exec));
	}
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_destroy(inner));
	NEED(npurt_graph_destroy(outer));
	streams_free(&s);
}

/* Updates do not reach a launch in flight; another stream waits for that. */
static void test_in_flight(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *graph = new_graph(f, "held");
	npurt_graph_exec_info info = { .size = sizeof(info) };
	npurt_graph_node *wait, *write, *fill, *copy, *add;
	npurt_graph_exec *exec;

	NEED(npurt_graph_add_wait(graph, NULL, 0, s.m, 0, 1, NPURT_CONDITION_GE, 0, &wait));
	NEED(npurt_graph_add_write(graph, &wait, 1, s.m, 8, 10, 8, &write));
	NEED(npurt_graph_add_fill(graph, &wait, 1, s.m, 16, 20, 8, 8, &fill));
	NEED(npurt_graph_add_copy(graph, &write, 1, s.m, 64, s.m, 8, 8, &copy));
	NEED(npurt_graph_add_reduce(graph, &copy, 1, s.m, 80, s.m, 8, 2, NPURT_S32,
				    NPURT_REDUCE_ADD, &add));
	exec = instantiate(graph);
	NEED(npurt_graph_launch(exec, s.a));
	WORKS(npurt_graph_exec_update_write(exec, write, 11));
	WORKS(npurt_graph_exec_update_fill(exec, fill, 21));
	WORKS(npurt_graph_exec_update_copy(exec, copy, s.m, 72, s.m, 8, 8));
	WORKS(npurt_graph_exec_update_wait(exec, wait, 2));
	WORKS(npurt_graph_exec_update_reduce(exec, add, s.m, 88, s.m, 8, 2, NPURT_S32,
					     NPURT_REDUCE_MAX));
	NEED(npurt_graph_exec_get_info(exec, &info));
	ok(info.images == 2 && info.launches == 1, "an update in flight takes another image");
	NEED(npurt_graph_launch(exec, s.b));
	GIVES(npurt_stream_query(s.b), NPURT_ERROR_NOT_READY);
	__atomic_store_n(s.words, 1, __ATOMIC_RELEASE);
	NEED(npurt_stream_synchronize(s.a));
	ok(s.words[8] == 10 && s.words[10] == 10 && !s.words[11],
	   "the first launch did what it was given");
	GIVES(npurt_stream_query(s.b), NPURT_ERROR_NOT_READY);
	__atomic_store_n(s.words, 2, __ATOMIC_RELEASE);
	NEED(npurt_stream_synchronize(s.b));
	ok(s.words[1] == 11 && s.words[2] == 21 && s.words[9] == 11 && s.words[10] == 10 &&
		   s.words[11] == 11,
	   "the second one, on another stream, what was updated");
	WORKS(npurt_graph_exec_update_write(exec, write, 12));
	NEED(npurt_graph_exec_get_info(exec, &info));
	ok(info.images == 2, "an image is used again");
	GIVES(npurt_graph_exec_update_fill(exec, write, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_exec_update_wait(exec, write, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_exec_update_reduce(exec, add, s.m, 4096, s.m, 8, 2, NPURT_S32,
					     NPURT_REDUCE_MAX), NPURT_ERROR_RANGE);

	s.words[0] = 0;
	NEED(npurt_graph_launch(exec, s.a));
	WORKS(npurt_graph_exec_destroy(exec));
	WORKS(npurt_graph_destroy(graph));
	GIVES(npurt_context_destroy(f->context), NPURT_ERROR_BUSY);
	__atomic_store_n(s.words, 2, __ATOMIC_RELEASE);
	NEED(npurt_stream_synchronize(s.a));
	ok(s.words[1] == 12, "a launch goes on when all of it is destroyed");
	streams_free(&s);
}

/* Its kernels may be at the addresses that those of @graph were at. */
static bool refused_with_another(struct fixture *f, npurt_graph *graph)
{
	npurt_graph_exec *exec = NULL;
	npurt_module *module;
	int err;

	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	err = npurt_graph_instantiate(graph, NULL, &exec);
	if (!err)
		NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_module_unload(module));
	return err == NPURT_ERROR_INVALID;
}

/* In a body, too. What is in flight goes on; what would run freed memory is refused by name. */
static void test_unload(struct fixture *f)
{
	struct streams s = streams_new(f);
	const struct store_args args = { npurt_memory_address(s.m) + 64 };
	npurt_graph *body = new_graph(f, "body"), *graph = new_graph(f, "whole");
	npurt_graph *plain = writes(f, s.m, 0, 4);
	npurt_graph_exec *exec, *again, *unconcerned = instantiate(plain);
	npurt_stream *lazy = rt_lazy_stream(f->context);
	npurt_graph_node *node;
	npurt_module *module;
	npurt_kernel *kernel;
	unsigned int refused = 0;
	char text[256];

	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	NEED(npurt_module_get_kernel(module, "store", &kernel));
	NEED(npurt_graph_add_kernel(body, NULL, 0, kernel, 1, &args, sizeof(args), NULL, &node));
	NEED(npurt_graph_add_child(graph, NULL, 0, body, NULL));
	exec = instantiate(graph);
	NEED(npurt_graph_launch(exec, s.a));
	NEED(npurt_launch(lazy, kernel, 1, &args, sizeof(args), NULL));
	WORKS(npurt_module_unload(module));
	GIVES(npurt_graph_instantiate(graph, NULL, &again), NPURT_ERROR_INVALID);
	WORKS(npurt_stream_synchronize(lazy));
	WORKS(npurt_stream_synchronize(s.a));
	GIVES(npurt_graph_launch(exec, s.a), NPURT_ERROR_INVALID);
	NEED(npurt_stream_error_message(s.a, text, sizeof(text)));
	ok(strstr(text, "graph 'body', node 0 'store': its module has been unloaded"),
	   "a launch after its module was unloaded is refused: %s", text);
	GIVES(npurt_graph_exec_update_kernel(exec, node, 1, &args, sizeof(args)),
	      NPURT_ERROR_INVALID);
	WORKS(npurt_stream_synchronize(s.a));
	for (unsigned int i = 0; i < 20; i++)
		refused += refused_with_another(f, graph);
	ok(refused == 20, "the same module, loaded again, is another one");
	WORKS(npurt_graph_launch(unconcerned, s.a));
	NEED(npurt_stream_synchronize(s.a));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_exec_destroy(unconcerned));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_destroy(body));
	NEED(npurt_graph_destroy(plain));
	NEED(npurt_stream_destroy(lazy));
	streams_free(&s);
}

static void test_lives(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_memory *gone = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	npurt_graph *body = writes(f, s.m, 0, 4), *graph = new_graph(f, "parent");
	npurt_graph *other = new_graph(f, "other");
	npurt_graph_loop loop = { .size = sizeof(loop) };
	npurt_graph_exec *exec = NULL;
	npurt_graph_node *node;
	char text[256];

	NEED(npurt_graph_add_child(graph, NULL, 0, body, &node));
	GIVES(npurt_graph_add_child(body, NULL, 0, graph, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_add_child(graph, NULL, 0, graph, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_add_empty(other, &node, 1, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_add_write(other, NULL, 0, s.m, 4, 0, 8, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_graph_add_write(other, NULL, 0, s.m, 4096, 0, 8, NULL), NPURT_ERROR_RANGE);
	NEED(npurt_graph_destroy(body));
	exec = instantiate(graph);
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_launch(exec, s.a));
	NEED(npurt_stream_synchronize(s.a));
	ok(s.words[0] == 4, "an executable keeps graphs that were destroyed");
	NEED(npurt_graph_exec_destroy(exec));

	NEED(npurt_graph_add_fill(other, NULL, 0, gone, 0, 0, 8, 8, NULL));
	NEED(npurt_memory_destroy(gone));
	GIVES(npurt_graph_instantiate(other, NULL, &exec), NPURT_ERROR_INVALID);
	NEED(npurt_context_error_message(f->context, text, sizeof(text)));
	ok(strstr(text, "'gone'") != NULL, "memory that was destroyed is named: %s", text);
	NEED(npurt_graph_destroy(other));

	gone = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	body = writes(f, s.m, 0, 4);
	other = new_graph(f, "other");
	loop.memory = gone;
	loop.body = body;
	NEED(npurt_graph_add_loop(other, NULL, 0, &loop, NULL));
	NEED(npurt_memory_destroy(gone));
	GIVES(npurt_graph_instantiate(other, NULL, &exec), NPURT_ERROR_INVALID);
	NEED(npurt_graph_destroy(other));
	NEED(npurt_graph_destroy(body));
	streams_free(&s);
}

/* Operations on nothing, whose addresses are the end of the memory. */
static void test_nothing(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "used to the end");
	npurt_graph *graph = new_graph(f, "nothing");
	npurt_graph_exec *exec = NULL;

	WORKS(npurt_graph_add_copy(graph, NULL, 0, m, 4096, m, 0, 0, NULL));
	WORKS(npurt_graph_add_copy(graph, NULL, 0, m, 0, m, 4096, 0, NULL));
	WORKS(npurt_graph_add_fill(graph, NULL, 0, m, 4096, 0, 8, 0, NULL));
	WORKS(npurt_graph_add_reduce(graph, NULL, 0, m, 4096, m, 4096, 0, NPURT_F32,
				     NPURT_REDUCE_ADD, NULL));
	if (WORKS(npurt_graph_instantiate(graph, NULL, &exec))) {
		NEED(npurt_graph_launch(exec, f->stream));
		WORKS(npurt_stream_synchronize(f->stream));
		NEED(npurt_graph_exec_destroy(exec));
	}
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_memory_destroy(m));
}

/* Text. */

struct text {
	char bytes[8192];
	size_t used;
};

static int keep(const char *bytes, size_t size, void *data)
{
	struct text *text = data;

	if (text->used + size >= sizeof(text->bytes))
		return NPURT_ERROR_RANGE;
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	text->bytes[text->used] = '\0';
	return 0;
}

static int refuse(const char *bytes, size_t size, void *data)
{
	(void)bytes, (void)size, (void)data;
	return 77;
}

/* A fork and a join of streams that are gone by the time of the launches, as are others then. */
static void test_no_stream(struct fixture *f)
{
	struct streams s = streams_new(f), others;
	npurt_graph *graph = NULL;
	npurt_graph_exec *exec;

	NEED(npurt_stream_begin_capture(s.a, 0));
	NEED(npurt_event_record(s.fork, s.a));
	NEED(npurt_stream_wait_event(s.b, s.fork));
	NEED(npurt_fill_async(s.b, s.m, 0, 1, 8, 8));
	NEED(npurt_fill_async(s.a, s.m, 8, 2, 8, 8));
	NEED(npurt_event_record(s.join, s.b));
	NEED(npurt_stream_wait_event(s.a, s.join));
	NEED(npurt_memcpy_async(s.a, s.m, 16, s.m, 0, 16));
	NEED(npurt_stream_end_capture(s.a, &graph));
	NEED(npurt_event_destroy(s.fork));
	NEED(npurt_event_destroy(s.join));
	NEED(npurt_stream_destroy(s.a));
	NEED(npurt_stream_destroy(s.b));
	exec = instantiate(graph);
	NEED(npurt_graph_destroy(graph));
	for (unsigned int i = 0; i < 3; i++) {
		memset((void *)s.words, 0, 32);
		others = streams_new(f);
		NEED(npurt_graph_launch(exec, others.b));
		WORKS(npurt_stream_synchronize(others.b));
		ok(s.words[2] == 1 && s.words[3] == 2, "a graph needs none of its streams");
		streams_free(&others);
	}
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_memory_destroy(s.m));
}

/* A launch that waits for one on another stream goes on when that stream is destroyed. */
static void test_destroyed(struct fixture *f)
{
	struct gate g = gate_make(f->context);
	npurt_stream *first, *second;

	NEED(npurt_stream_create(f->context, NULL, &first));
	NEED(npurt_stream_create(f->context, NULL, &second));
	NEED(npurt_graph_launch(g.exec, first));
	NEED(npurt_graph_launch(g.exec, second));
	NEED(npurt_stream_flush(second));
	NEED(npurt_stream_destroy(first));
	gate_open(&g, true);
	WORKS(npurt_stream_synchronize(second));
	NEED(npurt_stream_destroy(second));
	gate_free(&g);
}

static void test_export(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *graph = new_graph(f, "a \"graph\""), *body = writes(f, s.m, 0, 4);
	const npurt_graph_conditional c = { .size = sizeof(c), .memory = s.m, .body = body };
	struct text dot = { .used = 0 }, json = { .used = 0 };
	npurt_graph_node *node;

	NEED(npurt_graph_add_fill(graph, NULL, 0, s.m, 0, 0, 8, 8, &node));
	NEED(npurt_graph_add_conditional(graph, &node, 1, &c, NULL));
	NEED(npurt_graph_write_dot(graph, keep, &dot));
	ok(strstr(dot.bytes, "n0_0 -> n0_1;") && strstr(dot.bytes, "fill\\nwords") &&
		   strstr(dot.bytes, "subgraph"),
	   "DOT has nodes, edges and bodies");
	NEED(npurt_graph_write_json(graph, keep, &json));
	ok(strstr(json.bytes, "\"label\":\"a \\\"graph\\\"\"") &&
		   strstr(json.bytes, "\"kind\":\"conditional\"") &&
		   strstr(json.bytes, "\"dependencies\":[0]") && strstr(json.bytes, "\"body\":{"),
	   "JSON, too");
	ok(npurt_graph_write_json(graph, refuse, NULL) == 77, "who is written to can end it");
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_destroy(body));
	streams_free(&s);
}

/* A faulting node is named. */
static void test_fault(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_memory *gone = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	npurt_graph *graph = new_graph(f, "faulty");
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_graph_exec *exec;

	NEED(npurt_graph_add_fill(graph, NULL, 0, gone, 0, 0, 8, 8, NULL));
	exec = instantiate(graph);
	NEED(npurt_memory_destroy(gone));
	NEED(npurt_graph_launch(exec, s.a));
	GIVES(npurt_stream_synchronize(s.a), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(s.a, &fault));
	ok(fault.command == NPURT_COMMAND_FILL && strcmp(fault.label, "gone") == 0 &&
		   strstr(fault.message, "graph 'faulty'"),
	   "a fault names node and graph: %s", fault.message);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	streams_free(&s);
}

#ifdef FAKE_KMD
#include <drm.h>
#include <npu_accel.h>

static void test_calls(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *graph = new_graph(f, "calls"), *body = writes(f, s.m, 1024, 1);
	const npurt_graph_conditional c = { .size = sizeof(c), .memory = s.m, .body = body };
	const npurt_graph_loop loop = { .size = sizeof(loop), .rounds = 3, .body = body };
	npurt_graph_node *node;
	npurt_graph_exec *exec;
	unsigned int before, all;

	/* Also what the device decides, and two branches that meet again. */
	for (unsigned int i = 0; i < 500; i++)
		NEED(npurt_graph_add_write(graph, NULL, 0, s.m, i % 64 * 8, i, 8, NULL));
	NEED(npurt_graph_add_conditional(graph, NULL, 0, &c, &node));
	NEED(npurt_graph_add_loop(graph, &node, 1, &loop, NULL));
	NEED(npurt_graph_add_copy(graph, &node, 1, s.m, 2048, s.m, 0, 8, NULL));
	exec = instantiate(graph);
	NEED(npurt_graph_launch(exec, s.a));
	NEED(npurt_stream_synchronize(s.a));
	before = fake_calls(DRM_IOCTL_NPU_SUBMIT);
	all = fake_all_calls();
	NEED(npurt_graph_launch(exec, s.a));
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) == before + 1 && fake_all_calls() == all + 1,
	   "a launch is one call of the kernel");
	NEED(npurt_stream_synchronize(s.a));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_destroy(body));
	streams_free(&s);
}

/* Launches gather as commands do, between them, each with what it was told before. */
static void test_batched(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_stream *lazy = rt_lazy_stream(f->context);
	npurt_graph *graph = new_graph(f, "step");
	const uint64_t *words = mapped(s.m);
	npurt_graph_node *node;
	npurt_graph_exec *exec;
	unsigned int before, wrong = 0;

	NEED(npurt_graph_add_write(graph, NULL, 0, s.m, 0, 0, 8, &node));
	exec = instantiate(graph);
	before = fake_calls(DRM_IOCTL_NPU_SUBMIT);
	for (unsigned int i = 1; i <= MANY; i++) {
		if (i % 3)
			NEED(npurt_graph_exec_update_write(exec, node, i));
		NEED(npurt_graph_launch(exec, lazy));
		if (i % 2)
			NEED(npurt_memcpy_async(lazy, s.m, i * 8, s.m, 0, 8));
	}
	ok(fake_calls(DRM_IOCTL_NPU_SUBMIT) - before < MANY / 10,
	   "%u launches take %u calls of the kernel", MANY,
	   fake_calls(DRM_IOCTL_NPU_SUBMIT) - before);
	/* On another stream it comes behind them. */
	NEED(npurt_graph_exec_update_write(exec, node, 7));
	NEED(npurt_graph_launch(exec, s.a));
	NEED(npurt_stream_synchronize(s.a));
	ok(words[0] == 7, "one on another stream sends them off, and is the last");
	for (unsigned int i = 1; i <= MANY; i += 2)
		wrong += words[i] != i - !(i % 3);
	ok(!wrong, "they run in their order, and do what they were given");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_stream_destroy(lazy));
	streams_free(&s);
}

/* As many executables as one likes, and no queue more than there are streams. */
static void test_queues(struct fixture *f)
{
	struct streams s = streams_new(f);
	npurt_graph *graph = writes(f, s.m, 0, 5);
	npurt_graph_exec *execs[200];
	const unsigned int before = fake_calls(DRM_IOCTL_NPU_QUEUE_CREATE);

	for (unsigned int i = 0; i < COUNT(execs); i++) {
		execs[i] = instantiate(graph);
		NEED(npurt_graph_launch(execs[i], i % 2 ? s.a : s.b));
	}
	NEED(npurt_stream_synchronize(s.a));
	NEED(npurt_stream_synchronize(s.b));
	for (unsigned int i = 0; i < COUNT(execs); i++)
		NEED(npurt_graph_exec_destroy(execs[i]));
	ok(fake_calls(DRM_IOCTL_NPU_QUEUE_CREATE) == before, "%zu executables hold no queue",
	   COUNT(execs));
	NEED(npurt_graph_destroy(graph));
	streams_free(&s);
}
#endif

int main(void)
{
	struct fixture f = fixture_open();

	for (uint64_t seed = 1; seed <= 20; seed++)
		test_random(&f, seed);
	test_capture(&f);
	test_capture_errors(&f);
	test_condition(&f);
	test_loops(&f);
	test_in_flight(&f);
	test_unload(&f);
	test_lives(&f);
	test_nothing(&f);
	test_no_stream(&f);
	test_destroyed(&f);
	test_export(&f);
	test_fault(&f);
#ifdef FAKE_KMD
	test_calls(&f);
	test_batched(&f);
	test_queues(&f);
#endif
	fixture_close(&f);
	return rt_done();
}

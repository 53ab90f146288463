// SPDX-License-Identifier: MIT
/* What kernels print and assert, as the application gets it. */
#include "rt_test.h"

#include "modules/print_kernels.h"

#define MODULE_FILE MODULES "/print_kernels.elf"
#define BLOCKS 40

struct heard {
	npurt_print last;
	unsigned int count, wrong;
	uint64_t seen; /* blocks */
	uint64_t lost; /* records */
};

static npurt_module *module;

static npurt_kernel *kernel(const char *name)
{
	npurt_kernel *k = NULL;

	NEED(npurt_module_get_kernel(module, name, &k));
	return k;
}

static void listen(const npurt_print *print, void *data)
{
	struct heard *heard = data;
	char want[512];
	unsigned long long lost;

	snprintf(want, sizeof(want), "x is 1.5, 0.25, -7, 0x123456789a, %s",
		 print->block & 1 ? "odd" : "even");
	if (!print->kernel[0] && sscanf(print->text, "%llu records were lost", &lost) == 1)
		heard->lost += lost;
	heard->last = *print;
	heard->wrong += strcmp(print->text, want) != 0;
	heard->seen |= 1ULL << (print->block & 63);
	heard->count++;
}

static const struct talk_args words = { 1.5, 0.25f, -7, 0x123456789a };

static void test_text(struct fixture *f)
{
	struct heard heard = { 0 };
	uint64_t now;

	WORKS(npurt_context_set_print(f->context, listen, &heard));
	NEED(npurt_launch(f->stream, kernel("talk"), BLOCKS, &words, sizeof(words), NULL));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(heard.count == BLOCKS && heard.seen == (1ULL << BLOCKS) - 1 && !heard.wrong,
	   "each of %u blocks is heard once, with its values: %u, the last '%s'", BLOCKS,
	   heard.count, heard.last.text);
	ok(!strcmp(heard.last.kernel, "talk") && !strcmp(heard.last.module, "print_kernels.elf") &&
		   !strcmp(heard.last.file, "print_kernels.c") && heard.last.line == 13,
	   "kernel, module and line are told: %s, %s, %s:%u", heard.last.kernel, heard.last.module,
	   heard.last.file, heard.last.line);
	NEED(npurt_device_get_time(f->device, &now, NULL));
	ok(heard.last.time_ns && heard.last.time_ns < now, "and the device's time");
	WORKS(npurt_stream_synchronize(f->stream));
	ok(heard.count == BLOCKS, "it is told once");
}

/* Launches are told apart by their labels, of which a module has so many. */
static void test_labels(struct fixture *f)
{
	npurt_launch_attr attr = { .size = sizeof(attr) };
	struct heard heard = { 0 };
	unsigned int right = 0;
	char label[NPURT_LABEL_SIZE];

	NEED(npurt_context_set_print(f->context, listen, &heard));
	attr.label = label;
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(label, sizeof(label), "layer %u", i);
		NEED(npurt_launch(f->stream, kernel("talk"), 1, &words, sizeof(words), &attr));
		NEED(npurt_stream_synchronize(f->stream));
		right += !strcmp(heard.last.label, label) && !strcmp(heard.last.kernel, "talk");
	}
	ok(heard.count == 300 && right == 256, "labels of launches: %u of 256", right);
	snprintf(label, sizeof(label), "layer 7");
	NEED(npurt_launch(f->stream, kernel("talk"), 1, &words, sizeof(words), &attr));
	NEED(npurt_stream_synchronize(f->stream));
	ok(!strcmp(heard.last.label, "layer 7"), "a label that is known is found again");
}

/* It passes the end of the ring several times. */
static void test_ring(struct fixture *f)
{
	const struct many_args args = { 500 };
	struct heard heard = { 0 };

	NEED(npurt_context_set_print(f->context, listen, &heard));
	for (unsigned int i = 0; i < 20; i++) {
		NEED(npurt_launch(f->stream, kernel("many"), 2, &args, sizeof(args), NULL));
		NEED(npurt_stream_synchronize(f->stream));
	}
	ok(heard.count == 20000 && !heard.lost &&
		   !strcmp(heard.last.text, "499 500 501 502 503 504 505 506 507 508 509 510"),
	   "20000 records of twelve values: %u, the last '%s'", heard.count, heard.last.text);
}

static void test_full(struct fixture *f)
{
	const struct many_args args = { 3000 };
	struct heard heard = { 0 };

	NEED(npurt_context_set_print(f->context, listen, &heard));
	NEED(npurt_launch(f->stream, kernel("many"), 8, &args, sizeof(args), NULL));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(heard.lost && heard.count - 1 + heard.lost == 8 * 3000,
	   "what found the log full is counted: %u and %llu of 24000", heard.count - 1,
	   (unsigned long long)heard.lost);
	heard = (struct heard){ 0 };
	NEED(npurt_launch(f->stream, kernel("talk"), 1, &words, sizeof(words), NULL));
	NEED(npurt_stream_synchronize(f->stream));
	ok(heard.count == 1 && !heard.wrong, "there is room again");
}

static void test_assert(struct fixture *f)
{
	struct limit_args args = { 7 };
	npurt_fault fault = { .size = sizeof(fault) };
	struct heard heard = { 0 };
	npurt_stream *stream;

	NEED(npurt_context_set_print(f->context, listen, &heard));
	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_launch(stream, kernel("limit"), 1, &args, sizeof(args), NULL));
	WORKS(npurt_stream_synchronize(stream));
	args.n = 8;
	NEED(npurt_launch(stream, kernel("limit"), 1, &args, sizeof(args), NULL));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(strstr(fault.message, "kernel 'limit'") &&
		   strstr(fault.message, ": print_kernels.c:27: assertion 'args->n < 8' failed, "),
	   "a failed assertion is told: %s", fault.message);
	ok(heard.count == 2 && !strcmp(heard.last.text, "n is 8"),
	   "what was printed before comes with it");
	NEED(npurt_stream_destroy(stream));
}

static void test_graph(struct fixture *f)
{
	struct heard heard = { 0 };
	npurt_graph_exec *exec;
	npurt_graph *graph;

	NEED(npurt_context_set_print(f->context, listen, &heard));
	NEED(npurt_stream_begin_capture(f->stream, 0));
	NEED(npurt_launch(f->stream, kernel("talk"), 3, &words, sizeof(words), NULL));
	NEED(npurt_stream_end_capture(f->stream, &graph));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, f->stream));
	NEED(npurt_graph_launch(exec, f->stream));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(heard.count == 6 && !heard.wrong && !heard.last.label[0],
	   "kernels of a graph are heard: %u", heard.count);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
}

/* Destroying a stream, or the module, tells what was left. */
static void test_end(struct fixture *f)
{
	struct heard heard = { 0 };
	npurt_event *event;

	NEED(npurt_context_set_print(f->context, listen, &heard));
	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_launch(f->stream, kernel("talk"), 2, &words, sizeof(words), NULL));
	NEED(npurt_event_record(event, f->stream));
	WORKS(npurt_event_wait(event, NPURT_INFINITE));
	ok(heard.count == 2 && !heard.wrong, "who waits for an event hears, too");
	NEED(npurt_event_destroy(event));
	WORKS(npurt_module_unload(module));
	WORKS(npurt_context_set_print(f->context, NULL, NULL));
}

int main(void)
{
	struct fixture f = fixture_open();

	NEED(npurt_module_load_file(f.context, MODULE_FILE, &module));
	test_text(&f);
	test_labels(&f);
	test_ring(&f);
	test_full(&f);
	test_graph(&f);
	test_assert(&f);
	test_end(&f);
	fixture_close(&f);
	return rt_done();
}

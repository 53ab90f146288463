// SPDX-License-Identifier: MIT
/*
 * What NPURT_VALIDATE finds of memory that kernels, graphs and collectives use, and of handles
 * whose objects are gone; and what is right.
 */
#define PROGRAM "test_validate_use"
#include "rt_findings.h"

#include "modules/rt_kernels.h"
#include "rt_gate.h"

#define MODULE_FILE MODULES "/rt_kernels.elf"
#define BYTES 4096

#define MADE "made by npurt_memory_create at " PROGRAM "+0x"

static npurt_kernel *load(npurt_context *context, npurt_module **module)
{
	npurt_kernel *kernel = NULL;

	NEED(npurt_module_load_file(context, MODULE_FILE, module));
	NEED(npurt_module_get_kernel(*module, "stamp", &kernel));
	return kernel;
}

static struct stamp_args args_of(npurt_memory *m)
{
	return (struct stamp_args){ .words = npurt_memory_address(m) };
}

static int stamp(npurt_stream *stream, npurt_kernel *kernel, npurt_memory *m)
{
	const npurt_launch_attr attr = { .size = sizeof(attr), .file = "train.c", .line = 12 };
	const struct stamp_args args = args_of(m);

	return npurt_launch(stream, kernel, 1, &args, sizeof(args), &attr);
}

static void test_kernel(struct fixture *f)
{
	npurt_stream *a = rt_lazy_stream(f->context), *b = rt_lazy_stream(f->context);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, BYTES, "weights");
	npurt_module *module;
	npurt_kernel *kernel = load(f->context, &module);
	const struct stamp_args args = args_of(m);

	NEED(stamp(a, kernel, m));
	REFUSED(npurt_memory_destroy(m), "it would take away what npurt_launch at train.c:12",
		"kernel 'stamp' writes by its argument 'words', 0 bytes into 'weights'", MADE);
	REFUSED(npurt_fill_async(b, m, 0, 1, 8, BYTES),
		"not in order with its own, it writes what npurt_launch at train.c:12", MADE);
	/* Which part the kernel writes is not known; it may be another one's. */
	WORKS(npurt_fill_async(b, m, 0, 1, 8, BYTES / 2));
	WORKS(stamp(b, kernel, m));
	NEED(npurt_stream_synchronize(a));
	NEED(npurt_stream_synchronize(b));
	NEED(npurt_fill_async(b, m, 0, 1, 8, BYTES));
	REFUSED(npurt_launch(a, kernel, 1, &args, sizeof(args), NULL),
		"not in order with its own, kernel 'stamp' writes what npurt_fill_async at " PROGRAM);
	NEED(npurt_stream_synchronize(b));
	WORKS(stamp(a, kernel, m));
	NEED(npurt_stream_synchronize(a));
	WORKS(npurt_memory_destroy(m));
	NEED(npurt_module_unload(module));
	NEED(npurt_stream_destroy(a));
	NEED(npurt_stream_destroy(b));
}

static void test_arguments(struct fixture *f)
{
	const npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_READONLY,
					 .label = "table" };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, BYTES, "weights"), *table = NULL;
	npurt_stream *stream = rt_lazy_stream(f->context);
	npurt_module *module;
	npurt_kernel *kernel = load(f->context, &module);
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph = NULL;
	struct stamp_args args = { .words = npurt_memory_address(m) + BYTES + 1 };

	NEED(npurt_memory_create(f->context, BYTES, &attr, &table));
	REFUSED(npurt_launch(f->stream, kernel, 1, &args, sizeof(args), NULL),
		"argument 'words' of kernel 'stamp' is 0x", "in no memory of the context",
		"1 bytes past the end of 'weights'");
	NEED(npurt_graph_create(f->context, NULL, &graph));
	NEED(npurt_graph_add_kernel(graph, NULL, 0, kernel, 1, &args, sizeof(args), NULL, NULL));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	REFUSED(npurt_graph_launch(exec, f->stream), "argument 'words' of node 0 'stamp'",
		"in no memory of the context");
	args.words = npurt_memory_address(table);
	REFUSED(npurt_launch(f->stream, kernel, 1, &args, sizeof(args), NULL),
		"which the kernel writes, and the device may only read", "0 bytes into 'table'",
		MADE);
	args.words = npurt_memory_address(m);
	args.pad = 1;
	REFUSED(npurt_launch(f->stream, kernel, 1, &args, sizeof(args), NULL),
		"argument 'pad' of kernel 'stamp' is reserved, and not zero");
	args.pad = 0;
	WORKS(npurt_launch(stream, kernel, 1, &args, sizeof(args), NULL));
	/* A kernel may have nothing to do there. */
	args.words = 0;
	WORKS(npurt_launch(stream, kernel, 1, &args, sizeof(args), NULL));
	args.words = npurt_memory_address(m) + BYTES;
	WORKS(npurt_launch(stream, kernel, 1, &args, sizeof(args), NULL));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_memory_destroy(table));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_module_unload(module));
}

static void test_kernel_host(struct fixture *f)
{
	static uint8_t host[BYTES] __attribute__((aligned(4096)));
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "of the process" };
	npurt_memory *other = memory(f->context, NPURT_PLACE_HBM, BYTES, "other"), *r = NULL;
	npurt_stream *a = rt_lazy_stream(f->context);
	npurt_module *module;
	npurt_kernel *kernel = load(f->context, &module);

	NEED(npurt_memory_register(f->context, host, sizeof(host), &attr, &r));
	NEED(stamp(a, kernel, r));
	REFUSED(npurt_upload(f->stream, other, 0, host, BYTES),
		"the CPU would read what npurt_launch at train.c:12", "kernel 'stamp'",
		"into 'of the process'", "made by npurt_memory_register at " PROGRAM);
	REFUSED(npurt_download(f->stream, host, other, 0, BYTES),
		"the CPU would change what npurt_launch at train.c:12");
	WORKS(npurt_upload(f->stream, other, 0, host, BYTES / 2));
	NEED(npurt_stream_synchronize(a));
	WORKS(npurt_upload(f->stream, other, 0, host, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(r));
	NEED(npurt_memory_destroy(other));
	NEED(npurt_module_unload(module));
	NEED(npurt_stream_destroy(a));
}

/* Waits for the gate, fills the first and stamps the second memory. */
static npurt_graph *build(struct fixture *f, struct gate *gate, npurt_kernel *kernel,
			  npurt_memory *filled, npurt_memory *stamped)
{
	const struct stamp_args args = args_of(stamped);
	npurt_graph_node *node = NULL;
	npurt_graph *graph = NULL;

	NEED(npurt_graph_create(f->context, NULL, &graph));
	NEED(npurt_graph_add_wait(graph, NULL, 0, gate->memory, 0, 1, NPURT_CONDITION_GE, 0,
				  &node));
	NEED(npurt_graph_add_fill(graph, &node, 1, filled, 0, 1, 8, BYTES, &node));
	NEED(npurt_graph_add_kernel(graph, &node, 1, kernel, 1, &args, sizeof(args), NULL, NULL));
	return graph;
}

static npurt_graph *capture(struct fixture *f, struct gate *gate, npurt_kernel *kernel,
			    npurt_memory *filled, npurt_memory *stamped)
{
	npurt_graph *graph = NULL;

	NEED(npurt_stream_begin_capture(f->stream, 0));
	NEED(npurt_wait_value_async(f->stream, gate->memory, 0, 1, NPURT_CONDITION_GE, 0));
	NEED(npurt_fill_async(f->stream, filled, 0, 1, 8, BYTES));
	NEED(stamp(f->stream, kernel, stamped));
	NEED(npurt_stream_end_capture(f->stream, &graph));
	return graph;
}

static void try_graph(struct fixture *f, struct gate *gate, npurt_graph *graph,
		      npurt_memory *filled, npurt_memory *stamped, const char *node)
{
	npurt_stream *other = rt_lazy_stream(f->context);
	npurt_graph_exec *exec = NULL;

	gate_open(gate, false);
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, f->stream));
	REFUSED(npurt_memory_destroy(filled), "npurt_graph_launch at " PROGRAM "+0x",
		"node 1 'filled', of " PROGRAM "+0x", "writes 4096 bytes, 0 bytes into 'filled'",
		MADE);
	REFUSED(npurt_memory_destroy(stamped), "node 2", node, "by its argument 'words'", MADE);
	REFUSED(npurt_memory_destroy(gate->memory), "node 0 'gate'", "reads 8 bytes");
	REFUSED(npurt_fill_async(other, filled, 0, 1, 8, 64), "not in order with its own",
		"node 1 'filled'");
	gate_open(gate, true);
	NEED(npurt_stream_synchronize(f->stream));
	WORKS(npurt_fill_async(other, filled, 0, 1, 8, 64));
	REFUSED(npurt_graph_launch(exec, f->stream), "not in order with its own, node 1 'filled'",
		"what npurt_fill_async at " PROGRAM);
	NEED(npurt_stream_synchronize(other));
	WORKS(npurt_graph_launch(exec, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_stream_destroy(other));
}

static void test_graph(struct fixture *f)
{
	npurt_memory *filled = memory(f->context, NPURT_PLACE_HBM, BYTES, "filled");
	npurt_memory *stamped = memory(f->context, NPURT_PLACE_HBM, BYTES, "stamped");
	struct gate gate = gate_make(f->context);
	npurt_module *module;
	npurt_kernel *kernel = load(f->context, &module);

	try_graph(f, &gate, build(f, &gate, kernel, filled, stamped), filled, stamped, "'stamp'");
	try_graph(f, &gate, capture(f, &gate, kernel, filled, stamped), filled, stamped,
		  "of train.c:12");
	NEED(npurt_module_unload(module));
	gate_free(&gate);
	NEED(npurt_memory_destroy(filled));
	NEED(npurt_memory_destroy(stamped));
}

/* An executable that outlives what its nodes refer to. */
static void test_stale_graph(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, BYTES, "first");
	npurt_memory *from = memory(f->context, NPURT_PLACE_HBM, BYTES, "from");
	npurt_graph_exec *exec = NULL;
	npurt_graph_node *node = NULL;
	npurt_graph *graph = NULL;

	NEED(npurt_graph_create(f->context, NULL, &graph));
	NEED(npurt_graph_add_copy(graph, NULL, 0, m, 0, from, 0, BYTES, &node));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	WORKS(npurt_graph_launch(exec, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(m));
	REFUSED(npurt_graph_launch(exec, f->stream), "node 0 'first', of " PROGRAM "+0x",
		"refers to memory 'first', which was destroyed by npurt_memory_destroy at " PROGRAM,
		MADE, "the executable made by npurt_graph_instantiate at " PROGRAM);
	/* Another one in its place is not what was meant, until it is said so. */
	m = memory(f->context, NPURT_PLACE_HBM, BYTES, "second");
	REFUSED(npurt_graph_launch(exec, f->stream), "refers to memory 'first'");
	NEED(npurt_graph_exec_update_copy(exec, node, m, 0, from, 0, BYTES));
	WORKS(npurt_graph_launch(exec, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_graph_exec_destroy(exec));
	REFUSED(npurt_graph_node_get_info(node, NULL),
		"this graph node 'first' was destroyed by npurt_graph_exec_destroy at " PROGRAM);
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(from));
}

static void test_stale_kernel(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, BYTES, "words");
	npurt_graph_exec *exec = NULL;
	npurt_graph *graph = NULL;
	npurt_module *module;
	npurt_kernel *kernel = load(f->context, &module);
	const struct stamp_args args = args_of(m);

	NEED(npurt_graph_create(f->context, NULL, &graph));
	NEED(npurt_graph_add_kernel(graph, NULL, 0, kernel, 1, &args, sizeof(args), NULL, NULL));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_module_unload(module));
	REFUSED(npurt_graph_launch(exec, f->stream),
		"is of kernel 'stamp', which was destroyed by npurt_module_unload at " PROGRAM);
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_memory_destroy(m));
}

/* A rank's part of a collective is in flight until the other rank has called it, too. */
static void test_collective(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, BYTES, "gradients");
	npurt_stream *other = rt_lazy_stream(f->context), *far = NULL;
	npurt_context *contexts[2] = { f->context, NULL };
	npurt_communicator *comms[2] = { NULL, NULL };
	npurt_memory *theirs;

	NEED(npurt_context_create(f->device, NULL, &contexts[1]));
	NEED(npurt_stream_create(contexts[1], NULL, &far));
	theirs = memory(contexts[1], NPURT_PLACE_HBM, BYTES, "theirs");
	NEED(npurt_communicator_create(contexts, 2, NULL, comms));
	NEED(npurt_fill_async(other, m, 0, 1, 8, 64));
	REFUSED(npurt_broadcast_async(comms[0], f->stream, m, 0, m, 0, BYTES, 0),
		"not in order with its own", "what npurt_fill_async at " PROGRAM);
	NEED(npurt_stream_synchronize(other));
	WORKS(npurt_broadcast_async(comms[0], f->stream, m, 0, m, 0, BYTES, 1));
	REFUSED(npurt_memory_destroy(m), "it would take away what npurt_broadcast_async at " PROGRAM,
		"it writes 4096 bytes, 0 bytes into 'gradients'", MADE);
	REFUSED(npurt_fill_async(other, m, 0, 1, 8, 64), "what npurt_broadcast_async at " PROGRAM);
	/* A rank's operations follow each other. */
	WORKS(npurt_broadcast_async(comms[0], other, m, 0, m, 0, BYTES, 1));
	WORKS(npurt_broadcast_async(comms[1], far, theirs, 0, theirs, 0, BYTES, 1));
	WORKS(npurt_broadcast_async(comms[1], far, theirs, 0, theirs, 0, BYTES, 1));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_stream_synchronize(other));
	NEED(npurt_stream_synchronize(far));
	WORKS(npurt_memory_destroy(m));
	NEED(npurt_communicator_destroy(comms[0]));
	NEED(npurt_communicator_destroy(comms[1]));
	NEED(npurt_memory_destroy(theirs));
	NEED(npurt_stream_destroy(far));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_context_destroy(contexts[1]));
}

/* Memory of a pool that another stream uses when it is freed. */
static void test_pool(struct fixture *f)
{
	npurt_stream *a = rt_lazy_stream(f->context), *b = rt_lazy_stream(f->context);
	npurt_event *event = new_event(f->context);
	npurt_pool *pool = NULL;
	npurt_memory *m = NULL;

	NEED(npurt_pool_create(f->context, NULL, &pool));
	NEED(npurt_pool_alloc_async(pool, a, BYTES, NULL, &m));
	NEED(npurt_fill_async(a, m, 0, 1, 8, BYTES));
	NEED(npurt_event_record(event, a));
	NEED(npurt_stream_wait_event(b, event));
	NEED(npurt_fill_async(b, m, 0, 2, 8, BYTES));
	REFUSED(npurt_memory_free_async(m, a),
		"not in order with its stream, it would take away what npurt_fill_async at "
		PROGRAM, "made by npurt_pool_alloc_async at " PROGRAM);
	NEED(npurt_event_record(event, b));
	NEED(npurt_stream_wait_event(a, event));
	WORKS(npurt_memory_free_async(m, a));
	NEED(npurt_stream_synchronize(a));
	NEED(npurt_pool_destroy(pool));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(a));
	NEED(npurt_stream_destroy(b));
}

/* A wait for a value comes after what its writer does, even if it is told to first. */
static void test_values(struct fixture *f)
{
	npurt_stream *a = rt_lazy_stream(f->context), *b = rt_lazy_stream(f->context);
	npurt_stream *c = rt_lazy_stream(f->context);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, BYTES, "words");
	npurt_memory *to = memory(f->context, NPURT_PLACE_HOST, 2 * BYTES, "copies");
	npurt_memory *flag = memory(f->context, NPURT_PLACE_HOST, BYTES, "flag");
	npurt_event *event = new_event(f->context);

	NEED(npurt_wait_value_async(b, flag, 0, 1, NPURT_CONDITION_GE, 0));
	NEED(npurt_event_record(event, b));
	NEED(npurt_stream_wait_event(c, event));
	NEED(npurt_fill_async(a, m, 0, 1, 8, BYTES));
	NEED(npurt_write_value_async(a, flag, 0, 1, 8));
	WORKS(npurt_memcpy_async(b, to, 0, m, 0, BYTES));
	WORKS(npurt_memcpy_async(c, to, BYTES, m, 0, BYTES));
	REFUSED(npurt_memory_destroy(flag), "it reads 8 bytes, 0 bytes into 'flag'");
	NEED(npurt_stream_flush(a));
	NEED(npurt_stream_synchronize(c));
	NEED(npurt_stream_synchronize(b));
	NEED(npurt_stream_synchronize(a));
	/* That was that: from now on its order is its own again. */
	NEED(npurt_fill_async(b, m, 0, 1, 8, 8));
	NEED(npurt_stream_synchronize(b));
	NEED(npurt_fill_async(a, m, 0, 1, 8, 8));
	REFUSED(npurt_fill_async(b, m, 0, 1, 8, 8), "not in order with its own");
	NEED(npurt_stream_synchronize(a));
	NEED(npurt_event_destroy(event));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(to));
	NEED(npurt_memory_destroy(flag));
	NEED(npurt_stream_destroy(a));
	NEED(npurt_stream_destroy(b));
	NEED(npurt_stream_destroy(c));
}

/* Handles that are used after their objects, though as many of their kind came later. */
static void test_address(struct fixture *f)
{
	npurt_event *old[64], *new[64];
	unsigned int same = 0;

	for (size_t i = 0; i < COUNT(old); i++)
		old[i] = new_event(f->context);
	for (size_t i = 0; i < COUNT(old); i++)
		NEED(npurt_event_destroy(old[i]));
	for (size_t i = 0; i < COUNT(new); i++) {
		new[i] = new_event(f->context);
		for (size_t j = 0; j < COUNT(old); j++)
			same += new[i] == old[j];
	}
	ok(!same, "no new event has the address of one that is gone");
	REFUSED(npurt_event_record(old[COUNT(old) - 1], f->stream),
		"this event was destroyed by npurt_event_destroy at " PROGRAM);
	for (size_t i = 0; i < COUNT(new); i++)
		NEED(npurt_event_destroy(new[i]));
}

int main(void)
{
	static void (*const tests[])(struct fixture *f) = {
		test_kernel, test_arguments, test_kernel_host, test_graph, test_stale_graph,
		test_stale_kernel, test_collective, test_pool, test_values, test_address,
	};
	struct fixture f = findings_open();

	for (size_t i = 0; i < COUNT(tests); i++) {
		num_texts = 0;
		tests[i](&f);
	}
	fixture_close(&f);
	return rt_done();
}

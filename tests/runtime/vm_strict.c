// SPDX-License-Identifier: MIT
/* Strict mode: what is found is told with lines, pipes and buffers; what is right runs. */
#include <npu/npu_regs.h>
#include <npu/npu_tile.h>

#include "modules/rt_strict.h"
#include "rt_test.h"

#define BLOCKS 4
#define SOURCE MODULES "/../../../../tests/runtime/modules/rt_strict.c"

struct rig {
	npurt_device *device;
	npurt_context *context;
	npurt_module *module;
	npurt_kernel *kernel;
	npurt_memory *in, *out;
};

static struct rig make_rig(uint32_t flags)
{
	npurt_context_attr attr = { .size = sizeof(attr), .flags = flags };
	struct rig r;

	NEED(npurt_device_open(0, NULL, &r.device));
	NEED(npurt_context_create(r.device, &attr, &r.context));
	NEED(npurt_module_load_file(r.context, MODULES "/rt_strict.elf", &r.module));
	NEED(npurt_module_get_kernel(r.module, "strict", &r.kernel));
	NEED(npurt_memory_create(r.context, 4096, NULL, &r.in));
	NEED(npurt_memory_create(r.context, 4096, NULL, &r.out));
	return r;
}

static void free_rig(struct rig *r)
{
	NEED(npurt_memory_destroy(r->out));
	NEED(npurt_memory_destroy(r->in));
	NEED(npurt_module_unload(r->module));
	NEED(npurt_context_destroy(r->context));
	NEED(npurt_device_close(r->device));
}

static void write_input(struct rig *r)
{
	void *map;

	NEED(npurt_memory_map(r->in, &map));
	memset(map, 1, 4096);
}

static const npurt_launch_attr strict_launch = {
	.size = sizeof(strict_launch), .flags = NPURT_LAUNCH_STRICT,
};

static int launch_with(struct rig *r, npurt_stream *stream, uint32_t what,
		       const npurt_launch_attr *attr)
{
	const struct strict_args args = { .in = npurt_memory_address(r->in),
					  .out = npurt_memory_address(r->out), .what = what };

	return npurt_launch(stream, r->kernel, BLOCKS, &args, sizeof(args), attr);
}

static int launch(struct rig *r, npurt_stream *stream, uint32_t what)
{
	return launch_with(r, stream, what, NULL);
}

/* "rt_strict.c:27", for the line with the comment @mark. */
static const char *line_of(const char *mark)
{
	static char texts[4][32];
	static unsigned int next;
	char *text = texts[next++ % 4], line[256], comment[32];
	FILE *file = fopen(SOURCE, "r");
	unsigned int n = 0;

	text[0] = '\0';
	snprintf(comment, sizeof(comment), "/* %s */", mark);
	while (file && fgets(line, sizeof(line), file)) {
		n++;
		if (strstr(line, comment))
			snprintf(text, sizeof(texts[0]), "rt_strict.c:%u", n);
	}
	if (file)
		fclose(file);
	return text[0] ? text : "no such line";
}

static bool says(const npurt_fault *fault, const char *text)
{
	if (strstr(fault->message, text))
		return true;
	printf("# '%s' is not in: %s\n", text, fault->message);
	return false;
}

static npurt_fault fail(struct rig *r, uint32_t what)
{
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_stream *stream;

	NEED(npurt_stream_create(r->context, NULL, &stream));
	NEED(launch(r, stream, what));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	printf("# %s\n", fault.message);
	NEED(npurt_stream_destroy(stream));
	return fault;
}

static void test_uninit(struct rig *r)
{
	npurt_fault fault = fail(r, STRICT_NONE);
	uint64_t *words;
	char text[64];

	snprintf(text, sizeof(text), "MTE2 reads 0x%llx (8 bytes), which nobody has written",
		 (unsigned long long)npurt_memory_address(r->in));
	ok(fault.status == NPU_ST_STRICT_UNINIT && fault.pipe == NPU_PIPE_MTE2 &&
		   !fault.buffer[0] && fault.address == npurt_memory_address(r->in) && says(&fault, text) &&
		   says(&fault, line_of("load")),
	   "memory that nobody has written");
	NEED(npurt_memory_map(r->in, (void **)&words));
	ok(words[0] && words[0] == words[511], "it holds the canary");
}

static void test_findings(struct rig *r)
{
	npurt_fault fault = fail(r, STRICT_FLAG);
	char text[160];

	snprintf(text, sizeof(text),
		 "V reads UB+0x0 (64 bytes), which MTE2 wrote at %s, without a flag from MTE2 to V",
		 line_of("load"));
	ok(fault.status == NPU_ST_STRICT_FLAG && says(&fault, text) &&
		   says(&fault, line_of("use")) && says(&fault, "kernel 'strict'") && says(&fault, "block "),
	   "a flag too few");
	ok(fault.pipe == NPU_PIPE_V && fault.other_pipe == NPU_PIPE_MTE2 &&
		   fault.other_access == NPU_ACCESS_WRITE && fault.bytes == 64 && fault.other_pc &&
		   strcmp(fault.buffer, "UB") == 0 &&
		   strcmp(fault.other_source, line_of("load")) == 0,
	   "and in numbers");

	fault = fail(r, STRICT_LOCAL);
	ok(fault.status == NPU_ST_STRICT_UNINIT && says(&fault, line_of("unwritten")) &&
		   says(&fault, "V reads UB+0x800 (64 bytes), which this block has not written"),
	   "a read of what the block has not written");
	fault = fail(r, STRICT_RANGE);
	ok(fault.status == NPU_ST_LOCAL_RANGE && says(&fault, "V writes UB+0x30000") &&
		   says(&fault, line_of("outside")),
	   "an operand that leaves its buffer");
	fault = fail(r, STRICT_LEFT);
	ok(fault.status == NPU_ST_STRICT_FLAG && says(&fault, line_of("left")) &&
		   says(&fault, "flag 5 from V to M is left set at the end"),
	   "a flag that nobody waits for");
	fault = fail(r, STRICT_OVERLAP);
	snprintf(text, sizeof(text), "which block %u wrote at %s", fault.other_block,
		 line_of("store"));
	ok(fault.status == NPU_ST_STRICT_OVERLAP && fault.block != fault.other_block &&
		   says(&fault, "MTE3 writes 0x") && says(&fault, text),
	   "blocks that write the same memory");
}

static void test_clean(struct rig *r)
{
	npurt_stream *stream;
	uint32_t *words;

	NEED(npurt_stream_create(r->context, NULL, &stream));
	for (unsigned int i = 0; i < 3000; i++)
		NEED(launch(r, stream, STRICT_NONE));
	WORKS(npurt_stream_synchronize(stream));
	NEED(npurt_memory_map(r->out, (void **)&words));
	ok(words[0] == 0x01010101 && words[BLOCKS * 16 - 1] == 0x01010101, "what is right runs");
	NEED(npurt_stream_destroy(stream));
}

static void test_graph(struct rig *r)
{
	const struct strict_args args = { .in = npurt_memory_address(r->in),
					  .out = npurt_memory_address(r->out),
					  .what = STRICT_FLAG };
	struct strict_args right = args;
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_graph_exec *exec;
	npurt_graph_node *node;
	npurt_stream *stream;
	npurt_graph *graph;

	right.what = STRICT_NONE;
	NEED(npurt_stream_create(r->context, NULL, &stream));
	NEED(npurt_graph_create(r->context, NULL, &graph));
	NEED(npurt_graph_add_kernel(graph, NULL, 0, r->kernel, BLOCKS, &right, sizeof(right), NULL,
				    &node));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	for (unsigned int i = 0; i < 20; i++)
		NEED(npurt_graph_launch(exec, stream));
	NEED(npurt_graph_exec_update_kernel(exec, node, BLOCKS, &args, sizeof(args)));
	NEED(npurt_graph_launch(exec, stream));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	printf("# %s\n", fault.message);
	ok(fault.status == NPU_ST_STRICT_FLAG && fault.pipe == NPU_PIPE_V &&
		   says(&fault, "V reads UB+0x0 (64 bytes), which MTE2 wrote at"),
	   "launches of a graph");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_stream_destroy(stream));
}

/* A block that is used again is new to who gets it. */
static void test_pool(struct rig *r)
{
	npurt_memory *in = r->in;
	npurt_stream *stream;
	npurt_pool *pool;

	NEED(npurt_stream_create(r->context, NULL, &stream));
	NEED(npurt_pool_create(r->context, NULL, &pool));
	NEED(npurt_pool_alloc_async(pool, stream, 4096, NULL, &r->in));
	NEED(npurt_fill_async(stream, r->in, 0, 7, 4, 4096));
	NEED(launch(r, stream, STRICT_NONE));
	NEED(npurt_memory_free_async(r->in, stream));
	NEED(npurt_pool_alloc_async(pool, stream, 4096, NULL, &r->in));
	WORKS(npurt_stream_synchronize(stream));
	NEED(launch(r, stream, STRICT_NONE));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_memory_destroy(r->in));
	NEED(npurt_pool_destroy(pool));
	NEED(npurt_stream_destroy(stream));
	r->in = in;
}

/* Out of strict mode the same kernels pass for right, and new memory is zero. */
static void test_functional(void)
{
	struct rig r = make_rig(0);
	npurt_stream *stream;
	uint32_t *words;

	NEED(npurt_stream_create(r.context, NULL, &stream));
	for (uint32_t what = STRICT_NONE; what <= STRICT_OVERLAP; what++)
		if (what != STRICT_RANGE)
			NEED(launch(&r, stream, what));
	WORKS(npurt_stream_synchronize(stream));
	NEED(npurt_memory_map(r.in, (void **)&words));
	ok(!words[0], "out of strict mode nothing is found");
	NEED(npurt_stream_destroy(stream));
	free_rig(&r);
}

/* One launch among others of a context that is not in strict mode: its memory has no canary. */
static void test_one_launch(void)
{
	npurt_fault fault = { .size = sizeof(fault) };
	struct rig r = make_rig(0);
	npurt_stream *stream;

	NEED(npurt_stream_create(r.context, NULL, &stream));
	NEED(launch(&r, stream, STRICT_FLAG));
	NEED(launch_with(&r, stream, STRICT_NONE, &strict_launch));
	WORKS(npurt_stream_synchronize(stream));
	NEED(launch_with(&r, stream, STRICT_FLAG, &strict_launch));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_STRICT_FLAG && says(&fault, line_of("use")) &&
		   says(&fault, "V reads UB+0x0 (64 bytes), which MTE2 wrote at"),
	   "one launch asks for it");
	NEED(npurt_stream_destroy(stream));
	free_rig(&r);
}

/* Captured beside a launch that does not ask. */
static void test_one_captured(void)
{
	npurt_fault fault = { .size = sizeof(fault) };
	struct rig r = make_rig(0);
	npurt_graph_exec *exec;
	npurt_stream *stream;
	npurt_graph *graph;

	NEED(npurt_stream_create(r.context, NULL, &stream));
	NEED(npurt_stream_begin_capture(stream, 0));
	NEED(launch(&r, stream, STRICT_FLAG));
	NEED(launch_with(&r, stream, STRICT_LEFT, &strict_launch));
	NEED(npurt_stream_end_capture(stream, &graph));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, stream));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_STRICT_FLAG &&
		   says(&fault, "flag 5 from V to M is left set at the end"),
	   "one launch of a graph asks for it");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	NEED(npurt_stream_destroy(stream));
	free_rig(&r);
}

static void test_environment(void)
{
	struct rig r;
	npurt_fault fault;

	setenv("NPURT_STRICT", "1", 1);
	r = make_rig(0);
	fault = fail(&r, STRICT_NONE);
	ok(fault.status == NPU_ST_STRICT_UNINIT, "NPURT_STRICT=1 asks for it");
	free_rig(&r);
	unsetenv("NPURT_STRICT");
}

int main(void)
{
	struct rig r = make_rig(NPURT_CONTEXT_STRICT);

	test_uninit(&r);
	write_input(&r);
	test_clean(&r);
	test_findings(&r);
	test_graph(&r);
	test_pool(&r);
	free_rig(&r);
	test_functional();
	test_one_launch();
	test_one_captured();
	test_environment();
	return rt_done();
}

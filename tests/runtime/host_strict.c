// SPDX-License-Identifier: MIT
/* Strict mode as the device is asked for it, what it has not looked at, and one that has none. */
#include "internal.h"
#include "rt_test.h"

#include <npu/npu_regs.h>

#define MODULE_FILE MODULES "/rt_kernels.elf"

static const npurt_launch_attr strict_launch = {
	.size = sizeof(strict_launch), .flags = NPURT_LAUNCH_STRICT,
};
static unsigned int refusals, incomplete;

static void count_warnings(enum npurt_log_level level, const char *text, void *data)
{
	(void)data;
	refusals += level == NPURT_LOG_WARNING && strstr(text, "NPURT_STRICT");
	incomplete += level == NPURT_LOG_WARNING &&
		      strstr(text, "more memory than the device can compare");
}

/* In the place of the AI cores: what they have been asked for, and what they tell. */

static struct {
	unsigned int launches, strict;
	uint64_t canary; /* of the last one */
	bool full; /* there is no memory to compare in */
} cores;

static uint32_t run(const struct npu_cmd_kernel *kernel, const void *args)
{
	struct npu_strict *strict;

	cores.launches++;
	if (!kernel->strict)
		return NPU_ST_OK;
	strict = (void *)((uintptr_t)args + (kernel->strict - kernel->args));
	cores.strict++;
	cores.canary = strict->canary;
	if (cores.full)
		strict->flags |= NPU_STRICT_INCOMPLETE;
	return NPU_ST_OK;
}

struct rig {
	struct fixture f;
	npurt_module *module;
	npurt_kernel *kernel;
	npurt_kernel_info info;
};

static struct rig make_rig(const npurt_context_attr *context)
{
	const npurt_device_attr attr = { .size = sizeof(attr), .log = count_warnings,
					 .log_level = NPURT_LOG_WARNING };
	struct rig r = { .info.size = sizeof(r.info) };

	NEED(npurt_device_open(0, &attr, &r.f.device));
	NEED(npurt_context_create(r.f.device, context, &r.f.context));
	NEED(npurt_stream_create(r.f.context, NULL, &r.f.stream));
	NEED(npurt_module_load_file(r.f.context, MODULE_FILE, &r.module));
	NEED(npurt_module_get_kernel(r.module, "stamp", &r.kernel));
	NEED(npurt_kernel_get_info(r.kernel, &r.info));
	memset(&cores, 0, sizeof(cores));
	incomplete = 0;
	return r;
}

static void free_rig(struct rig *r)
{
	NEED(npurt_module_unload(r->module));
	fixture_close(&r->f);
}

static void launch(struct rig *r, const npurt_launch_attr *attr)
{
	static const uint8_t args[NPURT_MAX_ARGS_SIZE];

	NEED(npurt_launch(r->f.stream, r->kernel, 1, args, r->info.args_bytes, attr));
}

static void add_node(struct rig *r, npurt_graph *graph, const npurt_launch_attr *attr)
{
	static const uint8_t args[NPURT_MAX_ARGS_SIZE];

	NEED(npurt_graph_add_kernel(graph, NULL, 0, r->kernel, 1, args, r->info.args_bytes, attr,
				    NULL));
}

static void launch_graph(struct rig *r, npurt_graph *graph)
{
	npurt_graph_exec *exec;

	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, r->f.stream));
	NEED(npurt_stream_synchronize(r->f.stream));
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
}

/* One launch of several. */
static void test_launch(void)
{
	struct rig r = make_rig(NULL);
	npurt_graph *graph;

	launch(&r, NULL);
	launch(&r, &strict_launch);
	launch(&r, NULL);
	NEED(npurt_stream_synchronize(r.f.stream));
	ok(cores.launches == 3 && cores.strict == 1 && !cores.canary,
	   "a launch that asks for it, and no other; memory has no canary");

	NEED(npurt_graph_create(r.f.context, NULL, &graph));
	add_node(&r, graph, NULL);
	add_node(&r, graph, &strict_launch);
	launch_graph(&r, graph);
	ok(cores.launches == 5 && cores.strict == 2, "a node that asks for it");

	NEED(npurt_stream_begin_capture(r.f.stream, 0));
	launch(&r, NULL);
	launch(&r, &strict_launch);
	NEED(npurt_stream_end_capture(r.f.stream, &graph));
	launch_graph(&r, graph);
	ok(cores.launches == 7 && cores.strict == 3, "a launch that is captured");
	ok(!incomplete, "nothing was left out");
	free_rig(&r);
}

static void test_context(void)
{
	const npurt_context_attr attr = { .size = sizeof(attr), .flags = NPURT_CONTEXT_STRICT };
	struct rig r = make_rig(&attr);

	launch(&r, NULL);
	launch(&r, &strict_launch);
	NEED(npurt_stream_synchronize(r.f.stream));
	ok(cores.strict == 2 && cores.canary, "all launches of a context, with its canary");
	free_rig(&r);
}

/* The device tells that it has not compared all; the application is told once. */
static void test_incomplete(bool in_graph)
{
	struct rig r = make_rig(NULL);
	npurt_stream *first = r.f.stream;

	for (unsigned int i = 0; i < 3; i++) {
		npurt_graph *graph;

		cores.full = i > 0;
		NEED(npurt_stream_create(r.f.context, NULL, &r.f.stream));
		if (in_graph) {
			NEED(npurt_graph_create(r.f.context, NULL, &graph));
			add_node(&r, graph, &strict_launch);
			launch_graph(&r, graph);
		} else {
			launch(&r, &strict_launch);
			NEED(npurt_stream_synchronize(r.f.stream));
		}
		NEED(npurt_stream_destroy(r.f.stream));
		ok(incomplete == (i > 0), "%s %u: %s", in_graph ? "graph" : "launch", i,
		   i ? "one warning that not all was compared" : "all was compared");
	}
	r.f.stream = first;
	free_rig(&r);
}

/* An executable that stays is looked at when it is launched again. */
static void test_relaunch(void)
{
	struct rig r = make_rig(NULL);
	npurt_graph_exec *exec;
	npurt_graph *graph;

	NEED(npurt_graph_create(r.f.context, NULL, &graph));
	add_node(&r, graph, &strict_launch);
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	cores.full = true;
	for (unsigned int i = 0; i < 2; i++) {
		NEED(npurt_graph_launch(exec, r.f.stream));
		NEED(npurt_stream_synchronize(r.f.stream));
	}
	ok(incomplete == 1, "launched again: a warning that not all was compared");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	free_rig(&r);
}

static void test_old_device(void)
{
	const npurt_context_attr attr = { .size = sizeof(attr), .flags = NPURT_CONTEXT_STRICT };
	struct rig r = make_rig(NULL);
	npurt_context *context = NULL;
	npurt_graph *graph;
	char text[256] = "";

	r.f.device->info.hw_version = NPU_HW_VERSION_1_1;
	GIVES(npurt_context_create(r.f.device, &attr, &context), NPURT_ERROR_UNSUPPORTED);
	npurt_device_error_message(r.f.device, text, sizeof(text));
	ok(strstr(text, "strict mode needs hardware version 1.2"), "it is said why: %s", text);
	GIVES(npurt_launch(r.f.stream, r.kernel, 1, NULL, 0, &strict_launch),
	      NPURT_ERROR_UNSUPPORTED);
	npurt_stream_error_message(r.f.stream, text, sizeof(text));
	ok(strstr(text, "strict mode needs hardware version 1.2"), "it is said why: %s", text);
	NEED(npurt_graph_create(r.f.context, NULL, &graph));
	GIVES(npurt_graph_add_kernel(graph, NULL, 0, r.kernel, 1, NULL, 0, &strict_launch, NULL),
	      NPURT_ERROR_UNSUPPORTED);
	NEED(npurt_graph_destroy(graph));

	setenv("NPURT_STRICT", "1", 1);
	WORKS(npurt_context_create(r.f.device, NULL, &context));
	ok(refusals == 1, "the environment's wish is refused with a warning");
	WORKS(npurt_context_destroy(context));
	setenv("NPURT_STRICT", "0", 1);
	WORKS(npurt_context_create(r.f.device, NULL, &context));
	ok(refusals == 1, "which 0 is not");
	WORKS(npurt_context_destroy(context));
	unsetenv("NPURT_STRICT");
	free_rig(&r);
}

int main(void)
{
	fake_set_kernel(run);
	test_launch();
	test_context();
	test_incomplete(false);
	test_incomplete(true);
	test_relaunch();
	test_old_device();
	return rt_done();
}

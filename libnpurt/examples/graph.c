// SPDX-License-Identifier: MIT
/*
 * A graph: Newton's steps towards reciprocals, captured from a stream once, put into a loop
 * that the device runs by itself, and launched with one call of the kernel.
 *
 *	example-graph [ELEMENTS [STEPS]]
 */
#include <math.h>

#include <npu_kernels.h>

#include "example.h"

struct vectors {
	npurt_memory *x, *r, *t;
	uint64_t count;
	uint32_t blocks;
};

static void elementwise(npurt_stream *stream, npurt_kernel *kernel, const struct vectors *v,
			uint32_t op, npurt_memory *out, npurt_memory *x, npurt_memory *y,
			float alpha)
{
	const struct npu_eltwise_args args = {
		.x = npurt_memory_address(x),
		.y = npurt_memory_address(y),
		.out = npurt_memory_address(out),
		.count = v->count,
		.op = op,
		.dtype = NPU_F32,
		.alpha = alpha,
	};

	CHECK_STREAM(stream,
		     npurt_launch(stream, kernel, v->blocks, &args, sizeof(args), NULL));
}

/* r = 2 r - x r r: the launches are kept, not run. */
static npurt_graph *capture_step(npurt_stream *stream, npurt_kernel *kernel,
				 const struct vectors *v)
{
	npurt_graph *step;

	CHECK_STREAM(stream, npurt_stream_begin_capture(stream, 0));
	elementwise(stream, kernel, v, NPU_ELTWISE_MUL, v->t, v->x, v->r, 0);
	elementwise(stream, kernel, v, NPU_ELTWISE_MUL, v->t, v->t, v->r, 0);
	elementwise(stream, kernel, v, NPU_ELTWISE_SCALE, v->t, v->t, NULL, -1);
	elementwise(stream, kernel, v, NPU_ELTWISE_AXPY, v->r, v->r, v->t, 2);
	CHECK_STREAM(stream, npurt_stream_end_capture(stream, &step));
	return step;
}

/* First r = 1, then all steps. */
static npurt_graph *build(npurt_context *context, npurt_graph *step, const struct vectors *v,
			  uint64_t steps)
{
	const npurt_graph_loop loop = { .size = sizeof(loop), .rounds = steps, .body = step };
	const npurt_graph_attr attr = { .size = sizeof(attr), .label = "reciprocals" };
	const float one = 1;
	npurt_graph_node *start;
	npurt_graph *graph;
	uint32_t pattern;

	memcpy(&pattern, &one, sizeof(pattern));
	CHECK(context, npurt_graph_create(context, &attr, &graph));
	CHECK(context, npurt_graph_add_fill(graph, NULL, 0, v->r, 0, pattern, sizeof(pattern),
					    v->count * sizeof(float), &start));
	CHECK(context, npurt_graph_add_loop(graph, &start, 1, &loop, NULL));
	return graph;
}

static int print(const char *text, size_t bytes, void *data)
{
	return fwrite(text, 1, bytes, data) == bytes ? 0 : NPURT_ERROR_SYSTEM;
}

static float worst_error(npurt_stream *stream, const struct vectors *v, const float *x)
{
	const size_t bytes = v->count * sizeof(float);
	float *r = malloc(bytes), worst = 0;

	if (!r)
		return INFINITY;
	CHECK_STREAM(stream, npurt_download(stream, r, v->r, 0, bytes));
	for (uint64_t i = 0; i < v->count; i++)
		worst = fmaxf(worst, fabsf(r[i] * x[i] - 1));
	free(r);
	return worst;
}

int main(int argc, char **argv)
{
	struct vectors v = { .count = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000 };
	const uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 0) : 6;
	const size_t bytes = v.count * sizeof(float);
	npurt_graph_exec_info info = { .size = sizeof(info) };
	float *x = malloc(bytes), error;
	npurt_graph *graph, *step;
	npurt_graph_exec *exec;
	npurt_context *context;
	npurt_device *device;
	npurt_stream *stream;
	npurt_module *module;
	npurt_kernel *kernel;
	unsigned int seed = 1;
	char path[1200];

	if (!v.count || !steps || !x) {
		fprintf(stderr, "no memory for %llu elements\n", (unsigned long long)v.count);
		return 1;
	}
	for (uint64_t i = 0; i < v.count; i++)
		x[i] = 1 + next_number(&seed) / 2;

	CHECK_DEVICE(npurt_device_open(0, NULL, &device));
	CHECK_DEVICE(npurt_context_create(device, NULL, &context));
	CHECK(context, npurt_stream_create(context, NULL, &stream));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &v.x));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &v.r));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &v.t));
	kernel_path("elementwise.elf", path, sizeof(path));
	CHECK(context, npurt_module_load_file(context, path, &module));
	CHECK(context, npurt_module_get_kernel(module, "elementwise", &kernel));
	v.blocks = npu_count_blocks(v.count, 8);

	step = capture_step(stream, kernel, &v);
	graph = build(context, step, &v, steps);
	CHECK(context, npurt_graph_write_dot(graph, print, stdout));
	CHECK(context, npurt_graph_instantiate(graph, NULL, &exec));
	CHECK_STREAM(stream, npurt_upload(stream, v.x, 0, x, bytes));
	CHECK_STREAM(stream, npurt_graph_launch(exec, stream));
	error = worst_error(stream, &v, x);
	CHECK(context, npurt_graph_exec_get_info(exec, &info));
	printf("%llu reciprocals in %llu steps, %u commands and one launch: off by %g at most\n",
	       (unsigned long long)v.count, (unsigned long long)steps, info.commands, error);

	npurt_graph_exec_destroy(exec);
	npurt_graph_destroy(graph);
	npurt_graph_destroy(step);
	npurt_module_unload(module);
	npurt_memory_destroy(v.x);
	npurt_memory_destroy(v.r);
	npurt_memory_destroy(v.t);
	npurt_stream_destroy(stream);
	npurt_context_destroy(context);
	npurt_device_close(device);
	free(x);
	return error < 1e-5f || steps < 6 ? 0 : 1;
}

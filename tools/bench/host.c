// SPDX-License-Identifier: MIT
/*
 * What calls of libnpurt cost the CPU, in ns: for each figure the middle of many rounds, after
 * getppid(), the plain system call that tells how fast the machine is. With the folder of the
 * kernels; without it getppid() alone, which needs no NPU.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <npu_kernels.h>
#include <npurt/npurt.h>

#define ROUNDS 201
#define CALLS 64

struct npu {
	npurt_stream *stream;
	npurt_event *event;
	npurt_memory *memory;
	npurt_kernel *kernel;
	npurt_graph_exec *graph;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-host: %s: %s\n", what, npurt_strerror(ret));
	exit(1);
}

static void launch(struct npu *npu)
{
	const struct npu_vector_add_args none = { 0 };

	check(npurt_launch(npu->stream, npu->kernel, 1, &none, sizeof(none), NULL), "launch");
}

static void record(struct npu *npu)
{
	check(npurt_event_record(npu->event, npu->stream), "record");
}

static void copy(struct npu *npu)
{
	check(npurt_memcpy_async(npu->stream, npu->memory, 0, npu->memory, 4096, 64), "copy");
}

static void graph(struct npu *npu)
{
	check(npurt_graph_launch(npu->graph, npu->stream), "graph");
}

static void getppid_call(struct npu *npu)
{
	(void)npu;
	syscall(SYS_getppid);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The flush of the batch is a part of what its calls cost; its work is not. */
static void measure(struct npu *npu, const char *name, void (*call)(struct npu *npu))
{
	uint64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t begin = now();

		for (int j = 0; j < CALLS; j++)
			call(npu);
		if (npu->stream)
			check(npurt_stream_flush(npu->stream), "flush");
		times[i] = now() - begin;
		if (npu->stream)
			check(npurt_stream_synchronize(npu->stream), "stream");
	}
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	printf("%s\t%.1f\n", name, (double)times[ROUNDS / 2] / CALLS);
}

static void start(struct npu *npu, const char *folder)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_context *context;
	npurt_module *module;
	npurt_device *device;
	npurt_graph *captured;
	char path[4096];

	snprintf(path, sizeof(path), "%s/vector_add.elf", folder);
	check(npurt_device_open(0, NULL, &device), "device");
	check(npurt_context_create(device, NULL, &context), "context");
	check(npurt_stream_create(context, &attr, &npu->stream), "stream");
	check(npurt_event_create(context, NULL, &npu->event), "event");
	check(npurt_memory_create(context, 8192, NULL, &npu->memory), "memory");
	check(npurt_module_load_file(context, path, &module), path);
	check(npurt_module_get_kernel(module, "vector_add", &npu->kernel), "kernel");
	check(npurt_stream_begin_capture(npu->stream, 0), "capture");
	copy(npu);
	check(npurt_stream_end_capture(npu->stream, &captured), "capture");
	check(npurt_graph_instantiate(captured, NULL, &npu->graph), "graph");
}

int main(int argc, char **argv)
{
	struct npu npu = { 0 };

	measure(&npu, "getppid", getppid_call);
	if (argc < 2)
		return 0;
	start(&npu, argv[1]);
	measure(&npu, "host_launch", launch);
	measure(&npu, "host_record", record);
	measure(&npu, "host_copy", copy);
	measure(&npu, "host_graph", graph);
	return 0;
}

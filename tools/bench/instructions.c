// SPDX-License-Identifier: MIT
/*
 * In the VM of one CPU, whose instructions the plugin in count.c counts: user space and the kernel
 * together, for jobs. The device has sync=on, so that it is done when the doorbell write returns
 * and nobody ever idles; or it has not, and each wait sleeps, as it does for a flush of the NVMe
 * device that is named. Arguments: the folder of the kernels, the NVMe device. Prints the name of
 * each figure, and over how many jobs it is, separated by tabs; first what is counted where
 * nothing is done.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/nvme_ioctl.h>
#include <npurt/npurt.h>

#include "mark.h"
#include "npu_util.h"

#define ROUNDS 301
#define BATCH 256
#define NVME_FLUSH 0x00
#define STEP 16 /* launches of a step of a training, as of npu-digits --fp16 */
#define STEPS 45 /* of an epoch */

struct npu {
	struct npu_ctx ctx;
	uint32_t timeline;
	uint64_t point;
	struct drm_npu_job jobs[BATCH];
	npurt_stream *stream;
	npurt_event *event;
	npurt_memory *memory;
	npurt_kernel *kernel;
	npurt_graph_exec *step, *epoch;
	int nvme;
};

struct figure {
	const char *name;
	void (*work)(struct npu *npu);
	unsigned int jobs;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-instructions: %s: %d\n", what, ret);
	exit(1);
}

static void submit(struct npu *npu, unsigned int count)
{
	struct drm_npu_sync sync = {
		.flags = DRM_NPU_SYNC_SIGNAL,
		.handle = npu->timeline,
		.point = ++npu->point,
	};

	check(npu_submit_syncs(npu->ctx.fd, npu->ctx.queue, npu->jobs, count, &sync, 1), "submit");
}

static void wait(struct npu *npu)
{
	check(npu_syncobj_wait(npu->ctx.fd, npu->timeline, npu->point, WAIT_NS), "wait");
}

static void nothing(struct npu *npu)
{
	(void)npu;
}

static void submit_one(struct npu *npu)
{
	submit(npu, 1);
}

static void submit_batch(struct npu *npu)
{
	submit(npu, BATCH);
}

static void round_trip(struct npu *npu)
{
	submit(npu, 1);
	wait(npu);
}

static void round_trip_batch(struct npu *npu)
{
	submit(npu, BATCH);
	wait(npu);
}

static void round_trip_runtime(struct npu *npu)
{
	check(npurt_event_record(npu->event, npu->stream), "event");
	check(npurt_stream_synchronize(npu->stream), "stream");
}

static void add_step(struct npu *npu)
{
	const uint64_t none[4] = { 0 }; /* three vectors, and elements */

	for (unsigned int i = 0; i < STEP; i++)
		check(npurt_launch(npu->stream, npu->kernel, 1, &none, sizeof(none), NULL),
		      "launch");
}

static void step_stream(struct npu *npu)
{
	add_step(npu);
	check(npurt_stream_flush(npu->stream), "flush");
}

static void launch(struct npu *npu, npurt_graph_exec *exec, unsigned int times)
{
	while (times--)
		check(npurt_graph_launch(exec, npu->stream), "graph");
	check(npurt_stream_flush(npu->stream), "flush");
}

static void step_graph(struct npu *npu)
{
	launch(npu, npu->step, 1);
}

/* As a training does it, which waits for no step. */
static void steps_stream(struct npu *npu)
{
	for (unsigned int i = 0; i < STEPS; i++)
		add_step(npu);
	check(npurt_stream_flush(npu->stream), "flush");
}

static void steps_graph(struct npu *npu)
{
	launch(npu, npu->step, STEPS);
}

static void epoch_graph(struct npu *npu)
{
	launch(npu, npu->epoch, 1);
}

static npurt_graph_exec *capture_steps(struct npu *npu, unsigned int steps)
{
	npurt_graph_exec *exec;
	npurt_graph *graph;

	check(npurt_stream_begin_capture(npu->stream, 0), "capture");
	while (steps--)
		add_step(npu);
	check(npurt_stream_end_capture(npu->stream, &graph), "capture");
	check(npurt_graph_instantiate(graph, NULL, &exec), "graph");
	return exec;
}

static void fill_batch(struct npu *npu)
{
	for (unsigned int i = 0; i < BATCH; i++)
		check(npurt_fill_async(npu->stream, npu->memory, 0, i, 8, 64), "fill");
}

static void record_batch(struct npu *npu)
{
	for (unsigned int i = 0; i < BATCH; i++)
		check(npurt_event_record(npu->event, npu->stream), "record");
}

static void copy_batch(struct npu *npu)
{
	for (unsigned int i = 0; i < BATCH; i++)
		check(npurt_memcpy_async(npu->stream, npu->memory, 0, npu->memory, 2048, 64),
		      "copy");
}

/* What every call costs, the question whether it is traced included. */
static void call_nothing(struct npu *npu)
{
	(void)npu;
	for (unsigned int i = 0; i < BATCH; i++)
		npurt_memory_size(NULL);
}

static void nvme_flush(struct npu *npu)
{
	struct nvme_passthru_cmd cmd = { .opcode = NVME_FLUSH, .nsid = 1 };

	check(ioctl(npu->nvme, NVME_IOCTL_IO_CMD, &cmd), "NVMe flush");
}

static void rounds(struct npu *npu, const struct figure *figure)
{
	printf("%s\t%u\n", figure->name, figure->jobs);
	mark(MARK_FIGURE);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		mark(MARK_BEGIN);
		figure->work(npu);
		mark(MARK_END);
		/* Where that is not part of the work: no round finds jobs of the one before. */
		wait(npu);
	}
}

static void load_kernel(struct npu *npu, npurt_context *context, const char *folder)
{
	npurt_module *module;
	char path[4096];

	snprintf(path, sizeof(path), "%s/vector_add.elf", folder);
	check(npurt_module_load_file(context, path, &module), path);
	check(npurt_module_get_kernel(module, "vector_add", &npu->kernel), "kernel");
}

static void start(struct npu *npu, const char *folder)
{
	struct drm_npu_queue_create create = {
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.ring_entries = 1024,
	};
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_device *device;
	npurt_context *context;

	check(npu_ctx_open(&npu->ctx), "NPU");
	create.vm_id = npu->ctx.vm;
	check(npu_ioctl(npu->ctx.fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create), "queue");
	npu->ctx.queue = create.id;
	check(npu_syncobj_create(npu->ctx.fd, &npu->timeline), "syncobj");
	for (unsigned int i = 0; i < BATCH; i++) {
		cmd_nop(npu_ctx_cmd(&npu->ctx, i));
		npu->jobs[i].list = npu->ctx.list.va + i * sizeof(struct npu_cmd);
		npu->jobs[i].count = 1;
	}
	round_trip(npu);
	check(npurt_device_open(0, NULL, &device), "device");
	check(npurt_context_create(device, NULL, &context), "context");
	check(npurt_stream_create(context, &attr, &npu->stream), "stream");
	check(npurt_event_create(context, NULL, &npu->event), "event");
	check(npurt_memory_create(context, 4096, NULL, &npu->memory), "memory");
	load_kernel(npu, context, folder);
	npu->step = capture_steps(npu, 1);
	npu->epoch = capture_steps(npu, STEPS);
}

static const struct figure figures[] = {
	{ "nothing", nothing, 1 },
	{ "insn_submit", submit_one, 1 },
	{ "insn_roundtrip", round_trip, 1 },
	{ "insn_runtime", round_trip_runtime, 1 },
	{ "insn_submit_batch", submit_batch, BATCH },
	{ "insn_batch", round_trip_batch, BATCH },
	{ "insn_fill", fill_batch, BATCH },
	{ "insn_record", record_batch, BATCH },
	{ "insn_copy", copy_batch, BATCH },
	{ "insn_call", call_nothing, BATCH },
	{ "insn_step_stream", step_stream, 1 },
	{ "insn_step_graph", step_graph, 1 },
	{ "insn_steps_stream", steps_stream, STEPS },
	{ "insn_steps_graph", steps_graph, STEPS },
	{ "insn_step_epoch", epoch_graph, STEPS },
	{ NULL, NULL, 0 },
};

static const struct figure figures_asleep[] = {
	{ "nothing", nothing, 1 },
	{ "insn_asleep", round_trip, 1 },
	{ "insn_nvme", nvme_flush, 1 },
	{ NULL, NULL, 0 },
};

/* The first job takes so long that, as a rule, the caller is asleep before it is done. */
static void start_asleep(struct npu *npu, const char *nvme)
{
	npu->nvme = open(nvme, O_RDONLY | O_CLOEXEC);
	check(npu->nvme < 0, nvme);
	cmd_fill(npu_ctx_cmd(&npu->ctx, 0), npu->ctx.data.va, CTX_DATA_SIZE, 0);
}

int main(int argc, char **argv)
{
	static struct npu npu;
	const struct figure *figure = figures;

	if (argc < 2)
		return 2;
	start(&npu, argv[1]);
	if (argc > 2) {
		start_asleep(&npu, argv[2]);
		figure = figures_asleep;
	}
	for (; figure->name; figure++)
		rounds(&npu, figure);
	return 0;
}

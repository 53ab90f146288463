// SPDX-License-Identifier: MIT
/*
 * In the VM started with --icount and a device with sync=on: instructions that the guest
 * executes, user space and kernel together, for jobs. There a tick of the time-stamp counter
 * is an instruction, and the device is done when the doorbell write returns, so that nobody
 * ever idles. Prints name, value and unit, separated by tabs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npurt/npurt.h>

#include "npu_util.h"

#define ROUNDS 301
#define BATCH 256

struct npu {
	struct npu_ctx ctx;
	uint32_t timeline;
	uint64_t point;
	struct drm_npu_job jobs[BATCH];
	npurt_stream *stream;
	npurt_event *event;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-instructions: %s: %d\n", what, ret);
	exit(1);
}

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
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

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Median: timer interrupts fall into few of the rounds. */
static uint64_t instructions(struct npu *npu, void (*work)(struct npu *npu))
{
	static uint64_t counts[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now();

		work(npu);
		counts[i] = now() - begin;
		/* Where that is not part of the work: no round finds jobs of the one before. */
		wait(npu);
	}
	qsort(counts, ROUNDS, sizeof(*counts), compare);
	return counts[ROUNDS / 2];
}

static void start(struct npu *npu)
{
	struct drm_npu_queue_create create = {
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.ring_entries = 1024,
	};
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
	check(npurt_stream_create(context, NULL, &npu->stream), "stream");
	check(npurt_event_create(context, NULL, &npu->event), "event");
}

int main(void)
{
	static struct npu npu;
	uint64_t none;

	start(&npu);
	none = instructions(&npu, nothing);
	printf("insn_submit\t%llu\tinsn\n",
	       (unsigned long long)(instructions(&npu, submit_one) - none));
	printf("insn_roundtrip\t%llu\tinsn\n",
	       (unsigned long long)(instructions(&npu, round_trip) - none));
	printf("insn_runtime\t%llu\tinsn\n",
	       (unsigned long long)(instructions(&npu, round_trip_runtime) - none));
	printf("insn_submit_batch\t%.1f\tinsn/job\n",
	       (double)(instructions(&npu, submit_batch) - none) / BATCH);
	printf("insn_batch\t%.1f\tinsn/job\n",
	       (double)(instructions(&npu, round_trip_batch) - none) / BATCH);
	return 0;
}

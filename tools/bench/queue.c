// SPDX-License-Identifier: MIT
/*
 * In the VM: cost of empty jobs on the NPU, and of what comes closest on an NVMe
 * device of QEMU with a null backend. Prints name, value, unit and the peer's value,
 * separated by tabs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/nvme_ioctl.h>
#include <npurt/npurt.h>

#include "npu_util.h"

#define ROUND_TRIPS 3000
#define SINGLE_JOBS 6000
#define SINGLE_WINDOW 64
#define BATCH 256
#define BATCHES 60
#define SECTOR 512
#define NVME_FLUSH 0x00

struct npu {
	struct npu_ctx ctx;
	uint32_t timeline;
	uint64_t point;
};

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "npu-bench-queue: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void check_npurt(int ret)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-queue: libnpurt: %s\n", npurt_strerror(ret));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void npu_start(struct npu *npu)
{
	struct drm_npu_queue_create create = {
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.ring_entries = 1024,
	};

	check(npu_ctx_open(&npu->ctx), "NPU");
	create.vm_id = npu->ctx.vm;
	check(npu_ioctl(npu->ctx.fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create), "queue");
	npu->ctx.queue = create.id;
	check(npu_syncobj_create(npu->ctx.fd, &npu->timeline), "syncobj");
	npu->point = 0;
	for (int i = 0; i < BATCH; i++)
		cmd_nop(npu_ctx_cmd(&npu->ctx, i));
}

/* @count jobs of one command each, in one call; they end with the next timeline point. */
static void npu_put(struct npu *npu, unsigned int count)
{
	static struct drm_npu_job jobs[BATCH];
	struct drm_npu_sync sync = {
		.flags = DRM_NPU_SYNC_SIGNAL,
		.handle = npu->timeline,
		.point = ++npu->point,
	};

	for (unsigned int i = 0; i < count; i++) {
		jobs[i].list = npu->ctx.list.va + i * sizeof(struct npu_cmd);
		jobs[i].count = 1;
	}
	check(npu_submit_syncs(npu->ctx.fd, npu->ctx.queue, jobs, count, &sync, 1), "submit");
}

static void npu_wait(struct npu *npu, uint64_t point)
{
	check(npu_syncobj_wait(npu->ctx.fd, npu->timeline, point, WAIT_NS), "wait");
}

/* As an application has it: something to wait for is put on a stream and waited for. */
static double npu_round_trip(void)
{
	static double times[ROUND_TRIPS];
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_event *event;

	check_npurt(npurt_device_open(0, NULL, &device));
	check_npurt(npurt_context_create(device, NULL, &context));
	check_npurt(npurt_stream_create(context, NULL, &stream));
	check_npurt(npurt_event_create(context, NULL, &event));
	for (int i = 0; i < ROUND_TRIPS; i++) {
		double begin = now();

		check_npurt(npurt_event_record(event, stream));
		check_npurt(npurt_stream_synchronize(stream));
		times[i] = now() - begin;
	}
	npurt_event_destroy(event);
	npurt_stream_destroy(stream);
	npurt_context_destroy(context);
	npurt_device_close(device);
	return median(times, ROUND_TRIPS) * 1e6;
}

static double nvme_round_trip(int fd)
{
	static double times[ROUND_TRIPS];

	for (int i = 0; i < ROUND_TRIPS; i++) {
		struct nvme_passthru_cmd cmd = { .opcode = NVME_FLUSH, .nsid = 1 };
		double begin = now();

		check(ioctl(fd, NVME_IOCTL_IO_CMD, &cmd) ? -errno : 0, "NVMe flush");
		times[i] = now() - begin;
	}
	return median(times, ROUND_TRIPS) * 1e6;
}

/* One call a job; a caller that is a window ahead waits for the older half of it. */
static double npu_single_rate(struct npu *npu)
{
	double begin = now();
	uint64_t first = npu->point, waited = first;

	for (int i = 0; i < SINGLE_JOBS; i++) {
		npu_put(npu, 1);
		if (npu->point - waited == SINGLE_WINDOW) {
			waited += SINGLE_WINDOW / 2;
			npu_wait(npu, waited);
		}
	}
	npu_wait(npu, npu->point);
	return SINGLE_JOBS / (now() - begin);
}

static double npu_batch_rate(struct npu *npu)
{
	double begin = now();

	for (int i = 0; i < BATCHES; i++) {
		npu_put(npu, BATCH);
		if (i)
			npu_wait(npu, npu->point - 1);
	}
	npu_wait(npu, npu->point);
	return (double)BATCHES * BATCH / (now() - begin);
}

static void uring_put(struct io_uring *ring, int fd, void *buffer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, fd, buffer, SECTOR, 0);
}

/* Take @count completions, waiting for them. */
static void uring_take(struct io_uring *ring, unsigned int count)
{
	struct io_uring_cqe *cqe;

	while (count--) {
		check(io_uring_wait_cqe(ring, &cqe), "io_uring wait");
		check(cqe->res, "NVMe read");
		io_uring_cqe_seen(ring, cqe);
	}
}

static double nvme_single_rate(struct io_uring *ring, int fd, void *buffer)
{
	double begin = now();
	unsigned int flying = 0;

	for (int i = 0; i < SINGLE_JOBS; i++) {
		uring_put(ring, fd, buffer);
		check(io_uring_submit(ring), "io_uring submit");
		if (++flying == SINGLE_WINDOW) {
			uring_take(ring, SINGLE_WINDOW / 2);
			flying -= SINGLE_WINDOW / 2;
		}
	}
	uring_take(ring, flying);
	return SINGLE_JOBS / (now() - begin);
}

static double nvme_batch_rate(struct io_uring *ring, int fd, void *buffer)
{
	double begin = now();

	for (int i = 0; i < BATCHES; i++) {
		for (int j = 0; j < BATCH; j++)
			uring_put(ring, fd, buffer);
		check(io_uring_submit(ring), "io_uring submit");
		if (i)
			uring_take(ring, BATCH);
	}
	uring_take(ring, BATCH);
	return (double)BATCHES * BATCH / (now() - begin);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/nvme0n1";
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct io_uring ring;
	struct npu npu;
	void *buffer = NULL;

	check(fd < 0 ? -errno : 0, path);
	check(-posix_memalign(&buffer, 4096, 4096), "memory");
	check(io_uring_queue_init(2 * BATCH, &ring, 0), "io_uring");
	npu_start(&npu);
	npu_round_trip();
	nvme_round_trip(fd);
	printf("roundtrip\t%.2f\tus\t%.2f\n", npu_round_trip(), nvme_round_trip(fd));
	printf("rate_single\t%.0f\tjobs/s\t%.0f\n", npu_single_rate(&npu),
	       nvme_single_rate(&ring, fd, buffer));
	printf("rate_batch\t%.0f\tjobs/s\t%.0f\n", npu_batch_rate(&npu),
	       nvme_batch_rate(&ring, fd, buffer));
	io_uring_queue_exit(&ring);
	npu_ctx_close(&npu.ctx);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_PERF_OPEN, and clocks that are correlated over time */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define BIT_OF(counter) (1ULL << DRM_NPU_PERF_##counter)
#define PERIOD_US 2000

/* A record of a stream of one counter. */
struct record {
	struct drm_npu_perf_sample head;
	uint64_t value;
};

FIXTURE(perf)
{
	struct npu_ctx ctx;
	struct drm_npu_dev_perf limits;
};

FIXTURE_SETUP(perf)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_PERF, &self->limits,
			       sizeof(self->limits)));
}

FIXTURE_TEARDOWN(perf)
{
	npu_ctx_close(&self->ctx);
}

/* A file descriptor, or a negative errno. */
static int perf_open(int fd, uint64_t counters, uint32_t period_us, uint32_t samples)
{
	struct drm_npu_perf_open open = {
		.counters = counters,
		.period_us = period_us,
		.samples = samples,
		.fd = -1,
	};
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_PERF_OPEN, &open);

	return ret ?: open.fd;
}

static bool wait_for(int stream, short events)
{
	struct pollfd poll_fd = { .fd = stream, .events = events };

	return poll(&poll_fd, 1, WAIT_NS / 1000000) == 1 && (poll_fd.revents & events) == events;
}

TEST_F(perf, limits)
{
	EXPECT_NE(0, self->limits.counters);
	EXPECT_NE(0, self->limits.min_period_us);
	EXPECT_GT(self->limits.max_period_us, self->limits.min_period_us);
	EXPECT_GT(self->limits.max_samples, 0);
	EXPECT_EQ(0, self->limits.pad);
}

TEST_F(perf, bad_arguments)
{
	struct drm_npu_perf_open open = {
		.counters = self->limits.counters,
		.period_us = self->limits.min_period_us,
		.flags = 1,
	};
	int fd = self->ctx.fd, top = 63 - __builtin_clzll(self->limits.counters);

	EXPECT_EQ(-EINVAL, npu_ioctl(fd, DRM_IOCTL_NPU_PERF_OPEN, &open));
	EXPECT_EQ(-EINVAL, perf_open(fd, 0, PERIOD_US, 0));
	EXPECT_EQ(-EINVAL, perf_open(fd, 2ULL << top, PERIOD_US, 0));
	EXPECT_EQ(-EINVAL, perf_open(fd, 1, 0, 0));
	EXPECT_EQ(-EINVAL, perf_open(fd, 1, self->limits.min_period_us - 1, 0));
	EXPECT_EQ(-EINVAL, perf_open(fd, 1, self->limits.max_period_us + 1, 0));
	EXPECT_EQ(-EINVAL, perf_open(fd, 1, PERIOD_US, self->limits.max_samples + 1));
}

TEST_F(perf, needs_the_right)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		if (setresuid(65534, 65534, 65534))
			_exit(1);
		_exit(perf_open(self->ctx.fd, 1, PERIOD_US, 0) == -EACCES ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(perf, reads_whole_records)
{
	int stream = perf_open(self->ctx.fd, BIT_OF(TASKS_DONE), PERIOD_US, 0);
	struct record records[4], last = { 0 };
	unsigned int seen = 0;

	ASSERT_GE(stream, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(stream, F_GETFD));
	EXPECT_EQ(-1, read(stream, records, sizeof(*records) - 1));
	EXPECT_EQ(EINVAL, errno);
	while (seen < 10) {
		/* Room for three and a half: what does not fit stays. */
		ssize_t size = read(stream, records, sizeof(records) - sizeof(*records) / 2);

		ASSERT_GT(size, 0);
		ASSERT_EQ(0, size % sizeof(*records));
		for (unsigned int i = 0; i < size / sizeof(*records); i++, seen++) {
			EXPECT_GT(records[i].head.cpu_time, last.head.cpu_time);
			EXPECT_GT(records[i].head.device_time, last.head.device_time);
			EXPECT_GE(records[i].head.dropped, last.head.dropped);
			EXPECT_GE(records[i].value, last.value);
			last = records[i];
		}
	}
	close(stream);
}

/* Counters see the work that is done between two samples. */
TEST_F(perf, counts_work)
{
	const uint64_t size = 0x200000;
	const unsigned int copies = 16;
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_dev_timestamp now;
	struct {
		struct drm_npu_perf_sample head;
		uint64_t written;
		uint64_t tasks;
	} first, record;
	int stream = perf_open(ctx->fd, BIT_OF(HBM_WRITE_BYTES) | BIT_OF(TASKS_DONE), PERIOD_US, 0);

	ASSERT_GE(stream, 0);
	ASSERT_EQ(sizeof(first), read(stream, &first, sizeof(first)));
	for (unsigned int i = 0; i < copies; i++)
		cmd_copy(npu_ctx_cmd(ctx, i), ctx->data.va, ctx->data.va + size, size);
	ASSERT_EQ(0, npu_ctx_run(ctx, copies));
	ASSERT_EQ(0, npu_query(ctx->fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &now, sizeof(now)));
	do {
		ASSERT_EQ(sizeof(record), read(stream, &record, sizeof(record)));
	} while (record.head.device_time < now.device);
	EXPECT_GE(record.written - first.written, copies * size);
	EXPECT_GE(record.tasks - first.tasks, copies);
	close(stream);
}

TEST_F(perf, all_counters)
{
	uint64_t values[3 + 64];
	ssize_t size = sizeof(struct drm_npu_perf_sample) +
		       8 * __builtin_popcountll(self->limits.counters);
	int stream = perf_open(self->ctx.fd, self->limits.counters, PERIOD_US, 1);
	struct drm_npu_dev_memory memory;

	ASSERT_GE(stream, 0);
	ASSERT_EQ(size, read(stream, values, size));
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)));
	EXPECT_EQ(memory.hbm_used, values[3 + DRM_NPU_PERF_HBM_USED]);
	EXPECT_GT(values[3 + DRM_NPU_PERF_POWER_MW], 0);
	EXPECT_GT(values[3 + DRM_NPU_PERF_TEMPERATURE_MC], 0);
	EXPECT_GT(values[3 + DRM_NPU_PERF_AICORE_MHZ], 0);
	close(stream);
}

TEST_F(perf, poll_and_nonblock)
{
	int stream = perf_open(self->ctx.fd, 1, self->limits.max_period_us, 0);
	struct pollfd poll_fd = { .fd = stream, .events = POLLIN };
	struct record record;

	/* A period of a minute: there is nothing yet. */
	ASSERT_GE(stream, 0);
	ASSERT_EQ(0, fcntl(stream, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	EXPECT_EQ(-1, read(stream, &record, sizeof(record)));
	EXPECT_EQ(EAGAIN, errno);
	close(stream);

	stream = perf_open(self->ctx.fd, 1, PERIOD_US, 0);
	ASSERT_GE(stream, 0);
	ASSERT_EQ(0, fcntl(stream, F_SETFL, O_NONBLOCK));
	EXPECT_TRUE(wait_for(stream, POLLIN));
	EXPECT_EQ(sizeof(record), read(stream, &record, sizeof(record)));
	close(stream);
}

/*
 * A ring of one sample: that of a second stream tells when there must have been more. The
 * one that is left is the newest, and says how many are not there.
 */
TEST_F(perf, drops_the_oldest)
{
	int small = perf_open(self->ctx.fd, 1, PERIOD_US, 1);
	int clock = perf_open(self->ctx.fd, 1, PERIOD_US, 0);
	struct record records[2];
	uint64_t begin = 0;

	ASSERT_GE(small, 0);
	ASSERT_GE(clock, 0);
	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(sizeof(*records), read(clock, records, sizeof(*records)));
		begin = begin ?: records[0].head.cpu_time;
	}
	ASSERT_EQ(sizeof(*records), read(small, records, sizeof(records)));
	EXPECT_GT(records[0].head.cpu_time, begin);
	EXPECT_GT(records[0].head.dropped, 0);
	/* What was dropped and what was read are the ticks that there have been. */
	EXPECT_GE((records[0].head.dropped + 1) * PERIOD_US * 1000,
		  records[0].head.cpu_time - begin);
	close(small);
	close(clock);
}

TEST_F(perf, survives_the_file)
{
	int fd = npu_open(), stream = perf_open(fd, 1, PERIOD_US, 0);
	struct record record;

	ASSERT_GE(stream, 0);
	close(fd);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(sizeof(record), read(stream, &record, sizeof(record)));
	close(stream);
}

TEST_F(perf, many_streams)
{
	int streams[8];
	struct record record;

	for (int i = 0; i < 8; i++) {
		streams[i] = perf_open(self->ctx.fd, 1ULL << i, PERIOD_US * (i + 1), 0);
		ASSERT_GE(streams[i], 0);
	}
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(sizeof(record), read(streams[i], &record, sizeof(record)));
	for (int i = 0; i < 8; i++)
		close(streams[i]);
}

/*
 * Each reading of both clocks gives an interval in which the CPU time of its device time lies.
 * If the clocks run evenly one straight line goes through all of them: the first and the last
 * bound where it can be at those in between.
 */
TEST_F(perf, clocks_run_evenly)
{
	enum { READINGS = 64 };
	struct drm_npu_dev_timestamp at[READINGS], *first = &at[0], *last = &at[READINGS - 1];
	int stream = perf_open(self->ctx.fd, 1, PERIOD_US, 0);
	struct record record;

	ASSERT_GE(stream, 0);
	for (int i = 0; i < READINGS; i++) {
		ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &at[i],
				       sizeof(at[i])));
		EXPECT_LE(at[i].cpu_before, at[i].cpu_after);
		if (i) {
			EXPECT_GT(at[i].device, at[i - 1].device);
			EXPECT_GE(at[i].cpu_before, at[i - 1].cpu_after);
		}
		/* The stream's samples are what time passes by. */
		ASSERT_EQ(sizeof(record), read(stream, &record, sizeof(record)));
	}
	for (int i = 1; i < READINGS - 1; i++) {
		double part = (double)(at[i].device - first->device) /
			      (last->device - first->device);
		double span_low = (double)last->cpu_before - first->cpu_before;
		double span_high = (double)last->cpu_after - first->cpu_after;
		double low = first->cpu_before + part * span_low;
		double high = first->cpu_after + part * span_high;

		EXPECT_LE(low, at[i].cpu_after + 1) TH_LOG("reading %d", i);
		EXPECT_GE(high, at[i].cpu_before - 1.0) TH_LOG("reading %d", i);
	}
	close(stream);
}

/* The two times of a sample are the same moment: between readings, it is between them too. */
TEST_F(perf, times_of_a_sample)
{
	int stream = perf_open(self->ctx.fd, 1, PERIOD_US, 0);
	struct drm_npu_dev_timestamp before, after;
	struct record record;

	ASSERT_GE(stream, 0);
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &before, sizeof(before)));
	do {
		ASSERT_EQ(sizeof(record), read(stream, &record, sizeof(record)));
	} while (record.head.device_time <= before.device);
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &after, sizeof(after)));
	EXPECT_LT(record.head.device_time, after.device);
	EXPECT_GT(record.head.cpu_time, before.cpu_before);
	EXPECT_LT(record.head.cpu_time, after.cpu_after);
	close(stream);
}

/* What was there before the device went can be read, and then no more. */
TEST_F(perf, device_goes)
{
	int stream = perf_open(self->ctx.fd, 1, PERIOD_US, 0);
	struct pollfd poll_fd = { .fd = stream, .events = POLLIN };
	struct record record;
	unsigned int left = 0;
	char name[NPU_NAME_SIZE];
	ssize_t size;

	ASSERT_GE(stream, 0);
	ASSERT_EQ(0, npu_name(self->ctx.fd, name));
	ASSERT_TRUE(wait_for(stream, POLLIN));
	ASSERT_EQ(0, npu_driver_write("unbind", name));
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, poll_fd.revents);
	while ((size = read(stream, &record, sizeof(record))) == sizeof(record))
		left++;
	EXPECT_EQ(-1, size);
	EXPECT_EQ(ENODEV, errno);
	EXPECT_GE(left, 1);
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLHUP, poll_fd.revents);
	EXPECT_EQ(-ENODEV, perf_open(self->ctx.fd, 1, PERIOD_US, 0));
	close(stream);
	npu_ctx_close(&self->ctx);
	ASSERT_EQ(0, npu_driver_write("bind", name));
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Waits and signals of DRM_IOCTL_NPU_SUBMIT, and semaphores on the device */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(sync)
{
	struct npu_ctx ctx;
	volatile uint64_t *data;
	struct drm_npu_job job;
	uint32_t second;
	uint32_t a, b;
};

FIXTURE_SETUP(sync)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->data = self->ctx.data.cpu;
	ASSERT_EQ(0, npu_queue_create(self->ctx.fd, self->ctx.vm, &self->second));
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &self->a));
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &self->b));
	self->job = (struct drm_npu_job){ .list = self->ctx.list.va, .count = 1 };
	cmd_nop(npu_ctx_cmd(&self->ctx, 0));
}

FIXTURE_TEARDOWN(sync)
{
	npu_ctx_close(&self->ctx);
}

static int signal_syncobj(int fd, uint32_t handle)
{
	struct drm_syncobj_array array = { .handles = (uintptr_t)&handle, .count_handles = 1 };

	return npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &array);
}

TEST_F(sync, timeline_signals_in_order)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->a };
	uint64_t point = 0;
	struct drm_syncobj_timeline_array query = {
		.handles = (uintptr_t)&self->a,
		.points = (uintptr_t)&point,
		.count_handles = 1,
	};

	for (sync.point = 1; sync.point <= 20; sync.point++) {
		ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, &sync, 1));
	}
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->a, 20, WAIT_NS));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_QUERY, &query));
	EXPECT_EQ(20, point);
}

TEST_F(sync, one_queue_waits_for_another)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync signal = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->a };
	struct drm_npu_sync second[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT, .handle = self->a },
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->b },
	};
	struct drm_npu_job copy = { .list = ctx->list.va + 0x4000, .count = 1 };

	cmd_fill(npu_ctx_cmd(ctx, 0), ctx->data.va, 0x100000, 0x12345678);
	cmd_copy(npu_ctx_cmd(ctx, 0x4000 / 64), ctx->data.va + 0x100000, ctx->data.va + 0xffff8, 8);
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, &signal, 1));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, self->second, &copy, 1, second, 2));
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->b, 0, WAIT_NS));
	EXPECT_EQ(0x1234567812345678, self->data[0x20000]);
}

TEST_F(sync, nothing_runs_before_its_wait)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync point = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->a };
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT, .handle = self->a },
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->b },
	};
	struct drm_npu_job blocked = { .list = ctx->list.va + 0x4000, .count = 1 };

	/* A semaphore in memory holds the first queue until the CPU lets it go. */
	self->data[16] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + 128, 1);
	cmd_write(npu_ctx_cmd(ctx, 0x4000 / 64), ctx->data.va, 99);
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, &point, 1));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, self->second, &blocked, 1, syncs, 2));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, self->b, 0, 50000000));
	EXPECT_EQ(0, self->data[0]);
	self->data[16] = 1;
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->b, 0, WAIT_NS));
	EXPECT_EQ(99, self->data[0]);
}

TEST_F(sync, semaphore_between_queues)
{
	struct npu_ctx *ctx = &self->ctx;
	struct npu_cmd *other = npu_ctx_cmd(ctx, 0x4000 / 64);

	self->data[64] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + 512, 7);
	cmd_write(npu_ctx_cmd(ctx, 1), ctx->data.va, 1);
	cmd_write(&other[0], ctx->data.va + 8, 2);
	cmd_sem_signal(&other[1], ctx->data.va + 512, 7);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, self->a));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, self->a, 0, 20000000));
	ASSERT_EQ(0, npu_submit(ctx->fd, self->second, ctx->list.va + 0x4000, 2, self->b));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->a, 0, WAIT_NS));
	EXPECT_EQ(1, self->data[0]);
	EXPECT_EQ(2, self->data[1]);
}

TEST_F(sync, eventfd_of_a_timeline_point)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->a, .point = 3 };
	struct drm_syncobj_eventfd arg = { .handle = self->a, .point = 3 };
	struct pollfd poll_fd;

	arg.fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(arg.fd, 0);
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_EVENTFD, &arg));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, &sync, 1));
	poll_fd = (struct pollfd){ .fd = arg.fd, .events = POLLIN };
	EXPECT_EQ(1, poll(&poll_fd, 1, 30000));
	close(arg.fd);
}

TEST_F(sync, bad_syncs)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL, .handle = 4711 };

#define SUBMIT() npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, &sync, 1)
	EXPECT_EQ(-ENOENT, SUBMIT());
	sync.flags = DRM_NPU_SYNC_WAIT;
	EXPECT_EQ(-ENOENT, SUBMIT());
	sync.handle = self->a;
	EXPECT_EQ(-EINVAL, SUBMIT()) TH_LOG("a binary syncobj without a fence");
	sync.point = 9;
	EXPECT_EQ(-EINVAL, SUBMIT()) TH_LOG("a point without a fence");
	sync.flags = 0;
	EXPECT_EQ(-EINVAL, SUBMIT());
	sync.flags = DRM_NPU_SYNC_WAIT | DRM_NPU_SYNC_SIGNAL;
	EXPECT_EQ(-EINVAL, SUBMIT());
	sync.flags = 4;
	EXPECT_EQ(-EINVAL, SUBMIT());
#undef SUBMIT
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(sync, failed_submit_signals_nothing)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = self->a },
		{ .flags = DRM_NPU_SYNC_SIGNAL, .handle = 4711 },
	};

	ASSERT_EQ(-ENOENT, npu_submit_syncs(ctx->fd, ctx->queue, &self->job, 1, syncs, 2));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, self->a, 0, 1000000));
	ASSERT_EQ(0, signal_syncobj(ctx->fd, self->a));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->a, 0, WAIT_NS));
}

TEST_F(sync, wait_for_a_syncobj_of_another_file)
{
	struct npu_ctx *ctx = &self->ctx, other;
	struct drm_syncobj_handle handle = { .handle = self->a, .fd = -1 };
	struct drm_npu_job job;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_WAIT };

	ASSERT_EQ(0, npu_ctx_open(&other));
	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 3);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, self->a));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &handle));
	handle.handle = 0;
	ASSERT_EQ(0, npu_ioctl(other.fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &handle));
	sync.handle = handle.handle;
	cmd_nop(npu_ctx_cmd(&other, 0));
	job = (struct drm_npu_job){ .list = other.list.va, .count = 1 };
	EXPECT_EQ(0, npu_submit_syncs(other.fd, other.queue, &job, 1, &sync, 1));
	EXPECT_TRUE(npu_ctx_works(&other));
	EXPECT_EQ(3, self->data[0]);
	npu_ctx_close(&other);
	close(handle.fd);
}

TEST_HARNESS_MAIN

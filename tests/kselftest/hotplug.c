// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Errors of the bus, resets from outside, and a device that goes while it works. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"
#include "npu_vm.h"
#include "kselftest_harness.h"

FIXTURE(hotplug)
{
	struct npu_ctx ctx;
	uint32_t done;
	volatile uint64_t *data;
};

/* A job that waits until somebody writes 1 to its first word, and data that has to survive. */
FIXTURE_SETUP(hotplug)
{
	struct npu_ctx *ctx = &self->ctx;
	int ret = npu_ctx_open(ctx);

	if (ret == -ENODEV)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, ret);
	self->data = ctx->data.cpu;
	memset((void *)self->data, 0, 0x1000);
	self->data[100] = 0x1020304050607080;
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &self->done));
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, 1);
	cmd_write(npu_ctx_cmd(ctx, 1), CTX_DATA_VA + 8, 7);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, self->done));
}

FIXTURE_TEARDOWN(hotplug)
{
	npu_syncobj_destroy(self->ctx.fd, self->done);
	npu_ctx_close(&self->ctx);
}

/*
 * The first in the file is the last to be run: the slot is not what it was after it.
 * Pulled out: everything ends soon and nobody is killed; another one in the slot works.
 */
TEST_F(hotplug, pulled_out_at_work)
{
	struct npu_ctx *ctx = &self->ctx, next;
	struct drm_npu_dev_info info;
	struct drm_syncobj_handle fence = {
		.handle = self->done,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	struct pollfd signalled = { .events = POLLIN };
	int dmabuf, ret;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, npu_export(ctx->fd, ctx->list.handle, &dmabuf));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &fence));
	signalled.fd = fence.fd;
	ASSERT_EQ(0, vm_ask("pull npu0"));
	EXPECT_EQ(1, poll(&signalled, 1, WAIT_NS / 1000000));
	close(fence.fd);

	while ((ret = npu_query(ctx->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info))) != -ENODEV) {
		if (ret)
			ASSERT_EQ(-EIO, ret);
		usleep(10000);
	}
	/* No SIGBUS, in neither memory. */
	self->data[3] = 3;
	*(volatile uint64_t *)ctx->list.cpu = 4;
	EXPECT_EQ(4, *(volatile uint64_t *)ctx->list.cpu);
	close(dmabuf);

	ASSERT_EQ(0, vm_ask("plug npu0"));
	for (ret = -ENODEV; ret; usleep(100000))
		ret = npu_ctx_open(&next);
	EXPECT_TRUE(npu_ctx_works(&next));
	npu_ctx_close(&next);
}

/* The queue is lost, memory and VM are not: a new queue goes on with them. */
static void check_lost(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t done,
		       volatile uint64_t *data)
{
	struct drm_npu_queue_get_state state;
	int ret;

	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, done, 0, WAIT_NS));
	EXPECT_EQ(-ECANCELED, npu_syncobj_error(ctx->fd, done));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_LOST, state.state);
	EXPECT_EQ(1, state.reset_count);
	EXPECT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));

	/* Until the link has been reset there is only EIO. */
	while ((ret = npu_queue_create(ctx->fd, ctx->vm, &ctx->queue)) == -EIO)
		usleep(10000);
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0x1020304050607080, data[100]);
	EXPECT_EQ(0, data[1]);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(hotplug, error_that_is_not_fatal_costs_nothing)
{
	struct drm_npu_queue_get_state state;
	struct npu_ctx *ctx = &self->ctx;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, vm_ask("aer npu0 COMP_TIME"));
	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	EXPECT_EQ(7, self->data[1]);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_OK, state.state);
	EXPECT_EQ(0, state.reset_count);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(hotplug, fatal_error_costs_queues_only)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, vm_ask("aer npu0 DLP"));
	check_lost(_metadata, &self->ctx, self->done, self->data);
}

TEST_F(hotplug, function_level_reset_costs_queues_only)
{
	int ret = power_set(self->ctx.fd, "../reset", "1");

	if (ret == -EACCES || ret == -ENOENT)
		SKIP(return, "needs root, and a device that can be reset");
	ASSERT_EQ(0, ret);
	check_lost(_metadata, &self->ctx, self->done, self->data);
}

TEST_HARNESS_MAIN

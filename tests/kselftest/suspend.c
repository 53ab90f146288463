// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The system sleeps while jobs run and wait. Needs npu-vm --sleep: the PM core's own test mode
 * goes all the way to where firmware would take over, and back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(suspend)
{
	struct npu_ctx ctx;
	uint32_t done;
	volatile uint64_t *data;
};

FIXTURE_SETUP(suspend)
{
	int ret = npu_ctx_open(&self->ctx);

	if (ret == -ENODEV)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, ret);
	self->data = self->ctx.data.cpu;
	memset((void *)self->data, 0, 0x1000);
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &self->done));
	if (write_file("/sys/module/suspend/parameters/pm_test_delay", "0") ||
	    write_file("/sys/power/pm_test", "platform"))
		SKIP(return, "no test mode of suspend");
}

FIXTURE_TEARDOWN(suspend)
{
	npu_syncobj_destroy(self->ctx.fd, self->done);
	npu_ctx_close(&self->ctx);
}

static int sleep_system(void)
{
	return write_file("/sys/power/state", "freeze");
}

static void check_good(struct __test_metadata *_metadata, struct npu_ctx *ctx)
{
	struct drm_npu_queue_get_state state;

	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_OK, state.state);
	EXPECT_EQ(0, state.reset_count);
	EXPECT_EQ(state.jobs_submitted, state.jobs_completed);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(suspend, idle_device)
{
	self->data[1] = 0x5555;
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, sleep_system());
		EXPECT_EQ(0x5555, self->data[1]);
		EXPECT_TRUE(npu_ctx_works(&self->ctx));
		self->data[1] = 0x5555;
	}
	check_good(_metadata, &self->ctx);
}

TEST_F(suspend, sleeping_device)
{
	self->data[1] = 0x5555;
	ASSERT_EQ(0, power_set(self->ctx.fd, "autosuspend_delay_ms", "20"));
	ASSERT_TRUE(power_wait_suspended(self->ctx.fd));
	EXPECT_EQ(0, sleep_system());
	EXPECT_EQ(0x5555, self->data[1]);
	ASSERT_TRUE(power_wait_suspended(self->ctx.fd));
	ASSERT_EQ(0, power_set(self->ctx.fd, "autosuspend_delay_ms", "2000"));
	check_good(_metadata, &self->ctx);
}

/* A counter tells of each command that is done twice or not at all. */
static void cmd_count(struct npu_cmd *cmd, uint64_t va)
{
	cmd_sem_signal(cmd, va, 1);
	cmd->sem.op = NPU_SEM_ADD;
}

/*
 * The first entry has been done in part: its first two commands count, and the third waits. The
 * ring is where it is after some use, and other entries are behind it.
 */
TEST_F(suspend, in_the_middle_of_an_entry)
{
	const unsigned int rest = 20;
	struct npu_ctx *ctx = &self->ctx;

	for (unsigned int i = 0; i < 100; i++) {
		cmd_nop(npu_ctx_cmd(ctx, 0));
		ASSERT_EQ(0, npu_ctx_run(ctx, 1));
	}

	cmd_count(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 8);
	cmd_count(npu_ctx_cmd(ctx, 1), CTX_DATA_VA + 8);
	cmd_sem_wait(npu_ctx_cmd(ctx, 2), CTX_DATA_VA, 1);
	cmd_count(npu_ctx_cmd(ctx, 3), CTX_DATA_VA + 16);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 4, 0));
	cmd_count(npu_ctx_cmd(ctx, 8), CTX_DATA_VA + 24);
	for (unsigned int i = 0; i < rest; i++) {
		ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va + 8 * sizeof(struct npu_cmd),
					1, self->done));
	}
	while (self->data[1] != 2)
		usleep(1000);

	ASSERT_EQ(0, sleep_system());
	EXPECT_EQ(2, self->data[1]);
	EXPECT_EQ(0, self->data[2]);
	ASSERT_EQ(0, sleep_system());

	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	EXPECT_EQ(2, self->data[1]);
	EXPECT_EQ(1, self->data[2]);
	EXPECT_EQ(rest, self->data[3]);
	check_good(_metadata, ctx);
}

/* What fails after the sleep is told as if there had been none. */
TEST_F(suspend, fault_after_it)
{
	struct drm_npu_queue_get_state state;
	struct npu_ctx *ctx = &self->ctx;

	cmd_count(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 8);
	cmd_sem_wait(npu_ctx_cmd(ctx, 1), CTX_DATA_VA, 1);
	cmd_write(npu_ctx_cmd(ctx, 2), TEST_VA - 0x1000, 1);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 3, self->done));
	while (self->data[1] != 1)
		usleep(1000);

	ASSERT_EQ(0, sleep_system());
	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(-EIO, npu_syncobj_error(ctx->fd, self->done));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_FAULT, state.state);
	EXPECT_EQ(2, state.fault_command);
	EXPECT_EQ(TEST_VA - 0x1000, state.fault_address);
}

TEST_F(suspend, many_queues)
{
	uint32_t queues[8];
	struct npu_ctx *ctx = &self->ctx;

	for (unsigned int i = 0; i < 8; i++) {
		struct npu_cmd *cmd = npu_ctx_cmd(ctx, 4 * i);

		ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &queues[i]));
		cmd_sem_wait(cmd, CTX_DATA_VA + 64 * i, 1);
		cmd_sem_signal(cmd + 1, CTX_DATA_VA + 64 * (i + 1), 1);
		ASSERT_EQ(0, npu_submit(ctx->fd, queues[i],
					ctx->list.va + 4 * i * sizeof(struct npu_cmd), 2,
					i == 7 ? self->done : 0));
	}

	ASSERT_EQ(0, sleep_system());
	self->data[0] = 1;
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT_EQ(0, npu_queue_destroy(ctx->fd, queues[i]));
	}
	check_good(_metadata, ctx);
}

/* A kernel without end comes to no border: the system stays awake, and nothing is lost. */
TEST_F(suspend, endless_kernel_keeps_the_system_awake)
{
	struct npu_ctx *ctx = &self->ctx, other;
	uint32_t *code = (uint32_t *)(self->data + 256);

	code[0] = RV_LOOP;
	cmd_kernel(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 2048, 0, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = 60000000;
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, self->done));
	EXPECT_EQ(-EBUSY, sleep_system());

	ASSERT_EQ(0, npu_ctx_open(&other));
	EXPECT_TRUE(npu_ctx_works(&other));
	npu_ctx_close(&other);
	EXPECT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
	EXPECT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
	EXPECT_EQ(0, sleep_system());
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_HARNESS_MAIN

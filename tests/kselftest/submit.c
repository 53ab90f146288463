// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_SUBMIT: good and bad calls, and each command once */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(submit)
{
	struct npu_ctx ctx;
	volatile uint64_t *data;
};

FIXTURE_SETUP(submit)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->data = self->ctx.data.cpu;
}

FIXTURE_TEARDOWN(submit)
{
	npu_ctx_close(&self->ctx);
}

TEST_F(submit, nop)
{
	struct drm_npu_queue_get_state state;

	cmd_nop(npu_ctx_cmd(&self->ctx, 0));
	EXPECT_EQ(0, npu_ctx_run(&self->ctx, 1));
	ASSERT_EQ(0, npu_queue_state(self->ctx.fd, self->ctx.queue, &state));
	EXPECT_EQ(1, state.jobs_submitted);
	EXPECT_EQ(1, state.jobs_completed);
	EXPECT_EQ(DRM_NPU_QUEUE_OK, state.state);
}

TEST_F(submit, copy_and_fill)
{
	struct npu_ctx *ctx = &self->ctx;

	for (int i = 0; i < 4096; i++)
		self->data[i] = i * 3;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x100000, ctx->data.va, 4096 * 8);
	cmd_fill(npu_ctx_cmd(ctx, 1), ctx->data.va + 8, 16, 0xa5a5a5a5);
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	for (int i = 0; i < 4096; i++) {
		ASSERT_EQ(i * 3, self->data[0x20000 + i]);
	}
	EXPECT_EQ(0, self->data[0]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5, self->data[1]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5, self->data[2]);
	EXPECT_EQ(9, self->data[3]);
}

TEST_F(submit, copy_2d)
{
	struct npu_ctx *ctx = &self->ctx;
	struct npu_cmd *cmd = npu_ctx_cmd(ctx, 0);

	for (int i = 0; i < 64 * 64; i++)
		self->data[i] = i;
	cmd_copy(cmd, ctx->data.va + 0x200000, ctx->data.va, 16);
	cmd->copy.rows = 10;
	cmd->copy.src_pitch = 64 * 8;
	cmd->copy.dst_pitch = 32;
	ASSERT_EQ(0, npu_ctx_run(ctx, 1));
	for (int row = 0; row < 10; row++) {
		EXPECT_EQ(row * 64, self->data[0x40000 + row * 4]);
		EXPECT_EQ(row * 64 + 1, self->data[0x40000 + row * 4 + 1]);
		EXPECT_EQ(0, self->data[0x40000 + row * 4 + 2]);
	}
}

TEST_F(submit, write_and_timestamp)
{
	struct npu_ctx *ctx = &self->ctx;

	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 0xfeedface12345678);
	cmd_timestamp(npu_ctx_cmd(ctx, 1), ctx->data.va + 8);
	cmd_timestamp(npu_ctx_cmd(ctx, 2), ctx->data.va + 16);
	ASSERT_EQ(0, npu_ctx_run(ctx, 3));
	EXPECT_EQ(0xfeedface12345678, self->data[0]);
	EXPECT_NE(0, self->data[1]);
	EXPECT_GE(self->data[2], self->data[1]);
}

TEST_F(submit, kernel_blocks)
{
	struct npu_ctx *ctx = &self->ctx;
	/* data[block] = args[0]: slli t1, a1, 3; ld t0, 0(a0); ld t2, 8(a0); add; sd; ecall */
	const uint32_t code[] = {
		0x00359313, rv_ld(5, 10, 0), rv_ld(7, 10, 8), 0x006383b3, rv_sd(5, 7, 0), RV_ECALL,
	};

	memcpy((void *)(self->data + 0x10000), code, sizeof(code));
	self->data[0x8000] = 0x77;
	self->data[0x8001] = ctx->data.va;
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + 0x80000, ctx->data.va + 0x40000, 100);
	ASSERT_EQ(0, npu_ctx_run(ctx, 1));
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(0x77, self->data[i]) TH_LOG("block %d", i);
	}
	EXPECT_EQ(0, self->data[100]);
}

TEST_F(submit, host_memory_both_ways)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *host = (uint64_t *)((char *)ctx->list.cpu + 0x8000);

	for (int i = 0; i < 1024; i++)
		host[i] = i ^ 0x5555;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, ctx->list.va + 0x8000, 8192);
	cmd_fill(npu_ctx_cmd(ctx, 1), ctx->list.va + 0x8000, 8192, 0);
	cmd_copy(npu_ctx_cmd(ctx, 2), ctx->list.va + 0xa000, ctx->data.va, 8192);
	ASSERT_EQ(0, npu_ctx_run(ctx, 3));
	for (int i = 0; i < 1024; i++) {
		ASSERT_EQ(i ^ 0x5555, self->data[i]);
		ASSERT_EQ(0, host[i]);
		ASSERT_EQ(i ^ 0x5555, host[1024 + i]);
	}
}

TEST_F(submit, many_jobs_in_one_call_run_in_order)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_job jobs[200] = { 0 };
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	for (int i = 0; i < 200; i++) {
		cmd_write(npu_ctx_cmd(ctx, i), ctx->data.va + i % 2 * 8, i);
		jobs[i].list = ctx->list.va + i * sizeof(struct npu_cmd);
		jobs[i].count = 1;
	}
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, jobs, 200, &sync, 1));
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, sync.handle, 0, WAIT_NS));
	EXPECT_EQ(198, self->data[0]);
	EXPECT_EQ(199, self->data[1]);
}

TEST_F(submit, more_jobs_than_the_ring_holds)
{
	struct npu_ctx *ctx = &self->ctx;

	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	cmd_nop(npu_ctx_cmd(ctx, 1));
	for (int i = 0; i < 3000; i++) {
		ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, 0));
	}
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(submit, a_list_of_a_thousand_commands)
{
	struct npu_ctx *ctx = &self->ctx;
	struct npu_mem list;

	ASSERT_EQ(0, npu_mem_create(ctx->fd, ctx->vm, 0x10000, DRM_NPU_BO_SYSTEM,
				    TEST_VA + 0x100000, &list));
	for (int i = 0; i < 1000; i++)
		cmd_write((struct npu_cmd *)list.cpu + i, ctx->data.va + i * 8, i + 1);
	ASSERT_EQ(0, npu_run(ctx->fd, ctx->queue, list.va, 1000));
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(i + 1, self->data[i]);
	}
	npu_mem_destroy(ctx->fd, ctx->vm, &list);
}

TEST_F(submit, no_jobs_is_a_barrier)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 5);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, 0));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, NULL, 0, &sync, 1));
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, sync.handle, 0, WAIT_NS));
	EXPECT_EQ(5, self->data[0]);
}

TEST_F(submit, bad_arguments)
{
	struct npu_ctx *ctx = &self->ctx;
	struct {
		struct drm_npu_job job;
		uint64_t tail;
	} element = { .job = { .list = ctx->list.va, .count = 1 } };
	const struct drm_npu_submit good = {
		.queue_id = ctx->queue,
		.jobs = { .stride = sizeof(element), .count = 1, .array = (uintptr_t)&element },
	};
	struct drm_npu_submit submit = good;
	const struct drm_npu_job job = element.job;

#define SUBMIT() npu_ioctl(ctx->fd, DRM_IOCTL_NPU_SUBMIT, &submit)
	cmd_nop(npu_ctx_cmd(ctx, 0));
	EXPECT_EQ(0, SUBMIT()) TH_LOG("a longer element with a zero tail");
	element.tail = 1;
	EXPECT_EQ(-E2BIG, SUBMIT());
	element.tail = 0;
	submit.queue_id = 4242;
	EXPECT_EQ(-ENOENT, SUBMIT());
	submit = good;
	submit.flags = 1;
	EXPECT_EQ(-EINVAL, SUBMIT());
	submit = good;
	submit.jobs.stride = 8;
	EXPECT_EQ(-EINVAL, SUBMIT());
	submit = good;
	submit.jobs.count = 257;
	EXPECT_EQ(-EINVAL, SUBMIT());
	submit = good;
	submit.syncs.count = 1u << 30;
	submit.syncs.stride = 16;
	EXPECT_EQ(-EINVAL, SUBMIT());
	submit = good;
	submit.jobs.array = 128;
	EXPECT_EQ(-EFAULT, SUBMIT());
	submit = good;
	element.job.count = 0;
	EXPECT_EQ(-EINVAL, SUBMIT());
	element.job = job;
	element.job.list += 8;
	EXPECT_EQ(-EINVAL, SUBMIT());
	element.job = job;
	element.job.list = 0;
	EXPECT_EQ(-EINVAL, SUBMIT());
	element.job = job;
	element.job.list = NPU_VA_END - 64;
	element.job.count = 2;
	EXPECT_EQ(-EINVAL, SUBMIT());
	element.job = job;
	element.job.flags = 1;
	EXPECT_EQ(-EINVAL, SUBMIT());
	element.job = job;
	element.job.pad = 1;
	EXPECT_EQ(-EINVAL, SUBMIT());
#undef SUBMIT
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Processes that go away with work in flight, fork, and pass descriptors on. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define CODE 0x100000

/* What a child was doing when it went away. */
enum work {
	WORK_ENDLESS_KERNEL,
	WORK_SEMAPHORE,
	WORK_COPIES,
};

static int start_work(struct npu_ctx *ctx, enum work work)
{
	const uint32_t loop = RV_LOOP;
	int ret = 0;

	switch (work) {
	case WORK_ENDLESS_KERNEL:
		memcpy((char *)ctx->data.cpu + CODE, &loop, sizeof(loop));
		cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 48);
		return npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, 0);
	case WORK_SEMAPHORE:
		cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
		return npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, 0);
	case WORK_COPIES:
		for (int i = 0; i < 512; i++)
			cmd_copy(npu_ctx_cmd(ctx, i), ctx->data.va, ctx->data.va + 0x200000,
				 0x200000);
		for (int i = 0; !ret && i < 16; i++)
			ret = npu_submit(ctx->fd, ctx->queue, ctx->list.va, 512, 0);
		return ret;
	}
	return -EINVAL;
}

FIXTURE(process)
{
	struct npu_ctx ctx;
	uint64_t hbm_used;
};

FIXTURE_VARIANT(process)
{
	enum work work;
};

FIXTURE_VARIANT_ADD(process, endless_kernel)
{
	.work = WORK_ENDLESS_KERNEL,
};

FIXTURE_VARIANT_ADD(process, semaphore)
{
	.work = WORK_SEMAPHORE,
};

FIXTURE_VARIANT_ADD(process, copies)
{
	.work = WORK_COPIES,
};

FIXTURE_SETUP(process)
{
	struct drm_npu_dev_memory memory = { 0 };

	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)));
	self->hbm_used = memory.hbm_used;
}

FIXTURE_TEARDOWN(process)
{
	struct drm_npu_dev_memory memory = { 0 };

	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	EXPECT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)));
	EXPECT_EQ(self->hbm_used, memory.hbm_used) TH_LOG("device memory was lost");
	npu_ctx_close(&self->ctx);
}

TEST_F(process, killed_with_work_in_flight)
{
	int pipes[2], status;
	char byte;
	pid_t pid;

	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(0, pipe(pipes));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			struct npu_ctx ctx;

			byte = !npu_ctx_open(&ctx) && !start_work(&ctx, variant->work);
			if (write(pipes[1], &byte, 1) != 1)
				_exit(1);
			pause();
			_exit(0);
		}
		ASSERT_EQ(1, read(pipes[0], &byte, 1));
		EXPECT_EQ(1, byte);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		close(pipes[0]);
		close(pipes[1]);
		EXPECT_TRUE(npu_ctx_works(&self->ctx));
	}
}

TEST_F(process, queue_destroyed_with_work_in_flight)
{
	struct npu_ctx ctx;
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };

	ASSERT_EQ(0, npu_ctx_open(&ctx));
	ASSERT_EQ(0, npu_syncobj_create(ctx.fd, &sync.handle));
	ASSERT_EQ(0, start_work(&ctx, variant->work));
	ASSERT_EQ(0, npu_submit_syncs(ctx.fd, ctx.queue, NULL, 0, &sync, 1));
	ASSERT_EQ(0, npu_queue_destroy(ctx.fd, ctx.queue));
	EXPECT_EQ(0, npu_syncobj_wait(ctx.fd, sync.handle, 0, WAIT_NS));
	ASSERT_EQ(0, npu_queue_create(ctx.fd, ctx.vm, &ctx.queue));
	EXPECT_TRUE(npu_ctx_works(&ctx));
	npu_ctx_close(&ctx);
}

TEST_F(process, file_closed_with_work_in_flight)
{
	struct npu_ctx ctx;

	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(0, npu_ctx_open(&ctx));
		ASSERT_EQ(0, start_work(&ctx, variant->work));
		npu_ctx_close(&ctx);
	}
}

TEST_F(process, memory_unmapped_with_work_in_flight)
{
	struct npu_ctx ctx;

	/* The work faults, or had ended; the kernel and the others do not care. */
	ASSERT_EQ(0, npu_ctx_open(&ctx));
	ASSERT_EQ(0, start_work(&ctx, variant->work));
	ASSERT_EQ(0, npu_vm_unmap(ctx.fd, ctx.vm, ctx.data.va, ctx.data.size));
	ASSERT_EQ(0, npu_bo_close(ctx.fd, ctx.data.handle));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	npu_ctx_close(&ctx);
}

TEST_F(process, fork_leaves_the_parent_alone)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

TEST_HARNESS_MAIN

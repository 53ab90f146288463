// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Failing and endless tasks: reported, stopped, and nobody else is disturbed. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define CODE 0x100000

FIXTURE(fault)
{
	struct npu_ctx ctx;
	struct npu_ctx neighbour;
};

FIXTURE_SETUP(fault)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_ctx_open(&self->neighbour));
}

FIXTURE_TEARDOWN(fault)
{
	/* Whatever happened, others and newcomers work. */
	EXPECT_TRUE(npu_ctx_works(&self->neighbour));
	npu_ctx_close(&self->ctx);
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	npu_ctx_close(&self->ctx);
	npu_ctx_close(&self->neighbour);
}

static void put_code(struct npu_ctx *ctx, const uint32_t *code, size_t size)
{
	memcpy((char *)ctx->data.cpu + CODE, code, size);
}

static void expect_fault(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t status,
			 struct drm_npu_queue_get_state *state)
{
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, state));
	EXPECT_EQ(status == NPU_ST_TIMEOUT ? DRM_NPU_QUEUE_TIMEOUT : DRM_NPU_QUEUE_FAULT,
		  state->state);
	EXPECT_EQ(status, state->fault_status);
}

TEST_F(fault, second_command_of_three)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	volatile uint64_t *data = ctx->data.cpu;

	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va + 64, 0xdead00000000, 64);
	npu_ctx_cmd(ctx, 1)->tag = 0x7a67;
	cmd_write(npu_ctx_cmd(ctx, 2), ctx->data.va + 8, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 3));
	expect_fault(_metadata, ctx, NPU_ST_MMU_READ, &state);
	EXPECT_EQ(1, state.fault_command);
	EXPECT_EQ(0xdead00000000, state.fault_address);
	EXPECT_EQ(NPU_ACCESS_READ, state.fault_access);
	EXPECT_EQ(NPU_UNIT_SDMA, state.fault_unit);
	EXPECT_EQ(0x7a67, state.fault_tag);
	EXPECT_NE(0, state.fault_timestamp);
	EXPECT_EQ(1, data[0]);
	EXPECT_EQ(0, data[1]);
}

TEST_F(fault, list_that_is_not_mapped)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	EXPECT_EQ(-EIO, npu_run(ctx->fd, ctx->queue, 0xbad000000000, 1));
	expect_fault(_metadata, ctx, NPU_ST_MMU_READ, &state);
	EXPECT_EQ(0xbad000000000, state.fault_address);
	EXPECT_EQ(NPU_UNIT_SCHED, state.fault_unit);
}

TEST_F(fault, bad_commands)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	struct npu_cmd *cmd = npu_ctx_cmd(ctx, 0);

	for (int i = 0; i < 7; i++) {
		cmd_write(cmd, ctx->data.va, 1);
		switch (i) {
		case 0:
			cmd->opcode = 200;
			break;
		case 1:
			cmd->flags = 0x80;
			break;
		case 2:
			cmd->rsvd = 1;
			break;
		case 3:
			cmd->write.address += 4;
			break;
		case 4:
			cmd->write.bytes = 3;
			break;
		case 5:
			cmd->write.rsvd[6] = 1;
			break;
		case 6:
			cmd_kernel(cmd, ctx->data.va, 0, 0);
			break;
		}
		EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1)) TH_LOG("case %d", i);
		expect_fault(_metadata, ctx, NPU_ST_CMD_INVALID, &state);
		ASSERT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
		ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
	}
}

TEST_F(fault, kernel_on_a_copy_queue)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.engine_class = DRM_NPU_ENGINE_COPY,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
	};
	struct drm_npu_queue_get_state state;

	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	ctx->queue = create.id;
	EXPECT_TRUE(npu_ctx_works(ctx));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_ENGINE, &state);
}

TEST_F(fault, illegal_instruction)
{
	struct npu_ctx *ctx = &self->ctx;
	const uint32_t code[] = { 0x00000013, RV_ILLEGAL };
	struct drm_npu_queue_get_state state;

	put_code(ctx, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 4);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_ILLEGAL_INSN, &state);
	EXPECT_EQ(ctx->data.va + CODE + 4, state.fault_pc);
	EXPECT_EQ(NPU_UNIT_SCALAR, state.fault_unit);
}

TEST_F(fault, running_off_the_code)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	const uint32_t nop = 0x00000013;

	/* The last word of the buffer is a nop; behind it nothing is mapped. */
	memcpy((char *)ctx->data.cpu + CTX_DATA_SIZE - 4, &nop, 4);
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CTX_DATA_SIZE - 4, 0, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_MMU_EXEC, &state);
	EXPECT_EQ(ctx->data.va + CTX_DATA_SIZE, state.fault_address);
}

TEST_F(fault, misaligned_tile)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	/* lui t1, UB; addi t1, t1, 4; li t2, 64; li t3, 4; mte_set t1, zero, t2, t3 */
	const uint32_t code[] = {
		NPU_UB_BASE | 6 << 7 | 0x37, 0x00430313, 0x04000393, 0x00400e13,
		28u << 27 | 7 << 20 | 0 << 15 | NPU_MTE_SET << 12 | 6 << 7 | 0x0b, RV_ECALL,
	};

	put_code(ctx, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_TILE_ALIGN, &state);
	EXPECT_EQ(ctx->data.va + CODE + 16, state.fault_pc);
	EXPECT_EQ(NPU_UB_BASE + 4, state.fault_address);
	EXPECT_EQ(NPU_UNIT_MTE, state.fault_unit);
}

TEST_F(fault, kernel_address_outside_the_context)
{
	struct npu_ctx *ctx = &self->ctx;
	const uint32_t code[] = { rv_sd(0, 10, 0), RV_ECALL };
	struct drm_npu_queue_get_state state;

	put_code(ctx, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0x9990000000, 1);
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_MMU_WRITE, &state);
	EXPECT_EQ(0x9990000000, state.fault_address);
	EXPECT_EQ(ctx->data.va + CODE, state.fault_pc);
}

TEST_F(fault, stopped_queue_refuses_jobs)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	cmd_nop(npu_ctx_cmd(ctx, 0));
	ASSERT_EQ(-EIO, npu_run(ctx->fd, ctx->queue, 0xbad000000000, 1));
	EXPECT_EQ(-ECANCELED, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(1, state.jobs_submitted);
}

TEST_F(fault, jobs_behind_the_failed_one_are_cancelled)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *data = ctx->data.cpu;
	uint32_t first, behind;

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &first));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &behind));
	data[100] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + 800, 1);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va, 0xdead00000000, 8);
	cmd_write(npu_ctx_cmd(ctx, 2), ctx->data.va, 77);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, first));
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va + 128, 1, behind));
	data[100] = 1;
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, first, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, behind, 0, WAIT_NS));
	EXPECT_EQ(-EIO, npu_syncobj_error(ctx->fd, first));
	EXPECT_EQ(-ECANCELED, npu_syncobj_error(ctx->fd, behind));
	EXPECT_EQ(0, data[0]);
}

TEST_F(fault, endless_kernel_times_out)
{
	struct npu_ctx *ctx = &self->ctx;
	const uint32_t code[] = { RV_LOOP };
	struct drm_npu_queue_get_state state;
	uint32_t syncobj;

	put_code(ctx, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 30);
	npu_ctx_cmd(ctx, 0)->timeout_us = 300000;
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, syncobj));
	/* Others go on while it runs, though it fills every core. */
	for (int i = 0; i < 5; i++) {
		EXPECT_TRUE(npu_ctx_works(&self->neighbour));
	}
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS));
	EXPECT_EQ(-ETIME, npu_syncobj_error(ctx->fd, syncobj));
	expect_fault(_metadata, ctx, NPU_ST_TIMEOUT, &state);
	EXPECT_EQ(0, state.fault_command);
}

TEST_F(fault, kernels_of_others_run_beside_an_endless_one)
{
	struct npu_ctx *ctx = &self->ctx, *other = &self->neighbour;
	const uint32_t loop[] = { RV_LOOP };
	const uint32_t code[] = { rv_ld(5, 10, 0), rv_sd(5, 10, 8), RV_ECALL };
	volatile uint64_t *data = other->data.cpu;
	uint32_t syncobj;

	put_code(ctx, loop, sizeof(loop));
	cmd_kernel(npu_ctx_cmd(ctx, 0), ctx->data.va + CODE, 0, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = 2000000;
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, syncobj));
	put_code(other, code, sizeof(code));
	data[0] = 0x99;
	cmd_kernel(npu_ctx_cmd(other, 0), other->data.va + CODE, other->data.va, 1);
	EXPECT_EQ(0, npu_ctx_run(other, 1));
	EXPECT_EQ(0x99, data[1]);
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS));
}

TEST_F(fault, semaphore_that_nobody_signals)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = 50000;
	EXPECT_EQ(-ETIME, npu_ctx_run(ctx, 1));
	expect_fault(_metadata, ctx, NPU_ST_TIMEOUT, &state);
}

TEST_F(fault, time_out_of_the_job_and_of_the_queue)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_job job = { .list = ctx->list.va, .count = 1, .timeout_ms = 50 };
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.timeout_ms = 50,
	};

	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &job, 1, &sync, 1));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, sync.handle, 0, WAIT_NS));
	EXPECT_EQ(-ETIME, npu_syncobj_error(ctx->fd, sync.handle));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	EXPECT_EQ(-ETIME, npu_run(ctx->fd, create.id, ctx->list.va, 1));
}

/* The watchdog of the driver, ten seconds longer than the queue's time-out, knows only that one. */
TEST_F(fault, command_with_a_longer_time_out_than_its_queue)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.timeout_ms = 1,
	};
	volatile uint64_t *data = ctx->data.cpu;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	data[0] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = 60000000;
	ASSERT_EQ(0, npu_submit(ctx->fd, create.id, ctx->list.va, 1, syncobj));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, syncobj, 0, 12000000000LL));
	data[0] = 1;
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, syncobj));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What is stopped, what is not, and who is told: guilt, counters, priorities, resets. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define CODE 0x100000
#define COUNT 0x200000 /* word that the work of the low queue advances */

FIXTURE(recovery)
{
	struct npu_ctx ctx;
	struct npu_ctx other;
	struct drm_npu_dev_resets before;
};

FIXTURE_SETUP(recovery)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	ASSERT_EQ(0, npu_ctx_open(&self->other));
	ASSERT_EQ(0, npu_query(self->ctx.fd, DRM_NPU_DEV_QUERY_RESETS, &self->before,
			       sizeof(self->before)));
	EXPECT_EQ(0, self->before.wedged);
}

FIXTURE_TEARDOWN(recovery)
{
	npu_ctx_close(&self->ctx);
	npu_ctx_close(&self->other);
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	npu_ctx_close(&self->ctx);
}

static void expect_counts(struct __test_metadata *_metadata,
			  FIXTURE_DATA(recovery) *self, unsigned int tasks, unsigned int devices)
{
	struct drm_npu_dev_resets now;

	ASSERT_EQ(0, npu_query(self->other.fd, DRM_NPU_DEV_QUERY_RESETS, &now, sizeof(now)));
	EXPECT_EQ(self->before.tasks + tasks, now.tasks);
	EXPECT_EQ(self->before.queues, now.queues);
	EXPECT_EQ(self->before.cores, now.cores);
	EXPECT_EQ(self->before.devices + devices, now.devices);
	EXPECT_EQ(self->before.lost_interrupts, now.lost_interrupts);
	EXPECT_EQ(self->before.bad_completions, now.bad_completions);
	EXPECT_EQ(self->before.firmware_crashes, now.firmware_crashes);
	EXPECT_EQ(0, now.wedged);
}

static void expect_state(struct __test_metadata *_metadata, struct npu_ctx *ctx,
			 uint32_t status, uint32_t recovery, uint32_t guilty)
{
	struct drm_npu_queue_get_state state;

	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(status, state.state);
	EXPECT_EQ(recovery, state.recovery);
	EXPECT_EQ(guilty, state.guilty);
}

TEST_F(recovery, query_sizes)
{
	struct { struct drm_npu_dev_resets resets; uint64_t canary; } reply = { .canary = 5 };
	struct drm_npu_dev_query query = { .type = DRM_NPU_DEV_QUERY_RESETS };

	ASSERT_EQ(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(sizeof(reply.resets), query.size);
	query.pointer = (uintptr_t)&reply;
	query.size = sizeof(reply);
	ASSERT_EQ(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(sizeof(reply.resets), query.size);
	EXPECT_EQ(5, reply.canary);
	EXPECT_EQ(0, reply.resets.pad);
	memset(&reply, 0xaa, sizeof(reply));
	query.size = 8;
	ASSERT_EQ(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(8, query.size);
	EXPECT_EQ(self->before.tasks, reply.resets.tasks);
	EXPECT_EQ(0xaaaaaaaaaaaaaaaa, reply.resets.queues);
}

TEST_F(recovery, a_queue_that_runs)
{
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_OK, DRM_NPU_RECOVERY_NONE, 0);
	expect_counts(_metadata, self, 0, 0);
}

TEST_F(recovery, who_faults_is_guilty_and_nobody_else_notices)
{
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	EXPECT_EQ(-EIO, npu_run(self->ctx.fd, self->ctx.queue, 0xbad000000000, 1));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_FAULT, DRM_NPU_RECOVERY_TASK, 1);
	expect_counts(_metadata, self, 1, 0);
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
	expect_state(_metadata, &self->other, DRM_NPU_QUEUE_OK, DRM_NPU_RECOVERY_NONE, 0);
}

TEST_F(recovery, who_takes_too_long_is_guilty_and_nobody_else_notices)
{
	const uint32_t code[] = { RV_LOOP };
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	memcpy((char *)self->ctx.data.cpu + CODE, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(&self->ctx, 0), self->ctx.data.va + CODE, 0, 2);
	npu_ctx_cmd(&self->ctx, 0)->timeout_us = 100000;
	EXPECT_EQ(-ETIME, npu_ctx_run(&self->ctx, 1));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_TIMEOUT, DRM_NPU_RECOVERY_TASK, 1);
	expect_counts(_metadata, self, 1, 0);
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
	expect_state(_metadata, &self->other, DRM_NPU_QUEUE_OK, DRM_NPU_RECOVERY_NONE, 0);
}

/* A list that goes round for ever, though each of its commands is short. */
TEST_F(recovery, endless_loop)
{
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(&self->other, &syncobj));
	cmd_fill(npu_ctx_cmd(&self->ctx, 0), self->ctx.data.va, 4096, 1);
	cmd_branch(npu_ctx_cmd(&self->ctx, 1), self->ctx.data.va, 0, -1);
	npu_ctx_cmd(&self->ctx, 1)->timeout_us = 100000;
	EXPECT_EQ(-ETIME, npu_ctx_run(&self->ctx, 2));
	expect_state(_metadata, &self->ctx, DRM_NPU_QUEUE_TIMEOUT, DRM_NPU_RECOVERY_TASK, 1);
	EXPECT_EQ(0, npu_ctx_release(&self->other, syncobj));
	expect_state(_metadata, &self->other, DRM_NPU_QUEUE_OK, DRM_NPU_RECOVERY_NONE, 0);
}

/* The address space counts what was wrong with addresses, and nothing else. */
TEST_F(recovery, faults_of_an_address_space)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_get_state state = { .id = ctx->vm };

	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(0, state.faults);
	EXPECT_EQ(0, state.fault_address);
	cmd_nop(npu_ctx_cmd(ctx, 0));
	npu_ctx_cmd(ctx, 0)->opcode = 200;
	EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(0, state.faults);
	for (uint64_t i = 1; i <= 2; i++) {
		ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
		cmd_fill(npu_ctx_cmd(ctx, 0), i << 40, 4096, 5);
		EXPECT_EQ(-EIO, npu_ctx_run(ctx, 1));
		ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
		EXPECT_EQ(i, state.faults);
		EXPECT_EQ(i << 40, state.fault_address);
		EXPECT_EQ(NPU_ACCESS_WRITE, state.fault_access);
		EXPECT_EQ(NPU_ST_MMU_WRITE, state.fault_status);
	}
	state = (struct drm_npu_vm_get_state){ .id = self->other.vm };
	ASSERT_EQ(0, npu_ioctl(self->other.fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(0, state.faults);
}

/* A second queue of the same address space is innocent too. */
TEST_F(recovery, other_queues_of_the_context_go_on)
{
	struct npu_ctx second = self->ctx;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_queue_create(second.fd, second.vm, &second.queue));
	ASSERT_EQ(0, npu_ctx_start_waiting(&second, &syncobj));
	EXPECT_EQ(-EIO, npu_run(self->ctx.fd, self->ctx.queue, 0xbad000000000, 1));
	EXPECT_EQ(0, npu_ctx_release(&second, syncobj));
	expect_state(_metadata, &second, DRM_NPU_QUEUE_OK, DRM_NPU_RECOVERY_NONE, 0);
}

/* More jobs than the ring has entries go in parts, of which only the last has a fence to see. */
TEST_F(recovery, the_error_of_a_part_is_that_of_the_call)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.ring_entries = 2,
	};
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };
	struct drm_npu_job jobs[7];

	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	cmd_write(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va, 0xdead00000000, 8);
	for (int i = 0; i < 7; i++)
		jobs[i] = (struct drm_npu_job){ .list = ctx->list.va + (i == 1) * 64, .count = 1 };
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, create.id, jobs, 7, &sync, 1));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, sync.handle, 0, WAIT_NS));
	EXPECT_EQ(-EIO, npu_syncobj_error(ctx->fd, sync.handle));
}

/* Each command waits for less than its time-out; all together for longer than any watch is set. */
TEST_F_TIMEOUT(recovery, a_long_job_that_makes_progress_is_no_hang, 60)
{
	const unsigned int steps = 20, step_us = 450000, timeout_ms = 2000;
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_create create = {
		.vm_id = ctx->vm,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
		.timeout_ms = timeout_ms,
	};
	volatile uint64_t *data = ctx->data.cpu;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	for (unsigned int i = 0; i < steps; i++)
		cmd_sem_wait(npu_ctx_cmd(ctx, i), ctx->data.va, i + 1);
	data[0] = 0;
	ASSERT_EQ(0, npu_submit(ctx->fd, create.id, ctx->list.va, steps, syncobj));
	for (unsigned int i = 0; i < steps; i++) {
		usleep(step_us);
		data[0] = i + 1;
	}
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, syncobj));
	expect_counts(_metadata, self, 0, 0);
}

/* Kernels of one block for each of many cores, which count to some number. */
static void put_counting_kernel(struct npu_ctx *ctx)
{
	/* lui t0, 0x20; addi t0, t0, -1; bnez t0, -4; ecall */
	static const uint32_t code[] = { 0x000202b7, 0xfff28293, 0xfe029ee3, RV_ECALL };

	memcpy((char *)ctx->data.cpu + CODE, code, sizeof(code));
}

/*
 * While a queue of high priority runs its kernels, one of low priority that has as many and was
 * there first gets next to nothing, though it is in the midst of a list: at each border of a task
 * the choice is made anew.
 */
TEST_F_TIMEOUT(recovery, priority_decides_at_task_borders, 300)
{
	const unsigned int low_kernels = 100, high_kernels = 20, blocks = 64;
	struct npu_ctx *low = &self->ctx, *high = &self->other;
	struct drm_npu_queue_create create = { .vm_id = high->vm };
	uint64_t list = low->list.va;
	volatile uint64_t *count = (void *)((char *)low->data.cpu + COUNT);
	volatile uint64_t *seen = high->data.cpu;
	struct drm_npu_queue_create slow = { .vm_id = low->vm };
	uint32_t shared, syncobj, done;
	unsigned int rounds;
	bool decided = false;
	int dmabuf;

	slow.priority = DRM_NPU_QUEUE_PRIORITY_LOW;
	create.priority = DRM_NPU_QUEUE_PRIORITY_HIGH;
	ASSERT_EQ(0, npu_ioctl(low->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &slow));
	ASSERT_EQ(0, npu_ioctl(high->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &create));
	/* The high queue reads the count itself, in order with its kernels. */
	ASSERT_EQ(0, npu_export(low->fd, low->data.handle, &dmabuf));
	ASSERT_EQ(0, npu_import(high->fd, dmabuf, &shared));
	ASSERT_EQ(0, npu_vm_map(high->fd, high->vm, shared, 0, 0x700000000, CTX_DATA_SIZE, 0));
	ASSERT_EQ(0, npu_syncobj_create(low->fd, &syncobj));
	ASSERT_EQ(0, npu_syncobj_create(high->fd, &done));

	put_counting_kernel(low);
	put_counting_kernel(high);
	for (unsigned int i = 0; i < low_kernels; i++) {
		cmd_kernel(npu_ctx_cmd(low, 2 * i), low->data.va + CODE, 0, blocks);
		cmd_write(npu_ctx_cmd(low, 2 * i + 1), low->data.va + COUNT, i + 1);
	}
	cmd_copy(npu_ctx_cmd(high, 0), high->data.va, 0x700000000 + COUNT, 8);
	for (unsigned int i = 0; i < high_kernels; i++)
		cmd_kernel(npu_ctx_cmd(high, 1 + i), high->data.va + CODE, 0, blocks);
	cmd_copy(npu_ctx_cmd(high, 1 + high_kernels), high->data.va + 8, 0x700000000 + COUNT, 8);

	/* On a busy host a border may be long, and the low queue gets in: it must not always. */
	for (rounds = 0; rounds < 5 && !decided; rounds++) {
		*count = 0;
		ASSERT_EQ(0, npu_submit(low->fd, slow.id, list, 2 * low_kernels, syncobj));
		while (!*count)
			usleep(100);
		ASSERT_EQ(0, npu_submit(high->fd, create.id, high->list.va, 2 + high_kernels,
					done));
		ASSERT_EQ(0, npu_syncobj_wait(high->fd, done, 0, WAIT_NS));
		EXPECT_EQ(0, npu_syncobj_error(high->fd, done));
		EXPECT_EQ(0, npu_syncobj_wait(low->fd, syncobj, 0, 4 * WAIT_NS));
		EXPECT_EQ(0, npu_syncobj_error(low->fd, syncobj));
		TH_LOG("low went from %llu to %llu of %u", (unsigned long long)seen[0],
		       (unsigned long long)seen[1], low_kernels);
		decided = seen[0] >= 1 && seen[1] - seen[0] < high_kernels / 2;
	}
	EXPECT_TRUE(decided);
	close(dmabuf);
}

/* Queues are lost, whose fault it is not; memory stays, and what is mapped. */
TEST_F(recovery, device_reset)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *data = ctx->data.cpu;
	struct drm_npu_queue_get_state state;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(ctx, &syncobj));
	EXPECT_EQ(-EIO, npu_run(self->other.fd, self->other.queue, 0xbad000000000, 1));
	data[1000] = 0x1234567;
	ASSERT_EQ(0, npu_reset_device(ctx->fd));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, syncobj, 0, WAIT_NS));
	EXPECT_EQ(-ECANCELED, npu_syncobj_error(ctx->fd, syncobj));
	expect_state(_metadata, ctx, DRM_NPU_QUEUE_LOST, DRM_NPU_RECOVERY_DEVICE, 0);
	expect_state(_metadata, &self->other, DRM_NPU_QUEUE_FAULT, DRM_NPU_RECOVERY_TASK, 1);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(1, state.reset_count);
	EXPECT_EQ(-ECANCELED, npu_ctx_run(ctx, 1));
	expect_counts(_metadata, self, 1, 1);

	ASSERT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va + 16, ctx->data.va + 8000, 8);
	EXPECT_EQ(0, npu_ctx_run(ctx, 1));
	EXPECT_EQ(0x1234567, data[2]);
}

TEST_HARNESS_MAIN

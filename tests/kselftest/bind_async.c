// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_NPU_VM_BIND_ASYNC: order against jobs and each other, and what ends it early */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x7700000000ULL
#define BO_SIZE 0x600000ULL
#define SEM 0x8000 /* offset of the semaphore in the data buffer */

FIXTURE(bind_async)
{
	struct npu_ctx ctx;
	uint32_t bo[2];
	volatile uint64_t *cpu[2];
	volatile uint64_t *data;
	uint32_t in, out;
};

FIXTURE_VARIANT(bind_async)
{
	bool private;
	uint32_t placement;
};

FIXTURE_VARIANT_ADD(bind_async, private_hbm)
{
	.private = true,
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(bind_async, shared_hbm)
{
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(bind_async, shared_system)
{
	.placement = DRM_NPU_BO_SYSTEM,
};

FIXTURE_SETUP(bind_async)
{
	struct npu_ctx *ctx = &self->ctx;

	ASSERT_EQ(0, npu_ctx_open(ctx));
	self->data = ctx->data.cpu;
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, npu_bo_create_in(ctx->fd, variant->private ? ctx->vm : 0, BO_SIZE,
					      variant->placement, &self->bo[i]));
		self->cpu[i] = npu_bo_mmap(ctx->fd, self->bo[i], BO_SIZE);
		ASSERT_NE(MAP_FAILED, (void *)self->cpu[i]);
		for (uint64_t j = 0; j < BO_SIZE / 8; j += 512)
			self->cpu[i][j] = (i + 1) * 1000000 + j;
	}
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &self->in));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &self->out));
}

FIXTURE_TEARDOWN(bind_async)
{
	for (int i = 0; i < 2; i++)
		munmap((void *)self->cpu[i], BO_SIZE);
	npu_ctx_close(&self->ctx);
}

static struct drm_npu_vm_bind_op op_map(uint32_t bo, uint64_t offset, uint64_t va, uint64_t size)
{
	return (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_MAP, .bo_handle = bo, .bo_offset = offset, .va = va,
		.size = size,
	};
}

static struct drm_npu_vm_bind_op op_unmap(uint64_t va, uint64_t size)
{
	return (struct drm_npu_vm_bind_op){
		.op = DRM_NPU_VM_BIND_OP_UNMAP, .va = va, .size = size,
	};
}

static struct drm_npu_sync wait_for(uint32_t handle)
{
	return (struct drm_npu_sync){ .flags = DRM_NPU_SYNC_WAIT, .handle = handle };
}

static struct drm_npu_sync signals(uint32_t handle)
{
	return (struct drm_npu_sync){ .flags = DRM_NPU_SYNC_SIGNAL, .handle = handle };
}

/* A job, at offset @list of the list, that waits for the semaphore to be @value. */
static int submit_gate(struct npu_ctx *ctx, unsigned int list, uint64_t value, uint32_t out)
{
	struct npu_cmd *cmd = npu_ctx_cmd(ctx, list);

	cmd_sem_wait(cmd, ctx->data.va + SEM, value);
	return npu_submit(ctx->fd, ctx->queue, ctx->list.va + list * sizeof(*cmd), 1, out);
}

static void open_gate(struct npu_ctx *ctx, uint64_t value)
{
	__atomic_store_n((uint64_t *)((char *)ctx->data.cpu + SEM), value, __ATOMIC_SEQ_CST);
}

/* What the device reads at @va, or an error. */
static int64_t device_read(struct npu_ctx *ctx, uint64_t va)
{
	int ret;

	cmd_copy(npu_ctx_cmd(ctx, 64), ctx->data.va, va, 8);
	ret = npu_run(ctx->fd, ctx->queue, ctx->list.va + 64 * sizeof(struct npu_cmd), 1);
	return ret ? ret : *(volatile int64_t *)ctx->data.cpu;
}

TEST_F(bind_async, without_waits)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_sync sync = signals(self->out);

	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, &sync, 1));
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->out));
	EXPECT_EQ(1000000, device_read(ctx, VA));
	EXPECT_EQ(1000000 + BO_SIZE / 8 - 512, device_read(ctx, VA + BO_SIZE - 4096));
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* drm_ioctl() copies the arguments back even then: the call is made again with what is there. */
TEST_F(bind_async, a_bind_that_a_signal_interrupts_can_be_made_again)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op pending = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_vm_bind_op ops[] = {
		op_unmap(VA, BO_SIZE / 2),
		op_map(self->bo[1], 0, VA, BO_SIZE / 2),
	};
	struct drm_npu_vm_bind bind = {
		.vm_id = ctx->vm,
		.ops = { .array = (uintptr_t)ops, .count = 2, .stride = sizeof(ops[0]) },
	};
	struct drm_npu_sync sync = wait_for(self->in);
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = {
		.it_interval.tv_usec = 10000,
		.it_value.tv_usec = 10000,
	};
	struct itimerval never = {};

	/* A bind at once waits for those that are pending. */
	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &pending, 1, &sync, 1));

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(-1, ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	EXPECT_EQ(EINTR, errno);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(2, bind.ops.count);

	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	EXPECT_EQ(2000000, device_read(ctx, VA));
	EXPECT_EQ(1000000 + BO_SIZE / 8 - 512, device_read(ctx, VA + BO_SIZE - 4096));
}

TEST_F(bind_async, waits_for_a_job_and_a_job_waits_for_it)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = op_map(self->bo[1], 0, VA, BO_SIZE);
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };
	struct drm_npu_job job = { .list = ctx->list.va + 2 * sizeof(struct npu_cmd), .count = 1 };
	uint32_t late, done;

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &done));
	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &late));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo[0], 0, VA, BO_SIZE, 0));

	/* The first job waits, then reads: before the bind. */
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + SEM, 1);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va + 64, VA + 0x5000, 8);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, self->out, 0, 0)) TH_LOG("it waits");

	/* The second, of another queue, reads after it. */
	cmd_copy(npu_ctx_cmd(ctx, 2), ctx->data.va + 128, VA + 0x5000, 8);
	syncs[0] = wait_for(self->out);
	syncs[1] = signals(done);
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, late, &job, 1, syncs, 2));
	EXPECT_EQ(-ETIME, npu_syncobj_wait(ctx->fd, done, 0, 0));

	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, done));
	EXPECT_EQ(1000000 + 0x5000 / 8, self->data[8]);
	EXPECT_EQ(2000000 + 0x5000 / 8, self->data[16]);
}

TEST_F(bind_async, a_job_between_sees_the_old_mapping)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = op_map(self->bo[1], 0, VA, BO_SIZE);
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };
	struct drm_npu_job job = { .list = ctx->list.va + sizeof(struct npu_cmd), .count = 1 };
	struct drm_npu_sync sync;
	uint32_t other, done;

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &done));
	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &other));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo[0], 0, VA, BO_SIZE, 0));
	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2));

	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va + 64, VA, 8);
	sync = signals(done);
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, other, &job, 1, &sync, 1));
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, done, 0, WAIT_NS));
	EXPECT_EQ(1000000, self->data[8]);

	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, WAIT_NS));
	EXPECT_EQ(2000000, device_read(ctx, VA));
}

/* Pieces of large pages: each bind is prepared when those before it are not done yet. */
TEST_F(bind_async, many_in_order)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op whole = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_sync sync = wait_for(self->in);

	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	for (int i = 0; i < 20; i++) {
		struct drm_npu_vm_bind_op ops[] = {
			op_unmap(VA + 0x1000, 0x1000),
			op_map(self->bo[1], 0x3000, VA + 0x3000, 0x201000),
			op_map(self->bo[1], 0, VA + i * 0x10000, 0x1000),
			op_unmap(VA + 0x400000 + i * 0x1000, 0x1000),
		};

		ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &whole, 1, &sync, !i));
		ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 4, NULL, 0));
	}
	open_gate(ctx, 1);
	sync = signals(self->out);
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, NULL, 0, &sync, 1)) TH_LOG("a barrier");
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, WAIT_NS));

	EXPECT_EQ(1000000, device_read(ctx, VA));
	EXPECT_EQ(1000000 + 0x2000 / 8, device_read(ctx, VA + 0x2000));
	EXPECT_EQ(2000000 + 0x3000 / 8, device_read(ctx, VA + 0x3000));
	EXPECT_EQ(2000000, device_read(ctx, VA + 0x130000));
	EXPECT_EQ(2000000 + 0x131000 / 8, device_read(ctx, VA + 0x131000));
	EXPECT_EQ(1000000 + 0x204000 / 8, device_read(ctx, VA + 0x204000));
	EXPECT_EQ(1000000 + 0x412000 / 8, device_read(ctx, VA + 0x412000));
	EXPECT_GT(0, device_read(ctx, VA + 0x413000));
}

TEST_F(bind_async, a_synchronous_one_comes_after)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };
	pid_t child;
	int status;

	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		open_gate(ctx, 1);
		_exit(0);
	}
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo[1], 0, VA, 4096, 0));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, 0)) TH_LOG("the first one is done");
	EXPECT_EQ(2000000, device_read(ctx, VA));
	EXPECT_EQ(1000000 + 512, device_read(ctx, VA + 4096));
	ASSERT_EQ(child, waitpid(child, &status, 0));
}

TEST_F(bind_async, timeline_points)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };

	syncs[0].point = 5;
	syncs[1].point = 7;
	EXPECT_EQ(-EINVAL, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2))
		TH_LOG("the point has no fence");
	syncs[0] = signals(self->in);
	syncs[0].point = 5;
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, NULL, 0, syncs, 1));
	syncs[0].flags = DRM_NPU_SYNC_WAIT;
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 7, WAIT_NS));
	EXPECT_EQ(1000000, device_read(ctx, VA));
}

TEST_F(bind_async, buffer_lives_until_it_is_unmapped)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op map = op_map(self->bo[0], 0, VA, BO_SIZE);
	struct drm_npu_vm_bind_op unmap = op_unmap(VA, BO_SIZE);
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };

	ASSERT_EQ(0, npu_vm_bind(ctx->fd, ctx->vm, &map, 1));
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + SEM, 1);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va + 64, VA + 0x5000, 8);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &unmap, 1, syncs, 2));
	ASSERT_EQ(0, npu_bo_close(ctx->fd, self->bo[0]));
	munmap((void *)self->cpu[0], BO_SIZE);
	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->in));
	EXPECT_EQ(1000000 + 0x5000 / 8, self->data[8]);
	EXPECT_GT(0, device_read(ctx, VA + 0x5000));
}

TEST_F(bind_async, failed_call_changes_nothing)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op ops[] = {
		op_map(self->bo[1], 0, VA, BO_SIZE),
		op_unmap(VA + 0x1000, 0x1000),
		op_map(31337, 0, VA, 0x1000),
	};
	struct drm_npu_sync sync = signals(self->out);

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo[0], 0, VA, BO_SIZE, 0));
	EXPECT_EQ(-ENOENT, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 3, &sync, 1));
	EXPECT_EQ(-ENOENT, npu_vm_bind_async(ctx->fd, 4711, ops, 2, &sync, 1));
	sync.handle = 31337;
	EXPECT_EQ(-ENOENT, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 2, &sync, 1));
	sync = signals(self->out);
	sync.flags = 4;
	EXPECT_EQ(-EINVAL, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 2, &sync, 1));
	sync.flags = DRM_NPU_SYNC_WAIT | DRM_NPU_SYNC_SIGNAL;
	EXPECT_EQ(-EINVAL, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 2, &sync, 1));
	sync = wait_for(self->in);
	EXPECT_EQ(-EINVAL, npu_vm_bind_async(ctx->fd, ctx->vm, ops, 2, &sync, 1))
		TH_LOG("a syncobj without a fence");
	EXPECT_EQ(1000000, device_read(ctx, VA));
	EXPECT_EQ(1000000 + 512, device_read(ctx, VA + 0x1000));
}

TEST_F(bind_async, syncs_only_if_asynchronous)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync sync = signals(self->out);
	struct drm_npu_vm_bind bind = {
		.vm_id = ctx->vm,
		.syncs = { .stride = sizeof(sync), .count = 1, .array = (uintptr_t)&sync },
	};

	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind.flags = DRM_NPU_VM_BIND_ASYNC;
	bind.syncs.stride = 8;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind.syncs.stride = sizeof(sync);
	bind.syncs.count = 257;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind.syncs.count = 1;
	EXPECT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
}

TEST_F(bind_async, vm_destroyed_meanwhile)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_sync syncs[] = { wait_for(self->in), signals(self->out) };
	struct drm_npu_vm_bind_op ops[2];
	uint32_t vm, bo;

	ASSERT_EQ(0, npu_vm_create(ctx->fd, &vm));
	ASSERT_EQ(0, npu_bo_create(ctx->fd, BO_SIZE, variant->placement, &bo));
	ops[0] = op_map(bo, 0, VA, BO_SIZE);
	ops[1] = op_unmap(VA + 0x1000, 0x1000);
	ASSERT_EQ(0, npu_vm_bind(ctx->fd, vm, ops, 1));
	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, vm, &ops[1], 1, syncs, 2));
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, vm, ops, 2, NULL, 0));

	ASSERT_EQ(0, npu_vm_destroy(ctx->fd, vm));
	EXPECT_EQ(0, npu_syncobj_wait(ctx->fd, self->out, 0, 0)) TH_LOG("its fences have signalled");
	EXPECT_EQ(-ECANCELED, npu_syncobj_error(ctx->fd, self->out));
	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->in, 0, WAIT_NS));
}

/* The process that has binds pending, which wait for a job of ours, is killed. */
TEST_F(bind_async, process_killed_meanwhile)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_syncobj_handle share = {
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	int status, ready[2];
	char byte;
	pid_t child;

	ASSERT_EQ(0, submit_gate(ctx, 0, 1, self->in));
	share.handle = self->in;
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &share));
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		struct drm_npu_vm_bind_op op;
		struct drm_npu_sync sync;
		struct npu_ctx own;
		uint32_t bo;

		share.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
		if (npu_ctx_open(&own) || npu_syncobj_create(own.fd, &share.handle) ||
		    npu_ioctl(own.fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &share) ||
		    npu_bo_create(own.fd, BO_SIZE, variant->placement, &bo))
			_exit(1);
		op = op_map(bo, 0, VA, BO_SIZE);
		sync = wait_for(share.handle);
		if (npu_vm_bind_async(own.fd, own.vm, &op, 1, &sync, 1) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0)) TH_LOG("it does not hang");
	EXPECT_TRUE(WIFSIGNALED(status));
	open_gate(ctx, 1);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->in, 0, WAIT_NS));
	close(share.fd);
	close(ready[0]);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

/* Jobs write where mappings come and go; memory that has been unmapped is not touched. */
TEST_F(bind_async, unmapped_while_a_job_uses_it)
{
	struct npu_ctx *ctx = &self->ctx;

	for (int i = 0; i < 10; i++) {
		struct drm_npu_vm_bind_op map = op_map(self->bo[0], 0, VA, BO_SIZE);
		struct drm_npu_vm_bind_op unmap = op_unmap(VA, BO_SIZE);
		uint64_t seen[8];

		ASSERT_EQ(0, npu_vm_bind(ctx->fd, ctx->vm, &map, 1));
		for (int j = 0; j < 200; j++)
			cmd_fill(npu_ctx_cmd(ctx, j), VA, BO_SIZE, i * 200 + j);
		ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 200, self->in));
		ASSERT_EQ(0, npu_vm_bind(ctx->fd, ctx->vm, &unmap, 1));
		for (int j = 0; j < 8; j++)
			seen[j] = self->cpu[0][j * (BO_SIZE / 64)];
		ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->in, 0, WAIT_NS));
		for (int j = 0; j < 8; j++)
			EXPECT_EQ(seen[j], self->cpu[0][j * (BO_SIZE / 64)]);
		EXPECT_GT(0, npu_syncobj_error(ctx->fd, self->in)) TH_LOG("it faults");
		ASSERT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
		ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
	}
}

TEST_HARNESS_MAIN

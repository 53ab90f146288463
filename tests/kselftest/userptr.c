// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_NPU_VM_BIND_OP_MAP_USERPTR: memory of a process, which stays free to change it */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x7700000000ULL
#define SIZE 0x40000ULL
#define PAGE 0x1000ULL

FIXTURE(userptr)
{
	struct npu_ctx ctx;
	volatile uint64_t *data;
	char *mem;
};

static int bind_mem(struct npu_ctx *ctx, const void *mem, uint64_t va, uint64_t size,
		    uint32_t flags)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .flags = flags,
		.bo_offset = (uintptr_t)mem, .va = va, .size = size,
	};

	return npu_vm_bind(ctx->fd, ctx->vm, &op, 1);
}

static void *map_at(void *at, uint64_t size)
{
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
}

FIXTURE_SETUP(userptr)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->data = self->ctx.data.cpu;
	self->mem = map_at(NULL, SIZE);
	ASSERT_NE(MAP_FAILED, (void *)self->mem);
	if (bind_mem(&self->ctx, self->mem, VA, SIZE, 0) == -EOPNOTSUPP)
		SKIP(return, "the kernel has no HMM_MIRROR");
	for (uint64_t i = 0; i < SIZE; i += PAGE)
		*(volatile uint64_t *)(self->mem + i) = i + 1;
}

FIXTURE_TEARDOWN(userptr)
{
	munmap(self->mem, SIZE);
	npu_ctx_close(&self->ctx);
}

static int64_t device_read(struct npu_ctx *ctx, uint64_t va)
{
	int ret;

	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, va, 8);
	ret = npu_ctx_run(ctx, 1);
	return ret ? ret : *(volatile int64_t *)ctx->data.cpu;
}

static int device_write(struct npu_ctx *ctx, uint64_t va, uint64_t value)
{
	cmd_write(npu_ctx_cmd(ctx, 0), va, value);
	return npu_ctx_run(ctx, 1);
}

static int new_queue(struct npu_ctx *ctx)
{
	int ret = npu_queue_destroy(ctx->fd, ctx->queue);

	return ret ? ret : npu_queue_create(ctx->fd, ctx->vm, &ctx->queue);
}

TEST_F(userptr, both_ways)
{
	struct npu_ctx *ctx = &self->ctx;

	for (uint64_t i = 0; i < SIZE; i += 7 * PAGE)
		EXPECT_EQ(i + 1, device_read(ctx, VA + i));
	ASSERT_EQ(0, device_write(ctx, VA + 5 * PAGE + 8, 0xabcdef));
	EXPECT_EQ(0xabcdef, *(volatile uint64_t *)(self->mem + 5 * PAGE + 8));
}

TEST_F(userptr, unmapped_faults_and_comes_back)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	EXPECT_EQ(PAGE + 1, device_read(ctx, VA + PAGE));
	ASSERT_EQ(0, munmap(self->mem + PAGE, PAGE));
	EXPECT_EQ(1, device_read(ctx, VA)) TH_LOG("its neighbour is there");
	EXPECT_GT(0, device_read(ctx, VA + PAGE));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(NPU_ST_MMU_READ, state.fault_status);
	EXPECT_EQ(VA + PAGE, state.fault_address);

	ASSERT_EQ(0, new_queue(ctx));
	ASSERT_NE(MAP_FAILED, map_at(self->mem + PAGE, PAGE));
	*(volatile uint64_t *)(self->mem + PAGE) = 4711;
	EXPECT_EQ(4711, device_read(ctx, VA + PAGE)) TH_LOG("other memory at its place");
}

TEST_F(userptr, dropped_memory_reads_zero)
{
	struct npu_ctx *ctx = &self->ctx;

	EXPECT_EQ(PAGE + 1, device_read(ctx, VA + PAGE));
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, device_read(ctx, VA + PAGE));
	ASSERT_EQ(0, device_write(ctx, VA + PAGE, 5));
	EXPECT_EQ(5, *(volatile uint64_t *)(self->mem + PAGE));
}

TEST_F(userptr, moved_away)
{
	struct npu_ctx *ctx = &self->ctx;
	char *to = map_at(NULL, SIZE);

	ASSERT_NE(MAP_FAILED, (void *)to);
	EXPECT_EQ(1, device_read(ctx, VA));
	ASSERT_EQ((void *)to, mremap(self->mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_GT(0, device_read(ctx, VA)) TH_LOG("the address counts, not the page");
	EXPECT_EQ(1, *(volatile uint64_t *)to);
	munmap(to, SIZE);
}

TEST_F(userptr, protection)
{
	struct npu_ctx *ctx = &self->ctx;

	EXPECT_EQ(1, device_read(ctx, VA));
	ASSERT_EQ(0, mprotect(self->mem, SIZE, PROT_READ));
	EXPECT_GT(0, device_write(ctx, VA, 3));
	EXPECT_EQ(1, *(volatile uint64_t *)self->mem);
	ASSERT_EQ(0, new_queue(ctx));
	ASSERT_EQ(0, mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, device_write(ctx, VA, 3));
	EXPECT_EQ(3, *(volatile uint64_t *)self->mem);
}

TEST_F(userptr, fork_keeps_the_parents_memory)
{
	struct npu_ctx *ctx = &self->ctx;
	int status, go[2];
	pid_t child;
	char byte;

	EXPECT_EQ(1, device_read(ctx, VA));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		/* What the parent's device writes is not for us. */
		if (read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(*(volatile uint64_t *)self->mem != 1);
	}
	ASSERT_EQ(0, device_write(ctx, VA, 99));
	EXPECT_EQ(99, *(volatile uint64_t *)self->mem);
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
}

TEST_F(userptr, readonly)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	void *mem = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(-EFAULT, bind_mem(ctx, mem, VA + SIZE, PAGE, 0));
	ASSERT_EQ(0, bind_mem(ctx, mem, VA + SIZE, PAGE, DRM_NPU_VM_BIND_OP_READONLY));
	EXPECT_EQ(0, device_read(ctx, VA + SIZE));
	EXPECT_GT(0, device_write(ctx, VA + SIZE, 1));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(NPU_ST_MMU_WRITE, state.fault_status);
	munmap(mem, PAGE);
}

TEST_F(userptr, pieces)
{
	struct npu_ctx *ctx = &self->ctx;

	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA + 2 * PAGE, PAGE));
	EXPECT_EQ(PAGE + 1, device_read(ctx, VA + PAGE));
	EXPECT_EQ(3 * PAGE + 1, device_read(ctx, VA + 3 * PAGE));
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_DONTNEED));
	*(volatile uint64_t *)(self->mem + 3 * PAGE) = 17;
	EXPECT_EQ(0, device_read(ctx, VA + PAGE));
	EXPECT_EQ(17, device_read(ctx, VA + 3 * PAGE));
	ASSERT_EQ(0, bind_mem(ctx, self->mem + 3 * PAGE, VA, PAGE, 0));
	EXPECT_EQ(17, device_read(ctx, VA));
	EXPECT_GT(0, device_read(ctx, VA + 2 * PAGE));
}

TEST_F(userptr, asynchronous)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .bo_offset = (uintptr_t)self->mem,
		.va = VA + SIZE, .size = SIZE,
	};
	struct drm_npu_sync syncs[2];
	uint32_t in, out;

	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &in));
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &out));
	self->data[512] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va + PAGE, 1);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, in));
	syncs[0] = (struct drm_npu_sync){ .flags = DRM_NPU_SYNC_WAIT, .handle = in };
	syncs[1] = (struct drm_npu_sync){ .flags = DRM_NPU_SYNC_SIGNAL, .handle = out };
	ASSERT_EQ(0, npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, 2));
	__atomic_store_n((uint64_t *)ctx->data.cpu + 512, 1, __ATOMIC_SEQ_CST);
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, out, 0, WAIT_NS));
	EXPECT_EQ(5 * PAGE + 1, device_read(ctx, VA + SIZE + 5 * PAGE));
}

TEST_F(userptr, bad_operations)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .bo_offset = (uintptr_t)self->mem,
		.va = VA, .size = PAGE, .bo_handle = 1,
	};

	EXPECT_EQ(-EINVAL, npu_vm_bind(ctx->fd, ctx->vm, &op, 1));
	op.bo_handle = 0;
	op.pad = 1;
	EXPECT_EQ(-EINVAL, npu_vm_bind(ctx->fd, ctx->vm, &op, 1));
	op.pad = 0;
	op.flags = 0x100;
	EXPECT_EQ(-EINVAL, npu_vm_bind(ctx->fd, ctx->vm, &op, 1));
	EXPECT_EQ(-EINVAL, bind_mem(ctx, self->mem + 8, VA, PAGE, 0));
	EXPECT_EQ(-EINVAL, bind_mem(ctx, self->mem, VA, PAGE - 8, 0));
	EXPECT_EQ(-EFAULT, bind_mem(ctx, (void *)~0xfffULL, VA, PAGE, 0));
	EXPECT_EQ(-EFAULT, bind_mem(ctx, (void *)0xffff800000000000ULL, VA, PAGE, 0));
	EXPECT_EQ(-EFAULT, bind_mem(ctx, (void *)PAGE, VA, PAGE, 0));
	EXPECT_EQ(-EFAULT, bind_mem(ctx, self->mem, VA, 0x100000000000ULL, 0));
	EXPECT_EQ(-EFAULT, bind_mem(ctx, ctx->list.cpu, VA, PAGE, 0)) TH_LOG("not memory");
	EXPECT_EQ(1, device_read(ctx, VA)) TH_LOG("what was there has stayed");
}

/*
 * Memory comes and goes while jobs run. The first half of a slot always holds what the thread
 * wrote last, or zero, or is not there; the second half is left alone.
 */
struct churn {
	char *mem;
	bool stop;
	unsigned long rounds;
};

static void *churn(void *arg)
{
	struct churn *churn = arg;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_ACQUIRE)) {
		unsigned long round = churn->rounds++;
		char *page = churn->mem + round * 3 % 32 * PAGE;
		pid_t child;

		switch (round % 4) {
		case 0:
			madvise(page, 2 * PAGE, MADV_DONTNEED);
			break;
		case 1:
			munmap(page, PAGE);
			map_at(page, PAGE);
			break;
		case 2:
			map_at(page, 2 * PAGE);
			break;
		default:
			child = fork();
			if (!child)
				_exit(0);
			waitpid(child, NULL, 0);
			break;
		}
		/* Where unmapped memory would be used by somebody else. */
		*(volatile uint64_t *)(page + 8) = round;
	}
	return NULL;
}

TEST_F_TIMEOUT(userptr, invalidation_under_load, 300)
{
	struct npu_ctx *ctx = &self->ctx;
	char *stay = self->mem + 48 * PAGE;
	struct churn arg = { .mem = self->mem };
	pthread_t thread;
	unsigned int faults = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, &arg));
	for (uint64_t i = 1; i <= 60; i++) {
		for (unsigned int j = 0; j < 16; j++)
			cmd_fill(npu_ctx_cmd(ctx, j), VA + (48 + j) * PAGE, PAGE, i * 16 + j);
		cmd_copy(npu_ctx_cmd(ctx, 16), ctx->data.va, VA, 48 * PAGE);
		cmd_fill(npu_ctx_cmd(ctx, 17), VA, 32 * PAGE, 0);
		if (npu_ctx_run(ctx, 18)) {
			/* A page was just not there. */
			faults++;
			ASSERT_EQ(0, new_queue(ctx));
		}
		for (unsigned int j = 0; j < 16; j++)
			for (unsigned int k = 0; k < PAGE; k += 508)
				ASSERT_EQ(i * 16 + j, *(volatile uint32_t *)(stay + j * PAGE + k));
	}
	__atomic_store_n(&arg.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TH_LOG("%lu rounds, %u faults", arg.rounds, faults);
	EXPECT_LT(0, arg.rounds);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

/* The process goes while its memory is mapped and jobs use it. */
TEST_F(userptr, process_exit)
{
	int status;

	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		ASSERT_GE(child, 0);
		if (!child) {
			struct npu_ctx own;
			char *mem = map_at(NULL, SIZE);

			if (npu_ctx_open(&own) || bind_mem(&own, mem, VA, SIZE, 0))
				_exit(1);
			for (unsigned int j = 0; j < 100; j++)
				cmd_fill(npu_ctx_cmd(&own, j), VA, SIZE, j);
			if (npu_submit(own.fd, own.queue, own.list.va, 100, 0))
				_exit(1);
			/* With exec the memory goes before the file does. */
			if (i & 1)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		if (!(i & 1))
			EXPECT_EQ(0, status);
	}
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

/* Jobs that would last for an hour: one that runs, and one of another queue that waits for it. */
static int submit_for_an_hour(struct npu_ctx *ctx)
{
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_WAIT };
	struct drm_npu_job job = { .list = ctx->list.va, .count = 1 };
	uint32_t other;
	int ret;

	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = 3600000000;
	ret = npu_queue_create(ctx->fd, ctx->vm, &other);
	if (!ret)
		ret = npu_syncobj_create(ctx->fd, &sync.handle);
	if (!ret)
		ret = npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, sync.handle);
	return ret ? ret : npu_submit_syncs(ctx->fd, other, &job, 1, &sync, 1);
}

/* Its memory goes before its files do, and cannot before these jobs have ended. */
TEST_F(userptr, process_ends_whatever_its_jobs_do)
{
	for (int i = 0; i < 3; i++) {
		int pipes[2], status;
		char byte = 0;
		pid_t child;

		ASSERT_EQ(0, pipe(pipes));
		child = fork();
		ASSERT_GE(child, 0);
		if (!child) {
			struct npu_ctx own;
			char *mem = map_at(NULL, SIZE);

			byte = !npu_ctx_open(&own) && !bind_mem(&own, mem, VA, SIZE, 0) &&
			       !submit_for_an_hour(&own);
			if (write(pipes[1], &byte, 1) != 1)
				_exit(1);
			if (i == 1)
				_exit(0);
			if (i == 2)
				execl("/bin/true", "true", NULL);
			pause();
		}
		ASSERT_EQ(1, read(pipes[0], &byte, 1));
		EXPECT_EQ(1, byte);
		if (!i)
			ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(i ? 0 : SIGKILL, status);
		close(pipes[0]);
		close(pipes[1]);
	}
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

TEST_HARNESS_MAIN

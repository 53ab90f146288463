// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The system sleeps while jobs run and wait. Needs npu-vm --sleep: the PM core's own test mode
 * goes all the way to where firmware would take over, and back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"
#include "kselftest_harness.h"

/* Nobody has to wake the system, and it sleeps for no longer than it takes. */
static bool can_sleep(void)
{
	return !write_file("/sys/module/suspend/parameters/pm_test_delay", "0") &&
	       !write_file("/sys/power/pm_test", "platform");
}

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
	if (!can_sleep())
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

/* A loop goes round as often as it should, though its list is entered in the midst of it. */
TEST_F(suspend, in_the_middle_of_a_loop)
{
	struct npu_ctx *ctx = &self->ctx;
	const uint64_t rounds = 3;

	cmd_count(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 8);
	cmd_sem_wait(npu_ctx_cmd(ctx, 1), CTX_DATA_VA, 1);
	cmd_count(npu_ctx_cmd(ctx, 2), CTX_DATA_VA + 16);
	cmd_branch(npu_ctx_cmd(ctx, 3), CTX_DATA_VA + 16, rounds, -3);
	cmd_count(npu_ctx_cmd(ctx, 4), CTX_DATA_VA + 24);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 5, self->done));
	while (self->data[1] != 1)
		usleep(1000);

	ASSERT_EQ(0, sleep_system());
	EXPECT_EQ(1, self->data[1]);
	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	EXPECT_EQ(rounds, self->data[1]);
	EXPECT_EQ(rounds, self->data[2]);
	EXPECT_EQ(1, self->data[3]);
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

#define USER_VA 0x7700000000ULL
#define USER_SIZE 0x10000
/* Longer than anything waits for before it does not let the system sleep. */
#define LONG_US 60000000

static int bind_user(struct npu_ctx *ctx, const void *memory, const struct drm_npu_sync *syncs,
		     uint32_t num_syncs)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .bo_offset = (uintptr_t)memory,
		.va = USER_VA, .size = USER_SIZE,
	};

	return npu_vm_bind_async(ctx->fd, ctx->vm, &op, 1, syncs, num_syncs);
}

static uint64_t *map_user(void)
{
	return mmap(NULL, USER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A bind that waits for somebody does not need the device yet, and needs it again later. */
TEST_F(suspend, bind_that_waits)
{
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT, .handle = self->done },
		{ .flags = DRM_NPU_SYNC_SIGNAL },
	};
	struct npu_ctx *ctx = &self->ctx, other;
	uint64_t *memory = map_user();
	uint32_t gate;

	ASSERT_NE(MAP_FAILED, (void *)memory);
	memory[1] = 0x1234567;
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncs[1].handle));
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = LONG_US;
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, self->done));
	if (bind_user(ctx, memory, syncs, 2) == -EOPNOTSUPP)
		SKIP(return, "the kernel has no HMM_MIRROR");

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, sleep_system());
		EXPECT_NE(0, npu_syncobj_wait(ctx->fd, syncs[1].handle, 0, 0));
	}
	/* The device is there meanwhile. */
	ASSERT_EQ(0, npu_ctx_open(&other));
	EXPECT_TRUE(npu_ctx_works(&other));
	npu_ctx_close(&other);

	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &gate));
	cmd_copy(npu_ctx_cmd(ctx, 8), CTX_DATA_VA + 64, USER_VA + 8, 8);
	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, syncs[1].handle, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, syncs[1].handle));
	ASSERT_EQ(0, npu_run(ctx->fd, gate, ctx->list.va + 8 * sizeof(struct npu_cmd), 1));
	EXPECT_EQ(0x1234567, self->data[8]);
	EXPECT_EQ(0, npu_queue_destroy(ctx->fd, gate));
	check_good(_metadata, ctx);
	munmap(memory, USER_SIZE);
}

/* What a process does to memory that a job uses: it waits for the job, in the kernel. */
enum change {
	CHANGE_UNMAP,
	CHANGE_DROP,
	CHANGE_MOVE,
};

#define AT_START 0x1111
#define FROM_JOB 0x2222

struct changer {
	pthread_t thread;
	enum change change;
	volatile uint64_t *memory;
	volatile int tid;
	long seen;
};

static void *change_memory(void *arg)
{
	struct changer *changer = arg;
	void *memory = (void *)changer->memory, *to;

	changer->tid = gettid();
	switch (changer->change) {
	case CHANGE_UNMAP:
		changer->seen = munmap(memory, USER_SIZE);
		break;
	case CHANGE_DROP:
		changer->seen = madvise(memory, USER_SIZE, MADV_DONTNEED);
		break;
	case CHANGE_MOVE:
		to = map_user();
		changer->memory = mremap(memory, USER_SIZE, USER_SIZE,
					 MREMAP_MAYMOVE | MREMAP_FIXED, to);
		changer->seen = changer->memory == to ? 0 : -1;
		break;
	}
	return NULL;
}

/* Until a thread waits where no signal wakes it. */
static bool wait_blocked(int tid)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	while (state != 'D') {
		usleep(1000);
		stat = fopen(path, "re");
		if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z')
			state = 0;
		if (stat)
			fclose(stat);
		if (!state)
			return false;
	}
	return true;
}

FIXTURE(suspend_userptr)
{
	struct npu_ctx ctx;
	uint32_t done;
	volatile uint64_t *data;
	struct changer changer;
};

FIXTURE_VARIANT(suspend_userptr)
{
	enum change change;
};

FIXTURE_VARIANT_ADD(suspend_userptr, unmapped)
{
	.change = CHANGE_UNMAP,
};

FIXTURE_VARIANT_ADD(suspend_userptr, dropped)
{
	.change = CHANGE_DROP,
};

FIXTURE_VARIANT_ADD(suspend_userptr, moved)
{
	.change = CHANGE_MOVE,
};

FIXTURE_SETUP(suspend_userptr)
{
	struct npu_ctx *ctx = &self->ctx;
	int ret = npu_ctx_open(ctx);

	if (ret == -ENODEV)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, ret);
	self->data = ctx->data.cpu;
	memset((void *)self->data, 0, 0x1000);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &self->done));
	if (!can_sleep())
		SKIP(return, "no test mode of suspend");
	self->changer.change = variant->change;
	self->changer.memory = map_user();
	ASSERT_NE(MAP_FAILED, (void *)self->changer.memory);
	if (bind_user(ctx, (void *)self->changer.memory, NULL, 0) == -EOPNOTSUPP)
		SKIP(return, "the kernel has no HMM_MIRROR");
}

FIXTURE_TEARDOWN(suspend_userptr)
{
	munmap((void *)self->changer.memory, USER_SIZE);
	npu_syncobj_destroy(self->ctx.fd, self->done);
	npu_ctx_close(&self->ctx);
}

/* What a job, run after all that, finds in the memory of the process. */
static int64_t device_read(struct npu_ctx *ctx, uint64_t va)
{
	int ret;

	cmd_copy(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 64, va, 8);
	ret = npu_ctx_run(ctx, 1);
	return ret ? ret : (int64_t)((volatile uint64_t *)ctx->data.cpu)[8];
}

/*
 * The thread that changes memory does not keep the system awake. The job has the memory that it
 * began with to its end, whatever became of it, and the jobs after it have what is there then.
 */
TEST_F(suspend_userptr, changes_under_a_job)
{
	struct changer *changer = &self->changer;
	struct npu_ctx *ctx = &self->ctx;

	changer->memory[0] = AT_START;
	cmd_count(npu_ctx_cmd(ctx, 0), CTX_DATA_VA + 8);
	cmd_sem_wait(npu_ctx_cmd(ctx, 1), CTX_DATA_VA, 1);
	npu_ctx_cmd(ctx, 1)->timeout_us = LONG_US;
	cmd_copy(npu_ctx_cmd(ctx, 2), CTX_DATA_VA + 16, USER_VA, 8);
	cmd_write(npu_ctx_cmd(ctx, 3), USER_VA + 8, FROM_JOB);
	cmd_copy(npu_ctx_cmd(ctx, 4), CTX_DATA_VA + 24, USER_VA + 8, 8);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 5, self->done));
	while (!self->data[1])
		usleep(1000);
	ASSERT_EQ(0, pthread_create(&changer->thread, NULL, change_memory, changer));
	while (!changer->tid)
		usleep(1000);
	ASSERT_TRUE(wait_blocked(changer->tid));

	EXPECT_EQ(0, sleep_system());
	EXPECT_EQ(0, sleep_system());

	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	EXPECT_EQ(AT_START, self->data[2]);
	EXPECT_EQ(FROM_JOB, self->data[3]);
	ASSERT_EQ(0, pthread_join(changer->thread, NULL));

	switch (variant->change) {
	case CHANGE_UNMAP:
		EXPECT_EQ(0, changer->seen);
		EXPECT_GT(0, device_read(ctx, USER_VA));
		return;
	case CHANGE_DROP:
		EXPECT_EQ(0, changer->seen);
		EXPECT_EQ(0, changer->memory[1]);
		changer->memory[1] = 99;
		EXPECT_EQ(99, device_read(ctx, USER_VA + 8));
		break;
	case CHANGE_MOVE:
		EXPECT_EQ(0, changer->seen);
		EXPECT_EQ(FROM_JOB, changer->memory[1]);
		EXPECT_GT(0, device_read(ctx, USER_VA + 8)) TH_LOG("the address counts");
		return;
	}
	check_good(_metadata, ctx);
}

/* What a child finds that was made while a job had the memory. */
static bool child_sees(volatile uint64_t *memory)
{
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(memory[1] != FROM_JOB);
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

/* A process that forks while a job has its memory, which waits for somebody else. */
static int fork_under_job(int gate)
{
	struct drm_syncobj_handle file = {
		.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE, .fd = gate,
	};
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_WAIT };
	volatile uint64_t *memory = map_user();
	struct drm_npu_job job = { .count = 2 };
	struct npu_ctx ctx;
	int ret;

	ret = npu_ctx_open(&ctx);
	if (ret)
		return 1;
	ret = bind_user(&ctx, (void *)memory, NULL, 0);
	if (ret)
		return ret == -EOPNOTSUPP ? KSFT_SKIP : 2;
	memory[0] = AT_START;
	cmd_write(npu_ctx_cmd(&ctx, 0), USER_VA + 8, FROM_JOB);
	cmd_copy(npu_ctx_cmd(&ctx, 1), USER_VA + 16, USER_VA, 8);
	job.list = ctx.list.va;
	if (npu_syncobj_create(ctx.fd, &sync.handle))
		return 3;
	file.handle = sync.handle;
	if (npu_ioctl(ctx.fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &file) ||
	    npu_submit_syncs(ctx.fd, ctx.queue, &job, 1, &sync, 1))
		return 3;

	if (!child_sees(memory))
		return 5;
	if (memory[1] != FROM_JOB || memory[2] != AT_START)
		return 6;
	memory[1] = 99;
	if (device_read(&ctx, USER_VA + 8) != 99)
		return 7;
	npu_ctx_close(&ctx);
	return 0;
}

/* Nor does that, and a child has no half of what a job did. */
TEST_F(suspend, fork_under_a_job)
{
	struct drm_syncobj_handle file = {
		.handle = self->done,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	struct npu_ctx *ctx = &self->ctx;
	int status;
	pid_t child;

	cmd_sem_wait(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, 1);
	npu_ctx_cmd(ctx, 0)->timeout_us = LONG_US;
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, self->done));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(fork_under_job(file.fd));

	if (wait_blocked(child)) {
		EXPECT_EQ(0, sleep_system());
		EXPECT_EQ(0, sleep_system());
	}
	self->data[0] = 1;
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "the kernel has no HMM_MIRROR");
	EXPECT_EQ(0, WEXITSTATUS(status));
	check_good(_metadata, ctx);
}

TEST_HARNESS_MAIN

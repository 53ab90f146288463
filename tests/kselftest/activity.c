// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_NPU_QUEUE_STATE_ACTIVITY: what a queue is at, and what it waits for. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define CODE 0x1000 /* in the context's data */
#define RV_BEQZ_T0_BACK 0xfe028ee3 /* beqz t0, .-4 */
/* Before the activity was told. */
#define OLD_SIZE offsetof(struct drm_npu_queue_get_state, activity)

FIXTURE(activity)
{
	struct npu_ctx ctx, other;
};

FIXTURE_SETUP(activity)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx)) TH_LOG("no NPU");
	ASSERT_EQ(0, npu_ctx_open(&self->other));
}

FIXTURE_TEARDOWN(activity)
{
	npu_ctx_close(&self->other);
	npu_ctx_close(&self->ctx);
}

static int look(struct npu_ctx *ctx, struct drm_npu_queue_get_state *state)
{
	memset(state, 0xff, sizeof(*state));
	state->id = ctx->queue;
	state->flags = DRM_NPU_QUEUE_STATE_ACTIVITY;
	return npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, state);
}

/* Looks until it is so, which the harness bounds. */
static int look_for(struct npu_ctx *ctx, uint32_t activity, struct drm_npu_queue_get_state *state)
{
	int ret;

	do {
		ret = look(ctx, state);
	} while (!ret && state->activity != activity);
	return ret;
}

static unsigned long request_of(size_t size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
		    DRM_COMMAND_BASE + DRM_NPU_QUEUE_GET_STATE, size);
}

TEST_F(activity, idle)
{
	struct drm_npu_queue_get_state state, again;

	ASSERT_EQ(0, look(&self->ctx, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_IDLE, state.activity);
	EXPECT_EQ(0, state.still_ns);
	EXPECT_EQ(0, state.command);
	EXPECT_EQ(0, state.pad);
	EXPECT_EQ(DRM_NPU_QUEUE_NONE, state.waits_for);
	cmd_nop(npu_ctx_cmd(&self->ctx, 0));
	cmd_nop(npu_ctx_cmd(&self->ctx, 1));
	cmd_nop(npu_ctx_cmd(&self->ctx, 2));
	ASSERT_EQ(0, npu_ctx_run(&self->ctx, 3));
	ASSERT_EQ(0, look(&self->ctx, &again));
	EXPECT_EQ(DRM_NPU_QUEUE_IDLE, again.activity);
	EXPECT_EQ(state.commands_done + 3, again.commands_done);
	ASSERT_EQ(0, look(&self->other, &again));
	EXPECT_NE(state.number, again.number);
}

TEST_F(activity, without_the_flag)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(ctx, &syncobj));
	ASSERT_EQ(0, look_for(ctx, DRM_NPU_QUEUE_WAITING, &state));
	memset(&state, 0xff, sizeof(state));
	state.id = ctx->queue;
	state.flags = 0;
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, &state));
	EXPECT_EQ(1, state.jobs_submitted);
	EXPECT_EQ(0, state.activity);
	EXPECT_EQ(0, state.number);
	EXPECT_EQ(0, state.command);
	EXPECT_EQ(0, npu_ctx_release(ctx, syncobj));
}

TEST_F(activity, unknown_flags)
{
	struct drm_npu_queue_get_state state;

	for (int bit = 1; bit < 32; bit++) {
		state = (struct drm_npu_queue_get_state){
			.id = self->ctx.queue,
			.flags = DRM_NPU_QUEUE_STATE_ACTIVITY | 1u << bit,
		};
		EXPECT_EQ(-EINVAL,
			  npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, &state));
	}
}

TEST_F(activity, other_sizes)
{
	struct npu_ctx *ctx = &self->ctx;
	struct {
		struct drm_npu_queue_get_state state;
		uint64_t guard[4];
	} args;

	/* A program that knows less gets less. */
	memset(&args, 0xff, sizeof(args));
	args.state.id = ctx->queue;
	args.state.flags = DRM_NPU_QUEUE_STATE_ACTIVITY;
	EXPECT_EQ(0, npu_ioctl(ctx->fd, request_of(OLD_SIZE), &args));
	EXPECT_EQ(DRM_NPU_QUEUE_OK, args.state.state);
	EXPECT_EQ(~0U, args.state.activity);
	EXPECT_EQ(~0ULL, args.state.pc);

	/* One that knows more gets no more than there is. */
	memset(&args, 0xff, sizeof(args));
	args.state.id = ctx->queue;
	args.state.flags = DRM_NPU_QUEUE_STATE_ACTIVITY;
	memset(args.guard, 0, sizeof(args.guard));
	EXPECT_EQ(0, npu_ioctl(ctx->fd, request_of(sizeof(args)), &args));
	EXPECT_EQ(DRM_NPU_QUEUE_IDLE, args.state.activity);
	EXPECT_EQ(0, args.guard[0] | args.guard[3]);
}

TEST_F(activity, waits_for_a_semaphore)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state, later;
	uint32_t syncobj;

	cmd_nop(npu_ctx_cmd(ctx, 0));
	cmd_nop(npu_ctx_cmd(ctx, 1));
	cmd_sem_wait(npu_ctx_cmd(ctx, 2), ctx->data.va, 1);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 3, syncobj));
	ASSERT_EQ(0, look_for(ctx, DRM_NPU_QUEUE_WAITING, &state));
	EXPECT_EQ(ctx->list.va + 2 * sizeof(struct npu_cmd), state.command);
	EXPECT_EQ(2, state.commands_done);
	EXPECT_EQ(0, state.cores);
	/* The longer it waits the longer ago it last got on. */
	do {
		ASSERT_EQ(0, look(ctx, &later));
		ASSERT_EQ(DRM_NPU_QUEUE_WAITING, later.activity);
	} while (later.still_ns <= state.still_ns);
	EXPECT_EQ(2, later.commands_done);
	*(volatile uint64_t *)ctx->data.cpu = 1;
	EXPECT_EQ(0, npu_ctx_finish(ctx, syncobj));
	ASSERT_EQ(0, look(ctx, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_IDLE, state.activity);
	EXPECT_EQ(3, state.commands_done);
}

TEST_F(activity, runs_a_kernel)
{
	const uint32_t code[] = { rv_ld(5, 10, 0), RV_BEQZ_T0_BACK, RV_ECALL };
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	const uint64_t entry = ctx->data.va + CODE;
	uint32_t syncobj;

	memcpy((char *)ctx->data.cpu + CODE, code, sizeof(code));
	cmd_kernel(npu_ctx_cmd(ctx, 0), entry, ctx->data.va, 1);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &syncobj));
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 1, syncobj));
	ASSERT_EQ(0, look_for(ctx, DRM_NPU_QUEUE_RUNNING, &state));
	/* A core is given the kernel before it has begun. */
	while (!state.cores || !state.pc)
		ASSERT_EQ(0, look(ctx, &state));
	EXPECT_EQ(0, state.cores & (state.cores - 1));
	EXPECT_EQ(ctx->list.va, state.command);
	EXPECT_GE(state.pc, entry);
	EXPECT_LE(state.pc, entry + sizeof(code));
	*(volatile uint64_t *)ctx->data.cpu = 1;
	EXPECT_EQ(0, npu_ctx_finish(ctx, syncobj));
}

static int pass_syncobj(int from, uint32_t handle, int to, uint32_t *imported)
{
	struct drm_syncobj_handle share = { .handle = handle, .fd = -1 };
	int ret = npu_ioctl(from, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &share);

	if (ret)
		return ret;
	ret = npu_ioctl(to, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &share);
	close(share.fd);
	*imported = share.handle;
	return ret;
}

/* Of another file: as another process would have it. */
TEST_F(activity, waits_for_a_fence)
{
	struct npu_ctx *ctx = &self->ctx, *other = &self->other;
	struct drm_npu_queue_get_state state, blocker;
	struct drm_npu_job job = { .list = ctx->list.va, .count = 1 };
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_WAIT };
	uint32_t syncobj;

	ASSERT_EQ(0, npu_ctx_start_waiting(other, &syncobj));
	ASSERT_EQ(0, pass_syncobj(other->fd, syncobj, ctx->fd, &sync.handle));
	cmd_nop(npu_ctx_cmd(ctx, 0));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &job, 1, &sync, 1));
	do {
		ASSERT_EQ(0, look(ctx, &state));
		ASSERT_EQ(DRM_NPU_QUEUE_BLOCKED, state.activity);
	} while (state.waits_for == DRM_NPU_QUEUE_NONE || !state.still_ns);
	ASSERT_EQ(0, look_for(other, DRM_NPU_QUEUE_WAITING, &blocker));
	EXPECT_EQ(blocker.number, state.waits_for);
	EXPECT_EQ(0, state.command);
	EXPECT_EQ(0, npu_ctx_release(other, syncobj));
	ASSERT_EQ(0, look_for(ctx, DRM_NPU_QUEUE_IDLE, &state));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(1, state.jobs_completed);
}

TEST_F(activity, stopped)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, 0xdead00000000, 8);
	ASSERT_EQ(-EIO, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, look(ctx, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_STOPPED, state.activity);
	EXPECT_EQ(DRM_NPU_QUEUE_FAULT, state.state);
}

/* What the file says of the queue with that number. */
static bool shown(int fd, uint32_t number, const char *activity, uint32_t waits_for)
{
	unsigned int id, context, pid;
	char line[256], word[32];
	bool found = false;
	int blocker;
	FILE *file = npu_debugfs_open(fd, "activity");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%u %u %31s %*u %*u %*u %*u %d %*s %*s %*s %u", &id, &context,
			   word, &blocker, &pid) == 5 &&
		    id == number)
			found = !strcmp(word, activity) && (uint32_t)blocker == waits_for &&
				pid == (unsigned int)getpid();
	}
	if (file)
		fclose(file);
	return found;
}

TEST_F(activity, debugfs)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	uint32_t syncobj;

	ASSERT_EQ(0, look(ctx, &state));
	EXPECT_TRUE(shown(ctx->fd, state.number, "idle", DRM_NPU_QUEUE_NONE));
	ASSERT_EQ(0, npu_ctx_start_waiting(ctx, &syncobj));
	ASSERT_EQ(0, look_for(ctx, DRM_NPU_QUEUE_WAITING, &state));
	EXPECT_TRUE(shown(ctx->fd, state.number, "waiting", DRM_NPU_QUEUE_NONE));
	EXPECT_EQ(0, npu_ctx_release(ctx, syncobj));
}

TEST_HARNESS_MAIN

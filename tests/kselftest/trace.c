// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Events of jobs: each has its life in order, and joins with those of dma_fence */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "npu_util.h"
#include "npu_vm.h"
#include "kselftest_harness.h"

#define TRACEFS "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/npu-test"
#define MAX_EVENTS 4096

/**
 * struct event - a line of the trace
 * @name: of the event
 * @pid: process that was running
 * @context: of the fence
 * @seqno: of the fence
 * @finished: context of the scheduler's fence, if the event has it
 * @text: what the event prints
 */
struct event {
	char name[32];
	int pid;
	unsigned long long context;
	unsigned long long seqno;
	unsigned long long finished;
	char text[256];
};

FIXTURE(trace)
{
	struct npu_ctx ctx;
	struct event events[MAX_EVENTS];
	unsigned int count;
};

static int put(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return write_file(path, text);
}

FIXTURE_SETUP(trace)
{
	if (access(TRACEFS "/instances", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/instances", W_OK))
		SKIP(return, "no tracefs, or no right to it");
	/* Before there are events: new memory is cleared by jobs too. */
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	rmdir(INSTANCE);
	ASSERT_EQ(0, mkdir(INSTANCE, 0700));
	ASSERT_EQ(0, put("trace_clock", "global"));
	ASSERT_EQ(0, put("events/npu/enable", "1")) TH_LOG("no events of npu");
	ASSERT_EQ(0, put("events/dma_fence/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	npu_ctx_close(&self->ctx);
	rmdir(INSTANCE);
}

static void parse(char *line, struct event *event)
{
	/* "  COMM-PID [CPU] FLAGS TIME: NAME: TEXT": the name of a process can be anything. */
	char *cpu = strstr(line, " ["), *name, *text, *at;

	memset(event, 0, sizeof(*event));
	if (!cpu)
		return;
	for (at = cpu; at > line && at[-1] != '-'; at--)
		;
	event->pid = atoi(at);
	name = strstr(cpu, ": ");
	text = name ? strstr(name + 2, ": ") : NULL;
	if (!text)
		return;
	snprintf(event->name, sizeof(event->name), "%.*s", (int)(text - name - 2), name + 2);
	snprintf(event->text, sizeof(event->text), "%s", text + 2);
	at = strstr(event->text, "fence=");
	if (at)
		sscanf(at, "fence=%llu:%llu", &event->context, &event->seqno);
	at = strstr(event->text, "finished=");
	if (at)
		sscanf(at, "finished=%llu", &event->finished);
	at = strstr(event->text, "context=");
	if (at)
		sscanf(at, "context=%llu", &event->context);
	at = strstr(event->text, "seqno=");
	if (at)
		sscanf(at, "seqno=%llu", &event->seqno);
}

/* All events so far, oldest first. */
static void collect(struct __test_metadata *_metadata, FIXTURE_DATA(trace) *self)
{
	char line[512];
	FILE *file;

	ASSERT_EQ(0, put("tracing_on", "0"));
	file = fopen(INSTANCE "/trace", "r");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		ASSERT_LT(self->count, MAX_EVENTS);
		parse(line, &self->events[self->count++]);
	}
	fclose(file);
}

/* Index of the @nth event of a fence; -1 if there is none. */
static int find(FIXTURE_DATA(trace) *self, const char *name, unsigned long long context,
		unsigned long long seqno, unsigned int nth)
{
	for (unsigned int i = 0; i < self->count; i++) {
		const struct event *event = &self->events[i];

		if (!strcmp(event->name, name) && event->context == context &&
		    event->seqno == seqno && !nth--)
			return i;
	}
	return -1;
}

static unsigned int count_name(FIXTURE_DATA(trace) *self, const char *name,
			       unsigned long long context)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < self->count; i++)
		count += !strcmp(self->events[i].name, name) && self->events[i].context == context;
	return count;
}

/* The first job that this process submitted; the fence context is its ring's. */
static const struct event *first_job(FIXTURE_DATA(trace) *self)
{
	for (unsigned int i = 0; i < self->count; i++)
		if (!strcmp(self->events[i].name, "npu_job_queue") &&
		    self->events[i].pid == getpid())
			return &self->events[i];
	return NULL;
}

/* Each of @jobs fences has each event once, in order, and dma_fence's after it. */
static void check_lives(struct __test_metadata *_metadata, FIXTURE_DATA(trace) *self,
			unsigned long long context, unsigned int jobs)
{
	EXPECT_EQ(jobs, count_name(self, "npu_job_queue", context));
	EXPECT_EQ(jobs, count_name(self, "npu_job_run", context));
	EXPECT_EQ(jobs, count_name(self, "npu_job_done", context));
	for (unsigned int seqno = 1; seqno <= jobs; seqno++) {
		int queue = find(self, "npu_job_queue", context, seqno, 0);
		int run = find(self, "npu_job_run", context, seqno, 0);
		int done = find(self, "npu_job_done", context, seqno, 0);

		ASSERT_GE(queue, 0) TH_LOG("job %u", seqno);
		EXPECT_LT(queue, run) TH_LOG("job %u", seqno);
		EXPECT_LT(run, done) TH_LOG("job %u", seqno);
		EXPECT_LT(done, find(self, "dma_fence_signaled", context, seqno, 0))
			TH_LOG("job %u", seqno);
		EXPECT_EQ(-1, find(self, "npu_job_done", context, seqno, 1));
	}
}

TEST_F(trace, life_of_jobs)
{
	const unsigned int jobs = 32;
	const struct event *job;
	uint32_t syncobj;

	cmd_nop(npu_ctx_cmd(&self->ctx, 0));
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &syncobj));
	for (unsigned int i = 0; i < jobs; i++)
		ASSERT_EQ(0, npu_submit(self->ctx.fd, self->ctx.queue, self->ctx.list.va, 1,
					syncobj));
	ASSERT_EQ(0, npu_syncobj_wait(self->ctx.fd, syncobj, 0, WAIT_NS));
	collect(_metadata, self);
	job = first_job(self);
	ASSERT_NE(NULL, job);
	EXPECT_EQ(1, job->seqno);
	EXPECT_EQ(0, job->finished) TH_LOG("nothing to wait for: the scheduler has no part in it");
	EXPECT_NE(NULL, strstr(job->text, "count=1,"));
	check_lives(_metadata, self, job->context, jobs);
}

/* One that waits goes through the scheduler, and names the scheduler's fence. */
TEST_F(trace, job_of_the_scheduler)
{
	struct drm_npu_sync syncs[2] = { { .flags = DRM_NPU_SYNC_WAIT },
					 { .flags = DRM_NPU_SYNC_SIGNAL } };
	struct drm_npu_job jobs[2] = { { .list = self->ctx.list.va + 64, .count = 1 } };
	const uint64_t semaphore = self->ctx.list.va + 4096;
	const struct event *first, *second;
	uint32_t producer;
	int queued;

	/* The producer is held by a semaphore, so that the consumer finds its fence pending. */
	cmd_sem_wait(npu_ctx_cmd(&self->ctx, 0), semaphore, 1);
	cmd_nop(npu_ctx_cmd(&self->ctx, 1));
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &syncs[0].handle));
	ASSERT_EQ(0, npu_syncobj_create(self->ctx.fd, &syncs[1].handle));
	ASSERT_EQ(0, npu_queue_create(self->ctx.fd, self->ctx.vm, &producer));
	ASSERT_EQ(0, npu_submit(self->ctx.fd, producer, self->ctx.list.va, 1, syncs[0].handle));
	jobs[1] = jobs[0];
	ASSERT_EQ(0, npu_submit_syncs(self->ctx.fd, self->ctx.queue, jobs, 2, syncs, 2));
	ASSERT_EQ(0, npu_queue_destroy(self->ctx.fd, producer));
	ASSERT_EQ(0, npu_syncobj_wait(self->ctx.fd, syncs[1].handle, 0, WAIT_NS));
	collect(_metadata, self);

	first = first_job(self);
	ASSERT_NE(NULL, first);
	EXPECT_NE(NULL, strstr(self->events[find(self, "npu_job_done", first->context, 1, 0)].text,
			       "error=-125"));
	for (second = first + 1; second < self->events + self->count; second++)
		if (!strcmp(second->name, "npu_job_queue") && second->context != first->context &&
		    second->pid == getpid())
			break;
	ASSERT_LT(second, self->events + self->count);
	EXPECT_NE(NULL, strstr(second->text, "count=2,"));
	ASSERT_NE(0, second->finished);
	check_lives(_metadata, self, second->context, 1);
	/* It waited: the other's end came in between. */
	queued = find(self, "npu_job_queue", second->context, 1, 0);
	EXPECT_LT(queued, find(self, "npu_job_done", first->context, 1, 0));
	EXPECT_LT(find(self, "npu_job_done", first->context, 1, 0),
		  find(self, "npu_job_run", second->context, 1, 0));
	EXPECT_EQ(1, count_name(self, "dma_fence_init", second->finished));
}

TEST_F(trace, fault)
{
	const struct event *job;
	int fault, done;

	cmd_copy(npu_ctx_cmd(&self->ctx, 0), self->ctx.data.va, NPU_VA_START, 64);
	EXPECT_NE(0, npu_ctx_run(&self->ctx, 1));
	collect(_metadata, self);
	job = first_job(self);
	ASSERT_NE(NULL, job);
	done = find(self, "npu_job_done", job->context, job->seqno, 0);
	ASSERT_GE(done, 0);
	EXPECT_NE(NULL, strstr(self->events[done].text, "error=-5"));
	fault = find(self, "npu_job_fault", job->context, 0, 0);
	ASSERT_GE(fault, 0);
	EXPECT_LT(fault, done);
	EXPECT_NE(NULL, strstr(self->events[fault].text, "address=0x100000000,"))
		TH_LOG("%s", self->events[fault].text);
}

/* Is there an event of this process that prints @text? */
static bool printed(FIXTURE_DATA(trace) *self, const char *name, const char *text)
{
	for (unsigned int i = 0; i < self->count; i++)
		if (!strcmp(self->events[i].name, name) && self->events[i].pid == getpid() &&
		    strstr(self->events[i].text, text))
			return true;
	return false;
}

TEST_F(trace, memory)
{
	int fd = self->ctx.fd;
	uint32_t handle;

	ASSERT_EQ(0, npu_bo_create(fd, 0x210000, DRM_NPU_BO_HBM, &handle));
	ASSERT_EQ(0, npu_vm_map(fd, self->ctx.vm, handle, 0x10000, 0x2000000000, 0x200000,
				DRM_NPU_VM_BIND_OP_READONLY));
	EXPECT_NE(0, npu_vm_map(fd, self->ctx.vm, handle, 0, 0x3000000000, 0x400000, 0));
	ASSERT_EQ(0, npu_vm_unmap(fd, self->ctx.vm, 0x2000000000, 0x200000));
	collect(_metadata, self);
	EXPECT_TRUE(printed(self, "npu_buffer_move", "size=0x210000, to=hbm, clear=1, ret=0"));
	EXPECT_TRUE(printed(self, "npu_vm_bind", "op=0, flags=0x1, va=0x2000000000, size=0x200000"));
	EXPECT_TRUE(printed(self, "npu_vm_bind", "offset=0x10000, ret=0"));
	EXPECT_TRUE(printed(self, "npu_vm_bind", "op=1, flags=0x0, va=0x2000000000"));
	EXPECT_TRUE(printed(self, "npu_vm_bind", "va=0x3000000000, size=0x400000"));
	EXPECT_FALSE(printed(self, "npu_vm_bind", "bo=0, offset=0x0, ret=-"));
}

/* Index of the next event from @from on that prints @text; -1 if there is none. */
static int next(FIXTURE_DATA(trace) *self, unsigned int from, const char *name, const char *text)
{
	for (unsigned int i = from; i < self->count; i++)
		if (!strcmp(self->events[i].name, name) && strstr(self->events[i].text, text))
			return i;
	return -1;
}

/* Index of the step of recovery that a queue ended with; -1 if there is none. */
static int step_of(FIXTURE_DATA(trace) *self, unsigned long long context, unsigned int step)
{
	char text[64];

	snprintf(text, sizeof(text), "context=%llu, step=%u", context, step);
	return next(self, 0, "npu_queue_recover", text);
}

/* A task that takes too long is stopped, and nothing else is. */
TEST_F(trace, task_is_stopped)
{
	struct drm_npu_job late = { .list = self->ctx.list.va, .count = 1, .timeout_ms = 50 };
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };
	struct npu_ctx *ctx = &self->ctx;
	const struct event *job;
	int step, done;

	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &late, 1, &sync, 1));
	EXPECT_EQ(-ETIME, npu_ctx_finish(ctx, sync.handle));
	collect(_metadata, self);
	job = first_job(self);
	ASSERT_NE(NULL, job);
	step = step_of(self, job->context, DRM_NPU_RECOVERY_TASK);
	done = find(self, "npu_job_done", job->context, job->seqno, 0);
	EXPECT_LE(0, step);
	EXPECT_LT(step, done);
	EXPECT_NE(NULL, strstr(self->events[done].text, "error=-62"));
	EXPECT_EQ(-1, next(self, 0, "npu_reset_reason", ""));
	EXPECT_EQ(-1, next(self, 0, "npu_device_state", ""));
}

/* A crash of the firmware: why, what the device goes through, and what that does to a job. */
TEST_F(trace, device_is_reset)
{
	int reason, offline, step, done;
	struct npu_ctx again;
	const struct event *job;
	uint32_t syncobj;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, npu_ctx_start_waiting(&self->ctx, &syncobj));
	ASSERT_EQ(0, vm_ask("fault npu0 fw-crash 1"));
	EXPECT_EQ(-ECANCELED, npu_ctx_finish(&self->ctx, syncobj));
	ASSERT_EQ(0, npu_ctx_open(&again));
	EXPECT_TRUE(npu_ctx_works(&again));
	collect(_metadata, self);
	npu_ctx_close(&again);

	job = first_job(self);
	ASSERT_NE(NULL, job);
	reason = next(self, 0, "npu_reset_reason", "reason=");
	offline = next(self, 0, "npu_device_state", "state=2,");
	step = step_of(self, job->context, DRM_NPU_RECOVERY_DEVICE);
	done = find(self, "npu_job_done", job->context, job->seqno, 0);
	EXPECT_LE(0, reason);
	EXPECT_LT(reason, offline);
	EXPECT_LT(offline, step);
	EXPECT_LT(step, done);
	EXPECT_NE(NULL, strstr(self->events[done].text, "error=-125"));
	EXPECT_LT(offline, next(self, offline, "npu_device_state", "state=0,"));
	EXPECT_EQ(-1, next(self, offline + 1, "npu_device_state", "state=2,"));
}

TEST_HARNESS_MAIN

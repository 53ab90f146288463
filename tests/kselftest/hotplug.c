// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Errors of the bus, resets from outside, and a device that goes while it works. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"
#include "npu_vm.h"
#include "kselftest_harness.h"

FIXTURE(hotplug)
{
	struct npu_ctx ctx;
	uint32_t done;
	volatile uint64_t *data;
};

/* A job that waits until somebody writes 1 to its first word, and data that has to survive. */
FIXTURE_SETUP(hotplug)
{
	struct npu_ctx *ctx = &self->ctx;
	int ret = npu_ctx_open(ctx);

	if (ret == -ENODEV)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, ret);
	self->data = ctx->data.cpu;
	memset((void *)self->data, 0, 0x1000);
	self->data[100] = 0x1020304050607080;
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &self->done));
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, 1);
	cmd_write(npu_ctx_cmd(ctx, 1), CTX_DATA_VA + 8, 7);
	ASSERT_EQ(0, npu_submit(ctx->fd, ctx->queue, ctx->list.va, 2, self->done));
}

FIXTURE_TEARDOWN(hotplug)
{
	npu_syncobj_destroy(self->ctx.fd, self->done);
	npu_ctx_close(&self->ctx);
}

/* Another one in the slot, or the same one with its driver again. */
static void wait_for_next(struct __test_metadata *_metadata)
{
	struct npu_ctx next;

	while (npu_ctx_open(&next))
		usleep(100000);
	EXPECT_TRUE(npu_ctx_works(&next));
	npu_ctx_close(&next);
}

/*
 * Those that pull are the first in the file and the last to be run: the slot is not what it was
 * after it. Pulled out: everything ends soon and nobody is killed; another one in the slot works.
 */
TEST_F_TIMEOUT(hotplug, pulled_out_at_work, 120)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_dev_info info;
	struct drm_syncobj_handle fence = {
		.handle = self->done,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	struct pollfd signalled = { .events = POLLIN };
	int dmabuf, ret;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, npu_export(ctx->fd, ctx->list.handle, &dmabuf));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &fence));
	signalled.fd = fence.fd;
	ASSERT_EQ(0, vm_ask("pull npu0"));
	EXPECT_EQ(1, poll(&signalled, 1, WAIT_NS / 1000000));
	close(fence.fd);

	while ((ret = npu_query(ctx->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info))) != -ENODEV) {
		if (ret)
			ASSERT_EQ(-EIO, ret);
		usleep(10000);
	}
	/* No SIGBUS, in neither memory. */
	self->data[3] = 3;
	*(volatile uint64_t *)ctx->list.cpu = 4;
	EXPECT_EQ(4, *(volatile uint64_t *)ctx->list.cpu);
	close(dmabuf);

	ASSERT_EQ(0, vm_ask("plug npu0"));
	wait_for_next(_metadata);
}

/* How many jobs a process has done, and whether it saw one that was not. */
struct worker {
	volatile uint64_t done;
	volatile bool wrong;
};

#define WORKERS 8

/* Submits and waits until the device has gone, and calls say so. */
static void work(struct worker *worker)
{
	const unsigned int offset = CTX_LIST_SIZE - sizeof(uint64_t);
	struct drm_npu_dev_info info;
	bool differs = false;
	struct npu_ctx ctx;
	int ret;

	ret = npu_ctx_open(&ctx);
	while (!ret) {
		volatile uint64_t *result = (void *)((char *)ctx.list.cpu + offset);

		*result = 0;
		cmd_write(npu_ctx_cmd(&ctx, 0), ctx.list.va + offset, worker->done + 1);
		ret = npu_ctx_run(&ctx, 1);
		/* What is read after the removal says nothing: only if the device is still there. */
		if (!ret && differs)
			worker->wrong = true;
		differs = *result != worker->done + 1;
		worker->done += !ret;
	}
	do {
		ret = npu_query(ctx.fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info));
	} while (ret != -ENODEV);
	npu_ctx_close(&ctx);
}

static bool all_work(struct worker *workers, uint64_t jobs)
{
	for (int i = 0; i < WORKERS; i++)
		if (workers[i].done < jobs)
			return false;
	return true;
}

/* The second one is pulled out of a slot that has been used. */
TEST_F_TIMEOUT(hotplug, pulled_out_under_load, 120)
{
	struct worker *workers;
	int status;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	workers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, workers);
	for (int round = 0; round < 2; round++) {
		memset(workers, 0, WORKERS * sizeof(*workers));
		for (int i = 0; i < WORKERS; i++) {
			pid_t child = fork();

			ASSERT_LE(0, child);
			if (!child) {
				work(&workers[i]);
				_exit(0);
			}
		}
		while (!all_work(workers, 20))
			usleep(1000);
		ASSERT_EQ(0, vm_ask("pull npu0"));
		for (int i = 0; i < WORKERS; i++) {
			ASSERT_LT(0, wait(&status));
			EXPECT_EQ(0, status);
			EXPECT_FALSE(workers[i].wrong);
		}
		ASSERT_EQ(0, vm_ask("plug npu0"));
		wait_for_next(_metadata);
	}
}

/* A reader of counters, until there are no more. */
struct reader {
	pthread_t thread;
	int stream;
	int error;
};

static void *read_counters(void *arg)
{
	struct reader *reader = arg;
	uint64_t samples[64];

	while (read(reader->stream, samples, sizeof(samples)) > 0)
		;
	reader->error = errno;
	return NULL;
}

/* Buffers of udmabuf, of which this test has the only ones. */
static int count_udmabufs(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
	char line[256];
	int count = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		count += !!strstr(line, "udmabuf");
	fclose(f);
	return count;
}

/* Counters that are read and memory of somebody else that is used, when the device goes. */
static void lose_device(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t done,
			int (*lose)(int fd))
{
	struct drm_npu_perf_open perf = { .counters = 1, .period_us = 2000, .fd = -1 };
	const uint64_t size = 0x20000, va = CTX_DATA_VA + 0x40000000;
	struct reader reader = { 0 };
	uint64_t samples[64];
	struct pollfd hangup = { 0 };
	volatile uint64_t *memory;
	uint32_t handle;
	int dmabuf;

	dmabuf = npu_udmabuf(size);
	if (dmabuf == -ENODEV)
		SKIP(return, "the kernel has no udmabuf");
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(1, count_udmabufs());
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	memory[5] = 0x123;
	ASSERT_EQ(0, npu_import(ctx->fd, dmabuf, &handle));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handle, 0, va, size, 0));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_PERF_OPEN, &perf));
	reader.stream = perf.fd;
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, read_counters, &reader));

	ASSERT_EQ(0, lose(ctx->fd));
	hangup.fd = perf.fd;
	EXPECT_EQ(1, poll(&hangup, 1, WAIT_NS / 1000000));
	EXPECT_TRUE(hangup.revents & POLLHUP);
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	EXPECT_EQ(ENODEV, reader.error);
	EXPECT_EQ(-1, read(perf.fd, samples, sizeof(samples)));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, close(perf.fd));

	/* What is somebody else's is as it was, and theirs alone when the file is closed. */
	EXPECT_EQ(0x123, memory[5]);
	munmap((void *)memory, size);
	close(dmabuf);
	npu_syncobj_destroy(ctx->fd, done);
	npu_ctx_close(ctx);
	ctx->fd = -1;
	/* TTM frees it a little later. */
	while (count_udmabufs())
		usleep(1000);
}

static int pull(int fd)
{
	return vm_ask("pull npu0");
}

TEST_F_TIMEOUT(hotplug, pulled_out_with_counters_and_buffers_open, 120)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	lose_device(_metadata, &self->ctx, self->done, pull);
	ASSERT_EQ(0, vm_ask("plug npu0"));
	wait_for_next(_metadata);
}

static int unbind(int fd)
{
	char name[NPU_NAME_SIZE];

	return npu_name(fd, name) ?: npu_driver_write("unbind", name);
}

TEST_F_TIMEOUT(hotplug, unbound_with_counters_and_buffers_open, 120)
{
	char name[NPU_NAME_SIZE];

	ASSERT_EQ(0, npu_name(self->ctx.fd, name));
	if (access("/sys/bus/pci/drivers/npu/unbind", W_OK))
		SKIP(return, "needs root");
	lose_device(_metadata, &self->ctx, self->done, unbind);
	ASSERT_EQ(0, npu_driver_write("bind", name));
	wait_for_next(_metadata);
}

/* The queue is lost, memory and VM are not: a new queue goes on with them. */
static void check_lost(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t done,
		       volatile uint64_t *data)
{
	struct drm_npu_queue_get_state state;
	int ret;

	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, done, 0, WAIT_NS));
	EXPECT_EQ(-ECANCELED, npu_syncobj_error(ctx->fd, done));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_LOST, state.state);
	EXPECT_EQ(1, state.reset_count);
	EXPECT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));

	/* Until the link has been reset there is only EIO. */
	while ((ret = npu_queue_create(ctx->fd, ctx->vm, &ctx->queue)) == -EIO)
		usleep(10000);
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0x1020304050607080, data[100]);
	EXPECT_EQ(0, data[1]);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(hotplug, error_that_is_not_fatal_costs_nothing)
{
	struct drm_npu_queue_get_state state;
	struct npu_ctx *ctx = &self->ctx;

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, vm_ask("aer npu0 COMP_TIME"));
	self->data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, self->done, 0, WAIT_NS));
	EXPECT_EQ(0, npu_syncobj_error(ctx->fd, self->done));
	EXPECT_EQ(7, self->data[1]);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_OK, state.state);
	EXPECT_EQ(0, state.reset_count);
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(hotplug, fatal_error_costs_queues_only)
{
	if (!vm_here())
		SKIP(return, "not in npu-vm");
	ASSERT_EQ(0, vm_ask("aer npu0 DLP"));
	check_lost(_metadata, &self->ctx, self->done, self->data);
}

TEST_F(hotplug, function_level_reset_costs_queues_only)
{
	int ret = power_set(self->ctx.fd, "../reset", "1");

	if (ret == -EACCES || ret == -ENOENT)
		SKIP(return, "needs root, and a device that can be reset");
	ASSERT_EQ(0, ret);
	check_lost(_metadata, &self->ctx, self->done, self->data);
}

/* A reset of the function, in a thread: the write ends when it is over. */
struct reset {
	pthread_t thread;
	int fd;
	int ret;
};

static void *reset_function(void *arg)
{
	struct reset *reset = arg;

	reset->ret = power_set(reset->fd, "../reset", "1");
	return NULL;
}

static bool can_reset(int fd)
{
	struct drm_npu_dev_info info = { 0 };
	char path[80];

	npu_query(fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%04x:%02x:%02x.%x/reset",
		 info.pci_domain, info.pci_bus, info.pci_device, info.pci_function);
	return !access(path, W_OK);
}

#define PATTERN_SIZE 0x200000
#define PATTERN_VA (CTX_DATA_VA + 0x40000000ULL)
/* Where there is no page table yet. */
#define FAR_VA (PATTERN_VA + (1ULL << 39))
#define PATTERNS 4

static uint64_t pattern(unsigned int which, unsigned int i)
{
	return (which + 1) * 0x0101010101010101 + i;
}

static int make_pattern(int fd, unsigned int which, uint32_t *handle)
{
	uint64_t *cpu;
	int ret;

	ret = npu_bo_create(fd, PATTERN_SIZE, DRM_NPU_BO_HBM, handle);
	if (ret)
		return ret;
	cpu = npu_bo_mmap(fd, *handle, PATTERN_SIZE);
	if (cpu == MAP_FAILED)
		return -ENOMEM;
	for (unsigned int i = 0; i < PATTERN_SIZE / 8; i++)
		cpu[i] = pattern(which, i);
	munmap(cpu, PATTERN_SIZE);
	return 0;
}

/* What the device finds at an address. */
static bool device_sees(struct npu_ctx *ctx, uint64_t va, unsigned int which)
{
	cmd_copy(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, va, PATTERN_SIZE);
	if (npu_ctx_run(ctx, 1))
		return false;
	for (unsigned int i = 0; i < PATTERN_SIZE / 8; i++)
		if (((uint64_t *)ctx->data.cpu)[i] != pattern(which, i))
			return false;
	return true;
}

static int wait_down(struct npu_ctx *ctx)
{
	struct drm_npu_queue_get_state state;
	int ret;

	do {
		ret = npu_queue_state(ctx->fd, ctx->queue, &state);
	} while (!ret && !state.reset_count);
	return ret;
}

static int use(struct npu_ctx *ctx, uint64_t va)
{
	struct drm_npu_vm_bind_op prefetch = {
		.op = DRM_NPU_VM_BIND_OP_PREFETCH,
		.va = va,
		.size = PATTERN_SIZE,
	};

	return npu_vm_bind(ctx->fd, ctx->vm, &prefetch, 1);
}

/* Buffers that are mapped, unmapped, made and moved while the device is out of reach. */
static void change_memory(struct __test_metadata *_metadata, struct npu_ctx *ctx,
			  const uint32_t *handles)
{
	uint32_t fresh;
	uint64_t *cpu;
	int dmabuf;

	ASSERT_EQ(0, wait_down(ctx));
	/* Over another, with tables that there are, then with new ones. */
	EXPECT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handles[1], 0, PATTERN_VA, PATTERN_SIZE, 0));
	EXPECT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handles[2], 0, FAR_VA, PATTERN_SIZE, 0));
	/* Small pages in the place of a large one. */
	EXPECT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handles[3], 0, PATTERN_VA + 2 * PATTERN_SIZE,
				PATTERN_SIZE, 0));
	EXPECT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, PATTERN_VA + 2 * PATTERN_SIZE, 0x1000));
	/* It goes to system memory as long as it is exported, or comes from there. */
	EXPECT_EQ(0, npu_export(ctx->fd, handles[0], &dmabuf));
	cpu = mmap(NULL, PATTERN_SIZE, PROT_READ, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, cpu);
	for (unsigned int i = 0; i < PATTERN_SIZE / 8; i++) {
		ASSERT_EQ(pattern(0, i), cpu[i]);
	}
	munmap(cpu, PATTERN_SIZE);
	close(dmabuf);
	/* New memory is clear. */
	ASSERT_EQ(0, npu_bo_create(ctx->fd, PATTERN_SIZE, DRM_NPU_BO_HBM, &fresh));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, fresh, 0, PATTERN_VA + 4 * PATTERN_SIZE,
				PATTERN_SIZE, 0));
	EXPECT_EQ(0, use(ctx, PATTERN_VA + 4 * PATTERN_SIZE));
	cpu = npu_bo_mmap(ctx->fd, fresh, PATTERN_SIZE);
	ASSERT_NE(MAP_FAILED, cpu);
	for (unsigned int i = 0; i < PATTERN_SIZE / 8; i++) {
		ASSERT_EQ(0, cpu[i]);
	}
	munmap(cpu, PATTERN_SIZE);
}

static void check_memory(struct __test_metadata *_metadata, struct npu_ctx *ctx)
{
	EXPECT_EQ(0, npu_queue_destroy(ctx->fd, ctx->queue));
	ASSERT_EQ(0, npu_queue_create(ctx->fd, ctx->vm, &ctx->queue));
	EXPECT_TRUE(device_sees(ctx, PATTERN_VA, 1));
	EXPECT_TRUE(device_sees(ctx, FAR_VA, 2));

	/* What was unmapped is not there any more. */
	cmd_copy(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, PATTERN_VA + 2 * PATTERN_SIZE + 0x1000, 0x1000);
	ASSERT_EQ(0, npu_ctx_run(ctx, 1));
	EXPECT_EQ(pattern(3, 0x200), ((uint64_t *)ctx->data.cpu)[0]);
	cmd_copy(npu_ctx_cmd(ctx, 0), CTX_DATA_VA, PATTERN_VA + 2 * PATTERN_SIZE, 0x1000);
	EXPECT_NE(0, npu_ctx_run(ctx, 1));
}

static void make_memory(struct __test_metadata *_metadata, struct npu_ctx *ctx, uint32_t *handles)
{
	for (unsigned int i = 0; i < PATTERNS; i++) {
		ASSERT_EQ(0, make_pattern(ctx->fd, i, &handles[i]));
	}
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handles[0], 0, PATTERN_VA, PATTERN_SIZE, 0));
}

TEST_F(hotplug, memory_changes_during_a_fatal_error)
{
	uint32_t handles[PATTERNS];

	if (!vm_here())
		SKIP(return, "not in npu-vm");
	make_memory(_metadata, &self->ctx, handles);
	ASSERT_EQ(0, vm_ask("aer npu0 DLP"));
	change_memory(_metadata, &self->ctx, handles);
	check_memory(_metadata, &self->ctx);
}

TEST_F(hotplug, memory_changes_during_a_function_level_reset)
{
	struct reset reset = { .fd = self->ctx.fd };
	uint32_t handles[PATTERNS];

	if (!can_reset(reset.fd))
		SKIP(return, "needs root, and a device that can be reset");
	make_memory(_metadata, &self->ctx, handles);
	ASSERT_EQ(0, pthread_create(&reset.thread, NULL, reset_function, &reset));
	change_memory(_metadata, &self->ctx, handles);
	ASSERT_EQ(0, pthread_join(reset.thread, NULL));
	EXPECT_EQ(0, reset.ret);
	check_memory(_metadata, &self->ctx);
}

/* What the CPU writes to HBM meanwhile is not lost: it waits. */
TEST_F(hotplug, no_write_is_lost_in_a_function_level_reset)
{
	struct reset reset = { .fd = self->ctx.fd };
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	unsigned int i, n = CTX_DATA_SIZE / 8;
	uint64_t round = 0;

	if (!can_reset(reset.fd))
		SKIP(return, "needs root, and a device that can be reset");
	ASSERT_EQ(0, pthread_create(&reset.thread, NULL, reset_function, &reset));
	do {
		round++;
		for (i = 1; i < n; i += 37)
			self->data[i] = round * n + i;
		for (i = 1; i < n; i += 37) {
			ASSERT_EQ(round * n + i, self->data[i]);
		}
		/* No call that waits for the device: that would be in the reset instead of us. */
	} while (pthread_tryjoin_np(reset.thread, NULL));
	EXPECT_EQ(0, reset.ret);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(1, state.reset_count);
}

TEST_HARNESS_MAIN

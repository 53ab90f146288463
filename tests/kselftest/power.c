// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The device sleeps when nobody uses it, wakes for whoever does, and forgets nothing. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"
#include "kselftest_harness.h"

#define DELAY_MS "20"

FIXTURE(power)
{
	struct npu_ctx ctx;
	char delay[16];
	int fd;
};

FIXTURE_SETUP(power)
{
	int ret = npu_ctx_open(&self->ctx);

	if (ret == -ENODEV)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, ret);
	self->fd = self->ctx.fd;
	snprintf(self->delay, sizeof(self->delay), "%ld",
		 power_get(self->fd, "autosuspend_delay_ms"));
	if (power_set(self->fd, "autosuspend_delay_ms", DELAY_MS))
		SKIP(return, "needs root");
}

FIXTURE_TEARDOWN(power)
{
	power_set(self->fd, "control", "auto");
	power_set(self->fd, "autosuspend_delay_ms", self->delay);
	npu_ctx_close(&self->ctx);
}

TEST_F(power, sleeps_by_default)
{
	EXPECT_LT(0, strtol(self->delay, NULL, 10));
	EXPECT_TRUE(power_wait_suspended(self->fd));
}

TEST_F(power, query_wakes)
{
	struct drm_npu_dev_timestamp before, after;

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &before, sizeof(before)));
	ASSERT_TRUE(power_wait_suspended(self->fd));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &after, sizeof(after)));
	/* The device's clock goes on while it sleeps, and no register read as all ones. */
	EXPECT_GT(after.device, before.device);
	EXPECT_LT(after.device - before.device, 2 * WAIT_NS);
}

TEST_F(power, job_wakes)
{
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(power_wait_suspended(self->fd));
		EXPECT_TRUE(npu_ctx_works(&self->ctx));
	}
}

TEST_F(power, mapping_wakes_and_keeps_its_contents)
{
	volatile uint64_t *data = self->ctx.data.cpu;
	const unsigned int count = CTX_DATA_SIZE / sizeof(*data);

	for (unsigned int i = 0; i < count; i++) {
		data[i] = i * 0x9e3779b97f4a7c15;
	}
	ASSERT_TRUE(power_wait_suspended(self->fd));
	for (unsigned int i = 0; i < count; i++) {
		ASSERT_EQ(i * 0x9e3779b97f4a7c15, data[i]);
	}
	ASSERT_TRUE(power_wait_suspended(self->fd));
	data[7] = 7;
	EXPECT_EQ(7, data[7]);
}

/* A write through a mapping that an ioctl makes: the fault is inside of a call that is inside. */
TEST_F(power, fault_within_an_ioctl_wakes)
{
	struct drm_npu_dev_info *info = self->ctx.data.cpu;

	ASSERT_TRUE(power_wait_suspended(self->fd));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, info, sizeof(*info)));
	EXPECT_LT(0, info->num_cores);
}

TEST_F(power, debugger_wakes)
{
	uint64_t value = 0x1122334455667788, seen = 0;
	int mem;

	*(volatile uint64_t *)self->ctx.data.cpu = value;
	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	ASSERT_TRUE(power_wait_suspended(self->fd));
	EXPECT_EQ(sizeof(seen), pread(mem, &seen, sizeof(seen), (uintptr_t)self->ctx.data.cpu));
	EXPECT_EQ(value, seen);
	close(mem);
}

TEST_F(power, sensors_do_not_lie)
{
	struct drm_npu_dev_telemetry before, after;

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TELEMETRY, &before, sizeof(before)));
	ASSERT_TRUE(power_wait_suspended(self->fd));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TELEMETRY, &after, sizeof(after)));
	EXPECT_GE(after.samples, before.samples);
	EXPECT_LT(after.samples, before.samples + 1000000);
	EXPECT_GT(200000, after.temperature_mc);
	EXPECT_LT(0, after.power_mw);
	EXPECT_GT(1000000, after.power_mw);
	EXPECT_GE(1000, after.aicore_permille);
}

static bool hwmon_read(const char *name, long *value)
{
	char pattern[128], text[32] = "";
	glob_t found;
	FILE *f;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/drivers/npu/*/hwmon/hwmon*/%s", name);
	if (glob(pattern, 0, NULL, &found))
		return false;
	f = fopen(found.gl_pathv[0], "re");
	globfree(&found);
	if (!f)
		return false;
	*value = fgets(text, sizeof(text), f) ? strtol(text, NULL, 10) : -1;
	fclose(f);
	return true;
}

TEST_F(power, hwmon_wakes)
{
	long value;

	ASSERT_TRUE(power_wait_suspended(self->fd));
	if (!hwmon_read("temp1_input", &value))
		SKIP(return, "no hwmon");
	EXPECT_LT(0, value);
	EXPECT_GT(200000, value);
}

TEST_F(power, close_wakes)
{
	struct npu_ctx other;

	ASSERT_EQ(0, npu_ctx_open(&other));
	ASSERT_TRUE(power_wait_suspended(self->fd));
	npu_ctx_close(&other);
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
}

/* Wait until the device has been awake for so long that it would have slept, did it not work. */
static bool stays_awake(int fd)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	long until = power_get(fd, "runtime_active_time") + 500;
	long asleep = power_get(fd, "runtime_suspended_time");

	while (power_get(fd, "runtime_active_time") < until) {
		if (power_get(fd, "runtime_suspended_time") != asleep)
			return false;
		nanosleep(&pause, NULL);
	}
	return power_get(fd, "runtime_suspended_time") == asleep;
}

TEST_F(power, running_job_keeps_it_awake)
{
	volatile uint64_t *flag = self->ctx.data.cpu;
	uint32_t done;

	flag[0] = 0;
	flag[1] = 0;
	ASSERT_EQ(0, npu_syncobj_create(self->fd, &done));
	cmd_sem_wait(npu_ctx_cmd(&self->ctx, 0), CTX_DATA_VA, 1);
	cmd_write(npu_ctx_cmd(&self->ctx, 1), CTX_DATA_VA + 8, 5);
	ASSERT_EQ(0, npu_submit(self->fd, self->ctx.queue, self->ctx.list.va, 2, done));
	EXPECT_TRUE(stays_awake(self->fd));
	flag[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(self->fd, done, 0, WAIT_NS));
	EXPECT_EQ(5, flag[1]);
	EXPECT_TRUE(power_wait_suspended(self->fd));
	npu_syncobj_destroy(self->fd, done);
}

TEST_F(power, job_that_waits_for_a_fence_keeps_it_awake)
{
	struct npu_mem list;
	volatile uint64_t *flag = self->ctx.data.cpu;
	struct drm_npu_job job = { .count = 1 };
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT },
		{ .flags = DRM_NPU_SYNC_SIGNAL },
	};
	uint32_t first;

	flag[0] = 0;
	flag[1] = 0;
	ASSERT_EQ(0, npu_queue_create(self->fd, self->ctx.vm, &first));
	ASSERT_EQ(0, npu_mem_create(self->fd, self->ctx.vm, 0x1000, DRM_NPU_BO_SYSTEM,
				    TEST_VA + 0x1000000, &list));
	ASSERT_EQ(0, npu_syncobj_create(self->fd, &syncs[0].handle));
	ASSERT_EQ(0, npu_syncobj_create(self->fd, &syncs[1].handle));

	cmd_sem_wait(list.cpu, CTX_DATA_VA, 1);
	ASSERT_EQ(0, npu_submit(self->fd, first, list.va, 1, syncs[0].handle));
	cmd_write(npu_ctx_cmd(&self->ctx, 0), CTX_DATA_VA + 8, 9);
	job.list = self->ctx.list.va;
	ASSERT_EQ(0, npu_submit_syncs(self->fd, self->ctx.queue, &job, 1, syncs, 2));
	EXPECT_TRUE(stays_awake(self->fd));

	flag[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(self->fd, syncs[1].handle, 0, WAIT_NS));
	EXPECT_EQ(9, flag[1]);
	EXPECT_TRUE(power_wait_suspended(self->fd));
	npu_syncobj_destroy(self->fd, syncs[0].handle);
	npu_syncobj_destroy(self->fd, syncs[1].handle);
}

/* Memory of a process is free to change while the device sleeps, which does not wake it. */
TEST_F(power, memory_of_a_sleeping_device_changes)
{
	const uint64_t size = 0x20000, va = 0x7700000000;
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR, .va = va, .size = size,
	};
	volatile uint64_t *data = self->ctx.data.cpu;
	volatile uint64_t *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	op.bo_offset = (uintptr_t)memory;
	if (npu_vm_bind(self->fd, self->ctx.vm, &op, 1) == -EOPNOTSUPP)
		SKIP(return, "the kernel has no HMM_MIRROR");
	cmd_copy(npu_ctx_cmd(&self->ctx, 0), CTX_DATA_VA, va, 8);
	for (uint64_t i = 1; i < 5; i++) {
		long active;

		/* What the device has cached of its tables is of no use from here on. */
		memory[0] = i;
		ASSERT_EQ(0, npu_ctx_run(&self->ctx, 1));
		ASSERT_EQ(i, data[0]);
		ASSERT_TRUE(power_wait_suspended(self->fd));
		active = power_get(self->fd, "runtime_active_time");
		ASSERT_EQ(0, madvise((void *)memory, size, MADV_DONTNEED));
		memory[0] = 100 + i;
		EXPECT_EQ(active, power_get(self->fd, "runtime_active_time"));
		EXPECT_TRUE(power_is(self->fd, "suspended"));
		ASSERT_EQ(0, npu_ctx_run(&self->ctx, 1));
		EXPECT_EQ(100 + i, data[0]);
	}

	/* It is not there any more, whatever the device knew before it slept. */
	ASSERT_TRUE(power_wait_suspended(self->fd));
	ASSERT_EQ(0, munmap((void *)memory, size));
	EXPECT_TRUE(power_is(self->fd, "suspended"));
	EXPECT_NE(0, npu_ctx_run(&self->ctx, 1));
}

TEST_F(power, bind_that_waits_keeps_it_awake)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP, .bo_handle = self->ctx.data.handle,
		.va = CTX_DATA_VA + 0x40000000, .size = 0x1000,
	};
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT },
		{ .flags = DRM_NPU_SYNC_SIGNAL },
	};
	volatile uint64_t *data = self->ctx.data.cpu;

	data[0] = 0;
	data[1] = 17;
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, npu_syncobj_create(self->fd, &syncs[i].handle));
	}
	cmd_sem_wait(npu_ctx_cmd(&self->ctx, 0), CTX_DATA_VA, 1);
	ASSERT_EQ(0, npu_submit(self->fd, self->ctx.queue, self->ctx.list.va, 1, syncs[0].handle));
	ASSERT_EQ(0, npu_vm_bind_async(self->fd, self->ctx.vm, &op, 1, syncs, 2));
	EXPECT_TRUE(stays_awake(self->fd));
	data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(self->fd, syncs[1].handle, 0, WAIT_NS));
	cmd_copy(npu_ctx_cmd(&self->ctx, 0), CTX_DATA_VA + 16, op.va + 8, 8);
	EXPECT_EQ(0, npu_ctx_run(&self->ctx, 1));
	EXPECT_EQ(17, data[2]);
	EXPECT_TRUE(power_wait_suspended(self->fd));
}

TEST_F(power, control_on_keeps_it_awake)
{
	ASSERT_TRUE(power_wait_suspended(self->fd));
	ASSERT_EQ(0, power_set(self->fd, "control", "on"));
	EXPECT_TRUE(power_is(self->fd, "active"));
	EXPECT_TRUE(stays_awake(self->fd));
	ASSERT_EQ(0, power_set(self->fd, "control", "auto"));
	EXPECT_TRUE(power_wait_suspended(self->fd));
}

/* In and out of sleep while it is used: the delay is none, so each pause is a sleep. */
TEST_F(power, many_naps)
{
	ASSERT_EQ(0, power_set(self->fd, "autosuspend_delay_ms", "0"));
	for (int i = 0; i < 50; i++) {
		ASSERT_TRUE(npu_ctx_works(&self->ctx));
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_DEV_QUERY */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(dev_query)
{
	int fd;
};

FIXTURE_SETUP(dev_query)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
}

FIXTURE_TEARDOWN(dev_query)
{
	close(self->fd);
}

TEST_F(dev_query, info)
{
	struct drm_npu_dev_info info = { 0 };

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info)));
	EXPECT_NE(0, strnlen(info.name, sizeof(info.name)));
	EXPECT_LT(strnlen(info.name, sizeof(info.name)), sizeof(info.name));
	EXPECT_GE(info.num_cores, 1);
	EXPECT_EQ(info.num_cores, __builtin_popcountll(info.core_mask));
	EXPECT_EQ(NPU_VA_START, info.va_start);
	EXPECT_EQ(NPU_VA_END, info.va_end);
	EXPECT_GT(info.timestamp_frequency, 0);
	EXPECT_TRUE(info.page_sizes & 4096);
	EXPECT_TRUE(info.page_sizes & 0x200000);
	EXPECT_EQ(NPU_UB_SIZE, info.ub_size);
	EXPECT_GE(info.max_queues, 2000);
}

TEST_F(dev_query, size_only)
{
	struct drm_npu_dev_query query = { .type = DRM_NPU_DEV_QUERY_INFO };

	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(sizeof(struct drm_npu_dev_info), query.size);
}

TEST_F(dev_query, short_and_long_size)
{
	struct {
		struct drm_npu_dev_info info;
		unsigned char tail[64];
	} data;
	struct drm_npu_dev_query query = {
		.type = DRM_NPU_DEV_QUERY_INFO,
		.size = 32,
		.pointer = (uintptr_t)&data,
	};

	memset(&data, 0xaa, sizeof(data));
	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(32, query.size);
	EXPECT_EQ(0xaaaaaaaaaaaaaaaaULL, data.info.serial) TH_LOG("wrote past the caller's size");

	query.size = sizeof(data);
	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(sizeof(data.info), query.size);
	EXPECT_EQ(0xaa, data.tail[0]);
}

TEST_F(dev_query, bad_type)
{
	char data[64];

	EXPECT_EQ(-EINVAL, npu_query(self->fd, 99, data, sizeof(data)));
	EXPECT_EQ(-EINVAL, npu_query(self->fd, ~0U, data, sizeof(data)));
}

TEST_F(dev_query, bad_pointer)
{
	EXPECT_EQ(-EFAULT, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, (void *)8, 64));
}

TEST_F(dev_query, memory_counts_allocations)
{
	struct drm_npu_dev_memory before = { 0 }, after = { 0 };
	const uint64_t size = 8 << 20;
	uint32_t handle;

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_MEMORY, &before, sizeof(before)));
	EXPECT_LT(before.hbm_size, before.hbm_physical);
	EXPECT_LE(before.hbm_used, before.hbm_size);
	ASSERT_EQ(0, npu_bo_create(self->fd, size, DRM_NPU_BO_HBM, &handle));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_MEMORY, &after, sizeof(after)));
	EXPECT_GE(after.hbm_used, before.hbm_used + size);
	ASSERT_EQ(0, npu_bo_close(self->fd, handle));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_MEMORY, &after, sizeof(after)));
	EXPECT_EQ(before.hbm_used, after.hbm_used);
}

TEST_F(dev_query, firmware)
{
	struct drm_npu_dev_firmware firmware = { 0 };

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_FIRMWARE, &firmware, sizeof(firmware)));
	EXPECT_NE('\0', firmware.version[0]);
	EXPECT_EQ(1, firmware.abi_major);
	EXPECT_EQ(0x60, firmware.boot_post);
}

TEST_F(dev_query, timestamp_advances_with_the_cpu_clock)
{
	struct drm_npu_dev_timestamp a = { 0 }, b = { 0 };
	struct drm_npu_dev_info info = { 0 };
	struct timespec pause = { .tv_nsec = 50000000 };
	int64_t device_ns, least, most;

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info)));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &a, sizeof(a)));
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TIMESTAMP, &b, sizeof(b)));
	ASSERT_LE(a.cpu_before, a.cpu_after);
	ASSERT_LT(a.cpu_after, b.cpu_before);
	device_ns = (b.device - a.device) * 1000000000ULL / info.timestamp_frequency;
	least = b.cpu_before - a.cpu_after;
	most = b.cpu_after - a.cpu_before;
	/* A tenth for the drift of an emulated clock. */
	EXPECT_GE(device_ns, least - least / 10);
	EXPECT_LE(device_ns, most + most / 10);
}

TEST_F(dev_query, telemetry)
{
	struct drm_npu_dev_telemetry t = { 0 };

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_TELEMETRY, &t, sizeof(t)));
	EXPECT_GT(t.samples, 0);
	EXPECT_GT(t.temperature_mc, 0);
	EXPECT_LT(t.temperature_mc, 120000);
	EXPECT_GT(t.power_mw, 0);
	EXPECT_LE(t.aicore_permille, 1000);
	EXPECT_EQ(0, t.health);
}

TEST_HARNESS_MAIN

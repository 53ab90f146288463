// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_BO_CREATE, DRM_IOCTL_NPU_BO_MMAP_OFFSET and mmap() */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x300000

FIXTURE(bo)
{
	int fd;
};

FIXTURE_VARIANT(bo)
{
	uint32_t placement;
};

FIXTURE_VARIANT_ADD(bo, hbm)
{
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(bo, system)
{
	.placement = DRM_NPU_BO_SYSTEM,
};

FIXTURE_SETUP(bo)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
}

FIXTURE_TEARDOWN(bo)
{
	close(self->fd);
}

TEST_F(bo, size_is_rounded_up)
{
	struct drm_npu_bo_create create = { .size = 1, .placement = variant->placement };

	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	EXPECT_GE(create.size, 4096);
	EXPECT_EQ(0, create.size % 4096);
	EXPECT_NE(0, create.handle);
	EXPECT_EQ(0, npu_bo_close(self->fd, create.handle));
}

TEST_F(bo, reads_zero_and_keeps_what_is_written)
{
	uint32_t handle;
	uint64_t *data;

	ASSERT_EQ(0, npu_bo_create(self->fd, SIZE, variant->placement, &handle));
	data = npu_bo_mmap(self->fd, handle, SIZE);
	ASSERT_NE(MAP_FAILED, data);
	for (size_t i = 0; i < SIZE / 8; i += 512) {
		ASSERT_EQ(0, data[i]);
	}
	for (size_t i = 0; i < SIZE / 8; i += 64)
		data[i] = i * 0x9e3779b97f4a7c15;
	munmap(data, SIZE);
	data = npu_bo_mmap(self->fd, handle, SIZE);
	ASSERT_NE(MAP_FAILED, data);
	for (size_t i = 0; i < SIZE / 8; i += 64) {
		ASSERT_EQ(i * 0x9e3779b97f4a7c15, data[i]);
	}
	munmap(data, SIZE);
}

TEST_F(bo, memory_of_a_freed_buffer_reads_zero)
{
	uint32_t handle;
	uint64_t *data;

	for (int round = 0; round < 4; round++) {
		ASSERT_EQ(0, npu_bo_create(self->fd, SIZE, variant->placement, &handle));
		data = npu_bo_mmap(self->fd, handle, SIZE);
		ASSERT_NE(MAP_FAILED, data);
		for (size_t i = 0; i < SIZE / 8; i += 32) {
			ASSERT_EQ(0, data[i]) TH_LOG("round %d offset %zu", round, i * 8);
		}
		memset(data, 0x5a, SIZE);
		munmap(data, SIZE);
		ASSERT_EQ(0, npu_bo_close(self->fd, handle));
	}
}

TEST_F(bo, mapping_outlives_handle)
{
	uint32_t handle;
	uint64_t *data;

	ASSERT_EQ(0, npu_bo_create(self->fd, 4096, variant->placement, &handle));
	data = npu_bo_mmap(self->fd, handle, 4096);
	ASSERT_NE(MAP_FAILED, data);
	ASSERT_EQ(0, npu_bo_close(self->fd, handle));
	data[7] = 42;
	EXPECT_EQ(42, data[7]);
	munmap(data, 4096);
}

TEST_F(bo, bad_arguments)
{
	const struct drm_npu_bo_create good = { .size = 4096, .placement = variant->placement };
	struct drm_npu_bo_create create = good;

	create.size = 0;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	create = good;
	create.placement = 2;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	create = good;
	create.flags = 0x40;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	create = good;
	create.vm_id = 4711;
	EXPECT_EQ(-ENOENT, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	create = good;
	create.size = ~0ULL;
	EXPECT_GT(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	create = good;
	create.size = 1ULL << 60;
	EXPECT_GT(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
}

TEST_F(bo, mmap_offset_bad_arguments)
{
	struct drm_npu_bo_mmap_offset arg = { .handle = 4711 };
	uint32_t handle;

	EXPECT_EQ(-ENOENT, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg));
	ASSERT_EQ(0, npu_bo_create(self->fd, 4096, variant->placement, &handle));
	arg.handle = handle;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg));
}

TEST_F(bo, private_buffer_is_of_its_vm)
{
	uint32_t vm, other, handle;
	int dmabuf;

	ASSERT_EQ(0, npu_vm_create(self->fd, &vm));
	ASSERT_EQ(0, npu_vm_create(self->fd, &other));
	ASSERT_EQ(0, npu_bo_create_in(self->fd, vm, SIZE, variant->placement, &handle));
	EXPECT_EQ(0, npu_vm_map(self->fd, vm, handle, 0, TEST_VA, SIZE, 0));
	EXPECT_EQ(-EINVAL, npu_vm_map(self->fd, other, handle, 0, TEST_VA, SIZE, 0));
	EXPECT_EQ(-EINVAL, npu_export(self->fd, handle, &dmabuf));
	/* It outlives its VM, and then cannot be mapped at all. */
	EXPECT_EQ(0, npu_vm_destroy(self->fd, vm));
	EXPECT_EQ(-EINVAL, npu_vm_map(self->fd, other, handle, 0, TEST_VA, SIZE, 0));
	EXPECT_NE(MAP_FAILED, npu_bo_mmap(self->fd, handle, SIZE));
}

TEST_F(bo, no_mmap_is_refused)
{
	struct drm_npu_bo_create create = {
		.size = 4096,
		.placement = variant->placement,
		.flags = DRM_NPU_BO_NO_MMAP,
	};

	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_CREATE, &create));
	EXPECT_EQ(MAP_FAILED, npu_bo_mmap(self->fd, create.handle, 4096));
}

TEST_F(bo, mmap_past_the_end_is_refused)
{
	uint32_t handle;

	ASSERT_EQ(0, npu_bo_create(self->fd, 8192, variant->placement, &handle));
	EXPECT_EQ(MAP_FAILED, npu_bo_mmap(self->fd, handle, 16384));
}

TEST_F(bo, handle_is_of_its_file)
{
	struct drm_npu_bo_mmap_offset arg = { 0 };
	int other = npu_open();

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_bo_create(self->fd, 4096, variant->placement, &arg.handle));
	EXPECT_EQ(-ENOENT, npu_ioctl(other, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg));
	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg));
	/* Knowing the offset is not enough to map another file's buffer. */
	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, 4096, PROT_READ, MAP_SHARED, other, arg.offset));
	EXPECT_EQ(EACCES, errno);
	close(other);
}

TEST(larger_than_hbm)
{
	struct drm_npu_dev_memory memory = { 0 };
	uint32_t handle;
	int fd = npu_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)));
	EXPECT_EQ(-ENOSPC, npu_bo_create(fd, memory.hbm_size + 4096, DRM_NPU_BO_HBM, &handle));
	/* Page tables and the like need some of it, and are not moved. */
	EXPECT_EQ(-ENOSPC, npu_bo_create(fd, memory.hbm_size, DRM_NPU_BO_HBM, &handle));
	EXPECT_EQ(0, npu_bo_create(fd, 4096, DRM_NPU_BO_HBM, &handle));
	close(fd);
}

TEST_HARNESS_MAIN

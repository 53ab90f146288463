// SPDX-License-Identifier: GPL-2.0 OR MIT
/* dma-buf export and import between files of the driver */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x20000
#define VA 0x900000000ULL

FIXTURE(prime)
{
	struct npu_ctx a;
	struct npu_ctx b;
	uint32_t handle;
};

FIXTURE_VARIANT(prime)
{
	uint32_t placement;
};

FIXTURE_VARIANT_ADD(prime, hbm)
{
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(prime, system)
{
	.placement = DRM_NPU_BO_SYSTEM,
};

FIXTURE_SETUP(prime)
{
	ASSERT_EQ(0, npu_ctx_open(&self->a));
	ASSERT_EQ(0, npu_ctx_open(&self->b));
	ASSERT_EQ(0, npu_bo_create(self->a.fd, SIZE, variant->placement, &self->handle));
}

FIXTURE_TEARDOWN(prime)
{
	npu_ctx_close(&self->a);
	npu_ctx_close(&self->b);
}

TEST_F(prime, both_see_the_same_memory)
{
	volatile uint64_t *data;
	uint32_t handle;
	int dmabuf;

	ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
	ASSERT_EQ(0, npu_import(self->b.fd, dmabuf, &handle));
	data = npu_bo_mmap(self->a.fd, self->handle, SIZE);
	ASSERT_NE(MAP_FAILED, data);
	data[3] = 0;
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, handle, 0, VA, SIZE, 0));
	cmd_write(npu_ctx_cmd(&self->b, 0), VA + 24, 0x600d);
	ASSERT_EQ(0, npu_ctx_run(&self->b, 1));
	EXPECT_EQ(0x600d, data[3]);
	munmap((void *)data, SIZE);
	close(dmabuf);
}

TEST_F(prime, memory_outlives_its_exporter)
{
	uint32_t handle;
	int dmabuf;

	ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
	npu_ctx_close(&self->a);
	self->a.fd = -1;
	ASSERT_EQ(0, npu_import(self->b.fd, dmabuf, &handle));
	close(dmabuf);
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, handle, 0, VA, SIZE, 0));
	cmd_write(npu_ctx_cmd(&self->b, 0), VA, 1);
	EXPECT_EQ(0, npu_ctx_run(&self->b, 1));
}

TEST_F(prime, dmabuf_can_be_mapped)
{
	volatile uint64_t *data, *own;
	int dmabuf;

	ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
	own = npu_bo_mmap(self->a.fd, self->handle, SIZE);
	ASSERT_NE(MAP_FAILED, own);
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, data);
	own[100] = 0xc0ffee;
	EXPECT_EQ(0xc0ffee, data[100]);
	munmap((void *)data, SIZE);
	munmap((void *)own, SIZE);
	close(dmabuf);
}

TEST_F(prime, bad_arguments)
{
	uint32_t handle;
	int fd;

	EXPECT_EQ(-ENOENT, npu_export(self->a.fd, 4711, &fd));
	EXPECT_GT(0, npu_import(self->a.fd, -1, &handle));
	EXPECT_GT(0, npu_import(self->a.fd, self->a.fd, &handle));
}

TEST_HARNESS_MAIN

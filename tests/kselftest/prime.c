// SPDX-License-Identifier: GPL-2.0 OR MIT
/* dma-buf export and import: between files of the driver, and of memory that is not its own */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <string.h>
#include <sys/ioctl.h>
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

TEST_F(prime, importing_its_own_gives_the_same_buffer)
{
	struct drm_npu_dev_memory before = { 0 }, after = { 0 };
	uint32_t handle, other;
	int dmabuf, again;

	ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
	ASSERT_EQ(0, npu_query(self->a.fd, DRM_NPU_DEV_QUERY_MEMORY, &before, sizeof(before)));
	ASSERT_EQ(0, npu_import(self->a.fd, dmabuf, &handle));
	EXPECT_EQ(self->handle, handle);
	ASSERT_EQ(0, npu_import(self->b.fd, dmabuf, &handle));
	ASSERT_EQ(0, npu_export(self->b.fd, handle, &again));
	ASSERT_EQ(0, npu_import(self->a.fd, again, &other));
	EXPECT_EQ(self->handle, other);
	ASSERT_EQ(0, npu_query(self->a.fd, DRM_NPU_DEV_QUERY_MEMORY, &after, sizeof(after)));
	EXPECT_EQ(before.hbm_used, after.hbm_used);
	EXPECT_EQ(before.system_used, after.system_used);
	close(again);
	close(dmabuf);
}

static int cpu_access(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

TEST_F(prime, cpu_and_device_take_turns)
{
	volatile uint64_t *data;
	int dmabuf;

	ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
	EXPECT_EQ(SIZE, lseek(dmabuf, 0, SEEK_END));
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, data);
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, self->handle, 0, VA, SIZE, 0));
	for (uint64_t turn = 1; turn <= 8; turn++) {
		ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
		data[0] = turn;
		EXPECT_EQ(turn - 1, data[SIZE / 8 - 1]);
		ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
		cmd_copy(npu_ctx_cmd(&self->a, 0), VA + SIZE - 8, VA, 8);
		ASSERT_EQ(0, npu_ctx_run(&self->a, 1));
	}
	ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(8, data[SIZE / 8 - 1]);
	munmap((void *)data, SIZE);
	close(dmabuf);
}

TEST_F(prime, is_exported_again_after_the_dmabuf_was_closed)
{
	uint32_t handle;
	int dmabuf;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, npu_export(self->a.fd, self->handle, &dmabuf));
		ASSERT_EQ(0, npu_import(self->b.fd, dmabuf, &handle));
		close(dmabuf);
		ASSERT_EQ(0, npu_bo_close(self->b.fd, handle));
	}
	EXPECT_TRUE(npu_ctx_works(&self->a));
}

TEST_F(prime, bad_arguments)
{
	uint32_t handle;
	int fd;

	EXPECT_EQ(-ENOENT, npu_export(self->a.fd, 4711, &fd));
	EXPECT_GT(0, npu_import(self->a.fd, -1, &handle));
	EXPECT_GT(0, npu_import(self->a.fd, self->a.fd, &handle));
}

FIXTURE(foreign)
{
	struct npu_ctx ctx;
	int dmabuf;
};

FIXTURE_VARIANT(foreign)
{
	int (*create)(void);
};

static int create_udmabuf(void)
{
	return npu_udmabuf(SIZE);
}

static int create_heap_buffer(void)
{
	struct dma_heap_allocation_data data = { .len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	int ret;

	if (heap < 0)
		return -ENODEV;
	ret = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
	close(heap);
	return ret;
}

FIXTURE_VARIANT_ADD(foreign, udmabuf)
{
	.create = create_udmabuf,
};

FIXTURE_VARIANT_ADD(foreign, dma_heap)
{
	.create = create_heap_buffer,
};

FIXTURE_SETUP(foreign)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->dmabuf = variant->create();
	if (self->dmabuf == -ENODEV)
		SKIP(return, "the kernel has no node for it");
	ASSERT_GE(self->dmabuf, 0);
}

FIXTURE_TEARDOWN(foreign)
{
	close(self->dmabuf);
	npu_ctx_close(&self->ctx);
}

TEST_F(foreign, device_reads_and_writes_it)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *data, *own = ctx->data.cpu;
	uint32_t handle;

	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->dmabuf, 0);
	ASSERT_NE(MAP_FAILED, data);
	for (unsigned int i = 0; i < SIZE / 16; i++) {
		data[i] = 0x1234567800000000 + i;
	}
	ASSERT_EQ(0, npu_import(ctx->fd, self->dmabuf, &handle));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handle, 0, VA, SIZE, 0));
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, VA, SIZE / 2);
	cmd_copy(npu_ctx_cmd(ctx, 1), VA + SIZE / 2, ctx->data.va, SIZE / 2);
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	for (unsigned int i = 0; i < SIZE / 16; i++) {
		ASSERT_EQ(0x1234567800000000 + i, own[i]);
		ASSERT_EQ(0x1234567800000000 + i, data[SIZE / 16 + i]);
	}
	munmap((void *)data, SIZE);
}

TEST_F(foreign, outlives_its_descriptor)
{
	struct npu_ctx *ctx = &self->ctx;
	uint32_t handle;

	ASSERT_EQ(0, npu_import(ctx->fd, self->dmabuf, &handle));
	close(self->dmabuf);
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, handle, 0, VA, SIZE, 0));
	ASSERT_EQ(0, npu_bo_close(ctx->fd, handle));
	cmd_fill(npu_ctx_cmd(ctx, 0), VA, SIZE, 0x5a5a5a5a);
	cmd_copy(npu_ctx_cmd(ctx, 1), ctx->data.va, VA + SIZE - 8, 8);
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	EXPECT_EQ(0x5a5a5a5a5a5a5a5a, *(volatile uint64_t *)ctx->data.cpu);
}

TEST_F(foreign, counts_as_system_memory)
{
	struct drm_npu_dev_memory before = { 0 }, after = { 0 };
	struct npu_ctx *ctx = &self->ctx;
	uint32_t handle;

	ASSERT_EQ(0, npu_query(ctx->fd, DRM_NPU_DEV_QUERY_MEMORY, &before, sizeof(before)));
	ASSERT_EQ(0, npu_import(ctx->fd, self->dmabuf, &handle));
	ASSERT_EQ(0, npu_query(ctx->fd, DRM_NPU_DEV_QUERY_MEMORY, &after, sizeof(after)));
	EXPECT_EQ(before.system_used + SIZE, after.system_used);
	ASSERT_EQ(0, npu_bo_close(ctx->fd, handle));
}

TEST_F(foreign, is_not_mapped_through_the_device_file)
{
	struct drm_npu_bo_mmap_offset arg = { 0 };

	ASSERT_EQ(0, npu_import(self->ctx.fd, self->dmabuf, &arg.handle));
	EXPECT_EQ(-EPERM, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &arg));
}

TEST_F(foreign, is_exported_as_what_it_is)
{
	int dmabuf;
	uint32_t handle, other;

	ASSERT_EQ(0, npu_import(self->ctx.fd, self->dmabuf, &handle));
	ASSERT_EQ(0, npu_export(self->ctx.fd, handle, &dmabuf));
	ASSERT_EQ(0, npu_import(self->ctx.fd, dmabuf, &other));
	EXPECT_EQ(handle, other);
	close(dmabuf);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_VM_BIND, and what the device then sees */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x7700000000ULL

FIXTURE(bind)
{
	struct npu_ctx ctx;
	uint32_t bo;
	uint64_t *cpu;
	uint64_t *data;
};

FIXTURE_VARIANT(bind)
{
	uint32_t placement;
	uint64_t size;
};

/* Sizes for which the driver uses 4 KiB, 64 KiB and 2 MiB pages. */
FIXTURE_VARIANT_ADD(bind, hbm_4k)
{
	.placement = DRM_NPU_BO_HBM,
	.size = 0x3000,
};

FIXTURE_VARIANT_ADD(bind, hbm_64k)
{
	.placement = DRM_NPU_BO_HBM,
	.size = 0x30000,
};

FIXTURE_VARIANT_ADD(bind, hbm_2m)
{
	.placement = DRM_NPU_BO_HBM,
	.size = 0x600000,
};

FIXTURE_VARIANT_ADD(bind, system)
{
	.placement = DRM_NPU_BO_SYSTEM,
	.size = 0x210000,
};

FIXTURE_SETUP(bind)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->data = self->ctx.data.cpu;
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, variant->size, variant->placement, &self->bo));
	self->cpu = npu_bo_mmap(self->ctx.fd, self->bo, variant->size);
	ASSERT_NE(MAP_FAILED, self->cpu);
	for (uint64_t i = 0; i < variant->size / 8; i += 512)
		self->cpu[i] = i + 1;
}

FIXTURE_TEARDOWN(bind)
{
	munmap(self->cpu, variant->size);
	npu_ctx_close(&self->ctx);
}

/* Copy 8 bytes at @va to the start of the data buffer with the device. */
static int device_read(struct npu_ctx *ctx, uint64_t va, uint64_t *value)
{
	int ret;

	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, va, 8);
	ret = npu_ctx_run(ctx, 1);
	*value = *(volatile uint64_t *)ctx->data.cpu;
	return ret;
}

/* A fault stops a queue: go on with a fresh one. */
static int new_queue(struct npu_ctx *ctx)
{
	int ret = npu_queue_destroy(ctx->fd, ctx->queue);

	return ret ? ret : npu_queue_create(ctx->fd, ctx->vm, &ctx->queue);
}

TEST_F(bind, device_sees_each_page)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	for (uint64_t page = 0; page < variant->size; page += variant->size / 3 / 4096 * 4096) {
		ASSERT_EQ(0, device_read(ctx, VA + page, &value));
		EXPECT_EQ(page / 8 + 1, value) TH_LOG("page at 0x%llx", (long long)page);
	}
}

TEST_F(bind, unaligned_va_uses_small_pages)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value, last = variant->size - 4096;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA + 0x5000, variant->size, 0));
	ASSERT_EQ(0, device_read(ctx, VA + 0x5000 + last, &value));
	EXPECT_EQ(last / 8 + 1, value);
}

TEST_F(bind, offset_in_the_buffer)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 4096, VA, 4096, 0));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	EXPECT_EQ(4096 / 8 + 1, value);
}

TEST_F(bind, unmapped_range_faults)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA, variant->size));
	EXPECT_GT(0, device_read(ctx, VA, &value));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_FAULT, state.state);
	EXPECT_EQ(NPU_ST_MMU_READ, state.fault_status);
	EXPECT_EQ(VA, state.fault_address);
}

TEST_F(bind, hole_in_a_mapping)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value, last = variant->size - 4096;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA + 4096, 4096));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	EXPECT_EQ(1, value);
	ASSERT_EQ(0, device_read(ctx, VA + last, &value));
	EXPECT_EQ(last / 8 + 1, value);
	EXPECT_GT(0, device_read(ctx, VA + 4096, &value));
	ASSERT_EQ(0, new_queue(ctx));
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_F(bind, remap_replaces)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	ASSERT_EQ(1, value);
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 8192, VA, 4096, 0));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	EXPECT_EQ(8192 / 8 + 1, value);
}

TEST_F(bind, readonly)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size,
				DRM_NPU_VM_BIND_OP_READONLY));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	cmd_write(npu_ctx_cmd(ctx, 0), VA, 0xbad);
	EXPECT_GT(0, npu_ctx_run(ctx, 1));
	EXPECT_EQ(1, *(volatile uint64_t *)self->cpu);
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(NPU_ST_MMU_WRITE, state.fault_status);
}

TEST_F(bind, noexec)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	((volatile uint32_t *)self->cpu)[0] = RV_ECALL;
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	cmd_kernel(npu_ctx_cmd(ctx, 0), VA, 0, 1);
	ASSERT_EQ(0, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size,
				DRM_NPU_VM_BIND_OP_NOEXEC));
	EXPECT_GT(0, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(NPU_ST_MMU_EXEC, state.fault_status);
}

TEST_F(bind, buffer_lives_while_it_is_mapped)
{
	struct npu_ctx *ctx = &self->ctx;
	uint64_t value;

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->bo, 0, VA, variant->size, 0));
	ASSERT_EQ(0, npu_bo_close(ctx->fd, self->bo));
	ASSERT_EQ(0, device_read(ctx, VA, &value));
	EXPECT_EQ(1, value);
}

TEST_F(bind, bad_operations)
{
	struct npu_ctx *ctx = &self->ctx;
	const struct drm_npu_vm_bind_op good = {
		.bo_handle = self->bo, .va = VA, .size = 4096,
	};
	struct drm_npu_vm_bind_op op = good;
	struct drm_npu_vm_bind bind = {
		.vm_id = ctx->vm,
		.ops = { .stride = sizeof(op), .count = 1, .array = (uintptr_t)&op },
	};
	static const struct {
		const char *what;
		uint64_t bo_offset, va, size;
		uint32_t op, flags, pad;
	} bad[] = {
		{ "op", 0, VA, 4096, 7, 0, 0 },
		{ "flags", 0, VA, 4096, 0, 0x100, 0 },
		{ "pad", 0, VA, 4096, 0, 0, 1 },
		{ "offset alignment", 100, VA, 4096, 0, 0, 0 },
		{ "va alignment", 0, VA + 8, 4096, 0, 0, 0 },
		{ "size alignment", 0, VA, 100, 0, 0, 0 },
		{ "size zero", 0, VA, 0, 0, 0, 0 },
		{ "range past the buffer", 0x600000, VA, 4096, 0, 0, 0 },
		{ "offset overflow", ~0xfffULL, VA, 8192, 0, 0, 0 },
		{ "va below the start", 0, NPU_VA_START - 4096, 4096, 0, 0, 0 },
		{ "va null", 0, 0, 4096, 0, 0, 0 },
		{ "va past the end", 0, NPU_VA_END, 4096, 0, 0, 0 },
		{ "va end", 0, NPU_VA_END - 4096, 8192, 0, 0, 0 },
		{ "va overflow", 0, ~0xfffULL, 8192, 0, 0, 0 },
		{ "unmap with a flag", 0, VA, 4096, 1, 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		op = good;
		op.op = bad[i].op;
		op.flags = bad[i].flags;
		op.pad = bad[i].pad;
		op.bo_offset = bad[i].bo_offset;
		op.va = bad[i].va;
		op.size = bad[i].size;
		if (op.op == DRM_NPU_VM_BIND_OP_UNMAP)
			op.bo_handle = 0;
		bind.ops.count = 1;
		EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind))
			TH_LOG("%s", bad[i].what);
	}
	op = good;
	op.bo_handle = 98765;
	bind.ops.count = 1;
	EXPECT_EQ(-ENOENT, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	op.op = DRM_NPU_VM_BIND_OP_UNMAP;
	op.bo_handle = self->bo;
	bind.ops.count = 1;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
}

TEST_F(bind, bad_call)
{
	struct npu_ctx *ctx = &self->ctx;
	struct {
		struct drm_npu_vm_bind_op op;
		uint64_t tail;
	} ops[2] = {
		{ .op = { .bo_handle = self->bo, .va = VA, .size = 4096 } },
		{ .op = { .bo_handle = self->bo, .va = VA + 4096, .size = 4096 } },
	};
	const struct drm_npu_vm_bind good = {
		.vm_id = ctx->vm,
		.ops = { .stride = sizeof(ops[0]), .count = 2, .array = (uintptr_t)ops },
	};
	struct drm_npu_vm_bind bind = good;

	EXPECT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind))
		TH_LOG("a longer element with a zero tail");
	ops[1].tail = 1;
	bind = good;
	EXPECT_EQ(-E2BIG, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind = good;
	bind.vm_id = 999;
	EXPECT_EQ(-ENOENT, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind = good;
	bind.flags = 2;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind = good;
	bind.ops.stride = 8;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind = good;
	bind.ops.count = 100000;
	EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	bind = good;
	bind.ops.array = 64;
	EXPECT_EQ(-EFAULT, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
}

TEST_F(bind, failing_operation_tells_how_many_were_done)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_vm_bind_op ops[3] = {
		{ .bo_handle = self->bo, .va = VA, .size = 4096 },
		{ .bo_handle = 31337, .va = VA + 4096, .size = 4096 },
		{ .bo_handle = self->bo, .va = VA + 8192, .size = 4096 },
	};
	struct drm_npu_vm_bind bind = {
		.vm_id = ctx->vm,
		.ops = { .stride = sizeof(ops[0]), .count = 3, .array = (uintptr_t)ops },
	};
	uint64_t value;

	EXPECT_EQ(-ENOENT, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
	EXPECT_EQ(1, bind.ops.count);
	EXPECT_EQ(0, device_read(ctx, VA, &value));
	EXPECT_EQ(1, value);
	EXPECT_GT(0, device_read(ctx, VA + 8192, &value));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Sparse ranges: addresses without memory, and what is mapped into them; and prefetch */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x7700000000ULL
#define SIZE_2M 0x200000ULL
#define SIZE_1G 0x40000000ULL

FIXTURE(sparse)
{
	struct npu_ctx ctx;
	volatile uint64_t *data;
};

FIXTURE_SETUP(sparse)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	self->data = self->ctx.data.cpu;
}

FIXTURE_TEARDOWN(sparse)
{
	npu_ctx_close(&self->ctx);
}

static int bind_op(struct npu_ctx *ctx, uint32_t type, uint64_t va, uint64_t size)
{
	struct drm_npu_vm_bind_op op = { .op = type, .va = va, .size = size };

	return npu_vm_bind(ctx->fd, ctx->vm, &op, 1);
}

static int sparse_map(struct npu_ctx *ctx, uint64_t va, uint64_t size)
{
	return bind_op(ctx, DRM_NPU_VM_BIND_OP_MAP_SPARSE, va, size);
}

/* What the device reads at @va, or an error. */
static int64_t device_read(struct npu_ctx *ctx, uint64_t va)
{
	volatile uint64_t *data = ctx->data.cpu;
	int ret;

	data[0] = 0x5a5a;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, va, 8);
	ret = npu_ctx_run(ctx, 1);
	return ret ? ret : (int64_t)data[0];
}

TEST_F(sparse, reads_zero_and_forgets)
{
	static const uint64_t sizes[] = { 0x1000, 0x10000, SIZE_2M, SIZE_1G, 3 * SIZE_1G + 0x3000 };
	struct npu_ctx *ctx = &self->ctx;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = sizes[i];

		ASSERT_EQ(0, sparse_map(ctx, VA, size)) TH_LOG("size 0x%llx", (long long)size);
		EXPECT_EQ(0, device_read(ctx, VA));
		EXPECT_EQ(0, device_read(ctx, VA + size - 8));
		cmd_write(npu_ctx_cmd(ctx, 0), VA + size - 8, 77);
		EXPECT_EQ(0, npu_ctx_run(ctx, 1));
		EXPECT_EQ(0, device_read(ctx, VA + size - 8));
		ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA, size));
	}
	EXPECT_GT(0, device_read(ctx, VA)) TH_LOG("unmapped again");
}

TEST_F(sparse, ends_where_it_ends)
{
	struct npu_ctx *ctx = &self->ctx;

	ASSERT_EQ(0, sparse_map(ctx, VA + 0x1000, SIZE_2M));
	EXPECT_EQ(0, device_read(ctx, VA + SIZE_2M));
	EXPECT_GT(0, device_read(ctx, VA + SIZE_2M + 0x1000));
}

TEST_F(sparse, cannot_be_executed)
{
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_queue_get_state state;

	ASSERT_EQ(0, sparse_map(ctx, VA, 0x1000));
	cmd_kernel(npu_ctx_cmd(ctx, 0), VA, 0, 1);
	EXPECT_GT(0, npu_ctx_run(ctx, 1));
	ASSERT_EQ(0, npu_queue_state(ctx->fd, ctx->queue, &state));
	EXPECT_EQ(NPU_ST_MMU_EXEC, state.fault_status);
}

TEST_F(sparse, buffers_in_it)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *cpu;
	uint32_t bo;

	ASSERT_EQ(0, npu_bo_create(ctx->fd, SIZE_2M, DRM_NPU_BO_HBM, &bo));
	cpu = npu_bo_mmap(ctx->fd, bo, SIZE_2M);
	ASSERT_NE(MAP_FAILED, (void *)cpu);
	cpu[0] = 0x1111;
	cpu[512] = 0x2222;

	ASSERT_EQ(0, sparse_map(ctx, VA, 2 * SIZE_1G));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA + SIZE_1G, 0x1000, 0));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0x1000, VA + SIZE_2M, SIZE_2M - 0x1000, 0));
	EXPECT_EQ(0, device_read(ctx, VA + SIZE_1G - 8));
	EXPECT_EQ(0x1111, device_read(ctx, VA + SIZE_1G));
	EXPECT_EQ(0, device_read(ctx, VA + SIZE_1G + 0x1000));
	EXPECT_EQ(0x2222, device_read(ctx, VA + SIZE_2M));
	EXPECT_EQ(0, device_read(ctx, VA + 2 * SIZE_2M - 0x1000));

	/* The other way round: a hole in a buffer. */
	ASSERT_EQ(0, sparse_map(ctx, VA + SIZE_2M, 0x1000));
	EXPECT_EQ(0, device_read(ctx, VA + SIZE_2M));
	munmap((void *)cpu, SIZE_2M);
}

TEST_F(sparse, bad_operations)
{
	struct npu_ctx *ctx = &self->ctx;
	const struct drm_npu_vm_bind_op good = { .va = VA, .size = 0x1000 };
	static const uint32_t types[] = {
		DRM_NPU_VM_BIND_OP_MAP_SPARSE, DRM_NPU_VM_BIND_OP_PREFETCH,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct drm_npu_vm_bind_op op;
		struct drm_npu_vm_bind bind = {
			.vm_id = ctx->vm,
			.ops = { .stride = sizeof(op), .count = 1, .array = (uintptr_t)&op },
		};
		uint32_t *words[] = { &op.flags, &op.bo_handle, &op.pad };

		for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
			op = good;
			op.op = types[i];
			*words[j] = 1;
			bind.ops.count = 1;
			EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind))
				TH_LOG("operation %u, field %zu", types[i], j);
		}
		op = good;
		op.op = types[i];
		op.bo_offset = 0x1000;
		bind.ops.count = 1;
		EXPECT_EQ(-EINVAL, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_VM_BIND, &bind));
		EXPECT_EQ(-EINVAL, bind_op(ctx, types[i], VA + 8, 0x1000));
		EXPECT_EQ(-EINVAL, bind_op(ctx, types[i], VA, 0));
		EXPECT_EQ(-EINVAL, bind_op(ctx, types[i], NPU_VA_END, 0x1000));
	}
}

TEST_F(sparse, prefetch)
{
	struct npu_ctx *ctx = &self->ctx;

	EXPECT_EQ(0, bind_op(ctx, DRM_NPU_VM_BIND_OP_PREFETCH, VA, SIZE_1G))
		TH_LOG("nothing is mapped there");
	EXPECT_EQ(0, bind_op(ctx, DRM_NPU_VM_BIND_OP_PREFETCH, ctx->data.va, SIZE_1G));
	EXPECT_TRUE(npu_ctx_works(ctx));
}

TEST_HARNESS_MAIN

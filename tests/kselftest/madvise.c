// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_BO_MADVISE: what is dropped, and what is not. Wants a small HBM. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x400000
#define VA 0x900000000ULL
/* For more than this the tests take long, and the machine lacks the memory. */
#define HBM_MAX (256ULL << 20)

FIXTURE(madvise)
{
	struct npu_ctx ctx;
	uint32_t handle;
	volatile uint64_t *data;
};

static uint64_t hbm_size(int fd)
{
	struct drm_npu_dev_memory memory = { 0 };

	return npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)) ? 0 :
	       memory.hbm_size;
}

FIXTURE_SETUP(madvise)
{
	struct npu_ctx *ctx = &self->ctx;

	ASSERT_EQ(0, npu_ctx_open(ctx));
	ASSERT_EQ(0, npu_bo_create(ctx->fd, SIZE, DRM_NPU_BO_HBM, &self->handle));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, self->handle, 0, VA, SIZE, 0));
	self->data = npu_bo_mmap(ctx->fd, self->handle, SIZE);
	ASSERT_NE(MAP_FAILED, self->data);
	for (unsigned int i = 0; i < SIZE / 8; i++) {
		self->data[i] = 1000 + i;
	}
}

FIXTURE_TEARDOWN(madvise)
{
	munmap((void *)self->data, SIZE);
	npu_ctx_close(&self->ctx);
}

/* 1 if the contents are still there, 0 if not, or a negative errno. */
static int advise(int fd, uint32_t handle, uint32_t advice)
{
	struct drm_npu_bo_madvise args = { .handle = handle, .advice = advice, .retained = 77 };
	int ret = npu_ioctl(fd, DRM_IOCTL_NPU_BO_MADVISE, &args);

	return ret ?: (int)args.retained;
}

/* Take all of HBM, so that all else has to go. */
static int take_hbm(int fd)
{
	uint64_t size = hbm_size(fd);
	uint32_t handle;
	int ret = 0;

	if (size > HBM_MAX)
		return -EFBIG;
	for (uint64_t taken = 0; !ret && taken < size; taken += SIZE)
		ret = npu_bo_create(fd, SIZE, DRM_NPU_BO_HBM, &handle);
	return ret;
}

TEST_F(madvise, nothing_is_dropped_without_need)
{
	EXPECT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_DONTNEED));
	EXPECT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(1000, self->data[0]);
	EXPECT_EQ(1000 + SIZE / 8 - 1, self->data[SIZE / 8 - 1]);
}

TEST_F(madvise, what_is_needed_is_moved)
{
	int ret = take_hbm(self->ctx.fd);

	if (ret == -EFBIG)
		SKIP(return, "HBM is too large");
	ASSERT_EQ(0, ret);
	EXPECT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(1000, self->data[0]);
	EXPECT_EQ(1000 + SIZE / 8 - 1, self->data[SIZE / 8 - 1]);
}

TEST_F(madvise, what_is_not_needed_is_dropped)
{
	int ret;

	EXPECT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_DONTNEED));
	ret = take_hbm(self->ctx.fd);
	if (ret == -EFBIG)
		SKIP(return, "HBM is too large");
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, advise(self->ctx.fd, self->handle, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_WILLNEED));
	for (unsigned int i = 0; i < SIZE / 8; i++) {
		ASSERT_EQ(0, self->data[i]);
	}
}

TEST_F(madvise, dropped_memory_is_zero_for_jobs_and_works_again)
{
	struct npu_ctx *ctx = &self->ctx;
	volatile uint64_t *own = ctx->data.cpu;
	int ret;

	EXPECT_EQ(1, advise(ctx->fd, self->handle, DRM_NPU_BO_DONTNEED));
	ret = take_hbm(ctx->fd);
	if (ret == -EFBIG)
		SKIP(return, "HBM is too large");
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, advise(ctx->fd, self->handle, DRM_NPU_BO_WILLNEED));
	own[0] = 4711;
	own[1] = 4711;
	cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, VA + SIZE - 8, 8);
	cmd_copy(npu_ctx_cmd(ctx, 1), VA + 64, ctx->data.va + 8, 8);
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	EXPECT_EQ(0, own[0]);
	EXPECT_EQ(4711, self->data[8]);
	EXPECT_EQ(0, self->data[0]);
	/* And is moved like any other. */
	ASSERT_EQ(0, take_hbm(ctx->fd));
	EXPECT_EQ(1, advise(ctx->fd, self->handle, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(4711, self->data[8]);
}

TEST_F(madvise, what_others_have_is_not_dropped)
{
	struct npu_ctx *ctx = &self->ctx;
	uint32_t handle;
	int other, dmabuf;

	ASSERT_EQ(0, npu_export(ctx->fd, self->handle, &dmabuf));
	EXPECT_EQ(-EBUSY, advise(ctx->fd, self->handle, DRM_NPU_BO_DONTNEED));
	EXPECT_EQ(1, advise(ctx->fd, self->handle, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(1, advise(ctx->fd, self->handle, DRM_NPU_BO_EVICT_LAST));
	other = npu_open();
	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_import(other, dmabuf, &handle));
	EXPECT_EQ(-EBUSY, advise(other, handle, DRM_NPU_BO_DONTNEED));
	close(other);
	close(dmabuf);
}

TEST_F(madvise, what_is_not_needed_is_not_given_to_others)
{
	int dmabuf;

	ASSERT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_DONTNEED));
	EXPECT_EQ(-EINVAL, npu_export(self->ctx.fd, self->handle, &dmabuf));
	ASSERT_EQ(1, advise(self->ctx.fd, self->handle, DRM_NPU_BO_WILLNEED));
	ASSERT_EQ(0, npu_export(self->ctx.fd, self->handle, &dmabuf));
	close(dmabuf);
}

TEST_F(madvise, bad_arguments)
{
	struct drm_npu_bo_madvise args = { .handle = self->handle, .pad = 1 };

	EXPECT_EQ(-EINVAL, npu_ioctl(self->ctx.fd, DRM_IOCTL_NPU_BO_MADVISE, &args));
	EXPECT_EQ(-EINVAL, advise(self->ctx.fd, self->handle, DRM_NPU_BO_EVICT_LAST + 1));
	EXPECT_EQ(-EINVAL, advise(self->ctx.fd, self->handle, ~0U));
	EXPECT_EQ(-ENOENT, advise(self->ctx.fd, 4711, DRM_NPU_BO_WILLNEED));
	EXPECT_EQ(-ENOENT, advise(self->ctx.fd, 0, DRM_NPU_BO_WILLNEED));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The sizes of pages that mappings get, as debugfs counts them */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x7700000000ULL
#define SIZE_2M 0x200000ULL
#define SIZE_1G 0x40000000ULL

/* Pages of each size, of all VMs together. */
struct pages {
	long long small, cont, large, huge;
};

FIXTURE(pages)
{
	struct npu_ctx ctx;
	struct pages start;
};

static bool count_pages(int fd, struct pages *pages)
{
	FILE *f = npu_debugfs_open(fd, "vms");
	char line[256];

	if (!f)
		return false;

	memset(pages, 0, sizeof(*pages));
	while (fgets(line, sizeof(line), f)) {
		struct pages vm;

		if (sscanf(line, "%*u %*x %*d %lld %lld %lld %lld", &vm.small, &vm.cont, &vm.large,
			   &vm.huge) != 4)
			continue;
		pages->small += vm.small;
		pages->cont += vm.cont;
		pages->large += vm.large;
		pages->huge += vm.huge;
	}
	fclose(f);
	return true;
}

FIXTURE_SETUP(pages)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
	if (!count_pages(self->ctx.fd, &self->start))
		SKIP(return, "no debugfs");
}

FIXTURE_TEARDOWN(pages)
{
	npu_ctx_close(&self->ctx);
}

/* Are these the pages that have come since the start? */
static bool came(int fd, const struct pages *start, long long small, long long cont,
		 long long large, long long huge)
{
	struct pages now;

	if (!count_pages(fd, &now))
		return false;
	now.small -= start->small;
	now.cont -= start->cont;
	now.large -= start->large;
	now.huge -= start->huge;
	if (now.small == small && now.cont == cont && now.large == large && now.huge == huge)
		return true;
	printf("# 4k %lld 64k %lld 2m %lld 1g %lld\n", now.small, now.cont, now.large, now.huge);
	return false;
}

TEST_F(pages, hbm)
{
	struct npu_ctx *ctx = &self->ctx;
	uint32_t bo;

	ASSERT_EQ(0, npu_bo_create(ctx->fd, 8 * SIZE_2M, DRM_NPU_BO_HBM, &bo));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA, 8 * SIZE_2M, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 8, 0)) TH_LOG("aligned to 2 MiB");
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA, 8 * SIZE_2M));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 0, 0)) TH_LOG("unmapped");

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA + 0x10000, SIZE_2M, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 32, 0, 0)) TH_LOG("aligned to 64 KiB");
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA, 8 * SIZE_2M));

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA + 0x1000, SIZE_2M, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 512, 0, 0, 0)) TH_LOG("aligned to 4 KiB");
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA, 8 * SIZE_2M));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 0, 0)) TH_LOG("unmapped");
}

TEST_F(pages, huge)
{
	struct drm_npu_dev_memory memory = { 0 };
	struct npu_ctx *ctx = &self->ctx;
	uint64_t at;
	uint32_t bo;

	ASSERT_EQ(0, npu_query(ctx->fd, DRM_NPU_DEV_QUERY_MEMORY, &memory, sizeof(memory)));
	if (memory.hbm_size < 3 * SIZE_1G)
		SKIP(return, "HBM is too small to have a block of 1 GiB");
	ASSERT_EQ(0, npu_bo_create(ctx->fd, SIZE_1G, DRM_NPU_BO_HBM, &bo));
	at = VA & ~(SIZE_1G - 1);
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, at, SIZE_1G, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 0, 1)) TH_LOG("aligned to 1 GiB");
	cmd_fill(npu_ctx_cmd(ctx, 0), at + SIZE_1G - 16, 16, 0x1234);
	cmd_copy(npu_ctx_cmd(ctx, 1), CTX_DATA_VA, at + SIZE_1G - 8, 8);
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	EXPECT_EQ(0x0000123400001234, *(volatile uint64_t *)ctx->data.cpu);

	/* What is left is as large as it can be. */
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, at, SIZE_2M));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 511, 0)) TH_LOG("all but 2 MiB");
	ASSERT_EQ(0, npu_ctx_run(ctx, 2));
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, at, SIZE_1G));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 0, 0)) TH_LOG("unmapped");

	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, at + SIZE_2M, SIZE_1G, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 512, 0)) TH_LOG("aligned to 2 MiB");
}

TEST_F(pages, what_is_left_of_a_large_page)
{
	struct npu_ctx *ctx = &self->ctx;
	uint32_t bo;

	ASSERT_EQ(0, npu_bo_create(ctx->fd, 2 * SIZE_2M, DRM_NPU_BO_HBM, &bo));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA, 2 * SIZE_2M, 0));
	ASSERT_EQ(0, npu_vm_unmap(ctx->fd, ctx->vm, VA + 0x11000, 0x1000));
	EXPECT_TRUE(came(ctx->fd, &self->start, 15, 31, 1, 0)) TH_LOG("a small hole in a page of 2 MiB");
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA, 2 * SIZE_2M, 0));
	EXPECT_TRUE(came(ctx->fd, &self->start, 0, 0, 2, 0)) TH_LOG("mapped again");
}

TEST_F(pages, system_memory)
{
	struct npu_ctx *ctx = &self->ctx;
	struct pages now;
	uint32_t bo;

	ASSERT_EQ(0, npu_bo_create(ctx->fd, 8 * SIZE_2M, DRM_NPU_BO_SYSTEM, &bo));
	ASSERT_EQ(0, npu_vm_map(ctx->fd, ctx->vm, bo, 0, VA, 8 * SIZE_2M, 0));
	ASSERT_TRUE(count_pages(ctx->fd, &now));
	EXPECT_LT(self->start.large, now.large);
	EXPECT_EQ(8 * 512, (now.large - self->start.large) * 512 +
		  (now.cont - self->start.cont) * 16 + (now.small - self->start.small));
}

TEST_HARNESS_MAIN

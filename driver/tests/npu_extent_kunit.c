// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include <drm/ttm/ttm_tt.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_hbm.h"

#define NPU_EXTENT_PAGES 8
#define NPU_EXTENT_HBM SZ_16M

/**
 * struct npu_extent_fixture - a buffer in either memory, with no device
 */
struct npu_extent_fixture {
	/** @npu: device, of which only the allocator of HBM is there */
	struct npu_device *npu;
	/** @res: where the buffer is */
	struct npu_hbm_resource res;
	/** @tt: its pages */
	struct ttm_tt tt;
	/** @dma: their bus addresses */
	dma_addr_t dma[NPU_EXTENT_PAGES];
	/** @hold: blocks that keep others apart */
	struct list_head hold;
};

static int npu_extent_test_init(struct kunit *test)
{
	struct npu_extent_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->npu = kunit_kzalloc(test, sizeof(*f->npu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->npu);
	KUNIT_ASSERT_EQ(test, 0, gpu_buddy_init(&f->npu->hbm.mm, NPU_EXTENT_HBM, PAGE_SIZE));
	INIT_LIST_HEAD(&f->res.blocks);
	INIT_LIST_HEAD(&f->hold);
	f->tt.dma_address = f->dma;
	test->priv = f;
	return 0;
}

static void npu_extent_test_exit(struct kunit *test)
{
	struct npu_extent_fixture *f = test->priv;

	gpu_buddy_free_list(&f->npu->hbm.mm, &f->res.blocks, 0);
	gpu_buddy_free_list(&f->npu->hbm.mm, &f->hold, 0);
	gpu_buddy_fini(&f->npu->hbm.mm);
}

/* Two pages that follow each other, one alone, and five. */
static void npu_extent_set_pages(struct npu_extent_fixture *f)
{
	static const dma_addr_t starts[NPU_EXTENT_PAGES] = {
		0x10000, 0x11000, 0x80000, 0x20000, 0x21000, 0x22000, 0x23000, 0x24000,
	};

	memcpy(f->dma, starts, sizeof(starts));
	f->res.base.mem_type = NPU_PL_SYSTEM;
}

static void npu_extent_test_system(struct kunit *test)
{
	struct npu_extent_fixture *f = test->priv;
	struct npu_extent e;

	npu_extent_set_pages(f);
	npu_extent_first(f->npu, &f->res.base, &f->tt, 0, NPU_EXTENT_PAGES * PAGE_SIZE, &e);
	KUNIT_EXPECT_TRUE(test, e.system);
	KUNIT_EXPECT_EQ(test, 0x10000, e.addr);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, e.size);

	npu_extent_advance(&e, e.size);
	KUNIT_EXPECT_EQ(test, 0x80000, e.addr);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, e.size);

	npu_extent_advance(&e, e.size);
	KUNIT_EXPECT_EQ(test, 0x20000, e.addr);
	KUNIT_EXPECT_EQ(test, 5 * PAGE_SIZE, e.size);

	npu_extent_advance(&e, e.size);
	KUNIT_EXPECT_EQ(test, 0, e.size);
	KUNIT_EXPECT_EQ(test, 0, e.remaining);
}

/* A piece begins and ends within extents, and may be taken in parts. */
static void npu_extent_test_system_piece(struct kunit *test)
{
	struct npu_extent_fixture *f = test->priv;
	struct npu_extent e;

	npu_extent_set_pages(f);
	npu_extent_first(f->npu, &f->res.base, &f->tt, PAGE_SIZE, 5 * PAGE_SIZE, &e);
	KUNIT_EXPECT_EQ(test, 0x11000, e.addr);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, e.size);

	npu_extent_advance(&e, PAGE_SIZE);
	npu_extent_advance(&e, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0x20000, e.addr);
	KUNIT_EXPECT_EQ(test, 3 * PAGE_SIZE, e.size);

	npu_extent_advance(&e, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0x21000, e.addr);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, e.size);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, e.remaining);
}

/* Blocks of 4, 64 and 4 KiB that do not touch. */
static void npu_extent_set_blocks(struct kunit *test, struct npu_extent_fixture *f)
{
	static const u64 sizes[] = { SZ_4K, SZ_64K, SZ_4K };
	struct gpu_buddy *mm = &f->npu->hbm.mm;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		LIST_HEAD(blocks);

		KUNIT_ASSERT_EQ(test, 0,
				gpu_buddy_alloc_blocks(mm, 0, NPU_EXTENT_HBM, sizes[i], sizes[i],
						       &blocks, 0));
		list_splice_tail_init(&blocks, &f->res.blocks);
		KUNIT_ASSERT_EQ(test, 0,
				gpu_buddy_alloc_blocks(mm, 0, NPU_EXTENT_HBM, sizes[i], sizes[i],
						       &blocks, 0));
		list_splice_tail_init(&blocks, &f->hold);
	}
	f->res.base.mem_type = NPU_PL_HBM;
}

/* From every offset to the end, the walk goes over just the pages that the blocks have. */
static void npu_extent_test_hbm(struct kunit *test)
{
	const u64 total = SZ_4K + SZ_64K + SZ_4K;
	struct npu_extent_fixture *f = test->priv;
	struct gpu_buddy *mm = &f->npu->hbm.mm;
	struct gpu_buddy_block *block;
	struct npu_extent e;
	u64 start, done;

	npu_extent_set_blocks(test, f);
	for (start = 0; start < total; start += PAGE_SIZE) {
		u64 at = 0;

		npu_extent_first(f->npu, &f->res.base, NULL, start, total - start, &e);
		KUNIT_EXPECT_FALSE(test, e.system);
		list_for_each_entry(block, &f->res.blocks, link) {
			u64 size = gpu_buddy_block_size(mm, block);

			for (done = 0; done < size; done += PAGE_SIZE, at += PAGE_SIZE) {
				if (at < start)
					continue;
				KUNIT_ASSERT_EQ(test, gpu_buddy_block_offset(block) + done, e.addr);
				KUNIT_ASSERT_EQ(test, size - done, e.size);
				KUNIT_ASSERT_EQ(test, total - at, e.remaining);
				npu_extent_advance(&e, PAGE_SIZE);
			}
		}
		KUNIT_EXPECT_EQ(test, 0, e.size);
	}
}

static struct kunit_case npu_extent_cases[] = {
	KUNIT_CASE(npu_extent_test_system),
	KUNIT_CASE(npu_extent_test_system_piece),
	KUNIT_CASE(npu_extent_test_hbm),
	{ }
};

static struct kunit_suite npu_extent_suite = {
	.name = "npu_extent",
	.init = npu_extent_test_init,
	.exit = npu_extent_test_exit,
	.test_cases = npu_extent_cases,
};

kunit_test_suite(npu_extent_suite);

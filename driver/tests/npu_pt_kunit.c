// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include <npu/npu_mmu.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_fake.h"
#include "npu_pt.h"
#include "npu_vm.h"

/* Aligned as no page is more. */
#define BASE BIT_ULL(NPU_PT_SHIFT(3))

#define RO (NPU_PTE_READ)
#define RW (NPU_PTE_READ | NPU_PTE_WRITE)
#define RWX (RW | NPU_PTE_EXEC)
#define LEAF (NPU_PTE_VALID | NPU_PTE_LEAF)
#define SPARSE (LEAF | NPU_PTE_SPARSE | RW)

#define NPU_PT_TEST_SEEDS 2
#define NPU_PT_TEST_STEPS 100
#define NPU_PT_TEST_PIECES 4096

static int npu_pt_test_init(struct kunit *test)
{
	test->priv = npu_fake_vm(test, npu_fake_device(test));
	return 0;
}

/* Contiguous memory, or, if sparse, none. */
static struct npu_extent npu_pt_test_extent(u64 addr, u64 size, u64 bits)
{
	return (struct npu_extent) {
		.addr = addr,
		.size = size,
		.remaining = size,
		.system = bits & NPU_PTE_SYSTEM,
		.sparse = bits & NPU_PTE_SPARSE,
	};
}

/* As a bind does it: what was there goes in the same update. */
static void npu_pt_test_map_keep(struct kunit *test, u64 va, const struct npu_extent *extent,
				 u64 bits, bool keep)
{
	u64 prot = bits & RWX, size = extent->remaining;
	struct npu_vm *vm = test->priv;
	struct npu_pt_update update;

	npu_fake_listen(vm->npu);
	npu_pt_update_begin(&update, vm);
	update.keep = keep;
	KUNIT_ASSERT_EQ(test, 0, npu_pt_prepare_unmap(&update, va, size));
	KUNIT_ASSERT_EQ(test, 0, npu_pt_prepare_map(&update, va, extent));
	npu_pt_unmap(&update, va, size);
	npu_pt_map(&update, va, extent, prot);
	npu_pt_prune(&update, va, size);
	npu_pt_update_end(&update);
}

static void npu_pt_test_map(struct kunit *test, u64 va, u64 addr, u64 size, u64 bits)
{
	struct npu_extent extent = npu_pt_test_extent(addr, size, bits);

	npu_pt_test_map_keep(test, va, &extent, bits, false);
}

static void npu_pt_test_unmap_keep(struct kunit *test, u64 va, u64 size, bool keep)
{
	struct npu_vm *vm = test->priv;
	struct npu_pt_update update;

	npu_fake_listen(vm->npu);
	npu_pt_update_begin(&update, vm);
	update.keep = keep;
	KUNIT_ASSERT_EQ(test, 0, npu_pt_prepare_unmap(&update, va, size));
	npu_pt_unmap(&update, va, size);
	npu_pt_prune(&update, va, size);
	npu_pt_update_end(&update);
}

static void npu_pt_test_unmap(struct kunit *test, u64 va, u64 size)
{
	npu_pt_test_unmap_keep(test, va, size, false);
}

static void npu_pt_test_expect(struct kunit *test, u64 va, u64 addr, u64 bits, u64 size)
{
	struct npu_fake_page page = npu_fake_translate(test, test->priv, va);

	KUNIT_EXPECT_EQ_MSG(test, bits, page.bits, "at 0x%llx", va);
	KUNIT_EXPECT_EQ_MSG(test, size, page.size, "at 0x%llx", va);
	if (bits & NPU_PTE_VALID && !(bits & NPU_PTE_SPARSE))
		KUNIT_EXPECT_EQ_MSG(test, addr, page.addr, "at 0x%llx", va);
}

static void npu_pt_test_expect_nothing(struct kunit *test, u64 va)
{
	npu_pt_test_expect(test, va, 0, 0, 0);
}

/* Nothing is mapped, and there is no table but the root. */
static void npu_pt_test_expect_empty(struct kunit *test)
{
	struct npu_fake_tables count = npu_fake_tables(test, test->priv);

	KUNIT_EXPECT_EQ(test, 1, count.tables);
	KUNIT_EXPECT_EQ(test, 1, count.empty);
}

/* Each permission and kind of memory has its bit, at each size of page. */
static void npu_pt_test_bits(struct kunit *test)
{
	static const u64 sizes[] = { SZ_4K, SZ_64K, SZ_2M, SZ_1G };
	static const u64 bits[] = {
		RO, RW, RO | NPU_PTE_EXEC, RWX, RO | NPU_PTE_SYSTEM, RWX | NPU_PTE_SYSTEM,
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(bits); j++) {
			npu_pt_test_map(test, BASE, 0x7c0000000, sizes[i], bits[j]);
			npu_pt_test_expect(test, BASE, 0x7c0000000, LEAF | bits[j], sizes[i]);
			npu_pt_test_expect(test, BASE + sizes[i] - SZ_4K,
					   0x7c0000000 + sizes[i] - SZ_4K, LEAF | bits[j],
					   sizes[i]);
			npu_pt_test_expect_nothing(test, BASE + sizes[i]);
			npu_pt_test_expect_nothing(test, BASE - SZ_4K);
			npu_pt_test_unmap(test, BASE, sizes[i]);
			npu_pt_test_expect_empty(test);
		}
	}
}

/* Sparse pages have no memory, and so no 64 KiB, which only gather memory. */
static void npu_pt_test_sparse(struct kunit *test)
{
	static const u64 sizes[] = { SZ_4K, SZ_2M, SZ_1G };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		npu_pt_test_map(test, BASE, BASE, sizes[i], NPU_PTE_SPARSE);
		npu_pt_test_expect(test, BASE, 0, SPARSE, sizes[i]);
		npu_pt_test_expect(test, BASE + sizes[i] - SZ_4K, 0, SPARSE, sizes[i]);
		npu_pt_test_expect_nothing(test, BASE + sizes[i]);
		npu_pt_test_unmap(test, BASE, sizes[i]);
		npu_pt_test_expect_empty(test);
	}

	npu_pt_test_map(test, BASE, BASE, SZ_64K, NPU_PTE_SPARSE);
	npu_pt_test_expect(test, BASE, 0, SPARSE, SZ_4K);
}

/* The largest page around an address that lies in a mapping, and fits its memory. */
static u64 npu_pt_test_best(u64 va, u64 addr, u64 size, u64 at)
{
	static const u64 pages[] = { SZ_1G, SZ_2M, SZ_64K };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 start = round_down(at, pages[i]);

		if (start >= va && start + pages[i] <= va + size &&
		    IS_ALIGNED(addr + (start - va), pages[i]))
			return pages[i];
	}
	return SZ_4K;
}

/* Pages are as large as addresses, memory and the length allow, in each part of a mapping. */
static void npu_pt_test_choice(struct kunit *test)
{
	static const struct {
		u64 va, addr, size;
	} cases[] = {
		{ 0, 0, SZ_4K },
		{ SZ_4K, SZ_4K, SZ_64K },
		{ SZ_4K, SZ_4K, SZ_128K },
		{ 0, SZ_4K, SZ_4M },
		{ 0, SZ_64K, SZ_4M },
		{ SZ_64K, 0, SZ_4M },
		{ SZ_64K, SZ_64K, SZ_4M },
		{ SZ_2M - SZ_4K, SZ_4M - SZ_4K, SZ_4M },
		{ SZ_1M, SZ_1M, SZ_2M },
		{ SZ_2M, SZ_4M, SZ_2M + SZ_64K + SZ_4K },
		{ SZ_1G - SZ_2M - SZ_64K, SZ_2G - SZ_2M - SZ_64K, SZ_1G + SZ_4M + SZ_128K },
		{ SZ_1G - SZ_4K, SZ_1G - SZ_4K, SZ_1G + SZ_8K },
		{ SZ_1G, SZ_2M, SZ_1G },
	};
	unsigned int i;
	u64 at, step;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 va = BASE + cases[i].va, addr = cases[i].addr, size = cases[i].size;

		npu_pt_test_map(test, va, addr, size, RW);
		for (at = va; at < va + size; at += step) {
			u64 page = npu_pt_test_best(va, addr, size, at);

			npu_pt_test_expect(test, at, addr + (at - va), LEAF | RW, page);
			/* Of a large page the first and the last piece will do. */
			step = page > SZ_64K && IS_ALIGNED(at, page) ? page - SZ_4K : SZ_4K;
		}
		npu_pt_test_expect_nothing(test, va - SZ_4K);
		npu_pt_test_expect_nothing(test, va + size);
		npu_pt_test_unmap(test, va, size);
		npu_pt_test_expect_empty(test);
	}
}

/* A 4 KiB hole, or two pages at the ends, and all else stays where it was. */
static void npu_pt_test_split(struct kunit *test)
{
	struct npu_vm *vm = test->priv;
	static const u64 sizes[] = { SZ_64K, SZ_2M, SZ_1G }, smaller[] = { SZ_4K, SZ_64K, SZ_2M };
	const u64 addr = 0x40000000;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 size = sizes[i], hole = size / 2 + SZ_8K;

		npu_pt_test_map(test, BASE, addr, size, RO);
		npu_pt_test_unmap(test, BASE + hole, SZ_4K);
		KUNIT_EXPECT_TRUE(test, npu_fake_forgot(vm->npu, BASE + hole, SZ_4K));
		npu_pt_test_expect_nothing(test, BASE + hole);
		npu_pt_test_expect(test, BASE + hole - SZ_4K, addr + hole - SZ_4K, LEAF | RO,
				   SZ_4K);
		npu_pt_test_expect(test, BASE + hole + SZ_4K, addr + hole + SZ_4K, LEAF | RO,
				   SZ_4K);
		/* Farther away pages are as large as before they can be. */
		npu_pt_test_expect(test, BASE, addr, LEAF | RO, smaller[i]);
		npu_pt_test_expect(test, BASE + size - SZ_4K, addr + size - SZ_4K, LEAF | RO,
				   smaller[i]);
		npu_fake_tables(test, test->priv);
		npu_pt_test_unmap(test, BASE, size);
		npu_pt_test_expect_empty(test);

		npu_pt_test_map(test, BASE, BASE, size, NPU_PTE_SPARSE);
		npu_pt_test_map(test, BASE + hole, addr, SZ_4K, RW);
		npu_pt_test_expect(test, BASE + hole, addr, LEAF | RW, SZ_4K);
		npu_pt_test_expect(test, BASE + hole - SZ_4K, 0, SPARSE, SZ_4K);
		npu_pt_test_expect(test, BASE, 0, SPARSE, size == SZ_1G ? SZ_2M : SZ_4K);
		npu_pt_test_unmap(test, BASE, size);
		npu_pt_test_expect_empty(test);
	}
}

/* Over the border of each table, up to that of the root's entries. */
static void npu_pt_test_borders(struct kunit *test)
{
	unsigned int level;

	for (level = 1; level < NPU_PT_LEVELS; level++) {
		u64 border = BASE + BIT_ULL(NPU_PT_SHIFT(level)), at;

		npu_pt_test_map(test, border - SZ_32K, 0x5000, SZ_64K, RWX);
		for (at = 0; at < SZ_64K; at += SZ_4K)
			npu_pt_test_expect(test, border - SZ_32K + at, 0x5000 + at, LEAF | RWX,
					   SZ_4K);
		npu_pt_test_unmap(test, border - SZ_16K, SZ_32K);
		npu_pt_test_expect(test, border - SZ_16K - SZ_4K, 0x5000 + SZ_8K + SZ_4K,
				   LEAF | RWX, SZ_4K);
		npu_pt_test_expect_nothing(test, border - SZ_16K);
		npu_pt_test_expect_nothing(test, border + SZ_16K - SZ_4K);
		npu_pt_test_expect(test, border + SZ_16K, 0x5000 + SZ_32K + SZ_16K, LEAF | RWX,
				   SZ_4K);
		npu_pt_test_unmap(test, border - SZ_32K, SZ_64K);
		npu_pt_test_expect_empty(test);
	}
}

/* The first and the last addresses that there are. */
static void npu_pt_test_ends(struct kunit *test)
{
	npu_pt_test_map(test, NPU_VA_START, 0x1000, SZ_4K, RO);
	npu_pt_test_map(test, NPU_VA_END - SZ_4K, 0x2000, SZ_4K, RO);
	npu_pt_test_expect(test, NPU_VA_START, 0x1000, LEAF | RO, SZ_4K);
	npu_pt_test_expect(test, NPU_VA_END - SZ_4K, 0x2000, LEAF | RO, SZ_4K);
	npu_pt_test_expect_nothing(test, NPU_VA_START - SZ_4K);
	npu_pt_test_expect_nothing(test, NPU_VA_START + SZ_4K);
	npu_pt_test_expect_nothing(test, NPU_VA_END - SZ_8K);
	npu_pt_test_expect_nothing(test, 0);

	/* All at once. */
	npu_pt_test_unmap(test, NPU_VA_START, NPU_VA_END - NPU_VA_START);
	npu_pt_test_expect_empty(test);
}

/* Tables go with what they were for, a page that covers theirs included, and not before. */
static void npu_pt_test_tables(struct kunit *test)
{
	npu_pt_test_map(test, BASE + SZ_4K, 0x1000, SZ_4K, RO);
	KUNIT_EXPECT_EQ(test, 4, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_map(test, BASE + SZ_2M, 0x1000, SZ_4K, RO);
	KUNIT_EXPECT_EQ(test, 5, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_map(test, BASE, 0x200000, SZ_2M, RO);
	KUNIT_EXPECT_EQ(test, 4, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_map(test, BASE, 0x40000000, SZ_1G, RO);
	KUNIT_EXPECT_EQ(test, 2, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_unmap(test, BASE, SZ_4K);
	KUNIT_EXPECT_EQ(test, 4, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_unmap(test, BASE, SZ_2M);
	KUNIT_EXPECT_EQ(test, 3, npu_fake_tables(test, test->priv).tables);
	npu_pt_test_unmap(test, BASE, SZ_1G);
	npu_pt_test_expect_empty(test);
}

/* To unmap what is not mapped makes no table and asks nothing of the device. */
static void npu_pt_test_unmap_nothing(struct kunit *test)
{
	struct npu_vm *vm = test->priv;

	npu_pt_test_unmap(test, BASE + SZ_4K, SZ_1G);
	KUNIT_EXPECT_FALSE(test, npu_fake_forgot(vm->npu, BASE + SZ_4K, SZ_4K));
	npu_pt_test_expect_empty(test);
}

/* While binds are on their way tables stay, and large pages are not put in their place. */
static void npu_pt_test_keep(struct kunit *test)
{
	struct npu_extent extent = npu_pt_test_extent(0x40000000, SZ_2M + SZ_2M, RW);
	struct npu_fake_tables count;

	npu_pt_test_map(test, BASE + SZ_4K, 0x1000, SZ_4K, RO);
	npu_pt_test_unmap_keep(test, BASE, SZ_2M, true);
	count = npu_fake_tables(test, test->priv);
	KUNIT_EXPECT_EQ(test, 4, count.tables);
	KUNIT_EXPECT_EQ(test, 1, count.empty);

	npu_pt_test_map_keep(test, BASE, &extent, RW, true);
	npu_pt_test_expect(test, BASE, 0x40000000, LEAF | RW, SZ_64K);
	npu_pt_test_expect(test, BASE + SZ_2M, 0x40000000 + SZ_2M, LEAF | RW, SZ_2M);

	npu_pt_test_unmap(test, BASE, SZ_4M);
	npu_pt_test_expect_empty(test);
}

/* Pages of a process or of a pool lie anywhere: each run gets what it allows. */
static void npu_pt_test_scattered(struct kunit *test)
{
	const unsigned int count = 3 * SZ_64K / SZ_4K;
	struct npu_extent extent = { .system = true, .remaining = count * SZ_4K };
	dma_addr_t *dma = kunit_kcalloc(test, count, sizeof(*dma), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, dma);
	for (i = 0; i < count; i++) {
		if (i < 16)
			dma[i] = 0x800000 - i * SZ_4K;
		else
			dma[i] = 0x100000 + i * SZ_4K;
	}

	extent.addr = dma[0];
	extent.size = SZ_4K;
	extent.dma = dma + 1;
	npu_pt_test_map_keep(test, BASE, &extent, RO | NPU_PTE_SYSTEM, false);
	for (i = 0; i < count; i++)
		npu_pt_test_expect(test, BASE + i * SZ_4K, dma[i], LEAF | RO | NPU_PTE_SYSTEM,
				   i < 16 ? SZ_4K : SZ_64K);
}

/**
 * struct npu_pt_test_piece - what the model has at a piece of the addresses
 */
struct npu_pt_test_piece {
	/** @addr: memory */
	u64 addr;
	/** @bits: of an entry, 0 if nothing is mapped */
	u64 bits;
};

/**
 * struct npu_pt_test_model - a plain array, and a page table that shall be like it
 */
struct npu_pt_test_model {
	/** @rnd: state of the generator */
	struct rnd_state rnd;
	/** @start: first address */
	u64 start;
	/** @piece: bytes of a piece */
	u64 piece;
	/** @now: what is mapped */
	struct npu_pt_test_piece now[NPU_PT_TEST_PIECES];
	/** @before: what was before the last step */
	struct npu_pt_test_piece before[NPU_PT_TEST_PIECES];
};

static u32 npu_pt_test_below(struct npu_pt_test_model *m, u32 limit)
{
	return prandom_u32_state(&m->rnd) % limit;
}

/* A place or length in pieces; borders of large pages, and few pieces, are more likely. */
static u32 npu_pt_test_place(struct npu_pt_test_model *m, u32 limit)
{
	u32 place = npu_pt_test_below(m, limit);

	switch (npu_pt_test_below(m, 4)) {
	case 0:
		return round_down(place, 16);
	case 1:
		return round_down(place, 512);
	case 2:
		return place % 64;
	default:
		return place;
	}
}

static u64 npu_pt_test_some_bits(struct npu_pt_test_model *m)
{
	static const u64 bits[] = {
		RO, RW, RWX, RO | NPU_PTE_SYSTEM, RW | NPU_PTE_SYSTEM, NPU_PTE_SPARSE,
	};

	return bits[npu_pt_test_below(m, ARRAY_SIZE(bits))];
}

static void npu_pt_test_step(struct kunit *test, struct npu_pt_test_model *m)
{
	u32 first = npu_pt_test_place(m, NPU_PT_TEST_PIECES), i;
	u32 count = 1 + npu_pt_test_place(m, NPU_PT_TEST_PIECES - first);
	u64 va = m->start + first * m->piece, addr, bits;
	bool keep = !npu_pt_test_below(m, 3);
	struct npu_extent extent;

	memcpy(m->before, m->now, sizeof(m->now));
	count = min(count, NPU_PT_TEST_PIECES - first);
	if (!npu_pt_test_below(m, 3)) {
		npu_pt_test_unmap_keep(test, va, count * m->piece, keep);
		memset(&m->now[first], 0, count * sizeof(*m->now));
		return;
	}

	bits = npu_pt_test_some_bits(m);
	/* Often aligned as the address is. */
	addr = (u64)npu_pt_test_place(m, 1024) * m->piece;
	if (npu_pt_test_below(m, 2))
		addr = round_down(addr, 512 * m->piece) + (first % 512) * m->piece;
	extent = npu_pt_test_extent(addr, count * m->piece, bits);
	npu_pt_test_map_keep(test, va, &extent, bits, keep);
	for (i = 0; i < count; i++)
		m->now[first + i] = (struct npu_pt_test_piece) {
			.addr = addr + i * m->piece,
			.bits = bits & NPU_PTE_SPARSE ? SPARSE : LEAF | bits,
		};
}

static bool npu_pt_test_same(const struct npu_pt_test_piece *a, const struct npu_pt_test_piece *b)
{
	return a->bits == b->bits && (a->addr == b->addr || a->bits & NPU_PTE_SPARSE || !a->bits);
}

/* The device finds just what is in the array, and knows nothing of what was. */
static void npu_pt_test_compare(struct kunit *test, struct npu_pt_test_model *m)
{
	struct npu_vm *vm = test->priv;
	unsigned int i;

	for (i = 0; i < NPU_PT_TEST_PIECES; i++) {
		u64 va = m->start + i * m->piece, last = m->piece - SZ_4K;
		struct npu_fake_page page = npu_fake_translate(test, vm, va);
		struct npu_pt_test_piece found = { page.addr, page.bits };

		if (!npu_pt_test_same(&m->now[i], &found))
			KUNIT_FAIL_AND_ABORT(test, "0x%llx: 0x%llx of 0x%llx, not 0x%llx of 0x%llx",
					     va, page.addr, page.bits, m->now[i].addr,
					     m->now[i].bits);
		page = npu_fake_translate(test, vm, va + last);
		found = (struct npu_pt_test_piece) { page.addr - last, page.bits };
		if (!npu_pt_test_same(&m->now[i], &found))
			KUNIT_FAIL_AND_ABORT(test, "the end of 0x%llx is elsewhere", va);
		if (m->before[i].bits && !npu_pt_test_same(&m->before[i], &m->now[i]) &&
		    !npu_fake_forgot(vm->npu, va, m->piece))
			KUNIT_FAIL_AND_ABORT(test, "the device was not told of 0x%llx", va);
	}
}

static void npu_pt_test_random(struct kunit *test, u64 start, u64 piece)
{
	struct npu_pt_test_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int seed, step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->start = start;
	m->piece = piece;
	for (seed = 1; seed <= NPU_PT_TEST_SEEDS; seed++) {
		prandom_seed_state(&m->rnd, seed);
		for (step = 0; step < NPU_PT_TEST_STEPS; step++) {
			npu_pt_test_step(test, m);
			npu_pt_test_compare(test, m);
			npu_fake_tables(test, test->priv);
		}
		npu_pt_test_unmap(test, start, NPU_PT_TEST_PIECES * piece);
		memset(m->now, 0, sizeof(m->now));
		npu_pt_test_expect_empty(test);
	}
}

/* Around where 512 GiB end: pages of 4 KiB to 2 MiB. */
static void npu_pt_test_random_small(struct kunit *test)
{
	npu_pt_test_random(test, BASE - NPU_PT_TEST_PIECES / 2 * SZ_4K, SZ_4K);
}

/* Likewise, but pages of 2 MiB and 1 GiB. */
static void npu_pt_test_random_large(struct kunit *test)
{
	npu_pt_test_random(test, BASE - (u64)NPU_PT_TEST_PIECES / 2 * SZ_2M, SZ_2M);
}

static struct kunit_case npu_pt_cases[] = {
	KUNIT_CASE(npu_pt_test_bits),
	KUNIT_CASE(npu_pt_test_sparse),
	KUNIT_CASE(npu_pt_test_choice),
	KUNIT_CASE(npu_pt_test_split),
	KUNIT_CASE(npu_pt_test_borders),
	KUNIT_CASE(npu_pt_test_ends),
	KUNIT_CASE(npu_pt_test_tables),
	KUNIT_CASE(npu_pt_test_unmap_nothing),
	KUNIT_CASE(npu_pt_test_keep),
	KUNIT_CASE(npu_pt_test_scattered),
	KUNIT_CASE_SLOW(npu_pt_test_random_small),
	KUNIT_CASE_SLOW(npu_pt_test_random_large),
	{ }
};

static struct kunit_suite npu_pt_suite = {
	.name = "npu_pt",
	.init = npu_pt_test_init,
	.test_cases = npu_pt_cases,
};

kunit_test_suite(npu_pt_suite);

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/idr.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/ttm/ttm_tt.h>

#include <drm/npu_accel.h>

#include <npu/npu_mmu.h>

#include "npu_bind.h"
#include "npu_device.h"
#include "npu_fake.h"
#include "npu_gem.h"
#include "npu_vm.h"
#include "npu_vma.h"

/* Two tables of pages meet in the middle of what tests map. */
#define NPU_VM_TEST_PAGES 64
#define NPU_VM_TEST_START (0x40000000000ULL - NPU_VM_TEST_PAGES / 2 * PAGE_SIZE)
#define NPU_VM_TEST_BOS 3
#define NPU_VM_TEST_STEPS 500

/**
 * struct npu_vm_test_bo - a buffer in system memory, as if pinned there
 */
struct npu_vm_test_bo {
	/** @base: base */
	struct npu_bo base;
	/** @res: where it is */
	struct ttm_resource res;
	/** @tt: its pages */
	struct ttm_tt tt;
	/** @dma: their bus addresses */
	dma_addr_t dma[NPU_VM_TEST_PAGES];
	/** @handle: of the file */
	u32 handle;
};

/**
 * struct npu_vm_test_page - what is mapped at a page
 */
struct npu_vm_test_page {
	/** @kind: 0: nothing; 1: sparse; 2 and more: a buffer */
	u32 kind;
	/** @flags: DRM_NPU_VM_BIND_OP_* */
	u32 flags;
	/** @page: of the buffer */
	u32 page;
};

/**
 * struct npu_vm_test - an address space, and what should be in it
 */
struct npu_vm_test {
	/** @npu: device */
	struct npu_device *npu;
	/** @vm: address space */
	struct npu_vm *vm;
	/** @file: has handles of buffers */
	struct drm_file file;
	/** @bos: buffers */
	struct npu_vm_test_bo *bos[NPU_VM_TEST_BOS];
	/** @model: what should be mapped */
	struct npu_vm_test_page model[NPU_VM_TEST_PAGES];
};

static void npu_vm_test_bo_free(struct drm_gem_object *obj)
{
	struct npu_bo *bo = to_npu_bo(obj);

	drm_gem_object_release(obj);
	mutex_destroy(&bo->gpuva_lock);
	kfree(container_of(bo, struct npu_vm_test_bo, base));
}

static const struct drm_gem_object_funcs npu_vm_test_bo_funcs = {
	.free = npu_vm_test_bo_free,
};

static void npu_vm_test_bo_put(void *arg)
{
	struct npu_vm_test_bo *bo = arg;

	drm_gem_object_put(&bo->base.ttm.base);
}

/* No two pages follow each other on the bus but where 16 make a page of 64 KiB. */
static void npu_vm_test_bo_set_pages(struct npu_vm_test_bo *bo, u32 number)
{
	unsigned int i;

	for (i = 0; i < NPU_VM_TEST_PAGES; i++) {
		u64 group = i / NPU_PTE_CONT_ENTRIES;

		if (group % 2)
			bo->dma[i] = number * SZ_16M + group * SZ_1M + (i % 16) * PAGE_SIZE;
		else
			bo->dma[i] = number * SZ_16M + group * SZ_1M + (2 * i + 1) * PAGE_SIZE;
	}
}

static struct npu_vm_test_bo *npu_vm_test_bo_create(struct kunit *test, u32 number)
{
	struct npu_vm_test_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	struct npu_vm_test *t = test->priv;
	struct drm_gem_object *obj;
	int handle;

	KUNIT_ASSERT_NOT_NULL(test, bo);
	npu_vm_test_bo_set_pages(bo, number);
	bo->res.mem_type = NPU_PL_SYSTEM;
	bo->tt.dma_address = bo->dma;
	bo->base.placement = NPU_PL_SYSTEM;
	bo->base.ttm.bdev = &t->npu->ttm;
	bo->base.ttm.resource = &bo->res;
	bo->base.ttm.ttm = &bo->tt;
	bo->base.ttm.pin_count = 1;
	kref_init(&bo->base.ttm.kref);
	mutex_init(&bo->base.gpuva_lock);

	obj = &bo->base.ttm.base;
	drm_gem_private_object_init(&t->npu->drm, obj, NPU_VM_TEST_PAGES * PAGE_SIZE);
	obj->funcs = &npu_vm_test_bo_funcs;
	drm_gem_gpuva_set_lock(obj, &bo->base.gpuva_lock);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, npu_vm_test_bo_put, bo));

	handle = idr_alloc(&t->file.object_idr, obj, 1, 0, GFP_KERNEL);
	KUNIT_ASSERT_GT(test, handle, 0);
	bo->handle = handle;
	return bo;
}

static void npu_vm_test_file_fini(void *arg)
{
	struct drm_file *file = arg;

	idr_destroy(&file->object_idr);
}

static int npu_vm_test_init(struct kunit *test)
{
	struct npu_vm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	idr_init(&t->file.object_idr);
	spin_lock_init(&t->file.table_lock);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, npu_vm_test_file_fini, &t->file));

	t->npu = npu_fake_device(test);
	for (i = 0; i < NPU_VM_TEST_BOS; i++)
		t->bos[i] = npu_vm_test_bo_create(test, i + 1);
	t->vm = npu_fake_vm(test, t->npu);
	return 0;
}

static u64 npu_vm_test_va(u32 page)
{
	return NPU_VM_TEST_START + page * PAGE_SIZE;
}

static int npu_vm_test_bind(struct kunit *test, const struct drm_npu_vm_bind_op *op)
{
	struct npu_vm_test *t = test->priv;
	u32 done;
	int ret;

	ret = npu_bind_sync(t->vm, &t->file, op, 1, &done);
	KUNIT_EXPECT_EQ(test, !ret, done);
	return ret;
}

/* Operations in pages, which the model follows. */
static void npu_vm_test_map(struct kunit *test, u32 first, u32 count, u32 bo, u32 page, u32 flags)
{
	struct npu_vm_test *t = test->priv;
	const struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.flags = flags,
		.bo_handle = t->bos[bo]->handle,
		.bo_offset = page * PAGE_SIZE,
		.va = npu_vm_test_va(first),
		.size = count * PAGE_SIZE,
	};
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, npu_vm_test_bind(test, &op));
	for (i = 0; i < count; i++)
		t->model[first + i] = (struct npu_vm_test_page) { 2 + bo, flags, page + i };
}

static void npu_vm_test_map_sparse(struct kunit *test, u32 first, u32 count)
{
	const struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE,
		.va = npu_vm_test_va(first),
		.size = count * PAGE_SIZE,
	};
	struct npu_vm_test *t = test->priv;
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, npu_vm_test_bind(test, &op));
	for (i = 0; i < count; i++)
		t->model[first + i] = (struct npu_vm_test_page) { .kind = 1 };
}

static void npu_vm_test_unmap(struct kunit *test, u32 first, u32 count)
{
	const struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_UNMAP,
		.va = npu_vm_test_va(first),
		.size = count * PAGE_SIZE,
	};
	struct npu_vm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, npu_vm_test_bind(test, &op));
	memset(&t->model[first], 0, count * sizeof(*t->model));
}

/* Bits of an entry that the device should find at a page. */
static u64 npu_vm_test_bits(const struct npu_vm_test_page *page)
{
	u64 bits = NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_READ;

	switch (page->kind) {
	case 0:
		return 0;
	case 1:
		return bits | NPU_PTE_WRITE | NPU_PTE_SPARSE;
	}
	if (!(page->flags & DRM_NPU_VM_BIND_OP_READONLY))
		bits |= NPU_PTE_WRITE;
	if (!(page->flags & DRM_NPU_VM_BIND_OP_NOEXEC))
		bits |= NPU_PTE_EXEC;
	return bits | NPU_PTE_SYSTEM;
}

static void npu_vm_test_expect_table(struct kunit *test)
{
	struct npu_vm_test *t = test->priv;
	u32 i;

	for (i = 0; i < NPU_VM_TEST_PAGES; i++) {
		struct npu_fake_page found = npu_fake_translate(test, t->vm, npu_vm_test_va(i));
		const struct npu_vm_test_page *page = &t->model[i];

		KUNIT_ASSERT_EQ_MSG(test, npu_vm_test_bits(page), found.bits, "page %u", i);
		if (page->kind >= 2)
			KUNIT_ASSERT_EQ_MSG(test, t->bos[page->kind - 2]->dma[page->page],
					    found.addr, "page %u", i);
	}
	npu_fake_tables(test, t->vm);
}

static void npu_vm_test_expect_mapping(struct kunit *test, const struct drm_gpuva *va)
{
	u32 first = (va->va.addr - NPU_VM_TEST_START) / PAGE_SIZE;
	const struct npu_vma *vma = container_of(va, struct npu_vma, base);
	struct npu_vm_test *t = test->priv;
	u32 i;

	for (i = 0; i < va->va.range / PAGE_SIZE; i++) {
		const struct npu_vm_test_page *page = &t->model[first + i];

		KUNIT_ASSERT_EQ_MSG(test, page->kind == 1 ? NPU_VMA_SPARSE : NPU_VMA_BO, vma->kind,
				    "page %u", first + i);
		KUNIT_ASSERT_EQ_MSG(test, page->flags, vma->flags, "page %u", first + i);
		if (page->kind < 2)
			continue;
		KUNIT_ASSERT_PTR_EQ(test, &t->bos[page->kind - 2]->base.ttm.base, va->gem.obj);
		KUNIT_ASSERT_EQ_MSG(test, page->page, va->gem.offset / PAGE_SIZE + i, "page %u",
				    first + i);
	}
}

/* The tree has what the model has, no more and no less; returns the number of mappings. */
static unsigned int npu_vm_test_expect(struct kunit *test)
{
	struct npu_vm_test *t = test->priv;
	unsigned int count = 0;
	struct drm_gpuva *va;
	u64 mapped = 0;
	u32 i;

	npu_vm_test_expect_table(test);
	drm_gpuvm_for_each_va(va, &t->vm->base) {
		if (va == &t->vm->base.kernel_alloc_node)
			continue;
		npu_vm_test_expect_mapping(test, va);
		mapped += va->va.range / PAGE_SIZE;
		count++;
	}
	for (i = 0; i < NPU_VM_TEST_PAGES; i++)
		mapped -= !!t->model[i].kind;
	KUNIT_EXPECT_EQ(test, 0, mapped);
	return count;
}

/* Two are left, and the second one goes on in the buffer where it should. */
static void npu_vm_test_map_middle(struct kunit *test)
{
	npu_vm_test_map(test, 8, 40, 0, 4, DRM_NPU_VM_BIND_OP_READONLY);
	npu_vm_test_map(test, 20, 4, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
}

static void npu_vm_test_map_ends(struct kunit *test)
{
	npu_vm_test_map(test, 8, 40, 0, 4, 0);
	npu_vm_test_map(test, 4, 8, 1, 0, DRM_NPU_VM_BIND_OP_NOEXEC);
	KUNIT_EXPECT_EQ(test, 2, npu_vm_test_expect(test));
	npu_vm_test_map(test, 44, 8, 2, 0, 0);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
}

static void npu_vm_test_map_over(struct kunit *test)
{
	npu_vm_test_map(test, 8, 8, 0, 0, 0);
	npu_vm_test_map(test, 16, 8, 1, 0, 0);
	npu_vm_test_map(test, 32, 8, 0, 8, 0);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
	/* From within the first to within the last, over all of the second. */
	npu_vm_test_map(test, 12, 24, 2, 3, 0);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
	/* Just where it is. */
	npu_vm_test_map(test, 12, 24, 1, 7, 0);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
	npu_vm_test_map(test, 0, NPU_VM_TEST_PAGES, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, npu_vm_test_expect(test));
}

static void npu_vm_test_unmap_parts(struct kunit *test)
{
	struct npu_vm_test *t = test->priv;

	npu_vm_test_map(test, 0, NPU_VM_TEST_PAGES, 0, 0, DRM_NPU_VM_BIND_OP_NOEXEC);
	npu_vm_test_unmap(test, 20, 8);
	KUNIT_EXPECT_EQ(test, 2, npu_vm_test_expect(test));
	npu_vm_test_unmap(test, 0, 2);
	KUNIT_EXPECT_EQ(test, 2, npu_vm_test_expect(test));
	npu_vm_test_unmap(test, 62, 2);
	KUNIT_EXPECT_EQ(test, 2, npu_vm_test_expect(test));
	/* Where nothing is. */
	npu_vm_test_unmap(test, 21, 2);
	KUNIT_EXPECT_EQ(test, 2, npu_vm_test_expect(test));
	npu_vm_test_unmap(test, 0, NPU_VM_TEST_PAGES);
	KUNIT_EXPECT_EQ(test, 0, npu_vm_test_expect(test));
	KUNIT_EXPECT_EQ(test, 1, npu_fake_tables(test, t->vm).tables);
}

static void npu_vm_test_sparse(struct kunit *test)
{
	npu_vm_test_map_sparse(test, 0, NPU_VM_TEST_PAGES);
	npu_vm_test_map(test, 10, 4, 0, 0, DRM_NPU_VM_BIND_OP_READONLY);
	KUNIT_EXPECT_EQ(test, 3, npu_vm_test_expect(test));
	npu_vm_test_map_sparse(test, 12, 20);
	KUNIT_EXPECT_EQ(test, 4, npu_vm_test_expect(test));
	npu_vm_test_unmap(test, 11, 1);
	KUNIT_EXPECT_EQ(test, 4, npu_vm_test_expect(test));
}

/* A buffer is referred to by what maps it, and by nothing else once that is gone. */
static void npu_vm_test_references(struct kunit *test)
{
	struct npu_vm_test *t = test->priv;
	struct drm_gem_object *obj = &t->bos[0]->base.ttm.base;
	unsigned int before = kref_read(&obj->refcount);

	npu_vm_test_map(test, 0, 32, 0, 0, 0);
	npu_vm_test_map(test, 8, 4, 1, 0, 0);
	npu_vm_test_map(test, 20, 4, 2, 0, 0);
	KUNIT_EXPECT_GT(test, kref_read(&obj->refcount), before);
	npu_vm_test_unmap(test, 0, 28);
	KUNIT_EXPECT_GT(test, kref_read(&obj->refcount), before);
	npu_vm_test_map(test, 28, 4, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, before, kref_read(&obj->refcount));
	KUNIT_EXPECT_EQ(test, 1, t->bos[0]->base.ttm.pin_count);
}

/* What is wrong is refused, and nothing changes. */
static void npu_vm_test_refused(struct kunit *test)
{
	struct npu_vm_test *t = test->priv;
	const struct drm_npu_vm_bind_op good = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.bo_handle = t->bos[1]->handle,
		.va = npu_vm_test_va(8),
		.size = 8 * PAGE_SIZE,
	};
	static const struct {
		size_t field;
		u64 value;
		int error;
	} cases[] = {
#define FIELD(name) offsetof(struct drm_npu_vm_bind_op, name)
		{ FIELD(va), 0, -EINVAL },
		{ FIELD(va), NPU_VA_START - PAGE_SIZE, -EINVAL },
		{ FIELD(va), NPU_VA_START + 1, -EINVAL },
		{ FIELD(va), NPU_VA_END, -EINVAL },
		{ FIELD(va), NPU_VA_END - 7 * PAGE_SIZE, -EINVAL },
		{ FIELD(va), -PAGE_SIZE, -EINVAL },
		{ FIELD(size), 0, -EINVAL },
		{ FIELD(size), PAGE_SIZE + 1, -EINVAL },
		{ FIELD(size), (NPU_VM_TEST_PAGES + 1) * PAGE_SIZE, -EINVAL },
		{ FIELD(size), -PAGE_SIZE, -EINVAL },
		{ FIELD(bo_offset), PAGE_SIZE - 1, -EINVAL },
		{ FIELD(bo_offset), (NPU_VM_TEST_PAGES - 7) * PAGE_SIZE, -EINVAL },
		{ FIELD(bo_offset), NPU_VM_TEST_PAGES * PAGE_SIZE, -EINVAL },
		{ FIELD(bo_offset), -PAGE_SIZE, -EINVAL },
#undef FIELD
	};
	struct drm_npu_vm_bind_op op;
	unsigned int i;

	npu_vm_test_map(test, 0, 32, 0, 0, 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		op = good;
		memcpy((u8 *)&op + cases[i].field, &cases[i].value, sizeof(u64));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].error, npu_vm_test_bind(test, &op), "case %u",
				    i);
		KUNIT_EXPECT_EQ(test, 1, npu_vm_test_expect(test));
	}

	op = good;
	op.bo_handle = 99;
	KUNIT_EXPECT_EQ(test, -ENOENT, npu_vm_test_bind(test, &op));
	op = good;
	op.op = DRM_NPU_VM_BIND_OP_PREFETCH + 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, npu_vm_test_bind(test, &op));
	op = good;
	op.flags = 1U << 31;
	KUNIT_EXPECT_EQ(test, -EINVAL, npu_vm_test_bind(test, &op));
	op = good;
	op.pad = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, npu_vm_test_bind(test, &op));
	KUNIT_EXPECT_EQ(test, 1, npu_vm_test_expect(test));
}

/* Any sequence: tree and page table are as a plain array is. */
static void npu_vm_test_random(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int step;

	prandom_seed_state(&rnd, 3);
	for (step = 0; step < NPU_VM_TEST_STEPS; step++) {
		u32 first = prandom_u32_state(&rnd) % NPU_VM_TEST_PAGES;
		u32 count = 1 + prandom_u32_state(&rnd) % (NPU_VM_TEST_PAGES - first);
		u32 page = prandom_u32_state(&rnd) % (NPU_VM_TEST_PAGES - count + 1);
		u32 choice = prandom_u32_state(&rnd);

		/* Often such that pages of 64 KiB fit. */
		if (choice & BIT(8) && count >= NPU_PTE_CONT_ENTRIES &&
		    page + first % NPU_PTE_CONT_ENTRIES + count <= NPU_VM_TEST_PAGES)
			page = round_down(page, NPU_PTE_CONT_ENTRIES) +
			       first % NPU_PTE_CONT_ENTRIES;

		switch (choice % 8) {
		case 0:
		case 1:
			npu_vm_test_unmap(test, first, count);
			break;
		case 2:
			npu_vm_test_map_sparse(test, first, count);
			break;
		default:
			npu_vm_test_map(test, first, count, choice % NPU_VM_TEST_BOS, page,
					choice >> 16 & (DRM_NPU_VM_BIND_OP_READONLY |
							DRM_NPU_VM_BIND_OP_NOEXEC));
		}
		npu_vm_test_expect(test);
	}
}

static struct kunit_case npu_vm_cases[] = {
	KUNIT_CASE(npu_vm_test_map_middle),
	KUNIT_CASE(npu_vm_test_map_ends),
	KUNIT_CASE(npu_vm_test_map_over),
	KUNIT_CASE(npu_vm_test_unmap_parts),
	KUNIT_CASE(npu_vm_test_sparse),
	KUNIT_CASE(npu_vm_test_references),
	KUNIT_CASE(npu_vm_test_refused),
	KUNIT_CASE_SLOW(npu_vm_test_random),
	{ }
};

static struct kunit_suite npu_vm_suite = {
	.name = "npu_vm",
	.init = npu_vm_test_init,
	.test_cases = npu_vm_cases,
};

kunit_test_suite(npu_vm_suite);

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/device.h>
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/vmalloc.h>

#include <drm/drm_drv.h>

#include <npu/npu_mmu.h>
#include <npu/npu_regs.h>

#include "npu_device.h"
#include "npu_fake.h"
#include "npu_mmio.h"
#include "npu_pt.h"
#include "npu_vm.h"

/**
 * DOC: A device of plain memory
 *
 * Page tables and mappings need a device that has registers and HBM to write to, and no more.
 * The one here has these in the kernel's own memory. Its page tables are read from there as
 * the device would do it, so what it would find is tested, not what the driver remembers.
 */

#define NPU_FAKE_HBM SZ_16M
#define NPU_FAKE_REGS SZ_64K

static const struct drm_driver npu_fake_driver = {
	.driver_features = DRIVER_GEM | DRIVER_GEM_GPUVA,
	.name = "npu-fake",
	.desc = "NPU of plain memory",
};

static void npu_fake_vfree(void *memory)
{
	vfree(memory);
}

static void npu_fake_fini(void *arg)
{
	struct npu_device *npu = arg;

	drm_buddy_fini(&npu->hbm.mm);
	ida_destroy(&npu->context_ida);
}

/* Memory in place of a BAR. */
static void __iomem *npu_fake_bar(struct kunit *test, size_t size)
{
	void *memory = vzalloc(size);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, npu_fake_vfree, memory));
	return (void __iomem __force *)memory;
}

/**
 * npu_fake_device() - a device that is there as long as a test runs
 * @test: test
 *
 * Return: the device.
 */
struct npu_device *npu_fake_device(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "npu-fake");
	struct npu_device *npu;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	npu = devm_drm_dev_alloc(dev, &npu_fake_driver, struct npu_device, drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, npu);

	npu->info.num_contexts = 1;
	npu->info.sparse = true;
	mutex_init(&npu->hw_lock);
	mutex_init(&npu->room.lock);
	spin_lock_init(&npu->ttm.lru_lock);
	ida_init(&npu->context_ida);
	INIT_LIST_HEAD(&npu->vms);

	npu->regs = npu_fake_bar(test, NPU_FAKE_REGS);
	npu->hbm.cpu = npu_fake_bar(test, NPU_FAKE_HBM);
	mutex_init(&npu->hbm.lock);
	KUNIT_ASSERT_EQ(test, 0, drm_buddy_init(&npu->hbm.mm, NPU_FAKE_HBM, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, npu_fake_fini, npu));
	return npu;
}

static void npu_fake_destroy_vm(void *arg)
{
	struct npu_vm *vm = arg;

	/* It does not answer commands. */
	vm->npu->state = NPU_DEVICE_GONE;
	npu_vm_destroy(vm);
}

/**
 * npu_fake_vm() - an address space that is there as long as a test runs
 * @test: test
 * @npu: device of npu_fake_device()
 *
 * Return: the address space.
 */
struct npu_vm *npu_fake_vm(struct kunit *test, struct npu_device *npu)
{
	struct npu_vm *vm = npu_vm_alloc(npu, NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vm);
	vm->context = ida_alloc(&npu->context_ida, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, npu_fake_destroy_vm, vm));
	return vm;
}

static u64 *npu_fake_table(struct kunit *test, struct npu_vm *vm, u64 addr)
{
	KUNIT_ASSERT_EQ(test, 0, addr % NPU_PAGE_SIZE);
	KUNIT_ASSERT_LT(test, addr, NPU_FAKE_HBM);
	return (u64 __force *)(vm->npu->hbm.cpu + addr);
}

/* An entry of a page, as the device wants it; see npu_mmu.h. */
static void npu_fake_check_leaf(struct kunit *test, const u64 *table, unsigned int index,
				unsigned int level)
{
	const u64 sparse = NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_SPARSE |
			   NPU_PTE_READ | NPU_PTE_WRITE;
	u64 pte = table[index], addr = pte & NPU_PTE_ADDRESS;
	unsigned int i, first = round_down(index, NPU_PTE_CONT_ENTRIES);

	KUNIT_ASSERT_LT(test, level, NPU_PT_LEVELS - 1);
	if (pte & NPU_PTE_SPARSE) {
		KUNIT_ASSERT_EQ(test, sparse, pte);
		return;
	}

	KUNIT_ASSERT_TRUE(test, IS_ALIGNED(addr, BIT_ULL(NPU_PT_SHIFT(level))));
	if (!(pte & NPU_PTE_CONT))
		return;
	KUNIT_ASSERT_EQ(test, 0, level);
	KUNIT_ASSERT_TRUE(test, IS_ALIGNED(table[first] & NPU_PTE_ADDRESS, SZ_64K));
	for (i = 0; i < NPU_PTE_CONT_ENTRIES; i++)
		KUNIT_ASSERT_EQ(test, table[first] + i * NPU_PAGE_SIZE, table[first + i]);
}

/**
 * npu_fake_translate() - what the device finds at an address
 * @test: test
 * @vm: address space
 * @va: address
 *
 * Return: the page of 4 KiB there.
 */
struct npu_fake_page npu_fake_translate(struct kunit *test, struct npu_vm *vm, u64 va)
{
	u64 *table = npu_fake_table(test, vm, vm->root->addr);
	struct npu_fake_page page = {};
	unsigned int level = NPU_PT_LEVELS - 1;
	u64 pte = table[NPU_PT_INDEX(va, level)];

	while (pte && !(pte & NPU_PTE_LEAF)) {
		KUNIT_ASSERT_EQ(test, NPU_PTE_VALID, pte & ~NPU_PTE_ADDRESS);
		KUNIT_ASSERT_GT(test, level--, 0);
		table = npu_fake_table(test, vm, pte & NPU_PTE_ADDRESS);
		pte = table[NPU_PT_INDEX(va, level)];
	}
	if (!pte)
		return page;

	npu_fake_check_leaf(test, table, NPU_PT_INDEX(va, level), level);
	page.size = pte & NPU_PTE_CONT ? SZ_64K : BIT_ULL(NPU_PT_SHIFT(level));
	page.bits = pte & ~(NPU_PTE_ADDRESS | NPU_PTE_CONT);
	page.addr = pte & NPU_PTE_ADDRESS;
	if (!(pte & NPU_PTE_SPARSE))
		page.addr += va & (BIT_ULL(NPU_PT_SHIFT(level)) - 1) & PAGE_MASK;
	return page;
}

/* Count a table, and what is below it. */
static void npu_fake_count(struct kunit *test, struct npu_vm *vm, u64 addr, unsigned int level,
			   struct npu_fake_tables *count)
{
	const u64 *table = npu_fake_table(test, vm, addr);
	unsigned int i;
	bool empty = true;

	for (i = 0; i < NPU_PT_ENTRIES; i++) {
		empty = empty && !table[i];
		if (table[i] & NPU_PTE_CONT)
			count->conts++;
		else if (table[i] & NPU_PTE_LEAF)
			count->leaves[level]++;
		else if (table[i])
			npu_fake_count(test, vm, table[i] & NPU_PTE_ADDRESS, level - 1, count);
	}
	count->tables++;
	count->empty += empty;
}

/**
 * npu_fake_tables() - count tables and entries, and compare with what the driver counts
 * @test: test
 * @vm: address space
 *
 * Return: the numbers.
 */
struct npu_fake_tables npu_fake_tables(struct kunit *test, struct npu_vm *vm)
{
	struct npu_hbm *hbm = &vm->npu->hbm;
	struct npu_fake_tables count = {};
	unsigned int level;

	npu_fake_count(test, vm, vm->root->addr, NPU_PT_LEVELS - 1, &count);
	for (level = 0; level < NPU_PT_LEVELS - 1; level++)
		KUNIT_EXPECT_EQ(test, count.leaves[level], vm->leaves.level[level]);
	KUNIT_EXPECT_EQ(test, count.conts, vm->leaves.cont);
	KUNIT_EXPECT_EQ(test, count.tables, atomic_read(&vm->num_tables));
	KUNIT_EXPECT_EQ(test, count.tables * NPU_PAGE_SIZE, hbm->mm.size - hbm->mm.avail);
	return count;
}

/**
 * npu_fake_listen() - take notice of what the device is told to forget from now on
 * @npu: device
 */
void npu_fake_listen(struct npu_device *npu)
{
	npu_write(npu, NPU_REG_INV_CMD, 0);
}

/**
 * npu_fake_forgot() - was the device told to forget addresses?
 * @npu: device, after one update of a page table
 * @va: first of them
 * @size: bytes
 *
 * Return: true if so.
 */
bool npu_fake_forgot(struct npu_device *npu, u64 va, u64 size)
{
	u64 start = npu_read64(npu, NPU_REG_INV_VA_LO);
	u64 pages = npu_read(npu, NPU_REG_INV_PAGES);

	if (npu_read(npu, NPU_REG_INV_CMD) != NPU_INV_CMD_START)
		return false;
	return !pages || (va >= start && va + size <= start + pages * NPU_PAGE_SIZE);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/slab.h>
#include <linux/sizes.h>

#include <drm/drm_gpuvm.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_hbm.h"
#include "npu_limits.h"
#include "npu_mmio.h"
#include "npu_pt.h"
#include "npu_reset.h"
#include "npu_room.h"
#include "npu_vm.h"

/**
 * DOC: Page tables
 *
 * An update has two halves. What can fail comes first: npu_pt_prepare_map() and
 * npu_pt_prepare_unmap() allocate tables and split large pages, which changes no
 * translation. npu_pt_map() and npu_pt_unmap() then only write entries. Memory
 * and tables that were in use before are freed after npu_pt_update_end() has made
 * the device forget old translations.
 *
 * Tables come and go only under &npu_vm.lock and the reservation lock of the VM; making
 * one may move buffers to make room. Entries are written, and the shadow of the tables
 * is changed, under &npu_vm.pt_lock, so that an eviction, which has neither of the
 * others, can clear entries.
 *
 * A shadow of the entries is kept, and is what counts: HBM may be out of reach for a while,
 * and then gets all of it again.
 *
 * Pages are as large as addresses and memory allow: 1 GiB, 2 MiB, 64 KiB or 4 KiB.
 */

/* The highest level that has pages. */
#define NPU_PT_LEAF_LEVEL 2
#define NPU_PT_CONT ((u64)NPU_PTE_CONT_ENTRIES << NPU_PAGE_SHIFT)

#define NPU_PT_INV_TIMEOUT_US (2 * USEC_PER_SEC)

static_assert(PAGE_SIZE == NPU_PAGE_SIZE);

/**
 * npu_pt_count() - count an entry among those of its page size
 * @vm: address space
 * @pt: table
 * @pte: entry
 * @by: 1 or -1
 */
static void npu_pt_count(struct npu_vm *vm, const struct npu_pt *pt, u64 pte, int by)
{
	if (!(pte & NPU_PTE_LEAF))
		return;

	if (pte & NPU_PTE_CONT)
		vm->leaves.cont += by;
	else
		vm->leaves.level[pt->level] += by;
}

/**
 * npu_pt_set() - write an entry
 * @vm: address space
 * @pt: table
 * @index: of the entry
 * @pte: entry
 */
static void npu_pt_set(struct npu_vm *vm, struct npu_pt *pt, unsigned int index, u64 pte)
{
	npu_pt_count(vm, pt, pt->ptes[index], -1);
	npu_pt_count(vm, pt, pte, 1);
	pt->live += !!pte - !!pt->ptes[index];
	pt->ptes[index] = pte;
	/* One that is lost comes with npu_pt_rewrite(). */
	if (likely(READ_ONCE(vm->npu->state) != NPU_DEVICE_OFFLINE))
		writeq(pte, vm->npu->hbm.cpu + pt->addr + index * sizeof(pte));
	else
		vm->behind = true;
}

/**
 * npu_pt_create() - create an empty table
 * @vm: address space, to whose process it is charged
 * @level: its level
 * @resv: lock of buffers that may be moved to make room, held, or NULL
 *
 * Return: the table, or an error pointer: -EDQUOT if the process has its limit of them.
 */
static struct npu_pt *npu_pt_create(struct npu_vm *vm, unsigned int level, struct dma_resv *resv)
{
	size_t children = level ? NPU_PT_ENTRIES : 0;
	struct npu_device *npu = vm->npu;
	struct npu_pt *pt;
	int ret;

	if (npu_process_charge(vm->process, NPU_LIMIT_TABLES, 1))
		return ERR_PTR(-EDQUOT);

	pt = kvzalloc(struct_size(pt, children, children),
		      vm->process ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
	if (!pt) {
		ret = -ENOMEM;
		goto err_uncharge;
	}

	pt->block = npu_hbm_alloc_page(npu, resv);
	if (IS_ERR(pt->block)) {
		ret = PTR_ERR(pt->block);
		goto err_free;
	}

	pt->level = level;
	pt->addr = gpu_buddy_block_offset(pt->block);
	pt->epoch = atomic_read(&npu->offline.epoch);
	if (likely(READ_ONCE(npu->state) != NPU_DEVICE_OFFLINE))
		memset_io(npu->hbm.cpu + pt->addr, 0, NPU_PAGE_SIZE);
	return pt;

err_free:
	kvfree(pt);
err_uncharge:
	npu_process_uncharge(vm->process, NPU_LIMIT_TABLES, 1);
	return ERR_PTR(ret);
}

/**
 * npu_pt_rewrite_one() - write all entries of a table
 * @npu: device
 * @pt: table
 */
static void npu_pt_rewrite_one(struct npu_device *npu, struct npu_pt *pt)
{
	memcpy_toio(npu->hbm.cpu + pt->addr, pt->ptes, sizeof(pt->ptes));
	pt->epoch = atomic_read(&npu->offline.epoch);
}

/**
 * npu_pt_refresh() - make sure of a table that the device does not know yet
 * @npu: device
 * @pt: table
 *
 * What was written before the device was last off line may be lost.
 */
void npu_pt_refresh(struct npu_device *npu, struct npu_pt *pt)
{
	if (unlikely(pt->epoch != atomic_read(&npu->offline.epoch)))
		npu_pt_rewrite_one(npu, pt);
}

static void npu_pt_rewrite_below(struct npu_device *npu, struct npu_pt *pt)
{
	unsigned int i;

	npu_pt_rewrite_one(npu, pt);
	for (i = 0; pt->level && i < NPU_PT_ENTRIES; i++) {
		if (pt->children[i])
			npu_pt_rewrite_below(npu, pt->children[i]);
	}
}

/**
 * npu_pt_rewrite() - write all of a page table
 * @vm: address space; the device is back, and its &npu_offline.epoch has begun
 *
 * Nothing says which writes were lost while it was off line, or before that was known.
 */
void npu_pt_rewrite(struct npu_vm *vm)
{
	mutex_lock(&vm->pt_lock);
	npu_pt_rewrite_below(vm->npu, vm->root);
	vm->behind = false;
	mutex_unlock(&vm->pt_lock);
	wmb(); /* it is there before the device uses it */
}

static void npu_pt_destroy(struct npu_vm *vm, struct npu_pt *pt)
{
	npu_hbm_free_page(vm->npu, pt->block);
	kvfree(pt);
	npu_process_uncharge(vm->process, NPU_LIMIT_TABLES, 1);
}

/**
 * npu_pt_create_root() - create the page table of a new address space
 * @vm: address space
 *
 * Return: its root, or an error pointer.
 */
struct npu_pt *npu_pt_create_root(struct npu_vm *vm)
{
	struct npu_room_claim claim;
	struct npu_pt *root;
	int ret;

	npu_room_claim_begin(&claim, vm->npu, PAGE_SIZE);
	do {
		root = npu_pt_create(vm, NPU_PT_LEVELS - 1, NULL);
		ret = PTR_ERR_OR_ZERO(root);
	} while (npu_room_claim_again(&claim, &ret));
	if (ret)
		return ERR_PTR(ret);

	wmb(); /* empty before the device learns of it */
	return root;
}

/**
 * npu_pt_destroy_root() - free a table and all below it
 * @vm: address space
 * @root: table that the device does not use any more
 *
 * Return: number of tables.
 */
unsigned int npu_pt_destroy_root(struct npu_vm *vm, struct npu_pt *root)
{
	unsigned int tables = 1;
	unsigned int i;

	for (i = 0; root->level && i < NPU_PT_ENTRIES; i++) {
		if (root->children[i])
			tables += npu_pt_destroy_root(vm, root->children[i]);
	}

	npu_pt_destroy(vm, root);
	return tables;
}

/**
 * npu_pt_link() - make an entry point to a table
 * @vm: address space
 * @pt: table with the entry
 * @index: of the entry
 * @child: table
 */
static void npu_pt_link(struct npu_vm *vm, struct npu_pt *pt, unsigned int index,
			struct npu_pt *child)
{
	npu_pt_refresh(vm->npu, child);
	wmb(); /* the table is written before it is seen */
	pt->children[index] = child;
	npu_pt_set(vm, pt, index, NPU_PTE_VALID | child->addr);
}

/**
 * npu_pt_split() - replace a large page by a table of the same translations
 * @vm: address space
 * @child: new table
 * @pte: entry of the large page
 */
static void npu_pt_split(struct npu_vm *vm, struct npu_pt *child, u64 pte)
{
	u64 step = pte & NPU_PTE_SPARSE ? 0 : BIT_ULL(NPU_PT_SHIFT(child->level));
	unsigned int i;

	if (!child->level && !(pte & NPU_PTE_SPARSE))
		pte |= NPU_PTE_CONT;
	for (i = 0; i < NPU_PT_ENTRIES; i++)
		npu_pt_set(vm, child, i, pte + i * step);
}

/**
 * npu_pt_get() - the table of a level for an address, created if need be
 * @update: update
 * @va: address
 * @level: level of the table
 *
 * Return: the table, or an error pointer.
 */
static struct npu_pt *npu_pt_get(struct npu_pt_update *update, u64 va, unsigned int level)
{
	struct npu_vm *vm = update->vm;
	struct npu_pt *pt = vm->root;

	while (pt->level > level) {
		unsigned int index = NPU_PT_INDEX(va, pt->level);
		struct npu_pt *child = pt->children[index];

		if (!child) {
			child = npu_pt_create(vm, pt->level - 1, drm_gpuvm_resv(&vm->base));
			if (IS_ERR(child))
				return child;
			atomic_inc(&vm->num_tables);

			mutex_lock(&vm->pt_lock);
			if (pt->ptes[index])
				npu_pt_split(vm, child, pt->ptes[index]);
			npu_pt_link(vm, pt, index, child);
			mutex_unlock(&vm->pt_lock);
		}
		pt = child;
	}

	return pt;
}

/**
 * npu_pt_find() - the table of a level for an address
 * @root: root table
 * @va: address
 * @level: level of the table
 *
 * Return: the table, which npu_pt_get() has made sure of.
 */
static struct npu_pt *npu_pt_find(struct npu_pt *root, u64 va, unsigned int level)
{
	struct npu_pt *pt = root;

	while (pt->level > level)
		pt = pt->children[NPU_PT_INDEX(va, pt->level)];

	return pt;
}

/**
 * npu_pt_touch() - remember that the device must forget an address
 * @update: update
 * @va: address
 * @size: bytes from there
 */
void npu_pt_touch(struct npu_pt_update *update, u64 va, u64 size)
{
	update->start = min(update->start, va);
	update->end = max(update->end, va + size);
}

/**
 * npu_pt_detach() - take a table out
 * @update: update
 * @pt: table above it
 * @index: of its entry
 * @va: first address that the entry covers
 *
 * The entry is left for the caller to write.
 */
static void npu_pt_detach(struct npu_pt_update *update, struct npu_pt *pt, unsigned int index,
			  u64 va)
{
	list_add_tail(&pt->children[index]->node, &update->detached);
	pt->children[index] = NULL;
	npu_pt_touch(update, va, BIT_ULL(NPU_PT_SHIFT(pt->level)));
}

/**
 * npu_pt_update_begin() - begin to change a page table
 * @update: update
 * @vm: address space
 */
void npu_pt_update_begin(struct npu_pt_update *update, struct npu_vm *vm)
{
	update->vm = vm;
	update->small = false;
	update->keep = npu_bind_queue_busy(vm);
	update->start = U64_MAX;
	update->end = 0;
	INIT_LIST_HEAD(&update->detached);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_update_begin);

/**
 * npu_pt_has_table() - is there a table that a large page would replace?
 * @root: root table
 * @va: address
 * @level: level of the page
 *
 * Return: true if so.
 */
static bool npu_pt_has_table(const struct npu_pt *root, u64 va, unsigned int level)
{
	const struct npu_pt *pt = root;

	while (pt && pt->level >= level)
		pt = pt->children[NPU_PT_INDEX(va, pt->level)];

	return pt;
}

/**
 * npu_pt_fits() - can a page of a level be used?
 * @update: update
 * @va: address
 * @extent: memory, from its start
 * @level: level
 *
 * Return: true if so.
 */
static bool npu_pt_fits(const struct npu_pt_update *update, u64 va,
			const struct npu_extent *extent, unsigned int level)
{
	u64 page = BIT_ULL(NPU_PT_SHIFT(level));

	return !update->small && IS_ALIGNED(va | extent->addr, page) && extent->size >= page &&
	       !(update->keep && npu_pt_has_table(update->vm->root, va, level));
}

/**
 * npu_pt_piece() - what can be mapped in one table, with pages of one kind
 * @update: update
 * @va: address
 * @extent: memory, from its start
 * @level: level of the table
 *
 * Return: bytes.
 */
static u64 npu_pt_piece(const struct npu_pt_update *update, u64 va,
			const struct npu_extent *extent, unsigned int *level)
{
	u64 page, room;

	for (*level = NPU_PT_LEAF_LEVEL; *level; --*level) {
		if (npu_pt_fits(update, va, extent, *level))
			break;
	}

	page = BIT_ULL(NPU_PT_SHIFT(*level));
	/* The next one may have a table. */
	if (*level && update->keep)
		return page;

	room = BIT_ULL(NPU_PT_SHIFT(*level + 1));
	room -= va & (room - 1);
	return min(room, round_down(extent->size, page));
}

/**
 * npu_pt_prepare_map() - make sure of the tables for a mapping
 * @update: update
 * @va: address
 * @first: memory
 *
 * Return: 0 on success, a negative error code otherwise; nothing is mapped or unmapped.
 */
int npu_pt_prepare_map(struct npu_pt_update *update, u64 va, const struct npu_extent *first)
{
	struct npu_extent extent = *first;

	while (extent.remaining) {
		unsigned int level;
		u64 bytes = npu_pt_piece(update, va, &extent, &level);
		struct npu_pt *pt = npu_pt_get(update, va, level);

		if (IS_ERR(pt))
			return PTR_ERR(pt);

		va += bytes;
		npu_extent_advance(&extent, bytes);
	}

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_prepare_map);

/**
 * npu_pt_prepare_border() - split large pages
 * @update: update
 * @va: where
 *
 * If tables are kept, large pages may be on their way: then there is a table anyway.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_pt_prepare_border(struct npu_pt_update *update, u64 va)
{
	struct npu_pt *pt = update->vm->root;

	while (pt->level && !IS_ALIGNED(va, BIT_ULL(NPU_PT_SHIFT(pt->level)))) {
		/* Only where something is mapped: a table for nothing would be pruned. */
		if (!pt->ptes[NPU_PT_INDEX(va, pt->level)] && !update->keep)
			break;

		pt = npu_pt_get(update, va, pt->level - 1);
		if (IS_ERR(pt))
			return PTR_ERR(pt);
	}

	return 0;
}

/**
 * npu_pt_prepare_unmap() - make sure that exactly a range can be unmapped
 * @update: update
 * @va: start of the range
 * @size: bytes
 *
 * Return: 0 on success, a negative error code otherwise; nothing is unmapped.
 */
int npu_pt_prepare_unmap(struct npu_pt_update *update, u64 va, u64 size)
{
	return npu_pt_prepare_border(update, va) ?: npu_pt_prepare_border(update, va + size);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_prepare_unmap);

/**
 * npu_pt_map_small() - map pages of 4 KiB, and of 64 KiB where they fit
 * @update: update
 * @pt: table
 * @va: address
 * @addr: memory
 * @size: bytes, none beyond the table
 * @pte: other bits of entries
 */
static void npu_pt_map_small(struct npu_pt_update *update, struct npu_pt *pt, u64 va, u64 addr,
			     u64 size, u64 pte)
{
	unsigned int index = NPU_PT_INDEX(va, 0);

	while (size) {
		unsigned int count = 1, i;
		u64 cont = 0;

		if (IS_ALIGNED(va | addr, NPU_PT_CONT) && size >= NPU_PT_CONT) {
			count = NPU_PTE_CONT_ENTRIES;
			cont = NPU_PTE_CONT;
		}

		for (i = 0; i < count; i++) {
			npu_pt_set(update->vm, pt, index++, pte | cont | addr);
			addr += NPU_PAGE_SIZE;
			va += NPU_PAGE_SIZE;
			size -= NPU_PAGE_SIZE;
		}
	}
}

/**
 * npu_pt_map_large() - map large pages
 * @update: update
 * @pt: table
 * @va: address
 * @addr: memory
 * @size: bytes, none beyond the table
 * @pte: other bits of entries
 */
static void npu_pt_map_large(struct npu_pt_update *update, struct npu_pt *pt, u64 va, u64 addr,
			     u64 size, u64 pte)
{
	u64 page = BIT_ULL(NPU_PT_SHIFT(pt->level));
	unsigned int index = NPU_PT_INDEX(va, pt->level);

	for (; size; index++) {
		if (pt->children[index])
			npu_pt_detach(update, pt, index, va);

		npu_pt_set(update->vm, pt, index, pte | addr);
		addr += page;
		va += page;
		size -= page;
	}
}

/**
 * npu_pt_map_sparse() - map sparse pages
 * @update: update
 * @pt: table
 * @va: address
 * @size: bytes, none beyond the table
 */
static void npu_pt_map_sparse(struct npu_pt_update *update, struct npu_pt *pt, u64 va, u64 size)
{
	const u64 pte = NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_SPARSE |
			NPU_PTE_READ | NPU_PTE_WRITE;
	u64 page = BIT_ULL(NPU_PT_SHIFT(pt->level));

	for (; size; va += page, size -= page) {
		unsigned int index = NPU_PT_INDEX(va, pt->level);

		if (pt->level && pt->children[index])
			npu_pt_detach(update, pt, index, va);
		npu_pt_set(update->vm, pt, index, pte);
	}
}

/**
 * npu_pt_map() - map memory where nothing is mapped
 * @update: update
 * @va: address, prepared with npu_pt_prepare_map()
 * @first: memory
 * @prot: NPU_PTE_READ, _WRITE and _EXEC; nothing for sparse pages
 */
void npu_pt_map(struct npu_pt_update *update, u64 va, const struct npu_extent *first, u64 prot)
{
	mutex_lock(&update->vm->pt_lock);
	npu_pt_map_locked(update, va, first, prot);
	mutex_unlock(&update->vm->pt_lock);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_map);

/**
 * npu_pt_map_locked() - npu_pt_map() under &npu_vm.pt_lock
 * @update: update
 * @va: address, prepared with npu_pt_prepare_map()
 * @first: memory
 * @prot: NPU_PTE_READ, _WRITE and _EXEC; nothing for sparse pages
 */
void npu_pt_map_locked(struct npu_pt_update *update, u64 va, const struct npu_extent *first,
		       u64 prot)
{
	u64 pte = NPU_PTE_VALID | NPU_PTE_LEAF | prot | (first->system ? NPU_PTE_SYSTEM : 0);
	struct npu_extent extent = *first;

	lockdep_assert_held(&update->vm->pt_lock);
	while (extent.remaining) {
		unsigned int level;
		u64 bytes = npu_pt_piece(update, va, &extent, &level);
		struct npu_pt *pt = npu_pt_find(update->vm->root, va, level);

		if (extent.sparse)
			npu_pt_map_sparse(update, pt, va, bytes);
		else if (level)
			npu_pt_map_large(update, pt, va, extent.addr, bytes, pte);
		else
			npu_pt_map_small(update, pt, va, extent.addr, bytes, pte);

		va += bytes;
		npu_extent_advance(&extent, bytes);
	}
}

/**
 * npu_pt_break_cont() - make small pages of a 64 KiB page that a border cuts
 * @update: update
 * @pt: table of level 0
 * @va: border
 */
static void npu_pt_break_cont(struct npu_pt_update *update, struct npu_pt *pt, u64 va)
{
	unsigned int index = NPU_PT_INDEX(va, 0);
	unsigned int i = round_down(index, NPU_PTE_CONT_ENTRIES);

	if (i == index || !(pt->ptes[index] & NPU_PTE_CONT))
		return;

	npu_pt_touch(update, round_down(va, NPU_PT_CONT), NPU_PT_CONT);
	for (index = i; index < i + NPU_PTE_CONT_ENTRIES; index++)
		npu_pt_set(update->vm, pt, index, pt->ptes[index] & ~NPU_PTE_CONT);
}

/**
 * npu_pt_clear() - clear the entries of a range
 * @update: update
 * @pt: table
 * @va: start of the range, in the table
 * @end: end of the range, not beyond the table
 */
static void npu_pt_clear(struct npu_pt_update *update, struct npu_pt *pt, u64 va, u64 end)
{
	u64 step = BIT_ULL(NPU_PT_SHIFT(pt->level));
	u64 next;

	if (!pt->level) {
		npu_pt_break_cont(update, pt, va);
		npu_pt_break_cont(update, pt, end);
	}

	for (; va < end; va = next) {
		unsigned int index = NPU_PT_INDEX(va, pt->level);

		next = min(round_down(va, step) + step, end);
		if (pt->level && pt->children[index]) {
			npu_pt_clear(update, pt->children[index], va, next);
		} else if (pt->ptes[index]) {
			npu_pt_touch(update, va, next - va);
			npu_pt_set(update->vm, pt, index, 0);
		}
	}
}

/**
 * npu_pt_unmap() - unmap a range
 * @update: update
 * @va: start of the range; borders have been prepared with npu_pt_prepare_unmap()
 * @size: bytes
 */
void npu_pt_unmap(struct npu_pt_update *update, u64 va, u64 size)
{
	mutex_lock(&update->vm->pt_lock);
	npu_pt_unmap_locked(update, va, size);
	mutex_unlock(&update->vm->pt_lock);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_unmap);

/**
 * npu_pt_unmap_locked() - npu_pt_unmap() under &npu_vm.pt_lock
 * @update: update
 * @va: start of the range
 * @size: bytes
 */
void npu_pt_unmap_locked(struct npu_pt_update *update, u64 va, u64 size)
{
	lockdep_assert_held(&update->vm->pt_lock);
	npu_pt_clear(update, update->vm->root, va, va + size);
}

/**
 * npu_pt_prune_range() - take out empty tables
 * @update: update
 * @pt: table
 * @va: start of the range, in the table
 * @end: end of the range, not beyond the table
 */
static void npu_pt_prune_range(struct npu_pt_update *update, struct npu_pt *pt, u64 va, u64 end)
{
	u64 step = BIT_ULL(NPU_PT_SHIFT(pt->level));
	u64 next;

	for (; va < end; va = next) {
		unsigned int index = NPU_PT_INDEX(va, pt->level);
		struct npu_pt *child = pt->children[index];

		next = min(round_down(va, step) + step, end);
		if (!child)
			continue;
		if (child->level)
			npu_pt_prune_range(update, child, va, next);
		if (!child->live) {
			npu_pt_detach(update, pt, index, round_down(va, step));
			npu_pt_set(update->vm, pt, index, 0);
		}
	}
}

/**
 * npu_pt_prune() - take out tables that have become empty, or stayed so
 * @update: update
 * @va: start of the range
 * @size: bytes
 */
void npu_pt_prune(struct npu_pt_update *update, u64 va, u64 size)
{
	if (update->keep)
		return;

	mutex_lock(&update->vm->pt_lock);
	npu_pt_prune_range(update, update->vm->root, va, va + size);
	mutex_unlock(&update->vm->pt_lock);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_prune);

/**
 * npu_pt_forget() - have translations forgotten
 * @npu: device that can be talked to
 * @context: hardware context
 * @va: start of the range
 * @pages: number of pages, 0 for all of the context
 *
 * Return: 0 when they are, -ETIMEDOUT otherwise.
 */
static int npu_pt_forget(struct npu_device *npu, u32 context, u64 va, u32 pages)
{
	u32 status;

	lockdep_assert_held(&npu->hw_lock);

	npu_write(npu, NPU_REG_INV_CONTEXT, context);
	npu_write64(npu, NPU_REG_INV_VA_LO, va);
	npu_write(npu, NPU_REG_INV_PAGES, pages);
	npu_write(npu, NPU_REG_INV_CMD, NPU_INV_CMD_START);
	return npu_poll_timeout(npu, NPU_REG_INV_STATUS, status, !(status & NPU_INV_STATUS_BUSY),
				10, NPU_PT_INV_TIMEOUT_US);
}

/**
 * npu_pt_invalidate() - make the device forget translations
 * @npu: device
 * @context: hardware context
 * @va: start of the range
 * @size: bytes
 *
 * Return: 0 when it has, or is going to be reset; -ETIMEDOUT otherwise.
 */
static int npu_pt_invalidate(struct npu_device *npu, u32 context, u64 va, u64 size)
{
	u64 pages = size >> NPU_PAGE_SHIFT;
	int ret = 0;

	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE)
		ret = npu_pt_forget(npu, context, va, pages > U32_MAX ? 0 : pages);
	mutex_unlock(&npu->hw_lock);

	return ret;
}

/**
 * npu_pt_catch_up() - show a device what has changed while it was off line
 * @vm: address space of a device that has kept its state
 *
 * Return: 0 on success, -ETIMEDOUT otherwise.
 */
int npu_pt_catch_up(struct npu_vm *vm)
{
	/* Who changes it off line has the lock as well, or has ended. */
	lockdep_assert_held(&vm->npu->hw_lock);

	if (!READ_ONCE(vm->behind))
		return 0;

	npu_pt_rewrite(vm);
	return npu_pt_forget(vm->npu, vm->context, 0, 0);
}

/**
 * npu_pt_update_end() - make the device see an update
 * @update: update
 *
 * When it returns nothing uses what was mapped before.
 */
void npu_pt_update_end(struct npu_pt_update *update)
{
	struct npu_device *npu = update->vm->npu;
	struct npu_pt *pt, *next;

	wmb(); /* entries are in HBM before the device is told, or a job uses them */

	if (update->start < update->end &&
	    npu_pt_invalidate(npu, update->vm->context, update->start,
			      update->end - update->start)) {
		npu_reset_schedule(npu, "translations cannot be invalidated");
		npu_reset_wait(npu);
	}

	list_for_each_entry_safe(pt, next, &update->detached, node)
		atomic_sub(npu_pt_destroy_root(update->vm, pt), &update->vm->num_tables);
}
EXPORT_SYMBOL_IF_KUNIT(npu_pt_update_end);

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_PT_H__
#define __NPU_PT_H__

#include <linux/list.h>
#include <linux/types.h>

#include <npu/npu_mmu.h>

#include "npu_buddy.h"

struct dma_resv;
struct npu_device;
struct npu_extent;
struct npu_vm;

/**
 * struct npu_pt - a page table in HBM
 */
struct npu_pt {
	/** @block: its page */
	struct gpu_buddy_block *block;
	/** @addr: HBM offset */
	u64 addr;
	/** @level: 0 for that of 4 KiB pages, NPU_PT_LEVELS - 1 for the root */
	unsigned int level;
	/** @live: entries that are not 0 */
	unsigned int live;
	/** @epoch: &npu_offline.epoch when all of it was last written */
	unsigned int epoch;
	/** @node: in &npu_pt_update.detached */
	struct list_head node;
	/** @ptes: the entries as we wrote them; HBM is never read back */
	u64 ptes[NPU_PT_ENTRIES];
	/** @children: tables that entries point to; not at level 0 */
	struct npu_pt *children[];
};

/**
 * struct npu_pt_update - changes of a page table that the device may not know yet
 */
struct npu_pt_update {
	/** @vm: address space */
	struct npu_vm *vm;
	/** @small: large pages nowhere */
	bool small;
	/**
	 * @keep: no table is freed, as others count on them; large pages only where there is
	 * none
	 */
	bool keep;
	/** @start: first address whose old translation must be forgotten */
	u64 start;
	/** @end: end of these addresses */
	u64 end;
	/** @detached: tables to free after that */
	struct list_head detached;
};

struct npu_pt *npu_pt_create_root(struct npu_vm *vm);
unsigned int npu_pt_destroy_root(struct npu_vm *vm, struct npu_pt *root);

void npu_pt_refresh(struct npu_device *npu, struct npu_pt *pt);
void npu_pt_rewrite(struct npu_vm *vm);
int npu_pt_catch_up(struct npu_vm *vm);

void npu_pt_update_begin(struct npu_pt_update *update, struct npu_vm *vm);
int npu_pt_prepare_map(struct npu_pt_update *update, u64 va, const struct npu_extent *first);
int npu_pt_prepare_unmap(struct npu_pt_update *update, u64 va, u64 size);
void npu_pt_map(struct npu_pt_update *update, u64 va, const struct npu_extent *first, u64 prot);
void npu_pt_map_locked(struct npu_pt_update *update, u64 va, const struct npu_extent *first,
		       u64 prot);
void npu_pt_unmap(struct npu_pt_update *update, u64 va, u64 size);
void npu_pt_unmap_locked(struct npu_pt_update *update, u64 va, u64 size);
void npu_pt_touch(struct npu_pt_update *update, u64 va, u64 size);
void npu_pt_prune(struct npu_pt_update *update, u64 va, u64 size);
void npu_pt_update_end(struct npu_pt_update *update);

#endif /* __NPU_PT_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_HBM_H__
#define __NPU_HBM_H__

#include <linux/mutex.h>
#include <linux/types.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "npu_buddy.h"

struct dma_resv;
struct npu_device;

#define NPU_PL_HBM TTM_PL_VRAM
#define NPU_PL_SYSTEM TTM_PL_TT

/**
 * struct npu_hbm - device memory
 */
struct npu_hbm {
	/** @manager: base */
	struct ttm_resource_manager manager;
	/** @lock: protects @mm */
	struct mutex lock;
	/** @mm: allocator of all but the firmware region */
	struct gpu_buddy mm;
	/** @cpu: kernel mapping of all of it, write-combined */
	void __iomem *cpu;
	/** @phys: CPU physical address */
	phys_addr_t phys;
	/** @physical: bytes on the device */
	u64 physical;
};

/**
 * struct npu_hbm_resource - blocks of device memory
 */
struct npu_hbm_resource {
	/** @base: base */
	struct ttm_resource base;
	/** @blocks: struct gpu_buddy_block */
	struct list_head blocks;
};

int npu_hbm_init(struct npu_device *npu);
u64 npu_hbm_used(struct npu_device *npu);
u64 npu_hbm_movable(struct npu_device *npu);

struct gpu_buddy_block *npu_hbm_alloc_page(struct npu_device *npu, struct dma_resv *resv);
void npu_hbm_free_page(struct npu_device *npu, struct gpu_buddy_block *block);

/**
 * to_npu_hbm_resource() - blocks of a resource
 * @res: TTM resource in NPU_PL_HBM
 *
 * Return: the blocks.
 */
static inline struct npu_hbm_resource *to_npu_hbm_resource(struct ttm_resource *res)
{
	return container_of(res, struct npu_hbm_resource, base);
}

#endif /* __NPU_HBM_H__ */

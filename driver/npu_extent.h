/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_EXTENT_H__
#define __NPU_EXTENT_H__

#include <linux/types.h>

#include "npu_buddy.h"

struct npu_device;
struct ttm_resource;
struct ttm_tt;

/**
 * struct npu_extent - contiguous piece of a buffer, walked from one to the next
 */
struct npu_extent {
	/** @addr: HBM offset, or bus address if @system */
	u64 addr;
	/** @size: bytes from @addr, 0 behind the end */
	u64 size;
	/** @system: in system memory */
	bool system;
	/** @sparse: nowhere; @addr is the device address that it is mapped at */
	bool sparse;

	/** @remaining: bytes of the walk, @size included */
	u64 remaining;
	/** @npu: device */
	struct npu_device *npu;
	/** @blocks: blocks of HBM */
	struct list_head *blocks;
	/** @block: block of HBM that @addr is in */
	struct gpu_buddy_block *block;
	/** @dma: bus address of the next page of system memory */
	const dma_addr_t *dma;
};

void npu_extent_first(struct npu_device *npu, struct ttm_resource *res, struct ttm_tt *tt,
		      u64 offset, u64 size, struct npu_extent *extent);
void npu_extent_advance(struct npu_extent *extent, u64 bytes);

#endif /* __NPU_EXTENT_H__ */

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/minmax.h>

#include <drm/ttm/ttm_tt.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_hbm.h"

/**
 * npu_extent_load_hbm() - take the next block
 * @extent: extent
 * @skip: bytes of it to skip
 */
static void npu_extent_load_hbm(struct npu_extent *extent, u64 skip)
{
	u64 size = gpu_buddy_block_size(&extent->npu->hbm.mm, extent->block);

	extent->addr = gpu_buddy_block_offset(extent->block) + skip;
	extent->size = min(size - skip, extent->remaining);
}

/**
 * npu_extent_load_system() - gather pages that follow each other on the bus
 * @extent: extent
 */
static void npu_extent_load_system(struct npu_extent *extent)
{
	extent->addr = *extent->dma;
	extent->size = 0;
	do {
		extent->size += PAGE_SIZE;
		extent->dma++;
	} while (extent->size < extent->remaining &&
		 *extent->dma == extent->addr + extent->size);
}

/**
 * npu_extent_first() - start to walk over a piece of a buffer
 * @npu: device
 * @res: where the buffer is
 * @tt: its pages, if in system memory
 * @offset: start of the piece, page-aligned
 * @size: size of the piece, page-aligned, not 0
 * @extent: its first extent
 */
void npu_extent_first(struct npu_device *npu, struct ttm_resource *res, struct ttm_tt *tt,
		      u64 offset, u64 size, struct npu_extent *extent)
{
	struct gpu_buddy_block *block;

	*extent = (struct npu_extent) {
		.npu = npu,
		.remaining = size,
		.system = res->mem_type != NPU_PL_HBM,
	};

	if (extent->system) {
		extent->dma = tt->dma_address + (offset >> PAGE_SHIFT);
		npu_extent_load_system(extent);
		return;
	}

	extent->blocks = &to_npu_hbm_resource(res)->blocks;
	list_for_each_entry(block, extent->blocks, link) {
		u64 block_size = gpu_buddy_block_size(&npu->hbm.mm, block);

		extent->block = block;
		if (offset < block_size)
			break;
		offset -= block_size;
	}
	npu_extent_load_hbm(extent, offset);
}
EXPORT_SYMBOL_IF_KUNIT(npu_extent_first);

/**
 * npu_extent_advance() - go on by some bytes
 * @extent: extent
 * @bytes: how far, within the extent, page-aligned
 */
void npu_extent_advance(struct npu_extent *extent, u64 bytes)
{
	extent->addr += bytes;
	extent->size -= bytes;
	extent->remaining -= bytes;

	if (extent->size || !extent->remaining)
		return;

	if (extent->system) {
		npu_extent_load_system(extent);
	} else {
		extent->block = list_next_entry(extent->block, link);
		npu_extent_load_hbm(extent, 0);
	}
}
EXPORT_SYMBOL_IF_KUNIT(npu_extent_advance);

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/highmem.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "npu_clear.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_ttm.h"

/**
 * DOC: Memory
 *
 * A buffer lies in HBM or in system memory, as its creator asked. Nothing is evicted
 * from HBM to make room: when it is full, creating a buffer fails. One in HBM goes to
 * system memory only when it is shared with another device, and comes back when it is
 * not any more and is mapped in a VM. Mapped or shared it is pinned.
 */

/* For less than this the device is not worth the round trip. */
#define NPU_TTM_CLEAR_MIN SZ_64K

/* The CPU clears so much at a time. */
#define NPU_TTM_CLEAR_BYTES SZ_4M

/**
 * struct npu_tt - pages of a buffer
 */
struct npu_tt {
	/** @base: base */
	struct ttm_tt base;
	/** @shared: how often they are pinned for other devices, under the buffer's lock */
	unsigned int shared;
	/** @kept: TTM believes that they have been freed */
	bool kept;
};

static struct npu_tt *to_npu_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct npu_tt, base);
}

static struct npu_device *ttm_to_npu(struct ttm_device *bdev)
{
	return container_of(bdev, struct npu_device, ttm);
}

static struct ttm_tt *npu_ttm_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct npu_tt *tt;

	tt = kzalloc(sizeof(*tt), GFP_KERNEL);
	if (!tt)
		return NULL;

	if (ttm_sg_tt_init(&tt->base, tbo, page_flags, ttm_cached)) {
		kfree(tt);
		return NULL;
	}

	return &tt->base;
}

static void npu_ttm_tt_destroy(struct ttm_device *bdev, struct ttm_tt *tt)
{
	if (to_npu_tt(tt)->kept)
		ttm_pool_free(&bdev->pool, tt);
	ttm_tt_fini(tt);
	kfree(to_npu_tt(tt));
}

static int npu_ttm_tt_populate(struct ttm_device *bdev, struct ttm_tt *tt,
			       struct ttm_operation_ctx *ctx)
{
	struct npu_tt *ntt = to_npu_tt(tt);

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return drm_prime_sg_to_dma_addr_array(tt->sg, tt->dma_address, tt->num_pages);

	if (ntt->kept) {
		ntt->kept = false;
		return 0;
	}

	return ttm_pool_alloc(&bdev->pool, tt, ctx);
}

/**
 * npu_ttm_tt_unpopulate() - free the pages of a buffer
 * @bdev: TTM device
 * @tt: pages
 *
 * An unplug frees those of pinned buffers as well. It must not take them from
 * other devices: these are freed with the buffer, which the dma-buf holds.
 */
static void npu_ttm_tt_unpopulate(struct ttm_device *bdev, struct ttm_tt *tt)
{
	struct npu_tt *ntt = to_npu_tt(tt);

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return;

	if (READ_ONCE(ntt->shared))
		ntt->kept = true;
	else
		ttm_pool_free(&bdev->pool, tt);
}

/**
 * npu_ttm_share() - other devices use the pages of a buffer
 * @tbo: buffer in system memory, locked and pinned
 */
void npu_ttm_share(struct ttm_buffer_object *tbo)
{
	struct npu_tt *ntt = to_npu_tt(tbo->ttm);

	WRITE_ONCE(ntt->shared, ntt->shared + 1);
}

/**
 * npu_ttm_unshare() - undo npu_ttm_share()
 * @tbo: buffer, locked
 */
void npu_ttm_unshare(struct ttm_buffer_object *tbo)
{
	struct npu_tt *ntt = to_npu_tt(tbo->ttm);

	WRITE_ONCE(ntt->shared, ntt->shared - 1);
}

/**
 * npu_ttm_eviction_valuable() - may a buffer be moved to make room?
 * @tbo: buffer, locked
 * @place: where room is needed
 *
 * Return: true if so: system memory may be swapped out, HBM is not overcommitted.
 */
static bool npu_ttm_eviction_valuable(struct ttm_buffer_object *tbo, const struct ttm_place *place)
{
	return tbo->resource->mem_type != NPU_PL_HBM && ttm_bo_eviction_valuable(tbo, place);
}

/**
 * npu_ttm_evict_flags() - where does a buffer go when its place is needed?
 * @tbo: buffer
 * @placement: where
 */
static void npu_ttm_evict_flags(struct ttm_buffer_object *tbo, struct ttm_placement *placement)
{
	static const struct ttm_place system = { .mem_type = NPU_PL_SYSTEM };
	static const struct ttm_place swap = { .mem_type = TTM_PL_SYSTEM };

	placement->num_placement = 1;
	placement->placement = tbo->resource->mem_type == NPU_PL_HBM ? &system : &swap;
}

/**
 * npu_ttm_clear_by_cpu() - clear device memory through the BAR
 * @npu: device
 * @res: memory
 */
static void npu_ttm_clear_by_cpu(struct npu_device *npu, struct ttm_resource *res)
{
	struct npu_extent extent;

	for (npu_extent_first(npu, res, NULL, 0, res->size, &extent); extent.remaining;) {
		u64 bytes = min_t(u64, extent.size, NPU_TTM_CLEAR_BYTES);

		memset_io(npu->hbm.cpu + extent.addr, 0, bytes);
		npu_extent_advance(&extent, bytes);
		cond_resched();
	}
}

/**
 * npu_ttm_clear() - clear device memory that nobody has seen yet
 * @npu: device
 * @res: memory
 *
 * Return: 0 on success, -EINTR if the caller is being killed.
 */
static int npu_ttm_clear(struct npu_device *npu, struct ttm_resource *res)
{
	int ret = -EAGAIN;

	if (res->size >= NPU_TTM_CLEAR_MIN)
		ret = npu_clear_hbm(npu, res);
	if (!ret || ret == -EINTR)
		return ret;

	npu_ttm_clear_by_cpu(npu, res);
	return 0;
}

/**
 * npu_ttm_copy() - copy a buffer between device memory and pages
 * @npu: device
 * @res: device memory
 * @tt: pages
 * @to_pages: direction
 */
static void npu_ttm_copy(struct npu_device *npu, struct ttm_resource *res, struct ttm_tt *tt,
			 bool to_pages)
{
	struct npu_extent extent;
	pgoff_t i = 0;

	for (npu_extent_first(npu, res, NULL, 0, res->size, &extent); extent.remaining;
	     npu_extent_advance(&extent, PAGE_SIZE), i++) {
		void __iomem *hbm = npu->hbm.cpu + extent.addr;
		void *page = kmap_local_page(tt->pages[i]);

		if (to_pages)
			memcpy_fromio(page, hbm, PAGE_SIZE);
		else
			memcpy_toio(hbm, page, PAGE_SIZE);
		kunmap_local(page);
		cond_resched();
	}
}

/**
 * npu_ttm_move() - move a buffer
 * @tbo: buffer
 * @evict: it has to make room
 * @ctx: how to wait
 * @new_mem: where to
 * @hop: not used
 *
 * Only the buffer's own lock is held over copying and clearing.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_move(struct ttm_buffer_object *tbo, bool evict, struct ttm_operation_ctx *ctx,
			struct ttm_resource *new_mem, struct ttm_place *hop)
{
	struct npu_device *npu = ttm_to_npu(tbo->bdev);
	bool from_hbm = tbo->resource && tbo->resource->mem_type == NPU_PL_HBM;
	bool to_hbm = new_mem->mem_type == NPU_PL_HBM;
	int ret = 0, idx;

	if (tbo->resource && from_hbm != to_hbm) {
		ret = ttm_tt_populate(tbo->bdev, tbo->ttm, ctx);
		if (ret)
			return ret;
	}

	if (tbo->resource) {
		ret = ttm_bo_wait_ctx(tbo, ctx);
		if (ret)
			return ret;
		npu_gem_leave(tbo);
	}

	/* After an unplug there is nothing to copy from or to. */
	if (drm_dev_enter(&npu->drm, &idx)) {
		if (!tbo->resource && to_hbm)
			ret = npu_ttm_clear(npu, new_mem);
		else if (tbo->resource && from_hbm != to_hbm)
			npu_ttm_copy(npu, to_hbm ? new_mem : tbo->resource, tbo->ttm, from_hbm);
		drm_dev_exit(idx);
	}
	if (ret)
		return ret;

	npu_gem_moved(tbo, new_mem->mem_type);
	if (tbo->resource && to_hbm)
		ttm_bo_move_sync_cleanup(tbo, new_mem);
	else
		ttm_bo_move_null(tbo, new_mem);
	return 0;
}

/**
 * npu_ttm_io_mem_reserve() - tell how the CPU gets at a resource
 * @bdev: TTM device
 * @mem: resource
 *
 * Return: 0 on success, -EINVAL if it does not.
 */
static int npu_ttm_io_mem_reserve(struct ttm_device *bdev, struct ttm_resource *mem)
{
	switch (mem->mem_type) {
	case TTM_PL_SYSTEM:
	case NPU_PL_SYSTEM:
		return 0;
	case NPU_PL_HBM:
		/* Not contiguous: addresses are told by npu_ttm_io_mem_pfn(). */
		mem->bus.is_iomem = true;
		mem->bus.caching = ttm_write_combined;
		return 0;
	default:
		return -EINVAL;
	}
}

static unsigned long npu_ttm_io_mem_pfn(struct ttm_buffer_object *tbo, unsigned long page)
{
	struct npu_device *npu = ttm_to_npu(tbo->bdev);
	struct npu_extent extent;

	npu_extent_first(npu, tbo->resource, NULL, (u64)page << PAGE_SHIFT, PAGE_SIZE, &extent);
	return PHYS_PFN(npu->hbm.phys + extent.addr);
}

/**
 * npu_ttm_access_memory() - let a debugger look into device memory
 * @tbo: buffer
 * @offset: in the buffer
 * @buf: data
 * @len: of it
 * @write: direction
 *
 * Return: bytes copied, or a negative error code.
 */
static int npu_ttm_access_memory(struct ttm_buffer_object *tbo, unsigned long offset, void *buf,
				 int len, int write)
{
	struct npu_device *npu = ttm_to_npu(tbo->bdev);
	int done = 0, idx;

	if (!drm_dev_enter(&npu->drm, &idx))
		return -EIO;

	while (done < len) {
		unsigned long in_page = offset_in_page(offset + done);
		int bytes = min_t(int, len - done, PAGE_SIZE - in_page);
		struct npu_extent extent;
		void __iomem *hbm;

		npu_extent_first(npu, tbo->resource, NULL, offset + done - in_page, PAGE_SIZE,
				 &extent);
		hbm = npu->hbm.cpu + extent.addr + in_page;
		if (write)
			memcpy_toio(hbm, buf + done, bytes);
		else
			memcpy_fromio(buf + done, hbm, bytes);
		done += bytes;
	}

	drm_dev_exit(idx);
	return len;
}

static struct ttm_device_funcs npu_ttm_funcs = {
	.ttm_tt_create = npu_ttm_tt_create,
	.ttm_tt_populate = npu_ttm_tt_populate,
	.ttm_tt_unpopulate = npu_ttm_tt_unpopulate,
	.ttm_tt_destroy = npu_ttm_tt_destroy,
	.eviction_valuable = npu_ttm_eviction_valuable,
	.evict_flags = npu_ttm_evict_flags,
	.move = npu_ttm_move,
	.io_mem_reserve = npu_ttm_io_mem_reserve,
	.io_mem_pfn = npu_ttm_io_mem_pfn,
	.access_memory = npu_ttm_access_memory,
};

static int npu_ttm_sys_alloc(struct ttm_resource_manager *man, struct ttm_buffer_object *tbo,
			     const struct ttm_place *place, struct ttm_resource **res)
{
	*res = kzalloc(sizeof(**res), GFP_KERNEL);
	if (!*res)
		return -ENOMEM;

	ttm_resource_init(tbo, place, *res);
	return 0;
}

static void npu_ttm_sys_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	ttm_resource_fini(man, res);
	kfree(res);
}

static const struct ttm_resource_manager_func npu_ttm_sys_func = {
	.alloc = npu_ttm_sys_alloc,
	.free = npu_ttm_sys_free,
};

static void npu_ttm_sys_fini(struct drm_device *drm, void *arg)
{
	struct npu_device *npu = arg;
	struct ttm_resource_manager *man = &npu->sys_man;

	ttm_resource_manager_set_used(man, false);
	if (ttm_resource_manager_evict_all(&npu->ttm, man))
		return;

	ttm_resource_manager_cleanup(man);
	ttm_set_driver_manager(&npu->ttm, NPU_PL_SYSTEM, NULL);
}

/**
 * npu_ttm_init_sys() - set up system memory
 * @npu: device
 *
 * There is no limit of its own: TTM has one for all devices.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_init_sys(struct npu_device *npu)
{
	struct ttm_resource_manager *man = &npu->sys_man;

	man->func = &npu_ttm_sys_func;
	man->use_tt = true;
	ttm_resource_manager_init(man, &npu->ttm, 0);
	ttm_set_driver_manager(&npu->ttm, NPU_PL_SYSTEM, man);
	ttm_resource_manager_set_used(man, true);

	return drmm_add_action_or_reset(&npu->drm, npu_ttm_sys_fini, npu);
}

static void npu_ttm_fini(struct drm_device *drm, void *arg)
{
	struct npu_device *npu = arg;

	ttm_device_fini(&npu->ttm);
}

/**
 * npu_ttm_init() - set up memory management
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_ttm_init(struct npu_device *npu)
{
	struct drm_device *drm = &npu->drm;
	int ret;

	ret = ttm_device_init(&npu->ttm, &npu_ttm_funcs, drm->dev, drm->anon_inode->i_mapping,
			      drm->vma_offset_manager, false, false);
	if (ret)
		return ret;

	ret = drmm_add_action_or_reset(drm, npu_ttm_fini, npu);
	if (ret)
		return ret;

	ret = npu_ttm_init_sys(npu);
	if (ret)
		return ret;

	return npu_hbm_init(npu);
}

/**
 * npu_ttm_system_used() - system memory in buffers
 * @npu: device
 *
 * Return: bytes.
 */
u64 npu_ttm_system_used(struct npu_device *npu)
{
	return ttm_resource_manager_usage(&npu->sys_man);
}

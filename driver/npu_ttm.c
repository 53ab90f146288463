// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "npu_compat.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_migrate.h"
#include "npu_pm.h"
#include "npu_room.h"
#include "npu_trace.h"
#include "npu_ttm.h"
#include "npu_vm.h"

/**
 * DOC: Memory
 *
 * A buffer belongs in HBM or in system memory, as its creator asked. HBM may be given away
 * several times over: when a buffer finds no room there, others are moved to system memory,
 * the least recently used of the lowest priority first, but none that a job uses. They come
 * back before a job is submitted in a VM that maps them. TTM in turn swaps out system memory
 * when there is little of it.
 *
 * A move waits for the jobs that use the buffer, takes it away from all VMs, has the device
 * copy it, and only then gives away its old place. Contents, addresses and mappings of the
 * CPU stay; the latter are served from where the buffer is. A buffer stays in place while it
 * is pinned: shared with another device, for which it goes to system memory first, or mapped
 * by the kernel.
 *
 * Locks, outermost first: the mmap lock; &npu_vm.lock; &npu_room.lock; reservation locks;
 * npu_gpuva_lock(); &npu_migrate.lock; &npu_device.hw_lock; &npu_vm.pt_lock. An eviction
 * has the reservation lock of its buffer and takes what is inside of these.
 */

/**
 * struct npu_tt - pages of a buffer
 */
struct npu_tt {
	/** @base: base */
	struct ttm_tt base;
	/** @shared: mapped for other devices, written under the buffer's lock */
	bool shared;
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
		return 0;

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
 * Not from other devices: these are freed with the buffer, which the dma-buf holds.
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
 * npu_ttm_share() - do other devices use the pages of a buffer?
 * @tbo: buffer, locked
 * @shared: whether they do
 */
void npu_ttm_share(struct ttm_buffer_object *tbo, bool shared)
{
	/* A device may be late to let go of pages when the buffer has moved. */
	if (tbo->ttm)
		WRITE_ONCE(to_npu_tt(tbo->ttm)->shared, shared);
}

/**
 * npu_ttm_eviction_valuable() - may a buffer be moved to make room?
 * @tbo: buffer, locked
 * @place: where room is needed
 *
 * Return: true if so.
 */
static bool npu_ttm_eviction_valuable(struct ttm_buffer_object *tbo, const struct ttm_place *place)
{
	return ttm_bo_eviction_valuable(tbo, place) && !npu_vm_needs(tbo) &&
	       npu_room_can_move(ttm_to_npu(tbo->bdev), tbo);
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
	placement->placement = &swap;
	if (tbo->resource->mem_type == NPU_PL_HBM && !npu_gem_is_unneeded(tbo))
		placement->placement = &system;
}

/**
 * npu_ttm_is_blank() - does a buffer have no contents?
 * @tbo: buffer, locked
 *
 * Return: true if it is new, or its contents have been dropped: it reads as zero.
 */
static bool npu_ttm_is_blank(struct ttm_buffer_object *tbo)
{
	struct ttm_tt *tt = tbo->ttm;

	if (!tbo->resource)
		return true;

	return tbo->resource->mem_type != NPU_PL_HBM &&
	       (!tt || (!ttm_tt_is_populated(tt) && !(tt->page_flags & TTM_TT_FLAG_SWAPPED)));
}

/**
 * npu_ttm_drop() - leave the contents of a buffer behind in HBM
 * @tbo: buffer, idle and not in use by the device, on its way to TTM_PL_SYSTEM
 */
static void npu_ttm_drop(struct ttm_buffer_object *tbo)
{
	/* TTM has made that without pages, and for contents that fill them. */
	tbo->ttm->page_flags |= TTM_TT_FLAG_ZERO_ALLOC;
	npu_gem_dropped(tbo);
}

/**
 * npu_ttm_transfer() - fill the new place of a buffer
 * @tbo: buffer, idle and not in use by the device
 * @new_mem: new place
 * @blank: it has no contents
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_transfer(struct ttm_buffer_object *tbo, struct ttm_resource *new_mem, bool blank)
{
	struct npu_device *npu = ttm_to_npu(tbo->bdev);
	bool to_hbm = new_mem->mem_type == NPU_PL_HBM;
	int ret = 0, idx;

	/* After an unplug there is nothing to copy from or to. */
	if (!drm_dev_enter(&npu->drm, &idx))
		return 0;

	if (blank && to_hbm)
		ret = npu_migrate_clear(npu, new_mem);
	else if (!blank && (tbo->resource->mem_type == NPU_PL_HBM) != to_hbm)
		ret = npu_migrate_copy(npu, tbo->resource, new_mem, tbo->ttm);
	trace_npu_buffer_move(npu, new_mem->size, to_hbm, blank, ret);
	drm_dev_exit(idx);

	return ret;
}

/**
 * npu_ttm_replace() - give away the old place of a buffer
 * @tbo: buffer
 * @new_mem: new place
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_replace(struct ttm_buffer_object *tbo, struct ttm_resource *new_mem)
{
	struct dma_fence *done;
	int ret;

	if (!tbo->resource || new_mem->mem_type != NPU_PL_HBM) {
		ttm_bo_move_null(tbo, new_mem);
		return 0;
	}

	/* Pages go to another object, which goes at once: nobody waits for other jobs of the VM. */
	done = dma_fence_get_stub();
	ret = ttm_bo_move_accel_cleanup(tbo, done, false, false, new_mem);
	dma_fence_put(done);
	return ret;
}

/**
 * npu_ttm_move_awake() - move a buffer of a device that is awake, or gone
 * @tbo: buffer
 * @evict: it has to make room
 * @ctx: how to wait
 * @new_mem: where to
 *
 * Only reservation locks are held over copying and clearing.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_move_awake(struct ttm_buffer_object *tbo, bool evict,
			      struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem)
{
	bool from_hbm = tbo->resource && tbo->resource->mem_type == NPU_PL_HBM;
	bool to_hbm = new_mem->mem_type == NPU_PL_HBM;
	bool blank = npu_ttm_is_blank(tbo);
	bool drop = from_hbm && new_mem->mem_type == TTM_PL_SYSTEM && npu_gem_is_unneeded(tbo);
	int ret;

	/* Swapped pages come in from there. */
	if (!blank && !drop && from_hbm != to_hbm) {
		ret = ttm_bo_populate(tbo, ctx);
		if (ret)
			return ret;
	}

	if (npu_gem_is_reachable(tbo)) {
		ret = ttm_bo_wait_ctx(tbo, ctx);
		if (ret)
			return ret;
		npu_gem_leave(tbo, evict);
	}

	if (drop)
		npu_ttm_drop(tbo);
	ret = npu_ttm_transfer(tbo, new_mem, blank || drop);
	if (ret)
		return ret;

	ret = npu_ttm_replace(tbo, new_mem);
	if (!ret)
		npu_gem_moved(tbo, new_mem->mem_type);
	return ret;
}

/**
 * npu_ttm_move() - move a buffer
 * @tbo: buffer
 * @evict: it has to make room
 * @ctx: how to wait
 * @new_mem: where to
 * @hop: not used
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_ttm_move(struct ttm_buffer_object *tbo, bool evict, struct ttm_operation_ctx *ctx,
			struct ttm_resource *new_mem, struct ttm_place *hop)
{
	struct npu_device *npu = ttm_to_npu(tbo->bdev);
	bool there;
	int ret, idx;

	ret = npu_pm_enter(npu, &idx);
	if (ret && ret != -ENODEV)
		return ret;

	there = !ret;
	ret = npu_ttm_move_awake(tbo, evict, ctx, new_mem);
	if (there)
		npu_pm_exit(npu, idx);
	return ret;
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

	if (npu_pm_enter(npu, &idx))
		return -EIO;
	if (npu_online_enter(npu)) {
		npu_pm_exit(npu, idx);
		return -EIO;
	}

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

	npu_online_exit(npu);
	npu_pm_exit(npu, idx);
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
			      drm->vma_offset_manager, 0);
	if (ret)
		return ret;

	ret = drmm_add_action_or_reset(drm, npu_ttm_fini, npu);
	if (ret)
		return ret;

	ret = npu_ttm_init_sys(npu);
	if (ret)
		return ret;

	return npu_room_init(npu) ?: npu_hbm_init(npu);
}

static void npu_ttm_drain(struct drm_device *drm, void *arg)
{
	struct npu_device *npu = arg;

	drain_workqueue(npu->ttm.wq);
}

/**
 * npu_ttm_drain_first() - have buffers that TTM frees later freed before all else of the device
 * @npu: device, all of which is set up
 *
 * They do not keep it: the last file may have had some, as all that are imported are freed so.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_ttm_drain_first(struct npu_device *npu)
{
	return drmm_add_action_or_reset(&npu->drm, npu_ttm_drain, npu);
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

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_tt.h>

#include "npu_buffers.h"
#include "npu_compat.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_gpuva.h"
#include "npu_hbm.h"
#include "npu_limits.h"
#include "npu_pm.h"
#include "npu_prime.h"
#include "npu_resident.h"
#include "npu_room.h"
#include "npu_ttm.h"
#include "npu_vm.h"

/* Pages to map at a fault: copies through the BAR touch all of a buffer. */
#define NPU_GEM_PREFAULT 256

static struct npu_bo *ttm_to_npu_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct npu_bo, ttm);
}

/**
 * npu_gem_destroy() - free a buffer that nobody refers to
 * @tbo: buffer
 */
static void npu_gem_destroy(struct ttm_buffer_object *tbo)
{
	struct npu_bo *bo = ttm_to_npu_bo(tbo);

	/* Until it is detached we may be told that it moves. */
	if (tbo->base.import_attach) {
		dma_resv_lock(tbo->base.resv, NULL);
		npu_prime_unmap(bo);
		dma_resv_unlock(tbo->base.resv);
		drm_prime_gem_destroy(&tbo->base, NULL);
	}
	drm_gem_object_release(&tbo->base);
	if (bo->owner)
		drm_gem_object_put(bo->owner);
	if (bo->imported)
		dma_buf_put(bo->imported);
	npu_buffers_remove(bo);
	npu_process_put(bo->process);
	npu_gpuva_fini(bo);
	kfree(bo);
}

static void npu_gem_free(struct drm_gem_object *obj)
{
	ttm_bo_fini(&to_npu_bo(obj)->ttm);
}

/**
 * npu_gem_validate() - bring a buffer to a place
 * @bo: buffer, locked
 * @mem_type: NPU_PL_*
 * @resv: lock of buffers that may be moved to make room, held, or NULL
 *
 * Return: 0 on success, -ENOSPC if there is no room in HBM, a negative error code otherwise.
 */
int npu_gem_validate(struct npu_bo *bo, u32 mem_type, struct dma_resv *resv)
{
	const struct ttm_place place = { .mem_type = mem_type };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = npu_ttm_context(resv);
	int ret;

	ret = ttm_bo_validate(&bo->ttm, &placement, &ctx);
	/* TTM says ENOMEM for any memory. */
	if (ret == -ENOMEM && mem_type == NPU_PL_HBM)
		ret = -ENOSPC;
	return ret;
}

/**
 * npu_gem_in_place() - is a buffer where the device can use it, and may?
 * @bo: buffer, locked
 *
 * Return: true if it is where it belongs, or where others hold it: that place is as good.
 */
bool npu_gem_in_place(struct npu_bo *bo)
{
	const struct ttm_resource *res = bo->ttm.resource;

	if (bo->ttm.base.import_attach)
		return bo->ttm.sg;

	return res && (res->mem_type == bo->placement || bo->ttm.pin_count ||
		       (res->mem_type == NPU_PL_SYSTEM && bo->system_maps));
}

/**
 * npu_gem_bring_back() - bring a buffer to where the device can use it
 * @bo: buffer, locked
 * @resv: lock of buffers that may be moved to make room, held
 *
 * Return: 0 on success, -ENOSPC if there is no room in HBM, a negative error code otherwise.
 */
int npu_gem_bring_back(struct npu_bo *bo, struct dma_resv *resv)
{
	if (npu_gem_in_place(bo))
		return 0;
	if (bo->ttm.base.import_attach)
		return npu_prime_map(bo);

	return npu_gem_validate(bo, bo->placement, resv);
}

/**
 * npu_gem_extents() - memory of a piece of a buffer
 * @bo: buffer in place, locked
 * @offset: start of the piece
 * @size: its size
 * @extent: first extent
 */
void npu_gem_extents(struct npu_bo *bo, u64 offset, u64 size, struct npu_extent *extent)
{
	npu_extent_first(to_npu_device(bo->ttm.base.dev), bo->ttm.resource, bo->ttm.ttm, offset,
			 size, extent);
}

/**
 * npu_gem_vmap_hbm() - map device memory, whatever its pieces
 * @bo: buffer, locked
 *
 * Return: address, or NULL.
 */
static void *npu_gem_vmap_hbm(struct npu_bo *bo)
{
	struct npu_device *npu = to_npu_device(bo->ttm.base.dev);
	unsigned long count = bo->ttm.base.size >> PAGE_SHIFT;
	struct npu_extent extent;
	unsigned long *pfns, i;
	void *vaddr;

	pfns = kvmalloc_array(count, sizeof(*pfns), GFP_KERNEL);
	if (!pfns)
		return NULL;

	npu_extent_first(npu, bo->ttm.resource, NULL, 0, bo->ttm.base.size, &extent);
	for (i = 0; i < count; i++, npu_extent_advance(&extent, PAGE_SIZE))
		pfns[i] = PHYS_PFN(npu->hbm.phys + extent.addr);

	vaddr = vmap_pfn(pfns, count, pgprot_writecombine(PAGE_KERNEL));
	kvfree(pfns);
	return vaddr;
}

/**
 * npu_gem_vmap() - let the kernel use a buffer where it is
 * @obj: GEM object, locked
 * @map: where it is mapped
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct npu_device *npu = to_npu_device(obj->dev);
	struct npu_bo *bo = to_npu_bo(obj);
	void *vaddr;
	int ret, idx;

	ret = npu_pm_enter(npu, &idx);
	if (ret)
		return ret;

	if (bo->ttm.resource->mem_type != NPU_PL_HBM) {
		ret = drm_gem_ttm_vmap(obj, map);
	} else {
		vaddr = npu_gem_vmap_hbm(bo);
		if (vaddr)
			iosys_map_set_vaddr_iomem(map, (void __iomem *)vaddr);
		else
			ret = -ENOMEM;
	}
	if (!ret)
		ttm_bo_pin(&bo->ttm);
	/* As long as there is a mapping the device may be touched at any time. */
	if (!ret && map->is_iomem)
		ret = npu_pm_get(npu);
	npu_pm_exit(npu, idx);

	return ret;
}

static void npu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct npu_bo *bo = to_npu_bo(obj);

	if (map->is_iomem) {
		vunmap((void __force *)map->vaddr_iomem);
		iosys_map_clear(map);
		npu_pm_put(to_npu_device(obj->dev));
	} else {
		drm_gem_ttm_vunmap(obj, map);
	}

	ttm_bo_unpin(&bo->ttm);
	if (!npu_gem_in_place(bo))
		npu_resident_displaced(bo);
}

static int npu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (obj->import_attach || to_npu_bo(obj)->flags & DRM_NPU_BO_NO_MMAP)
		return -EPERM;

	return drm_gem_ttm_mmap(obj, vma);
}

/**
 * npu_gem_fault_there() - map a buffer for the CPU
 * @vmf: fault; the buffer is locked
 * @npu: device, awake
 *
 * Return: as of a handler of faults.
 */
static vm_fault_t npu_gem_fault_there(struct vm_fault *vmf, struct npu_device *npu)
{
	vm_fault_t ret;

	/* Somebody who is being killed need not wait; all others try again. */
	if (npu_online_enter(npu))
		return VM_FAULT_NOPAGE;

	ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot, NPU_GEM_PREFAULT);
	npu_online_exit(npu);
	return ret;
}

static vm_fault_t npu_gem_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct npu_device *npu = to_npu_device(tbo->base.dev);
	pgprot_t prot = vmf->vma->vm_page_prot;
	vm_fault_t ret;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;

	if (!npu_pm_enter(npu, &idx)) {
		ret = npu_gem_fault_there(vmf, npu);
		npu_pm_exit(npu, idx);
	} else {
		ret = ttm_bo_vm_dummy_page(vmf, prot);
	}

	/* The lock was dropped with the mmap lock. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;

	dma_resv_unlock(tbo->base.resv);
	return ret;
}

static const struct vm_operations_struct npu_gem_vm_ops = {
	.fault = npu_gem_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = ttm_bo_vm_access,
};

static const struct drm_gem_object_funcs npu_gem_funcs = {
	.free = npu_gem_free,
	.export = npu_prime_export,
	.vmap = npu_gem_vmap,
	.vunmap = npu_gem_vunmap,
	.mmap = npu_gem_mmap,
	.vm_ops = &npu_gem_vm_ops,
	.print_info = drm_gem_ttm_print_info,
};

/**
 * npu_gem_alloc() - allocate a buffer without memory
 * @npu: device
 * @size: bytes, page-aligned
 * @placement: NPU_PL_*
 * @flags: DRM_NPU_BO_*
 *
 * Return: the buffer, still to be given to npu_gem_init(), or NULL.
 */
static struct npu_bo *npu_gem_alloc(struct npu_device *npu, u64 size, u32 placement, u32 flags)
{
	struct npu_bo *bo;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return NULL;

	bo->process = npu_process_open(npu);
	if (!bo->process) {
		kfree(bo);
		return NULL;
	}

	bo->placement = placement;
	bo->evict = NPU_GEM_EVICT_NORMAL;
	bo->flags = flags;
	bo->ttm.priority = NPU_GEM_EVICT_NORMAL;
	drm_gem_private_object_init(&npu->drm, &bo->ttm.base, size);
	bo->ttm.base.funcs = &npu_gem_funcs;
	npu_gpuva_init(bo);
	npu_buffers_add(bo);
	return bo;
}

/**
 * npu_gem_init() - give a buffer memory
 * @npu: device
 * @bo: buffer, freed on failure
 * @mem_type: where
 * @type: ttm_bo_type_sg for memory of another device
 * @resv: lock that the buffer shares, held, or NULL
 *
 * Return: 0 on success, -ENOSPC if there is no room in HBM, a negative error code otherwise.
 */
static int npu_gem_init(struct npu_device *npu, struct npu_bo *bo, u32 mem_type,
			enum ttm_bo_type type, struct dma_resv *resv)
{
	const struct ttm_place place = { .mem_type = mem_type };
	struct ttm_placement places = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = npu_ttm_context(resv);
	int ret;

	ret = ttm_bo_init_reserved(&npu->ttm, &bo->ttm, type, &places, 0, &ctx, NULL, resv,
				   npu_gem_destroy);
	/* TTM says ENOMEM for any memory. */
	if (ret == -ENOMEM && mem_type == NPU_PL_HBM)
		ret = -ENOSPC;
	if (!ret && !resv)
		ttm_bo_unreserve(&bo->ttm);
	return ret;
}

/**
 * npu_gem_create_at() - create a buffer in some place
 * @npu: device
 * @size: bytes
 * @placement: where it belongs
 * @flags: DRM_NPU_BO_*
 * @vm: the only VM that it is for, or NULL
 * @mem_type: where it shall be
 *
 * Return: the buffer, or an error pointer.
 */
static struct npu_bo *npu_gem_create_at(struct npu_device *npu, u64 size, u32 placement, u32 flags,
					struct npu_vm *vm, u32 mem_type)
{
	struct dma_resv *resv;
	struct npu_bo *bo;
	int ret;

	bo = npu_gem_alloc(npu, size, placement, flags);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	if (!vm) {
		ret = npu_gem_init(npu, bo, mem_type, ttm_bo_type_device, NULL);
		return ret ? ERR_PTR(ret) : bo;
	}

	bo->owner = vm->base.r_obj;
	drm_gem_object_get(bo->owner);
	resv = drm_gpuvm_resv(&vm->base);

	dma_resv_lock(resv, NULL);
	ret = npu_gem_init(npu, bo, mem_type, ttm_bo_type_device, resv);
	dma_resv_unlock(resv);

	return ret ? ERR_PTR(ret) : bo;
}

/**
 * npu_gem_try_bring_back() - lock a buffer and bring it to where it belongs
 * @bo: buffer
 *
 * Return: 0 on success, -ENOSPC if there is no room in HBM, a negative error code otherwise.
 */
static int npu_gem_try_bring_back(struct npu_bo *bo)
{
	struct drm_exec exec;
	int ret = 0;

	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT, 1);
	drm_exec_until_all_locked(&exec) {
		ret = drm_exec_lock_obj(&exec, bo->owner ?: &bo->ttm.base);
		drm_exec_retry_on_contention(&exec);
		/* It is not all: to make room TTM takes others by the same ticket. */
		break;
	}
	if (!ret)
		ret = npu_gem_bring_back(bo, bo->ttm.base.resv);
	drm_exec_fini(&exec);

	return ret;
}

/**
 * npu_gem_create_contended() - create a buffer in HBM when others are in its way
 * @npu: device
 * @size: bytes
 * @flags: DRM_NPU_BO_*
 * @vm: the only VM that it is for, or NULL
 *
 * Return: the buffer, or an error pointer: -ENOSPC without room in HBM.
 */
static struct npu_bo *npu_gem_create_contended(struct npu_device *npu, u64 size, u32 flags,
					       struct npu_vm *vm)
{
	struct npu_room_claim claim;
	struct npu_bo *bo;
	int ret;

	/* No memory is in this place yet. */
	bo = npu_gem_create_at(npu, size, NPU_PL_HBM, flags, vm, TTM_PL_SYSTEM);
	if (IS_ERR(bo))
		return bo;

	npu_room_claim_begin(&claim, npu, size);
	do {
		ret = npu_room_claim_lock(&claim) ?: npu_gem_try_bring_back(bo);
	} while (npu_room_claim_again(&claim, &ret));
	if (!ret)
		return bo;

	drm_gem_object_put(&bo->ttm.base);
	return ERR_PTR(ret);
}

/**
 * npu_gem_create() - create a buffer
 * @npu: device
 * @size: bytes, page-aligned, not 0
 * @placement: NPU_PL_*
 * @flags: DRM_NPU_BO_*
 * @vm: the only VM that it is for, or NULL
 *
 * Return: the buffer, cleared, or an error pointer: -ENOSPC without room in HBM.
 */
struct npu_bo *npu_gem_create(struct npu_device *npu, u64 size, u32 placement, u32 flags,
			      struct npu_vm *vm)
{
	struct npu_bo *bo;

	if (placement == NPU_PL_HBM && size > npu->hbm.manager.size)
		return ERR_PTR(-ENOSPC);
	/* Nor try to allocate the array of such a number of pages. */
	if (placement == NPU_PL_SYSTEM && size >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);

	bo = npu_gem_create_at(npu, size, placement, flags, vm, placement);
	return bo == ERR_PTR(-ENOSPC) ? npu_gem_create_contended(npu, size, flags, vm) : bo;
}

/**
 * npu_gem_set_priority() - say how soon a buffer is to be moved when room is needed
 * @bo: buffer, locked
 * @priority: NPU_GEM_EVICT_*
 */
void npu_gem_set_priority(struct npu_bo *bo, unsigned int priority)
{
	struct ttm_lru_bulk_move *bulk = bo->ttm.bulk_move;

	/* Both lists that it may be on go by priority. */
	ttm_bo_set_bulk_move(&bo->ttm, NULL);
	spin_lock(&bo->ttm.bdev->lru_lock);
	bo->ttm.priority = priority;
	ttm_bo_move_to_lru_tail(&bo->ttm);
	spin_unlock(&bo->ttm.bdev->lru_lock);
	ttm_bo_set_bulk_move(&bo->ttm, bulk);
}

/**
 * npu_gem_create_imported() - create a buffer of another device's memory
 * @npu: device
 * @dmabuf: the memory, to be attached and mapped
 *
 * Return: the buffer, or an error pointer.
 */
struct npu_bo *npu_gem_create_imported(struct npu_device *npu, struct dma_buf *dmabuf)
{
	struct npu_bo *bo;
	int ret;

	bo = npu_gem_alloc(npu, PAGE_ALIGN(dmabuf->size), NPU_PL_SYSTEM, DRM_NPU_BO_NO_MMAP);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	/* TTM uses the lock of a buffer until the very end, also of one that was never attached. */
	get_dma_buf(dmabuf);
	bo->imported = dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = npu_gem_init(npu, bo, NPU_PL_SYSTEM, ttm_bo_type_sg, dmabuf->resv);
	dma_resv_unlock(dmabuf->resv);

	return ret ? ERR_PTR(ret) : bo;
}

/**
 * npu_gem_unplug_one() - take a buffer away from a device that goes
 * @bo: buffer
 *
 * Pages have to be unmapped for the device as long as it is there. What others use stays with
 * them until the buffer is freed.
 */
static void npu_gem_unplug_one(struct npu_bo *bo)
{
	struct ttm_operation_ctx ctx = npu_ttm_context(NULL);
	struct ttm_buffer_object *tbo = &bo->ttm;
	struct ttm_placement nowhere = {};

	dma_resv_lock(tbo->base.resv, NULL);
	npu_prime_unplug(bo);
	if (!bo->imported && !bo->system_maps && !tbo->pin_count &&
	    tbo->ttm && ttm_tt_is_populated(tbo->ttm))
		ttm_bo_validate(tbo, &nowhere, &ctx);
	dma_resv_unlock(tbo->base.resv);

	if (tbo->base.import_attach)
		npu_prime_detach(bo);
}

/**
 * npu_gem_unplug() - take all buffers away from a device that goes
 * @npu: device, quiet; no call makes buffers any more
 *
 * ttm_device_clear_dma_mappings() is for this, but spins under the lock that a buffer needs
 * which is being freed at that time.
 */
void npu_gem_unplug(struct npu_device *npu)
{
	struct npu_bo *bo = NULL;

	while ((bo = npu_buffers_next(npu, bo)))
		npu_gem_unplug_one(bo);
	npu_buffers_settle(npu);
}

/**
 * npu_gem_is_reachable() - may jobs be using a buffer where it is?
 * @tbo: buffer, locked
 *
 * The lock of a VM's buffers knows of all its jobs, also of those that cannot.
 *
 * Return: true if so.
 */
bool npu_gem_is_reachable(const struct ttm_buffer_object *tbo)
{
	return tbo->destroy == npu_gem_destroy && container_of(tbo, struct npu_bo, ttm)->reachable;
}

/**
 * npu_gem_is_unneeded() - may the contents of a buffer be dropped instead of being moved?
 * @tbo: buffer, locked
 *
 * Return: true if so.
 */
bool npu_gem_is_unneeded(const struct ttm_buffer_object *tbo)
{
	return tbo->destroy == npu_gem_destroy && container_of(tbo, struct npu_bo, ttm)->unneeded;
}

/**
 * npu_gem_dropped() - the contents of a buffer have been dropped
 * @tbo: buffer, locked
 */
void npu_gem_dropped(struct ttm_buffer_object *tbo)
{
	ttm_to_npu_bo(tbo)->dropped = true;
}

/**
 * npu_gem_leave() - a buffer is about to leave the place where it is
 * @tbo: buffer, locked, reachable and idle
 * @evict: it has to make room
 */
void npu_gem_leave(struct ttm_buffer_object *tbo, bool evict)
{
	struct npu_bo *bo = ttm_to_npu_bo(tbo);

	npu_resident_zap(bo, evict);
	if (bo->dmabuf)
		dma_buf_invalidate_mappings(bo->dmabuf);
}

/**
 * npu_gem_moved() - a buffer is going to be somewhere else
 * @tbo: buffer
 * @mem_type: where
 */
void npu_gem_moved(struct ttm_buffer_object *tbo, u32 mem_type)
{
	/* TTM moves what it is about to free as buffers of its own. */
	if (tbo->destroy == npu_gem_destroy)
		WRITE_ONCE(ttm_to_npu_bo(tbo)->mem_type, mem_type);
}

/**
 * npu_gem_count() - add a buffer to the usage of memory
 * @bo: buffer
 * @hbm: usage of HBM
 * @memory: usage of system memory
 *
 * It is counted as a whole where it belongs, and as resident where it is.
 */
static void npu_gem_count(struct npu_bo *bo, struct drm_memory_stats *hbm,
			  struct drm_memory_stats *memory)
{
	struct drm_memory_stats *belongs = bo->placement == NPU_PL_HBM ? hbm : memory;
	struct drm_gem_object *obj = &bo->ttm.base;
	u32 mem_type = READ_ONCE(bo->mem_type);
	struct drm_memory_stats *lies;

	if (drm_gem_object_is_shared_for_memory_stats(obj))
		belongs->shared += obj->size;
	else
		belongs->private += obj->size;

	/* What has been dropped or swapped out lies nowhere. */
	if (mem_type != NPU_PL_HBM && mem_type != NPU_PL_SYSTEM)
		return;
	lies = mem_type == NPU_PL_HBM ? hbm : memory;

	lies->resident += obj->size;
	if (!dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP))
		lies->active += obj->size;
	else if (READ_ONCE(bo->unneeded))
		lies->purgeable += obj->size;
}

/**
 * npu_gem_memory_stats() - add up the buffers that a file has handles of
 * @file: file
 * @hbm: usage of HBM
 * @memory: usage of system memory
 */
void npu_gem_memory_stats(struct drm_file *file, struct drm_memory_stats *hbm,
			  struct drm_memory_stats *memory)
{
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id)
		npu_gem_count(to_npu_bo(obj), hbm, memory);
	spin_unlock(&file->table_lock);
}

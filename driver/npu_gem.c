// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_tt.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_ttm.h"

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

	if (tbo->base.import_attach)
		drm_prime_gem_destroy(&tbo->base, tbo->sg);
	drm_gem_object_release(&tbo->base);
	mutex_destroy(&bo->gpuva_lock);
	kfree(bo);
}

static void npu_gem_free(struct drm_gem_object *obj)
{
	ttm_bo_put(&to_npu_bo(obj)->ttm);
}

/**
 * npu_gem_validate() - bring a buffer to a place
 * @bo: buffer, locked
 * @mem_type: NPU_PL_*
 *
 * Return: 0 on success, -ENOSPC if there is no room in HBM, a negative error code otherwise.
 */
static int npu_gem_validate(struct npu_bo *bo, u32 mem_type)
{
	const struct ttm_place place = { .mem_type = mem_type };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .gfp_retry_mayfail = true };
	int ret;

	ret = ttm_bo_validate(&bo->ttm, &placement, &ctx);
	/* TTM says ENOMEM for any memory. */
	if (ret == -ENOMEM && mem_type == NPU_PL_HBM)
		ret = -ENOSPC;
	return ret;
}

/**
 * npu_gem_pin() - keep a buffer where it is, for the device
 * @bo: buffer
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_gem_pin(struct npu_bo *bo)
{
	int ret = 0;

	dma_resv_lock(bo->ttm.base.resv, NULL);
	/* Somebody else's pin may be in another place, which is as good. */
	if (!bo->ttm.pin_count)
		ret = npu_gem_validate(bo, bo->placement);
	if (!ret)
		ttm_bo_pin(&bo->ttm);
	dma_resv_unlock(bo->ttm.base.resv);

	return ret;
}

/**
 * npu_gem_pin_again() - pin a buffer that is pinned
 * @bo: buffer
 */
void npu_gem_pin_again(struct npu_bo *bo)
{
	dma_resv_lock(bo->ttm.base.resv, NULL);
	ttm_bo_pin(&bo->ttm);
	dma_resv_unlock(bo->ttm.base.resv);
}

/**
 * npu_gem_unpin() - undo npu_gem_pin() or npu_gem_pin_again()
 * @bo: buffer
 */
void npu_gem_unpin(struct npu_bo *bo)
{
	dma_resv_lock(bo->ttm.base.resv, NULL);
	ttm_bo_unpin(&bo->ttm);
	dma_resv_unlock(bo->ttm.base.resv);
}

/**
 * npu_gem_prime_pin() - another device is about to use a buffer
 * @obj: GEM object, locked
 *
 * It gets pages of system memory: HBM is not reachable for everyone.
 *
 * Return: 0 on success, -EBUSY if the buffer is pinned in HBM, -ENODEV after an unplug, a
 * negative error code otherwise.
 */
static int npu_gem_prime_pin(struct drm_gem_object *obj)
{
	struct npu_bo *bo = to_npu_bo(obj);
	int ret = 0, idx;

	/* After an unplug there are no pages to give, and what was in HBM cannot be read. */
	if (!drm_dev_enter(obj->dev, &idx))
		return -ENODEV;

	if (!bo->ttm.pin_count)
		ret = npu_gem_validate(bo, NPU_PL_SYSTEM);
	else if (bo->ttm.resource->mem_type != NPU_PL_SYSTEM)
		ret = -EBUSY;

	if (!ret) {
		ttm_bo_pin(&bo->ttm);
		npu_ttm_share(&bo->ttm);
	}
	drm_dev_exit(idx);
	return ret;
}

static void npu_gem_prime_unpin(struct drm_gem_object *obj)
{
	npu_ttm_unshare(&to_npu_bo(obj)->ttm);
	ttm_bo_unpin(&to_npu_bo(obj)->ttm);
}

static struct sg_table *npu_gem_get_sg_table(struct drm_gem_object *obj)
{
	struct ttm_tt *tt = to_npu_bo(obj)->ttm.ttm;

	if (obj->import_attach || !tt)
		return ERR_PTR(-EOPNOTSUPP);

	return drm_prime_pages_to_sg(obj->dev, tt->pages, tt->num_pages);
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

static int npu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct npu_bo *bo = to_npu_bo(obj);
	void *vaddr;

	if (bo->ttm.resource->mem_type != NPU_PL_HBM)
		return drm_gem_ttm_vmap(obj, map);

	vaddr = npu_gem_vmap_hbm(bo);
	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr_iomem(map, (void __iomem *)vaddr);
	return 0;
}

static void npu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	if (!map->is_iomem) {
		drm_gem_ttm_vunmap(obj, map);
		return;
	}

	vunmap((void __force *)map->vaddr_iomem);
	iosys_map_clear(map);
}

static int npu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (obj->import_attach || to_npu_bo(obj)->flags & DRM_NPU_BO_NO_MMAP)
		return -EPERM;

	return drm_gem_ttm_mmap(obj, vma);
}

static vm_fault_t npu_gem_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	pgprot_t prot = vmf->vma->vm_page_prot;
	vm_fault_t ret;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;

	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = ttm_bo_vm_fault_reserved(vmf, prot, NPU_GEM_PREFAULT);
		drm_dev_exit(idx);
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
	.pin = npu_gem_prime_pin,
	.unpin = npu_gem_prime_unpin,
	.get_sg_table = npu_gem_get_sg_table,
	.vmap = npu_gem_vmap,
	.vunmap = npu_gem_vunmap,
	.mmap = npu_gem_mmap,
	.vm_ops = &npu_gem_vm_ops,
	.print_info = drm_gem_ttm_print_info,
};

/**
 * npu_gem_init() - allocate a buffer
 * @npu: device
 * @size: bytes, page-aligned
 * @placement: NPU_PL_*
 * @flags: DRM_NPU_BO_*
 * @sgt: pages of an imported buffer, or NULL
 * @resv: lock of an imported buffer, held, or NULL
 *
 * Return: the buffer, or an error pointer.
 */
static struct npu_bo *npu_gem_init(struct npu_device *npu, u64 size, u32 placement, u32 flags,
				   struct sg_table *sgt, struct dma_resv *resv)
{
	const struct ttm_place place = { .mem_type = placement };
	struct ttm_placement places = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };
	struct npu_bo *bo;
	int ret;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->placement = placement;
	bo->flags = flags;
	mutex_init(&bo->gpuva_lock);
	drm_gem_private_object_init(&npu->drm, &bo->ttm.base, size);
	bo->ttm.base.funcs = &npu_gem_funcs;
	drm_gem_gpuva_set_lock(&bo->ttm.base, &bo->gpuva_lock);

	/* Frees the buffer when it fails. */
	ret = ttm_bo_init_reserved(&npu->ttm, &bo->ttm, sgt ? ttm_bo_type_sg : ttm_bo_type_device,
				   &places, 0, &ctx, sgt, resv, npu_gem_destroy);
	if (ret)
		return ERR_PTR(ret);

	if (!resv)
		ttm_bo_unreserve(&bo->ttm);
	return bo;
}

/**
 * npu_gem_create() - create a buffer
 * @npu: device
 * @size: bytes, page-aligned, not 0
 * @placement: NPU_PL_*
 * @flags: DRM_NPU_BO_*
 *
 * Return: the buffer, cleared, or an error pointer: -ENOSPC without room in HBM.
 */
struct npu_bo *npu_gem_create(struct npu_device *npu, u64 size, u32 placement, u32 flags)
{
	struct npu_bo *bo;

	if (placement == NPU_PL_HBM && size > npu->hbm.manager.size)
		return ERR_PTR(-ENOSPC);
	/* Nor try to allocate the array of such a number of pages. */
	if (placement == NPU_PL_SYSTEM && size >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);

	bo = npu_gem_init(npu, size, placement, flags, NULL, NULL);
	/* TTM says ENOMEM for any memory. */
	if (bo == ERR_PTR(-ENOMEM) && placement == NPU_PL_HBM)
		return ERR_PTR(-ENOSPC);
	return bo;
}

/**
 * npu_gem_import_sg_table() - make a buffer of another device's pages
 * @drm: DRM device
 * @attach: attachment
 * @sgt: pages
 *
 * Return: the GEM object, or an error pointer.
 */
struct drm_gem_object *npu_gem_import_sg_table(struct drm_device *drm,
					       struct dma_buf_attachment *attach,
					       struct sg_table *sgt)
{
	struct dma_resv *resv = attach->dmabuf->resv;
	struct npu_bo *bo;

	dma_resv_lock(resv, NULL);
	bo = npu_gem_init(to_npu_device(drm), PAGE_ALIGN(attach->dmabuf->size), NPU_PL_SYSTEM,
			  DRM_NPU_BO_NO_MMAP, sgt, resv);
	dma_resv_unlock(resv);

	return IS_ERR(bo) ? ERR_CAST(bo) : &bo->ttm.base;
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
 * npu_gem_memory_stats() - add up the buffers that a file has handles of
 * @file: file
 * @hbm: those that belong in HBM
 * @system: those that belong in system memory
 */
void npu_gem_memory_stats(struct drm_file *file, struct drm_memory_stats *hbm,
			  struct drm_memory_stats *system)
{
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id) {
		struct npu_bo *bo = to_npu_bo(obj);
		struct drm_memory_stats *stats = bo->placement == NPU_PL_HBM ? hbm : system;

		if (drm_gem_object_is_shared_for_memory_stats(obj))
			stats->shared += obj->size;
		else
			stats->private += obj->size;

		switch (READ_ONCE(bo->mem_type)) {
		case NPU_PL_HBM:
			hbm->resident += obj->size;
			break;
		case NPU_PL_SYSTEM:
			system->resident += obj->size;
			break;
		}
	}
	spin_unlock(&file->table_lock);
}

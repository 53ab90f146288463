// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>

#include <npu/npu_regs.h>

#include "npu_compat.h"
#include "npu_device.h"
#include "npu_hbm.h"
#include "npu_mmio.h"
#include "npu_ttm.h"

static struct npu_hbm *to_npu_hbm(struct ttm_resource_manager *man)
{
	return container_of(man, struct npu_hbm, manager);
}

/**
 * npu_hbm_alloc() - allocate device memory for a buffer
 * @man: manager
 * @tbo: buffer
 * @place: where
 * @res: resource
 *
 * Return: 0 on success, -ENOSPC if there is not enough left, a negative error code otherwise.
 */
static int npu_hbm_alloc(struct ttm_resource_manager *man, struct ttm_buffer_object *tbo,
			 const struct ttm_place *place, struct ttm_resource **res)
{
	struct npu_hbm *hbm = to_npu_hbm(man);
	struct npu_hbm_resource *hres;
	int ret;

	hres = kzalloc(sizeof(*hres), GFP_KERNEL);
	if (!hres)
		return -ENOMEM;

	INIT_LIST_HEAD(&hres->blocks);
	ttm_resource_init(tbo, place, &hres->base);

	mutex_lock(&hbm->lock);
	if (hres->base.size <= hbm->mm.avail)
		ret = gpu_buddy_alloc_blocks(&hbm->mm, 0, hbm->mm.size, hres->base.size,
					     PAGE_SIZE, &hres->blocks, 0);
	else
		ret = -ENOSPC;
	mutex_unlock(&hbm->lock);

	if (ret) {
		ttm_resource_fini(man, &hres->base);
		kfree(hres);
		return ret;
	}

	*res = &hres->base;
	return 0;
}

static void npu_hbm_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	struct npu_hbm_resource *hres = to_npu_hbm_resource(res);
	struct npu_hbm *hbm = to_npu_hbm(man);

	mutex_lock(&hbm->lock);
	gpu_buddy_free_list(&hbm->mm, &hres->blocks, 0);
	mutex_unlock(&hbm->lock);

	ttm_resource_fini(man, res);
	kfree(hres);
}

static void npu_hbm_debug(struct ttm_resource_manager *man, struct drm_printer *p)
{
	struct npu_hbm *hbm = to_npu_hbm(man);

	mutex_lock(&hbm->lock);
	drm_buddy_print(&hbm->mm, p);
	mutex_unlock(&hbm->lock);
}

static const struct ttm_resource_manager_func npu_hbm_func = {
	.alloc = npu_hbm_alloc,
	.free = npu_hbm_free,
	.debug = npu_hbm_debug,
};

/**
 * npu_hbm_take_free_page() - allocate a page of device memory that is free
 * @npu: device
 *
 * Pages come from the top, away from the large blocks of buffers.
 *
 * Return: the page, or an error pointer.
 */
static struct gpu_buddy_block *npu_hbm_take_free_page(struct npu_device *npu)
{
	struct npu_hbm *hbm = &npu->hbm;
	LIST_HEAD(blocks);
	int ret;

	mutex_lock(&hbm->lock);
	ret = gpu_buddy_alloc_blocks(&hbm->mm, 0, hbm->mm.size, PAGE_SIZE, PAGE_SIZE, &blocks,
				     GPU_BUDDY_TOPDOWN_ALLOCATION);
	mutex_unlock(&hbm->lock);
	if (ret)
		return ERR_PTR(ret);

	return list_first_entry(&blocks, struct gpu_buddy_block, link);
}

static void npu_hbm_destroy_room(struct ttm_buffer_object *tbo)
{
	drm_gem_object_release(&tbo->base);
	kfree(tbo);
}

/**
 * npu_hbm_take_page() - allocate a page of device memory, moving buffers out of its way
 * @npu: device
 * @resv: lock of buffers that may be moved as well, held, or NULL
 *
 * Only a buffer can make TTM do that. It gives its memory to us and goes.
 *
 * Return: the page, or an error pointer.
 */
static struct gpu_buddy_block *npu_hbm_take_page(struct npu_device *npu, struct dma_resv *resv)
{
	const struct ttm_place place = { .mem_type = NPU_PL_HBM };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = npu_ttm_context(resv);
	struct ttm_buffer_object *tbo;
	struct gpu_buddy_block *block;
	int ret;

	tbo = kzalloc(sizeof(*tbo), GFP_KERNEL);
	if (!tbo)
		return ERR_PTR(-ENOMEM);
	drm_gem_private_object_init(&npu->drm, &tbo->base, PAGE_SIZE);

	/* Frees it when it fails. */
	ret = ttm_bo_init_reserved(&npu->ttm, tbo, ttm_bo_type_kernel, &placement, 0, &ctx, NULL,
				   NULL, npu_hbm_destroy_room);
	if (ret)
		return ERR_PTR(ret == -ENOMEM ? -ENOSPC : ret);

	block = list_first_entry(&to_npu_hbm_resource(tbo->resource)->blocks,
				 struct gpu_buddy_block, link);
	list_del(&block->link);
	ttm_bo_unreserve(tbo);
	ttm_bo_fini(tbo);

	return block;
}

/**
 * npu_hbm_alloc_page() - allocate a page of device memory
 * @npu: device
 * @resv: lock of buffers that may be moved to make room, held, or NULL
 *
 * Return: the page, or an error pointer.
 */
struct gpu_buddy_block *npu_hbm_alloc_page(struct npu_device *npu, struct dma_resv *resv)
{
	struct gpu_buddy_block *block = npu_hbm_take_free_page(npu);

	return block == ERR_PTR(-ENOSPC) ? npu_hbm_take_page(npu, resv) : block;
}

/**
 * npu_hbm_free_page() - free a page of device memory
 * @npu: device
 * @block: page
 */
void npu_hbm_free_page(struct npu_device *npu, struct gpu_buddy_block *block)
{
	struct npu_hbm *hbm = &npu->hbm;

	mutex_lock(&hbm->lock);
	gpu_buddy_free_block(&hbm->mm, block);
	mutex_unlock(&hbm->lock);
}

/**
 * npu_hbm_used() - device memory in use
 * @npu: device
 *
 * Return: bytes, those of page tables included.
 */
u64 npu_hbm_used(struct npu_device *npu)
{
	struct npu_hbm *hbm = &npu->hbm;
	u64 used;

	mutex_lock(&hbm->lock);
	used = hbm->mm.size - hbm->mm.avail;
	mutex_unlock(&hbm->lock);

	return used;
}

/**
 * npu_hbm_movable() - device memory that is free, or in use by buffers
 * @npu: device
 *
 * Return: bytes, all but those of page tables.
 */
u64 npu_hbm_movable(struct npu_device *npu)
{
	u64 tables = npu_hbm_used(npu) - ttm_resource_manager_usage(&npu->hbm.manager);

	return npu->hbm.manager.size - tables;
}

/**
 * npu_hbm_map() - find and map device memory
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_hbm_map(struct npu_device *npu)
{
	struct npu_hbm *hbm = &npu->hbm;
	struct pci_dev *pdev = npu->pdev;
	u64 region_size;
	int ret;

	hbm->physical = npu_read64(npu, NPU_REG_HBM_SIZE_LO);
	npu->fw.region = npu_read64(npu, NPU_REG_FW_REGION_LO);
	region_size = npu_read(npu, NPU_REG_FW_REGION_SIZE);

	if (pci_resource_len(pdev, NPU_BAR_HBM) < hbm->physical ||
	    region_size < NPU_FW_REGION_SIZE || region_size >= hbm->physical ||
	    npu->fw.region != hbm->physical - region_size || !PAGE_ALIGNED(npu->fw.region)) {
		drm_err(&npu->drm,
			"HBM of %llu bytes, firmware region of %llu at 0x%llx, BAR %pR\n",
			hbm->physical, region_size, npu->fw.region,
			&pdev->resource[NPU_BAR_HBM]);
		return -ENODEV;
	}

	ret = pcim_request_region(pdev, NPU_BAR_HBM, DRIVER_NAME);
	if (ret)
		return ret;

	hbm->phys = pci_resource_start(pdev, NPU_BAR_HBM);
	hbm->cpu = devm_ioremap_wc(&pdev->dev, hbm->phys, hbm->physical);
	return hbm->cpu ? 0 : -ENOMEM;
}

static void npu_hbm_fini(struct drm_device *drm, void *arg)
{
	struct npu_device *npu = arg;
	struct npu_hbm *hbm = &npu->hbm;

	ttm_resource_manager_set_used(&hbm->manager, false);
	if (ttm_resource_manager_evict_all(&npu->ttm, &hbm->manager))
		return;

	ttm_resource_manager_cleanup(&hbm->manager);
	ttm_set_driver_manager(&npu->ttm, NPU_PL_HBM, NULL);
	gpu_buddy_fini(&hbm->mm);
}

/**
 * npu_hbm_init() - set up device memory
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_hbm_init(struct npu_device *npu)
{
	struct npu_hbm *hbm = &npu->hbm;
	int ret;

	ret = drmm_mutex_init(&npu->drm, &hbm->lock);
	if (ret)
		return ret;

	ret = npu_hbm_map(npu);
	if (ret)
		return ret;

	ret = gpu_buddy_init(&hbm->mm, npu->fw.region, PAGE_SIZE);
	if (ret)
		return ret;

	hbm->manager.func = &npu_hbm_func;
	ttm_resource_manager_init(&hbm->manager, &npu->ttm, npu->fw.region);
	ttm_set_driver_manager(&npu->ttm, NPU_PL_HBM, &hbm->manager);
	ttm_resource_manager_set_used(&hbm->manager, true);

	return drmm_add_action_or_reset(&npu->drm, npu_hbm_fini, npu);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_tt.h>

#include "npu_compat.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_limits.h"
#include "npu_pm.h"
#include "npu_prime.h"
#include "npu_resident.h"
#include "npu_ttm.h"
#include "npu_uapi.h"

/**
 * DOC: Sharing with other devices
 *
 * Another device that can reach the BAR gets HBM where it is. The others get pages of system
 * memory, and VMs use these as well for as long as it has them. If it can be told that a
 * buffer moves, the buffer stays free to move; otherwise it is pinned, and its creator is
 * charged for that.
 *
 * In the other direction we can always be told: the VMs that map the buffer then lose it, and
 * get it back from its new place when they next submit a job.
 */

/* A piece of HBM in a scatter list, whose lengths have 32 bits. */
#define NPU_PRIME_SEGMENT SZ_1G

static struct npu_bo *dma_buf_to_npu_bo(struct dma_buf *dmabuf)
{
	return to_npu_bo(dmabuf->priv);
}

static int npu_prime_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct npu_device *npu = to_npu_device(dma_buf_to_npu_bo(dmabuf)->ttm.base.dev);

	if (attach->peer2peer && pci_p2pdma_distance(npu->pdev, attach->dev, false) < 0)
		attach->peer2peer = false;

	return 0;
}

/**
 * npu_prime_place() - bring a buffer to where another device can use it
 * @bo: buffer, locked
 * @peer2peer: it can use HBM
 *
 * Return: 0 on success, -EBUSY if it is pinned elsewhere, a negative error code otherwise.
 */
static int npu_prime_place(struct npu_bo *bo, bool peer2peer)
{
	int ret;

	if (bo->ttm.pin_count) {
		bool reachable = peer2peer || bo->ttm.resource->mem_type == NPU_PL_SYSTEM;

		return reachable ? 0 : -EBUSY;
	}

	/* Unless another one, that cannot use HBM, has it already. */
	if (peer2peer && bo->placement == NPU_PL_HBM && !bo->system_maps) {
		ret = npu_gem_validate(bo, NPU_PL_HBM, NULL);
		if (ret != -ENOSPC)
			return ret;
	}

	return npu_gem_validate(bo, NPU_PL_SYSTEM, NULL);
}

/**
 * npu_prime_settle() - another device has no use for a buffer any more
 * @bo: buffer, locked
 */
static void npu_prime_settle(struct npu_bo *bo)
{
	if (!npu_gem_in_place(bo))
		npu_resident_displaced(bo);
}

/**
 * npu_prime_all_peers() - can all devices that a buffer is for use HBM?
 * @dmabuf: the buffer, locked
 *
 * As any that cannot would fail if it is pinned there, this takes a kernel where those that
 * can be told of moves do not pin.
 *
 * Return: true if so.
 */
static bool npu_prime_all_peers(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	if (!IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))
		return false;

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!attach->peer2peer)
			return false;
	}

	return true;
}

/**
 * npu_prime_pin() - a device that cannot be told of moves is about to use a buffer
 * @attach: attachment, its buffer locked
 *
 * Return: 0 on success, -ENOSPC if the buffer's creator may not have more pinned memory,
 * -EBUSY if it is pinned in HBM, -ENODEV after an unplug, a negative error code otherwise.
 */
static int npu_prime_pin(struct dma_buf_attachment *attach)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(attach->dmabuf);
	struct drm_gem_object *obj = &bo->ttm.base;
	int ret = 0, idx;

	/* After an unplug there are no pages to give, and what was in HBM cannot be read. */
	if (!drm_dev_enter(obj->dev, &idx))
		return -ENODEV;

	if (!bo->prime_pins)
		ret = npu_process_charge(bo->process, NPU_LIMIT_PINNED, obj->size);
	if (ret)
		goto out;

	ret = npu_prime_place(bo, npu_prime_all_peers(attach->dmabuf));
	if (!ret) {
		ttm_bo_pin(&bo->ttm);
		bo->prime_pins++;
	} else if (!bo->prime_pins) {
		npu_process_uncharge(bo->process, NPU_LIMIT_PINNED, obj->size);
	}
out:
	drm_dev_exit(idx);
	return ret;
}

static void npu_prime_unpin(struct dma_buf_attachment *attach)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(attach->dmabuf);

	ttm_bo_unpin(&bo->ttm);
	if (!--bo->prime_pins)
		npu_process_uncharge(bo->process, NPU_LIMIT_PINNED, bo->ttm.base.size);
	npu_prime_settle(bo);
}

/**
 * npu_prime_map_pages() - map a buffer in system memory for another device
 * @bo: buffer, locked
 * @attach: attachment of the device
 * @dir: direction of DMA
 *
 * Return: the scatter list, or an error pointer.
 */
static struct sg_table *npu_prime_map_pages(struct npu_bo *bo, struct dma_buf_attachment *attach,
					    enum dma_data_direction dir)
{
	struct ttm_tt *tt = bo->ttm.ttm;
	struct sg_table *sgt;
	int ret;

	sgt = drm_prime_pages_to_sg(bo->ttm.base.dev, tt->pages, tt->num_pages);
	if (IS_ERR(sgt))
		return sgt;

	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret) {
		sg_free_table(sgt);
		kfree(sgt);
		return ERR_PTR(ret);
	}

	bo->system_maps++;
	npu_ttm_share(&bo->ttm, true);
	return sgt;
}

static void npu_prime_unmap_pages(struct npu_bo *bo, struct dma_buf_attachment *attach,
				  struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);

	if (!--bo->system_maps) {
		npu_ttm_share(&bo->ttm, false);
		npu_prime_settle(bo);
	}
}

/**
 * npu_prime_segments() - number of segments of a buffer in HBM
 * @bo: buffer, locked
 * @max: most bytes of a segment
 *
 * Return: the number.
 */
static unsigned int npu_prime_segments(struct npu_bo *bo, u64 max)
{
	struct npu_extent extent;
	unsigned int count = 0;

	for (npu_gem_extents(bo, 0, bo->ttm.base.size, &extent); extent.remaining;
	     npu_extent_advance(&extent, min(extent.size, max)))
		count++;

	return count;
}

static void npu_prime_unmap_hbm(struct dma_buf_attachment *attach, struct sg_table *sgt,
				enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_len(sg))
			dma_unmap_resource(attach->dev, sg_dma_address(sg), sg_dma_len(sg), dir,
					   DMA_ATTR_SKIP_CPU_SYNC);
	}
}

/**
 * npu_prime_map_hbm() - map a buffer in HBM for another device
 * @bo: buffer, locked
 * @attach: attachment of the device, which can reach the BAR
 * @dir: direction of DMA
 *
 * Return: the scatter list, or an error pointer.
 */
static struct sg_table *npu_prime_map_hbm(struct npu_bo *bo, struct dma_buf_attachment *attach,
					  enum dma_data_direction dir)
{
	u64 max = min_t(u64, PAGE_ALIGN_DOWN((u64)dma_get_max_seg_size(attach->dev)),
			NPU_PRIME_SEGMENT);
	struct npu_device *npu = to_npu_device(bo->ttm.base.dev);
	struct npu_extent extent;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	int ret;

	if (!max)
		return ERR_PTR(-EOPNOTSUPP);

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(sgt, npu_prime_segments(bo, max), GFP_KERNEL);
	if (ret)
		goto err_free;

	npu_gem_extents(bo, 0, bo->ttm.base.size, &extent);
	for_each_sgtable_sg(sgt, sg, i) {
		u64 size = min(extent.size, max);
		dma_addr_t dma;

		dma = dma_map_resource(attach->dev, npu->hbm.phys + extent.addr, size, dir,
				       DMA_ATTR_SKIP_CPU_SYNC);
		ret = dma_mapping_error(attach->dev, dma);
		if (ret)
			goto err_unmap;

		/* There are no pages, by which it is told from a list of them. */
		sg_set_page(sg, NULL, size, 0);
		sg_dma_address(sg) = dma;
		sg_dma_len(sg) = size;
		npu_extent_advance(&extent, size);
	}

	return sgt;

err_unmap:
	npu_prime_unmap_hbm(attach, sgt, dir);
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static struct sg_table *npu_prime_map_dma_buf(struct dma_buf_attachment *attach,
					      enum dma_data_direction dir)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(attach->dmabuf);
	struct npu_device *npu = to_npu_device(bo->ttm.base.dev);
	struct sg_table *sgt;
	int ret, idx;

	ret = npu_pm_enter(npu, &idx);
	if (ret)
		return ERR_PTR(ret);

	ret = npu_prime_place(bo, attach->peer2peer);
	if (ret)
		sgt = ERR_PTR(ret);
	else if (bo->ttm.resource->mem_type == NPU_PL_HBM)
		sgt = npu_prime_map_hbm(bo, attach, dir);
	else
		sgt = npu_prime_map_pages(bo, attach, dir);
	if (!IS_ERR(sgt))
		bo->reachable = true;

	/* A peer wakes nobody: HBM has to answer until it is unmapped. */
	if (!IS_ERR(sgt) && !sg_page(sgt->sgl))
		drm_dev_exit(idx);
	else
		npu_pm_exit(npu, idx);
	return sgt;
}

static void npu_prime_unmap_dma_buf(struct dma_buf_attachment *attach, struct sg_table *sgt,
				    enum dma_data_direction dir)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(attach->dmabuf);

	if (sg_page(sgt->sgl)) {
		npu_prime_unmap_pages(bo, attach, sgt, dir);
	} else {
		npu_prime_unmap_hbm(attach, sgt, dir);
		npu_pm_put(to_npu_device(bo->ttm.base.dev));
	}

	sg_free_table(sgt);
	kfree(sgt);
}

/**
 * npu_prime_begin_cpu_access() - the CPU is about to use a buffer
 * @dmabuf: dma-buf
 * @dir: DMA_TO_DEVICE if it will only write
 *
 * All of it is coherent. But reading HBM through the BAR is slow.
 *
 * Return: 0 on success, a negative error code if the caller was interrupted.
 */
static int npu_prime_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(dmabuf);
	int ret, idx;

	if (dir == DMA_TO_DEVICE || !drm_dev_enter(bo->ttm.base.dev, &idx))
		return 0;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (!ret) {
		if (!bo->ttm.pin_count)
			ret = npu_gem_validate(bo, NPU_PL_SYSTEM, NULL);
		dma_resv_unlock(dmabuf->resv);
	}

	drm_dev_exit(idx);
	return ret == -EINTR || ret == -ERESTARTSYS ? ret : 0;
}

static void npu_prime_release(struct dma_buf *dmabuf)
{
	struct npu_bo *bo = dma_buf_to_npu_bo(dmabuf);

	dma_resv_lock(dmabuf->resv, NULL);
	bo->dmabuf = NULL;
	dma_resv_unlock(dmabuf->resv);

	drm_gem_dmabuf_release(dmabuf);
}

static const struct dma_buf_ops npu_dma_buf_ops = {
	.attach = npu_prime_attach,
	.pin = npu_prime_pin,
	.unpin = npu_prime_unpin,
	.map_dma_buf = npu_prime_map_dma_buf,
	.unmap_dma_buf = npu_prime_unmap_dma_buf,
	.begin_cpu_access = npu_prime_begin_cpu_access,
	.release = npu_prime_release,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

/**
 * npu_prime_export() - make a dma-buf of a buffer
 * @obj: GEM object
 * @flags: of its file
 *
 * Return: the dma-buf; -EINVAL if the buffer is private to a VM or its contents may be
 * dropped, or another error pointer.
 */
struct dma_buf *npu_prime_export(struct drm_gem_object *obj, int flags)
{
	struct npu_bo *bo = to_npu_bo(obj);
	struct dma_buf *dmabuf;
	bool unneeded;

	if (NPU_BAD_ARG(to_npu_device(obj->dev), npu_gem_is_private(bo)))
		return ERR_PTR(-EINVAL);

	dmabuf = drm_gem_prime_export(obj, flags);
	if (IS_ERR(dmabuf))
		return dmabuf;

	/* GEM forgets it with the last handle, when others may still use it. */
	dma_resv_lock(dmabuf->resv, NULL);
	unneeded = bo->unneeded;
	if (!unneeded) {
		dmabuf->ops = &npu_dma_buf_ops;
		bo->dmabuf = dmabuf;
	}
	dma_resv_unlock(dmabuf->resv);

	if (NPU_BAD_ARG(to_npu_device(obj->dev), unneeded)) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EINVAL);
	}

	return dmabuf;
}

/**
 * npu_prime_take_pages() - take over the addresses of an imported buffer
 * @tt: pages
 * @sgt: where they are for this device
 *
 * Return: 0 on success, -EINVAL if there are too few.
 */
static int npu_prime_take_pages(struct ttm_tt *tt, struct sg_table *sgt)
{
	struct sg_dma_page_iter iter;
	pgoff_t count = 0;

	for_each_sgtable_dma_page(sgt, &iter, 0) {
		if (count == tt->num_pages)
			break;
		tt->dma_address[count++] = sg_page_iter_dma_address(&iter);
	}

	return count == tt->num_pages ? 0 : -EINVAL;
}

/**
 * npu_prime_map() - find out where an imported buffer is
 * @bo: buffer, locked
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_prime_map(struct npu_bo *bo)
{
	struct dma_buf_attachment *attach = bo->ttm.base.import_attach;
	struct sg_table *sgt;
	long ret;

	if (bo->ttm.sg)
		return 0;

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	/* It may still be on its way there. */
	ret = dma_resv_wait_timeout(bo->ttm.base.resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	ret = ret < 0 ? ret : npu_prime_take_pages(bo->ttm.ttm, sgt);
	if (ret) {
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
		return ret;
	}

	bo->ttm.sg = sgt;
	return 0;
}

/**
 * npu_prime_unmap() - let go of the place where an imported buffer is
 * @bo: buffer, locked, which the device does not use
 */
void npu_prime_unmap(struct npu_bo *bo)
{
	struct sg_table *sgt = bo->ttm.sg;

	bo->ttm.sg = NULL;
	if (sgt)
		dma_buf_unmap_attachment(bo->ttm.base.import_attach, sgt, DMA_BIDIRECTIONAL);
}

/**
 * npu_prime_zap() - take an imported buffer away from all VMs
 * @bo: buffer, locked and idle
 *
 * Its exporter wakes nobody, and may move it while the system sleeps.
 */
static void npu_prime_zap(struct npu_bo *bo)
{
	struct npu_device *npu = to_npu_device(bo->ttm.base.dev);
	int idx;

	if (!drm_dev_enter(&npu->drm, &idx))
		return;

	while (!npu_pm_tryget(npu)) {
		if (npu_resident_zap_offline(bo))
			goto out_exit;
		npu_pm_settle(npu);
	}

	npu_resident_zap(bo, true);
	npu_pm_put(npu);

out_exit:
	drm_dev_exit(idx);
}

/**
 * npu_prime_invalidate() - an imported buffer is going to be somewhere else
 * @attach: attachment, its buffer locked
 *
 * Jobs that the system's sleep has suspended are waited for as well: they hold the buffer.
 */
static void npu_prime_invalidate(struct dma_buf_attachment *attach)
{
	struct npu_bo *bo = to_npu_bo(attach->importer_priv);

	if (!bo->ttm.sg)
		return;

	dma_resv_wait_timeout(bo->ttm.base.resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
	npu_prime_zap(bo);
	npu_prime_unmap(bo);
}

static const struct dma_buf_attach_ops npu_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = npu_prime_invalidate,
};

static struct drm_gem_object *npu_prime_import_other(struct npu_device *npu,
						     struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct drm_gem_object *obj;
	struct npu_bo *bo;

	bo = npu_gem_create_imported(npu, dmabuf);
	if (IS_ERR(bo))
		return ERR_CAST(bo);

	/* From now on we may be told that it moves. */
	obj = &bo->ttm.base;
	attach = dma_buf_dynamic_attach(dmabuf, npu->drm.dev, &npu_attach_ops, obj);
	if (IS_ERR(attach)) {
		drm_gem_object_put(obj);
		return ERR_CAST(attach);
	}

	get_dma_buf(dmabuf);
	obj->import_attach = attach;
	return obj;
}

/**
 * npu_prime_import() - make a buffer of a dma-buf
 * @drm: DRM device
 * @dmabuf: dma-buf
 *
 * Return: the GEM object, the same if it is a buffer of this device; or an error pointer.
 */
struct drm_gem_object *npu_prime_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj;
	int idx;

	if (dmabuf->ops == &npu_dma_buf_ops) {
		obj = dmabuf->priv;
		if (obj->dev == drm) {
			drm_gem_object_get(obj);
			return obj;
		}
	}

	/* What is attached later than npu_gem_unplug() would be let go of by nobody in time. */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);

	obj = npu_prime_import_other(to_npu_device(drm), dmabuf);
	drm_dev_exit(idx);

	return obj;
}

/**
 * npu_prime_unplug() - let go of another device's memory, or take our own away
 * @bo: buffer, locked; the device is quiet
 *
 * Pages that others have stay with them. HBM does not.
 */
void npu_prime_unplug(struct npu_bo *bo)
{
	if (bo->ttm.base.import_attach)
		npu_prime_unmap(bo);
	else if (bo->dmabuf && bo->ttm.resource->mem_type == NPU_PL_HBM)
		dma_buf_invalidate_mappings(bo->dmabuf);
}

/**
 * npu_prime_detach() - let go of another device's buffer for good
 * @bo: imported buffer, not locked, after npu_prime_unplug()
 *
 * Until then an exporter that does not move its buffers keeps them mapped for the device.
 */
void npu_prime_detach(struct npu_bo *bo)
{
	struct drm_gem_object *obj = &bo->ttm.base;
	struct dma_buf_attachment *attach;

	/* Who exports it again looks at the attachment under this lock. */
	mutex_lock(&obj->dev->object_name_lock);
	attach = obj->import_attach;
	obj->import_attach = NULL;
	mutex_unlock(&obj->dev->object_name_lock);

	dma_buf_detach(bo->imported, attach);
	dma_buf_put(bo->imported);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-resv.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "npu_device.h"
#include "npu_gem.h"
#include "npu_madvise.h"
#include "npu_uapi.h"

static_assert(DRM_NPU_BO_EVICT_FIRST + NPU_GEM_EVICT_NORMAL == DRM_NPU_BO_EVICT_NORMAL);
static_assert(DRM_NPU_BO_EVICT_FIRST + NPU_GEM_EVICT_LAST == DRM_NPU_BO_EVICT_LAST);

/**
 * npu_madvise_is_shared() - may others need the contents of a buffer?
 * @bo: buffer, locked
 *
 * Return: true if so.
 */
static bool npu_madvise_is_shared(struct npu_bo *bo)
{
	return bo->dmabuf || bo->ttm.base.import_attach || READ_ONCE(bo->ttm.base.handle_count) > 1;
}

/**
 * npu_madvise_apply() - take advice
 * @bo: buffer, locked
 * @advice: enum drm_npu_bo_advice
 *
 * A buffer that is not needed is the first to go, and its contents are dropped then.
 *
 * Return: 0 on success, -EBUSY if others may need it.
 */
static int npu_madvise_apply(struct npu_bo *bo, u32 advice)
{
	if (advice == DRM_NPU_BO_DONTNEED && npu_madvise_is_shared(bo))
		return -EBUSY;

	switch (advice) {
	case DRM_NPU_BO_WILLNEED:
		WRITE_ONCE(bo->unneeded, false);
		bo->dropped = false;
		break;
	case DRM_NPU_BO_DONTNEED:
		WRITE_ONCE(bo->unneeded, true);
		break;
	default:
		bo->evict = advice - DRM_NPU_BO_EVICT_FIRST;
		break;
	}

	npu_gem_set_priority(bo, bo->unneeded ? NPU_GEM_EVICT_FIRST : bo->evict);
	return 0;
}

/**
 * npu_madvise_ioctl() - DRM_IOCTL_NPU_BO_MADVISE
 * @drm: DRM device
 * @data: arguments
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_madvise_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_bo_madvise *args = data;
	struct drm_gem_object *obj;
	struct npu_bo *bo;
	int ret;

	if (NPU_BAD_ARG(npu, args->pad) ||
	    NPU_BAD_ARG(npu, args->advice > DRM_NPU_BO_EVICT_LAST))
		return -EINVAL;

	obj = drm_gem_object_lookup(file, args->handle);
	if (NPU_BAD_ARG(npu, !obj))
		return -ENOENT;

	bo = to_npu_bo(obj);
	ret = dma_resv_lock_interruptible(obj->resv, NULL);
	if (!ret) {
		args->retained = !bo->dropped;
		ret = npu_madvise_apply(bo, args->advice);
		dma_resv_unlock(obj->resv);
	}

	drm_gem_object_put(obj);
	return ret;
}

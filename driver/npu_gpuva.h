/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_GPUVA_H__
#define __NPU_GPUVA_H__

#include <drm/drm_gpuvm.h>

#include "npu_gem.h"

/*
 * What protects the list of a buffer's mappings in VMs: a mutex inside of its reservation lock,
 * since a mapping is undone without the latter. Newer GEM objects have one, see
 * DRM_GPUVM_IMMEDIATE_MODE; to older ones, which have the list only for drivers that ask for it,
 * the driver brings it.
 */
#ifdef NPU_HAS_GPUVM_IMMEDIATE

#define NPU_DRIVER_GEM_GPUVA 0
#define NPU_GPUVM_FLAGS (DRM_GPUVM_RESV_PROTECTED | DRM_GPUVM_IMMEDIATE_MODE)

static inline void npu_gpuva_init(struct npu_bo *bo)
{
}

static inline void npu_gpuva_fini(struct npu_bo *bo)
{
}

static inline struct mutex *npu_gpuva_lock(struct npu_bo *bo)
{
	return &bo->ttm.base.gpuva.lock;
}

static inline struct drm_gpuvm_bo *npu_gpuva_obtain(struct drm_gpuvm_bo *vm_bo)
{
	return drm_gpuvm_bo_obtain_prealloc(vm_bo);
}

#else

#define NPU_DRIVER_GEM_GPUVA DRIVER_GEM_GPUVA
#define NPU_GPUVM_FLAGS DRM_GPUVM_RESV_PROTECTED

/**
 * npu_gpuva_init() - set up the lock of a buffer's mappings
 * @bo: buffer
 */
static inline void npu_gpuva_init(struct npu_bo *bo)
{
	mutex_init(&bo->gpuva_lock);
	drm_gem_gpuva_set_lock(&bo->ttm.base, &bo->gpuva_lock);
}

/**
 * npu_gpuva_fini() - destroy the lock of a buffer's mappings
 * @bo: buffer
 */
static inline void npu_gpuva_fini(struct npu_bo *bo)
{
	mutex_destroy(&bo->gpuva_lock);
}

/**
 * npu_gpuva_lock() - what protects the list of a buffer's mappings
 * @bo: buffer
 *
 * Return: the lock.
 */
static inline struct mutex *npu_gpuva_lock(struct npu_bo *bo)
{
	return &bo->gpuva_lock;
}

/**
 * npu_gpuva_obtain() - connect a VM and a buffer, once
 * @vm_bo: a new connection, which is taken over
 *
 * Return: the one that there has been, or @vm_bo.
 */
static inline struct drm_gpuvm_bo *npu_gpuva_obtain(struct drm_gpuvm_bo *vm_bo)
{
	struct npu_bo *bo = to_npu_bo(vm_bo->obj);

	mutex_lock(npu_gpuva_lock(bo));
	vm_bo = drm_gpuvm_bo_obtain_prealloc(vm_bo);
	mutex_unlock(npu_gpuva_lock(bo));

	return vm_bo;
}

#endif

#endif /* __NPU_GPUVA_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_PRIME_H__
#define __NPU_PRIME_H__

struct dma_buf;
struct drm_device;
struct drm_gem_object;
struct npu_bo;
struct npu_device;

struct dma_buf *npu_prime_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *npu_prime_import(struct drm_device *drm, struct dma_buf *dmabuf);
int npu_prime_map(struct npu_bo *bo);
void npu_prime_unmap(struct npu_bo *bo);
void npu_prime_unplug(struct npu_bo *bo);
void npu_prime_detach(struct npu_bo *bo);

#endif /* __NPU_PRIME_H__ */

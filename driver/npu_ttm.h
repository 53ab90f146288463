/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_TTM_H__
#define __NPU_TTM_H__

#include <drm/ttm/ttm_bo.h>

struct npu_device;

/**
 * npu_ttm_context() - how to wait and to make room for a buffer
 * @resv: lock of buffers that may be moved as well, held, or NULL
 *
 * Return: that as TTM takes it.
 */
static inline struct ttm_operation_ctx npu_ttm_context(struct dma_resv *resv)
{
	return (struct ttm_operation_ctx) {
		.interruptible = true,
		.gfp_retry_mayfail = true,
		.resv = resv,
		.allow_res_evict = resv,
	};
}

int npu_ttm_init(struct npu_device *npu);
int npu_ttm_drain_first(struct npu_device *npu);
u64 npu_ttm_system_used(struct npu_device *npu);
void npu_ttm_share(struct ttm_buffer_object *tbo, bool shared);

#endif /* __NPU_TTM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_UAPI_H__
#define __NPU_UAPI_H__

#include <linux/types.h>

#include <drm/drm_print.h>

#include <drm/npu_accel.h>

/*
 * True if a check of an argument has failed; the log then names it. The
 * condition names the field.
 */
#define NPU_BAD_ARG(npu, cond) \
	(unlikely(cond) && (drm_dbg(&(npu)->drm, "bad argument: %s\n", #cond), true))

void *npu_uapi_get_array(const struct drm_npu_array *array, u32 max_count, size_t min_stride,
			 size_t size, void *few, u32 few_count);
void *npu_uapi_alloc_array(void *few, u32 few_count, u32 count, size_t size);
int npu_uapi_put_struct(u64 pointer, u32 *size, const void *src, size_t src_size);

#endif /* __NPU_UAPI_H__ */

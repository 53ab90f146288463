/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_QUERY_H__
#define __NPU_QUERY_H__

struct drm_device;
struct drm_file;

u32 npu_query_max_priority(void);
int npu_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* __NPU_QUERY_H__ */

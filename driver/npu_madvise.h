/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_MADVISE_H__
#define __NPU_MADVISE_H__

struct drm_device;
struct drm_file;

int npu_madvise_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* __NPU_MADVISE_H__ */

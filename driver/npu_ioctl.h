/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_IOCTL_H__
#define __NPU_IOCTL_H__

#include <drm/drm_ioctl.h>

#include <drm/npu_accel.h>

extern const struct drm_ioctl_desc npu_ioctls[DRM_NPU_PERF_OPEN + 1];

#endif /* __NPU_IOCTL_H__ */

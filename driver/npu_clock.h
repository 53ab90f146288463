/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_CLOCK_H__
#define __NPU_CLOCK_H__

#include <linux/types.h>

struct drm_npu_dev_timestamp;
struct npu_device;

void npu_clock_read(struct npu_device *npu, struct drm_npu_dev_timestamp *now);
u64 npu_clock_to_cpu(struct npu_device *npu, const struct drm_npu_dev_timestamp *now, u64 past);

#endif /* __NPU_CLOCK_H__ */

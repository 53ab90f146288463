/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_PERF_H__
#define __NPU_PERF_H__

#include <linux/list.h>
#include <linux/mutex.h>

struct drm_device;
struct drm_file;
struct drm_npu_dev_perf;
struct npu_device;

/**
 * struct npu_perf - performance streams of a device
 */
struct npu_perf {
	/** @lock: protects @streams */
	struct mutex lock;
	/** @streams: those that are open */
	struct list_head streams;
};

int npu_perf_init(struct npu_device *npu);
void npu_perf_unplug(struct npu_device *npu);
void npu_perf_query(struct drm_npu_dev_perf *reply);
int npu_perf_open_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* __NPU_PERF_H__ */

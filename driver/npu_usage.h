/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_USAGE_H__
#define __NPU_USAGE_H__

#include <linux/atomic.h>
#include <linux/kref.h>

struct drm_printer;
struct npu_cqe;
struct npu_device;

/**
 * struct npu_usage - engine time of a file
 *
 * Shared by a file and its queues, so that the sum never misses one that is being destroyed.
 */
struct npu_usage {
	/** @refcount: references */
	struct kref refcount;
	/** @aicore_us: AI core time, summed over cores */
	atomic64_t aicore_us;
	/** @sdma_us: SDMA time */
	atomic64_t sdma_us;
};

struct npu_usage *npu_usage_create(void);
void npu_usage_get(struct npu_usage *usage);
void npu_usage_put(struct npu_usage *usage);
void npu_usage_add(struct npu_usage *usage, const struct npu_cqe *cqe);
void npu_usage_print(struct drm_printer *p, struct npu_usage *usage,
		     const struct npu_device *npu);

#endif /* __NPU_USAGE_H__ */

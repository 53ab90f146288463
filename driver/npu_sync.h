/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_SYNC_H__
#define __NPU_SYNC_H__

#include <linux/types.h>

#include <drm/npu_accel.h>

struct dma_fence;
struct dma_fence_chain;
struct drm_file;
struct drm_syncobj;
struct npu_device;

/* The common call has so few syncs, and needs no arrays allocated. */
#define NPU_SYNC_FEW 4

/**
 * struct npu_sync_signal - a syncobj to signal
 */
struct npu_sync_signal {
	/** @syncobj: syncobj */
	struct drm_syncobj *syncobj;
	/** @chain: link of a timeline; NULL for a binary syncobj */
	struct dma_fence_chain *chain;
	/** @point: point of the timeline */
	u64 point;
};

/**
 * struct npu_syncs - the waits and signals of a call
 *
 * All that can fail is done by npu_syncs_init() and npu_syncs_find().
 */
struct npu_syncs {
	/** @npu: device */
	struct npu_device *npu;
	/** @file: file */
	struct drm_file *file;
	/** @array: waits and signals as user space wrote them */
	struct drm_npu_sync *array;
	/** @count: number of them */
	u32 count;
	/** @signals: signals, looked up */
	struct npu_sync_signal *signals;
	/** @num_signals: number of them */
	u32 num_signals;
	/** @waits: fences that have not signalled yet, references */
	struct dma_fence **waits;
	/** @num_waits: number of them */
	u32 num_waits;

	/** @few: memory of the arrays above where they are small */
	struct {
		/** @few.array: for @array */
		struct drm_npu_sync array[NPU_SYNC_FEW];
		/** @few.signals: for @signals */
		struct npu_sync_signal signals[NPU_SYNC_FEW];
		/** @few.waits: for @waits */
		struct dma_fence *waits[NPU_SYNC_FEW];
	} few;
};

int npu_syncs_init(struct npu_syncs *syncs, struct npu_device *npu, struct drm_file *file,
		   const struct drm_npu_array *array);
int npu_syncs_find(struct npu_syncs *syncs, u64 context);
void npu_syncs_signal(struct npu_syncs *syncs, struct dma_fence *fence);
void npu_syncs_fini(struct npu_syncs *syncs);

#endif /* __NPU_SYNC_H__ */

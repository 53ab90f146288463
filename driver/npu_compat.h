/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_COMPAT_H__
#define __NPU_COMPAT_H__

/*
 * The driver is written to the newest kernel. Here, in npu_buddy.h and in npu_gpuva.h is what an
 * older one lacks or has otherwise. Kbuild looks for the features; no version is compared.
 */

#include <linux/dma-buf.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_tt.h>

/* A name space was a word, and became a string. */
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns) MODULE_INFO(import_ns, ns)

/* A work queue's workers stayed on its CPU where nothing was said. */
#ifndef NPU_HAS_WQ_PERCPU
#define WQ_PERCPU 0
#endif

#ifndef NPU_HAS_SYSTEM_DFL_WQ
#define system_dfl_wq system_unbound_wq
#endif

#ifndef NPU_HAS_HRTIMER_SETUP
static inline void npu_compat_hrtimer_setup(struct hrtimer *timer,
					    enum hrtimer_restart (*function)(struct hrtimer *),
					    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#define hrtimer_setup npu_compat_hrtimer_setup
#endif

/* Who imports a buffer was told that it moves, and is told that its mappings are void. */
#ifndef NPU_HAS_DMA_BUF_INVALIDATE
#define dma_buf_invalidate_mappings dma_buf_move_notify
#define invalidate_mappings move_notify
#endif

/* Active memory was always told in fdinfo, and became a choice. */
#ifndef NPU_HAS_GEM_OBJECT_ACTIVE
#define DRM_GEM_OBJECT_ACTIVE 0
#endif

#ifndef NPU_HAS_TTM_BO_FINI
static inline void ttm_bo_fini(struct ttm_buffer_object *bo)
{
	ttm_bo_put(bo);
}
#endif

#ifndef NPU_HAS_TTM_BO_POPULATE
static inline int ttm_bo_populate(struct ttm_buffer_object *bo, struct ttm_operation_ctx *ctx)
{
	return ttm_tt_populate(bo->bdev, bo->ttm, ctx);
}
#endif

/* Without flags: no coherent memory, none below 4 GiB. */
#ifndef NPU_HAS_TTM_ALLOC_FLAGS
static inline int npu_compat_ttm_device_init(struct ttm_device *bdev,
					     const struct ttm_device_funcs *funcs,
					     struct device *dev, struct address_space *mapping,
					     struct drm_vma_offset_manager *vma_manager,
					     unsigned int alloc_flags)
{
	return ttm_device_init(bdev, funcs, dev, mapping, vma_manager, false, false);
}

#define ttm_device_init npu_compat_ttm_device_init
#endif

#ifndef NPU_HAS_SCHED_INIT_ARGS
/**
 * struct drm_sched_init_args - what drm_sched_init() takes one by one, as far as it is used
 */
struct drm_sched_init_args {
	/** @ops: what the driver does with a job */
	const struct drm_sched_backend_ops *ops;
	/** @submit_wq: where jobs are pushed */
	struct workqueue_struct *submit_wq;
	/** @num_rqs: priorities */
	u32 num_rqs;
	/** @credit_limit: credits of jobs that run */
	u32 credit_limit;
	/** @timeout: of a job, jiffies */
	long timeout;
	/** @name: for people */
	const char *name;
	/** @dev: device */
	struct device *dev;
};

static inline int npu_compat_sched_init(struct drm_gpu_scheduler *sched,
					const struct drm_sched_init_args *args)
{
	return drm_sched_init(sched, args->ops, args->submit_wq, args->num_rqs, args->credit_limit,
			      0, args->timeout, NULL, NULL, args->name, args->dev);
}

#define drm_sched_init npu_compat_sched_init
#endif

/* The id is only traced. */
#ifndef NPU_HAS_SCHED_CLIENT_ID
static inline int npu_compat_sched_job_init(struct drm_sched_job *job,
					    struct drm_sched_entity *entity, u32 credits,
					    void *owner, u64 client_id)
{
	return drm_sched_job_init(job, entity, credits, owner);
}

#define drm_sched_job_init npu_compat_sched_job_init
#endif

#ifndef NPU_HAS_GPUVM_MAP_REQ
/**
 * struct drm_gpuvm_map_req - what drm_gpuvm_sm_map() takes one by one
 */
struct drm_gpuvm_map_req {
	/** @map: mapping */
	struct drm_gpuva_op_map map;
};

static inline int npu_compat_gpuvm_sm_map(struct drm_gpuvm *gpuvm, void *priv,
					  const struct drm_gpuvm_map_req *req)
{
	return drm_gpuvm_sm_map(gpuvm, priv, req->map.va.addr, req->map.va.range,
				req->map.gem.obj, req->map.gem.offset);
}

#define drm_gpuvm_sm_map npu_compat_gpuvm_sm_map
#endif

#endif /* __NPU_COMPAT_H__ */

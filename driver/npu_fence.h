/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FENCE_H__
#define __NPU_FENCE_H__

#include <linux/dma-fence.h>
#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

/**
 * struct npu_fence_context - what the fences of a queue share
 *
 * It outlives the queue as long as there is a fence.
 */
struct npu_fence_context {
	/** @refcount: references */
	struct kref refcount;
	/** @rcu: for freeing */
	struct rcu_head rcu;
	/** @context: fence context */
	u64 context;
	/** @exported: users may hold fences, which keep the module */
	bool exported;
	/** @seqno: of the last fence */
	u64 seqno;
	/** @name: timeline name */
	char name[32];
};

/**
 * struct npu_fence - fence of a job
 *
 * It is the scheduler's hardware fence and also what syncobjs get: unlike the
 * scheduler's own fences it does not point into the queue.
 */
struct npu_fence {
	/** @base: fence */
	struct dma_fence base;
	/** @lock: lock of @base */
	spinlock_t lock;
	/** @ctx: context */
	struct npu_fence_context *ctx;
};

struct npu_fence_context *npu_fence_context_create(const char *what, u32 id, bool exported);
void npu_fence_context_put(struct npu_fence_context *ctx);

struct npu_fence *npu_fence_alloc(void);
void npu_fence_init(struct npu_fence *fence, struct npu_fence_context *ctx);
void npu_fence_free(struct npu_fence *fence);
void npu_fence_signal(struct npu_fence *fence, int error);

int npu_fence_module_init(void);
void npu_fence_module_exit(void);

#endif /* __NPU_FENCE_H__ */

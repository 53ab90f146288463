// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/slab.h>

#include "npu_fence.h"
#include "npu_trace.h"

static struct kmem_cache *npu_fence_cache;

static const char *npu_fence_get_driver_name(struct dma_fence *base)
{
	return "npu";
}

static const char *npu_fence_get_timeline_name(struct dma_fence *base)
{
	return container_of(base, struct npu_fence, base)->ctx->name;
}

/**
 * npu_fence_context_free_rcu() - free a context after all readers of its name
 * @rcu: &npu_fence_context.rcu
 *
 * The module cannot go before this has returned: its exit waits for callbacks.
 */
static void npu_fence_context_free_rcu(struct rcu_head *rcu)
{
	struct npu_fence_context *ctx = container_of(rcu, struct npu_fence_context, rcu);
	bool exported = ctx->exported;

	kfree(ctx);
	if (exported)
		module_put(THIS_MODULE);
}

static void npu_fence_context_release(struct kref *refcount)
{
	struct npu_fence_context *ctx = container_of(refcount, struct npu_fence_context, refcount);

	call_rcu(&ctx->rcu, npu_fence_context_free_rcu);
}

/**
 * npu_fence_context_create() - create a fence context
 * @what: what it is of, for its name
 * @id: which one, for its name
 * @exported: fences leave the driver; the module stays as long as there is one
 *
 * Return: the context with one reference, or NULL.
 */
struct npu_fence_context *npu_fence_context_create(const char *what, u32 id, bool exported)
{
	struct npu_fence_context *ctx;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return NULL;

	if (exported)
		__module_get(THIS_MODULE);
	ctx->exported = exported;
	kref_init(&ctx->refcount);
	ctx->context = dma_fence_context_alloc(1);
	snprintf(ctx->name, sizeof(ctx->name), "npu-%s-%u", what, id);
	return ctx;
}

/**
 * npu_fence_context_put() - drop a reference
 * @ctx: context, or NULL
 */
void npu_fence_context_put(struct npu_fence_context *ctx)
{
	if (ctx)
		kref_put(&ctx->refcount, npu_fence_context_release);
}

static void npu_fence_free_rcu(struct rcu_head *rcu)
{
	struct npu_fence *fence = container_of(rcu, struct npu_fence, base.rcu);

	npu_fence_context_put(fence->ctx);
	kmem_cache_free(npu_fence_cache, fence);
}

static void npu_fence_release(struct dma_fence *base)
{
	call_rcu(&base->rcu, npu_fence_free_rcu);
}

static const struct dma_fence_ops npu_fence_ops = {
	.get_driver_name = npu_fence_get_driver_name,
	.get_timeline_name = npu_fence_get_timeline_name,
	.release = npu_fence_release,
};

/**
 * npu_fence_alloc() - allocate a fence
 *
 * Return: a fence that still needs npu_fence_init() or npu_fence_free(), or NULL.
 */
struct npu_fence *npu_fence_alloc(void)
{
	return kmem_cache_alloc(npu_fence_cache, GFP_KERNEL);
}

/**
 * npu_fence_init() - make a fence the next one of its context
 * @fence: fence
 * @ctx: context
 *
 * Calls for one context are serialised by the caller, in the order of its jobs.
 */
void npu_fence_init(struct npu_fence *fence, struct npu_fence_context *ctx)
{
	kref_get(&ctx->refcount);
	fence->ctx = ctx;
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &npu_fence_ops, &fence->lock, ctx->context, ++ctx->seqno);
}

/**
 * npu_fence_free() - free a fence that has not been initialised
 * @fence: fence, or NULL
 */
void npu_fence_free(struct npu_fence *fence)
{
	if (fence)
		kmem_cache_free(npu_fence_cache, fence);
}

/**
 * npu_fence_signal() - signal a fence, if nobody has
 * @fence: fence
 * @error: 0, or the negative error code that it shall carry
 */
void npu_fence_signal(struct npu_fence *fence, int error)
{
	unsigned long flags;

	spin_lock_irqsave(&fence->lock, flags);
	if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->base.flags)) {
		if (error)
			dma_fence_set_error(&fence->base, error);
		trace_npu_job_done(fence, error);
		dma_fence_signal_locked(&fence->base);
	}
	spin_unlock_irqrestore(&fence->lock, flags);
}

/**
 * npu_fence_module_init() - called when the module is loaded
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
int npu_fence_module_init(void)
{
	npu_fence_cache = KMEM_CACHE(npu_fence, SLAB_HWCACHE_ALIGN);
	return npu_fence_cache ? 0 : -ENOMEM;
}

/**
 * npu_fence_module_exit() - called when the module is unloaded
 */
void npu_fence_module_exit(void)
{
	/* Callbacks of fences, and those of contexts that these let go. */
	rcu_barrier();
	rcu_barrier();
	kmem_cache_destroy(npu_fence_cache);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "npu_compat.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_queue.h"
#include "npu_trace.h"

static struct kmem_cache *npu_job_cache;

static struct npu_job *to_npu_job(struct drm_sched_job *base)
{
	return container_of(base, struct npu_job, base);
}

static void npu_job_free(struct npu_job *job)
{
	while (job->num_waits)
		dma_fence_put(job->waits[--job->num_waits]);
	kfree(job->waits);
	npu_queue_put(job->queue);
	dma_fence_put(job->before);
	if (job->entries != &job->single)
		kvfree(job->entries);
	kmem_cache_free(npu_job_cache, job);
}

/**
 * npu_job_create() - create a job
 * @queue: queue
 * @count: entries, which the caller fills; at most the ring's
 *
 * Return: the job, or an error pointer.
 */
struct npu_job *npu_job_create(struct npu_queue *queue, u32 count)
{
	struct npu_job *job;

	job = kmem_cache_zalloc(npu_job_cache, GFP_KERNEL);
	if (!job)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&job->held);
	job->queue = npu_queue_get(queue);
	job->count = count;
	job->entries = &job->single;
	if (count > 1)
		job->entries = kvmalloc_array(count, sizeof(*job->entries), GFP_KERNEL);
	job->fence = npu_fence_alloc();
	if (!job->entries || !job->fence) {
		npu_job_discard(job);
		return ERR_PTR(-ENOMEM);
	}

	return job;
}

/**
 * npu_job_schedule() - prepare a job for the scheduler
 * @job: job
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_job_schedule(struct npu_job *job)
{
	int ret;

	ret = drm_sched_job_init(&job->base, &job->queue->entity, job->count, NULL, 0);
	job->scheduled = !ret;
	return ret;
}

/**
 * npu_job_wait_for() - have a job wait for fences
 * @job: job, prepared by npu_job_schedule()
 * @fences: references, which are taken over as @count goes down
 * @count: number of them
 *
 * They are remembered for npu_activity_get(): what the scheduler keeps is its own.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_job_wait_for(struct npu_job *job, struct dma_fence **fences, u32 *count)
{
	int ret;

	if (!*count)
		return 0;

	job->waits = kmalloc_array(*count, sizeof(*job->waits), GFP_KERNEL);
	if (!job->waits)
		return -ENOMEM;

	while (*count) {
		struct dma_fence *fence = fences[--*count];

		job->waits[job->num_waits++] = dma_fence_get(fence);
		/* Takes over the reference, whatever it returns. */
		ret = drm_sched_job_add_dependency(&job->base, fence);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * npu_job_discard() - free a job that has been given to nobody
 * @job: job
 */
void npu_job_discard(struct npu_job *job)
{
	if (job->scheduled)
		drm_sched_job_cleanup(&job->base);
	npu_fence_free(job->fence);
	npu_job_free(job);
}

/**
 * npu_job_arm() - the job will be run
 * @job: job
 */
static void npu_job_arm(struct npu_job *job)
{
	struct npu_queue *queue = job->queue;

	lockdep_assert_held(&queue->submit_lock);

	npu_fence_init(job->fence, queue->fences);
	atomic64_add(job->count, &queue->submitted);
	trace_npu_job_queue(job);
}

/**
 * npu_job_start() - put a job on its queue's ring
 * @job: job, armed
 *
 * If the queue has been stopped and is empty the job's fence is signalled with an error, that of
 * the part before it if this is why.
 */
static void npu_job_start(struct npu_job *job)
{
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	ret = npu_queue_push(job->queue, job);
	if (ret) {
		if (job->before && dma_fence_get_status(job->before) < 0)
			ret = dma_fence_get_status(job->before);
		atomic64_add(job->count, &job->queue->completed);
		npu_fence_signal(job->fence, ret);
	}
	dma_fence_end_signalling(cookie);
}

/**
 * npu_job_hold() - the scheduler gets a job
 * @job: job
 */
static void npu_job_hold(struct npu_job *job)
{
	struct npu_queue *queue = job->queue;

	spin_lock_irq(&queue->lock);
	list_add_tail(&job->held, &queue->held);
	spin_unlock_irq(&queue->lock);
}

/**
 * npu_job_unhold() - the scheduler need not keep a job back any more
 * @job: job
 */
static void npu_job_unhold(struct npu_job *job)
{
	struct npu_queue *queue = job->queue;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	list_del_init(&job->held);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * npu_job_push() - give a job to the scheduler
 * @job: job, prepared by npu_job_schedule()
 * @out: set to its fence, a reference
 *
 * Called under &npu_queue.submit_lock.
 */
void npu_job_push(struct npu_job *job, struct dma_fence **out)
{
	drm_sched_job_arm(&job->base);
	npu_job_arm(job);
	*out = dma_fence_get(&job->fence->base);
	if (atomic_inc_return(&job->queue->scheduled) == 1 &&
	    READ_ONCE(job->queue->head) == READ_ONCE(job->queue->tail))
		WRITE_ONCE(job->queue->moved, jiffies);
	npu_job_hold(job);
	drm_sched_entity_push_job(&job->base);
}

/**
 * npu_job_run_now() - put a job on the ring without the help of the scheduler
 * @job: job, for which npu_queue_has_room(); it is freed
 * @out: set to its fence, a reference, which tells if the queue has been stopped
 *
 * Called under &npu_queue.submit_lock.
 */
void npu_job_run_now(struct npu_job *job, struct dma_fence **out)
{
	npu_job_arm(job);
	npu_job_start(job);
	*out = &job->fence->base;
	npu_job_free(job);
}

/**
 * npu_job_run() - the scheduler finds that a job need not wait any more
 * @base: scheduler job
 *
 * Return: the hardware fence, signalled already if the queue has been stopped.
 */
static struct dma_fence *npu_job_run(struct drm_sched_job *base)
{
	struct npu_job *job = to_npu_job(base);

	npu_job_unhold(job);
	npu_job_start(job);
	/* From here on others may pass the scheduler by: the job is on the ring. */
	atomic_dec_return_release(&job->queue->scheduled);

	return dma_fence_get(&job->fence->base);
}

/**
 * npu_job_done() - the scheduler needs the job no more
 * @base: scheduler job
 */
static void npu_job_done(struct drm_sched_job *base)
{
	struct npu_job *job = to_npu_job(base);

	npu_job_unhold(job);
	/* Not signalled yet only if the queue was destroyed before the job ran. */
	npu_fence_signal(job->fence, -ECANCELED);
	dma_fence_put(&job->fence->base);

	drm_sched_job_cleanup(base);
	npu_job_free(job);
}

const struct drm_sched_backend_ops npu_job_sched_ops = {
	.run_job = npu_job_run,
	.free_job = npu_job_done,
};

/**
 * npu_job_module_init() - called when the module is loaded
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
int npu_job_module_init(void)
{
	npu_job_cache = KMEM_CACHE(npu_job, 0);
	return npu_job_cache ? 0 : -ENOMEM;
}

/**
 * npu_job_module_exit() - called when the module is unloaded
 */
void npu_job_module_exit(void)
{
	kmem_cache_destroy(npu_job_cache);
}

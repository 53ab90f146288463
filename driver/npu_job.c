// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_queue.h"

static struct kmem_cache *npu_job_cache;

static struct npu_job *to_npu_job(struct drm_sched_job *base)
{
	return container_of(base, struct npu_job, base);
}

static void npu_job_free(struct npu_job *job)
{
	npu_queue_put(job->queue);
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
	int ret = -ENOMEM;

	job = kmem_cache_zalloc(npu_job_cache, GFP_KERNEL);
	if (!job)
		return ERR_PTR(-ENOMEM);

	job->queue = npu_queue_get(queue);
	job->count = count;
	job->entries = &job->single;
	if (count > 1)
		job->entries = kvmalloc_array(count, sizeof(*job->entries), GFP_KERNEL);
	job->fence = npu_fence_alloc();
	if (job->entries && job->fence)
		ret = drm_sched_job_init(&job->base, &queue->entity, count, NULL);
	if (ret) {
		npu_fence_free(job->fence);
		npu_job_free(job);
		return ERR_PTR(ret);
	}

	return job;
}

/**
 * npu_job_discard() - free a job that has not been armed
 * @job: job
 */
void npu_job_discard(struct npu_job *job)
{
	drm_sched_job_cleanup(&job->base);
	npu_fence_free(job->fence);
	npu_job_free(job);
}

/**
 * npu_job_arm() - the job will be run
 * @job: job
 *
 * Called under &npu_queue.submit_lock.
 */
void npu_job_arm(struct npu_job *job)
{
	struct npu_queue *queue = job->queue;

	lockdep_assert_held(&queue->submit_lock);

	drm_sched_job_arm(&job->base);
	npu_fence_init(job->fence, queue->fences);
	atomic64_add(job->count, &queue->submitted);
}

/**
 * npu_job_run() - put a job on its queue's ring
 * @base: scheduler job
 *
 * Return: the hardware fence, signalled already if the queue has been stopped.
 */
static struct dma_fence *npu_job_run(struct drm_sched_job *base)
{
	struct npu_job *job = to_npu_job(base);
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	job->started = jiffies;
	ret = npu_queue_push(job->queue, job);
	if (ret) {
		atomic64_add(job->count, &job->queue->completed);
		npu_fence_signal(job->fence, ret);
	}
	dma_fence_end_signalling(cookie);

	return dma_fence_get(&job->fence->base);
}

/**
 * npu_job_hangs() - has a job that takes long to be stopped?
 * @job: job
 *
 * The hardware times commands; this is for the case that it does not.
 *
 * Return: true if the device neither ends the job nor gets on with it.
 */
static bool npu_job_hangs(struct npu_job *job)
{
	struct npu_queue *queue = job->queue;

	if (dma_fence_is_signaled(&job->fence->base))
		return false;

	npu_cq_process(queue->cq);
	if (dma_fence_is_signaled(&job->fence->base)) {
		drm_warn(&queue->npu->drm, "interrupt of completion ring %u was lost\n",
			 queue->cq->id);
		return false;
	}

	return !npu_queue_check_progress(queue) &&
	       time_after_eq(jiffies, job->started + job->patience);
}

/**
 * npu_job_timed_out() - the scheduler finds that a job takes long
 * @base: scheduler job
 *
 * Return: DRM_GPU_SCHED_STAT_NOMINAL.
 */
static enum drm_gpu_sched_stat npu_job_timed_out(struct drm_sched_job *base)
{
	struct npu_job *job = to_npu_job(base);
	struct npu_queue *queue = job->queue;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	if (npu_job_hangs(job))
		npu_queue_time_out(queue);

	/* The scheduler took the job off its list; this puts it back or frees it. */
	drm_sched_stop(&queue->sched, base);
	drm_sched_start(&queue->sched);
	dma_fence_end_signalling(cookie);

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

/**
 * npu_job_done() - the scheduler needs the job no more
 * @base: scheduler job
 */
static void npu_job_done(struct drm_sched_job *base)
{
	struct npu_job *job = to_npu_job(base);

	/* Not signalled yet only if the queue was destroyed before the job ran. */
	npu_fence_signal(job->fence, -ECANCELED);
	dma_fence_put(&job->fence->base);

	drm_sched_job_cleanup(base);
	npu_job_free(job);
}

const struct drm_sched_backend_ops npu_job_sched_ops = {
	.run_job = npu_job_run,
	.timedout_job = npu_job_timed_out,
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

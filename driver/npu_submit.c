// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>

#include "npu_device.h"
#include "npu_fence.h"
#include "npu_file.h"
#include "npu_job.h"
#include "npu_queue.h"
#include "npu_resident.h"
#include "npu_submit.h"
#include "npu_sync.h"
#include "npu_uapi.h"

#define NPU_SUBMIT_MAX_JOBS 256

/**
 * struct npu_submit_ctx - a submission under way
 *
 * All that can fail is done before the first job is armed.
 */
struct npu_submit_ctx {
	/** @npu: device */
	struct npu_device *npu;
	/** @file: file */
	struct drm_file *file;
	/** @queue: queue, a reference */
	struct npu_queue *queue;
	/** @user_jobs: jobs as user space wrote them */
	struct drm_npu_job *user_jobs;
	/** @num_user_jobs: number of them */
	u32 num_user_jobs;
	/** @syncs: waits and signals */
	struct npu_syncs syncs;
	/** @jobs: jobs, each of at most a ring full of @user_jobs */
	struct npu_job **jobs;
	/** @num_jobs: number of them */
	u32 num_jobs;

	/** @few: memory of the arrays above where they are small */
	struct {
		/** @few.user_job: for @user_jobs */
		struct drm_npu_job user_job;
		/** @few.job: for @jobs */
		struct npu_job *job;
	} few;
};

/**
 * npu_submit_check_job() - check a job
 * @ctx: submission
 * @job: job as user space wrote it
 *
 * What is in the list is the device's business.
 *
 * Return: 0 if it is good, -EINVAL otherwise.
 */
static int npu_submit_check_job(struct npu_submit_ctx *ctx, const struct drm_npu_job *job)
{
	struct npu_device *npu = ctx->npu;
	u64 size = (u64)job->count * sizeof(struct npu_cmd);

	if (NPU_BAD_ARG(npu, job->flags) ||
	    NPU_BAD_ARG(npu, job->pad) ||
	    NPU_BAD_ARG(npu, !job->count) ||
	    NPU_BAD_ARG(npu, job->timeout_ms > U32_MAX / USEC_PER_MSEC) ||
	    NPU_BAD_ARG(npu, !IS_ALIGNED(job->list, sizeof(struct npu_cmd))) ||
	    NPU_BAD_ARG(npu, job->list < NPU_VA_START) ||
	    NPU_BAD_ARG(npu, job->list >= NPU_VA_END) ||
	    NPU_BAD_ARG(npu, size > NPU_VA_END - job->list))
		return -EINVAL;

	return 0;
}

/**
 * npu_submit_ctx_init() - copy and check the arguments
 * @ctx: submission
 * @args: arguments of the ioctl
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_submit_ctx_init(struct npu_submit_ctx *ctx, const struct drm_npu_submit *args)
{
	void *array;
	int ret;
	u32 i;

	array = npu_uapi_get_array(&args->jobs, NPU_SUBMIT_MAX_JOBS,
				   offsetofend(struct drm_npu_job, pad), sizeof(*ctx->user_jobs),
				   &ctx->few.user_job, 1);
	if (NPU_BAD_ARG(ctx->npu, IS_ERR(array)))
		return PTR_ERR(array);
	ctx->user_jobs = array;
	ctx->num_user_jobs = args->jobs.count;

	for (i = 0; i < ctx->num_user_jobs; i++) {
		ret = npu_submit_check_job(ctx, &ctx->user_jobs[i]);
		if (ret)
			return ret;
	}

	return npu_syncs_init(&ctx->syncs, ctx->npu, ctx->file, &args->syncs);
}

/**
 * npu_submit_fill_job() - take over user space's jobs
 * @ctx: submission
 * @job: job
 * @first: index of the first of them
 */
static void npu_submit_fill_job(struct npu_submit_ctx *ctx, struct npu_job *job, u32 first)
{
	u32 longest = 0;
	u32 i;

	for (i = 0; i < job->count; i++) {
		const struct drm_npu_job *from = &ctx->user_jobs[first + i];

		job->entries[i] = (struct npu_job_entry) {
			.list = from->list,
			.count = from->count,
			.timeout_us = from->timeout_ms * USEC_PER_MSEC,
		};
		longest = max(longest, from->timeout_ms);
	}

	job->patience = msecs_to_jiffies(longest);
}

/**
 * npu_submit_ctx_create_jobs() - create the scheduler's jobs
 * @ctx: submission
 *
 * Without jobs there is one that only keeps the order.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_submit_ctx_create_jobs(struct npu_submit_ctx *ctx)
{
	u32 entries = ctx->queue->params.entries;
	u32 first = 0;

	ctx->jobs = npu_uapi_alloc_array(&ctx->few.job, 1,
					 DIV_ROUND_UP(max(ctx->num_user_jobs, 1), entries),
					 sizeof(*ctx->jobs));
	if (!ctx->jobs)
		return -ENOMEM;

	do {
		u32 count = min(ctx->num_user_jobs - first, entries);
		struct npu_job *job = npu_job_create(ctx->queue, max(count, 1));

		if (IS_ERR(job))
			return PTR_ERR(job);

		ctx->jobs[ctx->num_jobs++] = job;
		if (count)
			npu_submit_fill_job(ctx, job, first);
		first += count;
	} while (first < ctx->num_user_jobs);

	return 0;
}

/**
 * npu_submit_ctx_schedule() - prepare the jobs for the scheduler
 * @ctx: submission
 *
 * The first job waits for all; the others come after it, as the queue is in order.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_submit_ctx_schedule(struct npu_submit_ctx *ctx)
{
	int ret;
	u32 i;

	for (i = 0; i < ctx->num_jobs; i++) {
		ret = npu_job_schedule(ctx->jobs[i]);
		if (ret)
			return ret;
	}

	return npu_job_wait_for(ctx->jobs[0], ctx->syncs.waits, &ctx->syncs.num_waits);
}

/**
 * npu_submit_ctx_run_now() - put the job on the ring at once
 * @ctx: submission of one job
 * @out: fence of the job, a reference
 *
 * Most jobs come with nothing to wait for. They are spared the scheduler and the
 * switch to its thread, which cost more than the rest of the call.
 *
 * Return: 0 on success, -ECANCELED if the queue has been stopped, -EAGAIN if the
 * scheduler has to be asked.
 */
static int npu_submit_ctx_run_now(struct npu_submit_ctx *ctx, struct dma_fence **out)
{
	struct npu_queue *queue = ctx->queue;
	struct npu_job *job = ctx->jobs[0];
	int ret = -EAGAIN;

	mutex_lock(&queue->submit_lock);
	if (queue->closed || READ_ONCE(queue->stopped)) {
		ret = -ECANCELED;
	} else if (npu_queue_has_room(queue, job->count)) {
		npu_job_run_now(job, out);
		ctx->num_jobs = 0;
		ret = 0;
	}
	mutex_unlock(&queue->submit_lock);

	return ret;
}

/**
 * npu_submit_ctx_push() - hand the jobs to the scheduler
 * @ctx: submission
 * @out: fence of the last job, a reference
 *
 * Return: 0 on success, -ECANCELED if the queue has been stopped.
 */
static int npu_submit_ctx_push(struct npu_submit_ctx *ctx, struct dma_fence **out)
{
	struct npu_queue *queue = ctx->queue;
	u32 i;

	mutex_lock(&queue->submit_lock);
	if (queue->closed || READ_ONCE(queue->stopped)) {
		mutex_unlock(&queue->submit_lock);
		return -ECANCELED;
	}

	*out = NULL;
	for (i = 0; i < ctx->num_jobs; i++) {
		ctx->jobs[i]->before = *out;
		npu_job_push(ctx->jobs[i], out);
	}
	mutex_unlock(&queue->submit_lock);

	/* They belong to the scheduler now. */
	ctx->num_jobs = 0;
	return 0;
}

/**
 * npu_submit_ctx_with_memory() - submit jobs, with their memory in place
 * @ctx: submission
 * @submit: npu_submit_ctx_run_now() or npu_submit_ctx_push(), which do not allocate
 * @out: fence of the last job, a reference
 *
 * Return: 0 on success, -EAGAIN if the scheduler has to be asked, another negative error
 * code otherwise.
 */
static int npu_submit_ctx_with_memory(struct npu_submit_ctx *ctx,
				      int (*submit)(struct npu_submit_ctx *, struct dma_fence **),
				      struct dma_fence **out)
{
	struct npu_resident resident;
	int ret;

	/* A barrier uses no memory. */
	if (!ctx->num_user_jobs)
		return submit(ctx, out);

	ret = npu_resident_begin(&resident, ctx->queue->vm);
	if (ret)
		return ret;

	ret = submit(ctx, out);
	if (!ret)
		npu_resident_commit(&resident, *out);
	npu_resident_end(&resident);

	return ret;
}

/**
 * npu_submit_ctx_submit() - hand the jobs to the hardware or to the scheduler
 * @ctx: submission
 * @out: fence of the last job, a reference
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_submit_ctx_submit(struct npu_submit_ctx *ctx, struct dma_fence **out)
{
	int ret = -EAGAIN;

	if (!ctx->syncs.num_waits && ctx->num_jobs == 1)
		ret = npu_submit_ctx_with_memory(ctx, npu_submit_ctx_run_now, out);
	if (ret != -EAGAIN)
		return ret;

	ret = npu_submit_ctx_schedule(ctx);
	if (ret)
		return ret;

	return npu_submit_ctx_with_memory(ctx, npu_submit_ctx_push, out);
}

/**
 * npu_submit_ctx_fini() - free what a submission has
 * @ctx: submission
 */
static void npu_submit_ctx_fini(struct npu_submit_ctx *ctx)
{
	u32 i;

	for (i = 0; i < ctx->num_jobs; i++)
		npu_job_discard(ctx->jobs[i]);
	if (ctx->jobs != &ctx->few.job)
		kfree(ctx->jobs);

	npu_syncs_fini(&ctx->syncs);
	if (ctx->user_jobs != &ctx->few.user_job)
		kvfree(ctx->user_jobs);
	npu_queue_put(ctx->queue);
}

/**
 * npu_submit_ioctl() - DRM_IOCTL_NPU_SUBMIT
 * @drm: DRM device
 * @data: arguments
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_npu_submit *args = data;
	struct npu_submit_ctx ctx = {
		.npu = to_npu_device(drm),
		.file = file,
	};
	struct dma_fence *fence;
	int ret;

	if (NPU_BAD_ARG(ctx.npu, args->flags))
		return -EINVAL;
	if (READ_ONCE(ctx.npu->state) == NPU_DEVICE_WEDGED)
		return -EIO;

	ctx.queue = npu_file_get_queue(file->driver_priv, args->queue_id);
	if (NPU_BAD_ARG(ctx.npu, !ctx.queue))
		return -ENOENT;

	ret = npu_submit_ctx_init(&ctx, args);
	if (ret)
		goto out;

	/* What the queue does in order anyway needs no help. */
	ret = npu_syncs_find(&ctx.syncs, ctx.queue->fences->context);
	if (ret)
		goto out;

	ret = npu_submit_ctx_create_jobs(&ctx);
	if (ret)
		goto out;

	ret = npu_submit_ctx_submit(&ctx, &fence);
	if (ret)
		goto out;

	npu_syncs_signal(&ctx.syncs, fence);
	dma_fence_put(fence);
out:
	npu_submit_ctx_fini(&ctx);
	return ret;
}

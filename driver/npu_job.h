/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_JOB_H__
#define __NPU_JOB_H__

#include <linux/list.h>

#include <drm/gpu_scheduler.h>

struct dma_fence;
struct npu_fence;
struct npu_queue;

/**
 * struct npu_job_entry - one entry of the submission ring
 */
struct npu_job_entry {
	/** @list: device address of the commands */
	u64 list;
	/** @count: number of commands; 0 for an entry that only keeps the order */
	u32 count;
	/** @timeout_us: time-out of a command without one of its own, 0 for the queue's */
	u32 timeout_us;
};

/**
 * struct npu_job - jobs of user space that go to the hardware together
 *
 * They have one scheduler job and one fence, that of the last of them.
 */
struct npu_job {
	/** @base: scheduler job, once npu_job_schedule() has been called */
	struct drm_sched_job base;
	/** @scheduled: @base is initialised */
	bool scheduled;
	/** @queue: queue */
	struct npu_queue *queue;
	/** @fence: hardware fence, initialised when the job is armed */
	struct npu_fence *fence;
	/** @held: in &npu_queue.held, as long as the scheduler has it */
	struct list_head held;
	/** @waits: what it waits for, in the scheduler's order, references */
	struct dma_fence **waits;
	/** @num_waits: number of them */
	u32 num_waits;
	/** @before: fence of the part before it, if the ring was too small for all */
	struct dma_fence *before;
	/** @patience: jiffies that it may take without any progress */
	unsigned long patience;
	/** @count: number of @entries */
	u32 count;
	/** @entries: entries */
	struct npu_job_entry *entries;
	/** @single: @entries of the common job */
	struct npu_job_entry single;
};

/**
 * npu_job_finished() - the scheduler's fence of a job
 * @job: job, armed
 *
 * Return: the fence, or NULL if the job passes the scheduler by.
 */
static inline const struct dma_fence *npu_job_finished(const struct npu_job *job)
{
	return job->scheduled ? &job->base.s_fence->finished : NULL;
}

extern const struct drm_sched_backend_ops npu_job_sched_ops;

struct npu_job *npu_job_create(struct npu_queue *queue, u32 count);
int npu_job_schedule(struct npu_job *job);
int npu_job_wait_for(struct npu_job *job, struct dma_fence **fences, u32 *count);
void npu_job_discard(struct npu_job *job);
void npu_job_push(struct npu_job *job, struct dma_fence **out);
void npu_job_run_now(struct npu_job *job, struct dma_fence **out);

int npu_job_module_init(void);
void npu_job_module_exit(void);

#endif /* __NPU_JOB_H__ */

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_compat.h"
#include "npu_coredump.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fault.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_recovery.h"
#include "npu_reset.h"
#include "npu_ring.h"
#include "npu_trace.h"
#include "npu_usage.h"
#include "npu_vm.h"

/**
 * DOC: Queues
 *
 * The life of a queue in hardware and in software are two things. It is attached
 * from its creation until it is destroyed, times out or the device is reset: then
 * it is stopped, so that no more entries are written; detached, after which the
 * device neither runs nor completes anything of it; and the fences in flight are
 * signalled. The structure lives on for as long as a job refers to it.
 */

/* Queues may be released after their device has gone, but not after the module. */
static struct workqueue_struct *npu_queue_release_wq;

/**
 * npu_queue_module_init() - called when the module is loaded
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
int npu_queue_module_init(void)
{
	npu_queue_release_wq = alloc_workqueue("npu-release", WQ_UNBOUND, 0);
	return npu_queue_release_wq ? 0 : -ENOMEM;
}

/**
 * npu_queue_module_exit() - called when the module is unloaded
 */
void npu_queue_module_exit(void)
{
	destroy_workqueue(npu_queue_release_wq);
}

/**
 * npu_queue_flush_released() - wait until queues that are released have let go of all they hold
 *
 * The last of a device's queues holds the device, and so its minor number.
 */
void npu_queue_flush_released(void)
{
	flush_workqueue(npu_queue_release_wq);
}

/**
 * npu_queue_init_device() - what all queues of a device share
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_queue_init_device(struct npu_device *npu)
{
	npu->status_pool = dmam_pool_create("npu-status", npu->drm.dev, sizeof(struct npu_fault),
					    sizeof(struct npu_fault), 0);
	return npu->status_pool ? 0 : -ENOMEM;
}

/**
 * npu_queue_stop() - write no more entries
 * @queue: queue
 * @status: why, for user space
 * @first: error of the oldest job in the ring, which is the one that runs
 * @others: error of those behind it, and of those that come too late
 *
 * The first reason counts.
 */
void npu_queue_stop(struct npu_queue *queue, enum drm_npu_queue_status status, int first,
		    int others)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (!queue->stopped) {
		queue->stopped = true;
		queue->status = status;
		queue->guilty = status == DRM_NPU_QUEUE_TIMEOUT;
		queue->first_error = first;
	}
	queue->error = others;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * npu_queue_set_recovery() - note how far it went to stop a queue
 * @queue: queue
 * @recovery: step
 */
void npu_queue_set_recovery(struct npu_queue *queue, enum drm_npu_recovery recovery)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->recovery = recovery;
	trace_npu_queue_recover(queue, recovery);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * npu_queue_pop() - remove the oldest entry from the ring
 * @queue: queue, locked
 * @fence: the job's fence if that was its last entry, NULL otherwise
 *
 * Return: false if there is none.
 */
static bool npu_queue_pop(struct npu_queue *queue, struct npu_fence **fence)
{
	u32 slot = npu_ring_slot(queue->head, queue->slots);

	lockdep_assert_held(&queue->lock);

	if (queue->head == queue->tail)
		return false;

	*fence = queue->inflight[slot];
	queue->inflight[slot] = NULL;
	queue->tasks += le32_to_cpu(queue->sq[slot].count);
	queue->head++;
	queue->moved = jiffies;
	atomic64_inc(&queue->completed);
	return true;
}

/**
 * npu_queue_cancel() - signal the fences of all entries in the ring
 * @queue: queue that the hardware does not touch any more
 * @first: error of the oldest job
 * @others: error of the others
 */
static void npu_queue_cancel(struct npu_queue *queue, int first, int others)
{
	struct npu_fence *fence;
	unsigned long flags;
	bool more;

	for (;;) {
		spin_lock_irqsave(&queue->lock, flags);
		more = npu_queue_pop(queue, &fence);
		spin_unlock_irqrestore(&queue->lock, flags);

		if (!more)
			break;
		if (!fence)
			continue;

		npu_fence_signal(fence, first);
		dma_fence_put(&fence->base);
		first = others;
	}
}

/**
 * npu_queue_create_hw() - make the device know a queue
 * @queue: queue
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_queue_create_hw(struct npu_queue *queue)
{
	const struct npu_queue_params *params = &queue->params;
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_QUEUE_CREATE,
		.id = cpu_to_le32(queue->hw_id),
		.queue = {
			.base = cpu_to_le64(queue->sq_dma),
			.status = cpu_to_le64(queue->fault_dma),
			.core_mask = cpu_to_le64(params->core_mask),
			.entries = cpu_to_le32(queue->slots),
			.timeout_us = cpu_to_le32(params->timeout_ms * USEC_PER_MSEC),
			.context = cpu_to_le16(queue->vm->context),
			.cq = cpu_to_le16(queue->cq->id),
			.priority = params->priority,
			.engine = params->engine,
		},
	};

	return npu_admin_exec(queue->npu, &cmd, NULL);
}

/**
 * npu_queue_attach() - create the hardware queue
 * @queue: queue
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_queue_attach(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	int ret;

	ret = npu_online_lock(npu);
	if (ret)
		return ret;
	npu_cq_set_queue(queue->cq, queue->hw_id, queue);
	ret = npu_queue_create_hw(queue);
	if (!ret) {
		queue->attached = true;
		list_add_tail(&queue->node, &npu->queues);
	} else {
		npu_cq_set_queue(queue->cq, queue->hw_id, NULL);
	}
	mutex_unlock(&npu->hw_lock);

	/* Without an answer the device may know the queue: until it has been reset. */
	if (ret)
		npu_reset_wait(npu);
	return ret;
}

/**
 * npu_queue_detached() - the hardware has let go of the queue
 * @queue: queue, stopped
 */
void npu_queue_detached(struct npu_queue *queue)
{
	if (!queue->attached)
		return;

	npu_cq_set_queue(queue->cq, queue->hw_id, NULL);
	queue->attached = false;
	npu_queue_cancel(queue, queue->first_error, queue->error);
}

/**
 * npu_queue_detach() - destroy the hardware queue
 * @queue: queue, stopped
 *
 * A core that does not let go of it is reset, and only if that does not help the device.
 *
 * Return: 0 on success; a negative error code if the firmware has not done it, and
 * a reset, which has been scheduled, will.
 */
int npu_queue_detach(struct npu_queue *queue)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_QUEUE_DESTROY,
		.id = cpu_to_le32(queue->hw_id),
	};
	int ret;

	lockdep_assert_held(&queue->npu->hw_lock);

	if (!queue->attached)
		return 0;

	ret = npu_admin_exec(queue->npu, &cmd, NULL);
	if (ret == -EBUSY && npu_recovery_reset_cores(queue))
		ret = npu_admin_exec(queue->npu, &cmd, NULL);
	if (ret) {
		npu_reset_schedule(queue->npu, "a queue cannot be destroyed");
		return ret;
	}

	npu_queue_detached(queue);
	return 0;
}

/**
 * npu_queue_cancel_held() - signal the fences of all jobs that the scheduler has not run yet
 * @queue: queue, stopped, with nothing in its ring
 *
 * What they wait for may never happen. They are run and freed when it has, for nothing.
 */
static void npu_queue_cancel_held(struct npu_queue *queue)
{
	struct npu_fence *fence;
	struct npu_job *job;
	unsigned long flags;
	int error;

	for (;;) {
		spin_lock_irqsave(&queue->lock, flags);
		job = list_first_entry_or_null(&queue->held, struct npu_job, held);
		if (job) {
			list_del_init(&job->held);
			fence = job->fence;
			dma_fence_get(&fence->base);
			error = queue->error;
		}
		spin_unlock_irqrestore(&queue->lock, flags);

		if (!job)
			break;
		npu_fence_signal(fence, error);
		dma_fence_put(&fence->base);
	}
}

/**
 * npu_queue_cancel_all_held() - signal the fences of all jobs that have not been run
 * @npu: device, all of whose queues are stopped and detached
 */
void npu_queue_cancel_all_held(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node)
		npu_queue_cancel_held(queue);
}

/**
 * npu_queue_detach_process() - stop all queues of a process, and destroy them in hardware
 * @npu: device
 * @mm: memory of the process
 *
 * Return: 0 on success; a negative error code if a reset, which has been scheduled, does it.
 */
static int npu_queue_detach_process(struct npu_device *npu, struct mm_struct *mm)
{
	struct npu_queue *queue;
	int ret = 0;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (queue->mm != mm || queue->params.internal)
			continue;
		npu_queue_stop(queue, DRM_NPU_QUEUE_LOST, -ECANCELED, -ECANCELED);
		ret = npu_queue_detach(queue) ?: ret;
	}

	return ret;
}

/**
 * npu_queue_cancel_process() - end what a process has the device do, as it goes itself
 * @npu: device
 * @mm: memory of the process
 *
 * A device that is off line does nothing, and one that sleeps is not woken.
 */
void npu_queue_cancel_process(struct npu_device *npu, struct mm_struct *mm)
{
	struct npu_queue *queue;
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	ret = npu->state == NPU_DEVICE_ALIVE ? npu_queue_detach_process(npu, mm) : 0;
	mutex_unlock(&npu->hw_lock);
	if (ret)
		npu_reset_wait(npu);

	mutex_lock(&npu->hw_lock);
	list_for_each_entry(queue, &npu->queues, node) {
		if (queue->mm == mm && READ_ONCE(queue->stopped) && !queue->attached)
			npu_queue_cancel_held(queue);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_queue_free_dma() - free what the hardware had access to
 * @queue: queue, detached
 */
static void npu_queue_free_dma(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;

	if (queue->sq)
		dma_free_coherent(npu->drm.dev, queue->slots * sizeof(*queue->sq),
				  queue->sq, queue->sq_dma);
	if (queue->fault_block)
		dma_pool_free(npu->status_pool, queue->fault_block, queue->fault_dma);
	queue->sq = NULL;
	queue->fault_block = NULL;
}

/**
 * npu_queue_alloc() - allocate the memory of a queue
 * @queue: queue
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_queue_alloc(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	int id;

	id = ida_alloc_max(&npu->queue_ida, npu->info.num_queues - 1, GFP_KERNEL);
	if (id < 0)
		return id;
	queue->hw_id = id;
	queue->slots = 2 * queue->params.entries;

	queue->fences = npu_fence_context_create("queue", queue->hw_id,
						 !queue->params.internal);
	queue->inflight = kvcalloc(queue->slots, sizeof(*queue->inflight), GFP_KERNEL);
	queue->sq = dma_alloc_coherent(npu->drm.dev, queue->slots * sizeof(*queue->sq),
				       &queue->sq_dma, GFP_KERNEL);
	queue->fault_block = dma_pool_zalloc(npu->status_pool, GFP_KERNEL, &queue->fault_dma);
	if (!queue->fences || !queue->inflight || !queue->sq || !queue->fault_block)
		return -ENOMEM;

	return 0;
}

/**
 * npu_queue_free() - undo npu_queue_alloc(), and free the queue
 * @queue: queue
 */
static void npu_queue_free(struct npu_queue *queue)
{
	npu_fence_context_put(queue->fences);
	npu_usage_put(queue->params.usage);
	if (queue->mm)
		mmdrop(queue->mm);
	kvfree(queue->inflight);
	mutex_destroy(&queue->submit_lock);
	kfree(queue);
}

/**
 * npu_queue_init_sched() - set up the scheduler of a queue
 * @queue: queue
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_queue_init_sched(struct npu_queue *queue)
{
	struct drm_gpu_scheduler *sched = &queue->sched;
	struct npu_device *npu = queue->npu;
	const struct drm_sched_init_args args = {
		.ops = &npu_job_sched_ops,
		.submit_wq = npu->sched_wq,
		.num_rqs = 1,
		.credit_limit = queue->params.entries,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = queue->fences->name,
		.dev = npu->drm.dev,
	};
	int ret;

	ret = drm_sched_init(sched, &args);
	if (ret)
		return ret;

	ret = drm_sched_entity_init(&queue->entity, 0, &sched, 1, NULL);
	if (ret)
		drm_sched_fini(sched);
	return ret;
}

/**
 * npu_queue_create() - create a queue
 * @npu: device
 * @vm: address space, from npu_vm_use(), which is taken over
 * @params: what it shall be
 *
 * Return: the queue with one reference, which npu_queue_destroy() drops, or an error pointer.
 */
struct npu_queue *npu_queue_create(struct npu_device *npu, struct npu_vm *vm,
				   const struct npu_queue_params *params)
{
	struct npu_queue *queue;
	int ret;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	if (!queue) {
		ret = -ENOMEM;
		goto err_vm;
	}

	kref_init(&queue->refcount);
	mutex_init(&queue->submit_lock);
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->node);
	INIT_LIST_HEAD(&queue->held);
	npu_recovery_init_queue(queue);
	queue->npu = npu;
	queue->vm = vm;
	queue->params = *params;
	npu_usage_get(queue->params.usage);
	queue->cq = npu_cq_pick(npu);
	queue->resets = atomic_read(&npu->reset.count);
	queue->pid = task_tgid_nr(current);
	get_task_comm(queue->comm, current->group_leader);
	queue->mm = current->mm;
	if (queue->mm)
		mmgrab(queue->mm);
	queue->hw_id = U32_MAX;
	queue->moved = jiffies;

	ret = npu_queue_alloc(queue);
	if (ret)
		goto err_free;

	ret = npu_queue_init_sched(queue);
	if (ret)
		goto err_free;

	ret = npu_queue_attach(queue);
	if (ret)
		goto err_sched;

	drm_dev_get(&npu->drm);
	return queue;

err_sched:
	drm_sched_entity_fini(&queue->entity);
	drm_sched_fini(&queue->sched);
err_free:
	npu_queue_free_dma(queue);
	if (queue->hw_id != U32_MAX)
		ida_free(&npu->queue_ida, queue->hw_id);
	npu_queue_free(queue);
err_vm:
	npu_vm_unuse(vm);
	npu_vm_put(vm);
	return ERR_PTR(ret);
}

static void npu_queue_release_work(struct work_struct *work)
{
	struct npu_queue *queue = container_of(work, struct npu_queue, release);
	struct npu_device *npu = queue->npu;
	struct npu_vm *vm = queue->vm;

	drm_sched_fini(&queue->sched);
	npu_queue_free(queue);
	npu_vm_put(vm);
	drm_dev_put(&npu->drm);
}

/**
 * npu_queue_release() - the last reference is gone
 * @refcount: &npu_queue.refcount
 *
 * That may happen in the scheduler's own work, which the scheduler's end waits for.
 */
static void npu_queue_release(struct kref *refcount)
{
	struct npu_queue *queue = container_of(refcount, struct npu_queue, refcount);

	INIT_WORK(&queue->release, npu_queue_release_work);
	queue_work(npu_queue_release_wq, &queue->release);
}

/**
 * npu_queue_get() - take a reference
 * @queue: queue
 *
 * Return: @queue.
 */
struct npu_queue *npu_queue_get(struct npu_queue *queue)
{
	kref_get(&queue->refcount);
	return queue;
}

/**
 * npu_queue_put() - drop a reference
 * @queue: queue
 */
void npu_queue_put(struct npu_queue *queue)
{
	kref_put(&queue->refcount, npu_queue_release);
}

/**
 * npu_queue_destroy() - destroy a queue
 * @queue: queue
 *
 * When it returns the device does nothing for the queue any more, and the fences of
 * all of its jobs are signalled, of those that the scheduler still holds back too.
 */
void npu_queue_destroy(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	int ret;

	mutex_lock(&queue->submit_lock);
	queue->closed = true;
	mutex_unlock(&queue->submit_lock);

	npu_queue_stop(queue, DRM_NPU_QUEUE_OK, -ECANCELED, -ECANCELED);
	cancel_delayed_work_sync(&queue->watch.work);
	npu_coredump_wait(queue);

	mutex_lock(&npu->hw_lock);
	ret = npu_queue_detach(queue);
	mutex_unlock(&npu->hw_lock);
	if (ret)
		npu_reset_wait(npu);

	npu_queue_cancel_held(queue);

	mutex_lock(&npu->hw_lock);
	list_del_init(&queue->node);
	npu_queue_free_dma(queue);
	mutex_unlock(&npu->hw_lock);
	ida_free(&npu->queue_ida, queue->hw_id);

	drm_sched_entity_fini(&queue->entity);
	npu_vm_unuse(queue->vm);
	npu_queue_put(queue);
}

/**
 * npu_queue_get_state() - tell user space about a queue
 * @queue: queue
 * @state: its state
 */
void npu_queue_get_state(struct npu_queue *queue, struct drm_npu_queue_get_state *state)
{
	const struct npu_fault *fault = &queue->fault;

	state->reset_count = (u32)atomic_read(&queue->npu->reset.count) - queue->resets;
	state->jobs_submitted = atomic64_read(&queue->submitted);
	state->jobs_completed = atomic64_read(&queue->completed);

	spin_lock_irq(&queue->lock);
	state->state = queue->status;
	state->recovery = queue->recovery;
	state->guilty = queue->guilty;
	state->fault_status = le32_to_cpu(fault->status);
	state->fault_command = le32_to_cpu(fault->command);
	state->fault_access = fault->access;
	state->fault_unit = fault->unit;
	state->fault_core = le16_to_cpu(fault->core);
	state->fault_block = le32_to_cpu(fault->block);
	state->fault_pc = le64_to_cpu(fault->pc);
	state->fault_address = le64_to_cpu(fault->address);
	state->fault_tag = le64_to_cpu(fault->tag);
	state->fault_timestamp = le64_to_cpu(fault->timestamp);
	spin_unlock_irq(&queue->lock);

	if (state->recovery == DRM_NPU_RECOVERY_DEVICE &&
	    READ_ONCE(queue->npu->state) == NPU_DEVICE_WEDGED)
		state->recovery = DRM_NPU_RECOVERY_WEDGED;
}

/**
 * npu_queue_has_room() - may a job go to the ring without the scheduler?
 * @queue: queue
 * @count: entries of the job
 *
 * Only if it overtakes none that the scheduler still has. Half of the ring is for the
 * scheduler's jobs, whose credits know nothing of others.
 *
 * Return: true if it may, until &npu_queue.submit_lock is released.
 */
bool npu_queue_has_room(struct npu_queue *queue, u32 count)
{
	lockdep_assert_held(&queue->submit_lock);

	return !atomic_read_acquire(&queue->scheduled) &&
	       npu_ring_has_room(READ_ONCE(queue->head), READ_ONCE(queue->tail),
				 queue->params.entries, count);
}

/**
 * npu_queue_push() - put a job on the ring
 * @queue: queue
 * @job: job, for which there is room
 *
 * Fences signal in order. What is in the ring of a queue that has been stopped may run until it is
 * detached, so a job that comes meanwhile goes behind it, to be cancelled with it: the device is
 * not told of it.
 *
 * Return: 0 on success, the error for the job's fence if the queue has been stopped and is empty.
 */
int npu_queue_push(struct npu_queue *queue, struct npu_job *job)
{
	unsigned long flags;
	int ret = 0;
	u32 i;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue->stopped && queue->head == queue->tail) {
		ret = queue->error;
		goto out;
	}

	if (queue->head == queue->tail) {
		queue->moved = jiffies;
		queue->patience = 0;
	}
	queue->patience = max(queue->patience, job->patience);

	for (i = 0; i < job->count; i++, queue->tail++) {
		const struct npu_job_entry *entry = &job->entries[i];

		queue->sq[npu_ring_slot(queue->tail, queue->slots)] = (struct npu_sqe) {
			.opcode = entry->count ? NPU_SQE_EXEC : NPU_SQE_NOP,
			.count = cpu_to_le32(entry->count),
			.list = cpu_to_le64(entry->list),
			.cookie = cpu_to_le64(queue->tail),
			.timeout_us = cpu_to_le32(entry->timeout_us),
		};
		queue->commands += entry->count;
	}

	dma_fence_get(&job->fence->base);
	queue->inflight[npu_ring_slot(queue->tail - 1, queue->slots)] = job->fence;
	if (queue->stopped)
		goto out;

	trace_npu_job_run(job);
	dma_wmb(); /* entries are there before the doorbell rings */
	npu_write(queue->npu, NPU_DB_SQ_TAIL(queue->hw_id), queue->tail);

	/* Not only if it is not pending: that would be no barrier against it looking now. */
	npu_recovery_watch(queue);
out:
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}

/**
 * npu_queue_ring_again() - tell the device of all entries, in case that it missed the doorbell
 * @queue: queue
 */
void npu_queue_ring_again(struct npu_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (!queue->stopped)
		npu_write(queue->npu, NPU_DB_SQ_TAIL(queue->hw_id), queue->tail);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * npu_queue_fault() - a job has failed: record why
 * @queue: queue, locked
 * @status: as the completion says
 */
static void npu_queue_fault(struct npu_queue *queue, u16 status)
{
	queue->stopped = true;
	queue->error = -ECANCELED;
	queue->first_error = -ECANCELED;
	queue->status = status == NPU_ST_TIMEOUT ? DRM_NPU_QUEUE_TIMEOUT : DRM_NPU_QUEUE_FAULT;
	queue->recovery = DRM_NPU_RECOVERY_TASK;
	trace_npu_queue_recover(queue, queue->recovery);
	queue->guilty = npu_status_is_guilty(status);
	queue->fault = *queue->fault_block;
	queue->fault.status = cpu_to_le32(status);
	le32_add_cpu(&queue->fault.command, queue->cut);
	atomic64_inc(&queue->npu->recovery.tasks);
}

/**
 * npu_queue_expects() - is this the completion that the queue waits for?
 * @queue: queue
 * @cqe: completion, a copy
 *
 * Return: true if it is, as far as it says whose it is.
 */
bool npu_queue_expects(const struct npu_queue *queue, const struct npu_cqe *cqe)
{
	u32 head = READ_ONCE(queue->head);

	return le16_to_cpu(cqe->queue) == queue->hw_id && le64_to_cpu(cqe->cookie) == head &&
	       le16_to_cpu(cqe->sq_head) == (u16)(head + 1);
}

/**
 * npu_queue_complete() - the device says that an entry is done
 * @queue: queue
 * @cqe: completion, a copy
 *
 * Return: 0 on success, -EPROTO if it makes no sense.
 */
int npu_queue_complete(struct npu_queue *queue, const struct npu_cqe *cqe)
{
	u16 status = le16_to_cpu(cqe->status);
	u64 cookie = le64_to_cpu(cqe->cookie);
	struct npu_fence *fence;
	bool fault = false;

	/* Interrupts are off: the completion ring is locked. */
	spin_lock(&queue->lock);
	/* That of an entry which cannot be read is not known. */
	if (!cookie && (status == NPU_ST_BUS || status == NPU_ST_SQE_INVALID))
		cookie = queue->head;
	if (status >= NPU_ST_COUNT || queue->head == queue->tail || cookie != queue->head ||
	    le16_to_cpu(cqe->sq_head) != (u16)(queue->head + 1)) {
		spin_unlock(&queue->lock);
		return -EPROTO;
	}

	npu_queue_pop(queue, &fence);
	if (status != NPU_ST_OK && !queue->stopped) {
		npu_queue_fault(queue, status);
		fault = true;
	}
	queue->cut = 0;
	spin_unlock(&queue->lock);

	if (queue->params.usage)
		npu_usage_add(queue->params.usage, cqe);

	if (fault) {
		trace_npu_job_fault(queue, &queue->fault);
		npu_fault_note(queue->vm, &queue->fault);
		/* Any user can cause faults: what is not worth a message is not worth a dump. */
		if (npu_fault_report(queue, &queue->fault))
			npu_coredump_fault(queue);
	}

	if (fence) {
		npu_fence_signal(fence, npu_status_to_errno(status));
		dma_fence_put(&fence->base);
	}

	/* The job's last entry is still to come if that was not it. */
	if (fault)
		npu_queue_cancel(queue, fence ? -ECANCELED : npu_status_to_errno(status),
				 -ECANCELED);

	return 0;
}

/**
 * npu_queue_stop_all() - stop every queue of a device
 * @npu: device
 * @error: for the fences of jobs that come too late
 */
void npu_queue_stop_all(struct npu_device *npu, int error)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node)
		npu_queue_stop(queue, DRM_NPU_QUEUE_LOST, error, error);
}

/**
 * npu_queue_detach_all() - the hardware has lost every queue
 * @npu: device, quiet
 *
 * Those that a fault of their own has ended before stay as they are.
 */
void npu_queue_detach_all(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (queue->attached && (queue->status == DRM_NPU_QUEUE_LOST ||
					READ_ONCE(queue->head) != READ_ONCE(queue->tail)))
			npu_queue_set_recovery(queue, DRM_NPU_RECOVERY_DEVICE);
		npu_queue_detached(queue);
	}
	npu_cq_forget_all(npu);
}

/**
 * npu_queue_free_all() - free what the hardware had access to, of every queue
 * @npu: device, gone
 */
void npu_queue_free_all(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node)
		npu_queue_free_dma(queue);
}

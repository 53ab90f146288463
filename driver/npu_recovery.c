// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>

#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_coredump.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fault.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_recovery.h"
#include "npu_reset.h"

/**
 * DOC: Recovery
 *
 * The hardware ends a command that fails or takes too long, and stops its queue. What it
 * cannot end is climbed after, each step bounded in time, and only as far as needed:
 *
 * 1. the task of the queue is stopped (NPU_ADMIN_QUEUE_STOP);
 * 2. the queue is reset, that is, destroyed (NPU_ADMIN_QUEUE_DESTROY);
 * 3. AI cores that do not let go of it are reset (NPU_ADMIN_CORE_RESET);
 * 4. the device is reset: by register, then by function level reset;
 * 5. the device is given up.
 *
 * Up to the third step nobody else notices. Who is to climb is found by a look at each
 * queue that has something in its ring, once a second: interrupts and doorbells that were
 * lost are made up for; a queue that neither ends a job nor a command for as long as its
 * time-outs allow is stopped.
 */

#define NPU_RECOVERY_WATCH_MS 1000

/* How long a queue may go beyond the time-out that the hardware enforces. */
#define NPU_RECOVERY_BACKSTOP_MS 5000

/**
 * enum npu_verdict - what is to be done with a queue
 */
enum npu_verdict {
	/** @NPU_VERDICT_FINE: nothing */
	NPU_VERDICT_FINE,
	/** @NPU_VERDICT_HANGS: it gets nowhere */
	NPU_VERDICT_HANGS,
	/** @NPU_VERDICT_MISSING: a completion was lost */
	NPU_VERDICT_MISSING,
};

/**
 * npu_recovery_watch() - have a queue looked after
 * @queue: queue
 */
void npu_recovery_watch(struct npu_queue *queue)
{
	queue_delayed_work(queue->npu->reset.wq, &queue->watch.work,
			   msecs_to_jiffies(NPU_RECOVERY_WATCH_MS));
}

/**
 * npu_recovery_query() - ask the firmware about a queue
 * @queue: queue
 * @info: answer
 *
 * Return: true if there is one.
 */
bool npu_recovery_query(struct npu_queue *queue, struct npu_admin_queue_info *info)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_QUEUE_QUERY,
		.id = cpu_to_le32(queue->hw_id),
	};
	struct npu_admin_cqe reply;

	lockdep_assert_held(&queue->npu->hw_lock);

	if (!queue->attached || npu_admin_exec(queue->npu, &cmd, &reply))
		return false;

	*info = reply.queue;
	return true;
}

/**
 * npu_recovery_note() - note whether a queue has come further since it was last asked about
 * @queue: queue
 * @info: what the firmware says of it
 */
void npu_recovery_note(struct npu_queue *queue, const struct npu_admin_queue_info *info)
{
	struct npu_watch *watch = &queue->watch;
	u64 tasks = le64_to_cpu(info->tasks);

	lockdep_assert_held(&queue->npu->hw_lock);

	/* It cannot have done more than it was given, whatever it says. A loop goes back. */
	if (tasks <= watch->progress || tasks > READ_ONCE(queue->commands))
		return;

	WRITE_ONCE(queue->moved, jiffies);
	watch->progress = tasks;
}

/**
 * npu_recovery_has_ladder() - does the firmware know of stopping tasks and resetting cores?
 * @npu: device
 *
 * Return: true if so.
 */
static bool npu_recovery_has_ladder(struct npu_device *npu)
{
	return npu->fw.abi_minor >= 1;
}

/**
 * npu_recovery_reset_cores() - reset the AI cores that a queue runs on
 * @queue: queue that the device does not let go
 *
 * What others run on them goes on.
 *
 * Return: true if there was one, and so a point in trying again.
 */
bool npu_recovery_reset_cores(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	struct npu_admin_queue_info info;
	bool any = false;
	u64 cores;

	if (!npu_recovery_has_ladder(npu) || !npu_recovery_query(queue, &info))
		return false;

	for (cores = le64_to_cpu(info.cores) & npu->info.core_mask; cores; cores &= cores - 1) {
		u32 core = __ffs64(cores);
		struct npu_admin_cmd cmd = {
			.opcode = NPU_ADMIN_CORE_RESET,
			.id = cpu_to_le32(core),
			.core.queue = cpu_to_le32(queue->hw_id),
		};

		if (npu_admin_exec(npu, &cmd, NULL))
			return false;

		drm_warn(&npu->drm, "AI core %u reset for queue %u of %s[%d]\n", core,
			 queue->hw_id, queue->comm, queue->pid);
		atomic64_inc(&npu->recovery.cores);
		npu_queue_set_recovery(queue, DRM_NPU_RECOVERY_CORE);
		any = true;
	}

	return any;
}

/**
 * npu_recovery_stop_task() - first step: stop the task of a queue
 * @queue: queue
 *
 * Return: true if the queue has stopped, as by any time-out, or has gone on after all.
 */
static bool npu_recovery_stop_task(struct npu_queue *queue)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_QUEUE_STOP,
		.id = cpu_to_le32(queue->hw_id),
	};
	struct npu_device *npu = queue->npu;
	u32 head = READ_ONCE(queue->head);
	int ret = -ENOENT;

	mutex_lock(&npu->hw_lock);
	if (queue->attached && npu_recovery_has_ladder(npu))
		ret = npu_admin_exec(npu, &cmd, NULL);
	mutex_unlock(&npu->hw_lock);
	if (ret)
		return false;

	npu_cq_process(queue->cq);
	return READ_ONCE(queue->stopped) || READ_ONCE(queue->head) != head;
}

/**
 * npu_recovery_reset_queue() - the next steps: reset the queue, and what does not let go of it
 * @queue: queue
 * @status: why, for user space
 * @error: of the job that was running
 */
static void npu_recovery_reset_queue(struct npu_queue *queue, enum drm_npu_queue_status status,
				     int error)
{
	struct npu_device *npu = queue->npu;

	npu_queue_stop(queue, status, error, -ECANCELED);
	npu_queue_set_recovery(queue, DRM_NPU_RECOVERY_QUEUE);

	mutex_lock(&npu->hw_lock);
	if (queue->attached && !npu_queue_detach(queue))
		atomic64_inc(&npu->recovery.queues);
	mutex_unlock(&npu->hw_lock);
}

/**
 * npu_recovery_interrupt_lost() - handle completions of which no interrupt told
 * @queue: queue that is stuck
 *
 * One that is there at two looks in a row, a second apart, is not just on its way.
 *
 * Return: true if there may be some: the queue is not to blame.
 */
static bool npu_recovery_interrupt_lost(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	struct npu_watch *watch = &queue->watch;
	bool pending;
	u32 head;

	pending = npu_cq_pending(queue->cq, &head);
	if (pending && watch->cq_pending && watch->cq_head == head) {
		drm_err_ratelimited(&npu->drm, "interrupt of completion ring %u was lost\n",
				    queue->cq->id);
		atomic64_inc(&npu->recovery.lost_interrupts);
		npu_cq_process(queue->cq);
		pending = false;
	}
	watch->cq_pending = pending;
	watch->cq_head = head;

	return pending || READ_ONCE(queue->head) != watch->head;
}

/**
 * npu_recovery_others_busy() - does another queue keep the device busy?
 * @queue: queue that says that it waits for its turn
 *
 * Those have time-outs too, so that the wait is bounded. One that is late itself is no excuse.
 *
 * Return: true if so.
 */
static bool npu_recovery_others_busy(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	struct npu_queue *other;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(other, &npu->queues, node)
		if (other != queue && other->attached &&
		    READ_ONCE(other->head) != READ_ONCE(other->tail) &&
		    time_before_eq(jiffies, READ_ONCE(other->moved) + other->watch.bound))
			return true;

	return false;
}

/**
 * npu_recovery_bound() - how long a queue may go without any progress
 * @queue: queue
 * @info: what the firmware says of it
 *
 * A command may have a time-out of its own, in a list that only the device has read; a loop has
 * one for all rounds, at the end of which a command may just have begun.
 *
 * Return: jiffies.
 */
static unsigned long npu_recovery_bound(struct npu_queue *queue,
					const struct npu_admin_queue_info *info)
{
	unsigned long own = max(msecs_to_jiffies(queue->params.timeout_ms),
				READ_ONCE(queue->patience));
	u32 state = le32_to_cpu(info->state);
	u32 run_us = le32_to_cpu(info->run_us);

	if (!npu_recovery_has_ladder(queue->npu))
		run_us = U32_MAX;
	if (queue->params.internal ||
	    (state != NPU_QUEUE_RUNNING && state != NPU_QUEUE_WAITING))
		run_us = 0;

	return max(own, 2 * usecs_to_jiffies(run_us)) + msecs_to_jiffies(NPU_RECOVERY_BACKSTOP_MS);
}

/**
 * npu_recovery_judge() - what is to be done with a queue that completes nothing
 * @queue: queue
 * @info: what the firmware says of it
 *
 * Return: the verdict.
 */
static enum npu_verdict npu_recovery_judge(struct npu_queue *queue,
					   const struct npu_admin_queue_info *info)
{
	struct npu_watch *watch = &queue->watch;
	u32 state = le32_to_cpu(info->state);
	unsigned long since;
	bool missing;

	npu_recovery_note(queue, info);
	watch->bound = npu_recovery_bound(queue, info);

	missing = le32_to_cpu(info->head) != watch->head || state == NPU_QUEUE_FAULTED;
	if (missing && watch->missing)
		return NPU_VERDICT_MISSING;
	watch->missing = missing;

	if (npu_debugged(queue->npu) ||
	    (state == NPU_QUEUE_READY && npu_recovery_others_busy(queue))) {
		watch->excused = jiffies;
		return NPU_VERDICT_FINE;
	}

	since = READ_ONCE(queue->moved);
	if (time_after(watch->excused, since))
		since = watch->excused;
	return time_after(jiffies, since + watch->bound) ? NPU_VERDICT_HANGS : NPU_VERDICT_FINE;
}

/**
 * npu_recovery_look() - look at a queue that has completed nothing since the last look
 * @queue: queue
 * @info: set to what the firmware says of it, unless all is fine
 *
 * Without an answer of the firmware a reset is on its way, and the queue is not to blame.
 *
 * Return: what is to be done.
 */
static enum npu_verdict npu_recovery_look(struct npu_queue *queue,
					  struct npu_admin_queue_info *info)
{
	enum npu_verdict verdict = NPU_VERDICT_FINE;
	struct npu_device *npu = queue->npu;
	u32 tail = READ_ONCE(queue->tail);
	bool answered;

	if (npu_recovery_interrupt_lost(queue))
		return NPU_VERDICT_FINE;

	mutex_lock(&npu->hw_lock);
	answered = npu_recovery_query(queue, info);
	if (answered)
		verdict = npu_recovery_judge(queue, info);
	mutex_unlock(&npu->hw_lock);

	if (answered && (s32)(le32_to_cpu(info->tail) - tail) < 0) {
		drm_err_ratelimited(&npu->drm, "doorbell of queue %u was lost\n", queue->hw_id);
		npu_queue_ring_again(queue);
	}

	return READ_ONCE(queue->head) == queue->watch.head ? verdict : NPU_VERDICT_FINE;
}

/**
 * npu_recovery_hangs() - stop a queue that gets nowhere
 * @queue: queue
 * @info: what the firmware says of it
 */
static void npu_recovery_hangs(struct npu_queue *queue, const struct npu_admin_queue_info *info)
{
	drm_warn(&queue->npu->drm,
		 "%s[%d] queue %u: no progress, state %u, command %u, cores 0x%llx, pc 0x%llx\n",
		 queue->comm, queue->pid, queue->hw_id, le32_to_cpu(info->state),
		 le32_to_cpu(info->command), le64_to_cpu(info->cores), le64_to_cpu(info->pc));

	npu_coredump_hang(queue, info);
	if (!npu_recovery_stop_task(queue))
		npu_recovery_reset_queue(queue, DRM_NPU_QUEUE_TIMEOUT, -ETIME);
}

/**
 * npu_recovery_missing() - stop a queue that the device has completed without a word
 * @queue: queue
 * @info: what the firmware says of it
 *
 * Nobody knows how its jobs ended, but of one that failed. If the bus has refused the
 * completion its slot in the ring was skipped.
 */
static void npu_recovery_missing(struct npu_queue *queue, const struct npu_admin_queue_info *info)
{
	u32 status = le32_to_cpu(info->status);
	bool stuck = status == NPU_ST_BUS || npu_cq_stuck(queue->cq, queue);

	drm_warn(&queue->npu->drm, "%s[%d] queue %u: a completion was lost, status %s\n",
		 queue->comm, queue->pid, queue->hw_id, npu_status_name(status));

	atomic64_inc(&queue->npu->recovery.bad_completions);
	/* After us, on the same workqueue; before the queue is idle and lets the device sleep. */
	if (stuck)
		npu_reset_schedule(queue->npu, "completion ring is corrupt");
	npu_recovery_reset_queue(queue, DRM_NPU_QUEUE_LOST, npu_status_to_errno(status) ?: -EIO);
}

/**
 * npu_recovery_watch_work() - look whether a queue gets on
 * @work: &npu_watch.work
 *
 * A job that takes long and makes progress is left alone.
 */
static void npu_recovery_watch_work(struct work_struct *work)
{
	struct npu_watch *watch = container_of(to_delayed_work(work), struct npu_watch, work);
	struct npu_queue *queue = container_of(watch, struct npu_queue, watch);
	enum npu_verdict verdict = NPU_VERDICT_FINE;
	u32 head = READ_ONCE(queue->head);
	struct npu_admin_queue_info info;
	bool cookie;

	if (head == READ_ONCE(queue->tail))
		return;

	cookie = dma_fence_begin_signalling();
	if (head == watch->head)
		verdict = npu_recovery_look(queue, &info);
	else
		watch->missing = false;
	watch->head = READ_ONCE(queue->head);

	switch (verdict) {
	case NPU_VERDICT_HANGS:
		npu_recovery_hangs(queue, &info);
		break;
	case NPU_VERDICT_MISSING:
		npu_recovery_missing(queue, &info);
		break;
	case NPU_VERDICT_FINE:
		break;
	}

	/* What has stopped is empty now, or will be by the reset that has been scheduled. */
	if (!READ_ONCE(queue->stopped))
		npu_recovery_watch(queue);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_recovery_init_queue() - nothing of a queue has been seen yet
 * @queue: new queue
 */
void npu_recovery_init_queue(struct npu_queue *queue)
{
	INIT_DELAYED_WORK(&queue->watch.work, npu_recovery_watch_work);
	queue->watch.bound = msecs_to_jiffies(NPU_RECOVERY_BACKSTOP_MS);
	queue->watch.excused = jiffies;
}

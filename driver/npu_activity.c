// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence-chain.h>
#include <linux/jiffies.h>
#include <linux/seq_file.h>

#include <npu/npu_fw.h>
#include <npu/npu_queue.h>

#include "npu_activity.h"
#include "npu_device.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_queue.h"
#include "npu_recovery.h"
#include "npu_ring.h"
#include "npu_vm.h"

/**
 * DOC: Activity
 *
 * What a queue is at, for who wants to know why it does not get on: whether the device works
 * for it, and how far it is, or what it waits for. The firmware is asked only for a queue
 * that has something in its ring.
 */

/**
 * npu_activity_fence() - what the first job of the scheduler waits for
 * @queue: queue
 *
 * Return: a reference to the fence; NULL if it waits for none any more.
 */
static struct dma_fence *npu_activity_fence(struct npu_queue *queue)
{
	struct dma_fence *fence = NULL;
	struct npu_job *job;
	u32 i;

	spin_lock_irq(&queue->lock);
	job = list_first_entry_or_null(&queue->held, struct npu_job, held);
	for (i = 0; job && !fence && i < job->num_waits; i++) {
		/* Not dma_fence_is_signaled(), of which callbacks may take the lock. */
		if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &job->waits[i]->flags))
			fence = dma_fence_get(job->waits[i]);
	}
	spin_unlock_irq(&queue->lock);

	return fence;
}

/**
 * npu_activity_context() - whose fence is it?
 * @fence: fence, may be a point of a timeline
 *
 * Return: context of the oldest fence in it that has not signalled.
 */
static u64 npu_activity_context(struct dma_fence *fence)
{
	u64 context = fence->context;
	struct dma_fence *link;

	dma_fence_chain_for_each(link, fence) {
		struct dma_fence *inner = dma_fence_chain_contained(link);

		if (!dma_fence_is_signaled(inner))
			context = inner->context;
	}

	return context;
}

/**
 * npu_activity_blocker() - the queue that another one waits for
 * @queue: queue whose jobs the scheduler still has
 *
 * Return: its number, DRM_NPU_QUEUE_NONE if it waits for something else.
 */
static u32 npu_activity_blocker(struct npu_queue *queue)
{
	struct npu_device *npu = queue->npu;
	u32 number = DRM_NPU_QUEUE_NONE;
	struct dma_fence *fence;
	struct npu_queue *other;
	u64 context;

	lockdep_assert_held(&npu->hw_lock);

	fence = npu_activity_fence(queue);
	if (!fence)
		return number;
	context = npu_activity_context(fence);
	dma_fence_put(fence);

	list_for_each_entry(other, &npu->queues, node)
		if (other->fences->context == context)
			number = other->hw_id;

	return number;
}

/**
 * npu_activity_command() - the command that a queue is at
 * @queue: queue
 * @info: what the firmware says of it
 *
 * Return: its device address, 0 if it is between two entries.
 */
static u64 npu_activity_command(struct npu_queue *queue, const struct npu_admin_queue_info *info)
{
	u32 index = le32_to_cpu(info->head);
	const struct npu_sqe *sqe;
	u64 address = 0;

	spin_lock_irq(&queue->lock);
	sqe = &queue->sq[npu_ring_slot(index, queue->slots)];
	if (npu_ring_used(queue->head, index) < npu_ring_used(queue->head, queue->tail) &&
	    le32_to_cpu(info->command) < le32_to_cpu(sqe->count))
		address = le64_to_cpu(sqe->list) +
			  le32_to_cpu(info->command) * (u64)sizeof(struct npu_cmd);
	spin_unlock_irq(&queue->lock);

	return address;
}

static u32 npu_activity_of_hw(u32 hw_state)
{
	switch (hw_state) {
	case NPU_QUEUE_IDLE:
		return DRM_NPU_QUEUE_IDLE;
	case NPU_QUEUE_RUNNING:
		return DRM_NPU_QUEUE_RUNNING;
	case NPU_QUEUE_WAITING:
		return DRM_NPU_QUEUE_WAITING;
	case NPU_QUEUE_SUSPENDED:
		return DRM_NPU_QUEUE_SUSPENDED;
	case NPU_QUEUE_FAULTED:
		return DRM_NPU_QUEUE_STOPPED;
	case NPU_QUEUE_READY:
		return DRM_NPU_QUEUE_READY;
	default:
		return DRM_NPU_QUEUE_UNKNOWN;
	}
}

/**
 * npu_activity_ask() - ask the firmware about a queue
 * @queue: queue with something in its ring
 * @state: gets the answer
 */
static void npu_activity_ask(struct npu_queue *queue, struct drm_npu_queue_get_state *state)
{
	struct npu_admin_queue_info info;

	state->activity = DRM_NPU_QUEUE_UNKNOWN;
	if (queue->npu->state != NPU_DEVICE_ALIVE || !npu_recovery_query(queue, &info))
		return;

	npu_recovery_note(queue, &info);
	state->activity = npu_activity_of_hw(le32_to_cpu(info.state));
	state->commands_done = le64_to_cpu(info.tasks);
	state->cores = le64_to_cpu(info.cores) & queue->npu->info.core_mask;
	state->pc = le64_to_cpu(info.pc);
	state->command = npu_activity_command(queue, &info);
}

static void npu_activity_get_locked(struct npu_queue *queue, struct drm_npu_queue_get_state *state)
{
	/* First: what the scheduler has no more is in the ring. */
	bool scheduled = atomic_read_acquire(&queue->scheduled);

	lockdep_assert_held(&queue->npu->hw_lock);

	state->number = queue->hw_id;
	state->waits_for = DRM_NPU_QUEUE_NONE;
	state->commands_done = queue->tasks;

	if (READ_ONCE(queue->stopped)) {
		state->activity = DRM_NPU_QUEUE_STOPPED;
	} else if (READ_ONCE(queue->head) != READ_ONCE(queue->tail)) {
		npu_activity_ask(queue, state);
	} else if (scheduled) {
		state->activity = DRM_NPU_QUEUE_BLOCKED;
		state->waits_for = npu_activity_blocker(queue);
	} else {
		state->activity = DRM_NPU_QUEUE_IDLE;
	}

	if (state->activity != DRM_NPU_QUEUE_IDLE)
		state->still_ns = jiffies_to_nsecs(jiffies - READ_ONCE(queue->moved));
}

/**
 * npu_activity_get() - tell user space what a queue is at
 * @queue: queue
 * @state: its state, to be completed
 */
void npu_activity_get(struct npu_queue *queue, struct drm_npu_queue_get_state *state)
{
	mutex_lock(&queue->npu->hw_lock);
	npu_activity_get_locked(queue, state);
	mutex_unlock(&queue->npu->hw_lock);
}

static const char *npu_activity_name(u32 activity)
{
	static const char * const names[] = {
		[DRM_NPU_QUEUE_IDLE] = "idle",
		[DRM_NPU_QUEUE_READY] = "ready",
		[DRM_NPU_QUEUE_RUNNING] = "running",
		[DRM_NPU_QUEUE_WAITING] = "waiting",
		[DRM_NPU_QUEUE_BLOCKED] = "blocked",
		[DRM_NPU_QUEUE_SUSPENDED] = "suspended",
		[DRM_NPU_QUEUE_STOPPED] = "stopped",
		[DRM_NPU_QUEUE_UNKNOWN] = "unknown",
	};

	return names[activity];
}

/**
 * npu_activity_show() - print what the queues of a device are at
 * @npu: device, awake
 * @m: where to print it
 *
 * The name of a process may have spaces, so it comes last.
 */
void npu_activity_show(struct npu_device *npu, struct seq_file *m)
{
	struct npu_queue *queue;

	seq_puts(m, "id context activity submitted completed commands still_ms waits_for command cores pc pid process\n");

	mutex_lock(&npu->hw_lock);
	list_for_each_entry(queue, &npu->queues, node) {
		struct drm_npu_queue_get_state state = {};

		npu_activity_get_locked(queue, &state);
		npu_queue_get_state(queue, &state);
		seq_printf(m, "%u %u %s %llu %llu %llu %llu %d 0x%llx 0x%llx 0x%llx %d %s\n",
			   state.number, queue->vm->context, npu_activity_name(state.activity),
			   state.jobs_submitted, state.jobs_completed, state.commands_done,
			   div_u64(state.still_ns, NSEC_PER_MSEC), (s32)state.waits_for,
			   state.command, state.cores, state.pc, queue->pid, queue->comm);
	}
	mutex_unlock(&npu->hw_lock);
}

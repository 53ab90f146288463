// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/wait.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_sleep.h"

/**
 * DOC: Sleep of queues
 *
 * Before the system sleeps each queue that has something to do is suspended, at a border of
 * commands. A device that keeps its state just resumes them. One that has been powered down,
 * but for HBM, gets them anew: what is left in the ring moves to its begin, and of the oldest
 * entry, which may have been done in part, the commands that are done are left out. A device
 * before NPU_HW_VERSION_1_1 cannot start in the midst of a list, so for it they are cut off. No
 * command is done twice, and none is missed.
 *
 * Jobs that are suspended end when the system is awake again. Who waits for them meanwhile would
 * keep it from sleeping, if it is a process, or from waking, if it is the kernel: MMU notifiers
 * wait with npu_sleep_wait_idle().
 */

#define NPU_SLEEP_POLL_MS 10

/**
 * struct npu_sleep_cb - callback of a fence that is waited for
 */
struct npu_sleep_cb {
	/** @base: base */
	struct dma_fence_cb base;
	/** @wait: who waits */
	wait_queue_head_t *wait;
};

static void npu_sleep_fence_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	wake_up_all(container_of(cb, struct npu_sleep_cb, base)->wait);
}

/**
 * npu_sleep_wait_fence() - wait for a fence, or until the system is about to sleep
 * @npu: device
 * @fence: fence
 * @stay: only for the fence. The caller may be frozen meanwhile, with the locks that it has
 *
 * Return: true if the fence has been signalled.
 */
static bool npu_sleep_wait_fence(struct npu_device *npu, struct dma_fence *fence, bool stay)
{
	const unsigned int state = TASK_UNINTERRUPTIBLE | TASK_FREEZABLE_UNSAFE;
	struct npu_sleep_cb cb = { .wait = &npu->pm.wait };

	/* Does not wait, but tells lockdep. */
	if (dma_fence_wait_timeout(fence, false, 0) > 0 ||
	    dma_fence_add_callback(fence, &cb.base, npu_sleep_fence_cb))
		return true;

	wait_event_state(npu->pm.wait, test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags) ||
			 (!stay && READ_ONCE(npu->pm.sleeping)), state);
	return !dma_fence_remove_callback(fence, &cb.base);
}

/**
 * npu_sleep_wait_idle() - wait for all fences, or until the system is about to sleep
 * @npu: device
 * @resv: with the fences
 * @stay: only for the fences
 *
 * Return: true if they have all been signalled.
 */
bool npu_sleep_wait_idle(struct npu_device *npu, struct dma_resv *resv, bool stay)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool idle = true;

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		idle = npu_sleep_wait_fence(npu, fence, stay);
		if (!idle)
			break;
	}
	dma_resv_iter_end(&cursor);

	return idle;
}

/**
 * npu_sleep_all_idle() - has no queue anything to do?
 * @npu: device
 *
 * Return: true if so. Jobs that wait for a fence count: nothing may have to wake the device
 * when it is signalled.
 */
bool npu_sleep_all_idle(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (atomic_read(&queue->scheduled) ||
		    READ_ONCE(queue->head) != READ_ONCE(queue->tail))
			return false;
	}

	return true;
}

static int npu_sleep_exec(struct npu_queue *queue, u8 opcode, struct npu_admin_cqe *reply)
{
	struct npu_admin_cmd cmd = {
		.opcode = opcode,
		.id = cpu_to_le32(queue->hw_id),
	};

	return npu_admin_exec(queue->npu, &cmd, reply);
}

/**
 * npu_sleep_suspend() - suspend a queue
 * @queue: queue
 * @deadline: jiffies, when to give up
 *
 * Return: 0 on success, -EBUSY if it does not come to a border, another negative error code
 * if the firmware cannot be talked to.
 */
static int npu_sleep_suspend(struct npu_queue *queue, unsigned long deadline)
{
	struct npu_admin_cqe reply;
	int ret;

	queue->suspended = true;
	ret = npu_sleep_exec(queue, NPU_ADMIN_QUEUE_SUSPEND, NULL);

	/* The firmware waits for a while only; it takes effect later all the same. */
	while (ret == -EBUSY && time_before(jiffies, deadline)) {
		msleep(NPU_SLEEP_POLL_MS);
		ret = npu_sleep_exec(queue, NPU_ADMIN_QUEUE_QUERY, &reply);
		if (!ret && le32_to_cpu(reply.queue.state) != NPU_QUEUE_SUSPENDED &&
		    le32_to_cpu(reply.queue.state) != NPU_QUEUE_FAULTED)
			ret = -EBUSY;
	}

	return ret;
}

/**
 * npu_sleep_look() - see how far a queue has come
 * @queue: queue, suspended
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_sleep_look(struct npu_queue *queue)
{
	struct npu_admin_cqe reply;
	int ret;

	ret = npu_sleep_exec(queue, NPU_ADMIN_QUEUE_QUERY, &reply);
	if (ret)
		return ret;

	npu_cq_process(queue->cq);
	queue->begun = le64_to_cpu(reply.queue.tasks) - queue->tasks;
	return 0;
}

/**
 * npu_sleep_stop() - have no job run that waits for a fence, until npu_sleep_end()
 * @npu: device
 *
 * Waits for works that signal fences, so it is not part of that itself.
 */
void npu_sleep_stop(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node)
		drm_sched_wqueue_stop(&queue->sched);
}

/**
 * npu_sleep_begin() - suspend all queues
 * @npu: device, to which nobody submits, after npu_sleep_stop()
 * @timeout: jiffies that it may take
 *
 * Return: 0 until npu_sleep_end(); a negative error code if all goes on as before.
 */
int npu_sleep_begin(struct npu_device *npu, unsigned long timeout)
{
	unsigned long deadline = jiffies + timeout;
	struct npu_queue *queue;
	int ret = 0;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (!queue->attached || READ_ONCE(queue->head) == READ_ONCE(queue->tail))
			continue;

		ret = npu_sleep_suspend(queue, deadline) ?: npu_sleep_look(queue);
		if (ret) {
			npu_sleep_end(npu);
			break;
		}
	}

	return ret;
}

/**
 * npu_sleep_reverse() - reverse the order of ring slots
 * @queue: queue, locked
 * @first: first of them
 * @last: last of them
 */
static void npu_sleep_reverse(struct npu_queue *queue, u32 first, u32 last)
{
	for (; first < last; first++, last--) {
		swap(queue->sq[first], queue->sq[last]);
		swap(queue->inflight[first], queue->inflight[last]);
	}
}

/**
 * npu_sleep_rewind() - move what is in a queue's ring to its begin
 * @queue: queue that the hardware does not know
 *
 * Return: 0 on success, -EPROTO if the device has told nonsense.
 */
static int npu_sleep_rewind(struct npu_queue *queue)
{
	u32 first = queue->head & (queue->slots - 1);
	u32 count = queue->tail - queue->head;
	struct npu_sqe *sqe = &queue->sq[0];
	u32 i;

	lockdep_assert_held(&queue->lock);

	if (first) {
		npu_sleep_reverse(queue, 0, first - 1);
		npu_sleep_reverse(queue, first, queue->slots - 1);
		npu_sleep_reverse(queue, 0, queue->slots - 1);
	}

	queue->head = 0;
	queue->tail = count;
	queue->tasks = 0;
	queue->watch.progress = 0;
	queue->moved = jiffies;
	for (i = 0; i < count; i++)
		queue->sq[i].cookie = cpu_to_le64(i);

	if (!count || !queue->begun)
		return 0;
	if (queue->begun > le32_to_cpu(sqe->count))
		return -EPROTO;

	/* A list that goes on elsewhere in itself has to stay whole. */
	if (queue->npu->info.hw_version >= NPU_HW_VERSION_1_1) {
		sqe->first = cpu_to_le32(queue->begun);
		queue->begun = 0;
		return 0;
	}

	queue->cut = queue->begun;
	queue->begun = 0;
	le32_add_cpu(&sqe->count, -queue->cut);
	le64_add_cpu(&sqe->list, queue->cut * sizeof(struct npu_cmd));
	if (!sqe->count) {
		sqe->opcode = NPU_SQE_NOP;
		sqe->list = 0;
	}
	return 0;
}

/**
 * npu_sleep_restore() - give all queues to a device that has forgotten them
 * @npu: device that has just booted
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_sleep_restore(struct npu_device *npu)
{
	struct npu_queue *queue;
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (!queue->attached)
			continue;
		if (READ_ONCE(queue->stopped)) {
			npu_queue_detached(queue);
			continue;
		}

		spin_lock_irq(&queue->lock);
		ret = npu_sleep_rewind(queue);
		spin_unlock_irq(&queue->lock);
		if (!ret)
			ret = npu_queue_create_hw(queue);
		if (ret)
			return ret;

		queue->suspended = false;
		npu_write(npu, NPU_DB_SQ_TAIL(queue->hw_id), queue->tail);
	}

	return 0;
}

/**
 * npu_sleep_end() - let all queues go on
 * @npu: device
 */
void npu_sleep_end(struct npu_device *npu)
{
	struct npu_queue *queue;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(queue, &npu->queues, node) {
		if (queue->suspended && npu->state == NPU_DEVICE_ALIVE &&
		    npu_sleep_exec(queue, NPU_ADMIN_QUEUE_RESUME, NULL))
			npu_reset_schedule(npu, "a queue cannot be resumed");
		queue->suspended = false;
		queue->moved = jiffies;
		drm_sched_wqueue_start(&queue->sched);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_ring.h"

#define NPU_CQ_ENTRIES 4096
/*
 * The phase bit tells new entries from old ones, so the device needs to know the
 * head only to see that there is room: save the doorbell most of the time.
 */
#define NPU_CQ_TELL (NPU_CQ_ENTRIES / 4)

static_assert(NPU_CQ_ENTRIES <= NPU_CQ_MAX_ENTRIES);

/**
 * npu_cq_init() - allocate the completion rings
 * @npu: device
 * @count: how many
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_cq_init(struct npu_device *npu, unsigned int count)
{
	unsigned int i;

	/* Queues hold on to their ring's structure after the device has gone. */
	npu->cqs = drmm_kcalloc(&npu->drm, count, sizeof(*npu->cqs), GFP_KERNEL);
	if (!npu->cqs)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		struct npu_cq *cq = &npu->cqs[i];

		cq->npu = npu;
		cq->id = i;
		spin_lock_init(&cq->lock);
		cq->ring = dmam_alloc_coherent(npu->drm.dev, NPU_CQ_ENTRIES * sizeof(*cq->ring),
					       &cq->dma, GFP_KERNEL);
		if (!cq->ring)
			return -ENOMEM;
	}

	npu->num_cqs = count;
	return 0;
}

/**
 * npu_cq_clear() - begin anew with an empty ring
 * @cq: completion ring that the device does not write to
 */
static void npu_cq_clear(struct npu_cq *cq)
{
	/* A watchdog may be looking at it. */
	spin_lock_irq(&cq->lock);
	memset(cq->ring, 0, NPU_CQ_ENTRIES * sizeof(*cq->ring));
	cq->head = 0;
	cq->told = 0;
	spin_unlock_irq(&cq->lock);
}

/**
 * npu_cq_create_all() - create the rings in a device that has just booted
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_cq_create_all(struct npu_device *npu)
{
	unsigned int i;
	int ret;

	for (i = 0; i < npu->num_cqs; i++) {
		struct npu_cq *cq = &npu->cqs[i];
		struct npu_admin_cmd cmd = {
			.opcode = NPU_ADMIN_CQ_CREATE,
			.id = cpu_to_le32(cq->id),
			.cq = {
				.base = cpu_to_le64(cq->dma),
				.entries = cpu_to_le32(NPU_CQ_ENTRIES),
				.vector = cpu_to_le32(1 + cq->id),
			},
		};

		npu_cq_clear(cq);
		ret = npu_admin_exec(npu, &cmd, NULL);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * npu_cq_forget_all() - drop what has not been handled
 * @npu: device, quiet, without queues
 *
 * An interrupt or a watchdog that comes late would take it for nonsense.
 */
void npu_cq_forget_all(struct npu_device *npu)
{
	unsigned int i;

	for (i = 0; i < npu->num_cqs; i++)
		npu_cq_clear(&npu->cqs[i]);
}

/**
 * npu_cq_pick() - completion ring for a new queue
 * @npu: device
 *
 * Return: the ring whose interrupt comes to this CPU, if there is one.
 */
struct npu_cq *npu_cq_pick(struct npu_device *npu)
{
	return &npu->cqs[raw_smp_processor_id() % npu->num_cqs];
}

/**
 * npu_cq_handle() - handle one completion
 * @cq: completion ring
 * @cqe: completion, a copy
 */
static void npu_cq_handle(struct npu_cq *cq, const struct npu_cqe *cqe)
{
	struct npu_device *npu = cq->npu;
	u16 id = le16_to_cpu(cqe->queue);
	struct npu_queue *queue = NULL;

	if (id < npu->info.num_queues)
		queue = npu->hw_queues[array_index_nospec(id, npu->info.num_queues)];

	if (!queue || queue->cq != cq || npu_queue_complete(queue, cqe)) {
		drm_err_ratelimited(&npu->drm, "completion ring %u: bad entry for queue %u\n",
				    cq->id, id);
		atomic64_inc(&npu->recovery.bad_completions);
		npu_reset_schedule(npu, "completion ring is corrupt");
	}
}

/**
 * npu_cq_valid() - has the device written an entry?
 * @slot: where
 * @index: free-running index of it
 *
 * Return: true if the entry can be read.
 */
static bool npu_cq_valid(const struct npu_cqe *slot, u32 index)
{
	bool phase = npu_ring_phase(index, NPU_CQ_ENTRIES);

	if (!!(le16_to_cpu(READ_ONCE(slot->flags)) & NPU_CQE_PHASE) != phase)
		return false;

	dma_rmb(); /* the rest was written before the phase */
	return true;
}

/**
 * npu_cq_pending() - is there an entry that nobody has handled?
 * @cq: completion ring
 * @head: set to its index, if so
 *
 * Return: true if so.
 */
bool npu_cq_pending(struct npu_cq *cq, u32 *head)
{
	bool pending;

	spin_lock_irq(&cq->lock);
	*head = cq->head;
	pending = npu_cq_valid(&cq->ring[npu_ring_slot(cq->head, NPU_CQ_ENTRIES)], cq->head);
	spin_unlock_irq(&cq->lock);

	return pending;
}

/**
 * npu_cq_stuck() - is there an entry that will never be seen?
 * @cq: completion ring
 * @queue: queue of which a completion is missing
 *
 * It was written with the phase of the pass before, or skipped: then it is where the
 * next one is looked for, or those behind it are there.
 *
 * Return: true if the ring is of no more use.
 */
bool npu_cq_stuck(struct npu_cq *cq, const struct npu_queue *queue)
{
	struct npu_cqe next;
	bool stuck;

	spin_lock_irq(&cq->lock);
	next = cq->ring[npu_ring_slot(cq->head, NPU_CQ_ENTRIES)];
	stuck = !npu_cq_valid(&next, cq->head) &&
		(npu_queue_expects(queue, &next) ||
		 npu_cq_valid(&cq->ring[npu_ring_slot(cq->head + 1, NPU_CQ_ENTRIES)],
			      cq->head + 1));
	spin_unlock_irq(&cq->lock);

	return stuck;
}

/**
 * npu_cq_process_locked() - take all completions from the ring
 * @cq: completion ring, locked
 */
static void npu_cq_process_locked(struct npu_cq *cq)
{
	unsigned int i;

	/* The device may write as fast as we read: at most one round. */
	for (i = 0; i < NPU_CQ_ENTRIES; i++) {
		struct npu_cqe *slot = &cq->ring[npu_ring_slot(cq->head, NPU_CQ_ENTRIES)];
		struct npu_cqe cqe;

		if (!npu_cq_valid(slot, cq->head))
			break;

		cqe = *slot;
		cq->head++;
		npu_cq_handle(cq, &cqe);

		if (npu_ring_used(cq->told, cq->head) >= NPU_CQ_TELL) {
			cq->told = cq->head;
			npu_write(cq->npu, NPU_DB_CQ_HEAD(cq->id), cq->told);
		}
	}
}

/**
 * npu_cq_process() - take all completions from the ring
 * @cq: completion ring
 */
void npu_cq_process(struct npu_cq *cq)
{
	unsigned long flags;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	spin_lock_irqsave(&cq->lock, flags);
	npu_cq_process_locked(cq);
	spin_unlock_irqrestore(&cq->lock, flags);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_cq_set_queue() - make completions go to a queue, or to none any more
 * @cq: completion ring
 * @hw_id: hardware queue
 * @queue: queue, or NULL
 *
 * When NULL has been set the queue has seen all that the device had to say of it.
 */
void npu_cq_set_queue(struct npu_cq *cq, u32 hw_id, struct npu_queue *queue)
{
	struct npu_device *npu = cq->npu;

	lockdep_assert_held(&npu->hw_lock);

	spin_lock_irq(&cq->lock);
	if (!queue && npu->state == NPU_DEVICE_ALIVE)
		npu_cq_process_locked(cq);
	npu->hw_queues[hw_id] = queue;
	spin_unlock_irq(&cq->lock);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>

#include "npu_device.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_room.h"

/**
 * DOC: Room in HBM
 *
 * Whoever finds no room in HBM may have met buffers that others had locked for a moment, or
 * that jobs use. It lets go of its own reservation locks, waits for one of these jobs, and
 * tries again, one at a time. It fails at once if it wants more than there is.
 *
 * Jobs are not waited for with locks held, but for a moment by one who has had no luck: a job
 * may wait on the device for another one, whose submission needs the lock.
 */

/* Long enough for a VM that has a job in flight at any time to finish what it has. */
#define NPU_ROOM_PATIENCE_MS 100

/* Others hold their locks for moments, of which there may be many. */
#define NPU_ROOM_TRIES 1000
#define NPU_ROOM_WAIT_US 1000

/**
 * npu_room_init() - set up the competition for HBM
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_room_init(struct npu_device *npu)
{
	npu->room.patience = jiffies;
	return drmm_mutex_init(&npu->drm, &npu->room.lock);
}

/**
 * npu_room_note_busy() - remember a job to wait for
 * @npu: device
 * @resv: lock of a buffer that it uses, held
 */
static void npu_room_note_busy(struct npu_device *npu, struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence) {
		if (dma_fence_is_signaled(fence))
			continue;

		dma_fence_put(xchg(&npu->room.busy, dma_fence_get(fence)));
		break;
	}
}

/**
 * npu_room_can_move() - may a buffer be moved now?
 * @npu: device
 * @tbo: buffer, locked
 *
 * Return: true if no job uses it.
 */
bool npu_room_can_move(struct npu_device *npu, struct ttm_buffer_object *tbo)
{
	long wait = READ_ONCE(npu->room.patience) - jiffies;
	struct dma_resv *resv = tbo->base.resv;

	if ((!tbo->deleted && !npu_gem_is_reachable(tbo)) ||
	    dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP))
		return true;
	if (wait > 0 && dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, true, wait) > 0)
		return true;

	npu_room_note_busy(npu, resv);
	return false;
}

/**
 * npu_room_claim_begin() - begin to ask for room in HBM
 * @claim: claim
 * @npu: device
 * @bytes: how much is needed, what the claimer has already included
 */
void npu_room_claim_begin(struct npu_room_claim *claim, struct npu_device *npu, u64 bytes)
{
	*claim = (struct npu_room_claim) { .npu = npu, .bytes = bytes };
}

/**
 * npu_room_claim_lock() - be the only one who insists on room
 * @claim: claim
 *
 * Return: 0 on success, a negative error code if interrupted.
 */
int npu_room_claim_lock(struct npu_room_claim *claim)
{
	int ret = 0;

	if (!claim->locked)
		ret = mutex_lock_interruptible(&claim->npu->room.lock);
	claim->locked = !ret;
	claim->insists = true;
	return ret;
}

/**
 * npu_room_claim_pause() - let others insist on room
 * @claim: claim
 *
 * For a wait that has nothing to do with the device, such as a page fault.
 */
void npu_room_claim_pause(struct npu_room_claim *claim)
{
	if (claim->locked)
		mutex_unlock(&claim->npu->room.lock);
	claim->locked = false;
}

/**
 * npu_room_claim_resume() - be the only one who insists on room again, if that was so
 * @claim: claim
 *
 * Return: 0 on success, a negative error code if interrupted.
 */
int npu_room_claim_resume(struct npu_room_claim *claim)
{
	return claim->insists ? npu_room_claim_lock(claim) : 0;
}

/**
 * npu_room_wait() - wait for what stood in the way to go
 * @claim: claim
 *
 * Return: 0 when it is worth another attempt, -ENOSPC if there is no hope, another negative
 * error code if interrupted.
 */
static int npu_room_wait(struct npu_room_claim *claim)
{
	struct npu_device *npu = claim->npu;
	struct dma_fence *fence;
	int ret;

	if (drm_dev_is_unplugged(&npu->drm))
		return -ENODEV;
	if (signal_pending(current))
		return -ERESTARTSYS;

	fence = xchg(&npu->room.busy, NULL);
	if (fence) {
		npu_room_claim_pause(claim);
		ret = dma_fence_wait(fence, true);
		dma_fence_put(fence);
		return ret;
	}

	if (claim->bytes > npu_hbm_movable(npu) || ++claim->tries >= NPU_ROOM_TRIES)
		return -ENOSPC;

	if (claim->tries > 1)
		usleep_range(NPU_ROOM_WAIT_US, 2 * NPU_ROOM_WAIT_US);
	return 0;
}

/**
 * npu_room_claim_again() - is it worth another attempt?
 * @claim: claim
 * @ret: result of the last attempt, which has let go of all reservation locks; -EAGAIN if
 * what it needs beside room was not there, -EDQUOT, which becomes -ENOSPC, at a limit of the
 * process, where no room would help
 *
 * If not the claim has ended, with @ret.
 *
 * Return: true if so.
 */
bool npu_room_claim_again(struct npu_room_claim *claim, int *ret)
{
	struct npu_room *room = &claim->npu->room;

	if (*ret == -EAGAIN) {
		npu_room_claim_pause(claim);
		if (signal_pending(current))
			*ret = -ERESTARTSYS;
	} else if (*ret == -ENOSPC) {
		*ret = npu_room_wait(claim) ?: npu_room_claim_lock(claim) ?: -EAGAIN;
	} else if (*ret == -EDQUOT) {
		*ret = -ENOSPC;
	}
	if (*ret == -EAGAIN) {
		WRITE_ONCE(room->patience, jiffies + msecs_to_jiffies(NPU_ROOM_PATIENCE_MS));
		return true;
	}

	npu_room_claim_pause(claim);
	/* A fence keeps the module. */
	dma_fence_put(xchg(&room->busy, NULL));
	return false;
}

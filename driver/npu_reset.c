// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>
#include <linux/kobject.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_compat.h"
#include "npu_coredump.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_irq.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_sleep.h"
#include "npu_trace.h"
#include "npu_vm.h"

/**
 * DOC: Reset
 *
 * A reset loses queues, and nothing else: their fences are signalled with an
 * error, and whoever uses one finds it %DRM_NPU_QUEUE_LOST, but for the one that
 * made it necessary. HBM keeps its contents, so that VMs and buffers stay what they
 * were; contexts are set again.
 *
 * The function may also be reset by somebody else, and so may the bus. All of these take
 * the device off line, npu_reset_begin(), with fences signalled, and bring it up again when the
 * last of them is done with it, npu_reset_end(). Only what fences wait for is done under
 * &npu_device.hw_lock: not what takes locks of the PCI core.
 *
 * If it does not come out of a reset by register, bus mastering off is enough for that: HBM it
 * could write to has no other use before it is back. A function level reset takes memory away
 * from under the CPU, so nobody may use it then, npu_offline_close(), and it may take a minute.
 *
 * A reset that fails, by register and as FLR, leaves the device wedged, with bus
 * mastering off so that memory can be freed.
 */

#define NPU_RESET_TIMEOUT_US (5 * USEC_PER_SEC)

/* What may help then, in the words of drm-uapi.rst. */
#define NPU_RESET_WEDGED_RECOVERY "rebind,bus-reset"

/**
 * npu_reset_wait_ready() - wait until the device has come out of reset
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_wait_ready(struct npu_device *npu)
{
	u32 status;
	int ret;

	ret = npu_poll_timeout(npu, NPU_REG_DEV_STATUS, status,
			       status == ~0U || !(status & NPU_DEV_STATUS_RESETTING),
			       100, NPU_RESET_TIMEOUT_US);
	if (!ret && status == ~0U)
		ret = -ENODEV;
	return ret;
}

/**
 * npu_reset_restore() - give the function its configuration back
 * @npu: device that nobody else talks to
 *
 * Takes locks under which memory is allocated. There is no DMA until it is booted: it may have
 * been given up.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_restore(struct npu_device *npu)
{
	/* Not as it was last, which may be all ones. */
	if (!pci_load_saved_state(npu->pdev, npu->reset.pci_state))
		pci_restore_state(npu->pdev);
	pci_clear_master(npu->pdev);

	return npu_reset_wait_ready(npu);
}

/**
 * npu_reset_flr() - function level reset
 * @npu: device that nobody else talks to
 *
 * Takes locks under which memory is allocated.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_flr(struct npu_device *npu)
{
	int ret, restored;

	drm_err(&npu->drm, "device does not come up, trying FLR\n");
	WRITE_ONCE(npu->reset.stuck, false);
	if (!pci_device_is_present(npu->pdev))
		return -ENODEV;

	ret = pcie_reset_flr(npu->pdev, PCI_RESET_DO_RESET);
	restored = npu_reset_restore(npu);
	return ret ?: restored;
}

/**
 * npu_reset_hw() - reset the device by register
 * @npu: device
 *
 * Return: 0 when no engine does anything any more, -ETIMEDOUT if npu_reset_flr() may help, another
 * negative error code otherwise.
 */
static int npu_reset_hw(struct npu_device *npu)
{
	int ret;

	npu_write(npu, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
	ret = npu_reset_wait_ready(npu);
	WRITE_ONCE(npu->reset.stuck, ret == -ETIMEDOUT);
	return ret;
}

/**
 * npu_reset_boot() - from a device fresh out of reset to one that works
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_boot(struct npu_device *npu)
{
	int ret;

	npu_admin_start(npu);

	ret = npu_fw_boot(npu);
	if (ret)
		return ret;

	ret = npu_admin_identify(npu);
	if (ret)
		return ret;

	ret = npu_cq_create_all(npu);
	if (ret)
		return ret;

	ret = npu_vm_set_contexts(npu);
	if (ret)
		return ret;

	npu_device_set_state(npu, NPU_DEVICE_ALIVE);
	trace_npu_device_state(npu);
	return 0;
}

/**
 * npu_reset_wedged_work() - tell user space that the device has been given up
 * @work: &npu_reset.wedged
 *
 * In the form of drm_dev_wedged_event(), which knows only devices with a primary node.
 */
static void npu_reset_wedged_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, reset.wedged);
	char event[32], *envp[] = { event, NULL };

	snprintf(event, sizeof(event), "WEDGED=%s", NPU_RESET_WEDGED_RECOVERY);

	kobject_uevent_env(&npu->drm.accel->kdev->kobj, KOBJ_CHANGE, envp);
}

/**
 * npu_reset_wedge() - give the device up
 * @npu: device
 */
static void npu_reset_wedge(struct npu_device *npu)
{
	pci_clear_master(npu->pdev);
	npu_device_set_state(npu, NPU_DEVICE_WEDGED);
	trace_npu_device_state(npu);
	queue_work(system_dfl_wq, &npu->reset.wedged);
	drm_err(&npu->drm, "device is wedged, unbind and bind the driver to recover\n");
}

/**
 * npu_reset_count_crash() - is it for the firmware that the device is reset?
 * @npu: device
 */
static void npu_reset_count_crash(struct npu_device *npu)
{
	u32 status = npu_read(npu, NPU_REG_DEV_STATUS);

	if (npu->reset.fw_silent || (status != ~0U && (status & NPU_DEV_STATUS_FW_DEAD)))
		atomic64_inc(&npu->recovery.firmware_crashes);
	npu->reset.fw_silent = false;
}

/**
 * npu_reset_begin() - take the device down
 * @npu: device, alive
 * @hold: NPU_HOLD_* for npu_reset_end()
 */
static void npu_reset_begin(struct npu_device *npu, unsigned int hold)
{
	int ret;

	npu->offline.holds |= hold;
	npu_device_set_state(npu, NPU_DEVICE_OFFLINE);
	trace_npu_device_state(npu);
	atomic_inc(&npu->reset.count);
	npu_reset_count_crash(npu);

	npu_queue_stop_all(npu, -ECANCELED);
	npu_irq_disable(npu);

	ret = npu_reset_hw(npu);
	if (ret == -ETIMEDOUT)
		pci_clear_master(npu->pdev);
	else if (ret)
		npu_reset_wedge(npu);

	npu_queue_detach_all(npu);
}

/**
 * npu_reset_bring_up() - boot the device, with interrupts
 * @npu: device, quiet
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_bring_up(struct npu_device *npu)
{
	int ret;

	npu_device_set_state(npu, NPU_DEVICE_RESETTING);
	pci_set_master(npu->pdev);
	npu_irq_enable(npu);
	ret = npu_reset_boot(npu);
	if (ret)
		npu_irq_disable(npu);
	return ret;
}

/**
 * npu_reset_reboot() - bring up a device that has lost its state
 * @npu: device, off line
 *
 * Queues are the caller's business.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_reset_reboot(struct npu_device *npu)
{
	lockdep_assert_held(&npu->hw_lock);

	return npu_reset_hw(npu) ?: npu_reset_bring_up(npu);
}

/**
 * npu_reset_give_up() - the device is not to be had back
 * @npu: device, off line or quiet
 */
void npu_reset_give_up(struct npu_device *npu)
{
	lockdep_assert_held(&npu->hw_lock);

	npu_queue_stop_all(npu, -ECANCELED);
	npu_reset_wedge(npu);
	npu_queue_detach_all(npu);
}

/**
 * npu_reset_retry() - the device has not come up: try once more, after FLR
 * @npu: device, off line or quiet; or alive, without all of its queues
 */
void npu_reset_retry(struct npu_device *npu)
{
	lockdep_assert_held(&npu->hw_lock);

	if (npu->state == NPU_DEVICE_ALIVE)
		npu_irq_disable(npu);
	pci_clear_master(npu->pdev);
	WRITE_ONCE(npu->reset.stuck, true);

	npu->offline.holds |= NPU_HOLD_RESET;
	npu_device_set_state(npu, NPU_DEVICE_OFFLINE);
	npu_queue_stop_all(npu, -ECANCELED);
	npu_queue_detach_all(npu);
	queue_work(system_dfl_wq, &npu->reset.up);
}

/**
 * npu_reset_come_back() - bring the device up when nobody keeps it off line any more
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_reset_come_back(struct npu_device *npu)
{
	int ret = 0;

	if (npu->offline.holds || npu->state != NPU_DEVICE_OFFLINE)
		return 0;

	/* What the system's sleep had kept when the bus failed. */
	npu_queue_stop_all(npu, -ECANCELED);
	npu_queue_detach_all(npu);

	ret = npu_reset_bring_up(npu);
	if (!ret)
		drm_notice(&npu->drm, "device has been reset\n");
	return ret;
}

/**
 * npu_reset_end() - be done with a device that was taken off line
 * @npu: device
 * @hold: NPU_HOLD_FUNCTION or NPU_HOLD_BUS
 */
static void npu_reset_end(struct npu_device *npu, unsigned int hold)
{
	bool cookie;
	int ret;

	flush_work(&npu->reset.up);

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->offline.holds & hold) {
		npu->offline.holds &= ~hold;
		ret = npu->state == NPU_DEVICE_OFFLINE ? npu_reset_hw(npu) : 0;
		if (!ret)
			ret = npu_reset_come_back(npu);
		if (ret == -ENODEV)
			npu_reset_give_up(npu);
		else if (ret)
			npu_reset_retry(npu);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_reset_up_work() - bring the device up after a reset of our own
 * @work: &npu_reset.up
 */
static void npu_reset_up_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, reset.up);
	bool retry, cookie;
	int ret = 0;

	/* Others that hold it wait for us. */
	retry = !READ_ONCE(npu->reset.stuck);
	if (!retry) {
		npu_offline_close(npu);
		ret = npu_reset_flr(npu);
	}

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->offline.holds & NPU_HOLD_RESET) {
		npu->offline.holds &= ~NPU_HOLD_RESET;
		if (!ret)
			ret = npu_reset_come_back(npu);
		if (ret && retry && ret != -ENODEV)
			npu_reset_retry(npu);
		else if (ret)
			npu_reset_give_up(npu);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

static void npu_reset_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, reset.work);
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE) {
		npu_coredump_reset(npu, npu->reset.reason);
		npu_reset_begin(npu, NPU_HOLD_RESET);
		if (npu->state == NPU_DEVICE_OFFLINE)
			queue_work(system_dfl_wq, &npu->reset.up);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

static void npu_reset_destroy_wq(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

static void npu_reset_fini(void *arg)
{
	struct npu_device *npu = arg;

	cancel_work_sync(&npu->reset.wedged);
	kfree(npu->reset.pci_state);
}

/**
 * npu_reset_init() - set up the reset work
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_reset_init(struct npu_device *npu)
{
	int ret;

	npu->state = NPU_DEVICE_RESETTING;
	INIT_WORK(&npu->reset.work, npu_reset_work);
	INIT_WORK(&npu->reset.up, npu_reset_up_work);
	INIT_WORK(&npu->reset.wedged, npu_reset_wedged_work);

	pci_save_state(npu->pdev);
	npu->reset.pci_state = pci_store_saved_state(npu->pdev);
	ret = devm_add_action_or_reset(npu->drm.dev, npu_reset_fini, npu);
	if (ret)
		return ret;
	if (!npu->reset.pci_state)
		return -ENOMEM;

	npu->reset.wq = alloc_ordered_workqueue("npu-reset", WQ_MEM_RECLAIM);
	if (!npu->reset.wq)
		return -ENOMEM;

	return drmm_add_action_or_reset(&npu->drm, npu_reset_destroy_wq, npu->reset.wq);
}

/**
 * npu_reset_quiesce() - take the device away from everybody
 * @npu: device
 */
static void npu_reset_quiesce(struct npu_device *npu)
{
	lockdep_assert_held(&npu->hw_lock);

	npu_reset_hw(npu);
	pci_clear_master(npu->pdev);
	npu_device_set_state(npu, NPU_DEVICE_GONE);
}

/**
 * npu_reset_cancel() - neither a reset nor a time-out touches what devres is about to free
 * @npu: device, gone
 */
static void npu_reset_cancel(struct npu_device *npu)
{
	cancel_work_sync(&npu->reset.work);
	cancel_work_sync(&npu->reset.up);
	flush_workqueue(npu->reset.wq);

	if (npu->reset.stuck)
		npu_reset_flr(npu);
}

static void npu_reset_release(void *arg)
{
	struct npu_device *npu = arg;

	mutex_lock(&npu->hw_lock);
	npu_reset_quiesce(npu);
	mutex_unlock(&npu->hw_lock);

	/* If probing fails after the boot one may have been asked for. */
	npu_reset_cancel(npu);
}

/**
 * npu_reset_first_boot() - bring the device up when the driver is bound
 * @npu: device
 *
 * Who had it before may have left it in any state.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_reset_first_boot(struct npu_device *npu)
{
	int ret;

	/* However probing ends: rings are not freed under a running device. */
	ret = devm_add_action(npu->drm.dev, npu_reset_release, npu);
	if (ret)
		return ret;

	ret = npu_reset_hw(npu);
	if (ret == -ETIMEDOUT)
		ret = npu_reset_flr(npu);
	if (ret)
		return ret;

	pci_set_master(npu->pdev);
	mutex_lock(&npu->hw_lock);
	npu_irq_unmask(npu);
	ret = npu_reset_boot(npu);
	mutex_unlock(&npu->hw_lock);

	return ret;
}

/**
 * npu_reset_schedule() - have the device reset soon
 * @npu: device
 * @reason: why, for the log
 *
 * May be called from any context.
 */
void npu_reset_schedule(struct npu_device *npu, const char *reason)
{
	if (READ_ONCE(npu->state) != NPU_DEVICE_ALIVE)
		return;

	trace_npu_reset_reason(npu, reason);
	WRITE_ONCE(npu->reset.reason, reason);
	if (queue_work(npu->reset.wq, &npu->reset.work))
		drm_err(&npu->drm, "reset: %s\n", reason);
}

/**
 * npu_reset_wait() - wait until a device of which a reset has been scheduled is quiet
 * @npu: device
 *
 * It need not be up again.
 */
void npu_reset_wait(struct npu_device *npu)
{
	flush_work(&npu->reset.work);
}

/**
 * npu_reset_wait_up() - wait for the end of a reset that has been scheduled
 * @npu: device
 */
void npu_reset_wait_up(struct npu_device *npu)
{
	flush_work(&npu->reset.work);
	flush_work(&npu->reset.up);
	/* It may have found that it has to try once more. */
	flush_work(&npu->reset.up);
}

/**
 * npu_reset_prepare() - somebody else is about to reset the function
 * @npu: device
 */
void npu_reset_prepare(struct npu_device *npu)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE)
		npu_reset_begin(npu, NPU_HOLD_FUNCTION);
	else
		npu->offline.holds |= NPU_HOLD_FUNCTION;
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);

	/* The PCI core saves what a reset of our own would have it lose. */
	flush_work(&npu->reset.up);
	npu_offline_close(npu);
}

/**
 * npu_reset_done() - somebody else has reset the function
 * @npu: device
 */
void npu_reset_done(struct npu_device *npu)
{
	npu_reset_end(npu, NPU_HOLD_FUNCTION);
}

/**
 * npu_reset_offline() - the bus is in trouble: have nobody talk to the device
 * @npu: device
 *
 * It does no DMA from here on, so that fences can be signalled, whatever comes of it.
 */
void npu_reset_offline(struct npu_device *npu)
{
	bool cookie;

	/* Who waits for the firmware holds the lock, and would for long. */
	npu_admin_fail(npu);

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	npu->offline.holds |= NPU_HOLD_BUS;
	if (npu->state == NPU_DEVICE_ALIVE) {
		npu_device_set_state(npu, NPU_DEVICE_OFFLINE);
		trace_npu_device_state(npu);
		atomic_inc(&npu->reset.count);
		npu_queue_stop_all(npu, -ECANCELED);
		npu_irq_disable(npu);
		pci_clear_master(npu->pdev);
		npu_queue_detach_all(npu);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);

	npu_offline_close(npu);
}

/**
 * npu_reset_slot() - the link to a device that is off line has been reset
 * @npu: device
 *
 * Return: 0 if it can be talked to, a negative error code otherwise.
 */
int npu_reset_slot(struct npu_device *npu)
{
	return npu_reset_restore(npu);
}

/**
 * npu_reset_online() - the bus is well again
 * @npu: device
 */
void npu_reset_online(struct npu_device *npu)
{
	npu_reset_end(npu, NPU_HOLD_BUS);
}

/**
 * npu_reset_lost() - the bus will not be well again
 * @npu: device
 */
void npu_reset_lost(struct npu_device *npu)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_OFFLINE)
		npu_reset_give_up(npu);
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_reset_shutdown() - take the device down for good
 * @npu: device
 *
 * When it returns the device does no DMA, and all fences have been signalled.
 */
void npu_reset_shutdown(struct npu_device *npu)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	npu_queue_stop_all(npu, -ENODEV);
	if (npu->state == NPU_DEVICE_ALIVE)
		npu_irq_disable(npu);
	npu_reset_quiesce(npu);
	npu_queue_detach_all(npu);
	npu_queue_cancel_all_held(npu);
	/* If the device has gone while the system slept. */
	npu_sleep_end(npu);
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);

	npu_reset_cancel(npu);
}

/**
 * npu_reset_unplug() - take the device down, and free what it had access to
 * @npu: device, unplugged
 */
void npu_reset_unplug(struct npu_device *npu)
{
	npu_reset_shutdown(npu);

	mutex_lock(&npu->hw_lock);
	npu_queue_free_all(npu);
	mutex_unlock(&npu->hw_lock);
}

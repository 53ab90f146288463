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
#include "npu_coredump.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_irq.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_reset.h"
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
 * npu_reset_flr() - function level reset
 * @npu: device, of which nothing may be readable
 *
 * Return: 0 when no engine does anything any more, a negative error code otherwise.
 */
static int npu_reset_flr(struct npu_device *npu)
{
	int ret;

	if (!pci_device_is_present(npu->pdev))
		return -ENODEV;

	ret = pcie_reset_flr(npu->pdev, PCI_RESET_DO_RESET);
	/* Not as it is now, which may be all ones. */
	if (!pci_load_saved_state(npu->pdev, npu->reset.pci_state))
		pci_restore_state(npu->pdev);

	return ret ?: npu_reset_wait_ready(npu);
}

/**
 * npu_reset_hw() - reset the device, by function level reset if need be
 * @npu: device
 *
 * Return: 0 when no engine does anything any more, a negative error code otherwise.
 */
static int npu_reset_hw(struct npu_device *npu)
{
	int ret;

	npu_write(npu, NPU_REG_DEV_CTRL, NPU_DEV_CTRL_RESET);
	ret = npu_reset_wait_ready(npu);
	if (ret != -ETIMEDOUT)
		return ret;

	drm_err(&npu->drm, "device does not come out of reset, trying FLR\n");
	return npu_reset_flr(npu);
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

	npu->state = NPU_DEVICE_ALIVE;
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
	npu->state = NPU_DEVICE_WEDGED;
	trace_npu_device_state(npu);
	queue_work(system_wq, &npu->reset.wedged);
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
 *
 * Return: 0 when it is quiet, a negative error code if it cannot be made so.
 */
static int npu_reset_begin(struct npu_device *npu)
{
	int ret;

	npu->state = NPU_DEVICE_RESETTING;
	trace_npu_device_state(npu);
	atomic_inc(&npu->reset.count);
	npu_reset_count_crash(npu);

	npu_queue_stop_all(npu, -ECANCELED);
	npu_irq_disable(npu);

	ret = npu_reset_hw(npu);
	if (ret)
		npu_reset_wedge(npu);

	npu_queue_detach_all(npu);
	return ret;
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

	npu_irq_enable(npu);
	ret = npu_reset_boot(npu);
	if (ret && ret != -ENODEV) {
		drm_err(&npu->drm, "device does not come up, trying FLR\n");
		ret = npu_reset_flr(npu);
		npu_irq_unmask(npu);
		ret = ret ?: npu_reset_boot(npu);
	}
	if (ret)
		npu_irq_disable(npu);
	return ret;
}

/**
 * npu_reset_finish() - bring the device up again
 * @npu: device, quiet
 */
static void npu_reset_finish(struct npu_device *npu)
{
	if (npu_reset_bring_up(npu)) {
		npu_reset_wedge(npu);
		return;
	}

	drm_notice(&npu->drm, "device has been reset\n");
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
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	npu->state = NPU_DEVICE_RESETTING;
	ret = npu_reset_hw(npu);
	if (!ret)
		ret = npu_reset_bring_up(npu);
	return ret;
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

static void npu_reset_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, reset.work);
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE) {
		npu_coredump_reset(npu, npu->reset.reason);
		if (!npu_reset_begin(npu))
			npu_reset_finish(npu);
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

static void npu_reset_quiesce(struct npu_device *npu)
{
	npu_reset_hw(npu);
	pci_clear_master(npu->pdev);
}

static void npu_reset_release(void *arg)
{
	struct npu_device *npu = arg;

	mutex_lock(&npu->hw_lock);
	npu_reset_quiesce(npu);
	npu->state = NPU_DEVICE_GONE;
	mutex_unlock(&npu->hw_lock);

	/* If probing fails after the boot one may have been asked for. */
	cancel_work_sync(&npu->reset.work);
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

	mutex_lock(&npu->hw_lock);
	ret = npu_reset_hw(npu);
	if (!ret) {
		npu_irq_unmask(npu);
		ret = npu_reset_boot(npu);
	}
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
 * npu_reset_wait() - wait for a reset that has been scheduled
 * @npu: device
 */
void npu_reset_wait(struct npu_device *npu)
{
	flush_work(&npu->reset.work);
}

/**
 * npu_reset_prepare() - somebody else is about to reset the function
 * @npu: device
 *
 * Keeps &npu_device.hw_lock until npu_reset_done().
 */
void npu_reset_prepare(struct npu_device *npu)
{
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE)
		npu_reset_begin(npu);
}

/**
 * npu_reset_done() - somebody else has reset the function
 * @npu: device
 */
void npu_reset_done(struct npu_device *npu)
{
	if (npu->state == NPU_DEVICE_RESETTING)
		npu_reset_finish(npu);
	mutex_unlock(&npu->hw_lock);
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
	if (npu->state == NPU_DEVICE_ALIVE) {
		npu->state = NPU_DEVICE_OFFLINE;
		atomic_inc(&npu->reset.count);
		npu_queue_stop_all(npu, -ECANCELED);
		npu_irq_disable(npu);
		pci_clear_master(npu->pdev);
		npu_queue_detach_all(npu);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
}

/**
 * npu_reset_slot() - the link to a device that is off line has been reset
 * @npu: device
 *
 * Return: 0 if it can be talked to, a negative error code otherwise.
 */
int npu_reset_slot(struct npu_device *npu)
{
	int ret;

	mutex_lock(&npu->hw_lock);
	ret = pci_load_saved_state(npu->pdev, npu->reset.pci_state);
	if (!ret) {
		pci_restore_state(npu->pdev);
		ret = npu_reset_wait_ready(npu);
	}
	mutex_unlock(&npu->hw_lock);

	return ret;
}

/**
 * npu_reset_online() - the bus is well again
 * @npu: device
 */
void npu_reset_online(struct npu_device *npu)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_OFFLINE) {
		if (npu_reset_reboot(npu))
			npu_reset_give_up(npu);
		else
			drm_notice(&npu->drm, "device has recovered from an error of the bus\n");
	}
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
	npu->state = NPU_DEVICE_GONE;
	npu_queue_detach_all(npu);
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);

	/* Neither a reset nor a time-out touches what devres is about to free. */
	cancel_work_sync(&npu->reset.work);
	flush_workqueue(npu->reset.wq);
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

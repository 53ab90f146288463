// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_device.h"
#include "npu_fw.h"
#include "npu_irq.h"
#include "npu_mmio.h"
#include "npu_pm.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_sleep.h"

/**
 * DOC: Power
 *
 * A device that nobody uses goes to D3hot, where it keeps all that it has but does not
 * answer. It is woken by whoever needs it: each way into the driver that may end at the
 * hardware is between npu_pm_get() and npu_pm_put(). Jobs, from their submission on, keep
 * it awake too, so nothing has to wake it on the way to signal a fence.
 *
 * All submissions pass here, so there is a count of our own instead of the PM core's, whose
 * lock they would share. The PM core only knows when the device was last used; once that is
 * long enough ago it asks, and npu_pm_runtime_suspend() looks at what is going on.
 *
 * When the system goes to sleep queues are suspended at a border of commands. If the device
 * was powered down it has forgotten them by the end of it, and gets them anew: see npu_sleep.c.
 */

#define NPU_PM_AUTOSUSPEND_MS 2000

/* How long calls that have begun, and commands that run, may keep the system from sleeping. */
#define NPU_PM_FREEZE_MS 10000

static struct npu_device *dev_to_npu(struct device *dev)
{
	return pci_get_drvdata(to_pci_dev(dev));
}

/**
 * npu_pm_put() - undo npu_pm_get()
 * @npu: device
 */
void npu_pm_put(struct npu_device *npu)
{
	pm_runtime_mark_last_busy(npu->drm.dev);
	smp_mb__before_atomic(); /* what was done, jobs above all, is seen before we are gone */
	if (atomic_dec_and_test(&npu->pm.users) && unlikely(READ_ONCE(npu->pm.frozen)))
		wake_up_all(&npu->pm.wait);
}

/**
 * npu_pm_wake() - wake a device
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_pm_wake(struct npu_device *npu)
{
	struct device *dev = npu->drm.dev;

	/* Whoever waits for the end of the system's sleep is none that it has to wait for. */
	while (READ_ONCE(npu->pm.frozen)) {
		npu_pm_put(npu);
		wait_event(npu->pm.wait, !READ_ONCE(npu->pm.frozen));
		atomic_inc(&npu->pm.users);
		smp_mb__after_atomic(); /* as in npu_pm_get() */
	}

	if (READ_ONCE(npu->pm.awake))
		return 0;
	if (pm_runtime_resume_and_get(dev))
		return -EIO;

	pm_runtime_mark_last_busy(dev);
	pm_runtime_put_autosuspend(dev);
	return 0;
}

/**
 * npu_pm_get() - have the device awake
 * @npu: device
 *
 * May sleep, and allocates nothing that could wait for a fence. It may be nested. Whoever
 * holds &npu_device.hw_lock has to have called it before.
 *
 * Return: 0 until npu_pm_put(); -EIO if the device cannot be woken.
 */
int npu_pm_get(struct npu_device *npu)
{
	int ret = 0;

	atomic_inc(&npu->pm.users);
	smp_mb__after_atomic(); /* pairs with npu_pm_close(): it sees us, or we that it is closed */
	if (unlikely(!READ_ONCE(npu->pm.awake)) && READ_ONCE(npu->pm.suspender) != current)
		ret = npu_pm_wake(npu);
	if (unlikely(ret))
		npu_pm_put(npu);

	return ret;
}

/**
 * npu_pm_hold() - npu_pm_get() once more, for work that goes on after the caller
 * @npu: device, which the caller has awake
 */
void npu_pm_hold(struct npu_device *npu)
{
	atomic_inc(&npu->pm.users);
}

/**
 * npu_pm_enter() - have the device there and awake
 * @npu: device
 * @idx: for npu_pm_exit()
 *
 * Return: 0 until npu_pm_exit(); -ENODEV after an unplug, -EIO if it cannot be woken.
 */
int npu_pm_enter(struct npu_device *npu, int *idx)
{
	int ret;

	if (!drm_dev_enter(&npu->drm, idx))
		return -ENODEV;

	ret = npu_pm_get(npu);
	if (ret)
		drm_dev_exit(*idx);
	return ret;
}

/**
 * npu_pm_exit() - undo npu_pm_enter()
 * @npu: device
 * @idx: from npu_pm_enter()
 */
void npu_pm_exit(struct npu_device *npu, int idx)
{
	npu_pm_put(npu);
	drm_dev_exit(idx);
}

/**
 * npu_pm_close() - let nobody in who does not wake the device
 * @npu: device
 *
 * Return: true if nobody is in; then nobody can until npu_pm_open().
 */
static bool npu_pm_close(struct npu_device *npu)
{
	WRITE_ONCE(npu->pm.awake, false);
	smp_mb(); /* pairs with npu_pm_get() */
	return !atomic_read(&npu->pm.users);
}

/**
 * npu_pm_open() - undo npu_pm_close()
 * @npu: device
 */
static void npu_pm_open(struct npu_device *npu)
{
	/* What has been done to have it there is seen by who finds it awake. */
	smp_store_release(&npu->pm.awake, true);
}

/**
 * npu_pm_quiet() - stop what the driver does with the device by itself
 * @npu: device, off line
 */
static void npu_pm_quiet(struct npu_device *npu)
{
	npu_irq_disable(npu);
	npu_fw_watch_stop(npu);

	npu->pm.timestamp = npu_read64(npu, NPU_REG_TIMESTAMP_LO);
	npu->pm.resets = npu_read(npu, NPU_REG_RESET_COUNT);
}

/**
 * npu_pm_reboot() - the device has been without power, at least without its main power
 * @npu: device, off line
 * @resets: resets that it has seen
 *
 * Return: 0 if all is as it was, a negative error code otherwise.
 */
static int npu_pm_reboot(struct npu_device *npu, u32 resets)
{
	int ret;

	/* Time and count only begin anew without auxiliary power, and then so does HBM. */
	if (resets < npu->pm.resets ||
	    npu_read64(npu, NPU_REG_TIMESTAMP_LO) < npu->pm.timestamp) {
		drm_err(&npu->drm, "HBM has lost its contents\n");
		return -EIO;
	}

	ret = npu_reset_reboot(npu);
	if (!ret)
		ret = npu_sleep_restore(npu);
	return ret;
}

/**
 * npu_pm_return() - the device has power again
 * @npu: device, off line
 *
 * Return: 0 if it works, a negative error code if it is wedged.
 */
static int npu_pm_return(struct npu_device *npu)
{
	u32 resets = npu_read(npu, NPU_REG_RESET_COUNT);
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	if (resets == npu->pm.resets) {
		npu_irq_enable(npu);
		npu->state = NPU_DEVICE_ALIVE;
		ret = 0;
	} else {
		ret = npu_pm_reboot(npu, resets);
	}

	if (ret)
		npu_reset_give_up(npu);
	else
		npu_fw_watch_start(npu);
	return ret;
}

/**
 * npu_pm_go_offline() - take the device off line if it has nothing to do
 * @npu: device, closed
 *
 * Return: true if so.
 */
static bool npu_pm_go_offline(struct npu_device *npu)
{
	bool idle;

	if (work_busy(&npu->reset.work))
		return false;

	mutex_lock(&npu->hw_lock);
	idle = npu->state == NPU_DEVICE_ALIVE && npu_sleep_all_idle(npu);
	if (idle)
		npu->state = NPU_DEVICE_OFFLINE;
	mutex_unlock(&npu->hw_lock);

	return idle;
}

/**
 * npu_pm_unmap() - take mappings of HBM away from user space
 * @npu: device, closed
 *
 * They are made again, and the device is woken, when they are touched. User memory beside
 * them may be mapped in VMs: our own MMU notifiers are called, and need the device.
 */
static void npu_pm_unmap(struct npu_device *npu)
{
	WRITE_ONCE(npu->pm.suspender, current);
	unmap_mapping_range(npu->drm.anon_inode->i_mapping, 0, 0, 1);
	WRITE_ONCE(npu->pm.suspender, NULL);
}

static int npu_pm_runtime_suspend(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);

	if (!npu_pm_close(npu))
		goto err_open;

	npu_pm_unmap(npu);
	if (!npu_pm_go_offline(npu))
		goto err_open;

	npu_pm_quiet(npu);
	return 0;

err_open:
	npu_pm_open(npu);
	pm_runtime_mark_last_busy(dev);
	return -EBUSY;
}

static int npu_pm_runtime_resume(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);

	mutex_lock(&npu->hw_lock);
	npu_pm_return(npu);
	mutex_unlock(&npu->hw_lock);

	/* One that is wedged is as good as awake: calls end with an error soon. */
	npu_pm_open(npu);
	return 0;
}

/**
 * npu_pm_freeze() - have nobody talk to the device
 * @npu: device
 *
 * User space is frozen; what is still there are calls of other kernel threads.
 *
 * Return: 0 until npu_pm_thaw(), -EBUSY if somebody does not end.
 */
static int npu_pm_freeze(struct npu_device *npu)
{
	unsigned long timeout = msecs_to_jiffies(NPU_PM_FREEZE_MS);

	WRITE_ONCE(npu->pm.frozen, true);
	npu_pm_close(npu);
	if (!wait_event_timeout(npu->pm.wait, !atomic_read(&npu->pm.users), timeout))
		return -EBUSY;

	npu_reset_wait(npu);
	return 0;
}

/**
 * npu_pm_thaw() - undo npu_pm_freeze()
 * @npu: device
 */
static void npu_pm_thaw(struct npu_device *npu)
{
	npu_pm_open(npu);
	WRITE_ONCE(npu->pm.frozen, false);
	wake_up_all(&npu->pm.wait);
}

static int npu_pm_suspend(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);
	bool offline = false;
	int ret;

	ret = npu_pm_freeze(npu);
	if (ret)
		goto err_thaw;

	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE) {
		ret = npu_sleep_begin(npu, msecs_to_jiffies(NPU_PM_FREEZE_MS));
		offline = !ret;
		if (offline)
			npu->state = NPU_DEVICE_OFFLINE;
	}
	mutex_unlock(&npu->hw_lock);
	if (ret)
		goto err_thaw;

	if (offline)
		npu_pm_quiet(npu);
	return 0;

err_thaw:
	drm_err(&npu->drm, "something that takes too long keeps the system awake\n");
	npu_pm_thaw(npu);
	return ret;
}

static int npu_pm_resume(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);

	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_OFFLINE) {
		npu_pm_return(npu);
		npu_sleep_end(npu);
	}
	mutex_unlock(&npu->hw_lock);

	npu_pm_thaw(npu);
	return 0;
}

/**
 * npu_pm_hibernate() - the machine shall lose its power
 * @dev: PCI device
 *
 * Return: -EOPNOTSUPP, as HBM would be lost.
 */
static int npu_pm_hibernate(struct device *dev)
{
	return -EOPNOTSUPP;
}

const struct dev_pm_ops npu_pm_ops = {
	.suspend = pm_sleep_ptr(npu_pm_suspend),
	.resume = pm_sleep_ptr(npu_pm_resume),
	.freeze = pm_sleep_ptr(npu_pm_hibernate),
	RUNTIME_PM_OPS(npu_pm_runtime_suspend, npu_pm_runtime_resume, NULL)
};

/**
 * npu_pm_init() - before anybody can use the device
 * @npu: device
 */
void npu_pm_init(struct npu_device *npu)
{
	init_waitqueue_head(&npu->pm.wait);
	npu->pm.awake = true;
}

/**
 * npu_pm_start() - let the device sleep when nobody uses it
 * @npu: device, registered
 */
void npu_pm_start(struct npu_device *npu)
{
	struct device *dev = npu->drm.dev;

	pm_runtime_set_autosuspend_delay(dev, NPU_PM_AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_mark_last_busy(dev);
	pm_runtime_allow(dev);
	pm_runtime_put_autosuspend(dev);
}

/**
 * npu_pm_stop() - have the device awake for good
 * @npu: device
 *
 * The PCI core has tried to wake it. If it could not, there is nobody to be woken any more.
 */
void npu_pm_stop(struct npu_device *npu)
{
	struct device *dev = npu->drm.dev;

	pm_runtime_get_noresume(dev);
	pm_runtime_forbid(dev);
	pm_runtime_dont_use_autosuspend(dev);
	npu_pm_open(npu);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_bind.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_irq.h"
#include "npu_mmio.h"
#include "npu_pm.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_sleep.h"
#include "npu_vm.h"

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
 *
 * Binds that wait for a fence, which may be anybody's, do not keep the system awake. They only
 * keep the device from sleeping alone, npu_pm_expect(), and are not begun while it does.
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
	if (unlikely(!READ_ONCE(npu->pm.awake)))
		ret = npu_pm_wake(npu);
	if (unlikely(ret))
		npu_pm_put(npu);

	return ret;
}

/**
 * npu_pm_tryget() - npu_pm_get() for who must not wait
 * @npu: device
 *
 * Return: true until npu_pm_put(); false if the device sleeps, or is about to. Binds are told
 * when that is over, npu_bind_kick().
 */
bool npu_pm_tryget(struct npu_device *npu)
{
	atomic_inc(&npu->pm.users);
	smp_mb__after_atomic(); /* as in npu_pm_get() */
	if (likely(READ_ONCE(npu->pm.awake)))
		return true;

	npu_pm_put(npu);
	return false;
}

/**
 * npu_pm_settle() - wait until it is clear whether the device is there
 * @npu: device, after npu_pm_tryget()
 *
 * When this returns it was awake, or not %NPU_DEVICE_ALIVE, at some moment.
 */
void npu_pm_settle(struct npu_device *npu)
{
	wait_event(npu->pm.wait, READ_ONCE(npu->pm.awake) ||
		   READ_ONCE(npu->state) != NPU_DEVICE_ALIVE);
}

/**
 * npu_pm_expect() - keep the device from sleeping alone, for what will need it after the caller
 * @npu: device, which the caller has awake
 *
 * Nothing has to wake it on the way to signal a fence. The system may sleep: who needs the
 * device then begins with npu_pm_tryget().
 */
void npu_pm_expect(struct npu_device *npu)
{
	atomic_inc(&npu->pm.waiting);
}

/**
 * npu_pm_unexpect() - undo npu_pm_expect()
 * @npu: device
 */
void npu_pm_unexpect(struct npu_device *npu)
{
	pm_runtime_mark_last_busy(npu->drm.dev);
	atomic_dec(&npu->pm.waiting);
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
	wake_up_all(&npu->pm.wait);
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
 * npu_pm_hbm_lost() - has the device been without any power?
 * @npu: device, off line
 * @resets: resets that it has seen
 *
 * Time and count only begin anew without auxiliary power, and then so does HBM.
 *
 * Return: true if so.
 */
static bool npu_pm_hbm_lost(struct npu_device *npu, u32 resets)
{
	return resets < npu->pm.resets ||
	       npu_read64(npu, NPU_REG_TIMESTAMP_LO) < npu->pm.timestamp;
}

/**
 * npu_pm_reboot() - the device has been without its main power
 * @npu: device, off line
 *
 * Return: 0 if all is as it was, a negative error code otherwise.
 */
static int npu_pm_reboot(struct npu_device *npu)
{
	return npu_reset_reboot(npu) ?: npu_sleep_restore(npu);
}

/**
 * npu_pm_continue() - the device is as it was
 * @npu: device, off line
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_pm_continue(struct npu_device *npu)
{
	int ret;

	ret = npu_vm_catch_up(npu);
	if (ret)
		return ret;

	npu_irq_enable(npu);
	npu_device_set_state(npu, NPU_DEVICE_ALIVE);
	return 0;
}

/**
 * npu_pm_return() - the device has power again
 * @npu: device, off line
 */
static void npu_pm_return(struct npu_device *npu)
{
	u32 resets = npu_read(npu, NPU_REG_RESET_COUNT);
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	npu->offline.holds &= ~NPU_HOLD_SLEEP;
	/* Whoever else keeps it off line brings it up. */
	if (npu->offline.holds)
		return;

	if (resets != npu->pm.resets && npu_pm_hbm_lost(npu, resets)) {
		drm_err(&npu->drm, "HBM has lost its contents\n");
		npu_reset_give_up(npu);
		return;
	}

	ret = resets == npu->pm.resets ? npu_pm_continue(npu) : npu_pm_reboot(npu);
	if (ret)
		npu_reset_retry(npu);
}

static void npu_pm_set_offline(struct npu_device *npu)
{
	npu->offline.holds |= NPU_HOLD_SLEEP;
	npu_device_set_state(npu, NPU_DEVICE_OFFLINE);
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

	mutex_lock(&npu->hw_lock);
	idle = npu->state == NPU_DEVICE_ALIVE && npu_sleep_all_idle(npu) &&
	       !atomic_read(&npu->pm.waiting);
	/* It does nothing off line. Who stops queues has scheduled it before. */
	idle = idle && !work_busy(&npu->reset.work);
	if (idle)
		npu_pm_set_offline(npu);
	mutex_unlock(&npu->hw_lock);

	return idle;
}

static int npu_pm_runtime_suspend(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);

	if (!npu_pm_close(npu))
		goto err_open;

	npu_offline_unmap(npu);
	if (!npu_pm_go_offline(npu))
		goto err_open;

	npu_pm_quiet(npu);
	return 0;

err_open:
	npu_pm_open(npu);
	npu_bind_kick(npu);
	pm_runtime_mark_last_busy(dev);
	return -EBUSY;
}

static int npu_pm_runtime_resume(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);

	mutex_lock(&npu->hw_lock);
	npu_pm_return(npu);
	mutex_unlock(&npu->hw_lock);
	npu_fw_watch_start(npu);

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

	npu_reset_wait_up(npu);
	return 0;
}

/**
 * npu_pm_thaw() - undo npu_pm_freeze()
 * @npu: device
 */
static void npu_pm_thaw(struct npu_device *npu)
{
	WRITE_ONCE(npu->pm.frozen, false);
	npu_pm_open(npu);
	npu_bind_kick(npu);
}

static int npu_pm_suspend(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);
	bool offline = false, cookie;
	int ret;

	ret = npu_pm_freeze(npu);
	if (ret)
		goto err_thaw;

	mutex_lock(&npu->hw_lock);
	npu_sleep_stop(npu);
	mutex_unlock(&npu->hw_lock);

	/* Jobs that have ended by then are told to have. */
	cookie = dma_fence_begin_signalling();
	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE) {
		ret = npu_sleep_begin(npu, msecs_to_jiffies(NPU_PM_FREEZE_MS));
		offline = !ret;
		if (offline)
			npu_pm_set_offline(npu);
	} else {
		npu_sleep_end(npu);
	}
	mutex_unlock(&npu->hw_lock);
	dma_fence_end_signalling(cookie);
	if (ret)
		goto err_thaw;

	if (offline)
		npu_pm_quiet(npu);
	return 0;

err_thaw:
	drm_err(&npu->drm, "keeps the system awake: %pe\n", ERR_PTR(ret));
	npu_pm_thaw(npu);
	return ret;
}

static int npu_pm_resume(struct device *dev)
{
	struct npu_device *npu = dev_to_npu(dev);
	bool slept;

	mutex_lock(&npu->hw_lock);
	slept = npu->offline.holds & NPU_HOLD_SLEEP;
	if (slept) {
		npu_pm_return(npu);
		npu_sleep_end(npu);
	}
	mutex_unlock(&npu->hw_lock);

	if (slept)
		npu_fw_watch_start(npu);
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
 * npu_pm_notify() - the system is about to sleep, or all back
 * @notifier: &npu_pm.notifier
 * @event: PM_*
 * @unused: unused
 *
 * Return: NOTIFY_DONE.
 */
static int npu_pm_notify(struct notifier_block *notifier, unsigned long event, void *unused)
{
	struct npu_pm *pm = container_of(notifier, struct npu_pm, notifier);

	if (event == PM_SUSPEND_PREPARE || event == PM_HIBERNATION_PREPARE) {
		WRITE_ONCE(pm->sleeping, true);
		wake_up_all(&pm->wait);
	} else if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION) {
		WRITE_ONCE(pm->sleeping, false);
	}

	return NOTIFY_DONE;
}

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

	npu->pm.notifier.notifier_call = npu_pm_notify;
	register_pm_notifier(&npu->pm.notifier);

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
 * The PCI core has tried to wake it. If it could not, there is nobody to be woken any more, nor
 * if it went while the system slept.
 */
void npu_pm_stop(struct npu_device *npu)
{
	struct device *dev = npu->drm.dev;

	pm_runtime_get_noresume(dev);
	pm_runtime_forbid(dev);
	pm_runtime_dont_use_autosuspend(dev);
	unregister_pm_notifier(&npu->pm.notifier);
	WRITE_ONCE(npu->pm.sleeping, false);
	npu_pm_thaw(npu);
}

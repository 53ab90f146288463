// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/sched.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>

#include "npu_device.h"
#include "npu_offline.h"

/**
 * DOC: Off line
 *
 * While the function is being reset, or the bus is in trouble, nothing of the device can be
 * reached: reads give all ones, and writes are lost. &npu_device.hw_lock is not held for that
 * long, as the PCI core takes locks of its own meanwhile. Instead the device has the state
 * %NPU_DEVICE_OFFLINE, and whoever finds that stays away. Fences are not waited for: they have
 * all been signalled when the device went off line.
 *
 * Who reads or writes memory that must not be lost waits, npu_online_lock() and
 * npu_online_enter(); mappings of user space are taken away, and made again when they are
 * touched and the device is back. Page tables are written by those who cannot wait. Their
 * shadow is what counts, and goes to HBM when the device comes back: npu_pt_rewrite().
 */

/* Who has the bus may never give it back. */
#define NPU_OFFLINE_TIMEOUT_MS 60000

/**
 * npu_offline_init() - before anybody can use the device
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_offline_init(struct npu_device *npu)
{
	struct npu_offline *offline = &npu->offline;

	init_waitqueue_head(&offline->wait);
	init_rwsem(&offline->window);
	return drmm_mutex_init(&npu->drm, &offline->zap_lock);
}

static bool npu_offline_is(struct npu_device *npu)
{
	return READ_ONCE(npu->state) == NPU_DEVICE_OFFLINE;
}

/**
 * npu_online_wait() - wait until the device is back, or given up
 * @npu: device
 *
 * Return: 0 on success, -EINTR if the caller is being killed, -EIO if it takes too long.
 */
int npu_online_wait(struct npu_device *npu)
{
	long ret;

	ret = wait_event_killable_timeout(npu->offline.wait, !npu_offline_is(npu),
					  msecs_to_jiffies(NPU_OFFLINE_TIMEOUT_MS));
	if (!ret)
		return -EIO;
	return ret < 0 ? -EINTR : 0;
}

/**
 * npu_online_lock() - take &npu_device.hw_lock of a device that is not off line
 * @npu: device, awake
 *
 * Return: 0 with the lock held; it may have been given up. -EINTR if the caller is being
 * killed, -EIO if the device does not come back.
 */
int npu_online_lock(struct npu_device *npu)
{
	int ret;

	for (;;) {
		mutex_lock(&npu->hw_lock);
		if (!npu_offline_is(npu))
			return 0;
		mutex_unlock(&npu->hw_lock);

		ret = npu_online_wait(npu);
		if (ret)
			return ret;
	}
}

/**
 * npu_online_tryenter() - use registers or HBM if the device is not off line
 * @npu: device, awake
 *
 * Return: true until npu_online_exit().
 */
bool npu_online_tryenter(struct npu_device *npu)
{
	down_read(&npu->offline.window);
	if (!npu_offline_is(npu))
		return true;

	up_read(&npu->offline.window);
	return false;
}

/**
 * npu_online_enter() - use registers or HBM once the device is not off line
 * @npu: device, awake
 *
 * Return: 0 until npu_online_exit(); as npu_online_lock() otherwise.
 */
int npu_online_enter(struct npu_device *npu)
{
	int ret = 0;

	while (!ret && !npu_online_tryenter(npu))
		ret = npu_online_wait(npu);

	return ret;
}

/**
 * npu_online_exit() - undo npu_online_enter()
 * @npu: device
 */
void npu_online_exit(struct npu_device *npu)
{
	up_read(&npu->offline.window);
}

/**
 * npu_offline_unmap() - take mappings of the device away from user space
 * @npu: device
 *
 * They are made again when they are touched. User memory beside them may be mapped in VMs:
 * our own MMU notifiers are called, of which this takes nothing away.
 */
void npu_offline_unmap(struct npu_device *npu)
{
	struct npu_offline *offline = &npu->offline;

	mutex_lock(&offline->zap_lock);
	WRITE_ONCE(offline->zapper, current);
	unmap_mapping_range(npu->drm.anon_inode->i_mapping, 0, 0, 1);
	WRITE_ONCE(offline->zapper, NULL);
	mutex_unlock(&offline->zap_lock);
}

/**
 * npu_offline_is_zapper() - is it npu_offline_unmap() that calls?
 * @npu: device
 *
 * Return: true if so.
 */
bool npu_offline_is_zapper(struct npu_device *npu)
{
	return READ_ONCE(npu->offline.zapper) == current;
}

/**
 * npu_offline_close() - have everybody out
 * @npu: device that has gone off line, and whose fences have been signalled
 *
 * When it returns nobody uses the device, not even user space.
 */
void npu_offline_close(struct npu_device *npu)
{
	down_write(&npu->offline.window);
	up_write(&npu->offline.window);

	npu_offline_unmap(npu);
}

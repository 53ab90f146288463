// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include <npu/npu_regs.h>

#include "npu_aer.h"
#include "npu_compat.h"
#include "npu_debugfs.h"
#include "npu_bind.h"
#include "npu_device.h"
#include "npu_fence.h"
#include "npu_file.h"
#include "npu_gem.h"
#include "npu_gpuva.h"
#include "npu_hwmon.h"
#include "npu_ioctl.h"
#include "npu_job.h"
#include "npu_pm.h"
#include "npu_prime.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_sysfs.h"

/**
 * npu_ioctl_refused() - is this an ioctl that must not reach the DRM core?
 * @cmd: ioctl
 *
 * These two use &drm_file.master, which files of an accel device do not have:
 * the core would oops with a lock held. All others of the core are safe there.
 *
 * Return: true if so.
 */
static bool npu_ioctl_refused(unsigned int cmd)
{
	switch (DRM_IOCTL_NR(cmd)) {
	case DRM_IOCTL_NR(DRM_IOCTL_GET_UNIQUE):
	case DRM_IOCTL_NR(DRM_IOCTL_GET_MAGIC):
		return DRM_IOCTL_TYPE(cmd) == DRM_IOCTL_BASE;
	default:
		return false;
	}
}

/**
 * npu_ioctl_check_tail() - is what we do not know of a structure zero?
 * @cmd: ioctl of the driver's own
 * @arg: its argument
 *
 * The core leaves it out unseen.
 *
 * Return: 0 if so, -E2BIG if it asks for what there is not, -EFAULT if it cannot be read.
 */
static int npu_ioctl_check_tail(unsigned int cmd, unsigned long arg)
{
	unsigned int nr = DRM_IOCTL_NR(cmd) - DRM_COMMAND_BASE;
	size_t size = _IOC_SIZE(cmd), known;
	int ret;

	if (!(cmd & IOC_IN) || nr >= ARRAY_SIZE(npu_ioctls))
		return 0;

	known = _IOC_SIZE(npu_ioctls[array_index_nospec(nr, ARRAY_SIZE(npu_ioctls))].cmd);
	if (size <= known)
		return 0;

	ret = check_zeroed_user((void __user *)arg + known, size - known);
	if (ret < 0)
		return ret;
	return ret ? 0 : -E2BIG;
}

/**
 * npu_ioctl_with() - pass an ioctl on to the DRM core
 * @filp: file
 * @cmd: ioctl
 * @arg: its argument
 * @ioctl: function of the core
 *
 * Our own end soon, so that they may keep an unplug waiting. The core's may wait
 * for fences that only the unplug signals.
 *
 * Return: what @ioctl returns, or a negative error code.
 */
static long npu_ioctl_with(struct file *filp, unsigned int cmd, unsigned long arg,
			   long (*ioctl)(struct file *, unsigned int, unsigned long))
{
	struct drm_file *file = filp->private_data;
	struct npu_device *npu = to_npu_device(file->minor->dev);
	unsigned int nr = DRM_IOCTL_NR(cmd);
	long ret;
	int idx;

	if (npu_ioctl_refused(cmd))
		return -EOPNOTSUPP;

	if (nr < DRM_COMMAND_BASE || nr >= DRM_COMMAND_END)
		return ioctl(filp, cmd, arg);

	ret = npu_ioctl_check_tail(cmd, arg);
	if (ret)
		return ret;

	ret = npu_pm_enter(npu, &idx);
	if (ret)
		return ret;
	ret = ioctl(filp, cmd, arg);
	npu_pm_exit(npu, idx);

	return ret;
}

static long npu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return npu_ioctl_with(filp, cmd, arg, drm_ioctl);
}

#ifdef CONFIG_COMPAT
static long npu_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return npu_ioctl_with(filp, cmd, (unsigned long)compat_ptr(arg), drm_compat_ioctl);
}
#else
#define npu_compat_ioctl NULL
#endif

static const struct file_operations npu_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = drm_release,
	.unlocked_ioctl = npu_ioctl,
	.compat_ioctl = npu_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver npu_drm_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE | NPU_DRIVER_GEM_GPUVA,
	.open = npu_file_open,
	.postclose = npu_file_postclose,
	.show_fdinfo = npu_file_show_fdinfo,
	.gem_prime_import = npu_prime_import,
	.ioctls = npu_ioctls,
	.num_ioctls = ARRAY_SIZE(npu_ioctls),
	.fops = &npu_fops,
	.name = DRIVER_NAME,
	.desc = DRIVER_DESC,
	.major = DRIVER_MAJOR,
	.minor = DRIVER_MINOR,
};

static int npu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct npu_device *npu;
	int ret;

	npu = devm_drm_dev_alloc(&pdev->dev, &npu_drm_driver, struct npu_device, drm);
	if (IS_ERR(npu))
		return PTR_ERR(npu);

	npu->pdev = pdev;
	pci_set_drvdata(pdev, npu);

	ret = npu_device_init(npu);
	if (ret)
		return ret;

	ret = npu_hwmon_init(npu);
	if (ret)
		return ret;

	npu_debugfs_init(npu);
	ret = drm_dev_register(&npu->drm, 0);
	if (ret)
		return ret;

	npu_fw_watch_start(npu);
	npu_pm_start(npu);
	return 0;
}

static void npu_remove(struct pci_dev *pdev)
{
	struct npu_device *npu = pci_get_drvdata(pdev);

	npu_pm_stop(npu);
	npu_device_unplug(npu);
}

/**
 * npu_shutdown() - the machine ends, or starts another kernel, over memory that is in use now
 * @pdev: PCI device
 */
static void npu_shutdown(struct pci_dev *pdev)
{
	struct npu_device *npu = pci_get_drvdata(pdev);

	npu_reset_shutdown(npu);
	npu_fw_watch_stop(npu);
}

static const struct pci_device_id npu_pci_ids[] = {
	{ PCI_DEVICE(NPU_PCI_VENDOR_ID, NPU_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, npu_pci_ids);

static struct pci_driver npu_pci_driver = {
	.name = DRIVER_NAME,
	.id_table = npu_pci_ids,
	.probe = npu_probe,
	.remove = npu_remove,
	.shutdown = npu_shutdown,
	.err_handler = &npu_aer_handlers,
	.dev_groups = npu_sysfs_groups,
	.driver.pm = pm_ptr(&npu_pm_ops),
};

/**
 * struct npu_init_step - what the module sets up, and how it is undone
 */
struct npu_init_step {
	/** @init: called in order */
	int (*init)(void);
	/** @exit: called in reverse order */
	void (*exit)(void);
};

static int npu_pci_register(void)
{
	return pci_register_driver(&npu_pci_driver);
}

static void npu_pci_unregister(void)
{
	pci_unregister_driver(&npu_pci_driver);
}

static const struct npu_init_step npu_init_steps[] = {
	{ npu_fence_module_init, npu_fence_module_exit },
	{ npu_bind_module_init, npu_bind_module_exit },
	{ npu_job_module_init, npu_job_module_exit },
	{ npu_queue_module_init, npu_queue_module_exit },
	{ npu_pci_register, npu_pci_unregister },
};

static void npu_undo(unsigned int steps)
{
	while (steps--)
		npu_init_steps[steps].exit();
}

static int __init npu_init(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(npu_init_steps); i++) {
		ret = npu_init_steps[i].init();
		if (ret) {
			npu_undo(i);
			return ret;
		}
	}

	return 0;
}

static void __exit npu_exit(void)
{
	npu_undo(ARRAY_SIZE(npu_init_steps));
}

module_init(npu_init);
module_exit(npu_exit);

MODULE_DESCRIPTION(DRIVER_DESC);
MODULE_AUTHOR("The open NPU stack");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");

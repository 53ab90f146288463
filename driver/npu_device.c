// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/dmapool.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "npu_compat.h"
#include "npu_bind.h"
#include "npu_coredump.h"
#include "npu_buffers.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_gem.h"
#include "npu_irq.h"
#include "npu_migrate.h"
#include "npu_mmio.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_ttm.h"
#include "npu_userptr.h"
#include "npu_vm.h"

/**
 * npu_device_set_state() - change the state of the device
 * @npu: device
 * @state: new state
 */
void npu_device_set_state(struct npu_device *npu, enum npu_device_state state)
{
	lockdep_assert_held(&npu->hw_lock);

	WRITE_ONCE(npu->state, state);
	if (state != NPU_DEVICE_OFFLINE)
		wake_up_all(&npu->offline.wait);
	wake_up_all(&npu->pm.wait);
}

/**
 * npu_device_map() - enable the PCI device and map its registers
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_device_map(struct npu_device *npu)
{
	struct pci_dev *pdev = npu->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	if (pci_resource_len(pdev, NPU_BAR_REGS) < NPU_BAR_REGS_SIZE) {
		drm_err(&npu->drm, "register BAR is too small: %pR\n",
			&pdev->resource[NPU_BAR_REGS]);
		return -ENODEV;
	}

	npu->regs = pcim_iomap_region(pdev, NPU_BAR_REGS, DRIVER_NAME);
	if (IS_ERR(npu->regs))
		return PTR_ERR(npu->regs);

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;

	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	return 0;
}

/**
 * npu_device_check_info() - check what the device says of itself
 * @npu: device
 *
 * Return: 0 if the driver can work with it, -ENODEV otherwise.
 */
static int npu_device_check_info(struct npu_device *npu)
{
	struct npu_info *info = &npu->info;

	if (!info->num_queues || info->num_queues > NPU_MAX_QUEUES ||
	    !info->num_contexts || info->num_contexts > NPU_MAX_CONTEXTS ||
	    !info->num_cqs || info->num_cqs > NPU_MAX_CQS ||
	    !info->num_cores || info->num_cores > NPU_MAX_CORES ||
	    !info->timestamp_freq) {
		drm_err(&npu->drm,
			"nonsense in ID registers: %u queues, %u contexts, %u completion rings, %u cores, %u Hz\n",
			info->num_queues, info->num_contexts, info->num_cqs, info->num_cores,
			info->timestamp_freq);
		return -ENODEV;
	}

	info->core_mask = GENMASK_ULL(info->num_cores - 1, 0);
	return 0;
}

/**
 * npu_device_identify() - read the identification registers
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_device_identify(struct npu_device *npu)
{
	struct npu_info *info = &npu->info;
	u32 magic = npu_read(npu, NPU_REG_MAGIC), features;

	if (magic != NPU_MAGIC) {
		drm_err(&npu->drm, "bad magic 0x%08x, not an NPU or not there\n", magic);
		return -ENODEV;
	}

	info->hw_version = npu_read(npu, NPU_REG_HW_VERSION);
	if (FIELD_GET(NPU_HW_VERSION_MAJOR, info->hw_version) !=
	    FIELD_GET(NPU_HW_VERSION_MAJOR, NPU_HW_VERSION_1_0)) {
		drm_err(&npu->drm, "hardware version 0x%08x is not supported\n",
			info->hw_version);
		return -ENODEV;
	}

	features = npu_read(npu, NPU_REG_FEATURES);
	info->sparse = features & NPU_FEATURE_SPARSE;
	info->timing = features & NPU_FEATURE_TIMING;
	info->num_queues = npu_read(npu, NPU_REG_NUM_QUEUES);
	info->num_contexts = npu_read(npu, NPU_REG_NUM_CONTEXTS);
	info->num_cqs = npu_read(npu, NPU_REG_NUM_CQS);
	info->num_cores = npu_read(npu, NPU_REG_NUM_CORES);
	info->core_clock_mhz = npu_read(npu, NPU_REG_CORE_CLOCK_MHZ);
	info->timestamp_freq = npu_read(npu, NPU_REG_TIMESTAMP_FREQ);
	info->profile = npu_read(npu, NPU_REG_PROFILE);
	info->ub_size = npu_read(npu, NPU_REG_UB_SIZE);
	info->l1_size = npu_read(npu, NPU_REG_L1_SIZE);
	info->l0a_size = npu_read(npu, NPU_REG_L0A_SIZE);
	info->l0b_size = npu_read(npu, NPU_REG_L0B_SIZE);
	info->l0c_size = npu_read(npu, NPU_REG_L0C_SIZE);
	info->serial = npu_read64(npu, NPU_REG_SERIAL_LO);

	return npu_device_check_info(npu);
}

static void npu_device_destroy_wq(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

/**
 * npu_device_init_software() - locks, work queues and tables
 * @npu: device
 *
 * All of it lives as long as the DRM device: files may be open after unbinding.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_device_init_software(struct npu_device *npu)
{
	struct drm_device *drm = &npu->drm;
	int ret;

	ret = drmm_mutex_init(drm, &npu->hw_lock);
	if (ret)
		return ret;

	ret = npu_offline_init(npu);
	if (ret)
		return ret;

	ret = npu_perf_init(npu);
	if (ret)
		return ret;

	ret = drmm_mutex_init(drm, &npu->userptr_lock);
	if (ret)
		return ret;

	INIT_LIST_HEAD(&npu->userptrs);
	INIT_LIST_HEAD(&npu->vms);
	INIT_LIST_HEAD(&npu->queues);
	npu_pm_init(npu);
	ida_init(&npu->context_ida);
	ida_init(&npu->queue_ida);
	ratelimit_state_init(&npu->fault_ratelimit, 5 * HZ, 10);

	npu->hw_queues = drmm_kcalloc(drm, npu->info.num_queues, sizeof(*npu->hw_queues),
				      GFP_KERNEL);
	if (!npu->hw_queues)
		return -ENOMEM;

	/* Bound to the CPU that submits: the common job then needs no other CPU. */
	npu->sched_wq = alloc_workqueue("npu-sched", WQ_PERCPU | WQ_MEM_RECLAIM | WQ_HIGHPRI, 0);
	if (!npu->sched_wq)
		return -ENOMEM;

	return drmm_add_action_or_reset(drm, npu_device_destroy_wq, npu->sched_wq);
}

/**
 * npu_device_init() - bring the device up
 * @npu: device
 *
 * Everything is undone by devres and drmm when it fails.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_device_init(struct npu_device *npu)
{
	int ret;

	ret = npu_device_map(npu);
	if (ret)
		return ret;

	ret = npu_device_identify(npu);
	if (ret)
		return ret;

	ret = npu_device_init_software(npu);
	if (ret)
		return ret;

	ret = npu_reset_init(npu);
	if (ret)
		return ret;

	ret = npu_buffers_init(npu);
	if (ret)
		return ret;

	ret = npu_coredump_init(npu);
	if (ret)
		return ret;

	ret = npu_ttm_init(npu);
	if (ret)
		return ret;

	ret = npu_limits_init(npu);
	if (ret)
		return ret;

	ret = npu_queue_init_device(npu);
	if (ret)
		return ret;

	ret = npu_admin_init(npu);
	if (ret)
		return ret;

	ret = npu_fw_init(npu);
	if (ret)
		return ret;

	/* After all that a handler may start, so that devres stops it after the handlers. */
	ret = npu_irq_init(npu);
	if (ret)
		return ret;

	ret = npu_reset_first_boot(npu);
	if (ret)
		return ret;

	return npu_migrate_init(npu) ?: npu_ttm_drain_first(npu);
}

/**
 * npu_device_unplug() - let go of the hardware
 * @npu: device
 *
 * Open files stay usable as far as that goes without a device: calls fail with
 * ENODEV and every fence has been signalled when this returns.
 */
void npu_device_unplug(struct npu_device *npu)
{
	/* First what calls may wait for: jobs that keep memory from being moved. */
	npu_reset_unplug(npu);
	npu_bind_kick(npu);

	drm_dev_unplug(&npu->drm);
	npu_perf_unplug(npu);
	npu_userptrs_unplug(npu);
	npu_gem_unplug(npu);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/capability.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <drm/drm_file.h>

#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "npu_clock.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_hbm.h"
#include "npu_limits.h"
#include "npu_mmio.h"
#include "npu_perf.h"
#include "npu_query.h"
#include "npu_queue.h"
#include "npu_telemetry.h"
#include "npu_ttm.h"
#include "npu_uapi.h"

/**
 * npu_query_max_priority() - highest queue priority that the caller may ask for
 *
 * Return: enum drm_npu_queue_priority.
 */
u32 npu_query_max_priority(void)
{
	return capable(CAP_SYS_NICE) ? DRM_NPU_QUEUE_PRIORITY_REALTIME :
				       DRM_NPU_QUEUE_PRIORITY_NORMAL;
}

static const char *npu_query_product_name(u32 profile)
{
	switch (profile) {
	case NPU_PROFILE_910B:
		return "910B2";
	case NPU_PROFILE_910:
		return "910";
	case NPU_PROFILE_910C:
		return "910C";
	case NPU_PROFILE_310B:
		return "310B";
	default:
		return "NPU";
	}
}

static int npu_query_info(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	const struct npu_info *info = &npu->info;
	struct pci_dev *pdev = npu->pdev;
	struct drm_npu_dev_info reply = {
		.serial = info->serial,
		.hw_version = info->hw_version,
		.num_cores = info->num_cores,
		.va_start = NPU_VA_START,
		.va_end = NPU_VA_END,
		.timestamp_frequency = info->timestamp_freq,
		.page_sizes = SZ_4K | SZ_64K | SZ_2M,
		.core_mask = info->core_mask,
		.core_clock_mhz = info->core_clock_mhz,
		.ub_size = info->ub_size,
		.l1_size = info->l1_size,
		.l0a_size = info->l0a_size,
		.l0b_size = info->l0b_size,
		.l0c_size = info->l0c_size,
		.max_queues = info->num_queues,
		.max_ring_entries = NPU_QUEUE_MAX_ENTRIES,
		.max_priority = npu_query_max_priority(),
		.pci_domain = pci_domain_nr(pdev->bus),
		.pci_bus = pdev->bus->number,
		.pci_device = PCI_SLOT(pdev->devfn),
		.pci_function = PCI_FUNC(pdev->devfn),
		.timing = info->timing,
	};

	strscpy(reply.name, npu_query_product_name(info->profile), sizeof(reply.name));
	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_memory(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_memory reply = {
		.hbm_size = npu->hbm.manager.size,
		.hbm_used = npu_hbm_used(npu),
		.hbm_physical = npu->hbm.physical,
		.system_used = npu_ttm_system_used(npu),
	};

	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_firmware(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_firmware reply = {
		.abi_major = npu->fw.abi_major,
		.abi_minor = npu->fw.abi_minor,
		.boot_post = npu->fw.boot_post,
		.reset_count = atomic_read(&npu->reset.count),
	};

	int ret = npu_online_enter(npu);

	if (ret)
		return ret;
	reply.heartbeat = npu_read(npu, NPU_REG_FW_HEARTBEAT);
	npu_online_exit(npu);

	strscpy(reply.version, npu->fw.version, sizeof(reply.version));
	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_timestamp(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_timestamp reply = {};
	int ret = npu_online_enter(npu);

	if (ret)
		return ret;
	npu_clock_read(npu, &reply);
	npu_online_exit(npu);

	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_perf(struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_perf reply;

	npu_perf_query(&reply);
	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

/**
 * npu_query_read_telemetry() - read the last sample and the reliability counters
 * @npu: device
 * @telemetry: sample
 * @ras: counters
 *
 * Return: 0 on success, a negative error code otherwise. Not -EAGAIN, upon which libdrm calls
 * again at once.
 */
static int npu_query_read_telemetry(struct npu_device *npu, struct npu_fw_telemetry *telemetry,
				    struct npu_fw_ras *ras)
{
	int ret;

	/* A boot, which has the lock, is waited for too. */
	ret = npu_online_lock(npu);
	if (ret)
		return ret;
	mutex_unlock(&npu->hw_lock);

	ret = npu_online_enter(npu);
	if (ret)
		return ret;
	ret = npu_telemetry_state(npu) ?: npu_fw_read_telemetry(npu, telemetry) ?:
	      npu_fw_read_ras(npu, ras);
	npu_online_exit(npu);

	return ret == -EAGAIN ? -EIO : ret;
}

static int npu_query_telemetry(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_telemetry reply = {};
	struct npu_fw_telemetry telemetry;
	struct npu_fw_ras ras;
	int ret;

	if (args->pointer) {
		ret = npu_query_read_telemetry(npu, &telemetry, &ras);
		if (ret)
			return ret;

		reply = (struct drm_npu_dev_telemetry) {
			.timestamp = le64_to_cpu(telemetry.timestamp),
			.samples = le64_to_cpu(telemetry.samples),
			.aicore_busy_ns = le64_to_cpu(telemetry.aicore_busy_ns),
			.sdma_busy_ns = le64_to_cpu(telemetry.sdma_busy_ns),
			.hbm_read_bytes = le64_to_cpu(telemetry.hbm_read_bytes),
			.hbm_write_bytes = le64_to_cpu(telemetry.hbm_write_bytes),
			.tasks_done = le64_to_cpu(telemetry.tasks_done),
			.tasks_failed = le64_to_cpu(telemetry.tasks_failed),
			.hbm_ce = le64_to_cpu(ras.hbm_ce),
			.hbm_ue = le64_to_cpu(ras.hbm_ue),
			.temperature_mc = le32_to_cpu(telemetry.temperature_mc),
			.power_mw = le32_to_cpu(telemetry.power_mw),
			.voltage_mv = le32_to_cpu(telemetry.voltage_mv),
			.aicore_mhz = le32_to_cpu(telemetry.aicore_mhz),
			.hbm_mhz = le32_to_cpu(telemetry.hbm_mhz),
			.health = le32_to_cpu(ras.health),
			.period_ms = le32_to_cpu(telemetry.period_ms),
			.aicore_permille = le16_to_cpu(telemetry.aicore_permille),
			.cube_permille = le16_to_cpu(telemetry.cube_permille),
			.vector_permille = le16_to_cpu(telemetry.vector_permille),
			.sdma_permille = le16_to_cpu(telemetry.sdma_permille),
			.mcu_permille = le16_to_cpu(telemetry.mcu_permille),
			.hbm_permille = le16_to_cpu(telemetry.hbm_permille),
		};
	}

	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_limits(struct npu_device *npu, struct npu_process *process,
			    struct drm_npu_dev_query *args)
{
	struct drm_npu_dev_limits reply = {
		.max_vms = npu->limits.max[NPU_LIMIT_VMS],
		.num_vms = npu_process_used(process, NPU_LIMIT_VMS),
		.max_queues = npu->limits.max[NPU_LIMIT_QUEUES],
		.num_queues = npu_process_used(process, NPU_LIMIT_QUEUES),
		.max_pinned = npu->limits.max[NPU_LIMIT_PINNED],
		.num_pinned = npu_process_used(process, NPU_LIMIT_PINNED),
		.max_tables = npu->limits.max[NPU_LIMIT_TABLES],
		.num_tables = npu_process_used(process, NPU_LIMIT_TABLES),
	};

	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

static int npu_query_resets(struct npu_device *npu, struct drm_npu_dev_query *args)
{
	const struct npu_recovery *recovery = &npu->recovery;
	struct drm_npu_dev_resets reply = {
		.tasks = atomic64_read(&recovery->tasks),
		.queues = atomic64_read(&recovery->queues),
		.cores = atomic64_read(&recovery->cores),
		.devices = atomic_read(&npu->reset.count),
		.lost_interrupts = atomic64_read(&recovery->lost_interrupts),
		.bad_completions = atomic64_read(&recovery->bad_completions),
		.firmware_crashes = atomic64_read(&recovery->firmware_crashes),
		.wedged = READ_ONCE(npu->state) == NPU_DEVICE_WEDGED,
	};

	return npu_uapi_put_struct(args->pointer, &args->size, &reply, sizeof(reply));
}

/**
 * npu_query_ioctl() - DRM_IOCTL_NPU_DEV_QUERY
 * @drm: DRM device
 * @data: arguments
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_dev_query *args = data;
	struct npu_file *nfile = file->driver_priv;

	switch (args->type) {
	case DRM_NPU_DEV_QUERY_INFO:
		return npu_query_info(npu, args);
	case DRM_NPU_DEV_QUERY_MEMORY:
		return npu_query_memory(npu, args);
	case DRM_NPU_DEV_QUERY_FIRMWARE:
		return npu_query_firmware(npu, args);
	case DRM_NPU_DEV_QUERY_TIMESTAMP:
		return npu_query_timestamp(npu, args);
	case DRM_NPU_DEV_QUERY_TELEMETRY:
		return npu_query_telemetry(npu, args);
	case DRM_NPU_DEV_QUERY_PERF:
		return npu_query_perf(args);
	case DRM_NPU_DEV_QUERY_LIMITS:
		return npu_query_limits(npu, nfile->process, args);
	case DRM_NPU_DEV_QUERY_RESETS:
		return npu_query_resets(npu, args);
	default:
		return NPU_BAD_ARG(npu, "type is unknown") ? -EINVAL : 0;
	}
}

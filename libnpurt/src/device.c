// SPDX-License-Identifier: MIT
/*
 * Devices: enumeration, opening, and what they tell of themselves.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

uint32_t npurt_version(void)
{
	return NPURT_VERSION;
}

uint64_t rt_ticks_to_ns(const npurt_device *device, uint64_t ticks)
{
	const uint64_t hz = device->info.timestamp_frequency;

	return ticks / hz * NS_PER_S + ticks % hz * NS_PER_S / hz;
}

int64_t rt_deadline(uint64_t timeout_ns)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	return timeout_ns > INT64_MAX - now ? INT64_MAX : (int64_t)(now + timeout_ns);
}

static int query(npurt_device *device, uint32_t type, void *data, uint32_t size, const char *what)
{
	struct drm_npu_dev_query args = {
		.type = type,
		.size = size,
		.pointer = (uintptr_t)data,
	};
	int err;

	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	memset(data, 0, size);
	err = kmd_ioctl(device->kmd, DRM_IOCTL_NPU_DEV_QUERY, &args);
	return err ? rt_fail_errno(&device->diag, err, "query of %s", what) : 0;
}

/* Their number, or an error; there is no object yet that could tell more of it. */
static int enumerate(struct kmd_node nodes[KMD_MAX_NODES])
{
	const int found = kmd_enumerate(nodes, KMD_MAX_NODES);

	switch (found) {
	case -EACCES:
		return NPURT_ERROR_ACCESS;
	case -EINVAL:
		return NPURT_ERROR_INVALID;
	case -ENOMEM:
		return NPURT_ERROR_HOST_MEMORY;
	default:
		return found < 0 ? NPURT_ERROR_SYSTEM : found;
	}
}

int npurt_device_count(unsigned int *count)
{
	struct kmd_node nodes[KMD_MAX_NODES];
	int found;

	if (!count)
		return NPURT_ERROR_INVALID;
	found = enumerate(nodes);
	if (found < 0)
		return found;
	*count = (unsigned int)found;
	return 0;
}

/* A page that reads as zero in a forked child, so that telling costs no system call. */
static int make_owner(npurt_device *device)
{
	void *page =
		mmap(NULL, RT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NPURT_ERROR_HOST_MEMORY;
	if (madvise(page, RT_PAGE, MADV_WIPEONFORK)) {
		munmap(page, RT_PAGE);
		return NPURT_ERROR_UNSUPPORTED;
	}
	device->owner = page;
	atomic_store(device->owner, 1);
	return 0;
}

static int open_failed(struct rt_diag *diag, const char *path, int err)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return rt_fail(diag, NPURT_ERROR_NO_DEVICE, "%s: %s", path, strerror(-err));
	return rt_fail_errno(diag, err, "open of %s", path);
}

/* Not trusting the driver costs little here and saves a division by zero later. */
static int check_info(npurt_device *device)
{
	const struct drm_npu_dev_info *info = &device->info;

	if (!info->timestamp_frequency || !info->core_mask || !info->va_start || info->va_start >= info->va_end ||
	    (info->va_start | info->va_end) & (RT_PAGE - 1))
		return rt_fail(&device->diag, NPURT_ERROR_UNSUPPORTED,
			       "the driver's device information makes no sense");
	return 0;
}

static int open_node(const struct kmd_node *node, const npurt_device_attr *attr,
		     npurt_device **result)
{
	npurt_device *device = calloc(1, sizeof(*device));
	npurt_device_attr a;
	int err;

	if (!device)
		return NPURT_ERROR_HOST_MEMORY;
	device->node = *node;
	device->log_level = rt_log_default_level();
	pthread_mutex_init(&device->lock, NULL);
	rt_list_init(&device->context_list);
	rt_list_init(&device->handles);
	rt_diag_init(&device->diag, device);
	rt_trace_hub_init(device);

	err = rt_attr_take(&device->diag, "npurt_device_attr", 0, &a, sizeof(a), attr);
	if (err)
		goto fail;
	if (a.log) {
		device->log = a.log;
		device->log_data = a.log_data;
		device->log_level = a.log_level;
	}
	err = make_owner(device);
	if (err)
		goto fail;
	err = kmd_open(&device->node, &device->kmd, &device->driver_major, &device->driver_minor);
	if (err) {
		err = open_failed(&device->diag, node->path, err);
		goto fail;
	}
	err = query(device, DRM_NPU_DEV_QUERY_INFO, &device->info, sizeof(device->info),
		    "device information");
	if (!err)
		err = check_info(device);
	if (err)
		goto fail;
	device->info.name[sizeof(device->info.name) - 1] = '\0';
	rt_clock_init(device);
	rt_log(device, NPURT_LOG_INFO, "opened %s (%s, %s)", node->path, node->bus_id,
	       device->info.name);
	rt_trace_open_file(device);
	*result = device;
	return 0;

fail:
	rt_trace_hub_fini(device);
	if (device->kmd)
		kmd_close(device->kmd);
	if (device->owner)
		munmap(device->owner, RT_PAGE);
	pthread_mutex_destroy(&device->lock);
	rt_diag_fini(&device->diag);
	free(device);
	return err;
}

int npurt_device_open(unsigned int index, const npurt_device_attr *attr, npurt_device **device)
{
	struct kmd_node nodes[KMD_MAX_NODES];
	int found;

	if (!device)
		return NPURT_ERROR_INVALID;
	found = enumerate(nodes);
	if (found < 0)
		return found;
	if (index >= (unsigned int)found)
		return NPURT_ERROR_NO_DEVICE;
	return open_node(&nodes[index], attr, device);
}

int npurt_device_open_bus_id(const char *bus_id, const npurt_device_attr *attr,
			     npurt_device **device)
{
	struct kmd_node nodes[KMD_MAX_NODES];
	int found;

	if (!bus_id || !device)
		return NPURT_ERROR_INVALID;
	found = enumerate(nodes);
	for (int i = 0; i < found; i++) {
		if (strcmp(nodes[i].bus_id, bus_id) == 0)
			return open_node(&nodes[i], attr, device);
	}
	return found < 0 ? found : NPURT_ERROR_NO_DEVICE;
}

int npurt_device_close(npurt_device *device)
{
	unsigned int contexts, traces;

	if (!device)
		return NPURT_ERROR_INVALID;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	contexts = atomic_load(&device->contexts);
	if (contexts)
		return rt_fail(&device->diag, NPURT_ERROR_BUSY, "%u contexts of %s still exist",
			       contexts, device->node.path);
	traces = rt_trace_subscribers(device);
	if (traces)
		return rt_fail(&device->diag, NPURT_ERROR_BUSY, "%u traces of %s still exist",
			       traces, device->node.path);
	rt_trace_hub_fini(device);
	rt_worker_stop(device);
	kmd_close(device->kmd);
	munmap(device->owner, RT_PAGE);
	pthread_mutex_destroy(&device->lock);
	rt_diag_fini(&device->diag);
	rt_object_free(device);
	return 0;
}

int npurt_device_error_message(npurt_device *device, char *text, size_t size)
{
	return device ? rt_diag_copy(&device->diag, text, size) : NPURT_ERROR_INVALID;
}

int npurt_device_get_properties(npurt_device *device, npurt_device_properties *properties)
{
	npurt_device_properties p = { 0 };
	const struct drm_npu_dev_info *info;

	if (!device)
		return NPURT_ERROR_INVALID;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	info = &device->info;
	snprintf(p.name, sizeof(p.name), "%s", info->name);
	snprintf(p.bus_id, sizeof(p.bus_id), "%s", device->node.bus_id);
	snprintf(p.node, sizeof(p.node), "%s", device->node.path);
	p.serial = info->serial;
	p.hw_version = info->hw_version;
	p.cores = info->num_cores;
	p.core_mask = info->core_mask;
	p.core_clock_mhz = info->core_clock_mhz;
	p.ub_size = info->ub_size;
	p.l1_size = info->l1_size;
	p.l0a_size = info->l0a_size;
	p.l0b_size = info->l0b_size;
	p.l0c_size = info->l0c_size;
	p.max_queues = info->max_queues;
	p.max_priority = (int32_t)info->max_priority - DRM_NPU_QUEUE_PRIORITY_NORMAL;
	p.timestamp_frequency = info->timestamp_frequency;
	p.driver_major = device->driver_major;
	p.driver_minor = device->driver_minor;
	return rt_attr_give(&device->diag, "npurt_device_properties", properties, &p, sizeof(p));
}

int npurt_device_get_memory_info(npurt_device *device, npurt_memory_info *info)
{
	struct drm_npu_dev_memory m;
	npurt_memory_info out = { 0 };
	int err;

	if (!device)
		return NPURT_ERROR_INVALID;
	err = query(device, DRM_NPU_DEV_QUERY_MEMORY, &m, sizeof(m), "memory");
	if (err)
		return err;
	out.hbm_size = m.hbm_size;
	out.hbm_used = m.hbm_used;
	out.hbm_physical = m.hbm_physical;
	out.system_used = m.system_used;
	return rt_attr_give(&device->diag, "npurt_memory_info", info, &out, sizeof(out));
}

int npurt_device_get_firmware(npurt_device *device, npurt_firmware_info *info)
{
	struct drm_npu_dev_firmware f;
	npurt_firmware_info out = { 0 };
	int err;

	if (!device)
		return NPURT_ERROR_INVALID;
	err = query(device, DRM_NPU_DEV_QUERY_FIRMWARE, &f, sizeof(f), "firmware");
	if (err)
		return err;
	snprintf(out.version, sizeof(out.version), "%.*s", (int)sizeof(f.version), f.version);
	out.abi_major = f.abi_major;
	out.abi_minor = f.abi_minor;
	out.boot_post = f.boot_post;
	out.heartbeat = f.heartbeat;
	out.reset_count = f.reset_count;
	return rt_attr_give(&device->diag, "npurt_firmware_info", info, &out, sizeof(out));
}

int npurt_device_get_telemetry(npurt_device *device, npurt_telemetry *telemetry)
{
	struct drm_npu_dev_telemetry t;
	npurt_telemetry out = { 0 };
	int err;

	if (!device)
		return NPURT_ERROR_INVALID;
	err = query(device, DRM_NPU_DEV_QUERY_TELEMETRY, &t, sizeof(t), "telemetry");
	if (err)
		return err;
	out.timestamp = t.timestamp;
	out.samples = t.samples;
	out.aicore_busy_ns = t.aicore_busy_ns;
	out.sdma_busy_ns = t.sdma_busy_ns;
	out.hbm_read_bytes = t.hbm_read_bytes;
	out.hbm_write_bytes = t.hbm_write_bytes;
	out.tasks_done = t.tasks_done;
	out.tasks_failed = t.tasks_failed;
	out.hbm_ce = t.hbm_ce;
	out.hbm_ue = t.hbm_ue;
	out.temperature_mc = t.temperature_mc;
	out.power_mw = t.power_mw;
	out.voltage_mv = t.voltage_mv;
	out.aicore_mhz = t.aicore_mhz;
	out.hbm_mhz = t.hbm_mhz;
	out.health = t.health;
	out.period_ms = t.period_ms;
	out.aicore_permille = t.aicore_permille;
	out.cube_permille = t.cube_permille;
	out.vector_permille = t.vector_permille;
	out.sdma_permille = t.sdma_permille;
	out.mcu_permille = t.mcu_permille;
	out.hbm_permille = t.hbm_permille;
	return rt_attr_give(&device->diag, "npurt_telemetry", telemetry, &out, sizeof(out));
}

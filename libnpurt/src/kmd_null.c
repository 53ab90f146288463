// SPDX-License-Identifier: MIT
/*
 * The null device as a driver: its devices, open files and calls.
 */
#include "null.h"

#include <drm.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

static const struct kmd_ops null_ops;

uint64_t null_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t null_now_ticks(void)
{
	return null_now_ns() / (NS_PER_S / NULL_TICKS_PER_S);
}

static struct null_file *null_file(struct kmd_file *file)
{
	return (struct null_file *)file;
}

/* Queries. */

static void query_info(const struct null_file *file, struct drm_npu_dev_info *info)
{
	*info = (struct drm_npu_dev_info){
		.name = "null device",
		.serial = file->device + 1,
		.hw_version = 0x10002,
		.num_cores = NULL_CORES,
		.va_start = NULL_VA_START,
		.va_end = NULL_VA_END,
		.timestamp_frequency = NULL_TICKS_PER_S,
		.page_sizes = NULL_PAGE,
		.core_mask = NULL_CORE_MASK,
		.core_clock_mhz = 1000,
		.ub_size = 256 << 10,
		.l1_size = 1 << 20,
		.l0a_size = 64 << 10,
		.l0b_size = 64 << 10,
		.l0c_size = 256 << 10,
		.max_queues = NULL_MAX_QUEUES,
		.max_ring_entries = 2048,
		.max_priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
	};
}

static void query_firmware(const struct null_file *file, struct drm_npu_dev_firmware *firmware)
{
	*firmware = (struct drm_npu_dev_firmware){
		.version = "none",
		.abi_major = 1,
		.reset_count = file->resets,
	};
}

static void query_timestamp(struct drm_npu_dev_timestamp *timestamp)
{
	timestamp->cpu_before = null_now_ns();
	timestamp->device = null_now_ticks();
	timestamp->cpu_after = null_now_ns();
}

static void query_telemetry(const struct null_file *file, struct drm_npu_dev_telemetry *telemetry)
{
	*telemetry = (struct drm_npu_dev_telemetry){
		.timestamp = null_now_ticks(),
		.samples = 1,
		.tasks_done = file->jobs_done,
		.tasks_failed = file->jobs_failed,
		.temperature_mc = 40000,
		.aicore_mhz = 1000,
		.period_ms = 1000,
	};
}

static int dev_query(const struct null_file *file, struct drm_npu_dev_query *args)
{
	union {
		struct drm_npu_dev_info info;
		struct drm_npu_dev_memory memory;
		struct drm_npu_dev_firmware firmware;
		struct drm_npu_dev_timestamp timestamp;
		struct drm_npu_dev_telemetry telemetry;
		struct drm_npu_dev_limits limits;
		struct drm_npu_dev_resets resets;
	} u;
	uint32_t size;

	memset(&u, 0, sizeof(u));
	switch (args->type) {
	case DRM_NPU_DEV_QUERY_INFO:
		query_info(file, &u.info);
		size = sizeof(u.info);
		break;
	case DRM_NPU_DEV_QUERY_MEMORY:
		u.memory.hbm_size = u.memory.hbm_physical = NULL_HBM_BYTES;
		u.memory.hbm_used = null_hbm_used(file);
		u.memory.system_used = null_system_used(file);
		size = sizeof(u.memory);
		break;
	case DRM_NPU_DEV_QUERY_FIRMWARE:
		query_firmware(file, &u.firmware);
		size = sizeof(u.firmware);
		break;
	case DRM_NPU_DEV_QUERY_TIMESTAMP:
		query_timestamp(&u.timestamp);
		size = sizeof(u.timestamp);
		break;
	case DRM_NPU_DEV_QUERY_TELEMETRY:
		query_telemetry(file, &u.telemetry);
		size = sizeof(u.telemetry);
		break;
	case DRM_NPU_DEV_QUERY_LIMITS:
		u.limits.max_vms = NULL_MAX_VMS;
		u.limits.num_vms = file->vms.count;
		u.limits.max_queues = NULL_MAX_QUEUES;
		u.limits.num_queues = file->queues.count;
		u.limits.max_pinned = NULL_HBM_BYTES;
		size = sizeof(u.limits);
		break;
	case DRM_NPU_DEV_QUERY_RESETS:
		u.resets.devices = file->resets;
		u.resets.wedged = file->wedged;
		size = sizeof(u.resets);
		break;
	default:
		return -EINVAL;
	}
	args->size = args->size < size ? args->size : size;
	memcpy((void *)(uintptr_t)args->pointer, &u, args->size);
	return 0;
}

/* Buffers. */

static int bo_mmap_offset(struct null_file *file, struct drm_npu_bo_mmap_offset *args)
{
	if (!null_find(&file->bos, args->handle))
		return -ENOENT;
	args->offset = (uint64_t)args->handle * NULL_PAGE;
	return 0;
}

static int dispatch(struct null_file *file, unsigned long request, void *arg)
{
	switch (request) {
	case DRM_IOCTL_NPU_DEV_QUERY:
		return dev_query(file, arg);
	case DRM_IOCTL_NPU_VM_CREATE:
		return null_vm_create(file, arg);
	case DRM_IOCTL_NPU_VM_DESTROY:
		return null_vm_destroy(file, ((struct drm_npu_vm_destroy *)arg)->id);
	case DRM_IOCTL_NPU_VM_BIND:
		return null_vm_bind(file, arg);
	case DRM_IOCTL_NPU_VM_GET_STATE:
		return null_vm_get_state(file, arg);
	case DRM_IOCTL_NPU_BO_CREATE:
		return null_bo_create(file, arg);
	case DRM_IOCTL_NPU_BO_MMAP_OFFSET:
		return bo_mmap_offset(file, arg);
	case DRM_IOCTL_NPU_BO_MADVISE:
		return null_bo_madvise(file, arg);
	case DRM_IOCTL_NPU_BO_SET_LABEL:
		return null_bo_set_label(file, arg);
	case DRM_IOCTL_NPU_QUEUE_CREATE:
		return null_queue_create(file, arg);
	case DRM_IOCTL_NPU_QUEUE_DESTROY:
		return null_queue_destroy(file, ((struct drm_npu_queue_destroy *)arg)->id);
	case DRM_IOCTL_NPU_QUEUE_GET_STATE:
		return null_queue_get_state(file, arg);
	case DRM_IOCTL_NPU_SUBMIT:
		return null_submit(file, arg);
	case DRM_IOCTL_GEM_CLOSE:
		return null_bo_close(file, ((struct drm_gem_close *)arg)->handle);
	default:
		return -ENOTTY;
	}
}

static int null_ioctl(struct kmd_file *base, unsigned long request, void *arg)
{
	struct null_file *file = null_file(base);
	int err;

	pthread_mutex_lock(&file->lock);
	err = dispatch(file, request, arg);
	pthread_mutex_unlock(&file->lock);
	return err;
}

static int null_mmap(struct kmd_file *base, uint64_t offset, size_t bytes, void **pointer)
{
	struct null_file *file = null_file(base);
	struct null_bo *bo;
	int err = 0;

	pthread_mutex_lock(&file->lock);
	bo = null_find(&file->bos, (uint32_t)(offset / NULL_PAGE));
	if (!bo || bytes > bo->size)
		err = -EINVAL;
	if (!err) {
		bo->refs++;
		*pointer = null_bo_bytes(bo);
	}
	pthread_mutex_unlock(&file->lock);
	return err;
}

static void null_munmap(struct kmd_file *base, void *pointer, size_t bytes)
{
	struct null_file *file = null_file(base);

	(void)bytes;
	pthread_mutex_lock(&file->lock);
	null_bo_put(file, null_bo_of(pointer));
	pthread_mutex_unlock(&file->lock);
}

static int null_prime_export(struct kmd_file *base, uint32_t handle, int *dmabuf)
{
	struct null_file *file = null_file(base);
	int err;

	pthread_mutex_lock(&file->lock);
	err = null_bo_export(file, handle, dmabuf);
	pthread_mutex_unlock(&file->lock);
	return err;
}

static int null_prime_import(struct kmd_file *base, int dmabuf, uint32_t *handle)
{
	struct null_file *file = null_file(base);
	int err;

	pthread_mutex_lock(&file->lock);
	err = null_bo_import(file, dmabuf, handle);
	pthread_mutex_unlock(&file->lock);
	return err;
}

/* Files. */

static int null_open(const struct kmd_node *node, struct kmd_file **result, uint32_t *driver_major,
		     uint32_t *driver_minor)
{
	struct null_file *file = calloc(1, sizeof(*file));
	pthread_condattr_t attr;

	if (!file)
		return -ENOMEM;
	file->base.ops = &null_ops;
	file->device = (unsigned int)strtoul(node->path + strlen("null"), NULL, 10);
	file->ready_tail = &file->ready;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&file->lock, NULL);
	pthread_cond_init(&file->work, &attr);
	pthread_cond_init(&file->done, &attr);
	pthread_condattr_destroy(&attr);
	*driver_major = 1;
	*driver_minor = 1;
	*result = &file->base;
	return 0;
}

/* As when a process ends: what it did not destroy goes too. */
static void free_objects(struct null_file *file)
{
	for (uint32_t i = 0; i < file->queues.size; i++)
		null_queue_destroy(file, i);
	null_stop(file);
	for (uint32_t i = 0; i < file->vms.size; i++)
		null_vm_destroy(file, i);
	for (uint32_t i = 0; i < file->bos.size; i++)
		null_bo_close(file, i);
	null_syncobjs_close(file);
}

static void null_close(struct kmd_file *base)
{
	struct null_file *file = null_file(base);

	pthread_mutex_lock(&file->lock);
	free_objects(file);
	pthread_mutex_unlock(&file->lock);
	null_table_free(&file->bos);
	null_table_free(&file->vms);
	null_table_free(&file->queues);
	null_table_free(&file->syncobjs);
	pthread_cond_destroy(&file->work);
	pthread_cond_destroy(&file->done);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

static const struct kmd_ops null_ops = {
	.open = null_open,
	.close = null_close,
	.ioctl = null_ioctl,
	.mmap = null_mmap,
	.munmap = null_munmap,
	.prime_export = null_prime_export,
	.prime_import = null_prime_import,
	.syncobj_create = null_syncobj_create,
	.syncobj_destroy = null_syncobj_destroy,
	.syncobj_wait = null_syncobj_wait,
	.syncobj_export = null_syncobj_export,
	.syncobj_import = null_syncobj_import,
	.syncobj_query = null_syncobj_query,
	.syncobj_signal = null_syncobj_signal,
	.syncobj_eventfd = null_syncobj_eventfd,
	.syncobj_status = null_syncobj_status,
};

int kmd_null_enumerate(struct kmd_node *nodes, unsigned int max, unsigned int count)
{
	if (count > max)
		count = max;
	for (unsigned int i = 0; i < count; i++) {
		nodes[i].ops = &null_ops;
		snprintf(nodes[i].path, sizeof(nodes[i].path), "null%u", i);
		snprintf(nodes[i].bus_id, sizeof(nodes[i].bus_id), "null:%02x:00.0", i);
	}
	return (int)count;
}

/* For tests. */

void null_wedge(struct kmd_file *base)
{
	struct null_file *file = null_file(base);

	pthread_mutex_lock(&file->lock);
	file->wedged = true;
	pthread_mutex_unlock(&file->lock);
	null_reset(base);
}

void null_reset(struct kmd_file *base)
{
	struct null_file *file = null_file(base);

	pthread_mutex_lock(&file->lock);
	file->resets++;
	for (uint32_t i = 0; i < file->queues.size; i++) {
		struct null_queue *queue = file->queues.slots[i];

		if (queue) {
			queue->state.state = DRM_NPU_QUEUE_LOST;
			queue->state.recovery = DRM_NPU_RECOVERY_DEVICE;
			queue->state.reset_count++;
		}
	}
	pthread_cond_signal(&file->work);
	pthread_mutex_unlock(&file->lock);
}

unsigned int null_labels(struct kmd_file *base, const char *label)
{
	struct null_file *file = null_file(base);
	unsigned int count = 0;

	pthread_mutex_lock(&file->lock);
	for (uint32_t i = 0; i < file->bos.size; i++) {
		const struct null_bo *bo = file->bos.slots[i];

		count += bo && strcmp(bo->label, label) == 0;
	}
	pthread_mutex_unlock(&file->lock);
	return count;
}

unsigned int null_objects(struct kmd_file *base)
{
	struct null_file *file = null_file(base);
	unsigned int count;

	pthread_mutex_lock(&file->lock);
	count = file->num_bos + file->vms.count + file->queues.count + file->syncobjs.count;
	pthread_mutex_unlock(&file->lock);
	return count;
}

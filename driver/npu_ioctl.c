// SPDX-License-Identifier: GPL-2.0-only
#include <linux/log2.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "npu_activity.h"
#include "npu_buffers.h"
#include "npu_bind.h"
#include "npu_device.h"
#include "npu_fault.h"
#include "npu_file.h"
#include "npu_gem.h"
#include "npu_hbm.h"
#include "npu_ioctl.h"
#include "npu_perf.h"
#include "npu_limits.h"
#include "npu_madvise.h"
#include "npu_query.h"
#include "npu_queue.h"
#include "npu_resident.h"
#include "npu_submit.h"
#include "npu_uapi.h"
#include "npu_vm.h"

#define NPU_VM_BIND_MAX_OPS 1024
#define NPU_QUEUE_DEFAULT_ENTRIES 256
#define NPU_QUEUE_DEFAULT_TIMEOUT_MS 10000

static_assert(DRM_NPU_QUEUE_PRIORITY_LOW == NPU_PRIORITY_LOW);
static_assert(DRM_NPU_QUEUE_PRIORITY_NORMAL == NPU_PRIORITY_NORMAL);
static_assert(DRM_NPU_QUEUE_PRIORITY_HIGH == NPU_PRIORITY_HIGH);
static_assert(DRM_NPU_QUEUE_PRIORITY_REALTIME == NPU_PRIORITY_REALTIME);
static_assert(DRM_NPU_ENGINE_COMPUTE == NPU_ENGINE_COMPUTE);
static_assert(DRM_NPU_ENGINE_COPY == NPU_ENGINE_COPY);

static int npu_ioctl_vm_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_vm_create *args = data;
	struct npu_file *nfile = file->driver_priv;
	struct npu_vm *vm;
	int ret;

	if (NPU_BAD_ARG(npu, args->flags))
		return -EINVAL;

	ret = npu_process_charge(nfile->process, NPU_LIMIT_VMS, 1);
	if (ret)
		return ret;

	vm = npu_vm_create(npu, nfile->process);
	if (IS_ERR(vm)) {
		ret = PTR_ERR(vm);
		goto err_uncharge;
	}

	ret = npu_file_add_vm(nfile, vm, &args->id);
	if (ret)
		goto err_destroy;

	return 0;

err_destroy:
	npu_vm_destroy(vm);
err_uncharge:
	npu_process_uncharge(nfile->process, NPU_LIMIT_VMS, 1);
	return ret;
}

static int npu_ioctl_vm_destroy(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_npu_vm_destroy *args = data;

	if (NPU_BAD_ARG(to_npu_device(drm), args->pad))
		return -EINVAL;

	return npu_file_destroy_vm(file->driver_priv, args->id);
}

static int npu_ioctl_vm_get_state(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_vm_get_state state = {};
	struct drm_npu_vm_get_state *args = data;
	struct npu_vm *vm;
	int ret;

	if (NPU_BAD_ARG(npu, args->pad))
		return -EINVAL;

	vm = npu_file_get_vm(file->driver_priv, args->id);
	if (NPU_BAD_ARG(npu, !vm))
		return -ENOENT;

	state.id = args->id;
	npu_fault_get_state(vm, &state);
	ret = npu_resident_get_state(vm, &state);
	if (!ret)
		*args = state;

	npu_vm_put(vm);
	return ret;
}

static int npu_ioctl_vm_bind(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_vm_bind *args = data;
	bool async = args->flags & DRM_NPU_VM_BIND_ASYNC;
	struct drm_npu_vm_bind_op *ops;
	struct npu_vm *vm;
	u32 done;
	int ret;

	if (NPU_BAD_ARG(npu, args->flags & ~DRM_NPU_VM_BIND_ASYNC) ||
	    NPU_BAD_ARG(npu, !async && args->syncs.count))
		return -EINVAL;
	if (READ_ONCE(npu->state) == NPU_DEVICE_WEDGED)
		return -EIO;

	vm = npu_file_get_vm(file->driver_priv, args->vm_id);
	if (NPU_BAD_ARG(npu, !vm))
		return -ENOENT;

	ops = npu_uapi_get_array(&args->ops, NPU_VM_BIND_MAX_OPS,
				 offsetofend(struct drm_npu_vm_bind_op, size), sizeof(*ops), NULL,
				 0);
	if (NPU_BAD_ARG(npu, IS_ERR(ops))) {
		npu_vm_put(vm);
		return PTR_ERR(ops);
	}

	if (async) {
		ret = npu_bind_async(vm, file, ops, args);
	} else {
		ret = npu_bind_sync(vm, file, ops, args->ops.count, &done);
		/* Copied back even if it fails: a call that is made again needs all of them. */
		if (ret != -EINTR && ret != -ERESTARTSYS)
			args->ops.count = done;
	}

	kvfree(ops);
	npu_vm_put(vm);
	return ret;
}

static int npu_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_bo_create *args = data;
	struct npu_vm *vm = NULL;
	struct npu_bo *bo;
	u64 size;
	int ret;

	if (NPU_BAD_ARG(npu, !args->size) ||
	    NPU_BAD_ARG(npu, args->placement != DRM_NPU_BO_HBM &&
			args->placement != DRM_NPU_BO_SYSTEM) ||
	    NPU_BAD_ARG(npu, args->flags & ~DRM_NPU_BO_NO_MMAP))
		return -EINVAL;

	size = PAGE_ALIGN(args->size);
	if (NPU_BAD_ARG(npu, size < args->size))
		return -EINVAL;

	if (args->vm_id) {
		vm = npu_file_get_vm(file->driver_priv, args->vm_id);
		if (NPU_BAD_ARG(npu, !vm))
			return -ENOENT;
	}

	bo = npu_gem_create(npu, size, args->placement == DRM_NPU_BO_HBM ? NPU_PL_HBM :
			    NPU_PL_SYSTEM, args->flags, vm);
	if (vm)
		npu_vm_put(vm);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	ret = drm_gem_handle_create(file, &bo->ttm.base, &args->handle);
	drm_gem_object_put(&bo->ttm.base);
	if (!ret)
		args->size = size;
	return ret;
}

static int npu_ioctl_bo_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_bo_mmap_offset *args = data;
	struct drm_gem_object *obj;
	int ret = 0;

	if (NPU_BAD_ARG(npu, args->pad))
		return -EINVAL;

	obj = drm_gem_object_lookup(file, args->handle);
	if (NPU_BAD_ARG(npu, !obj))
		return -ENOENT;

	if (NPU_BAD_ARG(npu, to_npu_bo(obj)->flags & DRM_NPU_BO_NO_MMAP))
		ret = -EPERM;
	else
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);

	drm_gem_object_put(obj);
	return ret;
}

/**
 * npu_ioctl_queue_params() - check the arguments of DRM_IOCTL_NPU_QUEUE_CREATE
 * @npu: device
 * @args: arguments
 * @params: what the queue shall be
 *
 * Return: 0 if they are good, a negative error code otherwise.
 */
static int npu_ioctl_queue_params(struct npu_device *npu, const struct drm_npu_queue_create *args,
				  struct npu_queue_params *params)
{
	params->engine = args->engine_class;
	params->priority = args->priority;
	params->core_mask = args->core_mask;
	params->entries = args->ring_entries ?: NPU_QUEUE_DEFAULT_ENTRIES;
	params->timeout_ms = args->timeout_ms ?: NPU_QUEUE_DEFAULT_TIMEOUT_MS;

	if (NPU_BAD_ARG(npu, args->flags) ||
	    NPU_BAD_ARG(npu, args->pad) ||
	    NPU_BAD_ARG(npu, args->engine_class > DRM_NPU_ENGINE_COPY) ||
	    NPU_BAD_ARG(npu, args->priority > DRM_NPU_QUEUE_PRIORITY_REALTIME) ||
	    NPU_BAD_ARG(npu, args->core_mask & ~npu->info.core_mask) ||
	    NPU_BAD_ARG(npu, !is_power_of_2(params->entries)) ||
	    NPU_BAD_ARG(npu, params->entries < NPU_SQ_MIN_ENTRIES) ||
	    NPU_BAD_ARG(npu, params->entries > NPU_QUEUE_MAX_ENTRIES) ||
	    NPU_BAD_ARG(npu, params->timeout_ms > U32_MAX / USEC_PER_MSEC))
		return -EINVAL;

	if (NPU_BAD_ARG(npu, args->priority > DRM_NPU_QUEUE_PRIORITY_NORMAL &&
			args->priority > npu_query_max_priority()))
		return -EACCES;

	return 0;
}

static int npu_ioctl_queue_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_queue_create *args = data;
	struct npu_file *nfile = file->driver_priv;
	struct npu_queue_params params = { .usage = nfile->usage };
	struct npu_queue *queue;
	struct npu_vm *vm;
	int ret;

	ret = npu_ioctl_queue_params(npu, args, &params);
	if (ret)
		return ret;

	ret = npu_process_charge(nfile->process, NPU_LIMIT_QUEUES, 1);
	if (ret)
		return ret;

	vm = npu_file_use_vm(nfile, args->vm_id);
	if (NPU_BAD_ARG(npu, !vm)) {
		ret = -ENOENT;
		goto err_uncharge;
	}

	queue = npu_queue_create(npu, vm, &params);
	if (IS_ERR(queue)) {
		ret = PTR_ERR(queue);
		goto err_uncharge;
	}

	ret = npu_file_add_queue(nfile, queue, &args->id);
	if (ret)
		goto err_destroy;

	return 0;

err_destroy:
	npu_queue_destroy(queue);
err_uncharge:
	npu_process_uncharge(nfile->process, NPU_LIMIT_QUEUES, 1);
	return ret;
}

static int npu_ioctl_queue_destroy(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_npu_queue_destroy *args = data;

	if (NPU_BAD_ARG(to_npu_device(drm), args->pad))
		return -EINVAL;

	return npu_file_destroy_queue(file->driver_priv, args->id);
}

static int npu_ioctl_queue_get_state(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_queue_get_state *args = data;
	u32 flags = args->flags;
	struct npu_queue *queue;

	if (NPU_BAD_ARG(npu, flags & ~DRM_NPU_QUEUE_STATE_ACTIVITY))
		return -EINVAL;

	queue = npu_file_get_queue(file->driver_priv, args->id);
	if (NPU_BAD_ARG(npu, !queue))
		return -ENOENT;

	*args = (struct drm_npu_queue_get_state) { .id = args->id, .flags = flags };
	if (flags & DRM_NPU_QUEUE_STATE_ACTIVITY)
		npu_activity_get(queue, args);
	npu_queue_get_state(queue, args);
	npu_queue_put(queue);
	return 0;
}

const struct drm_ioctl_desc npu_ioctls[DRM_NPU_PERF_OPEN + 1] = {
	DRM_IOCTL_DEF_DRV(NPU_DEV_QUERY, npu_query_ioctl, 0),
	DRM_IOCTL_DEF_DRV(NPU_VM_CREATE, npu_ioctl_vm_create, 0),
	DRM_IOCTL_DEF_DRV(NPU_VM_DESTROY, npu_ioctl_vm_destroy, 0),
	DRM_IOCTL_DEF_DRV(NPU_VM_BIND, npu_ioctl_vm_bind, 0),
	DRM_IOCTL_DEF_DRV(NPU_VM_GET_STATE, npu_ioctl_vm_get_state, 0),
	DRM_IOCTL_DEF_DRV(NPU_BO_CREATE, npu_ioctl_bo_create, 0),
	DRM_IOCTL_DEF_DRV(NPU_BO_MMAP_OFFSET, npu_ioctl_bo_mmap_offset, 0),
	DRM_IOCTL_DEF_DRV(NPU_QUEUE_CREATE, npu_ioctl_queue_create, 0),
	DRM_IOCTL_DEF_DRV(NPU_QUEUE_DESTROY, npu_ioctl_queue_destroy, 0),
	DRM_IOCTL_DEF_DRV(NPU_QUEUE_GET_STATE, npu_ioctl_queue_get_state, 0),
	DRM_IOCTL_DEF_DRV(NPU_SUBMIT, npu_submit_ioctl, 0),
	DRM_IOCTL_DEF_DRV(NPU_PERF_OPEN, npu_perf_open_ioctl, 0),
	DRM_IOCTL_DEF_DRV(NPU_BO_MADVISE, npu_madvise_ioctl, 0),
	DRM_IOCTL_DEF_DRV(NPU_BO_SET_LABEL, npu_buffers_set_label, 0),
};

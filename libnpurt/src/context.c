// SPDX-License-Identifier: MIT
/*
 * Contexts: an address space of the device, and the list of what lives in it.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static int create_vm(npurt_context *context)
{
	struct drm_npu_vm_create args = { 0 };
	int err = kmd_ioctl(context->device->kmd, DRM_IOCTL_NPU_VM_CREATE, &args);

	if (err == -ENOSPC)
		return rt_fail_limit(&context->device->diag, RT_LIMIT_VMS,
				     "create an address space");
	if (err)
		return rt_fail_errno(&context->device->diag, err, "create an address space");
	context->vm_id = args.id;
	return 0;
}

int npurt_context_create(npurt_device *device, const npurt_context_attr *attr,
			 npurt_context **result)
{
	npurt_context_attr a;
	npurt_context *context;
	int err;

	if (!device || !result)
		return NPURT_ERROR_INVALID;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&device->diag, "npurt_context_attr", NPURT_CONTEXT_STRICT, &a, sizeof(a),
			   attr);
	if (err)
		return err;

	context = calloc(1, sizeof(*context));
	if (!context)
		return rt_fail(&device->diag, NPURT_ERROR_HOST_MEMORY, "allocate a context");
	context->device = device;
	err = rt_strict_init(context, a.flags);
	if (err) {
		free(context);
		return err;
	}
	err = rt_va_init(&context->va, device->info.va_start, device->info.va_end);
	if (err)
		rt_fail(&device->diag, err, "allocate the addresses of a context");
	else
		err = create_vm(context);
	if (err) {
		rt_va_fini(&context->va);
		free(context);
		return err;
	}
	rt_diag_init(&context->diag, device);
	pthread_mutex_init(&context->lock, NULL);
	rt_slot_pool_init(&context->slots);
	rt_list_init(&context->memory);
	rt_list_init(&context->imports);
	rt_tags_init(context);
	rt_list_init(&context->modules);
	rt_list_init(&context->graph_execs);
	rt_list_init(&context->retired);
	rt_list_init(&context->streams);
	rt_list_init(&context->unreadable);
	rt_list_init(&context->communicators);
	rt_list_init(&context->prints);
	context->print_lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	pthread_mutex_lock(&device->lock);
	rt_list_add(&device->context_list, &context->link);
	pthread_mutex_unlock(&device->lock);
	atomic_fetch_add(&device->contexts, 1);
	*result = context;
	return 0;
}

static int check_unused(npurt_context *context)
{
	int err = 0;

	pthread_mutex_lock(&context->lock);
	if (context->num_streams || context->num_events || context->num_modules ||
	    context->num_graphs || context->num_memory || context->num_pools ||
	    atomic_load(&context->num_communicators))
		err = rt_fail(&context->diag, NPURT_ERROR_BUSY,
			      "the context still has %u streams, %u events, %u modules, %u graphs, "
			      "%u memory objects, %u pools and %u communicators",
			      context->num_streams, context->num_events, context->num_modules,
			      context->num_graphs, context->num_memory, context->num_pools,
			      atomic_load(&context->num_communicators));
	pthread_mutex_unlock(&context->lock);
	return err;
}

int npurt_context_destroy(npurt_context *context)
{
	struct drm_npu_vm_destroy args = { 0 };
	npurt_device *device;
	int err;

	if (!context)
		return NPURT_ERROR_INVALID;
	device = context->device;
	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	err = check_unused(context);
	if (err)
		return err;

	rt_imports_drop_context(context);
	pthread_mutex_lock(&device->lock);
	rt_list_del(&context->link);
	pthread_mutex_unlock(&device->lock);
	rt_graph_fini(context);
	rt_module_reap(context, true);
	rt_slot_pool_fini(&context->slots);
	rt_memory_free_unreadable(context);
	args.id = context->vm_id;
	err = kmd_ioctl(device->kmd, DRM_IOCTL_NPU_VM_DESTROY, &args);
	if (err)
		rt_log(device, NPURT_LOG_WARNING, "destroy of address space %u: errno %d", args.id,
		       -err);
	rt_va_fini(&context->va);
	rt_tags_fini(context);
	pthread_mutex_destroy(&context->lock);
	pthread_mutex_destroy(&context->print_lock);
	rt_diag_fini(&context->diag);
	rt_object_free(context);
	atomic_fetch_sub(&device->contexts, 1);
	return 0;
}

int npurt_context_error_message(npurt_context *context, char *text, size_t size)
{
	return context ? rt_diag_copy(&context->diag, text, size) : NPURT_ERROR_INVALID;
}

// SPDX-License-Identifier: MIT
/*
 * Memory objects: a buffer of the driver's, or something like it, bound to addresses of
 * the context.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_PAGE (2ULL << 20)
#define LARGE_PAGE (64ULL << 10)
/* Addresses behind each object that stay unmapped, so that an overrun faults. */
#define GUARD_BYTES RT_PAGE

int rt_vm_bind(npurt_context *context, struct drm_npu_vm_bind_op *ops, unsigned int count)
{
	struct drm_npu_vm_bind args = {
		.vm_id = context->vm_id,
		.ops = { sizeof(*ops), count, (uintptr_t)ops },
	};

	return kmd_ioctl(context->device->kmd, DRM_IOCTL_NPU_VM_BIND, &args);
}

/* What is mapped. */

static void close_bo(npurt_context *context, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	kmd_ioctl(context->device->kmd, DRM_IOCTL_GEM_CLOSE, &args);
}

static int create_bo(npurt_memory *memory)
{
	struct drm_npu_bo_create args = {
		.size = memory->bytes,
		.placement =
			memory->placement == NPURT_PLACE_HBM ? DRM_NPU_BO_HBM : DRM_NPU_BO_SYSTEM,
	};
	npurt_context *context = memory->context;
	int err;

	/* Nobody else ever maps it, which makes submission cheaper; driver 1.0 cannot be told. */
	if (!memory->shared && context->device->driver_minor >= 1)
		args.vm_id = context->vm_id;
	err = kmd_ioctl(context->device->kmd, DRM_IOCTL_NPU_BO_CREATE, &args);
	if (err)
		return rt_fail_memory(&context->diag, err,
				      "allocate %" PRIu64 " bytes of %s for '%s'", memory->bytes,
				      memory->placement == NPURT_PLACE_HBM ? "HBM" : "host memory",
				      memory->label);
	if (args.size < memory->bytes || args.size & (RT_PAGE - 1)) {
		close_bo(context, args.handle);
		return rt_fail(&context->diag, NPURT_ERROR_SYSTEM,
			       "the driver made a buffer of %" PRIu64 " bytes out of %" PRIu64,
			       (uint64_t)args.size, memory->bytes);
	}
	if (memory->shared && rt_handle_add(context->device, args.handle))
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a handle");
	memory->handle = args.handle;
	memory->bo_bytes = args.size;
	return 0;
}

/* For the people who look at the driver; that it fails is no reason to fail. */
static void label_bo(const npurt_memory *memory)
{
	struct drm_npu_bo_set_label args = {
		.handle = memory->handle,
		.label = (uintptr_t)memory->label,
	};

	kmd_ioctl(memory->context->device->kmd, DRM_IOCTL_NPU_BO_SET_LABEL, &args);
}

/* When HBM is short: what of the driver's order the memory has. A hint too. */
static void prioritise_bo(const npurt_memory *memory, int32_t priority)
{
	struct drm_npu_bo_madvise args = {
		.handle = memory->handle,
		.advice = priority < 0 ? DRM_NPU_BO_EVICT_FIRST : DRM_NPU_BO_EVICT_LAST,
	};

	if (priority)
		kmd_ioctl(memory->context->device->kmd, DRM_IOCTL_NPU_BO_MADVISE, &args);
}

static int get_backing(npurt_memory *memory, const struct rt_memory_desc *desc)
{
	int err;

	switch (memory->kind) {
	case RT_MEMORY_BUFFER:
		err = create_bo(memory);
		if (err || memory->internal || memory->context->device->driver_minor < 1)
			return err;
		label_bo(memory);
		prioritise_bo(memory, desc->priority);
		return 0;
	case RT_MEMORY_IMPORTED:
		memory->handle = desc->handle;
		break;
	default:
		break;
	}
	memory->bo_bytes = rt_align(((uintptr_t)desc->host & (RT_PAGE - 1)) + desc->bytes, RT_PAGE);
	return 0;
}

static void put_backing(npurt_memory *memory)
{
	if (memory->shared)
		rt_handle_put(memory->context->device, memory->handle);
	else if (memory->handle)
		close_bo(memory->context, memory->handle);
}

/* Where it is mapped. */

static int alloc_va(npurt_memory *memory, uint64_t alignment)
{
	npurt_context *context = memory->context;
	const struct drm_npu_dev_info *info = &context->device->info;
	const uint64_t all = info->va_end - info->va_start;
	uint64_t used;
	const uint64_t least = memory->bo_bytes >= HUGE_PAGE	? HUGE_PAGE
			       : memory->bo_bytes >= LARGE_PAGE ? LARGE_PAGE
								: RT_PAGE;

	if (alignment < least)
		alignment = least;
	memory->va_bytes = memory->bo_bytes + GUARD_BYTES;
	pthread_mutex_lock(&context->lock);
	/* With the guard a larger one might not fit in 64 bits. */
	if (memory->bo_bytes < all)
		memory->base = rt_va_alloc(&context->va, memory->va_bytes, alignment);
	used = context->va.used;
	pthread_mutex_unlock(&context->lock);
	if (!memory->base)
		return rt_fail(&context->diag, NPURT_ERROR_LIMIT,
			       "'%s' needs %" PRIu64 " bytes of device addresses in one piece: the "
			       "context has %" PRIu64 " of its %" PRIu64 " in use",
			       memory->label, memory->bo_bytes, used, all);
	memory->va = memory->base + ((uintptr_t)memory->host & (RT_PAGE - 1));
	return 0;
}

static void free_va(npurt_memory *memory)
{
	npurt_context *context = memory->context;

	pthread_mutex_lock(&context->lock);
	rt_va_free(&context->va, memory->base, memory->va_bytes);
	pthread_mutex_unlock(&context->lock);
}

static int unbind(npurt_memory *memory)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_UNMAP,
		.va = memory->base,
		.size = memory->bo_bytes,
	};

	return rt_vm_bind(memory->context, &op, 1);
}

static int bind_failed(const npurt_memory *memory, int err)
{
	struct rt_diag *diag = &memory->context->diag;

	if (memory->kind == RT_MEMORY_REGISTERED && err == -EFAULT)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "%" PRIu64 " bytes at %p are not memory of the process%s",
			       memory->bytes, memory->host,
			       memory->readonly ? "" : " that can be written");
	if (memory->kind == RT_MEMORY_IMPORTED && err == -ENOSPC)
		return rt_fail_limit(diag, RT_LIMIT_PINNED, "map imported memory");
	return rt_fail_memory(diag, err, "map %" PRIu64 " bytes of '%s' at 0x%" PRIx64,
			      memory->bo_bytes, memory->label, memory->base);
}

static int bind(npurt_memory *memory, const struct rt_memory_desc *desc)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.flags = desc->flags,
		.bo_handle = memory->handle,
		.va = memory->base,
		.size = memory->bo_bytes,
	};
	int err;

	if (memory->kind == RT_MEMORY_REGISTERED) {
		op.op = DRM_NPU_VM_BIND_OP_MAP_USERPTR;
		op.bo_offset = (uintptr_t)memory->host & ~(RT_PAGE - 1);
	} else if (memory->kind == RT_MEMORY_RANGE) {
		if (!desc->sparse)
			return 0;
		op.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE;
	}
	err = rt_vm_bind(memory->context, &op, 1);
	return err ? bind_failed(memory, err) : 0;
}

/* Life. */

static npurt_memory *new_memory(npurt_context *context, const struct rt_memory_desc *desc)
{
	npurt_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->context = context;
	memory->kind = desc->kind;
	memory->bytes = desc->bytes;
	memory->placement = desc->placement;
	memory->host = desc->host;
	memory->internal = desc->internal;
	memory->backing = desc->backing;
	memory->readonly = desc->flags & DRM_NPU_VM_BIND_OP_READONLY;
	memory->shared = desc->exportable || desc->kind == RT_MEMORY_IMPORTED;
	memory->holding = desc->kind != RT_MEMORY_BUFFER       ? RT_HOLDING_FOREIGN
			  : desc->placement == NPURT_PLACE_HBM ? RT_HOLDING_HBM
							       : RT_HOLDING_HOST;
	rt_list_init(&memory->imports);
	rt_label_copy(memory->label, desc->label ? desc->label : "unnamed memory");
	return memory;
}

/* A range has nothing of its own. */
static uint64_t held_bytes(const npurt_memory *memory)
{
	return memory->kind == RT_MEMORY_RANGE ? 0 : memory->bo_bytes;
}

/* To the context's list, and to what its tag has. */
static void add(npurt_memory *memory, const char *tag)
{
	npurt_context *context = memory->context;

	pthread_mutex_lock(&context->lock);
	memory->tag = rt_tag_find(context, tag || !memory->internal ? tag : RT_INTERNAL_TAG);
	rt_tag_add(memory->tag, memory->holding, held_bytes(memory));
	rt_list_add(&context->memory, &memory->link);
	context->num_memory += !memory->internal;
	pthread_mutex_unlock(&context->lock);
}

void rt_memory_add_part(npurt_memory *memory, struct rt_tag *whole, const char *tag)
{
	npurt_context *context = memory->context;

	pthread_mutex_lock(&context->lock);
	memory->tag = tag ? rt_tag_find(context, tag) : whole;
	rt_tag_sub(whole, memory->holding, memory->bo_bytes);
	rt_tag_add(memory->tag, memory->holding, memory->bo_bytes);
	whole->objects++;
	rt_list_add(&context->memory, &memory->link);
	context->num_memory++;
	pthread_mutex_unlock(&context->lock);
}

void rt_memory_remove_part(npurt_memory *memory, struct rt_tag *whole)
{
	npurt_context *context = memory->context;

	pthread_mutex_lock(&context->lock);
	rt_memory_bury(memory);
	rt_tag_sub(memory->tag, memory->holding, memory->bo_bytes);
	rt_tag_add(whole, memory->holding, memory->bo_bytes);
	whole->objects--;
	rt_list_del(&memory->link);
	context->num_memory--;
	pthread_mutex_unlock(&context->lock);
}

/* An imported handle is taken over, and put if this fails. */
int rt_memory_create(npurt_context *context, const struct rt_memory_desc *desc,
		     npurt_memory **result)
{
	npurt_memory *memory = new_memory(context, desc);
	int err;

	if (!memory) {
		if (desc->kind == RT_MEMORY_IMPORTED)
			rt_handle_put(context->device, desc->handle);
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a memory object");
	}
	err = get_backing(memory, desc);
	if (err)
		goto fail_object;
	err = alloc_va(memory, desc->alignment);
	if (err)
		goto fail_backing;
	err = bind(memory, desc);
	if (err)
		goto fail_va;
	add(memory, desc->tag);
	err = rt_strict_fill(memory);
	if (err) {
		rt_memory_destroy(memory);
		return err;
	}
	*result = memory;
	return 0;

fail_va:
	free_va(memory);
fail_backing:
	put_backing(memory);
fail_object:
	free(memory);
	return err;
}

static void unmap_cpu(npurt_memory *memory)
{
	if (!memory->map)
		return;
	if (memory->map_by_fd)
		rt_memory_unmap_import(memory);
	else
		kmd_munmap(memory->context->device->kmd, memory->map, memory->bo_bytes);
}

void rt_memory_destroy(npurt_memory *memory)
{
	npurt_context *context = memory->context;
	int err;

	rt_imports_drop_memory(memory);
	pthread_mutex_lock(&context->lock);
	rt_memory_bury(memory);
	rt_tag_sub(memory->tag, memory->holding, held_bytes(memory));
	rt_list_del(&memory->link);
	context->num_memory -= !memory->internal;
	pthread_mutex_unlock(&context->lock);

	unmap_cpu(memory);
	err = unbind(memory);
	if (!memory->lost)
		put_backing(memory);
	/* Addresses that may still be mapped are not handed out again. */
	if (err)
		rt_log(context->device, NPURT_LOG_WARNING, "unmap of '%s': errno %d", memory->label,
		       -err);
	else
		free_va(memory);
	if (!memory->lost) {
		rt_object_free(memory);
		return;
	}
	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->unreadable, &memory->link);
	pthread_mutex_unlock(&context->lock);
}

void rt_memory_free_unreadable(npurt_context *context)
{
	while (context->unreadable.next != &context->unreadable) {
		npurt_memory *memory = rt_container(context->unreadable.next, npurt_memory, link);

		rt_list_del(&memory->link);
		put_backing(memory);
		rt_object_free(memory);
	}
}

/* For the CPU. */

static int map_bo(npurt_memory *memory)
{
	struct drm_npu_bo_mmap_offset args = { .handle = memory->handle };
	struct kmd_file *kmd = memory->context->device->kmd;
	int err = kmd_ioctl(kmd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &args);

	if (!err)
		err = kmd_mmap(kmd, args.offset, memory->bo_bytes, &memory->map);
	/* What comes from another device is mapped by its dma-buf. */
	if (err && memory->kind == RT_MEMORY_IMPORTED)
		err = rt_memory_map_import(memory);
	return err;
}

int rt_memory_map(npurt_memory *memory, void **pointer)
{
	npurt_context *context = memory->context;
	int err = 0;

	pthread_mutex_lock(&context->lock);
	if (!memory->map)
		err = map_bo(memory);
	*pointer = memory->map;
	pthread_mutex_unlock(&context->lock);
	return err ? rt_fail_errno(&context->diag, err, "map '%s' for the CPU", memory->label) : 0;
}

/* The interface. */

int rt_memory_take_attr(npurt_context *context, const npurt_memory_attr *attr, uint32_t known_flags,
			struct rt_memory_desc *desc)
{
	npurt_memory_attr a;
	int err;

	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&context->diag, "npurt_memory_attr", known_flags, &a, sizeof(a), attr);
	if (err)
		return err;
	if (a.placement != NPURT_PLACE_HBM && a.placement != NPURT_PLACE_HOST)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "npurt_memory_attr.placement is %u", a.placement);
	if (a.priority < NPURT_PRIORITY_LOW || a.priority > NPURT_PRIORITY_HIGH)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "npurt_memory_attr.priority is %d", a.priority);
	*desc = (struct rt_memory_desc){
		.placement = a.placement,
		.label = a.label,
		.tag = a.tag,
		.priority = a.priority,
		.exportable = a.flags & NPURT_MEMORY_EXPORTABLE,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	if (a.flags & NPURT_MEMORY_READONLY)
		desc->flags |= DRM_NPU_VM_BIND_OP_READONLY;
	return 0;
}

int npurt_memory_create(npurt_context *context, uint64_t bytes, const npurt_memory_attr *attr,
			npurt_memory **memory)
{
	struct rt_memory_desc desc;
	int err = rt_memory_take_attr(context, attr,
				      NPURT_MEMORY_READONLY | NPURT_MEMORY_EXPORTABLE, &desc);

	if (err)
		return err;
	if (!memory)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory is NULL");
	if (!bytes)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory of 0 bytes");
	desc.bytes = bytes;
	return rt_memory_create(context, &desc, memory);
}

static int check_memory(const npurt_memory *memory)
{
	if (!memory)
		return NPURT_ERROR_INVALID;
	return rt_forked(memory->context->device) ? NPURT_ERROR_FORKED : 0;
}

int npurt_memory_destroy(npurt_memory *memory)
{
	int err = check_memory(memory);

	if (err)
		return err;
	if (memory->kind == RT_MEMORY_RANGE)
		return rt_fail(&memory->context->diag, NPURT_ERROR_INVALID,
			       "'%s' is a range: npurt_range_release() ends it", memory->label);
	if (memory->kind == RT_MEMORY_POOLED)
		rt_pool_free(memory);
	else
		rt_memory_destroy(memory);
	return 0;
}

uint64_t npurt_memory_address(const npurt_memory *memory)
{
	return memory ? memory->va : 0;
}

uint64_t npurt_memory_size(const npurt_memory *memory)
{
	return memory ? memory->bytes : 0;
}

npurt_context *npurt_memory_context(const npurt_memory *memory)
{
	return memory ? memory->context : NULL;
}

int npurt_memory_map(npurt_memory *memory, void **pointer)
{
	int err = check_memory(memory);

	if (err)
		return err;
	if (!pointer)
		return rt_fail(&memory->context->diag, NPURT_ERROR_INVALID, "pointer is NULL");
	if (memory->kind == RT_MEMORY_RANGE)
		return rt_fail(&memory->context->diag, NPURT_ERROR_INVALID,
			       "'%s' is a range: the CPU maps the memory that is in it",
			       memory->label);
	if (memory->kind == RT_MEMORY_REGISTERED) {
		*pointer = memory->host;
		return 0;
	}
	if (memory->kind == RT_MEMORY_POOLED)
		return rt_pool_map(memory, pointer);
	return rt_memory_map(memory, pointer);
}

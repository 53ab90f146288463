// SPDX-License-Identifier: MIT
/*
 * Memory objects: a buffer of the driver's, bound to addresses of the context.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_PAGE (2ULL << 20)
#define LARGE_PAGE (64ULL << 10)
/* Addresses behind each buffer that stay unmapped, so that an overrun faults. */
#define GUARD_BYTES RT_PAGE
#define NEAR_BYTES (1ULL << 20)

static void close_bo(npurt_context *context, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	kmd_ioctl(context->device->fd, DRM_IOCTL_GEM_CLOSE, &args);
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
	if (context->device->driver_minor >= 1)
		args.vm_id = context->vm_id;
	err = kmd_ioctl(context->device->fd, DRM_IOCTL_NPU_BO_CREATE, &args);
	if (err)
		return rt_fail_errno(&context->diag, err,
				     "allocate %" PRIu64 " bytes of %s for '%s'", memory->bytes,
				     memory->placement == NPURT_PLACE_HBM ? "HBM" : "host memory",
				     memory->label);
	if (args.size < memory->bytes || args.size & (RT_PAGE - 1)) {
		close_bo(context, args.handle);
		return rt_fail(&context->diag, NPURT_ERROR_SYSTEM,
			       "the driver made a buffer of %" PRIu64 " bytes out of %" PRIu64,
			       (uint64_t)args.size, memory->bytes);
	}
	memory->handle = args.handle;
	memory->bo_bytes = args.size;
	return 0;
}

static int alloc_va(npurt_memory *memory)
{
	npurt_context *context = memory->context;
	const uint64_t alignment = memory->bo_bytes >= HUGE_PAGE    ? HUGE_PAGE
				   : memory->bo_bytes >= LARGE_PAGE ? LARGE_PAGE
								    : RT_PAGE;

	memory->va_bytes = memory->bo_bytes + GUARD_BYTES;
	pthread_mutex_lock(&context->lock);
	memory->va = rt_va_alloc(&context->va, memory->va_bytes, alignment);
	pthread_mutex_unlock(&context->lock);
	if (!memory->va)
		return rt_fail(&context->diag, NPURT_ERROR_RESOURCE,
			       "no %" PRIu64 " bytes of address space left", memory->va_bytes);
	return 0;
}

static void free_va(npurt_memory *memory)
{
	npurt_context *context = memory->context;

	pthread_mutex_lock(&context->lock);
	rt_va_free(&context->va, memory->va, memory->va_bytes);
	pthread_mutex_unlock(&context->lock);
}

static int vm_bind(npurt_context *context, struct drm_npu_vm_bind_op *ops, unsigned int count)
{
	struct drm_npu_vm_bind args = {
		.vm_id = context->vm_id,
		.ops = { sizeof(*ops), count, (uintptr_t)ops },
	};

	return kmd_ioctl(context->device->fd, DRM_IOCTL_NPU_VM_BIND, &args);
}

static int unbind(npurt_memory *memory)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_UNMAP,
		.va = memory->va,
		.size = memory->bo_bytes,
	};

	return vm_bind(memory->context, &op, 1);
}

static int bind(npurt_memory *memory, uint32_t flags)
{
	struct drm_npu_vm_bind_op op = {
		.op = DRM_NPU_VM_BIND_OP_MAP,
		.flags = flags,
		.bo_handle = memory->handle,
		.va = memory->va,
		.size = memory->bo_bytes,
	};
	int err = vm_bind(memory->context, &op, 1);

	if (err)
		return rt_fail_errno(&memory->context->diag, err,
				     "map %" PRIu64 " bytes of '%s' at 0x%" PRIx64,
				     memory->bo_bytes, memory->label, memory->va);
	memory->readonly = flags & DRM_NPU_VM_BIND_OP_READONLY;
	return 0;
}

static npurt_memory *new_memory(npurt_context *context, const struct rt_memory_desc *desc)
{
	npurt_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->context = context;
	memory->bytes = desc->bytes;
	memory->placement = desc->placement;
	memory->internal = desc->internal;
	rt_label_copy(memory->label, desc->label ? desc->label : "unnamed memory");
	return memory;
}

int rt_memory_create(npurt_context *context, const struct rt_memory_desc *desc,
		     npurt_memory **result)
{
	npurt_memory *memory = new_memory(context, desc);
	int err;

	if (!memory)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a memory object");
	err = create_bo(memory);
	if (err)
		goto fail_object;
	err = alloc_va(memory);
	if (err)
		goto fail_bo;
	err = bind(memory, desc->flags);
	if (err)
		goto fail_va;

	pthread_mutex_lock(&context->lock);
	rt_list_add(&context->memory, &memory->link);
	context->num_memory += !memory->internal;
	pthread_mutex_unlock(&context->lock);
	*result = memory;
	return 0;

fail_va:
	free_va(memory);
fail_bo:
	close_bo(context, memory->handle);
fail_object:
	free(memory);
	return err;
}

/* Under the context's lock. */
static void bury(npurt_memory *memory)
{
	npurt_context *context = memory->context;
	struct rt_grave *grave = &context->graves[context->next_grave++ % RT_GRAVES];

	grave->va = memory->va;
	grave->bytes = memory->bytes;
	memcpy(grave->label, memory->label, sizeof(grave->label));
}

void rt_memory_destroy(npurt_memory *memory)
{
	npurt_context *context = memory->context;
	int err;

	pthread_mutex_lock(&context->lock);
	bury(memory);
	rt_list_del(&memory->link);
	context->num_memory -= !memory->internal;
	pthread_mutex_unlock(&context->lock);

	if (memory->map)
		kmd_munmap(memory->map, memory->bo_bytes);
	err = unbind(memory);
	close_bo(context, memory->handle);
	/* Addresses that may still be mapped are not handed out again. */
	if (err)
		rt_log(context->device, NPURT_LOG_WARNING, "unmap of '%s': errno %d", memory->label,
		       -err);
	else
		free_va(memory);
	free(memory);
}

static int map_bo(npurt_memory *memory)
{
	struct drm_npu_bo_mmap_offset args = { .handle = memory->handle };
	const int fd = memory->context->device->fd;
	int err = kmd_ioctl(fd, DRM_IOCTL_NPU_BO_MMAP_OFFSET, &args);

	if (!err)
		err = kmd_mmap(fd, args.offset, memory->bo_bytes, &memory->map);
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

int npurt_memory_create(npurt_context *context, uint64_t bytes, const npurt_memory_attr *attr,
			npurt_memory **memory)
{
	struct rt_memory_desc desc = { .bytes = bytes, .flags = DRM_NPU_VM_BIND_OP_NOEXEC };
	npurt_memory_attr a;
	int err;

	if (!context || !memory)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	err = rt_attr_take(&context->diag, "npurt_memory_attr", NPURT_MEMORY_READONLY, &a,
			   sizeof(a), attr);
	if (err)
		return err;
	if (!bytes)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory of 0 bytes");
	if (a.placement != NPURT_PLACE_HBM && a.placement != NPURT_PLACE_HOST)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "npurt_memory_attr.placement is %u", a.placement);
	desc.placement = a.placement;
	desc.label = a.label;
	if (a.flags & NPURT_MEMORY_READONLY)
		desc.flags |= DRM_NPU_VM_BIND_OP_READONLY;
	return rt_memory_create(context, &desc, memory);
}

int npurt_memory_destroy(npurt_memory *memory)
{
	if (!memory)
		return NPURT_ERROR_INVALID;
	if (rt_forked(memory->context->device))
		return NPURT_ERROR_FORKED;
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

int npurt_memory_map(npurt_memory *memory, void **pointer)
{
	if (!memory || !pointer)
		return NPURT_ERROR_INVALID;
	if (rt_forked(memory->context->device))
		return NPURT_ERROR_FORKED;
	return rt_memory_map(memory, pointer);
}

static uint64_t distance(const npurt_memory *memory, uint64_t address)
{
	if (address < memory->va)
		return memory->va - address;
	if (address < memory->va + memory->bytes)
		return 0;
	return address - (memory->va + memory->bytes) + 1;
}

static const npurt_memory *find_nearest(npurt_context *context, uint64_t address)
{
	const npurt_memory *best = NULL;
	struct rt_list *node;

	rt_list_for_each(node, &context->memory) {
		const npurt_memory *memory = rt_container(node, npurt_memory, link);

		if (!best || distance(memory, address) < distance(best, address))
			best = memory;
	}
	return best && distance(best, address) <= NEAR_BYTES ? best : NULL;
}

/* The latest owner of the address. */
static const struct rt_grave *find_grave(const npurt_context *context, uint64_t address)
{
	for (unsigned int i = 1; i <= RT_GRAVES; i++) {
		const struct rt_grave *grave =
			&context->graves[(context->next_grave - i) % RT_GRAVES];

		if (address >= grave->va && address - grave->va < grave->bytes)
			return grave;
	}
	return NULL;
}

void rt_memory_describe(npurt_context *context, uint64_t address, char *text, size_t size)
{
	const npurt_memory *near;
	const struct rt_grave *grave;

	text[0] = '\0';
	pthread_mutex_lock(&context->lock);
	near = find_nearest(context, address);
	grave = find_grave(context, address);
	if (near && !distance(near, address))
		snprintf(text, size, "%" PRIu64 " bytes into '%s'", address - near->va,
			 near->label);
	else if (grave)
		snprintf(text, size, "%" PRIu64 " bytes into '%s', which was destroyed",
			 address - grave->va, grave->label);
	else if (near && address < near->va)
		snprintf(text, size, "%" PRIu64 " bytes before '%s'", near->va - address,
			 near->label);
	else if (near)
		snprintf(text, size, "%" PRIu64 " bytes past the end of '%s' (%" PRIu64 " bytes)",
			 address - near->va - near->bytes, near->label, near->bytes);
	pthread_mutex_unlock(&context->lock);
}

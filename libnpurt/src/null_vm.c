// SPDX-License-Identifier: MIT
/*
 * Null device: address spaces.
 */
#include "null.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where reads of sparse ranges come from, and where writes to them go. */
static const uint8_t zero_page[NULL_PAGE];
static uint8_t waste_page[NULL_PAGE];

/* The first mapping that ends after @va. */
static uint32_t find_mapping(const struct null_vm *vm, uint64_t va)
{
	uint32_t low = 0, high = vm->count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		const struct null_mapping *m = &vm->mappings[middle];

		if (m->va + m->size <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *null_translate(struct null_vm *vm, uint64_t va, enum npu_access access, uint64_t *bytes)
{
	const uint32_t i = find_mapping(vm, va);
	const struct null_mapping *m;
	uint64_t offset, there;

	if (i == vm->count)
		return NULL;
	m = &vm->mappings[i];
	if (va < m->va || (access == NPU_ACCESS_WRITE && m->flags & DRM_NPU_VM_BIND_OP_READONLY) ||
	    (access == NPU_ACCESS_EXEC && m->flags & DRM_NPU_VM_BIND_OP_NOEXEC))
		return NULL;
	offset = va - m->va;
	there = m->bytes ? m->size - offset : NULL_PAGE - offset % NULL_PAGE;
	if (*bytes > there)
		*bytes = there;
	if (m->bytes)
		return m->bytes + offset;
	return access == NPU_ACCESS_WRITE ? waste_page : (void *)(uintptr_t)zero_page;
}

/* Room for what one change can add: two by splitting, and one. */
static bool reserve(struct null_vm *vm)
{
	const uint32_t capacity = 2 * vm->capacity + 16;
	struct null_mapping *mappings;

	if (vm->count + 3 <= vm->capacity)
		return true;
	mappings = realloc(vm->mappings, capacity * sizeof(*mappings));
	if (!mappings)
		return false;
	vm->mappings = mappings;
	vm->capacity = capacity;
	return true;
}

static void insert_at(struct null_vm *vm, uint32_t i, const struct null_mapping *mapping)
{
	memmove(&vm->mappings[i + 1], &vm->mappings[i], (vm->count - i) * sizeof(*vm->mappings));
	vm->mappings[i] = *mapping;
	vm->count++;
}

/* What is left of a mapping from @offset on. */
static struct null_mapping tail_of(const struct null_mapping *mapping, uint64_t offset)
{
	struct null_mapping tail = *mapping;

	tail.va += offset;
	tail.size -= offset;
	if (tail.bytes)
		tail.bytes += offset;
	return tail;
}

/* Splits a mapping that the range lies within; needs reserve(). */
static void split(struct null_vm *vm, uint32_t i, uint64_t va)
{
	struct null_mapping *m = &vm->mappings[i];
	struct null_mapping tail;

	if (i == vm->count || va <= m->va)
		return;
	tail = tail_of(m, va - m->va);
	m->size = va - m->va;
	if (m->bo)
		m->bo->refs++;
	insert_at(vm, i + 1, &tail);
}

static void unmap_range(struct null_file *file, struct null_vm *vm, uint64_t va, uint64_t size)
{
	uint32_t first, end;

	split(vm, find_mapping(vm, va), va);
	split(vm, find_mapping(vm, va + size), va + size);
	first = end = find_mapping(vm, va);
	while (end < vm->count && vm->mappings[end].va < va + size)
		null_bo_put(file, vm->mappings[end++].bo);
	memmove(&vm->mappings[first], &vm->mappings[end],
		(vm->count - end) * sizeof(*vm->mappings));
	vm->count -= end - first;
}

static int check_range(const struct drm_npu_vm_bind_op *op)
{
	if ((op->va | op->size | op->bo_offset) % NULL_PAGE || !op->size || op->pad ||
	    op->va < NULL_VA_START || op->va >= NULL_VA_END || op->size > NULL_VA_END - op->va)
		return -EINVAL;
	return 0;
}

static int map_bo(struct null_file *file, const struct null_vm *vm,
		  const struct drm_npu_vm_bind_op *op, struct null_mapping *mapping)
{
	struct null_bo *bo = null_find(&file->bos, op->bo_handle);

	if (!bo)
		return -ENOENT;
	if (op->bo_offset > bo->size || op->size > bo->size - op->bo_offset ||
	    (bo->vm_id && null_find(&file->vms, bo->vm_id) != vm))
		return -EINVAL;
	bo->refs++;
	mapping->bo = bo;
	mapping->bytes = null_bo_bytes(bo) + op->bo_offset;
	return 0;
}

static int map_user(const struct drm_npu_vm_bind_op *op, struct null_mapping *mapping)
{
	if (!op->bo_offset)
		return -EFAULT;
	mapping->bytes = (uint8_t *)(uintptr_t)op->bo_offset;
	return 0;
}

static int map(struct null_file *file, struct null_vm *vm, const struct drm_npu_vm_bind_op *op)
{
	struct null_mapping mapping = { .va = op->va, .size = op->size, .flags = op->flags };
	int err = 0;

	if (op->op == DRM_NPU_VM_BIND_OP_MAP)
		err = map_bo(file, vm, op, &mapping);
	else if (op->op == DRM_NPU_VM_BIND_OP_MAP_USERPTR)
		err = map_user(op, &mapping);
	if (err)
		return err;
	unmap_range(file, vm, op->va, op->size);
	insert_at(vm, find_mapping(vm, op->va), &mapping);
	return 0;
}

static int bind_op(struct null_file *file, struct null_vm *vm, const struct drm_npu_vm_bind_op *op)
{
	int err = check_range(op);

	if (err)
		return err;
	while (vm->busy)
		pthread_cond_wait(&file->done, &file->lock);
	if (!reserve(vm))
		return -ENOMEM;
	switch (op->op) {
	case DRM_NPU_VM_BIND_OP_MAP:
	case DRM_NPU_VM_BIND_OP_MAP_USERPTR:
	case DRM_NPU_VM_BIND_OP_MAP_SPARSE:
		return map(file, vm, op);
	case DRM_NPU_VM_BIND_OP_UNMAP:
		unmap_range(file, vm, op->va, op->size);
		return 0;
	case DRM_NPU_VM_BIND_OP_PREFETCH:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Asynchronous binds are left out: the library makes none. */
int null_vm_bind(struct null_file *file, struct drm_npu_vm_bind *args)
{
	const struct drm_npu_vm_bind_op *ops = (void *)(uintptr_t)args->ops.array;
	struct null_vm *vm = null_find(&file->vms, args->vm_id);

	if (!vm)
		return -ENOENT;
	if (args->flags || args->syncs.count || args->ops.stride != sizeof(*ops))
		return -EINVAL;
	for (uint32_t i = 0; i < args->ops.count; i++) {
		const int err = bind_op(file, vm, &ops[i]);

		if (err) {
			args->ops.count = i;
			return err;
		}
	}
	return 0;
}

int null_vm_create(struct null_file *file, struct drm_npu_vm_create *args)
{
	struct null_vm *vm;

	if (args->flags)
		return -EINVAL;
	if (file->vms.count == NULL_MAX_VMS)
		return -ENOSPC;
	vm = calloc(1, sizeof(*vm));
	args->id = null_insert(&file->vms, vm);
	if (!args->id) {
		free(vm);
		return -ENOMEM;
	}
	return 0;
}

int null_vm_destroy(struct null_file *file, uint32_t id)
{
	struct null_vm *vm = null_find(&file->vms, id);

	if (!vm)
		return -ENOENT;
	if (vm->queues)
		return -EBUSY;
	for (uint32_t i = 0; i < vm->count; i++)
		null_bo_put(file, vm->mappings[i].bo);
	null_remove(&file->vms, id);
	free(vm->mappings);
	free(vm);
	return 0;
}

int null_vm_get_state(struct null_file *file, struct drm_npu_vm_get_state *args)
{
	const struct null_vm *vm = null_find(&file->vms, args->id);
	const uint32_t id = args->id;

	if (!vm)
		return -ENOENT;
	*args = (struct drm_npu_vm_get_state){
		.id = id,
		.faults = vm->faults,
		.fault_address = vm->fault_address,
		.fault_access = vm->fault_access,
		.fault_status = vm->fault_status,
	};
	for (uint32_t i = 0; i < vm->count; i++)
		*(vm->mappings[i].bytes ? &args->mapped : &args->sparse) += vm->mappings[i].size;
	args->resident = args->mapped;
	return 0;
}

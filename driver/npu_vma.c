// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <npu/npu_mmu.h>

#include <drm/npu_accel.h>

#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_gpuva.h"
#include "npu_pt.h"
#include "npu_userptr.h"
#include "npu_vm.h"
#include "npu_vma.h"

/**
 * npu_vma_prot() - what the device may do with a mapping
 * @vma: mapping
 *
 * Return: NPU_PTE_READ, _WRITE and _EXEC.
 */
u64 npu_vma_prot(const struct npu_vma *vma)
{
	u64 prot = NPU_PTE_READ;

	if (!(vma->flags & DRM_NPU_VM_BIND_OP_READONLY))
		prot |= NPU_PTE_WRITE;
	if (!(vma->flags & DRM_NPU_VM_BIND_OP_NOEXEC))
		prot |= NPU_PTE_EXEC;
	return prot;
}

/**
 * npu_vma_link() - connect a mapping to its memory
 * @vm: address space, its reservation lock held
 * @vma: mapping
 * @vm_bo: connection of VM and buffer, NULL if it is not of a buffer
 */
void npu_vma_link(struct npu_vm *vm, struct npu_vma *vma, struct drm_gpuvm_bo *vm_bo)
{
	struct npu_bo *bo;

	if (vma->kind == NPU_VMA_USERPTR)
		npu_userptr_link(vm, vma);
	if (vma->kind != NPU_VMA_BO)
		return;

	bo = to_npu_bo(vm_bo->obj);
	mutex_lock(npu_gpuva_lock(bo));
	drm_gpuva_link(&vma->base, vm_bo);
	mutex_unlock(npu_gpuva_lock(bo));

	if (!drm_gpuvm_is_extobj(&vm->base, vm_bo->obj))
		ttm_bo_set_bulk_move(&bo->ttm, &vm->lru);
}

/**
 * npu_vma_unlink_bo() - disconnect a mapping from its buffer
 * @vm: address space
 * @vma: mapping
 */
static void npu_vma_unlink_bo(struct npu_vm *vm, struct npu_vma *vma)
{
	struct drm_gem_object *obj = vma->base.gem.obj;
	struct npu_bo *bo = to_npu_bo(obj);
	bool unused;

	/* It may hold the last reference to the buffer, and to the lock in it. */
	drm_gem_object_get(obj);
	mutex_lock(npu_gpuva_lock(bo));
	drm_gpuva_unlink(&vma->base);
	unused = list_empty(&obj->gpuva.list);
	mutex_unlock(npu_gpuva_lock(bo));

	if (unused && !drm_gpuvm_is_extobj(&vm->base, obj))
		ttm_bo_set_bulk_move(&bo->ttm, NULL);
	drm_gem_object_put(obj);
}

/**
 * npu_vma_set_gone() - the addresses of a mapping are free for others
 * @vm: address space
 * @vma: mapping, of which all entries are cleared or belong to others
 */
void npu_vma_set_gone(struct npu_vm *vm, struct npu_vma *vma)
{
	mutex_lock(&vm->pt_lock);
	vma->gone = true;
	mutex_unlock(&vm->pt_lock);
}

/**
 * npu_vma_release() - drop a mapping that nobody uses
 * @vm: address space, its reservation lock held
 * @vma: mapping, not in the VM's tree
 */
void npu_vma_release(struct npu_vm *vm, struct npu_vma *vma)
{
	if (vma->kind == NPU_VMA_BO)
		npu_vma_unlink_bo(vm, vma);
	else if (vma->kind == NPU_VMA_USERPTR)
		npu_userptr_unlink(vm, vma);
	kfree(vma);
}

/**
 * npu_vma_extents() - what is mapped, if that is not memory of a process
 * @vma: mapping
 * @extent: first extent
 */
static void npu_vma_extents(const struct npu_vma *vma, struct npu_extent *extent)
{
	const struct drm_gpuva *va = &vma->base;

	if (vma->kind == NPU_VMA_BO)
		npu_gem_extents(to_npu_bo(va->gem.obj), va->gem.offset, va->va.range, extent);
	else
		*extent = (struct npu_extent) {
			.addr = va->va.addr,
			.size = va->va.range,
			.remaining = va->va.range,
			.sparse = true,
		};
}

/**
 * npu_vma_prepare() - make sure of the tables for a mapping
 * @update: update of the page table
 * @vma: mapping; its memory is in place
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_vma_prepare(struct npu_pt_update *update, const struct npu_vma *vma)
{
	struct npu_extent extent;

	if (vma->kind == NPU_VMA_USERPTR)
		return npu_userptr_prepare(update, vma);

	npu_vma_extents(vma, &extent);
	return npu_pt_prepare_map(update, vma->base.va.addr, &extent);
}

/**
 * npu_vma_map() - write the entries of a mapping
 * @update: update of the page table
 * @vma: mapping, from npu_vma_prepare()
 */
void npu_vma_map(struct npu_pt_update *update, const struct npu_vma *vma)
{
	mutex_lock(&update->vm->pt_lock);
	npu_vma_map_locked(update, vma);
	mutex_unlock(&update->vm->pt_lock);
}

/**
 * npu_vma_map_locked() - npu_vma_map() under &npu_vm.pt_lock
 * @update: update of the page table
 * @vma: mapping, from npu_vma_prepare()
 */
void npu_vma_map_locked(struct npu_pt_update *update, const struct npu_vma *vma)
{
	struct npu_extent extent;

	if (vma->kind == NPU_VMA_USERPTR) {
		npu_userptr_map(update, vma);
		return;
	}

	npu_vma_extents(vma, &extent);
	npu_pt_map_locked(update, vma->base.va.addr, &extent, npu_vma_prot(vma));
}

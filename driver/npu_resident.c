// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-resv.h>
#include <linux/jiffies.h>

#include <drm/drm_exec.h>

#include "npu_device.h"
#include "npu_gem.h"
#include "npu_gpuva.h"
#include "npu_pt.h"
#include "npu_resident.h"
#include "npu_room.h"
#include "npu_vm.h"
#include "npu_vma.h"

/**
 * DOC: Residency
 *
 * A job may touch all that its VM maps, so all of that has to be in place before it is
 * submitted, and has to stay until it has ended. npu_resident_begin() takes the
 * reservation locks, that of the VM, which all of its private buffers share, and those
 * of other buffers that it maps; brings back what has been moved away; and writes the
 * page-table entries again. npu_resident_commit() adds the job's fence, for which any
 * move waits. As a rule nothing has been moved and nothing is shared: then all of it is
 * one lock that only this VM knows, and no allocation.
 *
 * A buffer that is moved loses its entries in all VMs, npu_resident_zap(), and is put
 * on their lists of evicted buffers. When memory is short, VMs take it from each other.
 *
 * ENOSPC tells that the memory of the VM does not fit beside what is pinned.
 */

/* A VM that submits all the time need not say each time that it is in use. */
#define NPU_RESIDENT_LRU_MS 10

/**
 * npu_resident_remap() - write the entries of a buffer's mappings again
 * @vm_bo: connection of VM and buffer, which is in place
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_resident_remap(struct drm_gpuvm_bo *vm_bo)
{
	struct npu_vm *vm = to_npu_vm(vm_bo->vm);
	struct npu_pt_update update;
	struct drm_gpuva *va;
	int ret = 0;

	to_npu_bo(vm_bo->obj)->reachable = true;
	npu_pt_update_begin(&update, vm);
	drm_gpuvm_bo_for_each_va(va, vm_bo) {
		struct npu_vma *vma = to_npu_vma(va);

		/* A bind that is pending will write it when its time has come. */
		if (vma->gone || npu_vma_pending(vm, vma))
			continue;

		ret = npu_vma_prepare(&update, vma);
		if (ret)
			break;

		mutex_lock(&vm->pt_lock);
		/* One that was pending may have taken its addresses meanwhile. */
		if (!vma->gone)
			npu_vma_map_locked(&update, vma);
		mutex_unlock(&vm->pt_lock);
	}
	npu_pt_update_end(&update);

	return ret;
}

/**
 * npu_resident_validate() - bring a buffer back to where a VM can use it
 * @vm_bo: connection of VM and buffer; the VM's lock is held as well
 * @exec: locks
 *
 * Return: 0 on success, -ENOSPC if there is no room, a negative error code otherwise.
 */
int npu_resident_validate(struct drm_gpuvm_bo *vm_bo, struct drm_exec *exec)
{
	struct npu_bo *bo = to_npu_bo(vm_bo->obj);
	int ret;

	ret = npu_gem_bring_back(bo, drm_gpuvm_resv(vm_bo->vm));
	if (!ret)
		ret = npu_resident_remap(vm_bo);
	if (!ret)
		drm_gpuvm_bo_evict(vm_bo, false);
	return ret;
}

/**
 * npu_resident_validate_all() - bring back all buffers that were moved
 * @exec: VM and locks
 *
 * Before all locks are said to be taken: to make room TTM takes others by the same ticket.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_resident_validate_all(struct drm_gpuvm_exec *exec)
{
	struct npu_vm *vm = to_npu_vm(exec->vm);
	int ret;

	vm->validating = true;
	ret = drm_gpuvm_validate(exec->vm, &exec->exec);
	vm->validating = false;
	return ret;
}

/**
 * npu_resident_lock() - lock all buffers of a VM
 * @resident: memory of the VM
 * @fn: what to do while other locks may still be taken, or NULL
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_resident_lock(struct npu_resident *resident, int (*fn)(struct drm_gpuvm_exec *exec))
{
	resident->shared = true;
	resident->exec = (struct drm_gpuvm_exec) {
		.vm = &resident->vm->base,
		.flags = DRM_EXEC_INTERRUPTIBLE_WAIT,
		/* One is for moves: TTM notes them with a fence. */
		.num_fences = 2,
		.extra.fn = fn,
	};
	return drm_gpuvm_exec_lock(&resident->exec);
}

/**
 * npu_resident_find_userptrs() - use user memory that has moved
 * @resident: memory of the VM, locked
 *
 * Return: 0 on success, -EAGAIN if it has moved again, another negative error code otherwise.
 */
static int npu_resident_find_userptrs(struct npu_resident *resident)
{
	struct npu_vm *vm = resident->vm;
	struct npu_pt_update update;
	int ret;

	if (!vm->userptrs.count)
		return 0;

	ret = npu_userptrs_prepare(vm);
	if (ret)
		return ret;

	npu_userptrs_lock(vm);
	resident->userptrs = true;
	npu_pt_update_begin(&update, vm);
	/* Notifiers must not wait for HBM to be freed: who has its lock may wait for them. */
	update.keep = true;
	if (!npu_userptrs_commit(vm, &update))
		ret = -EAGAIN;
	npu_pt_update_end(&update);

	return ret;
}

/**
 * npu_resident_try() - lock all buffers of a VM and bring back those that were moved
 * @resident: memory of the VM, whose user memory has been found
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_resident_try(struct npu_resident *resident)
{
	int ret;

	ret = npu_resident_lock(resident, npu_resident_validate_all);
	if (ret)
		return ret;

	ret = npu_resident_find_userptrs(resident);
	if (ret)
		npu_resident_end(resident);
	return ret;
}

/**
 * npu_resident_bytes() - HBM that all of a VM's memory takes
 * @vm: address space, locked
 *
 * Return: bytes.
 */
static u64 npu_resident_bytes(struct npu_vm *vm)
{
	struct drm_gpuva *va;
	u64 bytes = 0;

	drm_gpuvm_for_each_va(va, &vm->base) {
		struct drm_gem_object *obj = va->gem.obj;

		/* A buffer counts once, however often it is mapped. */
		if (obj && to_npu_bo(obj)->placement == NPU_PL_HBM &&
		    list_is_first(&va->gem.entry, &va->vm_bo->list.gpuva))
			bytes += obj->size;
	}

	return bytes;
}

/**
 * npu_resident_bring_back() - npu_resident_try(), and again while that may help
 * @resident: memory of the VM
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_resident_bring_back(struct npu_resident *resident)
{
	struct npu_vm *vm = resident->vm;
	struct npu_room_claim claim;
	int ret;

	/* Tables are made. */
	ret = mutex_lock_interruptible(&vm->lock);
	if (ret)
		return ret;

	npu_room_claim_begin(&claim, vm->npu, npu_resident_bytes(vm));
	do {
		if (vm->userptrs.count)
			npu_room_claim_pause(&claim);
		ret = npu_userptrs_pin(vm) ?: npu_room_claim_lock(&claim) ?:
		      npu_resident_try(resident);
	} while (npu_room_claim_again(&claim, &ret));
	mutex_unlock(&vm->lock);

	return ret;
}

/**
 * npu_resident_settled() - is all in place, and going to stay?
 * @resident: memory of the VM, locked
 *
 * Return: true if so.
 */
static bool npu_resident_settled(struct npu_resident *resident)
{
	struct npu_vm *vm = resident->vm;

	if (!list_empty(&vm->base.evict.list))
		return false;
	if (!vm->userptrs.count)
		return true;

	npu_userptrs_lock(vm);
	resident->userptrs = true;
	return !npu_userptrs_stale(vm);
}

/**
 * npu_resident_begin() - hold all memory of a VM in place
 * @resident: memory of the VM
 * @vm: address space
 *
 * When it succeeds the reservation locks are held until npu_resident_end().
 *
 * Return: 0 on success, -ENOSPC if it does not fit, a negative error code otherwise.
 */
int npu_resident_begin(struct npu_resident *resident, struct npu_vm *vm)
{
	struct dma_resv *resv = drm_gpuvm_resv(&vm->base);
	int ret;

	resident->vm = vm;
	resident->shared = false;
	resident->userptrs = false;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;

	if (list_empty(&vm->base.extobj.list)) {
		ret = dma_resv_reserve_fences(resv, 1);
		if (!ret && npu_resident_settled(resident))
			return 0;
	} else {
		dma_resv_unlock(resv);
		/* This also finds out which of the shared buffers have been moved. */
		ret = npu_resident_lock(resident, NULL);
		if (ret || npu_resident_settled(resident))
			return ret;
	}
	npu_resident_end(resident);
	if (ret)
		return ret;

	return npu_resident_bring_back(resident);
}

/**
 * npu_resident_used() - a VM has been used: its memory is the last to be moved
 * @vm: address space, it and all it maps locked
 *
 * Not if somebody else has the list's lock: no submission waits for that of another process,
 * and the next one will do.
 */
static void npu_resident_used(struct npu_vm *vm)
{
	struct ttm_device *bdev = &vm->npu->ttm;
	struct drm_gpuvm_bo *vm_bo;

	if (time_before(jiffies, vm->lru_moved + msecs_to_jiffies(NPU_RESIDENT_LRU_MS)))
		return;

	if (!spin_trylock(&bdev->lru_lock))
		return;

	vm->lru_moved = jiffies;
	ttm_lru_bulk_move_tail(&vm->lru);
	list_for_each_entry(vm_bo, &vm->base.extobj.list, list.entry.extobj)
		ttm_bo_move_to_lru_tail(&to_npu_bo(vm_bo->obj)->ttm);
	spin_unlock(&bdev->lru_lock);
}

/**
 * npu_resident_commit() - a job has been submitted
 * @resident: memory of its VM
 * @fence: its fence; until it signals no memory is moved
 */
void npu_resident_commit(struct npu_resident *resident, struct dma_fence *fence)
{
	struct npu_vm *vm = resident->vm;

	if (resident->shared)
		drm_gpuvm_exec_resv_add_fence(&resident->exec, fence, DMA_RESV_USAGE_BOOKKEEP,
					      DMA_RESV_USAGE_BOOKKEEP);
	else
		dma_resv_add_fence(drm_gpuvm_resv(&vm->base), fence, DMA_RESV_USAGE_BOOKKEEP);

	npu_resident_used(vm);
}

/**
 * npu_resident_end() - let go of the locks
 * @resident: memory of a VM
 */
void npu_resident_end(struct npu_resident *resident)
{
	if (resident->userptrs)
		npu_userptrs_unlock(resident->vm);
	resident->userptrs = false;

	if (resident->shared)
		drm_gpuvm_exec_unlock(&resident->exec);
	else
		dma_resv_unlock(drm_gpuvm_resv(&resident->vm->base));
}

/**
 * npu_resident_zap_vma() - clear the entries of a mapping
 * @vm: address space
 * @vma: mapping
 * @offline: the device is off line and has to forget nothing now, see npu_vm_catch_up()
 *
 * When it returns the device does not use the memory behind it any more.
 */
static void npu_resident_zap_vma(struct npu_vm *vm, struct npu_vma *vma, bool offline)
{
	struct npu_pt_update update;
	u64 va = vma->base.va.addr;
	u64 size = vma->base.va.range;

	npu_pt_update_begin(&update, vm);
	mutex_lock(&vm->pt_lock);
	/* If it is gone others may use its addresses, but the device may still remember it. */
	if (!vma->gone)
		npu_pt_unmap_locked(&update, va, size);
	npu_pt_touch(&update, va, size);
	mutex_unlock(&vm->pt_lock);
	if (!offline)
		npu_pt_update_end(&update);
}

static void npu_resident_zap_vmas(struct npu_bo *bo, bool evict, bool offline)
{
	struct drm_gpuvm_bo *vm_bo;
	struct drm_gpuva *va;

	drm_gem_for_each_gpuvm_bo(vm_bo, &bo->ttm.base) {
		struct npu_vm *vm = to_npu_vm(vm_bo->vm);

		if (evict)
			atomic64_inc(&vm->evictions);
		drm_gpuvm_bo_evict(vm_bo, true);
		drm_gpuvm_bo_for_each_va(va, vm_bo)
			npu_resident_zap_vma(vm, to_npu_vma(va), offline);
	}
	bo->reachable = false;
}

/**
 * npu_resident_zap() - take a buffer away from all VMs
 * @bo: buffer, locked and idle; the device is awake
 * @evict: it has to make room
 */
void npu_resident_zap(struct npu_bo *bo, bool evict)
{
	mutex_lock(npu_gpuva_lock(bo));
	npu_resident_zap_vmas(bo, evict, false);
	mutex_unlock(npu_gpuva_lock(bo));
}

/**
 * npu_resident_zap_offline() - take a buffer that has to move away from a device that is not there
 * @bo: buffer, locked and idle
 *
 * Return: true on success, false if it is not off line.
 */
bool npu_resident_zap_offline(struct npu_bo *bo)
{
	struct npu_device *npu = to_npu_device(bo->ttm.base.dev);
	bool offline;

	mutex_lock(npu_gpuva_lock(bo));
	mutex_lock(&npu->hw_lock);
	offline = npu->state != NPU_DEVICE_ALIVE;
	if (offline)
		npu_resident_zap_vmas(bo, true, true);
	mutex_unlock(&npu->hw_lock);
	mutex_unlock(npu_gpuva_lock(bo));

	return offline;
}

/**
 * npu_resident_is_in_place() - could the device reach what is mapped?
 * @vma: mapping, not a sparse one
 *
 * Return: true if so.
 */
static bool npu_resident_is_in_place(const struct npu_vma *vma)
{
	if (vma->kind == NPU_VMA_USERPTR)
		return npu_userptr_is_pinned(vma->userptr);

	return !READ_ONCE(vma->base.vm_bo->evicted);
}

/**
 * npu_resident_get_state() - tell user space how much of a VM's memory is in place
 * @vm: address space
 * @state: its state
 *
 * Return: 0 on success, -ENOENT if it has been destroyed, a negative error code otherwise.
 */
int npu_resident_get_state(struct npu_vm *vm, struct drm_npu_vm_get_state *state)
{
	struct drm_gpuva *va;
	int ret;

	ret = mutex_lock_interruptible(&vm->lock);
	if (ret)
		return ret;

	drm_gpuvm_for_each_va(va, &vm->base) {
		if (to_npu_vma(va)->kind == NPU_VMA_SPARSE) {
			state->sparse += va->va.range;
			continue;
		}

		state->mapped += va->va.range;
		if (npu_resident_is_in_place(to_npu_vma(va)))
			state->resident += va->va.range;
	}
	state->evictions = atomic64_read(&vm->evictions);
	state->invalidations = atomic64_read(&vm->userptrs.invalidations);
	state->binds_pending = READ_ONCE(vm->binds.num_ops);
	if (vm->destroyed)
		ret = -ENOENT;
	mutex_unlock(&vm->lock);

	return ret;
}

/**
 * npu_resident_displaced() - a buffer need not stay where it is any more
 * @bo: buffer, locked
 *
 * VMs use it there until they next submit a job.
 */
void npu_resident_displaced(struct npu_bo *bo)
{
	struct drm_gpuvm_bo *vm_bo;

	mutex_lock(npu_gpuva_lock(bo));
	drm_gem_for_each_gpuvm_bo(vm_bo, &bo->ttm.base)
		drm_gpuvm_bo_evict(vm_bo, true);
	mutex_unlock(npu_gpuva_lock(bo));
}

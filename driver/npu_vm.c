// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_print.h>

#include <npu/npu_mmu.h>

#include "npu_admin.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_gem.h"
#include "npu_prime.h"
#include "npu_pt.h"
#include "npu_reset.h"
#include "npu_resident.h"
#include "npu_room.h"
#include "npu_trace.h"
#include "npu_uapi.h"
#include "npu_vm.h"

#define NPU_VM_BIND_FLAGS (DRM_NPU_VM_BIND_OP_READONLY | DRM_NPU_VM_BIND_OP_NOEXEC)

/**
 * struct npu_vm_bind_ctx - bind operations under way
 */
struct npu_vm_bind_ctx {
	/** @vm: address space, locked */
	struct npu_vm *vm;
	/** @update: of its page tables */
	struct npu_pt_update update;
	/** @released: mappings to drop once the device has forgotten them */
	struct list_head released;

	/** @exec: locks of the operation under way */
	struct drm_exec exec;
	/** @bo: buffer of a map operation */
	struct npu_bo *bo;
	/** @in_place: @bo is where the device can use it; if not, that waits for a job */
	bool in_place;
	/** @vm_bo: connection of @vm and @bo, a reference */
	struct drm_gpuvm_bo *vm_bo;
	/** @flags: DRM_NPU_VM_BIND_OP_* of a map operation */
	u32 flags;
	/** @map: mapping of a map operation */
	struct npu_vma *map;
	/** @prev: what may be left before the range */
	struct npu_vma *prev;
	/** @next: what may be left behind it */
	struct npu_vma *next;
};

/**
 * npu_vm_needs() - must a buffer stay where it is for a VM that is about to run a job?
 * @tbo: buffer, locked
 *
 * Return: true if so.
 */
bool npu_vm_needs(const struct ttm_buffer_object *tbo)
{
	const struct ttm_lru_bulk_move *lru = tbo->bulk_move;

	return lru && container_of(lru, struct npu_vm, lru)->validating;
}

/**
 * npu_vm_link() - connect a mapping to its buffer
 * @vma: mapping
 * @vm_bo: connection of VM and buffer
 */
static void npu_vm_link(struct npu_vma *vma, struct drm_gpuvm_bo *vm_bo)
{
	struct npu_bo *bo = to_npu_bo(vm_bo->obj);
	struct npu_vm *vm = to_npu_vm(vm_bo->vm);

	mutex_lock(&bo->gpuva_lock);
	drm_gpuva_link(&vma->base, vm_bo);
	mutex_unlock(&bo->gpuva_lock);

	if (!drm_gpuvm_is_extobj(&vm->base, vm_bo->obj))
		ttm_bo_set_bulk_move(&bo->ttm, &vm->lru);
}

/**
 * npu_vm_unlink() - disconnect a mapping from its buffer
 * @vm: address space
 * @vma: mapping
 */
static void npu_vm_unlink(struct npu_vm *vm, struct npu_vma *vma)
{
	struct drm_gem_object *obj = vma->base.gem.obj;
	struct npu_bo *bo = to_npu_bo(obj);
	bool unused;

	mutex_lock(&bo->gpuva_lock);
	drm_gpuva_unlink(&vma->base);
	unused = list_empty(&obj->gpuva.list);
	mutex_unlock(&bo->gpuva_lock);

	if (unused && !drm_gpuvm_is_extobj(&vm->base, obj))
		ttm_bo_set_bulk_move(&bo->ttm, NULL);
}

/**
 * npu_vm_put_vm_bo() - drop a connection of VM and buffer
 * @vm_bo: connection, while somebody else has the buffer
 */
static void npu_vm_put_vm_bo(struct drm_gpuvm_bo *vm_bo)
{
	struct npu_bo *bo = to_npu_bo(vm_bo->obj);

	mutex_lock(&bo->gpuva_lock);
	drm_gpuvm_bo_put(vm_bo);
	mutex_unlock(&bo->gpuva_lock);
}

/**
 * npu_vm_release_vma() - drop a mapping that nobody uses
 * @vm: address space, its reservation lock held
 * @vma: mapping, not in the VM's tree
 */
static void npu_vm_release_vma(struct npu_vm *vm, struct npu_vma *vma)
{
	struct drm_gem_object *obj = vma->base.gem.obj;

	/* It may hold the last reference to the buffer, and to the lock in it. */
	drm_gem_object_get(obj);
	npu_vm_unlink(vm, vma);
	drm_gem_object_put(obj);
	kfree(vma);
}

/**
 * npu_vm_set_gone() - the addresses of a mapping are free for others
 * @vm: address space
 * @vma: mapping, of which all entries are cleared or belong to others
 */
static void npu_vm_set_gone(struct npu_vm *vm, struct npu_vma *vma)
{
	mutex_lock(&vm->pt_lock);
	vma->gone = true;
	mutex_unlock(&vm->pt_lock);
}

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

static int npu_vm_step_map(struct drm_gpuva_op *op, void *arg)
{
	struct npu_vm_bind_ctx *ctx = arg;
	struct npu_vma *vma = ctx->map;
	struct npu_extent extent;

	ctx->map = NULL;
	vma->flags = ctx->flags;
	drm_gpuva_map(&ctx->vm->base, &vma->base, &op->map);
	npu_vm_link(vma, ctx->vm_bo);

	if (ctx->in_place) {
		ctx->bo->reachable = true;
		npu_gem_extents(ctx->bo, op->map.gem.offset, op->map.va.range, &extent);
		npu_pt_map(&ctx->update, op->map.va.addr, &extent, npu_vma_prot(vma));
	} else {
		drm_gpuvm_bo_evict(ctx->vm_bo, true);
	}
	return 0;
}

/**
 * npu_vm_take_rest() - prepare the mapping of what a remap leaves
 * @slot: preallocated mapping, emptied
 * @old: mapping of which it is a part
 * @wanted: whether anything is left
 *
 * Return: the mapping, or NULL.
 */
static struct npu_vma *npu_vm_take_rest(struct npu_vma **slot, struct npu_vma *old, bool wanted)
{
	struct npu_vma *vma = *slot;

	if (!wanted)
		return NULL;

	*slot = NULL;
	vma->flags = old->flags;
	return vma;
}

static int npu_vm_step_remap(struct drm_gpuva_op *op, void *arg)
{
	struct npu_vm_bind_ctx *ctx = arg;
	struct npu_vma *old = to_npu_vma(op->remap.unmap->va);
	struct npu_vma *prev, *next;
	u64 start = old->base.va.addr;
	u64 end = start + old->base.va.range;

	if (op->remap.prev)
		start = op->remap.prev->va.addr + op->remap.prev->va.range;
	if (op->remap.next)
		end = op->remap.next->va.addr;
	npu_pt_unmap(&ctx->update, start, end - start);

	prev = npu_vm_take_rest(&ctx->prev, old, op->remap.prev);
	next = npu_vm_take_rest(&ctx->next, old, op->remap.next);
	drm_gpuva_remap(prev ? &prev->base : NULL, next ? &next->base : NULL, &op->remap);
	if (prev)
		npu_vm_link(prev, old->base.vm_bo);
	if (next)
		npu_vm_link(next, old->base.vm_bo);

	npu_vm_set_gone(ctx->vm, old);
	list_add_tail(&old->node, &ctx->released);
	return 0;
}

static int npu_vm_step_unmap(struct drm_gpuva_op *op, void *arg)
{
	struct npu_vm_bind_ctx *ctx = arg;
	struct npu_vma *old = to_npu_vma(op->unmap.va);

	npu_pt_unmap(&ctx->update, old->base.va.addr, old->base.va.range);
	npu_vm_set_gone(ctx->vm, old);
	drm_gpuva_unmap(&op->unmap);
	list_add_tail(&old->node, &ctx->released);
	return 0;
}

static void npu_vm_free(struct drm_gpuvm *base)
{
	struct npu_vm *vm = to_npu_vm(base);

	ttm_lru_bulk_move_fini(&vm->npu->ttm, &vm->lru);
	mutex_destroy(&vm->pt_lock);
	mutex_destroy(&vm->lock);
	kfree(vm);
}

static const struct drm_gpuvm_ops npu_vm_ops = {
	.vm_free = npu_vm_free,
	.vm_bo_validate = npu_resident_validate,
	.sm_step_map = npu_vm_step_map,
	.sm_step_remap = npu_vm_step_remap,
	.sm_step_unmap = npu_vm_step_unmap,
};

/**
 * npu_vm_alloc_vmas() - allocate the mappings that an operation may need
 * @ctx: operation
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_vm_alloc_vmas(struct npu_vm_bind_ctx *ctx)
{
	ctx->map = kzalloc(sizeof(*ctx->map), GFP_KERNEL);
	ctx->prev = kzalloc(sizeof(*ctx->prev), GFP_KERNEL);
	ctx->next = kzalloc(sizeof(*ctx->next), GFP_KERNEL);

	return ctx->map && ctx->prev && ctx->next ? 0 : -ENOMEM;
}

static void npu_vm_free_vmas(struct npu_vm_bind_ctx *ctx)
{
	kfree(ctx->map);
	kfree(ctx->prev);
	kfree(ctx->next);
	ctx->map = NULL;
	ctx->prev = NULL;
	ctx->next = NULL;
}

/**
 * npu_vm_obtain_vm_bo() - connect a VM and a buffer
 * @ctx: operation; &npu_vm_bind_ctx.bo is the buffer
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_vm_obtain_vm_bo(struct npu_vm_bind_ctx *ctx)
{
	struct npu_bo *bo = ctx->bo;
	struct drm_gpuvm_bo *vm_bo;

	vm_bo = drm_gpuvm_bo_create(&ctx->vm->base, &bo->ttm.base);
	if (!vm_bo)
		return -ENOMEM;

	mutex_lock(&bo->gpuva_lock);
	ctx->vm_bo = drm_gpuvm_bo_obtain_prealloc(vm_bo);
	mutex_unlock(&bo->gpuva_lock);
	drm_gpuvm_bo_extobj_add(ctx->vm_bo);

	return 0;
}

/**
 * npu_vm_lock() - take the reservation locks for an operation
 * @ctx: operation
 * @obj: buffer of a map operation, or NULL
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_vm_lock(struct npu_vm_bind_ctx *ctx, struct drm_gem_object *obj)
{
	struct drm_gpuvm *gpuvm = &ctx->vm->base;
	struct drm_exec *exec = &ctx->exec;
	int ret = 0;

	drm_exec_init(exec, DRM_EXEC_INTERRUPTIBLE_WAIT, 0);
	drm_exec_until_all_locked(exec) {
		ret = drm_exec_lock_obj(exec, gpuvm->r_obj);
		if (!ret && obj && drm_gpuvm_is_extobj(gpuvm, obj))
			ret = drm_exec_lock_obj(exec, obj);
		drm_exec_retry_on_contention(exec);
		if (ret)
			break;
	}

	if (ret)
		drm_exec_fini(exec);
	return ret;
}

/**
 * npu_vm_map_prepared() - map, when mappings are there
 * @ctx: operation; the buffer is pinned if it is in place
 * @op: operation as user space wrote it
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_map_prepared(struct npu_vm_bind_ctx *ctx, const struct drm_npu_vm_bind_op *op)
{
	struct npu_extent extent;
	int ret;

	ret = npu_pt_prepare_unmap(&ctx->update, op->va, op->size);
	if (!ret && ctx->in_place) {
		npu_gem_extents(ctx->bo, op->bo_offset, op->size, &extent);
		ret = npu_pt_prepare_map(&ctx->update, op->va, &extent);
	}
	if (!ret)
		ret = npu_vm_obtain_vm_bo(ctx);
	if (!ret) {
		ret = drm_gpuvm_sm_map(&ctx->vm->base, ctx, op->va, op->size, &ctx->bo->ttm.base,
				       op->bo_offset);
		npu_vm_put_vm_bo(ctx->vm_bo);
	}

	npu_pt_prune(&ctx->update, op->va, op->size);
	return ret;
}

/**
 * npu_vm_try_map() - lock and map, when mappings are there
 * @ctx: operation
 * @op: operation as user space wrote it
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_try_map(struct npu_vm_bind_ctx *ctx, const struct drm_npu_vm_bind_op *op)
{
	struct npu_bo *bo = ctx->bo;
	int ret;

	ret = npu_vm_lock(ctx, &bo->ttm.base);
	if (ret)
		return ret;

	/* Whether another device's memory can be used at all is better told now. */
	if (bo->ttm.base.import_attach)
		ret = npu_prime_map(bo);
	if (ret)
		goto out;

	/* Tables may need room, which must not be taken from it. */
	ctx->in_place = npu_gem_in_place(bo);
	if (ctx->in_place)
		ttm_bo_pin(&bo->ttm);
	ret = npu_vm_map_prepared(ctx, op);
	if (ctx->in_place)
		ttm_bo_unpin(&bo->ttm);
out:
	drm_exec_fini(&ctx->exec);

	return ret;
}

/**
 * npu_vm_map() - a map operation
 * @ctx: operation; &npu_vm_bind_ctx.bo is the buffer
 * @op: operation as user space wrote it, checked
 *
 * A buffer that has been moved away is left there: the next job brings it back.
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_map(struct npu_vm_bind_ctx *ctx, const struct drm_npu_vm_bind_op *op)
{
	struct npu_room_claim claim;
	int ret;

	ctx->flags = op->flags;
	ret = npu_vm_alloc_vmas(ctx);
	if (!ret) {
		npu_room_claim_begin(&claim, ctx->vm->npu, PAGE_SIZE);
		do {
			ret = npu_vm_try_map(ctx, op);
		} while (npu_room_claim_again(&claim, &ret));
	}

	npu_vm_free_vmas(ctx);
	return ret;
}

/**
 * npu_vm_try_unmap() - lock and unmap, when mappings are there
 * @ctx: operation
 * @op: operation as user space wrote it
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_try_unmap(struct npu_vm_bind_ctx *ctx, const struct drm_npu_vm_bind_op *op)
{
	int ret;

	ret = npu_vm_lock(ctx, NULL);
	if (ret)
		return ret;

	ret = npu_pt_prepare_unmap(&ctx->update, op->va, op->size);
	if (!ret)
		ret = drm_gpuvm_sm_unmap(&ctx->vm->base, ctx, op->va, op->size);
	npu_pt_prune(&ctx->update, op->va, op->size);
	drm_exec_fini(&ctx->exec);

	return ret;
}

/**
 * npu_vm_unmap() - an unmap operation
 * @ctx: operation
 * @op: operation as user space wrote it, checked
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_unmap(struct npu_vm_bind_ctx *ctx, const struct drm_npu_vm_bind_op *op)
{
	struct npu_room_claim claim;
	int ret;

	ret = npu_vm_alloc_vmas(ctx);
	if (!ret) {
		npu_room_claim_begin(&claim, ctx->vm->npu, PAGE_SIZE);
		do {
			ret = npu_vm_try_unmap(ctx, op);
		} while (npu_room_claim_again(&claim, &ret));
	}

	npu_vm_free_vmas(ctx);
	return ret;
}

/**
 * npu_vm_check_op() - check a bind operation
 * @vm: address space
 * @op: operation as user space wrote it
 *
 * Return: 0 if it is good, -EINVAL otherwise.
 */
static int npu_vm_check_op(struct npu_vm *vm, const struct drm_npu_vm_bind_op *op)
{
	bool map = op->op == DRM_NPU_VM_BIND_OP_MAP;
	struct npu_device *npu = vm->npu;

	if (NPU_BAD_ARG(npu, !map && op->op != DRM_NPU_VM_BIND_OP_UNMAP) ||
	    NPU_BAD_ARG(npu, op->flags & ~(map ? NPU_VM_BIND_FLAGS : 0)) ||
	    NPU_BAD_ARG(npu, op->pad) ||
	    NPU_BAD_ARG(npu, !map && op->bo_handle) ||
	    NPU_BAD_ARG(npu, !map && op->bo_offset) ||
	    NPU_BAD_ARG(npu, !op->size) ||
	    NPU_BAD_ARG(npu, !PAGE_ALIGNED(op->bo_offset)) ||
	    NPU_BAD_ARG(npu, !PAGE_ALIGNED(op->va)) ||
	    NPU_BAD_ARG(npu, !PAGE_ALIGNED(op->size)) ||
	    NPU_BAD_ARG(npu, op->va < NPU_VA_START) ||
	    NPU_BAD_ARG(npu, op->va >= NPU_VA_END) ||
	    NPU_BAD_ARG(npu, op->size > NPU_VA_END - op->va))
		return -EINVAL;

	return 0;
}

/**
 * npu_vm_bind_one() - do one bind operation
 * @ctx: bind operations
 * @file: file
 * @op: operation as user space wrote it
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_vm_bind_one(struct npu_vm_bind_ctx *ctx, struct drm_file *file,
			   const struct drm_npu_vm_bind_op *op)
{
	struct npu_device *npu = ctx->vm->npu;
	struct drm_gem_object *obj;
	int ret;

	ret = npu_vm_check_op(ctx->vm, op);
	if (ret)
		return ret;

	if (op->op == DRM_NPU_VM_BIND_OP_UNMAP)
		return npu_vm_unmap(ctx, op);

	obj = drm_gem_object_lookup(file, op->bo_handle);
	if (NPU_BAD_ARG(npu, !obj))
		return -ENOENT;

	if (NPU_BAD_ARG(npu, op->bo_offset >= obj->size) ||
	    NPU_BAD_ARG(npu, op->size > obj->size - op->bo_offset) ||
	    NPU_BAD_ARG(npu, npu_gem_is_private(to_npu_bo(obj)) &&
			drm_gpuvm_is_extobj(&ctx->vm->base, obj))) {
		ret = -EINVAL;
	} else {
		ctx->bo = to_npu_bo(obj);
		ret = npu_vm_map(ctx, op);
	}

	drm_gem_object_put(obj);
	return ret;
}

/**
 * npu_vm_bind() - do bind operations
 * @vm: address space
 * @file: file
 * @ops: operations as user space wrote them
 * @count: number of operations
 * @done: number of those that were done
 *
 * Return: 0 on success, the error of the operation that failed otherwise.
 */
int npu_vm_bind(struct npu_vm *vm, struct drm_file *file, const struct drm_npu_vm_bind_op *ops,
		u32 count, u32 *done)
{
	struct npu_vm_bind_ctx ctx = { .vm = vm };
	struct npu_vma *vma, *next;
	int ret = 0;

	INIT_LIST_HEAD(&ctx.released);
	*done = 0;

	mutex_lock(&vm->lock);
	if (vm->destroyed) {
		mutex_unlock(&vm->lock);
		return -ENOENT;
	}

	npu_pt_update_begin(&ctx.update, vm);
	while (*done < count) {
		ret = npu_vm_bind_one(&ctx, file, &ops[*done]);
		trace_npu_vm_bind(vm, &ops[*done], ret);
		if (ret)
			break;
		++*done;
	}
	npu_pt_update_end(&ctx.update);

	dma_resv_lock(drm_gpuvm_resv(&vm->base), NULL);
	list_for_each_entry_safe(vma, next, &ctx.released, node)
		npu_vm_release_vma(vm, vma);
	dma_resv_unlock(drm_gpuvm_resv(&vm->base));
	mutex_unlock(&vm->lock);

	return ret;
}

/**
 * npu_vm_map_kernel() - map memory in a VM of the driver's own
 * @vm: address space that no file knows
 * @va: address, where nothing is mapped
 * @memory: what to map; it stays until the VM is destroyed
 * @prot: NPU_PTE_READ, _WRITE and _EXEC
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_vm_map_kernel(struct npu_vm *vm, u64 va, const struct npu_extent *memory, u64 prot)
{
	struct npu_pt_update update;
	int ret;

	mutex_lock(&vm->lock);
	npu_pt_update_begin(&update, vm);
	ret = npu_pt_prepare_map(&update, va, memory);
	if (!ret)
		npu_pt_map(&update, va, memory, prot);
	npu_pt_update_end(&update);
	mutex_unlock(&vm->lock);

	return ret;
}

/**
 * npu_vm_set_context() - tell the hardware where a VM's page tables are
 * @vm: address space
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_vm_set_context(struct npu_vm *vm)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_CONTEXT_SET,
		.id = cpu_to_le32(vm->context),
		.context.root = cpu_to_le64(vm->root->addr),
	};

	return npu_admin_exec(vm->npu, &cmd, NULL);
}

/**
 * npu_vm_set_contexts() - set the contexts of all VMs, in a device that has just booted
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_vm_set_contexts(struct npu_device *npu)
{
	struct npu_vm *vm;
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(vm, &npu->vms, node) {
		ret = npu_vm_set_context(vm);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * npu_vm_attach() - give a VM a hardware context
 * @vm: address space
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_vm_attach(struct npu_vm *vm)
{
	struct npu_device *npu = vm->npu;
	int id, ret;

	id = ida_alloc_max(&npu->context_ida, npu->info.num_contexts - 1, GFP_KERNEL);
	if (id < 0)
		return id;
	vm->context = id;

	mutex_lock(&npu->hw_lock);
	ret = npu_vm_set_context(vm);
	if (!ret)
		list_add_tail(&vm->node, &npu->vms);
	mutex_unlock(&npu->hw_lock);

	if (ret) {
		/* Without an answer the device may know the table: then a reset is on its way. */
		npu_reset_wait(npu);
		ida_free(&npu->context_ida, id);
	}
	return ret;
}

/**
 * npu_vm_detach() - take a VM's hardware context away
 * @vm: address space without queues
 *
 * When it returns the device does not use the page tables.
 */
static void npu_vm_detach(struct npu_vm *vm)
{
	struct npu_admin_cmd cmd = {
		.opcode = NPU_ADMIN_CONTEXT_CLEAR,
		.id = cpu_to_le32(vm->context),
	};
	struct npu_device *npu = vm->npu;
	int ret = 0;

	mutex_lock(&npu->hw_lock);
	list_del_init(&vm->node);
	if (npu->state == NPU_DEVICE_ALIVE)
		ret = npu_admin_exec(npu, &cmd, NULL);
	mutex_unlock(&npu->hw_lock);

	if (ret) {
		npu_reset_schedule(npu, "a context cannot be cleared");
		npu_reset_wait(npu);
	}
	ida_free(&npu->context_ida, vm->context);
}

/**
 * npu_vm_init_base() - set up the part of a VM that DRM knows
 * @vm: address space
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_vm_init_base(struct npu_vm *vm)
{
	struct drm_device *drm = &vm->npu->drm;
	struct drm_gem_object *resv;

	resv = drm_gpuvm_resv_object_alloc(drm);
	if (!resv)
		return -ENOMEM;

	drm_gpuvm_init(&vm->base, "npu", DRM_GPUVM_RESV_PROTECTED, drm, resv, NPU_VA_START,
		       NPU_VA_END - NPU_VA_START, 0, 0, &npu_vm_ops);
	drm_gem_object_put(resv);
	return 0;
}

/**
 * npu_vm_create() - create an address space
 * @npu: device
 *
 * Return: it with one reference, which npu_vm_destroy() drops, or an error pointer.
 */
struct npu_vm *npu_vm_create(struct npu_device *npu)
{
	struct npu_vm *vm;
	int ret;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	if (!vm)
		return ERR_PTR(-ENOMEM);

	vm->npu = npu;
	mutex_init(&vm->lock);
	spin_lock_init(&vm->faults.lock);
	mutex_init(&vm->pt_lock);
	ttm_lru_bulk_move_init(&vm->lru);
	vm->lru_moved = jiffies - HZ;
	INIT_LIST_HEAD(&vm->node);

	vm->root = npu_pt_create_root(npu);
	if (IS_ERR(vm->root)) {
		ret = PTR_ERR(vm->root);
		goto err_free;
	}
	atomic_set(&vm->num_tables, 1);

	ret = npu_vm_init_base(vm);
	if (ret)
		goto err_root;

	ret = npu_vm_attach(vm);
	if (ret)
		goto err_base;

	return vm;

err_base:
	npu_pt_destroy_root(npu, vm->root);
	npu_vm_put(vm);
	return ERR_PTR(ret);
err_root:
	npu_pt_destroy_root(npu, vm->root);
err_free:
	mutex_destroy(&vm->pt_lock);
	mutex_destroy(&vm->lock);
	kfree(vm);
	return ERR_PTR(ret);
}

/**
 * npu_vm_destroy() - destroy an address space
 * @vm: it, without queues
 */
void npu_vm_destroy(struct npu_vm *vm)
{
	struct drm_gpuva *va, *next;

	mutex_lock(&vm->lock);
	vm->destroyed = true;
	npu_vm_detach(vm);

	dma_resv_lock(drm_gpuvm_resv(&vm->base), NULL);
	drm_gpuvm_for_each_va_safe(va, next, &vm->base) {
		drm_gpuva_remove(va);
		npu_vm_release_vma(vm, to_npu_vma(va));
	}
	dma_resv_unlock(drm_gpuvm_resv(&vm->base));
	npu_pt_destroy_root(vm->npu, vm->root);
	mutex_unlock(&vm->lock);

	npu_vm_put(vm);
}

/**
 * npu_vm_get() - take a reference
 * @vm: address space
 *
 * Return: @vm.
 */
struct npu_vm *npu_vm_get(struct npu_vm *vm)
{
	drm_gpuvm_get(&vm->base);
	return vm;
}

/**
 * npu_vm_put() - drop a reference
 * @vm: address space
 */
void npu_vm_put(struct npu_vm *vm)
{
	drm_gpuvm_put(&vm->base);
}

/**
 * npu_vm_use() - take a reference for a queue
 * @vm: address space that is not being destroyed
 *
 * Return: @vm.
 */
struct npu_vm *npu_vm_use(struct npu_vm *vm)
{
	atomic_inc(&vm->num_queues);
	return npu_vm_get(vm);
}

/**
 * npu_vm_unuse() - a queue is no more; its reference stays
 * @vm: address space
 */
void npu_vm_unuse(struct npu_vm *vm)
{
	atomic_dec(&vm->num_queues);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_print.h>

#include <npu/npu_mmu.h>

#include "npu_bind.h"
#include "npu_compat.h"
#include "npu_device.h"
#include "npu_fence.h"
#include "npu_gem.h"
#include "npu_gpuva.h"
#include "npu_pm.h"
#include "npu_prime.h"
#include "npu_pt.h"
#include "npu_resident.h"
#include "npu_room.h"
#include "npu_sync.h"
#include "npu_trace.h"
#include "npu_uapi.h"
#include "npu_userptr.h"
#include "npu_vm.h"
#include "npu_vma.h"

/**
 * DOC: Binds
 *
 * A bind has three parts. All that can fail comes first, npu_bind_prepare(): mappings are
 * allocated, memory is brought to where the device can use it, and tables are made. Then
 * the VM's tree of mappings is changed, npu_bind_commit(). Last the page table follows,
 * npu_bind_execute(), which neither allocates nor frees.
 *
 * An asynchronous bind does the last part later, when the fences that it waits for have
 * signalled and the binds before it are done. Until then its own fence keeps memory where
 * it is. The tree is ahead of the page table meanwhile, so tables are made for what may be
 * there by then, and none is freed: &npu_pt_update.keep. What is left over is pruned when
 * no bind is pending any more.
 *
 * Executing signals a fence, for which an eviction or an MMU notifier may wait. So it
 * takes &npu_vm.pt_lock and what is inside that, and nothing else.
 */

/* That of the bind, and that of a move. */
#define NPU_BIND_FENCES 2

#define NPU_BIND_FLAGS (DRM_NPU_VM_BIND_OP_READONLY | DRM_NPU_VM_BIND_OP_NOEXEC)

/**
 * struct npu_bind_op - an operation
 */
struct npu_bind_op {
	/** @vm: address space */
	struct npu_vm *vm;
	/** @type: enum drm_npu_vm_bind_op_type */
	u32 type;
	/** @va: address */
	u64 va;
	/** @size: bytes */
	u64 size;
	/** @offset: in the buffer, or address of user memory */
	u64 offset;
	/** @bo: buffer to map, a reference */
	struct npu_bo *bo;
	/** @vm_bo: connection of it and the VM, a reference */
	struct drm_gpuvm_bo *vm_bo;
	/** @userptr: user memory to map, a reference */
	struct npu_userptr *userptr;
	/** @in_place: @bo is where the device can use it; if not, that waits for a job */
	bool in_place;
	/** @pinned: and it is pinned there */
	bool pinned;
	/** @map: mapping, which belongs to the VM once it is committed */
	struct npu_vma *map;
	/** @committed: @map is in the VM's tree */
	bool committed;
	/** @prev: what may be left before the range */
	struct npu_vma *prev;
	/** @next: what may be left behind it */
	struct npu_vma *next;
	/** @released: mappings to drop once the device has forgotten them */
	struct list_head released;
};

/**
 * struct npu_bind - operations that are done together
 */
struct npu_bind {
	/** @vm: address space; a reference if asynchronous */
	struct npu_vm *vm;
	/** @ops: operations */
	struct npu_bind_op *ops;
	/** @count: number of operations */
	u32 count;
	/** @exec: locks */
	struct drm_exec exec;
	/** @lock_all: all buffers of the VM are locked */
	bool lock_all;
	/** @update: of the page table */
	struct npu_pt_update update;

	/** @fence: signals that it is done; NULL if synchronous */
	struct npu_fence *fence;
	/** @syncs: what it waits for and signals */
	struct npu_syncs syncs;
	/** @cb: callback of the last of the waits */
	struct dma_fence_cb cb;
	/** @armed: @cb is going to be called */
	bool armed;
	/** @node: in &npu_bind_queue.pending */
	struct list_head node;
	/** @release: frees it */
	struct work_struct release;
};

/* Does binds: on the way to signal fences. */
static struct workqueue_struct *npu_bind_wq;
/* Frees what they leave, which takes locks that may be held while waiting for the others. */
static struct workqueue_struct *npu_bind_release_wq;

/**
 * npu_bind_module_init() - called when the module is loaded
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
int npu_bind_module_init(void)
{
	npu_bind_wq = alloc_workqueue("npu-bind", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	npu_bind_release_wq = alloc_workqueue("npu-bind-release", WQ_UNBOUND, 0);
	if (npu_bind_wq && npu_bind_release_wq)
		return 0;

	npu_bind_module_exit();
	return -ENOMEM;
}

/**
 * npu_bind_module_exit() - called when the module is unloaded
 */
void npu_bind_module_exit(void)
{
	if (npu_bind_release_wq)
		destroy_workqueue(npu_bind_release_wq);
	if (npu_bind_wq)
		destroy_workqueue(npu_bind_wq);
}

/**
 * npu_bind_later() - queue work that frees what binds and mappings leave
 * @work: work, which is done before the module is unloaded
 *
 * Return: true unless it is queued already.
 */
bool npu_bind_later(struct work_struct *work)
{
	return queue_work(npu_bind_release_wq, work);
}

static int npu_bind_step_map(struct drm_gpuva_op *base, void *arg)
{
	struct npu_bind_op *op = arg;

	op->committed = true;
	drm_gpuva_map(&op->vm->base, &op->map->base, &base->map);
	npu_vma_link(op->vm, op->map, op->vm_bo);
	return 0;
}

/**
 * npu_bind_take_rest() - prepare the mapping of what a remap leaves
 * @slot: preallocated mapping, emptied
 * @old: mapping of which it is a part
 * @wanted: whether anything is left
 *
 * Return: the mapping, or NULL.
 */
static struct npu_vma *npu_bind_take_rest(struct npu_vma **slot, struct npu_vma *old, bool wanted)
{
	struct npu_vma *vma = *slot;

	if (!wanted)
		return NULL;

	*slot = NULL;
	vma->kind = old->kind;
	vma->flags = old->flags;
	vma->seqno = old->seqno;
	vma->userptr = old->userptr;
	return vma;
}

static int npu_bind_step_remap(struct drm_gpuva_op *base, void *arg)
{
	struct npu_vma *old = to_npu_vma(base->remap.unmap->va);
	struct npu_bind_op *op = arg;
	struct npu_vma *prev, *next;

	prev = npu_bind_take_rest(&op->prev, old, base->remap.prev);
	next = npu_bind_take_rest(&op->next, old, base->remap.next);
	drm_gpuva_remap(prev ? &prev->base : NULL, next ? &next->base : NULL, &base->remap);
	if (prev)
		npu_vma_link(op->vm, prev, old->base.vm_bo);
	if (next)
		npu_vma_link(op->vm, next, old->base.vm_bo);

	list_add_tail(&old->node, &op->released);
	return 0;
}

static int npu_bind_step_unmap(struct drm_gpuva_op *base, void *arg)
{
	struct npu_vma *old = to_npu_vma(base->unmap.va);
	struct npu_bind_op *op = arg;

	drm_gpuva_unmap(&base->unmap);
	list_add_tail(&old->node, &op->released);
	return 0;
}

static void npu_bind_vm_free(struct drm_gpuvm *base)
{
	npu_vm_free(to_npu_vm(base));
}

const struct drm_gpuvm_ops npu_bind_gpuvm_ops = {
	.vm_free = npu_bind_vm_free,
	.vm_bo_validate = npu_resident_validate,
	.sm_step_map = npu_bind_step_map,
	.sm_step_remap = npu_bind_step_remap,
	.sm_step_unmap = npu_bind_step_unmap,
};

static bool npu_bind_op_is_map(const struct npu_bind_op *op)
{
	return op->type == DRM_NPU_VM_BIND_OP_MAP || op->type == DRM_NPU_VM_BIND_OP_MAP_SPARSE ||
	       op->type == DRM_NPU_VM_BIND_OP_MAP_USERPTR;
}

/**
 * npu_bind_check() - check an operation
 * @npu: device
 * @op: operation as user space wrote it
 *
 * Return: 0 if it is good, a negative error code otherwise.
 */
static int npu_bind_check(struct npu_device *npu, const struct drm_npu_vm_bind_op *op)
{
	bool map = op->op == DRM_NPU_VM_BIND_OP_MAP;
	bool userptr = op->op == DRM_NPU_VM_BIND_OP_MAP_USERPTR;

	if (NPU_BAD_ARG(npu, op->op > DRM_NPU_VM_BIND_OP_PREFETCH) ||
	    NPU_BAD_ARG(npu, op->flags & ~(map || userptr ? NPU_BIND_FLAGS : 0)) ||
	    NPU_BAD_ARG(npu, op->pad) ||
	    NPU_BAD_ARG(npu, !map && op->bo_handle) ||
	    NPU_BAD_ARG(npu, !map && !userptr && op->bo_offset) ||
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
 * npu_bind_op_find_bo() - look up the buffer of a map operation
 * @op: operation
 * @file: file
 * @handle: of the buffer
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_op_find_bo(struct npu_bind_op *op, struct drm_file *file, u32 handle)
{
	struct drm_gpuvm *gpuvm = &op->vm->base;
	struct npu_device *npu = op->vm->npu;
	struct drm_gem_object *obj;

	obj = drm_gem_object_lookup(file, handle);
	if (NPU_BAD_ARG(npu, !obj))
		return -ENOENT;
	op->bo = to_npu_bo(obj);

	if (NPU_BAD_ARG(npu, op->offset >= obj->size) ||
	    NPU_BAD_ARG(npu, op->size > obj->size - op->offset) ||
	    NPU_BAD_ARG(npu, npu_gem_is_private(op->bo) && drm_gpuvm_is_extobj(gpuvm, obj)))
		return -EINVAL;

	return 0;
}

/**
 * npu_bind_op_alloc() - allocate the mappings that an operation may need
 * @op: operation
 * @flags: DRM_NPU_VM_BIND_OP_* of it
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_bind_op_alloc(struct npu_bind_op *op, u32 flags)
{
	struct npu_vma *map;

	op->prev = kzalloc(sizeof(*op->prev), GFP_KERNEL_ACCOUNT);
	op->next = kzalloc(sizeof(*op->next), GFP_KERNEL_ACCOUNT);
	if (!op->prev || !op->next)
		return -ENOMEM;
	if (!npu_bind_op_is_map(op))
		return 0;

	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;

	if (op->type == DRM_NPU_VM_BIND_OP_MAP_SPARSE)
		map->kind = NPU_VMA_SPARSE;
	else if (op->userptr)
		map->kind = NPU_VMA_USERPTR;
	map->flags = flags;
	map->userptr = op->userptr;
	map->base.va.addr = op->va;
	map->base.va.range = op->size;
	map->base.gem.obj = op->bo ? &op->bo->ttm.base : NULL;
	map->base.gem.offset = op->offset;
	op->map = map;
	return 0;
}

/**
 * npu_bind_op_init() - check an operation and find what it is about
 * @op: operation, zeroed; npu_bind_op_fini() frees what it has, whatever this returns
 * @vm: address space, locked
 * @file: file
 * @from: operation as user space wrote it
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_op_init(struct npu_bind_op *op, struct npu_vm *vm, struct drm_file *file,
			    const struct drm_npu_vm_bind_op *from)
{
	int ret;

	INIT_LIST_HEAD(&op->released);
	op->vm = vm;
	op->type = from->op;
	op->va = from->va;
	op->size = from->size;
	op->offset = from->bo_offset;

	ret = npu_bind_check(vm->npu, from);
	if (ret)
		return ret;

	if (op->type == DRM_NPU_VM_BIND_OP_MAP) {
		ret = npu_bind_op_find_bo(op, file, from->bo_handle);
	} else if (op->type == DRM_NPU_VM_BIND_OP_MAP_USERPTR) {
		op->userptr = npu_userptr_create(vm, op->offset, op->size,
						 from->flags & DRM_NPU_VM_BIND_OP_READONLY);
		if (IS_ERR(op->userptr)) {
			ret = PTR_ERR(op->userptr);
			op->userptr = NULL;
		}
	} else if (op->type == DRM_NPU_VM_BIND_OP_MAP_SPARSE && !vm->npu->info.sparse) {
		ret = -EOPNOTSUPP;
	}

	return ret ?: npu_bind_op_alloc(op, from->flags);
}

/**
 * npu_bind_op_fini() - free what an operation has
 * @op: operation, its VM locked; its &npu_bind_op.released is empty
 */
static void npu_bind_op_fini(struct npu_bind_op *op)
{
	if (!op->committed)
		kfree(op->map);
	kfree(op->prev);
	kfree(op->next);
	if (op->bo)
		drm_gem_object_put(&op->bo->ttm.base);
	npu_userptr_put(op->userptr);
}

/**
 * npu_bind_lock() - take the reservation locks
 * @bind: bind
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_lock(struct npu_bind *bind)
{
	struct drm_gpuvm *gpuvm = &bind->vm->base;
	struct drm_exec *exec = &bind->exec;
	int ret = 0;
	u32 i;

	drm_exec_init(exec, DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES, 0);
	drm_exec_until_all_locked(exec) {
		ret = drm_gpuvm_prepare_vm(gpuvm, exec, NPU_BIND_FENCES);
		drm_exec_retry_on_contention(exec);
		if (!ret && bind->lock_all)
			ret = drm_gpuvm_prepare_objects(gpuvm, exec, NPU_BIND_FENCES);
		drm_exec_retry_on_contention(exec);

		for (i = 0; !ret && i < bind->count; i++) {
			struct npu_bo *bo = bind->ops[i].bo;

			if (bo && drm_gpuvm_is_extobj(gpuvm, &bo->ttm.base))
				ret = drm_exec_prepare_obj(exec, &bo->ttm.base,
							   NPU_BIND_FENCES);
			drm_exec_retry_on_contention(exec);
		}
		/* These are not all: to make room TTM takes others by the same ticket. */
		break;
	}

	if (ret)
		drm_exec_fini(exec);
	return ret;
}

/**
 * npu_bind_obtain_vm_bo() - connect a VM and the buffer of a map operation
 * @op: operation
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_bind_obtain_vm_bo(struct npu_bind_op *op)
{
	struct drm_gpuvm_bo *vm_bo;

	vm_bo = drm_gpuvm_bo_create(&op->vm->base, &op->bo->ttm.base);
	if (!vm_bo)
		return -ENOMEM;

	op->vm_bo = npu_gpuva_obtain(vm_bo);
	drm_gpuvm_bo_extobj_add(op->vm_bo);

	return 0;
}

/**
 * npu_bind_place_bo() - have the buffer of a map operation where it can be mapped
 * @bind: bind
 * @op: operation
 *
 * One that has been moved away is left there if the bind is done at once: the next job
 * brings it back. It must not have to make room for tables.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_place_bo(struct npu_bind *bind, struct npu_bind_op *op)
{
	int ret;

	/* Whether another device's memory can be used at all is better told now. */
	if (op->bo->ttm.base.import_attach) {
		ret = npu_prime_map(op->bo);
		if (ret)
			return ret;
	}

	if (bind->fence) {
		ret = npu_gem_bring_back(op->bo, drm_gpuvm_resv(&op->vm->base));
		if (ret)
			return ret;
	}

	op->in_place = npu_gem_in_place(op->bo);
	op->pinned = op->in_place;
	if (op->pinned)
		ttm_bo_pin(&op->bo->ttm);
	return npu_bind_obtain_vm_bo(op);
}

/**
 * npu_bind_prefetch() - bring back what is mapped in a range
 * @bind: bind
 * @op: operation
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_prefetch(struct npu_bind *bind, struct npu_bind_op *op)
{
	struct npu_vm *vm = op->vm;
	struct drm_gpuva *va;
	int ret = 0;

	vm->validating = true;
	drm_gpuvm_for_each_va_range(va, &vm->base, op->va, op->va + op->size) {
		if (va->vm_bo && va->vm_bo->evicted)
			ret = npu_resident_validate(va->vm_bo, &bind->exec);
		if (ret)
			break;
	}
	vm->validating = false;

	return ret;
}

/**
 * npu_bind_prepare_op() - do all of an operation that can fail
 * @bind: bind, locked
 * @op: operation, no prefetch
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_prepare_op(struct npu_bind *bind, struct npu_bind_op *op)
{
	int ret;

	if (op->bo) {
		ret = npu_bind_place_bo(bind, op);
		if (ret)
			return ret;
	}

	ret = npu_pt_prepare_unmap(&bind->update, op->va, op->size);
	if (!ret && op->map && (op->in_place || !op->bo))
		ret = npu_vma_prepare(&bind->update, op->map);
	return ret;
}

/**
 * npu_bind_pin_userptrs() - have the pages of user memory
 * @bind: bind, not locked
 * @claim: its claim to room, which others do not wait for meanwhile
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_pin_userptrs(struct npu_bind *bind, struct npu_room_claim *claim)
{
	int ret = 0;
	u32 i;

	if (bind->vm->userptrs.count)
		npu_room_claim_pause(claim);
	for (i = 0; !ret && i < bind->count; i++) {
		struct npu_bind_op *op = &bind->ops[i];

		if (op->userptr)
			ret = npu_userptr_pin(op->userptr, false);
		else if (op->type == DRM_NPU_VM_BIND_OP_PREFETCH)
			ret = npu_userptrs_pin(bind->vm);
	}

	return ret ?: npu_room_claim_resume(claim);
}

/**
 * npu_bind_prepare() - do all that can fail
 * @bind: bind, locked
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_bind_prepare(struct npu_bind *bind)
{
	int ret = bind->lock_all ? npu_userptrs_prepare(bind->vm) : 0;
	u32 i;

	/* Large pages may take tables out, so this is before others count on theirs. */
	for (i = 0; !ret && i < bind->count; i++) {
		if (bind->ops[i].type == DRM_NPU_VM_BIND_OP_PREFETCH)
			ret = npu_bind_prefetch(bind, &bind->ops[i]);
	}
	for (i = 0; !ret && i < bind->count; i++) {
		if (bind->ops[i].type != DRM_NPU_VM_BIND_OP_PREFETCH)
			ret = npu_bind_prepare_op(bind, &bind->ops[i]);
	}

	return ret;
}

/**
 * npu_bind_unmap() - clear the entries of a range, and what was mapped there is gone
 * @bind: bind that has been committed
 * @op: operation
 *
 * Both at once for who writes the entries of a mapping that is not gone.
 */
static void npu_bind_unmap(struct npu_bind *bind, struct npu_bind_op *op)
{
	struct npu_vma *vma;

	mutex_lock(&bind->vm->pt_lock);
	npu_pt_unmap_locked(&bind->update, op->va, op->size);
	list_for_each_entry(vma, &op->released, node)
		vma->gone = true;
	mutex_unlock(&bind->vm->pt_lock);
}

/**
 * npu_bind_execute() - have the page table follow
 * @bind: bind that has been committed
 */
static void npu_bind_execute(struct npu_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->count; i++) {
		struct npu_bind_op *op = &bind->ops[i];

		if (op->type == DRM_NPU_VM_BIND_OP_PREFETCH)
			continue;

		npu_bind_unmap(bind, op);
		if (op->map && (op->in_place || !op->bo))
			npu_vma_map(&bind->update, op->map);
	}
}

/**
 * npu_bind_commit_map() - put a mapping into the VM's tree
 * @bind: bind, prepared
 * @op: map operation
 */
static void npu_bind_commit_map(struct npu_bind *bind, struct npu_bind_op *op)
{
	const struct drm_gpuvm_map_req req = {
		.map.va.addr = op->va,
		.map.va.range = op->size,
		.map.gem.obj = op->map->base.gem.obj,
		.map.gem.offset = op->offset,
	};

	op->map->seqno = bind->fence ? bind->fence->base.seqno : 0;
	drm_gpuvm_sm_map(&bind->vm->base, op, &req);
	if (op->in_place)
		op->bo->reachable = true;
	else if (op->bo)
		drm_gpuvm_bo_evict(op->vm_bo, true);
}

/**
 * npu_bind_commit_ops() - change the VM's tree of mappings
 * @bind: bind, prepared
 */
static void npu_bind_commit_ops(struct npu_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->count; i++) {
		struct npu_bind_op *op = &bind->ops[i];

		if (op->map)
			npu_bind_commit_map(bind, op);
		else if (op->type == DRM_NPU_VM_BIND_OP_UNMAP)
			drm_gpuvm_sm_unmap(&bind->vm->base, op, op->va, op->size);
	}
}

/**
 * npu_bind_enqueue() - leave the page table for later
 * @bind: bind that has been committed
 */
static void npu_bind_enqueue(struct npu_bind *bind)
{
	struct npu_bind_queue *queue = &bind->vm->binds;

	drm_gpuvm_resv_add_fence(&bind->vm->base, &bind->exec, &bind->fence->base,
				 DMA_RESV_USAGE_BOOKKEEP, DMA_RESV_USAGE_BOOKKEEP);
	npu_pm_expect(bind->vm->npu);

	spin_lock(&queue->lock);
	list_add_tail(&bind->node, &queue->pending);
	queue->num_ops += bind->count;
	spin_unlock(&queue->lock);
}

/**
 * npu_bind_commit() - make a bind happen, now or later
 * @bind: bind, prepared
 *
 * If it is asynchronous the caller gets a reference to its fence.
 *
 * Return: 0 on success, -EAGAIN if user memory has moved meanwhile.
 */
static int npu_bind_commit(struct npu_bind *bind)
{
	struct npu_vm *vm = bind->vm;
	bool good = true;
	u32 i;

	npu_userptrs_lock(vm);
	for (i = 0; good && i < bind->count; i++)
		good = !bind->ops[i].userptr || npu_userptr_commit(bind->ops[i].userptr);

	if (good) {
		if (bind->lock_all)
			npu_userptrs_commit(vm, &bind->update);
		if (bind->fence) {
			npu_fence_init(bind->fence, vm->binds.fences);
			/* It may be done and its own reference gone before our caller is. */
			dma_fence_get(&bind->fence->base);
		}
		npu_bind_commit_ops(bind);
		if (bind->fence)
			npu_bind_enqueue(bind);
		else
			npu_bind_execute(bind);
	}
	npu_userptrs_unlock(vm);

	return good ? 0 : -EAGAIN;
}

/**
 * npu_bind_unplace() - undo npu_bind_place_bo(), apart from where the buffers are
 * @bind: bind, locked
 */
static void npu_bind_unplace(struct npu_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->count; i++) {
		struct npu_bind_op *op = &bind->ops[i];

		if (op->vm_bo) {
			mutex_lock(npu_gpuva_lock(op->bo));
			drm_gpuvm_bo_put(op->vm_bo);
			mutex_unlock(npu_gpuva_lock(op->bo));
			op->vm_bo = NULL;
		}
		/* The fence of a bind that is queued keeps it there as well. */
		if (op->pinned)
			ttm_bo_unpin(&op->bo->ttm);
		op->pinned = false;
	}
}

/**
 * npu_bind_prune() - take out tables that have become empty, or stayed so
 * @bind: bind, locked
 */
static void npu_bind_prune(struct npu_bind *bind)
{
	u32 i;

	if (npu_bind_queue_busy(bind->vm))
		return;

	bind->update.keep = false;
	for (i = 0; i < bind->count; i++)
		npu_pt_prune(&bind->update, bind->ops[i].va, bind->ops[i].size);
}

/**
 * npu_bind_try() - prepare and commit
 * @bind: bind, for which user memory has been found
 *
 * Return: 0 on success, -EAGAIN to try again, another negative error code if nothing was done.
 */
static int npu_bind_try(struct npu_bind *bind)
{
	int ret;

	ret = npu_bind_lock(bind);
	if (ret)
		return ret;

	/* Also for user memory that has moved: npu_userptrs_commit() counts on tables. */
	bind->update.keep = bind->lock_all;
	ret = npu_bind_prepare(bind) ?: npu_bind_commit(bind);
	npu_bind_unplace(bind);
	/* One that is queued does not belong to us any more in all parts. */
	if (ret || !bind->fence)
		npu_bind_prune(bind);
	drm_exec_fini(&bind->exec);

	return ret;
}

/**
 * npu_bind_bytes() - HBM that a bind needs
 * @bind: bind
 *
 * Return: bytes, at least.
 */
static u64 npu_bind_bytes(const struct npu_bind *bind)
{
	u64 bytes = PAGE_SIZE;
	u32 i;

	for (i = 0; bind->fence && i < bind->count; i++) {
		const struct npu_bo *bo = bind->ops[i].bo;

		/* Some may be the same. */
		if (bo && bo->placement == NPU_PL_HBM)
			bytes = max_t(u64, bytes, bo->ttm.base.size);
	}

	return bytes;
}

/**
 * npu_bind_run() - prepare and commit, as often as it takes
 * @bind: bind
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_bind_run(struct npu_bind *bind)
{
	struct npu_room_claim claim;
	int ret;

	npu_room_claim_begin(&claim, bind->vm->npu, npu_bind_bytes(bind));
	do {
		ret = npu_bind_pin_userptrs(bind, &claim) ?: npu_bind_try(bind);
	} while (npu_room_claim_again(&claim, &ret));

	return ret;
}

/**
 * npu_bind_drop_released() - drop the mappings that a bind has replaced
 * @vm: address space
 * @op: operation that has been done
 *
 * The device has forgotten them.
 */
static void npu_bind_drop_released(struct npu_vm *vm, struct npu_bind_op *op)
{
	struct npu_vma *vma, *next;

	list_for_each_entry_safe(vma, next, &op->released, node)
		npu_vma_release(vm, vma);
	INIT_LIST_HEAD(&op->released);
}

/**
 * npu_bind_queue_busy() - are there binds that have not been done?
 * @vm: address space; locked if no more may come
 *
 * Return: true if so.
 */
bool npu_bind_queue_busy(struct npu_vm *vm)
{
	return READ_ONCE(vm->binds.num_ops);
}

/**
 * npu_bind_lock_idle() - lock a VM when it has no binds that have not been done
 * @vm: address space
 *
 * Return: 0 on success, -ENOENT if it is being destroyed, a negative error code otherwise.
 */
static int npu_bind_lock_idle(struct npu_vm *vm)
{
	struct npu_bind_queue *queue = &vm->binds;
	struct dma_fence *fence;
	int ret;

	for (;;) {
		ret = mutex_lock_interruptible(&vm->lock);
		if (ret)
			return ret;
		if (vm->destroyed) {
			mutex_unlock(&vm->lock);
			return -ENOENT;
		}

		spin_lock(&queue->lock);
		fence = NULL;
		if (!list_empty(&queue->pending))
			fence = dma_fence_get(&list_last_entry(&queue->pending, struct npu_bind,
							       node)->fence->base);
		spin_unlock(&queue->lock);
		if (!fence)
			return 0;

		mutex_unlock(&vm->lock);
		ret = dma_fence_wait(fence, true);
		dma_fence_put(fence);
		if (ret)
			return ret;
	}
}

/**
 * npu_bind_sync_one() - do one operation at once
 * @bind: bind
 * @file: file
 * @from: operation as user space wrote it
 * @released: where to put the mappings that it has replaced
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_bind_sync_one(struct npu_bind *bind, struct drm_file *file,
			     const struct drm_npu_vm_bind_op *from, struct list_head *released)
{
	struct npu_bind_op op = {};
	int ret;

	bind->ops = &op;
	bind->count = 1;
	bind->lock_all = from->op == DRM_NPU_VM_BIND_OP_PREFETCH;
	ret = npu_bind_op_init(&op, bind->vm, file, from) ?: npu_bind_run(bind);
	list_splice_tail(&op.released, released);
	npu_bind_op_fini(&op);

	return ret;
}

/**
 * npu_bind_sync() - do operations at once
 * @vm: address space
 * @file: file
 * @ops: operations as user space wrote them
 * @count: number of operations
 * @done: number of those that were done
 *
 * Return: 0 on success, the error of the operation that failed otherwise.
 */
int npu_bind_sync(struct npu_vm *vm, struct drm_file *file, const struct drm_npu_vm_bind_op *ops,
		  u32 count, u32 *done)
{
	struct npu_vma *vma, *next;
	struct npu_bind *bind;
	LIST_HEAD(released);
	int ret;

	*done = 0;
	/* Too large for the stack. */
	bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);
	if (!bind)
		return -ENOMEM;
	bind->vm = vm;

	ret = npu_bind_lock_idle(vm);
	if (ret)
		goto out_free;

	npu_pt_update_begin(&bind->update, vm);
	while (*done < count) {
		ret = npu_bind_sync_one(bind, file, &ops[*done], &released);
		trace_npu_vm_bind(vm, &ops[*done], ret);
		if (ret)
			break;
		++*done;
	}
	npu_pt_update_end(&bind->update);

	dma_resv_lock(drm_gpuvm_resv(&vm->base), NULL);
	list_for_each_entry_safe(vma, next, &released, node)
		npu_vma_release(vm, vma);
	dma_resv_unlock(drm_gpuvm_resv(&vm->base));
	mutex_unlock(&vm->lock);

out_free:
	kfree(bind);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(npu_bind_sync);

/**
 * npu_bind_fini_ops() - free what the operations of a bind have
 * @bind: bind, its VM locked
 */
static void npu_bind_fini_ops(struct npu_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->count; i++)
		npu_bind_op_fini(&bind->ops[i]);
	bind->count = 0;
}

/**
 * npu_bind_free() - free a bind
 * @bind: bind without operations, its VM not locked
 */
static void npu_bind_free(struct npu_bind *bind)
{
	kvfree(bind->ops);
	npu_syncs_fini(&bind->syncs);
	npu_vm_put(bind->vm);
	kfree(bind);
}

/**
 * npu_bind_prune_later() - prune what a bind has left, when no other is pending
 * @bind: bind that has been done; the VM and its reservations are locked
 */
static void npu_bind_prune_later(struct npu_bind *bind)
{
	struct npu_bind_queue *queue = &bind->vm->binds;
	struct npu_pt_update update;
	u32 i;

	for (i = 0; i < bind->count; i++) {
		queue->prune_start = min(queue->prune_start, bind->ops[i].va);
		queue->prune_end = max(queue->prune_end, bind->ops[i].va + bind->ops[i].size);
	}
	if (npu_bind_queue_busy(bind->vm) || queue->prune_start >= queue->prune_end)
		return;

	npu_pt_update_begin(&update, bind->vm);
	npu_pt_prune(&update, queue->prune_start, queue->prune_end - queue->prune_start);
	npu_pt_update_end(&update);
	queue->prune_start = U64_MAX;
	queue->prune_end = 0;
}

/**
 * npu_bind_release() - free a bind and what it has replaced
 * @work: &npu_bind.release
 */
static void npu_bind_release(struct work_struct *work)
{
	struct npu_bind *bind = container_of(work, struct npu_bind, release);
	struct npu_vm *vm = bind->vm;
	int idx;
	u32 i;

	mutex_lock(&vm->lock);
	dma_resv_lock(drm_gpuvm_resv(&vm->base), NULL);
	for (i = 0; i < bind->count; i++)
		npu_bind_drop_released(vm, &bind->ops[i]);
	if (!vm->destroyed && !npu_pm_enter(vm->npu, &idx)) {
		npu_bind_prune_later(bind);
		npu_pm_exit(vm->npu, idx);
	}
	dma_resv_unlock(drm_gpuvm_resv(&vm->base));
	npu_bind_fini_ops(bind);
	mutex_unlock(&vm->lock);

	npu_bind_free(bind);
}

/**
 * npu_bind_finish() - a bind is done, or will never be
 * @bind: the oldest one
 * @error: 0, or why it was not done
 */
static void npu_bind_finish(struct npu_bind *bind, int error)
{
	struct npu_bind_queue *queue = &bind->vm->binds;
	struct npu_fence *fence = bind->fence;

	WRITE_ONCE(queue->done, fence->base.seqno);
	spin_lock(&queue->lock);
	list_del(&bind->node);
	WRITE_ONCE(queue->num_ops, queue->num_ops - bind->count);
	spin_unlock(&queue->lock);

	npu_fence_signal(fence, error);
	dma_fence_put(&fence->base);
	npu_pm_unexpect(bind->vm->npu);
}

static void npu_bind_wake(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct npu_bind *bind = container_of(cb, struct npu_bind, cb);
	struct npu_vm *vm = bind->vm;

	WRITE_ONCE(bind->armed, false);
	queue_work(npu_bind_wq, &vm->binds.work);
}

/**
 * npu_bind_ready() - has all that a bind waits for happened?
 * @bind: bind
 *
 * Return: true if so; otherwise npu_bind_wake() is going to be called.
 */
static bool npu_bind_ready(struct npu_bind *bind)
{
	struct npu_syncs *syncs = &bind->syncs;

	if (READ_ONCE(bind->armed))
		return false;

	while (syncs->num_waits) {
		struct dma_fence *fence = syncs->waits[syncs->num_waits - 1];

		WRITE_ONCE(bind->armed, true);
		if (!dma_fence_add_callback(fence, &bind->cb, npu_bind_wake))
			return false;

		WRITE_ONCE(bind->armed, false);
		/* A callback that was called before has returned when this has had its lock. */
		dma_fence_remove_callback(fence, &bind->cb);
		syncs->num_waits--;
		dma_fence_put(fence);
	}

	return true;
}

/**
 * npu_bind_first() - the oldest bind that has not been done
 * @queue: binds of a VM
 *
 * Return: the bind, or NULL.
 */
static struct npu_bind *npu_bind_first(struct npu_bind_queue *queue)
{
	struct npu_bind *bind;

	spin_lock(&queue->lock);
	bind = list_first_entry_or_null(&queue->pending, struct npu_bind, node);
	spin_unlock(&queue->lock);

	return bind;
}

/**
 * npu_bind_do() - do a bind, and tell those who wait for it
 * @bind: the oldest one, which is ready
 *
 * After an unplug there is no page table to write.
 */
static void npu_bind_do(struct npu_bind *bind)
{
	int error = -ENODEV, idx;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	if (drm_dev_enter(&bind->vm->npu->drm, &idx)) {
		npu_bind_execute(bind);
		npu_pt_update_end(&bind->update);
		drm_dev_exit(idx);
		error = 0;
	}
	npu_bind_finish(bind, error);
	dma_fence_end_signalling(cookie);

	queue_work(npu_bind_release_wq, &bind->release);
}

/**
 * npu_bind_forget() - what a bind would have unmapped is not to be looked for any more
 * @bind: bind that will not be done, as the page table goes
 */
static void npu_bind_forget(struct npu_bind *bind)
{
	struct npu_vma *vma;
	u32 i;

	for (i = 0; i < bind->count; i++) {
		list_for_each_entry(vma, &bind->ops[i].released, node)
			npu_vma_set_gone(bind->vm, vma);
	}
}

/**
 * npu_bind_drop() - tell those who wait for a bind that it will not be done
 * @bind: the oldest one, of which &npu_bind_queue.work knows nothing, or which it is about
 * @error: why
 */
static void npu_bind_drop(struct npu_bind *bind, int error)
{
	struct npu_syncs *syncs = &bind->syncs;
	bool cookie;

	/* What it waits for may never happen. A callback that is running ends before this. */
	if (syncs->num_waits)
		dma_fence_remove_callback(syncs->waits[syncs->num_waits - 1], &bind->cb);

	cookie = dma_fence_begin_signalling();
	npu_bind_forget(bind);
	npu_bind_finish(bind, error);
	dma_fence_end_signalling(cookie);

	queue_work(npu_bind_release_wq, &bind->release);
}

/**
 * npu_bind_work() - do binds that need not wait any more
 * @work: &npu_bind_queue.work
 *
 * Those of a device that is gone need not wait either. While the system sleeps there is none
 * that would be done: npu_bind_kick().
 */
static void npu_bind_work(struct work_struct *work)
{
	struct npu_bind_queue *queue = container_of(work, struct npu_bind_queue, work);
	struct npu_device *npu = container_of(queue, struct npu_vm, binds)->npu;
	struct npu_bind *bind;

	while (!READ_ONCE(queue->dead) && (bind = npu_bind_first(queue))) {
		if (READ_ONCE(npu->state) == NPU_DEVICE_GONE) {
			npu_bind_drop(bind, -ENODEV);
		} else if (npu_bind_ready(bind) && npu_pm_tryget(npu)) {
			npu_bind_do(bind);
			npu_pm_put(npu);
		} else {
			break;
		}
	}
}

/**
 * npu_bind_create() - begin an asynchronous bind
 * @vm: address space, locked
 * @count: number of operations
 *
 * Return: the bind, or an error pointer.
 */
static struct npu_bind *npu_bind_create(struct npu_vm *vm, u32 count)
{
	struct npu_bind *bind;

	bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);
	if (!bind)
		return ERR_PTR(-ENOMEM);

	bind->vm = npu_vm_get(vm);
	bind->lock_all = true;
	INIT_WORK(&bind->release, npu_bind_release);
	INIT_LIST_HEAD(&bind->cb.node);
	bind->fence = npu_fence_alloc();
	if (count)
		bind->ops = kvcalloc(count, sizeof(*bind->ops), GFP_KERNEL_ACCOUNT);
	if (!bind->fence || (count && !bind->ops)) {
		npu_fence_free(bind->fence);
		npu_bind_free(bind);
		return ERR_PTR(-ENOMEM);
	}

	return bind;
}

/**
 * npu_bind_submit() - prepare an asynchronous bind and queue it
 * @bind: bind
 * @file: file
 * @ops: operations as user space wrote them
 * @args: arguments of the ioctl
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
static int npu_bind_submit(struct npu_bind *bind, struct drm_file *file,
			   const struct drm_npu_vm_bind_op *ops,
			   const struct drm_npu_vm_bind *args)
{
	struct npu_vm *vm = bind->vm;
	int ret;
	u32 i;

	ret = npu_syncs_init(&bind->syncs, vm->npu, file, &args->syncs) ?:
	      npu_syncs_find(&bind->syncs, vm->binds.fences->context);
	if (ret)
		return ret;

	while (bind->count < args->ops.count) {
		ret = npu_bind_op_init(&bind->ops[bind->count], vm, file, &ops[bind->count]);
		bind->count++;
		if (ret)
			return ret;
	}

	npu_pt_update_begin(&bind->update, vm);
	ret = npu_bind_run(bind);
	for (i = 0; i < args->ops.count; i++)
		trace_npu_vm_bind(vm, &ops[i], ret);
	if (ret)
		npu_pt_update_end(&bind->update);
	return ret;
}

/**
 * npu_bind_async() - do operations when what they wait for has happened
 * @vm: address space
 * @file: file
 * @ops: operations as user space wrote them
 * @args: arguments of the ioctl
 *
 * Return: 0 on success, a negative error code if nothing was done.
 */
int npu_bind_async(struct npu_vm *vm, struct drm_file *file,
		   const struct drm_npu_vm_bind_op *ops, const struct drm_npu_vm_bind *args)
{
	struct npu_bind *bind;
	int ret;

	ret = mutex_lock_interruptible(&vm->lock);
	if (ret)
		return ret;

	bind = vm->destroyed ? ERR_PTR(-ENOENT) : npu_bind_create(vm, args->ops.count);
	if (IS_ERR(bind)) {
		mutex_unlock(&vm->lock);
		return PTR_ERR(bind);
	}

	ret = npu_bind_submit(bind, file, ops, args);
	if (!ret) {
		npu_syncs_signal(&bind->syncs, &bind->fence->base);
		dma_fence_put(&bind->fence->base);
		queue_work(npu_bind_wq, &vm->binds.work);
	} else {
		npu_bind_fini_ops(bind);
	}
	/* From here on the bind may be released. */
	mutex_unlock(&vm->lock);

	if (ret) {
		npu_fence_free(bind->fence);
		npu_bind_free(bind);
	}
	return ret;
}

/**
 * npu_bind_queue_init() - set up the binds of a new VM
 * @vm: address space
 * @internal: it is the driver's own; no fence of it leaves the driver
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
int npu_bind_queue_init(struct npu_vm *vm, bool internal)
{
	struct npu_bind_queue *queue = &vm->binds;

	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->pending);
	INIT_WORK(&queue->work, npu_bind_work);
	queue->prune_start = U64_MAX;
	queue->fences = npu_fence_context_create("bind", 0, !internal);

	return queue->fences ? 0 : -ENOMEM;
}

/**
 * npu_bind_queue_kill() - do no more binds
 * @vm: address space, locked, that takes no more of them
 *
 * Those who wait for them are told. What they wait for themselves may never happen.
 */
void npu_bind_queue_kill(struct npu_vm *vm)
{
	struct npu_bind_queue *queue = &vm->binds;
	struct npu_bind *bind;

	WRITE_ONCE(queue->dead, true);
	cancel_work_sync(&queue->work);
	while ((bind = npu_bind_first(queue)))
		npu_bind_drop(bind, -ECANCELED);
	/* One that was woken meanwhile is no more. */
	cancel_work_sync(&queue->work);
}

/**
 * npu_bind_kick() - have a look at all binds that are pending
 * @npu: device, which is awake again, or gone, when they all end
 *
 * Calls may wait for them, also with the VM locked.
 */
void npu_bind_kick(struct npu_device *npu)
{
	struct npu_vm *vm;

	mutex_lock(&npu->hw_lock);
	list_for_each_entry(vm, &npu->vms, node)
		queue_work(npu_bind_wq, &vm->binds.work);
	mutex_unlock(&npu->hw_lock);
}

/**
 * npu_bind_queue_fini() - free what the binds of a VM share
 * @vm: address space
 */
void npu_bind_queue_fini(struct npu_vm *vm)
{
	/* npu_bind_kick() may have come between the end of the binds and that of the context. */
	cancel_work_sync(&vm->binds.work);
	npu_fence_context_put(vm->binds.fences);
}

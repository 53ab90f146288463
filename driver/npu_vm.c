// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>

#include <npu/npu_mmu.h>

#include "npu_admin.h"
#include "npu_bind.h"
#include "npu_device.h"
#include "npu_gpuva.h"
#include "npu_limits.h"
#include "npu_pt.h"
#include "npu_reset.h"
#include "npu_userptr.h"
#include "npu_vm.h"
#include "npu_vma.h"

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
 * npu_vm_free() - free an address space that nobody refers to
 * @vm: address space
 */
void npu_vm_free(struct npu_vm *vm)
{
	struct npu_device *npu = vm->npu;

	npu_bind_queue_fini(vm);
	ttm_lru_bulk_move_fini(&npu->ttm, &vm->lru);
	mutex_destroy(&vm->pt_lock);
	mutex_destroy(&vm->lock);
	npu_process_put(vm->process);
	kfree(vm);
	drm_dev_put(&npu->drm);
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
 * Their page tables are written again, as what was written meanwhile may be lost.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_vm_set_contexts(struct npu_device *npu)
{
	struct npu_vm *vm;
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	atomic_inc(&npu->offline.epoch);
	list_for_each_entry(vm, &npu->vms, node) {
		npu_pt_rewrite(vm);
		ret = npu_vm_set_context(vm);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * npu_vm_catch_up() - tell a device that has kept its state what has changed while it was off line
 * @npu: device, off line
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_vm_catch_up(struct npu_device *npu)
{
	struct npu_vm *vm;
	int ret;

	lockdep_assert_held(&npu->hw_lock);

	list_for_each_entry(vm, &npu->vms, node) {
		ret = npu_pt_catch_up(vm);
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

	ret = npu_online_lock(npu);
	if (ret)
		goto err_id;
	npu_pt_refresh(npu, vm->root);
	ret = npu_vm_set_context(vm);
	if (!ret)
		list_add_tail(&vm->node, &npu->vms);
	mutex_unlock(&npu->hw_lock);

	if (ret) {
		/* Without an answer the device may know the table: then a reset is on its way. */
		npu_reset_wait(npu);
		goto err_id;
	}
	return 0;

err_id:
	ida_free(&npu->context_ida, id);
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

	drm_gpuvm_init(&vm->base, "npu", NPU_GPUVM_FLAGS, drm, resv, NPU_VA_START,
		       NPU_VA_END - NPU_VA_START, 0, 0, &npu_bind_gpuvm_ops);
	drm_gem_object_put(resv);
	return 0;
}

/**
 * npu_vm_alloc() - create an address space that the hardware does not know
 * @npu: device
 * @process: whose it is; NULL if it is the driver's own
 *
 * It holds the device: works that free what binds leave may come after the last file.
 *
 * Return: it with one reference, or an error pointer.
 */
VISIBLE_IF_KUNIT
struct npu_vm *npu_vm_alloc(struct npu_device *npu, struct npu_process *process)
{
	struct npu_vm *vm;
	int ret;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	if (!vm)
		return ERR_PTR(-ENOMEM);

	vm->npu = npu;
	vm->process = process;
	mutex_init(&vm->lock);
	spin_lock_init(&vm->faults.lock);
	mutex_init(&vm->pt_lock);
	ttm_lru_bulk_move_init(&vm->lru);
	vm->lru_moved = jiffies - HZ;
	INIT_LIST_HEAD(&vm->node);
	npu_userptrs_init(vm);

	ret = npu_bind_queue_init(vm, !process);
	if (ret)
		goto err_free;

	vm->root = npu_pt_create_root(vm);
	if (IS_ERR(vm->root)) {
		ret = PTR_ERR(vm->root);
		goto err_queue;
	}
	atomic_set(&vm->num_tables, 1);

	ret = npu_vm_init_base(vm);
	if (ret)
		goto err_root;

	npu_process_get(process);
	drm_dev_get(&npu->drm);
	return vm;

err_root:
	npu_pt_destroy_root(vm, vm->root);
err_queue:
	npu_bind_queue_fini(vm);
err_free:
	mutex_destroy(&vm->pt_lock);
	mutex_destroy(&vm->lock);
	kfree(vm);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_IF_KUNIT(npu_vm_alloc);

/**
 * npu_vm_create() - create an address space
 * @npu: device
 * @process: whose it is; NULL if it is the driver's own
 *
 * Return: it with one reference, which npu_vm_destroy() drops, or an error pointer.
 */
struct npu_vm *npu_vm_create(struct npu_device *npu, struct npu_process *process)
{
	struct npu_vm *vm;
	int ret;

	vm = npu_vm_alloc(npu, process);
	if (IS_ERR(vm))
		return vm;

	ret = npu_vm_attach(vm);
	if (ret) {
		npu_pt_destroy_root(vm, vm->root);
		npu_vm_put(vm);
		return ERR_PTR(ret);
	}

	return vm;
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
	npu_bind_queue_kill(vm);
	npu_vm_detach(vm);

	dma_resv_lock(drm_gpuvm_resv(&vm->base), NULL);
	drm_gpuvm_for_each_va_safe(va, next, &vm->base) {
		drm_gpuva_remove(va);
		npu_vma_release(vm, to_npu_vma(va));
	}
	dma_resv_unlock(drm_gpuvm_resv(&vm->base));
	npu_pt_destroy_root(vm, vm->root);
	mutex_unlock(&vm->lock);

	npu_vm_put(vm);
}
EXPORT_SYMBOL_IF_KUNIT(npu_vm_destroy);

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

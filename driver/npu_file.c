// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include <npu/npu_mmu.h>

#include "npu_compat.h"
#include "npu_device.h"
#include "npu_file.h"
#include "npu_gem.h"
#include "npu_limits.h"
#include "npu_pm.h"
#include "npu_queue.h"
#include "npu_usage.h"
#include "npu_vm.h"

/* More would not fit the hardware anyway. */
#define NPU_FILE_IDS XA_LIMIT(1, 65535)

/**
 * npu_file_open() - a file has been opened
 * @drm: DRM device
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_file_open(struct drm_device *drm, struct drm_file *file)
{
	struct npu_file *nfile;

	nfile = kzalloc(sizeof(*nfile), GFP_KERNEL);
	if (!nfile)
		return -ENOMEM;

	nfile->npu = to_npu_device(drm);
	nfile->usage = npu_usage_create();
	if (!nfile->usage)
		goto err_free;

	nfile->process = npu_process_open(nfile->npu);
	if (!nfile->process)
		goto err_usage;

	xa_init_flags(&nfile->vms, XA_FLAGS_ALLOC1);
	xa_init_flags(&nfile->queues, XA_FLAGS_ALLOC1);
	file->driver_priv = nfile;
	return 0;

err_usage:
	npu_usage_put(nfile->usage);
err_free:
	kfree(nfile);
	return -ENOMEM;
}

/**
 * npu_file_retire_vm() - destroy a VM
 * @nfile: file
 * @vm: VM, not in the file's table any more
 */
static void npu_file_retire_vm(struct npu_file *nfile, struct npu_vm *vm)
{
	npu_vm_destroy(vm);
	npu_process_uncharge(nfile->process, NPU_LIMIT_VMS, 1);
}

/**
 * npu_file_retire_queue() - destroy a queue
 * @nfile: file
 * @queue: queue, not in the file's table any more
 */
static void npu_file_retire_queue(struct npu_file *nfile, struct npu_queue *queue)
{
	npu_queue_destroy(queue);
	npu_process_uncharge(nfile->process, NPU_LIMIT_QUEUES, 1);
}

/**
 * npu_file_postclose() - a file has been closed
 * @drm: DRM device
 * @file: file
 */
void npu_file_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct npu_file *nfile = file->driver_priv;
	struct npu_device *npu = nfile->npu;
	struct npu_queue *queue;
	struct npu_vm *vm;
	unsigned long id;
	bool awake;

	/* What cannot be woken is off line: all is freed that it does not know any more. */
	awake = !npu_pm_get(npu);

	xa_for_each(&nfile->queues, id, queue)
		npu_file_retire_queue(nfile, queue);
	xa_destroy(&nfile->queues);

	xa_for_each(&nfile->vms, id, vm)
		npu_file_retire_vm(nfile, vm);
	xa_destroy(&nfile->vms);

	if (awake)
		npu_pm_put(npu);
	npu_process_put(nfile->process);
	npu_usage_put(nfile->usage);
	kfree(nfile);
}

/**
 * npu_file_count_tables() - add the page tables of a file's VMs to its usage of HBM
 * @nfile: file
 * @hbm: usage
 */
static void npu_file_count_tables(struct npu_file *nfile, struct drm_memory_stats *hbm)
{
	struct npu_vm *vm;
	unsigned long id;
	u64 size;

	xa_lock(&nfile->vms);
	xa_for_each(&nfile->vms, id, vm) {
		size = (u64)atomic_read(&vm->num_tables) * NPU_PAGE_SIZE;
		hbm->private += size;
		hbm->resident += size;
	}
	xa_unlock(&nfile->vms);
}

/**
 * npu_file_show_fdinfo() - print usage in the form of drm-usage-stats.rst
 * @p: where to print it
 * @file: file
 *
 * Page tables are part of "hbm", so that it adds up to what the device has in use, but for
 * the few that the driver has for itself. "memory" is the name that is reserved there for
 * system memory.
 */
void npu_file_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	u32 status = DRM_GEM_OBJECT_RESIDENT | DRM_GEM_OBJECT_ACTIVE | DRM_GEM_OBJECT_PURGEABLE;
	struct drm_memory_stats hbm = {}, memory = {};
	struct npu_file *nfile = file->driver_priv;

	npu_usage_print(p, nfile->usage, nfile->npu);
	npu_gem_memory_stats(file, &hbm, &memory);
	npu_file_count_tables(nfile, &hbm);
	drm_print_memory_stats(p, &hbm, status, "hbm");
	drm_print_memory_stats(p, &memory, status, "memory");
}

/**
 * npu_file_add_vm() - give a VM an id
 * @nfile: file
 * @vm: VM
 * @id: its id
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_file_add_vm(struct npu_file *nfile, struct npu_vm *vm, u32 *id)
{
	int ret = xa_alloc(&nfile->vms, id, vm, NPU_FILE_IDS, GFP_KERNEL);

	return ret == -EBUSY ? -ENOSPC : ret;
}

/**
 * npu_file_get_vm() - find a VM
 * @nfile: file
 * @id: its id
 *
 * Return: a reference to the VM, or NULL.
 */
struct npu_vm *npu_file_get_vm(struct npu_file *nfile, u32 id)
{
	struct npu_vm *vm;

	xa_lock(&nfile->vms);
	vm = xa_load(&nfile->vms, id);
	if (vm)
		npu_vm_get(vm);
	xa_unlock(&nfile->vms);

	return vm;
}

/**
 * npu_file_use_vm() - find a VM, for a new queue
 * @nfile: file
 * @id: its id
 *
 * Return: the VM from npu_vm_use(), or NULL.
 */
struct npu_vm *npu_file_use_vm(struct npu_file *nfile, u32 id)
{
	struct npu_vm *vm;

	xa_lock(&nfile->vms);
	vm = xa_load(&nfile->vms, id);
	if (vm)
		npu_vm_use(vm);
	xa_unlock(&nfile->vms);

	return vm;
}

/**
 * npu_file_destroy_vm() - destroy a VM
 * @nfile: file
 * @id: its id
 *
 * Return: 0 on success, -ENOENT if there is none, -EBUSY while a queue uses it.
 */
int npu_file_destroy_vm(struct npu_file *nfile, u32 id)
{
	struct npu_vm *vm;
	int ret = 0;

	xa_lock(&nfile->vms);
	vm = xa_load(&nfile->vms, id);
	if (!vm)
		ret = -ENOENT;
	else if (atomic_read(&vm->num_queues))
		ret = -EBUSY;
	else
		__xa_erase(&nfile->vms, id);
	xa_unlock(&nfile->vms);

	if (!ret)
		npu_file_retire_vm(nfile, vm);
	return ret;
}

/**
 * npu_file_add_queue() - give a queue an id
 * @nfile: file
 * @queue: queue
 * @id: its id
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_file_add_queue(struct npu_file *nfile, struct npu_queue *queue, u32 *id)
{
	int ret = xa_alloc(&nfile->queues, id, queue, NPU_FILE_IDS, GFP_KERNEL);

	return ret == -EBUSY ? -ENOSPC : ret;
}

/**
 * npu_file_get_queue() - find a queue
 * @nfile: file
 * @id: its id
 *
 * Return: a reference to the queue, or NULL.
 */
struct npu_queue *npu_file_get_queue(struct npu_file *nfile, u32 id)
{
	struct npu_queue *queue;

	xa_lock(&nfile->queues);
	queue = xa_load(&nfile->queues, id);
	if (queue)
		npu_queue_get(queue);
	xa_unlock(&nfile->queues);

	return queue;
}

/**
 * npu_file_destroy_queue() - destroy a queue
 * @nfile: file
 * @id: its id
 *
 * Return: 0 on success, -ENOENT if there is none.
 */
int npu_file_destroy_queue(struct npu_file *nfile, u32 id)
{
	struct npu_queue *queue = xa_erase(&nfile->queues, id);

	if (!queue)
		return -ENOENT;

	npu_file_retire_queue(nfile, queue);
	return 0;
}

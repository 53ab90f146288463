/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_VM_H__
#define __NPU_VM_H__

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include <drm/drm_gpuvm.h>
#include <drm/ttm/ttm_resource.h>

#include <drm/npu_accel.h>

#include <npu/npu_mmu.h>

#include "npu_bind.h"
#include "npu_userptr.h"

struct npu_device;
struct npu_extent;
struct npu_process;
struct npu_pt;
struct ttm_buffer_object;

/**
 * struct npu_vm_faults - jobs of a VM that ended because of an address
 */
struct npu_vm_faults {
	/** @lock: protects what follows; taken in the interrupt handler */
	spinlock_t lock;
	/** @count: how many there were */
	u64 count;
	/** @address: of the last */
	u64 address;
	/** @access: enum npu_access of it */
	u32 access;
	/** @status: enum npu_status of it */
	u32 status;
};

/**
 * struct npu_vm - address space
 */
struct npu_vm {
	/** @base: base */
	struct drm_gpuvm base;
	/** @npu: device */
	struct npu_device *npu;
	/** @process: to which page tables are charged, a reference; NULL: the driver itself */
	struct npu_process *process;
	/** @context: hardware context */
	u32 context;
	/** @num_queues: queues that run in it; it is not destroyed under them */
	atomic_t num_queues;
	/** @node: in &npu_device.vms */
	struct list_head node;
	/** @lock: serialises changes of mappings; held over allocation */
	struct mutex lock;
	/** @pt_lock: protects page-table entries; not held over allocation */
	struct mutex pt_lock;
	/** @root: root of the page tables */
	struct npu_pt *root;
	/** @num_tables: number of tables */
	atomic_t num_tables;
	/** @leaves: entries of pages by size, under @pt_lock */
	struct {
		/** @leaves.level: those of 4 KiB, 2 MiB and 1 GiB */
		u64 level[NPU_PT_LEVELS - 1];
		/** @leaves.cont: those of 64 KiB, NPU_PTE_CONT_ENTRIES for each page */
		u64 cont;
	} leaves;
	/** @behind: not all of @root is in HBM, under @pt_lock */
	bool behind;
	/** @destroyed: takes no more mappings */
	bool destroyed;
	/** @faults: jobs that ended because of an address */
	struct npu_vm_faults faults;

	/** @binds: binds that @root does not show yet */
	struct npu_bind_queue binds;
	/** @userptrs: memory of processes */
	struct npu_userptrs userptrs;

	/** @lru: private buffers that are mapped, under the reservation lock */
	struct ttm_lru_bulk_move lru;
	/** @lru_moved: jiffies when they were last said to be in use */
	unsigned long lru_moved;
	/** @evictions: times that a buffer was taken away to make room */
	atomic64_t evictions;
	/** @validating: they are being brought back, and must not make room for each other */
	bool validating;
};

/**
 * to_npu_vm() - address space of a GPU VM
 * @base: GPU VM
 *
 * Return: the address space.
 */
static inline struct npu_vm *to_npu_vm(struct drm_gpuvm *base)
{
	return container_of(base, struct npu_vm, base);
}

bool npu_vm_needs(const struct ttm_buffer_object *tbo);

struct npu_vm *npu_vm_create(struct npu_device *npu, struct npu_process *process);
void npu_vm_destroy(struct npu_vm *vm);
struct npu_vm *npu_vm_get(struct npu_vm *vm);
void npu_vm_put(struct npu_vm *vm);
void npu_vm_free(struct npu_vm *vm);
struct npu_vm *npu_vm_use(struct npu_vm *vm);
void npu_vm_unuse(struct npu_vm *vm);
int npu_vm_map_kernel(struct npu_vm *vm, u64 va, const struct npu_extent *memory, u64 prot);
int npu_vm_set_contexts(struct npu_device *npu);
int npu_vm_catch_up(struct npu_device *npu);

#if IS_ENABLED(CONFIG_KUNIT)
struct npu_vm *npu_vm_alloc(struct npu_device *npu, struct npu_process *process);
#endif

#endif /* __NPU_VM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_VM_H__
#define __NPU_VM_H__

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/drm_gpuvm.h>

#include <drm/npu_accel.h>

struct drm_file;
struct npu_device;
struct npu_extent;
struct npu_pt;

/**
 * struct npu_vm - address space
 */
struct npu_vm {
	/** @base: base */
	struct drm_gpuvm base;
	/** @npu: device */
	struct npu_device *npu;
	/** @context: hardware context */
	u32 context;
	/** @num_queues: queues that run in it; it is not destroyed under them */
	atomic_t num_queues;
	/** @node: in &npu_device.vms */
	struct list_head node;
	/** @lock: protects mappings and page tables */
	struct mutex lock;
	/** @root: root of the page tables */
	struct npu_pt *root;
	/** @destroyed: takes no more mappings */
	bool destroyed;
};

struct npu_vm *npu_vm_create(struct npu_device *npu);
void npu_vm_destroy(struct npu_vm *vm);
struct npu_vm *npu_vm_get(struct npu_vm *vm);
void npu_vm_put(struct npu_vm *vm);
struct npu_vm *npu_vm_use(struct npu_vm *vm);
void npu_vm_unuse(struct npu_vm *vm);
int npu_vm_bind(struct npu_vm *vm, struct drm_file *file, const struct drm_npu_vm_bind_op *ops,
		u32 count, u32 *done);
int npu_vm_map_kernel(struct npu_vm *vm, u64 va, const struct npu_extent *memory, u64 prot);
int npu_vm_set_contexts(struct npu_device *npu);

#endif /* __NPU_VM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_VMA_H__
#define __NPU_VMA_H__

#include <drm/drm_gpuvm.h>

#include "npu_vm.h"

struct npu_pt_update;
struct npu_userptr;

/**
 * enum npu_vma_kind - what is mapped
 */
enum npu_vma_kind {
	/** @NPU_VMA_BO: a buffer */
	NPU_VMA_BO = 0,
	/** @NPU_VMA_SPARSE: nothing, on purpose */
	NPU_VMA_SPARSE,
	/** @NPU_VMA_USERPTR: memory of a process */
	NPU_VMA_USERPTR,
};

/**
 * struct npu_vma - a mapping
 *
 * It is linked to its memory for as long as the device may remember it.
 */
struct npu_vma {
	/** @base: base */
	struct drm_gpuva base;
	/** @node: in &npu_bind_op.released */
	struct list_head node;
	/** @kind: what is mapped */
	enum npu_vma_kind kind;
	/** @flags: DRM_NPU_VM_BIND_OP_* */
	u32 flags;
	/** @seqno: bind that writes its entries, 0 if they have been written */
	u64 seqno;
	/** @gone: its addresses are not its own any more, under &npu_vm.pt_lock */
	bool gone;
	/** @userptr: memory of a process, a reference; &drm_gpuva.gem.offset is its address */
	struct npu_userptr *userptr;
	/** @userptr_node: in &npu_userptr.vmas */
	struct list_head userptr_node;
};

/**
 * to_npu_vma() - mapping of a GPU VA
 * @va: GPU VA
 *
 * Return: the mapping.
 */
static inline struct npu_vma *to_npu_vma(struct drm_gpuva *va)
{
	return container_of(va, struct npu_vma, base);
}

/**
 * npu_vma_pending() - is a mapping still to be written to the page table?
 * @vm: address space
 * @vma: mapping
 *
 * Return: true if so: a bind will do that.
 */
static inline bool npu_vma_pending(const struct npu_vm *vm, const struct npu_vma *vma)
{
	return vma->seqno > READ_ONCE(vm->binds.done);
}

u64 npu_vma_prot(const struct npu_vma *vma);
void npu_vma_link(struct npu_vm *vm, struct npu_vma *vma, struct drm_gpuvm_bo *vm_bo);
void npu_vma_set_gone(struct npu_vm *vm, struct npu_vma *vma);
void npu_vma_release(struct npu_vm *vm, struct npu_vma *vma);
int npu_vma_prepare(struct npu_pt_update *update, const struct npu_vma *vma);
void npu_vma_map(struct npu_pt_update *update, const struct npu_vma *vma);
void npu_vma_map_locked(struct npu_pt_update *update, const struct npu_vma *vma);

#endif /* __NPU_VMA_H__ */

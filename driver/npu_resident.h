/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_RESIDENT_H__
#define __NPU_RESIDENT_H__

#include <linux/types.h>

#include <drm/drm_gpuvm.h>

#include <drm/npu_accel.h>

struct dma_fence;
struct npu_bo;
struct npu_vm;

/**
 * struct npu_resident - all memory of a VM, held where the device can reach it
 */
struct npu_resident {
	/** @vm: address space */
	struct npu_vm *vm;
	/** @exec: locks, if @shared */
	struct drm_gpuvm_exec exec;
	/** @shared: other buffers than the VM's own are locked */
	bool shared;
	/** @userptrs: user memory is kept from moving */
	bool userptrs;
};

int npu_resident_begin(struct npu_resident *resident, struct npu_vm *vm);
void npu_resident_commit(struct npu_resident *resident, struct dma_fence *fence);
void npu_resident_end(struct npu_resident *resident);

int npu_resident_get_state(struct npu_vm *vm, struct drm_npu_vm_get_state *state);
int npu_resident_validate(struct drm_gpuvm_bo *vm_bo, struct drm_exec *exec);
void npu_resident_zap(struct npu_bo *bo, bool evict);
bool npu_resident_zap_offline(struct npu_bo *bo);
void npu_resident_displaced(struct npu_bo *bo);

#endif /* __NPU_RESIDENT_H__ */

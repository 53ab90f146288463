/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_BIND_H__
#define __NPU_BIND_H__

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <drm/drm_gpuvm.h>

struct drm_file;
struct drm_npu_vm_bind;
struct drm_npu_vm_bind_op;
struct npu_device;
struct npu_fence_context;
struct npu_vm;

/**
 * struct npu_bind_queue - binds of a VM that its page table does not show yet
 */
struct npu_bind_queue {
	/** @lock: protects @pending; innermost */
	spinlock_t lock;
	/** @pending: in order; additions under &npu_vm.lock as well */
	struct list_head pending;
	/** @num_ops: operations of them */
	u64 num_ops;
	/** @fences: fence context */
	struct npu_fence_context *fences;
	/** @done: fence number of the last one that has been done */
	u64 done;
	/** @work: does those that need not wait any more */
	struct work_struct work;
	/** @dead: nothing is done any more */
	bool dead;
	/** @prune_start: where tables may be empty, under &npu_vm.lock */
	u64 prune_start;
	/** @prune_end: end of these addresses */
	u64 prune_end;
};

extern const struct drm_gpuvm_ops npu_bind_gpuvm_ops;

int npu_bind_module_init(void);
void npu_bind_module_exit(void);
bool npu_bind_later(struct work_struct *work);

int npu_bind_queue_init(struct npu_vm *vm, bool internal);
void npu_bind_kick(struct npu_device *npu);
void npu_bind_queue_kill(struct npu_vm *vm);
void npu_bind_queue_fini(struct npu_vm *vm);
bool npu_bind_queue_busy(struct npu_vm *vm);

int npu_bind_sync(struct npu_vm *vm, struct drm_file *file, const struct drm_npu_vm_bind_op *ops,
		  u32 count, u32 *done);
int npu_bind_async(struct npu_vm *vm, struct drm_file *file,
		   const struct drm_npu_vm_bind_op *ops, const struct drm_npu_vm_bind *args);

#endif /* __NPU_BIND_H__ */

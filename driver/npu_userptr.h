/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_USERPTR_H__
#define __NPU_USERPTR_H__

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

struct npu_device;
struct npu_pt_update;
struct npu_userptr;
struct npu_vm;
struct npu_vma;

/**
 * struct npu_userptrs - user memory in a VM
 */
struct npu_userptrs {
	/**
	 * @lock: to write, by notifiers: memory moves; to read: it does not until what is
	 * submitted has a fence. Nothing is allocated under it
	 */
	struct rw_semaphore lock;
	/** @count: pieces of user memory, under &npu_vm.lock */
	unsigned int count;
	/**
	 * @stale: those that have moved; additions under @lock to write, other changes under
	 * @lock to read and &npu_vm.lock
	 */
	struct list_head stale;
	/** @torn: those with pages missing, likewise */
	struct list_head torn;
	/**
	 * @taken: those of @stale to use again now, under &npu_vm.lock; notifiers leave it
	 * alone
	 */
	struct list_head taken;
	/** @let_go: lets go of those of @stale that are held */
	struct work_struct let_go;
	/** @invalidations: times that memory has moved under a mapping */
	atomic64_t invalidations;
};

#if IS_ENABLED(CONFIG_HMM_MIRROR)
void npu_userptrs_init(struct npu_vm *vm);
bool npu_userptrs_stale(struct npu_vm *vm);
int npu_userptrs_pin(struct npu_vm *vm);
int npu_userptrs_prepare(struct npu_vm *vm);
void npu_userptrs_lock(struct npu_vm *vm);
void npu_userptrs_unlock(struct npu_vm *vm);
bool npu_userptrs_commit(struct npu_vm *vm, struct npu_pt_update *update);
void npu_userptrs_unplug(struct npu_device *npu);

struct npu_userptr *npu_userptr_create(struct npu_vm *vm, u64 address, u64 size, bool readonly);
void npu_userptr_put(struct npu_userptr *userptr);
int npu_userptr_pin(struct npu_userptr *userptr, bool torn);
bool npu_userptr_commit(struct npu_userptr *userptr);
bool npu_userptr_is_pinned(const struct npu_userptr *userptr);
void npu_userptr_link(struct npu_vm *vm, struct npu_vma *vma);
void npu_userptr_unlink(struct npu_vm *vm, struct npu_vma *vma);
int npu_userptr_prepare(struct npu_pt_update *update, const struct npu_vma *vma);
void npu_userptr_map(struct npu_pt_update *update, const struct npu_vma *vma);
#else
static inline void npu_userptrs_init(struct npu_vm *vm) { }
static inline bool npu_userptrs_stale(struct npu_vm *vm) { return false; }
static inline int npu_userptrs_pin(struct npu_vm *vm) { return 0; }
static inline int npu_userptrs_prepare(struct npu_vm *vm) { return 0; }
static inline void npu_userptrs_lock(struct npu_vm *vm) { }
static inline void npu_userptrs_unlock(struct npu_vm *vm) { }
static inline bool npu_userptrs_commit(struct npu_vm *vm, struct npu_pt_update *update)
{
	return true;
}

static inline void npu_userptrs_unplug(struct npu_device *npu) { }

static inline struct npu_userptr *npu_userptr_create(struct npu_vm *vm, u64 address, u64 size,
						     bool readonly)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void npu_userptr_put(struct npu_userptr *userptr) { }
static inline int npu_userptr_pin(struct npu_userptr *userptr, bool torn) { return 0; }
static inline bool npu_userptr_commit(struct npu_userptr *userptr) { return true; }
static inline bool npu_userptr_is_pinned(const struct npu_userptr *userptr) { return false; }
static inline void npu_userptr_link(struct npu_vm *vm, struct npu_vma *vma) { }
static inline void npu_userptr_unlink(struct npu_vm *vm, struct npu_vma *vma) { }
static inline int npu_userptr_prepare(struct npu_pt_update *update, const struct npu_vma *vma)
{
	return 0;
}

static inline void npu_userptr_map(struct npu_pt_update *update, const struct npu_vma *vma) { }
#endif

#endif /* __NPU_USERPTR_H__ */

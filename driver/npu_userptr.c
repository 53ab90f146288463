// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "npu_bind.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_pm.h"
#include "npu_pt.h"
#include "npu_queue.h"
#include "npu_sleep.h"
#include "npu_uapi.h"
#include "npu_userptr.h"
#include "npu_vm.h"
#include "npu_vma.h"

/**
 * DOC: User memory
 *
 * Memory of a process that is mapped in a VM is not pinned: the process may unmap it, and
 * the kernel may move or swap it. A notifier tells, npu_userptr_invalidate(), and then the
 * page is not given away before the VM's jobs have ended and the device has forgotten it.
 * The next job of the VM finds out where the memory is by then; what is not there any more
 * faults when the job uses it. When all the memory of the process goes, as it ends or executes
 * another program, its queues are stopped first: nobody could end it while it waits for them.
 *
 * Finding pages, npu_userptr_pin(), takes locks of the process and waits for notifiers, so
 * it comes before reservation locks are taken. If memory moves again before a fence is
 * there that notifiers wait for, npu_userptr_commit() tells so, and all begins anew.
 *
 * While the system goes to sleep, sleeps and wakes, notifiers do not wait: jobs that are
 * suspended end when it is awake again. The pages are held instead, until these jobs have ended,
 * who use them to their end: they are neither moved nor given to anybody, though the process may
 * not have them any more. Only who protects pages from writing waits all the same: fork()
 * above all, as the job would write to those of the child.
 *
 * A device that is off line, which it also is while it sleeps alone, is not woken: it learns
 * of what has changed when it comes back.
 *
 * Notifiers are called while memory is reclaimed. What they take, &npu_userptrs.lock,
 * &npu_userptr.lock and &npu_vm.pt_lock, is not held over allocation.
 */

/* Not a bus address of a page. */
#define NPU_USERPTR_HOLE DMA_MAPPING_ERROR

/* The device is coherent, and a page may be mapped more than once: nothing to be synchronised. */
#define NPU_USERPTR_ATTRS DMA_ATTR_SKIP_CPU_SYNC

/**
 * struct npu_userptr - a piece of user memory
 */
struct npu_userptr {
	/** @refcount: references, one for each mapping */
	struct kref refcount;
	/** @vm: address space, which outlives it */
	struct npu_vm *vm;
	/** @notifier: tells when the memory moves */
	struct mmu_interval_notifier notifier;
	/** @device_node: in &npu_device.userptrs */
	struct list_head device_node;
	/** @node: in &npu_userptrs.stale or &npu_userptrs.torn, if its pages are not known */
	struct list_head node;
	/** @taken_node: in &npu_userptrs.taken, if it is in &npu_userptrs.stale and was found */
	struct list_head taken_node;
	/** @vmas: its mappings, under &npu_vm.pt_lock */
	struct list_head vmas;
	/** @address: where it is in the process */
	unsigned long address;
	/** @pages: number of pages */
	unsigned long pages;
	/** @readonly: the device may not write */
	bool readonly;
	/** @seq: state of @notifier when the pages were found */
	unsigned long seq;
	/** @found: they have been since it last moved, under &npu_userptrs.lock */
	bool found;

	/** @lock: protects what follows, against notifiers */
	struct mutex lock;
	/** @pinned: the pages are those of the process until @notifier tells */
	bool pinned;
	/** @held: and they are held for jobs that sleep, though @notifier has told */
	bool held;
	/** @dma: their bus addresses, or NPU_USERPTR_HOLE */
	dma_addr_t *dma;
	/** @page: the pages of those that have one */
	struct page **page;
};

static enum dma_data_direction npu_userptr_direction(const struct npu_userptr *userptr)
{
	return userptr->readonly ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/**
 * npu_userptr_unmap_dma() - forget the pages
 * @userptr: user memory, &npu_userptr.lock held; the device has forgotten them
 */
static void npu_userptr_unmap_dma(struct npu_userptr *userptr)
{
	struct device *dev = userptr->vm->npu->drm.dev;
	unsigned long i;

	for (i = 0; i < userptr->pages; i++) {
		if (userptr->dma[i] == NPU_USERPTR_HOLE)
			continue;
		dma_unmap_page_attrs(dev, userptr->dma[i], PAGE_SIZE,
				     npu_userptr_direction(userptr), NPU_USERPTR_ATTRS);
		if (userptr->held)
			put_page(userptr->page[i]);
		userptr->dma[i] = NPU_USERPTR_HOLE;
	}
	userptr->pinned = false;
	userptr->held = false;
}

/**
 * npu_userptr_hold() - have the pages stay what they are, whatever the process does
 * @userptr: user memory, &npu_userptr.lock held, of a notifier that is under way
 */
static void npu_userptr_hold(struct npu_userptr *userptr)
{
	struct npu_vm *vm = userptr->vm;
	unsigned long i;

	for (i = 0; i < userptr->pages; i++) {
		if (userptr->dma[i] != NPU_USERPTR_HOLE)
			get_page(userptr->page[i]);
	}
	userptr->held = true;

	npu_vm_get(vm);
	if (!npu_bind_later(&vm->userptrs.let_go))
		npu_vm_put(vm);
}

/**
 * npu_userptr_unmap() - clear the entries of the pages
 * @userptr: user memory
 * @update: update of the page table
 */
static void npu_userptr_unmap(struct npu_userptr *userptr, struct npu_pt_update *update)
{
	struct npu_vm *vm = userptr->vm;
	struct npu_vma *vma;

	mutex_lock(&vm->pt_lock);
	list_for_each_entry(vma, &userptr->vmas, userptr_node) {
		u64 va = vma->base.va.addr;
		u64 size = vma->base.va.range;

		/* If it is gone others may use its addresses. */
		if (!vma->gone)
			npu_pt_unmap_locked(update, va, size);
		npu_pt_touch(update, va, size);
	}
	mutex_unlock(&vm->pt_lock);
}

/**
 * npu_userptr_zap_offline() - make a device forget the pages that is not there
 * @userptr: user memory
 *
 * No entry that it has cached is used before it is forgotten: npu_vm_catch_up().
 *
 * Return: true on success, false if it is not off line.
 */
static bool npu_userptr_zap_offline(struct npu_userptr *userptr)
{
	struct npu_device *npu = userptr->vm->npu;
	struct npu_pt_update update;
	bool offline;

	mutex_lock(&npu->hw_lock);
	offline = npu->state != NPU_DEVICE_ALIVE;
	if (offline) {
		npu_pt_update_begin(&update, userptr->vm);
		npu_userptr_unmap(userptr, &update);
	}
	mutex_unlock(&npu->hw_lock);

	return offline;
}

/**
 * npu_userptr_zap() - make the device forget the pages
 * @userptr: user memory
 */
static void npu_userptr_zap(struct npu_userptr *userptr)
{
	struct npu_device *npu = userptr->vm->npu;
	struct npu_pt_update update;
	int idx;

	if (!drm_dev_enter(&npu->drm, &idx))
		return;

	while (!npu_pm_tryget(npu)) {
		if (npu_userptr_zap_offline(userptr))
			goto out_exit;
		npu_pm_settle(npu);
	}

	npu_pt_update_begin(&update, userptr->vm);
	npu_userptr_unmap(userptr, &update);
	npu_pt_update_end(&update);
	npu_pm_put(npu);

out_exit:
	drm_dev_exit(idx);
}

/**
 * npu_userptr_forget() - let go of the pages
 * @userptr: user memory that no job uses, &npu_userptr.lock held
 */
static void npu_userptr_forget(struct npu_userptr *userptr)
{
	npu_userptr_zap(userptr);
	npu_userptr_unmap_dma(userptr);
}

/**
 * npu_userptr_let_go() - let go of the pages that are held
 * @userptr: user memory, its VM is locked
 *
 * Return: 0 on success, -ERESTARTSYS if a signal came before the jobs had ended.
 */
static int npu_userptr_let_go(struct npu_userptr *userptr)
{
	long ret;

	if (!READ_ONCE(userptr->held))
		return 0;

	/* Those that have it. There is none that has begun since. */
	ret = dma_resv_wait_timeout(drm_gpuvm_resv(&userptr->vm->base), DMA_RESV_USAGE_BOOKKEEP,
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	mutex_lock(&userptr->lock);
	if (userptr->held)
		npu_userptr_forget(userptr);
	mutex_unlock(&userptr->lock);
	return 0;
}

/**
 * npu_userptr_invalidate() - memory is about to move
 * @notifier: &npu_userptr.notifier
 * @range: what moves
 * @seq: new state of the notifier
 *
 * Return: true, or false if it must not be waited for.
 */
static bool npu_userptr_invalidate(struct mmu_interval_notifier *notifier,
				   const struct mmu_notifier_range *range, unsigned long seq)
{
	struct npu_userptr *userptr = container_of(notifier, struct npu_userptr, notifier);
	struct npu_vm *vm = userptr->vm;
	struct npu_userptrs *userptrs = &vm->userptrs;
	bool stay, idle;

	if (!mmu_notifier_range_blockable(range))
		return false;
	/* Mappings of the device: none of them is user memory. */
	if (npu_offline_is_zapper(vm->npu))
		return true;

	down_write(&userptrs->lock);
	mmu_interval_set_seq(notifier, seq);
	userptr->found = false;
	list_move_tail(&userptr->node, &userptrs->stale);
	up_write(&userptrs->lock);

	/* Who is killed must not wait for jobs that may last: files are closed only later. */
	if (range->event == MMU_NOTIFY_RELEASE)
		npu_queue_cancel_process(vm->npu, range->mm);

	/* From here on no job can begin that uses it. */
	stay = range->event == MMU_NOTIFY_PROTECTION_PAGE && !userptr->readonly;
	idle = npu_sleep_wait_idle(vm->npu, drm_gpuvm_resv(&vm->base), stay);

	mutex_lock(&userptr->lock);
	if (userptr->pinned) {
		atomic64_inc(&userptrs->invalidations);
		if (idle)
			npu_userptr_forget(userptr);
		else if (!userptr->held)
			npu_userptr_hold(userptr);
	}
	mutex_unlock(&userptr->lock);

	return true;
}

static const struct mmu_interval_notifier_ops npu_userptr_notifier_ops = {
	.invalidate = npu_userptr_invalidate,
};

/**
 * npu_userptr_create() - set up a piece of user memory
 * @vm: address space, locked
 * @address: where it is in the calling process, page-aligned
 * @size: bytes, page-aligned, not 0
 * @readonly: the device may not write
 *
 * Return: it with one reference, or an error pointer.
 */
struct npu_userptr *npu_userptr_create(struct npu_vm *vm, u64 address, u64 size, bool readonly)
{
	struct npu_device *npu = vm->npu;
	struct npu_userptr *userptr;
	unsigned long i;
	int ret = -ENOMEM;

	if (NPU_BAD_ARG(npu, !access_ok(u64_to_user_ptr(address), size)))
		return ERR_PTR(-EFAULT);
	if (size >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);

	userptr = kzalloc(sizeof(*userptr), GFP_KERNEL_ACCOUNT);
	if (!userptr)
		return ERR_PTR(-ENOMEM);

	kref_init(&userptr->refcount);
	mutex_init(&userptr->lock);
	INIT_LIST_HEAD(&userptr->node);
	INIT_LIST_HEAD(&userptr->taken_node);
	INIT_LIST_HEAD(&userptr->vmas);
	userptr->vm = vm;
	userptr->address = address;
	userptr->pages = size >> PAGE_SHIFT;
	userptr->readonly = readonly;
	userptr->dma = kvmalloc_array(userptr->pages, sizeof(*userptr->dma), GFP_KERNEL_ACCOUNT);
	userptr->page = kvmalloc_array(userptr->pages, sizeof(*userptr->page),
				       GFP_KERNEL_ACCOUNT);
	if (!userptr->dma || !userptr->page)
		goto err_free;
	for (i = 0; i < userptr->pages; i++)
		userptr->dma[i] = NPU_USERPTR_HOLE;

	ret = mmu_interval_notifier_insert(&userptr->notifier, current->mm, address, size,
					   &npu_userptr_notifier_ops);
	if (ret)
		goto err_free;

	mutex_lock(&npu->userptr_lock);
	list_add_tail(&userptr->device_node, &npu->userptrs);
	mutex_unlock(&npu->userptr_lock);
	vm->userptrs.count++;
	return userptr;

err_free:
	kvfree(userptr->page);
	kvfree(userptr->dma);
	mutex_destroy(&userptr->lock);
	kfree(userptr);
	return ERR_PTR(ret);
}

static void npu_userptr_release(struct kref *refcount)
{
	struct npu_userptr *userptr = container_of(refcount, struct npu_userptr, refcount);
	struct npu_userptrs *userptrs = &userptr->vm->userptrs;
	struct npu_device *npu = userptr->vm->npu;

	/* No notifier runs any more when this returns. */
	mmu_interval_notifier_remove(&userptr->notifier);

	mutex_lock(&npu->userptr_lock);
	list_del(&userptr->device_node);
	mutex_unlock(&npu->userptr_lock);

	/* Other notifiers of the VM change the same list. */
	down_write(&userptrs->lock);
	list_del(&userptr->node);
	up_write(&userptrs->lock);
	list_del(&userptr->taken_node);
	userptrs->count--;

	mutex_lock(&userptr->lock);
	npu_userptr_unmap_dma(userptr);
	mutex_unlock(&userptr->lock);
	kvfree(userptr->page);
	kvfree(userptr->dma);
	mutex_destroy(&userptr->lock);
	kfree(userptr);
}

/**
 * npu_userptr_put() - drop a reference
 * @userptr: user memory whose VM is locked, or NULL
 */
void npu_userptr_put(struct npu_userptr *userptr)
{
	if (userptr)
		kref_put(&userptr->refcount, npu_userptr_release);
}

/**
 * npu_userptr_link() - connect a mapping to its user memory
 * @vm: address space
 * @vma: mapping
 */
void npu_userptr_link(struct npu_vm *vm, struct npu_vma *vma)
{
	kref_get(&vma->userptr->refcount);
	mutex_lock(&vm->pt_lock);
	list_add_tail(&vma->userptr_node, &vma->userptr->vmas);
	mutex_unlock(&vm->pt_lock);
}

/**
 * npu_userptr_unlink() - undo npu_userptr_link()
 * @vm: address space, locked
 * @vma: mapping
 */
void npu_userptr_unlink(struct npu_vm *vm, struct npu_vma *vma)
{
	mutex_lock(&vm->pt_lock);
	list_del(&vma->userptr_node);
	mutex_unlock(&vm->pt_lock);
	npu_userptr_put(vma->userptr);
}

/**
 * npu_userptr_fault_range() - have pages of a process
 * @userptr: user memory; the memory map of the process is locked
 * @first: first page
 * @count: number of pages
 * @pfns: what they are
 *
 * Return: 0 on success, -EFAULT if not all are there, -EBUSY if they move, a negative error
 * code otherwise.
 */
static int npu_userptr_fault_range(struct npu_userptr *userptr, unsigned long first,
				   unsigned long count, unsigned long *pfns)
{
	struct hmm_range range = {
		.notifier = &userptr->notifier,
		.notifier_seq = userptr->seq,
		.start = userptr->address + (first << PAGE_SHIFT),
		.end = userptr->address + ((first + count) << PAGE_SHIFT),
		.hmm_pfns = pfns + first,
		.default_flags = HMM_PFN_REQ_FAULT | (userptr->readonly ? 0 : HMM_PFN_REQ_WRITE),
	};
	int ret;

	ret = hmm_range_fault(&range);
	/* That is for memory which cannot be written. */
	return ret == -EPERM ? -EFAULT : ret;
}

/**
 * npu_userptr_fault() - have the pages of user memory
 * @userptr: user memory
 * @torn: some may be missing
 * @pfns: what they are, zeroed; what is missing has no HMM_PFN_VALID
 *
 * Return: 0 on success, -EFAULT if not all are there, -EBUSY if they move, a negative error
 * code otherwise.
 */
static int npu_userptr_fault(struct npu_userptr *userptr, bool torn, unsigned long *pfns)
{
	struct mm_struct *mm = userptr->notifier.mm;
	unsigned long i;
	int ret;

	/* The process may be no more. */
	if (!mmget_not_zero(mm))
		return torn ? 0 : -EFAULT;

	mmap_read_lock(mm);
	ret = npu_userptr_fault_range(userptr, 0, userptr->pages, pfns);
	if (ret == -EFAULT && torn) {
		memset(pfns, 0, userptr->pages * sizeof(*pfns));
		ret = 0;
		for (i = 0; i < userptr->pages && (!ret || ret == -EFAULT); i++) {
			ret = npu_userptr_fault_range(userptr, i, 1, pfns);
			if (ret == -EFAULT)
				pfns[i] = 0;
		}
		if (ret == -EFAULT)
			ret = 0;
	}
	mmap_read_unlock(mm);
	mmput(mm);

	return ret;
}

/**
 * npu_userptr_map_dma() - make pages reachable for the device
 * @userptr: user memory
 * @pfns: pages
 *
 * Those that are reachable already are still the same, or npu_userptr_commit() will notice.
 *
 * Return: 0 on success, -ENOMEM otherwise.
 */
static int npu_userptr_map_dma(struct npu_userptr *userptr, const unsigned long *pfns)
{
	struct device *dev = userptr->vm->npu->drm.dev;
	unsigned long i;
	int ret = 0;

	mutex_lock(&userptr->lock);
	/* What an attempt has left that was not committed may have moved since. */
	if (!userptr->pinned)
		npu_userptr_unmap_dma(userptr);
	for (i = 0; i < userptr->pages; i++) {
		if (!(pfns[i] & HMM_PFN_VALID) || userptr->dma[i] != NPU_USERPTR_HOLE)
			continue;

		userptr->page[i] = hmm_pfn_to_page(pfns[i]);
		userptr->dma[i] = dma_map_page_attrs(dev, userptr->page[i], 0, PAGE_SIZE,
						     npu_userptr_direction(userptr),
						     NPU_USERPTR_ATTRS);
		if (dma_mapping_error(dev, userptr->dma[i])) {
			userptr->dma[i] = NPU_USERPTR_HOLE;
			ret = -ENOMEM;
			break;
		}
	}
	if (ret && !userptr->pinned)
		npu_userptr_unmap_dma(userptr);
	mutex_unlock(&userptr->lock);

	return ret;
}

/**
 * npu_userptr_pin() - find the pages of user memory
 * @userptr: user memory; its VM is locked, but no reservation
 * @torn: some may be missing
 *
 * They are the right ones if npu_userptr_commit() says so later.
 *
 * Return: 0 on success, -EFAULT if not all are there, a negative error code otherwise.
 */
int npu_userptr_pin(struct npu_userptr *userptr, bool torn)
{
	unsigned long *pfns;
	int ret;

	ret = npu_userptr_let_go(userptr);
	if (ret)
		return ret;

	pfns = kvmalloc_array(userptr->pages, sizeof(*pfns), GFP_KERNEL_ACCOUNT);
	if (!pfns)
		return -ENOMEM;

	do {
		/* Nothing of an attempt before this one. */
		memset(pfns, 0, userptr->pages * sizeof(*pfns));
		/* Waits for a notifier that is under way. */
		userptr->seq = mmu_interval_read_begin(&userptr->notifier);
		ret = npu_userptr_fault(userptr, torn, pfns);
		if (ret == -EBUSY && fatal_signal_pending(current))
			ret = -EINTR;
	} while (ret == -EBUSY);

	if (!ret)
		ret = npu_userptr_map_dma(userptr, pfns);
	kvfree(pfns);
	return ret;
}

/**
 * npu_userptr_commit() - are the pages of npu_userptr_pin() still the right ones?
 * @userptr: user memory, &npu_userptrs.lock held
 *
 * Return: true if so: they are in use from now on.
 */
bool npu_userptr_commit(struct npu_userptr *userptr)
{
	bool good = !mmu_interval_read_retry(&userptr->notifier, userptr->seq);

	mutex_lock(&userptr->lock);
	if (good) {
		userptr->pinned = true;
		list_del_init(&userptr->node);
		list_del_init(&userptr->taken_node);
	} else if (!userptr->pinned) {
		npu_userptr_unmap_dma(userptr);
	}
	mutex_unlock(&userptr->lock);

	return good;
}

/**
 * npu_userptr_is_pinned() - are the pages known, as far as they are there?
 * @userptr: user memory
 *
 * Return: true if so, at this moment.
 */
bool npu_userptr_is_pinned(const struct npu_userptr *userptr)
{
	return READ_ONCE(userptr->pinned);
}

/**
 * npu_userptr_next_run() - the next pages of a mapping that follow each other on the bus
 * @vma: mapping
 * @va: where to start; where they are mapped
 * @extent: the pages
 *
 * Return: false if there are none.
 */
static bool npu_userptr_next_run(const struct npu_vma *vma, u64 *va, struct npu_extent *extent)
{
	const struct npu_userptr *userptr = vma->userptr;
	const struct drm_gpuva *base = &vma->base;
	u64 end = base->va.addr + base->va.range;
	const dma_addr_t *dma;

	dma = userptr->dma + ((base->gem.offset - userptr->address + *va - base->va.addr) >>
			      PAGE_SHIFT);
	for (; *va < end && READ_ONCE(*dma) == NPU_USERPTR_HOLE; dma++)
		*va += PAGE_SIZE;
	if (*va >= end)
		return false;

	*extent = (struct npu_extent) {
		.npu = userptr->vm->npu,
		.addr = READ_ONCE(*dma),
		.system = true,
	};
	for (; *va + extent->size < end &&
	     READ_ONCE(*dma) == extent->addr + extent->size;
	     dma++)
		extent->size += PAGE_SIZE;
	extent->remaining = extent->size;
	return true;
}

/**
 * npu_userptr_prepare() - make sure of the tables for a mapping of user memory
 * @update: update of the page table
 * @vma: mapping, whose pages have been found
 *
 * Notifiers may forget the pages any time; then npu_userptr_commit() will not agree.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_userptr_prepare(struct npu_pt_update *update, const struct npu_vma *vma)
{
	u64 va = vma->base.va.addr;
	struct npu_extent extent;
	int ret = 0;

	for (; !ret && npu_userptr_next_run(vma, &va, &extent); va += extent.size)
		ret = npu_pt_prepare_map(update, va, &extent);

	return ret;
}

/**
 * npu_userptr_map() - write the entries of a mapping of user memory
 * @update: update of the page table, &npu_vm.pt_lock held
 * @vma: mapping, from npu_userptr_prepare()
 */
void npu_userptr_map(struct npu_pt_update *update, const struct npu_vma *vma)
{
	u64 va = vma->base.va.addr;
	struct npu_extent extent;

	for (; npu_userptr_next_run(vma, &va, &extent); va += extent.size)
		npu_pt_map_locked(update, va, &extent, npu_vma_prot(vma));
}

/**
 * npu_userptr_torn() - are there pages missing?
 * @userptr: user memory that has been found
 *
 * Return: true if so.
 */
static bool npu_userptr_torn(const struct npu_userptr *userptr)
{
	unsigned long i;

	for (i = 0; i < userptr->pages; i++) {
		if (userptr->dma[i] == NPU_USERPTR_HOLE)
			return true;
	}

	return false;
}

/**
 * npu_userptrs_next_held() - the next piece that is held for jobs
 * @vm: address space, locked
 *
 * Return: it, or NULL.
 */
static struct npu_userptr *npu_userptrs_next_held(struct npu_vm *vm)
{
	struct npu_userptr *userptr, *next = NULL;

	npu_userptrs_lock(vm);
	list_for_each_entry(userptr, &vm->userptrs.stale, node) {
		if (READ_ONCE(userptr->held)) {
			next = userptr;
			break;
		}
	}
	npu_userptrs_unlock(vm);

	return next;
}

/**
 * npu_userptrs_let_go() - let go of all that was held while the system slept
 * @work: &npu_userptrs.let_go
 */
static void npu_userptrs_let_go(struct work_struct *work)
{
	struct npu_vm *vm = container_of(work, struct npu_vm, userptrs.let_go);
	struct npu_userptr *userptr;

	/* Mostly all there is to wait for, and without a lock. */
	dma_resv_wait_timeout(drm_gpuvm_resv(&vm->base), DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);

	mutex_lock(&vm->lock);
	while ((userptr = npu_userptrs_next_held(vm)))
		npu_userptr_let_go(userptr);
	mutex_unlock(&vm->lock);

	npu_vm_put(vm);
}

/**
 * npu_userptrs_init() - set up the user memory of a new VM
 * @vm: address space
 */
void npu_userptrs_init(struct npu_vm *vm)
{
	INIT_WORK(&vm->userptrs.let_go, npu_userptrs_let_go);
	init_rwsem(&vm->userptrs.lock);
	INIT_LIST_HEAD(&vm->userptrs.stale);
	INIT_LIST_HEAD(&vm->userptrs.torn);
	INIT_LIST_HEAD(&vm->userptrs.taken);
}

/**
 * npu_userptrs_lock() - memory must not move before there is a fence that notifiers wait for
 * @vm: address space
 */
void npu_userptrs_lock(struct npu_vm *vm)
{
	down_read(&vm->userptrs.lock);
}

/**
 * npu_userptrs_unlock() - undo npu_userptrs_lock()
 * @vm: address space
 */
void npu_userptrs_unlock(struct npu_vm *vm)
{
	up_read(&vm->userptrs.lock);
}

/**
 * npu_userptrs_stale() - does user memory have to be found?
 * @vm: address space, npu_userptrs_lock()ed
 *
 * What was missing may be there again.
 *
 * Return: true if so.
 */
bool npu_userptrs_stale(struct npu_vm *vm)
{
	return !list_empty(&vm->userptrs.stale) || !list_empty(&vm->userptrs.torn);
}

/**
 * npu_userptrs_next() - the next piece that has to be found
 * @vm: address space, locked
 *
 * Return: it, or NULL.
 */
static struct npu_userptr *npu_userptrs_next(struct npu_vm *vm)
{
	struct npu_userptr *userptr, *next = NULL;

	npu_userptrs_lock(vm);
	list_for_each_entry(userptr, &vm->userptrs.stale, node) {
		if (!userptr->found) {
			/* Unless it moves again. */
			userptr->found = true;
			next = userptr;
			break;
		}
	}
	npu_userptrs_unlock(vm);

	return next;
}

/**
 * npu_userptrs_pin() - find all user memory that has moved
 * @vm: address space, locked, but no reservation
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_userptrs_pin(struct npu_vm *vm)
{
	struct npu_userptr *userptr;
	int ret = 0;

	npu_userptrs_lock(vm);
	list_for_each_entry(userptr, &vm->userptrs.torn, node)
		userptr->found = false;
	list_splice_tail_init(&vm->userptrs.torn, &vm->userptrs.stale);
	npu_userptrs_unlock(vm);

	while ((userptr = npu_userptrs_next(vm))) {
		ret = npu_userptr_pin(userptr, true);
		if (ret)
			break;
	}
	if (ret) {
		npu_userptrs_lock(vm);
		userptr->found = false;
		npu_userptrs_unlock(vm);
	}

	return ret;
}

/**
 * npu_userptrs_take() - choose what to use again
 * @vm: address space, locked
 */
static void npu_userptrs_take(struct npu_vm *vm)
{
	struct npu_userptrs *userptrs = &vm->userptrs;
	struct npu_userptr *userptr;

	npu_userptrs_lock(vm);
	list_for_each_entry(userptr, &userptrs->stale, node) {
		if (userptr->found)
			list_move_tail(&userptr->taken_node, &userptrs->taken);
	}
	npu_userptrs_unlock(vm);
}

/**
 * npu_userptrs_prepare() - make sure of the tables for user memory that has moved
 * @vm: address space and its reservation, locked
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_userptrs_prepare(struct npu_vm *vm)
{
	struct npu_userptr *userptr;
	struct npu_pt_update update;
	struct npu_vma *vma;
	int ret = 0;

	if (!vm->userptrs.count)
		return 0;

	npu_userptrs_take(vm);
	npu_pt_update_begin(&update, vm);
	update.keep = true;
	list_for_each_entry(userptr, &vm->userptrs.taken, taken_node) {
		list_for_each_entry(vma, &userptr->vmas, userptr_node) {
			if (!ret && !vma->gone)
				ret = npu_userptr_prepare(&update, vma);
		}
	}
	npu_pt_update_end(&update);

	return ret;
}

/**
 * npu_userptrs_commit_one() - use a piece of user memory again
 * @vm: address space
 * @userptr: piece
 * @update: update of the page table
 *
 * If it has moved it stays stale.
 */
static void npu_userptrs_commit_one(struct npu_vm *vm, struct npu_userptr *userptr,
				    struct npu_pt_update *update)
{
	struct npu_vma *vma;

	if (!userptr->found || !npu_userptr_commit(userptr))
		return;

	mutex_lock(&vm->pt_lock);
	list_for_each_entry(vma, &userptr->vmas, userptr_node) {
		if (!vma->gone && !npu_vma_pending(vm, vma))
			npu_userptr_map(update, vma);
	}
	mutex_unlock(&vm->pt_lock);
	if (npu_userptr_torn(userptr))
		list_add_tail(&userptr->node, &vm->userptrs.torn);
}

/**
 * npu_userptrs_commit() - use all user memory that has been found
 * @vm: address space and its reservation, locked and npu_userptrs_lock()ed
 * @update: update of the page table, which keeps tables as npu_userptrs_prepare() does
 *
 * Return: true if that is all there is: none has moved meanwhile.
 */
bool npu_userptrs_commit(struct npu_vm *vm, struct npu_pt_update *update)
{
	struct npu_userptr *userptr, *next;

	list_for_each_entry_safe(userptr, next, &vm->userptrs.taken, taken_node)
		npu_userptrs_commit_one(vm, userptr, update);

	return list_empty(&vm->userptrs.stale);
}

/**
 * npu_userptrs_unplug() - let go of all user memory
 * @npu: device that does no DMA any more
 */
void npu_userptrs_unplug(struct npu_device *npu)
{
	struct npu_userptr *userptr;

	mutex_lock(&npu->userptr_lock);
	list_for_each_entry(userptr, &npu->userptrs, device_node) {
		mutex_lock(&userptr->lock);
		npu_userptr_unmap_dma(userptr);
		mutex_unlock(&userptr->lock);
	}
	mutex_unlock(&npu->userptr_lock);
}

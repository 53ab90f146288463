// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The context MMU: page walk, translation caches of the workers, invalidation.
 */
#include "npu_internal.h"

#define PTE_RIGHTS (NPU_PTE_READ | NPU_PTE_WRITE | NPU_PTE_EXEC)
#define PTE_KNOWN \
	(NPU_PTE_VALID | NPU_PTE_LEAF | PTE_RIGHTS | NPU_PTE_SYSTEM | NPU_PTE_CONT | \
	 NPU_PTE_ADDRESS | NPU_PTE_SOFTWARE)
#define PTE_SPARSE \
	(NPU_PTE_VALID | NPU_PTE_LEAF | NPU_PTE_READ | NPU_PTE_WRITE | NPU_PTE_SPARSE | \
	 NPU_PTE_SOFTWARE)
#define PTE_TABLE (NPU_PTE_VALID | NPU_PTE_ADDRESS | NPU_PTE_SOFTWARE)
#define LEAF_LEVEL_MAX 2
#define CONT_SIZE (NPU_PAGE_SIZE * NPU_PTE_CONT_ENTRIES)

static const unsigned int leaf_shifts[] = {
	NPU_PT_SHIFT(1), NPU_PT_SHIFT(0), NPU_PT_SHIFT(0) + 4, NPU_PT_SHIFT(2),
};

static bool inside_hbm(const struct npu_core *core, uint64_t offset, uint64_t size)
{
	return offset <= core->hbm_limit && size <= core->hbm_limit - offset;
}

static bool table_ok(const struct npu_core *core, uint64_t pte, int level)
{
	return level > 0 && !(pte & ~PTE_TABLE) &&
	       inside_hbm(core, pte & NPU_PTE_ADDRESS, NPU_PAGE_SIZE);
}

static bool leaf_ok(const struct npu_core *core, uint64_t pte, int level, uint64_t va)
{
	uint64_t address = pte & NPU_PTE_ADDRESS;
	uint64_t size = 1ULL << NPU_PT_SHIFT(level);

	if (pte & NPU_PTE_SPARSE)
		return level <= LEAF_LEVEL_MAX && !(pte & ~PTE_SPARSE);
	if (level > LEAF_LEVEL_MAX || (pte & ~PTE_KNOWN) || (address & (size - 1)))
		return false;
	if (pte & NPU_PTE_CONT) {
		if (level > 0 || ((address ^ va) & (CONT_SIZE - 1) & ~(NPU_PAGE_SIZE - 1)))
			return false;
		address &= ~(CONT_SIZE - 1);
		size = CONT_SIZE;
	}
	return (pte & NPU_PTE_SYSTEM) || inside_hbm(core, address, size);
}

static struct npu_tlb_entry *tlb_slot(struct npu_worker *worker, uint64_t va, unsigned int shift)
{
	return &worker->tlb[((va >> shift) + shift) % NPU_TLB_ENTRIES];
}

static struct npu_tlb_entry *tlb_lookup(struct npu_worker *worker, uint64_t tag, uint64_t va)
{
	unsigned int i;

	for (i = 0; i < sizeof(leaf_shifts) / sizeof(leaf_shifts[0]); i++) {
		struct npu_tlb_entry *e = tlb_slot(worker, va, leaf_shifts[i]);

		if (e->tag == tag && va - e->va < e->size)
			return e;
	}
	return NULL;
}

static struct npu_tlb_entry *tlb_insert(struct npu_worker *worker, uint64_t tag, uint64_t va,
					uint64_t pte, int level)
{
	unsigned int shift = NPU_PT_SHIFT(level) + (pte & NPU_PTE_CONT ? 4 : 0);
	struct npu_tlb_entry *e = tlb_slot(worker, va, shift);
	uint64_t mask = (1ULL << shift) - 1;

	e->tag = tag;
	e->va = va & ~mask;
	e->size = mask + 1;
	e->leaf = pte & ~(NPU_PTE_ADDRESS & mask);
	return e;
}

/* The leaf of @va, or NULL: then *@malformed tells a bad entry from a missing one. */
static struct npu_tlb_entry *walk(struct npu_worker *worker, const struct npu_view *view,
				  uint64_t va, bool *malformed)
{
	struct npu_core *core = worker->core;
	uint64_t table = view->root;
	int level;

	*malformed = false;
	for (level = NPU_PT_LEVELS - 1;; level--) {
		const uint64_t *entries = (const uint64_t *)(core->hbm + table);
		uint64_t pte = npu_load(&entries[NPU_PT_INDEX(va, level)]);

		if (!(pte & NPU_PTE_VALID))
			return NULL;
		if (pte & NPU_PTE_LEAF) {
			*malformed = !leaf_ok(core, pte, level, va);
			return *malformed ? NULL : tlb_insert(worker, view->tag, va, pte, level);
		}
		*malformed = !table_ok(core, pte, level);
		if (*malformed)
			return NULL;
		table = pte & NPU_PTE_ADDRESS;
	}
}

static struct npu_tlb_entry *lookup(struct npu_worker *worker, const struct npu_view *view,
				    uint64_t va, bool *malformed)
{
	struct npu_tlb_entry *e;

	*malformed = false;
	if (va < NPU_VA_START || va >= NPU_VA_END)
		return NULL;
	e = tlb_lookup(worker, view->tag, va);
	return e ? e : walk(worker, view, va, malformed);
}

/* Is @next the leaf that continues @run, of @leaf? */
static bool goes_on(const struct npu_run *run, uint64_t leaf, uint64_t next)
{
	if ((leaf ^ next) & (NPU_PTE_SYSTEM | NPU_PTE_SPARSE))
		return false;
	return run->sparse || (next & NPU_PTE_ADDRESS) == run->phys + run->len;
}

static uint64_t access_right(enum npu_access access)
{
	switch (access) {
	case NPU_ACCESS_WRITE:
		return NPU_PTE_WRITE;
	case NPU_ACCESS_EXEC:
		return NPU_PTE_EXEC;
	default:
		return NPU_PTE_READ;
	}
}

enum npu_status npu_mmu_status(enum npu_access access)
{
	switch (access) {
	case NPU_ACCESS_WRITE:
		return NPU_ST_MMU_WRITE;
	case NPU_ACCESS_EXEC:
		return NPU_ST_MMU_EXEC;
	default:
		return NPU_ST_MMU_READ;
	}
}

bool npu_translate(struct npu_worker *worker, const struct npu_view *view, uint64_t va,
		   uint64_t max, enum npu_access access, struct npu_run *run,
		   struct npu_error *error)
{
	uint64_t right = access_right(access), leaf;
	struct npu_tlb_entry *e;
	bool malformed;

	e = lookup(worker, view, va, &malformed);
	if (npu_inject(worker->core, NPU_INJECT_MMU_FAULT, view->id)) {
		e = NULL;
		malformed = false;
	}
	if (!e || !(e->leaf & right)) {
		error->status = malformed ? NPU_ST_MMU_TABLE : npu_mmu_status(access);
		error->access = access;
		error->address = va;
		return false;
	}
	leaf = e->leaf;
	run->sparse = leaf & NPU_PTE_SPARSE;
	run->code = (leaf & (NPU_PTE_EXEC | NPU_PTE_WRITE)) == NPU_PTE_EXEC;
	run->phys = (leaf & NPU_PTE_ADDRESS) + (va - e->va);
	run->host = leaf & (NPU_PTE_SYSTEM | NPU_PTE_SPARSE) ? NULL :
		    worker->core->hbm + run->phys;
	run->len = e->size - (va - e->va);
	while (run->len < max) {
		e = lookup(worker, view, va + run->len, &malformed);
		if (!e || !(e->leaf & right) || !goes_on(run, leaf, e->leaf))
			break;
		run->len += e->size;
	}
	run->len = npu_min(run->len, max);
	if (run->host && access != NPU_ACCESS_WRITE &&
	    npu_inject_hbm_read(worker->core, run->phys, &run->len)) {
		error->status = NPU_ST_HBM_ECC;
		error->access = access;
		error->address = va;
		return false;
	}
	return true;
}

void npu_section_enter(struct npu_worker *worker, uint32_t context, struct npu_view *view)
{
	struct npu_context *ctx = &worker->core->contexts[context];

	/* Ordered before the load of the tag; pairs with npu_invalidate(). */
	__atomic_store_n(&worker->section, worker->section + 1, __ATOMIC_SEQ_CST);
	view->id = context;
	view->root = ctx->root;
	view->tag = __atomic_load_n(&ctx->tag, __ATOMIC_SEQ_CST);
}

void npu_section_leave(struct npu_worker *worker)
{
	__atomic_store_n(&worker->section, worker->section + 1, __ATOMIC_RELEASE);
}

uint64_t npu_new_tag(struct npu_core *core)
{
	return __atomic_add_fetch(&core->next_tag, 1, __ATOMIC_SEQ_CST);
}

/* Where all workers are, and behind them the debugger; sections that have begun are asked to end soon. */
static void snapshot(struct npu_core *core, uint64_t *sections)
{
	unsigned int i;

	for (i = 0; i <= core->nr_workers; i++)
		sections[i] = __atomic_load_n(&core->workers[i].section, __ATOMIC_SEQ_CST);
	for (i = 0; i < core->nr_aicores; i++)
		if (npu_load_acquire(&core->aicores[i].worker))
			npu_aicore_interrupt(&core->aicores[i]);
}

/* Has a section that was open at the snapshot not ended? */
static bool sections_open(struct npu_core *core, const uint64_t *sections)
{
	unsigned int i;

	for (i = 0; i <= core->nr_workers; i++)
		if ((sections[i] & 1) && npu_load_acquire(&core->workers[i].section) == sections[i])
			return true;
	return false;
}

void npu_invalidate(struct npu_core *core, uint32_t context)
{
	if (context >= NPU_MAX_CONTEXTS) {
		npu_guest_error(core, NPU_REG_INV_CONTEXT, context, true);
		return;
	}
	pthread_mutex_lock(&core->lock);
	__atomic_store_n(&core->contexts[context].tag, npu_new_tag(core), __ATOMIC_SEQ_CST);
	snapshot(core, core->inv_sections);
	pthread_mutex_unlock(&core->lock);
	npu_event(core, NPU_CORE_EV_INVALIDATE, context, 0, 0);
}

/* Soon; nobody waits for it. */
void npu_invalidate_all(struct npu_core *core)
{
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	for (i = 0; i < NPU_MAX_CONTEXTS; i++)
		if (core->contexts[i].valid)
			__atomic_store_n(&core->contexts[i].tag, npu_new_tag(core),
					 __ATOMIC_SEQ_CST);
	snapshot(core, core->inv_sections);
	pthread_mutex_unlock(&core->lock);
}

bool npu_invalidate_busy(struct npu_core *core)
{
	bool busy;

	pthread_mutex_lock(&core->lock);
	busy = sections_open(core, core->inv_sections);
	pthread_mutex_unlock(&core->lock);
	return busy;
}

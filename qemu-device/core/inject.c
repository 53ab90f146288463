// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on command: what broken hardware does, the next so many times that it has the occasion.
 * What is armed survives a reset, as broken hardware would.
 */
#include "npu_internal.h"

static const char *const names[NPU_INJECT_COUNT] = {
	[NPU_INJECT_FW_CRASH] = "fw-crash",
	[NPU_INJECT_FW_HANG] = "fw-hang",
	[NPU_INJECT_BOOT_FAIL] = "boot-fail",
	[NPU_INJECT_RESET_STUCK] = "reset-stuck",
	[NPU_INJECT_REGS_DEAD] = "regs-dead",
	[NPU_INJECT_DMA_ERROR] = "dma-error",
	[NPU_INJECT_IRQ_LOST] = "irq-lost",
	[NPU_INJECT_DOORBELL_LOST] = "doorbell-lost",
	[NPU_INJECT_CQE_LOST] = "cqe-lost",
	[NPU_INJECT_CQE_TWICE] = "cqe-twice",
	[NPU_INJECT_CQE_COOKIE] = "cqe-cookie",
	[NPU_INJECT_CQE_QUEUE] = "cqe-queue",
	[NPU_INJECT_CQE_HEAD] = "cqe-head",
	[NPU_INJECT_CQE_STATUS] = "cqe-status",
	[NPU_INJECT_CQE_PHASE] = "cqe-phase",
	[NPU_INJECT_MMU_FAULT] = "mmu-fault",
	[NPU_INJECT_HBM_CE] = "hbm-ce",
	[NPU_INJECT_HBM_UE] = "hbm-ue",
	[NPU_INJECT_HBM_POISON] = "hbm-poison",
	[NPU_INJECT_CORE_HANG] = "core-hang",
	[NPU_INJECT_CORE_LOST] = "core-lost",
};

const char *npu_core_inject_name(enum npu_inject fault)
{
	return (unsigned int)fault < NPU_INJECT_COUNT ? names[fault] : NULL;
}

/* With the lock. */
static void set_left(struct npu_injector *inject, enum npu_inject fault, uint64_t left)
{
	uint32_t bit = 1u << fault;

	inject->left[fault] = left;
	npu_store(&inject->armed, left ? inject->armed | bit : inject->armed & ~bit);
}

/* Translations that are cached know nothing of what is to happen to memory. */
static bool concerns_memory(enum npu_inject fault)
{
	return fault == NPU_INJECT_MMU_FAULT || fault == NPU_INJECT_HBM_CE ||
	       fault == NPU_INJECT_HBM_UE || fault == NPU_INJECT_HBM_POISON;
}

static void take_effect(struct npu_core *core, enum npu_inject fault)
{
	if (concerns_memory(fault))
		npu_invalidate_all(core);
	if (fault == NPU_INJECT_FW_CRASH || fault == NPU_INJECT_FW_HANG)
		npu_mcu_poke(core);
}

void npu_core_inject(struct npu_core *core, enum npu_inject fault, uint64_t times, uint32_t target)
{
	struct npu_injector *inject = &core->inject;

	pthread_mutex_lock(&inject->lock);
	inject->target[fault] = target;
	if (fault == NPU_INJECT_HBM_POISON && !inject->poison_size)
		times = 0;
	set_left(inject, fault, times);
	pthread_mutex_unlock(&inject->lock);
	if (times)
		take_effect(core, fault);
}

void npu_core_poison(struct npu_core *core, uint64_t offset, uint64_t size)
{
	struct npu_injector *inject = &core->inject;

	pthread_mutex_lock(&inject->lock);
	inject->poison = offset;
	inject->poison_size = size;
	pthread_mutex_unlock(&inject->lock);
	npu_core_inject(core, NPU_INJECT_HBM_POISON, NPU_INJECT_FOREVER, NPU_INJECT_ANY);
}

uint64_t npu_core_inject_left(struct npu_core *core, enum npu_inject fault)
{
	uint64_t left;

	pthread_mutex_lock(&core->inject.lock);
	left = core->inject.left[fault];
	pthread_mutex_unlock(&core->inject.lock);
	return left;
}

uint64_t npu_core_injected(struct npu_core *core, enum npu_inject fault)
{
	uint64_t struck;

	pthread_mutex_lock(&core->inject.lock);
	struck = core->inject.struck[fault];
	pthread_mutex_unlock(&core->inject.lock);
	return struck;
}

/* With the lock. */
static void strike(struct npu_core *core, enum npu_inject fault, uint32_t target)
{
	struct npu_injector *inject = &core->inject;

	inject->struck[fault]++;
	if (inject->left[fault] != NPU_INJECT_FOREVER)
		set_left(inject, fault, inject->left[fault] - 1);
	npu_event(core, NPU_CORE_EV_INJECT, fault, target, inject->left[fault]);
}

bool npu_inject_strikes(struct npu_core *core, enum npu_inject fault, uint32_t target)
{
	struct npu_injector *inject = &core->inject;
	bool strikes;

	pthread_mutex_lock(&inject->lock);
	strikes = inject->left[fault] && (inject->target[fault] == NPU_INJECT_ANY ||
					  inject->target[fault] == target);
	if (strikes)
		strike(core, fault, target);
	pthread_mutex_unlock(&inject->lock);
	return strikes;
}

/* Does the poisoned range begin at @offset, or where in the @len bytes from there? */
static bool poisoned(struct npu_core *core, uint64_t offset, uint64_t *len)
{
	struct npu_injector *inject = &core->inject;
	bool hit;

	pthread_mutex_lock(&inject->lock);
	hit = offset - inject->poison < inject->poison_size;
	if (hit)
		strike(core, NPU_INJECT_HBM_POISON, NPU_INJECT_ANY);
	else if (inject->poison_size && inject->poison - offset < *len)
		*len = inject->poison - offset;
	pthread_mutex_unlock(&inject->lock);
	return hit;
}

bool npu_inject_hbm_read(struct npu_core *core, uint64_t offset, uint64_t *len)
{
	bool bad;

	if (npu_inject(core, NPU_INJECT_HBM_CE, NPU_INJECT_ANY))
		npu_ras_count(core, NPU_RAS_HBM_CE, 1);
	bad = npu_inject(core, NPU_INJECT_HBM_UE, NPU_INJECT_ANY);
	if (!bad && npu_inject_armed(core, NPU_INJECT_HBM_POISON))
		bad = poisoned(core, offset, len);
	if (bad)
		npu_ras_count(core, NPU_RAS_HBM_UE, 1);
	return bad;
}

bool npu_inject_poison_near(struct npu_core *core, uint64_t page)
{
	struct npu_injector *inject = &core->inject;
	bool near;

	if (!npu_inject_armed(core, NPU_INJECT_HBM_POISON))
		return false;
	pthread_mutex_lock(&inject->lock);
	near = inject->poison_size && inject->poison < page + NPU_PAGE_SIZE &&
	       page < inject->poison + inject->poison_size;
	pthread_mutex_unlock(&inject->lock);
	return near;
}

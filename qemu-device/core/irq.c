// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupts: the causes of the management vector, and moderation of the others.
 */
#include "npu_internal.h"

#define MANAGEMENT_VECTOR 0
#define DEFER_MAX 16 /* completions that share an interrupt when they come in quick succession */

static void raise_vector(struct npu_core *core, unsigned int vector)
{
	if (npu_inject(core, NPU_INJECT_IRQ_LOST, vector))
		return;
	npu_event(core, NPU_CORE_EV_IRQ, vector, 0, 0);
	core->ops->raise(core->host, vector);
}

void npu_irq_cause_set(struct npu_core *core, uint32_t bits)
{
	__atomic_fetch_or(&core->regs[NPU_REG_IRQ_CAUSE / 4], bits, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&core->regs[NPU_REG_IRQ_ENABLE / 4], __ATOMIC_SEQ_CST) & bits)
		raise_vector(core, MANAGEMENT_VECTOR);
}

void npu_irq_enable_write(struct npu_core *core, uint32_t value)
{
	uint32_t *cause = &core->regs[NPU_REG_IRQ_CAUSE / 4];
	uint32_t *enable = &core->regs[NPU_REG_IRQ_ENABLE / 4];
	uint32_t old = __atomic_exchange_n(enable, value, __ATOMIC_SEQ_CST);

	if (__atomic_load_n(cause, __ATOMIC_SEQ_CST) & value & ~old)
		raise_vector(core, MANAGEMENT_VECTOR);
}

static void signal_completions(struct npu_core *core, unsigned int vector, unsigned int count)
{
	struct npu_vector *v = &core->vectors[vector];
	uint32_t moderation = npu_load(&v->moderation);
	uint64_t usecs = NPU_GET(NPU_IRQ_MODERATION_USECS, moderation);
	uint32_t threshold = NPU_GET(NPU_IRQ_MODERATION_COUNT, moderation);
	bool now;

	if (!usecs) {
		raise_vector(core, vector);
		return;
	}
	pthread_mutex_lock(&core->lock);
	v->pending += count;
	now = threshold && v->pending >= threshold;
	if (now) {
		v->pending = 0;
	} else if (v->pending == count) {
		v->due = npu_clock(core) + usecs * NPU_NS_PER_US;
		npu_service_need(core, v->due);
	}
	pthread_mutex_unlock(&core->lock);
	if (now)
		raise_vector(core, vector);
}

void npu_irq_flush(struct npu_worker *worker)
{
	unsigned int count = worker->irq_count;

	worker->irq_count = 0;
	if (count)
		signal_completions(worker->core, worker->irq_vector, count);
}

void npu_irq_defer(struct npu_worker *worker, unsigned int vector)
{
	if (worker->irq_vector != vector)
		npu_irq_flush(worker);
	worker->irq_vector = vector;
	if (++worker->irq_count >= DEFER_MAX)
		npu_irq_flush(worker);
}

/* What was held back under the old setting is signalled now. */
void npu_irq_moderation_write(struct npu_core *core, unsigned int vector, uint32_t value)
{
	struct npu_vector *v = &core->vectors[vector];
	bool now;

	pthread_mutex_lock(&core->lock);
	npu_store(&v->moderation, value);
	now = v->pending;
	v->pending = 0;
	pthread_mutex_unlock(&core->lock);
	if (now)
		raise_vector(core, vector);
}

/* Called with the lock held, which it drops while it raises. Returns when to call again. */
uint64_t npu_irq_run(struct npu_core *core, uint64_t now)
{
	uint64_t due = NPU_NEVER;
	unsigned int i;

	for (i = 1; i < core->cfg.vectors; i++) {
		struct npu_vector *v = &core->vectors[i];

		if (!v->pending)
			continue;
		if (v->due > now) {
			due = npu_min(due, v->due);
			continue;
		}
		v->pending = 0;
		pthread_mutex_unlock(&core->lock);
		raise_vector(core, i);
		pthread_mutex_lock(&core->lock);
	}
	return due;
}

void npu_irq_reset(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->cfg.vectors; i++) {
		npu_store(&core->vectors[i].moderation, 0);
		core->vectors[i].pending = 0;
	}
}

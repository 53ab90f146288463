// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * AI cores in strict mode: their callbacks, and what the task's struct npu_strict is told.
 */
#include <stddef.h>

#include "npu_internal.h"
#include "strict.h"

/* Each access is to be seen, but for those to SMEM, which nobody but the hart has. */
static int translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
		     unsigned int *flags)
{
	if (access != RV64_ACCESS_EXEC && addr - NPU_SMEM_BASE >= NPU_SMEM_SIZE)
		*flags |= RV64_XLATE_WATCH;
	return npu_core_ops.translate(opaque, addr, access, page, flags);
}

static enum npu_unit unit_of(unsigned int pipe)
{
	switch (pipe) {
	case NPU_PIPE_V:
		return NPU_UNIT_VECTOR;
	case NPU_PIPE_M:
		return NPU_UNIT_CUBE;
	case NPU_PIPE_FIX:
		return NPU_UNIT_FIXPIPE;
	case NPU_PIPE_S:
		return NPU_UNIT_SCALAR;
	default:
		return NPU_UNIT_MTE;
	}
}

static int report(struct npu_aicore *ac)
{
	const struct npu_strict *finding = strict_finding(ac->strict);

	ac->error.unit = unit_of(finding->pipe);
	ac->error.pc = finding->pc;
	return npu_aicore_fault(ac, finding->status, finding->access, finding->address);
}

static int custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct npu_aicore *ac = opaque;
	int ret = npu_ops_of(ac)->custom(opaque, cpu, insn);

	if (ret == RV64_CUSTOM_OK)
		return strict_insn(ac->strict, &ac->tile, cpu, insn) ? ret : report(ac);
	if (ret < 0 && ac->tile.error.access != NPU_ACCESS_NONE)
		strict_refused(ac->strict, &ac->tile, cpu, insn);
	return ret;
}

static int watch(void *opaque, const struct rv64_watch *watch)
{
	struct npu_aicore *ac = opaque;

	return strict_scalar(ac->strict, ac->cpu.pc, watch) ? 0 : report(ac);
}

static void set_ops(struct npu_aicore *ac, bool strict)
{
	if (strict == (ac->ops == &ac->strict_ops))
		return;
	ac->strict_ops = npu_core_ops;
	ac->strict_ops.translate = translate;
	ac->strict_ops.custom = custom;
	ac->strict_ops.watch = watch;
	ac->ops = strict ? &ac->strict_ops : npu_ops_of(ac);
	rv64_tlb_flush(&ac->cpu);
}

/* Read the canary; what is found can be written. */
static bool get_canary(struct npu_worker *worker, struct npu_aicore *ac, uint64_t *canary)
{
	uint64_t va = ac->task->cmd.kernel.strict;
	struct npu_run run;
	bool ok;

	npu_section_enter(worker, ac->task->queue->cfg.context, &ac->view);
	ok = npu_translate(worker, &ac->view, va, 1, NPU_ACCESS_WRITE, &run, &ac->error) &&
	     npu_gm_read(worker, &ac->view, va + offsetof(struct npu_strict, canary), canary,
			 sizeof(*canary), &ac->error);
	npu_section_leave(worker);
	ac->error.unit = NPU_UNIT_SCALAR;
	return ok;
}

bool npu_strict_start(struct npu_worker *worker, struct npu_aicore *ac)
{
	struct strict_block block = {
		.task = ac->task->strict, .block = ac->block, .entry = ac->task->cmd.kernel.entry,
	};

	set_ops(ac, ac->task->cmd.kernel.strict);
	if (!ac->task->cmd.kernel.strict)
		return true;
	if (!ac->strict)
		ac->strict = strict_new();
	if (!ac->strict) {
		npu_aicore_fault(ac, NPU_ST_CORE_LOST, NPU_ACCESS_NONE, 0);
		return false;
	}
	if (!get_canary(worker, ac, &block.canary))
		return false;
	strict_start(ac->strict, &block);
	return true;
}

/* Memory that has gone meanwhile is not told: the task has failed, or ends well, all the same. */
static void tell(struct npu_worker *worker, struct npu_aicore *ac, size_t offset, const void *data,
		 size_t bytes)
{
	uint64_t va = ac->task->cmd.kernel.strict;
	struct npu_error ignored;

	npu_section_enter(worker, ac->task->queue->cfg.context, &ac->view);
	npu_gm_write(worker, &ac->view, va + offset, data, bytes, &ignored);
	npu_section_leave(worker);
}

static void tell_finding(struct npu_worker *worker, struct npu_aicore *ac)
{
	const struct npu_strict *finding = strict_finding(ac->strict);
	const size_t rest = offsetof(struct npu_strict, pipe);

	tell(worker, ac, rest, &finding->pipe, sizeof(*finding) - rest);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	tell(worker, ac, offsetof(struct npu_strict, status), &finding->status,
	     sizeof(finding->status));
}

bool npu_strict_end(struct npu_worker *worker, struct npu_aicore *ac, bool failed)
{
	const npu_le32 incomplete = NPU_STRICT_INCOMPLETE;

	if (!ac->task->cmd.kernel.strict)
		return failed;
	if (!ac->task->strict || strict_task_full(ac->task->strict))
		tell(worker, ac, offsetof(struct npu_strict, flags), &incomplete,
		     sizeof(incomplete));
	if (!failed && !strict_end(ac->strict)) {
		report(ac);
		failed = true;
	}
	if (!failed || !strict_finding(ac->strict)->status)
		return failed;
	/* Another block was first: it fails the task. */
	if (__atomic_exchange_n(&ac->task->strict_found, true, __ATOMIC_RELAXED))
		return false;
	tell_finding(worker, ac);
	return true;
}

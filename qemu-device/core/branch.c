// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Branches in a list. A list could go round for ever: what goes back has a time-out for all its
 * rounds.
 */
#include "npu_internal.h"

#define SYNC_BRANCH_NS	1000	/* what one that goes back is deemed to take in sync mode */

/* May the list be left for what lies before @cmd once more? */
static bool round_allowed(struct npu_queue *queue, const struct npu_cmd *cmd)
{
	struct npu_core *core = queue->core;
	uint64_t timeout = npu_cmd_timeout_ns(queue, cmd);

	if (timeout > queue->loop_ns)
		npu_store(&queue->loop_ns, timeout);
	if (core->cfg.sync)
		return ++queue->loop_start * SYNC_BRANCH_NS < npu_min(timeout, core->sync_cap_ns);
	if (!queue->loop_start)
		queue->loop_start = npu_max(npu_run_clock(core), 1);
	return timeout == NPU_NEVER || npu_run_clock(core) - queue->loop_start < timeout;
}

/* Nothing has gone back yet: a new entry, or one whose queue was resumed. */
void npu_branch_restart(struct npu_queue *queue)
{
	npu_store(&queue->loop_ns, 0);
	queue->loop_start = 0;
}

bool npu_branch(struct npu_worker *worker, struct npu_queue *queue, const struct npu_cmd *cmd,
		uint32_t *next)
{
	int64_t target = (int64_t)queue->index + (int32_t)cmd->branch.offset;
	struct npu_error *error = &queue->scratch_error;
	struct npu_sem_place place;
	bool taken;

	*error = (struct npu_error){};
	if (target < 0 || target > queue->sqe.count) {
		error->status = NPU_ST_CMD_INVALID;
		error->address = queue->sqe.list + (uint64_t)queue->index * sizeof(*cmd);
		return false;
	}
	/* Address, value and condition lie as those of a wait. */
	if (!npu_sem_test(worker, queue, &cmd->sem, &place, &taken, error))
		return false;
	*next = taken ? target : queue->index + 1;
	if (*next > queue->index || round_allowed(queue, cmd))
		return true;
	error->status = NPU_ST_TIMEOUT;
	error->address = cmd->branch.address;
	return false;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tasks: commands that several workers may carry out at once, in units.
 */
#include "npu_internal.h"
#include "strict.h"

/* With the lock: where the speed of @task's kernel is remembered, or that of another one. */
static struct npu_pace *pace_of(struct npu_core *core, const struct npu_task *task)
{
	uint64_t entry = task->cmd.kernel.entry;

	return &core->sched.paces[(entry >> 2 ^ entry >> 8 ^ entry >> 14) % NPU_PACES];
}

static uint64_t serial_of(struct npu_core *core, const struct npu_task *task)
{
	return core->contexts[task->queue->cfg.context].serial;
}

/* With the lock: what a unit of @task took in former times. */
static uint64_t last_unit_ns(struct npu_core *core, const struct npu_task *task)
{
	const struct npu_pace *pace = pace_of(core, task);

	if (task->cmd.opcode != NPU_CMD_KERNEL || pace->entry != task->cmd.kernel.entry ||
	    pace->serial != serial_of(core, task))
		return NPU_NEVER;
	return pace->unit_ns;
}

/* With the lock: @blocks more have ended, after @ns; modelled time tells nothing of the host's. */
static void note_pace(struct npu_core *core, struct npu_task *task, uint64_t blocks, uint64_t ns)
{
	if (core->timing)
		return;
	task->ended += blocks;
	task->ended_ns += ns;
	task->unit_ns = task->ended_ns / task->ended;
}

/* With the lock: @task has ended, with all its units. */
static void remember_pace(struct npu_core *core, const struct npu_task *task)
{
	if (task->ended)
		*pace_of(core, task) = (struct npu_pace){
			.entry = task->cmd.kernel.entry,
			.serial = serial_of(core, task),
			.unit_ns = task->unit_ns,
		};
}

/*
 * Put a command into units, which any worker may take as soon as the owner does not hold them back
 * any more. False: all slots are in use. A queue that has been told to stop, or has failed,
 * meanwhile starts nothing; its owner is about to find out.
 */
bool npu_task_start(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t units)
{
	struct npu_core *core = queue->core;
	struct npu_task *task = queue->tasks;
	unsigned int max_running = npu_sdma_in_order(cmd) ? 1 : UINT32_MAX;
	struct strict_task *strict = NULL, *old;
	bool full;

	if (cmd->opcode == NPU_CMD_KERNEL && cmd->kernel.strict)
		strict = strict_task_new(&core->strict_bytes);
	pthread_mutex_lock(&core->lock);
	queue->tasks_started = true;
	full = queue->tasks_running == NPU_QUEUE_TASKS;
	if (full || queue->stop || queue->failed) {
		pthread_mutex_unlock(&core->lock);
		strict_task_free(strict);
		return !full;
	}
	while (task->active)
		task++;
	if (cmd->opcode == NPU_CMD_KERNEL && cmd->kernel.max_cores)
		max_running = cmd->kernel.max_cores;
	task->active = true;
	task->serial = npu_new_tag(core);
	task->command = queue->index;
	task->cmd = *cmd;
	npu_list_init(&task->spares);
	task->running = 0;
	task->max_running = max_running;
	task->unit_ns = last_unit_ns(core, task);
	npu_task_share(core, task, units);
	task->ended = 0;
	task->ended_ns = 0;
	task->started = 0;
	task->timeout_ns = npu_cmd_timeout_ns(queue, cmd);
	npu_store(&task->stop, false);
	npu_store(&task->known, false);
	task->sync_ns = 0;
	npu_store(&task->strict_found, false);
	old = task->strict;
	task->strict = strict;
	task->booking = core->timing ? npu_timing_start(queue, cmd, units) : NULL;
	queue->tasks_running++;
	queue->held = task;
	pthread_mutex_unlock(&core->lock);
	strict_task_free(old);
	return true;
}

/* With the lock: nothing of @task runs, and nothing more will. @worker may be NULL. */
static void end(struct npu_worker *worker, struct npu_task *task)
{
	struct npu_queue *queue = task->queue;

	npu_sched_remove(queue->core, &task->work);
	if (queue->held == task)
		queue->held = NULL;
	if (task->booking)
		npu_timing_end(worker, task);
	task->active = false;
	queue->tasks_running--;
	if (!queue->tasks_running && queue->state == NPU_Q_TASKS)
		npu_queue_ready(queue, 0);
}

/* With the lock: have all tasks of @queue end as soon as possible. */
void npu_tasks_stop(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	unsigned int i;

	if (!queue->tasks_running)
		return;
	for (i = 0; i < NPU_QUEUE_TASKS; i++)
		if (queue->tasks[i].active)
			npu_store(&queue->tasks[i].stop, true);
	for (i = 0; i < core->nr_aicores; i++) {
		struct npu_aicore *aicore = &core->aicores[i];

		if (!aicore->task || aicore->task->queue != queue)
			continue;
		npu_debug_release(aicore);
		if (npu_load(&aicore->worker))
			npu_aicore_interrupt(aicore);
	}
	for (i = 0; i < NPU_QUEUE_TASKS; i++) {
		struct npu_task *task = &queue->tasks[i];

		if (!task->active)
			continue;
		npu_sched_remove(core, &task->work);
		if (!task->running)
			end(NULL, task);
	}
}

/* None of @queue's tasks is left. Those that were stopped between two blocks still have memory. */
void npu_tasks_forget(struct npu_queue *queue)
{
	unsigned int i;

	for (i = 0; i < NPU_QUEUE_TASKS; i++) {
		strict_task_free(queue->tasks[i].strict);
		queue->tasks[i].strict = NULL;
	}
}

/*
 * The block on @aicore takes its time, or waits for another one: let others take those behind it,
 * and what nobody was woken for when the task looked short.
 */
void npu_task_is_long(struct npu_aicore *aicore)
{
	struct npu_core *core = aicore->core;
	struct npu_task *task = aicore->task;

	pthread_mutex_lock(&core->lock);
	aicore->shared = true;
	if (aicore->block + 1 < aicore->end)
		npu_list_add_tail(&task->spares, &aicore->spare);
	task->unit_ns = npu_max(task->unit_ns, aicore->busy_ns);
	if (npu_task_has_unit(task)) {
		if (npu_list_empty(&task->work.node))
			npu_sched_add(core, &task->work, 0);
		npu_sched_wake(core, 1);
	}
	pthread_mutex_unlock(&core->lock);
}

/* The owner goes on beside its tasks: somebody else is to take them. */
void npu_tasks_kick(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	struct npu_task *task;

	pthread_mutex_lock(&core->lock);
	task = queue->held;
	queue->held = NULL;
	if (task)
		npu_sched_add(core, &task->work, npu_sched_wants_help(task));
	pthread_mutex_unlock(&core->lock);
}

/*
 * With the lock, dropped meanwhile: the owner of @queue has nothing to do beside its tasks. A short
 * one it runs itself; others it offers to all workers, of which it is about to be one.
 */
void npu_task_unhold(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_task *task = queue->held;
	struct npu_core *core = queue->core;
	struct npu_pick pick;

	queue->held = NULL;
	if (npu_sched_pick_alone(worker, task, &pick)) {
		pthread_mutex_unlock(&core->lock);
		worker->ran = true;
		npu_aicore_start(worker, pick.aicore, pick.unit, pick.units);
	} else if (!task->waits_core) {
		npu_sched_add(core, &task->work, 0);
	}
}

/* With the lock: a unit has ended, and has not failed, or was not the first to. */
static void after_unit(struct npu_worker *worker, struct npu_task *task)
{
	struct npu_core *core = worker->core;

	if (npu_task_has_unit(task)) {
		if (npu_list_empty(&task->work.node))
			npu_sched_add(core, &task->work, 0);
		return;
	}
	if (task->running || (!task->stop && npu_task_left(task)))
		return;
	if (!task->stop) {
		__atomic_fetch_add(&task->queue->done, 1, __ATOMIC_RELAXED);
		npu_count(&worker->count.tasks_done, 1);
		remember_pace(core, task);
	}
	npu_sem_after_task(core);
	end(worker, task);
}

/*
 * A taker of units of @task has ended them, after @ns, with an @error or NULL; @aicore is free
 * again. Takes the lock, and leaves it to the caller.
 */
void npu_task_unit_end(struct npu_worker *worker, struct npu_task *task,
		       struct npu_aicore *aicore, uint64_t ns, const struct npu_error *error)
{
	struct npu_queue *queue = task->queue;
	struct npu_core *core = worker->core;
	struct strict_task *strict;

	pthread_mutex_lock(&core->lock);
	if (aicore) {
		__atomic_fetch_add(&queue->aicore_ns, ns, __ATOMIC_RELAXED);
		note_pace(core, task, aicore->block - aicore->first + 1, ns);
		npu_sched_release_core(core, aicore);
	} else {
		__atomic_fetch_add(&queue->sdma_ns, ns, __ATOMIC_RELAXED);
	}
	task->running--;
	if (error && !task->stop)
		npu_queue_fail(queue, task->command, task->cmd.tag, error);
	if (task->active)
		after_unit(worker, task);
	if (!task->active && task->strict) {
		strict = task->strict;
		task->strict = NULL;
		/* This may take a while. */
		pthread_mutex_unlock(&core->lock);
		strict_task_free(strict);
		pthread_mutex_lock(&core->lock);
	}
}

/* Has @task used up its time? */
bool npu_task_timed_out(struct npu_core *core, const struct npu_task *task)
{
	if (core->cfg.sync)
		return task->sync_ns >= npu_min(task->timeout_ns, core->sync_cap_ns);
	return task->timeout_ns != NPU_NEVER &&
	       npu_run_clock(core) - npu_load(&task->started) >= task->timeout_ns;
}

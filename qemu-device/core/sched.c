// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists of what there is to do. Round robin within a priority, the higher first; now and then
 * the lowest goes first, so that work without end does not starve what is below it.
 */
#include "npu_internal.h"

#define LOW_FIRST_PERIOD	16	/* picks, and slices of a core */
#define RUN_NS			24000	/* blocks that are taken at once should take so long */
#define ALONE_NS		4000	/* what takes less is done before others could help */
#define WAKE_NS			20000	/* nor is it worth to wake one who sleeps for this */

void npu_sched_init(struct npu_core *core)
{
	struct npu_sched *s = &core->sched;
	unsigned int i;

	for (i = 0; i < NPU_PRIORITY_COUNT; i++)
		npu_list_init(&s->ready[i]);
	npu_list_init(&s->core_waiters);
	npu_store(&s->dead_cores, 0);
	npu_store(&s->ready_mask, 0);
	npu_store(&s->ready_count, 0);
	for (i = 0; i < NPU_CORE_LAYERS; i++)
		s->free_cores[i] = ~0ULL >> (64 - core->cfg.cores);
}

static struct npu_task *work_task(struct npu_work *work)
{
	switch (work->kind) {
	case NPU_WORK_TASK:
		return npu_container(work, struct npu_task, work);
	case NPU_WORK_CORE:
		return npu_container(work, struct npu_aicore, work)->task;
	default:
		return NULL;
	}
}

static void count_ready(struct npu_core *core, struct npu_work *work, int n)
{
	struct npu_task *task = work_task(work);

	npu_store(&core->sched.ready_count, core->sched.ready_count + n);
	if (task)
		npu_store(&task->ready, task->ready + n);
}

/* One that sleeps is to look for work: the caller signals it. NULL: none sleeps. */
static struct npu_worker *rouse(struct npu_core *core)
{
	struct npu_worker *worker = core->workers;

	if (!core->sched.sleepers)
		return NULL;
	while (!worker->sleeping)
		worker++;
	worker->sleeping = false;
	core->sched.sleepers--;
	core->sched.searching++;
	return worker;
}

/* Wake @helpers workers, less those that will see the work anyway. */
void npu_sched_wake(struct npu_core *core, unsigned int helpers)
{
	struct npu_worker *worker;

	if (core->sched.quiesce && !core->sched.exit)
		return;
	while (helpers > core->sched.searching && (worker = rouse(core)))
		pthread_cond_signal(&worker->wake);
}

void npu_sched_add(struct npu_core *core, struct npu_work *work, unsigned int helpers)
{
	struct npu_sched *s = &core->sched;

	npu_list_add_tail(&s->ready[work->priority], &work->node);
	count_ready(core, work, 1);
	npu_store(&s->ready_mask, s->ready_mask | 1u << work->priority);
	npu_sched_wake(core, helpers);
}

/* Take @work off the ready lists, where it is. */
static void take(struct npu_core *core, struct npu_work *work)
{
	struct npu_sched *s = &core->sched;

	npu_list_del(&work->node);
	count_ready(core, work, -1);
	if (npu_list_empty(&s->ready[work->priority]))
		npu_store(&s->ready_mask, s->ready_mask & ~(1u << work->priority));
}

/* Take @work off whatever list it is on; tasks may also wait for a core, or be on no list. */
void npu_sched_remove(struct npu_core *core, struct npu_work *work)
{
	struct npu_task *task = work_task(work);

	if (npu_list_empty(&work->node))
		return;
	if (work->kind == NPU_WORK_TASK && task->waits_core) {
		task->waits_core = false;
		npu_list_del(&work->node);
	} else {
		take(core, work);
	}
}

void npu_sched_release_core(struct npu_core *core, struct npu_aicore *aicore)
{
	struct npu_sched *s = &core->sched;

	npu_list_del(&aicore->spare);
	aicore->task->cores &= ~(1ULL << aicore->id);
	aicore->task = NULL;
	s->free_cores[aicore->layer] |= 1ULL << aicore->id;
	npu_debug_check(core);
	while (!npu_list_empty(&s->core_waiters)) {
		struct npu_list *node = s->core_waiters.next;
		struct npu_task *task = npu_container(node, struct npu_task, work.node);

		npu_list_del(node);
		task->waits_core = false;
		npu_sched_add(core, &task->work, 0);
	}
}

void npu_sched_core_lost(struct npu_core *core, unsigned int id)
{
	pthread_mutex_lock(&core->lock);
	npu_store(&core->sched.dead_cores, core->sched.dead_cores | 1ULL << id);
	pthread_mutex_unlock(&core->lock);
}

/* Can a worker take several of its blocks at once? */
static bool goes_in_runs(const struct npu_core *core, const struct npu_task *task)
{
	return task->cmd.opcode == NPU_CMD_KERNEL && !task->cmd.kernel.strict &&
	       !core->cfg.sync && !core->timing && !npu_load(&core->debug->attached);
}

/*
 * A free core for the next block of @task: the one that @worker had, as the host's cache still
 * holds its buffers, or the lowest, where who debugs looks first. A dead one only if all are, to
 * fail there.
 */
static struct npu_aicore *take_core(struct npu_worker *worker, struct npu_task *task)
{
	struct npu_core *core = worker->core;
	uint64_t alive = task->core_mask & ~core->sched.dead_cores;
	uint64_t mask = alive ? alive : task->core_mask;
	uint64_t last = goes_in_runs(core, task) ? worker->last_core : 0;
	unsigned int layer, id;

	for (layer = 0; layer < NPU_CORE_LAYERS; layer++) {
		uint64_t *free = &core->sched.free_cores[layer];
		uint64_t cores = *free & mask & ~task->cores;

		if (!cores)
			continue;
		id = __builtin_ctzll(cores & last ? last : cores);
		worker->last_core = 1ULL << id;
		*free &= ~(1ULL << id);
		task->cores |= 1ULL << id;
		return &core->aicores[layer * core->cfg.cores + id];
	}
	return NULL;
}

uint64_t npu_task_left(const struct npu_task *task)
{
	return task->parts[0].end - task->parts[0].next + task->parts[1].end - task->parts[1].next;
}

/* May another unit of @task be taken? */
bool npu_task_has_unit(const struct npu_task *task)
{
	return !task->stop && task->running < task->max_running &&
	       (npu_task_left(task) || !npu_list_empty(&task->spares));
}

/* Is it, as far as one can tell, too short to be shared? */
static bool is_short(const struct npu_task *task)
{
	return npu_task_left(task) <= ALONE_NS / npu_max(task->unit_ns, 1);
}

/* Should somebody be woken for @task? Blocks that others leave have turned out long. */
bool npu_sched_wants_help(const struct npu_task *task)
{
	return !npu_list_empty(&task->spares) ||
	       npu_task_left(task) > WAKE_NS / npu_max(task->unit_ns, 1);
}

/*
 * Short blocks go in runs, as taking each by itself would cost more than running it; and never so
 * many that other workers have to wait for the last.
 */
static uint64_t run_length(const struct npu_core *core, const struct npu_task *task)
{
	uint64_t left = npu_task_left(task);
	uint64_t fair = left / (2 * core->nr_workers);

	if (!goes_in_runs(core, task))
		return 1;
	if (is_short(task))
		return left;
	return npu_max(npu_min(fair, RUN_NS / npu_max(task->unit_ns, 1)), 1);
}

/*
 * Half of the workers begin in the middle, so that each gets much the same blocks the next time,
 * and finds in its cache what they work on. Blocks may wait for those before them, though, which
 * then have to have cores.
 */
void npu_task_share(const struct npu_core *core, struct npu_task *task, uint64_t units)
{
	unsigned int cores = __builtin_popcountll(task->core_mask & ~core->sched.dead_cores);
	struct npu_part *parts = task->parts;

	parts[0] = (struct npu_part){ .end = units };
	parts[1] = (struct npu_part){ .next = units, .end = units };
	if (core->nr_workers > 1 && goes_in_runs(core, task) && !is_short(task) &&
	    units <= npu_min(cores, task->max_running))
		parts[0].end = parts[1].next = units / 2;
}

/* The units of @task that are next for @worker. */
static void take_units(const struct npu_worker *worker, struct npu_task *task,
		       struct npu_pick *pick)
{
	struct npu_part *part = &task->parts[(worker - worker->core->workers) % 2];

	pick->units = 1;
	if (!npu_list_empty(&task->spares)) {
		struct npu_aicore *aicore = npu_container(task->spares.next, struct npu_aicore,
							  spare);

		pick->unit = --aicore->end;
		if (aicore->end == aicore->block + 1)
			npu_list_del(&aicore->spare);
		return;
	}
	if (part->next == part->end)
		part = part == task->parts ? part + 1 : part - 1;
	pick->units = npu_min(run_length(worker->core, task), part->end - part->next);
	pick->unit = part->next;
	part->next += pick->units;
}

/* Take units of @task, which is on no list. False if that is to wait for a core. */
static bool pick_unit(struct npu_worker *worker, struct npu_task *task, struct npu_pick *pick)
{
	struct npu_core *core = worker->core;

	pick->aicore = NULL;
	if (task->cmd.opcode == NPU_CMD_KERNEL) {
		pick->aicore = take_core(worker, task);
		if (!pick->aicore) {
			task->waits_core = true;
			npu_list_add_tail(&core->sched.core_waiters, &task->work.node);
			return false;
		}
		pick->aicore->task = task;
	}
	if (!task->started)
		task->started = npu_max(npu_run_clock(core), 1);
	take_units(worker, task, pick);
	/* Others are woken for what is left: nobody has to be told that a block takes long. */
	if (pick->aicore)
		pick->aicore->shared = pick->units == 1 && task->unit_ns >= NPU_QUANTUM_NS;
	task->running++;
	if (npu_task_has_unit(task))
		npu_sched_add(core, &task->work, 0);
	return true;
}

/*
 * For the owner of a queue, which has to wait for @task: take all of it, if others would not be of
 * use, and there is no other work for the owner. False: it is to be shared.
 */
bool npu_sched_pick_alone(struct npu_worker *worker, struct npu_task *task, struct npu_pick *pick)
{
	const struct npu_core *core = worker->core;

	return goes_in_runs(core, task) && (npu_task_left(task) == 1 || is_short(task)) &&
	       !core->sched.ready_mask && pick_unit(worker, task, pick);
}

static bool pick_from(struct npu_worker *worker, unsigned int priority, struct npu_pick *pick)
{
	struct npu_core *core = worker->core;
	struct npu_list *list = &core->sched.ready[priority];

	while (!npu_list_empty(list)) {
		struct npu_work *work = npu_container(list->next, struct npu_work, node);

		take(core, work);
		pick->kind = work->kind;
		switch (work->kind) {
		case NPU_WORK_QUEUE:
			pick->queue = npu_container(work, struct npu_queue, work);
			pick->queue->state = NPU_Q_OWNED;
			return true;
		case NPU_WORK_TASK:
			pick->task = npu_container(work, struct npu_task, work);
			if (pick_unit(worker, pick->task, pick))
				return true;
			break;
		case NPU_WORK_CORE:
			pick->aicore = npu_container(work, struct npu_aicore, work);
			pick->task = pick->aicore->task;
			return true;
		}
	}
	return false;
}

/* A worker that sleeps although there will be more to do than @pick, and nobody to do it. */
static struct npu_worker *helper_for(struct npu_core *core, const struct npu_pick *pick)
{
	const struct npu_task *task = pick->kind == NPU_WORK_TASK ? pick->task : NULL;
	uint64_t more = core->sched.ready_count;

	if (task && !npu_list_empty(&task->work.node))
		more += npu_sched_wants_help(task) ? npu_task_left(task) : -1ULL;
	return more > core->sched.searching ? rouse(core) : NULL;
}

bool npu_sched_pick(struct npu_worker *worker, struct npu_pick *pick)
{
	struct npu_core *core = worker->core;
	bool low_first = ++worker->picks % LOW_FIRST_PERIOD == 0;
	unsigned int i;

	if (!core->sched.ready_mask)
		return false;
	for (i = 0; i < NPU_PRIORITY_COUNT; i++)
		if (pick_from(worker, low_first ? i : NPU_PRIORITY_COUNT - 1 - i, pick)) {
			pick->helper = helper_for(core, pick);
			return true;
		}
	return false;
}

/*
 * Is a worker to leave off at the end of a slice? @task is what it works on, NULL for a queue;
 * what else there is to do for the same task does not count. Called without the lock: the answer
 * is a hint.
 */
bool npu_sched_should_yield(struct npu_core *core, unsigned int priority,
			    const struct npu_task *task, unsigned int slices)
{
	unsigned int others = npu_load(&core->sched.ready_count);

	if (npu_load(&core->sched.quiesce))
		return true;
	if (task)
		others -= npu_min(others, npu_load(&task->ready));
	if (!others)
		return false;
	return npu_load(&core->sched.ready_mask) >> priority || slices % LOW_FIRST_PERIOD == 0;
}

/* @helpers is 0 if the caller itself is about to look for work. */
void npu_queue_ready(struct npu_queue *queue, unsigned int helpers)
{
	queue->state = NPU_Q_READY;
	npu_sched_add(queue->core, &queue->work, helpers);
}

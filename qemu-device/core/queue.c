// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contexts, completion rings and queues as objects: create, destroy, suspend, resume, query, and
 * their doorbells.
 */
#include <stdlib.h>

#include "npu_internal.h"
#include "strict.h"

static bool power_of_two(uint32_t n, uint32_t min, uint32_t max)
{
	return n >= min && n <= max && !(n & (n - 1));
}

uint32_t npu_ctx_set(struct npu_core *core, uint32_t id, uint64_t root)
{
	uint32_t ret = NPU_ST_OK;
	struct npu_context *ctx;

	if (id >= NPU_MAX_CONTEXTS || (root & (NPU_PAGE_SIZE - 1)) ||
	    root > core->hbm_limit - NPU_PAGE_SIZE)
		return NPU_ST_ADMIN_INVALID;
	pthread_mutex_lock(&core->lock);
	ctx = &core->contexts[id];
	if (ctx->valid) {
		ret = NPU_ST_ADMIN_BUSY;
	} else {
		ctx->valid = true;
		ctx->root = root;
		ctx->serial = npu_new_tag(core);
		npu_store(&ctx->tag, ctx->serial);
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

uint32_t npu_ctx_clear(struct npu_core *core, uint32_t id)
{
	uint32_t ret = NPU_ST_OK;

	if (id >= NPU_MAX_CONTEXTS)
		return NPU_ST_ADMIN_INVALID;
	pthread_mutex_lock(&core->lock);
	if (!core->contexts[id].valid)
		ret = NPU_ST_ADMIN_NOENT;
	else if (core->contexts[id].queues)
		ret = NPU_ST_ADMIN_BUSY;
	else
		core->contexts[id].valid = false;
	pthread_mutex_unlock(&core->lock);
	return ret;
}

uint32_t npu_cq_create(struct npu_core *core, uint32_t id, uint64_t base, uint32_t entries,
		       uint32_t vector)
{
	uint32_t ret = NPU_ST_OK;
	struct npu_cq *cq;

	if (id >= npu_reg_get(core, NPU_REG_NUM_CQS) || (base & (NPU_PAGE_SIZE - 1)) ||
	    !power_of_two(entries, 2, NPU_CQ_MAX_ENTRIES) || !vector ||
	    vector >= core->cfg.vectors)
		return NPU_ST_ADMIN_INVALID;
	pthread_mutex_lock(&core->lock);
	cq = &core->cqs[id];
	if (cq->valid) {
		ret = NPU_ST_ADMIN_BUSY;
	} else {
		cq->valid = true;
		cq->queues = 0;
		cq->base = base;
		cq->entries = entries;
		cq->vector = vector;
		cq->tail = 0;
		cq->head = 0;
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

uint32_t npu_cq_destroy(struct npu_core *core, uint32_t id)
{
	uint32_t ret = NPU_ST_OK;

	if (id >= NPU_MAX_CQS)
		return NPU_ST_ADMIN_INVALID;
	pthread_mutex_lock(&core->lock);
	if (!core->cqs[id].valid)
		ret = NPU_ST_ADMIN_NOENT;
	else if (core->cqs[id].queues)
		ret = NPU_ST_ADMIN_BUSY;
	else
		core->cqs[id].valid = false;
	pthread_mutex_unlock(&core->lock);
	return ret;
}

static bool queue_config_ok(const struct npu_core *core, uint32_t id,
			    const struct npu_queue_config *cfg)
{
	uint64_t cores = ~0ULL >> (64 - core->cfg.cores);

	return id < core->cfg.queues && !(cfg->base & (NPU_PAGE_SIZE - 1)) &&
	       !(cfg->status_block & (sizeof(struct npu_fault) - 1)) &&
	       !(cfg->core_mask & ~cores) &&
	       power_of_two(cfg->entries, NPU_SQ_MIN_ENTRIES, NPU_SQ_MAX_ENTRIES) &&
	       cfg->context < NPU_MAX_CONTEXTS && cfg->cq < NPU_MAX_CQS &&
	       cfg->priority < NPU_PRIORITY_COUNT &&
	       (cfg->engine == NPU_ENGINE_COMPUTE || cfg->engine == NPU_ENGINE_COPY);
}

static void task_init(struct npu_queue *queue, struct npu_task *task)
{
	npu_list_init(&task->work.node);
	task->work.kind = NPU_WORK_TASK;
	task->work.priority = queue->work.priority;
	task->queue = queue;
	task->core_mask = queue->cfg.core_mask;
}

static void queue_free(struct npu_queue *queue)
{
	unsigned int i;

	for (i = 0; queue && i < NPU_QUEUE_TASKS; i++)
		strict_task_free(queue->tasks[i].strict);
	free(queue);
}

static struct npu_queue *queue_new(struct npu_core *core, uint32_t id,
				   const struct npu_queue_config *cfg)
{
	struct npu_queue *queue = calloc(1, sizeof(*queue));
	unsigned int i;

	if (!queue)
		return NULL;
	npu_list_init(&queue->work.node);
	npu_list_init(&queue->wait_node);
	npu_list_init(&queue->clock.bookings);
	queue->work.kind = NPU_WORK_QUEUE;
	queue->work.priority = cfg->priority;
	queue->core = core;
	queue->id = id;
	queue->cfg = *cfg;
	if (!cfg->core_mask)
		queue->cfg.core_mask = ~0ULL >> (64 - core->cfg.cores);
	for (i = 0; i < NPU_QUEUE_TASKS; i++)
		task_init(queue, &queue->tasks[i]);
	return queue;
}

uint32_t npu_queue_create(struct npu_core *core, uint32_t id, const struct npu_queue_config *cfg)
{
	struct npu_queue *queue;
	uint32_t ret = NPU_ST_OK;

	if (!queue_config_ok(core, id, cfg))
		return NPU_ST_ADMIN_INVALID;
	queue = queue_new(core, id, cfg);
	if (!queue)
		return NPU_ST_ADMIN_BUSY;
	pthread_mutex_lock(&core->lock);
	if (core->queues[id]) {
		ret = NPU_ST_ADMIN_BUSY;
	} else if (!core->contexts[cfg->context].valid || !core->cqs[cfg->cq].valid) {
		ret = NPU_ST_ADMIN_NOENT;
	} else {
		core->contexts[cfg->context].queues++;
		core->cqs[cfg->cq].queues++;
		core->queues[id] = queue;
	}
	pthread_mutex_unlock(&core->lock);
	if (ret != NPU_ST_OK)
		queue_free(queue);
	else
		npu_event(core, NPU_CORE_EV_QUEUE_CREATE, id, cfg->context, cfg->entries);
	return ret;
}

/* With the lock: the queue is on no list, has no owner and no task in flight. */
void npu_queue_release(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	uint16_t id = queue->id;

	core->queues[id] = NULL;
	core->contexts[queue->cfg.context].queues--;
	core->cqs[queue->cfg.cq].queues--;
	if (core->timing)
		npu_timing_forget(queue);
	queue_free(queue);
	npu_event(core, NPU_CORE_EV_QUEUE_DESTROY, id, 0, 0);
}

/* With the lock: end whatever the queue waits for, but not its tasks. False if it has an owner. */
static bool queue_unpark(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;

	switch (queue->state) {
	case NPU_Q_OWNED:
		return false;
	case NPU_Q_READY:
		npu_sched_remove(core, &queue->work);
		break;
	case NPU_Q_SEM:
		npu_sem_unpark(queue);
		break;
	case NPU_Q_CQ:
		npu_list_del(&queue->wait_node);
		break;
	default:
		break;
	}
	return true;
}

uint32_t npu_queue_destroy(struct npu_core *core, uint32_t id)
{
	struct npu_queue *queue;
	uint32_t ret;

	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (!queue) {
		ret = NPU_ST_ADMIN_NOENT;
	} else if (queue->pending_cmd == NPU_MCU_Q_CMD_DESTROY) {
		/* The wait for it goes on. */
		ret = NPU_MCU_BUSY;
	} else {
		/* A suspend that is pending has lost its point. */
		npu_store(&queue->stop, true);
		npu_tasks_stop(queue);
		if (queue_unpark(queue) && !queue->tasks_running) {
			npu_queue_release(queue);
			ret = NPU_ST_OK;
		} else {
			if (queue->state != NPU_Q_OWNED)
				queue->state = NPU_Q_TASKS;
			queue->pending_cmd = NPU_MCU_Q_CMD_DESTROY;
			ret = NPU_MCU_BUSY;
		}
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

/*
 * A queue that has nothing to do, or no room to say so, is suspended at once; one that waits for
 * a semaphore is made to look around; the others come to a command border by themselves.
 */
uint32_t npu_queue_suspend(struct npu_core *core, uint32_t id)
{
	struct npu_queue *queue;
	uint32_t ret = NPU_ST_OK;

	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (!queue) {
		ret = NPU_ST_ADMIN_NOENT;
	} else if (queue->pending_cmd) {
		ret = NPU_ST_ADMIN_BUSY;
	} else if (queue->state == NPU_Q_IDLE || queue->state == NPU_Q_CQ) {
		npu_list_del(&queue->wait_node);
		npu_store(&queue->suspend, true);
		queue->state = NPU_Q_SUSPENDED;
	} else if (queue->state != NPU_Q_SUSPENDED && queue->state != NPU_Q_FAULTED) {
		npu_store(&queue->suspend, true);
		queue->pending_cmd = NPU_MCU_Q_CMD_SUSPEND;
		ret = NPU_MCU_BUSY;
		if (queue->state == NPU_Q_SEM) {
			npu_sem_unpark(queue);
			npu_queue_ready(queue, 1);
		}
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

uint32_t npu_queue_resume(struct npu_core *core, uint32_t id)
{
	struct npu_queue *queue;
	uint32_t ret = NPU_ST_OK;

	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (!queue) {
		ret = NPU_ST_ADMIN_NOENT;
	} else if (queue->pending_cmd == NPU_MCU_Q_CMD_SUSPEND) {
		/* It has not come to a border yet, and need not any more. */
		npu_store(&queue->suspend, false);
		queue->pending_cmd = 0;
	} else if (queue->pending_cmd) {
		ret = NPU_ST_ADMIN_BUSY;
	} else if (queue->state == NPU_Q_SUSPENDED) {
		npu_store(&queue->suspend, false);
		if (queue->phase == NPU_PHASE_SEM)
			npu_queue_sem_restart(queue);
		npu_branch_restart(queue);
		npu_queue_ready(queue, 1);
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

/* With the lock: the core that runs a block of @queue, the lowest; NULL if there is none. */
static struct npu_aicore *queue_core(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	unsigned int i;

	for (i = 0; i < core->nr_aicores; i++)
		if (core->aicores[i].task && core->aicores[i].task->queue == queue)
			return &core->aicores[i];
	return NULL;
}

/* With the lock: a task in flight; there is one. */
static struct npu_task *queue_task(struct npu_queue *queue)
{
	struct npu_task *task = queue->tasks;

	while (!task->active)
		task++;
	return task;
}

/* With the lock: the time of what @queue has in flight is over. */
static void time_out_tasks(struct npu_queue *queue)
{
	struct npu_error error = { .status = NPU_ST_TIMEOUT, .unit = NPU_UNIT_SDMA };
	struct npu_task *task = queue_task(queue);
	struct npu_aicore *aicore = queue_core(queue);

	if (aicore) {
		task = aicore->task;
		error.unit = NPU_UNIT_SCALAR;
		error.core = aicore->id;
		error.block = npu_load(&aicore->block);
		error.pc = npu_load(&aicore->pc);
	}
	npu_queue_fail(queue, task->command, task->cmd.tag, &error);
}

/* With the lock: see to it that the entry in progress ends; who owns the queue does it himself. */
static void queue_abort(struct npu_queue *queue)
{
	struct npu_error error = { .status = NPU_ST_TIMEOUT };

	npu_store(&queue->suspend, false);
	if (queue->tasks_running) {
		time_out_tasks(queue);
	} else if (queue->state == NPU_Q_SEM) {
		error.address = npu_queue_cmd(queue)->sem.address;
		npu_queue_fail(queue, queue->index, npu_queue_cmd(queue)->tag, &error);
	} else {
		npu_store(&queue->abort, true);
		if (queue->state == NPU_Q_SUSPENDED)
			npu_queue_ready(queue, 1);
	}
}

/* With the lock: has the queue nothing that could be stopped? */
static bool nothing_runs(const struct npu_queue *queue)
{
	switch (queue->state) {
	case NPU_Q_IDLE:
	case NPU_Q_CQ:
	case NPU_Q_FAULTED:
		return true;
	case NPU_Q_SUSPENDED:
		return queue->phase != NPU_PHASE_COMMAND && queue->phase != NPU_PHASE_SEM;
	default:
		return false;
	}
}

/* The entry in progress times out now, and stops the queue as any fault does. */
uint32_t npu_queue_stop(struct npu_core *core, uint32_t id)
{
	struct npu_queue *queue;
	uint32_t ret = NPU_ST_OK;

	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (!queue) {
		ret = NPU_ST_ADMIN_NOENT;
	} else if (queue->pending_cmd && queue->pending_cmd != NPU_MCU_Q_CMD_SUSPEND) {
		ret = NPU_ST_ADMIN_BUSY;
	} else if (!nothing_runs(queue)) {
		queue->pending_cmd = NPU_MCU_Q_CMD_STOP;
		ret = NPU_MCU_BUSY;
		queue_abort(queue);
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

/* With the lock: the owner, or a change of state, has brought about what the MCU asked for. */
void npu_queue_cmd_done(struct npu_queue *queue, enum npu_status status)
{
	if (!queue->pending_cmd)
		return;
	queue->pending_cmd = 0;
	npu_mcu_queue_done(queue->core, queue->id, status);
}

/* With the lock: are all tasks of the queue still to begin, or to go on? */
static bool tasks_wait(const struct npu_queue *queue)
{
	unsigned int i;

	for (i = 0; i < NPU_QUEUE_TASKS; i++)
		if (queue->tasks[i].active && queue->tasks[i].running)
			return false;
	return true;
}

static uint32_t timeout_us(uint64_t ns)
{
	return ns == NPU_NEVER ? UINT32_MAX : ns / NPU_NS_PER_US;
}

/* With the lock, by the owner: what a query tells until the wait is over. */
void npu_queue_sem_waits(struct npu_queue *queue)
{
	queue->sem_command = queue->index;
	queue->sem_timeout_us = timeout_us(npu_cmd_timeout_ns(queue, npu_queue_cmd(queue)));
	npu_store(&queue->sem_waits, true);
}

/* With the lock. Who looks at a semaphore again still waits for it. */
static bool waits_sem(const struct npu_queue *queue)
{
	switch (queue->state) {
	case NPU_Q_SEM:
		return true;
	case NPU_Q_READY:
	case NPU_Q_OWNED:
		return npu_load(&queue->sem_waits) && !npu_load(&queue->failed);
	default:
		return false;
	}
}

static enum npu_queue_state public_state(const struct npu_queue *queue)
{
	if (waits_sem(queue))
		return NPU_QUEUE_WAITING;
	switch (queue->state) {
	case NPU_Q_IDLE:
		return NPU_QUEUE_IDLE;
	case NPU_Q_SUSPENDED:
		return NPU_QUEUE_SUSPENDED;
	case NPU_Q_FAULTED:
		return NPU_QUEUE_FAULTED;
	/* Between two slices of a loop is in the midst of it. */
	case NPU_Q_READY:
		return npu_load(&queue->loop_ns) ? NPU_QUEUE_RUNNING : NPU_QUEUE_READY;
	case NPU_Q_TASKS:
		return tasks_wait(queue) && !npu_load(&queue->loop_ns) ? NPU_QUEUE_READY :
									 NPU_QUEUE_RUNNING;
	default:
		return NPU_QUEUE_RUNNING;
	}
}

/* With the lock: what @queue is at, as far as that is not its owner's business. */
static void query_tasks(struct npu_queue *queue, struct npu_queue_info *info)
{
	struct npu_aicore *aicore = queue_core(queue);
	uint64_t loop_ns = npu_load(&queue->loop_ns);
	unsigned int i;

	if (loop_ns)
		info->timeout_us = timeout_us(loop_ns);
	for (i = 0; i < NPU_QUEUE_TASKS; i++) {
		const struct npu_task *task = &queue->tasks[i];

		if (!task->active)
			continue;
		info->cores |= task->cores;
		info->command = task->command;
		info->timeout_us = npu_max(info->timeout_us, timeout_us(task->timeout_ns));
	}
	if (aicore) {
		info->command = aicore->task->command;
		info->pc = npu_load(&aicore->pc);
	}
	if (waits_sem(queue)) {
		info->command = queue->sem_command;
		info->timeout_us = npu_max(info->timeout_us, queue->sem_timeout_us);
	}
}

uint32_t npu_queue_query(struct npu_core *core, uint32_t id, struct npu_queue_info *info)
{
	struct npu_queue *queue;
	uint32_t ret = NPU_ST_OK;

	*info = (struct npu_queue_info){ .state = NPU_QUEUE_NONE };
	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (!queue) {
		ret = NPU_ST_ADMIN_NOENT;
	} else {
		info->state = public_state(queue);
		info->head = npu_load(&queue->head);
		info->tail = npu_load(&queue->tail);
		if (queue->state == NPU_Q_FAULTED)
			info->fault = queue->error.status;
		info->tasks = npu_load(&queue->done);
		query_tasks(queue, info);
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

struct npu_queue *npu_queue_find(struct npu_core *core, uint32_t id)
{
	return id < core->cfg.queues ? core->queues[id] : NULL;
}

void npu_queue_doorbell(struct npu_core *core, uint32_t id, uint32_t tail)
{
	struct npu_queue *queue;

	if (npu_inject(core, NPU_INJECT_DOORBELL_LOST, id))
		return;
	pthread_mutex_lock(&core->lock);
	queue = npu_queue_find(core, id);
	if (queue) {
		npu_store_release(&queue->tail, tail);
		if (queue->state == NPU_Q_IDLE)
			npu_queue_ready(queue, 1);
	}
	pthread_mutex_unlock(&core->lock);
	if (queue)
		npu_event(core, NPU_CORE_EV_DOORBELL, id, tail, 0);
	else
		npu_guest_error(core, NPU_DB_SQ_TAIL((uint64_t)id), tail, true);
}

void npu_cq_doorbell(struct npu_core *core, uint32_t id, uint32_t head)
{
	struct npu_cq *cq = id < NPU_MAX_CQS ? &core->cqs[id] : NULL;
	bool valid = false;

	pthread_mutex_lock(&core->lock);
	if (cq && cq->valid && cq->tail - head <= cq->entries) {
		valid = true;
		cq->head = head;
		while (cq->tail - cq->head < cq->entries && !npu_list_empty(&cq->waiters)) {
			struct npu_list *node = cq->waiters.next;

			npu_list_del(node);
			npu_queue_ready(npu_container(node, struct npu_queue, wait_node), 1);
		}
	}
	pthread_mutex_unlock(&core->lock);
	if (!valid)
		npu_guest_error(core, NPU_DB_CQ_HEAD((uint64_t)id), head, true);
}

/* All workers stand still. */
void npu_queues_reset(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < core->cfg.queues; i++) {
		if (core->queues[i] && core->timing)
			npu_timing_forget(core->queues[i]);
		queue_free(core->queues[i]);
		core->queues[i] = NULL;
	}
	for (i = 0; i < NPU_MAX_CONTEXTS; i++)
		core->contexts[i] = (struct npu_context){ .valid = false };
	for (i = 0; i < NPU_MAX_CQS; i++) {
		core->cqs[i].valid = false;
		npu_list_init(&core->cqs[i].waiters);
	}
	npu_sems_reset(core);
}

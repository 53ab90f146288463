// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Execution of a queue by the worker that owns it: a state machine that can be left between any
 * two steps. A step returns false when the queue has been given up; the worker must not touch it
 * any more then.
 */
#include <string.h>

#include "npu_internal.h"

#define STEPS_BEFORE_YIELD	32
#define CQE_LAST_WORD		offsetof(struct npu_cqe, queue)

/* The entry ends with @queue->error. */
static void fail(struct npu_queue *queue, const struct npu_cmd *cmd)
{
	struct npu_core *core = queue->core;

	pthread_mutex_lock(&core->lock);
	npu_queue_fail(queue, queue->index, cmd ? cmd->tag : 0, &queue->scratch_error);
	pthread_mutex_unlock(&core->lock);
	npu_store(&queue->sem_waits, false);
	queue->phase = NPU_PHASE_DRAIN;
}

static void fail_status(struct npu_queue *queue, const struct npu_cmd *cmd,
			enum npu_status status, uint64_t address)
{
	queue->scratch_error = (struct npu_error){ .status = status, .address = address };
	fail(queue, cmd);
}

/* With the lock: the first failure counts, and stops the rest of the entry. */
void npu_queue_fail(struct npu_queue *queue, uint32_t command, uint64_t tag,
		    const struct npu_error *error)
{
	if (npu_load(&queue->failed))
		return;
	queue->error = *error;
	queue->failed_command = command;
	queue->failed_tag = tag;
	npu_store(&queue->failed, true);
	npu_tasks_stop(queue);
	if (queue->state == NPU_Q_SEM) {
		npu_sem_unpark(queue);
		npu_queue_ready(queue, 1);
	}
}

/* Give the queue up, in @state. With the lock. */
static bool park(struct npu_queue *queue, enum npu_qstate state)
{
	queue->state = state;
	return false;
}

/* Wait until all tasks of the queue have ended. True: they have. */
static bool tasks_ended(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	bool ended;

	if (!queue->tasks_started)
		return true;
	pthread_mutex_lock(&core->lock);
	if (queue->held)
		npu_task_unhold(worker, queue);
	ended = !queue->tasks_running;
	if (ended)
		queue->tasks_started = false;
	else
		park(queue, NPU_Q_TASKS);
	pthread_mutex_unlock(&core->lock);
	if (ended && npu_load(&queue->failed))
		npu_tasks_forget(queue);
	return ended;
}

/* The queue is to be destroyed. */
static bool step_stop(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = queue->core;

	if (!tasks_ended(worker, queue))
		return false;
	pthread_mutex_lock(&core->lock);
	npu_queue_cmd_done(queue, NPU_ST_OK);
	npu_queue_release(queue);
	pthread_mutex_unlock(&core->lock);
	return false;
}

/* At a command border with a wish to suspend. */
static bool step_suspend(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	bool suspend;

	if (!tasks_ended(worker, queue))
		return false;
	if (npu_load(&queue->failed))
		return true;
	pthread_mutex_lock(&core->lock);
	/* It may have been withdrawn. */
	suspend = queue->suspend && !queue->stop;
	if (suspend) {
		park(queue, NPU_Q_SUSPENDED);
		npu_queue_cmd_done(queue, NPU_ST_OK);
	}
	pthread_mutex_unlock(&core->lock);
	return !suspend;
}

/* With the lock: what was to be aborted has ended by itself. */
static void abort_done(struct npu_queue *queue)
{
	if (queue->pending_cmd != NPU_MCU_Q_CMD_STOP)
		return;
	npu_store(&queue->abort, false);
	npu_queue_cmd_done(queue, NPU_ST_OK);
}

/* In the middle of an entry that is to end. */
static bool step_abort(struct npu_queue *queue)
{
	npu_store(&queue->abort, false);
	fail_status(queue, NULL, NPU_ST_TIMEOUT, 0);
	return true;
}

/* The ring is empty, unless a doorbell has come in between. */
static bool step_idle(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	bool go_on = true;

	pthread_mutex_lock(&core->lock);
	if (npu_load(&queue->tail) == queue->head && !queue->stop && !queue->suspend) {
		abort_done(queue);
		if (core->timing)
			npu_timing_idle(queue);
		go_on = park(queue, NPU_Q_IDLE);
	}
	pthread_mutex_unlock(&core->lock);
	return go_on;
}

static void start_entry(struct npu_queue *queue)
{
	queue->index = 0;
	queue->batch_first = 0;
	queue->batch_count = 0;
	queue->aicore_ns = 0;
	queue->sdma_ns = 0;
	queue->fault_written = false;
	if (queue->core->timing)
		npu_timing_busy(queue);
	npu_branch_restart(queue);
}

static bool step_fetch(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	uint32_t tail = npu_load_acquire(&queue->tail);
	uint32_t slot = queue->head & (queue->cfg.entries - 1);
	uint64_t address = queue->cfg.base + slot * sizeof(queue->sqe);

	if (tail == queue->head)
		return step_idle(queue);
	start_entry(queue);
	memset(&queue->sqe, 0, sizeof(queue->sqe));
	if (tail - queue->head > queue->cfg.entries) {
		fail_status(queue, NULL, NPU_ST_SQE_INVALID, tail);
		return true;
	}
	if (npu_dma_read(core, address, &queue->sqe, sizeof(queue->sqe))) {
		queue->scratch_error = (struct npu_error){};
		npu_bus_error(&queue->scratch_error, NPU_ACCESS_READ, address);
		fail(queue, NULL);
		return true;
	}
	npu_event(core, NPU_CORE_EV_SQE, queue->id, queue->sqe.cookie, queue->sqe.count);
	if (!npu_sqe_ok(&queue->sqe)) {
		fail_status(queue, NULL, NPU_ST_SQE_INVALID, address);
	} else if (queue->sqe.opcode == NPU_SQE_NOP) {
		queue->phase = NPU_PHASE_DRAIN;
	} else {
		/* The host may have written code before it rang. */
		npu_code_changed(core);
		queue->index = queue->sqe.first;
		__atomic_fetch_add(&queue->done, queue->sqe.first, __ATOMIC_RELAXED);
		queue->phase = NPU_PHASE_COMMAND;
	}
	return true;
}

const struct npu_cmd *npu_queue_cmd(const struct npu_queue *queue)
{
	return &queue->batch[queue->index - queue->batch_first];
}

/* Have command queue->index in the batch. */
static bool fetch_commands(struct npu_worker *worker, struct npu_queue *queue)
{
	uint32_t left = queue->sqe.count - queue->index;
	uint32_t n = npu_min(left, NPU_CMD_BATCH);
	struct npu_view view;
	bool ok;

	if (queue->index - queue->batch_first < queue->batch_count)
		return true;
	queue->scratch_error = (struct npu_error){};
	npu_section_enter(worker, queue->cfg.context, &view);
	ok = npu_gm_read(worker, &view,
			 queue->sqe.list + (uint64_t)queue->index * sizeof(struct npu_cmd),
			 queue->batch, n * sizeof(struct npu_cmd), &queue->scratch_error);
	npu_section_leave(worker);
	if (ok) {
		queue->batch_first = queue->index;
		queue->batch_count = n;
	}
	return ok;
}

uint64_t npu_cmd_timeout_ns(const struct npu_queue *queue, const struct npu_cmd *cmd)
{
	uint32_t us = cmd->timeout_us;

	if (!us)
		us = queue->sqe.timeout_us;
	if (!us)
		us = queue->cfg.timeout_us;
	return us ? us * NPU_NS_PER_US : NPU_NEVER;
}

/* The time-out of a wait begins now. */
void npu_queue_sem_restart(struct npu_queue *queue)
{
	uint64_t timeout = npu_cmd_timeout_ns(queue, npu_queue_cmd(queue));

	queue->sem_deadline = timeout == NPU_NEVER ? NPU_NEVER :
							  npu_run_clock(queue->core) + timeout;
}

static void command_done(struct npu_worker *worker, struct npu_queue *queue)
{
	queue->index++;
	queue->phase = NPU_PHASE_COMMAND;
	__atomic_fetch_add(&queue->done, 1, __ATOMIC_RELAXED);
	npu_count(&worker->count.tasks_done, 1);
}

/* Who sees the value sees what was done before. It is aligned, so in one page. */
static bool store_value(struct npu_core *core, const struct npu_run *run, uint64_t value,
			unsigned int bytes)
{
	if (run->sparse)
		return true;
	if (!run->host)
		return !npu_dma_write(core, run->phys, &value, bytes);
	if (bytes == sizeof(uint64_t))
		npu_store_release((uint64_t *)run->host, value);
	else
		npu_store_release((uint32_t *)run->host, (uint32_t)value);
	return true;
}

/* It may be a semaphore. */
static bool write_run(struct npu_queue *queue, const struct npu_run *run,
		      const struct npu_cmd *cmd, uint64_t value)
{
	if (queue->core->timing)
		npu_timing_mark(queue, cmd, npu_sem_key(run), &value);
	return store_value(queue->core, run, value, cmd->write.bytes);
}

static bool write_value(struct npu_worker *worker, struct npu_queue *queue,
			const struct npu_cmd *cmd, uint64_t value)
{
	uint64_t va = cmd->write.address;
	struct npu_view view;
	struct npu_run run;
	bool ok;

	npu_section_enter(worker, queue->cfg.context, &view);
	ok = npu_translate(worker, &view, va, cmd->write.bytes, NPU_ACCESS_WRITE, &run,
			   &queue->scratch_error) &&
	     (write_run(queue, &run, cmd, value) ||
	      npu_bus_error(&queue->scratch_error, NPU_ACCESS_WRITE, va));
	npu_section_leave(worker);
	if (ok)
		npu_sem_wake_run(worker->core, &run);
	return ok;
}

/* Commands that are done on the spot. */
static bool run_inline(struct npu_worker *worker, struct npu_queue *queue,
		       const struct npu_cmd *cmd)
{
	queue->scratch_error = (struct npu_error){};
	switch (cmd->opcode) {
	case NPU_CMD_SEM_SIGNAL:
		return npu_sem_signal(worker, queue, cmd, &queue->scratch_error);
	case NPU_CMD_WRITE:
		return write_value(worker, queue, cmd, cmd->write.value);
	case NPU_CMD_TIMESTAMP:
		return write_value(worker, queue, cmd,
				   queue->core->timing ? npu_timing_stamp(queue, cmd) :
							 npu_timestamp(queue->core));
	default:
		return true;
	}
}

static bool step_task(struct npu_worker *worker, struct npu_queue *queue,
		      const struct npu_cmd *cmd)
{
	uint64_t units = cmd->opcode == NPU_CMD_KERNEL ? cmd->kernel.blocks : npu_sdma_units(cmd);

	npu_irq_flush(worker);
	queue->scratch_error = (struct npu_error){};
	if (cmd->opcode != NPU_CMD_KERNEL && units <= 1) {
		if (units && !npu_sdma_inline(worker, queue, cmd, &queue->scratch_error))
			fail(queue, cmd);
		else
			command_done(worker, queue);
		return true;
	}
	if (!npu_task_start(queue, cmd, units))
		return tasks_ended(worker, queue);
	/* Counted as done when the last unit ends. */
	queue->index++;
	return true;
}

/* What lies behind is counted, however often it was done. */
static bool step_branch(struct npu_worker *worker, struct npu_queue *queue,
			const struct npu_cmd *cmd)
{
	uint32_t next;

	npu_irq_flush(worker);
	if (!npu_branch(worker, queue, cmd, &next)) {
		fail(queue, cmd);
		return true;
	}
	__atomic_fetch_add(&queue->done, (uint64_t)next - queue->index, __ATOMIC_RELAXED);
	if (queue->core->timing)
		npu_timing_command(queue, cmd);
	queue->index = next;
	npu_count(&worker->count.tasks_done, 1);
	return true;
}

/* Whatever its flags, does @cmd start when all before it have ended? */
bool npu_cmd_waits_for_all(const struct npu_cmd *cmd)
{
	return !(cmd->flags & NPU_CMD_F_OVERLAP) || cmd->opcode == NPU_CMD_BARRIER ||
	       cmd->opcode == NPU_CMD_BRANCH;
}

static bool step_command(struct npu_worker *worker, struct npu_queue *queue)
{
	const struct npu_cmd *cmd;
	enum npu_status status;

	if (npu_load(&queue->failed) || queue->index == queue->sqe.count) {
		queue->phase = NPU_PHASE_DRAIN;
		return true;
	}
	if (!fetch_commands(worker, queue)) {
		fail(queue, NULL);
		return true;
	}
	cmd = npu_queue_cmd(queue);
	status = npu_cmd_check(cmd, queue->cfg.engine);
	if (status != NPU_ST_OK) {
		fail_status(queue, cmd, status,
			    queue->sqe.list + (uint64_t)queue->index * sizeof(*cmd));
		return true;
	}
	if (npu_cmd_waits_for_all(cmd) && !tasks_ended(worker, queue))
		return false;
	if (npu_load(&queue->failed))
		return true;
	if (queue->tasks_started)
		npu_tasks_kick(queue);
	npu_event(worker->core, NPU_CORE_EV_TASK, queue->id, queue->index, cmd->opcode);

	switch (cmd->opcode) {
	case NPU_CMD_KERNEL:
	case NPU_CMD_COPY:
	case NPU_CMD_FILL:
	case NPU_CMD_REDUCE:
		return step_task(worker, queue, cmd);
	case NPU_CMD_BRANCH:
		return step_branch(worker, queue, cmd);
	case NPU_CMD_SEM_WAIT:
		npu_queue_sem_restart(queue);
		queue->phase = NPU_PHASE_SEM;
		return true;
	default:
		if (!run_inline(worker, queue, cmd)) {
			fail(queue, cmd);
			return true;
		}
		if (queue->core->timing)
			npu_timing_command(queue, cmd);
		command_done(worker, queue);
		return true;
	}
}

/* Wait, unless a signal or a reason to leave off came after the second look. True: go on. */
static bool park_sem(struct npu_queue *queue, bool look_again)
{
	struct npu_core *core = queue->core;
	bool go_on = look_again;

	pthread_mutex_lock(&core->lock);
	if (npu_list_empty(&queue->wait_node) || queue->stop || queue->suspend || queue->failed)
		go_on = true;
	if (go_on) {
		npu_sem_unpark(queue);
	} else {
		npu_service_need(core, npu_min(queue->sem_deadline,
					       npu_clock(core) + NPU_SEM_POLL_NS));
		npu_queue_sem_waits(queue);
		park(queue, NPU_Q_SEM);
	}
	pthread_mutex_unlock(&core->lock);
	return go_on;
}

/* The condition does not hold: get on the list of waiters, look again, and only then wait. */
static bool wait_sem(struct npu_worker *worker, struct npu_queue *queue,
		     const struct npu_cmd *cmd, const struct npu_sem_place *place)
{
	struct npu_core *core = queue->core;
	struct npu_sem_place now;
	bool go, ok;

	npu_irq_flush(worker);
	pthread_mutex_lock(&core->lock);
	npu_sem_arm(queue, place);
	pthread_mutex_unlock(&core->lock);
	ok = npu_sem_test(worker, queue, &cmd->sem, &now, &go, &queue->scratch_error);
	return park_sem(queue, !ok || go || now.key != place->key || now.tag != place->tag);
}

static bool step_sem(struct npu_worker *worker, struct npu_queue *queue)
{
	const struct npu_cmd *cmd = npu_queue_cmd(queue);
	struct npu_sem_place place;
	bool go;

	if (npu_load(&queue->failed)) {
		npu_store(&queue->sem_waits, false);
		queue->phase = NPU_PHASE_DRAIN;
		return true;
	}
	queue->scratch_error = (struct npu_error){};
	if (!npu_sem_test(worker, queue, &cmd->sem, &place, &go, &queue->scratch_error)) {
		fail(queue, cmd);
		return true;
	}
	if (go) {
		if (worker->core->timing)
			npu_timing_wait(queue, cmd, place.key, npu_load(&queue->sem_waits));
		npu_store(&queue->sem_waits, false);
		command_done(worker, queue);
		return true;
	}
	if (npu_run_clock(worker->core) >= queue->sem_deadline) {
		fail_status(queue, cmd, NPU_ST_TIMEOUT, cmd->sem.address);
		return true;
	}
	return wait_sem(worker, queue, cmd, &place);
}

static void write_fault(struct npu_queue *queue)
{
	const struct npu_error *e = &queue->error;
	struct npu_core *core = queue->core;
	struct npu_fault fault = {
		.status = e->status,
		.queue = queue->id,
		.context = queue->cfg.context,
		.command = queue->failed_command,
		.access = e->access,
		.unit = e->unit,
		.core = e->core,
		.block = e->block,
		.pc = e->pc,
		.address = e->address,
		.tag = queue->failed_tag,
		.cookie = queue->sqe.cookie,
		.timestamp = npu_timestamp(core),
	};

	npu_event(core, NPU_CORE_EV_FAULT, queue->id, e->status, e->address);
	npu_dma_write(core, queue->cfg.status_block, &fault, sizeof(fault));
}

static bool step_drain(struct npu_worker *worker, struct npu_queue *queue)
{
	if (!tasks_ended(worker, queue))
		return false;
	if (npu_load(&queue->failed) && !queue->fault_written) {
		queue->fault_written = true;
		write_fault(queue);
	}
	queue->phase = NPU_PHASE_COMPLETE;
	return true;
}

/* With the lock: the next slot of the completion ring, or there is none. */
static bool cq_reserve(struct npu_cq *cq, uint64_t *address, bool *phase)
{
	if (cq->tail - cq->head >= cq->entries)
		return false;
	*address = cq->base + (cq->tail & (cq->entries - 1)) * sizeof(struct npu_cqe);
	*phase = !(cq->tail & cq->entries);
	cq->tail++;
	return true;
}

/* With the lock: wait for room in the completion ring. */
static void park_cq(struct npu_queue *queue, struct npu_cq *cq)
{
	if (queue->suspend) {
		park(queue, NPU_Q_SUSPENDED);
		npu_queue_cmd_done(queue, NPU_ST_OK);
	} else {
		abort_done(queue);
		park(queue, NPU_Q_CQ);
		npu_list_add_tail(&cq->waiters, &queue->wait_node);
	}
}

/* What a completion may be like that broken hardware writes. */
static void inject_cqe(struct npu_core *core, struct npu_cqe *cqe)
{
	uint16_t queue = cqe->queue;

	if (npu_inject(core, NPU_INJECT_CQE_COOKIE, queue))
		cqe->cookie = ~cqe->cookie;
	if (npu_inject(core, NPU_INJECT_CQE_QUEUE, queue))
		cqe->queue = ~queue;
	if (npu_inject(core, NPU_INJECT_CQE_HEAD, queue))
		cqe->sq_head = ~cqe->sq_head;
	if (npu_inject(core, NPU_INJECT_CQE_STATUS, queue))
		cqe->status = ~cqe->status;
	if (npu_inject(core, NPU_INJECT_CQE_PHASE, queue))
		cqe->flags ^= NPU_CQE_PHASE;
}

static bool write_cqe(struct npu_queue *queue, uint64_t address, bool phase)
{
	struct npu_core *core = queue->core;
	struct npu_cqe cqe = {
		.cookie = queue->sqe.cookie,
		.aicore_us = queue->aicore_ns / NPU_NS_PER_US,
		.sdma_us = queue->sdma_ns / NPU_NS_PER_US,
		.command = queue->failed ? queue->failed_command : queue->index,
		.queue = queue->id,
		.sq_head = queue->head,
		.status = queue->failed ? queue->error.status : NPU_ST_OK,
		.flags = phase ? NPU_CQE_PHASE : 0,
	};
	uint64_t last;

	inject_cqe(core, &cqe);
	memcpy(&last, (char *)&cqe + CQE_LAST_WORD, sizeof(last));
	if (npu_dma_write(core, address, &cqe, CQE_LAST_WORD))
		return false;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (npu_dma_write(core, address + CQE_LAST_WORD, &last, sizeof(last)))
		return false;
	npu_event(core, NPU_CORE_EV_CQE, queue->id, cqe.cookie, cqe.status);
	return true;
}

/* Stop the queue for good. */
static bool step_fault(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	bool stop;

	npu_count(&worker->count.tasks_failed, 1);
	pthread_mutex_lock(&core->lock);
	stop = queue->stop;
	if (!stop) {
		if (core->timing)
			npu_timing_idle(queue);
		park(queue, NPU_Q_FAULTED);
		npu_queue_cmd_done(queue, NPU_ST_OK);
	}
	pthread_mutex_unlock(&core->lock);
	npu_mcu_raise_int(core, NPU_MCU_INT_FAULT);
	return stop;
}

/* The entry has been dealt with, and that been told as far as it can be. */
static bool step_next(struct npu_worker *worker, struct npu_queue *queue)
{
	if (npu_load(&queue->failed))
		return step_fault(worker, queue);
	queue->phase = NPU_PHASE_FETCH;
	return true;
}

/* Injected: the same completion once more, if there is room for it. */
static void repeat_cqe(struct npu_queue *queue, struct npu_cq *cq)
{
	struct npu_core *core = queue->core;
	uint64_t address;
	bool phase, room;

	pthread_mutex_lock(&core->lock);
	room = cq_reserve(cq, &address, &phase);
	pthread_mutex_unlock(&core->lock);
	if (room)
		write_cqe(queue, address, phase);
}

static bool step_complete(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	struct npu_cq *cq = &core->cqs[queue->cfg.cq];
	bool phase, room, stop;
	uint64_t address;

	if (npu_inject(core, NPU_INJECT_CQE_LOST, queue->id)) {
		npu_store(&queue->head, queue->head + 1);
		return step_next(worker, queue);
	}
	pthread_mutex_lock(&core->lock);
	stop = queue->stop;
	room = !stop && cq_reserve(cq, &address, &phase);
	if (!stop && !room)
		park_cq(queue, cq);
	pthread_mutex_unlock(&core->lock);
	if (!room)
		return stop;
	npu_store(&queue->head, queue->head + 1);
	if (!write_cqe(queue, address, phase)) {
		/* Nobody can be told but the firmware. */
		fail_status(queue, NULL, NPU_ST_BUS, address);
		return step_fault(worker, queue);
	}
	if (npu_inject(core, NPU_INJECT_CQE_TWICE, queue->id))
		repeat_cqe(queue, cq);
	npu_irq_defer(worker, cq->vector);
	return step_next(worker, queue);
}

static bool step(struct npu_worker *worker, struct npu_queue *queue)
{
	if (npu_load(&queue->stop))
		return step_stop(worker, queue);
	if (npu_load(&queue->suspend) && !npu_load(&queue->failed) &&
	    queue->phase <= NPU_PHASE_SEM)
		return step_suspend(worker, queue);
	if (npu_load(&queue->abort) && !npu_load(&queue->failed) &&
	    (queue->phase == NPU_PHASE_COMMAND || queue->phase == NPU_PHASE_SEM))
		return step_abort(queue);
	switch (queue->phase) {
	case NPU_PHASE_FETCH:
		return step_fetch(queue);
	case NPU_PHASE_COMMAND:
		return step_command(worker, queue);
	case NPU_PHASE_SEM:
		return step_sem(worker, queue);
	case NPU_PHASE_DRAIN:
		return step_drain(worker, queue);
	default:
		return step_complete(worker, queue);
	}
}

void npu_queue_run(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_core *core = worker->core;
	unsigned int steps = 0, slices = 0;

	while (step(worker, queue)) {
		if (!worker->ran && ++steps % STEPS_BEFORE_YIELD &&
		    !npu_load(&core->sched.quiesce))
			continue;
		worker->ran = false;
		if (!npu_sched_should_yield(core, queue->work.priority, NULL, ++slices))
			continue;
		pthread_mutex_lock(&core->lock);
		npu_queue_ready(queue, 0);
		pthread_mutex_unlock(&core->lock);
		break;
	}
	npu_irq_flush(worker);
}

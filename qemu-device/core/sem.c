// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Semaphores: 64-bit words in memory that anyone may write. A queue that waits for one is woken
 * by whatever the device itself writes there; for writes by kernels and by the host, the service
 * thread looks at all of them now and then.
 */
#include "npu_internal.h"

#define KEY_SYSTEM	NPU_BIT(63)	/* else an HBM offset */
#define KEY_SPARSE	(KEY_SYSTEM | NPU_BIT(62)) /* never written */
#define POLL_AT_ONCE	64		/* waiters that are looked at after each task */

static struct npu_list *bucket(struct npu_core *core, uint64_t key)
{
	return &core->sem_waiters[(key >> 3 ^ key >> 12) % NPU_SEM_BUCKETS];
}

bool npu_sem_satisfied(const struct npu_cmd_sem *sem, uint64_t value)
{
	switch (sem->op) {
	case NPU_SEM_GE:
		return value >= sem->value;
	case NPU_SEM_EQ:
		return value == sem->value;
	default:
		return value != sem->value;
	}
}

static uint64_t apply(const struct npu_cmd_sem *sem, uint64_t value)
{
	switch (sem->op) {
	case NPU_SEM_ADD:
		return value + sem->value;
	case NPU_SEM_MAX:
		return npu_max(value, sem->value);
	default:
		return sem->value;
	}
}

uint64_t npu_sem_key(const struct npu_run *run)
{
	if (run->sparse)
		return KEY_SPARSE;
	return run->host ? run->phys : run->phys | KEY_SYSTEM;
}

static bool word_load(struct npu_core *core, const struct npu_run *run, uint64_t *value)
{
	void *map;
	uint64_t *word;

	*value = 0;
	if (run->sparse)
		return true;
	word = npu_word_get(core, run, false, &map);
	if (!word)
		return !npu_dma_read(core, run->phys, value, sizeof(*value));
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	npu_word_put(core, map, false);
	return true;
}

/* Add and max are atomic against everyone, unless the word can only be had by DMA. */
static bool word_apply(struct npu_core *core, const struct npu_run *run,
		       const struct npu_cmd_sem *sem, uint64_t *result)
{
	uint64_t old = 0, new;
	uint64_t *word;
	void *map;

	if (run->sparse)
		return true;
	word = npu_word_get(core, run, true, &map);
	if (!word) {
		if (sem->op != NPU_SEM_SET && npu_dma_read(core, run->phys, &old, sizeof(old)))
			return false;
		*result = new = apply(sem, old);
		return !npu_dma_write(core, run->phys, &new, sizeof(new));
	}
	old = npu_load(word);
	do {
		new = apply(sem, old);
	} while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	npu_word_put(core, map, true);
	*result = new;
	return true;
}

/* Look at a semaphore, and where it is: there its writers find the queues that wait for it. */
bool npu_sem_test(struct npu_worker *worker, const struct npu_queue *queue,
		  const struct npu_cmd_sem *sem, struct npu_sem_place *place, bool *go,
		  struct npu_error *error)
{
	struct npu_view view;
	struct npu_run run;
	uint64_t value = 0;
	bool ok;

	npu_section_enter(worker, queue->cfg.context, &view);
	ok = npu_translate(worker, &view, sem->address, sizeof(value), NPU_ACCESS_READ, &run,
			   error);
	if (ok) {
		place->key = npu_sem_key(&run);
		place->tag = view.tag;
		ok = word_load(worker->core, &run, &value) ||
		     npu_bus_error(error, NPU_ACCESS_READ, sem->address);
	}
	npu_section_leave(worker);
	*go = ok && npu_sem_satisfied(sem, value);
	return ok;
}

/* If time is modelled it is noted first: who sees the value has to find it. */
static bool signal_run(struct npu_queue *queue, const struct npu_cmd *cmd,
		       const struct npu_run *run)
{
	const struct npu_cmd_sem *sem = &cmd->sem;
	uint64_t key = npu_sem_key(run), value = 0;
	unsigned int mark;

	if (!queue->core->timing)
		return word_apply(queue->core, run, sem, &value);
	mark = npu_timing_mark(queue, cmd, key, sem->op == NPU_SEM_SET ? &sem->value : NULL);
	if (!word_apply(queue->core, run, sem, &value))
		return false;
	npu_timing_marked(queue->core, key, mark, value);
	return true;
}

bool npu_sem_signal(struct npu_worker *worker, struct npu_queue *queue,
		    const struct npu_cmd *cmd, struct npu_error *error)
{
	const struct npu_cmd_sem *sem = &cmd->sem;
	struct npu_view view;
	struct npu_run run;
	bool ok;

	npu_section_enter(worker, queue->cfg.context, &view);
	ok = sem->op == NPU_SEM_SET ||
	     npu_translate(worker, &view, sem->address, sizeof(uint64_t), NPU_ACCESS_READ, &run,
			   error);
	ok = ok && npu_translate(worker, &view, sem->address, sizeof(uint64_t), NPU_ACCESS_WRITE,
				 &run, error);
	ok = ok && (signal_run(queue, cmd, &run) ||
		    npu_bus_error(error, NPU_ACCESS_WRITE, sem->address));
	npu_section_leave(worker);
	if (ok)
		npu_sem_wake(worker->core, npu_sem_key(&run));
	return ok;
}

/* With the lock. Armed before the last look at the semaphore, so that no signal is missed. */
void npu_sem_arm(struct npu_queue *queue, const struct npu_sem_place *place)
{
	struct npu_core *core = queue->core;

	queue->sem = *place;
	npu_list_add_tail(bucket(core, place->key), &queue->wait_node);
	__atomic_fetch_add(&core->sem_waiting, 1, __ATOMIC_SEQ_CST);
}

/* With the lock. False if a signal has done it already. */
bool npu_sem_unpark(struct npu_queue *queue)
{
	if (npu_list_empty(&queue->wait_node))
		return false;
	npu_list_del(&queue->wait_node);
	npu_store(&queue->core->sem_waiting, queue->core->sem_waiting - 1);
	return true;
}

static void wake(struct npu_queue *queue)
{
	npu_sem_unpark(queue);
	if (queue->state == NPU_Q_SEM)
		npu_queue_ready(queue, 1);
}

/* The word at @key has been written by the device. */
void npu_sem_wake(struct npu_core *core, uint64_t key)
{
	struct npu_list *head = bucket(core, key), *node, *next;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!npu_load(&core->sem_waiting))
		return;
	pthread_mutex_lock(&core->lock);
	for (node = head->next; node != head; node = next) {
		struct npu_queue *queue = npu_container(node, struct npu_queue, wait_node);

		next = node->next;
		if (queue->sem.key == key)
			wake(queue);
	}
	pthread_mutex_unlock(&core->lock);
}

void npu_sem_wake_run(struct npu_core *core, const struct npu_run *run)
{
	npu_sem_wake(core, npu_sem_key(run));
}

/* A waiter that its owner should look at; HBM can be looked at here and now. */
static bool worth_waking(struct npu_queue *queue, uint64_t now, bool system)
{
	struct npu_core *core = queue->core;
	const struct npu_cmd_sem *sem = &npu_queue_cmd(queue)->sem;

	if (queue->sem_deadline <= now ||
	    npu_load(&core->contexts[queue->cfg.context].tag) != queue->sem.tag)
		return true;
	if (queue->sem.key & KEY_SYSTEM)
		return system && queue->sem.key != KEY_SPARSE;
	return npu_sem_satisfied(sem, __atomic_load_n((uint64_t *)(core->hbm + queue->sem.key),
					      __ATOMIC_ACQUIRE));
}

/* With the lock: wake the waiters that may go on. Returns when the others' first deadline is. */
uint64_t npu_sem_poll(struct npu_core *core, bool system)
{
	uint64_t now = npu_run_clock(core), due = NPU_NEVER;
	unsigned int i;

	for (i = 0; i < NPU_SEM_BUCKETS && core->sem_waiting; i++) {
		struct npu_list *head = &core->sem_waiters[i], *node, *next;

		for (node = head->next; node != head; node = next) {
			struct npu_queue *queue = npu_container(node, struct npu_queue, wait_node);

			next = node->next;
			if (worth_waking(queue, now, system))
				wake(queue);
			else
				due = npu_min(due, queue->sem_deadline);
		}
	}
	return due == NPU_NEVER ? NPU_NEVER : npu_clock(core) + npu_max(due, now) - now;
}

/* A task that may have written semaphores has ended. With the lock. */
void npu_sem_after_task(struct npu_core *core)
{
	if (core->sem_waiting && core->sem_waiting <= POLL_AT_ONCE)
		npu_sem_poll(core, true);
}

void npu_sems_reset(struct npu_core *core)
{
	unsigned int i;

	for (i = 0; i < NPU_SEM_BUCKETS; i++)
		npu_list_init(&core->sem_waiters[i]);
	npu_store(&core->sem_waiting, 0);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads: workers, which take work from the scheduler's lists, and the service thread, which
 * does what is due at some time. In sync mode the host's thread is both.
 */
#include <sched.h>
#include <time.h>

#include <glib.h>

#include "npu_internal.h"

#define SPIN_NS		50000	/* without work, before a worker sleeps */
#define SPIN_BUSY_NS	200000	/* while others work: much work follows on what they do */
#define SPIN_LOOKS	256	/* before it lets others have the CPU */
#define CROWDED_MIN_NS	(2 * NPU_NS_PER_MS) /* without spins, after one that had no CPU for long; */
#define CROWDED_MAX_NS	(128 * NPU_NS_PER_MS) /* twice as long each time, at most */
#define IDLE_TICKS	32	/* polls without a waiter before the service thread sleeps */
#define SEM_POLL_EACH_NS 2000	/* how long polls may take, as a multiple of their cost */
#define WAIT_MAX_NS	(100 * NPU_NS_PER_MS)
#define SYNC_MCU_ROUNDS	100	/* of npu_mcu_run() in one call without other progress */

uint64_t npu_host_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* With the lock, which is dropped meanwhile: what has ended is followed by what is next at once. */
static void run(struct npu_worker *worker, const struct npu_pick *pick)
{
	pthread_mutex_unlock(&worker->core->lock);
	if (pick->helper)
		pthread_cond_signal(&pick->helper->wake);
	switch (pick->kind) {
	case NPU_WORK_QUEUE:
		npu_queue_run(worker, pick->queue);
		pthread_mutex_lock(&worker->core->lock);
		break;
	case NPU_WORK_TASK:
		if (pick->aicore)
			npu_aicore_start(worker, pick->aicore, pick->unit, pick->units);
		else
			npu_sdma_unit(worker, pick->task, pick->unit);
		break;
	case NPU_WORK_CORE:
		npu_aicore_resume(worker, pick->aicore);
		break;
	}
}

static bool nothing_to_do(const struct npu_sched *s)
{
	return !npu_load(&s->exit) && (npu_load(&s->quiesce) || !npu_load(&s->ready_mask));
}

/*
 * To be woken takes longer than many kernels do, and costs the one who wakes as much. Whoever else
 * wants the CPU, as that of the guest may, gets it meanwhile. False: that has taken it for long, and
 * nobody was woken for what came in between; one who sleeps gets the CPU sooner.
 */
static bool spin(const struct npu_sched *s)
{
	uint64_t start = npu_host_ns(), now = start, worked = start;
	unsigned int i;

	while (nothing_to_do(s) && now - worked < SPIN_NS && now - start < SPIN_BUSY_NS) {
		for (i = 0; i < SPIN_LOOKS && nothing_to_do(s); i++)
			__builtin_ia32_pause();
		if (i == SPIN_LOOKS)
			sched_yield();
		now = npu_host_ns();
		if (npu_load(&s->active))
			worked = now;
	}
	return now - start < 2 * SPIN_BUSY_NS;
}

/* With the lock: the CPUs may be crowded for a moment, or all the time. */
static void set_crowded(struct npu_sched *s, bool had_cpu)
{
	if (had_cpu) {
		s->crowded_ns = 0;
		return;
	}
	s->crowded_ns = s->crowded_ns ? npu_min(2 * s->crowded_ns, CROWDED_MAX_NS) : CROWDED_MIN_NS;
	s->crowded = npu_host_ns() + s->crowded_ns;
}

/* With the lock, which is dropped meanwhile. Some look around for a little, the others sleep. */
static void idle(struct npu_worker *worker)
{
	struct npu_core *core = worker->core;
	struct npu_sched *s = &core->sched;
	bool had_cpu;

	if (s->searching < s->max_searching && !s->quiesce && npu_host_ns() >= s->crowded) {
		s->searching++;
		pthread_mutex_unlock(&core->lock);
		had_cpu = spin(s);
		pthread_mutex_lock(&core->lock);
		s->searching--;
		set_crowded(s, had_cpu);
		if (!nothing_to_do(s))
			return;
	}
	worker->sleeping = true;
	s->sleepers++;
	while (worker->sleeping)
		pthread_cond_wait(&worker->wake, &core->lock);
	s->searching--;
}

static void leave_active(struct npu_core *core)
{
	struct npu_sched *s = &core->sched;

	npu_store(&s->active, s->active - 1);
	if (!s->active && s->quiesce)
		pthread_cond_broadcast(&s->quiet);
}

static void *worker_main(void *arg)
{
	struct npu_worker *worker = arg;
	struct npu_core *core = worker->core;
	struct npu_sched *s = &core->sched;
	struct npu_pick pick;

	pthread_mutex_lock(&core->lock);
	while (!s->exit) {
		if (s->quiesce || !npu_sched_pick(worker, &pick)) {
			idle(worker);
			continue;
		}
		npu_store(&s->active, s->active + 1);
		run(worker, &pick);
		leave_active(core);
	}
	pthread_mutex_unlock(&core->lock);
	return NULL;
}

/* With the lock: the service thread is to look at its work at @due. */
void npu_service_need(struct npu_core *core, uint64_t due)
{
	if (due >= core->service_due)
		return;
	core->service_due = due;
	if (!core->cfg.sync)
		pthread_cond_signal(&core->service_wake);
}

/* With the lock, dropped while interrupts are raised. Returns when to call again. */
static uint64_t service(struct npu_core *core, uint64_t now)
{
	uint64_t due = npu_irq_run(core, now);

	if (!core->sem_waiting) {
		if (core->cfg.sync || core->idle_ticks >= IDLE_TICKS)
			return due;
		core->idle_ticks++;
		return npu_min(due, now + NPU_SEM_POLL_NS);
	}
	core->idle_ticks = 0;
	due = npu_min(due, npu_sem_poll(core, true));
	if (core->sem_waiting)
		due = npu_min(due, now + npu_max(NPU_SEM_POLL_NS,
						 core->sem_waiting * SEM_POLL_EACH_NS));
	return due;
}

static void service_wait(struct npu_core *core, uint64_t ns)
{
	struct timespec until;

	ns = npu_min(ns, WAIT_MAX_NS);
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	pthread_cond_timedwait(&core->service_wake, &core->lock, &until);
}

static void service_round(struct npu_core *core)
{
	uint64_t now = npu_clock(core), due;

	if (core->service_due == NPU_NEVER) {
		pthread_cond_wait(&core->service_wake, &core->lock);
	} else if (core->service_due > now) {
		service_wait(core, core->service_due - now);
	} else {
		core->service_due = NPU_NEVER;
		npu_store(&core->sched.active, core->sched.active + 1);
		due = service(core, now);
		core->service_due = npu_min(core->service_due, due);
		leave_active(core);
	}
}

static void *service_main(void *arg)
{
	struct npu_core *core = arg;

	pthread_mutex_lock(&core->lock);
	while (!core->sched.exit) {
		if (core->reset_wanted) {
			core->reset_wanted = false;
			pthread_mutex_unlock(&core->lock);
			npu_reset(core);
			pthread_mutex_lock(&core->lock);
		} else if (core->sched.quiesce) {
			pthread_cond_wait(&core->service_wake, &core->lock);
		} else {
			service_round(core);
		}
	}
	pthread_mutex_unlock(&core->lock);
	return NULL;
}

/* Run all there is, in the host's thread. A call from within a host function has no effect. */
void npu_sync_run(struct npu_core *core)
{
	struct npu_worker *worker = &core->workers[0];
	unsigned int mcu_rounds = SYNC_MCU_ROUNDS;
	struct npu_pick pick;
	bool progress;

	if (!core->cfg.sync || core->sync_running || core->sched.quiesce)
		return;
	core->sync_running = true;
	do {
		progress = false;
		pthread_mutex_lock(&core->lock);
		while (!core->reset_wanted && npu_sched_pick(worker, &pick)) {
			run(worker, &pick);
			progress = true;
		}
		pthread_mutex_unlock(&core->lock);
		if (mcu_rounds && npu_mcu_run(core)) {
			mcu_rounds--;
			progress = true;
		}
		progress |= npu_load(&core->sched.ready_mask);
	} while (progress && !core->reset_wanted);
	core->sync_running = false;
	if (core->reset_wanted)
		npu_reset(core);
}

uint64_t npu_core_poll(struct npu_core *core)
{
	uint64_t due, now = npu_clock(core);

	if (!core->cfg.sync || core->sync_running)
		return NPU_NEVER;
	pthread_mutex_lock(&core->lock);
	service(core, now);
	pthread_mutex_unlock(&core->lock);
	npu_sync_run(core);
	pthread_mutex_lock(&core->lock);
	due = service(core, now);
	pthread_mutex_unlock(&core->lock);
	return npu_min(due, npu_mcu_next_event(core));
}

/* Have all threads stand still. The caller holds no lock that a host function may want. */
void npu_quiesce_begin(struct npu_core *core)
{
	unsigned int i;
	bool first;

	pthread_mutex_lock(&core->lock);
	first = !core->sched.quiesce;
	npu_store(&core->sched.quiesce, core->sched.quiesce + 1);
	for (i = 0; i < core->nr_aicores; i++)
		if (npu_load_acquire(&core->aicores[i].worker))
			npu_aicore_interrupt(&core->aicores[i]);
	while (core->sched.active)
		pthread_cond_wait(&core->sched.quiet, &core->lock);
	pthread_mutex_unlock(&core->lock);
	if (first)
		npu_mcu_pause(core);
}

void npu_quiesce_end(struct npu_core *core)
{
	bool last;

	pthread_mutex_lock(&core->lock);
	npu_store(&core->sched.quiesce, core->sched.quiesce - 1);
	last = !core->sched.quiesce;
	if (last) {
		npu_sched_wake(core, core->nr_workers);
		pthread_cond_signal(&core->service_wake);
	}
	pthread_mutex_unlock(&core->lock);
	if (last)
		npu_mcu_resume(core);
}

bool npu_threads_start(struct npu_core *core)
{
	unsigned int i;

	core->sched.exit = false;
	if (core->cfg.sync)
		return true;
	/* One CPU is for the host, that is, for the guest. */
	core->sched.max_searching = npu_max(g_get_num_processors(), 2) - 1;
	if (pthread_create(&core->service, NULL, service_main, core))
		return false;
	core->threads = 1;
	for (i = 0; i < core->nr_workers; i++, core->threads++)
		if (pthread_create(&core->workers[i].thread, NULL, worker_main,
				   &core->workers[i]))
			return false;
	return true;
}

void npu_threads_stop(struct npu_core *core)
{
	unsigned int i;

	pthread_mutex_lock(&core->lock);
	npu_store(&core->sched.exit, true);
	npu_sched_wake(core, core->nr_workers);
	if (!core->cfg.sync)
		pthread_cond_signal(&core->service_wake);
	pthread_mutex_unlock(&core->lock);
	if (core->threads)
		pthread_join(core->service, NULL);
	for (i = 1; i < core->threads; i++)
		pthread_join(core->workers[i - 1].thread, NULL);
	core->threads = 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The clocks of queues. A queue that has something to do has a clock of its own, which commands
 * move on by what they would take. Where the host is slow, no time goes by: what comes to an idle
 * device within IDLE_NS is taken to have come at once.
 */
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"

#define IDLE_NS (1000 * NPU_NS_PER_MS)

/* What is written nobody shall see before its time: the device's clock is set forward. */
static void reached(struct npu_core *core, uint64_t at)
{
	uint64_t now;

	core->timing->now = npu_max(core->timing->now, at);
	now = npu_timestamp(core);
	if (at > now)
		npu_store(&core->time_ahead, core->time_ahead + (at - now));
}

/* When a command of @queue that does not run beside others is over, but for what it does. */
static uint64_t command_at(const struct npu_queue *queue, const struct npu_cmd *cmd)
{
	const struct npu_queue_clock *clock = &queue->clock;
	uint64_t at =
		npu_cmd_waits_for_all(cmd) ? npu_max(clock->issue, clock->done) : clock->issue;

	return at + queue->core->timing->profile->command_ns;
}

static void move_to(struct npu_queue *queue, uint64_t at)
{
	queue->clock.issue = at;
	queue->clock.done = npu_max(queue->clock.done, at);
	reached(queue->core, at);
}

void npu_timing_busy(struct npu_queue *queue)
{
	struct npu_core *core = queue->core;
	struct npu_timing *t = core->timing;

	if (queue->clock.busy)
		return;
	pthread_mutex_lock(&core->lock);
	if (!t->busy++ && npu_clock(core) - t->idle_since >= IDLE_NS)
		t->now = npu_max(t->now, npu_timestamp(core));
	queue->clock.busy = true;
	queue->clock.issue = npu_max(queue->clock.issue, t->now);
	queue->clock.done = npu_max(queue->clock.done, queue->clock.issue);
	pthread_mutex_unlock(&core->lock);
}

void npu_timing_idle(struct npu_queue *queue)
{
	struct npu_timing *t = queue->core->timing;

	if (!queue->clock.busy)
		return;
	queue->clock.busy = false;
	if (!--t->busy)
		t->idle_since = npu_clock(queue->core);
}

void npu_timing_command(struct npu_queue *queue, const struct npu_cmd *cmd)
{
	struct npu_core *core = queue->core;

	pthread_mutex_lock(&core->lock);
	move_to(queue, command_at(queue, cmd));
	pthread_mutex_unlock(&core->lock);
}

uint64_t npu_timing_stamp(struct npu_queue *queue, const struct npu_cmd *cmd)
{
	struct npu_core *core = queue->core;
	uint64_t at;

	pthread_mutex_lock(&core->lock);
	at = command_at(queue, cmd);
	reached(core, at);
	pthread_mutex_unlock(&core->lock);
	return at;
}

/* Tasks. */

struct npu_booking *npu_timing_start(struct npu_queue *queue, const struct npu_cmd *cmd,
				     uint64_t units)
{
	bool kernel = cmd->opcode == NPU_CMD_KERNEL;
	struct npu_booking *booking;

	move_to(queue, command_at(queue, cmd));
	booking = npu_booking_new(queue->core->timing->profile, units,
				  kernel ? queue->cfg.core_mask : 0,
				  kernel ? cmd->kernel.max_cores : 0);
	if (!booking)
		return NULL;
	booking->at = queue->clock.issue;
	npu_list_add_tail(&queue->clock.bookings, &booking->node);
	return booking;
}

void npu_timing_block_start(struct npu_aicore *ac)
{
	const struct npu_booking *booking = ac->task->booking;
	struct npu_core *core = ac->core;

	npu_pipes_start(ac->pipes, ac->cpu.instret,
			booking ? npu_booking_cores(booking) : core->cfg.cores);
	ac->pipes_base =
		booking ? booking->at + core->timing->profile->kernel_ns : npu_timestamp(core);
}

void npu_timing_block_end(struct npu_aicore *ac)
{
	struct npu_core *core = ac->core;

	pthread_mutex_lock(&core->lock);
	npu_booking_block(ac->task->booking, ac->block, ac->pipes, ac->cpu.instret);
	pthread_mutex_unlock(&core->lock);
}

static void finish_kernel(struct npu_worker *worker, struct npu_queue *queue,
			  const struct npu_booking *booking)
{
	struct npu_timing *t = queue->core->timing;
	struct npu_span span;

	npu_book_kernel(t->profile, booking, t->core_free, &span);
	queue->clock.done = npu_max(queue->clock.done, span.end);
	__atomic_fetch_add(&queue->aicore_ns, span.core_ns, __ATOMIC_RELAXED);
	if (!worker)
		return;
	npu_count(&worker->count.aicore_ns, span.core_ns);
	npu_count(&worker->count.cube_ns, span.busy_ns[NPU_PIPE_M]);
	npu_count(&worker->count.vector_ns, span.busy_ns[NPU_PIPE_V]);
}

static void finish_sdma(struct npu_worker *worker, struct npu_queue *queue,
			const struct npu_booking *booking)
{
	struct npu_timing *t = queue->core->timing;
	uint64_t ns = npu_sdma_ns(t->profile, &booking->traffic);

	t->sdma_free = npu_max(t->sdma_free, booking->at) + ns;
	queue->clock.done = npu_max(queue->clock.done, t->sdma_free);
	__atomic_fetch_add(&queue->sdma_ns, ns, __ATOMIC_RELAXED);
	if (worker)
		npu_count(&worker->count.sdma_ns, ns);
}

/* Book what has ended, as far as all before it has. */
static void finish(struct npu_worker *worker, struct npu_queue *queue)
{
	struct npu_list *list = &queue->clock.bookings;

	while (!npu_list_empty(list)) {
		struct npu_booking *booking = npu_container(list->next, struct npu_booking, node);

		if (!booking->ended)
			break;
		if (booking->kernel)
			finish_kernel(worker, queue, booking);
		else
			finish_sdma(worker, queue, booking);
		npu_list_del(&booking->node);
		npu_booking_free(booking);
	}
	reached(queue->core, queue->clock.done);
}

void npu_timing_end(struct npu_worker *worker, struct npu_task *task)
{
	task->booking->ended = true;
	task->booking = NULL;
	finish(worker, task->queue);
}

void npu_timing_moved(struct npu_booking *booking, const struct npu_traffic *traffic)
{
	struct npu_traffic *sum = &booking->traffic;

	__atomic_fetch_add(&sum->bytes, traffic->bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sum->hbm, traffic->hbm, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sum->bus, traffic->bus, __ATOMIC_RELAXED);
}

void npu_timing_copy(struct npu_worker *worker, struct npu_queue *queue, const struct npu_cmd *cmd,
		     const struct npu_traffic *traffic)
{
	struct npu_core *core = queue->core;
	struct npu_booking *booking;

	pthread_mutex_lock(&core->lock);
	booking = npu_timing_start(queue, cmd, 1);
	if (booking) {
		booking->traffic = *traffic;
		booking->ended = true;
		finish(worker, queue);
	}
	pthread_mutex_unlock(&core->lock);
}

/* Semaphores. */

static struct npu_marks *marks_of(struct npu_timing *t, uint64_t key)
{
	return &t->marks[(key >> 3 ^ key >> 12) % NPU_MARK_BUCKETS];
}

unsigned int npu_timing_mark(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t key,
			     const uint64_t *value)
{
	struct npu_core *core = queue->core;
	struct npu_marks *marks;
	unsigned int index;

	pthread_mutex_lock(&core->lock);
	marks = marks_of(core->timing, key);
	index = marks->count++;
	marks->ring[index % NPU_MARKS] = (struct npu_mark){
		.key = key,
		.value = value ? *value : 0,
		.at = command_at(queue, cmd),
		.pending = !value,
	};
	pthread_mutex_unlock(&core->lock);
	return index;
}

void npu_timing_marked(struct npu_core *core, uint64_t key, unsigned int index, uint64_t value)
{
	struct npu_marks *marks;

	pthread_mutex_lock(&core->lock);
	marks = marks_of(core->timing, key);
	if (marks->count - index <= NPU_MARKS) {
		marks->ring[index % NPU_MARKS].value = value;
		marks->ring[index % NPU_MARKS].pending = false;
	}
	pthread_mutex_unlock(&core->lock);
}

/* Since when has what @sem waits for been so? 0 if no queue has brought it about. */
static uint64_t signalled(struct npu_timing *t, const struct npu_cmd_sem *sem, uint64_t key)
{
	const struct npu_marks *marks = marks_of(t, key);
	unsigned int left = npu_min(marks->count, NPU_MARKS), i;
	uint64_t at = 0;

	for (i = marks->count; left; left--) {
		const struct npu_mark *mark = &marks->ring[--i % NPU_MARKS];

		if (mark->key != key)
			continue;
		if (!mark->pending && !npu_sem_satisfied(sem, mark->value))
			break;
		at = mark->at;
	}
	return at;
}

void npu_timing_wait(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t key, bool waited)
{
	struct npu_core *core = queue->core;
	uint64_t at, since;

	pthread_mutex_lock(&core->lock);
	at = command_at(queue, cmd);
	since = signalled(core->timing, &cmd->sem, key);
	if (!since && waited)
		since = core->timing->now;
	move_to(queue, npu_max(at, since));
	pthread_mutex_unlock(&core->lock);
}

/* Life. */

bool npu_timing_init(struct npu_core *core)
{
	const struct npu_profile *profile = npu_profile_find(core->cfg.timing);

	if (!profile)
		return true;
	core->timing = calloc(1, sizeof(*core->timing));
	if (core->timing)
		core->timing->profile = profile;
	return core->timing;
}

/* Queues are gone; what was booked goes on to lie behind. */
void npu_timing_reset(struct npu_core *core)
{
	core->timing->busy = 0;
	memset(core->timing->marks, 0, sizeof(core->timing->marks));
}

void npu_timing_forget(struct npu_queue *queue)
{
	struct npu_list *list = &queue->clock.bookings;

	npu_timing_idle(queue);
	while (!npu_list_empty(list)) {
		struct npu_booking *booking = npu_container(list->next, struct npu_booking, node);

		npu_list_del(&booking->node);
		npu_booking_free(booking);
	}
}

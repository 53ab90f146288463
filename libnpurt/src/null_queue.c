// SPDX-License-Identifier: MIT
/*
 * Null device: queues, and the thread that serves those that have jobs, in turn.
 */
#include "null.h"

#include <errno.h>
#include <stdlib.h>

#define DEFAULT_TIMEOUT_MS 10000
#define SLICE 64 /* commands of one queue before the next has its turn */
/* The CPU may write to a semaphore without telling anyone. */
#define POLL_NS 100000

static bool waits(const struct null_job *job)
{
	for (uint32_t i = 0; i < job->num_syncs; i++) {
		const struct null_sync *sync = &job->syncs[i];

		if (!sync->signal && null_signalled(sync->syncobj) < sync->point)
			return true;
	}
	return false;
}

static void free_job(struct null_job *job)
{
	for (uint32_t i = 0; i < job->num_syncs; i++)
		null_syncobj_put(job->syncs[i].syncobj);
	free(job);
}

static int status_of(const struct null_queue *queue)
{
	switch (queue->state.state) {
	case DRM_NPU_QUEUE_OK:
		return 0;
	case DRM_NPU_QUEUE_TIMEOUT:
		return -ETIME;
	case DRM_NPU_QUEUE_FAULT:
		return -EFAULT;
	default:
		return -ECANCELED;
	}
}

static void end_job(struct null_file *file, struct null_queue *queue)
{
	struct null_job *job = queue->first;

	for (uint32_t i = 0; i < job->num_syncs; i++) {
		if (job->syncs[i].signal)
			null_signal(&job->syncs[i], status_of(queue));
	}
	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->index = 0;
	queue->deadline = 0;
	queue->loop_start = 0;
	queue->state.jobs_completed++;
	if (queue->state.state == DRM_NPU_QUEUE_OK)
		file->jobs_done++;
	else
		file->jobs_failed++;
	free_job(job);
	pthread_cond_broadcast(&file->done);
}

/* Execution. */

static void stop_queue(const struct null_task *task, uint32_t status)
{
	struct null_queue *queue = task->queue;
	struct drm_npu_queue_get_state *state = &queue->state;
	const struct npu_cmd *cmd = &task->cmd;

	state->state = status == NPU_ST_TIMEOUT ? DRM_NPU_QUEUE_TIMEOUT : DRM_NPU_QUEUE_FAULT;
	state->fault_status = status;
	state->fault_command = queue->index;
	state->fault_access = task->access;
	state->fault_unit = cmd->opcode == NPU_CMD_KERNEL ? NPU_UNIT_SCALAR
			    : cmd->opcode == NPU_CMD_COPY ? NPU_UNIT_SDMA
							  : NPU_UNIT_SCHED;
	state->fault_pc = cmd->opcode == NPU_CMD_KERNEL ? cmd->kernel.entry : 0;
	state->fault_address = task->address;
	state->fault_tag = cmd->tag;
	state->fault_timestamp = null_now_ticks();
	state->recovery = DRM_NPU_RECOVERY_TASK;
	state->guilty = 1;
	if (task->access == NPU_ACCESS_NONE)
		return;
	queue->vm->faults++;
	queue->vm->fault_address = task->address;
	queue->vm->fault_access = task->access;
	queue->vm->fault_status = status;
}

uint64_t null_timeout_ns(const struct null_queue *queue, const struct npu_cmd *cmd)
{
	const uint32_t job_ms = queue->first->job.timeout_ms;

	if (cmd->timeout_us)
		return cmd->timeout_us * 1000ULL;
	return (job_ms ? job_ms : queue->timeout_ms) * 1000000ULL;
}

static bool too_late(struct null_queue *queue, const struct npu_cmd *cmd)
{
	const uint64_t now = null_now_ns();

	if (!queue->deadline)
		queue->deadline = now + null_timeout_ns(queue, cmd);
	return now >= queue->deadline;
}

/* False if the queue's first command has to wait. */
static bool step(struct null_file *file, struct null_queue *queue)
{
	struct null_task task = { .file = file, .queue = queue };
	const struct drm_npu_job *job = &queue->first->job;
	uint32_t status;

	if (queue->state.state != DRM_NPU_QUEUE_OK || queue->index == job->count) {
		end_job(file, queue);
		return true;
	}
	if (!queue->index && waits(queue->first))
		return false;
	status = null_fetch(&task, job->list, queue->index);
	if (!status)
		status = null_execute(&task);
	if (status == NULL_AGAIN) {
		if (!too_late(queue, &task.cmd))
			return false;
		status = NPU_ST_TIMEOUT;
	}
	/* It may have been reset while the lock was not held. */
	if (status && queue->state.state == DRM_NPU_QUEUE_OK)
		stop_queue(&task, status);
	queue->index++;
	queue->deadline = 0;
	queue->commands_done += !status;
	queue->moved_ns = null_now_ns();
	return true;
}

static void make_ready(struct null_file *file, struct null_queue *queue)
{
	queue->next = NULL;
	*file->ready_tail = queue;
	file->ready_tail = &queue->next;
	file->num_ready++;
}

static void take_ready(struct null_file *file, struct null_queue **link)
{
	struct null_queue *queue = *link;

	*link = queue->next;
	if (!queue->next)
		file->ready_tail = link;
	file->num_ready--;
}

/* The queue that is first in the list has its turn; false if it could do nothing. */
static bool serve(struct null_file *file)
{
	struct null_queue *queue = file->ready;
	unsigned int steps = 0;

	take_ready(file, &file->ready);
	file->running = queue;
	while (queue->first && steps < SLICE && step(file, queue))
		steps++;
	file->running = NULL;
	if (queue->first)
		make_ready(file, queue);
	pthread_cond_broadcast(&file->done);
	return steps > 0;
}

static void poll_wait(struct null_file *file)
{
	const uint64_t end = null_now_ns() + POLL_NS;
	const struct timespec ts = {
		.tv_sec = (time_t)(end / 1000000000),
		.tv_nsec = (long)(end % 1000000000),
	};

	pthread_cond_timedwait(&file->work, &file->lock, &ts);
}

static void *device_thread(void *arg)
{
	struct null_file *file = arg;
	unsigned int stuck = 0; /* queues in a row that wait */

	pthread_mutex_lock(&file->lock);
	while (!file->stop) {
		null_serve_eventfds(file);
		if (!file->ready && !file->eventfds) {
			pthread_cond_wait(&file->work, &file->lock);
		} else if (stuck >= file->num_ready) {
			poll_wait(file);
			stuck = 0;
		} else {
			stuck = serve(file) ? 0 : stuck + 1;
		}
	}
	pthread_mutex_unlock(&file->lock);
	return NULL;
}

int null_start(struct null_file *file)
{
	if (file->has_thread)
		return 0;
	if (rt_thread_start(&file->thread, device_thread, file))
		return -EAGAIN;
	file->has_thread = true;
	return 0;
}

void null_stop(struct null_file *file)
{
	if (!file->has_thread)
		return;
	file->stop = true;
	pthread_cond_signal(&file->work);
	pthread_mutex_unlock(&file->lock);
	rt_thread_join(&file->thread);
	pthread_mutex_lock(&file->lock);
}

/* Calls. */

int null_queue_create(struct null_file *file, struct drm_npu_queue_create *args)
{
	struct null_vm *vm = null_find(&file->vms, args->vm_id);
	struct null_queue *queue;
	int err;

	if (!vm)
		return -ENOENT;
	if (args->flags || args->pad || args->engine_class > DRM_NPU_ENGINE_COPY ||
	    args->priority > DRM_NPU_QUEUE_PRIORITY_REALTIME || args->core_mask & ~NULL_CORE_MASK)
		return -EINVAL;
	if (args->priority > DRM_NPU_QUEUE_PRIORITY_NORMAL)
		return -EACCES;
	if (file->wedged)
		return -EIO;
	if (file->queues.count == NULL_MAX_QUEUES)
		return -ENOSPC;
	err = null_start(file);
	if (err)
		return err;
	queue = calloc(1, sizeof(*queue));
	args->id = null_insert(&file->queues, queue);
	if (!args->id) {
		free(queue);
		return -ENOMEM;
	}
	queue->vm = vm;
	queue->class = args->engine_class;
	queue->timeout_ms = args->timeout_ms ? args->timeout_ms : DEFAULT_TIMEOUT_MS;
	queue->last = &queue->first;
	queue->state.id = args->id;
	vm->queues++;
	return 0;
}

int null_queue_destroy(struct null_file *file, uint32_t id)
{
	struct null_queue *queue = null_remove(&file->queues, id);

	if (!queue)
		return -ENOENT;
	/* What has not run is dropped: a step ends jobs of a queue that is not well. */
	queue->state.state = DRM_NPU_QUEUE_LOST;
	pthread_cond_signal(&file->work);
	while (queue->first || file->running == queue)
		pthread_cond_wait(&file->done, &file->lock);
	queue->vm->queues--;
	free(queue);
	return 0;
}

/* The command that the queue is at, once it has been looked at. */
static void tell_command(struct null_file *file, struct null_queue *queue,
			 struct drm_npu_queue_get_state *args)
{
	struct null_task task = { .file = file, .queue = queue };
	const struct drm_npu_job *job = &queue->first->job;

	args->activity = DRM_NPU_QUEUE_READY;
	if (queue->index == job->count || null_fetch(&task, job->list, queue->index))
		return;
	args->command = job->list + queue->index * sizeof(task.cmd);
	if (task.cmd.opcode == NPU_CMD_SEM_WAIT && queue->deadline)
		args->activity = DRM_NPU_QUEUE_WAITING;
	else if (file->running == queue || queue->deadline)
		args->activity = DRM_NPU_QUEUE_RUNNING;
	if (args->activity == DRM_NPU_QUEUE_RUNNING && task.cmd.opcode == NPU_CMD_KERNEL) {
		args->cores = 1;
		args->pc = task.cmd.kernel.entry;
	}
}

static void tell_activity(struct null_file *file, struct null_queue *queue,
			  struct drm_npu_queue_get_state *args)
{
	args->number = args->id;
	args->waits_for = DRM_NPU_QUEUE_NONE;
	args->commands_done = queue->commands_done;
	if (args->state != DRM_NPU_QUEUE_OK)
		args->activity = DRM_NPU_QUEUE_STOPPED;
	else if (!queue->first)
		args->activity = DRM_NPU_QUEUE_IDLE;
	else if (!queue->index && waits(queue->first))
		args->activity = DRM_NPU_QUEUE_BLOCKED;
	else
		tell_command(file, queue, args);
	if (queue->first)
		args->still_ns = null_now_ns() - queue->moved_ns;
}

int null_queue_get_state(struct null_file *file, struct drm_npu_queue_get_state *args)
{
	struct null_queue *queue = null_find(&file->queues, args->id);
	const uint32_t flags = args->flags;

	if (!queue)
		return -ENOENT;
	if (flags & ~DRM_NPU_QUEUE_STATE_ACTIVITY)
		return -EINVAL;
	*args = queue->state;
	args->flags = flags;
	if (flags & DRM_NPU_QUEUE_STATE_ACTIVITY)
		tell_activity(file, queue, args);
	return 0;
}

static int take_sync(struct null_file *file, const struct drm_npu_sync *in, struct null_sync *sync)
{
	struct null_syncobj *syncobj = null_find(&file->syncobjs, in->handle);

	if (in->flags != DRM_NPU_SYNC_SIGNAL && in->flags != DRM_NPU_SYNC_WAIT)
		return -EINVAL;
	if (!syncobj)
		return -ENOENT;
	sync->signal = in->flags == DRM_NPU_SYNC_SIGNAL;
	if (sync->signal ? in->point <= null_submitted(syncobj)
			 : in->point > null_submitted(syncobj))
		return -EINVAL;
	sync->syncobj = syncobj;
	sync->point = in->point;
	return 0;
}

#define NULL_SYNC_WAITS 1u
#define NULL_SYNC_SIGNALS 2u

/* With those of @syncs that are of @kinds. */
static int new_job(struct null_file *file, const struct drm_npu_job *job,
		   const struct drm_npu_sync *syncs, uint32_t num_syncs, uint32_t kinds,
		   struct null_job **result)
{
	struct null_job *new;
	uint32_t n = 0;
	int err = 0;

	if (job->list % 64 || !job->count || job->flags || job->pad)
		return -EINVAL;
	new = calloc(1, sizeof(*new) + num_syncs * sizeof(new->syncs[0]));
	if (!new)
		return -ENOMEM;
	new->job = *job;
	for (uint32_t i = 0; i < num_syncs && !err; i++) {
		const uint32_t kind =
			syncs[i].flags == DRM_NPU_SYNC_WAIT ? NULL_SYNC_WAITS : NULL_SYNC_SIGNALS;

		if (kinds & kind)
			err = take_sync(file, &syncs[i], &new->syncs[n++]);
	}
	num_syncs = n;
	if (err) {
		free(new);
		return err;
	}
	for (uint32_t i = 0; i < num_syncs; i++)
		new->syncs[i].syncobj->refs++;
	new->num_syncs = num_syncs;
	*result = new;
	return 0;
}

/* The jobs of a submit: the first one waits, the last one signals. */
static int new_jobs(struct null_file *file, const struct drm_npu_submit *args,
		    struct null_job **first, struct null_job **last)
{
	const struct drm_npu_job *jobs = (void *)(uintptr_t)args->jobs.array;
	const struct drm_npu_sync *syncs = (void *)(uintptr_t)args->syncs.array;
	struct null_job *next = NULL, *job;
	int err = 0;

	for (uint32_t i = args->jobs.count; i && !err; i--) {
		const uint32_t kinds = (i == 1 ? NULL_SYNC_WAITS : 0) |
				       (i == args->jobs.count ? NULL_SYNC_SIGNALS : 0);

		err = new_job(file, &jobs[i - 1], syncs, args->syncs.count, kinds, &job);
		if (err)
			break;
		if (i == args->jobs.count)
			*last = job;
		job->next = next;
		next = job;
	}
	*first = next;
	return err;
}

static void drop_jobs(struct null_job *job)
{
	while (job) {
		struct null_job *next = job->next;

		free_job(job);
		job = next;
	}
}

/* From now on their points can be waited for. */
static void announce(struct null_job *job)
{
	for (; job; job = job->next) {
		for (uint32_t i = 0; i < job->num_syncs; i++) {
			if (job->syncs[i].signal)
				null_announce(&job->syncs[i]);
		}
	}
}

/* Syncobjs are timelines. */
int null_submit(struct null_file *file, const struct drm_npu_submit *args)
{
	struct null_queue *queue = null_find(&file->queues, args->queue_id);
	struct null_job *first, *last = NULL;
	int err;

	if (!queue)
		return -ENOENT;
	if (queue->state.state != DRM_NPU_QUEUE_OK)
		return -ECANCELED;
	if (args->flags || !args->jobs.count || args->jobs.stride != sizeof(struct drm_npu_job) ||
	    (args->syncs.count && args->syncs.stride != sizeof(struct drm_npu_sync)))
		return -EINVAL;
	err = new_jobs(file, args, &first, &last);
	if (err) {
		drop_jobs(first);
		return err;
	}
	announce(first);
	if (!queue->first)
		queue->moved_ns = null_now_ns();
	if (!queue->first && file->running != queue)
		make_ready(file, queue);
	*queue->last = first;
	queue->last = &last->next;
	queue->state.jobs_submitted += args->jobs.count;
	pthread_cond_signal(&file->work);
	return 0;
}

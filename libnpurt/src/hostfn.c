// SPDX-License-Identifier: MIT
/*
 * Host functions: calls that a stream makes in the process, in order with its commands.
 *
 * A device has one thread for them. The fence of the batch before a call wakes it by an
 * eventfd; the stream waits on the device for a slot that the thread writes when the call
 * has returned. So neither the caller nor the stream's lock waits for anything.
 */
#include "internal.h"
#include "thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Until a stream that another thread has locked is looked at again. */
#define BUSY_MS 1

struct rt_worker {
	npurt_device *device;
	struct rt_thread thread;
	_Atomic pthread_t self; /* set by the thread */
	int wake; /* eventfd */
	pthread_mutex_t lock; /* of all that follows; after a stream's */
	pthread_cond_t done; /* a call has returned */
	struct rt_list calls;
	bool stop;
};

struct call {
	struct rt_list link; /* in worker->calls */
	npurt_stream *stream; /* a reference */
	uint64_t point; /* the batch to come before it */
	bool known; /* what that lost was cleared by a reset */
	uint64_t offset; /* of the fence that wakes the thread */
	uint64_t target; /* what the slot is when it has returned */
	npurt_host_fn fn;
	void *data;
};

static void wake(const struct rt_worker *worker)
{
	const uint64_t one = 1;

	/* It fails if the thread is to be woken anyway. */
	if (write(worker->wake, &one, sizeof(one)) < 0)
		errno = 0;
}

/* Has the fence of the call's batch wake the thread. */
static int arm(const struct rt_worker *worker, struct call *call)
{
	npurt_stream *stream = call->stream;

	call->offset = stream->fence_offset;
	if (rt_slot_value(stream->progress) >= call->point)
		return 0;
	return kmd_syncobj_eventfd(worker->device->kmd, stream->syncobj,
				   call->point + call->offset, worker->wake);
}

/* When a call may be made, and what the function is told. */

static int result(const struct call *call)
{
	npurt_stream *stream = call->stream;

	if (rt_slot_value(stream->progress) < call->point)
		return stream->error;
	if (stream->first_error)
		return stream->first_error;
	return call->known ? 0 : rt_stream_outcome(stream, call->point);
}

enum verdict { NOT_YET, LOOK_AGAIN, READY };

/* The fence has signalled, but the batch has not ended: why? */
static enum verdict explain(const struct rt_worker *worker, struct call *call)
{
	npurt_stream *stream = call->stream;

	/* Who has the lock may be waiting for this very call. */
	if (pthread_mutex_trylock(&stream->lock))
		return LOOK_AGAIN;
	rt_stream_check(stream);
	pthread_mutex_unlock(&stream->lock);
	if (stream->error || rt_slot_value(stream->progress) >= call->point)
		return READY;
	return arm(worker, call) ? LOOK_AGAIN : NOT_YET;
}

static enum verdict judge(const struct rt_worker *worker, struct call *call)
{
	npurt_stream *stream = call->stream;

	/* Calls of one stream are made in order. */
	if (rt_slot_value(stream->host_slot) + 1 < call->target)
		return NOT_YET;
	if (rt_slot_value(stream->progress) >= call->point || stream->error)
		return READY;
	if (stream->fence_offset != call->offset && arm(worker, call))
		return LOOK_AGAIN;
	if (kmd_syncobj_wait(worker->device->kmd, stream->syncobj, call->point + call->offset, 0))
		return NOT_YET;
	return explain(worker, call);
}

/* The first call that can be made; else whether to look again soon. */
static struct call *pick(struct rt_worker *worker, bool *soon)
{
	struct rt_list *node;

	*soon = false;
	rt_list_for_each(node, &worker->calls) {
		struct call *call = rt_container(node, struct call, link);
		const enum verdict verdict = judge(worker, call);

		if (verdict == READY)
			return call;
		*soon |= verdict == LOOK_AGAIN;
	}
	return NULL;
}

/* Under the lock, which it lets go of meanwhile. */
static void make(struct rt_worker *worker, struct call *call)
{
	npurt_stream *stream = call->stream;
	const int error = result(call);

	rt_list_del(&call->link);
	pthread_mutex_unlock(&worker->lock);
	call->fn(call->data, error);
	atomic_store_explicit(stream->host_slot->value, call->target, memory_order_release);
	pthread_mutex_lock(&worker->lock);
	stream->host_calls--;
	pthread_cond_broadcast(&worker->done);
	rt_stream_put(stream);
	free(call);
}

static void sleep_on(struct rt_worker *worker, bool soon)
{
	struct pollfd fd = { .fd = worker->wake, .events = POLLIN };
	uint64_t count;

	pthread_mutex_unlock(&worker->lock);
	if (poll(&fd, 1, soon ? BUSY_MS : -1) > 0 &&
	    read(worker->wake, &count, sizeof(count)) < 0)
		errno = 0;
	pthread_mutex_lock(&worker->lock);
}

static void *worker_thread(void *arg)
{
	struct rt_worker *worker = arg;
	bool soon;

	atomic_store(&worker->self, pthread_self());
	pthread_mutex_lock(&worker->lock);
	while (!worker->stop) {
		struct call *call = pick(worker, &soon);

		if (call)
			make(worker, call);
		else
			sleep_on(worker, soon);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

/* The thread. */

static void free_worker(struct rt_worker *worker)
{
	if (worker->wake >= 0)
		close(worker->wake);
	pthread_cond_destroy(&worker->done);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

/* Gives 0 or a negative errno. */
static int new_worker(npurt_device *device, struct rt_worker **result)
{
	struct rt_worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->device = device;
	rt_list_init(&worker->calls);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->done, NULL);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = worker->wake < 0 ? errno : rt_thread_start(&worker->thread, worker_thread, worker);
	if (err) {
		free_worker(worker);
		return -err;
	}
	*result = worker;
	return 0;
}

static int get_worker(npurt_device *device, struct rt_worker **worker)
{
	int err = 0;

	pthread_mutex_lock(&device->lock);
	*worker = atomic_load(&device->worker);
	if (!*worker)
		err = new_worker(device, worker);
	if (!err)
		atomic_store(&device->worker, *worker);
	pthread_mutex_unlock(&device->lock);
	return err;
}

void rt_worker_stop(npurt_device *device)
{
	struct rt_worker *worker = atomic_load(&device->worker);

	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_mutex_unlock(&worker->lock);
	wake(worker);
	rt_thread_join(&worker->thread);
	free_worker(worker);
}

int rt_worker_refuse(const struct rt_worker *worker, struct rt_diag *diag)
{
	if (!pthread_equal(atomic_load(&worker->self), pthread_self()))
		return 0;
	return rt_fail(diag, NPURT_ERROR_INVALID,
		       "a host function must neither use streams nor wait for the device");
}

/* Calls. */

static int get_slot(npurt_stream *stream)
{
	int err;

	if (stream->host_slot)
		return 0;
	err = rt_slot_get(stream->context, &stream->host_slot);
	/* It counts calls from where its last owner left it. */
	if (!err)
		stream->host_slot->target = rt_slot_value(stream->host_slot);
	return err;
}

static int new_call(npurt_stream *stream, npurt_host_fn fn, void *data, struct rt_worker **worker,
		    struct call **result_call)
{
	struct call *call;
	int err = get_slot(stream);

	if (err)
		return err;
	err = get_worker(stream->context->device, worker);
	if (err)
		return rt_fail_errno(&stream->diag, err,
				     "a thread for the host functions of stream %u", stream->id);
	call = calloc(1, sizeof(*call));
	if (!call)
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "allocate a host function");
	call->stream = stream;
	call->fn = fn;
	call->data = data;
	*result_call = call;
	return 0;
}

/* The wait for the call that is added next. */
static int add_wait(npurt_stream *stream)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_HOST_FUNCTION,
		.timeout_us = stream->wait_timeout_us,
		.sem = { .address = stream->host_slot->va, .value = stream->host_slot->target + 1,
			 .op = NPU_SEM_GE },
	};

	return rt_stream_add(stream, &op);
}

int rt_host_function_add(npurt_stream *stream, npurt_host_fn fn, void *data)
{
	struct rt_worker *worker = NULL;
	struct call *call = NULL;
	int err = new_call(stream, fn, data, &worker, &call);

	if (err)
		return err;
	err = rt_stream_flush(stream);
	if (err)
		goto fail;
	call->point = stream->submitted;
	call->known = call->point <= stream->reset_point;
	err = arm(worker, call);
	if (err) {
		err = rt_fail_errno(&stream->diag, err, "wait for stream %u", stream->id);
		goto fail;
	}
	err = add_wait(stream);
	if (err)
		goto fail;
	call->target = ++stream->host_slot->target;
	rt_stream_get(stream);
	pthread_mutex_lock(&worker->lock);
	stream->host_calls++;
	rt_list_add(&worker->calls, &call->link);
	pthread_mutex_unlock(&worker->lock);
	wake(worker);
	return 0;

fail:
	free(call);
	return err;
}

void rt_host_functions_finish(npurt_stream *stream)
{
	struct rt_worker *worker = atomic_load(&stream->context->device->worker);

	if (!worker)
		return;
	wake(worker);
	pthread_mutex_lock(&worker->lock);
	while (stream->host_calls)
		pthread_cond_wait(&worker->done, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
}

int npurt_stream_host_function(npurt_stream *stream, npurt_host_fn fn, void *data)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_HOST_FUNCTION,
		.host = { fn, data },
	};
	int err;

	if (!fn)
		return NPURT_ERROR_INVALID;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = rt_stream_capturing(stream) ? rt_capture_add(stream, &op, NULL, 0)
					  : rt_host_function_add(stream, fn, data);
	rt_stream_leave(stream);
	return err;
}

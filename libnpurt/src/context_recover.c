// SPDX-License-Identifier: MIT
/*
 * What has become of a context, and how it works again. Errors reach as far as what they
 * spoil: a stream, the memory of a context, the device. Memory outlives them all, but for
 * what the device cannot read any more, which is found out by having it read everything.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES (1u << 20)
#define WHY_SIZE 192

enum npurt_scope npurt_error_scope(int error)
{
	switch (error) {
	case NPURT_ERROR_STREAM_FAULT:
	case NPURT_ERROR_STREAM_TIMEOUT:
	case NPURT_ERROR_CANCELED:
		return NPURT_SCOPE_STREAM;
	case NPURT_ERROR_CONTEXT_LOST:
		return NPURT_SCOPE_CONTEXT;
	case NPURT_ERROR_STREAM_LOST:
	case NPURT_ERROR_DEVICE_LOST:
		return NPURT_SCOPE_DEVICE;
	default:
		return NPURT_SCOPE_CALL;
	}
}

void rt_context_lose(npurt_context *context, const npurt_fault *fault)
{
	pthread_mutex_lock(&context->lock);
	if (!context->error)
		memcpy(context->reason, fault->message, sizeof(context->reason));
	context->error = NPURT_ERROR_CONTEXT_LOST;
	pthread_mutex_unlock(&context->lock);
}

int rt_context_refuse(npurt_context *context, struct rt_diag *diag)
{
	char reason[sizeof(context->reason)];

	pthread_mutex_lock(&context->lock);
	memcpy(reason, context->reason, sizeof(reason));
	pthread_mutex_unlock(&context->lock);
	rt_diag_keep(diag, reason);
	return NPURT_ERROR_CONTEXT_LOST;
}

npurt_stream **rt_streams_get(npurt_context *context, unsigned int *count)
{
	struct rt_list *node;
	npurt_stream **streams;

	*count = 0;
	pthread_mutex_lock(&context->lock);
	streams = calloc(context->num_streams + 1, sizeof(streams[0]));
	if (streams) {
		rt_list_for_each(node, &context->streams)
			streams[(*count)++] =
				rt_stream_get(rt_container(node, npurt_stream, link));
	}
	pthread_mutex_unlock(&context->lock);
	return streams;
}

void rt_streams_put(npurt_stream **streams, unsigned int count)
{
	while (count)
		rt_stream_put(streams[--count]);
	free(streams);
}

unsigned int rt_count_streams(const npurt_device *device)
{
	struct rt_list *node;
	unsigned int count = 0;

	rt_list_for_each(node, &device->context_list) {
		npurt_context *context = rt_container(node, npurt_context, link);

		pthread_mutex_lock(&context->lock);
		count += context->num_streams;
		pthread_mutex_unlock(&context->lock);
	}
	return count;
}

/* What became of the device. Gives 0, or says why it is lost in @why. */
static int look_at_device(npurt_device *device, struct drm_npu_dev_resets *resets,
			  char why[WHY_SIZE])
{
	struct drm_npu_dev_query query = {
		.type = DRM_NPU_DEV_QUERY_RESETS,
		.size = sizeof(*resets),
		.pointer = (uintptr_t)resets,
	};
	int err;

	memset(resets, 0, sizeof(*resets));
	err = kmd_ioctl(device->kmd, DRM_IOCTL_NPU_DEV_QUERY, &query);
	/* A driver that does not tell has none to tell of. */
	if (err)
		memset(resets, 0, sizeof(*resets));
	if (err == -ENODEV)
		snprintf(why, WHY_SIZE,
			 "%s is gone: it was taken out, or the driver unbound; a device has to be "
			 "opened anew", device->node.path);
	else if (resets->wedged)
		snprintf(why, WHY_SIZE,
			 "%s does not come back after a reset: the driver has to be bound anew",
			 device->node.path);
	else
		return 0;
	return NPURT_ERROR_DEVICE_LOST;
}

/* Status. */

/* One whose lock another thread has is told of as it was last. */
static void add_stream(npurt_context_status *status, npurt_stream *stream)
{
	char text[sizeof(status->message)];
	int error;

	if (pthread_mutex_trylock(&stream->lock) == 0) {
		rt_stream_check(stream);
		pthread_mutex_unlock(&stream->lock);
	}
	error = stream->error;
	status->streams++;
	status->failed_streams += error != 0;
	if ((uint32_t)npurt_error_scope(error) <= status->scope)
		return;
	status->error = error;
	status->scope = npurt_error_scope(error);
	rt_diag_copy(&stream->diag, text, sizeof(text));
	memcpy(status->message, text, sizeof(text));
}

static void add_context(npurt_context_status *status, npurt_context *context)
{
	struct drm_npu_dev_resets resets;
	char why[WHY_SIZE];
	int err = look_at_device(context->device, &resets, why);

	status->device_resets = resets.devices;
	if (context->error) {
		status->error = context->error;
		status->scope = NPURT_SCOPE_CONTEXT;
		pthread_mutex_lock(&context->lock);
		memcpy(status->message, context->reason, sizeof(status->message));
		pthread_mutex_unlock(&context->lock);
	}
	if (!err)
		return;
	status->error = err;
	status->scope = NPURT_SCOPE_DEVICE;
	snprintf(status->message, sizeof(status->message), "%s", why);
}

static int check_context(const npurt_context *context)
{
	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	return rt_host_function_refuse((struct rt_diag *)&context->diag);
}

int npurt_context_get_status(npurt_context *context, npurt_context_status *status)
{
	npurt_context_status all = { .size = sizeof(all) };
	npurt_stream **streams;
	unsigned int count;
	int err = check_context(context);

	if (err)
		return err;
	streams = rt_streams_get(context, &count);
	if (!streams)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "look at the streams");
	for (unsigned int i = 0; i < count; i++)
		add_stream(&all, streams[i]);
	rt_streams_put(streams, count);
	add_context(&all, context);
	return rt_attr_give(&context->diag, "npurt_context_status", status, &all, sizeof(all));
}

/* Recovery. */

static int reset_streams(npurt_context *context, npurt_recovery *r)
{
	unsigned int count;
	npurt_stream **streams = rt_streams_get(context, &count);
	int err = 0;

	if (!streams)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "reset the streams");
	for (unsigned int i = 0; i < count && !err; i++) {
		pthread_mutex_lock(&streams[i]->lock);
		if (rt_stream_check(streams[i])) {
			err = rt_stream_reset(streams[i]);
			r->streams_reset += !err;
		}
		pthread_mutex_unlock(&streams[i]->lock);
		if (err)
			err = rt_fail(&context->diag, err, "stream %u gets no other queue",
				      streams[i]->id);
	}
	rt_streams_put(streams, count);
	return err;
}

/* Has the device read all of @memory: rows that are written over each other. */
static int read_memory(npurt_stream *stream, const npurt_memory *memory,
		       const npurt_memory *scratch)
{
	const uint64_t row = rt_min(SCRATCH_BYTES, memory->bytes);
	const uint64_t rest = memory->bytes % row;
	struct rt_op op = {
		.kind = NPURT_COMMAND_COPY,
		.name = memory->label,
		.copy = { .dst = scratch->va, .src = memory->va, .row_bytes = row,
			  .rows = memory->bytes / row, .src_pitch = row },
	};
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_stream_add(stream, &op);
	op.copy.src = memory->va + memory->bytes - rest;
	op.copy.row_bytes = rest;
	op.copy.rows = 1;
	if (!err && rest)
		err = rt_stream_add(stream, &op);
	rt_stream_leave(stream);
	return err ? err : npurt_stream_synchronize(stream);
}

static void tell(npurt_recovery *r, npurt_memory *memory)
{
	/* What the program has of a slab of a pool's is told block by block. */
	if (memory->backing)
		return;
	if (!memory->lost) {
		r->memory_kept++;
		r->bytes_kept += memory->bytes;
		return;
	}
	r->memory_lost++;
	r->bytes_lost += memory->bytes;
	if (r->lost)
		r->lost(memory->internal ? NULL : memory, memory->label, r->data);
}

static int check_memory(npurt_context *context, npurt_stream *stream, npurt_memory *memory,
			const npurt_memory *scratch, npurt_recovery *r)
{
	int err = read_memory(stream, memory, scratch);

	if (err && err != NPURT_ERROR_CONTEXT_LOST)
		return err;
	if (err) {
		context->error = 0;
		memory->lost = true;
		err = npurt_stream_reset(stream);
	}
	tell(r, memory);
	return err;
}

static bool may_be_lost(const npurt_memory *memory)
{
	return memory->holding == RT_HOLDING_HBM && !memory->lost;
}

static int check_all(npurt_context *context, npurt_stream *stream, const npurt_memory *scratch,
		     npurt_recovery *r)
{
	npurt_memory **all;
	struct rt_list *node;
	size_t count = 0;
	int err = 0;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory)
		count++;
	all = calloc(count + 1, sizeof(all[0]));
	count = 0;
	if (all) {
		rt_list_for_each(node, &context->memory) {
			npurt_memory *memory = rt_container(node, npurt_memory, link);

			if (may_be_lost(memory))
				all[count++] = memory;
		}
	}
	pthread_mutex_unlock(&context->lock);
	if (!all)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "look at the memory");
	for (size_t i = 0; i < count && !err; i++)
		err = check_memory(context, stream, all[i], scratch, r);
	free(all);
	return err;
}

static int check_contents(npurt_context *context, npurt_recovery *r)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_COPY_ONLY | NPURT_STREAM_NO_AUTO_FLUSH,
		.label = "npurt: recovery",
	};
	const struct rt_memory_desc desc = {
		.bytes = SCRATCH_BYTES,
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: recovery",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	npurt_memory *scratch;
	npurt_stream *stream;
	int err = rt_memory_create(context, &desc, &scratch);

	if (err)
		return err;
	err = npurt_stream_create(context, &attr, &stream);
	if (!err) {
		err = check_all(context, stream, scratch, r);
		npurt_stream_destroy(stream);
	}
	rt_memory_destroy(scratch);
	return err;
}

static int recover(npurt_context *context, npurt_recovery *r)
{
	const int error = context->error;
	struct drm_npu_dev_resets resets;
	char why[WHY_SIZE];
	int err = look_at_device(context->device, &resets, why);

	if (err)
		return rt_fail(&context->diag, err, "%s", why);
	context->error = 0;
	err = reset_streams(context, r);
	if (!err && error)
		err = check_contents(context, r);
	if (err && error)
		context->error = error;
	return err;
}

int npurt_context_recover(npurt_context *context, npurt_recovery *recovery)
{
	npurt_recovery r;
	int err = check_context(context), given;

	if (!err)
		err = rt_attr_take(&context->diag, "npurt_recovery", 0, &r, sizeof(r), recovery);
	if (err)
		return err;
	r.streams_reset = r.memory_kept = r.memory_lost = 0;
	r.bytes_kept = r.bytes_lost = 0;
	err = recover(context, &r);
	given = recovery ? rt_attr_give(&context->diag, "npurt_recovery", recovery, &r, sizeof(r))
			 : 0;
	return err ? err : given;
}

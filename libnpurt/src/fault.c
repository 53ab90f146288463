// SPDX-License-Identifier: MIT
/*
 * The report of why a stream stopped: from the device's numbers to names.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int error_of_state(uint32_t state)
{
	switch (state) {
	case DRM_NPU_QUEUE_TIMEOUT:
		return NPURT_ERROR_STREAM_TIMEOUT;
	case DRM_NPU_QUEUE_LOST:
		return NPURT_ERROR_STREAM_LOST;
	default:
		return NPURT_ERROR_STREAM_FAULT;
	}
}

/* The tag is the command's number; the record is gone if its chunk was used again. */
static const struct rt_task *find_task(const npurt_stream *stream, uint64_t sequence)
{
	for (unsigned int i = 0; sequence && i < stream->num_chunks; i++) {
		for (unsigned int j = 0; j < RT_CHUNK_COMMANDS; j++) {
			if (stream->chunks[i].tasks[j].sequence == sequence)
				return &stream->chunks[i].tasks[j];
		}
	}
	return NULL;
}

static void append(npurt_fault *fault, const char *format, ...) RT_PRINTF(2, 3);

static void append(npurt_fault *fault, const char *format, ...)
{
	const size_t used = strlen(fault->message);
	va_list args;

	va_start(args, format);
	vsnprintf(fault->message + used, sizeof(fault->message) - used, format, args);
	va_end(args);
}

static void name_task(npurt_stream *stream, const struct rt_task *task, npurt_fault *fault)
{
	fault->command = task->command;
	fault->tag = task->tag;
	rt_label_copy(fault->label, task->label);
	if (task->kernel &&
	    !rt_kernel_name(stream->context, task->kernel, fault->kernel, sizeof(fault->kernel)))
		snprintf(fault->kernel, sizeof(fault->kernel), "(of an unloaded module)");
}

static void say_command(const struct rt_task *task, npurt_fault *fault)
{
	switch (fault->command) {
	case NPURT_COMMAND_KERNEL:
		append(fault, "kernel '%s'", fault->kernel);
		if (fault->label[0])
			append(fault, " (%s)", fault->label);
		break;
	case NPURT_COMMAND_COPY:
		append(fault, "copy of '%s'", fault->label);
		break;
	case NPURT_COMMAND_FILL:
		append(fault, "fill of '%s'", fault->label);
		break;
	case NPURT_COMMAND_EVENT_RECORD:
		append(fault, "record of event '%s'", fault->label);
		break;
	case NPURT_COMMAND_EVENT_WAIT:
		append(fault, "wait for event '%s' of stream %u", fault->label, task->other_stream);
		break;
	case NPURT_COMMAND_PROGRESS:
		append(fault, "end of a batch");
		break;
	default:
		append(fault, "unknown command");
		break;
	}
	append(fault, ", command %" PRIu64, fault->sequence);
}

static void say_place(npurt_fault *fault)
{
	static const char *const accesses[] = { "", "read", "write", "fetch" };

	if (fault->status == NPU_ST_KERNEL_TRAP)
		append(fault, " %" PRIu64, fault->address);
	else if (fault->access && fault->access < RT_ARRAY_SIZE(accesses))
		append(fault, ", %s at 0x%" PRIx64, accesses[fault->access], fault->address);
	if (fault->nearest[0])
		append(fault, " (%s)", fault->nearest);
	if (fault->command == NPURT_COMMAND_KERNEL && fault->unit >= NPU_UNIT_SCALAR)
		append(fault, ", block %u on core %u", fault->block, fault->core);
	if (fault->location[0])
		append(fault, ", at %s", fault->location);
}

static void say(const npurt_stream *stream, const struct rt_task *task, npurt_fault *fault)
{
	append(fault, "stream %u", stream->id);
	if (stream->label[0])
		append(fault, " '%s'", stream->label);
	if (fault->error == NPURT_ERROR_STREAM_LOST) {
		append(fault, " was stopped by a reset of the device");
		return;
	}
	append(fault, ": ");
	say_command(task, fault);
	append(fault, ": %s", rt_status_text(fault->status));
	say_place(fault);
}

void rt_fault_collect(npurt_stream *stream, const struct drm_npu_queue_get_state *state)
{
	const struct rt_task *task = find_task(stream, state->fault_tag);
	npurt_fault *fault = &stream->fault;
	npurt_context *context = stream->context;

	memset(fault, 0, sizeof(*fault));
	fault->size = sizeof(*fault);
	fault->error = error_of_state(state->state);
	fault->status = state->fault_status;
	fault->access = state->fault_access;
	fault->unit = state->fault_unit;
	fault->core = state->fault_core;
	fault->block = state->fault_block;
	fault->reset_count = state->reset_count;
	fault->sequence = state->fault_tag;
	fault->pc = state->fault_pc;
	fault->address = state->fault_address;
	fault->time_ns = rt_ticks_to_ns(context->device, state->fault_timestamp);
	if (task)
		name_task(stream, task, fault);
	if (fault->pc)
		rt_module_describe(context, fault->pc, fault->location, sizeof(fault->location));
	if (fault->access != NPU_ACCESS_NONE && fault->status != NPU_ST_KERNEL_TRAP)
		rt_memory_describe(context, fault->address, fault->nearest, sizeof(fault->nearest));
	say(stream, task, fault);
}

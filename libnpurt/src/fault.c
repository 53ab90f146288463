// SPDX-License-Identifier: MIT
/*
 * The report of why a stream stopped: from the device's numbers to names.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int error_of_state(const struct drm_npu_queue_get_state *state)
{
	/* What others of the context may come upon, too. */
	if (state->state == DRM_NPU_QUEUE_FAULT && (state->fault_status == NPU_ST_HBM_ECC ||
						    state->fault_status == NPU_ST_MMU_TABLE))
		return NPURT_ERROR_CONTEXT_LOST;
	switch (state->state) {
	case DRM_NPU_QUEUE_TIMEOUT:
		return NPURT_ERROR_STREAM_TIMEOUT;
	case DRM_NPU_QUEUE_LOST:
		return NPURT_ERROR_STREAM_LOST;
	default:
		return NPURT_ERROR_STREAM_FAULT;
	}
}

/* The tag is the command's number; the record is gone if its chunk was used again. */
const struct rt_task *rt_stream_find_task(const npurt_stream *stream, uint64_t sequence)
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
	rt_site_describe(&task->site, fault->site, sizeof(fault->site));
	if (task->kernel &&
	    !rt_kernel_name(stream->context, task->kernel, fault->kernel, sizeof(fault->kernel)))
		snprintf(fault->kernel, sizeof(fault->kernel), "(of an unloaded module)");
}

static void say_command(const struct rt_task *task, const char *graph, npurt_fault *fault)
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
	case NPURT_COMMAND_REDUCE:
		append(fault, "reduction into '%s'", fault->label);
		break;
	case NPURT_COMMAND_WRITE:
		append(fault, "write of a value to '%s'", fault->label);
		break;
	case NPURT_COMMAND_WAIT:
		append(fault, "wait for a value in '%s'", fault->label);
		break;
	case NPURT_COMMAND_BRANCH:
		append(fault, "branch on a value in '%s'", fault->label);
		break;
	case NPURT_COMMAND_COLLECTIVE:
		append(fault, "collective");
		break;
	case NPURT_COMMAND_SIGNAL:
		append(fault, "count of the rounds of '%s'", fault->label);
		break;
	case NPURT_COMMAND_TIMESTAMP:
		append(fault, "timestamp of a trace");
		break;
	case NPURT_COMMAND_HOST_FUNCTION:
		append(fault, "host function");
		break;
	default:
		append(fault, "unknown command");
		break;
	}
	append(fault, ", command %" PRIu64, fault->sequence);
	if (graph[0])
		append(fault, " of graph '%s'", graph);
	if (fault->site[0])
		append(fault, ", launched at %s", fault->site);
}

/* A failed assertion says what, and where it stands; else there is only a number. */
static void say_trap(npurt_context *context, npurt_fault *fault)
{
	char text[256];

	if (rt_module_describe_trap(context, fault->address, text, sizeof(text)))
		append(fault, ": %s", text);
	else
		append(fault, " %" PRIu64, fault->address);
}

static void say_finding(npurt_fault *fault)
{
	char text[256];

	rt_strict_say(fault, text, sizeof(text));
	append(fault, ": %s", text);
}

static void say_place(npurt_context *context, npurt_fault *fault)
{
	static const char *const accesses[] = { "", "read", "write", "fetch" };

	if (fault->pipe != NPURT_NO_PIPE)
		say_finding(fault);
	else if (fault->status == NPU_ST_KERNEL_TRAP)
		say_trap(context, fault);
	else if (fault->access && fault->access < RT_ARRAY_SIZE(accesses))
		append(fault, ", %s at 0x%" PRIx64, accesses[fault->access], fault->address);
	if (fault->nearest[0])
		append(fault, " (%s%s%s)", fault->nearest, fault->neighbour[0] ? ", " : "",
		       fault->neighbour);
	if (fault->command == NPURT_COMMAND_KERNEL && fault->unit >= NPU_UNIT_SCALAR)
		append(fault, ", block %u on core %u", fault->block, fault->core);
	if (fault->location[0])
		append(fault, ", at %s", fault->location);
	if (fault->source[0])
		append(fault, " (%s)", fault->source);
}

static void say(const npurt_stream *stream, const struct rt_task *task, const char *graph,
		npurt_fault *fault)
{
	append(fault, "stream %u", stream->id);
	if (stream->label[0])
		append(fault, " '%s'", stream->label);
	if (fault->error == NPURT_ERROR_STREAM_LOST) {
		append(fault, " was stopped by a reset of the device");
		return;
	}
	append(fault, ": ");
	say_command(task, graph, fault);
	append(fault, ": %s", rt_status_text(fault->status));
	say_place(stream->context, fault);
}

static void name_place(npurt_context *context, npurt_fault *fault)
{
	rt_module_describe(context, fault->pc, fault->location, sizeof(fault->location));
	rt_module_describe_source(context, fault->pc, fault->source, sizeof(fault->source));
}

/* What the device's clock showed at a moment that has passed, in CLOCK_MONOTONIC. */
static uint64_t to_monotonic(npurt_device *device, uint64_t device_ns)
{
	uint64_t device_now, monotonic_now;

	if (npurt_device_get_time(device, &device_now, &monotonic_now))
		return 0;
	return monotonic_now - (device_now - device_ns);
}

/* What counts for a reader: commands of a graph by themselves, operations of a communicator. */
static uint64_t sequence_of(uint64_t tag)
{
	if (tag & RT_GRAPH_TAG)
		return (uint32_t)tag + 1;
	return rt_is_collective(tag) ? rt_coll_number(tag) + 1 : tag;
}

void rt_fault_collect(npurt_stream *stream, const struct drm_npu_queue_get_state *state,
		      npurt_fault *fault)
{
	char graph[NPURT_LABEL_SIZE] = "";
	const struct rt_task *task = rt_stream_find_task(stream, state->fault_tag);
	npurt_context *context = stream->context;
	struct rt_task own;

	if (state->fault_tag & RT_GRAPH_TAG &&
	    rt_graph_find_task(context, state->fault_tag, &own, graph))
		task = &own;

	memset(fault, 0, sizeof(*fault));
	fault->size = sizeof(*fault);
	fault->error = error_of_state(state);
	fault->status = state->fault_status;
	fault->access = state->fault_access;
	fault->unit = state->fault_unit;
	fault->core = state->fault_core;
	fault->block = state->fault_block;
	fault->reset_count = state->reset_count;
	fault->sequence = sequence_of(state->fault_tag);
	fault->pc = state->fault_pc;
	fault->address = state->fault_address;
	fault->time_ns = rt_ticks_to_ns(context->device, state->fault_timestamp);
	fault->time_monotonic_ns = to_monotonic(context->device, fault->time_ns);
	if (task)
		name_task(stream, task, fault);
	else if (rt_is_collective(state->fault_tag))
		fault->command = NPURT_COMMAND_COLLECTIVE;
	if (fault->pc)
		name_place(context, fault);
	if (fault->access != NPU_ACCESS_NONE && fault->status != NPU_ST_KERNEL_TRAP) {
		rt_memory_describe(context, fault->address, fault->nearest, sizeof(fault->nearest));
		rt_memory_describe_other(context, fault->address, fault->neighbour,
					 sizeof(fault->neighbour));
	}
	rt_strict_explain(context, state, fault);
	say(stream, task, graph, fault);
	if (rt_is_collective(state->fault_tag))
		rt_coll_explain(stream, state->fault_tag, fault);
}

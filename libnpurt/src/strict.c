// SPDX-License-Identifier: MIT
/*
 * Strict mode: memory that tells whether it was written, and what the device has found in a
 * launch, which it leaves behind the launch's arguments.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <npu/npu_regs.h>
#include <npu/npu_tile.h>

static bool wanted_by_environment(void)
{
	const char *value = getenv("NPURT_STRICT");

	return value && value[0] && strcmp(value, "0") != 0;
}

static int check_device(struct rt_diag *diag, const npurt_device *device)
{
	if (device->info.hw_version >= NPU_HW_VERSION_1_2)
		return 0;
	return rt_fail(diag, NPURT_ERROR_UNSUPPORTED,
		       "strict mode needs hardware version 1.2, the device has %u.%u",
		       device->info.hw_version >> 16, device->info.hw_version & 0xffff);
}

int rt_strict_init(npurt_context *context, uint32_t flags)
{
	npurt_device *device = context->device;

	if (flags & NPURT_CONTEXT_STRICT) {
		int err = check_device(&device->diag, device);

		if (err)
			return err;
	} else if (!wanted_by_environment()) {
		return 0;
	} else if (device->info.hw_version < NPU_HW_VERSION_1_2) {
		rt_log(device, NPURT_LOG_WARNING,
		       "NPURT_STRICT: not in strict mode, which hardware version %u.%u has not",
		       device->info.hw_version >> 16, device->info.hw_version & 0xffff);
		return 0;
	}
	while (!context->canary) {
		if (getrandom(&context->canary, sizeof(context->canary), 0) < 0)
			return rt_fail_errno(&device->diag, -errno, "make a random number");
	}
	context->strict = true;
	return 0;
}

int rt_strict_launch(struct rt_diag *diag, npurt_context *context)
{
	int err = check_device(diag, context->device);

	if (!err)
		context->strict = true;
	return err;
}

int rt_strict_fill(npurt_memory *memory)
{
	const uint64_t canary = memory->context->canary;
	uint64_t *words;
	void *map;
	int err;

	if (!canary || memory->internal || memory->kind != RT_MEMORY_BUFFER)
		return 0;
	err = rt_memory_map(memory, &map);
	if (err)
		return err;
	words = map;
	for (uint64_t i = 0; i < memory->bo_bytes / sizeof(*words); i++)
		words[i] = canary;
	return 0;
}

int rt_strict_fill_block(npurt_stream *stream, const npurt_memory *memory)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_FILL,
		.name = memory->label,
		.fill = {
			.dst = memory->va,
			.row_bytes = memory->bo_bytes,
			.rows = 1,
			.pattern = memory->context->canary,
			.pattern_bytes = sizeof(memory->context->canary),
		},
	};
	int err;

	if (!memory->context->canary)
		return 0;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = rt_stream_add(stream, &op);
	rt_stream_leave(stream);
	return err;
}

/* What the device tells of the launch, if that is one of strict mode; in @memory, as all of it. */
static const struct npu_strict *told(const npurt_memory *memory, const struct npu_cmd *cmd)
{
	const uint64_t offset = cmd->kernel.strict - memory->va;

	if (cmd->opcode != NPU_CMD_KERNEL || !cmd->kernel.strict ||
	    offset % RT_STRICT_ALIGN || memory->bo_bytes < sizeof(struct npu_strict) ||
	    offset > memory->bo_bytes - sizeof(struct npu_strict))
		return NULL;
	return (const void *)((const char *)memory->map + offset);
}

/* Of the launches in @memory, the one that has failed so. */
static bool find_in(const npurt_memory *memory, const struct drm_npu_queue_get_state *state,
		    struct npu_strict *finding)
{
	const struct npu_cmd *cmds = memory->map;

	for (uint64_t i = 0; i < memory->bo_bytes / sizeof(*cmds); i++) {
		const struct npu_strict *strict = told(memory, &cmds[i]);

		if (!strict || cmds[i].tag != state->fault_tag ||
		    strict->status != state->fault_status || strict->pc != state->fault_pc ||
		    strict->address != state->fault_address || strict->block != state->fault_block)
			continue;
		*finding = *strict;
		return true;
	}
	return false;
}

/* Commands are in the library's own memory, of streams and of graphs; it is all looked through. */
static bool find(npurt_context *context, const struct drm_npu_queue_get_state *state,
		 struct npu_strict *finding)
{
	struct rt_list *node;
	bool found = false;

	pthread_mutex_lock(&context->lock);
	rt_list_for_each(node, &context->memory) {
		const npurt_memory *memory = rt_container(node, npurt_memory, link);

		if (memory->internal && memory->map && memory->placement == NPURT_PLACE_HOST)
			found = found || find_in(memory, state, finding);
	}
	pthread_mutex_unlock(&context->lock);
	return found;
}

static const struct {
	uint64_t base, size;
	const char *name;
} buffers[] = {
	{ NPU_SMEM_BASE, NPU_SMEM_SIZE, "SMEM" }, { NPU_UB_BASE, NPU_UB_SIZE, "UB" },
	{ NPU_L1_BASE, NPU_L1_SIZE, "L1" },	  { NPU_L0A_BASE, NPU_L0A_SIZE, "L0A" },
	{ NPU_L0B_BASE, NPU_L0B_SIZE, "L0B" },	  { NPU_L0C_BASE, NPU_L0C_SIZE, "L0C" },
};

/* The buffer of an address, or that which ends there; NULL: none. */
static const char *buffer_of(uint64_t address, uint64_t *offset)
{
	for (unsigned int i = 0; i < RT_ARRAY_SIZE(buffers); i++) {
		*offset = address - buffers[i].base;
		if (*offset <= buffers[i].size)
			return buffers[i].name;
	}
	return NULL;
}

static const char *pipe_name(uint32_t pipe)
{
	static const char *const names[] = { "S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX" };

	return pipe < RT_ARRAY_SIZE(names) ? names[pipe] : "?";
}

/* Of "npu_kernel.h:20, by scale.c:7, by scale.c:30", the first that is not of the intrinsics. */
static void keep_own_line(char *text, size_t size)
{
	static const char intrinsics[] = "npu_kernel.h:", between[] = ", by ";
	char *own = text, *next, *end;

	while (strncmp(own, intrinsics, sizeof(intrinsics) - 1) == 0 &&
	       (next = strstr(own, between)) != NULL)
		own = next + sizeof(between) - 1;
	end = strstr(own, between);
	if (end)
		*end = '\0';
	memmove(text, own, strnlen(own, size - (size_t)(own - text) - 1) + 1);
}

static void name_other(npurt_context *context, npurt_fault *fault)
{
	rt_module_describe_source(context, fault->other_pc, fault->other_source,
				  sizeof(fault->other_source));
	if (fault->other_source[0])
		keep_own_line(fault->other_source, sizeof(fault->other_source));
	else
		rt_module_describe(context, fault->other_pc, fault->other_source,
				   sizeof(fault->other_source));
}

void rt_strict_explain(npurt_context *context, const struct drm_npu_queue_get_state *state,
		       npurt_fault *fault)
{
	struct npu_strict finding;
	const char *buffer;
	uint64_t offset;

	fault->pipe = fault->other_pipe = NPURT_NO_PIPE;
	if (!context->strict || !find(context, state, &finding))
		return;
	fault->pipe = finding.pipe;
	fault->bytes = finding.bytes;
	buffer = finding.access ? buffer_of(finding.address, &offset) : NULL;
	if (buffer)
		snprintf(fault->buffer, sizeof(fault->buffer), "%s", buffer);
	if (finding.other_access || !finding.access)
		fault->other_pipe = finding.other_pipe;
	fault->other_access = finding.other_access;
	fault->other_block = finding.other_block;
	fault->other_pc = finding.other_pc;
	if (fault->other_pc)
		name_other(context, fault);
}

static void say_place(const npurt_fault *fault, char *text, size_t size)
{
	uint64_t offset;

	if (fault->buffer[0] && buffer_of(fault->address, &offset))
		snprintf(text, size, "%s+0x%" PRIx64, fault->buffer, offset);
	else
		snprintf(text, size, "0x%" PRIx64, fault->address);
}

void rt_strict_say(const npurt_fault *fault, char *text, size_t size)
{
	static const char *const verbs[] = { "", "reads", "writes" };
	static const char *const past[] = { "", "read", "wrote" };
	const char *pipe = pipe_name(fault->pipe), *other = pipe_name(fault->other_pipe);
	char place[40];
	int n;

	if (!fault->access) {
		snprintf(text, size, "flag %u from %s to %s is left set at the end",
			 (unsigned int)NPU_GET(NPU_FLAG_ID, fault->address), pipe, other);
		return;
	}
	say_place(fault, place, sizeof(place));
	n = snprintf(text, size, "%s %s %s", pipe, verbs[fault->access % 3], place);
	if (fault->bytes)
		n += snprintf(text + n, size - n, " (%" PRIu64 " bytes)", fault->bytes);
	if (fault->status == NPU_ST_STRICT_UNINIT)
		snprintf(text + n, size - n, ", which %s",
			 fault->buffer[0] ? "this block has not written" : "nobody has written");
	else if (fault->status == NPU_ST_STRICT_OVERLAP)
		snprintf(text + n, size - n, ", which block %u %s at %s", fault->other_block,
			 past[fault->other_access % 3], fault->other_source);
	else if (fault->status == NPU_ST_STRICT_FLAG)
		snprintf(text + n, size - n, ", which %s %s at %s, without a flag from %s to %s",
			 other, past[fault->other_access % 3], fault->other_source, other, pipe);
}

void rt_strict_review(const npurt_memory *memory, uint32_t commands)
{
	npurt_context *context = memory->context;
	const struct npu_cmd *cmds = memory->map;

	if (!context->strict || context->strict_incomplete)
		return;
	for (uint32_t i = 0; i < commands; i++) {
		const struct npu_strict *strict = told(memory, &cmds[i]);

		if (strict && strict->flags & NPU_STRICT_INCOMPLETE &&
		    !atomic_exchange(&context->strict_incomplete, true))
			rt_log(context->device, NPURT_LOG_WARNING,
			       "strict mode: a launch wrote to more memory than the device can "
			       "compare: blocks that overlap may have been missed");
	}
}

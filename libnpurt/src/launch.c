// SPDX-License-Identifier: MIT
/*
 * Kernel launches.
 */
#include "internal.h"

#include <string.h>

static int check(npurt_stream *stream, const npurt_kernel *kernel, uint32_t blocks,
		 const void *args, size_t args_size)
{
	struct rt_diag *diag = &stream->diag;

	if (!kernel)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel is NULL");
	if (kernel->module->context != stream->context)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "kernel '%s' is of another context than stream %u", kernel->name,
			       stream->id);
	if (stream->flags & NPURT_STREAM_COPY_ONLY)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "kernel '%s' on stream %u, which is for copies only", kernel->name,
			       stream->id);
	if (!blocks || blocks > NPURT_MAX_BLOCKS)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel '%s': %u blocks, not 1 to %u",
			       kernel->name, blocks, NPURT_MAX_BLOCKS);
	if (args_size != kernel->args_bytes || (args_size && !args))
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "kernel '%s' takes %u bytes of arguments, not %zu", kernel->name,
			       kernel->args_bytes, args ? args_size : 0);
	return 0;
}

static int launch(npurt_stream *stream, const npurt_kernel *kernel, uint32_t blocks,
		  const void *args, size_t args_size, const npurt_launch_attr *attr)
{
	struct rt_command c;
	int err = rt_stream_command(stream, NPURT_COMMAND_KERNEL, args_size, &c);

	if (err)
		return err;
	c.task->kernel = kernel;
	c.task->tag = attr->tag;
	rt_label_copy(c.task->label, attr->label);
	if (args_size)
		memcpy(c.args, args, args_size);
	c.cmd->opcode = NPU_CMD_KERNEL;
	c.cmd->timeout_us = attr->timeout_us;
	c.cmd->kernel.entry = kernel->entry;
	c.cmd->kernel.args = args_size ? c.args_va : 0;
	c.cmd->kernel.blocks = blocks;
	c.cmd->kernel.max_cores = attr->max_cores;
	return rt_stream_kick(stream);
}

int npurt_launch(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks, const void *args,
		 size_t args_size, const npurt_launch_attr *attr)
{
	npurt_launch_attr a;
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_attr_take(&stream->diag, "npurt_launch_attr", 0, &a, sizeof(a), attr);
	if (!err)
		err = check(stream, kernel, blocks, args, args_size);
	if (!err)
		err = launch(stream, kernel, blocks, args, args_size, &a);
	rt_stream_leave(stream);
	return err;
}

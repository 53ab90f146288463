// SPDX-License-Identifier: MIT
/*
 * Kernel launches.
 */
#include "internal.h"

int rt_launch_attr_take(struct rt_diag *diag, npurt_context *context,
			const npurt_launch_attr *attr, npurt_launch_attr *own)
{
	int err = rt_attr_take(diag, "npurt_launch_attr", NPURT_LAUNCH_STRICT, own, sizeof(*own),
			       attr);

	if (!err && own->flags & NPURT_LAUNCH_STRICT)
		err = rt_strict_launch(diag, context);
	return err;
}

int rt_launch_check(struct rt_diag *diag, const npurt_context *context,
		    const npurt_kernel *kernel, uint32_t blocks, const void *args, size_t args_size)
{
	if (!kernel)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel is NULL");
	if (kernel->module->context != context)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel '%s' is of another context",
			       kernel->name);
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
	const struct rt_op op = {
		.kind = NPURT_COMMAND_KERNEL,
		.timeout_us = attr->timeout_us,
		.tag = attr->tag,
		.label = attr->label,
		.site = { attr->file, attr->line },
		.kernel = {
			.kernel = kernel,
			.args = args,
			.args_bytes = (uint32_t)args_size,
			.blocks = blocks,
			.max_cores = attr->max_cores,
			.strict = attr->flags & NPURT_LAUNCH_STRICT || stream->context->canary,
			.canary = stream->context->canary,
		},
	};
	int err = rt_stream_add(stream, &op);

	return err ? err : rt_stream_kick(stream);
}

int npurt_launch(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks, const void *args,
		 size_t args_size, const npurt_launch_attr *attr)
{
	static const npurt_launch_attr none;
	npurt_launch_attr own;
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	if (attr)
		err = rt_launch_attr_take(&stream->diag, stream->context, attr, &own);
	if (!err)
		err = rt_launch_check(&stream->diag, stream->context, kernel, blocks, args,
				      args_size);
	if (!err && stream->flags & NPURT_STREAM_COPY_ONLY)
		err = rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			      "kernel '%s' on stream %u, which is for copies only", kernel->name,
			      stream->id);
	if (!err)
		err = launch(stream, kernel, blocks, args, args_size, attr ? &own : &none);
	rt_stream_leave(stream);
	if (!err && rt_unlikely(kernel->log))
		rt_print_make_room(kernel->module);
	return err;
}

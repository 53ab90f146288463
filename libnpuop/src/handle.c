// SPDX-License-Identifier: MIT
/* The handle: its module, its workspace, and launches. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* build/kernels/op.elf, see module.S */
extern const unsigned char op_module[], op_module_end[];

static const char *const kernel_names[OP_KERNEL_COUNT] = {
#define OP_KERNEL_NAME(name) #name,
	OP_KERNELS(OP_KERNEL_NAME)
#undef OP_KERNEL_NAME
};

int op_fail(npuop *ops, int error, const char *format, ...)
{
	va_list args;

	if (!ops)
		return error;
	va_start(args, format);
	vsnprintf(ops->message, sizeof(ops->message), format, args);
	va_end(args);
	return error;
}

/* An error of libnpurt's own, with the message of the context. */
static int runtime_error(npuop *ops, int error, const char *what)
{
	char text[sizeof(ops->message) - 64] = "";

	if (error && !npurt_context_error_message(ops->context, text, sizeof(text)))
		op_fail(ops, error, "%s: %s", what, text);
	return error;
}

/* Of a launch it is the stream's. */
static int launch_error(npuop *ops, int error, const char *kernel)
{
	char text[sizeof(ops->message) - 64] = "";

	if (error && !npurt_stream_error_message(ops->stream, text, sizeof(text)))
		op_fail(ops, error, "%s: %s", kernel, text);
	return error;
}

/* How many cores the stream's kernels can have: libnpurt tells it of a kernel. */
static int find_cores(npuop *ops)
{
	npurt_occupancy occupancy = { .size = sizeof(occupancy) };
	int err = npurt_kernel_get_occupancy(ops->kernels[0], NPURT_MAX_BLOCKS, 0, 0, &occupancy);

	ops->cores = occupancy.cores;
	return runtime_error(ops, err, "cores");
}

static int load(npuop *ops)
{
	int err = npurt_module_load_data(ops->context, op_module, op_module_end - op_module,
					 &ops->module);

	for (unsigned int i = 0; !err && i < OP_KERNEL_COUNT; i++)
		err = npurt_module_get_kernel(ops->module, kernel_names[i], &ops->kernels[i]);
	return err ? runtime_error(ops, err, "kernels") : find_cores(ops);
}

static int make_workspace(npuop *ops, uint64_t bytes)
{
	const npurt_memory_attr attr = {
		.size = sizeof(attr),
		.placement = NPURT_PLACE_HBM,
		.label = "npuop workspace",
	};
	int err = npurt_memory_create(ops->context, bytes ? bytes : OP_WORKSPACE_BYTES, &attr,
				      &ops->workspace);

	return runtime_error(ops, err, "workspace");
}

int npuop_create(npurt_context *context, npurt_stream *stream, const npuop_attr *attr, npuop **ops)
{
	npuop_attr own;
	npuop *new;
	int err;

	if (!context || !stream || !ops)
		return NPURT_ERROR_INVALID;
	new = calloc(1, sizeof(*new));
	if (!new)
		return NPURT_ERROR_HOST_MEMORY;
	new->context = context;
	new->stream = stream;
	err = op_take(new, "npuop_attr", 0, &own, sizeof(own), attr);
	if (!err)
		err = load(new);
	if (!err)
		err = make_workspace(new, own.workspace_bytes);
	if (err) {
		npuop_destroy(new);
		return err;
	}
	*ops = new;
	return 0;
}

int npuop_destroy(npuop *ops)
{
	if (!ops)
		return 0;
	if (ops->workspace) {
		/* Memory does not wait for its users. A failure is the stream's to tell. */
		npurt_stream_synchronize(ops->stream);
		npurt_memory_destroy(ops->workspace);
	}
	if (ops->module)
		npurt_module_unload(ops->module);
	free(ops);
	return 0;
}

const char *npuop_message(const npuop *ops)
{
	return ops ? ops->message : "";
}

int op_workspace(npuop *ops, uint64_t bytes, uint64_t *address)
{
	*address = npurt_memory_address(ops->workspace);
	if (bytes <= npurt_memory_size(ops->workspace))
		return 0;
	return op_fail(ops, NPURT_ERROR_DEVICE_MEMORY,
		       "workspace: it has %llu bytes, this takes %llu: see npuop_attr",
		       (unsigned long long)npurt_memory_size(ops->workspace),
		       (unsigned long long)bytes);
}

uint32_t op_blocks(const npuop *ops, uint64_t units, uint64_t least)
{
	const uint64_t blocks = (units + least - 1) / least;

	return blocks < 1 ? 1 : blocks < ops->cores ? (uint32_t)blocks : ops->cores;
}

int op_launch(npuop *ops, enum op_kernel kernel, uint32_t blocks, const void *args,
	      size_t args_size)
{
	int err = npurt_launch(ops->stream, ops->kernels[kernel], blocks, args, args_size, NULL);

	return launch_error(ops, err, kernel_names[kernel]);
}

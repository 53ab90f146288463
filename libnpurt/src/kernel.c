// SPDX-License-Identifier: MIT
/*
 * What can be asked of a kernel: its arguments, and how a launch fills the cores.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>

static int check(const npurt_kernel *kernel)
{
	if (!kernel)
		return NPURT_ERROR_INVALID;
	return rt_forked(kernel->module->context->device) ? NPURT_ERROR_FORKED : 0;
}

const char *npurt_kernel_name(const npurt_kernel *kernel)
{
	return kernel ? kernel->name : "";
}

int npurt_kernel_get_info(npurt_kernel *kernel, npurt_kernel_info *info)
{
	npurt_kernel_info out = { 0 };
	int err = check(kernel);

	if (err)
		return err;
	snprintf(out.name, sizeof(out.name), "%s", kernel->name);
	rt_label_copy(out.module, kernel->module->code->label);
	out.entry = kernel->entry;
	out.args_bytes = kernel->args_bytes;
	out.num_args = kernel->num_args;
	return rt_attr_give(&kernel->module->context->diag, "npurt_kernel_info", info, &out,
			    sizeof(out));
}

/* Of a type that this library does not know the size still tells. */
static uint32_t type_of(const struct npu_arg_desc *desc)
{
	return desc->type <= NPURT_ARG_F64 ? desc->type : NPURT_ARG_UNKNOWN;
}

int npurt_kernel_get_arg(npurt_kernel *kernel, unsigned int index, npurt_kernel_arg *arg)
{
	const struct npu_arg_desc *desc;
	npurt_kernel_arg out = { 0 };
	struct rt_diag *diag;
	int err = check(kernel);

	if (err)
		return err;
	diag = &kernel->module->context->diag;
	if (index >= kernel->num_args)
		return rt_fail(diag, NPURT_ERROR_NOT_FOUND,
			       "argument %u of kernel '%s', which tells of %u", index, kernel->name,
			       kernel->num_args);
	desc = &kernel->args[index];
	snprintf(out.name, sizeof(out.name), "%s", desc->name);
	out.offset = desc->offset;
	out.bytes = desc->size;
	out.type = type_of(desc);
	out.count = desc->count;
	out.use = desc->flags & (NPURT_ARG_ADDRESS | NPURT_ARG_READ | NPURT_ARG_WRITE);
	return rt_attr_give(diag, "npurt_kernel_arg", arg, &out, sizeof(out));
}

/*
 * A core has one block of a launch at a time, which has all of its buffers to itself: so what
 * a kernel uses of UB and L1 takes no part in this.
 */
int npurt_kernel_get_occupancy(npurt_kernel *kernel, uint32_t blocks, uint64_t core_mask,
			       uint32_t max_cores, npurt_occupancy *occupancy)
{
	npurt_occupancy out = { 0 };
	struct rt_diag *diag;
	uint64_t all;
	int err = check(kernel);

	if (err)
		return err;
	diag = &kernel->module->context->diag;
	all = kernel->module->context->device->info.core_mask;
	if (core_mask & ~all)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "core mask 0x%" PRIx64 ", of a device that has 0x%" PRIx64,
			       core_mask, all);
	if (!blocks || blocks > NPURT_MAX_BLOCKS)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel '%s': %u blocks, not 1 to %u",
			       kernel->name, blocks, NPURT_MAX_BLOCKS);
	out.cores = (uint32_t)__builtin_popcountll(core_mask ? core_mask : all);
	if (max_cores && max_cores < out.cores)
		out.cores = max_cores;
	out.resident_blocks = blocks < out.cores ? blocks : out.cores;
	out.rounds = (blocks + out.cores - 1) / out.cores;
	out.idle_cores = out.rounds * out.cores - blocks;
	return rt_attr_give(diag, "npurt_occupancy", occupancy, &out, sizeof(out));
}

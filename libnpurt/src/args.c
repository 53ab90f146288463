// SPDX-License-Identifier: MIT
/*
 * Arguments of a kernel by their names, as its module tells them: what does not fit is refused
 * by name.
 */
#include "internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MAX_ARGS NPURT_MAX_ARGS_SIZE /* of a byte each */

bool rt_arg_reserved(const struct npu_arg_desc *arg)
{
	static const char *const names[] = { "pad", "rsvd", "reserved" };

	for (size_t i = 0; i < RT_ARRAY_SIZE(names); i++) {
		if (strncmp(arg->name, names[i], strlen(names[i])) == 0)
			return !(arg->flags & NPU_ARG_ADDRESS);
	}
	return false;
}

static const char *type_name(const struct npu_arg_desc *arg)
{
	static const char *const names[] = {
		[NPU_ARG_U8] = "u8",   [NPU_ARG_S8] = "s8",   [NPU_ARG_U16] = "u16",
		[NPU_ARG_S16] = "s16", [NPU_ARG_U32] = "u32", [NPU_ARG_S32] = "s32",
		[NPU_ARG_U64] = "u64", [NPU_ARG_S64] = "s64", [NPU_ARG_F32] = "f32",
		[NPU_ARG_F64] = "f64",
	};

	if (arg->flags & NPU_ARG_ADDRESS)
		return "address";
	return arg->type < RT_ARRAY_SIZE(names) && names[arg->type] ? names[arg->type]
								    : "unknown type";
}

struct packing {
	const npurt_kernel *kernel;
	struct rt_diag *diag;
	uint8_t *to;
	uint64_t given[MAX_ARGS / 64]; /* a bit for each argument */
};

static int refuse(const struct packing *p, const npurt_arg_value *value, const char *why)
{
	return rt_fail(p->diag, NPURT_ERROR_INVALID, "kernel '%s', argument '%s': %s",
		       p->kernel->name, value->name, why);
}

static int refuse_type(const struct packing *p, const struct npu_arg_desc *arg,
		       const npurt_arg_value *value)
{
	static const char *const kinds[] = {
		[NPURT_VALUE_MEMORY] = "memory",      [NPURT_VALUE_ADDRESS] = "an address",
		[NPURT_VALUE_INTEGER] = "an integer", [NPURT_VALUE_REAL] = "a real number",
		[NPURT_VALUE_DATA] = "data",
	};
	char why[128];

	if (value->kind >= RT_ARRAY_SIZE(kinds))
		snprintf(why, sizeof(why), "there is no kind %u of values", value->kind);
	else if (arg->count > 1)
		snprintf(why, sizeof(why), "it is an array of %u %s, not %s", arg->count,
			 type_name(arg), kinds[value->kind]);
	else
		snprintf(why, sizeof(why), "it is of type %s, not %s", type_name(arg),
			 kinds[value->kind]);
	return refuse(p, value, why);
}

static int take_memory(const struct packing *p, const struct npu_arg_desc *arg,
		       const npurt_arg_value *value, uint64_t *address)
{
	const npurt_memory *memory = value->memory;
	const uint64_t offset = value->bytes;
	char why[160];

	*address = 0;
	if (!memory)
		return offset ? refuse(p, value, "an offset into no memory") : 0;
	if (memory->context != p->kernel->module->context)
		snprintf(why, sizeof(why), "memory '%s' is of another context", memory->label);
	else if (offset > memory->bytes)
		snprintf(why, sizeof(why),
			 "offset %" PRIu64 " is past the end of memory '%s' of %" PRIu64 " bytes",
			 offset, memory->label, memory->bytes);
	else if (memory->readonly && arg->flags & NPU_ARG_WRITE)
		snprintf(why, sizeof(why), "it is written, and memory '%s' is read-only",
			 memory->label);
	else
		*address = memory->va + offset;
	return *address ? 0 : refuse(p, value, why);
}

static bool is_unsigned(const struct npu_arg_desc *arg)
{
	return arg->type == NPU_ARG_U8 || arg->type == NPU_ARG_U16 || arg->type == NPU_ARG_U32 ||
	       arg->type == NPU_ARG_U64;
}

static int take_integer(const struct packing *p, const struct npu_arg_desc *arg,
			const npurt_arg_value *value, uint64_t *bits)
{
	const unsigned int width = 8 * arg->size - !is_unsigned(arg);
	char why[96];

	*bits = (uint64_t)value->integer;
	if (arg->type < NPU_ARG_U8 || arg->type > NPU_ARG_S64 || arg->size > sizeof(*bits))
		return refuse_type(p, arg, value);
	/* Of a negative number of a signed type the bits above the width are all ones. */
	if (value->integer < 0 && is_unsigned(arg))
		snprintf(why, sizeof(why), "%" PRId64 " is negative, and it is of type %s",
			 value->integer, type_name(arg));
	else if (width < 64 && (value->integer < 0 ? ~*bits : *bits) >> width)
		snprintf(why, sizeof(why), "%" PRId64 " does not fit into %s", value->integer,
			 type_name(arg));
	else
		return 0;
	return refuse(p, value, why);
}

static int take_real(const struct packing *p, const struct npu_arg_desc *arg,
		     const npurt_arg_value *value, uint64_t *bits)
{
	const float single = (float)value->real;

	*bits = 0;
	if (arg->type == NPU_ARG_F64 && arg->size == sizeof(value->real)) {
		memcpy(bits, &value->real, sizeof(value->real));
		return 0;
	}
	if (arg->type != NPU_ARG_F32 || arg->size != sizeof(single))
		return refuse_type(p, arg, value);
	if (isinf(single) && !isinf(value->real))
		return refuse(p, value, "the number does not fit into f32");
	memcpy(bits, &single, sizeof(single));
	return 0;
}

static int take_data(const struct packing *p, const struct npu_arg_desc *arg,
		     const npurt_arg_value *value)
{
	char why[96];

	if (value->data && value->bytes == arg->size) {
		memcpy(p->to + arg->offset, value->data, arg->size);
		return 0;
	}
	snprintf(why, sizeof(why), "it takes %u bytes, not %" PRIu64, arg->size,
		 value->data ? value->bytes : 0);
	return refuse(p, value, why);
}

static int take_value(const struct packing *p, const struct npu_arg_desc *arg,
		      const npurt_arg_value *value)
{
	const bool address = arg->flags & NPU_ARG_ADDRESS && arg->size == sizeof(uint64_t);
	uint64_t bits = 0;
	int err;

	if (value->kind == NPURT_VALUE_DATA)
		return take_data(p, arg, value);
	if (arg->count != 1)
		return refuse_type(p, arg, value);
	if (value->kind == NPURT_VALUE_MEMORY && address) {
		err = take_memory(p, arg, value, &bits);
	} else if (value->kind == NPURT_VALUE_ADDRESS && address) {
		bits = value->address;
		err = 0;
	} else if (value->kind == NPURT_VALUE_INTEGER && !address) {
		err = take_integer(p, arg, value, &bits);
	} else if (value->kind == NPURT_VALUE_REAL && !address) {
		err = take_real(p, arg, value, &bits);
	} else {
		err = refuse_type(p, arg, value);
	}
	if (!err)
		memcpy(p->to + arg->offset, &bits, arg->size);
	return err;
}

static int take_named(struct packing *p, const npurt_arg_value *value)
{
	const npurt_kernel *kernel = p->kernel;

	if (!value->name)
		return rt_fail(p->diag, NPURT_ERROR_INVALID,
			       "kernel '%s': an argument without a name", kernel->name);
	for (unsigned int i = 0; i < kernel->num_args; i++) {
		if (strcmp(kernel->args[i].name, value->name) != 0)
			continue;
		if (p->given[i / 64] >> i % 64 & 1)
			return refuse(p, value, "it is given twice");
		p->given[i / 64] |= 1ULL << i % 64;
		return take_value(p, &kernel->args[i], value);
	}
	return refuse(p, value, "there is none of that name");
}

static int check_missing(const struct packing *p)
{
	for (unsigned int i = 0; i < p->kernel->num_args; i++) {
		if (!(p->given[i / 64] >> i % 64 & 1) && !rt_arg_reserved(&p->kernel->args[i]))
			return rt_fail(p->diag, NPURT_ERROR_INVALID,
				       "kernel '%s', argument '%s': it is missing", p->kernel->name,
				       p->kernel->args[i].name);
	}
	return 0;
}

static int pack(const npurt_kernel *kernel, struct rt_diag *diag, const npurt_arg_value *values,
		unsigned int count, void *args)
{
	struct packing p = { .kernel = kernel, .diag = diag, .to = args };
	int err = 0;

	if ((kernel->args_bytes && !kernel->num_args) || kernel->num_args > MAX_ARGS)
		return rt_fail(diag, NPURT_ERROR_UNSUPPORTED,
			       "kernel '%s' does not tell its arguments: it has no NPU_ARGS()",
			       kernel->name);
	if (count && !values)
		return rt_fail(diag, NPURT_ERROR_INVALID, "kernel '%s': values is NULL",
			       kernel->name);
	memset(args, 0, kernel->args_bytes);
	for (unsigned int i = 0; i < count && !err; i++)
		err = take_named(&p, &values[i]);
	return err ? err : check_missing(&p);
}

int npurt_kernel_pack(npurt_kernel *kernel, const npurt_arg_value *values, unsigned int count,
		      void *args, size_t args_size)
{
	struct rt_diag *diag;

	if (!kernel)
		return NPURT_ERROR_INVALID;
	if (rt_forked(kernel->module->context->device))
		return NPURT_ERROR_FORKED;
	diag = &kernel->module->context->diag;
	if (args_size != kernel->args_bytes || (args_size && !args))
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "kernel '%s' takes %u bytes of arguments, not %zu", kernel->name,
			       kernel->args_bytes, args ? args_size : 0);
	return pack(kernel, diag, values, count, args);
}

int npurt_launch_named(npurt_stream *stream, npurt_kernel *kernel, uint32_t blocks,
		       const npurt_arg_value *values, unsigned int count,
		       const npurt_launch_attr *attr)
{
	_Alignas(8) uint8_t args[NPURT_MAX_ARGS_SIZE];
	int err;

	if (!kernel)
		return npurt_launch(stream, kernel, blocks, NULL, 0, attr);
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = pack(kernel, &stream->diag, values, count, args);
	rt_stream_leave(stream);
	return err ? err : npurt_launch(stream, kernel, blocks, args, kernel->args_bytes, attr);
}

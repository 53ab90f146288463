// SPDX-License-Identifier: MIT
/*
 * Arguments of a kernel that is about to be launched: addresses have to be of memory that it may
 * use as it says, and what is reserved has to be zero.
 */
#include "race.h"

#include <inttypes.h>

#include "internal.h"

static int report(const struct rt_user *user, const struct npu_arg_desc *arg, uint64_t address,
		  const char *what)
{
	npurt_context *context = user->stream->context;
	char near[128], made[RT_PLACE_BYTES + 64];

	rt_memory_describe(context, address, near, sizeof(near));
	rt_validate_memory_maker(context, address, made, sizeof(made));
	return rt_validate_report(user->call, context->device,
				  "argument '%s' of %s is 0x%" PRIx64 ", %s%s%s%s", arg->name,
				  user->who, address, what, near[0] ? ": " : "", near, made);
}

/* The end of memory is where an empty part of it begins. */
static int check_address(const struct rt_user *user, const struct npu_arg_desc *arg,
			 uint64_t address)
{
	npurt_context *context = user->stream->context;
	struct rt_found found;

	if (!address)
		return 0;
	if (!rt_find_memory(context, address, &found) &&
	    !rt_find_memory(context, address - 1, &found))
		return report(user, arg, address, "in no memory of the context");
	if (found.readonly && arg->flags & NPU_ARG_WRITE)
		return report(user, arg, address,
			      "which the kernel writes, and the device may only read");
	return 0;
}

static int check_reserved(const struct rt_user *user, const struct npu_arg_desc *arg,
			  const uint8_t *value)
{
	for (uint32_t i = 0; i < arg->size; i++) {
		if (value[i])
			return rt_validate_report(user->call, user->stream->context->device,
						  "argument '%s' of %s is reserved, and not zero",
						  arg->name, user->who);
	}
	return 0;
}

int rt_validate_args(const struct rt_user *user, const struct rt_op_kernel *k)
{
	uint64_t address;
	int err = 0;

	for (unsigned int i = 0; i < k->kernel->num_args && !err; i++) {
		const struct npu_arg_desc *arg = &k->kernel->args[i];
		const uint8_t *value = (const uint8_t *)k->args + arg->offset;

		if (arg->flags & NPU_ARG_ADDRESS && arg->size == sizeof(address)) {
			memcpy(&address, value, sizeof(address));
			err = check_address(user, arg, address);
		} else if (rt_arg_reserved(arg)) {
			err = check_reserved(user, arg, value);
		}
	}
	return err;
}

// SPDX-License-Identifier: MIT
/*
 * Memory of the process that the device uses where it is. It is not pinned: the driver
 * follows when the kernel moves it.
 */
#include "internal.h"

#include <inttypes.h>

int npurt_memory_register(npurt_context *context, void *host, uint64_t bytes,
			  const npurt_memory_attr *attr, npurt_memory **memory)
{
	struct rt_memory_desc desc;
	int err = rt_memory_take_attr(context, attr, NPURT_MEMORY_READONLY, &desc);

	if (err)
		return err;
	if (!memory)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "memory is NULL");
	if (!host || !bytes)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "register %" PRIu64 " bytes at %p", bytes, host);
	if (bytes > UINT64_MAX - (uintptr_t)host - RT_PAGE)
		return rt_fail(&context->diag, NPURT_ERROR_RANGE,
			       "%" PRIu64 " bytes at %p go over the end of all addresses", bytes,
			       host);
	desc.kind = RT_MEMORY_REGISTERED;
	desc.bytes = bytes;
	desc.host = host;
	return rt_memory_create(context, &desc, memory);
}

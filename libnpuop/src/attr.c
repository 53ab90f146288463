// SPDX-License-Identifier: MIT
/* Attribute structures, as libnpurt takes them: each begins with its size as the caller knew it. */
#include <string.h>

#include "internal.h"

struct attr_head {
	uint32_t size, flags;
};

static bool zero(const uint8_t *from, const uint8_t *to)
{
	while (from < to)
		if (*from++)
			return false;
	return true;
}

int op_take(npuop *ops, const char *name, uint32_t known_flags, void *dst, uint32_t dst_size,
	    const void *src)
{
	struct attr_head head;

	memset(dst, 0, dst_size);
	if (!ops)
		return NPURT_ERROR_INVALID;
	if (!src)
		return 0;
	memcpy(&head.size, src, sizeof(head.size));
	if (head.size < sizeof(head))
		return op_fail(ops, NPURT_ERROR_INVALID, "%s.size is %u: set it to sizeof(%s)",
			       name, head.size, name);
	if (head.size > dst_size &&
	    !zero((const uint8_t *)src + dst_size, (const uint8_t *)src + head.size))
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "%s has fields set that this library does not know", name);
	memcpy(dst, src, head.size < dst_size ? head.size : dst_size);
	memcpy(&head, dst, sizeof(head));
	if (head.flags & ~known_flags)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s.flags has unknown bits 0x%x", name,
			       head.flags & ~known_flags);
	return 0;
}

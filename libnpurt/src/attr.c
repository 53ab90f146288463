// SPDX-License-Identifier: MIT
/*
 * Structures that grow: each begins with its size as the caller knew it.
 */
#include "internal.h"

#include <string.h>

struct attr_head {
	uint32_t size;
	uint32_t flags;
};

static bool tail_is_zero(const void *attr, uint32_t from, uint32_t to)
{
	const uint8_t *bytes = attr;

	while (from < to) {
		if (bytes[from++])
			return false;
	}
	return true;
}

int rt_attr_take(struct rt_diag *diag, const char *name, uint32_t known_flags, void *dst,
		 uint32_t dst_size, const void *src)
{
	struct attr_head head;

	if (!src) {
		memset(dst, 0, dst_size);
		return 0;
	}
	memcpy(&head, src, sizeof(head.size));
	if (head.size < sizeof(head))
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s.size is %u: set it to sizeof(%s)",
			       name, head.size, name);
	if (head.size > dst_size && !tail_is_zero(src, dst_size, head.size))
		return rt_fail(diag, NPURT_ERROR_UNSUPPORTED,
			       "%s has fields set that this library does not know", name);
	memcpy(&head, src, sizeof(head));
	if (head.flags & ~known_flags)
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s.flags has unknown bits 0x%x", name,
			       head.flags & ~known_flags);
	/* Once a launch, and mostly of the size that this library knows. */
	if (head.size < dst_size)
		memset((uint8_t *)dst + head.size, 0, dst_size - head.size);
	memcpy(dst, src, rt_min(head.size, dst_size));
	return 0;
}

int rt_attr_give(struct rt_diag *diag, const char *name, void *dst, const void *src,
		 uint32_t src_size)
{
	struct attr_head head;
	uint32_t common;

	if (!dst)
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s is NULL", name);
	memcpy(&head, dst, sizeof(head));
	if (head.size < sizeof(head))
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s.size is %u: set it to sizeof(%s)",
			       name, head.size, name);
	common = (uint32_t)rt_min(head.size, src_size);
	memset(dst, 0, head.size);
	memcpy(dst, src, common);
	head.flags = 0;
	memcpy(dst, &head, sizeof(head));
	return 0;
}

void rt_label_copy(char label[NPURT_LABEL_SIZE], const char *text)
{
	const size_t length = text ? strnlen(text, NPURT_LABEL_SIZE - 1) : 0;

	/* Once a command, so not by snprintf(). */
	if (length)
		memcpy(label, text, length);
	label[length] = '\0';
}

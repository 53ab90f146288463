// SPDX-License-Identifier: MIT
/*
 * What the compiler calls on its own.
 */
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memset(void *dst, int value, size_t len);

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	while (len--)
		*d++ = *s++;
	return dst;
}

void *memset(void *dst, int value, size_t len)
{
	unsigned char *d = dst;

	while (len--)
		*d++ = value;
	return dst;
}

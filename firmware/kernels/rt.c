/* SPDX-License-Identifier: MIT */
/*
 * The functions that gcc calls for structure copies and initialisers; linked into each module.
 * Structures are mostly words at the alignment of words.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word;
#define WORD sizeof(word)

static int aligned(const void *p)
{
	return (uintptr_t)p % WORD == 0;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (aligned(d) && aligned(s))
		for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
			*(word *)d = *(const word *)s;
	while (n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (d <= s)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int value, size_t n)
{
	const word words = (unsigned char)value * (~(word)0 / 255);
	unsigned char *d = dst;

	if (aligned(d))
		for (; n >= WORD; n -= WORD, d += WORD)
			*(word *)d = words;
	while (n--)
		*d++ = value;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

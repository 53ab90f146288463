// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: comparisons to a bit mask, and selection by one. */
#include "tile_convert.h"
#include "tile_isa.h"

/* One byte an element, 0 or 1. */
typedef void (*compare_fn)(uint8_t *d, const void *a, const void *b, size_t n);

#define COMPARE_FN(type, name, op)							\
	static void name##_##type(uint8_t *d, const void *src0, const void *src1, size_t n) \
	{										\
		const type *a = src0, *b = src1;					\
											\
		for (size_t i = 0; i < n; i++)						\
			d[i] = a[i] op b[i];						\
	}

#define COMPARE_FNS(type)								\
	COMPARE_FN(type, eq, ==)							\
	COMPARE_FN(type, ne, !=)							\
	COMPARE_FN(type, lt, <)								\
	COMPARE_FN(type, le, <=)							\
	COMPARE_FN(type, gt, >)								\
	COMPARE_FN(type, ge, >=)							\
	static const compare_fn compare_##type[] = {					\
		eq_##type, ne_##type, lt_##type, le_##type, gt_##type, ge_##type,	\
	};

COMPARE_FNS(float)
COMPARE_FNS(int32_t)
COMPARE_FNS(int16_t)
COMPARE_FNS(int8_t)
COMPARE_FNS(uint8_t)

static compare_fn compare_function(unsigned int opcode, unsigned int dtype)
{
	unsigned int index = opcode - NPU_VCMP_EQ;

	switch (dtype) {
	case NPU_S32:
		return compare_int32_t[index];
	case NPU_S16:
		return compare_int16_t[index];
	case NPU_S8:
		return compare_int8_t[index];
	case NPU_U8:
		return compare_uint8_t[index];
	default:
		return compare_float[index];
	}
}

/* Eight bytes of 0 or 1 to a byte of bits: the product moves byte i to bit 56 + i. */
static uint8_t gather_bits(const uint8_t *bytes)
{
	uint64_t x;

	memcpy(&x, bytes, sizeof(x));
	return x * 0x0102040810204080ULL >> 56;
}

/* And back. */
static void scatter_bits(uint8_t *bytes, uint8_t bits)
{
	uint64_t x = bits * 0x0101010101010101ULL & 0x8040201008040201ULL;

	x = (x + 0x7f7f7f7f7f7f7f7fULL) >> 7 & 0x0101010101010101ULL;
	memcpy(bytes, &x, sizeof(x));
}

/* The next n elements, floats as fp32. */
static const void *compare_source(void *buffer, const uint8_t *src, size_t n, unsigned int dtype)
{
	if (dtype != NPU_F16 && dtype != NPU_BF16)
		return src;
	tile_load_f32(buffer, src, n, dtype);
	return buffer;
}

static void repeat_element(void *buffer, const uint8_t *element, size_t n, unsigned int size)
{
	uint32_t x = 0;

	memcpy(&x, element, size);
	if (size == 1)
		memset(buffer, (int)x, n);
	else if (size == 2)
		for (size_t i = 0; i < n; i++)
			((uint16_t *)buffer)[i] = x;
	else
		for (size_t i = 0; i < n; i++)
			((uint32_t *)buffer)[i] = x;
}

void TILE_NAME(tile_row_compare)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				 const uint8_t *src1, const uint8_t *mask)
{
	const unsigned int dtype = args->dtype, size = tile_element_size(dtype);
	const compare_fn fn = compare_function(args->opcode, dtype);
	uint32_t a_buffer[TILE_BLOCK], b_buffer[TILE_BLOCK], scalars[TILE_BLOCK];
	uint8_t bytes[TILE_BLOCK];

	(void)mask;
	if (args->src1_element)
		repeat_element(scalars, src1, tile_block(0, args->count), size);
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		const uint8_t *from = args->src1_element ? (uint8_t *)scalars : src1 + i * size;

		fn(bytes, compare_source(a_buffer, src0 + i * size, n, dtype),
		   compare_source(b_buffer, from, n, dtype), n);
		memset(bytes + n, 0, -n % 8);
		for (size_t j = 0; j < n; j += 8)
			*dst++ = gather_bits(bytes + j);
	}
}

#define SELECT(type)									\
	static void select_##type(type *d, const uint8_t *bytes, const type *a,		\
				  const type *b, size_t n)				\
	{										\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++)						\
			d[i] = bytes[i] ? a[i] : b[i];					\
	}

SELECT(uint8_t)
SELECT(uint16_t)
SELECT(uint32_t)

void TILE_NAME(tile_row_select)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				const uint8_t *src1, const uint8_t *mask)
{
	const unsigned int size = tile_element_size(args->dtype);
	uint32_t scalars[TILE_BLOCK];
	uint8_t bytes[TILE_BLOCK];

	if (args->src1_element)
		repeat_element(scalars, src1, tile_block(0, args->count), size);
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		const void *a = src0 + i * size;
		const void *b = args->src1_element ? (const void *)scalars : src1 + i * size;
		void *to = dst + i * size;

		for (size_t j = 0; j < n; j += 8)
			scatter_bits(bytes + j, *mask++);
		if (size == 4)
			select_uint32_t(to, bytes, a, b, n);
		else if (size == 2)
			select_uint16_t(to, bytes, a, b, n);
		else
			select_uint8_t(to, bytes, a, b, n);
	}
}

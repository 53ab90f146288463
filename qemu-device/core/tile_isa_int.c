// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: elementwise operations on integers, wrapping, and moves of any type. */
#include "tile_convert.h"
#include "tile_isa.h"

/*
 * d is also the addend of NPU_VMLA, and a factor of NPU_VMADD. Operands are the same or do not
 * overlap.
 */
typedef void (*int_fn)(void *d, const void *a, const void *b, size_t n);

/* A, B and D are the elements as uint32_t, in which everything wraps; x and y as they are. */
#define INT_FN(type, name, result)							\
	static void name##_##type(void *dst, const void *src0, const void *src1, size_t n) \
	{										\
		type##_t *d = dst;							\
		const type##_t *a = src0, *b = src1;					\
											\
		(void)a;								\
		(void)b;								\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++)						\
			d[i] = (type##_t)(result);					\
	}

#define A ((uint32_t)a[i])
#define B ((uint32_t)b[i])
#define D ((uint32_t)d[i])
#define SHIFT (b[i] & (8 * sizeof(*d) - 1))

#define INT_FNS(type)								\
	INT_FN(type, mov, a[i])							\
	INT_FN(type, dup, b[i])							\
	INT_FN(type, neg, -A)							\
	INT_FN(type, abs, a[i] < 0 ? -A : A)					\
	INT_FN(type, relu, a[i] < 0 ? 0 : a[i])					\
	INT_FN(type, not, ~A)							\
	INT_FN(type, add, A + B)						\
	INT_FN(type, sub, A - B)						\
	INT_FN(type, mul, A * B)						\
	INT_FN(type, max, a[i] > b[i] ? a[i] : b[i])				\
	INT_FN(type, min, a[i] < b[i] ? a[i] : b[i])				\
	INT_FN(type, mla, A * B + D)						\
	INT_FN(type, madd, A * D + B)						\
	INT_FN(type, and, A & B)						\
	INT_FN(type, or, A | B)							\
	INT_FN(type, xor, A ^ B)						\
	INT_FN(type, shl, A << SHIFT)						\
	INT_FN(type, shr, a[i] >> SHIFT)					\
										\
	static const int_fn fns_##type[] = {					\
		[NPU_VMOV] = mov_##type,   [NPU_VDUP] = dup_##type,		\
		[NPU_VNEG] = neg_##type,   [NPU_VABS] = abs_##type,		\
		[NPU_VRELU] = relu_##type, [NPU_VNOT] = not_##type,		\
		[NPU_VINDEX] = add_##type, [NPU_VADD] = add_##type,		\
		[NPU_VSUB] = sub_##type,   [NPU_VMUL] = mul_##type,		\
		[NPU_VMAX] = max_##type,   [NPU_VMIN] = min_##type,		\
		[NPU_VMLA] = mla_##type,   [NPU_VAND] = and_##type,		\
		[NPU_VOR] = or_##type,	   [NPU_VXOR] = xor_##type,		\
		[NPU_VSHL] = shl_##type,   [NPU_VSHR] = shr_##type,		\
		[NPU_VMADD] = madd_##type,					\
	};

INT_FNS(int32)
INT_FNS(int16)
INT_FNS(int8)
INT_FNS(uint8)

/* By element size for moves, which look at no type. */
static int_fn int_function(unsigned int opcode, unsigned int dtype)
{
	if (dtype == NPU_U8)
		return fns_uint8[opcode];
	switch (tile_element_size(dtype)) {
	case 4:
		return fns_int32[opcode];
	case 2:
		return fns_int16[opcode];
	default:
		return fns_int8[opcode];
	}
}

static void int_fill(void *buffer, const uint8_t *element, size_t n, unsigned int size)
{
	uint32_t *words = buffer;
	uint32_t word = 0;

	memcpy(&word, element, size);
	for (unsigned int filled = size; filled < sizeof(word); filled *= 2)
		word |= word << (8 * filled);
	for (size_t i = 0; i < (n * size + sizeof(word) - 1) / sizeof(word); i++)
		words[i] = word;
}

void TILE_NAME(tile_row_int)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			     const uint8_t *src1, const uint8_t *mask)
{
	const unsigned int size = tile_element_size(args->dtype);
	const int_fn fn = int_function(args->opcode, args->dtype);
	int32_t a_buffer[TILE_BLOCK], b_buffer[TILE_BLOCK];

	(void)mask;
	if (args->src1_element)
		int_fill(b_buffer, src1, tile_block(0, args->count), size);
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		const void *a = src0 ? src0 + i * size : NULL;
		const void *b = args->src1_element ? (const void *)b_buffer : src1 + i * size;

		if (args->opcode == NPU_VINDEX) {
			for (size_t j = 0; j < n; j++)
				a_buffer[j] = (int32_t)(i + j);
			a = a_buffer;
		}
		fn(dst + i * size, a, b, n);
	}
}

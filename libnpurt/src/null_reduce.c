// SPDX-License-Identifier: MIT
/*
 * Null device: reductions, element by element.
 */
#include "null.h"

#include <math.h>
#include <string.h>

#include <npu/npu_tile.h>

static float from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static uint32_t to_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static float f16_value(uint16_t h)
{
	const int exponent = h >> 10 & 31, fraction = h & 1023;
	float x;

	if (exponent == 31)
		x = fraction ? NAN : INFINITY;
	else
		x = exponent ? ldexpf((float)(1024 + fraction), exponent - 25)
			     : ldexpf((float)fraction, -24);
	return h & 0x8000 ? -x : x;
}

/* To the nearest integer, ties to even; below 2^22. */
static float rounded(float x)
{
	return (x + 0x1p23f) - 0x1p23f;
}

static uint16_t f16_bits(float x)
{
	const uint16_t sign = signbit(x) ? 0x8000 : 0;
	int exponent;
	float a = fabsf(x), units;

	if (isnan(x))
		return 0x7e00;
	if (a >= 65520)
		return sign | 0x7c00;
	if (a < 0x1p-14f)
		return (uint16_t)(sign | (uint16_t)rounded(a * 0x1p24f));
	frexpf(a, &exponent);
	units = rounded(ldexpf(a, 11 - exponent));
	/* 2048 units carry into the exponent. */
	return (uint16_t)(sign + ((exponent + 13) << 10) + (int)units);
}

static uint16_t bf16_bits(float x)
{
	const uint32_t bits = to_bits(x);

	return isnan(x) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float combine_float(float a, float b, uint32_t op)
{
	if (isnan(a) || isnan(b))
		return from_bits(0x7fc00000);
	switch (op) {
	case NPU_REDUCE_ADD:
		return isnan(a + b) ? from_bits(0x7fc00000) : a + b;
	case NPU_REDUCE_MIN:
		return a < b || (a == b && signbit(a)) ? a : b;
	default:
		return a > b || (a == b && !signbit(a)) ? a : b;
	}
}

static uint32_t combine_int(int32_t a, int32_t b, uint32_t op)
{
	switch (op) {
	case NPU_REDUCE_ADD:
		return (uint32_t)a + (uint32_t)b;
	case NPU_REDUCE_MIN:
		return (uint32_t)(a < b ? a : b);
	default:
		return (uint32_t)(a > b ? a : b);
	}
}

static uint32_t combine(uint32_t a, uint32_t b, uint32_t type, uint32_t op)
{
	switch (type) {
	case NPU_F32:
		return to_bits(combine_float(from_bits(a), from_bits(b), op));
	case NPU_F16:
		return f16_bits(combine_float(f16_value((uint16_t)a), f16_value((uint16_t)b), op));
	case NPU_BF16:
		return bf16_bits(combine_float(from_bits(a << 16), from_bits(b << 16), op));
	case NPU_S16:
		return combine_int((int16_t)a, (int16_t)b, op);
	case NPU_S8:
		return combine_int((int8_t)a, (int8_t)b, op);
	case NPU_U8:
	default:
		return combine_int((int32_t)a, (int32_t)b, op);
	}
}

uint32_t null_dtype_size(uint32_t type)
{
	static const uint8_t size[NPU_DTYPE_COUNT] = {
		[NPU_F32] = 4, [NPU_F16] = 2, [NPU_BF16] = 2, [NPU_S32] = 4,
		[NPU_S8] = 1,  [NPU_U8] = 1,  [NPU_S16] = 2,
	};

	return type < NPU_DTYPE_COUNT ? size[type] : 0;
}

void null_reduce(void *dst, const void *src, uint64_t bytes, uint32_t type, uint32_t op)
{
	const uint32_t size = null_dtype_size(type);

	for (uint64_t i = 0; i < bytes; i += size) {
		uint32_t a = 0, b = 0;

		memcpy(&a, (const uint8_t *)dst + i, size);
		memcpy(&b, (const uint8_t *)src + i, size);
		a = combine(a, b, type, op);
		memcpy((uint8_t *)dst + i, &a, size);
	}
}

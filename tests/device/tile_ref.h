/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tile tests compare with: conversions by value, in double, and random elements with a
 * liking for the edges of each type. Written from docs/numerics.md, not from the device.
 */
#ifndef TILE_REF_H
#define TILE_REF_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_tile.h>

#define REF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const ref_names[] = {
	[NPU_F32] = "f32", [NPU_F16] = "f16", [NPU_BF16] = "bf16", [NPU_S32] = "s32",
	[NPU_S8] = "s8",   [NPU_U8] = "u8",   [NPU_S16] = "s16",
};

static const unsigned int ref_size[] = {
	[NPU_F32] = 4, [NPU_F16] = 2, [NPU_BF16] = 2, [NPU_S32] = 4,
	[NPU_S8] = 1,  [NPU_U8] = 1,  [NPU_S16] = 2,
};

static inline bool ref_is_float(unsigned int dtype)
{
	return dtype == NPU_F32 || dtype == NPU_F16 || dtype == NPU_BF16;
}

static uint64_t ref_seed = 0x9e3779b97f4a7c15ULL;

static inline uint32_t ref_random(void)
{
	ref_seed ^= ref_seed << 13;
	ref_seed ^= ref_seed >> 7;
	ref_seed ^= ref_seed << 17;
	return ref_seed >> 32;
}

static inline uint32_t ref_below(uint32_t bound)
{
	return ref_random() % bound;
}

static inline float ref_float(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, 4);
	return x;
}

static inline uint32_t ref_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, 4);
	return bits;
}

static inline float ref_canonical(float x)
{
	return isnan(x) ? ref_float(0x7fc00000) : x;
}

/* The value of an encoding with that many exponent and fraction bits. */
static inline float ref_decode(uint32_t bits, int exponent_bits, int fraction_bits)
{
	int bias = (1 << (exponent_bits - 1)) - 1;
	int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
	double fraction = bits & ((1u << fraction_bits) - 1), x;

	if (exponent == (1 << exponent_bits) - 1)
		x = fraction ? NAN : INFINITY;
	else if (!exponent)
		x = ldexp(fraction, 1 - bias - fraction_bits);
	else
		x = ldexp(fraction + ldexp(1, fraction_bits), exponent - bias - fraction_bits);
	return bits >> (exponent_bits + fraction_bits) & 1 ? -x : x;
}

/* The encoding nearest to x, ties to even. */
static inline uint32_t ref_encode(float x, int exponent_bits, int fraction_bits)
{
	int bias = (1 << (exponent_bits - 1)) - 1, exponent;
	uint32_t infinity = ((1u << exponent_bits) - 1) << fraction_bits, bits;
	double steps;

	if (isnan(x))
		return infinity | 1u << (fraction_bits - 1);
	exponent = x && !isinf(x) ? ilogb(x) : 0;
	exponent = x && exponent > 1 - bias ? exponent : 1 - bias;
	steps = nearbyint(ldexp(fabs(x), fraction_bits - exponent));
	if (isinf(x) || ldexp(steps, exponent - fraction_bits) >= ldexp(1, bias + 1))
		bits = infinity;
	else /* steps hold the leading one, which counts as an exponent */
		bits = (uint32_t)(steps + ldexp(exponent + bias - 1, fraction_bits));
	return bits | (uint32_t)!!signbit(x) << (exponent_bits + fraction_bits);
}

static inline uint32_t ref_raw(unsigned int dtype, const void *p)
{
	uint32_t bits = 0;

	memcpy(&bits, p, ref_size[dtype]);
	return bits;
}

static inline float ref_f32(unsigned int dtype, uint32_t bits)
{
	switch (dtype) {
	case NPU_F16:
		return ref_decode(bits, 5, 10);
	case NPU_BF16:
		return ref_decode(bits, 8, 7);
	default:
		return ref_float(bits);
	}
}

static inline uint32_t ref_from_f32(unsigned int dtype, float x)
{
	switch (dtype) {
	case NPU_F16:
		return ref_encode(x, 5, 10);
	case NPU_BF16:
		return ref_encode(x, 8, 7);
	default:
		return ref_bits(ref_canonical(x));
	}
}

static inline int64_t ref_int(unsigned int dtype, uint32_t bits)
{
	switch (dtype) {
	case NPU_S32:
		return (int32_t)bits;
	case NPU_S16:
		return (int16_t)bits;
	case NPU_S8:
		return (int8_t)bits;
	default:
		return (uint8_t)bits;
	}
}

static inline int64_t ref_saturate(unsigned int dtype, double x)
{
	double low = dtype == NPU_U8 ? 0 : -ldexp(1, 8 * ref_size[dtype] - 1);
	double high = dtype == NPU_U8 ? 255 : ldexp(1, 8 * ref_size[dtype] - 1) - 1;

	if (isnan(x))
		return 0;
	return x < low ? low : x > high ? high : x;
}

/* Encodings at the edges, as fp32; those that a narrower type rounds away do no harm. */
static inline float ref_edge(void)
{
	static const float edges[] = {
		0.0f, 1.0f, 0.5f, 1.5f, 2.5f, INFINITY, 0x1p-149f, 0x1p-126f, 0x1.fffffep127f,
		0x1.fffffcp-127f, 65504, 65520, 0x1p-14f, 0x1p-24f, 0x1p-25f, 0x1.8p-24f, 127.5f,
		128.5f, 254.5f, 255.5f, 32767.5f, 2147483648.0f, 2147483520.0f, 8388609.0f, 88.7f,
		89.5f, 103.9f, 0.625f, 0.921875f, 9.02f, 3.93f, 0x1p-12f, 0x1.fcp127f, 0x1p64f,
	};
	float x = edges[ref_below(REF_COUNT(edges))];

	if (!ref_below(8))
		x = ref_float(0x7f800001 + ref_below(0x7ffffe));
	return ref_random() & 1 ? -x : x;
}

static inline uint32_t ref_element(unsigned int dtype)
{
	static const uint32_t int_edges[] = { 0, 1, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff,
					      0x80000000, 0xffffffff, 31, 32 };

	switch (ref_below(4)) {
	case 0:
		if (ref_is_float(dtype))
			return dtype == NPU_F32 ? ref_bits(ref_edge()) :
						  ref_from_f32(dtype, ref_edge());
		return int_edges[ref_below(REF_COUNT(int_edges))];
	case 1:
		return ref_random();
	default:
		if (ref_is_float(dtype))
			return ref_from_f32(dtype, (int32_t)ref_random() * 0x1p-29f);
		return ref_below(64) - 32;
	}
}

static inline void ref_fill(void *memory, size_t bytes, unsigned int dtype)
{
	uint8_t *p = memory;
	uint32_t bits;

	for (size_t i = 0; i + ref_size[dtype] <= bytes; i += ref_size[dtype]) {
		bits = ref_element(dtype);
		memcpy(p + i, &bits, ref_size[dtype]);
	}
}

/* Floats between -1 and 1 only. */
static inline void ref_fill_plain(void *memory, size_t bytes, unsigned int dtype)
{
	uint8_t *p = memory;
	uint32_t bits;

	for (size_t i = 0; i + ref_size[dtype] <= bytes; i += ref_size[dtype]) {
		bits = ref_from_f32(dtype, (int32_t)ref_random() * 0x1p-31f);
		memcpy(p + i, &bits, ref_size[dtype]);
	}
}

static inline uint64_t ref_pad(uint64_t bytes)
{
	return (bytes + NPU_TILE_ALIGN - 1) / NPU_TILE_ALIGN * NPU_TILE_ALIGN;
}

#endif /* TILE_REF_H */

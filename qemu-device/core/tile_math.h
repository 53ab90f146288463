/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scalar arithmetic of the tile engines, as docs/numerics.md specifies it: fp32 operations in a
 * fixed order, fused only where fma is written. No branches, so that loops over it vectorise.
 */
#ifndef TILE_MATH_H
#define TILE_MATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TILE_INLINE static inline __attribute__((always_inline))

#define TILE_NAN_BITS 0x7fc00000u
#define TILE_SIGN_BIT 0x80000000u
#define TILE_INF __builtin_inff()

TILE_INLINE float tile_from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

TILE_INLINE uint32_t tile_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* Hosts differ in the NaN that they make; the device has but one. */
TILE_INLINE float tile_canonical(float x)
{
	return x == x ? x : tile_from_bits(TILE_NAN_BITS);
}

/*
 * Fused multiply-add. Without it in hardware: the product is exact in double; the sum is rounded
 * to odd, which makes the second rounding the only one that counts.
 */
TILE_INLINE float tile_fma(float a, float b, float c)
{
#if defined(__FP_FAST_FMAF) || defined(__FMA__)
	return __builtin_fmaf(a, b, c);
#else
	double p = (double)a * b, s = p + c, t = s - p, error = (p - (s - t)) + (c - t);
	uint64_t bits;

	memcpy(&bits, &s, sizeof(bits));
	if (!(bits & 1) && (error < 0 || error > 0))
		bits += (error > 0) == (s > 0) ? 1 : -1;
	memcpy(&s, &bits, sizeof(s));
	return s;
#endif
}

TILE_INLINE float tile_abs(float x)
{
	return tile_from_bits(tile_bits(x) & ~TILE_SIGN_BIT);
}

TILE_INLINE float tile_copysign(float x, float sign)
{
	return tile_from_bits((tile_bits(x) & ~TILE_SIGN_BIT) | (tile_bits(sign) & TILE_SIGN_BIT));
}

/* To the nearest integer, ties to even. Adding 2^23 leaves no fraction bits. */
TILE_INLINE float tile_round(float x)
{
	float a = tile_abs(x), r = (a + 0x1p23f) - 0x1p23f;

	return a < 0x1p23f ? tile_copysign(r, x) : x;
}

/* NaN wins; +0 is greater than -0. */
TILE_INLINE float tile_max(float a, float b)
{
	float r = a > b ? a : b;

	r = a == b ? tile_from_bits(tile_bits(a) & tile_bits(b)) : r;
	return a == a && b == b ? r : tile_from_bits(TILE_NAN_BITS);
}

TILE_INLINE float tile_min(float a, float b)
{
	float r = a < b ? a : b;

	r = a == b ? tile_from_bits(tile_bits(a) | tile_bits(b)) : r;
	return a == a && b == b ? r : tile_from_bits(TILE_NAN_BITS);
}

TILE_INLINE float tile_relu(float x)
{
	return x > 0 ? x : x == x ? 0 : tile_from_bits(TILE_NAN_BITS);
}

/* To an integer, ties to even, saturated; 0 for NaN. Bounds of no more than 24 bits. */
TILE_INLINE int32_t tile_f32_to_int(float x, int32_t low, int32_t high)
{
	float r = tile_round(x);

	r = r > (float)high ? (float)high : r;
	r = r < (float)low ? (float)low : r;
	return (int32_t)(r == r ? r : 0.0f);
}

#define TILE_LN2_HIGH 0x1.62e43p-1f
#define TILE_LN2_LOW -0x1.05c610p-29f
#define TILE_LOG2E 0x1.715476p+0f
#define TILE_ROUNDER 0x1.8p23f /* x + this: nearest integer to x in the low bits */

/* exp for any x; the result for NaN is a NaN. */
TILE_INLINE float tile_exp_raw(float x)
{
	/* Below, the result is zero. Its underflow would be slow, and is common: of masked scores. */
	const bool zero = x < -104.0f;
	float n, r, p, shifted;
	uint32_t i, half;

	x = x > 89.0f ? 89.0f : x;
	x = zero ? 0.0f : x;
	shifted = tile_fma(x, TILE_LOG2E, TILE_ROUNDER);
	n = shifted - TILE_ROUNDER;
	r = tile_fma(-n, TILE_LN2_HIGH, x);
	r = tile_fma(-n, TILE_LN2_LOW, r);
	p = 0x1.6a241ap-10f;
	p = tile_fma(p, r, 0x1.1239f2p-7f);
	p = tile_fma(p, r, 0x1.5558f2p-5f);
	p = tile_fma(p, r, 0x1.555492p-3f);
	p = tile_fma(p, r, 0x1.fffffcp-2f);
	p = tile_fma(p, r * r, r) + 1.0f;
	/* 2^n in two steps: neither overflows, and only the last one can round. */
	i = tile_bits(shifted) - tile_bits(TILE_ROUNDER);
	half = (uint32_t)((int32_t)i >> 1);
	p = p * tile_from_bits((half + 127) << 23) * tile_from_bits((i - half + 127) << 23);
	return zero ? 0.0f : p;
}

TILE_INLINE float tile_exp(float x)
{
	return tile_canonical(tile_exp_raw(x));
}

TILE_INLINE float tile_ln(float x)
{
	float scaled = x < 0x1p-126f ? x * 0x1p25f : x;
	float bias = x < 0x1p-126f ? -25.0f : 0.0f;
	uint32_t bits = tile_bits(scaled);
	int32_t i = (int32_t)(bits - 0x3f3504f3u) >> 23; /* the mantissa from sqrt(1/2) up */
	float e = (float)i + bias;
	float f = tile_from_bits(bits - ((uint32_t)i << 23)) - 1.0f;
	float y = f * f, q, r;

	q = 0x1.145a56p-4f;
	q = tile_fma(q, f, -0x1.de3d2cp-4f);
	q = tile_fma(q, f, 0x1.e6efc2p-4f);
	q = tile_fma(q, f, -0x1.fc21e4p-4f);
	q = tile_fma(q, f, 0x1.233776p-3f);
	q = tile_fma(q, f, -0x1.555c4ep-3f);
	q = tile_fma(q, f, 0x1.99a4b4p-3f);
	q = tile_fma(q, f, -0x1.000006p-2f);
	q = tile_fma(q, f, 0x1.555548p-2f);
	r = tile_fma(f * y, q, e * TILE_LN2_LOW);
	r = tile_fma(-0.5f, y, r) + f;
	r = tile_fma(e, TILE_LN2_HIGH, r);
	r = x < TILE_INF ? r : x;
	r = x == 0 ? -TILE_INF : r;
	return x >= 0 ? r : tile_from_bits(TILE_NAN_BITS);
}

TILE_INLINE float tile_sqrt(float x)
{
	return tile_canonical(__builtin_sqrtf(x));
}

TILE_INLINE float tile_rsqrt(float x)
{
	return tile_canonical(1.0f / __builtin_sqrtf(x));
}

TILE_INLINE float tile_recip(float x)
{
	return tile_canonical(1.0f / x);
}

TILE_INLINE float tile_tanh(float x)
{
	float t = tile_abs(x), s = t * t, p, small, large;

	p = -0x1.75e438p-8f;
	p = tile_fma(p, s, 0x1.52276ep-6f);
	p = tile_fma(p, s, -0x1.b83c88p-5f);
	p = tile_fma(p, s, 0x1.110728p-3f);
	p = tile_fma(p, s, -0x1.555532p-2f);
	small = tile_fma(t * s, p, t);
	large = t > 10.0f ? 10.0f : t;
	large = 1.0f - 2.0f / (tile_exp_raw(large + large) + 1.0f);
	return tile_canonical(tile_copysign(t < 0.625f ? small : large, x));
}

TILE_INLINE float tile_erf(float x)
{
	float t = tile_abs(x), s = t * t, p, q, small, large;

	p = 0x1.5f1134p-14f;
	p = tile_fma(p, s, -0x1.aae99ap-11f);
	p = tile_fma(p, s, 0x1.54dadep-8f);
	p = tile_fma(p, s, -0x1.b8107cp-6f);
	p = tile_fma(p, s, 0x1.ce2e20p-4f);
	p = tile_fma(p, s, -0x1.812744p-2f);
	p = tile_fma(p, s, 0x1.06eba8p-3f);
	small = tile_fma(p, t, t);
	/* Beyond: 1 - erfc, whose logarithm is -u * q(u). */
	large = t > 4.0f ? 4.0f : t;
	q = 0x1.7b49cep-17f;
	q = tile_fma(q, large, -0x1.533e54p-12f);
	q = tile_fma(q, large, 0x1.ddcf5cp-9f);
	q = tile_fma(q, large, -0x1.856b66p-6f);
	q = tile_fma(q, large, 0x1.b32d02p-4f);
	q = tile_fma(q, large, 0x1.4531fcp-1f);
	q = tile_fma(q, large, 0x1.20ef2ep+0f);
	large = 1.0f - tile_exp_raw(-(q * large));
	return tile_canonical(tile_copysign(t < 0.921875f ? small : large, x));
}

#endif /* TILE_MATH_H */

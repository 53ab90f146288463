/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exp, ln, tanh and erf as docs/numerics.md says them, with branches and libm's fmaf: what the
 * device must match bit for bit.
 */
#ifndef TILE_REF_MATH_H
#define TILE_REF_MATH_H

#include "tile_ref.h"

/* Horner's scheme, highest power first, a fused step each. */
static inline float ref_polynomial(const float *coefficients, unsigned int count, float x)
{
	float p = coefficients[0];

	for (unsigned int i = 1; i < count; i++)
		p = fmaf(p, x, coefficients[i]);
	return p;
}

#define REF_POLYNOMIAL(x, ...) \
	ref_polynomial((const float[]) { __VA_ARGS__ }, \
		       sizeof((float[]) { __VA_ARGS__ }) / sizeof(float), x)

static inline float ref_exp(float x)
{
	float n, r, p;

	if (isnan(x))
		return ref_canonical(x);
	x = fminf(fmaxf(x, -104), 89);
	n = fmaf(x, 0x1.715476p+0f, 0x1.8p+23f) - 0x1.8p+23f;
	r = fmaf(-n, -0x1.05c610p-29f, fmaf(-n, 0x1.62e430p-1f, x));
	p = REF_POLYNOMIAL(r, 0x1.6a241ap-10f, 0x1.1239f2p-7f, 0x1.5558f2p-5f, 0x1.555492p-3f,
			   0x1.fffffcp-2f);
	/* A double holds the product with 2^n exactly: one rounding. */
	return (float)ldexp(fmaf(p, r * r, r) + 1.0f, (int)n);
}

static inline float ref_ln(float x)
{
	int e;
	float f, y, q, r;

	if (isnan(x) || x < 0)
		return ref_float(0x7fc00000);
	if (x == 0)
		return -INFINITY;
	if (isinf(x))
		return x;
	f = (float)frexp(x, &e);
	if (f < ref_float(0x3f3504f3)) {
		f *= 2;
		e--;
	}
	f -= 1;
	y = f * f;
	q = REF_POLYNOMIAL(f, 0x1.145a56p-4f, -0x1.de3d2cp-4f, 0x1.e6efc2p-4f, -0x1.fc21e4p-4f,
			   0x1.233776p-3f, -0x1.555c4ep-3f, 0x1.99a4b4p-3f, -0x1.000006p-2f,
			   0x1.555548p-2f);
	r = fmaf(f * y, q, (float)e * -0x1.05c610p-29f);
	r = fmaf(-0.5f, y, r) + f;
	return fmaf((float)e, 0x1.62e430p-1f, r);
}

static inline float ref_tanh(float x)
{
	float t = fabsf(x), s = t * t, p;

	if (isnan(x))
		return ref_canonical(x);
	if (t >= 0.625f)
		return copysignf(1.0f - 2.0f / (ref_exp(2 * fminf(t, 10)) + 1.0f), x);
	p = REF_POLYNOMIAL(s, -0x1.75e438p-8f, 0x1.52276ep-6f, -0x1.b83c88p-5f, 0x1.110728p-3f,
			   -0x1.555532p-2f);
	return copysignf(fmaf(t * s, p, t), x);
}

static inline float ref_erf(float x)
{
	float t = fabsf(x), p;

	if (isnan(x))
		return ref_canonical(x);
	if (t < 0.921875f) {
		p = REF_POLYNOMIAL(t * t, 0x1.5f1134p-14f, -0x1.aae99ap-11f, 0x1.54dadep-8f,
				   -0x1.b8107cp-6f, 0x1.ce2e20p-4f, -0x1.812744p-2f,
				   0x1.06eba8p-3f);
		return copysignf(fmaf(p, t, t), x);
	}
	t = fminf(t, 4);
	p = REF_POLYNOMIAL(t, 0x1.7b49cep-17f, -0x1.533e54p-12f, 0x1.ddcf5cp-9f, -0x1.856b66p-6f,
			   0x1.b32d02p-4f, 0x1.4531fcp-1f, 0x1.20ef2ep+0f);
	return copysignf(1.0f - ref_exp(-(p * t)), x);
}

#endif /* TILE_REF_MATH_H */

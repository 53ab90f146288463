/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors of the cube's kernels at each CPU level, and the shape of its register block: TILE_MR
 * rows of TILE_NV vectors. tile_vf_fma_exact() is for products that fp32 holds exactly, where
 * fused and not fused are the same.
 */
#ifndef TILE_SIMD_H
#define TILE_SIMD_H

#include "tile_math.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__)

#define TILE_VL 16
#define TILE_NV 2
#define TILE_MR 8

typedef __m512 tile_vf;
typedef __m512i tile_vi;

TILE_INLINE tile_vf tile_vf_load(const void *p)
{
	return _mm512_loadu_ps(p);
}

TILE_INLINE void tile_vf_store(void *p, tile_vf v)
{
	_mm512_storeu_ps(p, v);
}

TILE_INLINE tile_vf tile_vf_set(float x)
{
	return _mm512_set1_ps(x);
}

TILE_INLINE tile_vf tile_vf_fma(tile_vf a, tile_vf b, tile_vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}

TILE_INLINE tile_vf tile_vf_fma_exact(tile_vf a, tile_vf b, tile_vf c)
{
	return tile_vf_fma(a, b, c);
}

TILE_INLINE tile_vf tile_vf_canonical(tile_vf v)
{
	const tile_vf nan = _mm512_castsi512_ps(_mm512_set1_epi32(TILE_NAN_BITS));

	return _mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan);
}

TILE_INLINE tile_vi tile_vi_load(const void *p)
{
	return _mm512_loadu_si512(p);
}

TILE_INLINE void tile_vi_store(void *p, tile_vi v)
{
	_mm512_storeu_si512(p, v);
}

TILE_INLINE tile_vi tile_vi_set(int32_t x)
{
	return _mm512_set1_epi32(x);
}

/* c + the dot products of pairs of s16. */
TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
	return _mm512_add_epi32(c, _mm512_madd_epi16(a, b));
}

#elif defined(__AVX2__) && defined(__FMA__)

#define TILE_VL 8
#define TILE_NV 2
#define TILE_MR 6

typedef __m256 tile_vf;
typedef __m256i tile_vi;

TILE_INLINE tile_vf tile_vf_load(const void *p)
{
	return _mm256_loadu_ps(p);
}

TILE_INLINE void tile_vf_store(void *p, tile_vf v)
{
	_mm256_storeu_ps(p, v);
}

TILE_INLINE tile_vf tile_vf_set(float x)
{
	return _mm256_set1_ps(x);
}

TILE_INLINE tile_vf tile_vf_fma(tile_vf a, tile_vf b, tile_vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}

TILE_INLINE tile_vf tile_vf_fma_exact(tile_vf a, tile_vf b, tile_vf c)
{
	return tile_vf_fma(a, b, c);
}

TILE_INLINE tile_vf tile_vf_canonical(tile_vf v)
{
	const tile_vf nan = _mm256_castsi256_ps(_mm256_set1_epi32(TILE_NAN_BITS));

	return _mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}

TILE_INLINE tile_vi tile_vi_load(const void *p)
{
	return _mm256_loadu_si256(p);
}

TILE_INLINE void tile_vi_store(void *p, tile_vi v)
{
	_mm256_storeu_si256(p, v);
}

TILE_INLINE tile_vi tile_vi_set(int32_t x)
{
	return _mm256_set1_epi32(x);
}

TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
	return _mm256_add_epi32(c, _mm256_madd_epi16(a, b));
}

#else /* any CPU that GCC and clang know */

#define TILE_VL 4
#define TILE_NV 2
#define TILE_MR 4

typedef float tile_vf __attribute__((vector_size(16)));
typedef int32_t tile_vi __attribute__((vector_size(16)));

TILE_INLINE tile_vf tile_vf_load(const void *p)
{
	tile_vf v;

	memcpy(&v, p, sizeof(v));
	return v;
}

TILE_INLINE void tile_vf_store(void *p, tile_vf v)
{
	memcpy(p, &v, sizeof(v));
}

TILE_INLINE tile_vf tile_vf_set(float x)
{
	return (tile_vf) { x, x, x, x };
}

TILE_INLINE tile_vf tile_vf_fma(tile_vf a, tile_vf b, tile_vf c)
{
	return (tile_vf) {
		tile_fma(a[0], b[0], c[0]), tile_fma(a[1], b[1], c[1]),
		tile_fma(a[2], b[2], c[2]), tile_fma(a[3], b[3], c[3]),
	};
}

TILE_INLINE tile_vf tile_vf_fma_exact(tile_vf a, tile_vf b, tile_vf c)
{
	return c + a * b;
}

TILE_INLINE tile_vf tile_vf_canonical(tile_vf v)
{
	return (tile_vf) {
		tile_canonical(v[0]), tile_canonical(v[1]),
		tile_canonical(v[2]), tile_canonical(v[3]),
	};
}

TILE_INLINE tile_vi tile_vi_load(const void *p)
{
	tile_vi v;

	memcpy(&v, p, sizeof(v));
	return v;
}

TILE_INLINE void tile_vi_store(void *p, tile_vi v)
{
	memcpy(p, &v, sizeof(v));
}

TILE_INLINE tile_vi tile_vi_set(int32_t x)
{
	return (tile_vi) { x, x, x, x };
}

TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
#ifdef __SSE2__
	return (tile_vi)_mm_add_epi32((__m128i)c, _mm_madd_epi16((__m128i)a, (__m128i)b));
#else
	typedef uint32_t vu __attribute__((vector_size(16)));
	tile_vi low = ((a << 16) >> 16) * ((b << 16) >> 16), high = (a >> 16) * (b >> 16);

	return (tile_vi)((vu)c + (vu)low + (vu)high);
#endif
}

#endif

#define TILE_NR (TILE_VL * TILE_NV)

#endif /* TILE_SIMD_H */

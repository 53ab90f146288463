/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors of the cube's kernels at each CPU level, and the shape of its register block: TILE_MR
 * rows of TILE_NV vectors; up to TILE_THIN rows of A, B is used where it is. tile_vf_fma_exact()
 * is for products that fp32 holds exactly, where fused and not fused are the same. A step of S8 is
 * TILE_S8_K elements of k in the 32 bits of a lane: two s16, or four bytes where the CPU multiplies
 * those.
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
#define TILE_MR 13
#define TILE_THIN 8

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

/* Not zero if there is a NaN in any lane. */
TILE_INLINE unsigned int tile_vf_nans(tile_vf v, tile_vf w)
{
	return _mm512_cmp_ps_mask(v, w, _CMP_UNORD_Q);
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

TILE_INLINE tile_vi tile_vi_add(tile_vi a, tile_vi b)
{
	return _mm512_add_epi32(a, b);
}

/* c + the dot products of steps of S8: nothing saturates. */
TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
#ifdef __AVX512VNNI__
	return _mm512_dpbusd_epi32(c, b, a);
#else
	return _mm512_add_epi32(c, _mm512_madd_epi16(a, b));
#endif
}

#elif defined(__AVX2__) && defined(__FMA__)

#define TILE_VL 8
#define TILE_NV 2
#define TILE_MR 6
#define TILE_THIN 4

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

TILE_INLINE unsigned int tile_vf_nans(tile_vf v, tile_vf w)
{
	return _mm256_movemask_ps(_mm256_cmp_ps(v, w, _CMP_UNORD_Q));
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

TILE_INLINE tile_vi tile_vi_add(tile_vi a, tile_vi b)
{
	return _mm256_add_epi32(a, b);
}

TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
	return _mm256_add_epi32(c, _mm256_madd_epi16(a, b));
}

#else /* any CPU that GCC and clang know */

#define TILE_VL 4
#define TILE_NV 2
#define TILE_MR 4
#define TILE_THIN 0 /* no gain */

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

TILE_INLINE unsigned int tile_vf_nans(tile_vf v, tile_vf w)
{
	const tile_vi nans = (v != v) | (w != w);

	return nans[0] | nans[1] | nans[2] | nans[3];
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

TILE_INLINE tile_vi tile_vi_add(tile_vi a, tile_vi b)
{
	typedef uint32_t vu __attribute__((vector_size(16)));

	return (tile_vi)((vu)a + (vu)b);
}

TILE_INLINE tile_vi tile_vi_dot(tile_vi a, tile_vi b, tile_vi c)
{
#ifdef __SSE2__
	return (tile_vi)_mm_add_epi32((__m128i)c, _mm_madd_epi16((__m128i)a, (__m128i)b));
#else
	tile_vi low = ((a << 16) >> 16) * ((b << 16) >> 16), high = (a >> 16) * (b >> 16);

	return tile_vi_add(c, tile_vi_add(low, high));
#endif
}

#endif

#define TILE_NR (TILE_VL * TILE_NV)

/*
 * S8 for tile_vi_dot(): n elements of a row of A, which returns what is to be added to the sums,
 * and a step of B, of TILE_S8_K rows.
 */
#ifdef __AVX512VNNI__

/* The product is of signed and unsigned bytes: B goes in with 128 added, which A has to undo. */
#define TILE_S8_K 4

TILE_INLINE int32_t tile_s8_pack_a(void *dst, const int8_t *src, unsigned int n)
{
	const __m128i ones = _mm_set1_epi8(1);
	__m128i sums = _mm_setzero_si128();
	int8_t *d = dst;
	unsigned int i = 0;
	int32_t sum;

	for (; n - i >= 16; i += 16) {
		__m128i x = _mm_loadu_si128((const void *)(src + i));

		_mm_storeu_si128((void *)(d + i), x);
		sums = _mm_dpbusd_epi32(sums, ones, x);
	}
	sums = _mm_add_epi32(sums, _mm_srli_si128(sums, 8));
	sum = _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 1);
	for (; i < n; i++) {
		d[i] = src[i];
		sum += src[i];
	}
	return sum * -128;
}

TILE_INLINE void tile_s8_pack_b(void *dst, int8_t rows[TILE_S8_K][TILE_NR])
{
	const __m128i offset = _mm_set1_epi8(-128);
	__m128i *d = dst;

	for (unsigned int i = 0; i < TILE_NR; i += 16, d += 4) {
		__m128i r0 = _mm_loadu_si128((const void *)(rows[0] + i));
		__m128i r1 = _mm_loadu_si128((const void *)(rows[1] + i));
		__m128i r2 = _mm_loadu_si128((const void *)(rows[2] + i));
		__m128i r3 = _mm_loadu_si128((const void *)(rows[3] + i));
		__m128i low01 = _mm_xor_si128(_mm_unpacklo_epi8(r0, r1), offset);
		__m128i low23 = _mm_xor_si128(_mm_unpacklo_epi8(r2, r3), offset);
		__m128i high01 = _mm_xor_si128(_mm_unpackhi_epi8(r0, r1), offset);
		__m128i high23 = _mm_xor_si128(_mm_unpackhi_epi8(r2, r3), offset);

		_mm_storeu_si128(d + 0, _mm_unpacklo_epi16(low01, low23));
		_mm_storeu_si128(d + 1, _mm_unpackhi_epi16(low01, low23));
		_mm_storeu_si128(d + 2, _mm_unpacklo_epi16(high01, high23));
		_mm_storeu_si128(d + 3, _mm_unpackhi_epi16(high01, high23));
	}
}

#else

#define TILE_S8_K 2

TILE_INLINE int32_t tile_s8_pack_a(void *dst, const int8_t *src, unsigned int n)
{
	int16_t *d = dst;

	for (unsigned int i = 0; i < n; i++)
		d[i] = src[i];
	return 0;
}

TILE_INLINE void tile_s8_pack_b(void *dst, int8_t rows[TILE_S8_K][TILE_NR])
{
	int16_t *d = dst;

	for (unsigned int j = 0; j < TILE_NR; j++) {
		d[2 * j] = rows[0][j];
		d[2 * j + 1] = rows[1][j];
	}
}

#endif

#endif /* TILE_SIMD_H */

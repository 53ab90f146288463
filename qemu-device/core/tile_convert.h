/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of elements to fp32 or s32 and back; included by the tile_isa_*.c files.
 * Values on their way back have no NaN but the canonical one.
 */
#ifndef TILE_CONVERT_H
#define TILE_CONVERT_H

#include <npu/npu_tile.h>

#include "tile_math.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

/* What SCALED does to n elements; dst may be src. */
TILE_INLINE void tile_scale(float *dst, const float *src, size_t n, float shift, float factor)
{
	_Pragma("GCC ivdep")
	for (size_t i = 0; i < n; i++)
		dst[i] = (src[i] - shift) * factor;
}

/* Elements that an operation takes through its buffers at a time. */
#define TILE_BLOCK 512

TILE_INLINE float tile_f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
	/* The exponent is wrong by 112; a product corrects it and normalises denormals. */
	float x = tile_from_bits(rest) * 0x1p112f;

	x = h & 0x7fff && (h & 0x7c00) == 0x7c00 ? tile_from_bits(rest | 0x7f800000) : x;
	return tile_from_bits(tile_bits(x) | sign);
}

TILE_INLINE uint16_t tile_f32_to_f16(float x)
{
	uint32_t sign = tile_bits(x) >> 16 & 0x8000, a = tile_bits(x) & ~TILE_SIGN_BIT;
	uint32_t normal = (a - (112u << 23) + 0xfff + (a >> 13 & 1)) >> 13;
	/* At 0.5 the last bit of fp32 is the last bit of an fp16 denormal. */
	uint32_t denormal = tile_bits(tile_from_bits(a) + 0.5f) - tile_bits(0.5f);
	uint32_t h = a < 113u << 23 ? denormal : normal;

	h = a >= 0x477ff000 ? 0x7c00 : h;
	return a > 0x7f800000 ? 0x7e00 : h | sign;
}

TILE_INLINE float tile_bf16_to_f32(uint16_t h)
{
	return tile_from_bits((uint32_t)h << 16);
}

TILE_INLINE uint16_t tile_f32_to_bf16(float x)
{
	uint32_t bits = tile_bits(x);

	return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

TILE_INLINE void tile_load_f16(float *dst, const uint16_t *src, size_t n)
{
	size_t i = 0;

#ifdef __AVX512F__
	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(dst + i,
				 _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(src + i))));
#elif defined(__F16C__)
	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(dst + i,
				 _mm256_cvtph_ps(_mm_loadu_si128((const void *)(src + i))));
#endif
	for (; i < n; i++)
		dst[i] = tile_f16_to_f32(src[i]);
}

TILE_INLINE void tile_store_f16(uint16_t *dst, const float *src, size_t n)
{
	size_t i = 0;

#ifdef __AVX512F__
	for (; i + 16 <= n; i += 16)
		_mm256_storeu_si256((void *)(dst + i),
				    _mm512_cvtps_ph(_mm512_loadu_ps(src + i),
						    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
	for (; i + 8 <= n; i += 8)
		_mm_storeu_si128((void *)(dst + i),
				 _mm256_cvtps_ph(_mm256_loadu_ps(src + i),
						 _MM_FROUND_TO_NEAREST_INT));
#endif
	for (; i < n; i++)
		dst[i] = tile_f32_to_f16(src[i]);
}

TILE_INLINE void tile_load_f32(float *dst, const void *src, size_t n, unsigned int dtype)
{
	const uint16_t *half = src;
	const float *single = src;

	switch (dtype) {
	case NPU_F16:
		tile_load_f16(dst, half, n);
		break;
	case NPU_BF16:
		for (size_t i = 0; i < n; i++)
			dst[i] = tile_bf16_to_f32(half[i]);
		break;
	default:
		/* Rows are short: no call of memcpy(). */
		for (size_t i = 0; i < n; i++)
			dst[i] = single[i];
		break;
	}
}

TILE_INLINE void tile_store_f32(void *dst, const float *src, size_t n, unsigned int dtype)
{
	uint16_t *half = dst;

	switch (dtype) {
	case NPU_F16:
		tile_store_f16(half, src, n);
		break;
	case NPU_BF16:
		for (size_t i = 0; i < n; i++)
			half[i] = tile_f32_to_bf16(src[i]);
		break;
	default:
		memcpy(dst, src, n * sizeof(*src));
		break;
	}
}

/* Integers of any type. */
TILE_INLINE void tile_load_s32(int32_t *d, const void *src, size_t n, unsigned int dtype)
{
	const int16_t *s16 = src;
	const int8_t *s8 = src;
	const uint8_t *u8 = src;

	switch (dtype) {
	case NPU_S16:
		for (size_t i = 0; i < n; i++)
			d[i] = s16[i];
		break;
	case NPU_S8:
		for (size_t i = 0; i < n; i++)
			d[i] = s8[i];
		break;
	case NPU_U8:
		for (size_t i = 0; i < n; i++)
			d[i] = u8[i];
		break;
	default:
		memcpy(d, src, n * sizeof(*d));
		break;
	}
}

TILE_INLINE size_t tile_block(size_t done, size_t count)
{
	return count - done < TILE_BLOCK ? count - done : TILE_BLOCK;
}

TILE_INLINE unsigned int tile_element_size(unsigned int dtype)
{
	switch (dtype) {
	case NPU_F32:
	case NPU_S32:
		return 4;
	case NPU_S8:
	case NPU_U8:
		return 1;
	default:
		return 2;
	}
}

TILE_INLINE int tile_is_float(unsigned int dtype)
{
	return dtype == NPU_F32 || dtype == NPU_F16 || dtype == NPU_BF16;
}

#endif /* TILE_CONVERT_H */

// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: conversion between types, through fp32 or s32. */
#include "tile_convert.h"
#include "tile_isa.h"

static int32_t clamp(int32_t x, int32_t low, int32_t high)
{
	x = x < low ? low : x;
	return x > high ? high : x;
}

static void store_s32(void *dst, const int32_t *s, size_t n, unsigned int dtype)
{
	int16_t *s16 = dst;
	int8_t *s8 = dst;
	uint8_t *u8 = dst;

	switch (dtype) {
	case NPU_S16:
		for (size_t i = 0; i < n; i++)
			s16[i] = clamp(s[i], INT16_MIN, INT16_MAX);
		break;
	case NPU_S8:
		for (size_t i = 0; i < n; i++)
			s8[i] = clamp(s[i], INT8_MIN, INT8_MAX);
		break;
	case NPU_U8:
		for (size_t i = 0; i < n; i++)
			u8[i] = clamp(s[i], 0, UINT8_MAX);
		break;
	default:
		memcpy(dst, s, n * sizeof(*s));
		break;
	}
}

/* Saturated; 0 for NaN. What s32 saturates to, the narrower types saturate further. */
static void round_to_s32(int32_t *d, const float *s, size_t n, bool trunc)
{
	for (size_t i = 0; i < n; i++) {
		float x = trunc ? s[i] : tile_round(s[i]);
		int32_t y = (int32_t)(x >= -0x1p31f && x < 0x1p31f ? x : 0.0f);

		y = x >= 0x1p31f ? INT32_MAX : y;
		d[i] = x < -0x1p31f ? INT32_MIN : y;
	}
}

void TILE_NAME(tile_row_cast)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			      const uint8_t *src1, const uint8_t *mask)
{
	const unsigned int from_size = tile_element_size(args->dtype);
	const unsigned int to_size = tile_element_size(args->dst_dtype);
	const bool from_float = tile_is_float(args->dtype);
	const bool to_float = tile_is_float(args->dst_dtype);
	int32_t s32[TILE_BLOCK];
	float f32[TILE_BLOCK];

	(void)src1;
	(void)mask;
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		const uint8_t *from = src0 + i * from_size;
		uint8_t *to = dst + i * to_size;

		if (from_float)
			tile_load_f32(f32, from, n, args->dtype);
		else
			tile_load_s32(s32, from, n, args->dtype);
		if (from_float && to_float)
			for (size_t j = 0; j < n; j++)
				f32[j] = tile_canonical(f32[j]);
		else if (from_float)
			round_to_s32(s32, f32, n, args->trunc);
		else if (to_float)
			for (size_t j = 0; j < n; j++)
				f32[j] = (float)s32[j];
		if (to_float)
			tile_store_f32(to, f32, n, args->dst_dtype);
		else
			store_s32(to, s32, n, args->dst_dtype);
	}
}

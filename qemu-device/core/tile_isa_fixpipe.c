// SPDX-License-Identifier: GPL-2.0-or-later
/* FIXPIPE: conversion of rows from L0C. */
#include "tile_convert.h"
#include "tile_isa.h"

/* L0C and the destination are different memory, and flags do not change on the way. */
TILE_INLINE void activate(float *restrict dst, const float *restrict src, size_t n, bool relu)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = relu ? tile_relu(src[i]) : tile_canonical(src[i]);
}

static void from_f32(const struct tile_fixpipe *args, uint8_t *dst, const float *src, size_t n)
{
	float x[TILE_BLOCK];

	if (args->dst_dtype == NPU_F32) {
		activate((float *)dst, src, n, args->relu);
		return;
	}
	activate(x, src, n, args->relu);
	tile_store_f32(dst, x, n, args->dst_dtype);
}

static void s32_to_s32(const struct tile_fixpipe *args, int32_t *restrict dst,
		       const int32_t *restrict src, size_t n)
{
	const int32_t least = args->relu ? 0 : INT32_MIN;

	for (size_t i = 0; i < n; i++)
		dst[i] = src[i] < least ? least : src[i];
}

/* With a scale of one; what fp32 does not have exactly saturates anyway. */
static void s32_to_s8(const struct tile_fixpipe *args, int8_t *restrict dst,
		      const int32_t *restrict src, size_t n)
{
	const int32_t least = args->relu ? 0 : INT8_MIN;

	for (size_t i = 0; i < n; i++) {
		int32_t y = src[i] < least ? least : src[i];

		dst[i] = y > INT8_MAX ? INT8_MAX : y;
	}
}

static void from_s32(const struct tile_fixpipe *args, uint8_t *dst, const int32_t *src, size_t n)
{
	float x[TILE_BLOCK];

	for (size_t i = 0; i < n; i++) {
		float y = (float)src[i] * args->scale;

		x[i] = args->relu ? tile_relu(y) : tile_canonical(y);
	}
	if (args->dst_dtype != NPU_S8) {
		tile_store_f32(dst, x, n, args->dst_dtype);
		return;
	}
	for (size_t i = 0; i < n; i++)
		((int8_t *)dst)[i] = tile_f32_to_int(x[i], INT8_MIN, INT8_MAX);
}

void TILE_NAME(tile_isa_fixpipe)(const struct tile_fixpipe *args)
{
	unsigned int size = tile_element_size(args->dst_dtype);

	for (unsigned int r = 0; r < args->rows; r++) {
		const uint8_t *src = args->src + r * args->src_pitch;
		uint8_t *dst = args->dst + r * args->dst_pitch;

		if (args->far && r + TILE_WRITE_AHEAD < args->rows)
			tile_ask_ahead(dst + TILE_WRITE_AHEAD * args->dst_pitch,
				       args->cols * size);
		for (size_t i = 0; i < args->cols; i += TILE_BLOCK) {
			size_t n = tile_block(i, args->cols);
			const void *from = src + i * 4;
			void *to = dst + i * size;

			if (args->src_dtype == NPU_F32)
				from_f32(args, to, from, n);
			else if (args->dst_dtype == NPU_S32)
				s32_to_s32(args, to, from, n);
			else if (args->dst_dtype == NPU_S8 && args->scale == 1)
				s32_to_s8(args, to, from, n);
			else
				from_s32(args, to, from, n);
		}
	}
}

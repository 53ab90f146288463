// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vector engine: reductions of a row. Element i goes to lane i % LANES, in ascending order; then
 * the upper half of the lanes is folded onto the lower half until one is left.
 */
#include "tile_convert.h"
#include "tile_isa.h"

#define LANES 64

_Static_assert(TILE_BLOCK % LANES == 0, "a block must start at lane 0");

#define LANES_FN(type, name, result)							\
	static void name##_##type(type *restrict lane, const type *restrict x, size_t n) \
	{										\
		for (; n >= LANES; n -= LANES, x += LANES)				\
			for (size_t i = 0; i < LANES; i++)				\
				lane[i] = result(lane[i], x[i]);			\
		for (size_t i = 0; i < n; i++)						\
			lane[i] = result(lane[i], x[i]);				\
	}										\
											\
	static type name##_fold_##type(type *lane)					\
	{										\
		_Pragma("GCC unroll 6")							\
		for (size_t half = LANES / 2; half; half /= 2)				\
			for (size_t i = 0; i < half; i++)				\
				lane[i] = result(lane[i], lane[i + half]);		\
		return lane[0];								\
	}

#define ADD_FLOAT(a, b) ((a) + (b))
#define ADD_INT(a, b) ((int32_t)((uint32_t)(a) + (uint32_t)(b)))
#define MAX_INT(a, b) ((a) > (b) ? (a) : (b))
#define MIN_INT(a, b) ((a) < (b) ? (a) : (b))

LANES_FN(float, sum, ADD_FLOAT)
LANES_FN(float, max, tile_max)
LANES_FN(float, min, tile_min)
LANES_FN(int32_t, sum, ADD_INT)
LANES_FN(int32_t, max, MAX_INT)
LANES_FN(int32_t, min, MIN_INT)

enum reduction {
	SUM,
	MAX,
	MIN,
};

static enum reduction reduction_of(unsigned int opcode)
{
	switch (opcode) {
	case NPU_VSUM:
		return SUM;
	case NPU_VREDMAX:
	case NPU_VARGMAX:
		return MAX;
	default:
		return MIN;
	}
}

static float reduce_float(const struct tile_vec *args, const uint8_t *src)
{
	static void (*const fns[])(float *lane, const float *x, size_t n) = {
		[SUM] = sum_float, [MAX] = max_float, [MIN] = min_float,
	};
	static float (*const folds[])(float *lane) = {
		[SUM] = sum_fold_float, [MAX] = max_fold_float, [MIN] = min_fold_float,
	};
	static const float start[] = { [SUM] = 0, [MAX] = -TILE_INF, [MIN] = TILE_INF };
	const enum reduction reduction = reduction_of(args->opcode);
	const unsigned int size = tile_element_size(args->dtype);
	float lane[LANES], x[TILE_BLOCK];

	for (size_t i = 0; i < LANES; i++)
		lane[i] = start[reduction];
	if (args->dtype == NPU_F32 && !args->scaled) {
		fns[reduction](lane, (const float *)src, args->count);
		return tile_canonical(folds[reduction](lane));
	}
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);

		tile_load_f32(x, src + i * size, n, args->dtype);
		if (args->scaled)
			tile_scale(x, x, n, args->shift, args->factor);
		fns[reduction](lane, x, n);
	}
	return tile_canonical(folds[reduction](lane));
}

static int32_t reduce_int(const struct tile_vec *args, const uint8_t *src)
{
	static void (*const fns[])(int32_t *lane, const int32_t *x, size_t n) = {
		[SUM] = sum_int32_t, [MAX] = max_int32_t, [MIN] = min_int32_t,
	};
	static int32_t (*const folds[])(int32_t *lane) = {
		[SUM] = sum_fold_int32_t, [MAX] = max_fold_int32_t, [MIN] = min_fold_int32_t,
	};
	static const int32_t start[] = { [SUM] = 0, [MAX] = INT32_MIN, [MIN] = INT32_MAX };
	const enum reduction reduction = reduction_of(args->opcode);
	const unsigned int size = tile_element_size(args->dtype);
	int32_t lane[LANES], x[TILE_BLOCK];

	for (size_t i = 0; i < LANES; i++)
		lane[i] = start[reduction];
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);

		tile_load_s32(x, src + i * size, n, args->dtype);
		fns[reduction](lane, x, n);
	}
	return folds[reduction](lane);
}

/* The first element equal to a value, or the first NaN if the value is one. */
static int32_t find_float(const struct tile_vec *args, const uint8_t *src, float value)
{
	const unsigned int size = tile_element_size(args->dtype);
	float x[TILE_BLOCK];

	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);

		tile_load_f32(x, src + i * size, n, args->dtype);
		for (size_t j = 0; j < n; j++)
			if (x[j] == value || (x[j] != x[j] && value != value))
				return i + j;
	}
	return 0;
}

static int32_t find_int(const struct tile_vec *args, const uint8_t *src, int32_t value)
{
	const unsigned int size = tile_element_size(args->dtype);
	int32_t x[TILE_BLOCK];

	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);

		tile_load_s32(x, src + i * size, n, args->dtype);
		for (size_t j = 0; j < n; j++)
			if (x[j] == value)
				return i + j;
	}
	return 0;
}

void TILE_NAME(tile_row_reduce)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
				const uint8_t *src1, const uint8_t *mask)
{
	const bool find = args->opcode == NPU_VARGMAX || args->opcode == NPU_VARGMIN;
	int32_t s32;
	float f32;

	(void)src1;
	(void)mask;
	if (tile_is_float(args->dtype)) {
		f32 = reduce_float(args, src0);
		if (!find) {
			tile_store_f32(dst, &f32, 1, args->dtype);
			return;
		}
		s32 = find_float(args, src0, f32);
	} else {
		s32 = reduce_int(args, src0);
		if (find)
			s32 = find_int(args, src0, s32);
	}
	memcpy(dst, &s32, find ? sizeof(s32) : tile_element_size(args->dtype));
}

static void dot_lanes(float *restrict lane, const float *x, const float *y, size_t n)
{
	for (; n >= LANES; n -= LANES, x += LANES, y += LANES)
		for (size_t i = 0; i < LANES; i++)
			lane[i] = tile_fma(x[i], y[i], lane[i]);
	for (size_t i = 0; i < n; i++)
		lane[i] = tile_fma(x[i], y[i], lane[i]);
}

/* Squares of what is scaled are what variances are made of: without a buffer in between. */
static void square_lanes(float *restrict lane, const float *x, size_t n, float shift, float factor)
{
	for (; n >= LANES; n -= LANES, x += LANES)
		for (size_t i = 0; i < LANES; i++) {
			const float y = (x[i] - shift) * factor;

			lane[i] = tile_fma(y, y, lane[i]);
		}
	for (size_t i = 0; i < n; i++) {
		const float y = (x[i] - shift) * factor;

		lane[i] = tile_fma(y, y, lane[i]);
	}
}

/* By blocks, which are converted, scaled, or filled with the one element of the row. */
static void dot_blocks(float *lane, const struct tile_vec *args, const uint8_t *src0,
		       const uint8_t *src1)
{
	const unsigned int dtype = args->dtype, size = tile_element_size(dtype);
	const bool square = args->opcode == NPU_VSUMSQ;
	float x[TILE_BLOCK], y[TILE_BLOCK];

	if (args->src1_element) {
		tile_load_f32(y, src1, 1, dtype);
		for (size_t i = 1; i < tile_block(0, args->count); i++)
			y[i] = y[0];
	}
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		const size_t n = tile_block(i, args->count);

		tile_load_f32(x, src0 + i * size, n, dtype);
		if (args->scaled)
			tile_scale(x, x, n, args->shift, args->factor);
		if (!args->src1_element && !square)
			tile_load_f32(y, src1 + i * size, n, dtype);
		dot_lanes(lane, x, square ? x : y, n);
	}
}

void TILE_NAME(tile_row_dot)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			     const uint8_t *src1, const uint8_t *mask)
{
	const uint8_t *other = args->opcode == NPU_VSUMSQ ? src0 : src1;
	float lane[LANES] = { 0 }, sum;

	(void)mask;
	if (args->dtype == NPU_F32 && !args->src1_element && !args->scaled)
		dot_lanes(lane, (const float *)src0, (const float *)other, args->count);
	else if (args->dtype == NPU_F32 && args->opcode == NPU_VSUMSQ)
		square_lanes(lane, (const float *)src0, args->count, args->shift, args->factor);
	else
		dot_blocks(lane, args, src0, src1);
	sum = tile_canonical(sum_fold_float(lane));
	tile_store_f32(dst, &sum, 1, args->dtype);
}

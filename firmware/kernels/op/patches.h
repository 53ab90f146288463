/* SPDX-License-Identifier: MIT */
/*
 * Patches of images on their way to L1, as rows of the matrix that struct npu_op_patches describes.
 * What the taps of a run of pixels in a row of the grid meet are pixels of a row of the image, a
 * constant stride apart: that is a copy.
 */
#ifndef OP_PATCHES_H
#define OP_PATCHES_H

#include "npu_kernel.h"
#include "npu_op_conv.h"

/* Columns of the matrix that belong to one tap: its channels @first to @first + @count. */
struct patch_tap {
	uint32_t row, col;
	uint32_t first, count; /* count is 0 where there is but padding */
	uint32_t columns; /* with the padding */
};

/* patch_tap_at() - the tap that has column @at of the matrix, as far as @end. */
static inline struct patch_tap patch_tap_at(const struct npu_op_patches *p, uint32_t at,
					    uint32_t end)
{
	const uint32_t tap = at / p->tap_channels, first = at % p->tap_channels;
	const uint32_t columns = npu_min(p->tap_channels - first, end - at);

	return (struct patch_tap){
		.row = tap / p->taps[1],
		.col = tap % p->taps[1],
		.first = first,
		.count = first < p->channels ? npu_min(columns, p->channels - first) : 0,
		.columns = columns,
	};
}

/* Pixels @x to @x + @count of row @y of image @image's grid. */
struct patch_run {
	uint32_t image, y, x, count;
};

static inline struct patch_run patch_run_at(const struct npu_op_patches *p, uint32_t pixel,
					    uint32_t end)
{
	const uint32_t row = pixel / p->grid[1], x = pixel % p->grid[1];

	return (struct patch_run){
		.image = row / p->grid[0],
		.y = row % p->grid[0],
		.x = x,
		.count = npu_min(p->grid[1] - x, end - pixel),
	};
}

/* Quotients of what may be negative. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* The grid's positions from which the tap @t meets an image: every div-th of @begin to @end. */
static inline void patch_range(const struct npu_op_patches *p, int d, uint32_t t, int64_t *begin,
			       int64_t *end)
{
	const int64_t offset = p->offset[d] + (int64_t)t * p->step[d];
	const int64_t mul = p->mul[d], div = p->div[d], extent = p->extent[d];
	const int64_t least = -floor_div(offset, mul), past = extent * div - offset;
	const int64_t most = -floor_div(-past, mul);

	if (*begin < least)
		*begin = least;
	/* With div, mul is 1: the first from which it goes without a rest. */
	*begin += (div - (*begin * mul + offset) % div) % div;
	if (*end > most)
		*end = most;
}

/* What a tap meets from a run of pixels goes to rows of @dst. */
static inline void patch_copy(const struct npu_op_patches *p, npu_addr dst, uint32_t pitch,
			      const struct patch_run *run, const struct patch_tap *tap)
{
	int64_t y = run->y, y_end = y + 1, x = run->x, x_end = x + run->count;
	const uint32_t bytes = npu_dtype_bytes(p->dtype);
	npu_addr src;

	patch_range(p, 0, tap->row, &y, &y_end);
	patch_range(p, 1, tap->col, &x, &x_end);
	if (y >= y_end || x >= x_end)
		return;
	dst += (x - run->x) * pitch;
	y = (y * p->mul[0] + p->offset[0] + (int64_t)tap->row * p->step[0]) / p->div[0];
	src = p->image + run->image * p->stride[0] + y * p->stride[1] + tap->first * bytes;
	src += (x * p->mul[1] + p->offset[1] + (int64_t)tap->col * p->step[1]) / p->div[1] *
	       p->stride[2];
	npu_copy_2d(dst, src, tap->count * bytes, npu_ceil_div(x_end - x, p->div[1]),
		    pitch * p->div[1], p->stride[2] * p->mul[1]);
}

/*
 * patches_load() - @pixels rows of the matrix from @pixel on, and @columns columns of it from
 * @column on, to L1 at @dst, rows @pitch bytes apart
 */
static inline void patches_load(const struct npu_op_patches *p, npu_addr dst, uint32_t pitch,
				uint32_t pixel, uint32_t pixels, uint32_t column, uint32_t columns)
{
	const uint32_t bytes = npu_dtype_bytes(p->dtype);
	struct patch_tap tap;
	struct patch_run run;

	if (p->gaps)
		npu_fill(dst, 0, pixels * pitch, 8);
	for (uint32_t i = 0; i < pixels; i += run.count) {
		run = patch_run_at(p, pixel + i, pixel + pixels);
		for (uint32_t j = 0; j < columns; j += tap.columns) {
			tap = patch_tap_at(p, column + j, column + columns);
			if (tap.count)
				patch_copy(p, dst + i * pitch + j * bytes, pitch, &run, &tap);
		}
	}
}

#endif /* OP_PATCHES_H */

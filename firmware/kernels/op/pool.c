/* SPDX-License-Identifier: MIT */
/*
 * Pooling. A row of an image is in UB with a vector for each pixel, of some of its channels, in
 * fp32. One column of windows is one vector operation: over all windows of a row of results, whose
 * pixels are a constant stride apart.
 */
#include "npu_op_pool.h"
#include "ub_ring.h"

/* Areas, each of a row of pixels at most. */
#define AREA 0x6000
#define X (NPU_UB_BASE) /* of an image */
#define Y (X + AREA) /* of results */
#define GRAD (Y + AREA) /* of their gradient, and of a row in its own type */
#define GRAD_X (GRAD + AREA) /* of the image's */
#define ZERO (GRAD_X + AREA)
#define PART (ZERO + AREA)
#define MASK (PART + AREA) /* bits, a vector of 32 bytes for each pixel */
#define FREE (MASK + AREA)
_Static_assert(FREE + AREA <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");
_Static_assert(NPU_OP_POOL_WIDTH *NPU_TILE_ALIGN <= AREA, "a row of pixels overflows");

#define COUNTS MASK /* of MEAN: pixels of each window, 32 bytes apart */

/* The channels that are worked on, and bytes from pixel to pixel of them in UB. */
struct lane {
	uint32_t first, count, pitch, mask_bytes;
};

/* A run of windows that have a pixel at some column of theirs: results and what is in the image. */
struct run {
	uint32_t y, x, count;
};

static struct lane lane_at(const struct npu_op_pool_args *args, uint32_t piece)
{
	const uint32_t first = piece * args->piece;
	const uint32_t count = npu_min(args->piece, args->channels - first);

	return (struct lane){ first, count, npu_align(count * 4), npu_ceil_div(count, 8) };
}

/* Column @w of the windows of a row. */
static struct run run_of(const struct npu_op_pool_args *args, uint32_t w)
{
	const uint32_t step = args->step[1], pad = args->pad[1];
	const uint32_t begin = w < pad ? npu_ceil_div(pad - w, step) : 0;
	const uint32_t end =
		args->extent[1] + pad > w ? npu_ceil_div(args->extent[1] + pad - w, step) : 0;

	return (struct run){
		.y = begin,
		.x = begin * step + w - pad,
		.count =
			end > begin ? npu_min(end, args->out[1]) - npu_min(begin, args->out[1]) : 0,
	};
}

/* A row of @pixels to or from UB, where it is fp32; through GRAD if it is not in memory. */
static void load_row(npu_addr dst, npu_addr src, uint64_t stride, uint32_t pixels, uint32_t dtype,
		     const struct lane *l)
{
	const uint32_t bytes = npu_dtype_bytes(dtype);
	const npu_addr raw = dtype == NPU_F32 ? dst : GRAD;

	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	npu_copy_2d(raw, src + l->first * bytes, l->count * bytes, pixels, l->pitch, stride);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	if (dtype == NPU_F32)
		return;
	npu_vec_rows(pixels, l->pitch, l->pitch, 0);
	npu_vcast(dst, raw, l->count, dtype, NPU_F32, 0);
}

static void store_row(npu_addr dst, npu_addr src, uint64_t stride, uint32_t pixels, uint32_t dtype,
		      const struct lane *l)
{
	const uint32_t bytes = npu_dtype_bytes(dtype);

	if (dtype != NPU_F32) {
		npu_vec_rows(pixels, l->pitch, l->pitch, 0);
		npu_vcast(src, src, l->count, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy_2d(dst + l->first * bytes, src, l->count * bytes, pixels, stride, l->pitch);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

static void load_x(const struct npu_op_pool_args *args, uint32_t image, uint32_t row,
		   const struct lane *l)
{
	load_row(X, args->x + image * args->stride_x[0] + row * args->stride_x[1],
		 args->stride_x[2], args->extent[1], args->dtype, l);
}

/* A value to all of a row of @pixels. */
static void clear(npu_addr area, uint32_t pixels, const struct lane *l, uint32_t bits)
{
	npu_vec_one_row();
	npu_vdup(area, bits, pixels * l->pitch / 4, NPU_F32);
}

/* For all windows that a run is of: dst op= src, of the row in X. */
static void each_window(const struct npu_op_pool_args *args, enum npu_vec_opcode op,
			const struct run *run, const struct lane *l)
{
	npu_vec_rows(run->count, l->pitch, l->pitch, args->step[1] * l->pitch);
	npu_vec(op, Y + run->y * l->pitch, Y + run->y * l->pitch, X + run->x * l->pitch, l->count,
		NPU_F32, 0);
}

/* The rows of an image that the windows of row @y have. */
static struct npu_span window_rows(const struct npu_op_pool_args *args, uint32_t y)
{
	const uint32_t begin = y * args->step[0];

	return (struct npu_span){
		.begin = begin > args->pad[0] ? begin - args->pad[0] : 0,
		.end = npu_min(begin + args->window[0] - args->pad[0], args->extent[0]),
	};
}

/* How many pixels of the image each window of row @y has, to COUNTS. */
static void count_pixels(const struct npu_op_pool_args *args, uint32_t y)
{
	const struct npu_span rows = window_rows(args, y);

	npu_vec_one_row();
	npu_vdup(COUNTS, 0, args->out[1] * NPU_TILE_ALIGN / 4, NPU_F32);
	for (uint32_t w = 0; w < args->window[1]; w++) {
		const struct run run = run_of(args, w);
		const npu_addr at = COUNTS + run.y * NPU_TILE_ALIGN;

		npu_vec_rows(run.count, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
		npu_vadds(at, at, npu_f32_bits(rows.end - rows.begin), 1, NPU_F32);
	}
}

/* Values of row @y, before a mean's division, to Y. */
static void pool_row(const struct npu_op_pool_args *args, uint32_t image, uint32_t y,
		     const struct lane *l)
{
	const int mean = args->flags & NPU_OP_POOL_MEAN;
	const struct npu_span rows = window_rows(args, y);

	clear(Y, args->out[1], l, mean ? 0 : 0xff800000);
	for (uint32_t row = rows.begin; row < rows.end; row++) {
		load_x(args, image, row, l);
		for (uint32_t w = 0; w < args->window[1]; w++) {
			const struct run run = run_of(args, w);

			each_window(args, mean ? NPU_VADD : NPU_VMAX, &run, l);
		}
	}
}

static void divide(const struct npu_op_pool_args *args, npu_addr area, const struct lane *l)
{
	npu_vec_rows(args->out[1], l->pitch, l->pitch, NPU_TILE_ALIGN);
	npu_vdivr(area, area, COUNTS, l->count, NPU_F32);
}

NPU_ARGS(op_pool, struct npu_op_pool_args, in(x), out(y), value(batch), value(channels));

NPU_KERNEL(op_pool, struct npu_op_pool_args)
{
	const uint32_t pieces = npu_ceil_div(args->channels, args->piece);
	const uint64_t rows = (uint64_t)args->batch * args->out[0];
	const struct npu_span mine = npu_split(rows * pieces, 1, block, blocks);

	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const struct lane l = lane_at(args, i % pieces);
		const uint32_t image = i / pieces / args->out[0], y = i / pieces % args->out[0];

		pool_row(args, image, y, &l);
		if (args->flags & NPU_OP_POOL_MEAN) {
			count_pixels(args, y);
			divide(args, Y, &l);
		}
		store_row(args->y + image * args->stride_y[0] + y * args->stride_y[1], Y,
			  args->stride_y[2], args->out[1], args->dtype_y, &l);
	}
}

static void load_grad(const struct npu_op_pool_args *args, uint32_t image, uint32_t y,
		      const struct lane *l)
{
	load_row(PART, args->y + image * args->stride_y[0] + y * args->stride_y[1],
		 args->stride_y[2], args->out[1], args->dtype_y, l);
	npu_vec_rows(args->out[1], l->pitch, l->pitch, 0);
	npu_vmov(GRAD, PART, l->count, NPU_F32);
}

/* GRAD_X += what @part has for the windows of a run */
static void add_part(const struct npu_op_pool_args *args, npu_addr part, const struct run *run,
		     const struct lane *l)
{
	const uint32_t pitch = args->step[1] * l->pitch;
	const npu_addr to = GRAD_X + run->x * l->pitch;

	npu_vec_rows(run->count, pitch, pitch, l->pitch);
	npu_vadd(to, to, part + run->y * l->pitch, l->count, NPU_F32);
}

/* Each pixel of a window has the same part of its gradient. */
static void mean_backward(const struct npu_op_pool_args *args, uint32_t image, uint32_t y,
			  const struct lane *l)
{
	load_grad(args, image, y, l);
	count_pixels(args, y);
	divide(args, GRAD, l);
	for (uint32_t w = 0; w < args->window[1]; w++) {
		const struct run run = run_of(args, w);

		add_part(args, GRAD, &run, l);
	}
}

/* MASK = the windows of a run whose pixel in X is their greatest, or NaN. */
static void find_greatest(const struct npu_op_pool_args *args, const struct run *run,
			  const struct lane *l)
{
	const uint32_t x_pitch = args->step[1] * l->pitch;
	const npu_addr x = X + run->x * l->pitch;

	npu_vec_rows(run->count, NPU_TILE_ALIGN, x_pitch, l->pitch);
	npu_vcmp_eq(MASK, x, Y + run->y * l->pitch, l->count, NPU_F32);
	npu_vec_rows(run->count, NPU_TILE_ALIGN, x_pitch, x_pitch);
	npu_vcmp_ne(PART, x, x, l->count, NPU_F32);
	npu_vec_rows(run->count, NPU_TILE_ALIGN, NPU_TILE_ALIGN, NPU_TILE_ALIGN);
	npu_vor(MASK, MASK, PART, l->mask_bytes, NPU_U8);
}

/* Those of them that have not had one before; the others are free no more. */
static void take_first(const struct run *run, const struct lane *l)
{
	const npu_addr free = FREE + run->y * NPU_TILE_ALIGN;

	npu_vand(MASK, MASK, free, l->mask_bytes, NPU_U8);
	npu_vxor(free, free, MASK, l->mask_bytes, NPU_U8);
}

/* A row of the windows of row @y: the gradient goes to the first of the greatest, if it is here. */
static void max_backward_row(const struct npu_op_pool_args *args, const struct lane *l, int here)
{
	for (uint32_t w = 0; w < args->window[1]; w++) {
		const struct run run = run_of(args, w);

		find_greatest(args, &run, l);
		take_first(&run, l);
		if (!here)
			continue;
		npu_vec_mask(MASK, NPU_TILE_ALIGN);
		npu_vec_rows(run.count, l->pitch, l->pitch, 0);
		npu_vselect(PART + run.y * l->pitch, GRAD + run.y * l->pitch, ZERO, l->count,
			    NPU_F32);
		add_part(args, PART, &run, l);
	}
}

static void max_backward(const struct npu_op_pool_args *args, uint32_t image, uint32_t y,
			 uint32_t row, const struct lane *l)
{
	const struct npu_span rows = window_rows(args, y);

	pool_row(args, image, y, l);
	npu_vec_one_row();
	npu_vdup(FREE, 0xffffffff, args->out[1] * NPU_TILE_ALIGN / 4, NPU_S32);
	for (uint32_t i = rows.begin; i <= row; i++) {
		load_x(args, image, i, l);
		if (i == row)
			load_grad(args, image, y, l);
		max_backward_row(args, l, i == row);
	}
}

NPU_ARGS(op_pool_backward, struct npu_op_pool_args, in(x), in(y), out(grad_x), value(batch),
	 value(channels));

NPU_KERNEL(op_pool_backward, struct npu_op_pool_args)
{
	const uint32_t pieces = npu_ceil_div(args->channels, args->piece);
	const uint64_t rows = (uint64_t)args->batch * args->extent[0];
	const struct npu_span mine = npu_split(rows * pieces, 1, block, blocks);

	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const struct lane l = lane_at(args, i % pieces);
		const uint32_t image = i / pieces / args->extent[0];
		const uint32_t row = i / pieces % args->extent[0], at = row + args->pad[0];
		/* The rows of windows that have this one. */
		const uint32_t first =
			at < args->window[0] ? 0 : (at - args->window[0]) / args->step[0] + 1;
		const uint32_t last = npu_min(at / args->step[0] + 1, args->out[0]);

		clear(GRAD_X, args->extent[1], &l, 0);
		clear(ZERO, 1, &l, 0);
		for (uint32_t y = first; y < last; y++) {
			if (args->flags & NPU_OP_POOL_MEAN)
				mean_backward(args, image, y, &l);
			else
				max_backward(args, image, y, row, &l);
		}
		store_row(args->grad_x + image * args->stride_grad_x[0] +
				  row * args->stride_grad_x[1],
			  GRAD_X, args->stride_grad_x[2], args->extent[1], args->dtype_grad_x, &l);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Pooling. A row of an image, or a strip of it, is in UB with a vector for each pixel, of some of
 * its channels, in fp32. One column of windows is one vector operation: over all windows of a strip
 * of results, whose pixels are a constant stride apart.
 */
#include "npu_op_pool.h"
#include "ub_ring.h"

/* Areas, each of a strip of pixels at most. */
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
_Static_assert(NPU_OP_POOL_STRIP *NPU_TILE_ALIGN <= AREA, "a strip of pixels overflows");

#define COUNTS MASK /* of MEAN: pixels of each window, 32 bytes apart */

/* Some columns of a row. */
struct strip {
	uint32_t first, count;
};

/*
 * struct pool - what is worked on
 * @first: channel, and how many
 * @pitch: bytes from pixel to pixel of them in UB
 * @x: columns of the image; @y: of the results
 */
struct pool {
	const struct npu_op_pool_args *args;
	uint32_t image;
	uint32_t first, count, pitch, mask_bytes;
	struct strip x, y;
};

/* Windows that have a pixel at some column of theirs, from which on in the strips of y and x. */
struct run {
	uint32_t y, x, count;
};

static struct pool pool_at(const struct npu_op_pool_args *args, uint64_t image, uint32_t piece)
{
	const uint32_t first = piece * args->piece;
	const uint32_t count = npu_min(args->piece, args->channels - first);

	return (struct pool){
		.args = args,
		.image = image,
		.first = first,
		.count = count,
		.pitch = npu_align(count * 4),
		.mask_bytes = npu_ceil_div(count, 8),
	};
}

static struct strip strip_of(uint32_t extent, uint32_t width, uint32_t i)
{
	return (struct strip){ i * width, npu_min(width, extent - i * width) };
}

/* Along dimension @d: the pixels that windows have. */
static struct npu_span pixels_of(const struct npu_op_pool_args *args, int d, struct strip y)
{
	const uint32_t begin = y.first * args->step[d];
	const uint32_t end = begin + (y.count - 1) * args->step[d] + args->window[d];

	return (struct npu_span){
		.begin = begin > args->pad[d] ? begin - args->pad[d] : 0,
		.end = npu_min(end - args->pad[d], args->extent[d]),
	};
}

/* ... and the windows that have any of these pixels. */
static struct npu_span windows_of(const struct npu_op_pool_args *args, int d, struct strip x)
{
	const uint32_t at = x.first + args->pad[d], window = args->window[d];

	return (struct npu_span){
		.begin = at < window ? 0 : (at - window) / args->step[d] + 1,
		.end = npu_min((at + x.count - 1) / args->step[d] + 1, args->out[d]),
	};
}

/* The strips, of @width columns each, that columns are in. */
static struct npu_span strips_of(struct npu_span columns, uint32_t width)
{
	if (columns.begin >= columns.end)
		return (struct npu_span){ 0, 0 };
	return (struct npu_span){ columns.begin / width, (columns.end - 1) / width + 1 };
}

/* The columns of windows of strip y that can be in strip x. */
static struct npu_span columns_of(const struct pool *p)
{
	const struct npu_op_pool_args *args = p->args;
	const int64_t first = (int64_t)p->x.first + args->pad[1];
	const int64_t y = (int64_t)p->y.first * args->step[1];
	const int64_t begin = first - y - (int64_t)(p->y.count - 1) * args->step[1];

	return (struct npu_span){
		.begin = begin > 0 ? begin : 0,
		.end = npu_min(first - y + p->x.count, args->window[1]),
	};
}

/* Column @w of the windows. */
static struct run run_of(const struct pool *p, uint32_t w)
{
	const uint32_t step = p->args->step[1], first = p->x.first + p->args->pad[1];
	const uint32_t last = first + p->x.count;
	const uint32_t begin = npu_max(first > w ? npu_ceil_div(first - w, step) : 0, p->y.first);
	const uint32_t end =
		npu_min(last > w ? npu_ceil_div(last - w, step) : 0, p->y.first + p->y.count);

	return (struct run){
		.y = begin - p->y.first,
		.x = begin * step + w - first,
		.count = end > begin ? end - begin : 0,
	};
}

/* Pixels of a strip to or from UB, where they are fp32; through GRAD if in memory they are not. */
static void load_strip(const struct pool *p, npu_addr dst, npu_addr src, uint64_t stride,
		       const struct strip *strip, uint32_t dtype)
{
	const uint32_t bytes = npu_dtype_bytes(dtype);
	const npu_addr raw = dtype == NPU_F32 ? dst : GRAD;

	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	npu_copy_2d(raw, src + strip->first * stride + p->first * bytes, p->count * bytes,
		    strip->count, p->pitch, stride);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	if (dtype == NPU_F32)
		return;
	npu_vec_rows(strip->count, p->pitch, p->pitch, 0);
	npu_vcast(dst, raw, p->count, dtype, NPU_F32, 0);
}

static void store_strip(const struct pool *p, npu_addr dst, npu_addr src, uint64_t stride,
			const struct strip *strip, uint32_t dtype)
{
	const uint32_t bytes = npu_dtype_bytes(dtype);

	if (dtype != NPU_F32) {
		npu_vec_rows(strip->count, p->pitch, p->pitch, 0);
		npu_vcast(src, src, p->count, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy_2d(dst + strip->first * stride + p->first * bytes, src, p->count * bytes,
		    strip->count, stride, p->pitch);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

static void load_x(const struct pool *p, uint32_t row)
{
	const struct npu_op_pool_args *args = p->args;

	load_strip(p, X, args->x + p->image * args->stride_x[0] + row * args->stride_x[1],
		   args->stride_x[2], &p->x, args->dtype);
}

/* A value to all of @pixels. */
static void clear(const struct pool *p, npu_addr area, uint32_t pixels, uint32_t bits)
{
	npu_vec_one_row();
	npu_vdup(area, bits, pixels * p->pitch / 4, NPU_F32);
}

/* How many pixels of the image each window of row @y has, to COUNTS. */
static void count_pixels(const struct pool *p, uint32_t y)
{
	const struct npu_span rows = pixels_of(p->args, 0, (struct strip){ y, 1 });
	struct pool all = *p;

	all.x = (struct strip){ 0, p->args->extent[1] };
	npu_vec_one_row();
	npu_vdup(COUNTS, 0, p->y.count * NPU_TILE_ALIGN / 4, NPU_F32);
	for (uint32_t w = 0; w < p->args->window[1]; w++) {
		const struct run run = run_of(&all, w);
		const npu_addr at = COUNTS + run.y * NPU_TILE_ALIGN;

		npu_vec_rows(run.count, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
		npu_vadds(at, at, npu_f32_bits(rows.end - rows.begin), 1, NPU_F32);
	}
}

/* For all windows of the strip: Y op= their pixels of the strip in X. */
static void each_window(const struct pool *p, enum npu_vec_opcode op)
{
	const struct npu_span columns = columns_of(p);

	for (uint32_t w = columns.begin; w < columns.end; w++) {
		const struct run run = run_of(p, w);
		const npu_addr y = Y + run.y * p->pitch;

		npu_vec_rows(run.count, p->pitch, p->pitch, p->args->step[1] * p->pitch);
		npu_vec(op, y, y, X + run.x * p->pitch, p->count, NPU_F32, 0);
	}
}

/* Values of row @y, before a mean's division, to Y. */
static void pool_row(struct pool *p, uint32_t y)
{
	const struct npu_op_pool_args *args = p->args;
	const int mean = args->flags & NPU_OP_POOL_MEAN;
	const struct npu_span rows = pixels_of(args, 0, (struct strip){ y, 1 });
	const struct npu_span strips = strips_of(pixels_of(args, 1, p->y), args->strip[0]);

	clear(p, Y, p->y.count, mean ? 0 : 0xff800000);
	for (uint32_t row = rows.begin; row < rows.end; row++) {
		for (uint32_t i = strips.begin; i < strips.end; i++) {
			p->x = strip_of(args->extent[1], args->strip[0], i);
			load_x(p, row);
			each_window(p, mean ? NPU_VADD : NPU_VMAX);
		}
	}
}

static void divide(const struct pool *p, npu_addr area)
{
	npu_vec_rows(p->y.count, p->pitch, p->pitch, NPU_TILE_ALIGN);
	npu_vdivr(area, area, COUNTS, p->count, NPU_F32);
}

NPU_ARGS(op_pool, struct npu_op_pool_args, in(x), out(y), value(batch), value(channels));

NPU_KERNEL(op_pool, struct npu_op_pool_args)
{
	const uint32_t pieces = npu_ceil_div(args->channels, args->piece);
	const uint32_t strips = npu_ceil_div(args->out[1], args->strip[1]);
	const uint64_t rows = (uint64_t)args->batch * args->out[0];
	const struct npu_span mine = npu_split(rows * strips * pieces, 1, block, blocks);

	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const uint64_t row = i / pieces / strips;
		const uint32_t y = row % args->out[0];
		struct pool p = pool_at(args, row / args->out[0], i % pieces);

		p.y = strip_of(args->out[1], args->strip[1], i / pieces % strips);
		pool_row(&p, y);
		if (args->flags & NPU_OP_POOL_MEAN) {
			count_pixels(&p, y);
			divide(&p, Y);
		}
		store_strip(&p, args->y + p.image * args->stride_y[0] + y * args->stride_y[1], Y,
			    args->stride_y[2], &p.y, args->dtype_y);
	}
}

static void load_grad(const struct pool *p, uint32_t y)
{
	const struct npu_op_pool_args *args = p->args;

	load_strip(p, PART, args->y + p->image * args->stride_y[0] + y * args->stride_y[1],
		   args->stride_y[2], &p->y, args->dtype_y);
	npu_vec_rows(p->y.count, p->pitch, p->pitch, 0);
	npu_vmov(GRAD, PART, p->count, NPU_F32);
}

/* GRAD_X += what @part has for the windows of a run */
static void add_part(const struct pool *p, npu_addr part, const struct run *run)
{
	const uint32_t pitch = p->args->step[1] * p->pitch;
	const npu_addr to = GRAD_X + run->x * p->pitch;

	npu_vec_rows(run->count, pitch, pitch, p->pitch);
	npu_vadd(to, to, part + run->y * p->pitch, p->count, NPU_F32);
}

/* Each pixel of a window has the same part of its gradient. */
static void mean_backward(const struct pool *p, uint32_t y)
{
	const struct npu_span columns = columns_of(p);

	load_grad(p, y);
	count_pixels(p, y);
	divide(p, GRAD);
	for (uint32_t w = columns.begin; w < columns.end; w++) {
		const struct run run = run_of(p, w);

		add_part(p, GRAD, &run);
	}
}

/* MASK = the windows of a run whose pixel in X is their greatest, or NaN. */
static void find_greatest(const struct pool *p, const struct run *run)
{
	const uint32_t x_pitch = p->args->step[1] * p->pitch;
	const npu_addr x = X + run->x * p->pitch;

	npu_vec_rows(run->count, NPU_TILE_ALIGN, x_pitch, p->pitch);
	npu_vcmp_eq(MASK, x, Y + run->y * p->pitch, p->count, NPU_F32);
	npu_vec_rows(run->count, NPU_TILE_ALIGN, x_pitch, x_pitch);
	npu_vcmp_ne(PART, x, x, p->count, NPU_F32);
	npu_vec_rows(run->count, NPU_TILE_ALIGN, NPU_TILE_ALIGN, NPU_TILE_ALIGN);
	npu_vor(MASK, MASK, PART, p->mask_bytes, NPU_U8);
}

/* Those of them that have not had one before; the others are free no more. */
static void take_first(const struct pool *p, const struct run *run)
{
	const npu_addr free = FREE + run->y * NPU_TILE_ALIGN;

	npu_vand(MASK, MASK, free, p->mask_bytes, NPU_U8);
	npu_vxor(free, free, MASK, p->mask_bytes, NPU_U8);
}

/* The strip in X: the gradient goes to the first of the greatest, if it is here. */
static void max_backward_strip(const struct pool *p, int here)
{
	const struct npu_span columns = columns_of(p);

	for (uint32_t w = columns.begin; w < columns.end; w++) {
		const struct run run = run_of(p, w);

		find_greatest(p, &run);
		take_first(p, &run);
		if (!here)
			continue;
		npu_vec_mask(MASK, NPU_TILE_ALIGN);
		npu_vec_rows(run.count, p->pitch, p->pitch, 0);
		npu_vselect(PART + run.y * p->pitch, GRAD + run.y * p->pitch, ZERO, p->count,
			    NPU_F32);
		add_part(p, PART, &run);
	}
}

/* All that comes before strip @strip of row @row, and that. */
static void max_backward(struct pool *p, uint32_t y, uint32_t row, uint32_t strip)
{
	const struct npu_op_pool_args *args = p->args;
	const struct npu_span rows = pixels_of(args, 0, (struct strip){ y, 1 });
	const struct npu_span strips = strips_of(pixels_of(args, 1, p->y), args->strip[0]);

	pool_row(p, y);
	npu_vec_one_row();
	npu_vdup(FREE, 0xffffffff, p->y.count * NPU_TILE_ALIGN / 4, NPU_S32);
	for (uint32_t r = rows.begin; r <= row; r++) {
		const uint32_t last = r == row ? strip + 1 : strips.end;

		for (uint32_t i = strips.begin; i < last; i++) {
			const int here = r == row && i == strip;

			p->x = strip_of(args->extent[1], args->strip[0], i);
			load_x(p, r);
			if (here)
				load_grad(p, y);
			max_backward_strip(p, here);
		}
	}
}

/* The gradient of strip @strip of row @row to GRAD_X, from all windows that have some of it. */
static void backward(struct pool *p, uint32_t row, uint32_t strip)
{
	const struct npu_op_pool_args *args = p->args;
	const struct strip x = strip_of(args->extent[1], args->strip[0], strip);
	const struct npu_span rows = windows_of(args, 0, (struct strip){ row, 1 });
	const struct npu_span strips = strips_of(windows_of(args, 1, x), args->strip[1]);

	clear(p, GRAD_X, x.count, 0);
	clear(p, ZERO, 1, 0);
	for (uint32_t y = rows.begin; y < rows.end; y++) {
		/* From the last on, as columns of windows in ascending order have it. */
		for (uint32_t i = strips.end; i-- > strips.begin;) {
			p->x = x;
			p->y = strip_of(args->out[1], args->strip[1], i);
			if (args->flags & NPU_OP_POOL_MEAN)
				mean_backward(p, y);
			else
				max_backward(p, y, row, strip);
		}
	}
	store_strip(p,
		    args->grad_x + p->image * args->stride_grad_x[0] + row * args->stride_grad_x[1],
		    GRAD_X, args->stride_grad_x[2], &x, args->dtype_grad_x);
}

NPU_ARGS(op_pool_backward, struct npu_op_pool_args, in(x), in(y), out(grad_x), value(batch),
	 value(channels));

NPU_KERNEL(op_pool_backward, struct npu_op_pool_args)
{
	const uint32_t pieces = npu_ceil_div(args->channels, args->piece);
	const uint32_t strips = npu_ceil_div(args->extent[1], args->strip[0]);
	const uint64_t rows = (uint64_t)args->batch * args->extent[0];
	const struct npu_span mine = npu_split(rows * strips * pieces, 1, block, blocks);

	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const uint64_t row = i / pieces / strips;
		struct pool p = pool_at(args, row / args->extent[0], i % pieces);

		backward(&p, row % args->extent[0], i / pieces % strips);
	}
}

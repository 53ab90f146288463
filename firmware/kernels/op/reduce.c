/* SPDX-License-Identifier: MIT */
/*
 * Reductions. A block has some tiles of results, and goes over all that each is made of in the
 * order of places: what is reduced of outer dimensions, then rows, then columns.
 */
#include "npu_kernel.h"
#include "npu_op_reduce.h"
#include "ub_ring.h"

#define SLOT (NPU_OP_REDUCE_TILE * 4)
#define WORK (NPU_UB_BASE + UB_SLOTS * SLOT)
#define AREA (NPU_OP_REDUCE_RESULTS * 4)
#define RESULT (WORK + SLOT)
#define INDEX (RESULT + AREA)
#define PART (INDEX + AREA)
#define PART_INDEX (PART + AREA)
#define MASK (PART_INDEX + AREA)
_Static_assert(MASK + AREA <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");
_Static_assert(NPU_OP_REDUCE_ROWS * NPU_TILE_ALIGN <= AREA, "a result a row overflows");

#define LANES (NPU_TILE_ALIGN / 4) /* results of rows are that many elements apart */

/* A tile of the matrix, in UB. */
struct tile {
	npu_addr at;
	uint64_t first; /* row or column, of those that are reduced */
	uint32_t rows, cols, pitch;
};

/* Elements of the results of a tile, with what lies between. */
static uint32_t results(const struct npu_op_reduce_args *args, const struct tile *t)
{
	return args->columns ? t->cols : t->rows * LANES;
}

static int is_arg(const struct npu_op_reduce_args *args)
{
	return args->op >= NPU_OP_ARG_GREATEST;
}

static int is_least(const struct npu_op_reduce_args *args)
{
	return args->op == NPU_OP_LEAST || args->op == NPU_OP_ARG_LEAST;
}

static enum npu_vec_opcode combining(const struct npu_op_reduce_args *args)
{
	return args->op == NPU_OP_SUM ? NPU_VADD : is_least(args) ? NPU_VMIN : NPU_VMAX;
}

/* What changes no other value. */
static uint32_t neutral(const struct npu_op_reduce_args *args)
{
	if (args->op == NPU_OP_SUM)
		return 0;
	if (args->dtype == NPU_S32)
		return is_least(args) ? 0x7fffffff : 0x80000000;
	return is_least(args) ? 0x7f800000 : 0xff800000;
}

/*
 * Take values at @value, with their indices, instead of those in RESULT where they are better:
 * greater or less, or a first NaN. @flags and @index as of VEC_OP's src1.
 */
static void take_better(const struct npu_op_reduce_args *args, npu_addr value, uint64_t index,
			uint64_t flags, uint32_t n)
{
	const npu_addr nan = MASK + AREA / 2;

	npu_vec(is_least(args) ? NPU_VCMP_GE : NPU_VCMP_LE, MASK, value, RESULT, n, args->dtype, 0);
	npu_vcmp_ne(nan, RESULT, RESULT, n, args->dtype);
	npu_vor(MASK, MASK, nan, npu_ceil_div(n, 8), NPU_U8);
	npu_vec_mask(MASK, 0);
	npu_vselect(RESULT, RESULT, value, n, args->dtype);
	npu_vec(NPU_VSELECT, INDEX, INDEX, index, n, NPU_S32, flags);
}

/* The rows of the tile are folded until one is left, the second half onto the first. */
static void reduce_columns(const struct npu_op_reduce_args *args, const struct tile *t, int first)
{
	const enum npu_vec_opcode op = combining(args);

	for (uint32_t rows = t->rows, half; rows > 1; rows = half) {
		half = (rows + 1) / 2;
		npu_vec(op, t->at, t->at, t->at + (uint64_t)half * t->pitch * 4,
			(rows - half) * t->pitch, args->dtype, 0);
	}
	if (first)
		npu_vdup(RESULT, neutral(args), t->cols, args->dtype);
	npu_vec(op, RESULT, RESULT, t->at, t->cols, args->dtype, 0);
}

static void arg_of_columns(const struct npu_op_reduce_args *args, const struct tile *t, int first)
{
	for (uint32_t r = 0; r < t->rows; r++) {
		const npu_addr row = t->at + (uint64_t)r * t->pitch * 4;

		if (first && !r) {
			npu_vmov(RESULT, row, t->cols, args->dtype);
			npu_vdup(INDEX, 0, t->cols, NPU_S32);
		} else {
			take_better(args, row, (uint32_t)(t->first + r), NPU_VEC_SCALAR, t->cols);
		}
	}
}

static void reduce_rows(const struct npu_op_reduce_args *args, const struct tile *t, int first)
{
	static const uint8_t opcodes[] = {
		NPU_VSUM, NPU_VREDMAX, NPU_VREDMIN, NPU_VREDMAX, NPU_VREDMIN,
	};
	const uint32_t n = t->rows * LANES;

	npu_vec_rows(t->rows, NPU_TILE_ALIGN, t->pitch * 4, 0);
	npu_vec(opcodes[args->op], first ? RESULT : PART, t->at, 0, t->cols, args->dtype, 0);
	if (is_arg(args))
		npu_vec(is_least(args) ? NPU_VARGMIN : NPU_VARGMAX, first ? INDEX : PART_INDEX,
			t->at, 0, t->cols, args->dtype, 0);
	npu_vec_one_row();
	if (first)
		return;
	if (!is_arg(args)) {
		npu_vec(combining(args), RESULT, RESULT, PART, n, args->dtype, 0);
		return;
	}
	npu_vadds(PART_INDEX, PART_INDEX, t->first, n, NPU_S32);
	take_better(args, PART, PART_INDEX, 0, n);
}

/* A tile as it was loaded becomes part of the results. */
static void reduce_tile(const struct npu_op_reduce_args *args, struct tile *t, int first)
{
	const uint32_t n = t->rows * t->pitch;

	if (args->x_dtype != args->dtype) {
		npu_vcast(WORK, t->at, n, args->x_dtype, args->dtype, 0);
		t->at = WORK;
	}
	if (args->square) {
		npu_vmul(WORK, t->at, t->at, n, args->dtype);
		t->at = WORK;
	}
	if (args->columns && is_arg(args))
		arg_of_columns(args, t, first);
	else if (args->columns)
		reduce_columns(args, t, first);
	else
		reduce_rows(args, t, first);
}

/* Returns where they are. */
static npu_addr finish(const struct npu_op_reduce_args *args, const struct tile *t)
{
	if (is_arg(args))
		return INDEX;
	if (args->divisor != 0)
		npu_vdivs(RESULT, RESULT, npu_f32_bits(args->divisor), results(args, t), NPU_F32);
	if (args->out_dtype == args->dtype)
		return RESULT;
	npu_vec_rows(args->columns ? 1 : t->rows, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
	npu_vcast(PART, RESULT, args->columns ? t->cols : 1, args->dtype, args->out_dtype, 0);
	npu_vec_one_row();
	return PART;
}

static void store(const struct npu_op_reduce_args *args, const struct tile *t, npu_addr from,
		  uint64_t out)
{
	const uint32_t bytes = npu_dtype_bytes(args->out_dtype);

	if (args->columns)
		npu_copy(out, from, t->cols * bytes);
	else if (args->out_stride >> 32)
		for (uint32_t r = 0; r < t->rows; r++)
			npu_copy(out + r * args->out_stride, from + r * NPU_TILE_ALIGN, bytes);
	else
		npu_copy_2d(out, from, bytes, t->rows, args->out_stride, NPU_TILE_ALIGN);
}

/* The rows from @row, columns from @col of the matrix at @x. */
static void load(const struct npu_op_reduce_args *args, const struct tile *t, uint64_t x,
		 uint64_t row, uint64_t col)
{
	const uint32_t bytes = npu_dtype_bytes(args->x_dtype);
	const uint64_t from = x + row * args->row_x + col * bytes;

	if (t->rows == 1)
		npu_copy(t->at, from, t->cols * bytes);
	else
		npu_copy_2d(t->at, from, t->cols * bytes, t->rows, t->pitch * bytes, args->row_x);
}

/* What of x is at @index of the outer dimensions. */
static uint64_t place(const uint64_t *extent, const uint64_t *stride, uint64_t index)
{
	uint64_t at = 0;

	for (unsigned int i = NPU_OP_REDUCE_OUTER; i--; index /= extent[i])
		at += index % extent[i] * stride[i];
	return at;
}

static uint64_t places(const uint64_t *extent)
{
	uint64_t count = 1;

	for (unsigned int i = 0; i < NPU_OP_REDUCE_OUTER; i++)
		count *= extent[i];
	return count;
}

/* One tile of results: rows or columns from @begin on of the matrices at @x. */
static struct tile reduce(const struct npu_op_reduce_args *args, uint64_t x, uint64_t begin,
			  unsigned int *slot)
{
	const uint64_t matrices = places(args->reduced);
	const uint64_t length = args->columns ? args->rows : args->cols;
	const uint32_t step = args->columns ? args->tile_rows : args->tile_cols;
	const uint32_t bytes = npu_dtype_bytes(args->x_dtype);
	struct tile t;

	for (uint64_t m = 0; m < matrices; m++) {
		const uint64_t at = x + place(args->reduced, args->reduced_x, m);

		for (uint64_t i = 0; i < length; i += step, *slot = !*slot) {
			const uint64_t row = args->columns ? i : begin;
			const uint64_t col = args->columns ? begin : i;

			t.at = NPU_UB_BASE + *slot * SLOT;
			t.first = i;
			t.rows = npu_min(args->tile_rows, args->rows - row);
			t.cols = npu_min(args->tile_cols, args->cols - col);
			t.pitch = npu_align(t.cols * bytes) / bytes;
			ub_acquire(*slot);
			load(args, &t, at, row, col);
			ub_loaded(*slot);
			reduce_tile(args, &t, !m && !i);
			ub_computed(*slot);
			ub_release(*slot);
		}
	}
	return t;
}

NPU_ARGS(op_reduce, struct npu_op_reduce_args, in(x), out(out), array(kept), array(kept_x),
	 array(kept_out), array(reduced), array(reduced_x), value(rows), value(cols), value(row_x),
	 value(out_stride), value(tile_rows), value(tile_cols), value(columns), value(op),
	 value(square), value(x_dtype), value(dtype), value(out_dtype), value(divisor),
	 value(rsvd));

NPU_KERNEL(op_reduce, struct npu_op_reduce_args)
{
	const uint64_t length = args->columns ? args->cols : args->rows;
	const uint32_t step = args->columns ? args->tile_cols : args->tile_rows;
	const uint64_t tiles = npu_ceil_div(length, step);
	const struct npu_span mine = npu_split(places(args->kept) * tiles, 1, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const uint64_t begin = i % tiles * step, outer = i / tiles;
		const uint64_t x = args->x + place(args->kept, args->kept_x, outer);
		const uint64_t out = args->out + place(args->kept, args->kept_out, outer);
		const struct tile t = reduce(args, x, begin, &slot);
		const npu_addr from = finish(args, &t);

		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
		store(args, &t, from, out + begin * args->out_stride);
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
	}
	ub_end();
}

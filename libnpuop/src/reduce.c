// SPDX-License-Identifier: MIT
/*
 * npuop_reduce(). The dimensions are sorted by the strides of x and joined, so that the matrix
 * that the kernel sees has neighbours in its rows. Where that gives few results of much each, one
 * reduced dimension is cut into parts: the kernel reduces them to the workspace, and then those.
 * All of that depends on shapes and strides only.
 */
#include <math.h>
#include <string.h>

#include <npu_op_reduce.h>

#include "walk.h"

#define PART_ELEMENTS 16384 /* of x that are worth a part */
#define PART_STEPS 256 /* tiles that are added up one after the other, at most */
#define ENOUGH_TILES 32 /* for all cores */
#define COLUMNS 256 /* of a tile, if there are few */

#define X 0
#define OUT 1

static bool is_arg(enum npuop_reduce_op op)
{
	return op == NPUOP_REDUCE_ARGMAX || op == NPUOP_REDUCE_ARGMIN;
}

/* One pass: the dimensions of x and its result. */
struct pass {
	uint64_t x, out;
	struct op_dims dims;
	uint32_t op, x_dtype, out_dtype, dtype;
	bool square;
	float divisor;
};

static bool reduced(const struct op_dims *d, uint32_t dim)
{
	return !d->stride[dim][OUT];
}

/* The last dimension is to have neighbours in x, and if it is kept in the result too. */
static void add_inner(struct pass *p)
{
	const uint64_t x = op_dtype_size(p->x_dtype), out = op_dtype_size(p->out_dtype);
	struct op_dims *d = &p->dims;
	const uint32_t last = d->count - 1;

	if (d->count && d->stride[last][X] == x &&
	    (reduced(d, last) || d->stride[last][OUT] == out))
		return;
	d->extent[d->count] = 1;
	d->stride[d->count][X] = x;
	d->stride[d->count][OUT] = out;
	d->count++;
}

/* The innermost dimension but the last that is reduced, or kept; OP_WALK_DIMS if there is none. */
static uint32_t rows_dim(const struct op_dims *d, bool is_reduced)
{
	for (uint32_t i = d->count - 1; i--;)
		if (reduced(d, i) == is_reduced)
			return i;
	return OP_WALK_DIMS;
}

static void choose_tiles(struct npu_op_reduce_args *a)
{
	const uint32_t align = 32 / op_dtype_size(a->x_dtype);
	const uint32_t most = a->columns ? NPU_OP_REDUCE_RESULTS : NPU_OP_REDUCE_TILE;
	uint64_t cols = a->cols < most ? a->cols : most;

	if (a->columns && cols > COLUMNS && a->cols < ENOUGH_TILES * COLUMNS)
		cols = COLUMNS;
	a->tile_cols = (uint32_t)cols;
	a->tile_rows = (uint32_t)(NPU_OP_REDUCE_TILE / (op_divide_up(cols, align) * align));
	if (a->tile_rows > NPU_OP_REDUCE_ROWS)
		a->tile_rows = NPU_OP_REDUCE_ROWS;
	if (a->row_x > UINT32_MAX)
		a->tile_rows = 1;
}

/* Tiles of results. */
static uint64_t tiles(const struct npu_op_reduce_args *a)
{
	const uint64_t length = a->columns ? a->cols : a->rows;
	const uint32_t step = a->columns ? a->tile_cols : a->tile_rows;
	uint64_t count = op_divide_up(length, step);

	for (uint32_t i = 0; i < NPU_OP_REDUCE_OUTER; i++)
		count *= a->kept[i];
	return count;
}

/* Tiles of x that become one tile of results. */
static uint64_t steps(const struct npu_op_reduce_args *a)
{
	const uint64_t length = a->columns ? a->rows : a->cols;
	const uint32_t step = a->columns ? a->tile_rows : a->tile_cols;
	uint64_t count = op_divide_up(length, step);

	for (uint32_t i = 0; i < NPU_OP_REDUCE_OUTER; i++)
		count *= a->reduced[i];
	return count;
}

static struct npu_op_reduce_args pass_args(const struct pass *p)
{
	struct npu_op_reduce_args a = {
		.x = p->x,
		.out = p->out,
		.rows = 1,
		.op = p->op,
		.square = p->square,
		.x_dtype = p->x_dtype,
		.dtype = p->dtype,
		.out_dtype = p->out_dtype,
		.divisor = p->divisor,
	};
	struct pass own = *p;
	const struct op_dims *d = &own.dims;
	uint32_t rows, kept = 0, cut = 0;

	add_inner(&own);
	a.columns = !reduced(d, d->count - 1);
	a.cols = d->extent[d->count - 1];
	rows = rows_dim(d, a.columns);
	if (rows < OP_WALK_DIMS) {
		a.rows = d->extent[rows];
		a.row_x = d->stride[rows][X];
		a.out_stride = d->stride[rows][OUT];
	}
	if (a.columns)
		a.out_stride = op_dtype_size(p->out_dtype);
	for (uint32_t i = 0; i < NPU_OP_REDUCE_OUTER; i++)
		a.kept[i] = a.reduced[i] = 1;
	for (uint32_t i = 0; i < d->count - 1; i++) {
		if (i == rows)
			continue;
		if (reduced(d, i)) {
			a.reduced[cut] = d->extent[i];
			a.reduced_x[cut++] = d->stride[i][X];
		} else {
			a.kept[kept] = d->extent[i];
			a.kept_x[kept] = d->stride[i][X];
			a.kept_out[kept++] = d->stride[i][OUT];
		}
	}
	choose_tiles(&a);
	return a;
}

static int run(npuop *ops, const struct pass *p)
{
	const struct npu_op_reduce_args args = pass_args(p);

	return op_launch(ops, OP_KERNEL_op_reduce, op_blocks(ops, tiles(&args), 1), &args,
			 sizeof(args));
}

static uint64_t elements(const struct op_dims *d, bool of_results)
{
	uint64_t count = 1;

	for (uint32_t i = 0; i < d->count; i++)
		if (!of_results || !reduced(d, i))
			count *= d->extent[i];
	return count;
}

/* The longest of the reduced dimensions. */
static uint32_t longest(const struct op_dims *d)
{
	uint32_t found = OP_WALK_DIMS;

	for (uint32_t i = 0; i < d->count; i++)
		if (reduced(d, i) && (found == OP_WALK_DIMS || d->extent[i] > d->extent[found]))
			found = i;
	return found;
}

/* How long the parts of dimension @dim are to be; all of it if none are to be made. */
static uint64_t part_length(const npuop *ops, const struct pass *p, uint32_t dim)
{
	const struct npu_op_reduce_args args = pass_args(p);
	const uint64_t length = p->dims.extent[dim], count = tiles(&args);
	const uint64_t room = npurt_memory_size(ops->workspace) / 4 / elements(&p->dims, true);
	uint64_t parts = 1, most = elements(&p->dims, false) / PART_ELEMENTS;

	if (count < ENOUGH_TILES)
		parts = op_divide_up(ENOUGH_TILES, count);
	parts = parts < most ? parts : most;
	if (parts < steps(&args) / PART_STEPS) /* for the sum's precision */
		parts = steps(&args) / PART_STEPS;
	parts = parts < length ? parts : length;
	parts = parts < room ? parts : room;
	return parts > 1 ? op_divide_up(length, parts) : length;
}

/* The result of each part, dense, one after the other: its strides in the workspace. */
static void to_workspace(struct pass *part, const npuop *ops, uint64_t *bytes)
{
	struct op_dims *d = &part->dims;

	*bytes = 4;
	part->out = npurt_memory_address(ops->workspace);
	part->out_dtype = part->dtype;
	part->divisor = 0;
	for (uint32_t i = d->count; i--;) {
		if (reduced(d, i))
			continue;
		d->stride[i][OUT] = *bytes;
		*bytes *= d->extent[i];
	}
}

/* The whole parts of a dimension become one of their own that is kept. */
static struct pass whole_parts(const struct pass *part, uint32_t dim, uint64_t length,
			       uint64_t count, uint64_t bytes)
{
	struct pass p = *part;
	struct op_dims *d = &p.dims;

	memmove(d->extent + dim + 1, d->extent + dim, (d->count - dim) * sizeof(d->extent[0]));
	memmove(d->stride + dim + 1, d->stride + dim, (d->count - dim) * sizeof(d->stride[0]));
	d->count++;
	d->extent[dim] = count;
	d->stride[dim][X] *= length;
	d->stride[dim][OUT] = bytes;
	d->extent[dim + 1] = length;
	return p;
}

/* From the parts to the result. */
static struct pass join_parts(const struct pass *p, const struct pass *part, uint64_t count,
			      uint64_t bytes)
{
	struct pass join = *p;
	struct op_dims *d = &join.dims;

	join.x = part->out;
	join.x_dtype = part->out_dtype;
	join.square = false;
	d->count = 1;
	d->extent[0] = count;
	d->stride[0][X] = bytes;
	d->stride[0][OUT] = 0;
	for (uint32_t i = 0; i < p->dims.count; i++) {
		if (reduced(&p->dims, i))
			continue;
		d->extent[d->count] = p->dims.extent[i];
		d->stride[d->count][X] = part->dims.stride[i][OUT];
		d->stride[d->count++][OUT] = p->dims.stride[i][OUT];
	}
	return join;
}

static int run_parts(npuop *ops, const struct pass *p, uint32_t dim, uint64_t length)
{
	const uint64_t whole = p->dims.extent[dim] / length, rest = p->dims.extent[dim] % length;
	struct pass part = *p, pass;
	uint64_t bytes;
	int err;

	to_workspace(&part, ops, &bytes);
	pass = whole_parts(&part, dim, length, whole, bytes);
	err = run(ops, &pass);
	if (!err && rest) {
		pass = part;
		pass.x += whole * length * part.dims.stride[dim][X];
		pass.out += whole * bytes;
		pass.dims.extent[dim] = rest;
		err = run(ops, &pass);
	}
	if (err)
		return err;
	pass = join_parts(p, &part, whole + (rest != 0), bytes);
	return run(ops, &pass);
}

/* Types of the result for a type of x. */
static uint32_t out_types(enum npuop_reduce_op op, uint32_t x_dtype)
{
	if (is_arg(op))
		return OP_TYPE(NPUOP_S32);
	if (op_is_float(x_dtype))
		return OP_FLOATS;
	return op == NPUOP_REDUCE_MAX || op == NPUOP_REDUCE_MIN ? OP_TYPE(x_dtype)
								: OP_TYPE(NPUOP_S32);
}

/* Each extent of out is that of x, or 1; of indices not more than one is. */
static int check_shape(npuop *ops, enum npuop_reduce_op op, const npuop_tensor *x,
		       const npuop_tensor *out)
{
	uint32_t reduced_dims = 0;
	int err = op_rank(ops, "out", out, x->rank);

	if (err)
		return err;
	for (uint32_t i = 0; i < x->rank; i++) {
		if (out->shape[i] != x->shape[i] && out->shape[i] != 1)
			return op_same(ops, "out", out, "x, or with some of 1", x);
		reduced_dims += out->shape[i] != x->shape[i];
		if (is_arg(op) && out->shape[i] != x->shape[i] && x->shape[i] > INT32_MAX)
			return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
				       "x: has more elements than S32 has indices");
	}
	if (is_arg(op) && reduced_dims > 1)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "out: %u dimensions are reduced, not 1", reduced_dims);
	return 0;
}

static int check(npuop *ops, enum npuop_reduce_op op, const npuop_tensor *x,
		 const npuop_tensor *out)
{
	int err;

	if ((uint32_t)op > NPUOP_REDUCE_ARGMIN)
		return op_fail(ops, NPURT_ERROR_INVALID, "op: there is no operation %u", op);
	err = op_read(ops, "x", x, op == NPUOP_REDUCE_MEAN ? OP_FLOATS : OP_ALL_TYPES);
	if (!err)
		err = op_write(ops, "out", out, out_types(op, x->dtype));
	if (!err)
		err = check_shape(ops, op, x, out);
	if (!err)
		err = op_apart(ops, "out", out, "x", x);
	return err;
}

/* Of no elements: a sum has a value. */
static int reduce_nothing(npuop *ops, enum npuop_reduce_op op, const npuop_tensor *out)
{
	switch (op) {
	case NPUOP_REDUCE_SUM:
	case NPUOP_REDUCE_SUMSQ:
		return npuop_fill(ops, 0, out);
	case NPUOP_REDUCE_MEAN:
		return npuop_fill(ops, NAN, out);
	default:
		return op_fail(ops, NPURT_ERROR_INVALID, "x: there is no element to be found");
	}
}

static uint32_t kernel_op(enum npuop_reduce_op op)
{
	switch (op) {
	case NPUOP_REDUCE_MAX:
		return NPU_OP_GREATEST;
	case NPUOP_REDUCE_MIN:
		return NPU_OP_LEAST;
	case NPUOP_REDUCE_ARGMAX:
		return NPU_OP_ARG_GREATEST;
	case NPUOP_REDUCE_ARGMIN:
		return NPU_OP_ARG_LEAST;
	default:
		return NPU_OP_SUM;
	}
}

int npuop_reduce(npuop *ops, enum npuop_reduce_op op, const npuop_tensor *x,
		 const npuop_tensor *out)
{
	const npuop_tensor *tensors[] = { x, out };
	struct pass pass;
	uint64_t length;
	uint32_t dim;
	int err = check(ops, op, x, out);

	if (err || !npuop_tensor_elements(out))
		return err;
	if (!npuop_tensor_elements(x))
		return reduce_nothing(ops, op, out);
	pass = (struct pass){
		.x = op_address(x),
		.out = op_address(out),
		.dims = op_dims(tensors, 2),
		.op = kernel_op(op),
		.x_dtype = x->dtype,
		.out_dtype = out->dtype,
		.dtype = op_is_float(x->dtype) ? NPUOP_F32 : NPUOP_S32,
		.square = op == NPUOP_REDUCE_SUMSQ,
	};
	if (op == NPUOP_REDUCE_MEAN)
		pass.divisor = (float)(npuop_tensor_elements(x) / npuop_tensor_elements(out));
	dim = longest(&pass.dims);
	if (dim == OP_WALK_DIMS || is_arg(op))
		return run(ops, &pass);
	length = part_length(ops, &pass, dim);
	if (length == pass.dims.extent[dim])
		return run(ops, &pass);
	return run_parts(ops, &pass, dim, length);
}

// SPDX-License-Identifier: MIT
/* npuop_gather(), npuop_embedding() and its backward */
#include <inttypes.h>

#include <npu_op_gather.h>

#include "rows.h"
#include "stage.h"

#define LEAST 8192 /* bytes that are worth a block */

/* What a gather goes by: each index names a slice of x along @dim; out has it in its place. */
struct gather {
	npuop_tensor x, index, out; /* index with the outer dimensions of out */
	uint64_t x_stride, count;
};

/*
 * Give the three a last dimension, the rows that are copied, of what is behind @dim: dimensions
 * that are dense in both are joined, and where there is none, rows are elements.
 */
static void make_rows(struct gather *g, uint32_t dim)
{
	npuop_tensor *x = &g->x, *out = &g->out;

	if (dim + 1 == out->rank) {
		x->shape[x->rank] = out->shape[out->rank] = 1;
		x->stride[x->rank++] = out->stride[out->rank++] = 1;
	}
	while (out->rank > dim + 2) {
		const uint32_t last = out->rank - 1;
		const uint64_t cols = out->shape[last];

		if (out->stride[last - 1] != cols || x->stride[last - 1] != cols)
			break;
		out->shape[last - 1] *= cols;
		x->shape[last - 1] *= cols;
		out->stride[last - 1] = x->stride[last - 1] = 1;
		out->rank--;
		x->rank--;
	}
}

static int launch_gather(npuop *ops, const struct gather *g)
{
	struct npu_op_gather_args args = { .x_stride = g->x_stride, .count = g->count };
	const uint64_t cols = op_rows_cols(&g->out);

	op_rows(&args.outer,
		(const struct op_rows_operand[]){
			{ &g->out, &args.out }, { &g->x, &args.x }, { &g->index, &args.index } },
		3);
	args.row_bytes = cols * npuop_dtype_bytes(g->out.dtype, 1);
	return op_launch(ops, OP_KERNEL_op_gather,
			 op_rows_blocks(ops, args.outer.rows, args.row_bytes, LEAST), &args,
			 sizeof(args));
}

/* The shape of out: that of x, with @count along @dim. */
static int check_gathered(npuop *ops, const npuop_tensor *x, uint32_t dim, uint64_t count,
			  const npuop_tensor *out)
{
	npuop_tensor like = *x;

	like.shape[dim] = count;
	return op_shape(ops, "out", out, x->rank, like.shape);
}

static int check_gather(npuop *ops, const npuop_tensor *x, uint32_t dim, const npuop_tensor *index,
			const npuop_tensor *out)
{
	int err;

	if ((err = op_read(ops, "x", x, OP_ALL_TYPES)) ||
	    (err = op_read(ops, "index", index, OP_TYPE(NPUOP_S32))) ||
	    (err = op_rank(ops, "index", index, 1)) ||
	    (err = op_write(ops, "out", out, OP_TYPE(x->dtype))))
		return err;
	if (dim >= x->rank)
		return op_fail(ops, NPURT_ERROR_INVALID, "dim: %u, of a rank of %u", dim, x->rank);
	if (dim + 1 == NPUOP_MAX_RANK)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "dim: the last of rank %u",
			       NPUOP_MAX_RANK);
	if ((err = check_gathered(ops, x, dim, index->shape[0], out)) ||
	    (err = op_apart(ops, "out", out, "x", x)))
		return err;
	return op_apart(ops, "out", out, "index", index);
}

int npuop_gather(npuop *ops, const npuop_tensor *x, uint32_t dim, const npuop_tensor *index,
		 const npuop_tensor *out)
{
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	struct gather g;
	int err = check_gather(ops, x, dim, index, out);

	if (err || !npuop_tensor_elements(out))
		return err;
	/* Along the last dimension rows are elements, wherever they are. */
	if (dim + 1 < x->rank && ((err = op_stage_rows(ops, &stage, &x, true)) ||
				  (err = op_stage_rows(ops, &stage, &to, false))))
		return err;
	g = (struct gather){
		.x = *x,
		.out = *to,
		.x_stride = x->stride[dim] * npuop_dtype_bytes(x->dtype, 1),
		.count = x->shape[dim],
	};
	g.x.stride[dim] = 0;
	make_rows(&g, dim);
	g.index = g.out;
	g.index.memory = index->memory;
	g.index.offset = index->offset;
	g.index.dtype = NPUOP_S32;
	for (uint32_t i = 0; i < g.index.rank; i++)
		g.index.stride[i] = i == dim ? index->stride[0] : 0;
	err = launch_gather(ops, &g);
	return err ? err : op_unstage(ops, to, out);
}

/* Is a tensor [..., @cols], as @index is [...]? */
static int check_rows_of(npuop *ops, const char *name, const npuop_tensor *t,
			 const npuop_tensor *index, uint64_t cols)
{
	npuop_tensor like = *index;

	if (index->rank == NPUOP_MAX_RANK)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "index: rank %u", index->rank);
	like.shape[like.rank++] = cols;
	return op_shape(ops, name, t, like.rank, like.shape);
}

int npuop_embedding(npuop *ops, const npuop_tensor *table, const npuop_tensor *index,
		    const npuop_tensor *out)
{
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	struct gather g;
	int err;

	if ((err = op_read(ops, "table", table, OP_ALL_TYPES)) ||
	    (err = op_rank(ops, "table", table, 2)) ||
	    (err = op_read(ops, "index", index, OP_TYPE(NPUOP_S32))) ||
	    (err = op_write(ops, "out", out, OP_TYPE(table->dtype))) ||
	    (err = check_rows_of(ops, "out", out, index, table->shape[1])) ||
	    (err = op_apart(ops, "out", out, "table", table)) ||
	    (err = op_apart(ops, "out", out, "index", index)))
		return err;
	if (!npuop_tensor_elements(out))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &table, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	g = (struct gather){
		.x = *to,
		.index = *index,
		.out = *to,
		.x_stride = table->stride[0] * npuop_dtype_bytes(table->dtype, 1),
		.count = table->shape[0],
	};
	g.x.memory = table->memory;
	g.x.offset = table->offset;
	for (uint32_t i = 0; i < index->rank; i++)
		g.x.stride[i] = 0;
	err = launch_gather(ops, &g);
	return err ? err : op_unstage(ops, to, out);
}

int npuop_embedding_backward(npuop *ops, const npuop_tensor *index, const npuop_tensor *grad,
			     const npuop_tensor *grad_table)
{
	struct npu_op_scatter_add_args args;
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = grad_table;
	uint64_t pitch;
	int err;

	if ((err = op_read(ops, "index", index, OP_TYPE(NPUOP_S32))) ||
	    (err = op_write(ops, "grad_table", grad_table, OP_TYPE(NPUOP_F32))) ||
	    (err = op_rank(ops, "grad_table", grad_table, 2)) ||
	    (err = op_rows_check_cols(ops, "grad_table", grad_table)) ||
	    (err = op_read(ops, "grad", grad, OP_FLOATS)) ||
	    (err = check_rows_of(ops, "grad", grad, index, grad_table->shape[1])) ||
	    (err = op_apart(ops, "grad_table", grad_table, "grad", grad)) ||
	    (err = op_apart(ops, "grad_table", grad_table, "index", index)))
		return err;
	if (!npuop_tensor_elements(grad_table))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &grad, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	pitch = to->shape[0] > 1 ? to->stride[0] * 4 : 0;
	if (pitch > UINT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "grad_table: rows that are %" PRIu64 " bytes apart", pitch);
	args = (struct npu_op_scatter_add_args){
		.table = op_address(to),
		.table_pitch = pitch,
		.count = to->shape[0],
		.cols = (uint32_t)to->shape[1],
		.dtype = grad->dtype,
	};
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { grad, &args.grad }, { index, &args.index } },
		2);
	err = op_launch(ops, OP_KERNEL_op_scatter_add, op_blocks(ops, to->shape[0], 8), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, grad_table);
}

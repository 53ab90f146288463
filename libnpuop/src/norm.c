// SPDX-License-Identifier: MIT
/* npuop_layer_norm(), npuop_rms_norm() and their backwards */
#include <inttypes.h>
#include <math.h>

#include <npu_op_norm.h>

#include "rows.h"
#include "stage.h"

#define LEAST 8192 /* elements that are worth a block */

/*
 * Sums over rows are those of chunks of rows, added in order. What a chunk is depends on the
 * shape only, so that the bits do not depend on the blocks.
 */
#define CHUNKS 48
#define CHUNK_ROWS 32 /* at least */

/* The operands of a norm: what is not there is NULL. */
struct norm {
	const npuop_tensor *x, *gamma, *beta, *mean, *rstd;
};

/* gamma or beta: [cols], of x's type or F32 */
static int check_weight(npuop *ops, const char *name, const npuop_tensor *weight,
			const npuop_tensor *x)
{
	int err;

	if (!weight)
		return 0;
	err = op_read(ops, name, weight, OP_TYPE(x->dtype) | OP_TYPE(NPUOP_F32));
	return err ? err : op_vector(ops, name, weight, op_rows_cols(x));
}

/* mean or rstd: as x without the last dimension */
static int
check_stats(npuop *ops, const char *name, const npuop_tensor *stats, const npuop_tensor *x,
	    int (*check)(npuop *ops, const char *name, const npuop_tensor *tensor, uint32_t types))
{
	int err = check(ops, name, stats, OP_TYPE(NPUOP_F32));

	return err ? err : op_shape(ops, name, stats, x->rank - 1, x->shape);
}

static int check_x(npuop *ops, const npuop_tensor *x)
{
	int err = op_read(ops, "x", x, OP_FLOATS);

	if (!err && !x->rank)
		err = op_fail(ops, NPURT_ERROR_INVALID, "x: rank 0, not 1 or more");
	return err ? err : op_rows_check_cols(ops, "x", x);
}

static int check_weights(npuop *ops, const struct norm *n)
{
	int err = check_weight(ops, "gamma", n->gamma, n->x);

	if (!err)
		err = check_weight(ops, "beta", n->beta, n->x);
	if (!err && n->gamma && n->beta && n->gamma->dtype != n->beta->dtype)
		err = op_fail(ops, NPURT_ERROR_INVALID, "beta: its type is not gamma's");
	return err;
}

static uint32_t weight_dtype(const struct norm *n)
{
	return n->gamma ? n->gamma->dtype : n->beta ? n->beta->dtype : NPUOP_F32;
}

/* An operand by name, for checks of what lies over what; the tensor may be NULL. */
struct named {
	const char *name;
	const npuop_tensor *tensor;
};

/* Those from @written on lie over none of those before them. */
static int check_apart(npuop *ops, const struct named *all, uint32_t written, uint32_t count)
{
	int err = 0;

	for (uint32_t i = written; i < count; i++)
		for (uint32_t j = 0; !err && all[i].tensor && j < i; j++)
			if (all[j].tensor)
				err = op_apart(ops, all[i].name, all[i].tensor, all[j].name,
					       all[j].tensor);
	return err;
}

static int check_forward(npuop *ops, const struct norm *n, const npuop_tensor *out)
{
	const struct named read[] = { { "gamma", n->gamma }, { "beta", n->beta }, { "out", out } };
	const struct named stats[] = {
		{ "x", n->x },	{ "gamma", n->gamma }, { "beta", n->beta },
		{ "out", out }, { "mean", n->mean },   { "rstd", n->rstd },
	};
	int err;

	if ((err = check_x(ops, n->x)) || (err = check_weights(ops, n)) ||
	    (err = op_write(ops, "out", out, OP_TYPE(n->x->dtype))) ||
	    (err = op_same(ops, "out", out, "x", n->x)) ||
	    (err = op_in_place(ops, "out", out, "x", n->x)) ||
	    (n->mean && (err = check_stats(ops, "mean", n->mean, n->x, op_write))) ||
	    (n->rstd && (err = check_stats(ops, "rstd", n->rstd, n->x, op_write))) ||
	    (err = check_apart(ops, read, 2, 3)))
		return err;
	return check_apart(ops, stats, 4, 6);
}

/* Of rows of nothing there is no mean. */
static int no_rows(npuop *ops, const struct norm *n)
{
	int err = n->mean ? npuop_fill(ops, NAN, n->mean) : 0;

	return err || !n->rstd ? err : npuop_fill(ops, NAN, n->rstd);
}

static int forward(npuop *ops, const struct norm *n, uint32_t flags, float eps,
		   const npuop_tensor *out)
{
	struct npu_op_norm_args args = { .flags = flags, .eps = eps };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *x = n->x, *to = out;
	int err = check_forward(ops, n, out);

	if (err)
		return err;
	if (!npuop_tensor_elements(x))
		return no_rows(ops, n);
	if ((err = op_stage_rows(ops, &stage, &x, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { x, &args.x },
						  { to, &args.out },
						  { n->mean, &args.mean },
						  { n->rstd, &args.rstd } },
		4);
	args.gamma = op_address(n->gamma);
	args.beta = op_address(n->beta);
	args.cols = (uint32_t)op_rows_cols(n->x);
	args.dtype = n->x->dtype;
	args.weight_dtype = weight_dtype(n);
	err = op_launch(ops, OP_KERNEL_op_norm,
			op_rows_blocks(ops, args.outer.rows, args.cols, LEAST), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, out);
}

int npuop_layer_norm(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
		     const npuop_tensor *beta, float eps, const npuop_tensor *out,
		     const npuop_tensor *mean, const npuop_tensor *rstd)
{
	const struct norm n = { x, gamma, beta, mean, rstd };

	return forward(ops, &n, 0, eps, out);
}

int npuop_rms_norm(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma, float eps,
		   const npuop_tensor *out, const npuop_tensor *rstd)
{
	const struct norm n = { x, gamma, NULL, NULL, rstd };

	return forward(ops, &n, NPU_OP_NORM_RMS, eps, out);
}

/* What the backward writes. */
struct grads {
	const npuop_tensor *x, *gamma, *beta;
};

static int check_sum(npuop *ops, const char *name, const npuop_tensor *sum, const npuop_tensor *x)
{
	int err;

	if (!sum)
		return 0;
	err = op_write(ops, name, sum, OP_TYPE(NPUOP_F32));
	return err ? err : op_vector(ops, name, sum, op_rows_cols(x));
}

static int check_backward(npuop *ops, const struct norm *n, uint32_t flags,
			  const npuop_tensor *grad, const struct grads *out)
{
	const struct named read[] = {
		{ "gamma", n->gamma },
		{ "mean", n->mean },
		{ "rstd", n->rstd },
		{ "grad_x", out->x },
	};
	const struct named sums[] = {
		{ "x", n->x },
		{ "gamma", n->gamma },
		{ "mean", n->mean },
		{ "rstd", n->rstd },
		{ "grad", grad },
		{ "grad_x", out->x },
		{ "grad_gamma", out->gamma },
		{ "grad_beta", out->beta },
	};
	int err;

	if ((err = check_x(ops, n->x)) || (err = check_weights(ops, n)) ||
	    (!(flags & NPU_OP_NORM_RMS) &&
	     (err = check_stats(ops, "mean", n->mean, n->x, op_read))) ||
	    (err = check_stats(ops, "rstd", n->rstd, n->x, op_read)) ||
	    (err = op_read(ops, "grad", grad, OP_TYPE(n->x->dtype))) ||
	    (err = op_same(ops, "grad", grad, "x", n->x)) ||
	    (err = op_write(ops, "grad_x", out->x, OP_TYPE(n->x->dtype))) ||
	    (err = op_same(ops, "grad_x", out->x, "x", n->x)) ||
	    (err = op_in_place(ops, "grad_x", out->x, "x", n->x)) ||
	    (err = op_in_place(ops, "grad_x", out->x, "grad", grad)) ||
	    (err = check_sum(ops, "grad_gamma", out->gamma, n->x)) ||
	    (err = check_sum(ops, "grad_beta", out->beta, n->x)) ||
	    (err = check_apart(ops, read, 3, 4)))
		return err;
	return check_apart(ops, sums, 6, 8);
}

/* Add up what the chunks have left in the workspace. */
static int column_sum(npuop *ops, uint64_t partial, uint64_t chunks, uint64_t cols,
		      const npuop_tensor *out)
{
	const struct npu_op_column_sum_args args = {
		.x = partial,
		.out = op_address(out),
		.rows = (uint32_t)chunks,
		.cols = (uint32_t)cols,
	};

	if (!out)
		return 0;
	return op_launch(ops, OP_KERNEL_op_column_sum, op_blocks(ops, chunks * cols, LEAST), &args,
			 sizeof(args));
}

static int backward(npuop *ops, const struct norm *n, uint32_t flags, const npuop_tensor *grad,
		    const struct grads *out)
{
	struct npu_op_norm_backward_args args = { .flags = flags };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *x = n->x, *grad_x = out->x;
	uint64_t cols, chunks, partial_bytes;
	int err = check_backward(ops, n, flags, grad, out);

	if (err || !op_rows_cols(x))
		return err;
	if ((err = op_stage_rows(ops, &stage, &x, true)) ||
	    (err = op_stage_rows(ops, &stage, &grad, true)) ||
	    (err = op_stage_rows(ops, &stage, &grad_x, false)))
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { x, &args.x },
						  { grad, &args.grad },
						  { grad_x, &args.grad_x },
						  { n->mean, &args.mean },
						  { n->rstd, &args.rstd } },
		5);
	cols = op_rows_cols(x);
	args.gamma = op_address(n->gamma);
	args.cols = (uint32_t)cols;
	args.dtype = n->x->dtype;
	args.weight_dtype = weight_dtype(n);
	args.chunk = (args.outer.rows + CHUNKS - 1) / CHUNKS;
	if (args.chunk < CHUNK_ROWS)
		args.chunk = CHUNK_ROWS;
	chunks = (args.outer.rows + args.chunk - 1) / args.chunk;
	partial_bytes = chunks * cols * 4;
	if (out->gamma || out->beta) {
		err = op_stage_scratch(ops, &stage, 2 * partial_bytes, &args.partial);
		if (err)
			return err;
	}
	if (chunks)
		err = op_launch(ops, OP_KERNEL_op_norm_backward, op_blocks(ops, chunks, 1), &args,
				sizeof(args));
	if (!err)
		err = column_sum(ops, args.partial, chunks, cols, out->gamma);
	if (!err)
		err = column_sum(ops, args.partial + partial_bytes, chunks, cols, out->beta);
	return err ? err : op_unstage(ops, grad_x, out->x);
}

int npuop_layer_norm_backward(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
			      const npuop_tensor *mean, const npuop_tensor *rstd,
			      const npuop_tensor *grad, const npuop_tensor *grad_x,
			      const npuop_tensor *grad_gamma, const npuop_tensor *grad_beta)
{
	const struct norm n = { x, gamma, NULL, mean, rstd };

	return backward(ops, &n, 0, grad, &(struct grads){ grad_x, grad_gamma, grad_beta });
}

int npuop_rms_norm_backward(npuop *ops, const npuop_tensor *x, const npuop_tensor *gamma,
			    const npuop_tensor *rstd, const npuop_tensor *grad,
			    const npuop_tensor *grad_x, const npuop_tensor *grad_gamma)
{
	const struct norm n = { x, gamma, NULL, NULL, rstd };

	return backward(ops, &n, NPU_OP_NORM_RMS, grad,
			&(struct grads){ grad_x, grad_gamma, NULL });
}

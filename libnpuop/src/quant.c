// SPDX-License-Identifier: MIT
/* Quantisation: npuop_quantize(), npuop_dequantize() */
#include <inttypes.h>

#include <npu_op_quant.h>

#include "internal.h"

#define LEAST 16384 /* elements that are worth a block */

/* Matrix, integers and scales; @written says which of the first two is the result. */
static int check_matrix(npuop *ops, const char *name, const npuop_tensor *t, uint32_t types,
			bool written)
{
	int err = (written ? op_write : op_read)(ops, name, t, types);

	if (!err)
		err = op_rank(ops, name, t, 2);
	if (!err)
		err = op_inner(ops, name, t);
	if (!err && (t->shape[1] > INT32_MAX || t->stride[0] > UINT32_MAX / 4))
		err = op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: rows that are too long", name);
	return err;
}

static int check_q(npuop *ops, const npuop_tensor *q, const npuop_tensor *x, bool written,
		   struct npu_op_quant_args *args)
{
	int err = check_matrix(ops, "q", q, OP_TYPE(NPUOP_S8) | OP_TYPE(NPUOP_S4), written);

	if (!err)
		err = op_same(ops, "q", q, "x", x);
	if (err || q->dtype == NPUOP_S8)
		return err;
	if (q->shape[1] % 2 || q->stride[0] % 2)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "q: rows of S4 are even");
	args->flags |= NPU_OP_QUANT_S4;
	return 0;
}

/* What a scale is for: all, a row, or a column of a group of rows. */
static int check_scale(npuop *ops, const npuop_tensor *scale, const npuop_tensor *x, bool written,
		       struct npu_op_quant_args *args)
{
	const uint64_t rows = x->shape[0], cols = x->shape[1];
	int err = (written ? op_write : op_read)(ops, "scale", scale, OP_TYPE(NPUOP_F32));

	if (err)
		return err;
	args->scale = op_address(scale);
	args->group = rows;
	if (scale->rank == 1 && scale->shape[0] == 1) {
		args->flags |= NPU_OP_QUANT_BY_ROW;
		return 0;
	}
	err = op_rank(ops, "scale", scale, 2);
	if (err)
		return err;
	if (scale->stride[0] > UINT32_MAX / 4)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "scale: rows that are too long");
	args->ld_scale = scale->stride[0] * sizeof(float);
	if (scale->shape[0] == rows && scale->shape[1] == 1) {
		args->flags |= NPU_OP_QUANT_BY_ROW;
		return 0;
	}
	if (scale->shape[1] != cols || (rows && (!scale->shape[0] || rows % scale->shape[0])))
		return op_fail(ops, NPURT_ERROR_INVALID,
			       "scale: shape [%" PRIu64 ", %" PRIu64 "], neither [1], nor [%" PRIu64
			       ", 1], nor [groups, %" PRIu64 "]",
			       scale->shape[0], scale->shape[1], rows, cols);
	args->group = rows ? rows / scale->shape[0] : 0;
	return op_inner(ops, "scale", scale);
}

static void take(struct npu_op_quant_args *args, const npuop_tensor *x, const npuop_tensor *q)
{
	args->x = op_address(x);
	args->q = op_address(q);
	args->ldx = npuop_dtype_bytes(x->dtype, x->stride[0]);
	args->ldq = npuop_dtype_bytes(q->dtype, q->stride[0]);
	args->rows = x->shape[0];
	args->cols = (uint32_t)x->shape[1];
	args->dtype = x->dtype;
	args->divisor = q->dtype == NPUOP_S4 ? 7 : 127;
}

static int launch(npuop *ops, enum op_kernel kernel, const struct npu_op_quant_args *args)
{
	return op_launch(ops, kernel, op_blocks(ops, args->rows * args->cols, LEAST), args,
			 sizeof(*args));
}

/* The greatest of each row, and then of all of them. */
static int launch_one_scale(npuop *ops, const struct npu_op_quant_args *args)
{
	struct npu_op_quant_args rows = *args, all = *args;
	int err;

	if (args->rows > npurt_memory_size(ops->workspace) / sizeof(float) ||
	    args->rows > INT32_MAX)
		return op_fail(ops, NPURT_ERROR_LIMIT,
			       "x: %" PRIu64 " rows, for which the workspace is too small",
			       args->rows);
	rows.scale = npurt_memory_address(ops->workspace);
	rows.ld_scale = sizeof(float);
	rows.divisor = 1;
	err = launch(ops, OP_KERNEL_op_quant_scales, &rows);
	all.x = rows.scale;
	all.rows = 1;
	all.group = 1;
	all.cols = (uint32_t)args->rows;
	all.dtype = NPUOP_F32;
	return err ? err : launch(ops, OP_KERNEL_op_quant_scales, &all);
}

int npuop_quantize(npuop *ops, const npuop_tensor *x, const npuop_tensor *q,
		   const npuop_tensor *scale)
{
	struct npu_op_quant_args args = { 0 };
	int err = check_matrix(ops, "x", x, OP_FLOATS, false);

	if (!err)
		err = check_q(ops, q, x, true, &args);
	if (!err)
		err = check_scale(ops, scale, x, true, &args);
	if (!err)
		err = op_apart(ops, "q", q, "x", x);
	if (!err)
		err = op_apart(ops, "scale", scale, "x", x);
	if (!err)
		err = op_apart(ops, "scale", scale, "q", q);
	if (err)
		return err;
	if (!npuop_tensor_elements(x))
		return npuop_fill(ops, 0, scale);
	take(&args, x, q);
	if (args.flags & NPU_OP_QUANT_BY_ROW && scale->rank == 1)
		err = launch_one_scale(ops, &args);
	else
		err = launch(ops, OP_KERNEL_op_quant_scales, &args);
	return err ? err : launch(ops, OP_KERNEL_op_quantize, &args);
}

int npuop_dequantize(npuop *ops, const npuop_tensor *q, const npuop_tensor *scale,
		     const npuop_tensor *out)
{
	struct npu_op_quant_args args = { 0 };
	int err = check_matrix(ops, "out", out, OP_FLOATS, true);

	if (!err)
		err = check_q(ops, q, out, false, &args);
	if (!err)
		err = check_scale(ops, scale, out, false, &args);
	if (!err)
		err = op_apart(ops, "out", out, "q", q);
	if (!err)
		err = op_apart(ops, "out", out, "scale", scale);
	if (err || !npuop_tensor_elements(out))
		return err;
	take(&args, out, q);
	return launch(ops, OP_KERNEL_op_dequantize, &args);
}

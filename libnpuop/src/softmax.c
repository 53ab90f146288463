// SPDX-License-Identifier: MIT
/* npuop_softmax() and its backward */
#include <npu_op_norm.h>

#include "rows.h"
#include "stage.h"

#define LEAST 8192 /* elements that are worth a block */

int npuop_softmax(npuop *ops, const npuop_tensor *x, int log, const npuop_tensor *out)
{
	struct npu_op_softmax_args args = { .log = log != 0 };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	int err;

	if ((err = op_read(ops, "x", x, OP_FLOATS)) || (err = op_rows_check_cols(ops, "x", x)) ||
	    (err = op_write(ops, "out", out, OP_TYPE(x->dtype))) ||
	    (err = op_same(ops, "out", out, "x", x)) ||
	    (err = op_in_place(ops, "out", out, "x", x)))
		return err;
	if (!npuop_tensor_elements(x))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &x, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	op_rows(&args.outer, (const struct op_rows_operand[]){ { x, &args.x }, { to, &args.out } },
		2);
	args.cols = (uint32_t)op_rows_cols(x);
	args.dtype = x->dtype;
	err = op_launch(ops, OP_KERNEL_op_softmax,
			op_rows_blocks(ops, args.outer.rows, args.cols, LEAST), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, out);
}

int npuop_softmax_backward(npuop *ops, const npuop_tensor *y, const npuop_tensor *grad,
			   const npuop_tensor *grad_x)
{
	struct npu_op_softmax_backward_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = grad_x;
	int err;

	if ((err = op_read(ops, "y", y, OP_FLOATS)) || (err = op_rows_check_cols(ops, "y", y)) ||
	    (err = op_read(ops, "grad", grad, OP_TYPE(y->dtype))) ||
	    (err = op_same(ops, "grad", grad, "y", y)) ||
	    (err = op_write(ops, "grad_x", grad_x, OP_TYPE(y->dtype))) ||
	    (err = op_same(ops, "grad_x", grad_x, "y", y)) ||
	    (err = op_in_place(ops, "grad_x", grad_x, "y", y)) ||
	    (err = op_in_place(ops, "grad_x", grad_x, "grad", grad)))
		return err;
	if (!npuop_tensor_elements(y))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &y, true)) ||
	    (err = op_stage_rows(ops, &stage, &grad, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){
			{ y, &args.y }, { grad, &args.grad }, { to, &args.grad_x } },
		3);
	args.cols = (uint32_t)op_rows_cols(y);
	args.dtype = y->dtype;
	err = op_launch(ops, OP_KERNEL_op_softmax_backward,
			op_rows_blocks(ops, args.outer.rows, args.cols, LEAST), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, grad_x);
}

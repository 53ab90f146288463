// SPDX-License-Identifier: MIT
/* npuop_cross_entropy() */
#include <npu_op_cross_entropy.h>

#include "rows.h"
#include "stage.h"

#define LEAST 8192 /* elements that are worth a block */

static int check(npuop *ops, const npuop_tensor *logits, const npuop_tensor *labels,
		 const npuop_tensor *loss, const npuop_tensor *grad)
{
	int err;

	if ((err = op_read(ops, "logits", logits, OP_FLOATS)) ||
	    (err = op_rank(ops, "logits", logits, 2)) ||
	    (err = op_rows_check_cols(ops, "logits", logits)) ||
	    (err = op_read(ops, "labels", labels, OP_TYPE(NPUOP_S32))) ||
	    (err = op_shape(ops, "labels", labels, 1, logits->shape)))
		return err;
	if (loss && ((err = op_write(ops, "loss", loss, OP_TYPE(NPUOP_F32))) ||
		     (err = op_shape(ops, "loss", loss, 1, logits->shape)) ||
		     (err = op_apart(ops, "loss", loss, "logits", logits)) ||
		     (err = op_apart(ops, "loss", loss, "labels", labels))))
		return err;
	if (grad && ((err = op_write(ops, "grad", grad, OP_TYPE(logits->dtype))) ||
		     (err = op_same(ops, "grad", grad, "logits", logits)) ||
		     (err = op_in_place(ops, "grad", grad, "logits", logits)) ||
		     (err = op_apart(ops, "grad", grad, "labels", labels)) ||
		     (loss && (err = op_apart(ops, "grad", grad, "loss", loss)))))
		return err;
	if (logits->shape[0] && !logits->shape[1])
		return op_fail(ops, NPURT_ERROR_INVALID, "logits: no classes");
	return 0;
}

int npuop_cross_entropy(npuop *ops, const npuop_tensor *logits, const npuop_tensor *labels,
			const npuop_tensor *loss, float grad_scale, const npuop_tensor *grad)
{
	struct npu_op_cross_entropy_args args = { .scale = grad_scale };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = grad;
	int err = check(ops, logits, labels, loss, grad);

	if (err || !npuop_tensor_elements(logits))
		return err;
	if ((err = op_stage_rows(ops, &stage, &logits, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { logits, &args.logits },
						  { labels, &args.labels },
						  { loss, &args.loss },
						  { to, &args.grad } },
		4);
	args.cols = (uint32_t)logits->shape[1];
	args.dtype = logits->dtype;
	err = op_launch(ops, OP_KERNEL_op_cross_entropy,
			op_rows_blocks(ops, args.outer.rows, args.cols, LEAST), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, grad);
}

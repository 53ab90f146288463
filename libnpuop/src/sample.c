// SPDX-License-Identifier: MIT
/* npuop_top_k() and npuop_sample() */
#include <inttypes.h>
#include <math.h>

#include <npu_op_sample.h>

#include "rows.h"
#include "stage.h"

#define CLASSES (1u << 24) /* their number is exact in fp32 */

/* The rows of a result: as those of x, with @cols elements. */
static int check_rows(npuop *ops, const char *name, const npuop_tensor *t, const npuop_tensor *x,
		      uint64_t cols)
{
	npuop_tensor like = *x;
	int err;

	like.shape[x->rank - 1] = cols;
	err = op_shape(ops, name, t, x->rank, like.shape);
	return err ? err : op_apart(ops, name, t, "x", x);
}

static int check_top_k(npuop *ops, const npuop_tensor *x, const npuop_tensor *values,
		       const npuop_tensor *index)
{
	uint64_t k;
	int err;

	if ((err = op_read(ops, "x", x, OP_FLOATS)) || (err = op_rows_check_cols(ops, "x", x)) ||
	    (err = op_write(ops, "values", values, OP_TYPE(x->dtype))) ||
	    (err = op_write(ops, "index", index, OP_TYPE(NPUOP_S32))))
		return err;
	if (!x->rank)
		return op_fail(ops, NPURT_ERROR_INVALID, "x: rank 0, not 1 or more");
	k = op_rows_cols(values);
	if ((err = check_rows(ops, "values", values, x, k)) ||
	    (err = check_rows(ops, "index", index, x, k)) ||
	    (err = op_apart(ops, "index", index, "values", values)))
		return err;
	if (k > op_rows_cols(x))
		return op_fail(ops, NPURT_ERROR_INVALID, "values: %" PRIu64 " of rows of %" PRIu64,
			       k, op_rows_cols(x));
	if (k > NPU_OP_TOP_K)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "values: %" PRIu64 ", more than %u", k,
			       NPU_OP_TOP_K);
	return 0;
}

int npuop_top_k(npuop *ops, const npuop_tensor *x, const npuop_tensor *values,
		const npuop_tensor *index)
{
	struct npu_op_top_k_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = values, *to_index = index;
	int err = check_top_k(ops, x, values, index);

	if (err || !npuop_tensor_elements(values))
		return err;
	if ((err = op_stage_rows(ops, &stage, &x, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)) ||
	    (err = op_stage_rows(ops, &stage, &to_index, false)))
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){
			{ x, &args.x }, { to, &args.values }, { to_index, &args.index } },
		3);
	args.cols = (uint32_t)op_rows_cols(x);
	args.k = (uint32_t)op_rows_cols(values);
	args.dtype = x->dtype;
	if ((err = op_launch(ops, OP_KERNEL_op_top_k, op_blocks(ops, args.outer.rows, 1), &args,
			     sizeof(args))) ||
	    (err = op_unstage(ops, to, values)))
		return err;
	return op_unstage(ops, to_index, index);
}

static int check_sample(npuop *ops, const npuop_sample_attr *attr, const npuop_tensor *logits,
			const npuop_tensor *index)
{
	int err;

	if ((err = op_read(ops, "logits", logits, OP_FLOATS)) ||
	    (err = op_rank(ops, "logits", logits, 2)) ||
	    (err = op_write(ops, "index", index, OP_TYPE(NPUOP_S32))) ||
	    (err = op_shape(ops, "index", index, 1, logits->shape)) ||
	    (err = op_apart(ops, "index", index, "logits", logits)))
		return err;
	if (logits->shape[1] > CLASSES)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "logits: %" PRIu64 " classes",
			       logits->shape[1]);
	if (logits->shape[0] && !logits->shape[1])
		return op_fail(ops, NPURT_ERROR_INVALID, "logits: no classes");
	if (!(attr->temperature >= 0) || isinf(attr->temperature))
		return op_fail(ops, NPURT_ERROR_INVALID, "temperature: %g",
			       (double)attr->temperature);
	if (!(attr->top_p >= 0 && attr->top_p <= 1))
		return op_fail(ops, NPURT_ERROR_INVALID, "top_p: %g is not in 0..1",
			       (double)attr->top_p);
	if (attr->random.control &&
	    ((err = op_read(ops, "control", attr->random.control, OP_TYPE(NPUOP_S32))) ||
	     (err = op_vector(ops, "control", attr->random.control, 1)) ||
	     (err = op_apart(ops, "index", index, "control", attr->random.control))))
		return err;
	if (attr->random.flags)
		return op_fail(ops, NPURT_ERROR_INVALID, "random.flags has unknown bits 0x%x",
			       attr->random.flags);
	return 0;
}

int npuop_sample(npuop *ops, const npuop_sample_attr *attr, const npuop_tensor *logits,
		 const npuop_tensor *index)
{
	struct npu_op_sample_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	npuop_sample_attr own;
	int err = op_take(ops, "npuop_sample_attr", 0, &own, sizeof(own), attr);

	if (!err)
		err = check_sample(ops, &own, logits, index);
	if (err || !npuop_tensor_elements(logits))
		return err;
	err = op_stage_rows(ops, &stage, &logits, true);
	if (err)
		return err;
	op_rows(&args.outer,
		(const struct op_rows_operand[]){ { logits, &args.logits },
						  { index, &args.index } },
		2);
	args.seed = own.random.seed;
	args.counter = own.random.counter;
	args.control = op_address(own.random.control);
	args.inverse_temperature = own.temperature > 0 ? 1 / own.temperature : 0;
	if (isinf(args.inverse_temperature))
		args.inverse_temperature = 0;
	args.top_p = own.top_p > 0 ? own.top_p : 1;
	args.top_k = own.top_k;
	args.cols = (uint32_t)logits->shape[1];
	args.dtype = logits->dtype;
	return op_launch(ops, OP_KERNEL_op_sample, op_blocks(ops, args.outer.rows, 1), &args,
			 sizeof(args));
}

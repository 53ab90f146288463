// SPDX-License-Identifier: MIT
/* npuop_adam(), npuop_sgd() */
#include <math.h>

#include <npu_op_train.h>

#include "internal.h"

#define LEAST 4096 /* elements that are worth a block */
#define F32 OP_TYPE(NPUOP_F32)
#define HALVES (OP_TYPE(NPUOP_F16) | OP_TYPE(NPUOP_BF16))

/* A tensor of a step. All are dense, of the gradient's shape, and apart from each other. */
struct operand {
	const char *name;
	const npuop_tensor *tensor; /* NULL: not there */
	uint32_t types;
	bool written;
};

static int check_operand(npuop *ops, const struct operand *all, uint32_t i)
{
	const struct operand *o = &all[i];
	int err = o->written ? op_write(ops, o->name, o->tensor, o->types)
			     : op_read(ops, o->name, o->tensor, o->types);

	if (!err)
		err = op_same(ops, o->name, o->tensor, all[0].name, all[0].tensor);
	if (!err)
		err = op_dense(ops, o->name, o->tensor);
	for (uint32_t j = 0; !err && j < i; j++)
		if (all[j].tensor)
			err = op_apart(ops, o->name, o->tensor, all[j].name, all[j].tensor);
	return err;
}

static int check_operands(npuop *ops, const struct operand *all, uint32_t count)
{
	int err = op_read(ops, all[0].name, all[0].tensor, all[0].types);

	for (uint32_t i = 0; !err && i < count; i++)
		if (all[i].tensor)
			err = check_operand(ops, all, i);
	return err;
}

/* A pointer that may not be NULL: what check_operands() takes for "not there". */
static int need(npuop *ops, const char *name, const void *pointer)
{
	return pointer ? 0 : op_fail(ops, NPURT_ERROR_INVALID, "%s is NULL", name);
}

static int check_control(npuop *ops, const npuop_tensor *control, const struct operand *all,
			 uint32_t count)
{
	const uint64_t shape[] = { 4 };
	int err;

	if (!control)
		return 0;
	err = op_read(ops, "control", control, F32);
	if (!err)
		err = op_shape(ops, "control", control, 1, shape);
	if (!err)
		err = op_dense(ops, "control", control);
	for (uint32_t i = 0; !err && i < count; i++)
		if (all[i].tensor && all[i].written)
			err = op_apart(ops, "control", control, all[i].name, all[i].tensor);
	return err;
}

static int check_adam(npuop *ops, const npuop_adam_attr *attr)
{
	if (!(attr->beta1 >= 0 && attr->beta1 < 1))
		return op_fail(ops, NPURT_ERROR_INVALID, "beta1 is %g, not in [0, 1)",
			       (double)attr->beta1);
	if (!(attr->beta2 >= 0 && attr->beta2 < 1))
		return op_fail(ops, NPURT_ERROR_INVALID, "beta2 is %g, not in [0, 1)",
			       (double)attr->beta2);
	if (!attr->step && !attr->control)
		return op_fail(ops, NPURT_ERROR_INVALID, "step is 0: the first is 1");
	return 0;
}

static float one_or(float scale)
{
	return scale != 0 ? scale : 1;
}

static float correction(float beta, uint64_t step)
{
	return step ? (float)(1 / (1 - pow((double)beta, (double)step))) : 1;
}

int npuop_adam(npuop *ops, const npuop_adam_attr *attr, const npuop_tensor *grad,
	       const npuop_tensor *param, const npuop_tensor *moment1, const npuop_tensor *moment2)
{
	struct npu_op_adam_args args = { 0 };
	npuop_adam_attr own;
	int err = need(ops, "attr", attr);

	if (!err)
		err = op_take(ops, "npuop_adam_attr", NPUOP_ADAM_DECOUPLED, &own, sizeof(own),
			      attr);
	if (!err)
		err = check_adam(ops, &own);
	if (!err)
		err = need(ops, "param", param);
	if (!err)
		err = need(ops, "moment1", moment1);
	if (!err)
		err = need(ops, "moment2", moment2);
	if (err)
		return err;

	const struct operand operands[] = {
		{ "grad", grad, OP_FLOATS, false }, { "param", param, F32, true },
		{ "moment1", moment1, F32, true },  { "moment2", moment2, F32, true },
		{ "copy", own.copy, HALVES, true },
	};
	err = check_operands(ops, operands, 5);
	if (!err)
		err = check_control(ops, own.control, operands, 5);
	if (err)
		return err;

	args.grad = op_address(grad);
	args.param = op_address(param);
	args.moment1 = op_address(moment1);
	args.moment2 = op_address(moment2);
	args.copy = op_address(own.copy);
	args.control = op_address(own.control);
	args.count = npuop_tensor_elements(grad);
	args.step = (struct npu_op_step){
		.rate = own.rate,
		.correction1 = correction(own.beta1, own.step),
		.correction2 = correction(own.beta2, own.step),
		.grad_scale = one_or(own.grad_scale),
	};
	args.beta1 = own.beta1;
	args.rest1 = (float)(1 - (double)own.beta1);
	args.beta2 = own.beta2;
	args.rest2 = (float)(1 - (double)own.beta2);
	args.eps = own.eps;
	args.weight_decay = own.weight_decay;
	args.flags = own.flags & NPUOP_ADAM_DECOUPLED ? NPU_OP_ADAM_DECOUPLED : 0;
	args.grad_dtype = grad->dtype;
	args.copy_dtype = own.copy ? own.copy->dtype : NPUOP_F16;
	if (!args.count)
		return 0;
	return op_launch(ops, OP_KERNEL_op_adam, op_blocks(ops, args.count, LEAST), &args,
			 sizeof(args));
}

int npuop_sgd(npuop *ops, const npuop_sgd_attr *attr, const npuop_tensor *grad,
	      const npuop_tensor *param, const npuop_tensor *velocity)
{
	struct npu_op_sgd_args args = { 0 };
	npuop_sgd_attr own;
	int err = need(ops, "attr", attr);

	if (!err)
		err = op_take(ops, "npuop_sgd_attr", 0, &own, sizeof(own), attr);
	if (!err)
		err = need(ops, "param", param);
	if (!err && own.momentum != 0)
		err = need(ops, "velocity", velocity);
	if (err)
		return err;

	const struct operand operands[] = {
		{ "grad", grad, OP_FLOATS, false },
		{ "param", param, F32, true },
		{ "velocity", velocity, F32, true },
		{ "copy", own.copy, HALVES, true },
	};
	err = check_operands(ops, operands, 4);
	if (!err)
		err = check_control(ops, own.control, operands, 4);
	if (err)
		return err;

	args.grad = op_address(grad);
	args.param = op_address(param);
	args.velocity = op_address(velocity);
	args.copy = op_address(own.copy);
	args.control = op_address(own.control);
	args.count = npuop_tensor_elements(grad);
	args.step = (struct npu_op_step){
		.rate = own.rate,
		.grad_scale = one_or(own.grad_scale),
	};
	args.momentum = own.momentum;
	args.weight_decay = own.weight_decay;
	args.grad_dtype = grad->dtype;
	args.copy_dtype = own.copy ? own.copy->dtype : NPUOP_F16;
	if (!args.count)
		return 0;
	return op_launch(ops, OP_KERNEL_op_sgd, op_blocks(ops, args.count, LEAST), &args,
			 sizeof(args));
}

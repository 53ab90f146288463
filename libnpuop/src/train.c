// SPDX-License-Identifier: MIT
/* npuop_adam(), npuop_sgd() */
#include <math.h>

#include <npu_op_train.h>

#include "walk.h"

#define F32 OP_TYPE(NPUOP_F32)
#define HALVES (OP_TYPE(NPUOP_F16) | OP_TYPE(NPUOP_BF16))

/*
 * A tensor of a step, and where the kernel has it. All are of the gradient's shape, and apart from
 * each other.
 */
struct operand {
	const char *name;
	const npuop_tensor *tensor; /* NULL: not there, */
	bool optional; /* which may be so */
	uint32_t types;
	bool written;
	struct npu_op_operand *at;
};

#define GRAD 0
#define PARAM 1

static int check_operand(npuop *ops, const struct operand *all, uint32_t i)
{
	const struct operand *o = &all[i];
	int err;

	if (!o->tensor && o->optional)
		return 0;
	if ((err = (o->written ? op_write : op_read)(ops, o->name, o->tensor, o->types)) ||
	    (err = op_same(ops, o->name, o->tensor, all[GRAD].name, all[GRAD].tensor)))
		return err;
	for (uint32_t j = 0; !err && j < i; j++)
		if (all[j].tensor)
			err = op_apart(ops, o->name, o->tensor, all[j].name, all[j].tensor);
	return err;
}

static int check_control(npuop *ops, const npuop_tensor *control, const struct operand *all,
			 uint32_t count)
{
	int err;

	if ((err = op_read(ops, "control", control, F32)) ||
	    (err = op_shape(ops, "control", control, 1, (const uint64_t[]){ 4 })) ||
	    (err = op_dense(ops, "control", control)))
		return err;
	for (uint32_t i = 0; !err && i < count; i++)
		if (all[i].tensor && all[i].written)
			err = op_apart(ops, "control", control, all[i].name, all[i].tensor);
	return err;
}

static int check_operands(npuop *ops, const struct operand *all, uint32_t count,
			  const npuop_tensor *control)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++)
		err = check_operand(ops, all, i);
	return !err && control ? check_control(ops, control, all, count) : err;
}

/* The walk over all that are there, in the order of the parameter's memory. */
static struct npu_op_walk walk_of(const struct operand *all, uint32_t count)
{
	const npuop_tensor *tensors[OP_WALK_TENSORS] = { all[PARAM].tensor };
	struct npu_op_operand *at[OP_WALK_TENSORS] = { all[PARAM].at };
	struct op_dims dims;
	uint32_t n = 1;

	for (uint32_t i = 0; i < count; i++) {
		if (i == PARAM || !all[i].tensor)
			continue;
		tensors[n] = all[i].tensor;
		at[n++] = all[i].at;
	}
	dims = op_dims(tensors, n);
	return op_walk(&dims, tensors, at, n);
}

static int launch(npuop *ops, enum op_kernel kernel, const struct npu_op_walk *walk,
		  const void *args, size_t args_size)
{
	return op_launch(ops, kernel, op_blocks(ops, op_walk_tiles(walk), 1), args, args_size);
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
	int err;

	if (!attr)
		return op_fail(ops, NPURT_ERROR_INVALID, "attr is NULL");
	if ((err = op_take(ops, "npuop_adam_attr", NPUOP_ADAM_DECOUPLED, &own, sizeof(own),
			   attr)) ||
	    (err = check_adam(ops, &own)))
		return err;

	const struct operand operands[] = {
		{ "grad", grad, false, OP_FLOATS, false, &args.grad },
		{ "param", param, false, F32, true, &args.param },
		{ "moment1", moment1, false, F32, true, &args.moment1 },
		{ "moment2", moment2, false, F32, true, &args.moment2 },
		{ "copy", own.copy, true, HALVES, true, &args.copy },
	};
	err = check_operands(ops, operands, 5, own.control);
	if (err || !npuop_tensor_elements(param))
		return err;

	args.walk = walk_of(operands, 5);
	args.control = op_address(own.control);
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
	return launch(ops, OP_KERNEL_op_adam, &args.walk, &args, sizeof(args));
}

int npuop_sgd(npuop *ops, const npuop_sgd_attr *attr, const npuop_tensor *grad,
	      const npuop_tensor *param, const npuop_tensor *velocity)
{
	struct npu_op_sgd_args args = { 0 };
	npuop_sgd_attr own;
	int err;

	if (!attr)
		return op_fail(ops, NPURT_ERROR_INVALID, "attr is NULL");
	err = op_take(ops, "npuop_sgd_attr", 0, &own, sizeof(own), attr);
	if (err)
		return err;

	const struct operand operands[] = {
		{ "grad", grad, false, OP_FLOATS, false, &args.grad },
		{ "param", param, false, F32, true, &args.param },
		{ "velocity", velocity, own.momentum == 0, F32, true, &args.velocity },
		{ "copy", own.copy, true, HALVES, true, &args.copy },
	};
	err = check_operands(ops, operands, 4, own.control);
	if (err || !npuop_tensor_elements(param))
		return err;

	args.walk = walk_of(operands, 4);
	args.control = op_address(own.control);
	args.step = (struct npu_op_step){
		.rate = own.rate,
		.grad_scale = one_or(own.grad_scale),
	};
	args.momentum = own.momentum;
	args.weight_decay = own.weight_decay;
	return launch(ops, OP_KERNEL_op_sgd, &args.walk, &args, sizeof(args));
}

/* SPDX-License-Identifier: MIT */
/* Arguments of the optimisers of firmware/kernels/op/train.c. Addresses are in global memory. */
#ifndef NPU_OP_TRAIN_H
#define NPU_OP_TRAIN_H

#include "npu_op_elementwise.h"

/*
 * What a control tensor holds, in place of the arguments of these names: numbers that change
 * from step to step while a graph stays.
 */
struct npu_op_step {
	float rate;
	float correction1, correction2; /* of adam: 1 / (1 - beta^step) */
	float grad_scale;
};

/*
 * op_adam: with g = grad * grad_scale, all in fp32:
 *
 *	g = fma(param, weight_decay, g)				without DECOUPLED
 *	m = fma(g, 1 - beta1, m * beta1)
 *	v = fma(g * g, 1 - beta2, v * beta2)
 *	param = param * fma(-rate, weight_decay, 1)		with DECOUPLED
 *	param = fma(m / (sqrt(v) + eps / root), -(rate * correction1 / root), param)
 *
 * with root = sqrt(correction2). A step with weight_decay is left out if that is zero. @copy, if
 * its address is not 0, gets the new param.
 */
struct npu_op_adam_args {
	struct npu_op_walk walk;
	struct npu_op_operand grad, param, moment1, moment2; /* grad of a float, the others F32 */
	struct npu_op_operand copy; /* of a float; its address may be 0 */
	uint64_t control; /* struct npu_op_step, or 0: @step */
	struct npu_op_step step;
	float beta1, rest1, beta2, rest2; /* rest: 1 - beta */
	float eps, weight_decay;
	uint32_t flags;
	uint32_t rsvd;
};

#define NPU_OP_ADAM_DECOUPLED (1u << 0)

/*
 * op_sgd: with g = grad * grad_scale, all in fp32:
 *
 *	g = fma(param, weight_decay, g)
 *	velocity = fma(velocity, momentum, g)
 *	param = fma(velocity, -rate, param)
 *
 * The step with weight_decay is left out if that is zero; without a velocity g takes its place.
 */
struct npu_op_sgd_args {
	struct npu_op_walk walk;
	struct npu_op_operand grad, param, velocity,
		copy; /* the last two may have an address of 0 */
	uint64_t control; /* struct npu_op_step, or 0: @step */
	struct npu_op_step step;
	float momentum, weight_decay;
};

#endif /* NPU_OP_TRAIN_H */

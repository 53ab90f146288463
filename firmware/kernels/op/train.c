/* SPDX-License-Identifier: MIT */
/* Optimisers: one pass over gradient, parameter and state, and a copy in another float type. */
#include "npu_kernel.h"
#include "npu_op_train.h"
#include "ub_ring.h"

#define CHUNK 4096
#define AREA (CHUNK * 4)
#define HALF (CHUNK * 2)
#define SLOT (4 * AREA + 2 * HALF)
#define SCRATCH (NPU_UB_BASE + UB_SLOTS * SLOT)
_Static_assert(UB_SLOTS * SLOT + AREA <= NPU_UB_SIZE, "UB overflows");

/* One chunk's operands in UB: gradient, parameter, two of state; the gradient and copy as stored. */
struct areas {
	npu_addr g, w, m, v, grad, copy;
};

static struct areas areas_at(unsigned int slot, uint32_t grad_dtype)
{
	const npu_addr base = NPU_UB_BASE + slot * SLOT, halves = base + 4 * AREA;

	return (struct areas){
		.g = base,
		.w = base + AREA,
		.m = base + 2 * AREA,
		.v = base + 3 * AREA,
		.grad = grad_dtype == NPU_F32 ? base : halves,
		.copy = halves + HALF,
	};
}

static struct npu_op_step step_of(uint64_t control, const struct npu_op_step *step)
{
	return control ? *(const struct npu_op_step *)control : *step;
}

/* The gradient in fp32, times its scale, with what decays the weights. */
static void gradient(const struct areas *at, uint32_t dtype, float scale, float decay, uint32_t n)
{
	if (dtype != NPU_F32)
		npu_vcast(at->g, at->grad, n, dtype, NPU_F32, 0);
	if (scale != 1)
		npu_vmuls(at->g, at->g, npu_f32_bits(scale), n, NPU_F32);
	if (decay != 0)
		npu_vmlas(at->g, at->w, npu_f32_bits(decay), n, NPU_F32);
}

/* What a kernel multiplies with, most as bits, the same for all chunks. */
struct adam_factors {
	float grad_scale, decay;
	uint32_t beta1, rest1, beta2, rest2, eps, keep, minus_rate;
};

static struct adam_factors adam_factors(const struct npu_op_adam_args *args)
{
	const struct npu_op_step step = step_of(args->control, &args->step);
	const int decoupled = args->flags & NPU_OP_ADAM_DECOUPLED;
	const float keep = __builtin_fmaf(-step.rate, args->weight_decay, 1);
	const float root = __builtin_sqrtf(step.correction2);

	return (struct adam_factors){
		.grad_scale = step.grad_scale,
		.decay = decoupled ? 0 : args->weight_decay,
		.beta1 = npu_f32_bits(args->beta1),
		.rest1 = npu_f32_bits(args->rest1),
		.beta2 = npu_f32_bits(args->beta2),
		.rest2 = npu_f32_bits(args->rest2),
		.eps = npu_f32_bits(args->eps / root),
		.keep = npu_f32_bits(decoupled && args->weight_decay != 0 ? keep : 1),
		.minus_rate = npu_f32_bits(-(step.rate * step.correction1 / root)),
	};
}

static void adam_chunk(const struct areas *at, const struct adam_factors *f, uint32_t n)
{
	npu_vmuls(at->m, at->m, f->beta1, n, NPU_F32);
	npu_vmlas(at->m, at->g, f->rest1, n, NPU_F32);
	npu_vmul(at->g, at->g, at->g, n, NPU_F32);
	npu_vmuls(at->v, at->v, f->beta2, n, NPU_F32);
	npu_vmlas(at->v, at->g, f->rest2, n, NPU_F32);
	npu_vsqrt(SCRATCH, at->v, n, NPU_F32);
	npu_vadds(SCRATCH, SCRATCH, f->eps, n, NPU_F32);
	npu_vdiv(SCRATCH, at->m, SCRATCH, n, NPU_F32);
	if (f->keep != npu_f32_bits(1))
		npu_vmuls(at->w, at->w, f->keep, n, NPU_F32);
	npu_vmlas(at->w, SCRATCH, f->minus_rate, n, NPU_F32);
}

NPU_ARGS(op_adam, struct npu_op_adam_args, in(grad), inout(param), inout(moment1), inout(moment2),
	 out(copy), in(control), value(count), value(step.rate), value(step.correction1),
	 value(step.correction2), value(step.grad_scale), value(beta1), value(rest1), value(beta2),
	 value(rest2), value(eps), value(weight_decay), value(flags), value(grad_dtype),
	 value(copy_dtype), value(rsvd));

NPU_KERNEL(op_adam, struct npu_op_adam_args)
{
	const uint32_t grad_bytes = npu_dtype_bytes(args->grad_dtype);
	const uint32_t copy_bytes = npu_dtype_bytes(args->copy_dtype);
	const struct npu_span mine = npu_split(args->count, CHUNK / 8, block, blocks);
	const struct adam_factors factors = adam_factors(args);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += CHUNK, slot = !slot) {
		const uint32_t n = npu_min(CHUNK, mine.end - i), bytes = n * 4;
		const struct areas at = areas_at(slot, args->grad_dtype);

		ub_acquire(slot);
		npu_copy(at.grad, args->grad + i * grad_bytes, n * grad_bytes);
		npu_copy(at.w, args->param + i * 4, bytes);
		npu_copy(at.m, args->moment1 + i * 4, bytes);
		npu_copy(at.v, args->moment2 + i * 4, bytes);
		ub_loaded(slot);
		gradient(&at, args->grad_dtype, factors.grad_scale, factors.decay, n);
		adam_chunk(&at, &factors, n);
		if (args->copy)
			npu_vcast(at.copy, at.w, n, NPU_F32, args->copy_dtype, 0);
		ub_computed(slot);
		npu_copy(args->param + i * 4, at.w, bytes);
		npu_copy(args->moment1 + i * 4, at.m, bytes);
		npu_copy(args->moment2 + i * 4, at.v, bytes);
		if (args->copy)
			npu_copy(args->copy + i * copy_bytes, at.copy, n * copy_bytes);
		ub_release(slot);
	}
	ub_end();
}

NPU_ARGS(op_sgd, struct npu_op_sgd_args, in(grad), inout(param), inout(velocity), out(copy),
	 in(control), value(count), value(step.rate), value(step.correction1),
	 value(step.correction2), value(step.grad_scale), value(momentum), value(weight_decay),
	 value(grad_dtype), value(copy_dtype));

NPU_KERNEL(op_sgd, struct npu_op_sgd_args)
{
	const struct npu_op_step step = step_of(args->control, &args->step);
	const uint32_t momentum = npu_f32_bits(args->momentum);
	const uint32_t grad_bytes = npu_dtype_bytes(args->grad_dtype);
	const uint32_t copy_bytes = npu_dtype_bytes(args->copy_dtype);
	const struct npu_span mine = npu_split(args->count, CHUNK / 8, block, blocks);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += CHUNK, slot = !slot) {
		const uint32_t n = npu_min(CHUNK, mine.end - i), bytes = n * 4;
		const struct areas at = areas_at(slot, args->grad_dtype);

		ub_acquire(slot);
		npu_copy(at.grad, args->grad + i * grad_bytes, n * grad_bytes);
		npu_copy(at.w, args->param + i * 4, bytes);
		if (args->velocity)
			npu_copy(at.v, args->velocity + i * 4, bytes);
		ub_loaded(slot);
		gradient(&at, args->grad_dtype, step.grad_scale, args->weight_decay, n);
		if (args->velocity)
			npu_vmlas(at.g, at.v, momentum, n, NPU_F32);
		npu_vmlas(at.w, at.g, npu_f32_bits(-step.rate), n, NPU_F32);
		if (args->copy)
			npu_vcast(at.copy, at.w, n, NPU_F32, args->copy_dtype, 0);
		ub_computed(slot);
		npu_copy(args->param + i * 4, at.w, bytes);
		if (args->velocity)
			npu_copy(args->velocity + i * 4, at.g, bytes);
		if (args->copy)
			npu_copy(args->copy + i * copy_bytes, at.copy, n * copy_bytes);
		ub_release(slot);
	}
	ub_end();
}

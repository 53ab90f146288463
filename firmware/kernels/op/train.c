/* SPDX-License-Identifier: MIT */
/* Optimisers: one pass over gradient, parameter and state, and a copy in another float type. */
#include "npu_kernel.h"
#include "npu_op_train.h"
#include "ub_ring.h"
#include "walk.h"

#define AREA (NPU_OP_TILE * 4)
#define HALF (NPU_OP_TILE * 2)
#define SLOT (4 * AREA + 2 * HALF)
#define SCRATCH (NPU_UB_BASE + UB_SLOTS * SLOT)
_Static_assert(UB_SLOTS *SLOT + AREA <= NPU_UB_SIZE, "UB overflows");

/* A tile's operands in UB: gradient, parameter, two of state; the gradient and copy as stored. */
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
static void gradient(const struct areas *at, const struct npu_op_operand *grad,
		     const struct tile *t, float scale, float decay)
{
	const uint32_t n = t->elements;
	npu_addr from = at->grad;

	if (!grad->col) {
		walk_expand(SCRATCH, from, grad->dtype, t);
		from = SCRATCH;
	}
	if (from != at->g)
		npu_vcast(at->g, from, n, grad->dtype, NPU_F32, 0);
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

static void adam_tile(const struct areas *at, const struct adam_factors *f, uint32_t n)
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

/* walk_load(), walk_store() of an operand, if it is there. */
static void load(npu_addr to, const struct npu_op_operand *o, const struct tile *t)
{
	if (o->address)
		walk_load(to, o, t);
}

static void store(npu_addr from, const struct npu_op_operand *o, const struct tile *t)
{
	if (o->address)
		walk_store(from, o, t);
}

/* What no load writes: see walk_clear(). */
static void clear_gaps(const struct npu_op_walk *w, const struct npu_op_operand *grad,
		       const struct npu_op_operand *f32)
{
	for (unsigned int slot = 0; slot < UB_SLOTS; slot++) {
		const struct areas at = areas_at(slot, grad->dtype);

		walk_clear(at.grad, grad, w);
		walk_clear(at.w, f32, w);
		walk_clear(at.m, f32, w);
		walk_clear(at.v, f32, w);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
}

NPU_ARGS(op_adam, struct npu_op_adam_args, in(grad.address), inout(param.address),
	 inout(moment1.address), inout(moment2.address), out(copy.address), in(control),
	 value(step.rate), value(step.correction1), value(step.correction2), value(step.grad_scale),
	 value(beta1), value(rest1), value(beta2), value(rest2), value(eps), value(weight_decay),
	 value(flags));

NPU_KERNEL(op_adam, struct npu_op_adam_args)
{
	const struct npu_span mine = npu_split(walk_tiles(&args->walk), 1, block, blocks);
	const struct adam_factors factors = adam_factors(args);
	unsigned int slot = 0;

	clear_gaps(&args->walk, &args->grad, &args->param);
	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++, slot = !slot) {
		const struct tile t = walk_tile(&args->walk, i);
		const struct areas at = areas_at(slot, args->grad.dtype);

		ub_acquire(slot);
		load(at.grad, &args->grad, &t);
		load(at.w, &args->param, &t);
		load(at.m, &args->moment1, &t);
		load(at.v, &args->moment2, &t);
		ub_loaded(slot);
		gradient(&at, &args->grad, &t, factors.grad_scale, factors.decay);
		adam_tile(&at, &factors, t.elements);
		if (args->copy.address)
			npu_vcast(at.copy, at.w, t.elements, NPU_F32, args->copy.dtype, 0);
		ub_computed(slot);
		store(at.w, &args->param, &t);
		store(at.m, &args->moment1, &t);
		store(at.v, &args->moment2, &t);
		store(at.copy, &args->copy, &t);
		ub_release(slot);
	}
	ub_end();
}

NPU_ARGS(op_sgd, struct npu_op_sgd_args, in(grad.address), inout(param.address),
	 inout(velocity.address), out(copy.address), in(control), value(step.rate),
	 value(step.correction1), value(step.correction2), value(step.grad_scale), value(momentum),
	 value(weight_decay));

NPU_KERNEL(op_sgd, struct npu_op_sgd_args)
{
	const struct npu_op_step step = step_of(args->control, &args->step);
	const uint32_t momentum = npu_f32_bits(args->momentum);
	const struct npu_span mine = npu_split(walk_tiles(&args->walk), 1, block, blocks);
	unsigned int slot = 0;

	clear_gaps(&args->walk, &args->grad, &args->param);
	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++, slot = !slot) {
		const struct tile t = walk_tile(&args->walk, i);
		const struct areas at = areas_at(slot, args->grad.dtype);

		ub_acquire(slot);
		load(at.grad, &args->grad, &t);
		load(at.w, &args->param, &t);
		load(at.v, &args->velocity, &t);
		ub_loaded(slot);
		gradient(&at, &args->grad, &t, step.grad_scale, args->weight_decay);
		if (args->velocity.address)
			npu_vmlas(at.g, at.v, momentum, t.elements, NPU_F32);
		npu_vmlas(at.w, at.g, npu_f32_bits(-step.rate), t.elements, NPU_F32);
		if (args->copy.address)
			npu_vcast(at.copy, at.w, t.elements, NPU_F32, args->copy.dtype, 0);
		ub_computed(slot);
		store(at.w, &args->param, &t);
		store(at.g, &args->velocity, &t);
		store(at.copy, &args->copy, &t);
		ub_release(slot);
	}
	ub_end();
}

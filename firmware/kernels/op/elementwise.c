/* SPDX-License-Identifier: MIT */
/* Element by element, of up to three tensors of any strides. */
#include "gelu.h"
#include "npu_kernel.h"
#include "npu_op_elementwise.h"
#include "ub_ring.h"
#include "walk.h"

#define AREA (NPU_OP_TILE * 4)
#define SLOT (NPU_OP_INPUTS * AREA)
#define SCRATCH (NPU_UB_BASE + UB_SLOTS * SLOT)
#define TEMP (SCRATCH + NPU_OP_INPUTS * AREA)
_Static_assert(UB_SLOTS *SLOT + (NPU_OP_INPUTS + 2) * AREA <= NPU_UB_SIZE, "UB overflows");

#define ROOT_2_PI 0x1.988454p-2f /* 1 / sqrt(2 pi) */

/* Beyond it the derivatives of SILU and both GELUs are 0 or 1, and their products with x are 0. */
#define SATURATED 104

/* Where a tile's operands are; the result is to be in out, which may be one of in. */
struct areas {
	npu_addr in[NPU_OP_INPUTS], out, temp0, temp1, temp2;
};

#define F(value) npu_f32_bits(value)

/* to = a * factor + term, in two roundings */
static void linear(npu_addr to, npu_addr a, float factor, float term, uint32_t n)
{
	npu_vmuls(to, a, F(factor), n, NPU_F32);
	npu_vadds(to, to, F(term), n, NPU_F32);
}

/* to = 1 + exp(-x) */
static void sigmoid_inverse(npu_addr to, npu_addr x, uint32_t n)
{
	npu_vneg(to, x, n, NPU_F32);
	npu_vexp(to, to, n, NPU_F32);
	npu_vadds(to, to, F(1), n, NPU_F32);
}

/* to = 1 + erf(x / sqrt(2)) */
static void normal_twice(npu_addr to, npu_addr x, uint32_t n)
{
	npu_vmuls(to, x, F(ROOT_HALF), n, NPU_F32);
	npu_verf(to, to, n, NPU_F32);
	npu_vadds(to, to, F(1), n, NPU_F32);
}

/* to = tanh(x (TANH_1 + TANH_3 x^2)); square = x^2 */
static void gelu_tanh(npu_addr to, npu_addr square, npu_addr x, uint32_t n)
{
	npu_vmul(square, x, x, n, NPU_F32);
	linear(to, square, TANH_3, TANH_1, n);
	npu_vmul(to, to, x, n, NPU_F32);
	npu_vtanh(to, to, n, NPU_F32);
}

/* out = t / 2 * x: halved first, 2 x of a large x would be infinite */
static void half_product(const struct areas *at, npu_addr t, uint32_t n)
{
	npu_vmuls(t, t, F(0.5f), n, NPU_F32);
	npu_vmul(at->out, t, at->in[0], n, NPU_F32);
}

static void unary(const struct areas *at, uint32_t op, uint32_t n, uint32_t dtype)
{
	static const uint8_t opcodes[] = {
		NPU_VNEG,  NPU_VABS,   NPU_VRELU,  NPU_VEXP,  NPU_VLN,
		NPU_VSQRT, NPU_VRSQRT, NPU_VRECIP, NPU_VTANH, NPU_VERF,
	};
	const npu_addr x = at->in[0], t = at->temp0;

	if (op < sizeof(opcodes)) {
		npu_vec(opcodes[op], at->out, x, 0, n, dtype, 0);
		return;
	}
	switch (op) {
	case NPU_OP_SQUARE:
		npu_vmul(at->out, x, x, n, dtype);
		break;
	case NPU_OP_SIGMOID:
		sigmoid_inverse(t, x, n);
		npu_vrecip(at->out, t, n, NPU_F32);
		break;
	case NPU_OP_SILU:
		sigmoid_inverse(t, x, n);
		npu_vdiv(at->out, x, t, n, NPU_F32);
		break;
	case NPU_OP_GELU:
		normal_twice(t, x, n);
		half_product(at, t, n);
		break;
	case NPU_OP_GELU_TANH:
		gelu_tanh(t, at->temp1, x, n);
		npu_vadds(t, t, F(1), n, NPU_F32);
		half_product(at, t, n);
		break;
	default:
		npu_trap(op);
	}
}

/* t = 1 - t^2 */
static void one_minus_square(npu_addr t, uint32_t n)
{
	npu_vmul(t, t, t, n, NPU_F32);
	linear(t, t, -1, 1, n);
}

/* The derivative at x, in temp0. */
static void derivative(const struct areas *at, uint32_t op, uint32_t n)
{
	const npu_addr x = at->in[0], t = at->temp0, u = at->temp1, v = at->temp2;

	if (op >= NPU_OP_SILU) { /* that and the GELUs: no infinity may meet a 0 */
		npu_vmins(x, x, F(SATURATED), n, NPU_F32);
		npu_vmaxs(x, x, F(-SATURATED), n, NPU_F32);
	}
	switch (op) {
	case NPU_OP_TANH:
		npu_vtanh(t, x, n, NPU_F32);
		one_minus_square(t, n);
		break;
	case NPU_OP_SIGMOID: /* s - s^2 */
		sigmoid_inverse(u, x, n);
		npu_vrecip(u, u, n, NPU_F32);
		npu_vmul(t, u, u, n, NPU_F32);
		npu_vsub(t, u, t, n, NPU_F32);
		break;
	case NPU_OP_SILU: /* s + x (s - s^2) */
		sigmoid_inverse(u, x, n);
		npu_vrecip(u, u, n, NPU_F32);
		npu_vmul(t, u, u, n, NPU_F32);
		npu_vsub(t, u, t, n, NPU_F32);
		npu_vmul(t, t, x, n, NPU_F32);
		npu_vadd(t, t, u, n, NPU_F32);
		break;
	case NPU_OP_GELU: /* (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi) */
		normal_twice(t, x, n);
		npu_vmuls(t, t, F(0.5f), n, NPU_F32);
		npu_vmul(u, x, x, n, NPU_F32);
		npu_vmuls(u, u, F(-0.5f), n, NPU_F32);
		npu_vexp(u, u, n, NPU_F32);
		npu_vmul(u, u, x, n, NPU_F32);
		npu_vmlas(t, u, F(ROOT_2_PI), n, NPU_F32);
		break;
	case NPU_OP_GELU_TANH: /* (1 + t + x (1 - t^2) (TANH_1 + 3 TANH_3 x^2)) / 2 */
		gelu_tanh(u, t, x, n);
		linear(t, t, 3 * TANH_3, TANH_1, n);
		npu_vmul(t, t, x, n, NPU_F32);
		npu_vmov(v, u, n, NPU_F32);
		one_minus_square(v, n);
		npu_vmul(t, t, v, n, NPU_F32);
		npu_vadd(t, t, u, n, NPU_F32);
		linear(t, t, 0.5f, 0.5f, n);
		break;
	default:
		npu_trap(op);
	}
}

static void backward(const struct areas *at, uint32_t op, uint32_t n)
{
	if (op == NPU_OP_RELU) {
		npu_vcmp_gts(at->temp0, at->in[0], F(0), n, NPU_F32);
		npu_vec_mask(at->temp0, 0);
		npu_vselects(at->out, at->in[1], F(0), n, NPU_F32);
		return;
	}
	derivative(at, op, n);
	npu_vmul(at->out, at->in[1], at->temp0, n, NPU_F32);
}

/* Of two inputs, or of one and a scalar. */
static void binary(const struct areas *at, uint32_t op, uint64_t b, uint64_t flags, uint32_t n,
		   uint32_t dtype)
{
	static const uint8_t opcodes[] = {
		NPU_VADD,    NPU_VSUB,	  NPU_VMUL,    NPU_VDIV,    NPU_VMAX,	 NPU_VMIN,
		NPU_VCMP_EQ, NPU_VCMP_NE, NPU_VCMP_LT, NPU_VCMP_LE, NPU_VCMP_GT, NPU_VCMP_GE,
	};
	const int compares = opcodes[op] >= NPU_VCMP_EQ;

	npu_vec(opcodes[op], compares ? at->temp0 : at->out, at->in[0], b, n, dtype, flags);
	if (!compares)
		return;
	npu_vdup(at->out, 1, n, NPU_U8);
	npu_vec_mask(at->temp0, 0);
	npu_vselects(at->out, at->out, 0, n, NPU_U8);
}

static void compute(const struct areas *at, const struct npu_op_elementwise_args *args, uint32_t n)
{
	const uint32_t op = args->op, dtype = args->dtype;

	if (op < NPU_OP_BACKWARD) {
		unary(at, op, n, dtype);
	} else if (op < NPU_OP_BINARY) {
		backward(at, op - NPU_OP_BACKWARD, n);
	} else if (op < NPU_OP_SCALAR) {
		binary(at, op - NPU_OP_BINARY, at->in[1], 0, n, dtype);
	} else if (op < NPU_OP_SELECT) {
		binary(at, op - NPU_OP_SCALAR, args->scalar, NPU_VEC_SCALAR, n, dtype);
	} else if (op == NPU_OP_SELECT) {
		npu_vcmp_nes(at->temp0, at->in[0], 0, n, NPU_U8);
		npu_vec_mask(at->temp0, 0);
		npu_vselect(at->out, at->in[1], at->in[2], n, dtype);
	} else {
		npu_vdup(at->out, args->scalar, n, dtype);
	}
}

/* An input as whole rows of @dtype, in the area where it was loaded or in the other one. */
static npu_addr prepare(npu_addr loaded, npu_addr other, const struct npu_op_operand *in,
			const struct tile *t, uint32_t dtype)
{
	npu_addr at = loaded;

	if (!in->col) {
		walk_expand(other, at, in->dtype, t);
		at = other;
		other = loaded;
	}
	if (in->dtype == dtype)
		return at;
	npu_vcast(other, at, t->elements, in->dtype, dtype, 0);
	return other;
}

/* The first area of a slot takes the result; inputs have those behind it, or all three. */
static npu_addr input_area(npu_addr slot, const struct npu_op_elementwise_args *args, uint32_t i)
{
	return slot + (args->inputs < NPU_OP_INPUTS ? i + 1 : i) * AREA;
}

static uint32_t result_dtype(const struct npu_op_elementwise_args *args)
{
	const uint32_t op = args->op;

	return op >= NPU_OP_BINARY && op < NPU_OP_SELECT && op % 0x20 >= NPU_OP_EQ ? NPU_U8
										   : args->dtype;
}

static void calculate(const struct npu_op_elementwise_args *args, npu_addr slot,
		      const struct tile *t)
{
	const uint32_t result = result_dtype(args);
	struct areas at = {
		.out = args->out.dtype == result ? slot : TEMP + AREA,
		.temp0 = TEMP,
		.temp1 = TEMP + AREA,
		.temp2 = SCRATCH + 2 * AREA,
	};

	for (uint32_t i = 0; i < args->inputs; i++) {
		const int mask = args->op == NPU_OP_SELECT && !i;

		at.in[i] = prepare(input_area(slot, args, i), SCRATCH + i * AREA, &args->in[i], t,
				   mask ? NPU_U8 : args->dtype);
	}
	compute(&at, args, t->elements);
	if (args->out.dtype != result)
		npu_vcast(slot, at.out, t->elements, result, args->out.dtype, 0);
}

/* Returns where the tile is: where it was loaded if nothing has to be done with it. */
static npu_addr copy(const struct npu_op_elementwise_args *args, npu_addr slot,
		     const struct tile *t)
{
	const uint32_t from = args->in[0].dtype, to = args->out.dtype;
	npu_addr at = input_area(slot, args, 0);

	if (!args->in[0].col) {
		walk_expand(from == to ? slot : SCRATCH, at, from, t);
		at = from == to ? slot : SCRATCH;
	}
	if (from == to)
		return at;
	npu_vcast(slot, at, t->elements, from, to, 0);
	return slot;
}

static void clear_gaps(const struct npu_op_elementwise_args *args)
{
	for (uint32_t i = 0; i < args->inputs; i++)
		for (unsigned int slot = 0; slot < UB_SLOTS; slot++)
			walk_clear(input_area(NPU_UB_BASE + slot * SLOT, args, i), &args->in[i],
				   &args->walk);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
}

NPU_KERNEL(op_elementwise, struct npu_op_elementwise_args)
{
	const struct npu_span mine = npu_split(walk_tiles(&args->walk), 1, block, blocks);
	unsigned int slot = 0;

	clear_gaps(args);
	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++, slot = !slot) {
		const npu_addr base = NPU_UB_BASE + slot * SLOT;
		const struct tile t = walk_tile(&args->walk, i);
		npu_addr result = base;

		ub_acquire(slot);
		for (uint32_t j = 0; j < args->inputs; j++)
			walk_load(input_area(base, args, j), &args->in[j], &t);
		ub_loaded(slot);
		if (args->op == NPU_OP_COPY)
			result = copy(args, base, &t);
		else
			calculate(args, base, &t);
		ub_computed(slot);
		walk_store(result, &args->out, &t);
		ub_release(slot);
	}
	ub_end();
}

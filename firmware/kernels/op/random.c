/* SPDX-License-Identifier: MIT */
/* Random numbers, and dropout by them: a group of Philox's words at a time. */
#include "npu_kernel.h"
#include "npu_op_random.h"
#include "philox_vector.h"
#include "ub_ring.h"

#define SLOT (PHILOX_GROUP * 4)
#define PHILOX (NPU_UB_BASE + UB_SLOTS * SLOT)
_Static_assert(UB_SLOTS * SLOT + 3 * PHILOX_AREA + PHILOX_CONSTANTS <= NPU_UB_SIZE, "UB overflows");

#define F(value) npu_f32_bits(value)

/* to = the upper 24 bits of words, as floats from 0 */
static void upper_bits(npu_addr to, npu_addr words, uint32_t n)
{
	npu_vshrs(to, words, 8, n, NPU_S32);
	npu_vands(to, to, 0xffffff, n, NPU_S32);
	npu_vcast(to, to, n, NPU_S32, NPU_F32, 0);
}

/* to = to * factor + term, in two roundings */
static void linear(npu_addr to, float factor, float term, uint32_t n)
{
	npu_vmuls(to, to, F(factor), n, NPU_F32);
	npu_vadds(to, to, F(term), n, NPU_F32);
}

static void uniform(const struct philox_vector *v, const struct npu_op_random_args *args,
		    uint32_t n)
{
	upper_bits(v->state, v->state, n);
	npu_vmuls(v->state, v->state, F(0x1p-24f), n, NPU_F32);
	linear(v->state, args->scale, args->offset, n);
	npu_vmins(v->state, v->state, F(args->most), n, NPU_F32);
}

/* sine = sin(t), cosine = cos(t) for |t| <= pi / 4; square is t^2 */
static void sine_cosine(npu_addr sine, npu_addr cosine, npu_addr square, npu_addr t, uint32_t n)
{
	npu_vmul(square, t, t, n, NPU_F32);
	npu_vmuls(sine, square, F(-0x1.99403ep-13f), n, NPU_F32);
	npu_vadds(sine, sine, F(0x1.11073ap-7f), n, NPU_F32);
	npu_vmul(sine, sine, square, n, NPU_F32);
	npu_vadds(sine, sine, F(-0x1.555546p-3f), n, NPU_F32);
	npu_vmul(sine, sine, square, n, NPU_F32);
	npu_vmul(sine, sine, t, n, NPU_F32);
	npu_vadd(sine, sine, t, n, NPU_F32);
	npu_vmuls(cosine, square, F(0x1.99eb9cp-16f), n, NPU_F32);
	npu_vadds(cosine, cosine, F(-0x1.6c0c2cp-10f), n, NPU_F32);
	npu_vmul(cosine, cosine, square, n, NPU_F32);
	npu_vadds(cosine, cosine, F(0x1.55554ap-5f), n, NPU_F32);
	npu_vmul(cosine, cosine, square, n, NPU_F32);
	npu_vadds(cosine, cosine, F(-0.5f), n, NPU_F32);
	npu_vmul(cosine, cosine, square, n, NPU_F32);
	npu_vadds(cosine, cosine, F(1), n, NPU_F32);
}

/*
 * Box and Muller: of each pair of words the first gives the radius sqrt(-2 ln u), u in (0, 1],
 * the second the angle: 30 bits one from -pi / 4 to pi / 4, a bit whether sine and cosine change
 * places, and a bit the sign of both. Pairs are in two rows.
 */
static void normal_pairs(const struct philox_vector *v, uint32_t n)
{
	const npu_addr radius = v->state, word = v->state + PHILOX_ROW;
	const npu_addr angle = v->xl, square = v->xh, sine = v->p, cosine = v->q;

	npu_vec_rows(2, PHILOX_PITCH, PHILOX_PITCH, PHILOX_PITCH);
	npu_vshls(angle, word, 2, n, NPU_S32);
	npu_vcast(angle, angle, n, NPU_S32, NPU_F32, 0);
	npu_vmuls(angle, angle, F(0x1.921fb6p-32f), n, NPU_F32);
	sine_cosine(sine, cosine, square, angle, n);

	upper_bits(radius, radius, n);
	npu_vadds(radius, radius, F(1), n, NPU_F32);
	npu_vmuls(radius, radius, F(0x1p-24f), n, NPU_F32);
	npu_vln(radius, radius, n, NPU_F32);
	npu_vmuls(radius, radius, F(-2), n, NPU_F32);
	npu_vabs(radius, radius, n, NPU_F32); /* no -0 */
	npu_vsqrt(radius, radius, n, NPU_F32);
	npu_vands(angle, word, 0x80000000, n, NPU_S32);
	npu_vxor(radius, radius, angle, n, NPU_S32);

	npu_vshls(angle, word, 1, n, NPU_S32);
	npu_vcmp_lts(square, angle, 0, n, NPU_S32);
	npu_vec_mask(square, PHILOX_PITCH);
	npu_vselect(angle, cosine, sine, n, NPU_F32);
	npu_vmul(word, radius, angle, n, NPU_F32);
	npu_vselect(angle, sine, cosine, n, NPU_F32);
	npu_vmul(radius, radius, angle, n, NPU_F32);
	npu_vec_one_row();
}

static void dropout(const struct philox_vector *v, const struct npu_op_random_args *args,
		    npu_addr x, uint32_t n)
{
	npu_vcmp_ges(v->p, v->state, args->threshold, n, NPU_S32);
	npu_vec_mask(v->p, 0);
	if (args->x_dtype != NPU_F32) {
		npu_vcast(v->xl, x, n, args->x_dtype, NPU_F32, 0);
		x = v->xl;
	}
	npu_vmuls(v->state, x, F(args->scale), n, NPU_F32);
	npu_vselects(v->state, v->state, F(0), n, NPU_F32);
}

/* The results of a group, in the slot, where dropout finds its operand. */
static void work(const struct philox_vector *v, const struct npu_op_random_args *args,
		 npu_addr slot, uint32_t n)
{
	switch (args->mode) {
	case NPU_OP_UNIFORM:
		uniform(v, args, n);
		break;
	case NPU_OP_NORMAL:
		normal_pairs(v, npu_min(n, PHILOX_LANES));
		linear(v->state, args->scale, args->offset, n);
		break;
	case NPU_OP_DROPOUT:
		dropout(v, args, slot, n);
		break;
	default:
		npu_trap(args->mode);
	}
	npu_vcast(slot, v->state, n, NPU_F32, args->out_dtype, 0);
}

NPU_ARGS(op_random, struct npu_op_random_args, out(out), in(x), value(count), value(seed),
	 value(counter), in(control), value(mode), value(out_dtype), value(x_dtype),
	 value(threshold), value(scale), value(offset), value(most), value(rsvd));

NPU_KERNEL(op_random, struct npu_op_random_args)
{
	const uint32_t out_bytes = npu_dtype_bytes(args->out_dtype);
	const uint32_t x_bytes = npu_dtype_bytes(args->x_dtype);
	const uint64_t counter =
		args->counter + (args->control ? (int64_t)npu_load_s32(args->control) : 0);
	const struct npu_span mine = npu_split(args->count, PHILOX_GROUP, block, blocks);
	const struct philox_vector v = philox_prepare(PHILOX);
	unsigned int slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i += PHILOX_GROUP, slot = !slot) {
		const uint32_t n = npu_min(PHILOX_GROUP, mine.end - i);
		const npu_addr at = NPU_UB_BASE + slot * SLOT;

		ub_acquire(slot);
		if (args->mode == NPU_OP_DROPOUT)
			npu_copy(at, args->x + i * x_bytes, n * x_bytes);
		ub_loaded(slot);
		philox_group(&v, args->seed, counter, i / PHILOX_GROUP, npu_min(n, PHILOX_LANES));
		work(&v, args, at, n);
		ub_computed(slot);
		npu_copy(args->out + i * out_bytes, at, n * out_bytes);
		ub_release(slot);
	}
	ub_end();
}

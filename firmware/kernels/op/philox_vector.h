/* SPDX-License-Identifier: MIT */
/*
 * Philox on the vector engine, a group of numbers at a time; philox.h says what they are.
 *
 * The engine's product of two S32 is its low half. The high half of x * m comes of 16-bit
 * pieces, in unsigned numbers none of which overflows 32 bits:
 *
 *	p = xh * ml + (xl * ml >> 16)
 *	q = xl * mh + (p & 0xffff)
 *	high = xh * mh + (p >> 16) + (q >> 16)
 *
 * Words 0 and 2 of the state are multiplied, in two rows of one instruction.
 */
#ifndef OP_PHILOX_VECTOR_H
#define OP_PHILOX_VECTOR_H

#include "npu_kernel.h"
#include "philox.h"

/* Rows of LANES words; four of state, in order, and as many each for two pairs of temporaries. */
#define PHILOX_ROW (PHILOX_LANES * 4)
#define PHILOX_PITCH (2 * PHILOX_ROW)
#define PHILOX_AREA (4 * PHILOX_ROW)
#define PHILOX_CONSTANTS (4 * NPU_TILE_ALIGN)

/* Places in UB; state holds the words in the end. */
struct philox_vector {
	npu_addr state, xl, xh, p, q;
	npu_addr ml, mh; /* halves of the two constants, an element a row */
};

/* philox_prepare() - @base: 3 PHILOX_AREA, the first of which is the state, and CONSTANTS. */
static inline struct philox_vector philox_prepare(npu_addr base)
{
	const npu_addr constants = base + 3 * PHILOX_AREA;
	const struct philox_vector v = {
		.state = base,
		.xl = base + PHILOX_AREA,
		.xh = base + PHILOX_AREA + PHILOX_ROW,
		.p = base + 2 * PHILOX_AREA,
		.q = base + 2 * PHILOX_AREA + PHILOX_ROW,
		.ml = constants,
		.mh = constants + 2 * NPU_TILE_ALIGN,
	};

	npu_store_s32(v.ml, PHILOX_M0 & 0xffff);
	npu_store_s32(v.ml + NPU_TILE_ALIGN, PHILOX_M1 & 0xffff);
	npu_store_s32(v.mh, PHILOX_M0 >> 16);
	npu_store_s32(v.mh + NPU_TILE_ALIGN, PHILOX_M1 >> 16);
	npu_set_flag(NPU_PIPE_S, NPU_PIPE_V, 0);
	npu_wait_flag(NPU_PIPE_S, NPU_PIPE_V, 0);
	return v;
}

static inline void philox_upper_half(npu_addr to, npu_addr from, uint32_t n)
{
	npu_vshrs(to, from, 16, n, NPU_S32);
	npu_vands(to, to, 0xffff, n, NPU_S32);
}

/* The high halves of the products, in p. */
static inline void philox_high(const struct philox_vector *v, uint32_t n)
{
	npu_vec_rows(2, PHILOX_PITCH, PHILOX_PITCH, NPU_TILE_ALIGN);
	npu_vands(v->xl, v->state, 0xffff, n, NPU_S32);
	philox_upper_half(v->xh, v->state, n);
	npu_vmulr(v->p, v->xl, v->ml, n, NPU_S32);
	philox_upper_half(v->p, v->p, n);
	npu_vmlar(v->p, v->xh, v->ml, n, NPU_S32);
	npu_vands(v->q, v->p, 0xffff, n, NPU_S32);
	npu_vmlar(v->q, v->xl, v->mh, n, NPU_S32);
	philox_upper_half(v->p, v->p, n);
	philox_upper_half(v->q, v->q, n);
	npu_vmlas(v->p, v->q, 1, n, NPU_S32);
	npu_vmlar(v->p, v->xh, v->mh, n, NPU_S32);
	npu_vec_one_row();
}

static inline void philox_round(const struct philox_vector *v, uint32_t k0, uint32_t k1, uint32_t n)
{
	const npu_addr c0 = v->state, c1 = c0 + PHILOX_ROW, c2 = c1 + PHILOX_ROW,
		       c3 = c2 + PHILOX_ROW;
	const npu_addr high0 = v->p, high1 = v->p + PHILOX_PITCH;

	philox_high(v, n);
	npu_vxor(high1, high1, c1, n, NPU_S32);
	npu_vxor(high0, high0, c3, n, NPU_S32);
	npu_vmuls(c1, c2, PHILOX_M1, n, NPU_S32);
	npu_vmuls(c3, c0, PHILOX_M0, n, NPU_S32);
	npu_vxors(c0, high1, k0, n, NPU_S32);
	npu_vxors(c2, high0, k1, n, NPU_S32);
}

/* philox_group() - the numbers of group @group, in the state; of @n lanes only, if less do. */
static inline void philox_group(const struct philox_vector *v, uint64_t seed, uint64_t high,
				uint64_t group, uint32_t n)
{
	const uint64_t low = group * PHILOX_LANES;
	uint32_t k0 = seed, k1 = seed >> 32;

	npu_vindex(v->state, low, n, NPU_S32);
	npu_vdup(v->state + PHILOX_ROW, low >> 32, n, NPU_S32);
	npu_vdup(v->state + 2 * PHILOX_ROW, high, n, NPU_S32);
	npu_vdup(v->state + 3 * PHILOX_ROW, high >> 32, n, NPU_S32);
	for (int i = 0; i < PHILOX_ROUNDS; i++, k0 += PHILOX_W0, k1 += PHILOX_W1)
		philox_round(v, k0, k1, n);
}

#endif /* OP_PHILOX_VECTOR_H */

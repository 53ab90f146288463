/* SPDX-License-Identifier: MIT */
/*
 * C = A B, a tile of C at a time, its sum in L0C. Chunks of A and B come through two slots of L1
 * and two of L0A and L0B, so that MTE2 loads the chunk after next, MTE1 the next one, and the cube
 * multiplies. Two slots of L0C let the fixpipe store a tile while the next one is summed.
 */
#include "npu_ring.h"
#include "npu_typed.h"
#include "examples.h"

#define TILE 128 /* rows and columns of a tile, and k of a chunk */
#define AREA (TILE * TILE)

_Static_assert(2 * AREA * 2 <= NPU_L0A_SIZE && 2 * AREA * 2 <= NPU_L0B_SIZE, "L0 overflows");
_Static_assert(2 * AREA * 4 <= NPU_L0C_SIZE, "L0C overflows");

static const struct npu_ring l1_ring = NPU_RING_L1(0, 2);
static const struct npu_ring l0_ring = NPU_RING_L0(0, 2);
static const struct npu_ring l0c_ring = NPU_RING_L0C(0, 2);

/* The slots that come next. */
struct slots {
	unsigned int l1, l0, l0c;
};

/* One tile of C: where it begins, and its size. */
struct tile {
	uint32_t row, col, rows, cols;
};

static const npu_l1_f16 l1 = { NPU_L1_BASE };
static const npu_l0a_f16 l0a = { NPU_L0A_BASE };
static const npu_l0b_f16 l0b = { NPU_L0B_BASE };
static const npu_l0c_f32 l0c = { NPU_L0C_BASE };

/* Chunk @at of A's rows and of B's columns, @depth deep, to a slot of L1. */
static void load(const struct matmul_args *args, const struct tile *t, uint32_t at, uint32_t depth,
		 unsigned int slot)
{
	const npu_gm_f16 a = { args->a }, b = { args->b };
	const npu_l1_f16 to_a = npu_at(l1, 2 * slot * AREA), to_b = npu_at(to_a, AREA);

	npu_ring_acquire(&l1_ring, slot);
	npu_tload_2d(to_a, npu_at(a, (uint64_t)t->row * args->k + at), t->rows, depth, TILE,
		     args->k);
	npu_tload_2d(to_b, npu_at(b, (uint64_t)at * args->n + t->col), depth, t->cols, TILE,
		     args->n);
	npu_ring_filled(&l1_ring, slot);
}

/* From a slot of L1 through one of L0 into the sum. */
static void multiply(const struct tile *t, uint32_t depth, const struct slots *s, int first)
{
	const npu_l1_f16 from_a = npu_at(l1, 2 * s->l1 * AREA), from_b = npu_at(from_a, AREA);
	const npu_l0a_f16 a = npu_at(l0a, s->l0 * AREA);
	const npu_l0b_f16 b = npu_at(l0b, s->l0 * AREA);

	npu_ring_acquire(&l0_ring, s->l0);
	npu_tload0(a, from_a, t->rows, depth, TILE);
	npu_tload0(b, from_b, depth, t->cols, TILE);
	npu_ring_release(&l1_ring, s->l1);
	npu_ring_filled(&l0_ring, s->l0);
	npu_tmmad(npu_at(l0c, s->l0c * AREA), a, b, t->rows, t->cols, depth, first);
	npu_ring_release(&l0_ring, s->l0);
}

static void compute(const struct matmul_args *args, const struct tile *t, struct slots *s)
{
	const npu_gm_f32 c = { args->c };

	npu_ring_acquire(&l0c_ring, s->l0c);
	for (uint32_t at = 0; at < args->k; at += TILE) {
		const uint32_t depth = npu_min(TILE, args->k - at);

		load(args, t, at, depth, s->l1);
		multiply(t, depth, s, at == 0);
		s->l1 = npu_ring_next(&l1_ring, s->l1);
		s->l0 = npu_ring_next(&l0_ring, s->l0);
	}
	npu_ring_filled(&l0c_ring, s->l0c);
	npu_tfixpipe(npu_at(c, (uint64_t)t->row * args->n + t->col), npu_at(l0c, s->l0c * AREA),
		     t->rows, t->cols, args->n, 0);
	npu_ring_release(&l0c_ring, s->l0c);
	s->l0c = npu_ring_next(&l0c_ring, s->l0c);
}

NPU_ARGS(matmul, struct matmul_args, in(a), in(b), out(c), value(m), value(n), value(k),
	 value(rsvd));

NPU_KERNEL(matmul, struct matmul_args)
{
	const uint32_t across = npu_ceil_div(args->n, TILE);
	const uint64_t tiles = npu_ceil_div(args->m, TILE) * across;
	const struct npu_span mine = npu_split(tiles, 1, block, blocks);
	struct slots slots = { 0 };

	npu_assert(args->k > 0);
	npu_ring_begin(&l1_ring);
	npu_ring_begin(&l0_ring);
	npu_ring_begin(&l0c_ring);
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const uint32_t row = i / across * TILE, col = i % across * TILE;
		const struct tile tile = { row, col, npu_min(TILE, args->m - row),
					   npu_min(TILE, args->n - col) };

		compute(args, &tile, &slots);
	}
	npu_ring_end(&l0c_ring);
	npu_ring_end(&l0_ring);
	npu_ring_end(&l1_ring);
}

/* SPDX-License-Identifier: MIT */
/*
 * out = softmax(scale * Q K^T) V of one head, without the matrix of scores in memory. A block
 * takes ROWS queries at a time and goes over the keys in tiles of KEYS:
 *
 *	S = Q K^T			cube
 *	new_max = max(old_max, max(S))	vector engine, for each row
 *	P = exp(S - new_max)
 *	shrink = exp(old_max - new_max)
 *	sum = sum * shrink + sum(P)
 *	out = out * shrink + P V	cube and vector engine
 *
 * and divides out by sum at the end. Everything that one pipe hands to another is a ring, most of
 * a single slot; K and V have two, so that the next tile loads meanwhile.
 */
#include "npu_ring.h"
#include "npu_typed.h"
#include "examples.h"

#define ROWS 64
#define KEYS 128
#define WIDTH FLASH_ATTENTION_WIDTH
#define STAT (NPU_TILE_ALIGN / 4) /* stride of what there is one of for each row */

/* Flags are numbered by the pipes between which they are. */
static const struct npu_ring q_in = NPU_RING_L1(0, 1), kv_in = NPU_RING_L1(1, 2);
static const struct npu_ring q_k = NPU_RING_L0(0, 1), p_v = NPU_RING_L0(1, 1);
static const struct npu_ring s_sum = NPU_RING_L0C(0, 1), o_sum = NPU_RING_L0C(1, 1);
static const struct npu_ring s_ub = { NPU_PIPE_FIX, NPU_PIPE_V, NPU_PIPE_V, 0, 1 };
static const struct npu_ring o_ub = { NPU_PIPE_FIX, NPU_PIPE_V, NPU_PIPE_V, 1, 1 };
static const struct npu_ring p_ub = { NPU_PIPE_V, NPU_PIPE_MTE3, NPU_PIPE_MTE3, 0, 1 };
static const struct npu_ring p_l1 = { NPU_PIPE_MTE3, NPU_PIPE_MTE1, NPU_PIPE_MTE1, 0, 1 };
static const struct npu_ring out_ub = { NPU_PIPE_V, NPU_PIPE_MTE3, NPU_PIPE_MTE3, 1, 1 };

/* L1: Q, P and two slots of K and V. */
static const npu_l1_f16 q_tile = { NPU_L1_BASE };
static const npu_l1_f16 p_tile = { NPU_L1_BASE + ROWS * WIDTH * 2 };
static const npu_l1_f16 kv_tiles = { NPU_L1_BASE + ROWS * (WIDTH + KEYS) * 2 };

/* L0: Q and P; K transposed and V; S and P V. */
static const npu_l0a_f16 l0_q = { NPU_L0A_BASE };
static const npu_l0a_f16 l0_p = { NPU_L0A_BASE + ROWS * WIDTH * 2 };
static const npu_l0b_f16 l0_k = { NPU_L0B_BASE };
static const npu_l0b_f16 l0_v = { NPU_L0B_BASE + KEYS * WIDTH * 2 };
static const npu_l0c_f32 l0_s = { NPU_L0C_BASE };
static const npu_l0c_f32 l0_o = { NPU_L0C_BASE + ROWS * KEYS * 4 };

/* UB. */
struct areas {
	npu_ub_f32 s, part, out; /* S and then P; P V; what is to be out */
	npu_ub_f16 p;
	npu_ub_f32 max, new_max, sum, shrink; /* one of each row */
};

_Static_assert(ROWS *KEYS * 4 + 2 * ROWS * WIDTH * 4 + ROWS * KEYS * 2 + 4 * ROWS * STAT * 4 <=
		       NPU_UB_SIZE,
	       "UB overflows");

static struct areas lay_out(void)
{
	struct areas a = { .s = { NPU_UB_BASE } };

	a.part = (npu_ub_f32)NPU_AFTER(a.s, ROWS * KEYS);
	a.out = (npu_ub_f32)NPU_AFTER(a.part, ROWS * WIDTH);
	a.p = (npu_ub_f16)NPU_AFTER(a.out, ROWS * WIDTH);
	a.max = (npu_ub_f32)NPU_AFTER(a.p, ROWS * KEYS);
	a.new_max = (npu_ub_f32)NPU_AFTER(a.max, ROWS * STAT);
	a.sum = (npu_ub_f32)NPU_AFTER(a.new_max, ROWS * STAT);
	a.shrink = (npu_ub_f32)NPU_AFTER(a.sum, ROWS * STAT);
	return a;
}

/* A tile of keys, in a slot of L1. */
struct keys {
	uint32_t first, count;
	unsigned int slot;
};

/* Vector operations on one number of each row, and on rows with such a number. */
static void on_stats(uint32_t rows)
{
	npu_vec_rows(rows, STAT * 4, STAT * 4, STAT * 4);
}

static void on_rows(uint32_t rows, uint32_t stride)
{
	npu_vec_rows(rows, stride * 4, stride * 4, STAT * 4);
}

static void load_queries(const struct flash_attention_args *args, uint64_t first, uint32_t rows)
{
	const npu_gm_f16 q = { args->q };

	npu_ring_acquire(&q_in, 0);
	npu_tload_2d(q_tile, npu_at(q, first * args->width), rows, args->width, WIDTH, args->width);
	npu_ring_filled(&q_in, 0);
}

static void load_keys(const struct flash_attention_args *args, const struct keys *keys)
{
	const npu_gm_f16 k = { args->k }, v = { args->v };
	const npu_l1_f16 to = npu_at(kv_tiles, keys->slot * 2 * KEYS * WIDTH);
	const uint64_t at = (uint64_t)keys->first * args->width;

	npu_ring_acquire(&kv_in, keys->slot);
	npu_tload_2d(to, npu_at(k, at), keys->count, args->width, WIDTH, args->width);
	npu_tload_2d(npu_at(to, KEYS * WIDTH), npu_at(v, at), keys->count, args->width, WIDTH,
		     args->width);
	npu_ring_filled(&kv_in, keys->slot);
}

/* S = Q K^T, to UB. */
static void scores(const struct areas *a, const struct keys *keys, uint32_t rows, uint32_t width)
{
	const npu_l1_f16 k = npu_at(kv_tiles, keys->slot * 2 * KEYS * WIDTH);

	npu_ring_acquire(&q_k, 0);
	npu_tload0(l0_q, q_tile, rows, width, WIDTH);
	npu_tload0_transposed(l0_k, k, keys->count, width, WIDTH);
	npu_ring_filled(&q_k, 0);
	npu_ring_acquire(&s_sum, 0);
	npu_tmmad(l0_s, l0_q, l0_k, rows, keys->count, width, 1);
	npu_ring_release(&q_k, 0);
	npu_ring_filled(&s_sum, 0);
	npu_ring_acquire(&s_ub, 0);
	npu_tfixpipe(a->s, l0_s, rows, keys->count, KEYS, 0);
	npu_ring_release(&s_sum, 0);
	npu_ring_filled(&s_ub, 0);
}

/* P from S, and what the sums so far are to be shrunk by. */
static void soften(const struct areas *a, const struct keys *keys, uint32_t rows, float scale)
{
	on_rows(rows, KEYS);
	npu_tvmuls(a->s, a->s, scale, keys->count);
	npu_vec_rows(rows, STAT * 4, KEYS * 4, 0);
	npu_tvredmax(a->new_max, a->s, keys->count);
	on_stats(rows);
	npu_tvmax(a->new_max, a->new_max, a->max, 1);
	npu_tvsub(a->shrink, a->max, a->new_max, 1);
	npu_tvexp(a->shrink, a->shrink, 1);
	npu_tvmov(a->max, a->new_max, 1);
	on_rows(rows, KEYS);
	npu_tvsubr(a->s, a->s, a->max, keys->count);
	npu_tvexp(a->s, a->s, keys->count);
	npu_vec_rows(rows, STAT * 4, KEYS * 4, 0);
	npu_tvsum(a->new_max, a->s, keys->count);
	on_stats(rows);
	npu_tvmul(a->sum, a->sum, a->shrink, 1);
	npu_tvadd(a->sum, a->sum, a->new_max, 1);
}

/* P in fp16, by way of L1, as an operand of the cube. */
static void hand_over(const struct areas *a, const struct keys *keys, uint32_t rows)
{
	npu_ring_acquire(&p_ub, 0);
	npu_vec_rows(rows, KEYS * 2, KEYS * 4, 0);
	npu_tvcast(a->p, a->s, keys->count, 0);
	npu_ring_release(&s_ub, 0);
	npu_ring_filled(&p_ub, 0);
	npu_ring_acquire(&p_l1, 0);
	npu_tmove_2d(p_tile, a->p, rows, keys->count, KEYS, KEYS);
	npu_ring_release(&p_ub, 0);
	npu_ring_filled(&p_l1, 0);
}

/* out = out * shrink + P V */
static void add_values(const struct areas *a, const struct keys *keys, uint32_t rows,
		       uint32_t width)
{
	const npu_l1_f16 k = npu_at(kv_tiles, keys->slot * 2 * KEYS * WIDTH);

	npu_ring_acquire(&p_v, 0);
	npu_tload0(l0_p, p_tile, rows, keys->count, KEYS);
	npu_ring_release(&p_l1, 0);
	npu_tload0(l0_v, npu_at(k, KEYS * WIDTH), keys->count, width, WIDTH);
	npu_ring_release(&kv_in, keys->slot);
	npu_ring_filled(&p_v, 0);
	npu_ring_acquire(&o_sum, 0);
	npu_tmmad(l0_o, l0_p, l0_v, rows, width, keys->count, 1);
	npu_ring_release(&p_v, 0);
	npu_ring_filled(&o_sum, 0);
	npu_ring_acquire(&o_ub, 0);
	npu_tfixpipe(a->part, l0_o, rows, width, WIDTH, 0);
	npu_ring_release(&o_sum, 0);
	npu_ring_filled(&o_ub, 0);
	on_rows(rows, WIDTH);
	npu_tvmulr(a->out, a->out, a->shrink, width);
	npu_vec_rows(rows, WIDTH * 4, WIDTH * 4, WIDTH * 4);
	npu_tvadd(a->out, a->out, a->part, width);
	npu_ring_release(&o_ub, 0);
}

/* A tile of queries: over all keys, in slots of L1 that go on with @slot. */
static unsigned int attend(const struct flash_attention_args *args, const struct areas *a,
			   uint64_t first, uint32_t rows, unsigned int slot)
{
	const npu_gm_f32 out = { args->out };
	const uint32_t width = args->width;

	load_queries(args, first, rows);
	npu_ring_acquire(&out_ub, 0);
	on_stats(rows);
	npu_tvdup(a->max, -__builtin_inff(), 1);
	npu_tvdup(a->sum, 0, 1);
	on_rows(rows, WIDTH);
	npu_tvdup(a->out, 0, width);
	for (uint32_t at = 0; at < args->keys; at += KEYS) {
		const struct keys keys = { at, npu_min(KEYS, args->keys - at), slot };

		load_keys(args, &keys);
		scores(a, &keys, rows, width);
		soften(a, &keys, rows, args->scale);
		hand_over(a, &keys, rows);
		add_values(a, &keys, rows, width);
		slot = npu_ring_next(&kv_in, slot);
	}
	npu_ring_release(&q_in, 0);
	on_rows(rows, WIDTH);
	npu_tvdivr(a->out, a->out, a->sum, width);
	npu_ring_filled(&out_ub, 0);
	npu_tstore_2d(npu_at(out, first * width), a->out, rows, width, width, WIDTH);
	npu_ring_release(&out_ub, 0);
	return slot;
}

/* All rings; a table of them would have to be relocated. */
#define EACH_RING(f)                                                                               \
	f(&q_in), f(&kv_in), f(&q_k), f(&p_v), f(&s_sum), f(&o_sum), f(&s_ub), f(&o_ub), f(&p_ub), \
		f(&p_l1), f(&out_ub)

NPU_ARGS(flash_attention, struct flash_attention_args, in(q), in(k), in(v), out(out),
	 value(queries), value(keys), value(width), value(scale));

NPU_KERNEL(flash_attention, struct flash_attention_args)
{
	const struct npu_span mine = npu_split(args->queries, ROWS, block, blocks);
	const struct areas areas = lay_out();
	unsigned int slot = 0;

	npu_assert(args->keys > 0);
	npu_assert(args->width > 0 && args->width <= WIDTH);
	EACH_RING(npu_ring_begin);
	for (uint64_t at = mine.begin; at < mine.end; at += ROWS)
		slot = attend(args, &areas, at, npu_min(ROWS, mine.end - at), slot);
	EACH_RING(npu_ring_end);
}

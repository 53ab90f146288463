/* SPDX-License-Identifier: MIT */
/*
 * C = A * B, tile by tile.
 *
 * A block owns a run of output tiles, in rows of tiles. A tile's product is summed in
 * L0C over chunks of k that come through L1 in two buffers. From there a chunk goes to
 * L0A, in two halves, and to L0B, which it fills: a long step of the cube is worth more
 * than a second buffer for B. A's chunks of a row of tiles stay in L1 as far as there is
 * room, so that the tiles to the right find them there.
 */
#include "npu_kernel.h"
#include "npu_kernels.h"

#define TILE_M NPU_GEMM_TILE_M
#define TILE_N NPU_GEMM_TILE_N

/* Bytes of k in a chunk, which is a step of the cube: 128 fp16 elements, 64 of fp32. */
#define CHUNK_BYTES 256

#define A_CHUNK (TILE_M * CHUNK_BYTES)
#define B_CHUNK (TILE_N * CHUNK_BYTES)
#define B_SLOTS 2
#define A_SLOTS ((NPU_L1_SIZE - B_SLOTS * B_CHUNK) / A_CHUNK)
#define A_STREAM (A_SLOTS - 2) /* the two slots for chunks that do not stay */

_Static_assert(2 * A_CHUNK <= NPU_L0A_SIZE && B_CHUNK <= NPU_L0B_SIZE, "L0 overflows");
_Static_assert(TILE_M * TILE_N * 4 <= NPU_L0C_SIZE, "L0C overflows");

/* Flags between MTE2 and MTE1 are numbered by L1 slot: those of A, then those of B. */
#define FLAG_B A_SLOTS
_Static_assert(FLAG_B + B_SLOTS <= 16, "out of flags");

/* Flags between MTE1 and the cube: a half of L0A, then L0B. */
#define FLAG_L0B 2

/* One operand: where it is and how a chunk of it is stored. */
struct operand {
	npu_addr base;
	uint64_t pitch; /* bytes from row to row in memory */
	uint32_t k_rows; /* a stored row for each k, else for each m or n */
};

struct gemm {
	struct operand a, b;
	npu_addr c;
	uint64_t c_pitch;
	uint32_t m, n, k;
	uint32_t in, out, sum; /* dtypes; sum is that of L0C */
	uint32_t shift; /* log2 of the bytes of an input element */
	uint32_t out_bytes;
	uint32_t fix_flags;
	float scale;
	uint32_t half; /* of L0A, that the next chunk takes */
};

/* A tile of C, and whether the block has A's chunks of its row already and needs them again. */
struct tile {
	uint32_t m0, n0, mt, nt;
	int first, last;
};

/* The part of a tile's k that is in L1. */
struct chunk {
	npu_addr a, b;
	uint32_t k0, kt;
};

static uint32_t chunk_pitch(const struct operand *op, uint32_t tile, uint32_t shift)
{
	return op->k_rows ? tile << shift : CHUNK_BYTES;
}

/* Bring rows x cols = extent x kt (or the other way round) of an operand to L1. */
static void load_chunk(npu_addr dst, const struct operand *op, uint32_t at, uint32_t extent,
		       uint32_t k0, uint32_t kt, uint32_t tile, uint32_t shift)
{
	const uint32_t row = op->k_rows ? k0 : at, col = op->k_rows ? at : k0;
	const uint32_t rows = op->k_rows ? kt : extent, cols = op->k_rows ? extent : kt;

	npu_copy_2d(dst, op->base + row * op->pitch + ((uint64_t)col << shift), cols << shift,
		    rows, chunk_pitch(op, tile, shift), op->pitch);
}

static void load_a(const struct gemm *g, const struct tile *t, const struct chunk *c,
		   uint32_t slot)
{
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	load_chunk(c->a, &g->a, t->m0, t->mt, c->k0, c->kt, TILE_M, g->shift);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
}

static void load_b(const struct gemm *g, const struct tile *t, const struct chunk *c,
		   uint32_t slot)
{
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, FLAG_B + slot);
	load_chunk(c->b, &g->b, t->n0, t->nt, c->k0, c->kt, TILE_N, g->shift);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, FLAG_B + slot);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, FLAG_B + slot);
}

/* L0A takes rows of m, L0B rows of k: what is stored the other way is transposed. */
static void load_l0a(const struct gemm *g, const struct tile *t, const struct chunk *c,
		     npu_addr l0a)
{
	const uint32_t pitch = chunk_pitch(&g->a, TILE_M, g->shift);
	const uint32_t l0_pitch = npu_align(c->kt << g->shift);

	if (g->a.k_rows)
		npu_load0(l0a, c->a, c->kt, t->mt, l0_pitch, pitch, g->in, 1);
	else
		npu_load0(l0a, c->a, t->mt, c->kt, l0_pitch, pitch, g->in, 0);
}

static void load_l0b(const struct gemm *g, const struct tile *t, const struct chunk *c)
{
	const uint32_t pitch = chunk_pitch(&g->b, TILE_N, g->shift);
	const uint32_t l0_pitch = npu_align(t->nt << g->shift);

	if (g->b.k_rows)
		npu_load0(NPU_L0B_BASE, c->b, c->kt, t->nt, l0_pitch, pitch, g->in, 0);
	else
		npu_load0(NPU_L0B_BASE, c->b, t->nt, c->kt, l0_pitch, pitch, g->in, 1);
}

/* Add the product of a chunk to the tile in L0C. */
static void multiply_chunk(struct gemm *g, const struct tile *t, const struct chunk *c)
{
	const uint32_t half = g->half;
	const npu_addr l0a = NPU_L0A_BASE + half * A_CHUNK;

	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	load_l0a(g, t, c, l0a);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_L0B);
	load_l0b(g, t, c);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_mmad(NPU_L0C_BASE, l0a, NPU_L0B_BASE, t->mt, t->nt, c->kt, g->in, c->k0 == 0);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_L0B);
	g->half = !half;
}

static void store_tile(const struct gemm *g, const struct tile *t)
{
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_FIX, 0);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_FIX, 0);
	npu_fixpipe(g->c + t->m0 * g->c_pitch + (uint64_t)t->n0 * g->out_bytes, NPU_L0C_BASE,
		    t->mt, t->nt, g->c_pitch, g->sum, g->out, g->fix_flags, g->scale);
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, 0);
}

static void compute_tile(struct gemm *g, const struct tile *t)
{
	const uint32_t step = CHUNK_BYTES >> g->shift;
	uint32_t i = 0;

	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, 0);
	if (!g->k)
		npu_mmad(NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE, t->mt, t->nt, 0, g->in, 1);
	for (uint32_t k0 = 0; k0 < g->k; k0 += step, i++) {
		const int stays = i < A_STREAM;
		const uint32_t a_slot = stays ? i : A_STREAM + (i & 1), b_slot = i & 1;
		const struct chunk c = {
			.a = NPU_L1_BASE + a_slot * A_CHUNK,
			.b = NPU_L1_BASE + A_SLOTS * A_CHUNK + b_slot * B_CHUNK,
			.k0 = k0,
			.kt = npu_min(step, g->k - k0),
		};

		if (!stays || t->first)
			load_a(g, t, &c, a_slot);
		load_b(g, t, &c, b_slot);
		multiply_chunk(g, t, &c);
		if (!stays || t->last)
			npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, a_slot);
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, FLAG_B + b_slot);
	}
	store_tile(g, t);
}

/* All buffers are free at first: the flags that say so are set here, and taken at the end. */
static void flags_begin(void)
{
	for (uint32_t i = 0; i < FLAG_B + B_SLOTS; i++)
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, i);
	for (uint32_t i = 0; i <= FLAG_L0B; i++)
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, 0);
}

static void flags_end(void)
{
	for (uint32_t i = 0; i < FLAG_B + B_SLOTS; i++)
		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, i);
	for (uint32_t i = 0; i <= FLAG_L0B; i++)
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, 0);
}

static uint32_t log2_bytes(uint32_t dtype)
{
	return __builtin_ctz(npu_dtype_bytes(dtype));
}

NPU_ARGS(gemm, struct npu_gemm_args, in(a), in(b), out(c), value(m), value(n), value(k),
	 value(lda), value(ldb), value(ldc), value(in), value(out), value(flags), value(scale));

NPU_KERNEL(gemm, struct npu_gemm_args)
{
	const uint32_t shift = log2_bytes(args->in), out_bytes = npu_dtype_bytes(args->out);
	struct gemm g = {
		.a = { args->a, (uint64_t)args->lda << shift, args->flags & NPU_GEMM_TRANS_A },
		.b = { args->b, (uint64_t)args->ldb << shift,
		       !(args->flags & NPU_GEMM_TRANS_B) },
		.c = args->c,
		.c_pitch = (uint64_t)args->ldc * out_bytes,
		.m = args->m, .n = args->n, .k = args->k,
		.in = args->in, .out = args->out,
		.sum = args->in == NPU_S8 ? NPU_S32 : NPU_F32,
		.shift = shift, .out_bytes = out_bytes,
		.fix_flags = args->flags & NPU_GEMM_RELU ? NPU_FIX_RELU : 0,
		.scale = args->in == NPU_S8 && args->out != NPU_S32 ? args->scale : 0,
	};
	const uint32_t tiles_n = npu_ceil_div(g.n, TILE_N);
	const uint64_t tiles = npu_ceil_div(g.m, TILE_M) * tiles_n;
	const struct npu_span span = npu_split(tiles, 1, block, blocks);

	flags_begin();
	for (uint64_t i = span.begin; i < span.end; i++) {
		const uint32_t tm = i / tiles_n, tn = i % tiles_n;
		const struct tile t = {
			.m0 = tm * TILE_M, .n0 = tn * TILE_N,
			.mt = npu_min(TILE_M, g.m - tm * TILE_M),
			.nt = npu_min(TILE_N, g.n - tn * TILE_N),
			.first = i == span.begin || tn == 0,
			.last = i + 1 == span.end || tn + 1 == tiles_n,
		};

		compute_tile(&g, &t);
	}
	flags_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Products of matrices on the cube, tile by tile: what the kernels that multiply share.
 *
 * A block owns a run of output tiles. A tile's product is summed in L0C over chunks of k that
 * come through L1 and from there to L0A and L0B, in two halves where there is room for them: a
 * long step of the cube is worth more than a second buffer. Tiles go along a row or a column of
 * tiles; the operand that they have in common stays in L1 as far as there is room.
 *
 *	struct gemm g = { ... };
 *	gemm_plan(&g);
 *	gemm_run(&g, npu_split(gemm_tiles(&g), 1, block, blocks));
 */
#ifndef GEMM_TILE_H
#define GEMM_TILE_H

#include "npu_kernel.h"

#define GEMM_STEP_MAX 1024 /* elements of k in a chunk */
#define GEMM_STEP_LONG 128 /* that are worth L0A without halves, and tiles in parts */
#define GEMM_PANEL 32 /* columns that parts are a multiple of */
#define GEMM_FLAGS 16

/* A part of an operand: @extent of its m or n from @at on, and @kt of its k from @k0 on. */
struct gemm_part {
	uint64_t at, extent, k0, kt;
};

/*
 * struct gemm_operand - A or B: where it is, and where its chunks are in L1
 * @base: address of the matrix
 * @pitch: bytes from row to row of it
 * @k_rows: it has a row for each k, else for each m or n
 * @load: brings a part to L1, rows @l1_pitch apart, as it would be in memory; NULL: from memory
 * @source: for @load
 * @pipe: that writes L1: NPU_PIPE_MTE2, if @load does not do it otherwise
 *
 * The rest follows from that: by gemm_plan(), for the tiles of a block gemm_plan_l1(), and for a
 * part gemm_fit(). @stay chunks have slots of their own, the others share @stream: one more than
 * there are buffers of L0 that they go to, so that a slot is not overwritten as long as L0 has what
 * was in it. That lets the device read L1 in place of L0.
 */
struct gemm_operand {
	npu_addr base;
	uint64_t pitch;
	uint32_t k_rows;
	enum npu_pipe pipe;
	void (*load)(const struct gemm_operand *op, npu_addr dst, const struct gemm_part *part);
	const void *source;

	uint64_t l1_pitch, chunk_bytes, stream; /* gemm_plan() */
	npu_addr l1; /* gemm_plan_l1(), as far as flag */
	uint64_t stay, slots;
	uint64_t flag; /* of the first slot */
	uint64_t turn; /* the next of @stream */
	uint64_t extent, kt; /* of the last part, see gemm_fit() */
	uint64_t copy[2], load0[2]; /* the last operands of COPY and LOAD0, for such a part */
};

struct gemm_tile {
	uint64_t m0, n0, mt, nt;
	int first, last; /* of those that have the staying operand in common */
};

/*
 * struct gemm - a batch of products
 * @batches: how many
 * @enter: turns to a product of the batch; NULL: there is one. Of the operands it sets no more than
 *	@base: all else is as gemm_plan() saw it until gemm_run() ends, see gemm_fit()
 * @store: takes a tile from L0C at @l0c, with FIXPIPE first
 * @context: for @enter and @store
 * @tile_m: most rows of a tile, up to 128; @tile_n: most columns; together they fit L0C
 * @in: dtype of A and B
 * @b_stays: B is dear to bring, and should be the one that stays
 */
struct gemm {
	struct gemm_operand a, b;
	uint64_t batches;
	uint64_t m, n, k;
	uint64_t tile_m, tile_n;
	uint32_t in;
	int b_stays;
	void (*enter)(struct gemm *g, uint64_t batch);
	void (*store)(const struct gemm *g, const struct gemm_tile *t, npu_addr l0c);
	void *context;

	uint64_t shift; /* log2 of the bytes of an input element */
	uint64_t step; /* of k */
	uint64_t tiles_m, tiles_n;
	uint64_t part_n, parts; /* columns of a tile that an MMAD takes, and how often */
	uint64_t a_halves, b_halves, c_halves; /* whether L0A, L0B and L0C have two */
	uint64_t a_half, b_half, c_half; /* that are next */
};

/* gemm_sum_dtype() - of L0C */
static inline uint32_t gemm_sum_dtype(const struct gemm *g)
{
	return g->in == NPU_S8 ? NPU_S32 : NPU_F32;
}

/* How many chunks can stay in @room, with slots for those that do not. */
static inline uint64_t gemm_stay(const struct gemm_operand *op, uint64_t chunks, uint64_t room,
				 uint64_t others)
{
	const uint64_t slots = npu_min(room / op->chunk_bytes, GEMM_FLAGS - others);

	return chunks <= slots ? chunks : slots - op->stream;
}

/* Bytes of L0C for a part of a tile. */
static inline uint64_t gemm_part_c(const struct gemm *g)
{
	return g->tile_m * npu_align(g->part_n * 4);
}

static inline void gemm_plan_operand(struct gemm_operand *op, const struct gemm *g, uint64_t tile)
{
	op->l1_pitch = npu_align((op->k_rows ? tile : g->step) << g->shift);
	op->chunk_bytes = op->l1_pitch * (op->k_rows ? g->step : tile);
	op->extent = 0; /* no part has that: gemm_fit() begins anew */
}

/*
 * Which operand stays in L1 for the @tiles of a block, and where chunks are there. What nobody
 * comes back for does not stay: two slots that are used again and again are nearer to the host.
 */
static inline void gemm_plan_l1(struct gemm *g, uint64_t tiles)
{
	const uint64_t chunks = npu_max(npu_ceil_div(g->k, g->step), 1);
	const uint64_t b_chunks = chunks * g->parts;
	const uint64_t a = g->a.chunk_bytes, b = g->b.chunk_bytes;
	const uint64_t a_stream = g->a.stream, b_stream = g->b.stream;
	const uint64_t a_stay = gemm_stay(&g->a, chunks, NPU_L1_SIZE - b_stream * b, b_stream);
	const uint64_t b_stay = gemm_stay(&g->b, b_chunks, NPU_L1_SIZE - a_stream * a, a_stream);

	if (g->tiles_m == 1)
		g->b_stays = 0;
	else if (g->tiles_n == 1 || b_stay * b >= a_stay * a)
		g->b_stays = 1;
	g->a.stay = !g->b_stays && g->tiles_n > 1 && tiles > 1 ? a_stay : 0;
	g->b.stay = g->b_stays && tiles > 1 ? b_stay : 0;
	g->a.slots = g->a.stay + (g->a.stay < chunks ? a_stream : 0);
	g->b.slots = g->b.stay + (g->b.stay < b_chunks ? b_stream : 0);
	g->a.l1 = NPU_L1_BASE;
	g->b.l1 = NPU_L1_BASE + g->a.slots * a;
	g->a.flag = 0;
	g->b.flag = g->a.slots;
}

/* Elements of k that fit L0B beside each other, of rows of @cols. */
static inline uint64_t gemm_fits_l0b(const struct gemm *g, uint64_t cols)
{
	return NPU_L0B_SIZE / npu_align(cols << g->shift);
}

/*
 * How much of k an MMAD takes. Each reads and writes its part of L0C, so they should be few: F32,
 * of which little fits, gives up a second buffer of L0A for that, and takes a tile in two parts.
 */
static inline void gemm_plan_step(struct gemm *g)
{
	const uint64_t unit = NPU_TILE_ALIGN >> g->shift, k = npu_max(g->k, 1);
	const uint64_t half = NPU_L0A_SIZE / 2 / g->tile_m >> g->shift;
	const uint64_t enough = npu_min(k, GEMM_STEP_LONG);
	uint64_t fits;

	g->a_halves = half >= enough;
	g->part_n = g->tile_n;
	if (gemm_fits_l0b(g, g->part_n) < enough)
		g->part_n = npu_ceil_div(g->tile_n, 2 * GEMM_PANEL) * GEMM_PANEL;
	g->parts = npu_ceil_div(g->tile_n, g->part_n);
	fits = npu_min(g->a_halves ? half : 2 * half, gemm_fits_l0b(g, g->part_n));
	g->step = npu_min(npu_min(fits, GEMM_STEP_MAX) / unit, npu_ceil_div(k, unit)) * unit;
}

/* gemm_plan() - what follows from what the caller has set. */
static inline void gemm_plan(struct gemm *g)
{
	g->shift = __builtin_ctz(npu_dtype_bytes(g->in));
	gemm_plan_step(g);
	g->tiles_m = npu_ceil_div(g->m, g->tile_m);
	g->tiles_n = npu_ceil_div(g->n, g->tile_n);
	g->b_halves = 2 * g->step <= gemm_fits_l0b(g, g->part_n);
	g->c_halves = g->parts * gemm_part_c(g) <= NPU_L0C_SIZE / 2;
	g->a.stream = 2 + g->a_halves;
	g->b.stream = 2 + g->b_halves;
	gemm_plan_operand(&g->a, g, g->tile_m);
	gemm_plan_operand(&g->b, g, g->part_n);
}

static inline uint64_t gemm_tiles(const struct gemm *g)
{
	return g->batches * g->tiles_m * g->tiles_n;
}

/*
 * What instructions take for rows x cols = extent x kt (or the other way round) of an operand. L0A
 * takes rows of m, L0B rows of k: what is stored the other way is transposed.
 */
static __attribute__((noinline)) void gemm_operands(struct gemm_operand *op, const struct gemm *g)
{
	const uint64_t rows = op->k_rows ? op->kt : op->extent;
	const uint64_t cols = op->k_rows ? op->extent : op->kt;
	const uint64_t row_bytes = cols << g->shift;
	const int transpose = !op->k_rows != (op == &g->a);

	/* Rows without gaps are one long row, which takes less to bring. */
	if (op->pitch == row_bytes && op->l1_pitch == row_bytes) {
		op->copy[0] =
			NPU_PREP(NPU_COPY_ROW_BYTES, rows * row_bytes) | NPU_PREP(NPU_COPY_ROWS, 1);
		op->copy[1] = 0;
	} else {
		op->copy[0] =
			NPU_PREP(NPU_COPY_ROW_BYTES, row_bytes) | NPU_PREP(NPU_COPY_ROWS, rows);
		op->copy[1] = NPU_PREP(NPU_COPY_DST_PITCH, op->l1_pitch) |
			      NPU_PREP(NPU_COPY_SRC_PITCH, op->pitch);
	}
	op->load0[0] = NPU_PREP(NPU_LOAD0_ROWS, rows) | NPU_PREP(NPU_LOAD0_COLS, cols) |
		       NPU_PREP(NPU_LOAD0_SRC_PITCH, op->l1_pitch);
	op->load0[1] =
		NPU_PREP(NPU_LOAD0_DST_PITCH, npu_align((transpose ? rows : cols) << g->shift)) |
		NPU_PREP(NPU_LOAD0_DTYPE, g->in) | (transpose ? NPU_LOAD0_TRANSPOSE : 0);
}

/*
 * Most parts are as large as the one before, and then their operands are the same: of what else
 * gemm_operands() looks at (pitch, k_rows, in, what is planned) nothing changes in gemm_run().
 */
static inline void gemm_fit(struct gemm_operand *op, const struct gemm *g,
			    const struct gemm_part *part)
{
	if (op->extent == part->extent && op->kt == part->kt)
		return;
	op->extent = part->extent;
	op->kt = part->kt;
	gemm_operands(op, g);
}

/* Bring a part of an operand from memory to L1. */
static inline void gemm_load(const struct gemm_operand *op, npu_addr dst,
			     const struct gemm_part *part, uint64_t shift)
{
	const uint64_t row = op->k_rows ? part->k0 : part->at;
	const uint64_t col = op->k_rows ? part->at : part->k0;

	NPU_INSN_MTE(NPU_MTE_COPY, dst, op->base + row * op->pitch + (col << shift), op->copy[0],
		     op->copy[1]);
}

/*
 * A chunk's slot of L1, with the chunk in it: chunk @i of the tile. What stays is there already
 * but for the first tile.
 */
static inline uint64_t gemm_bring(struct gemm_operand *op, const struct gemm *g,
				  const struct gemm_tile *t, uint64_t i,
				  const struct gemm_part *part)
{
	const int stays = i < op->stay;
	uint64_t slot = i;

	gemm_fit(op, g, part);
	if (!stays) {
		slot = op->stay + op->turn;
		if (++op->turn == op->stream)
			op->turn = 0;
	} else if (!t->first) {
		return slot;
	}
	npu_wait_flag(NPU_PIPE_MTE1, op->pipe, op->flag + slot);
	if (op->load)
		op->load(op, op->l1 + slot * op->chunk_bytes, part);
	else
		gemm_load(op, op->l1 + slot * op->chunk_bytes, part, g->shift);
	npu_set_flag(op->pipe, NPU_PIPE_MTE1, op->flag + slot);
	npu_wait_flag(op->pipe, NPU_PIPE_MTE1, op->flag + slot);
	return slot;
}

/* The chunk is in L0: its slot is free, unless it stays for the next tile. */
static inline void gemm_leave(const struct gemm_operand *op, const struct gemm_tile *t,
			      uint64_t slot)
{
	if (slot >= op->stay || t->last)
		npu_set_flag(NPU_PIPE_MTE1, op->pipe, op->flag + slot);
}

static inline void gemm_load_l0(const struct gemm_operand *op, npu_addr l0, uint64_t slot)
{
	NPU_INSN_MTE(NPU_MTE_LOAD0, l0, op->l1 + slot * op->chunk_bytes, op->load0[0],
		     op->load0[1]);
}

/* The columns of @t that are part @i of it; false: there are none. */
static inline int gemm_part_of(const struct gemm *g, const struct gemm_tile *t, uint64_t i,
			       struct gemm_tile *part)
{
	const uint64_t at = i * g->part_n;

	*part = *t;
	if (at >= t->nt)
		return 0;
	part->n0 += at;
	part->nt = npu_min(g->part_n, t->nt - at);
	return 1;
}

/* The product of the chunk of A in L0A and one of B, chunk @i of the tile. */
static inline void gemm_multiply_part(struct gemm *g, const struct gemm_tile *t, uint64_t i,
				      const struct gemm_part *b, npu_addr l0c, npu_addr l0a)
{
	const uint64_t half = g->b_half, slot = gemm_bring(&g->b, g, t, i, b);
	const npu_addr l0b = NPU_L0B_BASE + half * (NPU_L0B_SIZE / 2);

	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, 2 + half);
	gemm_load_l0(&g->b, l0b, slot);
	gemm_leave(&g->b, t, slot);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_mmad(l0c, l0a, l0b, t->mt, b->extent, b->kt, g->in, b->k0 == 0);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, 2 + half);
	g->b_half = g->b_halves && !half;
}

/* Add the product of chunk @i of k to the tile at @l0c. */
static inline void gemm_multiply(struct gemm *g, const struct gemm_tile *t, uint64_t i,
				 npu_addr l0c)
{
	const uint64_t k0 = i * g->step, kt = npu_min(g->step, g->k - k0), half = g->a_half;
	const npu_addr l0a = NPU_L0A_BASE + half * (NPU_L0A_SIZE / 2);
	const struct gemm_part a = { t->m0, t->mt, k0, kt };
	const uint64_t slot = gemm_bring(&g->a, g, t, i, &a);
	struct gemm_tile part;

	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	gemm_load_l0(&g->a, l0a, slot);
	gemm_leave(&g->a, t, slot);
	for (uint64_t p = 0; gemm_part_of(g, t, p, &part); p++) {
		const struct gemm_part b = { part.n0, part.nt, k0, kt };

		gemm_multiply_part(g, t, i * g->parts + p, &b, l0c + p * gemm_part_c(g), l0a);
	}
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	g->a_half = g->a_halves && !half;
}

static inline void gemm_compute(struct gemm *g, const struct gemm_tile *t)
{
	const npu_addr l0c = NPU_L0C_BASE + g->c_half * (NPU_L0C_SIZE / 2);
	const uint64_t chunks = npu_ceil_div(g->k, g->step);
	struct gemm_tile part;

	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, g->c_half);
	for (uint64_t i = 0; i < chunks; i++)
		gemm_multiply(g, t, i, l0c);
	for (uint64_t p = 0; !g->k && gemm_part_of(g, t, p, &part); p++)
		npu_mmad(l0c + p * gemm_part_c(g), NPU_L0A_BASE, NPU_L0B_BASE, t->mt, part.nt, 0,
			 g->in, 1);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_FIX, g->c_half);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_FIX, g->c_half);
	for (uint64_t p = 0; gemm_part_of(g, t, p, &part); p++)
		g->store(g, &part, l0c + p * gemm_part_c(g));
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, g->c_half);
	g->c_half = g->c_halves && !g->c_half;
}

/* All buffers are free at first: the flags that say so are set here, and taken at the end. */
static inline void gemm_begin(const struct gemm *g)
{
	for (uint64_t i = 0; i < g->a.slots; i++)
		npu_set_flag(NPU_PIPE_MTE1, g->a.pipe, g->a.flag + i);
	for (uint64_t i = 0; i < g->b.slots; i++)
		npu_set_flag(NPU_PIPE_MTE1, g->b.pipe, g->b.flag + i);
	for (uint64_t i = 0; i < 1 + g->a_halves; i++)
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
	for (uint64_t i = 0; i < 1 + g->b_halves; i++)
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, 2 + i);
	for (uint64_t i = 0; i < 1 + g->c_halves; i++)
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, i);
}

static inline void gemm_end(const struct gemm *g)
{
	for (uint64_t i = 0; i < g->a.slots; i++)
		npu_wait_flag(NPU_PIPE_MTE1, g->a.pipe, g->a.flag + i);
	for (uint64_t i = 0; i < g->b.slots; i++)
		npu_wait_flag(NPU_PIPE_MTE1, g->b.pipe, g->b.flag + i);
	for (uint64_t i = 0; i < 1 + g->a_halves; i++)
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
	for (uint64_t i = 0; i < 1 + g->b_halves; i++)
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, 2 + i);
	for (uint64_t i = 0; i < 1 + g->c_halves; i++)
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, i);
}

/* gemm_run() - compute the tiles of @span, of all products of the batch one after the other. */
static inline void gemm_run(struct gemm *g, struct npu_span span)
{
	uint64_t inner, outer, inner_tiles, outer_tiles;
	uint64_t batch, rest;

	if (span.begin == span.end)
		return;
	gemm_plan_l1(g, span.end - span.begin);
	inner_tiles = g->b_stays ? g->tiles_m : g->tiles_n;
	outer_tiles = g->b_stays ? g->tiles_n : g->tiles_m;
	batch = span.begin / (g->tiles_m * g->tiles_n);
	rest = span.begin % (g->tiles_m * g->tiles_n);
	outer = rest / inner_tiles;
	inner = rest % inner_tiles;
	gemm_begin(g);
	if (g->enter)
		g->enter(g, batch);
	for (uint64_t i = span.begin; i < span.end; i++) {
		const uint64_t tm = g->b_stays ? inner : outer, tn = g->b_stays ? outer : inner;
		const struct gemm_tile t = {
			.m0 = tm * g->tile_m,
			.n0 = tn * g->tile_n,
			.mt = npu_min(g->tile_m, g->m - tm * g->tile_m),
			.nt = npu_min(g->tile_n, g->n - tn * g->tile_n),
			.first = i == span.begin || inner == 0,
			.last = i + 1 == span.end || inner + 1 == inner_tiles,
		};

		gemm_compute(g, &t);
		if (++inner < inner_tiles)
			continue;
		inner = 0;
		if (++outer < outer_tiles)
			continue;
		outer = 0;
		if (g->enter && i + 1 < span.end)
			g->enter(g, ++batch);
	}
	gemm_end(g);
}

#endif /* GEMM_TILE_H */

/* SPDX-License-Identifier: MIT */
/*
 * Products of few rows: what they cost is to bring B, of which each element is used a few times
 * only. A stays in L1; B comes in pieces of whole rows of the block's columns, as large as a slot
 * of L1, and goes to L0B in tiles; all columns have their sums in L0C. A block may normalise the
 * few rows of A by itself.
 */
#include "copy_rows.h"
#include "gemm_output.h"
#include "npu_ring.h"

#define A_BYTES NPU_OP_GEMM_THIN_BYTES
#define B_BYTES 0x30000
#define L1_A NPU_L1_BASE
#define L1_B(slot) (NPU_L1_BASE + A_BYTES + (slot)*B_BYTES)
_Static_assert(A_BYTES + 2 * B_BYTES <= NPU_L1_SIZE, "L1 overflows");

#define PANEL 1024 /* columns whose sums L0C has at a time */
#define TILE NPU_GEMM_TILE_N /* columns of an MMAD */
#define TILE_SUMS (NPU_OP_GEMM_THIN_ROWS * TILE * 4)
#define UNIT 64 /* columns that blocks share */
#define K_UNIT 16 /* of a step: 32 bytes */
_Static_assert(PANEL / TILE * TILE_SUMS <= NPU_L0C_SIZE, "L0C overflows");
_Static_assert(PANEL * 4 * K_UNIT <= B_BYTES && TILE * 4 * K_UNIT <= NPU_L0B_SIZE,
	       "not even a step fits");

/* UB, while A is normalised: its rows, what there is for each row, and gamma. */
#define UB_X NPU_UB_BASE
#define UB_RSTD (UB_X + NPU_OP_GEMM_NORM_BYTES)
#define UB_GAMMA (UB_RSTD + NPU_OP_GEMM_THIN_ROWS * NPU_TILE_ALIGN)
_Static_assert(UB_GAMMA + NPU_OP_GEMM_NORM_BYTES <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");

/* Flags between MTE2 and MTE1 are the slots' of B, and that of A. */
#define FLAG_A 2
#define FLAG_TILE 0

struct thin {
	const struct npu_op_gemm_thin_args *args;
	struct gemm gemm; /* as far as the output asks */
	struct output out;
	uint32_t m, k, bytes;
	uint32_t a_pitch; /* bytes from row to row in L1 */
	uint32_t slot; /* of B */
};

/* A part of the columns, with what of B is in a slot. */
struct panel {
	uint32_t begin, cols;
	uint32_t pitch; /* bytes from row to row in L1 */
	uint32_t k0, rows;
};

/* As npuop_rms_norm() does it: x / sqrt(mean of squares + eps) gamma */
static void normalize(const struct thin *t)
{
	const struct npu_op_gemm_thin_args *args = t->args;
	const uint32_t stats = t->m * NPU_TILE_ALIGN / 4, pitch = t->a_pitch, k = t->k;

	copy_rows(UB_X, args->gemm.a, k * 4, t->m, pitch, args->gemm.lda);
	if (args->gamma)
		npu_copy(UB_GAMMA, args->gamma, k * 4);
	npu_sync(NPU_PIPE_MTE2, NPU_PIPE_V, FLAG_A);
	/* Of what is 32 bytes apart the first elements are written, and all read. */
	npu_vdup(UB_RSTD, 0, stats, NPU_F32);
	npu_vec_rows(t->m, NPU_TILE_ALIGN, pitch, pitch);
	npu_vdot(UB_RSTD, UB_X, UB_X, k, NPU_F32);
	npu_vec_one_row();
	npu_vdivs(UB_RSTD, UB_RSTD, npu_f32_bits(k), stats, NPU_F32);
	npu_vadds(UB_RSTD, UB_RSTD, npu_f32_bits(args->eps), stats, NPU_F32);
	npu_vrsqrt(UB_RSTD, UB_RSTD, stats, NPU_F32);
	npu_vec_rows(t->m, pitch, pitch, NPU_TILE_ALIGN);
	npu_vmulr(UB_X, UB_X, UB_RSTD, k, NPU_F32);
	npu_vec_rows(t->m, pitch, pitch, 0);
	if (args->gamma)
		npu_vmul(UB_X, UB_X, UB_GAMMA, k, NPU_F32);
	npu_sync(NPU_PIPE_V, NPU_PIPE_MTE3, FLAG_A);
	copy_rows(L1_A, UB_X, k * 4, t->m, pitch, pitch);
	npu_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE1, FLAG_A);
	/* The output has the same places in UB. */
	npu_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2, FLAG_A);
	npu_sync(NPU_PIPE_MTE3, NPU_PIPE_FIX, FLAG_A);
}

static void load_a(const struct thin *t)
{
	const struct npu_op_gemm_args *args = &t->args->gemm;

	if (t->args->flags & NPU_OP_GEMM_THIN_NORM) {
		normalize(t);
		return;
	}
	copy_rows(L1_A, args->a, t->k * t->bytes, t->m, t->a_pitch, args->lda);
	npu_sync(NPU_PIPE_MTE2, NPU_PIPE_MTE1, FLAG_A);
}

/* Rows @k0 to @k0 + @rows of B. */
static void load_b(struct thin *t, const struct panel *p)
{
	const struct npu_op_gemm_args *args = &t->args->gemm;

	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, t->slot);
	copy_rows(L1_B(t->slot), args->b + p->k0 * args->ldb + (uint64_t)p->begin * t->bytes,
		  p->cols * t->bytes, p->rows, p->pitch, args->ldb);
	npu_sync(NPU_PIPE_MTE2, NPU_PIPE_MTE1, t->slot);
}

/* The sums of a tile of columns grow by the product with rows of B. */
static void multiply(const struct thin *t, const struct panel *p, uint32_t at, uint32_t cols,
		     npu_addr l0c)
{
	const uint32_t pitch = npu_align(cols * t->bytes), dtype = t->gemm.in;
	const uint32_t fit = npu_min(NPU_L0B_SIZE / pitch, NPU_L0A_SIZE / (t->m * t->bytes));
	const uint32_t most = fit / K_UNIT * K_UNIT;
	npu_addr b = L1_B(t->slot) + at * t->bytes;
	uint32_t n;

	for (uint32_t i = 0; i < p->rows; i += n, b += n * p->pitch) {
		const uint32_t k = p->k0 + i;

		n = npu_min(most, p->rows - i);
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_TILE);
		npu_load0(NPU_L0A_BASE, L1_A + k * t->bytes, t->m, n, npu_align(n * t->bytes),
			  t->a_pitch, dtype, 0);
		npu_load0(NPU_L0B_BASE, b, n, cols, pitch, p->pitch, dtype, 0);
		npu_sync(NPU_PIPE_MTE1, NPU_PIPE_M, FLAG_TILE);
		npu_mmad(l0c, NPU_L0A_BASE, NPU_L0B_BASE, t->m, cols, n, dtype, !k);
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_TILE);
	}
}

static void store(struct thin *t, const struct panel *p)
{
	npu_addr l0c = NPU_L0C_BASE;

	npu_sync(NPU_PIPE_M, NPU_PIPE_FIX, FLAG_TILE);
	for (uint32_t at = 0; at < p->cols; at += TILE, l0c += TILE_SUMS) {
		const struct gemm_tile tile = { .n0 = p->begin + at,
						.mt = t->m,
						.nt = npu_min(TILE, p->cols - at) };

		output_store(&t->gemm, &tile, l0c);
	}
	npu_sync(NPU_PIPE_FIX, NPU_PIPE_M, FLAG_TILE);
}

static void compute(struct thin *t, uint32_t begin, uint32_t cols)
{
	struct panel p = { .begin = begin, .cols = cols, .pitch = npu_align(cols * t->bytes) };
	const uint32_t most = B_BYTES / p.pitch / K_UNIT * K_UNIT;

	for (; p.k0 < t->k; p.k0 += p.rows, t->slot = !t->slot) {
		npu_addr l0c = NPU_L0C_BASE;

		p.rows = npu_min(most, t->k - p.k0);
		load_b(t, &p);
		for (uint32_t at = 0; at < cols; at += TILE, l0c += TILE_SUMS)
			multiply(t, &p, at, npu_min(TILE, cols - at), l0c);
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, t->slot);
	}
	store(t, &p);
}

NPU_ARGS(op_gemm_thin, struct npu_op_gemm_thin_args, in(gemm.a), in(gemm.b), out(gemm.out.c),
	 in(gamma), value(gemm.m), value(gemm.n), value(gemm.k), value(gemm.in), value(eps));

NPU_KERNEL(op_gemm_thin, struct npu_op_gemm_thin_args)
{
	const struct npu_op_gemm_args *g = &args->gemm;
	const struct npu_span mine = npu_split(g->n, UNIT, block, blocks);
	struct thin t = { .args = args,
			  .gemm = { .in = g->in, .context = &t.out },
			  .m = g->m,
			  .k = g->k,
			  .bytes = npu_dtype_bytes(g->in) };

	if (mine.begin == mine.end)
		return;
	t.a_pitch = npu_align(g->k * t.bytes);
	t.out = output_of(&g->out, NPU_F32, OUTPUT_AREA_MAX);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, 0);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, 1);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_TILE);
	load_a(&t);
	output_begin(&t.out);
	for (uint64_t at = mine.begin; at < mine.end; at += PANEL)
		compute(&t, at, npu_min(PANEL, mine.end - at));
	output_end(&t.out);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, 0);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, 1);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, FLAG_TILE);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MMAD. Blocks of A, unless they are fp32, and panels of B are converted to fp32 (S8 to what
 * tile_vi_dot() takes) and multiplied by register-blocked kernels. Each element of C is one lane
 * that takes its products in k order, so how it is blocked does not show in the result.
 */
#include "tile_pack.h"

_Static_assert(TILE_NR <= TILE_NR_MAX, "a panel of B does not fit the scratch memory");

#define SMALL_ROWS 16 /* fewer are for tile_isa_thin() */
#define SMALL_BYTES 0x8000 /* of A, and of B with what is between the columns of a panel */

#define ASK_STEPS 4 /* that lines are asked for at a time */
/*
 * What a step asks for of what is next, in bytes: of a panel as much as has all of it come while
 * TILE_MC rows are multiplied, of small operands while one of 64 rows and columns is.
 */
#define ASK(rows) (TILE_MR * TILE_NR * sizeof(float) / (rows))
#define PANEL_ASK ASK(TILE_MC)
#define SMALL_ASK ASK(64)

/*
 * Pitches in elements; bias is added to rows of S8, which is always packed. @next_b is a panel that
 * will be multiplied next, or with @next_a a small operand.
 */
struct kernel {
	void *c;
	const void *a, *b;
	const int32_t *bias;
	const char *next_a, *next_b;
	size_t a_pitch, b_pitch, c_pitch;
	unsigned int steps;
	bool init;
};

enum arithmetic {
	FUSED,
	EXACT, /* the product of two fp16 fits fp32 */
	INTEGER,
};

/* Few pointers reach all rows of A, as an address adds once or twice the pitch. */
#define A_POINTERS ((TILE_MR + 2) / 3)

/* Have lines on their way to the second level of the cache. */
TILE_INLINE void ask(const char *next, unsigned int bytes)
{
#pragma GCC unroll 2
	for (unsigned int i = 0; i < bytes; i += TILE_LINE)
		__builtin_prefetch(next + i, 0, 2);
}

/*
 * For ASK_STEPS steps. The rows of A that follow are near, and the host finds them itself. With
 * short vectors these steps are less than a line, which is asked for again.
 */
TILE_INLINE void ask_ahead(const struct kernel *args, unsigned int step)
{
	if (!args->next_a) {
		ask(args->next_b + step * PANEL_ASK, ASK_STEPS * PANEL_ASK);
		return;
	}
	ask(args->next_a + step * SMALL_ASK, ASK_STEPS * SMALL_ASK);
	ask(args->next_b + step * SMALL_ASK, ASK_STEPS * SMALL_ASK);
}

/* NaNs are rare: to look for them takes half as long as to replace what may be one. */
static __attribute__((noinline, cold)) void make_canonical(const struct kernel *args,
							   unsigned int rows)
{
	float *c = args->c;

	for (unsigned int i = 0; i < rows; i++, c += args->c_pitch)
		for (unsigned int j = 0; j < TILE_NR; j += TILE_VL)
			tile_vf_store(c + j, tile_vf_canonical(tile_vf_load(c + j)));
}

_Static_assert(TILE_NV == 2, "kernels look for NaNs in pairs of vectors");

TILE_INLINE void step_float(tile_vf acc[TILE_MR][TILE_NV], const float *a[A_POINTERS],
			    const float *b, size_t pitch, unsigned int rows, bool exact)
{
	tile_vf bv[TILE_NV], av;

#pragma GCC unroll 2
	for (unsigned int j = 0; j < TILE_NV; j++)
		bv[j] = tile_vf_load(b + j * TILE_VL);
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++) {
		av = tile_vf_set(a[i / 3][i % 3 * pitch]);
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			acc[i][j] = exact ? tile_vf_fma_exact(av, bv[j], acc[i][j]) :
					    tile_vf_fma(av, bv[j], acc[i][j]);
	}
#pragma GCC unroll 5
	for (unsigned int i = 0; 3 * i < rows; i++)
		a[i]++;
}

TILE_INLINE void kernel_float(const struct kernel *args, unsigned int rows, bool exact)
{
	const float *a[A_POINTERS], *b = args->b;
	const size_t pitch = args->a_pitch, b_pitch = args->b_pitch;
	float *c = args->c;
	tile_vf acc[TILE_MR][TILE_NV];
	unsigned int nans = 0, k = 0;

#pragma GCC unroll 5
	for (unsigned int i = 0; 3 * i < rows; i++)
		a[i] = (const float *)args->a + 3 * i * pitch;
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			acc[i][j] = args->init ? tile_vf_set(0) :
						 tile_vf_load(c + i * args->c_pitch + j * TILE_VL);
	for (; k + ASK_STEPS <= args->steps; k += ASK_STEPS) {
		ask_ahead(args, k);
#pragma GCC unroll 4
		for (unsigned int i = 0; i < ASK_STEPS; i++, b += b_pitch)
			step_float(acc, a, b, pitch, rows, exact);
	}
	for (; k < args->steps; k++, b += b_pitch)
		step_float(acc, a, b, pitch, rows, exact);
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++) {
		nans |= tile_vf_nans(acc[i][0], acc[i][1]);
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			tile_vf_store(c + i * args->c_pitch + j * TILE_VL, acc[i][j]);
	}
	if (nans)
		make_canonical(args, rows);
}

TILE_INLINE void step_s8(tile_vi acc[TILE_MR][TILE_NV], const int32_t *a[A_POINTERS],
			 const int32_t *b, size_t pitch, unsigned int rows)
{
	tile_vi bv[TILE_NV], av;

#pragma GCC unroll 2
	for (unsigned int j = 0; j < TILE_NV; j++)
		bv[j] = tile_vi_load(b + j * TILE_VL);
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++) {
		av = tile_vi_set(a[i / 3][i % 3 * pitch]);
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			acc[i][j] = tile_vi_dot(av, bv[j], acc[i][j]);
	}
#pragma GCC unroll 5
	for (unsigned int i = 0; 3 * i < rows; i++)
		a[i]++;
}

TILE_INLINE void kernel_s8(const struct kernel *args, unsigned int rows)
{
	const int32_t *a[A_POINTERS], *b = args->b;
	const size_t pitch = args->a_pitch;
	int32_t *c = args->c;
	tile_vi acc[TILE_MR][TILE_NV], av;
	unsigned int k = 0;

#pragma GCC unroll 5
	for (unsigned int i = 0; 3 * i < rows; i++)
		a[i] = (const int32_t *)args->a + 3 * i * pitch;
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++) {
		av = tile_vi_set(args->bias[i]);
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			acc[i][j] = args->init ? av :
						 tile_vi_add(av, tile_vi_load(c + i * args->c_pitch +
									      j * TILE_VL));
	}
	for (; k + ASK_STEPS <= args->steps; k += ASK_STEPS) {
		ask_ahead(args, k);
		/* Four would spill where a dot product takes two instructions. */
#pragma GCC unroll 2
		for (unsigned int i = 0; i < ASK_STEPS; i++, b += TILE_NR)
			step_s8(acc, a, b, pitch, rows);
	}
	for (; k < args->steps; k++, b += TILE_NR)
		step_s8(acc, a, b, pitch, rows);
#pragma GCC unroll 13
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			tile_vi_store(c + i * args->c_pitch + j * TILE_VL, acc[i][j]);
}

/* An instance for each number of rows keeps the accumulators in registers. */
#define KERNELS(rows)								\
	static void fused_##rows(const struct kernel *args)			\
	{									\
		kernel_float(args, rows, false);				\
	}									\
	static void exact_##rows(const struct kernel *args)			\
	{									\
		kernel_float(args, rows, true);					\
	}									\
	static void s8_##rows(const struct kernel *args)			\
	{									\
		kernel_s8(args, rows);						\
	}
#define INSTANCES(rows) { fused_##rows, exact_##rows, s8_##rows }

KERNELS(1)
KERNELS(2)
KERNELS(3)
KERNELS(4)
#if TILE_MR > 4
KERNELS(5)
KERNELS(6)
#endif
#if TILE_MR > 6
KERNELS(7)
KERNELS(8)
KERNELS(9)
KERNELS(10)
KERNELS(11)
KERNELS(12)
KERNELS(13)
#endif

static void (*const kernels[TILE_MR][3])(const struct kernel *args) = {
	INSTANCES(1), INSTANCES(2), INSTANCES(3), INSTANCES(4),
#if TILE_MR > 4
	INSTANCES(5), INSTANCES(6),
#endif
#if TILE_MR > 6
	INSTANCES(7), INSTANCES(8), INSTANCES(9), INSTANCES(10), INSTANCES(11), INSTANCES(12),
	INSTANCES(13),
#endif
};

static enum arithmetic arithmetic_of(unsigned int dtype)
{
	switch (dtype) {
	case NPU_S8:
		return INTEGER;
	case NPU_F16:
		return EXACT;
	default:
		return FUSED;
	}
}

/* The last columns go through a block of full width. */
static void run_edge(const struct kernel *args, unsigned int rows, unsigned int cols,
		     enum arithmetic arithmetic)
{
	uint32_t edge[TILE_MR * TILE_NR] = { 0 };
	struct kernel part = *args;
	uint32_t *c = args->c;

	for (unsigned int i = 0; i < rows && !args->init; i++)
		memcpy(edge + i * TILE_NR, c + i * args->c_pitch, cols * sizeof(*c));
	part.c = edge;
	part.c_pitch = TILE_NR;
	kernels[rows - 1][arithmetic](&part);
	for (unsigned int i = 0; i < rows; i++)
		memcpy(c + i * args->c_pitch, edge + i * TILE_NR, cols * sizeof(*c));
}

/* Rows this far apart would share a set of the host's L1 cache. */
#define CACHE_WAY 4096

/* Rows m to m + rows of A, columns k to k + depth: converted, unless they can be used in place. */
static struct a_block block_of_a(const struct tile_mmad *args, unsigned int m, unsigned int rows,
				 unsigned int k, unsigned int depth)
{
	struct a_block block = {
		.rows = args->scratch->a, .pitch = TILE_LDA, .bias = args->scratch->bias,
	};

	if (rows > TILE_THIN && args->a_form)
		return form_of_a(args, m, k);
	if (args->dtype == NPU_F32 && rows > TILE_THIN && args->a_pitch % CACHE_WAY) {
		block.rows = (float *)(args->a + m * args->a_pitch) + k;
		block.pitch = args->a_pitch / sizeof(float);
		return block;
	}
	pack_a(args, &block, m, rows, k, depth);
	return block;
}

/* The panel of B at column n, rows k to k + depth. */
static const float *panel_of_b(const struct tile_mmad *args, unsigned int n, unsigned int cols,
			       unsigned int k, unsigned int depth)
{
	if (args->b_form)
		return panel_of_form(args, n, k, depth);
	pack_b(args, args->scratch->b, n, cols, k, depth);
	return args->scratch->b;
}

/* Rows m to m + rows of A, times the panel @b at column n. */
static void multiply_panel(const struct tile_mmad *args, const struct a_block *a, const float *b,
			   unsigned int m, unsigned int rows, unsigned int n, unsigned int cols,
			   unsigned int depth, bool init)
{
	const unsigned int steps = steps_of(args, depth);
	const enum arithmetic arithmetic = arithmetic_of(args->dtype);
	struct kernel kernel = {
		.b = b, .init = init, .a_pitch = a->pitch, .b_pitch = TILE_NR,
		.c_pitch = args->c_pitch / sizeof(float), .steps = steps,
		.next_b = (const char *)(b + steps * TILE_NR),
	};

	for (unsigned int i = 0; i < rows; i += TILE_MR) {
		const unsigned int some = rows - i < TILE_MR ? rows - i : TILE_MR;

		kernel.a = a->rows + i * a->pitch;
		kernel.bias = a->bias + i;
		kernel.c = args->c + (size_t)(m + i) * args->c_pitch + n * sizeof(float);
		if (cols == TILE_NR)
			kernels[some - 1][arithmetic](&kernel);
		else
			run_edge(&kernel, some, cols, arithmetic);
		kernel.next_b += steps * PANEL_ASK;
	}
}

/* F32 that the first level of the cache holds: to convert B as well takes longer than it saves. */
static bool is_small(const struct tile_mmad *args)
{
	return args->dtype == NPU_F32 && args->m >= SMALL_ROWS && args->n % TILE_NR == 0 &&
	       args->m * args->a_pitch <= SMALL_BYTES && args->k * args->b_pitch <= SMALL_BYTES;
}

/* Rows are shared evenly among as few blocks as there can be. Products lie behind each other. */
static void multiply_small(const struct tile_mmad *args)
{
	const unsigned int blocks = (args->m + TILE_MR - 1) / TILE_MR;
	struct kernel kernel = {
		.a_pitch = args->a_pitch / sizeof(float), .b_pitch = args->b_pitch / sizeof(float),
		.c_pitch = args->c_pitch / sizeof(float), .steps = args->k, .init = args->init,
		.next_a = (const char *)args->a + args->m * args->a_pitch,
		.next_b = (const char *)args->b + args->k * args->b_pitch,
	};

	for (unsigned int n = 0; n < args->n; n += TILE_NR) {
		kernel.b = (const float *)args->b + n;
		for (unsigned int i = 0, m = 0; i < blocks; i++) {
			const unsigned int end = args->m * (i + 1) / blocks;

			kernel.a = args->a + m * args->a_pitch;
			kernel.c = args->c + m * args->c_pitch + n * sizeof(float);
			kernels[end - m - 1][FUSED](&kernel);
			kernel.next_a += args->k * SMALL_ASK;
			kernel.next_b += args->k * SMALL_ASK;
			m = end;
		}
	}
}

/* Columns of C for rows m to m + rows of A. */
static void multiply_rows(const struct tile_mmad *args, unsigned int m, unsigned int rows,
			  unsigned int k, unsigned int depth)
{
	const struct a_block a = block_of_a(args, m, rows, k, depth);
	unsigned int n = 0;

	if (rows <= TILE_THIN && args->dtype != NPU_S8)
		n = TILE_NAME(tile_isa_thin)(args, m, rows, k, depth);
	for (; n < args->n; n += TILE_NR) {
		unsigned int cols = args->n - n < TILE_NR ? args->n - n : TILE_NR;
		const float *b = panel_of_b(args, n, cols, k, depth);

		multiply_panel(args, &a, b, m, rows, n, cols, depth, args->init && !k);
	}
}

void TILE_NAME(tile_isa_mmad)(const struct tile_mmad *args)
{
	const unsigned int step = args->dtype == NPU_S8 ? TILE_S8_K * TILE_KC : TILE_KC;

	if (!args->a_form && !args->b_form && is_small(args)) {
		multiply_small(args);
		return;
	}
	for (unsigned int k = 0; k < args->k; k += step) {
		unsigned int depth = args->k - k < step ? args->k - k : step;

		for (unsigned int m = 0; m < args->m; m += TILE_MC)
			multiply_rows(args, m, args->m - m < TILE_MC ? args->m - m : TILE_MC, k,
				      depth);
	}
}

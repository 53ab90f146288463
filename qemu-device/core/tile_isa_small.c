// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MMAD of F32 matrices that the first level of the cache holds: A and B are read where they are,
 * as a copy of them would take longer than it saves.
 */
#include "tile_isa.h"
#include "tile_simd.h"

#define ROWS_MIN 16 /* fewer are for tile_isa_thin() */
#define BYTES_MAX 0x8000 /* of A, and of B with what is between the columns of a panel */
#define GROUP 3 /* rows that addresses reach from one register */

/* Pitches in floats. */
struct kernel {
	const float *a, *b;
	float *c;
	size_t a_pitch, b_pitch, c_pitch;
	unsigned int steps;
	bool init;
};

TILE_INLINE void multiply(const struct kernel *args, unsigned int rows)
{
	const size_t a_pitch = args->a_pitch;
	const float *a[TILE_MR / GROUP + 1], *b = args->b;
	tile_vf acc[TILE_MR][TILE_NV], bv[TILE_NV], av;
	float *c = args->c;

#pragma GCC unroll 5
	for (unsigned int i = 0; i < rows; i += GROUP)
		a[i / GROUP] = args->a + i * a_pitch;
#pragma GCC unroll 12
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			acc[i][j] = args->init ? tile_vf_set(0) :
						 tile_vf_load(c + i * args->c_pitch + j * TILE_VL);
	for (unsigned int k = args->steps; k; k--, b += args->b_pitch) {
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			bv[j] = tile_vf_load(b + j * TILE_VL);
#pragma GCC unroll 12
		for (unsigned int i = 0; i < rows; i++) {
			av = tile_vf_set(a[i / GROUP][i % GROUP * a_pitch]);
#pragma GCC unroll 2
			for (unsigned int j = 0; j < TILE_NV; j++)
				acc[i][j] = tile_vf_fma(av, bv[j], acc[i][j]);
		}
#pragma GCC unroll 5
		for (unsigned int i = 0; i < rows; i += GROUP)
			a[i / GROUP]++;
	}
#pragma GCC unroll 12
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (unsigned int j = 0; j < TILE_NV; j++)
			tile_vf_store(c + i * args->c_pitch + j * TILE_VL,
				      tile_vf_canonical(acc[i][j]));
}

/* An instance for each number of rows keeps the accumulators in registers. */
#define INSTANCE(rows)								\
	static void multiply_##rows(const struct kernel *args)			\
	{									\
		multiply(args, rows);						\
	}

INSTANCE(1)
INSTANCE(2)
INSTANCE(3)
INSTANCE(4)
#if TILE_MR > 4
INSTANCE(5)
INSTANCE(6)
#endif
#if TILE_MR > 6
INSTANCE(7)
INSTANCE(8)
INSTANCE(9)
INSTANCE(10)
INSTANCE(11)
INSTANCE(12)
#endif

static void (*const instances[TILE_MR])(const struct kernel *args) = {
	multiply_1, multiply_2, multiply_3, multiply_4,
#if TILE_MR > 4
	multiply_5, multiply_6,
#endif
#if TILE_MR > 6
	multiply_7, multiply_8, multiply_9, multiply_10, multiply_11, multiply_12,
#endif
};

/* Rows are shared evenly among as few blocks as there can be. */
bool TILE_NAME(tile_isa_small)(const struct tile_mmad *args)
{
	const unsigned int blocks = (args->m + TILE_MR - 1) / TILE_MR;
	struct kernel kernel = {
		.a_pitch = args->a_pitch / sizeof(float), .b_pitch = args->b_pitch / sizeof(float),
		.c_pitch = args->c_pitch / sizeof(float), .steps = args->k, .init = args->init,
	};

	if (args->m < ROWS_MIN || args->n % TILE_NR || args->m * args->a_pitch > BYTES_MAX ||
	    args->k * args->b_pitch > BYTES_MAX)
		return false;
	for (unsigned int n = 0; n < args->n; n += TILE_NR) {
		kernel.b = (const float *)args->b + n;
		for (unsigned int i = 0, m = 0; i < blocks; i++) {
			const unsigned int end = args->m * (i + 1) / blocks;

			kernel.a = (const float *)args->a + m * kernel.a_pitch;
			kernel.c = (float *)args->c + m * kernel.c_pitch + n;
			instances[end - m - 1](&kernel);
			m = end;
		}
	}
	return true;
}

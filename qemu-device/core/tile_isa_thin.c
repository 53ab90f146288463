// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MMAD of few rows. Elements of B are used so few times that to copy them costs more than the
 * products: they are read where they are, by kernels as wide as the registers allow.
 */
#include "tile_convert.h"
#include "tile_isa.h"
#include "tile_simd.h"

/* Accumulators that leave registers for operands; as many hide the latency of a product. */
#define ACCUMULATORS (TILE_VL == 16 ? 16u : 8u)

/* Pitches in bytes, but that of A, which is TILE_LDA floats. */
struct kernel {
	uint8_t *c;
	const float *a;
	const uint8_t *b;
	size_t b_pitch, c_pitch;
	unsigned int steps;
	bool init;
};

TILE_INLINE tile_vf load_b(const uint8_t *src, unsigned int dtype)
{
	float x[TILE_VL];

	if (dtype == NPU_F32)
		return tile_vf_load(src);
	tile_load_f32(x, src, TILE_VL, dtype);
	return tile_vf_load(x);
}

TILE_INLINE void multiply(const struct kernel *args, unsigned int rows, unsigned int vectors,
			  unsigned int dtype)
{
	const size_t vector = TILE_VL * tile_element_size(dtype);
	const uint8_t *b = args->b;
	const float *a = args->a;
	tile_vf acc[8][8], av[8], bv;

#pragma GCC unroll 8
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 8
		for (unsigned int j = 0; j < vectors; j++)
			acc[i][j] = args->init ? tile_vf_set(0) :
						 tile_vf_load(args->c + i * args->c_pitch +
							      j * sizeof(tile_vf));
	for (unsigned int k = args->steps; k; k--, a++, b += args->b_pitch) {
#pragma GCC unroll 8
		for (unsigned int i = 0; i < rows; i++)
			av[i] = tile_vf_set(a[i * TILE_LDA]);
#pragma GCC unroll 8
		for (unsigned int j = 0; j < vectors; j++) {
			bv = load_b(b + j * vector, dtype);
#pragma GCC unroll 8
			for (unsigned int i = 0; i < rows; i++)
				acc[i][j] = dtype == NPU_F16 ?
						    tile_vf_fma_exact(av[i], bv, acc[i][j]) :
						    tile_vf_fma(av[i], bv, acc[i][j]);
		}
	}
#pragma GCC unroll 8
	for (unsigned int i = 0; i < rows; i++)
#pragma GCC unroll 8
		for (unsigned int j = 0; j < vectors; j++)
			tile_vf_store(args->c + i * args->c_pitch + j * sizeof(tile_vf),
				      tile_vf_canonical(acc[i][j]));
}

TILE_INLINE void multiply_any(const struct kernel *args, unsigned int rows, unsigned int vectors,
			      unsigned int dtype)
{
	if (dtype == NPU_F32)
		multiply(args, rows, vectors, NPU_F32);
	else if (dtype == NPU_F16)
		multiply(args, rows, vectors, NPU_F16);
	else
		multiply(args, rows, vectors, NPU_BF16);
}

/* Returns the number of vectors, @vectors if there are enough registers. */
TILE_INLINE unsigned int multiply_wide(const struct kernel *args, unsigned int rows,
				       unsigned int vectors, unsigned int dtype)
{
	if (vectors >= 8 && rows * 8 <= ACCUMULATORS) {
		multiply_any(args, rows, 8, dtype);
		return 8;
	}
	if (vectors >= 4 && rows * 4 <= ACCUMULATORS) {
		multiply_any(args, rows, 4, dtype);
		return 4;
	}
	multiply_any(args, rows, TILE_NV, dtype);
	return TILE_NV;
}

/* An instance for each number of rows keeps the accumulators in registers. */
#define INSTANCE(rows)								\
	static unsigned int multiply_##rows(const struct kernel *args,		\
					    unsigned int vectors, unsigned int dtype)	\
	{									\
		return multiply_wide(args, rows, vectors, dtype);		\
	}

INSTANCE(1)
INSTANCE(2)
INSTANCE(3)
INSTANCE(4)
#if TILE_THIN > 4
INSTANCE(5)
INSTANCE(6)
INSTANCE(7)
INSTANCE(8)
#endif

static unsigned int (*const instances[])(const struct kernel *args, unsigned int vectors,
						  unsigned int dtype) = {
	multiply_1, multiply_2, multiply_3, multiply_4,
#if TILE_THIN > 4
	multiply_5, multiply_6, multiply_7, multiply_8,
#endif
};

unsigned int TILE_NAME(tile_isa_thin)(const struct tile_mmad *args, unsigned int m,
				      unsigned int rows, unsigned int k, unsigned int depth)
{
	const unsigned int cols = args->n - args->n % TILE_NR;
	struct kernel kernel = {
		.a = args->scratch->a, .b_pitch = args->b_pitch, .c_pitch = args->c_pitch,
		.steps = depth, .init = args->init && !k,
	};

	for (unsigned int n = 0; n < cols;) {
		kernel.b = args->b + k * args->b_pitch +
			   (size_t)n * tile_element_size(args->dtype);
		kernel.c = args->c + m * args->c_pitch + n * sizeof(float);
		n += TILE_VL * instances[rows - 1](&kernel, (cols - n) / TILE_VL, args->dtype);
	}
	return cols;
}

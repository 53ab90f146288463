/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands of MMAD as its kernels take them: fp32, B in panels of TILE_NR columns, or S8 as
 * tile_vi_dot() takes it. For the tile_isa_*.c files only.
 */
#ifndef TILE_PACK_H
#define TILE_PACK_H

#include "tile_convert.h"
#include "tile_isa.h"
#include "tile_simd.h"

/* Steps of the kernels in @depth elements of k. */
static inline unsigned int steps_of(const struct tile_mmad *args, unsigned int depth)
{
	return args->dtype == NPU_S8 ? (depth + TILE_S8_K - 1) / TILE_S8_K : depth;
}

/*
 * A block of A as it is multiplied, @pitch elements from row to row; bias goes with S8. Scratch
 * memory is near, a form that is kept may be far.
 */
struct a_block {
	float *rows;
	size_t pitch;
	int32_t *bias;
	bool far;
};

/* Rows m to m + rows of A, columns k to k + depth. */
static inline void pack_a(const struct tile_mmad *args, const struct a_block *to, unsigned int m,
			  unsigned int rows, unsigned int k, unsigned int depth)
{
	const uint8_t *src = args->a + m * args->a_pitch +
			     (size_t)k * tile_element_size(args->dtype);
	const size_t steps = steps_of(args, depth);
	float *dst = to->rows;

	for (unsigned int i = 0; i < rows; i++, src += args->a_pitch, dst += to->pitch) {
		if (to->far && i + TILE_WRITE_AHEAD < rows)
			tile_ask_ahead(dst + TILE_WRITE_AHEAD * to->pitch, steps * sizeof(*dst));
		if (args->dtype != NPU_S8) {
			tile_load_f32(dst, src, depth, args->dtype);
			continue;
		}
		memset((uint32_t *)dst + (depth - 1) / TILE_S8_K, 0, sizeof(*dst));
		to->bias[i] = tile_s8_pack_a(dst, (const int8_t *)src, depth);
	}
}

static inline void pack_b_s8(const struct tile_mmad *args, uint32_t *dst, const uint8_t *src,
			     unsigned int cols, unsigned int depth)
{
	int8_t rows[TILE_S8_K][TILE_NR] = { 0 };

	for (unsigned int k = 0; k < depth; dst += TILE_NR) {
		for (unsigned int i = 0; i < TILE_S8_K; i++, k++, src += args->b_pitch) {
			if (k < depth && cols == TILE_NR)
				memcpy(rows[i], src, TILE_NR);
			else if (k < depth)
				memcpy(rows[i], src, cols);
		}
		tile_s8_pack_b(dst, rows);
	}
}

/* Columns n to n + cols of B, rows k to k + depth, in rows of TILE_NR padded with zeros. */
static inline void pack_b(const struct tile_mmad *args, float *dst, unsigned int n, unsigned int cols,
			  unsigned int k, unsigned int depth)
{
	const uint8_t *src = args->b + k * args->b_pitch +
			     (size_t)n * tile_element_size(args->dtype);

	if (args->dtype == NPU_S8) {
		pack_b_s8(args, (uint32_t *)dst, src, cols, depth);
		return;
	}
	if (cols == TILE_NR) {
		for (; depth; depth--, src += args->b_pitch, dst += TILE_NR)
			tile_load_f32(dst, src, TILE_NR, args->dtype);
		return;
	}
	memset(dst, 0, depth * TILE_NR * sizeof(*dst));
	for (; depth; depth--, src += args->b_pitch, dst += TILE_NR)
		tile_load_f32(dst, src, cols, args->dtype);
}

/* Where rows m and on, columns k and on are in A's form: chunk of k by chunk, then S8's bias. */
static inline struct a_block form_of_a(const struct tile_mmad *args, unsigned int m,
				       unsigned int k)
{
	const size_t pitch = tile_form_pitch(steps_of(args, args->k));
	const size_t chunks = (steps_of(args, args->k) + TILE_KC - 1) / TILE_KC;
	const size_t row = steps_of(args, k) / TILE_KC * args->m + m;

	return (struct a_block) {
		.rows = args->a_form->data + row * pitch,
		.pitch = pitch,
		.bias = (int32_t *)args->a_form->data + chunks * args->m * pitch + row,
		.far = true,
	};
}

/* Where the panel at column n, of rows k to k + depth, is in B's form. */
static inline float *panel_of_form(const struct tile_mmad *args, unsigned int n, unsigned int k,
				   unsigned int depth)
{
	const size_t width = (args->n + TILE_NR - 1) / TILE_NR * TILE_NR;

	return args->b_form->data + steps_of(args, k) * width + steps_of(args, depth) * (size_t)n;
}

#endif /* TILE_PACK_H */

// SPDX-License-Identifier: GPL-2.0-or-later
/* Operands of MMAD that are kept are brought into their form. */
#include "tile_pack.h"

/* Rows k to k + depth of B: row by row, as they may come from far away. */
static void fill_b(const struct tile_mmad *args, unsigned int k, unsigned int depth)
{
	const unsigned int whole = args->dtype == NPU_S8 ? 0 : args->n / TILE_NR * TILE_NR;
	const unsigned int size = tile_element_size(args->dtype);
	const uint8_t *src = args->b + k * args->b_pitch;

	for (unsigned int i = 0; i < depth; i++, src += args->b_pitch)
		for (unsigned int n = 0; n < whole; n += TILE_NR) {
			float *dst = panel_of_form(args, n, k, depth) + i * TILE_NR;

			tile_ask_ahead(dst + TILE_WRITE_AHEAD * TILE_NR, TILE_NR * sizeof(*dst));
			tile_load_f32(dst, src + n * size, TILE_NR, args->dtype);
		}
	for (unsigned int n = whole; n < args->n; n += TILE_NR)
		pack_b(args, panel_of_form(args, n, k, depth), n,
		       args->n - n < TILE_NR ? args->n - n : TILE_NR, k, depth);
}

static void fill_a(const struct tile_mmad *args, unsigned int k, unsigned int depth)
{
	const struct a_block block = form_of_a(args, 0, k);

	pack_a(args, &block, 0, args->m, k, depth);
}

void TILE_NAME(tile_isa_form)(const struct tile_mmad *args)
{
	const unsigned int step = args->dtype == NPU_S8 ? TILE_S8_K * TILE_KC : TILE_KC;

	for (unsigned int k = 0; k < args->k; k += step) {
		const unsigned int depth = args->k - k < step ? args->k - k : step;

		if (args->a_form && !args->a_form->full)
			fill_a(args, k, depth);
		if (args->b_form && !args->b_form->full)
			fill_b(args, k, depth);
	}
}

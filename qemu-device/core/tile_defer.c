// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Results of the vector engine on their way to global memory. What a program stores it has mostly
 * just computed: so an elementwise operation waits for the next instruction, flags aside. If that
 * is the COPY of all that it writes, it is carried out with global memory as its destination, and
 * what it writes in UB is noted to have been moved from there (tile_lazy.c). Before anything else
 * that could tell, it is carried out in UB.
 */
#include <string.h>

#include "tile_internal.h"
#include "tile_rows.h"

#define DEFER_BYTES 2048 /* less is not worth it */

static void carry_out(struct npu_tile *tile, struct tile_vec args)
{
	tile->waits = false;
	tile_join_rows(&args, tile->scratch->waiting.operands);
	tile->isa->vector(&args);
}

/* Would any operand be written, by results that go to @host, before it is read? */
static bool any_clashes(const struct tile_vec *args, const struct tile_rect *dst,
			const uint8_t *host)
{
	const size_t size = tile_dtype_size(args->dtype), row_bytes = args->count * size;

	return tile_clashes(args->src0, args->src0_pitch, row_bytes, dst, host) ||
	       tile_clashes(args->src1, args->src1_pitch, args->src1_element ? size : row_bytes,
			    dst, host) ||
	       tile_clashes(args->mask, args->mask_pitch, row_bytes, dst, host) ||
	       tile_clashes(args->shifts, args->scale_pitch, sizeof(float), dst, host) ||
	       tile_clashes(args->factors, args->scale_pitch, sizeof(float), dst, host);
}

bool tile_defer(struct npu_tile *tile, const struct tile_vec *args, unsigned int operands,
		const struct tile_rect *dst)
{
	struct tile_waiting *w = &tile->scratch->waiting;

	if (tile->eager || dst->rows * dst->row_bytes < DEFER_BYTES || !tile_rect_dense(dst) ||
	    any_clashes(args, dst, args->dst))
		return false;
	w->args = *args;
	w->operands = operands;
	w->row_bytes = dst->row_bytes;
	if (args->src1_element && !args->src1_pitch) {
		memcpy(&w->element, args->src1, tile_dtype_size(args->dtype));
		w->args.src1 = (const uint8_t *)&w->element;
	}
	tile->waits = true;
	return true;
}

void tile_defer_run(struct npu_tile *tile)
{
	carry_out(tile, tile->scratch->waiting.args);
}

/* Is it of all rows that are to be written, and of nothing else? */
static bool stores_all(const struct tile_waiting *w, const struct tile_rect *dst,
		       const uint8_t *src, size_t src_pitch)
{
	return src == w->args.dst && dst->rows == w->args.rows && dst->row_bytes == w->row_bytes &&
	       tile_rect_dense(dst) && (dst->rows == 1 || src_pitch == w->args.dst_pitch);
}

enum npu_status tile_defer_store(struct npu_tile *tile, const struct tile_rect *dst,
				 const uint8_t *src, size_t src_pitch, bool *stored)
{
	const struct tile_waiting *w = &tile->scratch->waiting;
	struct tile_vec args = w->args;
	enum npu_status status = NPU_ST_OK;
	uint8_t *host = NULL;

	*stored = false;
	if (stores_all(w, dst, src, src_pitch))
		status = tile_gm_target(tile, dst, sizeof(float), &host);
	if (!host) {
		tile_defer_run(tile);
		return status;
	}
	*stored = true;
	if (any_clashes(&args, dst, host)) {
		tile_defer_run(tile);
		tile_copy_rows(host, dst->pitch, src, src_pitch, dst->row_bytes, dst->rows);
		return NPU_ST_OK;
	}
	args.dst = host;
	args.dst_pitch = dst->pitch;
	carry_out(tile, args);
	tile_lazy_move(tile, &(struct tile_move) {
		.dst = w->args.dst, .src = host, .dst_pitch = w->args.dst_pitch,
		.src_pitch = dst->pitch, .row_bytes = dst->row_bytes, .rows = dst->rows,
		.global = true,
	});
	return NPU_ST_OK;
}

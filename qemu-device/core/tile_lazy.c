// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LOAD0 without the copy. What it puts in L0 is in L1 as well, mostly until the next LOAD0 to the
 * same place: so it is only noted, and MMAD reads L1. Before anything else reads or writes L0
 * there, or writes L1 where it came from, it is copied after all. No program can tell.
 */
#include "tile_internal.h"
#include "tile_rows.h"

static bool overlaps(const uint8_t *a, uint64_t a_span, const uint8_t *b, uint64_t b_span)
{
	return a < b + b_span && b < a + a_span;
}

static uint64_t load_span(const struct tile_load *load, size_t pitch)
{
	return (load->rows - 1) * pitch + load->row_bytes;
}

static void settle(struct tile_load *load)
{
	tile_copy_rows(load->dst, load->dst_pitch, load->src, load->src_pitch, load->row_bytes,
		       load->rows);
	load->rows = 0;
}

void npu_tile_settle(struct npu_tile *tile)
{
	for (unsigned int i = 0; i < TILE_LOADS; i++)
		if (tile->loads[i].rows)
			settle(&tile->loads[i]);
}

void tile_lazy_touch(struct npu_tile *tile, const uint8_t *host, uint64_t span, bool write)
{
	for (unsigned int i = 0; i < TILE_LOADS; i++) {
		struct tile_load *load = &tile->loads[i];

		if (!load->rows)
			continue;
		if (overlaps(load->dst, load_span(load, load->dst_pitch), host, span) ||
		    (write && overlaps(load->src, load_span(load, load->src_pitch), host, span)))
			settle(load);
	}
}

/* Is all that @old has put somewhere overwritten by @load? */
static bool covers(const struct tile_load *load, const struct tile_load *old)
{
	return load->dst == old->dst && load->dst_pitch == old->dst_pitch &&
	       load->rows >= old->rows && load->row_bytes >= old->row_bytes;
}

void tile_lazy_load(struct npu_tile *tile, const struct tile_load *load)
{
	struct tile_load *slot = NULL;

	for (unsigned int i = 0; i < TILE_LOADS; i++) {
		struct tile_load *old = &tile->loads[i];

		if (old->rows && covers(load, old))
			old->rows = 0;
		if (!old->rows)
			slot = old;
	}
	tile_lazy_touch(tile, load->dst, load_span(load, load->dst_pitch), true);
	if (!slot) {
		slot = &tile->loads[tile->next_load++ % TILE_LOADS];
		if (slot->rows)
			settle(slot);
	}
	*slot = *load;
}

const uint8_t *tile_lazy_find(struct npu_tile *tile, const uint8_t *host, size_t *pitch,
			      uint64_t row_bytes, uint64_t rows)
{
	for (unsigned int i = 0; i < TILE_LOADS; i++) {
		const struct tile_load *load = &tile->loads[i];

		if (load->dst != host || load->rows < rows || load->row_bytes < row_bytes ||
		    load->dst_pitch != *pitch)
			continue;
		*pitch = load->src_pitch;
		return load->src;
	}
	tile_lazy_touch(tile, host, (rows - 1) * *pitch + row_bytes, false);
	return host;
}

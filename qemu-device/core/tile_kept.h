/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands of MMAD that come again: rows of global memory that tile after tile multiplies, in the
 * form that the host's loops take, so that they are converted and brought near once.
 *
 * They are what the memory held when a kernel's block read it first. Those who use them must not
 * be able to know of a change since: tile.h says who can. One thread uses it at a time.
 */
#ifndef TILE_KEPT_H
#define TILE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tile_form;
struct tile_kept;

/* An operand: where it is, its shape, and what else tells its form from others. */
struct tile_kept_key {
	const uint8_t *src;
	size_t pitch;
	uint32_t rows, row_bytes, dtype;
	bool is_b;
	const void *isa;
};

/* tile_kept_new() - with nothing in it; NULL: no memory. Most of it is not touched until used. */
struct tile_kept *tile_kept_new(void);
void tile_kept_free(struct tile_kept *kept);

/* tile_kept_drop() - all of it may have changed. */
void tile_kept_drop(struct tile_kept *kept);
/* tile_kept_written() - @span bytes at @host are about to be written. */
void tile_kept_written(struct tile_kept *kept, const uint8_t *host, uint64_t span);

/*
 * tile_kept_find() - the form of an operand that takes @floats, or NULL: it has not come before, and
 * is not kept. It is valid until the next call but one.
 */
struct tile_form *tile_kept_find(struct tile_kept *kept, const struct tile_kept_key *key,
				 size_t floats);

#endif /* TILE_KEPT_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of rows that lie some pitch apart. */
#ifndef TILE_ROWS_H
#define TILE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void tile_copy_rows(uint8_t *dst, size_t dst_pitch, const uint8_t *src,
				  size_t src_pitch, size_t row_bytes, size_t rows)
{
	if (dst_pitch == row_bytes && src_pitch == row_bytes) {
		memcpy(dst, src, row_bytes * rows);
		return;
	}
	/* An element of each row, mostly: a call for each would take longer than the copy. */
	if (row_bytes == sizeof(uint32_t)) {
		for (; rows; rows--, dst += dst_pitch, src += src_pitch)
			memcpy(dst, src, sizeof(uint32_t));
		return;
	}
	for (; rows; rows--, dst += dst_pitch, src += src_pitch)
		memcpy(dst, src, row_bytes);
}

#endif /* TILE_ROWS_H */

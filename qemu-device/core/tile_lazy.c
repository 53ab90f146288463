// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves without a copy: COPY from global memory, and LOAD0. What they move stays where it came
 * from as well, mostly until the next move to the same place: so a move is only noted, and MMAD
 * and the vector engine read the source. Before anything else reads or writes the place, or writes
 * the source, it is carried out after all. The program cannot tell, nor can others: the core around
 * has moves carried out before the program can say that it has read what they read.
 */
#include "tile_internal.h"
#include "tile_rows.h"

static bool overlaps(const uint8_t *a, uint64_t a_span, const uint8_t *b, uint64_t b_span)
{
	return a < b + b_span && b < a + a_span;
}

static uint64_t move_span(const struct tile_move *move, size_t pitch)
{
	return (move->rows - 1) * pitch + move->row_bytes;
}

static enum tile_place place_of(const struct npu_tile *tile, const uint8_t *host)
{
	if ((size_t)(host - tile->ub) < NPU_UB_SIZE)
		return TILE_AT_UB;
	if ((size_t)(host - tile->l1) < NPU_L1_SIZE)
		return TILE_AT_L1;
	return (size_t)(host - tile->memory) < TILE_MEMORY_SIZE ? TILE_AT_OTHERS : TILE_AT_GM;
}

/* Moves that may have to do with @host; most instructions have to do with none. */
static unsigned int moves_near(const struct npu_tile *tile, const uint8_t *host)
{
	return tile->moves_pending ?
		       tile->moves_pending & tile->moves_at[place_of(tile, host)] : 0;
}

static void settle(struct npu_tile *tile, unsigned int i)
{
	const struct tile_move *move = &tile->moves[i];

	tile_copy_rows(move->dst, move->dst_pitch, move->src, move->src_pitch, move->row_bytes,
		       move->rows);
	tile->moves_pending &= ~(1u << i);
}

void npu_tile_settle(struct npu_tile *tile)
{
	if (tile->waits)
		tile_defer_run(tile);
	while (tile->moves_pending)
		settle(tile, __builtin_ctz(tile->moves_pending));
}

void npu_tile_forget(struct npu_tile *tile)
{
	tile->moves_pending = 0;
	tile->waits = false;
}

void npu_tile_share(struct npu_tile *tile, uint64_t address, bool write)
{
	const bool global = tile_is_global(address);

	if (!global && tile_buffer_of(address) != TILE_UB)
		return;
	tile->aware = true;
	if (global && !write)
		return;
	npu_tile_settle(tile);
	tile->eager = true;
}

void tile_lazy_touch(struct npu_tile *tile, const uint8_t *host, uint64_t span, bool write)
{
	for (unsigned int left = moves_near(tile, host); left; left &= left - 1) {
		const unsigned int i = __builtin_ctz(left);
		const struct tile_move *move = &tile->moves[i];

		if (overlaps(move->dst, move_span(move, move->dst_pitch), host, span) ||
		    (write && overlaps(move->src, move_span(move, move->src_pitch), host, span)))
			settle(tile, i);
	}
}

/* Is all that @old has put somewhere overwritten by @move? */
static bool covers(const struct tile_move *move, const struct tile_move *old)
{
	if (move->rows == 1)
		return old->dst >= move->dst && old->dst + move_span(old, old->dst_pitch) <=
							move->dst + move->row_bytes;
	return move->dst == old->dst && (move->dst_pitch == old->dst_pitch || old->rows == 1) &&
	       move->rows >= old->rows && move->row_bytes >= old->row_bytes;
}

/*
 * A shorter @move to the place of @old leaves it the rest, as when the last group of rows is small.
 * Only of rows without gaps, which are one.
 */
static void cut(const struct tile_move *move, struct tile_move *old)
{
	if (move->rows > 1 || old->rows > 1 || move->dst != old->dst)
		return;
	old->dst += move->row_bytes;
	old->src += move->row_bytes;
	old->row_bytes -= move->row_bytes;
}

/* Rows without gaps are one. */
static struct tile_move joined(const struct tile_move *rows)
{
	struct tile_move move = *rows;

	if (move.dst_pitch == move.row_bytes &&
	    (move.src_pitch == move.row_bytes || !move.src)) {
		move.row_bytes *= move.rows;
		move.rows = 1;
	}
	return move;
}

void tile_lazy_write(struct npu_tile *tile, const struct tile_move *rows)
{
	const struct tile_move all = joined(rows);

	for (unsigned int left = moves_near(tile, all.dst); left; left &= left - 1) {
		const unsigned int i = __builtin_ctz(left);

		if (covers(&all, &tile->moves[i]))
			tile->moves_pending &= ~(1u << i);
		else
			cut(&all, &tile->moves[i]);
	}
	tile_lazy_touch(tile, all.dst, move_span(&all, all.dst_pitch), true);
}

/* Room for a move: an operand that stays for long is not copied because others come and go. */
static unsigned int free_slot(struct npu_tile *tile)
{
	const unsigned int free = ~tile->moves_pending & ((1u << TILE_MOVES) - 1);
	unsigned int slot;

	if (free)
		return __builtin_ctz(free);
	slot = tile->next_move++ % TILE_MOVES;
	settle(tile, slot);
	return slot;
}

void tile_lazy_move(struct npu_tile *tile, const struct tile_move *move)
{
	struct tile_move place = *move;
	unsigned int slot;

	place.src = NULL;
	tile_lazy_write(tile, &place);
	slot = free_slot(tile);
	tile->moves[slot] = joined(move);
	tile->moves_pending |= 1u << slot;
	for (unsigned int i = 0; i < TILE_PLACES; i++)
		tile->moves_at[i] &= ~(1u << slot);
	tile->moves_at[place_of(tile, move->dst)] |= 1u << slot;
	tile->moves_at[place_of(tile, move->src)] |= 1u << slot;
}

/* Where rows at @host are that @move has moved; NULL if it has not moved all of them. */
static const uint8_t *find_in(const struct tile_move *move, const uint8_t *host, size_t *pitch,
			      uint64_t row_bytes, uint64_t rows)
{
	const uint64_t at = host - move->dst, span = (rows - 1) * *pitch + row_bytes;
	uint64_t row = 0, col = at;

	if (at >= move_span(move, move->dst_pitch))
		return NULL;
	/* One long row can be cut in any way. */
	if (move->rows > 1) {
		row = at / move->dst_pitch;
		col = at % move->dst_pitch;
	} else if (at + span <= move->row_bytes) {
		return move->src + at;
	}
	if (row + rows > move->rows || col + row_bytes > move->row_bytes ||
	    (rows > 1 && *pitch != move->dst_pitch))
		return NULL;
	*pitch = move->src_pitch;
	return move->src + row * move->src_pitch + col;
}

const uint8_t *tile_lazy_find(struct npu_tile *tile, const uint8_t *host, size_t *pitch,
			      uint64_t row_bytes, uint64_t rows, unsigned int align, bool *global)
{
	const uint64_t distinct = *pitch ? rows : 1;

	for (unsigned int left = moves_near(tile, host); left; left &= left - 1) {
		const struct tile_move *move = &tile->moves[__builtin_ctz(left)];
		size_t found_pitch = *pitch;
		const uint8_t *found = find_in(move, host, &found_pitch, row_bytes, distinct);

		if (!found || ((uintptr_t)found | found_pitch) % align)
			continue;
		if (distinct > 1)
			*pitch = found_pitch;
		*global = move->global;
		return found;
	}
	*global = false;
	tile_lazy_touch(tile, host, (rows - 1) * *pitch + row_bytes, false);
	return host;
}

/* SPDX-License-Identifier: MIT */
/* Walks over strided tensors, a tile of rows and columns at a time. */
#ifndef OP_WALK_H
#define OP_WALK_H

#include "npu_kernel.h"
#include "npu_op_elementwise.h"

/* A tile: where it begins, and its size. */
struct tile {
	uint64_t outer[NPU_OP_OUTER];
	uint64_t row, col;
	uint32_t outer_dims;
	uint32_t rows, cols;
	uint32_t pitch; /* elements */
	uint32_t elements; /* with those that pad the rows */
};

static inline uint64_t walk_tiles(const struct npu_op_walk *w)
{
	uint64_t tiles = npu_ceil_div(w->rows, w->tile_rows) * npu_ceil_div(w->cols, w->tile_cols);

	for (uint32_t i = 0; i < w->outer_dims; i++)
		tiles *= w->outer[i];
	return tiles;
}

static inline struct tile walk_tile(const struct npu_op_walk *w, uint64_t index)
{
	const uint64_t across = npu_ceil_div(w->cols, w->tile_cols);
	const uint64_t down = npu_ceil_div(w->rows, w->tile_rows);
	struct tile t;

	t.col = index % across * w->tile_cols;
	index /= across;
	t.row = index % down * w->tile_rows;
	index /= down;
	t.outer_dims = w->outer_dims;
	for (uint32_t i = w->outer_dims; i--; index /= w->outer[i])
		t.outer[i] = index % w->outer[i];
	t.rows = npu_min(w->tile_rows, w->rows - t.row);
	t.cols = npu_min(w->tile_cols, w->cols - t.col);
	t.pitch = w->pitch;
	t.elements = t.rows > 1 ? t.rows * t.pitch : t.cols;
	return t;
}

static inline uint64_t walk_address(const struct npu_op_operand *o, const struct tile *t)
{
	uint64_t at = o->address + t->row * o->row;

	for (uint32_t i = 0; i < t->outer_dims; i++)
		at += t->outer[i] * o->outer[i];
	return o->col ? at + t->col * npu_dtype_bytes(o->dtype) : at;
}

/*
 * walk_load() - a tile to UB; where all elements of a row are the same one, only that, at the
 * start of 32 bytes, for walk_expand().
 */
static inline void walk_load(npu_addr to, const struct npu_op_operand *o, const struct tile *t)
{
	const uint32_t bytes = npu_dtype_bytes(o->dtype);
	const uint32_t width = o->col ? t->cols * bytes : bytes;
	const uint32_t pitch = o->col ? t->pitch * bytes : NPU_TILE_ALIGN;

	if (t->rows == 1 || (width == pitch && o->row == pitch))
		npu_copy(to, walk_address(o, t), width * t->rows);
	else
		npu_copy_2d(to, walk_address(o, t), width, t->rows, pitch, o->row);
}

static inline void walk_store(npu_addr from, const struct npu_op_operand *o, const struct tile *t)
{
	const uint32_t bytes = npu_dtype_bytes(o->dtype);
	const uint32_t width = t->cols * bytes, pitch = t->pitch * bytes;

	if (t->rows == 1 || (width == pitch && o->row == pitch))
		npu_copy(walk_address(o, t), from, width * t->rows);
	else
		npu_copy_2d(walk_address(o, t), from, width, t->rows, o->row, pitch);
}

/*
 * walk_clear() - Operations on a tile are on one long row. Where operands of several sizes make
 * gaps between the rows of the one at @area that no load writes, they are zeroed, once.
 */
static inline void walk_clear(npu_addr area, const struct npu_op_operand *o,
			      const struct npu_op_walk *w)
{
	const uint32_t bytes = npu_dtype_bytes(o->dtype);

	if (w->tile_rows > 1 && w->pitch * bytes != npu_align(w->tile_cols * bytes))
		npu_vdup(area, 0, w->tile_rows * w->pitch, o->dtype);
}

/* walk_expand() - rows of a tile from one element each. */
static inline void walk_expand(npu_addr to, npu_addr from, uint32_t dtype, const struct tile *t)
{
	const uint32_t bytes = npu_dtype_bytes(dtype);
	const uint32_t bits = bytes == 4 ? NPU_S32 : bytes == 2 ? NPU_S16 : NPU_U8;

	npu_vdup(to, 0, t->elements, bits);
	npu_vec_rows(t->rows, t->pitch * bytes, t->pitch * bytes, NPU_TILE_ALIGN);
	npu_vorr(to, to, from, t->cols, bits);
	npu_vec_one_row();
}

#endif /* OP_WALK_H */

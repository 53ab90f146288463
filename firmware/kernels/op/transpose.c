/* SPDX-License-Identifier: MIT */
/*
 * Transposed matrices of any type. LOAD0 transposes on the way to L0A, from where only the cube
 * reads: it multiplies the bytes with the identity, in S8, which is exact, and fixpipe stores
 * them as bytes again. The identity is of 32 x 32, so 32 bytes of each row go at a time.
 */
#include "npu_kernel.h"
#include "npu_op_transpose.h"

#define SLOTS 2
#define SLAB NPU_TILE_ALIGN /* bytes of a row that go at a time */
#define ROWS NPU_OP_TRANSPOSE_ROWS
#define BYTES NPU_OP_TRANSPOSE_BYTES

/* In L1: tiles as they are in x, and the identity. In UB: transposed, and converted. */
#define TILE (ROWS * BYTES)
#define IDENTITY (NPU_L1_BASE + SLOTS * TILE)
#define CAST (NPU_UB_BASE + SLOTS * TILE)
#define CAST_SLOT (2 * TILE) /* tile_cols() sees to it that this is enough */
_Static_assert(IDENTITY + SLAB * SLAB <= NPU_L1_BASE + NPU_L1_SIZE, "L1 overflows");
_Static_assert(CAST + SLOTS * CAST_SLOT <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");
_Static_assert(SLOTS * ROWS * SLAB <= NPU_L0A_SIZE, "L0A overflows");
_Static_assert(SLOTS * ROWS * SLAB * 4 <= NPU_L0C_SIZE, "L0C overflows");

struct tile {
	uint64_t x, out; /* of its first element */
	uint32_t rows, cols;
	uint32_t x_bytes, out_bytes; /* of an element */
};

static void make_identity(void)
{
	npu_vdup(NPU_UB_BASE, 0, SLAB * SLAB, NPU_U8);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_S, 0);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_S, 0);
	for (uint32_t i = 0; i < SLAB; i++)
		*(volatile uint8_t *)(uintptr_t)(NPU_UB_BASE + i * (SLAB + 1)) = 1;
	npu_set_flag(NPU_PIPE_S, NPU_PIPE_MTE3, 0);
	npu_wait_flag(NPU_PIPE_S, NPU_PIPE_MTE3, 0);
	npu_copy(IDENTITY, NPU_UB_BASE, SLAB * SLAB);
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE1, 0);
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE1, 0);
	npu_load0(NPU_L0B_BASE, IDENTITY, SLAB, SLAB, SLAB, SLAB, NPU_S8, 0);
}

/* Bytes from column to column of a tile in L1. */
static uint32_t l1_pitch(const struct tile *t)
{
	return npu_align(t->rows * t->x_bytes);
}

/* Columns from @col on become bytes of the rows in UB at @to. */
static void transpose_slab(const struct tile *t, npu_addr to, npu_addr from, uint32_t col,
			   uint32_t half, uint32_t dtype)
{
	const uint32_t cols = npu_min(SLAB / t->x_bytes, t->cols - col);
	const uint32_t bytes = cols * t->x_bytes;
	const npu_addr l0a = NPU_L0A_BASE + half * ROWS * SLAB;
	const npu_addr l0c = NPU_L0C_BASE + half * ROWS * SLAB * 4;

	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	npu_load0(l0a, from + col * l1_pitch(t), cols, t->rows, SLAB, l1_pitch(t), dtype, 1);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_M, half);
	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
	npu_mmad(l0c, l0a, NPU_L0B_BASE, t->rows, bytes, bytes, NPU_S8, 1);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_FIX, half);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_FIX, half);
	npu_fixpipe(to + col * t->x_bytes, l0c, t->rows, bytes, BYTES, NPU_S32, NPU_S8, 0, 1);
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
}

/* From fixpipe to MTE3, through a conversion if there is one. */
static void store(const struct npu_op_transpose_args *args, const struct tile *t, npu_addr from,
		  uint32_t slot)
{
	const npu_addr cast = CAST + slot * CAST_SLOT;
	const uint32_t cast_pitch = npu_align(t->cols * t->out_bytes);
	const int casts = args->x_dtype != args->out_dtype;

	if (casts) {
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_V, slot);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_V, slot);
		npu_vec_rows(t->rows, cast_pitch, BYTES, 0);
		npu_vcast(cast, from, t->cols, args->x_dtype, args->out_dtype, 0);
		npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
		npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
	} else {
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_MTE3, slot);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_MTE3, slot);
	}
	npu_copy_2d(t->out, casts ? cast : from, t->cols * t->out_bytes, t->rows, args->row_out,
		    casts ? cast_pitch : BYTES);
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
}

static void transpose(const struct npu_op_transpose_args *args, const struct tile *t, uint32_t slot)
{
	const npu_addr l1 = NPU_L1_BASE + slot * TILE, ub = NPU_UB_BASE + slot * TILE;
	const uint32_t step = SLAB / t->x_bytes;
	uint32_t half = 0;

	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	npu_copy_2d(l1, t->x, t->rows * t->x_bytes, t->cols, l1_pitch(t), args->col_x);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
	for (uint32_t col = 0; col < t->cols; col += step, half = !half)
		transpose_slab(t, ub, l1, col, half, args->x_dtype);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	store(args, t, ub, slot);
}

/* Columns of a tile: as many as fit when they are wider in out. */
static uint32_t tile_cols(const struct npu_op_transpose_args *args)
{
	const uint32_t x_bytes = npu_dtype_bytes(args->x_dtype);
	const uint32_t out_bytes = npu_dtype_bytes(args->out_dtype);

	return npu_min(BYTES / x_bytes, CAST_SLOT / ROWS / out_bytes);
}

static struct tile tile_at(const struct npu_op_transpose_args *args, uint64_t index)
{
	const uint32_t cols = tile_cols(args);
	const uint64_t across = npu_ceil_div(args->cols, cols);
	const uint64_t down = npu_ceil_div(args->rows, ROWS);
	struct tile t = {
		.x_bytes = npu_dtype_bytes(args->x_dtype),
		.out_bytes = npu_dtype_bytes(args->out_dtype),
	};
	const uint64_t col = index % across * cols, row = index / across % down * ROWS;

	t.x = args->x + col * args->col_x + row * t.x_bytes;
	t.out = args->out + row * args->row_out + col * t.out_bytes;
	t.rows = npu_min(ROWS, args->rows - row);
	t.cols = npu_min(cols, args->cols - col);
	index = index / across / down;
	for (unsigned int i = NPU_OP_TRANSPOSE_OUTER; i--; index /= args->outer[i]) {
		t.x += index % args->outer[i] * args->outer_x[i];
		t.out += index % args->outer[i] * args->outer_out[i];
	}
	return t;
}

static uint64_t tiles(const struct npu_op_transpose_args *args)
{
	uint64_t count = npu_ceil_div(args->cols, tile_cols(args)) * npu_ceil_div(args->rows, ROWS);

	for (unsigned int i = 0; i < NPU_OP_TRANSPOSE_OUTER; i++)
		count *= args->outer[i];
	return count;
}

/* All buffers are free at first: the flags that say so are set here, and taken at the end. */
static void flags_begin(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, i);
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, i);
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, i);
	}
}

static void flags_end(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, i);
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, i);
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, i);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, i);
	}
}

NPU_ARGS(op_transpose, struct npu_op_transpose_args, in(x), out(out), array(outer), array(outer_x),
	 array(outer_out), value(rows), value(cols), value(col_x), value(row_out), value(x_dtype),
	 value(out_dtype));

NPU_KERNEL(op_transpose, struct npu_op_transpose_args)
{
	const struct npu_span mine = npu_split(tiles(args), 1, block, blocks);

	make_identity();
	flags_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const struct tile t = tile_at(args, i);

		transpose(args, &t, (i - mine.begin) % SLOTS);
	}
	flags_end();
}

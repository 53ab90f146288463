/* SPDX-License-Identifier: MIT */
/*
 * A matrix of 4 bits for the cube: pieces of it come packed to UB, where the vector engine makes
 * elements of the other matrix's type of them, each times the scale of its group, and MTE3 puts
 * them into L1. A piece is of one group of k: rows of k with a scale a column, or, where the
 * matrix is stored the other way round, a row for each m or n with a scale of its own.
 */
#ifndef OP_GEMM_S4_H
#define OP_GEMM_S4_H

#include "gemm_output.h"
#include "s4.h"

#define S4_ROWS 32 /* of k in a piece, which a group is a multiple of */
#define S4_COLS NPU_GEMM_TILE_N /* elements of a row of a piece, at most */
#define S4_PACKED_BYTES (S4_ROWS * S4_COLS / 2)
#define S4_SLOTS 2
#define S4_FLAG 4 /* of the first slot, beside those of the output */
#define S4_OUTPUT_AREA 0x3000 /* what is left of UB for the output's areas */

#define S4_TURNED_ROWS 64 /* of a piece that has a scale a row, at most */

/* Areas of a slot. Rows of few elements are padded most while they are packed. */
#define S4_PACKED 0
#define S4_BYTES (S4_PACKED + S4_PACKED_BYTES)
#define S4_HIGH (S4_BYTES + S4_ROWS * S4_COLS)
#define S4_FLOATS (S4_HIGH + S4_ROWS * S4_COLS)
#define S4_SCALES (S4_FLOATS + S4_ROWS * S4_COLS * 4)
#define S4_SLOT (S4_SCALES + S4_TURNED_ROWS * NPU_TILE_ALIGN)
#define S4_BASE (NPU_UB_BASE + OUTPUT_SLOTS * OUTPUT_AREAS * S4_OUTPUT_AREA)
_Static_assert(S4_COLS * 4 <= S4_TURNED_ROWS * NPU_TILE_ALIGN, "scales of a row overflow");
_Static_assert(S4_BASE + S4_SLOTS * S4_SLOT <= OUTPUT_BIAS_N, "UB overflows");

/*
 * struct s4 - source of a struct gemm_operand
 * @scales: of the product at hand
 */
struct s4 {
	const struct npu_op_gemm_args *args;
	npu_addr scales;
};

/* A piece: its elements in memory, and how they lie there. */
struct s4_piece {
	npu_addr from, scales;
	uint32_t rows, cols;
	int k_rows;
};

static inline void s4_begin(void)
{
	for (uint32_t slot = 0; slot < S4_SLOTS; slot++) {
		npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE2, S4_FLAG + slot);
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_V, S4_FLAG + slot);
	}
}

static inline void s4_end(void)
{
	for (uint32_t slot = 0; slot < S4_SLOTS; slot++) {
		npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE2, S4_FLAG + slot);
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_V, S4_FLAG + slot);
	}
}

/* MTE2 brings a piece and its scales, which are 32 bytes apart if each has a row. */
static inline void s4_fetch(const struct gemm_operand *op, npu_addr slot, const struct s4_piece *p)
{
	const struct s4 *source = op->source;
	const uint32_t packed = npu_ceil_div(p->cols, 2);

	npu_copy_2d(slot + S4_PACKED, p->from, packed, p->rows, npu_align(packed), op->pitch);
	if (p->k_rows)
		npu_copy(slot + S4_SCALES, p->scales, p->cols * 4);
	else
		npu_copy_2d(slot + S4_SCALES, p->scales, 4, p->rows, NPU_TILE_ALIGN,
			    source->args->scale_col);
}

/* What is in UB becomes elements of @dtype, at S4_FLOATS, in rows for fp32. */
static inline void s4_compute(npu_addr slot, const struct s4_piece *p, uint32_t dtype)
{
	const npu_addr floats = slot + S4_FLOATS, scales = slot + S4_SCALES;
	const uint32_t pitch = npu_align(p->cols * 4);

	s4_unpack(slot + S4_BYTES, slot + S4_PACKED, slot + S4_HIGH, p->rows, p->cols);
	npu_vec_rows(p->rows, pitch, s4_pitch(p->cols), 0);
	npu_vcast(floats, slot + S4_BYTES, p->cols, NPU_S8, NPU_F32, 0);
	npu_vec_rows(p->rows, pitch, pitch, p->k_rows ? 0 : NPU_TILE_ALIGN);
	if (p->k_rows)
		npu_vmul(floats, floats, scales, p->cols, NPU_F32);
	else
		npu_vmulr(floats, floats, scales, p->cols, NPU_F32);
	npu_vcast(floats, floats, p->cols, NPU_F32, dtype, 0);
}

static inline void s4_piece(const struct gemm_operand *op, npu_addr dst, uint32_t turn,
			    const struct s4_piece *p)
{
	const struct s4 *source = op->source;
	const npu_addr slot = S4_BASE + turn * S4_SLOT;
	const uint32_t flag = S4_FLAG + turn;

	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE2, flag);
	s4_fetch(op, slot, p);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, flag);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, flag);
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_V, flag);
	s4_compute(slot, p, source->args->in);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE2, flag);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, flag);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, flag);
	npu_copy_2d(dst, slot + S4_FLOATS, p->cols * 2, p->rows, op->l1_pitch,
		    npu_align(p->cols * 4));
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_V, flag);
}

/* Rows of a piece of @cols columns that begins at @k. */
static inline uint32_t s4_rows(int k_rows, uint32_t k, uint32_t cols)
{
	if (k_rows)
		return S4_ROWS - k % S4_ROWS;
	return npu_min(S4_TURNED_ROWS, S4_PACKED_BYTES / npu_align(npu_ceil_div(cols, 2)));
}

/* load() of struct gemm_operand, whose source is a struct s4. */
static inline void s4_load(const struct gemm_operand *op, npu_addr dst,
			   const struct gemm_part *part)
{
	const struct s4 *source = op->source;
	const struct npu_op_gemm_args *args = source->args;
	const int k_rows = op->k_rows;
	const uint32_t rows = k_rows ? part->kt : part->extent;
	const uint32_t cols = k_rows ? part->extent : part->kt;
	const npu_addr from = op->base + (k_rows ? part->k0 : part->at) * op->pitch +
			      (k_rows ? part->at : part->k0) / 2;
	struct s4_piece p = { .k_rows = k_rows };
	uint32_t turn = 0;

	for (uint32_t col = 0; col < cols; col += p.cols) {
		p.cols = npu_min(S4_COLS, cols - col);
		if (!k_rows)
			p.cols = npu_min(p.cols, args->group - (part->k0 + col) % args->group);
		for (uint32_t row = 0; row < rows; row += p.rows, turn = !turn) {
			const uint32_t k = part->k0 + (k_rows ? row : col);
			const uint32_t at = part->at + (k_rows ? col : row);

			p.rows = npu_min(s4_rows(k_rows, k, p.cols), rows - row);
			p.from = from + row * op->pitch + col / 2;
			p.scales = source->scales + k / args->group * args->scale_row +
				   at * args->scale_col;
			s4_piece(op, dst + row * op->l1_pitch + col * 2, turn, &p);
		}
	}
}

#endif /* OP_GEMM_S4_H */

/* SPDX-License-Identifier: MIT */
/*
 * B of 4 bits for the cube: rows come packed to UB, where the vector engine makes elements of A's
 * type of them, each times the scale of its group, and MTE3 puts them into L1.
 */
#ifndef OP_GEMM_S4_H
#define OP_GEMM_S4_H

#include "gemm_output.h"
#include "s4.h"

#define S4_ROWS 32 /* of a piece, which a group is a multiple of */
#define S4_SLOTS 2
#define S4_FLAG 4 /* of the first slot, beside those of the output */
#define S4_OUTPUT_AREA 0x3000 /* what is left of UB for the output's areas */

/* Areas of a slot, for rows of NPU_GEMM_TILE_N elements. */
#define S4_PACKED 0
#define S4_BYTES (S4_PACKED + S4_ROWS * NPU_GEMM_TILE_N / 2)
#define S4_HIGH (S4_BYTES + S4_ROWS * NPU_GEMM_TILE_N)
#define S4_FLOATS (S4_HIGH + S4_ROWS * NPU_GEMM_TILE_N)
#define S4_SCALES (S4_FLOATS + S4_ROWS * NPU_GEMM_TILE_N * 4)
#define S4_SLOT (S4_SCALES + NPU_GEMM_TILE_N * 4)
#define S4_BASE (NPU_UB_BASE + OUTPUT_SLOTS * OUTPUT_AREAS * S4_OUTPUT_AREA)
_Static_assert(S4_BASE + S4_SLOTS * S4_SLOT <= OUTPUT_BIAS_N, "UB overflows");

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

static inline void s4_piece(const struct gemm_operand *op, npu_addr dst, uint32_t turn,
			    const struct gemm_part *part)
{
	const struct npu_op_gemm_args *args = op->source;
	const npu_addr slot = S4_BASE + turn * S4_SLOT, floats = slot + S4_FLOATS;
	const uint32_t rows = part->kt, cols = part->extent, flag = S4_FLAG + turn;
	const uint32_t packed = npu_ceil_div(cols, 2), pitch = npu_align(cols * 4);

	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE2, flag);
	npu_copy_2d(slot + S4_PACKED, op->base + part->k0 * op->pitch + part->at / 2, packed, rows,
		    npu_align(packed), op->pitch);
	npu_copy(slot + S4_SCALES,
		 args->scale_b + part->k0 / args->group * args->ld_scale + (uint64_t)part->at * 4,
		 cols * 4);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, flag);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, flag);
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_V, flag);
	s4_unpack(slot + S4_BYTES, slot + S4_PACKED, slot + S4_HIGH, rows, cols);
	npu_vec_rows(rows, pitch, s4_pitch(cols), 0);
	npu_vcast(floats, slot + S4_BYTES, cols, NPU_S8, NPU_F32, 0);
	npu_vec_rows(rows, pitch, pitch, 0);
	npu_vmul(floats, floats, slot + S4_SCALES, cols, NPU_F32);
	npu_vcast(floats, floats, cols, NPU_F32, args->in, 0);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE2, flag);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, flag);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, flag);
	npu_copy_2d(dst, floats, cols * 2, rows, op->l1_pitch, pitch);
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_V, flag);
}

/* load() of struct gemm_operand, whose source are the kernel's arguments. */
static inline void s4_load(const struct gemm_operand *op, npu_addr dst,
			   const struct gemm_part *part)
{
	const uint32_t end = part->k0 + part->kt;
	uint32_t turn = 0, rows;

	for (uint32_t k = part->k0; k < end; k += rows, dst += rows * op->l1_pitch) {
		rows = npu_min(S4_ROWS - k % S4_ROWS, end - k);
		s4_piece(op, dst, turn, &(struct gemm_part){ part->at, part->extent, k, rows });
		turn = !turn;
	}
}

#endif /* OP_GEMM_S4_H */

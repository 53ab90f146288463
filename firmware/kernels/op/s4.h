/* SPDX-License-Identifier: MIT */
/* Elements of 4 bits, two in a byte with the first in the low half, from and to S8 in UB. */
#ifndef OP_S4_H
#define OP_S4_H

#include "npu_kernel.h"

/* s4_pitch() - bytes from row to row of @cols unpacked elements in UB */
static inline uint32_t s4_pitch(uint32_t cols)
{
	return npu_align(npu_ceil_div(cols, 2) * 2);
}

/*
 * s4_unpack() - @rows of @cols elements, dense and padded in @packed, to S8 in @bytes, s4_pitch()
 * apart; @temp is as large as @bytes
 *
 * A byte of two elements becomes two bytes, of which each has its element in the upper half, and
 * then, shifted down, as a number.
 */
static inline void s4_unpack(npu_addr bytes, npu_addr packed, npu_addr temp, uint32_t rows,
			     uint32_t cols)
{
	const uint32_t pairs = npu_ceil_div(cols, 2), pitch = s4_pitch(cols);

	npu_vec_rows(rows, pitch, npu_align(pairs), 0);
	npu_vcast(bytes, packed, pairs, NPU_U8, NPU_S16, 0);
	npu_vec_rows(rows, pitch, pitch, pitch);
	npu_vshls(temp, bytes, 8, pairs, NPU_S16);
	npu_vands(temp, temp, 0xf000, pairs, NPU_S16);
	npu_vshls(bytes, bytes, 4, pairs, NPU_S16);
	npu_vands(bytes, bytes, 0x00f0, pairs, NPU_S16);
	npu_vor(bytes, bytes, temp, pairs, NPU_S16);
	npu_vshrs(bytes, bytes, 4, pairs * 2, NPU_S8);
}

/* s4_pack() - the other way round, in place; @cols is even */
static inline void s4_pack(npu_addr bytes, npu_addr temp, uint32_t rows, uint32_t cols)
{
	const uint32_t pairs = cols / 2, pitch = s4_pitch(cols);

	npu_vec_rows(rows, pitch, pitch, pitch);
	npu_vands(temp, bytes, 0x000f, pairs, NPU_S16);
	npu_vshrs(bytes, bytes, 4, pairs, NPU_S16);
	npu_vands(bytes, bytes, 0x00f0, pairs, NPU_S16);
	npu_vor(temp, temp, bytes, pairs, NPU_S16);
	npu_vcast(bytes, temp, pairs, NPU_S16, NPU_U8, 0);
}

#endif /* OP_S4_H */

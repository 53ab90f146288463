/* SPDX-License-Identifier: MIT */
#ifndef OP_COPY_ROWS_H
#define OP_COPY_ROWS_H

#include "npu_kernel.h"

/* copy_rows() - npu_copy_2d(); rows without gaps are one long row, which takes less. */
static inline void copy_rows(npu_addr dst, npu_addr src, uint32_t bytes, uint32_t rows,
			     uint32_t dst_pitch, uint32_t src_pitch)
{
	if (dst_pitch == bytes && src_pitch == bytes)
		npu_copy(dst, src, rows * bytes);
	else
		npu_copy_2d(dst, src, bytes, rows, dst_pitch, src_pitch);
}

#endif /* OP_COPY_ROWS_H */

/* SPDX-License-Identifier: MIT */
/* The sum of each row of a matrix, as many rows at a time as a slot of UB holds. */
#include "npu_ring.h"
#include "npu_typed.h"
#include "examples.h"

#define MOST_ROWS 256
#define SLOT 16384 /* elements: 64 KiB */
#define SUM_STRIDE (NPU_TILE_ALIGN / sizeof(float)) /* a row's result has 32 bytes to itself */

_Static_assert(2 * (SLOT + MOST_ROWS * SUM_STRIDE) * sizeof(float) <= NPU_UB_SIZE, "UB overflows");
_Static_assert(ROW_SUM_COLS <= SLOT, "a row does not fit");

NPU_ARGS(row_sum, struct row_sum_args, in(x), out(out), value(rows), value(cols));

NPU_KERNEL(row_sum, struct row_sum_args)
{
	static const struct npu_ring ring = NPU_RING_UB(0, 2);
	const struct npu_span mine = npu_split(args->rows, 1, block, blocks);
	const uint32_t cols = args->cols, stride = npu_align(cols * 4) / 4;
	const uint32_t most = npu_min(SLOT / npu_max(stride, 1), MOST_ROWS);
	const npu_gm_f32 from = { args->x }, to = { args->out };
	const npu_ub_f32 data = { NPU_UB_BASE }, results = NPU_AFTER(data, 2 * SLOT);
	unsigned int slot = 0;

	npu_assert(cols <= ROW_SUM_COLS);
	npu_ring_begin(&ring);
	for (uint64_t r = mine.begin; r < mine.end; r += most) {
		const uint32_t rows = npu_min(most, mine.end - r);
		const npu_ub_f32 x = npu_at(data, slot * SLOT);
		const npu_ub_f32 sum = npu_at(results, slot * MOST_ROWS * SUM_STRIDE);

		npu_ring_acquire(&ring, slot);
		npu_tload_2d(x, npu_at(from, r * cols), rows, cols, stride, cols);
		npu_ring_filled(&ring, slot);
		npu_vec_rows(rows, SUM_STRIDE * 4, stride * 4, 0);
		npu_tvsum(sum, x, cols);
		npu_ring_worked(&ring, slot);
		npu_tstore_2d(npu_at(to, r), sum, rows, 1, 1, SUM_STRIDE);
		npu_ring_release(&ring, slot);
		slot = npu_ring_next(&ring, slot);
	}
	npu_ring_end(&ring);
}

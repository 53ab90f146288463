/* SPDX-License-Identifier: MIT */
/* Rows of 4 bits that begin in the middle of a byte, brought to its begin. */
#include "npu_op_s4_rows.h"
#include "rows.h"

/* Areas of a slot: bytes of a piece of a row, and those that are one further. */
#define WIDTH 16384
#define NEXT WIDTH
#define SLOT (2 * WIDTH)

/* Each byte becomes its upper half and the lower half of the next one. */
static void join_halves(npu_addr bytes, npu_addr next, uint32_t count)
{
	const uint32_t pairs = npu_ceil_div(count, 2);

	npu_vshrs(bytes, bytes, 4, pairs, NPU_S16);
	npu_vands(bytes, bytes, 0x0f0f, pairs, NPU_S16);
	npu_vshls(next, next, 4, pairs, NPU_S16);
	npu_vands(next, next, 0xf0f0, pairs, NPU_S16);
	npu_vor(bytes, bytes, next, pairs, NPU_S16);
}

/* @count elements from the first or second (@odd) one of a byte on. */
static void move_piece(npu_addr out, npu_addr from, int odd, uint32_t count, uint32_t slot)
{
	const npu_addr bytes = NPU_UB_BASE + slot * SLOT;
	const uint32_t size = npu_ceil_div(count, 2);

	ub_acquire(slot);
	npu_copy(bytes, from, size);
	if (odd && count > 1)
		npu_copy(bytes + NEXT, from + 1, count / 2);
	ub_loaded(slot);
	if (odd)
		join_halves(bytes, bytes + NEXT, size);
	ub_computed(slot);
	npu_copy(out, bytes, size);
	ub_release(slot);
}

/* Elements from the first of all to that of a row. */
static uint64_t row_offset(const struct npu_op_outer *outer, const struct npu_op_rows *rows,
			   uint64_t row)
{
	uint64_t run;

	return rows_at(outer, rows, row, &run) - rows->base;
}

NPU_ARGS(op_s4_rows, struct npu_op_s4_rows_args, in(x.base), out(out.base), value(cols));

NPU_KERNEL(op_s4_rows, struct npu_op_s4_rows_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	uint32_t slot = 0;

	ub_begin();
	/* What is joined beyond the end of a row is a number as well. */
	npu_vdup(NPU_UB_BASE, 0, UB_SLOTS * SLOT / 4, NPU_S32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	for (uint64_t r = mine.begin; r < mine.end; r++) {
		const uint64_t x = row_offset(&args->outer, &args->x, r);
		const npu_addr from = args->x.base + x / 2;
		const npu_addr out = args->out.base + row_offset(&args->outer, &args->out, r) / 2;

		for (uint64_t c = 0; c < args->cols; c += 2 * WIDTH, slot = !slot)
			move_piece(out + c / 2, from + c / 2, x % 2,
				   npu_min(2 * WIDTH, args->cols - c), slot);
	}
	ub_end();
}

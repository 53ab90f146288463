/* SPDX-License-Identifier: MIT */
/* Rows by index, and the sums of rows by index. */
#include "npu_kernel.h"
#include "npu_op_gather.h"
#include "rows.h"

/* A slot: rows, and their indices. */
#define GATHER_DATA (ROWS_SLOT - ROWS_STATS)

/* The row that an index names; the task ends if there is none. */
static uint64_t index_of(npu_addr column, uint32_t row, uint64_t count, uint64_t first)
{
	const int32_t index = npu_load_s32(column + row * NPU_TILE_ALIGN);

	if (index < 0 || (uint64_t)index >= count)
		npu_trap(first + row);
	return index;
}

/* Bytes begin to begin + count of the group's rows. */
static void gather_piece(const struct npu_op_gather_args *args, const struct rows_group *g,
			 npu_addr data, npu_addr index)
{
	uint64_t run;

	for (uint32_t r = 0; r < g->rows; r++)
		npu_copy(data + r * g->pitch,
			 rows_at(g->outer, &args->x, g->first + r, &run) + g->begin +
				 index_of(index, r, args->count, g->first) * args->x_stride,
			 g->count);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_MTE3);
	rows_move(g, &args->out, 1, data, g->pitch, 1);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
}

static void gather_group(const struct npu_op_gather_args *args, struct rows_group *g)
{
	const npu_addr data = NPU_UB_BASE + g->slot * ROWS_SLOT, index = data + GATHER_DATA;

	ub_acquire(g->slot);
	rows_fetch_stats(g, &args->index, index);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_S);
	for (uint64_t at = 0; at < args->row_bytes; at += GATHER_DATA) {
		g->begin = at;
		g->count = npu_min(GATHER_DATA, args->row_bytes - at);
		g->pitch = npu_align(g->count);
		gather_piece(args, g, data, index);
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
	ub_release(g->slot);
}

NPU_ARGS(op_gather, struct npu_op_gather_args, in(x.base), in(index.base), out(out.base),
	 value(x_stride), value(count), value(row_bytes));

NPU_KERNEL(op_gather, struct npu_op_gather_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const uint64_t pitch = npu_align(args->row_bytes);
	const uint32_t most = pitch > GATHER_DATA ? 1 : npu_min(GATHER_DATA / pitch, ROWS_MOST);
	struct rows_group g = { .outer = &args->outer };

	ub_begin();
	for (uint64_t r = mine.begin; r < mine.end; r += most, g.slot = !g.slot) {
		g.first = r;
		g.rows = npu_min(most, mine.end - r);
		gather_group(args, &g);
	}
	ub_end();
}

/* The sums: indices, a row of the table, one of the gradient, and its stage. */
#define SCATTER_WIDTH 8192
#define SCATTER_SUM (NPU_UB_BASE + ROWS_STATS)
#define SCATTER_GRAD (SCATTER_SUM + SCATTER_WIDTH * 4)
#define SCATTER_STAGE (SCATTER_GRAD + SCATTER_WIDTH * 4)
_Static_assert(SCATTER_STAGE + SCATTER_WIDTH * 2 <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");

/* Rows of the table become zero: as many at once as a copy may store. */
static void clear_table(const struct npu_op_scatter_add_args *args, const struct npu_span *mine)
{
	const uint32_t width = npu_min(args->cols, SCATTER_WIDTH);
	const uint32_t most = NPU_COPY_MAX / (width * 4);

	npu_vdup(SCATTER_SUM, 0, width, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	for (uint32_t c = 0; c < args->cols; c += width)
		for (uint64_t r = mine->begin; r < mine->end; r += most)
			npu_copy_2d(args->table + r * args->table_pitch + c * 4ull, SCATTER_SUM,
				    npu_min(width, args->cols - c) * 4,
				    npu_min(most, mine->end - r), args->table_pitch, 0);
}

/* Add a row of the gradient to one of the table. */
static void add_row(const struct npu_op_scatter_add_args *args, struct rows_group g, uint64_t row)
{
	for (uint32_t c = 0; c < args->cols; c += SCATTER_WIDTH) {
		const npu_addr at = args->table + row * args->table_pitch + c * 4ull;

		g.begin = c;
		g.count = npu_min(SCATTER_WIDTH, args->cols - c);
		g.pitch = npu_align(g.count * 4);
		rows_reload();
		npu_copy(SCATTER_SUM, at, g.count * 4);
		rows_fetch(&g, &args->grad, args->dtype, SCATTER_GRAD, SCATTER_STAGE);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
		rows_widen(&g, args->dtype, SCATTER_GRAD, SCATTER_STAGE);
		npu_vec_one_row();
		npu_vadd(SCATTER_SUM, SCATTER_SUM, SCATTER_GRAD, g.count, NPU_F32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
		npu_copy(at, SCATTER_SUM, g.count * 4);
	}
}

NPU_ARGS(op_scatter_add, struct npu_op_scatter_add_args, in(index.base), in(grad.base), out(table),
	 value(table_pitch), value(count), value(cols), value(dtype));

/* A block owns rows of the table, and looks through all indices for them, in order. */
NPU_KERNEL(op_scatter_add, struct npu_op_scatter_add_args)
{
	const struct npu_span mine = npu_split(args->count, 1, block, blocks);
	struct rows_group g = { .outer = &args->outer };

	clear_table(args, &mine);
	for (uint64_t first = 0; first < args->outer.rows; first += ROWS_MOST) {
		const uint32_t rows = npu_min(ROWS_MOST, args->outer.rows - first);

		g.first = first;
		g.rows = rows;
		ub_sync(NPU_PIPE_S, NPU_PIPE_MTE2);
		rows_fetch_stats(&g, &args->index, NPU_UB_BASE);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_S);
		for (uint32_t r = 0; r < rows; r++) {
			const uint64_t row = index_of(NPU_UB_BASE, r, args->count, first);

			g.first = first + r;
			g.rows = 1;
			if (row >= mine.begin && row < mine.end)
				add_row(args, g, row);
		}
	}
}

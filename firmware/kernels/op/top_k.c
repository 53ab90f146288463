/* SPDX-License-Identifier: MIT */
/*
 * The greatest elements of each row. The vector engine finds the greatest that is left, again and
 * again; a row that is too long comes in pieces, whose greatest are merged with those before.
 */
#include "npu_kernel.h"
#include "keys.h"
#include "npu_op_sample.h"
#include "rows.h"

/* UB: a piece, what turns it to keys, and lists of keys with their indices. */
#define WIDTH 16384
#define LIST (NPU_OP_TOP_K * 4)
#define UB_KEYS NPU_UB_BASE
#define UB_WORK (UB_KEYS + WIDTH * 4)
#define UB_FOUND (UB_WORK + WIDTH * 4) /* two results of reductions */
#define UB_LISTS (UB_FOUND + 2 * NPU_TILE_ALIGN)
#define UB_VALUES (UB_LISTS + 6 * LIST)
_Static_assert(UB_VALUES + LIST <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");

/* Keys in descending order, and the columns that they are of. */
struct list {
	npu_addr key, index;
	uint32_t count;
};

static struct list list_at(uint32_t i)
{
	return (struct list){ UB_LISTS + 2 * i * LIST, UB_LISTS + (2 * i + 1) * LIST, 0 };
}

static void append(struct list *list, int32_t key, int32_t index)
{
	npu_store_s32(list->key + list->count * 4, key);
	npu_store_s32(list->index + list->count * 4, index);
	list->count++;
}

/* The greatest of the piece. */
static void find(struct list *list, const struct rows_group *g, uint32_t k)
{
	const uint32_t count = npu_min(k, g->count);

	list->count = 0;
	while (list->count < count) {
		int32_t at;

		npu_vargmax(UB_FOUND, UB_KEYS, g->count, NPU_S32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_S);
		at = npu_load_s32(UB_FOUND);
		append(list, npu_load_s32(UB_KEYS + at * 4), g->begin + at);
		npu_store_s32(UB_KEYS + at * 4, KEY_NONE);
		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	}
}

/* The greatest of two lists, of which @a has the lower columns. */
static void merge(struct list *out, const struct list *a, const struct list *b, uint32_t k)
{
	uint32_t i = 0, j = 0;

	out->count = 0;
	while (out->count < k && (i < a->count || j < b->count)) {
		const int take_a = j == b->count ||
				   (i < a->count &&
				    npu_load_s32(a->key + i * 4) >= npu_load_s32(b->key + j * 4));
		const struct list *from = take_a ? a : b;
		const uint32_t at = take_a ? i++ : j++;

		append(out, npu_load_s32(from->key + at * 4), npu_load_s32(from->index + at * 4));
	}
}

static void fetch_keys(const struct npu_op_top_k_args *args, const struct rows_group *g)
{
	rows_reload();
	rows_fetch(g, &args->x, args->dtype, UB_KEYS, UB_WORK);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	rows_widen(g, args->dtype, UB_KEYS, UB_WORK);
	keys_from_f32(UB_KEYS, UB_KEYS, UB_WORK, g->count);
}

/* The elements themselves, as they are in memory, and their columns. */
static void store(const struct npu_op_top_k_args *args, struct rows_group *g,
		  const struct list *list)
{
	const uint32_t bytes = npu_dtype_bytes(args->dtype);
	uint64_t run;
	const npu_addr row = rows_at(g->outer, &args->x, g->first, &run);

	for (uint32_t i = 0; i < list->count; i++) {
		const npu_addr from = row + (int64_t)npu_load_s32(list->index + i * 4) * bytes;
		const npu_addr to = UB_VALUES + i * bytes;

		if (bytes == 4)
			*(volatile uint32_t *)to = *(volatile uint32_t *)from;
		else
			*(volatile uint16_t *)to = *(volatile uint16_t *)from;
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
	g->begin = 0;
	g->count = list->count;
	rows_move(g, &args->values, bytes, UB_VALUES, 0, 1);
	rows_move(g, &args->index, 4, list->index, 0, 1);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_S);
}

NPU_ARGS(op_top_k, struct npu_op_top_k_args, in(x.base), out(values.base), out(index.base),
	 value(cols), value(k), value(dtype));

NPU_KERNEL(op_top_k, struct npu_op_top_k_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const struct rows_plan plan = rows_plan(args->cols, WIDTH * 4);
	struct rows_group g = { .outer = &args->outer, .rows = 1 };

	for (uint64_t r = mine.begin; r < mine.end; r++) {
		struct list best = list_at(0), spare = list_at(1), found = list_at(2);

		g.first = r;
		for (uint32_t p = 0; p < plan.pieces; p++) {
			const struct list before = best;

			rows_piece(&g, &plan, p);
			fetch_keys(args, &g);
			find(&found, &g, args->k);
			merge(&spare, &before, &found, args->k);
			best = spare;
			spare = before;
		}
		store(args, &g, &best);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Cross entropy of rows with their labels, and its gradient. The vector engine does whole groups
 * of rows; only what is at a row's label goes through the scalar unit.
 */
#include "npu_kernel.h"
#include "npu_op_cross_entropy.h"
#include "rows.h"

/* A slot: rows, their stage, and a few elements for each row. */
#define DATA 0xc800
#define STATS (DATA + DATA / 2)
#define STATS_COUNT 5
_Static_assert(STATS + STATS_COUNT * ROWS_STATS <= ROWS_SLOT, "UB overflows");
_Static_assert(DATA % (2 * NPU_TILE_ALIGN) == 0, "arrays are not aligned");

struct entropy {
	const struct npu_op_cross_entropy_args *args;
	struct rows_plan plan;
	struct rows_group g;
	npu_addr data, stage;
	npu_addr label, max, sum, part;
	npu_addr loss; /* until the end what is at the label */
	int stays; /* rows are one piece, which is fetched once */
};

static void entropy_fetch(struct entropy *e, uint32_t piece)
{
	if (!e->stays)
		rows_reload();
	rows_piece(&e->g, &e->plan, piece);
	rows_fetch(&e->g, &e->args->logits, e->args->dtype, e->data, e->stage);
	ub_loaded(e->g.slot);
	rows_widen(&e->g, e->args->dtype, e->data, e->stage);
}

static int32_t label_of(const struct entropy *e, uint32_t row)
{
	return npu_load_s32(e->label + row * NPU_TILE_ALIGN);
}

static void check_labels(const struct entropy *e)
{
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_S);
	for (uint32_t r = 0; r < e->g.rows; r++)
		if (label_of(e, r) >= (int64_t)e->plan.cols)
			npu_trap(e->g.first + r);
}

/* Address of the element at a row's label, or 0 if it is not in the piece. */
static npu_addr at_label(const struct entropy *e, uint32_t row)
{
	const int64_t col = (int64_t)label_of(e, row) - e->g.begin;

	if (col < 0 || col >= e->g.count)
		return 0;
	return e->data + row * e->g.pitch + col * 4;
}

static void entropy_max(struct entropy *e)
{
	for (uint32_t p = 0; p < e->plan.pieces; p++) {
		entropy_fetch(e, p);
		rows_reduction(&e->g);
		npu_vredmax(p ? e->part : e->max, e->data, e->g.count, NPU_F32);
		if (p)
			npu_vmax(e->max, e->max, e->part, rows_stats(&e->g), NPU_F32);
	}
}

/* data = exp(data - max); the difference at the label is kept as the loss. */
static void entropy_exp(const struct entropy *e)
{
	rows_arrays_stats(&e->g);
	npu_vsubr(e->data, e->data, e->max, e->g.count, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < e->g.rows; r++) {
		const npu_addr at = at_label(e, r);

		if (at)
			npu_store_f32(e->loss + r * NPU_TILE_ALIGN, npu_load_f32(at));
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	npu_vexp(e->data, e->data, e->g.count, NPU_F32);
}

static void entropy_sum(struct entropy *e)
{
	for (uint32_t p = 0; p < e->plan.pieces; p++) {
		if (!e->stays)
			entropy_fetch(e, p);
		entropy_exp(e);
		rows_reduction(&e->g);
		npu_vsum(p ? e->part : e->sum, e->data, e->g.count, NPU_F32);
		if (p)
			npu_vadd(e->sum, e->sum, e->part, rows_stats(&e->g), NPU_F32);
	}
}

/* loss = ln(sum) - what is at the label; sum = scale / sum */
static void entropy_loss(const struct entropy *e)
{
	const uint32_t stats = rows_stats(&e->g);

	npu_vln(e->part, e->sum, stats, NPU_F32);
	npu_vsub(e->loss, e->part, e->loss, stats, NPU_F32);
	npu_vrecip(e->sum, e->sum, stats, NPU_F32);
	npu_vmuls(e->sum, e->sum, npu_f32_bits(e->args->scale), stats, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < e->g.rows; r++)
		if (label_of(e, r) < 0)
			npu_store_f32(e->loss + r * NPU_TILE_ALIGN, 0);
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
}

/* data = data scale / sum, less scale at the label; zeros where a row is left out. */
static void entropy_gradient(const struct entropy *e)
{
	rows_arrays_stats(&e->g);
	npu_vmulr(e->data, e->data, e->sum, e->g.count, NPU_F32);
	npu_vec_one_row();
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < e->g.rows; r++) {
		const npu_addr at = at_label(e, r);

		if (at)
			npu_store_f32(at, npu_load_f32(at) - e->args->scale);
		else if (label_of(e, r) < 0)
			npu_vdup(e->data + r * e->g.pitch, 0, e->g.count, NPU_F32);
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
}

static void entropy_gradients(struct entropy *e)
{
	for (uint32_t p = 0; p < e->plan.pieces; p++) {
		if (!e->stays) {
			entropy_fetch(e, p);
			rows_arrays_stats(&e->g);
			npu_vsubr(e->data, e->data, e->max, e->g.count, NPU_F32);
			npu_vexp(e->data, e->data, e->g.count, NPU_F32);
		}
		entropy_gradient(e);
		rows_narrow(&e->g, e->args->dtype, e->data, e->stage);
		ub_computed(e->g.slot);
		rows_put(&e->g, &e->args->grad, e->args->dtype, e->data, e->stage);
	}
}

static void entropy_group(const struct npu_op_cross_entropy_args *args,
			  const struct rows_plan *plan, uint64_t first, uint32_t rows,
			  unsigned int slot)
{
	const npu_addr data = NPU_UB_BASE + slot * ROWS_SLOT, stats = data + STATS;
	struct entropy e = {
		.args = args,
		.plan = *plan,
		.stays = plan->pieces == 1,
		.g = { .outer = &args->outer, .first = first, .rows = rows, .slot = slot },
		.data = data,
		.stage = data + DATA,
		.label = stats,
		.max = stats + ROWS_STATS,
		.sum = stats + 2 * ROWS_STATS,
		.part = stats + 3 * ROWS_STATS,
		.loss = stats + 4 * ROWS_STATS,
	};

	ub_acquire(slot);
	rows_fetch_stats(&e.g, &args->labels, e.label);
	check_labels(&e);
	entropy_max(&e);
	entropy_sum(&e);
	entropy_loss(&e);
	if (args->grad.base)
		entropy_gradients(&e);
	rows_put_stats(&e.g, &args->loss, e.loss);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
	ub_release(slot);
}

NPU_ARGS(op_cross_entropy, struct npu_op_cross_entropy_args, in(logits.base), in(labels.base),
	 out(loss.base), out(grad.base), value(cols), value(dtype), value(scale));

NPU_KERNEL(op_cross_entropy, struct npu_op_cross_entropy_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const struct rows_plan plan = rows_plan(args->cols, DATA);
	unsigned int slot = 0;

	rows_begin(ROWS_SLOT, STATS, STATS_COUNT * ROWS_STATS);
	for (uint64_t r = mine.begin; r < mine.end; r += plan.most, slot = !slot)
		entropy_group(args, &plan, r, npu_min(plan.most, mine.end - r), slot);
	ub_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Softmax of rows, and its backward. Rows that fit UB are read once. A longer one is read three
 * times: for its maximum, for the sum of exponentials, and for the results; in the backward
 * twice.
 */
#include "npu_kernel.h"
#include "npu_op_norm.h"
#include "rows.h"

/* A slot: two arrays, the stage of each, and a few elements for each row. */
#define DATA 0x6c00
#define STATS (3 * DATA)
_Static_assert(STATS + 3 * ROWS_STATS <= ROWS_SLOT, "UB overflows");
_Static_assert(DATA % (2 * NPU_TILE_ALIGN) == 0, "arrays are not aligned");

struct softmax {
	const struct npu_op_softmax_args *args;
	struct rows_plan plan;
	struct rows_group g;
	npu_addr data, exp; /* the same, but for the logarithm of rows that stay */
	npu_addr stage, max, sum, part;
	int stays; /* rows are one piece, which is fetched once */
};

/* data = the piece of x */
static void softmax_fetch(struct softmax *s, uint32_t piece)
{
	if (!s->stays)
		rows_reload();
	rows_piece(&s->g, &s->plan, piece);
	rows_fetch(&s->g, &s->args->x, s->args->dtype, s->data, s->stage);
	ub_loaded(s->g.slot);
	rows_widen(&s->g, s->args->dtype, s->data, s->stage);
}

static void softmax_max(struct softmax *s)
{
	for (uint32_t p = 0; p < s->plan.pieces; p++) {
		softmax_fetch(s, p);
		rows_reduction(&s->g);
		npu_vredmax(p ? s->part : s->max, s->data, s->g.count, NPU_F32);
		if (p)
			npu_vmax(s->max, s->max, s->part, rows_stats(&s->g), NPU_F32);
	}
}

/* data = data - maximum of the row */
static void softmax_shift(const struct softmax *s)
{
	rows_arrays_stats(&s->g);
	npu_vsubr(s->data, s->data, s->max, s->g.count, NPU_F32);
}

static void softmax_sum(struct softmax *s)
{
	for (uint32_t p = 0; p < s->plan.pieces; p++) {
		if (!s->stays)
			softmax_fetch(s, p);
		softmax_shift(s);
		rows_arrays(&s->g);
		npu_vexp(s->exp, s->data, s->g.count, NPU_F32);
		rows_reduction(&s->g);
		npu_vsum(p ? s->part : s->sum, s->exp, s->g.count, NPU_F32);
		if (p)
			npu_vadd(s->sum, s->sum, s->part, rows_stats(&s->g), NPU_F32);
	}
	if (s->args->log)
		npu_vln(s->sum, s->sum, rows_stats(&s->g), NPU_F32);
	else
		npu_vrecip(s->sum, s->sum, rows_stats(&s->g), NPU_F32);
}

static void softmax_results(struct softmax *s)
{
	for (uint32_t p = 0; p < s->plan.pieces; p++) {
		if (!s->stays) {
			softmax_fetch(s, p);
			softmax_shift(s);
			if (!s->args->log)
				npu_vexp(s->exp, s->data, s->g.count, NPU_F32);
		}
		rows_arrays_stats(&s->g);
		if (s->args->log)
			npu_vsubr(s->data, s->data, s->sum, s->g.count, NPU_F32);
		else
			npu_vmulr(s->data, s->exp, s->sum, s->g.count, NPU_F32);
		rows_narrow(&s->g, s->args->dtype, s->data, s->stage);
		ub_computed(s->g.slot);
		rows_put(&s->g, &s->args->out, s->args->dtype, s->data, s->stage);
	}
}

static void softmax_group(const struct npu_op_softmax_args *args, const struct rows_plan *plan,
			  uint64_t first, uint32_t rows, unsigned int slot)
{
	const npu_addr data = NPU_UB_BASE + slot * ROWS_SLOT, stats = data + STATS;
	struct softmax s = {
		.args = args,
		.plan = *plan,
		.stays = plan->pieces == 1,
		.g = { .outer = &args->outer, .first = first, .rows = rows, .slot = slot },
		.data = data,
		.exp = args->log ? data + DATA : data,
		.stage = data + 2 * DATA,
		.max = stats,
		.sum = stats + ROWS_STATS,
		.part = stats + 2 * ROWS_STATS,
	};

	ub_acquire(slot);
	softmax_max(&s);
	softmax_sum(&s);
	softmax_results(&s);
	ub_release(slot);
}

NPU_ARGS(op_softmax, struct npu_op_softmax_args, in(x.base), out(out.base), value(cols),
	 value(dtype), value(log));

NPU_KERNEL(op_softmax, struct npu_op_softmax_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const struct rows_plan plan = rows_plan(args->cols, DATA);
	unsigned int slot = 0;

	rows_begin(ROWS_SLOT, STATS, 3 * ROWS_STATS);
	for (uint64_t r = mine.begin; r < mine.end; r += plan.most, slot = !slot)
		softmax_group(args, &plan, r, npu_min(plan.most, mine.end - r), slot);
	ub_end();
}

struct backward {
	const struct npu_op_softmax_backward_args *args;
	struct rows_plan plan;
	struct rows_group g;
	npu_addr y, grad, y_stage, grad_stage, sum, part;
};

static void backward_fetch(struct backward *b, uint32_t piece)
{
	const uint32_t dtype = b->args->dtype;

	if (b->plan.pieces > 1)
		rows_reload();
	rows_piece(&b->g, &b->plan, piece);
	rows_fetch(&b->g, &b->args->y, dtype, b->y, b->y_stage);
	rows_fetch(&b->g, &b->args->grad, dtype, b->grad, b->grad_stage);
	ub_loaded(b->g.slot);
	rows_widen(&b->g, dtype, b->y, b->y_stage);
	rows_widen(&b->g, dtype, b->grad, b->grad_stage);
}

static void backward_results(struct backward *b)
{
	rows_arrays_stats(&b->g);
	npu_vsubr(b->grad, b->grad, b->sum, b->g.count, NPU_F32);
	rows_arrays(&b->g);
	npu_vmul(b->grad, b->grad, b->y, b->g.count, NPU_F32);
	rows_narrow(&b->g, b->args->dtype, b->grad, b->grad_stage);
	ub_computed(b->g.slot);
	rows_put(&b->g, &b->args->grad_x, b->args->dtype, b->grad, b->grad_stage);
}

static void backward_group(const struct npu_op_softmax_backward_args *args,
			   const struct rows_plan *plan, uint64_t first, uint32_t rows,
			   unsigned int slot)
{
	const npu_addr data = NPU_UB_BASE + slot * ROWS_SLOT;
	struct backward b = {
		.args = args,
		.plan = *plan,
		.g = { .outer = &args->outer, .first = first, .rows = rows, .slot = slot },
		.y = data,
		.grad = data + DATA,
		.y_stage = data + 2 * DATA,
		.grad_stage = data + 2 * DATA + DATA / 2,
		.sum = data + STATS,
		.part = data + STATS + ROWS_STATS,
	};

	ub_acquire(slot);
	for (uint32_t p = 0; p < plan->pieces; p++) {
		backward_fetch(&b, p);
		rows_dot(&b.g, b.sum, b.part, b.grad, b.y, p);
	}
	for (uint32_t p = 0; p < plan->pieces; p++) {
		if (plan->pieces > 1)
			backward_fetch(&b, p);
		backward_results(&b);
	}
	ub_release(slot);
}

NPU_ARGS(op_softmax_backward, struct npu_op_softmax_backward_args, in(y.base), in(grad.base),
	 out(grad_x.base), value(cols), value(dtype));

NPU_KERNEL(op_softmax_backward, struct npu_op_softmax_backward_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const struct rows_plan plan = rows_plan(args->cols, DATA);
	unsigned int slot = 0;

	rows_begin(ROWS_SLOT, STATS, 3 * ROWS_STATS);
	for (uint64_t r = mine.begin; r < mine.end; r += plan.most, slot = !slot)
		backward_group(args, &plan, r, npu_min(plan.most, mine.end - r), slot);
	ub_end();
}

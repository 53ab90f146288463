/* SPDX-License-Identifier: MIT */
/*
 * Layer and RMS norm of rows, and their backward. Rows that fit UB are read once, a longer one
 * once for each of its sums and once for the results. Sums of a long row are those of its pieces,
 * added in ascending order.
 */
#include "npu_kernel.h"
#include "npu_op_norm.h"
#include "rows.h"

/*
 * UB: two slots, each with one array, or two of the backward, a stage for each that is not of F32,
 * and a few elements for each row; and rows that all rows share, with a stage if those are not of
 * F32. Groups of rows are large, as each costs some microsecond, but fit the second cache of the
 * device's host.
 */
#define FORWARD 1 /* arrays */
#define BACKWARD 2
#define STATS(arrays) ((arrays) == FORWARD ? 3 : 5)
#define SLOT_STATS(arrays, rows) (STATS(arrays) * (rows)*NPU_TILE_ALIGN)
#define SHARED_ROWS(arrays, staged) ((arrays) + ((staged) ? 2 : 1))
#define ARRAY_BYTES(arrays, row_bytes, rows, staged, shared)                                       \
	((NPU_UB_SIZE - UB_SLOTS * SLOT_STATS(arrays, rows) - (shared) * (row_bytes)) /            \
	 (((staged) ? 3 : 2) * (arrays)) / (2 * NPU_TILE_ALIGN) * (2 * NPU_TILE_ALIGN))

#define MOST_WIDTH(arrays) ((arrays) == FORWARD ? NPU_OP_NORM_WIDTH : 3872)
#define ROW_FITS(arrays)                                                                           \
	(ARRAY_BYTES(arrays, MOST_WIDTH(arrays) * 4, ROWS_MOST, 1, SHARED_ROWS(arrays, 1)) >=      \
	 MOST_WIDTH(arrays) * 4)
_Static_assert(ROW_FITS(FORWARD) && ROW_FITS(BACKWARD), "a row does not fit");

struct layout {
	uint64_t array, staged, stats, slot; /* bytes */
	npu_addr gamma, beta, gamma_sum, beta_sum, stage; /* of one row */
};

static struct layout layout_of(uint64_t arrays, uint64_t cols, uint32_t dtype,
			       uint32_t weight_dtype)
{
	const uint64_t shared = SHARED_ROWS(arrays, weight_dtype != NPU_F32);
	const uint64_t row = npu_align(npu_min(cols, MOST_WIDTH(arrays)) * 4);
	const uint64_t rows = npu_min(ROWS_MOST, NPU_UB_SIZE / UB_SLOTS / arrays / row);
	const int stage = dtype != NPU_F32;
	const uint64_t array = ARRAY_BYTES(arrays, row, rows, stage, shared);
	const uint64_t staged = stage ? array / 2 : 0, stats = arrays * (array + staged);
	const uint64_t slot = stats + SLOT_STATS(arrays, rows);
	const npu_addr gamma = NPU_UB_BASE + UB_SLOTS * slot;

	return (struct layout){
		.array = array,
		.staged = staged,
		.stats = stats,
		.slot = slot,
		.gamma = gamma,
		.beta = gamma + row,
		.gamma_sum = gamma + row, /* there is no beta in the backward */
		.beta_sum = gamma + 2 * row,
		.stage = gamma + (shared - 1) * row,
	};
}

/* A group of rows in a slot; grad, a and b are the backward's. */
struct norm {
	struct layout at;
	struct rows_plan plan;
	struct rows_group g;
	npu_addr x, grad, x_stage, grad_stage;
	npu_addr mean, rstd, part, a, b;
};

static void norm_begin(struct norm *n, uint64_t arrays, const struct npu_op_outer *outer,
		       uint64_t cols, uint32_t dtype, uint32_t weight_dtype)
{
	const uint64_t most = MOST_WIDTH(arrays);

	n->at = layout_of(arrays, cols, dtype, weight_dtype);
	n->plan = rows_plan(cols, cols > most ? most * 4 : n->at.array);
	n->g.outer = outer;
	n->g.slot = 0;
	rows_piece(&n->g, &n->plan, 0);
	rows_begin(n->at.slot, n->at.stats, SLOT_STATS(arrays, n->plan.most));
}

static int norm_stays(const struct norm *n)
{
	return n->plan.pieces == 1;
}

/* Turn to the next group, in the other slot. */
static void norm_group(struct norm *n, uint64_t first, uint64_t rows)
{
	const uint64_t array = n->at.array, stat = n->plan.most * NPU_TILE_ALIGN;
	const uint64_t slot = !n->g.slot;
	const npu_addr data = NPU_UB_BASE + slot * n->at.slot, stats = data + n->at.stats;

	n->g.slot = slot;
	n->g.first = first;
	n->g.rows = rows;
	n->x = data;
	n->x_stage = data + array;
	n->grad = n->x_stage + n->at.staged;
	n->grad_stage = n->grad + array;
	n->mean = stats;
	n->rstd = n->mean + stat;
	n->part = n->rstd + stat;
	n->a = n->part + stat; /* there are none in the forward */
	n->b = n->a + stat;
}

/* sum = sum of each row of @data, or of squares, added to what earlier pieces have left there. */
static void norm_sum(const struct norm *n, enum npu_vec_opcode op, uint64_t flags, npu_addr sum,
		     npu_addr data, uint64_t piece)
{
	rows_reduction(&n->g);
	npu_vec(op, piece ? n->part : sum, data, 0, n->g.count, NPU_F32, flags);
	if (piece)
		npu_vadd(sum, sum, n->part, rows_stats(&n->g), NPU_F32);
}

/* A sum of each row becomes a mean; rows_stats() are returned, for operations that follow. */
static uint64_t norm_mean(const struct norm *n, npu_addr sum)
{
	const uint64_t count = rows_stats(&n->g);

	npu_vdivs(sum, sum, npu_f32_bits(n->plan.cols), count, NPU_F32);
	return count;
}

/* What is scaled from here on: (x - mean) * rstd. */
static void norm_scaled(const struct norm *n, uint32_t flags)
{
	npu_vec_scale(flags & NPU_OP_NORM_RMS ? 0 : n->mean, n->rstd, NPU_TILE_ALIGN);
}

static void norm_scale(const struct norm *n)
{
	rows_arrays(&n->g);
	npu_vec(NPU_VMUL, n->x, n->x, npu_f32_bits(1), n->g.count, NPU_F32,
		NPU_VEC_SCALAR | NPU_VEC_SCALED);
}

static void forward_fetch(struct norm *n, const struct npu_op_norm_args *args, uint64_t piece)
{
	if (!norm_stays(n))
		rows_reload();
	rows_piece(&n->g, &n->plan, piece);
	rows_fetch(&n->g, &args->x, args->dtype, n->x, n->x_stage);
	ub_loaded(n->g.slot);
	rows_widen(&n->g, args->dtype, n->x, n->x_stage);
}

/* mean and rstd */
static void forward_stats(struct norm *n, const struct npu_op_norm_args *args)
{
	const int rms = args->flags & NPU_OP_NORM_RMS;
	uint64_t p, count;

	for (p = 0; !rms && p < n->plan.pieces; p++) {
		forward_fetch(n, args, p);
		norm_sum(n, NPU_VSUM, 0, n->mean, n->x, p);
	}
	if (!rms) {
		norm_mean(n, n->mean);
		npu_vec_scale(n->mean, 0, NPU_TILE_ALIGN);
	}
	for (p = 0; p < n->plan.pieces; p++) {
		if (rms || !norm_stays(n))
			forward_fetch(n, args, p);
		norm_sum(n, NPU_VSUMSQ, rms ? 0 : NPU_VEC_SCALED, n->rstd, n->x, p);
	}
	count = norm_mean(n, n->rstd);
	npu_vadds(n->rstd, n->rstd, npu_f32_bits(args->eps), count, NPU_F32);
	npu_vrsqrt(n->rstd, n->rstd, count, NPU_F32);
}

/* gamma and beta, for the columns of the group; rows that stay have the same ones each time. */
static void forward_weights(const struct norm *n, const struct npu_op_norm_args *args)
{
	if (args->gamma)
		rows_vector(&n->g, args->gamma, args->weight_dtype, n->at.gamma, n->at.stage);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	if (args->beta)
		rows_vector(&n->g, args->beta, args->weight_dtype, n->at.beta, n->at.stage);
}

/* x = (x - mean) * rstd * gamma + beta */
static void forward_affine(const struct norm *n, const struct npu_op_norm_args *args)
{
	const npu_addr weights = args->gamma ? n->at.gamma : n->at.beta;
	enum npu_vec_opcode op = args->gamma ? NPU_VMUL : NPU_VADD;

	if (!args->gamma && !args->beta) {
		norm_scale(n);
		return;
	}
	if (args->gamma && args->beta) {
		npu_vec_addend(n->at.beta, 0);
		op = NPU_VFMA;
	}
	rows_arrays_row(&n->g);
	npu_vec(op, n->x, n->x, weights, n->g.count, NPU_F32, NPU_VEC_SCALED);
}

static void forward_results(struct norm *n, const struct npu_op_norm_args *args)
{
	norm_scaled(n, args->flags);
	for (uint64_t p = 0; p < n->plan.pieces; p++) {
		if (!norm_stays(n)) {
			forward_fetch(n, args, p);
			forward_weights(n, args);
		}
		forward_affine(n, args);
		rows_narrow(&n->g, args->dtype, n->x, n->x_stage);
		ub_computed(n->g.slot);
		rows_put(&n->g, &args->out, args->dtype, n->x, n->x_stage);
	}
}

NPU_ARGS(op_norm, struct npu_op_norm_args, in(x.base), out(out.base), out(mean.base),
	 out(rstd.base), in(gamma), in(beta), value(cols), value(dtype), value(weight_dtype),
	 value(flags), value(eps));

NPU_KERNEL(op_norm, struct npu_op_norm_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	struct norm n;

	norm_begin(&n, FORWARD, &args->outer, args->cols, args->dtype, args->weight_dtype);
	if (norm_stays(&n))
		forward_weights(&n, args);
	for (uint64_t r = mine.begin; r < mine.end; r += n.plan.most) {
		norm_group(&n, r, npu_min(n.plan.most, mine.end - r));
		ub_acquire(n.g.slot);
		forward_stats(&n, args);
		forward_results(&n, args);
		rows_put_stats(&n.g, &args->mean, n.mean);
		rows_put_stats(&n.g, &args->rstd, n.rstd);
		ub_release(n.g.slot);
	}
	ub_end();
}

/* x = (x - mean) * rstd, and grad, in fp32 */
static void backward_fetch(struct norm *n, const struct npu_op_norm_backward_args *args,
			   uint64_t piece)
{
	if (!norm_stays(n))
		rows_reload();
	rows_piece(&n->g, &n->plan, piece);
	rows_fetch(&n->g, &args->x, args->dtype, n->x, n->x_stage);
	rows_fetch(&n->g, &args->grad, args->dtype, n->grad, n->grad_stage);
	ub_loaded(n->g.slot);
	rows_widen(&n->g, args->dtype, n->x, n->x_stage);
	rows_widen(&n->g, args->dtype, n->grad, n->grad_stage);
	if (!norm_stays(n) && args->gamma)
		rows_vector(&n->g, args->gamma, args->weight_dtype, n->at.gamma, n->at.stage);
	norm_scaled(n, args->flags);
	norm_scale(n);
}

/* Partial sums of the columns of a chunk, in memory. */
static npu_addr partial_at(const struct norm *n, const struct npu_op_norm_backward_args *args,
			   uint64_t row, int beta)
{
	const uint64_t chunks = npu_ceil_div(args->outer.rows, args->chunk);

	return args->partial +
	       ((row / args->chunk + (beta ? chunks : 0)) * args->cols + n->g.begin) * 4;
}

/* The sums as they are before the group: those of a chunk begin at zero. */
static void sums_fetch(const struct norm *n, const struct npu_op_norm_backward_args *args)
{
	const uint64_t bytes = n->g.count * 4;

	if (n->g.first % args->chunk) {
		if (norm_stays(n))
			return;
		rows_reload();
		npu_copy(n->at.gamma_sum, partial_at(n, args, n->g.first, 0), bytes);
		npu_copy(n->at.beta_sum, partial_at(n, args, n->g.first, 1), bytes);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
		return;
	}
	rows_restage();
	npu_vec_one_row();
	npu_vdup(n->at.gamma_sum, 0, n->g.count, NPU_F32);
	npu_vdup(n->at.beta_sum, 0, n->g.count, NPU_F32);
}

static void sums_put(const struct norm *n, const struct npu_op_norm_backward_args *args)
{
	const uint64_t end = n->g.first + n->g.rows;

	if (norm_stays(n) && end % args->chunk && end != args->outer.rows)
		return;
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy(partial_at(n, args, n->g.first, 0), n->at.gamma_sum, n->g.count * 4);
	npu_copy(partial_at(n, args, n->g.first, 1), n->at.beta_sum, n->g.count * 4);
}

/* gamma_sum += grad x, beta_sum += grad, row after row */
static void backward_sums(const struct norm *n, const struct npu_op_norm_backward_args *args)
{
	if (!args->partial)
		return;
	sums_fetch(n, args);
	npu_vec_rows(n->g.rows, 0, n->g.pitch, n->g.pitch);
	npu_vmla(n->at.gamma_sum, n->grad, n->x, n->g.count, NPU_F32);
	npu_vec_rows(n->g.rows, 0, n->g.pitch, 0);
	npu_vadd(n->at.beta_sum, n->grad, n->at.beta_sum, n->g.count, NPU_F32);
	sums_put(n, args);
}

/* grad = grad gamma */
static void backward_gamma(const struct norm *n, const struct npu_op_norm_backward_args *args)
{
	rows_arrays_row(&n->g);
	if (args->gamma)
		npu_vmul(n->grad, n->grad, n->at.gamma, n->g.count, NPU_F32);
}

/* a = mean of grad gamma, b = mean of that times x */
static void backward_stats(struct norm *n, const struct npu_op_norm_backward_args *args)
{
	for (uint64_t p = 0; p < n->plan.pieces; p++) {
		backward_fetch(n, args, p);
		backward_sums(n, args);
		backward_gamma(n, args);
		norm_sum(n, NPU_VSUM, 0, n->a, n->grad, p);
		rows_dot(&n->g, n->b, n->part, n->grad, n->x, p);
	}
	norm_mean(n, n->a);
	norm_mean(n, n->b);
}

/* grad_x = (grad gamma - a - x b) rstd */
static void backward_results(struct norm *n, const struct npu_op_norm_backward_args *args)
{
	for (uint64_t p = 0; p < n->plan.pieces; p++) {
		if (!norm_stays(n)) {
			backward_fetch(n, args, p);
			backward_gamma(n, args);
		}
		rows_arrays_stats(&n->g);
		npu_vmulr(n->x, n->x, n->b, n->g.count, NPU_F32);
		npu_vec_scale(args->flags & NPU_OP_NORM_RMS ? 0 : n->a, 0, NPU_TILE_ALIGN);
		rows_arrays(&n->g);
		npu_vec(NPU_VSUB, n->grad, n->grad, n->x, n->g.count, NPU_F32, NPU_VEC_SCALED);
		rows_arrays_stats(&n->g);
		npu_vmulr(n->grad, n->grad, n->rstd, n->g.count, NPU_F32);
		rows_narrow(&n->g, args->dtype, n->grad, n->grad_stage);
		ub_computed(n->g.slot);
		rows_put(&n->g, &args->grad_x, args->dtype, n->grad, n->grad_stage);
	}
}

NPU_ARGS(op_norm_backward, struct npu_op_norm_backward_args, in(x.base), in(grad.base),
	 out(grad_x.base), in(mean.base), in(rstd.base), in(gamma), out(partial), value(cols),
	 value(dtype), value(weight_dtype), value(flags), value(chunk));

/* A block takes whole chunks, so that their sums do not depend on how many blocks there are. */
NPU_KERNEL(op_norm_backward, struct npu_op_norm_backward_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, args->chunk, block, blocks);
	uint64_t rows;
	struct norm n;

	norm_begin(&n, BACKWARD, &args->outer, args->cols, args->dtype, args->weight_dtype);
	if (norm_stays(&n) && args->gamma)
		rows_vector(&n.g, args->gamma, args->weight_dtype, n.at.gamma, n.at.stage);
	for (uint64_t r = mine.begin; r < mine.end; r += rows) {
		rows = npu_min(npu_min(n.plan.most, mine.end - r), args->chunk - r % args->chunk);
		norm_group(&n, r, rows);
		ub_acquire(n.g.slot);
		rows_fetch_stats(&n.g, &args->mean, n.mean);
		rows_fetch_stats(&n.g, &args->rstd, n.rstd);
		backward_stats(&n, args);
		backward_results(&n, args);
		ub_release(n.g.slot);
	}
	ub_end();
}

#define SUM_COLS 4096
#define SUM_ROWS 4 /* of a slot */
#define SUM_SLOT (SUM_COLS * SUM_ROWS * 4)
#define SUM_TOTAL (NPU_UB_BASE + UB_SLOTS * SUM_SLOT)
_Static_assert(UB_SLOTS *SUM_SLOT + SUM_COLS * 4 <= NPU_UB_SIZE, "UB overflows");

static void column_sum(const struct npu_op_column_sum_args *args, uint64_t col, uint64_t cols)
{
	const uint64_t pitch = npu_align(cols * 4), most = UB_SLOTS * SUM_SLOT / 2 / pitch;
	const uint64_t x_pitch = args->cols * 4ull;
	unsigned int slot = 0;

	npu_vec_one_row();
	npu_vdup(SUM_TOTAL, 0, cols, NPU_F32);
	ub_begin();
	for (uint64_t r = 0; r < args->rows; r += most, slot = !slot) {
		const npu_addr data = NPU_UB_BASE + slot * SUM_SLOT;
		const uint64_t rows = npu_min(most, args->rows - r);

		ub_acquire(slot);
		npu_copy_2d(data, args->x + r * x_pitch + col * 4, cols * 4, rows, pitch, x_pitch);
		ub_loaded(slot);
		npu_vec_rows(rows, 0, pitch, 0);
		npu_vadd(SUM_TOTAL, data, SUM_TOTAL, cols, NPU_F32);
		ub_computed(slot);
		ub_release(slot);
	}
	ub_end();
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy(args->out + col * 4, SUM_TOTAL, cols * 4);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

NPU_ARGS(op_column_sum, struct npu_op_column_sum_args, in(x), out(out), value(rows), value(cols));

NPU_KERNEL(op_column_sum, struct npu_op_column_sum_args)
{
	const struct npu_span mine = npu_split(args->cols, NPU_TILE_ALIGN, block, blocks);

	for (uint64_t c = mine.begin; c < mine.end; c += SUM_COLS)
		column_sum(args, c, npu_min(SUM_COLS, mine.end - c));
}

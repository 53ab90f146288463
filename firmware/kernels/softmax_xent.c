/* SPDX-License-Identifier: MIT */
/*
 * Softmax with cross entropy, forward and backward in one pass over the logits.
 * The vector engine does whole groups of rows; only what is at a row's label goes
 * through the scalar unit.
 */
#include "npu_kernel.h"
#include "npu_kernels.h"
#include "ub_ring.h"

#define DATA (NPU_SOFTMAX_MAX_COLS * 4)
#define MOST_ROWS 256
#define STATS (MOST_ROWS * NPU_TILE_ALIGN) /* one value a row, 32 bytes apart */
#define SLOT (DATA + 3 * STATS + 2 * MOST_ROWS * 4)
_Static_assert(UB_SLOTS * SLOT <= NPU_UB_SIZE, "UB overflows");
_Static_assert(SLOT % NPU_TILE_ALIGN == 0, "slots are not aligned");

struct group {
	npu_addr data, max, sum, ln, labels, loss;
	uint32_t rows, cols, pitch;
	uint64_t first; /* row */
};

static struct group group_at(unsigned int slot, uint64_t first, uint32_t rows, uint32_t cols)
{
	const npu_addr data = NPU_UB_BASE + slot * SLOT, max = data + DATA;
	const npu_addr labels = max + 3 * STATS;

	return (struct group){
		data, max, max + STATS, max + 2 * STATS, labels, labels + MOST_ROWS * 4,
		rows, cols, npu_align(cols * 4), first,
	};
}

static npu_addr label_of(const struct group *g, uint32_t row)
{
	const int32_t label = npu_load_s32(g->labels + row * 4);

	if (label < 0 || (uint32_t)label >= g->cols)
		npu_trap(g->first + row);
	return g->data + row * g->pitch + label * 4;
}

/* data = data - max of the row; loss = minus the label's value after that. */
static void subtract_max(const struct group *g)
{
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, 0);
	npu_vredmax(g->max, g->data, g->cols, NPU_F32);
	npu_vec_rows(g->rows, g->pitch, g->pitch, NPU_TILE_ALIGN);
	npu_vsubr(g->data, g->data, g->max, g->cols, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < g->rows; r++)
		npu_store_f32(g->loss + r * 4, -npu_load_f32(label_of(g, r)));
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
}

/* data = e^data; loss = loss + ln(sum of the row). */
static void exponentials(const struct group *g)
{
	npu_vec_rows(g->rows, g->pitch, g->pitch, 0);
	npu_vexp(g->data, g->data, g->cols, NPU_F32);
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, g->pitch, 0);
	npu_vsum(g->sum, g->data, g->cols, NPU_F32);
	npu_vec_rows(g->rows, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
	npu_vln(g->ln, g->sum, 1, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < g->rows; r++) {
		const npu_addr loss = g->loss + r * 4;

		npu_store_f32(loss, npu_load_f32(loss) + npu_load_f32(g->ln + r * NPU_TILE_ALIGN));
	}
}

/* data = (data / sum - onehot) * scale */
static void gradients(const struct group *g, float scale)
{
	npu_vec_rows(g->rows, g->pitch, g->pitch, NPU_TILE_ALIGN);
	npu_vdivr(g->data, g->data, g->sum, g->cols, NPU_F32);
	npu_vmuls(g->data, g->data, npu_f32_bits(scale), g->cols, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < g->rows; r++) {
		const npu_addr at = label_of(g, r);

		npu_store_f32(at, npu_load_f32(at) - scale);
	}
}

static void process(const struct npu_softmax_xent_args *args, const struct group *g,
		    unsigned int slot)
{
	ub_acquire(slot);
	npu_copy_2d(g->data, args->logits + g->first * args->ldx * 4, g->cols * 4, g->rows,
		    g->pitch, args->ldx * 4);
	npu_copy(g->labels, args->labels + g->first * 4, g->rows * 4);
	ub_loaded(slot);
	subtract_max(g);
	exponentials(g);
	if (args->grad)
		gradients(g, args->scale);
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
	ub_computed(slot);
	if (args->loss)
		npu_copy(args->loss + g->first * 4, g->loss, g->rows * 4);
	if (args->grad)
		npu_copy_2d(args->grad + g->first * args->ldgrad * 4, g->data, g->cols * 4,
			    g->rows, args->ldgrad * 4, g->pitch);
	ub_release(slot);
}

NPU_ARGS(softmax_xent, struct npu_softmax_xent_args, in(logits), in(labels), out(loss), out(grad),
	 value(rows), value(cols), value(ldx), value(ldgrad), value(scale), value(rsvd));

NPU_KERNEL(softmax_xent, struct npu_softmax_xent_args)
{
	const struct npu_span mine = npu_split(args->rows, 1, block, blocks);
	const uint32_t cols = args->cols;
	uint32_t most;
	unsigned int slot = 0;

	if (!cols || cols > NPU_SOFTMAX_MAX_COLS)
		npu_trap(cols);
	most = npu_min(DATA / npu_align(cols * 4), MOST_ROWS);
	ub_begin();
	for (uint64_t r = mine.begin; r < mine.end; r += most, slot = !slot) {
		const struct group g = group_at(slot, r, npu_min(most, mine.end - r), cols);

		process(args, &g, slot);
	}
	ub_end();
}

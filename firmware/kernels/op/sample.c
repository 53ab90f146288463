/* SPDX-License-Identifier: MIT */
/*
 * Sampling. The elements that may be chosen are those up to a place in descending order: keys
 * above a threshold, and of those that equal it the ones up to a column. Both are found by
 * halving, over the number of elements for top_k, then over their weights for top_p. A random
 * number then falls into the sum of the weights that are left, in the order of columns.
 */
#include "npu_kernel.h"
#include "keys.h"
#include "npu_op_sample.h"
#include "philox.h"
#include "rows.h"

/* UB: keys and weights of a piece, room to work, sums of its parts, two masks, and the result. */
#define WIDTH 12288
#define PART 256 /* elements whose sum is one step of the search for the place */
#define UB_KEYS NPU_UB_BASE
#define UB_WEIGHTS (UB_KEYS + WIDTH * 4)
#define UB_WORK (UB_WEIGHTS + WIDTH * 4)
#define UB_SUMS (UB_WORK + WIDTH * 4)
#define UB_MASK (UB_SUMS + WIDTH / PART * NPU_TILE_ALIGN)
#define UB_EQUAL (UB_MASK + WIDTH / 8)
#define UB_INDEX (UB_EQUAL + WIDTH / 8)
_Static_assert(UB_INDEX + NPU_TILE_ALIGN <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");

struct sample {
	const struct npu_op_sample_args *args;
	struct rows_plan plan;
	struct rows_group g;
	int32_t max; /* key of the greatest element */
	int64_t at_max; /* its column */
	/* What may be chosen: keys above, and those that equal it in columns up to last. */
	int64_t threshold, last;
	int shrunk; /* not all */
	int loaded; /* the only piece is there */
};

static float f32_from_bits(uint32_t bits)
{
	float value;

	__builtin_memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The float of a key. */
static float key_value(int32_t key)
{
	return f32_from_bits(key < 0 ? key ^ INT32_MAX : key);
}

/* UB_KEYS and UB_WEIGHTS = exp((x - max) / temperature) of a piece. */
static void fetch(struct sample *s, uint32_t piece)
{
	if (s->loaded)
		return;
	rows_piece(&s->g, &s->plan, piece);
	rows_reload();
	rows_fetch(&s->g, &s->args->logits, s->args->dtype, UB_WEIGHTS, UB_WORK);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	rows_widen(&s->g, s->args->dtype, UB_WEIGHTS, UB_WORK);
	keys_from_f32(UB_KEYS, UB_WEIGHTS, UB_WORK, s->g.count);
}

static void weigh(struct sample *s)
{
	const uint32_t n = s->g.count;

	if (s->loaded)
		return;
	npu_vec_one_row();
	npu_vsubs(UB_WEIGHTS, UB_WEIGHTS, npu_f32_bits(key_value(s->max)), n, NPU_F32);
	npu_vmuls(UB_WEIGHTS, UB_WEIGHTS, npu_f32_bits(s->args->inverse_temperature), n, NPU_F32);
	npu_vexp(UB_WEIGHTS, UB_WEIGHTS, n, NPU_F32);
	s->loaded = s->plan.pieces == 1;
}

/* The first of the greatest elements. */
static void find_max(struct sample *s)
{
	s->loaded = 0;
	for (uint32_t p = 0; p < s->plan.pieces; p++) {
		int32_t at, key;

		fetch(s, p);
		npu_vargmax(UB_SUMS, UB_KEYS, s->g.count, NPU_S32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_S);
		at = npu_load_s32(UB_SUMS);
		key = npu_load_s32(UB_KEYS + at * 4);
		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
		if (!p || key > s->max) {
			s->max = key;
			s->at_max = (int64_t)s->g.begin + at;
		}
	}
	if (s->plan.pieces == 1)
		weigh(s);
}

/* UB_WORK = of the piece's elements at @from what is in a set, else 0 */
static void keep(const struct sample *s, npu_addr from, int64_t threshold, int64_t last)
{
	const uint32_t n = s->g.count, bytes = npu_align((n + 7) / 8);
	const int64_t equal = last - s->g.begin + 1;

	npu_vec_one_row();
	if (equal >= n) {
		npu_vcmp_ges(UB_MASK, UB_KEYS, threshold, n, NPU_S32);
	} else {
		npu_vdup(UB_EQUAL, 0, bytes, NPU_U8);
		npu_vdup(UB_MASK, 0, bytes, NPU_U8);
		if (equal > 0)
			npu_vcmp_eqs(UB_EQUAL, UB_KEYS, threshold, equal, NPU_S32);
		npu_vcmp_gts(UB_MASK, UB_KEYS, threshold, n, NPU_S32);
		npu_vor(UB_MASK, UB_MASK, UB_EQUAL, bytes, NPU_U8);
	}
	npu_vec_mask(UB_MASK, 0);
	npu_vselects(UB_WORK, from, 0, n, NPU_F32);
}

/* The weights, or the number, of elements up to a place that are in the set. */
static float measure(struct sample *s, int64_t threshold, int64_t last, int count)
{
	float sum = 0;

	for (uint32_t p = 0; p < s->plan.pieces; p++) {
		fetch(s, p);
		weigh(s);
		npu_vec_one_row();
		if (count)
			npu_vdup(UB_WORK, npu_f32_bits(1), s->g.count, NPU_F32);
		keep(s, count ? UB_WORK : UB_WEIGHTS, threshold, last);
		if (s->shrunk)
			keep(s, UB_WORK, s->threshold, s->last);
		npu_vsum(UB_SUMS, UB_WORK, s->g.count, NPU_F32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_S);
		sum += npu_load_f32(UB_SUMS);
		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	}
	return sum;
}

/* The set becomes as small as it can with a measure of @least. */
static void shrink(struct sample *s, float least, int count)
{
	int64_t low = (int64_t)KEY_NONE, high = s->max, begin = 0, end = s->plan.cols - 1ll;

	/* The greatest key that, with all that equal it, is enough. */
	while (low < high) {
		const int64_t middle = low + (high - low + 1) / 2;

		if (measure(s, middle, end, count) >= least)
			low = middle;
		else
			high = middle - 1;
	}
	/* The first column up to which those are enough. */
	while (begin < end) {
		const int64_t middle = begin + (end - begin) / 2;

		if (measure(s, low, middle, count) >= least)
			end = middle;
		else
			begin = middle + 1;
	}
	s->last = end;
	s->threshold = low;
	s->shrunk = 1;
}

/* UB_WORK = the piece's weights that are in the set, and zeros behind them; their sum */
static float chosen_weights(struct sample *s, uint32_t piece)
{
	fetch(s, piece);
	weigh(s);
	npu_vec_one_row();
	npu_vdup(UB_WORK, 0, npu_ceil_div(s->g.count, PART) * PART, NPU_F32);
	keep(s, UB_WEIGHTS, s->threshold, s->last);
	npu_vsum(UB_SUMS, UB_WORK, s->g.count, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	return npu_load_f32(UB_SUMS);
}

/*
 * Which of @count numbers, @stride bytes apart, takes the sum from @sum over @target: the last one
 * that is not zero, should rounding have it that none does. @sum becomes the sum before it.
 */
static uint32_t find_place(npu_addr at, uint32_t stride, uint32_t count, float *sum, float target)
{
	float before = *sum;
	uint32_t place = 0;

	for (uint32_t i = 0; i < count && before <= target; i++, at += stride) {
		const float x = npu_load_f32(at);

		if (x == 0)
			continue;
		place = i;
		*sum = before;
		before += x;
	}
	return place;
}

/* Where a random number falls into the weights. */
static int64_t draw(struct sample *s, uint64_t counter)
{
	const uint32_t word = philox_number(s->args->seed, counter, s->g.first);
	const float target = (word >> 8) * 0x1p-24f * measure(s, KEY_NONE, s->plan.cols, 0);
	uint32_t piece = 0, parts, part;
	float sum = 0, before = 0;

	for (uint32_t p = 0; p < s->plan.pieces && sum <= target; p++) {
		const float x = chosen_weights(s, p);

		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
		if (x == 0)
			continue;
		piece = p;
		before = sum;
		sum += x;
	}
	chosen_weights(s, piece);
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	parts = npu_ceil_div(s->g.count, PART);
	npu_vec_rows(parts, NPU_TILE_ALIGN, PART * 4, 0);
	npu_vsum(UB_SUMS, UB_WORK, PART, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	part = find_place(UB_SUMS, NPU_TILE_ALIGN, parts, &before, target);
	part *= PART;
	part += find_place(UB_WORK + part * 4, 4, PART, &before, target);
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	return (int64_t)s->g.begin + part;
}

static int64_t choose(struct sample *s, uint64_t counter)
{
	const struct npu_op_sample_args *args = s->args;

	find_max(s);
	/* NaN, or no finite element: there are no weights. */
	if (args->inverse_temperature == 0 || !__builtin_isfinite(key_value(s->max)))
		return s->at_max;
	s->threshold = KEY_NONE;
	s->last = s->plan.cols;
	s->shrunk = 0;
	if (args->top_k && args->top_k < s->plan.cols)
		shrink(s, args->top_k, 1);
	if (args->top_p < 1)
		shrink(s, args->top_p * measure(s, KEY_NONE, s->plan.cols, 0), 0);
	return draw(s, counter);
}

NPU_ARGS(op_sample, struct npu_op_sample_args, in(logits.base), out(index.base), value(seed),
	 value(counter), in(control), value(inverse_temperature), value(top_p), value(top_k),
	 value(cols), value(dtype));

NPU_KERNEL(op_sample, struct npu_op_sample_args)
{
	const struct npu_span mine = npu_split(args->outer.rows, 1, block, blocks);
	const uint64_t counter =
		args->counter + (args->control ? (int64_t)npu_load_s32(args->control) : 0);
	struct sample s = { .args = args, .plan = rows_plan(args->cols, WIDTH * 4) };

	s.g = (struct rows_group){ .outer = &args->outer, .rows = 1 };
	for (uint64_t r = mine.begin; r < mine.end; r++) {
		s.g.first = r;
		npu_store_s32(UB_INDEX, choose(&s, counter));
		ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
		rows_put_stats(&s.g, &args->index, UB_INDEX);
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_S);
	}
}

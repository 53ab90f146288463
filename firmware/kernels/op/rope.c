/* SPDX-License-Identifier: MIT */
/*
 * Rotary position embedding. Angles are in turns, a product of the position with a frequency that
 * has two parts, so that the fraction of a turn is right for all positions. The sines of a group
 * of positions serve all heads.
 */
#include "npu_kernel.h"
#include "npu_op_rope.h"
#include "ub_ring.h"

/* UB: arrays, then the frequencies and the positions. */
#define ARRAY_ELEMENTS 3072
#define ARRAY (ARRAY_ELEMENTS * 4)
#define ARRAY_AT(i) (NPU_UB_BASE + (i)*ARRAY)
#define UB_COS ARRAY_AT(0)
#define UB_SIN ARRAY_AT(1)
#define UB_TURN ARRAY_AT(2)
#define UB_WORK ARRAY_AT(3)
#define UB_SQUARE ARRAY_AT(4)
#define UB_X(slot, half) ARRAY_AT(5 + 4 * (slot) + (half))
#define UB_OUT(slot, half) ARRAY_AT(7 + 4 * (slot) + (half))
#define MOST_POSITIONS 128
#define UB_HIGH ARRAY_AT(13)
#define UB_LOW (UB_HIGH + NPU_OP_ROPE_DIM / 2 * 4)
#define UB_POSITION (UB_LOW + NPU_OP_ROPE_DIM / 2 * 4)
#define UB_USED (UB_POSITION + MOST_POSITIONS * NPU_TILE_ALIGN)
_Static_assert(UB_USED <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");
_Static_assert(NPU_OP_ROPE_DIM / 2 <= ARRAY_ELEMENTS, "a row does not fit");

#define ROUND_TO_INTEGER 0x1.8p23f /* plus and minus that rounds what is below 2^22 */
#define TURNS_OF_RADIAN 0x1.45f306dc9c883p-3 /* 1 / (2 pi) */

struct rope {
	const struct npu_op_rope_args *args;
	uint32_t batch, first, rows; /* a group of positions */
	uint32_t bytes; /* of an element */
	uint32_t pitch; /* of a row of pairs in fp32 */
	uint32_t half_pitch; /* and as it is stored */
};

static float as_float(double x)
{
	return x;
}

/* Turns of a position for each pair, in two parts. */
static void frequencies(const struct rope *r)
{
	double f = TURNS_OF_RADIAN;

	for (uint32_t i = 0; i < r->args->pairs; i++, f *= r->args->ratio) {
		npu_store_f32(UB_HIGH + i * 4, as_float(f));
		npu_store_f32(UB_LOW + i * 4, as_float(f - as_float(f)));
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
}

/* The positions of the group, as fp32 32 bytes apart. */
static void positions(const struct rope *r)
{
	const struct npu_op_rope_args *args = r->args;
	const npu_addr at =
		args->position + r->batch * args->position_batch + r->first * args->position_stride;

	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t i = 0; i < r->rows; i++)
		npu_store_f32(UB_POSITION + i * NPU_TILE_ALIGN,
			      args->position ? npu_load_s32(at + i * args->position_stride)
					     : (float)(r->first + i));
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
}

/* UB_TURN = fraction of a turn, -1/2 to 1/2 */
static void fractions(const struct rope *r)
{
	const uint32_t n = r->args->pairs, all = r->rows * r->pitch / 4;

	npu_vec_rows(r->rows, r->pitch, 0, NPU_TILE_ALIGN);
	npu_vmulr(UB_TURN, UB_HIGH, UB_POSITION, n, NPU_F32);
	npu_vec_one_row();
	npu_vneg(UB_WORK, UB_TURN, all, NPU_F32);
	npu_vec_rows(r->rows, r->pitch, 0, NPU_TILE_ALIGN);
	/* What rounding the product has cost, exactly, and the small part. */
	npu_vmlar(UB_WORK, UB_HIGH, UB_POSITION, n, NPU_F32);
	npu_vmlar(UB_WORK, UB_LOW, UB_POSITION, n, NPU_F32);
	npu_vec_one_row();
	npu_vadds(UB_SQUARE, UB_TURN, npu_f32_bits(ROUND_TO_INTEGER), all, NPU_F32);
	npu_vsubs(UB_SQUARE, UB_SQUARE, npu_f32_bits(ROUND_TO_INTEGER), all, NPU_F32);
	npu_vsub(UB_TURN, UB_TURN, UB_SQUARE, all, NPU_F32);
	npu_vadd(UB_TURN, UB_TURN, UB_WORK, all, NPU_F32);
}

/* @dst = @dst @UB_SQUARE + @coefficient */
static void horner(npu_addr dst, float coefficient, uint32_t all)
{
	npu_vmul(dst, dst, UB_SQUARE, all, NPU_F32);
	npu_vadds(dst, dst, npu_f32_bits(coefficient), all, NPU_F32);
}

/*
 * dst = cos(2 pi x): with y = 1/4 - |x - integer|, from -1/4 to 1/4, the sine of 2 pi y by its
 * series, to the power of 11.
 */
static void cosine(npu_addr dst, npu_addr x, uint32_t all)
{
	npu_vadds(UB_WORK, x, npu_f32_bits(ROUND_TO_INTEGER), all, NPU_F32);
	npu_vsubs(UB_WORK, UB_WORK, npu_f32_bits(ROUND_TO_INTEGER), all, NPU_F32);
	npu_vsub(UB_WORK, x, UB_WORK, all, NPU_F32);
	npu_vabs(UB_WORK, UB_WORK, all, NPU_F32);
	npu_vmuls(UB_WORK, UB_WORK, npu_f32_bits(-1), all, NPU_F32);
	npu_vadds(UB_WORK, UB_WORK, npu_f32_bits(0.25f), all, NPU_F32);
	npu_vmul(UB_SQUARE, UB_WORK, UB_WORK, all, NPU_F32);
	npu_vdup(dst, npu_f32_bits(-0x1.e307500000000p+3f), all, NPU_F32);
	horner(dst, 0x1.5078340000000p+5f, all);
	horner(dst, -0x1.32d2cc0000000p+6f, all);
	horner(dst, 0x1.466bc60000000p+6f, all);
	horner(dst, -0x1.4abbce0000000p+5f, all);
	horner(dst, 0x1.921fb60000000p+2f, all);
	npu_vmul(dst, dst, UB_WORK, all, NPU_F32);
}

/* The cosines and sines of the group. */
static void turn(const struct rope *r)
{
	const uint32_t all = r->rows * r->pitch / 4;

	positions(r);
	fractions(r);
	npu_vec_one_row();
	cosine(UB_COS, UB_TURN, all);
	npu_vsubs(UB_TURN, UB_TURN, npu_f32_bits(0.25f), all, NPU_F32);
	cosine(UB_SIN, UB_TURN, all);
	if (r->args->flags & NPU_OP_ROPE_INVERSE)
		npu_vneg(UB_SIN, UB_SIN, all, NPU_F32);
}

/* Memory of a half of the group's rows of a head. */
static npu_addr half_at(const struct rope *r, const struct npu_op_rope_view *view, uint32_t head,
			uint32_t half)
{
	return view->base + r->batch * view->batch + r->first * view->position + head * view->head +
	       half * r->args->pairs * r->bytes;
}

static void copy_element(npu_addr dst, npu_addr src, uint32_t bytes)
{
	if (bytes == 4)
		*(volatile uint32_t *)dst = *(volatile uint32_t *)src;
	else
		*(volatile uint16_t *)dst = *(volatile uint16_t *)src;
}

/* Rows of pairs at @pairs to halves, ARRAY apart, at @halves, or back: no engine has a path. */
static void sort_pairs(const struct rope *r, npu_addr pairs, npu_addr halves, int back)
{
	const uint32_t bytes = r->bytes, pitch = npu_align(2 * r->args->pairs * bytes);

	for (uint32_t row = 0; row < r->rows; row++)
		for (uint32_t i = 0; i < 2 * r->args->pairs; i++) {
			const npu_addr pair = pairs + row * pitch + i * bytes;
			const npu_addr half =
				halves + i % 2 * ARRAY + row * r->half_pitch + i / 2 * bytes;

			if (back)
				copy_element(pair, half, bytes);
			else
				copy_element(half, pair, bytes);
		}
}

/*
 * Each step goes from one of x's and the results' room to the other: as memory has it, halves,
 * fp32. So where it begins depends on how many steps there are.
 */
static npu_addr room(unsigned int slot, int of_out)
{
	return of_out ? UB_OUT(slot, 0) : UB_X(slot, 0);
}

static void move_pairs(const struct rope *r, const struct npu_op_rope_view *view, uint32_t head,
		       npu_addr local, int store)
{
	const uint32_t bytes = 2 * r->args->pairs * r->bytes, pitch = npu_align(bytes);

	if (store)
		npu_copy_2d(half_at(r, view, head, 0), local, bytes, r->rows, view->position,
			    pitch);
	else
		npu_copy_2d(local, half_at(r, view, head, 0), bytes, r->rows, pitch,
			    view->position);
}

static void move_halves(const struct rope *r, const struct npu_op_rope_view *view, uint32_t head,
			npu_addr local, int store)
{
	const uint32_t bytes = r->args->pairs * r->bytes;

	for (uint32_t half = 0; half < 2; half++, local += ARRAY)
		if (store)
			npu_copy_2d(half_at(r, view, head, half), local, bytes, r->rows,
				    view->position, r->half_pitch);
		else
			npu_copy_2d(local, half_at(r, view, head, half), bytes, r->rows,
				    r->half_pitch, view->position);
}

/* x of a head, in halves and fp32. */
static void load(const struct rope *r, uint32_t head, unsigned int slot)
{
	const struct npu_op_rope_args *args = r->args;
	const int convert = args->dtype != NPU_F32;

	if (args->flags & NPU_OP_ROPE_INTERLEAVED) {
		move_pairs(r, &args->x, head, room(slot, !convert), 0);
		ub_loaded(slot);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_S);
		sort_pairs(r, room(slot, !convert), room(slot, convert), 0);
		ub_sync(NPU_PIPE_S, NPU_PIPE_V);
	} else {
		move_halves(r, &args->x, head, room(slot, convert), 0);
		ub_loaded(slot);
	}
	npu_vec_rows(r->rows, r->pitch, r->half_pitch, 0);
	for (uint32_t half = 0; convert && half < 2; half++)
		npu_vcast(UB_X(slot, half), UB_OUT(slot, half), args->pairs, args->dtype, NPU_F32,
			  0);
}

/* The results of a head. */
static void store(const struct rope *r, uint32_t head, unsigned int slot)
{
	const struct npu_op_rope_args *args = r->args;
	const int convert = args->dtype != NPU_F32;

	npu_vec_rows(r->rows, r->half_pitch, r->pitch, 0);
	for (uint32_t half = 0; convert && half < 2; half++)
		npu_vcast(UB_X(slot, half), UB_OUT(slot, half), args->pairs, NPU_F32, args->dtype,
			  0);
	if (!(args->flags & NPU_OP_ROPE_INTERLEAVED)) {
		ub_computed(slot);
		move_halves(r, &args->out, head, room(slot, !convert), 1);
		return;
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	sort_pairs(r, room(slot, convert), room(slot, !convert), 1);
	ub_sync(NPU_PIPE_S, NPU_PIPE_MTE3);
	ub_computed(slot);
	move_pairs(r, &args->out, head, room(slot, convert), 1);
}

/* out = x cos - y sin, y cos + x sin */
static void rotate(const struct rope *r, unsigned int slot)
{
	const npu_addr x = UB_X(slot, 0), y = UB_X(slot, 1), all = r->rows * r->pitch / 4;
	const npu_addr out_x = UB_OUT(slot, 0), out_y = UB_OUT(slot, 1);

	npu_vec_one_row();
	npu_vmul(UB_WORK, y, UB_SIN, all, NPU_F32);
	npu_vmul(out_x, x, UB_COS, all, NPU_F32);
	npu_vsub(out_x, out_x, UB_WORK, all, NPU_F32);
	npu_vmul(UB_WORK, x, UB_SIN, all, NPU_F32);
	npu_vmul(out_y, y, UB_COS, all, NPU_F32);
	npu_vadd(out_y, out_y, UB_WORK, all, NPU_F32);
}

NPU_ARGS(op_rope, struct npu_op_rope_args, in(x.base), out(out.base), in(position), value(ratio),
	 value(batch), value(positions), value(heads), value(pairs), value(dtype), value(flags));

/* The sines of a group of positions serve as many heads as there are. */
NPU_KERNEL(op_rope, struct npu_op_rope_args)
{
	struct rope r = {
		.args = args,
		.bytes = npu_dtype_bytes(args->dtype),
		.pitch = npu_align(args->pairs * 4),
		.half_pitch = npu_align(args->pairs * npu_dtype_bytes(args->dtype)),
	};
	const uint32_t most = npu_min(ARRAY / r.pitch, MOST_POSITIONS);
	const uint32_t groups = npu_ceil_div(args->positions, most);
	const struct npu_span mine = npu_split((uint64_t)args->batch * groups, 1, block, blocks);
	unsigned int slot = 0;

	npu_vdup(ARRAY_AT(0), 0, 5 * ARRAY_ELEMENTS, NPU_F32);
	frequencies(&r);
	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		r.batch = i / groups;
		r.first = i % groups * most;
		r.rows = npu_min(most, args->positions - r.first);
		turn(&r);
		for (uint32_t head = 0; head < args->heads; head++, slot = !slot) {
			ub_acquire(slot);
			load(&r, head, slot);
			rotate(&r, slot);
			store(&r, head, slot);
			ub_release(slot);
		}
	}
	ub_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a tile of sums in L0C: FIXPIPE stores it, if that is all; else it goes piece by
 * piece through UB, where the vector engine scales, adds the bias and activates, while FIXPIPE and
 * MTE3 have the other of two slots. A slot has three areas: the sums, the activated values, and
 * what C held.
 */
#ifndef OP_GEMM_OUTPUT_H
#define OP_GEMM_OUTPUT_H

#include "activation.h"
#include "gemm_tile.h"
#include "npu_op_gemm.h"

#define OUTPUT_SLOTS 2
#define OUTPUT_AREAS 3

/*
 * Vectors of a tile, at the end of UB: for each column bias and scale, and the bias as it is in
 * memory; for each row bias and scale, 32 bytes apart.
 */
#define OUTPUT_COLS (NPU_GEMM_TILE_N * 4)
#define OUTPUT_ROWS (NPU_GEMM_TILE_M * NPU_TILE_ALIGN)
#define OUTPUT_VECTORS (3 * OUTPUT_COLS + 2 * OUTPUT_ROWS)
#define OUTPUT_BIAS_N (NPU_UB_BASE + NPU_UB_SIZE - OUTPUT_VECTORS)
#define OUTPUT_SCALE_N (OUTPUT_BIAS_N + OUTPUT_COLS)
#define OUTPUT_RAW (OUTPUT_SCALE_N + OUTPUT_COLS)
#define OUTPUT_BIAS_M (OUTPUT_RAW + OUTPUT_COLS)
#define OUTPUT_SCALE_M (OUTPUT_BIAS_M + OUTPUT_ROWS)

/* Most bytes that an area can have. */
#define OUTPUT_AREA_MAX 0x7000
_Static_assert(OUTPUT_SLOTS *OUTPUT_AREAS *OUTPUT_AREA_MAX + OUTPUT_VECTORS <= NPU_UB_SIZE,
	       "UB overflows");

#define OUTPUT_FLAG_VECTORS OUTPUT_SLOTS /* between MTE2 and V, and MTE3 and V: beside the slots */

/*
 * struct output - of a kernel
 * @args: as the library gives them
 * @c: address for the product at hand; @pre: likewise
 * @area: bytes of an area, from NPU_UB_BASE on
 * @scale: of all sums
 * @direct: FIXPIPE does it all
 */
struct output {
	const struct npu_op_output *args;
	npu_addr c, pre;
	uint32_t area;
	uint32_t bytes; /* of an element of C */
	uint32_t turn;
	float scale;
	int direct;
};

static inline struct output output_of(const struct npu_op_output *args, uint32_t sum, uint32_t area)
{
	float scale = args->scale;

	if (args->scale_m && !(args->flags & NPU_OP_GEMM_SCALES_M))
		scale *= npu_load_f32(args->scale_m);
	if (args->scale_n && !(args->flags & NPU_OP_GEMM_SCALES_N))
		scale *= npu_load_f32(args->scale_n);
	return (struct output){
		.args = args,
		.c = args->c,
		.pre = args->pre,
		.area = area,
		.bytes = npu_dtype_bytes(args->dtype),
		.scale = scale,
		.direct = npu_op_output_is_direct(args, sum),
	};
}

static inline void output_begin(const struct output *o)
{
	if (o->direct)
		return;
	for (uint32_t slot = 0; slot < OUTPUT_SLOTS; slot++) {
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
	}
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE2, OUTPUT_FLAG_VECTORS);
}

static inline void output_end(const struct output *o)
{
	if (o->direct)
		return;
	for (uint32_t slot = 0; slot < OUTPUT_SLOTS; slot++) {
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
	}
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE2, OUTPUT_FLAG_VECTORS);
}

/* A vector's part to UB: beside each other for columns, 32 bytes apart for rows. */
static inline void output_copy_vector(npu_addr dst, npu_addr src, uint32_t at, uint32_t count,
				      uint32_t bytes, int rows)
{
	if (rows)
		npu_copy_2d(dst, src + (uint64_t)at * bytes, bytes, count, NPU_TILE_ALIGN, bytes);
	else
		npu_copy(dst, src + (uint64_t)at * bytes, count * bytes);
}

/* Bias and scales of a tile. */
static inline void output_load_vectors(const struct npu_op_output *args, const struct gemm_tile *t)
{
	const int bias_m = args->flags & NPU_OP_GEMM_BIAS_M;
	const uint32_t at = bias_m ? t->m0 : t->n0, count = bias_m ? t->mt : t->nt;
	const npu_addr bias = bias_m ? OUTPUT_BIAS_M : OUTPUT_BIAS_N;

	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE2, OUTPUT_FLAG_VECTORS);
	if (args->bias)
		output_copy_vector(args->bias_dtype == NPU_F32 || bias_m ? bias : OUTPUT_RAW,
				   args->bias, at, count, npu_dtype_bytes(args->bias_dtype),
				   bias_m);
	if (args->flags & NPU_OP_GEMM_SCALES_M)
		output_copy_vector(OUTPUT_SCALE_M, args->scale_m, t->m0, t->mt, 4, 1);
	if (args->flags & NPU_OP_GEMM_SCALES_N)
		output_copy_vector(OUTPUT_SCALE_N, args->scale_n, t->n0, t->nt, 4, 0);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, OUTPUT_FLAG_VECTORS);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, OUTPUT_FLAG_VECTORS);
	if (!args->bias || args->bias_dtype == NPU_F32)
		return;
	if (bias_m) {
		npu_vec_rows(count, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
		npu_vcast(bias, bias, 1, args->bias_dtype, NPU_F32, 0);
	} else {
		npu_vec_one_row();
		npu_vcast(bias, OUTPUT_RAW, count, args->bias_dtype, NPU_F32, 0);
	}
}

/* A piece: rows @row to @row + @rows of a tile, at @x in UB, @pitch bytes apart. */
struct output_piece {
	npu_addr x, y, old;
	uint32_t row, rows, cols, pitch;
};

/* Scales and bias. */
static inline void output_scale(const struct npu_op_output *args, const struct output_piece *p,
				float scale)
{
	const uint32_t by_row = p->row * NPU_TILE_ALIGN;

	npu_vec_rows(p->rows, p->pitch, p->pitch, NPU_TILE_ALIGN);
	if (scale != 1)
		npu_vmuls(p->x, p->x, npu_f32_bits(scale), p->cols, NPU_F32);
	if (args->flags & NPU_OP_GEMM_SCALES_M)
		npu_vmulr(p->x, p->x, OUTPUT_SCALE_M + by_row, p->cols, NPU_F32);
	if (args->flags & NPU_OP_GEMM_SCALES_N) {
		npu_vec_rows(p->rows, p->pitch, p->pitch, 0);
		npu_vmul(p->x, p->x, OUTPUT_SCALE_N, p->cols, NPU_F32);
	}
	if (!args->bias)
		return;
	if (args->flags & NPU_OP_GEMM_BIAS_M) {
		npu_vec_rows(p->rows, p->pitch, p->pitch, NPU_TILE_ALIGN);
		npu_vaddr(p->x, p->x, OUTPUT_BIAS_M + by_row, p->cols, NPU_F32);
	} else {
		npu_vec_rows(p->rows, p->pitch, p->pitch, 0);
		npu_vadd(p->x, p->x, OUTPUT_BIAS_N, p->cols, NPU_F32);
	}
}

/* The vector engine's part; what goes to C is at the address that it gives. */
static inline npu_addr output_compute(const struct output *o, const struct output_piece *p,
				      float scale)
{
	const struct npu_op_output *args = o->args;
	npu_addr result = p->x;

	output_scale(args, p, scale);
	npu_vec_rows(p->rows, p->pitch, p->pitch, p->pitch);
	if (args->activation) {
		result = p->y;
		activate(args->activation, p->y, p->x, p->cols);
	}
	if (args->flags & NPU_OP_GEMM_ACCUMULATE) {
		/* Not in place, where pre is. */
		npu_vadd(p->y, p->old, result, p->cols, NPU_F32);
		result = p->y;
	}
	if (args->dtype == NPU_F32)
		return result;
	if (result != p->x && args->pre)
		npu_vcast(p->x, p->x, p->cols, NPU_F32, args->dtype, 0);
	npu_vcast(result, result, p->cols, NPU_F32, args->dtype, 0);
	return result;
}

static inline void output_store_piece(struct output *o, const struct gemm *g,
				      const struct gemm_tile *t, const struct output_piece *p,
				      npu_addr l0c)
{
	const struct npu_op_output *args = o->args;
	const uint32_t slot = o->turn, sum = gemm_sum_dtype(g), row = t->m0 + p->row;
	const uint32_t row_bytes = p->cols * o->bytes;
	const npu_addr c = o->c + row * args->ldc + t->n0 * o->bytes;
	npu_addr result;

	if (args->flags & NPU_OP_GEMM_ACCUMULATE) {
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
		npu_copy_2d(p->old, c, row_bytes, p->rows, p->pitch, args->ldc);
		npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
	}
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
	npu_fixpipe(p->x, l0c + p->row * npu_align(t->nt * 4), p->rows, p->cols, p->pitch, sum,
		    NPU_F32, 0, sum == NPU_S32 ? o->scale : 0);
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_V, slot);
	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_V, slot);
	if (args->flags & NPU_OP_GEMM_ACCUMULATE)
		npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
	result = output_compute(o, p, sum == NPU_S32 ? 1 : o->scale);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
	npu_copy_2d(c, result, row_bytes, p->rows, args->ldc, p->pitch);
	if (args->pre)
		npu_copy_2d(o->pre + row * args->ld_pre + t->n0 * o->bytes, p->x, row_bytes,
			    p->rows, args->ld_pre, p->pitch);
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_FIX, slot);
	if (args->flags & NPU_OP_GEMM_ACCUMULATE)
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
	o->turn = !slot;
}

/* SCALE of FIXPIPE, where it does all. */
static inline float output_direct_scale(const struct output *o, uint32_t sum)
{
	return sum == NPU_S32 && o->args->dtype != NPU_S32 ? o->scale : 0;
}

/* A tile that FIXPIPE stores by itself. */
static inline void output_direct(const struct output *o, const struct gemm_tile *t, uint32_t sum,
				 npu_addr l0c)
{
	const struct npu_op_output *args = o->args;

	npu_fixpipe(o->c + t->m0 * args->ldc + t->n0 * o->bytes, l0c, t->mt, t->nt, args->ldc, sum,
		    args->dtype, args->activation == NPU_OP_ACT_RELU ? NPU_FIX_RELU : 0,
		    output_direct_scale(o, sum));
}

/* output_store() - store() of struct gemm, whose context is a struct output. */
static inline void output_store(const struct gemm *g, const struct gemm_tile *t, npu_addr l0c)
{
	struct output *o = g->context;
	const struct npu_op_output *args = o->args;
	const uint32_t pitch = npu_align(t->nt * 4), most = o->area / pitch;

	if (o->direct) {
		output_direct(o, t, gemm_sum_dtype(g), l0c);
		return;
	}
	output_load_vectors(args, t);
	for (uint32_t row = 0; row < t->mt; row += most) {
		const npu_addr x = NPU_UB_BASE + o->turn * OUTPUT_AREAS * o->area;
		const struct output_piece p = {
			.x = x,
			.y = x + o->area,
			.old = x + 2 * o->area,
			.row = row,
			.rows = npu_min(most, t->mt - row),
			.cols = t->nt,
			.pitch = pitch,
		};

		output_store_piece(o, g, t, &p, l0c);
	}
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE2, OUTPUT_FLAG_VECTORS);
}

#endif /* OP_GEMM_OUTPUT_H */

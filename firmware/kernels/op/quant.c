/* SPDX-License-Identifier: MIT */
/* Quantisation: scales, and numbers to small integers and back. */
#include "npu_op_quant.h"
#include "s4.h"
#include "ub_ring.h"

#define WIDTH 2048 /* columns of a piece */
#define ROWS 256 /* rows of it, and of a vector of scales 32 bytes apart */

/* Areas of a slot: numbers in fp32; as they are in memory; for packing; scales. */
#define FLOATS 0
#define RAW 0x8000
#define TEMP 0xc000
#define SCALES 0xe000
#define SLOT 0x10000
#define RESULT (NPU_UB_BASE + UB_SLOTS * SLOT)
_Static_assert(WIDTH * 4 <= SLOT - SCALES && ROWS * NPU_TILE_ALIGN <= SLOT - SCALES,
	       "scales overflow");
_Static_assert(RAW - FLOATS >= 4 * (SCALES - TEMP) && TEMP - RAW >= 2 * (SCALES - TEMP),
	       "areas of wider elements are too small");
_Static_assert(UB_SLOTS *SLOT + SLOT - SCALES <= NPU_UB_SIZE, "UB overflows");

/* How a matrix is cut: the rows of a group into pieces of @most, columns into those of WIDTH. */
struct plan {
	uint32_t most;
	uint64_t row_pieces; /* of a group */
	uint32_t col_pieces;
};

struct piece {
	npu_addr slot;
	uint64_t group, row;
	uint32_t rows, col, cols;
	uint32_t pitch; /* of rows in fp32 */
};

static struct plan make_plan(const struct npu_op_quant_args *args)
{
	/* A byte an element, padded, is the most in relation to an area's size. */
	const uint32_t pitch = s4_pitch(npu_min(args->cols, WIDTH));
	const uint32_t most = npu_min((SCALES - TEMP) / pitch, ROWS);

	return (struct plan){
		.most = most,
		.row_pieces = npu_ceil_div(args->group, most),
		.col_pieces = npu_ceil_div(args->cols, WIDTH),
	};
}

/* Piece @row_piece of the rows of a group, and @col_piece of the columns. */
static struct piece piece_at(const struct npu_op_quant_args *args, const struct plan *plan,
			     uint64_t group, uint64_t row_piece, uint32_t col_piece)
{
	struct piece p = {
		.group = group,
		.row = group * args->group + row_piece * plan->most,
		.rows = npu_min(plan->most, args->group - row_piece * plan->most),
		.col = col_piece * WIDTH,
	};

	p.cols = npu_min(WIDTH, args->cols - p.col);
	p.pitch = npu_align(p.cols * 4);
	return p;
}

/* Numbers come to RAW, or to FLOATS if they are of that type. */
static void load_x(const struct npu_op_quant_args *args, const struct piece *p)
{
	const uint32_t bytes = npu_dtype_bytes(args->dtype), row_bytes = p->cols * bytes;

	npu_copy_2d(p->slot + (bytes == 4 ? FLOATS : RAW),
		    args->x + p->row * args->ldx + (uint64_t)p->col * bytes, row_bytes, p->rows,
		    npu_align(row_bytes), args->ldx);
}

static void widen_x(const struct npu_op_quant_args *args, const struct piece *p)
{
	if (args->dtype == NPU_F32)
		return;
	npu_vec_rows(p->rows, p->pitch, npu_align(p->cols * 2), 0);
	npu_vcast(p->slot + FLOATS, p->slot + RAW, p->cols, args->dtype, NPU_F32, 0);
}

/* Scales of a piece: one a row 32 bytes apart, or of the columns. */
static void load_scales(const struct npu_op_quant_args *args, const struct piece *p)
{
	if (args->flags & NPU_OP_QUANT_BY_ROW)
		npu_copy_2d(p->slot + SCALES, args->scale + p->row * args->ld_scale, 4, p->rows,
			    NPU_TILE_ALIGN, args->ld_scale);
	else
		npu_copy(p->slot + SCALES, args->scale + p->group * args->ld_scale + p->col * 4ULL,
			 p->cols * 4);
}

/* FLOATS = FLOATS op SCALES */
static void scale(const struct npu_op_quant_args *args, const struct piece *p,
		  enum npu_vec_opcode op)
{
	const int by_row = args->flags & NPU_OP_QUANT_BY_ROW;

	npu_vec_rows(p->rows, p->pitch, p->pitch, by_row ? NPU_TILE_ALIGN : 0);
	npu_vec(op, p->slot + FLOATS, p->slot + FLOATS, p->slot + SCALES, p->cols, NPU_F32,
		by_row ? NPU_VEC_PER_ROW : 0);
}

static uint32_t q_bytes(const struct npu_op_quant_args *args, uint32_t cols)
{
	return args->flags & NPU_OP_QUANT_S4 ? cols / 2 : cols;
}

static npu_addr q_address(const struct npu_op_quant_args *args, const struct piece *p)
{
	return args->q + p->row * args->ldq + q_bytes(args, p->col);
}

static void quantize_piece(const struct npu_op_quant_args *args, const struct piece *p,
			   uint32_t slot)
{
	const npu_addr floats = p->slot + FLOATS, raw = p->slot + RAW;
	uint32_t pitch = s4_pitch(p->cols);

	ub_acquire(slot);
	load_x(args, p);
	load_scales(args, p);
	ub_loaded(slot);
	widen_x(args, p);
	scale(args, p, NPU_VDIV);
	npu_vmins(floats, floats, npu_f32_bits(args->divisor), p->cols, NPU_F32);
	npu_vmaxs(floats, floats, npu_f32_bits(-args->divisor), p->cols, NPU_F32);
	npu_vec_rows(p->rows, pitch, p->pitch, 0);
	npu_vcast(raw, floats, p->cols, NPU_F32, NPU_S8, 0);
	if (args->flags & NPU_OP_QUANT_S4)
		s4_pack(raw, p->slot + TEMP, p->rows, p->cols);
	ub_computed(slot);
	npu_copy_2d(q_address(args, p), raw, q_bytes(args, p->cols), p->rows, args->ldq, pitch);
	ub_release(slot);
}

static void dequantize_piece(const struct npu_op_quant_args *args, const struct piece *p,
			     uint32_t slot)
{
	const int s4 = args->flags & NPU_OP_QUANT_S4;
	const npu_addr floats = p->slot + FLOATS, raw = p->slot + RAW;
	const uint32_t bytes = npu_dtype_bytes(args->dtype), row_bytes = q_bytes(args, p->cols);

	ub_acquire(slot);
	npu_copy_2d(s4 ? floats : raw, q_address(args, p), row_bytes, p->rows, npu_align(row_bytes),
		    args->ldq);
	load_scales(args, p);
	ub_loaded(slot);
	if (s4)
		s4_unpack(raw, floats, p->slot + TEMP, p->rows, p->cols);
	npu_vec_rows(p->rows, p->pitch, s4_pitch(p->cols), 0);
	npu_vcast(floats, raw, p->cols, NPU_S8, NPU_F32, 0);
	scale(args, p, NPU_VMUL);
	if (args->dtype != NPU_F32) {
		npu_vec_rows(p->rows, p->pitch, p->pitch, 0);
		npu_vcast(floats, floats, p->cols, NPU_F32, args->dtype, 0);
	}
	ub_computed(slot);
	npu_copy_2d(args->x + p->row * args->ldx + (uint64_t)p->col * bytes, floats,
		    p->cols * bytes, p->rows, args->ldx, p->pitch);
	ub_release(slot);
}

/* All pieces, in any order. */
static void for_pieces(const struct npu_op_quant_args *args, uint32_t block, uint32_t blocks,
		       void (*each)(const struct npu_op_quant_args *args, const struct piece *p,
				    uint32_t slot))
{
	const struct plan plan = make_plan(args);
	const uint64_t row_pieces = args->rows / args->group * plan.row_pieces;
	const struct npu_span mine = npu_split(row_pieces * plan.col_pieces, 1, block, blocks);
	uint32_t slot = 0;

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++, slot = !slot) {
		const uint64_t row_piece = i / plan.col_pieces;
		struct piece p = piece_at(args, &plan, row_piece / plan.row_pieces,
					  row_piece % plan.row_pieces, i % plan.col_pieces);

		p.slot = NPU_UB_BASE + slot * SLOT;
		each(args, &p, slot);
	}
	ub_end();
}

NPU_ARGS(op_quantize, struct npu_op_quant_args, in(x), out(q), in(scale), value(rows), value(cols));

NPU_KERNEL(op_quantize, struct npu_op_quant_args)
{
	for_pieces(args, block, blocks, quantize_piece);
}

NPU_ARGS(op_dequantize, struct npu_op_quant_args, out(x), in(q), in(scale), value(rows),
	 value(cols));

NPU_KERNEL(op_dequantize, struct npu_op_quant_args)
{
	for_pieces(args, block, blocks, dequantize_piece);
}

/* Numbers without their signs, in FLOATS. */
static void load_absolute(const struct npu_op_quant_args *args, const struct piece *p,
			  uint32_t slot)
{
	ub_acquire(slot);
	load_x(args, p);
	ub_loaded(slot);
	widen_x(args, p);
	npu_vec_rows(p->rows, p->pitch, p->pitch, 0);
	npu_vabs(p->slot + FLOATS, p->slot + FLOATS, p->cols, NPU_F32);
}

/* The greatest of each column of @p so far, to RESULT. */
static void greatest_of_columns(const struct piece *p)
{
	npu_vec_rows(p->rows, 0, 0, p->pitch);
	npu_vmax(RESULT, RESULT, p->slot + FLOATS, p->cols, NPU_F32);
}

/* The greatest of each row of @p so far, to RESULT, 32 bytes apart. */
static void greatest_of_rows(const struct piece *p)
{
	const npu_addr greatest = p->slot + SCALES;

	npu_vec_rows(p->rows, NPU_TILE_ALIGN, p->pitch, 0);
	npu_vredmax(greatest, p->slot + FLOATS, p->cols, NPU_F32);
	npu_vec_rows(p->rows, NPU_TILE_ALIGN, NPU_TILE_ALIGN, NPU_TILE_ALIGN);
	npu_vmax(RESULT, RESULT, greatest, 1, NPU_F32);
}

/* What is in RESULT becomes scales, of @rows elements or one row of @cols. */
static void store_result(const struct npu_op_quant_args *args, npu_addr scales, uint32_t rows,
			 uint32_t cols)
{
	npu_vec_rows(rows, NPU_TILE_ALIGN, NPU_TILE_ALIGN, 0);
	npu_vdivs(RESULT, RESULT, npu_f32_bits(args->divisor), cols, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	npu_copy_2d(scales, RESULT, cols * 4, rows, args->ld_scale, NPU_TILE_ALIGN);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

static void clear_result(void)
{
	npu_vec_one_row();
	npu_vdup(RESULT, 0, (SLOT - SCALES) / 4, NPU_F32);
}

/* Scales of the columns of a group, of one piece of them. */
static void scales_of_columns(const struct npu_op_quant_args *args, const struct plan *plan,
			      uint64_t group, uint32_t col_piece)
{
	struct piece p = { 0 };
	uint32_t slot = 0;

	clear_result();
	for (uint64_t i = 0; i < plan->row_pieces; i++, slot = !slot) {
		p = piece_at(args, plan, group, i, col_piece);
		p.slot = NPU_UB_BASE + slot * SLOT;
		load_absolute(args, &p, slot);
		greatest_of_columns(&p);
		ub_computed(slot);
		ub_release(slot);
	}
	store_result(args, args->scale + group * args->ld_scale + p.col * 4ULL, 1, p.cols);
}

/* Scales of the rows of a piece, over all columns. */
static void scales_of_rows(const struct npu_op_quant_args *args, const struct plan *plan,
			   uint64_t row_piece)
{
	struct piece p = { 0 };
	uint32_t slot = 0;

	clear_result();
	for (uint32_t i = 0; i < plan->col_pieces; i++, slot = !slot) {
		p = piece_at(args, plan, 0, row_piece, i);
		p.slot = NPU_UB_BASE + slot * SLOT;
		load_absolute(args, &p, slot);
		greatest_of_rows(&p);
		ub_computed(slot);
		ub_release(slot);
	}
	store_result(args, args->scale + p.row * args->ld_scale, p.rows, 1);
}

NPU_ARGS(op_quant_scales, struct npu_op_quant_args, in(x), out(scale), value(rows), value(cols));

NPU_KERNEL(op_quant_scales, struct npu_op_quant_args)
{
	const struct plan plan = make_plan(args);
	const int by_row = args->flags & NPU_OP_QUANT_BY_ROW;
	const uint64_t units =
		by_row ? plan.row_pieces : args->rows / args->group * plan.col_pieces;
	const struct npu_span mine = npu_split(units, 1, block, blocks);

	ub_begin();
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		if (by_row)
			scales_of_rows(args, &plan, i);
		else
			scales_of_columns(args, &plan, i / plan.col_pieces, i % plan.col_pieces);
	}
	ub_end();
}

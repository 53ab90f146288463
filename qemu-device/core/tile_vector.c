// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: state and check of operands; the loops are in tile_isa_vector.c and the like. */
#include "tile_internal.h"

#define TYPE(dtype) (1u << (dtype))
#define FLOATS (TYPE(NPU_F32) | TYPE(NPU_F16) | TYPE(NPU_BF16))
#define INTS (TYPE(NPU_S32) | TYPE(NPU_S16) | TYPE(NPU_S8) | TYPE(NPU_U8))
#define SIGNED (FLOATS | (INTS & ~TYPE(NPU_U8)))
#define ALL (FLOATS | INTS)

/* Operands of an operation, and what of them is not one element for one element. */
enum {
	SRC0 = 1 << 0,
	SRC1 = 1 << 1,
	ONLY_SCALAR = 1 << 2, /* src1 has to be a scalar */
	BITS_OUT = 1 << 3, /* dst is a bit mask */
	BITS_IN = 1 << 4, /* a bit mask is read */
	ONE_OUT = 1 << 5, /* dst is one element a row */
	INDEX_OUT = 1 << 6, /* and of S32 */
	CONVERT = 1 << 7, /* dst is of DST_DTYPE */
	BY_ROW = 1 << 8, /* rows are not just elements in another place */
	DST_IN = 1 << 9, /* dst is read, too */
	SCALES = 1 << 10, /* src0 may be scaled, if it is of floats */
	ADDEND = 1 << 11, /* elements are read where the mask is */
};

#define UNARY SRC0
#define BINARY (SRC0 | SRC1)
#define FILL (SRC1 | ONLY_SCALAR)
#define COMPARE (BINARY | BITS_OUT | BY_ROW)
#define REDUCE (SRC0 | ONE_OUT | BY_ROW)

static const struct vec_rule {
	uint16_t types, operands;
} vec_rules[] = {
	[NPU_VMOV] = { ALL, UNARY },
	[NPU_VNEG] = { SIGNED, UNARY | SCALES },
	[NPU_VABS] = { SIGNED, UNARY | SCALES },
	[NPU_VRELU] = { SIGNED, UNARY | SCALES },
	[NPU_VEXP] = { FLOATS, UNARY | SCALES },
	[NPU_VLN] = { FLOATS, UNARY | SCALES },
	[NPU_VSQRT] = { FLOATS, UNARY | SCALES },
	[NPU_VRSQRT] = { FLOATS, UNARY | SCALES },
	[NPU_VRECIP] = { FLOATS, UNARY | SCALES },
	[NPU_VTANH] = { FLOATS, UNARY | SCALES },
	[NPU_VERF] = { FLOATS, UNARY | SCALES },
	[NPU_VNOT] = { INTS, UNARY },
	[NPU_VDUP] = { ALL, FILL },
	[NPU_VINDEX] = { TYPE(NPU_F32) | TYPE(NPU_S32), FILL | BY_ROW },
	[NPU_VADD] = { ALL, BINARY | SCALES },
	[NPU_VSUB] = { ALL, BINARY | SCALES },
	[NPU_VMUL] = { ALL, BINARY | SCALES },
	[NPU_VDIV] = { FLOATS, BINARY | SCALES },
	[NPU_VMAX] = { ALL, BINARY | SCALES },
	[NPU_VMIN] = { ALL, BINARY | SCALES },
	[NPU_VMLA] = { ALL, BINARY | DST_IN | SCALES },
	[NPU_VAND] = { INTS, BINARY },
	[NPU_VOR] = { INTS, BINARY },
	[NPU_VXOR] = { INTS, BINARY },
	[NPU_VSHL] = { INTS, BINARY },
	[NPU_VSHR] = { INTS, BINARY },
	[NPU_VMADD] = { ALL, BINARY | DST_IN | SCALES },
	[NPU_VFMA] = { FLOATS, BINARY | ADDEND | SCALES },
	[NPU_VCMP_EQ] = { ALL, COMPARE },
	[NPU_VCMP_NE] = { ALL, COMPARE },
	[NPU_VCMP_LT] = { ALL, COMPARE },
	[NPU_VCMP_LE] = { ALL, COMPARE },
	[NPU_VCMP_GT] = { ALL, COMPARE },
	[NPU_VCMP_GE] = { ALL, COMPARE },
	[NPU_VSELECT] = { ALL, BINARY | BITS_IN | BY_ROW },
	[NPU_VCAST] = { ALL, UNARY | CONVERT },
	[NPU_VSUM] = { FLOATS | TYPE(NPU_S32), REDUCE | SCALES },
	[NPU_VREDMAX] = { ALL, REDUCE },
	[NPU_VREDMIN] = { ALL, REDUCE },
	[NPU_VARGMAX] = { ALL, REDUCE | INDEX_OUT },
	[NPU_VARGMIN] = { ALL, REDUCE | INDEX_OUT },
	[NPU_VDOT] = { FLOATS, REDUCE | SRC1 | SCALES },
	[NPU_VSUMSQ] = { FLOATS, REDUCE | SCALES },
};

static const struct vec_rule *vec_rule(const struct tile_vec *args, uint64_t rs3)
{
	const uint64_t known = NPU_VEC_COUNT | NPU_VEC_OPCODE | NPU_VEC_DTYPE |
			       NPU_VEC_DST_DTYPE | NPU_VEC_SCALAR | NPU_VEC_TRUNC |
			       NPU_VEC_PER_ROW | NPU_VEC_SCALED;
	bool scalar = rs3 & NPU_VEC_SCALAR, per_row = rs3 & NPU_VEC_PER_ROW;
	const struct vec_rule *rule;

	if (rs3 & ~known || args->opcode >= sizeof(vec_rules) / sizeof(vec_rules[0]))
		return NULL;
	rule = &vec_rules[args->opcode];
	if (!(rule->types & TYPE(args->dtype)))
		return NULL;
	if (rule->operands & CONVERT ? args->dst_dtype >= NPU_DTYPE_COUNT :
				       args->dst_dtype || args->trunc)
		return NULL;
	if (rule->operands & SRC1 ? scalar && per_row : scalar || per_row)
		return NULL;
	if (rule->operands & ONLY_SCALAR && !scalar)
		return NULL;
	if (rs3 & NPU_VEC_SCALED && !(rule->operands & SCALES && FLOATS & TYPE(args->dtype)))
		return NULL;
	return rule;
}

static uint64_t vec_dst_bytes(const struct tile_vec *args, unsigned int operands)
{
	if (operands & BITS_OUT)
		return (args->count + 7ULL) / 8;
	if (operands & INDEX_OUT)
		return tile_dtype_size(NPU_S32);
	if (operands & ONE_OUT)
		return tile_dtype_size(args->dtype);
	return (uint64_t)args->count *
	       tile_dtype_size(operands & CONVERT ? args->dst_dtype : args->dtype);
}

static struct tile_vec vec_args(const struct npu_tile *tile, const struct tile_operands *op)
{
	return (struct tile_vec) {
		.opcode = NPU_GET(NPU_VEC_OPCODE, op->rs3),
		.dtype = NPU_GET(NPU_VEC_DTYPE, op->rs3),
		.dst_dtype = NPU_GET(NPU_VEC_DST_DTYPE, op->rs3),
		.count = NPU_GET(NPU_VEC_COUNT, op->rs3), .trunc = op->rs3 & NPU_VEC_TRUNC,
		.scaled = op->rs3 & NPU_VEC_SCALED && (tile->scale_shift || tile->scale_factor),
		.scale_pitch = tile->scale_pitch,
		.dst_pitch = tile->dst_pitch, .src0_pitch = tile->src0_pitch,
		.src1_pitch = tile->src1_pitch, .mask_pitch = tile->mask_pitch,
	};
}

static struct tile_rect vec_rect(const struct npu_tile *tile, enum npu_access access,
				 uint64_t address, uint64_t pitch, uint64_t row_bytes)
{
	return (struct tile_rect) {
		.unit = NPU_UNIT_VECTOR, .access = access, .buffers = TILE_UB,
		.address = address, .pitch = pitch, .row_bytes = row_bytes, .rows = tile->rows,
	};
}

static struct tile_rect vec_dst(const struct npu_tile *tile, const struct tile_operands *op,
				const struct tile_vec *args, unsigned int operands)
{
	return vec_rect(tile, NPU_ACCESS_WRITE, op->rd, tile->dst_pitch,
			vec_dst_bytes(args, operands));
}

static struct tile_rect vec_src0(const struct npu_tile *tile, const struct tile_operands *op,
				 const struct tile_vec *args)
{
	return vec_rect(tile, NPU_ACCESS_READ, op->rs1, tile->src0_pitch,
			(uint64_t)args->count * tile_dtype_size(args->dtype));
}

static struct tile_rect vec_src1(const struct npu_tile *tile, const struct tile_operands *op,
				 const struct tile_vec *args)
{
	uint64_t size = tile_dtype_size(args->dtype);

	return vec_rect(tile, NPU_ACCESS_READ, op->rs2, tile->src1_pitch,
			op->rs3 & NPU_VEC_PER_ROW ? size : args->count * size);
}

/* The mask, or an addend. */
static struct tile_rect vec_mask(const struct npu_tile *tile, const struct tile_vec *args,
				 unsigned int operands)
{
	return vec_rect(tile, NPU_ACCESS_READ, tile->mask, tile->mask_pitch,
			operands & BITS_IN ? (args->count + 7ULL) / 8 :
					     (uint64_t)args->count * tile_dtype_size(args->dtype));
}

/* Shifts or factors, from @address on. */
static struct tile_rect vec_scale(const struct npu_tile *tile, uint64_t address)
{
	return vec_rect(tile, NPU_ACCESS_READ, address, tile->scale_pitch,
			tile_dtype_size(NPU_F32));
}

/* Is src1 in memory? */
static bool vec_loads_src1(const struct tile_operands *op, unsigned int operands)
{
	return operands & SRC1 && !(op->rs3 & NPU_VEC_SCALAR);
}

/* Dense rows are one long row; it saves the start of each. */
void tile_join_rows(struct tile_vec *args, unsigned int operands)
{
	unsigned int size = tile_dtype_size(args->dtype);
	uint64_t src_bytes = (uint64_t)args->count * size;

	if (args->rows == 1 || args->scaled || operands & BY_ROW ||
	    args->dst_pitch != vec_dst_bytes(args, operands) ||
	    (operands & SRC0 && args->src0_pitch != src_bytes))
		return;
	if (operands & (ADDEND | DST_IN) && args->mask_pitch != src_bytes)
		return;
	if (operands & SRC1 && args->src1_pitch != (args->src1_element ? 0 : src_bytes))
		return;
	args->count *= args->rows;
	args->rows = 1;
}

/* Where the shifts and factors of rows are, as far as there are any. */
static enum npu_status vec_find_scale(struct npu_tile *tile, struct tile_vec *args)
{
	uint8_t *shifts = NULL, *factors = NULL;
	enum npu_status status = NPU_ST_OK;
	struct tile_rect rect;

	if (tile->scale_shift) {
		rect = vec_scale(tile, tile->scale_shift);
		status = tile_local(tile, &rect, &shifts);
	}
	if (!status && tile->scale_factor) {
		rect = vec_scale(tile, tile->scale_factor);
		status = tile_local(tile, &rect, &factors);
	}
	args->shifts = shifts;
	args->factors = factors;
	return status;
}

bool tile_clashes(const uint8_t *src, size_t pitch, size_t row_bytes, const struct tile_rect *dst,
		  const uint8_t *host)
{
	if (!src || (src == host && row_bytes == dst->row_bytes && tile_rect_dense(dst) &&
		     (dst->rows == 1 || pitch == dst->pitch)))
		return false;
	return src < host + tile_rect_span(dst) && host < src + (dst->rows - 1) * pitch + row_bytes;
}

/*
 * Where an operand is read, which has been checked: where a move has left it, unless what this
 * operation writes is read by its own later rows.
 */
static void vec_find(struct npu_tile *tile, const struct tile_rect *src, unsigned int align,
		     const struct tile_rect *dst, const uint8_t *dst_host, const uint8_t **host,
		     size_t *pitch)
{
	bool global;

	if (!*host)
		return;
	if (tile_clashes(*host, *pitch, src->row_bytes, dst, dst_host))
		tile_lazy_touch(tile, *host, tile_rect_span(src), false);
	else
		*host = tile_lazy_find(tile, *host, pitch, src->row_bytes, src->rows, align,
				       &global);
}

/* Where all operands are read; moves to what is going to be written are done, or not needed. */
static void vec_find_all(struct npu_tile *tile, const struct tile_operands *op,
			 struct tile_vec *args, const struct tile_rect *dst,
			 unsigned int operands)
{
	const struct tile_rect src0 = vec_src0(tile, op, args), src1 = vec_src1(tile, op, args),
			       mask = vec_mask(tile, args, operands);
	const unsigned int size = tile_dtype_size(args->dtype);

	vec_find(tile, &src0, size, dst, args->dst, &args->src0, &args->src0_pitch);
	vec_find(tile, &src1, size, dst, args->dst, &args->src1, &args->src1_pitch);
	vec_find(tile, &mask, operands & BITS_IN ? 1 : size, dst, args->dst, &args->mask,
		 &args->mask_pitch);
	if (operands & DST_IN || !tile_rect_dense(dst))
		tile_lazy_touch(tile, args->dst, tile_rect_span(dst), true);
	else
		tile_lazy_write(tile, &(struct tile_move) {
			.dst = args->dst, .dst_pitch = dst->pitch, .row_bytes = dst->row_bytes,
			.rows = dst->rows,
		});
}

static enum npu_status vec_exec(struct npu_tile *tile, const struct tile_operands *op)
{
	struct tile_vec args = vec_args(tile, op);
	const struct vec_rule *rule = vec_rule(&args, op->rs3);
	uint8_t *src0 = NULL, *src1 = NULL, *mask = NULL;
	enum npu_status status;
	struct tile_rect dst, rect;
	uint64_t elements;

	if (tile->waits)
		tile_defer_run(tile);
	if (!rule)
		return tile_bad_shape(tile, NPU_UNIT_VECTOR, op->rs3);
	if (__builtin_mul_overflow(tile->rows, args.count, &elements) ||
	    elements > NPU_VEC_MAX_ELEMENTS)
		return tile_bad_shape(tile, NPU_UNIT_VECTOR, op->rs3);
	if (!elements)
		return NPU_ST_OK;
	args.rows = tile->rows;

	dst = vec_dst(tile, op, &args, rule->operands);
	status = tile_check(tile, &dst, &args.dst);
	if (!status && rule->operands & SRC0) {
		rect = vec_src0(tile, op, &args);
		status = tile_check(tile, &rect, &src0);
	}
	if (!status && vec_loads_src1(op, rule->operands)) {
		rect = vec_src1(tile, op, &args);
		status = tile_check(tile, &rect, &src1);
	}
	if (!status && rule->operands & (BITS_IN | ADDEND)) {
		rect = vec_mask(tile, &args, rule->operands);
		status = tile_check(tile, &rect, &mask);
	}
	if (!status && args.scaled)
		status = vec_find_scale(tile, &args);
	if (status)
		return status;

	args.src0 = src0;
	args.src1 = src1;
	args.mask = mask;
	args.src1_element = op->rs3 & (NPU_VEC_SCALAR | NPU_VEC_PER_ROW);
	/* No move has its source in UB. */
	if (tile->moves_pending & tile->moves_at[TILE_AT_UB])
		vec_find_all(tile, op, &args, &dst, rule->operands);
	if (rule->operands & DST_IN) {
		args.mask = args.dst;
		args.mask_pitch = args.dst_pitch;
	}
	if (op->rs3 & NPU_VEC_SCALAR) {
		args.src1 = (const uint8_t *)&op->rs2;
		args.src1_pitch = 0;
	}
	if (!(rule->operands & (BY_ROW | (FLOATS & TYPE(args.dtype) ? 0 : DST_IN))) &&
	    tile_defer(tile, &args, rule->operands, &dst))
		return NPU_ST_OK;
	tile_join_rows(&args, rule->operands);
	tile->isa->vector(&args);
	return NPU_ST_OK;
}

enum npu_status tile_vector(struct npu_tile *tile, unsigned int funct3,
			    const struct tile_operands *op)
{
	switch (funct3) {
	case NPU_VEC_OP:
		return vec_exec(tile, op);
	case NPU_VEC_REPEAT:
		tile->rows = op->rs1;
		tile->dst_pitch = op->rd;
		tile->src0_pitch = op->rs2;
		tile->src1_pitch = op->rs3;
		return NPU_ST_OK;
	case NPU_VEC_MASK:
		tile->mask = op->rs1;
		tile->mask_pitch = op->rs2;
		return NPU_ST_OK;
	default:
		tile->scale_shift = op->rs1;
		tile->scale_factor = op->rs2;
		tile->scale_pitch = op->rs3;
		return NPU_ST_OK;
	}
}

void tile_vector_access(const struct npu_tile *tile, const struct tile_operands *op,
			struct tile_access *access)
{
	const struct tile_vec args = vec_args(tile, op);
	const struct vec_rule *rule = vec_rule(&args, op->rs3);
	struct tile_rect rect;

	access->pipe = NPU_PIPE_V;
	access->dtype = args.dtype;
	access->m = tile->rows;
	access->n = args.count;
	if (!rule || !access->m || !access->n)
		return;
	if (rule->operands & SRC0) {
		rect = vec_src0(tile, op, &args);
		tile_access_add(access, &rect);
	}
	if (vec_loads_src1(op, rule->operands)) {
		rect = vec_src1(tile, op, &args);
		tile_access_add(access, &rect);
	}
	if (rule->operands & (BITS_IN | ADDEND)) {
		rect = vec_mask(tile, &args, rule->operands);
		tile_access_add(access, &rect);
	}
	if (args.scaled && tile->scale_shift) {
		rect = vec_scale(tile, tile->scale_shift);
		tile_access_add(access, &rect);
	}
	if (args.scaled && tile->scale_factor) {
		rect = vec_scale(tile, tile->scale_factor);
		tile_access_add(access, &rect);
	}
	rect = vec_dst(tile, op, &args, rule->operands);
	if (rule->operands & DST_IN) {
		rect.access = NPU_ACCESS_READ;
		tile_access_add(access, &rect);
		rect.access = NPU_ACCESS_WRITE;
	}
	tile_access_add(access, &rect);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Cube and fixpipe: check of operands; the arithmetic is in tile_isa_cube.c. */
#include <string.h>

#include <npu/npu_mmu.h>

#include "tile_internal.h"
#include "tile_kept.h"

/* A matrix in L0: rows dense, each padded to NPU_TILE_ALIGN. */
static struct tile_rect tile_matrix_rect(enum npu_unit unit, enum tile_buffer buffer,
					 uint64_t address, uint64_t rows, uint64_t row_bytes)
{
	return (struct tile_rect) {
		.unit = unit, .buffers = buffer, .address = address,
		.access = buffer == TILE_L0C && unit == NPU_UNIT_CUBE ? NPU_ACCESS_WRITE :
									NPU_ACCESS_READ,
		.pitch = tile_round_up(row_bytes), .row_bytes = row_bytes, .rows = rows,
	};
}

static enum npu_status tile_matrix(struct npu_tile *tile, enum npu_unit unit,
				   enum tile_buffer buffer, uint64_t address, uint64_t rows,
				   uint64_t row_bytes, uint8_t **host, size_t *pitch)
{
	struct tile_rect rect = tile_matrix_rect(unit, buffer, address, rows, row_bytes);

	*pitch = rect.pitch;
	return tile_check(tile, &rect, host);
}

/* Less than that is converted before it is looked up. */
#define KEPT_ROWS 32
#define KEPT_WORK (1u << 19)

/* The form of an operand that comes again. */
static struct tile_form *find_form(struct npu_tile *tile, const struct tile_mmad *args, bool is_b)
{
	const unsigned int size = tile_dtype_size(args->dtype);
	const struct tile_kept_key key = {
		.src = is_b ? args->b : args->a, .pitch = is_b ? args->b_pitch : args->a_pitch,
		.rows = is_b ? args->k : args->m, .row_bytes = (is_b ? args->n : args->k) * size,
		.dtype = args->dtype, .is_b = is_b, .isa = tile->isa,
	};

	return tile_kept_find(tile->kept, &key, is_b ? tile_form_b(args->n, args->k) :
						       tile_form_a(args->m, args->k));
}

static void fill_forms(struct npu_tile *tile, const struct tile_mmad *args)
{
	if ((!args->a_form || args->a_form->full) && (!args->b_form || args->b_form->full))
		return;
	tile->isa->form(args);
	if (args->a_form)
		args->a_form->full = true;
	if (args->b_form)
		args->b_form->full = true;
}

static void multiply(struct npu_tile *tile, struct tile_mmad *args, uint8_t *a, uint8_t *b)
{
	const unsigned int size = tile_dtype_size(args->dtype);
	bool a_global, b_global;

	args->a = tile_lazy_find(tile, a, &args->a_pitch, (uint64_t)args->k * size, args->m, size,
				 &a_global);
	args->b = tile_lazy_find(tile, b, &args->b_pitch, (uint64_t)args->n * size, args->k, size,
				 &b_global);
	if (tile->kept && !tile->aware && args->m >= KEPT_ROWS &&
	    (uint64_t)args->m * args->n * args->k >= KEPT_WORK) {
		args->a_form = a_global ? find_form(tile, args, false) : NULL;
		args->b_form = b_global ? find_form(tile, args, true) : NULL;
	}
	fill_forms(tile, args);
	tile->isa->mmad(args);
}

static enum npu_status tile_mmad(struct npu_tile *tile, const struct tile_operands *op)
{
	const uint64_t known = NPU_MMAD_M | NPU_MMAD_N | NPU_MMAD_K | NPU_MMAD_DTYPE |
			       NPU_MMAD_INIT;
	struct tile_mmad args = {
		.m = NPU_GET(NPU_MMAD_M, op->rs3), .n = NPU_GET(NPU_MMAD_N, op->rs3),
		.k = NPU_GET(NPU_MMAD_K, op->rs3), .dtype = NPU_GET(NPU_MMAD_DTYPE, op->rs3),
		.init = op->rs3 & NPU_MMAD_INIT, .scratch = tile->scratch,
	};
	unsigned int size = tile_dtype_size(args.dtype);
	enum npu_status status;
	uint8_t *a, *b;

	if (op->rs3 & ~known || (args.dtype != NPU_F32 && args.dtype != NPU_F16 &&
				 args.dtype != NPU_BF16 && args.dtype != NPU_S8))
		return tile_bad_shape(tile, NPU_UNIT_CUBE, op->rs3);
	if (!args.m || !args.n)
		return NPU_ST_OK;
	status = tile_matrix(tile, NPU_UNIT_CUBE, TILE_L0C, op->rd, args.m, args.n * 4ULL,
			     &args.c, &args.c_pitch);
	if (!status && args.k)
		status = tile_matrix(tile, NPU_UNIT_CUBE, TILE_L0A, op->rs1, args.m,
				     (uint64_t)args.k * size, &a, &args.a_pitch);
	if (!status && args.k)
		status = tile_matrix(tile, NPU_UNIT_CUBE, TILE_L0B, op->rs2, args.k,
				     (uint64_t)args.n * size, &b, &args.b_pitch);
	if (status)
		return status;

	if (args.k) {
		multiply(tile, &args, a, b);
	} else if (args.init) {
		for (; args.m; args.m--, args.c += args.c_pitch)
			memset(args.c, 0, args.n * 4ULL);
	}
	return NPU_ST_OK;
}

static bool tile_fixpipe_valid(const struct tile_fixpipe *args, uint64_t rs3)
{
	const uint64_t known = NPU_FIXPIPE_SRC_DTYPE | NPU_FIXPIPE_DST_DTYPE | NPU_FIXPIPE_RELU |
			       NPU_FIXPIPE_SCALE;
	unsigned int dst = args->dst_dtype;

	if (rs3 & ~known)
		return false;
	if (args->src_dtype == NPU_F32)
		return !(rs3 & NPU_FIXPIPE_SCALE) &&
		       (dst == NPU_F32 || dst == NPU_F16 || dst == NPU_BF16);
	if (args->src_dtype != NPU_S32)
		return false;
	if (dst == NPU_S32)
		return !(rs3 & NPU_FIXPIPE_SCALE);
	return dst == NPU_F32 || dst == NPU_F16 || dst == NPU_S8;
}

static struct tile_rect tile_fixpipe_dst(const struct tile_operands *op)
{
	return (struct tile_rect) {
		.unit = NPU_UNIT_FIXPIPE, .access = NPU_ACCESS_WRITE, .buffers = TILE_UB | TILE_L1,
		.address = op->rd, .pitch = NPU_GET(NPU_FIXPIPE_DST_PITCH, op->rs2),
		.row_bytes = NPU_GET(NPU_FIXPIPE_COLS, op->rs2) *
			     tile_dtype_size(NPU_GET(NPU_FIXPIPE_DST_DTYPE, op->rs3)),
		.rows = NPU_GET(NPU_FIXPIPE_ROWS, op->rs2),
	};
}

static enum npu_status tile_fixpipe(struct npu_tile *tile, const struct tile_operands *op)
{
	uint32_t scale = NPU_GET(NPU_FIXPIPE_SCALE, op->rs3);
	bool to_gm = op->rd >= NPU_VA_START;
	struct tile_fixpipe args = {
		.rows = NPU_GET(NPU_FIXPIPE_ROWS, op->rs2),
		.cols = NPU_GET(NPU_FIXPIPE_COLS, op->rs2),
		.src_dtype = NPU_GET(NPU_FIXPIPE_SRC_DTYPE, op->rs3),
		.dst_dtype = NPU_GET(NPU_FIXPIPE_DST_DTYPE, op->rs3),
		.relu = op->rs3 & NPU_FIXPIPE_RELU,
	};
	struct tile_rect dst = tile_fixpipe_dst(op);
	enum npu_status status;
	uint8_t *src;

	memcpy(&args.scale, &scale, sizeof(scale));
	if (!tile_fixpipe_valid(&args, op->rs3))
		return tile_bad_shape(tile, NPU_UNIT_FIXPIPE, op->rs3);
	if (!args.rows || !args.cols)
		return NPU_ST_OK;
	if (!to_gm && !tile_rect_dense(&dst))
		return tile_bad_shape(tile, NPU_UNIT_FIXPIPE, op->rs2);
	status = to_gm ? tile_global(tile, &dst) : tile_local(tile, &dst, &args.dst);
	if (!status)
		status = tile_matrix(tile, NPU_UNIT_FIXPIPE, TILE_L0C, op->rs1, args.rows,
				     args.cols * 4ULL, &src, &args.src_pitch);
	if (status)
		return status;

	args.src = src;
	args.dst_pitch = dst.pitch;
	if (to_gm)
		status = tile_gm_target(tile, &dst, tile_dtype_size(args.dst_dtype), &args.dst);
	if (status)
		return status;
	if (args.dst) {
		args.far = to_gm;
		tile->isa->fixpipe(&args);
		return NPU_ST_OK;
	}
	args.dst = tile->scratch->out;
	args.dst_pitch = dst.row_bytes;
	tile->isa->fixpipe(&args);
	return tile_gm_write(tile, &dst, args.dst, args.dst_pitch);
}

enum npu_status tile_cube(struct npu_tile *tile, unsigned int funct3,
			  const struct tile_operands *op)
{
	if (tile->waits)
		tile_defer_run(tile);
	return funct3 == NPU_CUBE_MMAD ? tile_mmad(tile, op) : tile_fixpipe(tile, op);
}

static void tile_mmad_access(const struct tile_operands *op, struct tile_access *access)
{
	uint64_t m = NPU_GET(NPU_MMAD_M, op->rs3), n = NPU_GET(NPU_MMAD_N, op->rs3);
	uint64_t k = NPU_GET(NPU_MMAD_K, op->rs3);
	unsigned int dtype = NPU_GET(NPU_MMAD_DTYPE, op->rs3);
	unsigned int size = tile_dtype_size(dtype);
	struct tile_rect a = tile_matrix_rect(NPU_UNIT_CUBE, TILE_L0A, op->rs1, m, k * size);
	struct tile_rect b = tile_matrix_rect(NPU_UNIT_CUBE, TILE_L0B, op->rs2, k, n * size);
	struct tile_rect c = tile_matrix_rect(NPU_UNIT_CUBE, TILE_L0C, op->rd, m, n * 4);
	bool init = op->rs3 & NPU_MMAD_INIT;

	access->pipe = NPU_PIPE_M;
	access->dtype = dtype;
	access->m = m;
	access->n = n;
	access->k = k;
	if (!m || !n || (!k && !init))
		return;
	if (k) {
		tile_access_add(access, &a);
		tile_access_add(access, &b);
	}
	if (!init) {
		tile_access_add(access, &c);
		access->rects[access->count - 1].access = NPU_ACCESS_READ;
	}
	tile_access_add(access, &c);
}

static void tile_fixpipe_access(const struct tile_operands *op, struct tile_access *access)
{
	struct tile_rect dst = tile_fixpipe_dst(op);
	struct tile_rect src;

	access->pipe = NPU_PIPE_FIX;
	access->dtype = NPU_GET(NPU_FIXPIPE_SRC_DTYPE, op->rs3);
	access->m = dst.rows;
	access->n = NPU_GET(NPU_FIXPIPE_COLS, op->rs2);
	if (!access->m || !access->n)
		return;
	src = tile_matrix_rect(NPU_UNIT_FIXPIPE, TILE_L0C, op->rs1, access->m, access->n * 4);
	tile_access_add(access, &src);
	tile_access_add(access, &dst);
}

void tile_cube_access(unsigned int funct3, const struct tile_operands *op,
		      struct tile_access *access)
{
	if (funct3 == NPU_CUBE_MMAD)
		tile_mmad_access(op, access);
	else
		tile_fixpipe_access(op, access);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory transfer engines: copies between global and local memory, matrices to L0, fills. */
#include <string.h>

#include <npu/npu_mmu.h>

#include "tile_internal.h"
#include "tile_rows.h"

static void tile_copy_rects(const struct tile_operands *op, struct tile_rect *dst,
			    struct tile_rect *src)
{
	*dst = (struct tile_rect) {
		.unit = NPU_UNIT_MTE, .access = NPU_ACCESS_WRITE, .buffers = TILE_UB | TILE_L1,
		.address = op->rd, .pitch = NPU_GET(NPU_COPY_DST_PITCH, op->rs3),
		.row_bytes = NPU_GET(NPU_COPY_ROW_BYTES, op->rs2),
		.rows = NPU_GET(NPU_COPY_ROWS, op->rs2),
	};
	*src = *dst;
	src->access = NPU_ACCESS_READ;
	src->address = op->rs1;
	src->pitch = NPU_GET(NPU_COPY_SRC_PITCH, op->rs3);
}

static enum npu_status tile_copy(struct npu_tile *tile, const struct tile_operands *op)
{
	bool to_gm = tile_is_global(op->rd), from_gm = tile_is_global(op->rs1);
	uint8_t *host_dst = NULL, *host_src = NULL;
	bool stored;
	struct tile_rect dst, src;
	enum npu_status status;

	tile_copy_rects(op, &dst, &src);
	if (!dst.rows || !dst.row_bytes)
		return NPU_ST_OK;
	if (!to_gm && !tile_rect_dense(&dst))
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs3);
	if (to_gm && dst.rows * dst.row_bytes > NPU_COPY_MAX)
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs2);
	if (to_gm && from_gm)
		return tile_fail(tile, NPU_ST_LOCAL_RANGE, NPU_UNIT_MTE, NPU_ACCESS_READ, op->rs1);

	if (to_gm)
		status = tile_global(tile, &dst);
	else if (from_gm)
		status = tile_check(tile, &dst, &host_dst);
	else
		status = tile_local(tile, &dst, &host_dst);
	if (status)
		return status;
	/* Within one buffer rows could overlap: the hardware has no path for it. */
	if (!to_gm)
		src.buffers &= ~tile_buffer_of(op->rd);
	status = from_gm ? tile_global(tile, &src) : tile_local(tile, &src, &host_src);
	if (status)
		return status;

	if (tile->waits) {
		status = tile_defer_store(tile, &dst, host_src, src.pitch, &stored);
		if (status || stored)
			return status;
	}
	if (to_gm)
		return tile_gm_write(tile, &dst, host_src, src.pitch);
	if (from_gm)
		return tile_gm_read(tile, &src, host_dst, dst.pitch);
	tile_copy_rows(host_dst, dst.pitch, host_src, src.pitch, dst.row_bytes, dst.rows);
	return NPU_ST_OK;
}

static void tile_load0_rects(const struct tile_operands *op, struct tile_rect *dst,
			     struct tile_rect *src)
{
	uint64_t rows = NPU_GET(NPU_LOAD0_ROWS, op->rs2), cols = NPU_GET(NPU_LOAD0_COLS, op->rs2);
	unsigned int size = tile_dtype_size(NPU_GET(NPU_LOAD0_DTYPE, op->rs3));
	bool transpose = op->rs3 & NPU_LOAD0_TRANSPOSE;

	*src = (struct tile_rect) {
		.unit = NPU_UNIT_MTE, .access = NPU_ACCESS_READ, .buffers = TILE_L1,
		.address = op->rs1, .pitch = NPU_GET(NPU_LOAD0_SRC_PITCH, op->rs2),
		.row_bytes = cols * size, .rows = rows,
	};
	*dst = (struct tile_rect) {
		.unit = NPU_UNIT_MTE, .access = NPU_ACCESS_WRITE, .buffers = TILE_L0A | TILE_L0B,
		.address = op->rd, .pitch = NPU_GET(NPU_LOAD0_DST_PITCH, op->rs3),
		.row_bytes = (transpose ? rows : cols) * size, .rows = transpose ? cols : rows,
	};
}

static enum npu_status tile_load0(struct npu_tile *tile, const struct tile_operands *op)
{
	uint64_t rows = NPU_GET(NPU_LOAD0_ROWS, op->rs2), cols = NPU_GET(NPU_LOAD0_COLS, op->rs2);
	unsigned int size = tile_dtype_size(NPU_GET(NPU_LOAD0_DTYPE, op->rs3));
	bool transpose = op->rs3 & NPU_LOAD0_TRANSPOSE;
	struct tile_rect dst, src;
	uint8_t *host_dst, *host_src;
	enum npu_status status;
	const uint8_t *from;
	bool global;

	if (!size || op->rs3 & ~(NPU_LOAD0_DST_PITCH | NPU_LOAD0_DTYPE | NPU_LOAD0_TRANSPOSE))
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs3);
	if (!rows || !cols)
		return NPU_ST_OK;
	tile_load0_rects(op, &dst, &src);
	if (!tile_rect_dense(&dst))
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs3);
	status = tile_check(tile, &dst, &host_dst);
	if (!status)
		status = tile_check(tile, &src, &host_src);
	if (status)
		return status;

	from = tile_lazy_find(tile, host_src, &src.pitch, src.row_bytes, rows, size, &global);
	if (!transpose) {
		tile_lazy_move(tile, &(struct tile_move) {
			.dst = host_dst, .src = from, .dst_pitch = dst.pitch,
			.src_pitch = src.pitch, .row_bytes = src.row_bytes, .rows = rows,
			.global = global,
		});
		return NPU_ST_OK;
	}
	tile_lazy_touch(tile, host_dst, (dst.rows - 1) * dst.pitch + dst.row_bytes, true);
	tile->isa->transpose(&(struct tile_transpose) {
		.dst = host_dst, .src = from, .dst_pitch = dst.pitch, .src_pitch = src.pitch,
		.rows = rows, .cols = cols, .size = size,
	});
	return NPU_ST_OK;
}

static struct tile_rect tile_set_rect(const struct tile_operands *op)
{
	return (struct tile_rect) {
		.unit = NPU_UNIT_MTE, .access = NPU_ACCESS_WRITE, .buffers = TILE_ANY,
		.address = op->rd, .row_bytes = op->rs2, .rows = 1,
	};
}

static enum npu_status tile_set(struct npu_tile *tile, const struct tile_operands *op)
{
	struct tile_rect dst = tile_set_rect(op);
	uint64_t pattern = op->rs1;
	enum npu_status status;
	uint8_t *host;

	if (op->rs3 != 1 && op->rs3 != 2 && op->rs3 != 4 && op->rs3 != 8)
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs3);
	if (op->rs2 % op->rs3)
		return tile_bad_shape(tile, NPU_UNIT_MTE, op->rs2);
	if (!op->rs2)
		return NPU_ST_OK;
	status = tile_local(tile, &dst, &host);
	if (status)
		return status;

	for (unsigned int bits = op->rs3 * 8; bits < 64; bits *= 2)
		pattern = (pattern & (~0ULL >> (64 - bits))) | pattern << bits;
	for (; dst.row_bytes >= sizeof(pattern); dst.row_bytes -= sizeof(pattern)) {
		memcpy(host, &pattern, sizeof(pattern));
		host += sizeof(pattern);
	}
	memcpy(host, &pattern, dst.row_bytes);
	return NPU_ST_OK;
}

enum npu_status tile_mte(struct npu_tile *tile, unsigned int funct3,
			 const struct tile_operands *op)
{
	if (tile->waits && (funct3 != NPU_MTE_COPY || !tile_is_global(op->rd)))
		tile_defer_run(tile);
	switch (funct3) {
	case NPU_MTE_COPY:
		return tile_copy(tile, op);
	case NPU_MTE_LOAD0:
		return tile_load0(tile, op);
	default:
		return tile_set(tile, op);
	}
}

static enum npu_pipe tile_copy_pipe(const struct tile_operands *op)
{
	if (tile_is_global(op->rs1))
		return NPU_PIPE_MTE2;
	return tile_is_global(op->rd) || tile_buffer_of(op->rs1) == TILE_UB ? NPU_PIPE_MTE3 :
									       NPU_PIPE_MTE1;
}

static enum npu_pipe tile_set_pipe(const struct tile_operands *op)
{
	const unsigned int l0 = TILE_L0A | TILE_L0B | TILE_L0C;

	return tile_buffer_of(op->rd) & l0 ? NPU_PIPE_MTE1 : NPU_PIPE_MTE2;
}

void tile_mte_access(unsigned int funct3, const struct tile_operands *op,
		     struct tile_access *access)
{
	struct tile_rect dst, src;

	access->dtype = NPU_U8;
	switch (funct3) {
	case NPU_MTE_COPY:
		tile_copy_rects(op, &dst, &src);
		access->pipe = tile_copy_pipe(op);
		break;
	case NPU_MTE_LOAD0:
		tile_load0_rects(op, &dst, &src);
		access->pipe = NPU_PIPE_MTE1;
		access->dtype = NPU_GET(NPU_LOAD0_DTYPE, op->rs3);
		break;
	default:
		src = dst = tile_set_rect(op);
		access->pipe = tile_set_pipe(op);
	}
	access->m = src.rows;
	access->n = src.row_bytes ? src.row_bytes / tile_dtype_size(access->dtype) : 0;
	if (!access->m || !access->n)
		return;
	if (funct3 != NPU_MTE_SET)
		tile_access_add(access, &src);
	tile_access_add(access, &dst);
}

// SPDX-License-Identifier: MIT
/*
 * Copies between memory objects, and fills.
 */
#include "internal.h"

#include <inttypes.h>

/* Bytes from the first to the last; false if they do not fit in 64 bits. */
static bool span(uint64_t pitch, uint64_t row_bytes, uint64_t rows, uint64_t *bytes)
{
	return !__builtin_mul_overflow(rows - 1, pitch, bytes) &&
	       !__builtin_add_overflow(*bytes, row_bytes, bytes);
}

int rt_region_check(struct rt_diag *diag, const npurt_context *context, const char *name,
		    const struct rt_region *region, bool write, uint64_t row_bytes, uint64_t rows)
{
	const npurt_memory *memory = region->memory;
	uint64_t bytes, end;

	if (!memory)
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s is NULL", name);
	if (memory->context != context)
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s '%s' is of another context", name,
			       memory->label);
	if (write && memory->readonly)
		return rt_fail(diag, NPURT_ERROR_INVALID, "%s '%s' is read-only for the device",
			       name, memory->label);
	if (rows > 1 && region->pitch < row_bytes)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "%s pitch %" PRIu64 " is less than a row of %" PRIu64 " bytes", name,
			       region->pitch, row_bytes);
	if (!span(region->pitch, row_bytes, rows, &bytes) ||
	    __builtin_add_overflow(region->offset, bytes, &end) || end > memory->bytes)
		return rt_fail(diag, NPURT_ERROR_RANGE,
			       "%s: %" PRIu64 " rows of %" PRIu64 " bytes, pitch %" PRIu64
			       ", from offset %" PRIu64 " leave '%s' of %" PRIu64 " bytes",
			       name, rows, row_bytes, region->pitch, region->offset, memory->label,
			       memory->bytes);
	return 0;
}

/* With one pitch on both sides the rows may interleave, as halves of one matrix do. */
static bool rows_interleave(const struct rt_region *dst, const struct rt_region *src,
			    uint64_t row_bytes, uint64_t rows)
{
	const uint64_t pitch = dst->pitch;
	const uint64_t apart =
		dst->offset > src->offset ? dst->offset - src->offset : src->offset - dst->offset;

	return rows > 1 && pitch == src->pitch && apart % pitch >= row_bytes &&
	       pitch - apart % pitch >= row_bytes;
}

static int check_overlap(npurt_stream *stream, const struct rt_region *dst,
			 const struct rt_region *src, uint64_t row_bytes, uint64_t rows)
{
	const uint64_t dst_end = dst->offset + (rows - 1) * dst->pitch + row_bytes;
	const uint64_t src_end = src->offset + (rows - 1) * src->pitch + row_bytes;

	if (dst->memory == src->memory && dst->offset < src_end && src->offset < dst_end &&
	    !rows_interleave(dst, src, row_bytes, rows))
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			       "source and destination overlap in '%s'", dst->memory->label);
	return 0;
}

int rt_copy_check(npurt_stream *stream, const struct rt_region *dst, const struct rt_region *src,
		  uint64_t row_bytes, uint64_t rows)
{
	struct rt_diag *diag = &stream->diag;
	int err = rt_region_check(diag, stream->context, "dst", dst, true, row_bytes, rows);

	if (!err)
		err = rt_region_check(diag, stream->context, "src", src, false, row_bytes, rows);
	return err ? err : check_overlap(stream, dst, src, row_bytes, rows);
}

static int copy(npurt_stream *stream, const struct rt_region *dst, const struct rt_region *src,
		uint64_t row_bytes, uint64_t rows)
{
	struct rt_op op = { .kind = NPURT_COMMAND_COPY };
	int err;

	if (!row_bytes || !rows)
		return 0;
	err = rt_copy_check(stream, dst, src, row_bytes, rows);
	if (err)
		return err;
	op.name = dst->memory->label;
	op.copy = (struct npu_cmd_copy){
		.dst = dst->memory->va + dst->offset,
		.src = src->memory->va + src->offset,
		.row_bytes = row_bytes,
		.rows = rows,
		.dst_pitch = dst->pitch,
		.src_pitch = src->pitch,
	};
	err = rt_stream_add(stream, &op);
	return err ? err : rt_stream_kick(stream);
}

int npurt_memcpy_2d_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			  uint64_t dst_pitch, npurt_memory *src, uint64_t src_offset,
			  uint64_t src_pitch, uint64_t row_bytes, uint64_t rows)
{
	const struct rt_region to = { dst, dst_offset, dst_pitch };
	const struct rt_region from = { src, src_offset, src_pitch };
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = copy(stream, &to, &from, row_bytes, rows);
	rt_stream_leave(stream);
	return err;
}

int npurt_memcpy_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		       npurt_memory *src, uint64_t src_offset, uint64_t bytes)
{
	return npurt_memcpy_2d_async(stream, dst, dst_offset, 0, src, src_offset, 0, bytes, 1);
}

int npurt_memcpy_2d(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		    uint64_t dst_pitch, npurt_memory *src, uint64_t src_offset, uint64_t src_pitch,
		    uint64_t row_bytes, uint64_t rows)
{
	int err = npurt_memcpy_2d_async(stream, dst, dst_offset, dst_pitch, src, src_offset,
					src_pitch, row_bytes, rows);

	return err ? err : npurt_stream_synchronize(stream);
}

int npurt_memcpy(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset, npurt_memory *src,
		 uint64_t src_offset, uint64_t bytes)
{
	return npurt_memcpy_2d(stream, dst, dst_offset, 0, src, src_offset, 0, bytes, 1);
}

int rt_pattern_check(struct rt_diag *diag, uint32_t pattern_bytes, const struct rt_region *dst,
		     uint64_t row_bytes)
{
	if (pattern_bytes != 1 && pattern_bytes != 2 && pattern_bytes != 4 && pattern_bytes != 8)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "pattern of %u bytes, not 1, 2, 4 or 8", pattern_bytes);
	if ((rt_region_address(dst) | dst->pitch | row_bytes) % pattern_bytes)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "address, pitch or row is not a multiple of the pattern's %u bytes",
			       pattern_bytes);
	return 0;
}

static int fill(npurt_stream *stream, const struct rt_region *dst, uint64_t pattern,
		uint32_t pattern_bytes, uint64_t row_bytes, uint64_t rows)
{
	struct rt_op op = { .kind = NPURT_COMMAND_FILL };
	int err = rt_pattern_check(&stream->diag, pattern_bytes, dst, row_bytes);

	if (err)
		return err;
	if (!row_bytes || !rows)
		return 0;
	err = rt_region_check(&stream->diag, stream->context, "dst", dst, true, row_bytes, rows);
	if (err)
		return err;
	op.name = dst->memory->label;
	op.fill = (struct npu_cmd_fill){
		.dst = dst->memory->va + dst->offset,
		.row_bytes = row_bytes,
		.rows = rows,
		.dst_pitch = dst->pitch,
		.pattern = pattern,
		.pattern_bytes = pattern_bytes,
	};
	err = rt_stream_add(stream, &op);
	return err ? err : rt_stream_kick(stream);
}

int npurt_fill_2d_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
			uint64_t dst_pitch, uint64_t pattern, uint32_t pattern_bytes,
			uint64_t row_bytes, uint64_t rows)
{
	const struct rt_region to = { dst, dst_offset, dst_pitch };
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = fill(stream, &to, pattern, pattern_bytes, row_bytes, rows);
	rt_stream_leave(stream);
	return err;
}

int npurt_fill_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset, uint64_t pattern,
		     uint32_t pattern_bytes, uint64_t bytes)
{
	return npurt_fill_2d_async(stream, dst, dst_offset, 0, pattern, pattern_bytes, bytes, 1);
}

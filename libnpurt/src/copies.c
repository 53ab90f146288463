// SPDX-License-Identifier: MIT
/*
 * Copies of boxes, of many boxes, and copies that combine what they bring with what is there.
 */
#include "internal.h"

#include <inttypes.h>

#include <npu/npu_tile.h>

#include "command.h"

/* One side of a box. */
struct side {
	const char *name;
	struct rt_region region;
	uint64_t slice_pitch;
	uint64_t bytes; /* from the first to the last, once it is checked */
};

struct box {
	struct side dst, src;
	uint64_t row_bytes, rows, slices;
};

static struct box box_of(const npurt_copy *copy)
{
	return (struct box){
		.dst = { "dst", { copy->dst, copy->dst_offset, copy->dst_pitch },
			 copy->dst_slice_pitch, 0 },
		.src = { "src", { copy->src, copy->src_offset, copy->src_pitch },
			 copy->src_slice_pitch, 0 },
		.row_bytes = copy->row_bytes,
		.rows = copy->rows ? copy->rows : 1,
		.slices = copy->slices ? copy->slices : 1,
	};
}

/* The first slice has been checked. */
static int check_slices(npurt_stream *stream, const struct box *box, struct side *side)
{
	const struct rt_region *region = &side->region;
	const uint64_t slice = (box->rows - 1) * region->pitch + box->row_bytes;
	uint64_t last, end;

	if (box->slices > 1 && side->slice_pitch < slice)
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			       "%s slice pitch %" PRIu64 " is less than a slice of %" PRIu64
			       " bytes",
			       side->name, side->slice_pitch, slice);
	if (__builtin_mul_overflow(box->slices - 1, side->slice_pitch, &last) ||
	    __builtin_add_overflow(last, slice, &side->bytes) ||
	    __builtin_add_overflow(region->offset, side->bytes, &end) ||
	    end > region->memory->bytes)
		return rt_fail(&stream->diag, NPURT_ERROR_RANGE,
			       "%s: %" PRIu64 " slices, pitch %" PRIu64 ", from offset %" PRIu64
			       " leave '%s' of %" PRIu64 " bytes",
			       side->name, box->slices, side->slice_pitch, region->offset,
			       region->memory->label, region->memory->bytes);
	return 0;
}

static bool overlap(const struct side *a, const struct side *b)
{
	return a->region.memory == b->region.memory &&
	       a->region.offset < b->region.offset + b->bytes &&
	       b->region.offset < a->region.offset + a->bytes;
}

static int check_box(npurt_stream *stream, struct box *box)
{
	int err = rt_copy_check(stream, &box->dst.region, &box->src.region, box->row_bytes,
				box->rows);

	if (!err)
		err = check_slices(stream, box, &box->dst);
	if (!err)
		err = check_slices(stream, box, &box->src);
	if (err)
		return err;
	if (box->slices > 1 && overlap(&box->dst, &box->src))
		return rt_fail(&stream->diag, NPURT_ERROR_INVALID,
			       "source and destination overlap in '%s'",
			       box->dst.region.memory->label);
	return 0;
}

/* The slices of a side are but more rows. */
static bool is_flat(const struct side *side, uint64_t rows)
{
	uint64_t bytes;

	return !__builtin_mul_overflow(rows, side->region.pitch, &bytes) &&
	       bytes == side->slice_pitch;
}

static int add_slices(npurt_stream *stream, const struct box *box)
{
	const bool flat = is_flat(&box->dst, box->rows) && is_flat(&box->src, box->rows);
	const uint64_t commands = flat ? 1 : box->slices;
	int err = 0;

	for (uint64_t i = 0; i < commands && !err; i++) {
		const struct rt_op op = {
			.kind = NPURT_COMMAND_COPY,
			.name = box->dst.region.memory->label,
			.copy = {
				.dst = box->dst.region.memory->va + box->dst.region.offset +
				       i * box->dst.slice_pitch,
				.src = box->src.region.memory->va + box->src.region.offset +
				       i * box->src.slice_pitch,
				.row_bytes = box->row_bytes,
				.rows = flat ? box->rows * box->slices : box->rows,
				.dst_pitch = box->dst.region.pitch,
				.src_pitch = box->src.region.pitch,
			},
		};

		err = rt_stream_add(stream, &op);
	}
	return err;
}

/* The elements are of the size that the caller's header knows. */
static const npurt_copy *copy_at(const npurt_copy *copies, size_t i)
{
	return (const void *)((const uint8_t *)copies + i * copies->size);
}

static int take_box(npurt_stream *stream, const npurt_copy *copy, struct box *box)
{
	npurt_copy own;
	int err = rt_attr_take(&stream->diag, "npurt_copy", 0, &own, sizeof(own), copy);

	if (err)
		return err;
	*box = box_of(&own);
	return own.row_bytes ? check_box(stream, box) : 0;
}

static int check_batch(npurt_stream *stream, const npurt_copy *copies, size_t count)
{
	char text[512];
	struct box box;

	for (size_t i = 0; i < count; i++) {
		int err = NPURT_ERROR_INVALID;

		if (copy_at(copies, i)->size != copies->size)
			return rt_fail(&stream->diag, err, "copies[%zu].size is %u, not %u", i,
				       copy_at(copies, i)->size, copies->size);
		err = take_box(stream, copy_at(copies, i), &box);
		if (err) {
			rt_diag_copy(&stream->diag, text, sizeof(text));
			return rt_fail(&stream->diag, err, "copies[%zu]: %s", i, text);
		}
	}
	return 0;
}

static int add_batch(npurt_stream *stream, const npurt_copy *copies, size_t count)
{
	struct box box;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		err = take_box(stream, copy_at(copies, i), &box);
		if (!err && box.row_bytes)
			err = add_slices(stream, &box);
	}
	return err ? err : rt_stream_kick(stream);
}

int npurt_memcpy_batch_async(npurt_stream *stream, const npurt_copy *copies, size_t count)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	if (count && !copies)
		err = rt_fail(&stream->diag, NPURT_ERROR_INVALID, "copies is NULL");
	else if (count)
		err = check_batch(stream, copies, count);
	if (!err && count)
		err = add_batch(stream, copies, count);
	rt_stream_leave(stream);
	return err;
}

int npurt_memcpy_3d_async(npurt_stream *stream, const npurt_copy *copy)
{
	struct box box;
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	if (!copy)
		err = rt_fail(&stream->diag, NPURT_ERROR_INVALID, "copy is NULL");
	else
		err = take_box(stream, copy, &box);
	if (!err && box.row_bytes)
		err = add_slices(stream, &box);
	if (!err)
		err = rt_stream_kick(stream);
	rt_stream_leave(stream);
	return err;
}

/* Reductions. */

static const uint8_t element_bytes[] = {
	[NPURT_F32] = 4, [NPURT_F16] = 2, [NPURT_BF16] = 2, [NPURT_S32] = 4,
	[NPURT_S8] = 1,	 [NPURT_U8] = 1,  [NPURT_S16] = 2,
};

_Static_assert((int)NPURT_F32 == NPU_F32 && (int)NPURT_S16 == NPU_S16, "types of the hardware");
_Static_assert((int)NPURT_REDUCE_MAX == NPU_REDUCE_MAX, "operations of the hardware");

static int check_reduction(struct rt_diag *diag, const npurt_context *context,
			   const struct rt_reduction *r, struct side *dst, struct side *src)
{
	uint64_t bytes;
	int err;

	if ((unsigned int)r->dtype >= RT_ARRAY_SIZE(element_bytes))
		return rt_fail(diag, NPURT_ERROR_INVALID, "dtype is %d", (int)r->dtype);
	if ((unsigned int)r->op > NPURT_REDUCE_MAX)
		return rt_fail(diag, NPURT_ERROR_INVALID, "op is %d", (int)r->op);
	if (__builtin_mul_overflow(r->count, (uint64_t)element_bytes[r->dtype], &bytes))
		return rt_fail(diag, NPURT_ERROR_RANGE, "%" PRIu64 " elements", r->count);
	if ((rt_region_address(&dst->region) | rt_region_address(&src->region)) %
	    element_bytes[r->dtype])
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "an address is not a multiple of the element's %u bytes",
			       element_bytes[r->dtype]);
	err = rt_region_check(diag, context, "dst", &dst->region, true, bytes, 1);
	if (!err)
		err = rt_region_check(diag, context, "src", &src->region, false, bytes, 1);
	if (err)
		return err;
	dst->bytes = src->bytes = bytes;
	if (dst->region.offset != src->region.offset && overlap(dst, src))
		return rt_fail(diag, NPURT_ERROR_INVALID, "source and destination overlap in '%s'",
			       dst->region.memory->label);
	return 0;
}

int rt_reduction_take(struct rt_diag *diag, const npurt_context *context,
		      const struct rt_reduction *r, struct rt_op *op)
{
	struct side to = { "dst", { r->dst, r->dst_offset, 0 }, 0, 0 };
	struct side from = { "src", { r->src, r->src_offset, 0 }, 0, 0 };
	int err = check_reduction(diag, context, r, &to, &from);

	if (err)
		return err;
	*op = (struct rt_op){
		.kind = NPURT_COMMAND_REDUCE,
		.name = r->dst->label,
		.reduce = { .dst = r->dst->va + r->dst_offset, .src = r->src->va + r->src_offset,
			    .bytes = to.bytes, .type = r->dtype, .op = r->op },
	};
	return 0;
}

int npurt_reduce_async(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		       npurt_memory *src, uint64_t src_offset, uint64_t count,
		       enum npurt_dtype dtype, enum npurt_reduce_op op)
{
	const struct rt_reduction reduction = { dst, src, dst_offset, src_offset, count, dtype, op };
	struct rt_op reduce;
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_reduction_take(&stream->diag, stream->context, &reduction, &reduce);
	if (!err && count)
		err = rt_stream_add(stream, &reduce);
	if (!err && count)
		err = rt_stream_kick(stream);
	rt_stream_leave(stream);
	return err;
}

// SPDX-License-Identifier: MIT
#include <string.h>

#include "walk.h"

uint32_t op_dtype_size(uint32_t dtype)
{
	return (uint32_t)npuop_dtype_bytes(dtype, 1);
}

/* A dimension of all tensors; those of fewer dimensions, or with an extent of 1, repeat. */
static void take_dim(struct op_dims *d, const npuop_tensor *const *tensors, uint32_t count,
		     uint32_t dim)
{
	const uint32_t rank = tensors[0]->rank;

	d->extent[d->count] = tensors[0]->shape[dim];
	for (uint32_t t = 0; t < count; t++) {
		const npuop_tensor *tensor = tensors[t];
		const uint32_t missing = rank - tensor->rank, own = dim - missing;
		const bool repeated = dim < missing || tensor->shape[own] == 1;

		d->stride[d->count][t] =
			repeated ? 0 : tensor->stride[own] * op_dtype_size(tensor->dtype);
	}
	d->count++;
}

static void swap_dims(struct op_dims *d, uint32_t a, uint32_t b)
{
	const uint64_t extent = d->extent[a];
	uint64_t stride[OP_WALK_TENSORS];

	memcpy(stride, d->stride[a], sizeof(stride));
	d->extent[a] = d->extent[b];
	memcpy(d->stride[a], d->stride[b], sizeof(stride));
	d->extent[b] = extent;
	memcpy(d->stride[b], stride, sizeof(stride));
}

static void sort_dims(struct op_dims *d)
{
	for (uint32_t i = 1; i < d->count; i++)
		for (uint32_t j = i; j && d->stride[j - 1][0] < d->stride[j][0]; j--)
			swap_dims(d, j - 1, j);
}

/* Is a step of the outer dimension as far as the inner one reaches, in all tensors? */
static bool continues(const struct op_dims *d, uint32_t outer, uint32_t inner, uint32_t count)
{
	for (uint32_t t = 0; t < count; t++)
		if (d->stride[outer][t] != d->stride[inner][t] * d->extent[inner])
			return false;
	return true;
}

static void join_dims(struct op_dims *d, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 1; i < d->count; i++) {
		if (!continues(d, kept, i, count)) {
			swap_dims(d, ++kept, i);
			continue;
		}
		d->extent[kept] *= d->extent[i];
		memcpy(d->stride[kept], d->stride[i], sizeof(d->stride[i]));
	}
	if (d->count)
		d->count = kept + 1;
}

struct op_dims op_dims(const npuop_tensor *const *tensors, uint32_t count)
{
	struct op_dims d = { 0 };

	for (uint32_t i = 0; i < tensors[0]->rank; i++)
		if (tensors[0]->shape[i] != 1)
			take_dim(&d, tensors, count, i);
	sort_dims(&d);
	join_dims(&d, count);
	return d;
}

/* Are the elements of the last dimension neighbours in all tensors, or all the same one? */
static bool has_rows(const struct op_dims *d, const npuop_tensor *const *tensors, uint32_t count)
{
	for (uint32_t t = 0; t < count; t++) {
		const uint64_t stride = d->stride[d->count - 1][t];

		if (stride && stride != op_dtype_size(tensors[t]->dtype))
			return false;
	}
	return true;
}

/* Where they are not, each element is a row. */
static void add_inner(struct op_dims *d, const npuop_tensor *const *tensors, uint32_t count)
{
	d->extent[d->count] = 1;
	for (uint32_t t = 0; t < count; t++)
		d->stride[d->count][t] = op_dtype_size(tensors[t]->dtype);
	d->count++;
}

/* Columns of a tile of one row: parts of one size, so that the last one is not a sliver. */
static uint32_t even_part(uint64_t cols, uint32_t align)
{
	const uint64_t part = op_divide_up(cols, op_divide_up(cols, NPU_OP_TILE));

	return (uint32_t)op_divide_up(part, align) * align;
}

static void choose_tiles(struct npu_op_walk *w, const npuop_tensor *const *tensors,
			 struct npu_op_operand *const *operands, uint32_t count)
{
	uint32_t align = 1;
	bool far = false;

	for (uint32_t t = 0; t < count; t++) {
		const uint32_t needs = 32 / op_dtype_size(tensors[t]->dtype);

		align = needs > align ? needs : align;
		far |= operands[t]->row > UINT32_MAX;
	}
	w->tile_rows = 1;
	w->tile_cols = even_part(w->cols, align);
	w->pitch = NPU_OP_TILE;
	if (w->rows == 1 || far || w->cols > NPU_OP_TILE / 2)
		return;
	w->tile_cols = (uint32_t)w->cols;
	w->pitch = (uint32_t)op_divide_up(w->cols, align) * align;
	w->tile_rows = NPU_OP_TILE / w->pitch;
	if (w->tile_rows > w->rows)
		w->tile_rows = (uint32_t)w->rows;
}

struct npu_op_walk op_walk(const struct op_dims *dims, const npuop_tensor *const *tensors,
			   struct npu_op_operand *const *operands, uint32_t count)
{
	struct npu_op_walk w = { .rows = 1 };
	struct op_dims d = *dims;
	uint32_t outer;

	if (!d.count || !has_rows(&d, tensors, count))
		add_inner(&d, tensors, count);
	outer = d.count > 2 ? d.count - 2 : 0;
	w.cols = d.extent[d.count - 1];
	if (d.count > 1)
		w.rows = d.extent[d.count - 2];
	w.outer_dims = outer;
	for (uint32_t i = 0; i < outer; i++)
		w.outer[i] = d.extent[i];
	for (uint32_t t = 0; t < count; t++) {
		*operands[t] = (struct npu_op_operand){
			.address = op_address(tensors[t]),
			.row = d.count > 1 ? d.stride[d.count - 2][t] : 0,
			.col = d.stride[d.count - 1][t] != 0,
			.dtype = tensors[t]->dtype,
		};
		for (uint32_t i = 0; i < outer; i++)
			operands[t]->outer[i] = d.stride[i][t];
	}
	choose_tiles(&w, tensors, operands, count);
	return w;
}

uint64_t op_walk_tiles(const struct npu_op_walk *walk)
{
	uint64_t tiles = op_divide_up(walk->rows, walk->tile_rows) *
			 op_divide_up(walk->cols, walk->tile_cols);

	for (uint32_t i = 0; i < walk->outer_dims; i++)
		tiles *= walk->outer[i];
	return tiles;
}

int op_repeats(npuop *ops, const char *name, const npuop_tensor *tensor, const char *to_name,
	       const npuop_tensor *to)
{
	bool good = tensor->rank <= to->rank;

	for (uint32_t i = 0; good && i < tensor->rank; i++) {
		const uint64_t extent = tensor->shape[i];

		good = extent == 1 || extent == to->shape[to->rank - tensor->rank + i];
	}
	/* For its message, which tells both shapes. */
	return good ? 0 : op_same(ops, name, tensor, to_name, to);
}

int op_over(npuop *ops, const npuop_tensor *out, const char *in_name, const npuop_tensor *in)
{
	bool same = op_address(out) == op_address(in) && out->rank == in->rank &&
		    op_dtype_size(out->dtype) == op_dtype_size(in->dtype);

	for (uint32_t i = 0; same && i < out->rank; i++)
		same = out->shape[i] == in->shape[i] &&
		       (out->shape[i] == 1 || out->stride[i] == in->stride[i]);
	return same ? 0 : op_apart(ops, "out", out, in_name, in);
}

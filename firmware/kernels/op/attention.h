/* SPDX-License-Identifier: MIT */
/*
 * What the attention kernels share. The rows of a product are the queries of all heads that share
 * a head of k, head after head: with one query each they still are a matrix.
 */
#ifndef OP_ATTENTION_H
#define OP_ATTENTION_H

#include "npu_op_attention.h"
#include "ub_ring.h"

#define F32_LOWEST (-0x1.fffffep+127f)
#define F32_INFINITY __builtin_inff()

/* struct attn_item - rows of the queries of one head of k */
struct attn_item {
	uint32_t batch, kv_head;
	uint32_t keys; /* of this sequence */
	uint32_t group; /* heads that share it */
	uint32_t row, rows;
};

static inline uint32_t attn_group_rows(const struct npu_op_attention_shape *shape)
{
	return shape->heads / shape->kv_heads * shape->queries;
}

/* The first and the last key that any row of the item sees is the last for; -1: none is. */
struct attn_limits {
	int64_t first, last;
};

/* attn_limits() - the least and the greatest of the rows' last keys. */
static inline struct attn_limits attn_limits(const struct npu_op_attention_shape *shape,
					     const struct attn_item *item)
{
	const uint32_t first = item->row % shape->queries;
	const uint32_t last = (item->row + item->rows - 1) % shape->queries;
	const int wraps =
		item->row / shape->queries != (item->row + item->rows - 1) / shape->queries;
	const int64_t offset = (int64_t)item->keys - shape->queries;

	if (!(shape->flags & NPU_OP_ATTENTION_CAUSAL))
		return (struct attn_limits){ item->keys - 1ll, item->keys - 1ll };
	return (struct attn_limits){
		(wraps ? 0 : first) + offset,
		(wraps ? shape->queries - 1 : last) + offset,
	};
}

/*
 * attn_limit_column() - the last key of each row, less the first of the limits, as fp32 32 bytes
 * apart. The scalar unit writes it; what used it is done.
 */
static inline void attn_limit_column(const struct npu_op_attention_shape *shape,
				     const struct attn_item *item, npu_addr column)
{
	const struct attn_limits limits = attn_limits(shape, item);
	const int64_t offset = (int64_t)item->keys - shape->queries - limits.first;
	uint32_t i = item->row % shape->queries;

	ub_sync(NPU_PIPE_V, NPU_PIPE_S);
	for (uint32_t r = 0; r < item->rows; r++) {
		npu_store_f32(column + r * NPU_TILE_ALIGN, i + offset);
		if (++i == shape->queries)
			i = 0;
	}
	ub_sync(NPU_PIPE_S, NPU_PIPE_V);
}

/*
 * attn_mask() - scores of keys that a row does not see become -inf
 * @scores: rows x @keys, dense but for the alignment
 * @first_key: of the scores
 * @column: of attn_limit_column()
 * @work: room for @keys fp32, and behind it 32 bytes for each row
 */
static inline void attn_mask(const struct npu_op_attention_shape *shape,
			     const struct attn_item *item, npu_addr scores, uint32_t first_key,
			     uint32_t keys, npu_addr column, npu_addr work)
{
	const struct attn_limits limits = attn_limits(shape, item);
	const uint32_t pitch = npu_align(keys * 4);
	const npu_addr mask = work + pitch;

	npu_vec_one_row();
	npu_vindex(work, npu_f32_bits((int64_t)first_key - limits.first), keys, NPU_F32);
	npu_vec_rows(item->rows, NPU_TILE_ALIGN, 0, NPU_TILE_ALIGN);
	npu_vcmp_ler(mask, work, column, keys, NPU_F32);
	npu_vec_rows(item->rows, pitch, pitch, 0);
	npu_vec_mask(mask, NPU_TILE_ALIGN);
	npu_vselects(scores, scores, npu_f32_bits(-F32_INFINITY), keys, NPU_F32);
}

/* Rows of the item between memory and a local buffer: @bytes of each, local rows @pitch apart. */
static inline void attn_move_rows(const struct npu_op_attention_shape *shape,
				  const struct attn_item *item, const struct npu_op_heads *heads,
				  npu_addr local, uint32_t bytes, uint32_t pitch, int store)
{
	uint32_t n;

	for (uint32_t r = 0; r < item->rows; r += n, local += n * pitch) {
		const uint32_t row = item->row + r, i = row % shape->queries;
		const uint32_t head = item->kv_head * item->group + row / shape->queries;
		const npu_addr at = heads->base + item->batch * heads->batch + head * heads->head +
				    i * heads->position;

		n = npu_min(shape->queries - i, item->rows - r);
		if (store)
			npu_copy_2d(at, local, bytes, n, heads->position, pitch);
		else
			npu_copy_2d(local, at, bytes, n, pitch, heads->position);
	}
}

/*
 * struct attn_softmax - the online softmax of rows of scores
 * @scores: rows of fp32, @pitch bytes apart
 * @max, @sum: of each row so far, 32 bytes apart, as are all columns
 * @alpha: factor of what was summed before the last update
 * @part: room to work
 */
struct attn_softmax {
	npu_addr scores, max, sum, alpha, part;
	uint32_t rows, pitch;
};

/* Elements that a column of @rows spans. */
#define ATTN_COLUMN(rows) ((rows) * (NPU_TILE_ALIGN / 4))

/* The maximum of each row so far, and alpha. */
static inline void attn_update_max(const struct attn_softmax *x, uint32_t count, int first)
{
	const uint32_t stats = ATTN_COLUMN(x->rows);

	npu_vec_rows(x->rows, NPU_TILE_ALIGN, x->pitch, 0);
	npu_vredmax(x->part, x->scores, count, NPU_F32);
	npu_vec_one_row();
	/* A row that sees no key has a maximum all the same, to which exponentials are 0. */
	npu_vmaxs(x->part, x->part, npu_f32_bits(F32_LOWEST), stats, NPU_F32);
	if (first) {
		npu_vmov(x->max, x->part, stats, NPU_F32);
		return;
	}
	npu_vmax(x->part, x->part, x->max, stats, NPU_F32);
	npu_vsub(x->alpha, x->max, x->part, stats, NPU_F32);
	npu_vexp(x->alpha, x->alpha, stats, NPU_F32);
	npu_vmov(x->max, x->part, stats, NPU_F32);
}

/* attn_soften() - scores = exp(scores - maximum); their sums are added to those before. */
static inline void attn_soften(const struct attn_softmax *x, uint32_t count, int first)
{
	attn_update_max(x, count, first);
	npu_vec_rows(x->rows, x->pitch, x->pitch, NPU_TILE_ALIGN);
	npu_vsubr(x->scores, x->scores, x->max, count, NPU_F32);
	npu_vexp(x->scores, x->scores, count, NPU_F32);
	npu_vec_rows(x->rows, NPU_TILE_ALIGN, x->pitch, 0);
	npu_vsum(first ? x->sum : x->part, x->scores, count, NPU_F32);
	npu_vec_one_row();
	if (first)
		return;
	npu_vmul(x->sum, x->sum, x->alpha, ATTN_COLUMN(x->rows), NPU_F32);
	npu_vadd(x->sum, x->sum, x->part, ATTN_COLUMN(x->rows), NPU_F32);
}

/* attn_divide() - rows of @dim fp32 become those by their sums, which are not needed again. */
static inline void attn_divide(const struct attn_softmax *x, npu_addr rows, uint32_t dim,
			       uint32_t pitch)
{
	const uint32_t stats = ATTN_COLUMN(x->rows);

	npu_vec_one_row();
	/* A row that sees a key has a sum of 1 or more; else that is 0, as are its elements. */
	npu_vmaxs(x->sum, x->sum, npu_f32_bits(0x1p-126f), stats, NPU_F32);
	npu_vrecip(x->sum, x->sum, stats, NPU_F32);
	npu_vec_rows(x->rows, pitch, pitch, NPU_TILE_ALIGN);
	npu_vmulr(rows, rows, x->sum, dim, NPU_F32);
}

/* attn_add() - @out = @out alpha + @product, rows of @dim fp32 */
static inline void attn_add(const struct attn_softmax *x, npu_addr out, npu_addr product,
			    uint32_t dim, uint32_t pitch)
{
	npu_vec_rows(x->rows, pitch, pitch, NPU_TILE_ALIGN);
	npu_vmulr(out, out, x->alpha, dim, NPU_F32);
	npu_vec_rows(x->rows, pitch, pitch, pitch);
	npu_vadd(out, out, product, dim, NPU_F32);
}

/* attn_page() - of a position of a sequence; the task ends if the cache has no such page. */
static inline uint32_t attn_page(const struct npu_op_pages *pages, uint32_t sequence, uint32_t at)
{
	const uint32_t page = npu_load_s32(pages->table + sequence * pages->table_pitch +
					   at / pages->page_size * 4ull);

	if (page >= pages->pages)
		npu_trap(sequence);
	return page;
}

/* attn_length() - of a sequence; the task ends if the table has no pages for it. */
static inline uint32_t attn_length(const struct npu_op_pages *pages, uint32_t sequence,
				   uint32_t most)
{
	const uint32_t length = npu_load_s32(pages->lengths + sequence * 4ull);

	if (length > most)
		npu_trap(sequence);
	return length;
}

#endif /* OP_ATTENTION_H */

/* SPDX-License-Identifier: MIT */
/*
 * Attention with an online softmax: the keys come in blocks; the scores of a block of queries
 * with them are one product, their exponentials times the values another. What has been summed
 * before is scaled when the maximum of a row grows.
 */
#include "npu_kernel.h"
#include "attention.h"

#define ROWS 64 /* of queries */
#define MOST_KEYS 256 /* of a block; fewer where heads are large */
#define PART 0x10000 /* a matrix in L1 or L0 */
_Static_assert(ROWS *NPU_OP_ATTENTION_DIM * 4 <= PART && ROWS * MOST_KEYS * 4 <= PART,
	       "a matrix is too large");

/* L1: the queries, the exponentials, and two slots for keys and values. */
#define L1_Q NPU_L1_BASE
#define L1_P (NPU_L1_BASE + PART)
#define L1_K(slot) (NPU_L1_BASE + (2 + (slot)) * PART)
#define L1_V(slot) (NPU_L1_BASE + (4 + (slot)) * PART)
_Static_assert(6 * PART <= NPU_L1_SIZE, "L1 overflows");

/* L0C: the scores, and the product with the values. */
#define L0C_S NPU_L0C_BASE
#define L0C_O (NPU_L0C_BASE + PART)

/* UB: statistics of the rows, then what depends on the shape. */
#define COLUMN (ROWS * NPU_TILE_ALIGN)
#define UB_MAX NPU_UB_BASE
#define UB_SUM (UB_MAX + COLUMN)
#define UB_ALPHA (UB_SUM + COLUMN)
#define UB_PART (UB_ALPHA + COLUMN)
#define UB_LIMIT (UB_PART + COLUMN)
#define UB_MASK (UB_LIMIT + COLUMN) /* a row of indices and the mask */
#define UB_DATA (UB_MASK + MOST_KEYS * 4 + COLUMN)

/* Flags from MTE2 to MTE1 by slot; those of both in other uses are ub_sync()'s. */
#define FLAG_SLOT(slot) (slot)

struct attention {
	const struct npu_op_attention_args *args;
	const struct npu_op_attention_shape *shape;
	struct attn_item item;
	uint32_t bytes; /* of an element */
	uint32_t dim_pitch; /* bytes of a row of q, k or v in L1 and L0 */
	uint32_t out_pitch; /* and of one in fp32 */
	uint32_t keys; /* of a block */
	npu_addr s, p, o, product; /* UB: scores, in half precision, sums, product */
};

/* As many keys as fit L0B. */
static uint32_t block_keys(uint32_t dim)
{
	return npu_min(MOST_KEYS, PART / (npu_align(dim * 4)) / 32 * 32);
}

static void attention_begin(struct attention *a, const struct npu_op_attention_args *args)
{
	const struct npu_op_attention_shape *shape = &args->shape;

	a->args = args;
	a->shape = shape;
	a->bytes = npu_dtype_bytes(shape->dtype);
	a->dim_pitch = npu_align(shape->dim * a->bytes);
	a->out_pitch = npu_align(shape->dim * 4);
	a->keys = block_keys(shape->dim);
	a->s = UB_DATA;
	a->p = a->s + ROWS * a->keys * 4;
	a->o = a->p + (shape->dtype == NPU_F32 ? 0 : ROWS * a->keys * 2);
	a->product = a->o + ROWS * a->out_pitch;
	npu_vdup(UB_MAX, 0, 4 * COLUMN / 4, NPU_F32);
}

/* Keys or values @first to @first + @count to L1. */
static void load_keys(const struct attention *a, const struct npu_op_heads *heads,
		      uint64_t page_bytes, npu_addr dst, uint32_t first, uint32_t count)
{
	const struct npu_op_pages *pages = &a->args->pages;
	const uint32_t row = a->shape->dim * a->bytes;
	const npu_addr head = heads->base + a->item.kv_head * heads->head;
	uint32_t n;

	if (!pages->lengths) {
		npu_copy_2d(dst, head + a->item.batch * heads->batch + first * heads->position, row,
			    count, a->dim_pitch, heads->position);
		return;
	}
	for (; count; count -= n, first += n, dst += n * a->dim_pitch) {
		const uint32_t page = attn_page(pages, a->item.batch, first);
		const uint32_t slot = first % pages->page_size;

		n = npu_min(pages->page_size - slot, count);
		npu_copy_2d(dst, head + page * page_bytes + slot * heads->position, row, n,
			    a->dim_pitch, heads->position);
	}
}

static void load_block(const struct attention *a, uint32_t first, uint32_t count, unsigned int slot)
{
	const struct npu_op_pages *pages = &a->args->pages;

	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE2);
	load_keys(a, &a->args->k, pages->k_page, L1_K(slot), first, count);
	load_keys(a, &a->args->v, pages->v_page, L1_V(slot), first, count);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, FLAG_SLOT(slot));
}

/* The cube is done with L0A and L0B, which are filled for each product. */
static void multiply(const struct attention *a, npu_addr c, uint32_t n, uint32_t k)
{
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_M);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_M);
	npu_mmad(c, NPU_L0A_BASE, NPU_L0B_BASE, a->item.rows, n, k, a->shape->dtype, 1);
	ub_sync(NPU_PIPE_M, NPU_PIPE_FIX);
}

/* s = q k' */
static void scores(const struct attention *a, uint32_t count, unsigned int slot)
{
	const uint32_t dim = a->shape->dim, dtype = a->shape->dtype;

	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, FLAG_SLOT(slot));
	ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
	npu_load0(NPU_L0A_BASE, L1_Q, a->item.rows, dim, a->dim_pitch, a->dim_pitch, dtype, 0);
	npu_load0(NPU_L0B_BASE, L1_K(slot), count, dim, npu_align(count * a->bytes), a->dim_pitch,
		  dtype, 1);
	multiply(a, L0C_S, count, dim);
	ub_sync(NPU_PIPE_V, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_FIX);
	npu_fixpipe(a->s, L0C_S, a->item.rows, count, npu_align(count * 4), NPU_F32, NPU_F32, 0, 0);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_V);
}

static struct attn_softmax softmax_of(const struct attention *a, uint32_t count)
{
	return (struct attn_softmax){
		.scores = a->s,
		.max = UB_MAX,
		.sum = UB_SUM,
		.alpha = UB_ALPHA,
		.part = UB_PART,
		.rows = a->item.rows,
		.pitch = npu_align(count * 4),
	};
}

static void softmax(const struct attention *a, uint32_t first_key, uint32_t count)
{
	const struct attn_softmax x = softmax_of(a, count);

	npu_vec_rows(x.rows, x.pitch, x.pitch, 0);
	npu_vmuls(a->s, a->s, npu_f32_bits(a->shape->scale), count, NPU_F32);
	if (first_key + count - 1ll > attn_limits(a->shape, &a->item).first)
		attn_mask(a->shape, &a->item, a->s, first_key, count, UB_LIMIT, UB_MASK);
	attn_soften(&x, count, !first_key);
}

/* The exponentials, in the type of the values, to L0A. */
static void load_p(const struct attention *a, uint32_t count)
{
	const uint32_t rows = a->item.rows, dtype = a->shape->dtype;
	const uint32_t pitch = npu_align(count * a->bytes);

	if (dtype != NPU_F32) {
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
		npu_vec_rows(rows, pitch, npu_align(count * 4), 0);
		npu_vcast(a->p, a->s, count, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE3);
	npu_copy(L1_P, dtype == NPU_F32 ? a->s : a->p, rows * pitch);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE1);
	ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
	npu_load0(NPU_L0A_BASE, L1_P, rows, count, pitch, pitch, dtype, 0);
}

/* o = o alpha + p v */
static void accumulate(const struct attention *a, uint32_t count, unsigned int slot, int first)
{
	const uint32_t rows = a->item.rows, dim = a->shape->dim, pitch = a->out_pitch;
	const struct attn_softmax x = softmax_of(a, count);

	load_p(a, count);
	npu_load0(NPU_L0B_BASE, L1_V(slot), count, dim, a->dim_pitch, a->dim_pitch, a->shape->dtype,
		  0);
	multiply(a, L0C_O, dim, count);
	ub_sync(NPU_PIPE_V, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_FIX);
	npu_fixpipe(first ? a->o : a->product, L0C_O, rows, dim, pitch, NPU_F32, NPU_F32, 0, 0);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_V);
	if (!first)
		attn_add(&x, a->o, a->product, dim, pitch);
}

/* out = o / sum; lse = maximum + ln(sum) */
static void store(const struct attention *a)
{
	const uint32_t rows = a->item.rows, dim = a->shape->dim, dtype = a->shape->dtype;
	const struct attn_softmax x = softmax_of(a, 0);

	npu_vec_one_row();
	npu_vln(UB_PART, UB_SUM, ATTN_COLUMN(rows), NPU_F32);
	npu_vadd(UB_PART, UB_PART, UB_MAX, ATTN_COLUMN(rows), NPU_F32);
	attn_divide(&x, a->o, dim, a->out_pitch);
	if (dtype != NPU_F32) {
		npu_vec_rows(rows, a->dim_pitch, a->out_pitch, 0);
		npu_vcast(a->product, a->o, dim, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	attn_move_rows(a->shape, &a->item, &a->args->out, dtype == NPU_F32 ? a->o : a->product,
		       dim * a->bytes, a->dim_pitch, 1);
	if (a->args->lse.base)
		attn_move_rows(a->shape, &a->item, &a->args->lse, UB_PART, 4, NPU_TILE_ALIGN, 1);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

/* No key at all: sums of nothing. */
static void clear(const struct attention *a)
{
	npu_vec_one_row();
	npu_vdup(UB_SUM, 0, ATTN_COLUMN(a->item.rows), NPU_F32);
	npu_vdup(UB_MAX, npu_f32_bits(F32_LOWEST), ATTN_COLUMN(a->item.rows), NPU_F32);
	npu_vdup(a->o, 0, a->item.rows * a->out_pitch / 4, NPU_F32);
}

static void attend(const struct attention *a)
{
	const struct attn_limits limits = attn_limits(a->shape, &a->item);
	const uint32_t keys = limits.last < 0 ? 0 : npu_min(a->item.keys, limits.last + 1);
	unsigned int slot = 0;

	if (!keys) {
		clear(a);
		store(a);
		return;
	}
	if (limits.first < limits.last)
		attn_limit_column(a->shape, &a->item, UB_LIMIT);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE2);
	attn_move_rows(a->shape, &a->item, &a->args->q, L1_Q, a->shape->dim * a->bytes,
		       a->dim_pitch, 0);
	load_block(a, 0, npu_min(a->keys, keys), slot);
	for (uint32_t key = 0; key < keys; key += a->keys, slot = !slot) {
		const uint32_t count = npu_min(a->keys, keys - key), next = key + count;

		if (next < keys)
			load_block(a, next, npu_min(a->keys, keys - next), !slot);
		scores(a, count, slot);
		softmax(a, key, count);
		accumulate(a, count, slot, !key);
	}
	store(a);
}

NPU_ARGS(op_attention, struct npu_op_attention_args, in(q.base), in(k.base), in(v.base),
	 out(out.base), out(lse.base), in(pages.table), in(pages.lengths));

NPU_KERNEL(op_attention, struct npu_op_attention_args)
{
	const struct npu_op_attention_shape *shape = &args->shape;
	const uint32_t rows = attn_group_rows(shape), tiles = npu_ceil_div(rows, ROWS);
	const struct npu_span mine =
		npu_split((uint64_t)shape->batch * shape->kv_heads * tiles, 1, block, blocks);
	struct attention a;

	attention_begin(&a, args);
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		const uint32_t row = i % tiles * ROWS, head = i / tiles;

		a.item = (struct attn_item){
			.batch = head / shape->kv_heads,
			.kv_head = head % shape->kv_heads,
			.group = shape->heads / shape->kv_heads,
			.row = row,
			.rows = npu_min(ROWS, rows - row),
		};
		a.item.keys = args->pages.lengths
				      ? attn_length(&args->pages, a.item.batch, shape->keys)
				      : shape->keys;
		attend(&a);
	}
}

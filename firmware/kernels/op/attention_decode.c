/* SPDX-License-Identifier: MIT */
/*
 * A step of decoding: one new position of each sequence. Its q and k turn, k and v go into the
 * cache, and q attends over that with an online softmax. A block has the heads of a sequence
 * together, so that keys and values come in long rows and a vector instruction has all scores;
 * the cube takes head by head.
 */
#include "npu_kernel.h"
#include "attention.h"
#include "copy_rows.h"

#define MOST_KEYS 512 /* of a block of them */
#define Q_BYTES 0x8000
#define P_BYTES 0x8000
#define KV_BYTES 0x18000
#define L0B_BYTES NPU_L0B_SIZE

/* L1: the queries, the exponentials, and two slots for keys and values. */
#define L1_Q NPU_L1_BASE
#define L1_P (L1_Q + Q_BYTES)
#define L1_K(slot) (L1_P + P_BYTES + (slot)*2 * KV_BYTES)
#define L1_V(slot) (L1_K(slot) + KV_BYTES)
_Static_assert(Q_BYTES + P_BYTES + 4 * KV_BYTES <= NPU_L1_SIZE, "L1 overflows");

#define L0A_Q NPU_L0A_BASE
#define L0A_P (NPU_L0A_BASE + Q_BYTES)
_Static_assert(Q_BYTES + P_BYTES <= NPU_L0A_SIZE, "L0A overflows");

/* L0C: the scores, of which there are as many as of P, and the product with the values. */
#define L0C_S NPU_L0C_BASE
#define L0C_O (NPU_L0C_BASE + 2 * P_BYTES)
_Static_assert(2 * P_BYTES + Q_BYTES <= NPU_L0C_SIZE, "L0C overflows");

/*
 * UB: statistics, the sines, the new rows of q, k and v in fp32 and in half precision, room to
 * turn them, and the scores. The results take the places of what has turned.
 */
#define ROWS NPU_OP_DECODE_ROWS
#define COLUMN (ROWS * NPU_TILE_ALIGN)
#define UB_MAX NPU_UB_BASE
#define UB_SUM (UB_MAX + COLUMN)
#define UB_ALPHA (UB_SUM + COLUMN)
#define UB_PART (UB_ALPHA + COLUMN)
#define UB_ROPE (UB_PART + COLUMN)
#define ROPE_BYTES (NPU_OP_ATTENTION_DIM * 4)
#define NEW_BYTES (Q_BYTES + 2 * NPU_OP_DECODE_WIDTH * 4)
#define UB_NEW (UB_ROPE + ROPE_BYTES)
#define UB_HALF (UB_NEW + NEW_BYTES)
#define UB_WORK (UB_HALF + NEW_BYTES / 2)
#define UB_S (UB_WORK + NEW_BYTES)
#define UB_O UB_NEW
#define UB_PRODUCT UB_WORK
_Static_assert(UB_S + 2 * P_BYTES <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");
_Static_assert(ROWS *NPU_OP_ATTENTION_DIM * 4 <= Q_BYTES, "the queries do not fit");

struct decode {
	const struct npu_op_attention_decode_args *args;
	const struct npu_op_attention_shape *shape;
	struct attn_softmax softmax;
	uint32_t batch, first; /* sequence, and head of k */
	uint32_t heads, group, rows; /* of k, of q for each of these, and of q in all */
	uint32_t length;
	uint32_t bytes; /* of an element */
	uint32_t row; /* bytes of a head */
	uint32_t width; /* and of all that the block has of k */
	npu_addr fresh; /* rows of q, of k, and of v */
};

static npu_addr fresh_k(const struct decode *d)
{
	return d->fresh + d->rows * d->row;
}

static npu_addr fresh_v(const struct decode *d)
{
	return fresh_k(d) + d->heads * d->row;
}

static uint32_t out_pitch(const struct decode *d)
{
	return d->shape->dim * 4;
}

static npu_addr head_at(const struct decode *d, const struct npu_op_heads *heads, uint32_t head)
{
	return heads->base + d->batch * heads->batch + head * heads->head;
}

/* The new position's rows, and its sines. */
static void load_new(const struct decode *d)
{
	const struct npu_op_attention_decode_args *args = d->args;

	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
	copy_rows(d->fresh, head_at(d, &args->q, d->first * d->group), d->row, d->rows, d->row,
		  args->q.head);
	copy_rows(fresh_k(d), head_at(d, &args->k, d->first), d->row, d->heads, d->row,
		  args->k.head);
	copy_rows(fresh_v(d), head_at(d, &args->v, d->first), d->row, d->heads, d->row,
		  args->v.head);
	if (args->rope)
		npu_copy(UB_ROPE, args->rope + (d->length - 1) * args->rope_pitch,
			 d->shape->dim * 4);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
}

/* x, y of all rows of q and k, halves of a row, become x cos - y sin, y cos + x sin. */
static void rotate(const struct decode *d)
{
	const uint32_t rows = d->rows + d->heads, n = d->shape->dim / 2, half = n * 4;
	const uint32_t pitch = 2 * half;
	const npu_addr x = UB_NEW, y = UB_NEW + half, sines = UB_ROPE + half;

	npu_vec_rows(rows, pitch, pitch, 0);
	npu_vmul(UB_WORK, y, sines, n, NPU_F32);
	npu_vmul(UB_WORK + half, x, sines, n, NPU_F32);
	npu_vmul(x, x, UB_ROPE, n, NPU_F32);
	npu_vmul(y, y, UB_ROPE, n, NPU_F32);
	npu_vec_rows(rows, pitch, pitch, pitch);
	npu_vsub(x, x, UB_WORK, n, NPU_F32);
	npu_vadd(y, y, UB_WORK + half, n, NPU_F32);
	npu_vec_one_row();
}

static void turn(const struct decode *d)
{
	const uint32_t dtype = d->shape->dtype, all = (d->rows + d->heads) * d->shape->dim;

	if (!d->args->rope)
		return;
	npu_vec_one_row();
	if (dtype != NPU_F32)
		npu_vcast(UB_NEW, UB_HALF, all, dtype, NPU_F32, 0);
	rotate(d);
	if (dtype != NPU_F32)
		npu_vcast(UB_HALF, UB_NEW, all, NPU_F32, dtype, 0);
}

/* k and v to the cache, where they are before it is read, and q to L1. */
static void append(const struct decode *d)
{
	const struct npu_op_attention_decode_args *args = d->args;
	const struct npu_op_heads *k = &args->k_cache, *v = &args->v_cache;
	const uint32_t at = d->length - 1, slot = at % args->pages.page_size;
	const uint64_t page = attn_page(&args->pages, d->batch, at);

	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	copy_rows(k->base + page * args->pages.k_page + slot * k->position + d->first * k->head,
		  fresh_k(d), d->row, d->heads, k->head, d->row);
	copy_rows(v->base + page * args->pages.v_page + slot * v->position + d->first * v->head,
		  fresh_v(d), d->row, d->heads, v->head, d->row);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE3);
	npu_copy(L1_Q, d->fresh, d->rows * d->row);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE1);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
}

/* Positions of a page, with all heads of the block, to rows of L1. */
static void load_page(const struct decode *d, const struct npu_op_heads *heads, npu_addr dst,
		      npu_addr src, uint32_t count)
{
	if (heads->head == d->row) {
		copy_rows(dst, src, d->width, count, d->width, heads->position);
		return;
	}
	for (uint32_t h = 0; h < d->heads; h++)
		npu_copy_2d(dst + h * d->row, src + h * heads->head, d->row, count, d->width,
			    heads->position);
}

/* Keys and values @first to @first + @count. */
static void load_block(const struct decode *d, uint32_t first, uint32_t count, unsigned int slot)
{
	const struct npu_op_attention_decode_args *args = d->args;
	const struct npu_op_pages *pages = &args->pages;
	const npu_addr k = args->k_cache.base + d->first * args->k_cache.head;
	const npu_addr v = args->v_cache.base + d->first * args->v_cache.head;
	uint32_t n, at = first % pages->page_size;

	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE2);
	for (uint32_t i = 0; i < count; i += n, at = 0) {
		const uint64_t page = attn_page(pages, d->batch, first + i);

		n = npu_min(pages->page_size - at, count - i);
		load_page(d, &args->k_cache, L1_K(slot) + i * d->width,
			  k + page * pages->k_page + at * args->k_cache.position, n);
		load_page(d, &args->v_cache, L1_V(slot) + i * d->width,
			  v + page * pages->v_page + at * args->v_cache.position, n);
	}
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
}

/* s = q k', for as many heads at a time as L0B holds. */
static void scores(const struct decode *d, uint32_t count, unsigned int slot)
{
	const uint32_t dim = d->shape->dim, dtype = d->shape->dtype;
	const uint32_t pitch = npu_align(count * d->bytes), s_pitch = npu_align(count * 4);
	const uint32_t most = L0B_BYTES / (dim * pitch);
	uint32_t n;

	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
	npu_load0(L0A_Q, L1_Q, d->rows, dim, d->row, d->row, dtype, 0);
	for (uint32_t at = 0; at < d->heads; at += n) {
		n = npu_min(most, d->heads - at);
		ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
		npu_load0(NPU_L0B_BASE, L1_K(slot) + at * d->row, count, n * dim, pitch, d->width,
			  dtype, 1);
		ub_sync(NPU_PIPE_MTE1, NPU_PIPE_M);
		ub_sync(NPU_PIPE_FIX, NPU_PIPE_M);
		for (uint32_t h = 0; h < n; h++)
			npu_mmad(L0C_S + (at + h) * d->group * s_pitch,
				 L0A_Q + (at + h) * d->group * d->row,
				 NPU_L0B_BASE + h * dim * pitch, d->group, count, dim, dtype, 1);
	}
	ub_sync(NPU_PIPE_M, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_V, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_FIX);
	npu_fixpipe(UB_S, L0C_S, d->rows, count, s_pitch, NPU_F32, NPU_F32, 0, 0);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_V);
}

static void soften(struct decode *d, uint32_t count, int first)
{
	d->softmax.pitch = npu_align(count * 4);
	npu_vec_rows(d->rows, d->softmax.pitch, d->softmax.pitch, 0);
	npu_vmuls(UB_S, UB_S, npu_f32_bits(d->shape->scale), count, NPU_F32);
	attn_soften(&d->softmax, count, first);
}

/* The exponentials, in the type of the values, to L0A. */
static void load_p(const struct decode *d, uint32_t count)
{
	const uint32_t dtype = d->shape->dtype, pitch = npu_align(count * d->bytes);

	if (dtype != NPU_F32) {
		npu_vec_rows(d->rows, d->softmax.pitch, d->softmax.pitch, 0);
		npu_vcast(UB_S, UB_S, count, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE3);
	copy_rows(L1_P, UB_S, pitch, d->rows, pitch, d->softmax.pitch);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE1);
	npu_load0(L0A_P, L1_P, d->rows, count, pitch, pitch, dtype, 0);
}

/* o = o alpha + p v */
static void accumulate(const struct decode *d, uint32_t count, unsigned int slot, int first)
{
	const uint32_t dim = d->shape->dim, dtype = d->shape->dtype;
	const uint32_t pitch = npu_align(count * d->bytes), o_pitch = out_pitch(d);

	load_p(d, count);
	for (uint32_t h = 0; h < d->heads; h++) {
		ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
		npu_load0(NPU_L0B_BASE, L1_V(slot) + h * d->row, count, dim, d->row, d->width,
			  dtype, 0);
		ub_sync(NPU_PIPE_MTE1, NPU_PIPE_M);
		npu_mmad(L0C_O + h * d->group * o_pitch, L0A_P + h * d->group * pitch, NPU_L0B_BASE,
			 d->group, dim, count, dtype, 1);
	}
	ub_sync(NPU_PIPE_M, NPU_PIPE_FIX);
	npu_fixpipe(first ? UB_O : UB_PRODUCT, L0C_O, d->rows, dim, o_pitch, NPU_F32, NPU_F32, 0,
		    0);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_V);
	if (!first)
		attn_add(&d->softmax, UB_O, UB_PRODUCT, dim, o_pitch);
}

static void store(const struct decode *d)
{
	const struct npu_op_heads *out = &d->args->out;
	const uint32_t dtype = d->shape->dtype;
	npu_addr result = UB_O;

	if (dtype != NPU_F32) {
		result = UB_HALF;
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
		npu_vec_one_row();
		npu_vcast(result, UB_O, d->rows * d->shape->dim, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	copy_rows(head_at(d, out, d->first * d->group), result, d->row, d->rows, out->head, d->row);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
}

/* A sequence without positions: its results are zeros. */
static void clear(const struct decode *d)
{
	npu_vec_one_row();
	npu_vdup(UB_O, 0, d->rows * d->shape->dim, NPU_F32);
	store(d);
}

static void attend(struct decode *d, uint32_t most)
{
	unsigned int slot = 0;

	load_block(d, 0, npu_min(most, d->length), slot);
	for (uint32_t key = 0; key < d->length; key += most, slot = !slot) {
		const uint32_t count = npu_min(most, d->length - key), next = key + count;

		if (next < d->length)
			load_block(d, next, npu_min(most, d->length - next), !slot);
		scores(d, count, slot);
		soften(d, count, !key);
		accumulate(d, count, slot, !key);
	}
	attn_divide(&d->softmax, UB_O, d->shape->dim, out_pitch(d));
	store(d);
}

/* Heads of k from @first on, of a sequence. */
static void decode(struct decode *d, uint32_t batch, uint32_t first, uint32_t most_keys)
{
	const struct npu_op_attention_shape *shape = d->shape;

	d->batch = batch;
	d->first = first;
	d->heads = npu_min(npu_op_decode_heads(shape), shape->kv_heads - first);
	d->rows = d->heads * d->group;
	d->width = d->heads * d->row;
	d->length = attn_length(&d->args->pages, batch, shape->keys);
	d->softmax.rows = d->rows;
	if (!d->length) {
		clear(d);
		return;
	}
	load_new(d);
	turn(d);
	append(d);
	attend(d, most_keys);
}

/* Keys of a block: as L1 holds keys, P, and L0B those of a head. All blocks have as many. */
static uint32_t block_keys(const struct decode *d)
{
	const uint32_t heads = npu_op_decode_heads(d->shape);
	const uint32_t fit =
		npu_min(KV_BYTES / (heads * d->row), P_BYTES / (heads * d->group * d->bytes));

	return npu_min(npu_min(fit, L0B_BYTES / d->row), MOST_KEYS) / 32 * 32;
}

NPU_ARGS(op_attention_decode, struct npu_op_attention_decode_args, in(q.base), in(k.base),
	 in(v.base), inout(k_cache.base), inout(v_cache.base), out(out.base), in(pages.table),
	 in(pages.lengths), in(rope));

NPU_KERNEL(op_attention_decode, struct npu_op_attention_decode_args)
{
	const struct npu_op_attention_shape *shape = &args->shape;
	const uint32_t heads = npu_op_decode_heads(shape);
	const uint32_t groups = npu_ceil_div(shape->kv_heads, heads);
	const struct npu_span mine = npu_split((uint64_t)shape->batch * groups, 1, block, blocks);
	struct decode d = {
		.args = args,
		.shape = shape,
		.softmax = { .scores = UB_S,
			     .max = UB_MAX,
			     .sum = UB_SUM,
			     .alpha = UB_ALPHA,
			     .part = UB_PART },
		.group = shape->heads / shape->kv_heads,
		.bytes = npu_dtype_bytes(shape->dtype),
		.fresh = shape->dtype == NPU_F32 ? UB_NEW : UB_HALF,
	};
	uint32_t keys;

	d.row = shape->dim * d.bytes;
	keys = block_keys(&d);
	/* Columns are read whole, and only their first elements are written. */
	npu_vdup(UB_MAX, 0, 4 * COLUMN / 4, NPU_F32);
	for (uint64_t i = mine.begin; i < mine.end; i++)
		decode(&d, i / groups, i % groups * heads, keys);
}

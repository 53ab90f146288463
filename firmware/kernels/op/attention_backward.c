/* SPDX-License-Identifier: MIT */
/*
 * The backward of attention. A block takes all that has to do with one head of k: for each block
 * of keys it goes through the queries, computes their probabilities p anew from lse, and
 *
 *	ds = p (grad v' - delta) scale, delta being the sum of grad out in each row
 *	grad_v += p' grad, grad_k += ds' q, grad_q += ds k
 *
 * The first two stay in L0C meanwhile, grad_q is added up in the block's scratch memory, so that
 * nothing is added by two blocks.
 */
#include "npu_kernel.h"
#include "attention.h"

#define PART 0x8000 /* a matrix in L1, L0, L0C or UB */

#define L1_K NPU_L1_BASE
#define L1_V (L1_K + PART)
#define L1_P (L1_V + PART)
#define L1_DS (L1_P + PART)
#define L1_Q(slot) (L1_DS + PART + (slot)*PART)
#define L1_GRAD(slot) (L1_DS + 3 * PART + (slot)*PART)

#define L0C_DK NPU_L0C_BASE
#define L0C_DV (L0C_DK + PART)
#define L0C_S (L0C_DV + PART)
#define L0C_DP (L0C_S + PART)
#define L0C_DQ L0C_S /* the scores have gone to UB by then */
_Static_assert(4 * PART <= NPU_L0C_SIZE, "L0C overflows");

#define MOST_ROWS 64
#define MOST_KEYS 128
#define COLUMN (MOST_ROWS * NPU_TILE_ALIGN)

/* UB: columns of an element for each row, two slots of some, and matrices. */
#define UB_LSE(slot) (NPU_UB_BASE + (slot)*COLUMN)
#define UB_DELTA(slot) (NPU_UB_BASE + (2 + (slot)) * COLUMN)
#define UB_LIMIT (NPU_UB_BASE + 4 * COLUMN)
#define UB_MASK (UB_LIMIT + COLUMN) /* a row of indices and the mask */
#define UB_S (UB_MASK + MOST_KEYS * 4 + COLUMN)
#define UB_DP (UB_S + PART)
#define UB_DQ (UB_DP + PART)
#define UB_OLD (UB_DQ + PART)
#define UB_HALF (UB_OLD + PART) /* p and ds in half precision */
_Static_assert(UB_HALF + PART <= NPU_UB_BASE + NPU_UB_SIZE, "UB overflows");

struct backward {
	const struct npu_op_attention_backward_args *args;
	const struct npu_op_attention_shape *shape;
	struct attn_item item; /* the rows that are worked on */
	uint32_t all_rows, most_rows, most_keys;
	uint32_t bytes; /* of an element */
	uint32_t dim_pitch; /* bytes of a row of q, k, v or grad in L1 and L0 */
	uint32_t sum_pitch; /* and of one in fp32 */
	npu_addr sums, deltas; /* grad_q and delta of the rows, in scratch memory */
};

static void backward_begin(struct backward *b, const struct npu_op_attention_backward_args *args,
			   uint32_t block)
{
	const struct npu_op_attention_shape *shape = &args->shape;

	b->args = args;
	b->shape = shape;
	b->all_rows = attn_group_rows(shape);
	b->most_rows = shape->dim <= 128 ? 64 : 32;
	b->most_keys = shape->dim <= 64 ? 128 : shape->dim <= 128 ? 64 : 32;
	b->bytes = npu_dtype_bytes(shape->dtype);
	b->dim_pitch = npu_align(shape->dim * b->bytes);
	b->sum_pitch = npu_align(shape->dim * 4);
	b->sums = args->scratch + block * args->scratch_pitch;
	b->deltas = b->sums + (uint64_t)b->all_rows * shape->dim * 4;
	npu_vdup(UB_LSE(0), 0, 4 * COLUMN / 4, NPU_F32);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
}

static void take_rows(struct backward *b, uint32_t row)
{
	b->item.row = row;
	b->item.rows = npu_min(b->most_rows, b->all_rows - row);
}

/* Rows of a tensor like q to UB, in fp32. */
static void fetch_rows(const struct backward *b, const struct npu_op_heads *heads, npu_addr data,
		       npu_addr stage)
{
	const uint32_t dim = b->shape->dim, dtype = b->shape->dtype;

	attn_move_rows(b->shape, &b->item, heads, dtype == NPU_F32 ? data : stage, dim * b->bytes,
		       b->dim_pitch, 0);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
	if (dtype == NPU_F32)
		return;
	npu_vec_rows(b->item.rows, b->sum_pitch, b->dim_pitch, 0);
	npu_vcast(data, stage, dim, dtype, NPU_F32, 0);
}

/* delta = sum of grad out, of each row */
static void compute_deltas(struct backward *b)
{
	const uint32_t dim = b->shape->dim, pitch = b->sum_pitch;

	for (uint32_t row = 0; row < b->all_rows; row += b->most_rows) {
		take_rows(b, row);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
		fetch_rows(b, &b->args->out, UB_S, UB_HALF);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
		fetch_rows(b, &b->args->grad, UB_DP, UB_HALF);
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
		npu_vec_rows(b->item.rows, NPU_TILE_ALIGN, pitch, pitch);
		npu_vdot(UB_DELTA(0), UB_S, UB_DP, dim, NPU_F32);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
		npu_copy_2d(b->deltas + row * 4ull, UB_DELTA(0), 4, b->item.rows, 4,
			    NPU_TILE_ALIGN);
	}
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
}

/* Keys @first to @first + @count and their values to L1; sums of nothing for them. */
static void begin_keys(const struct backward *b, uint32_t first, uint32_t count)
{
	const struct npu_op_heads *k = &b->args->k, *v = &b->args->v;
	const uint32_t row = b->shape->dim * b->bytes;

	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE2);
	npu_copy_2d(L1_K,
		    k->base + b->item.batch * k->batch + b->item.kv_head * k->head +
			    first * k->position,
		    row, count, b->dim_pitch, k->position);
	npu_copy_2d(L1_V,
		    v->base + b->item.batch * v->batch + b->item.kv_head * v->head +
			    first * v->position,
		    row, count, b->dim_pitch, v->position);
	ub_sync(NPU_PIPE_MTE2, NPU_PIPE_MTE1);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_M);
	npu_mmad(L0C_DK, NPU_L0A_BASE, NPU_L0B_BASE, count, b->shape->dim, 0, NPU_F32, 1);
	npu_mmad(L0C_DV, NPU_L0A_BASE, NPU_L0B_BASE, count, b->shape->dim, 0, NPU_F32, 1);
}

/* What a row block needs, to a slot of L1 and UB. */
static void load_rows(struct backward *b, uint32_t row, unsigned int slot)
{
	const uint32_t bytes = b->shape->dim * b->bytes;

	take_rows(b, row);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE2);
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
	attn_move_rows(b->shape, &b->item, &b->args->q, L1_Q(slot), bytes, b->dim_pitch, 0);
	attn_move_rows(b->shape, &b->item, &b->args->grad, L1_GRAD(slot), bytes, b->dim_pitch, 0);
	attn_move_rows(b->shape, &b->item, &b->args->lse, UB_LSE(slot), 4, NPU_TILE_ALIGN, 0);
	npu_copy_2d(UB_DELTA(slot), b->deltas + row * 4ull, 4, b->item.rows, NPU_TILE_ALIGN, 4);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
}

/* One operand of a product, in L1: rows x cols, or its transposed. */
struct operand {
	npu_addr l1;
	uint32_t rows, cols;
	int transpose;
};

/* c = a b, plus c unless @init */
static void multiply(const struct backward *b, npu_addr c, struct operand x, struct operand y,
		     int init)
{
	const uint32_t dtype = b->shape->dtype, bytes = b->bytes;
	const uint32_t m = x.transpose ? x.cols : x.rows, k = x.transpose ? x.rows : x.cols;
	const uint32_t n = y.transpose ? y.rows : y.cols;

	ub_sync(NPU_PIPE_M, NPU_PIPE_MTE1);
	npu_load0(NPU_L0A_BASE, x.l1, x.rows, x.cols, npu_align(k * bytes),
		  npu_align(x.cols * bytes), dtype, x.transpose);
	npu_load0(NPU_L0B_BASE, y.l1, y.rows, y.cols, npu_align(n * bytes),
		  npu_align(y.cols * bytes), dtype, y.transpose);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_M);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_M);
	npu_mmad(c, NPU_L0A_BASE, NPU_L0B_BASE, m, n, k, dtype, init);
}

/* A product of the item's rows to UB. */
static void to_ub(const struct backward *b, npu_addr dst, npu_addr src, uint32_t cols)
{
	ub_sync(NPU_PIPE_M, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_V, NPU_PIPE_FIX);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_FIX);
	npu_fixpipe(dst, src, b->item.rows, cols, npu_align(cols * 4), NPU_F32, NPU_F32, 0, 0);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_V);
}

/* p or ds, rows x keys in UB, to L1 in the type of the operands. */
static void to_l1(const struct backward *b, npu_addr l1, npu_addr src, npu_addr half,
		  uint32_t count)
{
	const uint32_t dtype = b->shape->dtype, pitch = npu_align(count * b->bytes);

	if (dtype != NPU_F32) {
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
		npu_vec_rows(b->item.rows, pitch, npu_align(count * 4), 0);
		npu_vcast(half, src, count, NPU_F32, dtype, 0);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	ub_sync(NPU_PIPE_MTE1, NPU_PIPE_MTE3);
	npu_copy(l1, dtype == NPU_F32 ? src : half, b->item.rows * pitch);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE1);
}

/* UB_S = p = exp(scale q k' - lse) */
static void probabilities(const struct backward *b, uint32_t first, uint32_t count,
			  unsigned int slot)
{
	const struct attn_limits limits = attn_limits(b->shape, &b->item);
	const uint32_t pitch = npu_align(count * 4);

	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
	npu_vec_rows(b->item.rows, pitch, pitch, 0);
	npu_vmuls(UB_S, UB_S, npu_f32_bits(b->shape->scale), count, NPU_F32);
	if (first + count - 1ll > limits.first) {
		attn_limit_column(b->shape, &b->item, UB_LIMIT);
		attn_mask(b->shape, &b->item, UB_S, first, count, UB_LIMIT, UB_MASK);
	}
	/* That of a row without keys is -inf, and so is all of it. */
	npu_vec_one_row();
	npu_vmaxs(UB_LSE(slot), UB_LSE(slot), npu_f32_bits(F32_LOWEST),
		  b->item.rows * (NPU_TILE_ALIGN / 4), NPU_F32);
	npu_vec_rows(b->item.rows, pitch, pitch, NPU_TILE_ALIGN);
	npu_vsubr(UB_S, UB_S, UB_LSE(slot), count, NPU_F32);
	npu_vexp(UB_S, UB_S, count, NPU_F32);
}

/* UB_DP = ds = p (dp - delta) scale */
static void differentiate(const struct backward *b, uint32_t count, unsigned int slot)
{
	const uint32_t pitch = npu_align(count * 4);

	npu_vec_rows(b->item.rows, pitch, pitch, NPU_TILE_ALIGN);
	npu_vsubr(UB_DP, UB_DP, UB_DELTA(slot), count, NPU_F32);
	npu_vec_rows(b->item.rows, pitch, pitch, pitch);
	npu_vmul(UB_DP, UB_DP, UB_S, count, NPU_F32);
	npu_vmuls(UB_DP, UB_DP, npu_f32_bits(b->shape->scale), count, NPU_F32);
}

/* Add L0C_DQ to what is in scratch memory, or begin there. */
static void add_sums(const struct backward *b, int first)
{
	const uint32_t dim = b->shape->dim, rows = b->item.rows, pitch = b->sum_pitch;
	const npu_addr sums = b->sums + b->item.row * dim * 4ull;

	to_ub(b, UB_DQ, L0C_DQ, dim);
	if (!first) {
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
		npu_copy_2d(UB_OLD, sums, dim * 4, rows, pitch, dim * 4);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
		npu_vec_rows(rows, pitch, pitch, pitch);
		npu_vadd(UB_DQ, UB_OLD, UB_DQ, dim, NPU_F32);
	}
	ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
	ub_sync(NPU_PIPE_FIX, NPU_PIPE_MTE3);
	npu_copy_2d(sums, UB_DQ, dim * 4, rows, dim * 4, pitch);
}

/* The item's rows with the keys that are in L1. */
static void attend(const struct backward *b, uint32_t first, uint32_t count, unsigned int slot)
{
	const uint32_t rows = b->item.rows, dim = b->shape->dim;
	const struct operand q = { L1_Q(slot), rows, dim, 0 },
			     grad = { L1_GRAD(slot), rows, dim, 0 };
	const struct operand k = { L1_K, count, dim, 0 };
	const struct operand k_turned = { L1_K, count, dim, 1 }, v_turned = { L1_V, count, dim, 1 };
	const struct operand p_turned = { L1_P, rows, count, 1 };
	const struct operand ds = { L1_DS, rows, count, 0 }, ds_turned = { L1_DS, rows, count, 1 };

	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, slot);
	multiply(b, L0C_S, q, k_turned, 1);
	to_ub(b, UB_S, L0C_S, count);
	multiply(b, L0C_DP, grad, v_turned, 1);
	probabilities(b, first, count, slot);
	to_l1(b, L1_P, UB_S, UB_HALF, count);
	to_ub(b, UB_DP, L0C_DP, count);
	multiply(b, L0C_DV, p_turned, grad, 0);
	differentiate(b, count, slot);
	to_l1(b, L1_DS, UB_DP, UB_HALF + PART / 2, count);
	multiply(b, L0C_DK, ds_turned, q, 0);
	multiply(b, L0C_DQ, ds, k, 1);
	add_sums(b, !first);
}

static int sees(struct backward *b, uint32_t row, uint32_t key)
{
	take_rows(b, row);
	return attn_limits(b->shape, &b->item).last >= key;
}

/* The next block of rows from @row on that sees @key, or the end of all. */
static uint32_t next_rows(struct backward *b, uint32_t row, uint32_t key)
{
	while (row < b->all_rows && !sees(b, row, key))
		row += b->most_rows;
	return row;
}

static void store_sums(const struct backward *b, const struct npu_op_heads *heads, npu_addr sums,
		       uint32_t first, uint32_t count)
{
	npu_fixpipe(heads->base + b->item.batch * heads->batch + b->item.kv_head * heads->head +
			    first * heads->position,
		    sums, count, b->shape->dim, heads->position, NPU_F32, b->shape->dtype, 0, 0);
}

static void attend_keys(struct backward *b, uint32_t first, uint32_t count)
{
	uint32_t row = next_rows(b, 0, first), next;
	unsigned int slot = 0;

	begin_keys(b, first, count);
	if (row < b->all_rows)
		load_rows(b, row, slot);
	for (; row < b->all_rows; row = next, slot = !slot) {
		next = next_rows(b, row + b->most_rows, first);
		if (next < b->all_rows)
			load_rows(b, next, !slot);
		take_rows(b, row);
		attend(b, first, count, slot);
	}
	ub_sync(NPU_PIPE_M, NPU_PIPE_FIX);
	store_sums(b, &b->args->grad_k, L0C_DK, first, count);
	store_sums(b, &b->args->grad_v, L0C_DV, first, count);
}

/* grad_q = what has been added up; a row that sees no key has nothing. */
static void store_grad_q(struct backward *b)
{
	const uint32_t dim = b->shape->dim, dtype = b->shape->dtype, pitch = b->sum_pitch;

	for (uint32_t row = 0; row < b->all_rows; row += b->most_rows) {
		const int none = !sees(b, row, 0) || !b->item.keys;

		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE2);
		if (!none)
			npu_copy_2d(UB_DQ, b->sums + row * dim * 4ull, dim * 4, b->item.rows, pitch,
				    dim * 4);
		ub_sync(NPU_PIPE_MTE2, NPU_PIPE_V);
		ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
		npu_vec_one_row();
		if (none)
			npu_vdup(UB_DQ, 0, b->item.rows * pitch / 4, NPU_F32);
		npu_vec_rows(b->item.rows, b->dim_pitch, pitch, 0);
		if (dtype != NPU_F32)
			npu_vcast(UB_HALF, UB_DQ, dim, NPU_F32, dtype, 0);
		ub_sync(NPU_PIPE_V, NPU_PIPE_MTE3);
		attn_move_rows(b->shape, &b->item, &b->args->grad_q,
			       dtype == NPU_F32 ? UB_DQ : UB_HALF, dim * b->bytes, b->dim_pitch, 1);
	}
	/* The next head's use of all that. */
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_V);
	ub_sync(NPU_PIPE_MTE3, NPU_PIPE_MTE2);
}

NPU_ARGS(op_attention_backward, struct npu_op_attention_backward_args, in(q.base), in(k.base),
	 in(v.base), in(out.base), in(lse.base), in(grad.base), out(grad_q.base), out(grad_k.base),
	 out(grad_v.base), inout(scratch), value(scratch_pitch));

NPU_KERNEL(op_attention_backward, struct npu_op_attention_backward_args)
{
	const struct npu_op_attention_shape *shape = &args->shape;
	const struct npu_span mine =
		npu_split((uint64_t)shape->batch * shape->kv_heads, 1, block, blocks);
	struct backward b;

	backward_begin(&b, args, block);
	for (uint64_t i = mine.begin; i < mine.end; i++) {
		b.item = (struct attn_item){
			.batch = i / shape->kv_heads,
			.kv_head = i % shape->kv_heads,
			.keys = shape->keys,
			.group = shape->heads / shape->kv_heads,
		};
		compute_deltas(&b);
		for (uint32_t key = 0; key < shape->keys; key += b.most_keys)
			attend_keys(&b, key, npu_min(b.most_keys, shape->keys - key));
		store_grad_q(&b);
	}
}

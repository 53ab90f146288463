// SPDX-License-Identifier: MIT
/* npuop_attention(), its backward, npuop_attention_paged() and npuop_attention_decode() */
#include <inttypes.h>
#include <math.h>

#include <npu_op_attention.h>

#include "cache.h"
#include "rows.h"

#define Q_ROWS 64 /* of a block's matrix: those of attention.c */

struct npu_op_heads op_heads(const npuop_tensor *t)
{
	const uint64_t bytes = npuop_dtype_bytes(t->dtype, 1);

	return (struct npu_op_heads){
		.base = op_address(t),
		.batch = t->stride[0] * bytes,
		.head = t->stride[1] * bytes,
		.position = t->stride[2] * bytes,
	};
}

int op_check_heads(npuop *ops, const char *name, const npuop_tensor *t, uint32_t position)
{
	const uint64_t bytes = npuop_dtype_bytes(t->dtype, 1);
	int err = op_rank(ops, name, t, 4);

	if (!err && t->shape[position] > 1 && t->stride[position] > UINT32_MAX / bytes)
		err = op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			      "%s: positions that are %" PRIu64 " elements apart", name,
			      t->stride[position]);
	return err;
}

static int check_positions(npuop *ops, const char *name, uint64_t positions)
{
	if (positions <= NPU_OP_ATTENTION_POSITIONS)
		return 0;
	return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "%s: %" PRIu64 " positions, more than %u",
		       name, positions, NPU_OP_ATTENTION_POSITIONS);
}

static int check_q(npuop *ops, const npuop_tensor *q)
{
	int err;

	if ((err = op_read(ops, "q", q, OP_FLOATS)) || (err = op_check_heads(ops, "q", q, 2)) ||
	    (err = check_positions(ops, "q", q->shape[2])))
		return err;
	if (q->shape[3] > NPU_OP_ATTENTION_DIM)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "q: dim %" PRIu64 ", more than %u",
			       q->shape[3], NPU_OP_ATTENTION_DIM);
	if (q->shape[0] * q->shape[1] > UINT32_MAX || q->shape[1] * q->shape[2] > INT32_MAX)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED, "q: too many heads");
	return 0;
}

/* The attributes, and the scale that they mean. */
static int take_attr(npuop *ops, const npuop_attention_attr *attr, uint64_t dim,
		     npuop_attention_attr *own)
{
	int err = op_take(ops, "npuop_attention_attr", NPUOP_ATTENTION_CAUSAL, own, sizeof(*own),
			  attr);

	if (!err && own->scale == 0)
		own->scale = 1 / sqrtf((float)dim);
	return err;
}

static int check_kv_heads(npuop *ops, const npuop_tensor *q, uint64_t kv_heads)
{
	if (kv_heads ? q->shape[1] % kv_heads == 0 : !q->shape[1])
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID,
		       "k: %" PRIu64 " heads, of which the %" PRIu64 " of q are no multiple",
		       kv_heads, q->shape[1]);
}

static struct npu_op_attention_shape
shape_of(const npuop_attention_attr *attr, const npuop_tensor *q, uint64_t kv_heads, uint64_t keys)
{
	return (struct npu_op_attention_shape){
		.batch = (uint32_t)q->shape[0],
		.heads = (uint32_t)q->shape[1],
		.kv_heads = (uint32_t)kv_heads,
		.queries = (uint32_t)q->shape[2],
		.keys = (uint32_t)keys,
		.dim = (uint32_t)q->shape[3],
		.dtype = q->dtype,
		.flags = attr->flags & NPUOP_ATTENTION_CAUSAL ? NPU_OP_ATTENTION_CAUSAL : 0,
		.scale = attr->scale,
	};
}

/* k or v, of a q that has been checked. */
static int check_kv(npuop *ops, const char *name, const npuop_tensor *t, const npuop_tensor *q)
{
	int err;

	if ((err = op_read(ops, name, t, OP_TYPE(q->dtype))) ||
	    (err = op_check_heads(ops, name, t, 2)) ||
	    (err = check_positions(ops, name, t->shape[2])))
		return err;
	return op_shape(ops, name, t, 4,
			(const uint64_t[]){ q->shape[0], t->shape[1], t->shape[2], q->shape[3] });
}

static int check_qkv(npuop *ops, const npuop_tensor *q, const npuop_tensor *k,
		     const npuop_tensor *v)
{
	int err;

	if ((err = check_q(ops, q)) || (err = check_kv(ops, "k", k, q)) ||
	    (err = check_kv(ops, "v", v, q)) || (err = op_same(ops, "v", v, "k", k)))
		return err;
	return check_kv_heads(ops, q, k->shape[1]);
}

/* What is written, with the shape of @like, and is apart from what is read. */
static int check_result(npuop *ops, const char *name, const npuop_tensor *t, const char *like_name,
			const npuop_tensor *like)
{
	int err;

	if ((err = op_write(ops, name, t, OP_TYPE(like->dtype))) ||
	    (err = op_same(ops, name, t, like_name, like)))
		return err;
	return op_check_heads(ops, name, t, 2);
}

static int check_apart(npuop *ops, const char *name, const npuop_tensor *t,
		       const char *const *names, const npuop_tensor *const *others, size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = op_apart(ops, name, t, names[i], others[i]);
	return err;
}

/* A view of [batch, heads, queries] as heads of one element. */
static struct npu_op_heads lse_heads(const npuop_tensor *lse)
{
	return lse ? op_heads(lse) : (struct npu_op_heads){ 0 };
}

static int check_lse(npuop *ops, const npuop_tensor *lse, const npuop_tensor *q)
{
	int err = op_shape(ops, "lse", lse, 3, q->shape);

	if (!err && lse->shape[2] > 1 && lse->stride[2] > UINT32_MAX / 4)
		err = op_fail(ops, NPURT_ERROR_UNSUPPORTED, "lse: stride of %" PRIu64,
			      lse->stride[2]);
	return err;
}

static uint32_t forward_blocks(const npuop *ops, const struct npu_op_attention_shape *shape)
{
	const uint64_t rows = (uint64_t)(shape->heads / shape->kv_heads) * shape->queries;

	return op_blocks(
		ops, shape->batch * (uint64_t)shape->kv_heads * ((rows + Q_ROWS - 1) / Q_ROWS), 1);
}

static int check_forward(npuop *ops, const npuop_tensor *q, const npuop_tensor *k,
			 const npuop_tensor *v, const npuop_tensor *out, const npuop_tensor *lse)
{
	static const char *const names[] = { "q", "k", "v", "out" };
	const npuop_tensor *const tensors[] = { q, k, v, out };
	int err;

	if ((err = check_qkv(ops, q, k, v)) || (err = check_result(ops, "out", out, "q", q)) ||
	    (err = op_in_place(ops, "out", out, "q", q)) ||
	    (err = check_apart(ops, "out", out, names + 1, tensors + 1, 2)))
		return err;
	if (!lse)
		return 0;
	if ((err = op_write(ops, "lse", lse, OP_TYPE(NPUOP_F32))) || (err = check_lse(ops, lse, q)))
		return err;
	return check_apart(ops, "lse", lse, names, tensors, 4);
}

int npuop_attention(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
		    const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *out,
		    const npuop_tensor *lse)
{
	struct npu_op_attention_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	npuop_attention_attr own;
	int err;

	if ((err = check_forward(ops, q, k, v, out, lse)) ||
	    (err = take_attr(ops, attr, q->shape[3], &own)))
		return err;
	if (!npuop_tensor_elements(q))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &q, true)) ||
	    (err = op_stage_rows(ops, &stage, &k, true)) ||
	    (err = op_stage_rows(ops, &stage, &v, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)))
		return err;
	args.shape = shape_of(&own, q, k->shape[1], k->shape[2]);
	args.q = op_heads(q);
	args.k = op_heads(k);
	args.v = op_heads(v);
	args.out = op_heads(to);
	args.lse = lse_heads(lse);
	err = op_launch(ops, OP_KERNEL_op_attention, forward_blocks(ops, &args.shape), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, out);
}

int npuop_attention_paged(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			  const npuop_tensor *k_cache, const npuop_tensor *v_cache,
			  const npuop_tensor *table, const npuop_tensor *lengths,
			  const npuop_tensor *out)
{
	static const char *const names[] = { "k_cache", "v_cache", "table", "lengths" };
	const npuop_tensor *const tensors[] = { k_cache, v_cache, table, lengths };
	struct npu_op_attention_args args = { 0 };
	struct op_stage stage = { .count = 0 };
	const npuop_tensor *to = out;
	npuop_attention_attr own;
	int err;

	if ((err = check_q(ops, q)) || (err = take_attr(ops, attr, q->shape[3], &own)) ||
	    (err = op_check_cache(ops, "k_cache", k_cache, q)) ||
	    (err = op_check_cache(ops, "v_cache", v_cache, q)) ||
	    (err = op_same(ops, "v_cache", v_cache, "k_cache", k_cache)) ||
	    (err = check_kv_heads(ops, q, k_cache->shape[2])) ||
	    (err = op_check_pages(ops, table, lengths, k_cache, q->shape[0])) ||
	    (err = check_result(ops, "out", out, "q", q)) ||
	    (err = op_in_place(ops, "out", out, "q", q)) ||
	    (err = check_apart(ops, "out", out, names, tensors, 4)))
		return err;
	if (!npuop_tensor_elements(q))
		return 0;
	if ((err = op_stage_rows(ops, &stage, &q, true)) ||
	    (err = op_stage_rows(ops, &stage, &to, false)) ||
	    (err = op_stage_pages(ops, &stage, &table, &lengths)))
		return err;
	args.shape = shape_of(&own, q, k_cache->shape[2], table->shape[1] * k_cache->shape[1]);
	args.q = op_heads(q);
	args.k = op_cache_heads(k_cache);
	args.v = op_cache_heads(v_cache);
	args.out = op_heads(to);
	args.pages = op_pages(table, lengths, k_cache, v_cache);
	err = op_launch(ops, OP_KERNEL_op_attention, forward_blocks(ops, &args.shape), &args,
			sizeof(args));
	return err ? err : op_unstage(ops, to, out);
}

/* What npuop_attention_decode() takes. */
struct decode {
	const npuop_tensor *q, *k, *v, *rope, *table, *lengths, *k_cache, *v_cache, *out;
};

/* Cosines and sines of all positions for which the table has pages. */
static int check_rope(npuop *ops, const struct decode *d)
{
	const uint64_t positions = d->table->shape[1] * d->k_cache->shape[1];
	int err;

	if (!d->rope)
		return 0;
	if ((err = op_read(ops, "rope", d->rope, OP_TYPE(NPUOP_F32))) ||
	    (err = op_rank(ops, "rope", d->rope, 2)))
		return err;
	if (d->rope->shape[1] != d->q->shape[3])
		return op_fail(ops, NPURT_ERROR_INVALID, "rope: %" PRIu64 " columns, not %" PRIu64,
			       d->rope->shape[1], d->q->shape[3]);
	if (d->rope->shape[0] < positions)
		return op_fail(ops, NPURT_ERROR_INVALID,
			       "rope: %" PRIu64 " positions, and the table has pages for %" PRIu64,
			       d->rope->shape[0], positions);
	return 0;
}

/* Rows of a block are heads, which a copy steps over. */
static int check_decode_heads(npuop *ops, const struct decode *d)
{
	int err;

	if ((err = op_check_heads(ops, "q", d->q, 1)) ||
	    (err = op_check_heads(ops, "k", d->k, 2)) ||
	    (err = op_check_heads(ops, "v", d->v, 2)) ||
	    (err = op_check_heads(ops, "k_cache", d->k_cache, 2)) ||
	    (err = op_check_heads(ops, "v_cache", d->v_cache, 2)) ||
	    (err = op_check_heads(ops, "out", d->out, 1)) ||
	    (err = check_kv_heads(ops, d->q, d->k->shape[2])))
		return err;
	if (d->q->shape[2] != 1 || d->k->shape[1] != 1)
		return op_fail(ops, NPURT_ERROR_INVALID, "%s: more or less than one position",
			       d->q->shape[2] != 1 ? "q" : "k");
	if (d->q->shape[0] != d->k->shape[0])
		return op_fail(ops, NPURT_ERROR_INVALID,
			       "q: a batch of %" PRIu64 ", not %" PRIu64 " as k", d->q->shape[0],
			       d->k->shape[0]);
	if (d->q->shape[3] % 16)
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "q: dim %" PRIu64 ", no multiple of 16", d->q->shape[3]);
	if (d->q->shape[1] > NPU_OP_DECODE_ROWS * d->k->shape[2])
		return op_fail(ops, NPURT_ERROR_UNSUPPORTED,
			       "q: %" PRIu64 " heads, more than %u for each of k", d->q->shape[1],
			       NPU_OP_DECODE_ROWS);
	return 0;
}

/* As far as op_check_append() does not know it. */
static int check_decode_apart(npuop *ops, const struct decode *d)
{
	static const char *const names[] = { "k",     "v",	 "k_cache", "v_cache",
					     "table", "lengths", "q",	    "rope" };
	const npuop_tensor *const read[] = { d->k,     d->v,	   d->k_cache, d->v_cache,
					     d->table, d->lengths, d->q,       d->rope };
	const size_t q = 6, more = d->rope ? 2 : 1;
	int err;

	if ((err = op_in_place(ops, "out", d->out, "q", d->q)) ||
	    (err = check_apart(ops, "out", d->out, names, read, q)) ||
	    (d->rope && (err = op_apart(ops, "out", d->out, "rope", d->rope))) ||
	    (err = check_apart(ops, "k_cache", d->k_cache, names + q, read + q, more)))
		return err;
	return check_apart(ops, "v_cache", d->v_cache, names + q, read + q, more);
}

static int check_decode(npuop *ops, const struct decode *d)
{
	int err;

	if ((err = check_q(ops, d->q)) ||
	    (err = op_check_cache(ops, "k_cache", d->k_cache, d->q)) ||
	    (err = op_check_append(ops, d->k, d->v, d->table, d->lengths, d->k_cache,
				   d->v_cache)) ||
	    (err = check_result(ops, "out", d->out, "q", d->q)) ||
	    (err = check_decode_heads(ops, d)) || (err = check_rope(ops, d)))
		return err;
	return check_decode_apart(ops, d);
}

static int stage_decode(npuop *ops, struct op_stage *stage, struct decode *d)
{
	const npuop_tensor **const read[] = { &d->q, &d->k, &d->v, &d->rope };
	int err = op_stage_pages(ops, stage, &d->table, &d->lengths);

	for (size_t i = 0; !err && i < sizeof(read) / sizeof(read[0]); i++)
		err = op_stage_rows(ops, stage, read[i], true);
	return err ? err : op_stage_rows(ops, stage, &d->out, false);
}

static int launch_decode(npuop *ops, const npuop_attention_attr *attr, const struct decode *d)
{
	const struct npu_op_attention_decode_args args = {
		.shape = shape_of(attr, d->q, d->k->shape[2],
				  d->table->shape[1] * d->k_cache->shape[1]),
		.q = op_heads(d->q),
		.k = op_new_heads(d->k),
		.v = op_new_heads(d->v),
		.k_cache = op_cache_heads(d->k_cache),
		.v_cache = op_cache_heads(d->v_cache),
		.out = op_heads(d->out),
		.pages = op_pages(d->table, d->lengths, d->k_cache, d->v_cache),
		.rope = op_address(d->rope),
		.rope_pitch = d->rope ? d->rope->stride[0] * sizeof(float) : 0,
	};
	const uint32_t heads = npu_op_decode_heads(&args.shape);
	const uint64_t groups = (args.shape.kv_heads + heads - 1) / heads;

	return op_launch(ops, OP_KERNEL_op_attention_decode,
			 op_blocks(ops, args.shape.batch * groups, 1), &args, sizeof(args));
}

int npuop_attention_decode(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			   const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *rope,
			   const npuop_tensor *table, const npuop_tensor *lengths,
			   const npuop_tensor *k_cache, const npuop_tensor *v_cache,
			   const npuop_tensor *out)
{
	struct decode d = { q, k, v, rope, table, lengths, k_cache, v_cache, out };
	struct op_stage stage = { .count = 0 };
	npuop_attention_attr own;
	int err;

	if ((err = check_decode(ops, &d)) || (err = take_attr(ops, attr, q->shape[3], &own)))
		return err;
	if (!npuop_tensor_elements(q))
		return 0;
	if ((err = stage_decode(ops, &stage, &d)) || (err = launch_decode(ops, &own, &d)))
		return err;
	return op_unstage(ops, d.out, out);
}

/* The operands of the backward, in the order of its arguments, with their names. */
enum {
	Q,
	K,
	V,
	OUT,
	LSE,
	GRAD,
	READ,
	GRAD_Q = READ,
	GRAD_K,
	GRAD_V,
	OPERANDS,
};

static const char *const backward_names[OPERANDS] = {
	"q", "k", "v", "out", "lse", "grad", "grad_q", "grad_k", "grad_v",
};

/* A tensor like q that is read. */
static int check_like_q(npuop *ops, const char *name, const npuop_tensor *t, const npuop_tensor *q)
{
	int err;

	if ((err = op_read(ops, name, t, OP_TYPE(q->dtype))) ||
	    (err = op_same(ops, name, t, "q", q)))
		return err;
	return op_check_heads(ops, name, t, 2);
}

static int check_backward(npuop *ops, const npuop_tensor *const t[OPERANDS])
{
	int err;

	if ((err = check_qkv(ops, t[Q], t[K], t[V])) ||
	    (err = check_like_q(ops, "out", t[OUT], t[Q])) ||
	    (err = op_read(ops, "lse", t[LSE], OP_TYPE(NPUOP_F32))) ||
	    (err = check_lse(ops, t[LSE], t[Q])) ||
	    (err = check_like_q(ops, "grad", t[GRAD], t[Q])) ||
	    (err = check_result(ops, "grad_q", t[GRAD_Q], "q", t[Q])) ||
	    (err = check_result(ops, "grad_k", t[GRAD_K], "k", t[K])) ||
	    (err = check_result(ops, "grad_v", t[GRAD_V], "v", t[V])))
		return err;
	for (size_t i = GRAD_Q; !err && i < OPERANDS; i++)
		err = check_apart(ops, backward_names[i], t[i], backward_names, t, i);
	return err;
}

/* All but lse, whose elements are any distance apart. */
static int stage_backward(npuop *ops, struct op_stage *stage,
			  const npuop_tensor *const from[OPERANDS], const npuop_tensor *t[OPERANDS])
{
	int err = 0;

	for (size_t i = 0; !err && i < OPERANDS; i++) {
		t[i] = from[i];
		if (i != LSE)
			err = op_stage_rows(ops, stage, &t[i], i < READ);
	}
	return err;
}

/* As many blocks as there is scratch memory for. */
static int backward_blocks(npuop *ops, const struct op_stage *stage,
			   struct npu_op_attention_backward_args *args, uint32_t *blocks)
{
	const uint64_t items = (uint64_t)args->shape.batch * args->shape.kv_heads;
	const uint64_t room = npurt_memory_size(ops->workspace) - stage->used;

	args->scratch_pitch = (npu_op_attention_scratch(&args->shape) + 63) & ~63ULL;
	*blocks = op_blocks(ops, items, 1);
	if (args->scratch_pitch && *blocks > room / args->scratch_pitch)
		*blocks = (uint32_t)(room / args->scratch_pitch);
	if (!*blocks)
		*blocks = 1;
	return op_stage_scratch(ops, stage, *blocks * args->scratch_pitch, &args->scratch);
}

int npuop_attention_backward(npuop *ops, const npuop_attention_attr *attr, const npuop_tensor *q,
			     const npuop_tensor *k, const npuop_tensor *v, const npuop_tensor *out,
			     const npuop_tensor *lse, const npuop_tensor *grad,
			     const npuop_tensor *grad_q, const npuop_tensor *grad_k,
			     const npuop_tensor *grad_v)
{
	const npuop_tensor *const tensors[OPERANDS] = { q,    k,      v,      out,   lse,
							grad, grad_q, grad_k, grad_v };
	const npuop_tensor *t[OPERANDS];
	struct npu_op_attention_backward_args args;
	struct op_stage stage = { .count = 0 };
	npuop_attention_attr own;
	uint32_t blocks;
	int err;

	if ((err = check_backward(ops, tensors)) || (err = take_attr(ops, attr, q->shape[3], &own)))
		return err;
	if (!npuop_tensor_elements(q) && !npuop_tensor_elements(k))
		return 0;
	err = stage_backward(ops, &stage, tensors, t);
	if (err)
		return err;
	args = (struct npu_op_attention_backward_args){
		.shape = shape_of(&own, q, k->shape[1], k->shape[2]),
		.q = op_heads(t[Q]),
		.k = op_heads(t[K]),
		.v = op_heads(t[V]),
		.out = op_heads(t[OUT]),
		.lse = op_heads(t[LSE]),
		.grad = op_heads(t[GRAD]),
		.grad_q = op_heads(t[GRAD_Q]),
		.grad_k = op_heads(t[GRAD_K]),
		.grad_v = op_heads(t[GRAD_V]),
	};
	err = backward_blocks(ops, &stage, &args, &blocks);
	if (!err)
		err = op_launch(ops, OP_KERNEL_op_attention_backward, blocks, &args, sizeof(args));
	for (size_t i = GRAD_Q; !err && i < OPERANDS; i++)
		err = op_unstage(ops, t[i], tensors[i]);
	return err;
}

// SPDX-License-Identifier: MIT
/*
 * Attention, its backward, and attention over a cache in pages, against plain C in double
 * precision.
 *
 * Tolerances, u being half a unit in the last place of the type (2^-24, 2^-11, 2^-8): scores are
 * sums of products in fp32. In half precision the exponentials, which are at most 1, are rounded
 * to the type before the second product, u of each, so results are within about 2 u of the
 * greatest value; the gradients' terms likewise, before each of two products. In fp32 rounding
 * of the scores, at most about 8 here, by sums over dim shows as 8 dim 2^-24 / 4 at worst.
 */
#include <float.h>

#include <npu_op_attention.h>

#include "op_test.h"

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

struct attention {
	enum npuop_dtype dtype;
	uint64_t batch, heads, kv_heads, queries, keys, dim;
	bool causal;
	bool edges; /* some elements are no common numbers */
	float scale;
	npuop_tensor q, k, v, out, lse, grad, grad_q, grad_k, grad_v;
};

static double tolerance(const struct attention *a)
{
	return a->dtype == NPUOP_F32 ? 2e-5 : a->dtype == NPUOP_F16 ? 0x1p-9 : 0x1p-6;
}

/* Heads of a tensor that is [batch, positions, heads, dim] in memory. */
static npuop_tensor heads_last(enum npuop_dtype dtype, uint64_t batch, uint64_t heads,
			       uint64_t positions, uint64_t dim)
{
	const npuop_tensor t = tensor_random(dtype, SHAPE(batch, positions, heads, dim));

	return npuop_tensor_transpose(&t, 1, 2);
}

static npuop_tensor any_heads(enum npuop_dtype dtype, uint64_t batch, uint64_t heads,
			      uint64_t positions, uint64_t dim)
{
	if (rnd_below(2))
		return heads_last(dtype, batch, heads, positions, dim);
	return tensor_any(dtype, SHAPE(batch, heads, positions, dim));
}

static void attention_new(struct attention *a)
{
	const enum npuop_dtype t = a->dtype;

	a->q = any_heads(t, a->batch, a->heads, a->queries, a->dim);
	a->k = any_heads(t, a->batch, a->kv_heads, a->keys, a->dim);
	a->v = any_heads(t, a->batch, a->kv_heads, a->keys, a->dim);
	a->out = any_heads(t, a->batch, a->heads, a->queries, a->dim);
	a->grad = any_heads(t, a->batch, a->heads, a->queries, a->dim);
	a->grad_q = any_heads(t, a->batch, a->heads, a->queries, a->dim);
	a->grad_k = any_heads(t, a->batch, a->kv_heads, a->keys, a->dim);
	a->grad_v = any_heads(t, a->batch, a->kv_heads, a->keys, a->dim);
	a->lse = tensor_random(NPUOP_F32, SHAPE(a->batch, a->heads, a->queries));
}

static void attention_free(struct attention *a)
{
	npuop_tensor *const tensors[] = { &a->q,    &a->k,	&a->v,	    &a->out,   &a->lse,
					  &a->grad, &a->grad_q, &a->grad_k, &a->grad_v };

	for (size_t i = 0; i < COUNT(tensors); i++)
		tensor_free(tensors[i]);
}

static npuop_attention_attr attr_of(const struct attention *a)
{
	return (npuop_attention_attr){
		.size = sizeof(npuop_attention_attr),
		.flags = a->causal ? NPUOP_ATTENTION_CAUSAL : 0,
		.scale = a->scale,
	};
}

static double dot(const double *a, const double *b, uint64_t n)
{
	double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

struct reference {
	double *q, *k, *v, *grad, *out, *lse, *grad_q, *grad_k, *grad_v;
};

static void reference_new(const struct attention *a, struct reference *r)
{
	*r = (struct reference){
		tensor_values(&a->q),
		tensor_values(&a->k),
		tensor_values(&a->v),
		tensor_values(&a->grad),
		numbers(npuop_tensor_elements(&a->out)),
		numbers(npuop_tensor_elements(&a->lse)),
		numbers(npuop_tensor_elements(&a->grad_q)),
		numbers(npuop_tensor_elements(&a->grad_k)),
		numbers(npuop_tensor_elements(&a->grad_v)),
	};
}

static void reference_free(struct reference *r)
{
	double *const arrays[] = { r->q,   r->k,      r->v,	 r->grad,  r->out,
				   r->lse, r->grad_q, r->grad_k, r->grad_v };

	for (size_t i = 0; i < COUNT(arrays); i++)
		free(arrays[i]);
}

/*
 * One query: @row of q with the keys of head @kv. The greatest score is no less than the lowest
 * number, so that scores of -inf are those of keys that have no part.
 */
static void reference_row(const struct attention *a, struct reference *r, uint64_t row, uint64_t kv)
{
	const uint64_t dim = a->dim, i = row % a->queries;
	const double scale = a->scale != 0 ? a->scale : 1 / sqrt((double)dim);
	const double *q = r->q + row * dim, *k = r->k + kv * a->keys * dim;
	const double *v = r->v + kv * a->keys * dim, *grad = r->grad + row * dim;
	const int64_t last = a->causal ? (int64_t)(i + a->keys - a->queries) : (int64_t)a->keys - 1;
	const uint64_t seen = last < 0 ? 0 : (uint64_t)last + 1;
	double *p = malloc((seen + 1) * sizeof(*p)), max = -FLT_MAX, sum = 0, whole, both;

	for (uint64_t j = 0; j < seen; j++) {
		p[j] = scale * dot(q, k + j * dim, dim);
		max = fmax(max, p[j]);
	}
	for (uint64_t j = 0; j < seen; j++)
		sum += p[j] = exp(p[j] - max);
	r->lse[row] = max + log(sum);
	whole = sum != 0 ? sum : 1;
	for (uint64_t j = 0; j < seen; j++)
		for (uint64_t d = 0; d < dim; d++)
			r->out[row * dim + d] += p[j] / whole * v[j * dim + d];
	both = dot(grad, r->out + row * dim, dim);
	for (uint64_t j = 0; j < seen; j++) {
		const double ds = p[j] / whole * (dot(grad, v + j * dim, dim) - both) * scale;

		for (uint64_t d = 0; d < dim; d++) {
			r->grad_q[row * dim + d] += ds * k[j * dim + d];
			r->grad_k[(kv * a->keys + j) * dim + d] += ds * q[d];
			r->grad_v[(kv * a->keys + j) * dim + d] += p[j] / whole * grad[d];
		}
	}
	free(p);
}

static void reference_run(const struct attention *a, struct reference *r)
{
	for (uint64_t h = 0; h < a->batch * a->heads; h++) {
		const uint64_t group = a->heads / a->kv_heads;
		const uint64_t kv = h / a->heads * a->kv_heads + h % a->heads / group;

		for (uint64_t i = 0; i < a->queries; i++)
			reference_row(a, r, h * a->queries + i, kv);
	}
}

static struct attention random_attention(uint32_t round)
{
	static const uint64_t dims[] = { 1, 8, 20, 32, 64, 72, 100, 128, 256 };
	static const uint64_t lengths[] = { 1, 3, 16, 33, 64, 65, 100, 130, 257 };
	struct attention a = {
		.dtype = types[round % 3],
		.batch = 1 + rnd_below(2),
		.kv_heads = 1 + rnd_below(2),
		.queries = lengths[rnd_below(COUNT(lengths))],
		.keys = lengths[rnd_below(COUNT(lengths))],
		.dim = dims[rnd_below(COUNT(dims))],
		.causal = rnd_below(2),
		.scale = rnd_below(2) ? 0.3f : 0,
	};

	a.heads = a.kv_heads * (1 + rnd_below(3));
	return a;
}

static void check_forward(const struct attention *a, const struct reference *r)
{
	close_to(&a->out, r->out, tolerance(a), 0,
		 "type %u: %llu heads of %llu, %llu queries, %llu keys, dim %llu%s%s", a->dtype,
		 (unsigned long long)(a->batch * a->heads),
		 (unsigned long long)(a->batch * a->kv_heads), (unsigned long long)a->queries,
		 (unsigned long long)a->keys, (unsigned long long)a->dim,
		 a->causal ? ", causal" : "", a->edges ? ", edges" : "");
	close_to(&a->lse, r->lse, 2e-5, 1e-6, "its lse");
}

static void run_backward(const struct attention *a)
{
	const npuop_attention_attr attr = attr_of(a);

	NEED(npuop_attention_backward(fx.ops, &attr, &a->q, &a->k, &a->v, &a->out, &a->lse,
				      &a->grad, &a->grad_q, &a->grad_k, &a->grad_v));
}

static double greatest(const double *v, const npuop_tensor *t)
{
	double most = 1;

	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++)
		if (isfinite(v[i]))
			most = fmax(most, fabs(v[i]));
	return most;
}

static void check_backward(const struct attention *a, const struct reference *r)
{
	const double most = tolerance(a) * 2;

	close_to(&a->grad_q, r->grad_q, most * greatest(r->grad_q, &a->grad_q), 0,
		 "its gradient of q");
	close_to(&a->grad_k, r->grad_k, most * greatest(r->grad_k, &a->grad_k), 0,
		 "its gradient of k");
	close_to(&a->grad_v, r->grad_v, most * greatest(r->grad_v, &a->grad_v), 0,
		 "its gradient of v");
}

/* In one of the tensors, as a few spread to all results. */
static void put_few_edges(const npuop_tensor *const *tensors, size_t count)
{
	const npuop_tensor *t = tensors[rnd_below(count)];

	put_edges(t, npuop_tensor_elements(t) / 3 + 1, false);
}

static struct attention edge_attention(uint32_t round)
{
	struct attention a = random_attention(round);

	a.edges = true;
	return a;
}

/*
 * Where queries do not see keys, those of values would reach them, or not, as blocks have it, and
 * so would all of them in the backward.
 */
static size_t edge_operands(const struct attention *a, size_t all)
{
	return a->causal ? 2 : all;
}

static void test_attention(struct attention a)
{
	const npuop_attention_attr attr = attr_of(&a);
	struct reference r;

	attention_new(&a);
	if (a.edges)
		put_few_edges((const npuop_tensor *const[]){ &a.q, &a.k, &a.v, &a.grad },
			      edge_operands(&a, 4));
	reference_new(&a, &r);
	reference_run(&a, &r);
	NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
	run_backward(&a);
	sync_stream();
	check_forward(&a, &r);
	if (!a.edges || !a.causal)
		check_backward(&a, &r);
	reference_free(&r);
	attention_free(&a);
}

/* q, k and v, and their gradients, as slices of one tensor, as a projection leaves them. */
static npuop_tensor slice_of(const npuop_tensor *qkv, uint64_t which, uint64_t heads)
{
	const npuop_tensor part = npuop_tensor_slice(qkv, 2, which * heads, heads);

	return npuop_tensor_transpose(&part, 1, 2);
}

static void test_slices(void)
{
	struct attention a = { .dtype = NPUOP_F32,
			       .batch = 2,
			       .heads = 3,
			       .kv_heads = 3,
			       .queries = 40,
			       .keys = 40,
			       .dim = 32,
			       .causal = true };
	npuop_tensor qkv = tensor_random(NPUOP_F32, SHAPE(2, 40, 9, 32));
	npuop_tensor grads = tensor_random(NPUOP_F32, SHAPE(2, 40, 9, 32));
	const npuop_attention_attr attr = attr_of(&a);
	struct reference r;

	a.q = slice_of(&qkv, 0, 3);
	a.k = slice_of(&qkv, 1, 3);
	a.v = slice_of(&qkv, 2, 3);
	a.grad_q = slice_of(&grads, 0, 3);
	a.grad_k = slice_of(&grads, 1, 3);
	a.grad_v = slice_of(&grads, 2, 3);
	a.out = heads_last(NPUOP_F32, 2, 3, 40, 32);
	a.grad = heads_last(NPUOP_F32, 2, 3, 40, 32);
	a.lse = tensor_new(NPUOP_F32, SHAPE(2, 3, 40));
	reference_new(&a, &r);
	reference_run(&a, &r);
	NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
	run_backward(&a);
	sync_stream();
	check_forward(&a, &r);
	check_backward(&a, &r);
	reference_free(&r);
	tensor_free(&qkv);
	tensor_free(&grads);
	tensor_free(&a.out);
	tensor_free(&a.grad);
	tensor_free(&a.lse);
}

/* A cache in pages of any order that holds keys or values. */
static npuop_tensor cache_of(const npuop_tensor *pages, uint64_t page_size, uint64_t heads,
			     uint64_t dim, enum npuop_dtype dtype)
{
	return tensor_random(dtype, SHAPE(npuop_tensor_elements(pages) + 1, page_size, heads, dim));
}

/* Prefill and decode through npuop_cache_append() and npuop_attention_paged(). */
static void test_paged(struct attention a)
{
	const uint64_t page_size = 1 + rnd_below(40), most = a.keys;
	const uint64_t pages = (most + page_size - 1) / page_size;
	npuop_tensor table = tensor_new(NPUOP_S32, SHAPE(a.batch, pages));
	npuop_tensor lengths = tensor_new(NPUOP_S32, SHAPE(a.batch));
	npuop_tensor k_cache = cache_of(&table, page_size, a.kv_heads, a.dim, a.dtype);
	npuop_tensor v_cache = cache_of(&table, page_size, a.kv_heads, a.dim, a.dtype);
	const npuop_attention_attr attr = attr_of(&a);
	npuop_tensor k, v;
	struct reference r;

	attention_new(&a);
	if (a.edges) {
		put_few_edges((const npuop_tensor *const[]){ &a.q, &a.k, &a.v },
			      edge_operands(&a, 3));
		/* What is beyond a sequence in its pages is not looked at. */
		NEED(npuop_fill(fx.ops, NAN, &k_cache));
		NEED(npuop_fill(fx.ops, NAN, &v_cache));
	}
	reference_new(&a, &r);
	reference_run(&a, &r);
	for (uint64_t i = 0; i < a.batch * pages; i++)
		tensor_set(&table, i, (double)(a.batch * pages - i));
	for (uint64_t i = 0; i < a.batch; i++)
		tensor_set(&lengths, i, (double)most);
	k = npuop_tensor_transpose(&a.k, 1, 2);
	v = npuop_tensor_transpose(&a.v, 1, 2);
	NEED(npuop_cache_append(fx.ops, &k, &v, &table, &lengths, &k_cache, &v_cache));
	/* The last position once more, alone. */
	k = npuop_tensor_slice(&k, 1, most - 1, 1);
	v = npuop_tensor_slice(&v, 1, most - 1, 1);
	NEED(npuop_cache_append(fx.ops, &k, &v, &table, &lengths, &k_cache, &v_cache));
	NEED(npuop_attention_paged(fx.ops, &attr, &a.q, &k_cache, &v_cache, &table, &lengths,
				   &a.out));
	sync_stream();
	close_to(&a.out, r.out, tolerance(&a), 0, "pages of %llu: %llu queries, %llu keys%s",
		 (unsigned long long)page_size, (unsigned long long)a.queries,
		 (unsigned long long)most, a.edges ? ", edges" : "");
	reference_free(&r);
	attention_free(&a);
	tensor_free(&table);
	tensor_free(&lengths);
	tensor_free(&k_cache);
	tensor_free(&v_cache);
}

/* A cache and what goes with it. */
struct cache {
	npuop_tensor table, lengths, k, v;
};

static struct cache cache_new(const struct attention *a, uint64_t page_size)
{
	const uint64_t pages = (a->keys + page_size - 1) / page_size;
	struct cache c = { .table = tensor_new(NPUOP_S32, SHAPE(a->batch, pages)),
			   .lengths = tensor_new(NPUOP_S32, SHAPE(a->batch)) };

	c.k = cache_of(&c.table, page_size, a->kv_heads, a->dim, a->dtype);
	c.v = cache_of(&c.table, page_size, a->kv_heads, a->dim, a->dtype);
	for (uint64_t i = 0; i < a->batch * pages; i++)
		tensor_set(&c.table, i, (double)(a->batch * pages - i));
	return c;
}

static void cache_free(struct cache *c)
{
	tensor_free(&c->table);
	tensor_free(&c->lengths);
	tensor_free(&c->k);
	tensor_free(&c->v);
}

static npuop_tensor copy_of(const npuop_tensor *t)
{
	npuop_tensor copy = tensor_new(t->dtype, t->rank, t->shape);

	NEED(npuop_copy(fx.ops, t, &copy));
	return copy;
}

/* Cosines and sines of positions: what becomes of pairs (1, 0). */
static npuop_tensor rope_table(uint64_t positions, uint64_t dim)
{
	npuop_tensor rope = tensor_new(NPUOP_F32, SHAPE(positions, dim));
	const npuop_tensor ones = npuop_tensor_slice(&rope, 1, 0, dim / 2);
	const npuop_tensor view =
		npuop_tensor_dense(rope.memory, 0, NPUOP_F32, SHAPE(1, positions, 1, dim));

	NEED(npuop_fill(fx.ops, 1, &ones));
	NEED(npuop_rope(fx.ops, &view, NULL, 10000, 0, &view));
	return rope;
}

/* What npuop_attention_decode() does, by the functions that do a part of it each. */
static void decode_by_parts(const struct attention *a, struct cache *c, const npuop_tensor *k,
			    const npuop_tensor *v, bool turns, const npuop_tensor *out)
{
	npuop_tensor position = tensor_new(NPUOP_S32, SHAPE(a->batch, 1));
	npuop_tensor q_copy = copy_of(&a->q), k_copy = copy_of(k);
	const npuop_tensor q = npuop_tensor_transpose(&q_copy, 1, 2);
	const npuop_attention_attr attr = attr_of(a);

	for (uint64_t i = 0; i < a->batch; i++)
		tensor_set(&position, i, fmax(tensor_get(&c->lengths, i) - 1, 0));
	if (turns) {
		NEED(npuop_rope(fx.ops, &q, &position, 10000, 0, &q));
		NEED(npuop_rope(fx.ops, &k_copy, &position, 10000, 0, &k_copy));
	}
	NEED(npuop_cache_append(fx.ops, &k_copy, v, &c->table, &c->lengths, &c->k, &c->v));
	NEED(npuop_attention_paged(fx.ops, &attr, &q_copy, &c->k, &c->v, &c->table, &c->lengths,
				   out));
	sync_stream();
	tensor_free(&position);
	tensor_free(&q_copy);
	tensor_free(&k_copy);
}

/* The cache gets the same bits; how blocks of keys are added up may differ. */
static void test_decode(uint32_t round, bool edges)
{
	const uint64_t group = 1 + rnd_below(round % 8 ? 4 : 32), page_size = 1 + rnd_below(40);
	struct attention a = {
		.dtype = types[round % 3],
		.batch = 1 + rnd_below(4),
		.kv_heads = 1 + rnd_below(7),
		.queries = 1,
		.keys = 1 + rnd_below(round % 4 ? 200 : 1200),
		.dim = 16 * (1 + rnd_below(round % 5 ? 4 : 16)),
		.scale = round % 7 ? 0 : 0.3f,
		.edges = edges,
	};
	const npuop_attention_attr attr = attr_of(&a);
	npuop_tensor k, v, rope, want;
	struct cache mine, theirs;
	double *values;

	a.heads = group * a.kv_heads;
	attention_new(&a);
	mine = cache_new(&a, page_size);
	rope = rope_table(mine.table.shape[1] * page_size, a.dim);
	k = any_heads(a.dtype, a.batch, a.kv_heads, 1, a.dim);
	v = any_heads(a.dtype, a.batch, a.kv_heads, 1, a.dim);
	k = npuop_tensor_transpose(&k, 1, 2);
	v = npuop_tensor_transpose(&v, 1, 2);
	for (uint64_t i = 0; i < a.batch; i++)
		tensor_set(&mine.lengths, i, (double)(i ? rnd_below(a.keys + 1) : a.keys));
	if (edges)
		put_few_edges((const npuop_tensor *const[]){ &a.q, &k, &v, &mine.k, &mine.v }, 5);
	theirs = mine;
	theirs.k = copy_of(&mine.k);
	theirs.v = copy_of(&mine.v);
	want = tensor_new(a.dtype, 4, a.q.shape);
	decode_by_parts(&a, &theirs, &k, &v, round % 6, &want);
	NEED(npuop_attention_decode(fx.ops, &attr, &a.q, &k, &v, round % 6 ? &rope : NULL,
				    &mine.table, &mine.lengths, &mine.k, &mine.v, &a.out));
	sync_stream();
	values = tensor_values(&want);
	close_to(&a.out, values, tolerance(&a), 0,
		 "decode: %llu heads of %llu, of k %llu, %llu keys, pages of %llu%s",
		 (unsigned long long)a.heads, (unsigned long long)a.dim,
		 (unsigned long long)a.kv_heads, (unsigned long long)a.keys,
		 (unsigned long long)page_size, edges ? ", edges" : "");
	ok(same_bits(&mine.k, &theirs.k) && same_bits(&mine.v, &theirs.v), "decode: the cache");
	free(values);
	tensor_free(&theirs.k);
	tensor_free(&theirs.v);
	tensor_free(&want);
	tensor_free(&k);
	tensor_free(&v);
	tensor_free(&rope);
	cache_free(&mine);
	attention_free(&a);
}

/* Sequences of different lengths, one of them empty, see their own keys only. */
static void test_lengths(void)
{
	npuop_tensor q = tensor_random(NPUOP_F32, SHAPE(3, 2, 1, 16));
	npuop_tensor out = tensor_random(NPUOP_F32, SHAPE(3, 2, 1, 16));
	npuop_tensor k_cache = tensor_random(NPUOP_F32, SHAPE(9, 4, 2, 16));
	npuop_tensor v_cache = tensor_random(NPUOP_F32, SHAPE(9, 4, 2, 16));
	npuop_tensor table = tensor_new(NPUOP_S32, SHAPE(3, 3));
	npuop_tensor lengths = tensor_new(NPUOP_S32, SHAPE(3));
	double *want = numbers(npuop_tensor_elements(&out));

	for (uint64_t i = 0; i < 9; i++)
		tensor_set(&table, i, (double)(8 - i));
	tensor_set(&lengths, 0, 1);
	tensor_set(&lengths, 1, 0);
	tensor_set(&lengths, 2, 0);
	for (uint64_t h = 0; h < 2; h++)
		for (uint64_t d = 0; d < 16; d++)
			want[h * 16 + d] = tensor_get(&v_cache, (8 * 4 * 2 + h) * 16 + d);
	NEED(npuop_attention_paged(fx.ops, NULL, &q, &k_cache, &v_cache, &table, &lengths, &out));
	sync_stream();
	close_to(&out, want, 0, 1e-6, "one key gives its value, none gives zeros");
#ifdef OP_SHIM
	shim_expect_fault = true;
	shim_fault = NPU_ST_OK;
	tensor_set(&lengths, 1, 13);
	NEED(npuop_attention_paged(fx.ops, NULL, &q, &k_cache, &v_cache, &table, &lengths, &out));
	ok(shim_fault == NPU_ST_KERNEL_TRAP, "a length beyond the table ends the task");
	shim_fault = NPU_ST_OK;
	tensor_set(&lengths, 1, 12);
	tensor_set(&table, 5, 9);
	NEED(npuop_attention_paged(fx.ops, NULL, &q, &k_cache, &v_cache, &table, &lengths, &out));
	ok(shim_fault == NPU_ST_KERNEL_TRAP, "a page that the cache does not have ends the task");
	shim_expect_fault = false;
#endif
	free(want);
	tensor_free(&q);
	tensor_free(&out);
	tensor_free(&k_cache);
	tensor_free(&v_cache);
	tensor_free(&table);
	tensor_free(&lengths);
}

/* Scores that are all -inf, but for a query of zeros, whose scores are NaN. */
static void test_lowest(void)
{
	struct attention a = { .dtype = NPUOP_F16,
			       .batch = 1,
			       .heads = 2,
			       .kv_heads = 1,
			       .queries = 3,
			       .keys = 40,
			       .dim = 8 };
	const npuop_attention_attr attr = attr_of(&a);
	struct reference r;

	attention_new(&a);
	NEED(npuop_fill(fx.ops, 1, &a.q));
	NEED(npuop_fill(fx.ops, -INFINITY, &a.k));
	sync_stream();
	for (uint64_t d = 0; d < a.dim; d++)
		tensor_set(&a.q, 4 * a.dim + d, 0);
	reference_new(&a, &r);
	reference_run(&a, &r);
	NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
	run_backward(&a);
	sync_stream();
	ok(tensor_get(&a.out, 0) == 0 && isnan(tensor_get(&a.out, 4 * a.dim)),
	   "scores of -inf give zeros, those that are NaN give NaN");
	check_forward(&a, &r);
	check_backward(&a, &r);
	reference_free(&r);
	attention_free(&a);
}

/* Results are @value, all of them. */
static void all_are(const npuop_tensor *t, double value, const char *what)
{
	double *want = numbers(npuop_tensor_elements(t));

	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++)
		want[i] = value;
	close_to(t, want, 0, 0, "%s", what);
	free(want);
}

/* Without keys there is no gradient of the queries, without queries none of keys and values. */
static void test_empty_backward(uint64_t heads, uint64_t queries, uint64_t keys)
{
	struct attention a = { .dtype = NPUOP_BF16,
			       .batch = 2,
			       .heads = heads,
			       .kv_heads = 2,
			       .queries = queries,
			       .keys = keys,
			       .dim = 16,
			       .causal = true };
	const npuop_attention_attr attr = attr_of(&a);

	attention_new(&a);
	NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
	run_backward(&a);
	sync_stream();
	if (keys) {
		all_are(&a.grad_k, 0, "no queries: no gradient of k");
		all_are(&a.grad_v, 0, "no queries: no gradient of v");
	} else {
		all_are(&a.out, 0, "no keys: zeros");
		all_are(&a.lse, -INFINITY, "no keys: -inf");
		all_are(&a.grad_q, 0, "no keys: no gradient of q");
	}
	attention_free(&a);
}

/* No sequences, or none that has a position: the cache stays, and results are zeros. */
static void test_empty_cache(uint64_t batch)
{
	struct attention a = { .dtype = NPUOP_F16,
			       .batch = batch,
			       .heads = 4,
			       .kv_heads = 2,
			       .queries = 1,
			       .dim = 16 };
	struct cache c = { .table = tensor_new(NPUOP_S32, SHAPE(batch, 0)),
			   .lengths = tensor_new(NPUOP_S32, SHAPE(batch)),
			   .k = tensor_random(NPUOP_F16, SHAPE(3, 4, 2, 16)),
			   .v = tensor_random(NPUOP_F16, SHAPE(3, 4, 2, 16)) };
	npuop_tensor k = tensor_random(NPUOP_F16, SHAPE(batch, 1, 2, 16)),
		     v = tensor_random(NPUOP_F16, SHAPE(batch, 1, 2, 16));
	npuop_tensor none = tensor_new(NPUOP_F16, SHAPE(batch, 0, 2, 16));
	npuop_tensor no_q = tensor_new(NPUOP_F16, SHAPE(batch, 4, 0, 16));
	npuop_tensor k_before, v_before;

	attention_new(&a);
	k_before = copy_of(&c.k);
	v_before = copy_of(&c.v);
	NEED(npuop_cache_append(fx.ops, &none, &none, &c.table, &c.lengths, &c.k, &c.v));
	NEED(npuop_cache_append(fx.ops, &k, &v, &c.table, &c.lengths, &c.k, &c.v));
	NEED(npuop_attention_paged(fx.ops, NULL, &no_q, &c.k, &c.v, &c.table, &c.lengths, &no_q));
	NEED(npuop_attention_paged(fx.ops, NULL, &a.q, &c.k, &c.v, &c.table, &c.lengths, &a.out));
	sync_stream();
	all_are(&a.out, 0, "paged: no positions, zeros");
	NEED(npuop_fill(fx.ops, 1, &a.out));
	NEED(npuop_attention_decode(fx.ops, NULL, &a.q, &k, &v, NULL, &c.table, &c.lengths, &c.k,
				    &c.v, &a.out));
	sync_stream();
	all_are(&a.out, 0, "decode: no positions, zeros");
	ok(same_bits(&c.k, &k_before) && same_bits(&c.v, &v_before),
	   "no positions of %llu sequences: the cache stays", (unsigned long long)batch);
	tensor_free(&k);
	tensor_free(&v);
	tensor_free(&none);
	tensor_free(&no_q);
	tensor_free(&k_before);
	tensor_free(&v_before);
	cache_free(&c);
	attention_free(&a);
}

/* Large scores, no keys, and NaN in one row only. */
static void test_edges(void)
{
	struct attention a = { .dtype = NPUOP_F32,
			       .batch = 1,
			       .heads = 2,
			       .kv_heads = 1,
			       .queries = 70,
			       .keys = 300,
			       .dim = 16,
			       .scale = 40,
			       .causal = true };
	npuop_attention_attr attr = attr_of(&a);
	npuop_tensor none = tensor_new(NPUOP_F32, SHAPE(1, 1, 0, 16));
	struct reference r;

	attention_new(&a);
	tensor_set(&a.q, 35 * 16 + 3, NAN);
	reference_new(&a, &r);
	reference_run(&a, &r);
	NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
	sync_stream();
	/* scores up to 640: their rounding is up to 16 * 640 / 2^24, so that much in exp */
	close_to(&a.out, r.out, 1e-3, 0, "large scores, and a NaN in one query");
	NEED(npuop_attention(fx.ops, NULL, &a.q, &none, &none, &a.out, &a.lse));
	sync_stream();
	memset(r.out, 0, npuop_tensor_elements(&a.out) * sizeof(double));
	for (uint64_t i = 0; i < npuop_tensor_elements(&a.lse); i++)
		r.lse[i] = -INFINITY;
	close_to(&a.out, r.out, 0, 0, "no keys: zeros");
	close_to(&a.lse, r.lse, 0, 0, "no keys: -inf");
	NEED(npuop_attention(fx.ops, NULL, &none, &none, &none, &none, NULL));
	reference_free(&r);
	attention_free(&a);
	tensor_free(&none);
}

/* So many heads are more than 2^32 rows, and as many to a block as of few. */
static void test_decode_heads(void)
{
	const struct npu_op_attention_shape shape = { .heads = 1u << 27,
						      .kv_heads = 1u << 27,
						      .dim = 16 };

	ok(npu_op_decode_heads(&shape) == 16, "decode: 2^27 heads, 16 to a block");
}

static void refuse_decode(void)
{
	npuop_tensor q = tensor_new(NPUOP_F32, SHAPE(2, 4, 1, 16)),
		     two = tensor_new(NPUOP_F32, SHAPE(2, 4, 2, 16)),
		     three = tensor_new(NPUOP_F32, SHAPE(3, 4, 1, 16)),
		     out = tensor_new(NPUOP_F32, SHAPE(2, 4, 1, 16)),
		     k = tensor_new(NPUOP_F32, SHAPE(2, 1, 2, 16)),
		     many = tensor_new(NPUOP_F32, SHAPE(2, 66, 1, 16)),
		     odd = tensor_new(NPUOP_F32, SHAPE(2, 2, 1, 24)),
		     odd_k = tensor_new(NPUOP_F32, SHAPE(2, 1, 2, 24)),
		     odd_cache = tensor_new(NPUOP_F32, SHAPE(9, 8, 2, 24)),
		     odd_cache_v = tensor_new(NPUOP_F32, SHAPE(9, 8, 2, 24)),
		     rope = tensor_new(NPUOP_F32, SHAPE(23, 16)),
		     narrow = tensor_new(NPUOP_F32, SHAPE(24, 8)),
		     half = tensor_new(NPUOP_F16, SHAPE(24, 16)),
		     whole = tensor_new(NPUOP_F32, SHAPE(24, 16));
	struct cache c = { .table = tensor_new(NPUOP_S32, SHAPE(2, 3)),
			   .lengths = tensor_new(NPUOP_S32, SHAPE(2)),
			   .k = tensor_new(NPUOP_F32, SHAPE(9, 8, 2, 16)),
			   .v = tensor_new(NPUOP_F32, SHAPE(9, 8, 2, 16)) };
	const npuop_tensor page = npuop_tensor_dense(c.v.memory, 0, NPUOP_F32, SHAPE(2, 4, 1, 16));
	const npuop_tensor sines = npuop_tensor_dense(c.v.memory, 0, NPUOP_F32, SHAPE(24, 16));
	const npuop_tensor over =
		npuop_tensor_dense(whole.memory, 64, NPUOP_F32, SHAPE(2, 4, 1, 16));

#define DECODE(q, k, rope, k_cache, v_cache, out)                                                  \
	npuop_attention_decode(fx.ops, NULL, q, k, k, rope, &c.table, &c.lengths, k_cache,         \
			       v_cache, out)
	REFUSED(DECODE(NULL, &k, NULL, &c.k, &c.v, &out), "q is NULL");
	REFUSED(DECODE(&two, &k, NULL, &c.k, &c.v, &two), "q: more or less than one position");
	REFUSED(DECODE(&three, &k, NULL, &c.k, &c.v, &three), "q: a batch of 3, not 2 as k");
	REFUSED(DECODE(&many, &k, NULL, &c.k, &c.v, &many), "q: 66 heads, more than 32");
	REFUSED(DECODE(&odd, &odd_k, NULL, &odd_cache, &odd_cache_v, &odd), "q: dim 24");
	REFUSED(DECODE(&q, &k, &rope, &c.k, &c.v, &out), "rope: 23 positions");
	REFUSED(DECODE(&q, &k, &narrow, &c.k, &c.v, &out), "rope: 8 columns");
	REFUSED(DECODE(&q, &k, &half, &c.k, &c.v, &out), "rope: F16");
	REFUSED(DECODE(&q, &k, NULL, &c.k, &c.k, &out), "k_cache lies over v_cache");
	REFUSED(DECODE(&q, &k, NULL, &c.k, &c.v, &page), "out lies over v_cache");
	REFUSED(DECODE(&page, &k, NULL, &c.k, &c.v, &out), "v_cache lies over q");
	REFUSED(DECODE(&q, &k, &sines, &c.k, &c.v, &out), "v_cache lies over rope");
	REFUSED(DECODE(&q, &k, &whole, &c.k, &c.v, &over), "out lies over rope");
	REFUSED(DECODE(&q, &k, NULL, &c.k, &c.v, &two), "out: shape");
#undef DECODE
	tensor_free(&q);
	tensor_free(&two);
	tensor_free(&three);
	tensor_free(&out);
	tensor_free(&k);
	tensor_free(&many);
	tensor_free(&odd);
	tensor_free(&odd_k);
	tensor_free(&odd_cache);
	tensor_free(&odd_cache_v);
	tensor_free(&rope);
	tensor_free(&narrow);
	tensor_free(&half);
	tensor_free(&whole);
	cache_free(&c);
}

static void test_refused(void)
{
	npuop_tensor q = tensor_new(NPUOP_F32, SHAPE(2, 4, 8, 16)),
		     k = tensor_new(NPUOP_F32, SHAPE(2, 3, 8, 16));
	npuop_tensor wide = tensor_new(NPUOP_F32, SHAPE(1, 1, 1, 257));
	npuop_tensor half = tensor_new(NPUOP_F16, SHAPE(2, 4, 8, 16));
	npuop_tensor lse = tensor_new(NPUOP_F32, SHAPE(2, 4, 9)),
		     out = tensor_new(NPUOP_F32, SHAPE(2, 4, 8, 16));
	npuop_tensor table = tensor_new(NPUOP_S32, SHAPE(2, 3)),
		     lengths = tensor_new(NPUOP_S32, SHAPE(2));
	npuop_tensor cache = tensor_new(NPUOP_F32, SHAPE(9, 8, 4, 16)),
		     new = tensor_new(NPUOP_F32, SHAPE(2, 1, 4, 16));
	npuop_tensor v_cache = tensor_new(NPUOP_F32, SHAPE(9, 8, 4, 16));
	const npuop_tensor page =
		npuop_tensor_dense(cache.memory, 0, NPUOP_F32, SHAPE(2, 1, 4, 16));
	const npuop_tensor turned = npuop_tensor_transpose(&q, 2, 3);
	const npuop_tensor columns = npuop_tensor_transpose(&v_cache, 2, 3);
	const npuop_attention_attr bad = { .size = sizeof(bad), .flags = 8 };

	REFUSED(npuop_attention(fx.ops, NULL, NULL, &q, &q, &out, NULL), "q is NULL");
	REFUSED(npuop_attention(fx.ops, NULL, &wide, &wide, &wide, &wide, NULL), "q: dim 257");
	REFUSED(npuop_attention(fx.ops, NULL, &q, &k, &k, &out, NULL), "k: 3 heads");
	REFUSED(npuop_attention(fx.ops, NULL, &q, &half, &q, &out, NULL), "k: F16");
	REFUSED(npuop_attention(fx.ops, NULL, &q, &q, &k, &out, NULL), "v: shape");
	REFUSED(npuop_attention(fx.ops, NULL, &turned, &q, &q, &out, NULL), "k: shape");
	REFUSED(npuop_attention(fx.ops, NULL, &out, &q, &q, &q, NULL), "out lies over k");
	REFUSED(npuop_attention(fx.ops, NULL, &q, &q, &q, &out, &lse), "lse: shape");
	REFUSED(npuop_attention(fx.ops, &bad, &q, &q, &q, &out, NULL),
		"npuop_attention_attr.flags");
	REFUSED(npuop_attention_paged(fx.ops, NULL, &q, &cache, &cache, &table, &table, &out),
		"lengths: shape");
	REFUSED(npuop_attention_paged(fx.ops, NULL, &q, &q, &q, &table, &lengths, &out),
		"k: 8 heads");
	REFUSED(npuop_attention_paged(fx.ops, NULL, &q, &columns, &cache, &table, &lengths, &out),
		"k_cache: the last dimension");
	REFUSED(npuop_cache_append(fx.ops, &k, &k, &table, &lengths, &cache, &cache), "k: shape");
	REFUSED(npuop_cache_append(fx.ops, &new, &new, &table, &lengths, &cache, &columns),
		"v_cache: the last dimension");
	REFUSED(npuop_cache_append(fx.ops, &new, &new, &table, &lengths, &cache, &cache),
		"k_cache lies over v_cache");
	REFUSED(npuop_cache_append(fx.ops, &page, &new, &table, &lengths, &cache, &v_cache),
		"k_cache lies over k");
	REFUSED(npuop_cache_append(fx.ops, &new, &page, &table, &lengths, &v_cache, &cache),
		"v_cache lies over v");
	refuse_decode();
	tensor_free(&q);
	tensor_free(&k);
	tensor_free(&wide);
	tensor_free(&half);
	tensor_free(&lse);
	tensor_free(&out);
	tensor_free(&table);
	tensor_free(&lengths);
	tensor_free(&cache);
	tensor_free(&v_cache);
	tensor_free(&new);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	static const uint32_t blocks[] = { 1, 7, 24 };
	struct attention a = { .dtype = NPUOP_F16,
			       .batch = 2,
			       .heads = 6,
			       .kv_heads = 3,
			       .queries = 150,
			       .keys = 150,
			       .dim = 40,
			       .causal = true };
	const npuop_attention_attr attr = attr_of(&a);
	npuop_tensor out[3], grads[3][3];
	bool forward = true, backward = true;

	attention_new(&a);
	for (int i = 0; i < 3; i++) {
		out[i] = a.out = tensor_new(a.dtype, 4, a.q.shape);
		grads[i][0] = a.grad_q = tensor_new(a.dtype, 4, a.q.shape);
		grads[i][1] = a.grad_k = tensor_new(a.dtype, 4, a.k.shape);
		grads[i][2] = a.grad_v = tensor_new(a.dtype, 4, a.k.shape);
		shim_force_blocks(blocks[i]);
		NEED(npuop_attention(fx.ops, &attr, &a.q, &a.k, &a.v, &a.out, &a.lse));
		run_backward(&a);
	}
	shim_force_blocks(0);
	for (int i = 1; i < 3; i++) {
		forward = forward && same_bits(&out[0], &out[i]);
		for (int j = 0; j < 3; j++)
			backward = backward && same_bits(&grads[0][j], &grads[i][j]);
	}
	ok(forward, "any blocks: attention");
	ok(backward, "any blocks: backward");
}

static void test_decode_blocks(void)
{
	static const uint32_t blocks[] = { 1, 5, 24 };
	struct attention a = { .dtype = NPUOP_BF16,
			       .batch = 3,
			       .heads = 12,
			       .kv_heads = 6,
			       .queries = 1,
			       .keys = 300,
			       .dim = 64 };
	npuop_tensor out[3], k, v;
	struct cache c;

	attention_new(&a);
	c = cache_new(&a, 16);
	k = tensor_random(a.dtype, SHAPE(a.batch, 1, a.kv_heads, a.dim));
	v = tensor_random(a.dtype, SHAPE(a.batch, 1, a.kv_heads, a.dim));
	for (uint64_t i = 0; i < a.batch; i++)
		tensor_set(&c.lengths, i, (double)(a.keys - 70 * i));
	for (int i = 0; i < 3; i++) {
		out[i] = tensor_new(a.dtype, 4, a.q.shape);
		shim_force_blocks(blocks[i]);
		NEED(npuop_attention_decode(fx.ops, NULL, &a.q, &k, &v, NULL, &c.table, &c.lengths,
					    &c.k, &c.v, &out[i]));
	}
	shim_force_blocks(0);
	ok(same_bits(&out[0], &out[1]) && same_bits(&out[0], &out[2]), "any blocks: decode");
	for (int i = 0; i < 3; i++)
		tensor_free(&out[i]);
	tensor_free(&k);
	tensor_free(&v);
	cache_free(&c);
	attention_free(&a);
}
#endif

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		test_attention(random_attention(i));
		test_paged(random_attention(i));
		test_decode(i, false);
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		test_attention(edge_attention(i));
		test_paged(edge_attention(i));
		test_decode(i, true);
	}
	test_lowest();
	test_empty_backward(4, 70, 0);
	test_empty_backward(4, 0, 70);
	test_empty_backward(0, 3, 70);
	test_empty_cache(0);
	test_empty_cache(3);
	test_slices();
	test_lengths();
	test_edges();
	test_refused();
	test_decode_heads();
#ifdef OP_SHIM
	test_blocks();
	test_decode_blocks();
#endif
	return op_end();
}

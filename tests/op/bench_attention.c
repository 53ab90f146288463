// SPDX-License-Identifier: MIT
/*
 * Attention beside loops of plain C of the same algorithm, on one core: blocks of keys, an online
 * softmax, keys transposed so that all inner loops are along rows.
 */
#include "bench_native.h"

#define KEYS 64 /* of a block of the plain C: all that it works on is in the L1 cache */
#define DIM 64

struct attention {
	uint64_t heads, queries, keys, dim;
	bool causal;
	npuop_tensor q, k, v, out, lse, grad, grad_q, grad_k, grad_v;
};

struct state {
	float max[KEYS], sum[KEYS], s[KEYS][KEYS], kt[DIM][KEYS];
};

static void transpose(const float *x, uint64_t rows, uint64_t cols, float (*out)[KEYS])
{
	for (uint64_t r = 0; r < rows; r++)
		for (uint64_t c = 0; c < cols; c++)
			out[c][r] = x[r * cols + c];
}

/* row of scores: s = scale q k' */
static void score(const float *restrict q, float (*restrict kt)[KEYS], uint64_t dim, float scale,
		  float *restrict s)
{
	float sum[KEYS] = { 0 };

	for (uint64_t d = 0; d < dim; d++)
		for (uint64_t j = 0; j < KEYS; j++)
			sum[j] += q[d] * kt[d][j];
	for (uint64_t j = 0; j < KEYS; j++)
		s[j] = sum[j] * scale;
}

/* out += p v */
static void weigh(const float *restrict p, const float *restrict v, uint64_t count, uint64_t dim,
		  float *restrict out)
{
	float sum[DIM];

	memcpy(sum, out, dim * sizeof(*out));
	for (uint64_t j = 0; j < count; j++)
		for (uint64_t d = 0; d < dim; d++)
			sum[d] += p[j] * v[j * dim + d];
	memcpy(out, sum, dim * sizeof(*out));
}

/* One row and one block of keys. */
static void native_row(const float *q, float (*kt)[KEYS], const float *v, uint64_t seen,
		       uint64_t dim, float scale, float *max, float *sum, float *out)
{
	float s[KEYS], most = *max, alpha, total = 0;

	score(q, kt, dim, scale, s);
	for (uint64_t j = 0; j < seen; j++)
		most = s[j] > most ? s[j] : most;
	alpha = expf(*max - most);
	for (uint64_t j = 0; j < seen; j++) {
		s[j] = expf(s[j] - most);
		total += s[j];
	}
	*max = most;
	*sum = *sum * alpha + total;
	for (uint64_t d = 0; d < dim; d++)
		out[d] *= alpha;
	weigh(s, v, seen, dim, out);
}

static void native_head(const struct attention *a, const float *q, const float *k, const float *v,
			float *out, float *lse)
{
	const float scale = 1 / sqrtf((float)a->dim);
	static float kt[DIM][KEYS];
	float *max = malloc(a->queries * sizeof(*max)), *sum = calloc(a->queries, sizeof(*sum));

	memset(out, 0, a->queries * a->dim * sizeof(*out));
	for (uint64_t i = 0; i < a->queries; i++)
		max[i] = -1e30f;
	for (uint64_t j = 0; j < a->keys; j += KEYS) {
		const uint64_t count = a->keys - j < KEYS ? a->keys - j : KEYS;

		transpose(k + j * a->dim, count, a->dim, kt);
		for (uint64_t i = 0; i < a->queries; i++) {
			const uint64_t last = a->causal ? i + a->keys - a->queries : a->keys - 1;

			if (last < j)
				continue;
			native_row(q + i * a->dim, kt, v + j * a->dim,
				   last - j + 1 < count ? last - j + 1 : count, a->dim, scale,
				   &max[i], &sum[i], out + i * a->dim);
		}
	}
	for (uint64_t i = 0; i < a->queries; i++) {
		for (uint64_t d = 0; d < a->dim; d++)
			out[i * a->dim + d] /= sum[i];
		lse[i] = max[i] + logf(sum[i]);
	}
	free(max);
	free(sum);
}

static void native(void *arg)
{
	const struct attention *a = arg;

	for (uint64_t h = 0; h < a->heads; h++) {
		const uint64_t q = h * a->queries * a->dim, k = h * a->keys * a->dim;

		native_head(a, bench_data(&a->q) + q, bench_data(&a->k) + k, bench_data(&a->v) + k,
			    bench_data(&a->out) + q, bench_data(&a->lse) + h * a->queries);
	}
}

static npuop_attention_attr attr_of(const struct attention *a)
{
	return (npuop_attention_attr){ .size = sizeof(npuop_attention_attr),
				       .flags = a->causal ? NPUOP_ATTENTION_CAUSAL : 0 };
}

static void npu(void *arg)
{
	struct attention *a = arg;
	const npuop_attention_attr attr = attr_of(a);

	NEED(npuop_attention(fx.ops, &attr, &a->q, &a->k, &a->v, &a->out, &a->lse));
}

/* One row and one block of keys, backward. */
static void native_row_backward(const float *q, const float *grad, float (*kt)[KEYS],
				float (*vt)[KEYS], const float *k, uint64_t seen, uint64_t dim,
				float scale, float lse, float delta, float *grad_q, float *grad_k,
				float *grad_v)
{
	float p[KEYS], ds[KEYS];

	score(q, kt, dim, scale, p);
	score(grad, vt, dim, 1, ds);
	for (uint64_t j = 0; j < seen; j++) {
		p[j] = expf(p[j] - lse);
		ds[j] = p[j] * (ds[j] - delta) * scale;
	}
	weigh(ds, k, seen, dim, grad_q);
	for (uint64_t j = 0; j < seen; j++)
		for (uint64_t d = 0; d < dim; d++) {
			grad_k[j * dim + d] += ds[j] * q[d];
			grad_v[j * dim + d] += p[j] * grad[d];
		}
}

static void native_backward(void *arg)
{
	const struct attention *a = arg;
	const float scale = 1 / sqrtf((float)a->dim);
	static float kt[DIM][KEYS], vt[DIM][KEYS];

	memset(bench_data(&a->grad_q), 0, a->heads * a->queries * a->dim * 4);
	memset(bench_data(&a->grad_k), 0, a->heads * a->keys * a->dim * 4);
	memset(bench_data(&a->grad_v), 0, a->heads * a->keys * a->dim * 4);
	for (uint64_t h = 0; h < a->heads; h++)
		for (uint64_t j = 0; j < a->keys; j += KEYS) {
			const uint64_t at = (h * a->keys + j) * a->dim;
			const uint64_t count = a->keys - j < KEYS ? a->keys - j : KEYS;

			transpose(bench_data(&a->k) + at, count, a->dim, kt);
			transpose(bench_data(&a->v) + at, count, a->dim, vt);
			for (uint64_t i = 0; i < a->queries; i++) {
				const uint64_t row = h * a->queries + i, q = row * a->dim;
				const uint64_t last =
					a->causal ? i + a->keys - a->queries : a->keys - 1;
				float delta = 0;

				if (last < j)
					continue;
				for (uint64_t d = 0; d < a->dim; d++)
					delta += bench_data(&a->out)[q + d] *
						 bench_data(&a->grad)[q + d];
				native_row_backward(bench_data(&a->q) + q, bench_data(&a->grad) + q,
						    kt, vt, bench_data(&a->k) + at,
						    last - j + 1 < count ? last - j + 1 : count,
						    a->dim, scale, bench_data(&a->lse)[row], delta,
						    bench_data(&a->grad_q) + q,
						    bench_data(&a->grad_k) + at,
						    bench_data(&a->grad_v) + at);
			}
		}
}

static void npu_backward(void *arg)
{
	struct attention *a = arg;
	const npuop_attention_attr attr = attr_of(a);

	NEED(npuop_attention_backward(fx.ops, &attr, &a->q, &a->k, &a->v, &a->out, &a->lse,
				      &a->grad, &a->grad_q, &a->grad_k, &a->grad_v));
}

static void measure(uint64_t batch, uint64_t heads, uint64_t queries, uint64_t keys, uint64_t dim)
{
	struct attention a = { .heads = batch * heads,
			       .queries = queries,
			       .keys = keys,
			       .dim = dim,
			       .causal = queries > 1 };
	npuop_tensor *const of_q[] = { &a.q, &a.out, &a.grad, &a.grad_q };
	npuop_tensor *const of_k[] = { &a.k, &a.v, &a.grad_k, &a.grad_v };
	char what[80];

	for (size_t i = 0; i < 4; i++) {
		*of_q[i] = tensor_random(NPUOP_F32, SHAPE(batch, heads, queries, dim));
		*of_k[i] = tensor_random(NPUOP_F32, SHAPE(batch, heads, keys, dim));
	}
	a.lse = tensor_new(NPUOP_F32, SHAPE(batch, heads, queries));
	snprintf(what, sizeof(what), "%llu x %llu heads, %llu queries, %llu keys, dim %llu",
		 (unsigned long long)batch, (unsigned long long)heads, (unsigned long long)queries,
		 (unsigned long long)keys, (unsigned long long)dim);
	bench(what, native, npu, &a);
	if (queries > 1)
		bench("  backward", native_backward, npu_backward, &a);
	for (size_t i = 0; i < 4; i++) {
		tensor_free(of_q[i]);
		tensor_free(of_k[i]);
	}
	tensor_free(&a.lse);
}

int main(void)
{
	op_begin();
	printf("# %-42s %9s %9s\n", "F32, causal", "C", "NPU");
	measure(8, 4, 128, 128, 32);
	measure(4, 8, 256, 256, 32);
	measure(4, 4, 256, 256, 64);
	measure(1, 8, 512, 512, 64);
	measure(1, 8, 1, 1024, 64);
	measure(16, 4, 1, 256, 32);
	NEED(npuop_destroy(fx.ops));
	return 0;
}

// SPDX-License-Identifier: MIT
/* Attention beside loops of plain C of the same algorithm, on one core. */
#include "bench_native.h"
#include "native.h"

struct attention {
	uint64_t heads, queries, keys, dim;
	bool causal;
	npuop_tensor q, k, v, out, lse, grad, grad_q, grad_k, grad_v;
};

static struct native_attention head_of(const struct attention *a, uint64_t head)
{
	const uint64_t q = head * a->queries * a->dim, k = head * a->keys * a->dim;

	return (struct native_attention){
		.queries = a->queries,
		.keys = a->keys,
		.dim = a->dim,
		.causal = a->causal,
		.q = bench_data(&a->q) + q,
		.k = bench_data(&a->k) + k,
		.v = bench_data(&a->v) + k,
		.out = bench_data(&a->out) + q,
		.lse = bench_data(&a->lse) + head * a->queries,
		.grad = bench_data(&a->grad) + q,
		.grad_q = bench_data(&a->grad_q) + q,
		.grad_k = bench_data(&a->grad_k) + k,
		.grad_v = bench_data(&a->grad_v) + k,
	};
}

static void native(void *arg)
{
	const struct attention *a = arg;

	for (uint64_t h = 0; h < a->heads; h++) {
		const struct native_attention head = head_of(a, h);

		native_attention(&head);
	}
}

static void native_backward(void *arg)
{
	const struct attention *a = arg;

	for (uint64_t h = 0; h < a->heads; h++) {
		const struct native_attention head = head_of(a, h);

		native_attention_backward(&head);
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

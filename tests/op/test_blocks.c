// SPDX-License-Identifier: MIT
/*
 * Each operator gives the same bits of any number of blocks, threads and cores. Tensors are so
 * large that each kernel gets more than 7 blocks from a device of 24 cores. Here other numbers are
 * forced; in the VM an operator runs twice, and tests/tools/op-workers.sh compares devices.
 * Whether results are right is for the operators' own tests.
 */
#include "op_calls.h"

struct call {
	const char *name;
	int (*run)(const npuop_tensor *t);
	struct operand operands[OPERANDS];
};

static const npuop_random_attr random_attr = { .size = sizeof(random_attr), .seed = 7 };
static const npuop_pool_attr pool_attr = {
	.size = sizeof(pool_attr),
	.window = { 3, 3 },
	.stride = { 1, 1 },
};

/* OPERATOR() - a function that calls one with operands @t; RUN() - one of another name */
#define RUN(name, call)                                                                            \
	static int name(const npuop_tensor *t)                                                     \
	{                                                                                          \
		return call;                                                                       \
	}
#define OPERATOR(name, ...) RUN(name, npuop_##name(fx.ops, __VA_ARGS__))

RUN(gelu, npuop_unary(fx.ops, NPUOP_GELU, &t[0], &t[1]))
OPERATOR(unary_backward, NPUOP_GELU, &t[0], &t[1], &t[2])
RUN(mul, npuop_binary(fx.ops, NPUOP_MUL, &t[0], &t[1], &t[2]))
OPERATOR(binary_scalar, NPUOP_LT, &t[0], 0.25, &t[1])
RUN(choose, npuop_select(fx.ops, &t[0], &t[1], &t[2], &t[3]))
OPERATOR(fill, 0.1, &t[0])
OPERATOR(copy, &t[0], &t[1])

static int transpose(const npuop_tensor *t)
{
	const npuop_tensor turned = npuop_tensor_transpose(&t[0], 0, 1);

	return npuop_copy(fx.ops, &turned, &t[1]);
}

RUN(sum, npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &t[0], &t[1]))
RUN(mean, npuop_reduce(fx.ops, NPUOP_REDUCE_MEAN, &t[0], &t[1]))
RUN(sumsq, npuop_reduce(fx.ops, NPUOP_REDUCE_SUMSQ, &t[0], &t[1]))
RUN(argmax, npuop_reduce(fx.ops, NPUOP_REDUCE_ARGMAX, &t[0], &t[1]))
OPERATOR(quantize, &t[0], &t[1], &t[2])
OPERATOR(dequantize, &t[0], &t[1], &t[2])
OPERATOR(softmax, &t[0], 0, &t[1])
OPERATOR(softmax_backward, &t[0], &t[1], &t[2])
OPERATOR(layer_norm, &t[0], &t[1], &t[2], 1e-5f, &t[3], &t[4], &t[5])
OPERATOR(layer_norm_backward, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7])
OPERATOR(rms_norm, &t[0], &t[1], 1e-5f, &t[2], &t[3])
OPERATOR(rms_norm_backward, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5])
OPERATOR(rope, &t[0], &t[1], 10000, 0, &t[2])
OPERATOR(attention, NULL, &t[0], &t[1], &t[2], &t[3], &t[4])
OPERATOR(attention_backward, NULL, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7], &t[8])
OPERATOR(attention_paged, NULL, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5])
OPERATOR(cache_append, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5])
OPERATOR(attention_decode, NULL, &t[0], &t[1], &t[2], NULL, &t[3], &t[4], &t[5], &t[6], &t[7])
OPERATOR(embedding, &t[0], &t[1], &t[2])
OPERATOR(embedding_backward, &t[0], &t[1], &t[2])
OPERATOR(gather, &t[0], 1, &t[1], &t[2])
OPERATOR(conv2d, NULL, &t[0], &t[1], &t[2])
OPERATOR(conv2d_backward_input, NULL, &t[0], &t[1], &t[2])
OPERATOR(conv2d_backward_weight, NULL, &t[0], &t[1], &t[2], &t[3])
OPERATOR(pool2d, NPUOP_POOL_MEAN, &pool_attr, &t[0], &t[1])
OPERATOR(pool2d_backward, NPUOP_POOL_MEAN, &pool_attr, &t[0], &t[1], &t[2])
OPERATOR(cross_entropy, &t[0], &t[1], &t[2], 0.25f, &t[3])
OPERATOR(random_uniform, &random_attr, -3, 5, &t[0])
OPERATOR(random_normal, &random_attr, 1, 2, &t[0])
OPERATOR(dropout, &random_attr, 0.3f, &t[0], &t[1])
OPERATOR(top_k, &t[0], &t[1], &t[2])

static int gemm(const npuop_tensor *t)
{
	return npuop_gemm(fx.ops, NULL, &t[0], &t[1], &t[2]);
}

static int gemm_accumulate(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.flags = NPUOP_GEMM_ACCUMULATE,
		.activation = NPUOP_ACT_SILU,
		.bias = &t[3],
		.pre = &t[4],
	};

	return npuop_gemm(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

static int gemm_norm(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.flags = NPUOP_GEMM_RMS_NORM,
		.eps = 1e-5f,
	};

	return npuop_gemm(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

/* B without its last column: a row begins within a byte. */
static int gemm_s4(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr), .scale_b = &t[3], .group = 32 };
	npuop_tensor b = t[1];

	b.shape[1]--;
	return npuop_gemm(fx.ops, &attr, &t[0], &b, &t[2]);
}

static int sgd(const npuop_tensor *t)
{
	const npuop_sgd_attr attr = { .size = sizeof(attr), .rate = 0.1f, .momentum = 0.9f };

	return npuop_sgd(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

static int adam(const npuop_tensor *t)
{
	const npuop_adam_attr attr = {
		.size = sizeof(attr),
		.rate = 0.1f,
		.beta1 = 0.9f,
		.beta2 = 0.99f,
		.eps = 1e-8f,
		.step = 3,
	};

	return npuop_adam(fx.ops, &attr, &t[0], &t[1], &t[2], &t[3]);
}

static int sample(const npuop_tensor *t)
{
	const npuop_sample_attr attr = {
		.size = sizeof(attr),
		.temperature = 1,
		.random = random_attr,
	};

	return npuop_sample(fx.ops, &attr, &t[0], &t[1]);
}

#define OF(type, ...) OPERAND(NPUOP_##type, __VA_ARGS__)
#define ROWS(type, how) OF(type, how, 223, 401)
#define HEADS(how) OF(F16, how, 3, 8, 70, 32)
#define KV_HEADS(how) OF(F16, how, 3, 4, 70, 32)
#define CACHE(how) OF(F16, how, 40, 4, 5, 32)
#define TABLE OF(S32, COUNTS, 10, 4)
#define LENGTHS BELOW(17, 10)
#define IMAGES(how, channels) OF(F32, how, 2, 34, 33, channels)
#define CALL(function, ...)                                                                        \
	{                                                                                          \
		.name = #function, .run = function, .operands = { __VA_ARGS__ },                   \
	}

static const struct call calls[] = {
	CALL(gelu, ROWS(F32, 0), ROWS(F16, WRITTEN)),
	CALL(unary_backward, ROWS(F32, 0), ROWS(F32, 0), ROWS(F32, WRITTEN)),
	CALL(mul, ROWS(F32, 0), OF(F32, 0, 401), ROWS(F32, WRITTEN)),
	CALL(binary_scalar, ROWS(F16, 0), ROWS(U8, WRITTEN)),
	CALL(choose, ROWS(U8, 0), ROWS(F32, 0), ROWS(F32, 0), ROWS(F32, WRITTEN)),
	CALL(fill, ROWS(BF16, WRITTEN)),
	CALL(copy, ROWS(F32, 0), ROWS(BF16, WRITTEN)),
	CALL(transpose, ROWS(F32, 0), OF(F32, WRITTEN, 401, 223)),
	CALL(sum, ROWS(F32, 0), OF(F32, WRITTEN, 1, 1)),
	CALL(sumsq, ROWS(F16, 0), OF(F32, WRITTEN, 223, 1)),
	CALL(mean, ROWS(F32, 0), OF(F32, WRITTEN, 1, 401)),
	CALL(argmax, ROWS(F32, 0), OF(S32, WRITTEN, 223, 1)),
	CALL(gemm, OF(F16, 0, 260, 96), OF(F16, 0, 96, 520), OF(F32, WRITTEN, 260, 520)),
	CALL(gemm, OF(S8, 0, 260, 96), OF(S8, 0, 96, 520), OF(S32, WRITTEN, 260, 520)),
	CALL(gemm_accumulate, OF(BF16, 0, 260, 700), OF(BF16, 0, 700, 520),
	     OF(F32, WRITTEN, 260, 520), OF(F32, 0, 520), OF(F32, WRITTEN, 260, 520)),
	CALL(gemm, OF(F32, 0, 300, 20, 24), OF(F32, 0, 300, 24, 40), OF(F32, WRITTEN, 300, 20, 40)),
	CALL(gemm, OF(F32, 0, 3, 400), OF(F32, 0, 400, 8500), OF(F32, WRITTEN, 3, 8500)),
	CALL(gemm_norm, OF(F32, 0, 2, 400), OF(F32, 0, 400, 8500), OF(F32, WRITTEN, 2, 8500)),
	CALL(gemm_s4, OF(F16, 0, 300, 192), OF(S4, 0, 192, 603), OF(F32, WRITTEN, 300, 602),
	     OF(F32, 0, 6, 602)),
	CALL(quantize, OF(F32, 0, 512, 402), OF(S8, WRITTEN, 512, 402), OF(F32, WRITTEN, 1)),
	CALL(quantize, OF(F32, 0, 512, 402), OF(S4, WRITTEN, 512, 402), OF(F32, WRITTEN, 16, 402)),
	CALL(dequantize, OF(S8, 0, 512, 402), OF(F32, 0, 512, 1), OF(F16, WRITTEN, 512, 402)),
	CALL(softmax, ROWS(F32, 0), ROWS(F32, WRITTEN)),
	CALL(softmax_backward, ROWS(F32, 0), ROWS(F32, 0), ROWS(F32, WRITTEN)),
	CALL(layer_norm, ROWS(F32, 0), OF(F32, 0, 401), OF(F32, 0, 401), ROWS(F32, WRITTEN),
	     OF(F32, WRITTEN, 223), OF(F32, WRITTEN, 223)),
	CALL(layer_norm_backward, OF(F32, 0, 300, 7001), OF(F32, 0, 7001), OF(F32, 0, 300),
	     OF(F32, POSITIVE, 300), OF(F32, 0, 300, 7001), OF(F32, WRITTEN, 300, 7001),
	     OF(F32, WRITTEN, 7001), OF(F32, WRITTEN, 7001)),
	CALL(rms_norm, ROWS(F16, 0), OF(F32, 0, 401), ROWS(F16, WRITTEN), OF(F32, WRITTEN, 223)),
	CALL(rms_norm_backward, ROWS(F32, 0), OF(F32, 0, 401), OF(F32, POSITIVE, 223), ROWS(F32, 0),
	     ROWS(F32, WRITTEN), OF(F32, WRITTEN, 401)),
	CALL(rope, OF(F32, 0, 2, 70, 11, 64), BELOW(100, 2, 70), OF(F32, WRITTEN, 2, 70, 11, 64)),
	CALL(attention, HEADS(0), KV_HEADS(0), KV_HEADS(0), HEADS(WRITTEN),
	     OF(F32, WRITTEN, 3, 8, 70)),
	CALL(attention_backward, HEADS(0), KV_HEADS(0), KV_HEADS(0), HEADS(0),
	     OF(F32, POSITIVE, 3, 8, 70), HEADS(0), HEADS(WRITTEN), KV_HEADS(WRITTEN),
	     KV_HEADS(WRITTEN)),
	CALL(attention_paged, OF(F16, 0, 10, 10, 3, 32), CACHE(0), CACHE(0), TABLE, LENGTHS,
	     OF(F16, WRITTEN, 10, 10, 3, 32)),
	CALL(cache_append, OF(F16, 0, 10, 2, 5, 32), OF(F16, 0, 10, 2, 5, 32), TABLE, LENGTHS,
	     CACHE(WRITTEN), CACHE(WRITTEN)),
	CALL(attention_decode, OF(F16, 0, 10, 10, 1, 32), OF(F16, 0, 10, 1, 5, 32),
	     OF(F16, 0, 10, 1, 5, 32), TABLE, LENGTHS, CACHE(WRITTEN), CACHE(WRITTEN),
	     OF(F16, WRITTEN, 10, 10, 1, 32)),
	CALL(embedding, OF(F32, 0, 90, 40), BELOW(90, 700), OF(F32, WRITTEN, 700, 40)),
	CALL(embedding_backward, BELOW(90, 700), OF(F32, 0, 700, 40), OF(F32, WRITTEN, 90, 40)),
	CALL(gather, OF(S16, 0, 30, 20, 70), BELOW(20, 50), OF(S16, WRITTEN, 30, 50, 70)),
	CALL(conv2d, IMAGES(0, 16), OF(F32, 0, 3, 3, 16, 40), OF(F32, WRITTEN, 2, 32, 31, 40)),
	CALL(conv2d_backward_input, OF(F32, 0, 2, 32, 31, 40), OF(F32, 0, 3, 3, 16, 40),
	     IMAGES(WRITTEN, 16)),
	CALL(conv2d_backward_weight, OF(F16, 0, 2, 63, 35, 2), OF(F16, 0, 2, 63, 35, 1100),
	     OF(F32, WRITTEN, 1, 1, 2, 1100), OF(F32, WRITTEN, 1100)),
	CALL(pool2d, IMAGES(0, 70), OF(F32, WRITTEN, 2, 32, 31, 70)),
	CALL(pool2d_backward, IMAGES(0, 70), OF(F32, 0, 2, 32, 31, 70), IMAGES(WRITTEN, 70)),
	CALL(cross_entropy, ROWS(F32, 0), BELOW(401, 223), OF(F32, WRITTEN, 223),
	     ROWS(F32, WRITTEN)),
	CALL(sgd, ROWS(F16, 0), ROWS(F32, WRITTEN), ROWS(F32, WRITTEN)),
	CALL(adam, ROWS(F32, 0), ROWS(F32, WRITTEN), ROWS(F32, WRITTEN),
	     ROWS(F32, WRITTEN | POSITIVE)),
	CALL(random_uniform, ROWS(F32, WRITTEN)),
	CALL(random_normal, ROWS(F16, WRITTEN)),
	CALL(dropout, ROWS(F32, 0), ROWS(F32, WRITTEN)),
	CALL(top_k, OF(F32, 0, 30, 300), OF(F32, WRITTEN, 30, 9), OF(S32, WRITTEN, 30, 9)),
	CALL(sample, OF(F32, 0, 30, 300), OF(S32, WRITTEN, 30)),
};

/* Floats are drawn on the device, as the emulated CPU takes long. */
static npuop_tensor operand(const struct call *call, int i)
{
	const uint32_t dtype = call->operands[i].dtype, flags = call->operands[i].flags;
	const npuop_random_attr attr = { .size = sizeof(attr), .seed = 1, .counter = rnd() };
	const uint64_t below = call->operands[i].below;
	npuop_tensor t = tensor_new(dtype, call->operands[i].rank, call->operands[i].shape);

	if (dtype <= NPUOP_BF16) {
		NEED(npuop_random_uniform(fx.ops, &attr, flags & POSITIVE ? 0 : -1, 1, &t));
		return t;
	}
	for (uint64_t e = 0; e < npuop_tensor_elements(&t); e++) {
		if (flags & COUNTS)
			tensor_set(&t, e, (double)e);
		else
			tensor_set(&t, e, below ? (double)rnd_below(below) : (double)(int8_t)rnd());
	}
	return t;
}

/* The same once more, with @blocks blocks where that can be said. */
static bool same_again(const struct call *call, const npuop_tensor *before,
		       const npuop_tensor *after, uint32_t blocks)
{
	npuop_tensor t[OPERANDS];
	bool same = true;

	for (int i = 0; i < OPERANDS && call->operands[i].rank; i++)
		t[i] = call->operands[i].flags & WRITTEN ? tensor_again(&before[i]) : before[i];
#ifdef OP_SHIM
	shim_force_blocks(blocks);
#endif
	(void)blocks;
	need(call->run(t), call->name);
	sync_stream();
#ifdef OP_SHIM
	shim_force_blocks(0);
#endif
	for (int i = 0; i < OPERANDS && call->operands[i].rank; i++) {
		if (!(call->operands[i].flags & WRITTEN))
			continue;
		same = same && same_memory(&t[i], &after[i]);
		tensor_free(&t[i]);
	}
	return same;
}

static void test_blocks(const struct call *call)
{
	npuop_tensor before[OPERANDS], after[OPERANDS];
	int count = 0;

	for (; count < OPERANDS && call->operands[count].rank; count++)
		before[count] = operand(call, count);
	sync_stream();
	for (int i = 0; i < count; i++)
		after[i] = call->operands[i].flags & WRITTEN ? tensor_again(&before[i]) : before[i];
	need(call->run(after), call->name);
	sync_stream();
#ifdef OP_SHIM
	for (uint32_t blocks = 1; blocks <= 5; blocks += 4)
		ok(same_again(call, before, after, blocks), "%s: the same bits of %u blocks",
		   call->name, blocks);
#else
	ok(same_again(call, before, after, 0), "%s: the same bits once more", call->name);
#endif
	for (int i = 0; i < count; i++) {
		if (call->operands[i].flags & WRITTEN)
			tensor_free(&after[i]);
		tensor_free(&before[i]);
	}
}

static void test_all(void)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		test_blocks(&calls[i]);
}

#ifdef OP_SHIM
int main(void)
{
	op_begin();
	test_all();
	return op_end();
}
#else
/* The blocks of all launches of a kernel: there are fewer on a device of fewer cores. */
static struct launched {
	char kernel[40];
	uint64_t blocks;
} launched[64];

static void count_blocks(const npurt_trace_record *record, void *data)
{
	struct launched *l = launched;

	(void)data;
	while (l->blocks && strcmp(l->kernel, record->name))
		l++;
	snprintf(l->kernel, sizeof(l->kernel), "%s", record->name);
	l->blocks += record->blocks;
}

int main(void)
{
	const npurt_trace_attr attr = {
		.size = sizeof(attr),
		.kinds = NPURT_TRACE_KERNEL,
		.fn = count_blocks,
	};
	npurt_trace *trace;

	op_begin();
	NEED(npurt_trace_subscribe(fx.device, &attr, &trace));
	test_all();
	NEED(npurt_trace_unsubscribe(trace));
	for (const struct launched *l = launched; l->blocks; l++)
		printf("# %llu blocks of %s\n", (unsigned long long)l->blocks, l->kernel);
	return op_end();
}
#endif

// SPDX-License-Identifier: MIT
/*
 * Operators of rows, or of matrices, whose elements are no neighbours: results have the bits that
 * they have of dense tensors, nothing else is written, and a workspace that is too small for
 * copies is told. Whether those of dense tensors are right is for the operators' own tests.
 */
#include "op_calls.h"

#define FLOAT UINT32_MAX /* a dtype: that of the round */

/* Is there a need for the workspace? */
enum need { FOR_COPIES, ALWAYS, NEVER };

struct call {
	const char *name;
	int (*run)(const npuop_tensor *t);
	struct operand operands[OPERANDS];
	enum need need;
};

static int attention(const npuop_tensor *t)
{
	const npuop_attention_attr attr = { .size = sizeof(attr), .flags = NPUOP_ATTENTION_CAUSAL };

	return npuop_attention(fx.ops, &attr, &t[0], &t[1], &t[2], &t[3], &t[4]);
}

static int attention_in_place(const npuop_tensor *t)
{
	return npuop_attention(fx.ops, NULL, &t[0], &t[1], &t[1], &t[0], NULL);
}

static int attention_backward(const npuop_tensor *t)
{
	return npuop_attention_backward(fx.ops, NULL, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
					&t[6], &t[7], &t[8]);
}

static int attention_paged(const npuop_tensor *t)
{
	return npuop_attention_paged(fx.ops, NULL, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5]);
}

static int cache_append(const npuop_tensor *t)
{
	return npuop_cache_append(fx.ops, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5]);
}

static int attention_decode(const npuop_tensor *t)
{
	return npuop_attention_decode(fx.ops, NULL, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
				      &t[7], &t[8]);
}

static int rope(const npuop_tensor *t)
{
	return npuop_rope(fx.ops, &t[0], &t[1], 10000, 0, &t[2]);
}

static int rope_in_place(const npuop_tensor *t)
{
	return npuop_rope(fx.ops, &t[0], NULL, 10000, NPUOP_ROPE_INTERLEAVED, &t[0]);
}

static int gather(const npuop_tensor *t)
{
	return npuop_gather(fx.ops, &t[0], 1, &t[1], &t[2]);
}

static int gather_last(const npuop_tensor *t)
{
	return npuop_gather(fx.ops, &t[0], 2, &t[1], &t[2]);
}

static int embedding(const npuop_tensor *t)
{
	return npuop_embedding(fx.ops, &t[0], &t[1], &t[2]);
}

static int embedding_backward(const npuop_tensor *t)
{
	return npuop_embedding_backward(fx.ops, &t[0], &t[1], &t[2]);
}

static int top_k(const npuop_tensor *t)
{
	return npuop_top_k(fx.ops, &t[0], &t[1], &t[2]);
}

static int argmax(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_ARGMAX, &t[0], &t[1]);
}

static int sample(const npuop_tensor *t)
{
	const npuop_sample_attr attr = {
		.size = sizeof(attr),
		.temperature = 1,
		.random = { .size = sizeof(npuop_random_attr), .seed = 7 },
	};

	return npuop_sample(fx.ops, &attr, &t[0], &t[1]);
}

static int cross_entropy(const npuop_tensor *t)
{
	return npuop_cross_entropy(fx.ops, &t[0], &t[1], &t[2], 0.25f, &t[3]);
}

static int cross_entropy_in_place(const npuop_tensor *t)
{
	return npuop_cross_entropy(fx.ops, &t[0], &t[1], NULL, 0.25f, &t[0]);
}

static int gemm(const npuop_tensor *t)
{
	return npuop_gemm(fx.ops, NULL, &t[0], &t[1], &t[2]);
}

static int gemm_accumulate(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr),
				       .flags = NPUOP_GEMM_ACCUMULATE,
				       .activation = NPUOP_ACT_SILU,
				       .pre = &t[3] };

	return npuop_gemm(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

static int gemm_norm(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr),
				       .flags = NPUOP_GEMM_RMS_NORM,
				       .eps = 1e-5f };

	return npuop_gemm(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

static int gemm_s4(const npuop_tensor *t)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr), .scale_b = &t[3], .group = 32 };

	return npuop_gemm(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

#define OF OPERAND
#define HEADS(how) OF(FLOAT, how, 2, 4, 5, 16)
#define KV_HEADS(how) OF(FLOAT, how, 2, 2, 7, 16)
#define CACHE(how) OF(FLOAT, DENSE | (how), 6, 4, 2, 16)
#define TABLE OF(NPUOP_S32, COUNTS, 2, 3)
#define LENGTHS BELOW(13, 2)
#define LOGITS(how) OF(FLOAT, how, 4, 30)
#define CALL(what, function, necessity, ...)                                                       \
	{                                                                                          \
		.name = what, .run = function, .need = necessity, .operands = { __VA_ARGS__ },     \
	}

static const struct call calls[] = {
	CALL("attention", attention, FOR_COPIES, HEADS(0), KV_HEADS(0), KV_HEADS(0), HEADS(WRITTEN),
	     OF(NPUOP_F32, WRITTEN, 2, 4, 5)),
	CALL("attention in place", attention_in_place, FOR_COPIES, HEADS(WRITTEN), KV_HEADS(0)),
	CALL("attention_backward", attention_backward, ALWAYS, HEADS(0), KV_HEADS(0), KV_HEADS(0),
	     HEADS(0), OF(NPUOP_F32, 0, 2, 4, 5), HEADS(0), HEADS(WRITTEN), KV_HEADS(WRITTEN),
	     KV_HEADS(WRITTEN)),
	CALL("attention_paged", attention_paged, FOR_COPIES, HEADS(0), CACHE(0), CACHE(0), TABLE,
	     LENGTHS, HEADS(WRITTEN)),
	CALL("cache_append", cache_append, FOR_COPIES, OF(FLOAT, 0, 2, 3, 2, 16),
	     OF(FLOAT, 0, 2, 3, 2, 16), TABLE, LENGTHS, CACHE(WRITTEN), CACHE(WRITTEN)),
	CALL("attention_decode", attention_decode, FOR_COPIES, OF(FLOAT, 0, 2, 4, 1, 16),
	     OF(FLOAT, 0, 2, 1, 2, 16), OF(FLOAT, 0, 2, 1, 2, 16), OF(NPUOP_F32, 0, 12, 16), TABLE,
	     LENGTHS, CACHE(WRITTEN), CACHE(WRITTEN), OF(FLOAT, WRITTEN, 2, 4, 1, 16)),
	CALL("rope", rope, FOR_COPIES, HEADS(0), BELOW(100, 2, 4), HEADS(WRITTEN)),
	CALL("rope in place", rope_in_place, FOR_COPIES, HEADS(WRITTEN)),
	CALL("gather", gather, FOR_COPIES, OF(FLOAT, 0, 3, 4, 5, 6), BELOW(4, 7),
	     OF(FLOAT, WRITTEN, 3, 7, 5, 6)),
	CALL("gather of elements", gather_last, NEVER, OF(NPUOP_S8, 0, 4, 5, 6), BELOW(6, 7),
	     OF(NPUOP_S8, WRITTEN, 4, 5, 7)),
	CALL("embedding", embedding, FOR_COPIES, OF(FLOAT, 0, 9, 6), BELOW(9, 3, 4),
	     OF(FLOAT, WRITTEN, 3, 4, 6)),
	CALL("embedding_backward", embedding_backward, FOR_COPIES, BELOW(9, 3, 4),
	     OF(FLOAT, 0, 3, 4, 6), OF(NPUOP_F32, WRITTEN, 9, 6)),
	CALL("top_k", top_k, FOR_COPIES, LOGITS(0), OF(FLOAT, WRITTEN, 4, 5),
	     OF(NPUOP_S32, WRITTEN, 4, 5)),
	CALL("argmax", argmax, NEVER, LOGITS(0), OF(NPUOP_S32, WRITTEN, 4, 1)),
	CALL("sample", sample, FOR_COPIES, LOGITS(0), OF(NPUOP_S32, WRITTEN, 4)),
	CALL("cross_entropy", cross_entropy, FOR_COPIES, LOGITS(0), BELOW(30, 4),
	     OF(NPUOP_F32, WRITTEN, 4), LOGITS(WRITTEN)),
	CALL("cross_entropy in place", cross_entropy_in_place, FOR_COPIES, LOGITS(WRITTEN),
	     BELOW(30, 4)),
	CALL("gemm", gemm, FOR_COPIES, OF(FLOAT, 0, 2, 12, 8), OF(FLOAT, 0, 8, 6),
	     OF(FLOAT, WRITTEN, 2, 12, 6)),
	CALL("gemm of integers", gemm, FOR_COPIES, OF(NPUOP_S8, 0, 5, 8), OF(NPUOP_S8, 0, 8, 6),
	     OF(NPUOP_S32, WRITTEN, 5, 6)),
	CALL("gemm, added to what was there", gemm_accumulate, FOR_COPIES, OF(FLOAT, 0, 5, 8),
	     OF(FLOAT, 0, 8, 6), OF(NPUOP_F32, WRITTEN, 5, 6), OF(NPUOP_F32, WRITTEN, 5, 6)),
	CALL("gemm of normalised rows", gemm_norm, ALWAYS, OF(FLOAT, 0, 5, 8), OF(FLOAT, 0, 8, 6),
	     OF(FLOAT, WRITTEN, 5, 6)),
	CALL("gemm of 4 bits", gemm_s4, FOR_COPIES, OF(NPUOP_F16, 0, 5, 64),
	     OF(NPUOP_S4, DENSE, 64, 6), OF(NPUOP_F32, WRITTEN, 5, 6), OF(NPUOP_F32, 0, 2, 6)),
};

static npuop_tensor operand(const struct call *call, int i, enum npuop_dtype dtype)
{
	const uint64_t below = call->operands[i].below;
	npuop_tensor t =
		tensor_random(call->operands[i].dtype == FLOAT ? dtype : call->operands[i].dtype,
			      call->operands[i].rank, call->operands[i].shape);

	for (uint64_t e = 0; e < npuop_tensor_elements(&t); e++) {
		if (call->operands[i].flags & COUNTS)
			tensor_set(&t, e, (double)e);
		else if (below)
			tensor_set(&t, e, (double)rnd_below(below));
	}
	return t;
}

/* The same elements once more: without neighbours, or in any places, where that may be. */
static npuop_tensor again(const npuop_tensor *t, uint32_t flags, bool strided)
{
	npuop_tensor copy;

	if (strided && !(flags & DENSE))
		return tensor_strided(t);
	if (!(flags & WRITTEN))
		return *t;
	copy = tensor_new(t->dtype, t->rank, t->shape);
	NEED(npuop_copy(fx.ops, t, &copy));
	sync_stream();
	return copy;
}

#ifndef OP_SHIM
static void run_captured(const struct call *call, const npuop_tensor *t)
{
	npurt_graph_exec *exec;
	npurt_graph *graph;

	NEED(npurt_stream_begin_capture(fx.stream, 0));
	need(call->run(t), call->name);
	NEED(npurt_stream_end_capture(fx.stream, &graph));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	NEED(npurt_graph_launch(exec, fx.stream));
	sync_stream();
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
}
#endif

static void run(const struct call *call, const npuop_tensor *t, uint32_t round)
{
#ifndef OP_SHIM
	if (round % 2)
		run_captured(call, t);
	else
#endif
		need(call->run(t), call->name);
	(void)round;
	sync_stream();
}

/* All operands without neighbours, or some. */
static void test_bits(const struct call *call, uint32_t round)
{
	static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };
	npuop_tensor dense[OPERANDS], view[OPERANDS];
	bool same = true, kept = true;
	int count = 0;

	for (; count < OPERANDS && call->operands[count].rank; count++) {
		dense[count] = operand(call, count, types[round % 3]);
		view[count] = again(&dense[count], call->operands[count].flags,
				    round == 0 || rnd_below(2));
	}
	need(call->run(dense), call->name);
	run(call, view, round);
	for (int i = 0; i < count; i++) {
		same = same && same_bits(&dense[i], &view[i]);
		kept = kept && (view[i].memory == dense[i].memory || gaps_kept(&view[i]));
	}
	ok(same, "%s, %s: the bits of dense tensors", call->name, round ? "mixed" : "strided");
	ok(kept, "%s: nothing else is written", call->name);
	for (int i = 0; i < count; i++) {
		if (view[i].memory != dense[i].memory)
			tensor_free(&view[i]);
		tensor_free(&dense[i]);
	}
}

/* Room for nothing is enough for dense tensors. */
static void test_workspace(const struct call *call)
{
	const npuop_attr attr = { .size = sizeof(attr), .workspace_bytes = 1 };
	npuop_tensor dense[OPERANDS], view[OPERANDS];
	npuop *ops = fx.ops;
	int count = 0;

	NEED(npuop_create(fx.context, fx.stream, &attr, &fx.ops));
	for (; count < OPERANDS && call->operands[count].rank; count++) {
		uint64_t twice;

		dense[count] = operand(call, count, NPUOP_F32);
		view[count] = dense[count];
		if (call->operands[count].flags & DENSE)
			continue;
		twice = 2 * npuop_tensor_elements(&dense[count]);
		view[count].memory = tensor_new(dense[count].dtype, 1, &twice).memory;
		for (uint32_t i = 0; i < view[count].rank; i++)
			view[count].stride[i] *= 2;
	}
	if (call->need != ALWAYS)
		ok(!call->run(dense), "%s: dense tensors without a workspace", call->name);
	if (call->need == NEVER)
		ok(!call->run(view), "%s: strided ones without a workspace", call->name);
	else
		refused(call->run(view), "workspace: it has 1 bytes", call->name);
	sync_stream();
	NEED(npuop_destroy(fx.ops));
	fx.ops = ops;
	for (int i = 0; i < count; i++) {
		if (view[i].memory != dense[i].memory)
			tensor_free(&view[i]);
		tensor_free(&dense[i]);
	}
}

/* Elements that take turns are apart; what lies over each other is told, copied or not. */
static void test_apart(void)
{
	npuop_tensor pairs = tensor_random(NPUOP_F32, SHAPE(4, 30, 2));
	npuop_tensor labels = tensor_new(NPUOP_S32, SHAPE(4));
	npuop_tensor grad = tensor_new(NPUOP_F32, SHAPE(4, 30));
	npuop_tensor even = npuop_tensor_slice(&pairs, 2, 0, 1);
	npuop_tensor odd = npuop_tensor_slice(&pairs, 2, 1, 1), over;

	even.rank = odd.rank = 2;
	over = npuop_tensor_slice(&even, 1, 1, 29);
	even = npuop_tensor_slice(&even, 1, 0, 29);
	odd = npuop_tensor_slice(&odd, 1, 0, 29);
	grad = npuop_tensor_slice(&grad, 1, 0, 29);
	NEED(npuop_cross_entropy(fx.ops, &even, &labels, NULL, 1, &grad));
	NEED(npuop_cross_entropy(fx.ops, &even, &labels, NULL, 1, &odd));
	sync_stream();
	ok(same_bits(&grad, &odd), "elements that take turns");
	REFUSED(npuop_cross_entropy(fx.ops, &even, &labels, NULL, 1, &over),
		"grad lies over logits");
	tensor_free(&pairs);
	tensor_free(&labels);
	tensor_free(&grad);
}

int main(void)
{
	op_begin();
	for (size_t i = 0; i < COUNT(calls); i++) {
		for (uint32_t round = 0; round < ROUNDS / 3; round++)
			test_bits(&calls[i], round);
		test_workspace(&calls[i]);
	}
	test_apart();
	return op_end();
}

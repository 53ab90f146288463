// SPDX-License-Identifier: MIT
/* The handle: what it is made of, what it refuses, and its end. */
#include "op_test.h"

static void test_null(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(3));
	npuop *ops;

	ok(npuop_create(NULL, fx.stream, NULL, &ops) == NPURT_ERROR_INVALID, "no context");
	ok(npuop_create(fx.context, NULL, NULL, &ops) == NPURT_ERROR_INVALID, "no stream");
	ok(npuop_create(fx.context, fx.stream, NULL, NULL) == NPURT_ERROR_INVALID, "no result");
	ok(npuop_fill(NULL, 0, &x) == NPURT_ERROR_INVALID, "an operator without a handle");
	ok(npuop_unary(NULL, 99, &x, &x) == NPURT_ERROR_INVALID, "an unknown one");
	ok(npuop_gemm(NULL, NULL, &x, &x, &x) == NPURT_ERROR_INVALID, "one that has attributes");
	ok(!*npuop_message(NULL), "no handle has no message");
	ok(!npuop_destroy(NULL), "nothing to destroy");
	tensor_free(&x);
}

#ifndef OP_SHIM
static void test_other_context(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(8)), other = x;
	npurt_context *context;
	npurt_stream *stream;
	npuop *ops;

	NEED(npurt_context_create(fx.device, NULL, &context));
	NEED(npurt_stream_create(context, NULL, &stream));
	NEED(npurt_memory_create(context, 4096, NULL, &other.memory));
	REFUSED(npuop_unary(fx.ops, NPUOP_NEG, &other, &x), "x: its memory is of another context");
	REFUSED(npuop_fill(fx.ops, 0, &other), "out: its memory is of another context");
	NEED(npuop_create(fx.context, stream, NULL, &ops));
	ok(npuop_fill(ops, 0, &x) == NPURT_ERROR_INVALID &&
		   strstr(npuop_message(ops), "is of another context"),
	   "a stream of another context: %s", npuop_message(ops));
	NEED(npuop_destroy(ops));
	NEED(npurt_memory_destroy(other.memory));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_context_destroy(context));
	tensor_free(&x);
}

/* What libnpurt refuses is told in its words. */
static void test_copy_stream(void)
{
	const npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_COPY_ONLY };
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(8));
	npurt_stream *stream;
	npuop *ops;

	NEED(npurt_stream_create(fx.context, &attr, &stream));
	NEED(npuop_create(fx.context, stream, NULL, &ops));
	ok(npuop_fill(ops, 0, &x) && strstr(npuop_message(ops), "copies only"),
	   "a stream for copies: %s", npuop_message(ops));
	NEED(npuop_destroy(ops));
	NEED(npurt_stream_destroy(stream));
	tensor_free(&x);
}

/* Sums of parts pass through the workspace, which has to be there as long as they run. */
static void test_destroy(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(4 << 20)),
		     sum = tensor_new(NPUOP_F32, SHAPE(1));
	const double want[] = { 4 << 20 };
	npuop *ops;

	NEED(npuop_create(fx.context, fx.stream, NULL, &ops));
	NEED(npuop_fill(ops, 1, &x));
	for (int i = 0; i < 20; i++)
		NEED(npuop_reduce(ops, NPUOP_REDUCE_SUM, &x, &sum));
	NEED(npuop_destroy(ops));
	sync_stream();
	close_to(&sum, want, 0, 0, "what a handle has added runs after its end");
	tensor_free(&x);
	tensor_free(&sum);
}

/* Several launches of an operator, with the workspace between them, are one graph. */
static void test_graph(void)
{
	const uint64_t shape[] = { 40, 30 };
	npuop_tensor x = tensor_new(NPUOP_F32, 2, shape), out[2];
	const npuop_tensor columns = npuop_tensor_transpose(&x, 0, 1);
	npurt_graph_exec *exec;
	npurt_graph *graph;
	npuop *ops;

	for (int i = 0; i < 2; i++)
		out[i] = tensor_new(NPUOP_F32, SHAPE(30, 40));
	NEED(npuop_create(fx.context, fx.stream, NULL, &ops));
	NEED(npurt_stream_begin_capture(fx.stream, 0));
	NEED(npuop_softmax(ops, &columns, 0, &out[0]));
	NEED(npurt_stream_end_capture(fx.stream, &graph));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++)
			tensor_set(&x, i, rnd_uniform());
		NEED(npurt_graph_launch(exec, fx.stream));
		NEED(npuop_softmax(fx.ops, &columns, 0, &out[1]));
		sync_stream();
		ok(same_bits(&out[0], &out[1]), "a graph of an operator, launch %d", round);
	}
	NEED(npuop_destroy(ops));
	ok(npurt_graph_launch(exec, fx.stream) != 0, "it ends with its handle");
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	sync_stream();
	tensor_free(&x);
	tensor_free(&out[0]);
	tensor_free(&out[1]);
}
#endif

int main(void)
{
	op_begin();
	test_null();
#ifndef OP_SHIM
	test_other_context();
	test_copy_stream();
	test_destroy();
	test_graph();
#endif
	return op_end();
}

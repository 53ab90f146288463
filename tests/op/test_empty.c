// SPDX-License-Identifier: MIT
/*
 * Extents of 0, one after the other in each dimension of an operator: it succeeds and writes
 * nothing but what is known of nothing, or is refused by naming what has no elements.
 */
#include "op_test.h"

#define OPERANDS 8
#define PATTERN 0x5a
#define GAP 64 /* bytes behind a tensor */

static const uint64_t extents[] = { 2, 3, 4, 6 };

struct call {
	const char *name;
	int (*run)(const npuop_tensor *t);
	struct {
		uint32_t dtype;
		bool written;
		const char *dims; /* letters from a on, of extents; or 1 */
	} operands[OPERANDS];
	struct outcome {
		char dim; /* if this one is 0; those that are not here: nothing is written */
		const char *refused; /* the argument */
		double value; /* or what elements of results become */
		bool traps; /* or no index is in range */
	} outcomes[2];
};

static int unary(const npuop_tensor *t)
{
	return npuop_unary(fx.ops, NPUOP_EXP, &t[0], &t[1]);
}

static int unary_backward(const npuop_tensor *t)
{
	return npuop_unary_backward(fx.ops, NPUOP_GELU, &t[0], &t[1], &t[2]);
}

static int binary(const npuop_tensor *t)
{
	return npuop_binary(fx.ops, NPUOP_DIV, &t[0], &t[1], &t[2]);
}

static int binary_scalar(const npuop_tensor *t)
{
	return npuop_binary_scalar(fx.ops, NPUOP_ADD, &t[0], 1, &t[1]);
}

static int choose(const npuop_tensor *t)
{
	return npuop_select(fx.ops, &t[0], &t[1], &t[2], &t[3]);
}

static int fill(const npuop_tensor *t)
{
	return npuop_fill(fx.ops, 1, &t[0]);
}

static int copy(const npuop_tensor *t)
{
	return npuop_copy(fx.ops, &t[0], &t[1]);
}

static int transpose(const npuop_tensor *t)
{
	const npuop_tensor turned = npuop_tensor_transpose(&t[0], 0, 1);

	return npuop_copy(fx.ops, &turned, &t[1]);
}

static int sum(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &t[0], &t[1]);
}

static int mean(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_MEAN, &t[0], &t[1]);
}

static int sum_of_squares(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_SUMSQ, &t[0], &t[1]);
}

static int maximum(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_MAX, &t[0], &t[1]);
}

static int argmin(const npuop_tensor *t)
{
	return npuop_reduce(fx.ops, NPUOP_REDUCE_ARGMIN, &t[0], &t[1]);
}

static int softmax(const npuop_tensor *t)
{
	return npuop_softmax(fx.ops, &t[0], 0, &t[1]);
}

static int log_softmax(const npuop_tensor *t)
{
	return npuop_softmax(fx.ops, &t[0], 1, &t[1]);
}

static int softmax_backward(const npuop_tensor *t)
{
	return npuop_softmax_backward(fx.ops, &t[0], &t[1], &t[2]);
}

static int layer_norm(const npuop_tensor *t)
{
	return npuop_layer_norm(fx.ops, &t[0], &t[1], &t[2], 1e-5f, &t[3], &t[4], &t[5]);
}

static int rms_norm(const npuop_tensor *t)
{
	return npuop_rms_norm(fx.ops, &t[0], &t[1], 1e-5f, &t[2], &t[3]);
}

static int layer_norm_backward(const npuop_tensor *t)
{
	return npuop_layer_norm_backward(fx.ops, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
					 &t[7]);
}

static int rms_norm_backward(const npuop_tensor *t)
{
	return npuop_rms_norm_backward(fx.ops, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5]);
}

static int rope(const npuop_tensor *t)
{
	return npuop_rope(fx.ops, &t[0], &t[1], 10000, 0, &t[2]);
}

static int gather(const npuop_tensor *t)
{
	return npuop_gather(fx.ops, &t[0], 1, &t[1], &t[2]);
}

static int embedding(const npuop_tensor *t)
{
	return npuop_embedding(fx.ops, &t[0], &t[1], &t[2]);
}

static int embedding_backward(const npuop_tensor *t)
{
	return npuop_embedding_backward(fx.ops, &t[0], &t[1], &t[2]);
}

static const npuop_random_attr random_attr = { .size = sizeof(random_attr), .seed = 7 };

static int uniform(const npuop_tensor *t)
{
	return npuop_random_uniform(fx.ops, &random_attr, 0, 1, &t[0]);
}

static int normal(const npuop_tensor *t)
{
	return npuop_random_normal(fx.ops, &random_attr, 0, 1, &t[0]);
}

static int dropout(const npuop_tensor *t)
{
	return npuop_dropout(fx.ops, &random_attr, 0.5f, &t[0], &t[1]);
}

static int dropout_of_all(const npuop_tensor *t)
{
	return npuop_dropout(fx.ops, &random_attr, 1, &t[0], &t[1]);
}

static int adam(const npuop_tensor *t)
{
	const npuop_adam_attr attr = {
		.size = sizeof(attr),
		.rate = 0.1f,
		.beta1 = 0.9f,
		.beta2 = 0.9f,
		.step = 1,
		.copy = &t[4],
	};

	return npuop_adam(fx.ops, &attr, &t[0], &t[1], &t[2], &t[3]);
}

static int sgd(const npuop_tensor *t)
{
	const npuop_sgd_attr attr = { .size = sizeof(attr), .rate = 0.1f, .momentum = 0.9f };

	return npuop_sgd(fx.ops, &attr, &t[0], &t[1], &t[2]);
}

#define CALL(what, function, ...)                                                                  \
	{                                                                                          \
		.name = what, .run = function, __VA_ARGS__,                                        \
	}
#define OF(...) .operands = { __VA_ARGS__ }
#define EMPTY(...) .outcomes = { __VA_ARGS__ }

#define TENSOR(type, is_written, shape)                                                            \
	{                                                                                          \
		.dtype = type, .written = is_written, .dims = shape,                               \
	}
#define IN(shape) TENSOR(NPUOP_F32, false, shape)
#define OUT(shape) TENSOR(NPUOP_F32, true, shape)
#define HALF_IN(shape) TENSOR(NPUOP_F16, false, shape)
#define HALF_OUT(shape) TENSOR(NPUOP_F16, true, shape)
#define INDEX(shape) TENSOR(NPUOP_S32, false, shape)
#define INDEX_OUT(shape) TENSOR(NPUOP_S32, true, shape)
#define MASK(shape) TENSOR(NPUOP_U8, false, shape)

#define BECOMES(letter, what)                                                                      \
	{                                                                                          \
		.dim = letter, .value = what                                                       \
	}
#define REFUSES(letter, argument)                                                                  \
	{                                                                                          \
		.dim = letter, .refused = argument                                                 \
	}
#define TRAPS(letter)                                                                              \
	{                                                                                          \
		.dim = letter, .traps = true                                                       \
	}

static const struct call calls[] = {
	CALL("unary", unary, OF(IN("abc"), OUT("abc"))),
	CALL("unary_backward", unary_backward, OF(IN("ab"), HALF_IN("ab"), OUT("ab"))),
	CALL("binary", binary, OF(IN("ab"), HALF_IN("a1"), OUT("ab"))),
	CALL("binary_scalar", binary_scalar, OF(INDEX("ab"), INDEX_OUT("ab"))),
	CALL("select", choose, OF(MASK("ab"), IN("1b"), IN("a1"), OUT("ab"))),
	CALL("fill", fill, OF(HALF_OUT("abc"))),
	CALL("copy", copy, OF(HALF_IN("b"), OUT("ab"))),
	CALL("copy of a transposed", transpose, OF(HALF_IN("ab"), HALF_OUT("ba"))),
	CALL("sum", sum, OF(IN("ab"), OUT("a1")), EMPTY(BECOMES('b', 0))),
	CALL("sum of all", sum, OF(HALF_IN("ab"), OUT("11")),
	     EMPTY(BECOMES('a', 0), BECOMES('b', 0))),
	CALL("mean", mean, OF(IN("ab"), OUT("1b")), EMPTY(BECOMES('a', NAN))),
	CALL("sum of squares", sum_of_squares, OF(IN("ab"), OUT("a1")), EMPTY(BECOMES('b', 0))),
	CALL("maximum", maximum, OF(IN("ab"), OUT("1b")),
	     EMPTY(REFUSES('a', "x: there is no element"))),
	CALL("argmin", argmin, OF(IN("ab"), INDEX_OUT("a1")),
	     EMPTY(REFUSES('b', "x: there is no element"))),
	CALL("softmax", softmax, OF(IN("abc"), OUT("abc"))),
	CALL("log softmax", log_softmax, OF(HALF_IN("abc"), HALF_OUT("abc"))),
	CALL("softmax_backward", softmax_backward, OF(IN("abc"), IN("abc"), OUT("abc"))),
	CALL("layer_norm", layer_norm,
	     OF(HALF_IN("abc"), IN("c"), IN("c"), HALF_OUT("abc"), OUT("ab"), OUT("ab")),
	     EMPTY(BECOMES('c', NAN))),
	CALL("rms_norm", rms_norm, OF(IN("abc"), IN("c"), OUT("abc"), OUT("ab")),
	     EMPTY(BECOMES('c', NAN))),
	CALL("layer_norm_backward", layer_norm_backward,
	     OF(IN("abc"), IN("c"), IN("ab"), IN("ab"), IN("abc"), OUT("abc"), OUT("c"), OUT("c")),
	     EMPTY(BECOMES('a', 0), BECOMES('b', 0))),
	CALL("rms_norm_backward", rms_norm_backward,
	     OF(IN("abc"), IN("c"), IN("ab"), IN("abc"), OUT("abc"), OUT("c")),
	     EMPTY(BECOMES('a', 0), BECOMES('b', 0))),
	CALL("rope", rope, OF(IN("abcd"), INDEX("ab"), OUT("abcd"))),
	CALL("gather", gather, OF(IN("abc"), INDEX("d"), OUT("adc")), EMPTY(TRAPS('b'))),
	CALL("gather of elements", gather, OF(HALF_IN("ab"), INDEX("d"), HALF_OUT("ad")),
	     EMPTY(TRAPS('b'))),
	CALL("embedding", embedding, OF(IN("ab"), INDEX("cd"), OUT("cdb")), EMPTY(TRAPS('a'))),
	CALL("embedding_backward", embedding_backward, OF(INDEX("cd"), HALF_IN("cdb"), OUT("ab")),
	     EMPTY(BECOMES('c', 0), BECOMES('d', 0))),
	CALL("random_uniform", uniform, OF(OUT("ab"))),
	CALL("random_normal", normal, OF(HALF_OUT("ab"))),
	CALL("dropout", dropout, OF(IN("ab"), OUT("ab"))),
	CALL("dropout of all", dropout_of_all, OF(IN("ab"), HALF_OUT("ab"))),
	CALL("adam", adam, OF(HALF_IN("ab"), OUT("ab"), OUT("ab"), OUT("ab"), HALF_OUT("ab"))),
	CALL("sgd", sgd, OF(IN("ab"), OUT("ab"), OUT("ab"))),
};

static uint8_t *bytes_of(const npuop_tensor *t)
{
	void *pointer;

	NEED(npurt_memory_map(t->memory, &pointer));
	return pointer;
}

/* An operand where dimension @empty is 0, before a gap. */
static npuop_tensor operand(const struct call *call, int i, char empty)
{
	const char *dims = call->operands[i].dims;
	const enum npuop_dtype dtype = call->operands[i].dtype;
	uint64_t shape[NPUOP_MAX_RANK], bytes;
	npuop_tensor t, all;
	uint32_t rank = 0;

	for (; dims[rank]; rank++) {
		shape[rank] = dims[rank] == '1' ? 1 : extents[dims[rank] - 'a'];
		if (dims[rank] == empty)
			shape[rank] = 0;
	}
	t = npuop_tensor_dense(NULL, 0, dtype, rank, shape);
	bytes = npuop_dtype_bytes(dtype, npuop_tensor_elements(&t)) + GAP;
	all = tensor_new(NPUOP_U8, 1, &bytes);
	t.memory = all.memory;
	memset(bytes_of(&t), PATTERN, bytes);
	for (uint64_t e = 0; !call->operands[i].written && e < npuop_tensor_elements(&t); e++)
		tensor_set(&t, e, dtype <= NPUOP_BF16 ? rnd_uniform() : (double)rnd_below(2));
	return t;
}

/* Are bytes from there on as they were? */
static bool untouched(const npuop_tensor *t, uint64_t from)
{
	const uint64_t size = npuop_dtype_bytes(t->dtype, npuop_tensor_elements(t)) + GAP;

	for (const uint8_t *all = bytes_of(t); from < size; from++)
		if (all[from] != PATTERN)
			return false;
	return true;
}

/* Is @t what is to become of it: all its elements @value, or as it was without an outcome? */
static bool as_told(const npuop_tensor *t, const struct outcome *outcome)
{
	const uint64_t count = npuop_tensor_elements(t);

	if (!outcome || outcome->refused || outcome->traps)
		return untouched(t, 0);
	for (uint64_t i = 0; i < count; i++) {
		const double got = tensor_get(t, i);

		if (isnan(outcome->value) ? !isnan(got) : got != outcome->value)
			return false;
	}
	return untouched(t, npuop_dtype_bytes(t->dtype, count));
}

static void call_it(const struct call *call, const npuop_tensor *t, const struct outcome *outcome)
{
	if (outcome && outcome->refused) {
		refused(call->run(t), outcome->refused, call->name);
		return;
	}
#ifdef OP_SHIM
	shim_expect_fault = outcome && outcome->traps;
	shim_fault = NPU_ST_OK;
#endif
	need(call->run(t), call->name);
	sync_stream();
#ifdef OP_SHIM
	if (shim_expect_fault)
		ok(shim_fault == NPU_ST_KERNEL_TRAP, "%s: no index is in range", call->name);
	shim_expect_fault = false;
#endif
}

static void test_empty(const struct call *call, char empty)
{
	const struct outcome *outcome = NULL;
	npuop_tensor t[OPERANDS];
	bool told = true;
	int count = 0;

	for (size_t i = 0; i < COUNT(call->outcomes); i++)
		if (call->outcomes[i].dim == empty)
			outcome = &call->outcomes[i];
#ifndef OP_SHIM
	if (outcome && outcome->traps) /* that ends the stream */
		return;
#endif
	for (; count < OPERANDS && call->operands[count].dims; count++)
		t[count] = operand(call, count, empty);
	call_it(call, t, outcome);
	for (int i = 0; i < count; i++)
		told = told && (!call->operands[i].written || as_told(&t[i], outcome));
	ok(told, "%s: extent %c is 0", call->name, empty);
	for (int i = 0; i < count; i++)
		tensor_free(&t[i]);
}

static bool has_dim(const struct call *call, char dim)
{
	for (int i = 0; i < OPERANDS && call->operands[i].dims; i++)
		if (strchr(call->operands[i].dims, dim))
			return true;
	return false;
}

int main(void)
{
	op_begin();
	for (size_t i = 0; i < COUNT(calls); i++)
		for (char dim = 'a'; dim < 'a' + (char)COUNT(extents); dim++)
			if (has_dim(&calls[i], dim))
				test_empty(&calls[i], dim);
	return op_end();
}

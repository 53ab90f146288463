// SPDX-License-Identifier: MIT
/* Gather and embedding, which copy bits, and the backward of embedding, which adds in fp32. */
#include "op_test.h"

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16, NPUOP_S32,
					  NPUOP_S8,  NPUOP_U8,	NPUOP_S16 };

static npuop_tensor random_index(uint32_t rank, const uint64_t *shape, uint64_t count)
{
	npuop_tensor t = tensor_new(NPUOP_S32, rank, shape);

	for (uint64_t i = 0; i < npuop_tensor_elements(&t); i++)
		tensor_set(&t, i, (double)rnd_below(count));
	return t;
}

/* Half of the time dense and with special values, else in any view. */
static npuop_tensor operand(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	return rnd_below(2) ? tensor_special(dtype, rank, shape) : tensor_any(dtype, rank, shape);
}

static void test_gather(uint32_t round)
{
	static const uint64_t extents[] = { 1, 2, 3, 5, 8, 17, 40 };
	const uint32_t rank = 1 + (uint32_t)rnd_below(4), dim = (uint32_t)rnd_below(rank);
	const bool turn = rank > 2 && rnd_below(2);
	uint64_t shape[4], n = rnd_below(30), inner = 1, in_dim;
	npuop_tensor x, x_view, index, out, out_view;
	double *v, *want;

	for (uint32_t i = 0; i < rank; i++)
		shape[i] = extents[rnd_below(COUNT(extents))];
	x = operand(types[round % COUNT(types)], rank, shape);
	x_view = turn ? npuop_tensor_transpose(&x, 0, rank - 2) : x;
	in_dim = x_view.shape[dim];
	index = random_index(1, &n, in_dim);
	memcpy(shape, x_view.shape, sizeof(shape));
	shape[dim] = n;
	out = out_view = tensor_any(x.dtype, rank, shape);
	for (uint32_t i = dim + 1; i < rank; i++)
		inner *= shape[i];
	v = tensor_values(&x_view);
	want = numbers(npuop_tensor_elements(&out));
	for (uint64_t i = 0; i < npuop_tensor_elements(&out); i++) {
		const uint64_t outer = i / inner / n;
		const uint64_t at = (uint64_t)tensor_get(&index, i / inner % n);

		want[i] = v[(outer * in_dim + at) * inner + i % inner];
	}
	NEED(npuop_gather(fx.ops, &x_view, dim, &index, &out_view));
	sync_stream();
	close_to(&out, want, 0, 0, "gather %llu of %llu, dimension %u of %u, type %u",
		 (unsigned long long)n, (unsigned long long)in_dim, dim, rank, x.dtype);
	free(v);
	free(want);
	tensor_free(&x);
	tensor_free(&index);
	tensor_free(&out);
}

static void test_embedding(uint32_t round)
{
	static const uint64_t cols[] = { 1, 7, 64, 100, 384, 9000, 30000 };
	const uint64_t rows = 1 + rnd_below(50), n = cols[round % COUNT(cols)];
	const uint64_t b = 1 + rnd_below(4), s = 1 + rnd_below(n > 1000 ? 8 : 90);
	const enum npuop_dtype dtype = types[round % 3];
	npuop_tensor table = operand(dtype, SHAPE(rows, n));
	npuop_tensor index = random_index(SHAPE(b, s), rows);
	npuop_tensor out = tensor_any(dtype, SHAPE(b, s, n));
	npuop_tensor grad = operand(dtype, SHAPE(s, b, n));
	npuop_tensor sums = tensor_any(NPUOP_F32, SHAPE(rows, n + 3));
	const npuop_tensor grad_view = npuop_tensor_transpose(&grad, 0, 1);
	const npuop_tensor sums_view = npuop_tensor_slice(&sums, 1, 2, n);
	double *v = tensor_values(&table), *g = tensor_values(&grad_view);
	double *want = numbers(b * s * n), *want_sums = numbers(rows * n);

	for (uint64_t i = 0; i < b * s; i++) {
		const uint64_t row = (uint64_t)tensor_get(&index, i);

		for (uint64_t c = 0; c < n; c++) {
			want[i * n + c] = v[row * n + c];
			want_sums[row * n + c] = (float)(want_sums[row * n + c] + g[i * n + c]);
		}
	}
	NEED(npuop_embedding(fx.ops, &table, &index, &out));
	NEED(npuop_embedding_backward(fx.ops, &index, &grad_view, &sums_view));
	sync_stream();
	close_to(&out, want, 0, 0, "embedding of %llu x %llu", (unsigned long long)(b * s),
		 (unsigned long long)n);
	close_to(&sums_view, want_sums, 0, 0, "its backward, in the order of positions");
	free(v);
	free(g);
	free(want);
	free(want_sums);
	tensor_free(&table);
	tensor_free(&index);
	tensor_free(&out);
	tensor_free(&grad);
	tensor_free(&sums);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_random(NPUOP_F32, SHAPE(4, 6)),
		     y = tensor_new(NPUOP_F32, SHAPE(4, 6));
	npuop_tensor index = random_index(SHAPE(3), 4), out = tensor_new(NPUOP_F32, SHAPE(3, 6));

	REFUSED(npuop_gather(fx.ops, &x, 2, &index, &out), "dim: 2");
	REFUSED(npuop_gather(fx.ops, &x, 1, &index, &out), "out: shape [3, 6], not [4, 3]");
	REFUSED(npuop_gather(fx.ops, &x, 0, &x, &out), "index: F32");
	REFUSED(npuop_embedding(fx.ops, &x, &index, &y), "out: shape [4, 6], not [3, 6]");
	REFUSED(npuop_embedding(fx.ops, &x, &index, &x), "out: shape");
	REFUSED(npuop_embedding_backward(fx.ops, &index, &y, &x), "grad: shape");
	REFUSED(npuop_embedding_backward(fx.ops, &index, &out, &index), "grad_table: S32");
#ifdef OP_SHIM
	shim_expect_fault = true;
	for (int i = 0; i < 2; i++) {
		tensor_set(&index, 1, i ? 4 : -1);
		shim_fault = NPU_ST_OK;
		NEED(npuop_embedding(fx.ops, &x, &index, &out));
		ok(shim_fault == NPU_ST_KERNEL_TRAP, "index %d ends the task", i ? 4 : -1);
		shim_fault = NPU_ST_OK;
		NEED(npuop_embedding_backward(fx.ops, &index, &out, &x));
		ok(shim_fault == NPU_ST_KERNEL_TRAP, "and that of the backward");
	}
	shim_expect_fault = false;
#endif
	tensor_free(&x);
	tensor_free(&y);
	tensor_free(&index);
	tensor_free(&out);
}

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		test_gather(i);
		test_embedding(i);
	}
	test_refused();
	return op_end();
}

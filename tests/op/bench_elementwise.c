// SPDX-License-Identifier: MIT
/* Elementwise operators and copies of a matrix of N x N. */
#include "bench.h"

#define N 2048
#define ELEMENTS ((double)N * N)

static npuop_tensor x, y, out, half, row, turned;
static float *cx, *cy, *cout;

static void add(void)
{
	NEED(npuop_binary(fx.ops, NPUOP_ADD, &x, &y, &out));
}

static void add_c(void)
{
	for (size_t i = 0; i < (size_t)N * N; i++)
		cout[i] = cx[i] + cy[i];
}

static void add_half(void)
{
	NEED(npuop_binary(fx.ops, NPUOP_ADD, &half, &half, &half));
}

static void add_row(void)
{
	NEED(npuop_binary(fx.ops, NPUOP_ADD, &x, &row, &out));
}

static void add_turned(void)
{
	NEED(npuop_binary(fx.ops, NPUOP_ADD, &x, &turned, &out));
}

static void gelu(void)
{
	NEED(npuop_unary(fx.ops, NPUOP_GELU, &x, &out));
}

static void copy(void)
{
	NEED(npuop_copy(fx.ops, &x, &out));
}

static void copy_c(void)
{
	memcpy(cout, cx, (size_t)N * N * 4);
	__asm__ volatile("" ::: "memory");
}

static void cast(void)
{
	NEED(npuop_copy(fx.ops, &x, &half));
}

static void transpose(void)
{
	NEED(npuop_copy(fx.ops, &turned, &out));
}

static void transpose_half(void)
{
	const npuop_tensor half_turned = npuop_tensor_transpose(&half, 0, 1);
	npuop_tensor to = out;

	to.dtype = NPUOP_F16;
	NEED(npuop_copy(fx.ops, &half_turned, &to));
}

static void transpose_c(void)
{
	for (size_t r = 0; r < N; r += 16)
		for (size_t c = 0; c < N; c += 16)
			for (size_t i = 0; i < 16; i++)
				for (size_t j = 0; j < 16; j++)
					cout[(c + i) * N + r + j] = cx[(r + j) * N + c + i];
}

int main(void)
{
	op_begin();
	x = tensor_random(NPUOP_F32, SHAPE(N, N));
	y = tensor_random(NPUOP_F32, SHAPE(N, N));
	out = tensor_random(NPUOP_F32, SHAPE(N, N));
	half = tensor_random(NPUOP_F16, SHAPE(N, N));
	row = tensor_random(NPUOP_F32, SHAPE(N));
	turned = npuop_tensor_transpose(&y, 0, 1);
	NEED(npurt_memory_map(x.memory, (void **)&cx));
	NEED(npurt_memory_map(y.memory, (void **)&cy));
	NEED(npurt_memory_map(out.memory, (void **)&cout));
	bench("copy", copy, ELEMENTS * 8, ELEMENTS);
	bench("copy, plain C", copy_c, ELEMENTS * 8, ELEMENTS);
	bench("add", add, ELEMENTS * 12, ELEMENTS);
	bench("add, plain C", add_c, ELEMENTS * 12, ELEMENTS);
	bench("add in fp16", add_half, ELEMENTS * 6, ELEMENTS);
	bench("add a row to all", add_row, ELEMENTS * 8, ELEMENTS);
	bench("add the transposed", add_turned, ELEMENTS * 12, ELEMENTS);
	bench("gelu", gelu, ELEMENTS * 8, ELEMENTS);
	bench("fp32 to fp16", cast, ELEMENTS * 6, ELEMENTS);
	bench("transpose", transpose, ELEMENTS * 8, ELEMENTS);
	bench("transpose, plain C", transpose_c, ELEMENTS * 8, ELEMENTS);
	bench("transpose fp16", transpose_half, ELEMENTS * 4, ELEMENTS);
	return op_end();
}

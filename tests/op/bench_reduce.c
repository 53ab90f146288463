// SPDX-License-Identifier: MIT
/* Sums of a matrix of N x N, and random numbers for it. */
#include "bench.h"

#define N 2048
#define ELEMENTS ((double)N * N)

static npuop_tensor x, row, col, one;
static const npuop_random_attr attr = { .size = sizeof(attr), .seed = 1 };

static void sum_rows(void)
{
	NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &col));
}

static void sum_columns(void)
{
	NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &row));
}

static void sum_all(void)
{
	NEED(npuop_reduce(fx.ops, NPUOP_REDUCE_SUM, &x, &one));
}

static volatile float kept;

static void sum_all_c(void)
{
	float *at, sum = 0;

	NEED(npurt_memory_map(x.memory, (void **)&at));
	for (size_t i = 0; i < (size_t)N * N; i++)
		sum += at[i];
	kept = sum;
}

static void uniform(void)
{
	NEED(npuop_random_uniform(fx.ops, &attr, 0, 1, &x));
}

static void normal(void)
{
	NEED(npuop_random_normal(fx.ops, &attr, 0, 1, &x));
}

static void dropout(void)
{
	NEED(npuop_dropout(fx.ops, &attr, 0.1f, &x, &x));
}

int main(void)
{
	op_begin();
	x = tensor_random(NPUOP_F32, SHAPE(N, N));
	row = tensor_random(NPUOP_F32, SHAPE(1, N));
	col = tensor_random(NPUOP_F32, SHAPE(N, 1));
	one = tensor_random(NPUOP_F32, SHAPE(1, 1));
	bench("sums of rows", sum_rows, ELEMENTS * 4, ELEMENTS);
	bench("sums of columns", sum_columns, ELEMENTS * 4, ELEMENTS);
	bench("sum of all", sum_all, ELEMENTS * 4, ELEMENTS);
	bench("sum of all, plain C", sum_all_c, ELEMENTS * 4, ELEMENTS);
	bench("uniform numbers", uniform, ELEMENTS * 4, ELEMENTS);
	bench("normal numbers", normal, ELEMENTS * 4, ELEMENTS);
	bench("dropout", dropout, ELEMENTS * 8, ELEMENTS);
	return op_end();
}

// SPDX-License-Identifier: MIT
/*
 * On the host: OpenBLAS's sgemm and the C library's memcpy, the peers of the NPU's
 * products and copies; npu-bench-peers THREADS batches: of batches of small products. Prints name,
 * value and unit, separated by tabs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "measure.h"
#include "operators.h"

#define COPY_BYTES (256ULL << 20)

static int threads;

/* Memory that is there: every page is touched. */
static void *allocate(size_t bytes)
{
	char *data = malloc(bytes);

	if (!data) {
		perror("npu-bench-peers");
		exit(1);
	}
	memset(data, 1, bytes);
	return data;
}

struct gemm {
	int size, count;
	int rounds; /* that are measured together, as the NPU's are */
	float *a, *b, *c;
};

static size_t matrix(const struct gemm *g, int index)
{
	return (size_t)g->size * g->size * index;
}

static void multiply(const struct gemm *g, int index)
{
	const int n = g->size;

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, g->a + matrix(g, index),
		    n, g->b + matrix(g, index), n, 0, g->c + matrix(g, index), n);
}

static void run_gemm(void *arg)
{
	const struct gemm *g = arg;

	for (int round = 0; round < g->rounds; round++) {
#pragma omp parallel for num_threads(threads) if (g->count > 1)
		for (int i = 0; i < g->count; i++)
			multiply(g, i);
	}
}

static void fill(const struct gemm *g, int index)
{
	const uint32_t n = g->size, seed = 1 + 2 * index;

	for (uint32_t row = 0; row < n; row++)
		for (uint32_t col = 0; col < n; col++) {
			g->a[matrix(g, index) + row * n + col] = (float)element(row, col, seed);
			g->b[matrix(g, index) + row * n + col] = (float)element(row, col, seed + 1);
		}
}

static void check(const struct gemm *g)
{
	for (uint32_t i = 0; i < SAMPLES; i++) {
		const uint32_t n = g->size, index = i % g->count;
		const uint32_t row = sample_row(i, n), col = sample_col(i, n);

		if (g->c[matrix(g, index) + row * n + col] == product(row, col, n, 1 + 2 * index))
			continue;
		fprintf(stderr, "npu-bench-peers: sgemm of %u is wrong\n", n);
		exit(1);
	}
}

static void bench_gemm(const char *name, int size, int count)
{
	const size_t bytes = sizeof(float) * size * size * count;
	struct gemm g = {
		.size = size,
		.count = count,
		.rounds = count > 1 ? LAUNCHES : LARGE_LAUNCHES,
		.a = allocate(bytes),
		.b = allocate(bytes),
		.c = allocate(bytes),
	};
	const double flops = 2.0 * size * size * size * count;
	double seconds;

	/* A large product is shared out by OpenBLAS; of small ones each thread does some. */
	openblas_set_num_threads(count > 1 ? 1 : threads);
	for (int i = 0; i < count; i++)
		fill(&g, i);
	seconds = best_seconds(run_gemm, &g) / g.rounds;
	check(&g);
	printf("%s_%d\t%.2f\tGFLOP/s\n", name, size, flops / seconds / 1e9);
	free(g.a);
	free(g.b);
	free(g.c);
}

struct copy {
	char *dst, *src;
};

static void run_copy(void *arg)
{
	struct copy *copy = arg;

	memcpy(copy->dst, copy->src, COPY_BYTES);
	/* The copy is used, so that it is made. */
	__asm__ volatile("" : : "r"(copy->dst) : "memory");
}

static void bench_copy(void)
{
	struct copy copy = { allocate(COPY_BYTES), allocate(COPY_BYTES) };

	printf("memcpy\t%.2f\tGB/s\n", COPY_BYTES / best_seconds(run_copy, &copy) / 1e9);
	free(copy.src);
	free(copy.dst);
}

int main(int argc, char **argv)
{
	static const struct batch batches[] = BATCHES;

	threads = argc > 1 ? atoi(argv[1]) : 1;
	if (argc > 2) {
		for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
			bench_gemm("batch", (int)batches[i].size, (int)batches[i].count);
		return 0;
	}
	bench_gemm("sgemm", 512, 1);
	bench_gemm("sgemm", 1024, 1);
	bench_gemm("sgemm", 2048, 1);
	bench_copy();
	return 0;
}

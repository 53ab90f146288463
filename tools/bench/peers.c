// SPDX-License-Identifier: MIT
/*
 * On the host: OpenBLAS's sgemm and the C library's memcpy, the peers of the NPU's
 * products and copies. Prints name, value and unit, separated by tabs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cblas.h>

#define ROUNDS 5 /* at least, and for SECONDS: the best counts */
#define SECONDS 0.3
#define COPY_BYTES (256ULL << 20)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Memory that is there: every page is touched. */
static void *allocate(size_t bytes)
{
	char *data = malloc(bytes);

	if (!data) {
		perror("npu-bench-peers");
		exit(1);
	}
	for (size_t i = 0; i < bytes / sizeof(float); i++)
		((float *)data)[i] = (float)(i % 17) - 8;
	return data;
}

static void bench_gemm(int n)
{
	float *a = allocate(sizeof(float) * n * n), *b = allocate(sizeof(float) * n * n);
	float *c = allocate(sizeof(float) * n * n);
	double best = INFINITY, end = now() + SECONDS;

	for (int round = 0; round <= ROUNDS || now() < end; round++) {
		double begin = now();

		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c,
			    n);
		if (round && now() - begin < best)
			best = now() - begin;
	}
	printf("sgemm_%d\t%.2f\tGFLOP/s\n", n, 2.0 * n * n * n / best / 1e9);
	free(a);
	free(b);
	free(c);
}

static void bench_copy(void)
{
	char *src = allocate(COPY_BYTES), *dst = allocate(COPY_BYTES);
	double best = INFINITY;

	for (int round = 0; round <= ROUNDS; round++) {
		double begin = now();

		memcpy(dst, src, COPY_BYTES);
		/* The copy is used, so that it is made. */
		__asm__ volatile("" : : "r"(dst) : "memory");
		if (round && now() - begin < best)
			best = now() - begin;
	}
	printf("memcpy\t%.2f\tGB/s\n", COPY_BYTES / best / 1e9);
	free(src);
	free(dst);
}

int main(int argc, char **argv)
{
	openblas_set_num_threads(argc > 1 ? atoi(argv[1]) : 1);
	bench_gemm(512);
	bench_gemm(1024);
	bench_gemm(2048);
	bench_copy();
	return 0;
}

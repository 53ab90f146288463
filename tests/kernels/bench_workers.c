// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The GEMM kernel on the whole device core, on one worker and on several: bench_workers DIRECTORY
 * WORKERS. Prints name, value and unit, separated by tabs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"
#include "module.h"
#include "npu_kernels.h"

#define N 2048
#define CORES 24
#define ROUNDS 10 /* of which the best counts */

/* Small integers, so that sums are exact. */
static float element(unsigned int row, unsigned int col, unsigned int seed)
{
	return (float)((row * 7 + col * 13 + seed) % 17) - 8;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static uint64_t operand(struct device *d, unsigned int seed)
{
	uint64_t address;
	float *data = device_alloc(d, sizeof(float) * N * N, &address);

	for (unsigned int row = 0; row < N; row++)
		for (unsigned int col = 0; col < N; col++)
			data[row * N + col] = element(row, col, seed);
	return address;
}

static bool right(const float *c)
{
	for (unsigned int i = 0; i < 64; i++) {
		const unsigned int row = i * 2654435761u % N, col = i * 40503u % N;
		float sum = 0;

		for (unsigned int k = 0; k < N; k++)
			sum += element(row, k, 1) * element(k, col, 2);
		if (c[row * N + col] != sum)
			return false;
	}
	return true;
}

/* Put a copy of @data there; gives its device address. */
static uint64_t put(struct device *d, const void *data, size_t bytes)
{
	uint64_t address;

	memcpy(device_alloc(d, bytes, &address), data, bytes);
	return address;
}

static void bench(const struct module_file *file, const struct npu_kernel_desc *kernel,
		  unsigned int workers)
{
	struct device *d = device_new(workers, CORES);
	const uint64_t entry = device_code(d, file->image, file->bytes) + kernel->entry;
	struct npu_gemm_args args = {
		.a = operand(d, 1), .b = operand(d, 2), .m = N, .n = N, .k = N,
		.lda = N, .ldb = N, .ldc = N, .in = NPU_F32, .out = NPU_F32,
	};
	const float *c = device_alloc(d, sizeof(float) * N * N, &args.c);
	const uint64_t at = put(d, &args, sizeof(args));
	double best = INFINITY;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const double start = seconds();
		const uint32_t status = device_run(d, entry, at, npu_gemm_blocks(N, N, CORES));

		if (status) {
			fprintf(stderr, "bench_workers: status %u\n", status);
			exit(1);
		}
		best = fmin(best, seconds() - start);
	}
	if (!right(c)) {
		fprintf(stderr, "bench_workers: the product is wrong\n");
		exit(1);
	}
	printf("workers_%u\t%.2f\tGFLOP/s\n", workers, 2e-9 * N * N * N / best);
	device_free(d);
}

int main(int argc, char **argv)
{
	const struct npu_kernel_desc *kernel;
	struct module_file file;
	char path[4096];

	if (argc != 3 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: %s DIRECTORY WORKERS\n", argv[0]);
		return 2;
	}
	snprintf(path, sizeof(path), "%s/gemm.elf", argv[1]);
	if (!module_read(&file, path))
		return 1;
	kernel = module_kernel(&file, "gemm", sizeof(struct npu_gemm_args));
	if (!kernel)
		return 1;
	bench(&file, kernel, 1);
	bench(&file, kernel, atoi(argv[2]));
	module_free(&file);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * In the VM: matrix products and copies through libnpurt. Prints name, value and
 * unit, separated by tabs. Results are checked on a sample of elements.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npurt/npurt.h>

#include "measure.h"
#include "npu_kernels.h"
#include "operators.h"

#define COPY_BYTES (256ULL << 20)

struct bench {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_kernel *gemm;
	uint32_t cores;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-compute: %s: %s\n", what, npurt_strerror(ret));
	exit(1);
}

static npurt_memory *allocate(struct bench *b, uint64_t bytes, uint32_t placement)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .placement = placement };
	npurt_memory *memory;

	check(npurt_memory_create(b->context, bytes, &attr, &memory), "memory");
	return memory;
}

static void fill(struct bench *b, npurt_memory *memory, uint32_t n, uint32_t seed, bool half)
{
	size_t size = half ? 2 : 4;
	char *data = malloc((size_t)n * n * size);

	if (!data)
		check(NPURT_ERROR_HOST_MEMORY, "matrix");
	for (uint32_t row = 0; row < n; row++)
		for (uint32_t col = 0; col < n; col++) {
			float value = element(row, col, seed);
			_Float16 short_value = value;

			memcpy(data + ((size_t)row * n + col) * size,
			       half ? (void *)&short_value : (void *)&value, size);
		}
	check(npurt_upload(b->stream, memory, 0, data, (uint64_t)n * n * size), "upload");
	free(data);
}

static void verify(struct bench *b, npurt_memory *c, uint32_t n)
{
	for (uint32_t i = 0; i < SAMPLES; i++) {
		const uint32_t row = sample_row(i, n), col = sample_col(i, n);
		const double wanted = product(row, col, n, 1);
		float value;

		check(npurt_download(b->stream, &value, c, ((uint64_t)row * n + col) * 4, 4),
		      "download");
		if (value != wanted) {
			fprintf(stderr, "npu-bench-compute: C[%u][%u] is %g, not %g\n", row, col,
				value, wanted);
			exit(1);
		}
	}
}

static void bench_gemm(struct bench *b, uint32_t n, bool half)
{
	npurt_memory *a = allocate(b, (uint64_t)n * n * (half ? 2 : 4), NPURT_PLACE_HBM);
	npurt_memory *m = allocate(b, (uint64_t)n * n * (half ? 2 : 4), NPURT_PLACE_HBM);
	npurt_memory *c = allocate(b, (uint64_t)n * n * 4, NPURT_PLACE_HBM);
	struct npu_gemm_args args = {
		.a = npurt_memory_address(a), .b = npurt_memory_address(m),
		.c = npurt_memory_address(c), .m = n, .n = n, .k = n,
		.lda = n, .ldb = n, .ldc = n,
		.in = half ? NPU_F16 : NPU_F32, .out = NPU_F32,
	};
	double best = INFINITY, end;

	fill(b, a, n, 1, half);
	fill(b, m, n, 2, half);
	end = now() + SECONDS;
	for (int round = 0; round <= MIN_ROUNDS || now() < end; round++) {
		double begin = now();

		for (int i = 0; i < LARGE_LAUNCHES; i++)
			check(npurt_launch(b->stream, b->gemm, npu_gemm_blocks(n, n, b->cores),
					   &args, sizeof(args), NULL), "launch");
		check(npurt_stream_synchronize(b->stream), "gemm");
		/* The first round warms up. */
		if (round && now() - begin < best)
			best = now() - begin;
	}
	verify(b, c, n);
	printf("gemm_%s_%u\t%.2f\tGFLOP/s\n", half ? "fp16" : "fp32", n,
	       2.0 * n * n * n * LARGE_LAUNCHES / best / 1e9);
	fflush(stdout);
	npurt_memory_destroy(a);
	npurt_memory_destroy(m);
	npurt_memory_destroy(c);
}

static double copy_rate(struct bench *b, npurt_memory *dst, npurt_memory *src)
{
	double best = INFINITY;

	for (int round = 0; round <= MIN_ROUNDS; round++) {
		double begin = now();

		check(npurt_memcpy(b->stream, dst, 0, src, 0, COPY_BYTES), "copy");
		if (round && now() - begin < best)
			best = now() - begin;
	}
	return COPY_BYTES / best / 1e9;
}

static void bench_copy(struct bench *b)
{
	npurt_memory *host = allocate(b, COPY_BYTES, NPURT_PLACE_HOST);
	npurt_memory *hbm = allocate(b, COPY_BYTES, NPURT_PLACE_HBM);
	uint64_t *data;

	check(npurt_memory_map(host, (void **)&data), "map");
	for (uint64_t i = 0; i < COPY_BYTES / 8; i += 512)
		data[i] = i;
	printf("copy_h2d\t%.2f\tGB/s\n", copy_rate(b, hbm, host));
	for (uint64_t i = 0; i < COPY_BYTES / 8; i += 512)
		data[i] = 0;
	printf("copy_d2h\t%.2f\tGB/s\n", copy_rate(b, host, hbm));
	for (uint64_t i = 0; i < COPY_BYTES / 8; i += 512)
		if (data[i] != i) {
			fprintf(stderr, "npu-bench-compute: copied wrongly at %llu\n",
				(unsigned long long)i * 8);
			exit(1);
		}
	npurt_memory_destroy(host);
	npurt_memory_destroy(hbm);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 512, 1024, 2048 };
	npurt_device_properties properties = { .size = sizeof(properties) };
	npurt_module *module;
	struct bench b;

	if (argc != 2) {
		fprintf(stderr, "usage: npu-bench-compute GEMM.ELF\n");
		return 2;
	}
	check(npurt_device_open(0, NULL, &b.device), "device");
	check(npurt_device_get_properties(b.device, &properties), "properties");
	b.cores = properties.cores;
	check(npurt_context_create(b.device, NULL, &b.context), "context");
	check(npurt_stream_create(b.context, NULL, &b.stream), "stream");
	check(npurt_module_load_file(b.context, argv[1], &module), argv[1]);
	check(npurt_module_get_kernel(module, "gemm", &b.gemm), "gemm");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench_gemm(&b, sizes[i], true);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench_gemm(&b, sizes[i], false);
	bench_copy(&b);
	npurt_stream_destroy(b.stream);
	npurt_module_unload(module);
	npurt_context_destroy(b.context);
	npurt_device_close(b.device);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GFLOP/s of the GEMM kernel on one core, in strict mode too, beside OpenBLAS sgemm on one
 * thread: bench_gemm DIRECTORY.
 */
#include <cblas.h>
#include <stdio.h>
#include <time.h>

#include "npu_kernels.h"
#include "ref.h"

/* CPU time: the core is one thread, and others may want the machine. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* The best of some runs. */
static double measure(struct core *core, const struct kernel_module *gemm, uint32_t size,
		      uint32_t in, uint32_t flags)
{
	struct npu_gemm_args args = {
		.m = size, .n = size, .k = size, .lda = size, .ldb = size, .ldc = size,
		.in = in, .out = in == NPU_S8 ? NPU_S32 : in, .flags = flags,
	};
	const double flop = 2.0 * size * size * size;
	double best = 0;

	ref_array(core, (size_t)size * size, in, &args.a);
	ref_array(core, (size_t)size * size, in, &args.b);
	ref_array(core, (size_t)size * size, args.out, &args.c);
	for (int i = 0; i < 3; i++) {
		const double start = seconds();
		double rate;

		if (core_run(core, gemm, "gemm", &args, sizeof(args),
			     npu_gemm_blocks(size, size, 24))) {
			fprintf(stderr, "gemm failed\n");
			exit(1);
		}
		rate = flop / (seconds() - start) * 1e-9;
		best = rate > best ? rate : best;
	}
	core_release(core);
	return best;
}

/* Likewise the best of some runs. */
static double measure_sgemm(uint32_t size)
{
	const size_t count = (size_t)size * size;
	float *m = malloc(3 * count * sizeof(float)), *a = m, *b = a + count, *c = b + count;
	const double flop = 2.0 * size * size * size;
	double best = 0;

	if (!m)
		return 0;
	for (size_t i = 0; i < 3 * count; i++)
		m[i] = i % 97 * 0.01f;
	for (int i = 0; i < 3; i++) {
		const double start = seconds();
		double rate;

		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1, a,
			    size, b, size, 0, c, size);
		rate = flop / (seconds() - start) * 1e-9;
		best = rate > best ? rate : best;
	}
	free(m);
	return best;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 256, 512, 1024, 2048 };
	static const struct {
		const char *name;
		uint32_t dtype;
	} types[] = {
		{ "fp32", NPU_F32 }, { "fp16", NPU_F16 }, { "bf16", NPU_BF16 }, { "int8", NPU_S8 },
	};
	struct core *core = core_new(64u << 20, false), *strict = core_new(64u << 20, true);
	struct kernel_module *gemm, *strict_gemm;
	char path[4096];

	openblas_set_num_threads(1);
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	snprintf(path, sizeof(path), "%s/gemm.elf", argv[1]);
	gemm = core_load(core, path);
	strict_gemm = core_load(strict, path);
	if (!gemm || !strict_gemm)
		return 1;
	printf("%-6s %-6s %8s %8s %8s %8s %10s\n", "size", "type", "AB", "A'B", "AB'", "A'B'",
	       "strict AB");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			printf("%-6u %-6s", sizes[i], types[t].name);
			for (uint32_t flags = 0; flags < 4; flags++)
				printf(" %8.1f",
				       measure(core, gemm, sizes[i], types[t].dtype, flags));
			printf(" %10.1f GFLOP/s\n",
			       measure(strict, strict_gemm, sizes[i], types[t].dtype, 0));
		}
		printf("%-6u sgemm  %8.1f GFLOP/s\n", sizes[i], measure_sgemm(sizes[i]));
	}
	kernel_module_free(strict_gemm);
	kernel_module_free(gemm);
	core_free(strict);
	core_free(core);
	return 0;
}

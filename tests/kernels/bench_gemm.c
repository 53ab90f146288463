// SPDX-License-Identifier: GPL-2.0-or-later
/* GFLOP/s of the GEMM kernel on one core, and what strict mode costs: bench_gemm DIRECTORY. */
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
		.in = in, .out = in, .flags = flags,
	};
	const double flop = 2.0 * size * size * size;
	double best = 0;

	ref_array(core, (size_t)size * size, in, &args.a);
	ref_array(core, (size_t)size * size, in, &args.b);
	ref_array(core, (size_t)size * size, in, &args.c);
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

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 256, 512, 1024, 2048 };
	struct core *core = core_new(64u << 20, false), *strict = core_new(64u << 20, true);
	struct kernel_module *gemm, *strict_gemm;
	char path[4096];

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
		for (uint32_t in = NPU_F32; in <= NPU_F16; in++) {
			printf("%-6u %-6s", sizes[i], in == NPU_F16 ? "fp16" : "fp32");
			for (uint32_t flags = 0; flags < 4; flags++)
				printf(" %8.1f", measure(core, gemm, sizes[i], in, flags));
			printf(" %10.1f GFLOP/s\n",
			       measure(strict, strict_gemm, sizes[i], in, 0));
		}
	}
	kernel_module_free(strict_gemm);
	kernel_module_free(gemm);
	core_free(strict);
	core_free(core);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modelled times of kernels, what of the roofline they reach, and what each pipe was busy:
 * roofline DIRECTORY PROFILE [KERNEL], of one kernel the time in ns alone.
 */
#include <npu/npu_mmu.h>

#include "npu_kernels.h"
#include "ref.h"
#include "tile.h"
#include "timing_profile.h"

#define MACS 4096.0 /* of fp16, a cycle */

struct bench {
	struct core *core;
	const struct npu_profile *profile;
	struct modules modules;
	const char *only;
	bool found;
};

static struct kernel_module *module(struct bench *b, const char *directory, const char *name)
{
	char path[4096];
	struct kernel_module *m;

	snprintf(path, sizeof(path), "%s/%s.elf", directory, name);
	m = core_load(b->core, path);
	if (!m)
		exit(1);
	return m;
}

static void print_head(void)
{
	static const char *const pipes[] = { "S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX" };

	printf("%-18s %6s %9s %8s %8s %6s ", "kernel", "blocks", "us", "Tops/s", "GB/s", "roof");
	for (int i = 0; i < NPU_PIPE_COUNT; i++)
		printf(" %5s", pipes[i]);
	printf("\n");
}

/*
 * The roof is what the cubes could do at most, or what HBM has to move at least, whichever takes
 * longer; pipes are said as a part of what cores were busy.
 */
static void print_times(struct bench *b, const char *name, uint32_t blocks, double ops,
			double cube_cycles)
{
	const struct core_time *t = core_time(b->core);
	const struct npu_profile *p = b->profile;
	const double bytes = t->bytes - t->again;
	const double cube_ns = cube_cycles * 1000 / p->mhz / p->cores;
	const double hbm_ns = bytes * 1000 / p->hbm_mbps;

	printf("%-18s %6u %9.2f %8.2f %8.1f %5.1f%% ", name, blocks, t->ns / 1e3,
	       ops / t->ns / 1e3, bytes / t->ns, 100 * fmax(cube_ns, hbm_ns) / t->ns);
	for (int i = 0; i < NPU_PIPE_COUNT; i++)
		printf(" %4.0f%%", 100.0 * t->busy_ns[i] / fmax(t->core_ns, 1));
	printf("\n");
}

static bool wanted(struct bench *b, const char *name)
{
	if (b->only && strcmp(b->only, name))
		return false;
	b->found = true;
	return true;
}

static void run(struct bench *b, const struct kernel_module *m, const char *kernel,
		const char *name, const void *args, size_t size, uint32_t blocks, double ops,
		double cube_cycles)
{
	if (core_run(b->core, m, kernel, args, size, blocks)) {
		fprintf(stderr, "%s failed\n", name);
		exit(1);
	}
	if (b->only)
		printf("%llu\n", (unsigned long long)core_time(b->core)->ns);
	else
		print_times(b, name, blocks, ops, cube_cycles);
	core_release(b->core);
}

/* Memory as an allocator of pages gives it. */
static void zeros(struct bench *b, size_t bytes, uint64_t *address)
{
	core_alloc(b->core, bytes + NPU_PAGE_SIZE, address);
	*address = (*address + NPU_PAGE_SIZE - 1) & ~(NPU_PAGE_SIZE - 1);
}

static void gemm(struct bench *b, uint32_t size, uint32_t in, const char *type)
{
	struct npu_gemm_args args = {
		.m = size, .n = size, .k = size, .lda = size, .ldb = size, .ldc = size,
		.in = in, .out = in, .scale = in == NPU_S8 ? 1 : 0,
	};
	const double ops = 2.0 * size * size * size;
	const size_t bytes = (size_t)size * size * tile_dtype_size(in);
	char name[32];

	snprintf(name, sizeof(name), "gemm-%s-%u", type, size);
	if (!wanted(b, name))
		return;
	zeros(b, bytes, &args.a);
	zeros(b, bytes, &args.b);
	zeros(b, bytes, &args.c);
	run(b, b->modules.gemm, "gemm", name, &args, sizeof(args),
	    npu_gemm_blocks(size, size, b->profile->cores), ops,
	    ops / 2 / (MACS * b->profile->cube_k[in] / b->profile->cube_k[NPU_F16]));
}

static void add(struct bench *b, uint64_t count)
{
	struct npu_eltwise_args args = {
		.count = count, .op = NPU_ELTWISE_ADD, .dtype = NPU_F16,
	};
	char name[32];

	snprintf(name, sizeof(name), "add-f16-%lluM", (unsigned long long)count >> 20);
	if (!wanted(b, name))
		return;
	zeros(b, 2 * count, &args.x);
	zeros(b, 2 * count, &args.y);
	zeros(b, 2 * count, &args.out);
	run(b, b->modules.elementwise, "elementwise", name, &args, sizeof(args),
	    npu_count_blocks(count, b->profile->cores), count, 0);
}

static void sum_rows(struct bench *b, uint32_t rows, uint32_t cols)
{
	struct npu_reduce_args args = {
		.rows = rows, .cols = cols, .ldx = cols, .op = NPU_REDUCE_SUM,
	};
	const char *name = "sum-rows-f32";

	if (!wanted(b, name))
		return;
	zeros(b, (size_t)rows * cols * 4, &args.x);
	zeros(b, (size_t)rows * 4, &args.out);
	run(b, b->modules.reduce, "reduce_rows", name, &args, sizeof(args),
	    b->profile->cores, (double)rows * cols, 0);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 512, 1024, 2048 };
	struct bench b = { .profile = npu_profile_find(argc > 2 ? argv[2] : NULL) };

	if (!b.profile || argc > 4) {
		fprintf(stderr, "usage: %s DIRECTORY 310b|910|910b|910c [KERNEL]\n", argv[0]);
		return 2;
	}
	b.only = argv[3];
	b.core = core_new(128u << 20, false);
	core_model(b.core, b.profile);
	b.modules.gemm = module(&b, argv[1], "gemm");
	b.modules.elementwise = module(&b, argv[1], "elementwise");
	b.modules.reduce = module(&b, argv[1], "reduce");
	if (!b.only)
		print_head();
	for (int i = 0; i < 3; i++) {
		gemm(&b, sizes[i], NPU_F16, "f16");
		gemm(&b, sizes[i], NPU_S8, "s8");
		gemm(&b, sizes[i], NPU_F32, "f32");
	}
	add(&b, 16 << 20);
	sum_rows(&b, 8192, 2048);
	core_free(b.core);
	if (!b.found)
		fprintf(stderr, "no kernel %s\n", b.only);
	return !b.found;
}

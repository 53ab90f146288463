// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Speed of the tile engines on one host core, beside OpenBLAS sgemm on one thread (if
 * libopenblas.so.0 is there). An argument limits the run to one CPU level: v1, v3, v4 or vnni.
 */
#include <dlfcn.h>
#include <time.h>

#include "tile_math.h"
#include "tile_vm.h"

#define MIN_SECONDS 0.1
#define ROUNDS 3

static struct tile_vm vm;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Calls a second, the best of a few rounds. */
static double rate(void (*fn)(const void *arg), const void *arg)
{
	double best = 0, start, seconds;

	fn(arg);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned long calls = 0;

		start = now();
		do {
			fn(arg);
			calls++;
			seconds = now() - start;
		} while (seconds < MIN_SECONDS);
		if (calls / seconds > best)
			best = calls / seconds;
	}
	return best;
}

struct insn {
	unsigned int major, funct3;
	uint64_t rd, rs1, rs2, rs3;
};

static void run(const void *arg)
{
	const struct insn *insn = arg;

	if (vm_exec(&vm, insn->major, insn->funct3, insn->rd, insn->rs1, insn->rs2, insn->rs3)) {
		printf("refused with status %d\n", vm.tile.error.status);
		exit(1);
	}
}

static const char *const dtype_names[] = {
	[NPU_F32] = "f32", [NPU_F16] = "f16", [NPU_BF16] = "bf16", [NPU_S32] = "s32",
	[NPU_S8] = "s8",   [NPU_U8] = "u8",   [NPU_S16] = "s16",
};

static void bench_mmad(unsigned int dtype, unsigned int m, unsigned int n, unsigned int k)
{
	const struct insn insn = {
		CUBE, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE,
		mmad_config(m, n, k, dtype, false),
	};

	printf("%-4s mmad %-4s %4u %4u %4u %8.1f G%s/s\n", npu_tile_isa_name(&vm.tile),
	       dtype_names[dtype], m, n, k, rate(run, &insn) * 2e-9 * m * n * k,
	       dtype == NPU_S8 ? "OP" : "FLOP");
}

static void bench_vector(const char *name, uint64_t config)
{
	const uint64_t count = NPU_GET(NPU_VEC_COUNT, config);
	const struct insn insn = {
		VECTOR, NPU_VEC_OP, NPU_UB_BASE + 0x10000, NPU_UB_BASE, NPU_UB_BASE + 0x8000,
		config,
	};

	printf("%-4s %-9s %-4s %8.2f Gelement/s\n", npu_tile_isa_name(&vm.tile), name,
	       dtype_names[NPU_GET(NPU_VEC_DTYPE, config)], rate(run, &insn) * 1e-9 * count);
}

static void bench_load0(unsigned int dtype, unsigned int size, unsigned int rows)
{
	const struct insn insn = {
		MTE, NPU_MTE_LOAD0, NPU_L0B_BASE, NPU_L1_BASE,
		NPU_PREP(NPU_LOAD0_ROWS, rows) | NPU_PREP(NPU_LOAD0_COLS, 128) |
			NPU_PREP(NPU_LOAD0_SRC_PITCH, 128 * size),
		NPU_PREP(NPU_LOAD0_DST_PITCH, 128 * size) | NPU_PREP(NPU_LOAD0_DTYPE, dtype) |
			NPU_LOAD0_TRANSPOSE,
	};

	printf("%-4s load0 transposed %-4s %3u x 128 %8.2f Gelement/s\n",
	       npu_tile_isa_name(&vm.tile), dtype_names[dtype], rows,
	       rate(run, &insn) * 128e-9 * rows);
}

static void bench_fixpipe(unsigned int src, unsigned int dst, float scale)
{
	const uint32_t bits = tile_bits(scale);
	const struct insn insn = {
		CUBE, NPU_CUBE_FIXPIPE, NPU_L1_BASE, NPU_L0C_BASE,
		NPU_PREP(NPU_FIXPIPE_ROWS, 128) | NPU_PREP(NPU_FIXPIPE_COLS, 256) |
			NPU_PREP(NPU_FIXPIPE_DST_PITCH, 1024),
		NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, src) | NPU_PREP(NPU_FIXPIPE_DST_DTYPE, dst) |
			NPU_PREP(NPU_FIXPIPE_SCALE, bits) | NPU_FIXPIPE_RELU,
	};

	printf("%-4s fixpipe %s to %-4s by %g %8.2f Gelement/s\n", npu_tile_isa_name(&vm.tile),
	       dtype_names[src], dtype_names[dst], scale, rate(run, &insn) * 128e-9 * 256);
}

/* Small values: denormals or NaNs would time something else. */
static void fill(void)
{
	float *ub = (float *)vm.tile.ub;

	memset(vm.tile.l0a, 0x30, NPU_L0A_SIZE);
	memset(vm.tile.l0b, 0x30, NPU_L0B_SIZE);
	memset(vm.tile.l0c, 0, NPU_L0C_SIZE);
	for (unsigned int i = 0; i < NPU_UB_SIZE / sizeof(*ub); i++)
		ub[i] = 0.5f + i % 97 * 0.01f;
}

static void bench_isa(void)
{
	static const struct {
		const char *name;
		unsigned int opcode;
	} ops[] = {
		{ "mov", NPU_VMOV }, { "add", NPU_VADD }, { "mla", NPU_VMLA },
		{ "max", NPU_VMAX }, { "div", NPU_VDIV }, { "exp", NPU_VEXP },
		{ "ln", NPU_VLN }, { "sqrt", NPU_VSQRT }, { "tanh", NPU_VTANH },
		{ "erf", NPU_VERF }, { "cmp_lt", NPU_VCMP_LT }, { "sum", NPU_VSUM },
		{ "dot", NPU_VDOT }, { "madd", NPU_VMADD },
		{ "redmax", NPU_VREDMAX }, { "argmax", NPU_VARGMAX },
	};

	fill();
	for (unsigned int dtype = NPU_F32; dtype <= NPU_BF16; dtype++) {
		bench_mmad(dtype, 128, 256, dtype == NPU_F32 ? 64 : 128);
		bench_mmad(dtype, 128, 128, 128);
		bench_mmad(dtype, 64, 64, 64);
		bench_mmad(dtype, 32, 32, 32);
		bench_mmad(dtype, 16, 16, 16);
		bench_mmad(dtype, 8, 128, 128);
		bench_mmad(dtype, 1, 128, 128);
	}
	bench_mmad(NPU_S8, 128, 256, 256);
	bench_mmad(NPU_S8, 64, 64, 64);
	bench_mmad(NPU_F16, 100, 200, 150);
	bench_load0(NPU_F32, 4, 128);
	bench_load0(NPU_F16, 2, 128);
	bench_load0(NPU_S8, 1, 128);
	bench_load0(NPU_F32, 4, 8);
	bench_load0(NPU_F16, 2, 16);
	bench_load0(NPU_S8, 1, 32);
	bench_fixpipe(NPU_F32, NPU_F32, 0);
	bench_fixpipe(NPU_F32, NPU_F16, 0);
	bench_fixpipe(NPU_S32, NPU_S8, 1);
	bench_fixpipe(NPU_S32, NPU_S8, 0.5f);
	fill();
	for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		bench_vector(ops[i].name, vec_config(ops[i].opcode, NPU_F32, 8192));
		bench_vector(ops[i].name, vec_config(ops[i].opcode, NPU_F16, 8192));
	}
	bench_vector("add", vec_config(NPU_VADD, NPU_S32, 8192));
	bench_vector("add", vec_config(NPU_VADD, NPU_S8, 8192));
	bench_vector("to f16", vec_config(NPU_VCAST, NPU_F32, 8192) |
			       NPU_PREP(NPU_VEC_DST_DTYPE, NPU_F16));
	bench_vector("to s8", vec_config(NPU_VCAST, NPU_F32, 8192) |
			      NPU_PREP(NPU_VEC_DST_DTYPE, NPU_S8));
}

typedef void (*sgemm_fn)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
			 const float *a, int lda, const float *b, int ldb, float beta, float *c,
			 int ldc);

struct sgemm {
	sgemm_fn fn;
	int m, n, k;
	float *a, *b, *c;
};

static void run_sgemm(const void *arg)
{
	const struct sgemm *s = arg;

	s->fn(101, 111, 111, s->m, s->n, s->k, 1, s->a, s->k, s->b, s->n, 0, s->c, s->n);
}

static void bench_sgemm(sgemm_fn fn, int m, int n, int k)
{
	struct sgemm s = { fn, m, n, k, calloc(m * k, 4), calloc(k * n, 4), calloc(m * n, 4) };

	if (s.a && s.b && s.c)
		printf("OpenBLAS sgemm %4d %4d %4d %8.1f GFLOP/s\n", m, n, k,
		       rate(run_sgemm, &s) * 2e-9 * m * n * k);
	free(s.a);
	free(s.b);
	free(s.c);
}

static void bench_openblas(void)
{
	void *lib = dlopen("libopenblas.so.0", RTLD_NOW);
	void (*set_threads)(int n);
	sgemm_fn fn;

	if (!lib) {
		printf("no libopenblas.so.0 to compare with\n");
		return;
	}
	set_threads = (void (*)(int))dlsym(lib, "openblas_set_num_threads");
	fn = (sgemm_fn)dlsym(lib, "cblas_sgemm");
	if (set_threads && fn) {
		set_threads(1);
		bench_sgemm(fn, 128, 256, 128);
		bench_sgemm(fn, 512, 512, 512);
		bench_sgemm(fn, 1024, 1024, 1024);
	}
	dlclose(lib);
}

int main(int argc, char **argv)
{
	vm_init(&vm);
	bench_openblas();
	for (unsigned int i = 0; i < sizeof(vm_isas) / sizeof(vm_isas[0]); i++)
		if ((argc < 2 || !strcmp(argv[1], vm_isas[i])) && vm_use_isa(&vm, vm_isas[i]))
			bench_isa();
	vm_fini(&vm);
	return 0;
}

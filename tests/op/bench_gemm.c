// SPDX-License-Identifier: MIT
/*
 * GFLOP/s of npuop_gemm() on one core of the device's library, beside OpenBLAS sgemm of the same
 * shape on one thread, if libopenblas.so.0 is there: what a step of a small GPT multiplies, small
 * products in batches, and large ones.
 */
#include <dlfcn.h>
#include <time.h>

#include "op_test.h"

#define SECONDS 0.2 /* for each figure, of which the best round counts */

struct bench {
	uint64_t batch, m, n, k;
	enum npuop_dtype in, out;
	bool a_turned, b_turned;
	enum npuop_activation activation;
	bool bias;
};

typedef void sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
		      const float *a, int lda, const float *b, int ldb, float beta, float *c,
		      int ldc);

static sgemm_fn *sgemm;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What is multiplied: on the NPU, and the same numbers of floats for OpenBLAS. */
struct operands {
	npuop_tensor a, b, c, bias;
	float *fa, *fb, *fc;
};

static void run_npu(const struct bench *t, struct operands *o)
{
	const npuop_gemm_attr attr = {
		.size = sizeof(attr),
		.activation = t->activation,
		.bias = t->bias ? &o->bias : NULL,
	};

	NEED(npuop_gemm(fx.ops, &attr, &o->a, &o->b, &o->c));
	sync_stream();
}

static void run_blas(const struct bench *t, struct operands *o)
{
	for (uint64_t i = 0; i < t->batch; i++)
		sgemm(101, t->a_turned ? 112 : 111, t->b_turned ? 112 : 111, (int)t->m, (int)t->n,
		      (int)t->k, 1, o->fa + i * t->m * t->k, (int)(t->a_turned ? t->m : t->k),
		      o->fb + i * t->k * t->n, (int)(t->b_turned ? t->k : t->n), 0,
		      o->fc + i * t->m * t->n, (int)t->n);
}

static double rate(const struct bench *t, struct operands *o,
		   void (*run)(const struct bench *t, struct operands *o))
{
	const double begin = now();
	double best = 1e9;

	run(t, o);
	do {
		const double start = now();

		run(t, o);
		best = fmin(best, now() - start);
	} while (now() - begin < SECONDS);
	return 2e-9 * (double)(t->batch * t->m * t->n * t->k) / best;
}

static npuop_tensor operand(enum npuop_dtype dtype, uint64_t batch, uint64_t rows, uint64_t cols,
			    bool turned)
{
	npuop_tensor x =
		tensor_random(dtype, SHAPE(batch, turned ? cols : rows, turned ? rows : cols));

	return turned ? npuop_tensor_transpose(&x, 1, 2) : x;
}

static void bench(const struct bench *t)
{
	static const char *const types[] = { "fp32", "fp16", "bf16", "s32", "int8" };
	const uint64_t a = t->batch * t->m * t->k, b = t->batch * t->k * t->n;
	struct operands o = {
		.a = operand(t->in, t->batch, t->m, t->k, t->a_turned),
		.b = operand(t->in, t->batch, t->k, t->n, t->b_turned),
		.c = tensor_new(t->out, SHAPE(t->batch, t->m, t->n)),
		.bias = tensor_random(NPUOP_F32, SHAPE(t->n)),
		.fa = calloc(a, sizeof(float)),
		.fb = calloc(b, sizeof(float)),
		.fc = calloc(t->batch * t->m * t->n, sizeof(float)),
	};
	double npu, blas = 0;

	for (uint64_t i = 0; i < a; i++)
		o.fa[i] = (float)rnd_uniform();
	for (uint64_t i = 0; i < b; i++)
		o.fb[i] = (float)rnd_uniform();
	npu = rate(t, &o, run_npu);
	if (sgemm)
		blas = rate(t, &o, run_blas);
	printf("%5llu x %4llux%4llux%4llu %-4s %s%s%s%-5s %7.1f %7.1f %5.2f\n",
	       (unsigned long long)t->batch, (unsigned long long)t->m, (unsigned long long)t->n,
	       (unsigned long long)t->k, types[t->in], t->a_turned ? "A'" : "A",
	       t->b_turned ? "B'" : "B", t->bias ? "+b" : "", t->activation ? " gelu" : "", npu,
	       blas, blas > 0 ? npu / blas : 0);
	fflush(stdout);
	tensor_free(&o.a);
	tensor_free(&o.b);
	tensor_free(&o.c);
	tensor_free(&o.bias);
	free(o.fa);
	free(o.fb);
	free(o.fc);
}

static void load_blas(void)
{
	void (*threads)(int);
	void *library;

	library = dlopen("libopenblas.so.0", RTLD_NOW);
	if (!library)
		return;
	sgemm = (sgemm_fn *)dlsym(library, "cblas_sgemm");
	threads = (void (*)(int))dlsym(library, "openblas_set_num_threads");
	if (threads)
		threads(1);
}

int main(void)
{
	static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16, NPUOP_S8 };
	static const uint64_t gpt[][3] = {
		{ 2048, 192, 768 }, { 2048, 768, 192 }, { 2048, 256, 256 }, { 2048, 1024, 256 }
	};
	static const uint64_t square[][2] = { { 256, 64 }, { 64, 128 }, { 8, 256 }, { 1, 2048 } };

	/* With what goes with them in a layer, and of few rows, as in generation. */
	static const struct bench layers[] = {
		{ 1, 2048, 768, 192, NPUOP_F16, NPUOP_F16, false, false, NPUOP_ACT_GELU, true },
		{ 1, 2048, 768, 192, NPUOP_F32, NPUOP_F32, false, false, NPUOP_ACT_NONE, true },
		{ 1, 8, 768, 192, NPUOP_F32, NPUOP_F32, false, false, NPUOP_ACT_NONE, true },
		{ 1, 1, 768, 192, NPUOP_F32, NPUOP_F32, false, false, NPUOP_ACT_NONE, true },
	};

	op_begin();
	load_blas();
	printf("%-24s %-4s %-9s %7s %7s %5s   GFLOP/s\n", "batch x m x n x k", "", "", "NPU",
	       "sgemm", "ratio");
	for (size_t i = 0; i < COUNT(square); i++)
		for (size_t j = 0; j < COUNT(types); j++)
			bench(&(struct bench){
				.batch = square[i][0],
				.m = square[i][1],
				.n = square[i][1],
				.k = square[i][1],
				.in = types[j],
				.out = types[j] == NPUOP_S8 ? NPUOP_S32 : NPUOP_F32,
			});
	for (size_t i = 0; i < COUNT(gpt); i++)
		for (size_t j = 0; j < 2; j++)
			for (int turned = 0; turned < 3; turned++)
				bench(&(struct bench){
					.batch = 1,
					.m = gpt[i][0],
					.n = gpt[i][1],
					.k = gpt[i][2],
					.in = types[j],
					.a_turned = turned == 1,
					.b_turned = turned == 2,
				});
	for (size_t i = 0; i < COUNT(layers); i++)
		bench(&layers[i]);
	return op_end();
}

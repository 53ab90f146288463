// SPDX-License-Identifier: GPL-2.0-or-later
/* GEMM against a loop that adds in the same order: the same bits are expected. */
#include "npu_kernels.h"
#include "ref.h"

#define PAD 3 /* elements between the rows of a matrix */
#define UNTOUCHED 0x5a

struct gemm_case {
	uint32_t m, n, k;
	uint32_t in, out, flags;
	uint32_t blocks;
};

static double element(const void *matrix, uint32_t ld, uint32_t row, uint32_t col,
		      unsigned int dtype, bool trans)
{
	return trans ? ref_get(matrix, (size_t)col * ld + row, dtype) :
		       ref_get(matrix, (size_t)row * ld + col, dtype);
}

/* One element of C in the type of the sum, as the output type's value. */
static double reference(const struct gemm_case *t, const struct npu_gemm_args *args,
			const void *a, const void *b, uint32_t m, uint32_t n)
{
	const bool trans_a = t->flags & NPU_GEMM_TRANS_A, trans_b = t->flags & NPU_GEMM_TRANS_B;
	float sum = 0;
	int32_t isum = 0;

	for (uint32_t k = 0; k < t->k; k++) {
		const double x = element(a, args->lda, m, k, t->in, trans_a);
		const double y = element(b, args->ldb, k, n, t->in, trans_b);

		if (t->in == NPU_S8)
			isum += (int32_t)x * (int32_t)y;
		else
			sum = fmaf((float)x, (float)y, sum);
	}
	if (t->in == NPU_S8)
		sum = t->out == NPU_S32 ? 0 : (float)isum * args->scale;
	if (t->flags & NPU_GEMM_RELU) {
		sum = sum > 0 ? sum : 0;
		isum = isum > 0 ? isum : 0;
	}
	return t->out == NPU_S32 ? isum : sum;
}

/* Compares all of C, and that nothing was written between its rows. */
static bool check(const struct gemm_case *t, const struct npu_gemm_args *args, const void *a,
		  const void *b, const void *c)
{
	const size_t bytes = ref_bytes(t->out);

	for (uint32_t m = 0; m < t->m; m++) {
		for (uint32_t n = 0; n < t->n; n++) {
			const size_t at = (size_t)m * args->ldc + n;
			double want = reference(t, args, a, b, m, n);
			uint32_t rounded[1];

			ref_set(rounded, 0, t->out, want);
			want = ref_get(rounded, 0, t->out);
			if (ref_get(c, at, t->out) != want) {
				printf("# C[%u][%u] is %g, not %g\n", m, n,
				       ref_get(c, at, t->out), want);
				return false;
			}
		}
		for (size_t i = 0; i < PAD * bytes; i++)
			if (((const uint8_t *)c)[((size_t)m * args->ldc + t->n) * bytes + i] !=
			    UNTOUCHED) {
				printf("# row %u of C was written beyond its end\n", m);
				return false;
			}
	}
	return true;
}

static void run_case(struct core *core, const struct modules *modules, const struct gemm_case *t)
{
	const uint32_t a_rows = t->flags & NPU_GEMM_TRANS_A ? t->k : t->m;
	const uint32_t a_cols = t->flags & NPU_GEMM_TRANS_A ? t->m : t->k;
	const uint32_t b_rows = t->flags & NPU_GEMM_TRANS_B ? t->n : t->k;
	const uint32_t b_cols = t->flags & NPU_GEMM_TRANS_B ? t->k : t->n;
	struct npu_gemm_args args = {
		.m = t->m, .n = t->n, .k = t->k,
		.lda = a_cols + PAD, .ldb = b_cols + PAD, .ldc = t->n + PAD,
		.in = t->in, .out = t->out, .flags = t->flags, .scale = 0.0078125f,
	};
	const void *a = ref_array(core, (size_t)a_rows * args.lda, t->in, &args.a);
	const void *b = ref_array(core, (size_t)b_rows * args.ldb, t->in, &args.b);
	const size_t c_bytes = (size_t)t->m * args.ldc * ref_bytes(t->out);
	void *c = core_alloc(core, c_bytes, &args.c);

	memset(c, UNTOUCHED, c_bytes);
	if (ref_run(core, modules->gemm, "gemm", &args, sizeof(args), t->blocks))
		ok(check(t, &args, a, b, c), "gemm %ux%ux%u, types %u to %u, flags %u, %u blocks",
		   t->m, t->n, t->k, t->in, t->out, t->flags, t->blocks);
	core_release(core);
}

void test_gemm(struct core *core, const struct modules *modules)
{
	static const struct gemm_case cases[] = {
		{ 1, 1, 1, NPU_F32, NPU_F32, 0, 1 },
		{ 3, 5, 7, NPU_F16, NPU_F32, 0, 1 },
		{ 128, 256, 128, NPU_F16, NPU_F16, 0, 1 },
		{ 128, 256, 64, NPU_F32, NPU_F32, 0, 1 },
		{ 129, 257, 65, NPU_F16, NPU_F32, 0, 4 },
		{ 129, 257, 65, NPU_F32, NPU_F32, NPU_GEMM_RELU, 3 },
		{ 130, 300, 77, NPU_BF16, NPU_BF16, 0, 2 },
		{ 70, 33, 190, NPU_S8, NPU_S32, 0, 1 },
		{ 70, 33, 190, NPU_S8, NPU_F16, NPU_GEMM_RELU, 1 },
		{ 300, 530, 35, NPU_F16, NPU_F32, 0, 5 },
		{ 64, 64, 5000, NPU_F16, NPU_F32, 0, 1 }, /* more of k than L1 holds */
		{ 40, 520, 3000, NPU_F32, NPU_F32, 0, 1 }, /* likewise, and the next tile's */
		{ 5, 6, 0, NPU_F16, NPU_F32, 0, 1 }, /* an empty sum is zero */
		{ 10, 10, 10, NPU_F32, NPU_F16, 0, 100 }, /* more blocks than tiles */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(core, modules, &cases[i]);
	for (uint32_t trans = 0; trans < 4; trans++) {
		run_case(core, modules,
			 &(struct gemm_case){ 131, 270, 141, NPU_F16, NPU_F32, trans, 2 });
		run_case(core, modules,
			 &(struct gemm_case){ 131, 520, 141, NPU_F32, NPU_F32, trans, 2 });
		run_case(core, modules,
			 &(struct gemm_case){ 64, 10, 1437, NPU_F32, NPU_F32, trans, 1 });
		run_case(core, modules,
			 &(struct gemm_case){ 33, 65, 97, NPU_S8, NPU_S32, trans, 1 });
	}
}

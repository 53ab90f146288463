// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernels of docs/kernels.md's tutorial. */
#include <npu/npu_module.h>

#include "examples.h"
#include "ref.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void run_scale(struct core *core, const struct modules *modules, uint64_t count,
		      uint32_t blocks)
{
	struct scale_args args = { .count = count, .factor = 0.75f };
	const float *x = ref_array(core, count, NPU_F32, &args.x);
	const float *out = ref_array(core, count + 1, NPU_F32, &args.out);
	const float guard = out[count];
	size_t wrong = 0;

	if (ref_run(core, modules->scale, "scale", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < count; i++)
			wrong += out[i] != 0.75f * x[i];
		ok(!wrong && out[count] == guard, "example scale of %llu, %u blocks",
		   (unsigned long long)count, blocks);
	}
	core_release(core);
}

static void run_row_sum(struct core *core, const struct modules *modules, uint32_t rows,
			uint32_t cols, uint32_t blocks)
{
	struct row_sum_args args = { .rows = rows, .cols = cols };
	const float *x = ref_array(core, (size_t)rows * cols, NPU_F32, &args.x);
	const float *out = ref_array(core, rows, NPU_F32, &args.out);
	size_t wrong = 0;

	if (ref_run(core, modules->row_sum, "row_sum", &args, sizeof(args), blocks)) {
		for (size_t r = 0; r < rows; r++) {
			double want = 0;

			for (size_t c = 0; c < cols; c++)
				want += x[r * cols + c];
			wrong += !(fabs(out[r] - want) <= 1e-6 * cols);
		}
		ok(!wrong, "example row_sum %ux%u, %u blocks", rows, cols, blocks);
	}
	core_release(core);
}

/* In the order of the cube: the same bits. */
static void run_matmul(struct core *core, const struct modules *modules, uint32_t m, uint32_t n,
		       uint32_t k, uint32_t blocks)
{
	struct matmul_args args = { .m = m, .n = n, .k = k };
	const ref_f16 *a = ref_array(core, (size_t)m * k, NPU_F16, &args.a);
	const ref_f16 *b = ref_array(core, (size_t)k * n, NPU_F16, &args.b);
	const float *c = ref_array(core, (size_t)m * n, NPU_F32, &args.c);
	size_t wrong = 0;

	if (ref_run(core, modules->matmul, "matmul", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < m; i++) {
			for (size_t j = 0; j < n; j++) {
				float want = 0;

				for (size_t l = 0; l < k; l++)
					want = fmaf((float)a[i * k + l], (float)b[l * n + j], want);
				wrong += c[i * n + j] != want;
			}
		}
		ok(!wrong, "example matmul %ux%ux%u, %u blocks", m, n, k, blocks);
	}
	core_release(core);
}

/* One query: softmax of all scores at once, in double. */
static void attend(const ref_f16 *q, const ref_f16 *k, const ref_f16 *v,
		   const struct flash_attention_args *args, double *out)
{
	double scores[1024], greatest = -INFINITY, sum = 0;

	for (size_t j = 0; j < args->keys; j++) {
		scores[j] = 0;
		for (size_t d = 0; d < args->width; d++)
			scores[j] += (double)q[d] * (double)k[j * args->width + d];
		scores[j] *= args->scale;
		greatest = fmax(greatest, scores[j]);
	}
	memset(out, 0, args->width * sizeof(*out));
	for (size_t j = 0; j < args->keys; j++) {
		const double p = exp(scores[j] - greatest);

		sum += p;
		for (size_t d = 0; d < args->width; d++)
			out[d] += p * (double)v[j * args->width + d];
	}
	for (size_t d = 0; d < args->width; d++)
		out[d] /= sum;
}

/* P is rounded to fp16: that is what an error is made of. */
static void run_attention(struct core *core, const struct modules *modules, uint32_t queries,
			  uint32_t keys, uint32_t width, uint32_t blocks)
{
	struct flash_attention_args args = {
		.queries = queries,
		.keys = keys,
		.width = width,
		.scale = 4 / sqrtf(width),
	};
	const ref_f16 *q = ref_array(core, (size_t)queries * width, NPU_F16, &args.q);
	const ref_f16 *k = ref_array(core, (size_t)keys * width, NPU_F16, &args.k);
	const ref_f16 *v = ref_array(core, (size_t)keys * width, NPU_F16, &args.v);
	const float *out = ref_array(core, (size_t)queries * width, NPU_F32, &args.out);
	double want[FLASH_ATTENTION_WIDTH], worst = 0;

	if (ref_run(core, modules->flash_attention, "flash_attention", &args, sizeof(args),
		    blocks)) {
		for (size_t i = 0; i < queries; i++) {
			attend(&q[i * width], k, v, &args, want);
			for (size_t d = 0; d < width; d++)
				worst = fmax(worst, fabs(out[i * width + d] - want[d]));
		}
		ok(worst <= 1e-3,
		   "example flash_attention of %u queries, %u keys, width %u, "
		   "%u blocks: within %.1e",
		   queries, keys, width, blocks, worst);
	}
	core_release(core);
}

static void run_refused(struct core *core, const struct modules *modules)
{
	const struct flash_attention_args args = { .queries = 1, .keys = 1, .width = 129 };

	ok(core_run(core, modules->flash_attention, "flash_attention", &args, sizeof(args), 1) ==
			   NPU_ST_KERNEL_TRAP &&
		   core_fault(core)->address >> 56 == NPU_TRAP_ASSERT,
	   "example flash_attention asserts its width");
	core_release(core);
}

void test_examples(struct core *core, const struct modules *modules)
{
	static const uint32_t sizes[][3] = {
		{ 1, 1, 1 },
		{ 128, 128, 128 },
		{ 130, 257, 300 },
		{ 17, 200, 1000 },
	};

	run_scale(core, modules, 1, 1);
	run_scale(core, modules, 100003, 3);
	run_scale(core, modules, 0, 2);
	run_row_sum(core, modules, 1, 1, 1);
	run_row_sum(core, modules, 1000, 37, 3);
	run_row_sum(core, modules, 5, ROW_SUM_COLS, 2);
	for (size_t i = 0; i < COUNT(sizes); i++)
		run_matmul(core, modules, sizes[i][0], sizes[i][1], sizes[i][2], i + 1);
	run_attention(core, modules, 1, 1, 1, 1);
	run_attention(core, modules, 64, 128, 128, 1);
	run_attention(core, modules, 200, 1000, 64, 2);
	run_attention(core, modules, 65, 129, 80, 1);
	run_refused(core, modules);
}

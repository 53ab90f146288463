// SPDX-License-Identifier: GPL-2.0-or-later
/* Element by element kernels: vector_add, elementwise, cast, sgd. */
#include "npu_kernels.h"
#include "ref.h"

static const size_t counts[] = { 1, 15, 8191, 8193, 70001 };
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

static void run_vector_add(struct core *core, const struct modules *modules, size_t count,
			   uint32_t blocks)
{
	struct npu_vector_add_args args = { .count = count };
	const float *x = ref_array(core, count, NPU_F32, &args.x);
	const float *y = ref_array(core, count, NPU_F32, &args.y);
	const float *out = ref_array(core, count + 1, NPU_F32, &args.out);
	const float after = out[count];
	size_t wrong = 0;

	if (ref_run(core, modules->vector_add, "vector_add", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < count; i++)
			wrong += out[i] != x[i] + y[i];
		ok(!wrong && out[count] == after, "vector_add of %zu, %u blocks", count, blocks);
	}
	core_release(core);
}

/* In double, rounded once to the element type. */
static double eltwise(uint32_t op, double x, double y, double alpha)
{
	switch (op) {
	case NPU_ELTWISE_ADD:
		return x + y;
	case NPU_ELTWISE_SUB:
		return x - y;
	case NPU_ELTWISE_MUL:
		return x * y;
	case NPU_ELTWISE_RELU:
		return x > 0 ? x : 0;
	case NPU_ELTWISE_RELU_GRAD:
		return y > 0 ? x : 0;
	case NPU_ELTWISE_SCALE:
		return alpha * x;
	default:
		return fma(alpha, x, y);
	}
}

static void run_eltwise(struct core *core, const struct modules *modules, uint32_t op,
			uint32_t dtype, size_t count, uint32_t blocks, bool in_place)
{
	struct npu_eltwise_args args = {
		.count = count, .op = op, .dtype = dtype, .alpha = -0.3125f,
	};
	const void *x = ref_array(core, count, dtype, &args.x);
	const void *y = ref_array(core, count, dtype, &args.y);
	const size_t bytes = count * ref_bytes(dtype);
	const void *out = core_alloc(core, bytes, &args.out);
	void *x_before = malloc(bytes);
	size_t wrong = 0;

	memcpy(x_before, x, bytes);
	if (in_place) {
		args.out = args.x;
		out = x;
	}
	if (ref_run(core, modules->elementwise, "elementwise", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < count; i++) {
			uint32_t want[1];

			ref_set(want, 0, dtype,
				eltwise(op, ref_get(x_before, i, dtype), ref_get(y, i, dtype),
					args.alpha));
			wrong += ref_get(want, 0, dtype) != ref_get(out, i, dtype);
		}
		ok(!wrong, "elementwise op %u, type %u, %zu elements, %u blocks%s", op, dtype,
		   count, blocks, in_place ? ", in place" : "");
	}
	free(x_before);
	core_release(core);
}

static void run_cast(struct core *core, const struct modules *modules, uint32_t in, uint32_t out,
		     size_t count, uint32_t blocks)
{
	struct npu_cast_args args = { .count = count, .in = in, .dtype_out = out };
	const void *x = ref_array(core, count, in, &args.x);
	const void *y = core_alloc(core, count * ref_bytes(out), &args.out);
	size_t wrong = 0;

	if (ref_run(core, modules->cast, "cast", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < count; i++) {
			uint32_t want[1];

			ref_set(want, 0, out, ref_get(x, i, in));
			wrong += ref_get(want, 0, out) != ref_get(y, i, out);
		}
		ok(!wrong, "cast of %zu, type %u to %u, %u blocks", count, in, out, blocks);
	}
	core_release(core);
}

static void run_sgd(struct core *core, const struct modules *modules, size_t count,
		    uint32_t blocks, bool momentum, bool half)
{
	struct npu_sgd_args args = { .count = count, .rate = 0.1f, .momentum = 0.9f };
	uint64_t v_address, w16_address;
	const float *w = ref_array(core, count, NPU_F32, &args.w);
	const float *g = ref_array(core, count, NPU_F32, &args.g);
	const float *v = ref_array(core, count, NPU_F32, &v_address);
	const ref_f16 *w16 = core_alloc(core, count * sizeof(*w16), &w16_address);
	float *before = malloc(2 * count * sizeof(*before));
	size_t wrong = 0;

	memcpy(before, w, count * sizeof(*w));
	memcpy(before + count, v, count * sizeof(*v));
	args.v = momentum ? v_address : 0;
	args.w16 = half ? w16_address : 0;
	if (ref_run(core, modules->sgd, "sgd", &args, sizeof(args), blocks)) {
		for (size_t i = 0; i < count; i++) {
			const float step = momentum ? fmaf(before[count + i], args.momentum, g[i]) :
						      g[i];
			const float want = fmaf(step, -args.rate, before[i]);

			wrong += w[i] != want || (half && w16[i] != (ref_f16)want) ||
				 v[i] != (momentum ? step : before[count + i]);
		}
		ok(!wrong, "sgd of %zu, %u blocks%s%s", count, blocks,
		   momentum ? ", momentum" : "", half ? ", fp16 copy" : "");
	}
	free(before);
	core_release(core);
}

void test_elementwise(struct core *core, const struct modules *modules)
{
	for (size_t i = 0; i < COUNTS; i++)
		run_vector_add(core, modules, counts[i], 1 + i);
	for (uint32_t op = 0; op < NPU_ELTWISE_COUNT; op++) {
		for (size_t i = 0; i < COUNTS; i++)
			run_eltwise(core, modules, op, i & 1 ? NPU_F16 : NPU_F32, counts[i],
				    1 + i, i == 2);
		run_eltwise(core, modules, op, NPU_F16, 70001, 3, true);
	}
	for (size_t i = 0; i < COUNTS; i++) {
		run_cast(core, modules, NPU_F32, NPU_F16, counts[i], 1 + i);
		run_cast(core, modules, NPU_F16, NPU_F32, counts[i], 1 + i);
	}
	for (size_t i = 0; i < COUNTS; i++)
		run_sgd(core, modules, counts[i], 1 + i, i & 1, i & 2);
}

// SPDX-License-Identifier: MIT
/* Reductions of the null device: by docs/numerics.md, as the device's own are. */
#include "rt_test.h"

#include <math.h>

#include <npu/npu_tile.h>

#include "null.h"

static uint32_t reduce(uint32_t type, uint32_t op, uint32_t a, uint32_t b)
{
	null_reduce(&a, &b, null_dtype_size(type), type, op);
	return a;
}

static uint32_t bits(float x)
{
	uint32_t word;

	memcpy(&word, &x, sizeof(word));
	return word;
}

/* Added to zero, each number is itself, but for -0, and a NaN is the one that there is. */
static bool keeps(uint32_t type, uint32_t infinity, uint32_t nan)
{
	for (uint32_t h = 0; h < 65536; h++) {
		const uint32_t want = (h & 0x7fff) > infinity ? nan : h == 0x8000 ? 0 : h;

		if (reduce(type, NPU_REDUCE_ADD, h, 0) != want) {
			printf("# 0x%x gives 0x%x\n", h, reduce(type, NPU_REDUCE_ADD, h, 0));
			return false;
		}
	}
	return true;
}

static void test_rounding(void)
{
	static const struct {
		uint32_t type, a, b, want;
	} cases[] = {
		{ NPU_F16, 0x6800, 0x3c00, 0x6800 }, /* 2048 + 1: a tie, to even */
		{ NPU_F16, 0x6801, 0x3c00, 0x6802 }, /* 2050 + 1 */
		{ NPU_F16, 0x7bff, 0x4b00, 0x7bff }, /* 65504 + 14 */
		{ NPU_F16, 0x7bff, 0x4c00, 0x7c00 }, /* 65504 + 16 is too much */
		{ NPU_F16, 0x0001, 0x0001, 0x0002 }, /* denormals */
		{ NPU_F16, 0x03ff, 0x0001, 0x0400 },
		{ NPU_F16, 0x7c00, 0xfc00, 0x7e00 }, /* infinities */
		{ NPU_BF16, 0x4380, 0x3f80, 0x4380 }, /* 256 + 1 */
		{ NPU_BF16, 0x4381, 0x3f80, 0x4382 }, /* 258 + 1 */
		{ NPU_S32, 0x7fffffff, 1, 0x80000000 },
		{ NPU_S16, 0x7fff, 1, 0x8000 },
		{ NPU_S8, 0x7f, 1, 0x80 },
		{ NPU_U8, 0xff, 1, 0 },
	};
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < COUNT(cases); i++)
		wrong += reduce(cases[i].type, NPU_REDUCE_ADD, cases[i].a, cases[i].b) !=
			 cases[i].want;
	ok(!wrong, "sums round to even, and wrap");
	ok(reduce(NPU_F32, NPU_REDUCE_ADD, bits(1.5f), bits(2)) == bits(3.5f), "fp32");
}

static void test_order(void)
{
	ok(reduce(NPU_F32, NPU_REDUCE_MAX, bits(-0.0f), bits(0)) == bits(0) &&
		   reduce(NPU_F32, NPU_REDUCE_MIN, bits(0), bits(-0.0f)) == bits(-0.0f) &&
		   reduce(NPU_F32, NPU_REDUCE_MIN, bits(-0.0f), bits(0)) == bits(-0.0f),
	   "+0 is greater than -0");
	ok(reduce(NPU_F32, NPU_REDUCE_MAX, bits(1), bits(NAN)) == 0x7fc00000 &&
		   reduce(NPU_F16, NPU_REDUCE_MIN, 0x7e01, 0x3c00) == 0x7e00,
	   "a NaN stays one");
	ok(reduce(NPU_S8, NPU_REDUCE_MAX, 0x80, 1) == 1 &&
		   reduce(NPU_U8, NPU_REDUCE_MAX, 0x80, 1) == 0x80 &&
		   reduce(NPU_S16, NPU_REDUCE_MIN, 0x8000, 1) == 0x8000 &&
		   reduce(NPU_S32, NPU_REDUCE_MIN, 5, 7) == 5,
	   "integers have a sign, or not");
}

int main(void)
{
	ok(keeps(NPU_F16, 0x7c00, 0x7e00), "each fp16 number is kept");
	ok(keeps(NPU_BF16, 0x7f80, 0x7fc0), "each bf16 number, too");
	test_rounding();
	test_order();
	ok(!null_dtype_size(NPU_DTYPE_COUNT), "there are no other types");
	return rt_done();
}

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include <drm/npu_accel.h>

#include "npu_clock.h"
#include "npu_device.h"

static struct npu_device *npu_clock_test_device(struct kunit *test, u32 freq)
{
	struct npu_device *npu = kunit_kzalloc(test, sizeof(*npu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, npu);
	npu->info.timestamp_freq = freq;
	return npu;
}

static void npu_clock_test_past(struct kunit *test)
{
	const struct drm_npu_dev_timestamp now = {
		.device = 5000, .cpu_before = 1000 * NSEC_PER_SEC,
		.cpu_after = 1000 * NSEC_PER_SEC + 100,
	};
	struct npu_device *npu = npu_clock_test_device(test, 1000);
	u64 middle = now.cpu_before + 50;

	KUNIT_EXPECT_EQ(test, middle, npu_clock_to_cpu(npu, &now, 5000));
	KUNIT_EXPECT_EQ(test, middle - NSEC_PER_MSEC, npu_clock_to_cpu(npu, &now, 4999));
	KUNIT_EXPECT_EQ(test, middle - 5 * NSEC_PER_SEC, npu_clock_to_cpu(npu, &now, 0));
}

/* Whatever a device says, the division has room for it: it is the machine's end if it has not. */
static void npu_clock_test_nonsense(struct kunit *test)
{
	static const u32 freqs[] = { 1, 1000, NSEC_PER_SEC, U32_MAX };
	struct drm_npu_dev_timestamp now = {
		.cpu_before = 1000 * NSEC_PER_SEC, .cpu_after = 1000 * NSEC_PER_SEC + 100,
	};
	u64 middle = now.cpu_before + 50;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(freqs); i++) {
		struct npu_device *npu = npu_clock_test_device(test, freqs[i]);

		now.device = 5;
		KUNIT_EXPECT_EQ(test, middle, npu_clock_to_cpu(npu, &now, 6));
		KUNIT_EXPECT_EQ(test, middle, npu_clock_to_cpu(npu, &now, U64_MAX));
		now.device = U64_MAX;
		KUNIT_EXPECT_EQ(test, middle, npu_clock_to_cpu(npu, &now, 0));
		KUNIT_EXPECT_EQ(test, middle, npu_clock_to_cpu(npu, &now, U64_MAX));
	}
}

static struct kunit_case npu_clock_cases[] = {
	KUNIT_CASE(npu_clock_test_past),
	KUNIT_CASE(npu_clock_test_nonsense),
	{ }
};

static struct kunit_suite npu_clock_suite = {
	.name = "npu_clock",
	.test_cases = npu_clock_cases,
};

kunit_test_suite(npu_clock_suite);

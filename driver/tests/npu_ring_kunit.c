// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include "npu_ring.h"

#define SLOTS 16

/* Where indices pass from the largest to 0, nothing changes. */
static const u32 npu_ring_starts[] = { 0, 1, SLOTS - 1, SLOTS, 0x7ffffff8, -SLOTS, -3 };

static void npu_ring_test_slot(struct kunit *test)
{
	unsigned int i;
	u32 index;

	for (i = 0; i < ARRAY_SIZE(npu_ring_starts); i++) {
		u32 first = npu_ring_slot(npu_ring_starts[i], SLOTS);

		for (index = 0; index < 3 * SLOTS; index++)
			KUNIT_ASSERT_EQ(test, (first + index) % SLOTS,
					npu_ring_slot(npu_ring_starts[i] + index, SLOTS));
	}
}

static void npu_ring_test_room(struct kunit *test)
{
	unsigned int i;
	u32 used, count;

	for (i = 0; i < ARRAY_SIZE(npu_ring_starts); i++) {
		u32 head = npu_ring_starts[i];

		for (used = 0; used <= SLOTS; used++) {
			KUNIT_EXPECT_EQ(test, used, npu_ring_used(head, head + used));
			for (count = 0; count <= SLOTS + 1; count++)
				KUNIT_ASSERT_EQ(test, used + count <= SLOTS,
						npu_ring_has_room(head, head + used, SLOTS, count));
		}
	}
}

/* More than there can be, as in half of a ring, or because an index is wrong: no room. */
static void npu_ring_test_no_room(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, npu_ring_has_room(0, SLOTS + 1, SLOTS, 0));
	KUNIT_EXPECT_FALSE(test, npu_ring_has_room(5, 4, SLOTS, 1));
	KUNIT_EXPECT_FALSE(test, npu_ring_has_room(0, 1, SLOTS, U32_MAX));
	KUNIT_EXPECT_FALSE(test, npu_ring_has_room(0, 0, SLOTS, U32_MAX));
}

/* What is left of the pass before never looks like an entry of this one. */
static void npu_ring_test_phase(struct kunit *test)
{
	unsigned int i;
	u32 index;

	KUNIT_EXPECT_TRUE(test, npu_ring_phase(0, SLOTS));
	for (i = 0; i < ARRAY_SIZE(npu_ring_starts); i++) {
		for (index = npu_ring_starts[i]; index != npu_ring_starts[i] + SLOTS; index++)
			KUNIT_ASSERT_NE(test, npu_ring_phase(index, SLOTS),
					npu_ring_phase(index + SLOTS, SLOTS));
	}
}

static struct kunit_case npu_ring_cases[] = {
	KUNIT_CASE(npu_ring_test_slot),
	KUNIT_CASE(npu_ring_test_room),
	KUNIT_CASE(npu_ring_test_no_room),
	KUNIT_CASE(npu_ring_test_phase),
	{ }
};

static struct kunit_suite npu_ring_suite = {
	.name = "npu_ring",
	.test_cases = npu_ring_cases,
};

kunit_test_suite(npu_ring_suite);

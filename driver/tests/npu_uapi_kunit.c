// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>

#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "npu_uapi.h"

#define NPU_UAPI_SPACE (4 * PAGE_SIZE)
#define NPU_UAPI_FEW 2
#define NPU_UAPI_MAX 8

/* An element as an old user, as the driver and as a new user know it. */
struct npu_uapi_v0 {
	u64 a;
};

struct npu_uapi_v1 {
	u64 a;
	u64 b;
};

struct npu_uapi_v2 {
	u64 a;
	u64 b;
	u64 c;
};

static int npu_uapi_test_init(struct kunit *test)
{
	unsigned long at = kunit_vm_mmap(test, NULL, 0, NPU_UAPI_SPACE, PROT_READ | PROT_WRITE,
					 MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE_MSG(test, at, 0, "no memory of a user");
	KUNIT_ASSERT_LT(test, at, (unsigned long)TASK_SIZE);
	test->priv = (void *)at;
	return 0;
}

static void npu_uapi_put(struct kunit *test, size_t offset, const void *data, size_t size)
{
	u8 __user *to = (u8 __user __force *)test->priv + offset;

	KUNIT_ASSERT_EQ(test, 0, copy_to_user(to, data, size));
}

static struct npu_uapi_v1 *npu_uapi_get(struct kunit *test, u32 count, u32 stride,
					struct npu_uapi_v1 *few)
{
	struct drm_npu_array array = {
		.count = count,
		.stride = stride,
		.array = (uintptr_t)test->priv,
	};

	return npu_uapi_get_array(&array, NPU_UAPI_MAX, sizeof(struct npu_uapi_v0),
				  sizeof(struct npu_uapi_v1), few, NPU_UAPI_FEW);
}

/* Few elements need no allocation, more do; both are the same. */
static void npu_uapi_test_same(struct kunit *test)
{
	struct npu_uapi_v1 in[NPU_UAPI_MAX], few[NPU_UAPI_FEW], *out;
	u32 i, count;

	for (i = 0; i < NPU_UAPI_MAX; i++)
		in[i] = (struct npu_uapi_v1){ 2 * i, 2 * i + 1 };
	npu_uapi_put(test, 0, in, sizeof(in));

	for (count = 1; count <= NPU_UAPI_MAX; count++) {
		out = npu_uapi_get(test, count, sizeof(*in), few);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, out);
		KUNIT_EXPECT_EQ(test, out == few, count <= NPU_UAPI_FEW);
		KUNIT_EXPECT_MEMEQ(test, out, &in[0], count * sizeof(*in));
		if (out != few)
			kvfree(out);
	}
}

static void npu_uapi_test_older(struct kunit *test)
{
	struct npu_uapi_v0 in[NPU_UAPI_FEW] = { { 7 }, { 8 } };
	struct npu_uapi_v1 few[NPU_UAPI_FEW] = { { ~0, ~0 }, { ~0, ~0 } };

	npu_uapi_put(test, 0, in, sizeof(in));
	KUNIT_ASSERT_PTR_EQ(test, &few[0], npu_uapi_get(test, NPU_UAPI_FEW, sizeof(*in), few));
	KUNIT_EXPECT_EQ(test, 7, few[0].a);
	KUNIT_EXPECT_EQ(test, 0, few[0].b);
	KUNIT_EXPECT_EQ(test, 8, few[1].a);
	KUNIT_EXPECT_EQ(test, 0, few[1].b);
}

static void npu_uapi_test_newer(struct kunit *test)
{
	struct npu_uapi_v2 in[NPU_UAPI_FEW] = { { 7, 8, 0 }, { 9, 10, 0 } };
	struct npu_uapi_v1 few[NPU_UAPI_FEW];

	npu_uapi_put(test, 0, in, sizeof(in));
	KUNIT_ASSERT_PTR_EQ(test, &few[0], npu_uapi_get(test, NPU_UAPI_FEW, sizeof(*in), few));
	KUNIT_EXPECT_EQ(test, 8, few[0].b);
	KUNIT_EXPECT_EQ(test, 9, few[1].a);

	/* Something that we do not know is asked for, be it in the last element only. */
	in[1].c = 1;
	npu_uapi_put(test, 0, in, sizeof(in));
	KUNIT_EXPECT_EQ(test, -E2BIG,
			PTR_ERR_OR_ZERO(npu_uapi_get(test, NPU_UAPI_FEW, sizeof(*in), few)));
}

static void npu_uapi_test_bounds(struct kunit *test)
{
	struct npu_uapi_v1 few[NPU_UAPI_FEW];
	const u32 size = sizeof(*few);

	KUNIT_EXPECT_NULL(test, npu_uapi_get(test, 0, 0, few));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(npu_uapi_get(test, NPU_UAPI_MAX + 1, size, few)));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(npu_uapi_get(test, U32_MAX, size, few)));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(npu_uapi_get(test, 1, 0, few)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(npu_uapi_get(test, 1, sizeof(struct npu_uapi_v0) - 1,
						     few)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(npu_uapi_get(test, 1, PAGE_SIZE + 1, few)));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(npu_uapi_get(test, 1, U32_MAX, few)));
}

static void npu_uapi_test_fault(struct kunit *test)
{
	struct drm_npu_array array = {
		.count = NPU_UAPI_MAX,
		.stride = sizeof(struct npu_uapi_v1),
		.array = (uintptr_t)test->priv + NPU_UAPI_SPACE - sizeof(struct npu_uapi_v1),
	};

	KUNIT_EXPECT_EQ(test, -EFAULT,
			PTR_ERR_OR_ZERO(npu_uapi_get_array(&array, NPU_UAPI_MAX, 8, 16, NULL, 0)));
	/* A stride of its own takes another path. */
	array.stride = 8;
	array.array = (uintptr_t)test->priv + NPU_UAPI_SPACE - 8;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			PTR_ERR_OR_ZERO(npu_uapi_get_array(&array, NPU_UAPI_MAX, 8, 16, NULL, 0)));
}

static void npu_uapi_test_put_struct(struct kunit *test)
{
	const struct npu_uapi_v1 src = { 3, 4 };
	struct npu_uapi_v2 dst = { 5, 6, 7 };
	u32 size = 0;

	/* Only its size is asked for. */
	KUNIT_EXPECT_EQ(test, 0, npu_uapi_put_struct(0, &size, &src, sizeof(src)));
	KUNIT_EXPECT_EQ(test, sizeof(src), size);

	npu_uapi_put(test, 0, &dst, sizeof(dst));
	size = sizeof(dst);
	KUNIT_EXPECT_EQ(test, 0, npu_uapi_put_struct((uintptr_t)test->priv, &size, &src,
						     sizeof(src)));
	KUNIT_EXPECT_EQ(test, sizeof(src), size);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&dst, (void __user __force *)test->priv,
						sizeof(dst)));
	KUNIT_EXPECT_EQ(test, 3, dst.a);
	KUNIT_EXPECT_EQ(test, 4, dst.b);
	KUNIT_EXPECT_EQ(test, 7, dst.c);

	size = sizeof(struct npu_uapi_v0);
	dst = (struct npu_uapi_v2){ 5, 6, 7 };
	npu_uapi_put(test, 0, &dst, sizeof(dst));
	KUNIT_EXPECT_EQ(test, 0, npu_uapi_put_struct((uintptr_t)test->priv, &size, &src,
						     sizeof(src)));
	KUNIT_EXPECT_EQ(test, sizeof(struct npu_uapi_v0), size);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&dst, (void __user __force *)test->priv,
						sizeof(dst)));
	KUNIT_EXPECT_EQ(test, 3, dst.a);
	KUNIT_EXPECT_EQ(test, 6, dst.b);

	size = sizeof(src);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			npu_uapi_put_struct((uintptr_t)test->priv + NPU_UAPI_SPACE - 4, &size, &src,
					    sizeof(src)));
}

static struct kunit_case npu_uapi_cases[] = {
	KUNIT_CASE(npu_uapi_test_same),
	KUNIT_CASE(npu_uapi_test_older),
	KUNIT_CASE(npu_uapi_test_newer),
	KUNIT_CASE(npu_uapi_test_bounds),
	KUNIT_CASE(npu_uapi_test_fault),
	KUNIT_CASE(npu_uapi_test_put_struct),
	{ }
};

static struct kunit_suite npu_uapi_suite = {
	.name = "npu_uapi",
	.init = npu_uapi_test_init,
	.test_cases = npu_uapi_cases,
};

kunit_test_suite(npu_uapi_suite);

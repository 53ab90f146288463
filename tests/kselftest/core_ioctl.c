// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Ioctls of the DRM core on an accel node. Two of them use the DRM master, which
 * such a node does not have; none may do more than fail.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(core_ioctl)
{
	struct npu_ctx ctx;
};

FIXTURE_SETUP(core_ioctl)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
}

FIXTURE_TEARDOWN(core_ioctl)
{
	EXPECT_TRUE(npu_ctx_works(&self->ctx));
	npu_ctx_close(&self->ctx);
}

TEST_F(core_ioctl, version)
{
	char name[16] = "", desc[64] = "", date[16] = "";
	struct drm_version version = {
		.name_len = sizeof(name) - 1, .name = name,
		.desc_len = sizeof(desc) - 1, .desc = desc,
		.date_len = sizeof(date) - 1, .date = date,
	};

	ASSERT_EQ(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_VERSION, &version));
	EXPECT_STREQ("npu", name);
	EXPECT_EQ(1, version.version_major);
}

TEST_F(core_ioctl, master_ioctls_are_refused)
{
	struct drm_unique unique = { 0 };
	struct drm_auth auth = { 0 };

	EXPECT_GT(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_GET_UNIQUE, &unique));
	EXPECT_GT(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_GET_MAGIC, &auth));
	/* A second time: a lock that the first left held would stop here. */
	EXPECT_GT(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_GET_UNIQUE, &unique));
	EXPECT_GT(0, npu_ioctl(self->ctx.fd, DRM_IOCTL_GET_MAGIC, &auth));
}

/* A structure of a newer user: what it wants that there is not is refused, whatever it is. */
TEST_F(core_ioctl, unknown_tail_has_to_be_zero)
{
	struct {
		struct drm_npu_dev_query query;
		uint64_t tail[2];
	} arg = { .query = { .type = DRM_NPU_DEV_QUERY_INFO } };
	unsigned long cmd = _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
				 _IOC_NR(DRM_IOCTL_NPU_DEV_QUERY), sizeof(arg));

	EXPECT_EQ(0, npu_ioctl(self->ctx.fd, cmd, &arg));
	EXPECT_EQ(sizeof(struct drm_npu_dev_info), arg.query.size);
	arg.tail[1] = 1ULL << 63;
	EXPECT_EQ(-E2BIG, npu_ioctl(self->ctx.fd, cmd, &arg));
}

TEST_F_TIMEOUT(core_ioctl, every_number_survives, 300)
{
	/* Every core number and every driver number, in all directions and sizes. */
	static const unsigned int dirs[] = { _IOC_NONE, _IOC_READ, _IOC_WRITE,
					     _IOC_READ | _IOC_WRITE };
	static const unsigned int sizes[] = { 0, 4, 8, 16, 64, 256 };
	unsigned char data[512];
	int fd;

	for (unsigned int nr = 0; nr < 0x100; nr++) {
		for (size_t d = 0; d < ARRAY_SIZE(dirs); d++) {
			for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
				fd = npu_open();
				ASSERT_GE(fd, 0);
				memset(data, 0, sizeof(data));
				ioctl(fd, _IOC(dirs[d], DRM_IOCTL_BASE, nr, sizes[s]), data);
				memset(data, 0xff, sizeof(data));
				ioctl(fd, _IOC(dirs[d], DRM_IOCTL_BASE, nr, sizes[s]), data);
				close(fd);
			}
		}
	}
}

TEST_F(core_ioctl, null_and_bad_pointers)
{
	for (unsigned int nr = 0; nr < 10; nr++) {
		unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
					     DRM_COMMAND_BASE + nr, 64);

		EXPECT_EQ(-1, ioctl(self->ctx.fd, request, NULL));
		EXPECT_EQ(-1, ioctl(self->ctx.fd, request, (void *)~0xfffUL));
	}
}

TEST_HARNESS_MAIN

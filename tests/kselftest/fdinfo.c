// SPDX-License-Identifier: GPL-2.0 OR MIT
/* /proc/PID/fdinfo as Documentation/gpu/drm-usage-stats.rst has it */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(fdinfo)
{
	struct npu_ctx ctx;
};

FIXTURE_SETUP(fdinfo)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
}

FIXTURE_TEARDOWN(fdinfo)
{
	npu_ctx_close(&self->ctx);
}

/* Value of @key, with its unit in @unit; -1 if it is not there. */
static long long read_key(int fd, const char *key, char unit[16])
{
	char path[64], line[256];
	long long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(key);

		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		unit[0] = '\0';
		sscanf(line + len + 1, "%lld %15s", &value, unit);
	}
	fclose(file);
	return value;
}

static long long read_bytes(int fd, const char *key)
{
	char unit[16];
	long long value = read_key(fd, key, unit);

	if (value > 0 && !strcmp(unit, "KiB"))
		return value << 10;
	if (value > 0 && !strcmp(unit, "MiB"))
		return value << 20;
	return value;
}

TEST_F(fdinfo, identity)
{
	char path[64], text[4096] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ctx.fd);
	file = fopen(path, "r");
	ASSERT_NE(NULL, file);
	ASSERT_GT(fread(text, 1, sizeof(text) - 1, file), 0);
	fclose(file);
	EXPECT_NE(NULL, strstr(text, "drm-driver:\tnpu\n"));
	EXPECT_NE(NULL, strstr(text, "drm-client-id:\t"));
	EXPECT_NE(NULL, strstr(text, "drm-pdev:\t0000:"));
}

TEST_F(fdinfo, memory_follows_allocations)
{
	long long hbm = read_bytes(self->ctx.fd, "drm-resident-hbm");
	long long system = read_bytes(self->ctx.fd, "drm-resident-system");
	uint32_t a, b;

	ASSERT_GE(hbm, CTX_DATA_SIZE);
	ASSERT_GE(system, CTX_LIST_SIZE);
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, 16 << 20, DRM_NPU_BO_HBM, &a));
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, 4 << 20, DRM_NPU_BO_SYSTEM, &b));
	EXPECT_EQ(hbm + (16 << 20), read_bytes(self->ctx.fd, "drm-resident-hbm"));
	EXPECT_EQ(system + (4 << 20), read_bytes(self->ctx.fd, "drm-total-system"));
	ASSERT_EQ(0, npu_bo_close(self->ctx.fd, a));
	ASSERT_EQ(0, npu_bo_close(self->ctx.fd, b));
	EXPECT_EQ(hbm, read_bytes(self->ctx.fd, "drm-resident-hbm"));
}

TEST_F(fdinfo, engine_time_grows_with_work)
{
	struct npu_ctx *ctx = &self->ctx;
	char unit[16];
	long long before = read_key(ctx->fd, "drm-engine-sdma", unit);

	ASSERT_GE(before, 0);
	EXPECT_STREQ("ns", unit);
	ASSERT_GE(read_key(ctx->fd, "drm-engine-aicore", unit), 0);
	EXPECT_STREQ("ns", unit);
	for (int i = 0; i < 64; i++)
		cmd_copy(npu_ctx_cmd(ctx, i), ctx->data.va, ctx->data.va + 0x200000, 0x200000);
	ASSERT_EQ(0, npu_ctx_run(ctx, 64));
	EXPECT_GT(read_key(ctx->fd, "drm-engine-sdma", unit), before);
}

TEST_HARNESS_MAIN

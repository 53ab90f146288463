// SPDX-License-Identifier: GPL-2.0 OR MIT
/* /proc/PID/fdinfo as Documentation/gpu/drm-usage-stats.rst has it */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
	long long system = read_bytes(self->ctx.fd, "drm-resident-memory");
	uint32_t a, b;

	ASSERT_GE(hbm, CTX_DATA_SIZE);
	ASSERT_GE(system, CTX_LIST_SIZE);
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, 16 << 20, DRM_NPU_BO_HBM, &a));
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, 4 << 20, DRM_NPU_BO_SYSTEM, &b));
	EXPECT_EQ(hbm + (16 << 20), read_bytes(self->ctx.fd, "drm-resident-hbm"));
	EXPECT_EQ(system + (4 << 20), read_bytes(self->ctx.fd, "drm-total-memory"));
	ASSERT_EQ(0, npu_bo_close(self->ctx.fd, a));
	ASSERT_EQ(0, npu_bo_close(self->ctx.fd, b));
	EXPECT_EQ(hbm, read_bytes(self->ctx.fd, "drm-resident-hbm"));
}

struct sums {
	long long hbm;
	long long memory;
};

/* What the device has in use and no file is told to have: the driver's own. */
static struct sums unclaimed(const int *fds, unsigned int count)
{
	struct drm_npu_dev_memory device = { 0 };
	struct sums sums;

	npu_query(fds[0], DRM_NPU_DEV_QUERY_MEMORY, &device, sizeof(device));
	sums = (struct sums){ .hbm = device.hbm_used, .memory = device.system_used };
	for (unsigned int i = 0; i < count; i++) {
		sums.hbm -= read_bytes(fds[i], "drm-resident-hbm");
		sums.memory -= read_bytes(fds[i], "drm-resident-memory");
	}
	return sums;
}

TEST_F(fdinfo, files_add_up_to_the_device)
{
	const int fds[2] = { self->ctx.fd, npu_open() };
	struct sums before = unclaimed(fds, 2), after;
	struct npu_mem mem;
	uint32_t vm, handle;

	ASSERT_GE(fds[1], 0);
	/* Far apart, so that it takes many page tables. */
	ASSERT_EQ(0, npu_vm_create(fds[1], &vm));
	for (unsigned int i = 0; i < 8; i++) {
		ASSERT_EQ(0, npu_mem_create(fds[1], vm, 0x3000, i & 1, TEST_VA + ((uint64_t)i << 30), &mem));
		munmap(mem.cpu, mem.size);
	}
	ASSERT_EQ(0, npu_bo_create(fds[0], 0x5000, DRM_NPU_BO_HBM, &handle));
	after = unclaimed(fds, 2);
	EXPECT_EQ(before.hbm, after.hbm);
	EXPECT_EQ(before.memory, after.memory);
	ASSERT_EQ(0, npu_vm_unmap(fds[1], vm, TEST_VA, 8ULL << 30));
	after = unclaimed(fds, 2);
	EXPECT_EQ(before.hbm, after.hbm);
	close(fds[1]);
	after = unclaimed(fds, 1);
	EXPECT_EQ(before.hbm, after.hbm);
	EXPECT_EQ(before.memory, after.memory);
}

TEST_F(fdinfo, shared_memory_is_told)
{
	long long total = read_bytes(self->ctx.fd, "drm-total-hbm");
	uint32_t handle, imported;
	int other, dmabuf;

	EXPECT_EQ(0, read_bytes(self->ctx.fd, "drm-shared-hbm"));
	ASSERT_EQ(0, npu_bo_create(self->ctx.fd, 0x30000, DRM_NPU_BO_HBM, &handle));
	EXPECT_EQ(0, read_bytes(self->ctx.fd, "drm-shared-hbm"));
	ASSERT_EQ(0, npu_export(self->ctx.fd, handle, &dmabuf));
	other = npu_open();
	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_import(other, dmabuf, &imported));
	EXPECT_EQ(0x30000, read_bytes(self->ctx.fd, "drm-shared-hbm"));
	EXPECT_EQ(0x30000, read_bytes(other, "drm-shared-hbm"));
	EXPECT_EQ(0x30000, read_bytes(other, "drm-total-hbm"));
	EXPECT_EQ(total + 0x30000, read_bytes(self->ctx.fd, "drm-total-hbm"));
	close(other);
	close(dmabuf);
}

TEST_F(fdinfo, active_while_a_job_runs_and_purgeable_when_not_needed)
{
	struct drm_npu_sync sync = { .flags = DRM_NPU_SYNC_SIGNAL };
	struct npu_ctx *ctx = &self->ctx;
	struct drm_npu_bo_madvise advice = {
		.handle = ctx->data.handle,
		.advice = DRM_NPU_BO_DONTNEED,
	};
	volatile uint64_t *data = ctx->data.cpu;
	struct drm_npu_job job = { .list = ctx->list.va, .count = 1 };

	EXPECT_EQ(0, read_bytes(ctx->fd, "drm-active-hbm"));
	EXPECT_EQ(0, read_bytes(ctx->fd, "drm-purgeable-hbm"));
	data[0] = 0;
	cmd_sem_wait(npu_ctx_cmd(ctx, 0), ctx->data.va, 1);
	ASSERT_EQ(0, npu_syncobj_create(ctx->fd, &sync.handle));
	ASSERT_EQ(0, npu_submit_syncs(ctx->fd, ctx->queue, &job, 1, &sync, 1));
	EXPECT_EQ(CTX_DATA_SIZE, read_bytes(ctx->fd, "drm-active-hbm"));
	data[0] = 1;
	ASSERT_EQ(0, npu_syncobj_wait(ctx->fd, sync.handle, 0, WAIT_NS));
	EXPECT_EQ(0, read_bytes(ctx->fd, "drm-active-hbm"));
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_BO_MADVISE, &advice));
	EXPECT_EQ(CTX_DATA_SIZE, read_bytes(ctx->fd, "drm-purgeable-hbm"));
	advice.advice = DRM_NPU_BO_WILLNEED;
	ASSERT_EQ(0, npu_ioctl(ctx->fd, DRM_IOCTL_NPU_BO_MADVISE, &advice));
	EXPECT_EQ(0, read_bytes(ctx->fd, "drm-purgeable-hbm"));
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

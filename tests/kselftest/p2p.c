// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A buffer in HBM that another NPU uses where it is: needs two NPUs that reach each other, and a
 * kernel with CONFIG_PCI_P2PDMA and CONFIG_DMABUF_MOVE_NOTIFY. NPU_TEST_P2P says that they do.
 */
#include <errno.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x410000
#define VA 0x900000000ULL

FIXTURE(p2p)
{
	struct npu_ctx a;
	struct npu_ctx b;
	uint32_t exported;
	uint32_t imported;
	int dmabuf;
	long hbm;
	long memory;
};

/* KiB of a file's buffers that are in a kind of memory. */
static long resident(int fd, const char *kind)
{
	char path[64], line[256], key[64];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(key, sizeof(key), "drm-resident-%s: %%ld KiB", kind);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, key, &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

/* Like npu_ctx_open(), on the second NPU. */
static int open_second(struct npu_ctx *ctx)
{
	int ret;

	setenv("NPU_TEST_NODE", "/dev/accel/accel1", 1);
	ret = npu_ctx_open(ctx);
	unsetenv("NPU_TEST_NODE");
	return ret;
}

FIXTURE_SETUP(p2p)
{
	if (!getenv("NPU_TEST_P2P"))
		SKIP(return, "not known whether NPUs reach each other here");
	ASSERT_EQ(0, npu_ctx_open(&self->a));
	ASSERT_EQ(0, open_second(&self->b));
	ASSERT_EQ(0, npu_bo_create(self->a.fd, SIZE, DRM_NPU_BO_HBM, &self->exported));
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, self->exported, 0, VA, SIZE, 0));
	ASSERT_EQ(0, npu_export(self->a.fd, self->exported, &self->dmabuf));
	self->hbm = resident(self->a.fd, "hbm");
	self->memory = resident(self->a.fd, "memory");
	ASSERT_GT(self->hbm, SIZE >> 10);
	ASSERT_EQ(0, npu_import(self->b.fd, self->dmabuf, &self->imported));
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA, SIZE, 0));
}

FIXTURE_TEARDOWN(p2p)
{
	close(self->dmabuf);
	npu_ctx_close(&self->a);
	npu_ctx_close(&self->b);
}

static int fill(struct npu_ctx *ctx, uint32_t pattern)
{
	cmd_fill(npu_ctx_cmd(ctx, 0), VA, SIZE, pattern);
	return npu_ctx_run(ctx, 1);
}

/* Does an NPU find the buffer filled with it, from the first byte to the last? */
static bool finds(struct npu_ctx *ctx, uint32_t pattern)
{
	volatile uint32_t *data = ctx->data.cpu;

	for (uint64_t done = 0, part; done < SIZE; done += part) {
		part = SIZE - done < CTX_DATA_SIZE ? SIZE - done : CTX_DATA_SIZE;
		cmd_copy(npu_ctx_cmd(ctx, 0), ctx->data.va, VA + done, part);
		if (npu_ctx_run(ctx, 1))
			return false;
		for (unsigned int i = 0; i < part / 4; i++)
			if (data[i] != pattern)
				return false;
	}
	return true;
}

/* Neither the import nor a job of either moves the buffer, of which each sees what the other did. */
TEST_F(p2p, no_system_memory_between)
{
	for (uint32_t turn = 1; turn <= 3; turn++) {
		ASSERT_EQ(0, fill(&self->b, turn));
		EXPECT_EQ(self->hbm, resident(self->a.fd, "hbm"));
		EXPECT_TRUE(finds(&self->a, turn));
		ASSERT_EQ(0, fill(&self->a, turn << 16));
		EXPECT_TRUE(finds(&self->b, turn << 16));
		EXPECT_EQ(self->hbm, resident(self->a.fd, "hbm"));
		EXPECT_EQ(self->memory, resident(self->a.fd, "memory"));
	}
}

/* For the CPU it goes to system memory: the peer is told, and works on where it went. */
TEST_F(p2p, peer_follows_when_it_moves)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	volatile uint32_t *mapped;

	mapped = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->dmabuf, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	ASSERT_EQ(0, fill(&self->b, 4711));
	EXPECT_EQ(self->hbm, resident(self->a.fd, "hbm"));
	ASSERT_EQ(0, npu_ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_EQ(self->hbm - (SIZE >> 10), resident(self->a.fd, "hbm"));
	EXPECT_EQ(4711, mapped[0]);
	EXPECT_EQ(4711, mapped[SIZE / 4 - 1]);

	/* It comes back for the next job of a peer. */
	ASSERT_EQ(0, fill(&self->b, 4712));
	EXPECT_EQ(self->hbm, resident(self->a.fd, "hbm"));
	EXPECT_EQ(4712, mapped[SIZE / 4 - 1]);
	EXPECT_TRUE(finds(&self->a, 4712));
	munmap((void *)mapped, SIZE);
}

/* Both ways at once: each NPU copies from the other's HBM into its own. */
TEST_F(p2p, both_ways)
{
	uint32_t exported, imported;
	int dmabuf;

	ASSERT_EQ(0, npu_bo_create(self->b.fd, SIZE, DRM_NPU_BO_HBM, &exported));
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, exported, 0, VA + SIZE, SIZE, 0));
	ASSERT_EQ(0, npu_export(self->b.fd, exported, &dmabuf));
	ASSERT_EQ(0, npu_import(self->a.fd, dmabuf, &imported));
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, imported, 0, VA + SIZE, SIZE, 0));

	/* There may be new page tables. */
	self->hbm = resident(self->a.fd, "hbm");
	ASSERT_EQ(0, fill(&self->a, 1));
	cmd_copy(npu_ctx_cmd(&self->a, 0), VA + SIZE, VA, SIZE);
	ASSERT_EQ(0, npu_ctx_run(&self->a, 1));
	ASSERT_EQ(0, fill(&self->a, 2));
	EXPECT_TRUE(finds(&self->b, 2));
	cmd_copy(npu_ctx_cmd(&self->b, 0), VA, VA + SIZE, SIZE);
	ASSERT_EQ(0, npu_ctx_run(&self->b, 1));
	EXPECT_TRUE(finds(&self->a, 1));
	EXPECT_EQ(self->hbm, resident(self->a.fd, "hbm"));
	close(dmabuf);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Buffers shared between two NPUs */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x220000
#define VA 0x900000000ULL

/* A VM and a queue on one NPU, a list, and room in its HBM. */
struct side {
	int fd;
	uint32_t vm;
	uint32_t queue;
	struct npu_mem list;
	struct npu_mem own;
};

FIXTURE(peer)
{
	struct side a;
	struct side b;
	uint32_t exported;
	uint32_t imported;
	int dmabuf;
};

FIXTURE_VARIANT(peer)
{
	uint32_t placement;
};

FIXTURE_VARIANT_ADD(peer, hbm)
{
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(peer, system)
{
	.placement = DRM_NPU_BO_SYSTEM,
};

static int open_side(struct side *side, unsigned int n)
{
	side->fd = npu_open_nth(n);
	if (side->fd < 0)
		return -ENODEV;
	return npu_vm_create(side->fd, &side->vm) ?:
	       npu_queue_create(side->fd, side->vm, &side->queue) ?:
	       npu_mem_create(side->fd, side->vm, 0x1000, DRM_NPU_BO_SYSTEM, TEST_VA, &side->list) ?:
	       npu_mem_create(side->fd, side->vm, SIZE, DRM_NPU_BO_HBM, CTX_DATA_VA, &side->own);
}

static void close_side(struct side *side)
{
	/* A mapping holds the file. */
	munmap(side->list.cpu, side->list.size);
	munmap(side->own.cpu, side->own.size);
	close(side->fd);
}

static struct npu_cmd *cmd_of(struct side *side, unsigned int index)
{
	return (struct npu_cmd *)side->list.cpu + index;
}

static int run(struct side *side, unsigned int count)
{
	return npu_run(side->fd, side->queue, side->list.va, count);
}

FIXTURE_SETUP(peer)
{
	int ret = open_side(&self->b, 1);

	if (ret == -ENODEV)
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, open_side(&self->a, 0));
	ASSERT_EQ(0, npu_bo_create(self->a.fd, SIZE, variant->placement, &self->exported));
	ASSERT_EQ(0, npu_export(self->a.fd, self->exported, &self->dmabuf));
	ASSERT_EQ(0, npu_import(self->b.fd, self->dmabuf, &self->imported));
}

FIXTURE_TEARDOWN(peer)
{
	close(self->dmabuf);
	close(self->a.fd);
	close(self->b.fd);
}

static void fill(struct side *side, uint64_t value)
{
	volatile uint64_t *data = side->own.cpu;

	for (unsigned int i = 0; i < SIZE / 8; i++)
		data[i] = value + i;
}

static bool is_filled(struct side *side, uint64_t value)
{
	volatile uint64_t *data = side->own.cpu;

	for (unsigned int i = 0; i < SIZE / 8; i++)
		if (data[i] != value + i)
			return false;
	return true;
}

TEST_F(peer, what_one_writes_the_other_reads)
{
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, self->exported, 0, VA, SIZE, 0));
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA, SIZE, 0));
	for (uint64_t turn = 1; turn <= 4; turn++) {
		fill(&self->a, turn << 32);
		cmd_copy(cmd_of(&self->a, 0), VA, self->a.own.va, SIZE);
		ASSERT_EQ(0, run(&self->a, 1));
		cmd_copy(cmd_of(&self->b, 0), self->b.own.va, VA, SIZE);
		ASSERT_EQ(0, run(&self->b, 1));
		ASSERT_TRUE(is_filled(&self->b, turn << 32));

		fill(&self->b, turn << 48);
		cmd_copy(cmd_of(&self->b, 0), VA, self->b.own.va, SIZE);
		ASSERT_EQ(0, run(&self->b, 1));
		cmd_copy(cmd_of(&self->a, 0), self->a.own.va, VA, SIZE);
		ASSERT_EQ(0, run(&self->a, 1));
		ASSERT_TRUE(is_filled(&self->a, turn << 48));
	}
}

TEST_F(peer, contents_from_before_the_import_are_there)
{
	volatile uint64_t *data = npu_bo_mmap(self->a.fd, self->exported, SIZE);

	ASSERT_NE(MAP_FAILED, data);
	for (unsigned int i = 0; i < SIZE / 8; i++) {
		data[i] = 77 + i;
	}
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA, SIZE, 0));
	cmd_copy(cmd_of(&self->b, 0), self->b.own.va, VA, SIZE);
	ASSERT_EQ(0, run(&self->b, 1));
	EXPECT_TRUE(is_filled(&self->b, 77));
	/* A mapping of the CPU follows the buffer. */
	cmd_write(cmd_of(&self->b, 0), VA + 8, 4711);
	ASSERT_EQ(0, run(&self->b, 1));
	EXPECT_EQ(4711, data[1]);
	munmap((void *)data, SIZE);
}

TEST_F(peer, is_the_exporters_again_when_the_importer_is_done)
{
	uint32_t *imported = &self->imported;

	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, self->exported, 0, VA, SIZE, 0));
	for (uint64_t turn = 1; turn <= 4; turn++) {
		ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, *imported, 0, VA, SIZE, 0));
		cmd_fill(cmd_of(&self->b, 0), VA, SIZE, turn);
		ASSERT_EQ(0, run(&self->b, 1));
		ASSERT_EQ(0, npu_vm_unmap(self->b.fd, self->b.vm, VA, SIZE));
		ASSERT_EQ(0, npu_bo_close(self->b.fd, *imported));
		cmd_copy(cmd_of(&self->a, 0), self->a.own.va, VA + SIZE - 8, 8);
		ASSERT_EQ(0, run(&self->a, 1));
		EXPECT_EQ(turn << 32 | turn, *(volatile uint64_t *)self->a.own.cpu);
		ASSERT_EQ(0, npu_import(self->b.fd, self->dmabuf, imported));
	}
}

TEST_F(peer, importer_goes_on_without_the_exporters_process)
{
	volatile uint64_t *data = npu_bo_mmap(self->a.fd, self->exported, SIZE);

	ASSERT_NE(MAP_FAILED, data);
	data[0] = 4711;
	munmap((void *)data, SIZE);
	close(self->dmabuf);
	close_side(&self->a);
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA, SIZE, 0));
	cmd_copy(cmd_of(&self->b, 0), self->b.own.va, VA, 8);
	ASSERT_EQ(0, run(&self->b, 1));
	EXPECT_EQ(4711, *(volatile uint64_t *)self->b.own.cpu);
}

/* Runs jobs that copy between the shared buffers, at one of the two. */
struct worker {
	struct side *side;
	int result;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; !worker->result && i < 50; i++) {
		cmd_copy(cmd_of(worker->side, 0), VA + SIZE, VA, SIZE);
		worker->result = run(worker->side, 1);
	}
	return NULL;
}

TEST_F(peer, each_imports_from_the_other_and_both_work)
{
	struct worker workers[2] = { { .side = &self->a }, { .side = &self->b } };
	uint32_t exported, imported;
	pthread_t thread;
	int dmabuf;

	ASSERT_EQ(0, npu_bo_create(self->b.fd, SIZE, variant->placement, &exported));
	ASSERT_EQ(0, npu_export(self->b.fd, exported, &dmabuf));
	ASSERT_EQ(0, npu_import(self->a.fd, dmabuf, &imported));
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, self->exported, 0, VA, SIZE, 0));
	ASSERT_EQ(0, npu_vm_map(self->a.fd, self->a.vm, imported, 0, VA + SIZE, SIZE, 0));
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, exported, 0, VA, SIZE, 0));
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA + SIZE, SIZE, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, work, &workers[0]));
	work(&workers[1]);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, workers[0].result);
	EXPECT_EQ(0, workers[1].result);
	close(dmabuf);
}

static uint64_t pinned(struct side *side)
{
	struct drm_npu_dev_limits limits = { 0 };

	npu_query(side->fd, DRM_NPU_DEV_QUERY_LIMITS, &limits, sizeof(limits));
	return limits.num_pinned;
}

/* Memory of others is let go of a moment after its last user has gone. */
static bool becomes_pinned(struct side *side, uint64_t bytes)
{
	for (int i = 0; i < 3000; i++) {
		if (pinned(side) == bytes)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(peer, pinned_memory_is_counted)
{
	uint64_t before = pinned(&self->a);

	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, self->imported, 0, VA, SIZE, 0));
	if (pinned(&self->a) == before)
		SKIP(return, "this kernel pins nothing for who can be told of moves");
	EXPECT_EQ(before + SIZE, pinned(&self->a));
	ASSERT_EQ(0, npu_vm_unmap(self->b.fd, self->b.vm, VA, SIZE));
	ASSERT_EQ(0, npu_bo_close(self->b.fd, self->imported));
	EXPECT_TRUE(becomes_pinned(&self->a, before));
}

static int share_memory(struct side *from, struct side *to, uint64_t size, uint64_t va)
{
	uint32_t exported, imported;
	int ret, dmabuf;

	ret = npu_bo_create(from->fd, size, DRM_NPU_BO_SYSTEM, &exported) ?:
	      npu_export(from->fd, exported, &dmabuf);
	if (ret)
		return ret;
	ret = npu_import(to->fd, dmabuf, &imported) ?:
	      npu_vm_map(to->fd, to->vm, imported, 0, va, size, 0);
	close(dmabuf);
	return ret;
}

TEST(pinned_memory_is_limited)
{
	struct drm_npu_dev_limits limits = { 0 };
	const uint64_t size = 64 << 20;
	unsigned int count = 0;
	struct side a, b;
	int ret = open_side(&b, 1);

	if (ret == -ENODEV)
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, open_side(&a, 0));
	ASSERT_EQ(0, npu_query(a.fd, DRM_NPU_DEV_QUERY_LIMITS, &limits, sizeof(limits)));
	while (!ret && count <= limits.max_pinned / size) {
		ret = share_memory(&a, &b, size, VA + count * size);
		count += !ret;
		if (!pinned(&a))
			SKIP(return, "this kernel pins nothing for who can be told of moves");
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(limits.max_pinned / size, count);
	EXPECT_EQ(count * size, pinned(&a)) TH_LOG("what failed was counted");
	cmd_fill(cmd_of(&b, 0), VA, size, 1);
	EXPECT_EQ(0, run(&b, 1));
	close_side(&b);
	EXPECT_TRUE(becomes_pinned(&a, 0));
	close_side(&a);
}

TEST_HARNESS_MAIN

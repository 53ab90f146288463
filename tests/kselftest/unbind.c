// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A device that goes while another, or the CPU, works with its memory: most need two NPUs. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/sync_file.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x900000000ULL

/* Fill memory with what was free, so that pages that were freed too early show it. */
static void fill_system_memory(int fd, uint64_t size, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t handle;
		void *data;

		if (npu_bo_create(fd, size, DRM_NPU_BO_SYSTEM, &handle))
			return;
		data = npu_bo_mmap(fd, handle, size);
		if (data == MAP_FAILED)
			return;
		memset(data, 0xbd, size);
		munmap(data, size);
	}
}

TEST(memory_outlives_its_unbound_device)
{
	const uint64_t size = 0x400000, value = 0x0123456789abcdef;
	int first = npu_open_nth(0), second = npu_open_nth(1), dmabuf;
	uint32_t vm, queue, exported, imported;
	struct npu_mem list, result;
	volatile uint64_t *data, *mapped;
	char name[NPU_NAME_SIZE];

	if (second < 0)
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, npu_name(first, name));
	ASSERT_EQ(0, npu_bo_create(first, size, DRM_NPU_BO_SYSTEM, &exported));
	data = npu_bo_mmap(first, exported, size);
	ASSERT_NE(MAP_FAILED, data);
	for (unsigned int i = 0; i < size / sizeof(value); i++) {
		data[i] = value + i;
	}

	ASSERT_EQ(0, npu_export(first, exported, &dmabuf));
	mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	ASSERT_EQ(value, mapped[0]);
	ASSERT_EQ(0, npu_import(second, dmabuf, &imported));
	ASSERT_EQ(0, npu_vm_create(second, &vm));
	ASSERT_EQ(0, npu_queue_create(second, vm, &queue));
	ASSERT_EQ(0, npu_vm_map(second, vm, imported, 0, VA, size, 0));
	ASSERT_EQ(0, npu_mem_create(second, vm, 0x1000, DRM_NPU_BO_SYSTEM, VA + size, &list));
	ASSERT_EQ(0, npu_mem_create(second, vm, size, DRM_NPU_BO_SYSTEM, VA + 2 * size, &result));

	ASSERT_EQ(0, npu_driver_write("unbind", name));
	fill_system_memory(second, size, 32);
	cmd_copy(list.cpu, result.va, VA, size);
	EXPECT_EQ(0, npu_run(second, queue, list.va, 1));
	data = result.cpu;
	for (unsigned int i = 0; i < size / sizeof(value); i++) {
		ASSERT_EQ(value + i, data[i]);
	}
	/* There is something at each address, so that no process is killed. */
	mapped[0] = 1;
	mapped[size / sizeof(value) - 1] = mapped[0];
	munmap((void *)mapped, size);
	EXPECT_EQ(0, npu_driver_write("bind", name));
	close(dmabuf);
	close(second);
	close(first);
}

/* Nobody is killed at an address of a buffer that has gone, touched before or not. */
TEST(mapped_buffers_outlive_their_device)
{
	static const uint32_t placements[] = { DRM_NPU_BO_HBM, DRM_NPU_BO_SYSTEM };
	const uint64_t size = 0x10000, value = 0x0123456789abcdef;
	const unsigned int last = size / sizeof(value) - 1;
	volatile uint64_t *touched[2], *untouched[2];
	int fd = npu_open_nth(0);
	char name[NPU_NAME_SIZE];
	uint32_t handle;

	if (fd < 0)
		SKIP(return, "no NPU");
	ASSERT_EQ(0, npu_name(fd, name));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, npu_bo_create(fd, size, placements[i], &handle));
		touched[i] = npu_bo_mmap(fd, handle, size);
		ASSERT_NE(MAP_FAILED, (void *)touched[i]);
		touched[i][0] = value;
		touched[i][last] = value;
		untouched[i] = npu_bo_mmap(fd, handle, size);
		ASSERT_NE(MAP_FAILED, (void *)untouched[i]);
	}

	ASSERT_EQ(0, npu_driver_write("unbind", name));
	for (int i = 0; i < 2; i++) {
		/* Memory has gone with the device: there are zeros, of nobody else. */
		EXPECT_EQ(0, touched[i][0]);
		EXPECT_EQ(0, touched[i][last]);
		EXPECT_EQ(0, untouched[i][last]);
		touched[i][last] = i + 1;
		untouched[i][0] = i + 3;
		EXPECT_EQ(i + 1, touched[i][last]);
		EXPECT_EQ(i + 3, untouched[i][0]);
		EXPECT_EQ(0, munmap((void *)touched[i], size));
		EXPECT_EQ(0, munmap((void *)untouched[i], size));
	}
	EXPECT_EQ(0, npu_driver_write("bind", name));
	close(fd);
}

/* A file outlives the device, whose syncobjs nobody can ask any more. */
static int to_file(int fd, uint32_t handle)
{
	struct drm_syncobj_handle file = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};

	return npu_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file) ? -1 : file.fd;
}

/* How its fence has ended: 1, or an error; 0 if it has not. */
static int file_status(int file)
{
	struct pollfd signalled = { .fd = file, .events = POLLIN };
	struct sync_file_info info = { 0 };

	if (poll(&signalled, 1, WAIT_NS / 1000000) != 1 || npu_ioctl(file, SYNC_IOC_FILE_INFO, &info))
		return 0;
	close(file);
	return info.status;
}

/* A job of the second NPU, and its fence in a syncobj of the first. */
static int foreign_fence(struct npu_ctx *second, int first, uint32_t *handle)
{
	struct drm_syncobj_handle file = { .flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE };
	uint32_t gate;
	int ret;

	*(volatile uint64_t *)second->data.cpu = 0;
	cmd_sem_wait(npu_ctx_cmd(second, 0), second->data.va, 1);
	/* Not before whoever waits for it has given up. */
	npu_ctx_cmd(second, 0)->timeout_us = 60000000;
	ret = npu_syncobj_create(second->fd, &gate);
	if (!ret)
		ret = npu_submit(second->fd, second->queue, second->list.va, 1, gate);
	if (!ret)
		ret = npu_syncobj_create(first, handle);
	file.handle = *handle;
	file.fd = to_file(second->fd, gate);
	if (!ret)
		ret = npu_ioctl(first, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &file);
	return ret;
}

/* The next NPU from a number on: one that has been bound again may have got another. */
static int open_next(unsigned int *node, struct npu_ctx *ctx)
{
	int ret = -ENODEV;

	for (; ret && *node < 16; ++*node) {
		char path[32];

		snprintf(path, sizeof(path), "/dev/accel/accel%u", *node);
		if (access(path, F_OK))
			continue;
		setenv("NPU_TEST_NODE", path, 1);
		ret = npu_ctx_open(ctx);
	}
	unsetenv("NPU_TEST_NODE");
	return ret;
}

struct waiter {
	pthread_t thread;
	struct npu_ctx *ctx;
	int ret;
};

/* A bind at once comes after those that have been queued. */
static void *bind_at_once(void *arg)
{
	struct waiter *waiter = arg;
	struct npu_ctx *ctx = waiter->ctx;

	waiter->ret = npu_vm_map(ctx->fd, ctx->vm, ctx->data.handle, 0, VA + 0x400000, 0x1000, 0);
	return NULL;
}

/* Binds that wait for somebody else end with the device, and do not keep it. */
TEST(pending_binds_end_with_the_device)
{
	struct npu_ctx first, second;
	struct waiter waiter = { .ctx = &first };
	struct drm_npu_vm_get_state state = { 0 };
	struct drm_npu_vm_bind_op op = { .op = DRM_NPU_VM_BIND_OP_MAP, .va = VA, .size = 0x200000 };
	struct drm_npu_sync syncs[2] = {
		{ .flags = DRM_NPU_SYNC_WAIT }, { .flags = DRM_NPU_SYNC_SIGNAL },
	};
	char name[NPU_NAME_SIZE];
	unsigned int node = 0;
	int outs[2];

	if (open_next(&node, &first) || open_next(&node, &second))
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, npu_name(first.fd, name));
	ASSERT_EQ(0, foreign_fence(&second, first.fd, &syncs[0].handle));
	ASSERT_EQ(0, npu_syncobj_create(first.fd, &syncs[1].handle));

	op.bo_handle = first.data.handle;
	ASSERT_EQ(0, npu_vm_bind_async(first.fd, first.vm, &op, 1, syncs, 2));
	outs[0] = to_file(first.fd, syncs[1].handle);
	ASSERT_LE(0, outs[0]);
	op.va += 0x200000;
	syncs[0].flags = DRM_NPU_SYNC_SIGNAL;
	ASSERT_EQ(0, npu_syncobj_create(first.fd, &syncs[0].handle));
	ASSERT_EQ(0, npu_vm_bind_async(first.fd, first.vm, &op, 1, syncs, 1));
	outs[1] = to_file(first.fd, syncs[0].handle);
	ASSERT_LE(0, outs[1]);
	ASSERT_EQ(0, pthread_create(&waiter.thread, NULL, bind_at_once, &waiter));
	state.id = first.vm;
	ASSERT_EQ(0, npu_ioctl(first.fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(2, state.binds_pending);

	ASSERT_EQ(0, npu_driver_write("unbind", name));
	EXPECT_EQ(-ENODEV, file_status(outs[0]));
	EXPECT_EQ(-ENODEV, file_status(outs[1]));
	EXPECT_EQ(0, pthread_join(waiter.thread, NULL));
	npu_ctx_close(&first);

	*(volatile uint64_t *)second.data.cpu = 1;
	EXPECT_TRUE(npu_ctx_works(&second));
	npu_ctx_close(&second);
	EXPECT_EQ(0, npu_driver_write("bind", name));
}

/* A job that waits for a fence, and its own as a file. */
static int job_behind(struct npu_ctx *ctx, uint32_t queue, uint32_t gate)
{
	struct drm_npu_job job = { .list = ctx->list.va, .count = 1 };
	struct drm_npu_sync syncs[2] = {
		{ .handle = gate, .flags = DRM_NPU_SYNC_WAIT }, { .flags = DRM_NPU_SYNC_SIGNAL },
	};

	cmd_nop(npu_ctx_cmd(ctx, 0));
	if (npu_syncobj_create(ctx->fd, &syncs[1].handle) ||
	    npu_submit_syncs(ctx->fd, queue, &job, 1, syncs, 2))
		return -1;
	return to_file(ctx->fd, syncs[1].handle);
}

/* Jobs that wait for somebody else end with their queue, or with the device. */
TEST(waiting_jobs_end_with_the_device)
{
	struct npu_ctx first, second;
	uint32_t gate, queue;
	char name[NPU_NAME_SIZE];
	unsigned int node = 0;
	int outs[3];

	if (open_next(&node, &first) || open_next(&node, &second))
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, npu_name(first.fd, name));
	ASSERT_EQ(0, foreign_fence(&second, first.fd, &gate));
	ASSERT_EQ(0, npu_queue_create(first.fd, first.vm, &queue));
	outs[0] = job_behind(&first, first.queue, gate);
	outs[1] = job_behind(&first, first.queue, gate);
	outs[2] = job_behind(&first, queue, gate);
	ASSERT_LE(0, outs[0]);
	ASSERT_LE(0, outs[1]);
	ASSERT_LE(0, outs[2]);
	ASSERT_EQ(0, npu_queue_destroy(first.fd, queue));
	EXPECT_EQ(-ECANCELED, file_status(outs[2]));

	ASSERT_EQ(0, npu_driver_write("unbind", name));
	EXPECT_EQ(-ENODEV, file_status(outs[0]));
	EXPECT_EQ(-ENODEV, file_status(outs[1]));

	/* They are run when what they waited for has ended, and notice that it is too late. */
	*(volatile uint64_t *)second.data.cpu = 1;
	EXPECT_TRUE(npu_ctx_works(&second));
	npu_ctx_close(&second);
	npu_ctx_close(&first);
	EXPECT_EQ(0, npu_driver_write("bind", name));
}

/* What they leave is freed later, maybe after the last file of the device. */
TEST(many_pending_binds_outlive_the_last_file)
{
	struct drm_npu_sync wait = { .flags = DRM_NPU_SYNC_WAIT };
	struct drm_npu_vm_bind_op op = { .op = DRM_NPU_VM_BIND_OP_MAP, .va = VA, .size = 0x1000 };
	struct npu_ctx first, second;
	char name[NPU_NAME_SIZE];
	unsigned int node = 0;

	if (open_next(&node, &first) || open_next(&node, &second))
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, npu_name(first.fd, name));
	ASSERT_EQ(0, foreign_fence(&second, first.fd, &wait.handle));
	for (unsigned int i = 0; i < 4000; i++) {
		op.va = VA + i % 100 * 0x1000;
		op.bo_handle = first.data.handle;
		ASSERT_EQ(0, npu_vm_bind_async(first.fd, first.vm, &op, 1, &wait, 1));
	}

	ASSERT_EQ(0, npu_driver_write("unbind", name));
	npu_ctx_close(&first);
	ASSERT_EQ(0, npu_driver_write("bind", name));

	*(volatile uint64_t *)second.data.cpu = 1;
	EXPECT_TRUE(npu_ctx_works(&second));
	npu_ctx_close(&second);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* dma-buf export and import between files of the driver */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x20000
#define VA 0x900000000ULL

FIXTURE(prime)
{
	struct npu_ctx a;
	struct npu_ctx b;
	uint32_t handle;
};

FIXTURE_VARIANT(prime)
{
	uint32_t placement;
};

FIXTURE_VARIANT_ADD(prime, hbm)
{
	.placement = DRM_NPU_BO_HBM,
};

FIXTURE_VARIANT_ADD(prime, system)
{
	.placement = DRM_NPU_BO_SYSTEM,
};

FIXTURE_SETUP(prime)
{
	ASSERT_EQ(0, npu_ctx_open(&self->a));
	ASSERT_EQ(0, npu_ctx_open(&self->b));
	ASSERT_EQ(0, npu_bo_create(self->a.fd, SIZE, variant->placement, &self->handle));
}

FIXTURE_TEARDOWN(prime)
{
	npu_ctx_close(&self->a);
	npu_ctx_close(&self->b);
}

static int export_fd(int fd, uint32_t handle, int *dmabuf)
{
	struct drm_prime_handle args = { .handle = handle, .flags = O_RDWR | O_CLOEXEC, .fd = -1 };
	int ret = npu_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	*dmabuf = args.fd;
	return ret;
}

static int import_fd(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int ret = npu_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	*handle = args.handle;
	return ret;
}

TEST_F(prime, both_see_the_same_memory)
{
	volatile uint64_t *data;
	uint32_t handle;
	int dmabuf;

	ASSERT_EQ(0, export_fd(self->a.fd, self->handle, &dmabuf));
	ASSERT_EQ(0, import_fd(self->b.fd, dmabuf, &handle));
	data = npu_bo_mmap(self->a.fd, self->handle, SIZE);
	ASSERT_NE(MAP_FAILED, data);
	data[3] = 0;
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, handle, 0, VA, SIZE, 0));
	cmd_write(npu_ctx_cmd(&self->b, 0), VA + 24, 0x600d);
	ASSERT_EQ(0, npu_ctx_run(&self->b, 1));
	EXPECT_EQ(0x600d, data[3]);
	munmap((void *)data, SIZE);
	close(dmabuf);
}

TEST_F(prime, memory_outlives_its_exporter)
{
	uint32_t handle;
	int dmabuf;

	ASSERT_EQ(0, export_fd(self->a.fd, self->handle, &dmabuf));
	npu_ctx_close(&self->a);
	self->a.fd = -1;
	ASSERT_EQ(0, import_fd(self->b.fd, dmabuf, &handle));
	close(dmabuf);
	ASSERT_EQ(0, npu_vm_map(self->b.fd, self->b.vm, handle, 0, VA, SIZE, 0));
	cmd_write(npu_ctx_cmd(&self->b, 0), VA, 1);
	EXPECT_EQ(0, npu_ctx_run(&self->b, 1));
}

TEST_F(prime, dmabuf_can_be_mapped)
{
	volatile uint64_t *data, *own;
	int dmabuf;

	ASSERT_EQ(0, export_fd(self->a.fd, self->handle, &dmabuf));
	own = npu_bo_mmap(self->a.fd, self->handle, SIZE);
	ASSERT_NE(MAP_FAILED, own);
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	ASSERT_NE(MAP_FAILED, data);
	own[100] = 0xc0ffee;
	EXPECT_EQ(0xc0ffee, data[100]);
	munmap((void *)data, SIZE);
	munmap((void *)own, SIZE);
	close(dmabuf);
}

TEST_F(prime, bad_arguments)
{
	uint32_t handle;
	int fd;

	EXPECT_EQ(-ENOENT, export_fd(self->a.fd, 4711, &fd));
	EXPECT_GT(0, import_fd(self->a.fd, -1, &handle));
	EXPECT_GT(0, import_fd(self->a.fd, self->a.fd, &handle));
}

static int bind_nth_npu(unsigned int n, const char *what, char *name)
{
	char path[64], link[256] = "";
	int fd, ret;

	if (!*name) {
		snprintf(path, sizeof(path), "/sys/class/accel/accel%u/device", n);
		if (readlink(path, link, sizeof(link) - 1) < 0)
			return -errno;
		strcpy(name, strrchr(link, '/') + 1);
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/npu/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, name, strlen(name)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

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
	volatile uint64_t *data;
	char name[32] = "";

	if (second < 0)
		SKIP(return, "needs two NPUs");
	ASSERT_EQ(0, npu_bo_create(first, size, DRM_NPU_BO_SYSTEM, &exported));
	data = npu_bo_mmap(first, exported, size);
	ASSERT_NE(MAP_FAILED, data);
	for (unsigned int i = 0; i < size / sizeof(value); i++) {
		data[i] = value + i;
	}

	ASSERT_EQ(0, export_fd(first, exported, &dmabuf));
	ASSERT_EQ(0, import_fd(second, dmabuf, &imported));
	ASSERT_EQ(0, npu_vm_create(second, &vm));
	ASSERT_EQ(0, npu_queue_create(second, vm, &queue));
	ASSERT_EQ(0, npu_vm_map(second, vm, imported, 0, VA, size, 0));
	ASSERT_EQ(0, npu_mem_create(second, vm, 0x1000, DRM_NPU_BO_SYSTEM, VA + size, &list));
	ASSERT_EQ(0, npu_mem_create(second, vm, size, DRM_NPU_BO_SYSTEM, VA + 2 * size, &result));

	ASSERT_EQ(0, bind_nth_npu(0, "unbind", name));
	fill_system_memory(second, size, 32);
	cmd_copy(list.cpu, result.va, VA, size);
	EXPECT_EQ(0, npu_run(second, queue, list.va, 1));
	data = result.cpu;
	for (unsigned int i = 0; i < size / sizeof(value); i++) {
		ASSERT_EQ(value + i, data[i]);
	}
	EXPECT_EQ(0, bind_nth_npu(0, "bind", name));
	close(dmabuf);
	close(second);
	close(first);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A device that goes while another works with its memory: needs two NPUs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define VA 0x900000000ULL

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
	volatile uint64_t *data, *mapped;
	char name[32] = "";

	if (second < 0)
		SKIP(return, "needs two NPUs");
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

	ASSERT_EQ(0, bind_nth_npu(0, "unbind", name));
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
	EXPECT_EQ(0, bind_nth_npu(0, "bind", name));
	close(dmabuf);
	close(second);
	close(first);
}

TEST_HARNESS_MAIN

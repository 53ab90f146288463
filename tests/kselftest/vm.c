// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_VM_CREATE and DRM_IOCTL_NPU_VM_DESTROY */
#include <errno.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(vm)
{
	int fd;
};

FIXTURE_SETUP(vm)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
}

FIXTURE_TEARDOWN(vm)
{
	close(self->fd);
}

TEST_F(vm, create_destroy)
{
	uint32_t a, b;

	ASSERT_EQ(0, npu_vm_create(self->fd, &a));
	ASSERT_EQ(0, npu_vm_create(self->fd, &b));
	EXPECT_NE(a, b);
	EXPECT_EQ(0, npu_vm_destroy(self->fd, a));
	EXPECT_EQ(-ENOENT, npu_vm_destroy(self->fd, a));
	EXPECT_EQ(0, npu_vm_destroy(self->fd, b));
}

TEST_F(vm, create_unknown_flags)
{
	struct drm_npu_vm_create create = { .flags = 1 };

	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_CREATE, &create));
	create.flags = 0x80000000;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_CREATE, &create));
}

TEST_F(vm, destroy_bad)
{
	struct drm_npu_vm_destroy destroy = { 0 };
	uint32_t id;

	EXPECT_EQ(-ENOENT, npu_vm_destroy(self->fd, 0));
	EXPECT_EQ(-ENOENT, npu_vm_destroy(self->fd, 12345));
	EXPECT_EQ(-ENOENT, npu_vm_destroy(self->fd, ~0U));
	ASSERT_EQ(0, npu_vm_create(self->fd, &id));
	destroy.id = id;
	destroy.pad = 1;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_DESTROY, &destroy));
	EXPECT_EQ(0, npu_vm_destroy(self->fd, id));
}

TEST_F(vm, busy_while_a_queue_uses_it)
{
	uint32_t vm, queue;

	ASSERT_EQ(0, npu_vm_create(self->fd, &vm));
	ASSERT_EQ(0, npu_queue_create(self->fd, vm, &queue));
	EXPECT_EQ(-EBUSY, npu_vm_destroy(self->fd, vm));
	ASSERT_EQ(0, npu_queue_destroy(self->fd, queue));
	EXPECT_EQ(0, npu_vm_destroy(self->fd, vm));
}

TEST_F(vm, id_is_of_its_file)
{
	int other = npu_open();
	uint32_t vm;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_vm_create(self->fd, &vm));
	EXPECT_EQ(-ENOENT, npu_vm_destroy(other, vm));
	close(other);
}

TEST_F_TIMEOUT(vm, many_and_close_frees_them, 120)
{
	uint32_t vm;

	/* More rounds than the device has contexts: none may be lost at close. */
	for (int round = 0; round < 24; round++) {
		int fd = npu_open();

		ASSERT_GE(fd, 0);
		for (int i = 0; i < 64; i++) {
			ASSERT_EQ(0, npu_vm_create(fd, &vm)) TH_LOG("round %d vm %d", round, i);
		}
		close(fd);
	}
}

TEST_F(vm, state_tells_what_is_mapped)
{
	struct drm_npu_vm_get_state state = { 0 };
	uint32_t vm, handle;

	ASSERT_EQ(0, npu_vm_create(self->fd, &vm));
	state.id = vm;
	EXPECT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(vm, state.id);
	EXPECT_EQ(0, state.mapped);
	ASSERT_EQ(0, npu_bo_create_in(self->fd, vm, 0x10000, DRM_NPU_BO_HBM, &handle));
	ASSERT_EQ(0, npu_vm_map(self->fd, vm, handle, 0, TEST_VA, 0x10000, 0));
	ASSERT_EQ(0, npu_vm_map(self->fd, vm, handle, 0, TEST_VA + 0x10000, 0x8000, 0));
	EXPECT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(0x18000, state.mapped);
	EXPECT_EQ(0x18000, state.resident);
	ASSERT_EQ(0, npu_vm_unmap(self->fd, vm, TEST_VA + 0x4000, 0x4000));
	EXPECT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	EXPECT_EQ(0x14000, state.mapped);
	EXPECT_EQ(0, state.evictions);
}

TEST_F(vm, state_bad_arguments)
{
	struct drm_npu_vm_get_state state = { .id = 4711 };

	EXPECT_EQ(-ENOENT, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
	ASSERT_EQ(0, npu_vm_create(self->fd, &state.id));
	state.pad = 1;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_GET_STATE, &state));
}

TEST_HARNESS_MAIN

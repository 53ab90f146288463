// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_QUEUE_CREATE, _DESTROY and _GET_STATE */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(queue)
{
	int fd;
	uint32_t vm;
	struct drm_npu_queue_create good;
};

FIXTURE_SETUP(queue)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
	ASSERT_EQ(0, npu_vm_create(self->fd, &self->vm));
	self->good = (struct drm_npu_queue_create){
		.vm_id = self->vm,
		.priority = DRM_NPU_QUEUE_PRIORITY_NORMAL,
	};
}

FIXTURE_TEARDOWN(queue)
{
	close(self->fd);
}

static int create(int fd, struct drm_npu_queue_create *args)
{
	return npu_ioctl(fd, DRM_IOCTL_NPU_QUEUE_CREATE, args);
}

TEST_F(queue, create_destroy)
{
	struct drm_npu_queue_get_state state;
	uint32_t a, b;

	ASSERT_EQ(0, npu_queue_create(self->fd, self->vm, &a));
	ASSERT_EQ(0, npu_queue_create(self->fd, self->vm, &b));
	EXPECT_NE(a, b);
	ASSERT_EQ(0, npu_queue_state(self->fd, a, &state));
	EXPECT_EQ(DRM_NPU_QUEUE_OK, state.state);
	EXPECT_EQ(0, state.jobs_submitted);
	EXPECT_EQ(0, npu_queue_destroy(self->fd, a));
	EXPECT_EQ(-ENOENT, npu_queue_destroy(self->fd, a));
	EXPECT_EQ(-ENOENT, npu_queue_state(self->fd, a, &state));
	EXPECT_EQ(0, npu_queue_destroy(self->fd, b));
}

TEST_F(queue, bad_arguments)
{
	struct drm_npu_queue_create args = self->good;

	args.vm_id = 777;
	EXPECT_EQ(-ENOENT, create(self->fd, &args));
	args = self->good;
	args.flags = 1;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.engine_class = 2;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.priority = 4;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.pad = 1;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.ring_entries = 3;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.ring_entries = 1 << 20;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
	args = self->good;
	args.core_mask = 1ULL << 63;
	EXPECT_EQ(-EINVAL, create(self->fd, &args));
}

TEST_F(queue, good_arguments)
{
	struct drm_npu_queue_create args = self->good;

	args.engine_class = DRM_NPU_ENGINE_COPY;
	EXPECT_EQ(0, create(self->fd, &args));
	args = self->good;
	args.priority = DRM_NPU_QUEUE_PRIORITY_LOW;
	EXPECT_EQ(0, create(self->fd, &args));
	args = self->good;
	args.ring_entries = 16;
	args.core_mask = 1;
	args.timeout_ms = 1000;
	EXPECT_EQ(0, create(self->fd, &args));
}

TEST_F(queue, bad_ids)
{
	struct drm_npu_queue_destroy destroy = { 0 };
	struct drm_npu_queue_get_state state;
	uint32_t id;

	EXPECT_EQ(-ENOENT, npu_queue_destroy(self->fd, 0));
	EXPECT_EQ(-ENOENT, npu_queue_destroy(self->fd, ~0U));
	EXPECT_EQ(-ENOENT, npu_queue_state(self->fd, 54321, &state));
	ASSERT_EQ(0, npu_queue_create(self->fd, self->vm, &id));
	destroy.id = id;
	destroy.pad = 1;
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_QUEUE_DESTROY, &destroy));
	state = (struct drm_npu_queue_get_state){ .id = id, .flags = 2 };
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_QUEUE_GET_STATE, &state));
}

static int drop_sys_nice(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_SYS_NICE);
	data[0].permitted &= ~(1U << CAP_SYS_NICE);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(queue, high_priority_needs_cap_sys_nice)
{
	struct drm_npu_queue_create args = self->good;
	struct drm_npu_dev_info info = { 0 };

	if (geteuid())
		SKIP(return, "needs root to begin with");
	args.priority = DRM_NPU_QUEUE_PRIORITY_REALTIME;
	EXPECT_EQ(0, create(self->fd, &args));
	ASSERT_EQ(0, drop_sys_nice());
	args = self->good;
	args.priority = DRM_NPU_QUEUE_PRIORITY_HIGH;
	EXPECT_EQ(-EACCES, create(self->fd, &args));
	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info)));
	EXPECT_EQ(DRM_NPU_QUEUE_PRIORITY_NORMAL, info.max_priority);
}

TEST_F_TIMEOUT(queue, many_are_freed_at_close, 120)
{
	uint32_t vm, queue;

	for (int round = 0; round < 10; round++) {
		int fd = npu_open();

		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, npu_vm_create(fd, &vm));
		for (int i = 0; i < 256; i++) {
			ASSERT_EQ(0, npu_queue_create(fd, vm, &queue))
				TH_LOG("round %d queue %d", round, i);
		}
		close(fd);
	}
}

TEST_F(queue, id_is_of_its_file)
{
	int other = npu_open();
	uint32_t id;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_queue_create(self->fd, self->vm, &id));
	EXPECT_EQ(-ENOENT, npu_queue_destroy(other, id));
	close(other);
}

TEST_HARNESS_MAIN

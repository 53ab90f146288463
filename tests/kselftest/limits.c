// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What one process can have, and DRM_NPU_DEV_QUERY_LIMITS */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

FIXTURE(limits)
{
	int fd;
	uint32_t vm;
	struct drm_npu_dev_limits at_start;
};

static int get_limits(int fd, struct drm_npu_dev_limits *limits)
{
	memset(limits, 0xff, sizeof(*limits));
	return npu_query(fd, DRM_NPU_DEV_QUERY_LIMITS, limits, sizeof(*limits));
}

FIXTURE_SETUP(limits)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
	ASSERT_EQ(0, npu_vm_create(self->fd, &self->vm));
	ASSERT_EQ(0, get_limits(self->fd, &self->at_start));
}

FIXTURE_TEARDOWN(limits)
{
	close(self->fd);
}

/* Run @job in a process of its own, which opens the device itself. */
static int in_another_process(int (*job)(int fd))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = npu_open();

		_exit(fd < 0 ? errno : -job(fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static int use_a_queue(int fd)
{
	uint32_t vm, queue;

	return npu_vm_create(fd, &vm) ?: npu_queue_create(fd, vm, &queue);
}

static int has_nothing(int fd)
{
	struct drm_npu_dev_limits limits;
	int ret = get_limits(fd, &limits);

	return ret ?: limits.num_vms || limits.num_queues || limits.num_pinned ||
		limits.num_tables ? -EEXIST : 0;
}

TEST_F(limits, query)
{
	struct drm_npu_dev_limits *limits = &self->at_start;
	struct drm_npu_dev_info info = { 0 };

	ASSERT_EQ(0, npu_query(self->fd, DRM_NPU_DEV_QUERY_INFO, &info, sizeof(info)));
	EXPECT_GT(limits->max_vms, 1);
	EXPECT_EQ(1, limits->num_vms);
	EXPECT_GT(limits->max_queues, 1);
	EXPECT_LT(limits->max_queues, info.max_queues) TH_LOG("one process can have all");
	EXPECT_EQ(0, limits->num_queues);
	EXPECT_GT(limits->max_pinned, 0);
	EXPECT_EQ(0, limits->num_pinned % 4096);
}

TEST_F(limits, short_and_long_query)
{
	struct {
		struct drm_npu_dev_limits limits;
		uint64_t tail;
	} data;
	struct drm_npu_dev_query query = {
		.type = DRM_NPU_DEV_QUERY_LIMITS,
		.pointer = (uintptr_t)&data,
		.size = offsetof(struct drm_npu_dev_limits, max_queues),
	};

	memset(&data, 0xaa, sizeof(data));
	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(offsetof(struct drm_npu_dev_limits, max_queues), query.size);
	EXPECT_EQ(1, data.limits.num_vms);
	EXPECT_EQ(0xaaaaaaaa, data.limits.max_queues);
	query.size = sizeof(data);
	ASSERT_EQ(0, npu_ioctl(self->fd, DRM_IOCTL_NPU_DEV_QUERY, &query));
	EXPECT_EQ(sizeof(data.limits), query.size);
	EXPECT_EQ(0xaaaaaaaaaaaaaaaaULL, data.tail);
}

TEST_F(limits, vms)
{
	struct drm_npu_dev_limits limits;
	uint32_t vm, last = 0;

	for (uint32_t i = 1; i < self->at_start.max_vms; i++) {
		ASSERT_EQ(0, npu_vm_create(self->fd, &last)) TH_LOG("number %u", i);
	}
	EXPECT_EQ(-ENOSPC, npu_vm_create(self->fd, &vm));
	EXPECT_EQ(0, in_another_process(use_a_queue)) TH_LOG("nothing left for others");
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(limits.max_vms, limits.num_vms);
	ASSERT_EQ(0, npu_vm_destroy(self->fd, last));
	EXPECT_EQ(0, npu_vm_create(self->fd, &vm));
}

TEST_F(limits, queues)
{
	struct drm_npu_dev_limits limits;
	uint32_t queue, last = 0;

	for (uint32_t i = 0; i < self->at_start.max_queues; i++) {
		ASSERT_EQ(0, npu_queue_create(self->fd, self->vm, &last)) TH_LOG("number %u", i);
	}
	EXPECT_EQ(-ENOSPC, npu_queue_create(self->fd, self->vm, &queue));
	EXPECT_EQ(0, in_another_process(use_a_queue)) TH_LOG("nothing left for others");
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(limits.max_queues, limits.num_queues);
	ASSERT_EQ(0, npu_queue_destroy(self->fd, last));
	EXPECT_EQ(0, npu_queue_create(self->fd, self->vm, &queue));
}

#define SPARSE_OPS 1024

/* Sparse pages need no buffer, and where they are far apart each needs a table of its own. */
static int map_sparse(int fd, uint32_t vm, uint64_t *va)
{
	struct drm_npu_vm_bind_op ops[SPARSE_OPS];
	struct drm_npu_vm_bind bind = {
		.vm_id = vm,
		.ops = {
			.array = (uintptr_t)ops, .count = SPARSE_OPS, .stride = sizeof(ops[0]),
		},
	};
	int ret;

	for (unsigned int i = 0; i < SPARSE_OPS; i++)
		ops[i] = (struct drm_npu_vm_bind_op) {
			.op = DRM_NPU_VM_BIND_OP_MAP_SPARSE, .va = *va + i * 0x200000ULL,
			.size = 0x1000,
		};
	ret = npu_ioctl(fd, DRM_IOCTL_NPU_VM_BIND, &bind);
	*va += bind.ops.count * 0x200000ULL;
	return ret;
}

TEST_F_TIMEOUT(limits, tables, 180)
{
	struct drm_npu_dev_limits *start = &self->at_start;
	struct drm_npu_dev_limits limits;
	uint64_t va = TEST_VA;
	int ret;

	EXPECT_EQ(1, start->num_tables) TH_LOG("that of the VM itself");
	ASSERT_GT(start->max_tables, start->num_tables);
	do {
		ret = map_sparse(self->fd, self->vm, &va);
		ASSERT_LE((va - TEST_VA) / 0x200000, start->max_tables);
	} while (!ret);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "no sparse pages");
	EXPECT_EQ(-ENOSPC, ret);
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(limits.max_tables, limits.num_tables);
	EXPECT_EQ(0, in_another_process(use_a_queue)) TH_LOG("nothing left for others");

	ASSERT_EQ(0, npu_vm_unmap(self->fd, self->vm, TEST_VA, va - TEST_VA));
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(start->num_tables, limits.num_tables);
}

TEST_F(limits, files_of_a_process_count_together)
{
	struct drm_npu_dev_limits limits;
	int other = npu_open();
	uint32_t vm, queue;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, npu_vm_create(other, &vm));
	ASSERT_EQ(0, npu_queue_create(other, vm, &queue));
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(self->at_start.num_vms + 1, limits.num_vms);
	EXPECT_EQ(self->at_start.num_queues + 1, limits.num_queues);
	close(other);
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(self->at_start.num_vms, limits.num_vms);
	EXPECT_EQ(self->at_start.num_queues, limits.num_queues);
}

TEST_F(limits, processes_count_alone)
{
	EXPECT_EQ(0, in_another_process(has_nothing));
}

TEST_F(limits, a_passed_file_counts_for_who_opened_it)
{
	struct drm_npu_dev_limits limits;
	uint32_t vm;
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(npu_vm_create(self->fd, &vm) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(self->at_start.num_vms + 1, limits.num_vms);
}

TEST_F(limits, failures_cost_nothing)
{
	struct drm_npu_queue_create bad = { .vm_id = 777 };
	struct drm_npu_vm_create flags = { .flags = 1 };
	struct drm_npu_dev_limits limits;

	EXPECT_EQ(-ENOENT, npu_ioctl(self->fd, DRM_IOCTL_NPU_QUEUE_CREATE, &bad));
	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_VM_CREATE, &flags));
	ASSERT_EQ(0, get_limits(self->fd, &limits));
	EXPECT_EQ(0, memcmp(&limits, &self->at_start, sizeof(limits)));
}

TEST_HARNESS_MAIN

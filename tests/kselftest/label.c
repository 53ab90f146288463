// SPDX-License-Identifier: GPL-2.0 OR MIT
/* DRM_IOCTL_NPU_BO_SET_LABEL, and debugfs' list of buffers */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define SIZE 0x123000

FIXTURE(label)
{
	int fd;
	uint32_t handle;
};

FIXTURE_SETUP(label)
{
	self->fd = npu_open();
	ASSERT_GE(self->fd, 0) TH_LOG("no NPU");
	ASSERT_EQ(0, npu_bo_create(self->fd, SIZE, DRM_NPU_BO_SYSTEM, &self->handle));
}

FIXTURE_TEARDOWN(label)
{
	close(self->fd);
}

static int set_label(int fd, uint32_t handle, const char *label)
{
	struct drm_npu_bo_set_label args = { .handle = handle, .label = (uintptr_t)label };

	return npu_ioctl(fd, DRM_IOCTL_NPU_BO_SET_LABEL, &args);
}

/* The line of the buffer of this process with this label, without its id; 0 if there is none. */
static int find(int fd, const char *label, char line[256])
{
	FILE *list = npu_debugfs_open(fd, "buffers");
	char text[256], end[128], pid[32];
	int found = 0;

	if (!list)
		return -errno;
	snprintf(end, sizeof(end), " %s\n", label);
	snprintf(pid, sizeof(pid), "[%d] ", getpid());
	while (fgets(text, sizeof(text), list)) {
		if (strlen(text) < strlen(end) || !strstr(text, pid) ||
		    strcmp(text + strlen(text) - strlen(end), end))
			continue;
		found++;
		strcpy(line, strchr(text, ']') + 2);
	}
	fclose(list);
	return found;
}

TEST_F(label, is_listed)
{
	char line[256];

	if (find(self->fd, "", line) == -ENOENT)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, set_label(self->fd, self->handle, "weights of layer 7"));
	ASSERT_EQ(1, find(self->fd, "weights of layer 7", line));
	EXPECT_STREQ("1191936 memory memory 0 1 ---- weights of layer 7\n", line);
	ASSERT_EQ(0, set_label(self->fd, self->handle, "other"));
	EXPECT_EQ(0, find(self->fd, "weights of layer 7", line));
	EXPECT_EQ(1, find(self->fd, "other", line));
	ASSERT_EQ(0, npu_bo_close(self->fd, self->handle));
	EXPECT_EQ(0, find(self->fd, "other", line));
}

TEST_F(label, can_be_removed)
{
	char line[256];

	if (find(self->fd, "", line) == -ENOENT)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, set_label(self->fd, self->handle, "short-lived"));
	ASSERT_EQ(1, find(self->fd, "short-lived", line));
	ASSERT_EQ(0, set_label(self->fd, self->handle, NULL));
	EXPECT_EQ(0, find(self->fd, "short-lived", line));
	ASSERT_EQ(0, set_label(self->fd, self->handle, "again"));
	ASSERT_EQ(0, set_label(self->fd, self->handle, ""));
	EXPECT_EQ(0, find(self->fd, "again", line));
	EXPECT_EQ(1, find(self->fd, "-", line));
}

TEST_F(label, cannot_forge_lines)
{
	char line[256];

	if (find(self->fd, "", line) == -ENOENT)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, set_label(self->fd, self->handle, "a\nb\x1b[m"));
	EXPECT_EQ(1, find(self->fd, "a\\nb\\e[m", line));
}

TEST_F(label, length)
{
	char text[65];

	memset(text, 'x', sizeof(text));
	text[64] = '\0';
	EXPECT_EQ(-EINVAL, set_label(self->fd, self->handle, text));
	text[63] = '\0';
	EXPECT_EQ(0, set_label(self->fd, self->handle, text));
}

TEST_F(label, bad_arguments)
{
	struct drm_npu_bo_set_label args = { .handle = self->handle, .pad = 1 };

	EXPECT_EQ(-EINVAL, npu_ioctl(self->fd, DRM_IOCTL_NPU_BO_SET_LABEL, &args));
	EXPECT_EQ(-ENOENT, set_label(self->fd, 0, "x"));
	EXPECT_EQ(-ENOENT, set_label(self->fd, 4711, "x"));
	EXPECT_EQ(-EFAULT, set_label(self->fd, self->handle, (const char *)8));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: MIT
/*
 * The kernel, by libdrm and sysfs.
 */
#include "kmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#define SYSFS_ACCEL "/sys/class/accel"
#define DRIVER_NAME "npu"

/* The last part of the link's target. */
static int link_name(const char *path, char *name, size_t size)
{
	char target[256];
	const char *slash;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (snprintf(name, size, "%s", slash ? slash + 1 : target) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

static int probe_node(int number, struct kmd_node *node)
{
	char path[64], driver[32];
	int err;

	snprintf(path, sizeof(path), SYSFS_ACCEL "/accel%d/device/driver", number);
	err = link_name(path, driver, sizeof(driver));
	if (err)
		return err;
	if (strcmp(driver, DRIVER_NAME) != 0)
		return -ENODEV;
	snprintf(path, sizeof(path), SYSFS_ACCEL "/accel%d/device", number);
	err = link_name(path, node->bus_id, sizeof(node->bus_id));
	if (err)
		return err;
	snprintf(node->path, sizeof(node->path), "/dev/accel/accel%d", number);
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int kmd_enumerate(struct kmd_node *nodes, unsigned int max)
{
	int numbers[KMD_MAX_NODES], count = 0, found = 0;
	struct dirent *entry;
	DIR *dir = opendir(SYSFS_ACCEL);

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (count < KMD_MAX_NODES && (entry = readdir(dir))) {
		char rest;

		if (sscanf(entry->d_name, "accel%d%c", &numbers[count], &rest) == 1)
			count++;
	}
	closedir(dir);

	qsort(numbers, count, sizeof(numbers[0]), compare_numbers);
	for (int i = 0; i < count && (unsigned int)found < max; i++) {
		if (probe_node(numbers[i], &nodes[found]) == 0)
			found++;
	}
	return found;
}

int kmd_open(const char *path, uint32_t *driver_major, uint32_t *driver_minor)
{
	drmVersionPtr version;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	version = drmGetVersion(fd);
	if (!version || strcmp(version->name, DRIVER_NAME) != 0) {
		drmFreeVersion(version);
		close(fd);
		return -ENODEV;
	}
	*driver_major = version->version_major;
	*driver_minor = version->version_minor;
	drmFreeVersion(version);
	return fd;
}

void kmd_close(int fd)
{
	close(fd);
}

int kmd_ioctl(int fd, unsigned long request, void *arg)
{
	return drmIoctl(fd, request, arg) ? -errno : 0;
}

int kmd_mmap(int fd, uint64_t offset, size_t bytes, void **pointer)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (map == MAP_FAILED)
		return -errno;
	*pointer = map;
	return 0;
}

void kmd_munmap(void *pointer, size_t bytes)
{
	munmap(pointer, bytes);
}

int kmd_syncobj_create(int fd, uint32_t *handle)
{
	return drmSyncobjCreate(fd, 0, handle) ? -errno : 0;
}

void kmd_syncobj_destroy(int fd, uint32_t handle)
{
	drmSyncobjDestroy(fd, handle);
}

int kmd_syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t deadline)
{
	return drmSyncobjTimelineWait(fd, &handle, &point, 1, deadline, 0, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * The npu driver, by libdrm and sysfs.
 */
#include "kmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#define SYSFS_ACCEL "/sys/class/accel"
#define DRIVER_NAME "npu"
#define MAX_FENCES 16 /* of a point: itself, and those before it that have not signalled */

/* Newer than Debian's libdrm. */
#ifndef DRM_IOCTL_SYNCOBJ_EVENTFD
struct drm_syncobj_eventfd {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

#define DRM_IOCTL_SYNCOBJ_EVENTFD DRM_IOWR(0xCF, struct drm_syncobj_eventfd)
#endif

struct drm_file {
	struct kmd_file base;
	int fd;
};

static const struct kmd_ops drm_ops;

static int fd_of(const struct kmd_file *file)
{
	return ((const struct drm_file *)file)->fd;
}

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
	node->ops = &drm_ops;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int kmd_drm_enumerate(struct kmd_node *nodes, unsigned int max)
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

static int check_driver(int fd, uint32_t *major, uint32_t *minor)
{
	drmVersionPtr version = drmGetVersion(fd);

	if (!version || strcmp(version->name, DRIVER_NAME) != 0) {
		drmFreeVersion(version);
		return -ENODEV;
	}
	*major = version->version_major;
	*minor = version->version_minor;
	drmFreeVersion(version);
	return 0;
}

static int drm_open(const struct kmd_node *node, struct kmd_file **result, uint32_t *driver_major,
		    uint32_t *driver_minor)
{
	struct drm_file *file = malloc(sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->base.ops = &drm_ops;
	file->fd = open(node->path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0) {
		err = -errno;
		goto fail_file;
	}
	err = check_driver(file->fd, driver_major, driver_minor);
	if (err)
		goto fail_fd;
	*result = &file->base;
	return 0;

fail_fd:
	close(file->fd);
fail_file:
	free(file);
	return err;
}

static void drm_close(struct kmd_file *file)
{
	close(fd_of(file));
	free(file);
}

static int drm_ioctl(struct kmd_file *file, unsigned long request, void *arg)
{
	return drmIoctl(fd_of(file), request, arg) ? -errno : 0;
}

static int drm_mmap(struct kmd_file *file, uint64_t offset, size_t bytes, void **pointer)
{
	void *map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_of(file), (off_t)offset);

	if (map == MAP_FAILED)
		return -errno;
	*pointer = map;
	return 0;
}

static void drm_munmap(struct kmd_file *file, void *pointer, size_t bytes)
{
	(void)file;
	munmap(pointer, bytes);
}

static int drm_prime_export(struct kmd_file *file, uint32_t handle, int *dmabuf)
{
	return drmPrimeHandleToFD(fd_of(file), handle, DRM_CLOEXEC | DRM_RDWR, dmabuf) ? -errno : 0;
}

static int drm_prime_import(struct kmd_file *file, int dmabuf, uint32_t *handle)
{
	return drmPrimeFDToHandle(fd_of(file), dmabuf, handle) ? -errno : 0;
}

static int drm_syncobj_create(struct kmd_file *file, uint32_t *handle)
{
	return drmSyncobjCreate(fd_of(file), 0, handle) ? -errno : 0;
}

static void drm_syncobj_destroy(struct kmd_file *file, uint32_t handle)
{
	drmSyncobjDestroy(fd_of(file), handle);
}

static int drm_syncobj_wait(struct kmd_file *file, uint32_t handle, uint64_t point,
			    int64_t deadline, uint32_t flags)
{
	return drmSyncobjTimelineWait(fd_of(file), &handle, &point, 1, deadline, flags, NULL);
}

static int drm_syncobj_export(struct kmd_file *file, uint32_t handle, int *fd)
{
	return drmSyncobjHandleToFD(fd_of(file), handle, fd) ? -errno : 0;
}

static int drm_syncobj_import(struct kmd_file *file, int fd, uint32_t *handle)
{
	return drmSyncobjFDToHandle(fd_of(file), fd, handle) ? -errno : 0;
}

static int drm_syncobj_query(struct kmd_file *file, uint32_t handle, uint64_t *point)
{
	return drmSyncobjQuery2(fd_of(file), &handle, point, 1,
				DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED)
		       ? -errno
		       : 0;
}

static int drm_syncobj_signal(struct kmd_file *file, uint32_t handle, uint64_t point)
{
	return drmSyncobjTimelineSignal(fd_of(file), &handle, &point, 1) ? -errno : 0;
}

static int drm_syncobj_eventfd(struct kmd_file *file, uint32_t handle, uint64_t point, int eventfd)
{
	struct drm_syncobj_eventfd args = { .handle = handle, .point = point, .fd = eventfd };

	return drmIoctl(fd_of(file), DRM_IOCTL_SYNCOBJ_EVENTFD, &args) ? -errno : 0;
}

/* Of the fences that a sync file stands for, the first error. */
static int sync_file_status(int fd, int *status)
{
	struct sync_fence_info fences[MAX_FENCES];
	struct sync_file_info info = { 0 };

	*status = 0;
	if (drmIoctl(fd, SYNC_IOC_FILE_INFO, &info))
		return -errno;
	if (info.num_fences > MAX_FENCES)
		return 0;
	info.sync_fence_info = (uintptr_t)fences;
	if (info.num_fences && drmIoctl(fd, SYNC_IOC_FILE_INFO, &info))
		return -errno;
	if (info.status < 0)
		*status = info.status;
	return 0;
}

/* Only a sync file tells, and only a binary syncobj is exported as one. */
static int drm_syncobj_status(struct kmd_file *file, uint32_t handle, uint64_t point, int *status)
{
	uint32_t binary;
	int sync_file, err;

	if (drmSyncobjCreate(fd_of(file), 0, &binary))
		return -errno;
	err = drmSyncobjTransfer(fd_of(file), binary, 0, handle, point, 0) ||
			      drmSyncobjExportSyncFile(fd_of(file), binary, &sync_file)
		      ? -errno
		      : 0;
	if (!err) {
		err = sync_file_status(sync_file, status);
		close(sync_file);
	}
	drmSyncobjDestroy(fd_of(file), binary);
	return err;
}

static const struct kmd_ops drm_ops = {
	.open = drm_open,
	.close = drm_close,
	.ioctl = drm_ioctl,
	.mmap = drm_mmap,
	.munmap = drm_munmap,
	.prime_export = drm_prime_export,
	.prime_import = drm_prime_import,
	.syncobj_create = drm_syncobj_create,
	.syncobj_destroy = drm_syncobj_destroy,
	.syncobj_wait = drm_syncobj_wait,
	.syncobj_export = drm_syncobj_export,
	.syncobj_import = drm_syncobj_import,
	.syncobj_query = drm_syncobj_query,
	.syncobj_signal = drm_syncobj_signal,
	.syncobj_eventfd = drm_syncobj_eventfd,
	.syncobj_status = drm_syncobj_status,
};

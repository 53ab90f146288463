// SPDX-License-Identifier: MIT
/* Finds NPU devices in /sys/class/accel and queries them through their nodes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>

#include "device.h"

#define SYSFS_ACCEL "/sys/class/accel"

static unsigned int sysfs_hex(unsigned int minor, const char *name)
{
	char path[128];
	unsigned int value = 0;
	FILE *file;

	snprintf(path, sizeof(path), SYSFS_ACCEL "/accel%u/device/%s", minor, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%x", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* The last component of a link in the device's sysfs folder. */
static bool sysfs_link(unsigned int minor, const char *name, char *text, size_t size)
{
	char path[128], target[512];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path), SYSFS_ACCEL "/accel%u/%s", minor, name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	base = strrchr(target, '/');
	snprintf(text, size, "%s", base ? base + 1 : target);
	return true;
}

static int query(int fd, unsigned int type, void *data, unsigned int size)
{
	struct drm_npu_dev_query query = {
		.type = type,
		.size = size,
		.pointer = (uintptr_t)data,
	};

	return drmIoctl(fd, DRM_IOCTL_NPU_DEV_QUERY, &query) ? -errno : 0;
}

static void query_driver(int fd, char *text, size_t size)
{
	drmVersionPtr version = drmGetVersion(fd);

	if (!version)
		return;
	snprintf(text, size, "%d.%d.%d", version->version_major, version->version_minor,
		 version->version_patchlevel);
	drmFreeVersion(version);
}

static void query_all(struct npu_device *dev)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/accel/accel%u", dev->minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "npu-smi: %s: %s\n", path, strerror(errno));
		return;
	}
	query_driver(fd, dev->driver, sizeof(dev->driver));
	dev->answers =
		!query(fd, DRM_NPU_DEV_QUERY_INFO, &dev->info, sizeof(dev->info)) &&
		!query(fd, DRM_NPU_DEV_QUERY_MEMORY, &dev->memory, sizeof(dev->memory)) &&
		!query(fd, DRM_NPU_DEV_QUERY_FIRMWARE, &dev->firmware, sizeof(dev->firmware)) &&
		!query(fd, DRM_NPU_DEV_QUERY_TELEMETRY, &dev->telemetry, sizeof(dev->telemetry));
	close(fd);
}

static bool device_probe(struct npu_device *dev, unsigned int minor)
{
	char driver[16];

	memset(dev, 0, sizeof(*dev));
	dev->minor = minor;
	if (!sysfs_link(minor, "device/driver", driver, sizeof(driver)) ||
	    strcmp(driver, "npu") != 0 ||
	    !sysfs_link(minor, "device", dev->bus_id, sizeof(dev->bus_id)))
		return false;
	dev->pci.class_id = sysfs_hex(minor, "class");
	dev->pci.vendor = sysfs_hex(minor, "vendor");
	dev->pci.device = sysfs_hex(minor, "device");
	dev->pci.subsystem_vendor = sysfs_hex(minor, "subsystem_vendor");
	dev->pci.subsystem_device = sysfs_hex(minor, "subsystem_device");
	query_all(dev);
	return true;
}

static int compare_bus_id(const void *a, const void *b)
{
	return strcmp(((const struct npu_device *)a)->bus_id,
		      ((const struct npu_device *)b)->bus_id);
}

int device_list(struct npu_device **devices)
{
	struct npu_device *list = NULL, *grown;
	struct dirent *entry;
	unsigned int minor;
	int count = 0;
	DIR *dir;

	*devices = NULL;
	dir = opendir(SYSFS_ACCEL);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "accel%u", &minor) != 1)
			continue;
		grown = reallocarray(list, count + 1, sizeof(*list));
		if (!grown) {
			count = -ENOMEM;
			break;
		}
		list = grown;
		count += device_probe(&list[count], minor);
	}
	closedir(dir);
	if (count <= 0) {
		free(list);
		return count;
	}
	qsort(list, count, sizeof(*list), compare_bus_id);
	for (int i = 0; i < count; i++)
		list[i].index = i;
	*devices = list;
	return count;
}

const char *device_health(const struct npu_device *dev)
{
	static const char *const words[] = { "OK", "Warning", "Alarm", "Critical" };

	if (!dev->answers || dev->telemetry.health >= sizeof(words) / sizeof(words[0]))
		return "UNKNOWN";
	return words[dev->telemetry.health];
}

unsigned int percent(unsigned long long part, unsigned long long whole)
{
	return whole ? (part * 100 + whole / 2) / whole : 0;
}

unsigned int permille_to_percent(unsigned int permille)
{
	return (permille + 5) / 10;
}

// SPDX-License-Identifier: MIT
/*
 * Limits that a call has met: which, whose, and how much of it is used. The driver tells of
 * its own, the kernel of those that it has for every process.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

/* Mappings that one call may need. */
#define MAPS_MARGIN 8

/* Of the driver, for a process. */

static bool query_limits(npurt_device *device, struct drm_npu_dev_limits *limits)
{
	struct drm_npu_dev_query query = {
		.type = DRM_NPU_DEV_QUERY_LIMITS,
		.size = sizeof(*limits),
		.pointer = (uintptr_t)limits,
	};

	memset(limits, 0, sizeof(*limits));
	return kmd_ioctl(device->kmd, DRM_IOCTL_NPU_DEV_QUERY, &query) == 0;
}

static int fail_pinned(struct rt_diag *diag, const struct drm_npu_dev_limits *limits,
		       const char *what)
{
	return rt_fail(diag, NPURT_ERROR_LIMIT,
		       "%s: this process has %" PRIu64 " of the %" PRIu64
		       " bytes pinned for other devices that the driver lets one have",
		       what, (uint64_t)limits->num_pinned, (uint64_t)limits->max_pinned);
}

/* All that this process, or that all processes may have; @all is 0 if it is not known. */
static int fail_count(struct rt_diag *diag, const char *things, uint32_t used, uint32_t most,
		      uint32_t all, const char *what)
{
	char number[16] = "";

	if (used >= most)
		return rt_fail(diag, NPURT_ERROR_LIMIT,
			       "%s: this process has all %u %s that the driver lets one have",
			       what, most, things);
	if (all)
		snprintf(number, sizeof(number), " %u", all);
	return rt_fail(diag, NPURT_ERROR_LIMIT,
		       "%s: all%s %s of the device are in use, %u of them by this process, which "
		       "may have %u",
		       what, number, things, used, most);
}

int rt_fail_limit(struct rt_diag *diag, enum rt_limit limit, const char *what)
{
	npurt_device *device = diag->device;
	struct drm_npu_dev_limits limits;

	if (!query_limits(device, &limits))
		return rt_fail(diag, NPURT_ERROR_LIMIT, "%s: the driver has no more", what);
	switch (limit) {
	case RT_LIMIT_PINNED:
		return fail_pinned(diag, &limits, what);
	case RT_LIMIT_VMS:
		return fail_count(diag, "address spaces", limits.num_vms, limits.max_vms, 0, what);
	default:
		return fail_count(diag, "queues", limits.num_queues, limits.max_queues,
				  device->info.max_queues, what);
	}
}

/* Of the kernel. */

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

static uint64_t count_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	uint64_t count = 0;
	int c;

	if (!file)
		return 0;
	while ((c = getc_unlocked(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

static bool say_maps(char *text, size_t size)
{
	const uint64_t used = count_maps();
	const uint64_t most = read_number("/proc/sys/vm/max_map_count");

	if (!most || used + MAPS_MARGIN < most)
		return false;
	snprintf(text, size,
		 "this process has %" PRIu64 " of the %" PRIu64
		 " memory mappings that vm.max_map_count lets one have",
		 used, most);
	return true;
}

static bool say_address_space(char *text, size_t size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return false;
	snprintf(text, size,
		 "Cannot allocate memory; this process may have %" PRIu64
		 " MiB of addresses (RLIMIT_AS)",
		 (uint64_t)limit.rlim_cur >> 20);
	return true;
}

static void say_memory(char *text, size_t size)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t total = 0, available = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "MemTotal: %" SCNu64, &total);
		sscanf(line, "MemAvailable: %" SCNu64, &available);
	}
	if (file)
		fclose(file);
	if (total)
		snprintf(text, size,
			 "Cannot allocate memory; %" PRIu64 " of the system's %" PRIu64
			 " MiB are available",
			 available >> 10, total >> 10);
}

static void say_files(char *text, size_t size)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit))
		snprintf(text, size,
			 "this process has all %" PRIu64
			 " files open that RLIMIT_NOFILE lets it have",
			 (uint64_t)limit.rlim_cur);
}

int rt_errno_limit(int err, char *text, size_t size)
{
	switch (-err) {
	case EMFILE:
		say_files(text, size);
		return NPURT_ERROR_LIMIT;
	case ENFILE:
		snprintf(text, size, "the system has all files open that fs.file-max (%" PRIu64
			 ") lets it have", read_number("/proc/sys/fs/file-max"));
		return NPURT_ERROR_LIMIT;
	case ENOMEM:
		if (say_maps(text, size))
			return NPURT_ERROR_LIMIT;
		if (!say_address_space(text, size))
			say_memory(text, size);
		return NPURT_ERROR_HOST_MEMORY;
	default:
		return 0;
	}
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "npu_power.h"
#include "npu_util.h"

static void power_path(int fd, const char *name, char *path, size_t size)
{
	struct stat st;

	fstat(fd, &st);
	snprintf(path, size, "/sys/dev/char/%u:%u/device/power/%s", major(st.st_rdev),
		 minor(st.st_rdev), name);
}

static int read_line(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	int ret = 0;

	if (!f)
		return -errno;
	if (!fgets(text, size, f))
		ret = -EIO;
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return ret;
}

int power_set(int fd, const char *name, const char *value)
{
	char path[128];

	power_path(fd, name, path, sizeof(path));
	return write_file(path, value);
}

long power_get(int fd, const char *name)
{
	char path[128], text[64];
	int ret;

	power_path(fd, name, path, sizeof(path));
	ret = read_line(path, text, sizeof(text));
	return ret ?: strtol(text, NULL, 10);
}

bool power_is(int fd, const char *status)
{
	char path[128], text[64] = "";

	power_path(fd, "runtime_status", path, sizeof(path));
	return !read_line(path, text, sizeof(text)) && !strcmp(text, status);
}

bool power_wait_suspended(int fd)
{
	const struct timespec pause = { .tv_nsec = 5000000 };

	for (int64_t waited = 0; waited < WAIT_NS; waited += pause.tv_nsec) {
		if (power_is(fd, "suspended"))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

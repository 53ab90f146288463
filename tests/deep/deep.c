// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deep.h"

static unsigned int tests;
static unsigned int failures;

void result(bool passed, const char *format, ...)
{
	va_list args;

	tests++;
	failures += !passed;
	printf("%sok %u - ", passed ? "" : "not ", tests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void skip(const char *what)
{
	printf("ok %u - %s # SKIP cannot be had here\n", ++tests, what);
	fflush(stdout);
}

int done(void)
{
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

bool device_works(void)
{
	struct npu_ctx ctx;
	bool works = !npu_ctx_open(&ctx) && npu_ctx_works(&ctx);

	npu_ctx_close(&ctx);
	return works;
}

void memory_query(struct drm_npu_dev_memory *memory)
{
	int fd = npu_open();

	memset(memory, 0, sizeof(*memory));
	if (fd >= 0) {
		npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, memory, sizeof(*memory));
		close(fd);
	}
}

/* What the last close has left to do is done in the background. */
bool memory_is_back(const struct drm_npu_dev_memory *before)
{
	struct drm_npu_dev_memory now;

	for (int i = 0; i < 200; i++) {
		memory_query(&now);
		if (now.hbm_used == before->hbm_used && now.system_used == before->system_used)
			return true;
		usleep(100000);
	}
	printf("# HBM: %" PRIu64 " bytes before, %" PRIu64 " after; system memory: %" PRIu64
	       " before, %" PRIu64 " after\n", (uint64_t)before->hbm_used, (uint64_t)now.hbm_used,
	       (uint64_t)before->system_used, (uint64_t)now.system_used);
	return false;
}

bool pci_device(char *name, unsigned int size)
{
	char target[256], *base;
	ssize_t n = readlink("/sys/class/accel/accel0/device", target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(name, size, "%s", base ? base + 1 : target);
	return true;
}

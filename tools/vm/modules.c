// SPDX-License-Identifier: MIT
/*
 * Loads kernel modules: those that the root and the driver stand on from the initrd, in the order
 * of their dependencies, and the driver from the root, as by then its firmware can be found.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "link.h"

/* Names are those of files, and where those have a dash a module may have an underscore. */
static bool same_name(const char *a, const char *b, size_t len)
{
	for (; len; a++, b++, len--) {
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	}
	return true;
}

/* What the kernel's command line has for a module, which is left to who loads it. */
static void parameters(const char *path, char *out, size_t size)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strcspn(base, "."), used = 0;
	char line[4096] = "", *word, *rest = line;
	FILE *f = fopen("/proc/cmdline", "re");

	*out = '\0';
	if (!f)
		return;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	while ((word = strsep(&rest, " \n"))) {
		if (strlen(word) > len + 1 && word[len] == '.' && same_name(word, base, len) &&
		    used < size)
			used += snprintf(out + used, size - used, "%s ", word + len + 1);
	}
}

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	char options[4096];

	if (fd < 0)
		return -1;
	parameters(path, options, sizeof(options));
	ret = syscall(SYS_finit_module, fd, options, 0);
	if (ret && errno == EEXIST)
		ret = 0;
	close(fd);
	return ret;
}

void load_module(const char *path)
{
	if (load(path))
		fail("module %s: %s", path, strerror(errno));
}

static int count_nodes(void)
{
	DIR *dir = opendir("/dev/accel");
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

void load_driver(void)
{
	const char *path = config_get("driver"), *npus = config_get("npus");
	int nodes;

	if (path && load(path))
		fail("npu.ko does not load: %s", strerror(errno));
	if (!path || !npus)
		return;
	nodes = count_nodes();
	if (nodes != atoi(npus))
		link_printf(LINK_MESSAGE, "%s NPUs, but %d device nodes: dmesg tells why", npus,
			    nodes);
}

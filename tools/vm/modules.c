// SPDX-License-Identifier: MIT
/*
 * Loads kernel modules: those that the root and the driver stand on from the initrd, in the order
 * of their dependencies, and the driver from the root, as by then its firmware can be found.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "link.h"

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_finit_module, fd, "", 0);
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

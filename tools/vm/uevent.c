// SPDX-License-Identifier: MIT
/* The part of udev that this guest needs: accel and render nodes are open to all its users. */
#include <dirent.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

static void open_up(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	char path[300];

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		chmod(path, 0666);
	}
	if (dir)
		closedir(dir);
}

int uevent_open(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0)
		bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	open_up("/dev/accel");
	return fd;
}

void uevent_handle(int fd)
{
	char event[4096];
	bool added = false;
	ssize_t n;

	/* "add@/devices/...": the first string of a message says all that is needed. */
	while ((n = recv(fd, event, sizeof(event) - 1, 0)) > 0) {
		event[n] = '\0';
		added |= !strncmp(event, "add@", 4) && strstr(event, "/accel/");
	}
	if (added)
		open_up("/dev/accel");
}

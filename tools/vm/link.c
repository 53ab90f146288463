// SPDX-License-Identifier: MIT
/* The guest's end of the link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"
#include "link.h"

#define PORTS "/sys/class/virtio-ports"

int link_fd = -1;

/* The node of the port with this name, if it has been found yet. */
static bool find_port(const char *wanted, char *node, size_t size)
{
	DIR *dir = opendir(PORTS);
	bool found = false;
	struct dirent *d;

	while (dir && !found && (d = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), PORTS "/%s/name", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && name[strcspn(name, "\n")] == '\n';
		name[strcspn(name, "\n")] = '\0';
		found = found && !strcmp(name, wanted);
		snprintf(node, size, "/dev/%s", d->d_name);
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The console driver learns of its ports from the host, a moment after it was probed. */
static void wait_port(const char *name, char *node, size_t size)
{
	int i;

	for (i = 0; i < 1000; i++) {
		if (find_port(name, node, size))
			return;
		poll(NULL, 0, 10);
	}
	fail("no virtio port named %s", name);
}

void link_open(void)
{
	char node[300];

	wait_port(LINK_PORT, node, sizeof(node));
	link_fd = open(node, O_RDWR | O_CLOEXEC);
	if (link_fd < 0)
		fail("%s: %s", node, strerror(errno));
}

/* The port that npu-inject speaks to, under the name that udev would give it. */
void link_control(void)
{
	char node[300];

	wait_port(LINK_CONTROL_PORT, node, sizeof(node));
	chmod(node, 0666);
	mkdir("/dev/virtio-ports", 0755);
	if (symlink(node, "/dev/virtio-ports/" LINK_CONTROL_PORT))
		fail("/dev/virtio-ports: %s", strerror(errno));
}

static void write_all(const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(link_fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			power_off();
		p += n;
		len -= n;
	}
}

void link_send(char type, const void *data, size_t len)
{
	char frame[4 + LINK_MAX_PAYLOAD] = { type, len, len >> 8, len >> 16 };

	memcpy(frame + 4, data, len);
	write_all(frame, 4 + len);
}

static void link_vprintf(char type, const char *format, va_list ap)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line), format, ap);

	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (link_fd < 0)
		fprintf(stderr, "npu-vm init: %s\n", line);
	else
		link_send(type, line, n);
}

void link_printf(char type, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	link_vprintf(type, format, ap);
	va_end(ap);
}

void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	link_vprintf(LINK_FAILED, format, ap);
	va_end(ap);
	power_off();
}

void power_off(void)
{
	struct pollfd link = { .fd = link_fd };

	/* Newer kernels reset devices first, and what is on its way is lost: the host hangs up. */
	if (link_fd >= 0)
		poll(&link, 1, 30000);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

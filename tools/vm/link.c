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
#include <unistd.h>

#include "init.h"
#include "link.h"

#define PORTS "/sys/class/virtio-ports"

int link_fd = -1;

/* Opens the port whose name is LINK_PORT, if it has been found yet. */
static int open_port(void)
{
	DIR *dir = opendir(PORTS);
	struct dirent *d;
	int fd = -1;

	while (dir && fd < 0 && (d = readdir(dir))) {
		char path[300], name[32];
		FILE *f;

		snprintf(path, sizeof(path), PORTS "/%s/name", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, LINK_PORT "\n")) {
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* The console driver learns of its ports from the host, a moment after it was probed. */
void link_open(void)
{
	int i;

	for (i = 0; i < 1000 && link_fd < 0; i++) {
		link_fd = open_port();
		if (link_fd < 0)
			poll(NULL, 0, 10);
	}
	if (link_fd < 0)
		fail("no virtio port named " LINK_PORT);
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
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

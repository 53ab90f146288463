// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "npu_vm.h"

#define PORTS "/dev/virtio-ports"
#define PORT PORTS "/npu-vm.control"

bool vm_here(void)
{
	return !access(PORT, F_OK);
}

/* The rest of the line that begins with @asker; an answer to somebody who is no more is skipped. */
static char *read_answer(FILE *port, const char *asker, char **line, size_t *size)
{
	size_t len = strlen(asker);

	while (getline(line, size, port) > 0) {
		(*line)[strcspn(*line, "\n")] = '\0';
		if (!strncmp(*line, asker, len) && (*line)[len] == ' ')
			return *line + len + 1;
	}
	return NULL;
}

/* @number: where to put the answer, or NULL. */
static int ask(const char *request, int64_t *number)
{
	int lock = open(PORTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = -EIO;
	char asker[16], *line = NULL, *answer = NULL;
	size_t size = 0;
	FILE *port;

	if (lock < 0)
		return -ENODEV;
	flock(lock, LOCK_EX);
	port = fopen(PORT, "r+e");
	if (port) {
		snprintf(asker, sizeof(asker), "%d", getpid());
		fprintf(port, "%s %s\n", asker, request);
		fflush(port);
		answer = read_answer(port, asker, &line, &size);
		fclose(port);
	}
	close(lock);
	if (answer && !strncmp(answer, "ok", 2)) {
		ret = 0;
		if (number)
			*number = strtoll(answer + 2, NULL, 0);
	} else if (answer) {
		fprintf(stderr, "# %s: %s\n", request, answer);
		ret = -EINVAL;
	}
	free(line);
	return ret;
}

int vm_ask(const char *format, ...)
{
	char request[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(request, sizeof(request), format, ap);
	va_end(ap);
	return ask(request, NULL);
}

int64_t vm_get(const char *property)
{
	char request[128];
	int64_t value;
	int ret;

	snprintf(request, sizeof(request), "get npu0 %s", property);
	ret = ask(request, &value);
	return ret ? ret : value;
}

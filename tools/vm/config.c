// SPDX-License-Identifier: MIT
/* The configuration that npu-vm puts into the initrd. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

static char *text;
static size_t size;

void config_load(void)
{
	int fd = open("/config", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		fail("the initrd has no configuration");
	size = st.st_size;
	text = malloc(size + 1);
	if (!text || read(fd, text, size) != (ssize_t)size)
		fail("the configuration cannot be read");
	text[size] = '\0';
	close(fd);
}

/* The next value of @key from @from on, NULL after the last. */
static char *next(const char *key, char *from)
{
	size_t len = strlen(key);
	char *p;

	for (p = from; p < text + size; p += strlen(p) + 1) {
		if (!strncmp(p, key, len) && p[len] == '=')
			return p + len + 1;
	}
	return NULL;
}

const char *config_get(const char *key)
{
	return next(key, text);
}

void config_each(const char *key, void (*fn)(const char *value))
{
	char *v;

	for (v = next(key, text); v; v = next(key, v + strlen(v) + 1))
		fn(v);
}

char **config_array(const char *key)
{
	char **array = NULL;
	size_t n = 0;
	char *v;

	for (v = next(key, text);; v = next(key, v + strlen(v) + 1)) {
		array = realloc(array, (n + 1) * sizeof(*array));
		if (!array)
			fail("out of memory");
		array[n++] = v;
		if (!v)
			return array;
	}
}

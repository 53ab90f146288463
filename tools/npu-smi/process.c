// SPDX-License-Identifier: MIT
/*
 * Reads /proc/PID/fdinfo as Documentation/gpu/drm-usage-stats.rst describes it.
 * A client that has several descriptors, in one process or in several, is
 * counted once a process.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "process.h"

#define DRM_ACCEL_MAJOR 261

struct client {
	unsigned long long id;
	struct npu_process usage;
};

struct list {
	struct npu_process *items;
	int count;
};

struct seen {
	struct client *items;
	int count;
};

static unsigned long long parse_bytes(const char *text)
{
	char unit[8] = "";
	unsigned long long value = 0;

	sscanf(text, "%llu %7s", &value, unit);
	if (!strcmp(unit, "KiB"))
		return value << 10;
	if (!strcmp(unit, "MiB"))
		return value << 20;
	return value;
}

static bool parse_fdinfo(FILE *file, struct client *client)
{
	bool is_npu = false;
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (!value)
			continue;
		*value++ = '\0';
		value += strspn(value, " \t");
		value[strcspn(value, "\n")] = '\0';
		if (!strcmp(line, "drm-driver"))
			is_npu = !strcmp(value, "npu");
		else if (!strcmp(line, "drm-pdev"))
			snprintf(client->usage.bus_id, sizeof(client->usage.bus_id), "%s", value);
		else if (!strcmp(line, "drm-client-id"))
			client->id = strtoull(value, NULL, 10);
		else if (!strcmp(line, "drm-resident-hbm"))
			client->usage.hbm_bytes = parse_bytes(value);
		else if (!strcmp(line, "drm-resident-memory"))
			client->usage.system_bytes = parse_bytes(value);
		else if (!strcmp(line, "drm-engine-aicore"))
			client->usage.aicore_ns = strtoull(value, NULL, 10);
		else if (!strcmp(line, "drm-engine-sdma"))
			client->usage.sdma_ns = strtoull(value, NULL, 10);
	}
	return is_npu;
}

static bool read_client(const char *pid, const char *fd, struct client *client)
{
	char path[300];
	struct stat st;
	bool is_npu;
	FILE *file;

	/* Reading an fdinfo can be costly: ask only those of accel nodes. */
	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	if (stat(path, &st) || !S_ISCHR(st.st_mode) || major(st.st_rdev) != DRM_ACCEL_MAJOR)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	is_npu = parse_fdinfo(file, client);
	fclose(file);
	return is_npu;
}

static bool seen_before(const struct seen *seen, const struct client *client)
{
	for (int i = 0; i < seen->count; i++)
		if (seen->items[i].id == client->id &&
		    !strcmp(seen->items[i].usage.bus_id, client->usage.bus_id))
			return true;
	return false;
}

static int remember(struct seen *seen, const struct client *client)
{
	struct client *grown = reallocarray(seen->items, seen->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	seen->items = grown;
	seen->items[seen->count++] = *client;
	return 0;
}

static void read_name(const char *pid, char *name, size_t size)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	snprintf(name, size, "?");
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, size, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static int add_usage(struct list *list, const char *pid, const struct npu_process *usage)
{
	struct npu_process *process = NULL, *grown;
	pid_t number = atoi(pid);

	for (int i = 0; i < list->count; i++)
		if (list->items[i].pid == number && !strcmp(list->items[i].bus_id, usage->bus_id))
			process = &list->items[i];
	if (!process) {
		grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		process = memset(&list->items[list->count++], 0, sizeof(*process));
		process->pid = number;
		snprintf(process->bus_id, sizeof(process->bus_id), "%s", usage->bus_id);
		read_name(pid, process->name, sizeof(process->name));
	}
	process->hbm_bytes += usage->hbm_bytes;
	process->system_bytes += usage->system_bytes;
	process->aicore_ns += usage->aicore_ns;
	process->sdma_ns += usage->sdma_ns;
	return 0;
}

static int scan_process(struct list *list, const char *pid)
{
	struct seen seen = { 0 };
	struct dirent *entry;
	char path[300];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!ret && (entry = readdir(dir))) {
		struct client client = { 0 };

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !read_client(pid, entry->d_name, &client) || seen_before(&seen, &client))
			continue;
		ret = remember(&seen, &client);
		if (!ret)
			ret = add_usage(list, pid, &client.usage);
	}
	closedir(dir);
	free(seen.items);
	return ret;
}

static int compare_pid(const void *a, const void *b)
{
	pid_t x = ((const struct npu_process *)a)->pid, y = ((const struct npu_process *)b)->pid;

	return (x > y) - (x < y);
}

int process_list(struct npu_process **processes)
{
	struct list list = { 0 };
	struct dirent *entry;
	int ret = 0;
	DIR *dir = opendir("/proc");

	*processes = NULL;
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = scan_process(&list, entry->d_name);
	closedir(dir);
	if (ret) {
		free(list.items);
		return ret;
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), compare_pid);
	*processes = list.items;
	return list.count;
}

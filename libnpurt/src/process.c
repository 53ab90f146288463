// SPDX-License-Identifier: MIT
/*
 * Other processes that have memory of a device, from what /proc/PID/fdinfo tells of its
 * open files (Documentation/gpu/drm-usage-stats.rst in the kernel): those that may be read.
 */
#include "internal.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DRM_ACCEL_MAJOR 261
#define MAX_CLIENTS 256

/* Open files that were met: one may be open in several processes, this one too. */
struct clients {
	uint64_t ids[MAX_CLIENTS];
	unsigned int count;
};

struct client {
	uint64_t id, hbm_bytes;
	bool is_npu;
	char bus_id[32];
};

static uint64_t parse_bytes(const char *text)
{
	char *unit;
	const uint64_t value = strtoull(text, &unit, 10);

	unit += strspn(unit, " ");
	return *unit == 'K' ? value << 10 : *unit == 'M' ? value << 20 : value;
}

static void parse_line(char *line, struct client *client)
{
	char *value = strchr(line, ':');

	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	value[strcspn(value, "\n")] = '\0';
	if (strcmp(line, "drm-driver") == 0)
		client->is_npu = strcmp(value, "npu") == 0;
	else if (strcmp(line, "drm-pdev") == 0)
		snprintf(client->bus_id, sizeof(client->bus_id), "%s", value);
	else if (strcmp(line, "drm-client-id") == 0)
		client->id = strtoull(value, NULL, 10);
	else if (strcmp(line, "drm-resident-hbm") == 0)
		client->hbm_bytes = parse_bytes(value);
}

/* Reading an fdinfo takes locks of the driver: only those of accel nodes are. */
static bool read_client(const char *pid, const char *fd, struct client *client)
{
	char path[600], line[256];
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	if (stat(path, &st) || !S_ISCHR(st.st_mode) || major(st.st_rdev) != DRM_ACCEL_MAJOR)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	memset(client, 0, sizeof(*client));
	while (fgets(line, sizeof(line), file))
		parse_line(line, client);
	fclose(file);
	return client->is_npu;
}

static bool is_new(struct clients *clients, uint64_t id)
{
	for (unsigned int i = 0; i < clients->count; i++) {
		if (clients->ids[i] == id)
			return false;
	}
	if (clients->count < MAX_CLIENTS)
		clients->ids[clients->count++] = id;
	return true;
}

static uint64_t read_process(const char *pid, const char *bus_id, struct clients *clients)
{
	char path[300];
	uint64_t bytes = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		struct client client;

		if (isdigit((unsigned char)entry->d_name[0]) &&
		    read_client(pid, entry->d_name, &client) &&
		    strcmp(client.bus_id, bus_id) == 0 && is_new(clients, client.id))
			bytes += client.hbm_bytes;
	}
	closedir(dir);
	return bytes;
}

static void read_name(const char *pid, char *name, size_t size)
{
	char path[300];
	FILE *file;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

/* Keeps the largest, by size. */
static unsigned int keep(struct rt_process *processes, unsigned int count, unsigned int max,
			 const struct rt_process *process)
{
	unsigned int at = count;

	while (at && processes[at - 1].hbm_bytes < process->hbm_bytes)
		at--;
	if (at == max)
		return count;
	if (count < max)
		count++;
	memmove(&processes[at + 1], &processes[at], (count - at - 1) * sizeof(*processes));
	processes[at] = *process;
	return count;
}

unsigned int rt_processes(const char *bus_id, struct rt_process *processes, unsigned int max)
{
	struct clients clients = { .count = 0 };
	const pid_t self = getpid();
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	read_process("self", bus_id, &clients);
	while ((entry = readdir(dir))) {
		struct rt_process process = { .pid = atoi(entry->d_name) };

		if (process.pid <= 0 || process.pid == self)
			continue;
		process.hbm_bytes = read_process(entry->d_name, bus_id, &clients);
		if (!process.hbm_bytes)
			continue;
		read_name(entry->d_name, process.name, sizeof(process.name));
		count = keep(processes, count, max, &process);
	}
	closedir(dir);
	return count;
}

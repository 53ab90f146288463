// SPDX-License-Identifier: MIT
/* The views of all devices: the summary table, the list and the map. */
#include <stdio.h>
#include <string.h>

#include "view.h"

#define LINE                                                                           \
	"+------------------------------------------------------------------------------" \
	"------------------+"
#define DEVICE_LINE                                                                    \
	"+---------------------------+---------------+----------------------------------" \
	"------------------+"
#define DEVICE_DOUBLE_LINE                                                             \
	"+===========================+===============+==================================" \
	"==================+"

struct hugepages {
	unsigned long total;
	unsigned long free;
};

static struct hugepages read_hugepages(void)
{
	struct hugepages pages = { 0 };
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return pages;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "HugePages_Total: %lu", &pages.total);
		sscanf(line, "HugePages_Free: %lu", &pages.free);
	}
	fclose(file);
	return pages;
}

static void print_head(const struct npu_snapshot *snapshot)
{
	char program[34], driver[64];

	snprintf(program, sizeof(program), "npu-smi %s", NPU_VERSION);
	snprintf(driver, sizeof(driver), "Version: %s",
		 snapshot->num_devices ? snapshot->devices[0].driver : "no NPU");
	puts(LINE);
	printf("| %-33s%-62s|\n", program, driver);
	puts(DEVICE_LINE);
	printf("| %-5s %-20s| %-14s| %-11s %-17s %-21s|\n", "NPU", "Name", "Health", "Power(W)",
	       "Temp(C)", "Hugepages-Usage(page)");
	printf("| %-26s| %-14s| %-11s %-17s %-21s|\n", "Chip", "Bus-Id", "AICore(%)",
	       "Memory-Usage(MB)", "HBM-Usage(MB)");
	puts(DEVICE_DOUBLE_LINE);
}

static void print_device(const struct npu_device *dev)
{
	struct hugepages pages = read_hugepages();
	char power[16];

	snprintf(power, sizeof(power), "%.1f", dev->telemetry.power_mw / 1000.0);
	printf("| %-5u %-20.20s| %-14s| %-11s %-17u %-4lu / %-14lu|\n", dev->index,
	       dev->answers ? dev->info.name : "-", device_health(dev), power,
	       (dev->telemetry.temperature_mc + 500) / 1000, pages.total - pages.free,
	       pages.total);
	printf("| %-26d| %-14s| %-11u %-4d / %-10d %-4llu / %-14llu|\n", 0, dev->bus_id,
	       permille_to_percent(dev->telemetry.aicore_permille), 0, 0,
	       dev->memory.hbm_used / BYTES_PER_MB, dev->memory.hbm_physical / BYTES_PER_MB);
	puts(DEVICE_DOUBLE_LINE);
}

static void print_processes(const struct npu_snapshot *snapshot, const struct npu_device *dev)
{
	const struct npu_process *process;
	char text[64];
	int shown = 0;

	for (int i = 0; i < snapshot->num_processes; i++) {
		process = &snapshot->processes[i];
		if (strcmp(process->bus_id, dev->bus_id))
			continue;
		printf("| %-7u %-18d| %-14d| %-25s| %-24llu|\n", dev->index, 0, (int)process->pid,
		       process->name, process->hbm_bytes / BYTES_PER_MB);
		shown++;
	}
	if (!shown) {
		snprintf(text, sizeof(text), "No running processes found in NPU %u", dev->index);
		printf("| %-95s|\n", text);
	}
}

void view_summary_text(const struct npu_snapshot *snapshot)
{
	print_head(snapshot);
	for (int i = 0; i < snapshot->num_devices; i++)
		print_device(&snapshot->devices[i]);
	puts(DEVICE_LINE);
	printf("| %-7s %-18s| %-14s| %-25s| %-24s|\n", "NPU", "Chip", "Process id", "Process name",
	       "Process memory(MB)");
	puts(DEVICE_DOUBLE_LINE);
	for (int i = 0; i < snapshot->num_devices; i++) {
		print_processes(snapshot, &snapshot->devices[i]);
		puts(DEVICE_DOUBLE_LINE);
	}
}

void view_list_text(const struct npu_snapshot *snapshot)
{
	printf("\t%-30s : %d\n", "Total Count", snapshot->num_devices);
	for (int i = 0; i < snapshot->num_devices; i++) {
		const struct npu_device *dev = &snapshot->devices[i];

		printf("\n\t%-30s : %u\n", "NPU ID", dev->index);
		printf("\t%-30s : %s\n", "Product Name", dev->answers ? dev->info.name : "-");
		printf("\t%-30s : %016llx\n", "Serial Number", (unsigned long long)dev->info.serial);
		printf("\t%-30s : %s\n", "Bus-Id", dev->bus_id);
		printf("\t%-30s : %d\n", "Chip Count", 1);
	}
}

void view_map_text(const struct npu_snapshot *snapshot)
{
	printf("\t%-30s %-30s %-30s %-30s %s\n", "NPU ID", "Slot ID", "Chip ID", "Chip Phy-ID",
	       "Chip Name");
	for (int i = 0; i < snapshot->num_devices; i++) {
		const struct npu_device *dev = &snapshot->devices[i];

		printf("\t%-30u %-30u %-30d %-30u %s\n", dev->index, dev->minor, 0, dev->index,
		       dev->answers ? dev->info.name : "-");
		printf("\t%-30u %-30u %-30d %-30s %s\n", dev->index, dev->minor, 1, "-", "Mcu");
	}
}

static json_t *processes_json(const struct npu_snapshot *snapshot, const char *bus_id)
{
	json_t *array = json_array();

	for (int i = 0; array && i < snapshot->num_processes; i++) {
		const struct npu_process *process = &snapshot->processes[i];

		if (strcmp(process->bus_id, bus_id))
			continue;
		json_array_append_new(
			array, json_pack("{s:i, s:s, s:I, s:I, s:I, s:I}", "pid", (int)process->pid,
					 "name", process->name, "hbm_bytes",
					 (json_int_t)process->hbm_bytes, "system_bytes",
					 (json_int_t)process->system_bytes, "aicore_ns",
					 (json_int_t)process->aicore_ns, "sdma_ns",
					 (json_int_t)process->sdma_ns));
	}
	return array;
}

static json_t *identity_json(const struct npu_device *dev)
{
	char serial[20];

	snprintf(serial, sizeof(serial), "%016llx", (unsigned long long)dev->info.serial);
	return json_pack("{s:i, s:s, s:s, s:s, s:i, s:i}", "npu", (int)dev->index, "name",
			 dev->info.name, "bus_id", dev->bus_id, "serial", serial, "chips", 1,
			 "accel_minor", (int)dev->minor);
}

static json_t *device_json(const struct npu_device *dev)
{
	struct hugepages pages = read_hugepages();
	json_t *state = json_pack(
		"{s:s, s:s, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "driver", dev->driver,
		"health", device_health(dev), "power_w", dev->telemetry.power_mw / 1000.0,
		"temperature_c", dev->telemetry.temperature_mc / 1000.0, "aicore_percent",
		dev->telemetry.aicore_permille / 10.0, "hbm_used_bytes",
		(json_int_t)dev->memory.hbm_used, "hbm_total_bytes",
		(json_int_t)dev->memory.hbm_physical, "system_used_bytes",
		(json_int_t)dev->memory.system_used, "hugepages_used",
		(json_int_t)(pages.total - pages.free), "hugepages_total",
		(json_int_t)pages.total);
	json_t *object = identity_json(dev);

	if (!object || !state || json_object_update(object, state)) {
		json_decref(object);
		object = NULL;
	}
	json_decref(state);
	return object;
}

json_t *view_summary_json(const struct npu_snapshot *snapshot)
{
	json_t *array = json_array();

	for (int i = 0; array && i < snapshot->num_devices; i++) {
		const struct npu_device *dev = &snapshot->devices[i];
		json_t *object = device_json(dev);

		json_object_set_new(object, "processes", processes_json(snapshot, dev->bus_id));
		json_array_append_new(array, object);
	}
	return array;
}

json_t *view_list_json(const struct npu_snapshot *snapshot)
{
	json_t *array = json_array();

	for (int i = 0; array && i < snapshot->num_devices; i++)
		json_array_append_new(array, identity_json(&snapshot->devices[i]));
	return array;
}

json_t *view_map_json(const struct npu_snapshot *snapshot)
{
	json_t *array = json_array();

	for (int i = 0; array && i < snapshot->num_devices; i++) {
		const struct npu_device *dev = &snapshot->devices[i];
		int npu = dev->index, slot = dev->minor;

		json_array_append_new(array,
				      json_pack("{s:i, s:i, s:i, s:i, s:s}", "npu", npu, "slot", slot,
						"chip", 0, "physical", npu, "name", dev->info.name));
		json_array_append_new(array, json_pack("{s:i, s:i, s:i, s:n, s:s}", "npu", npu,
						       "slot", slot, "chip", 1, "physical", "name",
						       "Mcu"));
	}
	return array;
}

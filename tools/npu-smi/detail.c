// SPDX-License-Identifier: MIT
/* The views of one device: npu-smi info -t NAME -i ID. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

/* Where the rows of a view go: to @object, or to standard output if it is NULL. */
struct sink {
	json_t *object;
};

struct npu_detail {
	const char *name;
	void (*fill)(struct sink *sink, const struct npu_device *dev);
};

static void put_number(struct sink *sink, const char *title, const char *key,
		       unsigned long long value)
{
	if (sink->object)
		json_object_set_new(sink->object, key, json_integer(value));
	else
		printf("\t%-30s : %llu\n", title, value);
}

__attribute__((format(printf, 4, 5))) static void
put_text(struct sink *sink, const char *title, const char *key, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (sink->object)
		json_object_set_new(sink->object, key, json_string(text));
	else
		printf("\t%-30s : %s\n", title, text);
}

static void put_head(struct sink *sink, const struct npu_device *dev)
{
	put_number(sink, "NPU ID", "npu", dev->index);
	put_number(sink, "Chip Count", "chips", 1);
}

static unsigned int hbm_percent(const struct npu_device *dev)
{
	return percent(dev->memory.hbm_used, dev->memory.hbm_physical);
}

static void fill_common(struct sink *sink, const struct npu_device *dev)
{
	const struct drm_npu_dev_telemetry *t = &dev->telemetry;

	put_head(sink, dev);
	put_number(sink, "Chip ID", "chip", 0);
	put_number(sink, "Memory Usage Rate(%)", "memory_percent", 0);
	put_number(sink, "HBM Usage Rate(%)", "hbm_percent", hbm_percent(dev));
	put_number(sink, "Aicore Usage Rate(%)", "aicore_percent",
		   permille_to_percent(t->aicore_permille));
	put_number(sink, "Aicore Freq(MHZ)", "aicore_nominal_mhz", dev->info.core_clock_mhz);
	put_number(sink, "Aicore curFreq(MHZ)", "aicore_mhz", t->aicore_mhz);
	put_number(sink, "Aicore Count", "aicores", dev->info.num_cores);
	put_number(sink, "Temperature(C)", "temperature_c", (t->temperature_mc + 500) / 1000);
	put_text(sink, "NPU Real-time Power(W)", "power_w", "%.1f", t->power_mw / 1000.0);
}

static void fill_usages(struct sink *sink, const struct npu_device *dev)
{
	const struct drm_npu_dev_telemetry *t = &dev->telemetry;

	put_head(sink, dev);
	put_number(sink, "HBM Capacity(MB)", "hbm_mb", dev->memory.hbm_physical / BYTES_PER_MB);
	put_number(sink, "HBM Usage Rate(%)", "hbm_percent", hbm_percent(dev));
	put_number(sink, "Aicore Usage Rate(%)", "aicore_percent",
		   permille_to_percent(t->cube_permille));
	put_number(sink, "Aivector Usage Rate(%)", "aivector_percent",
		   permille_to_percent(t->vector_permille));
	put_number(sink, "Aicpu Usage Rate(%)", "aicpu_percent", 0);
	put_number(sink, "Ctrlcpu Usage Rate(%)", "ctrlcpu_percent",
		   permille_to_percent(t->mcu_permille));
	put_number(sink, "HBM Bandwidth Usage Rate(%)", "hbm_bandwidth_percent",
		   permille_to_percent(t->hbm_permille));
	put_number(sink, "NPU Utilization(%)", "npu_percent",
		   permille_to_percent(t->aicore_permille));
	put_number(sink, "Chip ID", "chip", 0);
}

static void fill_memory(struct sink *sink, const struct npu_device *dev)
{
	put_head(sink, dev);
	put_number(sink, "HBM Capacity(MB)", "hbm_mb", dev->memory.hbm_physical / BYTES_PER_MB);
	put_number(sink, "HBM Allocatable(MB)", "hbm_allocatable_mb",
		   dev->memory.hbm_size / BYTES_PER_MB);
	put_number(sink, "HBM Used(MB)", "hbm_used_mb", dev->memory.hbm_used / BYTES_PER_MB);
	put_number(sink, "System Memory Used(MB)", "system_used_mb",
		   dev->memory.system_used / BYTES_PER_MB);
	put_number(sink, "HBM Clock Speed(MHz)", "hbm_mhz", dev->telemetry.hbm_mhz);
	put_number(sink, "HBM Single Bit Error Count", "hbm_corrected", dev->telemetry.hbm_ce);
	put_number(sink, "HBM Double Bit Error Count", "hbm_uncorrected", dev->telemetry.hbm_ue);
	put_number(sink, "Chip ID", "chip", 0);
}

static void fill_board(struct sink *sink, const struct npu_device *dev)
{
	put_number(sink, "NPU ID", "npu", dev->index);
	put_text(sink, "Product Name", "name", "%s", dev->info.name);
	put_text(sink, "Serial Number", "serial", "%016llx", (unsigned long long)dev->info.serial);
	put_text(sink, "Software Version", "driver", "%s", dev->driver);
	put_text(sink, "Firmware Version", "firmware", "%s", dev->firmware.version);
	put_text(sink, "Firmware ABI", "firmware_abi", "%u.%u", dev->firmware.abi_major,
		 dev->firmware.abi_minor);
	put_text(sink, "Hardware Version", "hardware", "%u.%u", dev->info.hw_version >> 16,
		 dev->info.hw_version & 0xffff);
	put_text(sink, "Timing", "timing", "%s", dev->info.timing ? dev->info.name : "none");
	put_text(sink, "PCIe Bus Info", "bus_id", "%s", dev->bus_id);
	put_number(sink, "Slot ID", "slot", dev->minor);
	put_text(sink, "Class ID", "class_id", "0x%06x", dev->pci.class_id);
	put_text(sink, "PCI Vendor ID", "pci_vendor", "0x%04x", dev->pci.vendor);
	put_text(sink, "PCI Device ID", "pci_device", "0x%04x", dev->pci.device);
	put_text(sink, "Subsystem Vendor ID", "pci_subsystem_vendor", "0x%04x",
		 dev->pci.subsystem_vendor);
	put_text(sink, "Subsystem Device ID", "pci_subsystem_device", "0x%04x",
		 dev->pci.subsystem_device);
	put_number(sink, "Chip Count", "chips", 1);
}

static const struct npu_detail details[] = {
	{ "common", fill_common },
	{ "usages", fill_usages },
	{ "memory", fill_memory },
	{ "board", fill_board },
};

const struct npu_detail *detail_find(const char *name)
{
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++)
		if (!strcmp(details[i].name, name))
			return &details[i];
	return NULL;
}

const char *detail_names(void)
{
	static char names[64];

	if (!names[0])
		for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
			strcat(names, i ? "|" : "");
			strcat(names, details[i].name);
		}
	return names;
}

void detail_text(const struct npu_detail *detail, const struct npu_device *dev)
{
	struct sink sink = { NULL };

	detail->fill(&sink, dev);
}

json_t *detail_json(const struct npu_detail *detail, const struct npu_device *dev)
{
	struct sink sink = { json_object() };

	if (sink.object)
		detail->fill(&sink, dev);
	return sink.object;
}

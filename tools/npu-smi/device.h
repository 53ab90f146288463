/* SPDX-License-Identifier: MIT */
/* NPU devices of this machine and what their driver tells of them. */
#ifndef NPU_SMI_DEVICE_H
#define NPU_SMI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <drm/npu_accel.h>

#define BYTES_PER_MB (1024ULL * 1024)

/**
 * struct npu_device - a snapshot of one device
 * @index: logical id, counted in the order of PCI addresses
 * @minor: number of the /dev/accel node
 * @bus_id: PCI address as sysfs writes it
 * @answers: the driver answered all queries; otherwise only the fields above
 *	and @pci hold
 * @driver: driver version
 */
struct npu_device {
	unsigned int index;
	unsigned int minor;
	char bus_id[16];
	bool answers;
	char driver[32];
	struct {
		unsigned int class_id;
		unsigned int vendor;
		unsigned int device;
		unsigned int subsystem_vendor;
		unsigned int subsystem_device;
	} pci;
	struct drm_npu_dev_info info;
	struct drm_npu_dev_memory memory;
	struct drm_npu_dev_firmware firmware;
	struct drm_npu_dev_telemetry telemetry;
};

/**
 * device_list() - take a snapshot of all devices
 * @devices: set to an array to be freed by the caller
 *
 * Return: number of devices, or a negative errno.
 */
int device_list(struct npu_device **devices);

/** device_health() - the one word for a device's state: OK, Warning, Alarm, Critical, UNKNOWN */
const char *device_health(const struct npu_device *dev);

/** percent() - share in percent, rounded; 0 of nothing is 0 */
unsigned int percent(unsigned long long part, unsigned long long whole);

/** permille_to_percent() - rounded */
unsigned int permille_to_percent(unsigned int permille);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole device core with its workers: kernels go through a queue, as the driver has it. */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct device;

struct device *device_new(unsigned int workers, unsigned int cores);
void device_free(struct device *device);

/* device_alloc() - zeroed device memory; its device address in @address */
void *device_alloc(struct device *device, size_t bytes, uint64_t *address);
/* device_code() - the device address of a copy of @image, mapped as a driver does */
uint64_t device_code(struct device *device, const void *image, size_t bytes);

/* device_run() - run a kernel and wait for it; its enum npu_status */
uint32_t device_run(struct device *device, uint64_t entry, uint64_t args, uint32_t blocks);

#endif /* TEST_DEVICE_H */

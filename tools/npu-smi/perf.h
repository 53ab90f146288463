/* SPDX-License-Identifier: MIT */
/* npu-smi perf: rates of an NPU over time, from a performance stream of its driver. */
#ifndef NPU_SMI_PERF_H
#define NPU_SMI_PERF_H

#include <stdbool.h>

#include "device.h"

/**
 * perf_show() - print a line for each period
 * @dev: device
 * @period_ms: length of a period
 * @count: lines; 0: until interrupted or the device goes
 * @json: an object a line instead of columns separated by tabs
 *
 * Return: 0, or a negative errno; -ENODEV: the device has gone.
 */
int perf_show(const struct npu_device *dev, unsigned int period_ms, unsigned long count, bool json);

#endif

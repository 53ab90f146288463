// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/visibility.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>

#include <drm/npu_accel.h>

#include <npu/npu_regs.h>

#include "npu_clock.h"
#include "npu_device.h"
#include "npu_mmio.h"

/* Readings of which the closest is taken: a hypervisor may stop us in the middle of one. */
#define NPU_CLOCK_TRIES 3

static u64 npu_clock_width(const struct drm_npu_dev_timestamp *reading)
{
	return reading->cpu_after - reading->cpu_before;
}

/**
 * npu_clock_read() - read the device's clock and the CPU's together
 * @npu: device
 * @now: set to the device's time and the CPU's before and after
 */
void npu_clock_read(struct npu_device *npu, struct drm_npu_dev_timestamp *now)
{
	struct drm_npu_dev_timestamp reading;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < NPU_CLOCK_TRIES; i++) {
		local_irq_save(flags);
		reading.cpu_before = ktime_get_ns();
		reading.device = npu_read64(npu, NPU_REG_TIMESTAMP_LO);
		reading.cpu_after = ktime_get_ns();
		local_irq_restore(flags);

		if (!i || npu_clock_width(&reading) < npu_clock_width(now))
			*now = reading;
	}
}

/**
 * npu_clock_to_cpu() - CPU time of a device time that is just past
 * @npu: device
 * @now: reading of both clocks
 * @past: device time, as the device wrote it
 *
 * Return: nanoseconds of CLOCK_MONOTONIC; that of @now if @past makes no sense.
 */
u64 npu_clock_to_cpu(struct npu_device *npu, const struct drm_npu_dev_timestamp *now, u64 past)
{
	u64 middle = now->cpu_before + npu_clock_width(now) / 2;
	u64 freq = npu->info.timestamp_freq;
	u64 ticks = now->device - past;

	/* Before the CPU's clock began; what the division has no room for is, too. */
	if (past > now->device ||
	    ticks > mul_u64_u64_div_u64(now->cpu_before, freq, NSEC_PER_SEC))
		return middle;

	return middle - mul_u64_u64_div_u64(ticks, NSEC_PER_SEC, freq);
}
EXPORT_SYMBOL_IF_KUNIT(npu_clock_to_cpu);

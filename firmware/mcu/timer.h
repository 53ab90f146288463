/* SPDX-License-Identifier: MIT */
#ifndef MCU_TIMER_H
#define MCU_TIMER_H

#include <npu/npu_mcu.h>

#include "mmio.h"

#define NS_PER_MS 1000000UL

/* Nanoseconds of device time. */
static inline uint64_t time_now(void)
{
	return mmio_read64(NPU_MCU_TIME);
}

void timer_start(void);

/* Runs what is due and sets the alarm for what comes next. */
void timer_poll(void);

#endif /* MCU_TIMER_H */

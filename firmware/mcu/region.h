/* SPDX-License-Identifier: MIT */
#ifndef MCU_REGION_H
#define MCU_REGION_H

#include <npu/npu_mcu.h>

#include "mmio.h"

/* Something in the firmware region, by its offset there. */
static inline void *region_at(uint64_t offset)
{
	return (void *)(NPU_MCU_HBM_WINDOW + mmio_read64(NPU_MCU_HOST_FW_REGION) + offset);
}

/*
 * Publishes a structure that starts with its sequence number: odd while it changes, so that a
 * reader who saw the same even number before and after has a consistent copy.
 */
static inline void region_publish(volatile void *dst, const void *src, size_t size,
				  uint32_t *sequence)
{
	volatile uint32_t *words = dst;
	const uint32_t *from = src;

	words[0] = ++*sequence;
	window_fence();
	for (size_t i = 1; i < size / sizeof(*words); i++)
		words[i] = from[i];
	window_fence();
	words[0] = ++*sequence;
}

#endif /* MCU_REGION_H */

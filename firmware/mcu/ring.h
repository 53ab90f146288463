/* SPDX-License-Identifier: MIT */
#ifndef MCU_RING_H
#define MCU_RING_H

#include <stdbool.h>
#include <stdint.h>

static inline bool ring_entries_valid(uint32_t entries, uint32_t min, uint32_t max)
{
	return entries >= min && entries <= max && (entries & (entries - 1)) == 0;
}

#endif /* MCU_RING_H */

// SPDX-License-Identifier: MIT
/*
 * Sign of life: a count that the driver watches.
 */
#include <npu/npu_mcu.h>

#include "heartbeat.h"
#include "mmio.h"

void heartbeat_tick(void)
{
	mmio_write32(NPU_MCU_HOST_HEARTBEAT, mmio_read32(NPU_MCU_HOST_HEARTBEAT) + 1);
}

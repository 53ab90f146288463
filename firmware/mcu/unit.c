// SPDX-License-Identifier: MIT
/*
 * Commands to the hardware units that keep contexts, completion rings and queues.
 */
#include <npu/npu_mcu.h>

#include "log.h"
#include "mmio.h"
#include "timer.h"
#include "unit.h"

#define UNIT_TIMEOUT_MS 2000

static bool unit_ready(const struct unit *unit)
{
	return mmio_read32(unit->status) != NPU_MCU_BUSY;
}

static bool unit_wait(const struct unit *unit)
{
	uint64_t deadline = time_now() + UNIT_TIMEOUT_MS * NS_PER_MS;
	uint32_t enabled = mmio_read32(NPU_MCU_INT_ENABLE);
	bool ready;

	/* Nothing else is served here, so nothing else may keep the core awake. */
	mmio_write32(NPU_MCU_INT_ENABLE, NPU_MCU_INT_QUEUE);
	while (!(ready = unit_ready(unit)) && time_now() < deadline) {
		wait_for_interrupt();
		mmio_write32(NPU_MCU_INT_PENDING, NPU_MCU_INT_QUEUE);
		timer_poll();
	}
	mmio_write32(NPU_MCU_INT_ENABLE, enabled);
	return ready;
}

enum npu_status unit_run(const struct unit *unit, uint32_t command)
{
	mmio_write32(NPU_MCU_INT_PENDING, NPU_MCU_INT_QUEUE);
	mmio_write32(unit->command, command);
	if (!unit_ready(unit) && !unit_wait(unit)) {
		log_warn("unit", "command %u of unit %lx has not ended in %u ms", command,
			 unit->command, UNIT_TIMEOUT_MS);
		return NPU_ST_ADMIN_BUSY;
	}
	return mmio_read32(unit->status);
}

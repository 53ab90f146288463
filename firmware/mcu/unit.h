/* SPDX-License-Identifier: MIT */
#ifndef MCU_UNIT_H
#define MCU_UNIT_H

#include <stdbool.h>

#include <npu/npu_status.h>

/**
 * struct unit - a hardware unit that takes commands
 * @command: its command register
 * @status: its status register
 */
struct unit {
	uint64_t command;
	uint64_t status;
};

/* Whether the unit's registers may be loaded; false if an earlier command still runs. */
bool unit_ready(const struct unit *unit);

/*
 * Runs a command whose operands are loaded, and waits for its end while periodic work goes on.
 * NPU_ST_ADMIN_BUSY if the end does not come in time.
 */
enum npu_status unit_run(const struct unit *unit, uint32_t command);

#endif /* MCU_UNIT_H */

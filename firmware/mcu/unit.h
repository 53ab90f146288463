/* SPDX-License-Identifier: MIT */
#ifndef MCU_UNIT_H
#define MCU_UNIT_H

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

/*
 * Runs a command whose operands are loaded, and waits for its end while periodic work goes on.
 * NPU_ST_ADMIN_BUSY if the end does not come in time; the command goes on, but other queues can
 * be worked on, and this one destroyed.
 */
enum npu_status unit_run(const struct unit *unit, uint32_t command);

#endif /* MCU_UNIT_H */

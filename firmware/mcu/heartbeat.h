/* SPDX-License-Identifier: MIT */
#ifndef MCU_HEARTBEAT_H
#define MCU_HEARTBEAT_H

#define HEARTBEAT_MS 100

void heartbeat_tick(void);

#endif /* MCU_HEARTBEAT_H */

/* SPDX-License-Identifier: MIT */
#ifndef MCU_TELEMETRY_H
#define MCU_TELEMETRY_H

#define TELEMETRY_MS 500

/* Takes a sample of sensors and counters into the firmware region. */
void telemetry_sample(void);

#endif /* MCU_TELEMETRY_H */

/* SPDX-License-Identifier: MIT */
#ifndef MCU_RAS_H
#define MCU_RAS_H

/* Counts errors, judges the device's health and tells the driver of a change. */
void ras_update(void);

#endif /* MCU_RAS_H */

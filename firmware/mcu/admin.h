/* SPDX-License-Identifier: MIT */
#ifndef MCU_ADMIN_H
#define MCU_ADMIN_H

/* Runs the commands that the driver has put into the admin ring. */
void admin_poll(void);

#endif /* MCU_ADMIN_H */

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The power of an NPU as sysfs shows it. */
#ifndef NPU_POWER_H
#define NPU_POWER_H

#include <stdbool.h>

/** power_set() - write a file of the device's power folder; 0, or a negative errno */
int power_set(int fd, const char *name, const char *value);
/** power_get() - a number there; a negative errno if there is none */
long power_get(int fd, const char *name);
/** power_wait_suspended() - wait until it has gone to sleep; false if it does not */
bool power_wait_suspended(int fd);
/** power_is() - is its state this one? */
bool power_is(int fd, const char *status);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The null device (libnpurt/src/null.h) with calls that fail on command, in the place of
 * libnpurt/src/kmd.c.
 */
#ifndef FAKE_KMD_H
#define FAKE_KMD_H

#include <stdint.h>

#include "null.h"

/* The next call of @request fails with -@err. */
void fake_fail_next(unsigned long request, int err);

/*
 * The @nth call from now on, of any kind, fails with -@err; 0: none. What destroys something
 * does so and then fails, as a driver does whose device is gone.
 */
void fake_fail_nth(unsigned int nth, int err);

/* Whether one of the two has come to pass since it was asked for. */
bool fake_failed(void);
/* And that call was to wait: what it would have waited for may have ended all the same. */
bool fake_failed_wait(void);

/* Calls of @request so far. */
unsigned int fake_calls(unsigned long request);
/* All that was asked of the kernel so far. */
unsigned int fake_all_calls(void);

/* Buffers with that label. */
unsigned int fake_labels(const char *label);

/* Stands for the AI cores, see null_set_kernel(). */
typedef null_kernel_fn fake_kernel_fn;
void fake_set_kernel(fake_kernel_fn run);
#define FAKE_AGAIN NULL_AGAIN

/* See null_poison() and null_wedge(). */
void fake_wedge(void);

/* Stops all queues as a reset of the device does. */
void fake_reset(void);

/* What is still there, or was when its file was closed, and open files. */
unsigned int fake_leaks(void);

#endif /* FAKE_KMD_H */

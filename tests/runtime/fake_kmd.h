/* SPDX-License-Identifier: MIT */
/*
 * A driver and device in this process, in the place of libnpurt/src/kmd.c: buffers are
 * ordinary memory, each queue is a thread that executes commands as the datasheet says.
 */
#ifndef FAKE_KMD_H
#define FAKE_KMD_H

#include <stdint.h>

#include <npu/npu_queue.h>

/* The next call of @request fails with -@err. */
void fake_fail_next(unsigned long request, int err);

/* Calls of @request so far. */
unsigned int fake_calls(unsigned long request);

/*
 * Stands for the AI cores: gets the launch and its arguments, and gives an enum
 * npu_status. NULL: every kernel ends well at once.
 */
typedef uint32_t (*fake_kernel_fn)(const struct npu_cmd_kernel *kernel, const void *args);
void fake_set_kernel(fake_kernel_fn run);

/* Stops all queues as a reset of the device does. */
void fake_reset(void);

/* Things that are still there: buffers, address spaces, queues, syncobjs, open files. */
unsigned int fake_leaks(void);

#endif /* FAKE_KMD_H */

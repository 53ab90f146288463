/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What a test asks of the machine that it runs on, if that is npu-vm's. */
#ifndef NPU_VM_H
#define NPU_VM_H

#include <stdbool.h>
#include <stdint.h>

/** vm_here() - is this npu-vm's guest? */
bool vm_here(void);

/**
 * vm_ask() - have the host do something, as npu-inject does; npu-vm --help has the requests
 *
 * Return: 0 when it has been done, -ENODEV outside of npu-vm, -EINVAL if the host refuses, and
 * then it is said on standard error why.
 */
int vm_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** vm_get() - a property of the NPU, a number; a negative errno as of vm_ask() */
int64_t vm_get(const char *property);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef MCU_CONTEXT_H
#define MCU_CONTEXT_H

#include <stdbool.h>

#include <npu/npu_fw.h>

enum npu_status context_set(uint32_t id, const struct npu_admin_context *config);
enum npu_status context_clear(uint32_t id);

/* A queue holds its context: one that is held is not cleared. */
bool context_is_set(uint32_t id);
void context_hold(uint32_t id);
void context_release(uint32_t id);

#endif /* MCU_CONTEXT_H */

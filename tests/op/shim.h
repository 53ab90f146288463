/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests can do on the shim only: see shim.c. */
#ifndef OP_SHIM_H
#define OP_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include <npu/npu_status.h>
#include <npurt/npurt.h>

npurt_context *shim_context(void);
npurt_stream *shim_stream(void);

/* All launches from now on have @blocks blocks, whatever the library says; 0: as it says. */
void shim_force_blocks(uint32_t blocks);

/* A kernel that fails sets shim_fault and does not end the program. */
extern bool shim_expect_fault;
extern enum npu_status shim_fault;

#endif /* OP_SHIM_H */

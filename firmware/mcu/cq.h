/* SPDX-License-Identifier: MIT */
#ifndef MCU_CQ_H
#define MCU_CQ_H

#include <stdbool.h>

#include <npu/npu_fw.h>

enum npu_status cq_create(uint32_t id, const struct npu_admin_cq *config);
enum npu_status cq_destroy(uint32_t id);

/* A queue holds its completion ring: one that is held is not destroyed. */
bool cq_exists(uint32_t id);
void cq_hold(uint32_t id);
void cq_release(uint32_t id);

#endif /* MCU_CQ_H */

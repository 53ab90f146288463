/* SPDX-License-Identifier: MIT */
#ifndef MCU_QUEUE_H
#define MCU_QUEUE_H

#include <npu/npu_fw.h>

enum npu_status queue_create(uint32_t id, const struct npu_admin_queue *config);
enum npu_status queue_destroy(uint32_t id);
enum npu_status queue_suspend(uint32_t id);
enum npu_status queue_resume(uint32_t id);
enum npu_status queue_stop(uint32_t id);
enum npu_status queue_core_reset(uint32_t core, uint32_t id);
enum npu_status queue_query(uint32_t id, struct npu_admin_queue_info *info);

/* Logs the queues that a fault has stopped since the last call. */
void queue_report_faults(void);

#endif /* MCU_QUEUE_H */

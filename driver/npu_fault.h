/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FAULT_H__
#define __NPU_FAULT_H__

#include <linux/types.h>

struct npu_fault;
struct npu_queue;

const char *npu_status_name(u32 status);
int npu_status_to_errno(u32 status);
bool npu_status_is_guilty(u32 status);
bool npu_fault_report(struct npu_queue *queue, const struct npu_fault *fault);

#endif /* __NPU_FAULT_H__ */

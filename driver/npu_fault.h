/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FAULT_H__
#define __NPU_FAULT_H__

#include <linux/types.h>

struct drm_npu_vm_get_state;
struct npu_fault;
struct npu_queue;
struct npu_vm;

const char *npu_status_name(u32 status);
int npu_status_to_errno(u32 status);
bool npu_status_is_guilty(u32 status);
void npu_fault_note(struct npu_vm *vm, const struct npu_fault *fault);
void npu_fault_get_state(struct npu_vm *vm, struct drm_npu_vm_get_state *state);
bool npu_fault_report(struct npu_queue *queue, const struct npu_fault *fault);

#endif /* __NPU_FAULT_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_SLEEP_H__
#define __NPU_SLEEP_H__

#include <linux/types.h>

struct dma_resv;
struct npu_device;

bool npu_sleep_all_idle(struct npu_device *npu);
bool npu_sleep_wait_idle(struct npu_device *npu, struct dma_resv *resv, bool stay);
void npu_sleep_stop(struct npu_device *npu);
int npu_sleep_begin(struct npu_device *npu, unsigned long timeout);
int npu_sleep_restore(struct npu_device *npu);
void npu_sleep_end(struct npu_device *npu);

#endif /* __NPU_SLEEP_H__ */

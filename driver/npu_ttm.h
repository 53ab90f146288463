/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_TTM_H__
#define __NPU_TTM_H__

#include <linux/types.h>

struct npu_device;

int npu_ttm_init(struct npu_device *npu);
u64 npu_ttm_system_used(struct npu_device *npu);

#endif /* __NPU_TTM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_TTM_H__
#define __NPU_TTM_H__

#include <linux/types.h>

struct npu_device;
struct ttm_buffer_object;

int npu_ttm_init(struct npu_device *npu);
u64 npu_ttm_system_used(struct npu_device *npu);
void npu_ttm_share(struct ttm_buffer_object *tbo, bool shared);

#endif /* __NPU_TTM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_DEBUGFS_H__
#define __NPU_DEBUGFS_H__

struct npu_device;

#ifdef CONFIG_DEBUG_FS
void npu_debugfs_init(struct npu_device *npu);
#else
static inline void npu_debugfs_init(struct npu_device *npu)
{
}
#endif

#endif /* __NPU_DEBUGFS_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_BUFFERS_H__
#define __NPU_BUFFERS_H__

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>

struct drm_device;
struct drm_file;
struct npu_bo;
struct npu_device;
struct seq_file;

/**
 * struct npu_buffers - every buffer of a device
 */
struct npu_buffers {
	/** @lock: protects @list and the labels; nothing else is locked under it */
	struct mutex lock;
	/** @list: struct npu_bo, oldest first */
	struct list_head list;
	/** @next_id: &npu_bo.id of the next one */
	u64 next_id;
	/** @removed: buffers that have been freed */
	u64 removed;
	/** @removal: woken up when @removed changes */
	wait_queue_head_t removal;
};

int npu_buffers_init(struct npu_device *npu);
void npu_buffers_add(struct npu_bo *bo);
void npu_buffers_remove(struct npu_bo *bo);
struct npu_bo *npu_buffers_next(struct npu_device *npu, struct npu_bo *prev);
void npu_buffers_settle(struct npu_device *npu);
void npu_buffers_show(struct npu_device *npu, struct seq_file *m);
int npu_buffers_set_label(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* __NPU_BUFFERS_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_ACTIVITY_H__
#define __NPU_ACTIVITY_H__

struct drm_npu_queue_get_state;
struct npu_device;
struct npu_queue;
struct seq_file;

void npu_activity_get(struct npu_queue *queue, struct drm_npu_queue_get_state *state);
void npu_activity_show(struct npu_device *npu, struct seq_file *m);

#endif /* __NPU_ACTIVITY_H__ */

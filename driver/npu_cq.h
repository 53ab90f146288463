/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_CQ_H__
#define __NPU_CQ_H__

#include <linux/spinlock.h>
#include <linux/types.h>

struct npu_cqe;
struct npu_device;
struct npu_queue;

/**
 * struct npu_cq - completion ring
 */
struct npu_cq {
	/** @npu: device */
	struct npu_device *npu;
	/** @ring: entries */
	struct npu_cqe *ring;
	/** @dma: bus address of @ring */
	dma_addr_t dma;
	/** @id: hardware id; its vector is one more */
	u32 id;
	/** @lock: protects what follows, and the slots of the ring's queues */
	spinlock_t lock;
	/** @head: next entry to look at, free-running */
	u32 head;
	/** @told: head as the device knows it */
	u32 told;
};

int npu_cq_init(struct npu_device *npu, unsigned int count);
int npu_cq_create_all(struct npu_device *npu);
void npu_cq_forget_all(struct npu_device *npu);
struct npu_cq *npu_cq_pick(struct npu_device *npu);
bool npu_cq_pending(struct npu_cq *cq, u32 *head);
bool npu_cq_stuck(struct npu_cq *cq, const struct npu_queue *queue);
void npu_cq_process(struct npu_cq *cq);
void npu_cq_set_queue(struct npu_cq *cq, u32 hw_id, struct npu_queue *queue);

#endif /* __NPU_CQ_H__ */

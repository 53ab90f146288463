/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_ADMIN_H__
#define __NPU_ADMIN_H__

#include <linux/completion.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <npu/npu_fw.h>

struct npu_device;

/**
 * struct npu_admin - admin queue
 *
 * One command is in flight at a time, under &npu_device.hw_lock.
 */
struct npu_admin {
	/** @sq: submission ring */
	struct npu_admin_cmd *sq;
	/** @cq: completion ring */
	struct npu_admin_cqe *cq;
	/** @sq_dma: bus address of @sq */
	dma_addr_t sq_dma;
	/** @cq_dma: bus address of @cq */
	dma_addr_t cq_dma;
	/** @tail: of @sq, free-running */
	u32 tail;

	/** @lock: protects what follows against the interrupt handler */
	spinlock_t lock;
	/** @head: of @cq, free-running */
	u32 head;
	/** @cid: of the last command */
	u16 cid;
	/** @pending: somebody waits for @cid */
	bool pending;
	/** @failed: the firmware died while somebody waited */
	bool failed;
	/** @reply: completion of @cid */
	struct npu_admin_cqe reply;
	/** @done: @reply is there, or @failed */
	struct completion done;
};

int npu_admin_init(struct npu_device *npu);
void npu_admin_start(struct npu_device *npu);
int npu_admin_identify(struct npu_device *npu);
int npu_admin_exec(struct npu_device *npu, struct npu_admin_cmd *cmd,
		   struct npu_admin_cqe *reply);
void npu_admin_process(struct npu_device *npu);
void npu_admin_fail(struct npu_device *npu);

#endif /* __NPU_ADMIN_H__ */

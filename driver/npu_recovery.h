/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_RECOVERY_H__
#define __NPU_RECOVERY_H__

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct npu_admin_queue_info;
struct npu_queue;

/**
 * struct npu_recovery - what recovery has done since the driver was bound
 *
 * Resets of the device are &npu_reset.count.
 */
struct npu_recovery {
	/** @tasks: tasks stopped by a fault or a time-out */
	atomic64_t tasks;
	/** @queues: queues reset */
	atomic64_t queues;
	/** @cores: AI cores reset */
	atomic64_t cores;
	/** @lost_interrupts: completions found without an interrupt */
	atomic64_t lost_interrupts;
	/** @bad_completions: completions that made no sense, or never came */
	atomic64_t bad_completions;
	/** @firmware_crashes: times that the firmware died */
	atomic64_t firmware_crashes;
};

/**
 * struct npu_watch - looks after what is in the ring of a queue
 */
struct npu_watch {
	/** @work: pending while something is in the ring */
	struct delayed_work work;
	/** @head: of the queue when it was last looked at */
	u32 head;
	/** @cq_head: entry of the completion ring that nobody had handled then */
	u32 cq_head;
	/** @cq_pending: there was one */
	bool cq_pending;
	/** @missing: the device had completed then what we have not seen */
	bool missing;
	/** @progress: most commands done that were seen, since the hardware knows the queue */
	u64 progress;
	/** @bound: jiffies that it may go without progress, under &npu_device.hw_lock */
	unsigned long bound;
	/** @excused: jiffies when it last waited for its turn while others got on */
	unsigned long excused;
};

void npu_recovery_init_queue(struct npu_queue *queue);
void npu_recovery_watch(struct npu_queue *queue);
bool npu_recovery_reset_cores(struct npu_queue *queue);
bool npu_recovery_query(struct npu_queue *queue, struct npu_admin_queue_info *info);
void npu_recovery_note(struct npu_queue *queue, const struct npu_admin_queue_info *info);

#endif /* __NPU_RECOVERY_H__ */

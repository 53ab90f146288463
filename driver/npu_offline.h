/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_OFFLINE_H__
#define __NPU_OFFLINE_H__

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/wait.h>

struct npu_device;
struct task_struct;

/* Who keeps the device off line; it comes back when nobody does. */
#define NPU_HOLD_RESET BIT(0)		/* a reset of our own */
#define NPU_HOLD_FUNCTION BIT(1)	/* somebody else, who resets the function */
#define NPU_HOLD_BUS BIT(2)		/* an error of the bus */
#define NPU_HOLD_SLEEP BIT(3)		/* power management */

/**
 * struct npu_offline - a device that is not to be talked to for a while
 */
struct npu_offline {
	/** @holds: NPU_HOLD_*, under &npu_device.hw_lock */
	unsigned int holds;
	/** @epoch: counts how often it has come back */
	atomic_t epoch;
	/** @wait: for another state of the device */
	wait_queue_head_t wait;
	/** @window: held by who uses a BAR without &npu_device.hw_lock */
	struct rw_semaphore window;
	/** @zap_lock: one at a time takes mappings away */
	struct mutex zap_lock;
	/** @zapper: who does */
	struct task_struct *zapper;
};

int npu_offline_init(struct npu_device *npu);

int npu_online_wait(struct npu_device *npu);
int npu_online_lock(struct npu_device *npu);
int npu_online_enter(struct npu_device *npu);
bool npu_online_tryenter(struct npu_device *npu);
void npu_online_exit(struct npu_device *npu);

void npu_offline_unmap(struct npu_device *npu);
void npu_offline_close(struct npu_device *npu);
bool npu_offline_is_zapper(struct npu_device *npu);

#endif /* __NPU_OFFLINE_H__ */

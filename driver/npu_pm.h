/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_PM_H__
#define __NPU_PM_H__

#include <linux/atomic.h>
#include <linux/pm.h>
#include <linux/types.h>
#include <linux/wait.h>

struct npu_device;

/**
 * struct npu_pm - power
 */
struct npu_pm {
	/** @users: who talks to the device, or is about to; see npu_pm_get() */
	atomic_t users;
	/** @awake: the device may be talked to */
	bool awake;
	/** @frozen: the system sleeps, or is about to */
	bool frozen;
	/** @suspender: who is putting the device to sleep and cannot wait for its waking */
	struct task_struct *suspender;
	/** @wait: for @users to be none, and for the end of @frozen */
	wait_queue_head_t wait;
	/** @timestamp: time of the device when it was last seen */
	u64 timestamp;
	/** @resets: resets that it had seen by then */
	u32 resets;
};

extern const struct dev_pm_ops npu_pm_ops;

void npu_pm_init(struct npu_device *npu);
void npu_pm_start(struct npu_device *npu);
void npu_pm_stop(struct npu_device *npu);

int npu_pm_get(struct npu_device *npu);
void npu_pm_hold(struct npu_device *npu);
void npu_pm_put(struct npu_device *npu);

int npu_pm_enter(struct npu_device *npu, int *idx);
void npu_pm_exit(struct npu_device *npu, int idx);

#endif /* __NPU_PM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_PM_H__
#define __NPU_PM_H__

#include <linux/atomic.h>
#include <linux/notifier.h>
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
	/** @sleeping: the system is on its way to sleep, or not all back yet; see npu_sleep.c */
	bool sleeping;
	/** @waiting: what waits and will need the device, see npu_pm_expect() */
	atomic_t waiting;
	/** @wait: for @users to be none, and for changes of @frozen, @sleeping and the state */
	wait_queue_head_t wait;
	/** @notifier: tells when the system is about to sleep, before anything is frozen */
	struct notifier_block notifier;
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
bool npu_pm_tryget(struct npu_device *npu);
void npu_pm_put(struct npu_device *npu);
void npu_pm_settle(struct npu_device *npu);

void npu_pm_expect(struct npu_device *npu);
void npu_pm_unexpect(struct npu_device *npu);

int npu_pm_enter(struct npu_device *npu, int *idx);
void npu_pm_exit(struct npu_device *npu, int idx);

#endif /* __NPU_PM_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_LIMITS_H__
#define __NPU_LIMITS_H__

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct npu_device;
struct pid;

/**
 * enum npu_limit - what a process can have only so much of
 */
enum npu_limit {
	/** @NPU_LIMIT_VMS: address spaces, each a hardware context */
	NPU_LIMIT_VMS = 0,
	/** @NPU_LIMIT_QUEUES: queues */
	NPU_LIMIT_QUEUES,
	/** @NPU_LIMIT_PINNED: bytes that can be neither moved nor swapped */
	NPU_LIMIT_PINNED,
	/** @NPU_LIMIT_TABLES: page tables, each a page of HBM that stays where it is */
	NPU_LIMIT_TABLES,
	/** @NPU_LIMIT_COUNT: number of limits */
	NPU_LIMIT_COUNT,
};

/**
 * struct npu_limits - limits of all processes
 */
struct npu_limits {
	/** @max: what a process can have, by enum npu_limit */
	u64 max[NPU_LIMIT_COUNT];
	/** @lock: protects @processes; nothing else is locked under it, nor allocated */
	struct mutex lock;
	/** @processes: every struct npu_process */
	struct list_head processes;
};

/**
 * struct npu_process - what a process has
 *
 * Files that one process opened share it, wherever they are passed. Whatever is charged
 * holds a reference, so it may live longer than the files, and than the process.
 */
struct npu_process {
	/** @refcount: references */
	refcount_t refcount;
	/** @npu: device */
	struct npu_device *npu;
	/** @node: in &npu_limits.processes */
	struct list_head node;
	/** @tgid: thread group, which no other process is as long as this refers to it */
	struct pid *tgid;
	/** @comm: its name when it first opened the device */
	char comm[TASK_COMM_LEN];
	/** @lock: protects @used */
	spinlock_t lock;
	/** @used: what it has, by enum npu_limit */
	u64 used[NPU_LIMIT_COUNT];
};

int npu_limits_init(struct npu_device *npu);

struct npu_process *npu_process_open(struct npu_device *npu);
struct npu_process *npu_process_get(struct npu_process *process);
void npu_process_put(struct npu_process *process);

int npu_process_charge(struct npu_process *process, enum npu_limit limit, u64 amount);
void npu_process_uncharge(struct npu_process *process, enum npu_limit limit, u64 amount);
u64 npu_process_used(struct npu_process *process, enum npu_limit limit);

#endif /* __NPU_LIMITS_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_COREDUMP_H__
#define __NPU_COREDUMP_H__

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <npu/npu_fw.h>
#include <npu/npu_queue.h>

struct npu_device;
struct npu_queue;
struct seq_file;

#define NPU_COREDUMP_REGS 32

/**
 * struct npu_coredump_queue - a queue, at the time of the failure
 */
struct npu_coredump_queue {
	/** @hw_id: hardware queue */
	u32 hw_id;
	/** @context: hardware context */
	u32 context;
	/** @pid: process that created it */
	pid_t pid;
	/** @comm: name of that process */
	char comm[TASK_COMM_LEN];
	/** @priority: NPU_PRIORITY_* */
	u32 priority;
	/** @engine: NPU_ENGINE_* */
	u32 engine;
	/** @status: enum drm_npu_queue_status */
	u32 status;
	/** @recovery: enum drm_npu_recovery */
	u32 recovery;
	/** @guilty: stopped for what it did itself */
	bool guilty;
	/** @head: oldest entry of the ring */
	u32 head;
	/** @tail: end of the ring */
	u32 tail;
	/** @submitted: jobs accepted */
	u64 submitted;
	/** @completed: jobs that have ended */
	u64 completed;
};

/**
 * struct npu_coredump - a failure that is being written down
 *
 * One at a time: what fails meanwhile is most likely a consequence. What would be gone soon is
 * copied where the failure is found, without allocation; the rest is left to @work.
 */
struct npu_coredump {
	/** @busy: what follows is in use */
	atomic_t busy;
	/** @work: makes the dump of it */
	struct work_struct work;
	/** @reason: why */
	const char *reason;
	/** @time: wall clock, nanoseconds */
	u64 time;
	/** @queue: that failed, a reference, or NULL */
	struct npu_queue *queue;
	/** @sqe: its entry */
	struct npu_sqe sqe;
	/** @info: what the firmware said of it, if @has_info */
	struct npu_admin_queue_info info;
	/** @has_info: @info is there */
	bool has_info;
	/** @has_device: what follows is there */
	bool has_device;
	/** @regs: registers */
	u32 regs[NPU_COREDUMP_REGS];
	/** @console: log of the firmware */
	struct npu_fw_console *console;
	/** @queues: all queues, freed with @work; NULL if there was no memory */
	struct npu_coredump_queue *queues;
	/** @num_queues: number of them */
	u32 num_queues;
};

int npu_coredump_init(struct npu_device *npu);
void npu_coredump_fault(struct npu_queue *queue);
void npu_coredump_hang(struct npu_queue *queue, const struct npu_admin_queue_info *info);
void npu_coredump_reset(struct npu_device *npu, const char *reason);
void npu_coredump_wait(struct npu_queue *queue);
void npu_coredump_show_registers(struct npu_device *npu, struct seq_file *m);

#endif /* __NPU_COREDUMP_H__ */

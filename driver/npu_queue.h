/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_QUEUE_DRV_H__
#define __NPU_QUEUE_DRV_H__

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

#include <npu/npu_queue.h>

#include <drm/npu_accel.h>

#include "npu_recovery.h"

/* The hardware's ring is twice what user space sees, see &npu_queue.slots. */
#define NPU_QUEUE_MAX_ENTRIES (NPU_SQ_MAX_ENTRIES / 2)

struct mm_struct;
struct npu_cq;
struct npu_device;
struct npu_fence;
struct npu_fence_context;
struct npu_job;
struct npu_usage;
struct npu_vm;

/**
 * struct npu_queue_params - what a new queue shall be, checked
 */
struct npu_queue_params {
	/** @core_mask: AI cores that it may use, 0 for all */
	u64 core_mask;
	/** @entries: of its ring, a power of two */
	u32 entries;
	/** @timeout_ms: time-out of commands without one of their own */
	u32 timeout_ms;
	/** @priority: NPU_PRIORITY_* */
	u8 priority;
	/** @engine: NPU_ENGINE_* */
	u8 engine;
	/** @internal: the driver's own; no fence of it leaves the driver */
	bool internal;
	/** @usage: where its use of engines is counted; NULL: nowhere */
	struct npu_usage *usage;
};

/**
 * struct npu_queue - a queue
 *
 * Jobs hold the queue, the queue holds its VM and the device.
 */
struct npu_queue {
	/** @refcount: references */
	struct kref refcount;
	/** @release: frees the queue, away from its scheduler */
	struct work_struct release;
	/** @npu: device */
	struct npu_device *npu;
	/** @vm: address space of its commands */
	struct npu_vm *vm;
	/** @cq: completion ring */
	struct npu_cq *cq;
	/** @node: in &npu_device.queues */
	struct list_head node;
	/** @params: what it was created with */
	struct npu_queue_params params;
	/** @hw_id: hardware queue */
	u32 hw_id;
	/** @resets: &npu_reset.count when it was created */
	u32 resets;
	/** @pid: process that created it, for messages */
	pid_t pid;
	/** @mm: memory of that process, without its pages; NULL if it was a kernel thread */
	struct mm_struct *mm;
	/** @comm: name of that process */
	char comm[TASK_COMM_LEN];

	/** @sched: scheduler of this queue; jobs that have nothing to wait for pass it by */
	struct drm_gpu_scheduler sched;
	/** @entity: its only entity */
	struct drm_sched_entity entity;
	/** @fences: fence context */
	struct npu_fence_context *fences;
	/** @scheduled: jobs that the scheduler has not run yet, raised under @submit_lock */
	atomic_t scheduled;
	/** @submit_lock: serialises submission; fences have the order of jobs */
	struct mutex submit_lock;
	/** @closed: takes no more jobs, under @submit_lock */
	bool closed;
	/** @attached: the hardware knows the queue, under &npu_device.hw_lock */
	bool attached;

	/** @sq: submission ring */
	struct npu_sqe *sq;
	/** @slots: entries of @sq: room for what the scheduler runs and for what passes it by */
	u32 slots;
	/** @sq_dma: bus address of @sq */
	dma_addr_t sq_dma;
	/** @fault_block: status block, written by the device */
	struct npu_fault *fault_block;
	/** @fault_dma: bus address of @fault_block */
	dma_addr_t fault_dma;

	/** @lock: protects what follows; taken in the interrupt handler */
	spinlock_t lock;
	/** @head: oldest entry that has not completed, free-running */
	u32 head;
	/** @tail: next entry to write, free-running */
	u32 tail;
	/** @inflight: fence by ring slot, at the last entry of each job */
	struct npu_fence **inflight;
	/** @held: armed jobs that the scheduler has not run yet, in order */
	struct list_head held;
	/** @stopped: nothing goes to the hardware any more */
	bool stopped;
	/** @error: of fences of jobs that come too late */
	int error;
	/** @first_error: of the fence of the job that was the oldest when it was stopped */
	int first_error;
	/** @status: as user space sees it */
	enum drm_npu_queue_status status;
	/** @recovery: how far it had to go to stop the queue */
	enum drm_npu_recovery recovery;
	/** @guilty: it was stopped for what it did itself */
	bool guilty;
	/** @commands: commands that it was ever given */
	u64 commands;
	/** @fault: copy of @fault_block when the queue was stopped by a fault */
	struct npu_fault fault;

	/** @moved: jiffies when something last ended, or there was last nothing to do */
	unsigned long moved;
	/** @patience: jiffies that what is in the ring may take without any progress */
	unsigned long patience;
	/** @watch: looks after what is in the ring */
	struct npu_watch watch;

	/** @tasks: commands of entries that have completed, since the hardware knows the queue */
	u64 tasks;
	/** @suspended: told to suspend, under &npu_device.hw_lock as the next one */
	bool suspended;
	/** @begun: how far the oldest entry has come: index of its next command */
	u64 begun;
	/** @cut: commands that the oldest entry had before */
	u32 cut;
	/** @submitted: jobs accepted */
	atomic64_t submitted;
	/** @completed: jobs that have ended */
	atomic64_t completed;
};

int npu_queue_module_init(void);
void npu_queue_module_exit(void);
int npu_queue_init_device(struct npu_device *npu);
void npu_queue_flush_released(void);

struct npu_queue *npu_queue_create(struct npu_device *npu, struct npu_vm *vm,
				   const struct npu_queue_params *params);
void npu_queue_destroy(struct npu_queue *queue);
struct npu_queue *npu_queue_get(struct npu_queue *queue);
void npu_queue_put(struct npu_queue *queue);
void npu_queue_get_state(struct npu_queue *queue, struct drm_npu_queue_get_state *state);

bool npu_queue_has_room(struct npu_queue *queue, u32 count);
int npu_queue_push(struct npu_queue *queue, struct npu_job *job);
bool npu_queue_expects(const struct npu_queue *queue, const struct npu_cqe *cqe);
int npu_queue_complete(struct npu_queue *queue, const struct npu_cqe *cqe);
void npu_queue_ring_again(struct npu_queue *queue);

void npu_queue_stop(struct npu_queue *queue, enum drm_npu_queue_status status, int first,
		    int others);
int npu_queue_detach(struct npu_queue *queue);
void npu_queue_cancel_process(struct npu_device *npu, struct mm_struct *mm);
void npu_queue_set_recovery(struct npu_queue *queue, enum drm_npu_recovery recovery);
int npu_queue_create_hw(struct npu_queue *queue);
void npu_queue_detached(struct npu_queue *queue);
void npu_queue_stop_all(struct npu_device *npu, int error);
void npu_queue_detach_all(struct npu_device *npu);
void npu_queue_cancel_all_held(struct npu_device *npu);
void npu_queue_free_all(struct npu_device *npu);

#endif /* __NPU_QUEUE_DRV_H__ */

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_mmu.h>

#include "npu_device.h"
#include "npu_limits.h"

/**
 * DOC: Limits
 *
 * Hardware contexts and queues are few, and pinned memory is lost to everyone else, as is what
 * page tables take, which need no buffer to be made. A process gets a large part of each, and
 * not all: another one can still start, and an administrator still look. What the driver has
 * for itself counts for nobody.
 */

/* A process may have all of the hardware but one part in so many. */
#define NPU_LIMITS_SPARE 8

/* And for page tables one part in so many of HBM: of small pages, they map 16 times as much. */
#define NPU_LIMITS_TABLES 32

static const char * const npu_limit_names[NPU_LIMIT_COUNT] = {
	[NPU_LIMIT_VMS] = "address spaces",
	[NPU_LIMIT_QUEUES] = "queues",
	[NPU_LIMIT_PINNED] = "bytes of pinned memory",
	[NPU_LIMIT_TABLES] = "page tables",
};

/**
 * npu_limits_init() - set up the limits
 * @npu: device, its HBM known
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_limits_init(struct npu_device *npu)
{
	struct npu_limits *limits = &npu->limits;
	u32 contexts = npu->info.num_contexts;
	u32 queues = npu->info.num_queues;
	u64 memory = min_t(u64, npu->hbm.manager.size, (u64)totalram_pages() << PAGE_SHIFT);

	INIT_LIST_HEAD(&limits->processes);
	limits->max[NPU_LIMIT_VMS] = contexts - DIV_ROUND_UP(contexts, NPU_LIMITS_SPARE);
	limits->max[NPU_LIMIT_QUEUES] = queues - DIV_ROUND_UP(queues, NPU_LIMITS_SPARE);
	/* Of what both device memory and system memory can do without. */
	limits->max[NPU_LIMIT_PINNED] = PAGE_ALIGN(memory / 2);
	/* There is a shadow of each in system memory. */
	limits->max[NPU_LIMIT_TABLES] = memory / NPU_LIMITS_TABLES / NPU_PAGE_SIZE;

	return drmm_mutex_init(&npu->drm, &limits->lock);
}

/**
 * npu_process_find() - find what a process has, and take a reference
 * @limits: limits, locked
 * @tgid: thread group
 *
 * Return: it, or NULL.
 */
static struct npu_process *npu_process_find(struct npu_limits *limits, struct pid *tgid)
{
	struct npu_process *process;

	list_for_each_entry(process, &limits->processes, node) {
		if (process->tgid == tgid)
			return npu_process_get(process);
	}

	return NULL;
}

/**
 * npu_process_open() - find what the current process has, or begin to count it
 * @npu: device
 *
 * Return: a reference, or NULL without memory.
 */
struct npu_process *npu_process_open(struct npu_device *npu)
{
	struct npu_limits *limits = &npu->limits;
	struct pid *tgid = task_tgid(current);
	struct npu_process *process, *first;

	process = kzalloc(sizeof(*process), GFP_KERNEL);
	if (!process)
		return NULL;

	refcount_set(&process->refcount, 1);
	spin_lock_init(&process->lock);
	process->npu = npu;
	process->tgid = tgid;
	get_task_comm(process->comm, current->group_leader);

	mutex_lock(&limits->lock);
	first = npu_process_find(limits, tgid);
	if (!first) {
		get_pid(tgid);
		list_add_tail(&process->node, &limits->processes);
	}
	mutex_unlock(&limits->lock);

	if (!first)
		return process;
	kfree(process);
	return first;
}

/**
 * npu_process_get() - take a reference
 * @process: process, or NULL for the driver itself
 *
 * Return: @process.
 */
struct npu_process *npu_process_get(struct npu_process *process)
{
	if (process)
		refcount_inc(&process->refcount);
	return process;
}

/**
 * npu_process_put() - drop a reference
 * @process: process, or NULL for the driver itself
 */
void npu_process_put(struct npu_process *process)
{
	struct npu_limits *limits;

	if (!process)
		return;

	limits = &process->npu->limits;
	if (!refcount_dec_and_mutex_lock(&process->refcount, &limits->lock))
		return;
	list_del(&process->node);
	mutex_unlock(&limits->lock);

	put_pid(process->tgid);
	kfree(process);
}

/**
 * npu_process_charge() - a process is about to get something
 * @process: process, or NULL for the driver itself
 * @limit: what
 * @amount: how much of it
 *
 * What is charged keeps the process; it must keep the device itself.
 *
 * Return: 0 on success, -ENOSPC if it had more than its limit then.
 */
int npu_process_charge(struct npu_process *process, enum npu_limit limit, u64 amount)
{
	struct npu_device *npu;
	int ret = 0;
	u64 max;

	if (!process)
		return 0;

	npu = process->npu;
	max = npu->limits.max[limit];

	spin_lock(&process->lock);
	if (amount > max - process->used[limit])
		ret = -ENOSPC;
	else
		process->used[limit] += amount;
	spin_unlock(&process->lock);

	if (ret)
		drm_dbg(&npu->drm, "process %d is at its limit of %llu %s\n",
			pid_nr(process->tgid), max, npu_limit_names[limit]);
	else
		npu_process_get(process);
	return ret;
}

/**
 * npu_process_uncharge() - undo npu_process_charge()
 * @process: process, or NULL for the driver itself
 * @limit: what
 * @amount: how much of it
 */
void npu_process_uncharge(struct npu_process *process, enum npu_limit limit, u64 amount)
{
	if (!process)
		return;

	spin_lock(&process->lock);
	process->used[limit] -= amount;
	spin_unlock(&process->lock);

	npu_process_put(process);
}

/**
 * npu_process_used() - what does a process have?
 * @process: process
 * @limit: of what
 *
 * Return: how much.
 */
u64 npu_process_used(struct npu_process *process, enum npu_limit limit)
{
	u64 used;

	spin_lock(&process->lock);
	used = process->used[limit];
	spin_unlock(&process->lock);

	return used;
}

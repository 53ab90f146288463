// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_tt.h>

#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "npu_device.h"
#include "npu_extent.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_migrate.h"
#include "npu_mmio.h"
#include "npu_pt.h"
#include "npu_queue.h"
#include "npu_reset.h"
#include "npu_vm.h"

/**
 * DOC: Clearing and moving memory
 *
 * Nobody may see what somebody else left in HBM, and buffers move between HBM and system
 * memory. The device does both much faster than the CPU does through the BAR, so the driver
 * has a queue of its own for that. Its address space, which no other queue can use, maps
 * HBM one to one, and has a window where pages of system memory are mapped while they are
 * copied. The tables of the window are made once: when memory is moved there may be no room
 * for any.
 *
 * Only one operation runs at a time: they are bound by bandwidth anyway. What a reset has
 * stopped is done again from the start, and what the device cannot do, by the CPU: the
 * source is intact, and a queue that has failed does not write any more.
 */

/* Commands of a batch, and bytes of a command: a batch is soon over. */
#define NPU_MIGRATE_CMDS 64
#define NPU_MIGRATE_BYTES SZ_32M

/* System memory that is mapped at a time. */
#define NPU_MIGRATE_WINDOW SZ_16M

/* A reset takes one of them. */
#define NPU_MIGRATE_TRIES 3

/* For less than this the device is not worth the round trip. */
#define NPU_MIGRATE_MIN SZ_64K

/* The CPU clears or copies so much at a time. */
#define NPU_MIGRATE_CPU_PAGES (SZ_256K >> PAGE_SHIFT)

/* Until who looks after the bus is there. */
#define NPU_MIGRATE_RETRY_US 10000

#define NPU_MIGRATE_TIMEOUT_MS 10000

/* HBM offset 0 is here. */
#define NPU_MIGRATE_VA NPU_VA_START

/**
 * npu_migrate_start() - create the queue
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_start(struct npu_device *npu)
{
	const struct npu_queue_params params = {
		.entries = NPU_SQ_MIN_ENTRIES,
		.timeout_ms = NPU_MIGRATE_TIMEOUT_MS,
		.priority = NPU_PRIORITY_NORMAL,
		.engine = NPU_ENGINE_COPY,
		.internal = true,
	};
	struct npu_migrate *migrate = &npu->migrate;
	struct npu_queue *queue;

	queue = npu_queue_create(npu, npu_vm_use(migrate->vm), &params);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	migrate->queue = queue;
	return 0;
}

/**
 * npu_migrate_stop() - destroy the queue
 * @npu: device
 */
static void npu_migrate_stop(struct npu_device *npu)
{
	struct npu_migrate *migrate = &npu->migrate;

	if (migrate->queue)
		npu_queue_destroy(migrate->queue);
	migrate->queue = NULL;
}

/**
 * npu_migrate_map_window() - map system memory for a copy
 * @npu: device
 * @pages: what to map, NPU_MIGRATE_WINDOW at most
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_map_window(struct npu_device *npu, const struct npu_extent *pages)
{
	struct npu_migrate *migrate = &npu->migrate;
	struct npu_pt_update update;
	int ret;

	npu_pt_update_begin(&update, migrate->vm);
	update.small = true;
	ret = npu_pt_prepare_map(&update, migrate->window_va, pages);
	if (!ret) {
		npu_pt_map(&update, migrate->window_va, pages, NPU_PTE_READ | NPU_PTE_WRITE);
		npu_pt_touch(&update, migrate->window_va, pages->remaining);
	}
	npu_pt_update_end(&update);

	return ret;
}

/**
 * npu_migrate_unmap_window() - unmap system memory after a copy
 * @npu: device
 */
static void npu_migrate_unmap_window(struct npu_device *npu)
{
	struct npu_pt_update update;

	npu_pt_update_begin(&update, npu->migrate.vm);
	npu_pt_unmap(&update, npu->migrate.window_va, NPU_MIGRATE_WINDOW);
	npu_pt_update_end(&update);
}

/**
 * npu_migrate_map() - map HBM and the command list, and make the window
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_map(struct npu_device *npu)
{
	struct npu_migrate *migrate = &npu->migrate;
	const struct npu_extent hbm = {
		.npu = npu,
		.size = npu->hbm.manager.size,
		.remaining = npu->hbm.manager.size,
	};
	const struct npu_extent cmds = {
		.npu = npu,
		.addr = migrate->cmds_dma,
		.size = PAGE_SIZE,
		.remaining = PAGE_SIZE,
		.system = true,
	};
	const struct npu_extent window = {
		.npu = npu,
		.size = NPU_MIGRATE_WINDOW,
		.remaining = NPU_MIGRATE_WINDOW,
		.system = true,
	};
	int ret;

	migrate->cmds_va = NPU_MIGRATE_VA + round_up(npu->hbm.manager.size, SZ_1G);
	migrate->window_va = migrate->cmds_va + SZ_1G;

	ret = npu_vm_map_kernel(migrate->vm, NPU_MIGRATE_VA, &hbm, NPU_PTE_READ | NPU_PTE_WRITE);
	if (ret)
		return ret;

	ret = npu_vm_map_kernel(migrate->vm, migrate->cmds_va, &cmds, NPU_PTE_READ);
	if (ret)
		return ret;

	ret = npu_migrate_map_window(npu, &window);
	npu_migrate_unmap_window(npu);
	return ret;
}

static void npu_migrate_fini(void *arg)
{
	struct npu_device *npu = arg;

	npu_migrate_stop(npu);
	/* It held the device, and so its minor number: the next one shall get that again. */
	npu_queue_flush_released();
	npu_vm_destroy(npu->migrate.vm);
}

/**
 * npu_migrate_init() - set up the driver's queue
 * @npu: device, booted
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_migrate_init(struct npu_device *npu)
{
	struct npu_migrate *migrate = &npu->migrate;
	int ret;

	static_assert(NPU_MIGRATE_CMDS * sizeof(struct npu_cmd) <= PAGE_SIZE);

	ret = drmm_mutex_init(&npu->drm, &migrate->lock);
	if (ret)
		return ret;

	migrate->cmds = dmam_alloc_coherent(npu->drm.dev, PAGE_SIZE, &migrate->cmds_dma,
					    GFP_KERNEL);
	if (!migrate->cmds)
		return -ENOMEM;

	migrate->vm = npu_vm_create(npu, NULL);
	if (IS_ERR(migrate->vm))
		return PTR_ERR(migrate->vm);

	ret = devm_add_action_or_reset(npu->drm.dev, npu_migrate_fini, npu);
	if (ret)
		return ret;

	ret = npu_migrate_map(npu);
	if (ret)
		return ret;

	return npu_migrate_start(npu);
}

/**
 * npu_migrate_run() - run the command list and wait for its end
 * @npu: device
 * @count: commands
 *
 * The wait cannot be interrupted, as the memory must not be given away before its
 * end; the time-out of the queue bounds it.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_run(struct npu_device *npu, u32 count)
{
	struct npu_queue *queue = npu->migrate.queue;
	struct dma_fence *fence;
	struct npu_job *job;
	int ret;

	job = npu_job_create(queue, 1);
	if (IS_ERR(job))
		return PTR_ERR(job);

	job->entries[0] = (struct npu_job_entry) {
		.list = npu->migrate.cmds_va,
		.count = count,
	};

	/* One job at a time: there is room. */
	mutex_lock(&queue->submit_lock);
	npu_job_run_now(job, &fence);
	mutex_unlock(&queue->submit_lock);

	dma_fence_wait(fence, false);
	ret = dma_fence_get_status(fence);
	dma_fence_put(fence);

	return ret < 0 ? ret : 0;
}

/**
 * npu_migrate_ready() - make sure of a queue that works
 * @npu: device
 *
 * A reset of the device has lost it.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_ready(struct npu_device *npu)
{
	struct npu_migrate *migrate = &npu->migrate;

	if (READ_ONCE(npu->state) != NPU_DEVICE_ALIVE)
		return -ENODEV;

	if (migrate->queue && READ_ONCE(migrate->queue->stopped))
		npu_migrate_stop(npu);

	return migrate->queue ? 0 : npu_migrate_start(npu);
}

/**
 * npu_migrate_batch_clear() - have the device clear some memory
 * @npu: device
 * @extent: memory to clear, advanced by what has been cleared
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_batch_clear(struct npu_device *npu, struct npu_extent *extent)
{
	u32 i;

	for (i = 0; i < NPU_MIGRATE_CMDS && extent->remaining; i++) {
		u64 bytes = min_t(u64, extent->size, NPU_MIGRATE_BYTES);

		npu->migrate.cmds[i] = (struct npu_cmd) {
			.opcode = NPU_CMD_FILL,
			.fill = {
				.dst = cpu_to_le64(NPU_MIGRATE_VA + extent->addr),
				.row_bytes = cpu_to_le64(bytes),
				.rows = cpu_to_le64(1),
				.pattern_bytes = cpu_to_le32(sizeof(u64)),
			},
		};
		npu_extent_advance(extent, bytes);
	}

	return npu_migrate_run(npu, i);
}

/**
 * npu_migrate_batch_copy() - have the device copy between HBM and the window
 * @npu: device
 * @hbm: memory in HBM, advanced by what has been copied
 * @offset: of it in the window, likewise
 * @bytes: at most so many
 * @to_hbm: direction
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_migrate_batch_copy(struct npu_device *npu, struct npu_extent *hbm, u64 *offset,
				  u64 bytes, bool to_hbm)
{
	u64 end = *offset + bytes;
	u32 i;

	for (i = 0; i < NPU_MIGRATE_CMDS && *offset < end; i++) {
		u64 hbm_va = NPU_MIGRATE_VA + hbm->addr;
		u64 window_va = npu->migrate.window_va + *offset;
		u64 part = min(hbm->size, end - *offset);

		npu->migrate.cmds[i] = (struct npu_cmd) {
			.opcode = NPU_CMD_COPY,
			.copy = {
				.dst = cpu_to_le64(to_hbm ? hbm_va : window_va),
				.src = cpu_to_le64(to_hbm ? window_va : hbm_va),
				.row_bytes = cpu_to_le64(part),
				.rows = cpu_to_le64(1),
			},
		};
		npu_extent_advance(hbm, part);
		*offset += part;
	}

	return npu_migrate_run(npu, i);
}

/**
 * npu_migrate_try_device() - have the device clear or copy memory
 * @npu: device
 * @hbm: memory in HBM
 * @system: system memory, or NULL to clear
 * @tt: its pages
 * @to_hbm: direction
 *
 * Return: 0 on success; -EINTR if the caller is being killed; another negative error
 * code if the device has not done it.
 */
static int npu_migrate_try_device(struct npu_device *npu, struct ttm_resource *hbm,
				  struct ttm_resource *system, struct ttm_tt *tt, bool to_hbm)
{
	struct npu_migrate *migrate = &npu->migrate;
	struct npu_extent extent, pages;
	int ret;

	npu_extent_first(npu, hbm, NULL, 0, hbm->size, &extent);

	mutex_lock(&migrate->lock);
	ret = npu_migrate_ready(npu);
	while (!ret && extent.remaining) {
		u64 bytes = min_t(u64, extent.remaining, NPU_MIGRATE_WINDOW);
		u64 done = 0;

		if (system) {
			npu_extent_first(npu, system, tt, hbm->size - extent.remaining, bytes,
					 &pages);
			ret = npu_migrate_map_window(npu, &pages);
			while (!ret && done < bytes)
				ret = npu_migrate_batch_copy(npu, &extent, &done, bytes - done,
							     to_hbm);
		} else {
			ret = npu_migrate_batch_clear(npu, &extent);
		}
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	}
	if (system)
		npu_migrate_unmap_window(npu);
	mutex_unlock(&migrate->lock);

	return ret;
}

/**
 * npu_migrate_by_device() - have the device clear or copy memory, whatever resets it has
 * @npu: device
 * @hbm: memory in HBM
 * @system: system memory, or NULL to clear
 * @tt: its pages
 * @to_hbm: direction
 *
 * Return: 0 on success; -EINTR if the caller is being killed; another negative error
 * code if the CPU has to do it.
 */
static int npu_migrate_by_device(struct npu_device *npu, struct ttm_resource *hbm,
				 struct ttm_resource *system, struct ttm_tt *tt, bool to_hbm)
{
	unsigned int tries;
	int ret;

	if (hbm->size < NPU_MIGRATE_MIN)
		return -EAGAIN;

	for (tries = 0; tries < NPU_MIGRATE_TRIES; tries++) {
		ret = npu_migrate_try_device(npu, hbm, system, tt, to_hbm);
		if (!ret || ret == -EINTR)
			return ret;

		npu_reset_wait(npu);
		ret = npu_online_wait(npu);
		if (ret)
			return ret;
	}

	return -EAGAIN;
}

/**
 * npu_migrate_page_by_cpu() - clear or copy a page
 * @hbm: page of HBM
 * @page: page of system memory, or NULL to clear
 * @to_hbm: direction
 */
static void npu_migrate_page_by_cpu(void __iomem *hbm, struct page *page, bool to_hbm)
{
	void *cpu;

	if (!page) {
		memset_io(hbm, 0, PAGE_SIZE);
		return;
	}

	cpu = kmap_local_page(page);
	if (to_hbm)
		memcpy_toio(hbm, cpu, PAGE_SIZE);
	else
		memcpy_fromio(cpu, hbm, PAGE_SIZE);
	kunmap_local(cpu);
}

/**
 * npu_migrate_piece_by_cpu() - clear or copy some memory through the BAR
 * @npu: device
 * @extent: memory in HBM, advanced by what is done
 * @pages: of system memory from there, or NULL to clear
 * @to_hbm: direction
 *
 * Return: 0 on success, -EAGAIN if it has to be done again, another negative error code if the
 * memory is out of reach.
 */
static int npu_migrate_piece_by_cpu(struct npu_device *npu, struct npu_extent *extent,
				    struct page **pages, bool to_hbm)
{
	struct npu_extent next = *extent;
	pgoff_t i;
	int ret;

	ret = npu_online_lock(npu);
	if (ret)
		return ret;

	for (i = 0; next.remaining && i < NPU_MIGRATE_CPU_PAGES; i++) {
		npu_migrate_page_by_cpu(npu->hbm.cpu + next.addr, pages ? pages[i] : NULL, to_hbm);
		npu_extent_advance(&next, PAGE_SIZE);
	}

	/* Behind all that was written. On a bus in trouble nothing was, and reads give all ones. */
	if (npu_read(npu, NPU_REG_MAGIC) == NPU_MAGIC)
		*extent = next;
	else
		ret = npu->state == NPU_DEVICE_ALIVE ? -EAGAIN : -EIO;
	mutex_unlock(&npu->hw_lock);

	return ret;
}

/**
 * npu_migrate_by_cpu() - clear or copy memory through the BAR
 * @npu: device
 * @hbm: memory in HBM
 * @tt: pages, or NULL to clear
 * @to_hbm: direction
 *
 * While the device is being reset, or is off line, its memory may be out of reach: one does
 * not meet the other.
 *
 * Return: 0 on success, -EINTR if the caller is being killed, -EIO if the memory is out of
 * reach for good.
 */
static int npu_migrate_by_cpu(struct npu_device *npu, struct ttm_resource *hbm,
			      struct ttm_tt *tt, bool to_hbm)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(NPU_MIGRATE_TIMEOUT_MS);
	struct npu_extent extent;
	int ret = 0;

	npu_extent_first(npu, hbm, NULL, 0, hbm->size, &extent);
	while (!ret && extent.remaining) {
		pgoff_t first = (hbm->size - extent.remaining) >> PAGE_SHIFT;

		ret = npu_migrate_piece_by_cpu(npu, &extent, tt ? tt->pages + first : NULL,
					       to_hbm);
		/* The bus has failed, and we are the first to notice. */
		if (ret == -EAGAIN && time_before(jiffies, deadline)) {
			ret = fatal_signal_pending(current) ? -EINTR : 0;
			fsleep(NPU_MIGRATE_RETRY_US);
		}
		cond_resched();
	}

	return ret == -EAGAIN ? -EIO : ret;
}

/**
 * npu_migrate_clear() - clear device memory that nobody has seen yet
 * @npu: device
 * @res: memory
 *
 * Return: 0 on success, -EINTR if the caller is being killed, -EIO if the memory cannot be
 * reached: then nothing that was there has been touched.
 */
int npu_migrate_clear(struct npu_device *npu, struct ttm_resource *res)
{
	int ret = npu_migrate_by_device(npu, res, NULL, NULL, true);

	if (!ret || ret == -EINTR)
		return ret;

	return npu_migrate_by_cpu(npu, res, NULL, true);
}

/**
 * npu_migrate_copy() - copy a buffer between device memory and system memory
 * @npu: device
 * @from: where it is
 * @to: where it goes
 * @tt: its pages
 *
 * Return: 0 on success, -EINTR if the caller is being killed, -EIO if the memory cannot be
 * reached: then nothing that was there has been touched.
 */
int npu_migrate_copy(struct npu_device *npu, struct ttm_resource *from, struct ttm_resource *to,
		     struct ttm_tt *tt)
{
	bool to_hbm = to->mem_type == NPU_PL_HBM;
	struct ttm_resource *hbm = to_hbm ? to : from;
	struct ttm_resource *system = to_hbm ? from : to;
	int ret = npu_migrate_by_device(npu, hbm, system, tt, to_hbm);

	if (!ret || ret == -EINTR)
		return ret;

	return npu_migrate_by_cpu(npu, hbm, tt, to_hbm);
}

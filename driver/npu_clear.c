// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>

#include "npu_clear.h"
#include "npu_device.h"
#include "npu_extent.h"
#include "npu_fence.h"
#include "npu_job.h"
#include "npu_queue.h"
#include "npu_vm.h"

/**
 * DOC: Clearing memory
 *
 * Nobody may see what somebody else left in HBM. The device fills memory much
 * faster than the CPU does through the BAR, so the driver has a queue of its own
 * for that. Its address space maps HBM one to one, which no other queue can use.
 *
 * Only one clear runs at a time: they are bound by the bandwidth of HBM anyway.
 */

/* Commands of a batch, and bytes of a command: a batch is soon over. */
#define NPU_CLEAR_CMDS 16
#define NPU_CLEAR_BYTES SZ_32M

#define NPU_CLEAR_TIMEOUT_MS 10000

/* HBM offset 0 is here. */
#define NPU_CLEAR_VA NPU_VA_START

/**
 * npu_clear_start() - create the queue
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_clear_start(struct npu_device *npu)
{
	const struct npu_queue_params params = {
		.entries = NPU_SQ_MIN_ENTRIES,
		.timeout_ms = NPU_CLEAR_TIMEOUT_MS,
		.priority = NPU_PRIORITY_NORMAL,
		.engine = NPU_ENGINE_COPY,
		.internal = true,
	};
	struct npu_clear *clear = &npu->clear;
	struct npu_queue *queue;

	queue = npu_queue_create(npu, npu_vm_use(clear->vm), &params);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	clear->queue = queue;
	return 0;
}

/**
 * npu_clear_stop() - destroy the queue
 * @npu: device
 */
static void npu_clear_stop(struct npu_device *npu)
{
	struct npu_clear *clear = &npu->clear;

	if (clear->queue)
		npu_queue_destroy(clear->queue);
	clear->queue = NULL;
}

/**
 * npu_clear_map() - map HBM and the command list
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_clear_map(struct npu_device *npu)
{
	struct npu_clear *clear = &npu->clear;
	const struct npu_extent hbm = {
		.npu = npu,
		.size = npu->hbm.manager.size,
		.remaining = npu->hbm.manager.size,
	};
	const struct npu_extent cmds = {
		.npu = npu,
		.addr = clear->cmds_dma,
		.size = PAGE_SIZE,
		.remaining = PAGE_SIZE,
		.system = true,
	};
	int ret;

	clear->cmds_va = NPU_CLEAR_VA + round_up(npu->hbm.manager.size, SZ_1G);

	ret = npu_vm_map_kernel(clear->vm, NPU_CLEAR_VA, &hbm, NPU_PTE_READ | NPU_PTE_WRITE);
	if (ret)
		return ret;

	return npu_vm_map_kernel(clear->vm, clear->cmds_va, &cmds, NPU_PTE_READ);
}

static void npu_clear_fini(void *arg)
{
	struct npu_device *npu = arg;

	npu_clear_stop(npu);
	/* It held the device, and so its minor number: the next one shall get that again. */
	npu_queue_flush_released();
	npu_vm_destroy(npu->clear.vm);
}

/**
 * npu_clear_init() - set up the driver's queue
 * @npu: device, booted
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_clear_init(struct npu_device *npu)
{
	struct npu_clear *clear = &npu->clear;
	int ret;

	static_assert(NPU_CLEAR_CMDS * sizeof(struct npu_cmd) <= PAGE_SIZE);

	ret = drmm_mutex_init(&npu->drm, &clear->lock);
	if (ret)
		return ret;

	clear->cmds = dmam_alloc_coherent(npu->drm.dev, PAGE_SIZE, &clear->cmds_dma, GFP_KERNEL);
	if (!clear->cmds)
		return -ENOMEM;

	clear->vm = npu_vm_create(npu);
	if (IS_ERR(clear->vm))
		return PTR_ERR(clear->vm);

	ret = devm_add_action_or_reset(npu->drm.dev, npu_clear_fini, npu);
	if (ret)
		return ret;

	ret = npu_clear_map(npu);
	if (ret)
		return ret;

	return npu_clear_start(npu);
}

/**
 * npu_clear_run() - run the command list and wait for its end
 * @npu: device
 * @count: commands
 *
 * The wait cannot be interrupted, as the memory must not be given away before its
 * end; the time-out of the queue bounds it.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_clear_run(struct npu_device *npu, u32 count)
{
	struct npu_queue *queue = npu->clear.queue;
	struct dma_fence *fence;
	struct npu_job *job;
	int ret;

	job = npu_job_create(queue, 1);
	if (IS_ERR(job))
		return PTR_ERR(job);

	job->entries[0] = (struct npu_job_entry) {
		.list = npu->clear.cmds_va,
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
 * npu_clear_fill_list() - write a batch of commands
 * @npu: device
 * @extent: memory to clear, advanced by what the batch clears
 *
 * Return: number of commands.
 */
static u32 npu_clear_fill_list(struct npu_device *npu, struct npu_extent *extent)
{
	u32 i;

	for (i = 0; i < NPU_CLEAR_CMDS && extent->remaining; i++) {
		u64 bytes = min_t(u64, extent->size, NPU_CLEAR_BYTES);

		npu->clear.cmds[i] = (struct npu_cmd) {
			.opcode = NPU_CMD_FILL,
			.fill = {
				.dst = cpu_to_le64(NPU_CLEAR_VA + extent->addr),
				.row_bytes = cpu_to_le64(bytes),
				.rows = cpu_to_le64(1),
				.pattern_bytes = cpu_to_le32(sizeof(u64)),
			},
		};
		npu_extent_advance(extent, bytes);
	}

	return i;
}

/**
 * npu_clear_ready() - make sure of a queue that works
 * @npu: device
 *
 * A reset of the device has lost it.
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_clear_ready(struct npu_device *npu)
{
	struct npu_clear *clear = &npu->clear;

	if (READ_ONCE(npu->state) != NPU_DEVICE_ALIVE)
		return -ENODEV;

	if (clear->queue && READ_ONCE(clear->queue->stopped))
		npu_clear_stop(npu);

	return clear->queue ? 0 : npu_clear_start(npu);
}

/**
 * npu_clear_hbm() - have the device clear memory
 * @npu: device
 * @res: memory in HBM that nobody uses yet
 *
 * Return: 0 on success; -EINTR if the caller is being killed; another negative error
 * code if the CPU has to do it.
 */
int npu_clear_hbm(struct npu_device *npu, struct ttm_resource *res)
{
	struct npu_clear *clear = &npu->clear;
	struct npu_extent extent;
	int ret;

	npu_extent_first(npu, res, NULL, 0, res->size, &extent);

	mutex_lock(&clear->lock);
	ret = npu_clear_ready(npu);
	while (!ret && extent.remaining) {
		ret = npu_clear_run(npu, npu_clear_fill_list(npu, &extent));
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	}
	mutex_unlock(&clear->lock);

	return ret;
}

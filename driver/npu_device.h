/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_DEVICE_H__
#define __NPU_DEVICE_H__

#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "npu_admin.h"
#include "npu_buffers.h"
#include "npu_coredump.h"
#include "npu_fw.h"
#include "npu_hbm.h"
#include "npu_migrate.h"
#include "npu_offline.h"
#include "npu_perf.h"
#include "npu_room.h"
#include "npu_limits.h"
#include "npu_pm.h"
#include "npu_recovery.h"

#define DRIVER_NAME "npu"
#define DRIVER_DESC "NPU accelerator"
#define DRIVER_MAJOR 1
#define DRIVER_MINOR 1

struct dma_pool;
struct npu_cq;
struct npu_queue;
struct pci_dev;

/**
 * struct npu_info - what the identification registers say, checked
 */
struct npu_info {
	/** @hw_version: NPU_REG_HW_VERSION */
	u32 hw_version;
	/** @num_queues: hardware queues */
	u32 num_queues;
	/** @num_contexts: hardware contexts */
	u32 num_contexts;
	/** @num_cqs: completion rings */
	u32 num_cqs;
	/** @num_cores: AI cores */
	u32 num_cores;
	/** @core_mask: a bit for each AI core */
	u64 core_mask;
	/** @core_clock_mhz: nominal clock of the AI cores */
	u32 core_clock_mhz;
	/** @timestamp_freq: ticks per second of the device's clock */
	u32 timestamp_freq;
	/** @sparse: page tables can have pages without memory */
	bool sparse;
	/** @timing: timestamps of queues are modelled */
	bool timing;
	/** @profile: NPU_PROFILE_* */
	u32 profile;
	/** @ub_size: bytes of unified buffer */
	u32 ub_size;
	/** @l1_size: bytes of L1 */
	u32 l1_size;
	/** @l0a_size: bytes of L0A */
	u32 l0a_size;
	/** @l0b_size: bytes of L0B */
	u32 l0b_size;
	/** @l0c_size: bytes of L0C */
	u32 l0c_size;
	/** @serial: serial number */
	u64 serial;
};

/**
 * enum npu_device_state - may the hardware be talked to
 */
enum npu_device_state {
	/** @NPU_DEVICE_ALIVE: firmware is up */
	NPU_DEVICE_ALIVE = 0,
	/** @NPU_DEVICE_RESETTING: it boots, with &npu_device.hw_lock held */
	NPU_DEVICE_RESETTING,
	/**
	 * @NPU_DEVICE_OFFLINE: asleep, being reset, or behind a bus in trouble: it is not to be
	 * talked to until nobody of &npu_offline.holds keeps it off line
	 */
	NPU_DEVICE_OFFLINE,
	/** @NPU_DEVICE_WEDGED: a reset has failed; only binding again helps */
	NPU_DEVICE_WEDGED,
	/** @NPU_DEVICE_GONE: the driver has been unbound */
	NPU_DEVICE_GONE,
};

/**
 * struct npu_reset - recovery of the whole device
 */
struct npu_reset {
	/**
	 * @wq: ordered; also runs the schedulers' time-outs, so that these and
	 * a reset never meet
	 */
	struct workqueue_struct *wq;
	/** @work: makes the device quiet */
	struct work_struct work;
	/** @up: brings it up again */
	struct work_struct up;
	/** @stuck: only a function level reset may help; set under &npu_device.hw_lock */
	bool stuck;
	/** @count: resets since the driver was bound */
	atomic_t count;
	/** @reason: why one was asked for last */
	const char *reason;
	/** @fw_silent: the firmware is not to be heard any more */
	bool fw_silent;
	/** @pci_state: configuration of the function while it was known to be good */
	struct pci_saved_state *pci_state;
	/** @wedged: tells user space that the device has been given up */
	struct work_struct wedged;
};

/**
 * struct npu_device - one NPU
 */
struct npu_device {
	/** @drm: base */
	struct drm_device drm;
	/** @pdev: PCI device */
	struct pci_dev *pdev;
	/** @regs: register BAR */
	void __iomem *regs;
	/** @info: fixed properties */
	struct npu_info info;

	/**
	 * @hw_lock: serialises conversations with the device: admin commands,
	 * translation invalidation, reset, and @queues and @vms with them.
	 * Taken on the way to signal fences, so nothing is allocated under it.
	 */
	struct mutex hw_lock;
	/** @state: enum npu_device_state, written under @hw_lock */
	enum npu_device_state state;

	/** @fw: management firmware */
	struct npu_fw fw;
	/** @admin: admin queue */
	struct npu_admin admin;
	/** @reset: of the whole device */
	struct npu_reset reset;
	/** @offline: who keeps it off line, who waits for the end of that */
	struct npu_offline offline;
	/** @recovery: what recovery has done */
	struct npu_recovery recovery;
	/** @coredump: failure that is being written down */
	struct npu_coredump coredump;
	/** @pm: power */
	struct npu_pm pm;

	/** @num_vectors: MSI-X vectors in use, the management vector included */
	unsigned int num_vectors;
	/** @irqs: their interrupts: looking one up takes a lock under which memory is allocated */
	unsigned int *irqs;
	/** @cqs: completion rings, one for each vector but the first */
	struct npu_cq *cqs;
	/** @num_cqs: number of @cqs */
	unsigned int num_cqs;

	/** @ttm: memory manager */
	struct ttm_device ttm;
	/** @hbm: device memory */
	struct npu_hbm hbm;
	/** @room: who gets room in it */
	struct npu_room room;
	/** @migrate: clears and copies it */
	struct npu_migrate migrate;
	/** @sys_man: manager of system memory that the device can reach */
	struct ttm_resource_manager sys_man;

	/** @buffers: every buffer */
	struct npu_buffers buffers;
	/** @limits: what a process can have */
	struct npu_limits limits;

	/** @context_ida: hardware contexts in use */
	struct ida context_ida;
	/** @vms: every VM with a hardware context */
	struct list_head vms;
	/** @userptr_lock: protects @userptrs */
	struct mutex userptr_lock;
	/** @userptrs: every piece of user memory that is mapped */
	struct list_head userptrs;

	/** @queue_ida: hardware queues in use */
	struct ida queue_ida;
	/** @queues: every queue that has not been destroyed */
	struct list_head queues;
	/**
	 * @hw_queues: hardware queue by id; a slot is written under @hw_lock and
	 * the lock of the queue's completion ring, either is enough to read it
	 */
	struct npu_queue **hw_queues;
	/** @sched_wq: runs the schedulers */
	struct workqueue_struct *sched_wq;
	/** @status_pool: status blocks of queues */
	struct dma_pool *status_pool;
	/** @perf: performance streams */
	struct npu_perf perf;
	/** @fault_ratelimit: limits messages about faults, which users can cause */
	struct ratelimit_state fault_ratelimit;
};

/**
 * struct npu_file - an open file
 */
struct npu_file {
	/** @npu: device */
	struct npu_device *npu;
	/** @process: that opened it */
	struct npu_process *process;
	/** @vms: VMs by id */
	struct xarray vms;
	/** @queues: queues by id */
	struct xarray queues;
	/** @usage: of its queues, also of those that are no more */
	struct npu_usage *usage;
};

/**
 * to_npu_device() - the NPU behind a DRM device
 * @drm: DRM device
 *
 * Return: the device.
 */
static inline struct npu_device *to_npu_device(struct drm_device *drm)
{
	return container_of(drm, struct npu_device, drm);
}

int npu_device_init(struct npu_device *npu);
void npu_device_set_state(struct npu_device *npu, enum npu_device_state state);
void npu_device_unplug(struct npu_device *npu);

#endif /* __NPU_DEVICE_H__ */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_MIGRATE_H__
#define __NPU_MIGRATE_H__

#include <linux/mutex.h>
#include <linux/types.h>

struct npu_cmd;
struct npu_device;
struct npu_queue;
struct npu_vm;
struct ttm_resource;
struct ttm_tt;

/**
 * struct npu_migrate - the driver's own use of the device, to clear and copy memory
 */
struct npu_migrate {
	/** @lock: serialises its users */
	struct mutex lock;
	/** @vm: address space with all of HBM that buffers can have */
	struct npu_vm *vm;
	/** @queue: queue; NULL if it was lost and could not be made again */
	struct npu_queue *queue;
	/** @cmds: command list */
	struct npu_cmd *cmds;
	/** @cmds_dma: bus address of @cmds */
	dma_addr_t cmds_dma;
	/** @cmds_va: device address of @cmds */
	u64 cmds_va;
	/** @window_va: device address where system memory is mapped while it is copied */
	u64 window_va;
};

int npu_migrate_init(struct npu_device *npu);
int npu_migrate_clear(struct npu_device *npu, struct ttm_resource *res);
int npu_migrate_copy(struct npu_device *npu, struct ttm_resource *from, struct ttm_resource *to,
		     struct ttm_tt *tt);

#endif /* __NPU_MIGRATE_H__ */

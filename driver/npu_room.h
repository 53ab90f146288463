/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_ROOM_H__
#define __NPU_ROOM_H__

#include <linux/mutex.h>
#include <linux/types.h>

struct dma_fence;
struct npu_device;
struct ttm_buffer_object;

/**
 * struct npu_room - who gets room in HBM when it is short
 */
struct npu_room {
	/** @lock: held by the one who tries again */
	struct mutex lock;
	/** @patience: jiffies until which jobs of others are waited for with their locks held */
	unsigned long patience;
	/** @busy: fence of a job that kept a buffer from being moved, a reference, or NULL */
	struct dma_fence *busy;
};

/**
 * struct npu_room_claim - an attempt to get room, and those that follow
 */
struct npu_room_claim {
	/** @npu: device */
	struct npu_device *npu;
	/** @bytes: HBM that is needed in all */
	u64 bytes;
	/** @tries: attempts in which nothing was seen that will end */
	unsigned int tries;
	/** @insists: it is to be the only one from now on */
	bool insists;
	/** @locked: &npu_room.lock is held */
	bool locked;
};

int npu_room_init(struct npu_device *npu);
bool npu_room_can_move(struct npu_device *npu, struct ttm_buffer_object *tbo);

void npu_room_claim_begin(struct npu_room_claim *claim, struct npu_device *npu, u64 bytes);
int npu_room_claim_lock(struct npu_room_claim *claim);
void npu_room_claim_pause(struct npu_room_claim *claim);
int npu_room_claim_resume(struct npu_room_claim *claim);
bool npu_room_claim_again(struct npu_room_claim *claim, int *ret);

#endif /* __NPU_ROOM_H__ */

/* SPDX-License-Identifier: MIT */
/*
 * The usual ring (npu_ring.h): two slots of UB, that MTE2 fills, the vector engine works in, and
 * MTE3 stores from. It takes the flags 0 and 1, and 2 for ub_sync().
 *
 *	ub_begin();
 *	for each chunk:
 *		ub_acquire(slot);	... copies from memory ...
 *		ub_loaded(slot);	... vector operations ...
 *		ub_computed(slot);	... copies to memory ...
 *		ub_release(slot);
 *		slot = !slot;
 *	ub_end();
 */
#ifndef UB_RING_H
#define UB_RING_H

#include "npu_ring.h"

#define UB_SLOTS 2

static const struct npu_ring ub_ring = NPU_RING_UB(0, UB_SLOTS);

static inline void ub_begin(void)
{
	npu_ring_begin(&ub_ring);
}

static inline void ub_acquire(unsigned int slot)
{
	npu_ring_acquire(&ub_ring, slot);
}

static inline void ub_loaded(unsigned int slot)
{
	npu_ring_filled(&ub_ring, slot);
}

static inline void ub_computed(unsigned int slot)
{
	npu_ring_worked(&ub_ring, slot);
}

static inline void ub_release(unsigned int slot)
{
	npu_ring_release(&ub_ring, slot);
}

static inline void ub_end(void)
{
	npu_ring_end(&ub_ring);
}

/* ub_sync() - @dst, the scalar unit often, goes on when @src has done all before this. */
static inline void ub_sync(enum npu_pipe src, enum npu_pipe dst)
{
	npu_sync(src, dst, UB_SLOTS);
}

#endif /* UB_RING_H */

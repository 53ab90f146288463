/* SPDX-License-Identifier: MIT */
/*
 * Two slots of UB through which data stream: MTE2 fills a slot, the vector engine works
 * in it, MTE3 stores from it. The flags let each engine run ahead in the other slot.
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

#include "npu_kernel.h"

#define UB_SLOTS 2

static inline void ub_begin(void)
{
	for (unsigned int slot = 0; slot < UB_SLOTS; slot++)
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
}

static inline void ub_acquire(unsigned int slot)
{
	npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
}

static inline void ub_loaded(unsigned int slot)
{
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, slot);
}

static inline void ub_computed(unsigned int slot)
{
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, slot);
}

static inline void ub_release(unsigned int slot)
{
	npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
}

static inline void ub_end(void)
{
	for (unsigned int slot = 0; slot < UB_SLOTS; slot++)
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, slot);
}

/* ub_sync() - @dst, the scalar unit often, goes on when @src has done all before this. */
static inline void ub_sync(enum npu_pipe src, enum npu_pipe dst)
{
	npu_set_flag(src, dst, UB_SLOTS);
	npu_wait_flag(src, dst, UB_SLOTS);
}

#endif /* UB_RING_H */

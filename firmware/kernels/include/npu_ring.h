/* SPDX-License-Identifier: MIT */
/*
 * Slots of a local buffer through which data stream: one pipe fills a slot, another works in it,
 * a third one may drain it. Flags let each run ahead in the other slots.
 *
 *	const struct npu_ring ring = NPU_RING_L1(0, 2);
 *
 *	npu_ring_begin(&ring);
 *	for each chunk:
 *		npu_ring_acquire(&ring, slot);	... fill ...
 *		npu_ring_filled(&ring, slot);	... work ...
 *		npu_ring_worked(&ring, slot);	... drain, if a pipe of its own does ...
 *		npu_ring_release(&ring, slot);
 *		slot = npu_ring_next(&ring, slot);
 *	npu_ring_end(&ring);
 *
 * A ring takes the flags @first to @first + @slots - 1 between its pipes: two rings of the same
 * pipes have different ones. A constant ring costs no more than the flags.
 */
#ifndef NPU_RING_H
#define NPU_RING_H

#include "npu_kernel.h"

/* @drain is @work if what worked in a slot is the last that needs it. */
struct npu_ring {
	enum npu_pipe fill, work, drain;
	unsigned int first, slots;
};

/* UB between global memory, the vector engine and global memory. */
#define NPU_RING_UB(first, slots)                                                                  \
	{                                                                                          \
		NPU_PIPE_MTE2, NPU_PIPE_V, NPU_PIPE_MTE3, first, slots                             \
	}
/* L1 between global memory and L0. */
#define NPU_RING_L1(first, slots)                                                                  \
	{                                                                                          \
		NPU_PIPE_MTE2, NPU_PIPE_MTE1, NPU_PIPE_MTE1, first, slots                          \
	}
/* L0A and L0B between L1 and the cube. */
#define NPU_RING_L0(first, slots)                                                                  \
	{                                                                                          \
		NPU_PIPE_MTE1, NPU_PIPE_M, NPU_PIPE_M, first, slots                                \
	}
/* L0C between the cube and the fixpipe. */
#define NPU_RING_L0C(first, slots)                                                                 \
	{                                                                                          \
		NPU_PIPE_M, NPU_PIPE_FIX, NPU_PIPE_FIX, first, slots                               \
	}

/* npu_sync() - @dst goes on when @src has done all before this; once, with no slot. */
static inline void npu_sync(enum npu_pipe src, enum npu_pipe dst, unsigned int id)
{
	npu_set_flag(src, dst, id);
	npu_wait_flag(src, dst, id);
}

/* npu_ring_begin() - all slots are free. */
static inline void npu_ring_begin(const struct npu_ring *ring)
{
	for (unsigned int slot = 0; slot < ring->slots; slot++)
		npu_set_flag(ring->drain, ring->fill, ring->first + slot);
}

/* npu_ring_acquire() - the pipe that fills the slot may do so when it is free. */
static inline void npu_ring_acquire(const struct npu_ring *ring, unsigned int slot)
{
	npu_wait_flag(ring->drain, ring->fill, ring->first + slot);
}

/* npu_ring_filled() - what works in the slot goes on when it has been filled. */
static inline void npu_ring_filled(const struct npu_ring *ring, unsigned int slot)
{
	npu_sync(ring->fill, ring->work, ring->first + slot);
}

/* npu_ring_worked() - what drains the slot goes on when the work is done. */
static inline void npu_ring_worked(const struct npu_ring *ring, unsigned int slot)
{
	if (ring->work != ring->drain)
		npu_sync(ring->work, ring->drain, ring->first + slot);
}

/* npu_ring_release() - the slot is free when what was begun there has ended. */
static inline void npu_ring_release(const struct npu_ring *ring, unsigned int slot)
{
	npu_set_flag(ring->drain, ring->fill, ring->first + slot);
}

static inline unsigned int npu_ring_next(const struct npu_ring *ring, unsigned int slot)
{
	return slot + 1 < ring->slots ? slot + 1 : 0;
}

/* npu_ring_end() - takes the flags that are left, as they must be when a kernel ends. */
static inline void npu_ring_end(const struct npu_ring *ring)
{
	for (unsigned int slot = 0; slot < ring->slots; slot++)
		npu_wait_flag(ring->drain, ring->fill, ring->first + slot);
}

#endif /* NPU_RING_H */

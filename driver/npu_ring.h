/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_RING_H__
#define __NPU_RING_H__

#include <linux/types.h>

/*
 * Indices of rings count on for ever, modulo 2^32, and are cut down where a slot is wanted: full
 * and empty rings then look different, and an index that the other side made up is told from one
 * that it can have. The number of slots is a power of two.
 */

/**
 * npu_ring_slot() - the slot of an index
 * @index: index
 * @slots: slots of the ring
 *
 * Return: the slot.
 */
static inline u32 npu_ring_slot(u32 index, u32 slots)
{
	return index & (slots - 1);
}

/**
 * npu_ring_used() - entries in a ring
 * @head: index of the oldest
 * @tail: index of the next to be written
 *
 * Return: how many.
 */
static inline u32 npu_ring_used(u32 head, u32 tail)
{
	return tail - head;
}

/**
 * npu_ring_has_room() - do some entries fit?
 * @head: index of the oldest
 * @tail: index of the next to be written
 * @slots: entries that the ring may have
 * @count: entries to come
 *
 * Return: true if so.
 */
static inline bool npu_ring_has_room(u32 head, u32 tail, u32 slots, u32 count)
{
	u32 used = npu_ring_used(head, tail);

	return used <= slots && count <= slots - used;
}

/**
 * npu_ring_phase() - what the phase bit of an entry is when it is there
 * @index: index
 * @slots: slots of the ring
 *
 * Return: true in the first pass over the ring, and in every other one from then on.
 */
static inline bool npu_ring_phase(u32 index, u32 slots)
{
	return !(index & slots);
}

#endif /* __NPU_RING_H__ */

/* SPDX-License-Identifier: MIT */
/*
 * The log of kernels: what npu_cmd_kernel.log points to. To the device it is an address that it
 * hands on; kernels write it, and a runtime reads it.
 *
 * A record has no text. It names the place in the program that wrote it, which is described in
 * the module's section .npu_log (not loaded; addresses in it are as if it were, at 0), and has the
 * values; the reader formats. Records stand in a ring of slots. A kernel takes slots by a
 * compare-and-swap of @head and stores the record, its position last; so what is not written yet,
 * or never will be, is told from what is. The reader clears slots and moves @tail on. If there is
 * no room a record is dropped and counted. Nothing waits.
 */
#ifndef NPU_LOG_H
#define NPU_LOG_H

#include "npu_types.h"

/**
 * struct npu_log - where a kernel writes records, and who it is
 * @ring: address of a struct npu_log_ring
 * @writer: copied to records; a kernel of its own, and a launch that is told from others
 * @rsvd: zero
 */
struct npu_log {
	npu_le64 ring;
	npu_le16 writer;
	npu_le16 rsvd[27];
};

NPU_ASSERT_SIZE(struct npu_log, 64);

/**
 * struct npu_log_ring - head of a ring; its slots follow
 * @head: slots taken so far
 * @tail: slots that have been read and cleared
 * @dropped: records for which there was no room
 * @slots: their number, a power of two
 * @rsvd: zero
 */
struct npu_log_ring {
	npu_le64 head;
	npu_le64 tail;
	npu_le64 dropped;
	npu_le64 slots;
	npu_le64 rsvd[4];
};

NPU_ASSERT_SIZE(struct npu_log_ring, 64);

#define NPU_LOG_RECORD_ARGS 4 /* in the first slot */
#define NPU_LOG_SLOT_ARGS 8 /* in each that follows */
#define NPU_LOG_MAX_ARGS 12

/**
 * struct npu_log_record - the first slot of a record
 * @position: of the slot, counted from 1 as @head goes; written last
 * @site: address of a struct npu_log_site
 * @time: NPU_INFO_TIME
 * @block: NPU_INFO_BLOCK
 * @core: NPU_INFO_CORE
 * @writer: npu_log.writer
 * @args: the first values; more are in the next slots, the first of which may be the ring's first
 */
struct npu_log_record {
	npu_le64 position;
	npu_le64 site;
	npu_le64 time;
	npu_le32 block;
	npu_le16 core;
	npu_le16 writer;
	npu_le64 args[NPU_LOG_RECORD_ARGS];
};

NPU_ASSERT_SIZE(struct npu_log_record, 64);

#define NPU_LOG_SECTION ".npu_log"
#define NPU_LOG_SITE_MAGIC 0x474f4c4e /* "NLOG" */

enum npu_log_type {
	NPU_LOG_S32 = 1, /* extended to 64 bits by its sign */
	NPU_LOG_U32 = 2,
	NPU_LOG_S64 = 3,
	NPU_LOG_U64 = 4,
	NPU_LOG_F64 = 5, /* a double's bits */
	NPU_LOG_ADDRESS = 6,
	NPU_LOG_STRING = 7, /* address of a string in the module's segment */
};

/**
 * struct npu_log_site - a place that writes records
 * @magic: NPU_LOG_SITE_MAGIC
 * @line: of the source
 * @num_args: how many values a record has
 * @types: enum npu_log_type of each
 * @rsvd: zero
 *
 * Followed by two zero-terminated strings: the name of the source, and a format as printf()'s.
 */
struct npu_log_site {
	npu_le32 magic;
	npu_le32 line;
	uint8_t num_args;
	uint8_t types[NPU_LOG_MAX_ARGS];
	uint8_t rsvd[3];
};

NPU_ASSERT_SIZE(struct npu_log_site, 24);

/* Slots of a record. */
static inline unsigned int npu_log_slots(unsigned int num_args)
{
	if (num_args <= NPU_LOG_RECORD_ARGS)
		return 1;
	num_args -= NPU_LOG_RECORD_ARGS;
	return 1 + (num_args + NPU_LOG_SLOT_ARGS - 1) / NPU_LOG_SLOT_ARGS;
}

#endif /* NPU_LOG_H */

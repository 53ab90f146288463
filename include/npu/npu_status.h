/* SPDX-License-Identifier: MIT */
/*
 * Status codes of tasks, jobs and admin commands, and the fault record.
 * docs/errors/ has a page for each code: symptom, cause, solution.
 */
#ifndef NPU_STATUS_H
#define NPU_STATUS_H

#include "npu_types.h"

/**
 * enum npu_status - how a task or an admin command ended
 * @NPU_ST_OK: done
 * @NPU_ST_ABORTED: stopped because its queue was destroyed or the device reset
 * @NPU_ST_TIMEOUT: the task ran, or waited, for longer than its time-out
 * @NPU_ST_SQE_INVALID: bad opcode, flag or field in a submission queue entry
 * @NPU_ST_CMD_INVALID: bad opcode, flag or field in a command
 * @NPU_ST_ENGINE: the queue's engine class may not run this command
 * @NPU_ST_MMU_READ: no mapping to read from, or none with that right, at the address
 * @NPU_ST_MMU_WRITE: likewise for a write
 * @NPU_ST_MMU_EXEC: likewise for an instruction fetch
 * @NPU_ST_MMU_TABLE: a page table entry is malformed or points outside HBM
 * @NPU_ST_BUS: a PCI transaction to host memory failed
 * @NPU_ST_HBM_ECC: uncorrectable HBM error
 * @NPU_ST_ILLEGAL_INSN: illegal instruction in a kernel
 * @NPU_ST_MISALIGNED: misaligned atomic or jump in a kernel
 * @NPU_ST_LOCAL_RANGE: outside a local buffer, or the wrong buffer for the instruction
 * @NPU_ST_TILE_ALIGN: local address or pitch of a tile is not a multiple of 32 bytes
 * @NPU_ST_TILE_SHAPE: shape, type or option that the tile instruction does not take
 * @NPU_ST_FLAG_DEADLOCK: wait_flag for a flag that nothing has set
 * @NPU_ST_KERNEL_TRAP: the kernel raised the error itself (trap instruction or ebreak)
 * @NPU_ST_CORE_LOST: an AI core stopped answering
 * @NPU_ST_ADMIN_INVALID: bad opcode or field in an admin command
 * @NPU_ST_ADMIN_BUSY: the object exists already, or is still in use
 * @NPU_ST_ADMIN_NOENT: no such queue, completion ring or context
 * @NPU_ST_STRICT_FLAG: strict mode: two pipes meet in a local buffer without a flag in between
 * @NPU_ST_STRICT_OVERLAP: strict mode: two blocks write the same global memory
 * @NPU_ST_STRICT_UNINIT: strict mode: a kernel reads memory that nobody has written
 * @NPU_ST_COUNT: number of codes
 */
enum npu_status {
	NPU_ST_OK = 0,
	NPU_ST_ABORTED = 1,
	NPU_ST_TIMEOUT = 2,
	NPU_ST_SQE_INVALID = 3,
	NPU_ST_CMD_INVALID = 4,
	NPU_ST_ENGINE = 5,
	NPU_ST_MMU_READ = 6,
	NPU_ST_MMU_WRITE = 7,
	NPU_ST_MMU_EXEC = 8,
	NPU_ST_MMU_TABLE = 9,
	NPU_ST_BUS = 10,
	NPU_ST_HBM_ECC = 11,
	NPU_ST_ILLEGAL_INSN = 12,
	NPU_ST_MISALIGNED = 13,
	NPU_ST_LOCAL_RANGE = 14,
	NPU_ST_TILE_ALIGN = 15,
	NPU_ST_TILE_SHAPE = 16,
	NPU_ST_FLAG_DEADLOCK = 17,
	NPU_ST_KERNEL_TRAP = 18,
	NPU_ST_CORE_LOST = 19,
	NPU_ST_ADMIN_INVALID = 20,
	NPU_ST_ADMIN_BUSY = 21,
	NPU_ST_ADMIN_NOENT = 22,
	NPU_ST_STRICT_FLAG = 23,
	NPU_ST_STRICT_OVERLAP = 24,
	NPU_ST_STRICT_UNINIT = 25,
	NPU_ST_COUNT
};

/* What was being accessed when a task faulted. */
enum npu_access {
	NPU_ACCESS_NONE = 0,
	NPU_ACCESS_READ = 1,
	NPU_ACCESS_WRITE = 2,
	NPU_ACCESS_EXEC = 3,
};

/* Who was working when a task faulted. */
enum npu_unit {
	NPU_UNIT_SCHED = 0, /* fetch of entries and commands, semaphores, writes */
	NPU_UNIT_SDMA = 1,
	NPU_UNIT_SCALAR = 2,
	NPU_UNIT_MTE = 3,
	NPU_UNIT_CUBE = 4,
	NPU_UNIT_VECTOR = 5,
	NPU_UNIT_FIXPIPE = 6,
};

/**
 * struct npu_fault - what the device knows of a failed task
 * @status: enum npu_status, never NPU_ST_OK
 * @queue: queue id
 * @context: context id
 * @command: index of the command in its list
 * @access: enum npu_access
 * @unit: enum npu_unit
 * @core: AI core, if @unit is in one
 * @block: block index of the kernel
 * @pc: address of the instruction, if @unit is in an AI core
 * @address: address that was accessed; for NPU_ST_KERNEL_TRAP the kernel's own code, for
 *	NPU_ST_TILE_SHAPE the operand that was refused, for NPU_ST_FLAG_DEADLOCK the flag
 * @tag: the command's tag
 * @cookie: the submission queue entry's cookie
 * @timestamp: when it was found
 *
 * Written to the queue's status block before the completion that carries @status.
 */
struct npu_fault {
	npu_le32 status;
	npu_le16 queue;
	npu_le16 context;
	npu_le32 command;
	uint8_t access;
	uint8_t unit;
	npu_le16 core;
	npu_le32 block;
	npu_le32 rsvd;
	npu_le64 pc;
	npu_le64 address;
	npu_le64 tag;
	npu_le64 cookie;
	npu_le64 timestamp;
};

NPU_ASSERT_SIZE(struct npu_fault, 64);
NPU_ASSERT_OFFSET(struct npu_fault, pc, 24);

#endif /* NPU_STATUS_H */

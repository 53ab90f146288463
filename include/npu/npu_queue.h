/* SPDX-License-Identifier: MIT */
/*
 * Queue entries, completions and commands: what the hardware scheduler reads
 * and writes. Specified in docs/hardware.md, "Queues" and "Commands".
 */
#ifndef NPU_QUEUE_H
#define NPU_QUEUE_H

#include "npu_status.h"

#define NPU_SQ_MIN_ENTRIES 2
#define NPU_SQ_MAX_ENTRIES 2048
#define NPU_CQ_MIN_ENTRIES 2
#define NPU_CQ_MAX_ENTRIES 65536

/* Engine classes of a queue: what its commands may use. */
#define NPU_ENGINE_COMPUTE 0 /* everything */
#define NPU_ENGINE_COPY 1 /* all but kernels */

/* Queue priorities; a ready queue of a higher one goes first. */
#define NPU_PRIORITY_LOW 0
#define NPU_PRIORITY_NORMAL 1
#define NPU_PRIORITY_HIGH 2
#define NPU_PRIORITY_REALTIME 3
#define NPU_PRIORITY_COUNT 4

enum npu_sqe_opcode {
	NPU_SQE_NOP = 0, /* complete in order */
	NPU_SQE_EXEC = 1, /* run a command list */
};

/**
 * struct npu_sqe - submission queue entry, written by the driver
 * @opcode: enum npu_sqe_opcode
 * @flags: none defined, zero
 * @rsvd0: zero
 * @count: commands in the list
 * @list: device virtual address of the list, 64-byte aligned
 * @cookie: returned in the completion
 * @timeout_us: time-out of commands that have none of their own; 0: the queue's
 * @first: index of the command to start with, up to @count; from NPU_HW_VERSION_1_1 on
 * @rsvd: zero
 */
struct npu_sqe {
	uint8_t opcode;
	uint8_t flags;
	npu_le16 rsvd0;
	npu_le32 count;
	npu_le64 list;
	npu_le64 cookie;
	npu_le32 timeout_us;
	npu_le32 first;
	npu_le32 rsvd[8];
};

NPU_ASSERT_SIZE(struct npu_sqe, 64);

#define NPU_CQE_PHASE 0x0001

/**
 * struct npu_cqe - completion, written by the device
 * @cookie: the entry's cookie
 * @aicore_us: microseconds that AI cores spent on it, summed over cores
 * @sdma_us: microseconds that SDMA spent on it
 * @command: on failure the index of the command, else the number of commands done
 * @rsvd: zero
 * @queue: queue id
 * @sq_head: low 16 bits of the queue's head index after this entry
 * @status: enum npu_status
 * @flags: NPU_CQE_PHASE is 1 on the first pass over the ring and alternates;
 *         the last word of the entry is written last
 */
struct npu_cqe {
	npu_le64 cookie;
	npu_le32 aicore_us;
	npu_le32 sdma_us;
	npu_le32 command;
	npu_le32 rsvd;
	npu_le16 queue;
	npu_le16 sq_head;
	npu_le16 status;
	npu_le16 flags;
};

NPU_ASSERT_SIZE(struct npu_cqe, 32);
NPU_ASSERT_OFFSET(struct npu_cqe, queue, 24);

enum npu_cmd_opcode {
	NPU_CMD_NOP = 0,
	NPU_CMD_KERNEL = 1,
	NPU_CMD_COPY = 2,
	NPU_CMD_FILL = 3,
	NPU_CMD_SEM_WAIT = 4,
	NPU_CMD_SEM_SIGNAL = 5,
	NPU_CMD_WRITE = 6,
	NPU_CMD_TIMESTAMP = 7,
	NPU_CMD_BARRIER = 8,
	NPU_CMD_BRANCH = 9, /* from NPU_HW_VERSION_1_1 on */
	NPU_CMD_REDUCE = 10, /* likewise */
	NPU_CMD_COUNT
};

/*
 * A command starts when all before it in its list have ended, unless it carries
 * OVERLAP: then it may start while those before it, back to the last barrier or
 * command without OVERLAP, still run. NPU_CMD_BARRIER and NPU_CMD_BRANCH wait for
 * all of them.
 */
#define NPU_CMD_F_OVERLAP 0x01
#define NPU_CMD_FLAGS NPU_CMD_F_OVERLAP

enum npu_sem_condition {
	NPU_SEM_GE = 0, /* unsigned, memory >= value */
	NPU_SEM_EQ = 1,
	NPU_SEM_NE = 2,
};

enum npu_sem_operation {
	NPU_SEM_SET = 0,
	NPU_SEM_ADD = 1,
	NPU_SEM_MAX = 2,
};

enum npu_reduce_operation {
	NPU_REDUCE_ADD = 0,
	NPU_REDUCE_MIN = 1,
	NPU_REDUCE_MAX = 2,
};

/**
 * struct npu_cmd_kernel - run a kernel on AI cores
 * @entry: address of the first instruction
 * @args: address of the arguments, passed on in a0
 * @blocks: number of blocks, 1 to 65535; a1 is the block's index, a2 their number
 * @max_cores: cores to use at most; 0: all that the queue may use
 * @log: address of a struct npu_log that the kernel may write to, a multiple of 64, handed on as
 *	NPU_INFO_LOG; 0: none. From NPU_HW_VERSION_1_2 on.
 * @strict: address of a struct npu_strict, a multiple of 64: run in strict mode; 0: do not.
 *	From NPU_HW_VERSION_1_2 on.
 * @rsvd: zero
 */
struct npu_cmd_kernel {
	npu_le64 entry;
	npu_le64 args;
	npu_le32 blocks;
	npu_le32 max_cores;
	npu_le64 log;
	npu_le64 strict;
	npu_le64 rsvd;
};

/**
 * struct npu_strict - what strict mode is to look for, and what it found
 * @canary: 64 bits that memory holds which has not been written since it was allocated: a kernel
 *	that reads them at a multiple of 8 fails with NPU_ST_STRICT_UNINIT; 0: do not look
 * @status: out: enum npu_status of the finding, NPU_ST_STRICT_*, or why a tile instruction was
 *	refused that has accessed @address; written last
 * @pipe: out: enum npu_pipe of the access that was found
 * @access: out: enum npu_access of it
 * @other_pipe: out: pipe of the access that it collides with
 * @other_access: out: enum npu_access of that
 * @block: out: block of the access
 * @other_block: out: block of the other one
 * @pc: out: address of the instruction
 * @other_pc: out: address of the other one; 0: not known
 * @address: out: first byte at which they meet, in a local buffer or in global memory
 * @bytes: out: how many there are; 0: @address is a flag that @pipe has set at @pc for
 *	@other_pipe, which has not waited for it when the block ended, or that of a refused access
 * @flags: out: NPU_STRICT_*
 * @rsvd: zero
 *
 * In memory of the context, which the runtime sets to zero but for @canary. The first finding of
 * a task counts and ends it with that status; the fault record has pc and address, too.
 */
struct npu_strict {
	npu_le64 canary;
	npu_le32 status;
	uint8_t pipe;
	uint8_t access;
	uint8_t other_pipe;
	uint8_t other_access;
	npu_le32 block;
	npu_le32 other_block;
	npu_le64 pc;
	npu_le64 other_pc;
	npu_le64 address;
	npu_le64 bytes;
	npu_le32 flags;
	npu_le32 rsvd;
};

NPU_ASSERT_SIZE(struct npu_strict, 64);

/* The device's memory for the check was used up: not all that blocks write was compared. */
#define NPU_STRICT_INCOMPLETE NPU_BIT(0)

/**
 * struct npu_cmd_copy - copy @rows rows of @row_bytes
 * @dst: destination address
 * @src: source address; the result is undefined where they overlap
 * @row_bytes: bytes a row
 * @rows: rows; 1 for a plain copy
 * @dst_pitch: bytes from row to row, ignored for one row
 * @src_pitch: likewise
 */
struct npu_cmd_copy {
	npu_le64 dst;
	npu_le64 src;
	npu_le64 row_bytes;
	npu_le64 rows;
	npu_le64 dst_pitch;
	npu_le64 src_pitch;
};

/**
 * struct npu_cmd_fill - fill @rows rows of @row_bytes with a pattern
 * @dst: destination address, a multiple of @pattern_bytes
 * @row_bytes: bytes a row, a multiple of @pattern_bytes
 * @rows: rows
 * @dst_pitch: bytes from row to row, a multiple of @pattern_bytes
 * @pattern: its low @pattern_bytes are used
 * @pattern_bytes: 1, 2, 4 or 8
 * @rsvd: zero
 */
struct npu_cmd_fill {
	npu_le64 dst;
	npu_le64 row_bytes;
	npu_le64 rows;
	npu_le64 dst_pitch;
	npu_le64 pattern;
	npu_le32 pattern_bytes;
	npu_le32 rsvd;
};

/**
 * struct npu_cmd_sem - wait for, or signal, a 64-bit semaphore in memory
 * @address: of the semaphore, 8-byte aligned
 * @value: to compare with, or to apply
 * @op: enum npu_sem_condition or enum npu_sem_operation
 * @rsvd: zero
 */
struct npu_cmd_sem {
	npu_le64 address;
	npu_le64 value;
	npu_le32 op;
	npu_le32 rsvd[7];
};

/**
 * struct npu_cmd_write - write a value, or for NPU_CMD_TIMESTAMP the time
 * @address: aligned to @bytes
 * @value: to write; zero for NPU_CMD_TIMESTAMP
 * @bytes: 4 or 8; 8 for NPU_CMD_TIMESTAMP
 * @rsvd: zero
 */
struct npu_cmd_write {
	npu_le64 address;
	npu_le64 value;
	npu_le32 bytes;
	npu_le32 rsvd[7];
};

/**
 * struct npu_cmd_branch - go on elsewhere in the list if a word in memory is so
 * @address: of the word, 8-byte aligned
 * @value: to compare with
 * @op: enum npu_sem_condition, as of a wait
 * @offset: signed; the next command is this one's index plus @offset if the condition holds, else
 *	the one behind this. Not zero; from the first command to the end of the list
 * @rsvd: zero
 */
struct npu_cmd_branch {
	npu_le64 address;
	npu_le64 value;
	npu_le32 op;
	npu_le32 offset;
	npu_le32 rsvd[6];
};

/**
 * struct npu_cmd_reduce - combine elements with those that are there: dst = dst op src
 * @dst: destination address, a multiple of the element
 * @src: source address, likewise; the result is undefined where they overlap but are not the same
 * @bytes: a multiple of the element
 * @type: NPU_F32 to NPU_S16, as of tile instructions
 * @op: enum npu_reduce_operation
 * @rsvd: zero
 */
struct npu_cmd_reduce {
	npu_le64 dst;
	npu_le64 src;
	npu_le64 bytes;
	npu_le32 type;
	npu_le32 op;
	npu_le64 rsvd[2];
};

/**
 * struct npu_cmd - a command of a list
 * @opcode: enum npu_cmd_opcode
 * @flags: NPU_CMD_F_*
 * @rsvd: zero
 * @timeout_us: longest time from its start to its end; 0: that of the queue entry
 * @tag: for the fault record; the device does not look at it
 * @kernel: payload by @opcode; zero where there is none
 */
struct npu_cmd {
	uint8_t opcode;
	uint8_t flags;
	npu_le16 rsvd;
	npu_le32 timeout_us;
	npu_le64 tag;
	union {
		struct npu_cmd_kernel kernel;
		struct npu_cmd_copy copy;
		struct npu_cmd_fill fill;
		struct npu_cmd_sem sem;
		struct npu_cmd_write write;
		struct npu_cmd_branch branch;
		struct npu_cmd_reduce reduce;
		npu_le64 raw[6];
	};
};

NPU_ASSERT_SIZE(struct npu_cmd, 64);
NPU_ASSERT_OFFSET(struct npu_cmd, kernel, 16);

#endif /* NPU_QUEUE_H */

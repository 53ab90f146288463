/* SPDX-License-Identifier: MIT */
/*
 * What is put on a stream or into a graph, and how it becomes commands. All of it goes
 * through rt_stream_add(); capture, traces and checks have their place there.
 */
#ifndef NPURT_COMMAND_H
#define NPURT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_queue.h>
#include <npurt/npurt.h>

struct rt_slot;

/* Where the program asked for it; NULL: not known. See call.h. */
struct rt_site {
	const char *file; /* the program's own, for as long as it runs; or an address */
	uint32_t line;
};

struct rt_op_kernel {
	const npurt_kernel *kernel;
	const void *args; /* the caller's */
	uint32_t args_bytes;
	uint32_t blocks, max_cores;
	bool strict;
	uint64_t canary; /* in strict mode: 0: memory has none */
};

struct rt_op_host {
	npurt_host_fn fn;
	void *data;
};

struct rt_op_event {
	const struct rt_slot *slot;
	uint64_t target;
	uint32_t stream; /* of a wait: whose event it is */
};

/* An operation, of enum npurt_command; the payload by kind is as the hardware's. */
struct rt_op {
	enum npurt_command kind;
	uint32_t timeout_us; /* 0: the stream's */
	uint64_t tag; /* the caller's */
	const char *label; /* copied where it is kept; NULL: none */
	const char *name; /* instead: NPURT_LABEL_SIZE bytes, the label of an object */
	struct rt_site site;
	union {
		struct rt_op_kernel kernel;
		struct rt_op_event event; /* record and wait */
		struct rt_op_host host; /* in a graph; a stream has a wait for its end */
		struct npu_cmd_copy copy;
		struct npu_cmd_fill fill;
		struct npu_cmd_reduce reduce;
		struct npu_cmd_write write;
		struct npu_cmd_sem sem; /* of a wait for a value, and of a signal */
		struct npu_cmd_branch branch;
		npu_le64 payload[6];
	};
};

/* What a command was, for the report of its fault. */
struct rt_task {
	uint64_t sequence; /* 0: none */
	uint64_t tag;
	const npurt_kernel *kernel;
	struct rt_site site;
	enum npurt_command command;
	uint32_t other_stream; /* whose event a wait is for */
	char label[NPURT_LABEL_SIZE];
};

/* Where an operation is written to; moves on as it is. */
struct rt_encoder {
	struct npu_cmd *cmd;
	struct rt_task *task;
	uint64_t sequence; /* of the next command: the tag that the device knows it by */
	void *args; /* room for the operation's arguments */
	uint64_t args_va;
};

/* Commands that @op takes. */
static inline uint32_t rt_op_commands(const struct rt_op *op)
{
	return op->kind == NPURT_COMMAND_EVENT_RECORD ? 2 : 1;
}

/* Behind the arguments, in strict mode: where struct npu_strict is. */
static inline size_t rt_op_strict_offset(const struct rt_op_kernel *kernel)
{
	const size_t align = sizeof(struct npu_strict);

	return (kernel->args_bytes + align - 1) / align * align;
}

static inline size_t rt_op_args_bytes(const struct rt_op *op)
{
	if (op->kind != NPURT_COMMAND_KERNEL)
		return 0;
	return op->kernel.strict ? rt_op_strict_offset(&op->kernel) + sizeof(struct npu_strict) :
				   op->kernel.args_bytes;
}

/* Writes rt_op_commands() commands; there is room for them. */
void rt_encode(struct rt_encoder *encoder, const struct rt_op *op);

/*
 * Under the stream's lock: puts it into the open batch, or into the graph that is being
 * captured.
 */
int rt_stream_add(npurt_stream *stream, const struct rt_op *op);

#endif /* NPURT_COMMAND_H */

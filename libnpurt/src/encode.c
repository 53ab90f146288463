// SPDX-License-Identifier: MIT
/*
 * From operations to the hardware's commands, for streams and for graphs alike.
 */
#include "internal.h"

#include <string.h>

/* Of the operations whose payload is the command's. */
static const uint8_t opcodes[] = {
	[NPURT_COMMAND_COPY] = NPU_CMD_COPY,
	[NPURT_COMMAND_FILL] = NPU_CMD_FILL,
	[NPURT_COMMAND_PROGRESS] = NPU_CMD_WRITE,
	[NPURT_COMMAND_REDUCE] = NPU_CMD_REDUCE,
	[NPURT_COMMAND_WRITE] = NPU_CMD_WRITE,
	[NPURT_COMMAND_WAIT] = NPU_CMD_SEM_WAIT,
	[NPURT_COMMAND_HOST_FUNCTION] = NPU_CMD_SEM_WAIT,
	[NPURT_COMMAND_BRANCH] = NPU_CMD_BRANCH,
	[NPURT_COMMAND_SIGNAL] = NPU_CMD_SEM_SIGNAL,
	[NPURT_COMMAND_TIMESTAMP] = NPU_CMD_TIMESTAMP,
};

/* Moves on to the next command: its head, and the record of what it is. */
static inline struct npu_cmd *next(struct rt_encoder *e, const struct rt_op *op, uint8_t opcode)
{
	struct npu_cmd *cmd = e->cmd++;
	struct rt_task *task = e->task++;

	task->sequence = e->sequence;
	task->tag = op->tag;
	task->kernel = NULL;
	task->site = op->site;
	task->command = op->kind;
	task->other_stream = 0;
	rt_op_label(op, task->label);
	cmd->opcode = opcode;
	cmd->flags = 0;
	cmd->rsvd = 0;
	cmd->timeout_us = op->timeout_us;
	cmd->tag = e->sequence++;
	return cmd;
}

/* The device reads the canary there, and writes what it finds. */
static uint64_t put_strict(struct rt_encoder *e, const struct rt_op_kernel *k)
{
	const size_t offset = rt_op_strict_offset(k);
	struct npu_strict *strict = (void *)((uint8_t *)e->args + offset);

	*strict = (struct npu_strict){ .canary = k->canary };
	return e->args_va + offset;
}

static void encode_kernel(struct rt_encoder *e, const struct rt_op *op)
{
	const struct rt_op_kernel *k = &op->kernel;
	struct npu_cmd *cmd = next(e, op, NPU_CMD_KERNEL);

	e->task[-1].kernel = k->kernel;
	if (k->args_bytes)
		memcpy(e->args, k->args, k->args_bytes);
	cmd->kernel = (struct npu_cmd_kernel){
		.entry = k->kernel->entry,
		.args = k->args_bytes ? e->args_va : 0,
		.blocks = k->blocks,
		.max_cores = k->max_cores,
		.log = rt_unlikely(k->kernel->log) ? rt_print_log(k->kernel, e->task[-1].label) : 0,
		.strict = k->strict ? put_strict(e, k) : 0,
	};
}

static void encode_record(struct rt_encoder *e, const struct rt_op *op)
{
	const struct rt_op_event *event = &op->event;

	next(e, op, NPU_CMD_TIMESTAMP)->write = (struct npu_cmd_write){
		.address = event->slot->va + sizeof(*event->slot->value),
		.bytes = 8,
	};
	next(e, op, NPU_CMD_SEM_SIGNAL)->sem = (struct npu_cmd_sem){
		.address = event->slot->va,
		.value = event->target,
		.op = NPU_SEM_SET,
	};
}

static void encode_event_wait(struct rt_encoder *e, const struct rt_op *op)
{
	next(e, op, NPU_CMD_SEM_WAIT)->sem = (struct npu_cmd_sem){
		.address = op->event.slot->va,
		.value = op->event.target,
		.op = NPU_SEM_GE,
	};
	e->task[-1].other_stream = op->event.stream;
}

void rt_encode(struct rt_encoder *e, const struct rt_op *op)
{
	switch (op->kind) {
	case NPURT_COMMAND_KERNEL:
		encode_kernel(e, op);
		break;
	case NPURT_COMMAND_EVENT_RECORD:
		encode_record(e, op);
		break;
	case NPURT_COMMAND_EVENT_WAIT:
		encode_event_wait(e, op);
		break;
	default:
		memcpy(next(e, op, opcodes[op->kind])->raw, op->payload, sizeof(op->payload));
		break;
	}
}

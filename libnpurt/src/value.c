// SPDX-License-Identifier: MIT
/*
 * Values in memory that a stream writes and waits for.
 */
#include "internal.h"

#define DEFAULT_TIMEOUT_MS 30000
#define MAX_TIMEOUT_MS (UINT32_MAX / 1000)

int rt_value_check(struct rt_diag *diag, const npurt_context *context, npurt_memory *memory,
		   uint64_t offset, bool write, uint32_t bytes)
{
	const struct rt_region region = { memory, offset, 0 };

	if ((bytes != 4 && bytes != 8) || rt_region_address(&region) % bytes)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "a value has 4 or 8 bytes, and an address that is a multiple");
	return rt_region_check(diag, context, "memory", &region, write, bytes, 1);
}

int rt_condition_check(struct rt_diag *diag, uint32_t condition)
{
	if (condition > NPURT_CONDITION_NE)
		return rt_fail(diag, NPURT_ERROR_INVALID, "condition is %u", condition);
	return 0;
}

int rt_timeout_take(struct rt_diag *diag, uint32_t ms, uint32_t *us)
{
	if (ms > MAX_TIMEOUT_MS)
		return rt_fail(diag, NPURT_ERROR_INVALID, "a time-out is above %u ms",
			       MAX_TIMEOUT_MS);
	*us = (ms ? ms : DEFAULT_TIMEOUT_MS) * 1000;
	return 0;
}

static int add(npurt_stream *stream, const struct rt_op *op)
{
	int err = rt_stream_add(stream, op);

	return err ? err : rt_stream_kick(stream);
}

int npurt_write_value_async(npurt_stream *stream, npurt_memory *memory, uint64_t offset,
			    uint64_t value, uint32_t bytes)
{
	struct rt_op op = { .kind = NPURT_COMMAND_WRITE };
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_value_check(&stream->diag, stream->context, memory, offset, true, bytes);
	if (!err) {
		op.name = memory->label;
		op.write = (struct npu_cmd_write){ .address = memory->va + offset, .value = value,
						   .bytes = bytes };
		err = add(stream, &op);
	}
	rt_stream_leave(stream);
	return err;
}

int npurt_wait_value_async(npurt_stream *stream, npurt_memory *memory, uint64_t offset,
			   uint64_t value, enum npurt_condition condition, uint32_t timeout_ms)
{
	struct rt_op op = { .kind = NPURT_COMMAND_WAIT };
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_condition_check(&stream->diag, condition);
	if (!err)
		err = rt_value_check(&stream->diag, stream->context, memory, offset, false, 8);
	if (!err && !timeout_ms)
		op.timeout_us = stream->wait_timeout_us;
	else if (!err)
		err = rt_timeout_take(&stream->diag, timeout_ms, &op.timeout_us);
	if (!err) {
		op.name = memory->label;
		op.sem = (struct npu_cmd_sem){ .address = memory->va + offset, .value = value,
					       .op = condition };
		err = add(stream, &op);
	}
	rt_stream_leave(stream);
	return err;
}

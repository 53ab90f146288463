// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Are submission entries and commands well formed? Nothing is carried out here.
 */
#include <string.h>

#include "npu_internal.h"

#define KERNEL_BLOCKS_MAX	65535
#define LIST_ALIGN		64

static bool zero(const void *data, size_t size)
{
	const uint8_t *p = data;

	return !size || (!p[0] && !memcmp(p, p + 1, size - 1));
}

static bool aligned(uint64_t value, uint64_t to)
{
	return !(value & (to - 1));
}

bool npu_sqe_ok(const struct npu_sqe *sqe)
{
	if (sqe->flags || sqe->rsvd0 || !zero(sqe->rsvd, sizeof(sqe->rsvd)))
		return false;
	switch (sqe->opcode) {
	case NPU_SQE_NOP:
		return !sqe->count && !sqe->list && !sqe->first;
	case NPU_SQE_EXEC:
		return sqe->count && sqe->first <= sqe->count && aligned(sqe->list, LIST_ALIGN);
	default:
		return false;
	}
}

static bool kernel_ok(const struct npu_cmd_kernel *k)
{
	return !k->rsvd && k->blocks >= 1 && k->blocks <= KERNEL_BLOCKS_MAX &&
	       aligned(k->entry, 2) && aligned(k->log, LIST_ALIGN) && aligned(k->strict, LIST_ALIGN);
}

/* Does the last byte of the last row have an address? */
static bool rows_ok(uint64_t va, uint64_t row_bytes, uint64_t rows, uint64_t pitch)
{
	uint64_t span;

	if (!row_bytes || !rows)
		return true;
	return !__builtin_mul_overflow(rows - 1, rows > 1 ? pitch : 0, &span) &&
	       !__builtin_add_overflow(span, row_bytes, &span) &&
	       !__builtin_add_overflow(span, va, &span) && row_bytes <= NPU_VA_END;
}

static bool copy_ok(const struct npu_cmd_copy *c)
{
	return rows_ok(c->dst, c->row_bytes, c->rows, c->dst_pitch) &&
	       rows_ok(c->src, c->row_bytes, c->rows, c->src_pitch) &&
	       c->rows <= NPU_VA_END;
}

static bool fill_ok(const struct npu_cmd_fill *f)
{
	uint32_t n = f->pattern_bytes;

	return !f->rsvd && (n == 1 || n == 2 || n == 4 || n == 8) && aligned(f->dst, n) &&
	       aligned(f->row_bytes, n) && (f->rows <= 1 || aligned(f->dst_pitch, n)) &&
	       rows_ok(f->dst, f->row_bytes, f->rows, f->dst_pitch) && f->rows <= NPU_VA_END;
}

static bool sem_ok(const struct npu_cmd_sem *s, unsigned int op_max)
{
	return s->op <= op_max && aligned(s->address, 8) && zero(s->rsvd, sizeof(s->rsvd));
}

static bool write_ok(const struct npu_cmd_write *w)
{
	return (w->bytes == 4 || w->bytes == 8) && aligned(w->address, w->bytes) &&
	       zero(w->rsvd, sizeof(w->rsvd));
}

/* Where it leads is up to the list that it is in. */
static bool branch_ok(const struct npu_cmd_branch *b)
{
	return b->op <= NPU_SEM_NE && b->offset && aligned(b->address, 8) &&
	       zero(b->rsvd, sizeof(b->rsvd));
}

static bool reduce_ok(const struct npu_cmd_reduce *r)
{
	unsigned int size;

	if (r->type >= NPU_DTYPE_COUNT || r->op > NPU_REDUCE_MAX || !zero(r->rsvd, sizeof(r->rsvd)))
		return false;
	size = tile_dtype_size(r->type);
	return aligned(r->dst, size) && aligned(r->src, size) && aligned(r->bytes, size) &&
	       rows_ok(r->dst, r->bytes, 1, 0) && rows_ok(r->src, r->bytes, 1, 0);
}

static bool payload_ok(const struct npu_cmd *cmd)
{
	switch (cmd->opcode) {
	case NPU_CMD_NOP:
	case NPU_CMD_BARRIER:
		return zero(cmd->raw, sizeof(cmd->raw));
	case NPU_CMD_KERNEL:
		return kernel_ok(&cmd->kernel);
	case NPU_CMD_COPY:
		return copy_ok(&cmd->copy);
	case NPU_CMD_FILL:
		return fill_ok(&cmd->fill);
	case NPU_CMD_SEM_WAIT:
		return sem_ok(&cmd->sem, NPU_SEM_NE);
	case NPU_CMD_SEM_SIGNAL:
		return sem_ok(&cmd->sem, NPU_SEM_MAX);
	case NPU_CMD_WRITE:
		return write_ok(&cmd->write);
	case NPU_CMD_TIMESTAMP:
		return write_ok(&cmd->write) && cmd->write.bytes == 8 && !cmd->write.value;
	case NPU_CMD_BRANCH:
		return branch_ok(&cmd->branch);
	case NPU_CMD_REDUCE:
		return reduce_ok(&cmd->reduce);
	default:
		return false;
	}
}

enum npu_status npu_cmd_check(const struct npu_cmd *cmd, unsigned int engine)
{
	if (cmd->rsvd || (cmd->flags & ~NPU_CMD_FLAGS) || !payload_ok(cmd))
		return NPU_ST_CMD_INVALID;
	if (cmd->opcode == NPU_CMD_KERNEL && engine != NPU_ENGINE_COMPUTE)
		return NPU_ST_ENGINE;
	return NPU_ST_OK;
}

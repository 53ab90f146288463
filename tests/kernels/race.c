// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vector clocks: each pipe counts what it did, and knows how far it has seen the others.
 * A flag carries what the pipe that sets it knows to the one that waits. What the scalar
 * unit has waited for is known to all that it issues afterwards; its own stores to UB
 * are not, they need a flag.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mmu.h>
#include <npu/npu_tile.h>

#include "race.h"

#define PIPES NPU_PIPE_COUNT
#define IDS 16
#define PENDING 8 /* sets of one flag that wait for their wait */
#define UNIT NPU_TILE_ALIGN
#define LOCAL_END (NPU_L0C_BASE + NPU_L0C_SIZE)

typedef uint32_t clock_vector[PIPES];

/* The last write of 32 bytes, and the last read by each pipe; 0 is never. */
struct unit {
	uint8_t writer;
	uint32_t written;
	clock_vector read;
};

struct flag {
	unsigned int count;
	clock_vector pending[PENDING]; /* oldest first */
};

struct race {
	clock_vector clock[PIPES];
	struct flag flags[PIPES][PIPES][IDS];
	struct unit units[LOCAL_END / UNIT];
	uint64_t pc;
	/* state of the vector engine */
	uint64_t rows, dst_pitch, src0_pitch, src1_pitch, mask, mask_pitch;
	char found[160];
};

/* Part of an instruction: rows of bytes. */
struct access {
	uint64_t address, row_bytes, rows, pitch;
};

static const char *const pipe_names[PIPES] = { "S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX" };

struct race *race_new(void)
{
	return calloc(1, sizeof(struct race));
}

void race_free(struct race *race)
{
	free(race);
}

const char *race_found(const struct race *race)
{
	return race->found[0] ? race->found : NULL;
}

void race_begin(struct race *race)
{
	memset(race, 0, sizeof(*race));
	race->rows = 1;
}

__attribute__((format(printf, 2, 3)))
static void found(struct race *race, const char *format, ...)
{
	va_list args;

	if (race->found[0])
		return;
	va_start(args, format);
	vsnprintf(race->found, sizeof(race->found), format, args);
	va_end(args);
}

static void merge(clock_vector to, const clock_vector from, int except)
{
	for (int i = 0; i < PIPES; i++)
		if (i != except && to[i] < from[i])
			to[i] = from[i];
}

static void touch(struct race *race, enum npu_pipe pipe, uint64_t index, bool write)
{
	struct unit *unit = &race->units[index];
	const uint32_t *seen = race->clock[pipe];

	if (unit->writer != pipe && unit->written > seen[unit->writer])
		found(race, "pc 0x%llx: %s %s 0x%llx, which %s wrote, without a flag",
		      (unsigned long long)race->pc, pipe_names[pipe],
		      write ? "overwrites" : "reads", (unsigned long long)index * UNIT,
		      pipe_names[unit->writer]);
	if (!write) {
		unit->read[pipe] = seen[pipe];
		return;
	}
	for (int i = 0; i < PIPES; i++)
		if (i != (int)pipe && unit->read[i] > seen[i])
			found(race,
			      "pc 0x%llx: %s overwrites 0x%llx, which %s reads, without a flag",
			      (unsigned long long)race->pc, pipe_names[pipe],
			      (unsigned long long)index * UNIT, pipe_names[i]);
	unit->writer = pipe;
	unit->written = seen[pipe];
}

static void access_rows(struct race *race, enum npu_pipe pipe, const struct access *access,
			bool write)
{
	if (access->address >= LOCAL_END || !access->row_bytes)
		return;
	for (uint64_t row = 0; row < access->rows; row++) {
		const uint64_t first = access->address + row * access->pitch;
		const uint64_t last = first + access->row_bytes - 1;

		for (uint64_t i = first / UNIT; i <= last / UNIT && i < LOCAL_END / UNIT; i++)
			touch(race, pipe, i, write);
	}
}

/* The next step of a pipe. */
static void step(struct race *race, enum npu_pipe pipe)
{
	merge(race->clock[pipe], race->clock[NPU_PIPE_S], NPU_PIPE_S);
	race->clock[pipe][pipe]++;
}

static uint64_t dtype_bytes(uint64_t dtype)
{
	switch (dtype) {
	case NPU_F32:
	case NPU_S32:
		return 4;
	case NPU_S8:
	case NPU_U8:
		return 1;
	default:
		return 2;
	}
}

static bool is_global(uint64_t address)
{
	return address >= NPU_VA_START;
}

static bool is_ub(uint64_t address)
{
	return address - NPU_UB_BASE < NPU_UB_SIZE;
}

static void mte_copy(struct race *race, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const uint64_t row_bytes = NPU_GET(NPU_COPY_ROW_BYTES, rs2);
	const uint64_t rows = NPU_GET(NPU_COPY_ROWS, rs2);
	const struct access dst = { rd, row_bytes, rows, NPU_GET(NPU_COPY_DST_PITCH, rs3) };
	const struct access src = { rs1, row_bytes, rows, NPU_GET(NPU_COPY_SRC_PITCH, rs3) };
	const enum npu_pipe pipe = is_global(rs1) ? NPU_PIPE_MTE2 :
				   is_global(rd) || is_ub(rs1) ? NPU_PIPE_MTE3 : NPU_PIPE_MTE1;

	step(race, pipe);
	access_rows(race, pipe, &src, false);
	access_rows(race, pipe, &dst, true);
}

static void mte_load0(struct race *race, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const uint64_t bytes = dtype_bytes(NPU_GET(NPU_LOAD0_DTYPE, rs3));
	const uint64_t rows = NPU_GET(NPU_LOAD0_ROWS, rs2), cols = NPU_GET(NPU_LOAD0_COLS, rs2);
	const bool transpose = rs3 & NPU_LOAD0_TRANSPOSE;
	const struct access src = { rs1, cols * bytes, rows,
				    NPU_GET(NPU_LOAD0_SRC_PITCH, rs2) };
	const struct access dst = { rd, (transpose ? rows : cols) * bytes,
				    transpose ? cols : rows,
				    NPU_GET(NPU_LOAD0_DST_PITCH, rs3) };

	step(race, NPU_PIPE_MTE1);
	access_rows(race, NPU_PIPE_MTE1, &src, false);
	access_rows(race, NPU_PIPE_MTE1, &dst, true);
}

/* A matrix in L0: rows padded to the alignment. */
static struct access l0_matrix(uint64_t address, uint64_t rows, uint64_t row_bytes)
{
	return (struct access){ address, row_bytes, rows, (row_bytes + UNIT - 1) / UNIT * UNIT };
}

static void mmad(struct race *race, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const uint64_t m = NPU_GET(NPU_MMAD_M, rs3), n = NPU_GET(NPU_MMAD_N, rs3);
	const uint64_t k = NPU_GET(NPU_MMAD_K, rs3);
	const uint64_t bytes = dtype_bytes(NPU_GET(NPU_MMAD_DTYPE, rs3));
	const struct access a = l0_matrix(rs1, m, k * bytes), b = l0_matrix(rs2, k, n * bytes);
	const struct access c = l0_matrix(rd, m, n * 4);

	step(race, NPU_PIPE_M);
	access_rows(race, NPU_PIPE_M, &a, false);
	access_rows(race, NPU_PIPE_M, &b, false);
	access_rows(race, NPU_PIPE_M, &c, true);
}

static void fixpipe(struct race *race, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const uint64_t rows = NPU_GET(NPU_FIXPIPE_ROWS, rs2), cols = NPU_GET(NPU_FIXPIPE_COLS, rs2);
	const struct access src = l0_matrix(rs1, rows, cols * 4);
	const struct access dst = { rd, cols * dtype_bytes(NPU_GET(NPU_FIXPIPE_DST_DTYPE, rs3)),
				    rows, NPU_GET(NPU_FIXPIPE_DST_PITCH, rs2) };

	step(race, NPU_PIPE_FIX);
	access_rows(race, NPU_PIPE_FIX, &src, false);
	access_rows(race, NPU_PIPE_FIX, &dst, true);
}

static uint64_t vec_dst_bytes(unsigned int op, uint64_t count, uint64_t rs3, uint64_t bytes)
{
	if (op >= NPU_VCMP_EQ && op <= NPU_VCMP_GE)
		return (count + 7) / 8;
	if (op == NPU_VCAST)
		return count * dtype_bytes(NPU_GET(NPU_VEC_DST_DTYPE, rs3));
	if (op >= NPU_VSUM)
		return op >= NPU_VARGMAX ? 4 : bytes;
	return count * bytes;
}

static void vec_op(struct race *race, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const unsigned int op = NPU_GET(NPU_VEC_OPCODE, rs3);
	const uint64_t count = NPU_GET(NPU_VEC_COUNT, rs3);
	const uint64_t bytes = dtype_bytes(NPU_GET(NPU_VEC_DTYPE, rs3));
	const bool fills = op == NPU_VDUP || op == NPU_VINDEX;
	const bool binary = op >= NPU_VADD && op < NPU_VCAST;
	const struct access dst = { rd, vec_dst_bytes(op, count, rs3, bytes), race->rows,
				    race->dst_pitch };
	const struct access src0 = { rs1, count * bytes, race->rows, race->src0_pitch };
	const struct access src1 = { rs2, rs3 & NPU_VEC_PER_ROW ? bytes : count * bytes,
				     race->rows, race->src1_pitch };
	const struct access mask = { race->mask, (count + 7) / 8, race->rows, race->mask_pitch };

	step(race, NPU_PIPE_V);
	if (!fills)
		access_rows(race, NPU_PIPE_V, &src0, false);
	if (binary && !(rs3 & NPU_VEC_SCALAR))
		access_rows(race, NPU_PIPE_V, &src1, false);
	if (op == NPU_VSELECT)
		access_rows(race, NPU_PIPE_V, &mask, false);
	access_rows(race, NPU_PIPE_V, &dst, true);
}

static void vector(struct race *race, unsigned int funct3, const uint64_t *r)
{
	switch (funct3) {
	case NPU_VEC_OP:
		vec_op(race, r[0], r[1], r[2], r[3]);
		break;
	case NPU_VEC_REPEAT:
		race->dst_pitch = r[0];
		race->rows = r[1];
		race->src0_pitch = r[2];
		race->src1_pitch = r[3];
		break;
	default:
		race->mask = r[1];
		race->mask_pitch = r[2];
	}
}

static void set_flag(struct race *race, uint64_t operand)
{
	const unsigned int src = NPU_GET(NPU_FLAG_SRC, operand);
	struct flag *flag = &race->flags[src][NPU_GET(NPU_FLAG_DST, operand)]
					[NPU_GET(NPU_FLAG_ID, operand)];

	merge(race->clock[src], race->clock[NPU_PIPE_S], NPU_PIPE_S);
	if (flag->count == PENDING)
		found(race, "pc 0x%llx: flag 0x%llx is set again and again",
		      (unsigned long long)race->pc, (unsigned long long)operand);
	else
		memcpy(flag->pending[flag->count++], race->clock[src], sizeof(clock_vector));
}

static void wait_flag(struct race *race, uint64_t operand)
{
	const unsigned int dst = NPU_GET(NPU_FLAG_DST, operand);
	struct flag *flag = &race->flags[NPU_GET(NPU_FLAG_SRC, operand)][dst]
					[NPU_GET(NPU_FLAG_ID, operand)];

	if (!flag->count)
		return;
	merge(race->clock[dst], flag->pending[0], -1);
	flag->count--;
	memmove(flag->pending[0], flag->pending[1], flag->count * sizeof(clock_vector));
}

static void barrier(struct race *race, uint64_t pipe)
{
	clock_vector all = { 0 };

	if (pipe != NPU_PIPE_ALL)
		return;
	for (int i = 0; i < PIPES; i++)
		merge(all, race->clock[i], -1);
	for (int i = 0; i < PIPES; i++)
		merge(race->clock[i], all, -1);
}

static void synchronise(struct race *race, unsigned int funct3, uint64_t operand)
{
	switch (funct3) {
	case NPU_SYS_SET_FLAG:
		set_flag(race, operand);
		break;
	case NPU_SYS_WAIT_FLAG:
		wait_flag(race, operand);
		break;
	case NPU_SYS_BARRIER:
		barrier(race, operand);
		break;
	}
}

void race_insn(struct race *race, const struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	const uint64_t r[] = { cpu->x[insn->rd], cpu->x[insn->rs1], cpu->x[insn->rs2],
			       cpu->x[insn->rs3] };

	race->pc = cpu->pc;
	switch (insn->major) {
	case 0:
		if (insn->funct3 == NPU_MTE_COPY)
			mte_copy(race, r[0], r[1], r[2], r[3]);
		else if (insn->funct3 == NPU_MTE_LOAD0)
			mte_load0(race, r[0], r[1], r[2], r[3]);
		break;
	case 1:
		if (insn->funct3 == NPU_CUBE_MMAD)
			mmad(race, r[0], r[1], r[2], r[3]);
		else
			fixpipe(race, r[0], r[1], r[2], r[3]);
		break;
	case 2:
		vector(race, insn->funct3, r);
		break;
	default:
		synchronise(race, insn->funct3, r[1]);
	}
}

void race_scalar(struct race *race, uint64_t pc, uint64_t address, unsigned int bytes, bool write)
{
	const struct access access = { address, bytes, 1, 0 };

	race->pc = pc;
	race->clock[NPU_PIPE_S][NPU_PIPE_S]++;
	access_rows(race, NPU_PIPE_S, &access, write);
}

void race_end(struct race *race)
{
	for (int src = 0; src < PIPES; src++)
		for (int dst = 0; dst < PIPES; dst++)
			for (int id = 0; id < IDS; id++)
				if (race->flags[src][dst][id].count)
					found(race, "flag %d from %s to %s is left set at the end",
					      id, pipe_names[src], pipe_names[dst]);
}

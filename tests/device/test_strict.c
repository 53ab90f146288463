// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict mode: each kind of finding in a program of a few instructions, and none in the same
 * program put right.
 */
#include "strict.h"
#include "testhost.h"

#define CANARY 0x5ca1ab1e0ddba11ull
#define STEPS_MAX 16
#define UB NPU_UB_BASE
#define L1 NPU_L1_BASE
#define SCALAR 4 /* major opcode of loads, stores and atomics of the scalar unit */

enum {
	LOAD,
	STORE,
	ATOMIC,
};

/* A tile instruction with its operands; the first two grow with the block by 1 << shift. */
struct step {
	unsigned int major, funct3;
	uint64_t rd, rs1, rs2, rs3;
	unsigned int rd_shift, rs1_shift;
};

struct rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q;
	struct npu_strict *strict;
	uint64_t strict_va;
	uint64_t *words; /* 64 KiB */
	uint64_t gm;
	struct npu_fault fault; /* of the last run that failed */
	uint64_t pcs[STEPS_MAX]; /* of the last program */
};

static struct rig rig_new(unsigned int workers)
{
	struct rig r;

	r.h = th_new(workers, 2);
	r.s = th_space_new(r.h, 1);
	r.cq = th_cq_new(r.h, 0, 64, 1);
	r.q = th_queue_new(r.s, 1, 16, r.cq);
	r.strict_va = th_alloc(r.s, 0x1000, (void **)&r.strict);
	r.gm = th_alloc(r.s, 0x10000, (void **)&r.words);
	return r;
}

static void rig_free(struct rig *r)
{
	th_free(r->h);
	free(r->q);
	free(r->cq);
	free(r->s);
}

#define STEP(m, f3, d, a, b, c) \
	{ .major = (m), .funct3 = (f3), .rd = (d), .rs1 = (a), .rs2 = (b), .rs3 = (c) }
#define COPY(dst, src, bytes) \
	STEP(0, NPU_MTE_COPY, dst, src, NPU_PREP(NPU_COPY_ROW_BYTES, (uint64_t)(bytes)) | \
	     NPU_PREP(NPU_COPY_ROWS, 1ull), 0)
#define LOAD0(dst, src) STEP(0, NPU_MTE_LOAD0, dst, src, 16 | 16 << 16 | 64ull << 32, 64)
/* Of @count floats. */
#define VEC(opcode, dst, src0, src1, count) \
	STEP(2, NPU_VEC_OP, dst, src0, src1, NPU_PREP(NPU_VEC_OPCODE, (uint64_t)(opcode)) | \
	     (count) | ((opcode) == NPU_VDUP ? NPU_VEC_SCALAR : 0))
#define MMAD(init) \
	STEP(1, NPU_CUBE_MMAD, NPU_L0C_BASE, NPU_L0A_BASE, NPU_L0B_BASE, \
	     16 | 16 << 12 | 16ull << 24 | ((init) ? NPU_MMAD_INIT : 0))
#define FIXPIPE(dst) \
	STEP(1, NPU_CUBE_FIXPIPE, dst, NPU_L0C_BASE, 16 | 16 << 16 | 64ull << 32, 0)
#define FLAG(src, dst, id) (NPU_PIPE_##src | NPU_PIPE_##dst << 4 | (id) << 8)
#define SYNC(what, operand) STEP(3, what, 0, operand, 0, 0)
#define SET(src, dst) SYNC(NPU_SYS_SET_FLAG, FLAG(src, dst, 0))
#define WAIT(src, dst) SYNC(NPU_SYS_WAIT_FLAG, FLAG(src, dst, 0))
#define BARRIER SYNC(NPU_SYS_BARRIER, NPU_PIPE_ALL)
#define BY_SCALAR(what, address) STEP(SCALAR, what, address, 0, 0, 0)

static uint32_t instruction(const struct step *step)
{
	switch (step->major == SCALAR ? step->funct3 : STEPS_MAX) {
	case LOAD:
		return RV_LD(5, 20, 0);
	case STORE:
		return RV_SD(21, 20, 0);
	case ATOMIC:
		return RV_AMOADD_D(5, 21, 20);
	default:
		return RV_CUSTOM(step->major, step->funct3, 20, 21, 22, 23);
	}
}

/* A program of @steps, whose operands come with the arguments. */
static struct npu_cmd program(struct rig *r, const struct step *steps, unsigned int count)
{
	uint32_t code[STEPS_MAX * 9 + 1];
	struct npu_cmd cmd;
	uint64_t args, *ops;
	unsigned int n = 0, i;

	args = th_alloc(r->s, 0x1000, (void **)&ops);
	for (i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		uint64_t values[4] = { step->rd, step->rs1, step->rs2, step->rs3 };

		memcpy(ops + 4 * i, values, sizeof(values));
		for (unsigned int j = 0; j < 4; j++)
			code[n++] = RV_LD(20 + j, RV_A0, 32 * i + 8 * j);
		code[n++] = step->rd_shift ? RV_SLLI(5, RV_A1, step->rd_shift) : RV_ADDI(5, 0, 0);
		code[n++] = RV_ADD(20, 20, 5);
		code[n++] = step->rs1_shift ? RV_SLLI(5, RV_A1, step->rs1_shift) :
					      RV_ADDI(5, 0, 0);
		code[n++] = RV_ADD(21, 21, 5);
		r->pcs[i] = 4 * n;
		code[n++] = instruction(step);
	}
	code[n++] = RV_RET;
	cmd = th_kernel(th_code(r->s, code, n), args, 1);
	cmd.kernel.strict = r->strict_va;
	for (i = 0; i < count; i++)
		r->pcs[i] += cmd.kernel.entry;
	return cmd;
}

/* A queue of its own for each run: one that has failed takes nothing more. */
static uint32_t run(struct rig *r, const struct npu_cmd *cmd, uint64_t canary)
{
	struct th_queue *q = r->q;
	uint32_t status;

	memset(r->strict, 0, sizeof(*r->strict));
	r->strict->canary = canary;
	status = th_run(q, cmd, 1);
	if (status)
		r->fault = *q->fault;
	th_queue_free(q);
	r->q = th_queue_new(r->s, 1, 16, r->cq);
	return status;
}

static const struct found {
	const char *what;
	struct step steps[STEPS_MAX];
	unsigned int left_out; /* a step, and the one that waits for it; 0: none */
	enum npu_pipe pipe, other_pipe;
	enum npu_access access, other_access;
	unsigned int step, other_step;
	uint64_t address, bytes;
} cases[] = {
	{ "V reads what MTE2 has loaded",
	  { COPY(UB, NPU_VA_START, 256), SET(MTE2, V), WAIT(MTE2, V),
	    VEC(NPU_VMOV, UB + 0x1000, UB + 64, 0, 8) },
	  1, NPU_PIPE_V, NPU_PIPE_MTE2, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 3, 0, UB + 64, 32 },
	{ "MTE2 loads over what V reads",
	  { COPY(UB, NPU_VA_START, 256), BARRIER, VEC(NPU_VMOV, UB + 0x1000, UB + 32, 0, 16),
	    SET(V, MTE2), WAIT(V, MTE2), COPY(UB, NPU_VA_START, 64) },
	  3, NPU_PIPE_MTE2, NPU_PIPE_V, NPU_ACCESS_WRITE, NPU_ACCESS_READ, 5, 2, UB + 32, 32 },
	{ "MTE2 loads over what V has written",
	  { VEC(NPU_VDUP, UB, 0, 0, 8), SET(V, MTE2), WAIT(V, MTE2), COPY(UB, NPU_VA_START, 64) },
	  1, NPU_PIPE_MTE2, NPU_PIPE_V, NPU_ACCESS_WRITE, NPU_ACCESS_WRITE, 3, 0, UB, 32 },
	{ "MTE3 stores what V has written",
	  { VEC(NPU_VDUP, UB, 0, 0, 16), SET(V, MTE3), WAIT(V, MTE3), COPY(NPU_VA_START, UB, 64) },
	  1, NPU_PIPE_MTE3, NPU_PIPE_V, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 3, 0, UB, 64 },
	{ "MTE3 stores what V has written after an earlier flag",
	  { VEC(NPU_VDUP, UB, 0, 0, 16), SET(V, MTE3), VEC(NPU_VDUP, UB + 64, 0, 0, 16),
	    SET(V, MTE3), WAIT(V, MTE3), WAIT(V, MTE3), COPY(NPU_VA_START, UB + 64, 64) },
	  3, NPU_PIPE_MTE3, NPU_PIPE_V, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 6, 2, UB + 64, 64 },
	{ "S reads what V has written",
	  { VEC(NPU_VDUP, UB, 0, 0, 16), SET(V, S), WAIT(V, S), BY_SCALAR(LOAD, UB + 8) },
	  1, NPU_PIPE_S, NPU_PIPE_V, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 3, 0, UB + 8, 8 },
	{ "V reads what S has stored",
	  { BY_SCALAR(STORE, UB), SET(S, V), WAIT(S, V), VEC(NPU_VMOV, UB + 64, UB, 0, 2) },
	  1, NPU_PIPE_V, NPU_PIPE_S, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 3, 0, UB, 8 },
	{ "M multiplies what MTE1 has loaded",
	  { COPY(L1, NPU_VA_START, 1024), BARRIER, LOAD0(NPU_L0A_BASE, L1), BARRIER,
	    LOAD0(NPU_L0B_BASE, L1), SET(MTE1, M), WAIT(MTE1, M), MMAD(true) },
	  5, NPU_PIPE_M, NPU_PIPE_MTE1, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 7, 4, NPU_L0B_BASE,
	  1024 },
	{ "FIX stores what M has computed",
	  { COPY(L1, NPU_VA_START, 1024), BARRIER, LOAD0(NPU_L0A_BASE, L1),
	    LOAD0(NPU_L0B_BASE, L1), BARRIER, MMAD(true), MMAD(false), SET(M, FIX), WAIT(M, FIX),
	    FIXPIPE(UB) },
	  7, NPU_PIPE_FIX, NPU_PIPE_M, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 9, 6, NPU_L0C_BASE,
	  1024 },
	{ "MTE2 loads what MTE3 has stored",
	  { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(NPU_VA_START + 100, UB, 64),
	    SET(MTE3, MTE2), WAIT(MTE3, MTE2), COPY(UB + 256, NPU_VA_START + 130, 100) },
	  3, NPU_PIPE_MTE2, NPU_PIPE_MTE3, NPU_ACCESS_READ, NPU_ACCESS_WRITE, 5, 2,
	  NPU_VA_START + 130, 34 },
};

/* Addresses in the table are of global memory that begins at NPU_VA_START. */
static struct npu_cmd case_program(struct rig *r, const struct found *c, bool complete)
{
	struct step steps[STEPS_MAX];
	unsigned int i;

	memcpy(steps, c->steps, sizeof(steps));
	for (i = 0; i < STEPS_MAX && (steps[i].rd || steps[i].rs1); i++) {
		if (steps[i].rd >= NPU_VA_START)
			steps[i].rd += r->gm - NPU_VA_START;
		if (steps[i].major == 0 && steps[i].rs1 >= NPU_VA_START)
			steps[i].rs1 += r->gm - NPU_VA_START;
		/* What comes instead orders nothing between pipes. */
		if (!complete && (i == c->left_out || i == c->left_out + 1))
			steps[i] = (struct step)SYNC(NPU_SYS_BARRIER, NPU_PIPE_V);
	}
	return program(r, steps, i);
}

static void test_flags(unsigned int workers)
{
	struct rig r = rig_new(workers);

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct found *c = &cases[i];
		struct npu_cmd cmd = case_program(&r, c, true);
		const struct npu_strict *s = r.strict;
		uint64_t address = c->address;

		ok(run(&r, &cmd, CANARY) == NPU_ST_OK && !s->status,
		   "%u workers: %s, after a flag", workers, c->what);
		cmd = case_program(&r, c, false);
		if (address >= NPU_VA_START)
			address += r.gm - NPU_VA_START;
		ok(run(&r, &cmd, CANARY) == NPU_ST_STRICT_FLAG &&
		   s->status == NPU_ST_STRICT_FLAG && s->pipe == c->pipe &&
		   s->other_pipe == c->other_pipe && s->access == c->access &&
		   s->other_access == c->other_access && s->pc == r.pcs[c->step] &&
		   s->other_pc == r.pcs[c->other_step] && s->address == address &&
		   s->bytes == c->bytes, "%s: found without", c->what);
		ok(r.fault.pc == s->pc && r.fault.address == address &&
		   r.fault.status == NPU_ST_STRICT_FLAG, "and in the record");
		cmd.kernel.strict = 0;
		ok(run(&r, &cmd, 0) == NPU_ST_OK, "out of strict mode it runs");
	}
	rig_free(&r);
}

static void test_flag_left(void)
{
	const struct step steps[] = {
		SYNC(NPU_SYS_SET_FLAG, FLAG(MTE2, V, 3)), SYNC(NPU_SYS_SET_FLAG, FLAG(V, MTE3, 1)),
		SYNC(NPU_SYS_WAIT_FLAG, FLAG(V, MTE3, 1)),
	};
	struct rig r = rig_new(0);
	struct npu_cmd cmd = program(&r, steps, 3);

	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_FLAG && r.strict->pipe == NPU_PIPE_MTE2 &&
	   r.strict->other_pipe == NPU_PIPE_V && r.strict->address == FLAG(MTE2, V, 3) &&
	   r.strict->pc == r.pcs[0] && !r.strict->bytes && !r.strict->access,
	   "a flag that nobody waits for");
	ok(r.fault.pc == r.pcs[0], "is where it was set");
	rig_free(&r);
}

/* More sets than are told apart: none of them is lost. */
static void test_many_sets(void)
{
	struct step steps[STEPS_MAX];
	struct rig r = rig_new(0);
	struct npu_cmd cmd;

	for (unsigned int i = 0; i < 12; i++)
		steps[i] = (struct step)SET(V, MTE3);
	for (unsigned int i = 12; i < STEPS_MAX; i++)
		steps[i] = (struct step)WAIT(V, MTE3);
	cmd = program(&r, steps, STEPS_MAX);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_FLAG && r.strict->address == FLAG(V, MTE3, 0),
	   "twelve sets and four waits");
	rig_free(&r);
}

static void test_local_uninit(void)
{
	const struct step part[] = {
		VEC(NPU_VDUP, UB, 0, 0, 16), VEC(NPU_VMOV, UB + 256, UB, 0, 24),
	};
	const struct step behind[] = {
		VEC(NPU_VDUP, UB + 64, 0, 0, 16), VEC(NPU_VMOV, UB + 256, UB, 0, 24),
	};
	const struct step madd[] = {
		VEC(NPU_VDUP, UB, 0, 0, 16), VEC(NPU_VMADD, UB + 256, UB, UB, 16),
	};
	const struct step dot[] = {
		VEC(NPU_VDUP, UB, 0, 0, 16), VEC(NPU_VDOT, UB + 256, UB, UB + 512, 16),
	};
	const struct step scaled[] = {
		VEC(NPU_VDUP, UB, 0, 0, 16),
		STEP(2, NPU_VEC_SCALE, 0, UB, UB + 512, 32),
		STEP(2, NPU_VEC_OP, UB, UB, UB,
		     NPU_PREP(NPU_VEC_OPCODE, (uint64_t)NPU_VADD) | 16 | NPU_VEC_SCALED),
	};
	const struct step scalar[] = { BY_SCALAR(LOAD, UB + 0x100) };
	const struct step sum[] = {
		COPY(L1, 0, 1024), BARRIER, LOAD0(NPU_L0A_BASE, L1), LOAD0(NPU_L0B_BASE, L1),
		BARRIER, MMAD(false),
	};
	struct step steps[STEPS_MAX];
	struct rig r = rig_new(0);
	const struct npu_strict *s = r.strict;
	struct npu_cmd cmd = program(&r, part, 2);

	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->pipe == NPU_PIPE_V &&
	   s->access == NPU_ACCESS_READ && s->address == UB + 64 && s->bytes == 32 &&
	   s->pc == r.pcs[1] && !s->other_pc, "V reads more of UB than was written");
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT, "what is left of other blocks is no help");
	cmd = program(&r, behind, 2);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->address == UB && s->bytes == 64,
	   "and before what was written");
	cmd = program(&r, madd, 2);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->access == NPU_ACCESS_READ &&
	   s->address == UB + 256 && s->bytes == 64, "VMADD reads what it replaces");
	cmd = program(&r, dot, 2);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->access == NPU_ACCESS_READ &&
	   s->address == UB + 512 && s->bytes == 64, "VDOT reads both of its sources");
	cmd = program(&r, scaled, 3);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->access == NPU_ACCESS_READ &&
	   s->address == UB + 512 && s->bytes == 4, "V reads shifts and factors");
	cmd = program(&r, scalar, 1);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->pipe == NPU_PIPE_S &&
	   s->address == UB + 0x100 && s->bytes == 8, "so does S");
	memcpy(steps, sum, sizeof(sum));
	steps[0].rs1 = r.gm;
	cmd = program(&r, steps, 6);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_UNINIT && s->pipe == NPU_PIPE_M &&
	   s->address == NPU_L0C_BASE && s->bytes == 1024, "M adds to nothing");
	rig_free(&r);
}

static void test_canary(void)
{
	struct rig r = rig_new(0);
	const struct npu_strict *s = r.strict;
	struct step steps[1] = { COPY(UB, r.gm + 0x800 - 3, 1003) };
	struct npu_cmd copy = program(&r, steps, 1), load, add, rows;

	steps[0] = (struct step)BY_SCALAR(LOAD, r.gm + 0x800);
	load = program(&r, steps, 1);
	steps[0] = (struct step)BY_SCALAR(ATOMIC, r.gm + 0x800);
	add = program(&r, steps, 1);
	steps[0] = (struct step)COPY(UB, r.gm + 0x400, 0);
	steps[0].rs2 = NPU_PREP(NPU_COPY_ROW_BYTES, 64ull) | NPU_PREP(NPU_COPY_ROWS, 8ull);
	steps[0].rs3 = NPU_PREP(NPU_COPY_DST_PITCH, 64ull) | NPU_PREP(NPU_COPY_SRC_PITCH, 256ull);
	rows = program(&r, steps, 1);
	ok(run(&r, &copy, CANARY) == NPU_ST_OK && run(&r, &rows, CANARY) == NPU_ST_OK,
	   "memory without the canary");
	r.words[0x7f8 / 8 + 1 + 124] = CANARY;
	ok(run(&r, &copy, CANARY) == NPU_ST_STRICT_UNINIT && s->pipe == NPU_PIPE_MTE2 &&
	   s->address == r.gm + 0x800 + 124 * 8 && s->bytes == 8 && 
	   r.fault.address == s->address, "one word of it, the last of a copy");
	ok(run(&r, &copy, 0) == NPU_ST_OK && run(&r, &copy, CANARY + 1) == NPU_ST_OK,
	   "is nothing to another");
	r.words[(0x400 + 5 * 256) / 8] = CANARY;
	ok(run(&r, &rows, CANARY) == NPU_ST_STRICT_UNINIT && s->address == r.gm + 0x400 + 5 * 256,
	   "in a row");
	ok(run(&r, &load, CANARY) == NPU_ST_OK, "S reads beside it");
	r.words[0x800 / 8] = CANARY;
	ok(run(&r, &load, CANARY) == NPU_ST_STRICT_UNINIT && s->pipe == NPU_PIPE_S &&
	   s->address == r.gm + 0x800, "and it");
	ok(run(&r, &add, CANARY) == NPU_ST_STRICT_UNINIT && r.words[0x800 / 8] == CANARY,
	   "an atomic reads, too, and has not been carried out");
	rig_free(&r);
}

static void test_side_by_side(unsigned int workers)
{
	struct rig r = rig_new(workers);
	struct step steps[3] = { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(r.gm + 4094, UB, 4) };
	struct npu_cmd cmd;

	steps[2].rd_shift = 2;
	cmd = program(&r, steps, 3);
	cmd.kernel.blocks = 500;
	ok(run(&r, &cmd, 0) == NPU_ST_OK, "%u workers: blocks write side by side", workers);
	steps[0] = (struct step)BY_SCALAR(ATOMIC, r.gm + 0x40);
	cmd = program(&r, steps, 1);
	cmd.kernel.blocks = 100;
	ok(run(&r, &cmd, CANARY) == NPU_ST_OK, "atomics of blocks may meet");
	rig_free(&r);
}

/*
 * What the blocks write is a race of the program's, which the thread sanitizer would take for one
 * of the device's if they ran at the same time.
 */
#ifdef __SANITIZE_THREAD__
#define RACING_WORKERS 0
#else
#define RACING_WORKERS 2
#endif

static void test_overlap(unsigned int workers)
{
	struct rig r = rig_new(workers);
	const struct npu_strict *s = r.strict;
	struct step steps[3] = { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(r.gm + 4094, UB, 5) };
	struct npu_cmd cmd;

	steps[2].rd_shift = 2;
	cmd = program(&r, steps, 3);
	cmd.kernel.blocks = 500;
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_OVERLAP && s->pipe == NPU_PIPE_MTE3 &&
	   s->other_pipe == NPU_PIPE_MTE3 && s->access == NPU_ACCESS_WRITE &&
	   s->other_access == NPU_ACCESS_WRITE && s->pc == r.pcs[2] && s->other_pc == r.pcs[2] &&
	   s->bytes == 1, "%u workers: by one byte too many", workers);
	ok((s->block == s->other_block + 1 || s->block + 1 == s->other_block) &&
	   s->address == r.gm + 4094 + 4 * (s->block > s->other_block ? s->block : s->other_block),
	   "neighbours, and where");
	cmd.kernel.blocks = 1;
	ok(run(&r, &cmd, 0) == NPU_ST_OK && run(&r, &cmd, 0) == NPU_ST_OK,
	   "one launch after the other may");

	steps[0] = (struct step)BY_SCALAR(STORE, r.gm + 0x40);
	cmd = program(&r, steps, 1);
	cmd.kernel.blocks = 100;
	ok(run(&r, &cmd, CANARY) == NPU_ST_STRICT_OVERLAP && s->pipe == NPU_PIPE_S &&
	   s->bytes == 8, "stores may not");
	rig_free(&r);
}

/* Of a device without memory for the comparison the rest goes on. */
static void test_incomplete(void)
{
	struct rig r = rig_new(0);
	struct step steps[3] = { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(r.gm, UB, 32) };
	struct npu_cmd cmd = program(&r, steps, 3);

	cmd.kernel.blocks = 2;
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_OVERLAP && !r.strict->flags,
	   "with memory blocks are compared");
	r.h->core->strict_bytes = 16;
	ok(run(&r, &cmd, 0) == NPU_ST_OK && r.strict->flags == NPU_STRICT_INCOMPLETE,
	   "without, it is told that they are not");
	rig_free(&r);
}

/* A command fails beside one of which nothing runs at that time. */
static void test_stopped(void)
{
	struct rig r = rig_new(1);
	struct step steps[3] = { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(r.gm, UB, 1) };
	const struct step wrong[] = { BY_SCALAR(LOAD, 0x10) };
	struct npu_cmd cmds[2];
	uint32_t status;

	steps[2].rd_shift = 1;
	cmds[0] = program(&r, steps, 3);
	cmds[0].kernel.blocks = 32768;
	cmds[1] = program(&r, wrong, 1);
	cmds[1].flags = NPU_CMD_F_OVERLAP;
	memset(r.words, 0xff, 0x10000);
	r.strict->canary = 0;
	status = th_run(r.q, cmds, 2);
	ok(status == NPU_ST_MMU_READ && r.words[0] != ~0ull && r.words[0x1fff] == ~0ull,
	   "a task is stopped with blocks that have run, and others that have not");
	ok(r.h->core->strict_bytes == STRICT_BYTES, "its memory is free again");
	rig_free(&r);
}

/* In sync mode blocks run one after the other. */
static void test_other_block(void)
{
	struct rig r = rig_new(0);
	const struct npu_strict *s = r.strict;
	struct step steps[4] = { VEC(NPU_VDUP, UB, 0, 0, 16), BARRIER, COPY(r.gm + 4080, UB, 32),
				 COPY(UB + 64, r.gm + 4090, 10) };
	struct npu_cmd cmd;

	steps[2].rd_shift = 6;
	steps[3].rs1_shift = 6;
	cmd = program(&r, steps, 4);
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_FLAG, "what the block itself has written is its own");
	steps[3].rs1 = r.gm + 4080 - 32;
	cmd = program(&r, steps, 4);
	cmd.kernel.blocks = 8;
	ok(run(&r, &cmd, 0) == NPU_ST_OK, "what nobody has written, too");
	steps[3].rs1 = r.gm + 4080 - 40;
	cmd = program(&r, steps, 4);
	cmd.kernel.blocks = 8;
	ok(run(&r, &cmd, 0) == NPU_ST_STRICT_OVERLAP && s->access == NPU_ACCESS_READ &&
	   s->pipe == NPU_PIPE_MTE2 && s->other_pipe == NPU_PIPE_MTE3 && s->block == 1 &&
	   s->other_block == 0 && s->address == r.gm + 4104 && s->bytes == 8 &&
	   s->pc == r.pcs[3] && s->other_pc == r.pcs[2], "what another block has written");
	rig_free(&r);
}

static void test_refused(void)
{
	const struct {
		const char *what;
		struct step step;
		enum npu_status status;
		enum npu_pipe pipe;
		uint64_t address;
	} refused[] = {
		{ "out of bounds", VEC(NPU_VDUP, UB + NPU_UB_SIZE - 32, 0, 0, 16),
		  NPU_ST_LOCAL_RANGE, NPU_PIPE_V, UB + NPU_UB_SIZE },
		{ "misaligned", VEC(NPU_VDUP, UB + 4, 0, 0, 16), NPU_ST_TILE_ALIGN, NPU_PIPE_V,
		  UB + 4 },
		{ "not in L1", LOAD0(NPU_L0A_BASE, UB), NPU_ST_LOCAL_RANGE, NPU_PIPE_MTE1, UB },
		{ "not mapped", COPY(UB, NPU_VA_START - 32 + (1ull << 40), 64), NPU_ST_MMU_READ,
		  NPU_PIPE_MTE2, NPU_VA_START - 32 + (1ull << 40) },
	};
	struct rig r = rig_new(0);

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct npu_cmd cmd = program(&r, &refused[i].step, 1);

		ok(run(&r, &cmd, 0) == refused[i].status &&
		   r.strict->status == refused[i].status && r.strict->pipe == refused[i].pipe &&
		   r.strict->address == refused[i].address && r.strict->pc == r.pcs[0] &&
		   !r.strict->bytes, "%s: the pipe is told", refused[i].what);
	}
	rig_free(&r);
}

/* Where nothing can be told nothing runs. */
static void test_bad_address(void)
{
	struct rig r = rig_new(0);
	struct step steps[1] = { BY_SCALAR(STORE, r.gm) };
	struct npu_cmd cmd = program(&r, steps, 1);
	const uint64_t nowhere[] = { 64, NPU_UB_BASE, 1ull << 40, ~63ull };

	steps[0].rs1 = 1;
	cmd = program(&r, steps, 1);
	for (unsigned int i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		cmd.kernel.strict = nowhere[i];
		ok(run(&r, &cmd, 0) == NPU_ST_MMU_WRITE && r.fault.address == nowhere[i] &&
		   !r.words[0], "no memory at 0x%llx", (unsigned long long)nowhere[i]);
	}
	th_map(r.s, r.gm + 0x100000, th_hbm(r.h, 0x1000, 0x1000), 0x1000, NPU_PTE_READ);
	cmd.kernel.strict = r.gm + 0x100000;
	ok(run(&r, &cmd, 0) == NPU_ST_MMU_WRITE && !r.words[0], "memory that cannot be written");
	cmd.kernel.strict = r.strict_va;
	ok(run(&r, &cmd, 0) == NPU_ST_OK && r.words[0] == 1, "where it can be told it runs");
	rig_free(&r);
}

/* Scalar accesses are as they are out of strict mode, whatever page and alignment. */
static void test_scalar(void)
{
	struct rig r = rig_new(0);
	struct step steps[3] = { BY_SCALAR(STORE, r.gm + 4093), BY_SCALAR(LOAD, r.gm + 4093),
				 BY_SCALAR(ATOMIC, UB + 8) };
	struct npu_cmd cmd;
	uint64_t value;

	steps[0].rs1 = 0x1122334455667788;
	cmd = program(&r, steps, 2);
	run(&r, &cmd, CANARY);
	memcpy(&value, (char *)r.words + 4093, 8);
	ok(value == 0x1122334455667788 && !r.strict->status, "a store across pages");
	cmd = program(&r, steps + 2, 1);
	ok(run(&r, &cmd, CANARY) == NPU_ST_STRICT_UNINIT && r.strict->address == UB + 8,
	   "an atomic reads UB");
	rig_free(&r);
}

/* A memory of 16 KiB is soon full; what is in it is still looked at. */
static void test_budget(void)
{
	size_t budget = 16384;
	struct strict_task *task = strict_task_new(&budget);
	struct strict *strict = strict_new();
	struct strict_block block = { .task = task, .entry = 0x1000 };
	struct rv64_watch store = { .size = 8, .access = RV64_ACCESS_WRITE };
	bool found = false;

	strict_start(strict, &block);
	for (unsigned int i = 0; i < 4096; i++) {
		store.addr = NPU_VA_START + i * 4096ull;
		found |= !strict_scalar(strict, 0x1000, &store);
	}
	ok(strict_task_full(task) && !found, "the memory of the check is used up");
	block.block = 1;
	strict_start(strict, &block);
	found = !strict_scalar(strict, 0x1000, &store);
	store.addr = NPU_VA_START;
	ok(!found && !strict_scalar(strict, 0x1000, &store), "it has what was in time");
	strict_free(strict);
	strict_task_free(task);
	ok(budget == 16384, "and gives it back");
}

int main(void)
{
	for (unsigned int workers = 0; workers <= 2; workers += 2) {
		test_flags(workers);
		test_side_by_side(workers);
	}
	for (unsigned int workers = 0; workers <= RACING_WORKERS; workers += 2)
		test_overlap(workers);
	test_flag_left();
	test_many_sets();
	test_local_uninit();
	test_canary();
	test_incomplete();
	test_stopped();
	test_other_block();
	test_refused();
	test_bad_address();
	test_scalar();
	test_budget();
	return tap_done();
}

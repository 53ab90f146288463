// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modelled time: each line of the tables of docs/timing.md, on each profile. What is expected is
 * worked out from the document's figures, which are here once more; the model is not asked.
 */
#include "timedprog.h"

#define GM	NPU_VA_START /* in the tables: of the test's memory */
#define L1	NPU_L1_BASE
#define L0A	NPU_L0A_BASE
#define L0B	NPU_L0B_BASE
#define L0C	NPU_L0C_BASE

#define UP(n, by) (((n) + (by) - 1) / (by))

/* The columns: 310b, 910, 910b, 910c. */
#define PROFILES 4
#define ALL(n) { n, n, n, n }

static const struct {
	const char *name;
	unsigned int mhz, cores, wide_lanes, lanes; /* elements of 4 bytes, of 2 and 1 */
	unsigned int l2_mib;
} profiles[PROFILES] = {
	{ "310b", 1221, 1, 64, 128, 8 },
	{ "910", 977, 32, 64, 128, 32 },
	{ "910b", 1800, 24, 128, 256, 192 },
	{ "910c", 1850, 25, 128, 256, 192 },
};

/* 400 ns at 1221 MHz, 500 at 977, 1800 and 1850; of L2 150 ns, and 200. */
static const unsigned int hbm_latency[PROFILES] = { 489, 489, 900, 925 };
static const unsigned int l2_latency[PROFILES] = { 184, 196, 360, 370 };

#define LOCAL_LATENCY	16
#define CUBE_LATENCY	32
#define HBM_LATENCY	~0u

/*
 * 64 KiB from and to global memory. From HBM a 310b has 51200 bytes a microsecond, or 1221 cycles;
 * with others the port is slower than all of HBM: 128 bytes a cycle and 64, 110 and 86.
 */
#define READ_FAR	{ UP(65536 * 1221, 51200), 65536 / 128, UP(65536, 110), UP(65536, 110) }
#define WRITE_FAR	{ UP(65536 * 1221, 51200), 65536 / 64, UP(65536, 86), UP(65536, 86) }
/* The port alone */
#define READ_NEAR	{ 65536 / 128, 65536 / 128, UP(65536, 110), UP(65536, 110) }
#define WRITE_NEAR	{ 65536 / 64, 65536 / 64, UP(65536, 86), UP(65536, 86) }

#define COPY(dst, src, rows, row_bytes, pitch) \
	0, NPU_MTE_COPY, dst, src, NPU_PREP(NPU_COPY_ROW_BYTES, row_bytes) | \
	NPU_PREP(NPU_COPY_ROWS, rows + 0ull), \
	NPU_PREP(NPU_COPY_DST_PITCH, pitch) | NPU_PREP(NPU_COPY_SRC_PITCH, pitch + 0ull)
#define LOAD0(dst, rows, cols, src_pitch, dst_pitch, dtype, options) \
	0, NPU_MTE_LOAD0, dst, L1, (rows) | (cols) << 16 | (src_pitch + 0ull) << 32, \
	(dst_pitch) | NPU_PREP(NPU_LOAD0_DTYPE, dtype + 0ull) | (options)
#define SET(dst, bytes) 0, NPU_MTE_SET, dst, 0, bytes, 8
#define MMAD(m, n, k, dtype) \
	1, NPU_CUBE_MMAD, L0C, L0A, L0B, (m) | (n) << 12 | NPU_PREP(NPU_MMAD_K, k + 0ull) | \
	NPU_PREP(NPU_MMAD_DTYPE, dtype + 0ull) | NPU_MMAD_INIT
#define FIXPIPE(dst, rows, cols, pitch, from, to) \
	1, NPU_CUBE_FIXPIPE, dst, L0C, (rows) | (cols) << 16 | (pitch + 0ull) << 32, \
	(from) | (to) << 4

static const struct {
	const char *name;
	enum npu_pipe pipe;
	unsigned int latency, busy[PROFILES];
	unsigned int major, funct3;
	uint64_t rd, rs1, rs2, rs3;
} rows[] = {
	{ "COPY from GM to UB", NPU_PIPE_MTE2, HBM_LATENCY, READ_FAR,
	  COPY(UB, GM, 1, 65536, 0) },
	{ "COPY from GM to L1", NPU_PIPE_MTE2, HBM_LATENCY, READ_FAR,
	  COPY(L1, GM, 16, 4096, 4096) },
	/* Rows of 40 bytes count as 64. */
	{ "COPY from GM of short rows", NPU_PIPE_MTE2, HBM_LATENCY,
	  { UP(6400 * 1221, 51200), 6400 / 128, UP(6400, 110), UP(6400, 110) },
	  COPY(UB, GM, 100, 40, 64) },
	{ "COPY from UB to GM", NPU_PIPE_MTE3, HBM_LATENCY, WRITE_FAR,
	  COPY(GM, UB, 1, 65536, 0) },
	{ "COPY from L1 to GM", NPU_PIPE_MTE3, HBM_LATENCY, WRITE_FAR,
	  COPY(GM, L1, 16, 4096, 4096) },
	{ "COPY to GM of short rows", NPU_PIPE_MTE3, HBM_LATENCY,
	  { UP(6400 * 1221, 51200), 6400 / 64, UP(6400, 86), UP(6400, 86) },
	  COPY(GM, UB, 100, 40, 64) },
	{ "COPY from L1 to UB", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(65536 / 128),
	  COPY(UB, L1, 1, 65536, 0) },
	{ "COPY from UB to L1", NPU_PIPE_MTE3, LOCAL_LATENCY, ALL(65536 / 128),
	  COPY(L1, UB, 1, 65536, 0) },
	{ "COPY from L1 to UB of short rows", NPU_PIPE_MTE1, LOCAL_LATENCY,
	  ALL(100 * 64 / 128), COPY(UB, L1, 100, 40, 64) },
	{ "COPY of no rows", NPU_PIPE_MTE2, 0, ALL(0), COPY(UB, GM, 0, 64, 0) },

	/* Of 32 bytes more a width that is one too great would make nothing. */
	{ "LOAD0 to L0A", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(UP(1025 * 32, 512)),
	  LOAD0(L0A, 1025, 16, 32, 32, NPU_F16, 0) },
	{ "LOAD0 to L0B", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(UP(1025 * 32, 256)),
	  LOAD0(L0B, 1025, 16, 32, 32, NPU_F16, 0) },
	/* 129 rows of 3 bytes, each 32, of three of 160 */
	{ "LOAD0 to L0A, transposed", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(UP(129 * 32, 512)),
	  LOAD0(L0A, 3, 129, 160, 32, NPU_S8, NPU_LOAD0_TRANSPOSE) },
	{ "LOAD0 to L0B, transposed", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(UP(129 * 32, 256)),
	  LOAD0(L0B, 3, 129, 160, 32, NPU_S8, NPU_LOAD0_TRANSPOSE) },
	{ "LOAD0 of no columns", NPU_PIPE_MTE1, 0, ALL(0), LOAD0(L0A, 3, 0, 32, 32, NPU_F32, 0) },

	{ "SET of UB", NPU_PIPE_MTE2, LOCAL_LATENCY, ALL(32768 / 128), SET(UB, 32768) },
	{ "SET of L1", NPU_PIPE_MTE2, LOCAL_LATENCY, ALL(32768 / 128), SET(L1, 32768) },
	{ "SET of SMEM", NPU_PIPE_MTE2, LOCAL_LATENCY, ALL(4096 / 128), SET(NPU_SMEM_BASE, 4096) },
	{ "SET of L0A", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(32768 / 512), SET(L0A, 32768) },
	{ "SET of L0B", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(32768 / 256), SET(L0B, 32768) },
	{ "SET of L0C", NPU_PIPE_MTE1, LOCAL_LATENCY, ALL(32768 / 128), SET(L0C, 32768) },
	{ "SET of nothing", NPU_PIPE_MTE2, 0, ALL(0), SET(UB, 0) },

	/* Tiles of 16 x 16, and steps of k: 16, of S8 32, of F32 4 */
	{ "MMAD of F16", NPU_PIPE_M, CUBE_LATENCY, ALL(4 * 4 * 4), MMAD(64, 64, 64, NPU_F16) },
	{ "MMAD of BF16", NPU_PIPE_M, CUBE_LATENCY, ALL(4 * 4 * 4), MMAD(64, 64, 64, NPU_BF16) },
	{ "MMAD of S8", NPU_PIPE_M, CUBE_LATENCY, ALL(4 * 4 * 2), MMAD(64, 64, 64, NPU_S8) },
	{ "MMAD of F32", NPU_PIPE_M, CUBE_LATENCY, ALL(4 * 4 * 16), MMAD(64, 64, 64, NPU_F32) },
	{ "MMAD of odd sizes", NPU_PIPE_M, CUBE_LATENCY, ALL(2 * 3 * 5),
	  MMAD(17, 33, 65, NPU_F16) },
	{ "MMAD of no products", NPU_PIPE_M, CUBE_LATENCY, ALL(4 * 4), MMAD(64, 64, 0, NPU_F16) },
	{ "MMAD of no rows", NPU_PIPE_M, 0, ALL(0), MMAD(0, 64, 64, NPU_F16) },

	/* 64 KiB of L0C */
	{ "FIXPIPE to UB", NPU_PIPE_FIX, LOCAL_LATENCY,
	  { 65536 / 128, 65536 / 256, 65536 / 128, 65536 / 128 },
	  FIXPIPE(UB, 128, 128, 512, NPU_F32, NPU_F32) },
	{ "FIXPIPE to L1, of halves", NPU_PIPE_FIX, LOCAL_LATENCY,
	  { UP(1025 * 32, 128), UP(1025 * 32, 256), UP(1025 * 32, 128), UP(1025 * 32, 128) },
	  FIXPIPE(L1, 1025, 8, 32, NPU_F32, NPU_F16) },
	/* Rows of 36 bytes count as 64. */
	{ "FIXPIPE of short rows", NPU_PIPE_FIX, LOCAL_LATENCY,
	  { 8192 / 128, 8192 / 256, 8192 / 128, 8192 / 128 },
	  FIXPIPE(UB, 128, 9, 64, NPU_F32, NPU_F32) },
	/* It is the write that takes time, */
	{ "FIXPIPE to GM", NPU_PIPE_FIX, HBM_LATENCY, WRITE_FAR,
	  FIXPIPE(GM, 128, 128, 512, NPU_F32, NPU_F32) },
	/* with half the bytes only where L0C is fast or HBM slow, */
	{ "FIXPIPE to GM, of halves", NPU_PIPE_FIX, HBM_LATENCY,
	  { UP(32768 * 1221, 51200), 32768 / 64, 65536 / 128, 65536 / 128 },
	  FIXPIPE(GM, 128, 128, 256, NPU_F32, NPU_F16) },
	/* and with a quarter it is L0C. */
	{ "FIXPIPE to GM, of bytes", NPU_PIPE_FIX, HBM_LATENCY,
	  { 65536 / 128, 65536 / 256, 65536 / 128, 65536 / 128 },
	  FIXPIPE(GM, 128, 128, 128, NPU_S32, NPU_S8) },
	{ "FIXPIPE of no rows", NPU_PIPE_FIX, 0, ALL(0),
	  FIXPIPE(UB, 0, 128, 512, NPU_F32, NPU_F32) },
};

/* The operations, with the size of their wider type. */
static const struct {
	const char *name;
	unsigned int opcode, dtype, bytes, factor;
	uint64_t options;
} ops[] = {
#define OP(opcode, dtype, bytes, factor) \
	{ #opcode " of " #dtype, NPU_##opcode, NPU_##dtype, bytes, factor, 0 }
#define FILL(opcode, dtype, bytes, factor) \
	{ #opcode " of " #dtype, NPU_##opcode, NPU_##dtype, bytes, factor, NPU_VEC_SCALAR }
#define CAST(from, to, bytes) \
	{ "VCAST of " #from " to " #to, NPU_VCAST, NPU_##from, bytes, 1, \
	  NPU_PREP(NPU_VEC_DST_DTYPE, NPU_##to + 0ull) }
	OP(VMOV, U8, 1, 1), OP(VNEG, F32, 4, 1), OP(VABS, F16, 2, 1),
	OP(VRELU, BF16, 2, 1), OP(VEXP, F32, 4, 4), OP(VLN, F32, 4, 4),
	OP(VSQRT, F16, 2, 4), OP(VRSQRT, F32, 4, 4), OP(VRECIP, BF16, 2, 4),
	OP(VTANH, F32, 4, 16), OP(VERF, F16, 2, 16), OP(VNOT, S16, 2, 1),
	FILL(VDUP, S8, 1, 1), FILL(VINDEX, S32, 4, 1), OP(VADD, S32, 4, 1),
	OP(VSUB, F32, 4, 1), OP(VMUL, S8, 1, 1), OP(VDIV, F32, 4, 4), OP(VDIV, F16, 2, 4),
	OP(VMAX, F16, 2, 1), OP(VMIN, U8, 1, 1), OP(VMLA, F32, 4, 1), OP(VAND, S32, 4, 1),
	OP(VOR, S16, 2, 1), OP(VXOR, U8, 1, 1), OP(VSHL, S32, 4, 1), OP(VSHR, S8, 1, 1),
	OP(VMADD, F16, 2, 1), OP(VFMA, F32, 4, 1), OP(VCMP_EQ, F32, 4, 1),
	OP(VCMP_NE, S8, 1, 1), OP(VCMP_LT, F16, 2, 1), OP(VCMP_LE, S32, 4, 1),
	OP(VCMP_GT, S16, 2, 1), OP(VCMP_GE, U8, 1, 1), OP(VSELECT, F32, 4, 1),
	CAST(F32, F16, 4), CAST(S8, F32, 4), CAST(U8, F16, 2), OP(VSUM, F32, 4, 2),
	OP(VREDMAX, F16, 2, 2), OP(VREDMIN, S32, 4, 2), OP(VARGMAX, S8, 1, 2),
	OP(VARGMIN, F32, 4, 2), OP(VDOT, F16, 2, 2), OP(VSUMSQ, F32, 4, 2),
};

#define VEC_ROWS 5
#define VEC_COUNT 300

static uint64_t to_ns(unsigned int profile, uint64_t cycles)
{
	return UP(cycles * 1000, profiles[profile].mhz);
}

static uint64_t address(uint64_t operand, uint64_t gm)
{
	return operand == GM ? gm : operand;
}

/* S waits for the pipe; then there are eleven instructions, the end of the kernel being one. */
static uint64_t waited(struct th_rig *r, struct prog *p, enum npu_pipe pipe)
{
	set(p, pipe, NPU_PIPE_S, 0);
	wait(p, pipe, NPU_PIPE_S, 0);
	for (unsigned int i = 0; i < 10; i++)
		emit(p, RV_NOP);
	return blocks_ns(r, p, 1);
}

/* The instruction is there at @there; the wait, the fourth behind it, may be later. */
static uint64_t expected(unsigned int profile, uint64_t issue, uint64_t there)
{
	return to_ns(profile, 200 + npu_max(there, issue + 4) + 11);
}

static void test_rows(struct th_rig *r, unsigned int profile, uint64_t gm)
{
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int latency = rows[i].latency;
		struct prog p = { 0 };

		if (latency == HBM_LATENCY)
			latency = hbm_latency[profile];
		tile(&p, rows[i].major, rows[i].funct3, address(rows[i].rd, gm),
		     address(rows[i].rs1, gm), rows[i].rs2, rows[i].rs3);
		is(waited(r, &p, rows[i].pipe),
		   expected(profile, 5, 5 + rows[i].busy[profile] + latency), rows[i].name);
	}
}

/* Three instructions of five each; the third is the operation. */
static void test_ops(struct th_rig *r, unsigned int profile)
{
	for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		unsigned int lanes = ops[i].bytes == 4 ? profiles[profile].wide_lanes :
							 profiles[profile].lanes;
		uint64_t busy = VEC_ROWS * UP(VEC_COUNT, lanes) * ops[i].factor;
		struct prog p = { 0 };

		tile(&p, 2, NPU_VEC_REPEAT, 2048, VEC_ROWS, 2048, 2048);
		tile(&p, 2, NPU_VEC_MASK, 0, UB, 2048, 0);
		tile(&p, 2, NPU_VEC_OP, UB, UB_OTHER, UB_OTHER,
		     vector(ops[i].opcode, ops[i].dtype, VEC_COUNT) | ops[i].options);
		is(waited(r, &p, NPU_PIPE_V), expected(profile, 15, 15 + busy + 16), ops[i].name);
	}
}

/*
 * An instruction twice: half of its bytes are in L2, where only the port counts, and L2's latency.
 * The block takes what lies half-way between both. It issues at 5 and is there twice as long after.
 */
static void test_near(struct th_rig *r, unsigned int profile, uint64_t gm)
{
	static const struct {
		const char *name;
		unsigned int far[PROFILES], near[PROFILES];
		unsigned int major, funct3;
		uint64_t rd, rs1, rs2, rs3;
	} moves[] = {
		{ "COPY twice from GM", READ_FAR, READ_NEAR, COPY(UB, GM, 1, 65536, 0) },
		{ "COPY twice to GM", WRITE_FAR, WRITE_NEAR, COPY(GM, UB, 1, 65536, 0) },
		{ "FIXPIPE twice to GM", WRITE_FAR, WRITE_NEAR,
		  FIXPIPE(GM, 128, 128, 512, NPU_F32, NPU_F32) },
	};
	for (unsigned int i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		uint64_t far = 200 + 5 + 2 * moves[i].far[profile] + hbm_latency[profile];
		uint64_t near = 200 + 5 + 2 * moves[i].near[profile] + l2_latency[profile];
		struct prog p = { 0 };

		tile(&p, moves[i].major, moves[i].funct3, address(moves[i].rd, gm),
		     address(moves[i].rs1, gm), moves[i].rs2, moves[i].rs3);
		again(&p, moves[i].major, moves[i].funct3);
		is(blocks_ns(r, &p, 1), to_ns(profile, far - (far - near) / 2), moves[i].name);
	}
}

/* Read and written at once by a block for all of its core's HBM: no faster than HBM is. */
static void test_both_ways(struct th_rig *r, unsigned int profile, uint64_t gm)
{
	/* 128 KiB of HBM are more than either pipe and its latency on a 310b only. */
	static const unsigned int cycles[PROFILES] = {
		UP(65536 * 1221, 51200) * 2, 10 + 1024 + 489, 10 + 763 + 900, 10 + 763 + 925,
	};
	struct prog p = { 0 };

	copy(&p, UB, gm, 65536);
	copy(&p, gm + 65536, UB, 65536);
	is(blocks_ns(r, &p, 1), to_ns(profile, 200 + cycles[profile]), "COPY from and to GM");
}

/* Each core reads a MiB of its own: 64 KiB for each share of HBM. The sixth instruction. */
static void test_share(struct th_rig *r, unsigned int profile, uint64_t gm)
{
	static const unsigned int busy[PROFILES] = {
		UP(65536ull * 1 * 1221, 51200), UP(65536ull * 32 * 977, 1200000),
		UP(65536ull * 24 * 1800, 1600000), UP(65536ull * 25 * 1850, 1600000),
	};
	struct prog p = { 0 };

	operands(&p, UB, gm, NPU_PREP(NPU_COPY_ROWS, 1ull) | 65536, 0);
	emit(&p, RV_SLLI(RV_T0, RV_A1, 20));
	emit(&p, RV_ADD(PROG_OPERANDS + 1, PROG_OPERANDS + 1, RV_T0));
	again(&p, 0, NPU_MTE_COPY);
	is(blocks_ns(r, &p, profiles[profile].cores),
	   to_ns(profile, 200 + 7 + busy[profile] + hbm_latency[profile]), "a share of HBM");
}

#define PIECE 0x80000u /* 512 KiB, a COPY */

/* Read @pieces from @gm on. */
static void sweep(struct prog *p, uint64_t gm, unsigned int pieces)
{
	unsigned int start;

	load(p, RV_T1, pieces);
	operands(p, L1, gm, NPU_PREP(NPU_COPY_ROWS, 1ull) | PIECE, 0);
	load(p, RV_T0, PIECE);
	start = p->count;
	again(p, 0, NPU_MTE_COPY);
	emit(p, RV_ADD(PROG_OPERANDS + 1, PROG_OPERANDS + 1, RV_T0));
	emit(p, RV_ADDI(RV_T1, RV_T1, -1));
	emit(p, RV_BNE(RV_T1, 0, 4 * ((int)start - (int)p->count)));
}

/* All of L2, twice: the second time it is there; with a page more nothing is. */
static void test_l2(struct th_rig *r, unsigned int profile)
{
	static const unsigned int far[PROFILES] = {
		UP(PIECE * 1221ull, 51200), PIECE / 128, UP(PIECE, 110), UP(PIECE, 110),
	};
	static const unsigned int near[PROFILES] = {
		PIECE / 128, PIECE / 128, UP(PIECE, 110), UP(PIECE, 110),
	};
	const unsigned int pieces = 2 * profiles[profile].l2_mib;
	const uint64_t gm = th_alloc(r->s, pieces * (uint64_t)PIECE + 4096, NULL);
	uint64_t far_all = 200 + 7 + 2 * pieces * (uint64_t)far[profile] + hbm_latency[profile];
	uint64_t near_all = 200 + 7 + 2 * pieces * (uint64_t)near[profile] + l2_latency[profile];
	struct prog p = { 0 };

	sweep(&p, gm, pieces);
	sweep(&p, gm, pieces);
	is(blocks_ns(r, &p, 1), to_ns(profile, far_all - (far_all - near_all) / 2),
	   "what L2 holds");
	p = (struct prog){ 0 };
	sweep(&p, gm, pieces);
	sweep(&p, gm, pieces);
	copy(&p, L1, gm + pieces * (uint64_t)PIECE, 32);
	is(blocks_ns(r, &p, 1), to_ns(profile, far_all + 1), "a page more");
}

/* When the kernel gets there; the instruction before is one cycle. */
static uint64_t look(struct th_rig *r, struct prog *p)
{
	struct npu_cmd list[2];

	load(p, PROG_OPERANDS + 1, NPU_INFO_TIME);
	again(p, 3, NPU_SYS_GETINFO);
	load(p, RV_T0, r->va + 8);
	emit(p, RV_SD(PROG_OPERANDS, RV_T0, 0));
	list[0] = stamp(r, 0);
	list[1] = kernel(r, p, 1);
	th_run(r->q, list, 2);
	return r->words[1] - r->words[0] - 50 - 2000;
}

#define PRODUCT (8 * 16 * 8) /* cycles of MMAD of 128 x 256 x 128 in F16 */

/* A queue of 32: the 40th finds room when the 8th has left it. */
static void test_queue(struct th_rig *r, unsigned int profile)
{
	struct prog p = { 0 };
	unsigned int i;

	operands(&p, L0C, L0A, L0B, mmad(128, 256, 128, NPU_F16));
	for (i = 0; i < 40; i++)
		again(&p, 1, NPU_CUBE_MMAD);
	is(look(r, &p), to_ns(profile, 5 + 7 * PRODUCT + 1), "a full queue");
}

/*
 * Ten sets of a flag: each wait is for the next one, but from the eighth on all for the last. Waits
 * that have nothing to wait for take a cycle each.
 */
static void test_sets(struct th_rig *r, unsigned int profile)
{
	static const struct {
		unsigned int count, product, more;
	} waits[] = { { 1, 1, 0 }, { 7, 7, 0 }, { 8, 10, 0 }, { 10, 10, 2 } };
	unsigned int i, n;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct prog p = { 0 };

		operands(&p, L0C, L0A, L0B, mmad(128, 256, 128, NPU_F16));
		load(&p, 8, NPU_PIPE_M | NPU_PIPE_S << 4);
		for (n = 0; n < 10; n++) {
			again(&p, 1, NPU_CUBE_MMAD);
			emit(&p, RV_CUSTOM(3, NPU_SYS_SET_FLAG, 0, 8, 0, 0));
		}
		for (n = 0; n < waits[i].count; n++)
			emit(&p, RV_CUSTOM(3, NPU_SYS_WAIT_FLAG, 0, 8, 0, 0));
		is(look(r, &p), to_ns(profile, 6 + waits[i].product * PRODUCT + 32 +
					       waits[i].more + 1), "one of ten flags");
	}
}

/* Between two stamps there are two commands, 2000 ns for a kernel, and 1000 for SDMA. */
static void test_commands(struct th_rig *r, unsigned int profile, uint64_t gm)
{
	/* By SDMA's 20, 100 and 200 GB/s; 3 MiB of HBM are more than that on a 310b. */
	static const unsigned int copied[PROFILES] = { 52429, 10486, 5243, 5243 };
	static const unsigned int reduced[PROFILES] = { 61440, 10486, 5243, 5243 };
	/* By the link's 3938 and 31508 MB/s */
	static const unsigned int loaded[PROFILES] = { 266272, 33280, 33280, 33280 };
	/* 64 bytes a row */
	static const unsigned int rows_copied[PROFILES] = { 3200, 640, 320, 320 };
	const uint64_t host = th_alloc_ram(r->s, 0x100000, NULL);
	struct npu_cmd list[] = { stamp(r, 0), stamp(r, 1), stamp(r, 2) };
	struct prog p = { 0 };
	struct npu_cmd cmd;

	th_run(r->q, list, 3);
	is(r->words[2] - r->words[0], 100, "two commands");
	is(blocks_ns(r, &p, 1), to_ns(profile, 200 + 1), "an empty kernel");
	cmd = th_copy(gm, gm + 0x400000, 0x100000);
	is(time_of(r, &cmd), 1000 + copied[profile], "COPY of a MiB");
	cmd = th_fill(gm, 0x100000, 1, 8);
	is(time_of(r, &cmd), 1000 + copied[profile], "FILL of a MiB");
	cmd = (struct npu_cmd){
		.opcode = NPU_CMD_REDUCE,
		.reduce = { .dst = gm, .src = gm + 0x400000, .bytes = 0x100000, .type = NPU_S32 },
	};
	is(time_of(r, &cmd), 1000 + reduced[profile], "REDUCE of a MiB");
	cmd = th_copy(gm, host, 0x100000);
	is(time_of(r, &cmd), 1000 + loaded[profile], "COPY of a MiB of host memory");
	cmd = th_copy(gm, gm + 0x400000, 8);
	cmd.copy.rows = 1000;
	cmd.copy.dst_pitch = cmd.copy.src_pitch = 16;
	is(time_of(r, &cmd), 1000 + rows_copied[profile], "COPY of rows of 8 bytes");
}

static void test_profile(unsigned int profile)
{
	struct th_rig r = rig_new(0, profiles[profile].name);
	const uint64_t gm = gm_new(&r);

	ok(th_read(r.h, NPU_REG_CORE_CLOCK_MHZ) == profiles[profile].mhz &&
	   th_read(r.h, NPU_REG_NUM_CORES) == profiles[profile].cores, "%s: clock and cores",
	   profiles[profile].name);
	test_rows(&r, profile, gm);
	test_ops(&r, profile);
	test_near(&r, profile, gm);
	test_both_ways(&r, profile, gm);
	test_queue(&r, profile);
	test_sets(&r, profile);
	test_commands(&r, profile, gm);
	test_share(&r, profile, gm);
	th_rig_free(&r);
	/* L2 takes most of HBM. */
	r = rig_new(0, profiles[profile].name);
	test_l2(&r, profile);
	th_rig_free(&r);
}

int main(void)
{
	for (unsigned int i = 0; i < PROFILES; i++)
		test_profile(i);
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict mode: each operand of each tile instruction. It is found where it has not been written,
 * where another pipe gets at it without a flag, and one element past its buffer, to the byte; what
 * lies between its rows and behind them is not.
 */
#include "testprog.h"

#define CANARY	0x5ca1ab1e0ddba11ull
#define GM	NPU_VA_START /* in the tables: of the rig's memory */
#define UB	NPU_UB_BASE
#define L1	NPU_L1_BASE
#define L0A	NPU_L0A_BASE
#define L0B	NPU_L0B_BASE
#define L0C	NPU_L0C_BASE
#define SCRATCH	0x8000 /* of each buffer: for what is not looked at */
#define ALL_ROWS (~0u)
#define OPERANDS 6

/* Where an instruction has the address of an operand: a register, or the vector engine's state. */
enum place {
	RD,
	RS1,
	RS2,
	MASK,
	SHIFTS,
	FACTORS,
	PLACES
};

enum use {
	READ = 1,
	WRITE = 2,
	BOTH = READ | WRITE,
};

struct operand {
	enum place place;
	enum use use; /* 0: there is none */
	uint64_t buffer;
	unsigned int bytes, rows, pitch;
};

/* An instruction; what it writes is the last operand. */
struct insn {
	const char *name;
	unsigned int major, funct3;
	enum npu_pipe pipe;
	uint64_t rs1, rs2, rs3; /* as far as they are no addresses */
	struct operand operands[OPERANDS];
};

/* A program, and where operands are in it. */
struct rig {
	struct th_rig th;
	struct npu_strict *strict;
	uint64_t strict_va;
	const struct insn *insn;
	uint64_t at[OPERANDS];
	struct prog p;
};

#define COPY_SHAPE(bytes) NPU_PREP(NPU_COPY_ROW_BYTES, (bytes)) | NPU_PREP(NPU_COPY_ROWS, 3ull)
#define PITCHES(dst, src) NPU_PREP(NPU_COPY_DST_PITCH, (dst)) | \
			  NPU_PREP(NPU_COPY_SRC_PITCH, (src) + 0ull)
#define COPY(name, pipe, dst, dst_pitch, src, src_pitch, bytes) \
	{ name, 0, NPU_MTE_COPY, NPU_PIPE_##pipe, 0, COPY_SHAPE(bytes), \
	  PITCHES(dst_pitch, src_pitch), \
	  { { RS1, READ, src, bytes, 3, src_pitch }, { RD, WRITE, dst, bytes, 3, dst_pitch } } }
#define SET(name, pipe, dst) \
	{ name, 0, NPU_MTE_SET, NPU_PIPE_##pipe, 0, 36, 4, { { RD, WRITE, dst, 36, 1, 0 } } }
/* Three rows of 96 bytes each, of which @cols elements are taken. */
#define LOAD0(name, cols, dtype, ...) \
	{ name, 0, NPU_MTE_LOAD0, NPU_PIPE_MTE1, 0, 3 | (cols) << 16 | 96ull << 32, \
	  128 | NPU_PREP(NPU_LOAD0_DTYPE, dtype + 0ull), { __VA_ARGS__ } }
#define MMAD(name, m, n, k, dtype, options, ...) \
	{ name, 1, NPU_CUBE_MMAD, NPU_PIPE_M, 0, 0, \
	  (m) | (n) << 12 | NPU_PREP(NPU_MMAD_K, k + 0ull) | \
	  NPU_PREP(NPU_MMAD_DTYPE, dtype + 0ull) | (options), { __VA_ARGS__ } }
#define FIXPIPE(name, cols, pitch, from, to, scale, ...) \
	{ name, 1, NPU_CUBE_FIXPIPE, NPU_PIPE_FIX, 0, 3 | (cols) << 16 | (pitch + 0ull) << 32, \
	  from | to << 4 | (scale + 0ull) << 32, { __VA_ARGS__ } }
#define ONE 0x3f800000 /* of fp32 */

static const struct insn others[] = {
	COPY("COPY from GM to UB", MTE2, UB, 96, GM, 104, 40),
	COPY("COPY from GM to L1", MTE2, L1, 128, GM, 80, 40),
	COPY("COPY from UB to GM", MTE3, GM, 100, UB, 96, 33),
	COPY("COPY from L1 to GM", MTE3, GM, 77, L1, 128, 36),
	COPY("COPY from UB to L1", MTE3, L1, 128, UB, 96, 36),
	COPY("COPY from L1 to UB", MTE1, UB, 96, L1, 128, 33),
	LOAD0("LOAD0 of F32 to L0A", 9, NPU_F32, { RS1, READ, L1, 36, 3, 96 },
	      { RD, WRITE, L0A, 36, 3, 128 }),
	LOAD0("LOAD0 of F16 to L0B", 17, NPU_F16, { RS1, READ, L1, 34, 3, 96 },
	      { RD, WRITE, L0B, 34, 3, 128 }),
	{ "LOAD0 of F32, transposed", 0, NPU_MTE_LOAD0, NPU_PIPE_MTE1, 0,
	  3 | 9 << 16 | 96ull << 32, 64 | NPU_LOAD0_TRANSPOSE,
	  { { RS1, READ, L1, 36, 3, 96 }, { RD, WRITE, L0B, 12, 9, 64 } } },
	SET("SET of UB", MTE2, UB),
	SET("SET of L1", MTE2, L1),
	SET("SET of L0A", MTE1, L0A),
	SET("SET of L0B", MTE1, L0B),
	SET("SET of L0C", MTE1, L0C),
	MMAD("MMAD of F32", 3, 9, 9, NPU_F32, 0, { RS1, READ, L0A, 36, 3, 64 },
	     { RS2, READ, L0B, 36, 9, 64 }, { RD, BOTH, L0C, 36, 3, 64 }),
	MMAD("MMAD of F16, INIT", 3, 9, 17, NPU_F16, NPU_MMAD_INIT, { RS1, READ, L0A, 34, 3, 64 },
	     { RS2, READ, L0B, 18, 17, 32 }, { RD, WRITE, L0C, 36, 3, 64 }),
	MMAD("MMAD of S8", 2, 33, 5, NPU_S8, 0, { RS1, READ, L0A, 5, 2, 32 },
	     { RS2, READ, L0B, 33, 5, 64 }, { RD, BOTH, L0C, 132, 2, 160 }),
	MMAD("MMAD of no products, INIT", 3, 9, 0, NPU_F32, NPU_MMAD_INIT,
	     { RD, WRITE, L0C, 36, 3, 64 }),
	FIXPIPE("FIXPIPE of F32 to UB", 9, 96, NPU_F32, NPU_F32, 0, { RS1, READ, L0C, 36, 3, 64 },
		{ RD, WRITE, UB, 36, 3, 96 }),
	FIXPIPE("FIXPIPE of F16 to L1", 17, 128, NPU_F32, NPU_F16, 0,
		{ RS1, READ, L0C, 68, 3, 96 }, { RD, WRITE, L1, 34, 3, 128 }),
	FIXPIPE("FIXPIPE of F32 to GM", 9, 90, NPU_F32, NPU_F32, 0, { RS1, READ, L0C, 36, 3, 64 },
		{ RD, WRITE, GM, 36, 3, 90 }),
	FIXPIPE("FIXPIPE of S8 to GM", 33, 100, NPU_S32, NPU_S8, ONE,
		{ RS1, READ, L0C, 132, 3, 160 }, { RD, WRITE, GM, 33, 3, 100 }),
};

/*
 * Vector operations on three rows: bytes a row of each operand that is there. What reads its
 * destination, too, has @old.
 */
static const struct vec {
	const char *name;
	unsigned int opcode, dtype, count;
	unsigned int src0, src1, mask, shift, factor, dst;
	uint64_t options;
	bool old, one_src1; /* src1 is one row */
} vecs[] = {
#define VEC(opcode, dtype, count, ...) \
	{ #opcode " of " #dtype, NPU_##opcode, NPU_##dtype, count, __VA_ARGS__ }
#define UNARY(opcode, dtype, count, bytes) \
	VEC(opcode, dtype, count, .src0 = bytes, .dst = bytes)
#define BINARY(opcode, dtype, count, bytes, ...) \
	VEC(opcode, dtype, count, .src0 = bytes, .src1 = bytes, .dst = bytes, ##__VA_ARGS__)
#define COMPARE(opcode, dtype, count, bytes, bits) \
	VEC(opcode, dtype, count, .src0 = bytes, .src1 = bytes, .dst = bits)
#define REDUCE(opcode, dtype, count, bytes, to) \
	VEC(opcode, dtype, count, .src0 = bytes, .dst = to)
#define CAST(from, to, count, bytes, dst_bytes) \
	{ "VCAST of " #from " to " #to, NPU_VCAST, NPU_##from, count, .src0 = bytes, \
	  .dst = dst_bytes, .options = NPU_PREP(NPU_VEC_DST_DTYPE, NPU_##to + 0ull) }
	UNARY(VMOV, F32, 9, 36), UNARY(VMOV, U8, 33, 33), UNARY(VNEG, F16, 17, 34),
	UNARY(VABS, S16, 17, 34), UNARY(VRELU, S8, 33, 33), UNARY(VEXP, F32, 9, 36),
	UNARY(VLN, F16, 17, 34), UNARY(VSQRT, BF16, 17, 34), UNARY(VRSQRT, F32, 9, 36),
	UNARY(VRECIP, F16, 17, 34), UNARY(VTANH, BF16, 17, 34), UNARY(VERF, F32, 9, 36),
	UNARY(VNOT, U8, 33, 33),
	VEC(VDUP, S16, 17, .dst = 34, .options = NPU_VEC_SCALAR),
	VEC(VINDEX, S32, 9, .dst = 36, .options = NPU_VEC_SCALAR),
	BINARY(VADD, F16, 17, 34), BINARY(VSUB, S32, 9, 36), BINARY(VMUL, S8, 33, 33),
	BINARY(VDIV, BF16, 17, 34), BINARY(VMAX, U8, 33, 33), BINARY(VMIN, F32, 9, 36),
	BINARY(VMLA, F16, 17, 34, .old = true), BINARY(VAND, U8, 33, 33),
	BINARY(VOR, S16, 17, 34), BINARY(VXOR, S32, 9, 36), BINARY(VSHL, S8, 33, 33),
	BINARY(VSHR, U8, 33, 33), BINARY(VMADD, BF16, 17, 34, .old = true),
	BINARY(VFMA, F32, 9, 36, .mask = 36), BINARY(VFMA, F16, 17, 34, .mask = 34),
	COMPARE(VCMP_EQ, F32, 9, 36, 2), COMPARE(VCMP_NE, F16, 17, 34, 3),
	COMPARE(VCMP_LT, S8, 33, 33, 5), COMPARE(VCMP_LE, S32, 9, 36, 2),
	COMPARE(VCMP_GT, U8, 33, 33, 5), COMPARE(VCMP_GE, BF16, 17, 34, 3),
	BINARY(VSELECT, F32, 9, 36, .mask = 2), BINARY(VSELECT, S8, 33, 33, .mask = 5),
	CAST(F32, F16, 9, 36, 18), CAST(F16, F32, 17, 34, 68), CAST(S8, F32, 9, 9, 36),
	CAST(U8, S16, 17, 17, 34), CAST(S32, S8, 33, 132, 33),
	REDUCE(VSUM, F32, 9, 36, 4), REDUCE(VREDMAX, F16, 17, 34, 2),
	REDUCE(VREDMIN, S8, 33, 33, 1), REDUCE(VARGMAX, S8, 33, 33, 4),
	REDUCE(VARGMIN, F16, 17, 34, 4), REDUCE(VSUMSQ, F16, 17, 34, 2),
	VEC(VDOT, BF16, 17, .src0 = 34, .src1 = 34, .dst = 2),

	/* What options add and take away. */
	{ "VSUB of a scalar", NPU_VSUB, NPU_F32, 9, .src0 = 36, .dst = 36,
	  .options = NPU_VEC_SCALAR },
	{ "VCMP_LT with a scalar", NPU_VCMP_LT, NPU_F32, 9, .src0 = 36, .dst = 2,
	  .options = NPU_VEC_SCALAR },
	{ "VMUL by an element a row", NPU_VMUL, NPU_F32, 9, .src0 = 36, .src1 = 4, .dst = 36,
	  .options = NPU_VEC_PER_ROW },
	{ "VMLA by an element a row", NPU_VMLA, NPU_F16, 17, .src0 = 34, .src1 = 2, .dst = 34,
	  .options = NPU_VEC_PER_ROW, .old = true },
	{ "VSELECT of an element a row", NPU_VSELECT, NPU_S8, 33, .src0 = 33, .src1 = 1,
	  .mask = 5, .dst = 33, .options = NPU_VEC_PER_ROW },
	{ "VADD of one row", NPU_VADD, NPU_F32, 9, .src0 = 36, .src1 = 36, .dst = 36,
	  .one_src1 = true },
	{ "VMOV, scales not asked for", NPU_VMOV, NPU_F32, 9, .src0 = 36, .dst = 36 },
	{ "VEXP, scaled", NPU_VEXP, NPU_F16, 17, .src0 = 34, .shift = 4, .factor = 4, .dst = 34,
	  .options = NPU_VEC_SCALED },
	{ "VRELU, shifted", NPU_VRELU, NPU_F32, 9, .src0 = 36, .shift = 4, .dst = 36,
	  .options = NPU_VEC_SCALED },
	{ "VSUM, with a factor", NPU_VSUM, NPU_F32, 9, .src0 = 36, .factor = 4, .dst = 4,
	  .options = NPU_VEC_SCALED },
	{ "VFMA, scaled", NPU_VFMA, NPU_F32, 9, .src0 = 36, .src1 = 36, .mask = 36, .shift = 4,
	  .factor = 4, .dst = 36, .options = NPU_VEC_SCALED },
	{ "VMADD, scaled", NPU_VMADD, NPU_F32, 9, .src0 = 36, .src1 = 36, .shift = 4, .factor = 4,
	  .dst = 36, .options = NPU_VEC_SCALED, .old = true },
	{ "VDOT, scaled", NPU_VDOT, NPU_F16, 17, .src0 = 34, .src1 = 34, .shift = 4, .factor = 4,
	  .dst = 2, .options = NPU_VEC_SCALED },
};

static void add(struct insn *insn, unsigned int *count, enum place place, unsigned int bytes,
		unsigned int pitch)
{
	if (bytes)
		insn->operands[(*count)++] = (struct operand) {
			place, READ, UB, bytes, pitch ? 3 : 1, pitch,
		};
}

static struct insn insn_of(const struct vec *v)
{
	struct insn insn = {
		.name = v->name, .major = 2, .funct3 = NPU_VEC_OP, .pipe = NPU_PIPE_V,
		/* An address, for the case that someone takes a scalar for one. */
		.rs2 = UB + SCRATCH,
		.rs3 = NPU_PREP(NPU_VEC_OPCODE, v->opcode + 0ull) |
		       NPU_PREP(NPU_VEC_DTYPE, v->dtype + 0ull) | v->count | v->options,
	};
	unsigned int count = 0;

	add(&insn, &count, RS1, v->src0, 192);
	add(&insn, &count, RS2, v->src1, v->one_src1 ? 0 : 160);
	add(&insn, &count, MASK, v->mask, 96);
	add(&insn, &count, SHIFTS, v->shift, 64);
	add(&insn, &count, FACTORS, v->factor, 64);
	add(&insn, &count, RD, v->dst, 128);
	insn.operands[count - 1].use = v->old ? BOTH : WRITE;
	return insn;
}

static struct rig rig_new(const struct insn *insn)
{
	struct rig r = { .th = th_rig_new(th_new(0, 1), 16), .insn = insn };

	r.strict_va = th_alloc(r.th.s, 0x1000, (void **)&r.strict);
	r.th.va = th_alloc(r.th.s, 0x10000, (void **)&r.th.words);
	return r;
}

/* An empty program; operands are where they are, each in 4 KiB of its own. */
static void start(struct rig *r)
{
	r->p = (struct prog) { 0 };
	memset(r->th.words, 0, 0x10000);
	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		r->at[i] = (o->buffer == GM ? r->th.va : o->buffer) + 0x1000 * (i + 1);
	}
}

static uint32_t run(struct rig *r, uint32_t blocks)
{
	struct npu_cmd cmd = kernel(&r->th, &r->p, blocks);
	uint32_t status;

	memset(r->strict, 0, sizeof(*r->strict));
	r->strict->canary = CANARY;
	cmd.kernel.strict = r->strict_va;
	status = th_run(r->th.q, &cmd, 1);
	if (status) {
		th_queue_free(r->th.q);
		r->th.q = th_queue_new(r->th.s, 1, 16, r->th.cq);
	}
	/* From the kernel's entry on. */
	r->strict->pc -= r->strict->pc ? cmd.kernel.entry : 0;
	r->strict->other_pc -= r->strict->other_pc ? cmd.kernel.entry : 0;
	return status;
}

static bool clean(struct rig *r, const char *what, unsigned int operand)
{
	uint32_t status = run(r, 1);

	if (status)
		printf("# operand %u, %s: status %u at 0x%llx\n", operand, what, status,
		       (unsigned long long)r->strict->address);
	return !status;
}

/* Is it @want that is found, and nothing else? */
static bool found(struct rig *r, uint32_t blocks, struct npu_strict want, const char *what,
		  unsigned int operand)
{
	const struct npu_strict *s = r->strict;
	uint32_t status = run(r, blocks);

	want.canary = CANARY;
	if (status == want.status && !memcmp(s, &want, sizeof(want)))
		return true;
	printf("# operand %u, %s: status %u, pipe %u access %u, other %u %u, pc 0x%llx 0x%llx, "
	       "%llu bytes at 0x%llx; expected %u, %u %u, %u %u, 0x%llx 0x%llx, %llu at 0x%llx\n",
	       operand, what, s->status, s->pipe, s->access, s->other_pipe, s->other_access,
	       (unsigned long long)s->pc, (unsigned long long)s->other_pc,
	       (unsigned long long)s->bytes, (unsigned long long)s->address, want.status,
	       want.pipe, want.access, want.other_pipe, want.other_access,
	       (unsigned long long)want.pc, (unsigned long long)want.other_pc,
	       (unsigned long long)want.bytes, (unsigned long long)want.address);
	return false;
}

static void barrier(struct prog *p)
{
	tile(p, 3, NPU_SYS_BARRIER, 0, NPU_PIPE_ALL, 0, 0);
}

/* MTE2 does it, of L0 MTE1. */
static void fill(struct prog *p, uint64_t address, uint64_t bytes)
{
	if (bytes)
		tile(p, 0, NPU_MTE_SET, address, 0, bytes, 1);
}

/* The instruction with its operands; returns its pc. */
static uint64_t emit_insn(struct rig *r)
{
	const struct insn *insn = r->insn;
	uint64_t pitches[PLACES] = { 0 }, at[PLACES] = { 0, insn->rs1, insn->rs2 };

	for (unsigned int i = 0; i < OPERANDS && insn->operands[i].use; i++) {
		at[insn->operands[i].place] = r->at[i];
		pitches[insn->operands[i].place] = insn->operands[i].pitch;
	}
	if (insn->pipe == NPU_PIPE_V) {
		tile(&r->p, 2, NPU_VEC_REPEAT, pitches[RD], 3, pitches[RS1], pitches[RS2]);
		tile(&r->p, 2, NPU_VEC_MASK, 0, at[MASK], pitches[MASK], 0);
		tile(&r->p, 2, NPU_VEC_SCALE, 0, at[SHIFTS], at[FACTORS],
		     pitches[SHIFTS] | pitches[FACTORS]);
	}
	tile(&r->p, insn->major, insn->funct3, at[RD], at[RS1], at[RS2], insn->rs3);
	return 4 * (r->p.count - 1);
}

static uint64_t span(const struct operand *o)
{
	return (o->rows - 1) * o->pitch + o->bytes;
}

/* The last 32 bytes of a row, or what there is of them, from its start on. */
static unsigned int tail(const struct operand *o)
{
	return (o->bytes - 1) / NPU_TILE_ALIGN * NPU_TILE_ALIGN;
}

static bool is_gm(const struct operand *o)
{
	return o->buffer == GM;
}

/* Without anything between rows. */
static bool is_dense(const struct operand *o)
{
	return o->rows == 1 || o->pitch == tail(o) + NPU_TILE_ALIGN;
}

/* Write all rows that are read, but those, or the tail of that one, of @except. */
static void write_rows(struct rig *r, const struct operand *except, unsigned int except_row)
{
	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		for (unsigned int row = 0; o->use & READ && row < o->rows; row++) {
			bool missing = o == except && (except_row == ALL_ROWS || except_row == row);
			uint64_t offset = 0x1000 * (i + 1) + row * o->pitch, bytes = o->bytes;

			if (missing)
				bytes = except_row == ALL_ROWS ? 0 : tail(o);
			if (!is_gm(o))
				fill(&r->p, r->at[i] + row * o->pitch, bytes);
			else if (missing)
				for (; bytes < o->bytes; bytes += 8)
					r->th.words[(offset + bytes) / 8] = CANARY;
		}
	}
	barrier(&r->p);
}

static bool missing_row(struct rig *r, unsigned int operand, unsigned int row)
{
	const struct operand *o = &r->insn->operands[operand];
	unsigned int skip = row == ALL_ROWS ? 0 : tail(o);
	struct npu_strict want = {
		.status = NPU_ST_STRICT_UNINIT, .pipe = r->insn->pipe, .access = NPU_ACCESS_READ,
	};

	start(r);
	write_rows(r, o, row);
	want.pc = emit_insn(r);
	want.address = r->at[operand] + (row == ALL_ROWS ? 0 : row * o->pitch) + skip;
	if (is_gm(o))
		want.bytes = 8;
	else if (is_dense(o) && row == ALL_ROWS)
		want.bytes = span(o);
	else if (is_dense(o) && row != o->rows - 1)
		want.bytes = NPU_TILE_ALIGN;
	else
		want.bytes = o->bytes - skip;
	return found(r, 1, want, "not written", operand);
}

static void test_unwritten(struct rig *r)
{
	unsigned int reads = 0;
	bool good = true;

	start(r);
	write_rows(r, NULL, 0);
	emit_insn(r);
	good &= clean(r, "all written", 0);
	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		if (!(o->use & READ))
			continue;
		reads++;
		good &= missing_row(r, i, ALL_ROWS);
		for (unsigned int row = 0; row < o->rows; row++)
			good &= missing_row(r, i, row);
	}
	ok(good, "%s: %u operands that were not written", r->insn->name, reads);
}

/* An access of a pipe other than the instruction's. */
struct other {
	enum npu_pipe pipe;
	enum npu_access access;
	unsigned int bytes;
	uint64_t pc;
};

/* Let there be one at @address, of 32 bytes, of 8 in GM; false: there is no such pipe. */
static bool get_at(struct rig *r, const struct operand *o, uint64_t address, struct other *other)
{
	const enum npu_pipe pipe = r->insn->pipe;
	const bool write = other->access == NPU_ACCESS_WRITE;
	struct prog *p = &r->p;

	other->bytes = is_gm(o) ? 8 : 32;
	if (is_gm(o) && write) {
		other->pipe = NPU_PIPE_S;
		load(p, RV_T0, address);
		emit(p, RV_SD(0, RV_T0, 0));
	} else if (is_gm(o)) {
		other->pipe = NPU_PIPE_MTE2;
		copy(p, UB + SCRATCH, address, 8);
	} else if (o->buffer == UB && pipe == NPU_PIPE_V) {
		other->pipe = write ? NPU_PIPE_MTE2 : NPU_PIPE_MTE3;
		if (write)
			fill(p, address, 32);
		else
			copy(p, L1 + SCRATCH, address, 32);
	} else if (o->buffer == UB) {
		other->pipe = NPU_PIPE_V;
		tile(p, 2, NPU_VEC_OP, write ? address : UB + SCRATCH, address, 0,
		     NPU_PREP(NPU_VEC_OPCODE, write ? NPU_VDUP + 0ull : NPU_VMOV) | 8 |
		     (write ? NPU_VEC_SCALAR : 0));
	} else if (o->buffer == L1 && !write) {
		other->pipe = NPU_PIPE_MTE1;
		tile(p, 0, NPU_MTE_LOAD0, L0A + SCRATCH, address, 1 | 8 << 16, 0);
	} else if (o->buffer == L1 && pipe == NPU_PIPE_MTE2) {
		other->pipe = NPU_PIPE_MTE3;
		copy(p, address, UB + SCRATCH, 32);
	} else if (o->buffer == L1) {
		other->pipe = NPU_PIPE_MTE2;
		fill(p, address, 32);
	} else if (write && pipe != NPU_PIPE_MTE1) {
		other->pipe = NPU_PIPE_MTE1;
		fill(p, address, 32);
	} else if (o->buffer == L0C && !write) {
		other->pipe = NPU_PIPE_FIX;
		tile(p, 1, NPU_CUBE_FIXPIPE, UB + SCRATCH, address, 1 | 8 << 16, 0);
	} else if (o->buffer == L0C || !write) {
		/* 1 x 8 of C or A, or, with one step, of B. */
		other->pipe = NPU_PIPE_M;
		tile(p, 1, NPU_CUBE_MMAD, o->buffer == L0C ? address : L0C + SCRATCH,
		     o->buffer == L0A ? address : L0A + SCRATCH,
		     o->buffer == L0B ? address : L0B + SCRATCH,
		     1 | 8 << 12 | (o->buffer == L0A ? 8 : 1) << 24 | NPU_MMAD_INIT);
	} else {
		return false;
	}
	other->pc = 4 * (p->count - 1);
	return true;
}

static void write_all(struct rig *r)
{
	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		if (o->use && !is_gm(o))
			fill(&r->p, r->at[i], span(o) + NPU_TILE_ALIGN);
	}
	fill(&r->p, UB + SCRATCH, 256);
	fill(&r->p, L0A + SCRATCH, 256);
	fill(&r->p, L0B + SCRATCH, 256);
	barrier(&r->p);
}

/* At the end of an operand another pipe gets at it, and then the instruction. */
static bool meets_before(struct rig *r, unsigned int operand, enum npu_access access)
{
	const struct operand *o = &r->insn->operands[operand];
	struct other other = { .access = access };
	struct npu_strict want = { .status = NPU_ST_STRICT_FLAG, .pipe = r->insn->pipe };

	start(r);
	write_all(r);
	want.address = r->at[operand] + (o->rows - 1) * o->pitch + tail(o);
	if (!get_at(r, o, want.address, &other))
		return true;
	want.bytes = npu_min(o->bytes - tail(o), other.bytes);
	want.access = o->use & READ && access == NPU_ACCESS_WRITE ? NPU_ACCESS_READ :
								     NPU_ACCESS_WRITE;
	want.pc = emit_insn(r);
	want.other_pipe = other.pipe;
	want.other_access = access;
	want.other_pc = other.pc;
	return found(r, 1, want, "after another pipe", operand);
}

/* The other way round. */
static bool meets_after(struct rig *r, unsigned int operand, enum npu_access access)
{
	const struct operand *o = &r->insn->operands[operand];
	struct other other = { .access = access };
	struct npu_strict want = {
		.status = NPU_ST_STRICT_FLAG, .access = access, .other_pipe = r->insn->pipe,
		.other_access = o->use & WRITE ? NPU_ACCESS_WRITE : NPU_ACCESS_READ,
	};

	start(r);
	write_all(r);
	want.address = r->at[operand] + (o->rows - 1) * o->pitch + tail(o);
	want.other_pc = emit_insn(r);
	if (!get_at(r, o, want.address, &other))
		return true;
	want.bytes = is_gm(o) ? npu_min(o->bytes - tail(o), other.bytes) : other.bytes;
	want.pipe = other.pipe;
	want.pc = other.pc;
	return found(r, 1, want, "before another pipe", operand);
}

/* Another pipe writes what lies behind a row. */
static bool passes(struct rig *r, unsigned int operand, unsigned int row)
{
	const struct operand *o = &r->insn->operands[operand];
	uint64_t behind = is_gm(o) ? o->bytes : tail(o) + NPU_TILE_ALIGN;
	struct other other = { .access = NPU_ACCESS_WRITE };

	start(r);
	write_all(r);
	get_at(r, o, r->at[operand] + row * o->pitch + behind, &other);
	emit_insn(r);
	return clean(r, "behind a row", operand);
}

static void test_flags(struct rig *r)
{
	bool good = true;

	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		if (!o->use)
			continue;
		good &= meets_before(r, i, NPU_ACCESS_WRITE);
		/* What is read of GM is not remembered. */
		if (o->use & WRITE && !is_gm(o))
			good &= meets_before(r, i, NPU_ACCESS_READ);
		if (o->use & WRITE || !is_gm(o))
			good &= meets_after(r, i, NPU_ACCESS_WRITE);
		if (o->use & WRITE)
			good &= meets_after(r, i, NPU_ACCESS_READ);
		good &= passes(r, i, o->rows - 1);
		if (!is_dense(o))
			good &= passes(r, i, 0);
	}
	ok(good, "%s: operands that another pipe gets at", r->insn->name);
}

static uint64_t end_of(const struct operand *o)
{
	switch (o->buffer) {
	case UB:
		return UB + NPU_UB_SIZE;
	case L1:
		return L1 + NPU_L1_SIZE;
	case L0A:
		return L0A + NPU_L0A_SIZE;
	case L0B:
		return L0B + NPU_L0B_SIZE;
	default:
		return L0C + NPU_L0C_SIZE;
	}
}

/* An operand ends in the last 32 bytes of its buffer, or in those behind them. */
static bool at_end(struct rig *r, unsigned int operand, bool past)
{
	const struct operand *o = &r->insn->operands[operand];
	uint64_t units = (span(o) - 1) / NPU_TILE_ALIGN;
	struct npu_strict want = {
		.status = NPU_ST_LOCAL_RANGE, .pipe = r->insn->pipe, .address = end_of(o),
		.access = o->use & WRITE ? NPU_ACCESS_WRITE : NPU_ACCESS_READ,
	};

	start(r);
	r->at[operand] = end_of(o) - (past ? units : units + 1) * NPU_TILE_ALIGN;
	if (!past)
		write_rows(r, NULL, 0);
	want.pc = emit_insn(r);
	return past ? found(r, 1, want, "past the end", operand) : clean(r, "at the end", operand);
}

static void test_ends(struct rig *r)
{
	bool good = true;

	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		if (o->use && !is_gm(o))
			good &= at_end(r, i, false) & at_end(r, i, true);
	}
	ok(good, "%s: operands at the end of their buffers", r->insn->name);
}

/* Two blocks write the same. */
static void test_overlap(struct rig *r)
{
	struct npu_strict want = {
		.status = NPU_ST_STRICT_OVERLAP, .pipe = r->insn->pipe,
		.access = NPU_ACCESS_WRITE, .other_pipe = r->insn->pipe,
		.other_access = NPU_ACCESS_WRITE, .block = 1,
	};

	for (unsigned int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &r->insn->operands[i];

		if (!(o->use & WRITE) || !is_gm(o))
			continue;
		start(r);
		write_rows(r, NULL, 0);
		want.pc = want.other_pc = emit_insn(r);
		want.address = r->at[i];
		want.bytes = o->bytes;
		ok(found(r, 2, want, "of two blocks", i), "%s: of two blocks", r->insn->name);
	}
}

static void test_insn(const struct insn *insn)
{
	struct rig r = rig_new(insn);

	test_unwritten(&r);
	test_flags(&r);
	test_ends(&r);
	test_overlap(&r);
	th_rig_free(&r.th);
}

static bool in_table(unsigned int opcode)
{
	for (unsigned int i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++)
		if (vecs[i].opcode == opcode)
			return true;
	return false;
}

/* Of no elements an operation does nothing; one that is not there is refused all the same. */
static void test_all_there(void)
{
	static const uint64_t forms[] = {
		NPU_PREP(NPU_VEC_DTYPE, NPU_F32 + 0ull), NPU_PREP(NPU_VEC_DTYPE, NPU_S32 + 0ull),
		NPU_PREP(NPU_VEC_DTYPE, NPU_S32 + 0ull) | NPU_VEC_SCALAR,
	};
	bool missing = false;

	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		struct rig r = rig_new(&others[0]);
		bool there = false;

		for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]) && !there; i++) {
			start(&r);
			tile(&r.p, 2, NPU_VEC_OP, UB, UB, UB,
			     NPU_PREP(NPU_VEC_OPCODE, opcode + 0ull) | forms[i]);
			there = run(&r, 1) == NPU_ST_OK;
		}
		missing |= there != in_table(opcode);
		if (there != in_table(opcode))
			printf("# vector operation 0x%02x\n", opcode);
		th_rig_free(&r.th);
	}
	ok(!missing, "the table has all vector operations");
}

int main(void)
{
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		test_insn(&others[i]);
	for (unsigned int i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++) {
		struct insn insn = insn_of(&vecs[i]);

		test_insn(&insn);
	}
	test_all_there();
	return tap_done();
}

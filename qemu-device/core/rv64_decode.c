// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decoder: one instruction to one op. Atomics, floating point and system instructions are
 * only told apart here; their encodings are checked where they are executed.
 */
#include "rv64_internal.h"

#define F7_ALT		0x20	/* sub, sra */
#define F7_MULDIV	0x01

static const uint8_t illegal8[8] = {
	RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
	RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
};

_Static_assert(RV64_NR_OPS < 256, "op ids are kept in bytes");

static int32_t imm_i(uint32_t raw)
{
	return (int32_t)raw >> 20;
}

static int32_t imm_s(uint32_t raw)
{
	return ((int32_t)raw >> 25) * 32 + (int32_t)rv64_bits(raw, 7, 5);
}

static int32_t imm_b(uint32_t raw)
{
	uint32_t low = rv64_bits(raw, 7, 1) << 11 | rv64_bits(raw, 25, 6) << 5 |
		       rv64_bits(raw, 8, 4) << 1;

	return ((int32_t)raw >> 31) * 4096 + (int32_t)low;
}

static int32_t imm_j(uint32_t raw)
{
	uint32_t low = rv64_bits(raw, 12, 8) << 12 | rv64_bits(raw, 20, 1) << 11 |
		       rv64_bits(raw, 21, 10) << 1;

	return ((int32_t)raw >> 31) * (1 << 20) + (int32_t)low;
}

static enum rv64_op_id load_id(uint32_t raw)
{
	static const uint8_t ids[8] = {
		RV64_OP_lb, RV64_OP_lh, RV64_OP_lw, RV64_OP_ld,
		RV64_OP_lbu, RV64_OP_lhu, RV64_OP_lwu, RV64_OP_illegal,
	};

	return ids[rv64_raw_funct3(raw)];
}

static enum rv64_op_id store_id(uint32_t raw)
{
	static const uint8_t ids[8] = {
		RV64_OP_sb, RV64_OP_sh, RV64_OP_sw, RV64_OP_sd,
		RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
	};

	return ids[rv64_raw_funct3(raw)];
}

static enum rv64_op_id branch_id(uint32_t raw)
{
	static const uint8_t ids[8] = {
		RV64_OP_beq_far, RV64_OP_bne_far, RV64_OP_illegal, RV64_OP_illegal,
		RV64_OP_blt_far, RV64_OP_bge_far, RV64_OP_bltu_far, RV64_OP_bgeu_far,
	};

	return ids[rv64_raw_funct3(raw)];
}

/* op: add, sub, ... and the M extension */
static enum rv64_op_id reg_id(uint32_t raw)
{
	static const uint8_t base[8] = {
		RV64_OP_add, RV64_OP_sll, RV64_OP_slt, RV64_OP_sltu,
		RV64_OP_xor, RV64_OP_srl, RV64_OP_or, RV64_OP_and,
	};
	static const uint8_t alt[8] = {
		RV64_OP_sub, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
		RV64_OP_illegal, RV64_OP_sra, RV64_OP_illegal, RV64_OP_illegal,
	};
	static const uint8_t muldiv[8] = {
		RV64_OP_mul, RV64_OP_mulh, RV64_OP_mulhsu, RV64_OP_mulhu,
		RV64_OP_div, RV64_OP_divu, RV64_OP_rem, RV64_OP_remu,
	};
	uint32_t f7 = raw >> 25;
	const uint8_t *ids = f7 == 0 ? base : f7 == F7_ALT ? alt :
			     f7 == F7_MULDIV ? muldiv : illegal8;

	return ids[rv64_raw_funct3(raw)];
}

/* op-32: the w forms */
static enum rv64_op_id reg32_id(uint32_t raw)
{
	static const uint8_t base[8] = {
		RV64_OP_addw, RV64_OP_sllw, RV64_OP_illegal, RV64_OP_illegal,
		RV64_OP_illegal, RV64_OP_srlw, RV64_OP_illegal, RV64_OP_illegal,
	};
	static const uint8_t alt[8] = {
		RV64_OP_subw, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
		RV64_OP_illegal, RV64_OP_sraw, RV64_OP_illegal, RV64_OP_illegal,
	};
	static const uint8_t muldiv[8] = {
		RV64_OP_mulw, RV64_OP_illegal, RV64_OP_illegal, RV64_OP_illegal,
		RV64_OP_divw, RV64_OP_divuw, RV64_OP_remw, RV64_OP_remuw,
	};
	uint32_t f7 = raw >> 25;
	const uint8_t *ids = f7 == 0 ? base : f7 == F7_ALT ? alt :
			     f7 == F7_MULDIV ? muldiv : illegal8;

	return ids[rv64_raw_funct3(raw)];
}

/* op-imm; shifts have a six-bit amount and an operation in the bits above it */
static enum rv64_op_id imm_id(uint32_t raw)
{
	static const uint8_t ids[8] = {
		RV64_OP_addi, RV64_OP_slli, RV64_OP_slti, RV64_OP_sltiu,
		RV64_OP_xori, RV64_OP_srli, RV64_OP_ori, RV64_OP_andi,
	};
	uint32_t f3 = rv64_raw_funct3(raw), f6 = raw >> 26;

	if (f3 == 5 && f6 == F7_ALT >> 1)
		return RV64_OP_srai;
	if ((f3 == 1 || f3 == 5) && f6)
		return RV64_OP_illegal;
	return ids[f3];
}

/* op-imm-32 */
static enum rv64_op_id imm32_id(uint32_t raw)
{
	uint32_t f7 = raw >> 25;

	switch (rv64_raw_funct3(raw)) {
	case 0:
		return RV64_OP_addiw;
	case 1:
		return f7 == 0 ? RV64_OP_slliw : RV64_OP_illegal;
	case 5:
		return f7 == 0 ? RV64_OP_srliw : f7 == F7_ALT ? RV64_OP_sraiw : RV64_OP_illegal;
	}
	return RV64_OP_illegal;
}

static void decode_imm(uint32_t raw, struct rv64_insn *insn, enum rv64_op_id id)
{
	struct rv64_op *op = &insn->op;

	insn->id = id;
	op->imm = imm_i(raw);
	if (id == RV64_OP_slli || id == RV64_OP_srli || id == RV64_OP_srai)
		op->imm &= 63;
	else if (id == RV64_OP_slliw || id == RV64_OP_srliw || id == RV64_OP_sraiw)
		op->imm &= 31;
	else if (id == RV64_OP_addi && !op->rs1)
		insn->id = RV64_OP_li;
	else if (id == RV64_OP_addi && !op->imm) {
		insn->id = RV64_OP_mv;
		op->rs2 = op->rs1;
	}
	/* Nothing else in this group has an effect but on rd. */
	if (op->rd == RV64_RD_SINK && insn->id != RV64_OP_illegal)
		insn->id = RV64_OP_nop;
}

static void decode_reg(struct rv64_insn *insn, enum rv64_op_id id)
{
	insn->id = id;
	if (id == RV64_OP_add && !insn->op.rs1)
		insn->id = RV64_OP_mv;
}

/* Conversions between integers, of which @kind is a type, and a single or a double. */
static bool decode_fp_convert(struct rv64_insn *insn, uint32_t kind, uint32_t fmt, bool to_int)
{
	static const uint8_t ids[2][4][2] = {
		{
			{ RV64_OP_fcvt_s_w, RV64_OP_fcvt_d_w },
			{ RV64_OP_fcvt_s_wu, RV64_OP_fcvt_d_wu },
			{ RV64_OP_fcvt_s_l, RV64_OP_fcvt_d_l },
			{ RV64_OP_fcvt_s_lu, RV64_OP_fcvt_d_lu },
		}, {
			{ RV64_OP_fcvt_w_s, RV64_OP_fcvt_w_d },
			{ RV64_OP_fcvt_wu_s, RV64_OP_fcvt_wu_d },
			{ RV64_OP_fcvt_l_s, RV64_OP_fcvt_l_d },
			{ RV64_OP_fcvt_lu_s, RV64_OP_fcvt_lu_d },
		},
	};

	if (kind > 3)
		return false;
	insn->id = ids[to_int][kind][fmt];
	return true;
}

/* What has its own path: the rounding mode is valid, and it is of a single or a double. */
static bool decode_fp_fast(uint32_t raw, struct rv64_insn *insn)
{
	static const uint8_t ids[3][2] = {
		{ RV64_OP_fadd_s, RV64_OP_fadd_d },
		{ RV64_OP_fsub_s, RV64_OP_fsub_d },
		{ RV64_OP_fmul_s, RV64_OP_fmul_d },
	};
	uint32_t f5 = raw >> 27, fmt = rv64_bits(raw, 25, 2), rm = rv64_raw_funct3(raw);
	bool to_int = f5 == 0x18, from_int = f5 == 0x1a;

	if (fmt >= 2 || rm == 5 || rm == 6)
		return false;
	insn->op.aux = rm;
	insn->op.imm = (int32_t)raw;
	if (to_int)
		return decode_fp_convert(insn, rv64_raw_rs2(raw), fmt, true);
	insn->op.rd = rv64_raw_rd(raw);
	if (from_int)
		return decode_fp_convert(insn, rv64_raw_rs2(raw), fmt, false);
	if (f5 >= 3)
		return false;
	insn->id = ids[f5][fmt];
	return true;
}

static void decode_fp(uint32_t raw, struct rv64_insn *insn)
{
	bool wide = rv64_raw_funct3(raw) == 3, narrow = rv64_raw_funct3(raw) == 2;

	switch (raw & 0x7f) {
	case 0x07:
		insn->id = wide ? RV64_OP_fld : narrow ? RV64_OP_flw : RV64_OP_illegal;
		insn->op.rd = rv64_raw_rd(raw);
		insn->op.imm = imm_i(raw);
		return;
	case 0x27:
		insn->id = wide ? RV64_OP_fsd : narrow ? RV64_OP_fsw : RV64_OP_illegal;
		insn->op.imm = imm_s(raw);
		return;
	case 0x53:
		if (decode_fp_fast(raw, insn))
			return;
		break;
	}
	insn->id = RV64_OP_fp;
	insn->op.imm = (int32_t)raw;
}

static void decode_custom(uint32_t raw, struct rv64_insn *insn)
{
	struct rv64_custom *c = &insn->op.custom;

	insn->id = RV64_OP_custom;
	c->rd = rv64_raw_rd(raw);
	c->rs1 = rv64_raw_rs1(raw);
	c->rs2 = rv64_raw_rs2(raw);
	c->rs3 = raw >> 27;
	c->major = rv64_bits(raw, 5, 2);
	c->funct3 = rv64_raw_funct3(raw);
	c->funct2 = rv64_bits(raw, 25, 2);
	c->reserved = 0;
}

static void decode_upper(uint32_t raw, struct rv64_insn *insn, enum rv64_op_id id)
{
	insn->id = insn->op.rd == RV64_RD_SINK ? RV64_OP_nop : id;
	insn->op.imm = (int32_t)(raw & 0xfffff000);
}

static void decode_fence(uint32_t raw, struct rv64_insn *insn)
{
	uint32_t f3 = rv64_raw_funct3(raw);

	insn->id = f3 == 0 ? RV64_OP_fence : f3 == 1 ? RV64_OP_system : RV64_OP_illegal;
	insn->op.imm = (int32_t)raw;
}

static void decode_flow(uint32_t raw, struct rv64_insn *insn)
{
	switch (raw & 0x7f) {
	case 0x63:
		insn->id = branch_id(raw);
		insn->op.imm = imm_b(raw);
		break;
	case 0x67:
		insn->id = rv64_raw_funct3(raw) ? RV64_OP_illegal : RV64_OP_jalr;
		insn->op.imm = imm_i(raw);
		break;
	case 0x6f:
		insn->id = rv64_raw_rd(raw) ? RV64_OP_jal_far : RV64_OP_j_far;
		insn->op.imm = imm_j(raw);
		break;
	}
}

static void decode_long(uint32_t raw, unsigned int isa, struct rv64_insn *insn)
{
	insn->id = RV64_OP_illegal;

	switch (raw & 0x7f) {
	case 0x03:
		insn->id = load_id(raw);
		insn->op.imm = imm_i(raw);
		break;
	case 0x23:
		insn->id = store_id(raw);
		insn->op.imm = imm_s(raw);
		break;
	case 0x07: case 0x27: case 0x43: case 0x47: case 0x4b: case 0x4f: case 0x53:
		if (isa & RV64_ISA_FD)
			decode_fp(raw, insn);
		break;
	case 0x0f:
		decode_fence(raw, insn);
		break;
	case 0x13:
		decode_imm(raw, insn, imm_id(raw));
		break;
	case 0x1b:
		decode_imm(raw, insn, imm32_id(raw));
		break;
	case 0x17:
		decode_upper(raw, insn, RV64_OP_auipc);
		break;
	case 0x37:
		decode_upper(raw, insn, RV64_OP_li);
		break;
	case 0x2f:
		insn->id = RV64_OP_amo;
		insn->op.imm = (int32_t)raw;
		break;
	case 0x33:
		decode_reg(insn, reg_id(raw));
		break;
	case 0x3b:
		decode_reg(insn, reg32_id(raw));
		break;
	case 0x63: case 0x67: case 0x6f:
		decode_flow(raw, insn);
		break;
	case 0x73:
		insn->id = RV64_OP_system;
		insn->op.imm = (int32_t)raw;
		break;
	case 0x0b: case 0x2b: case 0x5b: case 0x7b:
		decode_custom(raw, insn);
		break;
	}
}

/**
 * rv64_decode() - decode an instruction
 * @raw: its bits; the upper half is ignored if it is compressed
 * @isa: RV64_ISA_* flags
 * @insn: result; jumps and branches are in their _far form
 */
void rv64_decode(uint32_t raw, unsigned int isa, struct rv64_insn *insn)
{
	uint32_t full = raw;

	insn->len = 4;
	if ((raw & 3) != 3) {
		raw &= 0xffff;
		full = rv64_expand(raw);
		insn->len = 2;
	}

	insn->op = (struct rv64_op){
		.rd = rv64_raw_rd(full) ? rv64_raw_rd(full) : RV64_RD_SINK,
		.rs1 = rv64_raw_rs1(full),
		.rs2 = rv64_raw_rs2(full),
	};
	decode_long(full, isa, insn);
	if (insn->id == RV64_OP_illegal)
		insn->op.imm = (int32_t)raw;
}

/**
 * rv64_resolve_near() - make a jump or branch within its page a near one
 * @insn: a decoded instruction of any kind
 * @offset: of the instruction in its page
 */
void rv64_resolve_near(struct rv64_insn *insn, unsigned int offset)
{
	int64_t target = (int64_t)offset + insn->op.imm;
	enum rv64_op_id near;

	switch (insn->id) {
#define X_NEAR(name, ...)	case RV64_OP_##name##_far: near = RV64_OP_##name; break;
	RV64_BRANCH_BOTH(X_NEAR)
	RV64_BRANCH_LONG(X_NEAR)
	X_NEAR(j)
	X_NEAR(jal)
#undef X_NEAR
	default:
		return;
	}
	if (target < 0 || target >= (int64_t)RV64_PAGE_SIZE)
		return;
	insn->id = near;
	insn->op.imm *= (int32_t)sizeof(struct rv64_op) / 2;
}

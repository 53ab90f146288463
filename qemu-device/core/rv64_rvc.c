// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The C extension: each compressed instruction as the 32-bit one it stands for. Hints become
 * instructions that write x0; reserved encodings become 0, which is illegal.
 */
#include "rv64_internal.h"

#define OP_LOAD		0x03
#define OP_LOAD_FP	0x07
#define OP_IMM		0x13
#define OP_IMM_32	0x1b
#define OP_STORE	0x23
#define OP_STORE_FP	0x27
#define OP_OP		0x33
#define OP_LUI		0x37
#define OP_OP_32	0x3b
#define OP_BRANCH	0x63
#define OP_JALR		0x67
#define OP_JAL		0x6f

#define RAW_EBREAK	0x00100073
#define ALT		0x40000000	/* sub, sra */

static uint32_t r_type(uint32_t op, uint32_t f3, uint32_t rd, uint32_t rs1, uint32_t rs2)
{
	return rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t i_type(uint32_t op, uint32_t f3, uint32_t rd, uint32_t rs1, int32_t imm)
{
	return (uint32_t)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t s_type(uint32_t op, uint32_t f3, uint32_t rs1, uint32_t rs2, uint32_t imm)
{
	return rv64_bits(imm, 5, 7) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
	       rv64_bits(imm, 0, 5) << 7 | op;
}

static uint32_t b_type(uint32_t f3, uint32_t rs1, uint32_t imm)
{
	return rv64_bits(imm, 12, 1) << 31 | rv64_bits(imm, 5, 6) << 25 | rs1 << 15 | f3 << 12 |
	       rv64_bits(imm, 1, 4) << 8 | rv64_bits(imm, 11, 1) << 7 | OP_BRANCH;
}

static uint32_t jal(uint32_t rd, uint32_t imm)
{
	return rv64_bits(imm, 20, 1) << 31 | rv64_bits(imm, 1, 10) << 21 |
	       rv64_bits(imm, 11, 1) << 20 | rv64_bits(imm, 12, 8) << 12 | rd << 7 | OP_JAL;
}

static int32_t sext(uint32_t v, unsigned int bits)
{
	return (int32_t)(v << (32 - bits)) >> (32 - bits);
}

/* The three-bit register fields name x8..x15. */
static uint32_t reg_hi(uint32_t c)
{
	return 8 + rv64_bits(c, 7, 3);
}

static uint32_t reg_lo(uint32_t c)
{
	return 8 + rv64_bits(c, 2, 3);
}

static uint32_t reg_rd(uint32_t c)
{
	return rv64_bits(c, 7, 5);
}

static uint32_t reg_rs2(uint32_t c)
{
	return rv64_bits(c, 2, 5);
}

static int32_t imm6(uint32_t c)
{
	return sext(rv64_bits(c, 12, 1) << 5 | rv64_bits(c, 2, 5), 6);
}

static uint32_t shamt(uint32_t c)
{
	return rv64_bits(c, 12, 1) << 5 | rv64_bits(c, 2, 5);
}

static uint32_t off_w(uint32_t c)
{
	return rv64_bits(c, 10, 3) << 3 | rv64_bits(c, 6, 1) << 2 | rv64_bits(c, 5, 1) << 6;
}

static uint32_t off_d(uint32_t c)
{
	return rv64_bits(c, 10, 3) << 3 | rv64_bits(c, 5, 2) << 6;
}

static uint32_t expand_q0(uint32_t c)
{
	uint32_t imm;

	switch (rv64_bits(c, 13, 3)) {
	case 0:
		imm = rv64_bits(c, 11, 2) << 4 | rv64_bits(c, 7, 4) << 6 |
		      rv64_bits(c, 6, 1) << 2 | rv64_bits(c, 5, 1) << 3;
		return imm ? i_type(OP_IMM, 0, reg_lo(c), 2, imm) : 0;
	case 1:
		return i_type(OP_LOAD_FP, 3, reg_lo(c), reg_hi(c), off_d(c));
	case 2:
		return i_type(OP_LOAD, 2, reg_lo(c), reg_hi(c), off_w(c));
	case 3:
		return i_type(OP_LOAD, 3, reg_lo(c), reg_hi(c), off_d(c));
	case 5:
		return s_type(OP_STORE_FP, 3, reg_hi(c), reg_lo(c), off_d(c));
	case 6:
		return s_type(OP_STORE, 2, reg_hi(c), reg_lo(c), off_w(c));
	case 7:
		return s_type(OP_STORE, 3, reg_hi(c), reg_lo(c), off_d(c));
	}
	return 0;
}

/* srli, srai, andi, and the register forms on x8..x15. */
static uint32_t expand_alu(uint32_t c)
{
	uint32_t rd = reg_hi(c), rs2 = reg_lo(c);

	switch (rv64_bits(c, 10, 2)) {
	case 0:
		return i_type(OP_IMM, 5, rd, rd, shamt(c));
	case 1:
		return i_type(OP_IMM, 5, rd, rd, shamt(c)) | ALT;
	case 2:
		return i_type(OP_IMM, 7, rd, rd, imm6(c));
	}
	switch (rv64_bits(c, 12, 1) << 2 | rv64_bits(c, 5, 2)) {
	case 0:
		return r_type(OP_OP, 0, rd, rd, rs2) | ALT;
	case 1:
		return r_type(OP_OP, 4, rd, rd, rs2);
	case 2:
		return r_type(OP_OP, 6, rd, rd, rs2);
	case 3:
		return r_type(OP_OP, 7, rd, rd, rs2);
	case 4:
		return r_type(OP_OP_32, 0, rd, rd, rs2) | ALT;
	case 5:
		return r_type(OP_OP_32, 0, rd, rd, rs2);
	}
	return 0;
}

/* lui, or addi16sp when the register is sp. */
static uint32_t expand_lui(uint32_t c)
{
	int32_t imm;

	if (!shamt(c))
		return 0;
	if (reg_rd(c) != 2)
		return (uint32_t)imm6(c) << 12 | reg_rd(c) << 7 | OP_LUI;
	imm = sext(rv64_bits(c, 12, 1) << 9 | rv64_bits(c, 6, 1) << 4 |
		   rv64_bits(c, 5, 1) << 6 | rv64_bits(c, 3, 2) << 7 | rv64_bits(c, 2, 1) << 5, 10);
	return i_type(OP_IMM, 0, 2, 2, imm);
}

static uint32_t expand_j(uint32_t c)
{
	uint32_t imm = rv64_bits(c, 12, 1) << 11 | rv64_bits(c, 11, 1) << 4 |
		       rv64_bits(c, 9, 2) << 8 | rv64_bits(c, 8, 1) << 10 |
		       rv64_bits(c, 7, 1) << 6 | rv64_bits(c, 6, 1) << 7 |
		       rv64_bits(c, 3, 3) << 1 | rv64_bits(c, 2, 1) << 5;

	return jal(0, (uint32_t)sext(imm, 12));
}

static uint32_t expand_branch(uint32_t c, uint32_t funct3)
{
	uint32_t imm = rv64_bits(c, 12, 1) << 8 | rv64_bits(c, 10, 2) << 3 |
		       rv64_bits(c, 5, 2) << 6 | rv64_bits(c, 3, 2) << 1 |
		       rv64_bits(c, 2, 1) << 5;

	return b_type(funct3, reg_hi(c), (uint32_t)sext(imm, 9));
}

static uint32_t expand_q1(uint32_t c)
{
	switch (rv64_bits(c, 13, 3)) {
	case 0:
		return i_type(OP_IMM, 0, reg_rd(c), reg_rd(c), imm6(c));
	case 1:
		return reg_rd(c) ? i_type(OP_IMM_32, 0, reg_rd(c), reg_rd(c), imm6(c)) : 0;
	case 2:
		return i_type(OP_IMM, 0, reg_rd(c), 0, imm6(c));
	case 3:
		return expand_lui(c);
	case 4:
		return expand_alu(c);
	case 5:
		return expand_j(c);
	case 6:
		return expand_branch(c, 0);
	}
	return expand_branch(c, 1);
}

/* jr, mv, ebreak, jalr, add. */
static uint32_t expand_jr_mv_add(uint32_t c)
{
	uint32_t link = rv64_bits(c, 12, 1);

	if (reg_rs2(c))
		return r_type(OP_OP, 0, reg_rd(c), link ? reg_rd(c) : 0, reg_rs2(c));
	if (reg_rd(c))
		return i_type(OP_JALR, 0, link, reg_rd(c), 0);
	return link ? RAW_EBREAK : 0;
}

static uint32_t expand_q2(uint32_t c)
{
	uint32_t wsp = rv64_bits(c, 12, 1) << 5 | rv64_bits(c, 4, 3) << 2 | rv64_bits(c, 2, 2) << 6;
	uint32_t dsp = rv64_bits(c, 12, 1) << 5 | rv64_bits(c, 5, 2) << 3 | rv64_bits(c, 2, 3) << 6;
	uint32_t sdsp = rv64_bits(c, 10, 3) << 3 | rv64_bits(c, 7, 3) << 6;
	uint32_t swsp = rv64_bits(c, 9, 4) << 2 | rv64_bits(c, 7, 2) << 6;

	switch (rv64_bits(c, 13, 3)) {
	case 0:
		return i_type(OP_IMM, 1, reg_rd(c), reg_rd(c), shamt(c));
	case 1:
		return i_type(OP_LOAD_FP, 3, reg_rd(c), 2, dsp);
	case 2:
		return reg_rd(c) ? i_type(OP_LOAD, 2, reg_rd(c), 2, wsp) : 0;
	case 3:
		return reg_rd(c) ? i_type(OP_LOAD, 3, reg_rd(c), 2, dsp) : 0;
	case 4:
		return expand_jr_mv_add(c);
	case 5:
		return s_type(OP_STORE_FP, 3, 2, reg_rs2(c), sdsp);
	case 6:
		return s_type(OP_STORE, 2, 2, reg_rs2(c), swsp);
	}
	return s_type(OP_STORE, 3, 2, reg_rs2(c), sdsp);
}

/**
 * rv64_expand() - the 32-bit form of a compressed instruction
 * @raw: the instruction; its low two bits are not 3
 *
 * Return: the 32-bit instruction, or 0 for a reserved encoding.
 */
uint32_t rv64_expand(uint16_t raw)
{
	switch (raw & 3) {
	case 0:
		return expand_q0(raw);
	case 1:
		return expand_q1(raw);
	}
	return expand_q2(raw);
}

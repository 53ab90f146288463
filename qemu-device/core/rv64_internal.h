/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the RISC-V interpreter.
 *
 * Code is decoded a page at a time into one struct rv64_op for each halfword, so that pc and op
 * are functions of each other, a branch within a page is an addition, and a jump to any halfword
 * finds its own decoding. Ops are decoded when first reached.
 */
#ifndef RV64_INTERNAL_H
#define RV64_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "rv64.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the interpreter accesses guest memory in host byte order: little-endian hosts only"
#endif

#define rv64_likely(c)		__builtin_expect(!!(c), 1)
#define rv64_unlikely(c)	__builtin_expect(!!(c), 0)

#define RV64_PAGE_SLOTS		(RV64_PAGE_SIZE / 2)
#define RV64_PAGE_WORDS		(RV64_PAGE_SIZE / 8)
#define RV64_PAIR_SLOTS		4	/* of two instructions */
#define RV64_TLB_INVALID	(~0ull)
#define RV64_RD_SINK		32	/* x register number that takes writes to x0 */

/* Bits of rv64_cpu::attention. */
#define RV64_ATTN_EXIT		0x1
#define RV64_ATTN_IRQ		0x2
#define RV64_ATTN_FLUSH_TLB	0x4
#define RV64_ATTN_FLUSH_CODE	0x8
#define RV64_ATTN_CHECK_CODE	0x10

/* Fields of mstatus. */
#define RV64_MSTATUS_MIE	0x8ull
#define RV64_MSTATUS_MPIE	0x80ull
#define RV64_MSTATUS_MPP	0x1800ull
#define RV64_MSTATUS_FS		0x6000ull
#define RV64_MSTATUS_SD		(1ull << 63)

/* What the instructions do that are also halves of superinstructions */
#define RV64_DO_li		IMM
#define RV64_DO_addi		RS1 + IMM
#define RV64_DO_addiw		(int32_t)(RS1 + IMM)
#define RV64_DO_slli		RS1 << IMM
#define RV64_DO_srli		RS1 >> IMM
#define RV64_DO_andi		RS1 & IMM
#define RV64_DO_add		RS1 + RS2
#define RV64_DO_addw		(int32_t)(RS1 + RS2)
#define RV64_DO_auipc		PC() + IMM
#define RV64_IF_beq		RS1 == RS2
#define RV64_IF_bne		RS1 != RS2
#define RV64_IF_blt		(int64_t)RS1 < (int64_t)RS2
#define RV64_IF_bge		(int64_t)RS1 >= (int64_t)RS2
#define RV64_IF_bltu		RS1 < RS2
#define RV64_IF_bgeu		RS1 >= RS2

/*
 * Superinstructions, by pairs that compilers emit: two results, or a result and a near branch.
 * LONG are those whose first (ALU) or second (BRANCH) half has no compressed form.
 */
#define RV64_FUSED_ALU_BOTH(X)					\
	X(addi, addi)						\
	X(addi, addiw)						\
	X(addi, add)						\
	X(addiw, add)						\
	X(addiw, addi)						\
	X(addw, add)						\
	X(slli, srli)						\
	X(slli, add)						\
	X(add, add)						\
	X(add, slli)						\
	X(li, addi)						\
	X(li, addiw)
#define RV64_FUSED_ALU_LONG(X)					\
	X(auipc, addi)
#define RV64_FUSED_BRANCH_BOTH(X)				\
	X(addi, beq)						\
	X(addi, bne)						\
	X(addiw, beq)						\
	X(addiw, bne)						\
	X(add, bne)						\
	X(andi, beq)						\
	X(andi, bne)						\
	X(li, beq)						\
	X(li, bne)
#define RV64_FUSED_BRANCH_LONG(X)				\
	X(addi, blt)						\
	X(addi, bltu)						\
	X(addi, bge)						\
	X(addi, bgeu)						\
	X(addiw, blt)						\
	X(addiw, bge)						\
	X(add, blt)						\
	X(add, bltu)						\
	X(add, bgeu)						\
	X(li, bltu)						\
	X(li, bgeu)

/* Register-register and register-immediate instructions that have a compressed form. */
#define RV64_ALU_BOTH(X)					\
	X(nop, 0)						\
	X(li, RV64_DO_li)					\
	X(mv, RS2)						\
	X(addi, RV64_DO_addi)					\
	X(addiw, RV64_DO_addiw)					\
	X(slli, RV64_DO_slli)					\
	X(srli, RV64_DO_srli)					\
	X(srai, (int64_t)RS1 >> IMM)				\
	X(andi, RV64_DO_andi)					\
	X(add, RV64_DO_add)					\
	X(sub, RS1 - RS2)					\
	X(xor, RS1 ^ RS2)					\
	X(or, RS1 | RS2)					\
	X(and, RS1 & RS2)					\
	X(addw, RV64_DO_addw)					\
	X(subw, (int32_t)(RS1 - RS2))

/* Those that do not. */
#define RV64_ALU_LONG(X)					\
	X(auipc, RV64_DO_auipc)					\
	X(slti, (int64_t)RS1 < (int64_t)IMM)			\
	X(sltiu, RS1 < IMM)					\
	X(xori, RS1 ^ IMM)					\
	X(ori, RS1 | IMM)					\
	X(slliw, (int32_t)((uint32_t)RS1 << IMM))		\
	X(srliw, (int32_t)((uint32_t)RS1 >> IMM))		\
	X(sraiw, (int32_t)RS1 >> IMM)				\
	X(sll, RS1 << (RS2 & 63))				\
	X(slt, (int64_t)RS1 < (int64_t)RS2)			\
	X(sltu, RS1 < RS2)					\
	X(srl, RS1 >> (RS2 & 63))				\
	X(sra, (int64_t)RS1 >> (RS2 & 63))			\
	X(sllw, (int32_t)((uint32_t)RS1 << (RS2 & 31)))		\
	X(srlw, (int32_t)((uint32_t)RS1 >> (RS2 & 31)))		\
	X(sraw, (int32_t)RS1 >> (RS2 & 31))			\
	X(mul, RS1 * RS2)					\
	X(mulh, rv64_mulh(RS1, RS2))				\
	X(mulhsu, rv64_mulhsu(RS1, RS2))			\
	X(mulhu, rv64_mulhu(RS1, RS2))				\
	X(div, rv64_div(RS1, RS2))				\
	X(divu, RS2 ? RS1 / RS2 : ~0ull)			\
	X(rem, rv64_rem(RS1, RS2))				\
	X(remu, RS2 ? RS1 % RS2 : RS1)				\
	X(mulw, (int32_t)(RS1 * RS2))				\
	X(divw, rv64_divw(RS1, RS2))				\
	X(divuw, rv64_divuw(RS1, RS2))				\
	X(remw, rv64_remw(RS1, RS2))				\
	X(remuw, rv64_remuw(RS1, RS2))

/* Integer loads and stores: name, type in the register, type in memory. */
#define RV64_LOAD_BOTH(X)					\
	X(lw, int32_t, uint32_t)				\
	X(ld, uint64_t, uint64_t)
#define RV64_LOAD_LONG(X)					\
	X(lb, int8_t, uint8_t)					\
	X(lh, int16_t, uint16_t)				\
	X(lbu, uint8_t, uint8_t)				\
	X(lhu, uint16_t, uint16_t)				\
	X(lwu, uint32_t, uint32_t)
#define RV64_STORE_BOTH(X)					\
	X(sw, uint32_t, uint32_t)				\
	X(sd, uint64_t, uint64_t)
#define RV64_STORE_LONG(X)					\
	X(sb, uint8_t, uint8_t)					\
	X(sh, uint16_t, uint16_t)

/* Branches: each has a form for a target in the same page, and a _far one. */
#define RV64_BRANCH_BOTH(X)					\
	X(beq, RV64_IF_beq)					\
	X(bne, RV64_IF_bne)
#define RV64_BRANCH_LONG(X)					\
	X(blt, RV64_IF_blt)					\
	X(bge, RV64_IF_bge)					\
	X(bltu, RV64_IF_bltu)					\
	X(bgeu, RV64_IF_bgeu)

/* Arithmetic worth a path of its own; all other floating point is RV64_OP_fp. */
#define RV64_FP_FAST(X)						\
	X(fadd_s) X(fsub_s) X(fmul_s)				\
	X(fadd_d) X(fsub_d) X(fmul_d)				\
	X(fcvt_w_s) X(fcvt_wu_s) X(fcvt_l_s) X(fcvt_lu_s)	\
	X(fcvt_w_d) X(fcvt_wu_d) X(fcvt_l_d) X(fcvt_lu_d)	\
	X(fcvt_s_w) X(fcvt_s_wu) X(fcvt_s_l) X(fcvt_s_lu)	\
	X(fcvt_d_w) X(fcvt_d_wu) X(fcvt_d_l) X(fcvt_d_lu)

#define RV64_MISC_BOTH(X)					\
	X(fld) X(fsd) X(j) X(j_far) X(jalr) X(system) X(illegal)
#define RV64_MISC_LONG(X)					\
	X(flw) X(fsw) X(jal) X(jal_far) X(fence) X(amo) X(fp) X(custom)
#define RV64_MISC_INTERNAL(X)					\
	X(decode) X(straddle) X(page_end) X(breakpoint)

enum rv64_op_id {
#define X_ID(name, ...)		RV64_OP_##name,
#define X_BRANCH_ID(name, ...)	RV64_OP_##name, RV64_OP_##name##_far,
	RV64_ALU_BOTH(X_ID)
	RV64_ALU_LONG(X_ID)
	RV64_LOAD_BOTH(X_ID)
	RV64_LOAD_LONG(X_ID)
	RV64_STORE_BOTH(X_ID)
	RV64_STORE_LONG(X_ID)
	RV64_BRANCH_BOTH(X_BRANCH_ID)
	RV64_BRANCH_LONG(X_BRANCH_ID)
	RV64_FP_FAST(X_ID)
	RV64_MISC_BOTH(X_ID)
	RV64_MISC_LONG(X_ID)
	RV64_MISC_INTERNAL(X_ID)
#undef X_ID
#undef X_BRANCH_ID
	RV64_NR_OPS
};

/**
 * struct rv64_op - a decoded instruction, as executed
 * @fn: label of its handler
 * @rd: destination; RV64_RD_SINK for x0
 * @rs1: first source register
 * @rs2: second source register
 * @aux: rounding mode of RV64_FP_FAST
 * @imm: immediate; byte distance in ops for near branches; raw bits for slow instructions
 * @custom: the operands of a custom instruction
 */
struct rv64_op {
	const void *fn;
	union {
		struct {
			uint8_t rd, rs1, rs2, aux;
			int32_t imm;
		};
		struct rv64_custom custom;
	};
};

_Static_assert(sizeof(struct rv64_op) == 16, "pc and op are related by this size");

/**
 * struct rv64_insn - what the decoder makes of an instruction
 * @op: operands; op.fn is the caller's to fill in
 * @id: which instruction
 * @len: 2 or 4
 */
struct rv64_insn {
	struct rv64_op op;
	enum rv64_op_id id;
	unsigned int len;
};

/**
 * struct rv64_page - a decoded page
 * @host: where the code is
 * @used: code_clock when last looked up
 * @current: nobody has doubted since that it is what @host has
 * @code: what @host had, and @ops are decoded from
 * @ops: one for each halfword, and one that leads to the next page
 */
struct rv64_page {
	const uint8_t *host;
	uint64_t used;
	bool current;
	union {
		uint16_t halfwords[RV64_PAGE_SLOTS];
		uint64_t words[RV64_PAGE_WORDS];
	} code;
	struct rv64_op ops[RV64_PAGE_SLOTS + 1] __attribute__((aligned(16)));
};

/**
 * enum rv64_status - how a slow instruction ended
 * @RV64_NEXT: retired; go on with the next
 * @RV64_JUMP: retired; go on at cpu->pc, which may be in changed code
 * @RV64_TRAPPED: not retired; cpu->pc is the trap handler
 * @RV64_STOPPED: not retired; cpu->stop is filled in
 * @RV64_STOPPED_RETIRED: retired; cpu->stop is filled in
 */
enum rv64_status {
	RV64_NEXT,
	RV64_JUMP,
	RV64_TRAPPED,
	RV64_STOPPED,
	RV64_STOPPED_RETIRED,
};

static inline uint32_t rv64_bits(uint32_t raw, unsigned int lo, unsigned int n)
{
	return raw >> lo & ((1u << n) - 1);
}

static inline uint32_t rv64_raw_rd(uint32_t raw)
{
	return rv64_bits(raw, 7, 5);
}

static inline uint32_t rv64_raw_rs1(uint32_t raw)
{
	return rv64_bits(raw, 15, 5);
}

static inline uint32_t rv64_raw_rs2(uint32_t raw)
{
	return rv64_bits(raw, 20, 5);
}

static inline uint32_t rv64_raw_funct3(uint32_t raw)
{
	return rv64_bits(raw, 12, 3);
}

static inline void rv64_set_x(struct rv64_cpu *cpu, unsigned int rd, uint64_t val)
{
	cpu->x[rd ? rd : RV64_RD_SINK] = val;
}

/* The decoded page of @pc, if it is at hand */
static inline bool rv64_code_hit(struct rv64_cpu *cpu, uint64_t pc, struct rv64_page **page)
{
	struct rv64_xtlb_entry *e = &cpu->xtlb[pc >> RV64_PAGE_SHIFT & (RV64_XTLB_ENTRIES - 1)];

	if (rv64_unlikely(e->tag != (pc & RV64_PAGE_MASK)))
		return false;
	*page = e->page;
	e->page->used = ++cpu->code_clock;
	return true;
}

/* rv64_decode.c */
void rv64_decode(uint32_t raw, unsigned int isa, struct rv64_insn *insn);
void rv64_resolve_near(struct rv64_insn *insn, unsigned int offset);

/* rv64_rvc.c */
uint32_t rv64_expand(uint16_t raw);

/* rv64_code.c */
enum rv64_status rv64_code_find(struct rv64_cpu *cpu, uint64_t pc, struct rv64_page **page);
void rv64_code_renew(struct rv64_page *page, unsigned int slot);
void rv64_code_doubt(struct rv64_cpu *cpu);
void rv64_code_drop(struct rv64_cpu *cpu);
void rv64_code_free(struct rv64_cpu *cpu);

/* rv64_interp.c */
const void *rv64_label(enum rv64_op_id id, unsigned int len);

/* rv64_mem.c */
void rv64_tlb_drop(struct rv64_cpu *cpu);
enum rv64_status rv64_load(struct rv64_cpu *cpu, uint64_t addr, unsigned int size, uint64_t *val);
enum rv64_status rv64_store(struct rv64_cpu *cpu, uint64_t addr, unsigned int size, uint64_t val);
enum rv64_status rv64_atomic_page(struct rv64_cpu *cpu, uint64_t addr, unsigned int size,
				  enum rv64_access access, void **host);

/* rv64_amo.c */
enum rv64_status rv64_amo(struct rv64_cpu *cpu, uint32_t raw);

/* rv64_trap.c */
enum rv64_status rv64_illegal(struct rv64_cpu *cpu, uint32_t raw);
enum rv64_status rv64_misaligned(struct rv64_cpu *cpu, uint64_t addr, enum rv64_access access);
enum rv64_status rv64_fault(struct rv64_cpu *cpu, uint64_t addr, enum rv64_access access, int code);
enum rv64_status rv64_ecall(struct rv64_cpu *cpu);
enum rv64_status rv64_ebreak(struct rv64_cpu *cpu);
enum rv64_status rv64_stopped(struct rv64_cpu *cpu, enum rv64_stop reason, uint64_t tval, int code);
void rv64_take_irq(struct rv64_cpu *cpu);

/* rv64_system.c */
enum rv64_status rv64_system(struct rv64_cpu *cpu, uint32_t raw);

/* rv64_custom.c */
enum rv64_status rv64_custom_exec(struct rv64_cpu *cpu, const struct rv64_custom *insn);

/* rv64_fp.c */
enum rv64_status rv64_fp(struct rv64_cpu *cpu, uint32_t raw);

#endif /* RV64_INTERNAL_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels by hand: scalar and tile instructions, one by one, and the constants that they take. */
#ifndef TESTPROG_H
#define TESTPROG_H

#include <stdlib.h>
#include <string.h>

#include "testhost.h"

#define PROG_CODE 512
#define PROG_VALUES 250
#define PROG_OPERANDS 20 /* the first of four registers */

/**
 * struct prog - a kernel
 * @values: constants, from a table at a0
 * @count: instructions
 * @used: values
 */
struct prog {
	uint32_t code[PROG_CODE];
	uint64_t values[PROG_VALUES];
	unsigned int count, used;
};

static inline void emit(struct prog *p, uint32_t insn)
{
	if (p->count == PROG_CODE)
		abort();
	p->code[p->count++] = insn;
}

/* One instruction */
static inline void load(struct prog *p, unsigned int reg, uint64_t value)
{
	if (p->used == PROG_VALUES)
		abort();
	emit(p, RV_LD(reg, RV_A0, 8 * p->used));
	p->values[p->used++] = value;
}

/* Four instructions */
static inline void operands(struct prog *p, uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	load(p, PROG_OPERANDS, rd);
	load(p, PROG_OPERANDS + 1, rs1);
	load(p, PROG_OPERANDS + 2, rs2);
	load(p, PROG_OPERANDS + 3, rs3);
}

/* One instruction, with the operands that are there */
static inline void again(struct prog *p, unsigned int major, unsigned int funct3)
{
	emit(p, RV_CUSTOM(major, funct3, PROG_OPERANDS, PROG_OPERANDS + 1, PROG_OPERANDS + 2,
			  PROG_OPERANDS + 3));
}

/* Five */
static inline void tile(struct prog *p, unsigned int major, unsigned int funct3, uint64_t rd,
			uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	operands(p, rd, rs1, rs2, rs3);
	again(p, major, funct3);
}

/* One row */
static inline void copy(struct prog *p, uint64_t dst, uint64_t src, uint32_t bytes)
{
	tile(p, 0, NPU_MTE_COPY, dst, src,
	     NPU_PREP(NPU_COPY_ROW_BYTES, bytes) | NPU_PREP(NPU_COPY_ROWS, 1ULL), 0);
}

/* It ends here: a command of so many blocks. */
static inline struct npu_cmd kernel(struct th_rig *r, struct prog *p, uint32_t blocks)
{
	uint64_t code, values;
	void *host;

	emit(p, RV_ECALL);
	code = th_code(r->s, p->code, p->count);
	values = th_alloc(r->s, sizeof(p->values), &host);
	memcpy(host, p->values, sizeof(p->values));
	return th_kernel(code, values, blocks);
}

#endif /* TESTPROG_H */

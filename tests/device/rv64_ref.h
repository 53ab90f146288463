/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A naive RISC-V interpreter of integer code (RV64IMAC), to compare the real one with: it decodes
 * at each step, compressed instructions by themselves, and knows one thread and one flat memory.
 */
#ifndef RV64_REF_H
#define RV64_REF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum ref_result { REF_OK, REF_ILLEGAL, REF_FAULT, REF_MISALIGNED, REF_ECALL, REF_EBREAK };

struct ref {
	uint64_t x[32], pc;
	uint64_t base, size;	/* of memory */
	uint64_t text;		/* how much of it, from base on, may be executed */
	uint8_t *mem;
	uint64_t lr_addr, lr_val;
	int lr_size;		/* 0: no reservation */
	uint64_t tval;
};

static bool ref_in(const struct ref *r, uint64_t addr, unsigned int size)
{
	return addr >= r->base && addr - r->base <= r->size - size;
}

static uint64_t ref_get(const struct ref *r, uint64_t addr, unsigned int size)
{
	uint64_t v = 0;

	memcpy(&v, r->mem + (addr - r->base), size);
	return v;
}

static int64_t ref_sx(uint64_t v, unsigned int bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static uint32_t ref_field(uint32_t v, unsigned int hi, unsigned int lo)
{
	return v >> lo & ((2u << (hi - lo)) - 1);
}

static void ref_set(struct ref *r, unsigned int rd, uint64_t v)
{
	if (rd)
		r->x[rd] = v;
}

static enum ref_result ref_load(struct ref *r, unsigned int rd, uint64_t addr, unsigned int f3)
{
	unsigned int size = 1u << (f3 & 3);
	uint64_t v;

	if (f3 == 7)
		return REF_ILLEGAL;
	if (!ref_in(r, addr, size))
		return REF_FAULT;
	v = ref_get(r, addr, size);
	ref_set(r, rd, f3 & 4 ? v : (uint64_t)ref_sx(v, 8 * size));
	return REF_OK;
}

static enum ref_result ref_store(struct ref *r, uint64_t addr, uint64_t v, unsigned int size)
{
	if (!ref_in(r, addr, size))
		return REF_FAULT;
	memcpy(r->mem + (addr - r->base), &v, size);
	return REF_OK;
}

static bool ref_alu(unsigned int f3, bool alt, uint64_t a, uint64_t b, uint64_t *v)
{
	if (alt && f3 != 0 && f3 != 5)
		return false;
	switch (f3) {
	case 0: *v = alt ? a - b : a + b; break;
	case 1: *v = a << (b & 63); break;
	case 2: *v = (int64_t)a < (int64_t)b; break;
	case 3: *v = a < b; break;
	case 4: *v = a ^ b; break;
	case 5: *v = alt ? (uint64_t)((int64_t)a >> (b & 63)) : a >> (b & 63); break;
	case 6: *v = a | b; break;
	default: *v = a & b; break;
	}
	return true;
}

static bool ref_alu32(unsigned int f3, bool alt, uint32_t a, uint32_t b, uint64_t *v)
{
	uint32_t r;

	if (f3 == 0)
		r = alt ? a - b : a + b;
	else if (f3 == 1 && !alt)
		r = a << (b & 31);
	else if (f3 == 5)
		r = alt ? (uint32_t)((int32_t)a >> (b & 31)) : a >> (b & 31);
	else
		return false;
	*v = (uint64_t)ref_sx(r, 32);
	return true;
}

static uint64_t ref_muldiv(unsigned int f3, uint64_t a, uint64_t b)
{
	__int128 sa = (int64_t)a, sb = (int64_t)b;
	unsigned __int128 ua = a, ub = b;

	switch (f3) {
	case 0: return (uint64_t)(sa * sb);
	case 1: return (uint64_t)((sa * sb) >> 64);
	case 2: return (uint64_t)((sa * (__int128)ub) >> 64);
	case 3: return (uint64_t)((ua * ub) >> 64);
	case 4: return b ? (uint64_t)(sa / sb) : ~0ull;
	case 5: return b ? a / b : ~0ull;
	case 6: return b ? (uint64_t)(sa % sb) : a;
	default: return b ? a % b : a;
	}
}

static bool ref_muldiv32(unsigned int f3, uint64_t a, uint64_t b, uint64_t *v)
{
	int64_t sa = ref_sx(a, 32), sb = ref_sx(b, 32), r;
	uint64_t ua = a & 0xffffffff, ub = b & 0xffffffff;

	switch (f3) {
	case 0: r = sa * sb; break;
	case 4: r = sb ? sa / sb : -1; break;
	case 5: r = ub ? (int64_t)(ua / ub) : -1; break;
	case 6: r = sb ? sa % sb : sa; break;
	case 7: r = ub ? (int64_t)(ua % ub) : (int64_t)ua; break;
	default: return false;
	}
	*v = (uint64_t)ref_sx((uint64_t)r, 32);
	return true;
}

static bool ref_taken(unsigned int f3, uint64_t a, uint64_t b)
{
	switch (f3) {
	case 0: return a == b;
	case 1: return a != b;
	case 4: return (int64_t)a < (int64_t)b;
	case 5: return (int64_t)a >= (int64_t)b;
	case 6: return a < b;
	default: return a >= b;
	}
}

static enum ref_result ref_amo(struct ref *r, uint32_t in, uint64_t a, uint64_t b)
{
	unsigned int f5 = in >> 27, f3 = ref_field(in, 14, 12), rd = ref_field(in, 11, 7);
	unsigned int size = f3 == 2 ? 4 : 8;
	uint64_t old, v;
	int64_t so, sb;
	bool hit;

	if ((f3 != 2 && f3 != 3) || (f5 == 2 && ref_field(in, 24, 20)))
		return REF_ILLEGAL;
	if (f5 > 4 && f5 != 8 && f5 != 12 && f5 != 16 && f5 != 20 && f5 != 24 && f5 != 28)
		return REF_ILLEGAL;
	if (a % size)
		return REF_MISALIGNED;
	if (!ref_in(r, a, size))
		return REF_FAULT;
	old = ref_get(r, a, size);
	so = ref_sx(old, 8 * size);
	sb = ref_sx(b, 8 * size);
	if (f5 == 2) {
		r->lr_addr = a;
		r->lr_val = old;
		r->lr_size = size;
		ref_set(r, rd, so);
		return REF_OK;
	}
	if (f5 == 3) {
		hit = r->lr_size == (int)size && r->lr_addr == a && r->lr_val == old;
		r->lr_size = 0;
		if (hit)
			ref_store(r, a, b, size);
		ref_set(r, rd, !hit);
		return REF_OK;
	}
	switch (f5) {
	case 0: v = old + b; break;
	case 1: v = b; break;
	case 4: v = old ^ b; break;
	case 8: v = old | b; break;
	case 12: v = old & b; break;
	case 16: v = so < sb ? so : sb; break;
	case 20: v = so > sb ? so : sb; break;
	case 24: v = (uint64_t)so < (uint64_t)sb ? so : sb; break;
	default: v = (uint64_t)so > (uint64_t)sb ? so : sb; break;
	}
	ref_store(r, a, v, size);
	ref_set(r, rd, so);
	return REF_OK;
}

static enum ref_result ref_op_imm(struct ref *r, uint32_t in, uint64_t a, bool word)
{
	unsigned int f3 = ref_field(in, 14, 12), rd = ref_field(in, 11, 7);
	bool shift = (f3 & 3) == 1, alt = shift && in >> 30 & 1;
	uint64_t imm = (uint64_t)ref_sx(in >> 20, 12), v;

	if (shift && (in & (word ? 0xbe000000 : 0xbc000000)))
		return REF_ILLEGAL;
	if (word ? !ref_alu32(f3, alt, a, imm, &v) : !ref_alu(f3, alt, a, imm, &v))
		return REF_ILLEGAL;
	ref_set(r, rd, v);
	return REF_OK;
}

static enum ref_result ref_op(struct ref *r, uint32_t in, uint64_t a, uint64_t b, bool word)
{
	unsigned int f3 = ref_field(in, 14, 12), f7 = in >> 25;
	bool good = true;
	uint64_t v = 0;

	if (f7 == 1 && word)
		good = ref_muldiv32(f3, a, b, &v);
	else if (f7 == 1)
		v = ref_muldiv(f3, a, b);
	else if (f7 == 0 || f7 == 0x20)
		good = word ? ref_alu32(f3, f7, a, b, &v) : ref_alu(f3, f7, a, b, &v);
	else
		good = false;
	if (!good)
		return REF_ILLEGAL;
	ref_set(r, ref_field(in, 11, 7), v);
	return REF_OK;
}

static enum ref_result ref_long(struct ref *r, uint32_t in, uint64_t *next)
{
	unsigned int rd = ref_field(in, 11, 7), f3 = ref_field(in, 14, 12);
	uint64_t a = r->x[ref_field(in, 19, 15)], b = r->x[ref_field(in, 24, 20)];
	uint64_t imm_i = (uint64_t)ref_sx(in >> 20, 12);
	uint64_t imm_s = (uint64_t)ref_sx(ref_field(in, 31, 25) << 5 | rd, 12);
	uint64_t imm_b = (uint64_t)ref_sx(ref_field(in, 31, 31) << 12 |
					  ref_field(in, 7, 7) << 11 | ref_field(in, 30, 25) << 5 |
					  ref_field(in, 11, 8) << 1, 13);
	uint64_t imm_j = (uint64_t)ref_sx(ref_field(in, 31, 31) << 20 |
					  ref_field(in, 19, 12) << 12 |
					  ref_field(in, 20, 20) << 11 |
					  ref_field(in, 30, 21) << 1, 21);
	uint64_t imm_u = (uint64_t)ref_sx(in & 0xfffff000, 32);

	switch (in & 0x7f) {
	case 0x03:
		r->tval = a + imm_i;
		return ref_load(r, rd, a + imm_i, f3);
	case 0x0f:
		return f3 > 1 ? REF_ILLEGAL : REF_OK;
	case 0x13:
		return ref_op_imm(r, in, a, false);
	case 0x1b:
		return ref_op_imm(r, in, a, true);
	case 0x17:
		ref_set(r, rd, r->pc + imm_u);
		return REF_OK;
	case 0x37:
		ref_set(r, rd, imm_u);
		return REF_OK;
	case 0x23:
		r->tval = a + imm_s;
		return f3 > 3 ? REF_ILLEGAL : ref_store(r, a + imm_s, b, 1u << f3);
	case 0x2f:
		r->tval = a;
		return ref_amo(r, in, a, b);
	case 0x33:
		return ref_op(r, in, a, b, false);
	case 0x3b:
		return ref_op(r, in, a, b, true);
	case 0x63:
		if (f3 == 2 || f3 == 3)
			return REF_ILLEGAL;
		if (ref_taken(f3, a, b))
			*next = r->pc + imm_b;
		return REF_OK;
	case 0x67:
		if (f3)
			return REF_ILLEGAL;
		ref_set(r, rd, *next);
		*next = (a + imm_i) & ~1ull;
		return REF_OK;
	case 0x6f:
		ref_set(r, rd, *next);
		*next = r->pc + imm_j;
		return REF_OK;
	case 0x73:
		return in == 0x73 ? REF_ECALL : in == 0x00100073 ? REF_EBREAK : REF_ILLEGAL;
	}
	return REF_ILLEGAL;
}

static enum ref_result ref_q0(struct ref *r, uint32_t c)
{
	unsigned int rs1 = 8 + ref_field(c, 9, 7), rd = 8 + ref_field(c, 4, 2);
	uint64_t w = r->x[rs1] + (ref_field(c, 12, 10) << 3 | ref_field(c, 6, 6) << 2 |
				  ref_field(c, 5, 5) << 6);
	uint64_t d = r->x[rs1] + (ref_field(c, 12, 10) << 3 | ref_field(c, 6, 5) << 6);
	uint64_t sp = ref_field(c, 12, 11) << 4 | ref_field(c, 10, 7) << 6 |
		      ref_field(c, 6, 6) << 2 | ref_field(c, 5, 5) << 3;

	switch (c >> 13) {
	case 0:
		if (!sp)
			return REF_ILLEGAL;
		ref_set(r, rd, r->x[2] + sp);
		return REF_OK;
	case 2:
		r->tval = w;
		return ref_load(r, rd, w, 2);
	case 3:
		r->tval = d;
		return ref_load(r, rd, d, 3);
	case 6:
		r->tval = w;
		return ref_store(r, w, r->x[rd], 4);
	case 7:
		r->tval = d;
		return ref_store(r, d, r->x[rd], 8);
	}
	return REF_ILLEGAL;
}

static enum ref_result ref_q1_alu(struct ref *r, uint32_t c)
{
	unsigned int rd = 8 + ref_field(c, 9, 7);
	uint64_t a = r->x[rd], b = r->x[8 + ref_field(c, 4, 2)], v;
	uint64_t imm = (uint64_t)ref_sx(ref_field(c, 12, 12) << 5 | ref_field(c, 6, 2), 6);

	switch (ref_field(c, 11, 10)) {
	case 0: v = a >> (imm & 63); break;
	case 1: v = (uint64_t)((int64_t)a >> (imm & 63)); break;
	case 2: v = a & imm; break;
	default:
		switch (ref_field(c, 12, 12) << 2 | ref_field(c, 6, 5)) {
		case 0: v = a - b; break;
		case 1: v = a ^ b; break;
		case 2: v = a | b; break;
		case 3: v = a & b; break;
		case 4: v = (uint64_t)ref_sx(a - b, 32); break;
		case 5: v = (uint64_t)ref_sx(a + b, 32); break;
		default: return REF_ILLEGAL;
		}
	}
	r->x[rd] = v;
	return REF_OK;
}

static enum ref_result ref_q1(struct ref *r, uint32_t c, uint64_t *next)
{
	unsigned int rd = ref_field(c, 11, 7);
	uint64_t imm = (uint64_t)ref_sx(ref_field(c, 12, 12) << 5 | ref_field(c, 6, 2), 6);
	uint64_t sp = (uint64_t)ref_sx(ref_field(c, 12, 12) << 9 | ref_field(c, 6, 6) << 4 |
				       ref_field(c, 5, 5) << 6 | ref_field(c, 4, 3) << 7 |
				       ref_field(c, 2, 2) << 5, 10);
	uint64_t j = (uint64_t)ref_sx(ref_field(c, 12, 12) << 11 | ref_field(c, 11, 11) << 4 |
				      ref_field(c, 10, 9) << 8 | ref_field(c, 8, 8) << 10 |
				      ref_field(c, 7, 7) << 6 | ref_field(c, 6, 6) << 7 |
				      ref_field(c, 5, 3) << 1 | ref_field(c, 2, 2) << 5, 12);
	uint64_t b = (uint64_t)ref_sx(ref_field(c, 12, 12) << 8 | ref_field(c, 11, 10) << 3 |
				      ref_field(c, 6, 5) << 6 | ref_field(c, 4, 3) << 1 |
				      ref_field(c, 2, 2) << 5, 9);

	switch (c >> 13) {
	case 0:
		ref_set(r, rd, r->x[rd] + imm);
		return REF_OK;
	case 1:
		ref_set(r, rd, (uint64_t)ref_sx(r->x[rd] + imm, 32));
		return rd ? REF_OK : REF_ILLEGAL;
	case 2:
		ref_set(r, rd, imm);
		return REF_OK;
	case 3:
		if (!imm)
			return REF_ILLEGAL;
		ref_set(r, rd, rd == 2 ? r->x[2] + sp : imm << 12);
		return REF_OK;
	case 4:
		return ref_q1_alu(r, c);
	case 5:
		*next = r->pc + j;
		return REF_OK;
	}
	if (!r->x[8 + ref_field(c, 9, 7)] == (c >> 13 == 6))
		*next = r->pc + b;
	return REF_OK;
}

static enum ref_result ref_q2(struct ref *r, uint32_t c, uint64_t *next)
{
	unsigned int rd = ref_field(c, 11, 7), rs2 = ref_field(c, 6, 2);
	uint64_t lw = r->x[2] + (ref_field(c, 12, 12) << 5 | ref_field(c, 6, 4) << 2 |
				 ref_field(c, 3, 2) << 6);
	uint64_t ld = r->x[2] + (ref_field(c, 12, 12) << 5 | ref_field(c, 6, 5) << 3 |
				 ref_field(c, 4, 2) << 6);
	uint64_t sw = r->x[2] + (ref_field(c, 12, 9) << 2 | ref_field(c, 8, 7) << 6);
	uint64_t sd = r->x[2] + (ref_field(c, 12, 10) << 3 | ref_field(c, 9, 7) << 6);
	uint64_t to = r->x[rd] & ~1ull;
	bool high = c >> 12 & 1;

	switch (c >> 13) {
	case 0:
		ref_set(r, rd, r->x[rd] << (high << 5 | rs2));
		return REF_OK;
	case 2:
		r->tval = lw;
		return rd ? ref_load(r, rd, lw, 2) : REF_ILLEGAL;
	case 3:
		r->tval = ld;
		return rd ? ref_load(r, rd, ld, 3) : REF_ILLEGAL;
	case 4:
		if (rs2) {
			ref_set(r, rd, (high ? r->x[rd] : 0) + r->x[rs2]);
			return REF_OK;
		}
		if (!rd)
			return high ? REF_EBREAK : REF_ILLEGAL;
		if (high)
			r->x[1] = *next;
		*next = to;
		return REF_OK;
	case 6:
		r->tval = sw;
		return ref_store(r, sw, r->x[rs2], 4);
	case 7:
		r->tval = sd;
		return ref_store(r, sd, r->x[rs2], 8);
	}
	return REF_ILLEGAL;
}

/* One instruction. Nothing has changed if the result is not REF_OK; pc is left for the caller. */
static enum ref_result ref_step(struct ref *r)
{
	enum ref_result res;
	uint64_t next;
	uint32_t in;

	if (r->pc - r->base >= r->text) {
		r->tval = r->pc;
		return REF_FAULT;
	}
	in = ref_get(r, r->pc, 2);
	next = r->pc + 2;
	if ((in & 3) == 3) {
		if (r->pc + 2 - r->base >= r->text) {
			r->tval = r->pc + 2;
			return REF_FAULT;
		}
		in = ref_get(r, r->pc, 4);
		next = r->pc + 4;
	}
	r->tval = in;
	res = (in & 3) == 3 ? ref_long(r, in, &next) : (in & 3) == 0 ? ref_q0(r, in) :
	      (in & 3) == 1 ? ref_q1(r, in, &next) : ref_q2(r, in, &next);
	if (res == REF_ILLEGAL)
		r->tval = in;
	if (res == REF_OK || res == REF_ECALL)
		r->pc = res == REF_OK ? next : r->pc + 4;
	return res;
}

#endif /* RV64_REF_H */

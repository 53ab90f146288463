// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The F and D extensions, but for what the interpreter does inline. What the host rounds to
 * nearest is taken from the host where that is exact to the flag; all else is done in integers.
 */
#include <math.h>

#include "rv64_hostfp.h"
#include "rv64_internal.h"
#include "rv64_softfp.h"

#define OPCODE_MSUB	0x47
#define OPCODE_NMSUB	0x4b
#define OPCODE_NMADD	0x4f

/* funct7 >> 2 of the OP-FP opcode */
enum fp_op {
	FP_ADD = 0x00,
	FP_SUB = 0x01,
	FP_MUL = 0x02,
	FP_DIV = 0x03,
	FP_SGNJ = 0x04,
	FP_MINMAX = 0x05,
	FP_CVT_FP = 0x08,
	FP_SQRT = 0x0b,
	FP_CMP = 0x14,
	FP_TO_INT = 0x18,
	FP_FROM_INT = 0x1a,
	FP_MV_X_CLASS = 0x1c,
	FP_MV_F = 0x1e,
};

/* One instruction on its way through this file. */
struct fp_insn {
	const struct rv64_fmt *fmt;
	uint32_t raw;
	unsigned int rm;	/* resolved; only where the instruction rounds */
};

static bool is_double(const struct rv64_fmt *fmt)
{
	return fmt == &rv64_fmt_d;
}

/* A single that is not NaN-boxed reads as the canonical NaN. */
static uint64_t get_f(const struct rv64_cpu *cpu, const struct rv64_fmt *fmt, unsigned int reg)
{
	uint64_t v = cpu->f[reg];

	if (is_double(fmt))
		return v;
	return (v & RV64_BOX) == RV64_BOX ? (uint32_t)v : fmt->nan;
}

static void set_f(struct rv64_cpu *cpu, const struct rv64_fmt *fmt, unsigned int reg, uint64_t v)
{
	cpu->f[reg] = is_double(fmt) ? v : v | RV64_BOX;
}

static uint64_t negate(const struct rv64_fmt *fmt, uint64_t v)
{
	return v ^ fmt->sign;
}

/* Exact for both formats; a NaN for a NaN. */
static double value(const struct rv64_fmt *fmt, uint64_t v)
{
	return is_double(fmt) ? rv64_to_double(v) : (double)rv64_to_float(v);
}

/* May the host's result stand? If not, its flags are of no more use. */
static bool host_stands(const struct rv64_cpu *cpu, const struct fp_insn *in, uint64_t res)
{
	bool plain = is_double(in->fmt) ? rv64_plain64(res) : rv64_plain32(res);

	if (in->rm != RV64_RNE || !plain)
		return false;
	if (rv64_nx_settled(cpu, res))
		return true;
	rv64_host_clear_exact();
	return false;
}

static bool host_div(const struct rv64_cpu *cpu, const struct fp_insn *in, uint64_t a, uint64_t b,
		     uint64_t *res)
{
	if (is_double(in->fmt))
		*res = rv64_from_double(rv64_to_double(a) / rv64_to_double(b));
	else
		*res = rv64_from_float(rv64_to_float(a) / rv64_to_float(b));
	return host_stands(cpu, in, *res);
}

static bool host_sqrt(const struct rv64_cpu *cpu, const struct fp_insn *in, uint64_t a,
		      uint64_t *res)
{
	if (a & in->fmt->sign)
		return false;
	if (is_double(in->fmt))
		*res = rv64_from_double(sqrt(rv64_to_double(a)));
	else
		*res = rv64_from_float(sqrtf(rv64_to_float(a)));
	return host_stands(cpu, in, *res);
}

static bool host_fma(const struct rv64_cpu *cpu, const struct fp_insn *in, uint64_t a, uint64_t b,
		     uint64_t c, uint64_t *res)
{
	if (is_double(in->fmt))
		*res = rv64_from_double(fma(rv64_to_double(a), rv64_to_double(b),
					    rv64_to_double(c)));
	else
		*res = rv64_from_float(fmaf(rv64_to_float(a), rv64_to_float(b), rv64_to_float(c)));
	return host_stands(cpu, in, *res);
}

static enum rv64_status exec_fma(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	uint32_t opcode = in->raw & 0x7f;
	uint64_t a = get_f(cpu, in->fmt, rv64_raw_rs1(in->raw));
	uint64_t b = get_f(cpu, in->fmt, rv64_raw_rs2(in->raw));
	uint64_t c = get_f(cpu, in->fmt, in->raw >> 27), res;

	if (opcode == OPCODE_NMSUB || opcode == OPCODE_NMADD)
		a = negate(in->fmt, a);
	if (opcode == OPCODE_MSUB || opcode == OPCODE_NMADD)
		c = negate(in->fmt, c);
	if (!host_fma(cpu, in, a, b, c, &res))
		res = rv64_soft_fma(in->fmt, a, b, c, in->rm, &cpu->fcsr);
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

static enum rv64_status exec_arith(struct rv64_cpu *cpu, const struct fp_insn *in, enum fp_op op)
{
	uint64_t a = get_f(cpu, in->fmt, rv64_raw_rs1(in->raw));
	uint64_t b = get_f(cpu, in->fmt, rv64_raw_rs2(in->raw)), res;

	switch (op) {
	case FP_ADD:
		res = rv64_soft_add(in->fmt, a, b, in->rm, &cpu->fcsr);
		break;
	case FP_SUB:
		res = rv64_soft_add(in->fmt, a, negate(in->fmt, b), in->rm, &cpu->fcsr);
		break;
	case FP_MUL:
		res = rv64_soft_mul(in->fmt, a, b, in->rm, &cpu->fcsr);
		break;
	case FP_DIV:
		if (!host_div(cpu, in, a, b, &res))
			res = rv64_soft_div(in->fmt, a, b, in->rm, &cpu->fcsr);
		break;
	default:
		if (rv64_raw_rs2(in->raw))
			return rv64_illegal(cpu, in->raw);
		if (!host_sqrt(cpu, in, a, &res))
			res = rv64_soft_sqrt(in->fmt, a, in->rm, &cpu->fcsr);
		break;
	}
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

static enum rv64_status exec_sgnj(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	uint64_t a = get_f(cpu, in->fmt, rv64_raw_rs1(in->raw));
	uint64_t b = get_f(cpu, in->fmt, rv64_raw_rs2(in->raw));
	uint64_t sign;

	switch (rv64_raw_funct3(in->raw)) {
	case 0:
		sign = b;
		break;
	case 1:
		sign = ~b;
		break;
	case 2:
		sign = a ^ b;
		break;
	default:
		return rv64_illegal(cpu, in->raw);
	}
	sign &= in->fmt->sign;
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), (a & ~in->fmt->sign) | sign);
	return RV64_NEXT;
}

/* a < b for numbers; zeros of either sign are equal */
static bool less(const struct rv64_fmt *fmt, uint64_t a, uint64_t b)
{
	bool sa = a & fmt->sign, sb = b & fmt->sign;

	if (!((a | b) & (fmt->sign - 1)))
		return false;
	if (sa != sb)
		return sa;
	return a != b && (a < b) != sa;
}

static enum rv64_status exec_minmax(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	const struct rv64_fmt *fmt = in->fmt;
	uint64_t a = get_f(cpu, fmt, rv64_raw_rs1(in->raw));
	uint64_t b = get_f(cpu, fmt, rv64_raw_rs2(in->raw)), res;
	unsigned int f3 = rv64_raw_funct3(in->raw);

	if (f3 > 1)
		return rv64_illegal(cpu, in->raw);
	if (rv64_soft_is_snan(fmt, a) || rv64_soft_is_snan(fmt, b))
		cpu->fcsr |= RV64_FFLAG_NV;
	if (rv64_soft_is_nan(fmt, a))
		res = rv64_soft_is_nan(fmt, b) ? fmt->nan : b;
	else if (rv64_soft_is_nan(fmt, b))
		res = a;
	else if (!((a | b) & (fmt->sign - 1)))
		res = f3 ? a & b : a | b;	/* -0 is less than +0 here */
	else
		res = less(fmt, a, b) != f3 ? a : b;
	set_f(cpu, fmt, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

/* fle, flt: any NaN is invalid; feq: a signaling one */
static enum rv64_status exec_cmp(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	const struct rv64_fmt *fmt = in->fmt;
	uint64_t a = get_f(cpu, fmt, rv64_raw_rs1(in->raw));
	uint64_t b = get_f(cpu, fmt, rv64_raw_rs2(in->raw));
	double va = value(fmt, a), vb = value(fmt, b);
	unsigned int f3 = rv64_raw_funct3(in->raw);
	bool res = false;

	if (f3 > 2)
		return rv64_illegal(cpu, in->raw);
	if (isunordered(va, vb)) {
		if (f3 != 2 || rv64_soft_is_snan(fmt, a) || rv64_soft_is_snan(fmt, b))
			cpu->fcsr |= RV64_FFLAG_NV;
	} else {
		res = f3 == 2 ? va == vb : f3 == 1 ? va < vb : va <= vb;
	}
	rv64_set_x(cpu, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

/* Between singles and doubles */
static enum rv64_status exec_cvt_fp(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	const struct rv64_fmt *from = rv64_raw_rs2(in->raw) ? &rv64_fmt_d : &rv64_fmt_s;
	uint64_t a, res;

	if (rv64_raw_rs2(in->raw) > 1 || from == in->fmt)
		return rv64_illegal(cpu, in->raw);
	a = get_f(cpu, from, rv64_raw_rs1(in->raw));
	if (is_double(in->fmt) && rv64_plain32(a)) {
		res = rv64_from_double(rv64_to_float(a));
	} else {
		res = is_double(in->fmt) ? 0 : rv64_from_float((float)rv64_to_double(a));
		if (!host_stands(cpu, in, res))
			res = rv64_soft_convert(from, in->fmt, a, in->rm, &cpu->fcsr);
	}
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

static enum rv64_status exec_to_int(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	unsigned int kind = rv64_raw_rs2(in->raw), width = kind & 2 ? 64 : 32;
	bool is_signed = !(kind & 1);
	uint64_t a = get_f(cpu, in->fmt, rv64_raw_rs1(in->raw)), res;

	if (kind > 3)
		return rv64_illegal(cpu, in->raw);
	res = rv64_soft_to_int(in->fmt, a, is_signed, width, in->rm, &cpu->fcsr);
	rv64_set_x(cpu, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

static enum rv64_status exec_from_int(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	unsigned int kind = rv64_raw_rs2(in->raw);
	uint64_t a = cpu->x[rv64_raw_rs1(in->raw)], res;

	if (kind > 3)
		return rv64_illegal(cpu, in->raw);
	if (!(kind & 2))
		a = kind & 1 ? (uint32_t)a : (uint64_t)(int32_t)a;
	res = rv64_soft_from_int(in->fmt, a, !(kind & 1), in->rm, &cpu->fcsr);
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

static uint64_t classify(const struct rv64_fmt *fmt, uint64_t a)
{
	uint64_t mag = a & (fmt->sign - 1);
	uint64_t inf = (uint64_t)(2 * fmt->emax + 1) << fmt->frac;
	bool sign = a & fmt->sign;

	if (mag > inf)
		return rv64_soft_is_snan(fmt, a) ? 1 << 8 : 1 << 9;
	if (mag == inf)
		return sign ? 1 << 0 : 1 << 7;
	if (mag >> fmt->frac)
		return sign ? 1 << 1 : 1 << 6;
	if (mag)
		return sign ? 1 << 2 : 1 << 5;
	return sign ? 1 << 3 : 1 << 4;
}

/* fmv.x.w, fmv.x.d, fclass */
static enum rv64_status exec_mv_x_class(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	unsigned int f3 = rv64_raw_funct3(in->raw), rs1 = rv64_raw_rs1(in->raw);
	uint64_t res;

	if (rv64_raw_rs2(in->raw) || f3 > 1)
		return rv64_illegal(cpu, in->raw);
	if (f3)
		res = classify(in->fmt, get_f(cpu, in->fmt, rs1));
	else
		res = is_double(in->fmt) ? cpu->f[rs1] : (uint64_t)(int32_t)cpu->f[rs1];
	rv64_set_x(cpu, rv64_raw_rd(in->raw), res);
	return RV64_NEXT;
}

/* fmv.w.x, fmv.d.x */
static enum rv64_status exec_mv_f(struct rv64_cpu *cpu, const struct fp_insn *in)
{
	uint64_t v = cpu->x[rv64_raw_rs1(in->raw)];

	if (rv64_raw_rs2(in->raw) || rv64_raw_funct3(in->raw))
		return rv64_illegal(cpu, in->raw);
	set_f(cpu, in->fmt, rv64_raw_rd(in->raw), is_double(in->fmt) ? v : (uint32_t)v);
	return RV64_NEXT;
}

/* The rounding mode in force; false if it is none. */
static bool resolve_rm(const struct rv64_cpu *cpu, struct fp_insn *in)
{
	in->rm = rv64_rounding(cpu, rv64_raw_funct3(in->raw));
	return in->rm <= RV64_RMM;
}

static enum rv64_status exec_rounding(struct rv64_cpu *cpu, struct fp_insn *in, enum fp_op op)
{
	if (!resolve_rm(cpu, in))
		return rv64_illegal(cpu, in->raw);
	switch (op) {
	case FP_CVT_FP:
		return exec_cvt_fp(cpu, in);
	case FP_TO_INT:
		return exec_to_int(cpu, in);
	case FP_FROM_INT:
		return exec_from_int(cpu, in);
	default:
		return exec_arith(cpu, in, op);
	}
}

static inline enum rv64_status fp(struct rv64_cpu *cpu, uint32_t raw, const struct rv64_fmt *fmt)
{
	struct fp_insn in = { .raw = raw, .fmt = fmt };
	enum fp_op op = raw >> 27;

	if ((raw & 0x7f) != 0x53)
		return resolve_rm(cpu, &in) ? exec_fma(cpu, &in) : rv64_illegal(cpu, raw);

	switch (op) {
	case FP_ADD:
	case FP_SUB:
	case FP_MUL:
	case FP_DIV:
	case FP_SQRT:
	case FP_CVT_FP:
	case FP_TO_INT:
	case FP_FROM_INT:
		return exec_rounding(cpu, &in, op);
	case FP_SGNJ:
		return exec_sgnj(cpu, &in);
	case FP_MINMAX:
		return exec_minmax(cpu, &in);
	case FP_CMP:
		return exec_cmp(cpu, &in);
	case FP_MV_X_CLASS:
		return exec_mv_x_class(cpu, &in);
	case FP_MV_F:
		return exec_mv_f(cpu, &in);
	}
	return rv64_illegal(cpu, raw);
}

/* For each format, with all that it calls here: then the format is known. */
static __attribute__((flatten)) enum rv64_status fp_s(struct rv64_cpu *cpu, uint32_t raw)
{
	return fp(cpu, raw, &rv64_fmt_s);
}

static __attribute__((flatten)) enum rv64_status fp_d(struct rv64_cpu *cpu, uint32_t raw)
{
	return fp(cpu, raw, &rv64_fmt_d);
}

/**
 * rv64_fp() - execute a floating-point instruction other than loads and stores
 * @cpu: the hart, which has F and D; cpu->pc is exact
 * @raw: the instruction
 */
enum rv64_status rv64_fp(struct rv64_cpu *cpu, uint32_t raw)
{
	switch (rv64_bits(raw, 25, 2)) {
	case 0:
		return fp_s(cpu, raw);
	case 1:
		return fp_d(cpu, raw);
	default:
		return rv64_illegal(cpu, raw);
	}
}

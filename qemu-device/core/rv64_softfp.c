// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finite numbers are unpacked to sig * 2^(exp - 126) with the leading bit of sig at bit 126.
 * Bits shifted out on the right leave their disjunction in bit 0, which is enough for rounding as
 * long as two or more bits below the precision remain.
 */
#include "rv64_softfp.h"

#include "rv64_hostfp.h"

typedef unsigned __int128 u128;

#define LEAD	126

const struct rv64_fmt rv64_fmt_s = {
	.frac = 23, .emax = 127, .nan = 0x7fc00000, .sign = 1ull << 31,
};

const struct rv64_fmt rv64_fmt_d = {
	.frac = 52, .emax = 1023, .nan = 0x7ff8000000000000ull, .sign = 1ull << 63,
};

enum kind {
	ZERO,
	FINITE,
	INF,
	NAN_QUIET,
	NAN_SIGNALING,
};

struct num {
	enum kind kind;
	bool sign;
	int exp;
	u128 sig;
};

static uint64_t inf_bits(const struct rv64_fmt *fmt)
{
	return (uint64_t)(2 * fmt->emax + 1) << fmt->frac;
}

static uint64_t with_sign(const struct rv64_fmt *fmt, uint64_t bits, bool sign)
{
	return bits | (sign ? fmt->sign : 0);
}

static int leading(u128 v)
{
	uint64_t hi = v >> 64;

	return hi ? 127 - __builtin_clzll(hi) : 63 - __builtin_clzll((uint64_t)v);
}

static u128 shift_right_jam(u128 v, int n)
{
	if (n > 127)
		return v != 0;
	return n ? v >> n | ((v & (((u128)1 << n) - 1)) != 0) : v;
}

/* Move the leading bit to its place; @sig is not zero. */
static u128 normalize(u128 sig, int *exp)
{
	int n = leading(sig) - LEAD;

	*exp += n;
	return n > 0 ? shift_right_jam(sig, n) : sig << -n;
}

static struct num unpack(const struct rv64_fmt *fmt, uint64_t a)
{
	uint64_t frac = a & ((1ull << fmt->frac) - 1);
	int biased = (int)(a >> fmt->frac) & (2 * fmt->emax + 1);
	struct num n = { .sign = a & fmt->sign };

	if (biased == 2 * fmt->emax + 1) {
		n.kind = !frac ? INF : frac >> (fmt->frac - 1) ? NAN_QUIET : NAN_SIGNALING;
	} else if (biased) {
		n.kind = FINITE;
		n.exp = biased - fmt->emax;
		n.sig = (u128)(frac | 1ull << fmt->frac) << (LEAD - fmt->frac);
	} else if (frac) {
		n.kind = FINITE;
		n.exp = 1 - fmt->emax;
		n.sig = normalize((u128)frac << (LEAD - fmt->frac), &n.exp);
	}
	return n;
}

static bool is_nan(const struct num *n)
{
	return n->kind == NAN_QUIET || n->kind == NAN_SIGNALING;
}

static uint64_t invalid(const struct rv64_fmt *fmt, uint32_t *flags)
{
	*flags |= RV64_FFLAG_NV;
	return fmt->nan;
}

/* sig >> n, rounded; n is 1 or more */
static u128 shift_round(u128 sig, int n, unsigned int rm, bool sign, bool *inexact)
{
	u128 q, rem, half;
	bool up = false;

	if (n > 127) {
		sig = sig != 0;
		n = 127;
	}
	q = sig >> n;
	rem = sig & (((u128)1 << n) - 1);
	half = (u128)1 << (n - 1);
	*inexact = rem != 0;
	switch (rm) {
	case RV64_RNE:
		up = rem > half || (rem == half && (q & 1));
		break;
	case RV64_RMM:
		up = rem >= half;
		break;
	case RV64_RDN:
		up = rem && sign;
		break;
	case RV64_RUP:
		up = rem && !sign;
		break;
	}
	return q + up;
}

static uint64_t overflow(const struct rv64_fmt *fmt, bool sign, unsigned int rm, uint32_t *flags)
{
	bool finite = rm == RV64_RTZ || (rm == RV64_RDN && !sign) || (rm == RV64_RUP && sign);

	*flags |= RV64_FFLAG_OF | RV64_FFLAG_NX;
	return with_sign(fmt, inf_bits(fmt) - finite, sign);
}

/* Below the normal range; the result may round up into it. */
static uint64_t pack_tiny(const struct rv64_fmt *fmt, bool sign, int exp, u128 sig,
			  unsigned int rm, uint32_t *flags)
{
	int emin = 1 - fmt->emax;
	bool inexact, ignored;
	u128 q;

	q = shift_round(sig, LEAD - fmt->frac + emin - exp, rm, sign, &inexact);
	if (inexact) {
		*flags |= RV64_FFLAG_NX;
		/* Tiny is what is still below after rounding with an unbounded exponent. */
		if (exp < emin - 1 || shift_round(sig, LEAD - fmt->frac, rm, sign, &ignored) !=
				      (u128)2 << fmt->frac)
			*flags |= RV64_FFLAG_UF;
	}
	return with_sign(fmt, (uint64_t)q, sign);
}

/* Round a normalized number to the format. */
static uint64_t pack(const struct rv64_fmt *fmt, bool sign, int exp, u128 sig, unsigned int rm,
		     uint32_t *flags)
{
	bool inexact;
	u128 q;

	if (exp < 1 - fmt->emax)
		return pack_tiny(fmt, sign, exp, sig, rm, flags);
	q = shift_round(sig, LEAD - fmt->frac, rm, sign, &inexact);
	if (q >> (fmt->frac + 1)) {
		q >>= 1;
		exp++;
	}
	if (exp > fmt->emax)
		return overflow(fmt, sign, rm, flags);
	if (inexact)
		*flags |= RV64_FFLAG_NX;
	/* The leading one adds one to the exponent field. */
	return with_sign(fmt, ((uint64_t)(exp + fmt->emax - 1) << fmt->frac) + (uint64_t)q, sign);
}

/* Sum of two finite, nonzero numbers */
static uint64_t add_finite(const struct rv64_fmt *fmt, struct num a, struct num b,
			   unsigned int rm, uint32_t *flags)
{
	struct num t;
	u128 sig;

	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		t = a;
		a = b;
		b = t;
	}
	b.sig = shift_right_jam(b.sig, a.exp - b.exp);
	sig = a.sign == b.sign ? a.sig + b.sig : a.sig - b.sig;
	if (!sig)
		return with_sign(fmt, 0, rm == RV64_RDN);
	sig = normalize(sig, &a.exp);
	return pack(fmt, a.sign, a.exp, sig, rm, flags);
}

/* Sum of two numbers of any kind but NaN */
static uint64_t add_num(const struct rv64_fmt *fmt, struct num a, struct num b, unsigned int rm,
			uint32_t *flags)
{
	if (a.kind == INF || b.kind == INF) {
		if (a.kind == b.kind && a.sign != b.sign)
			return invalid(fmt, flags);
		return with_sign(fmt, inf_bits(fmt), a.kind == INF ? a.sign : b.sign);
	}
	if (a.kind == ZERO && b.kind == ZERO)
		return with_sign(fmt, 0, a.sign == b.sign ? a.sign : rm == RV64_RDN);
	if (a.kind == ZERO)
		return pack(fmt, b.sign, b.exp, b.sig, rm, flags);
	if (b.kind == ZERO)
		return pack(fmt, a.sign, a.exp, a.sig, rm, flags);
	return add_finite(fmt, a, b, rm, flags);
}

/* Product of two numbers of any kind but NaN; exact. False if it is invalid. */
static bool mul_num(struct num a, struct num b, struct num *res)
{
	*res = (struct num){ .sign = a.sign != b.sign };
	if (a.kind == INF || b.kind == INF) {
		res->kind = INF;
		return a.kind != ZERO && b.kind != ZERO;
	}
	if (a.kind == ZERO || b.kind == ZERO) {
		res->kind = ZERO;
		return true;
	}
	res->kind = FINITE;
	res->exp = a.exp + b.exp;
	/* At most 53 bits each: the low halves are empty. */
	res->sig = normalize((a.sig >> 63) * (b.sig >> 63), &res->exp);
	return true;
}

static uint64_t pack_num(const struct rv64_fmt *fmt, const struct num *n, unsigned int rm,
			 uint32_t *flags)
{
	if (n->kind == INF)
		return with_sign(fmt, inf_bits(fmt), n->sign);
	if (n->kind == ZERO)
		return with_sign(fmt, 0, n->sign);
	return pack(fmt, n->sign, n->exp, n->sig, rm, flags);
}

/* Is an operand a NaN? A signaling one is invalid. */
static bool nan_operand(const struct num *a, const struct num *b, uint32_t *flags)
{
	if (a->kind == NAN_SIGNALING || b->kind == NAN_SIGNALING)
		*flags |= RV64_FFLAG_NV;
	return is_nan(a) || is_nan(b);
}

uint64_t rv64_soft_add(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags)
{
	struct num x = unpack(fmt, a), y = unpack(fmt, b);

	if (nan_operand(&x, &y, flags))
		return fmt->nan;
	return add_num(fmt, x, y, rm, flags);
}

uint64_t rv64_soft_mul(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags)
{
	struct num x = unpack(fmt, a), y = unpack(fmt, b), p;

	if (nan_operand(&x, &y, flags))
		return fmt->nan;
	if (!mul_num(x, y, &p))
		return invalid(fmt, flags);
	return pack_num(fmt, &p, rm, flags);
}

uint64_t rv64_soft_div(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, unsigned int rm,
		       uint32_t *flags)
{
	struct num x = unpack(fmt, a), y = unpack(fmt, b);
	bool sign = x.sign != y.sign;
	uint64_t d;
	u128 q;
	int exp;

	if (nan_operand(&x, &y, flags))
		return fmt->nan;
	if (x.kind == y.kind && x.kind != FINITE)
		return invalid(fmt, flags);	/* 0 / 0, inf / inf */
	if (x.kind == INF || y.kind == ZERO) {
		if (x.kind != INF)
			*flags |= RV64_FFLAG_DZ;
		return with_sign(fmt, inf_bits(fmt), sign);
	}
	if (x.kind == ZERO || y.kind == INF)
		return with_sign(fmt, 0, sign);

	d = (uint64_t)(y.sig >> 63);
	q = x.sig / d;		/* leading bit at 62 or 63 */
	q = q << 63 | (x.sig % d != 0);
	exp = x.exp - y.exp;
	q = normalize(q, &exp);
	return pack(fmt, sign, exp, q, rm, flags);
}

/* Integer square root, rounded down, of a number below 2^128 */
static uint64_t isqrt(u128 v, bool *exact)
{
	u128 root = 0, rem = v;
	int bit;

	for (bit = 63; bit >= 0; bit--) {
		/* (root + 2^bit)^2 - root^2 */
		u128 step = (root << (bit + 1)) + ((u128)1 << (2 * bit));

		if (rem >= step) {
			rem -= step;
			root += (u128)1 << bit;
		}
	}
	*exact = !rem;
	return (uint64_t)root;
}

uint64_t rv64_soft_sqrt(const struct rv64_fmt *fmt, uint64_t a, unsigned int rm, uint32_t *flags)
{
	struct num x = unpack(fmt, a);
	uint64_t root;
	bool exact;

	if (x.kind == NAN_QUIET)
		return fmt->nan;
	if (x.kind == NAN_SIGNALING || (x.sign && x.kind != ZERO))
		return invalid(fmt, flags);
	if (x.kind != FINITE)
		return a;

	if (x.exp & 1) {
		x.sig <<= 1;
		x.exp--;
	}
	root = isqrt(x.sig, &exact);	/* leading bit at 63 */
	return pack(fmt, false, x.exp / 2, (u128)root << 63 | !exact, rm, flags);
}

uint64_t rv64_soft_fma(const struct rv64_fmt *fmt, uint64_t a, uint64_t b, uint64_t c,
		       unsigned int rm, uint32_t *flags)
{
	struct num x = unpack(fmt, a), y = unpack(fmt, b), z = unpack(fmt, c), p;
	bool nan = nan_operand(&x, &y, flags);

	/* inf * 0 is invalid even if the addend is a NaN. */
	if (!nan && !mul_num(x, y, &p))
		return invalid(fmt, flags);
	if (nan_operand(&z, &z, flags) || nan)
		return fmt->nan;
	return add_num(fmt, p, z, rm, flags);
}

uint64_t rv64_soft_convert(const struct rv64_fmt *from, const struct rv64_fmt *to, uint64_t a,
			   unsigned int rm, uint32_t *flags)
{
	struct num x = unpack(from, a);

	if (nan_operand(&x, &x, flags))
		return to->nan;
	return pack_num(to, &x, rm, flags);
}

/* Out of range: the nearest value there is; NaN counts as large. */
static uint64_t saturate(bool negative, bool is_signed, unsigned int width, uint32_t *flags)
{
	uint64_t top = is_signed ? 1ull << (width - 1) : 0;

	*flags |= RV64_FFLAG_NV;
	if (negative)
		return -top;
	return top ? top - 1 : ~0ull;
}

/* Result is sign-extended from @width, as in a register. */
uint64_t rv64_soft_to_int(const struct rv64_fmt *fmt, uint64_t a, bool is_signed,
			  unsigned int width, unsigned int rm, uint32_t *flags)
{
	struct num x = unpack(fmt, a);
	bool negative = x.sign && !is_nan(&x), inexact;
	u128 mag, limit;

	if (x.kind == ZERO)
		return 0;
	if (x.kind != FINITE || x.exp > 64)
		return saturate(negative, is_signed, width, flags);

	mag = shift_round(x.sig, LEAD - x.exp, rm, x.sign, &inexact);
	if (is_signed)
		limit = ((u128)1 << (width - 1)) - !x.sign;
	else
		limit = x.sign ? 0 : ((u128)1 << width) - 1;
	if (mag > limit)
		return saturate(negative, is_signed, width, flags);
	if (inexact)
		*flags |= RV64_FFLAG_NX;
	mag = x.sign ? -mag : mag;
	return width == 32 ? (uint64_t)(int32_t)mag : (uint64_t)mag;
}

uint64_t rv64_soft_from_int(const struct rv64_fmt *fmt, uint64_t a, bool is_signed,
			    unsigned int rm, uint32_t *flags)
{
	bool sign = is_signed && (int64_t)a < 0;
	int exp = LEAD;
	u128 sig;

	if (!a)
		return 0;
	sig = normalize(sign ? -a : a, &exp);
	return pack(fmt, sign, exp, sig, rm, flags);
}

bool rv64_soft_is_nan(const struct rv64_fmt *fmt, uint64_t a)
{
	return (a & (fmt->sign - 1)) > inf_bits(fmt);
}

bool rv64_soft_is_snan(const struct rv64_fmt *fmt, uint64_t a)
{
	return rv64_soft_is_nan(fmt, a) && !(a >> (fmt->frac - 1) & 1);
}

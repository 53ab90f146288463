// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every instruction of F and D. Arithmetic is checked against the host's in the same rounding
 * mode; round to nearest, ties away, which hosts lack, against quadruple precision.
 */
#include <fenv.h>
#include <math.h>

#include "rv64_vm.h"
#include "tap.h"

#define BOX	0xffffffff00000000ull
#define NAN_S	0x7fc00000ull
#define NAN_D	0x7ff8000000000000ull
#define RMM	4
#define DYN	7

#define NX	1
#define UF	2
#define OF	4
#define DZ	8
#define NV	16

static struct vm *vm;

static const uint32_t values_s[] = {
	0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x3f800001, 0x40000000, 0x40400000,
	0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x80800000, 0x00800001, 0x01000000,
	0x7f7fffff, 0xff7fffff, 0x7f000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
	0xffc12345, 0x4b000000, 0x4b800001, 0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000,
	0xdf000000, 0x5f7fffff, 0x3f000000, 0xbf000000, 0x3fc00000, 0x40200000, 0x3eaaaaab,
	0x34000000, 0x33800000, 0x20000000, 0x1fffffff, 0x5f800000, 0x4f7fffff, 0xbf7fffff,
};

static const uint64_t values_d[] = {
	0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000,
	0x3ff0000000000001, 0x4000000000000000, 0x4008000000000000, 0x0000000000000001,
	0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x8010000000000000,
	0x0010000000000001, 0x7fefffffffffffff, 0xffefffffffffffff, 0x7fe0000000000000,
	0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
	0xfff8123456789abc, 0x4330000000000000, 0x4340000000000001, 0x41e0000000000000,
	0xc1e0000000000000, 0xc1e0000000100000, 0x41dfffffffc00000, 0x41dfffffffe00000,
	0x43e0000000000000, 0xc3e0000000000000, 0x43f0000000000000, 0x43efffffffffffff,
	0x3fe0000000000000, 0xbfe0000000000000, 0x3ff8000000000000, 0x4004000000000000,
	0x3fd5555555555555, 0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000,
	0x3810000000000000, 0x380fffffffffffff, 0x380fffffe0000000, 0x36a0000000000000,
	0x3690000000000000, 0x3690000000000001, 0x3ca0000000000000, 0x41efffffffe00000,
	0x41efffffffffffff, 0xbfefffffffffffff,
};

#define NR_S	(sizeof(values_s) / sizeof(values_s[0]))
#define NR_D	(sizeof(values_d) / sizeof(values_d[0]))

static float as_s(uint64_t bits)
{
	uint32_t b = (uint32_t)bits;
	float v;

	memcpy(&v, &b, 4);
	return v;
}

static double as_d(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, 8);
	return v;
}

static uint64_t bits_s(float v)
{
	uint32_t b;

	memcpy(&b, &v, 4);
	return v != v ? NAN_S : b;
}

static uint64_t bits_d(double v)
{
	uint64_t b;

	memcpy(&b, &v, 8);
	return v != v ? NAN_D : b;
}

static int host_round(unsigned int rm)
{
	static const int modes[4] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD };

	return modes[rm];
}

static unsigned int host_flags(void)
{
	int f = fetestexcept(FE_ALL_EXCEPT);

	return (f & FE_INEXACT ? NX : 0) | (f & FE_UNDERFLOW ? UF : 0) |
	       (f & FE_OVERFLOW ? OF : 0) | (f & FE_DIVBYZERO ? DZ : 0) |
	       (f & FE_INVALID ? NV : 0);
}

enum op { ADD, SUB, MUL, DIV, SQRT, MADD, MSUB, NMSUB, NMADD, NR_OPS };

static const char *const op_names[NR_OPS] = {
	"fadd", "fsub", "fmul", "fdiv", "fsqrt", "fmadd", "fmsub", "fnmsub", "fnmadd",
};

static uint32_t encode(enum op op, bool dbl, unsigned int rm)
{
	static const uint32_t fused[] = { 0x43, 0x47, 0x4b, 0x4f };

	if (op >= MADD)
		return R4(fused[op - MADD], rm, dbl, 10, 11, 12, 13);
	if (op == SQRT)
		return R(0x53, rm, 0x2c | dbl, 10, 11, 0);
	return R(0x53, rm, op << 2 | dbl, 10, 11, 12);
}

/* The host's operation. Through volatile, to be done here and now. */
static uint64_t host_op(enum op op, bool dbl, unsigned int rm, const uint64_t *in,
			unsigned int *flags)
{
	volatile float sa = as_s(in[0]), sb = as_s(in[1]), sc = as_s(in[2]), sr = 0;
	volatile double a = as_d(in[0]), b = as_d(in[1]), c = as_d(in[2]), r = 0;

	fesetround(host_round(rm));
	feclearexcept(FE_ALL_EXCEPT);
	switch (op) {
	case ADD: if (dbl) r = a + b; else sr = sa + sb; break;
	case SUB: if (dbl) r = a - b; else sr = sa - sb; break;
	case MUL: if (dbl) r = a * b; else sr = sa * sb; break;
	case DIV: if (dbl) r = a / b; else sr = sa / sb; break;
	case SQRT: if (dbl) r = sqrt(a); else sr = sqrtf(sa); break;
	case MADD: if (dbl) r = fma(a, b, c); else sr = fmaf(sa, sb, sc); break;
	case MSUB: if (dbl) r = fma(a, b, -c); else sr = fmaf(sa, sb, -sc); break;
	case NMSUB: if (dbl) r = fma(-a, b, c); else sr = fmaf(-sa, sb, sc); break;
	default: if (dbl) r = fma(-a, b, -c); else sr = fmaf(-sa, sb, -sc); break;
	}
	*flags = host_flags();
	fesetround(FE_TONEAREST);
	return dbl ? bits_d(r) : bits_s(sr);
}

/* inf * 0 + NaN is invalid on RISC-V, and up to the implementation elsewhere. */
static bool fused_invalid(bool dbl, const uint64_t *in)
{
	double a = dbl ? as_d(in[0]) : as_s(in[0]), b = dbl ? as_d(in[1]) : as_s(in[1]);

	return (isinf(a) && b == 0) || (a == 0 && isinf(b));
}

static void set_operands(bool dbl, const uint64_t *in)
{
	for (int i = 0; i < 3; i++)
		vm->cpu.f[11 + i] = dbl ? in[i] : in[i] | BOX;
}

static bool result_is(bool dbl, const uint64_t *in, uint64_t want, unsigned int flags,
		      const char *what)
{
	uint64_t got = vm->cpu.f[10];

	if (got == (dbl ? want : want | BOX) && (vm->cpu.fcsr & 31) == flags)
		return true;
	printf("# %s of %llx %llx %llx: %llx flags %02x, want %llx flags %02x\n", what,
	       (unsigned long long)in[0], (unsigned long long)in[1], (unsigned long long)in[2],
	       (unsigned long long)got, vm->cpu.fcsr & 31, (unsigned long long)want, flags);
	return false;
}

static void operands(bool dbl, unsigned int n, uint64_t *seed, uint64_t *in)
{
	size_t nr = dbl ? NR_D : NR_S;

	for (int i = 0; i < 3; i++) {
		uint64_t r = rnd(seed);
		size_t k = i == 0 ? n % nr : i == 1 ? n / nr % nr : r % nr;

		in[i] = dbl ? values_d[k] : values_s[k];
		if (n >= nr * nr || (i == 2 && r & 1 << 20))
			in[i] = dbl ? rnd(seed) : (uint32_t)rnd(seed);
		/* Random bits seldom interact; bring the exponents together. */
		if (n >= nr * nr && n & 1)
			in[i] = dbl ? (in[i] & ~(0x7f0ull << 52)) | 0x3f0ull << 52 :
				      (in[i] & ~(0xf0ull << 23)) | 0x70ull << 23;
	}
}

/* Each static mode, and each dynamic one; with flags clear, and with NX set already. */
static void test_arith(enum op op, bool dbl)
{
	size_t nr = (dbl ? NR_D * NR_D : NR_S * NR_S) + 4000;
	uint64_t at[8], in[3], seed = op;
	bool good = true;

	for (int rm = 0; rm < 8; rm++)
		at[rm] = emit(vm, encode(op, dbl, rm));
	for (size_t n = 0; n < nr && good; n++) {
		operands(dbl, n, &seed, in);
		for (unsigned int rm = 0; rm < 4 && good; rm++) {
			unsigned int flags, sticky = n & 2 ? NX : 0;
			uint64_t want = host_op(op, dbl, rm, in, &flags);

			if (op >= MADD && fused_invalid(dbl, in))
				flags |= NV;
			set_operands(dbl, in);
			vm->cpu.fcsr = sticky;
			vm_step(vm, at[rm]);
			good = result_is(dbl, in, want, flags | sticky, op_names[op]);
			vm->cpu.fcsr = rm << 5;
			vm_step(vm, at[DYN]);
			good = good && result_is(dbl, in, want, flags, op_names[op]);
		}
	}
	ok(good, "%s.%c in four rounding modes, with flags", op_names[op], dbl ? 'd' : 's');

	vm->cpu.fcsr = 5 << 5;
	ok(vm_step(vm, at[5]) == RV64_STOP_ILLEGAL && vm_step(vm, at[6]) == RV64_STOP_ILLEGAL &&
	   vm_step(vm, at[7]) == RV64_STOP_ILLEGAL, "%s.%c in a reserved rounding mode is illegal",
	   op_names[op], dbl ? 'd' : 's');
	vm->cpu.fcsr = 0;
}

static double wide(bool dbl, uint64_t bits)
{
	return dbl ? as_d(bits) : (double)as_s(bits);
}

/*
 * Ties away by way of the two neighbours and the operation in quadruple precision. False if that
 * is not precise enough to tell.
 */
static bool reference_rmm(enum op op, bool dbl, const uint64_t *in, uint64_t *want)
{
	__float128 a = wide(dbl, in[0]), b = wide(dbl, in[1]), c = wide(dbl, in[2]), v, lo, hi;
	unsigned int flags;
	uint64_t down = host_op(op, dbl, 2, in, &flags), up;

	up = host_op(op, dbl, 3, in, &flags);
	*want = down;
	if (down == up || !(flags & NX))
		return down == up;
	lo = wide(dbl, down);
	hi = wide(dbl, up);
	if (isinf(wide(dbl, down)) || isinf(wide(dbl, up)))
		return false;
	feclearexcept(FE_ALL_EXCEPT);
	switch (op) {
	case ADD: v = a + b; break;
	case SUB: v = a - b; break;
	case MUL: v = a * b; break;
	case DIV: v = a / b; break;
	case MADD: v = a * b + c; break;
	case MSUB: v = a * b - c; break;
	case NMSUB: v = -(a * b) + c; break;
	case NMADD: v = -(a * b) - c; break;
	default: return false;
	}
	if (v + v == lo + hi) {
		if (fetestexcept(FE_INEXACT))
			return false;
		*want = v < 0 ? down : up;
	} else {
		*want = v + v < lo + hi ? down : up;
	}
	return true;
}

static void test_rmm(enum op op, bool dbl)
{
	uint64_t at = emit(vm, encode(op, dbl, RMM)), in[3], seed = 77 + op, want;
	size_t nr = (dbl ? NR_D * NR_D : NR_S * NR_S) + 4000;
	unsigned int told = 0;
	bool good = true;

	for (size_t n = 0; n < nr && good; n++) {
		operands(dbl, n, &seed, in);
		if (!reference_rmm(op, dbl, in, &want))
			continue;
		told++;
		set_operands(dbl, in);
		vm->cpu.fcsr = 0;
		vm_step(vm, at);
		good = result_is(dbl, in, want, vm->cpu.fcsr & 31, op_names[op]);
	}
	ok(good && told > nr / 4, "%s.%c to nearest, ties away", op_names[op], dbl ? 'd' : 's');
}

/* By hand: what the host cannot be asked for */
static void test_rmm_by_hand(void)
{
	uint64_t add = emit(vm, encode(ADD, false, RMM)), mul = emit(vm, encode(MUL, true, RMM));
	uint64_t root = emit(vm, encode(SQRT, true, RMM));
	uint64_t tie[3] = { 0x4b800000, 0x3f800000, 0 };	/* 2^24 + 1 */
	uint64_t neg[3] = { 0xcb800000, 0xbf800000, 0 };
	uint64_t big[3] = { 0x7fe0000000000000, 0x4000000000000000, 0 };
	uint64_t two[3] = { 0x4000000000000000, 0, 0 };

	set_operands(false, tie);
	vm->cpu.fcsr = 0;
	vm_step(vm, add);
	ok(result_is(false, tie, 0x4b800001, NX, "rmm"), "a tie goes up in RMM");
	set_operands(false, neg);
	vm->cpu.fcsr = 0;
	vm_step(vm, add);
	ok(result_is(false, neg, 0xcb800001, NX, "rmm"), "a negative tie goes down in RMM");
	set_operands(true, big);
	vm->cpu.fcsr = 0;
	vm_step(vm, mul);
	ok(result_is(true, big, 0x7ff0000000000000, OF | NX, "rmm"), "overflow in RMM is infinity");
	set_operands(true, two);
	vm->cpu.fcsr = 0;
	vm_step(vm, root);
	ok(result_is(true, two, 0x3ff6a09e667f3bcd, NX, "rmm"), "fsqrt.d in RMM");
}

/* Round a double to an integer as told; *nx if that changed it. */
static double to_integral(double v, unsigned int rm, bool *nx)
{
	double f = floor(v), diff = v - f, r;

	switch (rm) {
	case 0:
		r = diff < 0.5 ? f : diff > 0.5 ? f + 1 : fmod(f, 2) == 0 ? f : f + 1;
		break;
	case 1:
		r = trunc(v);
		break;
	case 2:
		r = f;
		break;
	case 3:
		r = ceil(v);
		break;
	default:
		r = round(v);
		break;
	}
	*nx = r != v;
	return r;
}

static uint64_t reference_to_int(double v, int kind, unsigned int rm, unsigned int *flags)
{
	static const double low[] = { -0x1p31, 0, -0x1p63, 0 };
	static const double top[] = { 0x1p31, 0x1p32, 0x1p63, 0x1p64 };	/* first too large */
	static const uint64_t min[] = { 0xffffffff80000000, 0, 1ull << 63, 0 };
	static const uint64_t max[] = { 0x7fffffff, ~0ull, ~0ull >> 1, ~0ull };
	bool nx;
	double r;

	*flags = NV;
	if (isnan(v) || v == INFINITY)
		return max[kind];
	if (v == -INFINITY)
		return min[kind];
	r = to_integral(v, rm, &nx);
	if (r >= top[kind])
		return max[kind];
	if (r < low[kind])
		return min[kind];
	*flags = nx ? NX : 0;
	if (kind == 3)
		return (uint64_t)r;
	return kind == 1 ? (uint64_t)(int64_t)(int32_t)(uint32_t)r : (uint64_t)(int64_t)r;
}

static void test_to_int(bool dbl)
{
	static const char *const names[] = { "w", "wu", "l", "lu" };

	for (int kind = 0; kind < 4; kind++) {
		uint64_t seed = kind;
		bool good = true;

		for (unsigned int rm = 0; rm < 5; rm++) {
			uint64_t at = emit(vm, R(0x53, rm, 0x60 | dbl, 10, 11, kind));

			for (size_t n = 0; n < 3000 && good; n++) {
				size_t nr = dbl ? NR_D : NR_S;
				uint64_t r = rnd(&seed), v, want;
				unsigned int flags;

				/* Small numbers with a fraction, after the table */
				v = dbl ? bits_d((double)(int32_t)r / 4) :
					  bits_s((float)(int16_t)r / 4);
				if (n < nr)
					v = dbl ? values_d[n] : values_s[n];
				want = reference_to_int(wide(dbl, v), kind, rm, &flags);
				vm->cpu.f[11] = dbl ? v : v | BOX;
				vm->cpu.fcsr = 0;
				vm_step(vm, at);
				good = vm->cpu.x[10] == want && vm->cpu.fcsr == flags;
				if (!good)
					printf("# %llx rm %u: %llx flags %x, want %llx flags %x\n",
					       (unsigned long long)v, rm,
					       (unsigned long long)vm->cpu.x[10], vm->cpu.fcsr,
					       (unsigned long long)want, flags);
			}
		}
		ok(good, "fcvt.%s.%c in five rounding modes", names[kind], dbl ? 'd' : 's');
	}
}

static uint64_t host_from_int(bool dbl, int kind, unsigned int rm, uint64_t v, unsigned int *flags)
{
	volatile int32_t w = (int32_t)v;
	volatile uint32_t wu = (uint32_t)v;
	volatile int64_t l = (int64_t)v;
	volatile uint64_t lu = v;
	volatile long double x = kind == 0 ? w : kind == 1 ? wu : kind == 2 ? l : (long double)lu;
	volatile double d = 0;
	volatile float s = 0;

	/* The extended format holds all of them; one rounding remains. */
	fesetround(host_round(rm));
	feclearexcept(FE_ALL_EXCEPT);
	if (dbl)
		d = (double)x;
	else
		s = (float)x;
	*flags = host_flags();
	fesetround(FE_TONEAREST);
	return dbl ? bits_d(d) : bits_s(s);
}

static void test_from_int(bool dbl)
{
	static const uint64_t edges[] = {
		0, 1, ~0ull, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull >> 1,
		(1 << 24) + 1, (1 << 24) - 1, (1ull << 53) + 1, (1ull << 53) - 1, (1ull << 54) + 2,
		0xfffffffffffffc00, 0x7ffffffffffffe00, 0x8000008000000000, 0x0000008000008000,
	};
	static const char *const names[] = { "w", "wu", "l", "lu" };

	for (int kind = 0; kind < 4; kind++) {
		uint64_t seed = kind;
		bool good = true;

		for (unsigned int rm = 0; rm < 4; rm++) {
			uint64_t at = emit(vm, R(0x53, rm, 0x68 | dbl, 10, 11, kind));

			for (size_t n = 0; n < 1000 && good; n++) {
				uint64_t v = rnd(&seed) >> n % 64, want;
				unsigned int flags;

				if (n < sizeof(edges) / sizeof(edges[0]))
					v = edges[n];
				want = host_from_int(dbl, kind, rm, v, &flags);
				vm->cpu.x[11] = v;
				vm->cpu.fcsr = 0;
				vm_step(vm, at);
				good = vm->cpu.f[10] == (dbl ? want : want | BOX) &&
				       vm->cpu.fcsr == flags;
				if (!good)
					printf("# %llx rm %u: %llx flags %x, want %llx flags %x\n",
					       (unsigned long long)v, rm,
					       (unsigned long long)vm->cpu.f[10], vm->cpu.fcsr,
					       (unsigned long long)want, flags);
			}
		}
		ok(good, "fcvt.%c.%s", dbl ? 'd' : 's', names[kind]);
	}
}

static void test_cvt_fp(void)
{
	bool narrow = true, widen = true;
	uint64_t seed = 1;

	for (unsigned int rm = 0; rm < 4; rm++) {
		uint64_t s_d = emit(vm, R(0x53, rm, 0x20, 10, 11, 1));
		uint64_t d_s = emit(vm, R(0x53, rm, 0x21, 10, 11, 0));

		for (size_t n = 0; n < 4000; n++) {
			uint64_t v = n < NR_D ? values_d[n] : rnd(&seed), in[3] = { v, 0, 0 }, want;
			volatile double d;
			volatile float s;

			if (n >= NR_D && n & 1)
				v = in[0] = (v & ~(0x780ull << 52)) | 0x380ull << 52;
			d = as_d(v);
			fesetround(host_round(rm));
			feclearexcept(FE_ALL_EXCEPT);
			s = (float)d;
			want = bits_s(s);
			vm->cpu.f[11] = v;
			vm->cpu.fcsr = 0;
			unsigned int flags = host_flags();
			fesetround(FE_TONEAREST);
			vm_step(vm, s_d);
			narrow = narrow && result_is(false, in, want, flags, "fcvt.s.d");

			v = in[0] = n < NR_S ? values_s[n] : (uint32_t)v;
			s = as_s(v);
			feclearexcept(FE_ALL_EXCEPT);
			d = s;
			flags = host_flags();
			vm->cpu.f[11] = v | BOX;
			vm->cpu.fcsr = 0;
			vm_step(vm, d_s);
			widen = widen && result_is(true, in, bits_d(d), flags, "fcvt.d.s");
		}
	}
	ok(narrow, "fcvt.s.d");
	ok(widen, "fcvt.d.s");
}

static bool is_snan(bool dbl, uint64_t v)
{
	return isnan(wide(dbl, v)) && !(v >> (dbl ? 51 : 22) & 1);
}

static void test_compare(bool dbl)
{
	static const char *const names[] = { "fle", "flt", "feq" };
	size_t nr = dbl ? NR_D : NR_S;

	for (int f3 = 0; f3 < 3; f3++) {
		uint64_t at = emit(vm, R(0x53, f3, 0x50 | dbl, 10, 11, 12));
		bool good = true;

		for (size_t n = 0; n < nr * nr; n++) {
			uint64_t a = dbl ? values_d[n / nr] : values_s[n / nr];
			uint64_t b = dbl ? values_d[n % nr] : values_s[n % nr];
			double x = wide(dbl, a), y = wide(dbl, b);
			bool want = f3 == 0 ? x <= y : f3 == 1 ? x < y : x == y;
			bool nv = f3 == 2 ? is_snan(dbl, a) || is_snan(dbl, b) :
					    isnan(x) || isnan(y);
			uint64_t in[3] = { a, b, 0 };

			set_operands(dbl, in);
			vm->cpu.fcsr = 0;
			vm_step(vm, at);
			good = good && vm->cpu.x[10] == want && vm->cpu.fcsr == (nv ? NV : 0u);
		}
		ok(good, "%s.%c", names[f3], dbl ? 'd' : 's');
	}
}

static uint64_t reference_minmax(bool dbl, bool max, uint64_t a, uint64_t b)
{
	double x = wide(dbl, a), y = wide(dbl, b);

	if (isnan(x) && isnan(y))
		return dbl ? NAN_D : NAN_S;
	if (isnan(x) || isnan(y))
		return isnan(x) ? b : a;
	if (x == y)
		return !!signbit(x) != max ? a : b;
	return (x < y) != max ? a : b;
}

static void test_minmax(bool dbl)
{
	size_t nr = dbl ? NR_D : NR_S;

	for (int max = 0; max < 2; max++) {
		uint64_t at = emit(vm, R(0x53, max, 0x14 | dbl, 10, 11, 12));
		bool good = true;

		for (size_t n = 0; n < nr * nr; n++) {
			uint64_t a = dbl ? values_d[n / nr] : values_s[n / nr];
			uint64_t b = dbl ? values_d[n % nr] : values_s[n % nr];
			uint64_t in[3] = { a, b, 0 };

			set_operands(dbl, in);
			vm->cpu.fcsr = 0;
			vm_step(vm, at);
			good = good && result_is(dbl, in, reference_minmax(dbl, max, a, b),
						 is_snan(dbl, a) || is_snan(dbl, b) ? NV : 0,
						 "fmin or fmax");
		}
		ok(good, "%s.%c", max ? "fmax" : "fmin", dbl ? 'd' : 's');
	}
}

static void test_sgnj(bool dbl)
{
	static const char *const names[] = { "fsgnj", "fsgnjn", "fsgnjx" };
	uint64_t sign = dbl ? 1ull << 63 : 1ull << 31;
	size_t nr = dbl ? NR_D : NR_S;

	for (int f3 = 0; f3 < 3; f3++) {
		uint64_t at = emit(vm, R(0x53, f3, 0x10 | dbl, 10, 11, 12));
		bool good = true;

		for (size_t n = 0; n < nr * nr; n++) {
			uint64_t a = dbl ? values_d[n / nr] : values_s[n / nr];
			uint64_t b = dbl ? values_d[n % nr] : values_s[n % nr];
			uint64_t in[3] = { a, b, 0 };
			uint64_t s = f3 == 0 ? b : f3 == 1 ? ~b : a ^ b;

			set_operands(dbl, in);
			vm->cpu.fcsr = 0;
			vm_step(vm, at);
			good = good && result_is(dbl, in, (a & ~sign) | (s & sign), 0, names[f3]);
		}
		ok(good, "%s.%c", names[f3], dbl ? 'd' : 's');
	}
}

static void test_class(bool dbl)
{
	uint64_t at = emit(vm, R(0x53, 1, 0x70 | dbl, 10, 11, 0));
	size_t nr = dbl ? NR_D : NR_S;
	bool good = true;

	for (size_t n = 0; n < nr; n++) {
		uint64_t v = dbl ? values_d[n] : values_s[n];
		int class = dbl ? fpclassify(as_d(v)) : fpclassify(as_s(v));
		bool neg = v >> (dbl ? 63 : 31) & 1;
		int bit = class == FP_INFINITE ? (neg ? 0 : 7) :
			  class == FP_NORMAL ? (neg ? 1 : 6) :
			  class == FP_SUBNORMAL ? (neg ? 2 : 5) : class == FP_ZERO ? (neg ? 3 : 4) :
			  is_snan(dbl, v) ? 8 : 9;

		vm->cpu.f[11] = dbl ? v : v | BOX;
		vm_step(vm, at);
		good = good && vm->cpu.x[10] == 1ull << bit;
	}
	ok(good, "fclass.%c", dbl ? 'd' : 's');
}

static void test_moves(void)
{
	uint64_t x_w = emit(vm, R(0x53, 0, 0x70, 10, 11, 0));
	uint64_t w_x = emit(vm, R(0x53, 0, 0x78, 10, 11, 0));
	uint64_t x_d = emit(vm, R(0x53, 0, 0x71, 10, 11, 0));
	uint64_t d_x = emit(vm, R(0x53, 0, 0x79, 10, 11, 0));

	vm->cpu.f[11] = 0x1234567887654321;
	vm_step(vm, x_w);
	ok(vm->cpu.x[10] == 0xffffffff87654321, "fmv.x.w sign-extends and ignores the box");
	vm_step(vm, x_d);
	ok(vm->cpu.x[10] == 0x1234567887654321, "fmv.x.d");
	vm->cpu.x[11] = 0x1122334455667788;
	vm_step(vm, w_x);
	ok(vm->cpu.f[10] == (BOX | 0x55667788), "fmv.w.x boxes");
	vm_step(vm, d_x);
	ok(vm->cpu.f[10] == 0x1122334455667788, "fmv.d.x");
}

static void test_boxing(void)
{
	uint64_t add = emit(vm, encode(ADD, false, DYN));
	uint64_t sgnj = emit(vm, R(0x53, 0, 0x10, 10, 11, 11));

	vm->cpu.fcsr = 0;
	vm->cpu.f[11] = 0x3f800000;
	vm->cpu.f[12] = BOX | 0x3f800000;
	vm_step(vm, add);
	ok(vm->cpu.f[10] == (BOX | NAN_S) && !vm->cpu.fcsr, "an unboxed single is a quiet NaN");
	vm_step(vm, sgnj);
	ok(vm->cpu.f[10] == (BOX | NAN_S), "also to fsgnj.s");
}

static void test_memory(void)
{
	uint64_t flw = emit(vm, I(0x07, 2, 10, 11, 4)), fld = emit(vm, I(0x07, 3, 10, 11, 8));
	uint64_t fsw = emit(vm, S(0x27, 2, 11, 12, -4)), fsd = emit(vm, S(0x27, 3, 11, 12, -8));

	vm->cpu.x[11] = VM_DATA;
	vm_write64(vm, VM_DATA, 0x7f800001deadbeef);
	vm_write64(vm, VM_DATA + 8, 0x8877665544332211);
	vm_step(vm, flw);
	ok(vm->cpu.f[10] == (BOX | 0x7f800001), "flw boxes, and keeps a signaling NaN");
	vm_step(vm, fld);
	ok(vm->cpu.f[10] == 0x8877665544332211, "fld");
	vm->cpu.x[11] = VM_DATA + 24;
	vm->cpu.f[12] = 0x0102030405060708;
	vm_step(vm, fsd);
	ok(vm_read64(vm, VM_DATA + 16) == 0x0102030405060708, "fsd");
	vm->cpu.x[11] = VM_DATA + 20;
	vm->cpu.f[12] = 0x1111111122222222;
	vm_step(vm, fsw);
	ok(vm_read64(vm, VM_DATA + 16) == 0x0102030422222222, "fsw stores the low half only");
	vm->cpu.x[11] = VM_DATA + RV64_PAGE_SIZE - 11;
	vm_write64(vm, VM_DATA + RV64_PAGE_SIZE - 3, 0xa1a2a3a4a5a6a7a8);
	vm_step(vm, fld);
	ok(vm->cpu.f[10] == 0xa1a2a3a4a5a6a7a8, "fld across pages");
}

static void test_csrs(void)
{
	uint64_t w = emit(vm, CSRRW(10, 3, 11)), flags = emit(vm, CSRRS(10, 1, 0));
	uint64_t frm = emit(vm, CSRRWI(10, 2, 3)), clear = emit(vm, CSRRCI(10, 1, 0x1f));

	vm->cpu.fcsr = 0;
	vm->cpu.x[11] = 0xfffffffffffffff5;
	vm_step(vm, w);
	ok(vm->cpu.fcsr == 0xf5, "fcsr has eight bits");
	vm_step(vm, flags);
	ok(vm->cpu.x[10] == 0x15, "fflags");
	vm_step(vm, frm);
	ok(vm->cpu.x[10] == 7 && vm->cpu.fcsr == 0x75, "frm");
	vm_step(vm, clear);
	ok(vm->cpu.x[10] == 0x15 && vm->cpu.fcsr == 0x60, "fflags cleared, frm kept");
	vm->cpu.fcsr = 0;
}

static void test_absent(void)
{
	struct vm *plain = vm_new(0);
	static const uint32_t insns[] = {
		I(0x07, 3, 10, 11, 0), S(0x27, 2, 10, 11, 0), 0x2000 /* c.fld */,
		R(0x53, 0, 0, 10, 11, 12), R4(0x43, 0, 1, 1, 1, 1, 1), CSRRS(1, 3, 0),
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
		good = good && vm_step(plain, emit(plain, insns[i])) == RV64_STOP_ILLEGAL;
	ok(good, "without F and D, all of it is illegal");
	vm_free(plain);
}

int main(void)
{
	vm = vm_new(RV64_ISA_FD);
	for (int dbl = 0; dbl < 2; dbl++) {
		for (int op = 0; op < NR_OPS; op++)
			test_arith(op, dbl);
		for (int op = 0; op < NR_OPS; op++)
			if (op != SQRT)
				test_rmm(op, dbl);
		test_to_int(dbl);
		test_from_int(dbl);
		test_compare(dbl);
		test_minmax(dbl);
		test_sgnj(dbl);
		test_class(dbl);
	}
	test_rmm_by_hand();
	test_cvt_fp();
	test_moves();
	test_boxing();
	test_memory();
	test_csrs();
	test_absent();
	vm_free(vm);
	return tap_done();
}

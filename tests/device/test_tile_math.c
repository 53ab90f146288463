// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The elementary functions over the whole range of fp32, every 2039th value, and around that of
 * the greatest error: bit for bit as specified at each CPU level, and close to libm's double
 * functions.
 */
#include "tap.h"
#include "tile_ref_math.h"
#include "tile_vm.h"

#define STRIDE 2039u /* a prime: no bit of the values stays the same */
#define COUNT 16384u
#define OUT (COUNT * 4)

static struct tile_vm vm;

static float ref_sqrt(float x)
{
	return ref_canonical(sqrtf(x));
}

static float ref_recip(float x)
{
	return ref_canonical(1.0f / x);
}

static float ref_rsqrt(float x)
{
	return ref_canonical(1.0f / sqrtf(x));
}

static double real_recip(double x)
{
	return 1 / x;
}

static double real_rsqrt(double x)
{
	return 1 / sqrt(x);
}

static const struct function {
	const char *name;
	unsigned int opcode;
	float (*specified)(float x);
	double (*real)(double x);
	double max_ulp; /* as in docs/numerics.md */
	float worst; /* of all operands */
} functions[] = {
	{ "exp", NPU_VEXP, ref_exp, exp, 1.1, -27.3791351f },
	{ "ln", NPU_VLN, ref_ln, log, 0.9, 1.41207552f },
	{ "sqrt", NPU_VSQRT, ref_sqrt, sqrt, 0.5, 1 },
	{ "rsqrt", NPU_VRSQRT, ref_rsqrt, real_rsqrt, 1.5, 1 },
	{ "recip", NPU_VRECIP, ref_recip, real_recip, 0.5, 1 },
	{ "tanh", NPU_VTANH, ref_tanh, tanh, 1.4, 0.631044209f },
	{ "erf", NPU_VERF, ref_erf, erf, 1.3, 0.939485371f },
};

/* Distance in units of the last place of the true value. */
static double ulps(float x, double real)
{
	int exponent;

	if (isnan(x) || isnan(real))
		return isnan(x) && isnan(real) ? 0 : INFINITY;
	if (fabs(real) >= 0x1.ffffffp127)
		return isinf(x) && !signbit(x) == !signbit(real) ? 0 : INFINITY;
	if (isinf(x))
		return INFINITY;
	exponent = real ? ilogb(real) : -126;
	return fabs(x - real) / ldexp(1, (exponent < -126 ? -126 : exponent) - 23);
}

static void run(unsigned int opcode)
{
	if (vm_exec(&vm, VECTOR, NPU_VEC_OP, NPU_UB_BASE + OUT, NPU_UB_BASE, 0,
		    vec_config(opcode, NPU_F32, COUNT))) {
		printf("Bail out! refused\n");
		exit(1);
	}
	npu_tile_settle(&vm.tile);
}

/* Values into UB, from @bits on, @stride apart. */
static uint64_t set_values(uint64_t bits, unsigned int stride)
{
	uint32_t *x = (uint32_t *)vm.tile.ub;

	for (unsigned int i = 0; i < COUNT; i++, bits += stride)
		x[i] = (uint32_t)bits;
	return bits;
}

struct worst {
	double ulps;
	float x;
};

/* Is the function of the values in UB as specified? */
static bool check(const struct function *fn, struct worst *worst)
{
	const float *x = (float *)vm.tile.ub, *y = (float *)(vm.tile.ub + OUT);
	double error;

	run(fn->opcode);
	for (unsigned int i = 0; i < COUNT; i++) {
		if (ref_bits(y[i]) != ref_bits(fn->specified(x[i]))) {
			printf("# %s(%a) is %a, should be %a\n", fn->name, x[i], y[i],
			       fn->specified(x[i]));
			return false;
		}
		error = ulps(y[i], fn->real(x[i]));
		if (error > worst->ulps)
			*worst = (struct worst){ error, x[i] };
	}
	return true;
}

static void test_function(const struct function *fn)
{
	struct worst worst = { 0 };
	uint64_t bits = 0;
	bool same;

	set_values(ref_bits(fn->worst) - COUNT / 2, 1);
	same = check(fn, &worst);
	while (same && bits <= UINT32_MAX) {
		bits = set_values(bits, STRIDE);
		same = check(fn, &worst);
	}
	ok(same, "%s: %s as specified", npu_tile_isa_name(&vm.tile), fn->name);
	printf("# %s: at most %.3f ulp, at %a\n", fn->name, worst.ulps, worst.x);
	ok(worst.ulps <= fn->max_ulp, "%s within %.1f ulp", fn->name, fn->max_ulp);
}

static void test_special(void)
{
	static const struct {
		unsigned int opcode;
		float x, y;
	} specials[] = {
		{ NPU_VEXP, INFINITY, INFINITY }, { NPU_VEXP, -INFINITY, 0.0f },
		{ NPU_VEXP, -0.0f, 1.0f }, { NPU_VEXP, 0x1p-149f, 1.0f },
		{ NPU_VEXP, -103.0f, 0x1p-149f },
		{ NPU_VLN, 0.0f, -INFINITY }, { NPU_VLN, -0.0f, -INFINITY },
		{ NPU_VLN, 1.0f, 0.0f }, { NPU_VLN, INFINITY, INFINITY }, { NPU_VLN, -1.0f, NAN },
		{ NPU_VLN, 0x1p-149f, -103.27893f }, { NPU_VLN, -INFINITY, NAN },
		{ NPU_VSQRT, -0.0f, -0.0f }, { NPU_VSQRT, -1.0f, NAN },
		{ NPU_VSQRT, 0x1p-148f, 0x1p-74f },
		{ NPU_VRSQRT, 0.0f, INFINITY }, { NPU_VRSQRT, -0.0f, -INFINITY },
		{ NPU_VRSQRT, INFINITY, 0.0f }, { NPU_VRSQRT, -1.0f, NAN },
		{ NPU_VRECIP, -0.0f, -INFINITY }, { NPU_VRECIP, -INFINITY, -0.0f },
		{ NPU_VTANH, -0.0f, -0.0f }, { NPU_VTANH, INFINITY, 1.0f },
		{ NPU_VTANH, -INFINITY, -1.0f }, { NPU_VTANH, 0x1p-149f, 0x1p-149f },
		{ NPU_VERF, -0.0f, -0.0f }, { NPU_VERF, INFINITY, 1.0f },
		{ NPU_VERF, -INFINITY, -1.0f }, { NPU_VERF, NAN, NAN },
	};
	float *x = (float *)vm.tile.ub, *y = (float *)(vm.tile.ub + OUT);
	bool pass = true;

	for (unsigned int i = 0; i < REF_COUNT(specials); i++) {
		x[0] = specials[i].x;
		run(specials[i].opcode);
		if (ref_bits(y[0]) == ref_bits(ref_canonical(specials[i].y)))
			continue;
		printf("# operation 0x%02x of %a is %a\n", specials[i].opcode, x[0], y[0]);
		pass = false;
	}
	ok(pass, "%s: infinities, zeros, denormals and NaN", npu_tile_isa_name(&vm.tile));
}

int main(void)
{
	vm_init(&vm);
	for (unsigned int isa = 0; isa < REF_COUNT(vm_isas); isa++) {
		if (!vm_use_isa(&vm, vm_isas[isa]))
			continue;
		for (unsigned int i = 0; i < REF_COUNT(functions); i++)
			test_function(&functions[i]);
		test_special();
	}
	vm_fini(&vm);
	return tap_done();
}

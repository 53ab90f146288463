// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each intrinsic of the SDK, plain and typed, does what its name says: with operands in the order
 * that it says, of the type, with the pitches. Numbers are small and exact where operations are;
 * results to the bit are the device's affair, tests/device.
 */
#include "intrinsics.h"
#include "ref.h"

/* Of one element; @before: what dst has, or the row's result so far. */
struct operands {
	double a, b, before, addend;
	bool mask;
	unsigned int i, bits;
};

enum kind { ELEMENTS, MASK, REDUCTION, INDEX };
enum form { SRC1_ELEMENTS, SRC1_SCALAR, SRC1_ROW };

struct operation {
	const char *name;
	uint32_t op, types;
	enum kind kind;
	enum form form;
	bool scaled;
	double (*result)(const struct operands *x);
};

#define REFERENCE(name, code, types, expression)                                                   \
	static double ref_##name(const struct operands *x)                                         \
	{                                                                                          \
		return expression;                                                                 \
	}
UNARY_SCALED(REFERENCE)
UNARY(REFERENCE)
REDUCE_SCALED(REFERENCE)
REDUCE(REFERENCE)
REDUCE_INDEX(REFERENCE)
BINARY_SCALED(REFERENCE)
BINARY(REFERENCE)
REDUCE_BINARY_SCALED(REFERENCE)
COMPARE(REFERENCE)
FILL(REFERENCE)

#define TYPE_BIT(type, dtype, ...) | 1u << dtype
#define FORM(name, suffix, types, kind, form, scaled)                                              \
	{ #name #suffix, OP_##name##suffix, 0 types(TYPE_BIT), kind, form, scaled, ref_##name },
#define FORMS(name, types, kind)                                                                   \
	FORM(name, , types, kind, SRC1_ELEMENTS, false)                                            \
	FORM(name, s, types, kind, SRC1_SCALAR, false)                                             \
	FORM(name, r, types, kind, SRC1_ROW, false)
#define FORMS_SCALED(name, types, kind)                                                            \
	FORMS(name, types, kind)                                                                   \
	FORM(name, _scaled, FLOATS, kind, SRC1_ELEMENTS, true)                                     \
	FORM(name, s_scaled, FLOATS, kind, SRC1_SCALAR, true)                                      \
	FORM(name, r_scaled, FLOATS, kind, SRC1_ROW, true)
#define LIST_UNARY(name, code, types, ...) FORM(name, , types, ELEMENTS, SRC1_ELEMENTS, false)
#define LIST_UNARY_SCALED(name, code, types, ...)                                                  \
	FORM(name, , types, ELEMENTS, SRC1_ELEMENTS, false)                                        \
	FORM(name, _scaled, FLOATS, ELEMENTS, SRC1_ELEMENTS, true)
#define LIST_REDUCE(name, code, types, ...) FORM(name, , types, REDUCTION, SRC1_ELEMENTS, false)
#define LIST_REDUCE_SCALED(name, code, types, ...)                                                 \
	FORM(name, , types, REDUCTION, SRC1_ELEMENTS, false)                                       \
	FORM(name, _scaled, FLOATS, REDUCTION, SRC1_ELEMENTS, true)
#define LIST_REDUCE_INDEX(name, code, types, ...) FORM(name, , types, INDEX, SRC1_ELEMENTS, false)
#define LIST_BINARY(name, code, types, ...) FORMS(name, types, ELEMENTS)
#define LIST_BINARY_SCALED(name, code, types, ...) FORMS_SCALED(name, types, ELEMENTS)
#define LIST_REDUCE_BINARY_SCALED(name, code, types, ...) FORMS_SCALED(name, types, REDUCTION)
#define LIST_COMPARE(name, code, types, ...) FORMS(name, types, MASK)
#define LIST_FILL(name, code, types, ...) FORM(name, , types, ELEMENTS, SRC1_SCALAR, false)

static const struct operation operations[] = {
	UNARY_SCALED(LIST_UNARY_SCALED)
	UNARY(LIST_UNARY)
	REDUCE_SCALED(LIST_REDUCE_SCALED)
	REDUCE(LIST_REDUCE)
	REDUCE_INDEX(LIST_REDUCE_INDEX)
	BINARY_SCALED(LIST_BINARY_SCALED)
	BINARY(LIST_BINARY)
	REDUCE_BINARY_SCALED(LIST_REDUCE_BINARY_SCALED)
	COMPARE(LIST_COMPARE)
	FILL(LIST_FILL)
};

static const struct operation cast = { .name = "vcast", .op = OP_vcast, .types = 0 ALL(TYPE_BIT) };

static const char *const dtypes[] = {
	[NPU_F32] = "f32", [NPU_F16] = "f16", [NPU_BF16] = "bf16", [NPU_S32] = "s32",
	[NPU_S8] = "s8",   [NPU_U8] = "u8",   [NPU_S16] = "s16",
};

static bool is_float(unsigned int dtype)
{
	return dtype <= NPU_BF16;
}

/* A whole number as @dtype has it: floats have halves, too. */
static double unit(unsigned int dtype)
{
	return is_float(dtype) ? 0.5 : 1;
}

static double scalar_of(unsigned int dtype)
{
	return dtype == NPU_U8 ? 3 : -3 * unit(dtype);
}

static const double shifts[ROWS] = { 0.5, -1, 1.5 }, factors[ROWS] = { 2, -1, 0.5 };

/* What an operation finds in UB. */
static void set_up(const struct operation *o, unsigned int dtype, uint8_t *image)
{
	static const struct {
		unsigned int times, modulo;
		int less;
	} areas[AREAS] = { { 3, 17, 6 }, { 7, 23, 11 }, { 5, 13, 4 }, { 11, 19, 9 } };

	memset(image, 0, AREAS * AREA);
	for (unsigned int i = AREA_DST; i <= AREA_EXTRA; i++)
		for (unsigned int k = 0; k < AREA / ref_bytes(dtype); k++)
			ref_set(image + i * AREA, k, dtype,
				((int)(k * areas[i].times % areas[i].modulo) - areas[i].less) *
					unit(dtype));
	for (unsigned int k = 0; k < AREA && o->result == ref_vselect; k++)
		image[AREA_EXTRA * AREA + k] = k * 37 + 11;
	for (unsigned int r = 0; r < ROWS; r++) {
		ref_set(image + AREA_SHIFT * AREA + r * SCALE_PITCH, 0, NPU_F32, shifts[r]);
		ref_set(image + AREA_FACTOR * AREA + r * SCALE_PITCH, 0, NPU_F32, factors[r]);
	}
}

/* What a conversion to @dtype makes of a number; ref_set() rounds it to a float. */
static double converted(double x, unsigned int dtype, bool truncates)
{
	const double most = ldexp(1, 8 * (int)ref_bytes(dtype) - (dtype != NPU_U8)) - 1;
	const double least = dtype == NPU_U8 ? 0 : -most - 1;

	if (is_float(dtype))
		return x;
	x = truncates ? trunc(x) : nearbyint(x);
	return fmax(least, fmin(x, most));
}

/* What row @r has of element @i. */
static struct operands operands_of(const struct operation *o, const struct vector_args *args,
				   const uint8_t *image, unsigned int r, unsigned int i)
{
	const uint8_t *src1 = image + AREA_SRC1 * AREA + r * SRC1_PITCH;
	const uint8_t *extra = image + AREA_EXTRA * AREA + r * EXTRA_PITCH;
	const unsigned int dtype = args->dtype;
	struct operands x = {
		.a = ref_get(image + AREA_SRC0 * AREA + r * SRC0_PITCH, i, dtype),
		.b = o->form == SRC1_SCALAR ? scalar_of(dtype) :
					      ref_get(src1, o->form == SRC1_ROW ? 0 : i, dtype),
		.before = ref_get(image + AREA_DST * AREA + r * DST_PITCH, i, dtype),
		.addend = ref_get(extra, i, dtype),
		.mask = extra[i / 8] >> i % 8 & 1,
		.i = i,
		.bits = 8 * ref_bytes(dtype),
	};

	if (o->scaled)
		x.a = (x.a - shifts[r]) * factors[r];
	return x;
}

/* One row of the result, in @image; returns how many elements there are. */
static unsigned int reference_row(const struct operation *o, const struct vector_args *args,
				  uint8_t *image, unsigned int r)
{
	uint8_t *dst = image + AREA_DST * AREA + r * DST_PITCH;
	double before = 0, index = 0;
	uint8_t mask[DST_PITCH] = { 0 };

	for (unsigned int i = 0; i < COUNT; i++) {
		struct operands x = operands_of(o, args, image, r, i);
		double y;

		if (o->kind == REDUCTION || o->kind == INDEX)
			x.before = before;
		y = o->result ? o->result(&x) : converted(x.a, args->to, args->trunc);
		if (o->kind == ELEMENTS)
			ref_set(dst, i, args->to, y);
		else if (o->kind == MASK)
			mask[i / 8] |= (y != 0) << i % 8;
		else if (o->kind == REDUCTION)
			before = y;
		else if (y) {
			before = x.a;
			index = i;
		}
	}
	if (o->kind == ELEMENTS)
		return COUNT;
	if (o->kind == MASK)
		memcpy(dst, mask, (COUNT + 7) / 8);
	else
		ref_set(dst, 0, args->to, o->kind == INDEX ? index : before);
	return o->kind == MASK ? 0 : 1;
}

/* Functions are as exact as their type, within the last place or two. */
static bool close_to(double x, double y, unsigned int dtype)
{
	const double error = dtype == NPU_F32 ? 0x1p-21 : dtype == NPU_F16 ? 0x1p-10 : 0x1p-7;

	return x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= error * fabs(y);
}

/* The results in @got; all else in UB is as it was. */
static bool compare(const struct operation *o, const struct vector_args *args, uint8_t *want,
		    const uint8_t *got, unsigned int rows)
{
	const size_t bytes = ref_bytes(args->to);

	for (unsigned int r = 0; r < rows; r++) {
		const unsigned int count = reference_row(o, args, want, r);
		const size_t at = AREA_DST * AREA + r * DST_PITCH;

		for (unsigned int i = 0; i < count && is_float(args->to); i++)
			if (close_to(ref_get(got + at, i, args->to),
				     ref_get(want + at, i, args->to), args->to))
				memcpy(want + at + i * bytes, got + at + i * bytes, bytes);
	}
	for (unsigned int k = 0; k < AREAS * AREA; k++) {
		if (want[k] == got[k])
			continue;
		printf("# %s of %s to %s: UB at 0x%x is %g, should be %g\n", o->name,
		       dtypes[args->dtype], dtypes[args->to], k / 4 * 4,
		       ref_get(got + k / 4 * 4, 0, args->to),
		       ref_get(want + k / 4 * 4, 0, args->to));
		return false;
	}
	return true;
}

struct vector_test {
	struct core *core;
	const struct kernel_module *module;
	uint8_t *in, *out;
	struct vector_args args;
};

static bool run_vector(struct vector_test *t, const char *kernel, const struct operation *o,
		       unsigned int rows)
{
	uint8_t want[AREAS * AREA];

	set_up(o, t->args.dtype, t->in);
	memcpy(want, t->in, sizeof(want));
	memset(t->out, 0, sizeof(want));
	t->args.op = o->op;
	t->args.scalar = scalar_of(t->args.dtype);
	t->args.bits = 0;
	ref_set(&t->args.bits, 0, t->args.dtype, t->args.scalar);
	return ref_run(t->core, t->module, kernel, &t->args, sizeof(t->args), 1) &&
	       compare(o, &t->args, want, t->out, rows);
}

static void run_operation(struct vector_test *t, const struct operation *o)
{
	unsigned int types = 0;
	bool plain = true, typed = true;

	for (uint32_t dtype = 0; dtype < NPU_DTYPE_COUNT; dtype++) {
		if (!(o->types >> dtype & 1))
			continue;
		types++;
		t->args.dtype = dtype;
		t->args.to = o->kind == INDEX ? NPU_S32 : dtype;
		plain = run_vector(t, "plain_vector", o, ROWS) && plain;
		typed = run_vector(t, "typed_vector", o, ROWS) && typed;
	}
	ok(plain, "intrinsic %s, %u types", o->name, types);
	ok(typed, "intrinsic t%s, %u types", o->name, types);
}

static void run_cast(struct vector_test *t, uint32_t dtype)
{
	bool plain = true, typed = true;

	t->args.dtype = dtype;
	for (t->args.to = 0; t->args.to < NPU_DTYPE_COUNT; t->args.to++) {
		for (t->args.trunc = 0; t->args.trunc < 2; t->args.trunc++) {
			plain = run_vector(t, "plain_vector", &cast, ROWS) && plain;
			typed = run_vector(t, "typed_vector", &cast, ROWS) && typed;
		}
	}
	t->args.trunc = 0;
	ok(plain, "intrinsic vcast of %s", dtypes[dtype]);
	ok(typed, "intrinsic tvcast of %s", dtypes[dtype]);
}

static void test_vectors(struct core *core, const struct kernel_module *module)
{
	struct vector_test t = { .core = core, .module = module };
	const struct operation *move = operations;

	while (move->op != OP_vmov)
		move++;
	t.in = core_alloc(core, AREAS * AREA, &t.args.in);
	t.out = core_alloc(core, AREAS * AREA, &t.args.out);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		run_operation(&t, &operations[i]);
	for (uint32_t dtype = 0; dtype < NPU_DTYPE_COUNT; dtype++)
		run_cast(&t, dtype);
	t.args.dtype = t.args.to = NPU_F32;
	ok(run_vector(&t, "plain_one_row", move, 1), "intrinsic vec_one_row");
	core_release(core);
}

/* Memory after the moves, with elements of @dtype. */
static void reference_moves(const void *in, unsigned int dtype, void *out)
{
	for (unsigned int r = 0; r < MOVE_ROWS; r++) {
		for (unsigned int c = 0; c < MOVE_LOCAL; c++) {
			const double x = c < MOVE_COLS ? ref_get(in, r * MOVE_STRIDE + c, dtype) :
							 MOVE_NUMBER_L1;

			ref_set(out, MOVE_FILLED + r * MOVE_LOCAL + c, dtype, x);
			if (c < MOVE_COLS)
				ref_set(out, MOVE_L1_2D + r * MOVE_COLS + c, dtype, x);
			if (c <= MOVE_COLS)
				ref_set(out, MOVE_CHAIN + r * MOVE_OUT_STRIDE + c, dtype,
					c < MOVE_COLS ? x : MOVE_NUMBER_UB);
		}
	}
	for (unsigned int i = 0; i < MOVE_IN; i++) {
		ref_set(out, MOVE_L1 + i, dtype, ref_get(in, i, dtype));
		ref_set(out, MOVE_UB + i, dtype, ref_get(in, i, dtype));
	}
}

static void run_moves(struct core *core, const struct kernel_module *module, const char *kernel,
		      uint32_t dtype)
{
	const size_t bytes = ref_bytes(dtype);
	struct matrix_args args = { .dtype = dtype };
	uint8_t *in = core_alloc(core, MOVE_IN * bytes, &args.in), want[MOVE_OUT * 4] = { 0 };
	const uint8_t *out = core_alloc(core, MOVE_OUT * bytes, &args.out);

	for (unsigned int i = 0; i < MOVE_IN; i++)
		ref_set(in, i, dtype, i + 16);
	reference_moves(in, dtype, want);
	ok(ref_run(core, module, kernel, &args, sizeof(args), 1) &&
		   !memcmp(out, want, MOVE_OUT * bytes),
	   "intrinsics of copies and fills: %s, %s", kernel, dtypes[dtype]);
	core_release(core);
}

/* An element of C, or of F. */
static double sum_of(const double *in, unsigned int row, unsigned int col, bool f)
{
	double sum = f ? CUBE_NUMBER : 0;

	for (unsigned int k = 0; k < CUBE_K; k++) {
		const double a = in[CUBE_A + row * CUBE_K + k], b = in[CUBE_B + col * CUBE_K + k];
		const double d = in[CUBE_D + k * CUBE_M + row], e = in[CUBE_E + k * CUBE_N + col];

		sum += f ? a * b : a * b + 2 * a + d * e + e;
	}
	return sum;
}

static void reference_cube(const double *in, const struct matrix_args *args, void *out)
{
	for (unsigned int i = 0; i < 2 * CUBE_M * CUBE_N; i++) {
		const unsigned int row = i / CUBE_N % CUBE_M, col = i % CUBE_N;
		const bool f = i >= CUBE_M * CUBE_N;
		double sum = sum_of(in, row, col, f);

		if (args->scale)
			sum *= args->scale;
		if (args->flags && !(sum > 0))
			sum = 0;
		ref_set(out, (f ? CUBE_F : CUBE_C) + row * CUBE_STRIDE + col, args->to,
			converted(sum, args->to, false));
	}
}

struct cube_type {
	uint32_t dtype, mmad, sum;
};

static bool run_cube(struct core *core, const struct kernel_module *module, const char *kernel,
		     const struct cube_type *type, struct matrix_args args)
{
	const size_t bytes = CUBE_OUT * ref_bytes(args.to);
	void *in = core_alloc(core, CUBE_IN * ref_bytes(type->mmad), &args.in);
	const void *out = core_alloc(core, bytes, &args.out);
	uint8_t want[CUBE_OUT * 4] = { 0 };
	double values[CUBE_IN];
	bool pass;

	args.dtype = type->dtype;
	for (unsigned int i = 0; i < CUBE_IN; i++) {
		values[i] = ((int)(i * 5 % 11) - 4) * unit(type->mmad);
		ref_set(in, i, type->mmad, values[i]);
	}
	reference_cube(values, &args, want);
	pass = ref_run(core, module, kernel, &args, sizeof(args), 1) && !memcmp(out, want, bytes);
	if (!pass)
		printf("# %s of %s to %s, memory %u, flags %u\n", kernel, dtypes[type->dtype],
		       dtypes[args.to], args.memory, args.flags);
	core_release(core);
	return pass;
}

/* What sums can become, and with which scale. */
static const struct {
	uint32_t sum, to;
	float scale;
} results[] = {
	{ NPU_F32, NPU_F32, 0 },      { NPU_F32, NPU_F16, 0 },
	{ NPU_F32, NPU_BF16, 0 },     { NPU_S32, NPU_S32, 0 },
	{ NPU_S32, NPU_F32, -0.25f }, { NPU_S32, NPU_F16, 0.5f },
	{ NPU_S32, NPU_S8, 0.75f },
};

static void run_cubes(struct core *core, const struct kernel_module *module, const char *kernel,
		      const struct cube_type *type)
{
	bool pass = true;

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct matrix_args args = { .to = results[i].to, .scale = results[i].scale };

		if (results[i].sum != type->sum)
			continue;
		for (args.memory = TO_GM; args.memory <= TO_UB; args.memory++)
			for (args.flags = 0; args.flags <= 1; args.flags++)
				pass = run_cube(core, module, kernel, type, args) && pass;
	}
	ok(pass, "intrinsics of the cube: %s, %s", kernel, dtypes[type->dtype]);
}

static void run_system(struct core *core, const struct kernel_module *module)
{
	struct system_args args = { 0 };
	const uint64_t *out = core_alloc(core, 8 * sizeof(*out), &args.out);
	static const uint64_t want[8] = { 0, 2, 0, 1, 1, 2, 0, 1 };

	ok(ref_run(core, module, "plain_system", &args, sizeof(args), 2) &&
		   !memcmp(out, want, sizeof(want)),
	   "intrinsic info");
	args.code = 77;
	ok(core_run(core, module, "plain_system", &args, sizeof(args), 1) == NPU_ST_KERNEL_TRAP &&
		   core_fault(core)->address == args.code,
	   "intrinsic trap");
	core_release(core);
}

#define CUBE_TYPE(type, dtype, mmad, mmad_dtype, sum, sum_dtype, ...)                              \
	{ dtype, mmad_dtype, sum_dtype },

void test_intrinsics(struct core *core, const struct modules *modules)
{
	static const struct cube_type types[] = { CUBE_TYPES(CUBE_TYPE) };

	test_vectors(core, modules->intrinsics);
	for (uint32_t dtype = 0; dtype < NPU_DTYPE_COUNT; dtype++) {
		run_moves(core, modules->intrinsics, "plain_moves", dtype);
		run_moves(core, modules->intrinsics, "typed_moves", dtype);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		run_cubes(core, modules->intrinsics, "plain_cube", &types[i]);
		run_cubes(core, modules->intrinsics, "typed_cube", &types[i]);
	}
	run_system(core, modules->intrinsics);
}

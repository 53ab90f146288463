// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every vector operation on every type against a scalar reference, at every CPU level: random
 * shapes, pitches, broadcasts and scalars, in place and not; all of UB is compared.
 */
#include "tap.h"
#include "tile_ref_math.h"
#include "tile_vm.h"

#define ROUNDS 24
#define REGION 0xc000u /* of UB, for each operand */
#define SHIFTS 0x2f000u /* behind masks */
#define FACTORS 0x2f800u

static struct tile_vm vm;
static uint8_t expected[NPU_UB_SIZE];

/* An operation as the test sets it up; offsets in UB. */
struct op {
	unsigned int opcode, dtype, dst_dtype, count, rows;
	uint32_t dst, src0, src1, mask;
	uint32_t dst_pitch, src0_pitch, src1_pitch, mask_pitch, scale_pitch;
	bool scalar, per_row, trunc, scaled;
	uint32_t shifts, factors; /* 0: none */
	float shift, factor; /* of the row */
	uint64_t scalar_bits;
};

static float float_result(const struct op *op, float a, float b, float d, unsigned int i)
{
	switch (op->opcode) {
	case NPU_VNEG:
		return -a;
	case NPU_VABS:
		return fabsf(a);
	case NPU_VRELU:
		return isnan(a) ? a : a > 0 ? a : 0.0f;
	case NPU_VEXP:
		return ref_exp(a);
	case NPU_VLN:
		return ref_ln(a);
	case NPU_VSQRT:
		return sqrtf(a);
	case NPU_VRSQRT:
		return 1.0f / sqrtf(a);
	case NPU_VRECIP:
		return 1.0f / a;
	case NPU_VTANH:
		return ref_tanh(a);
	case NPU_VERF:
		return ref_erf(a);
	case NPU_VINDEX:
		return b + (float)i;
	case NPU_VADD:
		return a + b;
	case NPU_VSUB:
		return a - b;
	case NPU_VMUL:
		return a * b;
	case NPU_VDIV:
		return a / b;
	case NPU_VMAX:
		return isnan(a) || isnan(b) ? NAN : a > b || (a == b && !signbit(a)) ? a : b;
	case NPU_VMIN:
		return isnan(a) || isnan(b) ? NAN : a < b || (a == b && signbit(a)) ? a : b;
	case NPU_VMADD:
		return fmaf(a, d, b);
	default:
		return fmaf(a, b, d);
	}
}

static int64_t int_result(const struct op *op, int64_t a, int64_t b, int64_t d, unsigned int i)
{
	const unsigned int shift = b & (8 * ref_size[op->dtype] - 1);

	switch (op->opcode) {
	case NPU_VNEG:
		return -a;
	case NPU_VABS:
		return llabs(a);
	case NPU_VRELU:
		return a > 0 ? a : 0;
	case NPU_VNOT:
		return ~a;
	case NPU_VINDEX:
		return b + i;
	case NPU_VADD:
		return a + b;
	case NPU_VSUB:
		return a - b;
	case NPU_VMUL:
		return a * b;
	case NPU_VMAX:
		return a > b ? a : b;
	case NPU_VMIN:
		return a < b ? a : b;
	case NPU_VMLA:
		return (int64_t)((uint64_t)a * (uint64_t)b + (uint64_t)d);
	case NPU_VMADD:
		return (int64_t)((uint64_t)a * (uint64_t)d + (uint64_t)b);
	case NPU_VAND:
		return a & b;
	case NPU_VOR:
		return a | b;
	case NPU_VXOR:
		return a ^ b;
	case NPU_VSHL:
		return (int64_t)((uint64_t)a << shift);
	default:
		return a >> shift;
	}
}

static bool compare_result(unsigned int opcode, double a, double b)
{
	switch (opcode) {
	case NPU_VCMP_EQ:
		return a == b;
	case NPU_VCMP_NE:
		return a != b;
	case NPU_VCMP_LT:
		return a < b;
	case NPU_VCMP_LE:
		return a <= b;
	case NPU_VCMP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

static double value(unsigned int dtype, uint32_t bits)
{
	return ref_is_float(dtype) ? ref_f32(dtype, bits) : (double)ref_int(dtype, bits);
}

static uint32_t cast_result(const struct op *op, uint32_t bits)
{
	const double x = value(op->dtype, bits);

	if (ref_is_float(op->dst_dtype))
		return ref_from_f32(op->dst_dtype, (float)x);
	return ref_saturate(op->dst_dtype, op->trunc ? trunc(x) : nearbyint(x));
}

static float scaled(const struct op *op, float x)
{
	return op->scaled ? (x - op->shift) * op->factor : x;
}

static float element(const struct op *op, const uint8_t *src, unsigned int i)
{
	return ref_f32(op->dtype, ref_raw(op->dtype, src + i * ref_size[op->dtype]));
}

/* Lane i % 64, then halves. */
static float sum_row(const struct op *op, const uint8_t *src0, const uint8_t *src1)
{
	const bool single = op->scalar || op->per_row;
	float lane[64] = { 0 };

	for (unsigned int i = 0; i < op->count; i++) {
		const float x = scaled(op, element(op, src0, i));

		if (op->opcode == NPU_VDOT)
			lane[i % 64] = fmaf(x, element(op, src1, single ? 0 : i), lane[i % 64]);
		else if (op->opcode == NPU_VSUMSQ)
			lane[i % 64] = fmaf(x, x, lane[i % 64]);
		else
			lane[i % 64] += x;
	}
	for (unsigned int half = 32; half; half /= 2)
		for (unsigned int i = 0; i < half; i++)
			lane[i] += lane[i + half];
	return lane[0];
}

/* Index of the extreme; NaN before all; of +0 and -0 the greater for its value. */
static unsigned int extreme(const struct op *op, const uint8_t *src, bool by_value)
{
	const bool max = op->opcode == NPU_VREDMAX || op->opcode == NPU_VARGMAX;
	unsigned int best = 0;

	for (unsigned int i = 1; i < op->count; i++) {
		double x = value(op->dtype, ref_raw(op->dtype, src + i * ref_size[op->dtype]));
		double y = value(op->dtype, ref_raw(op->dtype, src + best * ref_size[op->dtype]));

		if (isnan(y))
			break;
		if (isnan(x) || (max ? x > y : x < y) ||
		    (by_value && x == y && ref_is_float(op->dtype) && !signbit(x) == max))
			best = i;
	}
	return best;
}

static void reduce_row(const struct op *op, uint8_t *dst, const uint8_t *src,
		       const uint8_t *src1)
{
	const unsigned int size = ref_size[op->dtype];
	uint32_t bits = 0;

	switch (op->opcode) {
	case NPU_VARGMAX:
	case NPU_VARGMIN:
		bits = extreme(op, src, false);
		memcpy(dst, &bits, 4);
		return;
	case NPU_VSUM:
	case NPU_VDOT:
	case NPU_VSUMSQ:
		if (op->dtype == NPU_S32)
			for (unsigned int i = 0; i < op->count; i++)
				bits += ref_raw(NPU_S32, src + i * 4);
		else
			bits = ref_from_f32(op->dtype, sum_row(op, src, src1));
		break;
	default:
		bits = ref_raw(op->dtype, src + extreme(op, src, true) * size);
		if (ref_is_float(op->dtype))
			bits = ref_from_f32(op->dtype, ref_f32(op->dtype, bits));
		break;
	}
	memcpy(dst, &bits, size);
}

static uint32_t element_result(const struct op *op, uint32_t a, uint32_t b, uint32_t d,
			       unsigned int i)
{
	const unsigned int t = op->dtype;

	switch (op->opcode) {
	case NPU_VMOV:
		return a;
	case NPU_VDUP:
		return b;
	case NPU_VCAST:
		return cast_result(op, a);
	default:
		if (ref_is_float(t))
			return ref_from_f32(t, float_result(op, scaled(op, ref_f32(t, a)),
							    ref_f32(t, b), ref_f32(t, d), i));
		return int_result(op, ref_int(t, a), ref_int(t, b), ref_int(t, d), i);
	}
}

static void reference_row(const struct op *op, unsigned int row)
{
	const unsigned int size = ref_size[op->dtype];
	const unsigned int dst_size = op->opcode == NPU_VCAST ? ref_size[op->dst_dtype] : size;
	uint8_t *dst = expected + op->dst + row * op->dst_pitch;
	const uint8_t *src0 = expected + op->src0 + row * op->src0_pitch;
	const uint8_t *src1 = op->scalar ? (const uint8_t *)&op->scalar_bits :
					   expected + op->src1 + row * op->src1_pitch;
	const uint8_t *mask = expected + op->mask + row * op->mask_pitch;
	const bool single = op->scalar || op->per_row;
	const uint8_t *addend = op->opcode == NPU_VFMA ? mask : dst;
	const uint32_t element = ref_raw(op->dtype, src1);
	uint8_t bits[REGION / 8] = { 0 };

	if (op->opcode >= NPU_VSUM) {
		reduce_row(op, dst, src0, src1);
		return;
	}
	for (unsigned int i = 0; i < op->count; i++) {
		uint32_t a = ref_raw(op->dtype, src0 + i * size), r;
		uint32_t b = single ? element : ref_raw(op->dtype, src1 + i * size);

		if (op->opcode >= NPU_VCMP_EQ && op->opcode <= NPU_VCMP_GE) {
			r = compare_result(op->opcode, value(op->dtype, a), value(op->dtype, b));
			bits[i / 8] |= r << i % 8;
			continue;
		}
		if (op->opcode == NPU_VSELECT)
			r = mask[i / 8] >> i % 8 & 1 ? a : b;
		else
			r = element_result(op, a, b, ref_raw(op->dtype, addend + i * size), i);
		memcpy(dst + i * dst_size, &r, dst_size);
	}
	if (op->opcode >= NPU_VCMP_EQ && op->opcode <= NPU_VCMP_GE)
		memcpy(dst, bits, (op->count + 7) / 8);
}

/* A row's shift or factor. */
static float row_scale(const struct op *op, uint32_t at, unsigned int row, float none)
{
	return at ? ref_f32(NPU_F32, ref_raw(NPU_F32, expected + at + row * op->scale_pitch)) :
		    none;
}

static void reference(struct op *op)
{
	for (unsigned int row = 0; row < op->rows; row++) {
		op->shift = row_scale(op, op->shifts, row, 0);
		op->factor = row_scale(op, op->factors, row, 1);
		reference_row(op, row);
	}
}

static uint64_t scale_address(uint32_t at)
{
	return at ? NPU_UB_BASE + at : 0;
}

static bool run(struct op *op)
{
	uint64_t config = vec_config(op->opcode, op->dtype, op->count) |
			  NPU_PREP(NPU_VEC_DST_DTYPE, op->dst_dtype) |
			  (op->scalar ? NPU_VEC_SCALAR : 0) | (op->per_row ? NPU_VEC_PER_ROW : 0) |
			  (op->trunc ? NPU_VEC_TRUNC : 0) | (op->scaled ? NPU_VEC_SCALED : 0);

	vm_repeat(&vm, op->rows, op->dst_pitch, op->src0_pitch, op->src1_pitch);
	vm_exec(&vm, VECTOR, NPU_VEC_MASK, 0, NPU_UB_BASE + op->mask, op->mask_pitch, 0);
	vm_exec(&vm, VECTOR, NPU_VEC_SCALE, 0, scale_address(op->shifts),
		scale_address(op->factors), op->scale_pitch);
	memcpy(expected, vm.tile.ub, sizeof(expected));
	reference(op);
	if (vm_exec(&vm, VECTOR, NPU_VEC_OP, NPU_UB_BASE + op->dst, NPU_UB_BASE + op->src0,
		    op->scalar ? op->scalar_bits : NPU_UB_BASE + op->src1, config))
		return false;
	npu_tile_settle(&vm.tile);
	return !memcmp(expected, vm.tile.ub, sizeof(expected));
}

static void report(const struct op *op)
{
	printf("# count %u rows %u at 0x%x 0x%x 0x%x pitches %u %u %u%s%s%s%s to %s: status %d\n",
	       op->count, op->rows, op->dst, op->src0, op->src1, op->dst_pitch, op->src0_pitch,
	       op->src1_pitch, op->scalar ? " scalar" : "", op->per_row ? " per row" : "",
	       op->trunc ? " trunc" : "", op->scaled ? " scaled" : "",
	       ref_names[op->dst_dtype], vm.tile.error.status);
	for (unsigned int i = 0; i < sizeof(expected); i++) {
		if (expected[i] == vm.tile.ub[i])
			continue;
		i &= ~3u;
		printf("# at 0x%x %08x, should be %08x\n", i, ref_raw(NPU_S32, vm.tile.ub + i),
		       ref_raw(NPU_S32, expected + i));
		break;
	}
}

static uint32_t random_pitch(uint32_t row_bytes, bool broadcast)
{
	if (broadcast && !ref_below(4))
		return 0;
	return ref_pad(row_bytes) + 32 * ref_below(2);
}

static bool takes_src1(unsigned int opcode)
{
	return (opcode >= NPU_VADD && opcode <= NPU_VSELECT) || opcode == NPU_VDOT;
}

static bool takes_scale(const struct op *op)
{
	const unsigned int opcode = op->opcode;

	return ref_is_float(op->dtype) &&
	       ((opcode >= NPU_VNEG && opcode <= NPU_VERF) ||
		(opcode >= NPU_VADD && opcode <= NPU_VFMA) || opcode == NPU_VSUM ||
		opcode == NPU_VDOT || opcode == NPU_VSUMSQ);
}

static void random_scale(struct op *op)
{
	op->scaled = takes_scale(op) && ref_below(2);
	op->shifts = ref_below(4) ? SHIFTS : 0;
	op->factors = ref_below(4) ? FACTORS : 0;
	op->scale_pitch = random_pitch(4, true);
}

/* A random shape for an operation; operands in regions of their own, or in place. */
static void random_op(struct op *op)
{
	static const unsigned int counts[] = { 1, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 511, 512,
					       513, 1000, 1030 };
	const unsigned int size = ref_size[op->dtype];
	const bool cast = op->opcode == NPU_VCAST, fill = op->opcode == NPU_VDUP ||
							   op->opcode == NPU_VINDEX;
	const unsigned int wide = cast && ref_size[op->dst_dtype] > size ? ref_size[op->dst_dtype] :
									   size;

	op->count = counts[ref_below(REF_COUNT(counts))];
	op->rows = 1 + ref_below(4);
	op->dst = 0;
	op->src0 = REGION;
	op->src1 = 2 * REGION;
	op->mask = 3 * REGION;
	op->dst_pitch = random_pitch(op->count * wide, true);
	op->src0_pitch = random_pitch(op->count * size, true);
	op->src1_pitch = random_pitch(op->count * size, true);
	op->mask_pitch = random_pitch(op->opcode == NPU_VFMA ? op->count * size :
							       (op->count + 7) / 8, true);
	op->scalar = fill || (takes_src1(op->opcode) && !ref_below(3));
	op->per_row = takes_src1(op->opcode) && !op->scalar && !ref_below(2);
	op->trunc = cast && ref_random() & 1;
	random_scale(op);
	op->scalar_bits = (uint64_t)ref_random() << 32 | ref_element(op->dtype);
	if (op->opcode < NPU_VCMP_EQ && !ref_below(3)) {
		op->src0 = op->dst;
		op->src0_pitch = op->dst_pitch;
	} else if (op->opcode < NPU_VCMP_EQ && takes_src1(op->opcode) && !ref_below(3)) {
		op->src1 = op->dst;
		op->src1_pitch = op->dst_pitch;
	} else if (op->opcode == NPU_VFMA && !ref_below(3)) {
		op->mask = op->dst;
		op->mask_pitch = op->dst_pitch;
	}
}

/*
 * Random elements, made once for a type; each round begins at another one. Plain ones are for
 * sums, which would else be NaN or infinite as soon as they are long.
 */
static void fill_ub(unsigned int dtype, bool plain)
{
	static uint8_t pool[2][NPU_DTYPE_COUNT][NPU_UB_SIZE];
	static bool filled[2][NPU_DTYPE_COUNT];
	const unsigned int split = 4 * ref_below(NPU_UB_SIZE / 4);
	uint8_t *source = pool[plain][dtype];

	if (!filled[plain][dtype] && plain && ref_is_float(dtype))
		ref_fill_plain(source, NPU_UB_SIZE, dtype);
	else if (!filled[plain][dtype])
		ref_fill(source, NPU_UB_SIZE, dtype);
	filled[plain][dtype] = true;
	memcpy(vm.tile.ub, source + split, NPU_UB_SIZE - split);
	memcpy(vm.tile.ub + NPU_UB_SIZE - split, source, split);
}

static bool check(struct op *op)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		fill_ub(op->dtype, i % 2);
		random_op(op);
		if (!run(op)) {
			report(op);
			return false;
		}
	}
	return true;
}

#define F 0x7 /* bits of the float types, and so on */
#define S32 (1 << NPU_S32)
#define I (S32 | 1 << NPU_S8 | 1 << NPU_U8 | 1 << NPU_S16)
#define SIGNED (F | (I & ~(1 << NPU_U8)))
#define ALL (F | I)

static const struct {
	const char *name;
	unsigned int opcode, dtypes;
} operations[] = {
	{ "mov", NPU_VMOV, ALL }, { "neg", NPU_VNEG, SIGNED }, { "abs", NPU_VABS, SIGNED },
	{ "relu", NPU_VRELU, SIGNED }, { "exp", NPU_VEXP, F }, { "ln", NPU_VLN, F },
	{ "sqrt", NPU_VSQRT, F }, { "rsqrt", NPU_VRSQRT, F }, { "recip", NPU_VRECIP, F },
	{ "tanh", NPU_VTANH, F }, { "erf", NPU_VERF, F }, { "not", NPU_VNOT, I },
	{ "dup", NPU_VDUP, ALL }, { "index", NPU_VINDEX, 1 << NPU_F32 | S32 },
	{ "add", NPU_VADD, ALL }, { "sub", NPU_VSUB, ALL }, { "mul", NPU_VMUL, ALL },
	{ "div", NPU_VDIV, F }, { "max", NPU_VMAX, ALL }, { "min", NPU_VMIN, ALL },
	{ "mla", NPU_VMLA, ALL }, { "and", NPU_VAND, I }, { "or", NPU_VOR, I },
	{ "xor", NPU_VXOR, I }, { "shl", NPU_VSHL, I }, { "shr", NPU_VSHR, I },
	{ "madd", NPU_VMADD, ALL }, { "fma", NPU_VFMA, F },
	{ "eq", NPU_VCMP_EQ, ALL }, { "ne", NPU_VCMP_NE, ALL }, { "lt", NPU_VCMP_LT, ALL },
	{ "le", NPU_VCMP_LE, ALL }, { "gt", NPU_VCMP_GT, ALL }, { "ge", NPU_VCMP_GE, ALL },
	{ "select", NPU_VSELECT, ALL }, { "sum", NPU_VSUM, F | S32 },
	{ "redmax", NPU_VREDMAX, ALL }, { "redmin", NPU_VREDMIN, ALL },
	{ "argmax", NPU_VARGMAX, ALL }, { "argmin", NPU_VARGMIN, ALL }, { "dot", NPU_VDOT, F },
	{ "sumsq", NPU_VSUMSQ, F },
};

static void test_operations(void)
{
	for (unsigned int i = 0; i < REF_COUNT(operations); i++) {
		for (unsigned int dtype = 0; dtype < NPU_DTYPE_COUNT; dtype++) {
			struct op op = { .opcode = operations[i].opcode, .dtype = dtype };

			if (operations[i].dtypes >> dtype & 1)
				ok(check(&op), "%s: %s of %s", npu_tile_isa_name(&vm.tile),
				   operations[i].name, ref_names[dtype]);
		}
	}
}

static void test_casts(void)
{
	for (unsigned int from = 0; from < NPU_DTYPE_COUNT; from++) {
		for (unsigned int to = 0; to < NPU_DTYPE_COUNT; to++) {
			struct op op = { .opcode = NPU_VCAST, .dtype = from, .dst_dtype = to };

			ok(check(&op), "%s: cast of %s to %s", npu_tile_isa_name(&vm.tile),
			   ref_names[from], ref_names[to]);
		}
	}
}

/* All values of fp16 and bf16 survive fp32, and all ways to round to them are taken. */
static void test_half_exhaustive(unsigned int dtype)
{
	struct op widen = { .opcode = NPU_VCAST, .dtype = dtype, .dst_dtype = NPU_F32,
			    .count = 16384, .rows = 1, .dst = 0, .src0 = 0x18000 };
	struct op narrow = { .opcode = NPU_VCAST, .dtype = NPU_F32, .dst_dtype = dtype,
			     .count = 16384, .rows = 1, .dst = 0x18000, .src0 = 0 };
	uint16_t *half = (uint16_t *)(vm.tile.ub + 0x18000);
	uint32_t *word = (uint32_t *)vm.tile.ub;
	bool pass = true;

	for (uint32_t h = 0; h < 0x10000 && pass; h += 16384) {
		for (unsigned int i = 0; i < 16384; i++)
			half[i] = h + i;
		pass = run(&widen) && run(&narrow);
		/* Halfway to the next value, and to both sides of that. */
		for (int side = -1; side <= 1 && pass; side++) {
			for (unsigned int i = 0; i < 16384; i++)
				word[i] = ref_bits(ref_f32(dtype, h + i)) +
					  (dtype == NPU_F16 ? 0x1000 : 0x8000) + side;
			pass = run(&narrow);
		}
	}
	ok(pass, "%s: each %s to f32 and back", npu_tile_isa_name(&vm.tile), ref_names[dtype]);
}

int main(void)
{
	vm_init(&vm);
	for (unsigned int isa = 0; isa < REF_COUNT(vm_isas); isa++) {
		if (!vm_use_isa(&vm, vm_isas[isa]))
			continue;
		test_operations();
		test_casts();
		test_half_exhaustive(NPU_F16);
		test_half_exhaustive(NPU_BF16);
	}
	vm_fini(&vm);
	return tap_done();
}

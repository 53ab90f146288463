// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: rows of an operation, and the elementwise operations on floats. */
#include "tile_convert.h"
#include "tile_isa.h"

/*
 * c is the addend of NPU_VFMA and NPU_VMLA, and a factor of NPU_VMADD. Operands are the same or do
 * not overlap.
 */
typedef void (*float_fn)(float *d, const float *a, const float *b, const float *c, size_t n);

/* An expression of x, an element of a. */
#define UNARY_FN(name, result)								\
	static void name(float *d, const float *a, const float *b, const float *c,	\
			 size_t n)							\
	{										\
		(void)b;								\
		(void)c;								\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++) {					\
			const float x = a[i];						\
											\
			d[i] = result;							\
		}									\
	}

/* An expression of x, an element of a, and y, one of b or the only one that is there. */
#define BINARY_FN(name, result)								\
	static void name(float *d, const float *a, const float *b, const float *c,	\
			 size_t n)							\
	{										\
		(void)c;								\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++) {					\
			const float x = a[i], y = b[i];					\
											\
			d[i] = result;							\
		}									\
	}										\
											\
	static void name##_element(float *d, const float *a, const float *b,		\
				   const float *c, size_t n)				\
	{										\
		(void)c;								\
		const float y = *b;							\
											\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++) {					\
			const float x = a[i];						\
											\
			d[i] = result;							\
		}									\
	}

UNARY_FN(float_neg, tile_canonical(-x))
UNARY_FN(float_abs, tile_canonical(tile_abs(x)))
UNARY_FN(float_relu, tile_relu(x))
UNARY_FN(float_exp, tile_exp(x))
UNARY_FN(float_ln, tile_ln(x))
UNARY_FN(float_sqrt, tile_sqrt(x))
UNARY_FN(float_rsqrt, tile_rsqrt(x))
UNARY_FN(float_recip, tile_recip(x))
UNARY_FN(float_tanh, tile_tanh(x))
UNARY_FN(float_erf, tile_erf(x))
BINARY_FN(float_index, tile_canonical(y + x))
BINARY_FN(float_add, tile_canonical(x + y))
BINARY_FN(float_sub, tile_canonical(x - y))
BINARY_FN(float_mul, tile_canonical(x * y))
BINARY_FN(float_div, tile_canonical(x / y))
BINARY_FN(float_max, tile_max(x, y))
BINARY_FN(float_min, tile_min(x, y))
BINARY_FN(float_fma, tile_canonical(tile_fma(x, y, c[i])))
BINARY_FN(float_madd, tile_canonical(tile_fma(x, c[i], y)))

/* With an element for each, and with one for all. */
static const float_fn float_fns[][2] = {
	[NPU_VNEG] = { float_neg, float_neg },
	[NPU_VABS] = { float_abs, float_abs },
	[NPU_VRELU] = { float_relu, float_relu },
	[NPU_VEXP] = { float_exp, float_exp },
	[NPU_VLN] = { float_ln, float_ln },
	[NPU_VSQRT] = { float_sqrt, float_sqrt },
	[NPU_VRSQRT] = { float_rsqrt, float_rsqrt },
	[NPU_VRECIP] = { float_recip, float_recip },
	[NPU_VTANH] = { float_tanh, float_tanh },
	[NPU_VERF] = { float_erf, float_erf },
	[NPU_VINDEX] = { float_index, float_index_element },
	[NPU_VADD] = { float_add, float_add_element },
	[NPU_VSUB] = { float_sub, float_sub_element },
	[NPU_VMUL] = { float_mul, float_mul_element },
	[NPU_VDIV] = { float_div, float_div_element },
	[NPU_VMAX] = { float_max, float_max_element },
	[NPU_VMIN] = { float_min, float_min_element },
	[NPU_VMLA] = { float_fma, float_fma_element },
	[NPU_VFMA] = { float_fma, float_fma_element },
	[NPU_VMADD] = { float_madd, float_madd_element },
};

/* An operand's next n elements as fp32: where they are, or converted into a buffer. */
static const float *float_source(float *buffer, const uint8_t *src, size_t n, unsigned int dtype)
{
	if (dtype == NPU_F32)
		return (const float *)src;
	tile_load_f32(buffer, src, n, dtype);
	return buffer;
}

/* What is written is asked for so many elements before, by blocks. */
#define SCALED_AHEAD 256
#define SCALED_BLOCK 64

/* A scaled operation without a buffer in between; @other is y, an element of b or the first one. */
#define SCALED_FN(name, other, result)							\
	TILE_INLINE void name##_span(const struct tile_vec *args, float *d, const float *a, \
				     const float *b, const float *c, float first,	\
				     size_t begin, size_t end)				\
	{										\
		const float shift = args->shift, factor = args->factor;			\
											\
		(void)first;								\
		(void)c;								\
		_Pragma("GCC ivdep")							\
		for (size_t i = begin; i < end; i++) {					\
			const float x = (a[i] - shift) * factor, y = other;		\
											\
			d[i] = result;							\
		}									\
	}										\
											\
	static void name(const struct tile_vec *args, float *d, const float *a,		\
			 const float *b, const float *c)				\
	{										\
		const float first = *b; /* which may be that of d */			\
		size_t i = 0;								\
											\
		for (; i + SCALED_BLOCK <= args->count; i += SCALED_BLOCK) {		\
			tile_ask_ahead(d + i + SCALED_AHEAD, SCALED_BLOCK * sizeof(*d)); \
			name##_span(args, d, a, b, c, first, i, i + SCALED_BLOCK);	\
		}									\
		name##_span(args, d, a, b, c, first, i, args->count);			\
	}

SCALED_FN(scaled_mul, b[i], tile_canonical(x * y))
SCALED_FN(scaled_mul_element, first, tile_canonical(x * y))
SCALED_FN(scaled_sub, b[i], tile_canonical(x - y))
SCALED_FN(scaled_fma, b[i], tile_canonical(tile_fma(x, y, c[i])))

typedef void (*scaled_fn)(const struct tile_vec *args, float *d, const float *a, const float *b,
			  const float *c);

/* Those that norms are made of, else NULL. */
static scaled_fn scaled_function(const struct tile_vec *args)
{
	if (args->dtype != NPU_F32)
		return NULL;
	switch (args->opcode) {
	case NPU_VMUL:
		return args->src1_element ? scaled_mul_element : scaled_mul;
	case NPU_VSUB:
		return args->src1_element ? NULL : scaled_sub;
	case NPU_VFMA:
		return args->src1_element ? NULL : scaled_fma;
	default:
		return NULL;
	}
}

void TILE_NAME(tile_row_float)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			       const uint8_t *src1, const uint8_t *addend)
{
	const unsigned int dtype = args->dtype, size = tile_element_size(dtype);
	const float_fn fn = float_fns[args->opcode][args->src1_element];
	float a_buffer[TILE_BLOCK], b_buffer[TILE_BLOCK], d_buffer[TILE_BLOCK];
	const float *a = a_buffer, *b = NULL, *c = NULL;

	if (dtype == NPU_F32 && args->opcode != NPU_VINDEX && !args->scaled) {
		fn((float *)dst, (const float *)src0, (const float *)src1, (const float *)addend,
		   args->count);
		return;
	}
	if (args->src1_element) {
		/* Not where it is: that may be the first of dst. */
		tile_load_f32(b_buffer, src1, 1, dtype);
		b = b_buffer;
	}
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		uint8_t *to = dst + i * size;

		if (args->opcode == NPU_VINDEX)
			for (size_t j = 0; j < n; j++)
				a_buffer[j] = (float)(uint32_t)(i + j);
		else
			a = float_source(a_buffer, src0 + i * size, n, dtype);
		if (args->scaled) {
			tile_scale(a_buffer, a, n, args->shift, args->factor);
			a = a_buffer;
		}
		if (src1 && !args->src1_element)
			b = float_source(b_buffer, src1 + i * size, n, dtype);
		if (addend)
			c = float_source(d_buffer, addend + i * size, n, dtype);
		if (dtype == NPU_F32) {
			fn((float *)to, a, b, c, n);
			continue;
		}
		fn(d_buffer, a, b, c, n);
		tile_store_f32(to, d_buffer, n, dtype);
	}
}

static tile_row_fn row_function(const struct tile_vec *args)
{
	switch (args->opcode) {
	case NPU_VCMP_EQ:
	case NPU_VCMP_NE:
	case NPU_VCMP_LT:
	case NPU_VCMP_LE:
	case NPU_VCMP_GT:
	case NPU_VCMP_GE:
		return TILE_NAME(tile_row_compare);
	case NPU_VSELECT:
		return TILE_NAME(tile_row_select);
	case NPU_VCAST:
		return TILE_NAME(tile_row_cast);
	case NPU_VSUM:
	case NPU_VREDMAX:
	case NPU_VREDMIN:
	case NPU_VARGMAX:
	case NPU_VARGMIN:
		return TILE_NAME(tile_row_reduce);
	case NPU_VDOT:
	case NPU_VSUMSQ:
		return TILE_NAME(tile_row_dot);
	case NPU_VMOV:
	case NPU_VDUP:
		return TILE_NAME(tile_row_int);
	default:
		return tile_is_float(args->dtype) ? TILE_NAME(tile_row_float) :
						    TILE_NAME(tile_row_int);
	}
}

/* A row's shift or factor. */
static float row_scale(const struct tile_vec *args, const uint8_t *of, unsigned int row, float none)
{
	return of ? *(const float *)(of + row * args->scale_pitch) : none;
}

static void scaled_rows(const struct tile_vec *args, tile_row_fn row)
{
	const scaled_fn scaled = scaled_function(args);
	struct tile_vec one = *args;

	for (unsigned int r = 0; r < args->rows; r++) {
		one.shift = row_scale(args, args->shifts, r, 0);
		one.factor = row_scale(args, args->factors, r, 1);
		if (scaled)
			scaled(&one, (float *)one.dst, (const float *)one.src0,
			       (const float *)one.src1, (const float *)one.mask);
		else
			row(&one, one.dst, one.src0, one.src1, one.mask);
		one.dst += one.dst_pitch;
		one.src0 += one.src0_pitch;
		one.src1 = one.src1 ? one.src1 + one.src1_pitch : NULL;
		one.mask = one.mask ? one.mask + one.mask_pitch : NULL;
	}
}

void TILE_NAME(tile_isa_vector)(const struct tile_vec *args)
{
	const tile_row_fn row = row_function(args);
	const uint8_t *src0 = args->src0, *src1 = args->src1, *mask = args->mask;
	uint8_t *dst = args->dst;

	if (args->scaled) {
		scaled_rows(args, row);
		return;
	}
	for (unsigned int r = 0; r < args->rows; r++) {
		row(args, dst, src0, src1, mask);
		dst += args->dst_pitch;
		src0 = src0 ? src0 + args->src0_pitch : NULL;
		src1 = src1 ? src1 + args->src1_pitch : NULL;
		mask = mask ? mask + args->mask_pitch : NULL;
	}
}

const struct tile_isa TILE_NAME(tile_isa) = {
	.name = TILE_ISA_STRING,
	.form = TILE_NAME(tile_isa_form),
	.mmad = TILE_NAME(tile_isa_mmad),
	.fixpipe = TILE_NAME(tile_isa_fixpipe),
	.transpose = TILE_NAME(tile_isa_transpose),
	.vector = TILE_NAME(tile_isa_vector),
};

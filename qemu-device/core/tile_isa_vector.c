// SPDX-License-Identifier: GPL-2.0-or-later
/* Vector engine: rows of an operation, and the elementwise operations on floats. */
#include "tile_convert.h"
#include "tile_isa.h"

/*
 * d is also the addend of NPU_VMLA, and a factor of NPU_VMADD. Operands are the same or do not
 * overlap.
 */
typedef void (*float_fn)(float *d, const float *a, const float *b, size_t n);

/* An expression of x, an element of a. */
#define UNARY_FN(name, result)								\
	static void name(float *d, const float *a, const float *b, size_t n)		\
	{										\
		(void)b;								\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++) {					\
			const float x = a[i];						\
											\
			d[i] = result;							\
		}									\
	}

/* An expression of x, an element of a, and y, one of b or the only one that is there. */
#define BINARY_FN(name, result)								\
	static void name(float *d, const float *a, const float *b, size_t n)		\
	{										\
		_Pragma("GCC ivdep")							\
		for (size_t i = 0; i < n; i++) {					\
			const float x = a[i], y = b[i];					\
											\
			d[i] = result;							\
		}									\
	}										\
											\
	static void name##_element(float *d, const float *a, const float *b, size_t n)	\
	{										\
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
BINARY_FN(float_mla, tile_canonical(tile_fma(x, y, d[i])))
BINARY_FN(float_madd, tile_canonical(tile_fma(x, d[i], y)))

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
	[NPU_VMLA] = { float_mla, float_mla_element },
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

void TILE_NAME(tile_row_float)(const struct tile_vec *args, uint8_t *dst, const uint8_t *src0,
			       const uint8_t *src1, const uint8_t *mask)
{
	const unsigned int dtype = args->dtype, size = tile_element_size(dtype);
	const float_fn fn = float_fns[args->opcode][args->src1_element];
	float a_buffer[TILE_BLOCK], b_buffer[TILE_BLOCK], d_buffer[TILE_BLOCK];
	const float *a = a_buffer, *b = NULL;

	(void)mask;
	if (dtype == NPU_F32 && args->opcode != NPU_VINDEX) {
		fn((float *)dst, (const float *)src0, (const float *)src1, args->count);
		return;
	}
	if (args->src1_element)
		b = float_source(b_buffer, src1, 1, dtype);
	for (size_t i = 0; i < args->count; i += TILE_BLOCK) {
		size_t n = tile_block(i, args->count);
		uint8_t *to = dst + i * size;

		if (args->opcode == NPU_VINDEX)
			for (size_t j = 0; j < n; j++)
				a_buffer[j] = (float)(uint32_t)(i + j);
		else
			a = float_source(a_buffer, src0 + i * size, n, dtype);
		if (src1 && !args->src1_element)
			b = float_source(b_buffer, src1 + i * size, n, dtype);
		if (dtype == NPU_F32) {
			fn((float *)to, a, b, n);
			continue;
		}
		if (args->opcode == NPU_VMLA || args->opcode == NPU_VMADD)
			tile_load_f32(d_buffer, to, n, dtype);
		fn(d_buffer, a, b, n);
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
		return TILE_NAME(tile_row_dot);
	case NPU_VMOV:
	case NPU_VDUP:
		return TILE_NAME(tile_row_int);
	default:
		return tile_is_float(args->dtype) ? TILE_NAME(tile_row_float) :
						    TILE_NAME(tile_row_int);
	}
}

void TILE_NAME(tile_isa_vector)(const struct tile_vec *args)
{
	const tile_row_fn row = row_function(args);
	const uint8_t *src0 = args->src0, *src1 = args->src1, *mask = args->mask;
	uint8_t *dst = args->dst;

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
	.mmad = TILE_NAME(tile_isa_mmad),
	.fixpipe = TILE_NAME(tile_isa_fixpipe),
	.transpose = TILE_NAME(tile_isa_transpose),
	.vector = TILE_NAME(tile_isa_vector),
};

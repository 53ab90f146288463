/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of npu_kernel.h and npu_typed.h for tile instructions, and what each computes: for
 * the kernels that call them, and for the program that has these run. tests/tools/kernels-doc.py
 * sees to it that all are here, with the types that the headers have.
 */
#ifndef INTRINSICS_H
#define INTRINSICS_H

#include "npu/npu_tile.h"

/* Types: name, dtype. X gets them, and what else is given. */
#define FLOATS(X, ...)                                                                             \
	X(f32, NPU_F32, __VA_ARGS__) X(f16, NPU_F16, __VA_ARGS__) X(bf16, NPU_BF16, __VA_ARGS__)
#define SIGNED_INTEGERS(X, ...)                                                                    \
	X(s32, NPU_S32, __VA_ARGS__) X(s16, NPU_S16, __VA_ARGS__) X(s8, NPU_S8, __VA_ARGS__)
#define INTEGERS(X, ...) SIGNED_INTEGERS(X, __VA_ARGS__) X(u8, NPU_U8, __VA_ARGS__)
#define SIGNED(X, ...) FLOATS(X, __VA_ARGS__) SIGNED_INTEGERS(X, __VA_ARGS__)
#define ALL(X, ...) FLOATS(X, __VA_ARGS__) INTEGERS(X, __VA_ARGS__)
#define SUMMABLE(X, ...) FLOATS(X, __VA_ARGS__) X(s32, NPU_S32, __VA_ARGS__)
#define INDEXABLE(X, ...) X(f32, NPU_F32, __VA_ARGS__) X(s32, NPU_S32, __VA_ARGS__)
/* Once more, for use inside of another list. */
#define TARGETS(X, ...)                                                                            \
	X(f32, NPU_F32, __VA_ARGS__)                                                               \
	X(f16, NPU_F16, __VA_ARGS__)                                                               \
	X(bf16, NPU_BF16, __VA_ARGS__)                                                             \
	X(s32, NPU_S32, __VA_ARGS__)                                                               \
	X(s16, NPU_S16, __VA_ARGS__)                                                               \
	X(s8, NPU_S8, __VA_ARGS__)                                                                 \
	X(u8, NPU_U8, __VA_ARGS__)

/*
 * Operations: name, code, types, and the result from what struct operands has. First those that
 * NPU_VEC_SCALED goes with.
 */
#define UNARY_SCALED(X)                                                                            \
	X(vneg, NPU_VNEG, SIGNED, -x->a)                                                           \
	X(vabs, NPU_VABS, SIGNED, fabs(x->a))                                                      \
	X(vrelu, NPU_VRELU, SIGNED, x->a > 0 ? x->a : 0)                                           \
	X(vexp, NPU_VEXP, FLOATS, exp(x->a))                                                       \
	X(vln, NPU_VLN, FLOATS, log(x->a))                                                         \
	X(vsqrt, NPU_VSQRT, FLOATS, sqrt(x->a))                                                    \
	X(vrsqrt, NPU_VRSQRT, FLOATS, 1 / sqrt(x->a))                                              \
	X(vrecip, NPU_VRECIP, FLOATS, 1 / x->a)                                                    \
	X(vtanh, NPU_VTANH, FLOATS, tanh(x->a))                                                    \
	X(verf, NPU_VERF, FLOATS, erf(x->a))
#define UNARY(X)                                                                                   \
	X(vmov, NPU_VMOV, ALL, x->a)                                                               \
	X(vnot, NPU_VNOT, INTEGERS, ~(int64_t)x->a)

/* Of a row, one element after the other. */
#define REDUCE_SCALED(X)                                                                           \
	X(vsum, NPU_VSUM, SUMMABLE, x->i ? x->before + x->a : x->a)                                \
	X(vsumsq, NPU_VSUMSQ, FLOATS, x->i ? x->before + x->a * x->a : x->a * x->a)
#define REDUCE(X)                                                                                  \
	X(vredmax, NPU_VREDMAX, ALL, x->i && x->before > x->a ? x->before : x->a)                  \
	X(vredmin, NPU_VREDMIN, ALL, x->i && x->before < x->a ? x->before : x->a)
/* Whether this element is it, as far as the row goes. */
#define REDUCE_INDEX(X)                                                                            \
	X(vargmax, NPU_VARGMAX, ALL, !x->i || x->a > x->before)                                    \
	X(vargmin, NPU_VARGMIN, ALL, !x->i || x->a < x->before)

#define BINARY_SCALED(X)                                                                           \
	X(vadd, NPU_VADD, ALL, x->a + x->b)                                                        \
	X(vsub, NPU_VSUB, ALL, x->a - x->b)                                                        \
	X(vmul, NPU_VMUL, ALL, x->a * x->b)                                                        \
	X(vdiv, NPU_VDIV, FLOATS, x->a / x->b)                                                     \
	X(vmax, NPU_VMAX, ALL, fmax(x->a, x->b))                                                   \
	X(vmin, NPU_VMIN, ALL, fmin(x->a, x->b))                                                   \
	X(vmla, NPU_VMLA, ALL, x->a * x->b + x->before)                                            \
	X(vmadd, NPU_VMADD, ALL, x->a * x->before + x->b)                                          \
	X(vfma, NPU_VFMA, FLOATS, x->a * x->b + x->addend)
#define BINARY(X)                                                                                  \
	X(vand, NPU_VAND, INTEGERS, (int64_t)x->a & (int64_t)x->b)                                 \
	X(vor, NPU_VOR, INTEGERS, (int64_t)x->a | (int64_t)x->b)                                   \
	X(vxor, NPU_VXOR, INTEGERS, (int64_t)x->a ^ (int64_t)x->b)                                 \
	X(vshl, NPU_VSHL, INTEGERS, ldexp(x->a, (int64_t)x->b & (x->bits - 1)))                    \
	X(vshr, NPU_VSHR, INTEGERS, floor(ldexp(x->a, -((int64_t)x->b & (x->bits - 1)))))          \
	X(vselect, NPU_VSELECT, ALL, x->mask ? x->a : x->b)
#define REDUCE_BINARY_SCALED(X)                                                                    \
	X(vdot, NPU_VDOT, FLOATS, x->i ? x->before + x->a * x->b : x->a * x->b)
#define COMPARE(X)                                                                                 \
	X(vcmp_eq, NPU_VCMP_EQ, ALL, x->a == x->b)                                                 \
	X(vcmp_ne, NPU_VCMP_NE, ALL, x->a != x->b)                                                 \
	X(vcmp_lt, NPU_VCMP_LT, ALL, x->a < x->b)                                                  \
	X(vcmp_le, NPU_VCMP_LE, ALL, x->a <= x->b)                                                 \
	X(vcmp_gt, NPU_VCMP_GT, ALL, x->a > x->b)                                                  \
	X(vcmp_ge, NPU_VCMP_GE, ALL, x->a >= x->b)
#define FILL(X)                                                                                    \
	X(vdup, NPU_VDUP, ALL, x->b)                                                               \
	X(vindex, NPU_VINDEX, INDEXABLE, x->b + x->i)

/* Forms of an operation are numbered one behind the other: src1 of elements, a scalar, by row. */
#define OP_ONE(name, ...) OP_##name,
#define OP_FORMS(name, ...) OP_##name, OP_##name##s, OP_##name##r,
#define OP_ONE_SCALED(name, ...) OP_##name, OP_##name##_scaled,
#define OP_FORMS_SCALED(name, ...)                                                                 \
	OP_FORMS(name) OP_##name##_scaled, OP_##name##s_scaled, OP_##name##r_scaled,

enum intrinsic {
	UNARY_SCALED(OP_ONE_SCALED) UNARY(OP_ONE) REDUCE_SCALED(OP_ONE_SCALED) REDUCE(OP_ONE)
	REDUCE_INDEX(OP_ONE) BINARY_SCALED(OP_FORMS_SCALED) BINARY(OP_FORMS)
	REDUCE_BINARY_SCALED(OP_FORMS_SCALED) COMPARE(OP_FORMS) FILL(OP_ONE)
	OP_vcast,
};

/* What is in UB, and in memory before and after: every operand has a pitch of its own. */
#define ROWS 3
#define COUNT 37
#define DST_PITCH 192
#define SRC0_PITCH 160
#define SRC1_PITCH 224
#define EXTRA_PITCH 256
#define SCALE_PITCH 64
#define AREA 1024
enum { AREA_DST, AREA_SRC0, AREA_SRC1, AREA_EXTRA, AREA_SHIFT, AREA_FACTOR, AREAS };

/* @to: dtype of vcast's result; @bits, @scalar: the scalar operand */
struct vector_args {
	uint64_t in, out;
	uint32_t op, dtype, to, trunc, bits;
	float scalar;
};

/*
 * Moves of a matrix between the buffers: rows of MOVE_COLS, in memory MOVE_STRIDE apart, in areas
 * that are full of one number before. What memory has at the end, in elements:
 */
#define MOVE_ROWS 3
#define MOVE_COLS 5
#define MOVE_STRIDE 7
#define MOVE_LOCAL 32 /* strides: whole lines of any type */
#define MOVE_WIDE 96
#define MOVE_NUMBER_UB 9
#define MOVE_NUMBER_L1 5
#define MOVE_IN (MOVE_ROWS * MOVE_STRIDE)
#define MOVE_OUT_STRIDE 11
enum {
	MOVE_CHAIN, /* through all: MOVE_COLS + 1 a row, MOVE_OUT_STRIDE apart */
	MOVE_FILLED = MOVE_CHAIN + MOVE_ROWS * MOVE_OUT_STRIDE, /* rows MOVE_LOCAL apart */
	MOVE_L1 = MOVE_FILLED + MOVE_ROWS * MOVE_LOCAL, /* as it is in memory */
	MOVE_UB = MOVE_L1 + MOVE_IN, /* likewise */
	MOVE_L1_2D = MOVE_UB + MOVE_IN, /* rows without gaps */
	MOVE_OUT = MOVE_L1_2D + MOVE_ROWS * MOVE_COLS,
};

/*
 * C = A B + D E + ones E + A twos, and F = CUBE_NUMBER + A B. In memory B and D are transposed, and
 * rows of C and F CUBE_STRIDE apart. Rows of M, N and K elements of a type differ in whole lines.
 */
#define CUBE_M 40
#define CUBE_N 70
#define CUBE_K 20
#define CUBE_NUMBER 3
#define CUBE_STRIDE 75
#define CUBE_LOCAL 96 /* in L1 and UB */
enum {
	CUBE_A,
	CUBE_B = CUBE_A + CUBE_M * CUBE_K,
	CUBE_D = CUBE_B + CUBE_N * CUBE_K,
	CUBE_E = CUBE_D + CUBE_K * CUBE_M,
	CUBE_IN = CUBE_E + CUBE_K * CUBE_N,
	CUBE_C = 0,
	CUBE_F = CUBE_M * CUBE_STRIDE,
	CUBE_OUT = 2 * CUBE_M * CUBE_STRIDE,
};

/* A type that is loaded, one of that size for MMAD, that of its sums, and the bits of 1 and 2. */
#define CUBE_TYPES(X)                                                                              \
	X(f32, NPU_F32, f32, NPU_F32, f32, NPU_F32, 1, 2)                                          \
	X(f16, NPU_F16, f16, NPU_F16, f32, NPU_F32, 1, 2)                                          \
	X(bf16, NPU_BF16, bf16, NPU_BF16, f32, NPU_F32, 1, 2)                                      \
	X(s32, NPU_S32, f32, NPU_F32, f32, NPU_F32, 0x3f800000, 0x40000000)                        \
	X(s16, NPU_S16, f16, NPU_F16, f32, NPU_F32, 0x3c00, 0x4000)                                \
	X(s8, NPU_S8, s8, NPU_S8, s32, NPU_S32, 1, 2)                                              \
	X(u8, NPU_U8, s8, NPU_S8, s32, NPU_S32, 1, 2)

enum { TO_GM, TO_L1, TO_UB };

/* @memory, @to, @flags, @scale: of the fixpipe; @scale is 0 for none */
struct matrix_args {
	uint64_t in, out;
	uint32_t dtype, memory, to, flags;
	float scale;
	uint32_t rsvd;
};

/* @out: what npu_info() says, of each block; @code: of npu_trap(), 0 is none */
struct system_args {
	uint64_t out, code;
};

#endif /* INTRINSICS_H */

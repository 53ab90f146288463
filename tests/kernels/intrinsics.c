/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that call each intrinsic of the SDK by its name, plain and typed. */
#include "npu_ring.h"
#include "npu_typed.h"
#include "intrinsics.h"

#define DST (NPU_UB_BASE + AREA_DST * AREA)
#define SRC0 (NPU_UB_BASE + AREA_SRC0 * AREA)
#define SRC1 (NPU_UB_BASE + AREA_SRC1 * AREA)
#define EXTRA (NPU_UB_BASE + AREA_EXTRA * AREA)
#define SHIFT (NPU_UB_BASE + AREA_SHIFT * AREA)
#define FACTOR (NPU_UB_BASE + AREA_FACTOR * AREA)

static void fetch(const struct vector_args *args)
{
	npu_copy(NPU_UB_BASE, args->in, AREAS * AREA);
	npu_sync(NPU_PIPE_MTE2, NPU_PIPE_V, 0);
}

static void put(const struct vector_args *args)
{
	npu_sync(NPU_PIPE_V, NPU_PIPE_MTE3, 0);
	npu_copy(args->out, NPU_UB_BASE, AREAS * AREA);
}

/* vfma has it in the place of the mask. */
static int takes_addend(uint32_t op)
{
	return op >= OP_vfma && op <= OP_vfmar_scaled;
}

#define PLAIN_UNARY(name, ...)                                                                     \
	case OP_##name:                                                                            \
		npu_##name(DST, SRC0, COUNT, args->dtype);                                         \
		break;
#define PLAIN_UNARY_SCALED(name, code, ...)                                                        \
	PLAIN_UNARY(name)                                                                          \
	case OP_##name##_scaled:                                                                   \
		npu_vec(code, DST, SRC0, 0, COUNT, args->dtype, NPU_VEC_SCALED);                   \
		break;
#define PLAIN_BINARY(name, ...)                                                                    \
	case OP_##name:                                                                            \
		npu_##name(DST, SRC0, SRC1, COUNT, args->dtype);                                   \
		break;                                                                             \
	case OP_##name##s:                                                                         \
		npu_##name##s(DST, SRC0, args->bits, COUNT, args->dtype);                          \
		break;                                                                             \
	case OP_##name##r:                                                                         \
		npu_##name##r(DST, SRC0, SRC1, COUNT, args->dtype);                                \
		break;
#define PLAIN_BINARY_SCALED(name, code, ...)                                                       \
	PLAIN_BINARY(name)                                                                         \
	case OP_##name##_scaled:                                                                   \
		npu_vec(code, DST, SRC0, SRC1, COUNT, args->dtype, NPU_VEC_SCALED);                \
		break;                                                                             \
	case OP_##name##s_scaled:                                                                  \
		npu_vec(code, DST, SRC0, args->bits, COUNT, args->dtype,                           \
			NPU_VEC_SCALAR | NPU_VEC_SCALED);                                          \
		break;                                                                             \
	case OP_##name##r_scaled:                                                                  \
		npu_vec(code, DST, SRC0, SRC1, COUNT, args->dtype,                                 \
			NPU_VEC_PER_ROW | NPU_VEC_SCALED);                                         \
		break;
#define PLAIN_FILL(name, ...)                                                                      \
	case OP_##name:                                                                            \
		npu_##name(DST, args->bits, COUNT, args->dtype);                                   \
		break;

NPU_KERNEL(plain_vector, struct vector_args)
{
	fetch(args);
	npu_vec_rows(ROWS, DST_PITCH, SRC0_PITCH, SRC1_PITCH);
	npu_vec_scale(SHIFT, FACTOR, SCALE_PITCH);
	if (takes_addend(args->op))
		npu_vec_addend(EXTRA, EXTRA_PITCH);
	else
		npu_vec_mask(EXTRA, EXTRA_PITCH);
	switch (args->op) {
		UNARY_SCALED(PLAIN_UNARY_SCALED)
		UNARY(PLAIN_UNARY)
		REDUCE_SCALED(PLAIN_UNARY_SCALED)
		REDUCE(PLAIN_UNARY)
		REDUCE_INDEX(PLAIN_UNARY)
		BINARY_SCALED(PLAIN_BINARY_SCALED)
		BINARY(PLAIN_BINARY)
		REDUCE_BINARY_SCALED(PLAIN_BINARY_SCALED)
		COMPARE(PLAIN_BINARY)
		FILL(PLAIN_FILL)
	case OP_vcast:
		npu_vcast(DST, SRC0, COUNT, args->dtype, args->to,
			  args->trunc ? NPU_VEC_TRUNC : 0);
		break;
	default:
		npu_assert(0);
	}
	put(args);
}

/* A case for each operation on each type. */
#define CASE(name, dtype) (OP_##name * NPU_DTYPE_COUNT + dtype)
#define BUFFER(type, address)                                                                      \
	(npu_ub_##type)                                                                            \
	{                                                                                          \
		address                                                                            \
	}
#define TYPED_UNARY_OF(type, dtype, name, ...)                                                     \
	case CASE(name, dtype):                                                                    \
		npu_t##name(BUFFER(type, DST), BUFFER(type, SRC0), COUNT);                         \
		break;
#define TYPED_UNARY_SCALED_OF(type, dtype, name, ...)                                              \
	case CASE(name##_scaled, dtype):                                                           \
		npu_t##name##_scaled(BUFFER(type, DST), BUFFER(type, SRC0), COUNT);                \
		break;
#define TYPED_INDEX_OF(type, dtype, name, ...)                                                     \
	case CASE(name, dtype):                                                                    \
		npu_t##name(BUFFER(s32, DST), BUFFER(type, SRC0), COUNT);                          \
		break;
#define TYPED_FORMS(name, suffix, type, dtype, dst)                                                \
	case CASE(name##suffix, dtype):                                                            \
		npu_t##name##suffix(dst, BUFFER(type, SRC0), BUFFER(type, SRC1), COUNT);           \
		break;                                                                             \
	case CASE(name##s##suffix, dtype):                                                         \
		npu_t##name##s##suffix(dst, BUFFER(type, SRC0), args->scalar, COUNT);              \
		break;                                                                             \
	case CASE(name##r##suffix, dtype):                                                         \
		npu_t##name##r##suffix(dst, BUFFER(type, SRC0), BUFFER(type, SRC1), COUNT);        \
		break;
#define TYPED_BINARY_OF(type, dtype, name, ...) TYPED_FORMS(name, , type, dtype, BUFFER(type, DST))
#define TYPED_BINARY_SCALED_OF(type, dtype, name, ...)                                             \
	TYPED_FORMS(name, _scaled, type, dtype, BUFFER(type, DST))
#define TYPED_COMPARE_OF(type, dtype, name, ...)                                                   \
	TYPED_FORMS(name, , type, dtype, BUFFER(mask, DST))
#define TYPED_FILL_OF(type, dtype, name, ...)                                                      \
	case CASE(name, dtype):                                                                    \
		npu_t##name(BUFFER(type, DST), args->scalar, COUNT);                               \
		break;
#define TYPED_UNARY(name, code, types, ...) types(TYPED_UNARY_OF, name)
#define TYPED_UNARY_SCALED(name, code, types, ...)                                                 \
	types(TYPED_UNARY_OF, name) FLOATS(TYPED_UNARY_SCALED_OF, name)
#define TYPED_INDEX(name, code, types, ...) types(TYPED_INDEX_OF, name)
#define TYPED_BINARY(name, code, types, ...) types(TYPED_BINARY_OF, name)
#define TYPED_BINARY_SCALED(name, code, types, ...)                                                \
	types(TYPED_BINARY_OF, name) FLOATS(TYPED_BINARY_SCALED_OF, name)
#define TYPED_COMPARE(name, code, types, ...) types(TYPED_COMPARE_OF, name)
#define TYPED_FILL(name, code, types, ...) types(TYPED_FILL_OF, name)

#define TYPED_CAST_TO(to, to_dtype, from)                                                          \
	case to_dtype:                                                                             \
		npu_tvcast(BUFFER(to, DST), BUFFER(from, SRC0), COUNT,                             \
			   args->trunc ? NPU_VEC_TRUNC : 0);                                       \
		break;
#define TYPED_CAST(type, dtype, ...)                                                               \
	case CASE(vcast, dtype):                                                                   \
		switch (args->to) {                                                                \
			TARGETS(TYPED_CAST_TO, type)                                               \
		default:                                                                           \
			npu_assert(0);                                                             \
		}                                                                                  \
		break;
#define TYPED_ADDEND(type, dtype, ...)                                                             \
	case dtype:                                                                                \
		npu_tvec_addend(BUFFER(type, EXTRA), EXTRA_PITCH / NPU_SIZE(BUFFER(type, EXTRA))); \
		break;

NPU_KERNEL(typed_vector, struct vector_args)
{
	fetch(args);
	npu_vec_rows(ROWS, DST_PITCH, SRC0_PITCH, SRC1_PITCH);
	npu_tvec_scale(BUFFER(f32, SHIFT), BUFFER(f32, FACTOR), SCALE_PITCH / 4);
	npu_tvec_mask(BUFFER(mask, EXTRA), EXTRA_PITCH);
	if (takes_addend(args->op)) {
		switch (args->dtype) {
			FLOATS(TYPED_ADDEND)
		default:
			npu_assert(0);
		}
	}
	switch (args->op * NPU_DTYPE_COUNT + args->dtype) {
		UNARY_SCALED(TYPED_UNARY_SCALED)
		UNARY(TYPED_UNARY)
		REDUCE_SCALED(TYPED_UNARY_SCALED)
		REDUCE(TYPED_UNARY)
		REDUCE_INDEX(TYPED_INDEX)
		BINARY_SCALED(TYPED_BINARY_SCALED)
		BINARY(TYPED_BINARY)
		REDUCE_BINARY_SCALED(TYPED_BINARY_SCALED)
		COMPARE(TYPED_COMPARE)
		FILL(TYPED_FILL)
		ALL(TYPED_CAST)
	default:
		npu_assert(0);
	}
	put(args);
}

/* Back to one row, after which nothing but the first is written. */
NPU_KERNEL(plain_one_row, struct vector_args)
{
	fetch(args);
	npu_vec_rows(ROWS, DST_PITCH, SRC0_PITCH, SRC1_PITCH);
	npu_vec_one_row();
	npu_vmov(DST, SRC0, COUNT, args->dtype);
	put(args);
}

/* A step is done before the next one begins, whatever pipe it is on. */
static void step(void)
{
	npu_barrier(NPU_PIPE_ALL);
}

/* The bits of a number in an element. */
static uint32_t number(int value, uint32_t dtype)
{
	return dtype <= NPU_BF16 ? npu_scalar(value, dtype) : (uint32_t)value;
}

#define MOVE_AREA 4096
#define MOVE_UB_AT(i) (NPU_UB_BASE + (i) * MOVE_AREA)
#define MOVE_L1_AT(i) (NPU_L1_BASE + (i) * MOVE_AREA)
#define MOVE_ALL (MOVE_ROWS * MOVE_WIDE)

NPU_KERNEL(plain_moves, struct matrix_args)
{
	const uint64_t size = npu_dtype_bytes(args->dtype), row = MOVE_COLS * size;
	const uint64_t local = MOVE_LOCAL * size, wide = MOVE_WIDE * size;
	const uint64_t stride = MOVE_STRIDE * size;
	const npu_addr ub = MOVE_UB_AT(0), ub_full = MOVE_UB_AT(1), ub_wide = MOVE_UB_AT(2);
	const npu_addr l1 = MOVE_L1_AT(0), l1_full = MOVE_L1_AT(1), l1_whole = MOVE_L1_AT(2);

	npu_fill(ub_wide, number(MOVE_NUMBER_UB, args->dtype), MOVE_ALL * size, size);
	npu_fill(l1, number(MOVE_NUMBER_L1, args->dtype), MOVE_ROWS * local, size);
	step();
	npu_copy_2d(ub, args->in, row, MOVE_ROWS, wide, stride);
	step();
	npu_copy_2d(l1, ub, row, MOVE_ROWS, local, wide);
	step();
	npu_copy(ub_full, l1, MOVE_ROWS * local);
	step();
	npu_copy(l1_full, ub_full, MOVE_ROWS * local);
	npu_copy(args->out + MOVE_FILLED * size, ub_full, MOVE_ROWS * local);
	step();
	npu_copy_2d(ub_wide, l1_full, row, MOVE_ROWS, wide, local);
	step();
	npu_copy_2d(args->out + MOVE_CHAIN * size, ub_wide, row + size, MOVE_ROWS,
		    MOVE_OUT_STRIDE * size, wide);
	step();
	npu_copy(ub, args->in, MOVE_IN * size);
	npu_copy(l1_whole, args->in, MOVE_IN * size);
	npu_copy_2d(l1, args->in, row, MOVE_ROWS, local, stride);
	step();
	npu_copy(args->out + MOVE_UB * size, ub, MOVE_IN * size);
	npu_copy(args->out + MOVE_L1 * size, l1_whole, MOVE_IN * size);
	npu_copy_2d(args->out + MOVE_L1_2D * size, l1, row, MOVE_ROWS, row, local);
}

#define TYPED_MOVES(type, dtype, ...)                                                              \
	static void moves_##type(const struct matrix_args *args)                                   \
	{                                                                                          \
		const npu_gm_##type in = { args->in }, out = { args->out };                        \
		const npu_ub_##type ub = { MOVE_UB_AT(0) }, ub_full = { MOVE_UB_AT(1) };           \
		const npu_ub_##type ub_wide = { MOVE_UB_AT(2) };                                   \
		const npu_l1_##type l1 = { MOVE_L1_AT(0) }, l1_full = { MOVE_L1_AT(1) };           \
		const npu_l1_##type l1_whole = { MOVE_L1_AT(2) };                                  \
                                                                                                   \
		npu_tfill(ub_wide, MOVE_NUMBER_UB, MOVE_ALL);                                      \
		npu_tfill(l1, MOVE_NUMBER_L1, MOVE_ROWS * MOVE_LOCAL);                             \
		step();                                                                            \
		npu_tload_2d(ub, in, MOVE_ROWS, MOVE_COLS, MOVE_WIDE, MOVE_STRIDE);                \
		step();                                                                            \
		npu_tmove_2d(l1, ub, MOVE_ROWS, MOVE_COLS, MOVE_LOCAL, MOVE_WIDE);                 \
		step();                                                                            \
		npu_tmove(ub_full, l1, MOVE_ROWS * MOVE_LOCAL);                                    \
		step();                                                                            \
		npu_tmove(l1_full, ub_full, MOVE_ROWS * MOVE_LOCAL);                               \
		npu_tstore(npu_at(out, MOVE_FILLED), ub_full, MOVE_ROWS * MOVE_LOCAL);             \
		step();                                                                            \
		npu_tmove_2d(ub_wide, l1_full, MOVE_ROWS, MOVE_COLS, MOVE_WIDE, MOVE_LOCAL);       \
		step();                                                                            \
		npu_tstore_2d(npu_at(out, MOVE_CHAIN), ub_wide, MOVE_ROWS, MOVE_COLS + 1,          \
			      MOVE_OUT_STRIDE, MOVE_WIDE);                                         \
		step();                                                                            \
		npu_tload(ub, in, MOVE_IN);                                                        \
		npu_tload(l1_whole, in, MOVE_IN);                                                  \
		npu_tload_2d(l1, in, MOVE_ROWS, MOVE_COLS, MOVE_LOCAL, MOVE_STRIDE);               \
		step();                                                                            \
		npu_tstore(npu_at(out, MOVE_UB), ub, MOVE_IN);                                     \
		npu_tstore(npu_at(out, MOVE_L1), l1_whole, MOVE_IN);                               \
		npu_tstore_2d(npu_at(out, MOVE_L1_2D), l1, MOVE_ROWS, MOVE_COLS, MOVE_COLS,        \
			      MOVE_LOCAL);                                                         \
	}
ALL(TYPED_MOVES)
#define TYPED_CALL(type, dtype, name)                                                              \
	case dtype:                                                                                \
		name##_##type(args);                                                               \
		break;

NPU_KERNEL(typed_moves, struct matrix_args)
{
	switch (args->dtype) {
		ALL(TYPED_CALL, moves)
	default:
		npu_assert(0);
	}
}

/* Products: where operands are in L1, and C and F in L0C. */
#define CUBE_AREA 0x8000
#define L1_A NPU_L1_BASE
#define L1_B (L1_A + CUBE_AREA)
#define L1_D (L1_B + CUBE_AREA)
#define L1_E (L1_D + CUBE_AREA)
#define L1_OUT (L1_E + CUBE_AREA)
#define UB_OUT NPU_UB_BASE
#define L0C_C NPU_L0C_BASE
#define L0C_F (NPU_L0C_BASE + CUBE_AREA)
#define L0_ALL 4096 /* elements: all of an operand, and more */

/* From @base in UB or L1 to memory. */
static void store_local(const struct matrix_args *args, npu_addr base, npu_addr out)
{
	const uint64_t size = npu_dtype_bytes(args->to);

	step();
	npu_copy_2d(out, base, CUBE_N * size, CUBE_M, CUBE_STRIDE * size, CUBE_LOCAL * size);
	step();
}

/* Sums at @sums to memory, by way of where the test wants them. */
static void plain_fixpipe(const struct matrix_args *args, npu_addr sums, uint32_t sum, npu_addr out)
{
	const npu_addr base = args->memory == TO_L1 ? L1_OUT : UB_OUT;
	const uint64_t size = npu_dtype_bytes(args->to);

	step();
	if (args->memory == TO_GM) {
		npu_fixpipe(out, sums, CUBE_M, CUBE_N, CUBE_STRIDE * size, sum, args->to,
			    args->flags, args->scale);
		return;
	}
	npu_fixpipe(base, sums, CUBE_M, CUBE_N, CUBE_LOCAL * size, sum, args->to, args->flags,
		    args->scale);
	store_local(args, base, out);
}

static void plain_loads(const struct matrix_args *args, npu_addr in, npu_addr l1, uint64_t rows,
			uint64_t cols)
{
	const uint64_t size = npu_dtype_bytes(args->dtype);

	npu_copy_2d(l1, in, cols * size, rows, CUBE_LOCAL * size, cols * size);
}

#define PLAIN_CUBE_OF(type, dtype_, mmad, mmad_dtype, sum, sum_dtype, one, two)                    \
	case dtype_:                                                                               \
		cube_dtype = mmad_dtype;                                                           \
		sums = sum_dtype;                                                                  \
		break;

NPU_KERNEL(plain_cube, struct matrix_args)
{
	const uint64_t size = npu_dtype_bytes(args->dtype), pitch = CUBE_LOCAL * size;
	const uint64_t out_size = npu_dtype_bytes(args->to);
	const npu_addr a = NPU_L0A_BASE, b = NPU_L0B_BASE;
	uint32_t cube_dtype = 0, sums = 0;

	switch (args->dtype) {
		CUBE_TYPES(PLAIN_CUBE_OF)
	default:
		npu_assert(0);
	}
	plain_loads(args, args->in + CUBE_A * size, L1_A, CUBE_M, CUBE_K);
	plain_loads(args, args->in + CUBE_B * size, L1_B, CUBE_N, CUBE_K);
	plain_loads(args, args->in + CUBE_D * size, L1_D, CUBE_K, CUBE_M);
	plain_loads(args, args->in + CUBE_E * size, L1_E, CUBE_K, CUBE_N);
	npu_fill(L0C_F, number(CUBE_NUMBER, sums), L0_ALL * 4, 4);
	step();
	npu_load0(a, L1_A, CUBE_M, CUBE_K, npu_align(CUBE_K * size), pitch, args->dtype, 0);
	npu_load0(b, L1_B, CUBE_N, CUBE_K, npu_align(CUBE_N * size), pitch, args->dtype, 1);
	step();
	npu_mmad(L0C_C, a, b, CUBE_M, CUBE_N, CUBE_K, cube_dtype, 1);
	npu_mmad(L0C_F, a, b, CUBE_M, CUBE_N, CUBE_K, cube_dtype, 0);
	step();
	npu_fill(b, number(2, cube_dtype), L0_ALL * size, size);
	step();
	npu_mmad(L0C_C, a, b, CUBE_M, CUBE_N, CUBE_K, cube_dtype, 0);
	step();
	npu_load0(a, L1_D, CUBE_K, CUBE_M, npu_align(CUBE_K * size), pitch, args->dtype, 1);
	npu_load0(b, L1_E, CUBE_K, CUBE_N, npu_align(CUBE_N * size), pitch, args->dtype, 0);
	step();
	npu_mmad(L0C_C, a, b, CUBE_M, CUBE_N, CUBE_K, cube_dtype, 0);
	step();
	npu_fill(a, number(1, cube_dtype), L0_ALL * size, size);
	step();
	npu_mmad(L0C_C, a, b, CUBE_M, CUBE_N, CUBE_K, cube_dtype, 0);
	plain_fixpipe(args, L0C_C, sums, args->out + CUBE_C * out_size);
	plain_fixpipe(args, L0C_F, sums, args->out + CUBE_F * out_size);
}

/* A fixpipe for each memory, and type that sums of a type go to. */
#define TYPED_FIXPIPE(to, to_dtype, call, ...)                                                     \
	case TO_GM * NPU_DTYPE_COUNT + to_dtype:                                                   \
		call((npu_gm_##to){ out }, sums, CUBE_M, CUBE_N, CUBE_STRIDE,                      \
		     args->flags __VA_OPT__(, ) __VA_ARGS__);                                      \
		break;                                                                             \
	case TO_L1 * NPU_DTYPE_COUNT + to_dtype:                                                   \
		call((npu_l1_##to){ L1_OUT }, sums, CUBE_M, CUBE_N, CUBE_LOCAL,                    \
		     args->flags __VA_OPT__(, ) __VA_ARGS__);                                      \
		store_local(args, L1_OUT, out);                                                    \
		break;                                                                             \
	case TO_UB * NPU_DTYPE_COUNT + to_dtype:                                                   \
		call((npu_ub_##to){ UB_OUT }, sums, CUBE_M, CUBE_N, CUBE_LOCAL,                    \
		     args->flags __VA_OPT__(, ) __VA_ARGS__);                                      \
		store_local(args, UB_OUT, out);                                                    \
		break;

static void fixpipe_f32(const struct matrix_args *args, npu_l0c_f32 sums, npu_addr out)
{
	step();
	switch (args->memory * NPU_DTYPE_COUNT + args->to) {
		FLOATS(TYPED_FIXPIPE, npu_tfixpipe)
	default:
		npu_assert(0);
	}
}

static void fixpipe_s32(const struct matrix_args *args, npu_l0c_s32 sums, npu_addr out)
{
	step();
	switch (args->memory * NPU_DTYPE_COUNT + args->to) {
		TYPED_FIXPIPE(s32, NPU_S32, npu_tfixpipe)
		TYPED_FIXPIPE(f32, NPU_F32, npu_tfixpipe_scaled, args->scale)
		TYPED_FIXPIPE(f16, NPU_F16, npu_tfixpipe_scaled, args->scale)
		TYPED_FIXPIPE(s8, NPU_S8, npu_tfixpipe_scaled, args->scale)
	default:
		npu_assert(0);
	}
}

#define TYPED_CUBE(type, dtype, mmad, mmad_dtype, sum, sum_dtype, one, two)                        \
	static void cube_##type(const struct matrix_args *args)                                    \
	{                                                                                          \
		const npu_gm_##type in = { args->in };                                             \
		const npu_l1_##type l1_a = { L1_A }, l1_b = { L1_B }, l1_d = { L1_D };             \
		const npu_l1_##type l1_e = { L1_E };                                               \
		const npu_l0a_##type a = { NPU_L0A_BASE };                                         \
		const npu_l0b_##type b = { NPU_L0B_BASE };                                         \
		const npu_l0a_##mmad left = { NPU_L0A_BASE };                                      \
		const npu_l0b_##mmad right = { NPU_L0B_BASE };                                     \
		const npu_l0c_##sum c = { L0C_C }, f = { L0C_F };                                  \
		const uint64_t out_size = npu_dtype_bytes(args->to);                               \
                                                                                                   \
		npu_tload_2d(l1_a, npu_at(in, CUBE_A), CUBE_M, CUBE_K, CUBE_LOCAL, CUBE_K);        \
		npu_tload_2d(l1_b, npu_at(in, CUBE_B), CUBE_N, CUBE_K, CUBE_LOCAL, CUBE_K);        \
		npu_tload_2d(l1_d, npu_at(in, CUBE_D), CUBE_K, CUBE_M, CUBE_LOCAL, CUBE_M);        \
		npu_tload_2d(l1_e, npu_at(in, CUBE_E), CUBE_K, CUBE_N, CUBE_LOCAL, CUBE_N);        \
		npu_tfill(f, CUBE_NUMBER, L0_ALL);                                                 \
		step();                                                                            \
		npu_tload0(a, l1_a, CUBE_M, CUBE_K, CUBE_LOCAL);                                   \
		npu_tload0_transposed(b, l1_b, CUBE_N, CUBE_K, CUBE_LOCAL);                        \
		step();                                                                            \
		npu_tmmad(c, left, right, CUBE_M, CUBE_N, CUBE_K, 1);                              \
		npu_tmmad(f, left, right, CUBE_M, CUBE_N, CUBE_K, 0);                              \
		step();                                                                            \
		npu_tfill(b, two, L0_ALL);                                                         \
		step();                                                                            \
		npu_tmmad(c, left, right, CUBE_M, CUBE_N, CUBE_K, 0);                              \
		step();                                                                            \
		npu_tload0_transposed(a, l1_d, CUBE_K, CUBE_M, CUBE_LOCAL);                        \
		npu_tload0(b, l1_e, CUBE_K, CUBE_N, CUBE_LOCAL);                                   \
		step();                                                                            \
		npu_tmmad(c, left, right, CUBE_M, CUBE_N, CUBE_K, 0);                              \
		step();                                                                            \
		npu_tfill(a, one, L0_ALL);                                                         \
		step();                                                                            \
		npu_tmmad(c, left, right, CUBE_M, CUBE_N, CUBE_K, 0);                              \
		fixpipe_##sum(args, c, args->out + CUBE_C * out_size);                             \
		fixpipe_##sum(args, f, args->out + CUBE_F * out_size);                             \
	}
CUBE_TYPES(TYPED_CUBE)

NPU_KERNEL(typed_cube, struct matrix_args)
{
	switch (args->dtype) {
		ALL(TYPED_CALL, cube)
	default:
		npu_assert(0);
	}
}

/* Block, blocks, core, cores. */
NPU_KERNEL(plain_system, struct system_args)
{
	volatile uint64_t *out = (volatile uint64_t *)args->out + 4 * block;

	for (unsigned int i = NPU_INFO_BLOCK; i <= NPU_INFO_CORES; i++)
		out[i] = npu_info(i);
	if (args->code)
		npu_trap(args->code);
}

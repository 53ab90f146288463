/* SPDX-License-Identifier: MIT */
/*
 * The kernel SDK: tile instructions as C functions. See docs/kernels.md.
 *
 * A kernel is a C function that runs once a block on an AI core:
 *
 *	NPU_KERNEL(scale, struct scale_args)
 *	{
 *		... args->x, block, blocks ...
 *	}
 *
 * Addresses are plain numbers: those from npu/npu_tile.h (NPU_UB_BASE, ...) for the
 * core's buffers, device virtual addresses for global memory.
 */
#ifndef NPU_KERNEL_H
#define NPU_KERNEL_H

#include "npu/npu_module.h"
#include "npu/npu_tile.h"

typedef uint64_t npu_addr;

/*
 * NPU_KERNEL(name, args_type) - head of a kernel's definition, with its descriptor.
 * The body sees @args, its @block and the number of @blocks. It ends by returning:
 * the device starts it with a return address of zero, which ends the block.
 */
#define NPU_KERNEL(kernel_name, args_type)                                                        \
	void kernel_name(const args_type *args, uint32_t block, uint32_t blocks);                 \
	__attribute__((used, section(NPU_MODULE_SECTION)))                                        \
	static const struct npu_kernel_desc npu_desc_##kernel_name = {                            \
		.abi = NPU_MODULE_ABI,                                                            \
		.args_size = sizeof(args_type),                                                   \
		.entry = (uintptr_t)kernel_name,                                                  \
		.name = #kernel_name,                                                             \
	};                                                                                        \
	_Static_assert(sizeof(#kernel_name) <= NPU_KERNEL_NAME_MAX, "kernel name too long");      \
	void kernel_name(const args_type *args __attribute__((unused)),                           \
			 uint32_t block __attribute__((unused)),                                  \
			 uint32_t blocks __attribute__((unused)))

/*
 * NPU_ARGS(name, args_type, field, ...) - tells what the arguments of a kernel are, for tools
 * and bindings that ask at run time. Each field of the structure is named in one of
 *
 *	in(x), out(x), inout(x)	a device address, of what the kernel reads or writes
 *	value(x)		a number
 *	array(x)		an array of numbers
 */
#define NPU_ARGS(kernel_name, args_type, ...)                                                     \
	__attribute__((used, section(NPU_ARGS_SECTION)))                                          \
	static const struct npu_arg_desc npu_args_##kernel_name[] = {                             \
		{                                                                                 \
			.size = sizeof(args_type),                                                \
			.type = NPU_ARG_KERNEL,                                                   \
			.name = #kernel_name,                                                     \
		},                                                                                \
		NPU_EXPAND(NPU_ARG_EACH(args_type, __VA_ARGS__))                                  \
	}

#define NPU_ARG_in(field) field, field, NPU_ARG_ADDRESS | NPU_ARG_READ
#define NPU_ARG_out(field) field, field, NPU_ARG_ADDRESS | NPU_ARG_WRITE
#define NPU_ARG_inout(field) field, field, NPU_ARG_ADDRESS | NPU_ARG_READ | NPU_ARG_WRITE
#define NPU_ARG_value(field) field, field, 0
#define NPU_ARG_array(field) field, field[0], 0

#define NPU_ARG_TYPE(element)                                                                     \
	_Generic((element), uint8_t: NPU_ARG_U8, int8_t: NPU_ARG_S8, uint16_t: NPU_ARG_U16,       \
		 int16_t: NPU_ARG_S16, uint32_t: NPU_ARG_U32, int32_t: NPU_ARG_S32,               \
		 uint64_t: NPU_ARG_U64, int64_t: NPU_ARG_S64, float: NPU_ARG_F32,                 \
		 double: NPU_ARG_F64)
#define NPU_ARG_DESC(args_type, ...) NPU_ARG_DESC_(args_type, __VA_ARGS__)
#define NPU_ARG_DESC_(args_type, field, element, how)                                             \
	{                                                                                         \
		.offset = __builtin_offsetof(args_type, field),                                   \
		.size = sizeof(((args_type *)0)->field),                                          \
		.type = NPU_ARG_TYPE(((args_type *)0)->element),                                  \
		.flags = how,                                                                     \
		.count = sizeof(((args_type *)0)->field) / sizeof(((args_type *)0)->element),     \
		.name = #field,                                                                   \
	}

/* Once for each, as often as NPU_EXPAND() looks at it again. */
#define NPU_ARG_EACH(args_type, item, ...)                                                        \
	NPU_ARG_DESC(args_type, NPU_ARG_##item),                                                  \
	__VA_OPT__(NPU_ARG_AGAIN NPU_PARENTHESES(args_type, __VA_ARGS__))
#define NPU_ARG_AGAIN() NPU_ARG_EACH
#define NPU_PARENTHESES ()
#define NPU_EXPAND(...) NPU_EXPAND_4(NPU_EXPAND_4(NPU_EXPAND_4(NPU_EXPAND_4(__VA_ARGS__))))
#define NPU_EXPAND_4(...) NPU_EXPAND_1(NPU_EXPAND_1(NPU_EXPAND_1(NPU_EXPAND_1(__VA_ARGS__))))
#define NPU_EXPAND_1(...) __VA_ARGS__

/* A tile instruction; all four registers are read. */
#define NPU_INSN(opcode, funct3, rd, rs1, rs2, rs3)                                               \
	__asm__ volatile(".insn r4 " #opcode ", %0, 0, %1, %2, %3, %4"                            \
			 :                                                                        \
			 : "i"(funct3), "r"((uint64_t)(rd)), "r"((uint64_t)(rs1)),                \
			   "r"((uint64_t)(rs2)), "r"((uint64_t)(rs3))                             \
			 : "memory")
#define NPU_INSN_MTE(funct3, rd, rs1, rs2, rs3) NPU_INSN(0x0b, funct3, rd, rs1, rs2, rs3)
#define NPU_INSN_CUBE(funct3, rd, rs1, rs2, rs3) NPU_INSN(0x2b, funct3, rd, rs1, rs2, rs3)
#define NPU_INSN_VEC(funct3, rd, rs1, rs2, rs3) NPU_INSN(0x5b, funct3, rd, rs1, rs2, rs3)
#define NPU_INSN_SYS(funct3, rd, rs1) NPU_INSN(0x7b, funct3, rd, rs1, 0, 0)

/* Scalar helpers. */

static inline uint64_t npu_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t npu_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t npu_ceil_div(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* npu_align() - round bytes up to what local addresses and pitches need. */
static inline uint64_t npu_align(uint64_t bytes)
{
	return (bytes + NPU_TILE_ALIGN - 1) & ~(uint64_t)(NPU_TILE_ALIGN - 1);
}

static inline uint32_t npu_dtype_bytes(unsigned int dtype)
{
	switch (dtype) {
	case NPU_F32:
	case NPU_S32:
		return 4;
	case NPU_S8:
	case NPU_U8:
		return 1;
	default:
		return 2;
	}
}

static inline uint32_t npu_f32_bits(float value)
{
	uint32_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* npu_f16_bits() - convert to fp16, round to nearest even. */
static inline uint16_t npu_f16_bits(float value)
{
	const uint32_t bits = npu_f32_bits(value), sign = bits >> 16 & 0x8000;
	const uint32_t magnitude = bits & 0x7fffffff;
	uint32_t half, rest, shift = 13;

	if (magnitude > 0x7f800000)
		return sign | 0x7e00;
	if (magnitude >= 0x47800000)
		return sign | 0x7c00;
	if (magnitude < 0x33000000)
		return sign;
	if (magnitude < 0x38800000) {
		const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;

		shift = 126 - (magnitude >> 23);
		half = mantissa >> shift;
		rest = mantissa << (32 - shift);
	} else {
		half = (magnitude - 0x38000000) >> shift;
		rest = magnitude << (32 - shift);
	}
	half += rest > 0x80000000 || (rest == 0x80000000 && (half & 1));
	return sign | half;
}

/* npu_bf16_bits() - convert to bf16, round to nearest even. */
static inline uint16_t npu_bf16_bits(float value)
{
	const uint32_t bits = npu_f32_bits(value);

	if ((bits & 0x7fffffff) > 0x7f800000)
		return 0x7fc0;
	return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* npu_scalar() - the bits of @value as a scalar operand of type @dtype, F32, F16 or BF16. */
static inline uint32_t npu_scalar(float value, unsigned int dtype)
{
	if (dtype == NPU_BF16)
		return npu_bf16_bits(value);
	return dtype == NPU_F16 ? npu_f16_bits(value) : npu_f32_bits(value);
}

/* Scalar access to UB, and to global memory. */

static inline float npu_load_f32(npu_addr addr)
{
	return *(volatile float *)addr;
}

static inline void npu_store_f32(npu_addr addr, float value)
{
	*(volatile float *)addr = value;
}

static inline int32_t npu_load_s32(npu_addr addr)
{
	return *(volatile int32_t *)addr;
}

static inline void npu_store_s32(npu_addr addr, int32_t value)
{
	*(volatile int32_t *)addr = value;
}

/*
 * Sizes are as wide as registers: to widen one of 32 bits takes two instructions.
 *
 * Memory transfer engines.
 */

/* npu_copy() - copy @bytes between global memory, L1 and UB. */
static inline void npu_copy(npu_addr dst, npu_addr src, uint64_t bytes)
{
	NPU_INSN_MTE(NPU_MTE_COPY, dst, src,
		     NPU_PREP(NPU_COPY_ROW_BYTES, bytes) | NPU_PREP(NPU_COPY_ROWS, 1), 0);
}

/* npu_copy_2d() - copy @rows of @row_bytes; pitches are bytes from row to row. */
static inline void npu_copy_2d(npu_addr dst, npu_addr src, uint64_t row_bytes, uint64_t rows,
			       uint64_t dst_pitch, uint64_t src_pitch)
{
	NPU_INSN_MTE(NPU_MTE_COPY, dst, src,
		     NPU_PREP(NPU_COPY_ROW_BYTES, row_bytes) | NPU_PREP(NPU_COPY_ROWS, rows),
		     NPU_PREP(NPU_COPY_DST_PITCH, dst_pitch) |
		     NPU_PREP(NPU_COPY_SRC_PITCH, src_pitch));
}

/*
 * npu_load0() - a matrix of @rows x @cols from L1 to L0A or L0B; with @transpose
 * row c of the destination holds column c of the source.
 */
static inline void npu_load0(npu_addr dst, npu_addr src, uint64_t rows, uint64_t cols,
			     uint64_t dst_pitch, uint64_t src_pitch, unsigned int dtype,
			     int transpose)
{
	NPU_INSN_MTE(NPU_MTE_LOAD0, dst, src,
		     NPU_PREP(NPU_LOAD0_ROWS, rows) | NPU_PREP(NPU_LOAD0_COLS, cols) |
		     NPU_PREP(NPU_LOAD0_SRC_PITCH, src_pitch),
		     NPU_PREP(NPU_LOAD0_DST_PITCH, dst_pitch) |
		     NPU_PREP(NPU_LOAD0_DTYPE, dtype) |
		     (transpose ? NPU_LOAD0_TRANSPOSE : 0));
}

/* npu_fill() - fill @bytes of a local buffer with elements of @element_bytes. */
static inline void npu_fill(npu_addr dst, uint64_t pattern, uint64_t bytes,
			    uint64_t element_bytes)
{
	NPU_INSN_MTE(NPU_MTE_SET, dst, pattern, bytes, element_bytes);
}

/* Cube. */

/* npu_mmad() - C (L0C) = A (L0A, @m x @k) * B (L0B, @k x @n), plus C unless @init. */
static inline void npu_mmad(npu_addr c, npu_addr a, npu_addr b, uint64_t m, uint64_t n,
			    uint64_t k, unsigned int dtype, int init)
{
	NPU_INSN_CUBE(NPU_CUBE_MMAD, c, a, b,
		      NPU_PREP(NPU_MMAD_M, m) | NPU_PREP(NPU_MMAD_N, n) |
		      NPU_PREP(NPU_MMAD_K, k) | NPU_PREP(NPU_MMAD_DTYPE, dtype) |
		      (init ? NPU_MMAD_INIT : 0));
}

#define NPU_FIX_RELU 1 /* flag of npu_fixpipe(): negative values become zero */

/*
 * npu_fixpipe() - convert @rows x @cols in L0C and store them to GM, L1 or UB. @scale is
 * for S32 sums that become another type, else zero.
 */
static inline void npu_fixpipe(npu_addr dst, npu_addr src, uint64_t rows, uint64_t cols,
			       uint64_t dst_pitch, unsigned int src_dtype,
			       unsigned int dst_dtype, unsigned int flags, float scale)
{
	NPU_INSN_CUBE(NPU_CUBE_FIXPIPE, dst, src,
		      NPU_PREP(NPU_FIXPIPE_ROWS, rows) | NPU_PREP(NPU_FIXPIPE_COLS, cols) |
		      NPU_PREP(NPU_FIXPIPE_DST_PITCH, dst_pitch),
		      NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, src_dtype) |
		      NPU_PREP(NPU_FIXPIPE_DST_DTYPE, dst_dtype) |
		      (flags & NPU_FIX_RELU ? NPU_FIXPIPE_RELU : 0) |
		      NPU_PREP(NPU_FIXPIPE_SCALE, npu_f32_bits(scale)));
}

/* Vector engine. */

/* npu_vec() - any operation; what @src1 is depends on @flags: see NPU_VEC_OP. */
static inline void npu_vec(enum npu_vec_opcode op, npu_addr dst, npu_addr src0, uint64_t src1,
			   uint64_t count, unsigned int dtype, uint64_t flags)
{
	NPU_INSN_VEC(NPU_VEC_OP, dst, src0, src1,
		     NPU_PREP(NPU_VEC_COUNT, count) | NPU_PREP(NPU_VEC_OPCODE, op) |
		     NPU_PREP(NPU_VEC_DTYPE, dtype) | flags);
}

/*
 * npu_vec_rows() - the vector operations that follow run on @rows rows of their
 * count, that many bytes apart; a pitch of 0 repeats the row, or adds up in it.
 */
static inline void npu_vec_rows(uint64_t rows, uint64_t dst_pitch, uint64_t src0_pitch,
				uint64_t src1_pitch)
{
	NPU_INSN_VEC(NPU_VEC_REPEAT, dst_pitch, rows, src0_pitch, src1_pitch);
}

/* npu_vec_one_row() - back to the state at kernel start. */
static inline void npu_vec_one_row(void)
{
	npu_vec_rows(1, 0, 0, 0);
}

/* npu_vec_mask() - the bit mask of npu_vselect(), and its bytes from row to row. */
static inline void npu_vec_mask(npu_addr mask, uint64_t pitch)
{
	NPU_INSN_VEC(NPU_VEC_MASK, 0, mask, pitch, 0);
}

/* npu_vec_addend() - what npu_vfma() adds, and its bytes from row to row; in the mask's place. */
static inline void npu_vec_addend(npu_addr addend, uint64_t pitch)
{
	npu_vec_mask(addend, pitch);
}

/*
 * npu_vec_scale() - what NPU_VEC_SCALED in the flags of npu_vec() does: an element x of src0 becomes
 * (x - shift) * factor; @shift and @factor are those of the first row, F32 in UB, or 0 for none.
 */
static inline void npu_vec_scale(npu_addr shift, npu_addr factor, uint64_t pitch)
{
	NPU_INSN_VEC(NPU_VEC_SCALE, 0, shift, factor, pitch);
}

/* dst = f(src) */
#define NPU_VEC_UNARY(name, op)                                                                   \
	static inline void npu_##name(npu_addr dst, npu_addr src, uint64_t count,                 \
				      unsigned int dtype)                                         \
	{                                                                                         \
		npu_vec(op, dst, src, 0, count, dtype, 0);                                        \
	}

NPU_VEC_UNARY(vmov, NPU_VMOV)
NPU_VEC_UNARY(vneg, NPU_VNEG)
NPU_VEC_UNARY(vabs, NPU_VABS)
NPU_VEC_UNARY(vrelu, NPU_VRELU)
NPU_VEC_UNARY(vexp, NPU_VEXP)
NPU_VEC_UNARY(vln, NPU_VLN)
NPU_VEC_UNARY(vsqrt, NPU_VSQRT)
NPU_VEC_UNARY(vrsqrt, NPU_VRSQRT)
NPU_VEC_UNARY(vrecip, NPU_VRECIP)
NPU_VEC_UNARY(vtanh, NPU_VTANH)
NPU_VEC_UNARY(verf, NPU_VERF)
NPU_VEC_UNARY(vnot, NPU_VNOT)
/* Reductions: one element a row. */
NPU_VEC_UNARY(vsum, NPU_VSUM)
NPU_VEC_UNARY(vsumsq, NPU_VSUMSQ) /* of squares */
NPU_VEC_UNARY(vredmax, NPU_VREDMAX)
NPU_VEC_UNARY(vredmin, NPU_VREDMIN)
NPU_VEC_UNARY(vargmax, NPU_VARGMAX)
NPU_VEC_UNARY(vargmin, NPU_VARGMIN)

/*
 * dst = src0 op src1. The form with an s takes the bits of a scalar as src1, that with
 * an r one element for each row: src1 is the first, src1_pitch of npu_vec_rows() apart.
 */
#define NPU_VEC_BINARY(name, op)                                                                  \
	static inline void npu_##name(npu_addr dst, npu_addr src0, npu_addr src1,                 \
				      uint64_t count, unsigned int dtype)                         \
	{                                                                                         \
		npu_vec(op, dst, src0, src1, count, dtype, 0);                                    \
	}                                                                                         \
	static inline void npu_##name##s(npu_addr dst, npu_addr src0, uint32_t scalar,            \
					 uint64_t count, unsigned int dtype)                      \
	{                                                                                         \
		npu_vec(op, dst, src0, scalar, count, dtype, NPU_VEC_SCALAR);                     \
	}                                                                                         \
	static inline void npu_##name##r(npu_addr dst, npu_addr src0, npu_addr src1,              \
					 uint64_t count, unsigned int dtype)                      \
	{                                                                                         \
		npu_vec(op, dst, src0, src1, count, dtype, NPU_VEC_PER_ROW);                      \
	}

NPU_VEC_BINARY(vadd, NPU_VADD)
NPU_VEC_BINARY(vsub, NPU_VSUB)
NPU_VEC_BINARY(vmul, NPU_VMUL)
NPU_VEC_BINARY(vdiv, NPU_VDIV)
NPU_VEC_BINARY(vmax, NPU_VMAX)
NPU_VEC_BINARY(vmin, NPU_VMIN)
NPU_VEC_BINARY(vmla, NPU_VMLA) /* dst += src0 * src1 */
NPU_VEC_BINARY(vmadd, NPU_VMADD) /* dst = src0 * dst + src1 */
NPU_VEC_BINARY(vfma, NPU_VFMA) /* dst = src0 * src1 + addend */
NPU_VEC_BINARY(vand, NPU_VAND)
NPU_VEC_BINARY(vor, NPU_VOR)
NPU_VEC_BINARY(vxor, NPU_VXOR)
NPU_VEC_BINARY(vshl, NPU_VSHL)
NPU_VEC_BINARY(vshr, NPU_VSHR)
NPU_VEC_BINARY(vdot, NPU_VDOT) /* a reduction: the sum of src0 * src1 */
/* Comparisons write a bit mask; select takes the one set by npu_vec_mask(). */
NPU_VEC_BINARY(vcmp_eq, NPU_VCMP_EQ)
NPU_VEC_BINARY(vcmp_ne, NPU_VCMP_NE)
NPU_VEC_BINARY(vcmp_lt, NPU_VCMP_LT)
NPU_VEC_BINARY(vcmp_le, NPU_VCMP_LE)
NPU_VEC_BINARY(vcmp_gt, NPU_VCMP_GT)
NPU_VEC_BINARY(vcmp_ge, NPU_VCMP_GE)
NPU_VEC_BINARY(vselect, NPU_VSELECT)

/* npu_vdup() - fill with a scalar. */
static inline void npu_vdup(npu_addr dst, uint32_t scalar, uint64_t count, unsigned int dtype)
{
	npu_vec(NPU_VDUP, dst, 0, scalar, count, dtype, NPU_VEC_SCALAR);
}

/* npu_vindex() - dst[i] = scalar + i. */
static inline void npu_vindex(npu_addr dst, uint32_t scalar, uint64_t count, unsigned int dtype)
{
	npu_vec(NPU_VINDEX, dst, 0, scalar, count, dtype, NPU_VEC_SCALAR);
}

/* npu_vcast() - convert; @flags: NPU_VEC_TRUNC or 0. */
static inline void npu_vcast(npu_addr dst, npu_addr src, uint64_t count, unsigned int src_dtype,
			     unsigned int dst_dtype, uint64_t flags)
{
	npu_vec(NPU_VCAST, dst, src, 0, count, src_dtype,
		NPU_PREP(NPU_VEC_DST_DTYPE, dst_dtype) | flags);
}

/* Synchronisation and system. */

/* npu_set_flag() - when @src has done all before this, @dst may pass one wait for it. */
static inline void npu_set_flag(enum npu_pipe src, enum npu_pipe dst, unsigned int id)
{
	NPU_INSN_SYS(NPU_SYS_SET_FLAG, 0,
		     NPU_PREP(NPU_FLAG_SRC, src) | NPU_PREP(NPU_FLAG_DST, dst) |
		     NPU_PREP(NPU_FLAG_ID, id));
}

/* npu_wait_flag() - @dst does nothing after this before @src has set the flag. */
static inline void npu_wait_flag(enum npu_pipe src, enum npu_pipe dst, unsigned int id)
{
	NPU_INSN_SYS(NPU_SYS_WAIT_FLAG, 0,
		     NPU_PREP(NPU_FLAG_SRC, src) | NPU_PREP(NPU_FLAG_DST, dst) |
		     NPU_PREP(NPU_FLAG_ID, id));
}

/* npu_barrier() - nothing starts on the pipe, or NPU_PIPE_ALL, before all before it ended. */
static inline void npu_barrier(enum npu_pipe pipe)
{
	NPU_INSN_SYS(NPU_SYS_BARRIER, 0, pipe);
}

static inline uint64_t npu_info(enum npu_info what)
{
	uint64_t value;

	__asm__ volatile(".insn r4 0x7b, %1, 0, %0, %2, x0, x0"
			 : "=r"(value)
			 : "i"(NPU_SYS_GETINFO), "r"((uint64_t)what));
	return value;
}

/* npu_trap() - end the task with an error that carries @code. */
static inline void __attribute__((noreturn)) npu_trap(uint64_t code)
{
	NPU_INSN_SYS(NPU_SYS_TRAP, 0, code);
	__builtin_unreachable();
}

/* struct npu_span - what of a range is this block's */
struct npu_span {
	uint64_t begin, end;
};

/* npu_split() - share @count in units of @unit evenly among the blocks. */
static inline struct npu_span npu_split(uint64_t count, uint64_t unit, uint32_t block,
					uint32_t blocks)
{
	const uint64_t units = npu_ceil_div(count, unit);

	return (struct npu_span){
		.begin = npu_min(units * block / blocks * unit, count),
		.end = npu_min(units * (block + 1) / blocks * unit, count),
	};
}

#include "npu_print.h"

#endif /* NPU_KERNEL_H */

/* SPDX-License-Identifier: MIT */
/*
 * The SDK with types: tile instructions on buffers that know which memory they are in and what
 * their elements are, so that a wrong one does not compile. Each is the instruction of
 * npu_kernel.h, to which it comes down, with npu_t for npu_, and the element type left out:
 *
 *	npu_ub_f32 x = { NPU_UB_BASE }, y = NPU_AFTER(x, 1024);
 *	const npu_gm_f32 from = { args->x };
 *
 *	npu_tload(x, npu_at(from, i), n);
 *	npu_tvexp(y, x, n);
 *
 * Types are npu_<memory>_<element>: memory is gm, ub, l1, l0a, l0b or l0c, element is f32, f16,
 * bf16, s32, s16, s8 or u8. Each is an address, .at; strides and offsets count elements.
 */
#ifndef NPU_TYPED_H
#define NPU_TYPED_H

#include "npu_kernel.h"

/* Element types: name, dtype, and a C type of that size. X gets them, and what else is given. */
#define NPU_FLOATS(X, ...)                                                                         \
	X(f32, NPU_F32, float, __VA_ARGS__)                                                        \
	X(f16, NPU_F16, uint16_t, __VA_ARGS__) X(bf16, NPU_BF16, uint16_t, __VA_ARGS__)
#define NPU_SIGNED_INTEGERS(X, ...)                                                                \
	X(s32, NPU_S32, int32_t, __VA_ARGS__)                                                      \
	X(s16, NPU_S16, int16_t, __VA_ARGS__) X(s8, NPU_S8, int8_t, __VA_ARGS__)
#define NPU_INTEGERS(X, ...) NPU_SIGNED_INTEGERS(X, __VA_ARGS__) X(u8, NPU_U8, uint8_t, __VA_ARGS__)
#define NPU_SIGNED(X, ...) NPU_FLOATS(X, __VA_ARGS__) NPU_SIGNED_INTEGERS(X, __VA_ARGS__)
#define NPU_ALL(X, ...) NPU_FLOATS(X, __VA_ARGS__) NPU_INTEGERS(X, __VA_ARGS__)
#define NPU_SUMMABLE(X, ...) NPU_FLOATS(X, __VA_ARGS__) X(s32, NPU_S32, int32_t, __VA_ARGS__)
#define NPU_SCALABLE(X, ...)                                                                       \
	X(f32, NPU_F32, float, __VA_ARGS__)                                                        \
	X(f16, NPU_F16, uint16_t, __VA_ARGS__) X(s8, NPU_S8, int8_t, __VA_ARGS__)
#define NPU_INDEXABLE(X, ...)                                                                      \
	X(f32, NPU_F32, float, __VA_ARGS__) X(s32, NPU_S32, int32_t, __VA_ARGS__)

/* Nothing is in @element: it knows the size of one. */
#define NPU_DEFINE_TYPE(type, dtype, c_type, memory)                                               \
	typedef struct npu_##memory##_##type {                                                     \
		npu_addr at;                                                                       \
		c_type element[0];                                                                 \
	} npu_##memory##_##type;
NPU_ALL(NPU_DEFINE_TYPE, gm)
NPU_ALL(NPU_DEFINE_TYPE, ub)
NPU_ALL(NPU_DEFINE_TYPE, l1)
NPU_ALL(NPU_DEFINE_TYPE, l0a)
NPU_ALL(NPU_DEFINE_TYPE, l0b)
NPU_INDEXABLE(NPU_DEFINE_TYPE, l0c)

#define NPU_SIZE(buffer) ((uint64_t)sizeof((buffer).element[0]))

/* npu_at() - the buffer from element @index on. */
#define npu_at(buffer, index) ((__typeof__(buffer)){ (buffer).at + (index)*NPU_SIZE(buffer) })

/* NPU_AFTER() - the address behind @count elements of a local buffer, aligned; in braces. */
#define NPU_AFTER(buffer, count)                                                                   \
	{                                                                                          \
		(buffer).at + npu_align((count)*NPU_SIZE(buffer))                                  \
	}

/* The bits of a scalar operand: @value is rounded to the type of the operation. */
#define npu_tscalar_f32 npu_f32_bits
#define npu_tscalar_f16 npu_f16_bits
#define npu_tscalar_bf16 npu_bf16_bits
#define npu_tscalar_s32 (uint32_t)
#define npu_tscalar_s16 (uint32_t)
#define npu_tscalar_s8 (uint32_t)
#define npu_tscalar_u8 (uint32_t)
#define NPU_SCALAR_f32 float
#define NPU_SCALAR_f16 float
#define NPU_SCALAR_bf16 float
#define NPU_SCALAR_s32 int32_t
#define NPU_SCALAR_s16 int32_t
#define NPU_SCALAR_s8 int32_t
#define NPU_SCALAR_u8 int32_t

/* The function for the type of @x: npu_<name>_<memory>_<element>. */
#define NPU_CASE(type, dtype, c_type, memory, name)                                                \
	, npu_##memory##_##type : npu_##name##_##memory##_##type
#define NPU_SELECT(x, list, memory, name) _Generic((x)list(NPU_CASE, memory, name))
#define NPU_SELECT_LOCAL(x, name)                                                                  \
	_Generic((x)NPU_ALL(NPU_CASE, ub, name) NPU_ALL(NPU_CASE, l1, name))

/* Global memory to UB and L1, and back: npu_tload() and npu_tstore() of @count elements. */

#define NPU_DEFINE_COPY(type, dtype, c_type, memory)                                               \
	static inline void npu_tload_##memory##_##type(npu_##memory##_##type dst,                  \
						       npu_gm_##type src, uint64_t count)          \
	{                                                                                          \
		npu_copy(dst.at, src.at, count * sizeof(c_type));                                  \
	}                                                                                          \
	static inline void npu_tstore_##memory##_##type(npu_gm_##type dst,                         \
							npu_##memory##_##type src, uint64_t count) \
	{                                                                                          \
		npu_copy(dst.at, src.at, count * sizeof(c_type));                                  \
	}                                                                                          \
	static inline void npu_tload_2d_##memory##_##type(npu_##memory##_##type dst,               \
							  npu_gm_##type src, uint64_t rows,        \
							  uint64_t cols, uint64_t dst_stride,      \
							  uint64_t src_stride)                     \
	{                                                                                          \
		npu_copy_2d(dst.at, src.at, cols * sizeof(c_type), rows,                           \
			    dst_stride * sizeof(c_type), src_stride * sizeof(c_type));             \
	}                                                                                          \
	static inline void npu_tstore_2d_##memory##_##type(                                        \
		npu_gm_##type dst, npu_##memory##_##type src, uint64_t rows, uint64_t cols,        \
		uint64_t dst_stride, uint64_t src_stride)                                          \
	{                                                                                          \
		npu_copy_2d(dst.at, src.at, cols * sizeof(c_type), rows,                           \
			    dst_stride * sizeof(c_type), src_stride * sizeof(c_type));             \
	}
NPU_ALL(NPU_DEFINE_COPY, ub)
NPU_ALL(NPU_DEFINE_COPY, l1)

#define npu_tload(dst, src, count) NPU_SELECT_LOCAL(dst, tload)(dst, src, count)
#define npu_tstore(dst, src, count) NPU_SELECT_LOCAL(src, tstore)(dst, src, count)
#define npu_tload_2d(dst, src, rows, cols, dst_stride, src_stride)                                 \
	NPU_SELECT_LOCAL(dst, tload_2d)(dst, src, rows, cols, dst_stride, src_stride)
#define npu_tstore_2d(dst, src, rows, cols, dst_stride, src_stride)                                \
	NPU_SELECT_LOCAL(src, tstore_2d)(dst, src, rows, cols, dst_stride, src_stride)

/* UB to L1, where a result becomes an operand of the cube, and back: npu_tmove(). */
#define NPU_DEFINE_MOVE(type, dtype, c_type, to, from)                                             \
	static inline void npu_tmove_##from##_##type(npu_##to##_##type dst,                        \
						     npu_##from##_##type src, uint64_t count)      \
	{                                                                                          \
		npu_copy(dst.at, src.at, count * sizeof(c_type));                                  \
	}                                                                                          \
	static inline void npu_tmove_2d_##from##_##type(npu_##to##_##type dst,                     \
							npu_##from##_##type src, uint64_t rows,    \
							uint64_t cols, uint64_t dst_stride,        \
							uint64_t src_stride)                       \
	{                                                                                          \
		npu_copy_2d(dst.at, src.at, cols * sizeof(c_type), rows,                           \
			    dst_stride * sizeof(c_type), src_stride * sizeof(c_type));             \
	}
NPU_ALL(NPU_DEFINE_MOVE, l1, ub)
NPU_ALL(NPU_DEFINE_MOVE, ub, l1)

#define npu_tmove(dst, src, count) NPU_SELECT_LOCAL(src, tmove)(dst, src, count)
#define npu_tmove_2d(dst, src, rows, cols, dst_stride, src_stride)                                 \
	NPU_SELECT_LOCAL(src, tmove_2d)(dst, src, rows, cols, dst_stride, src_stride)

/*
 * L1 to the cube's inputs, whose rows are dense and padded to 32 bytes: npu_tload0() of
 * @rows x @cols, and npu_tload0_transposed(), which makes @cols x @rows of it.
 */
#define NPU_DEFINE_LOAD0(type, dtype, c_type, memory)                                              \
	static inline void npu_tload0_##memory##_##type(npu_##memory##_##type dst,                 \
							npu_l1_##type src, uint64_t rows,          \
							uint64_t cols, uint64_t src_stride)        \
	{                                                                                          \
		npu_load0(dst.at, src.at, rows, cols, npu_align(cols * sizeof(c_type)),            \
			  src_stride * sizeof(c_type), dtype, 0);                                  \
	}                                                                                          \
	static inline void npu_tload0_transposed_##memory##_##type(npu_##memory##_##type dst,      \
								   npu_l1_##type src,              \
								   uint64_t rows, uint64_t cols,   \
								   uint64_t src_stride)            \
	{                                                                                          \
		npu_load0(dst.at, src.at, rows, cols, npu_align(rows * sizeof(c_type)),            \
			  src_stride * sizeof(c_type), dtype, 1);                                  \
	}
NPU_ALL(NPU_DEFINE_LOAD0, l0a)
NPU_ALL(NPU_DEFINE_LOAD0, l0b)

#define NPU_SELECT_L0(x, name)                                                                     \
	_Generic((x)NPU_ALL(NPU_CASE, l0a, name) NPU_ALL(NPU_CASE, l0b, name))
#define npu_tload0(dst, src, rows, cols, src_stride)                                               \
	NPU_SELECT_L0(dst, tload0)(dst, src, rows, cols, src_stride)
#define npu_tload0_transposed(dst, src, rows, cols, src_stride)                                    \
	NPU_SELECT_L0(dst, tload0_transposed)(dst, src, rows, cols, src_stride)

/* npu_tfill() - @count elements of any local buffer become @value. */
#define NPU_DEFINE_FILL(type, dtype, c_type, memory)                                               \
	static inline void npu_tfill_##memory##_##type(npu_##memory##_##type dst,                  \
						       NPU_SCALAR_##type value, uint64_t count)    \
	{                                                                                          \
		npu_fill(dst.at, npu_tscalar_##type(value), count * sizeof(c_type),                \
			 sizeof(c_type));                                                          \
	}
NPU_ALL(NPU_DEFINE_FILL, ub)
NPU_ALL(NPU_DEFINE_FILL, l1)
NPU_ALL(NPU_DEFINE_FILL, l0a)
NPU_ALL(NPU_DEFINE_FILL, l0b)
NPU_INDEXABLE(NPU_DEFINE_FILL, l0c)

#define npu_tfill(dst, value, count)                                                               \
	_Generic((dst)NPU_ALL(NPU_CASE, ub, tfill) NPU_ALL(NPU_CASE, l1, tfill)                    \
			 NPU_ALL(NPU_CASE, l0a, tfill) NPU_ALL(NPU_CASE, l0b, tfill)               \
				 NPU_INDEXABLE(NPU_CASE, l0c, tfill))(dst, value, count)

/* The cube: floats are summed in f32, s8 in s32. */

#define NPU_DEFINE_MMAD(type, dtype, sum)                                                          \
	static inline void npu_tmmad_l0a_##type(npu_l0c_##sum c, npu_l0a_##type a,                 \
						npu_l0b_##type b, uint64_t m, uint64_t n,          \
						uint64_t k, int init)                              \
	{                                                                                          \
		npu_mmad(c.at, a.at, b.at, m, n, k, dtype, init);                                  \
	}
NPU_DEFINE_MMAD(f32, NPU_F32, f32)
NPU_DEFINE_MMAD(f16, NPU_F16, f32)
NPU_DEFINE_MMAD(bf16, NPU_BF16, f32)
NPU_DEFINE_MMAD(s8, NPU_S8, s32)

#define npu_tmmad(c, a, b, m, n, k, init)                                                          \
	_Generic((a)NPU_FLOATS(NPU_CASE, l0a, tmmad), npu_l0a_s8                                   \
		 : npu_tmmad_l0a_s8)(c, a, b, m, n, k, init)

/*
 * npu_tfixpipe() - sums to GM, L1 or UB: those in f32 as any of the floats, those in s32 as they
 * are. npu_tfixpipe_scaled() - sums in s32 times @scale, as f32, f16 or s8.
 */
#define NPU_DEFINE_FIXPIPE(type, dtype, c_type, memory, sum, sum_dtype)                            \
	static inline void npu_tfixpipe_##memory##_##type(npu_##memory##_##type dst,               \
							  npu_l0c_##sum src, uint64_t rows,        \
							  uint64_t cols, uint64_t dst_stride,      \
							  unsigned int flags)                      \
	{                                                                                          \
		npu_fixpipe(dst.at, src.at, rows, cols, dst_stride * sizeof(c_type), sum_dtype,    \
			    dtype, flags, 0);                                                      \
	}
#define NPU_DEFINE_FIXPIPE_SCALED(type, dtype, c_type, memory)                                     \
	static inline void npu_tfixpipe_scaled_##memory##_##type(                                  \
		npu_##memory##_##type dst, npu_l0c_s32 src, uint64_t rows, uint64_t cols,          \
		uint64_t dst_stride, unsigned int flags, float scale)                              \
	{                                                                                          \
		npu_fixpipe(dst.at, src.at, rows, cols, dst_stride * sizeof(c_type), NPU_S32,      \
			    dtype, flags, scale);                                                  \
	}
#define NPU_DEFINE_FIXPIPES(memory)                                                                \
	NPU_FLOATS(NPU_DEFINE_FIXPIPE, memory, f32, NPU_F32)                                       \
	NPU_DEFINE_FIXPIPE(s32, NPU_S32, int32_t, memory, s32, NPU_S32)                            \
	NPU_SCALABLE(NPU_DEFINE_FIXPIPE_SCALED, memory)
NPU_DEFINE_FIXPIPES(gm)
NPU_DEFINE_FIXPIPES(l1)
NPU_DEFINE_FIXPIPES(ub)

#define NPU_SELECT_FIXPIPE(x, list, name)                                                          \
	_Generic((x)list(NPU_CASE, gm, name) list(NPU_CASE, l1, name) list(NPU_CASE, ub, name))
#define npu_tfixpipe(dst, src, rows, cols, dst_stride, flags)                                      \
	NPU_SELECT_FIXPIPE(dst, NPU_SUMMABLE, tfixpipe)(dst, src, rows, cols, dst_stride, flags)
#define npu_tfixpipe_scaled(dst, src, rows, cols, dst_stride, flags, scale)                        \
	NPU_SELECT_FIXPIPE(dst, NPU_SCALABLE, tfixpipe_scaled)                                     \
	(dst, src, rows, cols, dst_stride, flags, scale)

/* Vectors, all in UB. */

/* Bits of comparisons. */
typedef struct npu_ub_mask {
	npu_addr at;
} npu_ub_mask;

#define NPU_DEFINE_UNARY(type, dtype, c_type, name)                                                \
	static inline void npu_t##name##_ub_##type(npu_ub_##type dst, npu_ub_##type src,           \
						   uint64_t count)                                 \
	{                                                                                          \
		npu_##name(dst.at, src.at, count, dtype);                                          \
	}
NPU_ALL(NPU_DEFINE_UNARY, vmov)
NPU_SIGNED(NPU_DEFINE_UNARY, vneg)
NPU_SIGNED(NPU_DEFINE_UNARY, vabs)
NPU_SIGNED(NPU_DEFINE_UNARY, vrelu)
NPU_FLOATS(NPU_DEFINE_UNARY, vexp)
NPU_FLOATS(NPU_DEFINE_UNARY, vln)
NPU_FLOATS(NPU_DEFINE_UNARY, vsqrt)
NPU_FLOATS(NPU_DEFINE_UNARY, vrsqrt)
NPU_FLOATS(NPU_DEFINE_UNARY, vrecip)
NPU_FLOATS(NPU_DEFINE_UNARY, vtanh)
NPU_FLOATS(NPU_DEFINE_UNARY, verf)
NPU_INTEGERS(NPU_DEFINE_UNARY, vnot)
NPU_SUMMABLE(NPU_DEFINE_UNARY, vsum)
NPU_FLOATS(NPU_DEFINE_UNARY, vsumsq)
NPU_ALL(NPU_DEFINE_UNARY, vredmax)
NPU_ALL(NPU_DEFINE_UNARY, vredmin)

#define npu_tvmov(dst, src, count) NPU_SELECT(dst, NPU_ALL, ub, tvmov)(dst, src, count)
#define npu_tvneg(dst, src, count) NPU_SELECT(dst, NPU_SIGNED, ub, tvneg)(dst, src, count)
#define npu_tvabs(dst, src, count) NPU_SELECT(dst, NPU_SIGNED, ub, tvabs)(dst, src, count)
#define npu_tvrelu(dst, src, count) NPU_SELECT(dst, NPU_SIGNED, ub, tvrelu)(dst, src, count)
#define npu_tvexp(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvexp)(dst, src, count)
#define npu_tvln(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvln)(dst, src, count)
#define npu_tvsqrt(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvsqrt)(dst, src, count)
#define npu_tvrsqrt(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvrsqrt)(dst, src, count)
#define npu_tvrecip(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvrecip)(dst, src, count)
#define npu_tvtanh(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvtanh)(dst, src, count)
#define npu_tverf(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tverf)(dst, src, count)
#define npu_tvnot(dst, src, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvnot)(dst, src, count)
#define npu_tvsum(dst, src, count) NPU_SELECT(dst, NPU_SUMMABLE, ub, tvsum)(dst, src, count)
#define npu_tvsumsq(dst, src, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvsumsq)(dst, src, count)
#define npu_tvredmax(dst, src, count) NPU_SELECT(dst, NPU_ALL, ub, tvredmax)(dst, src, count)
#define npu_tvredmin(dst, src, count) NPU_SELECT(dst, NPU_ALL, ub, tvredmin)(dst, src, count)

/* With s the second source is a number, with r one element for each row. */
#define NPU_DEFINE_BINARY(type, dtype, c_type, name)                                               \
	static inline void npu_t##name##_ub_##type(npu_ub_##type dst, npu_ub_##type src0,          \
						   npu_ub_##type src1, uint64_t count)             \
	{                                                                                          \
		npu_##name(dst.at, src0.at, src1.at, count, dtype);                                \
	}                                                                                          \
	static inline void npu_t##name##s_ub_##type(npu_ub_##type dst, npu_ub_##type src0,         \
						    NPU_SCALAR_##type scalar, uint64_t count)      \
	{                                                                                          \
		npu_##name##s(dst.at, src0.at, npu_tscalar_##type(scalar), count, dtype);          \
	}                                                                                          \
	static inline void npu_t##name##r_ub_##type(npu_ub_##type dst, npu_ub_##type src0,         \
						    npu_ub_##type src1, uint64_t count)            \
	{                                                                                          \
		npu_##name##r(dst.at, src0.at, src1.at, count, dtype);                             \
	}
NPU_ALL(NPU_DEFINE_BINARY, vadd)
NPU_ALL(NPU_DEFINE_BINARY, vsub)
NPU_ALL(NPU_DEFINE_BINARY, vmul)
NPU_FLOATS(NPU_DEFINE_BINARY, vdiv)
NPU_ALL(NPU_DEFINE_BINARY, vmax)
NPU_ALL(NPU_DEFINE_BINARY, vmin)
NPU_ALL(NPU_DEFINE_BINARY, vmla)
NPU_ALL(NPU_DEFINE_BINARY, vmadd)
NPU_FLOATS(NPU_DEFINE_BINARY, vfma)
NPU_FLOATS(NPU_DEFINE_BINARY, vdot)
NPU_INTEGERS(NPU_DEFINE_BINARY, vand)
NPU_INTEGERS(NPU_DEFINE_BINARY, vor)
NPU_INTEGERS(NPU_DEFINE_BINARY, vxor)
NPU_INTEGERS(NPU_DEFINE_BINARY, vshl)
NPU_INTEGERS(NPU_DEFINE_BINARY, vshr)
NPU_ALL(NPU_DEFINE_BINARY, vselect)

#define npu_tvadd(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvadd)(dst, a, b, count)
#define npu_tvadds(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvadds)(dst, a, b, count)
#define npu_tvaddr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvaddr)(dst, a, b, count)
#define npu_tvsub(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvsub)(dst, a, b, count)
#define npu_tvsubs(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvsubs)(dst, a, b, count)
#define npu_tvsubr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvsubr)(dst, a, b, count)
#define npu_tvmul(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmul)(dst, a, b, count)
#define npu_tvmuls(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmuls)(dst, a, b, count)
#define npu_tvmulr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmulr)(dst, a, b, count)
#define npu_tvdiv(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdiv)(dst, a, b, count)
#define npu_tvdivs(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdivs)(dst, a, b, count)
#define npu_tvdivr(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdivr)(dst, a, b, count)
#define npu_tvmax(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmax)(dst, a, b, count)
#define npu_tvmaxs(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmaxs)(dst, a, b, count)
#define npu_tvmaxr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmaxr)(dst, a, b, count)
#define npu_tvmin(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmin)(dst, a, b, count)
#define npu_tvmins(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmins)(dst, a, b, count)
#define npu_tvminr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvminr)(dst, a, b, count)
#define npu_tvmla(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmla)(dst, a, b, count)
#define npu_tvmlas(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmlas)(dst, a, b, count)
#define npu_tvmlar(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmlar)(dst, a, b, count)
#define npu_tvmadd(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmadd)(dst, a, b, count)
#define npu_tvmadds(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmadds)(dst, a, b, count)
#define npu_tvmaddr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvmaddr)(dst, a, b, count)
#define npu_tvfma(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvfma)(dst, a, b, count)
#define npu_tvfmas(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvfmas)(dst, a, b, count)
#define npu_tvfmar(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvfmar)(dst, a, b, count)
#define npu_tvdot(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdot)(dst, a, b, count)
#define npu_tvdots(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdots)(dst, a, b, count)
#define npu_tvdotr(dst, a, b, count) NPU_SELECT(dst, NPU_FLOATS, ub, tvdotr)(dst, a, b, count)
#define npu_tvand(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvand)(dst, a, b, count)
#define npu_tvands(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvands)(dst, a, b, count)
#define npu_tvandr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvandr)(dst, a, b, count)
#define npu_tvor(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvor)(dst, a, b, count)
#define npu_tvors(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvors)(dst, a, b, count)
#define npu_tvorr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvorr)(dst, a, b, count)
#define npu_tvxor(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvxor)(dst, a, b, count)
#define npu_tvxors(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvxors)(dst, a, b, count)
#define npu_tvxorr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvxorr)(dst, a, b, count)
#define npu_tvshl(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshl)(dst, a, b, count)
#define npu_tvshls(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshls)(dst, a, b, count)
#define npu_tvshlr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshlr)(dst, a, b, count)
#define npu_tvshr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshr)(dst, a, b, count)
#define npu_tvshrs(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshrs)(dst, a, b, count)
#define npu_tvshrr(dst, a, b, count) NPU_SELECT(dst, NPU_INTEGERS, ub, tvshrr)(dst, a, b, count)

/* Comparisons write a mask; npu_tvselect() takes the first source where it has ones. */

#define NPU_DEFINE_COMPARE(type, dtype, c_type, name)                                              \
	static inline void npu_t##name##_ub_##type(npu_ub_mask dst, npu_ub_##type src0,            \
						   npu_ub_##type src1, uint64_t count)             \
	{                                                                                          \
		npu_##name(dst.at, src0.at, src1.at, count, dtype);                                \
	}                                                                                          \
	static inline void npu_t##name##s_ub_##type(npu_ub_mask dst, npu_ub_##type src0,           \
						    NPU_SCALAR_##type scalar, uint64_t count)      \
	{                                                                                          \
		npu_##name##s(dst.at, src0.at, npu_tscalar_##type(scalar), count, dtype);          \
	}                                                                                          \
	static inline void npu_t##name##r_ub_##type(npu_ub_mask dst, npu_ub_##type src0,           \
						    npu_ub_##type src1, uint64_t count)            \
	{                                                                                          \
		npu_##name##r(dst.at, src0.at, src1.at, count, dtype);                             \
	}
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_eq)
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_ne)
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_lt)
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_le)
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_gt)
NPU_ALL(NPU_DEFINE_COMPARE, vcmp_ge)

#define npu_tvcmp_eq(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_eq)(dst, a, b, count)
#define npu_tvcmp_eqs(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_eqs)(dst, a, b, count)
#define npu_tvcmp_eqr(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_eqr)(dst, a, b, count)
#define npu_tvcmp_ne(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ne)(dst, a, b, count)
#define npu_tvcmp_nes(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_nes)(dst, a, b, count)
#define npu_tvcmp_ner(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ner)(dst, a, b, count)
#define npu_tvcmp_lt(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_lt)(dst, a, b, count)
#define npu_tvcmp_lts(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_lts)(dst, a, b, count)
#define npu_tvcmp_ltr(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ltr)(dst, a, b, count)
#define npu_tvcmp_le(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_le)(dst, a, b, count)
#define npu_tvcmp_les(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_les)(dst, a, b, count)
#define npu_tvcmp_ler(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ler)(dst, a, b, count)
#define npu_tvcmp_gt(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_gt)(dst, a, b, count)
#define npu_tvcmp_gts(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_gts)(dst, a, b, count)
#define npu_tvcmp_gtr(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_gtr)(dst, a, b, count)
#define npu_tvcmp_ge(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ge)(dst, a, b, count)
#define npu_tvcmp_ges(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ges)(dst, a, b, count)
#define npu_tvcmp_ger(dst, a, b, count) NPU_SELECT(a, NPU_ALL, ub, tvcmp_ger)(dst, a, b, count)
#define npu_tvselect(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvselect)(dst, a, b, count)
#define npu_tvselects(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvselects)(dst, a, b, count)
#define npu_tvselectr(dst, a, b, count) NPU_SELECT(dst, NPU_ALL, ub, tvselectr)(dst, a, b, count)

/* npu_tvec_mask() - the mask of npu_tvselect(), and its bytes from row to row. */
static inline void npu_tvec_mask(npu_ub_mask mask, uint64_t pitch)
{
	npu_vec_mask(mask.at, pitch);
}

/* npu_tvec_addend() - what npu_tvfma() adds, in the place of the mask; @stride from row to row. */
#define NPU_DEFINE_ADDEND(type, dtype, c_type, memory)                                             \
	static inline void npu_tvec_addend_##memory##_##type(npu_##memory##_##type addend,         \
							     uint64_t stride)                      \
	{                                                                                          \
		npu_vec_addend(addend.at, stride * sizeof(c_type));                                \
	}
NPU_FLOATS(NPU_DEFINE_ADDEND, ub)

#define npu_tvec_addend(addend, stride)                                                            \
	NPU_SELECT(addend, NPU_FLOATS, ub, tvec_addend)(addend, stride)

/*
 * npu_tvec_scale() - numbers of each row, @stride apart: functions with _scaled, which have
 * NPU_VEC_SCALED, take (x - shift) * factor for an element x of the first source. Either may be
 * { 0 }, for none.
 */
static inline void npu_tvec_scale(npu_ub_f32 shift, npu_ub_f32 factor, uint64_t stride)
{
	npu_vec_scale(shift.at, factor.at, stride * sizeof(float));
}

#define NPU_DEFINE_UNARY_SCALED(type, dtype, c_type, name, op)                                     \
	static inline void npu_t##name##_scaled_ub_##type(npu_ub_##type dst, npu_ub_##type src,    \
							  uint64_t count)                          \
	{                                                                                          \
		npu_vec(op, dst.at, src.at, 0, count, dtype, NPU_VEC_SCALED);                      \
	}
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vneg, NPU_VNEG)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vabs, NPU_VABS)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vrelu, NPU_VRELU)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vexp, NPU_VEXP)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vln, NPU_VLN)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vsqrt, NPU_VSQRT)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vrsqrt, NPU_VRSQRT)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vrecip, NPU_VRECIP)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vtanh, NPU_VTANH)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, verf, NPU_VERF)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vsum, NPU_VSUM)
NPU_FLOATS(NPU_DEFINE_UNARY_SCALED, vsumsq, NPU_VSUMSQ)

#define npu_tvneg_scaled(dst, src, count)                                                          \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvneg_scaled)(dst, src, count)
#define npu_tvabs_scaled(dst, src, count)                                                          \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvabs_scaled)(dst, src, count)
#define npu_tvrelu_scaled(dst, src, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvrelu_scaled)(dst, src, count)
#define npu_tvexp_scaled(dst, src, count)                                                          \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvexp_scaled)(dst, src, count)
#define npu_tvln_scaled(dst, src, count)                                                           \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvln_scaled)(dst, src, count)
#define npu_tvsqrt_scaled(dst, src, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsqrt_scaled)(dst, src, count)
#define npu_tvrsqrt_scaled(dst, src, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvrsqrt_scaled)(dst, src, count)
#define npu_tvrecip_scaled(dst, src, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvrecip_scaled)(dst, src, count)
#define npu_tvtanh_scaled(dst, src, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvtanh_scaled)(dst, src, count)
#define npu_tverf_scaled(dst, src, count)                                                          \
	NPU_SELECT(dst, NPU_FLOATS, ub, tverf_scaled)(dst, src, count)
#define npu_tvsum_scaled(dst, src, count)                                                          \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsum_scaled)(dst, src, count)
#define npu_tvsumsq_scaled(dst, src, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsumsq_scaled)(dst, src, count)

#define NPU_DEFINE_BINARY_SCALED(type, dtype, c_type, name, op)                                    \
	static inline void npu_t##name##_scaled_ub_##type(npu_ub_##type dst, npu_ub_##type src0,   \
							  npu_ub_##type src1, uint64_t count)      \
	{                                                                                          \
		npu_vec(op, dst.at, src0.at, src1.at, count, dtype, NPU_VEC_SCALED);               \
	}                                                                                          \
	static inline void npu_t##name##s_scaled_ub_##type(                                        \
		npu_ub_##type dst, npu_ub_##type src0, NPU_SCALAR_##type scalar, uint64_t count)   \
	{                                                                                          \
		npu_vec(op, dst.at, src0.at, npu_tscalar_##type(scalar), count, dtype,             \
			NPU_VEC_SCALAR | NPU_VEC_SCALED);                                          \
	}                                                                                          \
	static inline void npu_t##name##r_scaled_ub_##type(npu_ub_##type dst, npu_ub_##type src0,  \
							   npu_ub_##type src1, uint64_t count)     \
	{                                                                                          \
		npu_vec(op, dst.at, src0.at, src1.at, count, dtype,                                \
			NPU_VEC_PER_ROW | NPU_VEC_SCALED);                                         \
	}
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vadd, NPU_VADD)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vsub, NPU_VSUB)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vmul, NPU_VMUL)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vdiv, NPU_VDIV)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vmax, NPU_VMAX)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vmin, NPU_VMIN)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vmla, NPU_VMLA)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vmadd, NPU_VMADD)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vfma, NPU_VFMA)
NPU_FLOATS(NPU_DEFINE_BINARY_SCALED, vdot, NPU_VDOT)

#define npu_tvadd_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvadd_scaled)(dst, a, b, count)
#define npu_tvadds_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvadds_scaled)(dst, a, b, count)
#define npu_tvaddr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvaddr_scaled)(dst, a, b, count)
#define npu_tvsub_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsub_scaled)(dst, a, b, count)
#define npu_tvsubs_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsubs_scaled)(dst, a, b, count)
#define npu_tvsubr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvsubr_scaled)(dst, a, b, count)
#define npu_tvmul_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmul_scaled)(dst, a, b, count)
#define npu_tvmuls_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmuls_scaled)(dst, a, b, count)
#define npu_tvmulr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmulr_scaled)(dst, a, b, count)
#define npu_tvdiv_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdiv_scaled)(dst, a, b, count)
#define npu_tvdivs_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdivs_scaled)(dst, a, b, count)
#define npu_tvdivr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdivr_scaled)(dst, a, b, count)
#define npu_tvmax_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmax_scaled)(dst, a, b, count)
#define npu_tvmaxs_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmaxs_scaled)(dst, a, b, count)
#define npu_tvmaxr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmaxr_scaled)(dst, a, b, count)
#define npu_tvmin_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmin_scaled)(dst, a, b, count)
#define npu_tvmins_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmins_scaled)(dst, a, b, count)
#define npu_tvminr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvminr_scaled)(dst, a, b, count)
#define npu_tvmla_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmla_scaled)(dst, a, b, count)
#define npu_tvmlas_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmlas_scaled)(dst, a, b, count)
#define npu_tvmlar_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmlar_scaled)(dst, a, b, count)
#define npu_tvmadd_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmadd_scaled)(dst, a, b, count)
#define npu_tvmadds_scaled(dst, a, b, count)                                                       \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmadds_scaled)(dst, a, b, count)
#define npu_tvmaddr_scaled(dst, a, b, count)                                                       \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvmaddr_scaled)(dst, a, b, count)
#define npu_tvfma_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvfma_scaled)(dst, a, b, count)
#define npu_tvfmas_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvfmas_scaled)(dst, a, b, count)
#define npu_tvfmar_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvfmar_scaled)(dst, a, b, count)
#define npu_tvdot_scaled(dst, a, b, count)                                                         \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdot_scaled)(dst, a, b, count)
#define npu_tvdots_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdots_scaled)(dst, a, b, count)
#define npu_tvdotr_scaled(dst, a, b, count)                                                        \
	NPU_SELECT(dst, NPU_FLOATS, ub, tvdotr_scaled)(dst, a, b, count)

/* Fills, indices and conversions. */

#define NPU_DEFINE_DUP(type, dtype, c_type, name)                                                  \
	static inline void npu_t##name##_ub_##type(npu_ub_##type dst, NPU_SCALAR_##type scalar,    \
						   uint64_t count)                                 \
	{                                                                                          \
		npu_##name(dst.at, npu_tscalar_##type(scalar), count, dtype);                      \
	}
NPU_ALL(NPU_DEFINE_DUP, vdup)
NPU_INDEXABLE(NPU_DEFINE_DUP, vindex)

#define npu_tvdup(dst, scalar, count) NPU_SELECT(dst, NPU_ALL, ub, tvdup)(dst, scalar, count)
#define npu_tvindex(dst, scalar, count)                                                            \
	NPU_SELECT(dst, NPU_INDEXABLE, ub, tvindex)(dst, scalar, count)

#define NPU_DEFINE_ARG(type, dtype, c_type, name)                                                  \
	static inline void npu_t##name##_ub_##type(npu_ub_s32 dst, npu_ub_##type src,              \
						   uint64_t count)                                 \
	{                                                                                          \
		npu_##name(dst.at, src.at, count, dtype);                                          \
	}
NPU_ALL(NPU_DEFINE_ARG, vargmax)
NPU_ALL(NPU_DEFINE_ARG, vargmin)

#define npu_tvargmax(dst, src, count) NPU_SELECT(src, NPU_ALL, ub, tvargmax)(dst, src, count)
#define npu_tvargmin(dst, src, count) NPU_SELECT(src, NPU_ALL, ub, tvargmin)(dst, src, count)

#define NPU_CASE_DTYPE(type, dtype, c_type, memory) , npu_##memory##_##type : dtype
/* NPU_DTYPE() - the element type of a buffer in UB. */
#define NPU_DTYPE(buffer) _Generic((buffer)NPU_ALL(NPU_CASE_DTYPE, ub))

/* npu_tvcast() - converts from any type to any; @flags: NPU_VEC_TRUNC or 0. */
#define npu_tvcast(dst, src, count, flags)                                                         \
	npu_vcast((dst).at, (src).at, count, NPU_DTYPE(src), NPU_DTYPE(dst), flags)

#endif /* NPU_TYPED_H */

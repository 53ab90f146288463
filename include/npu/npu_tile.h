/* SPDX-License-Identifier: MIT */
/*
 * AI core: address map and tile instructions, for the device, for kernels (C
 * intrinsics) and for assembler. Specified in docs/hardware.md, "AI core".
 *
 * A core runs RV64IMAFDC. Tile instructions use the four custom major opcodes in
 * R4 form; all of rd, rs1, rs2 and rs3 are read, and only GETINFO writes rd.
 * They take effect in program order. funct2 is zero, and so are undefined bits of
 * operands; registers that an instruction has no use for are ignored.
 *
 * Operands are checked in this order: shape, type and options; then, unless the
 * shape is empty, which makes the instruction do nothing, each address with its
 * pitch, destination first: buffer, alignment, extent. An instruction that is
 * refused has no effect.
 */
#ifndef NPU_TILE_H
#define NPU_TILE_H

#include "npu_types.h"

/*
 * Address map of a core. From NPU_VA_START up addresses are the context's
 * virtual addresses (global memory, GM). Scalar loads and stores reach SMEM, UB
 * and GM; the stack grows down from the end of SMEM.
 */
#define NPU_SMEM_BASE 0x00010000
#define NPU_SMEM_SIZE 0x00010000 /* 64 KiB */
#define NPU_UB_BASE 0x00100000
#define NPU_UB_SIZE 0x00030000 /* 192 KiB */
#define NPU_L1_BASE 0x00200000
#define NPU_L1_SIZE 0x00080000 /* 512 KiB */
#define NPU_L0A_BASE 0x00300000
#define NPU_L0A_SIZE 0x00010000 /* 64 KiB */
#define NPU_L0B_BASE 0x00340000
#define NPU_L0B_SIZE 0x00010000 /* 64 KiB */
#define NPU_L0C_BASE 0x00380000
#define NPU_L0C_SIZE 0x00020000 /* 128 KiB */
#define NPU_TILE_ALIGN 32 /* of local addresses and, with two rows or more, of local pitches */

/* Element types. */
#define NPU_F32 0
#define NPU_F16 1
#define NPU_BF16 2
#define NPU_S32 3
#define NPU_S8 4
#define NPU_U8 5
#define NPU_S16 6
#define NPU_DTYPE_COUNT 7

/* custom-0, opcode 0x0b: memory transfer engines; funct3: */
#define NPU_MTE_COPY 0
#define NPU_MTE_LOAD0 1
#define NPU_MTE_SET 2

/*
 * MTE_COPY: rows between GM, L1 and UB (not GM to GM, not within one buffer).
 * rd dst, rs1 src, rs2 shape, rs3 pitches in bytes (ignored for one row).
 * GM addresses and pitches need no alignment; row_bytes may be any number.
 * Rows go in ascending order. Those of a local destination do not overlap, and
 * to GM at most NPU_COPY_MAX bytes go at once.
 */
#define NPU_COPY_MAX NPU_L1_SIZE
#define NPU_COPY_ROW_BYTES NPU_MASK(31, 0)
#define NPU_COPY_ROWS NPU_MASK(63, 32)
#define NPU_COPY_DST_PITCH NPU_MASK(31, 0)
#define NPU_COPY_SRC_PITCH NPU_MASK(63, 32)

/*
 * MTE_LOAD0: a matrix from L1 to L0A or L0B. rd dst, rs1 src, rs2 source shape,
 * rs3 destination. With TRANSPOSE destination row c holds source column c.
 * Any element type; destination rows do not overlap.
 */
#define NPU_LOAD0_ROWS NPU_MASK(15, 0)
#define NPU_LOAD0_COLS NPU_MASK(31, 16)
#define NPU_LOAD0_SRC_PITCH NPU_MASK(63, 32)
#define NPU_LOAD0_DST_PITCH NPU_MASK(31, 0)
#define NPU_LOAD0_DTYPE NPU_MASK(35, 32)
#define NPU_LOAD0_TRANSPOSE NPU_BIT(36)

/*
 * MTE_SET: fill a local buffer (any of them). rd dst, rs1 pattern, rs2 bytes (a
 * multiple of the element), rs3 element bytes: 1, 2, 4 or 8.
 */

/* custom-1, opcode 0x2b: cube and fixpipe; funct3: */
#define NPU_CUBE_MMAD 0
#define NPU_CUBE_FIXPIPE 1

/*
 * MMAD: C[m][n] = (INIT ? 0 : C[m][n]) + sum over k, ascending, of A[m][k] * B[k][n].
 * rd C in L0C, rs1 A in L0A, rs2 B in L0B, rs3 configuration. Rows are dense with
 * each row padded to 32 bytes. Float types accumulate in fp32, one fused
 * multiply-add a step; S8 in s32, wrapping. Any NaN that it writes is 0x7fc00000.
 */
#define NPU_MMAD_M NPU_MASK(11, 0)
#define NPU_MMAD_N NPU_MASK(23, 12)
#define NPU_MMAD_K NPU_MASK(35, 24)
#define NPU_MMAD_DTYPE NPU_MASK(39, 36)
#define NPU_MMAD_INIT NPU_BIT(40)

/*
 * FIXPIPE: a matrix from L0C to GM, L1 or UB with conversion. rd dst, rs1 src in
 * L0C (rows dense, padded to 32 bytes), rs2 shape and dst pitch, rs3 conversion.
 * From F32: F32, F16, BF16. From S32: S32, or F32, F16, S8 after a product with SCALE,
 * which is zero in the other cases. RELU comes after the product. Rows of a local
 * destination do not overlap.
 */
#define NPU_FIXPIPE_ROWS NPU_MASK(15, 0)
#define NPU_FIXPIPE_COLS NPU_MASK(31, 16)
#define NPU_FIXPIPE_DST_PITCH NPU_MASK(63, 32)
#define NPU_FIXPIPE_SRC_DTYPE NPU_MASK(3, 0)
#define NPU_FIXPIPE_DST_DTYPE NPU_MASK(7, 4)
#define NPU_FIXPIPE_RELU NPU_BIT(8)
#define NPU_FIXPIPE_SCALE NPU_MASK(63, 32) /* bits of an fp32 */

/*
 * custom-2, opcode 0x5b: vector engine on UB; funct3 = 0 is the operation, the
 * others set state that stays until it is set again (reset at kernel start).
 */
#define NPU_VEC_OP 0
#define NPU_VEC_REPEAT 1
#define NPU_VEC_MASK 2
#define NPU_VEC_SCALE 3

/*
 * VEC_OP: rd dst, rs1 src0, rs2 src1 (an address or, with SCALAR, the bits of an
 * element of the operation's type; bits above it are ignored), rs3 configuration.
 * COUNT elements a row, at most NPU_VEC_MAX_ELEMENTS in all rows. dst may be a
 * source whose elements are no narrower; other overlaps give undefined elements.
 */
#define NPU_VEC_MAX_ELEMENTS NPU_UB_SIZE
#define NPU_VEC_COUNT NPU_MASK(31, 0)
#define NPU_VEC_OPCODE NPU_MASK(39, 32)
#define NPU_VEC_DTYPE NPU_MASK(43, 40) /* of the operation and its sources */
#define NPU_VEC_DST_DTYPE NPU_MASK(47, 44) /* VCAST only, else zero */
#define NPU_VEC_SCALAR NPU_BIT(48) /* src1 is a scalar */
#define NPU_VEC_TRUNC NPU_BIT(49) /* VCAST to integers rounds to zero, else to even */
#define NPU_VEC_PER_ROW NPU_BIT(50) /* src1 is an element for each row, not with SCALAR */
#define NPU_VEC_SCALED NPU_BIT(51) /* src0 goes through VEC_SCALE; arithmetic and sums of floats */

/*
 * VEC_REPEAT: rs1 = number of rows (reset: 1), rd = dst pitch, rs2 = src0 pitch,
 * rs3 = src1 pitch, in bytes from row to row; 0 repeats the row (broadcast). Rows
 * go in ascending order: with a dst pitch of 0 and dst as a source they accumulate.
 * Reductions write one element a row, at the start of the dst row, where PER_ROW
 * finds it.
 */

/*
 * VEC_MASK: rs1 = UB address of the bit mask of VSELECT, or the addend of VFMA (reset: 0,
 * faults); rs2 = its pitch.
 */

/*
 * VEC_SCALE: with SCALED an element x of src0 is taken as (x - shift) * factor, with
 * the F32 shift and factor of its row. rs1 = UB address of the first row's shift,
 * rs2 = of its factor, 0 for none (reset: both 0), rs3 = pitch of both.
 */

enum npu_vec_opcode {
	/* unary: dst = f(src0) */
	NPU_VMOV = 0x00,
	NPU_VNEG = 0x01, /* signed types */
	NPU_VABS = 0x02,
	NPU_VRELU = 0x03,
	NPU_VEXP = 0x04, /* floats */
	NPU_VLN = 0x05,
	NPU_VSQRT = 0x06,
	NPU_VRSQRT = 0x07,
	NPU_VRECIP = 0x08,
	NPU_VTANH = 0x09,
	NPU_VERF = 0x0a, /* until here */
	NPU_VNOT = 0x0b, /* integers */
	NPU_VDUP = 0x0c, /* dst = src1, with SCALAR */
	NPU_VINDEX = 0x0d, /* dst[i] = src1 + i in each row, with SCALAR; F32, S32 */
	/* binary: dst = src0 op src1 */
	NPU_VADD = 0x20,
	NPU_VSUB = 0x21,
	NPU_VMUL = 0x22,
	NPU_VDIV = 0x23, /* floats */
	NPU_VMAX = 0x24,
	NPU_VMIN = 0x25,
	NPU_VMLA = 0x26, /* dst = src0 * src1 + dst, floats fused */
	NPU_VAND = 0x27, /* integers */
	NPU_VOR = 0x28,
	NPU_VXOR = 0x29,
	NPU_VSHL = 0x2a, /* by src1 modulo the element's bits */
	NPU_VSHR = 0x2b, /* arithmetic for signed types */
	NPU_VMADD = 0x2c, /* dst = src0 * dst + src1, floats fused */
	NPU_VFMA = 0x2d, /* dst = src0 * src1 + addend, fused; floats */
	/* comparison: dst is a bit mask, bit i % 8 of byte i / 8; last byte zero padded */
	NPU_VCMP_EQ = 0x40,
	NPU_VCMP_NE = 0x41,
	NPU_VCMP_LT = 0x42,
	NPU_VCMP_LE = 0x43,
	NPU_VCMP_GT = 0x44,
	NPU_VCMP_GE = 0x45,
	NPU_VSELECT = 0x48, /* dst = mask ? src0 : src1 */
	NPU_VCAST = 0x50, /* dst = src0 converted to DST_DTYPE */
	/* reduction over a row */
	NPU_VSUM = 0x60, /* floats, S32 */
	NPU_VREDMAX = 0x61,
	NPU_VREDMIN = 0x62,
	NPU_VARGMAX = 0x63, /* S32 index of the first greatest */
	NPU_VARGMIN = 0x64,
	NPU_VDOT = 0x65, /* sum of src0 * src1, fused; floats */
	NPU_VSUMSQ = 0x66, /* sum of src0 * src0, fused; floats */
};

/* custom-3, opcode 0x7b: synchronisation and system; funct3: */
#define NPU_SYS_SET_FLAG 0 /* rs1 flag */
#define NPU_SYS_WAIT_FLAG 1 /* rs1 flag */
#define NPU_SYS_BARRIER 2 /* rs1 enum npu_pipe, NPU_PIPE_ALL for all */
#define NPU_SYS_GETINFO 3 /* rd = information rs1 */
#define NPU_SYS_TRAP 4 /* end the task with NPU_ST_KERNEL_TRAP; rs1 is its code */

/*
 * A flag: the pipe that sets it, another that waits, and an id. SET_FLAG adds one
 * to its count, WAIT_FLAG takes one away; all are zero at kernel start.
 */
#define NPU_FLAG_SRC NPU_MASK(3, 0)
#define NPU_FLAG_DST NPU_MASK(7, 4)
#define NPU_FLAG_ID NPU_MASK(11, 8)

enum npu_pipe {
	NPU_PIPE_S = 0, /* scalar */
	NPU_PIPE_V = 1,
	NPU_PIPE_M = 2, /* cube */
	NPU_PIPE_MTE1 = 3, /* L1 to L0 and UB */
	NPU_PIPE_MTE2 = 4, /* GM to L1 and UB */
	NPU_PIPE_MTE3 = 5, /* UB and L1 to GM */
	NPU_PIPE_FIX = 6,
	NPU_PIPE_COUNT = 7,
	NPU_PIPE_ALL = 15,
};

enum npu_info {
	NPU_INFO_BLOCK = 0,
	NPU_INFO_BLOCKS = 1,
	NPU_INFO_CORE = 2,
	NPU_INFO_CORES = 3,
	NPU_INFO_TIME = 4, /* timestamp */
	NPU_INFO_LOG = 5, /* npu_cmd_kernel.log */
};

#endif /* NPU_TILE_H */

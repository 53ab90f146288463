// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the tile engines refuse: each with its status, unit, access and address, and with nothing
 * changed. Then flags, barriers, information and traps.
 */
#include "tap.h"
#include "tile_ref.h"
#include "tile_vm.h"

#define UB NPU_UB_BASE
#define L1 NPU_L1_BASE
#define L0A NPU_L0A_BASE
#define L0B NPU_L0B_BASE
#define L0C NPU_L0C_BASE
#define SMEM NPU_SMEM_BASE
#define GM GM_BASE
#define HIGH(x) ((uint64_t)(x) << 32)

static struct tile_vm vm;

struct refusal {
	const char *what;
	unsigned int major, funct3;
	uint64_t rd, rs1, rs2, rs3;
	enum npu_status status;
	enum npu_access access;
	uint64_t address;
};

#define R NPU_ACCESS_READ
#define W NPU_ACCESS_WRITE
#define SHAPE(operand) NPU_ST_TILE_SHAPE, NPU_ACCESS_NONE, (operand)
#define RANGE(access, address) NPU_ST_LOCAL_RANGE, (access), (address)
#define ALIGN(access, address) NPU_ST_TILE_ALIGN, (access), (address)
#define COPY MTE, NPU_MTE_COPY
#define LOAD0 MTE, NPU_MTE_LOAD0
#define SET MTE, NPU_MTE_SET
#define MMAD CUBE, NPU_CUBE_MMAD
#define FIXPIPE CUBE, NPU_CUBE_FIXPIPE
#define VEC VECTOR, NPU_VEC_OP

static const struct refusal mte_refusals[] = {
	{ "copy gm to gm", COPY, GM, GM + 64, 32 | HIGH(1), 0, RANGE(R, GM + 64) },
	{ "copy within ub", COPY, UB, UB + 64, 32 | HIGH(1), 0, RANGE(R, UB + 64) },
	{ "copy within l1", COPY, L1, L1 + 64, 32 | HIGH(1), 0, RANGE(R, L1 + 64) },
	{ "copy to l0a", COPY, L0A, GM, 32 | HIGH(1), 0, RANGE(W, L0A) },
	{ "copy to smem", COPY, SMEM, GM, 32 | HIGH(1), 0, RANGE(W, SMEM) },
	{ "copy from l0c", COPY, GM, L0C, 32 | HIGH(1), 0, RANGE(R, L0C) },
	{ "copy to address 0", COPY, 0, GM, 32 | HIGH(1), 0, RANGE(W, 0) },
	{ "copy to between buffers", COPY, UB + NPU_UB_SIZE, GM, 32 | HIGH(1), 0,
	  RANGE(W, UB + NPU_UB_SIZE) },
	{ "copy below gm", COPY, GM - 32, GM, 32 | HIGH(1), 0, RANGE(W, GM - 32) },
	{ "copy to unaligned address", COPY, UB + 16, GM, 32 | HIGH(1), 0, ALIGN(W, UB + 16) },
	{ "copy from unaligned address", COPY, GM, L1 + 1, 32 | HIGH(1), 0, ALIGN(R, L1 + 1) },
	{ "copy to unaligned pitch", COPY, UB, GM, 32 | HIGH(2), 48, ALIGN(W, UB) },
	{ "copy from unaligned pitch", COPY, GM, UB, 32 | HIGH(2), 32 | HIGH(48), ALIGN(R, UB) },
	{ "copy past the end", COPY, UB + NPU_UB_SIZE - 32, GM, 33 | HIGH(1), 0,
	  RANGE(W, UB + NPU_UB_SIZE) },
	{ "copy rows past the end", COPY, L1, GM, 32 | HIGH(3), 0x40000,
	  RANGE(W, L1 + NPU_L1_SIZE) },
	{ "copy the most rows", COPY, L1, GM, 32 | HIGH(0xffffffff), 0xffffffe0,
	  RANGE(W, L1 + NPU_L1_SIZE) },
	{ "copy from past the end", COPY, GM, L1 + NPU_L1_SIZE - 32, 64 | HIGH(1), 0,
	  RANGE(R, L1 + NPU_L1_SIZE) },
	{ "copy to overlapping rows", COPY, UB, GM, 64 | HIGH(2), 32, SHAPE(32) },
	{ "copy all rows to one", COPY, UB, GM, 32 | HIGH(0xffffffff), 0, SHAPE(0) },
	{ "copy too much to gm", COPY, GM, UB, 1024 | HIGH(513), 1024, SHAPE(1024 | HIGH(513)) },
	{ "copy from unmapped gm", COPY, UB, GM + GM_SIZE, 32 | HIGH(1), 0, NPU_ST_MMU_READ, R,
	  GM + GM_SIZE },
	{ "copy to unmapped gm", COPY, GM + GM_SIZE, UB, 32 | HIGH(1), 0, NPU_ST_MMU_WRITE, W,
	  GM + GM_SIZE },
	{ "copy around the address space", COPY, UB, UINT64_MAX - 15, 32 | HIGH(1), 0,
	  NPU_ST_MMU_READ, R, UINT64_MAX - 15 },
	{ "load0 to l1", LOAD0, L1, L1, 1 | 1 << 16, 32, RANGE(W, L1) },
	{ "load0 to l0c", LOAD0, L0C, L1, 1 | 1 << 16, 32, RANGE(W, L0C) },
	{ "load0 from ub", LOAD0, L0A, UB, 1 | 1 << 16, 32, RANGE(R, UB) },
	{ "load0 from gm", LOAD0, L0A, GM, 1 | 1 << 16, 32, RANGE(R, GM) },
	{ "load0 unaligned", LOAD0, L0A + 8, L1, 1 | 1 << 16, 32, ALIGN(W, L0A + 8) },
	{ "load0 from unaligned", LOAD0, L0A, L1 + 8, 1 | 1 << 16, 32, ALIGN(R, L1 + 8) },
	{ "load0 unaligned pitch", LOAD0, L0A, L1, 2 | 1 << 16 | HIGH(32), 40, ALIGN(W, L0A) },
	{ "load0 unaligned source pitch", LOAD0, L0A, L1, 2 | 1 << 16 | HIGH(40), 32,
	  ALIGN(R, L1) },
	{ "load0 overlapping", LOAD0, L0A, L1, 2 | 9 << 16 | HIGH(64), 32, SHAPE(32) },
	{ "load0 too large", LOAD0, L0A, L1, 1025 | 16 << 16 | HIGH(64), 64,
	  RANGE(W, L0A + NPU_L0A_SIZE) },
	{ "load0 bad type", LOAD0, L0A, L1, 1 | 1 << 16, 32 | HIGH(NPU_DTYPE_COUNT),
	  SHAPE(32 | HIGH(NPU_DTYPE_COUNT)) },
	{ "load0 reserved bit", LOAD0, L0A, L1, 1 | 1 << 16, 32 | HIGH(32), SHAPE(32 | HIGH(32)) },
	{ "set in gm", SET, GM, 0, 32, 4, RANGE(W, GM) },
	{ "set in no buffer", SET, 0, 0, 32, 4, RANGE(W, 0) },
	{ "set unaligned", SET, UB + 4, 0, 32, 4, ALIGN(W, UB + 4) },
	{ "set past the end", SET, UB, 0, NPU_UB_SIZE + 4, 4, RANGE(W, UB + NPU_UB_SIZE) },
	{ "set the most", SET, UB, 0, UINT64_MAX, 1, RANGE(W, UB + NPU_UB_SIZE) },
	{ "set element of 3", SET, UB, 0, 32, 3, SHAPE(3) },
	{ "set element of 0", SET, UB, 0, 32, 0, SHAPE(0) },
	{ "set part of an element", SET, UB, 0, 33, 2, SHAPE(33) },
};

#define MMAD_OK (8 | 8 << 12 | 8ULL << 24)
#define BIG_C (2048 | 32 << 12 | 8ULL << 24)
#define BIG_A (1024 | 8 << 12 | 17ULL << 24)
#define BIG_B (8 | 128 << 12 | 129ULL << 24)
#define F32_TO(dtype) NPU_PREP(NPU_FIXPIPE_DST_DTYPE, dtype)
#define S32_TO(dtype) (NPU_PREP(NPU_FIXPIPE_SRC_DTYPE, NPU_S32) | F32_TO(dtype))

static const struct refusal cube_refusals[] = {
	{ "mmad to ub", MMAD, UB, L0A, L0B, MMAD_OK, RANGE(W, UB) },
	{ "mmad a in l0b", MMAD, L0C, L0B, L0B, MMAD_OK, RANGE(R, L0B) },
	{ "mmad b in l0a", MMAD, L0C, L0A, L0A, MMAD_OK, RANGE(R, L0A) },
	{ "mmad c unaligned", MMAD, L0C + 4, L0A, L0B, MMAD_OK, ALIGN(W, L0C + 4) },
	{ "mmad a unaligned", MMAD, L0C, L0A + 4, L0B, MMAD_OK, ALIGN(R, L0A + 4) },
	{ "mmad b unaligned", MMAD, L0C, L0A, L0B + 4, MMAD_OK, ALIGN(R, L0B + 4) },
	{ "mmad c too large", MMAD, L0C, L0A, L0B, BIG_C, RANGE(W, L0C + NPU_L0C_SIZE) },
	{ "mmad a too large", MMAD, L0C, L0A, L0B, BIG_A, RANGE(R, L0A + NPU_L0A_SIZE) },
	{ "mmad b too large", MMAD, L0C, L0A, L0B, BIG_B, RANGE(R, L0B + NPU_L0B_SIZE) },
	{ "mmad of s32", MMAD, L0C, L0A, L0B, MMAD_OK | 3ULL << 36, SHAPE(MMAD_OK | 3ULL << 36) },
	{ "mmad of no type", MMAD, L0C, L0A, L0B, MMAD_OK | 15ULL << 36,
	  SHAPE(MMAD_OK | 15ULL << 36) },
	{ "mmad reserved bit", MMAD, L0C, L0A, L0B, MMAD_OK | 1ULL << 41,
	  SHAPE(MMAD_OK | 1ULL << 41) },
	{ "fixpipe to l0a", FIXPIPE, L0A, L0C, 1 | 1 << 16, 0, RANGE(W, L0A) },
	{ "fixpipe from ub", FIXPIPE, L1, UB, 1 | 1 << 16, 0, RANGE(R, UB) },
	{ "fixpipe unaligned", FIXPIPE, L1 + 2, L0C, 1 | 1 << 16, 0, ALIGN(W, L1 + 2) },
	{ "fixpipe unaligned pitch", FIXPIPE, L1, L0C, 2 | 1 << 16 | HIGH(36), 0, ALIGN(W, L1) },
	{ "fixpipe from unaligned", FIXPIPE, L1, L0C + 4, 1 | 1 << 16, 0, ALIGN(R, L0C + 4) },
	{ "fixpipe overlapping", FIXPIPE, L1, L0C, 2 | 9 << 16 | HIGH(32), 0,
	  SHAPE(2 | 9 << 16 | HIGH(32)) },
	{ "fixpipe too large for ub", FIXPIPE, UB, L0C, 7 | 8 << 16 | HIGH(0x8000), 0,
	  RANGE(W, UB + NPU_UB_SIZE) },
	{ "fixpipe past l0c", FIXPIPE, GM, L0C, 0xffff | 0xffffULL << 16, 0,
	  RANGE(R, L0C + NPU_L0C_SIZE) },
	{ "fixpipe to unmapped gm", FIXPIPE, GM + GM_SIZE - 2, L0C, 1 | 1 << 16, 0,
	  NPU_ST_MMU_WRITE, W, GM + GM_SIZE - 2 },
	{ "fixpipe f32 to s8", FIXPIPE, L1, L0C, 1 | 1 << 16, F32_TO(NPU_S8),
	  SHAPE(F32_TO(NPU_S8)) },
	{ "fixpipe s32 to bf16", FIXPIPE, L1, L0C, 1 | 1 << 16, S32_TO(NPU_BF16),
	  SHAPE(S32_TO(NPU_BF16)) },
	{ "fixpipe from f16", FIXPIPE, L1, L0C, 1 | 1 << 16, NPU_F16 | F32_TO(NPU_F16),
	  SHAPE(NPU_F16 | F32_TO(NPU_F16)) },
	{ "fixpipe f32 with scale", FIXPIPE, L1, L0C, 1 | 1 << 16, HIGH(1), SHAPE(HIGH(1)) },
	{ "fixpipe reserved bit", FIXPIPE, L1, L0C, 1 | 1 << 16, 1 << 9, SHAPE(1 << 9) },
};

#define OP(opcode, dtype, count) \
	(NPU_PREP(NPU_VEC_OPCODE, opcode) | NPU_PREP(NPU_VEC_DTYPE, dtype) | (count))
#define ADD OP(NPU_VADD, NPU_F32, 8)
#define ODD(opcode, dtype, flags) \
	VEC, UB, UB, UB, OP(opcode, dtype, 8) | (flags), SHAPE(OP(opcode, dtype, 8) | (flags))
#define CASTING(dtype) NPU_PREP(NPU_VEC_DST_DTYPE, dtype)

static const struct refusal vector_refusals[] = {
	{ "vector to l1", VEC, L1, UB, UB, ADD, RANGE(W, L1) },
	{ "vector src0 in l1", VEC, UB, L1, UB, ADD, RANGE(R, L1) },
	{ "vector src1 in gm", VEC, UB, UB, GM, ADD, RANGE(R, GM) },
	{ "vector dst unaligned", VEC, UB + 4, UB, UB, ADD, ALIGN(W, UB + 4) },
	{ "vector src0 unaligned", VEC, UB, UB + 4, UB, ADD, ALIGN(R, UB + 4) },
	{ "vector src1 unaligned", VEC, UB, UB, UB + 4, ADD, ALIGN(R, UB + 4) },
	{ "vector dst past the end", VEC, UB + NPU_UB_SIZE - 32, UB, UB,
	  OP(NPU_VADD, NPU_F32, 9), RANGE(W, UB + NPU_UB_SIZE) },
	{ "vector src0 past the end", VEC, UB, UB + NPU_UB_SIZE - 32, UB,
	  OP(NPU_VADD, NPU_F32, 9), RANGE(R, UB + NPU_UB_SIZE) },
	{ "vector src1 past the end", VEC, UB, UB, UB + NPU_UB_SIZE - 32,
	  OP(NPU_VADD, NPU_F32, 9), RANGE(R, UB + NPU_UB_SIZE) },
	{ "select without a mask", VEC, UB, UB, UB, OP(NPU_VSELECT, NPU_F32, 8), RANGE(R, 0) },
	{ "vector too many elements", VEC, UB, UB, UB,
	  OP(NPU_VADD, NPU_U8, NPU_VEC_MAX_ELEMENTS + 1),
	  SHAPE(OP(NPU_VADD, NPU_U8, NPU_VEC_MAX_ELEMENTS + 1)) },
	{ "vector of no type", ODD(NPU_VADD, NPU_DTYPE_COUNT, 0) },
	{ "no such operation", ODD(0x0e, NPU_F32, 0) },
	{ "operation past the last", ODD(NPU_VSUMSQ + 1, NPU_F32, 0) },
	{ "last operation", ODD(0xff, NPU_F32, 0) },
	{ "exp of integers", ODD(NPU_VEXP, NPU_S32, 0) },
	{ "div of integers", ODD(NPU_VDIV, NPU_S16, 0) },
	{ "and of floats", ODD(NPU_VAND, NPU_F16, 0) },
	{ "neg of u8", ODD(NPU_VNEG, NPU_U8, 0) },
	{ "sum of s8", ODD(NPU_VSUM, NPU_S8, 0) },
	{ "index of f16", ODD(NPU_VINDEX, NPU_F16, NPU_VEC_SCALAR) },
	{ "index without scalar", ODD(NPU_VINDEX, NPU_F32, 0) },
	{ "dup without scalar", ODD(NPU_VDUP, NPU_F32, 0) },
	{ "dup by row", ODD(NPU_VDUP, NPU_F32, NPU_VEC_PER_ROW) },
	{ "exp with scalar", ODD(NPU_VEXP, NPU_F32, NPU_VEC_SCALAR) },
	{ "dot of s32", ODD(NPU_VDOT, NPU_S32, 0) },
	{ "sum by row", ODD(NPU_VSUM, NPU_F32, NPU_VEC_PER_ROW) },
	{ "add with scalar by row", ODD(NPU_VADD, NPU_F32, NPU_VEC_SCALAR | NPU_VEC_PER_ROW) },
	{ "add that truncates", ODD(NPU_VADD, NPU_F32, NPU_VEC_TRUNC) },
	{ "add with a dst type", ODD(NPU_VADD, NPU_F32, CASTING(NPU_F16)) },
	{ "cast to no type", ODD(NPU_VCAST, NPU_F32, CASTING(NPU_DTYPE_COUNT)) },
	{ "fma of integers", ODD(NPU_VFMA, NPU_S32, 0) },
	{ "fma without an addend", VEC, UB, UB, UB, OP(NPU_VFMA, NPU_F32, 8), RANGE(R, 0) },
	{ "add of integers, scaled", ODD(NPU_VADD, NPU_S32, NPU_VEC_SCALED) },
	{ "mov, scaled", ODD(NPU_VMOV, NPU_F32, NPU_VEC_SCALED) },
	{ "maximum, scaled", ODD(NPU_VREDMAX, NPU_F32, NPU_VEC_SCALED) },
	{ "sum of squares of s32", ODD(NPU_VSUMSQ, NPU_S32, 0) },
	{ "vector reserved bit", ODD(NPU_VADD, NPU_F32, 1ULL << 52) },
};

static enum npu_unit unit_of(const struct refusal *r)
{
	switch (r->major) {
	case MTE:
		return NPU_UNIT_MTE;
	case CUBE:
		return r->funct3 == NPU_CUBE_MMAD ? NPU_UNIT_CUBE : NPU_UNIT_FIXPIPE;
	case VECTOR:
		return NPU_UNIT_VECTOR;
	default:
		return NPU_UNIT_SCALAR;
	}
}

/* Local memory is one allocation, smem first; then the tile's end is l0c's. */
static size_t local_size(void)
{
	return NPU_SMEM_SIZE + NPU_UB_SIZE + NPU_L1_SIZE + NPU_L0A_SIZE + NPU_L0B_SIZE +
	       NPU_L0C_SIZE;
}

static void check(const struct refusal *r)
{
	const struct npu_tile_error *e = &vm.tile.error;
	uint8_t *before = malloc(local_size());
	enum npu_status status;
	bool same;

	memcpy(before, vm.tile.smem, local_size());
	status = vm_exec(&vm, r->major, r->funct3, r->rd, r->rs1, r->rs2, r->rs3);
	same = !memcmp(before, vm.tile.smem, local_size());
	free(before);
	if (!ok(same && status == r->status && e->status == r->status && e->unit == unit_of(r) &&
		e->access == r->access && e->address == r->address, "%s", r->what))
		printf("# got status %d unit %d access %d address 0x%llx%s\n", status, e->unit,
		       e->access, (unsigned long long)e->address, same ? "" : ", memory changed");
}

static void check_all(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&refusals[i]);
}

/* Refusals that come from the scale state. */
static void test_scale_state(void)
{
	const uint64_t config = OP(NPU_VADD, NPU_F32, 8) | NPU_VEC_SCALED;
	const struct refusal no_shift = {
		"shift in l1", VEC, UB, UB, UB, config, RANGE(R, L1),
	}, factor_end = {
		"factors past the end", VEC, UB, UB, UB, config, RANGE(R, UB + NPU_UB_SIZE),
	}, unaligned = {
		"scale pitch unaligned", VEC, UB, UB, UB, config, ALIGN(R, UB + 64),
	};

	vm_exec(&vm, VECTOR, NPU_VEC_SCALE, 0, L1, UB, 32);
	check(&no_shift);
	vm_repeat(&vm, 2, 32, 32, 32);
	vm_exec(&vm, VECTOR, NPU_VEC_SCALE, 0, 0, UB + NPU_UB_SIZE - 32, 32);
	check(&factor_end);
	vm_exec(&vm, VECTOR, NPU_VEC_SCALE, 0, UB + 64, UB + 64, 4);
	check(&unaligned);
	npu_tile_start(&vm.tile, 0, 1, 0, 1, 0);
}

/* Refusals that come from the repeat and mask state. */
static void test_vector_state(void)
{
	static const struct refusal unaligned_dst = {
		"dst pitch unaligned", VEC, UB, UB, UB, ADD, ALIGN(W, UB),
	}, unaligned_src0 = {
		"src0 pitch unaligned", VEC, UB, UB + 32, UB, ADD, ALIGN(R, UB + 32),
	}, many_rows = {
		"more elements than there can be", VEC, UB, UB, UB, ADD, SHAPE(ADD),
	}, far_pitch = {
		"pitch that overflows", VEC, UB, UB, UB, ADD, RANGE(W, UB + NPU_UB_SIZE),
	}, short_mask = {
		"mask past the end", VEC, UB, UB, UB, OP(NPU_VSELECT, NPU_F32, 257),
		RANGE(R, UB + NPU_UB_SIZE),
	}, unaligned_mask = {
		"mask unaligned", VEC, UB, UB, UB, OP(NPU_VSELECT, NPU_F32, 8), ALIGN(R, UB + 1),
	};

	vm_repeat(&vm, 2, 4, 32, 32);
	check(&unaligned_dst);
	vm_repeat(&vm, 2, 32, 4, 32);
	check(&unaligned_src0);
	vm_repeat(&vm, UINT64_MAX, 0, 0, 0);
	check(&many_rows);
	vm_repeat(&vm, 3, 1ULL << 63, 0, 0);
	check(&far_pitch);
	npu_tile_start(&vm.tile, 0, 1, 0, 1, 0);
	vm_exec(&vm, VECTOR, NPU_VEC_MASK, 0, UB + NPU_UB_SIZE - 32, 0, 0);
	check(&short_mask);
	vm_exec(&vm, VECTOR, NPU_VEC_MASK, 0, UB + 1, 0, 0);
	check(&unaligned_mask);
	npu_tile_start(&vm.tile, 0, 1, 0, 1, 0);
}

/* An empty shape does nothing, wherever it points. */
static void test_empty(void)
{
	bool pass = true;

	pass &= !vm_exec(&vm, COPY, 1, 1, HIGH(5), 0) && !vm_exec(&vm, COPY, 1, 1, 5, 0);
	pass &= !vm_exec(&vm, LOAD0, 1, 1, 0, 0) && !vm_exec(&vm, SET, 1, 0, 0, 4);
	pass &= !vm_exec(&vm, MMAD, 1, 1, 1, 8) && !vm_exec(&vm, FIXPIPE, 1, 1, 8, 0);
	pass &= !vm_exec(&vm, VEC, 1, 1, 1, OP(NPU_VADD, NPU_F32, 0));
	vm_repeat(&vm, 0, 1, 1, 1);
	pass &= !vm_exec(&vm, VEC, 1, 1, 1, ADD);
	npu_tile_start(&vm.tile, 0, 1, 0, 1, 0);
	ok(pass, "empty shapes do nothing");
}

static void test_illegal(void)
{
	struct rv64_custom insn = { .funct2 = 1 };
	bool pass = true;

	for (unsigned int major = MTE; major <= SYSTEM; major++) {
		insn.major = major;
		pass &= npu_tile_exec(&vm.tile, &vm.cpu, &insn) == NPU_ST_ILLEGAL_INSN;
		pass &= vm_exec(&vm, major, 7, 0, 0, 0, 0) == NPU_ST_ILLEGAL_INSN;
	}
	ok(pass, "undefined funct2 and funct3 are illegal instructions");
}

static enum npu_status flag(unsigned int funct3, uint64_t flag)
{
	return vm_exec(&vm, SYSTEM, funct3, 0, flag, 0, 0);
}

static void test_flags(void)
{
	const uint64_t one = NPU_PREP(NPU_FLAG_SRC, NPU_PIPE_MTE2) |
			     NPU_PREP(NPU_FLAG_DST, NPU_PIPE_V) | NPU_PREP(NPU_FLAG_ID, 3);
	const uint64_t other = one ^ NPU_PREP(NPU_FLAG_ID, 1);
	const uint64_t bad[] = { 0x11, 0x71, 0x17, 1ULL << 12 | 0x21, 1ULL << 63 | 0x21 };
	bool pass = true;

	pass &= !flag(NPU_SYS_SET_FLAG, one) && !flag(NPU_SYS_SET_FLAG, one);
	pass &= flag(NPU_SYS_WAIT_FLAG, other) == NPU_ST_FLAG_DEADLOCK &&
		vm.tile.error.address == other;
	pass &= !flag(NPU_SYS_WAIT_FLAG, one) && !flag(NPU_SYS_WAIT_FLAG, one);
	pass &= flag(NPU_SYS_WAIT_FLAG, one) == NPU_ST_FLAG_DEADLOCK;
	ok(pass, "a flag is waited for as often as it was set");

	flag(NPU_SYS_SET_FLAG, one);
	npu_tile_start(&vm.tile, 0, 1, 0, 1, 0);
	ok(flag(NPU_SYS_WAIT_FLAG, one) == NPU_ST_FLAG_DEADLOCK, "flags are reset at start");

	pass = true;
	for (unsigned int i = 0; i < REF_COUNT(bad); i++)
		pass &= flag(NPU_SYS_SET_FLAG, bad[i]) == NPU_ST_TILE_SHAPE &&
			flag(NPU_SYS_WAIT_FLAG, bad[i]) == NPU_ST_TILE_SHAPE;
	ok(pass, "no such flag");
	ok(!flag(NPU_SYS_BARRIER, NPU_PIPE_ALL) && !flag(NPU_SYS_BARRIER, NPU_PIPE_FIX) &&
	   flag(NPU_SYS_BARRIER, NPU_PIPE_COUNT) == NPU_ST_TILE_SHAPE &&
	   flag(NPU_SYS_BARRIER, 16) == NPU_ST_TILE_SHAPE, "barrier of a pipe or of all");
}

static void test_info(void)
{
	static const uint64_t values[] = {
		5, 9, 2, 24, 0x123456789abcdefULL, 0x4200000040,
	};
	bool pass = true;

	npu_tile_start(&vm.tile, 5, 9, 2, 24, 0x4200000040);
	for (unsigned int i = 0; i < REF_COUNT(values); i++)
		pass &= !vm_exec(&vm, SYSTEM, NPU_SYS_GETINFO, 0, i, 0, 0) &&
			vm.cpu.x[10] == values[i];
	pass &= vm_exec(&vm, SYSTEM, NPU_SYS_GETINFO, 77, REF_COUNT(values), 0, 0) ==
			NPU_ST_TILE_SHAPE && vm.cpu.x[10] == 77;
	ok(pass, "information about the block");
	ok(vm_exec(&vm, SYSTEM, NPU_SYS_TRAP, 0, 4711, 0, 0) == NPU_ST_KERNEL_TRAP &&
	   vm.tile.error.address == 4711, "trap hands on its code");
}

int main(void)
{
	vm_init(&vm);
	check_all(mte_refusals, REF_COUNT(mte_refusals));
	check_all(cube_refusals, REF_COUNT(cube_refusals));
	check_all(vector_refusals, REF_COUNT(vector_refusals));
	test_vector_state();
	test_scale_state();
	test_empty();
	test_illegal();
	test_flags();
	test_info();
	vm_fini(&vm);
	return tap_done();
}

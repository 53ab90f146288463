/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tile with flat global memory, and one function to execute an instruction on it. */
#ifndef TILE_VM_H
#define TILE_VM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_mmu.h>

#include "tile.h"

#define GM_BASE NPU_VA_START
#define GM_SIZE (2u << 20)

/* Major opcodes custom-0 to custom-3. */
enum {
	MTE,
	CUBE,
	VECTOR,
	SYSTEM,
};

struct tile_vm {
	struct npu_tile tile;
	struct rv64_cpu cpu;
	uint8_t *gm;
};

static inline uint8_t *vm_gm(struct tile_vm *vm, uint64_t va, uint64_t bytes, uint64_t *fault)
{
	if (va >= GM_BASE && va - GM_BASE <= GM_SIZE && bytes <= GM_SIZE - (va - GM_BASE))
		return vm->gm + (va - GM_BASE);
	*fault = va;
	return NULL;
}

static enum npu_status vm_gm_read(void *opaque, void *dst, size_t dst_pitch, uint64_t va,
				  uint64_t src_pitch, size_t row_bytes, size_t rows,
				  uint64_t *fault)
{
	uint8_t *to = dst, *from;

	for (; rows; rows--, to += dst_pitch, va += src_pitch) {
		from = vm_gm(opaque, va, row_bytes, fault);
		if (!from)
			return NPU_ST_MMU_READ;
		memcpy(to, from, row_bytes);
	}
	return NPU_ST_OK;
}

static enum npu_status vm_gm_write(void *opaque, uint64_t va, uint64_t dst_pitch, const void *src,
				   size_t src_pitch, size_t row_bytes, size_t rows,
				   uint64_t *fault)
{
	const uint8_t *from = src;
	uint8_t *to;

	for (; rows; rows--, from += src_pitch, va += dst_pitch) {
		to = vm_gm(opaque, va, row_bytes, fault);
		if (!to)
			return NPU_ST_MMU_WRITE;
		memcpy(to, from, row_bytes);
	}
	return NPU_ST_OK;
}

static enum npu_status vm_gm_piece(void *opaque, enum npu_access access, uint64_t va,
				   uint64_t pitch, size_t row_bytes, size_t rows, uint8_t **host,
				   uint64_t *fault)
{
	(void)access;
	*host = vm_gm(opaque, va, (rows - 1) * pitch + row_bytes, fault);
	return NPU_ST_OK;
}

static uint64_t vm_timestamp(void *opaque)
{
	(void)opaque;
	return 0x123456789abcdefULL;
}

static inline void vm_init(struct tile_vm *vm)
{
	static const struct npu_tile_ops ops = {
		.gm_read = vm_gm_read, .gm_write = vm_gm_write, .gm_piece = vm_gm_piece,
		.timestamp = vm_timestamp,
	};

	memset(vm, 0, sizeof(*vm));
	vm->gm = calloc(1, GM_SIZE);
	if (!vm->gm || npu_tile_init(&vm->tile, &ops, vm)) {
		printf("Bail out! no memory\n");
		exit(1);
	}
}

static inline void vm_fini(struct tile_vm *vm)
{
	npu_tile_fini(&vm->tile);
	free(vm->gm);
}

/* Operands go to x10..x13, as the registers named rd, rs1, rs2 and rs3. */
static inline enum npu_status vm_exec(struct tile_vm *vm, unsigned int major, unsigned int funct3,
				      uint64_t rd, uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
	const struct rv64_custom insn = {
		.rd = 10, .rs1 = 11, .rs2 = 12, .rs3 = 13, .major = major, .funct3 = funct3,
	};

	vm->cpu.x[10] = rd;
	vm->cpu.x[11] = rs1;
	vm->cpu.x[12] = rs2;
	vm->cpu.x[13] = rs3;
	return npu_tile_exec(&vm->tile, &vm->cpu, &insn);
}

static const char *const vm_isas[] = { "v1", "v3", "v4", "vnni" };

/* Says so if the host cannot run it. */
static inline bool vm_use_isa(struct tile_vm *vm, const char *name)
{
	if (npu_tile_set_isa(&vm->tile, name))
		return true;
	printf("# %s: not on this host\n", name);
	return false;
}

static inline uint64_t mmad_config(unsigned int m, unsigned int n, unsigned int k,
				   unsigned int dtype, bool init)
{
	return NPU_PREP(NPU_MMAD_M, m) | NPU_PREP(NPU_MMAD_N, n) | NPU_PREP(NPU_MMAD_K, k) |
	       NPU_PREP(NPU_MMAD_DTYPE, dtype) | (init ? NPU_MMAD_INIT : 0);
}

static inline uint64_t vec_config(unsigned int opcode, unsigned int dtype, uint32_t count)
{
	return NPU_PREP(NPU_VEC_OPCODE, opcode) | NPU_PREP(NPU_VEC_DTYPE, dtype) |
	       NPU_PREP(NPU_VEC_COUNT, count);
}

static inline enum npu_status vm_repeat(struct tile_vm *vm, uint64_t rows, uint64_t dst_pitch,
					uint64_t src0_pitch, uint64_t src1_pitch)
{
	return vm_exec(vm, VECTOR, NPU_VEC_REPEAT, dst_pitch, rows, src0_pitch, src1_pitch);
}

#endif /* TILE_VM_H */

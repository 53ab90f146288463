/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hart with some RAM and an MMIO page, and an assembler of sorts, for the tests of the
 * interpreter.
 */
#ifndef RV64_VM_H
#define RV64_VM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rv64.h"

#define VM_RAM_BASE	0x10000ull
#define VM_RAM_SIZE	0x40000ull
#define VM_CODE		VM_RAM_BASE
#define VM_DATA		(VM_RAM_BASE + 0x20000)
#define VM_ROM		(VM_RAM_BASE + VM_RAM_SIZE - RV64_PAGE_SIZE)	/* not writable */
#define VM_MMIO		0x80000000ull
#define VM_NOWHERE	0x90000000ull
#define VM_FAULT_CODE	(-42)

struct vm {
	struct rv64_cpu cpu;
	uint8_t *ram;
	uint64_t here;		/* where emit() goes on */
	unsigned int translations;
	uint64_t mmio_addr, mmio_val;
	unsigned int mmio_size, mmio_reads, mmio_writes;
	int mmio_ret;
	uint64_t time;
};

static int vm_translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
			unsigned int *flags)
{
	struct vm *vm = opaque;

	(void)flags;
	vm->translations++;
	if ((addr & RV64_PAGE_MASK) == VM_MMIO)
		return RV64_XLATE_MMIO;
	if (addr < VM_RAM_BASE || addr >= VM_RAM_BASE + VM_RAM_SIZE)
		return VM_FAULT_CODE;
	if (access == RV64_ACCESS_WRITE && addr >= VM_ROM)
		return VM_FAULT_CODE;
	*page = vm->ram + ((addr & RV64_PAGE_MASK) - VM_RAM_BASE);
	return RV64_XLATE_RAM;
}

static int vm_mmio_read(void *opaque, uint64_t addr, unsigned int size, uint64_t *val)
{
	struct vm *vm = opaque;

	vm->mmio_addr = addr;
	vm->mmio_size = size;
	vm->mmio_reads++;
	*val = vm->mmio_val;
	return vm->mmio_ret;
}

static int vm_mmio_write(void *opaque, uint64_t addr, unsigned int size, uint64_t val)
{
	struct vm *vm = opaque;

	vm->mmio_addr = addr;
	vm->mmio_size = size;
	vm->mmio_val = val;
	vm->mmio_writes++;
	return vm->mmio_ret;
}

static uint64_t vm_time(void *opaque)
{
	struct vm *vm = opaque;

	return vm->time;
}

static const struct rv64_ops vm_default_ops = {
	.translate = vm_translate,
	.mmio_read = vm_mmio_read,
	.mmio_write = vm_mmio_write,
	.time = vm_time,
};

__attribute__((unused))
static struct vm *vm_new_ops(unsigned int isa, const struct rv64_ops *ops)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct rv64_config cfg = { .ops = ops, .opaque = vm, .isa = isa, .hartid = 5 };

	vm->ram = aligned_alloc(RV64_PAGE_SIZE, VM_RAM_SIZE);
	memset(vm->ram, 0, VM_RAM_SIZE);
	if (rv64_init(&vm->cpu, &cfg))
		abort();
	rv64_reset(&vm->cpu, VM_CODE);
	vm->here = VM_CODE;
	return vm;
}

__attribute__((unused)) static struct vm *vm_new(unsigned int isa)
{
	return vm_new_ops(isa, &vm_default_ops);
}

__attribute__((unused)) static void vm_free(struct vm *vm)
{
	rv64_destroy(&vm->cpu);
	free(vm->ram);
	free(vm);
}

/* Host address of a RAM address */
__attribute__((unused)) static void *vm_ptr(struct vm *vm, uint64_t addr)
{
	return vm->ram + (addr - VM_RAM_BASE);
}

__attribute__((unused)) static uint64_t vm_read64(struct vm *vm, uint64_t addr)
{
	uint64_t v;

	memcpy(&v, vm_ptr(vm, addr), sizeof(v));
	return v;
}

__attribute__((unused)) static void vm_write64(struct vm *vm, uint64_t addr, uint64_t v)
{
	memcpy(vm_ptr(vm, addr), &v, sizeof(v));
}

/* Append an instruction; its length is in its low bits. Returns its address. */
__attribute__((unused)) static uint64_t emit(struct vm *vm, uint32_t insn)
{
	uint64_t at = vm->here;
	unsigned int len = (insn & 3) == 3 ? 4 : 2;

	memcpy(vm_ptr(vm, at), &insn, len);
	vm->here += len;
	return at;
}

/* Run one instruction at @pc. */
__attribute__((unused)) static enum rv64_stop vm_step(struct vm *vm, uint64_t pc)
{
	vm->cpu.pc = pc;
	return rv64_run(&vm->cpu, 1);
}

/* Instruction formats */
#define R(op, f3, f7, rd, rs1, rs2)	\
	((uint32_t)(f7) << 25 | (uint32_t)(rs2) << 20 | (uint32_t)(rs1) << 15 |	\
	 (uint32_t)(f3) << 12 | (uint32_t)(rd) << 7 | (op))
#define R4(op, f3, f2, rd, rs1, rs2, rs3)	\
	R(op, f3, (uint32_t)(rs3) << 2 | (f2), rd, rs1, rs2)
#define I(op, f3, rd, rs1, imm)	\
	(((uint32_t)(imm) & 0xfff) << 20 | (uint32_t)(rs1) << 15 | (uint32_t)(f3) << 12 |	\
	 (uint32_t)(rd) << 7 | (op))
#define S(op, f3, rs1, rs2, imm)	\
	R(op, f3, (uint32_t)(imm) >> 5 & 0x7f, (uint32_t)(imm) & 31, rs1, rs2)
#define B(f3, rs1, rs2, imm)	\
	R(0x63, f3, ((uint32_t)(imm) >> 12 & 1) << 6 | ((uint32_t)(imm) >> 5 & 0x3f),	\
	  ((uint32_t)(imm) & 0x1e) | ((uint32_t)(imm) >> 11 & 1), rs1, rs2)
#define U(op, rd, imm)	\
	(((uint32_t)(imm) & 0xfffff000) | (uint32_t)(rd) << 7 | (op))
#define JAL(rd, imm)	\
	(((uint32_t)(imm) >> 20 & 1) << 31 | ((uint32_t)(imm) >> 1 & 0x3ff) << 21 |	\
	 ((uint32_t)(imm) >> 11 & 1) << 20 | ((uint32_t)(imm) >> 12 & 0xff) << 12 |	\
	 (uint32_t)(rd) << 7 | 0x6f)

#define ADDI(rd, rs1, imm)	I(0x13, 0, rd, rs1, imm)
#define ADD(rd, rs1, rs2)	R(0x33, 0, 0, rd, rs1, rs2)
#define LUI(rd, imm)		U(0x37, rd, imm)
#define AUIPC(rd, imm)		U(0x17, rd, imm)
#define JALR(rd, rs1, imm)	I(0x67, 0, rd, rs1, imm)
#define LW(rd, rs1, imm)	I(0x03, 2, rd, rs1, imm)
#define LD(rd, rs1, imm)	I(0x03, 3, rd, rs1, imm)
#define SW(rs2, rs1, imm)	S(0x23, 2, rs1, rs2, imm)
#define SD(rs2, rs1, imm)	S(0x23, 3, rs1, rs2, imm)
#define BEQ(rs1, rs2, imm)	B(0, rs1, rs2, imm)
#define BNE(rs1, rs2, imm)	B(1, rs1, rs2, imm)
#define AMO(f5, f3, rd, rs1, rs2)	R(0x2f, f3, (f5) << 2, rd, rs1, rs2)
#define CSRRW(rd, csr, rs1)	I(0x73, 1, rd, rs1, csr)
#define CSRRS(rd, csr, rs1)	I(0x73, 2, rd, rs1, csr)
#define CSRRC(rd, csr, rs1)	I(0x73, 3, rd, rs1, csr)
#define CSRRWI(rd, csr, imm)	I(0x73, 5, rd, imm, csr)
#define CSRRSI(rd, csr, imm)	I(0x73, 6, rd, imm, csr)
#define CSRRCI(rd, csr, imm)	I(0x73, 7, rd, imm, csr)
#define ECALL			0x00000073u
#define EBREAK			0x00100073u
#define MRET			0x30200073u
#define WFI			0x10500073u
#define FENCE_I			0x0000100fu
#define C_NOP			0x0001u
#define C_EBREAK		0x9002u

/* A generator of test values, the same on every run */
__attribute__((unused)) static uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

#endif /* RV64_VM_H */

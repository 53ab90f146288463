// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The A extension on host memory, atomic with respect to all host threads.
 *
 * lr keeps the value it loaded; sc is a compare-and-exchange against it. A store of another core
 * that leaves the same value does not break the reservation, which no correct use can tell.
 */
#include "rv64_internal.h"

#define AMO_ADD		0x00
#define AMO_SWAP	0x01
#define AMO_LR		0x02
#define AMO_SC		0x03
#define AMO_XOR		0x04
#define AMO_OR		0x08
#define AMO_AND		0x0c
#define AMO_MIN		0x10
#define AMO_MAX		0x14
#define AMO_MINU	0x18

#define ORDER		__ATOMIC_SEQ_CST

static bool is_rmw(unsigned int funct5)
{
	return funct5 == AMO_SWAP || (funct5 & 3) == 0;
}

/* Which of memory and operand min and max leave in memory. */
static bool takes_operand32(unsigned int funct5, uint32_t old, uint32_t val)
{
	switch (funct5) {
	case AMO_MIN:
		return (int32_t)val < (int32_t)old;
	case AMO_MAX:
		return (int32_t)val > (int32_t)old;
	case AMO_MINU:
		return val < old;
	}
	return val > old;
}

static bool takes_operand64(unsigned int funct5, uint64_t old, uint64_t val)
{
	switch (funct5) {
	case AMO_MIN:
		return (int64_t)val < (int64_t)old;
	case AMO_MAX:
		return (int64_t)val > (int64_t)old;
	case AMO_MINU:
		return val < old;
	}
	return val > old;
}

static uint32_t rmw32(uint32_t *p, unsigned int funct5, uint32_t val)
{
	uint32_t old;

	switch (funct5) {
	case AMO_ADD:
		return __atomic_fetch_add(p, val, ORDER);
	case AMO_SWAP:
		return __atomic_exchange_n(p, val, ORDER);
	case AMO_XOR:
		return __atomic_fetch_xor(p, val, ORDER);
	case AMO_OR:
		return __atomic_fetch_or(p, val, ORDER);
	case AMO_AND:
		return __atomic_fetch_and(p, val, ORDER);
	}
	old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(p, &old, takes_operand32(funct5, old, val) ? val : old,
					    true, ORDER, __ATOMIC_RELAXED))
		;
	return old;
}

static uint64_t rmw64(uint64_t *p, unsigned int funct5, uint64_t val)
{
	uint64_t old;

	switch (funct5) {
	case AMO_ADD:
		return __atomic_fetch_add(p, val, ORDER);
	case AMO_SWAP:
		return __atomic_exchange_n(p, val, ORDER);
	case AMO_XOR:
		return __atomic_fetch_xor(p, val, ORDER);
	case AMO_OR:
		return __atomic_fetch_or(p, val, ORDER);
	case AMO_AND:
		return __atomic_fetch_and(p, val, ORDER);
	}
	old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(p, &old, takes_operand64(funct5, old, val) ? val : old,
					    true, ORDER, __ATOMIC_RELAXED))
		;
	return old;
}

static uint64_t load_reserved(struct rv64_cpu *cpu, const void *p, uint64_t addr,
			      unsigned int size)
{
	cpu->reserved = true;
	cpu->reserved_addr = addr;
	cpu->reserved_size = size;
	if (size == 4)
		cpu->reserved_val = __atomic_load_n((const uint32_t *)p, ORDER);
	else
		cpu->reserved_val = __atomic_load_n((const uint64_t *)p, ORDER);
	return size == 4 ? (uint64_t)(int32_t)cpu->reserved_val : cpu->reserved_val;
}

/* 0 if stored, 1 if not */
static uint64_t store_conditional(struct rv64_cpu *cpu, void *p, uint64_t addr, unsigned int size,
				  uint64_t val)
{
	uint32_t old32 = cpu->reserved_val;
	uint64_t old64 = cpu->reserved_val;

	if (!cpu->reserved || cpu->reserved_addr != addr || cpu->reserved_size != size)
		return 1;
	if (size == 4)
		return !__atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)val, false,
						    ORDER, __ATOMIC_RELAXED);
	return !__atomic_compare_exchange_n((uint64_t *)p, &old64, val, false,
					    ORDER, __ATOMIC_RELAXED);
}

/**
 * rv64_amo() - execute an instruction of the A extension
 * @cpu: the hart; cpu->pc is exact
 * @raw: the instruction
 */
enum rv64_status rv64_amo(struct rv64_cpu *cpu, uint32_t raw)
{
	unsigned int funct5 = raw >> 27, funct3 = rv64_raw_funct3(raw);
	uint64_t addr = cpu->x[rv64_raw_rs1(raw)], src = cpu->x[rv64_raw_rs2(raw)], res;
	unsigned int size = 1u << funct3;
	enum rv64_status st;
	void *p;

	if (funct3 != 2 && funct3 != 3)
		return rv64_illegal(cpu, raw);
	if (funct5 == AMO_LR ? rv64_raw_rs2(raw) != 0 : funct5 != AMO_SC && !is_rmw(funct5))
		return rv64_illegal(cpu, raw);
	st = rv64_atomic_page(cpu, addr, size,
			      funct5 == AMO_LR ? RV64_ACCESS_READ : RV64_ACCESS_WRITE, &p);
	if (st)
		return st;

	if (funct5 == AMO_LR) {
		res = load_reserved(cpu, p, addr, size);
	} else if (funct5 == AMO_SC) {
		res = store_conditional(cpu, p, addr, size, src);
		cpu->reserved = false;
	} else if (size == 4) {
		res = (int32_t)rmw32(p, funct5, src);
	} else {
		res = rmw64(p, funct5, src);
	}
	rv64_set_x(cpu, rv64_raw_rd(raw), res);
	return RV64_NEXT;
}

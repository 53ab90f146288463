// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exceptions and interrupts. With machine mode they enter the program's handler; without, they
 * end the run.
 */
#include "rv64_internal.h"

static void enter_trap(struct rv64_cpu *cpu, uint64_t cause, uint64_t tval)
{
	struct rv64_csrs *csr = &cpu->csr;
	uint64_t base = csr->mtvec & ~3ull;

	csr->mepc = cpu->pc;
	csr->mcause = cause;
	csr->mtval = tval;
	if (csr->mstatus & RV64_MSTATUS_MIE)
		csr->mstatus |= RV64_MSTATUS_MPIE;
	else
		csr->mstatus &= ~RV64_MSTATUS_MPIE;
	csr->mstatus &= ~RV64_MSTATUS_MIE;
	cpu->reserved = false;

	if ((csr->mtvec & 1) && (cause & RV64_CAUSE_INTERRUPT))
		base += 4 * (cause & ~RV64_CAUSE_INTERRUPT);
	cpu->pc = base;
}

/**
 * rv64_stopped() - end the run at cpu->pc
 * @cpu: the hart
 * @reason: for the embedder
 * @tval: address or bits that go with it
 * @code: callback's result that goes with it
 */
enum rv64_status rv64_stopped(struct rv64_cpu *cpu, enum rv64_stop reason, uint64_t tval, int code)
{
	cpu->stop = (struct rv64_stop_info){
		.reason = reason,
		.pc = cpu->pc,
		.tval = tval,
		.code = code,
	};
	return RV64_STOPPED;
}

enum rv64_status rv64_illegal(struct rv64_cpu *cpu, uint32_t raw)
{
	if (!(cpu->isa & RV64_ISA_M_MODE))
		return rv64_stopped(cpu, RV64_STOP_ILLEGAL, raw, 0);
	enter_trap(cpu, RV64_CAUSE_ILLEGAL, raw);
	return RV64_TRAPPED;
}

void rv64_trap_illegal(struct rv64_cpu *cpu)
{
	enter_trap(cpu, RV64_CAUSE_ILLEGAL, 0);
}

enum rv64_status rv64_misaligned(struct rv64_cpu *cpu, uint64_t addr, enum rv64_access access)
{
	if (!(cpu->isa & RV64_ISA_M_MODE)) {
		rv64_stopped(cpu, RV64_STOP_MISALIGNED, addr, 0);
		cpu->stop.access = access;
		return RV64_STOPPED;
	}
	enter_trap(cpu, access == RV64_ACCESS_READ ? RV64_CAUSE_LOAD_MISALIGNED :
		   RV64_CAUSE_STORE_MISALIGNED, addr);
	return RV64_TRAPPED;
}

enum rv64_status rv64_fault(struct rv64_cpu *cpu, uint64_t addr, enum rv64_access access, int code)
{
	static const uint64_t causes[] = {
		[RV64_ACCESS_READ] = RV64_CAUSE_LOAD_ACCESS,
		[RV64_ACCESS_WRITE] = RV64_CAUSE_STORE_ACCESS,
		[RV64_ACCESS_EXEC] = RV64_CAUSE_FETCH_ACCESS,
	};

	if (!(cpu->isa & RV64_ISA_M_MODE)) {
		rv64_stopped(cpu, RV64_STOP_FAULT, addr, code);
		cpu->stop.access = access;
		return RV64_STOPPED;
	}
	enter_trap(cpu, causes[access], addr);
	return RV64_TRAPPED;
}

enum rv64_status rv64_ecall(struct rv64_cpu *cpu)
{
	if (cpu->isa & RV64_ISA_M_MODE) {
		enter_trap(cpu, RV64_CAUSE_ECALL_M, 0);
		return RV64_TRAPPED;
	}
	rv64_stopped(cpu, RV64_STOP_ECALL, 0, 0);
	cpu->pc += 4;
	return RV64_STOPPED_RETIRED;
}

enum rv64_status rv64_ebreak(struct rv64_cpu *cpu)
{
	if (!(cpu->isa & RV64_ISA_M_MODE) || cpu->debug)
		return rv64_stopped(cpu, RV64_STOP_EBREAK, 0, 0);
	enter_trap(cpu, RV64_CAUSE_BREAKPOINT, cpu->pc);
	return RV64_TRAPPED;
}

/* Take the pending interrupt of the highest priority, if they are enabled; cpu->pc is exact. */
void rv64_take_irq(struct rv64_cpu *cpu)
{
	static const uint8_t order[] = { RV64_IRQ_MEI, RV64_IRQ_MSI, RV64_IRQ_MTI };
	uint64_t pending;
	unsigned int i;

	if (!(cpu->isa & RV64_ISA_M_MODE) || !(cpu->csr.mstatus & RV64_MSTATUS_MIE) ||
	    cpu->irqs_off)
		return;
	pending = __atomic_load_n(&cpu->mip, __ATOMIC_ACQUIRE) & cpu->csr.mie;
	for (i = 0; i < sizeof(order); i++) {
		if (pending >> order[i] & 1) {
			enter_trap(cpu, RV64_CAUSE_INTERRUPT | order[i], 0);
			return;
		}
	}
}

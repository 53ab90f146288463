// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system opcode: CSRs, ecall, ebreak, mret, wfi; and fence.i.
 */
#include "rv64_internal.h"

#define RAW_ECALL	0x00000073
#define RAW_EBREAK	0x00100073
#define RAW_MRET	0x30200073
#define RAW_WFI		0x10500073

#define CSR_FFLAGS	0x001
#define CSR_FRM		0x002
#define CSR_FCSR	0x003
#define CSR_MSTATUS	0x300
#define CSR_MISA	0x301
#define CSR_MIE		0x304
#define CSR_MTVEC	0x305
#define CSR_MCOUNTINHIBIT 0x320
#define CSR_MSCRATCH	0x340
#define CSR_MEPC	0x341
#define CSR_MCAUSE	0x342
#define CSR_MTVAL	0x343
#define CSR_MIP		0x344
#define CSR_MCYCLE	0xb00
#define CSR_MINSTRET	0xb02
#define CSR_CYCLE	0xc00
#define CSR_TIME	0xc01
#define CSR_INSTRET	0xc02
#define CSR_MVENDORID	0xf11
#define CSR_MARCHID	0xf12
#define CSR_MIMPID	0xf13
#define CSR_MHARTID	0xf14
#define CSR_MCONFIGPTR	0xf15

#define IRQ_MASK	(1ull << RV64_IRQ_MSI | 1ull << RV64_IRQ_MTI | 1ull << RV64_IRQ_MEI)
#define FCSR_MASK	0xffu

#define MISA_MXL_64	(2ull << 62)
#define MISA_EXT(c)	(1ull << ((c) - 'a'))

static uint64_t misa(const struct rv64_cpu *cpu)
{
	uint64_t val = MISA_MXL_64 | MISA_EXT('i') | MISA_EXT('m') | MISA_EXT('a') | MISA_EXT('c');

	if (cpu->isa & RV64_ISA_FD)
		val |= MISA_EXT('f') | MISA_EXT('d');
	return val;
}

static uint64_t mstatus(const struct rv64_cpu *cpu)
{
	uint64_t val = cpu->csr.mstatus | RV64_MSTATUS_MPP;

	if (cpu->isa & RV64_ISA_FD)
		val |= RV64_MSTATUS_FS | RV64_MSTATUS_SD;
	return val;
}

/* CSRs of the F extension; false if there is none of that number. */
static bool fp_csr_read(const struct rv64_cpu *cpu, unsigned int csr, uint64_t *val)
{
	if (!(cpu->isa & RV64_ISA_FD))
		return false;
	switch (csr) {
	case CSR_FFLAGS:
		*val = cpu->fcsr & RV64_FFLAGS_MASK;
		return true;
	case CSR_FRM:
		*val = cpu->fcsr >> RV64_FRM_SHIFT;
		return true;
	case CSR_FCSR:
		*val = cpu->fcsr;
		return true;
	}
	return false;
}

static bool fp_csr_write(struct rv64_cpu *cpu, unsigned int csr, uint64_t val)
{
	if (!(cpu->isa & RV64_ISA_FD))
		return false;
	switch (csr) {
	case CSR_FFLAGS:
		cpu->fcsr = (cpu->fcsr & ~RV64_FFLAGS_MASK) | (val & RV64_FFLAGS_MASK);
		return true;
	case CSR_FRM:
		cpu->fcsr = (cpu->fcsr & RV64_FFLAGS_MASK) | (val & 7) << RV64_FRM_SHIFT;
		return true;
	case CSR_FCSR:
		cpu->fcsr = val & FCSR_MASK;
		return true;
	}
	return false;
}

static bool counter_read(const struct rv64_cpu *cpu, unsigned int csr, uint64_t *val)
{
	switch (csr) {
	case CSR_CYCLE:
	case CSR_INSTRET:
		*val = cpu->instret;
		return true;
	case CSR_TIME:
		*val = cpu->ops->time ? cpu->ops->time(cpu->opaque) : cpu->instret;
		return true;
	}
	return false;
}

static bool machine_csr_read(const struct rv64_cpu *cpu, unsigned int csr, uint64_t *val)
{
	if (!(cpu->isa & RV64_ISA_M_MODE))
		return false;
	switch (csr) {
	case CSR_MSTATUS:
		*val = mstatus(cpu);
		return true;
	case CSR_MISA:
		*val = misa(cpu);
		return true;
	case CSR_MIE:
		*val = cpu->csr.mie;
		return true;
	case CSR_MTVEC:
		*val = cpu->csr.mtvec;
		return true;
	case CSR_MSCRATCH:
		*val = cpu->csr.mscratch;
		return true;
	case CSR_MEPC:
		*val = cpu->csr.mepc;
		return true;
	case CSR_MCAUSE:
		*val = cpu->csr.mcause;
		return true;
	case CSR_MTVAL:
		*val = cpu->csr.mtval;
		return true;
	case CSR_MIP:
		*val = __atomic_load_n(&cpu->mip, __ATOMIC_ACQUIRE);
		return true;
	case CSR_MCYCLE:
	case CSR_MINSTRET:
		*val = cpu->instret;
		return true;
	case CSR_MHARTID:
		*val = cpu->hartid;
		return true;
	case CSR_MCOUNTINHIBIT:
	case CSR_MVENDORID:
	case CSR_MARCHID:
	case CSR_MIMPID:
	case CSR_MCONFIGPTR:
		*val = 0;
		return true;
	}
	return false;
}

static bool machine_csr_write(struct rv64_cpu *cpu, unsigned int csr, uint64_t val)
{
	if (!(cpu->isa & RV64_ISA_M_MODE))
		return false;
	switch (csr) {
	case CSR_MSTATUS:
		cpu->csr.mstatus = val & (RV64_MSTATUS_MIE | RV64_MSTATUS_MPIE);
		return true;
	case CSR_MIE:
		cpu->csr.mie = val & IRQ_MASK;
		return true;
	case CSR_MTVEC:
		cpu->csr.mtvec = val & ~2ull;
		return true;
	case CSR_MSCRATCH:
		cpu->csr.mscratch = val;
		return true;
	case CSR_MEPC:
		cpu->csr.mepc = val & ~1ull;
		return true;
	case CSR_MCAUSE:
		cpu->csr.mcause = val;
		return true;
	case CSR_MTVAL:
		cpu->csr.mtval = val;
		return true;
	case CSR_MISA:
	case CSR_MIP:
	case CSR_MCOUNTINHIBIT:
	case CSR_MCYCLE:
	case CSR_MINSTRET:
		/* These exist but nothing in them can be changed. */
		return true;
	}
	return false;
}

static bool csr_read(struct rv64_cpu *cpu, unsigned int csr, uint64_t *val)
{
	if (fp_csr_read(cpu, csr, val) || counter_read(cpu, csr, val) ||
	    machine_csr_read(cpu, csr, val))
		return true;
	*val = 0;
	return cpu->ops->csr_read && !cpu->ops->csr_read(cpu->opaque, cpu, csr, val);
}

static bool csr_write(struct rv64_cpu *cpu, unsigned int csr, uint64_t val)
{
	if (csr >> 10 == 3)
		return false;	/* the read-only quarter of the number space */
	if (fp_csr_write(cpu, csr, val) || machine_csr_write(cpu, csr, val))
		return true;
	return cpu->ops->csr_write && !cpu->ops->csr_write(cpu->opaque, cpu, csr, val);
}

/* csrrw, csrrs, csrrc and their immediate forms */
static enum rv64_status csr_op(struct rv64_cpu *cpu, uint32_t raw)
{
	unsigned int f3 = rv64_raw_funct3(raw), rs1 = rv64_raw_rs1(raw), csr = raw >> 20;
	uint64_t src = f3 & 4 ? rs1 : cpu->x[rs1];
	bool swap = (f3 & 3) == 1;
	uint64_t old = 0, val;

	if ((f3 & 3) == 0)
		return rv64_illegal(cpu, raw);
	/* csrrw to x0 does not read; csrrs and csrrc of x0 do not write. */
	if (!(swap && !rv64_raw_rd(raw)) && !csr_read(cpu, csr, &old))
		return rv64_illegal(cpu, raw);
	val = swap ? src : (f3 & 3) == 2 ? old | src : old & ~src;
	if ((swap || rs1) && !csr_write(cpu, csr, val))
		return rv64_illegal(cpu, raw);
	rv64_set_x(cpu, rv64_raw_rd(raw), old);
	if (cpu->isa & RV64_ISA_M_MODE)
		__atomic_fetch_or(&cpu->attention, RV64_ATTN_IRQ, __ATOMIC_RELAXED);
	return RV64_NEXT;
}

static enum rv64_status mret(struct rv64_cpu *cpu)
{
	struct rv64_csrs *csr = &cpu->csr;

	if (csr->mstatus & RV64_MSTATUS_MPIE)
		csr->mstatus |= RV64_MSTATUS_MIE;
	else
		csr->mstatus &= ~RV64_MSTATUS_MIE;
	csr->mstatus |= RV64_MSTATUS_MPIE;
	cpu->pc = csr->mepc;
	__atomic_fetch_or(&cpu->attention, RV64_ATTN_IRQ, __ATOMIC_RELAXED);
	return RV64_JUMP;
}

static enum rv64_status wfi(struct rv64_cpu *cpu)
{
	if (rv64_irq_pending(cpu))
		return RV64_NEXT;
	rv64_stopped(cpu, RV64_STOP_WFI, 0, 0);
	cpu->pc += 4;
	return RV64_STOPPED_RETIRED;
}

/**
 * rv64_system() - execute a system instruction
 * @cpu: the hart; cpu->pc is exact
 * @raw: the instruction in its 32-bit form
 */
enum rv64_status rv64_system(struct rv64_cpu *cpu, uint32_t raw)
{
	bool machine = cpu->isa & RV64_ISA_M_MODE;

	if ((raw & 0x7f) == 0x0f) {
		rv64_code_drop(cpu);
		cpu->pc += 4;
		return RV64_JUMP;
	}
	if (rv64_raw_funct3(raw))
		return csr_op(cpu, raw);
	if (raw == RAW_ECALL)
		return rv64_ecall(cpu);
	if (raw == RAW_EBREAK)
		return rv64_ebreak(cpu);
	if (raw == RAW_MRET && machine)
		return mret(cpu);
	if (raw == RAW_WFI && machine)
		return wfi(cpu);
	return rv64_illegal(cpu, raw);
}

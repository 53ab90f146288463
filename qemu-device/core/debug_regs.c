// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registers as gdb knows them: numbers, and the descriptions that give them names.
 */
#include "npu_internal.h"

#define INT(name)	"<reg name='" #name "' bitsize='64' type='int'/>"
#define DATA(name)	"<reg name='" #name "' bitsize='64' type='data_ptr'/>"
#define CODE(name)	"<reg name='" #name "' bitsize='64' type='code_ptr'/>"
#define FLOAT(name)	"<reg name='" #name "' bitsize='64' type='ieee_double'/>"
#define SHORT(name)	"<reg name='" #name "' bitsize='32' type='int'/>"

#define HEAD \
	"<?xml version='1.0'?><!DOCTYPE target SYSTEM 'gdb-target.dtd'><target version='1.0'>" \
	"<architecture>riscv:rv64</architecture><osabi>none</osabi>" \
	"<feature name='org.gnu.gdb.riscv.cpu'>" \
	INT(zero) CODE(ra) DATA(sp) DATA(gp) DATA(tp) INT(t0) INT(t1) INT(t2) DATA(fp) INT(s1) \
	INT(a0) INT(a1) INT(a2) INT(a3) INT(a4) INT(a5) INT(a6) INT(a7) INT(s2) INT(s3) INT(s4) \
	INT(s5) INT(s6) INT(s7) INT(s8) INT(s9) INT(s10) INT(s11) INT(t3) INT(t4) INT(t5) INT(t6) \
	CODE(pc) "</feature>"

const char npu_debug_core_xml[] = HEAD
	"<feature name='org.gnu.gdb.riscv.fpu'>"
	FLOAT(ft0) FLOAT(ft1) FLOAT(ft2) FLOAT(ft3) FLOAT(ft4) FLOAT(ft5) FLOAT(ft6) FLOAT(ft7)
	FLOAT(fs0) FLOAT(fs1) FLOAT(fa0) FLOAT(fa1) FLOAT(fa2) FLOAT(fa3) FLOAT(fa4) FLOAT(fa5)
	FLOAT(fa6) FLOAT(fa7) FLOAT(fs2) FLOAT(fs3) FLOAT(fs4) FLOAT(fs5) FLOAT(fs6) FLOAT(fs7)
	FLOAT(fs8) FLOAT(fs9) FLOAT(fs10) FLOAT(fs11) FLOAT(ft8) FLOAT(ft9) FLOAT(ft10)
	FLOAT(ft11) SHORT(fflags) SHORT(frm) SHORT(fcsr) "</feature>"
	"<feature name='org.npu.block'>"
	INT(block) INT(blocks) INT(core) INT(context) INT(queue) CODE(entry) INT(error)
	"</feature></target>";

const char npu_debug_mcu_xml[] = HEAD
	"<feature name='org.gnu.gdb.riscv.csr'>"
	"<reg name='mstatus' bitsize='64' regnum='68'/>" INT(mie) CODE(mtvec) INT(mscratch)
	CODE(mepc) INT(mcause) INT(mtval) INT(mip) "</feature></target>";

static bool read_float(const struct rv64_cpu *cpu, unsigned int reg, uint64_t *value,
		       unsigned int *size)
{
	if (reg < NPU_DEBUG_REG_FFLAGS) {
		*value = cpu->f[reg - NPU_DEBUG_REG_F0];
		return true;
	}
	*size = sizeof(uint32_t);
	*value = reg == NPU_DEBUG_REG_FCSR ? cpu->fcsr :
		 reg == NPU_DEBUG_REG_FFLAGS ? cpu->fcsr & RV64_FFLAGS_MASK :
					       cpu->fcsr >> RV64_FRM_SHIFT;
	return true;
}

bool npu_debug_read_hart(const struct rv64_cpu *cpu, unsigned int reg, uint64_t *value,
			 unsigned int *size)
{
	*size = sizeof(*value);
	if (reg < NPU_DEBUG_REG_PC)
		*value = reg ? cpu->x[reg] : 0;
	else if (reg == NPU_DEBUG_REG_PC)
		*value = cpu->pc;
	else
		return reg <= NPU_DEBUG_REG_FCSR && (cpu->isa & RV64_ISA_FD) &&
		       read_float(cpu, reg, value, size);
	return true;
}

bool npu_debug_write_hart(struct rv64_cpu *cpu, unsigned int reg, uint64_t value)
{
	bool fp = cpu->isa & RV64_ISA_FD;

	if (reg < NPU_DEBUG_REG_PC)
		cpu->x[reg] = reg ? value : 0;
	else if (reg == NPU_DEBUG_REG_PC)
		cpu->pc = value & ~1ULL;
	else if (fp && reg < NPU_DEBUG_REG_FFLAGS)
		cpu->f[reg - NPU_DEBUG_REG_F0] = value;
	else if (fp && reg == NPU_DEBUG_REG_FCSR)
		cpu->fcsr = value & (RV64_FFLAGS_MASK | 7 << RV64_FRM_SHIFT);
	else
		return false;
	return true;
}

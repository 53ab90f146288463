// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Machine mode: CSRs, exceptions, interrupts and wfi.
 */
#include "rv64_vm.h"
#include "tap.h"

#define CSR_MSTATUS	0x300
#define CSR_MISA	0x301
#define CSR_MIE		0x304
#define CSR_MTVEC	0x305
#define CSR_MSCRATCH	0x340
#define CSR_MEPC	0x341
#define CSR_MCAUSE	0x342
#define CSR_MTVAL	0x343
#define CSR_MIP		0x344
#define CSR_TIME	0xc01
#define CSR_INSTRET	0xc02
#define CSR_MHARTID	0xf14

#define MIE		0x8ull
#define MPIE		0x80ull
#define MPP		0x1800ull

#define HANDLER		(VM_CODE + 0x4000)

static struct vm *vm;

static void fresh(void)
{
	rv64_reset(&vm->cpu, VM_CODE);
	vm->cpu.csr.mtvec = HANDLER;
	vm->cpu.csr.mstatus = MIE;
	vm->here = VM_CODE;
}

static void test_csr_forms(void)
{
	uint64_t at;

	fresh();
	vm->cpu.csr.mscratch = 0xff00;
	vm->cpu.x[11] = 0x0ff0;
	at = emit(vm, CSRRW(10, CSR_MSCRATCH, 11));
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 0xff00 && vm->cpu.csr.mscratch == 0x0ff0, "csrrw");
	at = emit(vm, CSRRS(10, CSR_MSCRATCH, 11));
	vm->cpu.x[11] = 0xf00f;
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 0x0ff0 && vm->cpu.csr.mscratch == 0xffff, "csrrs");
	at = emit(vm, CSRRC(11, CSR_MSCRATCH, 11));
	vm_step(vm, at);
	ok(vm->cpu.x[11] == 0xffff && vm->cpu.csr.mscratch == 0x0ff0, "csrrc, with rd = rs1");
	at = emit(vm, CSRRWI(10, CSR_MSCRATCH, 21));
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 0x0ff0 && vm->cpu.csr.mscratch == 21, "csrrwi");
	at = emit(vm, CSRRSI(10, CSR_MSCRATCH, 10));
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 21 && vm->cpu.csr.mscratch == 31, "csrrsi");
	at = emit(vm, CSRRCI(0, CSR_MSCRATCH, 17));
	vm_step(vm, at);
	ok(vm->cpu.csr.mscratch == 14 && !vm->cpu.x[0], "csrrci");
}

static uint64_t read_csr(unsigned int csr)
{
	vm_step(vm, emit(vm, CSRRS(10, csr, 0)));
	return vm->cpu.x[10];
}

static void write_csr(unsigned int csr, uint64_t val)
{
	vm->cpu.x[11] = val;
	vm_step(vm, emit(vm, CSRRW(0, csr, 11)));
}

static void test_csr_values(void)
{
	uint64_t before;

	fresh();
	write_csr(CSR_MSTATUS, ~0ull);
	ok(read_csr(CSR_MSTATUS) == (MIE | MPIE | MPP), "mstatus has MIE, MPIE, and MPP of M");
	write_csr(CSR_MSTATUS, 0);
	ok(read_csr(CSR_MSTATUS) == MPP, "MPP cannot be cleared");
	ok(read_csr(CSR_MISA) == (2ull << 62 | 1 << 0 | 1 << 2 | 1 << 8 | 1 << 12),
	   "misa is RV64IMAC");
	write_csr(CSR_MIE, ~0ull);
	ok(read_csr(CSR_MIE) == 0x888, "mie has MSI, MTI and MEI");
	write_csr(CSR_MTVEC, 0x12345677);
	ok(read_csr(CSR_MTVEC) == 0x12345675, "mtvec has two modes");
	write_csr(CSR_MEPC, 0x1235);
	ok(read_csr(CSR_MEPC) == 0x1234, "mepc is even");
	write_csr(CSR_MIP, ~0ull);
	ok(read_csr(CSR_MIP) == 0, "mip cannot be written");
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	ok(read_csr(CSR_MIP) == 0x80, "mip shows a line");
	ok(read_csr(CSR_MHARTID) == 5, "mhartid");
	vm->time = 0x123456789abc;
	ok(read_csr(CSR_TIME) == 0x123456789abc, "time");
	before = vm->cpu.instret;
	ok(read_csr(CSR_INSTRET) == before, "instret counts what came before");
}

static void check_trap(const char *name, uint64_t at, uint64_t cause, uint64_t tval)
{
	struct rv64_csrs *csr = &vm->cpu.csr;
	uint64_t retired = vm->cpu.instret;

	vm->cpu.csr.mstatus = MIE;
	vm_step(vm, at);
	ok(vm->cpu.pc == HANDLER && csr->mcause == cause && csr->mepc == at && csr->mtval == tval &&
	   csr->mstatus == MPIE && vm->cpu.instret == retired, "trap: %s", name);
}

static void test_exceptions(void)
{
	fresh();
	vm->cpu.x[11] = VM_NOWHERE;
	vm->cpu.x[12] = VM_MMIO + 1;
	vm->cpu.x[13] = VM_DATA + 1;
	check_trap("ecall", emit(vm, ECALL), 11, 0);
	check_trap("ebreak", emit(vm, EBREAK), 3, VM_CODE + 4);
	check_trap("c.ebreak", emit(vm, C_EBREAK), 3, VM_CODE + 8);
	check_trap("illegal instruction", emit(vm, 0xffffffff), 2, 0xffffffff);
	check_trap("illegal compressed instruction", emit(vm, 0), 2, 0);
	check_trap("custom instruction without a callback", emit(vm, 0x0000000b), 2, 0x0b);
	check_trap("no such csr", emit(vm, CSRRS(1, 0x7c0, 0)), 2, CSRRS(1, 0x7c0, 0));
	check_trap("read-only csr", emit(vm, CSRRW(0, CSR_MHARTID, 0)), 2,
		   CSRRW(0, CSR_MHARTID, 0));
	check_trap("load access fault", emit(vm, LW(1, 11, 4)), 5, VM_NOWHERE + 4);
	check_trap("store access fault", emit(vm, SW(1, 11, 4)), 7, VM_NOWHERE + 4);
	check_trap("load misaligned in MMIO", emit(vm, LW(1, 12, 0)), 4, VM_MMIO + 1);
	check_trap("store misaligned in MMIO", emit(vm, SW(1, 12, 0)), 6, VM_MMIO + 1);
	check_trap("amo misaligned", emit(vm, AMO(0, 2, 1, 13, 1)), 6, VM_DATA + 1);
	check_trap("lr misaligned", emit(vm, AMO(2, 2, 1, 13, 0)), 4, VM_DATA + 1);
	check_trap("amo access fault", emit(vm, AMO(0, 2, 1, 11, 1)), 7, VM_NOWHERE);
	check_trap("instruction access fault", VM_NOWHERE, 1, VM_NOWHERE);

	vm->cpu.x[13] = VM_DATA;
	vm_step(vm, emit(vm, AMO(2, 2, 1, 13, 0)));
	vm_step(vm, emit(vm, ECALL));
	vm_step(vm, emit(vm, AMO(3, 2, 10, 13, 0)));
	ok(vm->cpu.x[10] == 1, "a trap ends a reservation");

	vm->cpu.csr.mstatus = 0;
	vm_step(vm, emit(vm, ECALL));
	ok(vm->cpu.csr.mstatus == 0, "MPIE is MIE as it was");
	vm->cpu.csr.mtvec = HANDLER | 1;
	vm_step(vm, emit(vm, ECALL));
	ok(vm->cpu.pc == HANDLER, "exceptions are not vectored");
	vm->cpu.debug = true;
	ok(vm_step(vm, emit(vm, EBREAK)) == RV64_STOP_EBREAK && vm->cpu.pc == vm->here - 4,
	   "ebreak stops for a debugger");
	vm->cpu.debug = false;
}

static void test_mret(void)
{
	fresh();
	vm->cpu.csr.mstatus = MPIE;
	vm->cpu.csr.mepc = VM_CODE + 0x100;
	vm_step(vm, emit(vm, MRET));
	ok(vm->cpu.pc == VM_CODE + 0x100 && vm->cpu.csr.mstatus == (MIE | MPIE), "mret");
	vm->cpu.csr.mstatus = MIE;
	vm_step(vm, emit(vm, MRET));
	ok(vm->cpu.csr.mstatus == MPIE, "mret with MPIE clear");
}

/* A trap whose handler cannot be fetched must not hang the host. */
static void test_trap_loop(void)
{
	fresh();
	vm->cpu.csr.mtvec = VM_NOWHERE;
	vm->cpu.pc = emit(vm, ECALL);
	ok(rv64_run(&vm->cpu, 1000) == RV64_STOP_BUDGET && vm->cpu.instret == 0 &&
	   vm->cpu.csr.mcause == 1, "a trap that traps ends with the budget");
}

static void test_irq(void)
{
	static const struct { unsigned int line; const char *name; } lines[] = {
		{ RV64_IRQ_MSI, "software" }, { RV64_IRQ_MTI, "timer" },
		{ RV64_IRQ_MEI, "external" },
	};
	struct rv64_csrs *csr = &vm->cpu.csr;
	uint64_t at;

	for (int i = 0; i < 3; i++) {
		fresh();
		at = emit(vm, ADDI(10, 10, 1));
		csr->mie = 1ull << lines[i].line;
		rv64_set_irq(&vm->cpu, lines[i].line, true);
		vm->cpu.pc = at;
		rv64_run(&vm->cpu, 0);
		ok(csr->mcause == (RV64_CAUSE_INTERRUPT | lines[i].line) && csr->mepc == at &&
		   csr->mstatus == MPIE && !vm->cpu.x[10], "%s interrupt", lines[i].name);
		fresh();
		emit(vm, ADDI(10, 10, 1));
		csr->mtvec = HANDLER | 1;
		csr->mie = 1ull << lines[i].line;
		rv64_set_irq(&vm->cpu, lines[i].line, true);
		rv64_run(&vm->cpu, 0);
		ok(vm->cpu.pc == HANDLER + 4 * lines[i].line, "%s interrupt, vectored",
		   lines[i].name);
	}

	fresh();
	csr->mie = 0x888;
	for (int i = 0; i < 3; i++)
		rv64_set_irq(&vm->cpu, lines[i].line, true);
	rv64_run(&vm->cpu, 0);
	ok(csr->mcause == (RV64_CAUSE_INTERRUPT | RV64_IRQ_MEI), "external goes first");
	rv64_set_irq(&vm->cpu, RV64_IRQ_MEI, false);
	csr->mstatus = MIE;
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	rv64_run(&vm->cpu, 0);
	ok(csr->mcause == (RV64_CAUSE_INTERRUPT | RV64_IRQ_MSI), "software is before timer");
}

static void test_irq_masks(void)
{
	struct rv64_csrs *csr = &vm->cpu.csr;
	uint64_t at;

	fresh();
	csr->mstatus = 0;
	csr->mie = 1ull << RV64_IRQ_MTI;
	at = emit(vm, C_NOP);
	emit(vm, CSRRSI(0, CSR_MSTATUS, 8));
	emit(vm, ADDI(10, 0, 1));
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	rv64_run(&vm->cpu, 1);
	ok(vm->cpu.pc == at + 2, "no interrupt while MIE is clear");
	rv64_run(&vm->cpu, 1);
	rv64_run(&vm->cpu, 0);
	ok(vm->cpu.pc == HANDLER && csr->mepc == at + 6, "it is taken when MIE is set");

	fresh();
	at = emit(vm, CSRRW(0, CSR_MIE, 11));
	emit(vm, ADDI(10, 0, 1));
	vm->cpu.x[11] = 1ull << RV64_IRQ_MTI;
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	vm->here = HANDLER;
	emit(vm, ADDI(12, 0, 7));
	rv64_run(&vm->cpu, 2);
	ok(csr->mepc == at + 4 && !vm->cpu.x[10] && vm->cpu.x[12] == 7,
	   "it is taken when mie allows it");

	fresh();
	csr->mie = 1ull << RV64_IRQ_MTI;
	csr->mstatus = MPIE;
	csr->mepc = VM_CODE + 0x200;
	at = emit(vm, MRET);
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	rv64_run(&vm->cpu, 2);
	ok(csr->mepc == VM_CODE + 0x200 && csr->mcause >> 63, "it is taken after mret");

	fresh();
	csr->mie = 0x888;
	rv64_set_irq(&vm->cpu, 5, true);
	rv64_set_irq(&vm->cpu, 64, true);
	ok(!vm->cpu.mip && !rv64_irq_pending(&vm->cpu), "other lines do not exist");
}

static void test_wfi(void)
{
	struct rv64_csrs *csr = &vm->cpu.csr;
	uint64_t at;

	fresh();
	csr->mstatus = 0;
	csr->mie = 1ull << RV64_IRQ_MEI;
	at = emit(vm, WFI);
	emit(vm, C_NOP);
	vm->cpu.pc = at;
	ok(rv64_run(&vm->cpu, 10) == RV64_STOP_WFI && vm->cpu.pc == at + 4 &&
	   vm->cpu.instret == 1, "wfi stops past itself");
	rv64_set_irq(&vm->cpu, RV64_IRQ_MTI, true);
	ok(!rv64_irq_pending(&vm->cpu), "a line that mie masks does not wake");
	rv64_set_irq(&vm->cpu, RV64_IRQ_MEI, true);
	ok(rv64_irq_pending(&vm->cpu), "an enabled one does, even with MIE clear");
	ok(vm_step(vm, at) == RV64_STOP_BUDGET && vm->cpu.pc == at + 4,
	   "wfi falls through while one is pending");
}

static int level_write(void *opaque, uint64_t addr, unsigned int size, uint64_t val)
{
	struct vm *v = opaque;

	(void)addr;
	(void)size;
	rv64_set_irq(&v->cpu, RV64_IRQ_MEI, val);
	return 0;
}

/* A device that raises its line from the store: the next instruction must not run first. */
static void test_irq_from_mmio(void)
{
	struct rv64_ops ops = vm_default_ops;
	struct vm *v;
	uint64_t at;

	ops.mmio_write = level_write;
	v = vm_new_ops(RV64_ISA_M_MODE, &ops);
	v->cpu.csr.mtvec = HANDLER;
	v->cpu.csr.mstatus = MIE;
	v->cpu.csr.mie = 1ull << RV64_IRQ_MEI;
	v->cpu.x[11] = VM_MMIO;
	v->cpu.x[12] = 1;
	at = emit(v, SW(12, 11, 0));
	emit(v, ADDI(10, 0, 1));
	v->here = HANDLER;
	emit(v, C_NOP);
	rv64_run(&v->cpu, 2);
	ok(v->cpu.csr.mepc == at + 4 && !v->cpu.x[10], "an interrupt raised by a store is prompt");
	vm_free(v);
}

int main(void)
{
	vm = vm_new(RV64_ISA_M_MODE);
	test_csr_forms();
	test_csr_values();
	test_exceptions();
	test_mret();
	test_trap_loop();
	test_irq();
	test_irq_masks();
	test_wfi();
	vm_free(vm);
	test_irq_from_mmio();
	return tap_done();
}

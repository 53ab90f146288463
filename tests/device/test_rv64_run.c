// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running a hart: stop reasons, budget, exit requests, interrupts from other threads, custom
 * instructions and CSRs of the embedder.
 */
#include <pthread.h>

#include "rv64_vm.h"
#include "tap.h"

static struct rv64_custom seen;
static uint64_t seen_pc, seen_instret;
static int custom_ret;

static int custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	(void)opaque;
	seen = *insn;
	seen_pc = cpu->pc;
	seen_instret = cpu->instret;
	if (!custom_ret)
		cpu->x[insn->rd] += cpu->x[insn->rs1] * cpu->x[insn->rs2] + cpu->x[insn->rs3];
	return custom_ret;
}

static int csr_read(void *opaque, struct rv64_cpu *cpu, unsigned int csr, uint64_t *val)
{
	(void)opaque;
	*val = cpu->x[31] + csr;
	return csr != 0xcc0 && csr != 0x800;
}

static int csr_write(void *opaque, struct rv64_cpu *cpu, unsigned int csr, uint64_t val)
{
	(void)opaque;
	cpu->x[30] = val;
	return csr != 0x800;
}

static void test_stops(void)
{
	struct vm *vm = vm_new(0);
	uint64_t a = emit(vm, ECALL), b = emit(vm, EBREAK), c = emit(vm, C_EBREAK);

	ok(vm_step(vm, a) == RV64_STOP_ECALL && vm->cpu.pc == a + 4 && vm->cpu.stop.pc == a &&
	   vm->cpu.instret == 1, "ecall stops, and is done");
	ok(vm_step(vm, b) == RV64_STOP_EBREAK && vm->cpu.pc == b && vm->cpu.stop.pc == b &&
	   vm->cpu.instret == 1, "ebreak stops at itself");
	ok(vm_step(vm, c) == RV64_STOP_EBREAK && vm->cpu.pc == c, "c.ebreak as well");
	ok(!strcmp(rv64_stop_name(RV64_STOP_ECALL), "ecall") &&
	   !strcmp(rv64_stop_name((enum rv64_stop)99), "unknown"), "stops have names");
	vm_free(vm);
}

static void test_budget(void)
{
	struct vm *vm = vm_new(0);
	bool good = true;

	emit(vm, 0x0505);			/* c.addi a0, 1 */
	emit(vm, LUI(11, 0x12345000));
	emit(vm, ADDI(11, 11, 0x678));
	emit(vm, R(0x33, 2, 0, 12, 10, 11));	/* slt */
	emit(vm, BNE(12, 0, -14));
	for (uint64_t n = 0; n < 40 && good; n++) {
		rv64_reset(&vm->cpu, VM_CODE);
		good = rv64_run(&vm->cpu, n) == RV64_STOP_BUDGET && vm->cpu.instret == n &&
		       vm->cpu.x[10] == (n + 4) / 5;
	}
	ok(good, "a budget of 0 to 39 is exact");
	ok(rv64_run(&vm->cpu, 1000000) == RV64_STOP_BUDGET && vm->cpu.instret == 1000039,
	   "a large one as well, and instret goes on");
	vm_free(vm);
}

static void test_custom(void)
{
	static const uint32_t majors[] = { 0x0b, 0x2b, 0x5b, 0x7b };
	struct rv64_ops ops = vm_default_ops;
	bool good = true;
	struct vm *vm;
	uint64_t at;

	ops.custom = custom;
	vm = vm_new_ops(0, &ops);
	for (int m = 0; m < 4; m++) {
		for (int f = 0; f < 32; f++) {
			at = emit(vm, R4(majors[m], f & 7, f >> 3, 31, 17, 9, 30));
			vm->cpu.x[31] = 1;
			vm->cpu.x[17] = 10;
			vm->cpu.x[9] = 20;
			vm->cpu.x[30] = 3;
			good = good && vm_step(vm, at) == RV64_STOP_BUDGET && seen.major == m &&
			       seen.funct3 == (f & 7) && seen.funct2 == f >> 3 && seen.rd == 31 &&
			       seen.rs1 == 17 && seen.rs2 == 9 && seen.rs3 == 30 &&
			       vm->cpu.x[31] == 204 && vm->cpu.pc == at + 4 && seen_pc == at;
		}
	}
	ok(good, "custom-0 to custom-3 with all functions");
	ok(seen_instret == 127 && vm->cpu.instret == 128, "instret is exact in the callback");

	vm_step(vm, emit(vm, R4(0x0b, 0, 0, 0, 17, 9, 30)));
	ok(seen.rd == 0 && !vm->cpu.x[0], "x0 stays zero");

	at = emit(vm, R4(0x2b, 1, 0, 10, 17, 9, 30));
	vm->cpu.x[10] = 0;
	custom_ret = RV64_CUSTOM_WAIT;
	ok(vm_step(vm, at) == RV64_STOP_CUSTOM_WAIT && vm->cpu.pc == at && vm->cpu.stop.pc == at &&
	   vm->cpu.instret == 129, "a wait stops without retiring");
	custom_ret = 0;
	ok(rv64_run(&vm->cpu, 1) == RV64_STOP_BUDGET && vm->cpu.x[10] == 203 &&
	   vm->cpu.instret == 130, "and is tried again");
	custom_ret = -5;
	ok(vm_step(vm, at) == RV64_STOP_CUSTOM_ERR && vm->cpu.pc == at &&
	   vm->cpu.stop.code == -5 && vm->cpu.stop.tval == R4(0x2b, 1, 0, 10, 17, 9, 30),
	   "an error stops at the instruction, with its code and bits");
	custom_ret = 0;
	vm_free(vm);
}

static void test_csrs(void)
{
	struct rv64_ops ops = vm_default_ops;
	struct vm *vm;

	ops.csr_read = csr_read;
	ops.csr_write = csr_write;
	vm = vm_new_ops(0, &ops);
	vm->cpu.x[31] = 0x10000;
	vm->cpu.x[11] = 55;
	ok(vm_step(vm, emit(vm, CSRRS(10, 0xcc0, 0))) == RV64_STOP_BUDGET &&
	   vm->cpu.x[10] == 0x10cc0, "a CSR of the embedder is read");
	ok(vm_step(vm, emit(vm, CSRRW(0, 0x800, 11))) == RV64_STOP_BUDGET &&
	   vm->cpu.x[30] == 55, "and written");
	ok(vm_step(vm, emit(vm, CSRRW(0, 0xcc0, 11))) == RV64_STOP_ILLEGAL,
	   "but not where the number says read-only");
	ok(vm_step(vm, emit(vm, CSRRS(1, 0x801, 0))) == RV64_STOP_ILLEGAL,
	   "a CSR that the embedder refuses is illegal");
	vm_free(vm);
}

static void *run_thread(void *arg)
{
	struct vm *vm = arg;

	rv64_run(&vm->cpu, ~0ull);
	return NULL;
}

/* Set by the program when it is in its loop */
static void wait_for(struct vm *vm, uint64_t addr)
{
	while (!__atomic_load_n((uint64_t *)vm_ptr(vm, addr), __ATOMIC_ACQUIRE))
		sched_yield();
}

/* An endless loop of each kind must notice an exit request. */
static void test_exit_request(void)
{
	static const struct { const char *name; uint32_t insn[4]; } loops[] = {
		{ "j to itself", { 0x0000a001 } },
		{ "a branch", { ADDI(10, 10, 1), BEQ(0, 0, -4) } },
		{ "jalr", { JALR(0, 13, 0) } },
		{ "two pages", { JAL(0, 0x2000) } },
	};

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		struct vm *vm = vm_new(0);
		pthread_t thread;

		emit(vm, SD(12, 11, 0));
		vm->cpu.x[11] = VM_DATA;
		vm->cpu.x[12] = 1;
		vm->cpu.x[13] = vm->here;
		if (i == 3) {
			vm->here += 0x2000;
			emit(vm, JAL(0, -0x2000));
			vm->here = VM_CODE + 4;
		}
		for (int k = 0; k < 4 && loops[i].insn[k]; k++)
			emit(vm, loops[i].insn[k]);
		pthread_create(&thread, NULL, run_thread, vm);
		wait_for(vm, VM_DATA);
		rv64_request_exit(&vm->cpu);
		pthread_join(thread, NULL);
		ok(vm->cpu.stop.reason == RV64_STOP_EXIT, "an exit request ends %s", loops[i].name);
		vm_free(vm);
	}
}

static void test_exit_before(void)
{
	struct vm *vm = vm_new(0);
	uint64_t at = emit(vm, ADDI(10, 10, 1));

	rv64_request_exit(&vm->cpu);
	ok(vm_step(vm, at) == RV64_STOP_EXIT && vm->cpu.pc == at && !vm->cpu.instret,
	   "a request before the run ends it at once");
	ok(vm_step(vm, at) == RV64_STOP_BUDGET && vm->cpu.x[10] == 1, "and only that one");
	vm_free(vm);
}

/* Another thread raises an interrupt into a loop; the handler ends the run by ebreak. */
static void test_irq_from_thread(void)
{
	struct vm *vm = vm_new(RV64_ISA_M_MODE);
	pthread_t thread;

	emit(vm, SD(12, 11, 0));
	emit(vm, 0xa001);	/* c.j . */
	vm->here = VM_CODE + 0x100;
	emit(vm, EBREAK);
	vm->cpu.debug = true;
	vm->cpu.x[11] = VM_DATA;
	vm->cpu.x[12] = 1;
	vm->cpu.csr.mtvec = VM_CODE + 0x100;
	vm->cpu.csr.mie = 1ull << RV64_IRQ_MSI;
	vm->cpu.csr.mstatus = 8;
	pthread_create(&thread, NULL, run_thread, vm);
	wait_for(vm, VM_DATA);
	rv64_set_irq(&vm->cpu, RV64_IRQ_MSI, true);
	pthread_join(thread, NULL);
	ok(vm->cpu.stop.reason == RV64_STOP_EBREAK &&
	   vm->cpu.csr.mcause == (RV64_CAUSE_INTERRUPT | RV64_IRQ_MSI),
	   "an interrupt from another thread gets into a loop");
	vm_free(vm);
}

int main(void)
{
	test_stops();
	test_budget();
	test_custom();
	test_csrs();
	test_exit_before();
	test_exit_request();
	test_irq_from_thread();
	return tap_done();
}

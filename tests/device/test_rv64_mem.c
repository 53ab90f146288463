// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory as the interpreter sees it: pages, misaligned accesses, MMIO, faults, the TLB, and
 * instructions in places that need care.
 */
#include "rv64_vm.h"
#include "tap.h"

#define PAGE	RV64_PAGE_SIZE

static void test_misaligned(struct vm *vm)
{
	uint64_t ld = emit(vm, LD(10, 11, 0)), sd = emit(vm, SD(12, 11, 0));
	uint64_t lw = emit(vm, LW(10, 11, 0));
	bool load = true, store = true;

	for (unsigned int o = 1; o < 8; o++) {
		uint64_t addr = VM_DATA + PAGE - o;

		vm_write64(vm, addr, 0x8182838485868788);
		vm->cpu.x[11] = addr;
		vm_step(vm, ld);
		load = load && vm->cpu.x[10] == 0x8182838485868788;
		if (o < 4) {
			vm_step(vm, lw);
			load = load && vm->cpu.x[10] == 0xffffffff85868788;
		}
		vm->cpu.x[12] = 0x1122334455667788;
		vm_step(vm, sd);
		store = store && vm_read64(vm, addr) == 0x1122334455667788;
	}
	ok(load, "loads across pages");
	ok(store, "stores across pages");
}

static void test_cross_faults(struct vm *vm)
{
	uint64_t ld = emit(vm, LD(10, 11, 0)), sd = emit(vm, SD(12, 11, 0));
	uint64_t end = VM_RAM_BASE + VM_RAM_SIZE;

	vm->cpu.x[10] = 99;
	vm->cpu.x[11] = end - 3;
	ok(vm_step(vm, ld) == RV64_STOP_FAULT && vm->cpu.stop.tval == end &&
	   vm->cpu.stop.access == RV64_ACCESS_READ && vm->cpu.stop.code == VM_FAULT_CODE &&
	   vm->cpu.stop.pc == ld && vm->cpu.pc == ld && vm->cpu.x[10] == 99,
	   "a load into a missing page faults at the page and changes nothing");
	vm->cpu.x[11] = VM_ROM - 3;
	vm->cpu.x[12] = ~0ull;
	vm_write64(vm, VM_ROM - 8, 0);
	ok(vm_step(vm, sd) == RV64_STOP_FAULT && vm->cpu.stop.tval == VM_ROM &&
	   vm->cpu.stop.access == RV64_ACCESS_WRITE && !vm_read64(vm, VM_ROM - 8),
	   "a store into a read-only page writes none of it");
	vm->cpu.x[11] = VM_MMIO - 4;
	ok(vm_step(vm, ld) == RV64_STOP_FAULT && vm->cpu.stop.tval == VM_MMIO - 4,
	   "the first part decides");
}

static void test_faults(struct vm *vm)
{
	uint64_t lw = emit(vm, LW(10, 11, 8)), sw = emit(vm, SW(10, 11, -8)), before;

	vm->cpu.x[11] = VM_NOWHERE;
	before = vm->cpu.instret;
	ok(vm_step(vm, lw) == RV64_STOP_FAULT && vm->cpu.stop.tval == VM_NOWHERE + 8 &&
	   vm->cpu.stop.pc == lw, "a load from nowhere");
	ok(vm_step(vm, sw) == RV64_STOP_FAULT && vm->cpu.stop.tval == VM_NOWHERE - 8 &&
	   vm->cpu.stop.access == RV64_ACCESS_WRITE, "a store to nowhere");
	ok(vm->cpu.instret == before, "neither retires");
	vm->cpu.x[11] = VM_ROM;
	ok(vm_step(vm, lw) == RV64_STOP_BUDGET, "a read-only page can be read");
	vm->cpu.x[11] = VM_ROM + 16;
	ok(vm_step(vm, sw) == RV64_STOP_FAULT, "but not be written");
	ok(vm_step(vm, VM_NOWHERE + 6) == RV64_STOP_FAULT &&
	   vm->cpu.stop.access == RV64_ACCESS_EXEC && vm->cpu.stop.pc == VM_NOWHERE + 6 &&
	   vm->cpu.stop.tval == VM_NOWHERE + 6, "execution nowhere");
	ok(vm_step(vm, VM_MMIO) == RV64_STOP_FAULT && vm->cpu.stop.code == RV64_XLATE_MMIO,
	   "execution of MMIO");
}

static void test_mmio(struct vm *vm)
{
	bool reads = true, writes = true;

	for (int f3 = 0; f3 < 7; f3++) {
		unsigned int bits = 8u << (f3 & 3);
		uint64_t at = emit(vm, I(0x03, f3, 10, 11, 16)), want;

		vm->mmio_val = 0x8899aabbccddeeff;
		want = vm->mmio_val << (64 - bits);
		want = f3 & 4 ? want >> (64 - bits) : (uint64_t)((int64_t)want >> (64 - bits));
		vm->cpu.x[11] = VM_MMIO;
		vm_step(vm, at);
		reads = reads && vm->cpu.x[10] == want && vm->mmio_addr == VM_MMIO + 16 &&
			vm->mmio_size == bits / 8;
	}
	ok(reads && vm->mmio_reads == 7, "MMIO reads of each size, once each");
	for (int f3 = 0; f3 < 4; f3++) {
		uint64_t at = emit(vm, S(0x23, f3, 11, 12, 24));
		uint64_t mask = f3 == 3 ? ~0ull : (1ull << (8u << f3)) - 1;

		vm->cpu.x[12] = 0xfedcba9876543210;
		vm_step(vm, at);
		writes = writes && vm->mmio_val == (vm->cpu.x[12] & mask) &&
			 vm->mmio_addr == VM_MMIO + 24 && vm->mmio_size == 1u << f3;
	}
	ok(writes && vm->mmio_writes == 4, "MMIO writes of each size, once each");

	vm->here += 64;
	uint64_t lw = emit(vm, LW(10, 11, 2)), sw = emit(vm, SW(10, 11, 4));

	ok(vm_step(vm, lw) == RV64_STOP_MISALIGNED && vm->cpu.stop.tval == VM_MMIO + 2 &&
	   vm->cpu.stop.access == RV64_ACCESS_READ && vm->mmio_reads == 7,
	   "misaligned MMIO is refused");
	vm->mmio_ret = -7;
	ok(vm_step(vm, sw) == RV64_STOP_FAULT && vm->cpu.stop.code == -7 &&
	   vm->cpu.stop.tval == VM_MMIO + 4, "an MMIO fault passes its code");
	vm->mmio_ret = 0;
}

static void test_tlb(struct vm *vm)
{
	uint64_t lw = emit(vm, LW(10, 11, 0));
	unsigned int before;

	vm_step(vm, lw);
	vm->cpu.x[11] = VM_DATA;
	vm_step(vm, lw);
	before = vm->translations;
	vm->cpu.x[11] = VM_DATA + 64;
	vm_step(vm, lw);
	ok(vm->translations == before, "a page is translated once");
	rv64_tlb_flush(&vm->cpu);
	vm_step(vm, lw);
	ok(vm->translations == before + 2, "and again, code and data, after rv64_tlb_flush()");
	rv64_tlb_forget(&vm->cpu, VM_DATA + 8);
	vm_step(vm, lw);
	ok(vm->translations == before + 3, "and data alone after rv64_tlb_forget()");
}

/* A four-byte instruction that begins in the last two bytes of a page, of each kind */
static void test_straddle(struct vm *vm)
{
	uint64_t at = VM_CODE + 5 * PAGE - 2;

	vm->here = at;
	emit(vm, ADDI(10, 10, 5));
	emit(vm, ECALL);
	vm->cpu.x[10] = 1;
	vm->cpu.pc = at;
	ok(rv64_run(&vm->cpu, 10) == RV64_STOP_ECALL && vm->cpu.x[10] == 6 &&
	   vm->cpu.stop.pc == at + 4, "an addi across pages");

	vm->here = at;
	emit(vm, JAL(1, -2));
	rv64_flush_code(&vm->cpu);
	ok(vm_step(vm, at) == RV64_STOP_BUDGET && vm->cpu.pc == at - 2 && vm->cpu.x[1] == at + 4,
	   "a jal across pages");

	vm->here = at;
	emit(vm, BEQ(0, 0, 8));
	rv64_flush_code(&vm->cpu);
	vm_step(vm, at);
	ok(vm->cpu.pc == at + 8, "a branch across pages");

	vm->here = at;
	emit(vm, AUIPC(10, 0x1000));
	rv64_flush_code(&vm->cpu);
	vm_step(vm, at);
	ok(vm->cpu.x[10] == at + 0x1000, "an auipc across pages");

	vm->here = at;
	emit(vm, LW(10, 11, 0));
	rv64_flush_code(&vm->cpu);
	vm->cpu.x[11] = VM_NOWHERE;
	ok(vm_step(vm, at) == RV64_STOP_FAULT && vm->cpu.stop.pc == at && vm->cpu.pc == at,
	   "a faulting load across pages");

	vm->here = VM_RAM_BASE + VM_RAM_SIZE - 2;
	memcpy(vm_ptr(vm, vm->here), &(uint16_t){ 0x0513 }, 2);
	ok(vm_step(vm, vm->here) == RV64_STOP_FAULT && vm->cpu.stop.pc == vm->here &&
	   vm->cpu.stop.tval == vm->here + 2 && vm->cpu.stop.access == RV64_ACCESS_EXEC,
	   "its second half is missing: pc is the instruction, tval the half");
}

/* Falling and looping through many pages, more than are kept decoded */
static void test_pages(void)
{
	struct rv64_ops ops = vm_default_ops;
	struct vm *vm = calloc(1, sizeof(*vm));
	struct rv64_config cfg = { .ops = &ops, .opaque = vm, .code_pages = 2 };
	const unsigned int pages = 20;
	uint64_t end;

	vm->ram = aligned_alloc(PAGE, VM_RAM_SIZE);
	rv64_init(&vm->cpu, &cfg);
	vm->here = VM_CODE;
	while (vm->here < VM_CODE + pages * PAGE - 2)
		emit(vm, 0x0505);	/* c.addi a0, 1 */
	end = emit(vm, JAL(0, -(int)(pages * PAGE - 2)));
	vm->cpu.pc = VM_CODE;
	ok(rv64_run(&vm->cpu, 3 * (end - VM_CODE + 2) / 2) == RV64_STOP_BUDGET &&
	   vm->cpu.pc == VM_CODE && vm->cpu.x[10] == 3 * (end - VM_CODE) / 2,
	   "a loop over %u pages with two kept, the jump across two of them", pages);
	vm_free(vm);
}

static void test_new_code(struct vm *vm)
{
	uint64_t at, patch;

	vm->here = VM_CODE + 8 * PAGE;
	at = emit(vm, ADDI(10, 0, 1));
	vm_step(vm, at);
	vm->here = at;
	emit(vm, ADDI(10, 0, 2));
	rv64_flush_code(&vm->cpu);
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 2, "new code runs after rv64_flush_code()");

	vm->here = at;
	emit(vm, ADDI(10, 0, 5));
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 2, "and not without");
	rv64_check_code(&vm->cpu);
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 5, "it runs after rv64_check_code()");
	rv64_check_code(&vm->cpu);
	vm_step(vm, at);
	ok(vm->cpu.x[10] == 5, "as does old code");

	/* The program patches itself: sw, fence.i, and the patched instruction. */
	at = vm->here;
	patch = at + 12;
	emit(vm, 0x00000013);
	emit(vm, SW(12, 11, 0));
	emit(vm, FENCE_I);
	emit(vm, ADDI(10, 0, 3));
	emit(vm, ECALL);
	rv64_flush_code(&vm->cpu);
	vm_step(vm, patch);
	vm->cpu.x[11] = patch;
	vm->cpu.x[12] = ADDI(10, 0, 4);
	vm->cpu.pc = at;
	ok(rv64_run(&vm->cpu, 10) == RV64_STOP_ECALL && vm->cpu.x[10] == 4,
	   "new code runs after fence.i");
}

/* Pairs are executed together: if one changes, so does what the other is executed with. */
static void test_new_pair(struct vm *vm)
{
	uint64_t at, branch;

	vm->here = VM_CODE + 9 * PAGE;
	at = emit(vm, ADDI(10, 10, 1));
	branch = emit(vm, BNE(10, 0, 0x100));
	vm->cpu.pc = at;
	rv64_run(&vm->cpu, 2);
	ok(vm->cpu.pc == branch + 0x100, "a branch behind an addition");

	vm->here = branch;
	emit(vm, ADDI(11, 11, 0x7f1));
	vm->cpu.x[11] = 1;
	vm_step(vm, branch);
	ok(vm->cpu.x[11] == 0x7f2, "new code that is reached by itself");
	vm->cpu.pc = at;
	rv64_run(&vm->cpu, 2);
	ok(vm->cpu.pc == branch + 4 && vm->cpu.x[11] == 0xfe3, "and behind the addition");

	vm->here = branch;
	emit(vm, BNE(10, 0, 0x200));
	vm->here = at;
	emit(vm, ADDI(10, 10, 3));
	rv64_check_code(&vm->cpu);
	vm_step(vm, branch);
	vm->here = branch;
	emit(vm, ADDI(11, 11, 0x7f1));
	vm->cpu.x[11] = 1;
	vm->cpu.pc = at;
	rv64_run(&vm->cpu, 2);
	ok(vm->cpu.pc == branch + 4 && vm->cpu.x[11] == 0x7f2,
	   "an addition that is reached after what is behind it has changed");
}

int main(void)
{
	struct vm *vm = vm_new(0);

	test_misaligned(vm);
	test_cross_faults(vm);
	test_faults(vm);
	test_mmio(vm);
	test_tlb(vm);
	test_straddle(vm);
	test_new_code(vm);
	test_new_pair(vm);
	vm_free(vm);
	test_pages();
	return tap_done();
}

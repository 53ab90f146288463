// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The A extension: results, faults, and atomicity between harts on threads of their own.
 */
#include <pthread.h>

#include "rv64_vm.h"
#include "tap.h"

#define LR	0x02
#define SC	0x03
#define ROUNDS	20000

struct amo {
	const char *name;
	uint32_t funct5;
};

static const struct amo amos[] = {
	{ "amoadd", 0x00 }, { "amoswap", 0x01 }, { "amoxor", 0x04 }, { "amoor", 0x08 },
	{ "amoand", 0x0c }, { "amomin", 0x10 }, { "amomax", 0x14 }, { "amominu", 0x18 },
	{ "amomaxu", 0x1c },
};

static uint64_t reference(uint32_t f5, bool word, uint64_t old, uint64_t val)
{
	int64_t so = word ? (int32_t)old : (int64_t)old, sv = word ? (int32_t)val : (int64_t)val;
	uint64_t uo = word ? (uint32_t)old : old, uv = word ? (uint32_t)val : val;

	switch (f5) {
	case 0x00: return old + val;
	case 0x01: return val;
	case 0x04: return old ^ val;
	case 0x08: return old | val;
	case 0x0c: return old & val;
	case 0x10: return so < sv ? old : val;
	case 0x14: return so > sv ? old : val;
	case 0x18: return uo < uv ? old : val;
	default: return uo > uv ? old : val;
	}
}

static void test_results(struct vm *vm)
{
	static const uint64_t v[] = {
		0, 1, ~0ull, 0x7fffffff, 0x80000000, 1ull << 63, ~0ull >> 1, 0x123456789abcdef0,
		0xffffffff00000000, 0x80000000ffffffff,
	};
	const size_t nr = sizeof(v) / sizeof(v[0]);

	for (size_t n = 0; n < sizeof(amos) / sizeof(amos[0]); n++) {
		for (int word = 0; word < 2; word++) {
			uint64_t at = emit(vm, AMO(amos[n].funct5, word ? 2 : 3, 10, 11, 12));
			uint64_t same = emit(vm, AMO(amos[n].funct5, word ? 2 : 3, 12, 11, 12));
			bool good = true;

			for (size_t i = 0; i < nr * nr; i++) {
				uint64_t old = v[i / nr], val = v[i % nr], ret = old, want;

				want = reference(amos[n].funct5, word, old, val);
				if (word) {
					want = (want & 0xffffffff) | (old & ~0xffffffffull);
					ret = (uint64_t)(int64_t)(int32_t)old;
				}
				for (int k = 0; k < 2; k++) {
					vm_write64(vm, VM_DATA, old);
					vm->cpu.x[11] = VM_DATA;
					vm->cpu.x[12] = val;
					vm_step(vm, k ? same : at);
					good = good && vm_read64(vm, VM_DATA) == want &&
					       vm->cpu.x[k ? 12 : 10] == ret;
				}
			}
			ok(good, "%s.%c", amos[n].name, word ? 'w' : 'd');
		}
	}
}

static void test_lr_sc(struct vm *vm)
{
	uint64_t lr = emit(vm, AMO(LR, 3, 10, 11, 0)), sc = emit(vm, AMO(SC, 3, 13, 11, 12));
	uint64_t lr_w = emit(vm, AMO(LR, 2, 10, 11, 0)), sc_w = emit(vm, AMO(SC, 2, 13, 11, 12));

	vm->cpu.x[11] = VM_DATA;
	vm->cpu.x[12] = 77;
	vm_write64(vm, VM_DATA, 5);
	vm_step(vm, lr);
	vm_step(vm, sc);
	ok(vm->cpu.x[10] == 5 && vm->cpu.x[13] == 0 && vm_read64(vm, VM_DATA) == 77,
	   "sc.d after lr.d stores");
	vm->cpu.x[12] = 78;
	vm_step(vm, sc);
	ok(vm->cpu.x[13] == 1 && vm_read64(vm, VM_DATA) == 77, "sc.d alone fails");

	vm_step(vm, lr);
	vm_write64(vm, VM_DATA, 6);
	vm_step(vm, sc);
	ok(vm->cpu.x[13] == 1 && vm_read64(vm, VM_DATA) == 6, "sc.d fails if memory has changed");

	vm_step(vm, lr);
	vm->cpu.x[11] = VM_DATA + 8;
	vm_step(vm, sc);
	ok(vm->cpu.x[13] == 1, "sc.d fails at another address");
	vm->cpu.x[11] = VM_DATA;
	vm_step(vm, sc);
	ok(vm->cpu.x[13] == 1, "a failed sc.d ends the reservation");

	vm_step(vm, lr);
	vm_step(vm, sc_w);
	ok(vm->cpu.x[13] == 1, "sc.w does not go with lr.d");

	vm_write64(vm, VM_DATA, 0x1111111180000000);
	vm_step(vm, lr_w);
	vm_step(vm, sc_w);
	ok(vm->cpu.x[10] == 0xffffffff80000000 && vm->cpu.x[13] == 0 &&
	   vm_read64(vm, VM_DATA) == 0x111111110000004e, "lr.w sign-extends, sc.w stores a word");
}

static void test_faults(struct vm *vm)
{
	uint64_t add = emit(vm, AMO(0, 3, 10, 11, 12)), lr = emit(vm, AMO(LR, 2, 10, 11, 0));

	vm->cpu.x[11] = VM_DATA + 4;
	ok(vm_step(vm, add) == RV64_STOP_MISALIGNED && vm->cpu.stop.tval == VM_DATA + 4 &&
	   vm->cpu.stop.access == RV64_ACCESS_WRITE, "a misaligned amo");
	vm->cpu.x[11] = VM_DATA + 2;
	ok(vm_step(vm, lr) == RV64_STOP_MISALIGNED && vm->cpu.stop.access == RV64_ACCESS_READ,
	   "a misaligned lr");
	vm->cpu.x[11] = VM_NOWHERE;
	ok(vm_step(vm, add) == RV64_STOP_FAULT && vm->cpu.stop.code == VM_FAULT_CODE &&
	   vm->cpu.stop.access == RV64_ACCESS_WRITE, "an amo nowhere");
	vm->cpu.x[11] = VM_ROM;
	ok(vm_step(vm, add) == RV64_STOP_FAULT && vm->cpu.stop.tval == VM_ROM &&
	   vm->cpu.stop.pc == add, "an amo to what is not writable");
	ok(vm_step(vm, lr) == RV64_STOP_BUDGET, "lr from there");
	vm->cpu.x[11] = VM_MMIO;
	ok(vm_step(vm, add) == RV64_STOP_FAULT && vm->cpu.stop.code == RV64_XLATE_MMIO,
	   "an amo to MMIO");
}

static void *run_thread(void *arg)
{
	struct vm *vm = arg;

	rv64_run(&vm->cpu, ~0ull);
	return NULL;
}

/*
 * Harts of two threads on one memory: one counter by amoadd.d, one by lr.w and sc.w, and a plain
 * one under a lock of amoswap.w.
 */
static void test_threads(void)
{
	static const uint32_t program[] = {
		AMO(0x00, 3, 0, 11, 14),	/* 0: amoadd.d (x11), 1 */
		AMO(LR, 2, 15, 12, 0),		/* 4: lr.w */
		ADDI(15, 15, 1),
		AMO(SC, 2, 16, 12, 15),		/* 12: sc.w */
		BNE(16, 0, -12),
		AMO(0x01, 2, 16, 13, 14),	/* 20: lock */
		BNE(16, 0, -4),
		0x0ff0000f,			/* fence */
		LD(17, 13, 8),
		ADDI(17, 17, 1),
		SD(17, 13, 8),
		0x0310000f,			/* fence rw, w */
		SW(0, 13, 0),
		ADDI(10, 10, -1),
		BNE(10, 0, -56),
		ECALL,
	};
	struct vm *vm[2] = { vm_new(0), vm_new(0) };
	pthread_t thread[2];
	uint8_t *own;

	own = vm[1]->ram;
	vm[1]->ram = vm[0]->ram;
	for (size_t i = 0; i < sizeof(program) / sizeof(program[0]); i++)
		emit(vm[0], program[i]);
	for (int i = 0; i < 2; i++) {
		vm[i]->cpu.x[10] = ROUNDS;
		vm[i]->cpu.x[11] = VM_DATA;
		vm[i]->cpu.x[12] = VM_DATA + 8;
		vm[i]->cpu.x[13] = VM_DATA + 16;
		vm[i]->cpu.x[14] = 1;
		pthread_create(&thread[i], NULL, run_thread, vm[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ok(vm[0]->cpu.stop.reason == RV64_STOP_ECALL && vm[1]->cpu.stop.reason == RV64_STOP_ECALL,
	   "two harts ran to their end");
	ok(vm_read64(vm[0], VM_DATA) == 2 * ROUNDS, "no amoadd is lost");
	ok(vm_read64(vm[0], VM_DATA + 8) == 2 * ROUNDS, "no sc is lost");
	ok(vm_read64(vm[0], VM_DATA + 24) == 2 * ROUNDS, "a lock excludes");
	vm[1]->ram = own;
	vm_free(vm[0]);
	vm_free(vm[1]);
}

int main(void)
{
	struct vm *vm = vm_new(0);

	test_results(vm);
	test_lr_sc(vm);
	test_faults(vm);
	vm_free(vm);
	test_threads();
	return tap_done();
}

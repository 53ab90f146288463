// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interpreter against a naive one: all compressed encodings, random programs a step at a time
 * and in long runs, and random bytes with nothing to compare, which must only not crash.
 */
#include "rv64_ref.h"
#include "rv64_vm.h"
#include "tap.h"

#define TEXT_BYTES	0x10000	/* from VM_CODE on; may be executed */
#define PROGRAM_BYTES	0x3000	/* three pages, to have instructions across */

static enum ref_result result_of(enum rv64_stop stop)
{
	switch (stop) {
	case RV64_STOP_BUDGET:
		return REF_OK;
	case RV64_STOP_ECALL:
		return REF_ECALL;
	case RV64_STOP_EBREAK:
		return REF_EBREAK;
	case RV64_STOP_MISALIGNED:
		return REF_MISALIGNED;
	case RV64_STOP_FAULT:
		return REF_FAULT;
	default:
		return REF_ILLEGAL;
	}
}

/*
 * As the naive one has it: memory ends where the page begins that is not writable, and code is
 * apart from data, for there is no fence.i in random programs.
 */
static int flat_translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
			  unsigned int *flags)
{
	if (addr >= VM_ROM || (access == RV64_ACCESS_EXEC && addr >= VM_CODE + TEXT_BYTES))
		return VM_FAULT_CODE;
	return vm_translate(opaque, addr, access, page, flags);
}

static const struct rv64_ops flat_ops = { .translate = flat_translate };

static struct ref *ref_new(void)
{
	struct ref *r = calloc(1, sizeof(*r));

	r->base = VM_RAM_BASE;
	r->size = VM_RAM_SIZE - RV64_PAGE_SIZE;
	r->text = TEXT_BYTES;
	r->mem = calloc(1, r->size);
	return r;
}

static void ref_free(struct ref *r)
{
	free(r->mem);
	free(r);
}

static bool same(const struct vm *vm, const struct ref *r, enum rv64_stop stop,
		 enum ref_result res)
{
	bool good = result_of(stop) == res && vm->cpu.pc == r->pc &&
		    !memcmp(vm->cpu.x, r->x, sizeof(r->x));

	/* Of a misaligned access the naive one does not know which part is at fault. */
	if (good && res != REF_OK && res != REF_ECALL && res != REF_EBREAK)
		good = vm->cpu.stop.tval - r->tval < 8;
	return good;
}

static void explain(const struct vm *vm, const struct ref *r, uint64_t pc, enum rv64_stop stop,
		    enum ref_result res)
{
	uint32_t insn = 0;

	if (pc >= VM_RAM_BASE && pc < VM_RAM_BASE + VM_RAM_SIZE - 4)
		memcpy(&insn, vm->ram + (pc - VM_RAM_BASE), 4);
	printf("# at %llx insn %08x: %s, want %d; pc %llx, want %llx; tval %llx, want %llx\n",
	       (unsigned long long)pc, insn, rv64_stop_name(stop), res,
	       (unsigned long long)vm->cpu.pc, (unsigned long long)r->pc,
	       (unsigned long long)vm->cpu.stop.tval, (unsigned long long)r->tval);
	for (int i = 0; i < 32; i++)
		if (vm->cpu.x[i] != r->x[i])
			printf("# x%d %llx, want %llx\n", i, (unsigned long long)vm->cpu.x[i],
			       (unsigned long long)r->x[i]);
}

/* Registers: addresses in RAM, small numbers, and anything */
static void random_registers(struct vm *vm, struct ref *r, uint64_t *seed)
{
	vm->cpu.x[0] = 0;
	for (int i = 1; i < 32; i++) {
		uint64_t v = rnd(seed);

		switch (rnd(seed) % 4) {
		case 0:
			v %= 128;
			break;
		case 1:
		case 2:
			v = VM_DATA + v % 0x8000;
			v &= v >> 20 & 1 ? ~7ull : ~0ull;
			break;
		}
		vm->cpu.x[i] = v;
	}
	memcpy(r->x, vm->cpu.x, sizeof(r->x));
	r->lr_size = 0;
}

static void test_compressed(void)
{
	struct vm *vm = vm_new_ops(0, &flat_ops);
	struct ref *r = ref_new();
	uint64_t seed = 3;
	bool good = true;

	for (uint32_t c = 0; c < 0x10000 && good; c++) {
		enum rv64_stop stop;
		enum ref_result res;

		if ((c & 3) == 3)
			continue;
		for (int n = 0; n < 4 && good; n++) {
			vm->here = VM_CODE + (c >> 2) * 2 % 0x8000 + 0x1000;
			memcpy(r->mem + (vm->here - r->base), &c, 2);
			r->pc = vm->here;
			emit(vm, c);
			rv64_flush_code(&vm->cpu);
			random_registers(vm, r, &seed);
			stop = vm_step(vm, r->pc);
			res = ref_step(r);
			good = same(vm, r, stop, res);
			if (!good)
				explain(vm, r, vm->here - 2, stop, res);
		}
	}
	ok(good, "all compressed encodings");
	good = good && !memcmp(vm->ram, r->mem, r->size);
	ok(good, "and what they stored");
	ref_free(r);
	vm_free(vm);
}

/* Random, but mostly valid: an opcode that exists, and small branch distances */
static uint32_t random_insn(uint64_t *seed)
{
	static const uint8_t opcodes[] = {
		0x03, 0x13, 0x13, 0x1b, 0x17, 0x37, 0x23, 0x2f, 0x33, 0x33, 0x3b, 0x63, 0x67, 0x6f,
	};
	static const uint8_t f7s[] = { 0, 0, 0x20, 1, 1 };
	uint64_t v = rnd(seed);
	uint32_t insn = (uint32_t)(v >> 32), op = opcodes[v % sizeof(opcodes)];

	if (v >> 16 & 1)
		return (insn & 3) == 3 ? insn & ~2u : insn;	/* compressed */
	insn = (insn & ~0x7fu) | op;
	if (op == 0x33 || op == 0x3b)
		insn = (insn & 0x01ffffff) | (uint32_t)f7s[(v >> 8) % sizeof(f7s)] << 25;
	else if (op == 0x63)
		insn &= 0x8fffffff | insn << 1;
	else if (op == 0x6f)
		insn &= 0x801fffff | insn << 9;
	else if (op == 0x03 || op == 0x23)
		insn &= 0x0fffffff;
	return insn;
}

static void random_program(struct vm *vm, struct ref *r, uint64_t *seed)
{
	vm->here = VM_CODE;
	while (vm->here < VM_CODE + PROGRAM_BYTES)
		emit(vm, random_insn(seed));
	for (uint64_t a = VM_DATA; a < VM_DATA + 0x9000; a += 8)
		vm_write64(vm, a, rnd(seed));
	memcpy(r->mem, vm->ram, r->size);
	rv64_flush_code(&vm->cpu);
}

static bool in_program(uint64_t pc)
{
	return pc >= VM_CODE && pc < VM_CODE + PROGRAM_BYTES - 8;
}

/* Stores into code need a fence.i that random programs do not have. */
static bool code_changed(const struct vm *vm, const struct ref *r, const uint8_t *code)
{
	return memcmp(vm->ram, code, TEXT_BYTES) || memcmp(r->mem, code, TEXT_BYTES);
}

/* Run both for up to @chunk instructions at a time, from many places. */
static bool run_program(struct vm *vm, struct ref *r, uint64_t *seed, unsigned int chunk,
			uint64_t *count)
{
	static uint8_t code[TEXT_BYTES];

	memcpy(code, vm->ram, sizeof(code));
	for (int n = 0; n < 200; n++) {
		uint64_t pc = VM_CODE + rnd(seed) % (PROGRAM_BYTES / 2) * 2;

		random_registers(vm, r, seed);
		vm->cpu.pc = r->pc = pc;
		rv64_tlb_flush(&vm->cpu);
		vm->cpu.reserved = false;
		for (int k = 0; k < 40 && in_program(pc); k++) {
			uint64_t before = vm->cpu.instret, steps = 0;
			enum rv64_stop stop = rv64_run(&vm->cpu, chunk);
			enum ref_result res = REF_OK;

			while (steps < chunk && res == REF_OK) {
				res = ref_step(r);
				steps += res == REF_OK || res == REF_ECALL;
			}
			*count += steps;
			if (code_changed(vm, r, code))
				return true;
			if (!same(vm, r, stop, res) || vm->cpu.instret - before != steps) {
				explain(vm, r, pc, stop, res);
				return false;
			}
			if (res != REF_OK && res != REF_ECALL && ref_in(r, r->pc, 2))
				r->pc += (ref_get(r, r->pc, 2) & 3) == 3 ? 4 : 2;
			vm->cpu.pc = pc = r->pc;
		}
	}
	return !memcmp(vm->ram, r->mem, r->size);
}

static void test_programs(unsigned int chunk, int rounds)
{
	struct vm *vm = vm_new_ops(0, &flat_ops);
	struct ref *r = ref_new();
	uint64_t seed = chunk, count = 0;
	bool good = true;

	for (int i = 0; i < rounds && good; i++) {
		random_program(vm, r, &seed);
		good = run_program(vm, r, &seed, chunk, &count);
	}
	ok(good, "random programs, %u at a time", chunk);
	ok(count > (uint64_t)rounds * 1000, "they ran for %llu instructions",
	   (unsigned long long)count);
	ref_free(r);
	vm_free(vm);
}

static int any_custom(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	(void)opaque;
	cpu->x[insn->rd] += cpu->x[insn->rs1] ^ cpu->x[insn->rs3];
	return (insn->funct2 == 3) - (insn->funct3 == 7);
}

static void test_fuzz(unsigned int isa)
{
	struct rv64_ops ops = vm_default_ops;
	uint64_t seed = isa, runs = 0;
	struct vm *vm;

	ops.custom = any_custom;
	vm = vm_new_ops(isa, &ops);
	for (int round = 0; round < 60; round++) {
		for (uint64_t a = 0; a < VM_RAM_SIZE; a += 8) {
			uint64_t v = rnd(&seed);

			/* Random bytes are mostly compressed code; not in every other round. */
			memcpy(vm->ram + a, &(uint64_t){ round & 1 ? v | 0x300000003ull : v }, 8);
		}
		rv64_flush_code(&vm->cpu);
		for (int n = 0; n < 500; n++) {
			for (int i = 1; i < 32; i++)
				vm->cpu.x[i] = VM_RAM_BASE + rnd(&seed) % (2 * VM_RAM_SIZE);
			if (isa & RV64_ISA_M_MODE) {
				vm->cpu.csr.mtvec = rnd(&seed) % (2 * VM_RAM_SIZE);
				vm->cpu.csr.mie = rnd(&seed);
				rv64_set_irq(&vm->cpu, rnd(&seed) % 16, rnd(&seed) & 1);
			}
			vm->cpu.pc = VM_RAM_BASE + (rnd(&seed) % VM_RAM_SIZE & ~1ull);
			rv64_run(&vm->cpu, 200);
			runs++;
		}
	}
	ok(!vm->cpu.x[0] && !(vm->cpu.pc & 1), "random bytes, isa %u, %llu runs", isa,
	   (unsigned long long)runs);
	vm_free(vm);
}

int main(void)
{
	test_compressed();
	test_programs(1, 50);
	test_programs(2, 50);
	test_programs(7, 50);
	test_programs(1000, 200);
	test_fuzz(0);
	test_fuzz(RV64_ISA_FD);
	test_fuzz(RV64_ISA_M_MODE);
	test_fuzz(RV64_ISA_M_MODE | RV64_ISA_FD);
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every instruction of RV64I and M that computes, on all pairs of edge values, against an
 * expression of what it should give.
 */
#include "rv64_vm.h"
#include "tap.h"

typedef __int128 i128;
typedef unsigned __int128 u128;

static const uint64_t values[] = {
	0, 1, 2, 3, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x7ff, 0x800, 0xffff,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x123456789abcdef0,
	0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
	0xffffffff80000000, 0xffffffff7fffffff, 0xfffffffffffffffe, 0xffffffffffffffff,
	0xdeadbeefcafebabe, 0xfffffffffffff800,
};

#define NR_VALUES	(sizeof(values) / sizeof(values[0]))

struct reg_insn {
	const char *name;
	uint32_t opcode, f3, f7;
	uint64_t (*ref)(uint64_t a, uint64_t b);
};

#define REF(name, expr)	\
	static uint64_t ref_##name(uint64_t a, uint64_t b) { (void)b; return (uint64_t)(expr); }

static int64_t w(uint64_t v)
{
	return (int64_t)(v << 32) >> 32;
}

REF(add, a + b)
REF(sub, a - b)
REF(sll, a << b % 64)
REF(slt, (int64_t)a < (int64_t)b ? 1 : 0)
REF(sltu, a < b ? 1 : 0)
REF(xor, a ^ b)
REF(srl, a >> b % 64)
REF(sra, (i128)(int64_t)a >> b % 64)
REF(or, a | b)
REF(and, a & b)
REF(addw, w(a + b))
REF(subw, w(a - b))
REF(sllw, w(a << b % 32))
REF(srlw, w((a & 0xffffffff) >> b % 32))
REF(sraw, w(a) >> b % 32)
REF(mul, (u128)a * b)
REF(mulh, ((i128)(int64_t)a * (i128)(int64_t)b) >> 64)
REF(mulhsu, ((i128)(int64_t)a * (i128)(u128)b) >> 64)
REF(mulhu, ((u128)a * b) >> 64)
REF(div, b ? (i128)(int64_t)a / (i128)(int64_t)b : -1)
REF(divu, b ? a / b : ~0ull)
REF(rem, b ? (i128)(int64_t)a % (i128)(int64_t)b : (i128)(int64_t)a)
REF(remu, b ? a % b : a)
REF(mulw, w(a * b))
REF(divw, w(b) ? w(w(a) / w(b)) : -1)
REF(divuw, (uint32_t)b ? w((uint32_t)a / (uint32_t)b) : -1)
REF(remw, w(b) ? w(w(a) % w(b)) : w(a))
REF(remuw, (uint32_t)b ? w((uint32_t)a % (uint32_t)b) : w(a))

static const struct reg_insn reg_insns[] = {
	{ "add", 0x33, 0, 0, ref_add }, { "sub", 0x33, 0, 0x20, ref_sub },
	{ "sll", 0x33, 1, 0, ref_sll }, { "slt", 0x33, 2, 0, ref_slt },
	{ "sltu", 0x33, 3, 0, ref_sltu }, { "xor", 0x33, 4, 0, ref_xor },
	{ "srl", 0x33, 5, 0, ref_srl }, { "sra", 0x33, 5, 0x20, ref_sra },
	{ "or", 0x33, 6, 0, ref_or }, { "and", 0x33, 7, 0, ref_and },
	{ "addw", 0x3b, 0, 0, ref_addw }, { "subw", 0x3b, 0, 0x20, ref_subw },
	{ "sllw", 0x3b, 1, 0, ref_sllw }, { "srlw", 0x3b, 5, 0, ref_srlw },
	{ "sraw", 0x3b, 5, 0x20, ref_sraw },
	{ "mul", 0x33, 0, 1, ref_mul }, { "mulh", 0x33, 1, 1, ref_mulh },
	{ "mulhsu", 0x33, 2, 1, ref_mulhsu }, { "mulhu", 0x33, 3, 1, ref_mulhu },
	{ "div", 0x33, 4, 1, ref_div }, { "divu", 0x33, 5, 1, ref_divu },
	{ "rem", 0x33, 6, 1, ref_rem }, { "remu", 0x33, 7, 1, ref_remu },
	{ "mulw", 0x3b, 0, 1, ref_mulw }, { "divw", 0x3b, 4, 1, ref_divw },
	{ "divuw", 0x3b, 5, 1, ref_divuw }, { "remw", 0x3b, 6, 1, ref_remw },
	{ "remuw", 0x3b, 7, 1, ref_remuw },
};

/* rd of its own, rd = rs1, rd = rs2, and x0 */
static bool check_pair(struct vm *vm, const struct reg_insn *in, uint64_t at[4], uint64_t a,
		       uint64_t b)
{
	static const int rds[4] = { 10, 11, 12, 0 };
	uint64_t want = in->ref(a, b);

	for (int i = 0; i < 4; i++) {
		vm->cpu.x[10] = 0x5555;
		vm->cpu.x[11] = a;
		vm->cpu.x[12] = b;
		vm_step(vm, at[i]);
		if (vm->cpu.x[rds[i]] != (rds[i] ? want : 0) || vm->cpu.pc != at[i] + 4) {
			printf("# a %llx b %llx rd %d: %llx, want %llx\n", (unsigned long long)a,
			       (unsigned long long)b, rds[i],
			       (unsigned long long)vm->cpu.x[rds[i]], (unsigned long long)want);
			return false;
		}
	}
	return true;
}

static void test_reg(struct vm *vm)
{
	for (size_t n = 0; n < sizeof(reg_insns) / sizeof(reg_insns[0]); n++) {
		const struct reg_insn *in = &reg_insns[n];
		uint64_t at[4], seed = n;
		bool good = true;

		at[0] = emit(vm, R(in->opcode, in->f3, in->f7, 10, 11, 12));
		at[1] = emit(vm, R(in->opcode, in->f3, in->f7, 11, 11, 12));
		at[2] = emit(vm, R(in->opcode, in->f3, in->f7, 12, 11, 12));
		at[3] = emit(vm, R(in->opcode, in->f3, in->f7, 0, 11, 12));
		for (size_t i = 0; i < NR_VALUES * NR_VALUES && good; i++)
			good = check_pair(vm, in, at, values[i / NR_VALUES], values[i % NR_VALUES]);
		for (int i = 0; i < 1000 && good; i++)
			good = check_pair(vm, in, at, rnd(&seed), rnd(&seed));
		ok(good, "%s", in->name);
	}
}

struct imm_insn {
	const char *name;
	uint32_t opcode, f3;
	int bits;		/* of a shift amount; 0 for a 12-bit immediate */
	uint32_t high;		/* bits above a shift amount */
	uint64_t (*ref)(uint64_t a, uint64_t b);
};

static const struct imm_insn imm_insns[] = {
	{ "addi", 0x13, 0, 0, 0, ref_add }, { "slti", 0x13, 2, 0, 0, ref_slt },
	{ "sltiu", 0x13, 3, 0, 0, ref_sltu }, { "xori", 0x13, 4, 0, 0, ref_xor },
	{ "ori", 0x13, 6, 0, 0, ref_or }, { "andi", 0x13, 7, 0, 0, ref_and },
	{ "addiw", 0x1b, 0, 0, 0, ref_addw }, { "slli", 0x13, 1, 6, 0, ref_sll },
	{ "srli", 0x13, 5, 6, 0, ref_srl }, { "srai", 0x13, 5, 6, 0x400, ref_sra },
	{ "slliw", 0x1b, 1, 5, 0, ref_sllw }, { "srliw", 0x1b, 5, 5, 0, ref_srlw },
	{ "sraiw", 0x1b, 5, 5, 0x400, ref_sraw },
};

static bool check_imm(struct vm *vm, const struct imm_insn *in, int imm)
{
	uint32_t field = (uint32_t)imm | in->high;
	uint64_t at = emit(vm, I(in->opcode, in->f3, 10, 11, field));
	uint64_t same = emit(vm, I(in->opcode, in->f3, 11, 11, field));
	uint64_t none = emit(vm, I(in->opcode, in->f3, 0, 11, field));
	uint64_t zero = emit(vm, I(in->opcode, in->f3, 10, 0, field));

	for (size_t i = 0; i < NR_VALUES; i++) {
		uint64_t want = in->ref(values[i], (uint64_t)(int64_t)imm);

		vm->cpu.x[11] = values[i];
		vm_step(vm, none);
		vm_step(vm, at);
		if (vm->cpu.x[10] != want || vm->cpu.x[0])
			return false;
		vm_step(vm, same);
		if (vm->cpu.x[11] != want)
			return false;
	}
	vm_step(vm, zero);
	return vm->cpu.x[10] == in->ref(0, (uint64_t)(int64_t)imm);
}

static void test_imm(struct vm *vm)
{
	static const int imms[] = { 0, 1, -1, 2, 31, 32, 255, -256, 1023, 2047, -2048, -2047 };

	for (size_t n = 0; n < sizeof(imm_insns) / sizeof(imm_insns[0]); n++) {
		const struct imm_insn *in = &imm_insns[n];
		bool good = true;

		for (size_t i = 0; !in->bits && i < sizeof(imms) / sizeof(imms[0]); i++)
			good = good && check_imm(vm, in, imms[i]);
		for (int i = 0; i < 1 << in->bits && in->bits; i++)
			good = good && check_imm(vm, in, i);
		ok(good, "%s", in->name);
	}
}

static void test_upper(struct vm *vm)
{
	static const uint32_t imms[] = { 0, 0x1000, 0x7ffff000, 0x80000000, 0xfffff000 };
	bool lui = true, auipc = true;

	for (size_t i = 0; i < sizeof(imms) / sizeof(imms[0]); i++) {
		uint64_t a = emit(vm, LUI(10, imms[i])), b = emit(vm, AUIPC(11, imms[i]));
		uint64_t c = emit(vm, LUI(0, imms[i]));

		vm_step(vm, a);
		vm_step(vm, b);
		vm_step(vm, c);
		lui = lui && vm->cpu.x[10] == (uint64_t)(int64_t)(int32_t)imms[i] && !vm->cpu.x[0];
		auipc = auipc && vm->cpu.x[11] == b + (uint64_t)(int64_t)(int32_t)imms[i];
	}
	ok(lui, "lui");
	ok(auipc, "auipc");
}

static void test_branches(struct vm *vm)
{
	static const char *const names[8] = { "beq", "bne", 0, 0, "blt", "bge", "bltu", "bgeu" };
	/* Within the page, out of it, both ways; the largest distances */
	static const int offsets[] = { 8, -8, 2046, -2048, 4094, -4096 };

	for (int f3 = 0; f3 < 8; f3++) {
		bool good = true;

		if (!names[f3])
			continue;
		for (size_t o = 0; o < 6; o++) {
			uint64_t at;

			vm->here += 4096;
			at = emit(vm, B(f3, 11, 12, offsets[o]));
			for (size_t i = 0; i < NR_VALUES * NR_VALUES; i++) {
				uint64_t a = values[i / NR_VALUES], b = values[i % NR_VALUES];
				bool less = f3 & 2 ? a < b : (int64_t)a < (int64_t)b;
				bool take = (f3 & 4 ? less : a == b) != (f3 & 1);

				vm->cpu.x[11] = a;
				vm->cpu.x[12] = b;
				vm_step(vm, at);
				good = good && vm->cpu.pc == at + (take ? offsets[o] : 4);
			}
		}
		ok(good, "%s", names[f3]);
		vm->here -= 6 * 4096;
	}
}

static void test_jumps(struct vm *vm)
{
	static const int offsets[] = { 4, -4, 2, 0x7fe, 0xffffe, -0x100000, 0 };
	bool good = true;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		uint64_t link = emit(vm, JAL(1, offsets[i])), plain = emit(vm, JAL(0, offsets[i]));

		vm_step(vm, link);
		good = good && vm->cpu.pc == link + offsets[i] && vm->cpu.x[1] == link + 4;
		vm_step(vm, plain);
		good = good && vm->cpu.pc == plain + offsets[i] && !vm->cpu.x[0];
	}
	ok(good, "jal");

	good = true;
	for (size_t i = 0; i < NR_VALUES; i++) {
		uint64_t a = emit(vm, JALR(1, 11, -5)), b = emit(vm, JALR(11, 11, 2047));

		vm->cpu.x[11] = values[i];
		vm_step(vm, a);
		good = good && vm->cpu.pc == ((values[i] - 5) & ~1ull) && vm->cpu.x[1] == a + 4;
		vm_step(vm, b);
		good = good && vm->cpu.pc == ((values[i] + 2047) & ~1ull) && vm->cpu.x[11] == b + 4;
	}
	ok(good, "jalr, also with rd = rs1");
}

static void test_loads_stores(struct vm *vm)
{
	static const char *const loads[] = { "lb", "lh", "lw", "ld", "lbu", "lhu", "lwu" };
	static const char *const stores[] = { "sb", "sh", "sw", "sd" };
	const uint64_t pattern = 0x8899aabbccddeeff;

	for (int f3 = 0; f3 < 7; f3++) {
		unsigned int bits = 8u << (f3 & 3);
		uint64_t at = emit(vm, I(0x03, f3, 10, 11, -8));
		bool good = true;

		for (int o = 0; o < 8; o++) {
			uint64_t raw, want;

			vm_write64(vm, VM_DATA, pattern);
			vm_write64(vm, VM_DATA + 8, ~pattern);
			memcpy(&raw, (uint8_t *)vm_ptr(vm, VM_DATA) + o, 8);
			raw <<= 64 - bits;
			want = f3 & 4 ? raw >> (64 - bits) :
					(uint64_t)((int64_t)raw >> (64 - bits));
			vm->cpu.x[11] = VM_DATA + 8 + o;
			vm_step(vm, at);
			good = good && vm->cpu.x[10] == want;
		}
		ok(good, "%s, at every alignment", loads[f3]);
	}
	for (int f3 = 0; f3 < 4; f3++) {
		uint64_t at = emit(vm, S(0x23, f3, 11, 12, 2047));
		bool good = true;

		for (int o = 0; o < 8; o++) {
			uint8_t want[24];

			memset(want, 0x11, sizeof(want));
			memcpy(want + 4 + o, &pattern, 1u << f3);
			memset(vm_ptr(vm, VM_DATA), 0x11, sizeof(want));
			vm->cpu.x[11] = VM_DATA + 4 + o - 2047;
			vm->cpu.x[12] = pattern;
			vm_step(vm, at);
			good = good && !memcmp(vm_ptr(vm, VM_DATA), want, sizeof(want));
		}
		ok(good, "%s, at every alignment", stores[f3]);
	}
}

static void test_fences(struct vm *vm)
{
	uint64_t a = emit(vm, 0x0330000f), b = emit(vm, 0x0100000f), c = emit(vm, FENCE_I);

	vm_step(vm, a);
	ok(vm->cpu.pc == a + 4, "fence rw, rw");
	vm_step(vm, b);
	ok(vm->cpu.pc == b + 4, "pause");
	vm_step(vm, c);
	ok(vm->cpu.pc == c + 4, "fence.i");
}

/* Encodings that are not instructions stop, with their bits. */
static void test_illegal(struct vm *vm)
{
	static const uint32_t bad[] = {
		0x00000000, 0xffffffff, R(0x33, 1, 0x20, 1, 1, 1), R(0x33, 0, 2, 1, 1, 1),
		R(0x3b, 2, 0, 1, 1, 1), R(0x3b, 1, 1, 1, 1, 1), I(0x13, 1, 1, 1, 0x400),
		I(0x13, 5, 1, 1, 0x800), I(0x1b, 1, 1, 1, 32), I(0x1b, 5, 1, 1, 0x420),
		I(0x1b, 2, 1, 1, 0), I(0x03, 7, 1, 1, 0), S(0x23, 4, 1, 1, 0), B(2, 0, 0, 8),
		I(0x67, 1, 1, 1, 0), I(0x0f, 2, 0, 0, 0), AMO(0x02, 2, 1, 1, 1),
		AMO(0x05, 2, 1, 1, 1), AMO(0x00, 1, 1, 1, 1), I(0x73, 4, 1, 1, 0), MRET, WFI,
		0x0000001f, 0x0000003f, 0x0000007f, R(0x53, 0, 0x02, 1, 1, 1),
		CSRRS(1, 0x300, 0), CSRRWI(0, 0xc00, 1), R(0x0b, 0, 0, 1, 1, 1),
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t at = emit(vm, bad[i]);
		uint32_t bits = (bad[i] & 3) == 3 ? bad[i] : bad[i] & 0xffff;
		enum rv64_stop stop = vm_step(vm, at);

		if (stop != RV64_STOP_ILLEGAL || vm->cpu.stop.pc != at || vm->cpu.pc != at ||
		    vm->cpu.stop.tval != bits) {
			printf("# %08x: %s\n", bad[i], rv64_stop_name(stop));
			good = false;
		}
	}
	ok(good, "illegal encodings stop with pc and bits");
}

int main(void)
{
	struct vm *vm = vm_new(RV64_ISA_FD);

	test_reg(vm);
	test_imm(vm);
	test_upper(vm);
	vm->here = VM_CODE + 0x8000;
	rv64_flush_code(&vm->cpu);
	test_branches(vm);
	vm->here = VM_CODE + 0x18000;
	test_jumps(vm);
	test_loads_stores(vm);
	test_fences(vm);
	test_illegal(vm);
	vm_free(vm);
	return tap_done();
}

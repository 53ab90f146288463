// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interpreter's loop: threaded code over decoded ops.
 *
 * Handlers exist once for each instruction length, so that the way to the next op is a constant.
 * What is not worth a handler is a call that returns an enum rv64_status.
 */
#include "rv64_hostfp.h"
#include "rv64_internal.h"
#include "rv64_muldiv.h"

#define SLOTS_2		1	/* ops from an instruction of two bytes to the next */
#define SLOTS_4		2

/**
 * struct fused - a superinstruction
 * @first: of the pair
 * @second: of the pair
 * @labels: its handlers by the lengths of the two, NULL where there is no such form
 */
struct fused {
	enum rv64_op_id first, second;
	const void *labels[2][2];
};

static const void *const *op_labels[2];
static const struct fused *fused_pairs;
static unsigned int nr_fused_pairs;

/**
 * rv64_label() - the handler of an op
 * @id: which
 * @len: 2 or 4
 */
const void *rv64_label(enum rv64_op_id id, unsigned int len)
{
	return op_labels[len == 4][id];
}

static uint32_t attention(const struct rv64_cpu *cpu)
{
	return __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED);
}

/* See to what other threads asked for; true if the run is to end. */
static bool attend(struct rv64_cpu *cpu)
{
	uint32_t bits = __atomic_exchange_n(&cpu->attention, 0, __ATOMIC_ACQUIRE);

	if (bits & RV64_ATTN_FLUSH_TLB)
		rv64_tlb_drop(cpu);
	if (bits & RV64_ATTN_FLUSH_CODE)
		rv64_code_drop(cpu);
	if (bits & RV64_ATTN_CHECK_CODE)
		rv64_code_doubt(cpu);
	if (bits & RV64_ATTN_EXIT) {
		if (bits & RV64_ATTN_IRQ)
			__atomic_fetch_or(&cpu->attention, RV64_ATTN_IRQ, __ATOMIC_RELAXED);
		rv64_stopped(cpu, RV64_STOP_EXIT, 0, 0);
		return true;
	}
	if (bits & RV64_ATTN_IRQ)
		rv64_take_irq(cpu);
	return false;
}

static bool has_breakpoint(const struct rv64_cpu *cpu, uint64_t pc)
{
	const struct rv64_breakpoints *b = cpu->breakpoints;
	unsigned int i;

	for (i = 0; b && i < __atomic_load_n(&b->count, __ATOMIC_RELAXED); i++)
		if (b->pc[i] == pc)
			return true;
	return false;
}

static void decode_into(struct rv64_op *op, const struct rv64_insn *insn)
{
	*op = insn->op;
	op->fn = rv64_label(insn->id, insn->len);
}

/* Decode what begins at @slot of a page, its jumps being far; false if it does not end there. */
static bool decode_far(const struct rv64_cpu *cpu, const struct rv64_page *page, unsigned int slot,
		       struct rv64_insn *insn)
{
	uint32_t raw = page->code.halfwords[slot];

	if ((raw & 3) == 3) {
		if (slot == RV64_PAGE_SLOTS - 1)
			return false;
		raw |= (uint32_t)page->code.halfwords[slot + 1] << 16;
	}
	rv64_decode(raw, cpu->isa, insn);
	return true;
}

static bool decode_at(const struct rv64_cpu *cpu, const struct rv64_page *page, unsigned int slot,
		      struct rv64_insn *insn)
{
	if (!decode_far(cpu, page, slot, insn))
		return false;
	rv64_resolve_near(insn, slot * 2);
	return true;
}

static const void *fused_label(const struct rv64_insn *a, const struct rv64_insn *b)
{
	unsigned int i;

	for (i = 0; i < nr_fused_pairs; i++)
		if (fused_pairs[i].first == a->id && fused_pairs[i].second == b->id)
			return fused_pairs[i].labels[a->len == 4][b->len == 4];
	return NULL;
}

/*
 * Make the op at @slot one with the next if the two are a pair. The next gets its operands; its
 * handler is for whoever jumps to it, and is found then.
 */
static void fuse(const struct rv64_cpu *cpu, struct rv64_page *page, unsigned int slot,
		 uint64_t pc, const struct rv64_insn *insn)
{
	unsigned int next = slot + insn->len / 2;
	struct rv64_insn second;
	const void *label;

	if (next >= RV64_PAGE_SLOTS || has_breakpoint(cpu, pc + insn->len) ||
	    !decode_at(cpu, page, next, &second))
		return;
	label = fused_label(insn, &second);
	if (!label)
		return;
	if (page->ops[next].fn == rv64_label(RV64_OP_decode, 4)) {
		page->ops[next] = second.op;
		page->ops[next].fn = rv64_label(RV64_OP_decode, 4);
	}
	page->ops[slot].fn = label;
}

/* Decode the op at @slot of a page, which is at @pc. */
static void decode_slot(const struct rv64_cpu *cpu, struct rv64_page *page, unsigned int slot,
			uint64_t pc)
{
	struct rv64_insn insn;

	if (has_breakpoint(cpu, pc)) {
		page->ops[slot].fn = rv64_label(RV64_OP_breakpoint, 4);
		return;
	}
	rv64_code_renew(page, slot);
	if (!decode_at(cpu, page, slot, &insn)) {
		page->ops[slot].fn = rv64_label(RV64_OP_straddle, 4);
		return;
	}
	decode_into(&page->ops[slot], &insn);
	fuse(cpu, page, slot, pc, &insn);
}

/* Decode an instruction that crosses into the next page, to run it apart from either. */
static enum rv64_status decode_straddle(struct rv64_cpu *cpu, struct rv64_page *page,
					uint64_t pc, struct rv64_op *scratch)
{
	struct rv64_page *next;
	struct rv64_insn insn;
	enum rv64_status st;
	uint32_t raw;

	rv64_code_renew(page, RV64_PAGE_SLOTS - 1);
	raw = page->code.halfwords[RV64_PAGE_SLOTS - 1];
	st = rv64_code_find(cpu, pc + 2, &next);
	if (st)
		return st;
	rv64_code_renew(next, 0);
	raw |= (uint32_t)next->code.halfwords[0] << 16;
	rv64_decode(raw, cpu->isa, &insn);
	decode_into(&scratch[0], &insn);
	scratch[2].fn = rv64_label(RV64_OP_page_end, 4);
	return RV64_NEXT;
}

/* Operands of the current op */
#define RS1		(cpu->x[op->rs1])
#define RS2		(cpu->x[op->rs2])
#define IMM		((uint64_t)(int64_t)op->imm)

/* Slots are as many times larger than halfwords as pc_bias accounts for. */
#define PC()		(((uintptr_t)op >> 3) + pc_bias)
#define SET_BASE(ops, va) (pc_bias = (va) - ((uintptr_t)(ops) >> 3))

#define SYNC() do {						\
	cpu->pc = PC();						\
	cpu->instret = insn_end - left;				\
} while (0)

#define DISPATCH()	goto *op->fn

#define NEXT(slots) do {					\
	op += (slots);						\
	if (rv64_unlikely(!--left))				\
		goto out_of_budget;				\
	DISPATCH();						\
} while (0)

/* Go on after a call: fast if it went well and nobody wants anything. */
#define NEXT_AFTER(st, slots) do {				\
	if (rv64_unlikely((st) || attention(cpu))) {		\
		op += (slots);					\
		goto after_call;				\
	}							\
	NEXT(slots);						\
} while (0)

/* A near jump or branch is taken. */
#define TAKE_NEAR() do {					\
	op = (struct rv64_op *)((char *)op + (intptr_t)op->imm);	\
	if (rv64_unlikely(!--left))				\
		goto out_of_budget;				\
	if (rv64_unlikely(attention(cpu)))			\
		goto at_op;					\
	DISPATCH();						\
} while (0)

#define TAKE_FAR(addr) do {					\
	target = (addr);					\
	goto jump;						\
} while (0)

/* Handlers; _2 and _4 are made from one definition. */
#define ALU(name, len, expr)					\
L_##name##_##len:						\
	cpu->x[op->rd] = (uint64_t)(expr);				\
	NEXT(SLOTS_##len);

#define LOAD(name, len, rtype, mtype)				\
L_##name##_##len: {						\
	uint64_t addr = RS1 + IMM, val;				\
	const struct rv64_tlb_entry *e = &cpu->rtlb[TLB_INDEX(addr)];	\
								\
	if (rv64_likely(e->tag == TLB_TAG(addr, mtype))) {	\
		cpu->x[op->rd] = (uint64_t)(rtype)__atomic_load_n(	\
			(const mtype *)(e->page + PAGE_OFFSET(addr)),	\
			__ATOMIC_RELAXED);			\
		NEXT(SLOTS_##len);				\
	}							\
	SYNC();							\
	st = rv64_load(cpu, addr, sizeof(mtype), &val);		\
	if (!st)						\
		cpu->x[op->rd] = (uint64_t)(rtype)val;		\
	NEXT_AFTER(st, SLOTS_##len);				\
}

#define STORE_VALUE(name, len, mtype, value)			\
L_##name##_##len: {						\
	uint64_t addr = RS1 + IMM;				\
	const struct rv64_tlb_entry *e = &cpu->wtlb[TLB_INDEX(addr)];	\
								\
	if (rv64_likely(e->tag == TLB_TAG(addr, mtype))) {	\
		__atomic_store_n((mtype *)(e->page + PAGE_OFFSET(addr)),	\
				 (mtype)(value), __ATOMIC_RELAXED);	\
		NEXT(SLOTS_##len);				\
	}							\
	SYNC();							\
	st = rv64_store(cpu, addr, sizeof(mtype), (value));	\
	NEXT_AFTER(st, SLOTS_##len);				\
}

#define STORE(name, len, rtype, mtype)	STORE_VALUE(name, len, mtype, RS2)

#define FLOAD(name, len, mtype, box)				\
L_##name##_##len: {						\
	uint64_t addr = RS1 + IMM, val;				\
	const struct rv64_tlb_entry *e = &cpu->rtlb[TLB_INDEX(addr)];	\
								\
	if (rv64_likely(e->tag == TLB_TAG(addr, mtype))) {	\
		val = __atomic_load_n((const mtype *)(e->page + PAGE_OFFSET(addr)),	\
				      __ATOMIC_RELAXED);	\
		cpu->f[op->rd] = val | (box);			\
		NEXT(SLOTS_##len);				\
	}							\
	SYNC();							\
	st = rv64_load(cpu, addr, sizeof(mtype), &val);		\
	if (!st)						\
		cpu->f[op->rd] = val | (box);			\
	NEXT_AFTER(st, SLOTS_##len);				\
}

#define BRANCH(name, len, cond)					\
L_##name##_##len:						\
	if (cond)						\
		TAKE_NEAR();					\
	NEXT(SLOTS_##len);					\
L_##name##_far_##len:						\
	if (cond)						\
		TAKE_FAR(PC() + IMM);				\
	NEXT(SLOTS_##len);

/* The first half of a superinstruction; with a budget of one it is done by itself. */
#define FUSED_FIRST(a, la)					\
	if (rv64_unlikely(left == 1))				\
		goto L_##a##_##la;				\
	cpu->x[op->rd] = (uint64_t)(RV64_DO_##a);			\
	op += SLOTS_##la;					\
	left--;

#define FUSED_ALU(a, b, la, lb)					\
L_##a##_##b##_##la##lb:						\
	FUSED_FIRST(a, la)					\
	cpu->x[op->rd] = (uint64_t)(RV64_DO_##b);			\
	NEXT(SLOTS_##lb);

#define FUSED_BRANCH(a, b, la, lb)				\
L_##a##_##b##_##la##lb:						\
	FUSED_FIRST(a, la)					\
	if (RV64_IF_##b)					\
		TAKE_NEAR();					\
	NEXT(SLOTS_##lb);

#define CALL(name, len, call)					\
L_##name##_##len:						\
	SYNC();							\
	st = (call);						\
	NEXT_AFTER(st, SLOTS_##len);

#define ALU_2(name, expr)	ALU(name, 2, expr)
#define ALU_4(name, expr)	ALU(name, 4, expr)
#define LOAD_2(name, r, m)	LOAD(name, 2, r, m)
#define LOAD_4(name, r, m)	LOAD(name, 4, r, m)
#define STORE_2(name, r, m)	STORE(name, 2, r, m)
#define STORE_4(name, r, m)	STORE(name, 4, r, m)
#define BRANCH_2(name, cond)	BRANCH(name, 2, cond)
#define BRANCH_4(name, cond)	BRANCH(name, 4, cond)
#define FUSED_ALU_BOTH(a, b)						\
	FUSED_ALU(a, b, 2, 2) FUSED_ALU(a, b, 2, 4)			\
	FUSED_ALU(a, b, 4, 2) FUSED_ALU(a, b, 4, 4)
#define FUSED_ALU_LONG(a, b)						\
	FUSED_ALU(a, b, 4, 2) FUSED_ALU(a, b, 4, 4)
#define FUSED_BRANCH_BOTH(a, b)						\
	FUSED_BRANCH(a, b, 2, 2) FUSED_BRANCH(a, b, 2, 4)		\
	FUSED_BRANCH(a, b, 4, 2) FUSED_BRANCH(a, b, 4, 4)
#define FUSED_BRANCH_LONG(a, b)						\
	FUSED_BRANCH(a, b, 2, 4) FUSED_BRANCH(a, b, 4, 4)

#define TLB_INDEX(addr)		((addr) >> RV64_PAGE_SHIFT & (RV64_TLB_ENTRIES - 1))
#define TLB_TAG(addr, type)	((addr) & (RV64_PAGE_MASK | (sizeof(type) - 1)))
#define PAGE_OFFSET(addr)	((addr) & (RV64_PAGE_SIZE - 1))

/*
 * Inline floating point: operands in a valid form, rounded to nearest, and a result that raises
 * nothing new. @exact_zero: is a zero result exact for these operands?
 */
#define FP_ARITH(name, op_c, boxed, from, to, plain, box, exact_zero)	\
L_##name##_4: {							\
	uint64_t a = cpu->f[op->rs1], b = cpu->f[op->rs2], r;	\
								\
	if (rv64_likely((boxed) && !rv64_rounding(cpu, op->aux))) {	\
		r = to(from(a) op_c from(b));			\
		if (rv64_likely((plain(r) && rv64_nx_settled(cpu, r)) ||	\
				(!(r << 1) && (exact_zero)))) {	\
			cpu->f[op->rd] = r | (box);		\
			NEXT(SLOTS_4);				\
		}						\
		rv64_host_clear_exact();			\
	}							\
	SYNC();							\
	st = rv64_fp(cpu, (uint32_t)op->imm);			\
	NEXT_AFTER(st, SLOTS_4);				\
}

#define FP_ARITH_S(name, op_c, exact_zero)			\
	FP_ARITH(name, op_c, (a & b) >= RV64_BOX, rv64_to_float, rv64_from_float,	\
		 rv64_plain32, RV64_BOX, exact_zero)
#define FP_ARITH_D(name, op_c, exact_zero)			\
	FP_ARITH(name, op_c, true, rv64_to_double, rv64_from_double, rv64_plain64, 0, exact_zero)

/* Inline conversions: of integers that the format holds exactly, */
#define FP_FROM_INT(name, type, exact, from, box)		\
L_##name##_4: {							\
	type i = (type)RS1;					\
								\
	if (rv64_likely((exact) && !rv64_rounding(cpu, op->aux))) {	\
		cpu->f[op->rd] = from(i) | (box);		\
		NEXT(SLOTS_4);					\
	}							\
	SYNC();							\
	st = rv64_fp(cpu, (uint32_t)op->imm);			\
	NEXT_AFTER(st, SLOTS_4);				\
}

/* and toward zero of what is between @low and @high, where that is what C's conversion does. */
#define FP_TO_INT(name, ftype, to, boxed, low, high)		\
L_##name##_4: {							\
	uint64_t a = cpu->f[op->rs1];				\
	ftype v = to(a);					\
								\
	if (rv64_likely((boxed) && v < (high) && v > (low) &&	\
			rv64_rounding(cpu, op->aux) == RV64_RTZ)) {	\
		int64_t i = (int64_t)v;				\
								\
		if ((ftype)i != v)				\
			cpu->fcsr |= RV64_FFLAG_NX;		\
		cpu->x[op->rd] = (uint64_t)i;			\
		NEXT(SLOTS_4);					\
	}							\
	SYNC();							\
	st = rv64_fp(cpu, (uint32_t)op->imm);			\
	NEXT_AFTER(st, SLOTS_4);				\
}

#define FP_FROM_INT_S(name, type, exact)			\
	FP_FROM_INT(name, type, exact, rv64_from_float, RV64_BOX)
#define FP_FROM_INT_D(name, type, exact)			\
	FP_FROM_INT(name, type, exact, rv64_from_double, 0)
#define FP_TO_INT_S(name, low, high)				\
	FP_TO_INT(name, float, rv64_to_float, a >= RV64_BOX, low, high)
#define FP_TO_INT_D(name, low, high)				\
	FP_TO_INT(name, double, rv64_to_double, true, low, high)

/* Full barriers are costly on hosts; only an earlier write before a later read needs one. */
static void fence(uint32_t raw)
{
	bool pred_write = rv64_bits(raw, 24, 1) || rv64_bits(raw, 26, 1);
	bool succ_read = rv64_bits(raw, 21, 1) || rv64_bits(raw, 23, 1);

	if (pred_write && succ_read)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_thread_fence(__ATOMIC_ACQ_REL);
}

/*
 * Run from cpu->pc; cpu->stop tells why it ended. Without @cpu, make the labels known.
 */
static void interpret(struct rv64_cpu *cpu, uint64_t max_insns)
{
#define X_2(name, ...)		[RV64_OP_##name] = &&L_##name##_2,
#define X_4(name, ...)		[RV64_OP_##name] = &&L_##name##_4,
#define X_BRANCH_2(name, ...)	X_2(name) X_2(name##_far)
#define X_BRANCH_4(name, ...)	X_4(name) X_4(name##_far)
	static const void *const labels_2[RV64_NR_OPS] = {
		RV64_ALU_BOTH(X_2) RV64_LOAD_BOTH(X_2) RV64_STORE_BOTH(X_2)
		RV64_BRANCH_BOTH(X_BRANCH_2) RV64_MISC_BOTH(X_2)
	};
	static const void *const labels_4[RV64_NR_OPS] = {
		RV64_ALU_BOTH(X_4) RV64_LOAD_BOTH(X_4) RV64_STORE_BOTH(X_4)
		RV64_BRANCH_BOTH(X_BRANCH_4) RV64_MISC_BOTH(X_4)
		RV64_ALU_LONG(X_4) RV64_LOAD_LONG(X_4) RV64_STORE_LONG(X_4)
		RV64_BRANCH_LONG(X_BRANCH_4) RV64_FP_FAST(X_4)
		RV64_MISC_LONG(X_4) RV64_MISC_INTERNAL(X_4)
	};
#define X_FUSED(a, b, l22, l24, l42, l44)	\
	{ RV64_OP_##a, RV64_OP_##b, { { l22, l24 }, { l42, l44 } } },
#define X_FUSED_BOTH(a, b)	X_FUSED(a, b, &&L_##a##_##b##_22, &&L_##a##_##b##_24,	\
					&&L_##a##_##b##_42, &&L_##a##_##b##_44)
#define X_FUSED_FIRST(a, b)	X_FUSED(a, b, NULL, NULL, &&L_##a##_##b##_42, &&L_##a##_##b##_44)
#define X_FUSED_SECOND(a, b)	X_FUSED(a, b, NULL, &&L_##a##_##b##_24, NULL, &&L_##a##_##b##_44)
	static const struct fused pairs[] = {
		RV64_FUSED_ALU_BOTH(X_FUSED_BOTH) RV64_FUSED_ALU_LONG(X_FUSED_FIRST)
		RV64_FUSED_BRANCH_BOTH(X_FUSED_BOTH) RV64_FUSED_BRANCH_LONG(X_FUSED_SECOND)
	};
	struct rv64_op scratch[3];
	struct rv64_page *page = NULL;
	struct rv64_op *op = NULL;
	uint64_t pc_bias = 0, target, left, insn_end;
	enum rv64_status st;

	if (!cpu) {
		op_labels[0] = labels_2;
		op_labels[1] = labels_4;
		fused_pairs = pairs;
		nr_fused_pairs = sizeof(pairs) / sizeof(pairs[0]);
		return;
	}
	left = max_insns;
	insn_end = cpu->instret + left;
	target = cpu->pc;
	goto enter;

	/* A jump that may leave the page has been executed. */
jump:
	left--;
	if (rv64_likely(left && !attention(cpu) && rv64_code_hit(cpu, target, &page)))
		goto in_page;
enter:
	cpu->pc = target;
	cpu->instret = insn_end - left;
	if (rv64_unlikely(attention(cpu))) {
		if (attend(cpu))
			return;
		target = cpu->pc;
	}
	if (rv64_unlikely(!left)) {
		rv64_stopped(cpu, RV64_STOP_BUDGET, 0, 0);
		return;
	}
	st = rv64_code_find(cpu, target, &page);
	if (rv64_unlikely(st))
		goto after_call;
in_page:
	SET_BASE(page->ops, target & RV64_PAGE_MASK);
	op = &page->ops[PAGE_OFFSET(target) / 2];
	DISPATCH();

at_op:
	target = PC();
	goto enter;

out_of_budget:
	cpu->pc = PC();
	cpu->instret = insn_end;
	rv64_stopped(cpu, RV64_STOP_BUDGET, 0, 0);
	return;

	/* A call returned @st; @op is the next one. */
after_call:
	switch (st) {
	case RV64_NEXT:
		left--;
		goto at_op;
	case RV64_JUMP:
		TAKE_FAR(cpu->pc);
	case RV64_TRAPPED:
		/* Costs budget, so that a trap that traps ends, but retires nothing. */
		insn_end--;
		TAKE_FAR(cpu->pc);
	case RV64_STOPPED_RETIRED:
		left--;
		break;
	case RV64_STOPPED:
		break;
	}
	cpu->instret = insn_end - left;
	return;

	RV64_ALU_BOTH(ALU_2)
	RV64_ALU_BOTH(ALU_4)
	RV64_ALU_LONG(ALU_4)
	RV64_LOAD_BOTH(LOAD_2)
	RV64_LOAD_BOTH(LOAD_4)
	RV64_LOAD_LONG(LOAD_4)
	RV64_STORE_BOTH(STORE_2)
	RV64_STORE_BOTH(STORE_4)
	RV64_STORE_LONG(STORE_4)
	RV64_BRANCH_BOTH(BRANCH_2)
	RV64_BRANCH_BOTH(BRANCH_4)
	RV64_BRANCH_LONG(BRANCH_4)
	RV64_FUSED_ALU_BOTH(FUSED_ALU_BOTH)
	RV64_FUSED_ALU_LONG(FUSED_ALU_LONG)
	RV64_FUSED_BRANCH_BOTH(FUSED_BRANCH_BOTH)
	RV64_FUSED_BRANCH_LONG(FUSED_BRANCH_LONG)

	FLOAD(flw, 4, uint32_t, RV64_BOX)
	FLOAD(fld, 2, uint64_t, 0)
	FLOAD(fld, 4, uint64_t, 0)
	STORE_VALUE(fsw, 4, uint32_t, cpu->f[op->rs2])
	STORE_VALUE(fsd, 2, uint64_t, cpu->f[op->rs2])
	STORE_VALUE(fsd, 4, uint64_t, cpu->f[op->rs2])
	FP_ARITH_S(fadd_s, +, true)
	FP_ARITH_S(fsub_s, -, true)
	FP_ARITH_S(fmul_s, *, !(a << 33) || !(b << 33))
	FP_ARITH_D(fadd_d, +, true)
	FP_ARITH_D(fsub_d, -, true)
	FP_ARITH_D(fmul_d, *, !(a << 1) || !(b << 1))
	FP_FROM_INT_S(fcvt_s_w, int32_t, i >= -(1 << 24) && i <= 1 << 24)
	FP_FROM_INT_S(fcvt_s_wu, uint32_t, i <= 1 << 24)
	FP_FROM_INT_S(fcvt_s_l, int64_t, i >= -(1 << 24) && i <= 1 << 24)
	FP_FROM_INT_S(fcvt_s_lu, uint64_t, i <= 1 << 24)
	FP_FROM_INT_D(fcvt_d_w, int32_t, true)
	FP_FROM_INT_D(fcvt_d_wu, uint32_t, true)
	FP_FROM_INT_D(fcvt_d_l, int64_t, i >= -(1ll << 53) && i <= 1ll << 53)
	FP_FROM_INT_D(fcvt_d_lu, uint64_t, i <= 1ull << 53)
	FP_TO_INT_S(fcvt_w_s, -0x1p31f, 0x1p31f)
	FP_TO_INT_S(fcvt_wu_s, -1.0f, 0x1p31f)
	FP_TO_INT_S(fcvt_l_s, -0x1p63f, 0x1p63f)
	FP_TO_INT_S(fcvt_lu_s, -1.0f, 0x1p63f)
	FP_TO_INT_D(fcvt_w_d, -0x1p31, 0x1p31)
	FP_TO_INT_D(fcvt_wu_d, -1.0, 0x1p31)
	FP_TO_INT_D(fcvt_l_d, -0x1p63, 0x1p63)
	FP_TO_INT_D(fcvt_lu_d, -1.0, 0x1p63)
	CALL(fp, 4, rv64_fp(cpu, (uint32_t)op->imm))

	CALL(system, 2, rv64_system(cpu, (uint32_t)op->imm))
	CALL(system, 4, rv64_system(cpu, (uint32_t)op->imm))
	CALL(illegal, 2, rv64_illegal(cpu, (uint32_t)op->imm))
	CALL(illegal, 4, rv64_illegal(cpu, (uint32_t)op->imm))
	CALL(amo, 4, rv64_amo(cpu, (uint32_t)op->imm))
	CALL(custom, 4, rv64_custom_exec(cpu, &op->custom))

L_fence_4:
	fence((uint32_t)op->imm);
	NEXT(SLOTS_4);

L_j_2:
	TAKE_NEAR();
L_j_4:
	TAKE_NEAR();
L_j_far_2:
	TAKE_FAR(PC() + IMM);
L_j_far_4:
	TAKE_FAR(PC() + IMM);
L_jal_4:
	cpu->x[op->rd] = PC() + 4;
	TAKE_NEAR();
L_jal_far_4:
	cpu->x[op->rd] = PC() + 4;
	TAKE_FAR(PC() + IMM);
L_jalr_2:
	target = (RS1 + IMM) & ~1ull;
	cpu->x[op->rd] = PC() + 2;
	goto jump;
L_jalr_4:
	target = (RS1 + IMM) & ~1ull;
	cpu->x[op->rd] = PC() + 4;
	goto jump;

L_decode_4:
	decode_slot(cpu, page, op - page->ops, PC());
	DISPATCH();

	/* The page may also be at an address that has none: then its instruction is run apart. */
L_breakpoint_4: {
	struct rv64_insn insn;

	target = PC();
	SYNC();
	if (has_breakpoint(cpu, target)) {
		st = rv64_stopped(cpu, RV64_STOP_BREAKPOINT, 0, 0);
		goto after_call;
	}
	rv64_code_renew(page, op - page->ops);
	if (!decode_far(cpu, page, op - page->ops, &insn))
		goto L_straddle_4;
	decode_into(&scratch[0], &insn);
	scratch[insn.len / 2].fn = rv64_label(RV64_OP_page_end, 4);
	op = scratch;
	SET_BASE(scratch, target);
	DISPATCH();
}

L_straddle_4:
	target = PC();
	SYNC();
	st = decode_straddle(cpu, page, target, scratch);
	if (st)
		goto after_call;
	op = scratch;
	SET_BASE(scratch, target);
	DISPATCH();

L_page_end_4:
	goto at_op;
}

__attribute__((constructor)) static void set_labels(void)
{
	interpret(NULL, 0);
}

enum rv64_stop rv64_run(struct rv64_cpu *cpu, uint64_t max_insns)
{
	cpu->x[0] = 0;
	interpret(cpu, max_insns);
	return cpu->stop.reason;
}

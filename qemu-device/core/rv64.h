/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A predecoded RISC-V interpreter: RV64IMAC with M-mode for a management core, RV64IMAFDC
 * without privileged mode for compute cores.
 *
 * A hart is run by one thread at a time. rv64_set_irq(), rv64_request_exit(), rv64_tlb_flush(),
 * rv64_flush_code() and rv64_check_code() may be called from any thread, and from the callbacks.
 * The calling thread must be in the default floating-point environment (round to nearest, no
 * flush to zero); the sticky host exception flags are used as scratch.
 */
#ifndef RV64_H
#define RV64_H

#include <stdbool.h>
#include <stdint.h>

#define RV64_PAGE_SHIFT		12
#define RV64_PAGE_SIZE		(1u << RV64_PAGE_SHIFT)
#define RV64_PAGE_MASK		(~(uint64_t)(RV64_PAGE_SIZE - 1))

#define RV64_TLB_ENTRIES	256
#define RV64_XTLB_ENTRIES	64
#define RV64_WATCHED_ENTRIES	16	/* pages of RV64_XLATE_WATCH */
#define RV64_CODE_PAGES		32	/* default of rv64_config::code_pages */

/* Interrupt lines of rv64_set_irq(): bit numbers of mip and mie. */
#define RV64_IRQ_MSI		3
#define RV64_IRQ_MTI		7
#define RV64_IRQ_MEI		11

/* Exception codes of mcause. */
#define RV64_CAUSE_FETCH_ACCESS		1
#define RV64_CAUSE_ILLEGAL		2
#define RV64_CAUSE_BREAKPOINT		3
#define RV64_CAUSE_LOAD_MISALIGNED	4
#define RV64_CAUSE_LOAD_ACCESS		5
#define RV64_CAUSE_STORE_MISALIGNED	6
#define RV64_CAUSE_STORE_ACCESS		7
#define RV64_CAUSE_ECALL_M		11
#define RV64_CAUSE_INTERRUPT		(1ull << 63)

/* fcsr: accrued exception flags, then the dynamic rounding mode. */
#define RV64_FFLAG_NX		0x01
#define RV64_FFLAG_UF		0x02
#define RV64_FFLAG_OF		0x04
#define RV64_FFLAG_DZ		0x08
#define RV64_FFLAG_NV		0x10
#define RV64_FFLAGS_MASK	0x1f
#define RV64_FRM_SHIFT		5

struct rv64_cpu;
struct rv64_page;

/**
 * enum rv64_access - what a memory access is for
 * @RV64_ACCESS_READ: load
 * @RV64_ACCESS_WRITE: store, or an atomic (which reads as well)
 * @RV64_ACCESS_EXEC: instruction fetch
 */
enum rv64_access {
	RV64_ACCESS_READ,
	RV64_ACCESS_WRITE,
	RV64_ACCESS_EXEC,
};

/**
 * enum rv64_stop - why rv64_run() returned
 * @RV64_STOP_BUDGET: @max_insns are used up
 * @RV64_STOP_EXIT: rv64_request_exit() was called; the request is consumed
 * @RV64_STOP_WFI: wfi with no interrupt pending; pc is past it (M-mode only)
 * @RV64_STOP_ECALL: ecall; stop.pc is its address, cpu->pc is past it
 * @RV64_STOP_EBREAK: ebreak; cpu->pc is its address
 * @RV64_STOP_ILLEGAL: illegal instruction; stop.tval holds its bits
 * @RV64_STOP_MISALIGNED: misaligned atomic or MMIO access; stop.tval holds the address
 * @RV64_STOP_FAULT: translate or MMIO failed; stop.tval, stop.access and stop.code tell
 * @RV64_STOP_CUSTOM_ERR: the custom callback failed; stop.code holds what it returned
 * @RV64_STOP_CUSTOM_WAIT: the custom callback asked to be called again; pc is not advanced
 * @RV64_STOP_BREAKPOINT: cpu->pc is one of rv64_config::breakpoints
 * @RV64_STOP_WATCH: a callback does not want the access; nothing is done, pc is not advanced
 *
 * A hart in M-mode never stops with ECALL, ILLEGAL, MISALIGNED or FAULT: it traps. EBREAK stops
 * it only if cpu->debug is set. In each of the error stops cpu->pc is that of the instruction.
 */
enum rv64_stop {
	RV64_STOP_BUDGET,
	RV64_STOP_EXIT,
	RV64_STOP_WFI,
	RV64_STOP_ECALL,
	RV64_STOP_EBREAK,
	RV64_STOP_ILLEGAL,
	RV64_STOP_MISALIGNED,
	RV64_STOP_FAULT,
	RV64_STOP_CUSTOM_ERR,
	RV64_STOP_CUSTOM_WAIT,
	RV64_STOP_BREAKPOINT,
	RV64_STOP_WATCH,
};

/**
 * struct rv64_stop_info - details of the last stop
 * @reason: as returned by rv64_run()
 * @pc: address of the instruction that caused it
 * @tval: faulting address, or the bits of an illegal instruction
 * @access: kind of access, for MISALIGNED and FAULT
 * @code: what the callback returned, for FAULT and CUSTOM_ERR; RV64_XLATE_MMIO if a fetch or an
 *	atomic hit MMIO
 */
struct rv64_stop_info {
	enum rv64_stop reason;
	enum rv64_access access;
	int code;
	uint64_t pc;
	uint64_t tval;
};

/**
 * struct rv64_custom - a decoded instruction of the custom-0..3 opcodes, in R4 form
 * @rd: destination register number; may be read as an operand as well
 * @rs1: first source register number
 * @rs2: second source register number
 * @rs3: third source register number
 * @major: 0..3 for custom-0..custom-3
 * @funct3: bits 14:12
 * @funct2: bits 26:25
 */
struct rv64_custom {
	uint8_t rd, rs1, rs2, rs3;
	uint8_t major, funct3, funct2, reserved;
};

/* Results of rv64_ops::translate other than a fault code, which is negative. */
#define RV64_XLATE_RAM		0
#define RV64_XLATE_MMIO		1

/* Flags of rv64_ops::translate. */
#define RV64_XLATE_NOCACHE	0x1	/* ask again at the next access to this page */
#define RV64_XLATE_WATCH	0x2	/* tell of each access to it by rv64_ops::watch */

/* Results of rv64_ops::custom. Anything else stops the run with RV64_STOP_CUSTOM_ERR. */
#define RV64_CUSTOM_OK		0
#define RV64_CUSTOM_WAIT	1

/* Of rv64_ops::custom and watch: stop the run with RV64_STOP_WATCH before anything is done. */
#define RV64_WATCH_STOP		2

/**
 * struct rv64_watch - an access that is about to be made
 * @addr: address
 * @size: bytes, all in one page: one that crosses two is told as two
 * @access: RV64_ACCESS_READ, or RV64_ACCESS_WRITE, as for atomics other than lr
 * @atomic: an instruction of the A extension
 * @host: where the bytes are; NULL if that is MMIO
 */
struct rv64_watch {
	uint64_t addr;
	unsigned int size;
	enum rv64_access access;
	bool atomic;
	const void *host;
};

/**
 * struct rv64_ops - what a hart needs of its embedder
 * @translate: find the page of @addr. RV64_XLATE_RAM with the page's host address in @page
 *	(4 KiB aligned content, at least 8-byte aligned address), RV64_XLATE_MMIO, or a negative
 *	code, handed on in stop.code. The result is kept until rv64_tlb_flush() unless
 *	RV64_XLATE_NOCACHE is set in @flags, which is zero on entry. Required.
 * @mmio_read: naturally aligned read of 1, 2, 4 or 8 bytes, zero-extended; nonzero is a fault
 * @mmio_write: naturally aligned write of 1, 2, 4 or 8 bytes; nonzero is a fault
 * @custom: execute a custom instruction: RV64_CUSTOM_OK, RV64_CUSTOM_WAIT, RV64_WATCH_STOP, or
 *	an error. It may read and write cpu->x and cpu->f; x[0] is forced to zero afterwards. If
 *	absent, these opcodes are illegal.
 * @csr_read: read a CSR that the hart does not implement; nonzero makes it illegal
 * @csr_write: write a CSR that the hart does not implement; nonzero makes it illegal
 * @time: value of the time CSR; if absent, time counts retired instructions
 * @watch: told of loads, stores and atomics on pages with RV64_XLATE_WATCH, and of others when it
 *	pleases the hart; RV64_WATCH_STOP, else nonzero is a fault, and nothing is accessed.
 *	Optional.
 *
 * cpu->pc and cpu->instret are exact in all callbacks.
 */
struct rv64_ops {
	int (*translate)(void *opaque, uint64_t addr, enum rv64_access access, void **page,
			 unsigned int *flags);
	int (*mmio_read)(void *opaque, uint64_t addr, unsigned int size, uint64_t *val);
	int (*mmio_write)(void *opaque, uint64_t addr, unsigned int size, uint64_t val);
	int (*custom)(void *opaque, struct rv64_cpu *cpu, const struct rv64_custom *insn);
	int (*csr_read)(void *opaque, struct rv64_cpu *cpu, unsigned int csr, uint64_t *val);
	int (*csr_write)(void *opaque, struct rv64_cpu *cpu, unsigned int csr, uint64_t val);
	uint64_t (*time)(void *opaque);
	int (*watch)(void *opaque, const struct rv64_watch *watch);
};

#define RV64_BREAKPOINTS	128

/**
 * struct rv64_breakpoints - where a hart stops before it executes
 * @count: of @pc; may become zero while harts run (atomic)
 * @pc: addresses of instructions
 *
 * A change takes effect by rv64_flush_code().
 */
struct rv64_breakpoints {
	unsigned int count;
	uint64_t pc[RV64_BREAKPOINTS];
};

/* Flags of rv64_config. */
#define RV64_ISA_FD		0x1	/* F and D extensions */
#define RV64_ISA_M_MODE		0x2	/* machine mode: CSRs, traps, interrupts */

/**
 * struct rv64_config - how to set up a hart
 * @ops: callbacks; must outlive the hart
 * @opaque: first argument of the callbacks
 * @isa: RV64_ISA_* flags
 * @code_pages: decoded 4 KiB pages kept, at 36 KiB each; 0 for RV64_CODE_PAGES
 * @hartid: value of mhartid
 * @sink: page that takes stores of which nothing is ever seen, or NULL: atomics find zero there
 * @breakpoints: must outlive the hart, gets others only while it does not run; or NULL
 */
struct rv64_config {
	const struct rv64_ops *ops;
	void *opaque;
	unsigned int isa;
	unsigned int code_pages;
	uint64_t hartid;
	void *sink;
	const struct rv64_breakpoints *breakpoints;
};

struct rv64_tlb_entry {
	uint64_t tag;
	uint8_t *page;
};

struct rv64_xtlb_entry {
	uint64_t tag;
	struct rv64_page *page;
};

/**
 * struct rv64_csrs - machine-mode state; mip is apart, as other threads write it
 */
struct rv64_csrs {
	uint64_t mstatus;
	uint64_t mie;
	uint64_t mtvec;
	uint64_t mscratch;
	uint64_t mepc;
	uint64_t mcause;
	uint64_t mtval;
};

/**
 * struct rv64_cpu - a hart
 * @x: integer registers; x[32] takes what the program writes to x0
 * @attention: requests to the running thread (atomic)
 * @pc: program counter, valid whenever the hart does not run and in callbacks
 * @instret: instructions retired
 * @f: floating-point registers, single precision NaN-boxed
 * @fcsr: frm and fflags
 * @mip: pending interrupts (atomic)
 * @csr: machine-mode CSRs
 * @stop: details of the last stop
 * @debug: ebreak stops an M-mode hart instead of trapping (for a debugger)
 *
 * The embedder may read and write the registers between runs. The rest is private.
 */
struct rv64_cpu {
	uint64_t x[33];
	uint32_t attention;
	uint32_t fcsr;
	uint64_t pc;
	uint64_t instret;
	uint64_t f[32];
	uint64_t mip;
	struct rv64_csrs csr;
	struct rv64_stop_info stop;
	bool debug;

	/* private */
	const struct rv64_ops *ops;
	void *opaque;
	unsigned int isa;
	unsigned int nr_pages, max_pages;
	uint64_t hartid;
	uint8_t *sink;
	const struct rv64_breakpoints *breakpoints;
	bool irqs_off;
	uint64_t code_clock;
	struct rv64_page **pages;
	bool reserved;
	uint8_t reserved_size;
	uint64_t reserved_addr, reserved_val;
	struct rv64_xtlb_entry xtlb[RV64_XTLB_ENTRIES];
	struct rv64_tlb_entry rtlb[RV64_TLB_ENTRIES];
	struct rv64_tlb_entry wtlb[RV64_TLB_ENTRIES];
	struct rv64_tlb_entry watched[2][RV64_WATCHED_ENTRIES]; /* by access */
};

/**
 * rv64_init() - set up a hart, in reset state with pc 0
 * @cpu: the hart; its content is overwritten
 * @cfg: configuration; copied
 *
 * Return: 0, or -ENOMEM.
 */
int rv64_init(struct rv64_cpu *cpu, const struct rv64_config *cfg);

/**
 * rv64_destroy() - free what rv64_init() and rv64_run() allocated
 * @cpu: the hart
 */
void rv64_destroy(struct rv64_cpu *cpu);

/**
 * rv64_reset() - clear registers, CSRs, counters, requests and interrupts; drop translations
 *	and decoded code
 * @cpu: the hart, not running
 * @pc: where to start
 */
void rv64_reset(struct rv64_cpu *cpu, uint64_t pc);

/**
 * rv64_run() - execute
 * @cpu: the hart
 * @max_insns: budget; exact. An exception that traps costs one as well, so that the call
 *	always ends.
 *
 * Return: why it stopped; cpu->stop has the details.
 */
enum rv64_stop rv64_run(struct rv64_cpu *cpu, uint64_t max_insns);

/**
 * rv64_step() - execute one instruction, and take no interrupt
 * @cpu: the hart; requests to exit are consumed
 *
 * Return: why it stopped, RV64_STOP_BUDGET if for nothing else.
 */
enum rv64_stop rv64_step(struct rv64_cpu *cpu);

/**
 * rv64_request_exit() - make rv64_run() return RV64_STOP_EXIT soon
 * @cpu: the hart; if it is not running, its next run returns at once
 *
 * Noticed at the next taken branch or jump, page crossing, trap or callback.
 */
void rv64_request_exit(struct rv64_cpu *cpu);

/**
 * rv64_tlb_flush() - forget all translations
 * @cpu: the hart
 *
 * Takes effect before the next instruction when called from a callback, before the first one
 * when the hart is not running, and else as rv64_request_exit() does.
 */
void rv64_tlb_flush(struct rv64_cpu *cpu);

/**
 * rv64_tlb_forget() - forget the translations of a page
 * @cpu: the hart, which is not running
 * @addr: any address in the page
 */
void rv64_tlb_forget(struct rv64_cpu *cpu, uint64_t addr);

/**
 * rv64_flush_code() - forget all translations and decoded instructions, after code has changed
 * @cpu: the hart
 *
 * Decoded code is known by its host address: a page that is loaded anew at the same host address
 * needs this call, or a fence.i by the program. Takes effect as rv64_tlb_flush() does.
 */
void rv64_flush_code(struct rv64_cpu *cpu);

/**
 * rv64_check_code() - as rv64_flush_code(), when code may have changed but mostly has not
 * @cpu: the hart
 *
 * Each decoded page is compared with memory before it is used again. Translations stay.
 */
void rv64_check_code(struct rv64_cpu *cpu);

/**
 * rv64_set_irq() - drive an interrupt line of an M-mode hart
 * @cpu: the hart
 * @line: RV64_IRQ_MSI, RV64_IRQ_MTI or RV64_IRQ_MEI; others are ignored
 * @level: pending or not
 */
void rv64_set_irq(struct rv64_cpu *cpu, unsigned int line, bool level);

/**
 * rv64_irq_pending() - would wfi fall through: is an enabled interrupt pending
 * @cpu: the hart, not running
 */
bool rv64_irq_pending(const struct rv64_cpu *cpu);

/**
 * rv64_trap_illegal() - have an M-mode hart take a trap, as if its next instruction were illegal
 * @cpu: the hart, not running
 */
void rv64_trap_illegal(struct rv64_cpu *cpu);

/**
 * rv64_stop_name() - a word for a stop reason, for logs
 * @reason: of rv64_run()
 */
const char *rv64_stop_name(enum rv64_stop reason);

#endif /* RV64_H */

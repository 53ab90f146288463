// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hart's life, and what other threads may ask of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rv64_internal.h"

static void attention(struct rv64_cpu *cpu, uint32_t bits)
{
	__atomic_fetch_or(&cpu->attention, bits, __ATOMIC_RELEASE);
}

int rv64_init(struct rv64_cpu *cpu, const struct rv64_config *cfg)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->ops = cfg->ops;
	cpu->opaque = cfg->opaque;
	cpu->isa = cfg->isa;
	cpu->hartid = cfg->hartid;
	cpu->sink = cfg->sink;
	cpu->breakpoints = cfg->breakpoints;
	cpu->max_pages = cfg->code_pages ? cfg->code_pages : RV64_CODE_PAGES;
	cpu->pages = calloc(cpu->max_pages, sizeof(cpu->pages[0]));
	if (!cpu->pages)
		return -ENOMEM;

	/* With one page at hand, running never needs memory that it may not get. */
	cpu->pages[0] = calloc(1, sizeof(*cpu->pages[0]));
	if (!cpu->pages[0]) {
		free(cpu->pages);
		cpu->pages = NULL;
		return -ENOMEM;
	}
	cpu->nr_pages = 1;
	rv64_reset(cpu, 0);
	return 0;
}

void rv64_destroy(struct rv64_cpu *cpu)
{
	rv64_code_free(cpu);
}

void rv64_reset(struct rv64_cpu *cpu, uint64_t pc)
{
	memset(cpu->x, 0, sizeof(cpu->x));
	memset(cpu->f, 0, sizeof(cpu->f));
	memset(&cpu->csr, 0, sizeof(cpu->csr));
	memset(&cpu->stop, 0, sizeof(cpu->stop));
	cpu->pc = pc;
	cpu->instret = 0;
	cpu->fcsr = 0;
	cpu->reserved = false;
	__atomic_store_n(&cpu->mip, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cpu->attention, 0, __ATOMIC_RELAXED);
	rv64_tlb_drop(cpu);
	rv64_code_drop(cpu);
}

enum rv64_stop rv64_step(struct rv64_cpu *cpu)
{
	uint64_t before = cpu->instret;
	enum rv64_stop stop;

	cpu->irqs_off = true;
	do
		stop = rv64_run(cpu, 1);
	while (stop == RV64_STOP_EXIT && cpu->instret == before);
	cpu->irqs_off = false;
	attention(cpu, RV64_ATTN_IRQ);
	return stop == RV64_STOP_EXIT ? RV64_STOP_BUDGET : stop;
}

void rv64_request_exit(struct rv64_cpu *cpu)
{
	attention(cpu, RV64_ATTN_EXIT);
}

void rv64_tlb_flush(struct rv64_cpu *cpu)
{
	attention(cpu, RV64_ATTN_FLUSH_TLB);
}

void rv64_flush_code(struct rv64_cpu *cpu)
{
	attention(cpu, RV64_ATTN_FLUSH_TLB | RV64_ATTN_FLUSH_CODE);
}

void rv64_check_code(struct rv64_cpu *cpu)
{
	attention(cpu, RV64_ATTN_CHECK_CODE);
}

void rv64_set_irq(struct rv64_cpu *cpu, unsigned int line, bool level)
{
	uint64_t bit;

	if (line != RV64_IRQ_MSI && line != RV64_IRQ_MTI && line != RV64_IRQ_MEI)
		return;
	bit = 1ull << line;
	if (level)
		__atomic_fetch_or(&cpu->mip, bit, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&cpu->mip, ~bit, __ATOMIC_RELEASE);
	attention(cpu, RV64_ATTN_IRQ);
}

bool rv64_irq_pending(const struct rv64_cpu *cpu)
{
	return __atomic_load_n(&cpu->mip, __ATOMIC_ACQUIRE) & cpu->csr.mie;
}

const char *rv64_stop_name(enum rv64_stop reason)
{
	static const char *const names[] = {
		[RV64_STOP_BUDGET] = "budget",
		[RV64_STOP_EXIT] = "exit request",
		[RV64_STOP_WFI] = "wfi",
		[RV64_STOP_ECALL] = "ecall",
		[RV64_STOP_EBREAK] = "ebreak",
		[RV64_STOP_ILLEGAL] = "illegal instruction",
		[RV64_STOP_MISALIGNED] = "misaligned access",
		[RV64_STOP_FAULT] = "access fault",
		[RV64_STOP_CUSTOM_ERR] = "custom instruction error",
		[RV64_STOP_CUSTOM_WAIT] = "custom instruction wait",
		[RV64_STOP_BREAKPOINT] = "breakpoint",
		[RV64_STOP_WATCH] = "watchpoint",
	};

	if ((unsigned int)reason >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[reason];
}

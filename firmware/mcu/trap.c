// SPDX-License-Identifier: MIT
/*
 * The end of the firmware: what happened goes to the log, and the host is told.
 */
#include <npu/npu_mcu.h>

#include "log.h"
#include "mmio.h"

#define REGISTERS_A_LINE 4

void trap_fatal(const uint64_t *x);

static const char *const cause_names[] = {
	[0] = "instruction address misaligned",
	[1] = "instruction access fault",
	[2] = "illegal instruction",
	[3] = "breakpoint",
	[4] = "load address misaligned",
	[5] = "load access fault",
	[6] = "store address misaligned",
	[7] = "store access fault",
	[11] = "environment call",
};

static const char *cause_name(uint64_t cause)
{
	const char *name = NULL;

	if (cause < sizeof(cause_names) / sizeof(cause_names[0]))
		name = cause_names[cause];
	return name ? name : "unknown";
}

#define csr_read(csr) ({						\
	uint64_t value_;						\
									\
	__asm__ volatile("csrr %0, " #csr : "=r"(value_));		\
	value_;								\
})

void trap_fatal(const uint64_t *x)
{
	uint64_t cause = csr_read(mcause);

	log_err("trap", "%s (mcause %lu)", cause_name(cause), cause);
	log_err("trap", "pc %016lx, tval %016lx", csr_read(mepc), csr_read(mtval));
	for (int i = 0; i < 32; i += REGISTERS_A_LINE)
		log_err("trap", "x%d: %016lx %016lx %016lx %016lx", i, i ? x[i] : 0, x[i + 1],
			x[i + 2], x[i + 3]);
	mmio_write32(NPU_MCU_HOST_DEAD, cause);
}

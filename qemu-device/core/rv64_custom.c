// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Custom instructions are the embedder's.
 */
#include "rv64_internal.h"

static const uint8_t major_opcodes[4] = { 0x0b, 0x2b, 0x5b, 0x7b };

static uint32_t encode(const struct rv64_custom *c)
{
	return (uint32_t)c->rs3 << 27 | (uint32_t)c->funct2 << 25 | (uint32_t)c->rs2 << 20 |
	       (uint32_t)c->rs1 << 15 | (uint32_t)c->funct3 << 12 | (uint32_t)c->rd << 7 |
	       major_opcodes[c->major];
}

/**
 * rv64_custom_exec() - execute a custom instruction
 * @cpu: the hart; cpu->pc is exact
 * @insn: its operands
 */
enum rv64_status rv64_custom_exec(struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	int ret;

	if (!cpu->ops->custom)
		return rv64_illegal(cpu, encode(insn));
	ret = cpu->ops->custom(cpu->opaque, cpu, insn);
	cpu->x[0] = 0;
	if (rv64_likely(ret == RV64_CUSTOM_OK))
		return RV64_NEXT;
	if (ret == RV64_CUSTOM_WAIT)
		return rv64_stopped(cpu, RV64_STOP_CUSTOM_WAIT, 0, 0);
	if (ret == RV64_WATCH_STOP)
		return rv64_stopped(cpu, RV64_STOP_WATCH, 0, 0);
	return rv64_stopped(cpu, RV64_STOP_CUSTOM_ERR, encode(insn), ret);
}

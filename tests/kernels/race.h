/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do a kernel's flags order all that must be ordered? The core runs a program in its
 * order; this takes the pipes for what they are, engines that run apart, and finds
 * accesses of two pipes to the same place of a local buffer, one of them a write, that
 * no chain of flags orders.
 */
#ifndef TEST_RACE_H
#define TEST_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rv64.h"

struct race;

struct race *race_new(void);
void race_free(struct race *race);

/* race_begin() - a block starts: nothing has been done, no flag is set. */
void race_begin(struct race *race);
/* race_insn() - a tile instruction that the core has accepted. */
void race_insn(struct race *race, const struct rv64_cpu *cpu, const struct rv64_custom *insn);
/* race_scalar() - the scalar unit reads or writes UB. */
void race_scalar(struct race *race, uint64_t pc, uint64_t address, unsigned int bytes, bool write);
/* race_end() - the block ended: each flag that was set has been waited for. */
void race_end(struct race *race);

/* race_found() - the first race since race_begin(), or NULL. */
const char *race_found(const struct race *race);

#endif /* TEST_RACE_H */

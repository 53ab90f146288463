/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict mode: do a kernel's flags order all that must be ordered, and does it read what was
 * written? A core runs a program in its order; the checker takes the pipes for what they are,
 * engines that run apart, and the blocks for what they are, in any order. It knows nothing of the
 * device: who runs a core tells it what the core does.
 */
#ifndef STRICT_H
#define STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <npu/npu_queue.h>

#include "rv64.h"
#include "tile.h"

#define STRICT_BYTES (256u << 20) /* a device's, for what its tasks have written */

struct strict;
struct strict_task;

/**
 * struct strict_block - a block that is about to run
 * @task: what the blocks of its task have written, or NULL: that is not looked at
 * @block: its index
 * @entry: the kernel's entry; code is within 2 GiB of it
 * @canary: as in struct npu_strict
 */
struct strict_block {
	struct strict_task *task;
	uint32_t block;
	uint64_t entry, canary;
};

/* strict_new() - a checker for one core; NULL if there is no memory. */
struct strict *strict_new(void);
void strict_free(struct strict *strict);

/* strict_start() - a block starts: nothing local has been written, no flag is set. */
void strict_start(struct strict *strict, const struct strict_block *block);

/**
 * strict_insn() - a tile instruction that the core has carried out
 * @strict: the checker
 * @tile: its tile, with what the instruction has copied
 * @cpu: its scalar unit, pc at the instruction
 * @insn: the instruction
 *
 * Return: false if there is a finding, as for the next functions: the block is to end.
 */
bool strict_insn(struct strict *strict, const struct npu_tile *tile, const struct rv64_cpu *cpu,
		 const struct rv64_custom *insn);

/* strict_refused() - an instruction that the core has not carried out: tile->error is a finding. */
void strict_refused(struct strict *strict, const struct npu_tile *tile,
		    const struct rv64_cpu *cpu, const struct rv64_custom *insn);

/* strict_scalar() - as rv64_ops::watch: the scalar unit is about to access memory. */
bool strict_scalar(struct strict *strict, uint64_t pc, const struct rv64_watch *watch);

/* strict_end() - the block has ended well: each flag that was set has been waited for. */
bool strict_end(struct strict *strict);

/* strict_finding() - what was found; the canary is not part of it. */
const struct npu_strict *strict_finding(const struct strict *strict);

/*
 * strict_task_new() - for the blocks of a task, which may run in several threads. NULL if there is
 * no memory. It takes of @budget, in bytes, that others may take of too (atomic).
 */
struct strict_task *strict_task_new(size_t *budget);
void strict_task_free(struct strict_task *task);
/* strict_task_full() - its memory has been used up: not all writes were looked at. */
bool strict_task_full(const struct strict_task *task);

#endif /* STRICT_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cycle model of one core: when its pipes would do what the scalar unit gives them. It books
 * times only; what instructions do has been done. docs/timing.md explains it.
 */
#ifndef TIMING_PIPES_H
#define TIMING_PIPES_H

#include <stdbool.h>

#include "rv64.h"
#include "timing_pages.h"
#include "timing_profile.h"

struct npu_tile;
struct tile_access;

/*
 * A block is timed twice: as if L2 had nothing of what is in global memory, and as if it had all.
 * How much it had is known when the whole kernel has ended.
 */
enum npu_gm {
	NPU_GM_FAR,
	NPU_GM_NEAR,
	NPU_GM_COUNT
};

/**
 * struct npu_cost - what an instruction takes of its pipe, in cycles
 * @busy: until the pipe can begin with the next one
 * @latency: from there until the result is there
 * @hbm: that the core's share of HBM has to work for it
 */
struct npu_cost {
	uint64_t busy;
	uint64_t latency;
	uint64_t hbm;
};

/**
 * struct npu_block_time - what a block took, in cycles
 * @total: from its first instruction until all of it is done
 * @busy: of that, the pipes
 */
struct npu_block_time {
	uint64_t total;
	uint64_t busy[NPU_PIPE_COUNT];
};

/**
 * npu_cost() - what an instruction takes
 * @profile: of the product
 * @access: the instruction
 * @opcode: enum npu_vec_opcode, if it is a vector operation
 * @cores: that HBM bandwidth is shared by
 * @gm: where global memory is
 */
struct npu_cost npu_cost(const struct npu_profile *profile, const struct tile_access *access,
			 unsigned int opcode, unsigned int cores, enum npu_gm gm);

struct npu_pipes;

/* npu_pipes_new() - NULL if there is no memory. */
struct npu_pipes *npu_pipes_new(const struct npu_profile *profile);
void npu_pipes_free(struct npu_pipes *pipes);

/**
 * npu_pipes_start() - a block begins
 * @pipes: of its core
 * @instret: of the scalar unit
 * @cores: that its kernel runs on at most
 */
void npu_pipes_start(struct npu_pipes *pipes, uint64_t instret, unsigned int cores);

/**
 * npu_pipes_insn() - the scalar unit has come to a tile instruction, which has been executed
 * @pipes: of its core
 * @tile: the tile
 * @cpu: its scalar unit
 * @insn: the instruction
 */
void npu_pipes_insn(struct npu_pipes *pipes, const struct npu_tile *tile,
		    const struct rv64_cpu *cpu, const struct rv64_custom *insn);

/* npu_pipes_now() - cycle that the scalar unit is at, as if L2 had nothing. */
uint64_t npu_pipes_now(const struct npu_pipes *pipes, uint64_t instret);

/* npu_pipes_end() - the block has ended: what it took, with global memory @gm. */
struct npu_block_time npu_pipes_end(struct npu_pipes *pipes, uint64_t instret, enum npu_gm gm);

/* npu_pipes_pages() - pages of global memory that the block's pipes have touched. */
const struct npu_pages *npu_pipes_pages(const struct npu_pipes *pipes);

#endif /* TIMING_PIPES_H */

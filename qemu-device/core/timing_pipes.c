// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cycle model of one core. The scalar unit takes a cycle for each instruction, puts tile
 * instructions into the queues of their pipes, and goes on unless a queue is full. A pipe begins
 * with an instruction when the one before has left it and the flags that it waits for are set.
 */
#include <stdlib.h>
#include <string.h>

#include "npu_internal.h"
#include "tile_access.h"
#include "timing_pipes.h"

#define FLAG_IDS 16
#define FLAG_SETS 8 /* that have not been waited for; of more the last ones count as one */
#define QUEUE_MAX 64

/* Times at which a flag was set, oldest first. */
struct flag {
	uint64_t at[FLAG_SETS];
	unsigned int first, count;
};

/**
 * struct run - a block, under one of the assumptions of enum npu_gm; all in cycles of the block
 * @scalar: where the scalar unit is
 * @free: when a pipe can begin with its next instruction
 * @done: when all that it has begun is there
 * @busy: how long it has been busy
 * @hbm: how long the core's share of HBM has to work for all pipes
 * @left: when the last instructions left its queue, as a ring
 * @entered: how many have entered it
 * @flags: by source, destination and id
 */
struct run {
	uint64_t scalar;
	uint64_t free[NPU_PIPE_COUNT];
	uint64_t done[NPU_PIPE_COUNT];
	uint64_t busy[NPU_PIPE_COUNT];
	uint64_t hbm;
	uint64_t left[NPU_PIPE_COUNT][QUEUE_MAX];
	unsigned int entered[NPU_PIPE_COUNT];
	struct flag flags[NPU_PIPE_COUNT][NPU_PIPE_COUNT][FLAG_IDS];
};

struct npu_pipes {
	const struct npu_profile *profile;
	unsigned int cores;
	uint64_t start, instret;
	struct npu_pages pages;
	struct run runs[NPU_GM_COUNT];
};

struct npu_pipes *npu_pipes_new(const struct npu_profile *profile)
{
	struct npu_pipes *pipes = calloc(1, sizeof(*pipes));

	if (pipes)
		pipes->profile = profile;
	return pipes;
}

void npu_pipes_free(struct npu_pipes *pipes)
{
	if (pipes)
		npu_pages_free(&pipes->pages);
	free(pipes);
}

void npu_pipes_start(struct npu_pipes *pipes, uint64_t instret, unsigned int cores)
{
	memset(pipes->runs, 0, sizeof(pipes->runs));
	npu_pages_start(&pipes->pages, pipes->profile->l2_bytes);
	pipes->cores = cores;
	pipes->start = instret;
	pipes->instret = instret;
}

/* When an instruction that the scalar unit puts into the queue of @pipe could leave it. */
static uint64_t enter(const struct npu_pipes *pipes, struct run *run, enum npu_pipe pipe)
{
	uint64_t room = run->left[pipe][run->entered[pipe] % pipes->profile->queue_depth];

	run->scalar = npu_max(run->scalar, room);
	return npu_max(run->scalar, run->free[pipe]);
}

static void leave(const struct npu_pipes *pipes, struct run *run, enum npu_pipe pipe, uint64_t at)
{
	run->left[pipe][run->entered[pipe]++ % pipes->profile->queue_depth] = at;
	run->free[pipe] = at;
}

static void engine(const struct npu_pipes *pipes, struct run *run, enum npu_pipe pipe,
		   const struct npu_cost *cost)
{
	uint64_t start = enter(pipes, run, pipe);

	leave(pipes, run, pipe, start);
	run->free[pipe] = start + cost->busy;
	run->busy[pipe] += cost->busy;
	run->hbm += cost->hbm;
	run->done[pipe] = npu_max(run->done[pipe], start + cost->busy + cost->latency);
}

static void flag_put(struct flag *flag, uint64_t at)
{
	if (flag->count < FLAG_SETS)
		flag->count++;
	flag->at[(flag->first + flag->count - 1) % FLAG_SETS] = at;
}

static uint64_t flag_take(struct flag *flag)
{
	/* The last one stands for all that there was no room for. */
	if (!flag->count)
		return flag->at[(flag->first + FLAG_SETS - 1) % FLAG_SETS];
	flag->count--;
	flag->first = (flag->first + 1) % FLAG_SETS;
	return flag->at[(flag->first + FLAG_SETS - 1) % FLAG_SETS];
}

/* What a set says is done when all that its pipe did before is. */
static void set_flag(const struct npu_pipes *pipes, struct run *run, enum npu_pipe pipe,
		     struct flag *flag)
{
	uint64_t at = run->scalar;

	if (pipe != NPU_PIPE_S) {
		at = enter(pipes, run, pipe);
		leave(pipes, run, pipe, at);
		at = npu_max(at, run->done[pipe]);
	}
	flag_put(flag, at);
}

static void wait_flag(const struct npu_pipes *pipes, struct run *run, enum npu_pipe pipe,
		      struct flag *flag)
{
	uint64_t at = flag_take(flag);

	if (pipe == NPU_PIPE_S)
		run->scalar = npu_max(run->scalar, at);
	else
		leave(pipes, run, pipe, npu_max(enter(pipes, run, pipe), at));
}

static uint64_t all_done(const struct run *run)
{
	uint64_t at = run->scalar;
	unsigned int pipe;

	for (pipe = 0; pipe < NPU_PIPE_COUNT; pipe++)
		at = npu_max(at, npu_max(run->free[pipe], run->done[pipe]));
	return at;
}

static void barrier(const struct npu_pipes *pipes, struct run *run, uint64_t pipe)
{
	if (pipe == NPU_PIPE_ALL)
		run->scalar = all_done(run);
	else if (pipe != NPU_PIPE_S)
		leave(pipes, run, pipe, npu_max(enter(pipes, run, pipe), run->done[pipe]));
}

static void system_insn(const struct npu_pipes *pipes, struct run *run, unsigned int funct3,
			uint64_t operand)
{
	uint64_t src = NPU_GET(NPU_FLAG_SRC, operand), dst = NPU_GET(NPU_FLAG_DST, operand);
	struct flag *flag;

	if (funct3 == NPU_SYS_BARRIER) {
		barrier(pipes, run, operand);
		return;
	}
	if (funct3 != NPU_SYS_SET_FLAG && funct3 != NPU_SYS_WAIT_FLAG)
		return;
	flag = &run->flags[src][dst][NPU_GET(NPU_FLAG_ID, operand)];
	if (funct3 == NPU_SYS_SET_FLAG)
		set_flag(pipes, run, src, flag);
	else
		wait_flag(pipes, run, dst, flag);
}

static void touch(struct npu_pipes *pipes, const struct tile_access *access)
{
	unsigned int i;

	for (i = 0; i < access->count; i++) {
		const struct tile_rect *rect = &access->rects[i];

		if (rect->address >= NPU_VA_START)
			npu_pages_touch(&pipes->pages, rect->address, rect->row_bytes, rect->rows,
					rect->pitch);
	}
}

static void scalar_insns(struct npu_pipes *pipes, uint64_t instret)
{
	uint64_t cycles = instret - pipes->instret;
	unsigned int gm;

	for (gm = 0; gm < NPU_GM_COUNT; gm++)
		pipes->runs[gm].scalar += cycles;
	pipes->instret = instret;
}

void npu_pipes_insn(struct npu_pipes *pipes, const struct npu_tile *tile,
		    const struct rv64_cpu *cpu, const struct rv64_custom *insn)
{
	struct tile_access access;
	struct npu_cost cost;
	unsigned int gm;

	/* This one has been taken, too. */
	scalar_insns(pipes, cpu->instret + 1);
	tile_access_decode(tile, cpu, insn, &access);
	touch(pipes, &access);
	for (gm = 0; gm < NPU_GM_COUNT; gm++) {
		struct run *run = &pipes->runs[gm];

		if (insn->major == 3) {
			system_insn(pipes, run, insn->funct3, cpu->x[insn->rs1]);
		} else if (access.pipe != NPU_PIPE_S) {
			cost = npu_cost(pipes->profile, &access,
					NPU_GET(NPU_VEC_OPCODE, cpu->x[insn->rs3]), pipes->cores,
					gm);
			engine(pipes, run, access.pipe, &cost);
		}
	}
}

uint64_t npu_pipes_now(const struct npu_pipes *pipes, uint64_t instret)
{
	return pipes->runs[NPU_GM_FAR].scalar + instret - pipes->instret;
}

struct npu_block_time npu_pipes_end(struct npu_pipes *pipes, uint64_t instret, enum npu_gm gm)
{
	const struct run *run = &pipes->runs[gm];
	struct npu_block_time time;

	scalar_insns(pipes, instret);
	time.total = pipes->profile->block_cycles + npu_max(all_done(run), run->hbm);
	memcpy(time.busy, run->busy, sizeof(time.busy));
	time.busy[NPU_PIPE_S] = instret - pipes->start;
	return time;
}

const struct npu_pages *npu_pipes_pages(const struct npu_pipes *pipes)
{
	return &pipes->pages;
}

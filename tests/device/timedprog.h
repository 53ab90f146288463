/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels by hand on a device with modelled time, and what they take. */
#ifndef TIMEDPROG_H
#define TIMEDPROG_H

#include "testprog.h"

#define UB		NPU_UB_BASE
#define UB_OTHER	(NPU_UB_BASE + 0x18000)

/* Of all profiles */
#define COMMAND_NS	50
#define KERNEL_NS	2000
#define SDMA_NS		1000
#define BLOCK_CYCLES	200

static inline struct th_rig rig_new(unsigned int workers, const char *profile)
{
	return th_rig_pair(th_new_timed(workers, profile), 64);
}

/* Memory for kernels to copy */
static inline uint64_t gm_new(struct th_rig *r)
{
	return th_alloc(r->s, 64 << 20, NULL);
}

static inline uint64_t mmad(unsigned int m, unsigned int n, unsigned int k, unsigned int dtype)
{
	return NPU_PREP(NPU_MMAD_M, m) | NPU_PREP(NPU_MMAD_N, n) | NPU_PREP(NPU_MMAD_K, k) |
	       NPU_PREP(NPU_MMAD_DTYPE, dtype) | NPU_MMAD_INIT;
}

static inline uint64_t vector(unsigned int opcode, unsigned int dtype, uint32_t count)
{
	return NPU_PREP(NPU_VEC_OPCODE, opcode) | NPU_PREP(NPU_VEC_DTYPE, dtype) |
	       NPU_PREP(NPU_VEC_COUNT, count);
}

/* Two */
static inline void flag(struct prog *p, unsigned int funct3, unsigned int src, unsigned int dst,
			unsigned int id)
{
	load(p, PROG_OPERANDS + 1, src | dst << 4 | id << 8);
	again(p, 3, funct3);
}

static inline void set(struct prog *p, unsigned int src, unsigned int dst, unsigned int id)
{
	flag(p, NPU_SYS_SET_FLAG, src, dst, id);
}

static inline void wait(struct prog *p, unsigned int src, unsigned int dst, unsigned int id)
{
	flag(p, NPU_SYS_WAIT_FLAG, src, dst, id);
}

static inline struct npu_cmd stamp(struct th_rig *r, unsigned int index)
{
	struct npu_cmd cmd = th_store(r->va + 8 * index, 0, 8);

	cmd.opcode = NPU_CMD_TIMESTAMP;
	return cmd;
}

/* Modelled time from before to after a command, less what the scheduler takes for both. */
static inline uint64_t time_of(struct th_rig *r, const struct npu_cmd *cmd)
{
	struct npu_cmd list[] = { stamp(r, 0), *cmd, stamp(r, 1) };

	if (th_run(r->q, list, 3) != NPU_ST_OK)
		return 0;
	return r->words[1] - r->words[0] - 2 * COMMAND_NS;
}

/* What the blocks of a kernel take. */
static inline uint64_t blocks_ns(struct th_rig *r, struct prog *p, uint32_t blocks)
{
	struct npu_cmd cmd = kernel(r, p, blocks);

	return time_of(r, &cmd) - KERNEL_NS;
}

static inline void is(uint64_t got, uint64_t want, const char *what)
{
	ok(got == want, "%s: %llu ns, expected %llu", what, (unsigned long long)got,
	   (unsigned long long)want);
}

#endif /* TIMEDPROG_H */

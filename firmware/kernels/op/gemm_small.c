/* SPDX-License-Identifier: MIT */
/*
 * Products that are one tile each. The cube takes less time for such a product than gemm_tile.h to
 * get there: so the library works out all but the addresses, and a turn of the buffers is for as
 * many products as fit. L1 has one more slot than L0 has halves, so that what L0 has stays in L1,
 * and the device can read it there.
 */
#include "gemm_batch.h"
#include "gemm_output.h"

#define HALVES 2
#define SLOTS (HALVES + 1)

/* The next slot of L1, and the next halves of L0. */
struct buffers {
	uint64_t slot, half, c_half;
};

/* All buffers are free before the first turn and after the last, those too that no one uses. */
static void begin(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	for (uint32_t half = 0; half < HALVES; half++) {
		npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
	}
}

static void end(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, slot);
	for (uint32_t half = 0; half < HALVES; half++) {
		npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, half);
		npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, half);
	}
}

typedef void instruction(npu_addr dst, npu_addr src, uint64_t first, uint64_t last);

static inline void copy(npu_addr dst, npu_addr src, uint64_t first, uint64_t last)
{
	NPU_INSN_MTE(NPU_MTE_COPY, dst, src, first, last);
}

static inline void load0(npu_addr dst, npu_addr src, uint64_t first, uint64_t last)
{
	NPU_INSN_MTE(NPU_MTE_LOAD0, dst, src, first, last);
}

static inline void fixpipe(npu_addr dst, npu_addr src, uint64_t first, uint64_t last)
{
	NPU_INSN_CUBE(NPU_CUBE_FIXPIPE, dst, src, first, last);
}

/* A step for @count products: from one to the next @dst and @src grow so much. */
static inline __attribute__((always_inline)) void
step(instruction *insn, const struct npu_op_gemm_small_step *step, uint64_t count, npu_addr dst,
     uint64_t dst_each, npu_addr src, uint64_t src_each)
{
	const uint64_t first = step->operands[0], last = step->operands[1], each = step->each;

	if (each) {
		insn(dst, src, first + (count - 1) * each, last);
		return;
	}
	for (; count; count--, dst += dst_each, src += src_each)
		insn(dst, src, first, last);
}

/* @count products from the matrices at @a and @b, to @c */
static inline void turn(const struct npu_op_gemm_small_args *args, const struct buffers *s,
			npu_addr a, npu_addr b, npu_addr c, uint64_t count,
			const struct npu_op_gemm_small_step *store)
{
	const struct npu_op_gemm_args *g = &args->gemm;
	const npu_addr l1_a = NPU_L1_BASE + s->slot * args->turn * (args->a_l1 + args->b_l1);
	const npu_addr l1_b = l1_a + args->turn * args->a_l1;
	const npu_addr l0a = NPU_L0A_BASE + s->half * (NPU_L0A_SIZE / HALVES);
	const npu_addr l0b = NPU_L0B_BASE + s->half * (NPU_L0B_SIZE / HALVES);
	const npu_addr l0c = NPU_L0C_BASE + s->c_half * (NPU_L0C_SIZE / HALVES);

	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, s->slot);
	step(copy, &args->copy_a, count, l1_a, args->a_l1, a, g->a_stride[0]);
	step(copy, &args->copy_b, count, l1_b, args->b_l1, b, g->b_stride[0]);
	npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, s->slot);
	npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_MTE1, s->slot);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_MTE1, s->half);
	step(load0, &args->load_a, count, l0a, args->a_l0, l1_a, args->a_l1);
	step(load0, &args->load_b, count, l0b, args->b_l0, l1_b, args->b_l1);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_MTE2, s->slot);
	npu_set_flag(NPU_PIPE_MTE1, NPU_PIPE_M, s->half);
	npu_wait_flag(NPU_PIPE_MTE1, NPU_PIPE_M, s->half);
	npu_wait_flag(NPU_PIPE_FIX, NPU_PIPE_M, s->c_half);
	for (uint64_t i = 0; i < count; i++)
		NPU_INSN_CUBE(NPU_CUBE_MMAD, l0c + i * args->c_l0, l0a + i * args->a_l0,
			      l0b + i * args->b_l0, args->mmad);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_MTE1, s->half);
	npu_set_flag(NPU_PIPE_M, NPU_PIPE_FIX, s->c_half);
	npu_wait_flag(NPU_PIPE_M, NPU_PIPE_FIX, s->c_half);
	step(fixpipe, store, count, c, g->c_stride[0], l0c, args->c_l0);
	npu_set_flag(NPU_PIPE_FIX, NPU_PIPE_M, s->c_half);
}

/* @count products from @at on, along the innermost dimension of the batch. */
static inline void run(const struct npu_op_gemm_small_args *args, struct buffers *s, uint64_t at,
		       uint64_t count, const struct npu_op_gemm_small_step *store)
{
	const struct npu_op_gemm_args *g = &args->gemm;
	npu_addr a = g->a + batch_offset(g, g->a_stride, at);
	npu_addr b = g->b + batch_offset(g, g->b_stride, at);
	npu_addr c = g->out.c + batch_offset(g, g->c_stride, at);

	while (count) {
		const uint64_t now = npu_min(count, args->turn);

		turn(args, s, a, b, c, now, store);
		a += now * g->a_stride[0];
		b += now * g->b_stride[0];
		c += now * g->c_stride[0];
		count -= now;
		s->slot = s->slot < args->halves ? s->slot + 1 : 0;
		s->half = s->half + 1 < args->halves ? s->half + 1 : 0;
		s->c_half = s->c_half + 1 < args->c_halves ? s->c_half + 1 : 0;
	}
}

NPU_ARGS(op_gemm_small, struct npu_op_gemm_small_args, in(gemm.a), in(gemm.b), out(gemm.out.c),
	 value(gemm.m), value(gemm.n), value(gemm.k), value(gemm.in));

NPU_KERNEL(op_gemm_small, struct npu_op_gemm_small_args)
{
	const struct npu_op_gemm_args *g = &args->gemm;
	const struct npu_span span = npu_split(batch_count(g), args->turn, block, blocks);
	const uint32_t sum = g->in == NPU_S8 ? NPU_S32 : NPU_F32;
	const struct output out = output_of(&g->out, sum, 0);
	struct npu_op_gemm_small_step store = args->fixpipe;
	struct buffers buffers = { 0 };
	uint64_t count;

	store.operands[1] |=
		NPU_PREP(NPU_FIXPIPE_SCALE, npu_f32_bits(output_direct_scale(&out, sum)));
	begin();
	for (uint64_t at = span.begin; at < span.end; at += count) {
		count = npu_min(span.end - at, g->batch[0] - at % g->batch[0]);
		run(args, &buffers, at, count, &store);
	}
	end();
}

/* SPDX-License-Identifier: MIT */
/* Products of matrices, of a batch of them, with bias, activation and scales. */
#include "gemm_batch.h"
#include "gemm_output.h"
#include "gemm_s4.h"

struct product {
	struct gemm gemm;
	struct output out;
	struct s4 s4;
	const struct npu_op_gemm_args *args;
};

/* Turn to a product of the batch. */
static void enter(struct gemm *g, uint64_t batch)
{
	struct product *p = (struct product *)g;
	const struct npu_op_gemm_args *args = p->args;

	g->a.base = args->a + batch_offset(args, args->a_stride, batch);
	g->b.base = args->b + batch_offset(args, args->b_stride, batch);
	p->s4.scales = args->scale_s4 + batch_offset(args, args->scale_stride, batch);
	p->out.c = args->out.c + batch_offset(args, args->c_stride, batch);
	p->out.pre = args->out.pre + batch_offset(args, args->pre_stride, batch);
}

static void prepare(struct product *p, const struct npu_op_gemm_args *args, uint32_t area)
{
	p->args = args;
	p->gemm = (struct gemm){
		.a = { .pitch = args->lda,
		       .k_rows = args->out.flags & NPU_OP_GEMM_K_ROWS_A,
		       .pipe = NPU_PIPE_MTE2 },
		.b = { .pitch = args->ldb,
		       .k_rows = args->out.flags & NPU_OP_GEMM_K_ROWS_B,
		       .pipe = NPU_PIPE_MTE2 },
		.batches = batch_count(args),
		.m = args->m,
		.n = args->n,
		.k = args->k,
		.tile_m = args->tile_m,
		.tile_n = args->tile_n,
		.in = args->in,
		.enter = enter,
		.store = output_store,
		.context = &p->out,
	};
	p->out = output_of(&args->out, gemm_sum_dtype(&p->gemm), area);
}

NPU_ARGS(op_gemm, struct npu_op_gemm_args, in(a), in(b), out(out.c), value(m), value(n), value(k),
	 value(in));

NPU_KERNEL(op_gemm, struct npu_op_gemm_args)
{
	struct product p;

	prepare(&p, args, OUTPUT_AREA_MAX);
	gemm_plan(&p.gemm);
	output_begin(&p.out);
	gemm_run(&p.gemm, npu_split(gemm_tiles(&p.gemm), 1, block, blocks));
	output_end(&p.out);
}

NPU_ARGS(op_gemm_s4, struct npu_op_gemm_args, in(a), in(b), in(scale_s4), out(out.c), value(m),
	 value(n), value(k), value(in), value(group));

NPU_KERNEL(op_gemm_s4, struct npu_op_gemm_args)
{
	struct gemm_operand *s4;
	struct product p;

	prepare(&p, args, S4_OUTPUT_AREA);
	p.s4.args = args;
	s4 = args->out.flags & NPU_OP_GEMM_S4_A ? &p.gemm.a : &p.gemm.b;
	s4->pipe = NPU_PIPE_MTE3;
	s4->load = s4_load;
	s4->source = &p.s4;
	p.gemm.b_stays = s4 == &p.gemm.b;
	gemm_plan(&p.gemm);
	output_begin(&p.out);
	s4_begin();
	gemm_run(&p.gemm, npu_split(gemm_tiles(&p.gemm), 1, block, blocks));
	s4_end();
	output_end(&p.out);
}

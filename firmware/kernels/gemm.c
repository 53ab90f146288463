/* SPDX-License-Identifier: MIT */
/* C = A * B, either transposed, with ReLU if asked for. */
#include "gemm_tile.h"
#include "npu_kernels.h"

/* How a tile goes to C: FIXPIPE does all of it. */
struct output {
	npu_addr c;
	uint64_t pitch;
	uint32_t dtype, bytes;
	uint32_t flags;
	float scale;
};

static void store_tile(const struct gemm *g, const struct gemm_tile *t, npu_addr l0c)
{
	const struct output *out = g->context;

	npu_fixpipe(out->c + t->m0 * out->pitch + t->n0 * out->bytes, l0c, t->mt, t->nt, out->pitch,
		    gemm_sum_dtype(g), out->dtype, out->flags, out->scale);
}

NPU_ARGS(gemm, struct npu_gemm_args, in(a), in(b), out(c), value(m), value(n), value(k), value(lda),
	 value(ldb), value(ldc), value(in), value(out), value(flags), value(scale));

NPU_KERNEL(gemm, struct npu_gemm_args)
{
	const uint32_t bytes = npu_dtype_bytes(args->in), out_bytes = npu_dtype_bytes(args->out);
	struct output out = {
		.c = args->c,
		.pitch = (uint64_t)args->ldc * out_bytes,
		.dtype = args->out,
		.bytes = out_bytes,
		.flags = args->flags & NPU_GEMM_RELU ? NPU_FIX_RELU : 0,
		.scale = args->in == NPU_S8 && args->out != NPU_S32 ? args->scale : 0,
	};
	struct gemm g = {
		.a = { .base = args->a,
		       .pitch = (uint64_t)args->lda * bytes,
		       .k_rows = args->flags & NPU_GEMM_TRANS_A,
		       .pipe = NPU_PIPE_MTE2 },
		.b = { .base = args->b,
		       .pitch = (uint64_t)args->ldb * bytes,
		       .k_rows = !(args->flags & NPU_GEMM_TRANS_B),
		       .pipe = NPU_PIPE_MTE2 },
		.batches = 1,
		.m = args->m,
		.n = args->n,
		.k = args->k,
		.tile_m = npu_gemm_even(args->m, NPU_GEMM_TILE_M, 8),
		.tile_n = npu_gemm_even(args->n, NPU_GEMM_TILE_N, 32),
		.in = args->in,
		.store = store_tile,
		.context = &out,
	};

	gemm_plan(&g);
	gemm_run(&g, npu_split(gemm_tiles(&g), 1, block, blocks));
}

/* SPDX-License-Identifier: MIT */
/* out = x + y: the smallest useful kernel, the one that docs/kernels.md begins with. */
#include "npu_typed.h"
#include "npu_kernels.h"

#define CHUNK 8192 /* elements at a time: 32 KiB an operand */

NPU_ARGS(vector_add, struct npu_vector_add_args, in(x), in(y), out(out), value(count));

NPU_KERNEL(vector_add, struct npu_vector_add_args)
{
	const struct npu_span mine = npu_split(args->count, CHUNK, block, blocks);
	const npu_gm_f32 from_x = { args->x }, from_y = { args->y }, to = { args->out };
	const npu_ub_f32 x = { NPU_UB_BASE }, y = NPU_AFTER(x, CHUNK);

	for (uint64_t at = mine.begin; at < mine.end; at += CHUNK) {
		const uint32_t n = npu_min(CHUNK, mine.end - at);

		npu_tload(x, npu_at(from_x, at), n);
		npu_tload(y, npu_at(from_y, at), n);
		npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, 0);
		npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, 0);

		npu_tvadd(x, x, y, n);
		npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);
		npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);

		npu_tstore(npu_at(to, at), x, n);
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, 0);
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, 0);
	}
}

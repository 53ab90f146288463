/* SPDX-License-Identifier: MIT */
/* out = x + y: the smallest useful kernel, the one that docs/kernels.md walks through. */
#include "npu_kernel.h"
#include "npu_kernels.h"

#define CHUNK 8192 /* elements at a time: 32 KiB an operand */
#define X NPU_UB_BASE
#define Y (X + CHUNK * sizeof(float))

NPU_ARGS(vector_add, struct npu_vector_add_args, in(x), in(y), out(out), value(count));

NPU_KERNEL(vector_add, struct npu_vector_add_args)
{
	const struct npu_span mine = npu_split(args->count, CHUNK, block, blocks);

	for (uint64_t at = mine.begin; at < mine.end; at += CHUNK) {
		const uint32_t n = npu_min(CHUNK, mine.end - at);
		const uint64_t offset = at * sizeof(float);

		npu_copy(X, args->x + offset, n * sizeof(float));
		npu_copy(Y, args->y + offset, n * sizeof(float));
		npu_set_flag(NPU_PIPE_MTE2, NPU_PIPE_V, 0);
		npu_wait_flag(NPU_PIPE_MTE2, NPU_PIPE_V, 0);

		npu_vadd(X, X, Y, n, NPU_F32);
		npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);
		npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);

		npu_copy(args->out + offset, X, n * sizeof(float));
		npu_set_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, 0);
		npu_wait_flag(NPU_PIPE_MTE3, NPU_PIPE_MTE2, 0);
	}
}

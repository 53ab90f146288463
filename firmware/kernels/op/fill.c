/* SPDX-License-Identifier: MIT */
/* A value for all elements. */
#include "npu_kernel.h"
#include "npu_op_fill.h"

NPU_ARGS(op_fill, struct npu_op_fill_args, out(out), value(count), value(pattern), value(dtype));

NPU_KERNEL(op_fill, struct npu_op_fill_args)
{
	const uint32_t bytes = npu_dtype_bytes(args->dtype), chunk = NPU_UB_SIZE / bytes;
	const struct npu_span mine = npu_split(args->count, NPU_TILE_ALIGN, block, blocks);
	const uint32_t first = npu_min(chunk, mine.end - mine.begin);

	npu_vdup(NPU_UB_BASE, args->pattern, first, args->dtype);
	npu_set_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);
	npu_wait_flag(NPU_PIPE_V, NPU_PIPE_MTE3, 0);
	for (uint64_t i = mine.begin; i < mine.end; i += chunk)
		npu_copy(args->out + i * bytes, NPU_UB_BASE, npu_min(chunk, mine.end - i) * bytes);
}

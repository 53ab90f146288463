// SPDX-License-Identifier: MIT
/* A kernel for each finding of strict mode, by args->what; and what is left if that is NONE. */
#include <stdbool.h>

#include "npu_kernel.h"
#include "rt_strict.h"

#define BYTES 64
#define COUNT (BYTES / 4)

static void order(enum npu_pipe from, enum npu_pipe to, bool left_out)
{
	if (left_out)
		return;
	npu_set_flag(from, to, 0);
	npu_wait_flag(from, to, 0);
}

NPU_ARGS(strict, struct strict_args, in(in), out(out), value(what), value(pad));

NPU_KERNEL(strict, struct strict_args)
{
	const npu_addr own = args->out + (args->what == STRICT_OVERLAP ? 0 : block * BYTES);

	npu_copy(NPU_UB_BASE, args->in, BYTES); /* load */
	order(NPU_PIPE_MTE2, NPU_PIPE_V, args->what == STRICT_FLAG);
	npu_vmov(NPU_UB_BASE + 0x400, NPU_UB_BASE, COUNT, NPU_F32); /* use */
	if (args->what == STRICT_LOCAL)
		npu_vmov(NPU_UB_BASE + 0x400, NPU_UB_BASE + 0x800, COUNT, NPU_F32); /* unwritten */
	if (args->what == STRICT_RANGE)
		npu_vmov(NPU_UB_BASE + NPU_UB_SIZE - 32, NPU_UB_BASE, COUNT, NPU_F32); /* outside */
	if (args->what == STRICT_LEFT)
		npu_set_flag(NPU_PIPE_V, NPU_PIPE_M, 5); /* left */
	order(NPU_PIPE_V, NPU_PIPE_MTE3, false);
	npu_copy(own, NPU_UB_BASE + 0x400, BYTES); /* store */
}

/* SPDX-License-Identifier: MIT */
/* Kernels to be debugged; gdb.py finds its lines by the marks behind them. */
#include "npu_kernel.h"

#define COUNT 16

struct sum_args {
	npu_addr data;
	uint64_t more;
};

NPU_ARGS(sum, struct sum_args, inout(data), value(more));

static __attribute__((noinline)) uint64_t more_of(uint32_t block, uint64_t more)
{
	return block + more; /* helper */
}

/* data[block][i] += block + more */
NPU_KERNEL(sum, struct sum_args)
{
	const npu_addr mine = args->data + block * COUNT * sizeof(uint32_t);
	volatile uint32_t *row = (volatile uint32_t *)NPU_UB_BASE;
	uint64_t more;

	npu_copy(NPU_UB_BASE, mine, COUNT * sizeof(uint32_t));
	more = more_of(block, args->more); /* before */
	for (int i = 0; i < COUNT; i++)
		row[i] += more; /* loop */
	row[0] = row[0]; /* after */
	npu_copy(mine, NPU_UB_BASE, COUNT * sizeof(uint32_t));
}

NPU_ARGS(crash, struct sum_args, value(data), value(more));

NPU_KERNEL(crash, struct sum_args)
{
	volatile uint64_t *nowhere = (volatile uint64_t *)args->data;

	*nowhere = args->more; /* crash */
}

NPU_ARGS(hang, struct sum_args, inout(data), value(more));

NPU_KERNEL(hang, struct sum_args)
{
	volatile uint64_t *flag = (volatile uint64_t *)args->data;

	while (*flag != args->more) /* hang */
		;
}

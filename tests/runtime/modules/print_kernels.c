// SPDX-License-Identifier: MIT
/* Kernels that print, and one that asserts. */
#include "npu_kernel.h"
#include "print_kernels.h"

static const char *parity(uint32_t block)
{
	return block & 1 ? "odd" : "even";
}

NPU_KERNEL(talk, struct talk_args)
{
	npu_printf("x is %g, %.2f, %d, %#lx, %s\n", args->number, args->single, args->negative,
		   args->large, parity(block));
}

NPU_KERNEL(many, struct many_args)
{
	for (uint32_t i = 0; i < args->count; i++)
		npu_printf("%u %u %u %u %u %u %u %u %u %u %u %u", i, i + 1, i + 2, i + 3, i + 4,
			   i + 5, i + 6, i + 7, i + 8, i + 9, i + 10, i + 11);
}

NPU_KERNEL(limit, struct limit_args)
{
	npu_printf("n is %lu", args->n);
	npu_assert(args->n < 8);
}

// SPDX-License-Identifier: MIT
/* Products of few rows, as those of a step of decoding are. */
#include <npu_op_norm.h>

#include "gemm.h"

#define LEAST_BYTES (1u << 20) /* of B that are worth a block: with fewer, workers meet too often */
#define LEAST_ROW 768 /* bytes of a row of B: shorter ones take as long to copy */

bool op_gemm_is_thin(const struct npu_op_gemm_args *args)
{
	const uint64_t row = npuop_dtype_bytes(args->in, args->k);

	if ((args->out.flags & (NPU_OP_GEMM_K_ROWS_A | NPU_OP_GEMM_K_ROWS_B)) !=
		    NPU_OP_GEMM_K_ROWS_B ||
	    args->in == NPUOP_S8)
		return false;
	for (uint32_t d = 0; d < NPU_OP_GEMM_BATCH; d++)
		if (args->batch[d] != 1)
			return false;
	return args->k && args->m <= NPU_OP_GEMM_THIN_ROWS &&
	       args->m * op_padded(row) <= NPU_OP_GEMM_THIN_BYTES;
}

bool op_gemm_norm_fits(uint64_t m, uint64_t k)
{
	/* The sum of a longer row's squares is one of pieces, which the kernel does not cut. */
	return m <= NPU_OP_GEMM_THIN_ROWS && k <= NPU_OP_NORM_WIDTH &&
	       m * op_padded(k * sizeof(float)) <= NPU_OP_GEMM_NORM_BYTES;
}

int op_gemm_thin(npuop *ops, const struct npu_op_gemm_thin_args *args)
{
	const uint64_t row = npuop_dtype_bytes(args->gemm.in, args->gemm.n);
	const uint64_t rows = row * args->gemm.k / LEAST_BYTES, parts = row / LEAST_ROW;

	return op_launch(ops, OP_KERNEL_op_gemm_thin,
			 op_blocks(ops, rows < parts ? rows : parts, 1), args, sizeof(*args));
}

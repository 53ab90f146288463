/* SPDX-License-Identifier: MIT */
/* Where the matrices of a batch's products are. */
#ifndef OP_GEMM_BATCH_H
#define OP_GEMM_BATCH_H

#include "npu_kernel.h"
#include "npu_op_gemm.h"

static inline uint64_t batch_count(const struct npu_op_gemm_args *args)
{
	return args->batch[0] * args->batch[1] * args->batch[2] * args->batch[3];
}

/* batch_offset() - bytes from the first product's matrix to that of @product */
static inline uint64_t batch_offset(const struct npu_op_gemm_args *args, const uint64_t *stride,
				    uint64_t product)
{
	uint64_t offset = 0;

	for (unsigned int d = 0; product; product /= args->batch[d++])
		offset += product % args->batch[d] * stride[d];
	return offset;
}

#endif /* OP_GEMM_BATCH_H */

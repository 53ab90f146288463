// SPDX-License-Identifier: MIT
/* How products are cut into tiles and blocks, and what goes with every product. */
#include "gemm.h"

#define LEAST_FLOP 1e6 /* that are worth a block */
/* Small tiles bring more to L1 for each product: only where few cores, one of so many, work. */
#define BUSY_PART 4

static uint64_t count(uint64_t batches, uint32_t m, uint32_t n, uint32_t tile_m, uint32_t tile_n)
{
	return batches * (((uint64_t)m + tile_m - 1) / tile_m) *
	       (((uint64_t)n + tile_n - 1) / tile_n);
}

uint64_t op_tiles(const npuop *ops, uint64_t batches, uint32_t m, uint32_t n, uint32_t *tile_m,
		  uint32_t *tile_n)
{
	uint32_t most_m = NPU_GEMM_TILE_M, most_n = NPU_GEMM_TILE_N;
	uint64_t tiles;

	for (;;) {
		*tile_m = npu_gemm_even(m, most_m, 8);
		*tile_n = npu_gemm_even(n, most_n, 32);
		tiles = count(batches, m, n, *tile_m, *tile_n);
		if (tiles >= ops->cores / BUSY_PART)
			return tiles;
		if (*tile_n > 128)
			most_n = 128;
		else if (*tile_m > 64)
			most_m = 64;
		else
			return tiles;
	}
}

uint32_t op_tile_blocks(const npuop *ops, uint64_t tiles, double flop)
{
	const double worth = LEAST_FLOP / (flop + 1);
	const uint32_t blocks = op_blocks(ops, tiles, worth > 1 ? (uint64_t)worth : 1);
	const uint64_t rounds = (tiles + blocks - 1) / blocks;

	return (uint32_t)((tiles + rounds - 1) / rounds);
}

int op_bias(npuop *ops, const npuop_tensor *bias, uint64_t count, uint32_t dtype,
	    struct npu_op_output *out)
{
	const uint32_t types = OP_TYPE(NPUOP_F32) | (OP_TYPE(dtype) & OP_FLOATS);
	int err;

	if (!bias)
		return 0;
	err = op_read(ops, "bias", bias, types);
	if (!err)
		err = op_shape(ops, "bias", bias, 1, &count);
	if (!err)
		err = op_inner(ops, "bias", bias);
	out->bias = op_address(bias);
	out->bias_dtype = bias->dtype;
	return err;
}

int op_activation(npuop *ops, uint32_t activation)
{
	if (activation < NPU_OP_ACT_COUNT)
		return 0;
	return op_fail(ops, NPURT_ERROR_INVALID, "activation: there is no %u", activation);
}

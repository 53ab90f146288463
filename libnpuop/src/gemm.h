/* SPDX-License-Identifier: MIT */
/* What npuop_gemm() and the convolutions share. */
#ifndef OP_GEMM_H
#define OP_GEMM_H

#include <npu_op_gemm.h>

#include "internal.h"

/* op_bias() - is a bias one of @count elements, of F32 or @dtype? Its part of @out; NULL: none. */
int op_bias(npuop *ops, const npuop_tensor *bias, uint64_t count, uint32_t dtype,
	    struct npu_op_output *out);
/* op_activation() - is it an enum npuop_activation? */
int op_activation(npuop *ops, uint32_t activation);

/*
 * op_tiles() - the shape of tiles for @batches products m x n: few large ones, unless cores would
 * be idle; returns how many there are
 */
uint64_t op_tiles(const npuop *ops, uint64_t batches, uint32_t m, uint32_t n, uint32_t *tile_m,
		  uint32_t *tile_n);
/* op_tile_blocks() - blocks for @tiles of @flop operations each, as few as take no more rounds */
uint32_t op_tile_blocks(const npuop *ops, uint64_t tiles, double flop);

/* op_padded() - bytes of a row in the core's buffers */
static inline uint64_t op_padded(uint64_t bytes)
{
	return (bytes + NPU_TILE_ALIGN - 1) / NPU_TILE_ALIGN * NPU_TILE_ALIGN;
}

/*
 * op_gemm_small() - can op_gemm_small do all of @gemm, which is not S4 and has its tiles? @args for
 * it
 */
bool op_gemm_small(const struct npu_op_gemm_args *gemm, struct npu_op_gemm_small_args *args);

/* op_gemm_is_thin() - does op_gemm_thin() take it, which is not S4? @args has no tiles yet. */
bool op_gemm_is_thin(const struct npu_op_gemm_args *args);
/* op_gemm_norm_fits() - can it take rows of A that are to be normalised, of F32? */
bool op_gemm_norm_fits(uint64_t m, uint64_t k);
int op_gemm_thin(npuop *ops, const struct npu_op_gemm_thin_args *args);

#endif /* OP_GEMM_H */

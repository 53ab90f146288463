/* SPDX-License-Identifier: MIT */
/* Arguments of the attention kernels, for the kernels and the library. */
#ifndef NPU_OP_ATTENTION_H
#define NPU_OP_ATTENTION_H

#include "npu/npu_types.h"

/**
 * struct npu_op_heads - a tensor [batch, heads, positions, dim], its last dimension dense
 * @base: device address; 0: there is none
 * @batch: bytes from sequence to sequence
 * @head: bytes from head to head
 * @position: bytes from position to position, less than 4 GiB
 */
struct npu_op_heads {
	uint64_t base;
	uint64_t batch, head, position;
};

/**
 * struct npu_op_attention_shape - what the kernels have in common
 * @batch: sequences
 * @heads: of q; a multiple of @kv_heads
 * @kv_heads: of k and v
 * @queries: positions of q, at most NPU_OP_ATTENTION_POSITIONS
 * @keys: positions of k and v, likewise; of a cache in pages the most that its table has
 * @dim: of a head, 1 to NPU_OP_ATTENTION_DIM
 * @dtype: of all but lse: F32, F16 or BF16
 * @flags: NPU_OP_ATTENTION_*
 * @scale: of the scores
 * @rsvd: zero
 */
struct npu_op_attention_shape {
	uint32_t batch, heads, kv_heads;
	uint32_t queries, keys, dim;
	uint32_t dtype;
	uint32_t flags;
	float scale;
	uint32_t rsvd;
};

#define NPU_OP_ATTENTION_CAUSAL 0x1 /* query i sees keys up to i + keys - queries */
#define NPU_OP_ATTENTION_DIM 256
#define NPU_OP_ATTENTION_POSITIONS (1u << 24) /* positions are exact in fp32 */

/**
 * struct npu_op_pages - a cache in pages
 * @table: S32, the pages of each sequence in order
 * @lengths: S32, keys of each sequence; 0: there is no cache
 * @table_pitch: bytes from a sequence's pages to those of the next
 * @k_page: bytes from page to page in k
 * @v_page: likewise
 * @page_size: positions of a page
 * @pages: pages of the cache; a table with another one traps with the number of the sequence,
 *	as a length does that the table has no pages for
 */
struct npu_op_pages {
	uint64_t table, lengths;
	uint64_t table_pitch;
	uint64_t k_page, v_page;
	uint32_t page_size;
	uint32_t pages;
};

/**
 * struct npu_op_attention_args - "op_attention": out = softmax(scale * q k') v
 * @shape: see there
 * @q: queries
 * @k: keys; of a cache in pages its batch is not used
 * @v: values, likewise
 * @out: as q
 * @lse: base and strides of [batch, heads, queries], F32: logarithm of each row's sum
 * @pages: of a cache
 */
struct npu_op_attention_args {
	struct npu_op_attention_shape shape;
	struct npu_op_heads q, k, v, out, lse;
	struct npu_op_pages pages;
};

/**
 * struct npu_op_attention_backward_args - "op_attention_backward"
 * @shape: see there
 * @q: queries
 * @k: keys
 * @v: values
 * @out: what op_attention has written
 * @lse: likewise
 * @grad: gradient of out
 * @grad_q: as q
 * @grad_k: as k
 * @grad_v: as v
 * @scratch: for each block its own
 * @scratch_pitch: bytes of it: npu_op_attention_scratch()
 */
struct npu_op_attention_backward_args {
	struct npu_op_attention_shape shape;
	struct npu_op_heads q, k, v, out, lse, grad, grad_q, grad_k, grad_v;
	uint64_t scratch, scratch_pitch;
};

/*
 * npu_op_attention_scratch() - for the heads that share a head of k: grad_q in fp32, and a number
 * for each of their queries
 */
static inline uint64_t npu_op_attention_scratch(const struct npu_op_attention_shape *shape)
{
	const uint64_t rows = (uint64_t)(shape->heads / shape->kv_heads) * shape->queries;

	return rows * (shape->dim * 4ull + 4);
}

/**
 * struct npu_op_cache_append_args - "op_cache_append": positions into their pages
 * @k: [batch, heads, positions, dim]
 * @v: likewise
 * @k_cache: its batch is not used
 * @v_cache: likewise
 * @pages: of the cache; lengths are with the new positions, which are the last ones
 * @batch: sequences
 * @heads: heads
 * @positions: new ones of each sequence; those before the first of a sequence are left out
 * @capacity: positions that a sequence's pages have
 * @row_bytes: of a head's position, at most NPU_OP_CACHE_ROW
 * @rsvd: zero
 */
struct npu_op_cache_append_args {
	struct npu_op_heads k, v, k_cache, v_cache;
	struct npu_op_pages pages;
	uint32_t batch, heads, positions, capacity;
	uint32_t row_bytes;
	uint32_t rsvd;
};

#define NPU_OP_CACHE_ROW 32768

/**
 * struct npu_op_attention_decode_args - "op_attention_decode": a new position of each sequence
 * @shape: with one query; dim is a multiple of 16, and heads at most NPU_OP_DECODE_ROWS for each
 *	of kv_heads
 * @q: of the new positions
 * @k: likewise
 * @v: likewise
 * @k_cache: its batch is not used
 * @v_cache: likewise
 * @out: as q
 * @pages: of the cache; lengths are with the new position
 * @rope: F32, of each position the cosines and the sines of dim / 2 angles; 0: nothing turns
 * @rope_pitch: bytes from position to position
 */
struct npu_op_attention_decode_args {
	struct npu_op_attention_shape shape;
	struct npu_op_heads q, k, v, k_cache, v_cache, out;
	struct npu_op_pages pages;
	uint64_t rope, rope_pitch;
};

#define NPU_OP_DECODE_ROWS 32
#define NPU_OP_DECODE_WIDTH NPU_OP_ATTENTION_DIM

/* npu_op_decode_heads() - heads of k that a block takes together: these are narrow and few. */
static inline uint32_t npu_op_decode_heads(const struct npu_op_attention_shape *shape)
{
	const uint32_t by_width = NPU_OP_DECODE_WIDTH / shape->dim;
	const uint32_t by_rows = NPU_OP_DECODE_ROWS / (shape->heads / shape->kv_heads);
	const uint32_t heads = by_width < by_rows ? by_width : by_rows;

	return heads < shape->kv_heads ? heads : shape->kv_heads;
}

#endif /* NPU_OP_ATTENTION_H */

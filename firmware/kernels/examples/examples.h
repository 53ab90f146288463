/* SPDX-License-Identifier: MIT */
/* Arguments of the kernels that docs/kernels.md walks through, for kernels and programs. */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include <stdint.h>

/* scale: out = factor * x. All fp32. */
struct scale_args {
	uint64_t x; /* device addresses */
	uint64_t out;
	uint64_t count;
	float factor;
	uint32_t rsvd;
};

/* row_sum: out[r] is the sum of row r of x. All fp32, rows dense. */
struct row_sum_args {
	uint64_t x;
	uint64_t out;
	uint32_t rows;
	uint32_t cols; /* at most ROW_SUM_COLS */
};

#define ROW_SUM_COLS 8192

/* matmul: C = A B, with A m x k and B k x n in fp16, and C in fp32. Rows dense. */
struct matmul_args {
	uint64_t a;
	uint64_t b;
	uint64_t c;
	uint32_t m, n, k;
	uint32_t rsvd;
};

/* flash_attention: out = softmax(scale * Q K^T) V, of one head. */
struct flash_attention_args {
	uint64_t q; /* queries x width, fp16 */
	uint64_t k; /* keys x width, fp16 */
	uint64_t v; /* likewise */
	uint64_t out; /* queries x width, fp32 */
	uint32_t queries;
	uint32_t keys; /* at least 1 */
	uint32_t width; /* of the head, 1 to FLASH_ATTENTION_WIDTH */
	float scale;
};

#define FLASH_ATTENTION_WIDTH 128

#endif /* EXAMPLES_H */

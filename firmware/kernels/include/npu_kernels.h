/* SPDX-License-Identifier: MIT */
/*
 * The kernels that come with the stack: names and arguments, for kernels and host
 * programs. Each structure is what the kernel of that name takes.
 *
 * Addresses are device addresses; matrices are row-major and a leading dimension
 * (ld*) is the number of elements from row to row. dtypes are those of
 * npu/npu_tile.h. Any number of blocks is right; the helpers give a good one.
 */
#ifndef NPU_KERNELS_H
#define NPU_KERNELS_H

#include "npu/npu_tile.h"

/* Output tile of the GEMM kernel. */
#define NPU_GEMM_TILE_M 128
#define NPU_GEMM_TILE_N 256

/* npu_gemm_even() - size of tiles as few as @most asks for, and as even as their @unit allows */
static inline uint32_t npu_gemm_even(uint32_t extent, uint32_t most, uint32_t unit)
{
	const uint32_t tiles = extent ? (extent - 1) / most + 1 : 1;
	const uint32_t even = extent ? ((extent - 1) / tiles / unit + 1) * unit : unit;

	return even < most ? even : most;
}

#define NPU_GEMM_TRANS_A 0x1 /* A is stored as k x m */
#define NPU_GEMM_TRANS_B 0x2 /* B is stored as n x k */
#define NPU_GEMM_RELU 0x4

/**
 * struct npu_gemm_args - "gemm" (gemm.elf): C = A * B
 * @a: A, m x k
 * @b: B, k x n
 * @c: C, m x n
 * @m: rows of C
 * @n: columns of C
 * @k: length of the sums
 * @lda: leading dimension of A as it is stored
 * @ldb: of B
 * @ldc: of C
 * @in: dtype of A and B: F16, BF16, F32 or S8
 * @out: dtype of C: F32, F16 or BF16; from S8: S32, F32, F16 or S8
 * @flags: NPU_GEMM_*
 * @scale: from S8 to other than S32: factor of the sums
 */
struct npu_gemm_args {
	uint64_t a, b, c;
	uint32_t m, n, k;
	uint32_t lda, ldb, ldc;
	uint32_t in, out;
	uint32_t flags;
	float scale;
};

/*
 * npu_gemm_blocks() - blocks for an m x n product on @cores cores: as few as take no more
 * rounds of tiles than one block a core would, since a block reuses A from tile to tile.
 */
static inline uint32_t npu_gemm_blocks(uint32_t m, uint32_t n, uint32_t cores)
{
	const uint64_t tiles = (uint64_t)((m + NPU_GEMM_TILE_M - 1) / NPU_GEMM_TILE_M) *
			       ((n + NPU_GEMM_TILE_N - 1) / NPU_GEMM_TILE_N);
	const uint64_t rounds = (tiles + cores - 1) / cores;

	return rounds ? (uint32_t)((tiles + rounds - 1) / rounds) : 1;
}

enum npu_eltwise_op {
	NPU_ELTWISE_ADD, /* out = x + y */
	NPU_ELTWISE_SUB, /* out = x - y */
	NPU_ELTWISE_MUL, /* out = x * y */
	NPU_ELTWISE_RELU, /* out = max(x, 0) */
	NPU_ELTWISE_RELU_GRAD, /* out = y > 0 ? x : 0: x a gradient, y the activation */
	NPU_ELTWISE_SCALE, /* out = alpha * x */
	NPU_ELTWISE_AXPY, /* out = alpha * x + y */
	NPU_ELTWISE_COUNT
};

/**
 * struct npu_eltwise_args - "elementwise" (elementwise.elf)
 * @x: first operand
 * @y: second operand; not used by RELU and SCALE
 * @out: result; may be @x or @y
 * @count: elements
 * @op: enum npu_eltwise_op
 * @dtype: F32 or F16
 * @alpha: of SCALE and AXPY
 * @rsvd: zero
 */
struct npu_eltwise_args {
	uint64_t x, y, out;
	uint64_t count;
	uint32_t op;
	uint32_t dtype;
	float alpha;
	uint32_t rsvd;
};

/* npu_count_blocks() - blocks for @count elements on @cores cores. */
static inline uint32_t npu_count_blocks(uint64_t count, uint32_t cores)
{
	const uint64_t blocks = (count + 4095) / 4096;

	return blocks < 1 ? 1 : blocks < cores ? (uint32_t)blocks : cores;
}

#define NPU_BIAS_RELU 0x1

/**
 * struct npu_bias_args - "bias_relu" (bias_relu.elf): out = x + bias in each row
 * @x: rows x cols
 * @bias: cols values
 * @out: rows x cols; may be @x
 * @rows: rows
 * @cols: columns
 * @ldx: leading dimension of x
 * @ldout: of out
 * @dtype: F32 or F16
 * @flags: NPU_BIAS_RELU: negative results become zero
 */
struct npu_bias_args {
	uint64_t x, bias, out;
	uint32_t rows, cols;
	uint32_t ldx, ldout;
	uint32_t dtype;
	uint32_t flags;
};

/**
 * struct npu_bias_grad_args - "bias_grad" (bias_relu.elf): sums of columns
 * @x: rows x cols
 * @out: cols values
 * @rows: rows
 * @cols: columns
 * @ldx: leading dimension of x
 * @dtype: F32 or F16
 */
struct npu_bias_grad_args {
	uint64_t x, out;
	uint32_t rows, cols;
	uint32_t ldx;
	uint32_t dtype;
};

/* Most columns that softmax_xent takes. */
#define NPU_SOFTMAX_MAX_COLS 8192

/**
 * struct npu_softmax_xent_args - "softmax_xent" (softmax_xent.elf)
 * @logits: rows x cols, F32
 * @labels: rows class numbers, S32; one outside 0..cols-1 traps with its row
 * @loss: rows losses, F32: -ln softmax(logits)[label]; 0: none
 * @grad: rows x cols, F32: (softmax(logits) - onehot(label)) * scale; 0: none
 * @rows: rows
 * @cols: classes, at most NPU_SOFTMAX_MAX_COLS
 * @ldx: leading dimension of logits
 * @ldgrad: of grad
 * @scale: factor of the gradient, such as 1 / rows
 * @rsvd: zero
 */
struct npu_softmax_xent_args {
	uint64_t logits, labels, loss, grad;
	uint32_t rows, cols;
	uint32_t ldx, ldgrad;
	float scale;
	uint32_t rsvd;
};

enum npu_reduce_op {
	NPU_REDUCE_SUM,
	NPU_REDUCE_MAX,
	NPU_REDUCE_ARGMAX, /* index of the first greatest */
	NPU_REDUCE_COUNT
};

/**
 * struct npu_reduce_args - "reduce_rows" (reduce.elf): one value a row
 * @x: rows x cols, F32
 * @out: rows values, F32, or S32 for ARGMAX
 * @rows: rows
 * @cols: columns
 * @ldx: leading dimension of x
 * @op: enum npu_reduce_op
 */
struct npu_reduce_args {
	uint64_t x, out;
	uint32_t rows, cols;
	uint32_t ldx;
	uint32_t op;
};

/**
 * struct npu_sum_args - "sum" (reduce.elf): sum of all elements
 * @x: count values, F32
 * @out: one partial sum a block, F32; one block leaves the sum, and a second launch
 *       with one block over the partial sums does after several
 * @count: elements
 */
struct npu_sum_args {
	uint64_t x, out;
	uint64_t count;
};

/**
 * struct npu_sgd_args - "sgd" (sgd.elf): v = momentum * v + g; w -= rate * v
 * @w: weights, F32
 * @g: gradient, F32
 * @v: velocity, F32; 0: plain w -= rate * g
 * @w16: copy of the new weights in F16; 0: none
 * @count: elements
 * @rate: learning rate
 * @momentum: factor of the old velocity
 */
struct npu_sgd_args {
	uint64_t w, g, v, w16;
	uint64_t count;
	float rate;
	float momentum;
};

/**
 * struct npu_cast_args - "cast" (cast.elf): convert elements
 * @x: count elements of type @in
 * @out: count elements of type @dtype_out
 * @count: elements
 * @in: dtype of x
 * @dtype_out: dtype of out
 */
struct npu_cast_args {
	uint64_t x, out;
	uint64_t count;
	uint32_t in;
	uint32_t dtype_out;
};

/**
 * struct npu_vector_add_args - "vector_add" (vector_add.elf): out = x + y, F32
 * @x: first operand
 * @y: second operand
 * @out: result
 * @count: elements
 */
struct npu_vector_add_args {
	uint64_t x, y, out;
	uint64_t count;
};

#endif /* NPU_KERNELS_H */

/* SPDX-License-Identifier: MIT */
/*
 * Operators as loops of plain C on dense floats, in the algorithms of the NPU's: what benches
 * compare with, here on one core and in tools/bench on several. They are built with -O3
 * -march=native -ffast-math, so that the compiler makes vectors of them.
 */
#ifndef OP_NATIVE_H
#define OP_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#define NATIVE_MAX_DIM 64

/**
 * struct native_attention - one head
 * @queries: rows of @q, @out and @grad
 * @keys: rows of @k and @v
 * @dim: columns, up to NATIVE_MAX_DIM
 * @causal: query i sees keys up to i + keys - queries
 * @out: written by native_attention(), read by native_attention_backward(), like @lse [queries]
 */
struct native_attention {
	uint64_t queries, keys, dim;
	bool causal;
	const float *q, *k, *v;
	float *out, *lse;
	const float *grad;
	float *grad_q, *grad_k, *grad_v;
};

void native_attention(const struct native_attention *a);
void native_attention_backward(const struct native_attention *a);

/**
 * struct native_rows - a matrix, and what belongs to its rows and columns
 * @rows: of @x, @grad and @out; elements of @mean and @rstd
 * @cols: likewise; elements of @gamma, @beta and their gradients
 */
struct native_rows {
	uint64_t rows, cols;
	const float *x, *grad, *gamma, *beta;
	float *out, *mean, *rstd, *grad_gamma, *grad_beta;
};

#define NATIVE_EPS 1e-5f

void native_softmax(const struct native_rows *b);
void native_layer_norm(const struct native_rows *b);
void native_layer_norm_backward(const struct native_rows *b); /* writes the gradient to @out */
void native_rms_norm(const struct native_rows *b);

#endif /* OP_NATIVE_H */

/* SPDX-License-Identifier: MIT */
/*
 * What operators.c and compute.c have the NPU do, and native.c and peers.c the host: shapes,
 * operands, checks.
 */
#ifndef BENCH_OPERATORS_H
#define BENCH_OPERATORS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * So many of an operator come before the program waits for them, as in a stream that has work: the
 * wait, in which the guest sleeps and wakes up, is measured with them. The peer does as many.
 */
#define LAUNCHES 32
#define LARGE_LAUNCHES 4 /* of a product of 512 to 2048 */

/* Products of a batch, by their size: 64, 128 and 256. */
#define BATCHES                                                                                    \
	{                                                                                          \
		{ 64, 64 }, { 128, 16 },                                                           \
		{                                                                                  \
			256, 8                                                                     \
		}                                                                                  \
	}

struct batch {
	uint32_t size, count;
};

/* Attention, causal: 8 sequences of 6 heads. */
#define HEADS (8 * 6)
#define QUERIES 256

/* Norms. */
#define ROWS 4096
#define COLS 768
#define EPS 1e-5f

enum operand { QUERY, KEY, VALUE, X, GAMMA, BETA };

/* operand() - an element, in [-1, 1); operands() - all of them in order */
float operand(enum operand which, uint64_t index);
void operands(float *data, uint64_t count, enum operand which);

/* Check a sample of rows; the program ends if one is wrong. */
void check_attention(const float *out, uint64_t dim);
/* @mean: it is a layer norm with gamma and beta; else an RMS norm with gamma */
void check_norm(const float *out, bool mean);

#endif /* BENCH_OPERATORS_H */

/* SPDX-License-Identifier: MIT */
/* What training and generation on the CPU share. */
#ifndef CPU_GPT_H
#define CPU_GPT_H

#include "gpt.h"

#define GELU_A 0.7978845608f /* sqrt(2 / pi) */
#define GELU_B 0.044715f

/* C = A B + beta C; row-major, dense as they are stored. */
void cpu_product(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, const float *a,
		 const float *b, float beta, float *c);
/* @rstd: of each row; NULL: not wanted */
void cpu_norm(const float *x, const float *gain, size_t rows, size_t dim, float *rstd, float *out);
/* @out may be @x. */
void cpu_gelu(const float *x, size_t count, float *out);

#endif /* CPU_GPT_H */

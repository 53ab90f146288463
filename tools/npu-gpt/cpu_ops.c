// SPDX-License-Identifier: MIT
/* Operators on the CPU: OpenBLAS, and loops that are spread over threads where that pays. */
#include <cblas.h>
#include <math.h>

#include "cpu.h"

#define WORTH_THREADS 65536 /* elements */

void cpu_product(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, const float *a,
		 const float *b, float beta, float *c)
{
	cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
		    trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1, a,
		    (int)(trans_a ? m : k), b, (int)(trans_b ? k : n), beta, c, (int)n);
}

void cpu_norm(const float *x, const float *gain, size_t rows, size_t dim, float *rstd, float *out)
{
#pragma omp parallel for if (rows * dim > WORTH_THREADS)
	for (size_t r = 0; r < rows; r++) {
		const float *in = x + r * dim;
		float sum = 0, scale;

		for (size_t i = 0; i < dim; i++)
			sum += in[i] * in[i];
		scale = 1 / sqrtf(sum / (float)dim + GPT_EPSILON);
		for (size_t i = 0; i < dim; i++)
			out[r * dim + i] = in[i] * scale * gain[i];
		if (rstd)
			rstd[r] = scale;
	}
}

void cpu_gelu(const float *x, size_t count, float *out)
{
#pragma omp parallel for simd if (count > WORTH_THREADS)
	for (size_t i = 0; i < count; i++)
		out[i] = 0.5f * x[i] * (1 + tanhf(GELU_A * (x[i] + GELU_B * x[i] * x[i] * x[i])));
}

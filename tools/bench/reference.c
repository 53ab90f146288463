// SPDX-License-Identifier: MIT
/* Operands, and results as the definitions give them, in doubles. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "operators.h"

#define TOLERANCE 1e-4

float operand(enum operand which, uint64_t index)
{
	uint32_t x = (uint32_t)index * 2654435761u + which * 40503u;

	x = (x ^ x >> 15) * 2246822519u;
	x = (x ^ x >> 13) * 3266489917u;
	return (float)((double)(int32_t)(x ^ x >> 16) / 2147483648.0);
}

void operands(float *data, uint64_t count, enum operand which)
{
	for (uint64_t i = 0; i < count; i++)
		data[i] = operand(which, i);
}

static void check_element(const char *what, uint64_t row, uint64_t col, float is, double wanted)
{
	if (fabs(is - wanted) <= TOLERANCE * (1 + fabs(wanted)))
		return;
	fprintf(stderr, "%s: %s: element %llu of row %llu is %g, not %g\n",
		program_invocation_short_name, what, (unsigned long long)col,
		(unsigned long long)row, (double)is, wanted);
	exit(1);
}

/* @row: of all heads */
static void check_attention_row(const float *out, uint64_t row, uint64_t dim)
{
	const uint64_t head = row / QUERIES * QUERIES, seen = row - head + 1;
	double weight[QUERIES], sum = 0;

	for (uint64_t k = 0; k < seen; k++) {
		double score = 0;

		for (uint64_t d = 0; d < dim; d++)
			score += (double)operand(QUERY, row * dim + d) *
				 operand(KEY, (head + k) * dim + d);
		weight[k] = exp(score / sqrt((double)dim));
		sum += weight[k];
	}
	for (uint64_t d = 0; d < dim; d++) {
		double value = 0;

		for (uint64_t k = 0; k < seen; k++)
			value += weight[k] * operand(VALUE, (head + k) * dim + d);
		check_element("attention", row, d, out[row * dim + d], value / sum);
	}
}

void check_attention(const float *out, uint64_t dim)
{
	for (uint32_t i = 0; i < SAMPLES; i++)
		check_attention_row(out, sample_row(i, HEADS * QUERIES), dim);
}

static void check_norm_row(const float *out, uint64_t row, bool with_mean)
{
	double mean = 0, squares = 0, rstd;

	for (uint64_t c = 0; with_mean && c < COLS; c++)
		mean += (double)operand(X, row * COLS + c) / COLS;
	for (uint64_t c = 0; c < COLS; c++)
		squares += pow(operand(X, row * COLS + c) - mean, 2);
	rstd = 1 / sqrt(squares / COLS + EPS);
	for (uint64_t c = 0; c < COLS; c++) {
		const double normal = (operand(X, row * COLS + c) - mean) * rstd;
		const double beta = with_mean ? operand(BETA, c) : 0;

		check_element("norm", row, c, out[row * COLS + c],
			      normal * operand(GAMMA, c) + beta);
	}
}

void check_norm(const float *out, bool mean)
{
	for (uint32_t i = 0; i < SAMPLES; i++)
		check_norm_row(out, sample_row(i, ROWS), mean);
}

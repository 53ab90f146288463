/* SPDX-License-Identifier: MIT */
/* What the programs that measure rates share: time, and operands whose products are exact. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <math.h>
#include <stdint.h>
#include <time.h>

#define MIN_ROUNDS 5 /* at least, and for SECONDS: the best counts */
#define SECONDS 0.6
#define SAMPLES 64 /* elements of a result that are checked */

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* best_seconds() - of a round; the first one warms up */
static inline double best_seconds(void (*run)(void *arg), void *arg)
{
	double best = INFINITY, end = now() + SECONDS;

	for (int round = 0; round <= MIN_ROUNDS || now() < end; round++) {
		const double begin = now();

		run(arg);
		if (round)
			best = fmin(best, now() - begin);
	}
	return best;
}

/* element() - small integers: exact in fp16 and int8, and their sums in fp32 */
static inline int element(uint32_t row, uint32_t col, uint32_t seed)
{
	return (int)((row * 7 + col * 13 + seed) % 17) - 8;
}

/* Which elements of a matrix of @n rows and columns are checked, for @i below SAMPLES. */
static inline uint32_t sample_row(uint32_t i, uint32_t n)
{
	return i * 2654435761u % n;
}

static inline uint32_t sample_col(uint32_t i, uint32_t n)
{
	return i * 40503u % n;
}

/* product() - an element of A B; A has the elements of seed @seed, B those of the next one */
static inline double product(uint32_t row, uint32_t col, uint32_t n, uint32_t seed)
{
	double sum = 0;

	for (uint32_t k = 0; k < n; k++)
		sum += element(row, k, seed) * element(k, col, seed + 1);
	return sum;
}

#endif /* BENCH_MEASURE_H */

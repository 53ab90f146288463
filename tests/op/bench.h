/* SPDX-License-Identifier: MIT */
/* Rates of operators on one core, beside plain C that does the same. */
#ifndef OP_BENCH_H
#define OP_BENCH_H

#include <time.h>

#include "op_test.h"

#define BENCH_SECONDS 0.3

static inline double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* bench() - one line: the rate of the @bytes that a call reads and writes, time an element */
static inline void bench(const char *name, void (*fn)(void), double bytes, double elements)
{
	const double start = bench_now();
	unsigned int rounds = 0;
	double seconds;

	do {
		fn();
		rounds++;
		seconds = bench_now() - start;
	} while (seconds < BENCH_SECONDS);
	printf("%-32s %7.2f GB/s %7.2f ns/element\n", name, rounds * bytes / seconds * 1e-9,
	       seconds * 1e9 / rounds / elements);
}

#endif /* OP_BENCH_H */

/* SPDX-License-Identifier: MIT */
/* What the benches share: a native loop and the operator, measured in turns. */
#ifndef OP_BENCH_NATIVE_H
#define OP_BENCH_NATIVE_H

#include <time.h>

#include "op_test.h"

/* CPU time: the core is one thread, and others may want the machine. */
static inline double bench_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double bench_best(void (*run)(void *arg), void *arg)
{
	double best = INFINITY;

	for (int i = 0; i < 7; i++) {
		const double start = bench_seconds();

		run(arg);
		best = fmin(best, bench_seconds() - start);
	}
	return best;
}

/* bench() - a line: what, time of plain C and of the operator, and how they compare */
static inline void bench(const char *what, void (*native)(void *arg), void (*npu)(void *arg),
			 void *arg)
{
	const double c = bench_best(native, arg), op = bench_best(npu, arg);

	printf("%-44s %9.1f %9.1f us %6.2f\n", what, c * 1e6, op * 1e6, c / op);
}

/* The elements of a dense tensor of F32. */
static inline float *bench_data(const npuop_tensor *t)
{
	void *pointer;

	NEED(npurt_memory_map(t->memory, &pointer));
	return pointer;
}

#endif /* OP_BENCH_NATIVE_H */

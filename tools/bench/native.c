// SPDX-License-Identifier: MIT
/*
 * On the host: attention and norms as loops of plain C, the peers of libnpuop's. Prints name,
 * value and unit, separated by tabs. OMP_NUM_THREADS says on how many threads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "native.h"
#include "operators.h"

#define CHUNK 64 /* rows that a thread takes at once */

static float *allocate(uint64_t count)
{
	float *data = calloc(count, sizeof(*data));

	if (!data) {
		perror("npu-bench-native");
		exit(1);
	}
	return data;
}

static float *filled(uint64_t count, enum operand which)
{
	float *data = allocate(count);

	operands(data, count, which);
	return data;
}

static void report(const char *name, double seconds)
{
	printf("%s\t%.2f\tus\n", name, seconds * 1e6);
}

struct work {
	void (*run)(void *arg);
	void *arg;
};

static void run_rounds(void *arg)
{
	const struct work *work = arg;

	for (int round = 0; round < LAUNCHES; round++)
		work->run(work->arg);
}

static double seconds_of(void (*run)(void *), void *arg)
{
	return best_seconds(run_rounds, &(struct work){ run, arg }) / LAUNCHES;
}

/* @arg: the first of HEADS heads */
static void attention(void *arg)
{
	const struct native_attention *heads = arg;

#pragma omp parallel for
	for (int i = 0; i < HEADS; i++)
		native_attention(&heads[i]);
}

static void bench_attention(const char *name, uint64_t dim)
{
	const uint64_t head = QUERIES * dim, all = HEADS * head;
	float *q = filled(all, QUERY), *k = filled(all, KEY), *v = filled(all, VALUE);
	float *out = allocate(all), *lse = allocate(HEADS * QUERIES);
	struct native_attention heads[HEADS];
	double seconds;

	for (uint64_t i = 0; i < HEADS; i++)
		heads[i] = (struct native_attention){
			.queries = QUERIES,
			.keys = QUERIES,
			.dim = dim,
			.causal = true,
			.q = q + i * head,
			.k = k + i * head,
			.v = v + i * head,
			.out = out + i * head,
			.lse = lse + i * QUERIES,
		};
	seconds = seconds_of(attention, heads);
	check_attention(out, dim);
	report(name, seconds);
	free(q);
	free(k);
	free(v);
	free(out);
	free(lse);
}

static void norm(const struct native_rows *all, void (*of_rows)(const struct native_rows *))
{
#pragma omp parallel for
	for (uint64_t row = 0; row < ROWS; row += CHUNK) {
		struct native_rows rows = *all;

		rows.rows = CHUNK;
		rows.x += row * COLS;
		rows.out += row * COLS;
		rows.mean += row;
		rows.rstd += row;
		of_rows(&rows);
	}
}

static void layer_norm(void *arg)
{
	norm(arg, native_layer_norm);
}

static void rms_norm(void *arg)
{
	norm(arg, native_rms_norm);
}

static void bench_norms(void)
{
	float *x = filled(ROWS * COLS, X), *out = allocate(ROWS * COLS);
	float *gamma = filled(COLS, GAMMA), *beta = filled(COLS, BETA);
	float *mean = allocate(ROWS), *rstd = allocate(ROWS);
	struct native_rows rows = {
		.cols = COLS,
		.x = x,
		.gamma = gamma,
		.beta = beta,
		.out = out,
		.mean = mean,
		.rstd = rstd,
	};
	double seconds;

	seconds = seconds_of(layer_norm, &rows);
	check_norm(out, true);
	report("layer_norm", seconds);
	seconds = seconds_of(rms_norm, &rows);
	check_norm(out, false);
	report("rms_norm", seconds);
	free(x);
	free(out);
	free(gamma);
	free(beta);
	free(mean);
	free(rstd);
}

int main(void)
{
	bench_attention("attention_32", 32);
	bench_attention("attention_64", 64);
	bench_norms();
	return 0;
}

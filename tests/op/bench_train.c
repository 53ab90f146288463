// SPDX-License-Identifier: MIT
/* Rates of the optimisers on one core, in GB/s of what they must move, beside plain C. */
#include <time.h>

#include "op_test.h"

#define N (4u << 20)
#define SECONDS 0.5

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static npuop_tensor grad, param, moment1, moment2;
static float *g, *p, *m, *v;

static void adam(void)
{
	const npuop_adam_attr attr = {
		.size = sizeof(attr), .flags = NPUOP_ADAM_DECOUPLED, .rate = 1e-3f, .beta1 = 0.9f,
		.beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.01f, .step = 10,
	};

	NEED(npuop_adam(fx.ops, &attr, &grad, &param, &moment1, &moment2));
}

static void adam_c(void)
{
	const float rate = 1e-3f, c1 = 1.535f, c2 = 100.45f;

	for (size_t i = 0; i < N; i++) {
		m[i] = m[i] * 0.9f + g[i] * 0.1f;
		v[i] = v[i] * 0.999f + g[i] * g[i] * 0.001f;
		p[i] = p[i] * (1 - rate * 0.01f) -
		       rate * c1 * m[i] / (sqrtf(v[i] * c2) + 1e-8f);
	}
}

static void sgd(void)
{
	const npuop_sgd_attr attr = { .size = sizeof(attr), .rate = 1e-3f, .momentum = 0.9f };

	NEED(npuop_sgd(fx.ops, &attr, &grad, &param, &moment1));
}

static void sgd_c(void)
{
	for (size_t i = 0; i < N; i++) {
		m[i] = m[i] * 0.9f + g[i];
		p[i] -= 1e-3f * m[i];
	}
}

static void copy_c(void)
{
	memcpy(p, g, (size_t)N * 4);
	__asm__ volatile("" ::: "memory");
}

static void measure(const char *name, void (*fn)(void), double bytes)
{
	const double start = now();
	unsigned int rounds = 0;
	double seconds;

	do {
		fn();
		rounds++;
		seconds = now() - start;
	} while (seconds < SECONDS);
	printf("%-24s %6.2f GB/s %6.2f ns/element\n", name, rounds * bytes / seconds * 1e-9,
	       seconds * 1e9 / rounds / N);
}

int main(void)
{
	op_begin();
	grad = tensor_random(NPUOP_F32, SHAPE(N));
	param = tensor_random(NPUOP_F32, SHAPE(N));
	moment1 = tensor_random(NPUOP_F32, SHAPE(N));
	moment2 = tensor_random(NPUOP_F32, SHAPE(N));
	g = calloc(N, 4);
	p = calloc(N, 4);
	m = calloc(N, 4);
	v = calloc(N, 4);
	for (size_t i = 0; i < N; i++)
		g[i] = (float)rnd_uniform();
	for (int round = 0; round < 2; round++) {
		measure("adam", adam, N * 28.0);
		measure("adam, plain C", adam_c, N * 28.0);
		measure("sgd with momentum", sgd, N * 20.0);
		measure("sgd, plain C", sgd_c, N * 20.0);
		measure("memcpy", copy_c, N * 8.0);
	}
	return op_end();
}

// SPDX-License-Identifier: MIT
/* Optimisers. */
#include "bench.h"

#define N (4u << 20)

static npuop_tensor grad, param, moment1, moment2;
static float *g, *p, *m, *v;

static void adam(void)
{
	const npuop_adam_attr attr = {
		.size = sizeof(attr),
		.flags = NPUOP_ADAM_DECOUPLED,
		.rate = 1e-3f,
		.beta1 = 0.9f,
		.beta2 = 0.999f,
		.eps = 1e-8f,
		.weight_decay = 0.01f,
		.step = 10,
	};

	NEED(npuop_adam(fx.ops, &attr, &grad, &param, &moment1, &moment2));
}

static void adam_c(void)
{
	const float rate = 1e-3f, c1 = 1.535f, c2 = 100.45f;

	for (size_t i = 0; i < N; i++) {
		m[i] = m[i] * 0.9f + g[i] * 0.1f;
		v[i] = v[i] * 0.999f + g[i] * g[i] * 0.001f;
		p[i] = p[i] * (1 - rate * 0.01f) - rate * c1 * m[i] / (sqrtf(v[i] * c2) + 1e-8f);
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

int main(void)
{
	op_begin();
	grad = tensor_random(NPUOP_F32, SHAPE(N));
	param = tensor_random(NPUOP_F32, SHAPE(N));
	moment1 = tensor_random(NPUOP_F32, SHAPE(N));
	moment2 = tensor_random(NPUOP_F32, SHAPE(N));
	NEED(npurt_memory_map(grad.memory, (void **)&g));
	NEED(npurt_memory_map(param.memory, (void **)&p));
	NEED(npurt_memory_map(moment1.memory, (void **)&m));
	NEED(npurt_memory_map(moment2.memory, (void **)&v));
	bench("adam", adam, N * 28.0, N);
	bench("adam, plain C", adam_c, N * 28.0, N);
	bench("sgd with momentum", sgd, N * 20.0, N);
	bench("sgd with momentum, plain C", sgd_c, N * 20.0, N);
	return op_end();
}

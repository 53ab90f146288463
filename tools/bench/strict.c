// SPDX-License-Identifier: MIT
/*
 * In the VM: what operators take, from large tile instructions to many scalar accesses. With
 * NPURT_STRICT=1 it is in strict mode. Prints name, value and unit, separated by tabs.
 */
#include "measure.h"
#include "op_test.h"

#define LAUNCHES 4 /* before a wait */

static struct {
	npuop_tensor a, b, c; /* of a product */
	npuop_tensor x, norm; /* rows */
	npuop_tensor values, columns; /* the greatest elements of them */
	npuop_tensor table, index, found;
} t;

static void gemm(void)
{
	NEED(npuop_gemm(fx.ops, NULL, &t.a, &t.b, &t.c));
}

static void layer_norm(void)
{
	NEED(npuop_layer_norm(fx.ops, &t.x, NULL, NULL, 1e-5f, &t.norm, NULL, NULL));
}

static void top_k(void)
{
	NEED(npuop_top_k(fx.ops, &t.x, &t.values, &t.columns));
}

static void embedding(void)
{
	NEED(npuop_embedding(fx.ops, &t.table, &t.index, &t.found));
}

static void run(void *arg)
{
	void (*const *launch)(void) = arg;

	for (unsigned int i = 0; i < LAUNCHES; i++)
		(*launch)();
	sync_stream();
}

static void report(const char *name, void (*launch)(void))
{
	printf("%s\t%.2f\tus\n", name, best_seconds(run, &launch) / LAUNCHES * 1e6);
	fflush(stdout);
}

int main(void)
{
	npuop_tensor *all[] = { &t.a,	   &t.b,       &t.c,	 &t.x,	   &t.norm,
				&t.values, &t.columns, &t.table, &t.index, &t.found };

	op_begin();
	t.a = tensor_random(NPUOP_F32, SHAPE(1024, 1024));
	t.b = tensor_random(NPUOP_F32, SHAPE(1024, 1024));
	t.c = tensor_new(NPUOP_F32, SHAPE(1024, 1024));
	t.x = tensor_random(NPUOP_F32, SHAPE(4096, 768));
	t.norm = tensor_new(NPUOP_F32, SHAPE(4096, 768));
	t.values = tensor_new(NPUOP_F32, SHAPE(4096, 32));
	t.columns = tensor_new(NPUOP_S32, SHAPE(4096, 32));
	t.table = tensor_random(NPUOP_F32, SHAPE(256, 16));
	t.index = tensor_new(NPUOP_S32, SHAPE(65536));
	t.found = tensor_new(NPUOP_F32, SHAPE(65536, 16));
	for (uint32_t i = 0; i < 65536; i++)
		tensor_set(&t.index, i, i % 256);
	report("strict_gemm", gemm);
	report("strict_norm", layer_norm);
	report("strict_top_k", top_k);
	report("strict_embedding", embedding);
	for (size_t i = 0; i < COUNT(all); i++)
		tensor_free(all[i]);
	return op_end();
}

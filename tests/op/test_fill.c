// SPDX-License-Identifier: MIT
#include "op_test.h"

static void test_values(void)
{
	npuop_tensor t = tensor_random(NPUOP_F32, SHAPE(3, 70001));
	double *want = malloc(npuop_tensor_elements(&t) * sizeof(*want));

	for (uint64_t i = 0; i < npuop_tensor_elements(&t); i++)
		want[i] = -2.5;
	NEED(npuop_fill(fx.ops, -2.5, &t));
	sync_stream();
	close_to(&t, want, 0, 0, "fill");
	free(want);
	tensor_free(&t);
}

static void test_refused(void)
{
	npuop_tensor t = tensor_new(NPUOP_F32, SHAPE(4, 4));
	npuop_tensor long_one = t;

	long_one.shape[0] = 5;
	REFUSED(npuop_fill(fx.ops, 0, NULL), "out is NULL");
	REFUSED(npuop_fill(fx.ops, 0, &long_one), "out: 80 bytes");
	tensor_free(&t);
}

int main(void)
{
	op_begin();
	test_values();
	test_refused();
	return op_end();
}

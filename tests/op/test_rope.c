// SPDX-License-Identifier: MIT
/*
 * Rotary position embedding against plain C in double precision. A result is within 1e-6 of the
 * length of its pair, whatever the position, and half a unit of the last place of its type.
 */
#include "op_test.h"

static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

/* A row of one head, in place; @bound gets the lengths of pairs. */
static void reference(double *x, double *bound, uint64_t dim, double position, double base,
		      uint32_t flags)
{
	const uint64_t step = flags & NPUOP_ROPE_INTERLEAVED ? 1 : dim / 2;

	for (uint64_t i = 0; i < dim / 2; i++) {
		double *a = x + (step == 1 ? 2 * i : i), *b = a + step, u = *a, v = *b;
		const double angle = position * pow(base, -2.0 * (double)i / (double)dim);
		const double s = flags & NPUOP_ROPE_INVERSE ? -sin(angle) : sin(angle);

		*a = u * cos(angle) - v * s;
		*b = v * cos(angle) + u * s;
		bound[a - x] = bound[b - x] = hypot(u, v);
	}
}

static void test_rope(uint32_t round, bool special)
{
	static const uint64_t dims[] = { 2, 6, 16, 32, 64, 100, 128, 512 };
	static const float bases[] = { 10000, 500000, 1 };
	const uint64_t dim = dims[round % COUNT(dims)], batch = 1 + rnd_below(3);
	const uint64_t positions = 1 + rnd_below(140), heads = 1 + rnd_below(3);
	const enum npuop_dtype dtype = types[round % 3];
	const uint32_t flags = (uint32_t)rnd_below(4);
	const float base = bases[rnd_below(3)];
	const bool in_place = rnd_below(2), given = rnd_below(2), turned = rnd_below(2);
	npuop_tensor x = turned ? tensor_any(dtype, SHAPE(batch, heads, positions, dim))
				: tensor_any(dtype, SHAPE(batch, positions, heads, dim));
	npuop_tensor out = tensor_any(dtype, SHAPE(batch, positions, heads, dim));
	npuop_tensor position = tensor_new(NPUOP_S32, SHAPE(batch, positions));
	const npuop_tensor view = turned ? npuop_tensor_transpose(&x, 1, 2) : x;
	const npuop_tensor *to = in_place ? &view : &out;
	npuop_tensor other = tensor_special(dtype, 4, view.shape);
	double *want, *bound = numbers(npuop_tensor_elements(&x));

	/* Half, of which the length is no infinity either. */
	for (uint64_t i = 0; special && i < npuop_tensor_elements(&x); i++)
		tensor_set(&view, i, tensor_get(&other, i) / 2);
	want = tensor_values(&view);
	for (uint64_t i = 0; i < batch * positions; i++)
		tensor_set(&position, i, (double)rnd_below(round % 2 ? 1000 : 1 << 24));
	for (uint64_t i = 0; i < batch * positions * heads; i++)
		reference(want + i * dim, bound + i * dim, dim,
			  given ? tensor_get(&position, i / heads)
				: (double)(i / heads % positions),
			  base, flags);
	for (uint64_t i = 0; i < npuop_tensor_elements(&x); i++)
		bound[i] = 1e-6 * bound[i] + 0x1p-148 + ulp(dtype, want[i]) / 2;
	NEED(npuop_rope(fx.ops, &view, given ? &position : NULL, base, flags, to));
	sync_stream();
	within(to, want, bound, "rope of %llu x %llu x %llu, dim %llu, flags %u%s%s",
	       (unsigned long long)batch, (unsigned long long)positions, (unsigned long long)heads,
	       (unsigned long long)dim, flags, in_place ? ", in place" : "",
	       special ? ", special values" : "");
	free(want);
	free(bound);
	tensor_free(&other);
	tensor_free(&x);
	tensor_free(&out);
	tensor_free(&position);
}

static void test_refused(void)
{
	npuop_tensor x = tensor_new(NPUOP_F32, SHAPE(1, 4, 2, 6)),
		     odd = tensor_new(NPUOP_F32, SHAPE(1, 4, 2, 5));
	npuop_tensor position = tensor_new(NPUOP_S32, SHAPE(1, 3)),
		     none = tensor_new(NPUOP_F32, SHAPE(1, 0, 2, 6));

	REFUSED(npuop_rope(fx.ops, &odd, NULL, 10000, 0, &odd), "x: dim 5 is odd");
	REFUSED(npuop_rope(fx.ops, &x, &position, 10000, 0, &x), "position: shape");
	REFUSED(npuop_rope(fx.ops, &x, NULL, 0, 0, &x), "base");
	REFUSED(npuop_rope(fx.ops, &x, NULL, 10000, 4, &x), "flags");
	REFUSED(npuop_rope(fx.ops, &x, NULL, 10000, 0, &none), "out: shape");
	NEED(npuop_rope(fx.ops, &none, NULL, 10000, 0, &none));
	tensor_free(&x);
	tensor_free(&odd);
	tensor_free(&position);
	tensor_free(&none);
}

int main(void)
{
	op_begin();
	for (uint32_t i = 0; i < ROUNDS; i++)
		for (int special = 0; special < 2; special++)
			test_rope(i, special);
	test_refused();
	return op_end();
}

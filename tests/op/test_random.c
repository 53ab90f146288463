// SPDX-License-Identifier: MIT
/*
 * Random numbers: the generator against the vectors of its authors, the device's words against
 * the generator, number by number, and what is made of them against the same in double.
 */
#include "../../firmware/kernels/op/philox.h"
#include "op_test.h"

/* kat_vectors of Random123, philox4x32 with 10 rounds. */
static void test_vectors(void)
{
	static const struct {
		uint64_t seed, high, low;
		uint32_t word[4];
	} known[] = {
		{ 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ UINT64_MAX,
		  UINT64_MAX,
		  UINT64_MAX,
		  { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ 0x299f31d0a4093822,
		  0x0370734413198a2e,
		  0x85a308d3243f6a88,
		  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	for (size_t i = 0; i < COUNT(known); i++) {
		const struct philox p = philox(known[i].seed, known[i].high, known[i].low);

		ok(!memcmp(p.word, known[i].word, sizeof(p.word)), "philox: vector %zu", i);
	}
}

static npuop_random_attr random_attr(void)
{
	return (npuop_random_attr){
		.size = sizeof(npuop_random_attr),
		.seed = (uint64_t)rnd() << 32 | rnd(),
		.counter = (uint64_t)rnd() << 32 | rnd(),
	};
}

static uint64_t random_count(void)
{
	return rnd() & 1 ? 1 + rnd_below(40000) : 1 + rnd_below(3) * PHILOX_GROUP + rnd_below(9);
}

static double *new_values(uint64_t count)
{
	return malloc((count + 1) * sizeof(double));
}

/* [0, 1) in fp32 shows 24 bits of each word. */
static void test_uniform(void)
{
	static const enum npuop_dtype types[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

	for (int round = 0; round < ROUNDS; round++) {
		const npuop_random_attr attr = random_attr();
		const enum npuop_dtype dtype = types[round % 3];
		const uint64_t count = random_count();
		const bool unit = round & 1;
		const double low = unit ? 0 : -3, high = unit ? 1 : 5;
		npuop_tensor out = tensor_new(dtype, SHAPE(count));
		double *want = new_values(count);
		bool inside = true;

		NEED(npuop_random_uniform(fx.ops, &attr, (float)low, (float)high, &out));
		sync_stream();
		for (uint64_t i = 0; i < count; i++) {
			const uint32_t word = philox_number(attr.seed, attr.counter, i);
			const double value = (word >> 8) * 0x1p-24 * (high - low) + low;

			want[i] = round_to(dtype, (double)(float)value);
			if (want[i] >= high)
				want[i] = tensor_get(&out, i);
			inside &= tensor_get(&out, i) < high && tensor_get(&out, i) >= low;
		}
		close_to(&out, want, 0, 0, "uniform: %llu of type %d", (unsigned long long)count,
			 dtype);
		ok(inside, "uniform: all in [%g, %g)", low, high);
		free(want);
		tensor_free(&out);
	}
}

/* All of a half's numbers are below @high, and the greatest below it is reached. */
static void test_top(void)
{
	const npuop_random_attr attr = { .size = sizeof(attr), .seed = 5 };
	npuop_tensor out = tensor_new(NPUOP_F16, SHAPE(50000));
	double most = 0;

	NEED(npuop_random_uniform(fx.ops, &attr, 0, 1, &out));
	sync_stream();
	for (uint64_t i = 0; i < 50000; i++)
		most = fmax(most, tensor_get(&out, i));
	ok(most == 1 - 0x1p-11, "uniform: the greatest of fp16 below 1 is %.9g", most);
	tensor_free(&out);
}

static double normal(const npuop_random_attr *attr, uint64_t index)
{
	const uint64_t pair = index / PHILOX_LANES % 2;
	const uint64_t first = index - pair * PHILOX_LANES;
	const uint32_t u = philox_number(attr->seed, attr->counter, first);
	const uint32_t w = philox_number(attr->seed, attr->counter, first + PHILOX_LANES);
	const double angle = (double)(int32_t)(w << 2) * M_PI * 0x1p-33;
	double radius = sqrt(-2 * log(((u >> 8) + 1) * 0x1p-24));

	radius = w >> 31 ? -radius : radius;
	return radius * ((w >> 30 & 1) == pair ? cos(angle) : sin(angle));
}

static void test_normal(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		const npuop_random_attr attr = random_attr();
		const enum npuop_dtype dtype = round & 1 ? NPUOP_F32 : NPUOP_BF16;
		const uint64_t count = random_count();
		npuop_tensor out = tensor_new(dtype, SHAPE(count));
		double *want = new_values(count);

		for (uint64_t i = 0; i < count; i++)
			want[i] = normal(&attr, i) * 0.5 + 2;
		NEED(npuop_random_normal(fx.ops, &attr, 2, 0.5f, &out));
		sync_stream();
		/* Ten roundings of up to 6; a half's own step at up to 4 is 2^-6. */
		close_to(&out, want, 4e-6 + (dtype == NPUOP_BF16 ? 0x1p-6 : 0), 0,
			 "normal: %llu of type %d", (unsigned long long)count, dtype);
		free(want);
		tensor_free(&out);
	}
}

/* The moments of a normal distribution; each is within five of its standard deviations. */
static void test_moments(void)
{
	const uint64_t count = 1 << 18;
	const npuop_random_attr attr = { .size = sizeof(attr), .seed = 1, .counter = 2 };
	npuop_tensor out = tensor_new(NPUOP_F32, SHAPE(count));
	double sum[5] = { 0 }, neighbours = 0;

	NEED(npuop_random_normal(fx.ops, &attr, 0, 1, &out));
	sync_stream();
	for (uint64_t i = 0; i < count; i++) {
		const double z = tensor_get(&out, i);

		for (int power = 1; power <= 4; power++)
			sum[power] += pow(z, power) / (double)count;
		neighbours += i ? z * tensor_get(&out, i - 1) / (double)count : 0;
	}
	ok(fabs(sum[1]) < 5 * sqrt(1.0 / (double)count), "normal: mean %g", sum[1]);
	ok(fabs(sum[2] - 1) < 5 * sqrt(2.0 / (double)count), "normal: variance %g", sum[2]);
	ok(fabs(sum[3]) < 5 * sqrt(15.0 / (double)count), "normal: third moment %g", sum[3]);
	ok(fabs(sum[4] - 3) < 5 * sqrt(96.0 / (double)count), "normal: fourth moment %g", sum[4]);
	ok(fabs(neighbours) < 5 * sqrt(1.0 / (double)count), "normal: correlation %g", neighbours);
	tensor_free(&out);
}

static void test_dropout(void)
{
	static const float ps[] = { 0, 0.1f, 0.5f, 0.9f, 1 };

	for (int round = 0; round < ROUNDS; round++) {
		const npuop_random_attr attr = random_attr();
		const enum npuop_dtype dtype = round & 1 ? NPUOP_F32 : NPUOP_F16;
		const uint64_t count = random_count();
		const double p = ps[(unsigned int)round % COUNT(ps)];
		npuop_tensor x = tensor_special(dtype, SHAPE(count));
		npuop_tensor out = round & 2 ? x : tensor_new(dtype, SHAPE(count));
		double *want = new_values(count);

		for (uint64_t i = 0; i < count; i++) {
			const int32_t number = (int32_t)philox_number(attr.seed, attr.counter, i);
			const float kept = (float)(1 / (1 - p)) * (float)tensor_get(&x, i);

			want[i] = number >= p * 0x1p32 - 0x1p31 ? round_to(dtype, kept) : 0;
		}
		NEED(npuop_dropout(fx.ops, &attr, (float)p, &x, &out));
		sync_stream();
		close_to(&out, want, 0, 0, "dropout: %g of %llu of type %d", p,
			 (unsigned long long)count, dtype);
		free(want);
		tensor_free(&x);
		if (!(round & 2))
			tensor_free(&out);
	}
}

/* A view takes the numbers that a dense tensor of its shape would. */
static void test_views(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		const uint64_t shape[] = { 1 + rnd_below(20), 1 + rnd_below(30),
					   1 + rnd_below(90) };
		const enum npuop_dtype dtype = round % 3, x_dtype = round / 3 % 3;
		const npuop_random_attr attr = random_attr();
		npuop_tensor out[2] = { tensor_new(dtype, 3, shape),
					tensor_view(dtype, 3, shape, false) };
		npuop_tensor x[2] = { tensor_random(x_dtype, 3, shape),
				      tensor_view(x_dtype, 3, shape, false) };
		bool same = true;

		for (uint64_t i = 0; i < npuop_tensor_elements(&x[0]); i++)
			tensor_set(&x[1], i, tensor_get(&x[0], i));
		for (int i = 0; i < 2; i++)
			NEED(npuop_random_uniform(fx.ops, &attr, -1, 1, &out[i]));
		sync_stream();
		same &= same_bits(&out[0], &out[1]);
		for (int i = 0; i < 2; i++)
			NEED(npuop_random_normal(fx.ops, &attr, 0, 1, &out[i]));
		sync_stream();
		same &= same_bits(&out[0], &out[1]);
		for (int i = 0; i < 2; i++)
			NEED(npuop_dropout(fx.ops, &attr, 0.3f, &x[i], &out[i]));
		sync_stream();
		same &= same_bits(&out[0], &out[1]);
		for (int i = 0; i < 2; i++)
			NEED(npuop_dropout(fx.ops, &attr, 0.3f, &x[i], &x[i]));
		sync_stream();
		same &= same_bits(&x[0], &x[1]);
		ok(same, "views of [%llu, %llu, %llu], type %d, dropout of %d",
		   (unsigned long long)shape[0], (unsigned long long)shape[1],
		   (unsigned long long)shape[2], dtype, x_dtype);
		for (int i = 0; i < 2; i++) {
			tensor_free(&out[i]);
			tensor_free(&x[i]);
		}
	}
}

/* What the device finds in the control tensor is added to the counter. */
static void test_control(void)
{
	npuop_tensor control = tensor_new(NPUOP_S32, SHAPE(1));
	npuop_tensor out[2] = { tensor_new(NPUOP_F32, SHAPE(100)),
				tensor_new(NPUOP_F32, SHAPE(100)) };
	npuop_random_attr attr = { .size = sizeof(attr), .seed = 3, .counter = 1000 };

	NEED(npuop_random_uniform(fx.ops, &attr, 0, 1, &out[0]));
	attr.counter = 1007;
	attr.control = &control;
	tensor_set(&control, 0, -7);
	NEED(npuop_random_uniform(fx.ops, &attr, 0, 1, &out[1]));
	sync_stream();
	ok(same_bits(&out[0], &out[1]), "control is added to the counter");
	tensor_set(&control, 0, -6);
	NEED(npuop_random_uniform(fx.ops, &attr, 0, 1, &out[1]));
	sync_stream();
	ok(!same_bits(&out[0], &out[1]), "another control, other numbers");
	tensor_free(&control);
	tensor_free(&out[0]);
	tensor_free(&out[1]);
}

static void test_refused(void)
{
	npuop_tensor f = tensor_new(NPUOP_F32, SHAPE(4, 6)), i = tensor_new(NPUOP_S32, SHAPE(4, 6));
	npuop_tensor turned = npuop_tensor_transpose(&f, 0, 1);
	npuop_tensor wide = tensor_new(NPUOP_F16, SHAPE(9 << 20, 2));
	npuop_tensor large = npuop_tensor_slice(&wide, 1, 0, 1);
	npuop_random_attr attr = { .size = sizeof(attr) },
			  bad = { .size = sizeof(bad), .flags = 1 };

	REFUSED(npuop_random_uniform(fx.ops, NULL, 0, 1, &f), "attr");
	REFUSED(npuop_random_uniform(fx.ops, &bad, 0, 1, &f), "npuop_random_attr.flags");
	REFUSED(npuop_random_uniform(fx.ops, &attr, 1, 1, &f), "high");
	REFUSED(npuop_random_uniform(fx.ops, &attr, 0, NAN, &f), "high");
	REFUSED(npuop_random_uniform(fx.ops, &attr, 0, 1, &i), "out: S32");
	REFUSED(npuop_random_uniform(fx.ops, &attr, 0, 1, &large), "workspace: it has 16777216");
	REFUSED(npuop_random_normal(fx.ops, &attr, 0, -1, &f), "deviation");
	REFUSED(npuop_random_normal(fx.ops, &attr, INFINITY, 1, &f), "mean");
	REFUSED(npuop_dropout(fx.ops, &attr, 1.5f, &f, &f), "p is 1.5");
	REFUSED(npuop_dropout(fx.ops, &attr, 0.5f, &turned, &f), "x: shape");
	attr.control = &f;
	REFUSED(npuop_random_normal(fx.ops, &attr, 0, 1, &f), "control: F32");
	attr.control = &i;
	REFUSED(npuop_random_normal(fx.ops, &attr, 0, 1, &f), "control: shape");
	tensor_free(&f);
	tensor_free(&i);
	tensor_free(&wide);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	const npuop_random_attr attr = { .size = sizeof(attr), .seed = 11 };
	npuop_tensor out[2];

	for (int i = 0; i < 2; i++) {
		out[i] = tensor_new(NPUOP_F32, SHAPE(7 * PHILOX_GROUP + 5));
		shim_force_blocks(i ? 5 : 1);
		NEED(npuop_random_normal(fx.ops, &attr, 0, 1, &out[i]));
	}
	shim_force_blocks(0);
	ok(same_bits(&out[0], &out[1]), "the same bits of any number of blocks");
	tensor_free(&out[0]);
	tensor_free(&out[1]);
}
#endif

int main(void)
{
	op_begin();
	test_vectors();
	test_uniform();
	test_top();
	test_normal();
	test_moments();
	test_dropout();
	test_views();
	test_control();
	test_refused();
#ifdef OP_SHIM
	test_blocks();
#endif
	return op_end();
}

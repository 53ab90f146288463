// SPDX-License-Identifier: MIT
/* The operators of a step of decoding, of a small transformer and a few sequences, on one core. */
#include "bench.h"

#define SEQUENCES 8
#define DIM 192
#define HEADS 6
#define HEAD (DIM / HEADS)
#define KEYS 100
#define PAGE 16
#define PAGES 8
#define VOCABULARY 256

static npuop_tensor x, qkv, mixed, inner, logits, bytes, gain, rope;
static npuop_tensor w_qkv, w_out, w_up, w_down, w_head;
static npuop_tensor keys, values, table, lengths;

/* Heads of a part of qkv, [sequences, 1, heads, dim]. */
static npuop_tensor part_of_qkv(uint64_t part)
{
	return (npuop_tensor){ .memory = qkv.memory,
			       .offset = part * DIM * sizeof(float),
			       .dtype = NPUOP_F32,
			       .rank = 4,
			       .shape = { SEQUENCES, 1, HEADS, HEAD },
			       .stride = { 3 * DIM, 3 * DIM, HEAD, 1 } };
}

static void attention(void)
{
	const npuop_tensor part = part_of_qkv(0), q = npuop_tensor_transpose(&part, 1, 2);
	const npuop_tensor k = part_of_qkv(1), v = part_of_qkv(2);
	const npuop_tensor out =
		npuop_tensor_dense(mixed.memory, 0, NPUOP_F32, SHAPE(SEQUENCES, HEADS, 1, HEAD));

	NEED(npuop_attention_decode(fx.ops, NULL, &q, &k, &v, &rope, &table, &lengths, &keys,
				    &values, &out));
}

static void norm_product(const npuop_tensor *w, uint32_t activation, const npuop_tensor *out)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr),
				       .flags = NPUOP_GEMM_RMS_NORM,
				       .activation = activation,
				       .gamma = &gain,
				       .eps = 1e-5f };

	NEED(npuop_gemm(fx.ops, &attr, &x, w, out));
}

static void to_qkv(void)
{
	norm_product(&w_qkv, NPUOP_ACT_NONE, &qkv);
}

static void up(void)
{
	norm_product(&w_up, NPUOP_ACT_GELU_TANH, &inner);
}

static void head(void)
{
	norm_product(&w_head, NPUOP_ACT_NONE, &logits);
}

static void add_product(const npuop_tensor *a, const npuop_tensor *w)
{
	const npuop_gemm_attr add = { .size = sizeof(add), .flags = NPUOP_GEMM_ACCUMULATE };

	NEED(npuop_gemm(fx.ops, &add, a, w, &x));
}

static void out(void)
{
	add_product(&mixed, &w_out);
}

static void down(void)
{
	add_product(&inner, &w_down);
}

static void sample(float temperature, float top_p)
{
	const npuop_sample_attr attr = { .size = sizeof(attr),
					 .temperature = temperature,
					 .top_p = top_p };

	NEED(npuop_sample(fx.ops, &attr, &logits, &bytes));
}

static void greatest(void)
{
	sample(0, 0);
}

static void likely(void)
{
	sample(0.8f, 0.95f);
}

static void fill_cache(void)
{
	keys = tensor_random(NPUOP_F32, SHAPE(SEQUENCES * PAGES, PAGE, HEADS, HEAD));
	values = tensor_random(NPUOP_F32, SHAPE(SEQUENCES * PAGES, PAGE, HEADS, HEAD));
	table = tensor_new(NPUOP_S32, SHAPE(SEQUENCES, PAGES));
	lengths = tensor_new(NPUOP_S32, SHAPE(SEQUENCES));
	for (uint64_t i = 0; i < SEQUENCES * PAGES; i++)
		tensor_set(&table, i, (double)i);
	for (uint64_t i = 0; i < SEQUENCES; i++)
		tensor_set(&lengths, i, KEYS);
}

int main(void)
{
	op_begin();
	x = tensor_random(NPUOP_F32, SHAPE(SEQUENCES, DIM));
	qkv = tensor_random(NPUOP_F32, SHAPE(SEQUENCES, 3 * DIM));
	mixed = tensor_random(NPUOP_F32, SHAPE(SEQUENCES, DIM));
	inner = tensor_random(NPUOP_F32, SHAPE(SEQUENCES, 4 * DIM));
	logits = tensor_random(NPUOP_F32, SHAPE(SEQUENCES, VOCABULARY));
	bytes = tensor_new(NPUOP_S32, SHAPE(SEQUENCES));
	gain = tensor_random(NPUOP_F32, SHAPE(DIM));
	rope = tensor_random(NPUOP_F32, SHAPE(PAGE * PAGES, HEAD));
	w_qkv = tensor_random(NPUOP_F32, SHAPE(DIM, 3 * DIM));
	w_out = tensor_random(NPUOP_F32, SHAPE(DIM, DIM));
	w_up = tensor_random(NPUOP_F32, SHAPE(DIM, 4 * DIM));
	w_down = tensor_random(NPUOP_F32, SHAPE(4 * DIM, DIM));
	w_head = tensor_random(NPUOP_F32, SHAPE(DIM, VOCABULARY));
	fill_cache();
	bench("norm, 8 x 192 x 576", to_qkv, DIM * 3 * DIM * 4, SEQUENCES * 3 * DIM);
	bench("RoPE, cache, attention", attention, 2. * SEQUENCES * KEYS * DIM * 4,
	      SEQUENCES * DIM);
	bench("8 x 192 x 192, added", out, DIM * DIM * 4, SEQUENCES * DIM);
	bench("norm, 8 x 192 x 768, GELU", up, 4 * DIM * DIM * 4, SEQUENCES * 4 * DIM);
	bench("8 x 768 x 192, added", down, 4 * DIM * DIM * 4, SEQUENCES * DIM);
	bench("norm, 8 x 192 x 256", head, DIM * VOCABULARY * 4, SEQUENCES * VOCABULARY);
	bench("8 greatest of 256", greatest, SEQUENCES * VOCABULARY * 4, SEQUENCES);
	bench("8 choices of 256, top_p", likely, SEQUENCES * VOCABULARY * 4, SEQUENCES);
	return op_end();
}

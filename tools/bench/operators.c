// SPDX-License-Identifier: MIT
/*
 * In the VM: operators through libnpuop. Prints name, value and unit, separated by tabs. Results
 * are checked on a sample of elements.
 */
#include <errno.h>

#include "measure.h"
#include "op_test.h"
#include "operators.h"

struct operator
{
	void (*launch)(struct operator* op);
	unsigned int launches;
	npuop_tensor a, b, c; /* of a product, and query, key and value */
	npuop_tensor x, gamma, beta, out, mean, rstd, lse;
};

static void *mapped(const npuop_tensor *t)
{
	void *pointer;

	NEED(npurt_memory_map(t->memory, &pointer));
	return pointer;
}

static void run(void *arg)
{
	struct operator* op = arg;

	for (unsigned int i = 0; i < op->launches; i++)
		op->launch(op);
	sync_stream();
}

static double seconds(struct operator* op)
{
	return best_seconds(run, op) / op->launches;
}

static void report(const char *name, double value, const char *unit)
{
	printf("%s\t%.2f\t%s\n", name, value, unit);
	fflush(stdout);
}

static void gemm(struct operator* op)
{
	NEED(npuop_gemm(fx.ops, NULL, &op->a, &op->b, &op->c));
}

static npuop_tensor matrices(enum npuop_dtype dtype, struct batch batch, uint32_t seed)
{
	npuop_tensor t = tensor_new(dtype, SHAPE(batch.count, batch.size, batch.size));
	const uint32_t n = batch.size;
	void *data = mapped(&t);

	for (uint32_t row = 0; row < batch.count * n; row++)
		for (uint32_t col = 0; col < n; col++) {
			const int value = element(row % n, col, seed + 2 * (row / n));
			const size_t at = (size_t)row * n + col;

			if (dtype == NPUOP_F32)
				((float *)data)[at] = (float)value;
			else if (dtype == NPUOP_F16)
				((_Float16 *)data)[at] = (_Float16)value;
			else
				((int8_t *)data)[at] = (int8_t)value;
		}
	return t;
}

static void check_gemm(const npuop_tensor *c, struct batch batch)
{
	const uint32_t n = batch.size;

	for (uint32_t i = 0; i < SAMPLES; i++) {
		const uint32_t row = sample_row(i, n), col = sample_col(i, n), m = i % batch.count;
		const double wanted = product(row, col, n, 1 + 2 * m);
		const double is = tensor_get(c, ((uint64_t)m * n + row) * n + col);

		if (is == wanted)
			continue;
		fprintf(stderr, "%s: element [%u][%u][%u] of a product is %g, not %g\n",
			program_invocation_short_name, m, row, col, is, wanted);
		exit(1);
	}
}

static void bench_gemm(const char *name, enum npuop_dtype dtype, struct batch batch)
{
	const double n = batch.size;
	struct operator op = {
		.launch = gemm,
		.launches = batch.count > 1 ? LAUNCHES : LARGE_LAUNCHES,
		.a = matrices(dtype, batch, 1),
		.b = matrices(dtype, batch, 2),
		.c = tensor_new(dtype == NPUOP_S8 ? NPUOP_S32 : NPUOP_F32,
				SHAPE(batch.count, batch.size, batch.size)),
	};
	const double rate = 2 * batch.count * n * n * n / seconds(&op) / 1e9;

	check_gemm(&op.c, batch);
	report(name, rate, dtype == NPUOP_S8 ? "GOP/s" : "GFLOP/s");
	tensor_free(&op.a);
	tensor_free(&op.b);
	tensor_free(&op.c);
}

static void bench_gemms(void)
{
	static const struct batch batches[] = BATCHES, large = { 2048, 1 };
	char name[32];

	bench_gemm("op_fp32_2048", NPUOP_F32, large);
	bench_gemm("op_fp16_2048", NPUOP_F16, large);
	bench_gemm("op_int8_2048", NPUOP_S8, large);
	for (size_t i = 0; i < COUNT(batches); i++) {
		snprintf(name, sizeof(name), "op_batch_%u", batches[i].size);
		bench_gemm(name, NPUOP_F32, batches[i]);
	}
}

static npuop_tensor filled(enum operand which, uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t = tensor_new(NPUOP_F32, rank, shape);

	operands(mapped(&t), npuop_tensor_elements(&t), which);
	return t;
}

static void attention(struct operator* op)
{
	const npuop_attention_attr attr = { .size = sizeof(attr), .flags = NPUOP_ATTENTION_CAUSAL };

	NEED(npuop_attention(fx.ops, &attr, &op->a, &op->b, &op->c, &op->out, &op->lse));
}

static void bench_attention(const char *name, uint64_t dim)
{
	const uint64_t shape[] = { 8, HEADS / 8, QUERIES, dim };
	struct operator op = {
		.launch = attention,
		.launches = LAUNCHES,
		.a = filled(QUERY, COUNT(shape), shape),
		.b = filled(KEY, COUNT(shape), shape),
		.c = filled(VALUE, COUNT(shape), shape),
		.out = tensor_new(NPUOP_F32, COUNT(shape), shape),
		.lse = tensor_new(NPUOP_F32, COUNT(shape) - 1, shape),
	};
	const double each = seconds(&op);

	check_attention(mapped(&op.out), dim);
	report(name, each * 1e6, "us");
	tensor_free(&op.a);
	tensor_free(&op.b);
	tensor_free(&op.c);
	tensor_free(&op.out);
	tensor_free(&op.lse);
}

static void layer_norm(struct operator* op)
{
	NEED(npuop_layer_norm(fx.ops, &op->x, &op->gamma, &op->beta, EPS, &op->out, &op->mean,
			      &op->rstd));
}

static void rms_norm(struct operator* op)
{
	NEED(npuop_rms_norm(fx.ops, &op->x, &op->gamma, EPS, &op->out, &op->rstd));
}

static void bench_norms(void)
{
	struct operator op = {
		.launches = LAUNCHES,
		.x = filled(X, SHAPE(ROWS, COLS)),
		.gamma = filled(GAMMA, SHAPE(COLS)),
		.beta = filled(BETA, SHAPE(COLS)),
		.out = tensor_new(NPUOP_F32, SHAPE(ROWS, COLS)),
		.mean = tensor_new(NPUOP_F32, SHAPE(ROWS)),
		.rstd = tensor_new(NPUOP_F32, SHAPE(ROWS)),
	};
	double each;

	op.launch = layer_norm;
	each = seconds(&op);
	check_norm(mapped(&op.out), true);
	report("layer_norm", each * 1e6, "us");
	op.launch = rms_norm;
	each = seconds(&op);
	check_norm(mapped(&op.out), false);
	report("rms_norm", each * 1e6, "us");
	tensor_free(&op.x);
	tensor_free(&op.gamma);
	tensor_free(&op.beta);
	tensor_free(&op.out);
	tensor_free(&op.mean);
	tensor_free(&op.rstd);
}

int main(void)
{
	op_begin();
	bench_gemms();
	bench_attention("attention_32", 32);
	bench_attention("attention_64", 64);
	bench_norms();
	return op_end();
}

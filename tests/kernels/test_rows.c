// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that work along or across rows: bias_relu, bias_grad, reduce_rows, sum, softmax_xent. */
#include "npu_kernels.h"
#include "ref.h"

#define PAD 5

static const struct shape {
	uint32_t rows, cols, blocks;
} shapes[] = {
	{ 1, 1, 1 }, { 1, 10, 3 }, { 359, 10, 2 }, { 64, 128, 1 }, { 1437, 10, 1 },
	{ 3, 8192, 2 }, { 7, 1000, 7 }, { 300, 257, 4 },
}, wide[] = {
	{ 2, 8193, 1 }, { 3, 20000, 2 }, { 1, 40001, 1 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void run_bias(struct core *core, const struct modules *modules, const struct shape *s,
		     uint32_t dtype, uint32_t flags)
{
	struct npu_bias_args args = {
		.rows = s->rows, .cols = s->cols, .ldx = s->cols + PAD, .ldout = s->cols,
		.dtype = dtype, .flags = flags,
	};
	const void *x = ref_array(core, (size_t)s->rows * args.ldx, dtype, &args.x);
	const void *bias = ref_array(core, s->cols, dtype, &args.bias);
	const void *out = ref_array(core, (size_t)s->rows * args.ldout, dtype, &args.out);
	size_t wrong = 0;

	if (ref_run(core, modules->bias_relu, "bias_relu", &args, sizeof(args), s->blocks)) {
		for (size_t i = 0; i < (size_t)s->rows * s->cols; i++) {
			const size_t row = i / s->cols, col = i % s->cols;
			const double value = ref_get(x, row * args.ldx + col, dtype) +
					     ref_get(bias, col, dtype);
			uint32_t want[1];

			ref_set(want, 0, dtype, flags && value < 0 ? 0 : value);
			wrong += ref_get(want, 0, dtype) != ref_get(out, i, dtype);
		}
		ok(!wrong, "bias_relu %ux%u, type %u, flags %u, %u blocks", s->rows, s->cols,
		   dtype, flags, s->blocks);
	}
	core_release(core);
}

static void run_bias_grad(struct core *core, const struct modules *modules,
			  const struct shape *s)
{
	struct npu_bias_grad_args args = {
		.rows = s->rows, .cols = s->cols, .ldx = s->cols + PAD, .dtype = NPU_F32,
	};
	const float *x = ref_array(core, (size_t)s->rows * args.ldx, NPU_F32, &args.x);
	const float *out = ref_array(core, s->cols, NPU_F32, &args.out);
	size_t wrong = 0;

	if (ref_run(core, modules->bias_relu, "bias_grad", &args, sizeof(args), s->blocks)) {
		for (uint32_t c = 0; c < s->cols; c++) {
			double want = 0;

			for (uint32_t r = 0; r < s->rows; r++)
				want += x[(size_t)r * args.ldx + c];
			wrong += !(fabs(out[c] - want) <= 1e-6 * s->rows);
		}
		ok(!wrong, "bias_grad %ux%u, %u blocks", s->rows, s->cols, s->blocks);
	}
	core_release(core);
}

static double reduce(uint32_t op, const float *row, uint32_t cols)
{
	double result = op == NPU_REDUCE_MAX ? row[0] : 0;

	for (uint32_t c = 0; c < cols; c++)
		if (op == NPU_REDUCE_SUM)
			result += row[c];
		else if (op == NPU_REDUCE_MAX)
			result = row[c] > result ? row[c] : result;
		else
			result = row[c] > row[(uint32_t)result] ? c : result;
	return result;
}

static void run_reduce(struct core *core, const struct modules *modules, const struct shape *s,
		       uint32_t op)
{
	struct npu_reduce_args args = {
		.rows = s->rows, .cols = s->cols, .ldx = s->cols + PAD, .op = op,
	};
	const float *x = ref_array(core, (size_t)s->rows * args.ldx, NPU_F32, &args.x);
	const uint32_t type = op == NPU_REDUCE_ARGMAX ? NPU_S32 : NPU_F32;
	const double tolerance = op == NPU_REDUCE_SUM ? 1e-6 * s->cols : 0;
	const void *out = ref_array(core, s->rows, type, &args.out);
	size_t wrong = 0;

	if (ref_run(core, modules->reduce, "reduce_rows", &args, sizeof(args), s->blocks)) {
		for (uint32_t r = 0; r < s->rows; r++) {
			const double want = reduce(op, x + (size_t)r * args.ldx, s->cols);

			wrong += !(fabs(ref_get(out, r, type) - want) <= tolerance);
		}
		ok(!wrong, "reduce_rows op %u, %ux%u, %u blocks", op, s->rows, s->cols, s->blocks);
	}
	core_release(core);
}

/* The index of the first greatest value, also where parts of a long row are joined. */
static void run_argmax_ties(struct core *core, const struct modules *modules, uint32_t cols)
{
	struct npu_reduce_args args = {
		.rows = 1, .cols = cols, .ldx = cols, .op = NPU_REDUCE_ARGMAX,
	};
	float *x = core_alloc(core, cols * sizeof(*x), &args.x);
	const int32_t *out = core_alloc(core, sizeof(*out), &args.out);

	x[7] = x[cols - 1] = 1;
	if (ref_run(core, modules->reduce, "reduce_rows", &args, sizeof(args), 1))
		ok(*out == 7, "argmax of %u takes the first of equals", cols);
	core_release(core);
}

static void run_sum(struct core *core, const struct modules *modules, size_t count,
		    uint32_t blocks)
{
	struct npu_sum_args args = { .count = count }, second = { .count = blocks };
	const float *x = ref_array(core, count, NPU_F32, &args.x);
	const float *out;
	double want = 0;

	core_alloc(core, blocks * sizeof(float), &args.out);
	second.x = args.out;
	out = core_alloc(core, sizeof(*out), &second.out);
	for (size_t i = 0; i < count; i++)
		want += x[i];
	if (ref_run(core, modules->reduce, "sum", &args, sizeof(args), blocks) &&
	    ref_run(core, modules->reduce, "sum", &second, sizeof(second), 1))
		ok(fabs(*out - want) <= 1e-6 * count, "sum of %zu, %u blocks", count, blocks);
	core_release(core);
}

/* Loss and gradient of one row, in double. */
static double softmax(const float *x, int32_t label, uint32_t cols, double scale, double *grad)
{
	double max = x[0], sum = 0;

	for (uint32_t c = 1; c < cols; c++)
		max = x[c] > max ? x[c] : max;
	for (uint32_t c = 0; c < cols; c++)
		sum += exp(x[c] - max);
	for (uint32_t c = 0; c < cols; c++)
		grad[c] = (exp(x[c] - max) / sum - (c == (uint32_t)label)) * scale;
	return log(sum) - (x[label] - max);
}

static bool check_softmax(const struct npu_softmax_xent_args *args, const float *logits,
			  const int32_t *labels, const float *loss, const float *grad)
{
	double *want = malloc(args->cols * sizeof(*want));
	bool good = true;

	for (uint32_t r = 0; r < args->rows; r++) {
		const double want_loss = softmax(logits + (size_t)r * args->ldx, labels[r],
						 args->cols, args->scale, want);

		good &= fabs(loss[r] - want_loss) <= 2e-6 * (1 + want_loss);
		for (uint32_t c = 0; c < args->cols; c++)
			good &= fabs(grad[(size_t)r * args->ldgrad + c] - want[c]) <=
				2e-6 * args->scale;
	}
	free(want);
	return good;
}

static void run_softmax(struct core *core, const struct modules *modules, const struct shape *s)
{
	struct npu_softmax_xent_args args = {
		.rows = s->rows, .cols = s->cols, .ldx = s->cols + PAD, .ldgrad = s->cols,
		.scale = 1.0f / s->rows,
	};
	float *logits = ref_array(core, (size_t)s->rows * args.ldx, NPU_F32, &args.logits);
	int32_t *labels = core_alloc(core, s->rows * sizeof(*labels), &args.labels);
	const float *loss = core_alloc(core, s->rows * sizeof(*loss), &args.loss);
	const float *grad = core_alloc(core, (size_t)s->rows * s->cols * sizeof(*grad),
				       &args.grad);

	for (size_t i = 0; i < (size_t)s->rows * args.ldx; i++)
		logits[i] *= 20;
	for (uint32_t r = 0; r < s->rows; r++)
		labels[r] = ref_random() % s->cols;
	if (ref_run(core, modules->softmax_xent, "softmax_xent", &args, sizeof(args), s->blocks))
		ok(check_softmax(&args, logits, labels, loss, grad),
		   "softmax_xent %ux%u, %u blocks", s->rows, s->cols, s->blocks);
	core_release(core);
}

/* A label that is no class is the task's error, with the row as its code. */
static void run_bad_label(struct core *core, const struct modules *modules)
{
	struct npu_softmax_xent_args args = { .rows = 4, .cols = 10, .ldx = 10, .ldgrad = 10 };
	int32_t *labels = core_alloc(core, 4 * sizeof(*labels), &args.labels);

	core_alloc(core, 40 * sizeof(float), &args.logits);
	labels[2] = 10;
	ok(core_run(core, modules->softmax_xent, "softmax_xent", &args, sizeof(args), 1) ==
		   NPU_ST_KERNEL_TRAP && core_fault(core)->address == 2,
	   "softmax_xent traps on a label that is no class");
	core_release(core);
}

void test_rows(struct core *core, const struct modules *modules)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		run_bias(core, modules, &shapes[i], NPU_F32, NPU_BIAS_RELU);
		run_bias(core, modules, &shapes[i], NPU_F16, 0);
		run_bias_grad(core, modules, &shapes[i]);
		run_softmax(core, modules, &shapes[i]);
		for (uint32_t op = 0; op < NPU_REDUCE_COUNT; op++)
			run_reduce(core, modules, &shapes[i], op);
	}
	for (size_t i = 0; i < COUNT(wide); i++) {
		run_bias(core, modules, &wide[i], NPU_F32, 0);
		run_bias_grad(core, modules, &wide[i]);
		for (uint32_t op = 0; op < NPU_REDUCE_COUNT; op++)
			run_reduce(core, modules, &wide[i], op);
		run_argmax_ties(core, modules, wide[i].cols);
	}
	run_sum(core, modules, 1, 1);
	run_sum(core, modules, 100003, 1);
	run_sum(core, modules, 100003, 7);
	run_bad_label(core, modules);
}

// SPDX-License-Identifier: MIT
/*
 * Optimisers, against the formulas in double, within what npuop_adam(3) states; and bit by bit
 * against its fp32 operations, of special values too.
 */
#include "op_test.h"

#define TOLERANCE 0x1p-20 /* of the magnitudes of all that is added */

struct state {
	npuop_tensor grad, param, moment1, moment2, copy, control;
	double *g, *w, *m, *v;
	double *w_bound, *m_bound, *v_bound;
	uint64_t count;
};

static double *values(const npuop_tensor *t)
{
	const uint64_t count = npuop_tensor_elements(t);
	double *out = malloc((count + 1) * sizeof(*out));

	for (uint64_t i = 0; i < count; i++)
		out[i] = tensor_get(t, i);
	return out;
}

static npuop_tensor operand(enum npuop_dtype dtype, uint64_t rows, uint64_t cols, bool view,
			    bool repeats)
{
	npuop_tensor t = view ? tensor_view(dtype, SHAPE(rows, cols), repeats)
			      : tensor_new(dtype, SHAPE(rows, cols));

	for (uint64_t i = 0; i < rows * cols; i++)
		tensor_set(&t, i, rnd_uniform());
	return t;
}

/* @views: dimensions in any order, with gaps; of the gradient some may repeat. */
static struct state state_new(uint64_t rows, uint64_t cols, enum npuop_dtype grad,
			      enum npuop_dtype copy, bool views)
{
	struct state s = {
		.grad = operand(grad, rows, cols, views, true),
		.param = operand(NPUOP_F32, rows, cols, views, false),
		.moment1 = operand(NPUOP_F32, rows, cols, views, false),
		.moment2 = operand(NPUOP_F32, rows, cols, views, false),
		.copy = operand(copy, rows, cols, views, false),
		.control = tensor_new(NPUOP_F32, SHAPE(4)),
		.count = rows * cols,
	};

	for (uint64_t i = 0; i < s.count; i++)
		tensor_set(&s.moment2, i, fabs(tensor_get(&s.moment2, i)));
	s.g = values(&s.grad);
	s.w = values(&s.param);
	s.m = values(&s.moment1);
	s.v = values(&s.moment2);
	s.w_bound = numbers(s.count);
	s.m_bound = numbers(s.count);
	s.v_bound = numbers(s.count);
	return s;
}

static void state_free(struct state *s)
{
	npuop_tensor *tensors[] = {
		&s->grad, &s->param, &s->moment1, &s->moment2, &s->copy, &s->control,
	};

	double *arrays[] = { s->g, s->w, s->m, s->v, s->w_bound, s->m_bound, s->v_bound };

	for (size_t i = 0; i < COUNT(tensors); i++)
		tensor_free(tensors[i]);
	for (size_t i = 0; i < COUNT(arrays); i++)
		free(arrays[i]);
}

/* The copy is the new parameter, rounded once more. */
static bool copied(const struct state *s)
{
	for (uint64_t i = 0; i < s->count; i++) {
		const double want = round_to(s->copy.dtype, tensor_get(&s->param, i));
		const double got = tensor_get(&s->copy, i);

		if (isnan(want) ? !isnan(got) : got != want)
			return false;
	}
	return true;
}

static void adam_reference(struct state *s, const npuop_adam_attr *a)
{
	const double c1 = 1 / (1 - pow((double)a->beta1, (double)a->step));
	const double c2 = 1 / (1 - pow((double)a->beta2, (double)a->step));
	const double beta1 = a->beta1, beta2 = a->beta2, decay = a->weight_decay;
	const bool decoupled = a->flags & NPUOP_ADAM_DECOUPLED;

	for (uint64_t i = 0; i < s->count; i++) {
		double g = s->g[i] * (a->grad_scale != 0 ? (double)a->grad_scale : 1);
		double most = fabs(g) + (decoupled ? 0 : decay * fabs(s->w[i])), factor;

		s->m_bound[i] = TOLERANCE * (beta1 * fabs(s->m[i]) + (1 - beta1) * most);
		s->v_bound[i] = TOLERANCE * (beta2 * s->v[i] + (1 - beta2) * most * most);
		g += decoupled ? 0 : decay * s->w[i];
		s->m[i] = beta1 * s->m[i] + (1 - beta1) * g;
		s->v[i] = beta2 * s->v[i] + (1 - beta2) * g * g;
		factor = (double)a->rate * c1 / (sqrt(s->v[i] * c2) + (double)a->eps);
		s->w_bound[i] = TOLERANCE * fabs(s->w[i]) + factor * s->m_bound[i];
		s->w[i] *= decoupled ? 1 - (double)a->rate * decay : 1;
		s->w[i] -= factor * s->m[i];
	}
}

/* With @control the attributes hold nonsense, and the device the truth. */
static void run_adam(struct state *s, npuop_adam_attr attr, bool control)
{
	adam_reference(s, &attr);
	if (control) {
		tensor_set(&s->control, 0, attr.rate);
		tensor_set(&s->control, 1, 1 / (1 - pow((double)attr.beta1, (double)attr.step)));
		tensor_set(&s->control, 2, 1 / (1 - pow((double)attr.beta2, (double)attr.step)));
		tensor_set(&s->control, 3, attr.grad_scale != 0 ? (double)attr.grad_scale : 1);
		attr.control = &s->control;
		attr.rate = 123;
		attr.step = 0;
		attr.grad_scale = 77;
	}
	NEED(npuop_adam(fx.ops, &attr, &s->grad, &s->param, &s->moment1, &s->moment2));
	sync_stream();
}

static void test_adam(void)
{
	static const enum npuop_dtype grads[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

	for (unsigned int round = 0; round < ROUNDS; round++) {
		const uint64_t cols = round ? 1 + rnd_below(round & 1 ? 9000 : 90) : 0;
		struct state s = state_new(1 + rnd_below(3), cols, grads[round % 3],
					   round & 1 ? NPUOP_F16 : NPUOP_BF16, round % 5 > 2);
		const npuop_adam_attr attr = {
			.size = sizeof(attr),
			.flags = round & 2 ? NPUOP_ADAM_DECOUPLED : 0,
			.rate = 0.01f,
			.beta1 = 0.9f,
			.beta2 = 0.99f,
			.eps = 1e-3f,
			.weight_decay = round & 4 ? 0.05f : 0,
			.grad_scale = round & 8 ? 0.25f : 0,
			.step = 1 + rnd_below(1000),
			.copy = round & 1 ? &s.copy : NULL,
		};

		run_adam(&s, attr, round & 16);
		within(&s.param, s.w, s.w_bound, "adam: param of %llu, round %u",
		       (unsigned long long)s.count, round);
		within(&s.moment1, s.m, s.m_bound, "adam: moment1");
		within(&s.moment2, s.v, s.v_bound, "adam: moment2");
		if (attr.copy)
			ok(copied(&s), "adam: copy");
		state_free(&s);
	}
}

static void test_sgd(void)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct state s =
			state_new(1 + rnd_below(50), 1 + rnd_below(round & 1 ? 900 : 90),
				  round & 1 ? NPUOP_F16 : NPUOP_F32, NPUOP_BF16, round % 5 > 2);
		const double rate = 0.125, scale = round & 8 ? 2 : 1;
		const double decay = round & 4 ? 0.25 : 0, momentum = round & 2 ? 0.75 : 0;
		npuop_sgd_attr attr = {
			.size = sizeof(attr),
			.rate = round & 16 ? 99 : (float)rate,
			.momentum = (float)momentum,
			.weight_decay = (float)decay,
			.grad_scale = round & 16 ? 99 : (float)scale,
			.control = round & 16 ? &s.control : NULL,
			.copy = &s.copy,
		};

		tensor_set(&s.control, 0, rate);
		tensor_set(&s.control, 3, scale);
		for (uint64_t i = 0; i < s.count; i++) {
			s.m_bound[i] = TOLERANCE * (momentum * fabs(s.m[i]) + fabs(s.g[i] * scale) +
						    decay * fabs(s.w[i]));
			s.w_bound[i] = TOLERANCE * fabs(s.w[i]) + rate * s.m_bound[i];
			s.m[i] = momentum * s.m[i] + s.g[i] * scale + decay * s.w[i];
			s.w[i] -= rate * s.m[i];
		}
		NEED(npuop_sgd(fx.ops, &attr, &s.grad, &s.param, round & 2 ? &s.moment1 : NULL));
		sync_stream();
		within(&s.param, s.w, s.w_bound, "sgd: param of %llu, round %u",
		       (unsigned long long)s.count, round);
		if (round & 2)
			within(&s.moment1, s.m, s.m_bound, "sgd: velocity");
		ok(copied(&s), "sgd: copy");
		state_free(&s);
	}
}

static const npuop_adam_attr usual = {
	.size = sizeof(usual),
	.rate = 0.01f,
	.beta1 = 0.9f,
	.beta2 = 0.99f,
	.eps = 1e-8f,
	.step = 1,
};

/* npuop_adam(3)'s operations, each in fp32, of one element. */
static void adam_in_fp32(struct state *s, uint64_t i, const npuop_adam_attr *a)
{
	const bool decoupled = a->flags & NPUOP_ADAM_DECOUPLED;
	const float c1 = (float)(1 / (1 - pow((double)a->beta1, (double)a->step)));
	const float root = sqrtf((float)(1 / (1 - pow((double)a->beta2, (double)a->step))));
	const float rest1 = (float)(1 - (double)a->beta1), rest2 = (float)(1 - (double)a->beta2);
	float g = (float)s->g[i] * a->grad_scale, m = (float)s->m[i], v = (float)s->v[i];
	float w = (float)s->w[i];

	if (!decoupled)
		g = fmaf(w, a->weight_decay, g);
	s->m[i] = m = fmaf(g, rest1, m * a->beta1);
	s->v[i] = v = fmaf(g * g, rest2, v * a->beta2);
	if (decoupled)
		w *= fmaf(-a->rate, a->weight_decay, 1);
	s->w[i] = fmaf(m / (sqrtf(v) + a->eps / root), -(a->rate * c1 / root), w);
}

static void sgd_in_fp32(struct state *s, uint64_t i, const npuop_sgd_attr *a)
{
	const float g = (float)s->g[i] * a->grad_scale, w = (float)s->w[i];
	const float m = fmaf((float)s->m[i], a->momentum, fmaf(w, a->weight_decay, g));

	s->m[i] = m;
	s->w[i] = fmaf(m, -a->rate, w);
}

static void set_special(npuop_tensor *t, double **values_of_t)
{
	tensor_free(t);
	*t = tensor_special(t->dtype, t->rank, t->shape);
	free(*values_of_t);
	*values_of_t = values(t);
}

/* Gradients, parameters and state that are infinite, NaN, denormal or too large for a square. */
static void test_special(void)
{
	static const enum npuop_dtype grads[] = { NPUOP_F32, NPUOP_F16, NPUOP_BF16 };

	for (unsigned int round = 0; round < 12; round++) {
		struct state s = state_new(3, 700, grads[round % 3], NPUOP_BF16, false);
		const npuop_adam_attr adam = {
			.size = sizeof(adam),
			.flags = round & 1 ? NPUOP_ADAM_DECOUPLED : 0,
			.rate = 0.01f,
			.beta1 = 0.9f,
			.beta2 = 0.99f,
			.eps = round & 2 ? 1e-8f : 0,
			.weight_decay = 0.05f,
			.grad_scale = 0.3f,
			.step = 3,
			.copy = &s.copy,
		};
		const npuop_sgd_attr sgd = {
			.size = sizeof(sgd),
			.rate = 0.1f,
			.momentum = 0.9f,
			.weight_decay = 0.05f,
			.grad_scale = 3,
			.copy = &s.copy,
		};

		set_special(&s.grad, &s.g);
		if (round >= 6) {
			set_special(&s.param, &s.w);
			set_special(&s.moment1, &s.m);
			set_special(&s.moment2, &s.v);
		}
		for (uint64_t i = 0; i < s.count; i++)
			adam_in_fp32(&s, i, &adam);
		NEED(npuop_adam(fx.ops, &adam, &s.grad, &s.param, &s.moment1, &s.moment2));
		sync_stream();
		close_to(&s.param, s.w, 0, 0, "adam, special values: param, round %u", round);
		close_to(&s.moment1, s.m, 0, 0, "adam, special values: moment1");
		close_to(&s.moment2, s.v, 0, 0, "adam, special values: moment2");
		ok(copied(&s), "adam, special values: copy");
		for (uint64_t i = 0; i < s.count; i++)
			sgd_in_fp32(&s, i, &sgd);
		NEED(npuop_sgd(fx.ops, &sgd, &s.grad, &s.param, &s.moment1));
		sync_stream();
		close_to(&s.param, s.w, 0, 0, "sgd, special values: param");
		close_to(&s.moment1, s.m, 0, 0, "sgd, special values: velocity");
		ok(copied(&s), "sgd, special values: copy");
		state_free(&s);
	}
}

/*
 * Three parameters side by side in one, as of queries, keys and values, take steps of their own:
 * the same bits as all at once, and nobody else's.
 */
static void test_slices(void)
{
	struct state all = state_new(65, 3 * 50, NPUOP_F32, NPUOP_F16, false);
	npuop_tensor param = tensor_new(NPUOP_F32, 2, all.param.shape);
	npuop_tensor velocity = tensor_new(NPUOP_F32, 2, all.param.shape);
	npuop_tensor copy = tensor_new(NPUOP_F16, 2, all.param.shape);
	npuop_sgd_attr attr = {
		.size = sizeof(attr),
		.rate = 0.1f,
		.momentum = 0.9f,
		.copy = &all.copy,
	};

	NEED(npuop_copy(fx.ops, &all.param, &param));
	NEED(npuop_copy(fx.ops, &all.moment1, &velocity));
	NEED(npuop_sgd(fx.ops, &attr, &all.grad, &all.param, &all.moment1));
	for (uint64_t i = 3; i-- > 0;) {
		const npuop_tensor g = npuop_tensor_slice(&all.grad, 1, i * 50, 50);
		const npuop_tensor w = npuop_tensor_slice(&param, 1, i * 50, 50);
		const npuop_tensor v = npuop_tensor_slice(&velocity, 1, i * 50, 50);
		const npuop_tensor c = npuop_tensor_slice(&copy, 1, i * 50, 50);

		attr.copy = &c;
		NEED(npuop_sgd(fx.ops, &attr, &g, &w, &v));
	}
	sync_stream();
	ok(same_bits(&all.param, &param) && same_bits(&all.moment1, &velocity) &&
		   same_bits(&all.copy, &copy),
	   "sgd: slices of a parameter, one by one");
	tensor_free(&param);
	tensor_free(&velocity);
	tensor_free(&copy);
	state_free(&all);
}

/* 0 / 0 is not: a parameter without gradients stays where it is. */
static void test_zero(void)
{
	struct state s = state_new(1, 100, NPUOP_F32, NPUOP_F16, false);

	for (uint64_t i = 0; i < s.count; i++) {
		tensor_set(&s.grad, i, 0);
		tensor_set(&s.moment1, i, 0);
		tensor_set(&s.moment2, i, 0);
	}
	NEED(npuop_adam(fx.ops, &usual, &s.grad, &s.param, &s.moment1, &s.moment2));
	sync_stream();
	close_to(&s.param, s.w, 0, 0, "adam: no gradient, no step");
	state_free(&s);
}

#ifdef OP_SHIM
static void test_blocks(void)
{
	static const uint32_t blocks[] = { 1, 3, 24, 100 };
	npuop_tensor first = { 0 };

	for (size_t i = 0; i < COUNT(blocks); i++) {
		struct state s = state_new(3, 7001, NPUOP_F32, NPUOP_F16, false);

		for (uint64_t j = 0; j < s.count; j++) {
			tensor_set(&s.grad, j, sin((double)j));
			tensor_set(&s.param, j, cos((double)j));
			tensor_set(&s.moment1, j, sin((double)j * 3));
			tensor_set(&s.moment2, j, 1 + cos((double)j * 7));
		}
		shim_force_blocks(blocks[i]);
		NEED(npuop_adam(fx.ops, &usual, &s.grad, &s.param, &s.moment1, &s.moment2));
		if (!i) {
			first = s.param;
			s.param = tensor_new(NPUOP_F32, SHAPE(1));
		} else {
			ok(same_bits(&first, &s.param), "adam: the same bits of %u blocks",
			   blocks[i]);
		}
		state_free(&s);
	}
	shim_force_blocks(0);
	tensor_free(&first);
}
#endif

#ifndef OP_SHIM
/* A captured step takes what control holds when it is launched. */
static void test_graph(void)
{
	struct state s = state_new(1, 1000, NPUOP_F32, NPUOP_F16, false);
	const npuop_sgd_attr attr = { .size = sizeof(attr), .control = &s.control };
	npurt_graph_exec *exec;
	npurt_graph *graph;

	NEED(npurt_stream_begin_capture(fx.stream, 0));
	NEED(npuop_sgd(fx.ops, &attr, &s.grad, &s.param, NULL));
	NEED(npurt_stream_end_capture(fx.stream, &graph));
	NEED(npurt_graph_instantiate(graph, NULL, &exec));
	for (int step = 1; step <= 3; step++) {
		tensor_set(&s.control, 0, step * 0.25);
		tensor_set(&s.control, 3, 1);
		for (uint64_t i = 0; i < s.count; i++)
			s.w[i] -= step * 0.25 * s.g[i];
		NEED(npurt_graph_launch(exec, fx.stream));
		sync_stream();
		close_to(&s.param, s.w, TOLERANCE, TOLERANCE, "sgd: step %d of a graph", step);
	}
	NEED(npurt_graph_exec_destroy(exec));
	NEED(npurt_graph_destroy(graph));
	state_free(&s);
}
#endif

static void test_refused(void)
{
	struct state s = state_new(2, 4, NPUOP_F32, NPUOP_F16, false);
	const npuop_tensor turned = npuop_tensor_transpose(&s.param, 0, 1);
	npuop_tensor repeated = s.param;
	npuop_adam_attr attr = usual;
	npuop_sgd_attr sgd = { .size = sizeof(sgd), .rate = 1 };

#define ADAM(attr, g, w, m, v) npuop_adam(fx.ops, attr, g, w, m, v)
	REFUSED(ADAM(NULL, &s.grad, &s.param, &s.moment1, &s.moment2), "attr");
	REFUSED(ADAM(&attr, NULL, &s.param, &s.moment1, &s.moment2), "grad");
	REFUSED(ADAM(&attr, &s.grad, NULL, &s.moment1, &s.moment2), "param");
	REFUSED(ADAM(&attr, &s.grad, &turned, &s.moment1, &s.moment2), "param: shape [4, 2]");
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.grad, &s.moment2), "moment1 lies over grad");
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.copy), "moment2: F16");
	repeated.stride[0] = 0;
	REFUSED(ADAM(&attr, &s.grad, &repeated, &s.moment1, &s.moment2), "param: strides");
	attr.beta1 = 1;
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.moment2), "beta1");
	attr = usual;
	attr.beta2 = NAN;
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.moment2), "beta2");
	attr = usual;
	attr.step = 0;
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.moment2), "step");
	attr = usual;
	attr.copy = &s.moment2;
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.moment2), "copy: F32");
	attr = usual;
	attr.control = &s.grad;
	REFUSED(ADAM(&attr, &s.grad, &s.param, &s.moment1, &s.moment2), "control: shape");
	sgd.momentum = 0.5f;
	REFUSED(npuop_sgd(fx.ops, &sgd, &s.grad, &s.param, NULL), "velocity");
	sgd.flags = 1;
	REFUSED(npuop_sgd(fx.ops, &sgd, &s.grad, &s.param, &s.moment1), "npuop_sgd_attr.flags");
	state_free(&s);
}

int main(void)
{
	op_begin();
	test_adam();
	test_sgd();
	test_special();
	test_slices();
	test_zero();
	test_refused();
#ifdef OP_SHIM
	test_blocks();
#else
	test_graph();
#endif
	return op_end();
}

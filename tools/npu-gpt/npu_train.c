// SPDX-License-Identifier: MIT
/*
 * Training on the NPU. A step is a graph, captured at the first one: what changes from step to
 * step, the bytes and the rate, is in device memory.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "npu.h"

/* The buffers of a layer. */
struct views {
	npuop_tensor x, rstd1, norm1, qkv, attention, middle, rstd2, norm2, up, gelu, next;
	npuop_tensor rope; /* q and k of @qkv as [sequences, positions, heads, head dim] */
	npuop_tensor q, k, v, heads, lse; /* @heads: of @attention */
};

/* Three times the heads of a row: q, k and v, of which the first two turn. */
static npuop_tensor rope_view(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint64_t pitch = 3 * (uint64_t)shape->dim, dim = gpt_head_dim(shape);

	return (npuop_tensor){
		.memory = gpt->memory[buffer],
		.offset = offset * sizeof(float),
		.dtype = NPUOP_F32,
		.rank = 4,
		.shape = { gpt->batch, shape->context, 2 * (uint64_t)shape->heads, dim },
		.stride = { shape->context * pitch, pitch, dim, 1 },
	};
}

static struct views layer_views(const struct npu_gpt *gpt, uint32_t layer)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint64_t rows = gpt->rows, dim = shape->dim, pitch = 3 * dim, t = shape->context;
	const size_t part = rows * dim * layer, qkv = 3 * part;

	return (struct views){
		.x = npu_matrix(gpt, BUF_X, part, rows, dim),
		.rstd1 = npu_vector(gpt, BUF_RSTD1, rows * layer, rows),
		.norm1 = npu_matrix(gpt, BUF_NORM1, part, rows, dim),
		.qkv = npu_matrix(gpt, BUF_QKV, qkv, rows, pitch),
		.rope = rope_view(gpt, BUF_QKV, qkv),
		.q = npu_heads(gpt, BUF_QKV, qkv, gpt->batch, t, pitch),
		.k = npu_heads(gpt, BUF_QKV, qkv + dim, gpt->batch, t, pitch),
		.v = npu_heads(gpt, BUF_QKV, qkv + 2 * dim, gpt->batch, t, pitch),
		.lse = npuop_tensor_dense(gpt->memory[BUF_LSE],
					  rows * shape->heads * layer * sizeof(float), NPUOP_F32, 3,
					  (uint64_t[]){ gpt->batch, shape->heads, t }),
		.attention = npu_matrix(gpt, BUF_ATTENTION, part, rows, dim),
		.heads = npu_heads(gpt, BUF_ATTENTION, part, gpt->batch, t, dim),
		.middle = npu_matrix(gpt, BUF_MIDDLE, part, rows, dim),
		.rstd2 = npu_vector(gpt, BUF_RSTD2, rows * layer, rows),
		.norm2 = npu_matrix(gpt, BUF_NORM2, part, rows, dim),
		.up = npu_matrix(gpt, BUF_UP, GPT_MLP * part, rows, GPT_MLP * dim),
		.gelu = npu_matrix(gpt, BUF_GELU, GPT_MLP * part, rows, GPT_MLP * dim),
		.next = npu_matrix(gpt, BUF_X, part + rows * dim, rows, dim),
	};
}

/* c = a * b */
static void product(struct npu_gpt *gpt, const npuop_tensor *a, const npuop_tensor *b,
		    const npuop_tensor *c)
{
	NPU_DO(gpt, npuop_gemm(gpt->ops, NULL, a, b, c));
}

/* c = x + a * b */
static void add_product(struct npu_gpt *gpt, const npuop_tensor *x, const npuop_tensor *a,
			const npuop_tensor *b, const npuop_tensor *c)
{
	const npuop_gemm_attr attr = { .size = sizeof(attr), .flags = NPUOP_GEMM_ACCUMULATE };

	NPU_DO(gpt, npuop_copy(gpt->ops, x, c));
	NPU_DO(gpt, npuop_gemm(gpt->ops, &attr, a, b, c));
}

/* The gradients of out = in * w: of w, and of in to @grad_in. */
static void product_backward(struct npu_gpt *gpt, const npuop_tensor *in, const npuop_tensor *w,
			     const npuop_tensor *grad, const npuop_tensor *grad_w,
			     const npuop_tensor *grad_in)
{
	const npuop_tensor in_t = npuop_tensor_transpose(in, 0, 1);
	const npuop_tensor w_t = npuop_tensor_transpose(w, 0, 1);

	product(gpt, &in_t, grad, grad_w);
	product(gpt, grad, &w_t, grad_in);
}

static void layer_forward(struct npu_gpt *gpt, uint32_t layer)
{
	static const npuop_attention_attr causal = { .size = sizeof(causal),
						     .flags = NPUOP_ATTENTION_CAUSAL };
	const struct views v = layer_views(gpt, layer);
	const npuop_tensor gain1 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM1);
	const npuop_tensor gain2 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM2);
	const npuop_tensor qkv = npu_weight(gpt, BUF_VALUES, layer, GPT_QKV);
	const npuop_tensor out = npu_weight(gpt, BUF_VALUES, layer, GPT_OUT);
	const npuop_tensor up = npu_weight(gpt, BUF_VALUES, layer, GPT_UP);
	const npuop_tensor down = npu_weight(gpt, BUF_VALUES, layer, GPT_DOWN);
	const npuop_gemm_attr gelu = { .size = sizeof(gelu),
				       .activation = NPUOP_ACT_GELU_TANH,
				       .pre = &v.up };

	NPU_DO(gpt, npuop_rms_norm(gpt->ops, &v.x, &gain1, GPT_EPSILON, &v.norm1, &v.rstd1));
	product(gpt, &v.norm1, &qkv, &v.qkv);
	NPU_DO(gpt, npuop_rope(gpt->ops, &v.rope, NULL, GPT_ROPE_BASE, 0, &v.rope));
	NPU_DO(gpt, npuop_attention(gpt->ops, &causal, &v.q, &v.k, &v.v, &v.heads, &v.lse));
	add_product(gpt, &v.x, &v.attention, &out, &v.middle);
	NPU_DO(gpt, npuop_rms_norm(gpt->ops, &v.middle, &gain2, GPT_EPSILON, &v.norm2, &v.rstd2));
	NPU_DO(gpt, npuop_gemm(gpt->ops, &gelu, &v.norm2, &up, &v.gelu));
	add_product(gpt, &v.middle, &v.gelu, &down, &v.next);
}

/* grad_x += what comes through a norm of x; its gain's gradient. */
static void norm_backward(struct npu_gpt *gpt, const npuop_tensor *x, const npuop_tensor *gamma,
			  const npuop_tensor *rstd, const npuop_tensor *grad_gamma)
{
	const npuop_tensor grad_x =
		npu_matrix(gpt, BUF_GRAD_X, 0, gpt->rows, gpt->params->shape.dim);
	const npuop_tensor grad =
		npu_matrix(gpt, BUF_GRAD_NORM, 0, gpt->rows, gpt->params->shape.dim);
	const npuop_tensor through =
		npu_matrix(gpt, BUF_GRAD_ATTENTION, 0, gpt->rows, gpt->params->shape.dim);

	NPU_DO(gpt, npuop_rms_norm_backward(gpt->ops, x, gamma, rstd, &grad, &through, grad_gamma));
	NPU_DO(gpt, npuop_binary(gpt->ops, NPUOP_ADD, &grad_x, &through, &grad_x));
}

static void mlp_backward(struct npu_gpt *gpt, uint32_t layer, const struct views *v)
{
	const uint64_t dim = gpt->params->shape.dim;
	const npuop_tensor grad_x = npu_matrix(gpt, BUF_GRAD_X, 0, gpt->rows, dim);
	const npuop_tensor grad_norm = npu_matrix(gpt, BUF_GRAD_NORM, 0, gpt->rows, dim);
	const npuop_tensor grad_up = npu_matrix(gpt, BUF_GRAD_UP, 0, gpt->rows, GPT_MLP * dim);
	const npuop_tensor down = npu_weight(gpt, BUF_VALUES, layer, GPT_DOWN);
	const npuop_tensor up = npu_weight(gpt, BUF_VALUES, layer, GPT_UP);
	const npuop_tensor grad_down = npu_weight(gpt, BUF_GRADS, layer, GPT_DOWN);
	const npuop_tensor grad_up_w = npu_weight(gpt, BUF_GRADS, layer, GPT_UP);
	const npuop_tensor gain2 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM2);
	const npuop_tensor grad_gain = npu_gain(gpt, BUF_GRADS, layer, GPT_NORM2);

	product_backward(gpt, &v->gelu, &down, &grad_x, &grad_down, &grad_up);
	NPU_DO(gpt, npuop_unary_backward(gpt->ops, NPUOP_GELU_TANH, &v->up, &grad_up, &grad_up));
	product_backward(gpt, &v->norm2, &up, &grad_up, &grad_up_w, &grad_norm);
	norm_backward(gpt, &v->middle, &gain2, &v->rstd2, &grad_gain);
}

static void attention_backward(struct npu_gpt *gpt, uint32_t layer, const struct views *v)
{
	static const npuop_attention_attr causal = { .size = sizeof(causal),
						     .flags = NPUOP_ATTENTION_CAUSAL };
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint64_t dim = shape->dim, pitch = 3 * dim, t = shape->context;
	const npuop_tensor grad_x = npu_matrix(gpt, BUF_GRAD_X, 0, gpt->rows, dim);
	const npuop_tensor grad_norm = npu_matrix(gpt, BUF_GRAD_NORM, 0, gpt->rows, dim);
	const npuop_tensor grad_out = npu_matrix(gpt, BUF_GRAD_ATTENTION, 0, gpt->rows, dim);
	const npuop_tensor grad = npu_heads(gpt, BUF_GRAD_ATTENTION, 0, gpt->batch, t, dim);
	const npuop_tensor grad_qkv = npu_matrix(gpt, BUF_GRAD_QKV, 0, gpt->rows, pitch);
	const npuop_tensor turned = rope_view(gpt, BUF_GRAD_QKV, 0);
	const npuop_tensor q = npu_heads(gpt, BUF_GRAD_QKV, 0, gpt->batch, t, pitch);
	const npuop_tensor k = npu_heads(gpt, BUF_GRAD_QKV, dim, gpt->batch, t, pitch);
	const npuop_tensor value = npu_heads(gpt, BUF_GRAD_QKV, 2 * dim, gpt->batch, t, pitch);
	const npuop_tensor out = npu_weight(gpt, BUF_VALUES, layer, GPT_OUT);
	const npuop_tensor qkv = npu_weight(gpt, BUF_VALUES, layer, GPT_QKV);
	const npuop_tensor grad_out_w = npu_weight(gpt, BUF_GRADS, layer, GPT_OUT);
	const npuop_tensor grad_qkv_w = npu_weight(gpt, BUF_GRADS, layer, GPT_QKV);
	const npuop_tensor gain1 = npu_gain(gpt, BUF_VALUES, layer, GPT_NORM1);
	const npuop_tensor grad_gain = npu_gain(gpt, BUF_GRADS, layer, GPT_NORM1);

	product_backward(gpt, &v->attention, &out, &grad_x, &grad_out_w, &grad_out);
	NPU_DO(gpt, npuop_attention_backward(gpt->ops, &causal, &v->q, &v->k, &v->v, &v->heads,
					     &v->lse, &grad, &q, &k, &value));
	NPU_DO(gpt,
	       npuop_rope(gpt->ops, &turned, NULL, GPT_ROPE_BASE, NPUOP_ROPE_INVERSE, &turned));
	product_backward(gpt, &v->norm1, &qkv, &grad_qkv, &grad_qkv_w, &grad_norm);
	norm_backward(gpt, &v->x, &gain1, &v->rstd1, &grad_gain);
}

/* From the bytes to the logits; with @grad these become their gradient. */
static void forward(struct npu_gpt *gpt, bool grad)
{
	const struct gpt_params *params = gpt->params;
	const uint64_t rows = gpt->rows, dim = params->shape.dim, layers = params->shape.layers;
	const npuop_tensor table =
		npu_matrix(gpt, BUF_VALUES, gpt_embedding(params), GPT_VOCABULARY, dim);
	const npuop_tensor tokens =
		npuop_tensor_dense(gpt->memory[BUF_TOKENS], 0, NPUOP_S32, 1, &rows);
	const npuop_tensor labels =
		npuop_tensor_dense(gpt->memory[BUF_LABELS], 0, NPUOP_S32, 1, &rows);
	const npuop_tensor first = npu_matrix(gpt, BUF_X, 0, rows, dim);
	const npuop_tensor last = npu_matrix(gpt, BUF_X, layers * rows * dim, rows, dim);
	const npuop_tensor rstd = npu_vector(gpt, BUF_RSTD1, layers * rows, rows);
	const npuop_tensor norm = npu_matrix(gpt, BUF_NORM1, layers * rows * dim, rows, dim);
	const npuop_tensor gamma = npu_vector(gpt, BUF_VALUES, gpt_last_norm(params), dim);
	const npuop_tensor head =
		npu_matrix(gpt, BUF_VALUES, gpt_head(params), dim, GPT_VOCABULARY);
	const npuop_tensor logits = npu_matrix(gpt, BUF_LOGITS, 0, rows, GPT_VOCABULARY);
	const npuop_tensor losses = npu_vector(gpt, BUF_LOSSES, 0, rows);
	const npuop_tensor mean = npu_vector(gpt, BUF_LOSSES, rows, 1);

	NPU_DO(gpt, npuop_embedding(gpt->ops, &table, &tokens, &first));
	for (uint32_t i = 0; i < layers; i++)
		layer_forward(gpt, i);
	NPU_DO(gpt, npuop_rms_norm(gpt->ops, &last, &gamma, GPT_EPSILON, &norm, &rstd));
	product(gpt, &norm, &head, &logits);
	NPU_DO(gpt, npuop_cross_entropy(gpt->ops, &logits, &labels, &losses, 1 / (float)rows,
					grad ? &logits : NULL));
	NPU_DO(gpt, npuop_reduce(gpt->ops, NPUOP_REDUCE_MEAN, &losses, &mean));
}

static void backward(struct npu_gpt *gpt)
{
	const struct gpt_params *params = gpt->params;
	const uint64_t rows = gpt->rows, dim = params->shape.dim, layers = params->shape.layers;
	const npuop_tensor tokens =
		npuop_tensor_dense(gpt->memory[BUF_TOKENS], 0, NPUOP_S32, 1, &rows);
	const npuop_tensor last = npu_matrix(gpt, BUF_X, layers * rows * dim, rows, dim);
	const npuop_tensor rstd = npu_vector(gpt, BUF_RSTD1, layers * rows, rows);
	const npuop_tensor norm = npu_matrix(gpt, BUF_NORM1, layers * rows * dim, rows, dim);
	const npuop_tensor gamma = npu_vector(gpt, BUF_VALUES, gpt_last_norm(params), dim);
	const npuop_tensor grad_gamma = npu_vector(gpt, BUF_GRADS, gpt_last_norm(params), dim);
	const npuop_tensor head =
		npu_matrix(gpt, BUF_VALUES, gpt_head(params), dim, GPT_VOCABULARY);
	const npuop_tensor grad_head =
		npu_matrix(gpt, BUF_GRADS, gpt_head(params), dim, GPT_VOCABULARY);
	const npuop_tensor grad_logits = npu_matrix(gpt, BUF_LOGITS, 0, rows, GPT_VOCABULARY);
	const npuop_tensor grad_norm = npu_matrix(gpt, BUF_GRAD_NORM, 0, rows, dim);
	const npuop_tensor grad_x = npu_matrix(gpt, BUF_GRAD_X, 0, rows, dim);
	const npuop_tensor grad_table =
		npu_matrix(gpt, BUF_GRADS, gpt_embedding(params), GPT_VOCABULARY, dim);

	product_backward(gpt, &norm, &head, &grad_logits, &grad_head, &grad_norm);
	NPU_DO(gpt, npuop_rms_norm_backward(gpt->ops, &last, &gamma, &rstd, &grad_norm, &grad_x,
					    &grad_gamma));
	for (uint32_t i = layers; i--;) {
		const struct views v = layer_views(gpt, i);

		mlp_backward(gpt, i, &v);
		attention_backward(gpt, i, &v);
	}
	NPU_DO(gpt, npuop_embedding_backward(gpt->ops, &tokens, &grad_x, &grad_table));
}

/* AdamW of @count parameters from @offset on. */
static void update(struct npu_gpt *gpt, size_t offset, uint64_t count, float decay)
{
	const npuop_tensor control = npu_vector(gpt, BUF_CONTROL, 0, 4);
	const npuop_adam_attr attr = {
		.size = sizeof(attr),
		.flags = NPUOP_ADAM_DECOUPLED,
		.beta1 = GPT_BETA1,
		.beta2 = GPT_BETA2,
		.eps = GPT_ADAM_EPSILON,
		.weight_decay = decay,
		.step = 1,
		.control = &control,
	};
	const npuop_tensor grad = npu_vector(gpt, BUF_GRADS, offset, count);
	const npuop_tensor value = npu_vector(gpt, BUF_VALUES, offset, count);
	const npuop_tensor moment1 = npu_vector(gpt, BUF_MOMENT1, offset, count);
	const npuop_tensor moment2 = npu_vector(gpt, BUF_MOMENT2, offset, count);

	NPU_DO(gpt, npuop_adam(gpt->ops, &attr, &grad, &value, &moment1, &moment2));
}

static void capture_step(struct npu_gpt *gpt)
{
	const size_t matrices = gpt->params->matrices;

	if (!NPU_DO(gpt, npurt_stream_begin_capture(gpt->stream, 0)))
		return;
	forward(gpt, true);
	backward(gpt);
	update(gpt, 0, matrices, GPT_WEIGHT_DECAY);
	update(gpt, matrices, gpt->params->floats - matrices, 0);
	npu_end_capture(gpt, &gpt->step);
}

/* Bytes of a batch, and as labels those that follow; before position @from there are none. */
static void upload_batch(struct npu_gpt *gpt, const uint8_t *bytes, uint32_t from)
{
	const uint32_t t = gpt->params->shape.context;
	int32_t *numbers = malloc(2 * (size_t)gpt->rows * sizeof(*numbers));

	if (!numbers) {
		npu_check(gpt, NPURT_ERROR_HOST_MEMORY, "a batch");
		return;
	}
	for (uint32_t r = 0; r < gpt->rows; r++) {
		const uint8_t *at = bytes + r / t * (t + 1) + r % t;

		numbers[r] = at[0];
		numbers[gpt->rows + r] = r % t < from ? -1 : at[1];
	}
	npu_upload_numbers(gpt, BUF_TOKENS, numbers, gpt->rows);
	npu_upload_numbers(gpt, BUF_LABELS, numbers + gpt->rows, gpt->rows);
	free(numbers);
}

static bool read_loss(struct npu_gpt *gpt, float *loss)
{
	NPU_DO(gpt, npurt_download(gpt->stream, loss, gpt->memory[BUF_LOSSES],
				   gpt->rows * sizeof(float), sizeof(*loss)));
	return !gpt->error;
}

bool npu_gpt_step(struct npu_gpt *gpt, const uint8_t *bytes, float rate, uint64_t step, float *loss)
{
	const float control[4] = {
		rate,
		1 / (1 - powf(GPT_BETA1, (float)step)),
		1 / (1 - powf(GPT_BETA2, (float)step)),
		1,
	};

	if (!gpt->step)
		capture_step(gpt);
	if (gpt->error)
		return false;
	upload_batch(gpt, bytes, 0);
	NPU_DO(gpt,
	       npurt_upload(gpt->stream, gpt->memory[BUF_CONTROL], 0, control, sizeof(control)));
	NPU_DO(gpt, npurt_graph_launch(gpt->step, gpt->stream));
	return read_loss(gpt, loss);
}

bool npu_gpt_loss(struct npu_gpt *gpt, const uint8_t *bytes, uint32_t from, float *loss)
{
	const uint32_t t = gpt->params->shape.context;

	upload_batch(gpt, bytes, from);
	forward(gpt, false);
	if (!read_loss(gpt, loss))
		return false;
	/* The mean is over all positions. */
	*loss *= (float)t / (float)(t - from);
	return true;
}

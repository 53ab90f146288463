// SPDX-License-Identifier: MIT
/* The model on the NPU: device, memory, and parameters in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npu.h"

bool npu_check(struct npu_gpt *gpt, int error, const char *what)
{
	char detail[512] = "";

	if (!error || gpt->error)
		return !gpt->error;
	gpt->error = error;
	if (gpt->ops)
		snprintf(detail, sizeof(detail), "%s", npuop_message(gpt->ops));
	if (!detail[0] && gpt->stream &&
	    npurt_stream_error_message(gpt->stream, detail, sizeof(detail)))
		detail[0] = '\0';
	if (!detail[0] && gpt->context)
		npurt_context_error_message(gpt->context, detail, sizeof(detail));
	fprintf(stderr, "npu-gpt: %s: %s%s%s\n", what, npurt_strerror(error), detail[0] ? ": " : "",
		detail);
	return false;
}

npuop_tensor npu_vector(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
			uint64_t count)
{
	return npuop_tensor_dense(gpt->memory[buffer], offset * sizeof(float), NPUOP_F32, 1,
				  &count);
}

npuop_tensor npu_matrix(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
			uint64_t rows, uint64_t cols)
{
	return npuop_tensor_dense(gpt->memory[buffer], offset * sizeof(float), NPUOP_F32, 2,
				  (uint64_t[]){ rows, cols });
}

npuop_tensor npu_heads(const struct npu_gpt *gpt, enum npu_buffer buffer, size_t offset,
		       uint64_t sequences, uint64_t positions, uint64_t pitch)
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const uint64_t dim = gpt_head_dim(shape);

	return (npuop_tensor){
		.memory = gpt->memory[buffer],
		.offset = offset * sizeof(float),
		.dtype = NPUOP_F32,
		.rank = 4,
		.shape = { sequences, shape->heads, positions, dim },
		.stride = { positions * pitch, dim, pitch, 1 },
	};
}

npuop_tensor npu_weight(const struct npu_gpt *gpt, enum npu_buffer buffer, uint32_t layer,
			enum gpt_matrix which)
{
	const uint64_t dim = gpt->params->shape.dim;
	const uint64_t rows = which == GPT_DOWN ? GPT_MLP * dim : dim;
	const uint64_t cols = which == GPT_QKV ? 3 * dim : which == GPT_UP ? GPT_MLP * dim : dim;

	return npu_matrix(gpt, buffer, gpt_matrix(gpt->params, layer, which), rows, cols);
}

npuop_tensor npu_gain(const struct npu_gpt *gpt, enum npu_buffer buffer, uint32_t layer,
		      enum gpt_vector which)
{
	return npu_vector(gpt, buffer, gpt_vector(gpt->params, layer, which),
			  gpt->params->shape.dim);
}

/* Floats of each buffer. */
static void sizes(const struct npu_gpt *gpt, size_t size[BUF_COUNT])
{
	const struct gpt_shape *shape = &gpt->params->shape;
	const size_t rows = gpt->rows, part = rows * shape->dim, layers = shape->layers;

	for (int i = BUF_VALUES; i <= BUF_MOMENT2; i++)
		size[i] = gpt->params->floats;
	size[BUF_TOKENS] = size[BUF_LABELS] = rows;
	size[BUF_X] = (layers + 1) * part;
	size[BUF_RSTD1] = (layers + 1) * rows;
	size[BUF_NORM1] = (layers + 1) * part;
	size[BUF_QKV] = layers * 3 * part;
	size[BUF_LSE] = layers * rows * shape->heads;
	size[BUF_ATTENTION] = size[BUF_MIDDLE] = size[BUF_NORM2] = layers * part;
	size[BUF_RSTD2] = layers * rows;
	size[BUF_UP] = size[BUF_GELU] = layers * GPT_MLP * part;
	size[BUF_LOGITS] = rows * GPT_VOCABULARY;
	size[BUF_LOSSES] = rows + 1;
	size[BUF_GRAD_X] = size[BUF_GRAD_NORM] = size[BUF_GRAD_ATTENTION] = part;
	size[BUF_GRAD_QKV] = 3 * part;
	size[BUF_GRAD_UP] = GPT_MLP * part;
	size[BUF_CONTROL] = 4;
}

static void allocate(struct npu_gpt *gpt)
{
	static const char *const labels[BUF_COUNT] = {
		[BUF_VALUES] = "parameters", [BUF_GRADS] = "gradients", [BUF_UP] = "mlp",
		[BUF_QKV] = "qkv",	     [BUF_LOGITS] = "logits",
	};
	size_t size[BUF_COUNT];

	sizes(gpt, size);
	for (int i = 0; i < BUF_COUNT; i++) {
		const npurt_memory_attr attr = { .size = sizeof(attr), .label = labels[i] };

		NPU_DO(gpt, npurt_memory_create(gpt->context, size[i] * sizeof(float), &attr,
						&gpt->memory[i]));
	}
}

struct npu_gpt *npu_gpt_new(const struct gpt_params *params, const char *device, uint32_t batch)
{
	struct npu_gpt *gpt = calloc(1, sizeof(*gpt));
	const unsigned int number = (unsigned int)atoi(device);

	if (!gpt)
		return NULL;
	gpt->params = params;
	gpt->batch = batch;
	gpt->rows = batch * params->shape.context;
	if (strchr(device, ':'))
		NPU_DO(gpt, npurt_device_open_bus_id(device, NULL, &gpt->device));
	else
		NPU_DO(gpt, npurt_device_open(number, NULL, &gpt->device));
	NPU_DO(gpt, npurt_context_create(gpt->device, NULL, &gpt->context));
	NPU_DO(gpt, npurt_stream_create(gpt->context, NULL, &gpt->stream));
	NPU_DO(gpt, npuop_create(gpt->context, gpt->stream, NULL, &gpt->ops));
	allocate(gpt);
	if (!gpt->error)
		return gpt;
	npu_gpt_free(gpt);
	return NULL;
}

void npu_gpt_free(struct npu_gpt *gpt)
{
	if (!gpt)
		return;
	if (gpt->stream)
		npurt_stream_synchronize(gpt->stream);
	if (gpt->step)
		npurt_graph_exec_destroy(gpt->step);
	for (int i = 0; i < BUF_COUNT; i++)
		if (gpt->memory[i])
			npurt_memory_destroy(gpt->memory[i]);
	npuop_destroy(gpt->ops);
	if (gpt->stream)
		npurt_stream_destroy(gpt->stream);
	if (gpt->context)
		npurt_context_destroy(gpt->context);
	if (gpt->device)
		npurt_device_close(gpt->device);
	free(gpt);
}

/* Where the parts of the training's state are. */
static const enum npu_buffer state_buffers[GPT_STATES] = {
	[GPT_VALUES] = BUF_VALUES,
	[GPT_MOMENT1] = BUF_MOMENT1,
	[GPT_MOMENT2] = BUF_MOMENT2,
};

bool npu_gpt_set(struct npu_gpt *gpt, enum gpt_state which, const float *values)
{
	NPU_DO(gpt, npurt_upload(gpt->stream, gpt->memory[state_buffers[which]], 0, values,
				 gpt->params->floats * sizeof(*values)));
	return !gpt->error;
}

bool npu_gpt_get(struct npu_gpt *gpt, enum gpt_state which, float *values)
{
	NPU_DO(gpt, npurt_download(gpt->stream, values, gpt->memory[state_buffers[which]], 0,
				   gpt->params->floats * sizeof(*values)));
	return !gpt->error;
}

void npu_upload_numbers(struct npu_gpt *gpt, enum npu_buffer buffer, const int32_t *numbers,
			uint32_t count)
{
	NPU_DO(gpt, npurt_upload(gpt->stream, gpt->memory[buffer], 0, numbers,
				 count * sizeof(*numbers)));
}

/* The capture ends whatever came before. */
void npu_end_capture(struct npu_gpt *gpt, npurt_graph_exec **exec)
{
	npurt_graph *graph = NULL;

	npu_check(gpt, npurt_stream_end_capture(gpt->stream, &graph), "capture");
	NPU_DO(gpt, npurt_graph_instantiate(graph, NULL, exec));
	if (graph)
		npurt_graph_destroy(graph);
}

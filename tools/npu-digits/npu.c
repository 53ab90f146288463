// SPDX-License-Identifier: MIT
/*
 * The training on the NPU. Two streams: one brings mini-batches into two buffers in turn,
 * the other computes; each waits on the device, by events, for what it needs of the other.
 * The CPU looks at nothing before an epoch's end. With --graph all images of an epoch are
 * brought at once, and its steps are one launch.
 */
#include <npu_kernels.h>
#include <npurt/npurt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

enum { BATCHES = 2 }; /* mini-batches in flight */

enum buffer {
	WEIGHTS,
	WEIGHTS16,
	GRADIENTS,
	VELOCITIES,
	PIXELS, /* of BATCHES mini-batches */
	LABELS,
	HIDDEN_OUT,
	HIDDEN16,
	HIDDEN_GRAD,
	HIDDEN_GRAD16,
	LOGITS,
	LOGITS_GRAD,
	LOGITS_GRAD16,
	LOSSES, /* of each image of an epoch */
	EPOCH_LOSS, /* their sum */
	PREDICTED,
	BUFFERS,
};

enum kernel {
	GEMM,
	BIAS_RELU,
	BIAS_GRAD,
	ELEMENTWISE,
	SOFTMAX_XENT,
	SUM,
	REDUCE_ROWS,
	SGD,
	CAST,
	KERNELS,
};

static const struct {
	const char *name, *module;
} kernel_table[KERNELS] = {
	[GEMM] = { "gemm", "gemm" },
	[BIAS_RELU] = { "bias_relu", "bias_relu" },
	[BIAS_GRAD] = { "bias_grad", "bias_relu" },
	[ELEMENTWISE] = { "elementwise", "elementwise" },
	[SOFTMAX_XENT] = { "softmax_xent", "softmax_xent" },
	[SUM] = { "sum", "reduce" },
	[REDUCE_ROWS] = { "reduce_rows", "reduce" },
	[SGD] = { "sgd", "sgd" },
	[CAST] = { "cast", "cast" },
};

struct npu {
	const struct settings *settings;
	unsigned int rows; /* that a mini-batch's buffers hold */
	uint32_t operand; /* dtype of the operands of matrix products */
	int error; /* the first one; nothing is done after it */
	npurt_device *device;
	npurt_context *context;
	npurt_stream *copy, *compute;
	npurt_event *uploaded[BATCHES], *consumed[BATCHES], *begin, *end;
	npurt_module *modules[KERNELS];
	npurt_kernel *kernels[KERNELS];
	npurt_memory *memory[BUFFERS];
	npurt_graph *graph; /* steps of an epoch */
	npurt_graph_exec *epoch;
	void *staging; /* a gathered mini-batch */
};

/* Keeps the first error, and says what it is. */
static bool check(struct npu *npu, int error, const char *what)
{
	char detail[256] = "";

	if (!error || npu->error)
		return !npu->error;
	npu->error = error;
	if (npu->compute && npurt_stream_error_message(npu->compute, detail, sizeof(detail)))
		detail[0] = '\0';
	if (!detail[0] && npu->copy)
		npurt_stream_error_message(npu->copy, detail, sizeof(detail));
	if (!detail[0] && npu->context)
		npurt_context_error_message(npu->context, detail, sizeof(detail));
	fprintf(stderr, "npu-digits: %s: %s%s%s\n", what, npurt_strerror(error),
		detail[0] ? ": " : "", detail);
	return false;
}

static uint64_t address(const struct npu *npu, enum buffer buffer)
{
	return npurt_memory_address(npu->memory[buffer]);
}

/* Bytes of an element of an operand. */
static size_t operand_bytes(const struct npu *npu)
{
	return npu->operand == NPU_F16 ? 2 : 4;
}

/* A member of the parameters as operand of a product, in fp16 or not. */
#define OPERAND_WEIGHTS(npu, member)                                                              \
	((npu)->operand == NPU_F16 ?                                                              \
		 address(npu, WEIGHTS16) + offsetof(struct parameters, member) / 2 :              \
		 address(npu, WEIGHTS) + offsetof(struct parameters, member))
#define MEMBER(npu, buffer, member)                                                               \
	(address(npu, buffer) + offsetof(struct parameters, member))

static uint64_t batch_pixels(const struct npu *npu, unsigned int slot)
{
	return address(npu, PIXELS) + (uint64_t)slot * npu->rows * INPUTS * operand_bytes(npu);
}

static uint64_t batch_labels(const struct npu *npu, unsigned int slot)
{
	return address(npu, LABELS) + (uint64_t)slot * npu->rows * sizeof(int32_t);
}

static void launch(struct npu *npu, enum kernel kernel, uint32_t blocks, const void *args,
		   size_t size)
{
	if (!npu->error)
		check(npu,
		      npurt_launch(npu->compute, npu->kernels[kernel], blocks, args, size, NULL),
		      kernel_table[kernel].name);
}

/* C (m x n, fp32) = A * B; operands are dense as they are stored. */
static void gemm(struct npu *npu, uint64_t c, uint64_t a, uint64_t b, uint32_t m, uint32_t n,
		 uint32_t k, uint32_t flags)
{
	const struct npu_gemm_args args = {
		.a = a, .b = b, .c = c, .m = m, .n = n, .k = k,
		.lda = flags & NPU_GEMM_TRANS_A ? m : k,
		.ldb = flags & NPU_GEMM_TRANS_B ? k : n,
		.ldc = n, .in = npu->operand, .out = NPU_F32, .flags = flags,
	};

	launch(npu, GEMM, 1, &args, sizeof(args));
}

static void add_bias(struct npu *npu, uint64_t x, uint64_t bias, uint32_t rows, uint32_t cols,
		     uint32_t flags)
{
	const struct npu_bias_args args = {
		.x = x, .bias = bias, .out = x, .rows = rows, .cols = cols, .ldx = cols,
		.ldout = cols, .dtype = NPU_F32, .flags = flags,
	};

	launch(npu, BIAS_RELU, 1, &args, sizeof(args));
}

static void bias_grad(struct npu *npu, uint64_t out, uint64_t x, uint32_t rows, uint32_t cols)
{
	const struct npu_bias_grad_args args = {
		.x = x, .out = out, .rows = rows, .cols = cols, .ldx = cols, .dtype = NPU_F32,
	};

	launch(npu, BIAS_GRAD, 1, &args, sizeof(args));
}

/* An fp32 result as operand of a product: itself, or its copy in fp16. */
static uint64_t as_operand(struct npu *npu, enum buffer from, enum buffer copy, uint64_t count)
{
	const struct npu_cast_args args = {
		.x = address(npu, from), .out = address(npu, copy), .count = count,
		.in = NPU_F32, .dtype_out = NPU_F16,
	};

	if (npu->operand != NPU_F16)
		return address(npu, from);
	launch(npu, CAST, 1, &args, sizeof(args));
	return address(npu, copy);
}

/* From pixels to logits; returns the hidden layer as an operand. */
static uint64_t forward(struct npu *npu, uint64_t pixels, uint32_t rows)
{
	uint64_t hidden;

	gemm(npu, address(npu, HIDDEN_OUT), pixels, OPERAND_WEIGHTS(npu, w1), rows, HIDDEN,
	     INPUTS, 0);
	add_bias(npu, address(npu, HIDDEN_OUT), MEMBER(npu, WEIGHTS, b1), rows, HIDDEN,
		 NPU_BIAS_RELU);
	hidden = as_operand(npu, HIDDEN_OUT, HIDDEN16, (uint64_t)rows * HIDDEN);
	gemm(npu, address(npu, LOGITS), hidden, OPERAND_WEIGHTS(npu, w2), rows, CLASSES, HIDDEN,
	     0);
	add_bias(npu, address(npu, LOGITS), MEMBER(npu, WEIGHTS, b2), rows, CLASSES, 0);
	return hidden;
}

static void softmax(struct npu *npu, uint64_t labels, unsigned int first, uint32_t rows)
{
	const struct npu_softmax_xent_args args = {
		.logits = address(npu, LOGITS), .labels = labels,
		.loss = address(npu, LOSSES) + first * sizeof(float),
		.grad = address(npu, LOGITS_GRAD), .rows = rows, .cols = CLASSES,
		.ldx = CLASSES, .ldgrad = CLASSES, .scale = 1,
	};

	launch(npu, SOFTMAX_XENT, 1, &args, sizeof(args));
}

static void backward(struct npu *npu, uint64_t pixels, uint64_t hidden, uint32_t rows)
{
	const struct npu_eltwise_args relu_grad = {
		.x = address(npu, HIDDEN_GRAD), .y = address(npu, HIDDEN_OUT),
		.out = address(npu, HIDDEN_GRAD), .count = (uint64_t)rows * HIDDEN,
		.op = NPU_ELTWISE_RELU_GRAD, .dtype = NPU_F32,
	};
	uint64_t grad = as_operand(npu, LOGITS_GRAD, LOGITS_GRAD16, (uint64_t)rows * CLASSES);

	bias_grad(npu, MEMBER(npu, GRADIENTS, b2), address(npu, LOGITS_GRAD), rows, CLASSES);
	gemm(npu, MEMBER(npu, GRADIENTS, w2), hidden, grad, HIDDEN, CLASSES, rows,
	     NPU_GEMM_TRANS_A);
	gemm(npu, address(npu, HIDDEN_GRAD), grad, OPERAND_WEIGHTS(npu, w2), rows, HIDDEN,
	     CLASSES, NPU_GEMM_TRANS_B);
	launch(npu, ELEMENTWISE, 1, &relu_grad, sizeof(relu_grad));
	grad = as_operand(npu, HIDDEN_GRAD, HIDDEN_GRAD16, (uint64_t)rows * HIDDEN);
	bias_grad(npu, MEMBER(npu, GRADIENTS, b1), address(npu, HIDDEN_GRAD), rows, HIDDEN);
	gemm(npu, MEMBER(npu, GRADIENTS, w1), pixels, grad, INPUTS, HIDDEN, rows,
	     NPU_GEMM_TRANS_A);
}

static void update(struct npu *npu, uint32_t rows)
{
	const struct npu_sgd_args args = {
		.w = address(npu, WEIGHTS), .g = address(npu, GRADIENTS),
		.v = address(npu, VELOCITIES),
		.w16 = npu->operand == NPU_F16 ? address(npu, WEIGHTS16) : 0,
		.count = PARAMETERS, .rate = npu->settings->rate / rows,
		.momentum = npu->settings->momentum,
	};

	launch(npu, SGD, 1, &args, sizeof(args));
}

/* Pixels of images in the operand type, then their labels behind room for all pixels. */
static int32_t *gather(struct npu *npu, const struct images *images, const unsigned int *order,
		       unsigned int rows)
{
	_Float16 *half = npu->staging;
	float *single = npu->staging;
	int32_t *labels = (int32_t *)(single + (size_t)npu->rows * INPUTS);

	for (unsigned int r = 0; r < rows; r++) {
		const unsigned int image = order ? order[r] : r;

		for (unsigned int i = 0; i < INPUTS; i++)
			if (npu->operand == NPU_F16)
				half[r * INPUTS + i] = (_Float16)images->pixels[image][i];
			else
				single[r * INPUTS + i] = images->pixels[image][i];
		labels[r] = images->labels[image];
	}
	return labels;
}

/* On the copy stream: a mini-batch into a slot, when the one before it there is used up. */
static void upload_batch(struct npu *npu, const struct images *images, const unsigned int *order,
			 unsigned int rows, unsigned int slot)
{
	const int32_t *labels = gather(npu, images, order, rows);
	const size_t row_bytes = INPUTS * operand_bytes(npu);

	if (npu->error)
		return;
	check(npu, npurt_stream_wait_event(npu->copy, npu->consumed[slot]), "wait for a buffer");
	check(npu,
	      npurt_upload(npu->copy, npu->memory[PIXELS],
			   (uint64_t)slot * npu->rows * row_bytes, npu->staging,
			   rows * row_bytes),
	      "upload images");
	check(npu,
	      npurt_upload(npu->copy, npu->memory[LABELS],
			   (uint64_t)slot * npu->rows * sizeof(*labels), labels,
			   rows * sizeof(*labels)),
	      "upload labels");
	check(npu, npurt_event_record(npu->uploaded[slot], npu->copy), "record an event");
	check(npu, npurt_stream_flush(npu->copy), "start an upload");
}

/* Gradients of @rows images, of which the first one is number @first of the epoch. */
static void gradients(struct npu *npu, uint64_t pixels, uint64_t labels, unsigned int first,
		      unsigned int rows)
{
	const uint64_t hidden = forward(npu, pixels, rows);

	softmax(npu, labels, first, rows);
	backward(npu, pixels, hidden, rows);
}

/* On the compute stream: a step of the training. */
static void train_batch(struct npu *npu, unsigned int first, unsigned int rows, unsigned int slot)
{
	if (npu->error)
		return;
	check(npu, npurt_stream_wait_event(npu->compute, npu->uploaded[slot]),
	      "wait for an upload");
	gradients(npu, batch_pixels(npu, slot), batch_labels(npu, slot), first, rows);
	check(npu, npurt_event_record(npu->consumed[slot], npu->compute), "record an event");
	update(npu, rows);
	check(npu, npurt_stream_flush(npu->compute), "start a step");
}

static unsigned int batch_rows(const struct npu *npu, const struct images *images, unsigned int at)
{
	const unsigned int left = images->count - at;

	return left < npu->settings->batch ? left : npu->settings->batch;
}

/* All steps of an epoch, whose images are in the first buffer, one after the other. */
static void capture_epoch(struct npu *npu, const struct images *images)
{
	const size_t row_bytes = INPUTS * operand_bytes(npu);

	check(npu, npurt_stream_begin_capture(npu->compute, 0), "begin a capture");
	for (unsigned int at = 0; at < images->count && !npu->error;) {
		const unsigned int rows = batch_rows(npu, images, at);

		gradients(npu, batch_pixels(npu, 0) + at * row_bytes,
			  batch_labels(npu, 0) + at * sizeof(int32_t), at, rows);
		update(npu, rows);
		at += rows;
	}
	if (npu->error)
		return;
	check(npu, npurt_stream_end_capture(npu->compute, &npu->graph), "end a capture");
	if (!npu->error)
		check(npu, npurt_graph_instantiate(npu->graph, NULL, &npu->epoch),
		      "make an executable");
}

static void launch_epoch(struct npu *npu, const struct images *images, const unsigned int *order,
			 double *launch_seconds)
{
	double start;

	upload_batch(npu, images, order, images->count, 0);
	if (npu->error)
		return;
	start = cpu_seconds();
	check(npu, npurt_stream_wait_event(npu->compute, npu->uploaded[0]),
	      "wait for an upload");
	check(npu, npurt_graph_launch(npu->epoch, npu->compute), "launch an epoch");
	check(npu, npurt_event_record(npu->consumed[0], npu->compute), "record an event");
	*launch_seconds += cpu_seconds() - start;
}

static void train_steps(struct npu *npu, const struct images *images, const unsigned int *order,
			double *launch_seconds)
{
	unsigned int slot = 0;

	for (unsigned int at = 0; at < images->count && !npu->error; slot = (slot + 1) % BATCHES) {
		const unsigned int rows = batch_rows(npu, images, at);
		double start;

		upload_batch(npu, images, order + at, rows, slot);
		start = cpu_seconds();
		train_batch(npu, at, rows, slot);
		*launch_seconds += cpu_seconds() - start;
		at += rows;
	}
}

static void train_epoch(struct npu *npu, const struct images *images, const unsigned int *order,
			float *loss, struct result *result)
{
	const struct npu_sum_args sum = {
		.x = address(npu, LOSSES), .out = address(npu, EPOCH_LOSS),
		.count = images->count,
	};
	int64_t ns = 0;

	check(npu, npurt_event_record(npu->begin, npu->compute), "record an event");
	if (npu->settings->graph)
		launch_epoch(npu, images, order, &result->launch_seconds);
	else
		train_steps(npu, images, order, &result->launch_seconds);
	launch(npu, SUM, 1, &sum, sizeof(sum));
	if (npu->error)
		return;
	check(npu, npurt_event_record(npu->end, npu->compute), "record an event");
	check(npu, npurt_download(npu->compute, loss, npu->memory[EPOCH_LOSS], 0, sizeof(*loss)),
	      "download the loss");
	check(npu, npurt_event_elapsed(npu->begin, npu->end, &ns), "read the events");
	*loss /= images->count;
	result->device_seconds += ns * 1e-9;
}

static void predict(struct npu *npu, const struct images *images, int32_t *predicted)
{
	const struct npu_reduce_args argmax = {
		.x = address(npu, LOGITS), .out = address(npu, PREDICTED),
		.rows = images->count, .cols = CLASSES, .ldx = CLASSES,
		.op = NPU_REDUCE_ARGMAX,
	};

	upload_batch(npu, images, NULL, images->count, 0);
	if (npu->error)
		return;
	check(npu, npurt_stream_wait_event(npu->compute, npu->uploaded[0]),
	      "wait for an upload");
	forward(npu, batch_pixels(npu, 0), images->count);
	launch(npu, REDUCE_ROWS, 1, &argmax, sizeof(argmax));
	if (!npu->error)
		check(npu,
		      npurt_download(npu->compute, predicted, npu->memory[PREDICTED], 0,
				     images->count * sizeof(*predicted)),
		      "download the predictions");
}

/* Weights as the CPU made them; gradients and velocities start as zero, as new memory does. */
/* What the first step finds: weights to begin with, and nothing that moves. */
static void upload_weights(struct npu *npu)
{
	struct parameters *weights = npu->staging;

	parameters_init(weights, npu->settings->seed);
	check(npu,
	      npurt_upload(npu->compute, npu->memory[WEIGHTS], 0, weights, sizeof(*weights)),
	      "upload the weights");
	check(npu,
	      npurt_fill_async(npu->compute, npu->memory[VELOCITIES], 0, 0, sizeof(float),
			       sizeof(*weights)),
	      "clear the velocities");
	as_operand(npu, WEIGHTS, WEIGHTS16, PARAMETERS);
}

static void open_device(struct npu *npu, struct result *result)
{
	const char *name = npu->settings->device;
	npurt_device_properties properties = { .size = sizeof(properties) };
	int err;

	if (strchr(name, ':'))
		err = npurt_device_open_bus_id(name, NULL, &npu->device);
	else
		err = npurt_device_open((unsigned int)atoi(name), NULL, &npu->device);
	if (check(npu, err, "open the device") &&
	    check(npu, npurt_device_get_properties(npu->device, &properties),
		  "ask the device for its properties"))
		snprintf(result->device, sizeof(result->device), "%s", properties.name);
}

static void create_streams(struct npu *npu)
{
	const npurt_stream_attr copy = {
		.size = sizeof(copy), .flags = NPURT_STREAM_COPY_ONLY, .label = "copy",
	}, compute = {
		.size = sizeof(compute), .label = "compute",
	};

	if (npu->error)
		return;
	check(npu, npurt_context_create(npu->device, NULL, &npu->context), "create a context");
	if (npu->error)
		return;
	check(npu, npurt_stream_create(npu->context, &copy, &npu->copy), "create a stream");
	check(npu, npurt_stream_create(npu->context, &compute, &npu->compute),
	      "create a stream");
	for (unsigned int i = 0; i < BATCHES; i++) {
		check(npu, npurt_event_create(npu->context, NULL, &npu->uploaded[i]),
		      "create an event");
		check(npu, npurt_event_create(npu->context, NULL, &npu->consumed[i]),
		      "create an event");
	}
	check(npu, npurt_event_create(npu->context, NULL, &npu->begin), "create an event");
	check(npu, npurt_event_create(npu->context, NULL, &npu->end), "create an event");
}

static void load_kernels(struct npu *npu)
{
	for (unsigned int i = 0; i < KERNELS && !npu->error; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s.elf", npu->settings->kernels,
			 kernel_table[i].module);
		if (check(npu, npurt_module_load_file(npu->context, path, &npu->modules[i]), path))
			check(npu,
			      npurt_module_get_kernel(npu->modules[i], kernel_table[i].name,
						      &npu->kernels[i]),
			      kernel_table[i].name);
	}
}

static void create_buffers(struct npu *npu, const struct dataset *data)
{
	const size_t rows = npu->rows, f32 = sizeof(float), f16 = sizeof(_Float16);
	const size_t sizes[BUFFERS] = {
		[WEIGHTS] = sizeof(struct parameters),
		[WEIGHTS16] = PARAMETERS * f16,
		[GRADIENTS] = sizeof(struct parameters),
		[VELOCITIES] = sizeof(struct parameters),
		[PIXELS] = BATCHES * rows * INPUTS * f32,
		[LABELS] = BATCHES * rows * sizeof(int32_t),
		[HIDDEN_OUT] = rows * HIDDEN * f32,
		[HIDDEN16] = rows * HIDDEN * f16,
		[HIDDEN_GRAD] = rows * HIDDEN * f32,
		[HIDDEN_GRAD16] = rows * HIDDEN * f16,
		[LOGITS] = rows * CLASSES * f32,
		[LOGITS_GRAD] = rows * CLASSES * f32,
		[LOGITS_GRAD16] = rows * CLASSES * f16,
		[LOSSES] = data->train.count * f32,
		[EPOCH_LOSS] = f32,
		[PREDICTED] = rows * sizeof(int32_t),
	};

	for (unsigned int i = 0; i < BUFFERS && !npu->error; i++)
		check(npu, npurt_memory_create(npu->context, sizes[i], NULL, &npu->memory[i]),
		      "allocate device memory");
}

static void close_npu(struct npu *npu)
{
	if (npu->epoch)
		npurt_graph_exec_destroy(npu->epoch);
	if (npu->graph)
		npurt_graph_destroy(npu->graph);
	if (npu->compute)
		npurt_stream_destroy(npu->compute);
	if (npu->copy)
		npurt_stream_destroy(npu->copy);
	for (unsigned int i = 0; i < BATCHES; i++) {
		if (npu->uploaded[i])
			npurt_event_destroy(npu->uploaded[i]);
		if (npu->consumed[i])
			npurt_event_destroy(npu->consumed[i]);
	}
	if (npu->begin)
		npurt_event_destroy(npu->begin);
	if (npu->end)
		npurt_event_destroy(npu->end);
	for (unsigned int i = 0; i < KERNELS; i++)
		if (npu->modules[i])
			npurt_module_unload(npu->modules[i]);
	for (unsigned int i = 0; i < BUFFERS; i++)
		if (npu->memory[i])
			npurt_memory_destroy(npu->memory[i]);
	if (npu->context)
		npurt_context_destroy(npu->context);
	if (npu->device)
		npurt_device_close(npu->device);
	free(npu->staging);
}

static void train(struct npu *npu, const struct dataset *data, struct result *result)
{
	unsigned int *order = calloc(data->train.count, sizeof(*order));
	double start;

	if (!order)
		check(npu, NPURT_ERROR_HOST_MEMORY, "make an order");
	upload_weights(npu);
	if (!npu->error)
		check(npu, npurt_stream_synchronize(npu->compute), "upload the weights");
	if (npu->settings->graph && !npu->error)
		capture_epoch(npu, &data->train);
	start = now_seconds();
	for (unsigned int epoch = 0; epoch < npu->settings->epochs && !npu->error; epoch++) {
		shuffle(order, data->train.count, npu->settings->seed, epoch);
		train_epoch(npu, &data->train, order, &result->loss[epoch], result);
		if (npu->settings->epoch_done && !npu->error)
			npu->settings->epoch_done(epoch, result->loss[epoch]);
	}
	result->seconds = now_seconds() - start;
	predict(npu, &data->test, result->predicted);
	if (!npu->error)
		check(npu,
		      npurt_download(npu->compute, &result->weights, npu->memory[WEIGHTS], 0,
				     sizeof(result->weights)),
		      "download the weights");
	free(order);
}

/* That a buffer has to hold at once. */
static unsigned int most_rows(const struct settings *settings, const struct dataset *data)
{
	unsigned int rows = settings->batch > data->test.count ? settings->batch : data->test.count;

	return settings->graph && rows < data->train.count ? data->train.count : rows;
}

int npu_train(const struct settings *settings, const struct dataset *data, struct result *result)
{
	struct npu npu = {
		.settings = settings,
		.rows = most_rows(settings, data),
		.operand = settings->half ? NPU_F16 : NPU_F32,
	};
	const size_t staging = npu.rows * (INPUTS * sizeof(float) + sizeof(int32_t));

	npu.staging = malloc(staging > sizeof(struct parameters) ? staging :
								   sizeof(struct parameters));
	if (!npu.staging)
		check(&npu, NPURT_ERROR_HOST_MEMORY, "allocate staging memory");
	else
		open_device(&npu, result);
	create_streams(&npu);
	if (!npu.error)
		load_kernels(&npu);
	create_buffers(&npu, data);
	if (!npu.error)
		train(&npu, data, result);
	close_npu(&npu);
	return npu.error;
}

// SPDX-License-Identifier: MIT
/*
 * A convolutional network that reads handwritten digits, trained on the NPU:
 *
 *	8x8 pixels, 3x3 convolution to 16 channels, another to 32, maxima of 2x2, 64 hidden, 10
 *
 * with ReLU after each layer but the last, dropout before it, and Adam. A step is a graph, which
 * is launched with new images for each batch. Exit status 0 if it reads more than 98 of 100.
 *
 *	example-convnet [DIGITS.CSV]
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <npuop/npuop.h>

enum {
	SIDE = 8,
	PIXELS = SIDE * SIDE,
	CHANNELS1 = 16,
	CHANNELS2 = 32,
	FLAT = PIXELS / 4 * CHANNELS2,
	HIDDEN = 64,
	CLASSES = 10,
	IMAGES = 1797,
	TEST = 359, /* every fifth */
	TRAIN = IMAGES - TEST,
	BATCH = 32,
	EPOCHS = 40,
	STEPS = EPOCHS * (TRAIN / BATCH),
};

#define MEMORIES 64
#define RATE 2e-3f
#define DROPOUT 0.25f
#define WANTED 0.98

/* Parameters, one behind the other: weights and bias of each layer. */
enum { W1, B1, W2, B2, W3, B3, W4, B4, PARAMETERS };

static const struct {
	uint32_t rank;
	uint64_t shape[4];
	uint32_t inputs; /* of an output; 0 for a bias */
} parameters[PARAMETERS] = {
	[W1] = { 4, { 3, 3, 1, CHANNELS1 }, 9 },
	[B1] = { 1, { CHANNELS1 }, 0 },
	[W2] = { 4, { 3, 3, CHANNELS1, CHANNELS2 }, 9 * CHANNELS1 },
	[B2] = { 1, { CHANNELS2 }, 0 },
	[W3] = { 2, { FLAT, HIDDEN }, FLAT },
	[B3] = { 1, { HIDDEN }, 0 },
	[W4] = { 2, { HIDDEN, CLASSES }, HIDDEN },
	[B4] = { 1, { CLASSES }, 0 },
};

/* What a pass writes, for @images images, and the gradients of it. */
struct activations {
	npuop_tensor pixels, labels, conv1, conv2, pooled, hidden, dropped, logits;
	npuop_tensor grad_hidden, grad_pooled, grad_conv2, grad_conv1;
};

struct net {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npuop *ops;
	npurt_memory *memories[MEMORIES]; /* all of them */
	unsigned int num_memories;
	npurt_memory *values, *grads, *moment1, *moment2, *control, *counter, *predicted;
	npuop_tensor value[PARAMETERS], grad[PARAMETERS];
	uint64_t count; /* of all parameters */
	struct activations train, test;
	npurt_graph_exec *step;
};

static float images[IMAGES][PIXELS];
static int32_t labels[IMAGES];

/* Ends the program with the library's own words when a call fails. */
static void check(struct net *net, int err, const char *call)
{
	char text[256] = "";

	if (!err)
		return;
	if (net->context)
		npurt_context_error_message(net->context, text, sizeof(text));
	fprintf(stderr, "%s: %s: %s %s\n", call, npurt_strerror(err), npuop_message(net->ops),
		text);
	exit(2);
}

#define CHECK(call) check(net, call, #call)

/* Numbers for the start and the order of images. */
static uint32_t next_random(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(state >> 33);
}

static double uniform(void)
{
	return next_random() / 1073741824.0 - 1;
}

/* Every fifth line goes to the end, as test. */
static void load_images(const char *path)
{
	FILE *file = fopen(path, "r");
	int train = 0, test = TRAIN;

	for (int i = 0; file && i < IMAGES; i++) {
		const int to = i % 5 == 4 ? test++ : train++;
		bool good = true;

		for (int p = 0; good && p < PIXELS; p++) {
			good = fscanf(file, "%f,", &images[to][p]) == 1;
			images[to][p] /= 16;
		}
		if (!good || fscanf(file, "%d", &labels[to]) != 1) {
			fprintf(stderr, "%s: line %d is no image\n", path, i + 1);
			exit(2);
		}
	}
	if (!file) {
		perror(path);
		exit(2);
	}
	fclose(file);
}

/* Zeros. */
static npurt_memory *new_memory(struct net *net, uint64_t bytes)
{
	npurt_memory *memory;

	CHECK(npurt_memory_create(net->context, bytes, NULL, &memory));
	CHECK(npurt_fill_async(net->stream, memory, 0, 0, 4, bytes));
	net->memories[net->num_memories++] = memory;
	return memory;
}

static npuop_tensor new_tensor(struct net *net, uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t = npuop_tensor_dense(NULL, 0, NPUOP_F32, rank, shape);

	t.memory = new_memory(net, npuop_tensor_elements(&t) * sizeof(float));
	return t;
}

#define TENSOR(net, ...)                                                                           \
	new_tensor(net, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8, (uint64_t[]){ __VA_ARGS__ })

static struct activations new_activations(struct net *net, uint64_t n)
{
	struct activations a = {
		.pixels = TENSOR(net, n, SIDE, SIDE, 1),
		.labels = TENSOR(net, n),
		.conv1 = TENSOR(net, n, SIDE, SIDE, CHANNELS1),
		.conv2 = TENSOR(net, n, SIDE, SIDE, CHANNELS2),
		.pooled = TENSOR(net, n, SIDE / 2, SIDE / 2, CHANNELS2),
		.hidden = TENSOR(net, n, HIDDEN),
		.dropped = TENSOR(net, n, HIDDEN),
		.logits = TENSOR(net, n, CLASSES),
		.grad_hidden = TENSOR(net, n, HIDDEN),
		.grad_pooled = TENSOR(net, n, SIDE / 2, SIDE / 2, CHANNELS2),
		.grad_conv2 = TENSOR(net, n, SIDE, SIDE, CHANNELS2),
		.grad_conv1 = TENSOR(net, n, SIDE, SIDE, CHANNELS1),
	};

	a.labels.dtype = NPUOP_S32;
	return a;
}

/* He's start: deviation sqrt(2 / inputs), here of a uniform distribution. */
static void make_parameters(struct net *net)
{
	float *start;
	uint64_t at = 0;

	for (int i = 0; i < PARAMETERS; i++) {
		const npuop_tensor t = npuop_tensor_dense(NULL, 0, NPUOP_F32, parameters[i].rank,
							  parameters[i].shape);

		net->count += npuop_tensor_elements(&t);
	}
	net->values = new_memory(net, net->count * sizeof(float));
	net->grads = new_memory(net, net->count * sizeof(float));
	net->moment1 = new_memory(net, net->count * sizeof(float));
	net->moment2 = new_memory(net, net->count * sizeof(float));
	start = calloc(net->count, sizeof(*start));
	for (int i = 0; start && i < PARAMETERS; i++) {
		net->value[i] = npuop_tensor_dense(net->values, at * sizeof(float), NPUOP_F32,
						   parameters[i].rank, parameters[i].shape);
		net->grad[i] = net->value[i];
		net->grad[i].memory = net->grads;
		for (uint64_t n = npuop_tensor_elements(&net->value[i]); n; n--, at++)
			if (parameters[i].inputs)
				start[at] = (float)(uniform() * sqrt(6.0 / parameters[i].inputs));
	}
	CHECK(npurt_upload(net->stream, net->values, 0, start, net->count * sizeof(float)));
	free(start);
}

static const npuop_conv_attr same = { .size = sizeof(same), .pad = { 1, 1 } };
static const npuop_pool_attr by_two = { .size = sizeof(by_two), .window = { 2, 2 } };

/* The same elements as rows. */
static npuop_tensor flat(const npuop_tensor *t)
{
	return npuop_tensor_reshape(t, 2, (uint64_t[]){ t->shape[0], FLAT });
}

static npuop_random_attr chance(const npuop_tensor *counter)
{
	return (npuop_random_attr){ .size = sizeof(npuop_random_attr),
				    .seed = 7,
				    .control = counter };
}

/* @random: of the dropout; NULL: none */
static void forward(struct net *net, const struct activations *a, const npuop_random_attr *random)
{
	const npuop_tensor pooled = flat(&a->pooled);
	npuop_conv_attr conv = same;
	npuop_gemm_attr gemm = { .size = sizeof(gemm),
				 .activation = NPUOP_ACT_RELU,
				 .bias = &net->value[B3] };

	conv.activation = NPUOP_ACT_RELU;
	conv.bias = &net->value[B1];
	CHECK(npuop_conv2d(net->ops, &conv, &a->pixels, &net->value[W1], &a->conv1));
	conv.bias = &net->value[B2];
	CHECK(npuop_conv2d(net->ops, &conv, &a->conv1, &net->value[W2], &a->conv2));
	CHECK(npuop_pool2d(net->ops, NPUOP_POOL_MAX, &by_two, &a->conv2, &a->pooled));
	CHECK(npuop_gemm(net->ops, &gemm, &pooled, &net->value[W3], &a->hidden));
	if (random)
		CHECK(npuop_dropout(net->ops, random, DROPOUT, &a->hidden, &a->dropped));
	gemm.activation = NPUOP_ACT_NONE;
	gemm.bias = &net->value[B4];
	CHECK(npuop_gemm(net->ops, &gemm, random ? &a->dropped : &a->hidden, &net->value[W4],
			 &a->logits));
}

/* Of out = in * w + bias, with the gradient of out. */
static void linear_backward(struct net *net, const npuop_tensor *in, int w,
			    const npuop_tensor *grad, const npuop_tensor *grad_in)
{
	const npuop_tensor in_t = npuop_tensor_transpose(in, 0, 1);
	const npuop_tensor w_t = npuop_tensor_transpose(&net->value[w], 0, 1);
	const npuop_tensor *bias = &net->grad[w + 1];
	const npuop_tensor row = npuop_tensor_reshape(bias, 2, (uint64_t[]){ 1, bias->shape[0] });

	CHECK(npuop_gemm(net->ops, NULL, &in_t, grad, &net->grad[w]));
	CHECK(npuop_reduce(net->ops, NPUOP_REDUCE_SUM, grad, &row));
	CHECK(npuop_gemm(net->ops, NULL, grad, &w_t, grad_in));
}

/* The logits become their gradient on the way. */
static void backward(struct net *net, const struct activations *a, const npuop_random_attr *random)
{
	const npuop_tensor pooled = flat(&a->pooled), grad_pooled = flat(&a->grad_pooled);

	CHECK(npuop_cross_entropy(net->ops, &a->logits, &a->labels, NULL, 1.0f / BATCH,
				  &a->logits));
	linear_backward(net, &a->dropped, W4, &a->logits, &a->grad_hidden);
	CHECK(npuop_dropout(net->ops, random, DROPOUT, &a->grad_hidden, &a->grad_hidden));
	CHECK(npuop_unary_backward(net->ops, NPUOP_RELU, &a->hidden, &a->grad_hidden,
				   &a->grad_hidden));
	linear_backward(net, &pooled, W3, &a->grad_hidden, &grad_pooled);
	CHECK(npuop_pool2d_backward(net->ops, NPUOP_POOL_MAX, &by_two, &a->conv2, &a->grad_pooled,
				    &a->grad_conv2));
	CHECK(npuop_unary_backward(net->ops, NPUOP_RELU, &a->conv2, &a->grad_conv2,
				   &a->grad_conv2));
	CHECK(npuop_conv2d_backward_weight(net->ops, &same, &a->conv1, &a->grad_conv2,
					   &net->grad[W2], &net->grad[B2]));
	CHECK(npuop_conv2d_backward_input(net->ops, &same, &a->grad_conv2, &net->value[W2],
					  &a->grad_conv1));
	CHECK(npuop_unary_backward(net->ops, NPUOP_RELU, &a->conv1, &a->grad_conv1,
				   &a->grad_conv1));
	CHECK(npuop_conv2d_backward_weight(net->ops, &same, &a->pixels, &a->grad_conv1,
					   &net->grad[W1], &net->grad[B1]));
}

static void update(struct net *net)
{
	const npuop_tensor control =
		npuop_tensor_dense(net->control, 0, NPUOP_F32, 1, (uint64_t[]){ 4 });
	const npuop_adam_attr adam = {
		.size = sizeof(adam),
		.beta1 = 0.9f,
		.beta2 = 0.999f,
		.eps = 1e-8f,
		.step = 1,
		.control = &control,
	};
	const npuop_tensor grads = npuop_tensor_dense(net->grads, 0, NPUOP_F32, 1, &net->count);
	npuop_tensor values = grads, moment1 = grads, moment2 = grads;

	values.memory = net->values;
	moment1.memory = net->moment1;
	moment2.memory = net->moment2;
	CHECK(npuop_adam(net->ops, &adam, &grads, &values, &moment1, &moment2));
}

static void capture_step(struct net *net)
{
	const npuop_tensor counter =
		npuop_tensor_dense(net->counter, 0, NPUOP_S32, 1, (uint64_t[]){ 1 });
	const npuop_random_attr random = chance(&counter);
	npurt_graph *graph;

	CHECK(npurt_stream_begin_capture(net->stream, 0));
	forward(net, &net->train, &random);
	backward(net, &net->train, &random);
	update(net);
	CHECK(npuop_binary_scalar(net->ops, NPUOP_ADD, &counter, 1, &counter));
	CHECK(npurt_stream_end_capture(net->stream, &graph));
	CHECK(npurt_graph_instantiate(graph, NULL, &net->step));
	CHECK(npurt_graph_destroy(graph));
}

/* A digit is the same a pixel to the side. */
static void put_image(float *to, const float *from)
{
	const int dy = (int)(next_random() % 3) - 1, dx = (int)(next_random() % 3) - 1;

	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++) {
			const bool inside =
				(unsigned int)(y + dy) < SIDE && (unsigned int)(x + dx) < SIDE;

			to[y * SIDE + x] = inside ? from[(y + dy) * SIDE + x + dx] : 0;
		}
}

static void upload_batch(struct net *net)
{
	float pixels[BATCH][PIXELS];
	int32_t chosen[BATCH];

	for (int i = 0; i < BATCH; i++) {
		const uint32_t image = next_random() % TRAIN;

		put_image(pixels[i], images[image]);
		chosen[i] = labels[image];
	}
	CHECK(npurt_upload(net->stream, net->train.pixels.memory, 0, pixels, sizeof(pixels)));
	CHECK(npurt_upload(net->stream, net->train.labels.memory, 0, chosen, sizeof(chosen)));
}

static void upload_rate(struct net *net, int step)
{
	const float rate = RATE * 0.5f * (1 + cosf((float)M_PI * (float)step / STEPS));
	const float control[4] = { rate, 1 / (1 - powf(0.9f, (float)step)),
				   1 / (1 - powf(0.999f, (float)step)), 1 };

	CHECK(npurt_upload(net->stream, net->control, 0, control, sizeof(control)));
}

/* Share of the test images that are read rightly. */
static double accuracy(struct net *net)
{
	const npuop_tensor predicted =
		npuop_tensor_dense(net->predicted, 0, NPUOP_S32, 2, (uint64_t[]){ TEST, 1 });
	int32_t read[TEST];
	int right = 0;

	CHECK(npurt_upload(net->stream, net->test.pixels.memory, 0, images[TRAIN],
			   sizeof(float) * TEST * PIXELS));
	forward(net, &net->test, NULL);
	CHECK(npuop_reduce(net->ops, NPUOP_REDUCE_ARGMAX, &net->test.logits, &predicted));
	CHECK(npurt_download(net->stream, read, net->predicted, 0, sizeof(read)));
	for (int i = 0; i < TEST; i++)
		right += read[i] == labels[TRAIN + i];
	return (double)right / TEST;
}

static void open_net(struct net *net)
{
	CHECK(npurt_device_open(0, NULL, &net->device));
	CHECK(npurt_context_create(net->device, NULL, &net->context));
	CHECK(npurt_stream_create(net->context, NULL, &net->stream));
	CHECK(npuop_create(net->context, net->stream, NULL, &net->ops));
	make_parameters(net);
	net->control = new_memory(net, 4 * sizeof(float));
	net->counter = new_memory(net, sizeof(int32_t));
	net->predicted = new_memory(net, TEST * sizeof(int32_t));
	net->train = new_activations(net, BATCH);
	net->test = new_activations(net, TEST);
	capture_step(net);
}

static void close_net(struct net *net)
{
	CHECK(npurt_stream_synchronize(net->stream));
	CHECK(npurt_graph_exec_destroy(net->step));
	CHECK(npuop_destroy(net->ops));
	while (net->num_memories)
		CHECK(npurt_memory_destroy(net->memories[--net->num_memories]));
	CHECK(npurt_stream_destroy(net->stream));
	npurt_context_destroy(net->context);
	npurt_device_close(net->device);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : EXAMPLE_DIGITS;
	struct net own = { 0 }, *net = &own;
	double right = 0;

	load_images(path);
	open_net(net);
	for (int step = 1; step <= STEPS; step++) {
		upload_batch(net);
		upload_rate(net, step);
		CHECK(npurt_graph_launch(net->step, net->stream));
		if (step % (STEPS / 8) == 0) {
			right = accuracy(net);
			printf("step %4d of %d: %.2f %% of %d test images read\n", step, STEPS,
			       100 * right, TEST);
			fflush(stdout);
		}
	}
	close_net(net);
	return right > WANTED ? 0 : 1;
}

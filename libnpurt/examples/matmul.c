// SPDX-License-Identifier: MIT
/*
 * C = A * B with fp32 on the cube engines, timed with events and checked against the CPU.
 * B is uploaded on a stream of its own, at the same time as A.
 *
 *	example-matmul [M N K]
 */
#include <math.h>

#include <npu_kernels.h>

#include "example.h"

/* Each sum has k rounded additions of products of at most 1. */
#define TOLERANCE(k) (1e-6 * (k))

struct matrices {
	unsigned int m, n, k;
	float *a, *b, *c;
};

static float *new_matrix(size_t rows, size_t columns, unsigned int seed)
{
	float *values = malloc(rows * columns * sizeof(*values));

	if (!values) {
		fprintf(stderr, "no memory for %zu x %zu\n", rows, columns);
		exit(1);
	}
	for (size_t i = 0; i < rows * columns; i++)
		values[i] = next_number(&seed);
	return values;
}

/* A row at a time, so that B is read as it lies in memory. */
static int check_product(const struct matrices *x)
{
	double *sums = malloc(x->n * sizeof(*sums)), worst = 0;

	for (size_t i = 0; i < x->m; i++) {
		memset(sums, 0, x->n * sizeof(*sums));
		for (size_t l = 0; l < x->k; l++) {
			for (size_t j = 0; j < x->n; j++)
				sums[j] += (double)x->a[i * x->k + l] * x->b[l * x->n + j];
		}
		for (size_t j = 0; j < x->n; j++)
			worst = fmax(worst, fabs(sums[j] - x->c[i * x->n + j]));
	}
	free(sums);
	printf("greatest difference to the CPU's double precision: %.3g\n", worst);
	return worst <= TOLERANCE(x->k) ? 0 : 1;
}

static npurt_memory *new_memory(npurt_context *context, size_t bytes, const char *label)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .label = label };
	npurt_memory *memory;

	CHECK(context, npurt_memory_create(context, bytes, &attr, &memory));
	return memory;
}

static void multiply(npurt_context *context, npurt_kernel *kernel, unsigned int cores,
		     struct matrices *x)
{
	const size_t a_bytes = (size_t)x->m * x->k * 4, b_bytes = (size_t)x->k * x->n * 4;
	const size_t c_bytes = (size_t)x->m * x->n * 4;
	npurt_memory *a = new_memory(context, a_bytes, "A");
	npurt_memory *b = new_memory(context, b_bytes, "B");
	npurt_memory *c = new_memory(context, c_bytes, "C");
	const struct npu_gemm_args args = {
		.a = npurt_memory_address(a),
		.b = npurt_memory_address(b),
		.c = npurt_memory_address(c),
		.m = x->m,
		.n = x->n,
		.k = x->k,
		.lda = x->k,
		.ldb = x->n,
		.ldc = x->n,
		.in = NPU_F32,
		.out = NPU_F32,
	};
	npurt_stream *main_stream, *upload_stream;
	npurt_event *uploaded, *start, *end;
	int64_t ns;

	CHECK(context, npurt_stream_create(context, NULL, &main_stream));
	CHECK(context, npurt_stream_create(context, NULL, &upload_stream));
	CHECK(context, npurt_event_create(context, NULL, &uploaded));
	CHECK(context, npurt_event_create(context, NULL, &start));
	CHECK(context, npurt_event_create(context, NULL, &end));

	CHECK_STREAM(upload_stream, npurt_upload(upload_stream, b, 0, x->b, b_bytes));
	CHECK_STREAM(upload_stream, npurt_event_record(uploaded, upload_stream));
	CHECK_STREAM(main_stream, npurt_upload(main_stream, a, 0, x->a, a_bytes));
	/* The device waits here, not this program. */
	CHECK_STREAM(main_stream, npurt_stream_wait_event(main_stream, uploaded));
	CHECK_STREAM(main_stream, npurt_event_record(start, main_stream));
	CHECK_STREAM(main_stream,
		     npurt_launch(main_stream, kernel, npu_gemm_blocks(x->m, x->n, cores), &args,
				  sizeof(args), NULL));
	CHECK_STREAM(main_stream, npurt_event_record(end, main_stream));
	CHECK_STREAM(main_stream, npurt_download(main_stream, x->c, c, 0, c_bytes));
	CHECK(context, npurt_event_elapsed(start, end, &ns));
	printf("%u x %u x %u in %.3f ms on the device, %.2f GFLOP/s\n", x->m, x->n, x->k,
	       (double)ns / 1e6, 2.0 * x->m * x->n * x->k / (double)ns);

	npurt_event_destroy(uploaded);
	npurt_event_destroy(start);
	npurt_event_destroy(end);
	npurt_stream_destroy(main_stream);
	npurt_stream_destroy(upload_stream);
	npurt_memory_destroy(a);
	npurt_memory_destroy(b);
	npurt_memory_destroy(c);
}

static unsigned int size_of(int argc, char **argv, int index, unsigned int otherwise)
{
	return argc > index ? (unsigned int)strtoul(argv[index], NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	struct matrices x = {
		.m = size_of(argc, argv, 1, 300),
		.n = size_of(argc, argv, 2, 500),
		.k = size_of(argc, argv, 3, 257),
	};
	npurt_device_properties properties = { .size = sizeof(properties) };
	npurt_device *device;
	npurt_context *context;
	npurt_module *module;
	npurt_kernel *kernel;
	char path[1200];
	int status;

	if (!x.m || !x.n || !x.k) {
		fprintf(stderr, "usage: example-matmul [M N K]\n");
		return 2;
	}
	x.a = new_matrix(x.m, x.k, 1);
	x.b = new_matrix(x.k, x.n, 2);
	x.c = new_matrix(x.m, x.n, 3);

	CHECK_DEVICE(npurt_device_open(0, NULL, &device));
	CHECK_DEVICE(npurt_device_get_properties(device, &properties));
	CHECK_DEVICE(npurt_context_create(device, NULL, &context));
	kernel_path("gemm.elf", path, sizeof(path));
	CHECK(context, npurt_module_load_file(context, path, &module));
	CHECK(context, npurt_module_get_kernel(module, "gemm", &kernel));
	multiply(context, kernel, properties.cores, &x);
	status = check_product(&x);

	npurt_module_unload(module);
	npurt_context_destroy(context);
	npurt_device_close(device);
	free(x.a);
	free(x.b);
	free(x.c);
	return status;
}

// SPDX-License-Identifier: MIT
/*
 * The smallest complete program: out = x + y on the NPU, checked against the CPU.
 *
 *	example-vector_add [ELEMENTS]
 */
#include <npu_kernels.h>

#include "example.h"

int main(int argc, char **argv)
{
	const size_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000003;
	const size_t bytes = count * sizeof(float);
	npurt_device_properties properties = { .size = sizeof(properties) };
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_module *module;
	npurt_kernel *kernel;
	npurt_memory *x, *y, *out;
	float *host_x = malloc(bytes), *host_y = malloc(bytes), *host_out = malloc(bytes);
	struct npu_vector_add_args args;
	unsigned int seed = 1;
	char path[1200];

	if (!count || !host_x || !host_y || !host_out) {
		fprintf(stderr, "no memory for %zu elements\n", count);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		host_x[i] = next_number(&seed);
		host_y[i] = next_number(&seed);
	}

	CHECK_DEVICE(npurt_device_open(0, NULL, &device));
	CHECK_DEVICE(npurt_device_get_properties(device, &properties));
	CHECK_DEVICE(npurt_context_create(device, NULL, &context));
	CHECK(context, npurt_stream_create(context, NULL, &stream));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &x));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &y));
	CHECK(context, npurt_memory_create(context, bytes, NULL, &out));
	kernel_path("vector_add.elf", path, sizeof(path));
	CHECK(context, npurt_module_load_file(context, path, &module));
	CHECK(context, npurt_module_get_kernel(module, "vector_add", &kernel));

	/* All of this goes to the stream in order; only the download waits for it. */
	args = (struct npu_vector_add_args){
		.x = npurt_memory_address(x),
		.y = npurt_memory_address(y),
		.out = npurt_memory_address(out),
		.count = count,
	};
	CHECK_STREAM(stream, npurt_upload(stream, x, 0, host_x, bytes));
	CHECK_STREAM(stream, npurt_upload(stream, y, 0, host_y, bytes));
	CHECK_STREAM(stream, npurt_launch(stream, kernel, npu_count_blocks(count, properties.cores),
					  &args, sizeof(args), NULL));
	CHECK_STREAM(stream, npurt_download(stream, host_out, out, 0, bytes));

	for (size_t i = 0; i < count; i++) {
		if (host_out[i] != host_x[i] + host_y[i]) {
			fprintf(stderr, "out[%zu] is %g, not %g\n", i, host_out[i],
				host_x[i] + host_y[i]);
			return 1;
		}
	}
	printf("%s: %zu sums are those of the CPU\n", properties.name, count);

	npurt_module_unload(module);
	npurt_memory_destroy(x);
	npurt_memory_destroy(y);
	npurt_memory_destroy(out);
	npurt_stream_destroy(stream);
	npurt_context_destroy(context);
	npurt_device_close(device);
	free(host_x);
	free(host_y);
	free(host_out);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Memory of a pool: each step allocates what it needs and frees it when the commands are
 * queued, without waiting for them. After the first step the driver is not asked any more.
 *
 *	example-pool [STEPS]
 */
#include <inttypes.h>

#include "example.h"

#define BYTES (256u << 10)

/* input -> a -> b -> output, where a and b are needed for the step only. */
static void step(npurt_pool *pool, npurt_stream *stream, npurt_memory *input, npurt_memory *output)
{
	npurt_memory *a, *b;

	CHECK_STREAM(stream, npurt_pool_alloc_async(pool, stream, BYTES, NULL, &a));
	CHECK_STREAM(stream, npurt_pool_alloc_async(pool, stream, BYTES, NULL, &b));
	CHECK_STREAM(stream, npurt_memcpy_async(stream, a, 0, input, 0, BYTES));
	CHECK_STREAM(stream, npurt_memcpy_async(stream, b, 0, a, 0, BYTES));
	CHECK_STREAM(stream, npurt_memory_free_async(a, stream));
	CHECK_STREAM(stream, npurt_memcpy_async(stream, output, 0, b, 0, BYTES));
	CHECK_STREAM(stream, npurt_memory_free_async(b, stream));
}

int main(int argc, char **argv)
{
	const unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 200;
	npurt_pool_attr attr = { .size = sizeof(attr), .label = "steps", .tag = "intermediate" };
	npurt_pool_info info = { .size = sizeof(info) };
	static unsigned char sent[BYTES], received[BYTES];
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *input, *output;
	npurt_pool *pool;

	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (unsigned char)(i * 7 + i / 251);
	CHECK_DEVICE(npurt_device_open(0, NULL, &device));
	CHECK_DEVICE(npurt_context_create(device, NULL, &context));
	CHECK(context, npurt_stream_create(context, NULL, &stream));
	CHECK(context, npurt_memory_create(context, BYTES, NULL, &input));
	CHECK(context, npurt_memory_create(context, BYTES, NULL, &output));
	CHECK(context, npurt_pool_create(context, &attr, &pool));

	CHECK_STREAM(stream, npurt_upload(stream, input, 0, sent, BYTES));
	for (unsigned long i = 0; i < steps; i++)
		step(pool, stream, input, output);
	CHECK_STREAM(stream, npurt_download(stream, received, output, 0, BYTES));
	if (memcmp(sent, received, BYTES) != 0) {
		fprintf(stderr, "what arrived is not what was sent\n");
		return 1;
	}

	CHECK(context, npurt_pool_get_info(pool, &info));
	printf("%lu allocations, of which the driver saw %" PRIu64 "; the pool has %" PRIu64
	       " KiB\n",
	       2 * steps, info.grown, info.reserved_bytes >> 10);
	if (info.allocations || info.grown > 2)
		return 1;

	npurt_pool_destroy(pool);
	npurt_memory_destroy(input);
	npurt_memory_destroy(output);
	npurt_stream_destroy(stream);
	npurt_context_destroy(context);
	npurt_device_close(device);
	return 0;
}

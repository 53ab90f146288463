// SPDX-License-Identifier: MIT
/*
 * An all-reduce: each NPU has a vector, and gets the sum of all. One thread drives all of
 * them, as no call waits.
 *
 *	example-collective [ELEMENTS [RANKS]]
 *
 * Without RANKS as many as there are NPUs; with more of them some share one.
 */
#include "example.h"

#define MAX_RANKS 64

struct rank {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *vector;
};

static void open_rank(struct rank *rank, unsigned int device, size_t elements)
{
	CHECK_DEVICE(npurt_device_open(device, NULL, &rank->device));
	CHECK_DEVICE(npurt_context_create(rank->device, NULL, &rank->context));
	CHECK(rank->context, npurt_stream_create(rank->context, NULL, &rank->stream));
	CHECK(rank->context, npurt_memory_create(rank->context, elements * sizeof(float), NULL,
						 &rank->vector));
}

static void close_rank(struct rank *rank)
{
	npurt_memory_destroy(rank->vector);
	npurt_stream_destroy(rank->stream);
	npurt_context_destroy(rank->context);
	npurt_device_close(rank->device);
}

/* Rank r has r + 1 in each place. */
static void upload(struct rank *rank, unsigned int number, float *host, size_t elements)
{
	for (size_t i = 0; i < elements; i++)
		host[i] = (float)number + 1;
	CHECK_STREAM(rank->stream, npurt_upload(rank->stream, rank->vector, 0, host,
						elements * sizeof(*host)));
}

static int verify(struct rank *rank, float *host, size_t elements, float want)
{
	CHECK_STREAM(rank->stream, npurt_download(rank->stream, host, rank->vector, 0,
						  elements * sizeof(*host)));
	for (size_t i = 0; i < elements; i++) {
		if (host[i] != want) {
			fprintf(stderr, "element %zu is %g, not %g\n", i, (double)host[i],
				(double)want);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const size_t elements = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
	npurt_communicator *communicators[MAX_RANKS];
	npurt_context *contexts[MAX_RANKS];
	struct rank ranks[MAX_RANKS];
	unsigned int devices, n;
	float *host = malloc(elements * sizeof(*host));
	int failed = 0;

	CHECK_DEVICE(npurt_device_count(&devices));
	n = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : devices;
	if (!host || !elements || !devices || !n || n > MAX_RANKS)
		return 1;
	for (unsigned int i = 0; i < n; i++) {
		open_rank(&ranks[i], i % devices, elements);
		upload(&ranks[i], i, host, elements);
		contexts[i] = ranks[i].context;
	}
	CHECK(contexts[0], npurt_communicator_create(contexts, n, NULL, communicators));

	for (unsigned int i = 0; i < n; i++) {
		struct rank *rank = &ranks[i];
		char text[512];
		int err = npurt_all_reduce_async(communicators[i], rank->stream, rank->vector, 0,
						 rank->vector, 0, elements, NPURT_F32,
						 NPURT_REDUCE_ADD);

		if (err) {
			npurt_communicator_error_message(communicators[i], text, sizeof(text));
			fprintf(stderr, "rank %u: %s\n", i, text);
			return 1;
		}
	}
	for (unsigned int i = 0; i < n; i++)
		failed |= verify(&ranks[i], host, elements, (float)(n * (n + 1) / 2));
	if (!failed)
		printf("%zu elements, the sum of %u ranks at each of them\n", elements, n);

	for (unsigned int i = 0; i < n; i++) {
		npurt_communicator_destroy(communicators[i]);
		close_rank(&ranks[i]);
	}
	free(host);
	return failed;
}

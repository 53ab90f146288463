// SPDX-License-Identifier: MIT
/*
 * In the VM: all-reduces over two and over all NPUs. Prints name, value and unit, separated by
 * tabs. Bandwidth is that of the bus, what each rank has to send: 2 (n - 1) / n of the data.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <npurt/npurt.h>

#define MAX_RANKS 8
#define ROUNDS 5 /* the best counts */
#define BYTES (8ULL << 20)
#define LITTLE 1024

struct rank {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *memory;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "npu-bench-collectives: %s: %s\n", what, npurt_strerror(ret));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void open_rank(struct rank *rank, unsigned int number)
{
	check(npurt_device_open(number, NULL, &rank->device), "open");
	check(npurt_context_create(rank->device, NULL, &rank->context), "context");
	check(npurt_stream_create(rank->context, NULL, &rank->stream), "stream");
	check(npurt_memory_create(rank->context, BYTES, NULL, &rank->memory), "memory");
}

static void close_rank(struct rank *rank)
{
	check(npurt_memory_destroy(rank->memory), "memory");
	check(npurt_stream_destroy(rank->stream), "stream");
	check(npurt_context_destroy(rank->context), "context");
	check(npurt_device_close(rank->device), "close");
}

/* Seconds, until all ranks are done. */
static double all_reduce(struct rank *ranks, npurt_communicator **comms, unsigned int n,
			 uint64_t bytes)
{
	const double begin = now();

	for (unsigned int i = 0; i < n; i++)
		check(npurt_all_reduce_async(comms[i], ranks[i].stream, ranks[i].memory, 0,
					     ranks[i].memory, 0, bytes / 4, NPURT_F32,
					     NPURT_REDUCE_ADD), "all-reduce");
	for (unsigned int i = 0; i < n; i++)
		check(npurt_stream_synchronize(ranks[i].stream), "wait");
	return now() - begin;
}

static double best(struct rank *ranks, npurt_communicator **comms, unsigned int n, uint64_t bytes)
{
	double least = all_reduce(ranks, comms, n, bytes);

	for (int round = 0; round < ROUNDS; round++) {
		const double seconds = all_reduce(ranks, comms, n, bytes);

		if (seconds < least)
			least = seconds;
	}
	return least;
}

static void measure(unsigned int n)
{
	npurt_communicator *comms[MAX_RANKS];
	npurt_context *contexts[MAX_RANKS];
	struct rank ranks[MAX_RANKS];

	for (unsigned int i = 0; i < n; i++) {
		open_rank(&ranks[i], i);
		contexts[i] = ranks[i].context;
	}
	check(npurt_communicator_create(contexts, n, NULL, comms), "communicator");
	printf("all_reduce_%u\t%.1f\tMB/s\n", n,
	       BYTES * 2.0 * (n - 1) / n / best(ranks, comms, n, BYTES) / 1e6);
	printf("all_reduce_1k_%u\t%.1f\tus\n", n, best(ranks, comms, n, LITTLE) * 1e6);
	for (unsigned int i = 0; i < n; i++) {
		check(npurt_communicator_destroy(comms[i]), "communicator");
		close_rank(&ranks[i]);
	}
}

int main(void)
{
	unsigned int count = 0;

	check(npurt_device_count(&count), "count");
	if (count < 2) {
		fprintf(stderr, "npu-bench-collectives: needs two NPUs\n");
		return 1;
	}
	measure(2);
	if (count > 2)
		measure(count < MAX_RANKS ? count : MAX_RANKS);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * All at once and all alive at the same time: threads with streams, events and memory of one
 * context, that wait for each other; afterwards nothing is left.
 *
 *   test_stress [THREADS STREAMS EVENTS ALLOCATIONS [PROCESSES]]
 *
 * The numbers are those of all processes together. The driver lets one have seven eighths of
 * the device's queues, so 2000 streams are for two.
 */
#include "rt_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(FAKE_KMD) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static unsigned int threads = 64, streams = 2000, events = 1000000, allocations = 100000;
#else
static unsigned int threads = 16, streams = 200, events = 20000, allocations = 2000;
#endif

static unsigned int processes = 1;

#define BYTES 4096
/* Records between two waits for a stream of the same thread, and of the next one. */
#define OWN_WAIT 4
#define OTHER_WAIT 16
/* Between two looks that all is done, so that work does not pile up. */
#define DRAIN 512

struct worker {
	pthread_t thread;
	unsigned int number;
	npurt_context *context;
	npurt_stream **streams;
	npurt_event **events;
	npurt_memory **memory;
	unsigned int num_streams, num_events, num_memory;
	npurt_event *_Atomic last; /* for the next worker */
	struct worker *before;
	int error; /* first of a call */
	unsigned int bad; /* results that are wrong */
};

static pthread_barrier_t all_made, all_done;

/* The @nth of @parts equal parts. */
static unsigned int part(unsigned int total, unsigned int parts, unsigned int n)
{
	return (unsigned int)((uint64_t)total * (n + 1) / parts - (uint64_t)total * n / parts);
}

static void check(struct worker *w, int error)
{
	if (error && !w->error)
		w->error = error;
}

static void make_streams(struct worker *w)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr), .timeout_ms = 1000000, .wait_timeout_ms = 1000000,
	};

	for (unsigned int i = 0; i < w->num_streams && !w->error; i++)
		check(w, npurt_stream_create(w->context, &attr, &w->streams[i]));
}

static void make_memory(struct worker *w, unsigned int i, npurt_stream *stream)
{
	const npurt_memory_attr attr = {
		.size = sizeof(attr), .placement = i % 2 ? NPURT_PLACE_HOST : NPURT_PLACE_HBM,
	};

	check(w, npurt_memory_create(w->context, BYTES, &attr, &w->memory[i]));
	if (!w->error)
		check(w, npurt_fill_async(stream, w->memory[i], 0, i, 4, BYTES));
}

static void make_event(struct worker *w, unsigned int i, npurt_stream *stream)
{
	npurt_stream *other = w->streams[(i + 1) % w->num_streams];
	npurt_event *of_other = atomic_load(&w->before->last);

	check(w, npurt_event_create(w->context, NULL, &w->events[i]));
	if (!w->error)
		check(w, npurt_event_record(w->events[i], stream));
	if (!w->error && i % OWN_WAIT == 0)
		check(w, npurt_stream_wait_event(other, w->events[i]));
	if (!w->error && i % OTHER_WAIT == 0 && of_other)
		check(w, npurt_stream_wait_event(stream, of_other));
	if (!w->error)
		atomic_store(&w->last, w->events[i]);
}

static void drain(struct worker *w)
{
	for (unsigned int i = 0; i < w->num_streams && !w->error; i++)
		check(w, npurt_stream_synchronize(w->streams[i]));
}

static void make_work(struct worker *w)
{
	unsigned int memory = 0;

	for (unsigned int i = 0; i < w->num_events && !w->error; i++) {
		npurt_stream *stream = w->streams[i % w->num_streams];

		/* As many as their share, evenly. */
		while ((uint64_t)memory * w->num_events < (uint64_t)(i + 1) * w->num_memory &&
		       memory < w->num_memory && !w->error)
			make_memory(w, memory++, stream);
		if (!w->error)
			make_event(w, i, stream);
		if (i % DRAIN == DRAIN - 1)
			drain(w);
	}
	drain(w);
}

static void look_at_results(struct worker *w)
{
	for (unsigned int i = 0; i < w->num_events; i++)
		w->bad += npurt_event_query(w->events[i]) != 0;
	/* Each 8th is in system memory and looked at. */
	for (unsigned int i = 1; i < w->num_memory; i += 8) {
		const uint32_t *words = NULL;
		void *pointer;

		if (npurt_memory_map(w->memory[i], &pointer) == 0)
			words = pointer;
		w->bad += !words || words[0] != i || words[BYTES / 4 - 1] != i;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	make_streams(w);
	pthread_barrier_wait(&all_made);
	make_work(w);
	pthread_barrier_wait(&all_done);
	if (w->error)
		return NULL;
	look_at_results(w);
	for (unsigned int i = 0; i < w->num_events; i++)
		check(w, npurt_event_destroy(w->events[i]));
	for (unsigned int i = 0; i < w->num_memory; i++)
		check(w, npurt_memory_destroy(w->memory[i]));
	for (unsigned int i = 0; i < w->num_streams; i++)
		check(w, npurt_stream_destroy(w->streams[i]));
	return NULL;
}

static void *zeroed(unsigned int count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	need(array ? 0 : NPURT_ERROR_HOST_MEMORY, "allocate the test's arrays");
	return array;
}

static void start(struct worker *w, struct worker *before, npurt_context *context, unsigned int n)
{
	w->number = n;
	w->before = before;
	w->context = context;
	w->num_streams = part(streams, threads, n);
	w->num_events = part(events, threads, n);
	w->num_memory = part(allocations, threads, n);
	w->streams = zeroed(w->num_streams, sizeof(*w->streams));
	w->events = zeroed(w->num_events, sizeof(*w->events));
	w->memory = zeroed(w->num_memory, sizeof(*w->memory));
	need(pthread_create(&w->thread, NULL, work, w) ? NPURT_ERROR_SYSTEM : 0, "start a thread");
}

static void finish(struct worker *w)
{
	pthread_join(w->thread, NULL);
	free(w->streams);
	free(w->events);
	free(w->memory);
}

/* Gives an error or, for results that are wrong, 1. */
static int stress(npurt_context *context)
{
	struct worker *workers = zeroed(threads, sizeof(*workers));
	unsigned int bad = 0;
	char text[1024] = "";
	int error = 0;

	pthread_barrier_init(&all_made, NULL, threads);
	pthread_barrier_init(&all_done, NULL, threads);
	for (unsigned int i = 0; i < threads; i++)
		start(&workers[i], &workers[(i + threads - 1) % threads], context, i);
	for (unsigned int i = 0; i < threads; i++) {
		finish(&workers[i]);
		error = error ? error : workers[i].error;
		bad += workers[i].bad;
	}
	npurt_context_error_message(context, text, sizeof(text));
	if (error)
		printf("# %s: %s\n", npurt_error_name(error), text);
	else if (bad)
		printf("# %u events or memory objects are not right\n", bad);
	pthread_barrier_destroy(&all_made);
	pthread_barrier_destroy(&all_done);
	free(workers);
	return error ? error : bad != 0;
}

static int stress_device(npurt_device *device)
{
	npurt_context *context;
	int err;

	NEED(npurt_context_create(device, NULL, &context));
	err = stress(context);
	return err ? err : npurt_context_destroy(context);
}

/* Starts when the other end of the pipe is closed. */
static pid_t start_process(const int go[2])
{
	npurt_device *device;
	pid_t child = fork();
	char none;
	int err;

	if (child)
		return child;
	close(go[1]);
	while (read(go[0], &none, 1) > 0)
		;
	threads /= processes;
	streams /= processes;
	events /= processes;
	allocations /= processes;
	NEED(npurt_device_open(0, NULL, &device));
	err = stress_device(device);
	if (!err)
		err = npurt_device_close(device);
	fflush(stdout);
	_exit(err != 0);
}

static bool wait_for_processes(void)
{
	bool good = true;
	int status;

	while (wait(&status) > 0)
		good &= status == 0;
	return good;
}

static npurt_memory_info memory_of(npurt_device *device)
{
	npurt_memory_info info = { .size = sizeof(info) };

	NEED(npurt_device_get_memory_info(device, &info));
	return info;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void take_numbers(int argc, char **argv)
{
	unsigned int *const numbers[] = { &threads, &streams, &events, &allocations,
					  &processes };

	for (int i = 1; i < argc && (size_t)i <= COUNT(numbers); i++)
		*numbers[i - 1] = (unsigned int)strtoul(argv[i], NULL, 10);
	need(processes && threads >= processes && streams >= threads ? 0 : NPURT_ERROR_INVALID,
	     "a thread for each process, a stream for each thread");
}

int main(int argc, char **argv)
{
	npurt_memory_info before, after;
	npurt_device *device;
	double begin;
	int go[2];

	take_numbers(argc, argv);
	need(pipe(go) ? NPURT_ERROR_SYSTEM : 0, "make a pipe");
	for (unsigned int i = 0; processes > 1 && i < processes; i++)
		need(start_process(go) < 0 ? NPURT_ERROR_SYSTEM : 0, "start a process");
	NEED(npurt_device_open(0, NULL, &device));
	before = memory_of(device);
	begin = seconds();
	close(go[1]);
	ok(processes > 1 ? wait_for_processes() : !stress_device(device),
	   "no call fails, all events happen, all memory is right");
	after = memory_of(device);
	printf("# %u threads, %u streams, %u events, %u allocations, %u processes: %.1f s\n",
	       threads, streams, events, allocations, processes, seconds() - begin);
	ok(before.hbm_used == after.hbm_used && before.system_used == after.system_used,
	   "memory is what it was: %llu and %llu bytes", (unsigned long long)after.hbm_used,
	   (unsigned long long)after.system_used);
	WORKS(npurt_device_close(device));
#ifdef FAKE_KMD
	ok(fake_leaks() == 0, "the driver has nothing left of this process");
#endif
	return rt_done();
}

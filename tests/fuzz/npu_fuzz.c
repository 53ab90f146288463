// SPDX-License-Identifier: MIT
/*
 * npu_fuzz: calls the driver from several threads with arguments that are nearly right, then looks
 * whether the device still works and all memory came back. What else went wrong, the kernel's log
 * says. The same seed makes each thread do the same; with one thread, all is repeated.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm/npu_accel.h>

#include "fuzz.h"
#include "npu_util.h"

#define MAX_THREADS 64
#define MAX_CALLS 64
#define MAX_ERRNO 134
#define SCRATCH_SIZE (1 << 20)
#define NUM_FILES 2

static struct {
	uint64_t seed;
	unsigned int threads;
	unsigned int seconds;
	uint64_t calls;
	bool verbose;
} options = { .threads = 4, .seconds = 10 };

static atomic_ulong counts[MAX_CALLS][MAX_ERRNO];
static atomic_bool stop;

/* Files that threads share: one thread's objects are in the way of another's. */
static int files[NUM_FILES] = { -1, -1 };
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;

int files_get(struct state *s, bool fresh)
{
	unsigned int i = below(s, NUM_FILES);
	int fd;

	pthread_mutex_lock(&files_lock);
	if (fresh || files[i] < 0) {
		if (files[i] >= 0)
			close(files[i]);
		files[i] = npu_open();
	}
	fd = dup(files[i]);
	pthread_mutex_unlock(&files_lock);
	return fd;
}

/* The request with the size that the structure is said to have. */
static uint32_t resized(uint32_t request, uint32_t size)
{
	return (request & ~IOCSIZE_MASK) | (size << IOCSIZE_SHIFT & IOCSIZE_MASK);
}

/* What a success has made or destroyed. */
static void note(struct state *s, const struct call *call, const uint8_t *data, uint32_t size)
{
	for (unsigned int i = 0; i < call->record->num_fields; i++) {
		const struct field *f = &call->record->fields[i];
		uint32_t id = 0;

		if (f->offset + f->size > size || f->size != sizeof(id))
			continue;
		memcpy(&id, data + f->offset, sizeof(id));
		if (f->kind == K_NEW) {
			uint64_t bytes = 0;

			if (call->request == DRM_IOCTL_NPU_BO_CREATE)
				memcpy(&bytes, data, sizeof(bytes));
			objects_add(s, f->limit, id, bytes);
		} else if (call->destroys && f->kind == K_HANDLE) {
			objects_remove(s, call->destroys, id);
		}
	}
}

static int do_ioctl(struct state *s, const struct call *call)
{
	uint32_t size;
	void *data = generate(s, call->record, &size);
	int ret = ioctl(s->fd, resized(call->request, size), data);

	if (ret < 0)
		return -errno;
	note(s, call, data, size);
	return 0;
}

static const struct call *choose(struct state *s)
{
	static unsigned int total;
	unsigned int i, w;

	if (!total) {
		for (i = w = 0; i < num_calls; i++)
			w += calls[i].weight;
		total = w;
	}
	w = below(s, total);
	for (i = 0; w >= calls[i].weight; i++)
		w -= calls[i].weight;
	return &calls[i];
}

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("npu_fuzz: mmap");
		exit(1);
	}
	return at;
}

static void set_up(struct state *s)
{
	s->scratch = map(SCRATCH_SIZE + 4096);
	s->scratch_end = s->scratch + SCRATCH_SIZE;
	munmap(s->scratch_end, 4096);
	s->arena = map(ARENA_SIZE);
	s->fd = files_get(s, false);
}

/* A VM, lists and data to begin with; luck would take long to make them. */
static void make_first_objects(struct state *s)
{
	uint32_t vm, list, data, queue;

	if (npu_vm_create(s->fd, &vm))
		return;
	objects_add(s, O_VM, vm, 0);
	if (!npu_bo_create(s->fd, 0x10000, DRM_NPU_BO_SYSTEM, &list)) {
		objects_add(s, O_BO, list, 0x10000);
		npu_vm_map(s->fd, vm, list, 0, LIST_VA, 0x10000, 0);
	}
	if (!npu_bo_create(s->fd, 0x400000, DRM_NPU_BO_HBM, &data)) {
		objects_add(s, O_BO, data, 0x400000);
		npu_vm_map(s->fd, vm, data, 0, DATA_VA, 0x400000, 0);
	}
	if (!npu_queue_create(s->fd, vm, &queue))
		objects_add(s, O_QUEUE, queue, 0);
}

static void tear_down(struct state *s)
{
	for (int type = 0; type < O_COUNT; type++) {
		for (unsigned int i = 0; object_is_fd(type) && i < s->objects[type].count; i++)
			close(s->objects[type].id[i]);
	}
	for (int i = 0; i < MAX_MAPS; i++) {
		if (s->maps[i].size)
			munmap(s->maps[i].at, s->maps[i].size);
	}
	close(s->fd);
}

static void *work(void *arg)
{
	uint64_t index = (uintptr_t)arg;
	struct state s = { .random = options.seed + index * 0x5851f42d4c957f2d };

	set_up(&s);
	for (uint64_t n = 0; !stop && (!options.calls || n < options.calls); n++) {
		const struct call *call;
		int ret;

		if (s.fd < 0)
			s.fd = files_get(&s, true);
		if (!s.objects[O_VM].count)
			make_first_objects(&s);
		call = choose(&s);
		if (options.verbose)
			fprintf(stderr, "%" PRIu64 ".%" PRIu64 " %s\n", index, n, call->name);
		ret = call->run ? call->run(&s) : do_ioctl(&s, call);
		atomic_fetch_add(&counts[call - calls][-ret < MAX_ERRNO ? -ret : MAX_ERRNO - 1], 1);
	}
	tear_down(&s);
	return NULL;
}

static void report(void)
{
	for (unsigned int i = 0; i < num_calls; i++) {
		printf("# %-22s %8lu done", calls[i].name, counts[i][0]);
		for (int e = 1; e < MAX_ERRNO; e++) {
			if (counts[i][e])
				printf(", %lu %s", counts[i][e], strerrorname_np(e) ?: "?");
		}
		printf("\n");
	}
}

static unsigned int tests;
static unsigned int failures;

static void result(bool passed, const char *name)
{
	tests++;
	failures += !passed;
	printf("%sok %u - %s\n", passed ? "" : "not ", tests, name);
}

/* A call that never got through was not tested. One that the driver does not have is not meant. */
static bool all_got_through(void)
{
	bool good = true;

	for (unsigned int i = 0; i < num_calls; i++) {
		unsigned long n = 0;

		for (int e = 0; e < MAX_ERRNO; e++)
			n += counts[i][e];
		if (n && !counts[i][0]) {
			printf("# %s never succeeded\n", calls[i].name);
			good = false;
		}
	}
	return good;
}

/* What the last close has left to do is done in the background. */
static bool memory_is_back(int fd, const struct drm_npu_dev_memory *before)
{
	struct drm_npu_dev_memory now = { 0 };

	for (int i = 0; i < 100; i++) {
		npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &now, sizeof(now));
		if (now.hbm_used == before->hbm_used && now.system_used == before->system_used)
			return true;
		usleep(100000);
	}
	printf("# HBM used before %" PRIu64 ", after %" PRIu64 "; system memory %" PRIu64 ", %" PRIu64
	       "\n", (uint64_t)before->hbm_used, (uint64_t)now.hbm_used,
	       (uint64_t)before->system_used, (uint64_t)now.system_used);
	return false;
}

static bool device_works(void)
{
	struct npu_ctx ctx;
	bool works = !npu_ctx_open(&ctx) && npu_ctx_works(&ctx);

	npu_ctx_close(&ctx);
	return works;
}

static void usage(void)
{
	fprintf(stderr, "usage: npu_fuzz [-s SEED] [-j THREADS] [-t SECONDS] [-n CALLS] [-v]\n"
			"  -n: calls of each thread, instead of a time\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	int c;

	options.seed = time(NULL);
	while ((c = getopt(argc, argv, "s:j:t:n:v")) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			options.threads = atoi(optarg);
			break;
		case 't':
			options.seconds = atoi(optarg);
			break;
		case 'n':
			options.calls = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			options.verbose = true;
			break;
		default:
			usage();
		}
	}
	if (optind < argc || !options.threads || options.threads > MAX_THREADS)
		usage();
}

int main(int argc, char **argv)
{
	struct drm_npu_dev_memory before = { 0 };
	pthread_t threads[MAX_THREADS];
	int fd;

	parse(argc, argv);
	fd = npu_open();
	if (fd < 0) {
		printf("1..0 # SKIP no NPU\n");
		return 4;
	}
	npu_query(fd, DRM_NPU_DEV_QUERY_MEMORY, &before, sizeof(before));
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %" PRIu64 ", %u threads\n", options.seed, options.threads);
	for (uintptr_t i = 0; i < options.threads; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	if (!options.calls) {
		sleep(options.seconds);
		stop = true;
	}
	for (unsigned int i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
	/* A call that was told a short structure could not say which file it had opened. */
	close_range(STDERR_FILENO + 1, fd - 1, 0);
	close_range(fd + 1, ~0u, 0);
	report();
	result(all_got_through(), "every call got through at least once");
	result(memory_is_back(fd, &before), "all memory is back");
	result(device_works(), "the device works");
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}

// SPDX-License-Identifier: MIT
/* Pools: memory that comes and goes in the order of streams. */
#include "rt_gate.h"

#include <errno.h>
#include <pthread.h>

#define BYTES 100000
#define LARGE (3 << 20) /* a buffer of its own */

static npurt_pool *pool_of(npurt_context *context, uint32_t flags, uint64_t threshold)
{
	npurt_pool_attr attr = {
		.size = sizeof(attr), .flags = flags, .release_threshold = threshold,
		.label = "scratch", .tag = "scratch memory",
	};
	npurt_pool *pool = NULL;

	NEED(npurt_pool_create(context, &attr, &pool));
	return pool;
}

static npurt_pool_info info_of(npurt_pool *pool)
{
	npurt_pool_info info = { .size = sizeof(info) };

	NEED(npurt_pool_get_info(pool, &info));
	return info;
}

static npurt_memory *alloc(npurt_pool *pool, npurt_stream *stream, uint64_t bytes)
{
	npurt_memory *m = NULL;

	NEED(npurt_pool_alloc_async(pool, stream, bytes, NULL, &m));
	return m;
}

static bool is_filled(npurt_stream *stream, npurt_memory *m, uint8_t value)
{
	const uint64_t bytes = npurt_memory_size(m);
	uint8_t *host = malloc(bytes);
	bool same = true;

	NEED(npurt_download(stream, host, m, 0, bytes));
	for (uint64_t i = 0; i < bytes; i++)
		same &= host[i] == value;
	free(host);
	return same;
}

static void test_order(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	npurt_pool_info info;
	npurt_memory *m;
	uint64_t address;

	WORKS(npurt_pool_alloc_async(pool, f->stream, BYTES, NULL, &m));
	address = npurt_memory_address(m);
	ok(npurt_memory_size(m) == BYTES && address % 256 == 0, "it has its size and an address");
	NEED(npurt_fill_async(f->stream, m, 0, 1, 1, BYTES));
	ok(is_filled(f->stream, m, 1), "it is memory");
	((uint8_t *)mapped(m))[BYTES - 1] = 1;
	WORKS(npurt_memory_free_async(m, f->stream));
	for (int i = 0; i < 100; i++) {
		m = alloc(pool, f->stream, BYTES - i);
		NEED(npurt_fill_async(f->stream, m, 0, i, 1, BYTES - i));
		NEED(npurt_memory_free_async(m, f->stream));
	}
	info = info_of(pool);
	ok(info.grown == 1 && info.reused_in_order + info.reused_idle == 100,
	   "a stream has again what it freed, without the driver");
	ok(info.allocations == 0 && info.used_bytes == 0 && info.used_peak_bytes >= BYTES &&
		   info.reserved_bytes >= BYTES,
	   "the pool tells what it has");
	m = alloc(pool, f->stream, 10 << 20);
	ok(info_of(pool).used_bytes < 12 << 20, "little is lost to rounding");
	NEED(npurt_memory_destroy(m));
	NEED(npurt_stream_synchronize(f->stream));
	WORKS(npurt_pool_trim(pool, 0));
	ok(info_of(pool).reserved_bytes == 0, "a trim gives all back");
	WORKS(npurt_pool_destroy(pool));
}

static void test_arguments(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .placement = NPURT_PLACE_HOST };
	npurt_pool *pool = pool_of(f->context, 0, 0), *other;
	npurt_pool_attr pool_attr = { .size = sizeof(pool_attr), .placement = 9 };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "no pool's");
	npurt_context *context;
	npurt_stream *stream;
	char text[256];

	GIVES(npurt_pool_create(f->context, &pool_attr, &other), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_create(NULL, NULL, &other), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_free_async(m, f->stream), NPURT_ERROR_INVALID);
	NEED(npurt_context_error_message(f->context, text, sizeof(text)));
	ok(strstr(text, "no pool's") && strstr(text, "npurt_memory_destroy"),
	   "the message tells what to do: %s", text);
	NEED(npurt_memory_destroy(m));
	GIVES(npurt_pool_alloc_async(pool, f->stream, 0, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_alloc_async(pool, f->stream, UINT64_MAX, NULL, &m), NPURT_ERROR_RANGE);
	GIVES(npurt_pool_alloc_async(pool, f->stream, 4096, &attr, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_alloc_async(pool, NULL, 4096, NULL, &m), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_alloc_async(pool, f->stream, 4096, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_alloc_async(pool, f->stream, 1ULL << 45, NULL, &m),
	      NPURT_ERROR_DEVICE_MEMORY);
	NEED(npurt_context_create(f->device, NULL, &context));
	NEED(npurt_stream_create(context, NULL, &stream));
	GIVES(npurt_pool_alloc_async(pool, stream, 4096, NULL, &m), NPURT_ERROR_INVALID);
	m = alloc(pool, f->stream, 4096);
	GIVES(npurt_memory_free_async(m, stream), NPURT_ERROR_INVALID);
	GIVES(npurt_pool_destroy(pool), NPURT_ERROR_BUSY);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_context_destroy(context));
	WORKS(npurt_memory_destroy(m));
	GIVES(npurt_context_destroy(f->context), NPURT_ERROR_BUSY);
	WORKS(npurt_pool_destroy(pool));
}

struct tags {
	uint64_t pool, part;
};

static void note(const npurt_memory_holder *holder, void *data)
{
	struct tags *tags = data;

	if (strcmp(holder->tag, "scratch memory") == 0)
		tags->pool = holder->hbm_bytes;
	else if (strcmp(holder->tag, "activations") == 0)
		tags->part = holder->hbm_bytes;
}

static void test_report(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "layer 7", .tag = "activations" };
	npurt_pool *pool = pool_of(f->context, 0, 0);
	struct tags with = { 0, 0 }, without = { 0, 0 };
	npurt_memory *m;

	NEED(npurt_pool_alloc_async(pool, f->stream, 1 << 20, &attr, &m));
	NEED(npurt_context_memory_report(f->context, note, &with));
	NEED(npurt_memory_free_async(m, f->stream));
	NEED(npurt_context_memory_report(f->context, note, &without));
	ok(with.part >= 1 << 20 && without.part == 0, "what is allocated counts as its own tag's");
	ok(without.pool == with.pool + with.part, "what is unused as the pool's");
	NEED(npurt_pool_destroy(pool));
}

static void test_threshold(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 8 << 20);
	npurt_memory *m[8];

	for (int i = 0; i < 8; i++)
		m[i] = alloc(pool, f->stream, 4 << 20);
	ok(info_of(pool).reserved_bytes == 32 << 20, "what is used stays");
	for (int i = 0; i < 8; i++)
		NEED(npurt_memory_free_async(m[i], f->stream));
	NEED(npurt_stream_synchronize(f->stream));
	ok(info_of(pool).reserved_bytes == 8 << 20, "of the rest, what the threshold lets");
	ok(info_of(pool).reserved_peak_bytes == 32 << 20, "the peak is told");
	NEED(npurt_pool_destroy(pool));
}

/* Streams that go, or fail, while memory that was freed there is still waited for. */
static void test_streams_that_end(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	npurt_memory *m, *big;
	npurt_stream *stream;

	NEED(npurt_stream_create(f->context, NULL, &stream));
	big = memory(f->context, NPURT_PLACE_HBM, 16 << 20, "work");
	m = alloc(pool, stream, BYTES);
	for (int i = 0; i < 20; i++)
		NEED(npurt_fill_async(stream, big, 0, i, 1, 16 << 20));
	NEED(npurt_fill_async(stream, m, 0, 1, 1, BYTES));
	NEED(npurt_memory_free_async(m, stream));
	NEED(npurt_stream_destroy(stream));
	m = alloc(pool, f->stream, BYTES);
	NEED(npurt_fill_async(f->stream, m, 0, 2, 1, BYTES));
	ok(is_filled(f->stream, m, 2), "memory of a stream that was destroyed is not shared");
	NEED(npurt_memory_free_async(m, f->stream));
	WORKS(npurt_pool_destroy(pool));
	NEED(npurt_memory_destroy(big));
}

/* A stream that stands still with a fill of memory that it has freed, and will be given again. */
static npurt_memory *still_filled(npurt_pool *pool, struct gate *g, npurt_stream *still,
				  npurt_stream *next)
{
	npurt_memory *m = alloc(pool, still, LARGE);

	gate_open(g, false);
	NEED(npurt_graph_launch(g->exec, still));
	NEED(npurt_fill_async(still, m, 0, 0x11, 1, LARGE));
	NEED(npurt_memory_free_async(m, still));
	NEED(npurt_stream_flush(still));
	return alloc(pool, next, LARGE);
}

/* It is free once more: who gets it next still waits for the fill. */
static void check_filled_last(struct fixture *f, npurt_pool *pool, struct gate *g,
			      npurt_stream *still, const char *how)
{
	npurt_memory *m = alloc(pool, f->stream, LARGE);

	NEED(npurt_fill_async(f->stream, m, 0, 0x22, 1, LARGE));
	NEED(npurt_stream_flush(f->stream));
	ok(npurt_stream_query(f->stream) == NPURT_ERROR_NOT_READY,
	   "memory that is still filled and was %s is waited for", how);
	gate_open(g, true);
	NEED(npurt_stream_synchronize(still));
	ok(is_filled(f->stream, m, 0x22), "so the later fill is the last");
	NEED(npurt_memory_free_async(m, f->stream));
	NEED(npurt_stream_synchronize(f->stream));
}

static void test_former_users(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	struct gate g = gate_make(f->context);
	npurt_stream *still, *other;
	npurt_memory *m;

	NEED(npurt_stream_create(f->context, NULL, &still));
	NEED(npurt_stream_create(f->context, NULL, &other));
	m = still_filled(pool, &g, still, still);
	NEED(npurt_memory_destroy(m));
	check_filled_last(f, pool, &g, still, "allocated and destroyed in between");
	m = still_filled(pool, &g, still, other);
	NEED(npurt_memory_destroy(m));
	check_filled_last(f, pool, &g, still, "another stream's in between");
	m = still_filled(pool, &g, still, other);
	NEED(npurt_memory_free_async(m, other));
	NEED(npurt_stream_abort(other));
	check_filled_last(f, pool, &g, still, "that of a stream that was aborted in between");
	ok(info_of(pool).grown == 1, "it was the same memory each time");
	WORKS(npurt_pool_destroy(pool));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_stream_destroy(still));
	gate_free(&g);
}

/* Who waits for memory of a stream that ends gets it then. */
static void test_end_of_user(struct fixture *f, int (*end)(npurt_stream *), const char *how)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	struct gate g = gate_make(f->context);
	npurt_stream *still, *next;
	npurt_memory *m;

	NEED(npurt_stream_create(f->context, NULL, &still));
	NEED(npurt_stream_create(f->context, NULL, &next));
	m = still_filled(pool, &g, still, next);
	ok(info_of(pool).reused_by_wait == 1, "a stream waits for memory of another one");
	NEED(npurt_fill_async(next, m, 0, 0x22, 1, LARGE));
	NEED(npurt_stream_flush(next));
	NEED(end(still));
	ok(npurt_stream_synchronize(next) == 0 && is_filled(next, m, 0x22),
	   "until that is %s", how);
	NEED(npurt_memory_destroy(m));
	WORKS(npurt_pool_destroy(pool));
	NEED(npurt_stream_destroy(next));
	if (end != npurt_stream_destroy)
		NEED(npurt_stream_destroy(still));
	gate_free(&g);
}

#ifdef FAKE_KMD
#include <stdatomic.h>

#include <drm.h>
#include <npu_accel.h>

#include "modules/rt_kernels.h"

static atomic_bool kernel_may_end;

static uint32_t kernel_gate(const struct npu_cmd_kernel *kernel, const void *args)
{
	(void)kernel;
	(void)args;
	return kernel_may_end ? NPU_ST_OK : FAKE_AGAIN;
}

/* One stream stands still with work on memory that it has freed. */
static void test_wait(struct fixture *f, uint32_t flags)
{
	npurt_pool *pool = pool_of(f->context, flags, 0);
	const struct raise_args args = { 1 };
	npurt_stream *still;
	npurt_module *module;
	npurt_kernel *kernel;
	npurt_memory *m;
	uint64_t address;
	unsigned int creates;

	kernel_may_end = false;
	fake_set_kernel(kernel_gate);
	NEED(npurt_module_load_file(f->context, MODULES "/rt_kernels.elf", &module));
	NEED(npurt_module_get_kernel(module, "raise", &kernel));
	NEED(npurt_stream_create(f->context, NULL, &still));
	m = alloc(pool, still, 3 << 20);
	address = npurt_memory_address(m);
	NEED(npurt_launch(still, kernel, 1, &args, sizeof(args), NULL));
	NEED(npurt_fill_async(still, m, 0, 1, 1, 3 << 20));
	NEED(npurt_memory_free_async(m, still));
	creates = fake_calls(DRM_IOCTL_NPU_BO_CREATE);
	m = alloc(pool, f->stream, 3 << 20);
	if (flags & NPURT_POOL_NO_WAITS) {
		ok(npurt_memory_address(m) != address, "without waits there is new memory");
	} else {
		ok(npurt_memory_address(m) == address &&
			   fake_calls(DRM_IOCTL_NPU_BO_CREATE) == creates,
		   "another stream gets memory that is still worked on");
		ok(info_of(pool).reused_by_wait == 1, "and waits for it");
	}
	NEED(npurt_fill_async(f->stream, m, 0, 2, 1, 3 << 20));
	NEED(npurt_stream_flush(f->stream));
	if (flags & NPURT_POOL_NO_WAITS)
		NEED(npurt_stream_synchronize(f->stream));
	else
		GIVES(npurt_stream_query(f->stream), NPURT_ERROR_NOT_READY);
	kernel_may_end = true;
	ok(is_filled(f->stream, m, 2), "the later fill is the last");
	NEED(npurt_memory_free_async(m, f->stream));
	NEED(npurt_stream_synchronize(still));
	NEED(npurt_stream_synchronize(f->stream));
	if (!flags) {
		m = alloc(pool, still, 3 << 20);
		ok(info_of(pool).reused_idle == 1, "what nobody uses any more needs no wait");
		NEED(npurt_memory_free_async(m, still));
	}
	WORKS(npurt_pool_destroy(pool));
	NEED(npurt_stream_destroy(still));
	NEED(npurt_module_unload(module));
	fake_set_kernel(NULL);
}

/* Each call of the driver that an allocation makes fails in turn. */
static void test_failures(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	npurt_memory *m = NULL;
	unsigned int failures = 0;
	int err;

	do {
		fake_fail_nth(++failures, ENOMEM);
		err = npurt_pool_alloc_async(pool, f->stream, BYTES, NULL, &m);
	} while (err && failures < 100);
	fake_fail_nth(0, 0);
	ok(failures > 1 && !err, "%u calls fail, and then it works", failures - 1);
	NEED(npurt_memory_free_async(m, f->stream));
	NEED(npurt_pool_destroy(pool));
}
#endif

/* Random sizes on several streams from several threads: what is allocated is one's own. */

#define THREADS 4
#define HELD 8

struct worker {
	npurt_context *context;
	npurt_pool *pool;
	uint64_t seed;
	unsigned int wrong;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	npurt_memory *held[HELD] = { NULL };
	npurt_stream *stream;

	NEED(npurt_stream_create(w->context, NULL, &stream));
	for (unsigned int i = 0; i < 400; i++) {
		const unsigned int n = rt_random(&w->seed) % HELD;

		if (held[n] && i % 16 == 0)
			w->wrong += !is_filled(stream, held[n], (uint8_t)n);
		if (held[n])
			NEED(npurt_memory_free_async(held[n], stream));
		held[n] = alloc(w->pool, stream, 1 + rt_random(&w->seed) % 30000);
		NEED(npurt_fill_async(stream, held[n], 0, n, 1, npurt_memory_size(held[n])));
	}
	for (unsigned int n = 0; n < HELD; n++) {
		if (!held[n])
			continue;
		w->wrong += !is_filled(stream, held[n], (uint8_t)n);
		NEED(npurt_memory_free_async(held[n], stream));
	}
	NEED(npurt_stream_destroy(stream));
	return NULL;
}

static void test_threads(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 1 << 20);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ f->context, pool, i + 1, 0 };
		need(pthread_create(&threads[i], NULL, work, &workers[i]), "thread");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		wrong += workers[i].wrong;
	}
	ok(wrong == 0, "%u threads do not disturb each other (%u)", THREADS, wrong);
	ok(info_of(pool).allocations == 0, "all is free at the end");
	WORKS(npurt_pool_destroy(pool));
}

static void test_capture(struct fixture *f)
{
	npurt_pool *pool = pool_of(f->context, 0, 0);
	npurt_memory *m = alloc(pool, f->stream, BYTES), *other;
	npurt_graph *graph;

	NEED(npurt_stream_begin_capture(f->stream, 0));
	GIVES(npurt_pool_alloc_async(pool, f->stream, BYTES, NULL, &other), NPURT_ERROR_CAPTURE);
	GIVES(npurt_memory_free_async(m, f->stream), NPURT_ERROR_CAPTURE);
	NEED(npurt_stream_end_capture(f->stream, &graph));
	NEED(npurt_graph_destroy(graph));
	WORKS(npurt_memory_free_async(m, f->stream));
	NEED(npurt_pool_destroy(pool));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_order(&f);
	test_arguments(&f);
	test_report(&f);
	test_threshold(&f);
	test_streams_that_end(&f);
	test_former_users(&f);
	test_end_of_user(&f, npurt_stream_destroy, "destroyed");
	test_end_of_user(&f, npurt_stream_abort, "aborted");
	test_capture(&f);
#ifdef FAKE_KMD
	test_wait(&f, 0);
	test_wait(&f, NPURT_POOL_NO_WAITS);
	test_failures(&f);
#endif
	test_threads(&f);
	fixture_close(&f);
	return rt_done();
}

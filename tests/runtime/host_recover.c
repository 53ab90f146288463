// SPDX-License-Identifier: MIT
/* Recovery of a context: memory that cannot be read, resets, a device that is given up. */
#include "rt_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <drm.h>
#include <npu_accel.h>

struct losses {
	unsigned int count;
	npurt_memory *memory;
	char label[NPURT_LABEL_SIZE];
};

static void lose(npurt_memory *memory, const char *label, void *data)
{
	struct losses *losses = data;

	losses->count++;
	losses->memory = memory;
	snprintf(losses->label, sizeof(losses->label), "%s", label);
}

static void test_lost_memory(struct fixture *f)
{
	npurt_memory *good = memory(f->context, NPURT_PLACE_HBM, 3 << 20, "good");
	npurt_memory *bad = memory(f->context, NPURT_PLACE_HBM, (2 << 20) + 4096, "bad");
	npurt_memory *host = memory(f->context, NPURT_PLACE_HOST, 4096, "host");
	struct losses losses = { 0 };
	npurt_recovery r = { .size = sizeof(r), .lost = lose, .data = &losses };
	npurt_context_status status;
	npurt_stream *other;
	uint64_t value = 0;
	char text[512];

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_fill_async(f->stream, good, 0, 7, 8, 3 << 20));
	NEED(npurt_stream_synchronize(f->stream));
	ok(!status_of(f->context).error, "all is well at first");
	null_poison((uint8_t *)mapped(bad) + (2 << 20) + 8);
	NEED(npurt_memcpy_async(f->stream, host, 0, bad, 2 << 20, 4096));
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_CONTEXT_LOST);
	GIVES(npurt_fill_async(other, host, 0, 1, 1, 1), NPURT_ERROR_CONTEXT_LOST);
	NEED(npurt_stream_error_message(other, text, sizeof(text)));
	ok(strstr(text, "uncorrectable HBM error") && strstr(text, "'bad'"),
	   "another stream is told the first fault: %s", text);
	GIVES(npurt_stream_reset(f->stream), NPURT_ERROR_CONTEXT_LOST);
	status = status_of(f->context);
	ok(status.error == NPURT_ERROR_CONTEXT_LOST && status.scope == NPURT_SCOPE_CONTEXT &&
		   status.failed_streams == 1 && status.streams == 2 &&
		   strstr(status.message, "'bad'"),
	   "so does the status: %s", status.message);

	WORKS(npurt_context_recover(f->context, &r));
	ok(losses.count == 1 && losses.memory == bad && strcmp(losses.label, "bad") == 0 &&
		   r.memory_lost == 1 && r.bytes_lost == (2 << 20) + 4096,
	   "what was lost is named");
	ok(r.memory_kept >= 1 && r.bytes_kept >= 3 << 20 && r.streams_reset == 1,
	   "the rest is kept, and the stream that failed is reset");
	WORKS(npurt_download(f->stream, &value, good, 0, sizeof(value)));
	ok(value == 7, "good memory has its contents");
	WORKS(npurt_fill_async(other, host, 0, 1, 1, 1));
	WORKS(npurt_stream_synchronize(other));
	WORKS(npurt_memory_destroy(bad));
	bad = memory(f->context, NPURT_PLACE_HBM, (2 << 20) + 4096, "anew");
	WORKS(npurt_download(f->stream, &value, bad, 2 << 20, sizeof(value)));
	ok(!status_of(f->context).error && !value, "and what is allocated anew is other memory");
	null_poison(NULL);
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(good));
	NEED(npurt_memory_destroy(bad));
	NEED(npurt_memory_destroy(host));
}

static npurt_memory *alloc(npurt_pool *pool, npurt_stream *stream)
{
	npurt_memory *m = NULL;

	NEED(npurt_pool_alloc_async(pool, stream, 4096, NULL, &m));
	return m;
}

/* What a pool has of memory that cannot be read is not given out again: @freed before or after. */
static void test_lost_pool(struct fixture *f, bool freed)
{
	npurt_memory *host = memory(f->context, NPURT_PLACE_HOST, 4096, "host"), *all[32];
	struct losses losses = { 0 };
	npurt_recovery r = { .size = sizeof(r), .lost = lose, .data = &losses };
	npurt_pool *pool = NULL;
	npurt_memory *beside, *bad;
	bool good = true;

	NEED(npurt_pool_create(f->context, NULL, &pool));
	beside = alloc(pool, f->stream);
	bad = alloc(pool, f->stream);
	null_poison((uint8_t *)mapped(bad) + 8);
	NEED(npurt_memcpy_async(f->stream, host, 0, bad, 0, 4096));
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_CONTEXT_LOST);
	if (freed)
		NEED(npurt_memory_destroy(bad));
	WORKS(npurt_context_recover(f->context, &r));
	ok(losses.count == !freed && r.memory_lost == !freed && r.bytes_lost == (freed ? 0 : 4096),
	   "memory of a pool that is %s", freed ? "free is not told of" : "lost is told of once");
	if (!freed)
		NEED(npurt_memory_destroy(bad));
	NEED(npurt_memory_destroy(beside));
	for (unsigned int i = 0; i < COUNT(all); i++) {
		all[i] = alloc(pool, f->stream);
		NEED(npurt_memcpy_async(f->stream, host, 0, all[i], 0, 4096));
		good &= npurt_stream_synchronize(f->stream) == 0;
	}
	ok(good, "and what the pool allocates later can be read");
	for (unsigned int i = 0; i < COUNT(all); i++)
		NEED(npurt_memory_destroy(all[i]));
	WORKS(npurt_pool_destroy(pool));
	NEED(npurt_pool_create(f->context, NULL, &pool));
	bad = alloc(pool, f->stream);
	NEED(npurt_memcpy_async(f->stream, host, 0, bad, 0, 4096));
	WORKS(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(bad));
	NEED(npurt_pool_destroy(pool));
	null_poison(NULL);
	NEED(npurt_memory_destroy(host));
}

static void test_reset(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "kept");
	npurt_recovery r = { .size = sizeof(r) };
	npurt_context_status status;
	npurt_stream *other;
	uint64_t value = 0;

	NEED(npurt_stream_create(f->context, NULL, &other));
	NEED(npurt_fill_async(f->stream, m, 0, 9, 8, 4096));
	NEED(npurt_stream_synchronize(f->stream));
	fake_reset();
	status = status_of(f->context);
	ok(status.error == NPURT_ERROR_STREAM_LOST && status.scope == NPURT_SCOPE_DEVICE &&
		   status.failed_streams == 2 && status.device_resets == 1,
	   "a reset of the device reaches all streams: %s", status.message);
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_STREAM_LOST);
	WORKS(npurt_context_recover(f->context, &r));
	ok(r.streams_reset == 2 && !r.memory_lost, "each gets a fresh queue");
	WORKS(npurt_download(other, &value, m, 0, sizeof(value)));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(value == 9, "and memory is what it was");
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(m));
}

/* The driver was unbound while nothing was in flight. */
static void test_gone(struct fixture *f)
{
	npurt_context_status status;

	fake_fail_next(DRM_IOCTL_NPU_DEV_QUERY, ENODEV);
	status = status_of(f->context);
	ok(status.error == NPURT_ERROR_DEVICE_LOST && status.scope == NPURT_SCOPE_DEVICE,
	   "a device that is gone: %s", status.message);
	fake_fail_next(DRM_IOCTL_NPU_DEV_QUERY, ENODEV);
	GIVES(npurt_context_recover(f->context, NULL), NPURT_ERROR_DEVICE_LOST);
}

/* A stream that goes on after faults, and a thread that gives it such. */
struct faulty {
	npurt_range *range;
	npurt_stream *stream;
	unsigned int batches; /* until the thread looks what has become of them */
	atomic_uint rounds;
	atomic_bool stop;
	pthread_t thread;
};

/* Each batch faults at once: the stream is always about to get another queue. */
static void *fault_on(void *arg)
{
	struct faulty *f = arg;

	while (!f->stop) {
		for (unsigned int i = 0; i < f->batches; i++) {
			npurt_fill_async(f->stream, npurt_range_memory(f->range), 0, 0, 1, 1);
			npurt_stream_flush(f->stream);
		}
		npurt_stream_query(f->stream);
		f->rounds++;
	}
	return NULL;
}

static void faulty_start(struct faulty *faulty, struct fixture *f, unsigned int batches)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr), .failure_mode = NPURT_FAIL_CONTINUE,
	};

	*faulty = (struct faulty){ .batches = batches };
	NEED(npurt_range_reserve(f->context, 4096, NULL, &faulty->range));
	NEED(npurt_stream_create(f->context, &attr, &faulty->stream));
	need(pthread_create(&faulty->thread, NULL, fault_on, faulty), "pthread_create");
}

static void faulty_stop(struct faulty *faulty)
{
	faulty->stop = true;
	pthread_join(faulty->thread, NULL);
	NEED(npurt_stream_destroy(faulty->stream));
	NEED(npurt_range_release(faulty->range));
}

/* An abort stops a stream that goes on after faults, whenever it comes. */
static void test_abort(struct fixture *f)
{
	struct faulty faulty;
	unsigned int lost = 0;

	faulty_start(&faulty, f, 1);
	for (unsigned int i = 0; i < 500; i++) {
		const unsigned int from = faulty.rounds;

		while (faulty.rounds - from < i % 10)
			sched_yield();
		NEED(npurt_stream_abort(faulty.stream));
		lost += npurt_stream_flush(faulty.stream) != NPURT_ERROR_CANCELED;
		NEED(npurt_stream_reset(faulty.stream));
	}
	ok(!lost, "no abort is lost in a recovery");
	if (lost)
		printf("# %u were\n", lost);
	faulty_stop(&faulty);
}

/* Batches that come after a fault are handed over again, which is nothing to those who wait. */
static void test_wait(struct fixture *f)
{
	struct faulty faulty;
	unsigned int wrong = 0;
	char text[256] = "";

	faulty_start(&faulty, f, 8);
	for (unsigned int i = 0; i < 1000; i++) {
		const int err = npurt_stream_synchronize(faulty.stream);

		if (!err || err == NPURT_ERROR_STREAM_FAULT)
			continue;
		wrong++;
		NEED(npurt_stream_error_message(faulty.stream, text, sizeof(text)));
	}
	ok(!wrong, "who waits for a stream that goes on is told of its faults alone");
	if (wrong)
		printf("# %u were told: %s\n", wrong, text);
	faulty_stop(&faulty);
}

static void test_scopes(void)
{
	ok(npurt_error_scope(NPURT_ERROR_INVALID) == NPURT_SCOPE_CALL &&
		   npurt_error_scope(0) == NPURT_SCOPE_CALL &&
		   npurt_error_scope(NPURT_ERROR_STREAM_FAULT) == NPURT_SCOPE_STREAM &&
		   npurt_error_scope(NPURT_ERROR_CONTEXT_LOST) == NPURT_SCOPE_CONTEXT &&
		   npurt_error_scope(NPURT_ERROR_DEVICE_LOST) == NPURT_SCOPE_DEVICE,
	   "errors tell how far they reach");
}

/* The last test: nothing brings this device back. */
static void test_wedged(struct fixture *f)
{
	npurt_recovery r = { .size = sizeof(r) };
	npurt_context_status status;

	fake_wedge();
	status = status_of(f->context);
	ok(status.error == NPURT_ERROR_DEVICE_LOST && status.scope == NPURT_SCOPE_DEVICE,
	   "a device that was given up: %s", status.message);
	GIVES(npurt_context_recover(f->context, &r), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_stream_reset(f->stream), NPURT_ERROR_DEVICE_LOST);
	GIVES(npurt_stream_synchronize(f->stream), NPURT_ERROR_STREAM_LOST);
}

int main(void)
{
	struct fixture f = fixture_open();

	test_scopes();
	test_lost_memory(&f);
	test_lost_pool(&f, false);
	test_lost_pool(&f, true);
	test_reset(&f);
	test_abort(&f);
	test_wait(&f);
	GIVES(npurt_context_recover(NULL, NULL), NPURT_ERROR_INVALID);
	WORKS(npurt_context_recover(f.context, NULL));
	test_gone(&f);
	test_wedged(&f);
	fixture_close(&f);
	return rt_done();
}

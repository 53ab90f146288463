// SPDX-License-Identifier: MIT
/* A stream that fails: what is told of it, what goes on, and how to recover. */
#define _GNU_SOURCE
#include "rt_test.h"

#include <dlfcn.h>

/* Batched commands keep the address of a buffer that goes away before they run. */
static void break_stream(struct fixture *f, npurt_stream *stream)
{
	npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");

	NEED(npurt_fill_async(stream, victim, 0, 0, 1, 4096));
	NEED(npurt_memory_destroy(victim));
}

static npurt_stream *lazy_stream(npurt_context *context, const char *label)
{
	npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_NO_AUTO_FLUSH,
		.wait_timeout_ms = 1000,
		.label = label,
	};
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, &attr, &stream));
	return stream;
}

static void test_sticky(struct fixture *f)
{
	npurt_stream *stream = lazy_stream(f->context, "doomed");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "bystander");
	npurt_memory *kept = memory(f->context, NPURT_PLACE_HBM, 4096, "kept");
	npurt_event *event;
	npurt_fault fault = { .size = sizeof(fault) };

	NEED(npurt_event_create(f->context, NULL, &event));
	GIVES(npurt_stream_get_fault(stream, &fault), NPURT_ERROR_NOT_READY);
	NEED(npurt_fill_async(stream, kept, 0, 9, 1, 4096));
	break_stream(f, stream);
	NEED(npurt_event_record(event, stream));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_fill_async(stream, m, 0, 0, 1, 1), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_stream_query(stream), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_event_wait(event, NPURT_INFINITE), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_event_record(event, stream), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_stream_wait_event(f->stream, event), NPURT_ERROR_STREAM_FAULT);

	WORKS(npurt_stream_get_fault(stream, &fault));
	ok(fault.error == NPURT_ERROR_STREAM_FAULT && fault.command == NPURT_COMMAND_FILL &&
		   fault.sequence == 2 && fault.address && fault.time_ns,
	   "the fault is told: %s", fault.message);
	ok(strcmp(fault.label, "victim") == 0 && strstr(fault.message, "victim") &&
		   strstr(fault.message, "doomed"),
	   "it names the memory and the stream");

	WORKS(npurt_fill_async(f->stream, m, 0, 3, 1, 4096));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(((uint8_t *)mapped(m))[4095] == 3, "other streams go on");
	ok(((uint8_t *)mapped(kept))[0] == 9, "what came before the fault was done");

	WORKS(npurt_stream_destroy(stream));
	WORKS(npurt_stream_create(f->context, NULL, &stream));
	WORKS(npurt_fill_async(stream, m, 0, 4, 1, 4096));
	WORKS(npurt_stream_synchronize(stream));
	ok(((uint8_t *)mapped(m))[4095] == 4, "a new stream works");
	WORKS(npurt_event_record(event, stream));
	WORKS(npurt_event_wait(event, NPURT_INFINITE));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(kept));
}

/* The address of a fault is told in terms of what is, or was, there. */
static void test_destroyed(struct fixture *f)
{
	npurt_stream *stream = lazy_stream(f->context, "");
	npurt_memory *a = memory(f->context, NPURT_PLACE_HBM, 8192, "first");
	npurt_memory *b = memory(f->context, NPURT_PLACE_HBM, 8192, "second");
	npurt_fault fault = { .size = sizeof(fault) };

	NEED(npurt_fill_async(stream, b, 4096, 0, 1, 64));
	NEED(npurt_memory_destroy(b));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(strcmp(fault.nearest, "4096 bytes into 'second', which was destroyed") == 0,
	   "the former owner of the address is named: %s", fault.nearest);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(a));
}

/* Of this function, so that a return address in it can be told. */
static __attribute__((noinline)) void fill_from_here(npurt_stream *stream, npurt_memory *m)
{
	NEED(npurt_fill_async(stream, m, 0, 0, 1, 64));
}

static void test_site(struct fixture *f)
{
	npurt_stream *stream = lazy_stream(f->context, "");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	npurt_fault fault = { .size = sizeof(fault) };
	Dl_info info = { 0 };
	const char *plus;
	uint64_t at, start;

	fill_from_here(stream, m);
	NEED(npurt_memory_destroy(m));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	dladdr((const void *)(uintptr_t)fill_from_here, &info);
	plus = strstr(fault.site, "+0x");
	at = plus ? strtoull(plus + 3, NULL, 16) : 0;
	start = (uint64_t)((uintptr_t)fill_from_here - (uintptr_t)info.dli_fbase);
	ok(strncmp(fault.site, "test_fault+0x", 13) == 0 && at > start && at - start < 256 &&
		   strstr(fault.message, fault.site),
	   "with NPURT_SITES the place of the call is told: %s", fault.site);
	NEED(npurt_stream_destroy(stream));
}

/* Between two objects both are named, each with its tag. */
static void test_neighbours(struct fixture *f)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .label = "lower", .tag = "weights" };
	npurt_stream *stream = lazy_stream(f->context, "");
	npurt_memory *m[3];
	npurt_fault fault = { .size = sizeof(fault) };

	NEED(npurt_memory_create(f->context, 4096, &attr, &m[0]));
	m[1] = memory(f->context, NPURT_PLACE_HBM, 4096, "middle");
	attr.label = "upper";
	attr.tag = NULL;
	NEED(npurt_memory_create(f->context, 4096, &attr, &m[2]));
	ok(npurt_memory_address(m[0]) < npurt_memory_address(m[1]) &&
		   npurt_memory_address(m[1]) < npurt_memory_address(m[2]),
	   "three objects in a row");
	NEED(npurt_fill_async(stream, m[1], 0, 0, 1, 64));
	NEED(npurt_memory_destroy(m[1]));
	/* Forget the one that was there. */
	for (unsigned int i = 0; i < 64; i++)
		NEED(npurt_memory_destroy(memory(f->context, NPURT_PLACE_HBM, 1 << 20, "other")));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(strstr(fault.nearest, "past the end of 'lower' (4096 bytes), tag 'weights'") &&
		   strstr(fault.neighbour, "before 'upper'"),
	   "those around an address: %s; %s", fault.nearest, fault.neighbour);
	NEED(npurt_memory_destroy(m[0]));
	NEED(npurt_memory_destroy(m[2]));
	NEED(npurt_stream_destroy(stream));
}

/* The event's record never comes, as its stream has failed before it. */
static void test_lost_wait(struct fixture *f)
{
	npurt_stream *producer = lazy_stream(f->context, "producer");
	npurt_stream *consumer = lazy_stream(f->context, "consumer");
	npurt_event_attr attr = { .size = sizeof(attr), .label = "product" };
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_event *event;

	NEED(npurt_event_create(f->context, &attr, &event));
	break_stream(f, producer);
	NEED(npurt_event_record(event, producer));
	NEED(npurt_stream_wait_event(consumer, event));
	GIVES(npurt_stream_synchronize(consumer), NPURT_ERROR_STREAM_TIMEOUT);
	NEED(npurt_stream_get_fault(consumer, &fault));
	ok(fault.command == NPURT_COMMAND_EVENT_WAIT && strstr(fault.message, "'product'"),
	   "who waited for what is told: %s", fault.message);
	GIVES(npurt_stream_synchronize(producer), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(producer));
	NEED(npurt_stream_destroy(consumer));
}

/* Everything that can be asked of a failed stream, over and over: nothing may be left. */
static void test_recovery(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "survivor");
	bool all = true;

	for (uint32_t i = 1; i <= 20; i++) {
		npurt_stream *stream = lazy_stream(f->context, "short-lived");

		break_stream(f, stream);
		all &= npurt_stream_synchronize(stream) == NPURT_ERROR_STREAM_FAULT;
		NEED(npurt_stream_destroy(stream));
		NEED(npurt_fill_async(f->stream, m, 0, i, 4, 4096));
		NEED(npurt_stream_synchronize(f->stream));
		all &= *(uint32_t *)mapped(m) == i;
	}
	ok(all, "20 streams fail and the process goes on");
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f;

	setenv("NPURT_SITES", "1", 1);
	f = fixture_open();
	test_sticky(&f);
	test_destroyed(&f);
	test_site(&f);
	test_neighbours(&f);
	test_lost_wait(&f);
	test_recovery(&f);
	fixture_close(&f);
	return rt_done();
}

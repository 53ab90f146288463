// SPDX-License-Identifier: MIT
/* Attributes of streams, by what the device makes of them. */
#include "rt_test.h"

#include <stdatomic.h>

#include "modules/rt_kernels.h"

static npurt_module *module;

static npurt_kernel *kernel(const char *name)
{
	npurt_kernel *k = NULL;

	NEED(npurt_module_get_kernel(module, name, &k));
	return k;
}

static npurt_stream *new_stream(npurt_context *context, const npurt_stream_attr *attr)
{
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, attr, &stream));
	return stream;
}

/* The core that a kernel was on is told when it fails. */
static void test_core_mask(struct fixture *f)
{
	npurt_device_properties p = { .size = sizeof(p) };
	const struct raise_args args = { 1 };
	unsigned int cores = 0, right = 0;

	NEED(npurt_device_get_properties(f->device, &p));
	for (uint32_t core = 0; core < 64; core++) {
		const npurt_stream_attr attr = { .size = sizeof(attr), .core_mask = 1ULL << core };
		npurt_fault fault = { .size = sizeof(fault) };
		npurt_stream *stream;

		if (!(p.core_mask & attr.core_mask))
			continue;
		cores++;
		stream = new_stream(f->context, &attr);
		NEED(npurt_launch(stream, kernel("raise"), 1, &args, sizeof(args), NULL));
		if (npurt_stream_synchronize(stream) == NPURT_ERROR_STREAM_FAULT &&
		    npurt_stream_get_fault(stream, &fault) == 0)
			right += fault.core == core;
		NEED(npurt_stream_destroy(stream));
	}
	ok(cores == p.cores && right == cores, "each of %u cores, and no other, by its mask", cores);
}

/* Two endless kernels, of which the later one has less time. */
static void test_timeout(struct fixture *f)
{
	const npurt_stream_attr patient = { .size = sizeof(patient), .timeout_ms = 60000 };
	const npurt_stream_attr hasty = { .size = sizeof(hasty), .timeout_ms = 200 };
	npurt_stream *first = new_stream(f->context, &patient);
	npurt_stream *second = new_stream(f->context, &hasty);
	const struct spin_args args = { 0 };

	NEED(npurt_launch(first, kernel("spin"), 1, &args, sizeof(args), NULL));
	NEED(npurt_stream_flush(first));
	NEED(npurt_launch(second, kernel("spin"), 1, &args, sizeof(args), NULL));
	GIVES(npurt_stream_wait(second, 50 * S), NPURT_ERROR_STREAM_TIMEOUT);
	GIVES(npurt_stream_query(first), NPURT_ERROR_NOT_READY);
	WORKS(npurt_stream_abort(first));
	NEED(npurt_stream_destroy(first));
	NEED(npurt_stream_destroy(second));
}

#define LOW_STREAMS 6
#define LAUNCHES 40
#define ROUNDS 9

struct runner {
	npurt_stream *stream;
	npurt_event *end;
};

static void prepare(struct runner *r, npurt_memory *gate, const struct stamp_args *args)
{
	NEED(npurt_wait_value_async(r->stream, gate, 0, 1, NPURT_CONDITION_EQ, 60000));
	for (unsigned int i = 0; i < LAUNCHES; i++)
		NEED(npurt_launch(r->stream, kernel("stamp"), 1000, args, sizeof(*args), NULL));
	NEED(npurt_event_record(r->end, r->stream));
	NEED(npurt_stream_flush(r->stream));
}

/* All have the same to do, on all cores, from the same moment on; the last one is of @runners. */
static bool last_is_first(struct runner *runners, npurt_memory *gate,
			  const struct stamp_args *args)
{
	_Atomic uint64_t *word = mapped(gate);
	uint64_t end, other;
	bool first = true;

	*word = 0;
	for (unsigned int i = 0; i <= LOW_STREAMS; i++)
		prepare(&runners[i], gate, args);
	*word = 1;
	for (unsigned int i = 0; i <= LOW_STREAMS; i++)
		NEED(npurt_stream_synchronize(runners[i].stream));
	NEED(npurt_event_time(runners[LOW_STREAMS].end, &end));
	for (unsigned int i = 0; i < LOW_STREAMS; i++) {
		NEED(npurt_event_time(runners[i].end, &other));
		first &= end < other;
	}
	return first;
}

/* On a busy host another may come first now and then. By chance this one wins one in seven. */
static void test_priority(struct fixture *f)
{
	const npurt_stream_attr low = { .size = sizeof(low), .priority = NPURT_PRIORITY_LOW };
	npurt_memory *gate = memory(f->context, NPURT_PLACE_HOST, 4096, "gate");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4 * 1000, "stamps");
	const struct stamp_args args = { .words = npurt_memory_address(m) };
	struct runner runners[LOW_STREAMS + 1];
	unsigned int won = 0;

	for (unsigned int i = 0; i <= LOW_STREAMS; i++) {
		runners[i].stream = new_stream(f->context, i < LOW_STREAMS ? &low : NULL);
		NEED(npurt_event_create(f->context, NULL, &runners[i].end));
	}
	for (unsigned int i = 0; i < ROUNDS; i++)
		won += last_is_first(runners, gate, &args);
	ok(won > ROUNDS / 2, "of %d streams the one of higher priority is done first, %u of %d times",
	   LOW_STREAMS + 1, won, ROUNDS);
	for (unsigned int i = 0; i <= LOW_STREAMS; i++) {
		NEED(npurt_event_destroy(runners[i].end));
		NEED(npurt_stream_destroy(runners[i].stream));
	}
	NEED(npurt_memory_destroy(gate));
	NEED(npurt_memory_destroy(m));
}

int main(void)
{
	struct fixture f = fixture_open();

	NEED(npurt_module_load_file(f.context, MODULES "/rt_kernels.elf", &module));
	test_core_mask(&f);
	test_timeout(&f);
	test_priority(&f);
	NEED(npurt_module_unload(module));
	fixture_close(&f);
	return rt_done();
}

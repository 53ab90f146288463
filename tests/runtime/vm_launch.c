// SPDX-License-Identifier: MIT
/* Kernels on the AI cores: arguments, blocks, order, batches, and those that fail. */
#include "rt_test.h"

#include "modules/rt_kernels.h"

static npurt_module *module;

static npurt_kernel *kernel(const char *name)
{
	npurt_kernel *k = NULL;

	NEED(npurt_module_get_kernel(module, name, &k));
	return k;
}

static void test_blocks(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4 * 1000, "stamps");
	const uint32_t *words = mapped(m);
	struct stamp_args args = { .words = npurt_memory_address(m), .base = 5000 };
	bool all = true;

	WORKS(npurt_launch(f->stream, kernel("stamp"), 1000, &args, sizeof(args), NULL));
	/* The arguments have been copied. */
	args.base = 0;
	WORKS(npurt_stream_synchronize(f->stream));
	for (uint32_t i = 0; i < 1000; i++)
		all &= words[i] == 5000 + i;
	ok(all, "each of 1000 blocks ran, with its index");
	NEED(npurt_memory_destroy(m));
}

static void test_arguments(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4 * ECHO_WORDS, "echo");
	struct echo_args args = { .address = npurt_memory_address(m) };

	randomise(args.values, sizeof(args.values), 7);
	WORKS(npurt_launch(f->stream, kernel("echo"), 1, &args, sizeof(args), NULL));
	WORKS(npurt_stream_synchronize(f->stream));
	ok(memcmp(mapped(m), args.values, sizeof(args.values)) == 0,
	   "arguments arrive, and kernels reach host memory");
	NEED(npurt_memory_destroy(m));
}

static void test_order(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4, "counter");
	struct increment_args args = { .word = npurt_memory_address(m) };
	uint32_t sum = 0, value = 0;

	for (uint32_t i = 1; i <= 3000; i++) {
		args.by = i;
		sum += i;
		NEED(npurt_launch(f->stream, kernel("increment"), 1, &args, sizeof(args), NULL));
	}
	WORKS(npurt_download(f->stream, &value, m, 0, sizeof(value)));
	ok(value == sum, "3000 launches run one after the other");
	NEED(npurt_memory_destroy(m));
}

static npurt_stream *new_stream(npurt_context *context)
{
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, NULL, &stream));
	return stream;
}

static void test_bad_store(struct fixture *f)
{
	npurt_stream *stream = new_stream(f->context);
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "target");
	npurt_fault fault = { .size = sizeof(fault) };
	struct store_args args = { .address = npurt_memory_address(m) + 4096 + 8 };
	const unsigned int line = __LINE__ + 2;
	npurt_launch_attr attr = { .size = sizeof(attr), .tag = 0x1234, .label = "layer 3",
				   NPURT_SITE };
	uint64_t monotonic_ns = 0;
	char site[128];

	snprintf(site, sizeof(site), "%s:%u", __FILE__, line);
	NEED(npurt_launch(stream, kernel("store"), 1, &args, sizeof(args), &attr));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_MMU_WRITE && fault.address == args.address &&
		   fault.access == NPU_ACCESS_WRITE,
	   "status and address: %s", fault.message);
	ok(strcmp(fault.kernel, "store") == 0 && strcmp(fault.label, "layer 3") == 0 &&
		   fault.tag == 0x1234,
	   "kernel, label and tag of the launch");
	ok(strncmp(fault.location, "store+0x", 8) == 0, "pc as a place: %s", fault.location);
	ok(strstr(fault.source, "rt_kernels.c:") && strstr(fault.message, fault.source),
	   "and as a line of its source: %s", fault.source);
	ok(strstr(fault.nearest, "8 bytes past the end of 'target'") != NULL,
	   "the overrun buffer: %s", fault.nearest);
	ok(strcmp(fault.site, site) == 0 && strstr(fault.message, site),
	   "where it was launched: %s", fault.site);
	NEED(npurt_device_get_time(f->device, NULL, &monotonic_ns));
	ok(fault.time_monotonic_ns && fault.time_monotonic_ns < monotonic_ns &&
		   monotonic_ns - fault.time_monotonic_ns < 60 * S,
	   "and when, by the clock of the machine");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

static void test_raise(struct fixture *f)
{
	npurt_stream *stream = new_stream(f->context);
	npurt_fault fault = { .size = sizeof(fault) };
	struct raise_args args = { 4711 };

	NEED(npurt_launch(stream, kernel("raise"), 1, &args, sizeof(args), NULL));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_KERNEL_TRAP && fault.address == 4711,
	   "a kernel's own error comes with its code: %s", fault.message);
	ok(!fault.site[0], "who does not ask for sites gets none");
	NEED(npurt_stream_destroy(stream));
}

/* A kernel cannot change code. */
static void test_rights(struct fixture *f)
{
	npurt_stream *stream = new_stream(f->context);
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_memory *probe = memory(f->context, NPURT_PLACE_HBM, 4096, "probe");
	struct store_args args = { npurt_memory_address(probe) + 4096 };
	struct raise_args code = { 1 };

	/* Where the module lies is told by a kernel that fails. */
	NEED(npurt_launch(stream, kernel("raise"), 1, &code, sizeof(code), NULL));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	NEED(npurt_stream_destroy(stream));
	stream = new_stream(f->context);
	args.address = fault.pc & ~3ULL;
	NEED(npurt_launch(stream, kernel("store"), 1, &args, sizeof(args), NULL));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_MMU_WRITE, "kernels cannot be overwritten: %s", fault.message);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(probe));
}

static void test_timeout(struct fixture *f)
{
	npurt_stream *stream = new_stream(f->context);
	npurt_fault fault = { .size = sizeof(fault) };
	npurt_launch_attr attr = { .size = sizeof(attr), .timeout_us = 200000, .label = "stuck" };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "meanwhile");
	struct spin_args args = { 0 };

	NEED(npurt_launch(stream, kernel("spin"), 1, &args, sizeof(args), &attr));
	NEED(npurt_stream_flush(stream));
	WORKS(npurt_fill_async(f->stream, m, 0, 6, 1, 4096));
	WORKS(npurt_stream_wait(f->stream, 20 * S));
	GIVES(npurt_stream_wait(stream, 20 * S), NPURT_ERROR_STREAM_TIMEOUT);
	NEED(npurt_stream_get_fault(stream, &fault));
	ok(fault.status == NPU_ST_TIMEOUT && strcmp(fault.kernel, "spin") == 0 &&
		   strcmp(fault.label, "stuck") == 0,
	   "a kernel that never ends: %s", fault.message);
	ok(((uint8_t *)mapped(m))[0] == 6, "another stream went on meanwhile");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
}

/* A kernel that would run for a minute is stopped, and its stream works again. */
static void test_abort(struct fixture *f)
{
	npurt_stream_attr slow = { .size = sizeof(slow), .timeout_ms = 60000 };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4 * 64, "stamps");
	struct stamp_args stamp = { .words = npurt_memory_address(m), .base = 100 };
	struct spin_args args = { 0 };
	npurt_stream *stream, *other = new_stream(f->context);
	bool all = true;

	NEED(npurt_stream_create(f->context, &slow, &stream));
	NEED(npurt_launch(stream, kernel("spin"), 4, &args, sizeof(args), NULL));
	NEED(npurt_stream_flush(stream));
	GIVES(npurt_stream_wait(stream, 50 * MS), NPURT_ERROR_TIMED_OUT);
	NEED(npurt_fill_async(other, m, 0, 1, 4, 4));
	WORKS(npurt_stream_abort(stream));
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_CANCELED);
	WORKS(npurt_stream_synchronize(other));
	WORKS(npurt_stream_reset(stream));
	WORKS(npurt_launch(stream, kernel("stamp"), 64, &stamp, sizeof(stamp), NULL));
	WORKS(npurt_stream_synchronize(stream));
	for (uint32_t i = 0; i < 64; i++)
		all &= ((uint32_t *)mapped(m))[i] == 100 + i;
	ok(all, "after the reset kernels run on all cores");
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_stream_destroy(other));
	NEED(npurt_memory_destroy(m));
}

/* The device is as good as new after all that. */
static void test_afterwards(struct fixture *f)
{
	test_blocks(f);
}

static void test_refusals(struct fixture *f)
{
	npurt_stream_attr copies = { .size = sizeof(copies), .flags = NPURT_STREAM_COPY_ONLY };
	struct stamp_args args = { 0 };
	npurt_kernel *k = kernel("stamp");
	npurt_stream *stream;
	char text[256];

	GIVES(npurt_launch(f->stream, NULL, 1, NULL, 0, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_launch(f->stream, k, 0, &args, sizeof(args), NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_launch(f->stream, k, 65536, &args, sizeof(args), NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_launch(f->stream, k, 1, &args, 8, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "stamp") && strstr(text, "16 bytes"), "the message says what fits: %s",
	   text);
	NEED(npurt_stream_create(f->context, &copies, &stream));
	GIVES(npurt_launch(stream, k, 1, &args, sizeof(args), NULL), NPURT_ERROR_INVALID);
	NEED(npurt_stream_destroy(stream));
	WORKS(npurt_stream_synchronize(f->stream));
}

int main(void)
{
	struct fixture f = fixture_open();

	NEED(npurt_module_load_file(f.context, MODULES "/rt_kernels.elf", &module));
	test_blocks(&f);
	test_arguments(&f);
	test_order(&f);
	test_refusals(&f);
	test_bad_store(&f);
	test_raise(&f);
	test_rights(&f);
	test_timeout(&f);
	test_abort(&f);
	test_afterwards(&f);
	WORKS(npurt_module_unload(module));
	fixture_close(&f);
	return rt_done();
}

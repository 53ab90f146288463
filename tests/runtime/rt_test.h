/* SPDX-License-Identifier: MIT */
/*
 * What the runtime's tests share: TAP, and a device with a context and a stream.
 * Tests called test_* run on the simulated driver (FAKE_KMD) and in the VM, host_* on
 * the former only, vm_* in the VM only.
 */
#ifndef RT_TEST_H
#define RT_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npu/npu_status.h>
#include <npurt/npurt.h>

#ifdef FAKE_KMD
#include "fake_kmd.h"
#endif

#define MS 1000000ULL
#define S (1000 * MS)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int rt_points, rt_failures;

/* One result; gives @pass back. */
__attribute__((format(printf, 2, 3), unused))
static bool ok(bool pass, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", pass ? "" : "not ", ++rt_points);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	rt_failures += !pass;
	return pass;
}

/* A call that must give @want. */
__attribute__((unused)) static bool gives(int got, int want, const char *what)
{
	const bool pass = ok(got == want, "%s gives %s", what, npurt_error_name(want));

	if (!pass)
		printf("# it gave %s\n", npurt_error_name(got));
	return pass;
}

#define GIVES(call, want) gives(call, want, #call)
#define WORKS(call) gives(call, NPURT_SUCCESS, #call)

/* For calls that are no point of their own: ends the program when one fails. */
__attribute__((unused)) static void need(int err, const char *what)
{
	if (!err)
		return;
	printf("Bail out! %s: %s\n", what, npurt_error_name(err));
	exit(1);
}

#define NEED(call) need(call, #call)

__attribute__((unused)) static int rt_done(void)
{
	printf("1..%d\n", rt_points);
	return rt_failures != 0;
}

struct fixture {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
};

__attribute__((unused)) static struct fixture fixture_open(void)
{
	struct fixture f = { NULL, NULL, NULL };

	NEED(npurt_device_open(0, NULL, &f.device));
	NEED(npurt_context_create(f.device, NULL, &f.context));
	NEED(npurt_stream_create(f.context, NULL, &f.stream));
	return f;
}

/* Everything a test made must be gone by now: that is a point of its own. */
__attribute__((unused)) static void fixture_close(struct fixture *f)
{
	char text[256] = "";
	int err = npurt_stream_destroy(f->stream);

	if (!err)
		err = npurt_context_destroy(f->context);
	if (err)
		npurt_context_error_message(f->context, text, sizeof(text));
	else
		err = npurt_device_close(f->device);
	if (!ok(!err, "everything can be destroyed at the end"))
		printf("# %s: %s\n", npurt_error_name(err), text);
#ifdef FAKE_KMD
	ok(fake_leaks() == 0, "the driver has nothing left of this process");
#endif
}

/* Likewise in another process, which tells by its exit status alone how it went. */
__attribute__((unused)) static void fixture_free(struct fixture *f)
{
	NEED(npurt_stream_destroy(f->stream));
	NEED(npurt_context_destroy(f->context));
	NEED(npurt_device_close(f->device));
}

/* One that starts nothing by itself: what is not flushed is in flight for sure. */
__attribute__((unused)) static npurt_stream *rt_lazy_stream(npurt_context *context)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, &attr, &stream));
	return stream;
}

__attribute__((unused)) static npurt_memory *memory(npurt_context *context,
						    enum npurt_placement place, uint64_t bytes,
						    const char *label)
{
	npurt_memory_attr attr = { .size = sizeof(attr), .placement = place, .label = label };
	npurt_memory *m = NULL;

	NEED(npurt_memory_create(context, bytes, &attr, &m));
	return m;
}

__attribute__((unused)) static void *mapped(npurt_memory *m)
{
	void *pointer = NULL;

	NEED(npurt_memory_map(m, &pointer));
	return pointer;
}

__attribute__((unused)) static npurt_context_status status_of(npurt_context *context)
{
	npurt_context_status status = { .size = sizeof(status) };

	NEED(npurt_context_get_status(context, &status));
	return status;
}

/*
 * Before a fork: lets the device's thread come to rest, which has the device's lock until then.
 * The child would have the locks that it has taken, in an allocator for one, for ever.
 */
__attribute__((unused)) static void rt_settle(struct fixture *f)
{
	NEED(npurt_stream_synchronize(f->stream));
	status_of(f->context);
}

/* A repeatable stream of numbers. */
__attribute__((unused)) static uint32_t rt_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

__attribute__((unused)) static void randomise(void *bytes, size_t size, uint64_t seed)
{
	uint8_t *b = bytes;

	for (size_t i = 0; i < size; i++)
		b[i] = (uint8_t)rt_random(&seed);
}

#endif /* RT_TEST_H */

// SPDX-License-Identifier: MIT
/* Memory by file descriptor, and copies between contexts. */
#include "rt_process.h"

#include <fcntl.h>

#define BYTES 65536

static npurt_memory *exportable(npurt_context *context, enum npurt_placement place,
				const char *label)
{
	npurt_memory_attr attr = {
		.size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE, .placement = place,
		.label = label,
	};
	npurt_memory *m = NULL;

	NEED(npurt_memory_create(context, BYTES, &attr, &m));
	return m;
}

static bool is_filled(npurt_stream *stream, npurt_memory *m, uint8_t value)
{
	static uint8_t bytes[BYTES];

	NEED(npurt_download(stream, bytes, m, 0, BYTES));
	for (int i = 0; i < BYTES; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* To the same context and to another one of the same device. */
static void test_import(struct fixture *f, npurt_context *context, const char *where)
{
	npurt_memory *m = exportable(f->context, NPURT_PLACE_HBM, "exported"), *copies[2];
	npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_READONLY };
	npurt_stream *stream;
	int fd = -1;

	NEED(npurt_stream_create(context, NULL, &stream));
	WORKS(npurt_memory_export_fd(m, &fd));
	ok(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC, "%s: there is a descriptor, close-on-exec",
	   where);
	WORKS(npurt_memory_import_fd(context, fd, NULL, &copies[0]));
	WORKS(npurt_memory_import_fd(context, fd, &attr, &copies[1]));
	close(fd);
	ok(npurt_memory_size(copies[0]) == BYTES, "%s: the import is as large", where);
	NEED(npurt_fill_async(f->stream, m, 0, 0x11, 1, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	ok(is_filled(stream, copies[0], 0x11), "%s: it has the same contents", where);
	NEED(npurt_fill_async(stream, copies[0], 0, 0x22, 1, BYTES));
	NEED(npurt_stream_synchronize(stream));
	ok(is_filled(f->stream, m, 0x22), "%s: what is written there is seen here", where);
	ok(((uint8_t *)mapped(copies[0]))[BYTES - 1] == 0x22, "%s: the CPU can map it", where);
	GIVES(npurt_fill_async(stream, copies[1], 0, 0, 1, BYTES), NPURT_ERROR_INVALID);
	WORKS(npurt_memory_destroy(m));
	WORKS(npurt_memory_destroy(copies[0]));
	ok(is_filled(stream, copies[1], 0x22), "%s: the last one keeps the memory", where);
	WORKS(npurt_memory_destroy(copies[1]));
	NEED(npurt_stream_destroy(stream));
}

static void test_arguments(npurt_context *context)
{
	npurt_memory *m = memory(context, NPURT_PLACE_HBM, BYTES, "private"), *import;
	char text[256];
	int fd, pipes[2];

	GIVES(npurt_memory_export_fd(m, &fd), NPURT_ERROR_INVALID);
	NEED(npurt_context_error_message(context, text, sizeof(text)));
	ok(strstr(text, "'private'") && strstr(text, "NPURT_MEMORY_EXPORTABLE"),
	   "the message tells what to do: %s", text);
	GIVES(npurt_memory_export_fd(m, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_export_fd(NULL, &fd), NPURT_ERROR_INVALID);
	need(pipe(pipes), "pipe");
	GIVES(npurt_memory_import_fd(context, pipes[0], NULL, &import), NPURT_ERROR_INVALID);
	GIVES(npurt_memory_import_fd(context, -1, NULL, &import), NPURT_ERROR_INVALID);
	fd = open("/proc/self/exe", O_RDONLY);
	GIVES(npurt_memory_import_fd(context, fd, NULL, &import), NPURT_ERROR_INVALID);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	NEED(npurt_memory_destroy(m));
}

/* Another process that opens the device itself. */
static int child(int fd)
{
	struct fixture f = fixture_open();
	npurt_memory *m;

	NEED(npurt_memory_import_fd(f.context, fd, NULL, &m));
	if (!is_filled(f.stream, m, 0x33))
		return 2;
	NEED(npurt_fill_async(f.stream, m, 0, 0x44, 1, BYTES));
	NEED(npurt_stream_synchronize(f.stream));
	NEED(npurt_memory_destroy(m));
	fixture_free(&f);
	return 0;
}

static void test_process(struct fixture *f)
{
	npurt_memory *m = exportable(f->context, NPURT_PLACE_HBM, "for a child");
	int fd, status;

	NEED(npurt_memory_export_fd(m, &fd));
	NEED(npurt_fill_async(f->stream, m, 0, 0x33, 1, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	status = process_wait(process_start(&fd, 1));
	ok(!status, "another process reads it (%d)", status);
	ok(is_filled(f->stream, m, 0x44), "and what it writes is seen here");
	close(fd);
	NEED(npurt_memory_destroy(m));
}

static void test_peer(struct fixture *f, npurt_context *context)
{
	npurt_memory *here = memory(f->context, NPURT_PLACE_HBM, BYTES, "here");
	npurt_memory *there = exportable(context, NPURT_PLACE_HBM, "there");
	npurt_memory *private = memory(context, NPURT_PLACE_HBM, BYTES, "private");
	npurt_stream *stream;
	char text[512];

	NEED(npurt_stream_create(context, NULL, &stream));
	NEED(npurt_fill_async(stream, there, 0, 0x55, 1, BYTES));
	NEED(npurt_stream_synchronize(stream));
	GIVES(npurt_memcpy_async(f->stream, here, 0, there, 0, BYTES), NPURT_ERROR_INVALID);
	WORKS(npurt_memcpy_peer_async(f->stream, here, 0, there, 0, BYTES));
	ok(is_filled(f->stream, here, 0x55), "memory of another context is copied from");
	NEED(npurt_fill_async(f->stream, here, 0, 0x66, 1, BYTES));
	WORKS(npurt_memcpy_peer_async(f->stream, there, 0, here, 0, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	ok(is_filled(stream, there, 0x66), "and to, in order with other commands");
	WORKS(npurt_memcpy_peer_async(f->stream, here, 0, here, BYTES / 2, BYTES / 2));
	GIVES(npurt_memcpy_peer_async(f->stream, here, 0, there, 1, BYTES), NPURT_ERROR_RANGE);
	GIVES(npurt_memcpy_peer_async(f->stream, NULL, 0, there, 0, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_memcpy_peer_async(f->stream, here, 0, private, 0, BYTES), NPURT_ERROR_INVALID);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "src 'private'") && strstr(text, "NPURT_MEMORY_EXPORTABLE"),
	   "the message names it: %s", text);
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(private));
	NEED(npurt_memory_destroy(there));
	there = exportable(context, NPURT_PLACE_HOST, "another one there");
	WORKS(npurt_memcpy_peer_async(f->stream, there, 0, here, 0, BYTES));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(here));
	NEED(npurt_stream_destroy(stream));
	/* @there goes while the other context knows it, or the other way about. */
	NEED(npurt_memory_destroy(there));
}

/* A context that knows memory of another one goes first. */
static void test_order(struct fixture *f)
{
	npurt_memory *there = exportable(f->context, NPURT_PLACE_HBM, "outlives"), *here;
	npurt_context *context;
	npurt_stream *stream;

	NEED(npurt_context_create(f->device, NULL, &context));
	NEED(npurt_stream_create(context, NULL, &stream));
	here = memory(context, NPURT_PLACE_HBM, BYTES, "here");
	NEED(npurt_memcpy_peer_async(stream, here, 0, there, 0, BYTES));
	NEED(npurt_stream_synchronize(stream));
	NEED(npurt_memory_destroy(here));
	NEED(npurt_stream_destroy(stream));
	WORKS(npurt_context_destroy(context));
	WORKS(npurt_memory_destroy(there));
}

int main(int argc, char **argv)
{
	npurt_context *other;
	struct fixture f;

	if (argc > 1)
		return child(atoi(argv[1]));
	f = fixture_open();
	NEED(npurt_context_create(f.device, NULL, &other));
	test_import(&f, f.context, "same context");
	test_import(&f, other, "other context");
	test_arguments(f.context);
	test_process(&f);
	test_peer(&f, other);
	test_order(&f);
	NEED(npurt_context_destroy(other));
	fixture_close(&f);
	return rt_done();
}
